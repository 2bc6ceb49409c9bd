"""One device of every kind: from what a person does to its event, from a job to its first byte or page.

A line carries bytes at once, a page is drawn before it is asked for: what is left is the daemon's own time, its waiting
for silence included (a caller's line, a display's gap), and for a card or a page that of the programs between (pcscd,
HTTP, OpenCV). What a twin takes on purpose is named in the line: the camera's frames come 25 a second.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.rig import Rig, say
from sim.papers import FORM, scan
from sim.pcsc import available as pcsc_unavailable

TIMES = 8
PAUSE_S = 0.15
CAMERA = {"width": 1280, "height": 960, "drop_frames": 10}


def kinds() -> None:
    """Print one line for each kind."""
    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder))
        without_card = _hang_up(rig)
        with rig:
            rig.drain()
            _people(rig)
            if without_card is None:
                say("card laid on a PC/SC reader → CardRead", _cards(rig))
            else:
                print(f"card laid on a PC/SC reader: not measured ({without_card})", flush=True)
            _jobs(rig)


def _hang_up(rig: Rig) -> str | None:
    """The devices; why there is no PC/SC reader, if there is none."""
    rig.add("CAL-01", "caller_rs485", address=3)
    rig.add("EVA-01", "evaluator_bytes")
    rig.add("EVA-02", "keypad_psbc", numeric_input=True)
    rig.add("GUN-01", "codereader_serial")
    rig.add("GUN-02", "codereader_hid")
    rig.add("KEY-01", "keypad_evdev")
    rig.add("ANN-01", "announcer_syn6288")
    rig.add("DSP-01", "display_onbon", address=1, width_px=128, height_px=32)
    rig.add("SCN-01", "scanner_escl")
    rig.add("CAM-01", "camera_uvc", **CAMERA)
    missing = pcsc_unavailable()
    if missing is None:
        rig.add("IDR-01", "idcard_pcsc", debounce_s=0.5)
    return missing


def _people(rig: Rig) -> None:
    twins = rig.twins
    twins["CAL-01"].log_in(1)
    rig.until("CAL-01", lambda told: told == "CallerPress")
    twins["CAL-01"].logged_in = True
    _events(rig, "CAL-01", "caller: next pressed → CallerPress", lambda _: twins["CAL-01"].press("next"), "CallerPress")
    _events(
        rig, "EVA-01", "evaluator: grade pressed → GradeGiven", lambda n: twins["EVA-01"].press(str(n % 5 + 1)),
        "GradeGiven", before=lambda: rig.job_ms("EVA-01", "ask"),
    )  # fmt: skip
    _events(rig, "EVA-02", "postal-bank pad: key → Key", lambda n: twins["EVA-02"].press(str(n % 10)), "Key")
    _events(rig, "GUN-01", "serial gun: code → CodeRead", lambda n: twins["GUN-01"].scan(f"EE{n:09}CN"), "CodeRead")
    _events(
        rig,
        "GUN-02",
        "USB gun: a code of 13 typed → CodeRead",
        lambda n: twins["GUN-02"].scan(f"EE{n:09}CN"),
        "CodeRead",
    )
    _events(rig, "KEY-01", "USB keypad: key → Key", lambda n: twins["KEY-01"].press(str(n % 10)), "Key")


def _events(
    rig: Rig, device: str, what: str, deed: Callable[[int], object], news: str,
    before: Callable[[], object] = lambda: None,
) -> None:  # fmt: skip
    found = []
    for n in range(TIMES):
        before()
        time.sleep(PAUSE_S)
        found.append(rig.took_ms(device, lambda n=n: deed(n), news))  # type: ignore[misc]
    say(what, found)


def _cards(rig: Rig) -> list[float]:
    twin: Any = rig.twins["IDR-01"]
    found = []
    for _ in range(TIMES // 2):
        found.append(rig.took_ms("IDR-01", lambda: twin.put("zhang"), "CardRead"))
        rig.took_ms("IDR-01", twin.lift, "CardGone")
        time.sleep(0.6)  # until it is another placing
    return found


def _jobs(rig: Rig) -> None:
    say("announcer: job → first byte", _spaced(lambda: rig.first_byte_ms("ANN-01", "speak"), 2))
    say("display: job → first byte", _spaced(lambda: rig.first_byte_ms("DSP-01", "show"), TIMES))
    rig.twins["SCN-01"].put_on_platen(scan(FORM, 200, width_mm=210, height_mm=297, color=True))
    say("network scanner: job → first page (A4, 200 dpi, drawn before)", _spaced(lambda: _page(rig, "SCN-01"), 5))
    frames = f"{CAMERA['drop_frames'] + 2} frames of {CAMERA['width']}x{CAMERA['height']}"
    say(f"camera: job → page ({frames} to wait for)", _spaced(lambda: _page(rig, "CAM-01"), 3))


def _page(rig: Rig, device: str) -> float:
    return rig.job_ms(device, "page")


def _spaced(measure: Callable[[], float], times: int) -> list[float]:
    found = []
    for _ in range(times):
        time.sleep(PAUSE_S)
        found.append(measure())
    return found
