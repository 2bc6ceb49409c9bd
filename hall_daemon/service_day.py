"""The service day: what must be put in order at start, opening, closing.

Number series restart with the service day, not with midnight: a daemon that is started anew in the small hours of an
evening's service goes on with its day. A day that was never closed is closed before the next is opened, with events
that carry its own date; a day never goes back, whatever the clock says.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlmodel import Session, col, func, select

from hall_daemon import lookups, privacy, queueing
from hall_daemon.clock import hour_minute, rfc3339
from hall_daemon.events import (
    CatalogActivated,
    DayClosed,
    DayOpened,
    NoShow,
    OperatorActed,
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
from hall_daemon.tables import CarriedRow, DayRow, EvaluationRow, EventRow, MaterialRow, MetaRow, SessionRow, TicketRow
from hall_daemon.tables_clerks import PauseRow, SecretRow
from hall_daemon.texts import text
from hall_daemon.tickets import ConfirmClose, DayIsOpen, DayIsOver, HallClosed, MustFinishFirst
from hall_daemon.words import OPEN_STATES, Outcome, PrintReason, PrintResult, SlipState, TicketState

_log = logging.getLogger("hall.day")

VALID_AFTER_EMERGENCY_MS = 2 * 3600 * 1000
"""So long a number stays valid after an emergency (fault G08)."""
CALL_OUT = "day.call_out"
"""Action: who still waits is told by voice that the hall closes (fault E13)."""
CLOCK = "clock"
"""Who acted, where the hour has come."""
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
        await make_up_closing(hall, force=True)
        day = await hall.store.read(lookups.latest_day)
    over = day is None or (day.closed_ms is not None and day.bizdate < today)
    # With opening hours the day is opened when they say so, by day_keeping.
    if over and not hall.day.hours.known:
        await open_day(hall)
        return
    if day is not None:
        hall.count_open_time_from(day.open_ms)
    hall.day.take(day)
    await hall.waits.take_up()


async def open_day(hall: Hall) -> int:
    """Open the day of today's date, or that of last evening's service; one that was never closed is closed first.

    Raises DayIsOpen, DayIsOver (closed already, or the clock stands before it), MustFinishFirst.
    """
    now_ms = hall.clock.now_ms()
    plan = hall.day.hours.plan_at(now_ms, hall.profile.calendar)
    bizdate = plan.bizdate if plan is not None else hall.clock.today().isoformat()

    def verb(tx: Tx) -> int:
        latest = lookups.latest_day(tx.session)
        if latest is not None and bizdate <= latest.bizdate:
            raise (DayIsOpen if latest.closed_ms is None else DayIsOver)(bizdate=latest.bizdate)
        if latest is not None and latest.closed_ms is None:
            _close(hall, tx, force=False)
        row = DayRow(bizdate=bizdate, opened_ms=tx.now_ms, planned_close_ms=plan.closes_ms if plan else None)
        tx.session.add(row)
        tx.bizdate = bizdate
        tx.session.flush()
        for each in hall.at_opening:
            each(tx, bizdate)
        _follow(hall, tx, row)
        return tx.emit(
            DayOpened(
                planned_open=hour_minute(plan.opens_ms if plan else tx.now_ms),
                planned_close=hour_minute(plan.closes_ms) if plan else "23:59",
            ),
            kept=_plan_of(row),
        )

    event = await hall.store.write(verb)
    hall.count_open_time_from(0)
    hall.changed.ring()
    _log.info("opened")
    return event


@dataclass(frozen=True, kw_only=True)
class Leftovers:
    """Who is still there when the day is to be closed."""

    waiting: int = 0
    called: int = 0
    parked: int = 0
    no_show: int = 0

    @property
    def people(self) -> int:
        """Who is in the hall, as far as the hall knows; who did not come when called is not."""
        return self.waiting + self.called + self.parked


async def leftovers(hall: Hall) -> Leftovers:
    """Counts of the open tickets, which a person must have seen to close the day."""
    return await hall.store.read(_leftovers)


async def close(hall: Hall, *, force: bool = False, carry: bool = False) -> int:
    """Close the day: waiting and no-show tickets expire, parked ones end as left. All of it in one transaction.

    `carry`: who held a number that expires comes first the next time. Raises MustFinishFirst while somebody is being
    served, unless `force` (nobody can be there any more).
    """
    event = await hall.store.write(lambda tx: _close(hall, tx, force=force, carry=carry))
    hall.changed.ring()
    _log.info("closed")
    return event


async def make_up_closing(hall: Hall, *, force: bool = False) -> None:
    """Close a day that was forgotten; people are told what it ended. Raises as close."""
    left, bizdate = await leftovers(hall), hall.day.bizdate or await hall.store.read(_latest_date)
    await close(hall, force=force)
    hall.day.made_up = text("day.closed_late", bizdate=bizdate, n=left.people + left.no_show)
    _log.warning("%s had not been closed; closed now, people=%d", bizdate, left.people)


async def close_confirmed(hall: Hall, by: str, seen: Leftovers | None) -> int:
    """Close by a person's word: who asks is told who is still there, and they are called out (calling_out hears it).

    Raises ConfirmClose unless `seen` says who is still there, MustFinishFirst.
    """
    left = await leftovers(hall)
    if seen is None and left.waiting:
        await _told(hall, lambda tx: tx.emit(_acted(by, CALL_OUT, "done", f"waiting={left.waiting}")))

    def verb(tx: Tx) -> int:
        left = _leftovers(tx.session)
        if left.people and (seen is None or left != replace(seen, no_show=left.no_show)):
            raise ConfirmClose(waiting=left.waiting, parked=left.parked, called=left.called)
        counts = f"waiting={left.waiting} called={left.called} parked={left.parked} no_show={left.no_show}"
        tx.emit(_acted(by, "day.close", "done", counts))
        return _close(hall, tx, force=False)

    event = await hall.store.write(verb)
    hall.day.made_up = None
    hall.changed.ring()
    _log.info("closed by %s", by)
    return event


async def drain(hall: Hall, by: str = "") -> int:
    """Give no more numbers; who has one is served. `by` is empty where the hour has come. Raises HallClosed."""

    def verb(tx: Tx) -> int:
        row = _open_row(tx)
        if row.draining_ms is not None:
            return lookups.last_event(tx.session)
        row.draining_ms = tx.now_ms
        _follow(hall, tx, row)
        return tx.emit(_acted(by or CLOCK, "day.drain", "done", None), kept=_plan_of(row))

    return await _told(hall, verb)


async def reopen(hall: Hall, by: str) -> int:
    """Take back draining or an emergency: numbers are given again, everybody keeps their place. Raises HallClosed."""

    def verb(tx: Tx) -> int:
        row = _open_row(tx)
        row.draining_ms = row.halted_ms = row.halted_until_ms = None
        # Past the planned hour it would drain again at once: who reopens decides the end too.
        if row.planned_close_ms is not None and row.planned_close_ms <= tx.now_ms:
            row.planned_close_ms = None
        _follow(hall, tx, row)
        return tx.emit(_acted(by, "day.reopen", "done", None), kept=_plan_of(row))

    return await _told(hall, verb)


async def emergency(hall: Hall, by: str, reason: str, *, valid: bool) -> int:
    """紧急闭厅, one action: nobody is called and no number given, and what becomes of the numbers is on record.

    `valid`: they stay so for two hours, after which they are carried over; else the day is closed now, and who held
    one comes first the next time. Who is at a window is left to the clerk, unless the day is closed. Raises HallClosed.
    """

    def verb(tx: Tx) -> int:
        row = _open_row(tx)
        decision = "valid_2h" if valid else "priority_next_day"
        if valid:
            row.halted_ms, row.halted_until_ms = tx.now_ms, tx.now_ms + VALID_AFTER_EMERGENCY_MS
            _follow(hall, tx, row)
        event = tx.emit(_acted(by, "day.emergency_close", decision, reason), kept=_plan_of(row))
        return event if valid else _close(hall, tx, force=True, carry=True)

    return await _told(hall, verb)


async def power(hall: Hall, by: str, *, failing: bool) -> int:
    """The UPS says that the power fails, or that it is back (fault G01).

    Failing: nobody is called any more and no paper is fed to a scanner; who was called and who waits keep their places,
    also over the end of the daemon that is to come. Numbers are given for as long as a kiosk has power.
    """
    action = "power.failing" if failing else "power.back"
    event = await hall.store.write(lambda tx: tx.emit(_acted(by, action, "done", None)))
    hall.day.power_failing = failing
    hall.changed.ring()
    if failing:
        await asyncio.to_thread(os.sync)  # each commit is on the disk; now everything else is too
    _log.warning("the power %s, by %s", "fails" if failing else "is back", by)
    return event


async def _told(hall: Hall, verb: Callable[[Tx], int]) -> int:
    event = await hall.store.write(verb)
    hall.changed.ring()
    return event


def _plan_of(row: DayRow) -> dict[str, int | None]:
    """Plan and halts of the day, which no event tells in full."""
    return {
        "planned_close_ms": row.planned_close_ms, "draining_ms": row.draining_ms, "halted_ms": row.halted_ms,
        "halted_until_ms": row.halted_until_ms,
    }  # fmt: skip


def _open_row(tx: Tx) -> DayRow:
    row = lookups.latest_day(tx.session)
    if row is None or row.closed_ms is not None:
        raise HallClosed()
    return row


def _follow(hall: Hall, tx: Tx, row: DayRow) -> None:
    """Everybody sees the day's row as it is from the commit on."""
    tx.session.add(row)
    tx.session.flush()
    now = DayRow(**row.model_dump())
    tx.after.append(lambda: hall.day.take(now))


def _acted(by: str, action: str, result: str, reason: str | None) -> OperatorActed:
    return OperatorActed(
        actor="technician", actor_id=by, action=action, target="hall", result=result, reason_text=reason or None
    )


def _leftovers(session: Session) -> Leftovers:
    day = lookups.latest_day(session)
    if day is None or day.closed_ms is not None:
        return Leftovers()
    question = select(TicketRow.state, func.count()).where(TicketRow.bizdate == day.bizdate).group_by(TicketRow.state)
    counts = dict(session.exec(question).all())
    return Leftovers(
        waiting=counts.get(TicketState.WAITING.value, 0), called=counts.get(TicketState.CALLED.value, 0),
        parked=counts.get(TicketState.PARKED.value, 0), no_show=counts.get(TicketState.NO_SHOW.value, 0),
    )  # fmt: skip


def _latest_date(session: Session) -> str:
    day = lookups.latest_day(session)
    return day.bizdate if day is not None else ""


def _forgotten(session: Session, now_ms: int) -> bool:
    """Whether the latest day was left open, and nothing has happened on it for a night."""
    day = lookups.latest_day(session)
    if day is None or day.closed_ms is not None:
        return False
    last = session.exec(select(func.max(TicketRow.since_ms)).where(TicketRow.bizdate == day.bizdate)).one()
    return now_ms - max(last or 0, day.opened_ms) >= NIGHT_MS


def _close(hall: Hall, tx: Tx, *, force: bool, carry: bool = False) -> int:
    day = lookups.latest_day(tx.session)
    if day is None or day.closed_ms is not None:
        raise HallClosed()
    rows = tx.session.exec(select(TicketRow).where(TicketRow.bizdate == day.bizdate)).all()
    for row in rows:
        if row.state == TicketState.SERVING.value and not force:
            raise MustFinishFirst(number=row.number)
    for row in rows:
        if TicketState(row.state) in OPEN_STATES:
            if carry:
                _carry(tx, row)
            _end(tx, row)
    # A pause that outlived its day would keep the window closed the next morning.
    for row_type in (SecretRow, PauseRow, SessionRow):
        for left in tx.session.exec(select(row_type)):
            tx.session.delete(left)
    tx.session.flush()
    day.closed_ms = tx.now_ms
    _follow(hall, tx, day)
    for each in hall.at_closing:
        each(tx)
    return tx.emit(_summary(tx, day.bizdate), bizdate=day.bizdate)


def _carry(tx: Tx, row: TicketRow) -> None:
    """Who holds this number comes first the next time: by the same person, or the old number at the desk."""
    if row.state in (TicketState.WAITING.value, TicketState.CALLED.value, TicketState.NO_SHOW.value):
        tx.session.add(
            CarriedRow(
                ticket_id=row.id, bizdate=row.bizdate, number=row.number, queue=row.queue, id_hmac=row.id_hmac,
                phone_hmac=row.phone_hmac,
            )
        )  # fmt: skip


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
