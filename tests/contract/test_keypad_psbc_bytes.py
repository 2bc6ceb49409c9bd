"""Postal-bank pad on bytes alone: golden frames of protocols/keypads.md §1.2, options, and whatever else may come."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import DeviceError, Grade, Key
from drivers.keypad_psbc import (
    DRIVER,
    PsbcOptions,
    encode_input,
    grade_table,
    key_table,
    serial_text,
    split_reply,
)
from sim.keypad_psbc import PsbcTwin
from tests.contract.contract import ScriptedStream


class Ear:
    """A line that keeps what a twin says."""

    def __init__(self) -> None:
        self.said = b""

    def send(self, data: bytes) -> None:
        self.said += data

    def heard(self) -> bytes:
        said, self.said = self.said, b""
        return said


@pytest.fixture
def twin() -> Any:
    twin: Any = PsbcTwin("TST-01", {})
    twin.line = Ear()
    return twin


def test_golden_bytes_of_the_document_reach_and_leave_the_twin(twin: Any) -> None:
    for frame, said in (("1B 59", []), ("1B 47 53 00", ["please rate our service"]), ("1B 47 53 01", ["beep"])):
        for rating, answer in (("satisfied", "01"), ("neutral", "02"), ("dissatisfied", "03"), ("none", "00")):
            twin.said.clear()
            twin.receive(bytes.fromhex(frame))
            assert (twin.doing, twin.said) == ("evaluation", said)
            twin.rate(rating)
            assert twin.line.heard() == bytes.fromhex(answer)
            twin.rate(rating)
            assert twin.line.heard() == b""
    twin.receive(bytes.fromhex("1B 57"))
    assert twin.line.heard() == b"PSBC-00990001"
    twin.receive(bytes.fromhex("1B 4E 31 32"))
    assert (twin.pin_length, twin.line.heard()) == (0x12, b"\xaa")
    twin.receive(bytes.fromhex("1B 73 72"))
    assert twin.line.heard() == b"00000000", "the application id, which no driver asks for"
    twin.receive(bytes.fromhex("1B 73 77 1B 64 1B 6B 1B 68"))
    assert twin.unknown == [b"\x1bsw", b"\x1bd", b"\x1bk", b"\x1bh"], "nothing here writes into a pad"
    assert twin.line.heard() == b""


def test_keys_come_one_by_one_or_packed(twin: Any) -> None:
    twin.receive(bytes.fromhex("1B 47 49 00 00"))
    assert twin.said == ["please enter"]
    for key in ("1", "backspace", "enter", "cancel"):
        twin.press(key)
    assert twin.line.heard() == b"1\x08\x0d\x1b"
    twin.receive(bytes.fromhex("1B 47 49 01 01"))
    for key in ("1", "2", "backspace", "3"):
        twin.press(key)
    assert twin.line.heard() == b""
    twin.press("enter")
    assert twin.line.heard() == b"13\r"
    twin.press("1")
    assert twin.line.heard() == b""
    twin.receive(bytes.fromhex("1B 47 49 01 00 83"))
    twin.press("1")
    assert twin.line.heard() == b""
    assert twin.said == ["please enter"]


def test_confirmation_and_commands_that_are_none(twin: Any) -> None:
    for key, answer in (("enter", b"\x00"), ("cancel", b"\x01")):
        twin.receive(bytes.fromhex("1B 47 43 00"))
        twin.press(key)
        assert twin.line.heard() == answer
    twin.receive(bytes.fromhex("1B 47 43 01"))
    assert twin.doing == "welcome"
    twin.receive(bytes.fromhex("10 1B 64"))
    assert twin.unknown == [b"\x10", b"\x1bd"]


def test_driver_writes_the_golden_bytes() -> None:
    assert encode_input(voice=False) == bytes.fromhex("1B 47 49 01 00")
    assert encode_input(voice=True) == bytes.fromhex("1B 47 49 00 00")
    assert encode_input(voice=False, packed=True) == bytes.fromhex("1B 47 49 01 01")


def test_a_serial_number_is_text_or_hex() -> None:
    assert serial_text(b"SN0042\r\n") == "SN0042"
    assert serial_text(b"\x00\x9f\x42") == "00 9f 42"


def test_usual_tables() -> None:
    assert set(key_table({}).values()) == set(Key) - {Key.HELP}
    assert grade_table({}) == {1: Grade.SATISFIED, 2: Grade.NEUTRAL, 3: Grade.DISSATISFIED}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"keys": {"01": "1"}}, 'keys: "01" is no key byte, legal: "00" to "ff" in two hex digits, but not 00, 01, 02'),
        ({"keys": {"2e": "star"}}, "keys: \"2e\" = 'star' is no key, legal: 0, 1"),
        ({"grades": {"1": 2}}, 'grades: "1" is no answer byte, legal: "00" to "ff" in two hex digits'),
        ({"grades": {"04": 2}}, 'grades: "04" is no answer of this pad, legal: "01", "02", "03"'),
        ({"grades": {"01": 6}}, 'grades: "01" = 6 is no grade, legal: 1 非常满意'),
        ({"answer_limit_s": 3.0}, "answer_limit_s = 3.0, legal: 0.05 to 1.0 seconds"),
        ({"silence_s": 0.0}, "silence_s = 0.0, legal: 0.02 to 0.5 seconds"),
        ({"probe_every_s": 61}, "probe_every_s = 61, legal: 0 to 60 seconds"),
    ],
)
def test_option_errors_name_the_key_and_what_is_legal(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        PsbcOptions(**options)


@given(st.binary(max_size=40), st.binary(min_size=1, max_size=12), st.binary(max_size=20))
def test_what_surrounds_a_serial_number_is_kept(before: bytes, serial: bytes, after: bytes) -> None:
    parts = split_reply(before + serial + after, serial)
    assert parts is not None
    assert parts[0] + serial + parts[1] == before + serial + after
    assert split_reply(before, b"") is None


@given(st.lists(st.one_of(st.binary(max_size=40), st.just(b"PSBC-00990001")), max_size=16))
def test_whatever_comes_is_a_device_error_or_nothing(replies: list[bytes]) -> None:
    driver = DRIVER("TST-01", ScriptedStream(replies), PsbcOptions(probe_every_s=0))
    for deed in (driver.hello, driver.conditions, driver.ask_grade, driver.stop_asking, driver.conditions):
        try:
            deed()
        except DeviceError as exc:
            assert str(exc)
        driver.poll_key(0.0)
        driver.poll_grade(0.0)


@given(st.binary(max_size=60), st.lists(st.integers(1, 5), max_size=30))
def test_any_bytes_in_any_pieces_leave_the_twin_in_order(data: bytes, cuts: list[int]) -> None:
    whole, pieces = PsbcTwin("TST-01", {}), PsbcTwin("TST-01", {})
    for one in (whole, pieces):
        one.line = Ear()  # type: ignore[assignment]
    whole.receive(data)
    at = 0
    for size in [*cuts, len(data)]:
        pieces.receive(data[at : at + size])
        at += size
    assert (whole.doing, whole.unknown, whole.said) == (pieces.doing, pieces.unknown, pieces.said)
