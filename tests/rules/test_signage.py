"""A call becomes visible: window displays with twins on a real line, and the calls of the hall board."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hall_daemon import devices_port as device_room
from hall_daemon import service_day
from hall_daemon.devices import Devices
from hall_daemon.signage import Signage
from hall_daemon.words import Outcome
from sim.carriers import PtyLine
from sim.display_onbon import OnbonTwin
from tests.rules.hall_room import HOUR_MS, PLACES, HallRoom, StandingClock, hall_room, write_hall
from tests.waiting import until_async

DISPLAY = """
[device.DSP-0{n}]
driver = "display_onbon"
port = "{port}"
address = {n}
width_px = {size[0]}
height_px = {size[1]}
gap_s = 0.0
"""


class Rooms:
    """The hall, its displays on one line, and the room between them."""

    def __init__(self, room: HallRoom, line: PtyLine) -> None:
        self.room, self.line = room, line
        self.screens: list[Any] = line.twins
        self.devices = Devices(dict(room.config.devices), room.clock)
        self.signage = Signage(room.hall, self.devices)

    async def shows(self, *texts: str) -> None:
        """Wait until this is what people see, window by window."""
        await until_async(
            lambda: [screen.text for screen in self.screens] == list(texts), 15,
            f"{texts}, not {[screen.text for screen in self.screens]}",
        )  # fmt: skip

    def notices(self, window: str) -> list[str]:
        return [notice.en for notice in self.signage.notices(window)]


WIDE = (128, 32)


@asynccontextmanager
async def rooms(
    folder: Path, clock: StandingClock | None = None, sizes: tuple[tuple[int, int], ...] = (WIDE, WIDE)
) -> AsyncIterator[Rooms]:
    """`sizes` of the displays over windows 1 and 2, in dots."""
    line = PtyLine(folder / "line")
    tables = [DISPLAY.format(n=n, port=line.port, size=size) for n, size in enumerate(sizes, start=1)]
    places = PLACES
    for n, queues in ((1, '["A", "H"]'), (2, '["H", "D"]')):
        places = places.replace(f"queues = {queues}", f'queues = {queues}\ndisplay = "DSP-0{n}"')
        width, height = sizes[n - 1]
        options = {"address": n, "gap_s": 0.0, "width_px": width, "height_px": height}
        line.attach(OnbonTwin(f"DSP-0{n}", options))
    write_hall(folder / "hall", places + "".join(tables))
    line.start()
    async with hall_room(folder / "hall", clock) as room:
        found = Rooms(room, line)
        found.devices.start()
        running = asyncio.ensure_future(found.signage.run())
        try:
            yield found
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await found.devices.stop()
            await asyncio.to_thread(line.stop)


async def test_a_display_follows_its_window_step_by_step(tmp_path: Path) -> None:
    async with rooms(tmp_path) as hall:
        await hall.shows("1号 未开放", "2号 未开放")
        await hall.room.sign_in(w1="c001")
        await hall.shows("1号窗口", "2号 未开放")
        await hall.room.numbers(2)
        await hall.room.call("1")
        await hall.shows("请A001到1号窗口", "2号 未开放")
        assert hall.screens[0].shown[-1].attention
        await hall.room.serve("1", "A001")
        await hall.shows("A001 办理中", "2号 未开放")
        await hall.room.sign_in(w2="c002")
        await hall.room.transfer("1", "A001", to_window="2")
        await hall.shows("1号窗口", "2号窗口")
        await hall.room.call("2")
        await hall.shows("1号窗口", "请A001到2号窗口")
        await hall.room.hall.no_show("2", "A001")
        await hall.shows("1号窗口", "2号窗口")
        await service_day.close(hall.room.hall)
        await hall.shows("1号 未开放", "2号 未开放")
        assert hall.notices("1") == []


async def test_a_display_that_was_away_shows_what_is_and_not_what_was(tmp_path: Path) -> None:
    async with rooms(tmp_path) as hall:
        await hall.room.sign_in(w1="c001", w2="c002")
        await hall.shows("1号窗口", "2号窗口")
        await asyncio.to_thread(hall.line.unplug)
        await until_async(lambda: hall.devices.view("DSP-01").link == "offline")
        for number in await hall.room.numbers(3):
            assert await hall.room.call("1") == number
            await hall.room.serve("1", number)
            await hall.room.hall.finish("1", number, Outcome.COMPLETED)
        await hall.room.numbers(1)
        await hall.room.call("1")
        assert hall.notices("1") == ["The window display is offline: call aloud."]
        seen = len(hall.screens[0].shown)
        await asyncio.to_thread(hall.line.replug)
        await hall.shows("请A004到1号窗口", "2号窗口")

        assert [shown.text for shown in hall.screens[0].shown[seen:]] == ["请A004到1号窗口"]
        assert hall.notices("1") == []


async def test_a_display_that_lost_its_power_gets_its_text_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_room, "ASK_CONDITIONS_S", 0.1)
    async with rooms(tmp_path) as hall:
        await hall.room.sign_in(w1="c001")
        await hall.shows("1号窗口", "2号 未开放")
        hall.screens[0].restart()
        await hall.shows("1号窗口", "2号 未开放")


async def test_on_a_narrow_display_the_call_is_shortened_and_the_number_stands(tmp_path: Path) -> None:
    async with rooms(tmp_path, sizes=((112, 16), (32, 16))) as hall:
        await hall.room.sign_in(w1="c001", w2="c002")
        await hall.room.numbers(1)
        await hall.room.numbers(1, "queue:D")
        await hall.room.call("1")
        await hall.room.call("2")
        await until_async(lambda: [s.text for s in hall.screens] == ["请A001到本窗口", "D001"], 15)
        await until_async(lambda: hall.notices("1") == hall.notices("2") == [])
        await hall.room.serve("2", "D001")
        await until_async(lambda: not hall.screens[1].shown[-1].attention)

        assert hall.screens[1].text == "D001"


async def test_what_does_not_fit_at_all_is_told_to_the_clerk_and_the_call_stands(tmp_path: Path) -> None:
    async with rooms(tmp_path, sizes=(WIDE, (16, 16))) as hall:
        await hall.room.sign_in(w1="c001", w2="c002")
        await hall.room.numbers(1, "queue:D")
        await hall.room.call("2")
        await until_async(lambda: hall.notices("2") == ["The display did not show this call: call aloud."], 15)

        assert (await hall.room.find("D001")).state == "called"
        await hall.shows("1号窗口", "")


async def test_a_mute_display_holds_up_no_call(tmp_path: Path) -> None:
    async with rooms(tmp_path) as hall:
        await hall.room.sign_in(w1="c001", w2="c002")
        await hall.shows("1号窗口", "2号窗口")
        hall.screens[0].go_mute()
        await hall.room.numbers(1)
        await hall.room.numbers(1, "queue:D")
        await hall.room.call("1")
        await hall.room.call("2")
        await until_async(lambda: hall.screens[1].text == "请D001到2号窗口", 15)
        await until_async(lambda: hall.notices("1") != [], 15)
        hall.screens[0].recover()
        await hall.shows("请A001到1号窗口", "请D001到2号窗口")
        await until_async(lambda: hall.notices("1") == [])


# --- the board --------------------------------------------------------------------------------------------------------


def calls(signage: Signage) -> list[tuple[str, str, int]]:
    return [(call.number, call.window, call.call_no) for call in signage.calls]


async def test_the_board_has_the_newest_call_first_and_all_of_them_again_after_a_restart(tmp_path: Path) -> None:
    async with rooms(tmp_path) as hall:
        hall.room.clock.pass_ms(14 * HOUR_MS + 50 * 60_000)  # an evening's service: 23:50
        await hall.room.sign_in(w1="c001", w2="c002")
        await hall.room.numbers(1)
        await hall.room.numbers(1, "queue:D")
        await hall.room.call("1")
        await hall.room.hall.recall("1", "A001")
        await hall.room.call("2")
        await until_async(lambda: len(hall.signage.calls) == 3)
        before, clock = calls(hall.signage), hall.room.clock
        announced = hall.signage.calls[0].announcement.zh
    clock.pass_ms(20 * 60_000)
    async with rooms(tmp_path, clock) as hall:
        await until_async(lambda: hall.signage.calls)

        assert before == [("D001", "2", 1), ("A001", "1", 2), ("A001", "1", 1)]
        assert calls(hall.signage) == before
        assert hall.signage.calls[0].announcement.zh == announced == "请 D001 号到 2 号窗口办理。"


async def test_a_new_day_begins_with_an_empty_board(tmp_path: Path) -> None:
    async with rooms(tmp_path) as hall:
        await hall.room.sign_in(w1="c001")
        await hall.room.numbers(1)
        await hall.room.call("1")
        await until_async(lambda: hall.signage.calls)
        await service_day.close(hall.room.hall)
        hall.room.clock.pass_ms(24 * HOUR_MS)
        await service_day.open_day(hall.room.hall)
        await until_async(lambda: not hall.signage.calls)
        clock = hall.room.clock
    async with rooms(tmp_path, clock) as hall:
        await hall.shows("1号 未开放", "2号 未开放")

        assert calls(hall.signage) == []
