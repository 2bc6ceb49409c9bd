"""Jobs of devices: in turn, in time, given up, declined; and what becomes of who asked."""

import asyncio
import threading
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from drivers.base import Condition, Refused
from hall_daemon import devices_mailbox
from hall_daemon.devices import DeviceUnavailable, OutcomeUnknown
from tests.rules.device_bench import Bench, Plug, add_printer, plugged
from tests.waiting import until_async


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    found = Bench(tmp_path)
    yield found
    await found.stop()
    assert not [t for t in threading.enumerate() if t.name.startswith("port ")]


def _note(done: list[int], number: int, _device: object) -> None:
    done.append(number)


async def test_a_full_mailbox_is_busy(bench: Bench) -> None:
    add_printer(bench)
    devices = await bench.start()
    plug, first = await plugged(bench)
    done: list[int] = []
    waiting = [
        asyncio.ensure_future(devices.call("PRN-01", partial(_note, done, n), 20.0))
        for n in range(devices_mailbox.MAILBOX)
    ]
    await asyncio.sleep(0)
    with pytest.raises(DeviceUnavailable) as caught:
        await devices.call("PRN-01", lambda _: done.append(-1), 20.0)
    plug.pulled.set()
    await asyncio.gather(first, *waiting)

    assert caught.value.condition == "busy"
    assert done == list(range(devices_mailbox.MAILBOX))


async def test_a_job_whose_time_passes_in_the_mailbox_is_never_done(bench: Bench) -> None:
    add_printer(bench)
    devices = await bench.start()
    plug, first = await plugged(bench)
    done: list[str] = []
    with pytest.raises(DeviceUnavailable) as caught:
        await devices.call("PRN-01", lambda _: done.append("late"), 0.1)
    plug.pulled.set()
    assert await first == "done"
    await devices.call("PRN-01", lambda _: done.append("next"), 5.0)

    assert caught.value.condition == "busy"
    assert done == ["next"]


async def test_a_job_whose_time_passes_while_it_is_done_may_have_happened(bench: Bench) -> None:
    add_printer(bench)
    devices = await bench.start()
    plug = Plug()
    with pytest.raises(OutcomeUnknown, match=r"PRN-01: not done within 0\.2 s"):
        await devices.call("PRN-01", plug, 0.2)
    plug.pulled.set()

    assert await devices.call("PRN-01", lambda _: "next", 5.0) == "next"


async def test_what_was_done_in_the_last_moment_is_known_though_the_hall_was_too_busy_to_hear_it(bench: Bench) -> None:
    add_printer(bench)
    devices = await bench.start()
    done = threading.Event()

    def slow(_driver: Any) -> str:
        threading.Event().wait(0.2)
        done.set()
        return "printed"

    def busy() -> None:
        done.wait(20)
        threading.Event().wait(1.0)  # the limit passes, and the answer waits to be heard

    answer = asyncio.ensure_future(devices.call("PRN-01", slow, 0.4))
    asyncio.get_running_loop().call_later(0.05, busy)
    assert await answer == "printed"


async def test_who_stops_waiting_does_not_stop_the_port(bench: Bench) -> None:
    add_printer(bench)
    devices = await bench.start()
    plug, first = await plugged(bench)
    second = asyncio.ensure_future(devices.call("PRN-01", lambda _: "second", 20.0))
    await asyncio.sleep(0)
    for job in (first, second):
        job.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    plug.pulled.set()

    assert await devices.call("PRN-01", lambda _: "third", 5.0) == "third"


async def test_what_the_device_declines_reaches_who_asked_with_its_condition(bench: Bench) -> None:
    printer = add_printer(bench)
    devices = await bench.start()
    printer.run_out_of_paper()
    with pytest.raises(Refused) as caught:
        await bench.print()
    await until_async(lambda: not devices.can_serve("PRN-01"))

    assert caught.value.condition is Condition.PAPER_OUT
    assert devices.view("PRN-01").conditions == ("paper_out",)
    assert devices.view("PRN-01").link == "online"
    assert (devices.view("PRN-01").jobs, devices.view("PRN-01").failures) == (1, 1)
    printer.refill()
    await until_async(lambda: devices.can_serve("PRN-01"))
    await bench.print()
    assert len(printer.whole_slips) == 1
