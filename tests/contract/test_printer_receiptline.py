"""The printer's twin reads slips that nobody here wrote: receiptline's bytes, as two kinds of printer take them."""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import zxingcpp

from sim.printer_escpos import TWIN
from sim.printer_paper import FONT, Cut, PrintedSlip

FOLDER = Path(__file__).parents[1] / "receiptline"
MODULES = Path(os.environ.get("HALL_RECEIPTLINE") or FOLDER / "node_modules")

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        not (MODULES / "receiptline").is_dir() or shutil.which("node") is None,
        reason=f"receiptline is not installed in {MODULES}: it needs node and npm",
    ),
    pytest.mark.skipif(not Path(FONT).is_file(), reason="Debian package fonts-noto-cjk is not installed"),
]

COMMANDS = ["escpos", "generic"]
CODE = "https://hall.example/q/A037"
TICKET = f"""\
示例省政务服务中心
^^^A037
"综合业务" | 前面等待：5人
---
{{code:{CODE};option:qrcode,4,m}}
{{code:A0010037;option:code128,2,64,hri}}
请保管好小票
=
下一张"""


def bytes_of(document: str, command: str, **options: Any) -> bytes:
    """What receiptline sends for a document, in GB 18030 on 80 mm paper; it cuts at the end by itself."""
    asked = json.dumps({"cpl": 48, "encoding": "gb18030", "command": command, **options})
    done = subprocess.run(
        ["node", str(FOLDER / "transform.js"), asked],
        input=document.encode(), capture_output=True, timeout=30, check=False,
        env={**os.environ, "NODE_PATH": str(MODULES)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def printed(document: str, command: str, **table: Any) -> tuple[list[PrintedSlip], Any]:
    twin, said = TWIN("PRN-01", {"charset": "gb18030", **table}), []
    twin.say = lambda data, after_s=0.0: said.append(data)  # type: ignore[method-assign]  # listens in place of a line
    for byte in bytes_of(document, command):
        twin.receive(bytes([byte]))
    assert not twin.interpreter.buffer
    assert said == [b"\x00"], "receiptline ends with GS r 1, and nothing else asks"
    return twin.printed, twin


@pytest.mark.parametrize("command", COMMANDS)
def test_text_stands_on_paper_in_its_size_and_weight(command: str) -> None:
    [ticket, _], _ = printed(TICKET, command)
    lines = [line for line in ticket.text_lines if line.text.strip()]
    assert [line.text for line in lines if len(set(line.text)) > 1] == [
        "示例省政务服务中心", "A037", "综合业务前面等待：5人", "请保管好小票",
    ]  # fmt: skip
    [rule] = [line.text for line in lines if len(set(line.text)) == 1]
    assert len(rule) == 48
    number = next(line for line in lines if line.text == "A037")
    assert number.size == (2, 2)
    business = next(run for line in lines for run in line.runs if run.text == "综合业务")
    assert business.bold


@pytest.mark.parametrize("command", COMMANDS)
def test_every_document_is_cut_twice_after_its_last_line(command: str) -> None:
    slips, twin = printed(TICKET, command)
    assert (twin.cuts, [slip.cut for slip in slips]) == (2, [Cut.PARTIAL, Cut.PARTIAL])
    assert not any(slip.partial for slip in slips)
    assert [line for line in slips[1].lines if line.strip()] == ["下一张"]


@pytest.mark.parametrize("command", COMMANDS)
def test_codes_can_be_read_from_the_paper(command: str) -> None:
    [ticket, _], _ = printed(TICKET, command)
    found = {(code.format.name, code.text) for code in zxingcpp.read_barcodes(ticket.image().convert("L"))}
    assert found == {("QRCode", CODE), ("Code128", "A0010037")}
    assert ticket.barcodes == ["A0010037"]


@pytest.mark.parametrize("command", COMMANDS)
def test_columns_stand_where_they_were_put(command: str) -> None:
    [ticket, _], _ = printed(TICKET, command)
    row = next(line for line in ticket.text_lines if "综合业务" in line.text)
    assert [run.text for run in row.runs if run.text] == ["综合业务", "前面等待：5人"]
    assert sum(run.dots for run in row.runs) == ticket.width  # the second column is set to the right


@pytest.mark.parametrize("command", COMMANDS)
def test_a_four_byte_code_is_one_character_only_where_the_font_has_them(command: str) -> None:
    [slip], _ = printed("张\U00020bb7先生", command)
    assert "张\U00020bb7先生" in slip.lines
    # What printers do whose font ends earlier: the reason why our driver sends such rows as raster.
    [slip], _ = printed("张\U00020bb7先生", command, charset="gb2312")
    assert "张\ufffd4\ufffd5先生" in slip.lines


@pytest.mark.parametrize("command", COMMANDS)
def test_hardly_a_command_is_unknown_to_the_twin(command: str) -> None:
    _, twin = printed(TICKET, command)
    names = {
        token[:3].hex(" ") if token[:2] in (b"\x1d(", b"\x1c(") else token[:2].hex(" ")
        for token in twin.interpreter.ignored
    }
    # Spacing, code page, upside down, print area, Kanji style: nothing that puts dots on paper.
    assert names <= {"1b 4d", "1c 28 41", "1b 20", "1c 53", "1b 7b", "1c 2d", "1d 4c", "1d 57", "1b 74", "1c 43"}
