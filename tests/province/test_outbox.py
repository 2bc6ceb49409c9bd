"""The event log reaches the province once and in order, whatever the line and the province do meanwhile."""

import asyncio
import logging
from pathlib import Path

import pytest

from hall_daemon.outbox import State
from sim.province import Calls, ProvinceTwin
from tests.province.reporting_hall import ZHANG, ReportingHall, Watched, same_on_both_sides
from tests.waiting import until_async

# --- the plain way ----------------------------------------------------------------------------------------------------


async def test_what_happens_in_the_hall_reaches_the_province_once_and_in_order(
    twin: ProvinceTwin, tmp_path: Path
) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.issue(120)
        await hall.issue(1, card=ZHANG)
        await hall.all_acknowledged()

        ledger = await same_on_both_sides(hall)
        assert len(ledger.tickets) == 121
        assert ledger.warnings == ()
        assert hall.status.state is State.ONLINE
        assert hall.status.oldest_unacked_ms is None
        assert hall.status.last_error is None
        opened = [event.envelope for event in ledger.events if event.envelope is not None]
        assert opened == [{"members": ["id_no", "id_type", "name"], "id_hmac_matches": True}]


async def test_a_restarted_hall_goes_on_where_it_stood(twin: ProvinceTwin, tmp_path: Path) -> None:
    hall = ReportingHall(tmp_path, twin)
    async with hall:
        await hall.issue(30)
        await hall.all_acknowledged()
    async with hall:
        await hall.issue(5)
        await hall.all_acknowledged()
        ledger = await same_on_both_sides(hall)

    assert len(ledger.streams) == 1
    assert ledger.resent == 0


async def test_batches_grow_to_what_the_province_takes(twin: ProvinceTwin, tmp_path: Path) -> None:
    twin.limit(batch_events=80)
    twin.be_unreachable()
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.emit_many(400)
        twin.be_reachable()
        await hall.all_acknowledged()
        await same_on_both_sides(hall)

        assert hall.outbox.events.sent_batches == 1 + -(-(403 - 50) // 80)


async def test_the_heartbeat_tells_how_the_hall_is(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.issue(3)
        await until_async(lambda: (twin.health()["heartbeat"] or {}).get("waiting") == {"A": 3})
        beat = twin.health()["heartbeat"]

    assert beat["day_state"] == "open"
    assert beat["windows_open"] == 0
    assert beat["disk_free_bytes"] > 0


# --- the line ---------------------------------------------------------------------------------------------------------


async def test_the_hall_works_while_the_province_is_away_and_reports_when_it_is_back(
    twin: ProvinceTwin, tmp_path: Path
) -> None:
    twin.be_unreachable()
    async with ReportingHall(tmp_path, twin) as hall:
        numbers = await hall.issue(60)
        await hall.trouble("province.unreachable")
        assert numbers[-1] == "A060"
        assert hall.status.state is State.WAITING
        assert hall.status.backlog_events == len(await hall.rows())
        assert hall.status.oldest_unacked_ms is not None
        assert "省级平台连不上" in hall.status.last_error.zh

        twin.be_reachable()
        await hall.all_acknowledged()
        await same_on_both_sides(hall)
        assert hall.troubles() == set()


async def test_an_answer_lost_after_commit_is_asked_for_again(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.all_acknowledged()
        twin.lose_answers_after_commit(2)
        await hall.issue(10)
        await hall.fault_seen()
        await hall.all_acknowledged()
        await same_on_both_sides(hall)


@pytest.mark.parametrize("verb", ["drop_requests", "truncate_answers", "corrupt_answers", "reset_connections"])
async def test_a_broken_exchange_is_no_acknowledgement(twin: ProvinceTwin, tmp_path: Path, verb: str) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.all_acknowledged()
        before = hall.status.acknowledged
        getattr(twin, verb)(None)
        await hall.issue(10)
        await hall.fault_seen(2)
        if verb in ("drop_requests", "reset_connections"):
            assert hall.status.acknowledged == before
        twin.heal()
        await hall.all_acknowledged()
        await same_on_both_sides(hall)


async def test_a_login_page_is_never_taken_for_the_province(twin: ProvinceTwin, tmp_path: Path) -> None:
    twin.answer_like_a_portal(None, of=Calls.EVERYTHING)
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.issue(10)
        await hall.trouble("province.not_the_province")
        assert hall.status.acknowledged == 0
        assert "非平台响应" in hall.status.last_error.zh
        twin.heal()
        await hall.all_acknowledged()
        await same_on_both_sides(hall)


async def test_a_login_page_between_hello_and_batch_is_no_acknowledgement(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.all_acknowledged()
        before = hall.status.acknowledged
        twin.answer_like_a_portal(None)
        await hall.issue(10)
        await hall.trouble("province.not_the_province")
        assert hall.status.acknowledged == before
        twin.heal()
        await hall.all_acknowledged()
        await same_on_both_sides(hall)


async def test_an_answer_about_another_stream_is_no_acknowledgement(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.all_acknowledged()
        before = hall.status.acknowledged
        body = (
            '{"streamid":"0197f09f-0000-7000-8000-000000000000","acked_through":"0000000000000009",'
            '"next_expected":"0000000000000010","chain_sm3":"' + "0" * 64 + '"}'
        )
        twin.answer_status(200, None, content_type="application/json", body=body)
        await hall.issue(20)
        await hall.trouble("province.not_the_province")
        assert hall.status.acknowledged == before
        twin.heal()
        await hall.all_acknowledged()
        await same_on_both_sides(hall)


async def test_a_silent_line_makes_batches_smaller(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with ReportingHall(tmp_path, twin, pace=Watched(idle_s=0.4)) as hall:
        await hall.all_acknowledged()
        twin.be_unreachable()
        await hall.emit_many(60)
        twin.be_reachable()
        twin.ignore_requests(3)
        await hall.fault_seen(3)
        sent = hall.outbox.events.sent_batches
        await hall.all_acknowledged()
        await same_on_both_sides(hall)

        assert hall.outbox.events.sent_batches - sent >= 3


async def test_a_very_slow_line_still_gets_through(twin: ProvinceTwin, tmp_path: Path) -> None:
    twin.be_unreachable()
    async with ReportingHall(tmp_path, twin, pace=Watched(idle_s=1.0)) as hall:
        await hall.emit_many(60)
        twin.be_reachable()
        twin.slow(3000, of=Calls.EVENTS)
        await hall.all_acknowledged(40.0)
        await same_on_both_sides(hall)


# --- the province -----------------------------------------------------------------------------------------------------


async def test_a_province_that_dies_in_a_batch_has_the_rest_afterwards(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.all_acknowledged()
        twin.crash_in_transaction()
        await hall.issue(40)
        await asyncio.to_thread(twin.wait_until_dead)
        await hall.trouble("province.unreachable")
        twin.restart()
        await hall.all_acknowledged()
        await same_on_both_sides(hall)


async def test_a_province_killed_again_and_again_has_everything_once(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        for _ in range(4):
            await hall.issue(25)
            twin.crash_after_commit()
            await hall.issue(25)
            await asyncio.to_thread(twin.wait_until_dead)
            await hall.issue(10)
            twin.restart()
        await hall.all_acknowledged()
        ledger = await same_on_both_sides(hall)

    assert len(ledger.tickets) == 240


async def test_a_hall_killed_while_sending_repeats_and_leaves_one_effect(twin: ProvinceTwin, tmp_path: Path) -> None:
    hall = ReportingHall(tmp_path, twin)
    for _ in range(4):
        async with hall:
            twin.delay_answers(150, None)
            await hall.issue(15)
            await hall.fault_seen()
            await hall.stop_sending()
            twin.heal()
    async with hall:
        await hall.all_acknowledged()
        ledger = await same_on_both_sides(hall)

    assert len(ledger.tickets) == 60
    assert len(ledger.streams) == 1


@pytest.mark.parametrize("with_news", [True, False])
async def test_a_province_restored_from_a_backup_gets_everything_again(
    twin: ProvinceTwin, tmp_path: Path, with_news: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.issue(60)
        await hall.all_acknowledged()
        twin.forget_after(20)
        if with_news:
            await hall.issue(5)
        await until_async(lambda: "trouble province.rewound sequence=21" in caplog.text)
        await hall.all_acknowledged()
        ledger = await same_on_both_sides(hall)

        assert len(ledger.tickets) == (65 if with_news else 60)
        await until_async(lambda: hall.troubles() == set())


async def test_a_province_that_forgot_the_stream_gets_it_from_the_start(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.issue(40)
        await hall.all_acknowledged()
        twin.reset()
        await hall.issue(1)
        await until_async(lambda: len(twin.ledger().tickets) == 41)
        await hall.all_acknowledged()
        await same_on_both_sides(hall)
