"""The manager's page in a real Chromium: what it says, that everybody can read it, and that it fits its screens.

`HALL_GOLDENS=write pytest tests/screens/test_overview_page.py` rewrites the golden; the commit that does so says why.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from hall_daemon.protocol import Text
from tests.screens.chromium import BROWSER_1, Panel, chromium, layout_faults, open_page
from tests.screens.overview_view import overview
from tests.screens.page_server import PageServer

pytestmark = [pytest.mark.system, BROWSER_1]

GOLDEN = Path(__file__).parent / "goldens" / "overview.txt"
AXE = Path(__file__).parents[1] / "axe" / "node_modules" / "axe-core" / "axe.min.js"
RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]},
    "resultTypes": ["violations"],
}
"""WCAG 2.2 level AA."""
DESK = Panel(name="desk", width=1440, height=900, px_per_mm=4.0)
PHONE = {"width": 760, "height": 1200}


@pytest.fixture(scope="module")
def shown() -> Iterator[tuple[Page, PageServer]]:
    """The page on a manager's desk, with a busy hall on it."""
    server = PageServer()
    try:
        with chromium() as browser, open_page(browser, DESK) as page:
            server.show(overview())
            page.goto(f"{server.url}/overview")
            expect(page.locator("h1")).to_contain_text("示例县政务服务中心")
            yield page, server
    finally:
        server.close()


def test_the_page_says_what_the_view_says(shown: tuple[Page, PageServer]) -> None:
    page, _ = shown
    said = "\n".join(line.strip() for line in page.locator("#app").inner_text().splitlines() if line.strip()) + "\n"
    if os.environ.get("HALL_GOLDENS") == "write":
        GOLDEN.write_text(said, encoding="utf-8")
    assert said == GOLDEN.read_text(encoding="utf-8")


def test_axe_finds_no_violation(shown: tuple[Page, PageServer]) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed here (sh .ci/axe)")
    page, _ = shown
    page.add_script_tag(path=AXE)
    found: dict[str, Any] = page.evaluate("rules => axe.run(document, rules)", RULES)
    assert [f"{one['id']}: {node['html'][:90]}" for one in found["violations"] for node in one["nodes"]] == []


def test_it_fits_one_screen_and_a_narrow_one_scrolls_down_only(shown: tuple[Page, PageServer]) -> None:
    page, _ = shown
    size = "() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    assert page.evaluate(size) == [DESK.width, DESK.height]
    assert layout_faults(page) == []
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    assert page.evaluate(size)[0] == PHONE["width"]
    page.set_viewport_size({"width": DESK.width, "height": DESK.height})


def test_the_page_follows_the_hall(shown: tuple[Page, PageServer]) -> None:
    page, server = shown
    calm = overview().model_copy(update={"alarms": (), "longest_number": "", "longest_zone": Text(zh=""), "waiting": 0})
    server.show(calm)
    expect(page.locator(".alarms")).to_contain_text("现在没有需要处理的事")
    expect(page.locator(".kpis")).to_contain_text("没有人在等")
    server.show(overview())
    expect(page.locator(".alarms")).to_contain_text("不动产登记 没有窗口开放")
