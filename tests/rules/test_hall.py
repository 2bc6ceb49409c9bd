"""Every verb of the hall and every refusal: what the ticket is afterwards, and what the event says."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hall_daemon.protocol import Transfer
from hall_daemon.tickets import (
    HallError,
    IllegalStep,
    MustDecideCall,
    MustFinishFirst,
    NotFound,
    NothingWaiting,
    NotSignedIn,
    NoWindow,
    ScreenOutOfDate,
    WindowTaken,
)  # fmt: skip
from hall_daemon.words import (
    CancelReason,
    Hold,
    Outcome,
    ParkReason,
    RequeuedBy,
    TicketState,
)  # fmt: skip
from tests.rules.hall_room import (
    PENSION,
    RETIRED,
    START_UP,
    HallRoom,
    catalog,
    hall_room,
    write_hall,
)
from tests.waiting import until_async

S = TicketState


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[HallRoom]:
    async with hall_room(tmp_path / "hall") as found:
        await found.sign_in(w1="c001", w2="c002")
        yield found


# --- a clerk takes a window -------------------------------------------------------------------------------------------


async def test_a_clerk_sits_at_one_window_and_a_window_has_one_clerk(room: HallRoom) -> None:
    with pytest.raises(WindowTaken):
        await room.hall.sign_in("1", "c002")
    await room.hall.sign_in("3", "c001")

    assert (await room.hall.snapshot()).sessions == {"2": "c002", "3": "c001"}
    await room.hall.sign_in("1", "c003")
    assert await room.hall.clerk_at("1") == "c003"
    assert [(e["data"]["action"], e["data"]["target"]) for e in await room.log("operator.acted")] == [
        ("sign_in", "window/1"), ("sign_in", "window/2"), ("sign_out", "window/1"), ("sign_in", "window/3"),
        ("sign_in", "window/1"),
    ]  # fmt: skip


async def test_signing_in_twice_is_one_event(room: HallRoom) -> None:
    before = len(await room.log())

    assert await room.hall.sign_in("1", "c001") == before
    assert len(await room.log()) == before


@pytest.mark.parametrize(("window", "clerk", "what"), [("9", "c001", "9"), ("1", "c009", "c009"), ("9", "c009", "9")])
async def test_unknown_windows_and_clerks_are_named(room: HallRoom, window: str, clerk: str, what: str) -> None:
    with pytest.raises(NotFound) as caught:
        await room.hall.sign_in(window, clerk)

    assert caught.value.facts == {"what": what}


async def test_nobody_leaves_a_window_with_somebody_at_it(room: HallRoom) -> None:
    await room.issue()
    await room.call()
    with pytest.raises(MustDecideCall, match="A001"):
        await room.hall.sign_out("1")
    await room.serve("1", "A001")
    with pytest.raises(MustFinishFirst, match="A001"):
        await room.hall.sign_out("1")
    await room.hall.finish("1", "A001", Outcome.COMPLETED)
    await room.hall.sign_out("1")

    with pytest.raises(NotSignedIn):
        await room.hall.clerk_at("1")
    with pytest.raises(NotSignedIn):
        await room.hall.sign_out("1")


async def test_who_is_being_served_stays_when_the_clerk_goes_to_another_window(room: HallRoom) -> None:
    await room.issue()
    await room.call_and_serve()
    await room.hall.sign_in("3", "c001")
    await room.hall.sign_in("1", "c003")
    await room.hall.finish("1", "A001", Outcome.RECEIVED)

    assert (await room.last("ticket.finished"))["clerk_id"] == "c003"


Verb = Callable[[HallRoom], Awaitable[object]]
AT_A_WINDOW: dict[str, Verb] = {
    "sign_out": lambda r: r.hall.sign_out("3"),
    "call_next": lambda r: r.hall.call_next("3", None),
    "recall": lambda r: r.hall.recall("3", "A001"),
    "serve": lambda r: r.hall.serve("3", "A001", identity_rechecked=False),
    "no_show": lambda r: r.hall.no_show("3", "A001"),
    "park": lambda r: r.hall.park("3", "A001", ParkReason.COPY, Hold.HERE),
    "finish": lambda r: r.hall.finish("3", "A001", Outcome.LEFT),
    "transfer": lambda r: r.transfer("3", "A001", to_queue="H"),
    "resume": lambda r: r.hall.resume("3", "A001"),
    "clerk_at": lambda r: r.hall.clerk_at("3"),
}


@pytest.mark.parametrize("verb", AT_A_WINDOW)
async def test_nothing_happens_at_a_window_without_a_clerk(room: HallRoom, verb: str) -> None:
    before = len(await room.log())
    with pytest.raises(NotSignedIn) as caught:
        await AT_A_WINDOW[verb](room)

    assert "3" in caught.value.sentence.zh
    assert len(await room.log()) == before


# --- next -------------------------------------------------------------------------------------------------------------


async def test_who_came_first_is_called_first_whatever_the_queue(room: HallRoom) -> None:
    for item in (PENSION, START_UP, PENSION, START_UP):
        await room.numbers(1, item)
    called = []
    for _ in range(4):
        called.append(await room.call_and_serve("1"))
        await room.hall.finish("1", called[-1], Outcome.COMPLETED)

    assert called == ["H001", "A001", "H002", "A002"]


async def test_the_call_says_why_this_one_was_next(room: HallRoom) -> None:
    await room.numbers(3)
    room.clock.pass_ms(57_000)
    await room.call()

    assert await room.last("ticket.called") | {"ticket_id": ""} == {
        "ticket_id": "", "display_no": "A001", "window_code": "1", "clerk_id": "c001", "call_no": 1,
        "call_mode": "next", "rule": {"picked_by": "arrival", "candidates": 3, "oldest_wait_s": 60},
    }  # fmt: skip


async def test_next_finishes_who_is_being_served_in_the_same_commit(room: HallRoom) -> None:
    await room.numbers(2)
    await room.call_and_serve()
    event, number = await room.hall.call_next("1", "A001")

    assert number == "A002"
    assert [e["type"] for e in (await room.log())[-2:]] == ["hall.ticket.finished.v1", "hall.ticket.called.v1"]
    assert event == len(await room.log())
    assert (await room.row("A001")).outcome == "completed"
    assert (await room.find("A002")).state is S.CALLED


async def test_a_double_press_calls_one_resident(room: HallRoom) -> None:
    await room.numbers(3)
    await room.hall.call_next("1", None)
    with pytest.raises(ScreenOutOfDate):
        await room.hall.call_next("1", None)
    await room.serve("1", "A001")
    await room.hall.call_next("1", "A001")
    with pytest.raises(ScreenOutOfDate):
        await room.hall.call_next("1", "A001")

    assert [e["data"]["display_no"] for e in await room.log("ticket.called")] == ["A001", "A002"]


async def test_who_is_called_must_be_decided_before_the_next(room: HallRoom) -> None:
    await room.numbers(2)
    await room.call()

    with pytest.raises(MustDecideCall, match="A001"):
        await room.hall.call_next("1", "A001")


async def test_when_nobody_waits_who_is_being_served_stays(room: HallRoom) -> None:
    with pytest.raises(NothingWaiting):
        await room.call()
    await room.issue()
    await room.call_and_serve()
    with pytest.raises(NothingWaiting):
        await room.hall.call_next("1", "A001")

    assert (await room.find("A001")).state is S.SERVING


async def test_two_clerks_who_press_together_get_different_residents(room: HallRoom) -> None:
    await room.numbers(6, PENSION)
    called = await asyncio.gather(*(room.hall.call_next(window, None) for window in ("1", "2")))

    assert sorted(number for _, number in called) == ["H001", "H002"]


async def test_an_unknown_window_is_no_window(room: HallRoom) -> None:
    with pytest.raises(NotFound, match="9"):
        await room.hall.call_next("9", None)


# --- the ticket at the window -----------------------------------------------------------------------------------------


async def test_a_recall_counts_and_stays_called(room: HallRoom) -> None:
    await room.issue()
    await room.call()
    room.clock.pass_ms(20_000)
    await room.hall.recall("1", "A001")
    data, row = await room.last("ticket.called"), await room.row("A001")

    assert (data["call_no"], data["call_mode"], data["rule"]["picked_by"]) == (2, "recall", "recall")
    assert (row.state, row.call_no, row.called_ms) == ("called", 2, room.clock.wall_ms)
    assert row.since_ms == room.clock.wall_ms - 20_000


async def test_serving_begins_and_ends_with_their_times(room: HallRoom) -> None:
    await room.issue()
    await room.call()
    await room.hall.serve("1", "A001", identity_rechecked=True)
    room.clock.pass_ms(90_000)
    await room.hall.finish("1", "A001", Outcome.SUPPLEMENT)
    started, finished = await room.last("serving_started"), await room.last("ticket.finished")

    assert started["identity_rechecked"] is True
    assert finished | {"ticket_id": ""} == {
        "ticket_id": "", "window_code": "1", "clerk_id": "c001", "outcome": "supplement", "local_case_nos": [],
        "started_at": "2026-01-05T09:00:00.000+08:00", "ended_at": "2026-01-05T09:01:30.000+08:00",
    }  # fmt: skip


async def test_a_no_show_goes_back_behind_three_and_the_second_time_to_the_tail(room: HallRoom) -> None:
    await room.numbers(6)
    await room.call()
    await room.hall.no_show("1", "A001")
    await room.hall.requeue("A001", RequeuedBy.CLERK)
    assert await room.waiting() == ["A002", "A003", "A004", "A001", "A005", "A006"]
    assert (await room.find("A001")).waiting_ahead == 3
    first = await room.last("ticket.requeued")
    for _ in range(4):
        number = await room.call()
        await room.hall.no_show("1", number)
    await room.hall.requeue("A001", RequeuedBy.KIOSK)

    assert (first["position_rule"], first["n"], first["by"]) == ("after_n", 3, "clerk")
    assert await room.last("ticket.requeued") | {"ticket_id": ""} == {
        "ticket_id": "", "position_rule": "tail", "by": "kiosk",
    }  # fmt: skip
    assert await room.waiting() == ["A005", "A006", "A001"]
    row = await room.row("A001")
    assert (row.no_shows, row.call_no, row.window) == (2, 0, None)


async def test_with_three_or_fewer_waiting_the_tail_is_behind_three(room: HallRoom) -> None:
    await room.numbers(4)
    await room.call()
    await room.hall.no_show("1", "A001")
    await room.hall.requeue("A001", RequeuedBy.GUIDE)

    assert await room.waiting() == ["A002", "A003", "A004", "A001"]
    assert (await room.last("ticket.requeued"))["position_rule"] == "tail"


async def test_who_was_put_at_the_tail_stands_before_everybody_who_comes_after_a_restart(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await room.sign_in(w1="c001")
        await room.issue()
        await room.call()
        room.clock.pass_ms(3600 * 1000)
        await room.hall.no_show("1", "A001")
        await room.hall.requeue("A001", RequeuedBy.CLERK)
        clock = room.clock
    async with hall_room(tmp_path / "hall", clock) as room:
        await room.numbers(2)

        assert await room.waiting() == ["A001", "A002", "A003"]


async def test_a_parked_ticket_leaves_the_window_free_and_comes_back(room: HallRoom) -> None:
    await room.numbers(2)
    await room.call_and_serve()
    await room.hall.park("1", "A001", ParkReason.COPY, Hold.HERE)
    await room.call_and_serve()
    with pytest.raises(MustFinishFirst, match="A002"):
        await room.hall.resume("1", "A001")
    await room.hall.finish("1", "A002", Outcome.COMPLETED)
    await room.hall.resume("1", "A001")
    parked, resumed = await room.last("ticket.parked"), await room.last("ticket.resumed")

    assert (parked["reason_code"], parked["hold"]) == ("copy", "here")
    assert (resumed["reason_code"], resumed["hold"], resumed["window_code"]) == ("copy", "here", "1")
    assert (await room.find("A001")).state is S.SERVING


@pytest.mark.parametrize(
    ("hold", "window", "clerk", "may"),
    [
        (Hold.HERE, "2", "c002", False),
        (Hold.OPEN, "2", "c002", True),
        (Hold.STAGE, "2", "c002", True),
        (Hold.OPEN, "3", "c003", False),
    ],
)
async def test_another_window_takes_up_only_what_is_open_to_it(
    room: HallRoom, hold: Hold, window: str, clerk: str, may: bool
) -> None:
    await room.hall.sign_in(window, clerk)
    await room.issue(PENSION)
    await room.call_and_serve("1")
    await room.hall.park("1", "H001", ParkReason.APPROVAL, hold)
    if may:
        await room.hall.resume(window, "H001")
        assert (await room.row("H001")).window == window
        return
    with pytest.raises(IllegalStep):
        await room.hall.resume(window, "H001")
    assert (await room.find("H001")).state is S.PARKED


async def test_cancelling_takes_a_waiting_number_out_and_never_gives_it_away_again(room: HallRoom) -> None:
    await room.numbers(2)
    await room.hall.cancel("A001", CancelReason.MISISSUE, "c001")

    assert await room.waiting() == ["A002"]
    assert await room.last("cancelled") | {"ticket_id": ""} == {
        "ticket_id": "", "display_no": "A001", "reason_code": "misissue", "clerk_id": "c001",
    }  # fmt: skip
    assert (await room.issue()).number == "A003"
    for verb in (room.hall.cancel("A001", CancelReason.OTHER, None), room.hall.requeue("A001", RequeuedBy.CLERK)):
        with pytest.raises(IllegalStep):
            await verb
    with pytest.raises(NotFound):
        await room.hall.cancel("A099", CancelReason.OTHER, None)


# --- transfer ---------------------------------------------------------------------------------------------------------


async def test_a_transfer_to_a_queue_keeps_number_and_place(room: HallRoom) -> None:
    await room.numbers(1)
    await room.numbers(2, PENSION)
    await room.call_and_serve("1")
    await room.transfer("1", "A001", to_queue="H", reason="wrong_queue")

    assert await room.waiting("H") == ["A001", "H001", "H002"]
    row = await room.row("A001")
    assert (row.state, row.queue, row.zone, row.window, row.for_window) == ("waiting", "H", "D", None, None)
    assert await room.last("transferred") | {"ticket_id": ""} == {
        "ticket_id": "", "from_window": "1", "to_queue": "H", "keep_position": True, "reason_code": "wrong_queue",
        "clerk_id": "c001",
    }  # fmt: skip
    assert await room.call("2") == "A001"


async def test_a_transfer_without_place_goes_to_the_tail(room: HallRoom) -> None:
    await room.numbers(1)
    await room.numbers(2, PENSION)
    await room.call_and_serve("1")
    await room.transfer("1", "A001", to_queue="H", keep_position=False)

    assert await room.waiting("H") == ["H001", "H002", "A001"]


async def test_a_transfer_to_a_window_is_for_that_window_alone(room: HallRoom) -> None:
    await room.hall.sign_in("3", "c003")
    await room.numbers(3)
    await room.call_and_serve("1")
    await room.transfer("1", "A001", to_window="3")

    row = await room.row("A001")
    assert (row.queue, row.zone, row.for_window) == ("A", "D", "3")
    assert await room.call("1") == "A002"
    assert await room.call("3") == "A001"
    assert (await room.last("ticket.called"))["rule"]["picked_by"] == "sent_to_window"
    assert (await room.log("transferred"))[0]["data"]["to_window"] == "3"


async def test_who_was_sent_to_a_window_and_did_not_come_is_anybodys_of_the_queue_again(room: HallRoom) -> None:
    await room.hall.sign_in("3", "c003")
    await room.issue()
    await room.call_and_serve("1")
    await room.transfer("1", "A001", to_window="3")
    await room.call("3")
    await room.hall.no_show("3", "A001")
    await room.hall.requeue("A001", RequeuedBy.CLERK)

    assert await room.call("1") == "A001"


async def test_a_transfer_to_a_zone_goes_where_fewest_wait(room: HallRoom) -> None:
    await room.numbers(2, PENSION)
    await room.numbers(1)
    await room.hall.cancel("H001", CancelReason.OTHER, None)
    await room.hall.cancel("H002", CancelReason.OTHER, None)
    await room.numbers(1, PENSION)
    await room.call_and_serve("1")
    await room.transfer("1", "A001", to_zone="D")

    assert (await room.row("A001")).queue == "D"
    assert (await room.last("transferred"))["to_queue"] == "D"


@pytest.mark.parametrize(
    ("to", "refusal"),
    [
        ({"to_queue": "Z"}, NotFound),
        ({"to_window": "9"}, NotFound),
        ({"to_zone": "Z"}, NotFound),
        ({"to_queue": "B"}, NoWindow),
        ({"to_zone": "E"}, NoWindow),
    ],
)
async def test_nobody_is_sent_where_nobody_works(room: HallRoom, to: dict[str, str], refusal: type[HallError]) -> None:
    await room.issue()
    await room.call_and_serve()
    with pytest.raises(refusal):
        await room.transfer("1", "A001", **to)

    assert (await room.find("A001")).state is S.SERVING


@pytest.mark.parametrize("to", [{}, {"to_queue": "H", "to_window": "2"}, {"to_zone": "D", "to_queue": "H"}])
def test_a_transfer_has_exactly_one_target(to: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="exactly one of to_queue, to_window, to_zone"):
        Transfer(seen="A001", **to)


# --- what may not be done now -----------------------------------------------------------------------------------------


def about(number: str, window: str = "1") -> dict[str, Verb]:
    return {
        "recall": lambda r: r.hall.recall(window, number),
        "serve": lambda r: r.hall.serve(window, number, identity_rechecked=False),
        "no_show": lambda r: r.hall.no_show(window, number),
        "park": lambda r: r.hall.park(window, number, ParkReason.COPY, Hold.HERE),
        "finish": lambda r: r.hall.finish(window, number, Outcome.LEFT),
        "transfer": lambda r: r.transfer(window, number, to_queue="H"),
    }


@pytest.mark.parametrize("verb", about(""))
async def test_a_key_pressed_on_an_old_picture_does_nothing(room: HallRoom, verb: str) -> None:
    await room.numbers(2)
    with pytest.raises(ScreenOutOfDate):
        await about("A001")[verb](room)
    await room.call()
    before = len(await room.log())
    for number, window in (("A002", "1"), ("A001", "2"), ("Z999", "1")):
        with pytest.raises(ScreenOutOfDate):
            await about(number, window)[verb](room)

    assert len(await room.log()) == before


@pytest.mark.parametrize(
    ("state", "verbs"), [("called", ("park", "finish", "transfer")), ("serving", ("recall", "serve", "no_show"))]
)
async def test_steps_out_of_order_are_refused_with_the_state_in_both_languages(
    room: HallRoom, state: str, verbs: tuple[str, ...]
) -> None:
    await room.issue()
    await (room.call() if state == "called" else room.call_and_serve())
    for verb in verbs:
        with pytest.raises(IllegalStep) as caught:
            await about("A001")[verb](room)
        sentence = caught.value.sentence
        assert ("叫号中" if state == "called" else "办理中") in sentence.zh
        assert f"being {'called' if state == 'called' else 'served'}" in sentence.en


@pytest.mark.parametrize(
    "verb", [lambda r: r.hall.resume("1", "A001"), lambda r: r.hall.requeue("A001", RequeuedBy.CLERK)]
)
async def test_only_who_is_parked_is_resumed_and_only_a_no_show_is_requeued(room: HallRoom, verb: Verb) -> None:
    with pytest.raises(NotFound):
        await verb(room)
    await room.issue()
    with pytest.raises(IllegalStep, match="waiting"):
        await verb(room)


# --- questions --------------------------------------------------------------------------------------------------------


async def test_counts_are_those_of_the_line(room: HallRoom) -> None:
    await room.numbers(3, PENSION)
    await room.numbers(1)
    await room.call("2")

    assert (await room.hall.waiting_ahead(RETIRED), await room.hall.waiting_ahead(START_UP)) == (2, 1)
    assert {load.zone: load.waiting for load in await room.hall.zone_loads()} == {"A": 1, "D": 2, "E": 0}
    assert [(await room.find(n)).waiting_ahead for n in ("H001", "H002", "H003")] == [0, 0, 1]
    with pytest.raises(NotFound):
        await room.find("H004")


async def test_every_event_is_told_once_in_order_after_its_commit(room: HallRoom) -> None:
    await room.numbers(3)
    await room.call()
    committed = await room.log()
    await until_async(lambda: len(room.heard) >= len(committed) - 1)

    assert [event.sequence for event in room.heard] == list(range(2, len(committed) + 1))


async def test_a_ticket_outlives_its_item_zone_and_queue(tmp_path: Path) -> None:
    folder = tmp_path / "hall"
    async with hall_room(folder) as room:
        await room.issue(RETIRED, request_id="before the change")
        await room.issue("queue:D")
        clock = room.clock
    text = (folder / "devices.toml").read_text(encoding="utf-8")
    text = text.replace('[queue.D]\nname = "社会民生"\nzone = "D"\nitems = []\n', "")
    text = text.replace('["H", "D"]', '["H"]').replace('["D"]', '["H"]')
    write_hall(folder, text, catalog(**{RETIRED: "3"}))
    async with hall_room(folder, clock) as room:
        await room.sign_in(w2="c002")
        left = await room.find("D001")

        assert await room.waiting() == ["H001", "D001"]
        assert (left.item.name.zh, left.windows) == ("D", ())
        assert await room.call("2") == "H001"
        with pytest.raises(NotFound):
            await room.issue(RETIRED)
