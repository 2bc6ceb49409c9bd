"""The service day: what must be put in order at start, opening, closing.

Number series restart with the service day, not with midnight: a daemon that is started anew in the small hours of an
evening's service goes on with its day. A day that was never closed is closed before the next is opened, with events
that carry its own date; a day never goes back, whatever the clock says.
"""

from __future__ import annotations

import logging

from sqlmodel import Session, col, func, select

from hall_daemon import lookups, privacy, queueing
from hall_daemon.clock import hour_minute, rfc3339
from hall_daemon.events import (
    CatalogActivated,
    DayClosed,
    DayOpened,
    NoShow,
    ProfileChanged,
    ProfileDevice,
    ProfileQueue,
    ProfileWindow,
    SlipPrinted,
    TicketExpired,
    TicketFinished,
)  # fmt: skip
from hall_daemon.hall import Hall
from hall_daemon.store import Tx
from hall_daemon.tables import DayRow, EvaluationRow, EventRow, MaterialRow, MetaRow, SessionRow, TicketRow
from hall_daemon.tickets import DayIsOpen, DayIsOver, HallClosed, MustFinishFirst
from hall_daemon.words import OPEN_STATES, Outcome, PrintReason, PrintResult, SlipState, TicketState

_log = logging.getLogger("hall.day")

NIGHT_MS = 4 * 3600 * 1000
"""A day on which nobody was issued, called or served for so long is over, once its date has passed."""


async def start(hall: Hall) -> None:
    """Put the hall in order after a start: profile, slips of unknown fate, the day."""
    await hall.store.write(lambda tx: _announce_profile(hall, tx))
    unsure = await hall.store.write(_settle_slips)
    if unsure:
        _log.warning("%d slips were being printed when the daemon stopped; their result is unknown", unsure)
    today, now_ms = hall.clock.today().isoformat(), hall.clock.now_ms()
    day = await hall.store.read(lookups.latest_day)
    if day is not None and day.bizdate < today and await hall.store.read(lambda s: _forgotten(s, now_ms)):
        await close(hall, force=True)
        day = await hall.store.read(lookups.latest_day)
    if day is None or (day.closed_ms is not None and day.bizdate < today):
        await open_day(hall)
        return
    hall.count_open_time_from(day.open_ms)
    hall.day_open = day.closed_ms is None


async def open_day(hall: Hall) -> int:
    """Open the day of today's date; an earlier one that was never closed is closed first.

    Raises DayIsOpen, DayIsOver (closed already, or the clock stands before it), MustFinishFirst.
    """

    def verb(tx: Tx) -> int:
        latest = lookups.latest_day(tx.session)
        bizdate = hall.clock.today().isoformat()
        if latest is not None and bizdate <= latest.bizdate:
            raise (DayIsOpen if latest.closed_ms is None else DayIsOver)(bizdate=latest.bizdate)
        if latest is not None and latest.closed_ms is None:
            _close(tx, force=False)
        tx.session.add(DayRow(bizdate=bizdate, opened_ms=tx.now_ms))
        tx.bizdate = bizdate
        return tx.emit(DayOpened(planned_open=hour_minute(tx.now_ms), planned_close="23:59"))

    event = await hall.store.write(verb)
    hall.count_open_time_from(0)
    hall.day_open = True
    hall.changed.ring()
    _log.info("opened")
    return event


async def close(hall: Hall, *, force: bool = False) -> int:
    """Close the day: waiting and no-show tickets expire, parked ones end as left.

    Raises MustFinishFirst while somebody is being served, unless `force` (nobody can be there any more).
    """
    event = await hall.store.write(lambda tx: _close(tx, force=force))
    hall.day_open = False
    hall.changed.ring()
    _log.info("closed")
    return event


def _forgotten(session: Session, now_ms: int) -> bool:
    """Whether the latest day was left open, and nothing has happened on it for a night."""
    day = lookups.latest_day(session)
    if day is None or day.closed_ms is not None:
        return False
    last = session.exec(select(func.max(TicketRow.since_ms)).where(TicketRow.bizdate == day.bizdate)).one()
    return now_ms - max(last or 0, day.opened_ms) >= NIGHT_MS


def _close(tx: Tx, *, force: bool) -> int:
    day = lookups.latest_day(tx.session)
    if day is None or day.closed_ms is not None:
        raise HallClosed()
    rows = tx.session.exec(select(TicketRow).where(TicketRow.bizdate == day.bizdate)).all()
    for row in rows:
        if row.state == TicketState.SERVING.value and not force:
            raise MustFinishFirst(number=row.number)
    for row in rows:
        if TicketState(row.state) in OPEN_STATES:
            _end(tx, row)
    for session in tx.session.exec(select(SessionRow)):
        tx.session.delete(session)
    tx.session.flush()
    day.closed_ms = tx.now_ms
    tx.session.add(day)
    return tx.emit(_summary(tx, day.bizdate), bizdate=day.bizdate)


def _end(tx: Tx, row: TicketRow) -> None:
    """Bring one ticket to its end at close of day."""
    window, clerk = row.window or "", row.clerk or "none"
    if row.state == TicketState.CALLED.value:
        row.state, row.window = TicketState.NO_SHOW.value, None
        row.no_shows += 1
        tx.emit(NoShow(ticket_id=row.id, window_code=window, calls=row.call_no, by="timer"), bizdate=row.bizdate)
    if row.state in (TicketState.SERVING.value, TicketState.PARKED.value):
        row.state, row.outcome = TicketState.FINISHED.value, Outcome.LEFT.value
        tx.emit(
            TicketFinished(
                ticket_id=row.id, window_code=window, clerk_id=clerk, outcome=Outcome.LEFT,
                started_at=rfc3339(row.serving_ms or row.since_ms), ended_at=rfc3339(tx.now_ms),
            ),
            bizdate=row.bizdate,
        )  # fmt: skip
    last = TicketState(row.state)
    expired = queueing.after(last, queueing.Verb.EXPIRE)
    if expired is not None:
        row.state = expired.value
        tx.emit(TicketExpired(ticket_id=row.id, display_no=row.number, last_state=last), bizdate=row.bizdate)
    row.since_ms = tx.now_ms
    tx.session.add(row)


def _summary(tx: Tx, bizdate: str) -> DayClosed:
    tickets = tx.session.exec(select(TicketRow).where(TicketRow.bizdate == bizdate)).all()
    states = [t.state for t in tickets]
    by_queue: dict[str, int] = {}
    for ticket in tickets:
        by_queue[ticket.series] = by_queue.get(ticket.series, 0) + 1
    pages = tx.session.exec(select(MaterialRow).where(col(MaterialRow.ticket_id).in_([t.id for t in tickets]))).all()
    given = tx.session.exec(
        select(func.count())
        .select_from(EvaluationRow)
        .join(TicketRow)
        .where(TicketRow.bizdate == bizdate, col(EvaluationRow.level).is_not(None))
    ).one()
    first = tx.session.exec(
        select(func.min(EventRow.sequence)).where(EventRow.bizdate == bizdate, EventRow.streamid == tx.streamid)
    ).one()
    return DayClosed(
        tickets=len(tickets), served=states.count("finished"), no_show=sum(t.no_shows > 0 for t in tickets),
        cancelled=states.count("cancelled"), expired=states.count("expired"), by_queue=by_queue,
        evaluations=given, pages=sum(len(m.pages) for m in pages), first_sequence=first or tx.next_sequence,
        last_sequence=tx.next_sequence,
    )  # fmt: skip


def _settle_slips(tx: Tx) -> int:
    """A slip that was pending when the daemon died may or may not be on paper: say so."""
    rows = tx.session.exec(select(TicketRow).where(TicketRow.slip == SlipState.PENDING.value)).all()
    for row in rows:
        row.slip = SlipState.UNKNOWN.value
        row.prints += 1
        tx.session.add(row)
        tx.emit(
            SlipPrinted(
                ticket_id=row.id, device_id=row.device, print_no=row.prints, result=PrintResult.UNKNOWN,
                reason_code=PrintReason.OFFLINE,
            ),
            bizdate=row.bizdate,
        )  # fmt: skip
    return len(rows)


def _announce_profile(hall: Hall, tx: Tx) -> None:
    profile = hall.profile
    changed = ProfileChanged(
        windows=tuple(
            ProfileWindow(window_code=w.code, counter_kind=w.counter_kind, zone_code=w.zone, queues=w.queues)
            for w in profile.windows.values()
        ),
        queues=tuple(
            ProfileQueue(queue_code=q.code, name=q.name.zh, name_en=q.name.en, item_codes=q.items)
            for q in profile.queues.values()
        ),
        devices=tuple(ProfileDevice(device_id=d.name, kind=d.kind) for d in hall.config.devices.values()),
    )
    if _differs(tx, "profile_sm3", privacy.sm3_hex(changed.model_dump_json().encode())):
        tx.emit(changed)
    if _differs(tx, "catalog", f"{profile.catalog_version} {profile.catalog_sm3}"):
        tx.emit(
            CatalogActivated(
                version=profile.catalog_version, mode="full", content_sm3=profile.catalog_sm3,
                items=sum(bool(i.codes) for i in profile.items.values()), urgent=False,
            )
        )  # fmt: skip


def _differs(tx: Tx, key: str, value: str) -> bool:
    row = tx.session.get(MetaRow, key)
    if row is not None and row.value == value:
        return False
    tx.session.merge(MetaRow(key=key, value=value))
    return True
