"""Moves the service day on when its hour has come: opening with a self-test, open, draining, closed.

    closed ──early──▶ opening ──hour──▶ open ──last hour──▶ draining ──a person, or the next morning──▶ closed

A day with people in it is closed by a person who has seen how many; one that was forgotten is closed before the next
is opened, with events that carry its own date. Without opening hours the hall stays as people leave it. Before the hall
opens every printer prints its test page (ruler, rare characters), every display shows its patterns and every announcer
speaks, once a day, so that whoever opens the hall can see and hear them (domain.md §9, fault G04).
Faults C04, C05, C06, E13, G08.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable

from hall_daemon import lookups, service_day
from hall_daemon.cataloguing import Cataloguing
from hall_daemon.hall import Hall
from hall_daemon.incidents import CONNECTING, health, is_lost, name_of, troubles_in, worst_of
from hall_daemon.opening import Plan
from hall_daemon.protocol import DeviceView, Text
from hall_daemon.protocol_technician import Health, SelfTest
from hall_daemon.store import Tx
from hall_daemon.tables import DayRow, MetaRow
from hall_daemon.texts import say, text
from hall_daemon.tickets import HallError, MustFinishFirst

_log = logging.getLogger("hall.day")

TICK_S = 5.0
HANDS_FREE = ("printer", "display", "announcer")
"""Kinds whose self-test needs nobody to lay down a card or press a key."""
MOST_TEST_S = 300.0
SETTLE_BEFORE_MS = 10 * 60_000
"""Devices that have not been found so long before the first number are not waited for."""
_TRIED = "tried_at_opening"
FREE_SHARE = 0.1
"""Less of the disk free than this is told at opening (province.md §12)."""


class DayKeeper:
    """Looks at the clock and does what the hour asks for."""

    def __init__(
        self, hall: Hall, cataloguing: Cataloguing, devices: Callable[[], tuple[DeviceView, ...]],
        test: Callable[[str], Awaitable[SelfTest]] | None = None,
    ) -> None:  # fmt: skip
        """`test` is the self-test of a device, by name."""
        self._hall, self._cataloguing, self._devices, self._test = hall, cataloguing, devices, test
        self._tested = ""
        """Service day that the self-test was done for."""
        self._tried = ""
        """Service day that devices were tried for, or found to have been."""

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
            await service_day.make_up_closing(hall)
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
            hall.changed.ring()
            _log.info("opening, %d findings", len(hall.day.checks))
        if now_ms < plan.opens_ms:
            await self._try_once(plan, now_ms)
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

    async def _try_once(self, plan: Plan, now_ms: int) -> None:
        """The devices, once they have been found, and once for a service day."""
        if self._tried == plan.bizdate:
            return
        late = now_ms >= plan.opens_ms - SETTLE_BEFORE_MS
        if not late and any(view.link == CONNECTING for view in self._devices()):
            return
        self._tried, hall = plan.bizdate, self._hall
        if await hall.store.write(lambda tx: _first_time(tx, plan.bizdate)):
            hall.day.checks += await self._try_devices((plan.opens_ms - now_ms) / 1000)
            hall.changed.ring()

    async def _try_devices(self, limit_s: float) -> tuple[Text, ...]:
        """The self-tests that need nobody; what did not pass."""
        test = self._test
        able = [v.device for v in self._devices() if v.kind in HANDS_FREE and v.link == "online" and not is_lost(v)]
        if test is None or not able:
            return ()
        try:
            async with asyncio.timeout(min(limit_s, MOST_TEST_S)), asyncio.TaskGroup() as group:
                running = [group.create_task(_failed(test, device), name=f"opening {device}") for device in able]
        except TimeoutError:
            return (text("day.check.late"),)
        return tuple(found for task in running if (found := task.result()) is not None)


async def _failed(test: Callable[[str], Awaitable[SelfTest]], device: str) -> Text | None:
    try:
        told = await test(device)
    except HallError as exc:  # a technician tests it at this moment
        _log.info("not tested at opening device=%s: %s", device, exc)
        return None
    first = next((step.note for step in told.steps if step.health is Health.BAD), None)
    return None if first is None else say("day.check.test", device=device, state=first)


def _first_time(tx: Tx, bizdate: str) -> bool:
    """Whether the devices have not been tried for this day yet; a daemon that starts anew prints no second page."""
    row = tx.session.get(MetaRow, _TRIED)
    if row is not None and row.value == bizdate:
        return False
    tx.session.merge(MetaRow(key=_TRIED, value=bizdate))
    return True


def _unwell(view: DeviceView) -> Text:
    first = worst_of(troubles_in(view))
    return say("day.check.device", device=view.device, state=name_of(first) if first else text("trouble.none"))
