"""Time that passes only when somebody waits: what a driver or twin waits for costs nothing, and how long is known.

Drivers and twins use their own `time` and `threading` modules by name; both are replaced there, nowhere else, while an
input is being run.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any

MOST_LOOKS = 200_000
"""Looks at the clock without anybody waiting; more than this is a loop that waits for a time that never comes."""


class Hang(Exception):
    """What runs does not come to an end by itself."""


class StillTime:
    """The clock of one process; seconds."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self._looks = 0

    def begin(self) -> None:
        """A new input begins."""
        self._looks = 0

    def monotonic(self) -> float:
        """Each look takes a microsecond, so that a loop until a time ends."""
        self._looks += 1
        if self._looks > MOST_LOOKS:
            raise Hang(f"looked {MOST_LOOKS} times at the clock")
        self.now_s += 1e-6
        return self.now_s

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += max(0.0, seconds)


class _Timer:
    """A timer that never goes off: what a twin would do later is no part of this input."""

    daemon = True

    def __init__(self, _after_s: float, _do: Callable[..., object], *_more: object) -> None:
        self.name = "still"

    def start(self) -> None:
        """Nothing."""

    def cancel(self) -> None:
        """Nothing."""

    def join(self, _limit_s: float | None = None) -> None:
        """Nothing."""

    def is_alive(self) -> bool:
        """Never."""
        return False


CLOCK = StillTime()
_TIME = SimpleNamespace(
    monotonic=CLOCK.monotonic, time=CLOCK.monotonic, perf_counter=CLOCK.monotonic, sleep=CLOCK.wait,
    strftime=time.strftime, localtime=time.localtime,
)  # fmt: skip
_THREADING = SimpleNamespace(
    Timer=_Timer, Thread=threading.Thread, RLock=threading.RLock, Lock=threading.Lock, Event=threading.Event,
    Condition=threading.Condition,
)  # fmt: skip


def _ours() -> list[ModuleType]:
    return [m for name, m in list(sys.modules.items()) if name.startswith(("drivers.", "sim.")) and m is not None]


@contextmanager
def still_time() -> Iterator[StillTime]:
    """While inside, drivers and twins live in still time."""
    replaced: list[tuple[ModuleType, str, Any]] = []  # Any: a module's attribute
    for module in _ours():
        for name, real, ours in (("time", time, _TIME), ("threading", threading, _THREADING)):
            if getattr(module, name, None) is real:
                replaced.append((module, name, real))
                setattr(module, name, ours)
    try:
        yield CLOCK
    finally:
        for module, name, real in replaced:
            setattr(module, name, real)
