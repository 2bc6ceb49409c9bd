"""Questions about the tickets of a day: pure reads on a session, for the verbs and for the screens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, true
from sqlalchemy import text as sql
from sqlmodel import Session, col, func, select

from hall_daemon import appointments, carts, queueing
from hall_daemon.database import value
from hall_daemon.profile import HallProfile
from hall_daemon.tables import DayRow, MaterialRow, SessionRow, TicketRow
from hall_daemon.tables_clerks import PauseRow
from hall_daemon.tickets import NotFound, Pause, Snapshot, TicketInfo
from hall_daemon.words import OPEN_STATES, Hold, Lane, ParkReason, PauseReason, Priority, SlipState, TicketState

LAST_ARRIVAL = 1 << 62
_COUNT_WAITING = (
    "SELECT count(*) FROM ticket "
    "WHERE bizdate = :bizdate AND state = 'waiting' AND queue = :queue AND arrival_ms < :before"
)
_LAST_EVENT = "SELECT max(number) FROM event"
_USED_UP = sql("SELECT series FROM counter WHERE bizdate = :bizdate AND last >= :last")
_JUMPED = sql("SELECT 1 FROM stream WHERE reason = 'restore' AND opened_ms >= :opened")
AT_WINDOW = (TicketState.CALLED.value, TicketState.SERVING.value)


def latest_day(session: Session) -> DayRow | None:
    """The service day that was opened last, whatever the clock says."""
    return session.exec(select(DayRow).order_by(col(DayRow.bizdate).desc()).limit(1)).first()


def last_event(session: Session) -> int:
    """Number of the last event; 0 before the first."""
    return value(session, _LAST_EVENT, {}) or 0


def by_number(session: Session, number: str) -> TicketRow:
    """A ticket of the latest day. Raises NotFound."""
    latest = session.exec(select(func.max(DayRow.bizdate))).one()
    row = session.exec(select(TicketRow).where(TicketRow.bizdate == latest, TicketRow.number == number)).first()
    if row is None:
        raise NotFound(what=number)
    return row


@dataclass(frozen=True, kw_only=True)
class LastVisit:
    """A finished visit, as a clerk is told of it."""

    number: str
    window: str
    outcome: str
    ended_ms: int


def last_visit(session: Session, ticket_id: str) -> LastVisit | None:
    """The last visit that the person of a ticket has finished the same day under another number."""
    ticket = session.get(TicketRow, ticket_id)
    if ticket is None or ticket.id_hmac is None:
        return None
    row = session.exec(
        select(TicketRow)
        .where(
            TicketRow.bizdate == ticket.bizdate, TicketRow.id_hmac == ticket.id_hmac, TicketRow.id != ticket_id,
            TicketRow.state == TicketState.FINISHED.value,
        )
        .order_by(col(TicketRow.since_ms).desc())
        .limit(1)
    ).first()  # fmt: skip
    if row is None:
        return None
    return LastVisit(number=row.number, window=row.window or "", outcome=row.outcome or "", ended_ms=row.since_ms)


def at_window(session: Session, window: str) -> TicketRow | None:
    """The ticket that is called or being served there."""
    question = select(TicketRow).where(TicketRow.window == window, col(TicketRow.state).in_(AT_WINDOW))
    return session.exec(question).first()


def waiting(session: Session, bizdate: str, now_ms: int, place: queueing.Place | None = None) -> list[queueing.Waiting]:
    """All who wait, as the choice sees them; with a place, those at least whom it may call."""
    # Columns, not rows: a crowded hall has a thousand of them, and each call looks at its own.
    table = TicketRow.__table__.c  # type: ignore[attr-defined]  # SQLModel does not type its tables
    wanted = true()
    if place is not None:
        # Of a number for several things the other queues stand in its legs.
        wanted = table.queue.in_(place.queues) | (table.for_window == place.window) | (table.legs != [])
    rows = session.connection().execute(
        select(table.id, table.queue, table.arrival_ms, table.issued_ms)
        .add_columns(table.for_window, table.number, table.item, table.legs, table.lane, table.arrived_ms)
        .add_columns(table.callable_ms, table.slot_start_ms, table.pinned_ms, table.no_shows)
        .where(table.bizdate == bizdate, table.state == TicketState.WAITING.value, wanted)
    )
    paused = set(session.exec(select(PauseRow.window)))
    staffed = set(session.exec(select(SessionRow.window))) - paused
    return [as_waiting(row, now_ms, deserted=row.for_window not in staffed) for row in rows]


def as_waiting(row: TicketRow | Row[Any], now_ms: int = 0, *, deserted: bool = False) -> queueing.Waiting:
    """A ticket as the choice sees it. Any: columns of a table."""
    return queueing.Waiting(
        ticket_id=row.id, queue=row.queue, arrival_ms=row.arrival_ms, for_window=row.for_window, deserted=deserted,
        waited_s=max(0, (now_ms - row.issued_ms) // 1000), number=row.number, item=row.item,
        also=carts.others(row.queue, row.legs) if row.legs else (), lane=Lane(row.lane), arrived_ms=row.arrived_ms,
        callable_ms=row.callable_ms, slot_start_ms=row.slot_start_ms, pinned_ms=row.pinned_ms, no_shows=row.no_shows,
    )  # fmt: skip


def count_waiting(session: Session, bizdate: str, queue: str, before_ms: int | None = None) -> int:
    """How many wait in a queue, in all or before a virtual arrival."""
    asked = {"bizdate": bizdate, "queue": queue, "before": LAST_ARRIVAL if before_ms is None else before_ms}
    return int(value(session, _COUNT_WAITING, asked))


def ahead_of(session: Session, row: TicketRow) -> int:
    """How many wait before this ticket in its queue; nobody, if it does not wait itself."""
    if row.state != TicketState.WAITING.value:
        return 0
    return count_waiting(session, row.bizdate, row.queue, before_ms=row.arrival_ms)


def of_person(session: Session, id_hmac: str) -> list[TicketRow]:
    """Open tickets of the latest day that belong to this document, oldest first; one at a window is left out."""
    latest = session.exec(select(func.max(DayRow.bizdate))).one()
    states = [s.value for s in OPEN_STATES if s is not TicketState.SERVING]
    question = select(TicketRow).where(
        TicketRow.bizdate == latest, TicketRow.id_hmac == id_hmac, col(TicketRow.state).in_(states)
    )
    return list(session.exec(question.order_by(col(TicketRow.arrival_ms))))


def unprinted(session: Session, kiosk: str, since_ms: int) -> list[TicketRow]:
    """Waiting tickets taken at this kiosk since then of which no good slip is known, oldest first."""
    doubtful = [s.value for s in (SlipState.PENDING, SlipState.FAILED, SlipState.UNKNOWN)]
    question = select(TicketRow).where(
        TicketRow.kiosk == kiosk, TicketRow.state == TicketState.WAITING.value, TicketRow.issued_ms > since_ms,
        col(TicketRow.slip).in_(doubtful),
    )  # fmt: skip
    return list(session.exec(question.order_by(col(TicketRow.arrival_ms))))


def info(profile: HallProfile, row: TicketRow, ahead: int = 0) -> TicketInfo:
    """A row as screens need it."""
    return TicketInfo(
        ticket_id=row.id, number=row.number, queue=row.queue,
        item=profile.item_of(row.item, row.zone, row.queue, row.catver),
        zone=profile.zone_of(row.zone), windows=profile.windows_for(row.queue), state=TicketState(row.state),
        slip=SlipState(row.slip), priority=Priority(row.priority), kiosk=row.kiosk, window=row.window,
        for_window=row.for_window, clerk=row.clerk, call_no=row.call_no, issued_ms=row.issued_ms,
        since_ms=row.since_ms, arrival_ms=row.arrival_ms, called_ms=row.called_ms, no_shows=row.no_shows,
        hold=Hold(row.hold) if row.hold else None,
        park_reason=ParkReason(row.park_reason) if row.park_reason else None,
        name_masked=row.name_masked or "", id_masked=row.id_masked or "", id_type=row.id_type,
        card_expired=row.card_expired, waiting_ahead=ahead, lane=Lane(row.lane), arrived_ms=row.arrived_ms,
        callable_ms=row.callable_ms, slot_start_ms=row.slot_start_ms, pinned_ms=row.pinned_ms,
        also=carts.others(row.queue, row.legs), item_code=row.item, first_clerk=row.first_clerk, stage=row.stage,
        counted_calls=row.counted_calls, counted_ms=row.counted_ms, stint_ms=row.stint_ms, worked_ms=row.worked_ms,
    )  # fmt: skip


def snapshot(session: Session, profile: HallProfile) -> Snapshot:
    """The open tickets of the latest day."""
    bizdate = day.bizdate if (day := latest_day(session)) else ""
    return _taken(session, {row.id: info(profile, row) for row in _open_tickets(session, bizdate)}, day)


def refreshed(session: Session, profile: HallProfile, earlier: Snapshot, changed: frozenset[str]) -> Snapshot:
    """The same, from an earlier snapshot and the ids of the tickets that have changed since; "" is anything else."""
    if "" not in changed:  # no day began or ended, nobody signed in or out or went away
        tickets = _merged(session, profile, earlier, changed)
        return replace(earlier, **_of_tickets(session, earlier.bizdate, tickets))
    day = latest_day(session)
    if day is None or day.bizdate != earlier.bizdate:
        return snapshot(session, profile)
    return _taken(session, _merged(session, profile, earlier, changed), day)


def _merged(
    session: Session, profile: HallProfile, earlier: Snapshot, changed: frozenset[str]
) -> dict[str, TicketInfo]:
    tickets = {t.ticket_id: t for t in earlier.tickets if t.ticket_id not in changed}
    for row in _open_tickets(session, earlier.bizdate, changed):
        tickets[row.id] = info(profile, row)
    return tickets


def _open_tickets(session: Session, bizdate: str, among: frozenset[str] | None = None) -> Sequence[TicketRow]:
    question = select(TicketRow).where(
        TicketRow.bizdate == bizdate, col(TicketRow.state).in_([s.value for s in OPEN_STATES])
    )
    if among is not None:
        question = question.where(col(TicketRow.id).in_(among))
    return session.exec(question).all()


def _taken(session: Session, tickets: dict[str, TicketInfo], day: DayRow | None) -> Snapshot:
    bizdate = day.bizdate if day else ""
    return Snapshot(
        bizdate=bizdate,
        day_open=day is not None and day.closed_ms is None,
        sessions={s.window: s.clerk for s in session.exec(select(SessionRow))},
        pauses={
            p.window: Pause(reason=PauseReason(p.reason), since_ms=p.since_ms, until_ms=p.until_ms)
            for p in session.exec(select(PauseRow))
        },
        jumped=day is not None and session.execute(_JUMPED, {"opened": day.opened_ms}).first() is not None,
        **_of_tickets(session, bizdate, tickets),
    )


def _of_tickets(session: Session, bizdate: str, tickets: dict[str, TicketInfo]) -> dict[str, Any]:
    """The members of a snapshot that change with a ticket. Any: they are of several types."""
    filed, poor = _filed(session, [t.ticket_id for t in tickets.values() if t.state.value in AT_WINDOW])
    return {
        "event": last_event(session),
        "tickets": tuple(tickets.values()),
        "used_up": frozenset(session.execute(_USED_UP, {"bizdate": bizdate, "last": queueing.LAST_SERIAL}).scalars()),
        "cancelled_after": appointments.cancelled_after(session, bizdate) if bizdate else frozenset(),
        "filed": filed,
        "poor": poor,
    }


def _filed(
    session: Session, tickets: list[str]
) -> tuple[dict[str, tuple[str, ...]], dict[str, frozenset[str]]]:  # fmt: skip
    """By ticket: the codes that are filed, and those of them whose last pages are hard to read."""
    filed: dict[str, tuple[str, ...]] = {}
    poor: dict[str, frozenset[str]] = {}
    question = select(MaterialRow.ticket_id, MaterialRow.code, MaterialRow.poor).where(
        col(MaterialRow.ticket_id).in_(tickets), col(MaterialRow.withdrawn_ms).is_(None)
    )
    for ticket_id, code, is_poor in session.exec(question.order_by(col(MaterialRow.filed_ms))):
        filed[ticket_id] = (*filed.get(ticket_id, ()), code)
        before = poor.get(ticket_id, frozenset())
        poor[ticket_id] = before | {code} if is_poor else before - {code}
    return filed, poor
