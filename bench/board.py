"""From a clerk's key to what the hall sees and hears, and with five hundred boards and phones listening.

A pixel: the frame after the one in which the board page drew the number, by Chromium's own clock. A first sample: when
ALSA's player opened the twin's loudspeaker. Everything runs on one machine, the browser and the listeners too.
"""

import asyncio
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from sim.bench import HALLS, Bench, DaemonProcess
from sim.visits import Clerk

ROUNDS = 8
LISTENERS, KIOSK_PAGES = 500, 40
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
    """Call → pixel on the board, → first sample of sound; then a call with 500 listening."""
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
    pixels, sounds = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1920, "height": 1080})
        for n in range(ROUNDS):
            page.goto(f"{bench.url}/board")  # a page of its own for each: no earlier call has its turn
            page.wait_for_selector(".hero")
            page.evaluate(SEEN)
            number, began = _call(bench, clerk, f"bench-board-{n}")
            pixels.append(_pixel_ms(page, number) - began * 1000)
            sounds.append((_sound_s(bench, began) - began) * 1000)
            clerk.say("serve", seen=number)
            clerk.say("finish", seen=number)
        browser.close()
    clerk.close()
    _say("next → pixel on the board page", pixels)
    _say("next → first sample of sound", [ms for ms in sounds if ms > 0])


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
    return 0.0


async def _crowd(bench: Bench) -> None:
    """One call, and when each of those who listen has it."""
    host, port = bench.url.removeprefix("http://").split(":")
    clerk = Clerk(bench, "2", "c002", 2)
    await asyncio.to_thread(clerk.sign_in)
    paths = ["/board/views"] * LISTENERS + ["/kiosks/k1/views"] * KIOSK_PAGES
    streams = await asyncio.gather(*(_listen(host, int(port), path) for path in paths))
    numbers, times = {}, []
    for n in range(5):
        item = bench.tables["queue"][bench.tables["window"]["2"]["queues"][0]]["items"][:1] or [""]
        clerk.http.post("/tickets", json={"item": item[0], "request_id": f"bench-crowd-{n}"}).raise_for_status()
        await asyncio.sleep(2)
        began = time.monotonic()
        number = (await asyncio.to_thread(clerk.say, "next", seen=None)).json()["number"]
        heard = await asyncio.gather(*(_hears(reader, number) for reader, _ in streams[:LISTENERS]))
        times += [(at - began) * 1000 for at in heard]
        numbers[number] = max(heard) - began
        await asyncio.to_thread(clerk.say, "serve", seen=number)
        await asyncio.to_thread(clerk.say, "finish", seen=number)
        await asyncio.sleep(1)
    _say(f"next → {LISTENERS} boards, {KIOSK_PAGES} kiosk pages beside them", times)
    for _, writer in streams:
        writer.close()
    clerk.close()


async def _listen(host: str, port: int, path: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(host, port, limit=1 << 20)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def _hears(reader: asyncio.StreamReader, number: str) -> float:
    async with asyncio.timeout(30):
        while f'"number":"{number}"'.encode() not in await reader.readline():
            pass
    return time.monotonic()


def _say(what: str, times: list[float]) -> None:
    p95 = sorted(times)[int(len(times) * 0.95)]
    print(f"{what:58} median {statistics.median(times):7.1f} ms   p95 {p95:7.1f} ms   of {len(times)}", flush=True)
