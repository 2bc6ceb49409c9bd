"""Verbs of a visit: what happens while a resident is at a window, and how they leave it."""

from __future__ import annotations

from hall_daemon import issuing, lookups, queueing
from hall_daemon.events import EventData, ServingStarted, TicketParked, TicketResumed, TicketTransferred
from hall_daemon.hall_core import HallCore, still_busy
from hall_daemon.protocol import Transfer
from hall_daemon.queueing import Verb
from hall_daemon.store import Tx
from hall_daemon.tables import TicketRow
from hall_daemon.tickets import IllegalStep, NotFound, NoWindow
from hall_daemon.words import Hold, Outcome, ParkReason


class VisitVerbs(HallCore):
    """Serve, park, resume, transfer, finish."""

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
                raise still_busy(current)
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
