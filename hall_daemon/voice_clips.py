"""Which clips a spoken sentence is made of, and which clips a hall needs. Pure; knows no sound.

A clip's file is `<name>.<language>.wav`; a hall replaces one by a recording of that name. A ticket number is read digit
by digit: in Chinese its last three digits and 号 are one clip, said in one breath, because digits that were made alone
are not understood when they are joined; and a letter is one clip with 请 or Number before it, because a letter that
was made alone is not understood at all (docs/voice.md). Single letters and digits stand in where such a clip is
missing. A window, a zone and the words around them are one clip each. What is said follows ux.md §4.2 and domain.md §8.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from hall_daemon.profile import HallProfile
from hall_daemon.settings import VoiceSettings
from hall_daemon.texts import TEXTS

CHIME = "chime.wav"
RECORDED = "recorded"
"""Folder below the built clips, for those that people spoke."""
MOST_COUNTED = 100
"""Quantities up to this have a clip: people ahead, minutes."""
GROUPS = 1000
"""Three digits in one breath: 000 up to this."""
SPOKEN_CODES = tuple(code for code in TEXTS if code.startswith("voice."))


class NoSound(Exception):
    """There is neither a clip nor a voice for this; the sentence says what is missing."""


class Language(StrEnum):
    """What is spoken."""

    ZH = "zh"
    EN = "en"


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One file of the voice: what it is called and what it says."""

    name: str
    language: Language
    words: str

    @property
    def file(self) -> str:
        """Its file name."""
        return f"{self.name}.{self.language}.wav"


@dataclass(frozen=True, kw_only=True)
class VoiceState:
    """What a technician must know of the clips."""

    engine: str
    """What built them; empty: nothing was built."""
    needed: int
    present: int
    recorded: int
    missing: tuple[str, ...]
    """Files that are not there, or that say something else than the hall's names today."""
    broken: tuple[str, ...]
    """Recordings that cannot be used, with the reason."""


_BREATH = "digits-"
_ASKED = {
    Language.ZH: Clip(name="please", language=Language.ZH, words="请"),
    Language.EN: Clip(name="number", language=Language.EN, words="Number"),
}
"""What goes before a number."""
_NUMBER_ENDS = Clip(name="number-ends", language=Language.ZH, words="号，")
"""Behind digits that are said one by one; those in one breath have it."""
_DIGITS = "零一二三四五六七八九"
_ENGLISH_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_LETTER_WORDS = (
    "a bee see dee ee eff jee aitch eye jay kay ell em en oh pee cue are ess tee you vee double-you ex why zee"
)
_LETTERS = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", _LETTER_WORDS.split(" "), strict=True))
"""Letters as words, because a voice that meets a lone A says an article."""
_UNITS = ((100, "百"), (10, "十"), (1, ""))


def count_zh(count: int) -> str:
    """0 to 999 as Chinese reads a quantity: 10 十, 66 六十六, 105 一百零五, 210 二百一十. Raises ValueError."""
    if not 0 <= count <= 999:
        raise ValueError(f"{count} is not between 0 and 999")
    if count < 10:
        return _DIGITS[count]
    words, gap = "", False
    for size, unit in _UNITS:
        digit = count // size % 10
        if digit == 0:
            gap = bool(words)
            continue
        words += (_DIGITS[0] if gap else "") + _DIGITS[digit] + unit
        gap = False
    return words.removeprefix("一") if count < 20 else words


def letter_or_digit(char: str, language: Language, settings: VoiceSettings) -> Clip:
    """The clip of one character of a ticket number. Raises ValueError for any other."""
    if char in _LETTERS:
        return Clip(name=f"letter-{char}", language=language, words=_letter(char, language))
    if not (char.isascii() and char.isdigit()):
        raise ValueError(f"no ticket number has a {char!r}")
    if language is Language.EN:
        return Clip(name=f"digit-{char}", language=language, words=_ENGLISH_DIGITS[int(char)])
    if char == "1" and settings.one == "yao":
        return Clip(name="digit-1-yao", language=language, words="幺")
    return Clip(name=f"digit-{char}", language=language, words=_DIGITS[int(char)])


def _letter(char: str, language: Language) -> str:
    """As it is given to a voice: in Chinese the letter itself, which is read the Chinese way."""
    return char if language is Language.ZH else _LETTERS[char]


def digits_in_a_breath(digits: str, settings: VoiceSettings) -> Clip:
    """Three digits of a ticket number in Chinese, each by its name. Raises ValueError."""
    words = [letter_or_digit(digit, Language.ZH, settings).words for digit in digits]
    yao = "-yao" if settings.one == "yao" and "1" in digits else ""
    return Clip(name=f"{_BREATH}{digits}{yao}", language=Language.ZH, words=f"{' '.join(words)} 号，")


def number(display_no: str, language: Language, settings: VoiceSettings, *, grouped: bool = True) -> list[Clip]:
    """A ticket number, digit by digit; `grouped`: the last three in one breath. Raises ValueError."""
    single, last = display_no, display_no[-3:]
    grouped = grouped and language is Language.ZH and len(last) == 3 and last.isascii() and last.isdigit()
    if grouped and int(last) < GROUPS:
        single = display_no[:-3]
    clips = [letter_or_digit(char, language, settings) for char in single]
    return clips if single == display_no else [*clips, digits_in_a_breath(last, settings)]


def window(code: str, language: Language) -> Clip:
    """到六十六号窗口: what follows a number. Raises ValueError for a window whose name is no number."""
    count = int(code)
    words = f"到 {count_zh(count)} 号 窗口。" if language is Language.ZH else f"window {count}."
    return Clip(name=f"window-{code}", language=language, words=words)


def zone_before_a_call(zone: str, profile: HallProfile) -> Clip:
    """社会民生区。: where those should listen up who wait there. Raises KeyError."""
    return Clip(name=f"zone-{zone}", language=Language.ZH, words=f"{profile.zones[zone].name.zh}。")


def call(
    display_no: str,
    window_code: str,
    zone: str,
    profile: HallProfile,
    settings: VoiceSettings,
    *,
    short: bool,
    grouped: bool = True,
) -> list[Clip]:
    """A call without its chime; `short` leaves out the zone. Raises ValueError for what has no clip."""
    clips = []
    if settings.zone_first and not short and zone in profile.zones:
        clips.append(zone_before_a_call(zone, profile))
    clips += _asked_for(display_no, Language.ZH, settings, grouped=grouped)
    if not clips[-1].name.startswith(_BREATH):
        clips.append(_NUMBER_ENDS)
    clips.append(window(window_code, Language.ZH))
    if settings.english:
        clips += _asked_for(display_no, Language.EN, settings, grouped=grouped)
        clips.append(window(window_code, Language.EN))
    return clips


def _asked_for(display_no: str, language: Language, settings: VoiceSettings, *, grouped: bool) -> list[Clip]:
    """ "请 D" or "Number D" and the digits; never the letter alone, for it is what is understood least."""
    if grouped and display_no[:1] in _LETTERS:
        asked = _with_letter(display_no[0], language)
        return [asked, *number(display_no[1:], language, settings, grouped=grouped)]
    return [_ASKED[language], *number(display_no, language, settings, grouped=grouped)]


def _with_letter(letter: str, language: Language) -> Clip:
    """The word before a number and its letter, in one breath."""
    asked = _ASKED[language]
    words = f"{asked.words} {_letter(letter, language)}{'。' if language is Language.ZH else ','}"
    return Clip(name=f"{asked.name}-{letter}", language=language, words=words)


def sentence(
    code: str,
    facts: Mapping[str, str],
    language: Language,
    profile: HallProfile,
    settings: VoiceSettings,
    *,
    grouped: bool = True,
) -> list[Clip]:
    """A sentence of the texts: each run of fixed words a clip, each fact its own. Raises ValueError, KeyError."""
    clips: list[Clip] = []
    for index, (words, fact) in enumerate(_runs(code, language), start=1):
        if words:
            clips.append(Clip(name=f"{code}-{index}", language=language, words=words))
        if fact:
            clips += _fact(fact, facts[fact], language, profile, settings, grouped=grouped)
    return clips


_FACT = re.compile(r"\{(\w+)\}")
_EDGE = " ，。,.、：:；;"


def of_screen(screen: str) -> str:
    """The code of what a kiosk says on a screen; empty where it is silent."""
    code = f"voice.{screen}"
    return code if code in TEXTS else ""


def _runs(code: str, language: Language) -> Iterator[tuple[str, str]]:
    """Fixed words and the fact that follows them, in order."""
    pieces = _FACT.split(TEXTS[code][0 if language is Language.ZH else 1])
    for words, fact in zip(pieces[::2], [*pieces[1::2], ""], strict=True):
        yield words.strip(_EDGE), fact


def _fact(
    fact: str, value: str, language: Language, profile: HallProfile, settings: VoiceSettings, *, grouped: bool
) -> list[Clip]:
    if fact == "number":
        return number(value, language, settings, grouped=grouped)
    if fact == "zone":
        return [zone_name(value, language, profile)]
    return [quantity(int(value), language)]


def zone_name(zone: str, language: Language, profile: HallProfile) -> Clip:
    """A zone by its code. Raises KeyError."""
    name = profile.zones[zone].name
    words = name.zh if language is Language.ZH else name.en or f"zone {_LETTERS.get(zone, zone)}"
    return Clip(name=f"place-{zone}", language=language, words=words)


def quantity(count: int, language: Language) -> Clip:
    """How many. Raises ValueError for more than has a clip."""
    if not 0 <= count <= MOST_COUNTED:
        raise ValueError(f"{count} has no clip")
    counted = "两" if count == 2 else count_zh(count)
    return Clip(name=f"count-{count}", language=language, words=counted if language is Language.ZH else str(count))


def needed(profile: HallProfile, settings: VoiceSettings) -> dict[str, Clip]:
    """Every clip that this hall's calls and kiosks need, by file; the chime is not among them, it is made."""
    return {clip.file: clip for clip in _needed(profile, settings)}


def _needed(profile: HallProfile, settings: VoiceSettings) -> Iterator[Clip]:
    languages = (Language.ZH, Language.EN) if settings.english else (Language.ZH,)
    letters = {letter for queue in profile.queues for letter in queue} | set("VXY")
    for language in languages:
        for char in (*sorted(letters), *"0123456789"):
            yield letter_or_digit(char, language, settings)
        for code in profile.windows:
            if code.isdigit():
                yield window(code, language)
        for zone in profile.zones:
            yield zone_name(zone, language, profile)
        for count in range(MOST_COUNTED + 1):
            yield quantity(count, language)
        for code in SPOKEN_CODES:
            runs = enumerate(_runs(code, language), start=1)
            yield from (Clip(name=f"{code}-{n}", language=language, words=words) for n, (words, _) in runs if words)
    yield _NUMBER_ENDS
    yield from (digits_in_a_breath(f"{group:03}", settings) for group in range(GROUPS))
    for zone in profile.zones:
        yield zone_before_a_call(zone, profile)
    for language in languages:
        yield _ASKED[language]
        yield from (_with_letter(letter, language) for letter in sorted(letters))
