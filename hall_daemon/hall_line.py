"""Verbs about tickets that are at no window: back in line, given up."""

from __future__ import annotations

from hall_daemon import issuing, lookups, queueing
from hall_daemon.events import TicketCancelled, TicketRequeued
from hall_daemon.hall_core import HallCore, acted_on, stand_of
from hall_daemon.queueing import Verb
from hall_daemon.store import Tx
from hall_daemon.tables import TicketRow
from hall_daemon.tickets import IllegalStep
from hall_daemon.words import CancelReason, PositionRule, RequeuedBy, TicketState


class LineVerbs(HallCore):
    """Requeue, pin, cancel."""

    async def requeue(self, number: str, by: RequeuedBy) -> int:
        """Put a no-show back in line."""

        def verb(tx: Tx) -> int:
            row = lookups.by_number(tx.session, number)
            self._step(tx, row, Verb.REQUEUE)
            line = lookups.waiting(tx.session, tx.bizdate, tx.now_ms)
            before = [t.arrival_ms for t in line if t.queue == row.queue and t.ticket_id != row.id]
            arrival_ms = queueing.requeued_arrival(before, row.no_shows, row.arrival_ms)
            tail = arrival_ms is None
            if arrival_ms is None:
                # Through the day's own count, so that after a restart new tickets do not arrive before this one.
                arrival_ms = row.arrived_ms = issuing.arrive(tx, self.open_time_ms())
            row.arrival_ms = arrival_ms
            row.call_no, row.counted_calls, row.counted_ms, row.for_window = 0, 0, None, None
            return tx.emit(
                TicketRequeued(
                    ticket_id=row.id, position_rule=PositionRule.TAIL if tail else PositionRule.AFTER_N,
                    n=None if tail else queueing.BEHIND_AFTER_NO_SHOW, by=by,
                ),
                kept={"open_ms": self._passed(tx), **stand_of(row)},
            )  # fmt: skip

        return await self.store.write(verb)

    async def pin(self, window: str, number: str, reason: str) -> int:
        """Put a waiting ticket before all others of its line, with a reason that is audited.

        Those pinned first come first. Raises NotSignedIn, NotFound, IllegalStep, NeedsReason.
        """

        def verb(tx: Tx) -> int:
            clerk, row = self._clerk_at(tx, window), self._waiting(tx, number)
            row.pinned_ms, row.pin_reason = self._passed(tx), reason.strip()
            return tx.emit(
                acted_on(clerk, "pin", row, reason), kept={"open_ms": row.pinned_ms, "pinned_ms": row.pinned_ms}
            )

        return await self.store.write(verb)

    async def unpin(self, window: str, number: str) -> int:
        """Take a pin back. Raises NotSignedIn, NotFound, IllegalStep."""

        def verb(tx: Tx) -> int:
            clerk, row = self._clerk_at(tx, window), self._waiting(tx, number)
            row.pinned_ms, row.pin_reason = None, None
            return tx.emit(acted_on(clerk, "unpin", row, "unpin"), kept={"open_ms": self._passed(tx)})

        return await self.store.write(verb)

    @staticmethod
    def _waiting(tx: Tx, number: str) -> TicketRow:
        row = lookups.by_number(tx.session, number)
        if row.state != TicketState.WAITING.value:
            raise IllegalStep(number=number, state=row.state)
        tx.session.add(row)
        return row

    async def cancel(self, number: str, reason: CancelReason, clerk: str | None) -> int:
        """Give up a number that nobody has called."""

        def verb(tx: Tx) -> int:
            row = lookups.by_number(tx.session, number)
            self._step(tx, row, Verb.CANCEL)
            return tx.emit(TicketCancelled(ticket_id=row.id, display_no=row.number, reason_code=reason, clerk_id=clerk))

        return await self.store.write(verb)
