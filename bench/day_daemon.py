"""The daemon on the clock of a simulated day: it runs as it always does, only the time is given.

    HALL_DAY_CLOCK=FILE python -m bench.day_daemon run --config devices.toml

The file holds the time of the day in milliseconds since 1970, eight bytes; whoever plays the day moves it on. No option
of the daemon leads here: the clock of hall_daemon/clock.py is replaced in this process before the daemon is made.
"""

from __future__ import annotations

import mmap
import os
import struct
from functools import partial
from pathlib import Path
from typing import Any

from hall_daemon import __main__, app
from hall_daemon.clock import Clock

_MS = struct.Struct("<q")


class DayClock(Clock):
    """Stands until whoever plays the day moves it."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        with file.open("r+b") as opened:
            self._shared = mmap.mmap(opened.fileno(), _MS.size)

    def now_ms(self) -> int:
        now: int = _MS.unpack(self._shared[: _MS.size])[0]
        return now

    def monotonic_s(self) -> float:
        return self.now_ms() / 1000

    def move_to(self, now_ms: int) -> None:
        """For whoever plays the day."""
        self._shared[: _MS.size] = _MS.pack(now_ms)


def new_clock(file: Path, now_ms: int) -> DayClock:
    """A clock file that stands at a time."""
    file.write_bytes(_MS.pack(now_ms))
    return DayClock(file)


if __name__ == "__main__":
    rooms: Any = app  # a name of the module, replaced as a whole
    rooms.Clock = partial(DayClock, Path(os.environ["HALL_DAY_CLOCK"]))
    raise SystemExit(__main__.main())
