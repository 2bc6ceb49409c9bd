"""Verbs of calling: who comes to a window, again, out of turn, or did not come."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from hall_daemon import lookups, queueing
from hall_daemon.clock import hour_minute
from hall_daemon.events import CallRule, EventData, NoShow, TicketCalled, TicketRequeued
from hall_daemon.hall_core import acted_on, stand_of
from hall_daemon.hall_undo import Undoable, UndoVerbs
from hall_daemon.queueing import Candidate, Leg, Place, Verb
from hall_daemon.store import Tx
from hall_daemon.tables import TicketRow
from hall_daemon.tables_clerks import PauseRow
from hall_daemon.tickets import (
    Halted,
    IllegalStep,
    MustDecideCall,
    NothingWaiting,
    PowerFailing,
    RecallFirst,
    ScreenOutOfDate,
    WindowPaused,
)  # fmt: skip
from hall_daemon.words import CallMode, Outcome, PositionRule, RequeuedBy, TicketState

_log = logging.getLogger("hall")

KEPT_LINE = 20
"""So many of the line are kept with each call: those that a question about it will be about."""


class CallingVerbs(UndoVerbs):
    """Call next, call a chosen one, recall, no-show, put back."""

    async def call_next(self, window: str, seen: str | None) -> tuple[int, str]:
        """Finish the ticket being served, then call who is next; event number and ticket number, one commit.

        Raises NotSignedIn, ScreenOutOfDate, MustDecideCall, NothingWaiting.
        """

        def verb(tx: Tx) -> tuple[int, str, list[Undoable]]:
            clerk = self._clerk_at(tx, window)
            current = self._free_or_served(tx, window, seen)
            open_ms, place = self._passed(tx), self.place(window, clerk)
            pick = queueing.pick_next(
                lookups.waiting(tx.session, tx.bizdate, tx.now_ms, place), place,
                queueing.Moment(open_ms=open_ms, now_ms=tx.now_ms),
            )  # fmt: skip
            if pick is None:
                raise NothingWaiting()
            done = self._make_room(tx, current, clerk)
            row = tx.session.get_one(TicketRow, pick.ticket_id)
            rule = CallRule(picked_by=pick.picked_by, candidates=pick.candidates, oldest_wait_s=pick.oldest_wait_s)
            decision = {"place": _place(place), "line": _line(pick.line)}
            done.append(self._summon(tx, row, window, clerk, pick.leg, CallMode.NEXT, rule, decision))
            return done[-1].event, row.number, done

        event, number, done = await self.store.write(verb)
        self._may_undo(window, *done)
        _log.info("called %s window=%s", number, window)
        return event, number

    async def select(self, window: str, seen: str | None, number: str, reason: str) -> int:
        """Call a chosen number, waiting or missed, with a reason that is audited.

        Raises NotSignedIn, ScreenOutOfDate, MustDecideCall, NeedsReason, NotFound, IllegalStep.
        """

        def verb(tx: Tx) -> tuple[int, list[Undoable]]:
            clerk = self._clerk_at(tx, window)
            current = self._free_or_served(tx, window, seen)
            row = lookups.by_number(tx.session, number)
            place, open_ms = self.place(window, clerk), self._passed(tx)
            leg = next((x for x in lookups.as_waiting(row).legs if x.queue in place.queues), None)
            if leg is None:
                raise IllegalStep(number=number, state=row.state)
            tx.emit(acted_on(clerk, "select", row, reason))
            if row.state == TicketState.NO_SHOW.value:
                self._bring_back(tx, row, Verb.REQUEUE, RequeuedBy.CLERK)
            moment = queueing.Moment(open_ms=open_ms, now_ms=tx.now_ms)
            line = queueing.in_order(lookups.waiting(tx.session, tx.bizdate, tx.now_ms, place), place, moment)
            done = self._make_room(tx, current, clerk)
            oldest_s = max([c.ticket.waited_s for c in line] + [max(0, (tx.now_ms - row.issued_ms) // 1000)])
            rule = CallRule(picked_by="select", candidates=len(line), oldest_wait_s=oldest_s)
            decision = {"place": _place(place), "line": _line(line), "reason": reason.strip()}
            done.append(self._summon(tx, row, window, clerk, leg, CallMode.SELECT, rule, decision))
            return done[-1].event, done

        event, done = await self.store.write(verb)
        self._may_undo(window, *done)
        _log.info("called %s window=%s by choice", number, window)
        return event

    def _free_or_served(self, tx: Tx, window: str, seen: str | None) -> TicketRow | None:
        """The ticket being served there, which a call will finish."""
        current = lookups.at_window(tx.session, window)
        if (current.number if current else None) != seen:
            raise ScreenOutOfDate()
        if current is not None and current.state == TicketState.CALLED.value:
            raise MustDecideCall(number=current.number)
        if tx.session.get(PauseRow, window) is not None:
            raise WindowPaused()
        return current

    def _make_room(self, tx: Tx, current: TicketRow | None, clerk: str) -> list[Undoable]:
        if current is None:
            return []
        before = self._before(current)
        self._finish(tx, current, clerk, Outcome.COMPLETED)
        tx.session.flush()  # the window must be free before the next ticket stands there
        return [self._undoable(tx, current, before)]

    def _summon(
        self, tx: Tx, row: TicketRow, window: str, clerk: str, leg: Leg, mode: CallMode, rule: CallRule,
        decision: dict[str, Any],
    ) -> Undoable:  # fmt: skip
        """Call a ticket to a window for one of its legs."""
        if self.day.halted_until_ms is not None:
            raise Halted(until=hour_minute(self.day.halted_until_ms))
        if self.day.power_failing:
            raise PowerFailing()
        before, open_ms = self._before(row), self._passed(tx)
        self._step(tx, row, Verb.CALL)
        if row.pin_reason:
            decision = {"reason": row.pin_reason} | decision
        row.window, row.clerk, row.call_no, row.called_ms = window, clerk, 1, tx.now_ms
        row.counted_calls, row.counted_ms, row.pinned_ms, row.pin_reason = 1, open_ms, None, None
        if leg.queue != row.queue:
            row.queue, row.item = leg.queue, leg.item
            row.zone = self.profile.queues[leg.queue].zone
        kept = {"open_ms": open_ms, "queue": row.queue, "item": row.item, "zone": row.zone, **decision}
        tx.emit(_called(row, clerk, mode, rule), kept=kept)
        return self._undoable(tx, row, before)

    async def recall(self, window: str, seen: str) -> int:
        """Summon again."""

        def verb(tx: Tx, row: TicketRow, clerk: str) -> tuple[EventData, dict[str, Any]]:
            self._step(tx, row, Verb.RECALL)
            open_ms = self._passed(tx)
            row.call_no += 1
            row.called_ms = tx.now_ms
            if queueing.counts_as_call(row.counted_ms, open_ms):
                row.counted_calls += 1
                row.counted_ms = open_ms
            waited = max(0, (tx.now_ms - row.issued_ms) // 1000)
            rule = CallRule(picked_by="recall", candidates=1, oldest_wait_s=waited)
            return _called(row, clerk, CallMode.RECALL, rule), {}

        return await self._keeping(window, seen, verb)

    async def no_show(self, window: str, seen: str, early: str = "") -> int:
        """Called and did not come. `early` is the reason for saying so before enough calls were made; it is audited.

        Raises RecallFirst, which says how long until the next call counts.
        """

        def verb(tx: Tx) -> tuple[int, Undoable]:
            clerk = self._clerk_at(tx, window)
            row = self._seen(tx, window, seen)
            before, open_ms = self._before(row), self._passed(tx)
            self._step(tx, row, Verb.NO_SHOW)
            needed = self.config.no_show_calls
            left_ms = queueing.no_show_wait_ms(row.counted_calls, row.counted_ms, open_ms, needed)
            if left_ms is not None and not early.strip():
                raise RecallFirst(number=row.number, calls=row.counted_calls, needed=needed, left_s=-(-left_ms // 1000))
            if left_ms is not None:
                tx.emit(acted_on(clerk, "early_no_show", row, early))
            row.no_shows += 1
            row.window = None
            event = NoShow(ticket_id=row.id, window_code=window, clerk_id=clerk, calls=row.call_no, by="clerk")
            number = tx.emit(event, kept={"open_ms": open_ms})
            return number, self._undoable(tx, row, before)

        event, undoable = await self.store.write(verb)
        self._may_undo(window, undoable)
        return event

    async def put_back(self, window: str, seen: str, reason: str) -> int:
        """The wrong number was called: back to its old place in the line, which is the front. Raises NeedsReason."""

        def verb(tx: Tx) -> int:
            clerk = self._clerk_at(tx, window)
            row = self._seen(tx, window, seen)
            tx.emit(acted_on(clerk, "put_back", row, reason))
            return self._bring_back(tx, row, Verb.PUT_BACK, RequeuedBy.CLERK)

        return await self.store.write(verb)

    def _bring_back(self, tx: Tx, row: TicketRow, verb: Verb, by: RequeuedBy) -> int:
        """Into the line again at the old place."""
        self._step(tx, row, verb)
        row.window, row.call_no, row.counted_calls, row.counted_ms = None, 0, 0, None
        return tx.emit(
            TicketRequeued(ticket_id=row.id, position_rule=PositionRule.FRONT, by=by),
            kept={"open_ms": self._passed(tx), **stand_of(row)},
        )


def _place(place: Place) -> dict[str, Any]:
    return {
        "queues": list(place.queues), "weights": dict(place.weights), "skills": sorted(place.skills),
    }  # fmt: skip


def _line(line: Sequence[Candidate]) -> list[dict[str, Any]]:
    """The first of a line as they are kept with a decision; members that say nothing are left out."""
    return [_kept(candidate) for candidate in line[:KEPT_LINE]]


def _kept(candidate: Candidate) -> dict[str, Any]:
    ticket = candidate.ticket
    kept: dict[str, Any] = {
        "number": ticket.number, "queue": candidate.leg.queue, "arrival_ms": ticket.arrival_ms,
        "came_ms": ticket.came_ms, "waited_s": ticket.waited_s,
    }  # fmt: skip
    more = {
        "lane": ticket.lane.value, "pinned_ms": ticket.pinned_ms, "for_window": ticket.for_window,
        "no_shows": ticket.no_shows,
    }  # fmt: skip
    return kept | {name: value for name, value in more.items() if value}


def _called(row: TicketRow, clerk: str, mode: CallMode, rule: CallRule) -> TicketCalled:
    return TicketCalled(
        ticket_id=row.id, display_no=row.number, window_code=row.window or "", clerk_id=clerk, call_no=row.call_no,
        call_mode=mode, rule=rule,
    )  # fmt: skip
