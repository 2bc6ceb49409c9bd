"""The slip of a visit: paper that runs out, a printer that falls silent, a slip that is printed again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zxingcpp

from drivers.base import Key
from hall_daemon.following import Following
from hall_daemon.protocol_kiosk import KioskScreen
from sim.bench import Bench
from tests.journeys.kiosk_room import KioskRoom, kiosk_room, running, write_hall
from tests.waiting import until_async

S = KioskScreen


async def test_lack_of_paper_is_said_first_and_the_number_is_given_all_the_same(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        room.bench["PRN-01"].run_out_of_paper()
        await room.shows(S.IDLE)
        await until_async(lambda: any("纸用完" in notice.zh for notice in room.view.notices))
        assert any("2号取号机" in notice.zh for notice in room.view.notices)
        await room.identify()
        await room.choose()
        room.touch("ok")
        view = await room.shows(S.NOPAPER)
        assert view.ticket is not None
        assert view.ticket.number == "A001"
        assert "纸用完" in view.title.zh
        assert any("2号取号机" in notice.zh for notice in view.notices)
        await until_async(lambda: room.events("hall.ticket.printed.v1"))
        (printed,) = await room.events("hall.ticket.printed.v1")
        assert (printed["result"], printed["reason_code"]) == ("failed", "paper_out")


async def test_without_paper_a_phone_takes_the_number_from_the_screen(tmp_path: Path) -> None:
    folder = write_hall(tmp_path / "hall", more='\n[phone]\nurl = "https://hall.example/t"\n')
    with Bench(folder, tmp_path / "run", province=None) as bench:
        async with running(bench) as room:
            bench["PRN-01"].run_out_of_paper()
            await until_async(lambda: any("纸用完" in notice.zh for notice in room.view.notices))
            await room.identify()
            await room.choose()
            room.touch("ok")
            view = await room.shows(S.NOPAPER)
            assert view.ticket is not None
            [found] = zxingcpp.read_barcodes(picture(view.ticket.code))
            code = found.text.removeprefix("https://hall.example/t/")
            assert (await Following(room.hall, room.clock).view(code, "10.0.0.1")).number == view.ticket.number


def picture(rows: tuple[str, ...]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A QR code as a phone sees it: eight points a module, the quiet zone around it."""
    modules = np.array([[c == "#" for c in row] for row in rows])
    return np.where(np.kron(np.pad(modules, 4), np.ones((8, 8))) > 0, 0, 255).astype(np.uint8)


async def test_after_a_refill_the_slip_is_printed_again_and_marked(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        room.bench["PRN-01"].paper_out_after(lines=5)
        await room.identify()
        await room.choose()
        room.touch("ok")
        await room.shows(S.NOPAPER)
        await until_async(lambda: len(room.view.choices) == 1, what="without paper there is nothing to try")
        room.touch("2")
        assert room.view.screen is S.NOPAPER
        room.bench["PRN-01"].refill()
        await until_async(lambda: len(room.view.choices) == 2)
        room.touch("2")
        view = await room.shows(S.DONE)
        assert view.ticket is not None
        assert view.ticket.number == "A001"
        marked = [slip for slip in room.slips() if "补打" in slip]
        assert len(marked) == 1
        assert "A001" in marked[0]
        await until_async(lambda: _length(room, "hall.ticket.printed.v1", 2))
        first, second = await room.events("hall.ticket.printed.v1")
        assert (first["result"], second["result"], second["reprint_by"]) == ("failed", "ok", "kiosk/k1")


async def _length(room: KioskRoom, kind: str, count: int) -> bool:
    return len(await room.events(kind)) == count


async def test_a_printer_that_falls_silent_is_asked_about_and_never_repeats_by_itself(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        room.bench["PRN-01"].go_mute_after(bytes_received=60)
        await room.identify()
        await room.choose()
        room.touch("ok")
        view = await room.shows(S.UNSURE)
        assert view.title.zh == "票出来了吗？"
        assert view.ticket is not None
        assert view.ticket.number == "A001"
        await until_async(lambda: room.events("hall.ticket.printed.v1"))
        (printed,) = await room.events("hall.ticket.printed.v1")
        assert (printed["result"], printed["reason_code"]) == ("unknown", "timeout")
        room.touch("1")
        await room.shows(S.DONE)
        assert len(await room.events("hall.ticket.printed.v1")) == 1


async def test_what_did_not_come_out_is_printed_again_and_marked(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        printer = room.bench["PRN-01"]
        printer.go_mute_after(bytes_received=60)
        await room.identify()
        await room.choose()
        room.touch("ok")
        await room.shows(S.UNSURE)
        printer.recover()
        await until_async(lambda: room.devices.can_serve("PRN-01"))
        room.touch("2")
        await room.shows(S.DONE)
        assert "补打" in room.slips()[-1]
        assert [ticket.number for ticket in await room.tickets()] == ["A001"]


async def test_a_slip_is_printed_again_at_another_kiosk_by_card(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        room.bench["PRN-01"].run_out_of_paper()
        await room.identify("zhang")
        await room.choose()
        room.touch("ok")
        await room.shows(S.NOPAPER)
        other = room.other
        room.lay("zhang", reader="IDR-03")
        await until_async(lambda: other.view.screen is S.DUPLICATE)
        other.press(Key.DIGIT_1)
        await until_async(lambda: other.view.screen is S.DONE)
        (slip,) = room.slips("PRN-02")
        assert "A001" in slip
        assert "补打" in slip


async def test_a_number_whose_slip_was_lost_in_a_restart_is_offered_again(tmp_path: Path) -> None:
    hall = write_hall(tmp_path / "hall")
    with Bench(hall, tmp_path / "run", province=None) as bench:
        async with running(bench) as room:
            bench["PRN-01"].stall()
            await room.identify()
            await room.choose()
            room.touch("ok")
            await until_async(lambda: room.view.ticket is not None)
            bench["IDR-01"].lift()
        bench["PRN-01"].recover()
        async with running(bench) as room:
            view = await room.shows(S.UNPRINTED)
            assert view.title.zh.startswith("A001 未出票")
            await until_async(lambda: room.devices.can_serve("PRN-01"))
            room.touch("ok")
            await room.shows(S.DONE)
            assert "补打" in room.slips()[-1]
            room.touch("ok")
            await room.shows(S.IDLE)
            assert len(await room.tickets()) == 1


async def test_a_card_during_the_offer_of_a_lost_slip_goes_first_and_the_offer_comes_back(tmp_path: Path) -> None:
    with Bench(write_hall(tmp_path / "hall"), tmp_path / "run", province=None) as bench:
        async with running(bench) as room:
            bench["PRN-01"].run_out_of_paper()
            await until_async(lambda: not room.devices.can_serve("PRN-01"))
            await room.identify("zhang")
            await room.choose()
            room.touch("ok")
            await room.shows(S.NOPAPER)
            room.lift()
            room.touch("1")
            await room.shows(S.IDLE)
        async with running(bench) as room:
            await room.shows(S.UNPRINTED)
            room.lay("li")
            await room.shows(S.PHONE)
            room.lift()
            room.touch("cancel")
            await room.shows(S.UNPRINTED)
            room.touch("cancel")
            await room.shows(S.IDLE)
