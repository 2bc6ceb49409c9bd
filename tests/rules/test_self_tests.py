"""Self-tests of devices that are not the usual one of their kind."""

import asyncio
from collections.abc import AsyncIterator
from typing import ClassVar

import pytest

from drivers.base import Condition, Page, PageSource, Refused, ScanProfile
from drivers.scanner_escl import DRIVER
from hall_daemon.clock import Clock
from hall_daemon.config import DeviceConfig
from hall_daemon.devices import Devices
from hall_daemon.protocol_technician import Health, SelfTest
from hall_daemon.self_tests import Hands, _scanned, whole
from sim import papers
from sim.carriers import HttpPort
from sim.scanner_escl import EsclTwin
from tests.waiting import until_async

SHEET = papers.Paper(content=papers.Content.LETTER, noise=0)


class Desk:
    """A scanner without glass, and the test of it."""

    def __init__(self, devices: Devices, twin: EsclTwin) -> None:
        self.devices, self.twin = devices, twin

    async def test(self) -> SelfTest:
        return await whole(Hands(device="SCN-01", devices=self.devices), "2026-01-01T09:00:00+08:00")


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    twin = EsclTwin("SCN-01", {})
    twin.be_feeder_only()
    line = HttpPort(twin, twin.base)
    line.start()
    config = DeviceConfig(
        name="SCN-01", driver="scanner_escl", driver_type=DRIVER, port=line.port, options=DRIVER.Options()
    )
    devices = Devices({"SCN-01": config}, Clock())
    devices.start()
    try:
        await until_async(lambda: devices.view("SCN-01").link == "online", 15.0, "scanner online")
        yield Desk(devices, twin)
    finally:
        await devices.stop()
        await asyncio.to_thread(line.stop)


async def test_scanner_without_glass_is_tested_with_its_feeder(desk: Desk) -> None:
    desk.twin.load_feeder([SHEET])
    tested = await desk.test()
    assert tested.state == "passed", tested
    assert "1 页" in tested.steps[-1].note.zh
    assert [job.ticket.source for job in desk.twin.jobs] == ["Feeder"]


async def test_scanner_without_glass_and_paper_says_that_its_feeder_is_empty(desk: Desk) -> None:
    tested = await desk.test()
    assert (tested.state, tested.steps[-1].health) == ("failed", Health.BAD)
    assert "进纸器空" in tested.steps[-1].note.zh


def test_trouble_of_the_glass_is_not_tried_again_with_the_feeder() -> None:
    class Busy:
        asked: ClassVar[list[PageSource]] = []

        def scan(self, profile: ScanProfile) -> list[Page]:
            self.asked.append(profile.source)
            raise Refused(Condition.BUSY, "SCN-01: busy")

    with pytest.raises(Refused):
        _scanned(Busy())
    assert Busy.asked == [PageSource.PLATEN]
