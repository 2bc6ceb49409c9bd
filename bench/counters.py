"""Ninety counter screens at once on the big hall: their streams, their verbs, and how long both take.

python -m bench.counters --seconds 60        prints one JSON object
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import tempfile
import time
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path

from hall_daemon.client import HallClient, HallUnreachable, Limits, RequestRefused
from hall_daemon.protocol import Finish, IssueAtCounter, Serve, WindowView
from sim.bench import HALLS, Bench, DaemonProcess
from sim.hall_plan import DEMO_PIN

PATIENT = Limits(connect_s=30.0, answer_s=60.0, heartbeat_s=60.0)
LEAST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 4.0
"""Between two keys of one clerk; real ones press far less often."""


@dataclass
class Report:
    """What was measured, in milliseconds."""

    sign_in_ms: list[float] = field(default_factory=list)
    verb_ms: list[float] = field(default_factory=list)
    picture_ms: list[float] = field(default_factory=list)
    """From the key to the picture that shows what it did."""
    called: list[str] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)
    lost: int = 0

    def summary(self, screens: int, seconds: float) -> dict[str, object]:
        """For people and for the next comparison."""
        return {
            "screens": screens, "seconds": round(seconds, 1), "verbs": len(self.verb_ms),
            "verbs_per_s": round(len(self.verb_ms) / seconds, 1),
            "sign_in_ms": _spread(self.sign_in_ms), "verb_ms": _spread(self.verb_ms),
            "key_to_picture_ms": _spread(self.picture_ms), "called": len(self.called),
            "called_twice": len(self.called) - len(set(self.called)), "refused": self.refused, "lost": self.lost,
        }  # fmt: skip


def _spread(values: list[float]) -> dict[str, float]:
    if len(values) < 2:
        return {}
    cuts = statistics.quantiles(values, n=100)
    return {"p50": round(cuts[49], 1), "p95": round(cuts[94], 1), "worst": round(max(values), 1)}


@dataclass
class Screen:
    """One clerk at one window, as the counter program does it."""

    url: str
    window: str
    clerk: str
    report: Report
    view: WindowView | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, end_s: float) -> None:
        """Sign in, then call and serve until the time is over."""
        chance = random.Random(int(self.clerk.lstrip("c")))
        # A machine that also plays the ninety clerks may be slow; what is slow is in the report.
        async with HallClient(self.url, limits=PATIENT) as client, asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch(client))
            began = time.monotonic()
            await client.sign_in(self.window, self.clerk, DEMO_PIN)
            self.report.sign_in_ms.append((time.monotonic() - began) * 1000)
            while time.monotonic() < end_s:
                await asyncio.sleep(chance.uniform(LEAST_PAUSE_S, LONGEST_PAUSE_S))
                await self._press(client)
            watching.cancel()

    async def _watch(self, client: HallClient) -> None:
        async with aclosing(client.window_views(self.window).lasting(lambda _: None)) as views:
            async for view in views:
                self.view = view
                self._changed.set()
                self._changed = asyncio.Event()

    async def _press(self, client: HallClient) -> None:
        """The key that means something in this picture."""
        view, began = self.view, time.monotonic()
        current = view.current if view else None
        try:
            if view is None:
                return
            if current is None:
                if not view.waiting_total:
                    return
                number = (await client.call_next(self.window, None)).number
                self.report.called.append(number)
                wanted = ("called", number)
            elif current.state == "called":
                await client.serve(self.window, Serve(seen=current.number))
                wanted = ("serving", current.number)
            else:
                await client.finish(self.window, Finish(seen=current.number))
                wanted = ("", "")
        except RequestRefused as exc:
            self.report.refused[exc.code] = self.report.refused.get(exc.code, 0) + 1
            return
        except HallUnreachable:
            self.report.lost += 1
            return
        self.report.verb_ms.append((time.monotonic() - began) * 1000)
        await self._seen(wanted)
        self.report.picture_ms.append((time.monotonic() - began) * 1000)

    async def _seen(self, wanted: tuple[str, str]) -> None:
        while True:
            current = self.view.current if self.view else None
            if (str(current.state) if current else "", current.number if current else "") == wanted:
                return
            await self._changed.wait()


async def _residents(url: str, items: list[str], end_s: float) -> None:
    """Enough people for everybody, taken at a counter."""
    async with HallClient(url, limits=PATIENT) as client:
        for count in range(100_000):
            if time.monotonic() > end_s:
                return
            await client.issue(IssueAtCounter(item=items[count % len(items)], request_id=f"counters-{count:08d}"))
            await asyncio.sleep(0.02)


async def measure(bench: Bench, screens: int, seconds: float) -> dict[str, object]:
    """Run that many screens against a running hall."""
    report = Report()
    windows = list(bench.tables["window"])[:screens]
    clerks = [c for c in bench.tables["clerk"] if c.startswith("c")]
    items = [table["items"][0] for table in bench.tables["queue"].values() if table["items"]]
    end_s = time.monotonic() + seconds
    async with asyncio.TaskGroup() as group:
        group.create_task(_residents(bench.url, items, end_s))
        for window, clerk in zip(windows, clerks, strict=False):
            group.create_task(Screen(bench.url, window, clerk, report).run(end_s))
    return report.summary(len(windows), seconds)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.counters", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--hall", default="big")
    parser.add_argument("--screens", type=int, default=90)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        Bench(HALLS / options.hall, Path(folder), province=None) as bench,
        DaemonProcess(bench),
    ):
        print(json.dumps(asyncio.run(measure(bench, options.screens, options.seconds)), indent=1))


if __name__ == "__main__":
    main()
