"""Speech modules: published frames, one text after the other, and what the module can do wrong."""

from typing import Any

import pytest

from drivers.announcer_syn6288 import SPEAK, STATE, STOP, Syn6288Options, encode_command
from drivers.base import Announcement, BadReply, Condition, NoReply, Refused, Unconfirmed
from sim.announcer_syn6288 import SpeechModule
from tests.contract.contract import DriverContract, Rig, until

CALL = Announcement(text="社会民生区，请A零一七号到3号窗口。", text_en="Number A 0 1 7, window 3.")


def test_published_frames() -> None:
    name = "宇音天下".encode("gb2312")
    assert encode_command("syn6288", SPEAK, 0, name).hex(" ") == "fd 00 0b 01 00 d3 ee d2 f4 cc ec cf c2 c1"
    assert encode_command("syn6288", STOP).hex(" ") == "fd 00 02 02 fd"
    assert encode_command("syn6288", STATE).hex(" ") == "fd 00 02 21 de"
    assert encode_command("xfs5152", SPEAK, 0, name).hex(" ") == "fd 00 0a 01 00 d3 ee d2 f4 cc ec cf c2"
    assert encode_command("xfs5152", STATE).hex(" ") == "fd 00 01 21"


def test_the_twin_takes_the_published_frames_and_no_damaged_one() -> None:
    said: list[bytes] = []
    twin = SpeechModule("ANN-01", {})
    twin.say = lambda data, after_s=0.0: said.append(data)  # type: ignore[method-assign]
    twin.play_for_ever()
    frame = bytes.fromhex("fd000b0100d3eed2f4cceccfc2c1")
    for size in range(len(frame)):
        twin.receive(frame[size : size + 1])
    assert (said, twin.playing) == ([b"\x41"], "宇音天下")
    twin.receive(bytes.fromhex("fd000221de"))
    twin.receive(bytes.fromhex("fd000202fd"))
    twin.receive(bytes.fromhex("fd000221de"))
    twin.receive(frame[:-1] + b"\xc2")
    assert said == [b"\x41", b"\x4e", b"\x41", b"\x4f", b"\x45"]
    assert twin.cut == ["宇音天下"]


class TestSyn6288(DriverContract):
    driver_module = twin_module = "announcer_syn6288"
    no_conditions = "the module answers whether it plays, and nothing else"

    def job(self, driver: Any, rig: Rig) -> None:
        before = len(rig.twin.spoken)
        driver.speak(CALL)
        assert [s.text for s in rig.twin.spoken[before:]] == [CALL.text]
        assert rig.twin.cut == []

    def job_blind(self, driver: Any) -> None:
        driver.speak(CALL)

    def sample_replies(self) -> list[bytes]:
        return [b"\x41", b"\x4f", b"\x4e", b"\x41\x4f", b"\x45"]

    def test_a_module_that_was_off_and_on_says_the_next_text(self, rig: Rig) -> None:
        driver = rig.open()
        driver.speak(CALL)
        rig.twin.power_cycle()  # what it says of its start is no answer to what comes next
        self.job(driver, rig)

    def test_it_returns_when_it_is_silent_again(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.second_per_character = 0.03
        driver.speak(CALL)
        assert not rig.twin.playing
        driver.speak(CALL)
        assert rig.twin.cut == [], "no text cuts another one"

    def test_a_module_that_forgets_to_tell_its_end_is_asked(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.forget_to_tell_the_end()
        self.job(driver, rig)

    def test_a_text_without_an_end_is_unconfirmed_within_the_limit(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.play_for_ever()
        with pytest.raises(Unconfirmed, match="its end never told"):
            driver.speak(Announcement(text="请"))

    def test_a_frame_that_is_not_understood_is_a_bad_reply(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.refuse_frames()
        with pytest.raises(BadReply, match=r"did not understand the frame \(45\)"):
            driver.speak(CALL)
        rig.twin.recover()
        self.job(driver, rig)

    def test_a_module_that_restarts_in_the_middle_has_not_said_it(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.restart_in_the_middle()
        with pytest.raises(Refused) as refused:
            driver.speak(CALL)
        assert refused.value.condition is Condition.DEVICE_FAULT
        assert rig.twin.spoken == []
        self.job(driver, rig)

    def test_a_mute_module_took_nothing(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.go_mute()
        with pytest.raises(NoReply, match="not taken within"):
            driver.speak(CALL)

    def test_an_end_of_an_earlier_text_is_not_this_ones(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.second_per_character = 0.02
        rig.line.noise(b"\x4f\x4f")
        self.job(driver, rig)

    def test_what_it_cannot_say_is_refused_before_anything_is_sent(self, rig: Rig) -> None:
        driver = rig.open()
        for text in ("𠮷先生", "请" * 101):
            with pytest.raises(Refused) as refused:
                driver.speak(Announcement(text=text))
            assert refused.value.condition is Condition.TEXT_UNSUITABLE
        assert rig.twin.playing == ""

    def test_marks_stand_before_the_text(self, rig: Rig) -> None:
        rig.options = {"marks": "[v10][t4]"}
        rig.open().speak(Announcement(text="请"))
        until(lambda: [s.text for s in rig.twin.spoken] == ["[v10][t4]请"])


class TestXfs5152(TestSyn6288):
    options = {"module": "xfs5152"}  # noqa: RUF012 - read only

    def test_what_it_cannot_say_is_refused_before_anything_is_sent(self, rig: Rig) -> None:
        driver = rig.open()
        with pytest.raises(Refused):
            driver.speak(Announcement(text="𠮷先生"))
        driver.speak(Announcement(text="请" * 101))

    def test_marks_stand_before_the_text(self, rig: Rig) -> None:
        rig.options = {"module": "xfs5152", "marks": "[v5]"}
        rig.open().speak(Announcement(text="请"))
        until(lambda: [s.text for s in rig.twin.spoken] == ["[v5]请"])


def test_marks_are_checked() -> None:
    with pytest.raises(ValueError, match="legal: up to 40 ASCII characters"):
        Syn6288Options(marks="慢")
