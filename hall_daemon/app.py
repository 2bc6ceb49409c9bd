"""Builds the daemon from its configuration and runs it in one task group; the only room that knows all others.

What ends it: SIGTERM, SIGINT, or a room that fails for good. A room that fails is logged and begun anew after a wait;
the hall goes on without it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass

import uvicorn

from drivers.base import Condition
from hall_daemon import api, kiosk_search, service_day, waits
from hall_daemon.accounts import Accounts
from hall_daemon.announcing import Announcing
from hall_daemon.board import Board, Emergency
from hall_daemon.bundle import LogTail
from hall_daemon.callers import Callers
from hall_daemon.calling_out import CallingOut
from hall_daemon.cataloguing import Cataloguing
from hall_daemon.clock import Clock
from hall_daemon.config import ConfigError, HallConfig
from hall_daemon.day_keeping import DayKeeper
from hall_daemon.desk import Desk
from hall_daemon.devices import Devices
from hall_daemon.devices_memory import Memories
from hall_daemon.diagnostics import Diagnostics
from hall_daemon.drills import Drills
from hall_daemon.evaluating import Evaluating
from hall_daemon.events import DeviceChanged
from hall_daemon.following import Following
from hall_daemon.hall import Bell, Hall
from hall_daemon.inbox import Inbox
from hall_daemon.kiosk import KioskFlow
from hall_daemon.kiosk_common import Past
from hall_daemon.metrics import Metrics
from hall_daemon.outbox import Outbox
from hall_daemon.overview import Overview
from hall_daemon.profile import Kiosk
from hall_daemon.protocol import DeviceView
from hall_daemon.scanning import Scanning
from hall_daemon.screens import Screens
from hall_daemon.signage import Signage
from hall_daemon.store import Store
from hall_daemon.support import Support
from hall_daemon.texts import text
from hall_daemon.upkeep import Upkeep
from hall_daemon.voice import Voice
from hall_daemon.words import DeviceCondition

_log = logging.getLogger("app")

FIRST_RESTART_S, LONGEST_RESTART_S = 1.0, 60.0
CLOSE_LIMIT_S = 5
PREPARE_AFTER_S = 5.0


@dataclass(frozen=True, kw_only=True)
class _Room:
    name: str
    run: Callable[[], Awaitable[None]]


class Daemon:
    """One hall's service."""

    def __init__(self, config: HallConfig, clock: Clock | None = None) -> None:
        self.config = config
        self.clock = clock or Clock()
        self.store = Store(config.database, config.code, self.clock)
        self.hall = Hall(config, self.store, self.clock)
        self.cataloguing = Cataloguing(self.hall)
        memories = Memories(config.database.with_name("devices.json"))
        self.devices = Devices(dict(config.devices), self.clock, memories)
        self.accounts = Accounts(self.hall)
        self.desk = Desk(self.hall)
        self.evaluating = Evaluating(self.hall, self.devices)
        self.signage = Signage(self.hall, self.devices, self.evaluating.asks)
        self.evaluating.on_change(self.signage.window_changed)
        self.voice = Voice(config.voice_folder, lambda: self.hall.profile, config.public.voice)
        self.announcing = Announcing(self.hall, self.devices, self.voice, lambda: self.emergency.on)
        self.callers = Callers(self.hall, self.devices, self.desk, self.evaluating)
        self.calling_out = CallingOut(self.hall, self.devices)
        self.emergency = Emergency(
            config.database.with_name("emergency"), self.hall.changed.ring, lambda: self.hall.day.bizdate
        )
        self.board = Board(self.hall, self.signage, self.emergency, self.clock)
        self.scanning = Scanning(self.hall, self.devices)
        self.outbox = (
            Outbox(config, self.store, self.hall, self.clock, config.blobs, devices=self.devices.views)
            if config.province_url
            else None
        )
        self.inbox = Inbox(config, self.store, self.hall, self.outbox, self.cataloguing) if self.outbox else None
        self.upkeep = Upkeep()
        self.screens = Screens(
            hall=self.hall, devices=self.devices, signage=self.signage, announcing=self.announcing,
            evaluating=self.evaluating, scanning=self.scanning, outbox=self.outbox, desk=self.desk,
        )  # fmt: skip
        past = Past(self.hall)
        self.kiosks = {
            code: KioskFlow(
                kiosk, self.hall, self.devices, self.clock, call_staff=self._call_staff, upkeep=self.upkeep, past=past
            )
            for code, kiosk in config.profile.kiosks.items()
        }
        self.overview = Overview(self.hall, self.devices, self.outbox, self.clock)
        self.metrics = Metrics(self.hall, self.store, self.devices, self.outbox)
        self.diagnostics = Diagnostics(
            self.hall, self.devices, self.kiosks, self.upkeep, self.outbox, self.clock, self.signage.show_again
        )
        self.drills = Drills(self.hall, self.devices, self.diagnostics, self.accounts)
        self.day_keeper = DayKeeper(self.hall, self.cataloguing, self.devices.views, self.diagnostics.tested)
        self.support = Support(config, self.hall, self.diagnostics, LogTail())
        self._stopping = Bell()
        self._device_news: asyncio.Queue[DeviceView] = asyncio.Queue()
        self._told: dict[str, DeviceCondition] = {}
        self.devices.on_change(self._device_news.put_nowait)

    async def run(self, ready: Callable[[], None] | None = None) -> None:
        """Run until told to stop. Raises ConfigError (port taken), StoreError (database unusable)."""
        listener = self._listen()
        with listener, _keeping(self.support.log):
            await asyncio.to_thread(self.store.open)
            self.store.start()
            try:
                await self.accounts.take_up()
                await self.cataloguing.start()
                await service_day.start(self.hall)
                await self.desk.take_up()
                await self.upkeep.take_up(self.store)
                for device in self.upkeep.off & self.config.devices.keys():
                    self.devices.enable(device, enabled=False)
                # A device that was out before this start and is well now is news.
                self._told = await self.diagnostics.take_up()
                await self._run_rooms(listener, ready)
            finally:
                await self.devices.stop()
                self.store.close()
        _log.info("stopped")

    async def _run_rooms(self, listener: socket.socket, ready: Callable[[], None] | None) -> None:
        self.devices.start()
        server = self._server()
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        rooms = [
            _Room(name="signage", run=self.signage.run),
            _Room(name="announcing", run=self.announcing.run),
            _Room(name="board", run=self.board.run),
            _Room(name="calling out", run=self.calling_out.run),
            _Room(name="callers", run=self.callers.run),
            _Room(name="accounts", run=self.accounts.run),
            _Room(name="evaluating", run=self.evaluating.run),
            _Room(name="scanning", run=self.scanning.run),
            _Room(name="device events", run=self._report_devices),
            _Room(name="diagnostics", run=self.diagnostics.run),
            _Room(name="drills", run=self.drills.run),
            _Room(name="service day", run=self.day_keeper.run),
            _Room(name="preparing", run=self._prepare),
            *(_Room(name=f"kiosk {code}", run=flow.run) for code, flow in self.kiosks.items()),
        ]
        if self.outbox is not None and self.inbox is not None:
            rooms += [_Room(name="outbox", run=self.outbox.run), _Room(name="inbox", run=self.inbox.run)]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_supervise(room), name=room.name) for room in rooms]
            serving = group.create_task(server.serve([listener]), name="api")
            _log.info("ready on http://%s:%d", self.config.host, self.config.port)
            if ready is not None:
                ready()
            waiting = group.create_task(ended.wait(), name="signals")
            await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
            self._end_streams()
            server.should_exit = True
            await serving
            for task in (*tasks, waiting):
                task.cancel()

    def _end_streams(self) -> None:
        """Open streams hear that the daemon stops now, not at their next heartbeat."""
        for bell in (
            self._stopping,
            self.hall.changed,
            self.diagnostics.changed,
            *(kiosk.changed for kiosk in self.kiosks.values()),
        ):
            bell.ring()

    def _listen(self) -> socket.socket:
        try:
            return socket.create_server((self.config.host, self.config.port), backlog=512)
        except OSError as exc:
            raise ConfigError(
                f"{self.config.file.name}: [hall] listen: {self.config.host}:{self.config.port} cannot be used "
                f"({os.strerror(exc.errno or 0)}); stop the program that has it, or choose another port"
            ) from exc

    async def _call_staff(self, kiosk: Kiosk, code: str) -> None:
        """A ticket machine needs somebody: every window reads it, and the first takes it."""
        await self.desk.send(kiosk.code, None, text(code, kiosk=kiosk.name.zh).zh)

    def _server(self) -> uvicorn.Server:
        services = api.Services(
            hall=self.hall, store=self.store, devices=self.devices, screens=self.screens, scanning=self.scanning,
            kiosks=self.kiosks, metrics=self.metrics, diagnostics=self.diagnostics, drills=self.drills,
            support=self.support, overview=self.overview, cataloguing=self.cataloguing,
            following=Following(self.hall, self.clock),
            voice=self.voice, board=self.board, emergency=self.emergency, accounts=self.accounts, desk=self.desk,
            evaluating=self.evaluating, calls=lambda: list(self.signage.calls), stopping=self._stopping,
        )  # fmt: skip
        app = api.build(services, dict(self.config.secrets.tokens))
        return _Server(
            uvicorn.Config(
                app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=CLOSE_LIMIT_S,
                timeout_keep_alive=60,
            )
        )  # fmt: skip

    async def _prepare(self) -> None:
        """Load what nobody asks for in the first seconds of a hall, in which everything else wants the processor."""
        await asyncio.sleep(PREPARE_AFTER_S)
        await asyncio.to_thread(waits.prepare)
        heard, prepared = 0, None
        while True:
            if prepared is not self.hall.profile:
                prepared = self.hall.profile
                await asyncio.to_thread(kiosk_search.prepare, prepared)
            heard = await self.hall.changed.wait(heard)

    async def _report_devices(self) -> None:
        """A device that begins or ceases to serve is an event; what it was at the start is none, if it is well."""
        while True:
            view = await self._device_news.get()
            state = _condition(view)
            if state is None or view.drill or self._told.get(view.device, DeviceCondition.OK) is state:
                continue
            self._told[view.device] = state
            reason = ",".join(view.conditions) or view.link
            changed = DeviceChanged(device_id=view.device, kind=view.kind, state=state, reason_code=reason)
            await self.store.write(lambda tx, changed=changed: tx.emit(changed))  # type: ignore[misc]


@contextlib.contextmanager
def _keeping(tail: LogTail) -> Iterator[None]:
    """The log's last lines are kept for the support archive."""
    logging.getLogger().addHandler(tail)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(tail)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self):  # type: ignore[no-untyped-def]
        """Signals are the daemon's business."""
        yield


_AS_IT_WAITS = {Condition.FEEDER_EMPTY.value}
"""A scanner without paper in its feeder is as it should be."""


def _condition(view: DeviceView) -> DeviceCondition | None:
    if view.link == "connecting":
        return None
    if view.link == "disabled":
        return DeviceCondition.REMOVED
    if view.link == "offline":
        return DeviceCondition.FAILED
    return DeviceCondition.DEGRADED if set(view.conditions) - _AS_IT_WAITS else DeviceCondition.OK


async def _supervise(room: _Room) -> None:
    """Run a room; if it fails, say so and begin it anew, waiting longer each time."""
    wait_s = FIRST_RESTART_S
    while True:
        try:
            await room.run()
        except Exception:  # noqa: BLE001 - the supervisor: the hall goes on without this room
            _log.exception("%s failed; begins anew in %.0f s", room.name, wait_s)
        else:
            return
        await asyncio.sleep(wait_s)
        wait_s = min(LONGEST_RESTART_S, wait_s * 2)
