"""What was wrong with which device, from when to when. Kept in memory, bounded; pure but for what it keeps.

An incident is one thing that holds for a while: the link is lost, the device is switched off, or one condition. It
begins when the device's view first shows it and ends when the view no longer does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

from drivers.base import Condition
from hall_daemon.protocol import DeviceView, Text
from hall_daemon.protocol_technician import Health
from hall_daemon.texts import TEXTS, text

MOST_KEPT = 2000
OFFLINE, DISABLED, CONNECTING = "offline", "disabled", "connecting"
AS_IT_WAITS = frozenset({Condition.FEEDER_EMPTY.value})
"""A scanner without paper in its feeder is as it should be."""


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """An incident as it is kept; times in wall-clock milliseconds."""

    device: str
    what: str
    began_ms: int
    ended_ms: int | None = None
    from_log: bool = False

    def lasted_ms(self, now_ms: int) -> int:
        """How long it lasted, or lasts."""
        return max(0, (now_ms if self.ended_ms is None else self.ended_ms) - self.began_ms)


def troubles_of(link: str, conditions: Iterable[str]) -> frozenset[str]:
    """What is wrong with a device in this state; being opened is not known to be wrong yet."""
    if link in (OFFLINE, DISABLED):
        return frozenset({link})
    return frozenset(conditions) - AS_IT_WAITS


def health_of(what: str) -> Health:
    """How bad one trouble is."""
    if what == DISABLED:
        return Health.OFF
    if what in set(Condition) and not Condition(what).blocks:
        return Health.WARN
    return Health.BAD


def name_of(what: str) -> Text:
    """A trouble in a word or two."""
    return text(f"trouble.{what}") if f"trouble.{what}" in TEXTS else Text(zh=what, en=what)


_URGENCY = (Health.BAD, Health.WARN, Health.OFF)
_FIRST = (OFFLINE, DISABLED, Condition.COVER_OPEN, Condition.PAPER_OUT, Condition.PAPER_JAM, Condition.CUTTER_ERROR)


def worst_of(troubles: Iterable[str]) -> str:
    """The trouble to see to first; "" if there is none."""

    def order(what: str) -> tuple[int, int, str]:
        place = _FIRST.index(what) if what in _FIRST else len(_FIRST)
        return _URGENCY.index(health_of(what)), place, what

    return min(troubles, key=order, default="")


def health(view: DeviceView) -> Health:
    """How a device is."""
    if view.link == CONNECTING:
        return Health.BUSY
    first = worst_of(troubles_of(view.link, view.conditions))
    return health_of(first) if first else Health.OK


class Incidents:
    """All that is remembered of one hall's devices."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._over: deque[Trouble] = deque(maxlen=most)
        self._open: dict[tuple[str, str], Trouble] = {}

    def note(self, device: str, troubles: frozenset[str], now_ms: int, *, from_log: bool = False) -> None:
        """Take note of what is wrong with a device now; what is no longer in the set is over."""
        for key in [key for key in self._open if key[0] == device and key[1] not in troubles]:
            self._over.append(replace(self._open.pop(key), ended_ms=now_ms))
        for what in sorted(troubles):
            new = Trouble(device=device, what=what, began_ms=now_ms, from_log=from_log)
            self._open.setdefault((device, what), new)

    def all(self, since_ms: int = 0) -> list[Trouble]:
        """Those that hold or ended after since_ms, newest first."""
        kept = [t for t in self._over if (t.ended_ms or 0) >= since_ms]
        return sorted([*kept, *self._open.values()], key=lambda t: (t.began_ms, t.device, t.what), reverse=True)

    def of(self, device: str, since_ms: int = 0) -> list[Trouble]:
        """Those of one device."""
        return [t for t in self.all(since_ms) if t.device == device]

    def holding(self, device: str) -> dict[str, Trouble]:
        """What is wrong with a device now."""
        return {what: trouble for (name, what), trouble in self._open.items() if name == device}
