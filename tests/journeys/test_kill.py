"""kill -9 at seeded random moments of issue, print, call, scan and send; a new start each time; then the oracle.

`HALL_KILLS` sets how often (60; `make soak KILLS=1000`), `HALL_KILL_SEED` the seed, which is printed.
"""

import os
import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from hall_daemon import store
from sim import oracle
from sim.bench import HALLS, Bench, DaemonProcess, Fresh
from sim.visits import Clerk, Kiosk, Resident, evidence, residents
from tests.waiting import until

KILLS = int(os.environ.get("HALL_KILLS", "60"))
SEED = int(os.environ.get("HALL_KILL_SEED", "20261121"))


FRESH_EVERY = 5
"""Start that is a new interpreter, as in a hall; what recovers after it is the same."""


class People:
    """Residents and clerks who go on whatever happens to the daemon."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.stop = threading.Event()
        self.came: list[Resident] = []
        self.asked = threading.Event()
        """Set when a number has just been asked for."""
        self.called = threading.Event()
        self.kiosk = Kiosk(bench, "k1", SEED)
        places = (("1", "c001"), ("2", "c002"))
        self.clerks = [Clerk(bench, w, c, SEED + n, scan_share=0.9) for n, (w, c) in enumerate(places)]
        self._threads = [
            threading.Thread(target=self._visit, name="residents"),
            *(threading.Thread(target=self._serve, args=(c,), name=f"clerk {c.window}") for c in self.clerks),
        ]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self.stop.set()
        for thread in self._threads:
            thread.join(90)
        self.kiosk.close()
        for clerk in self.clerks:
            clerk.close()

    def _visit(self) -> None:
        for count, resident in enumerate(residents(SEED)):
            if self.stop.is_set():
                return
            self.came.append(resident)
            try:
                self.kiosk.visit(resident, with_phone=count % 5 == 0)
            except (TimeoutError, KeyError, httpx.HTTPError):
                continue  # the daemon died under this visit; the next resident begins on the first page
            self.asked.set()

    def _serve(self, clerk: Clerk) -> None:
        while not self.stop.is_set():
            try:
                if clerk.view.view.get("clerk") != clerk.clerk:
                    clerk.sign_in()
                busy = clerk.step()
            except (TimeoutError, httpx.HTTPError):
                busy = False
            self.called.set() if busy else self.stop.wait(0.05)


def _grown(measure: Callable[[], int], stop_at_s: float) -> bool:
    """Wait until something has grown; False if it does not in time."""
    start, end = measure(), time.monotonic() + stop_at_s
    while time.monotonic() < end:
        if measure() > start:
            return True
        time.sleep(0.004)  # whoever looks more often takes the processor from the daemon that is looked at
    return False


WAIT_S, FILING_WAIT_S = 5.0, 10.0
"""For a moment to come; after that the kill strikes whatever is going on. A page takes longer to come and to be filed
than a number, and after each start the image process has to load first."""


def _moments(bench: Bench, people: People) -> dict[str, tuple[Callable[[], bool], float]]:
    """Name → waits until the daemon is just doing that; and how long it goes on doing it, seconds at most."""
    printer: Any = bench.lines["PRN-01"]
    display: Any = bench.lines["DSP-01"]
    scanner: Any = bench.lines["SCN-01"]

    def bytes_to(line: Any) -> Callable[[], int]:
        return lambda: sum(len(p.data) for p in line.transcript[-400:] if p.direction == ">" and len(p.data) > 20)

    def confirm() -> bool:
        end = time.monotonic() + WAIT_S
        while time.monotonic() < end:
            if people.kiosk.screen.view.get("screen") in ("confirm", "printing"):
                return True
            time.sleep(0.004)
        return False

    def spooled() -> int:
        return sum(1 for _ in bench.database.with_name("blobs").iterdir())

    def pages_asked() -> int:
        return sum("NextDocument" in t for t in scanner.transcript)

    def filed() -> int:
        with closing(sqlite3.connect(f"file:{bench.database}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM material").fetchone()[0])

    return {
        "issue": (confirm, 0.3),
        "print": (lambda: _grown(bytes_to(printer), WAIT_S), 0.03),
        "call": (lambda: _grown(bytes_to(display), WAIT_S), 0.03),
        "scan": (lambda: _grown(pages_asked, FILING_WAIT_S), 2.0),
        "spool": (lambda: _grown(spooled, FILING_WAIT_S), 1.0),
        "file": (lambda: _grown(filed, FILING_WAIT_S), 0.1),
        "send": (lambda: _grown(lambda: _ledger_size(bench), WAIT_S), 0.03),
        "any": (lambda: True, 4.0),
    }


def _ledger_size(bench: Bench) -> int:
    return sum(f.stat().st_mtime_ns for f in (bench.run / "province").iterdir() if f.name.endswith("-wal"))


@pytest.mark.timeout(0 if KILLS > 100 else 1500)
@pytest.mark.xdist_group("kill")
def test_nothing_is_lost_whenever_the_daemon_is_killed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chance = random.Random(SEED)
    hit: Counter[str] = Counter()
    restarts: list[float] = []
    with Bench(HALLS / "small", tmp_path / "hall") as bench:
        daemon = DaemonProcess(bench)
        daemon.start()
        people = People(bench)
        try:
            moments = _moments(bench, people)
            names = list(moments) * (KILLS // len(moments) + 1)
            chance.shuffle(names)
            for count, name in enumerate(names[:KILLS]):
                comes, lasts_s = moments[name]
                hit[name if comes() else "any"] += 1
                time.sleep(chance.uniform(0, lasts_s))
                daemon.kill()
                daemon.start(launcher=Fresh() if count % FRESH_EVERY == 0 else None)
                restarts.append(daemon.ready_after_s - daemon.starved_s())
                assert restarts[-1] < 30, "N11: back within 30 s, where nobody else has the processor"
        finally:
            people.end()
        try:
            _serve_who_waits(bench)
            until(lambda: _delivered(bench), 90, "the province has everything")
        finally:
            daemon.stop()
        found = oracle.Hall.read(bench.database)
        assert bench.province is not None
        ledger = bench.province.ledger()
        with capsys.disabled():
            print(
                f"\nkill -9: seed {SEED}, {sum(hit.values())} kills {dict(hit)}, {len(found.tickets)} tickets, "
                f"{len(found.events)} events, {len(found.materials)} materials, {ledger.resent} resent, "
                f"slowest restart {max(restarts):.1f} s"
            )
        violations = oracle.check(
            bench.database, bench.database.with_name("blobs"), evidence(bench, people.came), ledger, [bench.log],
            everything_sent=True,
        )  # fmt: skip
        assert violations == []
        assert [str(difference) for difference in store.replay_differences(bench.database)] == []
        assert len(found.tickets) > KILLS / 10, "the hall hardly worked: the kills proved little"
        assert found.materials, "no page was filed: the kills proved nothing about scanning"


def _serve_who_waits(bench: Bench) -> None:
    """Everybody who is still there is served, so that the day can be told whole."""
    places = (("1", "c001"), ("2", "c002"), ("3", "c003"))
    clerks = [Clerk(bench, w, c, SEED, scan_share=0.1) for w, c in places]
    try:
        for clerk in clerks:
            clerk.sign_in()

        def nobody_left() -> bool:
            for clerk in clerks:
                clerk.step()
            rows = oracle.Hall.read(bench.database).tickets
            return all(t["state"] in ("finished", "cancelled", "expired") for t in rows)

        until(nobody_left, 240, "everybody served")
    finally:
        for clerk in clerks:
            clerk.close()


def _delivered(bench: Bench) -> bool:
    mine = oracle.Hall.read(bench.database)
    last = mine.streams[-1]
    heads = sum(1 for e in mine.events if e["streamid"] == last["streamid"])
    return last["acked_through"] == heads and not any(b["state"] == "pending" for b in mine.blobs)
