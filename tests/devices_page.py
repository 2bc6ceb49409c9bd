"""Write docs/devices.md: python -m tests.devices_page, or `make docs`

Everything about a driver comes from the driver itself: its docstring, its options, the conditions that stand in its
code and in the shared parts it imports, and `proven`; its faults from its twin and the tests, its fuzz inputs from the
last long run. Only MET is kept by hand; a test looks whether the files it names are there and name the program.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from dataclasses import MISSING, Field, fields
from enum import Enum
from itertools import pairwise
from typing import Any, get_type_hints

from drivers.base import Condition, DeviceOptions, Driver
from drivers.transport import _LINKS, link_type
from tests import devices_faults
from tests.captures.test_captures import proves
from tests.contract.test_every_driver import DRIVERS, ROOT, imported_by
from tests.fuzz import report

PAGE = ROOT / "docs" / "devices.md"
MET: dict[str, list[tuple[str, str, str]]] = {
    "announcer_sound": [
        ("aplay and ALSA's `file` device", "aplay", "drivers/transport_sound.py"),
        ("espeak-ng", "espeak", "drivers/speech.py"),
    ],
    "idcard_pcsc": [
        ("pcscd with vsmartcard's virtual reader", "pcscd", "sim/pcsc.py"),
        ("opensc-tool (reads the twin's card)", "opensc-tool", "tests/contract/test_idcard_pcsc_readers.py"),
    ],
    "keypad_serial": [("ser2net, raw TCP and RFC 2217", "ser2net", "tests/contract/test_serial_servers.py")],
    "printer_escpos": [
        ("emupos (prints what this driver sends)", "emupos", "tests/contract/test_printer_emupos.py"),
        ("receiptline (its slips are read by the twin)", "receiptline", "tests/contract/test_printer_receiptline.py"),
        ("ser2net, raw TCP and RFC 2217", "ser2net", "tests/contract/test_serial_servers.py"),
    ],
    "scanner_escl": [
        ("sane-airscan and scanimage (scan from the twin)", "scanimage", "tests/contract/test_scanner_airscan.py")
    ],
    "scanner_sane": [
        ("scanimage and SANE's `test` backend", "scanimage", "tests/contract/test_scanner_sane_backend.py")
    ],
}
"""Driver → programs that nobody here wrote: what is said, a word that stands in the file, and the file."""
_MARK = re.compile(r"(?:[(;,]\s*|(?<=[ABCG])/|confidence |as a whole: )([ABCG])(?=[):,;/ ])")
INTRODUCTION = """\
# Devices

Made by `make docs` from the drivers themselves; change those, not this page.

**Proven** says how far a driver has been shown to work. *simulator*: against its twin, which was written from the same
protocol document and not from the driver. *capture*: a recording of a real device is replayed in the tests
(`tests/captures`). *field*: a hall works with it. Programs that nobody here wrote are named where one was met; USB,
uinput, sound cards and video devices were not there to be met.

**Confidence**: the marks of the protocol document that the driver's docstring repeats: A agreed by several sources,
recomputed or confirmed by running; B one good source; C a weak one; G a guess or proposal, which is an option where it
can be one. The docstring of `drivers/<name>.py` says which fact has which mark, and draws the frames.

**Faults**: the verbs of the driver's twin (`sim/<name>.py`) that make something go wrong, each with the tests that use
it. What every driver is put through besides is in `tests/contract/contract.py`: silence, single bytes, leftovers,
damaged replies, a port that is pulled. Faults that reach a resident or a clerk are in `docs/faults-devices.md`.

**Fuzz inputs**: those of the last run of `make fuzz`, kept by that run in `docs/fuzz.json`: decoders, the driver on a
line, and the twin, guided by coverage. *Found* counts targets with an input that raised what it should
not, or ran on, in that run; what earlier runs found is a test now, which is named.
"""
NOT_SPOKEN = """\
## What the notes describe and no driver speaks

The protocol notes (`docs/sources.md`) tell of more than is built here.

- Window displays: the nibble bus (瑞泽, notes §4.2), the strip with CRC-16 (重庆, §4.3), the "#.$" strip (奎文, §4.4),
  the number panel of four bytes, 永泰新欣, the wireless caller screens and Modbus panels (§4.5). They were found in
  working hall programs, and all but the first answer nothing. Their example frames are in no test. Onbon: numbering a
  screen (A2 06, A2 07), locking a programme (A3 04) and erasing a card (A2 01) are work for the maker's tool.
- Keypads: metal and encrypting pads with frames 02 LN CMD ... BCC (§1.3), the H002 family that only encrypts, and
  everything with keys and PINs (1B 64, 6B, 68, 4E, 73).
- Callers and evaluators: polled sets (§3.2, their bytes are not public), tablets (each maker's own), and the framed
  evaluator AA ADDR CMD ... SUM that the notes only propose (§4).
- ID cards: fingerprints (30 10) are never asked for; the pipes of the classic USB module, HID reports and makers'
  envelopes (§1.9) need a transport of their own. A plain contactless reader gives the chip's serial number only.
- Printers: Star's own mode, Bematech's status, the other bit order of SPRT's FS !, user-defined characters (FS 2: a row
  with a rare character goes as raster), UTF-8 boards (ESC 9), the older presenters (GS e) and those whose bytes nobody
  published. The drawer.
- Scanners are not looked for by mDNS; their address stands in the table.
"""
HOW_TO = """\
## How to add a device

1. Give it a table in `devices.toml`; its name is the one on its sticker:

       [device.DSP-03]
       driver = "display_strip"
       port = "/dev/serial/by-path/platform-serial8250"
       address = 3

2. `hall-daemon check` names every wrong key, and ports whose names do not last (`/dev/ttyUSB0` changes with the order
   of plugging in; `/dev/serial/by-id/...` and `by-path/...` do not).
3. `hall-daemon devices` greets it, `hall-daemon test DSP-03` lets it show what can be seen and heard.
4. Name it where it serves: `[window.3]` or `[kiosk.k1]`.

A protocol that is not listed here is one new file `drivers/<capability>_<protocol>.py` with its twin `sim/` of the same
name and its contract test; `tests/contract/test_every_driver.py` says what belongs to it.

## How to record

    hall-daemon trace DSP-03 --to dsp-03.txt --seconds 60

While a daemon runs, it is asked for the traffic; with `--anew` the device is disabled and enabled first, so that the
recording begins with its greeting and can be replayed. Without a daemon the port is opened here. Nothing personal is
written: card, digits and codes of a serial line become somebody's who does not exist, everything else personal becomes
`[n personal bytes]`. Read the file all the same before it leaves the hall, and fill in its head (firmware, who, where,
what it shows, provenance). `python -m sim replay dsp-03.txt` is then that device on a pseudo-terminal, and tells where
a driver sends something else than the recorded one did.

Under `tests/captures/<driver>/`, with a story `<name>.json` beside it, a recording is a regression test. With
`Provenance: device` and a full head it raises its driver to *capture*; those that are there now say what they are
(`simulator`: recorded from a twin by `python -m tests.captures.record`) and raise nothing.
"""


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    return 0


def page() -> str:
    """The whole page."""
    parts = [
        INTRODUCTION,
        _table(),
        NOT_SPOKEN,
        _ports(),
        HOW_TO,
        "## Drivers\n",
        *(_section(name) for name in DRIVERS),
    ]
    return "\n".join(parts)


def _driver(name: str) -> type[Driver[Any, Any]]:  # Any: any driver
    found: type[Driver[Any, Any]] = importlib.import_module(f"drivers.{name}").DRIVER
    return found


def _text(words: str) -> str:
    """As Markdown shows it: what stands in pointed brackets is no tag."""
    return words.replace("<", "\\<").replace("*", "\\*")


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("<", "\\<") for cell in cells) + " |\n"


def _table() -> str:
    rows = "".join(
        _row(
            f"[{name}](#{name})", _driver(name).kind, _protocol(name), ", ".join(marks(name)) or "see docstring",
            _driver(name).proven.value, str(_recordings(name)), _met(name),
            str(len(devices_faults.verbs(name))), _fuzzed(name),
        )
        for name in DRIVERS
    )  # fmt: skip
    head = _row(
        "driver", "kind", "protocol", "confidence", "proven", "recordings of devices", "independent programs met",
        "faults of its twin", "fuzz inputs, found",
    )  # fmt: skip
    return f"## All drivers\n\n{head}{_row(*['---'] * 9)}{rows}{_last_run()}"


def _fuzzed(name: str) -> str:
    run = report.read()
    if run is None:
        return "no run kept"
    inputs, found = run.of(name)
    if not inputs and not run.whole:
        return "not reached"
    return f"{inputs}, {found}"


def _last_run() -> str:
    run = report.read()
    if run is None:
        return ""
    how = "ended" if run.whole else "was stopped before its end"
    return f"\nThe last fuzz run {how} on {run.ended}: {run.last_line()} in {len(run.targets)} targets.\n"


def found_by_fuzzing(name: str) -> list[str]:
    """Tests of a driver that say of themselves that fuzzing found what they test."""
    found = []
    for file in sorted((ROOT / "tests" / "contract").glob(f"test_{name}*.py")):
        for deed in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            told = ast.get_docstring(deed) if isinstance(deed, ast.FunctionDef | ast.AsyncFunctionDef) else None
            if told is not None and isinstance(deed, ast.FunctionDef) and "Found by fuzzing" in told:
                found.append(deed.name)
    return found


MOST_NAMED = 3


def _faults(name: str) -> str:
    """A row for each fault verb of the twin: what it does, and which tests use it."""
    rows = ""
    for verb, told in devices_faults.verbs(name).items():
        tests = devices_faults.injected(name)[verb]
        named = ", ".join(f"`{test}`" for test in tests[:MOST_NAMED])
        more = f" and {len(tests) - MOST_NAMED} more" if len(tests) > MOST_NAMED else ""
        elsewhere = f"with {', '.join(devices_faults.sharing(name, verb))}" if not tests else ""
        rows += _row(f"`{verb}`", told.replace("|", "/"), f"{named}{more}{elsewhere}")
    found = ", ".join(f"`{test}`" for test in found_by_fuzzing(name)) or "nothing"
    fuzzed = f"Fuzz inputs and findings of the last run: {_fuzzed(name)}. Found by earlier runs: {found}.\n"
    return f"{_row('fault of its twin', 'what happens', 'tests')}{_row(*['---'] * 3)}{rows}\n{fuzzed}"


def _met(name: str) -> str:
    return "; ".join(what for what, _, _ in MET.get(name, [])) or "none"


def _recordings(name: str) -> int:
    return sum(proves(file) for file in sorted((ROOT / "tests" / "captures" / name).glob("*.txt")))


def _doc(name: str) -> str:
    return inspect.getdoc(importlib.import_module(f"drivers.{name}")) or ""


def _protocol(name: str) -> str:
    return _doc(name).partition("\n")[0].rstrip(".")


def marks(name: str) -> list[str]:
    """Confidence marks in a driver's docstring."""
    return sorted(set(_MARK.findall(_doc(name))))


def source(name: str) -> str:
    """The paragraph of a driver's docstring that names its source."""
    paragraph = next(part for part in _doc(name).split("\n\n") if "Source" in part)
    return " ".join(paragraph[paragraph.index("Source") :].split())


def conditions(name: str) -> list[str]:
    """Conditions that stand in a driver's code, or in that of the shared parts it imports."""
    todo, seen, found = {name}, {"base"}, set()
    while todo - seen:
        module = (todo - seen).pop()
        seen.add(module)
        file = ROOT / "drivers" / f"{module}.py"
        if not file.exists():
            continue
        todo |= {part for part in imported_by(file) if not part.startswith("transport")}
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Condition":
                found.add(node.attr)
    return sorted(Condition[one].value for one in found if one in Condition.__members__)


def _ports() -> str:
    forms = {kind.port_form: None for begin in _LINKS if (kind := link_type(f"{begin}x")) is not None}
    lines = "".join(f"- {_text(form)}\n" for form in forms)
    return f"## How a `port` is written\n\nOne of these; devices with the same `port` share that line.\n\n{lines}"


def _section(name: str) -> str:
    driver = _driver(name)
    found = ", ".join(f"`{one}`" for one in conditions(name)) or "none"
    return (
        f"### {name}\n\n{_protocol(name)}.\n\n{_text(source(name))}\n\n"
        f"- Port: {_text(driver.Transport.port_form)}\n- Conditions: {found}\n\n{_options(driver.Options)}\n"
        f"{_faults(name)}"
    )


def _options(options: type[DeviceOptions]) -> str:
    told = _docstrings(options)
    hints = get_type_hints(options)
    rows = "".join(
        _row(f"`{one.name}`", _shown(hints[one.name]), _default(one), told.get(one.name, "")) for one in fields(options)
    )
    return f"{_row('option', 'type', 'default', 'meaning')}{_row(*['---'] * 4)}{rows}" if rows else "No options.\n"


def _shown(hint: Any) -> str:  # Any: a type
    if inspect.isclass(hint) and issubclass(hint, Enum):
        return ", ".join(f'"{one.value}"' for one in hint)
    text = hint.__name__ if inspect.isclass(hint) and not hasattr(hint, "__args__") else str(hint)
    return re.sub(r"(typing|collections\.abc|drivers\.\w+)\.", "", text)


def _default(one: Field[Any]) -> str:  # Any: any field
    if one.default is MISSING and one.default_factory is MISSING:
        return "must be given"
    value = one.default if one.default is not MISSING else one.default_factory()  # type: ignore[misc]  # it has one
    return f"`{value.value if isinstance(value, Enum) else value!r}`"


def _docstrings(options: type[DeviceOptions]) -> dict[str, str]:
    """The sentence below each field, of a class and of those it comes from."""
    told: dict[str, str] = {}
    for kind in reversed(options.__mro__):
        if kind is object:
            continue
        [body] = ast.parse(inspect.cleandoc(inspect.getsource(kind))).body
        assert isinstance(body, ast.ClassDef)
        for field_, below in pairwise(body.body):
            named = isinstance(field_, ast.AnnAssign) and isinstance(field_.target, ast.Name)
            value = below.value if isinstance(below, ast.Expr) else None
            if named and isinstance(value, ast.Constant) and isinstance(value.value, str):
                told[field_.target.id] = " ".join(value.value.split())
    return {"baud": "Speed of the serial line, bit/s; without meaning on a raw TCP port.", **told}


if __name__ == "__main__":
    sys.exit(main())
