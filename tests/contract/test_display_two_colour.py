"""Two-colour strip: worked frames in both directions, and faults of the strip and its line."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import BadReply, CallText, Condition, NoReply, Refused
from drivers.display_text import glyphs
from drivers.display_two_colour import TwoColourDisplay, TwoColourOptions, encode_text, find_reply
from sim.display_two_colour import TwoColourTwin
from sim.stopwatch import Stopwatch
from tests.contract.contract import Rig, ScriptedStream
from tests.contract.display_contract import AnsweringDisplayContract, Ear

SAMPLE = "请A001号到3号窗口"
SCREEN: dict[str, Any] = {"address": 3, "columns": 20}
RED_GREEN = bytes.fromhex("A0 90 01 A5 00 05 C7 EB 00 38 01 B4")
ALL_RED = bytes.fromhex(
    "A0 90 03 A5 00 1C C7 EB 00 41 00 30 00 30 00 31 00 BA C5 00 B5 BD 00 33 00 BA C5 00 B4 B0 00 BF DA 00 BC"
)
SHOWN, FAILED = bytes.fromhex("A0 90 03 A5 AA"), bytes.fromhex("A0 90 03 A5 55")


class TestTwoColourDisplay(AnsweringDisplayContract):
    driver_module = twin_module = "display_two_colour"
    options = SCREEN
    causes = {Condition.DEVICE_FAULT: lambda twin: twin.fail()}  # noqa: RUF012 - read only

    jobs = 0

    def job(self, driver: Any, rig: Rig) -> None:
        self.jobs += 1
        text = f"请A{self.jobs:03}号到3号窗口"
        driver.show(CallText(text=text))
        assert rig.twin.text == text
        assert rig.twin.collisions == []
        assert rig.twin.complaints == []

    def job_blind(self, driver: Any) -> None:
        driver.show(CallText(text=SAMPLE))

    def sample_replies(self) -> list[bytes]:
        return [SHOWN, FAILED]

    def test_what_is_sent_and_heard_is_the_worked_frame(self, rig: Rig) -> None:
        rig.open().show(CallText(text=SAMPLE, attention=True))
        assert [data for direction, data in rig.traced if direction == ">"] == [ALL_RED]
        assert b"".join(data for direction, data in rig.traced if direction == "<") == SHOWN
        assert (rig.twin.text, rig.twin.shown[-1].attention) == (SAMPLE, True)

    def test_a_text_that_is_no_call_is_green(self, rig: Rig) -> None:
        rig.open().show(CallText(text="A001 办理中"))
        assert set(rig.twin.shown[-1].colors) == {"green"}

    @pytest.mark.parametrize(("text", "seen"), [("一\n二", "一 二"), ("", " "), ("𠮷龑é😀\u0e01\\", "〓〓é〓?＼")])
    def test_odd_texts_show_no_blank(self, rig: Rig, text: str, seen: str) -> None:
        rig.open().show(CallText(text=text))
        assert rig.twin.text == seen

    def test_text_that_does_not_fit_is_refused_and_the_old_one_stays(self, rig: Rig) -> None:
        driver = rig.open()
        driver.show(CallText(text=SAMPLE))
        with pytest.raises(Refused) as caught:
            driver.show(CallText(text="请A001号到103号窗口办理"))
        assert caught.value.condition is Condition.TEXT_UNSUITABLE
        assert str(caught.value) == "TST-01: a text does not fit: 23 columns, the display has 20"
        driver.conditions()
        assert rig.twin.text == SAMPLE

    # Faults

    def test_a_frame_that_failed_is_sent_once_more(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.fail(times=1)
        self.job(driver, rig)
        rig.twin.fail()
        with pytest.raises(Refused) as caught:
            driver.show(CallText(text=SAMPLE))
        assert caught.value.condition is Condition.DEVICE_FAULT
        assert str(caught.value) == "TST-01: sent a text twice, it answered that it failed (55)"

    def test_a_strip_that_lost_its_power_gets_its_text_back_with_the_next_question(self, rig: Rig) -> None:
        driver = rig.open()
        driver.show(CallText(text=SAMPLE))
        rig.twin.restart()
        assert rig.twin.text == ""
        assert driver.conditions() == frozenset()
        assert rig.twin.text == SAMPLE

    def test_a_strip_that_comes_back_shows_nothing_old(self, rig: Rig) -> None:
        driver = rig.open()
        driver.show(CallText(text=SAMPLE))
        driver.hello()
        assert rig.twin.text == " "

    def test_a_silent_strip_gives_no_reply_with_what_was_done(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.go_mute()
        watch = Stopwatch()
        with pytest.raises(NoReply) as caught:
            driver.show(CallText(text=SAMPLE))
        assert watch.s < driver.job_limit_s / 2
        assert str(caught.value) == (
            f"TST-01: sent a text twice, no answer from strip 3 within 0.5 s on {rig.line.port} (0 other bytes came)"
        )

    def test_a_damaged_answer_is_named(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.corrupt_replies()
        with pytest.raises(BadReply, match="TST-01: sent a text twice, answered 2a, aa or 55 expected on "):
            driver.show(CallText(text=SAMPLE))


# Worked frames


def test_driver_encodes_the_worked_frames() -> None:
    (first, second) = glyphs("请8")
    assert encode_text(1, [(first, 0), (second, 1)]).hex(" ") == RED_GREEN.hex(" ")
    assert encode_text(3, [(glyph, 0) for glyph in glyphs(SAMPLE)]).hex(" ") == ALL_RED.hex(" ")


def test_driver_decodes_the_answers() -> None:
    assert find_reply(b"\x00\xff" + SHOWN + b"\xa0", 3) == (0xAA, b"\xa0")
    assert find_reply(FAILED, 3) == (0x55, b"")
    assert find_reply(SHOWN, 4)[0] is None
    assert find_reply(ALL_RED + SHOWN, 3) == (0xAA, b"")
    with pytest.raises(BadReply, match="answered 2a, aa or 55 expected"):
        find_reply(bytes.fromhex("A0 90 03 A5 2A"), 3)


@pytest.mark.parametrize("cut", [0, 1, 3, 5, 8])
def test_twin_obeys_the_worked_frames_in_any_pieces(cut: int) -> None:
    one, three = TwoColourTwin("DSP-01", {"address": 1}), TwoColourTwin("DSP-03", SCREEN)
    ear = Ear(one, three)
    for frame, answer in ((RED_GREEN, "A0 90 01 A5 AA"), (ALL_RED, "A0 90 03 A5 AA")):
        if cut:
            assert ear.hear(frame[:cut]) == b""
        assert ear.hear(frame[cut:], after_s=0.01 if cut else 1.0) == bytes.fromhex(answer)
    assert (one.text, one.shown[-1].colors) == ("请8", ("red", "green"))
    assert (three.text, three.shown[-1].attention) == (SAMPLE, True)
    assert one.complaints == three.complaints == one.collisions == three.collisions == []


@pytest.mark.parametrize("damage", [("00 BC", "00 BD"), ("BF DA 00 BC", "BF DA 07 BB"), ("BF DA 00 BC", "41 30 BF CD")])
def test_twin_fails_a_damaged_frame(damage: tuple[str, str]) -> None:
    twin = TwoColourTwin("TST-01", SCREEN)
    assert Ear(twin).hear(bytes.fromhex(ALL_RED.hex(" ").upper().replace(*damage))) == FAILED
    assert (twin.text, len(twin.complaints)) == ("", 1)


@given(st.lists(st.one_of(st.binary(max_size=40), st.just(ALL_RED[:9]), st.just(RED_GREEN)), max_size=6))
def test_twin_survives_any_bytes(pieces: list[bytes]) -> None:
    ear = Ear(TwoColourTwin("TST-01", SCREEN))
    for piece in pieces:
        ear.hear(piece, after_s=0.01)


# Anything


@given(st.binary(max_size=40), st.integers(0, 255))
def test_any_bytes_are_no_answer_or_a_bad_one(received: bytes, address: int) -> None:
    for bytes_ in (received, bytes([0xA0, 0x90, address, 0xA5]) + received):
        try:
            said, rest = find_reply(bytes_, address)
        except BadReply:
            continue
        assert said in (None, 0xAA, 0x55)
        assert bytes_.endswith(rest)


@given(st.text(max_size=24), st.booleans(), st.integers(0, 255))
def test_what_the_driver_accepts_the_twin_shows(text: str, attention: bool, address: int) -> None:
    table = {"address": address, "columns": 40, "gap_s": 0.0}
    link = ScriptedStream([bytes([0xA0, 0x90, address, 0xA5, 0xAA])])
    sent: list[bytes] = []
    answer = link.write
    link.write = lambda data, limit_s=2.0: (sent.append(data), answer(data))[1]  # type: ignore[method-assign]
    try:
        TwoColourDisplay("TST-01", link, TwoColourOptions(**table)).show(CallText(text=text, attention=attention))
    except Refused:
        return
    twin = TwoColourTwin("TST-01", table)
    Ear(twin).hear(sent[0])
    assert len(twin.shown) == 1
    assert "\ufffd" not in twin.text
    assert twin.complaints == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"baud": 19200}, "baud = 19200, legal: 9600"),
        ({"address": 256}, "address = 256, legal: 0 to 255"),
        ({"columns": 2}, "columns = 2, legal: 4 to 128"),
        ({"reply_limit_s": 2.0}, "reply_limit_s = 2.0, legal: 0.1 to 1 seconds"),
        ({"gap_s": 1.0}, "gap_s = 1.0, legal: 0 to 0.5 seconds"),
    ],
)
def test_option_errors_name_the_key_and_what_is_legal(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        TwoColourOptions(**{**SCREEN, **options})
