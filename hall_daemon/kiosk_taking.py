"""The number and its slip: issue, print, and say truthfully what came of it."""

from __future__ import annotations

import asyncio
from functools import partial

from hall_daemon.kiosk_core import Core
from hall_daemon.kiosk_visit import TakenTicket, Visit
from hall_daemon.protocol import KioskScreen
from hall_daemon.tickets import AlreadyWaiting, HallClosed, HallError
from hall_daemon.words import PrintResult

LOOK_AT_PRINTER_S = 0.1
_AFTER_PRINT = {
    PrintResult.OK: KioskScreen.DONE,
    PrintResult.FAILED: KioskScreen.NOPAPER,
    PrintResult.UNKNOWN: KioskScreen.UNSURE,
}


class Taking:
    """From Confirm to the paper."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def take(self) -> None:
        """Take the number."""
        self._core.reprint = False
        self._core.stage.start(KioskScreen.PRINTING)
        self._core.do(partial(self._issue, self._core.visit))

    async def _issue(self, visit: Visit) -> None:
        try:
            ticket = await self._core.desk.take(visit)
        except AlreadyWaiting as exc:
            self._core.ticket, info = await self._core.desk.find(str(exc.facts["number"]))
            self._core.ticket_state = info.state
            self._core.go(KioskScreen.DUPLICATE)
            return
        except HallClosed:
            self._core.end()
            return
        except HallError as exc:
            visit.item = None
            self._core.stage.open(KioskScreen.LIST, exc.sentence)
            return
        self._core.keep_only_ticket(ticket)
        self._core.stage.refresh()
        await self._print(ticket, reprint=False)

    async def _print(self, ticket: TakenTicket, *, reprint: bool) -> None:
        await self._let_trouble_pass()
        result, reason = await self._core.desk.print_slip(ticket, reprint=reprint)
        if reason is not None:
            self._core.print_reason = reason
        self._core.busy = False  # what is written down below needs nobody to wait for it
        self._core.go(_AFTER_PRINT[result])
        await self._core.desk.record(ticket, result, reason, reprint=reprint)

    async def _let_trouble_pass(self) -> None:
        """Have some patience with a printer whose cover is open or whose head is hot."""
        end = self._core.clock.monotonic_s() + self._core.times.print_patience_s
        while (trouble := self._core.desk.passing_trouble()) is not None and self._core.clock.monotonic_s() < end:
            self._core.print_waits_for = trouble
            self._core.stage.refresh()
            await asyncio.sleep(LOOK_AT_PRINTER_S)
        self._core.print_waits_for = None

    def print_again(self) -> None:
        """Print the slip of the number on the screen once more."""
        ticket = self._core.ticket
        if ticket is not None:
            self._core.keep_only_ticket(ticket)
            self._core.reprint = True
            self._core.stage.start(KioskScreen.PRINTING)
            self._core.do(partial(self._print, ticket, reprint=True))

    def print_if_possible(self) -> None:
        """The same, where a printer serves."""
        if self._core.desk.printer_serves():
            self.print_again()
