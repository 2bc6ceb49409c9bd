"""Callers and evaluation devices at a window: the hall's verbs by keys of steel, and one honest question per visit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from hall_daemon import service_day
from hall_daemon.callers import NEXT_AGAIN_S, Callers
from hall_daemon.desk import Desk
from hall_daemon.devices import Devices
from hall_daemon.evaluating import Evaluating, NoEvaluator
from hall_daemon.tables import EvaluationRow
from hall_daemon.tickets import IllegalStep, ScreenOutOfDate
from hall_daemon.words import Outcome, TicketState
from sim.caller_rs485 import CallerTwin
from sim.carriers import PtyLine
from sim.evaluator_caller import EvaluatorBehindCaller
from tests.background import at_work
from tests.rules.hall_room import PLACES, HallRoom, hall_room, write_hall
from tests.waiting import until_async

LINE = """
[device.CAL-01]
driver = "caller_rs485"
port = "{port}"
address = 3
{keys}

[device.EVA-01]
driver = "evaluator_caller"
port = "{port}"
caller_address = 3
"""
MORE_KEYS = 'keys = { "0a" = "serve", "0b" = "finish", "0c" = "no_show" }'
ALL_KEYS = (
    'keys = { "0a" = "serve", "0c" = "no_show", "0d" = "park", "0e" = "resume", "0f" = "pause", "10" = "rate", '
    '"11" = "undo" }'
)
SERVE, FINISH, NO_SHOW, PARK, RESUME, PAUSE, RATE, UNDO = range(0x0A, 0x12)


class Window1:
    """Window 1 with a caller and an evaluation device behind it, on one line."""

    def __init__(self, room: HallRoom, line: PtyLine, answer_limit_s: float) -> None:
        self.room, self.line = room, line
        self.caller: Any = line.twins[0]
        self.pad: Any = line.twins[1]
        self.devices = Devices(dict(room.config.devices), room.clock)
        self.evaluating = Evaluating(room.hall, self.devices, answer_limit_s)
        self.callers = Callers(room.hall, self.devices, Desk(room.hall), self.evaluating)

    async def state(self, number: str, state: TicketState) -> None:
        async def reached() -> bool:
            return (await self.room.find(number)).state is state

        await until_async(reached, what=f"{number} {state}")

    async def shows(self, number: str, waiting: int) -> None:
        await until_async(
            lambda: (self.caller.shown, self.caller.waiting) == (number, waiting),
            what=lambda: f"{number!r}, {waiting}; not {self.caller.shown!r}, {self.caller.waiting}",
        )

    async def signed_in(self) -> None:
        """As a clerk does it: type the staff number."""
        self.caller.log_in(1)
        await until_async(lambda: self.caller.logged_in, what="logged in")

    async def visit(self) -> str:
        """A resident is served and leaves."""
        number = (await self.room.issue()).number
        current = (await self.room.hall.snapshot()).at_window("1")
        await self.room.hall.call_next("1", current.number if current else None)
        await self.room.serve("1", number)
        await self.room.hall.finish("1", number, Outcome.COMPLETED)
        return number

    async def is_paused(self, paused: bool) -> bool:
        return ("1" in (await self.room.hall.snapshot()).pauses) is paused

    async def evaluations(self) -> list[dict[str, Any]]:
        return [event["data"] for event in await self.room.log("evaluation")]

    async def rows(self) -> list[EvaluationRow]:
        return await self.room.store.read(
            lambda s: [
                EvaluationRow(**row.model_dump())
                for row in s.exec(select(EvaluationRow).order_by(col(EvaluationRow.ended_ms)))
            ]
        )


@asynccontextmanager
async def window1(folder: Path, keys: str = "", answer_limit_s: float = 60.0) -> AsyncIterator[Window1]:
    line = PtyLine(folder / "line")
    line.attach(CallerTwin("CAL-01", {"address": 3}))
    line.attach(EvaluatorBehindCaller("EVA-01", {"caller_address": 3}))
    devices = '[window.1]\ncaller = "CAL-01"\nevaluator = "EVA-01"'
    places = PLACES.replace("[window.1]", devices)
    write_hall(folder / "hall", places + LINE.format(port=line.port, keys=keys))
    line.start()
    async with hall_room(folder / "hall") as room:
        found = Window1(room, line, answer_limit_s)
        found.devices.start()
        try:
            async with at_work(found.callers.run(), found.evaluating.run()):
                await until_async(lambda: all(v.link == "online" for v in found.devices.views()), what="online")
                yield found
        finally:
            await found.devices.stop()
            await asyncio.to_thread(line.stop)


# --- callers ----------------------------------------------------------------------------------------------------------


async def test_a_clerk_works_with_the_caller_alone(tmp_path: Path) -> None:
    async with window1(tmp_path) as hall:
        one, two = await hall.room.numbers(2)
        await hall.signed_in()
        assert (await hall.room.hall.snapshot()).sessions == {"1": "c001"}
        await hall.shows("", 2)
        hall.caller.press("next")
        await hall.state(one, TicketState.CALLED)
        await hall.shows("0001", 1)
        hall.caller.press("recall")
        await until_async(lambda: hall.room.find(one), what="found")
        await until_async(lambda: any(e.type.endswith("called.v1") and e.data.call_no == 2 for e in hall.room.heard))
        await asyncio.sleep(NEXT_AGAIN_S)  # a clerk who is done with somebody is no bouncing contact
        hall.caller.press("next")
        await hall.state(one, TicketState.FINISHED)
        await hall.state(two, TicketState.CALLED)
        await hall.shows("0002", 0)


async def test_a_key_that_is_pressed_twice_calls_one_resident(tmp_path: Path) -> None:
    async with window1(tmp_path) as hall:
        one, two = await hall.room.numbers(2)
        await hall.signed_in()
        hall.caller.press("next")
        await hall.state(one, TicketState.CALLED)
        hall.caller.press("next")
        hall.caller.press("recall")
        await until_async(lambda: any(e.type.endswith("called.v1") and e.data.call_no == 2 for e in hall.room.heard))
        assert (await hall.room.find(two)).state is TicketState.WAITING
        assert (await hall.room.find(one)).state is TicketState.CALLED


async def test_keys_that_only_some_callers_have(tmp_path: Path) -> None:
    async with window1(tmp_path, MORE_KEYS) as hall:
        one, two = await hall.room.numbers(2)
        await hall.signed_in()
        hall.caller.press("next")
        await hall.state(one, TicketState.CALLED)
        hall.caller.press_other(SERVE)
        await hall.state(one, TicketState.SERVING)
        hall.caller.press_other(FINISH)
        await hall.state(one, TicketState.FINISHED)
        await hall.shows("", 1)
        await asyncio.sleep(NEXT_AGAIN_S)
        hall.caller.press("next")
        await hall.state(two, TicketState.CALLED)
        hall.caller.press_other(NO_SHOW)
        await hall.state(two, TicketState.NO_SHOW)


async def test_a_caller_with_all_keys_parks_resumes_rates_undoes_and_pauses(tmp_path: Path) -> None:
    async with window1(tmp_path, ALL_KEYS) as hall:
        [number] = await hall.room.numbers(1)
        await hall.signed_in()
        for key, state in (
            ("next", TicketState.CALLED), (NO_SHOW, TicketState.NO_SHOW), (UNDO, TicketState.CALLED),
            (SERVE, TicketState.SERVING), (PARK, TicketState.PARKED), (RESUME, TicketState.SERVING),
        ):  # fmt: skip
            hall.caller.press(key) if isinstance(key, str) else hall.caller.press_other(key)
            await hall.state(number, state)
        hall.caller.press_other(RATE)
        await until_async(lambda: hall.pad.asking, what="asked while the visit goes on")
        hall.pad.press(1)
        await until_async(hall.evaluations, what="recorded")
        await hall.room.hall.finish("1", number, Outcome.COMPLETED)
        for paused in (True, False):
            hall.caller.press_other(PAUSE)
            hall.caller.press_other(RATE)  # nobody is here; the same key twice at once would be a bounce
            await until_async(lambda paused=paused: hall.is_paused(paused), what=f"paused: {paused}")


async def test_a_caller_with_digits_calls_a_chosen_number_and_sends_to_a_window(tmp_path: Path) -> None:
    async with window1(tmp_path, 'keys = { "0b" = "select", "0c" = "transfer" }') as hall:
        one, two = await hall.room.numbers(2)
        await hall.room.sign_in(w2="c002")
        await hall.signed_in()
        hall.caller.type_and_press(9, 0x0B)  # nobody has it
        hall.caller.type_and_press(2, 0x0B)
        await hall.state(two, TicketState.CALLED)
        assert (await hall.room.find(one)).state is TicketState.WAITING
        select = [e.data for e in hall.room.heard if e.type.endswith("acted.v1") and e.data.action == "select"]
        assert [a.reason_text for a in select] == ["呼叫器选呼"]
        hall.caller.type_and_press(2, 0x0C)
        await hall.state(two, TicketState.WAITING)
        assert (await hall.room.find(two)).for_window == "2"


async def test_with_a_key_for_serving_next_does_not_decide_about_a_call(tmp_path: Path) -> None:
    async with window1(tmp_path, MORE_KEYS) as hall:
        one, two = await hall.room.numbers(2)
        await hall.signed_in()
        hall.caller.press("next")
        await hall.state(one, TicketState.CALLED)
        await asyncio.sleep(NEXT_AGAIN_S)
        hall.caller.press("next")
        hall.caller.press_other(SERVE)
        await hall.state(one, TicketState.SERVING)
        assert (await hall.room.find(two)).state is TicketState.WAITING


async def test_an_unknown_staff_number_is_refused_and_a_signed_out_caller_empty(tmp_path: Path) -> None:
    async with window1(tmp_path) as hall:
        await hall.signed_in()
        await hall.room.hall.sign_out("1")
        await until_async(lambda: not hall.caller.logged_in, what="told by the screen's sign-out")
        hall.caller.log_in(4711)
        hall.caller.log_in(1)
        await until_async(lambda: hall.caller.logged_in, what="the right number still counts")
        assert (await hall.room.hall.snapshot()).sessions == {"1": "c001"}


async def test_a_clerk_who_signs_in_at_the_screen_finds_the_caller_up_to_date(tmp_path: Path) -> None:
    async with window1(tmp_path) as hall:
        await hall.room.numbers(3)
        await hall.room.sign_in(w1="c001")
        await hall.room.call()
        await hall.shows("0001", 2)
        await hall.room.serve("1", "A001")
        await hall.room.hall.finish("1", "A001", Outcome.COMPLETED)
        await hall.room.hall.sign_out("1")
        await until_async(lambda: not hall.caller.logged_in, what="told by the screen's sign-out")
        await hall.room.sign_in(w1="c001")
        await hall.shows("", 2)


async def test_a_caller_that_lost_its_power_learns_everything_at_its_next_log_in(tmp_path: Path) -> None:
    async with window1(tmp_path) as hall:
        await hall.room.numbers(3)
        await hall.signed_in()
        hall.caller.press("next")
        await hall.shows("0001", 2)
        hall.caller.power_cycle()
        assert not hall.caller.logged_in
        hall.caller.log_in(1)
        await hall.shows("0001", 2)


# --- evaluations ------------------------------------------------------------------------------------------------------


async def test_a_resident_who_leaves_is_asked_and_the_province_counts_the_other_way_round(tmp_path: Path) -> None:
    async with window1(tmp_path) as hall:
        await hall.signed_in()
        number = await hall.visit()
        await until_async(lambda: hall.pad.asking, what="asked")
        assert hall.evaluating.notice("1") is not None
        hall.pad.press(2)
        await until_async(hall.evaluations, what="recorded")
        [said] = await hall.evaluations()
        ticket = await hall.room.find(number)
        assert (said["level"], said["timeout"], said["ticket_id"]) == (4, False, ticket.ticket_id)
        assert (said["window_code"], said["clerk_id"], said["round"]) == ("1", "c001", 1)
        await until_async(
            lambda: (hall.evaluating.notice("1") or said).zh == "已评价", what="the clerk learns that, not what"
        )
        assert [(r.ticket_id, r.level) for r in await hall.rows()] == [(ticket.ticket_id, 4)]
        await service_day.close(hall.room.hall)
        assert (await hall.room.last("day.closed"))["evaluations"] == 1


async def test_who_is_asked_before_the_end_is_not_asked_again_and_silence_then_is_none_yet(tmp_path: Path) -> None:
    async with window1(tmp_path) as hall:
        await hall.signed_in()
        [first, second] = await hall.room.numbers(2)
        for number in (first, second):
            await hall.room.hall.call_next("1", None)
            with pytest.raises(IllegalStep):
                await hall.evaluating.ask_now("1", number)
            await hall.room.serve("1", number)
            with pytest.raises(ScreenOutOfDate):
                await hall.evaluating.ask_now("1", "A999")
            await hall.evaluating.ask_now("1", number)
            await until_async(lambda: hall.pad.asking, what="asked")
            if number == first:
                hall.pad.press(2)
                await until_async(hall.evaluations, what="recorded")
            await hall.room.hall.finish("1", number, Outcome.COMPLETED)
        await hall.room.sign_in(w2="c002")
        with pytest.raises(NoEvaluator):
            await hall.evaluating.ask_now("2", second)
        assert hall.pad.asking  # the question stays for whoever has it before them
        hall.pad.press(5)

        async def both() -> bool:
            return len(await hall.evaluations()) == 2

        await until_async(both, what="one evaluation a visit")
        assert [e["level"] for e in await hall.evaluations()] == [4, 1]


async def test_silence_is_recorded_as_silence(tmp_path: Path) -> None:
    async with window1(tmp_path, answer_limit_s=0.3) as hall:
        await hall.signed_in()
        await hall.visit()
        await until_async(hall.evaluations, what="recorded")
        [said] = await hall.evaluations()
        assert said["timeout"] is True
        assert "level" not in said
        await until_async(lambda: not hall.pad.asking, what="the pad is back to its welcome")
        notice = hall.evaluating.notice("1")
        assert notice is not None
        assert notice.zh == "未评价"
        hall.pad.answer_unasked(1)
        await service_day.close(hall.room.hall)
        assert len(await hall.evaluations()) == 1
        assert (await hall.room.last("day.closed"))["evaluations"] == 0


async def test_a_dead_pad_invents_nothing_and_stops_nobody(tmp_path: Path) -> None:
    async with window1(tmp_path) as hall:
        await hall.signed_in()
        await asyncio.to_thread(hall.line.unplug)
        await until_async(lambda: hall.devices.view("EVA-01").link == "offline", what="offline")
        await hall.visit()
        await until_async(hall.evaluations, what="recorded")
        assert [e["timeout"] for e in await hall.evaluations()] == [True]


async def test_nobody_rates_the_visit_of_somebody_else(tmp_path: Path) -> None:
    async with window1(tmp_path) as hall:
        await hall.signed_in()
        first = await hall.visit()
        await until_async(lambda: hall.pad.asking, what="asked")
        second = (await hall.room.issue()).number
        await hall.room.hall.call_next("1", None)
        await hall.room.serve("1", second)
        await until_async(hall.evaluations, what="the time for the first is over")
        assert [(e["ticket_id"], e["timeout"]) for e in await hall.evaluations()] == [
            ((await hall.room.find(first)).ticket_id, True)
        ]
        await until_async(lambda: not hall.pad.asking, what="the question is gone")
        await hall.room.hall.finish("1", second, Outcome.COMPLETED)
        await until_async(lambda: hall.pad.asking, what="the second is asked")
        hall.pad.press(1)

        async def two() -> bool:
            return len(await hall.evaluations()) == 2

        await until_async(two, what="recorded")
        assert (await hall.evaluations())[1]["level"] == 5
        await service_day.close(hall.room.hall)
        assert len(await hall.evaluations()) == 2
