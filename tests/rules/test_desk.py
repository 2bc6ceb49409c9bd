"""What happens at a window beside its tickets: pauses, notes, papers seen, messages; each with its audit event."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from hall_daemon import service_day, store
from hall_daemon.access import Role
from hall_daemon.desk import Desk, NotPaused, WordsPersonal
from hall_daemon.protocol_clerks import Tick
from hall_daemon.tickets import MustFinishFirst, NotFound, NotSignedIn, ScreenOutOfDate, WindowPaused
from hall_daemon.words import MessageTo, Outcome, PauseReason
from tests.rules.hall_room import HallRoom, hall_room


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[HallRoom]:
    async with hall_room(tmp_path) as found:
        await found.sign_in(w1="c001", w2="c002")
        yield found


async def acted(room: HallRoom) -> list[tuple[str, str]]:
    return [(e["data"]["action"], e["data"].get("reason_text", "")) for e in await room.log("operator.acted")]


async def test_paused_window_calls_nobody_until_it_goes_on(room: HallRoom) -> None:
    desk = Desk(room.hall)
    await room.issue()
    await desk.pause("1", PauseReason.MEAL, 30)
    view = await desk.pause_of("1")
    assert view is not None
    assert (view.reason, view.back) == (PauseReason.MEAL, "09:30")
    assert set((await room.hall.snapshot()).pauses) == {"1"}
    with pytest.raises(WindowPaused):
        await room.call()
    await desk.go_on("1")
    assert await room.call() == "A001"
    assert [a for a, _ in await acted(room)][-2:] == ["pause", "go_on"]
    with pytest.raises(NotPaused):
        await desk.go_on("1")


async def test_a_pause_ends_with_its_day(room: HallRoom) -> None:
    await Desk(room.hall).pause("1", PauseReason.AWAY, 0)
    await service_day.close(room.hall)
    room.clock.pass_ms(24 * 3600 * 1000)
    await service_day.open_day(room.hall)
    await room.sign_in(w1="c001")
    await room.issue()

    assert await room.call() == "A001"
    assert [str(found) for found in store.replay_differences(room.config.database)] == []


async def test_window_with_a_resident_or_without_a_clerk_is_not_paused(room: HallRoom) -> None:
    desk = Desk(room.hall)
    await room.issue()
    await room.call_and_serve()
    with pytest.raises(MustFinishFirst):
        await desk.pause("1", PauseReason.AWAY, 10)
    with pytest.raises(NotSignedIn):
        await desk.pause("3", PauseReason.AWAY, 10)


async def test_papers_seen_and_notes_are_there_again_after_a_restart(room: HallRoom) -> None:
    desk = Desk(room.hall)
    ticket = (await room.issue()).ticket_id
    number = await room.call_and_serve()
    await desk.tick("1", Tick(seen=number, materials=("M01", "M05")))
    await desk.tick("1", Tick(seen=number, materials=("M01",), on=False))
    await desk.note("1", number, "上次少盖公章")
    again = Desk(room.hall)
    await again.take_up()
    assert again.ticks(ticket) == {"M05"}
    assert [n.words for n in again.notes(ticket)] == ["上次少盖公章"]
    with pytest.raises(ScreenOutOfDate):
        await desk.tick("1", Tick(seen="A999", materials=("M01",)))


@pytest.mark.parametrize("words", ["请打 13800000000", "990000199909090053 的材料", "138 0000 0000"])
async def test_numbers_of_people_are_kept_nowhere(room: HallRoom, words: str) -> None:
    desk = Desk(room.hall)
    await room.issue()
    number = await room.call_and_serve()
    with pytest.raises(WordsPersonal):
        await desk.note("1", number, words)
    with pytest.raises(WordsPersonal):
        await desk.send("g902", "1", words)


async def test_call_for_the_manager_waits_until_somebody_takes_it(room: HallRoom) -> None:
    desk = Desk(room.hall)
    await desk.call_for("1", MessageTo.MANAGER, "")
    [call] = desk.calls()
    assert (call.sender, call.to, call.words) == ("1 号窗口", "值班长", "请值班长到窗口来")
    assert [m.acknowledged for m in desk.messages_at("1")] == [""]
    assert desk.messages_at("2") == ()
    await desk.acknowledge(call.message, "c002")
    await desk.acknowledge(call.message, "c001")
    assert desk.calls() == ()
    assert [m.acknowledged for m in desk.messages_at("1")] == ["样例二"]


async def test_a_manager_who_sits_at_a_window_hears_and_takes_the_calls_of_all(room: HallRoom) -> None:
    desk = Desk(room.hall)
    room.hall.staff["c002"] = replace(room.hall.staff["c002"], role=Role.MANAGER)
    for whom in (MessageTo.GUARD, MessageTo.MANAGER):
        await desk.call_for("1", whom, "")
    [call] = desk.messages_at("2", "c002")
    assert (call.words, call.mine) == ("请值班长到窗口来", False)
    assert desk.messages_at("2", "c001") == ()
    with pytest.raises(NotFound):
        await desk.read_at("1", call.message)
    await desk.read_at("2", call.message)
    assert [m.acknowledged for m in desk.messages_at("1")] == ["样例二", ""]


async def test_words_to_all_windows_are_read_at_each(room: HallRoom) -> None:
    desk = Desk(room.hall)
    await desk.send("guide", None, "请留通道")
    [told] = desk.messages_at("2")
    assert (told.sender, told.words, told.mine) == ("导办台", "请留通道", False)
    await desk.read_at("2", told.message)
    with pytest.raises(NotFound):
        await desk.read_at("1", "no such message")


async def test_visits_of_the_day_are_counted_by_clerk_and_after_a_restart(room: HallRoom) -> None:
    desk = Desk(room.hall)
    await room.numbers(2)
    for _ in range(2):
        number = await room.call_and_serve()
        await room.hall.finish("1", number, Outcome.COMPLETED)
    day = (await room.hall.snapshot()).bizdate
    again = Desk(room.hall)
    await again.take_up()
    assert (desk.served(day, "c001"), again.served(day, "c001"), again.served(day, "c002")) == (2, 2, 0)
