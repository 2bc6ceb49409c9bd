"""Record the stories below from twins: python -m tests.captures.record [driver]

Their provenance is "simulator": they keep a driver as it is, they prove nothing. What each deed gives is taken from the
replay, and is to be read by a person before it is committed. A recording of a real device comes from
`hall-daemon trace` instead and is never made here.
"""

from __future__ import annotations

import importlib
import io
import json
import sys
import tempfile
import threading
from datetime import datetime
from pathlib import Path
from typing import Any

from hall_daemon.clock import CHINA
from hall_daemon.config import DeviceConfig
from hall_daemon.recording import OPEN, PROVENANCE_OPEN, Recorder
from sim.carriers import PtyLine
from sim.replay import ReplayTwin, read_recording
from tests.captures.session import HERE, Step, do, made, replayed, story_of, trace_line

HANDS_S = 0.3
"""Nobody at a device is faster."""
_HANDS = threading.Event()
GREETING: list[Step] = [{"do": "hello"}, {"do": "conditions"}]


def show(text: str) -> Step:
    """A text on a display."""
    return {"do": "show", "with": {"text": text}}


CONDITIONS: Step = {"do": "conditions"}
CALL: Step = {"do": "show", "with": {"text": "请A017号到3号窗口", "attention": True}}
STORIES: dict[tuple[str, str], tuple[dict[str, Any], list[Step]]] = {
    ("announcer_syn6288", "one_call"): ({}, [*GREETING, {"do": "speak", "with": {"text": "请A017号到3号窗口"}}]),
    ("caller_rs485", "sign_in_and_next"): ({"address": 3}, [
        *GREETING, {"at_device": "log_in", "with": [1803]}, {"do": "poll_press"},
        {"do": "answer_sign_in", "with": {"accepted": True}}, {"at_device": "press", "with": ["next"]},
        {"do": "poll_press"}, {"do": "show_ticket", "with": {"number": "A1234"}},
        {"do": "show_waiting", "with": {"count": 7}},
    ]),
    ("codereader_serial", "one_code"): ({}, [
        *GREETING, {"at_device": "scan", "with": ["990000199909090053", "Q1"]}, {"do": "poll_code"},
    ]),
    ("display_alpha", "one_call"): ({"address": 3, "columns": 18}, [*GREETING, show("A017 3")]),
    ("display_customer", "one_call"): ({"dialect": "cd5220"}, [*GREETING, show("A017\n3")]),
    ("display_onbon", "one_call"): ({"width_px": 128, "height_px": 32}, [*GREETING, CALL, CONDITIONS]),
    ("display_strip", "one_call"): ({"address": 3, "columns": 20, "confirms": True}, [*GREETING, CALL, CONDITIONS]),
    ("display_two_colour", "one_call"): ({"address": 3, "columns": 20}, [*GREETING, show("请A017到3窗口")]),
    ("evaluator_bytes", "one_grade"): ({"ask": "1b 41", "stop": "1b 42"}, [
        *GREETING, {"do": "ask_grade"}, {"at_device": "press", "with": ["1"]}, {"do": "poll_grade"},
        {"do": "stop_asking"},
    ]),
    ("evaluator_caller", "one_grade"): ({"caller_address": 3}, [
        *GREETING, {"do": "ask_grade"}, {"at_device": "press", "with": [2]}, {"do": "poll_grade"},
    ]),
    ("idcard_samv", "citizen_and_gone"): ({"baud": 115200, "debounce_s": 0.5}, [
        *GREETING, {"at_device": "put", "with": ["zhang"]}, {"do": "poll_card"}, {"at_device": "lift"},
        {"do": "poll_card"},
    ]),
    ("idcard_samv", "residence_permit"): ({"baud": 115200, "newest_address": True}, [
        *GREETING, {"at_device": "put", "with": ["hongkong"]}, {"do": "poll_card"},
    ]),
    ("idcard_samv", "self_test_failed"): ({"baud": 115200}, [
        {"do": "hello"}, {"at_device": "fail_self_test"}, {"do": "conditions"},
    ]),
    ("keypad_matrix", "phone_number"): ({"table": "label"}, [
        *GREETING, {"at_device": "type", "with": ["13900000000"]}, *[{"do": "poll_key"} for _ in range(11)],
    ]),
    ("keypad_psbc", "phone_number"): ({}, [
        *GREETING, {"at_device": "type", "with": ["13900000000"]}, *[{"do": "poll_key"} for _ in range(11)],
    ]),
    ("keypad_serial", "phone_number"): ({}, [
        *GREETING, {"do": "show_lines", "with": {"upper": "PHONE", "lower": ""}},
        {"at_device": "type", "with": ["13900000000"]}, *[{"do": "poll_key"} for _ in range(11)],
    ]),
    ("printer_escpos", "one_slip"): ({"baud": 115200, "columns": 48}, [*GREETING, {"do": "print_slip"}]),
    ("printer_escpos", "paper_out"): ({"baud": 115200, "columns": 48}, [
        *GREETING, {"at_device": "run_out_of_paper"}, {"do": "conditions"}, {"do": "print_slip"},
    ]),
}  # fmt: skip


def record(driver: str, name: str) -> None:
    """Record one story, replay it, and write what it gave."""
    options, story = STORIES[driver, name]
    folder = HERE / driver
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.txt"
    with tempfile.TemporaryDirectory() as there:
        file.write_text(_recorded(driver, name, options, story, Path(there)), encoding="utf-8")
        _write(file, story)
        twin = ReplayTwin(read_recording(file))
        line = PtyLine(Path(there) / "replay")
        line.attach(twin)
        line.start()
        given = iter(replayed(file, line.port, twin))
        line.stop()
    _write(file, [{**step, "gives": next(given)} if "do" in step else step for step in story])
    print(f"{file}: {len(twin.recording.steps)} steps, deviations {twin.deviations}")
    for step in story_of(file):
        print("   ", json.dumps(step, ensure_ascii=False))


def _write(file: Path, story: list[Step]) -> None:
    lines = ",\n".join(json.dumps(step, ensure_ascii=False) for step in story)
    file.with_suffix(".json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def _recorded(driver: str, name: str, options: dict[str, Any], story: list[Step], there: Path) -> str:
    module = importlib.import_module(f"drivers.{driver}")
    twin = importlib.import_module(f"sim.{driver}").TWIN("CAP-01", options)
    line = PtyLine(there / "port")
    line.attach(twin)
    line.start()
    written = io.StringIO()
    config = DeviceConfig(
        name="CAP-01", driver=driver, driver_type=module.DRIVER, port="", options=module.DRIVER.Options(**options)
    )
    recorder = Recorder(written, config)
    recorder.begin(f"twin sim/{driver}.py", datetime.now(CHINA))
    made_ = made(driver, options, line.port)
    made_.link.tap = lambda traffic: recorder.take(trace_line(traffic))
    for step in story:
        if "do" in step:
            do(made_, step)
        else:
            _HANDS.wait(HANDS_S)
            getattr(twin, step["at_device"])(*step.get("with", []))
    made_.link.close()
    line.stop()
    text = written.getvalue().replace(PROVENANCE_OPEN, "simulator").replace(f"Shows: {OPEN}", f"Shows: {name}")
    return text.replace(OPEN, "none: recorded from the twin")


if __name__ == "__main__":
    for driver_, name_ in STORIES:
        if driver_ in (sys.argv[1:] or [driver_]):
            record(driver_, name_)
