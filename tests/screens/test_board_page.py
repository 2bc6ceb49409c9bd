"""The hall board in a real Chromium: the newest call large, earlier ones, who waits, and doubt where there is doubt."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from hall_daemon import voice_sound
from hall_daemon.clock import Clock, rfc3339
from hall_daemon.protocol import Text
from hall_daemon.protocol_board import BoardState, BoardView, CalledNumber, NextNumber, ZoneBoard
from hall_daemon.texts import text
from sim.bench import Bench, DaemonProcess, Watcher
from sim.hall_plan import DEMO_PIN
from tests.journeys.kiosk_room import write_hall
from tests.screens.axe import CONTRAST, LEAST_CONTRAST
from tests.screens.chromium import (
    BROWSER_1,
    LANDSCAPE,
    PORTRAIT,
    WALL_4K,
    Panel,
    chromium,
    is_drawn_in_chinese,
    layout_faults,
    open_page,
    save,
)
from tests.screens.page_server import PageServer
from tests.waiting import until

pytestmark = [pytest.mark.system, BROWSER_1]

ZONES = {
    "A": ("注册登记区", "Registration", 14),
    "B": ("投资建设区", "Investment & Construction", 6),
    "C": ("经济政法区", "Economy & Law", 3),
    "D": ("社会民生区", "Social & Livelihood", 27),
    "E": ("金融服务区", "Financial Services", 2),
}
WAITS = {"A": 20, "B": 10, "C": 0, "D": 40, "E": None}
NEXT: dict[str, tuple[str, ...]] = {
    "A": ("A037", "A038"), "B": ("B013", "B014"), "C": ("C008",), "D": ("D019", "D020"), "E": (),
}  # fmt: skip
CALLED = ("A034 15", "D016 62", "E004 83", "B012 28", "D017 71", "A035 3", "C007 44", "A036 9", "D018 66")
"""Oldest first."""


NOW = rfc3339(Clock().now_ms())


def board(count: int, *, day_open: bool = True, zones: str = "ABCDE") -> BoardView:
    """What the daemon says after so many calls."""
    calls = []
    for event, entry in enumerate(CALLED[:count], start=1):
        number, window = entry.split()
        spoken = text("call.spoken", number=number, window=window)
        calls.append(
            CalledNumber(
                number=number, window=window, zone=number[0], call_no=1, at=NOW,
                announcement=spoken, event=event,
            )
        )  # fmt: skip
    return BoardView(
        hall=Text(zh="示例省政务服务中心", en="Sample Province Service Centre"),
        date=Text(zh="3月2日 星期一", en="Monday 2 March"),
        clock="10:24",
        day_open=day_open,
        state=BoardState.OPEN if day_open else BoardState.CLOSED,
        calls=tuple(reversed([call for call in calls if call.zone in zones])),
        zones=tuple(
            ZoneBoard(
                zone=code,
                name=Text(zh=ZONES[code][0], en=ZONES[code][1]),
                waiting=ZONES[code][2],
                wait_minutes=WAITS[code],
                next=NEXT[code],
            )
            for code in zones
        ),
        nexts=tuple(NextNumber(number=f"D0{n}", wait_minutes=5 * (n - 18)) for n in range(19, 26))
        if zones == "D"
        else (),
        missed=("A029", "C005", "D011"),
        notices=tuple(text(f"board.notice.{code}") for code in ("missed", "look", "help")),
        last_event=count,
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def server() -> Iterator[PageServer]:
    started = PageServer()
    yield started
    started.close()


def stands_large(page: Page, number: str) -> None:
    expect(page.locator(".hero .who b")).to_have_text(number)


@pytest.mark.parametrize("panel", [LANDSCAPE, PORTRAIT, WALL_4K], ids=lambda panel: panel.name)
def test_the_board_shows_calls_zones_and_missed_numbers(browser: Browser, server: PageServer, panel: Panel) -> None:
    with open_page(browser, panel) as page:
        page.goto(f"{server.url}/board")
        server.show(board(8))
        stands_large(page, "A036")
        assert page.locator(".list li").all_inner_texts()[0].split() == ["C007", "→", "44"]
        assert page.locator(".list li").count() == 6
        expect(page.locator(".load", has_text="社会民生区").locator(".count")).to_have_text("27")
        assert page.locator(".missed span").all_inner_texts() == ["A029", "C005", "D011"]
        waits = [" ".join(said.split()) for said in page.locator(".load .wait").all_inner_texts()]
        assert waits == ["20 分钟", "10 分钟", "不用等", "40 分钟", "—"]
        assert page.locator(".load .next").all_inner_texts() == ["A037", "A038", "B013", "B014", "C008", "D019", "D020"]
        expect(page.locator("time")).to_have_text("10:24")
        assert is_drawn_in_chinese(page)
        assert layout_faults(page) == []
        save(page, f"board-steady-{panel.name}")


def test_the_called_number_can_be_read_across_the_hall(browser: Browser, server: PageServer) -> None:
    with open_page(browser, LANDSCAPE) as page:
        page.goto(f"{server.url}/board")
        server.show(board(1))
        stands_large(page, "A034")
        size_px = page.evaluate("() => parseFloat(getComputedStyle(document.querySelector('.who b')).fontSize)")
        # A capital is 0.73 of the type size; a 55-inch screen has 1.58 px a millimetre; 60 mm are needed at 10 m.
        assert size_px * 0.73 / 1.58 > 60


def test_a_new_call_flashes_four_times_a_second_apart_and_is_written_as_spoken(
    browser: Browser, server: PageServer
) -> None:
    with open_page(browser, LANDSCAPE, still=False) as page:
        page.goto(f"{server.url}/board")
        server.show(board(8))
        stands_large(page, "A036")
        assert page.locator(".flash").count() == 0, "what was called before the board was there is no news"
        server.show(board(9))
        stands_large(page, "D018")
        expect(page.locator(".hero.flash")).to_have_count(1)
        style = page.locator(".hero").evaluate("hero => ({ ...getComputedStyle(hero) })")
        assert (style["animationDuration"], style["animationIterationCount"]) == ("1s", "4")
        expect(page.locator("footer .spoken")).to_have_text("请 D018 号到 66 号窗口办理。")
        expect(page.locator("#live")).to_have_text("请 D018 号到 66 号窗口办理。")
        save(page, "board-new-call")
        moved = page.evaluate("() => document.querySelector('.hero').getAnimations()[0].currentTime")
        server.show(board(9).model_copy(update={"missed": ("A029",)}))
        expect(page.locator(".missed span")).to_have_count(1)
        again = page.evaluate("() => document.querySelector('.hero').getAnimations()[0]?.currentTime ?? 9999")
        assert again > moved, "another change on the board does not begin the flashing anew"


def test_calls_at_once_have_their_turns_and_stand_in_the_list_at_once(browser: Browser, server: PageServer) -> None:
    with open_page(browser, LANDSCAPE) as page:
        page.clock.install()
        page.goto(f"{server.url}/board")
        server.show(board(6))
        stands_large(page, "A035")
        server.show(board(9))
        stands_large(page, "C007")
        listed = [row.split()[0] for row in page.locator(".list li").all_inner_texts()]
        assert listed[:2] == ["D018", "A036"]
        page.clock.run_for(8100)
        stands_large(page, "A036")
        page.clock.run_for(8100)
        stands_large(page, "D018")
        page.clock.run_for(8100)
        stands_large(page, "D018")
        expect(page.locator("footer .spoken")).to_have_count(0)


def test_a_recall_is_shown_again(browser: Browser, server: PageServer) -> None:
    with open_page(browser, LANDSCAPE) as page:
        page.goto(f"{server.url}/board")
        first = board(9)
        server.show(first)
        stands_large(page, "D018")
        again = first.calls[-1].model_copy(update={"event": 10, "call_no": 2})
        server.show(first.model_copy(update={"calls": (again, *first.calls[:-1]), "last_event": 10}))
        stands_large(page, again.number)


def test_old_data_is_called_old(browser: Browser, server: PageServer) -> None:
    with open_page(browser, LANDSCAPE) as page:
        page.clock.install()
        page.goto(f"{server.url}/board")
        server.show(board(9))
        stands_large(page, "D018")
        # From here on the page's clock stands, however long this machine takes; it hears once more, then nothing.
        page.clock.pause_at(datetime.fromtimestamp(page.evaluate("Date.now()") / 1000 + 1, UTC))
        first, *others = board(9).zones
        zones = (first.model_copy(update={"waiting": 15}), *others)
        server.show(board(9).model_copy(update={"zones": zones}))
        expect(page.locator(".count").first).to_have_text("15")
        server.hang_up(refuse=True)
        page.clock.run_for(9000)
        assert page.locator("body.stale").count() == 0
        page.clock.run_for(1500)
        expect(page.locator("footer")).to_contain_text("数据更新中断，请留意窗口屏和广播")
        page.clock.run_for(180_000)
        expect(page.locator("footer")).to_contain_text("数据更新中断 3 分钟，请留意窗口屏和广播")
        assert set(page.locator(".count").all_inner_texts()) == {"—"}
        stands_large(page, "D018")
        assert page.evaluate(CONTRAST, LEAST_CONTRAST) == []
        assert layout_faults(page) == []
        save(page, "board-stale")
        page.clock.resume()
        server.refusing = False
        for _ in range(10):
            page.clock.run_for(1000)
            if not page.locator("body.stale").count():
                break
        expect(page.locator(".count").first).to_have_text("15")


def test_the_clock_of_a_quiet_hall_goes_on(browser: Browser, server: PageServer) -> None:
    with open_page(browser, LANDSCAPE) as page:
        server.pulse_s = 0.02
        page.clock.install()
        page.goto(f"{server.url}/board")
        server.show(board(9))
        expect(page.locator("time")).to_have_text("10:24")
        for _ in range(24):
            heard = server.pulses
            until(lambda heard=heard: server.pulses > heard + 2)
            page.clock.run_for(3000)
        expect(page.locator("time")).to_have_text("10:25")


def test_a_board_of_one_zone_asks_for_that_zone_only(browser: Browser, server: PageServer) -> None:
    with open_page(browser, LANDSCAPE) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{server.url}/board?zone=D")
        server.show(board(9, zones="D"))
        stands_large(page, "D018")
        assert page.locator(".nexts li").all_inner_texts()[0].split() == ["D019", "5", "分钟"]
        expect(page.locator(".nexts li")).to_have_count(7)
        expect(page.locator(".nexts h2")).to_contain_text("还有 27 人")
        expect(page.locator("header")).to_contain_text("社会民生区")
        assert f"{server.url}/board/views?zone=D" in asked
        assert layout_faults(page) == []
        save(page, "board-zone-d")


def test_a_closed_hall_says_so(browser: Browser, server: PageServer) -> None:
    with open_page(browser, LANDSCAPE) as page:
        page.goto(f"{server.url}/board")
        server.show(board(0, day_open=False))
        expect(page.locator("h1")).to_have_text("现在不办公")
        assert layout_faults(page) == []
        save(page, "board-closed")


@pytest.mark.parametrize("panel", [LANDSCAPE, PORTRAIT], ids=lambda panel: panel.name)
def test_over_lunch_people_know_when_it_goes_on_and_where_somebody_works(
    browser: Browser, server: PageServer, panel: Panel
) -> None:
    with open_page(browser, panel) as page:
        page.goto(f"{server.url}/board")
        reopens = Text(zh="13:30 继续叫号", en="Calling goes on at 13:30")
        server.show(
            board(9).model_copy(
                update={"state": BoardState.LUNCH, "reopens": reopens, "open_windows": ("1", "23", "59")}
            )
        )
        expect(page.locator("h1")).to_have_text("午间休息")
        expect(page.locator(".valid")).to_contain_text("13:30 继续叫号　·　已取的号全部有效")
        assert page.locator(".open b").all_inner_texts() == ["1", "23", "59"]
        expect(page.locator(".waiting")).to_contain_text("社会民生区 27 人")
        assert layout_faults(page) == []
        save(page, f"board-lunch-{panel.name}")


@pytest.mark.parametrize("panel", [LANDSCAPE, PORTRAIT], ids=lambda panel: panel.name)
def test_in_an_emergency_the_whole_board_says_leave(browser: Browser, server: PageServer, panel: Panel) -> None:
    with open_page(browser, panel) as page:
        page.goto(f"{server.url}/board")
        server.show(board(9))
        stands_large(page, "D018")
        server.show(board(9).model_copy(update={"state": BoardState.EMERGENCY, "exits": "← 东出口　西出口 →"}))
        expect(page.locator("h1")).to_have_text("请立即有序离开大厅")
        expect(page.locator(".exit")).to_have_text("← 东出口　西出口 →")
        assert page.locator(".hero").count() == 0
        assert layout_faults(page) == []
        save(page, f"board-emergency-{panel.name}")
        server.show(board(9))
        stands_large(page, "D018")


def test_notices_turn_every_eight_seconds(browser: Browser, server: PageServer) -> None:
    with open_page(browser, LANDSCAPE) as page:
        page.clock.install()
        page.goto(f"{server.url}/board")
        server.pulse_s = 0.02
        server.show(board(8))
        stands_large(page, "A036")
        seen = []
        for _ in range(3):
            seen.append(page.locator(".notice").inner_text())
            page.clock.run_for(4000)
            heard = server.pulses
            until(lambda heard=heard: server.pulses > heard + 2)
            page.clock.run_for(4000)
        assert len(set(seen)) == 3
        assert any("过号请到原窗口" in said for said in seen)


# --- voice ------------------------------------------------------------------------------------------------------------

PLAYED = """
() => {
  const start = AudioBufferSourceNode.prototype.start;
  window.playing = 0;
  window.most = 0;
  window.played = 0;
  AudioBufferSourceNode.prototype.start = function (...when) {
    window.playing += 1;
    window.most = Math.max(window.most, window.playing);
    this.addEventListener("ended", () => { window.playing -= 1; window.played += 1; });
    return start.apply(this, when);
  };
  window.stood = [];
  new MutationObserver(() => {
    const number = document.querySelector(".hero")?.dataset.number;
    if (number && number !== window.stood.at(-1)) window.stood.push(number);
  }).observe(document.getElementById("board"), { childList: true });
}
"""


def beep(seconds: float) -> bytes:
    return voice_sound.wav([0.2 * voice_sound.chime()[: int(seconds * voice_sound.RATE)]])


def eight_at_once(view: BoardView) -> BoardView:
    """Eight more calls in the same second, newest first."""
    first = view.last_event + 1
    calls = [
        view.calls[0].model_copy(
            update={
                "number": f"H{n:03}", "window": str(60 + n), "zone": "D", "event": first + n - 1,
                "announcement": text("call.spoken", number=f"H{n:03}", window=60 + n),
            }
        )
        for n in range(1, 9)
    ]  # fmt: skip
    return view.model_copy(update={"calls": (*reversed(calls), *view.calls), "last_event": first + 7})


def spoken_events(server: PageServer) -> list[tuple[int, bool]]:
    """Event and whether short, in the order in which the page asked for the sounds."""
    return [(int(path.split("/")[3].split(".")[0]), "short" in path) for path in server.sounds]


@pytest.mark.fault("A19")
def test_eight_calls_at_once_are_each_shown_and_each_spoken_one_after_the_other(
    browser: Browser, server: PageServer
) -> None:
    server.sound = beep(0.08)
    with open_page(browser, LANDSCAPE) as page:
        page.clock.install()
        page.goto(f"{server.url}/board?voice")
        page.evaluate(PLAYED)
        server.show(board(8))
        stands_large(page, "A036")
        page.keyboard.press("Shift")  # a browser without the switch of the manual sounds after a touch only
        expect(page.locator("footer")).not_to_contain_text("声音没有打开")
        server.may_sound.clear()
        server.show(eight_at_once(board(8)))
        stands_large(page, "H001")
        listed = {row.split()[0] for row in page.locator(".list li").all_inner_texts()}
        assert listed | {"H001"} >= {f"H{n:03}" for n in range(1, 9)}, "all of them stand there at once"
        assert layout_faults(page) == []
        save(page, "board-eight-calls")
        server.may_sound.set()
        until(lambda: sounds_after_a_second(page, server) == 8, 60, "each is spoken")
        order = list(dict.fromkeys(event for event, _ in spoken_events(server)))
        assert order == list(range(9, 17))
        assert [short for _, short in spoken_events(server)[:3]] == [True, True, True], "short while six or more wait"
        assert not any(short for event, short in spoken_events(server) if event > 11)
        assert page.evaluate("() => window.most") == 1, "never two voices at once"
        assert page.evaluate("() => window.stood") == ["A036", *(f"H{n:03}" for n in range(1, 9))], "each stood large"


def sounds_after_a_second(page: Page, server: PageServer) -> int:
    """How many calls have been spoken when the page's clock, not its loudspeaker, is a second further."""
    page.clock.run_for(1000)
    return len({event for event, _ in spoken_events(server)})


def test_who_is_gone_is_not_spoken_and_who_is_called_again_goes_first(browser: Browser, server: PageServer) -> None:
    server.sound = beep(0.05)
    with open_page(browser, LANDSCAPE) as page:
        page.clock.install()
        page.goto(f"{server.url}/board?voice")
        server.show(board(6))
        stands_large(page, "A035")
        calls = list(reversed(board(9).calls))
        fresh = {call.number: call for call in calls[6:]}
        server.show(board(9))
        stands_large(page, "C007")
        gone = fresh["A036"].model_copy(update={"over": True})
        again = calls[0].model_copy(update={"event": 10, "call_no": 2})
        server.show(
            board(9).model_copy(
                update={"calls": (again, fresh["D018"], gone, fresh["C007"], *board(6).calls), "last_event": 10}
            )
        )
        expect(page.locator(".list li").first).to_contain_text(again.number)
        for number in (again.number, "D018"):
            for _ in range(40):
                if page.locator(".hero .who b").inner_text() == number:
                    break
                page.clock.run_for(1000)
            stands_large(page, number)
        assert "A036" not in {page.locator(".hero .who b").inner_text()}


def test_who_has_come_while_being_called_is_not_called_once_more(browser: Browser, server: PageServer) -> None:
    server.sound = beep(0.05)
    with open_page(browser, LANDSCAPE) as page:
        page.clock.install()
        page.goto(f"{server.url}/board?voice")
        server.show(board(6))
        stands_large(page, "A035")
        page.keyboard.press("Shift")
        expect(page.locator("footer")).not_to_contain_text("声音没有打开")
        server.may_sound.clear()
        server.show(board(7))
        called = board(7).calls[0]
        stands_large(page, called.number)
        until(lambda: server.sounds, what="the first round")
        come = (called.model_copy(update={"over": True}), *board(6).calls)
        server.show(board(7).model_copy(update={"calls": come, "missed": ("Z999",)}))
        until(lambda: "Z999" in page.inner_text("footer"), what="the page knows of it")
        server.may_sound.set()

        def is_over() -> bool:
            page.clock.run_for(1000)
            return page.locator(".hero.new").count() == 0

        until(is_over, what="the end of its turn")
        assert len(server.sounds) == 1, server.sounds


def test_without_leave_to_sound_the_board_says_so_and_shows_the_calls(browser: Browser, server: PageServer) -> None:
    with open_page(browser, LANDSCAPE) as page:
        page.goto(f"{server.url}/board?voice")
        server.show(board(8))
        stands_large(page, "A036")
        expect(page.locator("footer")).to_contain_text("声音没有打开")
        server.show(board(9))
        stands_large(page, "D018")
        page.keyboard.press("Shift")
        expect(page.locator("footer")).not_to_contain_text("声音没有打开")


# --- the line and the day ---------------------------------------------------------------------------------------------


def test_a_board_that_was_away_catches_up_by_event_number(browser: Browser, server: PageServer) -> None:
    with open_page(browser, LANDSCAPE) as page:
        page.goto(f"{server.url}/board")
        server.show(board(7))
        stands_large(page, "C007")
        server.hang_up(refuse=True)
        server.newest = dated(board(9), A036=90, D018=5).model_dump_json().encode() + b"\n"
        server.refusing = False
        stands_large(page, "D018")
        listed = [row.split()[0] for row in page.locator(".list li").all_inner_texts()]
        assert listed[:2] == ["A036", "C007"], "both calls that were missed, in their order, and none twice"
        expect(page.locator(".hero.new")).to_have_count(1)
        assert page.evaluate("() => document.body.innerText").count("A036") == 1, "the older one is listed only"


def dated(view: BoardView, **ages_s: int) -> BoardView:
    """The same view with calls that old."""
    now_ms = Clock().now_ms()
    calls = (
        call.model_copy(update={"at": rfc3339(now_ms - 1000 * ages_s.get(call.number, 120))}) for call in view.calls
    )
    return view.model_copy(update={"calls": tuple(calls)})


HOURS, SLICE_S, CHANGES = 8, 3600, 120
"""So many views come in each slice: if they were kept, it would show."""
THUMBNAIL = Panel(name="thumbnail", width=320, height=240, px_per_mm=1)
"""Painting a large board for eight hours takes most of the test, and what is painted is not in the heap."""


def test_eight_hours_leave_no_heap_behind(browser: Browser, server: PageServer) -> None:
    with open_page(browser, THUMBNAIL) as page:
        page.clock.install()
        page.goto(f"{server.url}/board")
        heap = page.context.new_cdp_session(page)
        server.show(board(8))
        stands_large(page, "A036")
        used = []
        for n in range(HOURS * 3600 // SLICE_S):
            calls = tuple(
                call.model_copy(update={"event": 10 + 4 * n - k, "number": f"A{(4 * n - k) % 1000:03}"})
                for k, call in enumerate(board(9).calls)
            )
            slice_of_day = board(9).model_copy(update={"calls": calls, "last_event": 10 + 4 * n})
            # The line broke while the hours flew: the first view is waited for, so that all others arrive too.
            for several in (range(1), range(1, CHANGES)):
                for change in several:
                    server.show(slice_of_day.model_copy(update={"missed": (f"C{n}{change:03}",)}))
                until(lambda last=f"C{n}{several[-1]:03}": last in page.inner_text("footer"), what="the newest view")
            page.clock.run_for(SLICE_S * 1000)
            if n % 2:
                heap.send("HeapProfiler.collectGarbage")
                used.append(heap.send("Runtime.getHeapUsage")["usedSize"])
        assert len(used) == 4
        assert used[-1] - used[0] < 1_000_000, f"bytes after 2, 4, 6 and 8 hours: {used}"


def test_before_the_first_call_people_are_asked_to_wait(browser: Browser, server: PageServer) -> None:
    with open_page(browser, LANDSCAPE) as page:
        page.goto(f"{server.url}/board")
        server.show(board(0))
        expect(page.locator(".hero")).to_contain_text("请等候叫号")
        assert layout_faults(page) == []


def test_board_and_phone_follow_a_call_at_a_window(browser: Browser, tmp_path: Path) -> None:
    hall = write_hall(tmp_path / "hall")
    with (hall / "devices.toml").open("a", encoding="utf-8") as tables:
        tables.write('\n[phone]\nurl = "https://hall.example/t"\n')
    with (
        Bench(hall, tmp_path / "run", province=None) as bench,
        DaemonProcess(bench),
        open_page(browser, LANDSCAPE, still=False) as page,
        httpx.Client(base_url=bench.url, timeout=20, trust_env=False) as http,
    ):
        page.goto(f"{bench.url}/board")
        expect(page.locator(".hero")).to_contain_text("请等候叫号")
        item = bench.tables["queue"]["A"]["items"][0]
        for turn in (1, 2):
            http.post("/tickets", json={"item": item, "request_id": f"board-{turn}-test"}).raise_for_status()
        expect(page.locator(".load", has_text="注册登记区").locator(".count")).to_have_text("2")
        signed = http.post("/windows/1/sign-in", json={"clerk": "c01", "pin": DEMO_PIN}).raise_for_status()
        http.headers["X-Hall-Session"] = signed.json()["session"]
        http.post("/windows/1/next", json={"seen": None}).raise_for_status()
        stands_large(page, "A001")
        expect(page.locator(".hero .where b")).to_have_text("1")
        expect(page.locator("footer .spoken")).to_contain_text("A001")
        expect(page.locator(".load", has_text="注册登记区").locator(".count")).to_have_text("1")
        save(page, "board-live-call")
        unproven = http.post("/windows/1/no-show", json={"seen": "A001"})
        assert unproven.status_code == httpx.codes.CONFLICT, "one call is too few for a no-show without a reason"
        expect(page.locator(".missed")).to_have_count(0)
        gone = {"seen": "A001", "early": "导办看到人已离开"}
        http.post("/windows/1/no-show", json=gone).raise_for_status()
        expect(page.locator(".missed")).to_contain_text("A001")

        http.post("/windows/1/sign-out").raise_for_status()
        code = slip_code(bench, http)
        phone = page.context.new_page()
        phone.goto(f"{bench.url}/t/{code}")
        expect(phone.locator("h1")).to_have_text("N001")
        expect(phone.locator("#ticket")).to_contain_text("窗口 3")
        signed = http.post("/windows/3/sign-in", json={"clerk": "c01", "pin": DEMO_PIN}).raise_for_status()
        http.headers["X-Hall-Session"] = signed.json()["session"]
        http.post("/windows/3/next", json={"seen": None}).raise_for_status()
        stands_large(page, "N001")
        expect(phone.locator(".call b")).to_have_text("3 号窗口")
        save(phone, "phone-live-call")


def slip_code(bench: Bench, http: httpx.Client) -> str:
    """The code on the slip of somebody who took a number for the help desk by touch, without a card."""
    until(lambda: all(d["link"] == "online" for d in http.get("/devices").json()), 60, "every device online")
    with contextlib.closing(Watcher(f"{bench.url}/kiosks/k1/views")) as kiosk:
        for screen, key in (("idle", "1"), ("nocard", "3"), ("phone", "*"), ("confirm", "ok")):
            kiosk.until(lambda view, screen=screen: view["screen"] == screen, 60, screen)
            http.post("/kiosks/k1/keys", json={"key": key}).raise_for_status()
        kiosk.until(lambda view: view["screen"] == "done", 60, "done")
    (slip,) = until(lambda: bench["PRN-01"].whole_slips)
    (address,) = slip.qr
    assert re.fullmatch(r"https://hall\.example/t/[A-Za-z0-9_-]{22}", address), address
    return str(address).rsplit("/", 1)[1]
