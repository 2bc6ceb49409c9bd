"""Rehearse a fault (模拟故障): one device is taken for troubled for a while, and people learn what the hall does then.

Everything above the device follows as if it were true: ticket machines, displays, clerks' screens, guided repair.
Nothing is sent to the device meanwhile, and neither the province nor the incidents hear of it. It ends by itself, by
order, or with the daemon. While the hall is open the public sees it, so it needs the word of a manager.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from drivers.base import Condition
from hall_daemon.access import Role
from hall_daemon.accounts import Accounts
from hall_daemon.clock import rfc3339
from hall_daemon.devices import Devices
from hall_daemon.diagnostics import Diagnostics
from hall_daemon.events import OperatorActed
from hall_daemon.hall import Bell, Hall
from hall_daemon.incidents import OFFLINE, name_of
from hall_daemon.protocol_technician import BeginDrill, DrillChoice, DrillOffer
from hall_daemon.tickets import HallError, NotFound

_log = logging.getLogger("drills")

WHAT: dict[str, tuple[str, ...]] = {
    "printer": (Condition.PAPER_OUT.value, Condition.PAPER_JAM.value, Condition.COVER_OPEN.value, OFFLINE),
    "keypad": (Condition.KEYS_STUCK.value, OFFLINE),
    "scanner": (Condition.FEEDER_JAM.value, OFFLINE),
    "camera": (Condition.LENS_DARK.value, OFFLINE),
    "announcer": (Condition.SILENCED.value, OFFLINE),
}
"""What can be rehearsed by kind of device; of any other only that its line is cut."""


class NotWell(HallError):
    """The device has a trouble of its own: nothing needs to be rehearsed."""

    code = "drill_not_well"


class DrillRunning(HallError):
    """One device at a time."""

    code = "drill_running"


@dataclass(frozen=True, kw_only=True)
class _Running:
    device: str
    until_s: float
    until: str


class Drills:
    """The fault that is rehearsed now, if any."""

    def __init__(self, hall: Hall, devices: Devices, diagnostics: Diagnostics, accounts: Accounts) -> None:
        self._hall, self._devices, self._diagnostics, self._accounts = hall, devices, diagnostics, accounts
        self._running: _Running | None = None
        self._news = Bell()

    async def run(self) -> None:
        """End what has lasted long enough, until cancelled."""
        while True:
            seen, running = self._news.rings, self._running
            left_s = None if running is None else running.until_s - self._hall.clock.monotonic_s()
            try:
                async with asyncio.timeout(left_s):
                    await self._news.wait(seen)
            except TimeoutError:
                self._end("by itself")

    def offer(self, device: str) -> DrillOffer:
        """What can be rehearsed with a device, and what the public would see of it. Raises NotFound."""
        if device not in self._devices.configs:
            raise NotFound(what=device)
        view, running = self._devices.view(device), self._running
        return DrillOffer(
            device=device,
            choices=tuple(
                DrillChoice(what=what, name=name_of(what), effect=self._diagnostics.effect(device, lost=True))
                for what in WHAT.get(view.kind, (OFFLINE,))
            ),
            needs_manager=self._hall.day_open,
            until=running.until if running is not None and running.device == device else "",
        )  # fmt: skip

    async def begin(self, device: str, order: BeginDrill, by: str) -> None:
        """For so many seconds. Raises NotFound (device, fault), NotWell, DrillRunning; as a sign-in for the word."""
        if order.what not in {choice.what for choice in self.offer(device).choices}:
            raise NotFound(what=order.what)
        if self._running is not None:
            raise DrillRunning(device=self._running.device)
        if not self._devices.can_serve(device):
            raise NotWell(device=device)
        word = ""
        if self._hall.day_open:
            word = (await self._accounts.vouch(order.manager, order.pin, Role.MANAGER)).number
        if self._running is not None:  # somebody was quicker while the PIN was looked at
            raise DrillRunning(device=self._running.device)
        now = self._hall.clock
        until = rfc3339(now.now_ms() + order.seconds * 1000)
        self._running = _Running(device=device, until_s=now.monotonic_s() + order.seconds, until=until)
        self._devices.rehearse(device, order.what)
        self._news.ring()
        _log.info("begins device=%s what=%s for=%d s word=%s", device, order.what, order.seconds, word or "-")
        acted = OperatorActed(
            actor="technician", actor_id=by, action="device.drill", target=f"device/{device}", result="begun",
            reason_text=f"{order.what} {order.seconds} s" + (f", {word}" if word else ""),
        )  # fmt: skip
        await self._hall.store.write(lambda tx: tx.emit(acted))

    def end(self, device: str) -> None:
        """The device is well again, if it is. Raises NotFound."""
        if device not in self._devices.configs:
            raise NotFound(what=device)
        if self._running is not None and self._running.device == device:
            self._end("by order")

    def _end(self, why: str) -> None:
        running, self._running = self._running, None
        if running is not None:
            self._devices.rehearse(running.device, "")
            self._news.ring()
            _log.info("ends device=%s %s", running.device, why)
