"""Shapes about the catalogue and the service day that cross the wire."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hall_daemon.protocol import Text
from hall_daemon.words import ClerkId, Frozen

TECHNICIAN = "technician"
"""Who acted, where the screen does not say."""


class CatalogueFinding(Frozen):
    """One thing that is wrong with a catalogue."""

    code: str
    subject: str
    text: Text


class CatalogueEntry(Frozen):
    """A catalogue that came, and what became of it."""

    version: int
    source: Literal["province", "file"]
    state: Literal["active", "staged", "held", "refused", "rejected", "past"]
    state_text: Text
    urgent: bool
    effective_at: str
    content_sm3: str
    received: str
    activated: str
    decided_by: str
    findings: tuple[CatalogueFinding, ...]
    more_findings: int = 0
    """How many there are beyond those listed."""


class SuspendedItem(Frozen):
    """An item that takes no new numbers, and who waits for it."""

    item: str
    name: Text
    by_hall: bool
    """Suspended here and not by the catalogue: can be resumed here."""
    reason: str
    waiting: tuple[str, ...]


class CatalogueView(Frozen):
    """The catalogue in force and what waits to replace it."""

    version: int
    items: int
    entries: tuple[CatalogueEntry, ...]
    suspended: tuple[SuspendedItem, ...]
    unplaced: tuple[str, ...]
    """Items that no window takes."""


class DecideCatalogue(Frozen):
    """A person takes or rejects a catalogue that is held."""

    by: ClerkId = TECHNICIAN


class SuspendItem(Frozen):
    """Take no new numbers for an item until the day ends."""

    by: ClerkId = TECHNICIAN
    reason: str = Field(min_length=1, max_length=200)


class ResumeItem(Frozen):
    """Give numbers for it again."""

    by: ClerkId = TECHNICIAN


class DayView(Frozen):
    """The service day as it stands."""

    bizdate: str
    state: Literal["closed", "opening", "open", "draining", "halted"]
    state_text: Text
    planned_close: str
    """Empty: nobody has planned one."""
    next_opening: Text
    halted_until: str
    waiting: int
    called: int
    parked: int
    no_show: int
    question: Text | None = None
    """What a person must decide before the day can go on."""
    checks: tuple[Text, ...] = ()
    """What the self-test at opening found."""
    notices: tuple[Text, ...] = ()
    """What else whoever looks after the day should know: not closed, made up for, power failing."""


class ByStaff(Frozen):
    """A step of the day that a person takes."""

    by: ClerkId = TECHNICIAN


class CloseDay(ByStaff):
    """Close the day; the counts are those that the person has seen."""

    waiting: int | None = Field(default=None, ge=0)
    called: int = Field(default=0, ge=0)
    parked: int = Field(default=0, ge=0)


class PowerNews(ByStaff):
    """What the UPS says."""

    failing: bool


class EmergencyClose(ByStaff):
    """紧急闭厅."""

    reason: str = Field(min_length=1, max_length=200)
    tickets: Literal["valid_2h", "priority_next_day"] = "valid_2h"


class CheckInByCode(Frozen):
    """A clerk checks in somebody who shows the code of a text message."""

    code6: str = Field(pattern=r"^[0-9A-Za-z]{4,16}$")
    request_id: str = Field(min_length=8, max_length=64)
    item: str = ""
    """Wanted where the list of this hall does not have the code: what the resident says it is for."""
    by: ClerkId = TECHNICIAN
