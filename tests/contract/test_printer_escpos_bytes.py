"""ESC/POS slip printer: what a slip is as bytes, and what the bytes that come back mean."""

from contextlib import suppress
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import (
    Align,
    BadReply,
    Condition,
    Slip,
    SlipFeed,
    SlipQr,
    SlipRule,
    SlipText,
)
from drivers.escpos_profiles import EscposOptions
from drivers.escpos_slip import encode_slip, without_commands
from drivers.escpos_status import ALL_BITS, Replies, decode_automatic, decode_full, decode_real_time, decode_status
from drivers.escpos_text import CHARSETS, encode_char, encode_text, printable, wrap
from sim.printer_escpos import TWIN
from sim.printer_paper import Cut
from tests.contract.contract import Rig
from tests.contract.printer_room import (
    GOLDEN_TICKET,
    HEALTHY,
    STATES,
    TICKET,
    a_printer,
    lines_of,
    rig,
)

__all__ = ["rig"]


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


def test_automatic_status_is_kept_whole_with_flow_control_and_urgent_answers_inside_it() -> None:
    replies = Replies()
    replies.feed(bytes.fromhex("38 13 00 12 11 00 0f 00"))
    assert replies.automatic == [bytes.fromhex("38 00 00 0f")]
    assert (bytes(replies.statuses), bytes(replies.queued)) == (b"\x12", b"\x00")


def test_blocks_are_told_apart_by_their_kind() -> None:
    replies = Replies()
    replies.feed(bytes.fromhex("37 22 30 30 33 37 00 37 25 00 12"))
    assert replies.blocks == [(0x22, "0037"), (0x25, "")]


def test_full_status_takes_any_six_bytes_that_begin_as_it_does() -> None:
    replies = Replies(full_status=True)
    replies.feed(bytes.fromhex("12 12 12 12 10 0f ff 12 10 93 00"))
    assert replies.full == [bytes.fromhex("10 0f ff 12 10 93")]
    assert (bytes(replies.statuses), bytes(replies.queued)) == (HEALTHY, b"\x00")


BITS = [
    (0, 0x04, 0, 0x04, "drawer_high"),
    (0, 0x08, 0, 0x08, "offline"),
    (0, 0x20, 1, 0x01, "waits_for_recovery"),
    (0, 0x40, 1, 0x02, "feed_button"),
    (1, 0x04, 0, 0x20, "cover_open"),
    (1, 0x08, 0, 0x40, "feeding"),
    (1, 0x20, None, 0, "stopped_by_paper_end"),
    (1, 0x40, None, 0, "error"),
    (2, 0x04, 1, 0x04, "mechanical"),
    (2, 0x08, 1, 0x08, "cutter"),
    (2, 0x20, 1, 0x20, "unrecoverable"),
    (2, 0x40, 1, 0x40, "recovers_by_itself"),
    (3, 0x0C, 2, 0x03, "near_end"),
    (3, 0x60, 2, 0x0C, "paper_end"),
]


@pytest.mark.parametrize("bit", BITS, ids=lambda bit: bit[4])
def test_every_bit_of_a_status_is_known_whichever_way_it_came(bit: tuple[int, int, int | None, int, str]) -> None:
    byte, mask, automatic_byte, automatic_mask, name = bit
    answers = bytearray(HEALTHY)
    answers[byte] |= mask
    assert {n for n, on in asdict(decode_real_time(bytes(answers))).items() if on} == {name}
    untrusted = bytearray(ALL_BITS)
    untrusted[byte] &= ~mask
    assert not any(asdict(decode_real_time(bytes(answers), bytes(untrusted))).values())
    if automatic_byte is None:
        return
    frame = bytearray.fromhex("10 00 00 0f")
    frame[automatic_byte] |= automatic_mask
    implied = {"error"} if name in ("mechanical", "cutter", "unrecoverable", "recovers_by_itself") else set()
    assert {n for n, on in asdict(decode_automatic(bytes(frame))).items() if on} == {name} | implied


@given(st.binary(max_size=8))
def test_every_decoder_gives_its_result_or_a_bad_reply(data: bytes) -> None:
    for decode in (decode_real_time, decode_automatic, decode_full):
        with suppress(BadReply):
            decode(data)


@pytest.mark.parametrize(
    ("answer", "conditions", "slip_in_mouth"),
    [
        ("10 0f 00 00 00 00", set(), False),
        ("10 0f 01 00 00 00", {Condition.PAPER_OUT}, False),
        ("10 0f 05 00 00 00", {Condition.PAPER_OUT}, False),
        ("10 0f 04 00 00 00", {Condition.PAPER_LOW}, False),
        ("10 0f 40 00 00 00", {Condition.PAPER_LOW}, False),
        ("10 0f 20 00 00 00", set(), True),
        ("10 0f 80 0c a2 00", set(), False),
        ("10 0f 00 01 00 00", {Condition.COVER_OPEN}, False),
        ("10 0f 00 02 00 00", {Condition.COVER_OPEN}, False),
        ("10 0f 00 00 00 02", {Condition.COVER_OPEN}, False),
        ("10 0f 00 20 00 00", {Condition.BUSY}, False),
        ("10 0f 00 40 00 00", {Condition.BUSY}, False),
        ("10 0f 00 00 01 00", {Condition.HEAD_HOT}, False),
        ("10 0f 00 00 40 00", {Condition.PAPER_JAM}, False),
        ("10 0f 00 00 08 00", {Condition.DEVICE_FAULT}, False),
        ("10 0f 00 00 00 01", {Condition.CUTTER_ERROR}, False),
        ("10 0f 00 00 00 04", {Condition.DEVICE_FAULT}, False),
        ("10 0f 00 00 00 08", {Condition.DEVICE_FAULT}, False),
    ],
)
def test_every_bit_of_a_full_status_means_what_the_notes_say(
    answer: str, conditions: set[Condition], slip_in_mouth: bool
) -> None:
    status = decode_full(bytes.fromhex(answer))
    assert (status.conditions, status.slip_in_mouth) == (conditions, slip_in_mouth)


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
