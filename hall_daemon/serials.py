"""Lifting number series after a restore, so that no number that may be on paper is issued again (province.md §6).

Numbers are skipped, never reused; a series only rises.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from sqlmodel import Session, col, select

from hall_daemon.events import ProfileChanged
from hall_daemon.queueing import LAST_SERIAL, series
from hall_daemon.tables import CounterRow, EventRow
from hall_daemon.tables_cases import CaseCounterRow
from hall_daemon.words import Lane

FLOOR_OFFLINE = 200
"""Without the province: to the next hundred above the last serial known here plus this."""
FLOOR_ONLINE = 10
"""With it: this far above the highest serial that the province knows."""


def lift_unseen(session: Session, bizdates: Iterable[str]) -> dict[str, int]:
    """Lift every series of these days as far as numbers may have been issued that this copy knows nothing of."""
    floors: dict[str, int] = {}
    for bizdate in set(bizdates):
        for name in sorted(_known_series(session)):
            counter = _counter(session, bizdate, name)
            counter.last = min(LAST_SERIAL, -(-(counter.last + FLOOR_OFFLINE) // 100) * 100)
            session.add(counter)
            floors[name] = max(counter.last, floors.get(name, 0))
        _lift_cases(session, bizdate)
    return floors


def _lift_cases(session: Session, bizdate: str) -> None:
    """Cases and notices are numbered by the day too; the province counts no series of theirs."""
    for name in ("case", "notice"):
        counter = session.get(CaseCounterRow, (bizdate, name)) or CaseCounterRow(bizdate=bizdate, series=name, last=0)
        counter.last = -(-(counter.last + FLOOR_OFFLINE) // 100) * 100
        session.add(counter)


def counted(session: Session, bizdates: Iterable[str]) -> list[tuple[str, str, int]]:
    """Every series of these days as it stands: day, series, last."""
    rows = session.exec(select(CounterRow).where(col(CounterRow.bizdate).in_(set(bizdates))))
    return [(row.bizdate, row.series, row.last) for row in rows]


def behind(session: Session, bizdate: str, known: Mapping[str, Mapping[str, int]]) -> dict[tuple[str, str], int]:
    """Series of this day and later ones in which the province knows higher serials than this hall: (day, series) → to.

    The province counts by queue, over all its lanes; so every lane in use is lifted.
    """
    lifts: dict[tuple[str, str], int] = {}
    for day, by_queue in known.items():
        if day < bizdate:
            continue
        used = {row.series: row.last for row in session.exec(select(CounterRow).where(CounterRow.bizdate == day))}
        for queue, highest in by_queue.items():
            lanes = [series(queue, lane) for lane in Lane]
            if highest > max((used.get(name, 0) for name in lanes), default=0):
                names = {series(queue, Lane.NORMAL), *(name for name in lanes if name in used)}
                lifts.update({(day, name): min(LAST_SERIAL, highest + FLOOR_ONLINE) for name in names})
    return lifts


def lift(session: Session, lifts: Mapping[tuple[str, str], int]) -> None:
    """Write what `behind` found."""
    for (bizdate, name), floor in lifts.items():
        counter = _counter(session, bizdate, name)
        counter.last = max(counter.last, floor)
        session.add(counter)


def _known_series(session: Session) -> set[str]:
    """Every series ever counted, and all lanes of the queues that the hall announced last."""
    names = set(session.exec(select(CounterRow.series).distinct()))
    profile = session.exec(
        select(EventRow.body)
        .where(EventRow.type == ProfileChanged.wire_type)
        .order_by(col(EventRow.number).desc())
        .limit(1)
    ).first()
    if profile is not None:
        queues = [queue["queue_code"] for queue in json.loads(profile)["data"]["queues"]]
        names |= {series(queue, lane) for queue in queues for lane in Lane}
    return names


def _counter(session: Session, bizdate: str, name: str) -> CounterRow:
    return session.get(CounterRow, (bizdate, name)) or CounterRow(bizdate=bizdate, series=name, last=0)
