"""From a clerk's key to what the hall sees and hears; and with five hundred boards and phones beside forty kiosks.

A pixel: the frame after the one in which the board page drew the number, by Chromium's own clock. A first sample: when
ALSA's player opened the twin's loudspeaker. Everything runs on one machine, the browser and the listeners too.
"""

import asyncio
import contextlib
import itertools
import random
import secrets
import shutil
import sqlite3
import statistics
import tempfile
import time
from pathlib import Path

import httpx
from playwright.sync_api import Page, sync_playwright

from hall_daemon import following, voice_build, voice_clips
from hall_daemon.config import load
from hall_daemon.voice_build import EspeakEngine
from sim.bench import HALLS, Bench, DaemonProcess
from sim.visits import Clerk

ROUNDS = 8
BOARDS, PHONES, KIOSKS = 250, 250, 40
PHONE_EVERY_S, KIOSK_EVERY_S = 10.0, 20.0
"""As the phone's page asks; and 120 numbers a minute, which is a big hall's worst."""
FOLLOWED, CROWD_CALLS = 60, 8
NEWEST = b'"calls":[{"number":"'
SEEN = """
() => {
  window.seen = {};
  new MutationObserver(() => {
    const number = document.querySelector(".hero")?.dataset.number;
    if (number && !(number in window.seen)) {
      window.seen[number] = 0;
      const drawn = (at) => { window.seen[number] = performance.timeOrigin + at; };
      requestAnimationFrame(() => requestAnimationFrame(drawn));
    }
  }).observe(document.getElementById("board"), {
    childList: true,
  });
}
"""


def board() -> None:
    """Call → pixel, → frame on the display bus, → first sample of sound; then calls with five hundred listening."""
    with tempfile.TemporaryDirectory() as folder:
        hall = Path(folder) / "hall"
        shutil.copytree(HALLS / "small", hall)
        tables = (hall / "devices.toml").read_text(encoding="utf-8")
        tables = tables.replace(
            '"announcer_syn6288"\nport = "/dev/ttyS7"\nbaud = 9600', '"announcer_sound"\nport = "sound:x"'
        )
        (hall / "devices.toml").write_text(tables, encoding="utf-8")
        with Bench(hall, Path(folder) / "run", province=None) as bench, DaemonProcess(bench):
            _pixel_and_sound(bench)
            asyncio.run(_crowd(bench))


def _pixel_and_sound(bench: Bench) -> None:
    clerk = Clerk(bench, "1", "c001", 1)
    clerk.sign_in()
    pixels, frames = [], []
    sounds: dict[bool, list[float]] = {False: [], True: []}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        for n in range(2 * ROUNDS):
            if n == ROUNDS:
                _build_clips(bench)
            page.goto(f"{bench.url}/board")  # a page of its own for each: no earlier call has its turn
            page.wait_for_selector(".hero")
            page.evaluate(SEEN)
            number, began = _call(bench, clerk, f"bench-board-{n}")
            pixels.append(_pixel_ms(page, number) - began * 1000)
            frames.append((_frame_s(bench, number) - began) * 1000)
            sounds[n >= ROUNDS].append((_sound_s(bench, began) - began) * 1000)
            clerk.say("serve", seen=number)
            clerk.say("finish", seen=number)
        browser.close()
    clerk.close()
    _say("next → pixel on the board page", pixels)
    _say("next → frame on the display bus", frames)
    _say("next → first sample of sound, out of clips", sounds[True])
    _say("next → first sample of sound, espeak-ng each time", sounds[False])


def _build_clips(bench: Bench) -> None:
    """All that the calls below need."""
    config = load(bench.config, bench.environment)
    profile, settings = config.profile, config.public.voice
    zone, numbers = profile.windows["1"].zone, [f"A{n:03}" for n in range(1, 2 * ROUNDS + 1)]
    clips = [c for n in numbers for c in voice_clips.call(n, "1", zone, profile, settings, short=False)]
    voice_build.build(config.voice_folder, {c.file: c for c in clips}, EspeakEngine(), tell=lambda _: None)


def _call(bench: Bench, clerk: Clerk, request: str) -> tuple[str, float]:
    item = bench.tables["queue"]["A"]["items"][0]
    clerk.http.post("/tickets", json={"item": item, "request_id": request}).raise_for_status()
    time.sleep(0.2)
    began = time.time()
    return str(clerk.say("next", seen=None).json()["number"]), began


def _pixel_ms(page: Page, number: str) -> float:
    return float(
        page.wait_for_function("number => window.seen[number] || null", arg=number, timeout=60_000).json_value()
    )


def _frame_s(bench: Bench, number: str) -> float:
    """When the display over window 1 had the whole frame."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        for shown in reversed(bench["DSP-01"].shown):
            if number in shown.text:
                return float(shown.at)
        time.sleep(0.01)
    raise TimeoutError("the display does not show the call")


def _sound_s(bench: Bench, since: float) -> float:
    """When the loudspeaker began the first real sound since then; its files are named by the monotonic clock."""
    ahead_s = time.time() - time.monotonic()
    end = time.monotonic() + 30
    while time.monotonic() < end:
        for file in sorted(bench["ANN-01"]._files.glob("*.raw")):
            at = int(file.stem) / 1e9 + ahead_s
            if at >= since and file.read_bytes().strip(b"\0"):
                return at
        time.sleep(0.01)
    raise TimeoutError("the loudspeaker is silent")


class _Board:
    """A board that listens: when it was told of which call."""

    def __init__(self) -> None:
        self.heard: dict[str, float] = {}
        self._news = asyncio.Event()

    async def has(self, number: str) -> None:
        """Wait until it was told of this call."""
        while number not in self.heard:
            self._news.clear()
            await self._news.wait()

    async def listen(self, host: str, port: int) -> None:
        """Until cancelled."""
        reader, writer = await _open(host, port, "/board/views")
        try:
            while line := await reader.readline():
                begins = line.find(NEWEST) + len(NEWEST)
                if begins >= len(NEWEST):
                    self.heard.setdefault(line[begins : line.index(b'"', begins)].decode(), time.monotonic())
                    self._news.set()
        finally:
            writer.close()


async def _crowd(bench: Bench) -> None:
    """Calls, and when each board that listens has them; phones ask and kiosks take numbers all the while."""
    host, port = bench.url.removeprefix("http://").split(":")
    clerk = Clerk(bench, "2", "c002", 2)
    await asyncio.to_thread(clerk.sign_in)
    boards = [_Board() for _ in range(BOARDS)]
    asked: list[float] = []
    taken: list[float] = []
    codes = _codes(bench)
    async with httpx.AsyncClient(base_url=bench.url, timeout=30, trust_env=False) as http:
        tasks = [asyncio.create_task(board.listen(host, int(port))) for board in boards]
        tasks += [asyncio.create_task(_phone(host, int(port), codes[n % len(codes)], asked)) for n in range(PHONES)]
        tasks += [asyncio.create_task(_kiosk(bench, http, n, taken)) for n in range(KIOSKS)]
        called = [await _call_in_crowd(bench, clerk, boards, n) for n in range(CROWD_CALLS)]
        broken = [task for task in tasks if task.done()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    clerk.close()
    print(
        f"{BOARDS} boards on the line, {PHONES} phones asking every {PHONE_EVERY_S:.0f} s, {KIOSKS} kiosks with their"
    )
    print(f"pages, each taking a number every {KIOSK_EVERY_S:.0f} s; {len(broken)} of them broke off")
    _say("next → each of the boards", [ms for times in called for ms in times])
    _say("next → the last of the boards", [max(times) for times in called])
    _say("a phone asks → is answered", asked)
    _say("a kiosk takes a number", taken)


async def _call_in_crowd(bench: Bench, clerk: Clerk, boards: list[_Board], n: int) -> list[float]:
    """Milliseconds until each board has one more call."""
    queue = bench.tables["queue"][bench.tables["window"]["2"]["queues"][0]]
    item = queue["items"][0]
    await asyncio.to_thread(clerk.http.post, "/tickets", json={"item": item, "request_id": f"bench-crowd-{n}"})
    await asyncio.sleep(2)
    began = time.monotonic()
    number = (await asyncio.to_thread(clerk.say, "next", seen=None)).json()["number"]
    async with asyncio.timeout(60):
        await asyncio.gather(*(board.has(number) for board in boards))
    await asyncio.to_thread(clerk.say, "serve", seen=number)
    await asyncio.to_thread(clerk.say, "finish", seen=number)
    return [(board.heard[number] - began) * 1000 for board in boards]


async def _phone(host: str, port: int, code: str, asked: list[float]) -> None:
    """A phone that follows its ticket on a line it keeps, until cancelled."""
    reader, writer = await asyncio.open_connection(host, port)
    wait_s = random.uniform(0, PHONE_EVERY_S)
    try:
        while True:
            await asyncio.sleep(wait_s)
            began = time.monotonic()
            writer.write(f"GET /t/{code}/view HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            if " 200 " not in head.splitlines()[0]:
                raise OSError(head.splitlines()[0])
            await reader.readexactly(int(head.lower().split("content-length:")[1].split()[0]))
            asked.append((time.monotonic() - began) * 1000)
            wait_s = random.uniform(0.8, 1.2) * PHONE_EVERY_S
    finally:
        writer.close()


async def _kiosk(bench: Bench, http: httpx.AsyncClient, kiosk: int, taken: list[float]) -> None:
    """A kiosk's page on the line, and people who take numbers, until cancelled."""
    host, port = bench.url.removeprefix("http://").split(":")
    reader, writer = await _open(host, int(port), "/kiosks/k1/views")
    item = bench.tables["queue"]["A"]["items"][0]
    reading = asyncio.create_task(_read_on(reader))
    wait_s = random.uniform(0, KIOSK_EVERY_S)
    try:
        for turn in itertools.count():
            await asyncio.sleep(wait_s)
            began = time.monotonic()
            order = {"item": item, "request_id": f"bench-crowd-kiosk-{kiosk}-{turn}"}
            (await http.post("/tickets", json=order)).raise_for_status()
            taken.append((time.monotonic() - began) * 1000)
            wait_s = random.uniform(0.8, 1.2) * KIOSK_EVERY_S
    finally:
        reading.cancel()
        writer.close()


async def _read_on(reader: asyncio.StreamReader) -> None:
    while await reader.readline():
        pass


def _codes(bench: Bench) -> list[str]:
    """Codes of tickets as slips carry them, put beside the hall's own."""
    item = bench.tables["queue"]["A"]["items"][0]
    codes = [secrets.token_urlsafe(following.CODE_BYTES) for _ in range(FOLLOWED)]
    with httpx.Client(base_url=bench.url, timeout=30, trust_env=False) as http:
        for n in range(FOLLOWED):
            http.post("/tickets", json={"item": item, "request_id": f"bench-followed-{n}"}).raise_for_status()
    with contextlib.closing(sqlite3.connect(bench.database, timeout=30)) as base, base:
        known = base.execute("SELECT id, bizdate FROM ticket ORDER BY issued_ms DESC LIMIT ?", (FOLLOWED,)).fetchall()
        rows = [(following.digest(code), *row) for code, row in zip(codes, known, strict=True)]
        base.executemany("INSERT INTO follow (digest, ticket_id, bizdate) VALUES (?, ?, ?)", rows)
    return codes


async def _open(host: str, port: int, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(host, port, limit=1 << 20)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


def _say(what: str, times: list[float]) -> None:
    p95 = sorted(times)[int(len(times) * 0.95)]
    print(f"{what:58} median {statistics.median(times):7.1f} ms   p95 {p95:7.1f} ms   of {len(times)}", flush=True)
