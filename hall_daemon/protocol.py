"""What crosses the wire between the daemon and its screens: views and requests.

A view is one complete page of a screen; it holds sentences in both languages and never a rule. A counter PC needs no
more than this, the words, the client and the texts.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import Field, model_validator

from hall_daemon.words import (
    CancelReason,
    ClerkId,
    CopyKind,
    Frozen,
    Hold,
    Outcome,
    ParkReason,
    Priority,
    QueueCode,
    SlipState,
    TicketNumber,
    TicketState,
    WindowCode,
)


class FeedLine(Frozen):
    """One line of GET /events. Fleeting news has no number and is not kept."""

    number: int | None = None
    type: str
    time: str
    subject: str = ""
    data: dict[str, Any]


class Text(Frozen):
    """A sentence in both languages; Chinese is what is shown large."""

    zh: str
    en: str = ""


class KioskScreen(StrEnum):
    """Which page the kiosk shows; the names of ux.md §3.2."""

    IDLE = "idle"
    READFAIL = "readfail"
    NOCARD = "nocard"
    ID = "id"
    PHONE = "phone"
    ZONES = "zones"
    LIST = "list"
    CONFIRM = "confirm"
    PRINTING = "printing"
    DONE = "done"
    NOPAPER = "nopaper"
    UNSURE = "unsure"
    UNPRINTED = "unprinted"
    CARDLEFT = "cardleft"
    DUPLICATE = "duplicate"
    TIMEOUT = "timeout"
    HELP = "help"
    READER = "reader"
    CLOSED = "closed"
    MAINTENANCE = "maintenance"


class KioskChoice(Frozen):
    """Something to choose; `key` is the cap drawn beside it and what a touch sends."""

    key: str
    label: Text
    detail: Text = Text(zh="")
    zone: str = ""
    suspended: bool = False


class KioskField(Frozen):
    """What has been typed, already masked as far as it must be."""

    shown: str
    typed: int
    length: int


class KioskTicket(Frozen):
    """The number that was taken, and where to go; no name, ID number or phone."""

    number: str
    item: Text
    zone: Text
    windows: str
    waiting_ahead: int


class ZoneLoad(Frozen):
    """How many wait in a zone."""

    zone: str
    name: Text
    waiting: int


class KioskView(Frozen):
    """One page of a kiosk, complete. The page draws it and sends keys back; touch and keypad are equal."""

    kiosk: str
    revision: int
    """Counts up with each view; a key that was pressed on an older page is ignored."""
    screen: KioskScreen
    hall: Text
    kiosk_name: Text
    clock: str
    """Hall time HH:MM when the view was made."""
    step: int
    """0 none, 1 card, 2 phone, 3 service, 4 check, 5 ticket."""
    title: Text
    line: Text = Text(zh="")
    notices: tuple[Text, ...] = ()
    """What does not work at the moment, and what to do."""
    choices: tuple[KioskChoice, ...] = ()
    page: int = 1
    pages: int = 1
    field: KioskField | None = None
    ticket: KioskTicket | None = None
    facts: tuple[tuple[Text, Text], ...] = ()
    """Label and value, on the check page."""
    materials: tuple[Text, ...] = ()
    zones: tuple[ZoneLoad, ...] = ()
    keys: tuple[KioskChoice, ...] = ()
    """The navigation keys that mean something now: ok, correct, cancel, help, *, #."""
    seconds_left: int | None = None
    """Until the page changes by itself, where the resident should know."""
    language: Literal["zh", "en"] = "zh"
    """Which language stands large; back to Chinese after each visit."""


class CalledNumber(Frozen):
    """A call as the board shows it."""

    number: str
    window: str
    zone: str
    call_no: int
    at: str
    announcement: Text
    event: int
    """Number of the event, so that a board can tell new calls from known ones."""


class BoardView(Frozen):
    """The hall board, complete."""

    hall: Text
    clock: str
    day_open: bool
    calls: tuple[CalledNumber, ...]
    """Newest first."""
    zones: tuple[ZoneLoad, ...]
    missed: tuple[str, ...]
    last_event: int


class QueueLoad(Frozen):
    """A queue at a window."""

    queue: str
    name: Text
    waiting: int
    oldest_wait_s: int


class WaitingTicket(Frozen):
    """One line of the waiting list."""

    number: str
    queue: str
    item: str
    waited_s: int
    state: TicketState
    priority: Priority
    requeued: bool = False


class CurrentTicket(Frozen):
    """The ticket at this window. Name and ID number masked."""

    ticket_id: str
    number: str
    queue: str
    item: str
    state: TicketState
    call_no: int
    since: str
    """RFC 3339: when the state began."""
    name_masked: str
    id_masked: str
    document: Text | None = None
    """Kind of the document, if it is not a resident ID card."""
    slip: SlipState
    materials: tuple[MaterialNeed, ...] = ()
    filed: tuple[str, ...] = ()
    """Material codes filed so far."""


class MaterialNeed(Frozen):
    """A paper that the item asks for."""

    code: str
    name: str
    required: bool


class ParkedTicket(Frozen):
    """A ticket that this window may resume."""

    number: str
    queue: str
    item: str
    since: str
    reason: ParkReason
    window: str


class ScanPageView(Frozen):
    """A page of a scan job that is not yet filed; skew in thousandths of a degree."""

    no: int
    blank: bool
    skew_mdeg: int
    blur: int
    edges_ok: bool
    codes: tuple[str, ...]
    saved: bool
    blurred: bool = False
    back: bool = False
    """The back of a sheet that was scanned on both sides; the only kind of page that is left out when it is blank."""


class ScanJobView(Frozen):
    """The scan job of a window."""

    job: str
    state: Literal["scanning", "done", "failed", "filed"]
    ticket: str = ""
    """Number that the pages belong to."""
    problem: Text | None = None
    """What went wrong, or what is to be checked before the pages of a job that is done are filed."""
    pages: tuple[ScanPageView, ...] = ()


class WindowView(Frozen):
    """A clerk's screen, complete."""

    window: str
    name: Text
    zone: Text
    clerk: str | None
    clerk_name: str = ""
    current: CurrentTicket | None
    queues: tuple[QueueLoad, ...]
    waiting: tuple[WaitingTicket, ...]
    """First the one that `next` would call."""
    waiting_total: int
    missed: tuple[WaitingTicket, ...]
    parked: tuple[ParkedTicket, ...]
    notices: tuple[Text, ...]
    """Troubles that concern this window, each with what to do."""
    evaluation: Text | None = None
    """Whether the last resident was asked for an evaluation and answered; never the answer."""
    scan: ScanJobView | None = None
    to_province: int = 0
    """Events not yet acknowledged."""
    last_event: int = 0


class ZonePlace(Frozen):
    """A zone of this hall."""

    code: str
    name: Text


class QueuePlace(Frozen):
    """A queue of this hall."""

    code: str
    name: Text
    zone: str


class WindowPlace(Frozen):
    """A window of this hall and what it serves."""

    code: str
    zone: str
    queues: tuple[str, ...]


class KioskPlace(Frozen):
    """A ticket machine of this hall."""

    code: str
    name: Text


class ItemName(Frozen):
    """Something that a number can be issued for."""

    code: str
    name: Text
    queue: str


class ClerkName(Frozen):
    """Somebody who may sign in to a window."""

    clerk: str
    name: str


class HallMap(Frozen):
    """Answer to GET /hall: what screens offer to choose from."""

    hall: Text
    zones: tuple[ZonePlace, ...]
    queues: tuple[QueuePlace, ...]
    windows: tuple[WindowPlace, ...]
    clerks: tuple[ClerkName, ...] = ()
    kiosks: tuple[KioskPlace, ...] = ()
    items: tuple[ItemName, ...] = ()


class TicketView(Frozen):
    """Answer to GET /tickets/{number}. Nothing personal."""

    number: str
    state: TicketState
    slip: SlipState
    queue: str
    window: str | None
    waiting_ahead: int


class DeviceView(Frozen):
    """A device as a technician sees it."""

    device: str
    driver: str
    port: str
    kind: str
    link: Literal["connecting", "online", "offline", "disabled"]
    conditions: tuple[str, ...]
    since: str
    identity: str
    firmware: str = ""
    """Part of `identity` that a table may cut off; empty where the device does not say."""
    proven: str
    last_error: str
    jobs: int
    failures: int
    silences: int = 0
    """Questions and jobs that nobody answered."""
    reconnects: int = 0
    """How often it came back after it had gone."""
    restarts: int = 0
    """How often its driver hung and was cut off."""
    answer_ms: float | None = None
    """Median time of its last twenty answers; None before the first."""


class KeyPressed(Frozen):
    """A touch or a key of the browser on a kiosk page."""

    key: str = Field(pattern=r"^([0-9*#]|ok|correct|cancel|help)$")
    revision: int | None = None


class IssueAtCounter(Frozen):
    """A number issued by a clerk for somebody without a kiosk."""

    item: str = Field(min_length=1, max_length=64)
    request_id: str = Field(min_length=8, max_length=64)
    priority: Priority = Priority.NORMAL


class SignIn(Frozen):
    """A clerk takes a window."""

    clerk: ClerkId


class CallNext(Frozen):
    """`seen` is the number on the clerk's screen, or None, so that a double press calls one resident."""

    seen: TicketNumber | None = None


class AboutCurrent(Frozen):
    """A verb about the ticket at the window; `seen` is the number that the clerk means."""

    seen: TicketNumber


class Serve(AboutCurrent):
    """The resident is at the window."""

    identity_rechecked: bool = False


class Park(AboutCurrent):
    """Interrupt."""

    reason: ParkReason = ParkReason.OTHER
    hold: Hold = Hold.HERE


class Finish(AboutCurrent):
    """The resident leaves."""

    outcome: Outcome = Outcome.COMPLETED


class Transfer(AboutCurrent):
    """To exactly one of a queue, a zone, a window."""

    to_queue: QueueCode | None = None
    to_window: WindowCode | None = None
    to_zone: str | None = Field(default=None, max_length=8)
    keep_position: bool = True
    reason: str = Field(default="other", max_length=40)

    @model_validator(mode="after")
    def _one_target(self) -> Transfer:
        if sum(target is not None for target in (self.to_queue, self.to_window, self.to_zone)) != 1:
            raise ValueError("name exactly one of to_queue, to_window, to_zone")
        return self


class AboutTicket(Frozen):
    """A verb about a ticket that is not at the window."""

    ticket: TicketNumber


class Cancel(AboutTicket):
    """Give up a number."""

    reason: CancelReason = CancelReason.OTHER


class StartScan(Frozen):
    """Scan for the ticket at this window."""

    ticket: TicketNumber
    source: Literal["platen", "feeder"] = "platen"
    dpi: Literal[200, 300] = 200
    color: bool = True
    duplex: bool = False
    resume: bool = False
    """Go on with the pages of the window's job, scanned as before; what else is said here does not count then."""


class FilePages(Frozen):
    """File kept pages of a job as one material."""

    material_code: str = Field(min_length=1, max_length=40)
    material_name: str = Field(default="", max_length=200)
    pages: tuple[int, ...] = Field(min_length=1)
    copy_kind: CopyKind = CopyKind.ORIGINAL_SEEN
    replace: bool = False
    """They take the place of what was last filed as this material, because that scan was bad."""


class Done(Frozen):
    """Answer to a verb: the number of the last event it committed. State arrives as that event."""

    event: int
    number: str = ""
    job: str = ""


class Problem(Frozen):
    """Why a request was refused: `code` for programs, sentences for people."""

    code: str
    detail: str
    text: Text


CurrentTicket.model_rebuild()
