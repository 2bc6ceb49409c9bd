"""The kiosk's pages for everybody: axe-core, contrast, size of keys, in every state and every way of reading.

axe-core is a program that nobody here wrote; what it cannot know (millimetres, contrast of what is small) is measured
by scripts of our own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from hall_daemon.protocol_kiosk import KioskModes, KioskView
from tests.screens.axe import CONTRAST, LEAST_CONTRAST, OF_STYLE, RULES, take_axe, violations
from tests.screens.chromium import (
    BROWSER_2,
    PORTRAIT,
    SLIM,
    SMALL,
    Panel,
    chromium,
    heap,
    layout_faults,
    open_page,
    stored,
)
from tests.screens.kiosk_views import all_views
from tests.screens.page_server import PageServer
from tests.waiting import until

pytestmark = [pytest.mark.system, BROWSER_2]

TARGET_MM, LEAST_TEXT_MM = 20, 6.6
PANEL_EDGE_MM, HIGHEST_REACH_MM = 800, 1100
"""domain.md §13, ux.md A8."""
MODES = {
    "plain": None,
    "large": KioskModes(large=True),
    "contrast": KioskModes(contrast=True),
    "low": KioskModes(low=True),
}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def server() -> Iterator[PageServer]:
    started = PageServer()
    yield started
    started.close()


def stand(page: Page, server: PageServer, view: KioskView) -> None:
    """Show a view and wait until it stands."""
    server.show(view)
    expect(page.locator(f"main.s-{view.screen}")).to_be_visible()
    expect(page.locator("h1")).to_have_text(view.title.en if view.language == "en" else view.title.zh)


WAYS: tuple[tuple[str, Literal["zh", "en"], dict[str, Any]], ...] = (
    ("plain", "zh", RULES), ("contrast", "en", RULES), ("plain", "en", OF_STYLE), ("large", "zh", OF_STYLE),
    ("low", "en", OF_STYLE),
)  # fmt: skip
"""Both languages are looked at whole; what only paints the same elements otherwise, by the rules of paint and size."""


@pytest.mark.parametrize(("mode", "language", "rules"), WAYS, ids=lambda value: value if isinstance(value, str) else "")
def test_axe_finds_no_violation_in_any_state(
    browser: Browser, server: PageServer, mode: str, language: str, rules: dict[str, Any]
) -> None:
    faults: dict[str, list[str]] = {}
    views = {name: sent.model_copy(update={"language": language}) for name, sent in all_views(MODES[mode]).items()}
    once = {sent.screen: (name, sent) for name, sent in reversed(views.items())}
    with open_page(browser, PORTRAIT) as page:
        page.goto(f"{server.url}/kiosk/k1")
        take_axe(page)
        for name, sent in once.values():
            stand(page, server, sent)
            if found := violations(page, rules):
                faults[name] = found
        pale = "#333" if mode == "contrast" else "#ccc"
        page.evaluate("pale => (document.querySelector('h1').style.color = pale)", pale)
        assert violations(page, rules), "axe-core would see words that are too pale"
        if rules is RULES:
            page.evaluate("() => document.getElementById('app').append(document.createElement('img'))")
            assert any("image-alt" in fault for fault in violations(page)), "and a picture without words"
    assert faults == {}


@pytest.mark.parametrize(
    ("panel", "mode", "language"),
    [
        (PORTRAIT, "plain", "zh"),
        (PORTRAIT, "large", "zh"),
        (PORTRAIT, "large", "en"),
        (PORTRAIT, "contrast", "zh"),
        (PORTRAIT, "low", "zh"),
        (SLIM, "large", "zh"),
        (SLIM, "large", "en"),
        (SLIM, "low", "zh"),
        (SMALL, "plain", "en"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_words_stand_out_and_keys_are_as_large_as_a_fingertip_in_every_way_of_reading(
    browser: Browser, server: PageServer, panel: Panel, mode: str, language: Literal["zh", "en"]
) -> None:
    faults: dict[str, list[str]] = {}
    text_px = LEAST_TEXT_MM * panel.px_per_mm if panel is PORTRAIT else 0.0
    with open_page(browser, panel) as page:
        page.goto(f"{server.url}/kiosk/k1")
        for name, sent in all_views(MODES[mode]).items():
            stand(page, server, sent if language == "zh" else sent.model_copy(update={"language": language}))
            found = [
                *page.evaluate(CONTRAST, LEAST_CONTRAST),
                *layout_faults(page, TARGET_MM * panel.px_per_mm, text_px),
            ]
            if mode == "low" and (high := highest_key_mm(page, panel)) > HIGHEST_REACH_MM:
                found.append(f"a key {high:.0f} mm above the floor")
            if found:
                faults[name] = found
    assert faults == {}


def highest_key_mm(page: Page, panel: Panel) -> float:
    """Above the floor, when the panel's lower edge is where a wheelchair's arms are."""
    tops: list[float] = page.evaluate(
        "() => [...document.querySelectorAll('[data-key]')].map((key) => key.getBoundingClientRect().top)"
    )
    return PANEL_EDGE_MM + (panel.height - min(tops, default=panel.height)) / panel.px_per_mm


def test_large_text_is_larger_and_low_keys_are_lower(browser: Browser, server: PageServer) -> None:
    def look(modes: KioskModes | None) -> tuple[float, float]:
        stand(page, server, all_views(modes)["service"])
        size = page.locator(".tile.item b").first.evaluate("e => parseFloat(getComputedStyle(e).fontSize)")
        box = page.locator("[data-key='1']").bounding_box()
        assert box is not None
        return float(size), box["y"]

    with open_page(browser, PORTRAIT) as page:
        page.goto(f"{server.url}/kiosk/k1")
        size, top = look(None)
        larger, _ = look(KioskModes(large=True))
        _, lower = look(KioskModes(low=True))
        assert larger >= 1.25 * size
        assert lower >= top + 300
        assert lower >= 0.38 * PORTRAIT.height


def test_every_page_has_a_sentence_for_those_who_listen(browser: Browser, server: PageServer) -> None:
    asked: list[str] = []
    with open_page(browser, PORTRAIT) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{server.url}/kiosk/k1")
        for sent in {sent.screen: sent for sent in all_views(KioskModes(voice=True)).values()}.values():
            assert sent.said, sent.screen
            stand(page, server, sent)
            asked_for = f"{server.url}/kiosks/k1/voice/{sent.revision}.wav"
            page.wait_for_function("url => performance.getEntriesByName(url).length", arg=asked_for)
        again = sent.model_copy(update={"revision": sent.revision + 10**6, "again": 1})
        server.show(again)
        page.wait_for_function(
            "url => performance.getEntriesByName(url).length",
            arg=f"{server.url}/kiosks/k1/voice/{again.revision}.wav",
        )
        voice = f"{server.url}/kiosks/k1/voice/{{}}.wav"
        for more, count in ((1, 1), (2, 2)):  # somebody else has come meanwhile; then it is asked for once more
            server.show(
                again.model_copy(update={"revision": again.revision + more, "again": count, "clock": f"10:3{more}"})
            )
            expect(page.locator("time")).to_have_text(f"10:3{more}")
        until(lambda: voice.format(again.revision + 2) in asked, what="the page said again")
        assert voice.format(again.revision + 1) not in asked, "counts that change interrupt nobody"
    assert not any("%" in url or "text" in url for url in asked if "/voice/" in url), "no word stands in an address"


def test_nothing_of_a_person_is_left_in_memory_storage_or_cache_when_the_visit_is_over(
    browser: Browser, server: PageServer
) -> None:
    views = all_views()
    personal = {"phone-full": "张*试", "id": "990000 19990909", "confirm": "138****0000"}
    with open_page(browser, PORTRAIT) as page:
        page.goto(f"{server.url}/kiosk/k1")
        for name, part in personal.items():
            stand(page, server, views[name])
            page.keyboard.press("5")
            assert part in views[name].model_dump_json(), name
            assert part in heap(page), f"{name}: while it is on the page it is in its memory"
        stand(page, server, views["timeout"])
        stand(page, server, views["idle"].model_copy(update={"revision": views["idle"].revision + 10**6}))
        kept = heap(page)
        assert len(kept) > 100_000, "the memory was read"
        assert [part for part in personal.values() if part in kept or part in page.content()] == []
        assert stored(page) == []
