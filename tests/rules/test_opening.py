"""Opening hours, limits, and the service day from opening to closed, at every hour and after every power cut."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path

import pytest

from hall_daemon import service_day
from hall_daemon.clock import CHINA
from hall_daemon.config import load
from hall_daemon.config_table import ConfigError
from hall_daemon.day_keeping import DayKeeper
from hall_daemon.devices import Devices
from hall_daemon.opening import DayState, Hours, Span
from hall_daemon.protocol import DeviceView, StartScan, Text
from hall_daemon.protocol_technician import Health, SelfTest, SelfTestStep
from hall_daemon.scanning import Scanning, ScanRefused
from hall_daemon.service_day import Leftovers
from hall_daemon.tickets import (
    CapReached,
    ConfirmClose,
    Draining,
    HallClosed,
    Halted,
    NotNow,
    PersonCapReached,
    PowerFailing,
)  # fmt: skip
from hall_daemon.words import CancelReason, Channel, Outcome
from hall_daemon.workdays import Calendar
from tests.rules.hall_room import (
    HOUR_MS,
    PENSION,
    PLACES,
    RETIRED,
    START_UP,
    HallRoom,
    StandingClock,
    card,
    hall_room,
    write_hall,
)  # fmt: skip

HOURS = '\n[hours]\nworkday = ["08:30-12:00", "14:00-17:30"]\nsaturday = ["09:00-12:00"]\n'
EVENING = '\n[hours]\nworkday = ["18:00-01:30"]\n'
CALENDAR = Calendar(exceptions={date(2026, 1, 4): True, date(2026, 1, 1): False, date(2026, 2, 17): False})
WEEK = Hours(
    workday=(Span(start=510, end=720), Span(start=840, end=1050)), own={5: (Span(start=540, end=720),)}, early_min=30
)


def at(moment: str) -> int:
    """`2026-01-05 09:00` in the hall."""
    return int(datetime.fromisoformat(moment).replace(tzinfo=CHINA).timestamp() * 1000)


def keeper(room: HallRoom) -> DayKeeper:
    return DayKeeper(room.hall, room.cataloguing, lambda: ())


async def look(room: HallRoom, moment: str) -> DayState:
    """Let time pass until then, and let the keeper look at the clock."""
    room.clock.pass_ms(at(moment) - room.clock.now_ms())
    await keeper(room).tick()
    return room.hall.day.state


def written(folder: Path, tables: str = HOURS) -> Path:
    return write_hall(folder, PLACES + tables)


# --- hours ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "bizdate"),
    [
        ("2026-01-05 07:59", None), ("2026-01-05 08:00", "2026-01-05"), ("2026-01-05 13:00", "2026-01-05"),
        ("2026-01-05 17:30", None), ("2026-01-04 09:00", "2026-01-04"),  # a Sunday that is worked
        ("2026-01-01 09:00", None),  # a holiday
        ("2026-01-10 08:45", "2026-01-10"), ("2026-01-11 09:00", None),
    ],
)  # fmt: skip
@pytest.mark.fault("C11")
def test_service_day_of_an_hour(now: str, bizdate: str | None) -> None:
    plan = WEEK.plan_at(at(now), CALENDAR)

    assert (plan.bizdate if plan else None) == bizdate


@pytest.mark.parametrize(
    ("now", "goes_on"),
    [
        ("2026-01-05 08:10", None), ("2026-01-05 11:59", None), ("2026-01-05 12:00", "2026-01-05 14:00"),
        ("2026-01-05 13:59", "2026-01-05 14:00"), ("2026-01-05 14:00", None), ("2026-01-10 11:00", None),
    ],
)  # fmt: skip
def test_the_break_ends_with_the_next_span_and_before_opening_there_is_none(now: str, goes_on: str | None) -> None:
    plan = WEEK.plan_at(at(now), CALENDAR)

    assert plan is not None
    assert plan.break_ends_ms(at(now)) == (at(goes_on) if goes_on else None)


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        ("2026-01-05 07:00", "2026-01-05 08:30"), ("2026-01-05 12:30", "2026-01-05 14:00"),
        ("2026-01-09 18:00", "2026-01-10 09:00"), ("2026-01-10 12:30", "2026-01-12 08:30"),
        ("2026-02-16 18:00", "2026-02-18 08:30"),
    ],
)  # fmt: skip
def test_next_opening(now: str, opens: str) -> None:
    assert WEEK.next_opening_ms(at(now), CALENDAR) == at(opens)


@pytest.mark.fault("C04")
def test_an_evening_belongs_to_the_date_on_which_it_began() -> None:
    evening = Hours(workday=(Span(start=1080, end=1440 + 90),))
    plan = evening.plan_at(at("2026-01-06 01:00"), CALENDAR)

    assert plan is not None
    assert plan.bizdate == "2026-01-05"
    assert evening.plan_at(at("2026-01-06 01:30"), CALENDAR) is None


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('workday = ["8.30-12"]', "should look like '08:30-12:00'"),
        ('workday = ["08:30-12:00", "11:00-13:00"]', "begins before"),
        ('workday = ["12:00-12:00"]', "should look like"), ('workday = ["08:60-12:00"]', "should look like"),
        ('wokday = ["08:30-12:00"]', "did you mean 'workday'"), ("workday = []", "leave [hours] out"),
        ('workday = ["08:00-20:00", "21:00-09:00"]', "longer than a day"),
    ],
)  # fmt: skip
def test_hours_that_cannot_be_are_told(tmp_path: Path, lines: str, said: str) -> None:
    folder = write_hall(tmp_path / "hall", f"{PLACES}\n[hours]\n{lines}\n")

    with pytest.raises(ConfigError, match="hours") as wrong:
        load(folder / "devices.toml", {})
    assert said in str(wrong.value)


# --- the day by itself ------------------------------------------------------------------------------------------------


async def test_a_day_from_opening_over_the_break_to_draining(tmp_path: Path) -> None:
    written(tmp_path / "hall")
    async with hall_room(tmp_path / "hall", StandingClock(at("2026-01-05 07:00"))) as room:
        assert await look(room, "2026-01-05 07:30") is DayState.CLOSED
        assert await look(room, "2026-01-05 08:05") is DayState.OPENING
        with pytest.raises(NotNow) as refused:
            await room.issue(START_UP)
        assert "今天 08:30" in refused.value.sentence.zh
        assert await look(room, "2026-01-05 08:30") is DayState.OPEN
        opened = await room.last("day.opened")
        assert (opened["planned_open"], opened["planned_close"]) == ("08:30", "17:30")
        await room.issue(START_UP)
        await look(room, "2026-01-05 12:10")
        with pytest.raises(NotNow) as refused:
            await room.issue(START_UP)
        assert "14:00" in refused.value.sentence.zh
        await look(room, "2026-01-05 14:00")
        await room.issue(START_UP)
        assert await look(room, "2026-01-05 17:31") is DayState.DRAINING
        with pytest.raises(Draining) as refused:
            await room.issue(START_UP)
        assert "1月6日 08:30" in refused.value.sentence.zh
        await room.sign_in(w1="c001")
        assert await room.call() == "A001"
        assert (await room.issue(START_UP, channel=Channel.COUNTER)).number == "A003"


async def test_self_test_at_opening_tells_what_is_missing_and_stops_nothing(tmp_path: Path) -> None:
    written(tmp_path / "hall")
    async with hall_room(tmp_path / "hall", StandingClock(at("2026-01-05 08:10"))) as room:
        assert await look(room, "2026-01-05 08:10") is DayState.OPENING
        assert any("没有窗口" in check.zh for check in room.hall.day.checks)
        assert await look(room, "2026-01-05 08:30") is DayState.OPEN


class TestBench:
    """Devices that are tested at opening: which were, and what became of it."""

    __test__ = False

    def __init__(self) -> None:
        self.tried: list[str] = []

    def views(self) -> tuple[DeviceView, ...]:
        kinds = {
            "PRN-01": "printer",
            "PRN-02": "printer",
            "DSP-01": "display",
            "ANN-01": "announcer",
            "KEY-01": "keypad",
        }
        return tuple(
            DeviceView(
                device=device, kind=kind, driver="", proven="simulator", port="", identity="", jobs=0, failures=0,
                link="offline" if device == "PRN-02" else "online", since="", conditions=(), last_error="",
                answer_ms=None,
            )
            for device, kind in kinds.items()
        )  # fmt: skip

    async def test(self, device: str) -> SelfTest:
        self.tried.append(device)
        health = Health.BAD if device == "DSP-01" else Health.OK
        step = SelfTestStep(name=Text(zh="试"), health=health, note=Text(zh="没有应答"))
        return SelfTest(device=device, state="failed", began="", steps=(step,))


async def test_before_opening_a_page_is_printed_and_a_sentence_said_once_a_day(tmp_path: Path) -> None:
    written(tmp_path / "hall")
    bench = TestBench()
    async with hall_room(tmp_path / "hall", StandingClock(at("2026-01-05 08:10"))) as room:
        await DayKeeper(room.hall, room.cataloguing, bench.views, bench.test).tick()
        assert sorted(bench.tried) == ["ANN-01", "DSP-01", "PRN-01"]
        said = [check.zh for check in room.hall.day.checks]
        assert "DSP-01 自检未通过：没有应答" in said
        assert any(sentence.startswith("PRN-02：") for sentence in said)
    async with hall_room(tmp_path / "hall", room.clock) as room:
        await DayKeeper(room.hall, room.cataloguing, bench.views, bench.test).tick()
        assert len(bench.tried) == 3, "a daemon that starts anew prints no second page"


async def test_a_hall_that_should_be_open_already_opens_before_anything_is_tested(tmp_path: Path) -> None:
    written(tmp_path / "hall")
    bench = TestBench()
    async with hall_room(tmp_path / "hall", StandingClock(at("2026-01-05 09:10"))) as room:
        await DayKeeper(room.hall, room.cataloguing, bench.views, bench.test).tick()
        assert room.hall.day.state is DayState.OPEN
        assert bench.tried == []


@pytest.mark.fault("C04")
async def test_midnight_in_the_evening_service_changes_nothing(tmp_path: Path) -> None:
    written(tmp_path / "hall", EVENING)
    async with hall_room(tmp_path / "hall", StandingClock(at("2026-01-05 17:50"))) as room:
        await look(room, "2026-01-05 18:00")
        await room.issue(START_UP)
        assert room.hall.day.notices(room.clock.now_ms()) == ()
        assert await look(room, "2026-01-06 00:30") is DayState.OPEN
        assert [n.zh for n in room.hall.day.notices(room.clock.now_ms())] == ["营业日 2026-01-05 未关。"]
        assert (await room.issue(START_UP)).number == "A002"
        assert (await room.row("A002")).bizdate == "2026-01-05"
    async with hall_room(tmp_path / "hall", room.clock) as room:
        assert await look(room, "2026-01-06 01:00") is DayState.OPEN
        assert (await room.issue(START_UP)).number == "A003"
        assert await look(room, "2026-01-06 01:31") is DayState.DRAINING


@pytest.mark.fault("C04")
async def test_new_year_comes_while_the_hall_is_open(tmp_path: Path) -> None:
    written(tmp_path / "hall", EVENING)
    async with hall_room(tmp_path / "hall", StandingClock(at("2025-12-31 18:00"))) as room:
        await look(room, "2025-12-31 18:00")
        await look(room, "2026-01-01 00:30")
        assert (await room.issue(START_UP)).number == "A001"
        assert (await room.row("A001")).bizdate == "2025-12-31"


@pytest.mark.fault("C05")
async def test_a_forgotten_closing_is_made_up_before_the_next_opening(tmp_path: Path) -> None:
    written(tmp_path / "hall")
    async with hall_room(tmp_path / "hall", StandingClock(at("2026-01-05 08:30"))) as room:
        await look(room, "2026-01-05 08:30")
        await room.issue(START_UP)
        await look(room, "2026-01-05 17:30")
        assert await look(room, "2026-01-06 07:00") is DayState.DRAINING
        assert await look(room, "2026-01-06 08:00") is DayState.OPENING
        assert (await room.row("A001", "2026-01-05")).state == "expired"
        closed = (await room.log("day.closed"))[-1]
        assert closed["bizdate"] == "2026-01-05"
        await look(room, "2026-01-06 08:30")
        assert (await room.issue(START_UP)).number == "A001"


@pytest.mark.fault("C05")
async def test_a_forgotten_closing_with_somebody_being_served_is_asked_about(tmp_path: Path) -> None:
    written(tmp_path / "hall")
    async with hall_room(tmp_path / "hall", StandingClock(at("2026-01-05 08:30"))) as room:
        await look(room, "2026-01-05 08:30")
        await room.issue(START_UP)
        await room.sign_in(w1="c001")
        await room.call_and_serve()
        await look(room, "2026-01-06 08:10")
        question = room.hall.day.question
        assert question is not None
        assert "A001" in question.zh
        await room.hall.finish("1", "A001", Outcome.COMPLETED)
        assert await look(room, "2026-01-06 08:31") is DayState.OPEN
        assert room.hall.day.question is None


@pytest.mark.fault("C06")
async def test_power_off_at_closing_closes_the_old_day_first_with_its_own_date(tmp_path: Path) -> None:
    written(tmp_path / "hall")
    async with hall_room(tmp_path / "hall", StandingClock(at("2026-01-05 08:30"))) as room:
        await look(room, "2026-01-05 08:30")
        await room.numbers(3)
        await look(room, "2026-01-05 17:40")
    async with hall_room(tmp_path / "hall", StandingClock(at("2026-01-06 08:20"))) as room:
        assert await look(room, "2026-01-06 08:20") is DayState.OPENING
        told = [(e["type"].split(".")[-2], e["bizdate"]) for e in (await room.log())[-4:]]
        assert told == [("expired", "2026-01-05")] * 3 + [("closed", "2026-01-05")]
        (notice,) = room.hall.day.notices(room.clock.now_ms())
        assert notice.zh == "2026-01-05 没有闭厅，已自动补做：3 个号码失效。"
        assert await look(room, "2026-01-06 08:30") is DayState.OPEN


async def test_a_day_that_a_person_closed_early_stays_closed(tmp_path: Path) -> None:
    written(tmp_path / "hall")
    async with hall_room(tmp_path / "hall", StandingClock(at("2026-01-05 08:30"))) as room:
        await look(room, "2026-01-05 08:30")
        await service_day.close_confirmed(room.hall, "m001", None)
        assert await look(room, "2026-01-05 15:00") is DayState.CLOSED
        assert await look(room, "2026-01-06 08:30") is DayState.OPEN


# --- closing with people there ----------------------------------------------------------------------------------------


@pytest.mark.fault("E13")
async def test_closing_with_people_there_needs_the_counts_that_a_person_has_seen(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await room.numbers(9)
        with pytest.raises(ConfirmClose) as asked:
            await service_day.close_confirmed(room.hall, "m001", None)
        assert "9 人等候" in asked.value.sentence.zh
        assert (await room.last("operator.acted"))["action"] == "day.call_out"
        with pytest.raises(ConfirmClose):
            await service_day.close_confirmed(room.hall, "m001", Leftovers(waiting=8))
        assert len(await room.waiting()) == 9

        await service_day.close_confirmed(room.hall, "m001", Leftovers(waiting=9))
        acted = await room.last("operator.acted")
        assert (acted["action"], acted["actor_id"]) == ("day.close", "m001")
        assert "waiting=9" in acted["reason_text"]
        assert len(await room.log("ticket.expired")) == 9


@pytest.mark.fault("E13")
async def test_nobody_gets_a_number_who_would_not_be_called_before_closing(tmp_path: Path) -> None:
    written(tmp_path / "hall")
    async with hall_room(tmp_path / "hall", StandingClock(at("2026-01-05 14:00"))) as room:
        await look(room, "2026-01-05 17:00")
        await room.sign_in(w1="c001")
        given = 0
        refused: HallClosed | Exception | None = None
        while refused is None and given < 60:
            try:
                await room.issue(START_UP)
                given += 1
                room.clock.pass_ms(300)  # an estimate is kept for a moment
            except Exception as exc:  # noqa: BLE001 - judged below
                refused = exc
        assert type(refused).__name__ == "TooLate"
        assert 0 < given < 40
        assert (await room.issue(START_UP, channel=Channel.COUNTER)).number == f"A{given + 1:03d}"


# --- an emergency -----------------------------------------------------------------------------------------------------


@pytest.mark.fault("G08")
async def test_numbers_stay_valid_through_an_emergency_of_less_than_two_hours(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        numbers = await room.numbers(3)
        await room.sign_in(w1="c001")
        await service_day.emergency(room.hall, "m001", "消防演练", valid=True)
        with pytest.raises(Halted):
            await room.issue(START_UP)
        with pytest.raises(Halted):
            await room.call()
    async with hall_room(tmp_path / "hall", room.clock) as room:
        room.clock.pass_ms(HOUR_MS)
        await keeper(room).tick()
        assert room.hall.day.state is DayState.HALTED
        acted = await room.last("operator.acted")
        assert (acted["action"], acted["result"], acted["reason_text"]) == (
            "day.emergency_close", "valid_2h", "消防演练"
        )  # fmt: skip
        await service_day.reopen(room.hall, "m001")
        assert await room.waiting() == numbers
        assert await room.call() == "A001"


@pytest.mark.fault("G08")
@pytest.mark.parametrize("valid", [True, False], ids=["two hours later", "at once"])
async def test_numbers_that_an_emergency_ends_come_first_the_next_day(tmp_path: Path, valid: bool) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await room.issue(START_UP, card=card())
        await service_day.emergency(room.hall, "m001", "停电", valid=valid)
        if valid:
            room.clock.pass_ms(2 * HOUR_MS)
            await keeper(room).tick()
        assert room.hall.day.state is DayState.CLOSED
        assert (await room.row("A001")).state == "expired"
        room.clock.pass_ms(24 * HOUR_MS)
        await service_day.open_day(room.hall)
        await room.issue(START_UP)
        first = await room.issue(START_UP, card=card())
        assert first.number == "VA001"
        assert await room.waiting("A") == ["VA001", "A001"]
        await service_day.close(room.hall, force=True)
        room.clock.pass_ms(24 * HOUR_MS)
        await service_day.open_day(room.hall)
        assert (await room.issue(START_UP, card=card())).number == "A001"


@pytest.mark.fault("G01")
async def test_after_a_power_cut_in_opening_hours_everybody_has_their_place(tmp_path: Path) -> None:
    written(tmp_path / "hall")
    async with hall_room(tmp_path / "hall", StandingClock(at("2026-01-05 08:30"))) as room:
        await look(room, "2026-01-05 08:30")
        numbers = await room.numbers(4)
        await room.sign_in(w1="c001")
        await room.call()
    async with hall_room(tmp_path / "hall", StandingClock(at("2026-01-05 10:45"))) as room:
        assert await look(room, "2026-01-05 10:45") is DayState.OPEN
        assert await room.waiting("A") == numbers[1:]
        assert (await room.row("A001")).state == "called"
        assert (await room.issue(START_UP)).number == "A005"


@pytest.mark.fault("G01")
async def test_while_the_power_fails_nobody_is_called_and_everybody_keeps_their_place(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        numbers = await room.numbers(3)
        await room.sign_in(w1="c001", w2="c002")
        await room.call_and_serve()
        await service_day.power(room.hall, "ups", failing=True)
        with pytest.raises(ScanRefused, match="scanned now"):
            await Scanning(room.hall, Devices({}, room.clock)).start("1", StartScan(ticket="A001"))
        await room.hall.finish("1", "A001", Outcome.COMPLETED)
        with pytest.raises(PowerFailing):
            await room.call()
        assert "备用电源" in room.hall.day.notices(room.clock.now_ms())[0].zh
        assert await room.waiting() == numbers[1:]
        await service_day.power(room.hall, "ups", failing=False)
        assert await room.call() == "A002"
        assert [e["data"]["action"] for e in (await room.log("operator.acted"))[-2:]] == ["power.failing", "power.back"]


# --- limits -----------------------------------------------------------------------------------------------------------


def capped(folder: Path, line: str) -> None:
    write_hall(folder, PLACES.replace('name = "社保医保"', f'name = "社保医保"\n{line}'))


async def test_a_queue_gives_so_many_numbers_a_day(tmp_path: Path) -> None:
    capped(tmp_path / "hall", "daily_cap = 2")
    async with hall_room(tmp_path / "hall") as room:
        await room.numbers(2, PENSION)
        with pytest.raises(CapReached) as refused:
            await room.issue(RETIRED)
        assert "今日号已取完" in refused.value.sentence.zh
        assert (await room.issue(RETIRED, channel=Channel.COUNTER)).number == "H003"
        await room.issue(START_UP)


async def test_an_item_gives_so_many_numbers_a_day(tmp_path: Path) -> None:
    capped(tmp_path / "hall", f'item_caps = {{ "{PENSION}" = 1 }}')
    async with hall_room(tmp_path / "hall") as room:
        await room.issue(PENSION)
        with pytest.raises(CapReached):
            await room.issue(PENSION)
        await room.issue(RETIRED)


async def test_one_person_gets_so_many_numbers_of_a_queue_a_day_served_ones_too(tmp_path: Path) -> None:
    capped(tmp_path / "hall", "person_cap = 1")
    async with hall_room(tmp_path / "hall") as room:
        await room.issue(PENSION, card=card())
        await room.sign_in(w1="c001")
        number = await room.call_and_serve()
        await room.hall.finish("1", number, Outcome.COMPLETED)
        with pytest.raises(PersonCapReached):
            await room.issue(RETIRED, card=card())
        await room.issue(PENSION, phone="13800005678")
        await room.issue(START_UP, card=card())


async def test_a_cancelled_number_does_not_count(tmp_path: Path) -> None:
    capped(tmp_path / "hall", "daily_cap = 1")
    async with hall_room(tmp_path / "hall") as room:
        number = (await room.issue(PENSION)).number
        await room.hall.cancel(number, CancelReason.RESIDENT_LEFT, "c001")
        assert (await room.issue(PENSION)).number == "H002"
        with pytest.raises(CapReached):
            await room.issue(PENSION)


# --- killed while closing ---------------------------------------------------------------------------------------------

_DIE = """
import asyncio, os, signal, sys
from pathlib import Path
from hall_daemon import service_day, store
from tests.rules.hall_room import HallRoom, StandingClock
folder, point, now_ms = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
seen = 0
def die(*_args, **_more):
    os.kill(os.getpid(), signal.SIGKILL)
def hook(name, where):
    before = getattr(where, name)
    def wrapped(*args, **more):
        global seen
        seen += 1
        if point == f"{name}:{seen}":
            die()
        return before(*args, **more)
    setattr(where, name, wrapped)
async def main():
    room = await HallRoom(folder, StandingClock(now_ms)).start()
    for name, where in (("_append", store.Tx), ("_note_epoch", store.Store), ("_publish", store.Store)):
        if point.startswith(name):
            hook(name, where)
    await service_day.close(room.hall)
    die()
asyncio.run(main())
"""


@pytest.mark.fault("C06")
@pytest.mark.parametrize("point", ["_append:1", "_append:4", "_append:6", "_note_epoch:1", "_publish:1", "end:1"])
async def test_killed_at_any_point_of_closing_no_number_is_lost(tmp_path: Path, point: str) -> None:
    folder = tmp_path / "hall"
    async with hall_room(folder) as room:
        numbers = await room.numbers(5)
        clock = room.clock
    killed = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", _DIE, str(folder), point, str(clock.now_ms())], check=False, timeout=120,
        cwd=Path(__file__).parents[2], env={**os.environ, "PYTHONPATH": "."}, capture_output=True,
    )  # fmt: skip
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-500:]
    async with hall_room(folder, clock) as room:
        states = {number: (await room.row(number)).state for number in numbers}
        closed = await room.log("day.closed")
        if room.hall.day_open:
            assert (set(states.values()), closed) == ({"waiting"}, [])
            assert await room.waiting("A") == numbers
            assert (await room.issue(START_UP)).number == "A006"
            await service_day.close(room.hall)
        states = {number: (await room.row(number)).state for number in numbers}
        assert set(states.values()) == {"expired"}
        expired = [event["data"]["display_no"] for event in await room.log("ticket.expired")]
        assert sorted(set(expired)) == sorted(expired)
        assert set(numbers) <= set(expired)
        assert len(await room.log("day.closed")) == 1
