"""What this hall is asked for most: the items of the last 30 days, in an order that holds for the day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from sqlmodel import Session, col, func, select

from hall_daemon.profile import HallProfile
from hall_daemon.settings import MOST_PINNED
from hall_daemon.tables import TicketRow

DAYS = 30


def asked_for(session: Session, today: str) -> dict[str, int]:
    """How often a number was taken for each item in the DAYS before today; today does not change the order."""
    first = (date.fromisoformat(today) - timedelta(days=DAYS)).isoformat()
    question = (
        select(TicketRow.item, func.count())
        .where(TicketRow.bizdate >= first, TicketRow.bizdate < today)
        .group_by(col(TicketRow.item))
    )
    return dict(session.exec(question).all())


def in_order(profile: HallProfile, asked: Mapping[str, int], pinned: Sequence[str] = ()) -> tuple[str, ...]:
    """All items with a code: what the hall has pinned, then what is asked for most, then as the catalogue has them."""
    offered = [item.code for item in profile.items.values() if item.codes]
    first = [code for code in pinned if code in offered][:MOST_PINNED]
    rest = [code for code in offered if code not in first]
    return (*first, *sorted(rest, key=lambda code: -asked.get(code, 0)))
