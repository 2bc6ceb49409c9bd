"""Opening hours: when a service day begins and ends, by weekday, holiday and worked weekend. Pure.

A service day is the date on which it opens; a span that ends before it begins ends on the next date (evening service).
Source: domain.md §9 (hours, day states), §8 (cut-off); faults C04, C05.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

from hall_daemon.clock import china_date, day_ms
from hall_daemon.workdays import Calendar

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MINUTE_MS = 60_000
_DAY = timedelta(days=1)
_LOOK_AHEAD_DAYS = 40
"""Longer than any row of holidays."""


class DayState(StrEnum):
    """Where the service day stands. Source: domain.md §9."""

    CLOSED = "closed"
    OPENING = "opening"
    OPEN = "open"
    DRAINING = "draining"
    HALTED = "halted"
    """An emergency: nobody is called and no numbers are given, those that are out stay valid for a while."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """Minutes after the beginning of the date; `end` may lie on the next date."""

    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A service day as it is meant to be; wall clock, milliseconds."""

    bizdate: str
    spans: tuple[tuple[int, int], ...]

    @property
    def opens_ms(self) -> int:
        """When the first number is given."""
        return self.spans[0][0]

    @property
    def closes_ms(self) -> int:
        """After this no number is given."""
        return self.spans[-1][1]

    def open_at(self, now_ms: int) -> bool:
        """Whether numbers are given now; not in the break."""
        return any(start <= now_ms < end for start, end in self.spans)

    def break_ends_ms(self, now_ms: int) -> int | None:
        """When it goes on after the break that it is in now; None: it is in none."""
        if now_ms < self.opens_ms or self.open_at(now_ms):
            return None
        return next((start for start, _ in self.spans if start > now_ms), None)


@dataclass(frozen=True, kw_only=True)
class Hours:
    """When the hall is open. Without any hours it is open for as long as nobody closes it."""

    workday: tuple[Span, ...] = ()
    own: Mapping[int, tuple[Span, ...]] = field(default_factory=dict)
    """Weekday, Monday 0 → its own hours, where they differ."""
    holiday: tuple[Span, ...] = ()
    """On holidays, and on weekends without hours of their own."""
    early_min: int = 30
    """So long before the first number the hall begins to open."""

    @property
    def known(self) -> bool:
        """Whether the hall has hours at all."""
        return bool(self.workday or self.own or self.holiday)

    def plan(self, day: date, calendar: Calendar) -> Plan | None:
        """The service day of a date; None if the hall stays closed."""
        spans = self._spans(day, calendar)
        begin_ms = day_ms(day.isoformat())
        times = tuple((begin_ms + s.start * _MINUTE_MS, begin_ms + s.end * _MINUTE_MS) for s in spans)
        return Plan(bizdate=day.isoformat(), spans=times) if times else None

    def _spans(self, day: date, calendar: Calendar) -> tuple[Span, ...]:
        if calendar.from_week(day) and day.weekday() in self.own:
            return self.own[day.weekday()]
        return self.workday if calendar.works(day) else self.holiday

    def plan_at(self, now_ms: int, calendar: Calendar) -> Plan | None:
        """The service day that now belongs to, from its opening on; the evening before counts first."""
        today = china_date(now_ms)
        for day in (today - _DAY, today):
            plan = self.plan(day, calendar)
            if plan is not None and plan.opens_ms - self.early_min * _MINUTE_MS <= now_ms < plan.closes_ms:
                return plan
        return None

    def next_opening_ms(self, now_ms: int, calendar: Calendar) -> int | None:
        """When numbers are given next; None if that is not in sight."""
        day = china_date(now_ms) - _DAY
        for _ in range(_LOOK_AHEAD_DAYS):
            plan = self.plan(day, calendar)
            found = [start for start, _ in plan.spans if start > now_ms] if plan is not None else []
            if found:
                return found[0]
            day += _DAY
        return None
