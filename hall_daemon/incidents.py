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
from hall_daemon.protocol_technician import Health, worst
from hall_daemon.texts import TEXTS, text

MOST_KEPT = 2000
OFFLINE, DISABLED, CONNECTING, DOUBLE = "offline", "disabled", "connecting", "double"
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


AMBER = frozenset({OFFLINE, Condition.COVER_OPEN.value, Condition.HEAD_HOT.value, Condition.KEYS_STUCK.value})
"""Serve nobody, and are amber all the same: somebody else takes their place at once, or they end by themselves.

Source: faults.md, column O of A04, A07, A10, A11, A16 and A18; red in A01, A03 and A26.
"""


def troubles_of(link: str, conditions: Iterable[str], *, double: bool = False) -> frozenset[str]:
    """What is wrong with a device in this state; being opened is not known to be wrong yet."""
    if link in (OFFLINE, DISABLED):
        return frozenset({DOUBLE if double and link == OFFLINE else link})
    return frozenset(conditions) - AS_IT_WAITS


def troubles_in(view: DeviceView) -> frozenset[str]:
    """What a view shows to be wrong."""
    return troubles_of(view.link, view.conditions, double=view.double)


def _keeps_from_serving(what: str) -> bool:
    return what not in set(Condition) or Condition(what).blocks


def is_lost(view: DeviceView) -> bool:
    """Whether a device that should serve cannot, whatever the colour of its trouble."""
    return view.link != DISABLED and any(map(_keeps_from_serving, troubles_in(view)))


def health_of(what: str) -> Health:
    """Colour of one trouble: red is to be seen to now, amber today."""
    if what == DISABLED:
        return Health.OFF
    return Health.BAD if _keeps_from_serving(what) and what not in AMBER else Health.WARN


def name_of(what: str) -> Text:
    """A trouble in a word or two."""
    return text(f"trouble.{what}") if f"trouble.{what}" in TEXTS else Text(zh=what, en=what)


_FIRST = (
    OFFLINE,
    DOUBLE,
    DISABLED,
    Condition.COVER_OPEN,
    Condition.PAPER_OUT,
    Condition.PAPER_JAM,
    Condition.CUTTER_ERROR,
)


def worst_of(troubles: Iterable[str]) -> str:
    """The trouble to see to first; "" if there is none."""

    def order(what: str) -> tuple[bool, int, str]:
        place = _FIRST.index(what) if what in _FIRST else len(_FIRST)
        return not _keeps_from_serving(what), place, what

    return min(troubles, key=order, default="")


def health(view: DeviceView) -> Health:
    """How a device is."""
    if view.link == CONNECTING:
        return Health.BUSY
    return worst(tuple(map(health_of, troubles_in(view))))


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
