"""What the province refuses is listed and told; the others go on, the hall works, and nothing personal is said."""

import asyncio
import logging
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from hall_daemon.events import EventData
from hall_daemon.outbox import State
from hall_daemon.privacy import looks_personal
from sim.province import TEST_KEYS, Calls, ProvinceTwin
from tests.province.reporting_hall import ZHANG, ReportingHall, Watched, acted, json_of, same_on_both_sides
from tests.province.strange_events import Fractional, Large, Strange
from tests.waiting import until_async

# --- refusals ---------------------------------------------------------------------------------------------------------


async def test_a_quarantined_event_holds_nobody_up(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        poison = await hall.emit(acted("请回电 13900000000"))
        await hall.issue(10)
        await hall.all_acknowledged()
        ledger = await same_on_both_sides(hall)
        assert [(row.id, row.code) for row in ledger.quarantined] == [(poison, "EVT_PII_CLEAR")]
        await hall.trouble("province.quarantined")
        assert hall.status.quarantined == 1
        assert await hall.refused() == []


@pytest.mark.parametrize("poison", [Strange(), Fractional(), Large(text="长" * 30_000)], ids=["shape", "json", "size"])
async def test_an_event_that_cannot_be_read_is_listed_and_the_others_go_on(
    twin: ProvinceTwin, tmp_path: Path, poison: EventData
) -> None:
    twin.be_unreachable()
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.emit_many(70)
        guilty = await hall.emit(poison)
        await hall.issue(70)
        twin.be_reachable()
        await hall.all_acknowledged(30.0)
        ledger = await same_on_both_sides(hall)

        assert len(ledger.tickets) == 70
        assert [row.id for row in await hall.refused()] == [guilty]
        assert guilty in {row.id for row in await hall.rows()}
        assert hall.troubles() == {"province.event_refused"}
        assert "1 条记录" in hall.status.last_error.zh
        assert hall.status.refused_events == 1
        assert len(ledger.streams) == 2


async def test_what_was_refused_stays_listed_over_a_restart(twin: ProvinceTwin, tmp_path: Path) -> None:
    hall = ReportingHall(tmp_path, twin)
    async with hall:
        await hall.emit(Strange())
        await until_async(lambda: hall.status.refused_events == 1, 20.0)
    async with hall:
        await hall.issue(1)
        await hall.all_acknowledged()

        assert hall.troubles() == {"province.event_refused"}


async def test_a_province_that_refuses_everything_costs_no_event(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.issue(5)
        await hall.all_acknowledged()
        twin.answer_status(400, None, code="BAD_JSON")
        await hall.issue(50)
        await hall.trouble("province.all_refused", 20.0)
        batches = hall.outbox.events.sent_batches
        assert batches < 25
        assert await hall.refused() == []
        twin.heal()
        await hall.all_acknowledged()
        ledger = await same_on_both_sides(hall)

        assert len(ledger.streams) == 1
        assert hall.troubles() == set()


async def test_smaller_limits_than_hello_said_are_found_out(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with ReportingHall(tmp_path, twin, pace=Watched(scale=0.01)) as hall:
        await hall.all_acknowledged()
        twin.lose_answers_after_commit(1, of=Calls.HEARTBEAT)
        twin.limit(batch_bytes=9000)
        await asyncio.gather(*(hall.issue(10) for _ in range(8)))
        await hall.all_acknowledged()
        await same_on_both_sides(hall)


# --- who may send -----------------------------------------------------------------------------------------------------


async def test_a_wrong_clock_corrects_the_signature_and_nothing_else(twin: ProvinceTwin, tmp_path: Path) -> None:
    twin.step_clock(3600)
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.issue(10)
        await hall.all_acknowledged()
        await same_on_both_sides(hall)
        rows = await hall.rows()

        assert abs(hall.outbox.province.offset_s - 3600) < 5
        assert all(str(json_of(row)["time"]) < "2099" for row in rows)
        assert abs(hall.clock.now_ms() - _time_ms(rows[-1].time)) < 60_000


def _time_ms(time: str) -> float:
    return datetime.fromisoformat(time).timestamp() * 1000


async def test_a_refused_key_is_said_and_a_good_one_helps(twin: ProvinceTwin, tmp_path: Path) -> None:
    other = {**TEST_KEYS[0], "kid": "s9"}
    twin.publish_keys([other, *TEST_KEYS[1:]])
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.issue(3)
        await hall.trouble("province.key_refused")
        assert "s1" in hall.status.last_error.zh
        twin.publish_keys(TEST_KEYS)
        await hall.all_acknowledged()
        await same_on_both_sides(hall)


@pytest.mark.parametrize("how", ["revoke", "suspend"])
async def test_a_hall_that_may_not_send_goes_on_working_and_asks_seldom(
    twin: ProvinceTwin, tmp_path: Path, how: str
) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.all_acknowledged()
        getattr(twin, how)()
        await hall.issue(10)
        await until_async(lambda: hall.status.state is State.STOPPED)
        requests = twin.health()["requests"]
        await hall.issue(10)
        assert twin.health()["requests"] - requests <= 12  # the questions of this test among them
        assert max(hall.pace.waits) >= 450
        assert "已停用" in hall.status.last_error.zh
        assert (await hall.issue())[0] == "A021"
        twin.reinstate()
        await hall.all_acknowledged()
        await same_on_both_sides(hall)


async def test_a_program_that_is_too_old_keeps_everything(twin: ProvinceTwin, tmp_path: Path) -> None:
    twin.answer_status(426, 2, of=Calls.HELLO)
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.issue(10)
        await hall.trouble("province.too_old")
        await hall.all_acknowledged()
        await same_on_both_sides(hall)


@pytest.mark.parametrize(("status", "trouble"), [(429, "busy"), (503, "busy"), (500, "failed"), (507, "full")])
async def test_a_province_in_trouble_is_given_the_time_it_asks_for(
    twin: ProvinceTwin, tmp_path: Path, status: int, trouble: str
) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.all_acknowledged()
        before = len(hall.pace.waits)
        twin.answer_status(status, 1, retry_after_s=40 if status in (429, 503) else None)
        await hall.issue(10)
        await hall.fault_seen()
        await hall.all_acknowledged()
        await same_on_both_sides(hall)

        least = {429: 40, 503: 40, 500: 0, 507: 60}[status]
        assert max(hall.pace.waits[before:]) >= least
        assert hall.troubles() == set()


async def test_a_backlog_that_does_not_move_is_noticed(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with ReportingHall(tmp_path, twin, pace=Watched(scale=0.0005)) as hall:
        await hall.issue(3)
        await hall.all_acknowledged()
        last = (await hall.rows())[-1]
        held = (
            f'{{"streamid":"{last.streamid}","acked_through":"{last.sequence:016d}",'
            f'"next_expected":"{last.sequence + 1:016d}","chain_sm3":"{last.chain}","backoff_ms":0}}'
        )
        twin.answer_status(200, None, content_type="application/json", body=held)
        await hall.issue(3)
        await hall.trouble("province.stalled", 20.0)
        assert hall.status.state is State.ONLINE
        assert "同步停滞" in hall.status.last_error.zh
        twin.heal()
        await hall.all_acknowledged()
        await until_async(lambda: hall.troubles() == set())
        await same_on_both_sides(hall)


async def test_a_chain_that_differs_is_told_and_not_repaired(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.issue(3)
        await hall.all_acknowledged()
        last = (await hall.rows())[-1]
        wrong = (
            f'{{"streamid":"{last.streamid}","acked_through":"{last.sequence + 1:016d}",'
            f'"next_expected":"{last.sequence + 2:016d}","chain_sm3":"{"a" * 64}"}}'
        )
        twin.answer_status(200, None, content_type="application/json", body=wrong)
        await hall.issue(1)
        await hall.trouble("province.chain_broken", 20.0)

        assert hall.status.acknowledged == last.sequence
        assert "勿改动数据库" in hall.status.last_error.zh
        assert len(await hall.streams()) == 1


# --- what must not leak -----------------------------------------------------------------------------------------------


async def test_nothing_personal_is_logged_whatever_fails(
    twin: ProvinceTwin, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.issue(1, card=ZHANG)
        twin.drop_requests(2)
        await hall.emit(acted("请回电 13900000000"))
        await hall.emit(Strange(text="990000199909090053 张测试"))
        await hall.issue(3)
        await until_async(lambda: hall.status.refused_events == 1, 20.0)
        await hall.all_acknowledged()

    ours = "\n".join(r.getMessage() for r in caplog.records if r.name.split(".")[0] in ("outbox", "province", "hall"))
    assert "lost:" in ours
    assert not looks_personal(ours)
    assert "张" not in ours


async def test_a_hall_without_a_key_sends_nothing_and_says_why(twin: ProvinceTwin, tmp_path: Path) -> None:
    hall = ReportingHall(tmp_path, twin)
    hall.config = replace(hall.config, secrets=replace(hall.config.secrets, sign=None))
    async with hall:
        await hall.trouble("province.no_key")
        assert hall.status.state is State.OFF
        assert "HALL_SIGN_KEY" in hall.status.last_error.zh
        assert (await hall.issue())[0] == "A001"
