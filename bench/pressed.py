"""Real concurrency on the big hall: `python -m bench pressed` (`--seconds 10` for a shorter look).

Ninety clerks sign in at once; then eight clients issue numbers as fast as they are answered while the ninety sessions
press next, for a minute, all over HTTP against a daemon of its own. What they were told is compared with the database,
which the oracle, the chain and the replay judge.
"""

import json
import multiprocessing
import sqlite3
import statistics
import tempfile
from collections import Counter
from pathlib import Path

from bench.pressing import Pressed, issue_for, press_for
from hall_daemon import store
from sim import oracle
from sim.bench import HALLS, Bench, DaemonProcess
from sim.hall_plan import DEMO_PIN

CLIENTS, SESSIONS = 8, 90


def pressed(seconds: float) -> None:
    """Issue and next at once: p95 of both, nothing doubled, nothing lost."""
    with tempfile.TemporaryDirectory() as folder, Bench(HALLS / "big", Path(folder), province=None) as bench:
        with DaemonProcess(bench) as daemon:
            windows = list(zip(bench.tables["window"], bench.tables["clerk"], strict=False))[:SESSIONS]
            items = [queue["items"][0] for queue in bench.tables["queue"].values() if queue["items"]]
            context = multiprocessing.get_context("spawn")
            start, ready, results = context.Event(), context.Event(), context.SimpleQueue()
            kiosks = context.Process(target=issue_for, args=(bench.url, items, CLIENTS, start, seconds, results))
            kiosks.start()
            answers = context.SimpleQueue()
            clerks = context.Process(
                target=press_for, args=(bench.url, windows, DEMO_PIN, ready, start, seconds, answers)
            )
            clerks.start()
            ready.wait(180)
            start.set()
            numbers, issue_ms = results.get()
            told: Pressed = answers.get()
            kiosks.join()
            clerks.join()
            daemon.stop()
        _say(f"sign in, {len(windows)} at once", told.sign_in_ms)
        _say(f"issue, {CLIENTS} clients", issue_ms)
        _say(f"next, {len(windows)} sessions", told.next_ms)
        print(f"in {seconds:.0f} s; next refused: {told.refused or 'never'}")
        _check(bench, numbers, told.calls)


def _say(what: str, times: list[float]) -> None:
    ordered = sorted(times)
    print(
        f"{what:24} {len(times):6}   median {statistics.median(times):7.1f} ms   "
        f"p95 {ordered[int(len(ordered) * 0.95)]:7.1f} ms   worst {ordered[-1]:7.1f} ms",
        flush=True,
    )


def _check(bench: Bench, numbers: list[str], calls: list[tuple[str, str]]) -> None:
    """What the clients were told against what the database says."""
    database = bench.database
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
    violations = oracle.check(
        database, database.with_name("blobs"), oracle.Evidence(), None, [bench.log], everything_sent=False
    )
    print(f"chain: {store.verify(database) or 'whole'}; differences from the event log: {len(differences)}")
    print(f"oracle: {violations or 'clean'}")
    if doubled or twice or lost or differences or violations:
        raise SystemExit("something was doubled or lost")
