"""Board and phone page for everybody in a real Chromium: rules of accessibility, contrast, the break, and a ticket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from hall_daemon.guide_page import guide_page
from hall_daemon.protocol import Text
from hall_daemon.protocol_board import BoardState, BoardView, FollowState, FollowView
from tests.screens.axe import CONTRAST, LEAST_CONTRAST, take_axe, violations
from tests.screens.chromium import BROWSER_1, LANDSCAPE, PORTRAIT, Panel, chromium, layout_faults, open_page, save
from tests.screens.kiosk_views import LONG_ITEM, small_hall
from tests.screens.page_server import WEB, PageServer
from tests.screens.test_board_page import board, stands_large

pytestmark = [pytest.mark.system, BROWSER_1]

REOPENS = Text(zh="13:30 继续叫号", en="Calling goes on at 13:30")
OPENS = Text(zh="1月6日 08:30开始取号", en="Numbers are given from 6 Jan 08:30")
PHONE = Panel(name="phone", width=360, height=740, px_per_mm=5.5)
TICKET = FollowView(
    hall=Text(zh="示例省政务服务中心", en="Sample Province Service Centre"), clock="10:24", number="A037",
    state=FollowState.WAITING, ahead=6, low_minutes=15, high_minutes=25,
    zone=Text(zh="注册登记区", en="Registration"), windows=("1", "2", "3"),
)  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def server() -> Iterator[PageServer]:
    started = PageServer()
    yield started
    started.close()


def at_lunch(view: BoardView, *windows: str) -> BoardView:
    return view.model_copy(update={"state": BoardState.LUNCH, "reopens": REOPENS, "open_windows": windows})


def tickets() -> dict[str, FollowView]:
    """The page of a ticket in each state."""
    called = {"window": "3", "ahead": 0, "low_minutes": None, "high_minutes": None}
    found = {state.value: TICKET.model_copy(update={"state": state} | called) for state in FollowState}
    unknown = {"low_minutes": None, "high_minutes": None}
    over = found["over"]
    ratings = {"rate": over.model_copy(update={"rating": "open"}), "rated": over.model_copy(update={"rating": "given"})}
    return found | ratings | {"waiting": TICKET, "unknown": TICKET.model_copy(update=unknown)}


# --- for everybody ----------------------------------------------------------------------------------------------------


def faults_of(page: Page) -> list[str]:
    return [*violations(page), *page.evaluate(CONTRAST, LEAST_CONTRAST), *layout_faults(page)]


def faults_of_phone(page: Page) -> list[str]:
    """A phone is scrolled: the page is looked at as a whole."""
    whole = max(PHONE.height, page.evaluate("document.body.scrollHeight"))
    page.set_viewport_size({"width": PHONE.width, "height": whole})
    return faults_of(page)


@pytest.mark.parametrize("panel", [LANDSCAPE, PORTRAIT], ids=lambda panel: panel.name)
def test_the_board_keeps_the_rules_of_accessibility_in_every_state(
    browser: Browser, server: PageServer, panel: Panel
) -> None:
    steady = board(8)
    states = {
        "open": steady, "before the first call": board(0),
        "lunch": at_lunch(steady, "1", "23"), "busy lunch": at_lunch(steady, *map(str, range(1, 25))),
        "closed": board(0, day_open=False).model_copy(update={"reopens": OPENS}),
        "emergency": steady.model_copy(update={"state": BoardState.EMERGENCY, "exits": "← 东出口　西出口 →"}),
        "new call": board(9),  # has its turn for a while, whatever comes then
    }  # fmt: skip
    faults: dict[str, list[str]] = {}
    with open_page(browser, panel) as page:
        page.goto(f"{server.url}/board")
        take_axe(page)
        for n, (name, view) in enumerate(states.items()):
            stand(page, server, view, n)
            if found := faults_of(page):
                faults[name] = found
            save(page, f"board-{name.replace(' ', '-')}-{panel.name}")
        page.goto(f"{server.url}/board?zone=D")
        take_axe(page)
        server.show(board(9, zones="D"))
        expect(page.locator(".nexts li")).to_have_count(7)
        if found := faults_of(page):
            faults["zone"] = found
        page.evaluate("() => document.body.append(document.createElement('img'))")
        assert violations(page), "axe-core would see a picture without words"
    assert faults == {}


def stand(page: Page, server: PageServer, view: BoardView, n: int) -> None:
    """Show a view and wait until it stands; its clock tells it from the others."""
    server.show(view.model_copy(update={"clock": f"10:{n:02}"}))
    titles = {BoardState.EMERGENCY: "请立即有序离开大厅", BoardState.LUNCH: "午间休息", BoardState.CLOSED: "现在不办公"}
    if view.state in titles:
        expect(page.locator("h1")).to_have_text(titles[view.state])
    if view.state is not BoardState.EMERGENCY:
        expect(page.locator("time")).to_have_text(f"10:{n:02}")


def test_the_phone_page_keeps_the_rules_of_accessibility_in_every_state(browser: Browser, server: PageServer) -> None:
    faults: dict[str, list[str]] = {}
    with open_page(browser, PHONE) as page:
        for name, ticket in tickets().items():
            server.ticket = ticket
            page.goto(f"{server.url}/t/{'c' * 22}")
            expect(page.locator("h1")).to_have_text("A037")
            take_axe(page)
            if found := faults_of_phone(page):
                faults[name] = found
            save(page, f"phone-{name}")
        server.ticket = None
        page.goto(f"{server.url}/t/{'c' * 22}")
        expect(page.locator("#ticket")).to_contain_text("没有这张号")
        take_axe(page)
        if found := faults_of_phone(page):
            faults["none"] = found
        save(page, "phone-none")
        profile = small_hall()
        guide = guide_page((WEB / "follow" / "guide.html").read_text("utf-8"), profile, profile.items[LONG_ITEM])
        page.route("**/t/guide/*", lambda route: route.fulfill(body=guide, content_type="text/html; charset=utf-8"))
        page.goto(f"{server.url}/t/guide/{LONG_ITEM}")
        expect(page.locator("h1")).to_have_text("社会保障卡申领补换")
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
        take_axe(page)
        if found := faults_of_phone(page):
            faults["guide"] = found
        save(page, "phone-guide")
    assert faults == {}


# --- the break --------------------------------------------------------------------------------------------------------


def test_a_call_over_lunch_stands_large_for_its_turn_and_in_the_list_afterwards(
    browser: Browser, server: PageServer
) -> None:
    with open_page(browser, LANDSCAPE) as page:
        page.clock.install()
        page.goto(f"{server.url}/board")
        server.show(at_lunch(board(8), "9", "66"))
        expect(page.locator("h1")).to_have_text("午间休息")
        server.show(at_lunch(board(9), "9", "66"))
        stands_large(page, "D018")
        expect(page.locator("footer .spoken")).to_have_text("请 D018 号到 66 号窗口办理。")
        page.clock.run_for(8100)
        expect(page.locator("h1")).to_have_text("午间休息")
        assert page.locator(".recent li").first.inner_text().split() == ["D018", "→", "66"]
        server.show(at_lunch(board(9), *map(str, range(1, 41))))
        expect(page.locator(".open")).to_contain_text("40")
        assert layout_faults(page) == []


def test_a_closed_hall_says_when_numbers_are_given_again(browser: Browser, server: PageServer) -> None:
    with open_page(browser, LANDSCAPE) as page:
        page.goto(f"{server.url}/board")
        server.show(board(0, day_open=False).model_copy(update={"reopens": OPENS}))
        expect(page.locator(".valid")).to_contain_text("1月6日 08:30开始取号")
        assert layout_faults(page) == []


def test_who_was_called_twice_stands_in_the_list_once_with_the_last_window(
    browser: Browser, server: PageServer
) -> None:
    with open_page(browser, LANDSCAPE) as page:
        page.goto(f"{server.url}/board")
        view = board(8)
        elsewhere = view.calls[3].model_copy(update={"event": 9, "call_no": 2, "window": "99"})
        last = view.calls[0].model_copy(update={"event": 10, "number": "E009", "window": "80"})
        server.show(view.model_copy(update={"calls": (last, elsewhere, *view.calls)}))
        stands_large(page, "E009")
        rows = [row.split() for row in page.locator(".list li").all_inner_texts()]
        assert [row[2] for row in rows if row[0] == elsewhere.number] == ["99"]
        assert len({row[0] for row in rows}) == len(rows) == 6


# --- the phone --------------------------------------------------------------------------------------------------------


def test_the_phone_shows_place_and_wait_then_the_call_and_says_when_it_is_old(
    browser: Browser, server: PageServer
) -> None:
    with open_page(browser, PHONE) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.clock.install()
        server.ticket = TICKET
        page.goto(f"{server.url}/t/{'c' * 22}")
        expect(page.locator("h1")).to_have_text("A037")
        expect(page.locator(".two")).to_contain_text("6")
        expect(page.locator(".two")).to_contain_text("15–25大约要等（分钟）")
        expect(page.locator("#ticket")).to_contain_text("窗口 1、2、3")

        server.refusing = True
        turn(page, asked)
        page.clock.run_for(45_000)
        expect(page.locator(".old")).to_contain_text("这是 10:24 的情况")
        expect(page.locator(".two")).to_contain_text("6")

        server.refusing, server.ticket = False, tickets()["called"]
        page.clock.run_for(13_000)
        expect(page.locator(".call")).to_contain_text("3 号窗口")
        expect(page.locator(".old")).to_have_count(0)
        assert page.title() == "请到 3 号窗口"

        server.busy_s = 60
        known = turn(page, asked)
        page.clock.run_for(30_000)
        assert len(asked) == known, "a phone that is told to wait waits"
        server.busy_s, server.ticket = 0, tickets()["rate"]
        page.clock.run_for(80_000)
        expect(page.locator("#ticket")).to_contain_text("已结束")
        expect(page.locator("[aria-pressed=true]")).to_have_count(0)
        expect(page.locator(".send")).to_be_disabled()
        page.locator("#level-5").click()
        page.locator("#level-2").click()
        expect(page.locator("[aria-pressed=true]")).to_have_text("不满意Dissatisfied")
        page.locator(".send").click()
        expect(page.locator("#ticket")).to_contain_text("没有送出，请再按一次。")
        server.ticket = tickets()["rated"]
        page.locator(".send").click()
        expect(page.locator("#ticket")).to_contain_text("已评价，谢谢。")
        assert server.keys == [{"level": 2}, {"level": 2}]
        known = len(asked)
        page.clock.run_for(120_000)
        assert len(asked) == known, "what is over is not asked about"
        assert page.evaluate("() => [localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
        assert all(url.startswith(server.url) for url in asked), "nothing from outside"


def turn(page: Page, asked: list[str]) -> int:
    """Let the page ask once more; how often it has asked then."""
    known = len(asked)
    with page.expect_response(lambda answer: answer.url.endswith("/view")):
        page.clock.run_for(13_000)
    assert len(asked) > known
    return len(asked)
