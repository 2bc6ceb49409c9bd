"""Closed days are compared with the province, and only a day that matches counts as reconciled."""

from pathlib import Path

import pytest

from hall_daemon import service_day
from hall_daemon.clock import Clock
from hall_daemon.tables import DayRow
from hall_daemon.words import StreamReason
from sim.province import Calls, ProvinceTwin
from tests.province.reporting_hall import ReportingHall, same_on_both_sides
from tests.waiting import until_async

NIGHT_MS = 86_400_000


class ClockAhead(Clock):
    """The machine's clock, some days later."""

    ahead_ms = 0

    def now_ms(self) -> int:
        return super().now_ms() + self.ahead_ms


def results(twin: ProvinceTwin) -> list[str]:
    return [day.result for day in twin.ledger().reconciliations]


async def test_what_the_province_lost_without_noticing_is_found_by_the_days_comparison(
    twin: ProvinceTwin, tmp_path: Path
) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.emit_many(300)
        await hall.issue(10)
        await hall.all_acknowledged()
        twin.lose_rows([5, 6, 280, 310])
        await hall.close_day()
        await until_async(hall.reconciled, 20.0)
        ledger = await same_on_both_sides(hall)

        assert ledger.lost == ()
        assert [day.result for day in ledger.reconciliations] == ["mismatch", "match"]
        assert hall.troubles() == set()


async def test_a_day_of_two_streams_is_compared_in_two_parts(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.issue(20)
        await hall.all_acknowledged()
        await hall.store.reset_stream(StreamReason.RESET)
        await hall.issue(20)
        await hall.all_acknowledged()
        await hall.close_day()
        await until_async(hall.reconciled, 20.0)
        ledger = await same_on_both_sides(hall)

        assert [day.result for day in ledger.reconciliations] == ["match", "match"]


async def test_an_open_day_is_not_compared(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.issue(3)
        await hall.all_acknowledged()
        await until_async(lambda: twin.health()["heartbeats"] >= 3)

        assert results(twin) == []
        assert not await hall.reconciled()


async def test_what_happens_in_the_night_is_compared_when_the_next_day_is_open(
    twin: ProvinceTwin, tmp_path: Path
) -> None:
    clock = ClockAhead()
    async with ReportingHall(tmp_path, twin, clock=clock) as hall:
        await hall.issue(3)
        await hall.close_day()
        await until_async(hall.reconciled)
        await hall.emit_many(2)
        await hall.all_acknowledged()
        assert results(twin) == ["match"]

        clock.ahead_ms = NIGHT_MS
        await service_day.open_day(hall.hall)
        await until_async(lambda: len(results(twin)) == 2)
        await hall.all_acknowledged()
        days = twin.ledger().reconciliations
        days_here = await hall.store.read(lambda session: session.get_one(DayRow, days[0].bizdate).reconciled)

        assert [day.result for day in days] == ["match", "match"]
        assert days[1].last > days[0].last
        assert days_here
        await same_on_both_sides(hall)


async def test_days_closed_while_the_province_was_away_are_compared_afterwards(
    twin: ProvinceTwin, tmp_path: Path
) -> None:
    clock = ClockAhead()
    twin.be_unreachable()
    async with ReportingHall(tmp_path, twin, clock=clock) as hall:
        for day in range(3):
            clock.ahead_ms = day * NIGHT_MS
            if day:
                await service_day.open_day(hall.hall)
            await hall.issue(4)
            await hall.close_day()
        twin.be_reachable()
        await until_async(hall.reconciled, 20.0)

        assert results(twin) == ["match"] * 3
        await same_on_both_sides(hall)


async def test_a_day_that_stays_different_is_told_and_not_released(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.issue(3)
        body = '{"result":"mismatch","buckets":[],"missing_blobs":[]}'
        twin.answer_status(200, None, content_type="application/json", body=body, of=Calls.RECONCILIATIONS)
        await hall.close_day()
        await hall.trouble("province.day_differs")
        assert not await hall.reconciled()
        assert "对账不一致" in hall.status.last_error.zh
        twin.heal()
        await until_async(hall.reconciled, 40.0)
        await until_async(lambda: hall.troubles() == set(), 40.0, "no trouble any more")


async def test_a_day_whose_chain_differs_is_told_and_not_repaired(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.issue(3)
        twin.answer_status(409, None, code="CHAIN_MISMATCH", of=Calls.RECONCILIATIONS)
        await hall.close_day()
        await hall.trouble("province.day_chain_broken")
        await hall.emit_many(1)
        await hall.all_acknowledged()

        assert not await hall.reconciled()
        assert "province.day_chain_broken" in hall.troubles()
        assert len(await hall.streams()) == 1


@pytest.mark.parametrize("verb", ["drop_requests", "lose_answers_after_commit", "answer_like_a_portal"])
async def test_a_comparison_without_answer_is_repeated(twin: ProvinceTwin, tmp_path: Path, verb: str) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.issue(3)
        getattr(twin, verb)(2, of=Calls.RECONCILIATIONS)
        await hall.close_day()
        await until_async(hall.reconciled, 20.0)

        assert results(twin)[-1] == "match"
