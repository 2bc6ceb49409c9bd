"""What the last 30 days say of this hall: what it is asked for most, and at which hours people wait least.

Asked once a service day for all kiosks; what is found holds for the day, so that hands can learn it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from sqlalchemy import text as sql
from sqlmodel import Session, col, func, select

from hall_daemon.hall import Hall
from hall_daemon.profile import HallProfile
from hall_daemon.settings import MOST_PINNED
from hall_daemon.tables import TicketRow

DAYS = 30
LONG_WAIT_MIN = 30
"""Who would wait longer is told of a quieter time (ux.md §3.2)."""
ENOUGH = 20
"""Numbers of an hour, over the days, below which nothing is said of it."""
CALMER = 0.5
"""So much of the wait of now is quieter."""
_HOUR_MS, _CHINA_HOURS = 3_600_000, 8
_WAITED = sql(
    "SELECT queue, (issued_ms / :hour + :east) % 24 AS h, avg(called_ms - issued_ms) / 60000.0 FROM ticket "
    "WHERE bizdate >= :first AND bizdate < :today AND called_ms IS NOT NULL AND appointment_id IS NULL "
    "GROUP BY queue, h HAVING count(*) >= :enough"
)


@dataclass(frozen=True, kw_only=True)
class Quiet:
    """An hour at which people wait less than now."""

    hour: int
    today: bool
    """It is still to come today; else it is so on other days."""
    wait_min: float


@dataclass(frozen=True, kw_only=True)
class Found:
    """What one look at the past has found."""

    common: tuple[str, ...] = ()
    """Item codes, most asked for first."""
    waited: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    """Queue → hour of the day → mean minutes from the number to its call."""


class Past:
    """Remembers what was found for the day."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._found: tuple[str, HallProfile, Found] | None = None
        self._looking = asyncio.Lock()

    async def look(self) -> Found:
        """The same all day, until the catalogue changes."""
        async with self._looking:
            profile, today = self._hall.profile, self._hall.clock.today().isoformat()
            if self._found is None or self._found[0] != today or self._found[1] is not profile:
                pinned = self._hall.config.public.residents.pinned_items
                found = await self._hall.store.read(lambda session: _read(session, today, profile, pinned))
                self._found = today, profile, found
            return self._found[2]


def _read(session: Session, today: str, profile: HallProfile, pinned: Sequence[str]) -> Found:
    return Found(common=in_order(profile, asked_for(session, today), pinned), waited=waited(session, today))


def asked_for(session: Session, today: str) -> dict[str, int]:
    """How often a number was taken for each item in the DAYS before today; today does not change the order."""
    question = (
        select(TicketRow.item, func.count())
        .where(TicketRow.bizdate >= _first(today), TicketRow.bizdate < today)
        .group_by(col(TicketRow.item))
    )
    return dict(session.exec(question).all())


def waited(session: Session, today: str) -> dict[str, dict[int, float]]:
    """Queue → hour → mean wait in minutes over the DAYS before today, where enough numbers were called."""
    facts = {"hour": _HOUR_MS, "east": _CHINA_HOURS, "first": _first(today), "today": today, "enough": ENOUGH}
    found: dict[str, dict[int, float]] = {}
    for queue, hour, minutes in session.connection().execute(_WAITED, facts):
        found.setdefault(queue, {})[hour] = minutes
    return found


def _first(today: str) -> str:
    return (date.fromisoformat(today) - timedelta(days=DAYS)).isoformat()


def in_order(profile: HallProfile, asked: Mapping[str, int], pinned: Sequence[str] = ()) -> tuple[str, ...]:
    """All items with a code: what the hall has pinned, then what is asked for most, then as the catalogue has them."""
    offered = [item.code for item in profile.items.values() if item.codes]
    first = [code for code in pinned if code in offered][:MOST_PINNED]
    rest = [code for code in offered if code not in first]
    return (*first, *sorted(rest, key=lambda code: -asked.get(code, 0)))


def quieter(
    waited: Mapping[int, float], now_hour: int, wait_min: float, open_at: Callable[[int], bool]
) -> Quiet | None:
    """The calmest hour: of those to come today (`open_at` says of an hour whether the hall works then), else of any.

    None if now is not long to wait, or no hour is much quieter.
    """
    if wait_min <= LONG_WAIT_MIN:
        return None
    calm = {hour: minutes for hour, minutes in waited.items() if minutes <= wait_min * CALMER}
    later = {hour: minutes for hour, minutes in calm.items() if hour > now_hour and open_at(hour)}
    offered = later or {hour: minutes for hour, minutes in calm.items() if hour != now_hour}
    if not offered:
        return None
    best = min(sorted(offered), key=lambda hour: offered[hour])
    return Quiet(hour=best, today=bool(later), wait_min=offered[best])
