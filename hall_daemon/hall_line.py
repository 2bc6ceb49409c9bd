"""Verbs about tickets that are at no window: back in line, given up."""

from __future__ import annotations

from hall_daemon import issuing, lookups, queueing
from hall_daemon.events import TicketCancelled, TicketRequeued
from hall_daemon.hall_core import HallCore
from hall_daemon.queueing import Verb
from hall_daemon.store import Tx
from hall_daemon.words import CancelReason, PositionRule, RequeuedBy


class LineVerbs(HallCore):
    """Requeue, cancel."""

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
