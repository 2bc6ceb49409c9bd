"""Verbs of calling: who comes to a window, again, or did not come."""

from __future__ import annotations

import logging

from hall_daemon import lookups, queueing
from hall_daemon.events import CallRule, EventData, NoShow, TicketCalled
from hall_daemon.hall_core import HallCore
from hall_daemon.queueing import Verb
from hall_daemon.store import Tx
from hall_daemon.tables import TicketRow
from hall_daemon.tables_clerks import PauseRow
from hall_daemon.tickets import MustDecideCall, NothingWaiting, ScreenOutOfDate, WindowPaused
from hall_daemon.words import CallMode, Outcome, TicketState

_log = logging.getLogger("hall")


class CallingVerbs(HallCore):
    """Call next, recall, no-show."""

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
            if tx.session.get(PauseRow, window) is not None:
                raise WindowPaused()
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

    async def no_show(self, window: str, seen: str) -> int:
        """Called and did not come."""

        def verb(tx: Tx, row: TicketRow, clerk: str) -> EventData:
            self._step(tx, row, Verb.NO_SHOW)
            row.no_shows += 1
            row.window = None
            return NoShow(ticket_id=row.id, window_code=window, clerk_id=clerk, calls=row.call_no, by="clerk")

        return await self._about_current(window, seen, verb)


def _called(row: TicketRow, clerk: str, mode: CallMode, rule: CallRule) -> TicketCalled:
    return TicketCalled(
        ticket_id=row.id, display_no=row.number, window_code=row.window or "", clerk_id=clerk, call_no=row.call_no,
        call_mode=mode, rule=rule,
    )  # fmt: skip
