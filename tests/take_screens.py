"""Pictures of every screen at work, from a running hall in a box, into docs/screens: `make screens`."""

import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from PIL import Image
from playwright.sync_api import Page
from textual.app import App

from hall_daemon.client import HallClient
from kiosk_ui.counter import CounterApp
from kiosk_ui.technician import TechnicianApp
from sim.bench import HALLS, Bench, DaemonProcess
from sim.visits import Clerk, Kiosk, residents
from tests.screens import test_counter_goldens as goldens
from tests.screens.chromium import chromium
from tests.screens.counter_room import counter
from tests.waiting import until, until_async

TO = Path(__file__).resolve().parents[1] / "docs" / "screens"


def main() -> int:
    TO.mkdir(parents=True, exist_ok=True)
    asyncio.run(_counter_states())
    if "--counter" in sys.argv:
        return 0
    with tempfile.TemporaryDirectory() as folder, Bench(HALLS / "small", Path(folder)) as bench, DaemonProcess(bench):
        crowd = residents(3)
        kiosk = Kiosk(bench, "k1", 1)
        for _ in range(4):
            kiosk.visit(next(crowd))
        clerk = Clerk(bench, "1", "c001", 4)
        clerk.sign_in()
        number = clerk.say("next", seen=None).json()["number"]
        until(lambda: number in bench["DSP-01"].text, what="the call over the window")
        _pages(bench, kiosk, next(crowd))
        clerk.say("serve", seen=number)
        clerk.scan(number)
        _draw("counter", asyncio.run(_counter(bench, clerk.http.headers["X-Hall-Session"])))
        bench["PRN-01"].whole_slips[-1].save(TO / "slip.png")
        kiosk.close()
        clerk.close()
        bench["PRN-01"].run_out_of_paper()
        asyncio.run(_technician(bench))
    for file in sorted(TO.glob("*.png")):
        print(f"{file.name:28} {Image.open(file).size}  {file.stat().st_size // 1024} KiB")
    return 0


def _pages(bench: Bench, kiosk: Kiosk, resident: Any) -> None:
    with chromium() as browser:
        board = browser.new_page(viewport={"width": 1920, "height": 1080})
        board.goto(f"{bench.url}/board")
        board.wait_for_selector("text=号窗口")
        _shot(board, "board", 960)
        page = browser.new_page(viewport={"width": 1080, "height": 1920})
        page.goto(f"{bench.url}/kiosk/k1")
        page.wait_for_selector("text=请把身份证放在读卡区")
        _shot(page, "kiosk-1-start", 360)
        bench["IDR-01"].put(resident.card)
        for name, text, key in (
            ("kiosk-2-phone", "请输入手机号", "*"),
            ("kiosk-3-service", "您要办什么事", "7"),
            ("kiosk-3-zones", "您要去哪个区", "2"),
            ("kiosk-4-list", "您要办什么事", "4"),
            ("kiosk-5-check", "请核对", "ok"),
            ("kiosk-6-done", "请取走号票", ""),
        ):
            page.wait_for_selector(f"text={text}")
            _shot(page, name, 360)
            if key:
                bench["KEY-01"].press(key)
        bench["IDR-01"].lift()


def _shot(page: Page, name: str, width: int) -> None:
    page.wait_for_timeout(400)  # transitions of the page are over
    file = TO / f"{name}.png"
    page.screenshot(path=str(file))
    with Image.open(file) as picture:
        small = picture.convert("RGB").resize(
            (width, picture.height * width // picture.width), Image.Resampling.LANCZOS
        )
    small.quantize(128).save(file, optimize=True)


async def _counter(bench: Bench, session: str) -> str:
    """The clerk's screen as SVG."""
    async with HallClient(bench.url, session=session) as client:
        app = CounterApp(client, "1", "c001")
        async with app.run_test(size=(120, 40)) as pilot:
            await until_async(lambda: "申请表" in app.export_screenshot(), what="the counter screen")
            await pilot.pause()
            return app.export_screenshot()


async def _counter_states() -> None:
    """The counter in each state at both sizes, as its goldens are made, by night; one by day."""
    for size in goldens.SIZES:
        for name in goldens.STATES:
            await _counter_state(name, size)
    await _counter_state("serving", (120, 40), day=True)


async def _counter_state(name: str, size: tuple[int, int], *, day: bool = False) -> None:
    state = goldens.STATES[name]
    shown = counter(state.view, size=size, signed_out=state.signed_out, plain=state.plain, day=day)
    with mock.patch.object(HallClient, "hall_time_s", return_value=goldens.NOW.timestamp()):
        async with shown as room:
            goldens.answer(room, state)
            await room.press(*state.keys)
            if state.then:
                await room.sees(state.first)
                await room.press(*state.then)
            await room.sees(state.sees)
            await until_async(lambda: not room.shows("正在"))
            look = "-day" if day else ""
            _draw(f"counter-{name}-{size[0]}x{size[1]}{look}", room.app.export_screenshot())


async def _technician(bench: Bench) -> None:
    """The technician's pages while a printer is out of paper, and after the refill."""
    async with HallClient(bench.url) as client:
        for columns, rows in ((120, 40), (80, 24)):
            await until_async(lambda: _out_of_paper(client), what="paper out is known")
            app = TechnicianApp(client)
            async with app.run_test(size=(columns, rows)) as pilot:
                seen = _reader(app)
                await until_async(lambda seen=seen: "末端传感器无纸" in seen(), what="the printer's trouble")
                for key, name, words in (
                    ("1", "overview", "取号不中断"), ("2", "wire", "状态："), ("4", "counters", "没出票"),
                    ("5", "incidents", "还在"), ("6", "repair", "放入新纸"),
                ):  # fmt: skip
                    await pilot.press(key)
                    await until_async(lambda seen=seen, words=words: words in seen(), what=words)
                    await pilot.pause(0.3)
                    _draw(f"technician-{name}-{columns}x{rows}", app.export_screenshot())
                if columns == 120:
                    bench["PRN-01"].refill()
                    await until_async(lambda seen=seen: "按 F2 做自检" in seen() and "▶ 3" in seen(), what="refilled")
                    await pilot.press("f2")
                    await until_async(lambda seen=seen: "自检通过" in seen(), what="the self-test")
                    _draw("technician-test-120x40", app.export_screenshot())
                    bench["PRN-01"].run_out_of_paper()


async def _out_of_paper(client: HallClient) -> bool:
    return any("paper_out" in device.conditions for device in await client.devices())


def _reader(app: App[Any]) -> Callable[[], str]:
    return lambda: "\n".join(strip.text for strip in app.screen._compositor.render_strips())


def _draw(name: str, svg: str) -> None:
    """A terminal's picture as PNG; a no-break space has no shape in every font."""
    file = TO / f"{name}.svg"
    file.write_text(svg.replace("&#160;", " ").replace("<text ", '<text xml:space="preserve" '), encoding="utf-8")
    subprocess.run(["rsvg-convert", "-w", "1200", str(file), "-o", str(TO / f"{name}.png")], check=True)
    with Image.open(TO / f"{name}.png") as picture:
        picture.convert("RGB").quantize(64).save(TO / f"{name}.png", optimize=True)
    file.unlink()


if __name__ == "__main__":
    sys.exit(main())
