"""The verbs of the hall: issue, call next, recall, serve, park, transfer, finish, and the service day.

Each verb is one transaction with its event. Rules are in queueing; this room reads what they need, writes what they
say, and tells everybody after the commit. It knows no device and no screen.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from sqlmodel import Session, col, func, select

from hall_daemon import privacy, queueing
from hall_daemon.clock import Clock, rfc3339
from hall_daemon.config import HallConfig
from hall_daemon.events import (
    CallRule,
    Event,
    EventData,
    NoShow,
    OperatorActed,
    Sealed,
    ServingStarted,
    SlipPrinted,
    TicketCalled,
    TicketCancelled,
    TicketFinished,
    TicketIssued,
    TicketParked,
    TicketRequeued,
    TicketResumed,
    TicketTransferred,
)  # fmt: skip
from hall_daemon.protocol import Transfer, ZoneLoad
from hall_daemon.queueing import Verb
from hall_daemon.store import Store, Tx
from hall_daemon.tables import CounterRow, DayRow, EventRow, MaterialRow, SessionRow, TicketRow
from hall_daemon.tickets import (
    AlreadyWaiting,
    HallClosed,
    IllegalStep,
    Issued,
    IssueOrder,
    ItemSuspended,
    MustDecideCall,
    MustFinishFirst,
    NoMoreNumbers,
    NotFound,
    NothingWaiting,
    NotSignedIn,
    NoWindow,
    ScreenOutOfDate,
    Snapshot,
    TicketInfo,
    WindowTaken,
)  # fmt: skip
from hall_daemon.words import (
    OPEN_STATES,
    CallMode,
    CancelReason,
    Hold,
    IdentityMode,
    Lane,
    Outcome,
    ParkReason,
    PositionRule,
    PrintReason,
    PrintResult,
    Priority,
    RequeuedBy,
    SlipState,
    TicketState,
)  # fmt: skip

_log = logging.getLogger("hall")

_AT_WINDOW = (TicketState.CALLED.value, TicketState.SERVING.value)
_SLIP_AFTER = {
    PrintResult.OK: SlipState.PRINTED,
    PrintResult.FAILED: SlipState.FAILED,
    PrintResult.UNKNOWN: SlipState.UNKNOWN,
}


class Bell:
    """Tells any number of waiting tasks that something changed; nobody can miss a ring, nobody can lag behind."""

    def __init__(self) -> None:
        self.rings = 0
        self._next = asyncio.Event()

    def ring(self) -> None:
        """Wake everybody; on the event loop."""
        self.rings += 1
        self._next.set()
        self._next = asyncio.Event()

    async def wait(self, heard: int) -> int:
        """Return the count of rings as soon as it exceeds `heard`."""
        while self.rings <= heard:
            await self._next.wait()
        return self.rings


class Hall:
    """The verbs, and the news of what they did."""

    def __init__(self, config: HallConfig, store: Store, clock: Clock) -> None:
        self.config = config
        self.profile = config.profile
        self.store = store
        self.clock = clock
        self.day_open = False
        self.changed = Bell()
        """Rings after each commit that changed something."""
        self._hear: list[Callable[[Event], None]] = []
        self._snapshot: Snapshot | None = None
        self._open_base_ms = 0
        self._open_base_s = 0.0
        store.catalog_version = self.profile.catalog_version
        store.on_commit(self._tell)

    def on_event(self, hear: Callable[[Event], None]) -> None:
        """Hear every committed event, in order, on the event loop."""
        self._hear.append(hear)

    def _tell(self, events: tuple[Event, ...]) -> None:
        self._snapshot = None
        for event in events:
            for hear in self._hear:
                hear(event)
        self.changed.ring()

    def count_open_time_from(self, open_ms: int) -> None:
        """Go on counting the day's open time at `open_ms`."""
        self._open_base_ms, self._open_base_s = open_ms, self.clock.monotonic_s()

    def open_time_ms(self) -> int:
        """How long the day has been open; order in the queues is measured by it, never by the wall clock."""
        return self._open_base_ms + int((self.clock.monotonic_s() - self._open_base_s) * 1000)

    # --- a number ---------------------------------------------------------------------------------------------------

    async def issue(self, order: IssueOrder) -> Issued:
        """Create a ticket; when this returns, it is on the disk.

        Raises HallClosed, NotFound, ItemSuspended, NoWindow, AlreadyWaiting, NoMoreNumbers.
        """
        item = self.profile.items.get(order.item)
        if item is None:
            raise NotFound(what=order.item)
        if item.suspended:
            raise ItemSuspended()
        if not self.profile.windows_for(item.queue):
            raise NoWindow()
        if not self.day_open:
            raise HallClosed()
        issued = await self.store.write(lambda tx: self._issue(tx, order))
        if not issued.repeated:
            _log.info(
                "issued %s queue=%s kiosk=%s waiting_ahead=%d", issued.number, item.queue, order.kiosk or "-",
                issued.waiting_ahead,
            )  # fmt: skip
        return issued

    def _issue(self, tx: Tx, order: IssueOrder) -> Issued:
        item = self.profile.items[order.item]
        same = tx.session.exec(select(TicketRow).where(TicketRow.request_id == order.request_id)).first()
        if same is not None:
            return self._issued(tx.session, same, 0, repeated=True)
        person = self._person(order)
        self._refuse_second_number(tx, item.queue, person)
        ahead = self._count_waiting(tx.session, tx.bizdate, item.queue)
        name = queueing.series(item.queue, Lane.NORMAL)
        serial = self._next_serial(tx, name)
        ticket_id, event_id = self.clock.new_id(), self.clock.new_id()
        row = TicketRow(
            id=ticket_id, request_id=order.request_id, bizdate=tx.bizdate, queue=item.queue, series=name, serial=serial,
            number=queueing.display_number(name, serial), item=item.code, zone=item.zone, channel=order.channel.value,
            priority=order.priority.value, kiosk=order.kiosk, device=order.device_id, identity_mode=person.mode.value,
            id_type=person.id_type or None, name_masked=person.name_masked or None, id_masked=person.id_masked or None,
            phone_masked=person.phone_masked or None, id_hmac=person.id_hmac, phone_hmac=person.phone_hmac,
            state=TicketState.WAITING.value, since_ms=tx.now_ms, issued_ms=tx.now_ms, arrival_ms=self._arrive(tx),
            slip=(SlipState.PENDING if order.printed_required else SlipState.NONE).value,
        )  # fmt: skip
        tx.session.add(row)
        tx.session.flush()
        event = tx.emit(
            TicketIssued(
                ticket_id=ticket_id, display_no=row.number, queue_code=item.queue, serial=serial, channel=order.channel,
                priority=order.priority, identity_mode=person.mode, id_type=row.id_type, name_masked=row.name_masked,
                id_masked=row.id_masked, phone_masked=row.phone_masked, id_hmac=row.id_hmac,
                pii=self._seal(event_id, person.facts), item_codes=item.codes, zone_code=item.zone, waiting_ahead=ahead,
                device_id=order.device_id, printed_required=order.printed_required,
            ),
            event_id=event_id,
        )  # fmt: skip
        return self._issued(tx.session, row, event, repeated=False, ahead=ahead)

    def _issued(self, session: Session, row: TicketRow, event: int, *, repeated: bool, ahead: int = 0) -> Issued:
        if repeated:
            ahead = self._count_waiting(session, row.bizdate, row.queue, before_ms=row.arrival_ms)
        return Issued(
            ticket_id=row.id, number=row.number, item=self.profile.items[row.item], zone=self.profile.zones[row.zone],
            windows=self.profile.windows_for(row.queue), waiting_ahead=ahead, event=event, repeated=repeated,
        )  # fmt: skip

    def _person(self, order: IssueOrder) -> _Person:
        card, match = order.card, self.config.secrets.match
        id_type, id_no, name, mode = "", "", "", IdentityMode.NONE
        if card is not None:
            id_type, id_no, name = card.id_type, card.id_no, card.name or card.name_en
            mode = IdentityMode.ID_CARD
        elif order.typed_id:
            id_type, id_no, mode = "111", order.typed_id, IdentityMode.MANUAL
        facts = {"name": name, "id_type": id_type if id_no else "", "id_no": id_no, "phone": order.phone}
        return _Person(
            mode=mode, id_type=id_type, name_masked=privacy.mask_name(name), id_masked=privacy.mask_id(id_no),
            phone_masked=privacy.mask_phone(order.phone),
            id_hmac=privacy.id_hmac(match, id_type, id_no) if match and id_no else None,
            phone_hmac=privacy.id_hmac(match, "phone", order.phone) if match and order.phone else None,
            facts={key: value for key, value in facts.items() if value},
        )  # fmt: skip

    def _seal(self, event_id: str, facts: dict[str, str]) -> Sealed | None:
        key = self.config.secrets.pii
        return privacy.seal(key, event_id, facts) if key and facts else None

    def _refuse_second_number(self, tx: Tx, queue: str, person: _Person) -> None:
        """One person, one valid number a queue: by keyed hash of the ID number, else of the phone."""
        column, value = (
            (TicketRow.id_hmac, person.id_hmac) if person.id_hmac else (TicketRow.phone_hmac, person.phone_hmac)
        )
        if value is None:
            return
        earlier = tx.session.exec(
            select(TicketRow).where(
                TicketRow.bizdate == tx.bizdate, TicketRow.queue == queue, column == value,
                col(TicketRow.state).in_([s.value for s in OPEN_STATES]),
            )
        ).first()  # fmt: skip
        if earlier is not None:
            ahead = self._count_waiting(tx.session, tx.bizdate, queue, before_ms=earlier.arrival_ms)
            raise AlreadyWaiting(number=earlier.number, ahead=ahead)

    @staticmethod
    def _next_serial(tx: Tx, name: str) -> int:
        counter = tx.session.get(CounterRow, (tx.bizdate, name))
        if counter is None:
            counter = CounterRow(bizdate=tx.bizdate, series=name, last=0)
        if counter.last >= queueing.LAST_SERIAL:
            raise NoMoreNumbers()
        counter.last += 1
        tx.session.add(counter)
        return counter.last

    def _arrive(self, tx: Tx) -> int:
        """Virtual arrival: open time so far, strictly later than the one before."""
        day = tx.session.get(DayRow, tx.bizdate)
        if day is None or day.closed_ms is not None:
            raise HallClosed()
        day.open_ms = max(day.open_ms + 1, self.open_time_ms())
        tx.session.add(day)
        return day.open_ms

    async def record_print(
        self, ticket_id: str, device_id: str, result: PrintResult, reason: PrintReason | None = None,
        reprint_by: str | None = None,
    ) -> int:  # fmt: skip
        """What the printer proved about a slip; the number of the event."""

        def verb(tx: Tx) -> int:
            row = tx.session.get(TicketRow, ticket_id)
            if row is None:
                raise NotFound(what=ticket_id)
            row.prints += 1
            # A good slip in somebody's hand stays good, whatever became of a later copy.
            if row.slip != SlipState.PRINTED.value:
                row.slip = _SLIP_AFTER[result].value
            tx.session.add(row)
            return tx.emit(
                SlipPrinted(
                    ticket_id=row.id, device_id=device_id, print_no=row.prints, result=result, reason_code=reason,
                    reprint_by=reprint_by,
                )
            )  # fmt: skip

        return await self.store.write(verb)

    # --- a window -----------------------------------------------------------------------------------------------------

    async def sign_in(self, window: str, clerk: str) -> int:
        """A clerk takes a window, leaving any other one."""

        def verb(tx: Tx) -> int:
            if window not in self.profile.windows or clerk not in self.config.clerks:
                raise NotFound(what=window if window not in self.profile.windows else clerk)
            there = tx.session.get(SessionRow, window)
            if there is not None and there.clerk != clerk:
                raise WindowTaken(window=window)
            if there is not None:
                return self._last_event(tx.session)
            other = tx.session.exec(select(SessionRow).where(SessionRow.clerk == clerk)).first()
            if other is not None:
                tx.session.delete(other)
                tx.session.flush()
            tx.session.add(SessionRow(window=window, clerk=clerk, since_ms=tx.now_ms))
            return tx.emit(_acted(clerk, "sign_in", window))

        return await self.store.write(verb)

    async def sign_out(self, window: str) -> int:
        """Leave the window; refused while a ticket is there."""

        def verb(tx: Tx) -> int:
            clerk = self._clerk_at(tx, window)
            current = self._current(tx, window)
            if current is not None:
                raise _still_busy(current)
            tx.session.delete(tx.session.get(SessionRow, window))
            return tx.emit(_acted(clerk, "sign_out", window))

        return await self.store.write(verb)

    async def call_next(self, window: str, seen: str | None) -> tuple[int, str]:
        """Finish the ticket being served, then call who is next; event number and ticket number, one commit.

        Raises NotSignedIn, ScreenOutOfDate, MustDecideCall, NothingWaiting.
        """

        def verb(tx: Tx) -> tuple[int, str]:
            clerk = self._clerk_at(tx, window)
            current = self._current(tx, window)
            if (current.number if current else None) != seen:
                raise ScreenOutOfDate()
            if current is not None and current.state == TicketState.CALLED.value:
                raise MustDecideCall(number=current.number)
            pick = queueing.pick_next(self._waiting(tx), window, self.profile.windows[window].queues)
            if pick is None:
                raise NothingWaiting()
            if current is not None:
                self._finish(tx, current, clerk, Outcome.COMPLETED)
                tx.session.flush()  # the window must be free before the next ticket stands there
            row = tx.session.get_one(TicketRow, pick.ticket_id)
            row.window, row.clerk, row.call_no, row.called_ms = window, clerk, 1, tx.now_ms
            self._step(tx, row, Verb.CALL)
            rule = CallRule(picked_by=pick.picked_by, candidates=pick.candidates, oldest_wait_s=pick.oldest_wait_s)
            return tx.emit(_called(row, clerk, CallMode.NEXT, rule)), row.number

        event, number = await self.store.write(verb)
        _log.info("called %s window=%s", number, window)
        return event, number

    async def recall(self, window: str, seen: str) -> int:
        """Summon again."""

        def verb(tx: Tx, row: TicketRow, clerk: str) -> EventData:
            self._step(tx, row, Verb.RECALL)
            row.call_no += 1
            row.called_ms = tx.now_ms
            waited = max(0, (tx.now_ms - row.issued_ms) // 1000)
            return _called(
                row, clerk, CallMode.RECALL, CallRule(picked_by="recall", candidates=1, oldest_wait_s=waited)
            )

        return await self._about_current(window, seen, verb)

    async def serve(self, window: str, seen: str, *, identity_rechecked: bool) -> int:
        """The resident is at the window."""

        def verb(tx: Tx, row: TicketRow, clerk: str) -> EventData:
            self._step(tx, row, Verb.SERVE)
            row.serving_ms = tx.now_ms
            row.identity_rechecked = identity_rechecked
            return ServingStarted(
                ticket_id=row.id, window_code=window, clerk_id=clerk, identity_rechecked=identity_rechecked
            )

        return await self._about_current(window, seen, verb)

    async def no_show(self, window: str, seen: str) -> int:
        """Called and did not come."""

        def verb(tx: Tx, row: TicketRow, clerk: str) -> EventData:
            self._step(tx, row, Verb.NO_SHOW)
            row.no_shows += 1
            row.window = None
            return NoShow(ticket_id=row.id, window_code=window, clerk_id=clerk, calls=row.call_no, by="clerk")

        return await self._about_current(window, seen, verb)

    async def park(self, window: str, seen: str, reason: ParkReason, hold: Hold) -> int:
        """Interrupt; the window is free for the next."""

        def verb(tx: Tx, row: TicketRow, clerk: str) -> EventData:
            self._step(tx, row, Verb.PARK)
            row.hold, row.park_reason = hold.value, reason.value
            return TicketParked(ticket_id=row.id, window_code=window, clerk_id=clerk, reason_code=reason, hold=hold)

        return await self._about_current(window, seen, verb)

    async def finish(self, window: str, seen: str, outcome: Outcome) -> int:
        """The resident leaves the window."""

        def verb(tx: Tx) -> int:
            clerk = self._clerk_at(tx, window)
            return self._finish(tx, self._seen(tx, window, seen), clerk, outcome)

        return await self.store.write(verb)

    async def transfer(self, window: str, to: Transfer) -> int:
        """To another queue, zone or window, keeping the number. Raises NotFound, NoWindow, IllegalStep."""
        if sum(target is not None for target in (to.to_queue, to.to_window, to.to_zone)) != 1:
            raise NotFound(what="to_queue, to_window, to_zone")

        def verb(tx: Tx, row: TicketRow, clerk: str) -> EventData:
            self._step(tx, row, Verb.TRANSFER)
            to_queue = self._transfer_target(tx, to)
            row.queue = to_queue or row.queue
            row.for_window = to.to_window
            row.zone = self.profile.queues[row.queue].zone
            row.window = None
            if not to.keep_position:
                row.arrival_ms = self._arrive(tx)
            return TicketTransferred(
                ticket_id=row.id, from_window=window, to_window=to.to_window, to_queue=to_queue,
                keep_position=to.keep_position, reason_code=to.reason, clerk_id=clerk,
            )  # fmt: skip

        return await self._about_current(window, to.seen, verb)

    def _transfer_target(self, tx: Tx, to: Transfer) -> str | None:
        if to.to_window is not None:
            if to.to_window not in self.profile.windows:
                raise NotFound(what=to.to_window)
            return None
        if to.to_queue is not None:
            queues = [to.to_queue] if to.to_queue in self.profile.queues else []
        else:
            queues = [q.code for q in self.profile.queues.values() if q.zone == to.to_zone]
        if not queues:
            raise NotFound(what=to.to_queue or to.to_zone)
        served = [q for q in queues if self.profile.windows_for(q)]
        if not served:
            raise NoWindow()
        return min(served, key=lambda q: (self._count_waiting(tx.session, tx.bizdate, q), queues.index(q)))

    async def resume(self, window: str, number: str) -> int:
        """Take up a parked ticket. Raises NotFound, IllegalStep, MustFinishFirst."""

        def verb(tx: Tx) -> int:
            clerk = self._clerk_at(tx, window)
            current = self._current(tx, window)
            if current is not None:
                raise _still_busy(current)
            row = self._by_number(tx, number)
            hold, queues = Hold(row.hold or Hold.HERE), self.profile.windows[window].queues
            if not queueing.may_resume(hold, row.window or "", row.queue, window, queues):
                raise IllegalStep(number=number, state=row.state)
            self._step(tx, row, Verb.RESUME)
            row.window, row.clerk = window, clerk
            return tx.emit(
                TicketResumed(
                    ticket_id=row.id, window_code=window, clerk_id=clerk, hold=hold,
                    reason_code=ParkReason(row.park_reason or ParkReason.OTHER),
                )
            )  # fmt: skip

        return await self.store.write(verb)

    async def requeue(self, number: str, by: RequeuedBy) -> int:
        """Put a no-show back in line."""

        def verb(tx: Tx) -> int:
            row = self._by_number(tx, number)
            self._step(tx, row, Verb.REQUEUE)
            arrivals = [t.arrival_ms for t in self._waiting(tx) if t.queue == row.queue and t.ticket_id != row.id]
            arrivals.sort()
            row.arrival_ms = queueing.requeued_arrival(arrivals, row.no_shows, self.open_time_ms())
            row.call_no, row.for_window = 0, None
            tail = row.no_shows > 1 or len(arrivals) <= queueing.BEHIND_AFTER_NO_SHOW
            return tx.emit(
                TicketRequeued(
                    ticket_id=row.id, position_rule=PositionRule.TAIL if tail else PositionRule.AFTER_N,
                    n=None if tail else queueing.BEHIND_AFTER_NO_SHOW, by=by,
                )
            )  # fmt: skip

        return await self.store.write(verb)

    async def cancel(self, number: str, reason: CancelReason, clerk: str | None) -> int:
        """Give up a number that nobody has called."""

        def verb(tx: Tx) -> int:
            row = self._by_number(tx, number)
            self._step(tx, row, Verb.CANCEL)
            return tx.emit(TicketCancelled(ticket_id=row.id, display_no=row.number, reason_code=reason, clerk_id=clerk))

        return await self.store.write(verb)

    async def clerk_at(self, window: str) -> str:
        """Who is signed in there. Raises NotSignedIn, NotFound."""
        if window not in self.profile.windows:
            raise NotFound(what=window)
        clerk = (await self.snapshot()).sessions.get(window)
        if clerk is None:
            raise NotSignedIn(window=window)
        return clerk

    # --- questions ----------------------------------------------------------------------------------------------------

    async def snapshot(self) -> Snapshot:
        """The open tickets of the day; read once per change, whoever asks."""
        if self._snapshot is None:
            rings = self.changed.rings
            snapshot = await self.store.read(self._take_snapshot)
            if rings != self.changed.rings:
                return snapshot  # already older than the last commit: good for this caller, not to be kept
            self._snapshot = snapshot
        return self._snapshot

    def _take_snapshot(self, session: Session) -> Snapshot:
        day = session.exec(select(DayRow).order_by(col(DayRow.bizdate).desc()).limit(1)).first()
        bizdate = day.bizdate if day else ""
        rows = session.exec(
            select(TicketRow)
            .where(TicketRow.bizdate == bizdate, col(TicketRow.state).in_([s.value for s in OPEN_STATES]))
            .order_by(col(TicketRow.arrival_ms))
        ).all()
        filed: dict[str, tuple[str, ...]] = {}
        for ticket_id, code in session.exec(
            select(MaterialRow.ticket_id, MaterialRow.code).where(
                col(MaterialRow.ticket_id).in_([r.id for r in rows if r.state in _AT_WINDOW])
            )
        ):
            filed[ticket_id] = (*filed.get(ticket_id, ()), code)
        return Snapshot(
            event=self._last_event(session),
            bizdate=bizdate,
            day_open=day is not None and day.closed_ms is None,
            tickets=tuple(self._info(row) for row in rows),
            sessions={s.window: s.clerk for s in session.exec(select(SessionRow))},
            filed=filed,
        )

    async def find_ticket(self, number: str) -> TicketInfo:
        """A ticket of the current day by its number. Raises NotFound."""

        def question(session: Session) -> TicketInfo:
            row = self._find(session, number)
            if row is None:
                raise NotFound(what=number)
            ahead = 0
            if row.state == TicketState.WAITING.value:
                ahead = self._count_waiting(session, row.bizdate, row.queue, before_ms=row.arrival_ms)
            return self._info(row, ahead)

        return await self.store.read(question)

    async def unprinted(self, kiosk: str, within_s: int = 600) -> list[TicketInfo]:
        """Waiting tickets taken at this kiosk lately of which no good slip is known, oldest first."""

        def question(session: Session) -> list[TicketInfo]:
            rows = session.exec(
                select(TicketRow).where(
                    TicketRow.kiosk == kiosk, TicketRow.state == TicketState.WAITING.value,
                    TicketRow.issued_ms > self.clock.now_ms() - within_s * 1000,
                    col(TicketRow.slip).in_(["pending", "failed", "unknown"]),
                ).order_by(col(TicketRow.issued_ms))
            )  # fmt: skip
            return [self._info(row) for row in rows]

        return await self.store.read(question)

    async def waiting_ahead(self, item: str) -> int:
        """How many wait in the item's queue."""
        queue = self.profile.items[item].queue
        return sum(t.queue == queue for t in (await self.snapshot()).waiting())

    async def zone_loads(self) -> tuple[ZoneLoad, ...]:
        """How many wait in each zone."""
        waiting = (await self.snapshot()).waiting()
        return tuple(
            ZoneLoad(zone=z.code, name=z.name, waiting=sum(t.zone.code == z.code for t in waiting))
            for z in self.profile.zones.values()
        )

    # --- parts of verbs -----------------------------------------------------------------------------------------------

    async def _about_current(self, window: str, seen: str, verb: Callable[[Tx, TicketRow, str], EventData]) -> int:
        def whole(tx: Tx) -> int:
            clerk = self._clerk_at(tx, window)
            return tx.emit(verb(tx, self._seen(tx, window, seen), clerk))

        return await self.store.write(whole)

    def _clerk_at(self, tx: Tx, window: str) -> str:
        if window not in self.profile.windows:
            raise NotFound(what=window)
        session = tx.session.get(SessionRow, window)
        if session is None:
            raise NotSignedIn(window=window)
        return session.clerk

    @staticmethod
    def _current(tx: Tx, window: str) -> TicketRow | None:
        return tx.session.exec(
            select(TicketRow).where(TicketRow.window == window, col(TicketRow.state).in_(_AT_WINDOW))
        ).first()

    def _seen(self, tx: Tx, window: str, seen: str) -> TicketRow:
        current = self._current(tx, window)
        if current is None or current.number != seen:
            raise ScreenOutOfDate()
        return current

    @staticmethod
    def _find(session: Session, number: str) -> TicketRow | None:
        latest = session.exec(select(func.max(DayRow.bizdate))).one()
        return session.exec(select(TicketRow).where(TicketRow.bizdate == latest, TicketRow.number == number)).first()

    def _by_number(self, tx: Tx, number: str) -> TicketRow:
        row = self._find(tx.session, number)
        if row is None:
            raise NotFound(what=number)
        return row

    @staticmethod
    def _step(tx: Tx, row: TicketRow, verb: Verb) -> None:
        state = queueing.after(TicketState(row.state), verb)
        if state is None:
            raise IllegalStep(number=row.number, state=row.state)
        if state.value != row.state:
            row.state, row.since_ms = state.value, tx.now_ms
        tx.session.add(row)

    def _finish(self, tx: Tx, row: TicketRow, clerk: str, outcome: Outcome) -> int:
        window = row.window or ""
        self._step(tx, row, Verb.FINISH)
        row.outcome = outcome.value
        return tx.emit(
            TicketFinished(
                ticket_id=row.id, window_code=window, clerk_id=clerk, outcome=outcome,
                started_at=rfc3339(row.serving_ms or tx.now_ms), ended_at=rfc3339(tx.now_ms),
            )
        )  # fmt: skip

    def _waiting(self, tx: Tx) -> list[queueing.Waiting]:
        rows = tx.session.exec(
            select(TicketRow).where(TicketRow.bizdate == tx.bizdate, TicketRow.state == TicketState.WAITING.value)
        )
        return [
            queueing.Waiting(
                ticket_id=row.id,
                queue=row.queue,
                arrival_ms=row.arrival_ms,
                for_window=row.for_window,
                waited_s=max(0, (tx.now_ms - row.issued_ms) // 1000),
            )
            for row in rows
        ]

    @staticmethod
    def _count_waiting(session: Session, bizdate: str, queue: str, before_ms: int | None = None) -> int:
        question = select(func.count()).where(
            TicketRow.bizdate == bizdate, TicketRow.state == TicketState.WAITING.value, TicketRow.queue == queue
        )
        if before_ms is not None:
            question = question.where(TicketRow.arrival_ms < before_ms)
        return session.exec(question).one()

    @staticmethod
    def _last_event(session: Session) -> int:
        return session.exec(select(func.max(EventRow.number))).one() or 0

    def _info(self, row: TicketRow, ahead: int = 0) -> TicketInfo:
        return TicketInfo(
            ticket_id=row.id, number=row.number, queue=row.queue, item=self.profile.items[row.item],
            zone=self.profile.zones[row.zone], windows=self.profile.windows_for(row.queue),
            state=TicketState(row.state), slip=SlipState(row.slip), priority=Priority(row.priority), kiosk=row.kiosk,
            window=row.window, for_window=row.for_window, clerk=row.clerk, call_no=row.call_no,
            issued_ms=row.issued_ms, since_ms=row.since_ms, arrival_ms=row.arrival_ms, called_ms=row.called_ms,
            no_shows=row.no_shows, hold=Hold(row.hold) if row.hold else None,
            park_reason=ParkReason(row.park_reason) if row.park_reason else None,
            name_masked=row.name_masked or "", id_masked=row.id_masked or "", waiting_ahead=ahead,
        )  # fmt: skip


class _Person:
    """What is kept of a person: masks and hashes in the clear, facts only for the envelope."""

    def __init__(
        self, *, mode: IdentityMode, id_type: str, name_masked: str, id_masked: str, phone_masked: str,
        id_hmac: str | None, phone_hmac: str | None, facts: dict[str, str],
    ) -> None:  # fmt: skip
        self.mode, self.id_type, self.name_masked, self.id_masked = mode, id_type, name_masked, id_masked
        self.phone_masked, self.id_hmac, self.phone_hmac, self.facts = phone_masked, id_hmac, phone_hmac, facts


def _called(row: TicketRow, clerk: str, mode: CallMode, rule: CallRule) -> TicketCalled:
    return TicketCalled(
        ticket_id=row.id, display_no=row.number, window_code=row.window or "", clerk_id=clerk, call_no=row.call_no,
        call_mode=mode, rule=rule,
    )  # fmt: skip


def _acted(clerk: str, action: str, window: str) -> OperatorActed:
    return OperatorActed(actor="clerk", actor_id=clerk, action=action, target=f"window/{window}", result="done")


def _still_busy(current: TicketRow) -> IllegalStep:
    if current.state == TicketState.CALLED.value:
        return MustDecideCall(number=current.number)
    return MustFinishFirst(number=current.number)
