"""What happened: the types of the event log, exactly those of the province's contract (province.md §8).

A class carries its wire type and names its subject. There are no internal events beside them.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from hall_daemon.words import (
    BlobId,
    CallMode,
    CancelReason,
    Channel,
    ClerkId,
    CopyKind,
    CounterKind,
    DeviceCondition,
    Frozen,
    Hold,
    IdentityMode,
    Outcome,
    ParkReason,
    PositionRule,
    PrintReason,
    PrintResult,
    Priority,
    QueueCode,
    RequeuedBy,
    StreamReason,
    TicketNumber,
    TicketState,
    WindowCode,
)


class EventData(Frozen):
    """Data of one event. `wire_type` is its name on the wire."""

    wire_type: ClassVar[str]

    @property
    def subject(self) -> str:
        """The aggregate that it happened to."""
        return "hall"


class _TicketEvent(EventData):
    ticket_id: str

    @property
    def subject(self) -> str:
        return f"ticket/{self.ticket_id}"


class Sealed(Frozen):
    """Personal data, encrypted before it reaches the database (province.md §4); base64 members."""

    v: Literal[1] = 1
    kid: str
    iv: str
    ct: str
    mac: str


class StreamOpened(EventData):
    """First event of every stream."""

    wire_type = "hall.stream.opened.v1"
    reason: StreamReason
    previous_streamid: str | None = None
    previous_last_sequence: int | None = None
    previous_acked_through: int | None = None
    previous_chain_sm3: str | None = None
    serial_floor: dict[str, int] = Field(default_factory=dict)


class DayOpened(EventData):
    """开厅."""

    wire_type = "hall.day.opened.v1"
    planned_open: str
    planned_close: str


class DayClosed(EventData):
    """闭厅日结."""

    wire_type = "hall.day.closed.v1"
    tickets: int
    served: int
    no_show: int
    cancelled: int
    expired: int
    by_queue: dict[str, int]
    evaluations: int
    pages: int
    first_sequence: int
    last_sequence: int


class ProfileWindow(Frozen):
    """A window as the province knows it."""

    window_code: WindowCode
    counter_kind: CounterKind
    zone_code: str
    queues: tuple[QueueCode, ...]


class ProfileQueue(Frozen):
    """A queue as the province knows it."""

    queue_code: QueueCode
    name: str
    name_en: str
    item_codes: tuple[str, ...]
    dept: str = ""


class ProfileDevice(Frozen):
    """A device as the province knows it."""

    device_id: str
    kind: str
    model: str | None = None


class ProfileChanged(EventData):
    """Windows, queues and devices of this hall."""

    wire_type = "hall.profile.changed.v1"
    windows: tuple[ProfileWindow, ...]
    queues: tuple[ProfileQueue, ...]
    devices: tuple[ProfileDevice, ...]


class TicketIssued(_TicketEvent):
    """取号."""

    wire_type = "hall.ticket.issued.v1"
    display_no: TicketNumber
    queue_code: QueueCode
    serial: int = Field(ge=1, le=9999)
    channel: Channel
    priority: Priority = Priority.NORMAL
    identity_mode: IdentityMode
    id_type: str | None = None
    name_masked: str | None = None
    id_masked: str | None = None
    phone_masked: str | None = None
    id_hmac: str | None = None
    pii: Sealed | None = None
    item_codes: tuple[str, ...]
    appointment_id: str | None = None
    zone_code: str | None = None
    waiting_ahead: int
    est_wait_s: int | None = None
    device_id: str
    printed_required: bool


class SlipPrinted(_TicketEvent):
    """A slip was printed, or was not, or nobody knows."""

    wire_type = "hall.ticket.printed.v1"
    device_id: str
    print_no: int
    result: PrintResult
    reason_code: PrintReason | None = None
    reprint_by: str | None = None


class CallRule(Frozen):
    """Why this ticket was next: enough to replay the choice."""

    picked_by: str
    candidates: int
    oldest_wait_s: int


class TicketCalled(_TicketEvent):
    """叫号; a recall is the same event with the next call_no."""

    wire_type = "hall.ticket.called.v1"
    display_no: TicketNumber
    window_code: WindowCode
    clerk_id: ClerkId
    call_no: int
    call_mode: CallMode
    rule: CallRule


class _AtWindow(_TicketEvent):
    window_code: WindowCode
    clerk_id: ClerkId


class ServingStarted(_AtWindow):
    """开始办理."""

    wire_type = "hall.ticket.serving_started.v1"
    identity_rechecked: bool


class TicketParked(_AtWindow):
    """挂起."""

    wire_type = "hall.ticket.parked.v1"
    reason_code: ParkReason
    hold: Hold


class TicketResumed(_AtWindow):
    """Taken up again."""

    wire_type = "hall.ticket.resumed.v1"
    reason_code: ParkReason
    hold: Hold


class TicketTransferred(_TicketEvent):
    """转窗, keeping the number."""

    wire_type = "hall.ticket.transferred.v1"
    from_window: WindowCode
    to_window: WindowCode | None = None
    to_queue: QueueCode | None = None
    keep_position: bool
    reason_code: str
    clerk_id: ClerkId


class NoShow(_TicketEvent):
    """过号."""

    wire_type = "hall.ticket.no_show.v1"
    window_code: WindowCode
    clerk_id: ClerkId | None = None
    calls: int
    by: Literal["clerk", "timer"]


class TicketRequeued(_TicketEvent):
    """过号重排."""

    wire_type = "hall.ticket.requeued.v1"
    position_rule: PositionRule
    n: int | None = None
    by: RequeuedBy


class TicketCancelled(_TicketEvent):
    """弃号."""

    wire_type = "hall.ticket.cancelled.v1"
    display_no: TicketNumber
    reason_code: CancelReason
    clerk_id: ClerkId | None = None


class TicketFinished(_AtWindow):
    """办结离窗."""

    wire_type = "hall.ticket.finished.v1"
    outcome: Outcome
    local_case_nos: tuple[str, ...] = ()
    started_at: str
    ended_at: str


class AppointmentCheckedIn(EventData):
    """签到取号; `slot_delta_s` from the start of the slot, negative before it."""

    wire_type = "hall.appointment.checked_in.v1"
    appointment_id: str
    ticket_id: str
    slot_delta_s: int
    device_id: str

    @property
    def subject(self) -> str:
        return f"appointment/{self.appointment_id}"


class EventCorrected(EventData):
    """What an earlier event said does not hold any more: a slip of the finger, taken back at once.

    `fields` say what holds instead; of a ticket, its id and state; of a case, its number and state.
    """

    wire_type = "hall.event.corrected.v1"
    corrects_id: str
    fields: dict[str, str]
    reason_text: str
    actor_id: ClerkId

    @property
    def subject(self) -> str:
        if "local_case_no" in self.fields:
            return f"case/{self.fields['local_case_no']}"
        return f"ticket/{self.fields['ticket_id']}" if "ticket_id" in self.fields else "hall"


class TicketExpired(_TicketEvent):
    """当日失效."""

    wire_type = "hall.ticket.expired.v1"
    display_no: TicketNumber
    last_state: TicketState


class Blob(Frozen):
    """A file by its content; digests in lower-case hex, `bytes` its length."""

    blob: BlobId
    sm3: str
    bytes: int
    media: Literal["image/jpeg", "image/tiff", "application/pdf", "application/ofd"]


class MaterialPage(Frozen):
    """One page of a material; w and h in pixels, rotation in degrees."""

    no: int
    blob: Blob
    w: int
    h: int
    dpi: int
    color: bool
    rotation: int
    blank: bool


class PageQuality(Frozen):
    """The worst of a material's pages: blur in hundredths of a millimetre, skew in thousandths of a degree."""

    blur: int
    skew_mdeg: int
    edges_ok: bool


class MaterialScanned(EventData):
    """Pages were filed."""

    wire_type = "hall.material.scanned.v1"
    material_id: str
    ticket_id: str | None = None
    local_case_no: str | None = None
    material_code: str
    material_name: str
    copy_kind: CopyKind
    pages: tuple[MaterialPage, ...]
    device_id: str
    clerk_id: ClerkId
    quality: PageQuality

    @property
    def subject(self) -> str:
        return f"material/{self.material_id}"


class MaterialReplaced(EventData):
    """Pages were scanned again and take the place of others, which were not good enough."""

    wire_type = "hall.material.replaced.v1"
    material_id: str
    replaces: str
    reason_code: Literal["bad_scan", "wrong_paper", "resident_request"]
    clerk_id: ClerkId

    @property
    def subject(self) -> str:
        return f"material/{self.material_id}"


class MaterialWithdrawn(EventData):
    """Pages do not belong where they were filed, or the resident took them back; the files stay."""

    wire_type = "hall.material.withdrawn.v1"
    material_id: str
    reason_code: Literal["bad_scan", "wrong_paper", "resident_request"]
    clerk_id: ClerkId

    @property
    def subject(self) -> str:
        return f"material/{self.material_id}"


class MaterialDamaged(EventData):
    """A scanned page is not any more what was filed; it was not sent."""

    wire_type = "hall.material.damaged.v1"
    material_id: str
    blob: Blob
    cause: Literal["local_corrupt", "device", "unknown"]
    rescan_possible: bool

    @property
    def subject(self) -> str:
        return f"material/{self.material_id}"


class EvaluationSubmitted(_TicketEvent):
    """评价: what a resident thought of the service, or that nobody answered; nothing is invented then."""

    wire_type = "hall.evaluation.submitted.v1"
    evaluation_id: str
    window_code: WindowCode
    clerk_id: ClerkId
    level: int | None = Field(default=None, ge=1, le=5)
    """5 非常满意 to 1 非常不满意; None where `timeout`."""
    option_codes: tuple[str, ...] = ()
    eval_channel: int = 5
    """大厅其他终端: a device in the hall that is no tablet."""
    round: int = 1
    timeout: bool


class DeviceChanged(EventData):
    """A device began or ceased to serve."""

    wire_type = "hall.device.changed.v1"
    device_id: str
    kind: str
    state: DeviceCondition
    reason_code: str = ""
    counters: dict[str, int] = Field(default_factory=dict)

    @property
    def subject(self) -> str:
        return f"device/{self.device_id}"


class ClockChanged(EventData):
    """The clock was stepped, or its source came or went."""

    wire_type = "hall.clock.changed.v1"
    kind: Literal["step", "source_lost", "source_back", "tz"]
    delta_ms: int
    source: str


class CatalogActivated(EventData):
    """Another version of the catalogue is in force."""

    wire_type = "hall.catalog.activated.v1"
    version: int
    mode: Literal["full", "delta"]
    content_sm3: str
    items: int
    urgent: bool


class OperatorActed(EventData):
    """审计: somebody of the hall did something that is no step of a ticket."""

    wire_type = "hall.operator.acted.v1"
    actor: Literal["clerk", "technician", "admin"]
    actor_id: ClerkId
    action: str
    target: str
    result: str
    reason_text: str | None = None


class CommandResult(EventData):
    """Answer to a command of the province."""

    wire_type = "hall.command.result.v1"
    command_id: int
    result: Literal["done", "failed", "unsupported", "expired"]
    detail: str | None = None


EVENT_TYPES: dict[str, type[EventData]] = {
    cls.wire_type: cls
    for cls in (
        StreamOpened, DayOpened, DayClosed, ProfileChanged, TicketIssued, SlipPrinted, TicketCalled, ServingStarted,
        TicketParked, TicketResumed, TicketTransferred, NoShow, TicketRequeued, TicketCancelled, TicketFinished,
        TicketExpired, MaterialScanned, MaterialReplaced, MaterialWithdrawn, MaterialDamaged, EvaluationSubmitted,
        DeviceChanged, ClockChanged, CatalogActivated, OperatorActed, CommandResult, AppointmentCheckedIn,
        EventCorrected,
    )
}  # fmt: skip


class Event(Frozen):
    """A committed event inside the daemon: `number` counts all events of this database, whatever their stream."""

    number: int
    streamid: str
    sequence: int
    id: str
    type: str
    subject: str
    time: str
    bizdate: str
    data: Any
    """An instance of the class in EVENT_TYPES that `type` names."""
