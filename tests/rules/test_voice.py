"""The hall's voice: which clips a sentence is made of, how they are built, replaced and joined, and what is missing."""

import io
import json
import math
import shutil
import struct
import wave
from pathlib import Path

import numpy as np
import pytest

from hall_daemon import commands_voice, doctor, voice_build, voice_clips, voice_kokoro, voice_sound
from hall_daemon.__main__ import main
from hall_daemon.config import HallConfig, load
from hall_daemon.doctor import Facts
from hall_daemon.protocol_technician import Health
from hall_daemon.settings import VoiceSettings
from hall_daemon.voice import Voice, call_text
from hall_daemon.voice_build import EspeakEngine
from hall_daemon.voice_clips import Clip, Language, NoSound
from hall_daemon.voice_sound import RATE, Samples
from tests.rules.hall_room import PLACES, write_hall

PLAIN = VoiceSettings()


@pytest.fixture(autouse=True)
def few_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the thousand groups of digits only some, so that a voice is built in a moment."""
    monkeypatch.setattr(voice_clips, "GROUPS", 20)


class Beeps:
    """An engine whose words are tones: as long as the words, and never the same twice."""

    name = "beeps"

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, words: str, language: Language) -> Samples:
        self.said.append(words)
        n = np.arange(int(RATE * 0.05 * len(words.replace(" ", ""))))
        pitch_hz = 300 + 10 * len(self.said) if language is Language.ZH else 900 + 10 * len(self.said)
        padded = [voice_sound.silence(0.4), 0.3 * np.sin(2 * math.pi * pitch_hz * n / RATE), voice_sound.silence(0.4)]
        return np.concatenate(padded).astype(np.float32)


def hall(folder: Path, more: str = "") -> HallConfig:
    return load(write_hall(folder, PLACES + more) / "devices.toml", {})


def voice(config: HallConfig) -> Voice:
    return Voice(config.voice_folder, lambda: config.profile, config.public.voice)


def built(config: HallConfig) -> Beeps:
    beeps = Beeps()
    needed = voice_clips.needed(config.profile, config.public.voice)
    voice_build.build(config.voice_folder, needed, beeps, tell=lambda _: None)
    return beeps


def files(clips: list[Clip]) -> list[str]:
    return [clip.file for clip in clips]


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "零"), (7, "七"), (10, "十"), (12, "十二"), (20, "二十"), (66, "六十六"), (100, "一百"), (105, "一百零五"),
        (110, "一百一十"), (111, "一百一十一"), (210, "二百一十"), (999, "九百九十九"),
    ],
)  # fmt: skip
def test_a_window_is_read_as_a_number(count: int, words: str) -> None:
    assert voice_clips.count_zh(count) == words


def test_a_call_begins_with_its_zone_and_reads_the_number_digit_by_digit(tmp_path: Path) -> None:
    profile = hall(tmp_path).profile
    clips = voice_clips.call("D018", "2", "D", profile, PLAIN, short=False)
    assert files(clips) == [
        "zone-D.zh.wav", "please-D.zh.wav", "digits-018.zh.wav", "window-2.zh.wav",
        "number-D.en.wav", "digit-0.en.wav", "digit-1.en.wav", "digit-8.en.wav", "window-2.en.wav",
    ]  # fmt: skip
    assert "".join(clip.words for clip in clips[:4]).replace(" ", "") == "社会民生区。请D。零一八号，到二号窗口。"
    short = files(voice_clips.call("D018", "2", "D", profile, PLAIN, short=True))
    assert short == files(clips)[1:], "shorter by its zone; a letter alone is not understood"
    single = files(voice_clips.call("D018", "2", "D", profile, PLAIN, short=False, grouped=False))
    assert single[:3] == ["zone-D.zh.wav", "please.zh.wav", "letter-D.zh.wav"]
    assert single[8:10] == ["number.en.wav", "letter-D.en.wav"]


def test_settings_of_the_hall_change_what_is_said(tmp_path: Path) -> None:
    config = hall(tmp_path, '\n[voice]\none = "yao"\nzone_first = false\nenglish = false\n')
    clips = voice_clips.call("A011", "1", "A", config.profile, config.public.voice, short=False)
    assert files(clips) == [
        "please-A.zh.wav", "digits-011-yao.zh.wav", "window-1.zh.wav",
    ]  # fmt: skip
    assert call_text("A011", "1", "A", config.profile, config.public.voice, short=False) == (
        "请A零幺幺号到1号窗口。", "",
    )  # fmt: skip
    assert {clip.file for clip in clips} <= voice_clips.needed(config.profile, config.public.voice).keys()


def test_every_clip_of_every_call_of_the_hall_is_built(tmp_path: Path) -> None:
    profile = hall(tmp_path).profile
    needed = voice_clips.needed(profile, PLAIN).keys()
    for window in profile.windows.values():
        for queue in profile.queues:
            for number in (f"{queue}017", f"V{queue}1000", f"Y{queue}234", f"X{queue}589"):
                for short in (False, True):
                    assert (
                        set(files(voice_clips.call(number, window.code, window.zone, profile, PLAIN, short=short)))
                        <= needed
                    )


def test_clips_are_built_once_and_again_when_a_name_changes(tmp_path: Path) -> None:
    config = hall(tmp_path)
    assert len(built(config).said) == len(voice_clips.needed(config.profile, PLAIN))
    assert voice(config).state().missing == ()
    assert built(config).said == []
    renamed = load(write_hall(tmp_path, PLACES.replace("社会民生区", "民生服务区")) / "devices.toml", {})
    assert voice(renamed).state().missing == ("place-D.zh.wav", "zone-D.zh.wav")
    assert sorted(built(renamed).said) == ["民生服务区", "民生服务区。"]


def test_a_call_is_its_clips_without_the_silence_around_them(tmp_path: Path) -> None:
    config = hall(tmp_path)
    built(config)
    full = voice_sound.seconds(voice(config).call("A001", "1", "A"))
    short = voice_sound.seconds(voice(config).call("A001", "1", "A", short=True))
    assert 3.0 < full < 7.0
    assert short < full - 0.4
    with wave.open(io.BytesIO(voice(config).call("A001", "1", "A"))) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (1, 2, RATE)


def record(path: Path, rate: int, channels: int, seconds: float, pitch_hz: float) -> None:
    """What a person with a recorder drops in: another rate, two channels, quiet, silence around it."""
    count = int(rate * seconds)
    loud = [int(900 * math.sin(2 * math.pi * pitch_hz * n / rate)) for n in range(count)]
    samples = [0] * rate + loud + [0] * rate
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(b"".join(struct.pack("<h", s) * channels for s in samples))


def test_a_recording_goes_before_what_was_built_whatever_its_rate(tmp_path: Path) -> None:
    config = hall(tmp_path)
    built(config)
    before = voice_sound.read_wav(voice(config).clip("window-1.zh.wav"))
    record(config.voice_folder / "recorded" / "window-1.zh.wav", 44100, 2, 0.8, 220.0)
    after = voice_sound.read_wav(voice(config).clip("window-1.zh.wav"))

    assert abs(after.size / RATE - 0.86) < 0.02, "the second of silence on both sides is gone"
    strongest_hz = np.fft.rfftfreq(after.size, 1 / RATE)[np.abs(np.fft.rfft(after)).argmax()]
    assert abs(strongest_hz - 220) < 5
    loudness = [float(np.sqrt(np.mean(np.square(s)))) for s in (before, after)]
    assert abs(20 * math.log10(loudness[1] / loudness[0])) < 3, "as loud as its neighbours"
    state = voice(config).state()
    assert (state.recorded, state.missing, state.broken) == (1, (), ())


def test_what_is_missing_or_unusable_is_told_and_the_rest_goes_on(tmp_path: Path) -> None:
    config = hall(tmp_path)
    assert _told(config) == (Health.OK, "Not built; espeak-ng speaks each sentence", "")
    built(config)
    assert _told(config)[0] is Health.OK
    (config.voice_folder / "digit-3.zh.wav").unlink()
    assert _told(config)[::2] == (Health.WARN, "1 are missing, like digit-3.zh.wav: run hall-daemon voice build")
    built(config)
    (config.voice_folder / "recorded" / "digit-3.zh.wav").write_bytes(b"ID3 an mp3 file")
    health, _, remedy = _told(config)
    assert health is Health.WARN
    assert "digit-3.zh.wav: is no WAV file of plain samples" in remedy
    assert voice(config).clip("digit-3.zh.wav"), "the built clip is used instead"


def _told(config: HallConfig) -> tuple[Health, str, str]:
    facts = Facts(state=None, devices=(), voice=voice(config).state())
    check = next(c for c in doctor.checks(facts) if c.name.en == "Voice clips")
    return check.health, check.value.en, check.remedy.en if check.remedy else ""


def test_three_digits_are_one_clip_and_others_are_said_one_by_one(tmp_path: Path) -> None:
    def said(number: str) -> list[str]:
        return [clip.name for clip in voice_clips.number(number, Language.ZH, PLAIN)]

    assert said("A007") == ["letter-A", "digits-007"]
    assert said("VD1012") == ["letter-V", "letter-D", "digit-1", "digits-012"]
    assert said("A589") == ["letter-A", "digit-5", "digit-8", "digit-9"], "more than there are clips for"
    assert said("A7") == ["letter-A", "digit-7"]
    with pytest.raises(ValueError, match="no ticket number"):
        said("A一二三")


def test_digits_that_the_hall_has_recorded_go_before_the_groups_of_the_machine(tmp_path: Path) -> None:
    config = hall(tmp_path)
    built(config)
    whole = voice(config).call("A012", "1", "A")
    (config.voice_folder / "digits-012.zh.wav").unlink()
    single = voice(config).call("A012", "1", "A")
    assert voice_sound.seconds(single) != voice_sound.seconds(whole), "without the group the digits stand in"
    said = voice_clips.call("A012", "1", "A", config.profile, PLAIN, short=False, grouped=False)
    assert "".join(clip.words for clip in said[:7]).replace(" ", "") == "注册登记区。请A零一二号，"
    built(config)
    assert voice_sound.seconds(voice(config).call("A012", "1", "A")) == voice_sound.seconds(whole)
    for digit in "0123456789":
        record(config.voice_folder / "recorded" / f"digit-{digit}.zh.wav", 22050, 1, 0.5, 200.0)
    assert voice_sound.seconds(voice(config).call("A012", "1", "A")) > voice_sound.seconds(whole) + 0.5


def test_clips_are_not_kept_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hall_daemon.voice_shelf._MOST_CLIPS", 5)
    config = hall(tmp_path)
    built(config)
    speaker = voice(config)
    first = speaker.call("A001", "1", "A")
    speaker.call("D018", "2", "D")
    assert len(speaker._shelf._clips) == 5
    assert speaker.call("A001", "1", "A") == first


def test_one_sentence_never_has_two_voices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = hall(tmp_path)
    built(config)
    (config.voice_folder / "window-1.zh.wav").unlink()
    spoken: list[tuple[str, str]] = []
    monkeypatch.setattr("drivers.speech.speech", lambda *said: spoken.append(said) or b"RIFF")
    assert voice(config).call("A001", "1", "A") == b"RIFF"
    assert spoken == [("注册登记区，请A零零一号到1号窗口。", "Number A 0 0 1, window 1.")]


def test_without_clips_and_without_a_voice_there_is_no_sound_and_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(NoSound, match="espeak-ng is not installed"):
        voice(hall(tmp_path)).call("A001", "1", "A")


def test_a_kiosk_sentence_is_made_of_its_words_and_its_facts(tmp_path: Path) -> None:
    config = hall(tmp_path)
    built(config)
    clips = voice_clips.sentence("voice.done", {"number": "A037", "zone": "A"}, Language.ZH, config.profile, PLAIN)
    assert [clip.words for clip in clips] == [
        "您的号码", "A", "零", "三", "七", "请取走号票和身份证，到", "注册登记区", "等候",
    ]  # fmt: skip
    assert voice_sound.seconds(voice(config).sentence("voice.done", {"number": "A037", "zone": "A"}, Language.ZH)) > 1
    assert voice_sound.seconds(voice(config).sentence("voice.idle", {}, Language.EN)) > 1
    with pytest.raises(NoSound):
        voice(config).sentence("voice.done", {"number": "A037"}, Language.ZH)


def test_sounds_are_resampled_without_changing_their_pitch() -> None:
    n = np.arange(24000)
    tone = np.sin(2 * math.pi * 440 * n / 24000).astype(np.float32)
    ours = voice_sound.resample(tone, 24000)
    assert ours.size == RATE
    assert np.allclose(ours, np.sin(2 * math.pi * 440 * np.arange(RATE) / RATE), atol=1e-3)


def test_of_three_syllables_said_in_a_row_the_middle_one_is_found() -> None:
    tone = 0.3 * np.sin(2 * math.pi * 250 * np.arange(RATE // 3) / RATE)
    fricative = 0.05 * np.sin(2 * math.pi * 4000 * np.arange(RATE // 10) / RATE)
    murmur = 0.02 * np.sin(2 * math.pi * 200 * np.arange(RATE // 10) / RATE)
    syllable = np.concatenate([fricative, tone])
    row = np.concatenate([syllable, murmur, syllable, murmur, syllable]).astype(np.float32)
    found = voice_sound.middle_of_three(row)
    assert found is not None
    assert 0.4 < found.size / RATE < 0.65
    middle = row[syllable.size + murmur.size // 2 :][: found.size]
    assert abs(float(np.abs(found).max()) - 0.3) < 0.01
    assert middle.size == found.size
    assert voice_sound.middle_of_three(np.concatenate([syllable, murmur]).astype(np.float32)) is None
    assert voice_sound.middle_of_three(np.zeros(0, np.float32)) is None


def test_the_short_sound_before_a_sentence_is_cut_and_a_syllable_is_not() -> None:
    def tone(seconds: float, level: float) -> Samples:
        return (level * np.sin(2 * math.pi * 250 * np.arange(int(RATE * seconds)) / RATE)).astype(np.float32)

    silence, word = voice_sound.silence(0.3), tone(0.4, 0.5)
    spurious = [silence, tone(0.08, 0.1), tone(0.03, 0.005)]
    cut = voice_sound.without_onset(np.concatenate([*spurious, word, silence]))
    assert abs(cut.size - (word.size + silence.size)) < 0.04 * RATE
    hiss = np.concatenate([silence, tone(0.1, 0.05), word, silence])
    assert voice_sound.without_onset(hiss).size == hiss.size, "a consonant leads into its vowel without a dip"
    early = np.concatenate([silence, tone(0.25, 0.4), tone(0.03, 0.005), word])
    assert voice_sound.without_onset(early).size == early.size, "so late it is a pause between two words"
    assert voice_sound.without_onset(silence).size == silence.size
    assert voice_sound.without_onset(np.zeros(0, np.float32)).size == 0


def test_a_sentence_is_cut_behind_its_greeting_and_only_there() -> None:
    def tone(seconds: float) -> Samples:
        return (0.4 * np.sin(2 * math.pi * 250 * np.arange(int(RATE * seconds)) / RATE)).astype(np.float32)

    silence, greeting, word = voice_sound.silence, tone(0.6), tone(0.8)
    behind = voice_sound.behind_the_lead(np.concatenate([silence(0.3), greeting, silence(0.06), word]), 0.8)
    assert behind is not None
    assert abs(behind.size / RATE - 0.83) < 0.03
    joined = np.concatenate([silence(0.3), greeting, word])
    assert voice_sound.behind_the_lead(joined, 0.8) is None, "no pause, nothing to cut"
    late = np.concatenate([silence(0.3), tone(0.9), silence(0.06), word])
    assert voice_sound.behind_the_lead(late, 0.8) is None, "so late it is a pause of the sentence itself"
    assert voice_sound.behind_the_lead(silence(1), 0.8) is None
    assert voice_sound.behind_the_lead(np.zeros(0, np.float32), 0.8) is None


@pytest.mark.parametrize(
    ("words", "sounds"),
    [
        ("请", "ʨʰi↓ŋ"), ("号， 到", "xau↘,  tau↘"), ("六十六", "ljou↘ʂɨ↗ljou↘"), ("窗口", "ꭧʰwa→ŋkʰou↓"),
        ("二月", "ɚ↘ɥe↘"), ("云", "y↗n"), ("用", "jʊ↘ŋ"), ("我", "wo↓"), ("五", "u↓"), ("语女", "y↓ny↓"),
        ("幺", "jau→"), ("请 D。", "ʨʰi↓ŋ ti↘."), ("J", "ꭧei↘"), ("X", "ai↘kʰɤ↘sɨ→"),
    ],
)  # fmt: skip
def test_mandarin_is_spelled_in_the_sounds_of_the_neural_voice(words: str, sounds: str) -> None:
    assert voice_kokoro.mandarin(words).split() == sounds.split()


@pytest.mark.system
def test_the_command_builds_with_the_real_espeak_and_lists_what_there_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("espeak-ng") is None:
        pytest.skip("there is no espeak-ng on this machine (Debian package espeak-ng)")
    config = hall(tmp_path)
    few = dict(list(voice_clips.needed(config.profile, PLAIN).items())[:8])
    monkeypatch.setattr(voice_clips, "needed", lambda *_: few)
    file = str(tmp_path / "devices.toml")
    assert main(["voice", "list", "--config", file]) == 1
    assert "0 of 8 clips" in capsys.readouterr().out
    assert main(["voice", "build", "--engine", "espeak", "--config", file]) == 0
    assert "Voice espeak-ng: 8 of 8 clips" in capsys.readouterr().out
    assert json.loads((config.voice_folder / "voice.json").read_text(encoding="utf-8"))[""] == "espeak-ng"
    assert EspeakEngine().say("D", Language.ZH).size > RATE / 10
    assert EspeakEngine().say("请 D。", Language.ZH).size > RATE / 5
    assert commands_voice.engine("espeak").name == "espeak-ng"


def test_a_wrong_setting_is_told_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(Exception, match=r"\[voice\] one: is 'jau', should look like 'yi'"):
        hall(tmp_path, '\n[voice]\none = "jau"\n')
    with pytest.raises(Exception, match=r"\[board\] has no key 'next'; did you mean '"):
        hall(tmp_path, "\n[board]\nnext = true\n")
    with pytest.raises(Exception, match=r"\[voice\] zone_first: is 1, should be true or false"):
        hall(tmp_path, "\n[voice]\nzone_first = 1\n")
