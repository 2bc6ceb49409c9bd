"""Tables of what the public sees."""

from __future__ import annotations

from sqlmodel import Field, SQLModel


class FollowRow(SQLModel, table=True):
    """A code on a slip, as its SHA-256; gone with its service day."""

    __tablename__ = "follow"
    digest: str = Field(primary_key=True)
    ticket_id: str
    bizdate: str = Field(index=True)
