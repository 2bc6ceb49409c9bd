"""How long something takes where nobody else wants the processor: a limit of the bench is no bet on an idle machine."""

import time
from pathlib import Path

_PRESSURE = Path("/proc/pressure/cpu")


class Stopwatch:
    """Runs from the moment it is made."""

    def __init__(self) -> None:
        self._began_s, self._starved_s = time.monotonic(), _starved_s()

    @property
    def wall_s(self) -> float:
        """Seconds since then."""
        return time.monotonic() - self._began_s

    @property
    def s(self) -> float:
        """The same without the time in which anybody on this machine waited for a processor."""
        return self.wall_s - (_starved_s() - self._starved_s)

    def is_over(self, limit_s: float) -> bool:
        """Whether something should have come by now; where processors are never free, after a minute all the same."""
        return self.s > limit_s or self.wall_s > max(limit_s, 60.0)


def _starved_s() -> float:
    """Source: Linux, Documentation/accounting/psi.rst; without it (before 4.20) what this process itself waited."""
    try:
        some = _PRESSURE.read_text(encoding="ascii").splitlines()[0]
        return int(some.rpartition("=")[2]) / 1e6
    except OSError:
        delays = (task.read_text(encoding="ascii").split()[1] for task in Path("/proc/self/task").glob("*/schedstat"))
        return sum(map(int, delays)) / 1e9
