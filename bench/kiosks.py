"""A ticket machine as a resident feels it: card to first page, Confirm to paper, the weight of the page; forty at once.

Drawn: the frame after the one in which Chromium put the page together, by its own clock. Everything runs on one
machine, Chromium, the twins and all forty residents too, so what counts is one machine alone against forty, and a
processor as it is against one that is throttled.
"""

import asyncio
import json
import re
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from bench.rig import say
from sim.bench import HALLS, Bench, DaemonProcess
from sim.visits import Resident, residents

ROUNDS, STARTS, KIOSKS = 12, 5, 40
SLOW = 6
"""How much slower than here the processor of a cheap ticket machine may be."""
ALONE, TOGETHER = 12, 3
"""Visits at one machine alone; at each of all."""
DRAWN = """
window.drawn = {};
new MutationObserver(() => {
  const page = document.querySelector("main")?.className.match(/s-(\\w+)/)?.[1];
  if (page && !(page in window.drawn)) {
    window.drawn[page] = 0;
    const note = (at) => { window.drawn[page] = performance.timeOrigin + at; };
    requestAnimationFrame(() => requestAnimationFrame(note));
  }
}).observe(document, { childList: true, subtree: true });
"""


def kiosks() -> None:
    """Card → first page, Confirm → paper, weight and start of the page, and forty machines at once."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Bench(HALLS / "small", Path(folder), province=None) as bench,
        DaemonProcess(bench),
        _chromium() as browser,
    ):
        _wait_online(bench, "IDR-01", "PRN-01")
        _card_and_confirm(bench, browser)
        _weight(bench, browser)
    with (
        tempfile.TemporaryDirectory() as folder,
        Bench(_hall(Path(folder) / "hall"), Path(folder) / "run", province=None) as bench,
        DaemonProcess(bench),
    ):
        _wait_online(bench, *(f"{kind}-{n}" for n in _numbers() for kind in ("IDR", "PRN")))
        asyncio.run(_forty(bench))


@contextmanager
def _chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()


def _wait_online(bench: Bench, *devices: str) -> None:
    wanted = set(devices)
    while wanted:
        found = httpx.get(f"{bench.url}/devices", timeout=30, trust_env=False).json()
        wanted -= {device["device"] for device in found if device["link"] == "online"}
        time.sleep(0.1)


# --- one machine ------------------------------------------------------------------------------------------------------


def _card_and_confirm(bench: Bench, browser: Browser) -> None:
    """Each visit on a page of its own; keys by touch."""
    first, paper = [], []
    crowd = residents(1)
    line: Any = bench.lines["PRN-01"]
    page = browser.new_page(viewport={"width": 1080, "height": 1920}, has_touch=True)
    page.add_init_script(DRAWN)
    for _ in range(ROUNDS):
        page.goto(f"{bench.url}/kiosk/k1")
        page.wait_for_selector("main.s-idle")
        time.sleep(0.3)  # a person looks at the page; the line is idle
        began = time.time()
        bench["IDR-01"].put(next(crowd).card)
        first.append(_drawn_ms(page, "phone") - began * 1000)
        page.tap("main.s-phone [data-key='*']")
        page.tap("main.s-service [data-key='1']")
        page.wait_for_selector("main.s-confirm")
        time.sleep(0.3)
        began, known = time.time(), len(line.transcript)
        page.tap("nav [data-key=ok]")
        page.wait_for_selector("main.s-done")
        at = next(p.at for p in line.transcript[known:] if p.direction == ">" and p.at >= began and len(p.data) > 8)
        paper.append((at - began) * 1000)
        bench["IDR-01"].lift()
        page.tap("nav [data-key=ok]")
    page.close()
    say("card on the reader → first page drawn", first)
    say("Confirm touched → first bytes of the slip at the printer", paper)


def _drawn_ms(page: Page, name: str) -> float:
    found = page.wait_for_function("name => window.drawn[name] || null", arg=name, timeout=60_000)
    return float(found.json_value())


def _weight(bench: Bench, browser: Browser) -> None:
    """All bytes over the wire until the first page stands, and how long it takes."""
    starts: dict[int, list[float]] = {1: [], SLOW: []}
    files, weight = set(), 0.0
    for _ in range(STARTS):
        for slower, times in starts.items():
            page = browser.new_page(viewport={"width": 1080, "height": 1920})
            session = page.context.new_cdp_session(page)
            session.send("Network.enable")
            session.send("Emulation.setCPUThrottlingRate", {"rate": slower})
            passed: list[float] = []
            session.on("Network.loadingFinished", lambda done, passed=passed: passed.append(done["encodedDataLength"]))
            page.on("response", lambda answer: files.add(answer.url))
            page.add_init_script(DRAWN)
            page.goto(f"{bench.url}/kiosk/k1")
            origin = float(page.evaluate("performance.timeOrigin"))
            times.append(_drawn_ms(page, "idle") - origin)
            weight = sum(passed)
            page.close()
    print(f"the page: {len(files)} answers, {weight / 1024:.0f} KiB over the wire without the stream of views")
    for slower, times in starts.items():
        say(f"start of the page → first page drawn, processor 1/{slower}", times)
    print(f"ratio: {statistics.median(starts[SLOW]) / statistics.median(starts[1]):.1f}")


# --- forty machines ---------------------------------------------------------------------------------------------------


def _numbers() -> range:
    return range(101, 101 + KIOSKS)


def _hall(folder: Path) -> Path:
    """The small hall with forty ticket machines, each with a reader and a printer of its own."""
    shutil.copytree(HALLS / "small", folder)
    tables = (folder / "devices.toml").read_text(encoding="utf-8")
    queues = json.dumps(re.findall(r"^\[queue\.(\w)\]", tables, re.MULTILINE))
    for n in _numbers():
        tables += (
            f'\n[kiosk.k{n}]\nname = "{n}号取号机"\ncard_readers = ["IDR-{n}"]\nkeypad = ""\nprinter = "PRN-{n}"\n'
            f"queues = {queues}\n"
            f'[device.IDR-{n}]\ndriver = "idcard_samv"\nport = "/dev/ttyR{n}"\nbaud = 115200\n'
            f'[device.PRN-{n}]\ndriver = "printer_escpos"\nport = "/dev/ttyP{n}"\nbaud = 115200\ncolumns = 32\n'
            'charset = "gb18030"\n'
        )
    (folder / "devices.toml").write_text(tables, encoding="utf-8")
    return folder


@dataclass
class Felt:
    """What residents waited for, in milliseconds."""

    card: list[float] = field(default_factory=list)
    """Card → the page that asks for a phone."""
    touch: list[float] = field(default_factory=list)
    """Touch → the next page."""
    number: list[float] = field(default_factory=list)
    """Confirm → the number on the screen."""
    views: int = 0


class Panel:
    """One ticket machine's page as a client, and whoever stands there."""

    def __init__(self, bench: Bench, number: int, http: httpx.AsyncClient) -> None:
        self.code, self.reader = f"k{number}", bench[f"IDR-{number}"]
        self.view: dict[str, Any] = {"screen": ""}
        self.views = 0
        self._url, self._http = bench.url, http
        self._news = asyncio.Event()

    async def follow(self) -> None:
        host, port = self._url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 20)
        writer.write(f"GET /kiosks/{self.code}/views HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        try:
            while line := await reader.readline():
                if line.startswith(b"{"):
                    self.view = json.loads(line)
                    self.views += 1
                    self._news.set()
        finally:
            writer.close()

    async def until(self, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        async with asyncio.timeout(120):
            while not holds(self.view):
                self._news.clear()
                await self._news.wait()
        return self.view

    async def _shows(self, *screens: str) -> dict[str, Any]:
        return await self.until(lambda view: view["screen"] in screens)

    async def _press(self, key: str) -> None:
        body = {"key": key, "revision": self.view["revision"]}
        (await self._http.post(f"{self._url}/kiosks/{self.code}/keys", json=body)).raise_for_status()

    async def visit(self, resident: Resident, felt: Felt) -> None:
        """By card and touch, the first of the common items, without a phone."""
        await self._shows("idle")
        began = time.monotonic()
        await asyncio.to_thread(self.reader.put, resident.card)
        await self._shows("phone")
        felt.card.append((time.monotonic() - began) * 1000)
        for key, page in (("*", "service"), ("1", "confirm")):
            began = time.monotonic()
            await self._press(key)
            await self._shows(page)
            felt.touch.append((time.monotonic() - began) * 1000)
        began = time.monotonic()
        await self._press("ok")
        await self.until(lambda view: view["ticket"] is not None)
        felt.number.append((time.monotonic() - began) * 1000)
        await self._shows("done")
        await asyncio.to_thread(self.reader.lift)
        await self._press("ok")
        await self._shows("idle")


async def _forty(bench: Bench) -> None:
    """One machine alone, then all; all forty pages listen both times."""
    crowd = residents(2)
    limits = httpx.Limits(max_connections=2 * KIOSKS, max_keepalive_connections=2 * KIOSKS)
    async with httpx.AsyncClient(timeout=60, trust_env=False, limits=limits) as http:
        panels = [Panel(bench, number, http) for number in _numbers()]
        streams = [asyncio.create_task(panel.follow()) for panel in panels]
        for panel in panels:
            await panel.until(lambda view: view["screen"] == "idle")
        alone = await _felt(panels, [(panels[0], [next(crowd) for _ in range(ALONE)])], "1 machine alone")
        everybody = [(panel, [next(crowd) for _ in range(TOGETHER)]) for panel in panels]
        together = await _felt(panels, everybody, f"{KIOSKS} machines at once")
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
    ratio = statistics.median(together.touch) / statistics.median(alone.touch)
    print(f"touch → next page: {KIOSKS} at once take {ratio:.1f} times as long as one alone")


async def _felt(panels: list[Panel], visits: list[tuple[Panel, list[Resident]]], who: str) -> Felt:
    felt, before, began = Felt(), sum(panel.views for panel in panels), time.monotonic()

    async def one_after_the_other(panel: Panel, people: list[Resident]) -> None:
        for resident in people:
            await panel.visit(resident, felt)

    await asyncio.gather(*(one_after_the_other(panel, people) for panel, people in visits))
    took_s = time.monotonic() - began
    say(f"{who}: card → first page", felt.card)
    say(f"{who}: touch → next page", felt.touch)
    say(f"{who}: Confirm → number on the screen", felt.number)
    felt.views = sum(panel.views for panel in panels) - before
    count = len(felt.number)
    print(f"{who}: {count} visits in {took_s:.1f} s, {felt.views / took_s:.0f} views a second to {len(panels)} pages")
    return felt
