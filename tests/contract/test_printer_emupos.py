"""The ESC/POS driver against a printer that nobody here wrote: emupos, as three models, with the profiles they fit."""

import json
import os
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from PIL import Image

from drivers.base import Condition, Refused, Slip, SlipBarcode, SlipFeed, SlipQr, SlipText, Unconfirmed
from drivers.drawn import Align
from drivers.escpos_paper import PaperLowSource
from drivers.escpos_profiles import EscposOptions
from drivers.escpos_text import open_font
from drivers.printer_escpos import DRIVER
from drivers.transport import Link, Traffic, open_link
from sim.ports import HeldPort
from tests.waiting import until

EMUPOS = Path(os.environ.get("HALL_EMUPOS") or Path(__file__).parents[2] / ".venv-emupos/bin/emupos")

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(
        not EMUPOS.is_file(),
        reason=f"emupos is not installed at {EMUPOS}: it needs Python 3.13 and a virtual environment of its own",
    ),
]

PROFILES = {"front": "epson-80", "side": "clone-80", "back": "clone-80"}
MODELS = {"front": "epson-tm-t20iii", "side": "xprinter-xp80t", "back": "rongta-rp326"}
TICKET = Slip(
    parts=(
        SlipText(text="A0042", scale=2, bold=True, align=Align.CENTRE),
        SlipText(text="Counter 1-22"),
        SlipQr(data="https://hall.example/q/A0042", module_dots=6),
        SlipFeed(mm=5),
    )
)


@dataclass
class Emupos:
    """The running simulator: its control API, and drivers on its printers."""

    api: str
    ports: dict[str, int]
    links: list[Link] = field(default_factory=list)

    def call(self, method: str, path: str) -> bytes:
        request = urllib.request.Request(self.api + path, method=method)
        with urllib.request.urlopen(request, timeout=5) as answer:
            return bytes(answer.read())

    def is_ready(self) -> bool:
        try:
            self.call("GET", "/health")
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    def open(self, printer: str, **options: Any) -> Any:
        link = open_link(f"socket://127.0.0.1:{self.ports[printer]}")
        self.links.append(link)
        return DRIVER("PRN-01", link, EscposOptions(**{"profile": PROFILES[printer], **options}))

    def receipts(self, printer: str) -> list[str]:
        """Ids, newest first."""
        return [r["id"] for r in json.loads(self.call("GET", f"/devices/{printer}/receipts"))]

    def text(self, printer: str, receipt: str) -> str:
        return self.call("GET", f"/devices/{printer}/receipts/{receipt}/text").decode()

    def picture(self, printer: str, receipt: str) -> Image.Image:
        return Image.open(BytesIO(self.call("GET", f"/devices/{printer}/receipts/{receipt}/image"))).convert("L")

    def new_receipts(self, printer: str, before: list[str], count: int) -> list[str]:
        """Ids of `count` receipts that were not there before, newest first."""
        return until(lambda: n if len(n := [r for r in self.receipts(printer) if r not in before]) >= count else [])


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emupos]:
    folder = tmp_path_factory.mktemp("emupos")
    held = [HeldPort() for _ in range(1 + len(MODELS))]
    api, *numbers = (port.number for port in held)
    ports = dict(zip(MODELS, numbers, strict=True))
    devices = "".join(
        f"  - id: {name}\n    type: printer\n    profile: {profile}\n"
        f"    connections: [{{tcp: {{port: {ports[name]}}}}}]\n"
        f"    receipts_dir: ./receipts-{name}\n    job_idle_timeout_ms: 300\n"
        for name, profile in MODELS.items()
    )
    (folder / "emupos.yaml").write_text(f"schema: 1\napi: {{host: 127.0.0.1, port: {api}}}\ndevices:\n{devices}")
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [EMUPOS, "run"], cwd=folder, env={**os.environ, "TMPDIR": str(folder)}, stdout=log, stderr=log
        ) as process,
    ):
        emupos = Emupos(f"http://127.0.0.1:{api}/api/v1", ports)
        try:
            until(emupos.is_ready, limit_s=30, what="emupos answers")
            yield emupos
        finally:
            process.terminate()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                process.kill()
            for port in held:
                port.close()


@pytest.fixture
def emupos(simulator: Emupos) -> Iterator[Emupos]:
    yield simulator
    for printer in MODELS:
        for fault in ("paper-out", "paper-near-end", "cover-open", "offline"):
            simulator.call("DELETE", f"/devices/{printer}/faults/{fault}")
    while simulator.links:
        simulator.links.pop().close()


@pytest.mark.parametrize("printer", MODELS)
def test_slip_is_confirmed_and_stands_on_the_receipt(emupos: Emupos, printer: str) -> None:
    driver, before = emupos.open(printer), emupos.receipts(printer)
    driver.hello()
    driver.print_slip(TICKET)
    [receipt] = emupos.new_receipts(printer, before, 1)
    text = emupos.text(printer, receipt)
    assert "A0042" in text
    assert "Counter 1-22" in text
    assert [code.text for code in zxingcpp.read_barcodes(emupos.picture(printer, receipt))] == [
        "https://hall.example/q/A0042"
    ]


@pytest.mark.parametrize("printer", MODELS)
def test_fence_of_a_clone_is_found_out_before_the_first_slip(emupos: Emupos, printer: str) -> None:
    driver, passed = emupos.open(printer), []
    driver.link.tap = passed.append
    driver.hello()
    driver.print_slip(TICKET)
    asked = [p.data for p in passed if p.direction == ">"]
    assert asked.count(b"\x1dr\x01") == 1
    assert asked[-2].endswith(b"\x1dr\x01")


@pytest.mark.parametrize(("printer", "profile"), [*PROFILES.items(), ("side", "clone-58")])
def test_codes_are_read_from_the_receipt(emupos: Emupos, printer: str, profile: str) -> None:
    driver, before = emupos.open(printer, profile=profile, confirm="gs_r"), emupos.receipts(printer)
    driver.print_slip(
        Slip(parts=(SlipBarcode(data="990000-0042"), SlipQr(data="T|A0042", module_dots=5), SlipFeed(mm=5)))
    )
    [receipt] = emupos.new_receipts(printer, before, 1)
    found = zxingcpp.read_barcodes(emupos.picture(printer, receipt))
    assert {(code.format.name, code.text) for code in found} == {("Code128", "990000-0042"), ("QRCode", "T|A0042")}


def test_a_mark_is_never_taken_as_confirmed_by_a_printer_that_does_not_know_it(emupos: Emupos) -> None:
    with pytest.raises(Unconfirmed, match="no fault shows, fence not answered"):
        emupos.open("front", confirm="gs_h").print_slip(TICKET)


def test_automatic_status_of_somebody_else_is_understood(emupos: Emupos) -> None:
    driver = emupos.open("front", roll_m=6)
    driver.hello()
    driver.paper.printed(5_900)
    assert driver.conditions() == {Condition.PAPER_LOW}
    assert driver.paper_low_source is PaperLowSource.PREDICTION
    # Opened and closed between two looks: only what the printer tells by itself shows it.
    emupos.call("PUT", "/devices/front/faults/cover-open")
    emupos.call("DELETE", "/devices/front/faults/cover-open")
    assert until(lambda: driver.conditions() == frozenset())
    assert driver.paper.saw_new_roll


def test_names_are_those_of_the_model(emupos: Emupos) -> None:
    assert "EPSON" in emupos.open("front").hello().vendor.upper()


@pytest.mark.parametrize(
    ("fault", "condition"),
    [
        ("paper-near-end", Condition.PAPER_LOW),
        ("paper-out", Condition.PAPER_OUT),
        ("cover-open", Condition.COVER_OPEN),
        ("offline", Condition.SWITCHED_OFFLINE),
    ],
)
def test_fault_is_reported_and_goes_away(emupos: Emupos, fault: str, condition: Condition) -> None:
    driver = emupos.open("front")
    assert driver.conditions() == frozenset()
    emupos.call("PUT", f"/devices/front/faults/{fault}")
    assert driver.conditions() == {condition}
    if condition.blocks:
        with pytest.raises(Refused) as refused:
            driver.print_slip(TICKET)
        assert refused.value.condition is condition
    emupos.call("DELETE", f"/devices/front/faults/{fault}")
    assert driver.conditions() == frozenset()


def test_paper_end_while_printing_is_refused_and_a_ghost_does_not_confirm_the_reprint(emupos: Emupos) -> None:
    driver, before = emupos.open("front"), emupos.receipts("front")
    driver.hello()

    def paper_ends_as_the_slip_goes_out(passed: Traffic) -> None:
        if passed.direction == ">" and b"A0042" in passed.data:
            emupos.call("PUT", "/devices/front/faults/paper-out")

    driver.link.tap = paper_ends_as_the_slip_goes_out
    with pytest.raises(Refused) as refused:
        driver.print_slip(TICKET)
    assert refused.value.condition is Condition.PAPER_OUT
    driver.link.tap = None

    # This printer ignores the command that clears its buffer: what it kept comes out with the new roll.
    emupos.call("DELETE", "/devices/front/faults/paper-out")
    emupos.new_receipts("front", before, 1)
    driver.print_slip(Slip(parts=(SlipText(text="A0043"),)))
    newest, ghost = emupos.new_receipts("front", before, 2)
    assert "A0043" in emupos.text("front", newest)
    assert "A0042" in emupos.text("front", ghost)


def test_row_with_a_rare_character_comes_out_dot_by_dot(emupos: Emupos) -> None:
    driver, before = emupos.open("front"), emupos.receipts("front")
    driver.print_slip(Slip(parts=(SlipText(text="𠮷䶮", scale=2),)))
    [receipt] = emupos.new_receipts("front", before, 1)
    picture = emupos.picture("front", receipt).point(lambda level: 255 if level < 128 else 0)

    font = open_font("")
    assert font is not None
    drawn = font.draw("𠮷䶮", scale=2, bold=False)
    assert picture.crop(picture.getbbox()).tobytes() == drawn.crop(drawn.getbbox()).convert("L").tobytes()
