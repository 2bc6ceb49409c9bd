"""Faults of the queue, by their numbers in the failure catalogue, and the verbs that answer them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from hall_daemon import service_day, store
from hall_daemon.lanes import EARLY_MS, LATE_MS
from hall_daemon.queueing import LAST_SERIAL
from hall_daemon.screens import about_numbers, about_ticket
from hall_daemon.slips import SlipFacts, compose
from hall_daemon.tables import CounterRow
from hall_daemon.tickets import (
    AlreadyWaiting,
    HallError,
    IssueOrder,
    MustFinishFirst,
    NeedsReason,
    NoMoreNumbers,
    NotAPadNumber,
    NothingToUndo,
    NumberExists,
    PadNeedsWindow,
    PadSlip,
    PadState,
    RecallFirst,
    ScreenOutOfDate,
    Slot,
    StillAway,
    TooEarly,
)  # fmt: skip
from hall_daemon.words import Channel, Hold, Outcome, ParkReason, Priority, RequeuedBy, StreamReason, TicketState
from tests.rules.hall_room import MORNING_MS, PENSION, PLACES, START_UP, HallRoom, card, hall_room, write_hall

MINUTE_MS = 60_000
STRICT = PLACES.replace("no_show_calls = 1\n", "")
"""As the domain says: three calls."""


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[HallRoom]:
    write_hall(tmp_path / "hall", STRICT)
    async with hall_room(tmp_path / "hall") as found:
        await found.sign_in(w1="c001", w2="c002")
        yield found


async def line(room: HallRoom, window: str = "1") -> list[str]:
    """Numbers in the order in which a window would call them now."""
    hall = room.hall
    snapshot = await hall.snapshot()
    return [t.number for t in snapshot.line_at(hall.place(window, snapshot.sessions.get(window)), hall.moment())]


# --- taking a number --------------------------------------------------------------------------------------------------


@pytest.mark.fault("E07")
async def test_the_same_person_gets_no_second_number_unless_staff_says_why(room: HallRoom) -> None:
    await room.issue(card=card())
    with pytest.raises(AlreadyWaiting, match="A001"):
        await room.issue(card=card())
    with pytest.raises(AlreadyWaiting, match="A001"):
        await room.issue(PENSION, card=card(), more_items=(START_UP,))
    second = await room.issue(card=card(), again_reason="代家人办理", clerk="c001")

    assert second.number == "A002"
    audit = await room.last("operator.acted")
    assert (audit["action"], audit["target"], audit["reason_text"]) == (
        "second_number", f"ticket/{second.ticket_id}", "代家人办理",
    )  # fmt: skip


@pytest.mark.fault("E07")
async def test_a_number_for_several_things_counts_in_each_of_its_queues(room: HallRoom) -> None:
    await room.issue(START_UP, card=card(), more_items=(PENSION,))

    with pytest.raises(AlreadyWaiting, match="A001"):
        await room.issue(PENSION, card=card())


@pytest.mark.fault("E08")
async def test_a_hundred_presses_of_one_confirmation_are_one_ticket(room: HallRoom) -> None:
    found = await asyncio.gather(*(room.issue(request_id="order-pressed") for _ in range(100)))

    assert {one.number for one in found} == {"A001"}
    assert sum(not one.repeated for one in found) == 1
    assert (await room.issue()).number == "A002"


@pytest.mark.fault("E11")
async def test_a_queue_goes_on_after_999_and_stops_at_9999_with_a_notice(room: HallRoom) -> None:
    await room.issue()
    await room.store.write(lambda tx: tx.session.merge(CounterRow(bizdate="2026-01-05", series="A", last=998)))
    assert [(await room.issue()).number for _ in range(2)] == ["A999", "A1000"]
    await room.store.write(lambda tx: tx.session.merge(CounterRow(bizdate="2026-01-05", series="A", last=LAST_SERIAL)))

    with pytest.raises(NoMoreNumbers) as refused:
        await room.issue()
    assert refused.value.sentence.zh == "今日号已取完，请到导办台。"
    snapshot, profile = await room.hall.snapshot(), room.hall.profile
    assert [n.zh for n in about_numbers(profile, profile.windows["1"], snapshot)] == [
        "综合服务 今日号已取完，请引导到导办台。"
    ]
    assert about_numbers(profile, profile.windows["2"], snapshot) == []
    assert (await room.issue(priority=Priority.DISABLED)).number == "VA001"


@pytest.mark.fault("E16")
async def test_who_sees_numbers_skip_after_a_restore_is_told_that_it_is_normal(room: HallRoom) -> None:
    await room.numbers(2)
    assert not (await room.hall.snapshot()).jumped
    await room.store.reset_stream(StreamReason.RESTORE)
    assert (await room.issue()).number == "A301"
    snapshot, profile = await room.hall.snapshot(), room.hall.profile

    assert [n.zh for n in about_numbers(profile, profile.windows["1"], snapshot)] == ["今天的号码不连续，属正常。"]
    assert room.hall.numbers_jumped
    facts = SlipFacts(hall=profile.hall, number="A301", item=profile.hall, zone=profile.hall, windows="1",
                      waiting_ahead=2, taken="09:00", kiosk="1号机")  # fmt: skip
    assert "号码不连续属正常" in str(compose(replace(facts, jumped=True), 48))
    assert "号码不连续" not in str(compose(facts, 48))
    room.clock.pass_ms(24 * 3600 * 1000)
    await service_day.open_day(room.hall)
    assert not (await room.hall.snapshot()).jumped


async def test_lanes_count_each_for_itself_and_go_by_their_bonus(room: HallRoom) -> None:
    await room.numbers(2)
    room.clock.pass_ms(19 * MINUTE_MS)
    old = await room.issue(card=card(number="990000195202290029"))
    room.clock.pass_ms(2 * MINUTE_MS)
    late = await room.issue(priority=Priority.GREEN)

    assert (old.number, late.number) == ("VA001", "VA002")
    assert (await room.last("ticket.issued"))["priority"] == "green"
    assert await line(room) == ["VA001", "A001", "A002", "VA002"]


@pytest.mark.parametrize(
    ("before_ms", "number"),
    [(EARLY_MS, "YA001"), (0, "YA001"), (-30 * MINUTE_MS - LATE_MS, "YA001"), (-30 * MINUTE_MS - LATE_MS - 1, "A001")],
)
async def test_an_appointment_is_honoured_within_its_grace(room: HallRoom, before_ms: int, number: str) -> None:
    start_ms = MORNING_MS + before_ms
    issued = await room.issue(slot=Slot(appointment_id="apt-7", start_ms=start_ms, end_ms=start_ms + 30 * MINUTE_MS))
    event, checked_in = await room.last("ticket.issued"), await room.last("appointment.checked_in")

    assert (issued.number, issued.late) == (number, number == "A001")
    assert event["appointment_id"] == checked_in["appointment_id"] == "apt-7"
    assert (checked_in["slot_delta_s"], checked_in["ticket_id"]) == (-before_ms // 1000, issued.ticket_id)
    with pytest.raises(AlreadyWaiting, match=number):
        await room.issue(slot=Slot(appointment_id="apt-7", start_ms=start_ms, end_ms=start_ms + 30 * MINUTE_MS))


async def test_who_is_too_early_is_told_the_time(room: HallRoom) -> None:
    slot = Slot(appointment_id="apt-7", start_ms=MORNING_MS + 3_600_000, end_ms=MORNING_MS + 5_400_000)
    with pytest.raises(TooEarly) as refused:
        await room.issue(slot=slot)

    assert refused.value.sentence.zh == "您预约的时间是 10:00，请在 09:30 以后签到取号。"


async def test_an_appointment_is_not_called_before_its_slot_and_then_before_those_of_the_last_hour(
    room: HallRoom,
) -> None:
    slot = Slot(appointment_id="apt-7", start_ms=MORNING_MS + 20 * MINUTE_MS, end_ms=MORNING_MS + 50 * MINUTE_MS)
    await room.issue()
    await room.issue(slot=slot)
    assert await line(room) == ["A001"]
    room.clock.pass_ms(20 * MINUTE_MS + 1000)
    assert await line(room) == ["YA001", "A001"]
    room.clock.step_ms(-2 * 3600 * 1000)

    assert await line(room) == ["YA001", "A001"]


# --- calling ----------------------------------------------------------------------------------------------------------


@pytest.mark.fault("E09")
async def test_clerks_who_press_together_get_different_residents(room: HallRoom) -> None:
    await room.numbers(12, PENSION)
    for _ in range(6):
        called = await asyncio.gather(*(room.hall.call_next(window, None) for window in ("1", "2")))
        assert len({number for _, number in called}) == 2
        for window, (_, number) in zip(("1", "2"), called, strict=True):
            await room.serve(window, number)
            await room.hall.finish(window, number, Outcome.COMPLETED)

    assert len({e["data"]["display_no"] for e in await room.log("ticket.called")}) == 12


@pytest.mark.fault("E09", "E08")
async def test_of_many_presses_on_one_picture_one_counts(room: HallRoom) -> None:
    await room.numbers(5)
    answers = await asyncio.gather(*(room.hall.call_next("1", None) for _ in range(20)), return_exceptions=True)

    assert [type(a) for a in answers if isinstance(a, Exception)] == [ScreenOutOfDate] * 19
    assert len(await room.log("ticket.called")) == 1


@pytest.mark.fault("E10")
async def test_a_ticket_in_serving_outlives_the_clerks_pc_and_the_daemon(tmp_path: Path) -> None:
    folder = write_hall(tmp_path / "hall", STRICT)
    async with hall_room(folder) as room:
        await room.sign_in(w1="c001")
        await room.numbers(1)
        await room.call_and_serve("1")
        with pytest.raises(MustFinishFirst):
            await room.hall.sign_out("1")
        clock = room.clock
    async with hall_room(folder, clock) as room:
        ticket = await room.find("A001")
        assert ticket.state is TicketState.SERVING
        clock.pass_ms(40 * MINUTE_MS)
        amber, now_ms = "A001 已办理超过 30 分钟，办完请按结束。", clock.now_ms()
        assert amber in [notice.zh for notice in about_ticket(ticket, now_ms)]
        assert amber not in [notice.zh for notice in about_ticket(ticket, now_ms - 11 * MINUTE_MS)]
        await room.hall.sign_in("1", "c002", take_over=True)
        await room.hall.finish("1", "A001", Outcome.COMPLETED)

        assert (await room.last("ticket.finished"))["clerk_id"] == "c002"


@pytest.mark.fault("E12")
async def test_three_calls_twenty_seconds_apart_come_before_a_no_show(room: HallRoom) -> None:
    await room.numbers(6)
    await room.call("1")
    for wait_ms, calls, left_s in ((0, 1, 20), (5_000, 1, 15), (10_000, 1, 5), (5_000, 2, 20), (19_999, 2, 1)):
        room.clock.pass_ms(wait_ms)
        await room.hall.recall("1", "A001")
        with pytest.raises(RecallFirst) as refused:
            await room.hall.no_show("1", "A001")
        assert (refused.value.facts["calls"], refused.value.facts["left_s"]) == (calls, left_s)
    room.clock.pass_ms(1)
    with pytest.raises(RecallFirst) as refused:
        await room.hall.no_show("1", "A001")
    assert "请再呼一次" in refused.value.sentence.zh
    await room.hall.recall("1", "A001")
    await room.hall.no_show("1", "A001")

    assert (await room.last("ticket.no_show"))["calls"] == 7
    await room.hall.requeue("A001", RequeuedBy.KIOSK)
    assert await line(room) == ["A002", "A003", "A004", "A001", "A005", "A006"]
    assert [await room.call("1"), (await room.find("A001")).state] == ["A002", TicketState.WAITING]


@pytest.mark.fault("E12")
async def test_a_clerk_who_knows_better_says_why(room: HallRoom) -> None:
    await room.numbers(1)
    await room.call("1")
    await room.hall.no_show("1", "A001", "导办看到人已离开")
    audit = await room.last("operator.acted")

    assert (await room.find("A001")).state is TicketState.NO_SHOW
    assert (audit["action"], audit["reason_text"]) == ("early_no_show", "导办看到人已离开")


async def test_the_clock_of_calls_is_not_the_wall_clock(room: HallRoom) -> None:
    await room.numbers(1)
    await room.call("1")
    for _ in range(2):
        room.clock.step_ms(3600_000)
        await room.hall.recall("1", "A001")
    with pytest.raises(RecallFirst):
        await room.hall.no_show("1", "A001")


@pytest.mark.fault("E15")
async def test_a_wrong_call_goes_back_to_its_place_with_a_reason(room: HallRoom) -> None:
    await room.numbers(3)
    await room.call("1")
    with pytest.raises(NeedsReason):
        await room.hall.put_back("1", "A001", "  ")
    await room.hall.put_back("1", "A001", "叫错了")

    assert (await room.last("ticket.requeued"))["position_rule"] == "front"
    assert (await room.last("operator.acted"))["action"] == "put_back"
    assert await line(room) == ["A001", "A002", "A003"]
    assert await room.call("1") == "A001"


@pytest.mark.fault("E15")
async def test_an_undone_call_is_as_if_it_had_not_been_and_the_log_says_both(room: HallRoom) -> None:
    await room.numbers(2)
    before = await room.row("A001")
    await room.call("1")
    called = (await room.log("ticket.called"))[-1]
    room.clock.pass_ms(8_000)
    await room.hall.undo("1")
    corrected = await room.last("event.corrected")

    assert (await room.row("A001")).model_dump() == before.model_dump()
    assert (corrected["corrects_id"], corrected["fields"]["state"]) == (called["id"], "waiting")
    with pytest.raises(NothingToUndo):
        await room.hall.undo("1")


@pytest.mark.fault("E15")
async def test_finish_and_no_show_are_undone_in_turn_and_only_for_a_while(room: HallRoom) -> None:
    await room.numbers(3)
    await room.call_and_serve("1")
    await room.hall.call_next("1", "A001")
    await room.hall.undo("1")
    await room.hall.undo("1")
    assert (await room.find("A001")).state is TicketState.SERVING
    await room.hall.finish("1", "A001", Outcome.COMPLETED)
    await room.call("1")
    await room.hall.no_show("1", "A002", "已离开")
    room.clock.pass_ms(10_100)

    with pytest.raises(NothingToUndo):
        await room.hall.undo("1")
    assert (await room.hall.snapshot()).at_window("1") is None


async def test_what_has_moved_on_is_not_undone(room: HallRoom) -> None:
    await room.numbers(1)
    await room.call("1")
    await room.hall.no_show("1", "A001", "已离开")
    await room.hall.requeue("A001", RequeuedBy.KIOSK)

    with pytest.raises(NothingToUndo):
        await room.hall.undo("1")


async def test_a_chosen_call_and_a_pin_need_a_reason_and_are_audited(room: HallRoom) -> None:
    await room.numbers(3)
    with pytest.raises(NeedsReason):
        await room.hall.pin("1", "A003", "")
    await room.hall.pin("1", "A003", "赶火车")
    assert await line(room) == ["A003", "A001", "A002"]
    await room.hall.unpin("1", "A003")
    with pytest.raises(NeedsReason):
        await room.hall.select("1", None, "A002", " ")
    await room.hall.select("1", None, "A002", "材料已备好")
    called = await room.last("ticket.called")

    assert (called["call_mode"], called["rule"]["picked_by"]) == ("select", "select")
    assert [e["data"]["action"] for e in await room.log("operator.acted")][-3:] == ["pin", "unpin", "select"]
    assert await line(room) == ["A001", "A003"]


async def test_a_missed_number_whose_owner_is_here_is_chosen_in_one_step(room: HallRoom) -> None:
    await room.numbers(2)
    await room.call("1")
    await room.hall.no_show("1", "A001", "没来")
    await room.hall.select("1", None, "A001", "人已到窗口")

    assert (await room.find("A001")).state is TicketState.CALLED


async def test_skills_weights_and_order_decide_who_is_called_where(tmp_path: Path) -> None:
    places = STRICT.replace("[window.1]", "[window.1]\nweights = { H = 3 }")
    places = places.replace("[clerk.c002]", '[clerk.c002]\nskills = ["D"]')
    async with hall_room(write_hall(tmp_path / "hall", places).parent / "hall") as room:
        await room.sign_in(w1="c001", w2="c002")
        await room.issue()
        room.clock.pass_ms(9 * MINUTE_MS)
        await room.issue(PENSION)
        room.clock.pass_ms(2 * MINUTE_MS)
        await room.issue(PENSION)
        await room.issue("queue:D")

        assert await line(room) == ["H001", "A001", "H002"]
        assert await line(room, "2") == ["D001"]
        await room.call("1")
        assert (await room.last("ticket.called"))["rule"]["picked_by"] == "weight"


# --- one number, several things; detours; colleagues ------------------------------------------------------------------


async def test_one_number_is_called_by_whichever_of_its_windows_is_free_first(tmp_path: Path) -> None:
    places = STRICT.replace("[queue.D]", '[queue.D]\nafter = ["A"]')
    async with hall_room(write_hall(tmp_path / "hall", places)) as room:
        await room.sign_in(w1="c001", w2="c002", w3="c003")
        issued = await room.issue(START_UP, more_items=(PENSION, "queue:D"))
        event = await room.last("ticket.issued")
        assert (issued.number, event["item_codes"]) == ("A001", [START_UP, PENSION])
        assert [await line(room, w) for w in ("1", "2", "3")] == [["A001"], ["A001"], []]
        await room.call_and_serve("2")
        assert (await room.find("A001")).queue == "H"
        await room.hall.finish("2", "A001", Outcome.COMPLETED)
        assert [await line(room, w) for w in ("1", "2", "3")] == [["A001"], [], []]
        await room.call_and_serve("1")
        await room.hall.finish("1", "A001", Outcome.COMPLETED)
        assert await line(room, "3") == ["A001"]
        await room.call_and_serve("3")
        await room.hall.finish("3", "A001", Outcome.COMPLETED)

        assert (await room.find("A001")).state is TicketState.FINISHED
        assert [e["data"]["reason_code"] for e in await room.log("ticket.transferred")] == ["next_item"] * 2


async def test_a_detour_comes_back_to_its_place_and_its_first_clerk(room: HallRoom) -> None:
    await room.numbers(1)
    await room.call_and_serve("1")
    room.clock.pass_ms(30 * MINUTE_MS)
    await room.numbers(1)
    await room.transfer("1", "A001", to_queue="D", come_back=True)
    await room.call_and_serve("2")
    await room.hall.finish("2", "A001", Outcome.COMPLETED)

    assert await line(room) == ["A001", "A002"]
    row = await room.row("A001")
    assert (row.first_clerk, row.for_window, row.queue) == ("c001", "1", "A")
    await room.hall.sign_out("1")
    assert (await room.find("A001")).for_window == "1"


async def test_a_detour_keeps_its_place_whatever_is_asked(room: HallRoom) -> None:
    await room.numbers(2, PENSION)
    await room.call_and_serve("1")
    before = await room.row("H001")
    await room.transfer("1", "H001", to_queue="D", come_back=True, keep_position=False)
    away = await room.row("H001")
    await room.call_and_serve("2")
    await room.hall.finish("2", "H001", Outcome.COMPLETED)
    back = await room.row("H001")

    assert (before.arrival_ms, before.arrived_ms) == (away.arrival_ms, away.arrived_ms)
    assert (before.arrival_ms, before.first_clerk) == (back.arrival_ms, back.first_clerk)
    assert [t["keep_position"] for t in [e["data"] for e in await room.log("ticket.transferred")]] == [True, True]
    assert [e["data"]["window_code"] for e in await room.log("ticket.called")] == ["1", "2"]


async def test_who_was_sent_to_a_window_that_closed_is_called_by_another(room: HallRoom) -> None:
    await room.numbers(1, PENSION)
    await room.call_and_serve("1")
    await room.transfer("1", "H001", to_window="2")
    assert (await line(room), await line(room, "2")) == ([], ["H001"])
    await room.hall.sign_out("2")

    assert await line(room) == ["H001"]


async def test_a_visit_goes_to_a_colleague_before_all_others(room: HallRoom) -> None:
    await room.numbers(1, PENSION)
    await room.call_and_serve("1")
    await room.numbers(2, PENSION)
    with pytest.raises(HallError):
        await room.hall.to_colleague("1", "H001", "3")
    await room.hall.to_colleague("1", "H001", "2")

    assert (await line(room, "2"))[0] == "H001"
    assert await line(room) == ["H002", "H003"]


async def test_a_stage_must_come_back_and_the_clock_of_the_work_stands_meanwhile(room: HallRoom) -> None:
    await room.numbers(1, PENSION)
    await room.call_and_serve("1")
    room.clock.pass_ms(5 * MINUTE_MS)
    await room.hall.park("1", "H001", ParkReason.APPROVAL, Hold.STAGE, "缴费")
    room.clock.pass_ms(60 * MINUTE_MS)
    with pytest.raises(StillAway) as refused:
        await room.hall.resume("1", "H001")
    assert "缴费" in refused.value.sentence.zh
    await room.hall.stage_back("1", "H001")
    await room.hall.resume("2", "H001")
    room.clock.pass_ms(2 * MINUTE_MS)
    await room.hall.finish("2", "H001", Outcome.COMPLETED)

    assert (await room.row("H001")).worked_ms == 7 * MINUTE_MS


# --- without a ticket -------------------------------------------------------------------------------------------------


async def test_somebody_without_a_ticket_is_served_at_once(room: HallRoom) -> None:
    order = IssueOrder(item=START_UP, request_id="walk-in-0001", channel=Channel.COUNTER, device_id="CTR-01")
    issued = await room.hall.serve_walk_in("1", order)
    again = await room.hall.serve_walk_in("1", order)

    assert (issued.number, again.number, again.repeated) == ("A001", "A001", True)
    assert (await room.find("A001")).state is TicketState.SERVING
    with pytest.raises(MustFinishFirst):
        await room.hall.serve_walk_in("1", IssueOrder(
            item=START_UP, request_id="walk-in-0002", channel=Channel.COUNTER, device_id="CTR-01",
        ))  # fmt: skip
    assert (await room.issue()).number == "A002"


@pytest.mark.fault("G02")
async def test_paper_pads_are_keyed_in_once_with_their_time_and_outcome(room: HallRoom) -> None:
    room.clock.pass_ms(60 * MINUTE_MS)
    await room.issue()
    at_ms = MORNING_MS + 10 * MINUTE_MS
    done = PadSlip(number="XA012", at_ms=at_ms, item=START_UP, outcome=Outcome.COMPLETED)
    await room.hall.key_in_pad("1", done)
    with pytest.raises(NumberExists, match="XA012"):
        await room.hall.key_in_pad("1", done)
    await room.hall.key_in_pad("1", PadSlip(number="XA013", at_ms=at_ms, item=START_UP))
    for wrong in ("A012", "XH012", "XA000"):
        with pytest.raises(NotAPadNumber):
            await room.hall.key_in_pad("1", PadSlip(number=wrong, at_ms=at_ms, item=START_UP))
    issued = next(e for e in await room.log("ticket.issued") if e["data"]["display_no"] == "XA012")

    assert (issued["data"]["channel"], issued["time"]) == ("paper_emergency", "2026-01-05T09:10:00.000+08:00")
    assert (await room.find("XA012")).state is TicketState.FINISHED
    assert await line(room) == ["XA013", "A001"]


@pytest.mark.fault("G02")
async def test_a_stack_of_pads_is_keyed_in_at_once_and_may_be_sent_again(room: HallRoom) -> None:
    room.clock.pass_ms(60 * MINUTE_MS)
    at_ms = MORNING_MS + 10 * MINUTE_MS
    served = PadSlip(number="XA002", at_ms=at_ms, outcome=Outcome.COMPLETED, window="1", clerk="c002")
    stack = [PadSlip(number="XA001", at_ms=at_ms, item=START_UP), served, PadSlip(number="XH001", at_ms=at_ms)]
    wrong = [
        PadSlip(number="XA003", at_ms=at_ms, outcome=Outcome.COMPLETED), PadSlip(number="XZ001", at_ms=at_ms),
        PadSlip(number="XA004", at_ms=at_ms, item="none"), PadSlip(number="XA005", at_ms=at_ms, item=PENSION),
    ]  # fmt: skip
    _, first = await room.hall.key_in_pads([*stack, *wrong], "g902")
    await room.hall.call_next("1", None)
    numbers = [e["data"]["display_no"] for e in await room.log("ticket.issued")]
    _, again = await room.hall.key_in_pads([*stack, replace(served, at_ms=at_ms + MINUTE_MS)], "g902")

    assert [a.state for a in first] == [PadState.KEYED] * 3 + [PadState.REFUSED] * 4
    assert first[3].why == PadNeedsWindow(number="XA003").sentence
    assert [a.state for a in again] == [PadState.KNOWN] * 3 + [PadState.REFUSED]
    assert again[3].why == NumberExists(number="XA002").sentence
    assert numbers == [e["data"]["display_no"] for e in await room.log("ticket.issued")] == ["XA001", "XA002", "XH001"]
    assert (await room.last("ticket.finished"))["clerk_id"] == "c002"
    audit = await room.last("operator.acted")
    assert (audit["action"], audit["actor_id"], audit["reason_text"]) == ("pads", "g902", "keyed 0, known 3, refused 1")
    assert (await room.find("XH001")).item.name.zh == "社保医保"
    assert [str(found) for found in store.replay_differences(room.config.database)] == []
