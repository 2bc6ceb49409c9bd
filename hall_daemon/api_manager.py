"""Routes for the manager: the overview, its alarms, and the figures of the day. Reads only; decides nothing.

The page needs no token, what it shows does: only a manager's opens /overview/views and /overview/figures.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Literal

from fastapi import FastAPI, Query, Response
from fastapi.responses import FileResponse, StreamingResponse

from hall_daemon import exports, figures
from hall_daemon.api_streams import lines
from hall_daemon.figures import Group
from hall_daemon.hall import Bell, Hall
from hall_daemon.overview import REFRESH_S, Overview, Today
from hall_daemon.protocol import Text
from hall_daemon.protocol_manager import AlarmView, OverviewView
from hall_daemon.texts import text

_MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def add_routes(app: FastAPI, hall: Hall, overview: Overview, web: Path, stopping: Bell) -> None:
    """Everything below /overview."""

    @app.get("/overview", response_class=FileResponse)
    async def overview_page() -> FileResponse:
        return FileResponse(web / "overview" / "index.html")

    @app.get("/overview/views", response_model=OverviewView)
    async def overview_views() -> StreamingResponse:
        return lines(_ticks(overview, stopping))

    @app.get("/overview/alarms")
    async def overview_alarms() -> tuple[AlarmView, ...]:
        return await overview.alarms()

    @app.get("/overview/figures.{kind}", response_class=Response)
    async def overview_figures(
        kind: Literal["csv", "xlsx"],
        encoding: Annotated[Literal["utf-8", "gb18030"], Query(description="of the CSV")] = "utf-8",
    ) -> Response:
        today = await overview.today()
        rows = exports.table(today.bizdate, list(_parts(hall, today)))
        # Writing a sheet takes tens of milliseconds, and the hall goes on meanwhile.
        if kind == "csv":
            content = await asyncio.to_thread(exports.as_csv, rows, encoding)
        else:
            content = await asyncio.to_thread(exports.as_xlsx, rows, today.bizdate or "figures")
        media = _MEDIA[kind].replace("utf-8", encoding)
        name = f'attachment; filename="hall-{hall.config.code}-{today.bizdate}.{kind}"'
        return Response(content, media_type=media, headers={"Content-Disposition": name, "Cache-Control": "no-store"})


async def _ticks(overview: Overview, stopping: Bell) -> AsyncIterator[str]:
    """A view every two seconds; a blank line where it is the same."""
    last = ""
    while not stopping.rings:
        line = (await overview.view()).model_dump_json()
        yield "\n" if line == last else line + "\n"
        last = line
        try:
            async with asyncio.timeout(REFRESH_S):
                await stopping.wait(0)
        except TimeoutError:
            continue


def _parts(hall: Hall, today: Today) -> list[tuple[str, Text, Group]]:
    """The whole hall, then by zone, queue, department, item and window."""
    profile, tickets = hall.profile, today.tickets
    found = [("whole", text("figures.whole"), today.whole)]
    zones = figures.groups(tickets, lambda t: t.zone)
    found += [("zone", profile.zone_of(code).name, g) for code, g in sorted(zones.items())]
    queues = figures.groups(tickets, lambda t: t.queue)
    found += [
        ("queue", profile.queues[code].name if code in profile.queues else Text(zh=code), g)
        for code, g in sorted(queues.items())
    ]
    found += [("dept", profile.dept_name(code), g) for code, g in sorted(today.departments.items()) if code]
    for code, g in sorted(figures.groups(tickets, lambda t: t.item).items()):
        found.append(("item", profile.item_of(code, "", "").name, g))
    windows = figures.groups([t for t in tickets if t.window], lambda t: t.window)
    found += [
        ("window", text("place.window", window=code), g)
        for code, g in sorted(windows.items(), key=lambda e: e[0].zfill(4))
    ]
    return found
