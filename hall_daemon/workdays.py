"""Which days are worked, and when a promised time ends. Pure.

The week decides, Monday to Friday, unless the calendar of the catalogue says otherwise of a day: public holidays, and
the weekends worked for them (调休). Source: province.md §7.6 (calendar), domain.md §5 (day 1 is the next workday).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

DayUnit = Literal["workday", "day"]
_SATURDAY = 5
_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """The days of which the week does not decide."""

    exceptions: Mapping[date, bool] = field(default_factory=dict)
    """Day → whether it is worked."""

    def works(self, day: date) -> bool:
        """Whether it is a workday."""
        return self.exceptions.get(day, day.weekday() < _SATURDAY)

    def from_week(self, day: date) -> bool:
        """Whether the week decides of this day."""
        return day not in self.exceptions

    def next_workday(self, day: date) -> date:
        """The first workday after this day."""
        return self.first_workday(day + _DAY)

    def first_workday(self, day: date) -> date:
        """This day if it is worked, else the next that is."""
        # Nobody declares a year of holidays; a calendar that does is wrong, and a deadline must still come out.
        for ahead in range(366):
            if self.works(day + ahead * _DAY):
                return day + ahead * _DAY
        return day

    def due(self, accepted: date, days: int, unit: DayUnit = "workday") -> date:
        """Last day of a promised time that begins on the day after acceptance; no days: the same day.

        Calendar days that end on a day without work end on the next workday. Source: Civil Code article 203.
        """
        if days <= 0:
            return accepted
        if unit == "day":
            return self.first_workday(accepted + days * _DAY)
        due = accepted
        for _ in range(days):
            due = self.next_workday(due)
        return due

    def covers(self, day: date) -> bool:
        """Whether the calendar knows the holidays of that day's year; a due date beyond it may still move."""
        return any(known.year == day.year for known in self.exceptions)
