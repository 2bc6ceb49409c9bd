"""A fault that is only rehearsed: everybody above the device sees it, the device itself nothing of it."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from drivers.base import Condition, Key, Refused
from hall_daemon.devices import DeviceUnavailable, Passed
from tests.rules.device_bench import Bench, add_printer
from tests.waiting import until_async


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    found = Bench(tmp_path)
    yield found
    await found.stop()
    assert not [t for t in threading.enumerate() if t.name.startswith("port ")]


async def test_a_rehearsed_fault_is_seen_and_refuses_jobs_until_it_ends(bench: Bench) -> None:
    printer = add_printer(bench)
    devices = await bench.start()
    await until_async(lambda: devices.can_serve("PRN-01"))
    devices.rehearse("PRN-01", "paper_out")

    view = devices.view("PRN-01")
    assert (view.link, view.conditions, view.drill) == ("online", ("paper_out",), True)
    assert not devices.can_serve("PRN-01")
    with pytest.raises(Refused) as refused:
        await bench.print()
    assert refused.value.condition is Condition.PAPER_OUT
    assert printer.whole_slips == []

    devices.rehearse("PRN-01", "")
    assert (bench.changes[-1].conditions, bench.changes[-1].drill) == ((), False)
    await bench.print()
    assert len(printer.whole_slips) == 1


async def test_a_line_that_is_cut_in_rehearsal_carries_nothing_either_way(bench: Bench) -> None:
    keypad = bench.add("KEY-01", "keypad_serial")
    devices = await bench.start()
    devices.rehearse("KEY-01", "offline")
    assert devices.view("KEY-01").link == "offline"
    with pytest.raises(DeviceUnavailable):
        await devices.call("KEY-01", lambda pad: pad.conditions(), 5.0)
    passed: list[Passed] = []
    with devices.trace("KEY-01", passed.append):
        await asyncio.to_thread(keypad.press, "7")
        await until_async(lambda: passed)
        known = len(passed)
        await asyncio.to_thread(keypad.press, "9")
        await until_async(lambda: len(passed) > known)  # whatever was made of the 7, it is made by now
    devices.rehearse("KEY-01", "")
    await asyncio.to_thread(keypad.press, "8")
    await until_async(lambda: Key.DIGIT_8 in bench.heard["KEY-01"])
    assert [key for key in bench.heard["KEY-01"] if key is not Key.DIGIT_9] == [Key.DIGIT_8]


async def test_what_is_really_wrong_goes_before_what_is_rehearsed(bench: Bench) -> None:
    add_printer(bench)
    devices = await bench.start()
    devices.rehearse("PRN-01", "paper_jam")
    bench.lines["PRN-01"].unplug()
    await bench.becomes("PRN-01", "offline")
    assert devices.view("PRN-01").conditions == ()
    devices.rehearse("PRN-01", "")
    assert devices.view("PRN-01").link == "offline"
