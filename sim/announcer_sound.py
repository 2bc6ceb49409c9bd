"""A sound card that is not there: ALSA's own `file` device hands every sample to a loudspeaker made of a process.

Source: the configuration language of ALSA (pcm types `file` and `null`), which the real player reads like that of a
real card. The loudspeaker takes samples as fast as a card would, times `times_faster`; each sound it heard lies in
`heard`, oldest first. No hardware is shown by this: no mixer, no driver of a card.
"""

from __future__ import annotations

import functools
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sim.carriers import Twin

BYTES_A_SECOND = 2 * 22050


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
        return {"ALSA_CONFIG_PATH": str(self._files / "asound.conf")}

    def start(self) -> None:
        """Plug in."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="twin-sound-"))
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
        """The card is there and plays."""
        self._pace(self.times_faster)
        loudspeaker = Path(__file__).resolve().with_name("loudspeaker.py")
        sink = f"{sys.executable} -I {loudspeaker} {self._files}"
        self._configure(f'pcm.{self._name} {{ type file slave.pcm "null" format "raw" file "| exec {sink}" }}\n')

    def vanish(self) -> None:
        """The card is pulled: nobody can open it any more."""
        self._configure("")

    def hang(self) -> None:
        """The card takes no samples any more, and its driver never returns."""
        self._pace(0.0)

    @property
    def _name(self) -> str:
        return f"hall_{self.device.replace('-', '_')}"

    @property
    def _files(self) -> Path:
        assert self._folder is not None, "not started"
        return self._folder

    def _pace(self, times_faster: float) -> None:
        (self._files / "pace").write_text(str(times_faster), encoding="ascii")

    def _configure(self, card: str) -> None:
        (self._files / "asound.conf").write_text("pcm.null { type null }\n" + card, encoding="utf-8")


TWIN = SoundTwin
