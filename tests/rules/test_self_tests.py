"""Self-tests of devices that are not the usual one of their kind."""

import asyncio
import importlib
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest

from drivers.base import Condition, Page, PageSource, Refused, ScanProfile
from hall_daemon.clock import Clock
from hall_daemon.config import DeviceConfig
from hall_daemon.devices import Devices
from hall_daemon.protocol_technician import Health, SelfTest
from hall_daemon.self_tests import RULER, Hands, Limits, _scanned, whole
from sim import papers
from sim.camera_uvc import CameraTwin
from sim.carriers import HttpPort
from sim.scanner_escl import EsclTwin
from tests.rules.device_bench import Bench, add_printer
from tests.waiting import until_async

SHEET = papers.Paper(content=papers.Content.LETTER, noise=0)


class Desk:
    """A scanner or camera, and the test of it."""

    def __init__(self, devices: Devices, twin: Any) -> None:
        self.devices, self.twin = devices, twin

    async def test(self) -> SelfTest:
        return await whole(Hands(device="SCN-01", devices=self.devices), "2026-01-01T09:00:00+08:00")


@asynccontextmanager
async def online(twin: Any, driver: str, **options: Any) -> AsyncIterator[Desk]:
    """A device on the network, there for its test."""
    line, driver_type = HttpPort(twin, twin.base), importlib.import_module(f"drivers.{driver}").DRIVER
    line.start()
    config = DeviceConfig(
        name="SCN-01", driver=driver, driver_type=driver_type, port=line.port, options=driver_type.Options(**options)
    )
    devices = Devices({"SCN-01": config}, Clock())
    devices.start()
    try:
        await until_async(lambda: devices.view("SCN-01").link == "online", 30.0, f"{driver} online")
        yield Desk(devices, twin)
    finally:
        await devices.stop()
        await asyncio.to_thread(line.stop)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    twin = EsclTwin("SCN-01", {})
    twin.be_feeder_only()
    async with online(twin, "scanner_escl") as found:
        yield found


async def test_scanner_without_glass_is_tested_with_its_feeder(desk: Desk) -> None:
    desk.twin.load_feeder([SHEET])
    tested = await desk.test()
    assert tested.state == "passed", tested
    assert "1 页，1653×2339 点，200 dpi，" in tested.steps[-1].note.zh
    assert "清晰（字边宽 " in tested.steps[-1].note.zh
    assert [job.ticket.source for job in desk.twin.jobs] == ["Feeder"]


async def test_scanner_without_glass_and_paper_says_that_its_feeder_is_empty(desk: Desk) -> None:
    tested = await desk.test()
    assert (tested.state, tested.steps[-1].health) == ("failed", Health.BAD)
    assert "进纸器空" in tested.steps[-1].note.zh


async def test_camera_is_tested_by_a_picture_of_which_size_time_and_sharpness_are_told() -> None:
    size = {"width": 1600, "height": 1200}
    lying = papers.Paper(width_mm=210, height_mm=148, x_mm=40, y_mm=40, content=papers.Content.LETTER, blur_mm=0.8)
    twin = CameraTwin("SCN-01", size)
    twin.put_under(lying)
    async with online(twin, "camera_uvc", **size) as desk:
        tested = await desk.test()
    told = tested.steps[-1]
    assert re.fullmatch(
        r"1 页，1600×1200 点，127 dpi，\d+ KiB，用时 \d+\.\d 秒，"
        r"模糊（字边宽 0\.\d\d 毫米）：擦净镜头或玻璃，放平，调焦，已丢弃",
        told.note.zh,
    ), tested
    assert "1600 x 1200 dots" in told.note.en
    assert (tested.state, told.health) == ("passed", Health.WARN), "a person looks; the camera works"


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    built = Bench(tmp_path)
    yield built
    await built.stop()


async def outcome_of(bench: Bench, device: str, act: Callable[[], object] | None = None) -> SelfTest:
    """A self-test from beginning to end; `act` is what a person does when the device's own steps begin."""
    told: list[SelfTest] = []
    hands = Hands(device=device, devices=bench.devices, limits=Limits(people_s=20.0, quiet_keys_s=0.3))
    running = asyncio.ensure_future(whole(hands, "2026-01-01T09:00:00+08:00", told.append))
    if act is not None:
        await until_async(lambda: bool(told) and bool(told[-1].prompt.zh), 20.0, f"{device} waits for a person")
        await asyncio.to_thread(act)
    return await running


async def test_each_kind_is_tested_by_what_only_it_can_show(bench: Bench) -> None:
    printer, caller = add_printer(bench), bench.add("CAL-03", "caller_rs485", address=3)
    gun = bench.add("GUN-01", "codereader_serial")
    await bench.start()

    assert (await outcome_of(bench, "PRN-01")).state == "passed"
    [slip] = printer.whole_slips
    assert slip.lines.count(RULER[:32]) == 2, "a ruler as wide as the paper, above and below"

    told = await outcome_of(bench, "CAL-03", lambda: caller.log_in(1803))
    assert told.state == "passed"
    assert (caller.shown, caller.waiting) == ("0000", 8)
    told = await outcome_of(bench, "GUN-01", lambda: gun.scan("EE123456785CN"))
    assert told.state == "passed"
    assert "13" in told.steps[-1].note.zh
    assert "EE123456785CN" not in told.model_dump_json(), "what was read is nobody's business"


def test_trouble_of_the_glass_is_not_tried_again_with_the_feeder() -> None:
    class Busy:
        asked: ClassVar[list[PageSource]] = []

        def scan(self, profile: ScanProfile) -> list[Page]:
            self.asked.append(profile.source)
            raise Refused(Condition.BUSY, "SCN-01: busy")

    with pytest.raises(Refused):
        _scanned(Busy())
    assert Busy.asked == [PageSource.PLATEN]
