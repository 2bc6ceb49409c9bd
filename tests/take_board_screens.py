"""Pictures of the hall board in states that a running hall shows rarely, from views as the daemon sends them.

`python -m tests.take_board_screens`; `make screens` does it too.
"""

from pathlib import Path

from PIL import Image

from hall_daemon.protocol import Text
from hall_daemon.protocol_board import BoardState
from tests.screens.chromium import chromium
from tests.screens.page_server import PageServer
from tests.screens.test_board_page import board

TO = Path(__file__).resolve().parents[1] / "docs" / "screens"


def main() -> None:
    """Each state once, a third of its size."""
    steady = board(8)
    lunch = {"state": BoardState.LUNCH, "reopens": Text(zh="13:30 继续叫号", en="Calling goes on at 13:30")}
    leave = {"state": BoardState.EMERGENCY, "exits": "← 东出口　西出口 →"}
    server = PageServer()
    with chromium() as browser:
        for name, address, view, size in (
            ("board-hall", "/board", steady, (1920, 1080)),
            ("board-portrait", "/board", steady, (1080, 1920)),
            ("board-zone", "/board?zone=D", board(9, zones="D"), (1920, 1080)),
            ("board-lunch", "/board", steady.model_copy(update={**lunch, "open_windows": ("1", "23")}), (1920, 1080)),
            ("board-emergency", "/board", steady.model_copy(update=leave), (1920, 1080)),
        ):
            page = browser.new_page(viewport={"width": size[0], "height": size[1]})
            server.show(view)
            page.goto(f"{server.url}{address}")
            page.wait_for_selector("h1, .hero b")
            page.screenshot(path=str(TO / f"{name}.png"))
            page.close()
            with Image.open(TO / f"{name}.png") as picture:
                small = picture.convert("RGB").resize((size[0] // 3, size[1] // 3), Image.Resampling.LANCZOS)
            small.quantize(128).save(TO / f"{name}.png", optimize=True)
    server.close()


if __name__ == "__main__":
    main()
