"""Life of devices: forty on twelve ports, their threads in a process of their own, their twins in this one.

A pseudo-terminal carries bytes at once, so what is measured is what the daemon adds to the time on the wire. Seconds of
different processes are compared by the machine's one monotonic clock.
"""

import asyncio
import importlib
import multiprocessing
import queue
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hall_daemon.clock import Clock
from hall_daemon.config import DeviceConfig
from hall_daemon.devices import Devices
from sim.carriers import ByteLine, PtyLine, TcpLine

IDLE_S = 20.0
LIMIT_S = 30.0


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


def daemon_side(plans: list[Plan], news: Any, orders: Any) -> None:
    """The process that is measured: nothing but the devices and an event loop."""
    asyncio.run(_live(plans, news, orders))


async def _live(plans: list[Plan], news: Any, orders: Any) -> None:
    configs = {}
    for plan in plans:
        kind = importlib.import_module(f"drivers.{plan.driver}").DRIVER
        configs[plan.name] = DeviceConfig(
            name=plan.name, driver=plan.driver, driver_type=kind, port=plan.port, options=kind.Options(**plan.options)
        )
    devices = Devices(configs, Clock())

    def tell(device: str, what: str) -> None:
        news.put(News(device=device, what=what, at_s=time.monotonic()))

    devices.on_change(lambda view: tell(view.device, " ".join((view.link, *view.conditions))))
    for name in configs:
        devices.on_input(name, lambda heard, name=name: tell(name, type(heard).__name__))  # type: ignore[misc]
    devices.start()
    while (idle_s := await asyncio.to_thread(orders.get)) is not None:
        began, cpu_s = time.monotonic(), time.process_time()
        await asyncio.sleep(idle_s)
        used = (time.process_time() - cpu_s) / (time.monotonic() - began)
        tell("", f"{used:.5f}")
    await devices.stop()


class Hall:
    """The twins, and the other process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: dict[str, ByteLine] = {}
        self.twins: dict[str, Any] = {}
        self.plans: list[Plan] = []
        for n in range(1, 31):
            screen = {"address": n, "width_px": 128, "height_px": 32}
            self.add(f"DSP-{n:02}", "display_onbon", "east" if n <= 20 else "west", **screen)
        for n in range(1, 5):
            self.add(f"KEY-{n:02}", "keypad_serial")
            self.add(f"PRN-{n:02}", "printer_escpos", tcp=n == 4, columns=32, charset="gb18030")
        for n in (1, 2):
            self.add(f"IDR-{n:02}", "idcard_samv", debounce_s=0.5)
        context = multiprocessing.get_context("spawn")
        self._news, self.orders = context.Queue(), context.Queue()
        self._process = context.Process(target=daemon_side, args=(self.plans, self._news, self.orders))

    def add(self, device: str, driver: str, line: str = "", *, tcp: bool = False, **options: Any) -> None:
        name = line or device
        if name not in self.lines:
            self.lines[name] = TcpLine() if tcp else PtyLine(self.folder / name)
            self.lines[name].start()
        self.twins[device] = importlib.import_module(f"sim.{driver}").TWIN(device, options)
        self.lines[name].attach(self.twins[device])
        self.plans.append(Plan(name=device, driver=driver, port=self.lines[name].port, options=options))

    def __enter__(self) -> "Hall":
        self._process.start()
        began, waiting = time.monotonic(), {plan.name for plan in self.plans}
        while waiting:
            news = self._news.get(timeout=LIMIT_S)
            if news.what.startswith("online"):
                waiting.discard(news.device)
        print(
            f"{len(self.plans)} devices on {len(self.lines)} ports, all online after {time.monotonic() - began:.1f} s"
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.orders.put(None)
        self._process.join(20)
        for line in self.lines.values():
            line.stop()

    def until(self, device: str, what: Callable[[str], bool]) -> float:
        """When the next such news of a device came."""
        while True:
            news = self._news.get(timeout=LIMIT_S)
            if news.device == device and what(news.what):
                return float(news.at_s)

    def drain(self) -> None:
        while True:
            try:
                self._news.get(timeout=0.05)
            except queue.Empty:
                return

    def took_ms(self, device: str, deed: Callable[[], object], what: str) -> float:
        """From just before a deed to its news."""
        began = time.monotonic()
        deed()
        return (self.until(device, lambda told: told.startswith(what)) - began) * 1000

    def idle(self, seconds: float) -> float:
        """Share of one processor that the daemon's side uses while nothing happens."""
        self.orders.put(seconds)
        while True:
            news = self._news.get(timeout=seconds + LIMIT_S)
            if not news.device:
                return float(news.what)


def say(what: str, times_ms: list[float]) -> None:
    p95 = sorted(times_ms)[int(len(times_ms) * 0.95)]
    print(
        f"{what:58} median {statistics.median(times_ms):7.1f} ms   p95 {p95:7.1f} ms   of {len(times_ms)}", flush=True
    )


def devices() -> None:
    """Processor time at idle, from byte to event, from cable to device."""
    with tempfile.TemporaryDirectory() as folder, Hall(Path(folder)) as hall:
        time.sleep(2)
        print(f"idle for {IDLE_S:.0f} s: {hall.idle(IDLE_S) * 100:.2f} % of one processor", flush=True)
        keys = _keys(hall, 40)
        say("key pressed → event", keys)
        say("card laid on → card read (three exchanges)", _cards(hall, 15))
        say("paper low → condition (asked every 2 s)", _conditions(hall, 8))
        hall.twins["PRN-02"].go_mute()
        hall.twins["DSP-03"].go_mute()
        mute = _keys(hall, 40)
        say("key pressed → event, a printer and a display mute", mute)
        print(f"    ratio to all well: {statistics.median(mute) / statistics.median(keys):.2f}")
        for device, kind in (("KEY-02", "keypad"), ("PRN-03", "printer"), ("IDR-02", "card reader")):
            gone, back = _cable(hall, device, 8)
            say(f"{kind}: cable pulled → offline", gone)
            say(f"{kind}: cable plugged in → online", back)


def _keys(hall: Hall, times: int) -> list[float]:
    hall.drain()
    found = []
    for n in range(times):
        found.append(hall.took_ms("KEY-01", lambda n=n: hall.twins["KEY-01"].press(str(n % 10)), "Key"))  # type: ignore[misc]
        time.sleep(0.15)  # faster than eight a second is held back
    return found


def _cards(hall: Hall, times: int) -> list[float]:
    hall.drain()
    found = []
    for _ in range(times):
        found.append(hall.took_ms("IDR-01", lambda: hall.twins["IDR-01"].put("zhang"), "CardRead"))
        hall.took_ms("IDR-01", hall.twins["IDR-01"].lift, "CardGone")
        time.sleep(0.6)  # until it is another placing
    return found


def _conditions(hall: Hall, times: int) -> list[float]:
    hall.drain()
    printer = hall.twins["PRN-01"]
    found = []
    for _ in range(times):
        found.append(hall.took_ms("PRN-01", printer.run_low, "online paper_low"))
        found.append(hall.took_ms("PRN-01", printer.refill, "online"))
    return found


def _cable(hall: Hall, device: str, times: int) -> tuple[list[float], list[float]]:
    hall.drain()
    line = hall.lines[device]
    gone, back = [], []
    for _ in range(times):
        gone.append(hall.took_ms(device, line.unplug, "offline"))
        back.append(hall.took_ms(device, line.replug, "online"))
    return gone, back
