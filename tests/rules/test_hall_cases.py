"""Handing in at a window: accept, one complete notice, supplement, return, decide; and what the log tells of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, col, select

from hall_daemon import case_lookups, store
from hall_daemon.access import Role
from hall_daemon.cases import CaseState, LineState
from hall_daemon.desk import Desk
from hall_daemon.hall_cases import CaseComplete, CaseIncomplete, CaseNoItem, CaseNotYours, CaseStep, may_decide
from hall_daemon.protocol_cases import DecideCase, HandIn, ReturnCase, Supplement, TakenPaper, WithdrawCase
from hall_daemon.store import Tx
from hall_daemon.tables import MaterialRow
from hall_daemon.tables_cases import CaseRow
from hall_daemon.tickets import IllegalStep, NotFound, NothingToUndo, ScreenOutOfDate
from hall_daemon.words import CopyKind, CounterKind, Outcome, PauseReason
from tests.rules.hall_room import (
    HOUR_MS,
    PENSION,
    PLACES,
    START_UP,
    HallRoom,
    StandingClock,
    card,
    catalog,
    hall_room,
    write_hall,
)

DAY_MS = 24 * HOUR_MS
PAPERS = [
    {"code": "M01", "name": "居民身份证", "copy": "original", "waivable_by": ["e_license"]},
    {"code": "M05", "name": "申请表", "copy": "original"},
    {"code": "M07", "name": "住所使用证明", "copy": "copy", "waivable_by": ["commitment"]},
    {"code": "M03", "name": "授权委托书", "copy": "original", "need": "conditional"},
]
ALL = ("M01", "M05", "M07")


def catalogue(kind: str = "promised", days: int = 3) -> str:
    whole = json.loads(catalog())
    for item in whole["items"]:
        if item["code"] in (START_UP, PENSION):
            item.update(kind=kind, promise_days=days, materials=PAPERS)
    return json.dumps(whole, ensure_ascii=False)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[HallRoom]:
    write_hall(tmp_path, items=catalogue())
    async with hall_room(tmp_path) as life:
        await life.sign_in(w1="c001", w2="c002")
        yield life


async def at_window(room: HallRoom, item: str = START_UP, **more: Any) -> str:
    """Somebody is being served at window 1."""
    await room.issue(item, **more)
    return await room.call_and_serve()


def taken(*codes: str, fault: str = "") -> tuple[TakenPaper, ...]:
    return tuple(TakenPaper(code=code, fault=fault) for code in codes)


async def rows(room: HallRoom) -> list[CaseRow]:
    def question(session: Session) -> list[CaseRow]:
        found = list(session.exec(select(CaseRow).order_by(col(CaseRow.local_case_no))))
        session.expunge_all()
        return found

    return await room.store.read(question)


# --- accept -----------------------------------------------------------------------------------------------------------


async def test_a_complete_case_is_accepted_with_its_due_day_and_a_notice_of_it(room: HallRoom) -> None:
    number = await at_window(room)
    done = await room.hall.accept_case("1", HandIn(seen=number, papers=taken(*ALL)))

    assert done.state is CaseState.ACCEPTED
    assert done.local_case_no == "L99000000000020260105000001"
    assert done.due == "2026-01-08"  # Monday and three workdays
    received, notice = await room.log("hall.case.")
    assert received["subject"] == notice["subject"] == f"case/{done.local_case_no}"
    assert received["data"]["promise_due"] == "2026-01-08"
    assert received["data"]["case_kind"] == "promised"
    assert [m["material_code"] for m in received["data"]["materials_required"]] == list(ALL)
    assert notice["data"] == {
        "local_case_no": done.local_case_no, "notice_kind": "accept", "notice_no": done.notice_no, "missing": [],
        "issued_to": "paper", "clerk_id": "c001",
    }  # fmt: skip


async def test_what_is_missing_cannot_be_accepted_and_leaves_nothing_behind(room: HallRoom) -> None:
    number = await at_window(room)
    with pytest.raises(CaseIncomplete) as refused:
        await room.hall.accept_case("1", HandIn(seen=number, papers=taken("M01"), applies=("M03",)))
    assert refused.value.facts == {"missing": 3}
    assert await room.log("hall.case.") == []
    assert await rows(room) == []


async def test_an_immediate_case_has_no_due_day_and_ends_with_its_decision(tmp_path: Path) -> None:
    write_hall(tmp_path, items=catalogue("immediate", 0))
    async with hall_room(tmp_path) as room:
        await room.sign_in(w1="c001", w2="c002")
        number = await at_window(room)
        done = await room.hall.accept_case("1", HandIn(seen=number, papers=taken(*ALL)))
        with pytest.raises(CaseNotYours):
            await room.hall.decide_case("1", done.local_case_no, DecideCase(result="granted"))
        assert (done.due, done.notice_no) == ("", "")
        decided = await room.hall.decide_case("2", done.local_case_no, DecideCase(result="granted"))
        assert decided.state is CaseState.DECIDED
        assert (await room.hall.cases_at("1")).outcome == "completed"
        acted = await room.last("operator.acted")
        assert (acted["action"], acted["target"], acted["result"]) == (
            "case_decided", f"case/{done.local_case_no}", "granted",
        )  # fmt: skip


async def test_only_a_ticket_that_is_served_and_seen_has_cases(room: HallRoom) -> None:
    await room.issue()
    number = await room.call()
    with pytest.raises(IllegalStep):
        await room.hall.accept_case("1", HandIn(seen=number, papers=taken(*ALL)))
    await room.serve("1", number)
    with pytest.raises(ScreenOutOfDate):
        await room.hall.accept_case("1", HandIn(seen="A999", papers=taken(*ALL)))
    with pytest.raises(CaseNoItem):
        await room.hall.accept_case("1", HandIn(seen=number, item="queue:D", papers=taken(*ALL)))


async def test_the_visit_reports_the_cases_that_it_had(room: HallRoom) -> None:
    number = await at_window(room)
    first = await room.hall.accept_case("1", HandIn(seen=number, papers=taken(*ALL)))
    second = await room.hall.notify_case("1", HandIn(seen=number, item=PENSION, papers=taken("M01")))
    assert (await room.hall.cases_at("1")).outcome == "supplement"
    await room.hall.finish("1", number, Outcome.SUPPLEMENT)
    finished = await room.last("ticket.finished")
    assert finished["local_case_nos"] == [first.local_case_no, second.local_case_no]


# --- notice -----------------------------------------------------------------------------------------------------------


async def test_a_notice_says_everything_at_one_time(room: HallRoom) -> None:
    number = await at_window(room)
    papers = (*taken("M01", fault="复印不清楚"), TakenPaper(code="M05", copy_kind=CopyKind.COPY))
    done = await room.hall.notify_case("1", HandIn(seen=number, papers=papers, applies=("M03",)))

    assert (done.state, done.due, done.repeated) == (CaseState.SUPPLEMENT, "", False)
    assert done.notice_no == "1-0105-0001"
    notice = await room.last("case.notice")
    assert notice["notice_kind"] == "supplement"
    assert {m["material_code"]: m["text"] for m in notice["missing"]} == {
        "M01": "居民身份证：复印不清楚；原件 1 份；出示电子证照也可以",
        "M05": "申请表：带来的形式不符合要求；原件 1 份",
        "M07": "住所使用证明：缺；复印件 1 份；签告知承诺书也可以",
        "M03": "授权委托书：缺；原件 1 份",
    }


async def test_nothing_missing_is_nothing_to_tell(room: HallRoom) -> None:
    number = await at_window(room)
    with pytest.raises(CaseComplete):
        await room.hall.notify_case("1", HandIn(seen=number, papers=taken(*ALL)))


async def test_a_second_notice_of_a_case_is_told_as_repeated(room: HallRoom) -> None:
    number = await at_window(room)
    first = await room.hall.notify_case("1", HandIn(seen=number, papers=taken("M01")))
    again = await room.hall.notify_case("1", HandIn(seen=number, papers=taken("M05")))
    assert (first.local_case_no, again.repeated) == (again.local_case_no, True)
    repeated = await room.store.read(lambda s: [n.notice_no for n in case_lookups.repeated_notices(s, "2026-01-05")])
    assert repeated == [again.notice_no]


# --- supplement -------------------------------------------------------------------------------------------------------


async def test_whoever_comes_back_with_everything_is_accepted_and_the_clock_begins_then(room: HallRoom) -> None:
    number = await at_window(room)
    told = await room.hall.notify_case("1", HandIn(seen=number, papers=taken("M01")))
    await room.hall.finish("1", number, Outcome.SUPPLEMENT)
    back = await at_window(room)
    done = await room.hall.supplement_case(
        "1", Supplement(seen=back, notice_no=told.notice_no, papers=taken("M05", "M07"))
    )

    assert (done.local_case_no, done.state, done.due) == (told.local_case_no, CaseState.ACCEPTED, "2026-01-08")
    kinds = [e["type"].split(".")[2] for e in await room.log("hall.case.")]
    assert kinds == ["received", "notice", "supplemented", "notice"]
    assert (await room.last("case.notice"))["notice_kind"] == "accept"
    assert not (await room.hall.come_back(told.notice_no)).open


async def test_part_of_what_was_wanted_leaves_the_notice_standing(room: HallRoom) -> None:
    number = await at_window(room)
    told = await room.hall.notify_case("1", HandIn(seen=number, papers=taken("M01")))
    done = await room.hall.supplement_case("1", Supplement(seen=number, notice_no="10105 0001", papers=taken("M05")))
    assert (done.state, done.notice_no) == (CaseState.SUPPLEMENT, told.notice_no)
    [case] = (await room.hall.cases_at("1")).cases
    assert [line.code for line in case.lines if line.wanted.zh] == ["M07"]
    assert (await room.hall.come_back(told.notice_no)).open


async def test_fetched_during_the_visit_it_is_accepted_without_a_second_number(room: HallRoom) -> None:
    number = await at_window(room)
    await room.hall.notify_case("1", HandIn(seen=number, papers=taken("M01", "M05")))
    done = await room.hall.accept_case("1", HandIn(seen=number, papers=taken("M07")))
    assert done.state is CaseState.ACCEPTED
    kinds = [e["type"].split(".")[2] for e in await room.log("hall.case.")]
    assert kinds == ["received", "notice", "supplemented", "notice"]


async def test_the_clock_of_an_accepted_case_stands_while_papers_are_awaited(tmp_path: Path) -> None:
    write_hall(tmp_path, items=catalogue(days=5))
    clock = StandingClock()
    async with hall_room(tmp_path, clock) as room:
        await room.sign_in(w1="c001")
        number = await at_window(room)
        accepted = await room.hall.accept_case("1", HandIn(seen=number, papers=taken(*ALL)))
        assert accepted.due == "2026-01-12"
        told = await room.hall.notify_case("1", HandIn(seen=number, papers=taken("M05", fault="未签名")))
        assert told.due == ""
        await room.hall.finish("1", number, Outcome.SUPPLEMENT)
    clock.pass_ms(2 * DAY_MS)
    async with hall_room(tmp_path, clock) as room:
        await room.sign_in(w1="c001")
        back = await at_window(room)
        done = await room.hall.supplement_case(
            "1", Supplement(seen=back, notice_no=told.notice_no, papers=taken("M05"))
        )
        assert done.due == "2026-01-14"
        assert done.notice_no == accepted.notice_no  # it was accepted once, and nobody gets a second paper of that


async def test_the_notice_or_the_card_leads_back_until_its_last_day(room: HallRoom) -> None:
    number = await at_window(room, card=card())
    told = await room.hall.notify_case("1", HandIn(seen=number, papers=taken("M01")))
    back = await room.hall.come_back("1 0105 0001")
    assert (back.item, back.window, back.open, back.return_by) == (START_UP, "1", True, "2026-01-12")
    assert [paper.zh for paper in back.bring] == ["申请表", "住所使用证明"]
    [row] = await rows(room)
    assert row.id_hmac is not None
    assert [b.notice_no for b in await room.hall.notices_for(row.id_hmac)] == [told.notice_no]
    room.clock.pass_ms(8 * DAY_MS)
    assert not (await room.hall.come_back(told.notice_no)).open
    with pytest.raises(NotFound):
        await room.hall.come_back("1-0105-0099")


async def test_the_window_sees_the_case_of_a_ticket_that_came_back(room: HallRoom) -> None:
    number = await at_window(room)
    told = await room.hall.notify_case("1", HandIn(seen=number, papers=taken("M01")))
    await room.hall.finish("1", number, Outcome.SUPPLEMENT)
    issued = await room.issue(notice_no=told.notice_no)
    assert issued.number == "VA001"
    await room.call_and_serve()
    [case] = (await room.hall.cases_at("1")).cases
    assert (case.local_case_no, case.notices[0].notice_no) == (told.local_case_no, told.notice_no)


async def test_who_brings_the_papers_goes_to_the_clerk_who_asked_for_them(tmp_path: Path) -> None:
    """Green lane, and to whoever gave the notice, wherever they sit now; to anybody once they are away."""
    places = PLACES.replace('queues = ["H", "D"]', 'queues = ["A", "H", "D"]')
    write_hall(tmp_path, places, catalogue())
    async with hall_room(tmp_path) as room:
        desk = Desk(room.hall)
        await room.sign_in(w1="c001")
        number = await at_window(room)
        told = await room.hall.notify_case("1", HandIn(seen=number, papers=taken("M01")))
        await room.hall.finish("1", number, Outcome.SUPPLEMENT)
        await room.sign_in(w2="c001", w1="c002")
        await room.numbers(1)
        back = await room.issue(notice_no=told.notice_no)

        assert (await room.last("ticket.issued"))["priority"] == "green"
        assert (await room.row(back.number)).for_window == "2"
        assert [await line(room, window) for window in ("1", "2")] == [["A002"], ["VA001", "A002"]]
        await desk.pause("2", PauseReason.MEAL, 0)
        assert await line(room, "1") == ["VA001", "A002"]
        await desk.go_on("2")
        assert await room.call("2") == "VA001"
        assert [str(found) for found in store.replay_differences(room.config.database)] == []


async def test_the_clerk_sees_what_a_standing_notice_asked_for_and_the_visit_before(room: HallRoom) -> None:
    desk = Desk(room.hall)
    first = await at_window(room, card=card())
    ticket_id = (await room.row(first)).id
    assert (await desk.known(ticket_id)).asked == frozenset()
    told = await room.hall.notify_case("1", HandIn(seen=first, papers=taken("M01")))
    assert (await desk.known(ticket_id)).asked == {"M05", "M07"}
    await room.hall.finish("1", first, Outcome.SUPPLEMENT)

    back = (await room.issue(notice_no=told.notice_no, card=card())).number
    await room.call_and_serve()
    known = await desk.known((await room.row(back)).id)
    assert known.asked == {"M05", "M07"}
    assert known.last is not None
    assert (known.last.number, known.last.window, known.last.outcome) == (first, "1", "supplement")
    await room.hall.supplement_case("1", Supplement(seen=back, notice_no=told.notice_no, papers=taken(*ALL)))
    assert (await desk.known((await room.row(back)).id)).asked == frozenset()


async def test_undoing_an_end_takes_back_the_step_of_the_case_that_was_made_for_it(room: HallRoom) -> None:
    number = await at_window(room, card=card())
    accepted = await room.hall.accept_case("1", HandIn(seen=number, papers=taken(*ALL)))
    await room.hall.finish("1", number, Outcome.RECEIVED, [accepted.local_case_no])
    await room.hall.undo("1")
    [row] = await rows(room)
    assert (row.state, row.accepted_on, row.due_on) == ("received", None, None)
    told = [e for e in await room.log("event.corrected") if e["subject"] == f"case/{row.local_case_no}"]
    notice = await room.last("case.notice")
    assert [(e["data"]["fields"], e["data"]["reason_text"]) for e in told] == [
        ({"local_case_no": row.local_case_no, "state": "received"}, "undo")
    ]
    assert notice["notice_no"] == accepted.notice_no
    with pytest.raises(NotFound):
        await room.hall.come_back(accepted.notice_no)

    # What was meant can be done now, and is no second notice of anything.
    asked = await room.hall.notify_case("1", HandIn(seen=number, papers=taken("M05", fault="没有签名")))
    assert (asked.state, asked.repeated) == (CaseState.SUPPLEMENT, False)
    assert asked.notice_no != accepted.notice_no
    await room.hall.finish("1", number, Outcome.SUPPLEMENT, [asked.local_case_no])
    room.clock.pass_ms(20_000)
    with pytest.raises(NothingToUndo):
        await room.hall.undo("1")
    back = (await room.issue(notice_no=asked.notice_no, card=card())).number
    await room.call_and_serve()
    again = await room.hall.accept_case("1", HandIn(seen=back, papers=taken(*ALL)))
    await room.hall.finish("1", back, Outcome.RECEIVED, [again.local_case_no])
    await room.hall.undo("1")
    [row] = await rows(room)
    assert (row.state, row.due_on) == ("supplement", None)
    assert (await room.hall.come_back(asked.notice_no)).open
    assert [str(found) for found in store.replay_differences(room.config.database)] == []


async def test_what_was_received_waits_in_the_list_of_its_windows_until_it_is_accepted(room: HallRoom) -> None:
    number = await at_window(room)
    got = await room.hall.receive_case("1", HandIn(seen=number, papers=taken("M01")))
    await room.hall.finish("1", number, Outcome.RECEIVED)
    [waits] = (await room.hall.received_cases("1")).cases
    assert (waits.local_case_no, waits.number, waits.wanted) == (got.local_case_no, number, 2)
    assert (waits.received, waits.accept_by) == ("2026-01-05", "2026-01-12")
    assert (await room.hall.received_cases("2")).cases == ()  # another queue's window
    second = await at_window(room)
    done = await room.hall.receive_case("1", HandIn(seen=second, papers=taken(*ALL)))
    await room.hall.accept_received("1", done.local_case_no)
    assert [c.local_case_no for c in (await room.hall.received_cases("1")).cases] == [got.local_case_no]


async def test_a_notice_that_was_answered_or_is_none_leads_to_no_lane(room: HallRoom) -> None:
    number = await at_window(room)
    told = await room.hall.notify_case("1", HandIn(seen=number, papers=taken("M01")))
    await room.hall.supplement_case("1", Supplement(seen=number, notice_no=told.notice_no, papers=taken(*ALL)))

    assert (await room.issue(notice_no=told.notice_no)).number == "A002"
    with pytest.raises(NotFound):
        await room.issue(notice_no="1-0105-0099")


async def line(room: HallRoom, window: str) -> list[str]:
    """Numbers in the order in which a window would call them now."""
    snapshot = await room.hall.snapshot()
    place = room.hall.place(window, snapshot.sessions.get(window))
    return [t.number for t in snapshot.line_at(place, room.hall.moment())]


def test_the_front_clerk_of_a_comprehensive_window_does_not_decide() -> None:
    assert not may_decide(CounterKind.GENERAL, Role.CLERK)
    assert may_decide(CounterKind.GENERAL, Role.CHIEF)
    assert may_decide(CounterKind.SPECIAL, Role.CLERK)


async def test_pages_belong_to_the_only_open_case_or_to_the_one_that_is_named(room: HallRoom) -> None:
    number = await at_window(room)
    ticket = (await room.find(number)).ticket_id

    async def case_for(named: str = "") -> str | None:
        return await room.store.read(lambda s: case_lookups.case_for(s, ticket, named))

    assert await case_for() is None
    first = (await room.hall.notify_case("1", HandIn(seen=number))).local_case_no
    assert await case_for() == first
    second = (await room.hall.notify_case("1", HandIn(seen=number, item=PENSION))).local_case_no
    assert await case_for() is None
    assert await case_for(second) == second
    with pytest.raises(NotFound):
        await case_for("L" + "0" * 26)


# --- return, withdraw -------------------------------------------------------------------------------------------------


async def test_what_is_returned_has_a_written_reason_and_a_notice(room: HallRoom) -> None:
    number = await at_window(room)
    order = ReturnCase(seen=number, reason="not_in_scope", reason_text="不属于本厅受理范围")
    done = await room.hall.return_case("1", order)
    assert done.state is CaseState.RETURNED
    kinds = [e["type"].split(".")[2] for e in await room.log("hall.case.")]
    assert kinds == ["received", "notice", "returned"]
    assert (await room.last("case.notice"))["notice_kind"] == "reject"
    assert (await room.last("case.returned"))["reason_text"] == "不属于本厅受理范围"
    with pytest.raises(CaseStep):
        await room.hall.decide_case("2", done.local_case_no, DecideCase(result="granted"))


async def test_a_withdrawn_case_has_ended(room: HallRoom) -> None:
    number = await at_window(room)
    done = await room.hall.accept_case("1", HandIn(seen=number, papers=taken(*ALL)))
    gone = await room.hall.withdraw_case("1", done.local_case_no, WithdrawCase(reason_text="本人申请撤回"))
    assert (gone.state, gone.due) == (CaseState.RETURNED, "")
    assert (await room.last("case.returned"))["reason_code"] == "withdrawn"


def test_a_reason_with_a_number_of_a_person_is_refused() -> None:
    for personal in ("电话13800000000", "990000199909090053"):
        with pytest.raises(ValueError, match="ID number or a phone"):
            WithdrawCase(reason_text=personal)
        with pytest.raises(ValueError, match="ID number or a phone"):
            TakenPaper(code="M01", fault=personal)


# --- scans, alarms, log -----------------------------------------------------------------------------------------------


async def test_pages_scanned_for_the_ticket_tick_the_checklist(room: HallRoom) -> None:
    number = await at_window(room)
    ticket = (await room.find(number)).ticket_id
    material = room.clock.new_id()

    def file(tx: Tx) -> None:
        tx.session.add(
            MaterialRow(
                id=material, ticket_id=ticket, code="M01", name="居民身份证", copy_kind="original_seen", pages=["x"],
                filed_ms=tx.now_ms, clerk="c001", window="1",
            )
        )  # fmt: skip

    await room.store.write(file)
    [fresh] = (await room.hall.cases_at("1")).cases
    assert fresh.state is None
    assert {line.code: line.state for line in fresh.lines}["M01"] is LineState.TAKEN
    done = await room.hall.accept_case("1", HandIn(seen=number, papers=taken("M05", "M07")))
    received = await room.last("case.received")
    assert received["materials_required"][0] == {
        "material_code": "M01", "copy_kind": "original_seen", "material_id": material,
    }  # fmt: skip
    assert done.state is CaseState.ACCEPTED


async def test_a_broken_promise_is_found(room: HallRoom) -> None:
    number = await at_window(room)
    done = await room.hall.accept_case("1", HandIn(seen=number, papers=taken(*ALL)))

    async def overdue() -> list[str]:
        today = room.clock.today()
        return await room.store.read(lambda s: [c.local_case_no for c in case_lookups.overdue(s, today)])

    room.clock.pass_ms(3 * DAY_MS)
    assert await overdue() == []
    room.clock.pass_ms(DAY_MS)
    assert await overdue() == [done.local_case_no]
    await room.hall.decide_case("2", done.local_case_no, DecideCase(result="granted"))
    assert await overdue() == []


async def test_the_provinces_number_of_a_case_is_kept(room: HallRoom) -> None:
    number = await at_window(room)
    done = await room.hall.accept_case("1", HandIn(seen=number, papers=taken(*ALL)))
    await room.hall.number_case(done.local_case_no, "990000202601050000000001")
    [row] = await rows(room)
    assert row.case_no == "990000202601050000000001"
    with pytest.raises(NotFound):
        await room.hall.number_case("L" + "0" * 26, "1")


async def test_the_log_rebuilds_every_row_of_a_case(room: HallRoom) -> None:
    number = await at_window(room)
    told = await room.hall.notify_case("1", HandIn(seen=number, papers=taken("M01", fault="未签名"), applies=("M03",)))
    await room.hall.accept_case("1", HandIn(seen=number, item=PENSION, papers=taken(*ALL)))
    await room.hall.supplement_case("1", Supplement(seen=number, notice_no=told.notice_no, papers=taken(*ALL, "M03")))
    await room.hall.decide_case("2", told.local_case_no, DecideCase(result="refused", reason_text="不符合条件"))

    assert len(await rows(room)) == 2
    assert [str(found) for found in store.replay_differences(room.config.database)] == []


async def test_numbers_go_on_above_a_restored_copy(tmp_path: Path) -> None:
    write_hall(tmp_path, items=catalogue())
    async with hall_room(tmp_path) as room:
        await room.sign_in(w1="c001")
        number = await at_window(room)
        await room.hall.accept_case("1", HandIn(seen=number, papers=taken(*ALL)))
        await room.hall.finish("1", number, Outcome.RECEIVED)
    (tmp_path / "var" / "hall.db.epoch").write_text(f"{room.store.streamid} {room.store.last_sequence + 5:016d}\n")
    async with hall_room(tmp_path) as again:
        await again.sign_in(w1="c001")
        number = await at_window(again)
        done = await again.hall.accept_case("1", HandIn(seen=number, papers=taken(*ALL)))
        assert int(done.local_case_no[-6:]) > 200
