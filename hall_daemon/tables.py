"""The tables of the hall's database. Impossible states are forbidden here, by the database itself.

Times are milliseconds since 1970. Personal data stand in the clear nowhere: masked values, keyed hashes, and the sealed
envelope inside the event.
"""

from __future__ import annotations

from sqlalchemy import JSON, CheckConstraint, Column, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

SCHEMA_VERSION = 3
ADDED_COLUMNS = (("ticket", "card_expired", "BOOLEAN NOT NULL DEFAULT 0"),)
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


class EvaluationRow(SQLModel, table=True):
    """That a resident was asked for an evaluation after a visit, and the level; once a visit."""

    __tablename__ = "evaluation"
    __table_args__ = (CheckConstraint("level BETWEEN 1 AND 5"),)
    ticket_id: str = Field(primary_key=True, foreign_key="ticket.id")
    id: str = Field(unique=True)
    level: int | None = None
    """None: nobody answered."""
    ended_ms: int
