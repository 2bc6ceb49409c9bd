"""A ticket machine without a screen, by its keypad and the two lines of its display, on the pad's twin."""

from __future__ import annotations

from pathlib import Path

from hall_daemon.kiosk_search import number_of
from hall_daemon.protocol_kiosk import KioskScreen
from sim.bench import Bench
from tests.journeys.kiosk_room import QUICK, KioskRoom, running, write_hall
from tests.waiting import until_async

S = KioskScreen


async def reads(room: KioskRoom, upper: str, lower: str) -> None:
    pad = room.bench["KEY-01"]
    await until_async(
        lambda: [line.rstrip() for line in pad.lines] == [upper, lower],
        what=lambda: f"{upper!r}, {lower!r}: {pad.lines}",
    )


async def test_a_visit_by_two_lines_from_the_card_to_the_ticket(tmp_path: Path) -> None:
    folder = write_hall(tmp_path / "hall")
    tables = (folder / "devices.toml").read_text(encoding="utf-8")
    (folder / "devices.toml").write_text(tables.replace("[kiosk.k1]", '[kiosk.k1]\nscreen = "no"'), encoding="utf-8")
    with Bench(folder, tmp_path / "run", province=None) as bench:
        async with running(bench, QUICK) as room:
            await reads(room, "Place ID card", "No card: press 1")
            room.lay("zhang")
            await reads(room, "Phone   * skips", "...........")
            await room.pad(*"139")
            await reads(room, "Phone   * skips", "***........")
            await room.pad("*")
            await reads(room, "Item number", "")
            await room.pad("7")
            await until_async(lambda: len(room.flow.core.found) > 1)
            await room.pad("ok")
            await room.pad("correct")
            await reads(room, "Item number", "")
            assert room.view.screen is S.PINYIN, "nothing is chosen among names that nobody sees"
            item = room.hall.profile.items_at("k1")[0]
            await room.pad(*number_of(item))
            await reads(room, "Item number", f"{number_of(item):<9}OK")
            await room.pad("ok")
            await reads(room, item.name.en[:16].rstrip(), "0 ahead  OK=take")
            bench.lines["KEY-01"].unplug()
            await until_async(lambda: not room.devices.can_serve("KEY-01"))
            bench["KEY-01"].power_cycle()
            bench.lines["KEY-01"].replug()
            await reads(room, item.name.en[:16].rstrip(), "0 ahead  OK=take")
            await room.pad("ok")
            await reads(room, "Ticket A001", "Window 1")
            assert [ticket.number for ticket in await room.tickets()] == ["A001"]
            room.lift()
            await room.pad("ok")
            await room.shows(S.IDLE)
            await room.pad("5", *"2*001", "ok")
            await reads(room, "Ticket A001", "0 ahead")
