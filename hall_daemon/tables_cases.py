"""The tables of cases: what was handed in, the papers, the notices. Of schema 4 on.

Days are written `YYYY-MM-DD` and are service days. What an item asked for is kept as it was when the case was received,
whatever the catalogue says later.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, CheckConstraint, Column, Index
from sqlmodel import Field, SQLModel


class CaseRow(SQLModel, table=True):
    """A case. Nothing personal but the keyed hash, by which whoever lost the notice is found."""

    __tablename__ = "handed_case"
    __table_args__ = (
        CheckConstraint("state <> 'accepted' OR accepted_on IS NOT NULL"),
        Index("case_ticket", "ticket_id"),
        Index("case_person", "id_hmac"),
        Index("case_due", "state", "due_on"),
    )
    local_case_no: str = Field(primary_key=True)
    ticket_id: str = Field(foreign_key="ticket.id")
    bizdate: str
    item: str
    kind: str
    applicant_kind: str
    state: str
    since_ms: int
    window: str
    clerk: str
    id_hmac: str | None = None
    days: int
    day_unit: str
    asked: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    """What the item asked for: code, name, need, copy, waivable_by. Any: as JSON keeps them."""
    applies: list[str] = Field(sa_column=Column(JSON, nullable=False))
    """Conditional papers that these circumstances ask for."""
    accepted_on: str | None = None
    due_on: str | None = None
    """None while the clock stands, and where there is no promise."""
    result: str | None = None
    case_no: str | None = None
    """The province's number, once it has given one."""


class CasePaperRow(SQLModel, table=True):
    """The last judgement on one paper of a case."""

    __tablename__ = "case_paper"
    local_case_no: str = Field(primary_key=True, foreign_key="handed_case.local_case_no")
    code: str = Field(primary_key=True)
    copy_kind: str
    fault: str = ""
    material_id: str | None = None
    taken_ms: int


class NoticeRow(SQLModel, table=True):
    """A notice that was given: 受理, 补正 or 不予受理. Its number comes again after years, so the day belongs to it."""

    __tablename__ = "notice"
    __table_args__ = (Index("notice_case", "local_case_no"), Index("notice_typed", "typed"))
    bizdate: str = Field(primary_key=True)
    notice_no: str = Field(primary_key=True)
    typed: str
    """Its digits, as a resident types them."""
    local_case_no: str = Field(foreign_key="handed_case.local_case_no")
    kind: str
    wanted: list[dict[str, Any]] = Field(sa_column=Column(JSON, nullable=False))
    """Lines of what is still needed. Any: as JSON keeps them."""
    given_ms: int
    window: str
    clerk: str
    return_by: str | None = None
    answered_on: str | None = None
    """Day on which everything it names had come."""
    back_ticket: str | None = None
    """The last ticket with which the resident came back."""


class CaseCounterRow(SQLModel, table=True):
    """Last serial of the cases or notices of a day; it only rises."""

    __tablename__ = "case_counter"
    bizdate: str = Field(primary_key=True)
    series: str = Field(primary_key=True)
    last: int
