"""A kiosk is taken out of service without losing anyone, and stays out over a restart."""

from __future__ import annotations

from pathlib import Path

from hall_daemon.protocol_kiosk import KioskScreen as S
from sim.bench import Bench
from tests.journeys.kiosk_room import kiosk_room, running, write_hall
from tests.waiting import until_async


async def test_kiosk_that_nobody_uses_goes_out_at_once_and_points_to_its_neighbour(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.shows(S.IDLE)
        await room.maintain("k1", on=True)
        view = await room.shows(S.MAINTENANCE)
        assert view.title.zh == "这台机器正在维护"
        assert "2号取号机" in view.line.zh
        assert "Kiosk 2" in view.line.en
        room.lay("zhang")
        room.touch("1")
        assert not room.flow.in_use
        assert room.view.screen is S.MAINTENANCE
        room.lift()
        await room.maintain("k1", on=False)
        await room.shows(S.IDLE)
        await room.visit()


async def test_visit_under_way_ends_with_its_number_and_slip_first(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.identify()
        assert room.flow.in_use
        await room.maintain("k1", on=True)
        await room.choose()
        room.touch("ok")
        view = await room.shows(S.DONE)
        assert view.ticket is not None
        room.lift()
        room.touch("ok")
        await room.shows(S.MAINTENANCE)
        assert [row.number for row in await room.tickets()] == [view.ticket.number]
        assert view.ticket.number in room.slips()[0]


async def test_nobody_is_sent_to_a_kiosk_in_maintenance(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.shows(S.IDLE)
        await room.maintain("k2", on=True)
        room.bench["PRN-01"].run_out_of_paper()
        await until_async(lambda: bool(room.view.notices), what="a notice about paper")
        assert not any("2号取号机" in notice.zh for notice in room.view.notices)
        await room.maintain("k1", on=True)
        view = await room.shows(S.MAINTENANCE)
        assert "导办台" in view.line.zh
        assert "2号取号机" not in view.line.zh


async def test_restart_does_not_put_an_opened_machine_back_to_work(tmp_path: Path) -> None:
    with Bench(write_hall(tmp_path / "hall"), tmp_path / "run", province=None) as bench:
        async with running(bench) as room:
            await room.shows(S.IDLE)
            await room.maintain("k1", on=True)
            await room.maintain("k1", on=True)
            await room.shows(S.MAINTENANCE)
        async with running(bench) as room:
            await until_async(lambda: room.other.view.screen is S.IDLE, what="kiosk 2 at work")
            assert room.view.screen is S.MAINTENANCE
            await room.maintain("k1", on=False)
            await room.shows(S.IDLE)
            acted = [(e["actor"], e["action"], e["target"]) for e in await room.events("hall.operator.acted.v1")]
    assert acted == [
        ("technician", "maintenance_begin", "kiosk/k1"), ("technician", "maintenance_end", "kiosk/k1"),
    ]  # fmt: skip
