"""Announcements through ALSA: the real player and the real voice, on ALSA's own `file` device for want of a card."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from drivers import speech
from drivers.announcer_sound import DRIVER, SoundAnnouncer, SoundOptions, decode_mixer
from drivers.base import Announcement, Condition, LinkError, Refused, Unconfirmed
from drivers.transport import open_link
from sim.announcer_sound import SoundTwin, unavailable
from sim.stopwatch import Stopwatch
from tests.contract.contract import DriverContract, Rig, until

CALL = Announcement(text="社会民生区，请A零一七号到12号窗口。", text_en="Number A 0 1 7, window 12.")

needs_sound = [pytest.mark.system, pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))]


class TestSound(DriverContract):
    """What the contract asks of bytes on a line has no meaning here: a card answers nothing but that it has played."""

    driver_module = twin_module = "announcer_sound"
    options: ClassVar[dict[str, Any]] = {"mixer": "Master"}
    causes: ClassVar[dict[Condition, Callable[[Any], object]]] = {Condition.SILENCED: lambda twin: twin.mute()}
    pytestmark = needs_sound

    def job(self, driver: Any, rig: Rig) -> None:
        before = len(rig.twin.heard)
        driver.speak(CALL)
        until(lambda: len(rig.twin.heard) == before + 1, what="it was heard")
        whole = speech.speech(CALL.text, CALL.text_en)[44:]
        assert rig.twin.heard[-1].samples.startswith(whole[:-4000]), "every sample that was made was played"

    def job_blind(self, driver: Any) -> None:
        driver.speak(CALL)

    def spoils(self, rig: Rig) -> Sequence[Callable[[], object]]:
        return ()

    def pull_out(self, rig: Rig) -> None:
        rig.twin.vanish()

    def _ask_until_error(self, driver: Any) -> None:
        driver.speak(CALL)

    @pytest.fixture
    def rig(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
        twin = SoundTwin("ANN-01", {})
        twin.start()
        for name, value in twin.environment().items():
            monkeypatch.setenv(name, value)
        line: Any = twin  # a sound card has no line of bytes
        rig = Rig(driver_type=DRIVER, options=self.options, twin=twin, line=line)
        yield rig
        rig.close()

    def test_survives_unplug_and_replug(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.vanish()
        with pytest.raises(LinkError, match="audio open error"):
            driver.speak(CALL)
        with pytest.raises(LinkError):
            rig.open().hello()
        rig.twin.recover()
        again = rig.open()
        again.hello()
        self.job(again, rig)

    def test_mute_device_gives_no_reply_in_time(self, rig: Rig) -> None:
        """A card that takes no samples any more: the player is killed, and it is not claimed that nobody heard it."""
        driver = rig.open()
        rig.twin.hang()
        watch = Stopwatch()
        with pytest.raises(Unconfirmed, match="was cut off"):
            driver.speak(Announcement(text="请"))
        assert watch.s < driver.job_limit_s
        rig.twin.recover()
        self.job(driver, rig)

    def test_reply_in_single_bytes_is_the_same_reply(self, rig: Rig) -> None:
        """The nearest thing: a card that takes its samples slowly is waited for."""
        rig.twin.times_faster = 5.0
        rig.twin.recover()
        watch = Stopwatch()
        self.job(rig.open(), rig)
        assert watch.wall_s > rig.twin.heard[-1].seconds / 5.0 - 0.5

    def test_leftovers_of_an_earlier_answer_are_ignored(self, rig: Rig) -> None:
        """The nearest thing: what was cut off is not heard again with the next sound."""
        driver = rig.open()
        rig.twin.hang()
        with pytest.raises(Unconfirmed):
            driver.speak(Announcement(text="请"))
        rig.twin.recover()
        self.job(driver, rig)

    def test_damaged_replies_raise_only_device_errors(self) -> None:
        """The only answer that is read is the mixer's text, whatever it says."""
        for text in (
            "",
            "[0%]",
            "[0%] [off]",
            "[x%] [on",
            "Left: [0%] [off]\nRight: [50%] [on]",
            "\0[999%]",
        ):
            decode_mixer(text)

    def test_closing_ends_a_sound_at_once(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.hang()
        closing = threading.Timer(0.3, driver.link.close)
        closing.start()
        with pytest.raises(LinkError):
            driver.speak(CALL)
        closing.join()

    def test_to_a_card_that_is_silenced_nothing_is_played_and_to_one_without_the_control_all(self, rig: Rig) -> None:
        driver = rig.open()
        for silence in (rig.twin.mute, rig.twin.turn_down):
            silence()
            assert driver.conditions() == {Condition.SILENCED}
            with pytest.raises(Refused, match="Master is muted or at 0 %") as refused:
                driver.speak(CALL)
            assert refused.value.condition is Condition.SILENCED
        assert rig.twin.heard == []
        rig.twin.recover()
        self.job(driver, rig)
        rig.twin.lose_mixer_control()
        with pytest.raises(LinkError, match="Unable to find simple control 'Master'"):
            driver.conditions()
        self.job(driver, rig)

    def test_a_text_without_a_reading_is_refused(self, rig: Rig) -> None:
        with pytest.raises(Refused) as refused:
            rig.open().speak(Announcement(text="请𠮷先生"))
        assert refused.value.condition is Condition.TEXT_UNSUITABLE
        assert rig.twin.heard == []


@pytest.mark.parametrize(
    ("told", "silenced"),
    [
        ("  Front Left: Playback 0 [0%] [-74.00dB] [on]\n  Front Right: Playback 0 [0%] [-74.00dB] [on]\n", True),
        ("  Front Left: Playback 87 [100%] [0.00dB] [off]\n  Front Right: Playback 87 [100%] [0.00dB] [off]\n", True),
        ("  Front Left: Playback 0 [0%] [-74.00dB] [on]\n  Front Right: Playback 60 [69%] [-27.00dB] [on]\n", False),
        ("  Mono: Playback 31 [100%] [0.00dB] [on]\n", False),
        ("  Mono: Playback 0 [0%]\n", True),
        ("nothing", False),
    ],
)
def test_a_mixer_that_lets_nothing_through_is_seen(told: str, silenced: bool) -> None:
    assert (Condition.SILENCED in decode_mixer(told)) is silenced


def test_without_a_mixer_nobody_claims_to_know_the_volume() -> None:
    driver = SoundAnnouncer("ANN-01", open_link("sound:null"), SoundOptions()) if unavailable() is None else None
    if driver is not None:
        driver._asked_at = time.monotonic()
        assert driver.conditions() == frozenset()


# --- speech -----------------------------------------------------------------------------------------------------------


def test_numbers_are_read_as_chinese_reads_them() -> None:
    words = {0: "零", 5: "五", 10: "十", 12: "十二", 20: "二十", 21: "二十一", 100: "一百", 105: "一百零五",
             110: "一百一十", 1000: "一千", 1005: "一千零五", 1050: "一千零五十", 9999: "九千九百九十九"}  # fmt: skip
    assert {count: speech.count_in_words(count) for count in words} == words


def test_letters_are_said_by_the_english_voice_and_the_rest_as_pinyin() -> None:
    assert speech.parts("请A零一七号到12号窗口。") == [
        (speech.MANDARIN, "qing3"),
        (speech.ENGLISH, "A"),
        (speech.MANDARIN, "ling2 yi1 qi1 hao4 dao4 shi2 er4 hao4 chuang1 kou3 。"),
    ]


def test_a_character_without_a_reading_is_no_silence() -> None:
    with pytest.raises(speech.SpeechError, match=r"U\+20BB7"):
        speech.pinyin("𠮷先生")


@pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))
def test_speech_is_a_chime_and_both_languages() -> None:
    chinese, both = speech.speech(CALL.text), speech.speech(CALL.text, CALL.text_en)
    assert 3.0 < speech.seconds(chinese) < speech.seconds(both) < 16.0
    assert chinese[44:].startswith(speech.chime())
