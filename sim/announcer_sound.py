"""A sound card that is not there: ALSA's own `file` device hands every sample to a loudspeaker made of a process.

Source: the configuration language of ALSA (pcm types `file` and `null`), which the real player reads like that of a
real card. The loudspeaker takes samples as fast as a card would, times `times_faster`; each sound it heard lies in
`heard`, oldest first. No hardware is shown by this: no driver of a card.

That device has no mixer. What `amixer -D <card> sget <control>` prints of one is played by a program of that name which
lies first on the path (format as alsa-utils prints it for a control with one channel).
"""

from __future__ import annotations

import functools
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sim.carriers import Twin

BYTES_A_SECOND = 2 * 22050


_AMIXER = """#!/bin/sh
[ -f "{mixer}" ] || {{ echo "amixer: Unable to find simple control '$4',0" >&2; exit 1; }}
echo "Simple mixer control '$4',0"
exec cat "{mixer}"
"""


@functools.cache
def unavailable() -> str | None:
    """Why no sound can be played here; None if it can."""
    for program, package in (("aplay", "alsa-utils"), ("espeak-ng", "espeak-ng")):
        if shutil.which(program) is None:
            return f"{program} is missing (Debian package {package})"
    return None


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One sound: its samples (mono, 16 bit, little-endian) and whether it was played to its end."""

    samples: bytes

    @property
    def seconds(self) -> float:
        """How long it was."""
        return len(self.samples) / BYTES_A_SECOND


class SoundTwin(Twin):
    """A card with a loudspeaker."""

    carrier = "sound"

    def __init__(self, device: str, options: Mapping[str, object]) -> None:
        super().__init__(device, options)
        self.times_faster = 50.0
        self._folder: Path | None = None

    @property
    def port(self) -> str:
        """What goes into `port` of the device's table."""
        return f"sound:{self._name}"

    def environment(self) -> dict[str, str]:
        """What the process that plays needs in its environment."""
        path = f"{self._files / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {"ALSA_CONFIG_PATH": str(self._files / "asound.conf"), "PATH": path}

    def start(self) -> None:
        """Plug in."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="twin-sound-"))
            self._make_amixer()
        self.recover()

    def stop(self) -> None:
        """Leave nothing behind."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    @property
    def heard(self) -> list[Heard]:
        """Sounds that ended; the moments of silence by which a card is asked are left out."""
        files = sorted(self._files.glob("*.raw"))
        return [Heard(samples=data) for data in (f.read_bytes() for f in files) if data.strip(b"\0")]

    # Faults

    def recover(self) -> None:
        """The card is there, is loud, and plays."""
        self._pace(self.times_faster)
        self._set_mixer(percent=70, on=True)
        loudspeaker = Path(__file__).resolve().with_name("loudspeaker.py")
        sink = f"{sys.executable} -I {loudspeaker} {self._files}"
        self._configure(f'pcm.{self._name} {{ type file slave.pcm "null" format "raw" file "| exec {sink}" }}\n')

    def vanish(self) -> None:
        """The card is pulled: nobody can open it any more."""
        self._configure("")

    def hang(self) -> None:
        """The card takes no samples any more, and its driver never returns."""
        self._pace(0.0)

    def mute(self) -> None:
        """Somebody muted it; the volume stays."""
        self._set_mixer(percent=70, on=False)

    def turn_down(self) -> None:
        """Somebody turned the volume to zero."""
        self._set_mixer(percent=0, on=True)

    def lose_mixer_control(self) -> None:
        """The card has no control of that name any more."""
        (self._files / "mixer").unlink(missing_ok=True)

    @property
    def _name(self) -> str:
        return f"hall_{self.device.replace('-', '_')}"

    @property
    def _files(self) -> Path:
        assert self._folder is not None, "not started"
        return self._folder

    def _make_amixer(self) -> None:
        program = self._files / "bin" / "amixer"
        program.parent.mkdir()
        program.write_text(_AMIXER.format(mixer=self._files / "mixer"), encoding="ascii")
        program.chmod(0o755)

    def _set_mixer(self, *, percent: int, on: bool) -> None:
        told = f"  Mono: Playback {percent * 87 // 100} [{percent}%] [{'on' if on else 'off'}]\n"
        (self._files / "mixer").write_text(told, encoding="ascii")

    def _pace(self, times_faster: float) -> None:
        (self._files / "pace").write_text(str(times_faster), encoding="ascii")

    def _configure(self, card: str) -> None:
        (self._files / "asound.conf").write_text("pcm.null { type null }\n" + card, encoding="utf-8")


TWIN = SoundTwin
