"""Some devices with twins on real carriers for tests of the room that owns their threads."""

import asyncio
import importlib
import threading
from pathlib import Path
from typing import Any

from drivers.base import CallText, Slip, SlipText
from hall_daemon.clock import Clock
from hall_daemon.config import DeviceConfig
from hall_daemon.devices import Devices
from hall_daemon.devices_memory import Memories
from hall_daemon.protocol import DeviceView
from sim.carriers import ByteLine, PtyLine, TcpLine
from sim.input_line import InputLine
from tests.waiting import until_async

SLIP = Slip(parts=(SlipText(text="A017", scale=4, bold=True), SlipText(text="社保医保")))
SCREEN: dict[str, Any] = {"width_px": 128, "height_px": 32}


class Bench:
    """Some devices with their twins, and what the daemon's side heard of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lines: dict[str, ByteLine] = {}
        self.twins: dict[str, Any] = {}
        self.configs: dict[str, DeviceConfig] = {}
        self.heard: dict[str, list[object]] = {}
        self.changes: list[DeviceView] = []
        self.devices: Devices
        self.memory: Path | None = None

    def add(
        self, device: str, driver: str, line: str = "", *, plugged: bool = True, tcp: bool = False, **options: Any
    ) -> Any:
        """Hang a twin on a line of its own, or on one that is there."""
        name = line or device
        self.twins[device] = importlib.import_module(f"sim.{driver}").TWIN(device, options)
        if name not in self.lines:
            on_path = InputLine if self.twins[device].carrier == "fifo" else PtyLine
            self.lines[name] = TcpLine() if tcp else on_path(self.folder / name)
        self.lines[name].attach(self.twins[device])
        if plugged:
            self.lines[name].start()
        driver_type = importlib.import_module(f"drivers.{driver}").DRIVER
        self.configs[device] = DeviceConfig(
            name=device, driver=driver, driver_type=driver_type, port=self.lines[name].port,
            options=driver_type.Options(**options),
        )  # fmt: skip
        return self.twins[device]

    async def start(self, *, online: bool = True) -> Devices:
        self.devices = Devices(self.configs, Clock(), Memories(self.memory))
        self.devices.on_change(self.changes.append)
        for device in self.configs:
            self.heard[device] = []
            self.devices.on_input(device, self.heard[device].append)
        self.devices.start()
        if online:
            for device in self.configs:
                await self.becomes(device, "online")
        return self.devices

    async def becomes(self, device: str, link: str, limit_s: float = 10.0) -> None:
        await until_async(lambda: self.devices.view(device).link == link, limit_s, f"{device} {link}")

    async def stop(self) -> None:
        if hasattr(self, "devices"):
            await self.devices.stop()
        for line in self.lines.values():
            await asyncio.to_thread(line.stop)

    def links_of(self, device: str) -> list[str]:
        return [view.link for view in self.changes if view.device == device]

    async def show(self, device: str, text: str, limit_s: float = 8.0) -> None:
        await self.devices.call(device, lambda display: display.show(CallText(text=text)), limit_s)

    async def print(self, device: str = "PRN-01", limit_s: float = 15.0) -> None:
        await self.devices.call(device, lambda printer: printer.print_slip(SLIP), limit_s)


def add_printer(bench: Bench, device: str = "PRN-01", **more: Any) -> Any:
    return bench.add(device, "printer_escpos", columns=32, charset="gb18030", **more)


def add_displays(bench: Bench, count: int, line: str = "bus", first: int = 1) -> list[Any]:
    numbers = range(first, first + count)
    return [bench.add(f"DSP-{n:02}", "display_onbon", line, address=n, gap_s=0.0, **SCREEN) for n in numbers]


def port_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("port ")]


class Plug:
    """A job that keeps the port's thread until it is pulled."""

    def __init__(self) -> None:
        self.begun, self.pulled = threading.Event(), threading.Event()

    def __call__(self, _device: object) -> str:
        self.begun.set()
        assert self.pulled.wait(20)
        return "done"


async def plugged(bench: Bench) -> tuple[Plug, "asyncio.Future[str]"]:
    """A printer that is busy with a plug, and the plug's own answer."""
    plug = Plug()
    job = asyncio.ensure_future(bench.devices.call("PRN-01", plug, 20.0))
    await until_async(plug.begun.is_set)
    return plug, job
