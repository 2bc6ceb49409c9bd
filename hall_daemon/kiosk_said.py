"""What a page of a ticket machine says aloud, sentence by sentence, to somebody who cannot see it. Pure.

First what the last key led to, then what the page is about, what is wrong, what it holds, and which key does what; all
of it stands on the page. Keys that mean the same on every page (cancel, correct, help) are known by their shape and are
not told again. Digits that are typed are never said: the next in the queue would hear an ID number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from hall_daemon.kiosk_scene import Page
from hall_daemon.protocol import Text
from hall_daemon.protocol_kiosk import KioskChoice
from hall_daemon.texts import say, spoken_number, text

_NAMED = {"*": "star", "#": "hash", "ok": "ok", "cancel": "cancel", "correct": "correct"}
_KNOWN_BY_SHAPE = {text(f"kiosk.key.{key}").zh for key in ("cancel", "correct", "back", "help")}
_ZH = ((" – ", "到"), ("–", "到"), (" · ", "，"), ("　", "，"), (" → ", "，"), ("*", "星号键"))
_EN = ((" – ", " to "), ("–", " to "), (" · ", ", "), ("~", "about "), (" → ", ", "), ("*", "the star key"))
_RANGE = re.compile(r"(?<=\b\d)-(?=\d{1,3}\b)|(?<=\b\d\d)-(?=\d{1,3}\b)")
"""Windows 1-12."""
_LONG_DIGITS = re.compile(r"\d{5,}")


def sentences(page: Page, notice: Text | None) -> tuple[Text, ...]:
    """What is said, in turn."""
    led_to = () if notice is None else (notice,)
    more = () if page.alone else (*page.notices, *page.read, *_prompts(page))
    return _aloud((*led_to, *_about(page), *more), page)


def about(page: Page) -> int:
    """How many sentences tell what the page is about; 0 for one that tells of what was typed."""
    typed = page.field is not None and page.field.typed
    return 0 if typed else sum(bool(sentence.zh) for sentence in _about(page))


def _about(page: Page) -> tuple[Text, ...]:
    return (page.title, page.line) if page.voice is None else (page.voice,)


def _prompts(page: Page) -> Iterable[Text]:
    """Which key does what: the main one first."""
    entries = sorted(page.keys, key=lambda entry: entry.key != "ok")
    first = [entry for entry in entries if entry.key == "ok"]
    rest = [entry for entry in entries if entry.key in _NAMED and entry.key != "ok"]
    for entry in (*first, *page.choices, *rest):
        # What is only to be touched has a key of its own once it can be picked.
        if not entry.key.startswith("pick") and entry.label.zh not in _KNOWN_BY_SHAPE:
            yield _prompt(entry)


def _prompt(entry: KioskChoice) -> Text:
    zh = [entry.label.zh, entry.detail.zh, entry.wait.zh]
    en = [entry.label.en or entry.label.zh, entry.detail.en, entry.wait.en]
    if entry.on is not None:
        state = text("kiosk.word.on" if entry.on else "kiosk.word.off")
        zh, en = [*zh, state.zh], [*en, state.en]
    name = Text(zh="，".join(filter(None, zh)), en=", ".join(filter(None, en)))
    if entry.key in _NAMED:
        return say("kiosk.voice.press", key=text(f"kiosk.voice.{_NAMED[entry.key]}"), name=name)
    return say("kiosk.voice.choice" if entry.zone else "kiosk.voice.press", key=entry.key, name=name)


def _aloud(said: Iterable[Text], page: Page) -> tuple[Text, ...]:
    number = page.ticket.number if page.ticket is not None else ""
    return tuple(_one(sentence, number) for sentence in said if sentence.zh)


def _one(sentence: Text, number: str) -> Text:
    zh, en = sentence.zh, sentence.en or sentence.zh
    if number:
        zh, en = zh.replace(number, spoken_number(number)), en.replace(number, " ".join(number))
    for (seen, heard), (seen_en, heard_en) in zip(_ZH, _EN, strict=True):
        zh, en = zh.replace(seen, heard), en.replace(seen_en, heard_en)
    zh, en = _RANGE.sub("到", zh), _RANGE.sub(" to ", en)
    # Telephones and codes are read digit by digit, quantities are not.
    return Text(
        zh=_LONG_DIGITS.sub(lambda found: spoken_number(found[0]), zh),
        en=_LONG_DIGITS.sub(lambda found: " ".join(found[0]), en),
    )
