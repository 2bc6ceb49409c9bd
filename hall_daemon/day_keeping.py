"""Moves the service day on when its hour has come: opening with a self-test, open, draining, closed.

    closed ──early──▶ opening ──hour──▶ open ──last hour──▶ draining ──a person, or the next morning──▶ closed

A day with people in it is closed by a person who has seen how many; one that was forgotten is closed before the next
is opened, with events that carry its own date. Without opening hours the hall stays as people leave it.
Faults C04, C05, C06, E13, G08.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable

from hall_daemon import lookups, service_day
from hall_daemon.cataloguing import Cataloguing
from hall_daemon.hall import Hall
from hall_daemon.incidents import health, name_of, troubles_of, worst_of
from hall_daemon.opening import Plan
from hall_daemon.protocol import DeviceView, Text
from hall_daemon.protocol_technician import Health
from hall_daemon.tables import DayRow
from hall_daemon.texts import say, text
from hall_daemon.tickets import HallError, MustFinishFirst

_log = logging.getLogger("hall.day")

TICK_S = 5.0
FREE_SHARE = 0.1
"""Less of the disk free than this is told at opening (province.md §12)."""


class DayKeeper:
    """Looks at the clock and does what the hour asks for."""

    def __init__(self, hall: Hall, cataloguing: Cataloguing, devices: Callable[[], tuple[DeviceView, ...]]) -> None:
        self._hall, self._cataloguing, self._devices = hall, cataloguing, devices
        self._tested = ""
        """Service day that the self-test was done for."""

    async def run(self) -> None:
        """For ever."""
        while True:
            await self.tick()
            await asyncio.sleep(TICK_S)

    async def tick(self) -> None:
        """One look at the clock."""
        await self._cataloguing.swap_urgent()
        hall, now_ms = self._hall, self._hall.clock.now_ms()
        until_ms = hall.day.halted_until_ms
        if until_ms is not None:
            if now_ms >= until_ms:
                await service_day.close(hall, force=True, carry=True)
            return
        if not hall.day.hours.known:
            return
        plan = hall.day.hours.plan_at(now_ms, hall.profile.calendar)
        day = await hall.store.read(lookups.latest_day)
        if day is not None and day.closed_ms is None and not await self._ended(day, plan, now_ms):
            return
        await self._begin(day, plan, now_ms)

    async def _ended(self, day: DayRow, plan: Plan | None, now_ms: int) -> bool:
        """Whether an open day is over now; it drains after its last hour."""
        hall = self._hall
        if plan is not None and plan.bizdate > day.bizdate:
            return await self._end_forgotten()
        if hall.day.planned_close_ms is not None and now_ms >= hall.day.planned_close_ms and not hall.day.draining:
            await service_day.drain(hall)
        return False

    async def _end_forgotten(self) -> bool:
        hall = self._hall
        try:
            await service_day.close(hall)
        except MustFinishFirst as exc:
            asked = text("day.still_serving", number=exc.facts["number"])
            if hall.day.question != asked:
                _log.warning("the day before is still open: %s is being served", exc.facts["number"])
                hall.day.question = asked
                hall.changed.ring()
            return False
        hall.day.question = None
        return True

    async def _begin(self, day: DayRow | None, plan: Plan | None, now_ms: int) -> None:
        hall = self._hall
        if plan is None or (day is not None and plan.bizdate <= day.bizdate):
            if hall.day.opening:
                hall.day.opening = False
                hall.changed.ring()
            return
        if self._tested != plan.bizdate:
            self._tested = plan.bizdate
            hall.day.opening, hall.day.checks = True, await self.self_test()
            _log.info("opening, %d findings", len(hall.day.checks))
            hall.changed.ring()
        if now_ms < plan.opens_ms:
            return
        try:
            await service_day.open_day(hall)
        except HallError as exc:
            _log.warning("cannot open: %s", exc)

    async def self_test(self) -> tuple[Text, ...]:
        """What is not as it should be: devices, disk, database. Stops nothing: the hall opens all the same."""
        found = [_unwell(view) for view in self._devices() if health(view) in (Health.BAD, Health.WARN)]
        folder = self._hall.store.database.parent
        usage = await asyncio.to_thread(shutil.disk_usage, folder)
        if usage.free < usage.total * FREE_SHARE:
            found.append(text("day.check.disk", percent=usage.free * 100 // usage.total))
        if not await self._hall.store.writable():
            found.append(text("day.check.store"))
        unplaced = [i for i in self._hall.profile.items.values() if not self._hall.profile.windows_for(i.queue)]
        if unplaced:
            found.append(text("day.check.unplaced", n=len(unplaced)))
        return tuple(found)


def _unwell(view: DeviceView) -> Text:
    first = worst_of(troubles_of(view.link, view.conditions))
    return say("day.check.device", device=view.device, state=name_of(first) if first else text("trouble.none"))
