"""The hall's voice: sentences as sound, from clips that were built once or recorded by people.

Two folders: clips built by `hall-daemon voice build`, and `recorded/` below it, whose files of the same names go before
them. Where a clip is missing, the whole sentence is spoken by espeak-ng, so that one sentence never has two voices;
where that is missing too there is no sound, and everything else goes on. Nothing is fetched from anywhere.
"""

from __future__ import annotations

import contextlib
import json
import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from drivers import speech
from hall_daemon import voice_clips
from hall_daemon.profile import HallProfile
from hall_daemon.settings import VoiceSettings
from hall_daemon.texts import spoken_number, text
from hall_daemon.voice_clips import RECORDED, Clip, Language, NoSound, VoiceState

if TYPE_CHECKING:
    from hall_daemon.voice_shelf import ClipShelf

MANIFEST = "voice.json"
_HAN = re.compile(r"([\u3400-\u9fff][\u3000-\u9fff\uff00-\uffef]*)")
"""A run of Chinese within English words."""
_SAYABLE = re.compile(r"\w")
_MOST_SOUNDS = 64
"""Sentences of espeak-ng that are kept: some 200 KiB each."""


class Voice:
    """Sentences as WAV files; may be asked from any thread."""

    def __init__(self, folder: Path, profile: Callable[[], HallProfile], settings: VoiceSettings) -> None:
        self._folder, self._profile, self._settings = folder, profile, settings
        self._spoken: OrderedDict[tuple[str, ...], bytes] = OrderedDict()
        self._lock = threading.Lock()

    def call(self, number: str, window: str, zone: str, *, short: bool = False) -> bytes:
        """A call with its chime. Raises NoSound."""
        profile = self._profile()

        def clips(grouped: bool) -> list[Clip]:
            return voice_clips.call(number, window, zone, profile, self._settings, short=short, grouped=grouped)

        try:
            return self._best(clips, chime=True)
        except (ValueError, NoSound):
            said = call_text(number, window, zone, profile, self._settings, short=short)
        return self._kept(("call", *said), lambda: speech.speech(*said))

    def sentence(self, code: str, facts: Mapping[str, str], language: Language) -> bytes:
        """A sentence of the texts. Raises NoSound."""
        profile = self._profile()

        def clips(grouped: bool) -> list[Clip]:
            return voice_clips.sentence(code, facts, language, profile, self._settings, grouped=grouped)

        try:
            return self._best(clips)
        except (ValueError, KeyError, NoSound):
            words = _spoken_facts(facts, language, profile, self._settings)
        try:
            said = text(code, **words)
        except KeyError as exc:
            raise NoSound(f"there is no sentence {code} of these facts") from exc
        spoken, english = (said.zh, False) if language is Language.ZH else (said.en, True)
        return self._kept(("sentence", spoken), lambda: speech.sentence(spoken, english=english))

    def sentences(self, said: Sequence[tuple[str, Mapping[str, str]]], language: Language) -> bytes:
        """Several sentences, one after the other. Raises NoSound."""
        sounds = [sound for code, facts in said for sound in self._one_after_the_other(code, facts, language)]
        if len(sounds) == 1:
            return sounds[0]
        from hall_daemon import voice_sound  # noqa: PLC0415 - NumPy, as below

        return voice_sound.wav([voice_sound.read_wav(sound) for sound in sounds])

    def _one_after_the_other(self, code: str, facts: Mapping[str, str], language: Language) -> Iterator[bytes]:
        """A page's own words are long, fit the moment only and are not kept; names without English stay Chinese."""
        if "said" not in facts:
            yield self.sentence(code, facts, language)
            return
        runs = _HAN.split(facts["said"]) if language is Language.EN else [facts["said"]]
        try:
            for run in filter(_SAYABLE.search, runs):
                yield speech.sentence(run, english=language is Language.EN and not _HAN.match(run))
        except speech.SpeechError as exc:
            raise NoSound(f"a page has words that cannot be said: {exc}") from exc

    def clip(self, file: str) -> bytes:
        """One clip by its file name. Raises NoSound."""
        return self._shelf.one(file)

    def state(self) -> VoiceState:
        """How complete the clips are."""
        needed = voice_clips.needed(self._profile(), self._settings)
        built = manifest(self._folder)
        broken = {file: why for file in needed if (why := self._shelf.broken(file))}
        recorded = {file for file in needed if (self._folder / RECORDED / file).exists()} - broken.keys()
        missing = sorted(
            file
            for file, clip in needed.items()
            if file not in recorded and (built.get(file) != clip.words or not (self._folder / file).exists())
        )
        return VoiceState(
            engine=built.get("", ""), needed=len(needed), present=len(needed) - len(missing), recorded=len(recorded),
            missing=tuple(missing), broken=tuple(f"{file}: {why}" for file, why in sorted(broken.items())),
        )  # fmt: skip

    def _best(self, clips: Callable[[bool], list[Clip]], *, chime: bool = False) -> bytes:
        """With numbers in one breath, unless the hall has recorded its digits or has no such clip. Raises NoSound."""
        if not (self._folder / RECORDED / "digit-0.zh.wav").exists():
            # A voice that was built before there were such clips, or only in part, goes on with single digits.
            with contextlib.suppress(NoSound):
                return self._shelf.sentence(clips(True), chime=chime)
        return self._shelf.sentence(clips(False), chime=chime)

    @cached_property
    def _shelf(self) -> ClipShelf:
        from hall_daemon.voice_shelf import ClipShelf  # noqa: PLC0415 - NumPy is a tenth of the daemon's start

        return ClipShelf(self._folder)

    def _kept(self, key: tuple[str, ...], speak: Callable[[], bytes]) -> bytes:
        """What espeak-ng has said once it need not say again."""
        with self._lock:
            if key in self._spoken:
                self._spoken.move_to_end(key)
                return self._spoken[key]
        try:
            sound = speak()
        except speech.SpeechError as exc:
            raise NoSound(f"{' '.join(key)}: there are no clips, and {exc}") from exc
        with self._lock:
            self._spoken[key] = sound
            while len(self._spoken) > _MOST_SOUNDS:
                self._spoken.popitem(last=False)
        return sound


def call_text(
    number: str, window: str, zone: str, profile: HallProfile, settings: VoiceSettings, *, short: bool
) -> tuple[str, str]:
    """What is said, in Chinese and English, by a voice that reads sentences; no English where the hall wants none."""
    code = "call.announced_short" if short else "call.announced"
    where = profile.zones[zone].name.zh if zone in profile.zones and settings.zone_first else ""
    spoken = text(code, number=spoken_number(number, settings.one), zone=where, window=window).zh.removeprefix("，")
    english = text(code, number=" ".join(number), zone=where, window=window).en
    return spoken, english if settings.english else ""


def _spoken_facts(
    facts: Mapping[str, str], language: Language, profile: HallProfile, settings: VoiceSettings
) -> dict[str, str]:
    words = dict(facts)
    if "number" in words:
        read = spoken_number(words["number"], settings.one)
        words["number"] = read if language is Language.ZH else " ".join(words["number"])
    if words.get("zone") in profile.zones:
        name = profile.zones[words["zone"]].name
        words["zone"] = name.zh if language is Language.ZH else name.en or words["zone"]
    return words


def manifest(folder: Path) -> dict[str, str]:
    """What was built: words by file; under the empty name, which voice it was."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(file): str(words) for file, words in found.items()} if isinstance(found, dict) else {}
