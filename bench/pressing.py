"""Clients of the concurrency measurement, in processes of their own: kiosks that issue, sessions that press next."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

import httpx

TOO_SOON_S = 0.05
"""Between two presses of a clerk before whom nobody waits."""
PATIENCE_S = 60.0
"""Of a client that measures: what takes longer than this is lost, and ends the run."""


@dataclass
class Pressed:
    """What the clerks were told: calls (window, number), times in ms, refusals of `next` by code."""

    calls: list[tuple[str, str]] = field(default_factory=list)
    next_ms: list[float] = field(default_factory=list)
    sign_in_ms: list[float] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)


def issue_for(url: str, items: list[str], clients: int, start: Any, seconds: float, results: Any) -> None:
    """Numbers and times in ms of clients that issue as fast as they are answered. Any: event and queue."""

    async def whole() -> tuple[list[str], list[float]]:
        numbers: list[str] = []
        times: list[float] = []

        async def one(no: int) -> None:
            async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_S, trust_env=False) as http:
                until, turn = time.monotonic() + seconds, 0
                while time.monotonic() < until:
                    order = {"item": items[(no + turn) % len(items)], "request_id": f"press-{no}-{turn}-issue"}
                    began = time.perf_counter()
                    answer = await http.post("/tickets", json=order)
                    times.append((time.perf_counter() - began) * 1000)
                    answer.raise_for_status()
                    numbers.append(answer.json()["number"])
                    turn += 1

        await asyncio.gather(*(one(no) for no in range(clients)))
        return numbers, times

    start.wait()
    results.put(asyncio.run(whole()))


def press_for(
    url: str, windows: list[tuple[str, str]], pin: str, ready: Any, start: Any, seconds: float, results: Any
) -> None:
    """Sessions at these windows sign in all at once, and press next as fast as they are answered."""

    async def whole() -> Pressed:
        told = Pressed()
        https = await asyncio.gather(*(_seat(url, window, clerk, pin, told) for window, clerk in windows))
        ready.set()
        await asyncio.to_thread(start.wait)

        async def one(window: str, http: httpx.AsyncClient) -> None:
            until, seen = time.monotonic() + seconds, None
            while time.monotonic() < until:
                began = time.perf_counter()
                answer = await http.post(f"/windows/{window}/next", json={"seen": seen})
                if answer.status_code == 409:
                    code = answer.json()["code"]
                    told.refused[code] = told.refused.get(code, 0) + 1
                    await asyncio.sleep(TOO_SOON_S)
                    continue
                told.next_ms.append((time.perf_counter() - began) * 1000)
                answer.raise_for_status()
                seen = answer.json()["number"]
                told.calls.append((window, seen))
                (await http.post(f"/windows/{window}/serve", json={"seen": seen})).raise_for_status()

        await asyncio.gather(*(one(window, http) for (window, _), http in zip(windows, https, strict=True)))
        for http in https:
            await http.aclose()
        return told

    results.put(asyncio.run(whole()))


async def _seat(url: str, window: str, clerk: str, pin: str, told: Pressed) -> httpx.AsyncClient:
    http = httpx.AsyncClient(base_url=url, timeout=PATIENCE_S, trust_env=False)
    began = time.perf_counter()
    answer = await http.post(f"/windows/{window}/sign-in", json={"clerk": clerk, "pin": pin})
    told.sign_in_ms.append((time.perf_counter() - began) * 1000)
    answer.raise_for_status()
    http.headers["X-Hall-Session"] = answer.json()["session"]
    return http
