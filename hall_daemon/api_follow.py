"""HTTP face of the pages for phones: a ticket at `/t/<code>`, an item's guide at `/t/guide/<item>`.

Open to everybody, slowed down for who tries codes.

All its addresses are below `/t/`, so that a relay in front of the hall needs to pass nothing else.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse

from hall_daemon.following import Following, TooMany
from hall_daemon.guide_page import guide_page
from hall_daemon.hall import Hall
from hall_daemon.protocol_board import FollowView, RateVisit
from hall_daemon.tickets import NotFound

_HEADERS = {
    "Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex",
    "Content-Security-Policy": "default-src 'self'; img-src data:; frame-ancestors 'none'",
}  # fmt: skip
_FILES = {"follow.css": "text/css", "follow.js": "text/javascript"}


def add_routes(app: FastAPI, hall: Hall, following: Following, web: Path) -> None:
    """The pages, their files, and what a ticket's asks."""
    guide_frame = (web / "follow" / "guide.html").read_text("utf-8")

    @app.exception_handler(TooMany)
    async def too_many(_request: Request, exc: TooMany) -> Response:
        return Response(status_code=429, headers={"Retry-After": str(exc.wait_s), **_HEADERS})

    @app.get("/t/follow/{file}", response_class=FileResponse)
    async def file(file: str) -> FileResponse:
        if file not in _FILES:
            raise NotFound(what=file)
        return FileResponse(web / "follow" / file, media_type=_FILES[file])

    @app.get("/t/guide/{item}", response_class=HTMLResponse)
    async def guide(item: str) -> HTMLResponse:
        found = hall.profile.items.get(item)
        if found is None or not found.codes:
            raise NotFound(what=item)
        return HTMLResponse(guide_page(guide_frame, hall.profile, found), headers=_HEADERS)

    @app.get("/t/{code}", response_class=FileResponse)
    async def page(code: str) -> FileResponse:  # noqa: ARG001 - the same page for every code
        return FileResponse(web / "follow" / "index.html", headers=_HEADERS)

    @app.get("/t/{code}/view")
    async def view(code: str, request: Request, response: Response) -> FollowView:
        response.headers.update(_HEADERS)
        return await following.view(code, _address(request))

    @app.post("/t/{code}/rating")
    async def rate(code: str, order: RateVisit, request: Request, response: Response) -> FollowView:
        response.headers.update(_HEADERS)
        return await following.rate(code, _address(request), order.level)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""
