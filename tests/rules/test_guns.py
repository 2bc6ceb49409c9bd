"""Barcode guns under the worker and on the bench: what is read is heard, and stands in no log."""

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drivers.base import CodeRead
from hall_daemon.config import load
from sim.bench import HALLS
from sim.bench import Bench as HallBench
from tests.rules.device_bench import Bench
from tests.waiting import until_async

GUNS = ["codereader_serial", "codereader_hid"]
ID_NUMBER = "990000199909090053"

TABLES = """
[device.GUN-01]
driver = "codereader_hid"
port = "/dev/input/by-id/usb-ACME_Scanner_0001-event-kbd"

[device.GUN-02]
driver = "codereader_serial"
port = "/dev/ttyS77"

[device.KEY-77]
driver = "keypad_evdev"
port = "/dev/input/by-path/pci-0000:00:14.0-usb-0:2:1.0-event-kbd"
"""


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    found = Bench(tmp_path)
    yield found
    await found.stop()


@pytest.mark.parametrize("driver", GUNS)
async def test_what_a_gun_reads_is_heard_and_stands_in_no_log(
    bench: Bench, driver: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    gun = bench.add("GUN-01", driver)
    await bench.start()
    await asyncio.to_thread(gun.scan, ID_NUMBER)
    await until_async(lambda: bench.heard["GUN-01"] == [CodeRead(text=ID_NUMBER)], what="the code")
    gun.lose_suffix()
    await asyncio.to_thread(gun.scan, ID_NUMBER + "0")
    await until_async(lambda: "personal bytes" in caplog.text, what="its traffic in the log")
    assert ID_NUMBER not in caplog.text
    assert bench.links_of("GUN-01")[-1] == "online"


@pytest.mark.parametrize("driver", GUNS)
async def test_a_gun_that_is_pulled_out_and_plugged_in_again_reads_on(bench: Bench, driver: str) -> None:
    gun = bench.add("GUN-01", driver)
    await bench.start()
    await asyncio.to_thread(bench.lines["GUN-01"].unplug)
    await bench.becomes("GUN-01", "offline")
    await asyncio.to_thread(bench.lines["GUN-01"].replug)
    await bench.becomes("GUN-01", "online", limit_s=3.0)
    await asyncio.to_thread(gun.scan, "A017")
    await until_async(lambda: bench.heard["GUN-01"] == [CodeRead(text="A017")], what="the code")


async def test_three_broken_codes_do_not_take_a_gun_offline(bench: Bench) -> None:
    gun = bench.add("GUN-01", "codereader_serial")
    await bench.start()
    gun.lose_suffix()
    await asyncio.to_thread(gun.hold_under, "A001", for_s=2.0, every_s=0.4)
    gun.recover()
    await asyncio.to_thread(gun.scan, "A017")
    await until_async(lambda: bench.heard["GUN-01"] == [CodeRead(text="A017")], what="the code")
    assert "offline" not in bench.links_of("GUN-01")


def test_the_bench_of_a_hall_hangs_guns_and_usb_keypads(tmp_path: Path) -> None:
    hall = tmp_path / "hall"
    shutil.copytree(HALLS / "small", hall)
    with (hall / "devices.toml").open("a", encoding="utf-8") as file:
        file.write(TABLES)
    with HallBench(hall, tmp_path / "run", province=None) as bench:
        devices = load(bench.config, bench.environment).devices
        assert devices["GUN-01"].port.startswith("evdev:/")
        assert devices["KEY-77"].port.startswith("evdev:/")
        assert devices["GUN-02"].port.startswith("/")
        assert Path(devices["GUN-01"].port.removeprefix("evdev:")).is_fifo()
