"""What a visit at a ticket machine stands on: who is there, what is on the screen, what is being done.

All that is personal lives in one Visit, which is thrown away when the visit ends. What has to wait (the hall, the
printer) runs one job at a time in the kiosk's own task. This room knows no key and decides nothing about the way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from drivers.base import Condition
from hall_daemon.clock import Clock
from hall_daemon.hall import Hall
from hall_daemon.kiosk_common import Found
from hall_daemon.kiosk_desk import Desk
from hall_daemon.kiosk_scene import Booking, Notice, Scene, Wait
from hall_daemon.kiosk_search import Hit, SearchIndex
from hall_daemon.kiosk_stage import FIRST, Stage
from hall_daemon.kiosk_visit import KioskTimes, TakenTicket, Visit
from hall_daemon.profile import HallProfile, Kiosk
from hall_daemon.protocol import Text, ZoneLoad
from hall_daemon.protocol_kiosk import KioskScreen
from hall_daemon.upkeep import Upkeep
from hall_daemon.words import PrintReason

CallStaff = Callable[[Kiosk, str], Awaitable[None]]
"""Tells whoever works at a window a sentence about this kiosk, by its code."""


class Core:
    """State of one kiosk, and the steps that every part of the way takes."""

    def __init__(
        self,
        kiosk: Kiosk,
        hall: Hall,
        desk: Desk,
        clock: Clock,
        times: KioskTimes,
        call_staff: CallStaff | None,
        upkeep: Upkeep,
        on_silence: Callable[[], None],
    ) -> None:
        self.kiosk = kiosk
        self.hall = hall
        self.times = times
        self.clock = clock
        self.upkeep = upkeep
        self.call_staff = call_staff
        self.desk = desk
        self.visit = Visit()
        self.ticket: TakenTicket | None = None
        self.by_number = False
        """The ticket on the screen was found by its number alone."""
        self.unprinted: list[TakenTicket] = []
        self.trouble = Condition.CARD_UNREADABLE
        self.print_reason = PrintReason.OFFLINE
        self.print_waits_for: Condition | None = None
        self.reprint = False
        self.staff_called = False
        self.loads: tuple[ZoneLoad, ...] = ()
        self.open_windows: Mapping[str, int] = {}
        self.waits: Mapping[str, Wait] = {}
        self.past = Found()
        self.found: tuple[Hit, ...] = ()
        self.bookings: tuple[Booking, ...] = ()
        self.came_back: Notice | None = None
        self.refusal: tuple[str, Text] | None = None
        self._index: tuple[HallProfile, SearchIndex] | None = None
        self.lying: set[str] = set()
        """Readers on which a card lies."""
        self.jobs: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self.busy = False
        self.stage = Stage(clock, times, self.scene, on_silence)

    # --- work that waits ----------------------------------------------------------------------------------------------

    def do(self, job: Callable[[], Awaitable[None]]) -> None:
        """Have a job done; keys that come meanwhile are dropped."""
        self.busy = True
        self.jobs.put_nowait(job)

    async def one_job(self) -> None:
        """Do the next job."""
        job = await self.jobs.get()
        try:
            await job()
        finally:
            self.busy = not self.jobs.empty()

    # --- pages --------------------------------------------------------------------------------------------------------

    def scene(self, notice: Text | None) -> Scene:
        """All that a page may depend on."""
        desk = self.desk
        return Scene(
            kiosk=self.kiosk,
            profile=self.hall.profile,
            visit=self.visit,
            ticket=self.ticket,
            loads=self.loads,
            common=self.past.common,
            found=self.found,
            waits=self.waits,
            open_windows=self.open_windows,
            next_opening=desk.next_opening(),
            hours=desk.hours_today(),
            quieter=self._quieter(),
            guide_code=desk.guide_code(self.visit.looked),
            bookings=self.bookings,
            came_back=self.came_back,
            refusal=self.refusal,
            by_number=self.by_number,
            trouble=self.trouble,
            print_reason=self.print_reason,
            printer_serves=desk.printer_serves(),
            paper_neighbour=desk.paper_neighbour(),
            reader_neighbour=desk.reader_neighbour(),
            staff_called=self.staff_called,
            can_call_staff=self.can_call_staff,
            notice=notice,
            printer_notices=(*desk.printer_notices(), *desk.number_notices()),
            keypad_notices=desk.keypad_notices(),
            reprint=self.reprint,
            print_waits_for=self.print_waits_for,
        )

    def _quieter(self) -> Text | None:
        item = self.visit.item
        return self.desk.quieter(item.queue, self.waits.get(item.queue), self.past) if item is not None else None

    @property
    def can_call_staff(self) -> bool:
        """Whether somebody at a window would hear it; help that nobody hears is not promised."""
        return self.call_staff is not None and bool(self.open_windows)

    def go(self, screen: KioskScreen) -> None:
        """Open a page."""
        self.stage.open(screen)

    def first_screen(self) -> KioskScreen:
        """The page that stands while nobody is there."""
        if self.upkeep.maintained(self.kiosk.code):
            return KioskScreen.MAINTENANCE
        if self.hall.day_refusal() is not None:
            return KioskScreen.CLOSED
        if not self.desk.readers_serve():
            return KioskScreen.READER
        return KioskScreen.IDLE

    def home(self) -> None:
        """Back to the start; a number of this kiosk that still has no slip is offered first."""
        self.forget()
        self.ticket = self.unprinted.pop(0) if self.unprinted else None
        self.stage.start(self.first_screen() if self.ticket is None else KioskScreen.UNPRINTED)

    def end(self) -> None:
        """The visit is over."""
        self.forget()
        if self.lying:
            self.stage.start(KioskScreen.CARDLEFT)
        else:
            self.home()

    def forget(self) -> None:
        """Nothing of this visit stays."""
        self.visit = Visit()
        self.ticket, self.by_number = None, False
        self.found, self.bookings, self.came_back, self.refusal = (), (), None, None
        self.staff_called = False

    def keep_only_ticket(self, ticket: TakenTicket) -> None:
        """The number stands; nothing personal is needed any more."""
        before = self.visit
        self.forget()
        self.visit = Visit(language=before.language, modes=before.modes, with_card=before.with_card)
        self.ticket = ticket

    def look_again(self) -> None:
        """Something around the visit may have changed."""
        screen = self.stage.screen
        other_start = screen in FIRST and screen is not self.first_screen()
        if other_start or (screen is KioskScreen.CARDLEFT and not self.lying):
            self.home()
        else:
            self.stage.refresh()

    def uncover(self) -> None:
        """Take the question or the help page away."""
        self.staff_called = False
        self.stage.uncover()
        self.look_again()

    # --- finding ------------------------------------------------------------------------------------------------------

    def search(self) -> None:
        """Look for what has been typed."""
        self.found = tuple(self.index().find(self.visit.searched))

    def index(self) -> SearchIndex:
        """Made once for each catalogue."""
        profile = self.hall.profile
        if self._index is None or self._index[0] is not profile:
            self._index = (profile, SearchIndex(profile, self.kiosk.code, self.past.common))
        return self._index[1]
