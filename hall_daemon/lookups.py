"""Questions about the tickets of a day: pure reads on a session, for the verbs and for the screens."""

from __future__ import annotations

from sqlmodel import Session, col, func, select

from hall_daemon import queueing
from hall_daemon.profile import HallProfile
from hall_daemon.tables import DayRow, EventRow, MaterialRow, SessionRow, TicketRow
from hall_daemon.tickets import NotFound, Snapshot, TicketInfo
from hall_daemon.words import OPEN_STATES, Hold, ParkReason, Priority, SlipState, TicketState

AT_WINDOW = (TicketState.CALLED.value, TicketState.SERVING.value)


def latest_day(session: Session) -> DayRow | None:
    """The service day that was opened last, whatever the clock says."""
    return session.exec(select(DayRow).order_by(col(DayRow.bizdate).desc()).limit(1)).first()


def last_event(session: Session) -> int:
    """Number of the last event; 0 before the first."""
    return session.exec(select(func.max(EventRow.number))).one() or 0


def by_number(session: Session, number: str) -> TicketRow:
    """A ticket of the latest day. Raises NotFound."""
    latest = session.exec(select(func.max(DayRow.bizdate))).one()
    row = session.exec(select(TicketRow).where(TicketRow.bizdate == latest, TicketRow.number == number)).first()
    if row is None:
        raise NotFound(what=number)
    return row


def at_window(session: Session, window: str) -> TicketRow | None:
    """The ticket that is called or being served there."""
    question = select(TicketRow).where(TicketRow.window == window, col(TicketRow.state).in_(AT_WINDOW))
    return session.exec(question).first()


def waiting(session: Session, bizdate: str, now_ms: int) -> list[queueing.Waiting]:
    """All who wait, as the choice sees them."""
    rows = session.exec(
        select(TicketRow).where(TicketRow.bizdate == bizdate, TicketRow.state == TicketState.WAITING.value)
    )
    return [
        queueing.Waiting(
            ticket_id=row.id,
            queue=row.queue,
            arrival_ms=row.arrival_ms,
            for_window=row.for_window,
            waited_s=max(0, (now_ms - row.issued_ms) // 1000),
        )
        for row in rows
    ]


def count_waiting(session: Session, bizdate: str, queue: str, before_ms: int | None = None) -> int:
    """How many wait in a queue, in all or before a virtual arrival."""
    question = select(func.count()).where(
        TicketRow.bizdate == bizdate, TicketRow.state == TicketState.WAITING.value, TicketRow.queue == queue
    )
    if before_ms is not None:
        question = question.where(TicketRow.arrival_ms < before_ms)
    return session.exec(question).one()


def ahead_of(session: Session, row: TicketRow) -> int:
    """How many wait before this ticket in its queue; nobody, if it does not wait itself."""
    if row.state != TicketState.WAITING.value:
        return 0
    return count_waiting(session, row.bizdate, row.queue, before_ms=row.arrival_ms)


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
        ticket_id=row.id, number=row.number, queue=row.queue, item=profile.items[row.item],
        zone=profile.zones[row.zone], windows=profile.windows_for(row.queue), state=TicketState(row.state),
        slip=SlipState(row.slip), priority=Priority(row.priority), kiosk=row.kiosk, window=row.window,
        for_window=row.for_window, clerk=row.clerk, call_no=row.call_no, issued_ms=row.issued_ms,
        since_ms=row.since_ms, arrival_ms=row.arrival_ms, called_ms=row.called_ms, no_shows=row.no_shows,
        hold=Hold(row.hold) if row.hold else None,
        park_reason=ParkReason(row.park_reason) if row.park_reason else None,
        name_masked=row.name_masked or "", id_masked=row.id_masked or "", waiting_ahead=ahead,
    )  # fmt: skip


def snapshot(session: Session, profile: HallProfile) -> Snapshot:
    """The open tickets of the latest day."""
    day = latest_day(session)
    bizdate = day.bizdate if day else ""
    rows = session.exec(
        select(TicketRow)
        .where(TicketRow.bizdate == bizdate, col(TicketRow.state).in_([s.value for s in OPEN_STATES]))
        .order_by(col(TicketRow.arrival_ms))
    ).all()
    return Snapshot(
        event=last_event(session),
        bizdate=bizdate,
        day_open=day is not None and day.closed_ms is None,
        tickets=tuple(info(profile, row) for row in rows),
        sessions={s.window: s.clerk for s in session.exec(select(SessionRow))},
        filed=_filed(session, [row.id for row in rows if row.state in AT_WINDOW]),
    )


def _filed(session: Session, tickets: list[str]) -> dict[str, tuple[str, ...]]:
    filed: dict[str, tuple[str, ...]] = {}
    question = select(MaterialRow.ticket_id, MaterialRow.code).where(col(MaterialRow.ticket_id).in_(tickets))
    for ticket_id, code in session.exec(question.order_by(col(MaterialRow.filed_ms))):
        filed[ticket_id] = (*filed.get(ticket_id, ()), code)
    return filed
