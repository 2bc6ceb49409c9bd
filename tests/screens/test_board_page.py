"""The hall board in a real Chromium: the newest call large, earlier ones, who waits, and doubt where there is doubt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from hall_daemon.protocol import BoardView, CalledNumber, Text, ZoneLoad
from hall_daemon.texts import text
from sim.bench import Bench, DaemonProcess
from tests.journeys.kiosk_room import write_hall
from tests.screens.chromium import (
    LANDSCAPE,
    PORTRAIT,
    Panel,
    chromium,
    is_drawn_in_chinese,
    layout_faults,
    open_page,
    save,
)
from tests.screens.page_server import PageServer
from tests.waiting import until

pytestmark = pytest.mark.system

ZONES = {
    "A": ("注册登记区", "Registration", 14),
    "B": ("投资建设区", "Investment & Construction", 6),
    "C": ("经济政法区", "Economy & Law", 3),
    "D": ("社会民生区", "Social & Livelihood", 27),
    "E": ("金融服务区", "Financial Services", 2),
}
CALLED = ("A034 15", "D016 62", "E004 83", "B012 28", "D017 71", "A035 3", "C007 44", "A036 9", "D018 66")
"""Oldest first."""


def board(count: int, *, day_open: bool = True, zones: str = "ABCDE") -> BoardView:
    """What the daemon says after so many calls."""
    calls = []
    for event, entry in enumerate(CALLED[:count], start=1):
        number, window = entry.split()
        spoken = text("call.spoken", number=number, window=window)
        calls.append(
            CalledNumber(
                number=number, window=window, zone=number[0], call_no=1, at="2026-03-02T10:24:00.000+08:00",
                announcement=spoken, event=event,
            )
        )  # fmt: skip
    return BoardView(
        hall=Text(zh="示例省政务服务中心", en="Sample Province Service Centre"),
        clock="10:24",
        day_open=day_open,
        calls=tuple(reversed([call for call in calls if call.zone in zones])),
        zones=tuple(
            ZoneLoad(zone=code, name=Text(zh=ZONES[code][0], en=ZONES[code][1]), waiting=ZONES[code][2])
            for code in zones
        ),
        missed=("A029", "C005", "D011"),
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


@pytest.mark.parametrize("panel", [LANDSCAPE, PORTRAIT], ids=lambda panel: panel.name)
def test_the_board_shows_calls_zones_and_missed_numbers(browser: Browser, server: PageServer, panel: Panel) -> None:
    with open_page(browser, panel) as page:
        page.goto(f"{server.url}/board")
        server.show(board(8))
        stands_large(page, "A036")
        assert page.locator(".list li").all_inner_texts()[0].split() == ["C007", "→", "44"]
        assert page.locator(".list li").count() == 6
        expect(page.locator(".load", has_text="社会民生区").locator(".count")).to_have_text("27")
        assert page.locator(".missed span").all_inner_texts() == ["A029", "C005", "D011"]
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
        server.hang_up(refuse=True)
        page.clock.run_for(9000)
        assert page.locator("body.stale").count() == 0
        page.clock.run_for(2500)
        expect(page.locator("footer")).to_contain_text("数据更新中断，请留意窗口屏和广播")
        assert set(page.locator(".count").all_inner_texts()) == {"—"}
        stands_large(page, "D018")
        save(page, "board-stale")
        server.refusing = False
        for _ in range(10):
            page.clock.run_for(1000)
            if not page.locator("body.stale").count():
                break
        expect(page.locator(".count").first).to_have_text("14")


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
        expect(page.locator(".load")).to_have_count(1)
        expect(page.locator("header")).to_contain_text("社会民生区")
        assert f"{server.url}/board/views?zone=D" in asked
        assert layout_faults(page) == []
        save(page, "board-zone-d")


def test_a_closed_hall_says_so(browser: Browser, server: PageServer) -> None:
    with open_page(browser, LANDSCAPE) as page:
        page.goto(f"{server.url}/board")
        server.show(board(0, day_open=False))
        expect(page.locator("h1")).to_have_text("现在不办公")
        save(page, "board-closed")


def test_before_the_first_call_people_are_asked_to_wait(browser: Browser, server: PageServer) -> None:
    with open_page(browser, LANDSCAPE) as page:
        page.goto(f"{server.url}/board")
        server.show(board(0))
        expect(page.locator(".hero")).to_contain_text("请等候叫号")
        assert layout_faults(page) == []


def test_the_board_follows_a_call_at_a_window(browser: Browser, tmp_path: Path) -> None:
    with (
        Bench(write_hall(tmp_path / "hall"), tmp_path / "run", province=None) as bench,
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
        http.post("/windows/1/sign-in", json={"clerk": "c01"}).raise_for_status()
        http.post("/windows/1/next", json={"seen": None}).raise_for_status()
        stands_large(page, "A001")
        expect(page.locator(".hero .where b")).to_have_text("1")
        expect(page.locator("footer .spoken")).to_contain_text("A001")
        expect(page.locator(".load", has_text="注册登记区").locator(".count")).to_have_text("1")
        save(page, "board-live-call")
        http.post("/windows/1/no-show", json={"seen": "A001"}).raise_for_status()
        expect(page.locator(".missed")).to_contain_text("A001")
