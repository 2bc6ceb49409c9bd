"""Pictures of the hall board and the phone page in their states, from views as the daemon sends them.

`python -m tests.take_board_screens`; `make screens` does it too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page

from hall_daemon.guide_page import guide_page
from hall_daemon.protocol_board import BoardState
from tests.screens.chromium import chromium
from tests.screens.kiosk_views import LONG_ITEM, small_hall
from tests.screens.page_server import WEB, PageServer
from tests.screens.test_board_page import board, eight_at_once
from tests.screens.test_public_pages import OPENS, PHONE, at_lunch, tickets

TO = Path(__file__).resolve().parents[1] / "docs" / "screens"


def main() -> None:
    """Each state once, a third of its size; the pages of a ticket at half of theirs."""
    server = PageServer()
    try:
        with chromium() as browser:
            _boards(browser, server)
            _phones(browser, server)
    finally:
        server.close()


def _boards(browser: Browser, server: PageServer) -> None:
    steady, wide, high = board(8), (1920, 1080), (1080, 1920)
    leave = {"state": BoardState.EMERGENCY, "exits": "← 东出口　西出口 →"}
    closed = board(0, day_open=False).model_copy(update={"reopens": OPENS})
    for name, address, view, size in (
        ("board-hall", "/board", steady, wide),
        ("board-portrait", "/board", steady, high),
        ("board-zone", "/board?zone=D", board(9, zones="D"), wide),
        ("board-lunch", "/board", at_lunch(steady, "1", "23"), wide),
        ("board-lunch-portrait", "/board", at_lunch(steady, "1", "23"), high),
        ("board-closed", "/board", closed, wide),
        ("board-before-first-call", "/board", board(0), wide),
        ("board-emergency", "/board", steady.model_copy(update=leave), wide),
        ("board-emergency-portrait", "/board", steady.model_copy(update=leave), high),
    ):
        server.show(view)
        with _page(browser, size) as page:
            page.goto(f"{server.url}{address}")
            page.wait_for_selector("h1, .hero")
            _shot(page, name, size, 3)
    _crowd(browser, server)
    _stale(browser, server)


def _crowd(browser: Browser, server: PageServer) -> None:
    """Eight calls in the same second, the first of them large."""
    server.show(board(8))
    with _page(browser, (1920, 1080)) as page:
        page.goto(f"{server.url}/board")
        page.wait_for_selector(".hero b")
        server.show(eight_at_once(board(8)))
        page.wait_for_selector("[data-number=H001]")
        _shot(page, "board-eight-calls", (1920, 1080), 3)


def _stale(browser: Browser, server: PageServer) -> None:
    """The daemon has been away for four minutes."""
    server.show(board(8))
    with _page(browser, (1920, 1080)) as page:
        page.clock.install()
        page.goto(f"{server.url}/board")
        page.wait_for_selector(".hero b")
        server.hang_up(refuse=True)
        page.clock.run_for(250_000)
        page.wait_for_selector("body.stale footer")
        _shot(page, "board-stale", (1920, 1080), 3)
        server.refusing = False


def _phones(browser: Browser, server: PageServer) -> None:
    size = PHONE.width, PHONE.height
    for name, ticket in {**tickets(), "none": None}.items():
        server.ticket = ticket
        with _page(browser, size) as page:
            page.goto(f"{server.url}/t/{'c' * 22}")
            page.locator("#ticket", has_text=ticket.number if ticket else "没有这张号").wait_for()
            _shot(page, f"phone-{name}", size, 1)
    profile = small_hall()
    guide = guide_page((WEB / "follow" / "guide.html").read_text("utf-8"), profile, profile.items[LONG_ITEM])
    with _page(browser, size) as page:
        page.route("**/t/guide/*", lambda route: route.fulfill(body=guide, content_type="text/html; charset=utf-8"))
        page.goto(f"{server.url}/t/guide/{LONG_ITEM}")
        page.wait_for_selector("h1")
        _shot(page, "phone-guide", size, 1)


@contextmanager
def _page(browser: Browser, size: tuple[int, int]) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce")
    try:
        yield page
    finally:
        page.close()


def _shot(page: Page, name: str, size: tuple[int, int], smaller: int) -> None:
    file = TO / f"{name}.png"
    page.screenshot(path=str(file))
    with Image.open(file) as picture:
        small = picture.convert("RGB").resize((size[0] // smaller, size[1] // smaller), Image.Resampling.LANCZOS)
    small.quantize(128).save(file, optimize=True)


if __name__ == "__main__":
    main()
