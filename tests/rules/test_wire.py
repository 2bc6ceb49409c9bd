"""The live trace: bounded, joined for people, explained where possible, personal bytes told by their number only."""

from __future__ import annotations

import pytest

from drivers.transport import Traffic
from hall_daemon import wire
from hall_daemon.devices import Passed
from hall_daemon.wire import Tail, byte_explainer, explainer, meaning, words


def passed(at_s: float, direction: str, data: bytes, personal: int = 0) -> Passed:
    return Passed(at_s=at_s, traffic=Traffic(direction=direction, data=data, personal=personal))  # type: ignore[arg-type]


async def test_whoever_is_too_slow_loses_the_oldest_and_is_told_how_many() -> None:
    tail = Tail(most=3)
    for n in range(5):
        tail.put(passed(float(n), ">", bytes([n])))
    assert tail.lost == 2
    first = await tail.take(1.0)
    assert first is not None
    assert first.traffic.data == b"\x02"


async def test_pieces_of_one_frame_are_joined_and_an_answer_is_not() -> None:
    tail = Tail()
    for piece in (b"ab", b"cd"):
        tail.put(passed(0.0, ">", piece))
    tail.put(passed(0.01, "<", b"OK"))
    first = await tail.take(1.0)
    assert first is not None
    assert (await wire._joined(tail, first)).traffic.data == b"abcd"
    answer = await tail.take(1.0)
    assert answer is not None
    assert answer.traffic.data == b"OK"


async def test_silence_is_none() -> None:
    assert await Tail().take(0.01) is None


def test_personal_bytes_are_a_number() -> None:
    told = meaning(Traffic(direction="<", data=b"", personal=11), lambda *_: "never asked")
    assert "11" in told.zh
    assert "never asked" not in told.en


@pytest.mark.parametrize("error", [ValueError, IndexError, KeyError, ZeroDivisionError])
def test_an_explanation_that_breaks_leaves_the_bytes_to_speak(error: type[Exception]) -> None:
    def broken(_direction: str, _data: bytes) -> str:
        raise error("bad frame")

    assert meaning(Traffic(direction="<", data=b"READY\x00"), broken).zh == "READY."


def test_drivers_are_asked_for_their_words_and_need_not_have_any() -> None:
    assert explainer("display_onbon") is not None
    assert explainer("base") is None
    assert meaning(Traffic(direction=">", data=b"\x01\x02"), None).zh == ""


def test_bytes_have_words_of_their_own_or_none_at_all() -> None:
    answer = Traffic(direction="<", data=b"\x1a\x32\x12\x7e")
    told = words(answer, byte_explainer("printer_escpos"))
    assert [text.zh for text in told][1::2] == ["2 停机原因：缺纸停机", "4 纸：近端纸少、末端无纸"]
    assert byte_explainer("keypad_serial") is None
    assert words(answer, None) == ()
    assert words(answer, lambda _direction, _data: ("one | for four bytes",)) == ()

    def breaks(_direction: str, _data: bytes) -> tuple[str, ...]:
        raise ValueError

    assert words(answer, breaks) == ()
