"""Conflicts, cloned and restored halls: a new stream repeats what is unacknowledged, and no number is used twice."""

import asyncio
import shutil
from pathlib import Path

import pytest

from hall_daemon.events import OperatorActed
from hall_daemon.words import StreamReason
from sim.province import ProvinceTwin
from tests.province.reporting_hall import ReportingHall, acted, same_on_both_sides
from tests.waiting import until_async


@pytest.mark.parametrize("code", ["SEQ_CONFLICT", "STREAM_CLOSED"])
async def test_a_stream_in_conflict_is_replaced_by_a_new_one(twin: ProvinceTwin, tmp_path: Path, code: str) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.issue(10)
        await hall.all_acknowledged()
        twin.answer_status(409, 1, code=code)
        await hall.issue(10)
        await until_async(lambda: len(twin.ledger().streams) == 2)
        await hall.all_acknowledged()
        ledger = await same_on_both_sides(hall)

        assert len(ledger.tickets) == 20
        assert [stream.reason for stream in ledger.streams] == ["install", "reset"]
        assert ledger.warnings == ()


async def test_an_event_whose_id_is_taken_is_listed_when_it_conflicts_again(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.issue(10)
        await hall.all_acknowledged()
        taken = (await hall.rows())[-1].id
        await hall.store.write(lambda tx: tx.emit(acted("first"), event_id="0197f0a0-0000-7000-8000-00000000abcd"))
        await hall.all_acknowledged()
        await hall.stop_sending()
        await hall.store.reset_stream(StreamReason.RESET)
        await hall.store.write(lambda tx: tx.emit(acted("second"), event_id="0197f0a0-0000-7000-8000-00000000abcd"))
        await hall.issue(10)
        hall._tasks = [asyncio.create_task(hall.outbox.run())]
        await until_async(lambda: hall.status.refused_events == 1, 20.0)
        await hall.all_acknowledged()

        assert [row.code for row in await hall.refused()] == ["ID_CONFLICT"]
        assert taken != "0197f0a0-0000-7000-8000-00000000abcd"
        assert len(twin.ledger().tickets) == 20


async def test_a_new_stream_keeps_the_places_of_what_it_repeats(twin: ProvinceTwin, tmp_path: Path) -> None:
    """The first event of a stream and what happened to the hall as such share one subject."""
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.all_acknowledged()
        twin.be_unreachable()
        for _ in range(3):
            await hall.emit_many(2)
            await hall.store.reset_stream(StreamReason.RESET)
        await hall.emit_many(2)
        await hall.trouble("province.unreachable")
        twin.be_reachable()
        await hall.all_acknowledged()
        await hall.store.reset_stream(StreamReason.RESET)
        await hall.emit_many(2)
        await hall.all_acknowledged()
        ledger = await same_on_both_sides(hall)

        assert ledger.quarantined == ledger.held == ()
        assert sum(event.type == OperatorActed.wire_type for event in ledger.events) == 10


async def test_two_halls_with_one_identity_lose_nothing_and_say_so(twin: ProvinceTwin, tmp_path: Path) -> None:
    first = ReportingHall(tmp_path / "first", twin)
    async with first:
        await first.issue(10)
        await first.all_acknowledged()
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    second = ReportingHall(tmp_path / "second", twin)
    async with first:
        await first.issue(7)
        await first.all_acknowledged()
    async with second:
        await second.emit(acted("of the second"))
        await second.all_acknowledged()
        streams = await second.streams()
        ids = {row.id for row in await second.rows() if row.type == OperatorActed.wire_type}
        ledger = twin.ledger()

    assert [stream.reason for stream in streams] == ["install", "restore"]
    assert ids <= {event.id for event in ledger.events}
    assert len(ledger.tickets) == 17
    assert ledger.duplicates == 0


async def test_a_restored_hall_reports_in_a_new_stream_and_reuses_no_number(twin: ProvinceTwin, tmp_path: Path) -> None:
    hall = ReportingHall(tmp_path / "hall", twin)
    async with hall:
        await hall.issue(20)
        await hall.all_acknowledged()
        await hall.stop_sending()
        await hall.issue(3)
    shutil.copy(tmp_path / "hall" / "hall.db", tmp_path / "backup.db")
    async with hall:
        await hall.issue(40)
        await hall.all_acknowledged()
    shutil.copy(tmp_path / "backup.db", tmp_path / "hall" / "hall.db")
    async with hall:
        await hall.issue(5)
        await hall.all_acknowledged()
        ledger = twin.ledger()
        streams = await hall.streams()

    numbers = [ticket.display_no for ticket in ledger.tickets]
    assert hall.store.restored
    assert len(numbers) == len(set(numbers)) == 68
    assert [stream.reason for stream in streams] == ["install", "restore"]
    assert ledger.duplicates == 0
    assert len(ledger.repeats) >= 3
    assert [warning for warning in ledger.warnings if warning.code != "CHAIN_MISMATCH"] == []


async def test_serials_are_lifted_above_what_the_province_has_seen(twin: ProvinceTwin, tmp_path: Path) -> None:
    """A whole folder put back, epoch file included, is an old copy that only the province can recognise."""
    hall = ReportingHall(tmp_path / "hall", twin)
    async with hall:
        await hall.issue(20)
        await hall.all_acknowledged()
    shutil.copytree(tmp_path / "hall", tmp_path / "backup")
    async with hall:
        await hall.issue(30)
        await hall.all_acknowledged()
    shutil.rmtree(tmp_path / "hall")
    shutil.copytree(tmp_path / "backup", tmp_path / "hall")
    async with hall:
        await hall.online()
        numbers = await hall.issue(2)
        await hall.all_acknowledged()
        ledger = twin.ledger()

    assert int(numbers[0][1:]) > 60
    assert len({ticket.display_no for ticket in ledger.tickets}) == len(ledger.tickets) == 52
