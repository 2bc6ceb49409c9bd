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
FIRST_PAUSE_S, LONGEST_PAUSE_S, GROWS = 0.005, 0.05, 1.2
"""Between two looks: soon at first, then seldom, for whoever looks at a daemon takes its processor away."""
_PAUSE = threading.Event()


def until(condition: Callable[[], T], limit_s: float = LIMIT_S, what: What = "") -> T:
    """Ask until the answer is true, and give the answer."""
    watch, pause_s = Stopwatch(), FIRST_PAUSE_S
    while not (answer := condition()):
        if watch.is_over(limit_s):
            raise AssertionError(f"not within {limit_s} s: {_said(what) or condition}")
        _PAUSE.wait(pause_s)
        pause_s = min(LONGEST_PAUSE_S, pause_s * GROWS)
    return answer


async def until_async(
    condition: Callable[[], T] | Callable[[], Awaitable[T]], limit_s: float = LIMIT_S, what: What = ""
) -> T:
    """The same for code on the event loop; the condition may be a coroutine function."""
    watch, pause_s = Stopwatch(), FIRST_PAUSE_S
    while True:
        answer = condition()
        if isinstance(answer, Awaitable):
            answer = await answer
        if answer:
            return answer
        if watch.is_over(limit_s):
            raise AssertionError(f"not within {limit_s} s: {_said(what) or condition}")
        await asyncio.sleep(pause_s)
        pause_s = min(LONGEST_PAUSE_S, pause_s * GROWS)


def _said(what: What) -> str:
    return what if isinstance(what, str) else what()
