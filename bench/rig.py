"""Devices in a process of their own, their twins in this one, and what passes between the two as news.

A pseudo-terminal carries bytes at once, so what is measured is what the daemon adds to the time on the wire. Seconds of
different processes are compared by the machine's one monotonic clock.
"""

import asyncio
import contextlib
import importlib
import multiprocessing
import queue
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivers.base import Announcement, CallText, ScanProfile
from hall_daemon.clock import Clock
from hall_daemon.config import DeviceConfig
from hall_daemon.devices import Devices
from sim.carriers import ByteLine, ByteTwin, HttpPort, HttpTwin, PtyLine, TcpLine
from sim.input_line import InputLine

LIMIT_S = 20.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A device as both processes know it."""

    name: str
    driver: str
    port: str
    options: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class News:
    """What the daemon's side noticed, and when (monotonic seconds)."""

    device: str
    what: str
    at_s: float


@dataclass(frozen=True, kw_only=True)
class Order:
    """A job for a device: a key of JOBS."""

    device: str
    job: str


def _first_page(scanner: Any) -> float:
    with contextlib.closing(scanner.scan(ScanProfile(dpi=200))) as pages:
        next(pages)
        return time.monotonic()


def _finished(job: Callable[[Any], object]) -> Callable[[Any], float]:
    def finish(driver: Any) -> float:
        job(driver)
        return time.monotonic()

    return finish


JOBS: dict[str, Callable[[Any], float]] = {
    "show": _finished(lambda display: display.show(CallText(text="请A017到3号窗口", attention=True))),
    "speak": _finished(lambda announcer: announcer.speak(Announcement(text="请A017号到3号窗口"))),
    "ask": _finished(lambda evaluator: evaluator.ask_grade()),
    "page": _first_page,
}
"""Name → what is done with a driver, and when the moment came that counts, monotonic."""


def daemon_side(plans: list[Plan], news: Any, orders: Any) -> None:
    """The process that is measured: nothing but the devices and an event loop. Any: queues."""
    asyncio.run(_live(plans, news, orders))


async def _live(plans: list[Plan], news: Any, orders: Any) -> None:
    configs = {}
    for plan in plans:
        kind = importlib.import_module(f"drivers.{plan.driver}").DRIVER
        configs[plan.name] = DeviceConfig(
            name=plan.name, driver=plan.driver, driver_type=kind, port=plan.port, options=kind.Options(**plan.options)
        )
    devices = Devices(configs, Clock())

    def tell(device: str, what: str, at_s: float | None = None) -> None:
        news.put(News(device=device, what=what, at_s=time.monotonic() if at_s is None else at_s))

    devices.on_change(lambda view: tell(view.device, " ".join((view.link, *view.conditions))))
    for name in configs:
        devices.on_input(name, lambda heard, name=name: tell(name, type(heard).__name__))  # type: ignore[misc]
    devices.start()
    while (order := await asyncio.to_thread(orders.get)) is not None:
        if isinstance(order, Order):
            tell(order.device, "asked")
            tell(order.device, "done", await devices.call(order.device, JOBS[order.job], LIMIT_S))
            continue
        began, cpu_s = time.monotonic(), time.process_time()
        await asyncio.sleep(order)
        used = (time.process_time() - cpu_s) / (time.monotonic() - began)
        tell("", f"{used:.5f}")
    await devices.stop()


class Rig:
    """The twins, and the other process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: dict[str, ByteLine] = {}
        self.twins: dict[str, Any] = {}
        self.plans: list[Plan] = []
        self._carriers: list[Any] = []
        """Whatever is started and stopped: lines, HTTP ports, a card's service."""
        context = multiprocessing.get_context("spawn")
        self._news, self._orders = context.Queue(), context.Queue()
        self._process = context.Process(target=daemon_side, args=(self.plans, self._news, self._orders))

    def add(self, device: str, driver: str, line: str = "", *, tcp: bool = False, **options: Any) -> None:
        """Hang up a device's twin, on the line of this name if several share one."""
        twin = self.twins[device] = importlib.import_module(f"sim.{driver}").TWIN(device, options)
        if isinstance(twin, ByteTwin):
            port = self._line(twin, line or device, tcp=tcp).port
        else:
            carrier: Any = HttpPort(twin, twin.base or "/eSCL") if isinstance(twin, HttpTwin) else twin
            carrier.start()
            self._carriers.append(carrier)
            port = carrier.port
        self.plans.append(Plan(name=device, driver=driver, port=port, options=options))

    def _line(self, twin: ByteTwin, name: str, *, tcp: bool) -> ByteLine:
        if name not in self.lines:
            path = self.folder / name
            self.lines[name] = InputLine(path) if twin.carrier == "fifo" else TcpLine() if tcp else PtyLine(path)
            self.lines[name].start()
            self._carriers.append(self.lines[name])
        self.lines[name].attach(twin)
        return self.lines[name]

    def __enter__(self) -> "Rig":
        self._process.start()
        began, waiting = time.monotonic(), {plan.name for plan in self.plans}
        while waiting:
            news = self._news.get(timeout=LIMIT_S)
            if news.what.startswith("online"):
                waiting.discard(news.device)
        ports = len({plan.port for plan in self.plans})
        print(f"{len(self.plans)} devices on {ports} ports, all online after {time.monotonic() - began:.1f} s")
        return self

    def __exit__(self, *_: object) -> None:
        self._orders.put(None)
        self._process.join(20)
        for carrier in self._carriers:
            carrier.stop()

    def until(self, device: str, what: Callable[[str], bool]) -> float:
        """When the next such news of a device came."""
        while True:
            news = self._news.get(timeout=LIMIT_S)
            if news.device == device and what(news.what):
                return float(news.at_s)

    def drain(self) -> None:
        """Forget the news that nobody has asked for."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._news.get(timeout=0.05)

    def took_ms(self, device: str, deed: Callable[[], object], what: str) -> float:
        """From just before a deed to its news."""
        began = time.monotonic()
        deed()
        return (self.until(device, lambda told: told.startswith(what)) - began) * 1000

    def job_ms(self, device: str, job: str) -> float:
        """From asking for a job to the moment of it that counts."""
        asked_s, done_s = self._do(device, job)
        return (done_s - asked_s) * 1000

    def first_byte_ms(self, device: str, job: str) -> float:
        """From asking for a job to its first byte at the twin, on a line that is its own."""
        line = self.lines[device]
        known = len(line.transcript)
        asked_s, _ = self._do(device, job)
        monotonic_s = time.time() - time.monotonic()
        first = next(p for p in line.transcript[known:] if p.direction == ">" and p.at - monotonic_s >= asked_s)
        return (first.at - monotonic_s - asked_s) * 1000

    def _do(self, device: str, job: str) -> tuple[float, float]:
        self._orders.put(Order(device=device, job=job))
        return self.until(device, lambda told: told == "asked"), self.until(device, lambda told: told == "done")

    def idle(self, seconds: float) -> float:
        """Share of one processor that the daemon's side uses while nothing happens."""
        self._orders.put(seconds)
        while True:
            news = self._news.get(timeout=seconds + LIMIT_S)
            if not news.device:
                return float(news.what)


def say(what: str, times_ms: list[float]) -> None:
    """One line of figures."""
    p95 = sorted(times_ms)[int(len(times_ms) * 0.95)]
    print(
        f"{what:58} median {statistics.median(times_ms):7.1f} ms   p95 {p95:7.1f} ms   of {len(times_ms)}", flush=True
    )
