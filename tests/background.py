"""Rooms of the hall that work in the background of a test: none of them breaks or ends unseen."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any


@asynccontextmanager
async def at_work(*rooms: Coroutine[Any, Any, None]) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run them while inside; then end them, and raise what broke any of them."""
    tasks = [asyncio.ensure_future(room) for room in rooms]
    try:
        yield tasks
    finally:
        await end(tasks)


async def end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks that should still be running. Raises ExceptionGroup if one had broken, or had ended by itself."""
    tasks = list(tasks)
    gone = [task for task in tasks if task.done()]
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    broken = [r for r in results if isinstance(r, Exception)]
    broken += [AssertionError(f"{task} ended by itself") for task in gone if task.cancelled() or not task.exception()]
    if broken:
        raise ExceptionGroup("a room of the hall broke behind the test's back", broken)
