"""The twin of the slip printer, against the protocol notes."""

from typing import Any

import pytest

from sim.printer_escpos import TWIN
from sim.printer_paper import Cut, QrBlock
from tests.contract.printer_room import (
    rig,
)

__all__ = ["rig"]


def twin_on_a_line() -> tuple[Any, list[bytes]]:
    twin, said = TWIN("PRN-01", {}), []
    twin.say = lambda data, after_s=0.0: said.append(data)  # type: ignore[method-assign] - listens in place of a line
    return twin, said


def test_twin_answers_real_time_questions_while_it_cannot_print() -> None:
    twin, said = twin_on_a_line()
    twin.run_out_of_paper()
    twin.receive(b"A001\n\x1dr\x01\x10")
    twin.receive(b"\x04")
    twin.receive(b"\x04B\n")
    assert said == [b"\x7e"]
    assert twin.paper.blank
    twin.refill()
    assert twin.paper.lines == ["A001", "B"]
    assert said == [b"\x7e", b"\x00"]


CLEAR_BUFFERS = bytes.fromhex("10 14 08 01 03 14 01 06 02 08")


@pytest.mark.parametrize(
    ("fault", "command", "forgotten", "answer"),
    [
        ("jam_cutter", b"\x10\x05\x01", False, []),
        ("jam_cutter", b"\x10\x05\x02", True, []),
        ("open_cover", b"\x10\x05\x02", False, []),
        ("run_out_of_paper", b"\x10\x05\x02", False, []),
        ("run_out_of_paper", CLEAR_BUFFERS, True, [b"\x37\x25\x00"]),
    ],
)
def test_twin_forgets_its_buffer_when_told_in_the_right_way(
    fault: str, command: bytes, forgotten: bool, answer: list[bytes]
) -> None:
    twin, said = twin_on_a_line()
    getattr(twin, fault)()
    for byte in b"A001\n" + command:
        twin.receive(bytes([byte]))
    twin.recover()
    assert twin.paper.lines == ([] if forgotten else ["A001"])
    assert said == answer


def test_twin_of_a_clone_takes_the_unknown_command_for_control_characters() -> None:
    twin = TWIN("PRN-01", {"profile": "clone-80"})
    twin.receive(b"A0" + CLEAR_BUFFERS + b"01\n")
    assert twin.paper.lines == ["A001"]
    assert not twin.interpreter.ignored


def test_twin_lets_a_stray_lead_byte_swallow_the_next_command() -> None:
    twin, _ = twin_on_a_line()
    twin.receive(b"\x1b@\x1c&A\xd7\n\xd7\xdb\n")
    assert twin.paper.lines == ["A\ufffd综"]


def test_twin_shows_code_page_rubbish_without_chinese_mode_and_digits_for_four_byte_codes() -> None:
    twin, _ = twin_on_a_line()
    twin.receive(b"\x1b@\xd7\xdb\n\x1c&\x95\x34\xb2\x35\n")
    assert twin.paper.lines == ["╫█", "\ufffd4\ufffd5"]


NOT_ACTED_ON = [
    bytes.fromhex(command)
    for command in (
        "1B7441", "1B520F", "1B420341", "1B70003232", "1D6B0441303000", "1C530303", "1B0741", "1C32FEA1" + "41" * 72,
        "1B2A210200414141414141", "1B44084100", "1D2841020030 41", "1D3841020000000041",
    )
]  # fmt: skip


def test_twin_consumes_commands_it_does_not_know_by_their_length() -> None:
    twin, said = twin_on_a_line()
    for byte in b"".join(NOT_ACTED_ON) + b"A037\n":
        twin.receive(bytes([byte]))
    assert twin.paper.lines == ["A037"]
    assert twin.interpreter.ignored == NOT_ACTED_ON
    assert said == []


@pytest.mark.parametrize(
    ("cut", "partial"),
    [
        ("1D 56 00", False), ("1D 56 01", True), ("1D 56 41 08", False), ("1D 56 42 08", True), ("1B 69", False),
        ("1B 6D", True),
    ],
)  # fmt: skip
def test_twin_cuts_by_each_form_of_the_command(cut: str, partial: bool) -> None:
    twin, _ = twin_on_a_line()
    twin.receive(b"A001\n\x1bJ\xff" + bytes.fromhex(cut) + b"A002\n")
    assert [(s.lines, s.cut) for s in twin.printed] == [(["A001"], Cut.PARTIAL if partial else Cut.FULL)]
    assert twin.paper.lines[-1] == "A002"


@pytest.mark.parametrize(
    "picture",
    [
        "1D 76 30 00 02 00 02 00 FF FF FF FF",
        "1D 28 4C 0E 00 30 70 30 01 01 31 10 00 02 00 FF FF FF FF 1D 28 4C 02 00 30 32",
    ],
)
def test_twin_draws_the_picture_of_the_document_in_both_forms(picture: str) -> None:
    twin, _ = twin_on_a_line()
    twin.receive(bytes.fromhex(picture))
    [raster] = twin.paper.rasters
    assert (raster.data, twin.interpreter.ignored) == (b"\xff" * 4, [])


@pytest.mark.parametrize(
    ("command", "letter", "chinese"),
    [
        ("1B 21 38", (2, 2, True), (1, 1, True)),  # sizes of ESC ! reach no Chinese character
        ("1B 21 80", (1, 1, False), (1, 1, False)),
        ("1D 21 11", (2, 2, False), (2, 2, False)),
        ("1C 21 0C", (1, 1, False), (2, 2, False)),
        ("1C 57 01", (1, 1, False), (2, 2, False)),
        ("1B 45 01", (1, 1, True), (1, 1, True)),
        ("1B 2D 01", (1, 1, False), (1, 1, False)),
    ],
)
def test_twin_sets_type_as_the_table_of_commands_says(
    command: str, letter: tuple[int, int, bool], chinese: tuple[int, int, bool]
) -> None:
    twin, _ = twin_on_a_line()
    twin.receive(b"\x1b@\x1c&" + bytes.fromhex(command) + b"A\xd7\xdb\n")
    [line] = twin.paper.text_lines
    looks = {char: (run.width, run.height, run.bold) for run in line.runs for char in run.text}
    assert looks == {"A": letter, "综": chinese}
    assert all(run.underline for run in line.runs) == (command in ("1B 21 80", "1B 2D 01"))


def test_twin_leaves_chinese_mode_and_its_line_spacing_when_told() -> None:
    twin, _ = twin_on_a_line()
    twin.receive(bytes.fromhex("1B 40 1C 26 1B 33 40 D7 DB 0A 1B 32 1C 2E D7 DB 0A"))
    first, second = twin.paper.text_lines
    assert (first.text, first.dots) == ("综", 0x40)
    assert (second.text, second.dots) == ("╫█", 30)


@pytest.mark.parametrize(("number", "level"), [("30", "L"), ("31", "M"), ("32", "Q"), ("33", "H")])
def test_twin_draws_the_qr_code_of_the_document_at_each_level(number: str, level: str) -> None:
    twin, _ = twin_on_a_line()
    twin.receive(bytes.fromhex("1D 28 6B 04 00 31 41 32 00 1D 28 6B 03 00 31 43 06 1D 28 6B 03 00 31 45" + number))
    twin.receive(bytes.fromhex("1D 28 6B 06 00 31 50 30 41 42 43 1D 28 6B 03 00 31 51 30"))
    [code] = [strip for strip in twin.paper.strips if isinstance(strip, QrBlock)]
    assert (code.data, code.module_dots, code.level) == ("ABC", 6, level)


def test_twin_answers_the_questions_that_no_driver_asks() -> None:
    twin, said = twin_on_a_line()
    twin.receive(bytes.fromhex("1D 72 02 1D 49 01 1B 63 33 0C 1B 63 34 0C 1B 33 18") + b"A001\n")
    assert [len(answer) for answer in said] == [1, 1]
    assert twin.paper.lines == ["A001"], "sensor settings and line spacing are no text"


def test_twin_cuts_through_the_last_lines_when_nobody_fed_first() -> None:
    twin, _ = twin_on_a_line()
    twin.receive(b"A001\n\x1dV\x01A002\n\x1bJ\x78\x1dV\x01")
    assert [(s.lines, s.partial) for s in twin.printed] == [(["A001"], True), (["A002"], False)]


def test_twin_tells_every_change_once_automatic_status_is_on() -> None:
    twin, said = twin_on_a_line()
    twin.open_cover()
    twin.close_cover()
    twin.receive(b"\x1da\xff")
    twin.jam_cutter()
    twin.recover()
    twin.receive(b"\x1da\x00")
    twin.open_cover()
    assert [frame.hex(" ") for frame in said] == ["10 00 00 0f", "18 08 00 0f", "10 00 00 0f"]


def test_twin_marks_jobs_where_the_model_can() -> None:
    twin, said = twin_on_a_line()
    twin.jobs_are_marked = True
    twin.receive(bytes.fromhex("1D2848060030304A303031"))
    assert said == [b"\x37\x22J001\x00"]


@pytest.mark.parametrize(("command", "lines"), [(b"\x10\x05\x01", ["A001"]), (b"\x10\x05\x02", [])])
def test_twin_that_waits_for_recovery_resumes_or_clears_as_it_is_told(command: bytes, lines: list[str]) -> None:
    twin, said = twin_on_a_line()
    twin.wait_for_recovery()
    twin.receive(b"\x1da\xff")
    twin.receive(b"A001\n\x10\x04\x01" + command)
    assert twin.paper.lines == lines
    assert said[0] == b"\x3a"
    twin.receive(b"\x10\x04\x01\x1da\xff")
    assert [answer.hex(" ") for answer in said[-2:]] == ["12", "10 00 00 0f"]


def test_twin_of_a_kiosk_printer_answers_for_the_sensor_of_its_presenter() -> None:
    twin, said = TWIN("PRN-01", {"profile": "kiosk-custom"}), []
    twin.say = lambda data, after_s=0.0: said.append(data)
    twin.leave_slips()
    twin.receive(b"\x10\x04\x05A001\n\x1dVB\x00\x1cP\x0c\x01\x52\x14\x10\x04\x05")
    twin.take_slip()
    twin.receive(b"\x10\x04\x05")
    assert said == [b"\x12", b"\x16", b"\x12"]


def test_twin_without_a_presenter_does_not_know_that_question() -> None:
    twin, said = twin_on_a_line()
    twin.receive(b"\x10\x04\x05")
    assert said == []


def test_twin_ignores_its_panel_button_until_it_is_reset() -> None:
    twin, _ = twin_on_a_line()
    twin.receive(b"\x1bc5\x01")
    twin.hold_feed_button()
    assert not twin.is_offline
    twin.receive(b"\x1b@")
    twin.hold_feed_button()
    assert twin.real_time_status() == bytes.fromhex("5a 1a 12 12")


def test_twin_that_is_not_selected_prints_nothing_and_still_answers_real_time_questions() -> None:
    twin, said = twin_on_a_line()
    for byte in b"A\x1b=\x02\x1b*\x21\xff\xff\x1dr\x01\x10\x04\x01B\n\x1b=\x01C\n":
        twin.receive(bytes([byte]))
    assert twin.paper.lines == ["AC"]
    assert said == [b"\x12"]
