"""All devices of the hall as the event loop sees them: jobs go in, inputs and changes come out.

It is the only place where the threads of the ports (devices_port.py) and the event loop meet.

    DeviceUnavailable    offline, disabled, silent, mailbox full: nothing was sent
      Superseded         a newer job took its place before it began: nothing was sent
    OutcomeUnknown       sent, then the limit passed or the line died: it may have happened
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

from drivers.base import Condition, Identity, Refused
from hall_daemon.clock import Clock, rfc3339
from hall_daemon.config import DeviceConfig
from hall_daemon.devices_claims import Claims
from hall_daemon.devices_mailbox import DeviceUnavailable, Job, OutcomeUnknown, Superseded, Urgency
from hall_daemon.devices_memory import Memories
from hall_daemon.devices_port import CUT_LIMIT_S, CardTrouble, Input, LinkState, Passed, PortWorker
from hall_daemon.protocol import DeviceView

__all__ = [
    "CardTrouble", "DeviceUnavailable", "Devices", "Input", "LinkState", "OutcomeUnknown", "Passed", "Superseded",
    "Urgency",
]  # fmt: skip

T = TypeVar("T")

_log = logging.getLogger("devices")

WATCH_EVERY_S = 1.0
"""How often the ports' threads are looked after."""


@dataclass(frozen=True, kw_only=True)
class _State:
    link: LinkState = LinkState.CONNECTING
    conditions: frozenset[Condition] = frozenset()
    since_ms: int = 0
    identity: Identity = field(default_factory=Identity)
    last_error: str = ""
    double: bool = False


def _seen(view: DeviceView) -> tuple[object, ...]:
    """What others are told of when it changes."""
    return view.link, view.conditions, view.double, view.drill


@dataclass(frozen=True, kw_only=True)
class _Drill:
    what: str
    since_ms: int


def _heed(answer: asyncio.Future[Any]) -> None:
    """Take note of an answer that came after its limit, when nobody waits for it any more."""
    if not answer.cancelled():
        answer.exception()


class Devices:
    """All devices of the hall."""

    def __init__(self, configs: dict[str, DeviceConfig], clock: Clock, memories: Memories | None = None) -> None:
        self.configs = configs
        self._memories = memories or Memories()
        self._clock = clock
        self._states = {name: _State(since_ms=clock.now_ms()) for name in configs}
        self._drills: dict[str, _Drill] = {}
        by_port: dict[str, list[DeviceConfig]] = {}
        for config in configs.values():
            by_port.setdefault(config.port, []).append(config)
        claims = Claims()
        self._workers = {
            port: PortWorker(port, group, self._from_thread, claims, self._memories) for port, group in by_port.items()
        }
        self._watching: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._inputs: dict[str, list[Callable[[Input], None]]] = {}
        self._borrowed: dict[str, Callable[[Input], None]] = {}
        self._changes: list[Callable[[DeviceView], None]] = []
        self._traces: dict[str, list[Callable[[Passed], None]]] = {}

    def start(self) -> None:
        """Start a thread per port; what they report arrives on this event loop."""
        self._loop = asyncio.get_running_loop()
        for worker in self._workers.values():
            worker.start()
        self._watch()

    def _watch(self) -> None:
        """Look after the threads, again and again."""
        assert self._loop is not None
        for worker in self._workers.values():
            worker.watch(time.monotonic())
        self._watching = self._loop.call_later(WATCH_EVERY_S, self._watch)

    async def stop(self, limit_s: float = 5.0) -> None:
        """Let each port finish what it is doing, then give it back; who does not finish in time is cut off."""
        if self._watching is not None:
            self._watching.cancel()
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

    async def call(
        self, device: str, job: Callable[[Any], T], limit_s: float, *,
        urgency: Urgency = Urgency.ORDINARY, topic: str = "",
    ) -> T:  # fmt: skip
        """Do a job on the device's thread; limit_s covers waiting for the line and doing.

        A waiting job on the same topic of this device is dropped for it. Jobs whose order matters and which differ in
        urgency need a common topic. A job whose caller goes away before it begins is not done.
        Raises DeviceUnavailable (nothing was sent), Superseded, OutcomeUnknown, or the driver's Refused.
        """
        if device not in self._states:
            raise DeviceUnavailable(device, "offline")
        state = self._shown(device)
        if device in self._drills and state.conditions:
            condition = Condition(self._drills[device].what)
            raise Refused(condition, f"{device}: {condition}, which is only rehearsed")
        if state.link is not LinkState.ONLINE:
            raise DeviceUnavailable(device, "disabled" if state.link is LinkState.DISABLED else "offline")
        posted = Job(device, job, limit_s, urgency, topic)
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
            if posted.answer.done():  # in time or not: it is known, only this loop was too busy to hear of it
                result: T = posted.answer.result()
                return result
            raise OutcomeUnknown(device, f"{device}: not done within {limit_s} s") from None
        except asyncio.CancelledError:
            posted.answer.cancel()
            raise

    def can_serve(self, device: str) -> bool:
        """Online, and nothing blocks."""
        if device not in self._states:
            return False
        state = self._shown(device)
        return state.link is LinkState.ONLINE and not any(c.blocks for c in state.conditions)

    def view(self, device: str) -> DeviceView:
        """A device as a technician sees it."""
        config, state = self.configs[device], self._shown(device)
        identity = " ".join(
            part
            for part in (
                state.identity.vendor, state.identity.model, state.identity.firmware, state.identity.serial,
            )
            if part
        )  # fmt: skip
        return DeviceView(
            device=device, driver=config.driver, port=config.port, kind=config.kind,
            link=state.link.value, conditions=tuple(sorted(state.conditions)), since=rfc3339(state.since_ms),
            identity=identity, firmware=state.identity.firmware, proven=config.driver_type.proven.value,
            last_error=state.last_error, double=state.double, drill=device in self._drills,
            roll_m=getattr(config.options, "roll_m", 0), roll_used_mm=self._memories.of(device).get("used_mm"),
            **asdict(self._workers[config.port].counts(device)),
        )  # fmt: skip

    def views(self) -> tuple[DeviceView, ...]:
        """All of them, in the order of the configuration."""
        return tuple(self.view(name) for name in self.configs)

    def enable(self, device: str, *, enabled: bool) -> None:
        """Take a device out of use, or back into it. Raises KeyError."""
        self._workers[self.configs[device].port].disable(device, disabled=not enabled)

    def rehearse(self, device: str, what: str) -> None:
        """Take a device for troubled though it is well: `offline` or a condition that blocks; "" ends it.

        Nothing is sent to it meanwhile and nothing heard from it. Raises KeyError.
        """
        before = self.view(device)
        if what:
            self._drills[device] = _Drill(what=what, since_ms=self._clock.now_ms())
        else:
            self._drills.pop(device, None)
        self._tell(device, before)

    def _shown(self, device: str) -> _State:
        """A device as everybody is to see it; how it really is where nothing is rehearsed, or where it is worse."""
        state, drill = self._states[device], self._drills.get(device)
        if drill is None or state.link is not LinkState.ONLINE:
            return state
        if drill.what == LinkState.OFFLINE.value:
            return replace(state, link=LinkState.OFFLINE, conditions=frozenset(), since_ms=drill.since_ms)
        return replace(state, conditions=frozenset({Condition(drill.what)}), since_ms=drill.since_ms)

    def on_input(self, device: str, hear: Callable[[Input], None]) -> None:
        """Hear keys and cards of a device, on the event loop."""
        self._inputs.setdefault(device, []).append(hear)

    @contextmanager
    def borrow_input(self, device: str, hear: Callable[[Input], None]) -> Iterator[None]:
        """While inside, only this hears keys and cards of a device: a self-test begins no visit. Raises KeyError."""
        self._borrowed[self.configs[device].name] = hear
        try:
            yield
        finally:
            del self._borrowed[device]

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
            if device in self._drills:
                return
            borrower = self._borrowed.get(device)
            for hear in self._inputs.get(device, []) if borrower is None else [borrower]:
                hear(report["heard"])
            return
        if "passed" in report:
            for follow in list(self._traces.get(device, [])):
                follow(report["passed"])
            return
        before, state = self.view(device), self._states[device]
        changed = replace(state, **report["changes"])
        if (changed.link, changed.conditions) != (state.link, state.conditions):
            changed = replace(changed, since_ms=self._clock.now_ms())
        self._states[device] = changed
        self._tell(device, before)

    def _tell(self, device: str, before: DeviceView) -> None:
        after = self.view(device)
        if _seen(after) != _seen(before):
            for tell in self._changes:
                tell(after)
