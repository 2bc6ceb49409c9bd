"""The tables rebuilt from the event log are the tables, and whoever changes a row behind the log's back is found."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import Session

from hall_daemon import service_day, store, why
from hall_daemon.__main__ import main
from hall_daemon.desk import Desk
from hall_daemon.tickets import PadSlip, Slot
from hall_daemon.words import (
    CancelReason,
    Hold,
    Outcome,
    ParkReason,
    PauseReason,
    PrintResult,
    Priority,
    RequeuedBy,
    StreamReason,
)
from tests.rules.hall_room import MORNING_MS, PENSION, START_UP, HallRoom, RunningClock, card, hall_room


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[HallRoom]:
    async with hall_room(tmp_path / "hall") as found:
        await found.sign_in(w1="c001", w2="c002")
        yield found


async def a_day(room: HallRoom) -> None:
    """A bit of everything."""
    hall = room.hall
    slot = Slot(appointment_id="apt-1", start_ms=room.clock.now_ms() + 60_000, end_ms=room.clock.now_ms() + 3_600_000)
    await room.numbers(6)
    await room.issue(PENSION, card=card(), phone="13900000000", priority=Priority.DISABLED)
    await room.issue(START_UP, slot=slot)
    await room.issue(START_UP, more_items=(PENSION, "queue:D"))
    await hall.record_print((await room.find("A001")).ticket_id, "PRN-01", PrintResult.OK)
    await hall.pin("1", "A003", "带小孩")
    pinned = await room.call_and_serve("1")
    await hall.park("1", pinned, ParkReason.APPROVAL, Hold.STAGE, "缴费")
    await hall.stage_back("1", pinned)
    room.clock.pass_ms(90_000)
    await hall.resume("1", pinned)
    await room.transfer("1", pinned, to_queue="H", come_back=True)
    while (number := await room.call("1")) != pinned:
        await hall.no_show("1", number)
        await hall.requeue(number, RequeuedBy.KIOSK)
    await room.serve("1", pinned)
    room.clock.step_ms(-7_200_000)
    await hall.finish("1", pinned, Outcome.CONSULTED)
    await hall.undo("1")
    await hall.add_item("1", pinned, "queue:D")
    await hall.finish("1", pinned, Outcome.COMPLETED)
    number = await room.call("1")
    await hall.put_back("1", number, "叫错了")
    await hall.cancel(number, CancelReason.MISISSUE, "c001")
    await hall.key_in_pad("1", PadSlip(number="XA007", at_ms=MORNING_MS, item=START_UP, outcome=Outcome.COMPLETED))
    await hall.key_in_pad("1", PadSlip(number="XA008", at_ms=MORNING_MS, item=START_UP))


async def test_the_log_tells_the_whole_day(room: HallRoom) -> None:
    await a_day(room)
    assert store.replay_differences(room.config.database) == []

    await service_day.close(room.hall, force=True)
    room.clock.pass_ms(24 * 3600 * 1000)
    await service_day.open_day(room.hall)
    await room.numbers(2)
    assert store.replay_differences(room.config.database) == []


async def test_the_log_tells_a_day_whose_clock_does_not_stand(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall", RunningClock()) as room:
        await room.sign_in(w1="c001", w2="c002")
        await a_day(room)
        await room.hall.finish("1", await room.call_and_serve("1"), Outcome.COMPLETED)
        assert [str(found) for found in store.replay_differences(room.config.database)] == []


async def test_after_a_new_stream_each_event_counts_once(room: HallRoom) -> None:
    await a_day(room)
    await room.store.reset_stream(StreamReason.REPAIR)
    await room.numbers(1)

    assert store.replay_differences(room.config.database) == []


async def test_raised_serials_are_told(room: HallRoom) -> None:
    await room.numbers(2)
    await room.store.reset_stream(StreamReason.RESTORE)

    assert (await room.issue()).number == "A301"
    assert store.replay_differences(room.config.database) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("UPDATE ticket SET window = '2' WHERE number = 'A001'", "window is '2', the log says '1'"),
        ("INSERT INTO session VALUES ('3', 'c003', 0)", "session 3: is in no event"),
        ("UPDATE counter SET last = 1 WHERE series = 'A'", "last is 1, the log says 3"),
    ],
)
async def test_a_row_changed_behind_the_log_is_found(
    room: HallRoom, change: str, expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await room.numbers(3)
    await room.call_and_serve("1")
    await room.stop()
    connection = sqlite3.connect(room.config.database)
    connection.execute(change)
    connection.commit()
    connection.close()
    [difference] = store.replay_differences(room.config.database)

    assert expected in str(difference)
    arguments = ["verify", "--replay", "--config", str(room.folder / "devices.toml")]
    assert main(arguments) == 1
    assert expected in capsys.readouterr().err
    room.store.open()


# --- why --------------------------------------------------------------------------------------------------------------


async def because(room: HallRoom, number: str, other: str = "") -> list[str]:
    sentences = await room.store.read(lambda session: why.answer(session, number, other))
    assert all(s.en for s in sentences)
    return [s.zh for s in sentences]


async def test_who_came_first_is_told_with_both_times(room: HallRoom) -> None:
    await room.issue()
    room.clock.pass_ms(13 * 60_000)
    await room.issue()
    await room.call("1")

    assert await because(room, "A002") == [
        "A002：09:13 取号，现在等候。",
        "A001 先到：09:13 叫到 1 号窗口。A001 09:00 取号，本号 09:13。",
    ]
    assert await because(room, "A001") == ["A001：09:00 取号，现在叫号中。", "没有人在 A001 之前被叫。"]
    assert await because(room, "A099") == []


async def test_bonus_pin_choice_and_desk_are_told(room: HallRoom) -> None:
    await room.issue()
    room.clock.pass_ms(19 * 60_000)
    await room.issue(priority=Priority.PREGNANT)
    await room.numbers(2)
    await room.call_and_serve("1")
    await room.hall.pin("2", "A003", "赶火车")
    await room.hall.select("1", "VA001", "A002", "材料已备好")
    await room.serve("1", "A002")
    await room.hall.call_next("1", "A002")
    told = await because(room, "A001")

    assert told[1:] == [
        "VA001 优先（孕妇）：09:19 叫到 1 号窗口。它 09:19 取号，按规则提前 20 分钟排队；本号 09:00 取号。",
        "A002 由工作人员选呼，原因：材料已备好。09:19 叫到 1 号窗口。",
        "A003 由工作人员置顶，原因：赶火车。09:19 叫到 1 号窗口。",
    ]
    assert await because(room, "A001", "A003") == [told[0], told[3]]


async def test_the_answer_reads_the_steps_of_the_number_and_the_calls_while_it_waited(room: HallRoom) -> None:
    """By an index each: a log of a year answers as fast as one of a day."""

    def plans(session: Session) -> list[str]:
        asked = ((why._STEPS, {"subject": "ticket/x"}), (why._CALLS, {"after": 1, "until": 2}))
        return [
            row.detail for statement, facts in asked
            for row in session.connection().execute(text(f"EXPLAIN QUERY PLAN {statement}"), facts)
        ]  # fmt: skip

    steps = await room.store.read(plans)
    assert [step for step in steps if step.startswith("SCAN")] == []
    assert any("event_subject" in step for step in steps)


async def test_how_long_a_number_can_wait_at_most_is_stated(room: HallRoom) -> None:
    async def stated(number: str) -> list[str]:
        profile, now_ms = room.hall.profile, room.clock.now_ms()
        return [found.zh for found in await room.store.read(lambda s: why.bound(s, number, profile, now_ms))]

    await room.hall.sign_out("2")
    await room.numbers(4)
    await room.issue(PENSION)
    assert await stated("A003") == [
        "10:15 以后来的人，不会按规则排到 A003 前面；以前来的优先号、预约号还可能。"
        "现在可能在它前面的有 4 个号，1 个窗口在叫；"
        "每人都按今天最长的 15 分钟算，最晚 75 分钟后叫到。"
    ]
    await room.call_and_serve("1")
    room.clock.pass_ms(20 * 60_000)
    await room.hall.finish("1", "A001", Outcome.COMPLETED)
    assert [said.rpartition("，")[2] for said in await stated("A003")] == ["最晚 80 分钟后叫到。"]
    assert await stated("A001") == []
    await Desk(room.hall).pause("1", PauseReason.MEAL, 0)
    assert await stated("A003") == ["现在没有窗口在叫 A003 的业务，请告诉值班经理。"]


async def test_who_waited_twice_is_told_of_both_times_and_nothing_between(room: HallRoom) -> None:
    await room.numbers(5)
    await room.call("1")
    await room.hall.no_show("1", "A001")
    await room.call("1")
    await room.hall.no_show("1", "A002")
    await room.hall.requeue("A001", RequeuedBy.KIOSK)
    await room.call("1")

    assert [sentence[:4] for sentence in (await because(room, "A001"))[1:]] == ["A003"]
    await room.store.reset_stream(StreamReason.REPAIR)
    assert [sentence[:4] for sentence in (await because(room, "A001"))[1:]] == ["A003"]


async def test_the_command_prints_both_languages(room: HallRoom, capsys: pytest.CaptureFixture[str]) -> None:
    await room.numbers(2)
    await room.call("1")
    arguments = ["why", "A002", "--config", str(room.folder / "devices.toml")]

    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "A001 先到：" in printed
    assert "A001 came first: called at 09:00 to window 1" in printed
    assert main(["why", "A099", *arguments[2:]]) == 1
