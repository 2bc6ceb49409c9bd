"""Make the clips of a hall's voice, once: `hall-daemon voice build`.

Two engines. Kokoro (voice_kokoro.py), a neural voice, where its packages are installed (`make voice`); espeak-ng else,
which is plain and mechanical. Clips that say what they should are left alone; recordings of people are never touched.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from drivers import speech
from hall_daemon import voice_sound
from hall_daemon.voice import MANIFEST, manifest
from hall_daemon.voice_clips import CHIME, RECORDED, Clip, Language
from hall_daemon.voice_sound import Samples

WORD_LIST = "clips.txt"


class Engine(Protocol):
    """Something that speaks."""

    name: str

    def say(self, words: str, language: Language) -> Samples:
        """The words, spoken. Raises EngineError."""


class EngineError(Exception):
    """This engine cannot speak here, or not these words."""


class EspeakEngine:
    """The voice of espeak-ng."""

    name = "espeak-ng"

    def say(self, words: str, language: Language) -> Samples:
        """Raises EngineError."""
        try:
            return voice_sound.read_wav(speech.sentence(words, english=language is Language.EN))
        except (speech.SpeechError, voice_sound.BadSound) as exc:
            raise EngineError(f"{words}: {exc}") from exc


def build(
    folder: Path, needed: dict[str, Clip], engine: Engine, *, anew: bool = False, tell: Callable[[str], None] = print
) -> int:
    """Write what is missing or says something else by now; how many clips. Raises EngineError, OSError."""
    (folder / RECORDED).mkdir(parents=True, exist_ok=True)
    known = manifest(folder)
    if anew or known.get("") != engine.name:
        known = {"": engine.name}
    (folder / CHIME).write_bytes(voice_sound.wav([voice_sound.chime()]))
    (folder / WORD_LIST).write_text("".join(_lines(needed)), encoding="utf-8")
    due = [c for f, c in needed.items() if known.get(f) != c.words or not (folder / f).exists()]
    for done, clip in enumerate(due, start=1):
        sound = voice_sound.tidy(engine.say(clip.words, clip.language))
        _write(folder / clip.file, voice_sound.wav([sound]))
        known[clip.file] = clip.words
        if done % 50 == 0 or done == len(due):
            _write(folder / MANIFEST, json.dumps(known, ensure_ascii=False, indent=0).encode())
            tell(f"{done}/{len(due)}")
    _write(folder / MANIFEST, json.dumps(known, ensure_ascii=False, indent=0).encode())
    return len(due)


def _lines(needed: dict[str, Clip]) -> Iterator[str]:
    """The list for whoever records the clips: file, then what to say."""
    yield f"# Recordings go into {RECORDED}/, under these names: WAV, 16 bit, mono or stereo, any rate.\n"
    for file, clip in needed.items():
        spelled = clip.name.removeprefix("letter-") if clip.name.startswith("letter-") else clip.words
        yield f"{file}\t{spelled.replace(' ', '') if clip.language is Language.ZH else spelled}\n"


def _write(path: Path, data: bytes) -> None:
    """Whole or not at all: the daemon may be reading."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_bytes(data)
    fresh.replace(path)
