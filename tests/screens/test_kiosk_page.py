"""The kiosk's page in a real Chromium: what it draws, what it sends, what it keeps (nothing)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from hall_daemon.kiosk_visit import Visit
from hall_daemon.protocol import Text
from hall_daemon.protocol_kiosk import KioskScreen
from sim.bench import Bench, DaemonProcess
from tests.journeys.kiosk_room import write_hall
from tests.screens.chromium import (
    BROWSER_2,
    CHEAP,
    LANDSCAPE,
    PORTRAIT,
    SLIM,
    SMALL,
    Panel,
    chromium,
    is_drawn_in_chinese,
    layout_faults,
    open_page,
    save,
    stored,
)
from tests.screens.kiosk_views import all_views, view
from tests.screens.page_server import PageServer
from tests.waiting import until

pytestmark = [pytest.mark.system, BROWSER_2]

S = KioskScreen
TARGET_MM, LEAST_TEXT_MM = 20, 6.6
"""The em of the smallest text of the two panels that halls have, 19 and 21.5 inches; its capitals are 4.8 mm high."""
PERSONAL = ("张测试", "990000199909090053", "13900000000")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture
def server() -> Iterator[PageServer]:
    started = PageServer()
    yield started
    started.close()


def show(page: Page, server: PageServer, screen: KioskScreen, **changes: object) -> int:
    """Send a view and wait until it stands; its revision."""
    sent = view(screen, **changes)
    server.show(sent)
    expect(page.locator(f"main.s-{screen}")).to_be_visible()
    return sent.revision


@pytest.mark.parametrize("panel", [SLIM, SMALL, CHEAP], ids=lambda panel: panel.name)
def test_every_page_fits_every_panel_and_every_key_is_as_large_as_a_fingertip(
    browser: Browser, server: PageServer, panel: Panel
) -> None:
    faults: dict[str, list[str]] = {}
    with open_page(browser, panel) as page:
        page.goto(f"{server.url}/kiosk/k1")
        for name, sent in all_views().items():
            server.show(sent)
            expect(page.locator(f"main.s-{sent.screen}")).to_be_visible()
            expect(page.locator("h1")).to_have_text(sent.title.en if sent.language == "en" else sent.title.zh)
            least_text_px = LEAST_TEXT_MM * panel.px_per_mm if panel is SMALL else 0.0
            found = layout_faults(page, TARGET_MM * panel.px_per_mm, least_text_px)
            if sent.field is not None and name != "pinyin-picking":
                digits = page.evaluate(
                    "() => [...document.querySelectorAll('.keypad .digit b')].map((b) => b.innerText)"
                )
                found += [f"no key {digit} to touch" for digit in "0123456789" if digit not in digits]
            if found:
                faults[name] = found
                save(page, f"fault-kiosk-{panel.name}-{name}")
        assert is_drawn_in_chinese(page)
    assert faults == {}


def test_a_touch_sends_the_key_with_the_revision_it_was_drawn_in(browser: Browser, server: PageServer) -> None:
    with open_page(browser, PORTRAIT) as page:
        page.goto(f"{server.url}/kiosk/k1")
        revision = show(page, server, S.IDLE)
        page.get_by_text("没带身份证").tap()
        until(lambda: server.keys == [{"key": "1", "revision": revision}])
        revision = show(page, server, S.ZONES)
        page.get_by_text("社会民生区").tap()
        until(lambda: server.keys[1:] == [{"key": "2", "revision": revision}])
        show(page, server, S.NOCARD)
        page.locator("nav [data-key=cancel]").tap()
        page.locator("[data-key=help]").tap()
        until(lambda: [entry["key"] for entry in server.keys[2:]] == ["cancel", "help"])


def test_keys_of_a_keyboard_mean_what_the_metal_keys_mean(browser: Browser, server: PageServer) -> None:
    with open_page(browser, PORTRAIT) as page:
        page.goto(f"{server.url}/kiosk/k1")
        show(page, server, S.PHONE)
        for key in ("Enter", "Backspace", "Escape", "?", "*", "#", "0", "9"):
            page.keyboard.press(key)
        page.keyboard.press("a")
        page.keyboard.press("F1")
        wanted = ["ok", "correct", "cancel", "help", "*", "#", "0", "9"]
        until(lambda: len(server.keys) == len(wanted))
        assert [entry["key"] for entry in server.keys] == wanted


def test_fast_typing_arrives_in_order_and_a_held_key_counts_once(browser: Browser, server: PageServer) -> None:
    with open_page(browser, PORTRAIT) as page:
        page.goto(f"{server.url}/kiosk/k1")
        show(page, server, S.PHONE)
        for digit in "13900000000":
            page.keyboard.press(digit)
        page.keyboard.down("7")
        page.keyboard.down("7")
        page.keyboard.up("7")
        until(lambda: len(server.keys) >= 12)
        assert "".join(str(entry["key"]) for entry in server.keys) == "139000000007"


def test_a_lost_line_says_so_after_three_seconds_and_comes_back_alone(browser: Browser, server: PageServer) -> None:
    with open_page(browser, PORTRAIT) as page:
        page.clock.install()
        page.goto(f"{server.url}/kiosk/k1")
        show(page, server, S.PHONE)
        server.hang_up(refuse=True)
        page.clock.run_for(2500)
        expect(page.locator("main.s-phone")).to_be_visible()
        page.clock.run_for(1500)
        expect(page.locator("h1")).to_have_text("这台机器正在维护")
        assert "张" not in page.content(), "what was on the screen is gone with the line"
        save(page, "kiosk-line-lost")
        page.keyboard.press("1")
        server.refusing = False
        server.show(view(S.IDLE))
        for _ in range(20):
            page.clock.run_for(1000)
            if page.locator("main.s-idle").is_visible():
                break
        expect(page.locator("main.s-idle")).to_be_visible()
        assert server.keys == [], "a key pressed into nothing is not kept"


def test_the_page_keeps_nothing_and_asks_nobody_else(browser: Browser, server: PageServer) -> None:
    with open_page(browser, PORTRAIT) as page:
        asked: set[str] = set()
        page.on("request", lambda request: asked.add(re.sub(r"^(\w+://[^/]+).*", r"\1", request.url)))
        page.goto(f"{server.url}/kiosk/k1")
        for name, sent in all_views().items():
            if name in ("idle", "phone", "zones", "confirm", "done"):
                server.show(sent)
                expect(page.locator(f"main.s-{sent.screen}")).to_be_visible()
        assert stored(page) == []
        assert page.url == f"{server.url}/kiosk/k1"
        assert asked == {server.url}


def test_markup_in_a_sentence_stays_words(browser: Browser, server: PageServer) -> None:
    with open_page(browser, PORTRAIT) as page:
        page.goto(f"{server.url}/kiosk/k1")
        show(page, server, S.IDLE, notice=Text(zh="<img src=x onerror=alert(1)>", en="<b>bold</b>"))
        expect(page.get_by_text("<img src=x onerror=alert(1)>")).to_be_visible()
        assert page.locator("main img").count() == 0


def test_a_key_clicks_and_a_card_that_was_left_beeps_every_three_seconds(browser: Browser, server: PageServer) -> None:
    heard = "() => window.heard.map((tone) => Math.round(tone.frequency.value))"
    with open_page(browser, PORTRAIT) as page:
        page.add_init_script(
            "window.heard = []; const start = OscillatorNode.prototype.start;"
            "OscillatorNode.prototype.start = function () { window.heard.push(this); return start.call(this); };"
        )
        page.clock.install()
        page.goto(f"{server.url}/kiosk/k1")
        show(page, server, S.IDLE)

        def touched() -> bool:  # the first touch only wakes the loudspeaker
            page.locator("[data-key='1']").dispatch_event("pointerdown", {"isPrimary": True, "bubbles": True})
            return bool(page.evaluate(heard))

        until(touched, what="a click")
        show(page, server, S.ID, visit=Visit(typed_id="9"))
        known = len(page.evaluate(heard))
        show(page, server, S.ID, visit=Visit(typed_id="99"))
        expect(page.locator(".typed")).to_have_text("99")
        assert page.evaluate(heard)[known:] == [1800], "a key of the metal keypad clicks too, and says no digit"
        clicks = page.evaluate(heard)
        show(page, server, S.CARDLEFT)
        page.clock.run_for(3000 * 3)
        assert page.evaluate(heard)[len(clicks) :] == [880] * 4
        show(page, server, S.IDLE)
        page.clock.run_for(3000 * 2)
        assert len(page.evaluate(heard)) == len(clicks) + 4, "whoever takes the card away ends it"


def test_the_token_of_the_page_goes_along_with_its_questions(browser: Browser, server: PageServer) -> None:
    with open_page(browser, PORTRAIT) as page:
        page.goto(f"{server.url}/kiosk/k1?token=geheim")
        show(page, server, S.IDLE)
        assert server.authorizations == {"Bearer geheim"}


def test_a_new_page_is_announced_once_for_those_who_listen(browser: Browser, server: PageServer) -> None:
    with open_page(browser, PORTRAIT) as page:
        page.goto(f"{server.url}/kiosk/k1")
        show(page, server, S.ZONES)
        expect(page.locator("#live")).to_have_text("您要去哪个区？")


# --- whole visits through the daemon and twins -----------------------------------------------------------------------


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A hall with twins and the daemon as a process of its own; every device is online."""
    with Bench(write_hall(tmp_path / "hall"), tmp_path / "run", province=None) as started, DaemonProcess(started):

        def all_online() -> bool:
            devices = httpx.get(f"{started.url}/devices", timeout=10, trust_env=False).json()
            return all(device["link"] == "online" for device in devices)

        until(all_online, 20, "every device online")
        yield started


def printed(bench: Bench) -> list[str]:
    return ["\n".join(slip.lines) for slip in bench["PRN-01"].whole_slips]


def test_a_whole_visit_by_touch(browser: Browser, bench: Bench) -> None:
    with open_page(browser, PORTRAIT, still=False) as page:
        page.goto(f"{bench.url}/kiosk/k1")
        expect(page.locator("main.s-idle")).to_be_visible()
        save(page, "visit-touch-1-start")
        bench["IDR-01"].put("zhang")
        expect(page.get_by_text("张*试，您好")).to_be_visible()
        for digit in "13900000000":
            page.locator(f".keypad [data-key='{digit}']").tap()
        expect(page.locator(".typed")).to_have_text("139 **** 0000")
        save(page, "visit-touch-2-phone")
        page.get_by_text("下一步").tap()
        page.get_by_text("按区域找").tap()
        page.get_by_text("社会民生区").tap()
        page.locator("main.s-list [data-key='2']").tap()
        expect(page.get_by_text("139****0000")).to_be_visible()
        save(page, "visit-touch-3-check")
        page.get_by_text("确认取号").tap()
        expect(page.locator("h1")).to_have_text("请取走号票")
        expect(page.locator(".number b")).to_have_text("H001")
        save(page, "visit-touch-4-done")
        assert not any(word in page.content() for word in (*PERSONAL, "张*试", "139****0000"))
        bench["IDR-01"].lift()
        page.locator("nav [data-key=ok]").tap()
        expect(page.locator("main.s-idle")).to_be_visible()
        expect(page.locator(".zones > div", has_text="社会民生区").locator("b")).to_have_text("1")
    (slip,) = printed(bench)
    assert "H001" in slip
    assert not any(word in slip for word in PERSONAL)


def said_aloud(bench: Bench) -> bytes:
    """What the page that stands says; the next one may have come meanwhile."""

    def ask() -> bytes | None:
        with httpx.stream("GET", f"{bench.url}/kiosks/k1/views", timeout=20, trust_env=False) as views:
            revision = json.loads(next(views.iter_lines()))["revision"]
        answer = httpx.get(f"{bench.url}/kiosks/k1/voice/{revision}.wav", timeout=20, trust_env=False)
        return answer.content if answer.status_code == httpx.codes.OK else None

    return until(ask, what="the sound of the page")


def test_a_whole_visit_by_keypad(browser: Browser, bench: Bench) -> None:
    with open_page(browser, LANDSCAPE, still=False) as page:
        pad = bench["KEY-01"]
        page.goto(f"{bench.url}/kiosk/k1")
        expect(page.locator("main.s-idle")).to_be_visible()
        pad.press("1")
        expect(page.locator("h1")).to_have_text("没带身份证也能办")
        for key in ("help", "4"):
            pad.press(key)
        expect(page.locator("[data-key=voice][aria-pressed=true]")).to_be_visible()
        assert said_aloud(bench).startswith(b"RIFF"), "whoever listens hears this page"
        pad.press("cancel")
        expect(page.locator("main.s-idle")).to_be_visible()
        bench["IDR-02"].put("li")
        expect(page.get_by_text("李*例，您好")).to_be_visible()
        pad.press("*")
        expect(page.locator("main.s-service")).to_be_visible()
        pad.press("7")
        expect(page.locator("main.s-zones")).to_be_visible()
        pad.press("1")
        expect(page.locator("main.s-list")).to_be_visible()
        pad.press("*")
        expect(page.get_by_text("2 / 2")).to_be_visible()
        pad.press("3")
        expect(page.locator("main.s-confirm")).to_be_visible()
        save(page, "visit-keypad-check")
        pad.press("ok")
        expect(page.locator(".number b")).to_have_text("A001")
        expect(page.locator("h1")).to_have_text("请取走号票")
        save(page, "visit-keypad-done")
    (slip,) = printed(bench)
    assert "A001" in slip


def test_paper_trouble_and_help_in_english_through_the_whole_machine(browser: Browser, bench: Bench) -> None:
    with open_page(browser, PORTRAIT) as page:
        page.goto(f"{bench.url}/kiosk/k1")
        expect(page.locator("main.s-idle")).to_be_visible()
        bench["PRN-01"].run_out_of_paper()
        expect(page.get_by_text("本机打印纸用完了")).to_be_visible()
        save(page, "visit-no-paper-1-start")
        bench["IDR-01"].put("hongkong")
        expect(page.locator("main.s-phone")).to_be_visible()
        page.locator("[data-key=help]").tap()
        page.locator("main.s-help [data-key='6']").tap()
        expect(page.locator("h1")).to_have_text("Enter your mobile number")
        page.get_by_text("No phone, skip").tap()
        page.locator("main.s-service [data-key='7']").tap()
        page.locator("main.s-zones [data-key='1']").tap()
        page.locator("main.s-list [data-key='1']").tap()
        page.get_by_text("Take ticket").tap()
        expect(page.locator("h1")).to_have_text("Your number is reserved, but the paper ran out")
        expect(page.locator(".number b")).to_have_text("A001")
        save(page, "visit-no-paper-2-number")
        bench["IDR-01"].lift()
        page.get_by_text("I have noted it").tap()
        expect(page.locator("h1")).to_have_text("请把身份证放在读卡区")


def test_the_page_survives_a_death_of_the_daemon(browser: Browser, tmp_path: Path) -> None:
    with Bench(write_hall(tmp_path / "hall"), tmp_path / "run", province=None) as bench:
        daemon = DaemonProcess(bench).start()
        try:
            with open_page(browser, PORTRAIT) as page:
                page.goto(f"{bench.url}/kiosk/k1")
                expect(page.locator("main.s-idle")).to_be_visible()
                daemon.kill()
                expect(page.locator("h1")).to_have_text("这台机器正在维护")
                daemon.start()
                expect(page.locator("main.s-idle")).to_be_visible()
        finally:
            daemon.stop()
