"""What a resident comes for: common items, zones, departments, search, guide, cart, the check page."""

from __future__ import annotations

from hall_daemon.kiosk_core import Core
from hall_daemon.kiosk_pages_choose import (
    consult_item,
    departments_at,
    page_count,
    per_page,
    shown,
)
from hall_daemon.kiosk_scene import Scene
from hall_daemon.kiosk_visit import MOST_IN_CART, SEARCH_LENGTH
from hall_daemon.profile import Item
from hall_daemon.protocol import Text
from hall_daemon.protocol_kiosk import KioskScreen as S
from hall_daemon.texts import text


class Choosing:
    """The way from the common items to the check page."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def _scene(self) -> Scene:
        return self._core.scene(None)

    def start(self, notice: Text | None = None) -> None:
        """Ask what for; somebody without a document can only ask, and who came from the guide has chosen."""
        core, visit = self._core, self._core.visit
        wanted = None if visit.guide_only else visit.looked
        visit.zone, visit.dept, visit.page, visit.cart, visit.looked = "", "", 1, (), None
        core.ticket, core.by_number = None, False
        consult = consult_item(core.hall.profile, core.kiosk) if visit.consult else None
        if consult is not None:
            self.check(consult)
        elif wanted is not None:
            self.check(wanted)
        else:
            self._offer(notice)

    def _offer(self, notice: Text | None = None) -> None:
        """The common items; on two lines there is no room for them, so their number is asked for."""
        if self._core.kiosk.screen:
            self._core.stage.open(S.SERVICE, notice)
        else:
            self.search()

    # --- roads --------------------------------------------------------------------------------------------------------

    def service(self, place: int) -> None:
        """One of the common items, or one of the roads to the others."""
        visit = self._core.visit
        if 1 <= place <= per_page(self._scene(), S.SERVICE):
            visit.road = S.SERVICE
            self._pick(place, S.SERVICE)
        elif place == 7:
            visit.road, visit.dept, visit.page = S.ZONES, "", 1
            self._core.go(S.ZONES if self._has_zones() else S.LIST)
        elif place == 8:
            visit.road, visit.zone, visit.page = S.DEPARTMENTS, "", 1
            self._core.go(S.DEPARTMENTS)
        elif place == 9:
            self.search()

    def _has_zones(self) -> bool:
        return len(self._core.hall.profile.zones_at(self._core.kiosk.code)) > 1

    def pick_zone(self, place: int) -> None:
        """One of the zones on the page."""
        zones = self._core.hall.profile.zones_at(self._core.kiosk.code)[:9]
        if 1 <= place <= len(zones):
            self._core.visit.zone, self._core.visit.page = zones[place - 1].code, 1
            self._core.go(S.LIST)

    def pick_department(self, place: int) -> None:
        """One of the departments on the page."""
        scene, visit = self._scene(), self._core.visit
        size = per_page(scene, S.DEPARTMENTS)
        codes = departments_at(scene)[(visit.page - 1) * size :][:size]
        if 1 <= place <= len(codes):
            visit.dept, visit.page = codes[place - 1], 1
            self._core.go(S.LIST)

    def pick_item(self, place: int) -> None:
        """One of the items on the page."""
        self._pick(place, S.LIST)

    def turn(self, by: int) -> None:
        """Next or previous page, round and round: a keypad without # reaches every page with *."""
        screen = self._core.stage.screen
        if screen is S.PINYIN and not self._core.visit.picking:
            return
        count = page_count(self._scene(), screen)
        if count > 1:
            self._core.visit.page = (self._core.visit.page - 1 + by) % count + 1
            self._core.go(screen)

    def _pick(self, place: int, screen: S) -> None:
        on_page = shown(self._scene(), screen)
        if 1 <= place <= len(on_page):
            self._take_up(on_page[place - 1])

    def _take_up(self, item: Item) -> None:
        visit = self._core.visit
        if visit.guide_only:
            visit.looked = item
            self._core.go(S.GUIDE)
        elif item.suspended:
            visit.looked = item
            self._core.go(S.SUSPENDED)
        else:
            self.check(item)

    def back_from_list(self) -> None:
        """Back to where the list was opened."""
        visit = self._core.visit
        visit.page = 1
        by_zone = visit.road is S.ZONES and self._has_zones()
        self._core.go(S.DEPARTMENTS if visit.road is S.DEPARTMENTS else S.ZONES if by_zone else S.SERVICE)

    def back_to_service(self) -> None:
        """Back to the common items."""
        visit = self._core.visit
        visit.zone, visit.dept, visit.page = "", "", 1
        self._offer()

    def back_from_service(self) -> None:
        """To the check page if the cart holds something, else to the phone, or out of the guide."""
        visit = self._core.visit
        if visit.cart:
            self._core.go(S.CONFIRM)
        elif visit.guide_only:
            self._core.home()
        else:
            self._core.go(S.PHONE)

    # --- search -------------------------------------------------------------------------------------------------------

    def search(self) -> None:
        """Open the search."""
        visit = self._core.visit
        visit.road, visit.searched, visit.picking, visit.page = S.PINYIN, "", False, 1
        self._core.search()
        self._core.go(S.PINYIN)

    def search_digit(self, digit: str) -> None:
        """One more digit key; while picking, the entry with that number."""
        visit = self._core.visit
        if visit.picking:
            self._pick(int(digit), S.PINYIN)
        elif len(visit.searched) < SEARCH_LENGTH:
            self._searched(visit.searched + digit)

    def pick_hit(self, place: int) -> None:
        """A hit that was touched."""
        self._pick(place, S.PINYIN)

    def begin_picking(self) -> None:
        """Confirm: from here on digits choose. A single hit is taken at once."""
        if len(self._core.found) == 1:
            self._pick(1, S.PINYIN)
        elif self._core.found and not self._core.visit.picking and self._core.kiosk.screen:
            self._core.visit.picking = True
            self._core.go(S.PINYIN)

    def correct_search(self) -> None:
        """Back to typing; take the last digit away; with none, go back."""
        visit = self._core.visit
        if visit.picking:
            visit.picking, visit.page = False, 1
            self._core.go(S.PINYIN)
        elif visit.searched:
            self._searched(visit.searched[:-1])
        elif self._core.kiosk.screen:
            self.back_to_service()
        else:
            self.back_from_service()

    def _searched(self, digits: str) -> None:
        self._core.visit.searched, self._core.visit.page = digits, 1
        self._core.search()
        self._core.stage.say(None)

    # --- guide --------------------------------------------------------------------------------------------------------

    def open_guide(self) -> None:
        """What do I need? Asked before anything else."""
        self._core.visit.guide_only = True
        self._core.visit.page = 1
        self._offer()

    def look_at_guide(self) -> None:
        """The guide of the item on the check page, or of one that is suspended."""
        visit = self._core.visit
        visit.looked = visit.looked if self._core.stage.screen is S.SUSPENDED else visit.item
        if visit.looked is not None and visit.looked.codes:
            self._core.go(S.GUIDE)

    def back_from_guide(self) -> None:
        """To where the guide was opened."""
        visit = self._core.visit
        if visit.cart:
            self._core.go(S.CONFIRM)
        else:
            self._core.go(S.LIST if visit.road in (S.ZONES, S.DEPARTMENTS) else visit.road)

    def take_from_guide(self) -> bool:
        """A number for what has been read about; whether it is known already for whom."""
        visit = self._core.visit
        if visit.looked is None or visit.looked.suspended or visit.cart:
            return True
        visit.guide_only = False
        if visit.identified:
            self.start()
        return visit.identified

    # --- check --------------------------------------------------------------------------------------------------------

    def check(self, item: Item) -> None:
        """Put the item into the cart, ask how many wait, then show the check page."""
        visit = self._core.visit
        if (refused := self._refused(item)) is not None:
            self._core.stage.say(refused)
            return

        async def ask() -> None:
            ahead = await self._core.hall.waiting_ahead(item.code)
            if visit is self._core.visit:
                if item not in visit.cart:
                    visit.cart = (*visit.cart, item)
                visit.looked = None
                visit.ahead, visit.request_id = ahead, self._core.clock.new_id()
                self._core.go(S.CONFIRM)

        self._core.do(ask)

    def _refused(self, item: Item) -> Text | None:
        """Why an item cannot go with those in the cart: only items of the catalogue share a number."""
        cart = self._core.visit.cart
        if cart and not item.codes:
            return text("kiosk.cart.other_queue")
        return text("kiosk.cart.full") if len(cart) >= MOST_IN_CART and item not in cart else None

    def add_more(self) -> None:
        """Something else with the same number."""
        visit = self._core.visit
        if visit.item is not None and visit.item.codes and len(visit.cart) < MOST_IN_CART:
            visit.page, visit.zone, visit.dept = 1, "", ""
            self._offer(text("kiosk.cart.more"))

    def back_from_check(self) -> None:
        """Another item after all; of several, the last goes."""
        visit = self._core.visit
        visit.cart = visit.cart[:-1]
        if visit.cart:
            self._core.go(S.CONFIRM)
        elif visit.consult:
            self._core.go(S.PHONE)
        elif visit.road in (S.ZONES, S.DEPARTMENTS):
            self._core.go(S.LIST)
        else:
            self._core.go(visit.road)

    def behalf(self) -> None:
        """The one with the card has come for somebody else."""
        visit = self._core.visit
        if visit.card is not None and not visit.behalf:
            self._core.go(S.BEHALF)
