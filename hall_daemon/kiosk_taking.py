"""The number and its slip: issue, print, come back into line, give up, and say truthfully what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial

from hall_daemon.kiosk_core import Core
from hall_daemon.kiosk_scene import ranged
from hall_daemon.kiosk_visit import TakenTicket, Visit
from hall_daemon.protocol_kiosk import KioskScreen as S
from hall_daemon.texts import text
from hall_daemon.tickets import AlreadyWaiting, HallClosed, HallError, ItemSuspended
from hall_daemon.words import PrintResult, TicketState

LOOK_AT_PRINTER_S = 0.1
_AFTER_PRINT = {
    PrintResult.OK: S.DONE,
    PrintResult.FAILED: S.NOPAPER,
    PrintResult.UNKNOWN: S.UNSURE,
}


class Taking:
    """From Confirm to the paper."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def take(self) -> None:
        """Take the number."""
        self._core.reprint = False
        self._core.stage.start(S.PRINTING)
        self._core.do(partial(self._issue, self._core.visit))

    def look_up_notice(self) -> None:
        """Find the notice whose number was typed, if it still leads straight back."""
        core, visit = self._core, self._core.visit

        async def look_up() -> None:
            found = await core.desk.find_notice(visit.notice)
            if visit is not core.visit:
                return
            core.came_back = found
            if found is None:
                core.stage.say(text("kiosk.notice_no.none"))
            else:
                core.go(S.RETURN)

        core.do(look_up)

    def take_back(self) -> None:
        """Back with the papers of a notice: a number of the green lane, in one step."""
        notice, visit = self._core.came_back, self._core.visit
        if notice is not None:
            visit.cart, visit.back, visit.request_id = (notice.item,), notice.number, self._core.clock.new_id()
            self.take()

    async def _issue(self, visit: Visit) -> None:
        core = self._core
        try:
            ticket = await core.desk.take(visit)
        except AlreadyWaiting as exc:
            core.ticket = await core.desk.find(str(exc.facts["number"]))
            core.go(S.DUPLICATE)
            return
        except HallClosed:
            core.end()
            return
        except ItemSuspended:
            visit.looked, visit.cart = visit.item, ()
            core.go(S.SUSPENDED)
            return
        except HallError as exc:
            core.refusal, visit.cart = (exc.code, exc.sentence), ()
            core.go(S.LIMIT)
            return
        wait = core.waits.get(ticket.item.queue)
        if wait is not None:
            ticket = replace(ticket, expected=ranged(wait))
        core.keep_only_ticket(ticket)
        core.stage.refresh()
        await self._print(ticket, reprint=False)

    async def _print(self, ticket: TakenTicket, *, reprint: bool) -> None:
        await self._let_trouble_pass()
        large = self._core.visit.modes.large
        result, reason = await self._core.desk.print_slip(ticket, reprint=reprint, large=large)
        if reason is not None:
            self._core.print_reason = reason
        self._core.busy = False  # what is written down below needs nobody to wait for it
        if result is PrintResult.FAILED:
            self._core.ticket = replace(ticket, code=await self._core.desk.code_on_screen(ticket))
        self._core.go(_AFTER_PRINT[result])
        await self._core.desk.record(ticket, result, reason, reprint=reprint)

    async def _let_trouble_pass(self) -> None:
        """Have some patience with a printer whose cover is open or whose head is hot."""
        end = self._core.clock.monotonic_s() + self._core.times.print_patience_s
        while (trouble := self._core.desk.passing_trouble()) is not None and self._core.clock.monotonic_s() < end:
            self._core.print_waits_for = trouble
            self._core.stage.say(None)
            await asyncio.sleep(LOOK_AT_PRINTER_S)
        self._core.print_waits_for = None

    def print_again(self) -> None:
        """Print the slip of the number on the screen once more; never one whose owner is not known."""
        ticket = self._core.ticket
        if ticket is not None and not self._core.by_number:
            self._core.keep_only_ticket(ticket)
            self._core.reprint = True
            self._core.stage.start(S.PRINTING)
            self._core.do(partial(self._print, ticket, reprint=True))

    def print_if_possible(self) -> None:
        """The same, where a printer serves."""
        if self._core.desk.printer_serves():
            self.print_again()

    # --- a number that there is already -------------------------------------------------------------------------------

    def look_up_number(self) -> None:
        """A number that was typed: where it stands."""
        visit = self._core.visit

        async def look() -> None:
            try:
                found = await self._core.desk.find(visit.number)
            except HallError:
                self._core.stage.say(text("kiosk.number.none"))
                return
            if visit is self._core.visit:
                self._core.ticket, self._core.by_number = found, True
                self._core.go(S.MISSED if found.state is TicketState.NO_SHOW else S.DUPLICATE)

        if len(visit.number) >= 4:
            self._core.do(look)

    def rejoin(self) -> None:
        """A missed number comes back into line; one that has come back is printed again."""
        ticket = self._core.ticket
        if ticket is None:
            return
        if ticket.state is TicketState.WAITING:
            self.print_again()
            return

        async def put_back() -> None:
            self._core.ticket = await self._core.desk.rejoin(ticket.number)
            self._core.go(S.MISSED)

        self._core.do(self._or_say(put_back))

    def ask_to_give_up(self) -> None:
        """Asked once, for it cannot be taken back."""
        ticket = self._core.ticket
        if ticket is not None and ticket.state is TicketState.WAITING:
            self._core.go(S.GIVEUP)

    def give_up(self, then: Callable[[], None]) -> None:
        """The number is gone; the visit goes on."""
        ticket = self._core.ticket
        if ticket is None:
            return

        async def cancel() -> None:
            await self._core.desk.give_up(ticket.number)
            self._core.ticket = None
            then()
            self._core.stage.say(text("kiosk.giveup.done", number=ticket.number))

        self._core.do(self._or_say(cancel))

    def _or_say(self, job: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        async def said() -> None:
            try:
                await job()
            except HallError as exc:
                self._core.stage.say(exc.sentence)

        return said
