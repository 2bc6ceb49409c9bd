"""The verbs of the hall: issue, call next, recall, serve, park, resume, transfer, finish, requeue, cancel.

Each verb is one transaction with its event. Rules are in queueing; this room reads what they need (lookups), writes
what they say, and tells everybody after the commit. How a number is taken is told in issuing. It knows no device and
no screen.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from sqlmodel import Session, select

from hall_daemon import issuing, lookups, queueing
from hall_daemon.clock import Clock, rfc3339
from hall_daemon.config import HallConfig
from hall_daemon.events import (
    CallRule,
    Event,
    EventData,
    MaterialScanned,
    NoShow,
    OperatorActed,
    ServingStarted,
    SlipPrinted,
    TicketCalled,
    TicketCancelled,
    TicketFinished,
    TicketParked,
    TicketRequeued,
    TicketResumed,
    TicketTransferred,
)  # fmt: skip
from hall_daemon.protocol import Transfer, ZoneLoad
from hall_daemon.queueing import Verb
from hall_daemon.store import Store, Tx
from hall_daemon.tables import SessionRow, TicketRow
from hall_daemon.tickets import (
    HallClosed,
    HallError,
    IllegalStep,
    Issued,
    IssueOrder,
    ItemSuspended,
    MustDecideCall,
    MustFinishFirst,
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
    CallMode,
    CancelReason,
    Hold,
    Outcome,
    ParkReason,
    PositionRule,
    PrintReason,
    PrintResult,
    RequeuedBy,
    SlipState,
    TicketState,
)  # fmt: skip

_log = logging.getLogger("hall")

MANY_CHANGES = 500
"""So many changed tickets are read faster by reading all."""
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
        self._since_snapshot: set[str] = set()
        """What has changed since: ids of tickets, and "" for anything else."""
        self._taking = asyncio.Lock()
        self._open_base_ms = 0
        self._open_base_s = 0.0
        store.catalog_version = self.profile.catalog_version
        store.on_commit(self._tell)

    def on_event(self, hear: Callable[[Event], None]) -> None:
        """Hear every committed event, in order, on the event loop."""
        self._hear.append(hear)

    def _tell(self, events: tuple[Event, ...]) -> None:
        for event in events:
            self._since_snapshot.add(_ticket_of(event))
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
        issued = await self.store.write(
            lambda tx: issuing.issue(
                tx, order, profile=self.profile, secrets=self.config.secrets, clock=self.clock,
                open_time_ms=self.open_time_ms(),
            )
        )  # fmt: skip
        if not issued.repeated:
            _log.info(
                "issued %s queue=%s kiosk=%s waiting_ahead=%d", issued.number, item.queue, order.kiosk or "-",
                issued.waiting_ahead,
            )  # fmt: skip
        return issued

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
                return lookups.last_event(tx.session)
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
            current = lookups.at_window(tx.session, window)
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
            current = lookups.at_window(tx.session, window)
            if (current.number if current else None) != seen:
                raise ScreenOutOfDate()
            if current is not None and current.state == TicketState.CALLED.value:
                raise MustDecideCall(number=current.number)
            pick = queueing.pick_next(
                lookups.waiting(tx.session, tx.bizdate, tx.now_ms), window, self.profile.windows[window].queues
            )
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

        def verb(tx: Tx, row: TicketRow, clerk: str) -> EventData:
            self._step(tx, row, Verb.TRANSFER)
            to_queue = self._transfer_target(tx, to)
            row.for_window, row.window = to.to_window, None
            if to_queue is not None:
                row.queue, row.zone = to_queue, self.profile.queues[to_queue].zone
            if to.to_window is not None:
                row.zone = self.profile.windows[to.to_window].zone
            if not to.keep_position:
                row.arrival_ms = issuing.arrive(tx, self.open_time_ms())
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
        return min(served, key=lambda q: (lookups.count_waiting(tx.session, tx.bizdate, q), queues.index(q)))

    async def resume(self, window: str, number: str) -> int:
        """Take up a parked ticket. Raises NotFound, IllegalStep, MustFinishFirst."""

        def verb(tx: Tx) -> int:
            clerk = self._clerk_at(tx, window)
            current = lookups.at_window(tx.session, window)
            if current is not None:
                raise _still_busy(current)
            row = lookups.by_number(tx.session, number)
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
            row = lookups.by_number(tx.session, number)
            self._step(tx, row, Verb.REQUEUE)
            line = lookups.waiting(tx.session, tx.bizdate, tx.now_ms)
            before = [t.arrival_ms for t in line if t.queue == row.queue and t.ticket_id != row.id]
            arrival_ms = queueing.requeued_arrival(before, row.no_shows)
            tail = arrival_ms is None
            # Through the day's own count, so that after a restart new tickets do not arrive before this one.
            row.arrival_ms = issuing.arrive(tx, self.open_time_ms()) if arrival_ms is None else arrival_ms
            row.call_no, row.for_window = 0, None
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
            row = lookups.by_number(tx.session, number)
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
        """The open tickets of the day. What has changed is read once, whoever asks, and nothing else is."""
        async with self._taking:
            if self._snapshot is None or self._since_snapshot:
                changed, self._since_snapshot = frozenset(self._since_snapshot), set()
                try:
                    self._snapshot = await self.store.read(self._take(self._snapshot, changed))
                except BaseException:
                    self._since_snapshot |= changed
                    raise
            return self._snapshot

    def _take(self, earlier: Snapshot | None, changed: frozenset[str]) -> Callable[[Session], Snapshot]:
        if earlier is None or len(changed) > MANY_CHANGES:
            return lambda session: lookups.snapshot(session, self.profile)
        return lambda session: lookups.refreshed(session, self.profile, earlier, changed)

    async def find_ticket(self, number: str) -> TicketInfo:
        """A ticket of the current day by its number. Raises NotFound."""

        def question(session: Session) -> TicketInfo:
            row = lookups.by_number(session, number)
            return lookups.info(self.profile, row, lookups.ahead_of(session, row))

        return await self.store.read(question)

    async def unprinted(self, kiosk: str, within_s: int = 600) -> list[TicketInfo]:
        """Waiting tickets taken at this kiosk lately of which no good slip is known, oldest first."""
        since_ms = self.clock.now_ms() - within_s * 1000

        def question(session: Session) -> list[TicketInfo]:
            rows = lookups.unprinted(session, kiosk, since_ms)
            return [lookups.info(self.profile, row, lookups.ahead_of(session, row)) for row in rows]

        return await self.store.read(question)

    async def waiting_ahead(self, item: str) -> int:
        """How many wait in the item's queue."""
        queue = self.profile.items[item].queue
        return sum(t.queue == queue for t in (await self.snapshot()).waiting())

    async def zone_loads(self) -> tuple[ZoneLoad, ...]:
        """How many wait in each zone."""
        snapshot = await self.snapshot()
        return tuple(
            ZoneLoad(zone=z.code, name=z.name, waiting=snapshot.waiting_in_zone(z.code))
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

    def _seen(self, tx: Tx, window: str, seen: str) -> TicketRow:
        current = lookups.at_window(tx.session, window)
        if current is None or current.number != seen:
            raise ScreenOutOfDate()
        return current

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


def _called(row: TicketRow, clerk: str, mode: CallMode, rule: CallRule) -> TicketCalled:
    return TicketCalled(
        ticket_id=row.id, display_no=row.number, window_code=row.window or "", clerk_id=clerk, call_no=row.call_no,
        call_mode=mode, rule=rule,
    )  # fmt: skip


def _acted(clerk: str, action: str, window: str) -> OperatorActed:
    return OperatorActed(actor="clerk", actor_id=clerk, action=action, target=f"window/{window}", result="done")


def _still_busy(current: TicketRow) -> HallError:
    if current.state == TicketState.CALLED.value:
        return MustDecideCall(number=current.number)
    return MustFinishFirst(number=current.number)


def _ticket_of(event: Event) -> str:
    """Id of the ticket that an event is about; "" if it is about none."""
    if isinstance(event.data, MaterialScanned):
        return event.data.ticket_id or ""
    return event.subject.removeprefix("ticket/") if event.subject.startswith("ticket/") else ""
