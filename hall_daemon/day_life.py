"""Where the service day stands, and why no number is given now. Decides no step: service_day does.

The day's row says what must survive a restart (open, draining, halted); opening hours say the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from hall_daemon.clock import china_date, hour_minute
from hall_daemon.opening import DayState, Hours
from hall_daemon.protocol import Text
from hall_daemon.tables import DayRow
from hall_daemon.texts import say, text
from hall_daemon.tickets import Draining, HallClosed, HallError, Halted, NotNow
from hall_daemon.workdays import Calendar


@dataclass(kw_only=True)
class DayLife:
    """The latest service day as everybody but its verbs sees it."""

    hours: Hours = field(default_factory=Hours)
    bizdate: str = ""
    open: bool = False
    opening: bool = False
    """The hall prepares for the day: self-test, no numbers yet."""
    draining: bool = False
    halted_until_ms: int | None = None
    planned_close_ms: int | None = None
    question: Text | None = None
    """What a person must decide before the day can go on."""
    checks: tuple[Text, ...] = ()
    """What the self-test at opening found; empty if all is well."""
    made_up: Text | None = None
    """That a forgotten closing was made up for, and what it ended."""
    power_failing: bool = False
    """The hall runs on its UPS: nobody is called and nothing is scanned. Over with the power, or with this run."""

    def take(self, row: DayRow | None) -> None:
        """The day's row as it is now."""
        self.bizdate = row.bizdate if row is not None else ""
        self.open = row is not None and row.closed_ms is None
        self.draining = self.open and row is not None and row.draining_ms is not None
        self.halted_until_ms = row.halted_until_ms if row is not None and self.open else None
        self.planned_close_ms = row.planned_close_ms if row is not None else None
        if self.open:
            self.opening = False

    @property
    def state(self) -> DayState:
        """One word for all."""
        if not self.open:
            return DayState.OPENING if self.opening else DayState.CLOSED
        if self.halted_until_ms is not None:
            return DayState.HALTED
        return DayState.DRAINING if self.draining else DayState.OPEN

    def notices(self, now_ms: int) -> tuple[Text, ...]:
        """What whoever looks after the day should know, beside the question and the checks."""
        found = [text("day.power_failing")] if self.power_failing else []
        if self.open and self.bizdate < china_date(now_ms).isoformat():
            found.append(text("day.not_closed", bizdate=self.bizdate))
        return (*found, self.made_up) if self.made_up is not None else tuple(found)

    def refusal(self, now_ms: int, calendar: Calendar) -> HallError | None:
        """Why no number is given now; None: one is."""
        opens = self.next_opening(now_ms, calendar)
        if not self.open:
            return NotNow(opens=opens) if self.hours.known else HallClosed()
        if self.halted_until_ms is not None:
            return Halted(until=hour_minute(self.halted_until_ms))
        if self.draining:
            return Draining(opens=opens)
        plan = self.hours.plan_at(now_ms, calendar) if self.hours.known else None
        if self.hours.known and (plan is None or not plan.open_at(now_ms)):
            return NotNow(opens=opens)
        return None

    def next_opening(self, now_ms: int, calendar: Calendar) -> Text:
        """When numbers are given next, as a person says it: 1月5日 08:30."""
        found = self.hours.next_opening_ms(now_ms, calendar) if self.hours.known else None
        if found is None:
            return text("day.opens_unknown")
        day = china_date(found)
        if day == china_date(now_ms):
            named = text("day.today")
        else:
            named = Text(zh=f"{day.month}月{day.day}日", en=f"{day:%-d %b}")
        return say("day.opens_at", day=named, time=hour_minute(found))
