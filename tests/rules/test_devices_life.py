"""Coming, going, hanging and being doubled: what the life of a port demands of the room that owns its thread."""

import asyncio
import logging
import os
import random
import threading
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from drivers.base import Identity, Key
from drivers.printer_escpos import EscposPrinter
from hall_daemon import devices as loop_side
from hall_daemon import devices_port as room
from hall_daemon.devices import DeviceUnavailable, OutcomeUnknown
from tests.rules.device_bench import Bench, add_displays, add_printer
from tests.waiting import until_async


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    found = Bench(tmp_path)
    yield found
    await found.stop()
    assert not [t.name for t in threading.enumerate() if t.name.startswith(("port ", "cut "))]


def link_of(bench: Bench, line: str) -> object:
    return bench.devices._workers[bench.lines[line].port]._link


def swap_driver(bench: Bench, device: str, driver_type: type[Any]) -> None:
    bench.configs[device] = replace(bench.configs[device], driver_type=driver_type)


# --- pulled and plugged in --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tcp", [False, True])
async def test_a_hang_up_is_seen_at_once_and_the_descriptor_given_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tcp: bool
) -> None:
    monkeypatch.setattr(room, "ASK_CONDITIONS_S", 600.0)
    add_printer(bench, tcp=tcp)
    await bench.start()
    await asyncio.to_thread(bench.lines["PRN-01"].unplug)
    await bench.becomes("PRN-01", "offline", 20.0)

    await until_async(lambda: link_of(bench, "PRN-01") is None)


async def test_a_link_that_leads_nowhere_is_followed_as_soon_as_it_leads_somewhere(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "SHORTEST_WAIT_S", 600.0)
    monkeypatch.setattr(room, "LONGEST_WAIT_S", 600.0)
    add_printer(bench)
    line = bench.lines["PRN-01"]
    by_path = bench.folder / "by-path"
    behind = bench.folder / "ttyUSB7"
    by_path.symlink_to(behind)
    bench.configs["PRN-01"] = replace(bench.configs["PRN-01"], port=str(by_path))
    await bench.start(online=False)
    await bench.becomes("PRN-01", "offline")
    assert by_path.is_symlink()
    assert not by_path.exists()
    behind.symlink_to(line.port)

    await bench.becomes("PRN-01", "online", 20.0)


async def test_a_device_that_was_exchanged_between_two_looks_is_tried_at_once(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "SHORTEST_WAIT_S", 600.0)
    monkeypatch.setattr(room, "LONGEST_WAIT_S", 600.0)
    monkeypatch.setattr(room, "LOOK_FOR_PORT_S", 0.3)
    add_printer(bench)
    line = bench.lines["PRN-01"]
    by_path = bench.folder / "by-path"
    by_path.symlink_to("/dev/null")  # opens, and is no serial port
    bench.configs["PRN-01"] = replace(bench.configs["PRN-01"], port=str(by_path))
    await bench.start(online=False)
    await bench.becomes("PRN-01", "offline")
    fresh = bench.folder / "fresh"
    fresh.symlink_to(line.port)
    fresh.rename(by_path)  # at no moment is there nothing

    await bench.becomes("PRN-01", "online", 3.0)


async def test_what_happened_is_counted(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "ASK_CONDITIONS_S", 0.02)
    printer = add_printer(bench)
    devices = await bench.start()
    await until_async(lambda: devices.view("PRN-01").answer_ms is not None)
    for _ in range(2):
        await asyncio.to_thread(bench.lines["PRN-01"].unplug)
        await bench.becomes("PRN-01", "offline")
        await asyncio.to_thread(bench.lines["PRN-01"].replug)
        await bench.becomes("PRN-01", "online", 5.0)
    printer.go_mute()
    await bench.becomes("PRN-01", "offline", 15.0)
    view = devices.view("PRN-01")

    assert (view.reconnects, view.silences, view.restarts) == (2, 3, 0)
    assert view.answer_ms is not None
    assert 0 < view.answer_ms < 1000


# --- a driver that hangs ----------------------------------------------------------------------------------------------


@pytest.fixture
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop_side, "WATCH_EVERY_S", 0.05)
    monkeypatch.setattr(room, "LATE_S", 0.1)
    monkeypatch.setattr(room, "CUT_LIMIT_S", 0.3)


class HangsInRead(EscposPrinter):
    """Its job waits for a byte that never comes."""

    job_limit_s = 0.2

    def wait_for_ever(self) -> None:
        while True:
            self.link.read(1, 3600.0)


@pytest.mark.usefixtures("_impatient")
@pytest.mark.parametrize("tcp", [False, True])
async def test_a_driver_that_never_comes_back_from_its_port_is_cut_off_and_begins_anew(
    bench: Bench, caplog: pytest.LogCaptureFixture, tcp: bool
) -> None:
    printer = add_printer(bench, tcp=tcp)
    swap_driver(bench, "PRN-01", HangsInRead)
    devices = await bench.start()
    with pytest.raises((DeviceUnavailable, OutcomeUnknown)):
        await devices.call("PRN-01", lambda driver: driver.wait_for_ever(), 0.2)
    await until_async(lambda: devices.view("PRN-01").restarts == 1)
    await until_async(lambda: bench.links_of("PRN-01") == ["online", "offline", "online"])
    hangs = [r.getMessage() for r in caplog.records if "hangs" in r.getMessage()]

    assert hangs == [f"hangs: a job does not come back; its link is cut ({bench.lines['PRN-01'].port})"]
    assert (devices.view("PRN-01").failures, devices.view("PRN-01").reconnects) == (1, 1)
    assert printer.whole_slips == []


@pytest.mark.usefixtures("_impatient")
async def test_a_driver_that_hangs_elsewhere_loses_its_port_and_no_other(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    add_printer(bench)
    swap_driver(bench, "PRN-01", HangsInRead)
    keypad = bench.add("KEY-01", "keypad_serial")
    devices = await bench.start()
    freed = threading.Event()
    with pytest.raises(OutcomeUnknown):
        await devices.call("PRN-01", lambda _: freed.wait(30), 0.2)
    waiting = asyncio.ensure_future(devices.call("PRN-01", lambda _: None, 20.0))
    await bench.becomes("PRN-01", "offline")
    with pytest.raises(DeviceUnavailable):
        await waiting
    assert "cannot be ended" in devices.view("PRN-01").last_error
    await asyncio.to_thread(keypad.press, "7")
    await until_async(lambda: bench.heard["KEY-01"] == [Key.DIGIT_7], 20.0)
    dead = [r.getMessage() for r in caplog.records if r.getMessage().startswith("dead")]
    freed.set()
    await bench.becomes("PRN-01", "online")

    assert len(dead) == 1
    assert devices.view("PRN-01").restarts == 1
    await until_async(lambda: any(r.getMessage().startswith("free again") for r in caplog.records))


# --- one thing under two names ----------------------------------------------------------------------------------------


async def test_one_port_under_two_names_is_had_by_one_device(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    add_printer(bench, "PRN-01")
    add_printer(bench, "PRN-02")
    by_id = bench.folder / "by-id"
    by_id.symlink_to(bench.lines["PRN-01"].port)
    bench.configs["PRN-02"] = replace(bench.configs["PRN-02"], port=str(by_id))
    devices = await bench.start(online=False)
    await until_async(lambda: {devices.view(d).link for d in bench.configs} == {"online", "offline"})
    first, second = sorted(bench.configs, key=lambda d: devices.view(d).link, reverse=True)

    assert "same port under two names" in devices.view(second).last_error
    assert not devices.can_serve(second)
    await bench.print(first)
    devices.enable(first, enabled=False)
    await bench.becomes(second, "online", 5.0)
    assert devices.view(first).link == "disabled"


async def test_of_two_card_readers_that_say_the_same_number_the_second_is_refused(bench: Bench) -> None:
    first = bench.add("IDR-01", "idcard_samv")
    bench.add("IDR-02", "idcard_samv", plugged=False).say_the_number_of(first)
    devices = await bench.start(online=False)
    await bench.becomes("IDR-01", "online")
    await asyncio.to_thread(bench.lines["IDR-02"].start)
    await until_async(lambda: "which is IDR-01 already" in devices.view("IDR-02").last_error)

    assert (devices.view("IDR-01").link, devices.view("IDR-02").link) == ("online", "offline")
    await asyncio.to_thread(bench.lines["IDR-01"].unplug)
    await bench.becomes("IDR-01", "offline")
    await bench.becomes("IDR-02", "online", 10.0)


# --- many -------------------------------------------------------------------------------------------------------------


def add_hall(bench: Bench) -> None:
    """Forty devices on twelve ports, as in a big hall."""
    add_displays(bench, 20, "east")
    add_displays(bench, 10, "west", first=21)
    for n in range(1, 5):
        bench.add(f"KEY-0{n}", "keypad_serial")
        add_printer(bench, f"PRN-0{n}")
    for n in (1, 2):
        bench.add(f"IDR-0{n}", "idcard_samv")


async def test_of_forty_devices_on_twelve_ports_a_mute_one_holds_up_its_own_port_only(bench: Bench) -> None:
    add_hall(bench)
    devices = await bench.start()
    assert (len(bench.configs), len(bench.lines)) == (40, 12)
    bench.twins["PRN-01"].go_mute_after(bytes_received=60)
    bench.twins["DSP-05"].go_mute()
    mute = asyncio.ensure_future(bench.print("PRN-01"))
    await until_async(lambda: len(bench.lines["PRN-01"].sent_to_twins()) > 60)
    east = asyncio.ensure_future(bench.show("DSP-05", "A005"))

    await asyncio.gather(*(bench.print(f"PRN-0{n}") for n in (2, 3, 4)), bench.show("DSP-30", "A030"))
    for n in range(1, 5):
        await asyncio.to_thread(bench.twins[f"KEY-0{n}"].press, "7")
    for n in (1, 2):
        bench.twins[f"IDR-0{n}"].put("zhang")
    await until_async(lambda: all(bench.heard[f"KEY-0{n}"] == [Key.DIGIT_7] for n in range(1, 5)))
    await until_async(lambda: all(bench.heard[f"IDR-0{n}"] for n in (1, 2)))
    assert not mute.done(), "all others were served while one port waited for its mute device"

    bench.twins["PRN-01"].recover()
    with pytest.raises(OutcomeUnknown):
        await mute
    with pytest.raises(DeviceUnavailable):
        await east
    await bench.show("DSP-06", "A006")
    assert devices.view("DSP-06").link == "online"


# --- for ever ---------------------------------------------------------------------------------------------------------


def test_it_is_tried_for_ever_at_half_to_whole_of_a_wait_that_doubles_up_to_thirty_seconds(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_printer(bench)
    drawn: list[tuple[float, float]] = []

    def draw(low: float, high: float) -> float:
        drawn.append((low, high))
        return high

    monkeypatch.setattr(random, "uniform", draw)
    worker = room.PortWorker("/nowhere", bench.configs.values(), lambda *_, **__: None)
    slot = worker.slots["PRN-01"]
    for _ in range(500):
        worker._gone(slot, "nobody there")
    assert [high for _, high in drawn[:7]] == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    assert set(drawn[7:]) == {(15.0, 30.0)}
    assert all(low == high / 2 for low, high in drawn), "so that halls do not all knock at once"
    worker._came(slot, Identity(), frozenset())
    worker._gone(slot, "gone again")
    assert drawn[-1] == (0.5, 1.0), "who was there is looked for soon"


# --- a thousand times -------------------------------------------------------------------------------------------------


def _open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - counted, not walked


def _living_threads() -> int:
    """Without those that pull the cables."""
    return sum(not thread.name.startswith("asyncio_") for thread in threading.enumerate())


async def _pull_and_plug(bench: Bench, device: str, turns: Iterator[int]) -> None:
    line = bench.lines[device]
    for _ in turns:
        await asyncio.to_thread(line.unplug)
        await bench.becomes(device, "offline")
        await asyncio.to_thread(line.replug)
        await bench.becomes(device, "online")


CYCLES = 1000


@pytest.mark.timeout(240)
async def test_a_thousand_times_pulled_and_plugged_in_leaks_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Devices on ports of two kinds share the cycles, each as fast as it says hello."""
    monkeypatch.setattr(room, "LOOK_FOR_PORT_S", 0.005)
    monkeypatch.setattr(room, "SHORTEST_WAIT_S", 0.005)
    monkeypatch.setattr(room, "LONGEST_WAIT_S", 0.01)
    add_printer(bench, "PRN-01")
    add_printer(bench, "PRN-02", tcp=True)
    bench.add("IDR-01", "idcard_samv")
    for n in (1, 2):
        bench.add(f"KEY-0{n}", "keypad_serial")
        bench.add(f"DSP-0{n}", "display_onbon", tcp=n == 2, address=1, gap_s=0.0, width_px=128, height_px=32)
    for line in bench.lines.values():
        line.keep_transcript = False
    devices = await bench.start()
    seen: list[tuple[int, int]] = []
    turns = iter(range(CYCLES))
    for share in (50, CYCLES // 2 - 50, CYCLES // 2):
        part = islice(turns, share)
        await asyncio.gather(*(_pull_and_plug(bench, device, part) for device in bench.configs))
        seen.append((_living_threads(), _open_descriptors()))

    cycles = {device: devices.view(device).reconnects for device in bench.configs}
    assert sum(cycles.values()) == CYCLES, cycles
    assert min(cycles.values()) >= 5, cycles
    assert seen[1] == seen[2] == seen[0], f"threads and descriptors after 50, 500 and 1,000 cycles: {seen}"
