"""Onbon window display: its frames and texts as bytes, in both directions, without a line."""

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import BadReply, CallText
from drivers.display_onbon import (
    PING,
    STATUS,
    OnbonOptions,
    crc16_arc,
    decode_frame,
    decode_reply,
    decode_status,
    encode_brightness,
    encode_clock,
    encode_frame,
    encode_text,
    split_frames,
)
from drivers.display_text import glyphs, wrap
from sim import display_onbon as sim
from sim.carriers import ByteLine, Passed
from sim.display_onbon import OnbonTwin
from tests.contract.onbon_goldens import (
    ACK_1,
    ACK_ANY,
    GOLDEN,
    NACK_CHECKSUM,
    SAMPLE,
    SCREEN,
    STATUS_ONE_AREA,
    data_of,
    encode_reply,
    frame,
)

# Golden frames, driver


@pytest.mark.parametrize(
    ("name", "address", "data"),
    [
        ("ping 1", 1, PING),
        ("ping 00A5", 0xA5, PING),
        ("ping 005A", 0x5A, PING),
        ("status", 1, STATUS),
        ("sample text", 1, encode_text(CallText(text=SAMPLE), OnbonOptions(**SCREEN))),
        ("brightness 15", 1, encode_brightness(15)),
        ("clock", 1, encode_clock(datetime(2013, 1, 25, 11, 17, 26))),
        *((name, 1, data_of(GOLDEN[name])) for name in ("clear 1", "off", "on")),
        ("welcome", 0xFFFE, data_of(GOLDEN["welcome"])),
    ],
)
def test_driver_encodes_the_worked_frames(name: str, address: int, data: bytes) -> None:
    assert encode_frame(address, data).hex(" ") == frame(GOLDEN[name]).hex(" ")


@pytest.mark.parametrize(
    ("hex_bytes", "source", "kind", "error"),
    [(ACK_1, 1, (0xA0, 0), 0), (ACK_ANY, 0xFFFE, (0xA0, 0), 0), (NACK_CHECKSUM, 0xFFFE, (0xA0, 1), 5)],
)
@pytest.mark.parametrize("run", [1, 8, 9])
def test_driver_decodes_the_worked_answers(
    hex_bytes: str, source: int, kind: tuple[int, int], error: int, run: int
) -> None:
    (content,), rest = split_frames(frame(hex_bytes, run))
    assert rest == b""
    got = decode_frame(content)
    assert (got.source, got.destination, got.device_type) == (source, 0x8000, 0xFE)
    reply = decode_reply(got.data)
    assert (reply.kind, reply.error, reply.data) == (kind, error, b"")


def test_crc_vectors() -> None:
    assert crc16_arc(b"123456789") == 0xBB3D
    assert crc16_arc(b"") == 0
    assert sim.checksum(b"123456789") == b"\x3d\xbb"


# Golden frames, twin


class Ear(ByteLine):
    """A line in memory that keeps what the twins say."""

    port = "ear"

    def __init__(self, *twins: OnbonTwin) -> None:
        super().__init__()
        self.said = b""
        for twin in twins:
            self.attach(twin)

    def hear(self, data: bytes, *, at: float) -> bytes:
        """What comes back for these bytes."""
        self.said = b""
        self.transcript.append(Passed(at=at, direction=">", data=data))
        for twin in self.twins:
            twin.receive(data)
        return self.said

    def _write(self, data: bytes) -> None:
        self.said += data
        self.transcript[-1] = Passed(at=self.transcript[-2].at, direction="<", data=data)

    def start(self) -> None:
        """Nothing to plug in."""

    stop = start


def test_twin_obeys_the_worked_frames() -> None:
    twin = OnbonTwin("TST-01", SCREEN)
    ear = Ear(twin)
    ack, at = frame(ACK_1), 0.0

    def ask(name: str) -> bytes:
        nonlocal at
        at += 1.0
        return ear.hear(frame(GOLDEN[name]), at=at)

    assert ask("ping 1") == ack
    assert ask("sample text") == ack
    assert twin.text == SAMPLE
    assert ask("clear 1") == ack
    assert twin.text == ""
    assert ask("welcome") == frame(ACK_ANY)
    welcome = twin.shown[-1]
    assert (welcome.text, welcome.w, welcome.h, welcome.area, welcome.fits) == ("欢迎光临", 128, 32, 0, True)
    assert ask("off") == ack
    assert (twin.on, twin.text) == (False, "")
    assert ask("on") == ack
    assert twin.text == "欢迎光临"
    twin.brightness = 3
    assert ask("brightness 15") == ack
    assert twin.brightness == 15
    assert ask("clock") == ack
    assert twin.clock == bytes.fromhex("13 20 01 25 11 17 26 05")
    assert decode_status(decode_reply(decode_frame(split_frames(ask("status"))[0][0]).data).data).areas == (0,)
    assert ask("ping 00A5") == ask("ping 005A") == b""
    assert (twin.collisions, twin.complaints) == ([], [])


@pytest.mark.parametrize(("name", "address"), [("ping 00A5", 0xA5), ("ping 005A", 0x5A)])
def test_twin_with_a_number_that_is_escaped_answers(name: str, address: int) -> None:
    twin = OnbonTwin("TST-01", {**SCREEN, "address": address})
    (content,), _ = split_frames(Ear(twin).hear(frame(GOLDEN[name]), at=1.0))
    assert decode_frame(content).source == address


def test_twin_declines_a_frame_with_a_wrong_check_as_the_worked_answer_says() -> None:
    twin = OnbonTwin("TST-01", SCREEN)
    damaged = frame(GOLDEN["welcome"].replace("3C 49 5A", "3C 48 5A"))
    assert Ear(twin).hear(damaged, at=1.0) == frame(NACK_CHECKSUM)
    assert twin.text == ""


def test_twin_acts_on_a_broadcast_without_a_word() -> None:
    twin = OnbonTwin("TST-01", SCREEN)
    assert Ear(twin).hear(encode_frame(0xFFFF, data_of(GOLDEN["sample text"])), at=1.0) == b""
    assert twin.text == SAMPLE


def test_twin_says_nothing_when_no_answer_is_wanted() -> None:
    twin = OnbonTwin("TST-01", SCREEN)
    data = bytearray(data_of(GOLDEN["sample text"]))
    data[2] = 2
    assert Ear(twin).hear(encode_frame(1, bytes(data)), at=1.0) == b""
    assert twin.text == SAMPLE


def test_twin_notes_a_collision_when_a_frame_follows_too_soon() -> None:
    one, two = OnbonTwin("DSP-01", SCREEN), OnbonTwin("DSP-02", {**SCREEN, "address": 2})
    ear = Ear(one, two)
    ear.hear(encode_frame(1, PING), at=1.0)
    ear.hear(encode_frame(2, PING), at=1.2)
    assert (one.collisions, two.collisions) == ([], [])
    ear.hear(encode_frame(1, PING), at=1.25)
    assert (one.collisions, two.collisions) == ([1.25], [1.25])


def test_twin_tells_a_text_that_scrolls() -> None:
    twin = OnbonTwin("TST-01", SCREEN)
    wide = encode_text(CallText(text=SAMPLE * 2), OnbonOptions(width_px=512, height_px=32))
    narrow = wide.replace(bytes.fromhex("00 82 20 00"), bytes.fromhex("80 80 20 00"))
    assert narrow != wide
    Ear(twin).hear(encode_frame(1, narrow), at=1.0)
    assert not twin.shown[-1].fits


@given(st.binary(max_size=80))
def test_twin_survives_any_request(data: bytes) -> None:
    twin = OnbonTwin("TST-01", SCREEN)
    Ear(twin).hear(encode_frame(1, data), at=1.0)
    Ear(twin).hear(data, at=2.0)


# Decoding anything


@given(st.integers(0, 0xFFFF), st.binary(max_size=300), st.lists(st.integers(1, 40), max_size=20))
def test_frames_come_out_as_they_went_in_whatever_the_pieces(address: int, data: bytes, cuts: list[int]) -> None:
    wire = encode_frame(address, data)
    assert wire[8:-1].count(b"\x5a") == wire[8:-1].count(b"\xa5") == 0
    received, contents, at = b"", [], 0
    for size in [*cuts, len(wire)]:
        more, received = split_frames(received + wire[at : at + size])
        contents += more
        at += size
    (content,) = contents
    got = decode_frame(content)
    assert (got.destination, got.source, got.data) == (address, 0x8000, data)


@given(st.binary(max_size=100))
def test_driver_and_twin_agree_on_escapes_and_checks(data: bytes) -> None:
    assert encode_reply(data)[8:-1] == sim.escape(sim.unescape(encode_reply(data)[8:-1]) or b"")
    assert crc16_arc(data).to_bytes(2, "little") == sim.checksum(data)


@given(st.lists(st.one_of(st.binary(max_size=40), st.just(frame(ACK_1)), st.just(b"\xa5\xa6\x02\x5b\x5a")), max_size=8))
def test_any_bytes_decode_or_raise_bad_reply(pieces: list[bytes]) -> None:
    contents, rest = split_frames(b"".join(pieces))
    assert b"\x5a" not in rest
    for content in contents:
        try:
            decode_reply(decode_frame(content).data)
        except BadReply as exc:
            assert content.hex(" ") in str(exc) or "reply of" in str(exc)


@given(st.binary(max_size=120))
def test_any_status_decodes_or_raises_bad_reply(data: bytes) -> None:
    try:
        status = decode_status(data)
    except BadReply:
        return
    assert len(status.areas) in (len(data) - 46, len(data) - 44)


@pytest.mark.parametrize("areas", [(), (0,), (0, 1), (0, 1, 2, 3, 4)])
@pytest.mark.parametrize("special", [b"", b"\x00\x00", b"\x01\x03"])
@pytest.mark.parametrize("switch", [1, 2])
def test_status_layouts(areas: tuple[int, ...], special: bytes, switch: int) -> None:
    head = bytes([switch]) + STATUS_ONE_AREA[1:15]
    status = decode_status(head + special + bytes([len(areas), *areas]) + b"B" * 16 + bytes(12))
    assert (status.switched_on, status.areas) == (switch == 1, areas)


# Text


@given(st.text(max_size=60))
def test_any_text_becomes_bytes_of_the_fonts(text: str) -> None:
    for glyph in glyphs(text):
        assert len(glyph) in (1, 2)
        char = glyph.decode("gb2312")
        assert char == "\\" or len(char) == 1
        assert glyph != b"\\"


@given(st.text(alphabet="请到号窗口A019 ", max_size=40), st.integers(2, 20))
def test_wrapping_keeps_every_character_and_every_row_fits(text: str, columns: int) -> None:
    rows = wrap(glyphs(text), columns)
    assert b"".join(rows) == b"".join(glyphs(text))
    assert all(len(row) <= columns for row in rows)


@given(
    st.text(alphabet="请到号窗口A019 \n龑", max_size=40),
    st.booleans(),
    st.sampled_from([16, 24, 32]),
    st.integers(32, 400),
    st.integers(32, 100),
    st.integers(1, 3),
)
def test_what_the_driver_accepts_fits_the_twin(
    text: str, attention: bool, font_px: int, width: int, height: int, colors: int
) -> None:
    options = OnbonOptions(width_px=width, height_px=height, font_px=font_px, colors=colors)
    try:
        data = encode_text(CallText(text=text, attention=attention), options)
    except ValueError:
        return
    twin = OnbonTwin("TST-01", {})
    Ear(twin).hear(encode_frame(1, data), at=1.0)
    shown = twin.shown[-1]
    assert shown.fits
    assert shown.text.replace("\n", "").strip() == text.replace("\n", "").replace("龑", "〓").strip()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"baud": 19200}, "baud = 19200, legal: 9600 or 57600"),
        ({"address": 0xFFFF}, "address = 65535, legal: 0 to 32767, or 0xFFFE"),
        ({"font_px": 20}, "font_px = 20, legal: 16, 24 or 32"),
        ({"width_px": 8}, "width_px = 8, legal: from font_px to 4096"),
        ({"height_px": 8}, "height_px = 8, legal: from font_px to 1024"),
        ({"colors": 0}, "colors = 0, legal: 1, 2 or 3"),
        ({"device_type": 0x10}, "device_type = 16, legal: 0x51, 0x58"),
        ({"reply_limit_s": 2.0}, "reply_limit_s = 2.0, legal: 0.1 to 1.5 seconds"),
        ({"brightness": 16}, "brightness = 16, legal: 0 to 15"),
        ({"gap_s": 1.0}, "gap_s = 1.0, legal: 0 to 0.5 seconds"),
    ],
)
def test_option_errors_name_the_key_and_what_is_legal(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        OnbonOptions(**{**SCREEN, **options})
