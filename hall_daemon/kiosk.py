"""One visit per ticket machine: identify, choose an item, confirm, issue, print.

Keys and cards arrive on the event loop and change the page at once; what has to wait (the hall, the printer) runs one
job at a time in `run`, and keys that come meanwhile are dropped. All that is personal lives in one Visit, which is
thrown away when the visit ends, when nobody answers, when another card is placed, and as soon as the number is
committed. Here stand the life of a kiosk and the table of its keys; the parts of the way are in kiosk_identifying,
kiosk_choosing and kiosk_taking. This room draws nothing (kiosk_pages) and knows no bytes.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from drivers.base import Key, Refused
from hall_daemon.clock import Clock
from hall_daemon.devices import Devices, DeviceUnavailable, Input, OutcomeUnknown
from hall_daemon.hall import Bell, Hall
from hall_daemon.kiosk_choosing import Choosing
from hall_daemon.kiosk_common import Past
from hall_daemon.kiosk_core import CallStaff, Core
from hall_daemon.kiosk_desk import Desk
from hall_daemon.kiosk_identifying import LETTERED, TYPING, Identifying
from hall_daemon.kiosk_lines import lines
from hall_daemon.kiosk_stage import FIRST, NO_VISITS
from hall_daemon.kiosk_taking import Taking
from hall_daemon.kiosk_visit import KioskTimes
from hall_daemon.profile import Kiosk
from hall_daemon.protocol_kiosk import KioskMode, KioskView
from hall_daemon.protocol_kiosk import KioskScreen as S
from hall_daemon.texts import text
from hall_daemon.upkeep import Upkeep
from hall_daemon.words import TicketState

USUAL_TIMES = KioskTimes()
COUNTS_EVERY_S = 0.25
"""A crowded hall commits many times a second; nobody reads counts that fast."""
_DIGITS = frozenset(Key) - {Key.STAR, Key.HASH, Key.OK, Key.CORRECT, Key.CANCEL, Key.HELP}
_MODES = frozenset(mode.value for mode in KioskMode)
_DEAF = frozenset({S.CARDLEFT, S.MAINTENANCE, S.READING, S.PRINTING})
"""Pages on which no key means anything."""


class KioskFlow:
    """What leads from page to page at one kiosk."""

    def __init__(
        self,
        kiosk: Kiosk,
        hall: Hall,
        devices: Devices,
        clock: Clock,
        times: KioskTimes = USUAL_TIMES,
        call_staff: CallStaff | None = None,
        upkeep: Upkeep | None = None,
        past: Past | None = None,
    ) -> None:
        self.kiosk = kiosk
        upkeep = upkeep or Upkeep()
        desk = Desk(kiosk, hall, devices, clock, times, upkeep, past)
        self.core = core = Core(kiosk, hall, desk, clock, times, call_staff, upkeep, self._on_silence)
        self._log = logging.getLogger(f"kiosk.{kiosk.code}")
        self._choosing = Choosing(core)
        self._identifying = Identifying(core, self._choosing)
        self._taking = Taking(core)
        self._last_key: tuple[Key, float, S] | None = None
        self._running = False
        self._actions = self._action_table()
        self._digits = self._digit_table()
        self._listen(devices)

    def _listen(self, devices: Devices) -> None:
        for reader in self.core.kiosk.card_readers:
            devices.on_input(reader, partial(self._identifying.hear_reader, reader))
        if self.core.kiosk.keypad:
            devices.on_input(self.core.kiosk.keypad, self._hear_keypad)
        devices.on_change(lambda _view: self._devices_changed())
        self.core.upkeep.on_change(self._upkeep_changed)

    def _action_table(self) -> dict[tuple[S, Key], Callable[[], None]]:
        return {**self._ways_in(), **self._typed(), **self._chosen(), **self._about_numbers(), **self._helped()}

    def _ways_in(self) -> dict[tuple[S, Key], Callable[[], None]]:
        k, core, who = Key, self.core, self._identifying
        without_card = {
            (screen, key): act
            for screen in (S.NOCARD, S.READER)
            for key, act in (
                (k.DIGIT_1, partial(core.go, S.ID)), (k.DIGIT_2, partial(core.go, S.PASSPORT)),
                (k.DIGIT_3, who.consult), (k.DIGIT_4, self._help),
            )
        }  # fmt: skip
        return {
            **without_card,
            (S.IDLE, k.DIGIT_1): partial(core.go, S.NOCARD),
            (S.IDLE, k.DIGIT_2): self._appointment,
            (S.IDLE, k.DIGIT_3): self._choosing.open_guide,
            (S.IDLE, k.DIGIT_4): self._came_back,
            (S.IDLE, k.DIGIT_5): partial(core.go, S.NUMBER),
            (S.CLOSED, k.DIGIT_3): self._choosing.open_guide,
            (S.READFAIL, k.DIGIT_1): partial(core.go, S.ID),
            (S.READFAIL, k.DIGIT_2): self._help,
            (S.NOCARD, k.CORRECT): core.end,
            (S.APPOINTMENT, k.DIGIT_1): self._appointment_first,
            (S.APPOINTMENT, k.OK): self._appointment_first,
            (S.APPOINTMENT, k.DIGIT_2): who.something_else,
            (S.APPOINTMENT, k.CORRECT): core.end,
            (S.RETURN, k.OK): self._taking.take_back,
            (S.RETURN, k.DIGIT_2): who.something_else,
        }

    def _typed(self) -> dict[tuple[S, Key], Callable[[], None]]:
        k, who = Key, self._identifying
        accept = {
            S.ID: who.accept_id, S.PASSPORT: who.accept_passport, S.BEHALF: who.accept_behalf,
            S.PHONE: who.accept_phone, S.NUMBER: self._taking.look_up_number, S.NOTICE: self._taking.look_up_notice,
        }  # fmt: skip
        return {
            **{(screen, k.OK): act for screen, act in accept.items()},
            **{(screen, k.CORRECT): who.correct for screen in accept},
            **{(screen, k.STAR): who.star for screen in accept},
            (S.PHONE, k.STAR): who.skip_phone,
            (S.PINYIN, k.OK): self._choosing.begin_picking,
            (S.PINYIN, k.CORRECT): self._choosing.correct_search,
        }

    def _chosen(self) -> dict[tuple[S, Key], Callable[[], None]]:
        k, what = Key, self._choosing
        turned = {
            (screen, key): partial(what.turn, by)
            for screen in (S.SERVICE, S.DEPARTMENTS, S.LIST, S.PINYIN)
            for key, by in ((k.STAR, -1), (k.HASH, 1))
        }
        return {
            **turned,
            (S.SERVICE, k.DIGIT_0): self._help,
            (S.SERVICE, k.CORRECT): what.back_from_service,
            (S.ZONES, k.CORRECT): what.back_to_service,
            (S.DEPARTMENTS, k.CORRECT): what.back_to_service,
            (S.LIST, k.CORRECT): what.back_from_list,
            (S.GUIDE, k.DIGIT_1): self._print_guide,
            (S.GUIDE, k.DIGIT_2): self._take_from_guide,
            (S.GUIDE, k.CORRECT): what.back_from_guide,
            (S.CONFIRM, k.CORRECT): what.back_from_check,
            (S.CONFIRM, k.DIGIT_1): what.look_at_guide,
            (S.CONFIRM, k.DIGIT_2): what.add_more,
            (S.CONFIRM, k.DIGIT_3): what.behalf,
            (S.CONFIRM, k.OK): self._taking.take,
            (S.SUSPENDED, k.DIGIT_1): what.back_to_service,
            (S.SUSPENDED, k.DIGIT_2): what.look_at_guide,
            (S.SUSPENDED, k.DIGIT_3): self._help,
            (S.SUSPENDED, k.CORRECT): what.back_to_service,
            (S.LIMIT, k.DIGIT_1): what.back_to_service,
            (S.LIMIT, k.DIGIT_2): self._help,
            (S.LIMIT, k.CORRECT): what.back_to_service,
        }

    def _about_numbers(self) -> dict[tuple[S, Key], Callable[[], None]]:
        k, core, taking = Key, self.core, self._taking
        return {
            (S.DUPLICATE, k.DIGIT_1): taking.print_again,
            (S.DUPLICATE, k.DIGIT_2): self._identifying.something_else,
            (S.DUPLICATE, k.DIGIT_3): taking.ask_to_give_up,
            (S.DUPLICATE, k.OK): self._end_if_found_by_number,
            (S.GIVEUP, k.DIGIT_1): partial(core.go, S.DUPLICATE),
            (S.GIVEUP, k.CORRECT): partial(core.go, S.DUPLICATE),
            (S.GIVEUP, k.DIGIT_2): partial(taking.give_up, self._identifying.something_else),
            (S.MISSED, k.DIGIT_1): taking.rejoin,
            (S.MISSED, k.DIGIT_2): self._other_than_missed,
            (S.MISSED, k.OK): self._end_if_back_in_line,
            (S.DONE, k.OK): core.end,
            (S.NOPAPER, k.DIGIT_1): core.end,
            (S.NOPAPER, k.OK): core.end,
            (S.NOPAPER, k.DIGIT_2): taking.print_if_possible,
            (S.UNSURE, k.DIGIT_1): partial(core.go, S.DONE),
            (S.UNSURE, k.DIGIT_2): taking.print_again,
            (S.UNPRINTED, k.OK): taking.print_again,
        }

    def _helped(self) -> dict[tuple[S, Key], Callable[[], None]]:
        k = Key
        switches = (
            (k.DIGIT_2, KioskMode.LARGE), (k.DIGIT_3, KioskMode.CONTRAST), (k.DIGIT_4, KioskMode.VOICE),
            (k.DIGIT_5, KioskMode.LOW), (k.DIGIT_6, KioskMode.LANGUAGE),
        )  # fmt: skip
        return {
            (S.HELP, k.DIGIT_1): self._call,
            (S.HELP, k.CORRECT): self.core.uncover,
            (S.HELP, k.OK): self.core.uncover,
            **{(S.HELP, key): partial(self._switch_from_help, mode) for key, mode in switches},
        }

    # --- steps that lead from one part of the way to another ----------------------------------------------------------

    def _appointment(self) -> None:
        self.core.visit.intent = "appointment"
        self.core.go(S.APPOINTMENT)

    def _appointment_first(self) -> None:
        """Check in what can be checked in; before anybody is known: type the ID number."""
        if not self.core.bookings:
            self.core.go(S.ID)
            return
        ready = next((booking for booking in self.core.bookings if booking.may == "now"), None)
        if ready is not None:
            visit = self.core.visit
            visit.cart, visit.booked, visit.request_id = (ready.item,), ready.appointment_id, self.core.clock.new_id()
            self._taking.take()

    def _came_back(self) -> None:
        self.core.visit.intent = "return"
        self.core.go(S.NOTICE)

    def _print_guide(self) -> None:
        """办事指南 on paper; the page stays, and says what became of it."""
        core, item = self.core, self.core.visit.looked
        if item is None:
            return

        async def print_it() -> None:
            result = await core.desk.print_guide(item, large=core.visit.modes.large)
            core.stage.say(text(f"kiosk.guide.printed.{result.value}"))

        core.do(print_it)

    def _take_from_guide(self) -> None:
        if not self._choosing.take_from_guide():
            self.core.go(S.NOCARD)

    def _end_if_found_by_number(self) -> None:
        if self.core.by_number:
            self.core.end()

    def _end_if_back_in_line(self) -> None:
        if self.core.ticket is not None and self.core.ticket.state is TicketState.WAITING:
            self.core.end()

    def _other_than_missed(self) -> None:
        if not self.core.by_number:
            self._identifying.something_else()

    # --- life ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled."""
        self.core.busy, self.core.jobs = False, asyncio.Queue()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow_hall())
                group.create_task(self._tick())
                if not self.kiosk.screen and self.kiosk.keypad:
                    group.create_task(self._show_lines())
                self.core.unprinted = await self.core.desk.unprinted()
                self.core.past = await self.core.desk.past()
                self._running = True
                self.core.end()
                while True:
                    await self.core.one_job()
        finally:
            # Whatever ends this room: nobody's data stays, and nobody waits for a page that cannot go on.
            self._running = False
            self.core.forget()
            self.core.stage.start(S.MAINTENANCE)

    async def _follow_hall(self) -> None:
        """Keep the counts of those who wait, and what else the hall decides, up to date."""
        heard = -1
        while True:
            heard = await self.core.hall.changed.wait(heard)
            self.core.loads = await self.core.hall.zone_loads()
            self.core.open_windows = await self.core.desk.open_windows()
            self.core.waits = await self.core.desk.waits()
            self.core.past = await self.core.desk.past()
            visit = self.core.visit
            if visit.item is not None:
                visit.ahead = await self.core.hall.waiting_ahead(visit.item.code)
            self.core.look_again()
            await asyncio.sleep(COUNTS_EVERY_S)

    async def _tick(self) -> None:
        """The clock and the seconds on the screen."""
        while True:
            await asyncio.sleep(self.core.times.tick_s)
            self.core.look_again()

    async def _show_lines(self) -> None:
        """Keep the two lines of the keypad's display like the page; a display that is gone is shown all when back."""
        heard, shown = -1, ("", "")
        while True:
            heard = await self.changed.wait(heard)
            wanted = lines(self.view)
            if wanted == shown or not self.core.desk.devices.can_serve(self.kiosk.keypad):
                shown = shown if self.core.desk.devices.can_serve(self.kiosk.keypad) else ("", "")
                continue
            try:
                await self.core.desk.show_lines(*wanted)
                shown = wanted
            except (Refused, DeviceUnavailable, OutcomeUnknown) as exc:
                self._log.info("display of %s not written: %s", self.kiosk.keypad, type(exc).__name__)

    def _devices_changed(self) -> None:
        self.core.lying = {reader for reader in self.core.lying if self.core.desk.devices.can_serve(reader)}
        self.core.look_again()

    def _upkeep_changed(self) -> None:
        """Taken out: at once if nobody is there, else when the visit under way has ended. Put back: open again."""
        if self._running and self.core.stage.screen is S.MAINTENANCE:
            self.core.home()
        else:
            self.core.look_again()

    @property
    def view(self) -> KioskView:
        """What stands on the screen."""
        return self.core.stage.view

    @property
    def in_use(self) -> bool:
        """Whether a visit is under way."""
        return self.core.stage.underneath not in FIRST | NO_VISITS

    @property
    def changed(self) -> Bell:
        """Rings with each view."""
        return self.core.stage.changed

    def _on_silence(self) -> None:
        screen = self.core.stage.screen
        if screen is S.CARDLEFT:
            self._tell_of_card()
        if screen in (S.CARDLEFT, S.UNPRINTED) or self.core.stage.underneath in FIRST:
            self.core.home()
        elif screen in (S.TIMEOUT, S.DONE, S.READING):
            self.core.end()
        else:
            self.core.stage.cover(S.TIMEOUT)

    # --- keys ---------------------------------------------------------------------------------------------------------

    def touch(self, name: str, revision: int | None) -> None:
        """A touch: a key, a mode of the bar, or one of the hits of a search."""
        stage = self.core.stage
        if name in _MODES:
            if not self.core.busy and stage.screen not in _DEAF:
                stage.touched()
                self._switch(KioskMode(name))
                stage.open(stage.screen)
        elif name.startswith("pick"):
            if stage.screen is S.PINYIN and not self.core.busy and not stage.is_stale(revision):
                stage.touched()
                self._choosing.pick_hit(int(name.removeprefix("pick")))
        else:
            self.press(Key(name), revision)

    def press(self, key: Key, revision: int | None = None) -> None:
        """A key of the touch screen (with the revision it was drawn in) or of the keypad."""
        if revision is not None:
            self._follow(key, revision)
            return
        screen = self.core.stage.screen
        if not self._is_repeat(key):
            self._follow(key, None)
        # From when the page has followed: what was pressed while it still did is of the same finger.
        self._last_key = (key, self.core.clock.monotonic_s(), screen)

    def _follow(self, key: Key, revision: int | None) -> None:
        """Do what a key means on the page that stands."""
        screen = self.core.stage.screen
        if self.core.busy or self.core.stage.is_stale(revision) or screen in _DEAF:
            return
        self.core.stage.touched()
        if screen is S.TIMEOUT:
            self._answer_question(key)
        elif key is Key.CANCEL:
            self._cancel()
        elif key is Key.HELP:
            self._help()
        elif key in _DIGITS and screen in self._digits and (screen, key) not in self._actions:
            self._digits[screen](key.value)
        else:
            action = self._actions.get((screen, key))
            if action is not None:
                action()
            elif key is Key.OK and self.core.visit.modes.voice:
                self.core.stage.repeat()

    def _digit_table(self) -> dict[S, Callable[[str], None]]:
        """Pages on which every digit means something of its own."""
        what = self._choosing
        return {
            **dict.fromkeys(TYPING, self._identifying.type),
            S.SERVICE: lambda digit: what.service(int(digit)),
            S.ZONES: lambda digit: what.pick_zone(int(digit)),
            S.DEPARTMENTS: lambda digit: what.pick_department(int(digit)),
            S.LIST: lambda digit: what.pick_item(int(digit)),
            S.PINYIN: what.search_digit,
        }

    def _is_repeat(self, key: Key) -> bool:
        """Whether a key of the keypad came twice from one impatient finger; when typing, twice is twice."""
        last, screen = self._last_key, self.core.stage.screen
        if last is None or last[0] is not key:
            return False
        if self.core.clock.monotonic_s() - last[1] >= self.core.times.same_key_s:
            return False
        typing = screen in TYPING or (screen is S.PINYIN and not self.core.visit.picking)
        typed = key in _DIGITS or key is Key.CORRECT or (key is Key.STAR and screen in LETTERED)
        # The key that led to a page where one types was not meant to be typed there.
        return not (typing and typed and last[2] is screen)

    def _answer_question(self, key: Key) -> None:
        if key is Key.CANCEL:
            self.core.end()
        else:
            self.core.uncover()

    def _cancel(self) -> None:
        if self.core.stage.screen is S.UNPRINTED:
            self.core.home()
        elif self.core.stage.underneath not in FIRST:
            self.core.end()
        elif self.core.stage.is_covered:
            self.core.uncover()

    # --- help and modes -----------------------------------------------------------------------------------------------

    def _help(self) -> None:
        if self.core.stage.screen is not S.HELP:
            self.core.stage.cover(S.HELP)

    def _call(self) -> None:
        call = self.core.call_staff
        if call is not None and self.core.can_call_staff and not self.core.staff_called:
            self.core.do(lambda: call(self.kiosk, "kiosk.help.wanted"))
            self._log.info("staff called")
            self.core.staff_called = True
            self.core.go(S.HELP)

    def _tell_of_card(self) -> None:
        """Its owner has gone: staff fetch the card. Whoever comes next can begin without one."""
        call = self.core.call_staff
        if call is not None and self.core.can_call_staff:
            self.core.do(lambda: call(self.kiosk, "kiosk.cardleft.staff"))
            self._log.info("a card was left, staff told")

    def _switch(self, mode: KioskMode) -> None:
        visit = self.core.visit
        if mode is KioskMode.LANGUAGE:
            visit.language = "zh" if visit.language == "en" else "en"
            return
        on = not getattr(visit.modes, mode.value)
        visit.modes = visit.modes.model_copy(update={mode.value: on})
        visit.large_by_itself = visit.large_by_itself and mode is not KioskMode.LARGE
        visit.page, visit.picking = 1, False

    def _switch_from_help(self, mode: KioskMode) -> None:
        if not self.core.staff_called:
            self._switch(mode)
            self.core.uncover()

    def _hear_keypad(self, news: Input) -> None:
        if isinstance(news, Key):
            self.press(news)
