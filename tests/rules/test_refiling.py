"""Receipts, papers seen at the window, and pages that were filed in the wrong place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlmodel import Session, col, select

from hall_daemon.cases import CaseState, LineState
from hall_daemon.desk import Desk
from hall_daemon.events import Blob, MaterialPage, MaterialScanned, PageQuality
from hall_daemon.hall_cases import CaseIncomplete, CaseNothing, CaseStep
from hall_daemon.protocol_cases import HandIn, PrintPaper, Refile
from hall_daemon.protocol_clerks import Tick
from hall_daemon.replay import read_log, rebuild
from hall_daemon.store import Tx
from hall_daemon.tables import MaterialRow
from hall_daemon.tickets import IllegalStep, NotFound, ScreenOutOfDate
from hall_daemon.words import CopyKind, Outcome
from tests.rules.hall_room import PENSION, HallRoom, hall_room, write_hall
from tests.rules.test_hall_cases import ALL, at_window, catalogue, taken

BLOB = Blob(blob="sha256:" + "a" * 64, sm3="b" * 64, bytes=9, media="image/jpeg")
PAGE = MaterialPage(no=1, blob=BLOB, w=1654, h=2339, dpi=200, color=True, rotation=0, blank=False)


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[HallRoom]:
    write_hall(tmp_path, items=catalogue())
    async with hall_room(tmp_path) as life:
        await life.sign_in(w1="c001", w2="c002")
        yield life


async def scan(room: HallRoom, number: str, code: str, name: str) -> str:
    """Pages are filed, as scanning does it."""
    ticket = (await room.find(number)).ticket_id
    material = room.clock.new_id()

    def file(tx: Tx) -> None:
        row = MaterialRow(
            id=material, ticket_id=ticket, code=code, name=name, copy_kind="original_seen", pages=[BLOB.blob],
            filed_ms=tx.now_ms, clerk="c001", window="1",
        )  # fmt: skip
        tx.session.add(row)
        tx.emit(
            MaterialScanned(
                material_id=material, ticket_id=ticket, material_code=code, material_name=name,
                copy_kind=CopyKind.ORIGINAL_SEEN, pages=(PAGE,), device_id="SCN-01", clerk_id="c001",
                quality=PageQuality(blur=20, skew_mdeg=0, edges_ok=True),
            )
        )  # fmt: skip

    await room.store.write(file)
    room.clock.pass_ms(1000)
    return material


async def states(room: HallRoom) -> list[dict[str, LineState]]:
    """Of the papers of each case at window 1."""
    return [{line.code: line.state for line in case.lines} for case in (await room.hall.cases_at("1")).cases]


async def materials(room: HallRoom) -> list[MaterialRow]:
    def question(session: Session) -> list[MaterialRow]:
        found = list(session.exec(select(MaterialRow).order_by(col(MaterialRow.filed_ms))))
        session.expunge_all()
        return found

    return await room.store.read(question)


# --- received against a receipt ---------------------------------------------------------------------------------------


async def test_what_is_received_is_one_event_and_may_be_accepted_later_without_the_resident(room: HallRoom) -> None:
    number = await at_window(room)
    with pytest.raises(CaseNothing):
        await room.hall.receive_case("1", HandIn(seen=number))
    got = await room.hall.receive_case("1", HandIn(seen=number, papers=taken(*ALL)))

    [said] = await room.log("hall.case.")
    assert said["type"] == "hall.case.received.v1"
    assert "promise_due" not in said["data"]
    assert (got.state, got.notice_no, got.due) == (CaseState.RECEIVED, "", "")
    with pytest.raises(CaseStep):
        await room.hall.receive_case("1", HandIn(seen=number, papers=taken(*ALL)))
    assert (await room.hall.cases_at("1")).outcome == "received"
    await room.hall.finish("1", number, Outcome.RECEIVED)

    done = await room.hall.accept_received("2", got.local_case_no)
    assert (done.state, done.due) == (CaseState.ACCEPTED, "2026-01-08")
    with pytest.raises(CaseStep):
        await room.hall.accept_received("2", got.local_case_no)


async def test_what_was_received_in_part_is_not_accepted_behind_the_residents_back(room: HallRoom) -> None:
    number = await at_window(room)
    got = await room.hall.receive_case("1", HandIn(seen=number, papers=taken("M01")))
    with pytest.raises(CaseIncomplete):
        await room.hall.accept_received("2", got.local_case_no)
    told = await room.hall.notify_case("1", HandIn(seen=number))
    assert (told.local_case_no, told.state) == (got.local_case_no, CaseState.SUPPLEMENT)


def test_a_paper_is_named_by_its_notice_or_its_case() -> None:
    for wrong in ({}, {"notice_no": "1-0302-0001", "local_case_no": "L" + "0" * 26}):
        with pytest.raises(ValueError, match="name a notice or a case"):
            PrintPaper.model_validate(wrong)


# --- papers seen ------------------------------------------------------------------------------------------------------


async def test_papers_that_the_clerk_has_ticked_are_handed_in(room: HallRoom) -> None:
    desk, number = Desk(room.hall), await at_window(room)
    await desk.tick("1", Tick(seen=number, materials=ALL))
    assert (await states(room))[0]["M05"] is LineState.TAKEN
    await desk.tick("1", Tick(seen=number, materials=("M07",), on=False))
    told = await room.hall.notify_case("1", HandIn(seen=number, papers=taken("M05", fault="未签名")))
    notice = (await room.last("case.notice"))["missing"]
    assert [line["material_code"] for line in notice] == ["M05", "M07"]

    room.clock.pass_ms(60_000)
    await desk.tick("1", Tick(seen=number, materials=("M05",), on=False))
    await desk.tick("1", Tick(seen=number, materials=("M05", "M07")))
    done = await room.hall.accept_case("1", HandIn(seen=number))
    assert (done.local_case_no, done.state) == (told.local_case_no, CaseState.ACCEPTED)


# --- filed in the wrong place -----------------------------------------------------------------------------------------


@pytest.mark.fault("G06")
async def test_pages_in_the_wrong_case_are_withdrawn_there_and_filed_where_they_belong(room: HallRoom) -> None:
    number = await at_window(room)
    first = await room.hall.notify_case("1", HandIn(seen=number))
    second = await room.hall.notify_case("1", HandIn(seen=number, item=PENSION))
    old = await scan(room, number, "M05", "申请表")
    assert [case["M05"] for case in await states(room)] == [LineState.TAKEN, LineState.TAKEN]

    await room.hall.refile("1", Refile(seen=number, material_code="M05", to_case=second.local_case_no))

    assert [case["M05"] for case in await states(room)] == [LineState.MISSING, LineState.TAKEN]
    gone = await room.last("material.withdrawn")
    assert gone == {"material_id": old, "reason_code": "wrong_paper", "clerk_id": "c001"}
    told = await room.last("material.scanned")
    assert told["local_case_no"] == second.local_case_no
    assert told["pages"][0]["blob"]["blob"] == BLOB.blob
    was, now = await materials(room)
    assert was.withdrawn_ms is not None
    assert (now.id, now.pages, now.local_case_no) == (told["material_id"], was.pages, second.local_case_no)
    assert first.local_case_no != second.local_case_no
    snapshot = await room.hall.snapshot()
    assert snapshot.filed[(await room.find(number)).ticket_id] == ("M05",)


@pytest.mark.fault("G06")
async def test_pages_move_to_another_paper_or_out_and_the_log_rebuilds_them(room: HallRoom) -> None:
    number = await at_window(room)
    await scan(room, number, "M05", "申请表")
    await room.hall.refile("1", Refile(seen=number, material_code="M05", to_code="M07"))
    assert (await materials(room))[-1].name == "住所使用证明"
    [lines] = await states(room)
    assert (lines["M05"], lines["M07"]) == (LineState.MISSING, LineState.TAKEN)
    await room.hall.refile("1", Refile(seen=number, material_code="M07", reason="resident_request"))
    [lines] = await states(room)
    assert lines["M07"] is LineState.MISSING
    with pytest.raises(NotFound):
        await room.hall.refile("1", Refile(seen=number, material_code="M07"))
    rebuilt = await room.store.read(lambda session: rebuild(read_log(session)).materials)
    assert rebuilt == {row.id: row for row in await materials(room)}


@pytest.mark.fault("G06")
async def test_pages_go_to_an_earlier_number_of_the_same_window_only(room: HallRoom) -> None:
    earlier = await at_window(room)
    await room.hall.finish("1", earlier, Outcome.RECEIVED)
    other = (await room.issue(PENSION)).number
    assert await room.call("2") == other
    number = await at_window(room)
    await scan(room, number, "M05", "申请表")
    with pytest.raises(IllegalStep):
        await room.hall.refile("1", Refile(seen=number, material_code="M05", to_ticket=other))
    with pytest.raises(ScreenOutOfDate):
        await room.hall.refile("1", Refile(seen=earlier, material_code="M05"))
    await room.hall.refile("1", Refile(seen=number, material_code="M05", to_ticket=earlier))
    assert (await room.last("material.scanned"))["ticket_id"] == (await room.find(earlier)).ticket_id
    [lines] = await states(room)
    assert lines["M05"] is LineState.MISSING
