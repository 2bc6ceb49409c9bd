"""Live trace of a device: what passes, in hex and in words. Personal bytes are told by their number only.

A driver's module may offer `explain(direction, data) -> str`, "Chinese | English", "" for what it cannot tell; where it
does not, or breaks, printable characters stand for the meaning. Its `explain_bytes(direction, data)`, where there is
one, gives as many sentences as there are bytes, or none. What a line gives in pieces is joined for people (the same
direction, at most JOIN_S apart) and left as it came for recordings. Whoever is too slow loses the oldest lines and is
told how many; a device never waits for a screen.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import struct
from collections import deque
from collections.abc import AsyncGenerator, Callable

from drivers.base import DeviceError
from drivers.transport import Traffic
from hall_daemon.clock import Clock, rfc3339
from hall_daemon.devices import Devices, Passed
from hall_daemon.protocol import Text
from hall_daemon.protocol_technician import TraceLine
from hall_daemon.texts import text

_log = logging.getLogger("wire")

MOST_WAITING = 2000
JOIN_S = 0.06
MOST_JOINED = 8192
MOST_PRINTABLE = 60

Explain = Callable[[str, bytes], str]
ExplainBytes = Callable[[str, bytes], tuple[str, ...]]
_BROKEN = (ValueError, LookupError, TypeError, ArithmeticError, struct.error, DeviceError)
"""What a driver's explanation may end in: a device sends anything, then the bytes speak for themselves."""


def explainer(driver: str) -> Explain | None:
    """The `explain` of a driver's module, where it has one."""
    found = getattr(importlib.import_module(f"drivers.{driver}"), "explain", None)
    return found if callable(found) else None


def byte_explainer(driver: str) -> ExplainBytes | None:
    """The `explain_bytes` of a driver's module, where it has one."""
    found = getattr(importlib.import_module(f"drivers.{driver}"), "explain_bytes", None)
    return found if callable(found) else None


def meaning(traffic: Traffic, explain: Explain | None) -> Text:
    """What some bytes mean."""
    if traffic.personal:
        return text("wire.personal", n=traffic.personal)
    told = ""
    if explain is not None:
        try:
            told = explain(traffic.direction, traffic.data)
        except _BROKEN:
            _log.warning("no explanation for %d bytes", len(traffic.data))
    if told:
        return _both(told)
    printable = as_printable(traffic.data)
    return Text(zh=printable, en=printable)


def words(traffic: Traffic, explain: ExplainBytes | None) -> tuple[Text, ...]:
    """What each byte says; empty where nobody can tell."""
    if explain is None or traffic.personal:
        return ()
    try:
        told = explain(traffic.direction, traffic.data)
    except _BROKEN:
        _log.warning("no words for %d bytes", len(traffic.data))
        return ()
    return tuple(map(_both, told)) if len(told) == len(traffic.data) else ()


def _both(told: str) -> Text:
    zh, _, en = told.partition(" | ")
    return Text(zh=zh, en=en or zh)


def as_printable(data: bytes) -> str:
    """ASCII characters, a dot for what is none; "" if there are none at all."""
    shown = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in data[:MOST_PRINTABLE])
    return shown if shown.strip(".") else ""


class Tail:
    """What passes from now on, for one who follows; bounded."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._waiting: deque[Passed] = deque()
        self._most = most
        self._news = asyncio.Event()
        self.lost = 0

    def put(self, passed: Passed) -> None:
        """On the event loop."""
        if len(self._waiting) >= self._most:
            self._waiting.popleft()
            self.lost += 1
        self._waiting.append(passed)
        self._news.set()

    async def take(self, limit_s: float) -> Passed | None:
        """The next one; None after limit_s seconds of silence."""
        if not self._waiting:
            self._news.clear()
            try:
                async with asyncio.timeout(limit_s):
                    await self._news.wait()
            except TimeoutError:
                return None
        return self._waiting.popleft()

    def put_back(self, passed: Passed) -> None:
        """It does not belong to what was taken before it."""
        self._waiting.appendleft(passed)


async def _joined(tail: Tail, first: Passed) -> Passed:
    """What belongs to one frame, as far as silence can tell."""
    traffic = first.traffic
    while len(traffic.data) < MOST_JOINED and not traffic.personal:
        more = await tail.take(JOIN_S)
        if more is None:
            break
        apart_s = more.at_s - first.at_s
        if more.traffic.direction != traffic.direction or more.traffic.personal or apart_s > 4 * JOIN_S:
            tail.put_back(more)
            break
        traffic = Traffic(direction=traffic.direction, data=traffic.data + more.traffic.data)
    return Passed(at_s=first.at_s, traffic=traffic)


async def follow(
    devices: Devices, device: str, clock: Clock, *, joined: bool, silence_s: float
) -> AsyncGenerator[TraceLine | None]:
    """Traffic of a device from now on; None after each silence_s without any. Raises KeyError."""
    driver = devices.configs[device].driver
    explain, of_bytes = explainer(driver), byte_explainer(driver)
    tail = Tail()
    with devices.trace(device, tail.put):
        while True:
            passed = await tail.take(silence_s)
            if passed is None:
                yield None
                continue
            if joined:
                passed = await _joined(tail, passed)
            lost, tail.lost = tail.lost, 0
            line = _line(passed, explain, clock, lost)
            yield line.model_copy(update={"words": words(passed.traffic, of_bytes)})


def _line(passed: Passed, explain: Explain | None, clock: Clock, lost: int) -> TraceLine:
    ago_ms = round((clock.monotonic_s() - passed.at_s) * 1000)
    return TraceLine(
        at=rfc3339(clock.now_ms() - ago_ms), monotonic_ms=round(passed.at_s * 1000),
        direction=passed.traffic.direction, hex=passed.traffic.data.hex(" "), personal=passed.traffic.personal,
        stand_in=passed.traffic.stand_in.hex(" "),
        meaning=meaning(passed.traffic, explain), lost=lost,
    )  # fmt: skip
