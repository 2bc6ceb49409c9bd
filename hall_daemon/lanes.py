"""Lanes of a queue: who may go before others, by how much, and when an appointment may check in. Pure.

Source: domain.md §8 (lanes, bonuses), §10 and province.md §7.7 (appointments, grace).
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from hall_daemon.words import Lane, Priority

PRIORITY_BONUS_MS = 20 * 60 * 1000
"""Elder, disabled, pregnant, serviceman or veteran, green (back with the papers): as if come so much earlier."""
SLOT_BONUS_MS = 60 * 60 * 1000
"""An appointment stands where somebody stands who came an hour before its slot."""
EARLY_MS = 30 * 60 * 1000
LATE_MS = 15 * 60 * 1000
LONGEST_BONUS_MS = SLOT_BONUS_MS + LATE_MS
"""Nobody gains more: who checks in late in a long slot gains as much as at the end of the grace of a short one."""


def lane_of(priority: Priority) -> Lane:
    """The number series of a priority."""
    if priority is Priority.NORMAL:
        return Lane.NORMAL
    return Lane.APPOINTMENT if priority is Priority.APPOINTMENT else Lane.PRIORITY


def virtual_arrival_ms(arrived_ms: int, priority: Priority) -> int:
    """Arrival less the bonus; an appointment's is `slot_arrival_ms`."""
    return arrived_ms - PRIORITY_BONUS_MS if lane_of(priority) is Lane.PRIORITY else arrived_ms


def age_on(birth: date, day: date) -> int:
    """Full years; who was born on 29 February is a year older on 1 March."""
    return day.year - birth.year - ((day.month, day.day) < (birth.month, birth.day))


def birth_of(id_no: str) -> date | None:
    """Date of birth in an 18-character resident ID number; None if there is none (GB 11643)."""
    try:
        return date(int(id_no[6:10]), int(id_no[10:12]), int(id_no[12:14])) if len(id_no) == 18 else None
    except ValueError:
        return None


def reached(birth: date | None, day: date, from_age: int) -> bool:
    """Whether somebody is that old, in full years; nobody is where the hall has set 0."""
    return birth is not None and from_age > 0 and age_on(birth, day) >= from_age


def priority_of(asked: Priority, birth: date | None, day: date, from_age: int) -> Priority:
    """What was asked for; by itself an elder, if the document says so. 0: age gives no priority."""
    return Priority.ELDER if asked is Priority.NORMAL and reached(birth, day, from_age) else asked


class CheckIn(StrEnum):
    """How an appointment stands to its slot."""

    EARLY = "early"
    ON_TIME = "on_time"
    LATE = "late"


def check_in(now_ms: int, slot_start_ms: int, slot_end_ms: int) -> CheckIn:
    """From 30 minutes before the slot to 15 minutes after it; wall clock."""
    if now_ms < slot_start_ms - EARLY_MS:
        return CheckIn.EARLY
    return CheckIn.ON_TIME if now_ms <= slot_end_ms + LATE_MS else CheckIn.LATE


def slot_in_open_time_ms(open_ms: int, now_ms: int, slot_start_ms: int) -> int:
    """When the slot begins, in open time."""
    return open_ms + (slot_start_ms - now_ms)


def slot_arrival_ms(open_ms: int, slot_open_ms: int) -> int:
    """Virtual arrival of an appointment that checks in at `open_ms`: an hour before its slot, within the limit."""
    return max(slot_open_ms - SLOT_BONUS_MS, open_ms - LONGEST_BONUS_MS)
