"""`hall-daemon voice`: builds the clips of a hall's voice, and lists which there are."""

from __future__ import annotations

import sys
from argparse import Namespace

from hall_daemon import voice_build, voice_clips, voice_kokoro
from hall_daemon.config import HallConfig
from hall_daemon.texts import text
from hall_daemon.voice import Voice
from hall_daemon.voice_build import Engine, EngineError, EspeakEngine
from hall_daemon.voice_clips import VoiceState


def voice(config: HallConfig, options: Namespace) -> int:
    """Build what is missing, or list it; 1 if the voice is not complete."""
    if options.what == "build":
        try:
            speaker = engine(options.engine)
            needed = voice_clips.needed(config.profile, config.public.voice)
            _print(text("voice_build.begins", engine=speaker.name, folder=config.voice_folder).zh)
            voice_build.build(config.voice_folder, needed, speaker, anew=options.anew, tell=_print)
        except EngineError as exc:
            sys.stderr.write(f"{exc}\n")
            return 1
    state = Voice(config.voice_folder, lambda: config.profile, config.public.voice).state()
    _tell(state)
    return 0 if not state.missing and not state.broken else 1


def engine(wanted: str) -> Engine:
    """The engine that was asked for, or the best one here. Raises EngineError."""
    if wanted == "kokoro" or (wanted == "best" and not voice_kokoro.missing()):
        return voice_kokoro.KokoroEngine()
    return EspeakEngine()


def _tell(state: VoiceState) -> None:
    told = text(
        "voice_build.state", engine=state.engine or "--", present=state.present, needed=state.needed,
        recorded=state.recorded,
    )  # fmt: skip
    _print(f"{told.zh}\n{told.en}")
    for file in (*state.missing, *state.broken):
        _print(f"  {file}")


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - this is the command line
