"""Barcode guns on a serial line: protocols/barcodes.md §3 and §5, and where codes end."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import BadReply, CodeRead
from drivers.code_messages import (
    MOST_BYTES,
    SAME_READING_S,
    UNFINISHED_S,
    CodeBuffer,
    CodeReadings,
    decode_text,
    split_symbology,
)
from drivers.codereader_serial import DRIVER, SerialGunOptions
from sim.codereader_serial import SerialGunTwin
from sim.stopwatch import Stopwatch
from tests.contract.contract import DriverContract, Rig, ScriptedStream
from tests.contract.gun_stories import OTHER, WAYBILL, GunStories, code_of, dropped, heard_nothing, text_of


def codes_in(buffer: CodeBuffer, now: float) -> list[tuple[bytes, bool]]:
    return [(cut.data, cut.whole) for cut in iter(lambda: buffer.take(now), None)]


class TestSerialGun(GunStories, DriverContract):
    driver_module = twin_module = "codereader_serial"

    def sample_replies(self) -> list[bytes]:
        return [
            b"EE123456785CN\r",
            b"]Q1https://hall.example/q/1\r\n",
            "]Q1受理".encode("gbk") + b"\r",
            b"\x02A017\x03",
        ]

    def test_leftovers_of_an_earlier_answer_are_ignored(self, rig: Rig) -> None:
        """A gun answers nothing: what is left over is a code without its end, dropped by silence."""
        driver = rig.open()
        driver.hello()
        rig.line.noise(b"\x00\xff\x55")
        assert "dropped a code of 3 bytes" in dropped(driver)
        self.job(driver, rig)

    def test_cr_and_crlf_are_the_same_end(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.end_with("crlf")
        rig.twin.scan_all(WAYBILL, OTHER)
        assert [text_of(driver), text_of(driver)] == [WAYBILL, OTHER]
        assert heard_nothing(driver, polls=3)

    def test_a_code_with_line_ends_inside_needs_a_gun_set_to_crlf(self, rig: Rig) -> None:
        rig.options = {"suffix": "crlf"}
        rig.twin.options = rig.options
        rig.twin.recover()
        driver = rig.open()
        driver.hello()
        rig.twin.scan("BEGIN:VCARD\nN:TEST\rEND:VCARD")
        assert text_of(driver) == "BEGIN:VCARD\nN:TEST\rEND:VCARD"

    @pytest.mark.parametrize("text", ["受理", "窗口", "请A001号到3号窗口", "联通", "鲁A12345", "取号单A001"])
    @pytest.mark.parametrize("gbk", [False, True])
    def test_chinese_arrives_from_utf8_and_from_gbk(self, rig: Rig, text: str, gbk: bool) -> None:
        driver = rig.open()
        driver.hello()
        if gbk:
            rig.twin.send_gbk()
        rig.twin.send_aim_prefix()
        rig.twin.scan(text, "Q1")
        assert code_of(driver) == CodeRead(text=text, symbology="Q1")

    def test_a_short_pause_inside_a_code_is_nothing(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.pause_inside(gap_s=0.05)
        with ThreadPoolExecutor(1) as finger:
            done = finger.submit(rig.twin.scan, WAYBILL)
            assert text_of(driver) == WAYBILL
            done.result()

    def test_a_code_that_lies_before_the_gun_all_the_time_is_one_reading(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        with ThreadPoolExecutor(1) as gun:
            done = gun.submit(rig.twin.hold_under, WAYBILL, for_s=SAME_READING_S + 0.5)
            assert text_of(driver) == WAYBILL
            while not done.done():
                assert driver.poll_code(0.2) is None
        assert heard_nothing(driver)

    def test_bytes_that_are_no_text_are_dropped_unseen(self, rig: Rig) -> None:
        rig.options = {"encoding": "utf-8"}
        driver = rig.open()
        driver.hello()
        rig.twin.send_gbk()
        rig.twin.scan("受理")
        assert dropped(driver).endswith("no text")
        rig.twin.scan("A017")
        assert text_of(driver) == "A017"

    def test_nothing_is_ever_written_to_a_gun(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        self.job(driver, rig)
        assert rig.twin.received == b""

    @pytest.mark.parametrize("pause_s", [0.4, 0.01])
    def test_a_line_that_dribbles_for_ever_ends_each_question_in_time(self, pause_s: float) -> None:
        class Dribble(ScriptedStream):
            def _read_some(self, most: int, limit_s: float) -> bytes:
                time.sleep(min(limit_s, pause_s))
                return b"3" if limit_s >= pause_s else b""

        driver = DRIVER("TST-01", Dribble([]), SerialGunOptions())
        watch = Stopwatch()
        driver.hello()
        driver.conditions()
        for _ in range(3):
            try:
                assert driver.poll_code(0.2) is None
            except BadReply:
                assert pause_s > UNFINISHED_S
        assert watch.s < 2.0


class Ear:
    """A line that keeps what a twin says."""

    def __init__(self) -> None:
        self.said = b""

    def send(self, data: bytes) -> None:
        self.said += data


def test_the_twin_sends_what_the_document_says() -> None:
    twin: Any = SerialGunTwin("TST-01", {})
    twin.line = Ear()
    twin.scan(WAYBILL)
    twin.send_aim_prefix()
    twin.end_with("crlf")
    twin.scan(WAYBILL)
    assert twin.line.said == b"EE123456785CN\r]C0EE123456785CN\r\n"


# --- Where codes end --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "stream", "codes"),
    [
        (b"\r", b"A\rB\r\nC\r\r\n\rD\r", [b"A", b"B", b"C", b"D"]),
        (b"\r\n", b"A\r\nB\rC\nD\r\n", [b"A", b"B\rC\nD"]),
        (b"\t", b"A\tB\t\t", [b"A", b"B"]),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 100])
def test_codes_end_at_their_suffix_wherever_reads_are_cut(
    suffix: bytes, stream: bytes, codes: list[bytes], size: int
) -> None:
    buffer, found = CodeBuffer(suffix, 0.1), []
    for at in range(0, len(stream), size):
        buffer.add(stream[at : at + size], 1.0)
        found += codes_in(buffer, 1.0)
    assert found == [(code, True) for code in codes]
    assert codes_in(buffer, 9.0) == []


def test_silence_ends_a_code_only_where_there_is_no_suffix() -> None:
    without, with_suffix = CodeBuffer(b"", 0.1), CodeBuffer(b"\r", 0.1)
    for buffer in (without, with_suffix):
        buffer.add(b"A0", 1.0)
        buffer.add(b"17", 1.05)
    assert codes_in(without, 1.149) == []
    assert without.due_in(1.149) == pytest.approx(0.001)
    assert codes_in(without, 1.151) == [(b"A017", True)]
    assert codes_in(with_suffix, 1.05 + UNFINISHED_S - 0.01) == []
    assert codes_in(with_suffix, 1.05 + UNFINISHED_S) == [(b"A017", False)]
    assert with_suffix.due_in(2.0) is None


def test_what_is_no_character_spoils_its_own_code_only() -> None:
    buffer = CodeBuffer(b"\r", 0.1)
    buffer.add(b"A\rB", 1.0)
    buffer.spoil(1.0)
    buffer.add(b"B\rC\r", 1.0)
    assert codes_in(buffer, 1.0) == [(b"A", True), (b"BB", False), (b"C", True)]


def test_a_gun_that_never_ends_keeps_no_memory() -> None:
    buffer = CodeBuffer(b"\r", 0.1)
    for _ in range(3 * MOST_BYTES // 100):
        buffer.add(b"3" * 100, 1.0)
    assert len(buffer._data) <= MOST_BYTES
    buffer.add(b"\rA\r", 1.0)
    assert [whole for _, whole in codes_in(buffer, 1.0)] == [False, True]


def test_the_largest_code_arrives_whole() -> None:
    driver = DRIVER("TST-01", ScriptedStream([]), SerialGunOptions())
    driver._buffer.add(b"7" * 7089 + b"\r", time.monotonic())
    code = driver.poll_code(0.0)
    assert code is not None
    assert len(code.text) == 7089


@given(st.binary(max_size=300), st.sampled_from([b"\r", b"\r\n", b"\t", b""]), st.integers(1, 40))
def test_any_bytes_are_cut_without_loss(data: bytes, suffix: bytes, size: int) -> None:
    buffer = CodeBuffer(suffix, 0.1)
    for at in range(0, len(data), size):
        buffer.add(data[at : at + size], 1.0)
    found = codes_in(buffer, 5.0)
    if suffix == b"\r":
        assert b"".join(d for d, _ in found).replace(b"\n", b"") == data.replace(b"\r", b"").replace(b"\n", b"")
    else:
        wanted = data.split(suffix) if suffix else [data]
        assert [d for d, _ in found] == [d for d in wanted if d]


# --- What they say ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "symbology", "rest"),
    [
        ("]C0EE123456785CN", "C0", "EE123456785CN"),
        ("]Q1https://hall.example", "Q1", "https://hall.example"),
        ("]E06901234567892", "E0", "6901234567892"),
        ("]C0a\nb", "C0", "a\nb"),
        ("A017]C0", "", "A017]C0"),
        ("]", "", "]"),
        ("]C", "", "]C"),
    ],
)
def test_symbology_prefix(text: str, symbology: str, rest: str) -> None:
    assert split_symbology(text) == (symbology, rest)


def test_a_chosen_encoding_is_obeyed() -> None:
    assert decode_text("鲁".encode("gbk"), "utf-8") == "³"
    assert decode_text("鲁".encode("gbk"), "auto") == "鲁"
    assert decode_text("买买提·测试".encode(), "auto") == "买买提·测试"
    assert decode_text("𠮷".encode("gb18030"), "gb18030") == "𠮷"
    assert decode_text("é".encode(), "auto") in ("é", "茅")
    with pytest.raises(ValueError, match="utf-8"):
        decode_text(b"\xff\xff", "utf-8")


@given(st.binary(max_size=100))
def test_any_bytes_are_text_or_a_value_error(data: bytes) -> None:
    try:
        assert isinstance(decode_text(data, "auto"), str)
    except ValueError:
        return


def test_the_same_code_goes_on_being_the_same_while_it_is_seen() -> None:
    readings, code = CodeReadings(), CodeRead(text="A017")
    seen = [readings.is_new(code, at) for at in (1.0, 2.5, 4.0, 5.5, 7.5)]
    assert seen == [True, False, False, False, True]
    assert readings.is_new(CodeRead(text="A017", symbology="C0"), 7.6)
    assert readings.is_new(code, 7.7)


@pytest.mark.parametrize("silence_s", [0.0, 1.5])
def test_option_errors_name_the_key_and_what_is_legal(silence_s: float) -> None:
    with pytest.raises(ValueError, match=rf"silence_s = {silence_s}, legal: 0\.02 to 1\.0 seconds"):
        SerialGunOptions(silence_s=silence_s)
