"""The part of the client about the catalogue and the service day."""

from __future__ import annotations

from typing import TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from hall_daemon.client import HallClient
from hall_daemon.protocol import Done
from hall_daemon.protocol_day import (
    ByStaff,
    CatalogueEntry,
    CatalogueView,
    CheckInByCode,
    CloseDay,
    DayView,
    DecideCatalogue,
    EmergencyClose,
    PowerNews,
    ResumeItem,
    SuspendItem,
)  # fmt: skip
from hall_daemon.protocol_technician import PrintAgain, SlipAgain
from hall_daemon.protocol_window import KeyInPads, PadsKeyed

Shape = TypeVar("Shape", bound=BaseModel)


class DayClient(HallClient):
    """A client that also knows the routes of api_day; one method a route."""

    async def catalogue(self) -> CatalogueView:
        """The catalogue in force, what waits to replace it, and who waits for suspended items."""
        return self.parse(CatalogueView, await self._ask("GET", "/catalogue"), maybe_done=False)

    async def approve_catalogue(self, version: int, by: str) -> CatalogueEntry:
        """Take a catalogue that is held."""
        return await self._order(CatalogueEntry, f"/catalogue/{version}/approve", DecideCatalogue(by=by))

    async def reject_catalogue(self, version: int, by: str) -> CatalogueEntry:
        """Do not take it."""
        return await self._order(CatalogueEntry, f"/catalogue/{version}/reject", DecideCatalogue(by=by))

    async def suspend_item(self, item: str, by: str, reason: str) -> Done:
        """Take no new numbers for an item until the day ends."""
        return await self._order(Done, f"/catalogue/items/{item}/suspend", SuspendItem(by=by, reason=reason))

    async def resume_item(self, item: str, by: str) -> Done:
        """Give numbers for it again."""
        return await self._order(Done, f"/catalogue/items/{item}/resume", ResumeItem(by=by))

    async def day(self) -> DayView:
        """Where the service day stands, and who is still there."""
        return self.parse(DayView, await self._ask("GET", "/day"), maybe_done=False)

    async def drain_day(self, by: str) -> Done:
        """Give no more numbers."""
        return await self._order(Done, "/day/drain", ByStaff(by=by))

    async def close_day(self, order: CloseDay) -> Done:
        """Close the day with the counts that a person has seen."""
        return await self._order(Done, "/day/close", order)

    async def close_in_emergency(self, order: EmergencyClose) -> Done:
        """紧急闭厅."""
        return await self._order(Done, "/day/emergency", order)

    async def tell_power(self, by: str, *, failing: bool) -> Done:
        """What the UPS says."""
        return await self._order(Done, "/day/power", PowerNews(by=by, failing=failing))

    async def reopen_day(self, by: str) -> Done:
        """Take back draining or an emergency."""
        return await self._order(Done, "/day/reopen", ByStaff(by=by))

    async def check_in(self, order: CheckInByCode) -> Done:
        """A number for an appointment, by its code."""
        return await self._order(Done, "/tickets/check-in", order)

    async def print_again(self, number: str, kiosk: str) -> SlipAgain:
        """The slip of a number once more, by this kiosk's printer."""
        return await self._order(SlipAgain, f"/tickets/{quote(number, safe='')}/slip", PrintAgain(kiosk=kiosk))

    async def key_in_pads(self, order: KeyInPads) -> PadsKeyed:
        """The stack of numbers from emergency pads; may be sent again as it is."""
        return await self._order(PadsKeyed, "/pads", order)

    async def _order(self, shape: type[Shape], path: str, request: BaseModel) -> Shape:
        return self.parse(shape, await self._ask("POST", path, request), maybe_done=True)
