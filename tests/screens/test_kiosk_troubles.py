"""Visits in a real Chromium through the whole machine: booked, large and mixed, and with every trouble the twins cause.

One hall, one page, one visit after the other: in trouble the page says what is valid and what to do next, and in the
end nothing of any of these people is left in the page's memory, storage or cache.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Error, Page, expect
from sqlmodel import Session, create_engine

from hall_daemon.config_secrets import read_secrets
from hall_daemon.privacy import id_hmac
from hall_daemon.tables import AppointmentRow
from sim.bench import Bench, DaemonProcess
from tests.journeys.kiosk_room import write_hall
from tests.screens.chromium import BROWSER_1, SLIM, chromium, heap, open_page, stored
from tests.waiting import until

pytestmark = [pytest.mark.system, pytest.mark.timeout(300), BROWSER_1]


TOUCHES = 20
"""How often a finger comes back to a page that is drawn anew under it; on a busy machine it is slow."""
FINGER = """keys => keys[0]?.dispatchEvent(new PointerEvent("pointerdown", { isPrimary: true, bubbles: true }))"""


class Kiosk:
    """A resident's hands and eyes at the panel of kiosk k1."""

    def __init__(self, page: Page, bench: Bench, daemon: DaemonProcess) -> None:
        self.page, self.bench, self.daemon = page, bench, daemon
        page.goto(f"{bench.url}/kiosk/k1")

    def stands(self, screen: str) -> None:
        expect(self.page.locator(f"main.s-{screen}")).to_be_visible()

    def reads(self, *sentences: str) -> None:
        for sentence in sentences:
            expect(self.page.locator("#app")).to_contain_text(sentence)

    def tap(self, words: str) -> None:
        self.page.locator("[data-key]", has_text=words).first.tap()

    def key(self, screen: str, key: str) -> None:
        """Touch a key of this page, and no other page's; a finger touches also what says that it is disabled."""
        found = self.page.locator(f"#app:has(main.s-{screen}) [data-key='{key}']").first
        for left in reversed(range(TOUCHES)):
            expect(found).to_be_visible()
            try:
                found.tap(force=True)
            except Error:  # the page was drawn anew under the finger: nothing was touched
                if left:
                    continue
                raise
            return

    def come(self, resident: str) -> None:
        """Lay the card down, and leave no phone number."""
        self.stands("idle")
        self.bench["IDR-01"].put(resident)
        self.key("phone", "*")

    def choose(self, zone: str, item: str) -> None:
        self.key("service", "7")
        self.key("zones", zone)
        self.key("list", item)

    def take(self, resident: str, zone: str = "1", item: str = "2") -> None:
        self.come(resident)
        self.choose(zone, item)
        self.key("confirm", "ok")

    def has_number(self, number: str) -> None:
        expect(self.page.locator(".number b")).to_have_text(number)

    def leave(self, words: str = "") -> None:
        """Take the card, and end; a page that has ended by itself meanwhile is as good."""
        self.bench["IDR-01"].lift()
        way_out = self.page.locator("[data-key]", has_text=words) if words else self.page.locator("nav [data-key]")

        def is_over() -> bool:
            way_out.evaluate_all(FINGER)
            return self.page.locator("main.s-idle").is_visible()

        until(is_over, what="the first page")

    def link(self, device: str) -> str:
        found = httpx.get(f"{self.bench.url}/devices", timeout=20, trust_env=False).json()
        return str(next(each["link"] for each in found if each["device"] == device))


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    """A hall whose first item is suspended and whose second queue gives one number a day."""
    folder = write_hall(tmp_path / "hall", suspend_first=True)
    tables = (folder / "devices.toml").read_text(encoding="utf-8")
    tables = re.sub(r"(\[queue\.H\]\n)", r"\1daily_cap = 1\n", tables)
    (folder / "devices.toml").write_text(tables, encoding="utf-8")
    with (
        chromium() as browser,
        Bench(folder, tmp_path / "run", province=None) as bench,
        DaemonProcess(bench) as daemon,
        open_page(browser, SLIM) as page,
    ):
        kiosk = Kiosk(page, bench, daemon)
        until(lambda: all(kiosk.link(d) == "online" for d in bench.lines), what="every device online")
        yield kiosk


def test_every_trouble_is_told_with_what_is_valid_and_what_to_do_next(kiosk: Kiosk) -> None:
    _by_appointment(kiosk)
    _large_by_age_and_with_both_hands(kiosk)
    _out_of_paper(kiosk)
    _jammed(kiosk)
    _nobody_knows_whether_it_came_out(kiosk)
    _already_waiting(kiosk)
    _suspended_and_none_left(kiosk)
    _the_daemon_cannot_be_reached(kiosk)
    _no_reader(kiosk)
    _nobody_is_left(kiosk)
    _closed(kiosk)


def _by_appointment(kiosk: Kiosk) -> None:
    """Checked in by the card in one step."""
    _book(kiosk.bench, "990000198808080038")
    kiosk.stands("idle")
    kiosk.bench["IDR-01"].put("rare")
    kiosk.reads("您今天的预约", "可以签到")
    kiosk.key("appointment", "1")
    kiosk.stands("done")
    kiosk.has_number("YH001")
    kiosk.leave()


def _book(bench: Bench, id_no: str) -> None:
    """An appointment that begins now, as if the province had sent it."""
    key = read_secrets(bench.environment).match
    assert key is not None
    today = httpx.get(f"{bench.url}/day", timeout=20, trust_env=False).json()["bizdate"]
    now_ms = int(time.time() * 1000)
    row = AppointmentRow(
        id="ap-1", code6="111111", item_codes=[bench.tables["queue"]["H"]["items"][1]], bizdate=today,
        slot_start_ms=now_ms, slot_end_ms=now_ms + 1_800_000, id_type="111", id_hmac=id_hmac(key, "111", id_no),
        name_masked="杨**", phone_tail4="5678", state="booked", rev=1,
    )  # fmt: skip
    engine = create_engine(f"sqlite:///{bench.database}", connect_args={"timeout": 30})
    with Session(engine) as session:
        session.add(row)
        session.commit()
    engine.dispose()


def _large_by_age_and_with_both_hands(kiosk: Kiosk) -> None:
    """Seventy-four years old: large letters and the priority lane by themselves; keypad and touch in turn."""
    pad = kiosk.bench["KEY-01"]
    kiosk.stands("idle")
    kiosk.bench["IDR-01"].put("chen")
    kiosk.stands("phone")
    expect(kiosk.page.locator("html")).to_have_class(re.compile("large"))
    kiosk.reads("已为您换成大字，按“大字”可恢复")
    pad.press("*")
    kiosk.key("service", "7")
    kiosk.stands("zones")
    pad.press("1")
    kiosk.key("list", "2")
    kiosk.stands("confirm")
    pad.press("ok")
    kiosk.stands("done")
    kiosk.has_number("VA001")
    expect(kiosk.page.locator("html")).to_have_class(re.compile("large"))
    kiosk.leave()
    expect(kiosk.page.locator("html")).not_to_have_class(re.compile("large"))


def _out_of_paper(kiosk: Kiosk) -> None:
    kiosk.bench["PRN-01"].run_out_of_paper()
    kiosk.reads("本机打印纸用完了")
    kiosk.take("zhang")
    expect(kiosk.page.locator("h1")).to_have_text("号已取好，但打印纸用完了")
    kiosk.has_number("A001")
    kiosk.reads("号码有效，请记下", "可到2号取号机再刷一次证补打")
    kiosk.bench["PRN-01"].refill()
    kiosk.reads("再打印一次")
    kiosk.leave("我记下了")


def _jammed(kiosk: Kiosk) -> None:
    kiosk.bench["PRN-01"].jam()
    kiosk.take("li")
    expect(kiosk.page.locator("h1")).to_have_text("号已取好，但打印机卡纸了")
    kiosk.has_number("A002")
    kiosk.reads("号码有效，请记下", "2号取号机")
    kiosk.bench["PRN-01"].recover()
    kiosk.leave("我记下了")


def _nobody_knows_whether_it_came_out(kiosk: Kiosk) -> None:
    until(lambda: kiosk.link("PRN-01") == "online", what="the printer back")
    kiosk.bench["PRN-01"].go_mute_after(bytes_received=60)
    kiosk.take("liu")
    expect(kiosk.page.locator("h1")).to_have_text("票出来了吗？", timeout=60_000)
    kiosk.has_number("A003")
    kiosk.reads("号码有效", "出来了", "没有，请补打")
    kiosk.tap("出来了")
    kiosk.stands("done")
    kiosk.leave()
    kiosk.bench["PRN-01"].recover()


def _already_waiting(kiosk: Kiosk) -> None:
    kiosk.stands("idle")
    kiosk.bench["IDR-01"].put("zhang")
    kiosk.stands("duplicate")
    kiosk.has_number("A001")
    kiosk.reads("A001 还有效，前面 1 人", "补打号票", "办另一件事", "不要这个号了")
    kiosk.leave()


def _suspended_and_none_left(kiosk: Kiosk) -> None:
    """The only number of the second queue went to the appointment."""
    kiosk.come("taiwan")
    kiosk.choose("1", "1")
    expect(kiosk.page.locator("h1")).to_have_text("这项业务暂停办理")
    kiosk.reads("恢复时间请问工作人员，或打 12345")
    kiosk.tap("选别的事项")
    kiosk.choose("2", "2")
    kiosk.key("confirm", "ok")
    expect(kiosk.page.locator("h1")).to_have_text("这项业务今天的号已取完")
    kiosk.reads("请改日再来或网上预约", "没有取号。您可以选别的事项，或请工作人员帮忙")
    kiosk.leave()


def _the_daemon_cannot_be_reached(kiosk: Kiosk) -> None:
    """It stands still as if the network between were cut: nothing comes, and nothing is said about it."""
    kiosk.stands("idle")
    kiosk.bench["IDR-01"].put("hongkong")
    kiosk.stands("phone")
    for digit in "13900000000":
        kiosk.key("phone", digit)
    kiosk.reads("何*例，您好", "139 **** 0000")
    known = heap(kiosk.page)
    assert "139 **** 0000" in known, "while it is on the page it is in its memory"
    os.kill(kiosk.daemon.pid, signal.SIGSTOP)
    try:
        expect(kiosk.page.locator("h1")).to_have_text("这台机器正在维护", timeout=60_000)
        kiosk.reads("请用旁边的取号机，或到导办台取号")
        assert not any(word in kiosk.page.content() for word in ("何*例", "139 ****")), "nobody stays on a dead page"
    finally:
        os.kill(kiosk.daemon.pid, signal.SIGCONT)
    kiosk.reads("何*例，您好")
    kiosk.leave()


def _no_reader(kiosk: Kiosk) -> None:
    for reader in ("IDR-01", "IDR-02"):
        kiosk.bench.lines[reader].unplug()
    expect(kiosk.page.locator("h1")).to_have_text("读卡器暂时不能用")
    kiosk.reads("您还可以这样取号", "2号取号机可以刷证", "输入身份证号")
    for reader in ("IDR-01", "IDR-02"):
        kiosk.bench.lines[reader].replug()
    kiosk.stands("idle")


def _nobody_is_left(kiosk: Kiosk) -> None:
    kept = heap(kiosk.page)
    assert len(kept) > 100_000, "the memory was read"
    people = (
        "杨*",
        "陈*样",
        "张*试",
        "李*例",
        "刘*例",
        "林*例",
        "何*例",
        "139 **** 0000",
        "139****0000",
        "13900000000",
    )
    assert [part for part in people if part in kept or part in kiosk.page.content()] == []
    assert stored(kiosk.page) == []
    with httpx.stream("GET", f"{kiosk.bench.url}/kiosks/k1/views", timeout=20, trust_env=False) as views:
        assert views.headers["cache-control"] == "no-store", "nor in the cache of the browser"


def _closed(kiosk: Kiosk) -> None:
    close = f"{kiosk.bench.url}/day/close"
    seen = httpx.post(close, json={}, timeout=20, trust_env=False)
    assert seen.status_code == 409, "people are waiting: closing needs somebody who has seen how many"
    waiting = {"by": "technician", "waiting": 5}
    httpx.post(close, json=waiting, timeout=20, trust_env=False).raise_for_status()
    expect(kiosk.page.locator("h1")).to_have_text("现在不办公")
    kiosk.reads("现在不能取号。已取的号请看大屏和窗口屏")
    kiosk.bench["IDR-01"].put("chen")
    until(lambda: kiosk.link("IDR-01") == "online")
    kiosk.stands("closed")
