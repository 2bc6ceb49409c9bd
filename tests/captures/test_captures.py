"""Recordings are replayed: the driver reads the same from them, asks the same, and nobody is in them.

The expected readings stand beside each recording and were read by a person. A recording of a real device, whose head
says who recorded it, where and from which firmware, raises its driver to CAPTURE, and nothing else does.
"""

import importlib
import json
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from drivers.base import Proven
from drivers.transport import ByteStream, Traffic
from hall_daemon.recording import OPEN
from sim.carriers import PtyLine
from sim.replay import BadRecording, ReplayTwin, read_recording
from tests.captures.record import STORIES
from tests.captures.session import do, made, recordings, replayed, story_of
from tests.contract.contract import MARKERS
from tests.contract.test_every_driver import DRIVERS
from tests.waiting import until

PROOF = ("device", "firmware", "recorded", "who", "where", "shows")
"""Keys of the head that somebody has to fill in before a recording proves anything."""


def name_of(recording: Path) -> str:
    return f"{recording.parent.name}/{recording.stem}"


def proves(recording: Path) -> bool:
    """Whether a recording is of a real device, by somebody, somewhere. Raises AssertionError for half a head."""
    head = read_recording(recording).head
    provenance = head.get("provenance", "")
    assert provenance in ("device", "simulator"), f"{recording}: Provenance is neither device nor simulator"
    if provenance == "simulator":
        return False
    unknown = [key for key in PROOF if not head.get(key, "").strip() or OPEN in head[key]]
    assert not unknown, f"{recording}: of a device, but its head does not say {', '.join(unknown)}"
    return True


def justified(driver: str, folder: Path) -> Proven:
    """How far the recordings in a folder show a driver to work."""
    return Proven.CAPTURE if any(proves(r) for r in sorted(folder.glob(f"{driver}/*.txt"))) else Proven.SIMULATOR


@pytest.mark.parametrize("recording", recordings(), ids=name_of)
def test_driver_reads_the_same_from_a_recording(recording: Path, tmp_path: Path) -> None:
    twin = ReplayTwin(read_recording(recording))
    line = PtyLine(tmp_path / "port")
    line.attach(twin)
    line.start()
    try:
        given = replayed(recording, line.port, twin)
    finally:
        line.stop()
    assert given == [step["gives"] for step in story_of(recording) if "do" in step]
    assert twin.deviations == []
    assert twin.questions_left == 0


@pytest.mark.parametrize("recording", recordings(), ids=name_of)
def test_nobody_is_in_a_recording(recording: Path) -> None:
    text = recording.read_text(encoding="utf-8")
    steps = read_recording(recording).steps
    heard = b"".join(data for step in steps for _, data in step.answers) + b"".join(step.asked for step in steps)
    assert recording.parent.name == read_recording(recording).head["driver"]
    for marker in MARKERS:
        assert marker not in text
        for encoding in ("utf-8", "utf-16-le", "utf-16-be", "gb18030"):
            assert marker.encode(encoding) not in heard


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_driver_is_as_proven_as_its_recordings_show(driver: str) -> None:
    shown = importlib.import_module(f"drivers.{driver}").DRIVER.proven
    folder = Path(__file__).parent
    assert shown in (justified(driver, folder), Proven.FIELD), f"DRIVER.proven of {driver} is {shown}"
    assert shown is not Proven.FIELD or justified(driver, folder) is Proven.CAPTURE


def test_every_driver_on_a_byte_stream_has_a_recording() -> None:
    streams = {d for d in DRIVERS if importlib.import_module(f"drivers.{d}").DRIVER.Transport is ByteStream}
    assert streams == {recording.parent.name for recording in recordings()}
    assert {(r.parent.name, r.stem) for r in recordings() if not proves(r)} == set(STORIES)


def test_only_a_filled_in_head_of_a_real_device_proves(tmp_path: Path) -> None:
    (tmp_path / "display_strip").mkdir()
    file = tmp_path / "display_strip" / "call.txt"
    filled = "".join(f"# {key.title()}: x\n" for key in PROOF)
    file.write_text(f"{filled}# Provenance: simulator\n0.000 > 00\n", encoding="utf-8")
    assert justified("display_strip", tmp_path) is Proven.SIMULATOR
    file.write_text(f"{filled}# Provenance: device\n0.000 > 00\n", encoding="utf-8")
    assert justified("display_strip", tmp_path) is Proven.CAPTURE
    for wrong in (filled.replace("Who: x", f"Who: {OPEN}"), filled.replace("# Firmware: x\n", "")):
        file.write_text(f"{wrong}# Provenance: device\n", encoding="utf-8")
        with pytest.raises(AssertionError, match="its head does not say"):
            justified("display_strip", tmp_path)
    file.write_text(filled, encoding="utf-8")
    with pytest.raises(AssertionError, match="Provenance"):
        justified("display_strip", tmp_path)


# --- what is personal while recording ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("driver", "options", "markers", "deeds"),
    [
        ("idcard_samv", {"baud": 115200}, [("put", "zhang")], ["poll_card"]),
        ("idcard_samv", {"baud": 115200}, [("put", "hongkong")], ["poll_card"]),
        ("keypad_serial", {}, [("type", "13900000000")], ["poll_key"] * 11),
        ("keypad_psbc", {}, [("type", "13900000000")], ["poll_key"] * 11),
        ("keypad_matrix", {"table": "label"}, [("type", "13900000000")], ["poll_key"] * 11),
        ("codereader_serial", {}, [("scan", "990000199909090053"), ("scan", "张测试")], ["poll_code"] * 2),
    ],
)
def test_a_person_becomes_somebody_else_while_recording(
    driver: str, options: dict[str, Any], markers: list[tuple[str, str]], deeds: list[str], tmp_path: Path
) -> None:
    twin = importlib.import_module(f"sim.{driver}").TWIN("CAP-01", options)
    line = PtyLine(tmp_path / "port")
    line.attach(twin)
    line.start()
    made_ = made(driver, options, line.port)
    traced: list[Traffic] = []
    made_.link.tap = traced.append
    do(made_, {"do": "hello"})
    until(lambda: line.sent_to_twins() == b"".join(t.data for t in traced if t.direction == ">"))
    for verb, whom in markers:
        getattr(twin, verb)(whom)
    read = json.dumps([do(made_, {"do": deed}) for deed in deeds], ensure_ascii=False)
    made_.link.close()
    line.stop()
    assert re.search(r"张测试|何示例|9900001999|\"1\", \"3\", \"9\"", read), "the driver itself reads the person"
    recorded = b"".join(t.data or t.stand_in for t in traced)
    heard = [t for t in traced if t.personal]
    assert heard
    assert all(len(t.stand_in) == t.personal for t in heard), "a driver of a byte stream gives a stand-in"
    for marker in (*MARKERS, "何示例"):
        for encoding in ("utf-8", "utf-16-le", "utf-16-be", "gb18030"):
            assert marker.encode(encoding) not in recorded


# --- the replay twin --------------------------------------------------------------------------------------------------

HEAD = '# Driver: display_strip\n# Options: {"baud": 9600}\n'


def heard_from(twin: ReplayTwin, *questions: bytes) -> bytes:
    """What a replay twin says to some questions."""
    said: list[bytes] = []
    twin.say = lambda data, **_: said.append(data)  # type: ignore[method-assign, misc]  # its only way out
    for question in questions:
        twin.receive(question)
    return b"".join(said)


@pytest.fixture
def twin(tmp_path: Path) -> ReplayTwin:
    file = tmp_path / "x.txt"
    file.write_text(
        f"{HEAD}0.000 > aa 01\n0.100 < 01\n0.200 > bb\n0.300 < 02\n0.400 > bb\n0.500 < 02 03   # fictitious\n"
        "0.600 > cc\n0.700 < [3 personal bytes]\n",
        encoding="utf-8",
    )
    return ReplayTwin(read_recording(file))


def test_answers_come_as_recorded_in_any_pieces(twin: ReplayTwin) -> None:
    assert heard_from(twin, b"\xaa", b"\x01\xbb", b"\xbb\xcc") == b"\x01\x02\x02\x03\0\0\0"
    assert (twin.deviations, twin.questions_left, twin.baud) == ([], 0, 9600)


def test_a_poll_may_be_repeated_and_still_goes_on(twin: ReplayTwin) -> None:
    assert heard_from(twin, b"\xaa\x01", b"\xaa\x01", b"\xbb") == b"\x01\x01\x02"
    assert twin.deviations == []


def test_what_was_never_recorded_is_told_and_not_answered(twin: ReplayTwin) -> None:
    assert heard_from(twin, b"\xaa\x01", b"\xdd", b"\xbb") == b"\x01\x02"
    assert twin.deviations == ["sent dd, line 5 has bb"]


def test_a_question_before_its_time_is_answered_and_told(twin: ReplayTwin) -> None:
    assert heard_from(twin, b"\xcc", b"\xaa\x01") == b"\0\0\0\x01"
    assert twin.deviations == ["asked what stands in line 9, not yet line 3"]


def test_a_file_that_is_no_recording_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_text(f"{HEAD}0.000 > zz\n", encoding="utf-8")
    with pytest.raises(BadRecording, match="line 3"):
        read_recording(file)


def test_a_recording_is_replayed_on_a_port_from_the_command_line(tmp_path: Path) -> None:
    recording = next(r for r in recordings() if name_of(r) == "display_strip/one_call")
    port = tmp_path / "port"
    command = [sys.executable, "-m", "sim", "replay", str(recording), "--port", str(port)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert str(port) in process.stdout.readline()
        driver = made("display_strip", dict(read_recording(recording).options), str(port))
        assert do(driver, story_of(recording)[0]) == story_of(recording)[0]["gives"]
        driver.link.write(b"\xde\xad")
        told = iter(process.stdout.readline, "")
        assert "sent de ad" in next(line for line in told if line.startswith("deviation"))
        driver.link.close()
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=10)
    assert process.returncode == 0
