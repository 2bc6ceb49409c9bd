"""Threads and life of devices: open, say hello, poll, do jobs, reconnect, report.

One thread per port, because displays share one line and the thread is its arbiter. It takes the next job from a bounded
mailbox; when there is none, it polls inputs and asks for conditions. It is the only place where threads and the event
loop meet, and the only one that decides whether a device is there. Reconnects for ever.

    DeviceUnavailable    offline, disabled, silent, mailbox full: nothing was sent
    OutcomeUnknown       sent, then the limit passed or the line died: it may have happened
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from drivers.base import (
    POLL_LIMIT_S,
    Caller,
    CallerPress,
    CardGone,
    CardRead,
    CardReader,
    CodeRead,
    CodeReader,
    Condition,
    DeviceError,
    Driver,
    Evaluator,
    GradeGiven,
    Identity,
    Key,
    Keypad,
    LinkError,
    Refused,
    Unconfirmed,
)  # fmt: skip
from drivers.transport import Link, Traffic, open_link
from hall_daemon.clock import Clock, rfc3339
from hall_daemon.config import DeviceConfig
from hall_daemon.protocol import DeviceView

T = TypeVar("T")

_log = logging.getLogger("devices")
_wire = logging.getLogger("wire")

MAILBOX = 64
SHORTEST_WAIT_S, LONGEST_WAIT_S = 1.0, 30.0
AFTER_A_BUG_S = 30.0
CUT_LIMIT_S = 2.0
SILENCES_UNTIL_OFFLINE = 3
ASK_CONDITIONS_S = 2.0
"""Times the number of devices on the port: questions must not fill a shared line."""
LOOK_FOR_PORT_S = 0.5
"""How often an absent /dev path is looked for, so that a plugged-in cable is seen at once."""


class LinkState(StrEnum):
    """Whether a device can be talked to; set by the worker only."""

    CONNECTING = "connecting"
    ONLINE = "online"
    OFFLINE = "offline"
    DISABLED = "disabled"


class DeviceUnavailable(Exception):
    """Nothing was sent; `condition` says why: offline, disabled, busy, no_reply."""

    def __init__(self, device: str, condition: str) -> None:
        super().__init__(f"{device}: {condition}")
        self.device, self.condition = device, condition


class OutcomeUnknown(Exception):
    """It was sent and never confirmed; never to be repeated silently."""

    def __init__(self, device: str, sentence: str) -> None:
        super().__init__(sentence)
        self.device = device


@dataclass(frozen=True)
class CardTrouble:
    """A card lies there that could not be read."""

    condition: Condition


Input = CardRead | CardGone | CardTrouble | Key | CallerPress | GradeGiven | CodeRead


def _polls(driver: Driver[Any, Any]) -> list[Callable[[float], Input | None]]:
    """How a driver is asked for news of people; empty for one that nobody touches."""
    polls: list[Callable[[float], Input | None]] = []
    if isinstance(driver, CardReader):
        polls.append(driver.poll_card)
    if isinstance(driver, Keypad):
        polls.append(driver.poll_key)
    if isinstance(driver, Caller):
        polls.append(driver.poll_press)
    if isinstance(driver, Evaluator):
        polls.append(driver.poll_grade)
    if isinstance(driver, CodeReader):
        polls.append(driver.poll_code)
    return polls


@dataclass(frozen=True, kw_only=True)
class Passed:
    """Traffic of a device; monotonic seconds."""

    at_s: float
    traffic: Traffic


@dataclass(frozen=True, kw_only=True)
class _State:
    link: LinkState = LinkState.CONNECTING
    conditions: frozenset[Condition] = frozenset()
    since_ms: int = 0
    identity: Identity = field(default_factory=Identity)
    last_error: str = ""
    jobs: int = 0
    failures: int = 0


@dataclass
class _Job:
    device: str
    do: Callable[[Any], Any]
    answer: Future[Any] = field(default_factory=Future)


class _Slot:
    """A device as its port's thread sees it."""

    def __init__(self, config: DeviceConfig) -> None:
        self.config = config
        self.log = logging.getLogger(f"device.{config.name}")
        self.told = LinkState.CONNECTING
        self.driver: Driver[Any, Any] | None = None
        self.disabled = False
        self.silences = 0
        self.wait_s = SHORTEST_WAIT_S
        self.try_at = 0.0
        self.ask_at = 0.0
        self.gone_since: float | None = None
        self.conditions: frozenset[Condition] = frozenset()


class _PortWorker:
    """The thread of one port."""

    def __init__(self, port: str, devices: Iterable[DeviceConfig], report: Callable[..., None]) -> None:
        self.port = port
        self.slots = {config.name: _Slot(config) for config in devices}
        self._report = report
        self._link: Link | None = None
        self._ask_every_s = ASK_CONDITIONS_S * len(self.slots)
        self._mailbox: deque[_Job] = deque()
        self._news = threading.Condition()
        self._stopping = False
        self._port_was_there = True
        self._spoken_with = next(iter(self.slots))
        self.traced: frozenset[str] = frozenset()
        """Devices whose traffic somebody wants to see; replaced as a whole by the event loop."""
        self.thread = threading.Thread(target=self._run, name=f"port {port}", daemon=True)

    # --- called from the event loop ---------------------------------------------------------------------------------

    def post(self, job: _Job) -> bool:
        """Put a job into the mailbox; False if it is full."""
        with self._news:
            if len(self._mailbox) >= MAILBOX or self._stopping:
                return False
            self._mailbox.append(job)
            self._news.notify()
        return True

    def stop(self) -> None:
        """Ask the thread to end after what it is doing."""
        with self._news:
            self._stopping = True
            self._news.notify()

    def cut(self) -> None:
        """Give the port back under the thread's feet: what it is doing ends with a LinkError."""
        link = self._link
        if link is not None:
            link.close()

    def disable(self, device: str, *, disabled: bool) -> None:
        """Leave a device alone, or take it up again."""
        slot = self.slots[device]
        slot.disabled = disabled
        slot.try_at = 0.0
        self.post(_Job(device, lambda _: None))

    # --- the thread -------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._turn()
            except LinkError as exc:
                self._lost_port(str(exc))
            except Exception as exc:  # noqa: BLE001 - a bug of ours or of a driver never ends the port's thread
                if not self._stopping:
                    _log.exception("bug on port %s", self.port)
                self._lost_port(f"{type(exc).__name__} in the program", wait_s=AFTER_A_BUG_S)
        self._refuse_all()
        if self._link is not None:
            self._link.close()

    def _turn(self) -> None:
        self._lay_aside_disabled()
        if self._link is None and not self._open():
            return
        for slot in self.slots.values():
            self._greet_if_due(slot)
        job = self._next_job()
        if job is not None:
            self._do(job)
            return
        self._poll()

    def _lay_aside_disabled(self) -> None:
        """Leave disabled devices alone, and with the last of them their port."""
        for slot in self.slots.values():
            if slot.disabled and slot.told is not LinkState.DISABLED:
                slot.driver = None
                slot.log.info("disabled")
                self._tell(slot, link=LinkState.DISABLED, conditions=frozenset())
        if self._link is not None and all(slot.disabled for slot in self.slots.values()):
            self._link.close()
            self._link = None

    def _open(self) -> bool:
        """Open the port when it is time; else wait for that time, refusing jobs meanwhile."""
        due = min((s.try_at for s in self.slots.values() if not s.disabled), default=time.monotonic() + 60)
        if self._port_came_back():
            due = 0.0
        if time.monotonic() < due:
            self._wait(min(due - time.monotonic(), LOOK_FOR_PORT_S))
            self._refuse_all()
            return False
        config = next(iter(self.slots.values())).config
        self._link = open_link(self.port, config.baud or 9600)
        self._link.tap = self._passed
        for slot in self.slots.values():
            slot.driver = slot.config.driver_type(slot.config.name, self._link, slot.config.options)
            slot.try_at = 0.0
        return True

    def _passed(self, traffic: Traffic) -> None:
        """What passes belongs to the device that is being spoken with, also on a shared line."""
        device = self._spoken_with
        if _wire.isEnabledFor(logging.DEBUG):
            logging.getLogger(f"wire.{device}").debug("%s", traffic)
        if device in self.traced:
            self._report(device, passed=Passed(at_s=time.monotonic(), traffic=traffic))

    def _port_came_back(self) -> bool:
        if not self.port.startswith("/"):
            return False
        there = Path(self.port).exists()
        came_back, self._port_was_there = there and not self._port_was_there, there
        return came_back

    def _greet_if_due(self, slot: _Slot) -> None:
        if slot.disabled:
            return
        if slot.driver is None:
            slot.driver = slot.config.driver_type(slot.config.name, self._link, slot.config.options)
            slot.try_at = 0.0
        if self._online(slot) or time.monotonic() < slot.try_at:
            return
        self._spoken_with = slot.config.name
        try:
            identity = slot.driver.hello()
            conditions = slot.driver.conditions()
        except LinkError:
            raise
        except DeviceError as exc:
            self._gone(slot, str(exc))
            return
        self._came(slot, identity, conditions)

    def _online(self, slot: _Slot) -> bool:
        return slot.driver is not None and slot.gone_since is None and slot.try_at == float("inf")

    def _came(self, slot: _Slot, identity: Identity, conditions: frozenset[Condition]) -> None:
        name = " ".join(part for part in (identity.vendor, identity.model, identity.firmware) if part) or "no name"
        if slot.gone_since is None:
            slot.log.info("online (%s)", name)
        else:
            slot.log.info("online again after %.0f s (%s)", time.monotonic() - slot.gone_since, name)
        slot.gone_since, slot.silences, slot.wait_s = None, 0, SHORTEST_WAIT_S
        slot.try_at, slot.ask_at = float("inf"), time.monotonic() + self._ask_every_s
        slot.conditions = conditions
        self._tell(slot, link=LinkState.ONLINE, conditions=conditions, identity=identity, last_error="")

    def _gone(self, slot: _Slot, sentence: str, wait_s: float = 0.0) -> None:
        if slot.gone_since is None:
            slot.gone_since = time.monotonic()
            slot.log.warning("offline: %s", sentence)
        wait = max(wait_s, slot.wait_s)
        slot.try_at = time.monotonic() + random.uniform(wait / 2, wait)  # noqa: S311 - jitter, not a secret
        slot.wait_s = min(LONGEST_WAIT_S, slot.wait_s * 2)
        slot.conditions = frozenset()
        self._tell(slot, link=LinkState.OFFLINE, conditions=frozenset(), last_error=sentence)

    def _lost_port(self, sentence: str, wait_s: float = 0.0) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None
        for slot in self.slots.values():
            slot.driver = None
            if not slot.disabled:
                self._gone(slot, sentence, wait_s)
        self._refuse_all()

    # --- jobs -------------------------------------------------------------------------------------------------------

    def _next_job(self) -> _Job | None:
        with self._news:
            return self._mailbox.popleft() if self._mailbox else None

    def _refuse_all(self) -> None:
        while (job := self._next_job()) is not None:
            _fail(job.answer, DeviceUnavailable(job.device, "offline"))

    def _do(self, job: _Job) -> None:
        slot = self.slots[job.device]
        if not self._online(slot) or slot.driver is None:
            _fail(job.answer, DeviceUnavailable(job.device, "disabled" if slot.disabled else "offline"))
            return
        if not job.answer.set_running_or_notify_cancel():
            return
        self._spoken_with = job.device
        try:
            result = job.do(slot.driver)
        except Refused as exc:
            self._finish(slot, failed=True)
            _fail(job.answer, exc)
            self._ask_conditions(slot)
        except Unconfirmed as exc:
            self._finish(slot, failed=True)
            _fail(job.answer, OutcomeUnknown(job.device, str(exc)))
            if isinstance(exc.__cause__, LinkError):
                raise exc.__cause__ from exc
            self._silent(slot, str(exc))
        except LinkError:
            self._finish(slot, failed=True)
            _fail(job.answer, DeviceUnavailable(job.device, "offline"))
            raise
        except DeviceError as exc:
            self._finish(slot, failed=True)
            _fail(job.answer, DeviceUnavailable(job.device, "no_reply"))
            self._silent(slot, str(exc))
        except Exception as exc:
            self._finish(slot, failed=True)
            _fail(job.answer, OutcomeUnknown(job.device, f"{job.device}: {type(exc).__name__} in the program"))
            raise
        else:
            slot.silences = 0
            self._finish(slot, failed=False)
            _succeed(job.answer, result)

    def _finish(self, slot: _Slot, *, failed: bool) -> None:
        self._report(slot.config.name, jobs=1, failures=int(failed))

    # --- polls ------------------------------------------------------------------------------------------------------

    def _poll(self) -> None:
        # Devices on one line share the time of a poll: the last of twenty callers is heard as soon as the first.
        asks = [
            (s, p) for s in self.slots.values() if self._online(s) and s.driver is not None for p in _polls(s.driver)
        ]
        for slot, poll in asks:
            if self._online(slot):
                self._poll_input(slot, poll, POLL_LIMIT_S / len(asks))
        for slot in self.slots.values():
            if self._online(slot) and time.monotonic() >= slot.ask_at:
                self._ask_conditions(slot)
                if self._mailbox:
                    return  # on a line of twenty displays a call waits for one question, not for twenty
        if not asks:
            self._wait(self._time_to_next())

    def _poll_input(self, slot: _Slot, poll: Callable[[float], Input | None], limit_s: float) -> None:
        found: Input | None
        self._spoken_with = slot.config.name
        try:
            found = poll(limit_s)
        except Refused as exc:
            found = CardTrouble(exc.condition)
        except LinkError:
            raise
        except DeviceError as exc:
            self._silent(slot, str(exc))
            return
        # A keypad on which nobody types says nothing; that it is there is asked for by conditions().
        if found is not None or isinstance(slot.driver, CardReader):
            slot.silences = 0
        if found is not None:
            self._report(slot.config.name, heard=found)

    def _ask_conditions(self, slot: _Slot) -> None:
        assert slot.driver is not None
        self._spoken_with = slot.config.name
        slot.ask_at = time.monotonic() + self._ask_every_s
        try:
            conditions = slot.driver.conditions()
        except LinkError:
            raise
        except DeviceError as exc:
            self._silent(slot, str(exc))
            return
        slot.silences = 0
        if conditions != slot.conditions:
            slot.conditions = conditions
            slot.log.info("conditions: %s", ", ".join(sorted(conditions)) or "none")
            self._tell(slot, conditions=conditions)

    def _silent(self, slot: _Slot, sentence: str) -> None:
        """Count a silence; at the third in a row the device is offline."""
        slot.silences += 1
        slot.ask_at = 0.0
        if slot.silences >= SILENCES_UNTIL_OFFLINE:
            self._gone(slot, sentence)

    def _time_to_next(self) -> float:
        now = time.monotonic()
        times = [s.ask_at if self._online(s) else s.try_at for s in self.slots.values() if not s.disabled]
        return max(0.01, min([t - now for t in times] or [60.0]))

    def _wait(self, limit_s: float) -> None:
        with self._news:
            if not self._mailbox and not self._stopping:
                self._news.wait(limit_s)

    def _tell(self, slot: _Slot, **changes: Any) -> None:
        slot.told = changes.get("link", slot.told)
        self._report(slot.config.name, changes=changes)


def _heed(answer: asyncio.Future[Any]) -> None:
    """Take note of an answer that came after its limit, when nobody waits for it any more."""
    if not answer.cancelled():
        answer.exception()


def _fail(answer: Future[Any], exc: BaseException) -> None:
    try:
        answer.set_exception(exc)
    except InvalidStateError:
        return  # whoever asked has gone; the state of the device tells the rest


def _succeed(answer: Future[Any], result: object) -> None:
    try:
        answer.set_result(result)
    except InvalidStateError:
        return


class Devices:
    """All devices of the hall, as the event loop sees them."""

    def __init__(self, configs: dict[str, DeviceConfig], clock: Clock) -> None:
        self.configs = configs
        self._clock = clock
        self._states = {name: _State(since_ms=clock.now_ms()) for name in configs}
        by_port: dict[str, list[DeviceConfig]] = {}
        for config in configs.values():
            by_port.setdefault(config.port, []).append(config)
        self._workers = {port: _PortWorker(port, group, self._from_thread) for port, group in by_port.items()}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._inputs: dict[str, list[Callable[[Input], None]]] = {}
        self._changes: list[Callable[[DeviceView], None]] = []
        self._traces: dict[str, list[Callable[[Passed], None]]] = {}

    def start(self) -> None:
        """Start a thread per port; what they report arrives on this event loop."""
        self._loop = asyncio.get_running_loop()
        for worker in self._workers.values():
            worker.thread.start()

    async def stop(self, limit_s: float = 5.0) -> None:
        """Let each port finish what it is doing, then give it back; who does not finish in time is cut off."""
        for worker in self._workers.values():
            worker.stop()
        await self._wait_for_threads(limit_s)
        for worker in self._workers.values():
            if worker.thread.is_alive():
                _log.warning("cut off what was being done on port %s", worker.port)
                worker.cut()
        await self._wait_for_threads(CUT_LIMIT_S)

    async def _wait_for_threads(self, limit_s: float) -> None:
        deadline = time.monotonic() + limit_s
        for worker in self._workers.values():
            if worker.thread.is_alive():
                await asyncio.to_thread(worker.thread.join, max(0.0, deadline - time.monotonic()))

    async def call(self, device: str, job: Callable[[Any], T], limit_s: float) -> T:
        """Do a job on the device's thread; limit_s covers waiting for the line and doing.

        Raises DeviceUnavailable (nothing was sent), OutcomeUnknown, or the driver's Refused.
        """
        state = self._states.get(device)
        if state is None:
            raise DeviceUnavailable(device, "offline")
        if state.link is not LinkState.ONLINE:
            raise DeviceUnavailable(device, "disabled" if state.link is LinkState.DISABLED else "offline")
        posted = _Job(device, job)
        if not self._workers[self.configs[device].port].post(posted):
            raise DeviceUnavailable(device, "busy")
        answer: asyncio.Future[T] = asyncio.wrap_future(posted.answer)
        answer.add_done_callback(_heed)
        try:
            async with asyncio.timeout(limit_s):
                return await asyncio.shield(answer)
        except TimeoutError:
            if posted.answer.cancel():
                raise DeviceUnavailable(device, "busy") from None
            raise OutcomeUnknown(device, f"{device}: not done within {limit_s} s") from None

    def can_serve(self, device: str) -> bool:
        """Online, and nothing blocks."""
        state = self._states.get(device)
        return state is not None and state.link is LinkState.ONLINE and not any(c.blocks for c in state.conditions)

    def view(self, device: str) -> DeviceView:
        """A device as a technician sees it."""
        config, state = self.configs[device], self._states[device]
        identity = " ".join(
            part
            for part in (
                state.identity.vendor, state.identity.model, state.identity.firmware, state.identity.serial,
            )
            if part
        )  # fmt: skip
        return DeviceView(
            device=device, driver=config.driver, port=config.port, kind=config.driver_type.kind,
            link=state.link.value, conditions=tuple(sorted(state.conditions)), since=rfc3339(state.since_ms),
            identity=identity, proven=config.driver_type.proven.value, last_error=state.last_error, jobs=state.jobs,
            failures=state.failures,
        )  # fmt: skip

    def views(self) -> tuple[DeviceView, ...]:
        """All of them, in the order of the configuration."""
        return tuple(self.view(name) for name in self.configs)

    def enable(self, device: str, *, enabled: bool) -> None:
        """Take a device out of use, or back into it. Raises KeyError."""
        self._workers[self.configs[device].port].disable(device, disabled=not enabled)

    def on_input(self, device: str, hear: Callable[[Input], None]) -> None:
        """Hear keys and cards of a device, on the event loop."""
        self._inputs.setdefault(device, []).append(hear)

    @contextmanager
    def trace(self, device: str, hear: Callable[[Passed], None]) -> Iterator[None]:
        """While inside, hear what passes between a device and its driver, on the event loop. Raises KeyError."""
        worker = self._workers[self.configs[device].port]
        hearers = self._traces.setdefault(device, [])
        hearers.append(hear)
        worker.traced |= {device}
        try:
            yield
        finally:
            hearers.remove(hear)
            if not hearers:
                worker.traced -= {device}

    def on_change(self, hear: Callable[[DeviceView], None]) -> None:
        """Hear when a device's link or conditions change, on the event loop."""
        self._changes.append(hear)

    def _from_thread(self, device: str, **report: Any) -> None:
        assert self._loop is not None
        try:
            self._loop.call_soon_threadsafe(self._take, device, report)
        except RuntimeError:
            return  # the loop is closed: the daemon is ending

    def _take(self, device: str, report: dict[str, Any]) -> None:
        if "heard" in report:
            for hear in self._inputs.get(device, []):
                hear(report["heard"])
            return
        if "passed" in report:
            for follow in list(self._traces.get(device, [])):
                follow(report["passed"])
            return
        state = self._states[device]
        if "jobs" in report:
            self._states[device] = replace(
                state, jobs=state.jobs + report["jobs"], failures=state.failures + report["failures"]
            )
            return
        changed = replace(state, **report["changes"])
        if (changed.link, changed.conditions) != (state.link, state.conditions):
            changed = replace(changed, since_ms=self._clock.now_ms())
        self._states[device] = changed
        if (changed.link, changed.conditions) != (state.link, state.conditions):
            for tell in self._changes:
                tell(self.view(device))
