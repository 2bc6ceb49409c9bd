"""The tables of the hall's database. Impossible states are forbidden here, by the database itself.

Times are milliseconds since 1970. Personal data stand in the clear nowhere: masked values, keyed hashes, and the sealed
envelope inside the event.
"""

from __future__ import annotations

from sqlalchemy import JSON, CheckConstraint, Column, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

SCHEMA_VERSION = 4
ADDED_COLUMNS = (
    ("ticket", "card_expired", "BOOLEAN NOT NULL DEFAULT 0"),
    ("ticket", "lane", "VARCHAR NOT NULL DEFAULT ''"),
    ("ticket", "arrived_ms", "INTEGER NOT NULL DEFAULT 0"),
    ("ticket", "callable_ms", "INTEGER"),
    ("ticket", "appointment_id", "VARCHAR"),
    ("ticket", "slot_start_ms", "INTEGER"),
    ("ticket", "slot_end_ms", "INTEGER"),
    ("ticket", "pinned_ms", "INTEGER"),
    ("ticket", "pin_reason", "VARCHAR"),
    ("ticket", "legs", "JSON NOT NULL DEFAULT '[]'"),
    ("ticket", "first_clerk", "VARCHAR"),
    ("ticket", "back_queue", "VARCHAR"),
    ("ticket", "back_window", "VARCHAR"),
    ("ticket", "stage", "VARCHAR"),
    ("ticket", "counted_ms", "INTEGER"),
    ("ticket", "counted_calls", "INTEGER NOT NULL DEFAULT 0"),
    ("ticket", "stint_ms", "INTEGER"),
    ("ticket", "worked_ms", "INTEGER NOT NULL DEFAULT 0"),
    ("ticket", "catver", "INTEGER NOT NULL DEFAULT 0"),
    ("material", "local_case_no", "VARCHAR"),
    ("material", "withdrawn_ms", "INTEGER"),
    ("material", "poor", "BOOLEAN NOT NULL DEFAULT 0"),
    ("day", "planned_close_ms", "INTEGER"),
    ("day", "draining_ms", "INTEGER"),
    ("day", "halted_ms", "INTEGER"),
    ("day", "halted_until_ms", "INTEGER"),
)
"""Table, column and its kind: what later schemas added to tables that were there."""


class MetaRow(SQLModel, table=True):
    """Facts about this database."""

    __tablename__ = "meta"
    key: str = Field(primary_key=True)
    value: str


class StreamRow(SQLModel, table=True):
    """An incarnation of the event stream (province.md §6); the newest is the one written to."""

    __tablename__ = "stream"
    streamid: str = Field(primary_key=True)
    opened_ms: int
    reason: str
    previous: str | None = None
    acked_through: int = 0
    state: str = "open"


class EventRow(SQLModel, table=True):
    """What happened. `body` is the canonical event as it is sent; leaf and chain are province.md §7.4."""

    __tablename__ = "event"
    __table_args__ = (
        UniqueConstraint("streamid", "sequence"),
        UniqueConstraint("streamid", "id"),
        UniqueConstraint("streamid", "subject", "aggseq"),
        Index("event_subject", "subject", "aggseq"),
        Index("event_bizdate", "bizdate"),
    )
    number: int | None = Field(default=None, primary_key=True)
    streamid: str = Field(foreign_key="stream.streamid")
    sequence: int
    id: str
    type: str
    subject: str
    aggseq: int
    time: str
    bizdate: str
    body: str
    leaf: str
    chain: str


class DecisionRow(SQLModel, table=True):
    """What the hall knew when it emitted an event and the province's shape has no room for: enough to replay it.

    Of a call it is the choice itself, with those who were passed over.
    """

    __tablename__ = "decision"
    number: int = Field(primary_key=True, foreign_key="event.number")
    ticket_id: str | None = Field(default=None, index=True)
    body: str
    """Canonical JSON."""


class JournalRow(SQLModel, table=True):
    """A row that no event tells whole, as it was after a change; `event` is the last event of that commit."""

    __tablename__ = "journal"
    __table_args__ = (Index("journal_row", "name", "key"),)
    number: int | None = Field(default=None, primary_key=True)
    event: int
    name: str
    """Of its table."""
    key: str
    """Its primary key, a canonical JSON array."""
    body: str | None = None
    """The row, canonical JSON; None: it was deleted."""


class RefusedRow(SQLModel, table=True):
    """An event that the province refuses even alone (province.md §9.3); its row stays, later streams go without it."""

    __tablename__ = "refused"
    id: str = Field(primary_key=True)
    streamid: str = Field(foreign_key="stream.streamid")
    sequence: int
    code: str
    refused_ms: int


class DayRow(SQLModel, table=True):
    """A service day. `open_ms` counts the time it has been open; order in the queues is measured by it."""

    __tablename__ = "day"
    bizdate: str = Field(primary_key=True)
    opened_ms: int
    closed_ms: int | None = None
    open_ms: int = 0
    reconciled: bool = False
    planned_close_ms: int | None = None
    draining_ms: int | None = None
    """Since when no numbers are issued."""
    halted_ms: int | None = None
    """Since when nobody is called either, after an emergency."""
    halted_until_ms: int | None = None
    """Until when the numbers stay valid then."""


class CounterRow(SQLModel, table=True):
    """Last serial of a number series on a day; it only rises."""

    __tablename__ = "counter"
    bizdate: str = Field(primary_key=True)
    series: str = Field(primary_key=True)
    last: int


class TicketRow(SQLModel, table=True):
    """A ticket. One window can have one ticket called or being served; one number exists once a day."""

    __tablename__ = "ticket"
    __table_args__ = (
        UniqueConstraint("bizdate", "number"),
        UniqueConstraint("bizdate", "series", "serial"),
        Index("one_ticket_at_a_window", "window", unique=True, sqlite_where=text("state IN ('called', 'serving')")),
        Index("ticket_waiting", "bizdate", "state", "queue", "arrival_ms"),
        Index("ticket_person", "bizdate", "queue", "id_hmac"),
        CheckConstraint("serial BETWEEN 1 AND 9999"),
        CheckConstraint("state NOT IN ('called', 'serving') OR window IS NOT NULL"),
    )
    id: str = Field(primary_key=True)
    request_id: str = Field(unique=True)
    bizdate: str = Field(foreign_key="day.bizdate")
    queue: str
    series: str
    serial: int
    number: str
    item: str
    zone: str
    channel: str
    priority: str
    kiosk: str
    device: str
    """Device that the number was taken at; it prints the slip."""
    identity_mode: str
    id_type: str | None = None
    card_expired: bool = Field(default=False, sa_column_kwargs={"server_default": text("0")})
    """Whether the card said so when the number was taken: a note for the clerk, who decides."""
    name_masked: str | None = None
    id_masked: str | None = None
    phone_masked: str | None = None
    id_hmac: str | None = None
    phone_hmac: str | None = None
    state: str
    since_ms: int
    issued_ms: int
    arrival_ms: int
    window: str | None = None
    for_window: str | None = None
    """Only this window may call it, after a transfer to a window."""
    clerk: str | None = None
    call_no: int = 0
    called_ms: int | None = None
    serving_ms: int | None = None
    no_shows: int = 0
    hold: str | None = None
    park_reason: str | None = None
    outcome: str | None = None
    slip: str
    prints: int = 0
    identity_rechecked: bool = False
    lane: str = Field(default="", sa_column_kwargs={"server_default": text("''")})
    arrived_ms: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    """Open time at which it came into its line, without any bonus."""
    callable_ms: int | None = None
    """Open time before which an appointment is not called."""
    appointment_id: str | None = None
    slot_start_ms: int | None = None
    slot_end_ms: int | None = None
    pinned_ms: int | None = None
    """Open time at which it was pinned to the top; those pinned first come first."""
    pin_reason: str | None = None
    legs: list[dict[str, str]] = Field(
        default_factory=list, sa_column=Column(JSON, nullable=False, server_default=text("'[]'"))
    )
    """What one number is for, where that is more than one thing: item, queue, zone, state (open, done) of each."""
    first_clerk: str | None = None
    """Whom the resident asked first (首问负责)."""
    back_queue: str | None = None
    """Where it comes back to from a detour."""
    back_window: str | None = None
    stage: str | None = None
    """What a parked ticket waits for."""
    counted_ms: int | None = None
    """Open time of the last call that counts for a no-show."""
    counted_calls: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    """Calls that count: each came long enough after the one before to be heard as another."""
    stint_ms: int | None = None
    """Open time at which the present stretch of work on it began."""
    worked_ms: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    """Work on it so far in open time, without the present stretch: the clock stands while it is parked."""
    catver: int = Field(default=0, sa_column_kwargs={"server_default": text("0")})
    """Version of the catalogue under which the number was taken; the visit keeps it."""


class SessionRow(SQLModel, table=True):
    """Who is signed in where; a clerk sits at one window."""

    __tablename__ = "session"
    window: str = Field(primary_key=True)
    clerk: str = Field(unique=True)
    since_ms: int


class BlobRow(SQLModel, table=True):
    """A scanned file in the spool, named by its content. `state`: pending, stored, damaged."""

    __tablename__ = "blob"
    blob: str = Field(primary_key=True)
    sm3: str
    bytes: int
    media: str
    state: str = "pending"
    upload_url: str | None = None
    kept_ms: int


class MaterialRow(SQLModel, table=True):
    """Pages filed under a ticket as one material; `pages` are the blobs in page order."""

    __tablename__ = "material"
    id: str = Field(primary_key=True)
    ticket_id: str = Field(foreign_key="ticket.id", index=True)
    code: str
    name: str
    copy_kind: str
    pages: list[str] = Field(sa_column=Column(JSON, nullable=False))
    filed_ms: int
    clerk: str
    window: str
    local_case_no: str | None = None
    """The case that it was filed for by name; None: for whatever the ticket is for."""
    withdrawn_ms: int | None = None
    """Since when it is not part of what was handed in; its pages stay where they are."""
    poor: bool = Field(default=False, sa_column_kwargs={"server_default": text("0")})
    """Whether a page of it is blurred, askew, cut or blank: a note for the clerk, who decides."""


class EvaluationRow(SQLModel, table=True):
    """That a resident was asked for an evaluation after a visit, and the level; once a visit."""

    __tablename__ = "evaluation"
    __table_args__ = (CheckConstraint("level BETWEEN 1 AND 5"),)
    ticket_id: str = Field(primary_key=True, foreign_key="ticket.id")
    id: str = Field(unique=True)
    level: int | None = None
    """None: nobody answered."""
    ended_ms: int


class CatalogueRow(SQLModel, table=True):
    """A catalogue that came. One is active; `state`: active, staged, held, refused, rejected, past."""

    __tablename__ = "catalogue"
    __table_args__ = (Index("one_active_catalogue", "state", unique=True, sqlite_where=text("state = 'active'")),)
    id: int | None = Field(default=None, primary_key=True)
    version: int
    content_sm3: str
    source: str
    """province or file."""
    mode: str
    urgent: bool
    effective_at: str
    state: str
    findings: list[dict[str, str]] = Field(sa_column=Column(JSON, nullable=False))
    """What its check found: code and subject."""
    body: str
    """Canonical JSON of its content; empty of one that was refused."""
    received_ms: int
    activated_ms: int | None = None
    decided_by: str | None = None


class SuspensionRow(SQLModel, table=True):
    """An item that the hall itself takes no new numbers for, until the end of the service day."""

    __tablename__ = "suspension"
    item: str = Field(primary_key=True)
    since_ms: int
    by: str
    reason: str


class AppointmentRow(SQLModel, table=True):
    """An appointment as the province has it, and what the hall made of it. Nobody's name or number in the clear."""

    __tablename__ = "appointment"
    __table_args__ = (Index("appointment_person", "bizdate", "id_hmac"),)
    id: str = Field(primary_key=True)
    code6: str
    item_codes: list[str] = Field(sa_column=Column(JSON, nullable=False))
    bizdate: str
    slot_start_ms: int
    slot_end_ms: int
    id_type: str
    id_hmac: str
    name_masked: str
    phone_tail4: str
    state: str
    """booked, cancelled, checked_in, no_show: the province's word."""
    rev: int
    flag: str | None = None
    """What a clerk should know: cancelled_after (at the centre, after the check-in here)."""


class CarriedRow(SQLModel, table=True):
    """A number that an emergency ended; whoever held it comes first the next time."""

    __tablename__ = "carried"
    ticket_id: str = Field(primary_key=True, foreign_key="ticket.id")
    bizdate: str
    number: str
    queue: str
    id_hmac: str | None = None
    phone_hmac: str | None = None
    used_by: str | None = None
    """Ticket that it was honoured with."""
