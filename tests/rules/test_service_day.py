"""The service day: opening, closing, and what a start must put in order, whatever the clock says."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hall_daemon import service_day, store
from hall_daemon.tables import DayRow
from hall_daemon.tickets import DayIsOpen, DayIsOver, HallClosed, MustFinishFirst
from hall_daemon.words import CancelReason, Hold, Outcome, ParkReason, PrintResult, RequeuedBy, SlipState
from tests.rules.hall_room import HOUR_MS, PENSION, HallRoom, StandingClock, catalog, hall_room, write_hall

DAY_MS = 24 * HOUR_MS


async def one_of_each(room: HallRoom) -> None:
    """A001 finished, A002 cancelled, A003 a no-show, A004 parked, A005 called, A006 and H001 waiting."""
    await room.sign_in(w1="c001")
    await room.numbers(6)
    await room.numbers(1, PENSION)
    await room.call_and_serve()
    await room.hall.finish("1", "A001", Outcome.COMPLETED)
    await room.hall.cancel("A002", CancelReason.RESIDENT_LEFT, "c001")
    await room.hall.no_show("1", await room.call())
    await room.hall.park("1", await room.call_and_serve(), ParkReason.MATERIAL, Hold.HERE)
    await room.call()


def by_number(events: list[dict[str, Any]], tickets: dict[str, str]) -> dict[str, list[str]]:
    """Number → what happened to it, in order."""
    told: dict[str, list[str]] = {}
    for event in events:
        if "ticket_id" in event["data"]:
            told.setdefault(tickets[event["data"]["ticket_id"]], []).append(event["type"].split(".")[-2])
    return told


async def test_closing_ends_every_open_ticket_with_its_own_event(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await one_of_each(room)
        before = len(await room.log())
        room.clock.pass_ms(HOUR_MS)
        await service_day.close(room.hall)
        log = await room.log()
        tickets = {e["data"]["ticket_id"]: e["data"]["display_no"] for e in log if e["type"].endswith("issued.v1")}
        states = {number: (await room.row(number)).state for number in tickets.values()}

        assert states == {
            "A001": "finished", "A002": "cancelled", "A003": "expired", "A004": "finished", "A005": "expired",
            "A006": "expired", "H001": "expired",
        }  # fmt: skip
        assert by_number(log[before:], tickets) == {
            "A003": ["expired"], "A004": ["finished"], "A005": ["no_show", "expired"], "A006": ["expired"],
            "H001": ["expired"],
        }  # fmt: skip
        assert (await room.row("A004")).outcome == "left"
        assert (await room.hall.snapshot()).tickets == ()
        assert (await room.hall.snapshot()).sessions == {}
        assert not room.hall.day_open


async def test_the_closing_event_counts_the_day(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await one_of_each(room)
        await service_day.close(room.hall)
        log = await room.log()
        closed = log[-1]

    assert closed["type"] == "hall.day.closed.v1"
    assert closed["data"] == {
        "tickets": 7, "served": 2, "no_show": 2, "cancelled": 1, "expired": 4, "by_queue": {"A": 6, "H": 1},
        "evaluations": 0, "pages": 0, "first_sequence": 1, "last_sequence": int(closed["sequence"]),
    }  # fmt: skip
    assert {event["bizdate"] for event in log} == {"2026-01-05"}


async def test_the_times_of_tickets_that_ended_before_stay_as_they_were(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await one_of_each(room)
        ended = {number: (await room.row(number)).since_ms for number in ("A001", "A002")}
        room.clock.pass_ms(8 * HOUR_MS)
        await service_day.close(room.hall)

        assert {number: (await room.row(number)).since_ms for number in ended} == ended


async def test_nobody_is_shut_in(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await room.sign_in(w1="c001")
        await room.issue()
        await room.call_and_serve()
        before = len(await room.log())
        with pytest.raises(MustFinishFirst, match="A001"):
            await service_day.close(room.hall)

        assert len(await room.log()) == before
        assert room.hall.day_open
        await service_day.close(room.hall, force=True)
        assert (await room.row("A001")).outcome == "left"


async def test_a_closed_day_is_not_closed_again_and_not_opened_again(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        with pytest.raises(DayIsOpen) as open_already:
            await service_day.open_day(room.hall)
        await service_day.close(room.hall)
        with pytest.raises(HallClosed):
            await service_day.close(room.hall)
        with pytest.raises(DayIsOver) as over:
            await service_day.open_day(room.hall)

    assert open_already.value.sentence.zh == "2026-01-05 已经开厅。"
    assert "2026-01-05 已经日结" in over.value.sentence.zh


async def test_numbers_begin_anew_with_the_day_and_not_with_midnight(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        assert await room.numbers(2) == ["A001", "A002"]
        room.clock.pass_ms(16 * HOUR_MS)
        assert await room.numbers(1) == ["A003"]
        await service_day.close(room.hall)
        await service_day.open_day(room.hall)
        assert await room.numbers(1) == ["A001"]
        issued = [(e["bizdate"], e["data"]["display_no"]) for e in await room.log("ticket.issued")]

    assert issued == [("2026-01-05", n) for n in ("A001", "A002", "A003")] + [("2026-01-06", "A001")]


async def test_a_new_day_begins_with_an_empty_line(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await room.numbers(2)
        await service_day.close(room.hall)
        room.clock.pass_ms(DAY_MS)
        await service_day.open_day(room.hall)

        assert await room.waiting() == []
        assert (await room.issue()).waiting_ahead == 0
        assert await room.waiting() == ["A001"]


async def test_opening_closes_a_day_that_was_left_open(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await room.sign_in(w1="c001")
        await room.issue()
        await room.call_and_serve()
        room.clock.pass_ms(DAY_MS)
        with pytest.raises(MustFinishFirst, match="A001"):
            await service_day.open_day(room.hall)
        await room.hall.finish("1", "A001", Outcome.COMPLETED)
        await room.issue()
        await service_day.open_day(room.hall)
        told = [(e["type"].removeprefix("hall."), e["bizdate"]) for e in (await room.log())[-3:]]

    assert told == [
        ("ticket.expired.v1", "2026-01-05"), ("day.closed.v1", "2026-01-05"), ("day.opened.v1", "2026-01-06"),
    ]  # fmt: skip


# --- starts -----------------------------------------------------------------------------------------------------------


async def test_a_restart_within_the_day_keeps_every_place(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await one_of_each(room)
        before = (await room.hall.snapshot()).tickets
        clock = room.clock
    clock.pass_ms(HOUR_MS)
    async with hall_room(tmp_path / "hall", clock) as room:
        after = (await room.hall.snapshot()).tickets
        states = Counter(ticket.state for ticket in after)
        await room.numbers(1)

        assert {t.number: (t.state, t.arrival_ms, t.window) for t in after} == {
            t.number: (t.state, t.arrival_ms, t.window) for t in before
        }
        assert states == {"no_show": 1, "parked": 1, "called": 1, "waiting": 2}
        assert await room.waiting() == ["A006", "H001", "A007"]
        assert (await room.hall.snapshot()).sessions == {"1": "c001"}


async def test_a_day_that_was_never_closed_is_closed_by_the_next_mornings_start(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await one_of_each(room)
        await room.serve("1", "A005")
        clock = room.clock
    clock.pass_ms(DAY_MS)
    async with hall_room(tmp_path / "hall", clock) as room:
        log = await room.log()
        kinds = [(e["type"].removeprefix("hall."), e["bizdate"]) for e in log]
        closing = kinds.index(("day.closed.v1", "2026-01-05"))

        assert kinds[closing + 1 :] == [("day.opened.v1", "2026-01-06")]
        assert {bizdate for _, bizdate in kinds[: closing + 1]} == {"2026-01-05"}
        assert (await room.row("A005", "2026-01-05")).outcome == "left"
        assert room.hall.day_open
        assert await room.numbers(1) == ["A001"]
        assert store.verify(room.config.database) is None


async def test_a_restart_in_the_small_hours_of_an_evenings_service_keeps_the_day(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        room.clock.pass_ms(14 * HOUR_MS + 50 * 60_000)  # 23:50
        await room.numbers(2)
        clock = room.clock
    clock.pass_ms(20 * 60_000)  # ten past midnight
    async with hall_room(tmp_path / "hall", clock) as room:
        assert await room.waiting() == ["A001", "A002"]
        assert (await room.issue()).number == "A003"
        assert (await room.log("issued"))[-1]["bizdate"] == "2026-01-05"


async def test_a_closed_day_stays_closed_over_a_restart_until_the_next_morning(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await service_day.close(room.hall)
        clock = room.clock
    clock.pass_ms(HOUR_MS)
    async with hall_room(tmp_path / "hall", clock) as room:
        assert not room.hall.day_open
        with pytest.raises(HallClosed):
            await room.issue()
    clock.pass_ms(DAY_MS)
    async with hall_room(tmp_path / "hall", clock) as room:
        assert room.hall.day_open
        assert (await room.issue()).number == "A001"


@pytest.mark.parametrize("back_ms", [2 * HOUR_MS, 40 * DAY_MS, 56 * 365 * DAY_MS])
async def test_a_clock_that_was_set_back_changes_no_day(tmp_path: Path, back_ms: int) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await room.numbers(2)
        clock = room.clock
    clock.step_ms(-back_ms)
    async with hall_room(tmp_path / "hall", clock) as room:
        assert await room.waiting() == ["A001", "A002"]
        assert (await room.issue()).number == "A003"
        await room.sign_in(w1="c001")
        assert await room.call() == "A001"
        assert {e["bizdate"] for e in await room.log()} == {"2026-01-05"}


async def test_a_clock_that_was_set_back_reopens_no_closed_day(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await room.issue()
        await service_day.close(room.hall)
        clock = room.clock
    clock.step_ms(-3 * DAY_MS)
    async with hall_room(tmp_path / "hall", clock) as room:
        assert not room.hall.day_open
        with pytest.raises(DayIsOver, match="2026-01-05"):
            await service_day.open_day(room.hall)


async def test_the_wall_clock_does_not_decide_who_is_next(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await room.sign_in(w1="c001")
        await room.numbers(1)
        room.clock.step_ms(-2 * HOUR_MS)
        await room.numbers(1)
        room.clock.step_ms(26 * HOUR_MS)
        await room.numbers(1)

        assert await room.waiting() == ["A001", "A002", "A003"]
        assert await room.call() == "A001"
        assert (await room.last("ticket.called"))["rule"]["oldest_wait_s"] >= 0


async def test_a_slip_that_was_being_printed_is_unknown_after_the_start(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        pending, printed = await room.issue(), await room.issue()
        await room.issue(printed_required=False)
        await room.hall.record_print(printed.ticket_id, "PRN-01", PrintResult.OK)
        clock = room.clock
    async with hall_room(tmp_path / "hall", clock) as room:
        slips = [(await room.find(number)).slip for number in ("A001", "A002", "A003")]
        told = await room.last("ticket.printed")

        assert slips == [SlipState.UNKNOWN, SlipState.PRINTED, SlipState.NONE]
        assert (told["ticket_id"], told["result"], told["print_no"]) == (pending.ticket_id, "unknown", 1)
        assert [t.number for t in await room.hall.unprinted("k1")] == ["A001"]
    async with hall_room(tmp_path / "hall", clock) as room:
        assert len(await room.log("ticket.printed")) == 2, "an unknown slip is told once"


async def test_the_profile_is_announced_when_it_is_new_and_never_again(tmp_path: Path) -> None:
    folder = tmp_path / "hall"
    async with hall_room(folder) as room:
        first = [e["data"] for e in await room.log() if "profile" in e["type"] or "catalog" in e["type"]]
    async with hall_room(folder) as room:
        assert len(await room.log("profile")) == len(await room.log("catalog")) == 1
    write_hall(folder, (folder / "devices.toml").read_text("utf-8").replace("社会民生", "民生综合"), catalog())
    async with hall_room(folder) as room:
        again = await room.last("profile")

    assert [w["window_code"] for w in first[0]["windows"]] == ["1", "2", "3"]
    assert [(q["queue_code"], len(q["item_codes"])) for q in first[0]["queues"]] == [
        ("A", 2), ("H", 2), ("D", 0), ("B", 1),
    ]  # fmt: skip
    assert (first[1]["version"], first[1]["items"]) == (7, 5)
    assert again["queues"][2]["name"] == "民生综合"


async def test_open_time_goes_on_where_it_was_and_never_back(tmp_path: Path) -> None:
    clock = StandingClock()
    async with hall_room(tmp_path / "hall", clock) as room:
        clock.pass_ms(HOUR_MS)
        await room.issue()
        first = (await room.row("A001")).arrival_ms
    clock.running_s = 5.0  # the machine was switched off: its running time begins anew
    async with hall_room(tmp_path / "hall", clock) as room:
        await room.issue()
        second = (await room.row("A002")).arrival_ms
        day = await room.store.read(lambda session: session.get_one(DayRow, "2026-01-05").open_ms)

    assert first == HOUR_MS
    assert first < second == day


async def test_a_no_show_of_yesterday_is_nobody_today(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await room.sign_in(w1="c001")
        await room.issue()
        await room.call()
        await room.hall.no_show("1", "A001")
        await service_day.close(room.hall)
        room.clock.pass_ms(DAY_MS)
        await service_day.open_day(room.hall)
        await room.issue()
        with pytest.raises(Exception, match="illegal_step"):
            await room.hall.requeue("A001", RequeuedBy.CLERK)

        assert (await room.row("A001", "2026-01-05")).state == "expired"
