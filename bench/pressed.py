"""Real concurrency on the big hall: `python -m bench pressed`.

Eight clients issue numbers as fast as they are answered while 90 signed-in sessions press next, for a minute; then the
database is asked whether anything was doubled or lost.
"""

import json
import multiprocessing
import os
import sqlite3
import statistics
import tempfile
from collections import Counter
from pathlib import Path

from bench.pressing import issue_for, press_for
from hall_daemon import store
from sim.bench import HALLS, Bench, DaemonProcess
from sim.hall_plan import DEMO_PIN

CLIENTS, SESSIONS = 8, 90
SECONDS = float(os.environ.get("PRESS_SECONDS", "60"))


def pressed() -> None:
    """Issue and next at once: p95 of both, nothing doubled, nothing lost."""
    with tempfile.TemporaryDirectory() as folder, Bench(HALLS / "big", Path(folder), province=None) as bench:
        with DaemonProcess(bench) as daemon:
            windows = list(zip(bench.tables["window"], bench.tables["clerk"], strict=False))[:SESSIONS]
            items = [queue["items"][0] for queue in bench.tables["queue"].values() if queue["items"]]
            context = multiprocessing.get_context("spawn")
            start, ready, results = context.Event(), context.Event(), context.SimpleQueue()
            kiosks = context.Process(target=issue_for, args=(bench.url, items, CLIENTS, start, SECONDS, results))
            kiosks.start()
            answers = context.SimpleQueue()
            clerks = context.Process(
                target=press_for, args=(bench.url, windows, DEMO_PIN, ready, start, SECONDS, answers)
            )
            clerks.start()
            ready.wait(180)
            start.set()
            numbers, issue_ms = results.get()
            calls, next_ms, refused = answers.get()
            kiosks.join()
            clerks.join()
            daemon.stop()
        _say(f"issue, {CLIENTS} clients", issue_ms)
        _say(f"next, {len(windows)} sessions", next_ms)
        print(f"next refused: {refused or 'never'}")
        _check(bench.run / "var" / "hall.db", numbers, calls)


def _say(what: str, times: list[float]) -> None:
    ordered = sorted(times)
    print(
        f"{what:24} {len(times):6} in {SECONDS:.0f} s   median {statistics.median(times):7.1f} ms   "
        f"p95 {ordered[int(len(ordered) * 0.95)]:7.1f} ms   worst {ordered[-1]:7.1f} ms",
        flush=True,
    )


def _check(database: Path, numbers: list[str], calls: list[tuple[str, str]]) -> None:
    """What the clients were told against what the database says."""
    with sqlite3.connect(database) as connection:
        known = {row[0] for row in connection.execute("SELECT number FROM ticket")}
        told = [
            (data["window_code"], data["display_no"])
            for (body,) in connection.execute("SELECT body FROM event WHERE type = 'hall.ticket.called.v1'")
            for data in [json.loads(body)["data"]]
        ]
    connection.close()
    doubled = len(numbers) - len(set(numbers))
    twice = sum(count > 1 for count in Counter(number for _, number in calls).values())
    # The last answer of each client may have come after its time was up.
    lost = len(set(numbers) - known) + len(set(calls) - set(told))
    print(f"doubled numbers {doubled}, numbers called twice {twice}, told but not in the database {lost}")
    print(f"in the database: {len(known)} tickets, {len(told)} calls; answered: {len(numbers)}, {len(calls)}")
    differences = store.replay_differences(database)
    print(f"chain: {store.verify(database) or 'whole'}; differences from the event log: {len(differences)}")
