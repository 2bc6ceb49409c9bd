"""What a resident comes for: zones, items, the check page."""

from __future__ import annotations

from hall_daemon.kiosk_core import Core
from hall_daemon.kiosk_pages import consult_item, pages, shown
from hall_daemon.profile import Item
from hall_daemon.protocol import KioskScreen
from hall_daemon.texts import text


class Choosing:
    """The way from the zones to the check page."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def start(self) -> None:
        """Ask for the zone, then for the item; somebody without a document can only ask."""
        visit = self._core.visit
        visit.zone, visit.page, visit.item = "", 1, None
        self._core.ticket = None
        consult = consult_item(self._core.hall.profile, self._core.kiosk) if visit.consult else None
        if consult is not None:
            self.check(consult)
        elif self._has_zones():
            self._core.go(KioskScreen.ZONES)
        else:
            self._core.go(KioskScreen.LIST)

    def _has_zones(self) -> bool:
        return len(self._core.hall.profile.zones_at(self._core.kiosk.code)) > 1

    def pick_zone(self, place: int) -> None:
        """One of the zones on the page."""
        zones = self._core.hall.profile.zones_at(self._core.kiosk.code)[:9]
        if 1 <= place <= len(zones):
            self._core.visit.zone, self._core.visit.page = zones[place - 1].code, 1
            self._core.go(KioskScreen.LIST)

    def turn(self, by: int) -> None:
        """Next or previous page, round and round: a keypad without # reaches every page with *."""
        count = pages(self._core.scene(None))
        if count > 1:
            self._core.visit.page = (self._core.visit.page - 1 + by) % count + 1
            self._core.go(KioskScreen.LIST)

    def pick_item(self, place: int) -> None:
        """One of the items on the page."""
        on_page = shown(self._core.scene(None))
        if not 1 <= place <= len(on_page):
            return
        item = on_page[place - 1]
        if item.suspended:
            self._core.stage.say(text("hall.item_suspended"))
        else:
            self.check(item)

    def back_from_list(self) -> None:
        """Back to where the list was opened."""
        self._core.go(KioskScreen.ZONES if self._has_zones() else KioskScreen.PHONE)

    def check(self, item: Item) -> None:
        """Ask how many wait, then show the check page."""
        visit = self._core.visit

        async def ask() -> None:
            ahead = await self._core.hall.waiting_ahead(item.code)
            if visit is self._core.visit:
                visit.item, visit.ahead, visit.request_id = item, ahead, self._core.clock.new_id()
                self._core.go(KioskScreen.CONFIRM)

        self._core.do(ask)

    def back_from_check(self) -> None:
        """Another item after all."""
        self._core.visit.item = None
        self._core.go(KioskScreen.PHONE if self._core.visit.consult else KioskScreen.LIST)
