"""The picture of the manager's page, from a view as the daemon sends it: `make screens` does it too."""

from pathlib import Path

from PIL import Image

from tests.screens.chromium import chromium
from tests.screens.overview_view import overview
from tests.screens.page_server import PageServer

TO = Path(__file__).resolve().parents[1] / "docs" / "screens" / "overview.png"


def main() -> None:
    """As large as the screen that it is made for."""
    server = PageServer()
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        server.show(overview())
        page.goto(f"{server.url}/overview")
        page.wait_for_selector("h1")
        page.screenshot(path=str(TO))
    server.close()
    with Image.open(TO) as picture:
        picture.convert("RGB").quantize(128).save(TO, optimize=True)


if __name__ == "__main__":
    main()
