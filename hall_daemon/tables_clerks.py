"""Tables of the people who work in the hall: accounts, sessions of screens, pauses, notes, messages.

A PIN stands here as its argon2 hash only, a session as the digest of its secret. Times are milliseconds since 1970.
"""

from __future__ import annotations

from sqlalchemy import JSON, CheckConstraint, Column, text
from sqlmodel import Field, SQLModel


class AccountRow(SQLModel, table=True):
    """Who works here. Without a hash the account has no PIN yet, and nobody can sign in with it."""

    __tablename__ = "account"
    number: str = Field(primary_key=True)
    name: str
    role: str
    pin_hash: str = ""
    failures: int = 0
    """Wrong PINs in a row."""
    locked_until_ms: int = 0
    locked: bool = False
    """By a person, until a person unlocks it."""
    made_ms: int
    skills: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False, server_default=text("'[]'")))
    """Queues or items that this clerk knows; empty: all."""


class SecretRow(SQLModel, table=True):
    """The session of the screen at a window; `digest` of its secret. A window without one was taken by its caller."""

    __tablename__ = "window_secret"
    window: str = Field(primary_key=True)
    clerk: str
    digest: str


class PauseRow(SQLModel, table=True):
    """A window in 暂停服务; `until_ms` is what the clerk said, 0 if nothing."""

    __tablename__ = "pause"
    window: str = Field(primary_key=True)
    reason: str
    since_ms: int
    until_ms: int = 0


class TickRow(SQLModel, table=True):
    """A paper that the clerk has seen and found good, before anything is scanned or accepted."""

    __tablename__ = "tick"
    ticket_id: str = Field(primary_key=True, foreign_key="ticket.id")
    code: str = Field(primary_key=True)
    clerk: str
    made_ms: int


class NoteRow(SQLModel, table=True):
    """What a clerk wrote down about a ticket for whoever serves it next; nothing personal."""

    __tablename__ = "note"
    id: str = Field(primary_key=True)
    ticket_id: str = Field(foreign_key="ticket.id", index=True)
    clerk: str
    words: str
    made_ms: int


class MessageRow(SQLModel, table=True):
    """A call from a window, or words to one; `acknowledged_ms` 0 until somebody has taken it."""

    __tablename__ = "message"
    __table_args__ = (CheckConstraint("length(words) <= 200"),)
    id: str = Field(primary_key=True)
    sender: str
    """Staff number, or "system"."""
    sender_window: str = ""
    to: str
    """guard, manager, adviser, technician, or `window/3`."""
    words: str
    made_ms: int
    acknowledged_ms: int = 0
    acknowledged_by: str = ""
