"""What a page of a ticket machine may depend on, and what a page is made of. Plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from drivers.base import Condition
from hall_daemon.kiosk_search import Hit
from hall_daemon.kiosk_visit import TakenTicket, Visit
from hall_daemon.profile import HallProfile, Item, Kiosk
from hall_daemon.protocol import Text, ZoneLoad
from hall_daemon.protocol_kiosk import KioskChoice, KioskField, KioskTicket
from hall_daemon.texts import text
from hall_daemon.words import PrintReason, TicketState

NO_TEXT = Text(zh="")


@dataclass(frozen=True, kw_only=True)
class Wait:
    """What people read of an expected wait, in minutes: a range, and one figure for lists; 0 is no wait."""

    low_min: int
    high_min: int
    about_min: int


@dataclass(frozen=True, kw_only=True)
class Booking:
    """An appointment of who stands there. `may` says whether it can be checked in now."""

    appointment_id: str
    item: Item
    start: str
    end: str
    """Hall time HH:MM."""
    may: str = "now"
    """now, early, late"""
    opens: str = ""
    """HH:MM from which it can be checked in."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A one-time notice with which somebody comes back."""

    number: str
    item: Item
    window: str
    missing: tuple[str, ...]
    """Materials still needed."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """All that a page may depend on."""

    kiosk: Kiosk
    profile: HallProfile
    visit: Visit = field(default_factory=Visit)
    ticket: TakenTicket | None = None
    loads: tuple[ZoneLoad, ...] = ()
    common: tuple[str, ...] = ()
    """Item codes, most used first; the order holds for the day."""
    found: tuple[Hit, ...] = ()
    """What the search has found, best first."""
    waits: Mapping[str, Wait] = field(default_factory=dict)
    """Queue → expected wait of somebody who comes now; queues of which nobody can say are missing."""
    open_windows: Mapping[str, int] = field(default_factory=dict)
    """Queue → windows with somebody signed in."""
    guide_code: tuple[str, ...] = ()
    """Rows of the QR code of the item's guide; empty where the hall has no pages for phones."""
    quieter: Text | None = None
    """When somebody would wait much less than now."""
    next_opening: Text | None = None
    hours: Text = NO_TEXT
    bookings: tuple[Booking, ...] = ()
    came_back: Notice | None = None
    refusal: tuple[str, Text] | None = None
    """Why the hall gave no number: code and sentence."""
    trouble: Condition = Condition.CARD_UNREADABLE
    print_reason: PrintReason = PrintReason.PAPER_OUT
    printer_serves: bool = True
    paper_neighbour: Text | None = None
    """Another kiosk that can print now."""
    reader_neighbour: Text | None = None
    """Another kiosk that can read cards now."""
    staff_called: bool = False
    can_call_staff: bool = False
    notice: Text | None = None
    """What the last key or card led to."""
    printer_notices: tuple[Text, ...] = ()
    keypad_notices: tuple[Text, ...] = ()
    reprint: bool = False
    """The slip that is being printed was to come out before."""
    print_waits_for: Condition | None = None
    """What has to pass before the slip can be printed."""
    by_number: bool = False
    """The ticket was found by its number only: whose it is, nobody knows."""

    @property
    def ticket_state(self) -> TicketState:
        """Of the ticket on the screen."""
        return self.ticket.state if self.ticket else TicketState.WAITING


@dataclass(frozen=True, kw_only=True)
class Page:
    """What differs from page to page."""

    step: int = 0
    title: Text
    line: Text = NO_TEXT
    notices: tuple[Text, ...] = ()
    choices: tuple[KioskChoice, ...] = ()
    page: int = 1
    pages: int = 1
    field: KioskField | None = None
    ticket: KioskTicket | None = None
    facts: tuple[tuple[Text, Text], ...] = ()
    materials: tuple[Text, ...] = ()
    zones: tuple[ZoneLoad, ...] = ()
    foot: Text = NO_TEXT
    code: tuple[str, ...] = ()
    keys: tuple[KioskChoice, ...] = ()
    letters: bool = False
    voice: Text | None = None
    """What is said aloud, where that is not title and line."""
    read: tuple[Text, ...] = ()
    """What else stands on the page and is read to those who listen."""
    alone: bool = False
    """Whether `voice` is all that is said: no notices, no keys."""


def choice(key: str, code: str, detail: str = "", **facts: object) -> KioskChoice:
    """Something to choose, in words of the text table."""
    return KioskChoice(key=key, label=text(code, **facts), detail=text(detail) if detail else NO_TEXT)


def keys(**codes: str) -> tuple[KioskChoice, ...]:
    """Navigation keys in the order in which they are drawn; help is always there."""
    return tuple(choice(key, f"kiosk.key.{code}") for key, code in {**codes, "help": "help"}.items())


def turning(pages: int) -> dict[str, str]:
    """Keys of a list that has several pages."""
    return {"*": "previous", "#": "more"} if pages > 1 else {}


def about(wait: Wait | None) -> Text:
    """One figure for lists."""
    if wait is None:
        return NO_TEXT
    return text("kiosk.wait.none") if wait.high_min == 0 else text("kiosk.wait.about", n=wait.about_min)


def ranged(wait: Wait | None) -> Text:
    """The range for check page and ticket."""
    if wait is None:
        return text("kiosk.wait.unknown")
    if wait.high_min == 0:
        return text("kiosk.wait.none")
    return text("kiosk.wait.range", low=wait.low_min, high=wait.high_min)


def several(place: int, count: int, per_page: int) -> tuple[int, int]:
    """Number of pages, and the place of the first entry on the page that is open."""
    return max(1, -(-count // per_page)), (place - 1) * per_page
