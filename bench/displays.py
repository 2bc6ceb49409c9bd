"""How fast texts get to twenty displays on one bus, against what the bus itself allows at 9600 baud.

The line here takes its time: 10 bits for each byte, in both directions. What the bus allows is a frame, its answer and
the gap of 100 ms, one after the other without a pause.
"""

import asyncio
import importlib
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drivers.base import CallText
from hall_daemon.clock import Clock
from hall_daemon.config import DeviceConfig
from hall_daemon.devices import Devices
from sim.bench import HALLS, Bench, DaemonProcess
from sim.carriers import PtyLine
from sim.visits import Clerk

BAUD = 9600
GAP_S = 0.1
SCREENS = 20
ROUNDS = 3
TABLES: dict[str, dict[str, Any]] = {
    "display_onbon": {"width_px": 144, "height_px": 32},
    "display_strip": {"columns": 20, "confirms": True},
    "display_two_colour": {"columns": 20},
}


class SlowLine(PtyLine):
    """A line on which bytes take as long as at 9600 baud."""

    def deliver(self, data: bytes) -> None:
        time.sleep(len(data) * 10 / BAUD)
        super().deliver(data)

    def send(self, data: bytes) -> None:
        time.sleep(len(data) * 10 / BAUD)
        super().send(data)


def displays() -> None:
    """Frames a second on one bus of twenty, of three protocols; then how many frames one changed window costs."""
    for driver in TABLES:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(_one_bus(driver, SlowLine(Path(folder) / "bus")))
    _one_change()


async def _one_bus(driver: str, line: SlowLine) -> None:
    twins = {}
    for n in range(1, SCREENS + 1):
        twins[f"DSP-{n:02}"] = importlib.import_module(f"sim.{driver}").TWIN(f"DSP-{n:02}", {"address": n})
        line.attach(twins[f"DSP-{n:02}"])
    line.start()
    kind = importlib.import_module(f"drivers.{driver}").DRIVER
    configs = {
        name: DeviceConfig(
            name=name,
            driver=driver,
            driver_type=kind,
            port=line.port,
            options=kind.Options(address=twin.address, **TABLES[driver]),
        )
        for name, twin in twins.items()
    }
    devices = Devices(configs, Clock())
    ready = asyncio.Event()
    devices.on_change(lambda _: ready.set() if all(v.link == "online" for v in devices.views()) else None)
    devices.start()
    try:
        await ready.wait()
        before, began = len(line.transcript), time.monotonic()
        for round_ in range(ROUNDS):
            await asyncio.gather(*(devices.call(name, _show(f"请A{round_:03}到3号窗口"), 60) for name in configs))
        took = time.monotonic() - began
        await asyncio.to_thread(_say, driver, twins, line.transcript[before:], took)
    finally:
        await devices.stop()
        await asyncio.to_thread(line.stop)


def _show(text: str) -> Callable[[Any], None]:
    return lambda display: display.show(CallText(text=text, attention=True))


def _say(driver: str, twins: dict[str, Any], passed: list[Any], took: float) -> None:
    shown = sum(len([s for s in twin.shown if s.text.strip()]) for twin in twins.values())
    frames, answers = ([p.data for p in passed if p.direction == direction] for direction in "><")
    each_s = GAP_S + (statistics.mean(map(len, frames)) + statistics.mean(map(len, answers))) * 10 / BAUD
    collisions = sum(len(twin.collisions) for twin in twins.values())
    rate, allowed = len(frames) / took, 1 / each_s
    print(
        f"{driver:20} {len(twins)} screens, {shown} texts in {took:5.1f} s: {rate:4.2f} frames a second, the bus "
        f"allows {allowed:4.2f}: {rate / allowed:4.0%}; {len(frames) - shown} were questions, {collisions} collisions",
        flush=True,
    )


def _one_change() -> None:
    with tempfile.TemporaryDirectory() as folder, Bench(HALLS / "big", Path(folder), province=None) as bench:
        screens = bench.by_kind("display_")
        with DaemonProcess(bench):
            while not all(screen.text for screen in screens.values()):
                time.sleep(0.2)
            before = {name: len(screen.shown) for name, screen in screens.items()}
            window = next(iter(bench.tables["window"]))
            clerk = Clerk(bench, window, next(iter(bench.tables["clerk"])), 1)
            clerk.sign_in()
            time.sleep(3)
            texts = [len(screen.shown) - before[name] for name, screen in screens.items()]
            clerk.close()
    print(f"one window of {len(screens)} opens: {sum(texts)} text on the buses, to {sum(map(bool, texts))} screen")
