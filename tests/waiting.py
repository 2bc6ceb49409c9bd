"""Wait for a condition, never for a time."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sim.stopwatch import Stopwatch

T = TypeVar("T")
What = str | Callable[[], str]
"""What is waited for; a function is asked at the end, for what there was instead."""

LIMIT_S = 20.0
"""Of time in which a processor was free."""
_PAUSE = threading.Event()


def until(condition: Callable[[], T], limit_s: float = LIMIT_S, what: What = "") -> T:
    """Ask until the answer is true, and give the answer."""
    watch = Stopwatch()
    while not (answer := condition()):
        if watch.is_over(limit_s):
            raise AssertionError(f"not within {limit_s} s: {_said(what) or condition}")
        _PAUSE.wait(0.005)
    return answer


async def until_async(
    condition: Callable[[], T] | Callable[[], Awaitable[T]], limit_s: float = LIMIT_S, what: What = ""
) -> T:
    """The same for code on the event loop; the condition may be a coroutine function."""
    watch = Stopwatch()
    while True:
        answer = condition()
        if isinstance(answer, Awaitable):
            answer = await answer
        if answer:
            return answer
        if watch.is_over(limit_s):
            raise AssertionError(f"not within {limit_s} s: {_said(what) or condition}")
        await asyncio.sleep(0.01)


def _said(what: What) -> str:
    return what if isinstance(what, str) else what()
