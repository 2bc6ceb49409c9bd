"""Verbs of a number that begins at a counter: somebody without a ticket, and emergency paper pads keyed in later.

A pad is torn off while the hall has no power (lane X): number and time are on paper, and are keyed in as they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import insert
from sqlalchemy import text as sql
from sqlmodel import select

from hall_daemon import issuing, lanes, lookups, queueing
from hall_daemon.clock import rfc3339
from hall_daemon.events import CallRule, OperatorActed, ServingStarted, TicketCalled, TicketFinished, TicketIssued
from hall_daemon.hall_calling import CallingVerbs
from hall_daemon.hall_core import still_busy
from hall_daemon.opening import DayState
from hall_daemon.profile import QUEUE_ITEM, Item
from hall_daemon.queueing import Leg, Verb
from hall_daemon.store import Tx
from hall_daemon.tables import TicketRow
from hall_daemon.tickets import (
    Issued,
    IssueOrder,
    ItemSuspended,
    NotAPadNumber,
    NotFound,
    NoWindow,
    NumberExists,
    PadAnswer,
    PadNeedsWindow,
    PadSlip,
    PadState,
)  # fmt: skip
from hall_daemon.words import (
    CallMode,
    Channel,
    IdentityMode,
    Lane,
    Outcome,
    Priority,
    SlipState,
    TicketState,
)  # fmt: skip

COUNTER_DEVICE = "CTR-01"
"""Device of a number that was issued at a counter: the contract wants one, and a screen is none of ours."""
_PAD = re.compile(r"X([A-Z])([0-9]{3,4})")
_AT_LEAST = sql(
    "INSERT INTO counter (bizdate, series, last) VALUES (:bizdate, :series, :serial) "
    "ON CONFLICT (bizdate, series) DO UPDATE SET last = max(last, :serial)"
)
_NEW_TICKET = insert(TicketRow)


class DeskVerbs(CallingVerbs):
    """Issue, serve a walk-in, key in a pad."""

    def _check(self, order: IssueOrder) -> Item:
        """Every item of an order can be taken now. Raises NotFound, ItemSuspended, NoWindow, HallClosed."""
        for code in (order.item, *order.more_items):
            item = self.profile.items.get(code)
            if item is None:
                raise NotFound(what=code)
            if item.suspended:
                raise ItemSuspended()
            if not self.profile.windows_for(item.queue):
                raise NoWindow()
        if order.channel is Channel.COUNTER and self.day.state in (DayState.OPEN, DayState.DRAINING):
            return self.profile.items[order.item]  # staff see who stands there, also when the kiosks are closed
        refusal = self.day_refusal()
        if refusal is not None:
            raise refusal
        return self.profile.items[order.item]

    def _issue(self, tx: Tx, order: IssueOrder) -> Issued:
        self._check(order)  # once more: another catalogue may have come into force between the two
        return issuing.issue(
            tx, order, profile=self.profile, secrets=self.config.secrets, clock=self.clock,
            open_time_ms=self.open_time_ms(), priority_from=self.config.public.residents.priority_from,
        )  # fmt: skip

    async def serve_walk_in(self, window: str, order: IssueOrder) -> Issued:
        """Serve somebody who has no ticket: a number, its call and the beginning of the visit in one commit.

        Raises NotSignedIn, MustDecideCall, MustFinishFirst, and what issue raises.
        """
        self._check(order)

        def verb(tx: Tx) -> Issued:
            clerk = self._clerk_at(tx, window)
            issued = self._issue(tx, replace(order, clerk=clerk, channel=Channel.COUNTER, printed_required=False))
            if issued.repeated:
                return issued
            current = lookups.at_window(tx.session, window)
            if current is not None:
                raise still_busy(current)
            row = tx.session.get_one(TicketRow, issued.ticket_id)
            rule = CallRule(picked_by="walk_in", candidates=1, oldest_wait_s=0)
            self._summon(tx, row, window, clerk, Leg(queue=row.queue, item=row.item), CallMode.SELECT, rule, {})
            self._step(tx, row, Verb.SERVE)
            row.serving_ms, row.stint_ms, row.first_clerk = tx.now_ms, self._passed(tx), clerk
            event = tx.emit(
                ServingStarted(ticket_id=row.id, window_code=window, clerk_id=clerk, identity_rechecked=False),
                kept={"open_ms": row.stint_ms},
            )
            return replace(issued, event=event)

        return await self.store.write(verb)

    async def key_in_pads(self, slips: Sequence[PadSlip], by: str) -> tuple[int, tuple[PadAnswer, ...]]:
        """A stack of pad numbers in one go, by whoever has it; the last event, and what became of each.

        What is known already is not keyed in twice, so the whole stack may be sent again; what is wrong is refused
        with its reason, and the rest stands. Raises HallClosed.
        """

        def verb(tx: Tx) -> tuple[int, tuple[PadAnswer, ...]]:
            answers = tuple(self._pad_answer(tx, slip, by) for slip in slips)
            counts = Counter(answer.state.value for answer in answers)
            said = ", ".join(f"{state} {counts[state]}" for state in PadState)
            audit = OperatorActed(
                actor="clerk", actor_id=by, action="pads", target="hall", result="done", reason_text=said
            )
            return tx.emit(audit), answers

        return await self.store.write(verb)

    def _pad_answer(self, tx: Tx, slip: PadSlip, by: str) -> PadAnswer:
        try:
            known = self._known_pad(tx, slip)
            if known is not None and not _says_the_same(known, slip):
                raise NumberExists(number=known.number)
            if known is None:
                self._keep_pad(tx, slip, slip.window, slip.clerk or by)
        except (NotFound, NotAPadNumber, NumberExists, PadNeedsWindow) as exc:
            return PadAnswer(number=slip.number, state=PadState.REFUSED, why=exc.sentence)
        return PadAnswer(number=slip.number, state=PadState.KEYED if known is None else PadState.KNOWN)

    async def key_in_pad(self, window: str, slip: PadSlip) -> int:
        """A number from a paper pad: still waiting, or served already with its outcome.

        Raises NotSignedIn, NotAPadNumber, NotFound, NumberExists, HallClosed.
        """

        def verb(tx: Tx) -> int:
            clerk = self._clerk_at(tx, window)
            if (known := self._known_pad(tx, slip)) is not None:
                raise NumberExists(number=known.number)
            return self._keep_pad(tx, slip, window, clerk)

        return await self.store.write(verb)

    def _keep_pad(self, tx: Tx, slip: PadSlip, window: str, clerk: str) -> int:
        if slip.outcome is not None and not window:
            raise PadNeedsWindow(number=slip.number)
        if slip.outcome is not None and window not in self.profile.windows:
            raise NotFound(what=window)
        row = self._pad_row(tx, slip)
        number = self._tell_pad(tx, row)
        if slip.outcome is not None:
            number = _tell_served(tx, row, window, clerk, slip.outcome)
        tx.session.connection().execute(_NEW_TICKET, row.model_dump())
        return number

    def _pad_item(self, slip: PadSlip, queue: str) -> Item:
        """What the number is for; where nobody wrote it down, the queue itself."""
        if slip.item:
            item = self.profile.items.get(slip.item)
        else:
            item = self.profile.item_of(f"{QUEUE_ITEM}{queue}", self.profile.queues[queue].zone, queue)
        if item is None:
            raise NotFound(what=slip.item)
        if item.queue != queue:
            raise NotAPadNumber(number=slip.number)
        return item

    def _pad(self, slip: PadSlip) -> tuple[Item, int]:
        """Item and serial of a slip. Raises NotAPadNumber, NotFound."""
        found = _PAD.fullmatch(slip.number)
        if found is None or found[1] not in self.profile.queues or not 1 <= int(found[2]) <= queueing.LAST_SERIAL:
            raise NotAPadNumber(number=slip.number)
        return self._pad_item(slip, found[1]), int(found[2])

    def _known_pad(self, tx: Tx, slip: PadSlip) -> TicketRow | None:
        item, serial = self._pad(slip)
        number = queueing.display_number(queueing.series(item.queue, Lane.EMERGENCY), serial)
        known = select(TicketRow).where(TicketRow.bizdate == tx.bizdate, TicketRow.number == number)
        return tx.session.exec(known).first()

    def _pad_row(self, tx: Tx, slip: PadSlip) -> TicketRow:
        item, serial = self._pad(slip)
        series = queueing.series(item.queue, Lane.EMERGENCY)
        number = queueing.display_number(series, serial)
        open_ms = issuing.arrive(tx, self.open_time_ms())
        tx.session.connection().execute(_AT_LEAST, {"bizdate": tx.bizdate, "series": series, "serial": serial})
        at_ms = min(slip.at_ms, tx.now_ms)
        came_ms = lanes.slot_in_open_time_ms(open_ms, tx.now_ms, at_ms)
        ticket_id = self.clock.new_id()
        return TicketRow(
            id=ticket_id, request_id=f"pad-{ticket_id}", bizdate=tx.bizdate, queue=item.queue, series=series,
            serial=serial, number=number, item=item.code, zone=item.zone, channel=Channel.PAPER_EMERGENCY.value,
            priority=Priority.NORMAL.value, kiosk="", device=COUNTER_DEVICE, identity_mode=IdentityMode.NONE.value,
            state=TicketState.WAITING.value, since_ms=tx.now_ms, issued_ms=at_ms, lane=Lane.EMERGENCY.value,
            arrived_ms=came_ms, arrival_ms=came_ms, catver=tx.catver, slip=SlipState.NONE.value,
        )  # fmt: skip

    def _tell_pad(self, tx: Tx, row: TicketRow) -> int:
        kept: dict[str, Any] = issuing.kept_of(row) | {"open_ms": self._passed(tx), "arrived_ms": row.arrived_ms}
        return tx.emit(
            TicketIssued(
                ticket_id=row.id, display_no=row.number, queue_code=row.queue, serial=row.serial,
                channel=Channel.PAPER_EMERGENCY, identity_mode=IdentityMode.NONE,
                item_codes=self.profile.item_of(row.item, row.zone, row.queue).codes, zone_code=row.zone,
                waiting_ahead=lookups.count_waiting(tx.session, tx.bizdate, row.queue, row.arrival_ms),
                device_id=row.device, printed_required=False,
            ),
            time=rfc3339(row.issued_ms), kept=kept | {"since_ms": tx.now_ms},
        )  # fmt: skip


def _says_the_same(row: TicketRow, slip: PadSlip) -> bool:
    """Whether a slip is the one that was keyed in as this row, whatever has become of the number since."""
    same_item = not slip.item or row.item == slip.item
    return same_item and row.issued_ms == slip.at_ms and (slip.outcome is None or row.outcome == slip.outcome.value)


def _tell_served(tx: Tx, row: TicketRow, window: str, clerk: str, outcome: Outcome) -> int:
    """What had happened on paper: called, served, finished; the sheet has one time for all."""
    at = rfc3339(row.issued_ms)
    rule = CallRule(picked_by="paper", candidates=1, oldest_wait_s=0)
    tx.emit(
        TicketCalled(
            ticket_id=row.id, display_no=row.number, window_code=window, clerk_id=clerk, call_no=1,
            call_mode=CallMode.AUTO, rule=rule,
        ),
        time=at,
    )  # fmt: skip
    tx.emit(ServingStarted(ticket_id=row.id, window_code=window, clerk_id=clerk, identity_rechecked=False), time=at)
    row.window, row.clerk, row.first_clerk, row.call_no = window, clerk, clerk, 1
    row.called_ms, row.serving_ms, row.outcome = row.issued_ms, row.issued_ms, outcome.value
    row.state = TicketState.FINISHED.value
    return tx.emit(
        TicketFinished(
            ticket_id=row.id, window_code=window, clerk_id=clerk, outcome=outcome, started_at=at, ended_at=at
        ),
        kept={"paper": True, "since_ms": tx.now_ms},
    )
