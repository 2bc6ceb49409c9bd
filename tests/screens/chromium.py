"""A real Chromium for the tests of pages; where there is none, they are skipped and say so."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, CDPSession, Page, expect, sync_playwright

ARTEFACTS = Path(__file__).parents[2] / "artefacts"
PROGRAM = shutil.which("chromium")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
"""A browser that talks to nobody but the page under test."""
expect.set_options(timeout=20_000)  # a page of a daemon that starts anew on a busy machine takes more than five seconds


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A screen as it hangs in a hall."""

    name: str
    width: int
    height: int
    px_per_mm: float


PORTRAIT = Panel(name="portrait", width=1080, height=1920, px_per_mm=4.03)
LANDSCAPE = Panel(name="landscape", width=1920, height=1080, px_per_mm=4.03)
WALL_4K = Panel(name="4k", width=3840, height=2160, px_per_mm=3.2)
SLIM = Panel(name="15.6 inches", width=1920, height=1080, px_per_mm=5.56)
"""The smallest panel of its shape that kiosks are sold with: 20 mm are 112 px."""
SMALL = Panel(name="small", width=1280, height=1024, px_per_mm=3.4)
CHEAP = Panel(name="cheap", width=1366, height=768, px_per_mm=3.96)
"""15.6 inches with fewer points."""


# At most two browsers at a time, and each file has one for all its tests: six of them on two processors stand still.
BROWSER_1, BROWSER_2 = pytest.mark.xdist_group("browser 1"), pytest.mark.xdist_group("browser 2")


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser that ends with the block."""
    if PROGRAM is None:
        pytest.skip("there is no chromium on this machine (Debian package chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PROGRAM, args=list(QUIET))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_page(browser: Browser, panel: Panel, *, still: bool = True) -> Iterator[Page]:
    """A touch screen of this size; `still` stops what moves. What the page complains about fails the test."""
    context = browser.new_context(
        viewport={"width": panel.width, "height": panel.height},
        has_touch=True,
        reduced_motion="reduce" if still else "no-preference",
        locale="zh-CN",
    )
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_default_timeout(15_000)
    try:
        yield page
    finally:
        context.close()
    assert errors == []


def save(page: Page, name: str) -> Path:
    """Keep a picture for people to look at."""
    ARTEFACTS.mkdir(exist_ok=True)
    file = ARTEFACTS / f"{name}.png"
    page.screenshot(path=file)
    return file


def is_drawn_in_chinese(page: Page) -> bool:
    """Whether two Chinese characters look different; without a font for them both are the same empty box."""
    return bool(
        page.evaluate(
            """() => {
                const paint = (character) => {
                    const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 64 });
                    const brush = canvas.getContext("2d");
                    brush.font = `48px ${getComputedStyle(document.body).fontFamily}`;
                    brush.fillText(character, 4, 52);
                    return canvas.toDataURL();
                };
                return paint("身") !== paint("份") && paint("身") !== paint("");
            }"""
        )
    )


def heap(page: Page) -> str:
    """Every string that the page's memory holds, after its garbage was collected; characters as they are.

    With them what stands in elements that are out of the page but still held: their words are not of this heap.
    """
    parts: list[str] = []
    session = page.context.new_cdp_session(page)
    session.on("HeapProfiler.addHeapSnapshotChunk", lambda chunk: parts.append(chunk["chunk"]))
    session.send("HeapProfiler.enable")
    session.send("HeapProfiler.collectGarbage")
    session.send("HeapProfiler.takeHeapSnapshot", {"reportProgress": False})
    out_of_page = _held_elements(session)
    session.detach()
    strings: list[str] = json.loads("".join(parts))["strings"]
    return "\n".join([*strings, *out_of_page])


_MARKUP = """function () {
    const found = new Set();
    for (const node of this) {
        if (Object.hasOwn(node, "constructor")) continue; // a prototype, no node
        if (!node.isConnected) found.add(node.getRootNode());
    }
    return [...found].map((top) => top.outerHTML ?? top.textContent ?? "");
}"""


def _held_elements(session: CDPSession) -> list[str]:
    """Markup of elements that a script still holds though they are in no page any more."""
    of_nodes = session.send("Runtime.evaluate", {"expression": "Node.prototype"})["result"]["objectId"]
    nodes = session.send("Runtime.queryObjects", {"prototypeObjectId": of_nodes})["objects"]["objectId"]
    told = session.send(
        "Runtime.callFunctionOn", {"objectId": nodes, "functionDeclaration": _MARKUP, "returnByValue": True}
    )
    assert "exceptionDetails" not in told, told["exceptionDetails"]
    markup: list[str] = told["result"]["value"]
    return markup


def stored(page: Page) -> list[str]:
    """What the page keeps beside its memory: names of stores that are not empty."""
    found: list[str] = page.evaluate(
        """async () => Object.entries({
            localStorage: localStorage.length, sessionStorage: sessionStorage.length, cookies: document.cookie.length,
            caches: (await caches.keys()).length, databases: (await indexedDB.databases()).length,
            history: Math.max(0, history.length - 2) + (history.state === null ? 0 : 1), name: window.name.length,
            address: location.hash.length, workers: (await navigator.serviceWorker?.getRegistrations() ?? []).length,
        }).filter(([, count]) => count > 0).map(([name]) => name)"""
    )
    return found


FAULTS = Path(__file__).with_name("layout_faults.js").read_text(encoding="utf-8")


def layout_faults(page: Page, least_px: float = 0.0, least_text_px: float = 0.0) -> list[str]:
    """Controls that are too small, lie over each other or outside; words that are cut off, covered or too small."""
    found: list[str] = page.evaluate(FAULTS, [least_px, least_text_px])
    return found
