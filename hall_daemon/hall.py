"""The verbs of the hall. Each is one transaction with its event.

Rules are in queueing; these rooms read what they need (lookups), write what the rules say, and tell everybody after the
commit. How a number is taken is told in issuing; calling, visits, the line and cases have rooms of their own
(hall_calling, hall_visits, hall_line, hall_cases, hall_materials); what they share is in hall_core. None knows a device
or a screen.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from sqlmodel import Session

from hall_daemon import issuing, lanes, lookups
from hall_daemon.clock import Clock
from hall_daemon.config import HallConfig
from hall_daemon.estimates import Estimate
from hall_daemon.events import SlipPrinted
from hall_daemon.hall_cases import CaseVerbs
from hall_daemon.hall_core import Bell
from hall_daemon.hall_desk import DeskVerbs
from hall_daemon.hall_line import LineVerbs
from hall_daemon.hall_materials import MaterialVerbs
from hall_daemon.hall_sessions import SessionVerbs
from hall_daemon.hall_visits import VisitVerbs
from hall_daemon.protocol import ZoneLoad
from hall_daemon.store import Store, Tx
from hall_daemon.tables import TicketRow
from hall_daemon.tickets import (
    Issued,
    IssueOrder,
    NotFound,
    TicketInfo,
    TooEarly,
    TooLate,
)  # fmt: skip
from hall_daemon.waits import AT_THE_END, Comer, Waits
from hall_daemon.words import Channel, Lane, PrintReason, PrintResult, SlipState

__all__ = ["Bell", "Hall"]

_log = logging.getLogger("hall")

_SLIP_AFTER = {
    PrintResult.OK: SlipState.PRINTED,
    PrintResult.FAILED: SlipState.FAILED,
    PrintResult.UNKNOWN: SlipState.UNKNOWN,
}


class Hall(SessionVerbs, DeskVerbs, VisitVerbs, LineVerbs, CaseVerbs, MaterialVerbs):
    """All verbs, and questions about tickets."""

    def __init__(self, config: HallConfig, store: Store, clock: Clock) -> None:
        super().__init__(config, store, clock)
        self.waits = Waits(self)
        """How long it will take."""

    # --- a number ---------------------------------------------------------------------------------------------------

    async def issue(self, order: IssueOrder) -> Issued:
        """Create a ticket; when this returns, it is on the disk.

        Raises HallClosed, NotFound, ItemSuspended, NoWindow, AlreadyWaiting, TooEarly, NoMoreNumbers.
        """
        item = self._check(order)
        wait = await self.waits.expect(item.queue, comer=self._comer(order))
        self._refuse_too_late(order, wait)
        order = replace(order, expected_s=round(wait.middle_s) if wait else None)
        issued = await self.store.write(lambda tx: self._issue(tx, order))
        if not issued.repeated:
            _log.info(
                "issued %s queue=%s kiosk=%s waiting_ahead=%d", issued.number, item.queue, order.kiosk or "-",
                issued.waiting_ahead,
            )  # fmt: skip
            self.waits.said(issued.ticket_id, wait)
        return replace(issued, wait=wait)

    def _comer(self, order: IssueOrder) -> Comer:
        """Where the new number will stand, as far as the order tells before it is carried out."""
        now_ms, open_ms = self.clock.now_ms(), self.open_time_ms()
        try:
            priority, slot = issuing.priority_at(
                order, self.clock.today(), now_ms, self.config.public.residents.priority_from
            )
        except TooEarly:
            return AT_THE_END  # there will be no number
        if slot is not None:
            begins_ms = lanes.slot_in_open_time_ms(open_ms, now_ms, slot.start_ms)
            arrival_ms = lanes.slot_arrival_ms(open_ms, begins_ms)
            return Comer(arrival_ms=arrival_ms, not_before_s=max(0.0, (slot.start_ms - now_ms) / 1000))
        if lanes.lane_of(priority) is Lane.NORMAL:
            return AT_THE_END
        return Comer(arrival_ms=lanes.virtual_arrival_ms(open_ms, priority))

    def _refuse_too_late(self, order: IssueOrder, wait: Estimate | None) -> None:
        """Who would not be called before the hall closes is told so, before a number is spent (cut-off)."""
        closes_ms, now_ms = self.day.planned_close_ms, self.clock.now_ms()
        if wait is None or closes_ms is None or order.channel is Channel.COUNTER:
            return
        if now_ms + wait.middle_s * 1000 > closes_ms:
            raise TooLate(opens=self.day.next_opening(now_ms, self.profile.calendar))

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

    # --- questions ----------------------------------------------------------------------------------------------------

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
