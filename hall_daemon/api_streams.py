"""Streams of the HTTP face: each change of a view as one JSON line, and a blank line that says the line is alive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from hall_daemon.hall import Bell

HEARTBEAT_S = 5.0
SHORTEST_REDRAW_S = 0.03
"""Screens are redrawn at most this often; what happens in between is in the next picture."""


def lines(content: AsyncIterator[str]) -> StreamingResponse:
    """One JSON object a line."""
    return StreamingResponse(content, media_type="application/x-ndjson", headers={"Cache-Control": "no-store"})


class Wake:
    """Waits for a bell, the end of the daemon, or the time of the next heartbeat."""

    def __init__(self, bell: Bell, stopping: Bell) -> None:
        self._bell, self._stopping = bell, stopping
        self._heard = bell.rings

    async def ring(self) -> bool:
        """True after a ring, False when only the heartbeat is due. Raises DaemonEnds."""
        if self._stopping.rings:
            raise DaemonEnds
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                self._heard = await self._bell.wait(self._heard)
                return True
        except TimeoutError:
            return False


class DaemonEnds(Exception):
    """The daemon stops: streams end."""


async def follow(view: Callable[[], Awaitable[BaseModel]], bell: Bell, stopping: Bell) -> AsyncIterator[str]:
    """Each change of a view as a line; what is the same is not repeated."""

    async def line() -> str:
        return (await view()).model_dump_json()

    async for said in follow_line(line, bell, stopping):
        yield said


async def follow_line(view: Callable[[], Awaitable[str]], bell: Bell, stopping: Bell) -> AsyncIterator[str]:
    """The same for a view that is already a line, because many listen to the same one."""
    wake, last = Wake(bell, stopping), ""
    try:
        while True:
            line = await view()
            if line != last:
                last = line
                yield line + "\n"
            await asyncio.sleep(SHORTEST_REDRAW_S)
            while not await wake.ring():
                yield "\n"
    except DaemonEnds:
        return
