"""The hall learns how long things take, tells it with the number, and remembers it after a restart."""

from __future__ import annotations

from pathlib import Path

from hall_daemon import service_day
from hall_daemon.estimates import Estimate
from hall_daemon.tickets import Slot
from hall_daemon.waits import about_text, range_text
from hall_daemon.words import Hold, Outcome, ParkReason, Priority
from tests.rules.hall_room import HOUR_MS, HallRoom, hall_room


async def visit(room: HallRoom, minutes: float) -> None:
    """One number, called and served for so long."""
    number = (await room.issue()).number
    await room.call_and_serve()
    room.clock.pass_ms(int(minutes * 60_000))
    await room.hall.finish("1", number, Outcome.COMPLETED)


async def test_where_nothing_is_open_nothing_is_promised(tmp_path: Path) -> None:
    async with hall_room(tmp_path) as room:
        issued = await room.issue()
        assert issued.wait is None
        assert "est_wait_s" not in await room.last("ticket.issued")
        assert range_text(issued.wait).zh == "暂无估计"


async def test_the_expected_wait_is_told_with_the_number_and_in_its_event(tmp_path: Path) -> None:
    async with hall_room(tmp_path) as room:
        await room.sign_in(w1="c001")
        first = await room.issue()
        assert range_text(first.wait).zh == "不用等"
        assert (await room.last("ticket.issued"))["est_wait_s"] == 0
        for _ in range(5):
            room.clock.pass_ms(1000)
            last = await room.issue()
        assert last.wait is not None
        assert 30 * 60 < last.wait.middle_s < 70 * 60, (
            "five before it, ten minutes each where the catalogue says nothing"
        )
        assert (await room.last("ticket.issued"))["est_wait_s"] == round(last.wait.middle_s)


async def test_who_may_go_before_others_is_told_so(tmp_path: Path) -> None:
    async with hall_room(tmp_path) as room:
        await room.sign_in(w1="c001")
        for _ in range(6):
            room.clock.pass_ms(1000)
            last = await room.issue()
        elder = await room.issue(priority=Priority.ELDER)
        now_ms = room.clock.now_ms()
        slot = Slot(appointment_id="ap-1", start_ms=now_ms + 20 * 60_000, end_ms=now_ms + 50 * 60_000)
        booked = await room.issue(slot=slot)

        assert last.wait is not None
        assert elder.wait is not None
        assert booked.wait is not None
        assert elder.wait.middle_s < last.wait.middle_s / 2
        assert 20 * 60 <= booked.wait.middle_s < last.wait.middle_s


async def test_what_the_day_shows_outlives_a_restart(tmp_path: Path) -> None:
    async with hall_room(tmp_path) as room:
        await room.sign_in(w1="c001")
        for _ in range(12):
            await visit(room, 3)
        seen = room.hall.waits.paces(room.clock.monotonic_s() + 60)
        clock = room.clock
    async with hall_room(tmp_path, clock) as room:
        again = room.hall.waits.paces(room.clock.monotonic_s())
        assert again.mean_s == seen.mean_s
        assert sum(again.seen.values()) == 12


async def test_a_visit_that_was_parked_teaches_nothing(tmp_path: Path) -> None:
    async with hall_room(tmp_path) as room:
        await room.sign_in(w1="c001")
        await room.issue()
        number = await room.call_and_serve()
        await room.hall.park("1", number, ParkReason.COPY, Hold.HERE)
        room.clock.pass_ms(3 * 3600 * 1000)
        await room.hall.resume("1", number)
        await room.hall.finish("1", number, Outcome.COMPLETED)
        assert not room.hall.waits.diary.visits


async def test_a_new_day_begins_with_the_catalogue(tmp_path: Path) -> None:
    async with hall_room(tmp_path) as room:
        await room.sign_in(w1="c001")
        await visit(room, 3)
        await service_day.close(room.hall)
        room.clock.pass_ms(24 * HOUR_MS)
        await service_day.open_day(room.hall)
        assert not room.hall.waits.diary.visits


def test_lists_read_one_rounded_figure() -> None:
    estimate = Estimate(middle_s=1190, low_s=900, high_s=1500)
    assert (range_text(estimate).zh, about_text(estimate).zh) == ("15–25 分钟", "约 20 分钟")
    assert about_text(None).en == "no estimate"
