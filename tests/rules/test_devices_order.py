"""Whose turn it is on a line: calls before refreshes, the newest call first, nobody left out, nothing pointless."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from drivers.base import CallerPress, CallText
from drivers.caller_rs485 import Rs485Caller
from hall_daemon import devices_mailbox
from hall_daemon import devices_port as room
from hall_daemon.devices import DeviceUnavailable, Superseded, Urgency
from hall_daemon.devices_mailbox import Job, Mailbox
from tests.rules.device_bench import Bench, add_displays, add_printer
from tests.waiting import until_async

STATUS = (0xA1, 0x02)


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    found = Mailbox()
    found.open()
    yield found
    found.close()


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    found = Bench(tmp_path)
    yield found
    await found.stop()


def job(name: str, urgency: Urgency = Urgency.ORDINARY, topic: str = "", waited_s: float = 0.0) -> Job:
    return Job(name, lambda _: None, urgency=urgency, topic=topic, posted_at=time.monotonic() - waited_s)


def order(mailbox: Mailbox) -> list[str]:
    taken = iter(mailbox.take, None)
    return [found.device for found in taken if found is not None]


def test_calls_overtake_what_is_ordinary_and_the_newest_call_goes_first(mailbox: Mailbox) -> None:
    for one in (job("first"), job("called", Urgency.CALL), job("second"), job("called later", Urgency.CALL)):
        assert mailbox.post(one)

    assert order(mailbox) == ["called later", "called", "first", "second"]


def test_what_has_waited_long_is_overtaken_no_more(mailbox: Mailbox) -> None:
    patience_s = devices_mailbox.PATIENCE_S
    mailbox.post(job("old", waited_s=patience_s + 0.5))
    mailbox.post(job("older call", Urgency.CALL, waited_s=patience_s + 1.0))
    mailbox.post(job("call", Urgency.CALL))

    assert order(mailbox) == ["older call", "old", "call"]


def test_a_newer_job_takes_the_place_of_one_on_the_same_topic_and_its_caller_hears_so(mailbox: Mailbox) -> None:
    jobs = [
        job("DSP-01", topic="screen"),
        job("DSP-02", topic="screen"),
        job("DSP-01", topic="light"),
        job("DSP-01"),
        job("DSP-01", Urgency.CALL, topic="screen"),
    ]
    for one in jobs:
        mailbox.post(one)
    taken = list(iter(mailbox.take, None))

    assert taken == [jobs[4], *jobs[1:4]]
    error = jobs[0].answer.exception(0)
    assert isinstance(error, Superseded)
    assert (error.device, error.condition) == ("DSP-01", "superseded")
    assert not any(one.answer.done() for one in jobs[1:])


def test_whom_nobody_waits_for_takes_no_place(mailbox: Mailbox) -> None:
    jobs = [job(str(n)) for n in range(devices_mailbox.MAILBOX)]
    assert all(mailbox.post(one) for one in jobs)
    assert not mailbox.post(job("one too many"))
    jobs[5].answer.cancel()

    assert mailbox.post(job("the last"))


def test_a_closed_mailbox_refuses_what_waits_and_what_comes(mailbox: Mailbox) -> None:
    waiting = job("DSP-01")
    mailbox.post(waiting)
    mailbox.close()

    assert isinstance(waiting.answer.exception(0), DeviceUnavailable)
    assert not mailbox.post(job("DSP-01"))
    mailbox.ring()


class Stay:
    """A job that keeps the line until it is told to go."""

    def __init__(self) -> None:
        self.begun, self.over = threading.Event(), threading.Event()

    def __call__(self, _device: object) -> None:
        self.begun.set()
        assert self.over.wait(20)


async def test_on_a_line_of_displays_a_call_overtakes_the_refreshes(bench: Bench) -> None:
    screens = add_displays(bench, 5)
    devices = await bench.start()
    stay = Stay()
    first = asyncio.ensure_future(devices.call("DSP-01", stay, 10.0))
    await until_async(stay.begun.is_set)

    def show(n: int, text: str, urgency: Urgency = Urgency.ORDINARY) -> "asyncio.Future[None]":
        def do(display: Any) -> None:
            display.show(CallText(text=text, attention=urgency is Urgency.CALL))

        return asyncio.ensure_future(devices.call(f"DSP-0{n}", do, 10.0, urgency=urgency, topic="screen"))

    shows = [
        show(2, "2号窗口"),
        show(3, "3号窗口"),
        show(4, "老"),
        show(4, "A004", Urgency.CALL),
        show(5, "A005", Urgency.CALL),
    ]
    await asyncio.sleep(0)
    stay.over.set()
    answers = await asyncio.gather(first, *shows, return_exceptions=True)

    assert [type(answer) for answer in answers] == [type(None)] * 3 + [Superseded] + [type(None)] * 2
    shown = sorted((shown.at, shown.text) for screen in screens for shown in screen.shown)
    assert [text for _, text in shown] == ["A005", "A004", "2号窗口", "3号窗口"]


async def test_who_goes_away_before_his_turn_gets_nothing_done(bench: Bench) -> None:
    printer = add_printer(bench)
    devices = await bench.start()
    stay = Stay()
    first = asyncio.ensure_future(devices.call("PRN-01", stay, 10.0))
    await until_async(stay.begun.is_set)
    slip = asyncio.ensure_future(bench.print())
    await asyncio.sleep(0)
    slip.cancel()
    await asyncio.gather(slip, return_exceptions=True)
    stay.over.set()
    await first
    await devices.call("PRN-01", lambda _: None, 5.0)

    assert printer.whole_slips == []


async def test_while_calls_follow_each_other_nobody_is_asked_for_conditions(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "ASK_CONDITIONS_S", 0.02)
    screens = add_displays(bench, 2)
    devices = await bench.start()

    def asked() -> int:
        return sum(command == STATUS for screen in screens for command in screen.commands)

    await until_async(lambda: asked() > 4, what="an idle line is asked")
    call = CallText(text="A001", attention=True)
    await devices.call("DSP-01", lambda display: display.show(call), 5.0, urgency=Urgency.CALL)
    before = asked()
    for _ in range(20):
        await devices.call("DSP-01", lambda _: None, 5.0, urgency=Urgency.CALL)
        await asyncio.sleep(0.02)
    assert asked() == before

    monkeypatch.setattr(room, "CALM_AFTER_CALL_S", 0.1)
    await until_async(lambda: asked() > before, what="it is asked again once it is calm")


async def test_a_line_that_is_never_calm_is_asked_in_the_end(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "ASK_CONDITIONS_S", 0.02)
    monkeypatch.setattr(room, "LONGEST_UNASKED_S", 0.2)
    add_displays(bench, 1)
    devices = await bench.start()
    await devices.call("DSP-01", lambda _: None, 5.0, urgency=Urgency.CALL)
    silent_since = len(bench.lines["bus"].transcript)

    await until_async(lambda: len(bench.lines["bus"].transcript) > silent_since + 2, room.CALM_AFTER_CALL_S / 2)


async def test_a_job_waits_for_one_input_of_its_line_and_not_for_all(bench: Bench) -> None:
    for n in (1, 2):
        bench.add(f"CAL-0{n}", "caller_rs485", "bus", address=n + 1)
    asked: list[str] = []
    posted = threading.Event()

    class Slow(Rs485Caller):
        def poll_press(self, limit_s: float) -> CallerPress | None:
            asked.append(self.device)
            assert posted.wait(40)
            return None

    for name, config in bench.configs.items():
        bench.configs[name] = replace(config, driver_type=Slow)
    devices = await bench.start()
    await until_async(lambda: asked)
    job = asyncio.ensure_future(devices.call("CAL-02", lambda _: asked.append("job"), 10.0))
    await asyncio.sleep(0)
    first = len(asked)
    posted.set()
    await job

    assert asked[first] == "job"
