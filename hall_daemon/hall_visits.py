"""Verbs of a visit: what happens while a resident is at a window, and how they leave it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hall_daemon import carts, issuing, lookups, queueing
from hall_daemon.events import EventData, ServingStarted, TicketParked, TicketResumed, TicketTransferred
from hall_daemon.hall_core import acted_on, stand_of, still_busy, stop_clock
from hall_daemon.hall_undo import Undoable, UndoVerbs
from hall_daemon.protocol import Transfer
from hall_daemon.queueing import Verb
from hall_daemon.store import Tx
from hall_daemon.tables import TicketRow
from hall_daemon.tickets import IllegalStep, NotFound, NoWindow, StillAway
from hall_daemon.words import Hold, Outcome, ParkReason, TicketState


class VisitVerbs(UndoVerbs):
    """Serve, park, resume, transfer, hand over, finish."""

    async def serve(self, window: str, seen: str, *, identity_rechecked: bool) -> int:
        """The resident is at the window."""

        def verb(tx: Tx, row: TicketRow, clerk: str) -> tuple[EventData, dict[str, Any]]:
            self._step(tx, row, Verb.SERVE)
            row.serving_ms = tx.now_ms
            row.stint_ms = self._passed(tx)
            row.first_clerk = row.first_clerk or clerk
            row.identity_rechecked = identity_rechecked
            started = ServingStarted(
                ticket_id=row.id, window_code=window, clerk_id=clerk, identity_rechecked=identity_rechecked
            )
            return started, {}

        return await self._keeping(window, seen, verb)

    async def park(self, window: str, seen: str, reason: ParkReason, hold: Hold, stage: str = "") -> int:
        """Interrupt; the window is free for the next, and the clock of the work stands.

        `stage` names the step that must come back first (hold `stage`): see stage_back.
        """

        def verb(tx: Tx, row: TicketRow, clerk: str) -> tuple[EventData, dict[str, Any]]:
            self._step(tx, row, Verb.PARK)
            stop_clock(row, self._passed(tx))
            row.hold, row.park_reason = hold.value, reason.value
            row.stage = stage.strip() or None if hold is Hold.STAGE else None
            parked = TicketParked(ticket_id=row.id, window_code=window, clerk_id=clerk, reason_code=reason, hold=hold)
            return parked, {"stage": row.stage}

        return await self._keeping(window, seen, verb)

    async def stage_back(self, window: str, number: str) -> int:
        """The step that a parked ticket waited for has come back: any window of its queue may take it up.

        Raises NotSignedIn, NotFound, IllegalStep.
        """

        def verb(tx: Tx) -> int:
            clerk = self._clerk_at(tx, window)
            row = lookups.by_number(tx.session, number)
            if row.state != TicketState.PARKED.value or row.hold != Hold.STAGE.value:
                raise IllegalStep(number=number, state=row.state)
            came = row.stage or "stage"
            row.stage, row.hold = None, Hold.OPEN.value
            tx.session.add(row)
            return tx.emit(acted_on(clerk, "stage_back", row, came), kept={"open_ms": self._passed(tx)})

        return await self.store.write(verb)

    async def finish(self, window: str, seen: str, outcome: Outcome, cases: Sequence[str] = ()) -> int:
        """The resident leaves the window; `cases` are those whose last step was made for this end."""

        def verb(tx: Tx) -> tuple[int, Undoable]:
            clerk = self._clerk_at(tx, window)
            row = self._seen(tx, window, seen)
            before = self._before(row)
            event = self._finish(tx, row, clerk, outcome)
            return event, self._undoable(tx, row, before)

        event, undoable = await self.store.write(verb)
        self._may_undo(window, replace(undoable, cases=self._steps_for(cases)))
        return event

    async def transfer(self, window: str, to: Transfer) -> int:
        """To another queue, zone or window, keeping the number. Raises NotFound, NoWindow, IllegalStep.

        With `come_back` it is a detour: it keeps its place, whatever `keep_position` says, and when it is finished
        there, the ticket comes back to this window and queue.
        """

        def verb(tx: Tx, row: TicketRow, clerk: str) -> tuple[EventData, dict[str, Any]]:
            self._step(tx, row, Verb.TRANSFER)
            to_queue = self._transfer_target(tx, to)
            if to.come_back and row.back_queue is None:
                row.back_queue, row.back_window = row.queue, window
            row.for_window, row.window = to.to_window, None
            if to_queue is not None:
                self._move(row, to_queue, detour=to.come_back)
            if to.to_window is not None:
                row.zone = self.profile.windows[to.to_window].zone
            keeps = to.keep_position or to.come_back
            if not keeps:
                row.arrival_ms = row.arrived_ms = issuing.arrive(tx, self.open_time_ms())
            stop_clock(row, self._passed(tx))
            transferred = TicketTransferred(
                ticket_id=row.id, from_window=window, to_window=to.to_window, to_queue=to_queue,
                keep_position=keeps, reason_code=to.reason, clerk_id=clerk,
            )  # fmt: skip
            return transferred, stand_of(row)

        return await self._keeping(window, to.seen, verb)

    def _move(self, row: TicketRow, to_queue: str, *, detour: bool) -> None:
        """Into another queue; of a number for several things, the leg that it stood for goes along."""
        if row.legs and not detour:
            row.legs = carts.moved(row.legs, row.queue, to_queue, self.profile.queues[to_queue].zone)
        row.queue, row.zone = to_queue, self.profile.queues[to_queue].zone

    async def to_colleague(self, window: str, seen: str, to_window: str, reason: str = "to_colleague") -> int:
        """Hand a visit to a colleague, who gets it with the next press of the key.

        Raises NotFound, NotSignedIn (the colleague's window), ScreenOutOfDate, IllegalStep.
        """

        def verb(tx: Tx, row: TicketRow, clerk: str) -> tuple[EventData, dict[str, Any]]:
            self._clerk_at(tx, to_window)
            self._step(tx, row, Verb.TRANSFER)
            open_ms = self._passed(tx)
            stop_clock(row, open_ms)
            row.for_window, row.window = to_window, None
            row.pinned_ms, row.pin_reason = open_ms, reason
            transferred = TicketTransferred(
                ticket_id=row.id, from_window=window, to_window=to_window, keep_position=True, reason_code=reason,
                clerk_id=clerk,
            )  # fmt: skip
            return transferred, {"pin_reason": reason, **stand_of(row)}

        return await self._keeping(window, seen, verb)

    async def add_item(self, window: str, seen: str, item: str) -> int:
        """One more thing for the number at the window. Raises NotFound, ScreenOutOfDate, NoWindow."""

        def verb(tx: Tx) -> int:
            clerk = self._clerk_at(tx, window)
            row = self._seen(tx, window, seen)
            if item not in self.profile.items:
                raise NotFound(what=item)
            if not self.profile.windows_for(self.profile.items[item].queue):
                raise NoWindow()
            row.legs = carts.added(self.profile, row.legs, row.queue, row.zone, row.item, item)
            tx.session.add(row)
            return tx.emit(
                acted_on(clerk, "add_item", row, self.profile.items[item].short.zh),
                kept={"open_ms": self._passed(tx), "legs": row.legs},
            )

        return await self.store.write(verb)

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
            if row.state == TicketState.PARKED.value and row.stage is not None:
                raise StillAway(number=number, stage=row.stage)
            hold, queues = Hold(row.hold or Hold.HERE), self.profile.windows[window].queues
            if not queueing.may_resume(hold, row.window or "", row.queue, window, queues):
                raise IllegalStep(number=number, state=row.state)
            self._step(tx, row, Verb.RESUME)
            row.window, row.clerk, row.stint_ms = window, clerk, self._passed(tx)
            return tx.emit(
                TicketResumed(
                    ticket_id=row.id, window_code=window, clerk_id=clerk, hold=hold,
                    reason_code=ParkReason(row.park_reason or ParkReason.OTHER),
                ),
                kept={"open_ms": row.stint_ms},
            )  # fmt: skip

        return await self.store.write(verb)
