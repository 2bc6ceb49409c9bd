"""What a ticket machine says aloud on each page: what can be done there, all that is wrong, nothing personal."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from drivers import speech
from hall_daemon import voice_clips, voice_sound
from hall_daemon.kiosk_visit import Visit
from hall_daemon.kiosk_voice import heard
from hall_daemon.protocol_kiosk import KioskModes, KioskScreen, KioskView
from hall_daemon.texts import spoken_number, text
from hall_daemon.voice_clips import NoSound
from tests.rules.test_voice import built, hall, voice
from tests.screens.kiosk_views import all_views
from tests.screens.kiosk_views import view as drawn

VOICE = KioskModes(voice=True)
VIEWS = all_views(VOICE)


def view(screen: KioskScreen, visit: Visit | None = None, **changes: object) -> KioskView:
    """As somebody who listens has it."""
    return drawn(screen, visit=replace(visit or Visit(), modes=VOICE), **changes)


@pytest.mark.parametrize("name", list(VIEWS))
def test_every_page_is_said_aloud_and_nothing_personal_is(name: str) -> None:
    ways = heard(VIEWS[name])
    assert ways
    assert heard(drawn(VIEWS[name].screen)) == [], "nothing where nobody listens"
    spoken = " ".join(f"{code} {facts}" for way in ways for code, facts in way)
    assert not any(part in spoken for part in ("张*", "138", "0053", "9900", "*"))


@pytest.mark.parametrize("name", list(VIEWS))
def test_who_listens_is_told_every_key_and_everything_that_is_wrong(name: str) -> None:
    shown = VIEWS[name]
    spoken = {"zh": "。".join(one.zh for one in shown.said), "en": ". ".join(one.en for one in shown.said)}
    assert all(spoken.values())
    if shown.screen is KioskScreen.TIMEOUT:
        return  # any key goes on, and that is said
    choices = [entry for entry in shown.choices if not entry.key.startswith("pick") and not shown.field]
    for entry in (*choices, *(entry for entry in shown.keys if entry.key == "ok" and not shown.field)):
        assert read(entry.label.zh) in spoken["zh"], entry
        assert read(entry.label.en, "en") in spoken["en"], entry
    wrong = [] if shown.field else shown.notices
    assert all(read(each.zh, number=number_in(shown)) in spoken["zh"] for each in wrong)
    assert all(read(each.zh) in spoken["zh"] for each in shown.materials), "what to bring is read too"


def number_in(shown: KioskView) -> str:
    return shown.ticket.number if shown.ticket else ""


def read(words: str, language: str = "zh", number: str = "") -> str:
    """As it is read: dashes of a range and marks between words are words or pauses."""
    marks = {
        "zh": (("–", "到"), (" · ", "，"), ("　", "，"), ("12345", "一二三四五")),
        "en": (("–", " to "), ("~", "about ")),
    }
    for seen, said in marks[language]:
        words = words.replace(seen, said)
    return words.replace(number, spoken_number(number)) if number else words


def test_who_types_unseen_is_told_what_is_complete_and_what_is_wrong_and_no_digit() -> None:
    asked, partly = (view(KioskScreen.ID, visit=Visit(typed_id=typed)) for typed in ("", "9900001999"))
    assert asked.said == partly.said, "a key says nothing, it clicks"
    assert VIEWS["id-wrong"].said[0].zh.startswith("号码不对")
    assert VIEWS["id-full"].said[0].zh == "输完了，请按确认"
    assert VIEWS["phone-full"].said[0].zh == "输完了，请按确认"
    assert view(KioskScreen.PHONE, visit=Visit(phone="2")).said[0].zh == "手机号以 1 开头，请更正"
    assert heard(VIEWS["id-full"]) == [[("voice.page", {"said": "输完了，请按确认。"})]], "the recording asks for it"


def test_items_are_read_with_their_place_and_their_wait() -> None:
    spoken = "。".join(one.zh for one in VIEWS["service"].said)
    assert "第 1，" in spoken
    assert "，约 20 分钟" in spoken
    assert "按 7，按区域找" in spoken
    assert "第 1，注册登记区，14 人，约 20 分钟" in [one.zh for one in VIEWS["zones"].said]
    assert [entry.wait.zh for entry in VIEWS["list"].choices][:2] == ["", "约 20 分钟"], "none where it is suspended"


def test_a_page_that_tells_of_trouble_is_said_in_its_own_words() -> None:
    plain, trouble = heard(VIEWS["idle"])[0], heard(VIEWS["idle-no-paper"])[0]
    assert [code for code, _ in plain] == [code for code, _ in trouble] == ["voice.idle", "voice.page"]
    assert "打印纸用完了" not in plain[1][1]["said"]
    assert "打印纸用完了" in trouble[1][1]["said"]
    assert heard(VIEWS["nopaper"])[0][0][0] == "voice.nopaper"
    assert heard(VIEWS["nopaper-jam"])[0][0][0] == "voice.page", "the recording speaks of paper that has run out"
    assert heard(VIEWS["readfail"])[0][0][0] == "voice.readfail"
    assert "请不要移开" in heard(VIEWS["readfail-early"])[0][0][1]["said"], "taken away too early is another advice"
    assert heard(VIEWS["printing-again"])[0][1][1]["said"] == "打印机盖子没关好，请稍候。"
    led_to = view(KioskScreen.NOCARD, notice=text("kiosk.notice.one_card"))
    assert [code for code, _ in heard(led_to)[0]] == ["voice.page"], "what the last key led to comes first"


def test_the_number_is_said_from_clips_of_digits() -> None:
    assert heard(VIEWS["done"])[0][0] == ("voice.done", {"number": "H037", "zone": "D"})
    assert "H零三七" in heard(VIEWS["done"])[-1][0][1]["said"], "also where words alone say it"


def test_no_page_has_a_word_that_the_voice_cannot_read() -> None:
    for name, shown in VIEWS.items():
        (_, facts), *_ = heard(shown)[-1]
        assert shown.language == "en" or speech.parts(facts["said"]), name
    assert "窗口 1到2" in words_of("guide") or "1到2 号窗口" in words_of("guide")
    assert "投诉电话：一二三四五" in words_of("guide")


def words_of(name: str) -> str:
    return heard(VIEWS[name])[-1][0][1]["said"]


def test_a_page_is_said_from_its_recording_and_then_from_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice_clips, "GROUPS", 20)
    config = hall(tmp_path)
    built(config)
    speaking, (recorded, words) = voice(config), heard(VIEWS["nocard"])[0]
    assert (recorded[0], words[0]) == ("voice.nocard", "voice.page")
    parts = [speaking.sentences([each], voice_clips.Language.ZH) for each in (recorded, words)]
    whole = speaking.sentences([recorded, words], voice_clips.Language.ZH)
    assert voice_sound.seconds(whole) == pytest.approx(sum(map(voice_sound.seconds, parts)), abs=0.1)
    mixed = {"said": "Documents: 居民身份证 (if it applies)."}
    assert voice_sound.seconds(speaking.sentences([("voice.page", mixed)], voice_clips.Language.EN)) > 1.5
    with pytest.raises(NoSound):
        speaking.sentences([("voice.page", {"said": "张\ue000"})], voice_clips.Language.ZH)
