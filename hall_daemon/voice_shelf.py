"""The clips of a hall as sound: read from the two folders, tidied once, put together to sentences."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path

from hall_daemon import voice_sound
from hall_daemon.voice_clips import CHIME, RECORDED, Clip, NoSound
from hall_daemon.voice_sound import BadSound, Samples

_BETWEEN_S, _AFTER_STOP_S, _AFTER_CHIME_S, _BETWEEN_LANGUAGES_S = 0.04, 0.12, 0.15, 0.35
_MOST_CLIPS = 300
"""Clips that are kept: some 100 KiB each."""


class ClipShelf:
    """What `Voice` takes its sound from; may be asked from any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._clips: OrderedDict[Path, tuple[int, Samples]] = OrderedDict()
        self._lock = threading.Lock()

    def sentence(self, clips: Sequence[Clip], *, chime: bool) -> bytes:
        """As a WAV file. Raises NoSound."""
        spoken = list(self.joined(clips))
        return voice_sound.wav([self._chime(), voice_sound.silence(_AFTER_CHIME_S), *spoken] if chime else spoken)

    def one(self, file: str) -> bytes:
        """One clip by its file name, as a WAV file. Raises NoSound."""
        return voice_sound.wav([self._read(file)])

    def broken(self, file: str) -> str:
        """Why a recording cannot be used; empty if it can, or if there is none."""
        path = self._folder / RECORDED / file
        try:
            voice_sound.tidy(voice_sound.read_wav(path.read_bytes()))
        except FileNotFoundError:
            return ""
        except (OSError, BadSound) as exc:
            return str(exc)
        return ""

    def joined(self, clips: Sequence[Clip]) -> Iterable[Samples]:
        """The clips of a sentence and the gaps between them. Raises NoSound."""
        before: Clip | None = None
        for clip in clips:
            if before is not None:
                yield voice_sound.silence(_gap_s(before, clip))
            yield self._read(clip.file)
            before = clip

    def _chime(self) -> Samples:
        try:
            return self._read(CHIME)
        except NoSound:
            return voice_sound.chime()

    def _read(self, file: str) -> Samples:
        for path in (self._folder / RECORDED / file, self._folder / file):
            try:
                changed = path.stat().st_mtime_ns
                known = self._clips.get(path)
                if known is None or known[0] != changed:
                    known = changed, voice_sound.tidy(voice_sound.read_wav(path.read_bytes()))
                    with self._lock:
                        self._clips[path] = known
                        while len(self._clips) > _MOST_CLIPS:
                            self._clips.popitem(last=False)
                return known[1]
            except (OSError, BadSound):
                continue  # the next folder; `broken` tells of a recording that cannot be used
        raise NoSound(f"there is no clip {file}")


def _gap_s(before: Clip, clip: Clip) -> float:
    """How long to pause between two clips."""
    if before.language is not clip.language:
        return _BETWEEN_LANGUAGES_S
    return _AFTER_STOP_S if before.words.endswith(("，", "。")) else _BETWEEN_S
