"""What crosses the wire between the daemon and its screens: views and requests.

A view is one complete page of a screen; it holds sentences in both languages and never a rule. A counter PC needs no
more than this, the words, the client and the texts.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from hall_daemon.protocol_clerks import DeviceLamp, MessageView, NoteView, PauseView
from hall_daemon.words import (
    CancelReason,
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


class ZoneLoad(Frozen):
    """How many wait in a zone."""

    zone: str
    name: Text
    waiting: int


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
    slot: str = ""
    """Hall time HH:MM at which an appointment begins."""
    slot_cancelled: bool = False
    """The appointment was cancelled at the centre after the check-in here; the number stands."""
    transferred: bool = False
    pinned: bool = False


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
    poor: tuple[str, ...] = ()
    """Those of them whose last pages are hard to read."""
    ticked: tuple[str, ...] = ()
    """Material codes that the clerk has seen and found good."""
    asked: tuple[str, ...] = ()
    """Material codes that a standing one-time notice asked for."""
    facts: tuple[tuple[Text, Text], ...] = ()
    """Label and value: what is published about the item."""
    usual_minutes: int | None = None
    """How long such a visit takes as a rule."""
    waited_s: int = 0
    """From taking the number to the call."""
    notes: tuple[NoteView, ...] = ()
    """What clerks have noted about it, oldest first."""


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
    next_materials: tuple[MaterialNeed, ...] = ()
    """What the first of them brings."""
    waiting_total: int
    missed: tuple[WaitingTicket, ...]
    parked: tuple[ParkedTicket, ...]
    notices: tuple[Text, ...]
    """Troubles that concern this window, each with what to do."""
    evaluation: Text | None = None
    """Whether the last resident was asked for an evaluation and answered; never the answer."""
    scan: ScanJobView | None = None
    pause: PauseView | None = None
    """Set while the window is in 暂停服务."""
    messages: tuple[MessageView, ...] = ()
    """Newest first."""
    devices: tuple[DeviceLamp, ...] = ()
    served_today: int = 0
    """Visits that this clerk has finished today."""
    outcome_required: bool = True
    """Whether the clerk is asked at the end how the visit ended."""
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
    scanner: bool = False
    """Whether there is one."""


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
    double: bool = False
    """Offline because it says that it is a device which is online under another name."""
    drill: bool = False
    """What is wrong with it is only rehearsed."""
    roll_m: int = 0
    """Metres on a new roll of a printer, as its table says; 0 where it does not."""
    roll_used_mm: float | None = None
    """Paper that went out since the last new roll was seen, restarts included; None where nobody counts."""


class IssueAtCounter(Frozen):
    """A number issued by a clerk for somebody without a kiosk."""

    item: str = Field(min_length=1, max_length=64)
    request_id: str = Field(min_length=8, max_length=64)
    priority: Priority = Priority.NORMAL
    more_items: tuple[str, ...] = Field(default=(), max_length=9)
    """Other things that the same number is for."""


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
    stage: str = Field(default="", max_length=40)
    """The step that must come back first, where `hold` is `stage`."""


class Finish(AboutCurrent):
    """The resident leaves."""

    outcome: Outcome = Outcome.COMPLETED
    cases: tuple[str, ...] = Field(default=(), max_length=20)
    """Numbers of cases whose last step was made for this end: undone with it."""


class Transfer(AboutCurrent):
    """To exactly one of a queue, a zone, a window."""

    to_queue: QueueCode | None = None
    to_window: WindowCode | None = None
    to_zone: str | None = Field(default=None, max_length=8)
    keep_position: bool = True
    come_back: bool = False
    """A detour: finished there, the ticket comes back here."""
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
    at: WindowCode | None = None
    """The window of the same zone whose scanner is used, where one's own is out of order."""


class FilePages(Frozen):
    """File kept pages of a job as one material."""

    material_code: str = Field(min_length=1, max_length=40)
    material_name: str = Field(default="", max_length=200)
    pages: tuple[int, ...] = Field(min_length=1)
    copy_kind: CopyKind = CopyKind.ORIGINAL_SEEN
    local_case_no: str = Field(default="", max_length=40)
    """Case that they belong to; empty: the open one of the ticket, if there is one only."""
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
