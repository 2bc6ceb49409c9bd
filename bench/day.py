"""A day of the big hall, played on the running daemon through HTTP in compressed time: `make day`.

The daemon is a process of its own with its database, its outbox and a province; it has no devices, because what they
do takes the time it takes. Its clock is a file that this program moves on (day_daemon): a slice of SLICE_S seconds at
a time, and all that happens within a slice is asked at once from CLIENTS threads. Twice the daemon is started anew with
requests in flight: once it is killed, once it is told to stop. Whoever got no answer asks again with the same
request_id, and a clerk looks at the screen, as people do. Appointments are booked at the province and pulled from it.

    python -m bench.day [--hours 2] [--residents N] [--run DIR]
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import os
import random
import resource
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from bench.day_daemon import DayClock, new_clock
from bench.day_hall import (
    OPENS,
    appointments_known,
    book,
    code_of,
    delivered,
    ms_of,
    take_picture,
    wait_until,
    write_hall,
)
from bench.day_line import Counts, Line, Lost
from bench.day_plan import CLOSING, OPEN_S, DayPlan, Resident, Shift, cast
from sim import oracle
from sim.bench import Bench, DaemonProcess
from sim.hall_plan import DEMO_PIN
from sim.province import ProvinceTwin

SLICE_S = 2.0
CLIENTS = 8
RESTARTS = {2.4 * 3600: "kill", 5.6 * 3600: "stop"}
RESTART_SLICE_S = 20.0
"""So much is asked at once when the daemon goes away: more than there are clients."""
DAY = replace(CLOSING, name="make day", residents=7000, pace=0.27, seed=20260302, appointments=0.09)
EARLY_S = 1800.0
"""So long before its slot an appointment may check in."""
GUIDE = "g902"
COUNT_EVERY_S, CLOCK_EVERY_S = 900.0, 60.0
PICTURE_S = 2.3 * 3600
_PROCESSES = (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)
"""The daemon in its lives; who plays, with the province."""
LATEST_S = OPEN_S + 2.5 * 3600


@dataclass(kw_only=True)
class Desk:
    """A window as its clerk knows it."""

    shift: Shift
    clerk: str
    state: str = "away"
    queue: str = ""
    """For whom the clerk is about to press next."""
    number: str = ""
    session: str = ""
    calls: int = 0


class Day:
    """Plays one day."""

    def __init__(self, plan: DayPlan, bench: Bench, clock: DayClock) -> None:
        self.plan, self.bench, self.clock = plan, bench, clock
        people = cast(plan)
        self.residents = people.residents
        self.booked = book(bench, self.residents)
        self.daemon = DaemonProcess(bench, "bench.day_daemon").start(120)
        clerks = iter(bench.tables["clerk"])
        self.desks = {s.window: Desk(shift=s, clerk=next(clerks)) for s in people.shifts}
        self.by_number: dict[str, Resident] = {}
        self.missed: dict[int, int] = defaultdict(int)
        self.moved: set[int] = set()
        self.waiting: dict[str, int] = defaultdict(int)
        self.counts = Counts()
        self.line = Line(bench.url)
        self.chance = random.Random(plan.seed + 1)
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = itertools.count()
        self._lock = threading.Lock()
        self.restarts = dict(RESTARTS)
        self.down_s: list[float] = []
        self.picture: Path | None = None
        """Where the manager's page is kept as it looks at PICTURE_S."""

    def at(self, when_s: float, what: Callable[[float], None]) -> None:
        with self._lock:
            heapq.heappush(self._events, (when_s, next(self._order), what))

    # --- the clock ----------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Wait until the hall has the appointments and is open."""
        wait_until(lambda: appointments_known(self.bench) == self.booked, 120, "appointments are pulled")
        self.clock.move_to(ms_of(0))
        wait_until(lambda: bool(self.ask("GET", "/healthz")[1]["day_open"]), 60, "the day is open")

    def close(self) -> tuple[int, dict[str, Any]]:
        """As a manager does: look who is still there, then confirm it."""
        _, left = self.ask("GET", "/day")
        return self.ask("POST", "/day/close", {key: left[key] for key in ("waiting", "called", "parked")})

    def play(self, hours: float = OPEN_S / 3600, tell: Callable[[str], None] = print) -> None:
        """Everything until the last resident has left."""
        for resident in self.residents:
            if resident.arrive_s < hours * 3600:
                self.at(resident.arrive_s, lambda now, r=resident: self.arrive(now, r))  # type: ignore[misc]
        for desk in self.desks.values():
            self.at(1.0, lambda now, d=desk: self.come(now, d))  # type: ignore[misc]
            for start_s, end_s in desk.shift.away:
                self.at(end_s + 1, lambda now, d=desk: self.come(now, d))  # type: ignore[misc]
                self.at(start_s + 1, lambda now, d=desk: self.leave_if_idle(now, d))  # type: ignore[misc]
        now_s, said, told, counted, began = 0.0, 0.0, 0.0, 0.0, time.monotonic()
        with ThreadPoolExecutor(CLIENTS) as pool:
            while self._events and now_s < LATEST_S:
                now_s = max(now_s + self._step_s(now_s), self._events[0][0])
                self.clock.move_to(ms_of(now_s))
                self._slice(pool, now_s)
                if now_s - counted >= COUNT_EVERY_S:
                    counted = now_s
                    self._count_again()
                self._wake(now_s)
                if self.picture is not None and now_s >= PICTURE_S:
                    take_picture(f"{self.bench.url}/overview", self.picture)
                    self.picture = None
                if now_s - said >= CLOCK_EVERY_S:
                    said = now_s
                    self._tell_time(now_s)
                if now_s - told >= 1800:
                    told = now_s
                    tell(f"{datetime.fromtimestamp(ms_of(now_s) / 1000, OPENS.tzinfo):%H:%M}  waiting "
                         f"{sum(self.waiting.values()):4d}  {time.monotonic() - began:5.0f} s")  # fmt: skip

    def _step_s(self, now_s: float) -> float:
        return RESTART_SLICE_S if any(at_s <= now_s + RESTART_SLICE_S for at_s in self.restarts) else SLICE_S

    def _slice(self, pool: ThreadPoolExecutor, now_s: float) -> None:
        due = []
        while self._events and self._events[0][0] <= now_s:
            due.append(heapq.heappop(self._events))
        running = [pool.submit(self._run, what, when_s, now_s) for when_s, _, what in due]
        how = next((how for at_s, how in self.restarts.items() if at_s <= now_s), None)
        if how is not None and len(running) > CLIENTS:
            self.restarts = {at_s: h for at_s, h in self.restarts.items() if at_s > now_s}
            self._restart(how, running)
        for each in running:
            each.result()

    def _restart(self, how: str, running: list[Future[None]]) -> None:
        """When the first answer is there and the others are on their way."""
        wait(running, return_when=FIRST_COMPLETED)
        began = time.monotonic()
        if how == "kill":
            self.daemon.kill()
        else:
            self.daemon.stop(60)
        self.daemon.start(120)
        self.down_s.append(time.monotonic() - began)

    def _run(self, what: Callable[[float], None], when_s: float, now_s: float) -> None:
        try:
            what(max(when_s, now_s))
        except Lost:
            with self._lock:
                self.counts.lost += 1
            deadline = time.monotonic() + 120
            while not self.daemon.healthy() and time.monotonic() < deadline:
                time.sleep(0.05)
            what(now_s)

    def _wake(self, now_s: float) -> None:
        """Clerks who are free look at their screens: as many as there are people for them."""
        left = dict(self.waiting)
        for desk in self.desks.values():
            if desk.state == "about to call":
                left[desk.queue] = left.get(desk.queue, 0) - 1
        for desk in self.desks.values():
            queue = next((q for q in desk.shift.queues if left.get(q, 0) > 0), None)
            if desk.state == "free" and queue is not None:
                left[queue] -= 1
                desk.state, desk.queue = "about to call", queue
                self.at(now_s + self.chance.uniform(1, 4), lambda now, d=desk: self.call(now, d))  # type: ignore[misc]

    def _count_again(self) -> None:
        """How many wait, as the hall says; between two slices nobody is on the way."""
        _, view = self.ask("GET", "/overview/views")
        self.waiting.update({queue["queue"]: queue["waiting"] for queue in view["queues"]})

    def _tell_time(self, now_s: float) -> None:
        """The province's clock runs with the day's."""
        if isinstance(self.bench.province, ProvinceTwin):
            self.bench.province.step_clock(int(ms_of(now_s) / 1000 - time.time()))

    # --- people -------------------------------------------------------------------------------------------------------

    def arrive(self, now_s: float, who: Resident) -> None:
        """Take a number, or check in with the code of the appointment."""
        if who.slot_s is None:
            priority = "elder" if who.elder else "normal"
            order = {"item": who.item.code, "request_id": f"day-{who.no:06d}", "priority": priority}
            status, answer = self.ask("POST", "/tickets", order)
        else:
            check_in = {"code6": code_of(who), "request_id": f"day-{who.no:06d}", "by": GUIDE}
            status, answer = self.ask("POST", "/tickets/check-in", check_in)
            if answer.get("code") == "too_early":
                self.at(who.slot_s - EARLY_S + 60, lambda now: self.arrive(now, who))
        if status != 200:
            return
        number = str(answer["number"])
        with self._lock:
            self.counts.repeated += answer["event"] == 0
            known = number in self.by_number
            self.by_number[number] = who
        if not known:
            # An appointment is not called before its slot.
            honoured = who.slot_s is not None and number.startswith("Y")
            self.at(max(now_s, who.slot_s or 0.0) if honoured else now_s, lambda _now: self._joins(who.item.queue))

    def _joins(self, queue: str) -> None:
        with self._lock:
            self.waiting[queue] += 1

    def come(self, now_s: float, desk: Desk) -> None:
        if desk.state != "away" or desk.shift.back_at(now_s) is not None:
            return
        status, answer = self.verb(desk, "sign-in", clerk=desk.clerk, pin=DEMO_PIN)
        if status == 200:
            desk.state, desk.session = "free", str(answer["session"])

    def leave_if_idle(self, now_s: float, desk: Desk) -> None:
        if desk.state == "free":
            self.leave(now_s, desk)

    def leave(self, now_s: float, desk: Desk) -> None:
        status, _ = self.verb(desk, "sign-out")
        desk.state = "away"
        if status != 200:
            self.look(now_s, desk)

    def call(self, now_s: float, desk: Desk) -> None:
        if desk.shift.back_at(now_s) is not None:
            self.leave(now_s, desk)
            return
        status, answer = self.verb(desk, "next", seen=None)
        if status == 200:
            self._called(now_s, desk, str(answer["number"]), 1)
        elif answer.get("code") == "nothing_waiting":
            desk.state = "free"
            self._recount(desk)
        else:
            self.look(now_s, desk)

    def _recount(self, desk: Desk) -> None:
        """Nobody there after all: what was counted here was too much."""
        with self._lock:
            self.waiting[desk.queue] = max(0, self.waiting[desk.queue] - 1)

    def _called(self, now_s: float, desk: Desk, number: str, calls: int) -> None:
        who = self.who(number)
        desk.state, desk.number, desk.calls = "calling", number, calls
        if calls == 1:
            with self._lock:
                self.waiting[who.item.queue] -= 1
        if self.missed[who.no] < who.stays_away:
            self.at(now_s + 21, lambda now: self.call_again(now, desk))
        else:
            self.at(now_s + who.walk_s, lambda now: self.serve(now, desk))

    def call_again(self, now_s: float, desk: Desk) -> None:
        if desk.calls < 3:
            status, _ = self.verb(desk, "recall", seen=desk.number)
            if status != 200:
                self.look(now_s, desk)
                return
            self._called(now_s, desk, desk.number, desk.calls + 1)
            return
        status, _ = self.verb(desk, "no-show", seen=desk.number)
        if status != 200:
            self.look(now_s, desk)
            return
        who = self.who(desk.number)
        self.missed[who.no] += 1
        if self.missed[who.no] < 2:
            number = desk.number
            self.at(now_s + self.chance.uniform(240, 900), lambda _now: self.come_back(desk, number))
        self._free(now_s, desk)

    def come_back(self, desk: Desk, number: str) -> None:
        """Missed the call and asks at the window, or at the next one that is open."""
        open_desk = desk if desk.state != "away" else next(d for d in self.desks.values() if d.state != "away")
        status, _ = self.verb(open_desk, "requeue", ticket=number)
        if status == 200:
            with self._lock:
                self.waiting[self.who(number).item.queue] += 1

    def serve(self, now_s: float, desk: Desk) -> None:
        status, _ = self.verb(desk, "serve", seen=desk.number, identity_rechecked=True)
        if status != 200:
            self.look(now_s, desk)
            return
        desk.state = "serving"
        who = self.who(desk.number)
        if who.transfers and who.no not in self.moved:
            self.at(now_s + 60, lambda now: self.transfer(now, desk))
        else:
            self.at(now_s + who.work_s * desk.shift.speed, lambda now: self.finish(now, desk))

    def transfer(self, now_s: float, desk: Desk) -> None:
        who = self.who(desk.number)
        self.moved.add(who.no)
        to = self.chance.choice([q for q in ("D", "E", "J", "T") if q != who.item.queue])
        status, _ = self.verb(desk, "transfer", seen=desk.number, to_queue=to)
        if status != 200:
            self.look(now_s, desk)
            return
        with self._lock:
            who.item = replace(who.item, queue=to)
            self.waiting[to] += 1
        self._free(now_s, desk)

    def finish(self, now_s: float, desk: Desk) -> None:
        (outcome,) = self.chance.choices(("completed", "received", "supplement", "consulted"), (62, 23, 10, 5))
        status, _ = self.verb(desk, "finish", seen=desk.number, outcome=outcome)
        if status != 200:
            self.look(now_s, desk)
            return
        self._free(now_s, desk)

    def _free(self, now_s: float, desk: Desk) -> None:
        """Puts papers away, then looks at the screen."""
        desk.state, desk.number = "between", ""
        self.at(now_s + self.chance.uniform(5, 22), lambda now: self._ready(now, desk))

    def _ready(self, now_s: float, desk: Desk) -> None:
        desk.state = "free"
        if desk.shift.back_at(now_s) is not None:
            self.leave(now_s, desk)

    def look(self, now_s: float, desk: Desk) -> None:
        """The screen says something else than the clerk thought: go on from there."""
        _, view = self.ask("GET", f"/windows/{desk.shift.window}/views")
        current = view["current"]
        if view["clerk"] is None:
            desk.state = "away"
            self.come(now_s, desk)
        elif current is None:
            self._free(now_s, desk)
        elif current["state"] == "called":
            if desk.number != current["number"]:
                with self._lock:
                    self.waiting[self.who(current["number"]).item.queue] -= 1
            # Called once more before no-show: of the calls that were made some may not count.
            self._called(now_s, desk, current["number"], 2)
        else:
            desk.state, desk.number = "serving", current["number"]
            who = self.who(desk.number)
            self.at(now_s + who.work_s * desk.shift.speed / 2, lambda now: self.finish(now, desk))

    def who(self, number: str) -> Resident:
        """Whose number it is; a clerk may call it before the kiosk's answer has arrived here."""
        deadline = time.monotonic() + 60
        while number not in self.by_number and time.monotonic() < deadline:
            time.sleep(0.005)
        return self.by_number[number]

    # --- asking -------------------------------------------------------------------------------------------------------

    def verb(self, desk: Desk, verb: str, **order: Any) -> tuple[int, dict[str, Any]]:
        return self.ask("POST", f"/windows/{desk.shift.window}/{verb}", order, desk.session)

    def ask(
        self, method: str, path: str, order: dict[str, Any] | None = None, session: str = ""
    ) -> tuple[int, dict[str, Any]]:
        self.counts.requests += 1
        status, answer = self.line.ask(method, path, order, session)
        if status >= 400:
            self.counts.refused[str(answer.get("code"))] += 1
            if status not in (404, 409):
                self.counts.troubles.append(f"{path}: {status} {answer}")
        return status, answer


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.day", description="A day in the hall; see the docstring.")
    parser.add_argument("--hours", type=float, default=OPEN_S / 3600, help="of arrivals (8)")
    parser.add_argument("--residents", type=int, default=DAY.residents, help="on a whole day (7000)")
    parser.add_argument("--run", type=Path, help="folder to keep (a temporary one)")
    parser.add_argument("--picture", type=Path, metavar="PNG", help="keep the manager's page at 11:18 there")
    options = parser.parse_args()
    folder = options.run or Path(tempfile.mkdtemp(prefix="day-"))
    summary = run(folder, replace(DAY, residents=options.residents), options.hours, options.picture)
    (folder / "summary.json").write_text(json.dumps(summary, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(summary, ensure_ascii=False, indent=1))
    return 1 if summary["oracle"] or summary["troubles"] else 0


def run(folder: Path, plan: DayPlan, hours: float, picture: Path | None = None) -> dict[str, Any]:
    """Play, deliver, close, ask the oracle."""
    bench = Bench(write_hall(folder / "hall"), folder / "run", hours=True)
    clock = new_clock(folder / "clock", ms_of(-120))
    bench.environment["HALL_DAY_CLOCK"] = str((folder / "clock").absolute())
    with bench:
        if isinstance(bench.province, ProvinceTwin):
            bench.province.step_clock(int(ms_of(-120) / 1000 - time.time()))
        began = time.monotonic()
        day = Day(plan, bench, clock)
        try:
            day.picture = picture
            day.open()
            day.play(hours)
            status, answer = day.close()
            played_s = time.monotonic() - began
            wait_until(lambda: delivered(bench), 300, "everything is delivered")
            delivered_s = time.monotonic() - began
        finally:
            day.daemon.stop(60)
        ledger = bench.province.ledger() if bench.province is not None else None
        violations = oracle.check(
            bench.database, bench.database.with_name("blobs"), oracle.Evidence(), ledger, [bench.log],
            everything_sent=True,
        )  # fmt: skip
    counts = day.counts
    return {
        "residents": len({who.no for who in day.by_number.values()}), "booked": day.booked,
        "requests": counts.requests, "refused": dict(counts.refused), "lost": counts.lost,
        "repeated": counts.repeated, "restarts_s": [round(s, 1) for s in day.down_s],
        "cpu_s": [round(used.ru_utime + used.ru_stime) for used in map(resource.getrusage, _PROCESSES)],
        "cores": os.cpu_count(), "load": round(os.getloadavg()[2], 1),
        "played_s": round(played_s), "delivered_s": round(delivered_s),
        "closed": status, "close": answer if status != 200 else "",
        "oracle": violations[:50], "troubles": counts.troubles[:50],
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
