"""Pictures of every state of a ticket machine's page, from views as the daemon builds them, into docs/screens.

`python -m tests.take_kiosk_screens [--to FOLDER] [--width PIXELS]`; `make screens` does it too.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from hall_daemon.protocol_kiosk import KioskModes, KioskView
from tests.screens.chromium import PORTRAIT, SLIM, SMALL, Panel, chromium, open_page
from tests.screens.kiosk_views import all_views
from tests.screens.page_server import PageServer

TO = Path(__file__).resolve().parents[1] / "docs" / "screens"
READ_OTHERWISE = ("idle", "phone", "service", "confirm", "done", "help-can-call")
"""States of which a picture in each way of reading, and on each wide panel, is kept."""
COLOURS = 48


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.take_kiosk_screens", description=__doc__)
    parser.add_argument("--to", type=Path, default=TO)
    parser.add_argument("--width", type=int, default=270, help="of the upright pictures; wide ones are 16/9 of it")
    chosen = parser.parse_args()
    chosen.to.mkdir(parents=True, exist_ok=True)
    server = PageServer()
    try:
        with chromium() as browser:
            for panel, width, states in (
                (PORTRAIT, chosen.width, _upright()),
                (SLIM, chosen.width * 16 // 9, _wide("wide")),
                (SMALL, chosen.width * 16 // 9, _wide("small")),
            ):
                with open_page(browser, panel) as page:
                    page.goto(f"{server.url}/kiosk/k1")
                    _take_all(page, server, states, panel, chosen.to, width)
                    if panel is PORTRAIT:
                        _take_lost(page, server, chosen.to, width)
    finally:
        server.close()
    return 0


def _upright() -> Iterator[tuple[str, KioskView]]:
    for name, view in all_views().items():
        yield f"kiosk-state-{name}", view
    for mode in ("large", "contrast", "low"):
        views = all_views(KioskModes.model_validate({mode: True}))
        for name in READ_OTHERWISE:
            yield f"kiosk-{mode}-{name}", views[name]


def _wide(panel: str) -> Iterator[tuple[str, KioskView]]:
    views = all_views()
    for name in READ_OTHERWISE:
        yield f"kiosk-{panel}-{name}", views[name]


def _take_all(
    page: Page, server: PageServer, states: Iterator[tuple[str, KioskView]], panel: Panel, to: Path, width: int
) -> None:
    for name, view in states:
        server.show(view)
        title = view.title.en if view.language == "en" else view.title.zh
        page.locator(f"main.s-{view.screen} h1", has_text=title).wait_for()
        _shot(page, to / f"{name}.png", panel, width)


def _take_lost(page: Page, server: PageServer, to: Path, width: int) -> None:
    """The network between the page and the daemon is gone."""
    server.hang_up(refuse=True)
    page.locator("main.s-maintenance .lead", has_text="已取的号全部有效").wait_for()
    _shot(page, to / "kiosk-state-lost.png", PORTRAIT, width)
    server.refusing = False


def _shot(page: Page, file: Path, panel: Panel, width: int) -> None:
    page.screenshot(path=str(file))
    with Image.open(file) as picture:
        size = (width, panel.height * width // panel.width)
        small = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    small.quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(file, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
