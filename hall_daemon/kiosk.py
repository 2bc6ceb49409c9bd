"""One visit per ticket machine: identify, choose an item, confirm, issue, print.

Keys and cards arrive on the event loop and change the page at once; what has to wait (the hall, the printer) runs one
job at a time in `run`, and keys that come meanwhile are dropped. All that is personal lives in one Visit, which is
thrown away when the visit ends, when nobody answers, when another card is placed, and as soon as the number is
committed. This room draws nothing (kiosk_pages) and knows no bytes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial

from drivers.base import CardGone, CardRead, Condition, IdCard, Key
from hall_daemon.clock import Clock
from hall_daemon.devices import CardTrouble, Devices, Input
from hall_daemon.hall import Bell, Hall
from hall_daemon.kiosk_desk import Desk
from hall_daemon.kiosk_pages import READ_TROUBLES, Scene, consult_item, pages, shown
from hall_daemon.kiosk_stage import FIRST, Stage
from hall_daemon.kiosk_visit import (
    ID_LENGTH,
    PHONE_LENGTH,
    KioskTimes,
    TakenTicket,
    Visit,
    language_of,
    phone_problem,
)
from hall_daemon.privacy import valid_id_number
from hall_daemon.profile import Item, Kiosk
from hall_daemon.protocol import KioskScreen, KioskView, Text, ZoneLoad
from hall_daemon.texts import text
from hall_daemon.tickets import AlreadyWaiting, HallClosed, HallError
from hall_daemon.upkeep import Upkeep
from hall_daemon.words import PrintReason, PrintResult, TicketState

USUAL_TIMES = KioskTimes()
LOOK_AT_PRINTER_S = 0.1
COUNTS_EVERY_S = 0.25
"""A crowded hall commits many times a second; nobody reads counts that fast."""
_DIGITS = frozenset(Key) - {Key.STAR, Key.HASH, Key.OK, Key.CORRECT, Key.CANCEL, Key.HELP}
_TYPING = frozenset({KioskScreen.PHONE, KioskScreen.ID})
_ON_THE_WAY = frozenset(
    {KioskScreen.PHONE, KioskScreen.ZONES, KioskScreen.LIST, KioskScreen.CONFIRM, KioskScreen.DUPLICATE}
)
_MUST_BE_SEEN = frozenset({KioskScreen.PRINTING, KioskScreen.NOPAPER, KioskScreen.UNSURE})
"""Pages of a number that somebody has still to note: no other card takes them away."""
_DEAF = frozenset({KioskScreen.CARDLEFT, KioskScreen.MAINTENANCE})
"""Pages on which no key means anything."""
_NO_VISITS = frozenset({KioskScreen.CLOSED, KioskScreen.MAINTENANCE})
_AFTER_PRINT = {
    PrintResult.OK: KioskScreen.DONE,
    PrintResult.FAILED: KioskScreen.NOPAPER,
    PrintResult.UNKNOWN: KioskScreen.UNSURE,
}


class KioskFlow:
    """What leads from page to page at one kiosk."""

    def __init__(
        self,
        kiosk: Kiosk,
        hall: Hall,
        devices: Devices,
        clock: Clock,
        times: KioskTimes = USUAL_TIMES,
        call_staff: Callable[[Kiosk], None] | None = None,
        upkeep: Upkeep | None = None,
    ) -> None:
        self.kiosk = kiosk
        self.hall = hall
        self.times = times
        self._clock = clock
        self._upkeep = upkeep or Upkeep()
        self._desk = Desk(kiosk, hall, devices, clock, times, self._upkeep)
        self._call_staff = call_staff
        self._log = logging.getLogger(f"kiosk.{kiosk.code}")
        self._visit = Visit()
        self._ticket: TakenTicket | None = None
        self._ticket_state = TicketState.WAITING
        self._unprinted: list[TakenTicket] = []
        self._trouble = Condition.CARD_UNREADABLE
        self._print_reason = PrintReason.OFFLINE
        self._print_waits_for: Condition | None = None
        self._reprint = False
        self._staff_called = False
        self._loads: tuple[ZoneLoad, ...] = ()
        self._lying: set[str] = set()
        """Readers on which a card lies."""
        self._last_key: tuple[Key, float] | None = None
        self._jobs: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._busy = False
        self._running = False
        self._actions = self._action_table()
        self._stage = Stage(clock, times, self._scene, self._on_silence)
        self._listen(devices)

    def _listen(self, devices: Devices) -> None:
        for reader in self.kiosk.card_readers:
            devices.on_input(reader, partial(self._hear_reader, reader))
        if self.kiosk.keypad:
            devices.on_input(self.kiosk.keypad, self._hear_keypad)
        devices.on_change(lambda _view: self._devices_changed())
        self._upkeep.on_change(self._upkeep_changed)

    def _action_table(self) -> dict[tuple[KioskScreen, Key], Callable[[], None]]:
        s, k = KioskScreen, Key
        return {
            (s.IDLE, k.DIGIT_1): partial(self._go, s.NOCARD),
            (s.READER, k.DIGIT_1): partial(self._go, s.ID),
            (s.READER, k.DIGIT_2): self._consult,
            (s.READER, k.DIGIT_3): self._help,
            (s.READFAIL, k.DIGIT_1): partial(self._go, s.ID),
            (s.READFAIL, k.DIGIT_2): self._help,
            (s.NOCARD, k.DIGIT_1): partial(self._go, s.ID),
            (s.NOCARD, k.DIGIT_2): self._consult,
            (s.NOCARD, k.DIGIT_3): self._help,
            (s.NOCARD, k.CORRECT): self._end,
            (s.ID, k.STAR): partial(self._type, "X"),
            (s.ID, k.CORRECT): self._correct_id,
            (s.ID, k.OK): self._accept_id,
            (s.PHONE, k.STAR): self._skip_phone,
            (s.PHONE, k.CORRECT): self._correct_phone,
            (s.PHONE, k.OK): self._accept_phone,
            (s.ZONES, k.CORRECT): partial(self._go, s.PHONE),
            (s.LIST, k.CORRECT): self._back_from_list,
            (s.LIST, k.STAR): partial(self._turn, -1),
            (s.LIST, k.HASH): partial(self._turn, 1),
            (s.CONFIRM, k.CORRECT): self._back_from_check,
            (s.CONFIRM, k.OK): self._take,
            (s.DUPLICATE, k.DIGIT_1): self._print_again,
            (s.DUPLICATE, k.DIGIT_2): self._choose,
            (s.DONE, k.OK): self._end,
            (s.NOPAPER, k.DIGIT_1): self._end,
            (s.NOPAPER, k.OK): self._end,
            (s.NOPAPER, k.DIGIT_2): self._print_if_possible,
            (s.UNSURE, k.DIGIT_1): partial(self._go, s.DONE),
            (s.UNSURE, k.DIGIT_2): self._print_again,
            (s.UNPRINTED, k.OK): self._print_again,
            (s.HELP, k.DIGIT_1): self._call,
            (s.HELP, k.DIGIT_6): self._switch_language,
            (s.HELP, k.CORRECT): self._uncover,
            (s.HELP, k.OK): self._uncover,
        }

    # --- life ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled."""
        self._busy, self._jobs = False, asyncio.Queue()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow_hall())
                group.create_task(self._tick())
                self._unprinted = await self._desk.unprinted()
                self._running = True
                self._end()
                while True:
                    await self._one_job()
        finally:
            # Whatever ends this room: nobody's data stays, and nobody waits for a page that cannot go on.
            self._running = False
            self._forget()
            self._stage.start(KioskScreen.MAINTENANCE)

    async def _one_job(self) -> None:
        job = await self._jobs.get()
        try:
            await job()
        finally:
            self._busy = not self._jobs.empty()

    async def _follow_hall(self) -> None:
        """Keep the counts of those who wait, and what else the hall decides, up to date."""
        heard = -1
        while True:
            heard = await self.hall.changed.wait(heard)
            self._loads = await self.hall.zone_loads()
            visit = self._visit
            if visit.item is not None:
                visit.ahead = await self.hall.waiting_ahead(visit.item.code)
            self._look_again()
            await asyncio.sleep(COUNTS_EVERY_S)

    async def _tick(self) -> None:
        """The clock and the seconds on the screen."""
        while True:
            await asyncio.sleep(self.times.tick_s)
            self._look_again()

    def _devices_changed(self) -> None:
        self._lying = {reader for reader in self._lying if self._desk.devices.can_serve(reader)}
        self._look_again()

    def _upkeep_changed(self) -> None:
        """Taken out: at once if nobody is there, else when the visit under way has ended. Put back: open again."""
        if self._running and self._stage.screen is KioskScreen.MAINTENANCE:
            self._home()
        else:
            self._look_again()

    def _look_again(self) -> None:
        """Something around the visit may have changed."""
        screen = self._stage.screen
        other_start = screen in FIRST and screen is not self._first_screen()
        if other_start or (screen is KioskScreen.CARDLEFT and not self._lying):
            self._home()
        else:
            self._stage.refresh()

    @property
    def view(self) -> KioskView:
        """What stands on the screen."""
        return self._stage.view

    @property
    def in_use(self) -> bool:
        """Whether a visit is under way."""
        return self._stage.underneath not in FIRST | _NO_VISITS

    @property
    def changed(self) -> Bell:
        """Rings with each view."""
        return self._stage.changed

    # --- pages --------------------------------------------------------------------------------------------------------

    def _scene(self, notice: Text | None) -> Scene:
        desk = self._desk
        return Scene(
            kiosk=self.kiosk,
            profile=self.hall.profile,
            visit=self._visit,
            ticket=self._ticket,
            ticket_state=self._ticket_state,
            loads=self._loads,
            trouble=self._trouble,
            print_reason=self._print_reason,
            printer_serves=desk.printer_serves(),
            paper_neighbour=desk.paper_neighbour(),
            reader_neighbour=desk.reader_neighbour(),
            staff_called=self._staff_called,
            can_call_staff=self._call_staff is not None,
            notice=notice,
            printer_notices=desk.printer_notices(),
            keypad_notices=desk.keypad_notices(),
            reprint=self._reprint,
            print_waits_for=self._print_waits_for,
        )

    def _go(self, screen: KioskScreen) -> None:
        self._stage.open(screen)

    def _first_screen(self) -> KioskScreen:
        if self._upkeep.maintained(self.kiosk.code):
            return KioskScreen.MAINTENANCE
        if not self.hall.day_open:
            return KioskScreen.CLOSED
        if not self._desk.readers_serve():
            return KioskScreen.READER
        return KioskScreen.IDLE

    def _home(self) -> None:
        """Back to the start; a number of this kiosk that still has no slip is offered first."""
        self._forget()
        self._ticket = self._unprinted.pop(0) if self._unprinted else None
        self._stage.start(self._first_screen() if self._ticket is None else KioskScreen.UNPRINTED)

    def _end(self) -> None:
        """The visit is over."""
        self._forget()
        if self._lying:
            self._stage.start(KioskScreen.CARDLEFT)
        else:
            self._home()

    def _forget(self) -> None:
        self._visit = Visit()
        self._ticket = None
        self._staff_called = False

    def _keep_only_ticket(self, ticket: TakenTicket) -> None:
        """The number stands; nothing personal is needed any more."""
        before = self._visit
        self._forget()
        self._visit = Visit(language=before.language, with_card=before.with_card)
        self._ticket = ticket

    def _uncover(self) -> None:
        self._staff_called = False
        self._stage.uncover()
        self._look_again()

    def _on_silence(self) -> None:
        screen = self._stage.screen
        if screen in (KioskScreen.CARDLEFT, KioskScreen.UNPRINTED) or self._stage.underneath in FIRST:
            self._home()
        elif screen in (KioskScreen.TIMEOUT, KioskScreen.DONE):
            self._end()
        else:
            self._stage.cover(KioskScreen.TIMEOUT)

    # --- keys ---------------------------------------------------------------------------------------------------------

    def press(self, key: Key, revision: int | None = None) -> None:
        """A key of the touch screen (with the revision it was drawn in) or of the keypad."""
        screen = self._stage.screen
        if revision is None and self._is_repeat(key):
            return
        if self._busy or self._stage.is_stale(revision) or screen in _DEAF:
            return
        self._stage.touched()
        if screen is KioskScreen.TIMEOUT:
            self._answer_question(key)
        elif key is Key.CANCEL:
            self._cancel()
        elif key is Key.HELP:
            self._help()
        elif key in _DIGITS and screen in (*_TYPING, KioskScreen.ZONES, KioskScreen.LIST):
            self._digit(key)
        else:
            action = self._actions.get((screen, key))
            if action is not None:
                action()

    def _is_repeat(self, key: Key) -> bool:
        """Whether a key of the keypad came twice from one impatient finger; when typing, twice is twice."""
        now = self._clock.monotonic_s()
        last, self._last_key = self._last_key, (key, now)
        typing = self._stage.screen in _TYPING and (key in _DIGITS or key is Key.CORRECT)
        return not typing and last is not None and last[0] is key and now - last[1] < self.times.same_key_s

    def _answer_question(self, key: Key) -> None:
        if key is Key.CANCEL:
            self._end()
        else:
            self._uncover()

    def _cancel(self) -> None:
        if self._stage.screen is KioskScreen.UNPRINTED:
            self._home()
        elif self._stage.underneath not in FIRST:
            self._end()
        elif self._stage.is_covered:
            self._uncover()

    def _digit(self, key: Key) -> None:
        if self._stage.screen in _TYPING:
            self._type(key.value)
        elif self._stage.screen is KioskScreen.ZONES:
            self._pick_zone(int(key.value))
        else:
            self._pick_item(int(key.value))

    # --- who ----------------------------------------------------------------------------------------------------------

    def _type(self, character: str) -> None:
        visit = self._visit
        if self._stage.screen is KioskScreen.PHONE:
            visit.phone = (visit.phone + character)[:PHONE_LENGTH]
        elif character != "X" or len(visit.typed_id) == ID_LENGTH - 1:
            visit.typed_id = (visit.typed_id + character)[:ID_LENGTH]
        self._stage.say(None)

    def _correct_id(self) -> None:
        if self._visit.typed_id:
            self._visit.typed_id = self._visit.typed_id[:-1]
            self._stage.refresh()
        else:
            self._go(KioskScreen.NOCARD)

    def _accept_id(self) -> None:
        if valid_id_number(self._visit.typed_id):
            self._go(KioskScreen.PHONE)

    def _correct_phone(self) -> None:
        visit = self._visit
        if visit.phone:
            visit.phone = visit.phone[:-1]
            self._stage.refresh()
        elif visit.card is None:
            self._visit = Visit(language=visit.language)
            self._go(KioskScreen.NOCARD)

    def _skip_phone(self) -> None:
        self._visit.phone = ""
        self._choose()

    def _accept_phone(self) -> None:
        if not phone_problem(self._visit.phone):
            self._choose()

    def _consult(self) -> None:
        if consult_item(self.hall.profile, self.kiosk) is not None:
            self._visit = Visit(consult=True, language=self._visit.language)
            self._go(KioskScreen.PHONE)

    # --- what for -----------------------------------------------------------------------------------------------------

    def _choose(self) -> None:
        """Ask for the zone, then for the item; somebody without a document can only ask."""
        visit = self._visit
        visit.zone, visit.page, visit.item = "", 1, None
        self._ticket = None
        consult = consult_item(self.hall.profile, self.kiosk) if visit.consult else None
        if consult is not None:
            self._check(consult)
        elif self._has_zones():
            self._go(KioskScreen.ZONES)
        else:
            self._go(KioskScreen.LIST)

    def _has_zones(self) -> bool:
        return len(self.hall.profile.zones_at(self.kiosk.code)) > 1

    def _pick_zone(self, place: int) -> None:
        zones = self.hall.profile.zones_at(self.kiosk.code)[:9]
        if 1 <= place <= len(zones):
            self._visit.zone, self._visit.page = zones[place - 1].code, 1
            self._go(KioskScreen.LIST)

    def _turn(self, by: int) -> None:
        """Next or previous page, round and round: a keypad without # reaches every page with *."""
        count = pages(self._scene(None))
        if count > 1:
            self._visit.page = (self._visit.page - 1 + by) % count + 1
            self._go(KioskScreen.LIST)

    def _pick_item(self, place: int) -> None:
        on_page = shown(self._scene(None))
        if not 1 <= place <= len(on_page):
            return
        item = on_page[place - 1]
        if item.suspended:
            self._stage.say(text("hall.item_suspended"))
        else:
            self._check(item)

    def _back_from_list(self) -> None:
        self._go(KioskScreen.ZONES if self._has_zones() else KioskScreen.PHONE)

    def _check(self, item: Item) -> None:
        visit = self._visit

        async def ask() -> None:
            ahead = await self.hall.waiting_ahead(item.code)
            if visit is self._visit:
                visit.item, visit.ahead, visit.request_id = item, ahead, self._clock.new_id()
                self._go(KioskScreen.CONFIRM)

        self._do(ask)

    def _back_from_check(self) -> None:
        self._visit.item = None
        self._go(KioskScreen.PHONE if self._visit.consult else KioskScreen.LIST)

    # --- the number and its slip --------------------------------------------------------------------------------------

    def _do(self, job: Callable[[], Awaitable[None]]) -> None:
        self._busy = True
        self._jobs.put_nowait(job)

    def _take(self) -> None:
        self._reprint = False
        self._stage.start(KioskScreen.PRINTING)
        self._do(partial(self._issue, self._visit))

    async def _issue(self, visit: Visit) -> None:
        try:
            ticket = await self._desk.take(visit)
        except AlreadyWaiting as exc:
            self._ticket, info = await self._desk.find(str(exc.facts["number"]))
            self._ticket_state = info.state
            self._go(KioskScreen.DUPLICATE)
            return
        except HallClosed:
            self._end()
            return
        except HallError as exc:
            visit.item = None
            self._stage.open(KioskScreen.LIST, exc.sentence)
            return
        self._keep_only_ticket(ticket)
        self._stage.refresh()
        await self._print(ticket, reprint=False)

    async def _print(self, ticket: TakenTicket, *, reprint: bool) -> None:
        await self._let_trouble_pass()
        result, reason = await self._desk.print_slip(ticket, reprint=reprint)
        if reason is not None:
            self._print_reason = reason
        self._busy = False  # what is written down below needs nobody to wait for it
        self._go(_AFTER_PRINT[result])
        await self._desk.record(ticket, result, reason, reprint=reprint)

    async def _let_trouble_pass(self) -> None:
        """Have some patience with a printer whose cover is open or whose head is hot."""
        end = self._clock.monotonic_s() + self.times.print_patience_s
        while (trouble := self._desk.passing_trouble()) is not None and self._clock.monotonic_s() < end:
            self._print_waits_for = trouble
            self._stage.refresh()
            await asyncio.sleep(LOOK_AT_PRINTER_S)
        self._print_waits_for = None

    def _print_again(self) -> None:
        ticket = self._ticket
        if ticket is not None:
            self._keep_only_ticket(ticket)
            self._reprint = True
            self._stage.start(KioskScreen.PRINTING)
            self._do(partial(self._print, ticket, reprint=True))

    def _print_if_possible(self) -> None:
        if self._desk.printer_serves():
            self._print_again()

    # --- help ---------------------------------------------------------------------------------------------------------

    def _help(self) -> None:
        if self._stage.screen is not KioskScreen.HELP:
            self._stage.cover(KioskScreen.HELP)

    def _call(self) -> None:
        if self._call_staff is not None and not self._staff_called:
            self._call_staff(self.kiosk)
            self._log.info("staff called")
            self._staff_called = True
            self._go(KioskScreen.HELP)

    def _switch_language(self) -> None:
        self._visit.language = "zh" if self._visit.language == "en" else "en"
        self._uncover()

    # --- cards --------------------------------------------------------------------------------------------------------

    def _hear_keypad(self, news: Input) -> None:
        if isinstance(news, Key):
            self.press(news)

    def _hear_reader(self, reader: str, news: Input) -> None:
        if isinstance(news, CardRead):
            self._lying.add(reader)
            self._card_read(reader, news.card)
        elif isinstance(news, CardTrouble):
            self._lying.add(reader)
            self._card_failed(news.condition)
        elif isinstance(news, CardGone):
            self._lying.discard(reader)
            self._look_again()

    def _card_failed(self, condition: Condition) -> None:
        under = self._stage.underneath
        if under in _ON_THE_WAY | _MUST_BE_SEEN | _NO_VISITS:
            return
        self._forget()
        self._trouble = condition if condition in READ_TROUBLES else Condition.CARD_UNREADABLE
        self._stage.start(KioskScreen.READFAIL)

    def _card_read(self, reader: str, card: IdCard) -> None:
        under = self._stage.underneath
        if under in _MUST_BE_SEEN:
            self._stage.say(text("kiosk.notice.wait"))
        elif under in _ON_THE_WAY and self._visit.card is not None:
            self._another_card(reader, card)
        elif under not in _NO_VISITS:
            self._begin(reader, card)

    def _begin(self, reader: str, card: IdCard, notice: Text | None = None) -> None:
        if self._stage.underneath is KioskScreen.UNPRINTED and self._ticket is not None:
            self._unprinted.insert(0, self._ticket)  # offered again after this visit
        self._forget()
        self._visit = Visit(card=card, reader=reader, with_card=True, language=language_of(card))
        self._stage.start(KioskScreen.PHONE, notice)

    def _another_card(self, reader: str, card: IdCard) -> None:
        """Two cards at once: the first stays. One taken away and another placed: a new visit."""
        visit = self._visit
        assert visit.card is not None
        if (card.id_no, card.serial) == (visit.card.id_no, visit.card.serial):
            visit.reader = reader
            if self._stage.screen is KioskScreen.TIMEOUT:
                self._uncover()
        elif visit.reader in self._lying - {reader}:
            self._stage.say(text("kiosk.notice.one_card"))
        else:
            self._begin(reader, card, text("kiosk.notice.changed"))
