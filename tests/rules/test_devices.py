"""Threads and life of devices, with twins on real carriers: come, go, come back, and never take another one along."""

import asyncio
import importlib
import logging
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from drivers.base import CallText, CardGone, CardRead, Condition, Key
from hall_daemon import devices_mailbox, ports
from hall_daemon import devices_port as room
from hall_daemon.config import DeviceConfig
from hall_daemon.devices import CardTrouble, DeviceUnavailable, OutcomeUnknown, Passed
from tests.rules.device_bench import SCREEN, Bench, add_displays, add_printer, plugged, port_threads
from tests.waiting import until_async

MARKERS = ("张测试", "990000199909090053", "990000")


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    found = Bench(tmp_path)
    yield found
    await found.stop()
    assert not [t for t in threading.enumerate() if t.name.startswith("port ")]


def logged(caplog: pytest.LogCaptureFixture, logger: str, word: str) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.name == logger and word in r.getMessage()]


# --- there ------------------------------------------------------------------------------------------------------------


async def test_a_device_says_hello_and_does_its_job(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    printer = add_printer(bench, baud=115200)
    devices = await bench.start()
    await bench.print()
    await until_async(lambda: devices.view("PRN-01").jobs == 1)
    view = devices.view("PRN-01")

    assert len(printer.whole_slips) == 1
    assert (view.device, view.driver, view.kind, view.link) == ("PRN-01", "printer_escpos", "printer", "online")
    assert (view.conditions, view.proven, view.failures, view.last_error) == ((), "simulator", 0, "")
    assert devices.can_serve("PRN-01")
    assert devices.views() == (view,)
    assert len(logged(caplog, "device.PRN-01", "online (")) == 1


async def test_ports_have_a_thread_each_and_devices_of_a_line_share_it(bench: Bench) -> None:
    add_printer(bench)
    add_displays(bench, 3)
    await bench.start()

    assert sorted(port_threads()) == sorted(f"port {bench.lines[name].port}" for name in ("PRN-01", "bus"))


async def test_a_device_nobody_knows_is_offline(bench: Bench) -> None:
    devices = await bench.start()

    assert not devices.can_serve("XYZ-01")
    with pytest.raises(DeviceUnavailable) as caught:
        await devices.call("XYZ-01", lambda _: None, 1.0)
    assert caught.value.condition == "offline"
    with pytest.raises(KeyError):
        devices.enable("XYZ-01", enabled=False)


async def test_keys_arrive_on_the_event_loop_in_their_order(bench: Bench) -> None:
    keypad = bench.add("KEY-01", "keypad_serial")
    await bench.start()
    threads: list[threading.Thread] = []
    bench.devices.on_input("KEY-01", lambda _key: threads.append(threading.current_thread()))
    for count, key in enumerate(("1", "3", "9", "ok"), start=1):
        await asyncio.to_thread(keypad.press, key)
        await until_async(lambda count=count: len(bench.heard["KEY-01"]) == count)

    assert bench.heard["KEY-01"] == [Key.DIGIT_1, Key.DIGIT_3, Key.DIGIT_9, Key.OK]
    assert set(threads) == {threading.main_thread()}


async def test_cards_come_are_refused_and_go_and_the_trace_tells_nothing(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    reader = bench.add("IDR-01", "idcard_samv", debounce_s=0.5)
    await bench.start()
    heard = bench.heard["IDR-01"]
    reader.put("zhang")
    await until_async(lambda: heard)
    reader.lift()
    await until_async(lambda: len(heard) == 2)
    reader.put_unknown_card()
    await until_async(lambda: len(heard) == 3)

    assert isinstance(heard[0], CardRead)
    assert heard[0].card.id_no
    assert isinstance(heard[1], CardGone)
    assert heard[2] == CardTrouble(Condition.CARD_UNKNOWN)
    assert logged(caplog, "wire.IDR-01", "<"), "the trace is on"
    for word in (*MARKERS, *(m.encode("utf-16-le").hex(" ") for m in MARKERS), heard[0].card.name):
        assert word not in caplog.text


# --- gone and back ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tcp", [False, True])
async def test_a_pulled_cable_is_seen_and_so_is_its_return(
    bench: Bench, caplog: pytest.LogCaptureFixture, tcp: bool
) -> None:
    caplog.set_level(logging.INFO)
    printer = add_printer(bench, tcp=tcp)
    devices = await bench.start()
    await asyncio.to_thread(bench.lines["PRN-01"].unplug)
    await bench.becomes("PRN-01", "offline")
    with pytest.raises(DeviceUnavailable) as caught:
        await bench.print()
    assert caught.value.condition == "offline"
    assert not devices.can_serve("PRN-01")
    assert devices.view("PRN-01").last_error
    await asyncio.to_thread(bench.lines["PRN-01"].replug)
    await bench.becomes("PRN-01", "online", 5.0)
    await bench.print()

    assert len(printer.whole_slips) == 1
    assert bench.links_of("PRN-01") == ["online", "offline", "online"]
    assert len(logged(caplog, "device.PRN-01", "offline: ")) == 1
    assert len(logged(caplog, "device.PRN-01", "online again after")) == 1


async def test_a_cable_that_is_plugged_in_again_is_seen_long_before_the_next_try(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert room.LOOK_FOR_PORT_S <= 1.0, "seen within two seconds, with the time that a hello takes"
    monkeypatch.setattr(room, "SHORTEST_WAIT_S", 600.0)
    monkeypatch.setattr(room, "LONGEST_WAIT_S", 600.0)
    add_printer(bench)
    await bench.start()
    await asyncio.to_thread(bench.lines["PRN-01"].unplug)
    await bench.becomes("PRN-01", "offline")
    await until_async(lambda: bench.devices._workers[bench.lines["PRN-01"].port]._presence is None, 3.0)
    await asyncio.to_thread(bench.lines["PRN-01"].replug)

    await bench.becomes("PRN-01", "online", 5.0)


async def test_a_device_without_a_path_is_tried_as_soon_as_something_is_plugged_in_on_its_bus(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(room, "SHORTEST_WAIT_S", 600.0)
    monkeypatch.setattr(room, "LONGEST_WAIT_S", 600.0)
    monkeypatch.setitem(ports.BUSES, "socket://", str(tmp_path / "usb"))  # a network stands in for a bus
    (tmp_path / "usb" / "001").mkdir(parents=True)
    (tmp_path / "usb" / "001" / "001").touch()
    add_printer(bench, tcp=True)
    await bench.start()
    await asyncio.to_thread(bench.lines["PRN-01"].unplug)
    await bench.becomes("PRN-01", "offline")
    await asyncio.to_thread(bench.lines["PRN-01"].replug)
    (tmp_path / "usb" / "001" / "002").touch()

    await bench.becomes("PRN-01", "online", 20.0)


async def test_a_device_that_is_not_there_at_the_start_may_come_later(bench: Bench) -> None:
    keypad = bench.add("KEY-01", "keypad_serial", plugged=False)
    add_printer(bench)
    devices = await bench.start(online=False)
    await bench.becomes("PRN-01", "online")
    await bench.becomes("KEY-01", "offline")
    await asyncio.to_thread(bench.lines["KEY-01"].start)
    await bench.becomes("KEY-01", "online", 5.0)
    await asyncio.to_thread(keypad.press, "5")

    await until_async(lambda: bench.heard["KEY-01"] == [Key.DIGIT_5])
    assert devices.can_serve("KEY-01")


async def test_a_silent_device_is_offline_after_three_questions_and_back_when_it_answers(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "ASK_CONDITIONS_S", 0.1)
    caplog.set_level(logging.INFO)
    printer = add_printer(bench)
    await bench.start()
    printer.go_mute()
    await bench.becomes("PRN-01", "offline", 15.0)
    printer.recover()
    await bench.becomes("PRN-01", "online", 15.0)

    assert len(logged(caplog, "device.PRN-01", "offline: ")) == 1
    assert len(logged(caplog, "device.PRN-01", "online again after")) == 1


async def test_a_line_that_dies_under_a_slip_leaves_its_fate_unknown(bench: Bench) -> None:
    printer = add_printer(bench)
    await bench.start()
    printer.stall()
    job = asyncio.ensure_future(bench.print())
    await until_async(lambda: b"\x1b@" in bench.lines["PRN-01"].sent_to_twins())  # the slip has begun
    await asyncio.to_thread(bench.lines["PRN-01"].unplug)

    with pytest.raises(OutcomeUnknown):
        await job
    await bench.becomes("PRN-01", "offline")
    assert bench.devices.view("PRN-01").failures == 1


# --- one does not hold up another -------------------------------------------------------------------------------------


async def test_a_mute_device_holds_up_no_other_port(bench: Bench) -> None:
    printer = add_printer(bench)
    keypad = bench.add("KEY-01", "keypad_serial")
    await bench.start()
    printer.stall()
    job = asyncio.ensure_future(bench.print())
    # Not by a count of bytes: a printer that is mute before the slip begins was sent nothing, which is another answer.
    await until_async(lambda: b"\x1b@" in bench.lines["PRN-01"].sent_to_twins(), what="the slip has begun")
    printer.go_mute()
    await asyncio.to_thread(keypad.press, "7")
    await until_async(lambda: bench.heard["KEY-01"] == [Key.DIGIT_7], 20.0, "the key, while the printer is waited for")

    assert not job.done()
    with pytest.raises(OutcomeUnknown):
        await job
    printer.recover()


async def test_of_displays_on_one_line_the_mute_one_goes_alone(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "ASK_CONDITIONS_S", 0.1)
    caplog.set_level(logging.INFO)
    screens = add_displays(bench, 3)
    await bench.start()
    screens[1].go_mute()
    for round_ in range(3):
        for device in ("DSP-01", "DSP-03"):
            await bench.show(device, f"请A00{round_}到本窗口")
    await bench.becomes("DSP-02", "offline", 15.0)
    assert (screens[0].text, screens[1].text, screens[2].text) == ("请A002到本窗口", "", "请A002到本窗口")
    assert [bench.devices.view(f"DSP-0{n}").link for n in (1, 2, 3)] == ["online", "offline", "online"]
    screens[1].recover()
    await bench.becomes("DSP-02", "online", 15.0)
    await bench.show("DSP-02", "2号窗口")

    assert screens[1].text == "2号窗口"
    for other in ("DSP-01", "DSP-03"):
        assert not logged(caplog, f"device.{other}", "offline")


async def test_a_call_waits_for_one_question_and_not_for_every_display_of_the_line(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    screens = add_displays(bench, 4)
    await bench.start()
    worker = bench.devices._workers[bench.lines["bus"].port]
    asked: list[str] = []
    shown = threading.Event()
    original = worker._ask_conditions

    def call(display: Any) -> None:
        display.show(CallText(text="1"))
        shown.set()

    def ask(slot: Any) -> None:
        asked.append(slot.config.name)
        if len(asked) == 1:
            for other in worker.slots.values():
                other.ask_at = 0.0  # all of them are due
            worker.post(devices_mailbox.Job("DSP-04", call))
        elif not shown.is_set():
            asked.append("before the call")
        original(slot)

    monkeypatch.setattr(worker, "_ask_conditions", ask)
    for slot in worker.slots.values():
        slot.ask_at = 0.0
    worker.post(devices_mailbox.Job("DSP-01", lambda _: None))
    await until_async(shown.is_set)

    assert "before the call" not in asked
    assert screens[3].text == "1"


async def test_conditions_are_told_once_for_each_change(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "ASK_CONDITIONS_S", 0.05)
    caplog.set_level(logging.INFO)
    printer = add_printer(bench)
    devices = await bench.start()
    seen = len(bench.lines["PRN-01"].transcript)
    for deed, conditions in ((printer.run_low, ("paper_low",)), (printer.refill, ())):
        deed()
        await until_async(lambda wanted=conditions: devices.view("PRN-01").conditions == wanted)
        asked = len(bench.lines["PRN-01"].transcript)
        await until_async(lambda asked=asked: len(bench.lines["PRN-01"].transcript) > asked + 6)
        assert devices.can_serve("PRN-01"), "low paper only warns"

    assert len(bench.lines["PRN-01"].transcript) > seen
    assert [view.conditions for view in bench.changes] == [(), ("paper_low",), ()]
    assert logged(caplog, "device.PRN-01", "conditions") == ["conditions: paper_low", "conditions: none"]


# --- bugs -------------------------------------------------------------------------------------------------------------


def stumble(_device: object) -> None:
    raise ZeroDivisionError("a bug")


async def test_a_bug_in_a_job_ends_neither_the_thread_nor_another_port(
    bench: Bench, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "AFTER_A_BUG_S", 0.2)
    printer = add_printer(bench)
    bench.add("KEY-01", "keypad_serial")
    devices = await bench.start()
    with pytest.raises(OutcomeUnknown, match="PRN-01: ZeroDivisionError in the program"):
        await devices.call("PRN-01", stumble, 5.0)
    await bench.becomes("PRN-01", "offline")
    assert devices.view("KEY-01").link == "online"
    await bench.becomes("PRN-01", "online")
    await bench.print()

    assert len(printer.whole_slips) == 1
    assert devices.view("PRN-01").failures == 1
    bugs = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [bug.getMessage() for bug in bugs] == [f"bug on port {bench.lines['PRN-01'].port}"]
    assert bugs[0].exc_info is not None


async def test_a_driver_with_a_bug_waits_long_and_keeps_its_thread(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    printer_type = importlib.import_module("drivers.printer_escpos").DRIVER
    add_printer(bench)
    asked = []

    class Stumbling(printer_type):  # type: ignore[misc, valid-type]  # the class is found at run time
        def conditions(self) -> frozenset[Condition]:
            asked.append(1)
            raise KeyError("a bug")

    config = bench.configs["PRN-01"]
    bench.configs["PRN-01"] = DeviceConfig(
        name=config.name, driver=config.driver, driver_type=Stumbling, port=config.port, options=config.options
    )
    await bench.start(online=False)
    await bench.becomes("PRN-01", "offline")
    await until_async(lambda: bench.devices.view("PRN-01").last_error == "KeyError in the program")

    assert port_threads() == [f"port {config.port}"]
    assert len(asked) == 1
    assert [r.getMessage() for r in caplog.records if r.levelno >= logging.ERROR] == [f"bug on port {config.port}"]


# --- taken out of use -------------------------------------------------------------------------------------------------


async def test_a_disabled_device_is_left_alone_until_it_is_enabled(bench: Bench) -> None:
    printer = add_printer(bench)
    devices = await bench.start()
    devices.enable("PRN-01", enabled=False)
    await bench.becomes("PRN-01", "disabled")
    with pytest.raises(DeviceUnavailable) as caught:
        await bench.print()
    await until_async(lambda: devices._workers[bench.lines["PRN-01"].port]._link is None)
    asked = len(bench.lines["PRN-01"].transcript)
    await asyncio.to_thread(bench.lines["PRN-01"].unplug)
    await asyncio.to_thread(bench.lines["PRN-01"].replug)
    assert devices.view("PRN-01").link == "disabled"
    assert len(bench.lines["PRN-01"].transcript) == asked
    devices.enable("PRN-01", enabled=True)
    await bench.becomes("PRN-01", "online")
    await bench.print()

    assert caught.value.condition == "disabled"
    assert len(printer.whole_slips) == 1
    assert bench.links_of("PRN-01") == ["online", "disabled", "online"]


async def test_an_absent_device_can_be_disabled_too(bench: Bench) -> None:
    add_printer(bench, plugged=False)
    devices = await bench.start(online=False)
    await bench.becomes("PRN-01", "offline")
    devices.enable("PRN-01", enabled=False)
    await bench.becomes("PRN-01", "disabled")
    devices.enable("PRN-01", enabled=True)
    await bench.becomes("PRN-01", "offline")
    await asyncio.to_thread(bench.lines["PRN-01"].start)

    await bench.becomes("PRN-01", "online")


async def test_of_a_shared_line_one_display_can_be_disabled(bench: Bench) -> None:
    screens = add_displays(bench, 2)
    devices = await bench.start()
    devices.enable("DSP-01", enabled=False)
    await bench.becomes("DSP-01", "disabled")
    said = len(screens[0].commands)
    await bench.show("DSP-02", "2号窗口")

    assert screens[1].text == "2号窗口"
    assert len(screens[0].commands) == said
    assert devices.view("DSP-02").link == "online"


# --- the end ----------------------------------------------------------------------------------------------------------


async def stop_while(bench: Bench, deed: Callable[[], Awaitable[object]]) -> float:
    job = asyncio.ensure_future(deed())
    await until_async(lambda: len(bench.lines["PRN-01"].sent_to_twins()) > 60)
    began = asyncio.get_running_loop().time()
    await bench.devices.stop(limit_s=0.3)
    took_s = asyncio.get_running_loop().time() - began
    with pytest.raises((OutcomeUnknown, DeviceUnavailable)):
        await job
    return took_s


async def test_stopping_ends_every_thread(bench: Bench) -> None:
    add_printer(bench)
    add_displays(bench, 2)
    bench.add("KEY-01", "keypad_serial", plugged=False)
    bench.add("IDR-01", "idcard_samv")
    devices = await bench.start(online=False)
    for device in ("PRN-01", "DSP-01", "DSP-02", "IDR-01"):
        await bench.becomes(device, "online")
    await devices.stop()

    assert port_threads() == []
    with pytest.raises(DeviceUnavailable):
        await bench.print()


async def test_stopping_lets_a_job_finish(bench: Bench) -> None:
    add_printer(bench)
    devices = await bench.start()
    plug, job = await plugged(bench)
    stopping = asyncio.ensure_future(devices.stop())
    await asyncio.sleep(0)
    plug.pulled.set()
    await stopping

    assert await job == "done"


@pytest.mark.parametrize("tcp", [False, True])
async def test_a_job_that_does_not_end_in_time_is_cut_off(bench: Bench, tcp: bool) -> None:
    printer = add_printer(bench, tcp=tcp)
    await bench.start()
    printer.stall()
    took_s = await stop_while(bench, bench.print)

    assert port_threads() == []
    assert took_s < 5


async def test_a_trace_shows_what_passes_for_one_device_of_a_shared_line(bench: Bench) -> None:
    for n in (1, 2):
        bench.add(f"DSP-0{n}", "display_onbon", line="bus", address=n, **SCREEN)
    devices = await bench.start()
    heard: list[Passed] = []
    with devices.trace("DSP-02", heard.append):
        await bench.show("DSP-01", "A001")
        await bench.show("DSP-02", "A002")
        await until_async(lambda: any(p.traffic.direction == "<" for p in heard), what="the answer is traced")
    sent = b"".join(p.traffic.data for p in heard if p.traffic.direction == ">")
    assert b"A002" in sent
    assert b"A001" not in sent
    before = len(heard)
    await bench.show("DSP-02", "A003")
    assert len(heard) == before, "nobody listens any more"
