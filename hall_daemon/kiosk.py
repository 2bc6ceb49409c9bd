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

from drivers.base import Key
from hall_daemon.clock import Clock
from hall_daemon.devices import Devices, Input
from hall_daemon.hall import Bell, Hall
from hall_daemon.kiosk_choosing import Choosing
from hall_daemon.kiosk_core import Core
from hall_daemon.kiosk_identifying import Identifying
from hall_daemon.kiosk_stage import FIRST, NO_VISITS
from hall_daemon.kiosk_taking import Taking
from hall_daemon.kiosk_visit import KioskTimes
from hall_daemon.profile import Kiosk
from hall_daemon.protocol import KioskScreen, KioskView
from hall_daemon.upkeep import Upkeep

USUAL_TIMES = KioskTimes()
COUNTS_EVERY_S = 0.25
"""A crowded hall commits many times a second; nobody reads counts that fast."""
_DIGITS = frozenset(Key) - {Key.STAR, Key.HASH, Key.OK, Key.CORRECT, Key.CANCEL, Key.HELP}
_TYPING = frozenset({KioskScreen.PHONE, KioskScreen.ID})
_DEAF = frozenset({KioskScreen.CARDLEFT, KioskScreen.MAINTENANCE})
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
        call_staff: Callable[[Kiosk], None] | None = None,
        upkeep: Upkeep | None = None,
    ) -> None:
        self.kiosk = kiosk
        self.core = core = Core(kiosk, hall, devices, clock, times, call_staff, upkeep or Upkeep(), self._on_silence)
        self._log = logging.getLogger(f"kiosk.{kiosk.code}")
        self._choosing = Choosing(core)
        self._identifying = Identifying(core, self._choosing)
        self._taking = Taking(core)
        self._last_key: tuple[Key, float] | None = None
        self._running = False
        self._actions = self._action_table()
        self._listen(devices)

    def _listen(self, devices: Devices) -> None:
        for reader in self.core.kiosk.card_readers:
            devices.on_input(reader, partial(self._identifying.hear_reader, reader))
        if self.core.kiosk.keypad:
            devices.on_input(self.core.kiosk.keypad, self._hear_keypad)
        devices.on_change(lambda _view: self._devices_changed())
        self.core.upkeep.on_change(self._upkeep_changed)

    def _action_table(self) -> dict[tuple[KioskScreen, Key], Callable[[], None]]:
        s, k = KioskScreen, Key
        return {
            (s.IDLE, k.DIGIT_1): partial(self.core.go, s.NOCARD),
            (s.READER, k.DIGIT_1): partial(self.core.go, s.ID),
            (s.READER, k.DIGIT_2): self._identifying.consult,
            (s.READER, k.DIGIT_3): self._help,
            (s.READFAIL, k.DIGIT_1): partial(self.core.go, s.ID),
            (s.READFAIL, k.DIGIT_2): self._help,
            (s.NOCARD, k.DIGIT_1): partial(self.core.go, s.ID),
            (s.NOCARD, k.DIGIT_2): self._identifying.consult,
            (s.NOCARD, k.DIGIT_3): self._help,
            (s.NOCARD, k.CORRECT): self.core.end,
            (s.ID, k.STAR): partial(self._identifying.type, "X"),
            (s.ID, k.CORRECT): self._identifying.correct_id,
            (s.ID, k.OK): self._identifying.accept_id,
            (s.PHONE, k.STAR): self._identifying.skip_phone,
            (s.PHONE, k.CORRECT): self._identifying.correct_phone,
            (s.PHONE, k.OK): self._identifying.accept_phone,
            (s.ZONES, k.CORRECT): partial(self.core.go, s.PHONE),
            (s.LIST, k.CORRECT): self._choosing.back_from_list,
            (s.LIST, k.STAR): partial(self._choosing.turn, -1),
            (s.LIST, k.HASH): partial(self._choosing.turn, 1),
            (s.CONFIRM, k.CORRECT): self._choosing.back_from_check,
            (s.CONFIRM, k.OK): self._taking.take,
            (s.DUPLICATE, k.DIGIT_1): self._taking.print_again,
            (s.DUPLICATE, k.DIGIT_2): self._choosing.start,
            (s.DONE, k.OK): self.core.end,
            (s.NOPAPER, k.DIGIT_1): self.core.end,
            (s.NOPAPER, k.OK): self.core.end,
            (s.NOPAPER, k.DIGIT_2): self._taking.print_if_possible,
            (s.UNSURE, k.DIGIT_1): partial(self.core.go, s.DONE),
            (s.UNSURE, k.DIGIT_2): self._taking.print_again,
            (s.UNPRINTED, k.OK): self._taking.print_again,
            (s.HELP, k.DIGIT_1): self._call,
            (s.HELP, k.DIGIT_6): self._switch_language,
            (s.HELP, k.CORRECT): self.core.uncover,
            (s.HELP, k.OK): self.core.uncover,
        }

    # --- life ---------------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Work until cancelled."""
        self.core.busy, self.core.jobs = False, asyncio.Queue()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow_hall())
                group.create_task(self._tick())
                self.core.unprinted = await self.core.desk.unprinted()
                self._running = True
                self.core.end()
                while True:
                    await self.core.one_job()
        finally:
            # Whatever ends this room: nobody's data stays, and nobody waits for a page that cannot go on.
            self._running = False
            self.core.forget()
            self.core.stage.start(KioskScreen.MAINTENANCE)

    async def _follow_hall(self) -> None:
        """Keep the counts of those who wait, and what else the hall decides, up to date."""
        heard = -1
        while True:
            heard = await self.core.hall.changed.wait(heard)
            self.core.loads = await self.core.hall.zone_loads()
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

    def _devices_changed(self) -> None:
        self.core.lying = {reader for reader in self.core.lying if self.core.desk.devices.can_serve(reader)}
        self.core.look_again()

    def _upkeep_changed(self) -> None:
        """Taken out: at once if nobody is there, else when the visit under way has ended. Put back: open again."""
        if self._running and self.core.stage.screen is KioskScreen.MAINTENANCE:
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
        if screen in (KioskScreen.CARDLEFT, KioskScreen.UNPRINTED) or self.core.stage.underneath in FIRST:
            self.core.home()
        elif screen in (KioskScreen.TIMEOUT, KioskScreen.DONE):
            self.core.end()
        else:
            self.core.stage.cover(KioskScreen.TIMEOUT)

    # --- keys ---------------------------------------------------------------------------------------------------------

    def press(self, key: Key, revision: int | None = None) -> None:
        """A key of the touch screen (with the revision it was drawn in) or of the keypad."""
        screen = self.core.stage.screen
        if revision is None and self._is_repeat(key):
            return
        if self.core.busy or self.core.stage.is_stale(revision) or screen in _DEAF:
            return
        self.core.stage.touched()
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
        now = self.core.clock.monotonic_s()
        last, self._last_key = self._last_key, (key, now)
        typing = self.core.stage.screen in _TYPING and (key in _DIGITS or key is Key.CORRECT)
        return not typing and last is not None and last[0] is key and now - last[1] < self.core.times.same_key_s

    def _answer_question(self, key: Key) -> None:
        if key is Key.CANCEL:
            self.core.end()
        else:
            self.core.uncover()

    def _cancel(self) -> None:
        if self.core.stage.screen is KioskScreen.UNPRINTED:
            self.core.home()
        elif self.core.stage.underneath not in FIRST:
            self.core.end()
        elif self.core.stage.is_covered:
            self.core.uncover()

    def _digit(self, key: Key) -> None:
        if self.core.stage.screen in _TYPING:
            self._identifying.type(key.value)
        elif self.core.stage.screen is KioskScreen.ZONES:
            self._choosing.pick_zone(int(key.value))
        else:
            self._choosing.pick_item(int(key.value))

    # --- help ---------------------------------------------------------------------------------------------------------

    def _help(self) -> None:
        if self.core.stage.screen is not KioskScreen.HELP:
            self.core.stage.cover(KioskScreen.HELP)

    def _call(self) -> None:
        if self.core.call_staff is not None and not self.core.staff_called:
            self.core.call_staff(self.core.kiosk)
            self._log.info("staff called")
            self.core.staff_called = True
            self.core.go(KioskScreen.HELP)

    def _switch_language(self) -> None:
        self.core.visit.language = "zh" if self.core.visit.language == "en" else "en"
        self.core.uncover()

    def _hear_keypad(self, news: Input) -> None:
        if isinstance(news, Key):
            self.press(news)
