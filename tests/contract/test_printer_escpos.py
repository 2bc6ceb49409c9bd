"""ESC/POS slip printer: what goes onto paper, and whether the driver tells the truth about it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import (
    Align,
    BadReply,
    Condition,
    DeviceError,
    Identity,
    LinkError,
    NoReply,
    Refused,
    Slip,
    SlipFeed,
    SlipQr,
    SlipRule,
    SlipText,
    Unconfirmed,
)
from drivers.escpos_status import Replies, decode_status
from drivers.escpos_text import CHARSETS, encode_char, encode_text, printable, wrap
from drivers.printer_escpos import DRIVER, EscposOptions, encode_slip, without_commands
from sim.carriers import TcpLine
from sim.printer_escpos import TWIN
from sim.printer_paper import Cut
from tests.contract.contract import DriverContract, Rig, ScriptedStream
from tests.waiting import until

GOLDEN_TICKET = bytes.fromhex(
    "1B40 1B6101 1C26 1D2111 41303031 0A 1D2100D7DBBACFD2B5CEF1 0AC7B0C3E6B5C8B4FDA3BA35C8CB 0A1B6100 1B6404 1D564200"
)
TICKET = Slip(
    parts=(
        SlipText(text="A001", scale=2, align=Align.CENTRE),
        SlipText(text="综合业务", align=Align.CENTRE),
        SlipText(text="前面等待：5人", align=Align.CENTRE),
        SlipFeed(mm=15),
    )
)
LINES = ["A001", "综合业务", "前面等待：5人"]
HEALTHY = bytes([0x12] * 4)

STATES: list[tuple[str, str, str, set[Condition]]] = [
    ("recover", "12 12 12 12", "10 00 00 0f", set()),
    ("run_low", "12 12 12 1e", "10 00 03 0f", {Condition.PAPER_LOW}),
    ("run_out_of_paper", "1a 32 12 7e", "18 00 0f 0f", {Condition.PAPER_OUT}),
    ("open_cover", "1a 16 12 12", "38 00 00 0f", {Condition.COVER_OPEN}),
    ("jam_cutter", "1a 52 1a 12", "18 08 00 0f", {Condition.CUTTER_ERROR}),
    ("jam", "1a 52 16 12", "18 04 00 0f", {Condition.PAPER_JAM}),
    ("overheat", "1a 52 52 12", "18 40 00 0f", {Condition.HEAD_HOT}),
    ("break_down", "1a 52 32 12", "18 20 00 0f", {Condition.DEVICE_FAULT}),
    ("switch_offline", "1a 12 12 12", "18 00 00 0f", {Condition.SWITCHED_OFFLINE}),
    ("hold_feed_button", "5a 1a 12 12", "58 00 00 0f", {Condition.BUSY}),
]


class TestEscposPrinter(DriverContract):
    driver_module = "printer_escpos"
    twin_module = "printer_escpos"
    options: ClassVar = {"baud": 115200, "columns": 48}
    causes: ClassVar = {
        Condition.PAPER_LOW: lambda t: t.run_low(),
        Condition.PAPER_OUT: lambda t: t.run_out_of_paper(),
        Condition.COVER_OPEN: lambda t: t.open_cover(),
        Condition.CUTTER_ERROR: lambda t: t.jam_cutter(),
        Condition.PAPER_JAM: lambda t: t.jam(),
        Condition.HEAD_HOT: lambda t: t.overheat(),
        Condition.DEVICE_FAULT: lambda t: t.break_down(),
        Condition.SWITCHED_OFFLINE: lambda t: t.switch_offline(),
        Condition.BUSY: lambda t: t.hold_feed_button(),
    }

    def job(self, driver: Any, rig: Rig) -> None:
        before = len(rig.twin.printed)
        driver.print_slip(TICKET)
        assert [slip.lines for slip in rig.twin.printed[before:]] == [LINES]
        assert not rig.twin.printed[-1].partial

    def job_blind(self, driver: Any) -> None:
        driver.print_slip(TICKET)

    def sample_replies(self) -> list[bytes]:
        return [HEALTHY, b"\x1a\x32\x12\x7e", b"\x10\x00\x00\x0f", b"\x5fACME\x00", b"\x00", HEALTHY + b"\x00"]


class TestEscposPrinterOverTcp(TestEscposPrinter):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        twin, line = TWIN("TST-01", self.options), TcpLine()
        line.attach(twin)
        line.start()
        rig = Rig(driver_type=DRIVER, options=self.options, twin=twin, line=line)
        yield rig
        rig.close()


@contextmanager
def a_printer(**options: Any) -> Iterator[Rig]:
    """A twin on a TCP port with the same table as its driver."""
    twin, line = TWIN("PRN-01", options), TcpLine()
    line.attach(twin)
    line.start()
    rig = Rig(driver_type=DRIVER, options=options, twin=twin, line=line, device="PRN-01")
    try:
        yield rig
    finally:
        rig.close()


@pytest.fixture
def rig() -> Iterator[Rig]:
    with a_printer() as rig:
        yield rig


def lines_of(rig: Rig) -> list[list[str]]:
    return [slip.lines for slip in rig.twin.printed]


def in_the_background(deed: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=deed)
    thread.start()
    return thread


# --- bytes


def test_small_ticket_is_sent_as_the_notes_write_it() -> None:
    encoded = encode_slip(TICKET, EscposOptions())

    # The notes feed four lines, whose height differs from board to board; the driver feeds dots.
    assert encoded.data == GOLDEN_TICKET.replace(b"\x1bd\x04", b"\x1bJ\x78")


def test_small_ticket_of_the_notes_comes_out_of_the_twin() -> None:
    twin = TWIN("PRN-01", {})
    twin.receive(GOLDEN_TICKET)
    [slip] = twin.printed
    assert [(line.text, line.size, line.align) for line in slip.text_lines] == [
        ("A001", (2, 2), 1),
        ("综合业务", (1, 1), 1),
        ("前面等待：5人", (1, 1), 1),
    ]
    assert slip.cut is Cut.PARTIAL
    assert not slip.partial


def test_qr_code_is_the_sequence_of_the_notes_at_level_m() -> None:
    data = encode_slip(Slip(parts=(SlipQr(data="ABC"),)), EscposOptions()).data
    sequence = "1D286B0400314132001D286B03003143061D286B03003145 31 1D286B0600315030 414243 1D286B0300315130"
    assert bytes.fromhex(sequence) in data


def test_raster_of_the_notes_is_exact_on_paper() -> None:
    twin = TWIN("PRN-01", {})
    twin.receive(bytes.fromhex("1B40 1D763000 0200 0200 FFFFFFFF 1D564200"))
    [raster] = twin.printed[0].rasters
    assert (raster.row_bytes, raster.rows, raster.data) == (2, 2, b"\xff" * 4)


@pytest.mark.parametrize(("verb", "real_time", "automatic", "conditions"), STATES, ids=[s[0] for s in STATES])
def test_every_state_of_the_notes_is_reported(
    rig: Rig, verb: str, real_time: str, automatic: str, conditions: set[Condition]
) -> None:
    driver = rig.open()
    getattr(rig.twin, verb)()
    assert rig.twin.real_time_status().hex(" ") == real_time
    assert rig.twin.automatic_status().hex(" ") == automatic
    assert driver.conditions() == conditions


def test_paper_end_is_seen_without_a_near_end_sensor() -> None:
    assert decode_status(bytes.fromhex("1a 32 12 72")) == {Condition.PAPER_OUT}


def test_drawer_and_waiting_bits_are_no_fault() -> None:
    assert decode_status(bytes.fromhex("16 12 12 12")) == frozenset()


@given(st.binary(max_size=6))
def test_status_is_conditions_or_a_bad_reply(answers: bytes) -> None:
    try:
        assert isinstance(decode_status(answers), frozenset)
    except BadReply as exc:
        assert len(answers) != 4 or any(b & 0x93 != 0x12 for b in answers)
        assert answers.hex(" ") in str(exc)


def test_mixed_replies_are_told_apart_however_they_are_cut() -> None:
    mixed = bytes.fromhex("12 10 00 03 0f 32 13 00 11 5f 54 4d 00 1a 37 22 41 00 0f 12")
    for cut in range(len(mixed)):
        replies = Replies()
        replies.feed(mixed[:cut])
        replies.feed(mixed[cut:])
        assert (bytes(replies.statuses), bytes(replies.queued), replies.texts) == (
            b"\x12\x32\x1a\x12",
            b"\x00\x0f",
            ["TM"],
        )
        assert not replies.strays


def test_extended_automatic_frame_is_never_taken_for_a_fence() -> None:
    replies = Replies()
    replies.feed(bytes.fromhex("39 00 40 00 00 00 12 12 12 12"))
    assert not replies.queued
    assert replies.statuses == HEALTHY


# --- text


@pytest.mark.parametrize(
    ("char", "gb2312", "gbk", "gb18030"),
    [
        ("综", "d7db", "d7db", "d7db"),
        ("：", "a3ba", "a3ba", "a3ba"),
        ("￥", "a3a4", "a3a4", "a3a4"),
        ("·", "a1a4", "a1a4", "a1a4"),
        ("—", "a1aa", "a1aa", "a1aa"),
        ("€", None, None, "a2e3"),
        ("〇", None, "a996", "a996"),
        ("镕", None, "e946", "e946"),
        ("䶮", None, None, "fe9f"),
        ("㐀", None, None, None),
        ("𠮷", None, None, None),
        ("\ue000", None, None, None),
        ("¥", None, None, None),
    ],
)
def test_a_character_is_sent_only_where_the_font_has_it(
    char: str, gb2312: str | None, gbk: str | None, gb18030: str | None
) -> None:
    for charset, expected in zip(CHARSETS, (gb2312, gbk, gb18030), strict=True):
        code = encode_char(char, charset)
        assert (code.hex() if code else None) == expected


@given(st.text(), st.sampled_from(CHARSETS))
def test_text_never_holds_a_command_or_half_a_character(text: str, charset: str) -> None:
    code = encode_text(printable(text), charset)
    if code is None:
        return
    assert all(byte >= 0x20 and byte != 0x7F for byte in code)
    assert code.decode("gb18030") == printable(text)
    assert len(code) == sum(1 if c.isascii() else 2 for c in printable(text))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.text(st.characters(codec="utf-8") | st.sampled_from("综合A1\x1b\x10\x04\u202e𠮷\ue000"), max_size=30),
        max_size=4,
    ),
    st.integers(1, 8),
    st.sampled_from([32, 42, 48]),
)
def test_any_text_prints_as_whole_slip_without_stray_commands(texts: list[str], scale: int, columns: int) -> None:
    twin = TWIN("PRN-01", {"columns": columns})
    slip = Slip(parts=(*(SlipText(text=t, scale=scale) for t in texts), SlipText(text="A037")))
    twin.receive(encode_slip(slip, EscposOptions(columns=columns)).data)
    [printed] = twin.printed
    assert printed.lines[-1] == "A037"
    assert not twin.interpreter.ignored
    assert not twin.interpreter.buffer
    assert "\ufffd" not in "".join(printed.lines)


@given(st.text(st.sampled_from("综合A1 :")), st.integers(2, 48))
def test_rows_fit_the_paper_and_lose_nothing(text: str, row_cells: int) -> None:
    rows = wrap(text, row_cells)
    assert "".join(rows) == text
    assert all(sum(1 if c.isascii() else 2 for c in row) <= row_cells for row in rows)


def test_control_characters_in_a_name_do_nothing(rig: Rig) -> None:
    rig.open().print_slip(Slip(parts=(SlipText(text="张\x1b@测\x1dV\x00试\x10\x05\x02\x9b\n\u2028A037"),)))
    assert lines_of(rig) == [["张@测V试A037"]]


def test_without_any_font_a_rare_character_becomes_a_mark_and_the_number_stays() -> None:
    with a_printer(font="/nowhere/font.ttc") as rig:
        rig.open().print_slip(Slip(parts=(SlipText(text="A037 𠮷䶮先生"),)))
        assert lines_of(rig) == [["A037 〓〓先生"]]


def test_a_character_that_no_font_has_becomes_a_mark(rig: Rig) -> None:
    rig.open().print_slip(Slip(parts=(SlipText(text="A037 \ue000先生"),)))
    assert lines_of(rig) == [["A037 〓先生"]]
    assert not rig.twin.printed[0].rasters


def test_only_the_row_that_needs_it_is_sent_as_raster(rig: Rig) -> None:
    rig.open().print_slip(
        Slip(parts=(SlipText(text="A037", scale=3), SlipText(text="𠮷先生"), SlipText(text="请稍候")))
    )
    assert lines_of(rig) == [["A037", "请稍候"]]
    assert len(rig.twin.printed[0].rasters) == 1


def test_a_picture_holds_no_real_time_command() -> None:
    assert without_commands(b"\x10\x04\x01\x10\x05\x02\x10\x14\x10\x10\x04") == (
        b"\x18\x04\x01\x18\x05\x02\x18\x14\x10\x18\x04"
    )
    twin = TWIN("PRN-01", {})
    dots = without_commands(b"\x10\x04\x01\x00" * 24)
    twin.receive(b"\x1b@\x1dv0\x00\x04\x00\x18\x00" + dots + b"\x1dVB\x00")
    assert twin.printed[0].rasters[0].data == dots


@pytest.mark.parametrize(
    ("part", "says"),
    [
        (SlipQr(data="号码"), "ASCII"),
        (SlipQr(data=""), "not empty"),
        (SlipQr(data="A\x1b"), "ASCII"),
        (SlipQr(data="A", module_dots=17), "1 to 16"),
        (SlipQr(data="A" * 70, module_dots=16), "592 dots wide"),
        (SlipQr(data="A" * 500), "at most 412"),
        (SlipText(text="A", scale=9), "1 to 8"),
        (SlipText(text="A", scale=0), "1 to 8"),
        (SlipFeed(mm=-1), "0 to 500"),
    ],
)
def test_what_cannot_be_printed_is_said_before_anything_is_sent(rig: Rig, part: Any, says: str) -> None:
    driver = rig.open()
    with pytest.raises(ValueError, match=says):
        driver.print_slip(Slip(parts=(part,)))
    assert rig.twin.received == 0


@pytest.mark.parametrize(
    ("key", "value", "legal"),
    [("baud", 1200, "9600"), ("columns", 40, "32, 42, 48"), ("charset", "big5", "gbk"), ("confirm", "asb", "esc_v")],
)
def test_an_illegal_option_names_its_key_and_the_legal_values(key: str, value: object, legal: str) -> None:
    with pytest.raises(ValueError, match=f"{key} = .*{legal}"):
        EscposOptions(**{key: value})  # type: ignore[arg-type] - wrong on purpose


def test_sizes_bold_alignment_rule_feed_and_code_stand_on_paper(rig: Rig) -> None:
    rig.open().print_slip(
        Slip(
            parts=(
                SlipText(text="A037", scale=8, bold=True, align=Align.CENTRE),
                SlipText(text="企业设立登记", scale=2, align=Align.RIGHT),
                SlipRule(),
                SlipFeed(mm=100),
                SlipQr(data="https://hall.example/q/3fK9xPq2", module_dots=4),
            )
        )
    )
    [slip] = rig.twin.printed
    assert [(x.text, x.size, x.bold, x.align) for x in slip.text_lines] == [
        ("A037", (8, 8), True, 1),
        ("企业设立登记", (2, 2), False, 2),
        ("-" * 48, (1, 1), False, 0),
    ]
    assert slip.qr == ["https://hall.example/q/3fK9xPq2"]
    assert slip.dots == 120 + 8 * 24 + 2 * 24 + 30 + 800 + (4 + 29 + 4) * 4


# --- faults


@pytest.mark.parametrize("state", [s for s in STATES if any(c.blocks for c in s[3])], ids=lambda s: s[0])
def test_nothing_is_sent_to_a_printer_that_cannot_print(rig: Rig, state: tuple[str, str, str, set[Condition]]) -> None:
    driver = rig.open()
    getattr(rig.twin, state[0])()
    with pytest.raises(Refused, match=r"PRN-01: .*nothing was sent") as refused:
        driver.print_slip(TICKET)
    assert {refused.value.condition} == state[3]
    rig.twin.recover()
    assert lines_of(rig) == []
    driver.print_slip(TICKET)
    assert lines_of(rig) == [LINES]


def test_low_paper_still_prints(rig: Rig) -> None:
    rig.twin.run_low()
    rig.open().print_slip(TICKET)
    assert lines_of(rig) == [LINES]


def test_paper_end_in_the_middle_gives_exactly_one_whole_reprint_and_no_ghost(rig: Rig) -> None:
    driver = rig.open()
    rig.twin.paper_out_after(lines=2)
    with pytest.raises(Refused) as refused:
        driver.print_slip(TICKET)
    assert refused.value.condition is Condition.PAPER_OUT

    rig.twin.refill()
    assert lines_of(rig) == [LINES[:2]]
    driver.print_slip(TICKET)

    assert lines_of(rig) == [LINES[:2], LINES]
    assert rig.twin.whole_slips == rig.twin.printed[1:]
    assert rig.twin.printed[0].cut is Cut.TORN


def test_paper_end_by_length_leaves_what_moved_on_paper(rig: Rig) -> None:
    driver = rig.open()
    rig.twin.paper_out_after(mm=7)
    with pytest.raises(Refused):
        driver.print_slip(TICKET)
    rig.twin.refill()
    assert lines_of(rig) == [LINES[:1]]


def test_ghost_of_a_printer_that_ignores_the_clearing_does_not_confirm_the_reprint(rig: Rig) -> None:
    driver = rig.open()
    rig.twin.clears_on_command = False
    rig.twin.paper_out_after(lines=1)
    with pytest.raises(Refused):
        driver.print_slip(TICKET)
    rig.twin.refill()
    until(lambda: len(rig.twin.printed) == 2)
    assert [s.partial for s in rig.twin.printed] == [True, True]

    driver.print_slip(TICKET)
    assert [s.lines for s in rig.twin.whole_slips] == [LINES]


def test_an_answer_to_an_earlier_fence_is_not_taken_for_this_one() -> None:
    # Status, fence of the settling (silent), the slip, then one late answer: it may be anybody's.
    link = ScriptedStream([HEALTHY, b"", b"\x00", *[HEALTHY] * 50])
    with pytest.raises(Unconfirmed, match="fence not answered"):
        DRIVER("PRN-01", link, EscposOptions()).print_slip(TICKET)


def test_cover_opened_in_the_middle_and_closed_again_completes_the_slip(rig: Rig) -> None:
    driver = rig.open()
    rig.twin.after_lines(1, rig.twin.open_cover)

    def close() -> None:
        until(lambda: rig.twin.cover_is_open)
        rig.twin.close_cover()

    helper = in_the_background(close)
    driver.print_slip(TICKET)
    helper.join()
    assert lines_of(rig) == [LINES]


def test_hot_head_is_waited_for(rig: Rig) -> None:
    driver = rig.open()
    rig.twin.after_lines(1, rig.twin.overheat)

    def cool() -> None:
        until(lambda: rig.twin.head_is_hot)
        rig.twin.cool_down()

    helper = in_the_background(cool)
    driver.print_slip(TICKET)
    helper.join()
    assert lines_of(rig) == [LINES]


def test_stuck_cutter_voids_the_slip_and_the_next_one_is_cut_apart_from_it(rig: Rig) -> None:
    driver = rig.open()
    rig.twin.jam_cutter_when_cutting()
    with pytest.raises(Refused, match="the cutter is stuck") as refused:
        driver.print_slip(TICKET)
    assert refused.value.condition is Condition.CUTTER_ERROR

    rig.twin.recover()
    driver.print_slip(TICKET)
    assert lines_of(rig) == [LINES, LINES]
    assert [s.partial for s in rig.twin.printed] == [True, False]


def test_mute_before_means_nothing_was_sent(rig: Rig) -> None:
    driver = rig.open()
    rig.twin.go_mute()
    with pytest.raises(NoReply, match="PRN-01: asked for status, 0 of 4 answers within 1 s"):
        driver.print_slip(TICKET)
    assert rig.twin.received == 12
    assert rig.twin.paper.blank


def test_mute_in_the_middle_is_unconfirmed_and_the_next_slip_is_whole(rig: Rig) -> None:
    driver = rig.open()
    driver.hello()
    rig.twin.go_mute_after(bytes_received=40)
    with pytest.raises(Unconfirmed, match="PRN-01: a slip of"):
        driver.print_slip(TICKET)
    assert lines_of(rig) == [LINES]

    rig.twin.recover()
    driver.print_slip(TICKET)
    assert lines_of(rig) == [LINES, LINES]


def test_power_lost_in_the_middle_is_unconfirmed_and_the_half_slip_is_cut_off(rig: Rig) -> None:
    driver = rig.open()
    driver.hello()
    rig.twin.lose_power_after(bytes_received=40)
    with pytest.raises(Unconfirmed):
        driver.print_slip(TICKET)
    assert lines_of(rig) == []

    rig.twin.power_on()
    driver.print_slip(TICKET)
    assert [s.lines for s in rig.twin.whole_slips] == [LINES]
    assert [s.lines for s in rig.twin.printed if s.partial] == [LINES[:2]]


def test_line_pulled_after_the_first_byte_is_unconfirmed(rig: Rig) -> None:
    driver = rig.open()
    driver.hello()
    received = rig.twin.received
    rig.twin.stall()

    def pull() -> None:
        until(lambda: rig.twin.received > received + len(GOLDEN_TICKET))
        rig.line.unplug()

    helper = in_the_background(pull)
    with pytest.raises(Unconfirmed, match="was being printed, then: socket://"):
        driver.print_slip(TICKET)
    helper.join()


def test_line_gone_before_is_a_link_error(rig: Rig) -> None:
    driver = rig.open()
    driver.hello()
    rig.line.unplug()
    with pytest.raises(LinkError):
        driver.print_slip(TICKET)


def test_stalled_printer_is_unconfirmed_and_prints_later_what_it_has(rig: Rig) -> None:
    driver = rig.open()
    driver.hello()
    rig.twin.stall()
    with pytest.raises(Unconfirmed, match="no fault shows, fence not answered within 3"):
        driver.print_slip(TICKET)
    assert lines_of(rig) == []
    rig.twin.go_on()
    driver.print_slip(Slip(parts=(SlipText(text="A002"),)))
    assert lines_of(rig) == [LINES, ["A002"]]


def test_status_later_than_a_second_is_no_reply(rig: Rig) -> None:
    driver = rig.open()
    rig.twin.answer_late(0.4)  # each of the four
    with pytest.raises(NoReply, match="of 4 answers"):
        driver.print_slip(TICKET)
    rig.twin.recover()
    until(lambda: _answers(driver))
    driver.print_slip(TICKET)
    assert lines_of(rig) == [LINES]


def _answers(driver: Any) -> bool:
    try:
        driver.conditions()
    except DeviceError:
        return False
    return True


def test_a_device_that_dribbles_for_ever_does_not_hold_the_job(rig: Rig) -> None:
    driver = rig.open()
    driver.hello()
    rig.twin.go_mute_after(bytes_received=40)
    over = threading.Event()

    def dribble() -> None:
        while not over.wait(0.4):
            rig.line.noise(b"\x10")

    helper = in_the_background(dribble)
    began = time.monotonic()
    with pytest.raises(Unconfirmed):
        driver.print_slip(TICKET)
    with pytest.raises(NoReply):
        driver.conditions()
    over.set()
    helper.join()
    assert time.monotonic() - began < driver.job_limit_s


def test_wrong_constant_bits_are_a_bad_reply_with_the_bytes(rig: Rig) -> None:
    driver = rig.open()
    rig.line.mangle = lambda data: bytes(b | 0x81 for b in data)
    with pytest.raises(BadReply, match=r"PRN-01: asked for status, 0 of 4 answers .* noise: 93 93 93 93"):
        driver.print_slip(TICKET)
    assert rig.twin.received == 12


def test_automatic_status_and_flow_control_between_answers_change_nothing(rig: Rig) -> None:
    driver = rig.open()
    rig.line.mangle = lambda data: b"\x10\x00\x03\x0f\x13" + data + b"\x11\x18\x00\x0f\x0f"
    assert driver.hello().vendor == "ACME"
    driver.print_slip(TICKET)
    assert driver.conditions() == frozenset()


def test_automatic_status_switched_on_by_somebody_else_is_skipped(rig: Rig) -> None:
    driver = rig.open()
    driver.link.write(b"\x1da\xff")
    rig.twin.paper_out_after(lines=1)
    with pytest.raises(Refused):
        driver.print_slip(TICKET)
    rig.twin.refill()
    rig.twin.open_cover()
    assert driver.conditions() == {Condition.COVER_OPEN}
    rig.twin.recover()
    driver.print_slip(TICKET)
    assert [s.lines for s in rig.twin.whole_slips] == [LINES]


# --- profiles


def test_hello_takes_the_names_a_printer_gives(rig: Rig) -> None:
    assert rig.open().hello() == Identity(vendor="ACME", model="TP-80", firmware="1.00", serial="990000001")


def test_hello_is_content_with_a_printer_that_gives_no_names(rig: Rig) -> None:
    rig.twin.answers_names = False
    assert rig.open().hello() == Identity()


def test_printer_with_the_older_fence_is_confirmed() -> None:
    with a_printer(confirm="esc_v") as rig:
        rig.open().print_slip(TICKET)
        assert lines_of(rig) == [LINES]


def test_printer_without_a_fence_is_never_said_to_have_printed() -> None:
    with a_printer(confirm="status") as rig:
        driver = rig.open()
        driver.hello()
        with pytest.raises(Unconfirmed, match="no fault shows, this printer has no fence"):
            driver.print_slip(TICKET)
        rig.twin.paper_out_after(lines=1)
        with pytest.raises(Refused):
            driver.print_slip(TICKET)
        assert [s.lines for s in rig.twin.whole_slips] == [LINES]


def test_one_way_printer_is_never_asked_and_never_confirmed() -> None:
    with a_printer(confirm="none") as rig:
        driver = rig.open()
        assert driver.hello() == Identity()
        assert driver.conditions() == frozenset()
        assert rig.twin.received == 0
        with pytest.raises(Unconfirmed, match="this printer cannot answer"):
            driver.print_slip(TICKET)
        until(lambda: lines_of(rig) == [LINES])


def test_printer_without_cutter_moves_the_slip_past_the_bar() -> None:
    with a_printer(columns=32, cutter=False) as rig:
        driver = rig.open()
        driver.print_slip(TICKET)
        driver.print_slip(TICKET)
        assert lines_of(rig) == [LINES, LINES]
        assert rig.twin.printed[0].cut is Cut.TORN
        assert b"\x1dV" not in rig.line.sent_to_twins()


def test_long_slip_goes_out_in_pieces_and_comes_out_whole() -> None:
    texts = [f"第{n}行：法定代表人身份证　原件" for n in range(150)]
    with a_printer() as rig:
        rig.open().print_slip(Slip(parts=tuple(SlipText(text=t) for t in texts)))
        assert lines_of(rig) == [texts]


# --- the twin itself, against the notes


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


def test_twin_forgets_its_buffer_on_command_and_forgets_nothing_on_recover_and_resume() -> None:
    for last, lines in ((b"\x01", ["A001"]), (b"\x02", [])):
        twin, _ = twin_on_a_line()
        twin.open_cover()
        twin.receive(b"A001\n\x10\x05" + last)
        twin.close_cover()
        assert twin.paper.lines == lines


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
        "1B7441", "1B520F", "1B420341", "1B70003232", "1D6840", "1D7703", "1D6B49067B4241303031", "1D6B0441303000",
        "1C530303", "1B0741", "1C32FEA1" + "41" * 72, "1D284C0E0030703001013110000200FFFFFFFF", "1D284C0200 3032",
        "1B2A210200414141414141", "1B44084100", "1C5008014541", "1DE2", "1D384C0200000041 41",
    )
]  # fmt: skip


def test_twin_consumes_commands_it_does_not_know_by_their_length() -> None:
    twin, said = twin_on_a_line()
    for byte in b"".join(NOT_ACTED_ON) + b"A037\n":
        twin.receive(bytes([byte]))
    assert twin.paper.lines == ["A037"]
    assert twin.interpreter.ignored == NOT_ACTED_ON
    assert said == []


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
