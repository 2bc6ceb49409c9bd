"""A call becomes visible: window displays with twins on a real line, and the calls of the hall board."""

import asyncio
import importlib
import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from drivers.transport import ByteStream, Traffic
from hall_daemon import devices_port as device_room
from hall_daemon import service_day
from hall_daemon import signage as signage_room
from hall_daemon.desk import Desk
from hall_daemon.devices import Devices, Urgency
from hall_daemon.signage import Signage
from hall_daemon.texts import text
from hall_daemon.words import Outcome, PauseReason
from sim.carriers import PtyLine
from tests.background import at_work
from tests.rules.hall_room import HOUR_MS, PENSION, PLACES, HallRoom, StandingClock, hall_room, write_hall
from tests.waiting import until_async


def onbon(width_px: int, height_px: int) -> dict[str, Any]:
    return {"driver": "display_onbon", "width_px": width_px, "height_px": height_px}


WIDE = onbon(128, 32)
STRIP = {"driver": "display_strip", "columns": 20, "confirms": True}
ALPHA = {"driver": "display_alpha", "columns": 18}
TWO_COLOUR = {"driver": "display_two_colour", "columns": 16}


class Rooms:
    """The hall, its displays on one line, and the room between them."""

    def __init__(self, room: HallRoom, line: PtyLine, screens: list[Any]) -> None:
        self.room, self.line, self.screens = room, line, screens
        self.devices = Devices(dict(room.config.devices), room.clock)
        self.rated: set[str] = set()
        """Windows where somebody is asked for a grade."""
        self.signage = Signage(room.hall, self.devices, self.rated.__contains__)

    async def shows(self, *texts: str) -> None:
        """Wait until this is what people see, window by window."""
        await until_async(
            lambda: [screen.text for screen in self.screens] == list(texts), 15,
            f"{texts}, not {[screen.text for screen in self.screens]}",
        )  # fmt: skip

    def notices(self, window: str) -> list[str]:
        return [notice.en for notice in self.signage.notices(window)]


@asynccontextmanager
async def rooms(
    folder: Path, clock: StandingClock | None = None, displays: tuple[dict[str, Any], ...] = (WIDE, WIDE)
) -> AsyncIterator[Rooms]:
    """`displays` over windows 1 and 2, on one line unless they have a line of their own."""
    line, own = PtyLine(folder / "line"), PtyLine(folder / "own")
    places, screens = PLACES, []
    for n, (queues, display) in enumerate(zip(('["A", "H"]', '["H", "D"]'), displays, strict=True), start=1):
        places = places.replace(f"queues = {queues}", f'queues = {queues}\ndisplay = "DSP-0{n}"')
        alone = display["driver"] == "display_customer"
        options = display if alone else {"address": n, "gap_s": 0.0, **display}
        screens.append(importlib.import_module(f"sim.{display['driver']}").TWIN(f"DSP-0{n}", options))
        (own if alone else line).attach(screens[-1])
        table = {**options, "port": screens[-1].line.port}
        places += f"\n[device.DSP-0{n}]\n" + "".join(f"{key} = {json.dumps(table[key])}\n" for key in table)
    write_hall(folder / "hall", places)
    line.start()
    own.start()
    async with hall_room(folder / "hall", clock) as room:
        found = Rooms(room, line, screens)
        found.devices.start()
        try:
            async with at_work(found.signage.run()):
                yield found
        finally:
            await found.devices.stop()
            await asyncio.to_thread(line.stop)
            await asyncio.to_thread(own.stop)


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
        for display, texts in (("DSP-01", 6), ("DSP-02", 5)):
            view = hall.devices.view(display)
            assert view.jobs <= texts + view.failures + view.reconnects, f"only what changes is written: {view}"


async def test_a_paused_window_says_until_when_and_where_to_go_in_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signage_room, "PAGE_S", 0.05)
    async with rooms(tmp_path, displays=(WIDE, onbon(256, 16))) as hall:
        desk = Desk(hall.room.hall)
        await hall.room.sign_in(w1="c001", w2="c002")
        await hall.shows("1号窗口", "2号窗口  空闲  请等叫号")
        await desk.pause("1", PauseReason.AWAY, 15)
        for text_ in ("暂停服务", "09:15恢复", "请到2号窗口", "暂停服务"):
            await until_async(lambda text_=text_: hall.screens[0].text == text_, 20, text_)
        await desk.go_on("1")
        await hall.shows("1号窗口", "2号窗口  空闲  请等叫号")
        await desk.pause("2", PauseReason.AWAY, 0)
        for text_ in ("2号窗口  暂停服务", "请到 1号窗口  不用重新取号"):
            await until_async(lambda text_=text_: hall.screens[1].text == text_, 20, text_)


async def test_a_display_of_sixteen_characters_says_more_in_every_state(tmp_path: Path) -> None:
    async with rooms(tmp_path, displays=(WIDE, onbon(256, 16))) as hall:
        await hall.shows("1号 未开放", "2号窗口  未开放")
        await hall.room.sign_in(w2="c002")
        await hall.shows("1号 未开放", "2号窗口  空闲  请等叫号")
        await hall.room.numbers(1, PENSION)
        await hall.room.call("2")
        await hall.shows("1号 未开放", "请 H001 号  到 2号窗口办理")
        assert hall.screens[1].shown[-1].attention
        await hall.room.serve("2", "H001")
        await hall.shows("1号 未开放", "2号窗口  H001 正在办理")
        await hall.room.hall.finish("2", "H001", Outcome.COMPLETED)
        await hall.shows("1号 未开放", "2号窗口  空闲  请等叫号")
        await Desk(hall.room.hall).pause("2", PauseReason.MEAL, 0)
        await hall.shows("1号 未开放", "2号窗口  暂停服务")
        await asyncio.to_thread(hall.line.unplug)
        await until_async(lambda: hall.devices.view("DSP-02").link == "offline")
        seen = len(hall.screens[1].shown)
        await asyncio.to_thread(hall.line.replug)
        await until_async(lambda: len(hall.screens[1].shown) > seen, 20, "the whole state again")
        assert hall.screens[1].text == "2号窗口  暂停服务"


@pytest.mark.fault("E14")
async def test_a_window_that_closes_suddenly_says_so_at_once(tmp_path: Path) -> None:
    async with rooms(tmp_path) as hall:
        await hall.room.sign_in(w1="c001", w2="c002")
        await hall.room.numbers(1)
        await hall.room.call("1")
        await hall.shows("请A001到1号窗口", "2号窗口")
        await hall.room.serve("1", "A001")
        await hall.room.transfer("1", "A001", to_window="2")
        await hall.room.hall.sign_out("1")
        await hall.shows("1号 未开放", "2号窗口")


async def test_who_is_asked_for_a_grade_reads_it_over_the_window(tmp_path: Path) -> None:
    async with rooms(tmp_path) as hall:
        await hall.room.sign_in(w1="c001")
        await hall.shows("1号窗口", "2号 未开放")
        hall.rated.add("1")
        hall.signage.window_changed("1")
        await hall.shows("请您评价 谢谢", "2号 未开放")
        hall.rated.clear()
        hall.signage.window_changed("1")
        await hall.shows("1号窗口", "2号 未开放")


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
    async with rooms(tmp_path, displays=(onbon(112, 16), onbon(32, 16))) as hall:
        await hall.room.sign_in(w1="c001", w2="c002")
        await hall.room.numbers(1)
        await hall.room.numbers(1, "queue:D")
        await hall.room.call("1")
        await hall.room.call("2")
        await until_async(lambda: [s.text for s in hall.screens] == ["A001到1号窗口", "D001"], 15)
        await until_async(lambda: hall.notices("1") == hall.notices("2") == [])
        await hall.room.serve("2", "D001")
        await until_async(lambda: not hall.screens[1].shown[-1].attention)

        assert hall.screens[1].text == "D001"


async def test_a_narrow_display_keeps_no_number_that_is_over(tmp_path: Path) -> None:
    async with rooms(tmp_path, displays=(WIDE, onbon(32, 16))) as hall:
        await hall.shows("1号 未开放", "--")
        await hall.room.sign_in(w2="c002")
        await hall.room.numbers(1, "queue:D")
        await hall.room.call("2")
        await hall.shows("1号 未开放", "D001")
        await hall.room.hall.no_show("2", "D001")
        await hall.shows("1号 未开放", "2")
        assert hall.notices("2") == []


class Silences:
    """How long a line was silent before each frame for a display, by the clock of who keeps the silence.

    The twin cannot tell: on a busy machine it reads at once what was sent apart, and calls that a collision.
    """

    def __init__(self, devices: Devices, display: str) -> None:
        worker = devices._workers[devices.configs[display].port]
        link = worker._link
        assert isinstance(link, ByteStream)
        told, self.before_s = link.tap, list[float]()
        busy_until = link.last_traffic

        def tap(traffic: Traffic) -> None:
            nonlocal busy_until
            if traffic.direction == ">" and worker._spoken_with == display:
                self.before_s.append(link.last_traffic - busy_until)
            wire_s = len(traffic.data) * 10 / 9600 if traffic.direction == ">" else 0.0
            busy_until = link.last_traffic + wire_s
            if told is not None:
                told(traffic)

        link.tap = tap


async def test_displays_of_three_protocols_on_one_line_each_show_what_they_can(tmp_path: Path) -> None:
    for folder, beside, in_english in (("strip", STRIP, False), ("two", TWO_COLOUR, False), ("alpha", ALPHA, True)):
        async with rooms(tmp_path / folder, displays=(WIDE, {**beside, "gap_s": 0.1})) as hall:
            await hall.shows("1号 未开放", "Window 2 closed" if in_english else "2号 未开放")
            silences = Silences(hall.devices, "DSP-02")
            await hall.room.sign_in(w1="c001", w2="c002")
            await hall.shows("1号窗口", "Window 2" if in_english else "2号窗口")
            await hall.room.numbers(1, "queue:D")
            await hall.room.call("2")
            await hall.shows("1号窗口", "D001 to window 2" if in_english else "请D001到2号窗口")
            assert hall.screens[1].shown[-1].attention
            await hall.room.serve("2", "D001")
            await hall.shows("1号窗口", "D001 serving" if in_english else "D001 办理中")
            assert not hall.screens[1].shown[-1].attention
            assert hall.notices("2") == []
            assert hall.screens[1].complaints == []
            assert len(silences.before_s) >= 3
            # An answer that came ends the wire's time early: the frame before it had left by then.
            assert min(silences.before_s) > 0.099, silences.before_s


@pytest.mark.parametrize("dialect", ["cd5220", "dm_d"])
async def test_a_customer_display_shows_english_and_has_its_text_again_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dialect: str
) -> None:
    monkeypatch.setattr(device_room, "ASK_CONDITIONS_S", 0.1)
    async with rooms(tmp_path, displays=(WIDE, {"driver": "display_customer", "dialect": dialect})) as hall:
        await hall.room.sign_in(w2="c002")
        await hall.shows("1号 未开放", "Window 2")
        await hall.room.numbers(1, "queue:D")
        await hall.room.call("2")
        await hall.shows("1号 未开放", "D001 to window 2")
        hall.screens[1].restart()
        await hall.shows("1号 未开放", "D001 to window 2")
        assert hall.screens[1].complaints == []


@pytest.mark.parametrize("code", ["call.display", "window.idle", "window.serving", "window.closed"])
def test_the_english_form_is_wider_than_the_chinese_so_that_no_chinese_display_gets_to_it(code: str) -> None:
    sentence = text(code, number="A001", window="3")
    assert len(sentence.en) > len(sentence.zh.encode("gb2312"))


async def test_a_sign_too_short_for_a_sentence_shows_the_number(tmp_path: Path) -> None:
    async with rooms(tmp_path, displays=(WIDE, {**ALPHA, "columns": 6})) as hall:
        await hall.shows("1号 未开放", "--")
        await hall.room.sign_in(w2="c002")
        await hall.shows("1号 未开放", "2")
        await hall.room.numbers(1, "queue:D")
        await hall.room.call("2")
        await hall.shows("1号 未开放", "D001")
        assert hall.notices("2") == []


async def test_a_strip_that_was_away_gets_the_whole_of_what_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_room, "ASK_CONDITIONS_S", 0.1)
    async with rooms(tmp_path, displays=(WIDE, STRIP)) as hall:
        await hall.room.sign_in(w2="c002")
        await hall.shows("1号 未开放", "2号窗口")
        hall.screens[1].go_mute()
        hall.screens[1].restart()
        await until_async(lambda: hall.devices.view("DSP-02").link == "offline", 15)
        await hall.room.numbers(2, "queue:D")
        await hall.room.call("2")
        assert hall.notices("2") == ["The window display is offline: call aloud."]
        seen = len(hall.screens[1].shown)
        hall.screens[1].recover()
        await hall.shows("1号 未开放", "请D001到2号窗口")
        assert {shown.text for shown in hall.screens[1].shown[seen:]} == {"请D001到2号窗口"}
        assert hall.notices("2") == []


async def test_what_does_not_fit_at_all_is_told_to_the_clerk_and_the_call_stands(tmp_path: Path) -> None:
    async with rooms(tmp_path, displays=(WIDE, onbon(16, 16))) as hall:
        await hall.room.sign_in(w1="c001", w2="c002")
        await hall.shows("1号窗口", "2")
        await hall.room.numbers(1, "queue:D")
        await hall.room.call("2")
        await until_async(lambda: hall.notices("2") == ["The display did not show this call: call aloud."], 15)

        assert (await hall.room.find("D001")).state == "called"
        await hall.shows("1号窗口", "2")


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


async def test_a_text_that_still_waits_for_the_line_gives_way_to_a_newer_one(tmp_path: Path) -> None:
    async with rooms(tmp_path) as hall:
        await hall.room.sign_in(w1="c001", w2="c002")
        await hall.shows("1号窗口", "2号窗口")
        await hall.room.numbers(1)
        await hall.room.numbers(1, "queue:D")
        before = [len(screen.shown) for screen in hall.screens]
        begun, over = threading.Event(), threading.Event()

        def keep_the_line(_display: object) -> None:
            begun.set()
            assert over.wait(20)

        busy = asyncio.ensure_future(hall.devices.call("DSP-02", keep_the_line, 20.0))
        await until_async(begun.is_set)
        mailbox = hall.devices._workers[hall.line.port].mailbox
        await hall.room.call("1")
        await until_async(lambda: mailbox)
        await hall.room.serve("1", "A001")
        await hall.room.call("2")
        await until_async(lambda: [job.urgency for job in mailbox._jobs] == [Urgency.ORDINARY, Urgency.CALL])
        over.set()
        await busy
        await hall.shows("A001 办理中", "请D001到2号窗口")

        assert [len(screen.shown) for screen in hall.screens] == [n + 1 for n in before], "each was written once"
        assert hall.screens[1].shown[-1].at < hall.screens[0].shown[-1].at, "the call went first"
        assert hall.notices("1") == hall.notices("2") == []


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


async def test_a_display_that_was_busy_shows_the_call_a_little_later(tmp_path: Path) -> None:
    async with rooms(tmp_path) as hall:
        await hall.room.sign_in(w1="c001", w2="c002")
        await hall.shows("1号窗口", "2号窗口")
        hall.screens[0].refuse_with(3, times=2)
        await hall.room.issue()
        await hall.room.call("1")
        await until_async(lambda: hall.notices("1") != [], what="the clerk is told")
        await hall.shows("请A001到1号窗口", "2号窗口")
        await until_async(lambda: hall.notices("1") == [], what="and told that it is shown")
