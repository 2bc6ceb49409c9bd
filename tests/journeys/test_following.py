"""Follow a ticket on the phone: the code on its slip opens a page with place and call, and nothing about a person."""

import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import select

from drivers.base import Grade
from hall_daemon import evaluating, following, service_day, store
from hall_daemon.following import CODE_BYTES, Following, NotToRate, TooMany, slip_address
from hall_daemon.tables import EvaluationRow, EventRow
from hall_daemon.tables_board import FollowRow
from hall_daemon.tickets import NotFound
from hall_daemon.words import Outcome
from tests.rules.hall_room import HOUR_MS, PLACES, HallRoom, StandingClock, card, hall_room, write_hall

PHONE = '\n[phone]\nurl = "https://hall.example/t"\n'
FIRST, SECOND = "10.0.0.1", "10.0.0.2"


async def code_of(room: HallRoom, number: str) -> str:
    address = await slip_address(room.hall, (await room.row(number)).id)
    assert re.fullmatch(r"https://hall\.example/t/[A-Za-z0-9_-]{22}", address), address
    return address.rsplit("/", 1)[1]


async def shown(room: HallRoom, code: str) -> dict[str, Any]:
    return (await Following(room.hall, room.clock).view(code, FIRST)).model_dump()


async def test_the_page_follows_the_ticket_from_the_line_to_the_window(tmp_path: Path) -> None:
    write_hall(tmp_path, PLACES + PHONE)
    async with hall_room(tmp_path) as room:
        await room.numbers(3)
        code = await code_of(room, "A003")
        assert (await shown(room, code))["ahead"] == 2
        await room.sign_in(w1="c001")
        room.clock.pass_ms(1000)  # an estimate is kept for a moment
        view = await shown(room, code)
        assert (view["number"], view["state"], view["windows"], view["window"]) == ("A003", "waiting", ("1",), "")
        assert view["low_minutes"] < view["high_minutes"]
        for number in ("A001", "A002"):
            assert await room.call_and_serve("1") == number
            await room.hall.finish("1", number, Outcome.COMPLETED)
        assert (await shown(room, code))["ahead"] == 0
        await room.call("1")
        view = await shown(room, code)
        assert (view["state"], view["window"]) == ("called", "1")
        await room.hall.no_show("1", "A003")
        assert (await shown(room, code))["state"] == "missed"


async def test_the_page_knows_no_person_and_the_database_no_code(tmp_path: Path) -> None:
    write_hall(tmp_path, PLACES + PHONE)
    async with hall_room(tmp_path) as room:
        await room.issue(card=card("欧阳测试", "990000199909090053"), phone="13800005678")
        code = await code_of(room, "A001")
        told = str(await shown(room, code))
        for personal in ("欧", "阳", "测", "9900", "0053", "138", "5678", "企业设立"):
            assert personal not in told
    kept = b"".join(file.read_bytes() for file in (tmp_path / "var").glob("hall.db*"))
    assert code.encode() not in kept
    assert following.digest(code).encode() in kept


async def test_each_slip_has_a_code_of_its_own_and_all_are_gone_with_the_day(tmp_path: Path) -> None:
    assert CODE_BYTES * 8 >= 96
    clock = StandingClock()
    write_hall(tmp_path, PLACES + PHONE)
    async with hall_room(tmp_path, clock) as room:
        await room.numbers(2)
        codes = [await code_of(room, number) for number in ("A001", "A001", "A002")]
        assert len(set(codes)) == 3
        assert [(await shown(room, code))["number"] for code in codes] == ["A001", "A001", "A002"]
    clock.pass_ms(24 * HOUR_MS)
    async with hall_room(tmp_path, clock) as room:
        await room.issue()
        with pytest.raises(NotFound):
            await shown(room, codes[0])
        await code_of(room, "A001")
        rows = await room.store.read(lambda session: len(session.exec(select(FollowRow)).all()))
        assert rows == 1, "codes of other days are not kept"


async def test_who_tries_codes_is_slowed_down_and_others_are_not(tmp_path: Path) -> None:
    write_hall(tmp_path, PLACES + PHONE)
    async with hall_room(tmp_path) as room:
        await room.issue()
        code = await code_of(room, "A001")
        phones = Following(room.hall, room.clock)
        for n in range(following.WRONG_A_MINUTE):
            with pytest.raises(NotFound):
                await phones.view(f"{n:022}", FIRST)
        with pytest.raises(TooMany) as told:
            await phones.view(code, FIRST)
        assert 0 < told.value.wait_s <= 60
        assert (await phones.view(code, SECOND)).number == "A001"
        room.clock.pass_ms(60_000)
        assert (await phones.view(code, FIRST)).number == "A001"


async def test_a_ticket_is_not_asked_about_without_end(tmp_path: Path) -> None:
    write_hall(tmp_path, PLACES + PHONE)
    async with hall_room(tmp_path) as room:
        await room.issue()
        code = await code_of(room, "A001")
        phones = Following(room.hall, room.clock)
        for n in range(following.ASKED_A_MINUTE):
            await phones.view(code, f"10.0.1.{n}")
        with pytest.raises(TooMany):
            await phones.view(code, SECOND)


async def rated(room: HallRoom) -> list[dict[str, Any]]:
    """What the province is told of ratings."""
    rows = await room.store.read(lambda session: [r.body for r in session.exec(select(EventRow)).all()])
    events = [json.loads(body) for body in rows]
    return [event["data"] for event in events if event["type"] == "hall.evaluation.submitted.v1"]


@pytest.mark.fault("A25")
async def test_a_visit_is_rated_once_by_the_code_on_its_slip_and_not_before_its_end(tmp_path: Path) -> None:
    write_hall(tmp_path, PLACES + PHONE)
    async with hall_room(tmp_path) as room:
        await room.numbers(2)
        code, other = await code_of(room, "A001"), await code_of(room, "A002")
        phone = Following(room.hall, room.clock)
        await room.sign_in(w1="c001")
        for go_on in (room.call, partial(room.serve, number="A001"), None):
            assert (await shown(room, code))["rating"] == ""
            with pytest.raises(NotToRate):
                await phone.rate(code, FIRST, 5)
            if go_on is not None:
                await go_on("1")
        await room.hall.finish("1", "A001", Outcome.COMPLETED)
        assert (await shown(room, code))["rating"] == "open"
        assert (await phone.rate(code, FIRST, 2)).rating == "given"
        with pytest.raises(NotToRate):
            await phone.rate(code, SECOND, 5)
        await code_of(room, "A001")  # a slip printed again has another code, and the visit is the same
        assert (await shown(room, await code_of(room, "A001")))["rating"] == "given"
        [event] = await rated(room)
        assert {k: event[k] for k in ("window_code", "clerk_id", "level", "eval_channel", "round", "timeout")} == {
            "window_code": "1", "clerk_id": "c001", "level": 2, "eval_channel": 3, "round": 1, "timeout": False,
        }  # fmt: skip
        assert "level" not in await shown(room, code), "how, is nobody's business"
        await room.call("1")
        await room.hall.no_show("1", "A002")
        with pytest.raises(NotToRate):
            await phone.rate(other, FIRST, 1)


@pytest.mark.fault("A25")
async def test_no_answer_at_the_window_leaves_the_code_valid_and_counts_once(tmp_path: Path) -> None:
    write_hall(tmp_path, PLACES + PHONE)
    async with hall_room(tmp_path) as room:
        await room.numbers(1)
        code = await code_of(room, "A001")
        await room.sign_in(w1="c001")
        number = await room.call_and_serve("1")
        await room.hall.finish("1", number, Outcome.COMPLETED)
        visit = evaluating._Visit(ticket_id=(await room.row(number)).id, clerk="c001")
        record = partial(evaluating._record, hall=room.hall, visit=visit, window="1")
        await room.store.write(partial(record, grade=None))
        await Following(room.hall, room.clock).rate(code, FIRST, 5)
        await room.store.write(partial(record, grade=Grade.VERY_DISSATISFIED))
        told = await rated(room)
        assert [(e["timeout"], e.get("level"), e["eval_channel"]) for e in told] == [(True, None, 5), (False, 5, 3)]
        assert len({e["evaluation_id"] for e in told}) == 1
        assert await room.store.read(lambda session: [r.level for r in session.exec(select(EvaluationRow)).all()]) == [
            5
        ]
    assert [str(found) for found in store.replay_differences(room.config.database)] == []


async def test_whom_nobody_served_to_the_end_is_not_asked_on_the_phone(tmp_path: Path) -> None:
    write_hall(tmp_path, PLACES + PHONE)
    async with hall_room(tmp_path) as room:
        await room.numbers(2)
        codes = [await code_of(room, number) for number in ("A001", "A002")]
        await room.sign_in(w1="c001")
        await room.call_and_serve("1")
        await service_day.close(room.hall, force=True)
        assert [(await shown(room, code))["rating"] for code in codes] == ["", ""]
        assert (await room.row("A001")).outcome == Outcome.LEFT


async def test_who_tries_to_rate_without_end_is_slowed_down(tmp_path: Path) -> None:
    write_hall(tmp_path, PLACES + PHONE)
    async with hall_room(tmp_path) as room:
        phones = Following(room.hall, room.clock)
        for n in range(following.WRONG_A_MINUTE):
            with pytest.raises(NotFound):
                await phones.rate(f"{n:022}", FIRST, 1)
        with pytest.raises(TooMany):
            await phones.rate("x" * 22, FIRST, 1)


async def test_a_hall_without_the_page_prints_an_opaque_id(tmp_path: Path) -> None:
    async with hall_room(tmp_path) as room:
        await room.issue()
        row = await room.row("A001")
        assert await slip_address(room.hall, row.id) == row.id


def test_the_rates_remember_no_more_than_they_must() -> None:
    rate = following._Rate(1)
    for n in range(5000):
        rate.count(str(n), 0.0)
    assert len(rate._counted) == following._MOST_ADDRESSES
