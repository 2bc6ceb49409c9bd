"""How good are the estimates? Three simulated days of the big hall: `python -m bench waits`.

The days are played here, in one process and without a daemon, with the hall's own rule of who is next; handling times
are gamma distributed and differ by clerk and by item from what the catalogue says, so the estimates must learn them.
Compared with the naive "people ahead x mean ÷ windows", which knows the mean of today's visits in the queue and the
windows that are open.
"""

from __future__ import annotations

import heapq
import itertools
import random
import statistics
import time
from collections import defaultdict, deque
from dataclasses import dataclass, field

from bench.day_plan import CLOSING, CROWDED, QUIET, Cast, DayPlan, Resident, cast, catalogue
from hall_daemon.estimates import (
    Desk,
    Diary,
    Estimate,
    InLine,
    Paces,
    Record,
    Visit,
    calibrated,
    learn,
    newcomer,
    shown,
)  # fmt: skip
from hall_daemon.estimates_play import foresee
from hall_daemon.queueing import Place, Waiting, pick_next

NO_SHOW_S = 75.0


@dataclass(kw_only=True)
class Said:
    """What somebody was told, and what came of it."""

    queue: str
    estimate: Estimate | None
    raw: Estimate | None
    naive_s: float
    ahead: int
    waited_s: float = -1.0


@dataclass(kw_only=True)
class DayPlayed:
    """One day as it went."""

    plan: DayPlan
    said: dict[int, Said] = field(default_factory=dict)
    took_ms: list[float] = field(default_factory=list)
    most_waiting: int = 0


class _Hall:
    """The hall as the play keeps it."""

    def __init__(self, plan: DayPlan, people: Cast) -> None:
        self.day = DayPlayed(plan=plan)
        self.people = {r.no: r for r in people.residents}
        self.shifts = {s.window: s for s in people.shifts}
        self.waiting: dict[str, tuple[Waiting, Resident]] = {}
        self.busy: dict[str, tuple[str, float]] = {}
        self.idle: set[str] = set(self.shifts)
        self.events: list[tuple[float, int, str, object]] = []
        self.count = itertools.count()
        self.diary, self.record = Diary(), Record()
        self.means: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=LAST_OF_QUEUE))
        offered = catalogue()
        self.minutes = {i.code: i.minutes for i in offered}
        self.queue_of = {i.code: i.queue for i in offered}
        self.chance = random.Random(plan.seed + 1000)
        self.paces: Paces | None = None
        self.learnt_s = 0.0
        self.missed: dict[int, int] = defaultdict(int)
        self.first_free: dict[str, float] = {}

    def at(self, when_s: float, what: str, about: object) -> None:
        heapq.heappush(self.events, (when_s, next(self.count), what, about))

    # --- what happens ---------------------------------------------------------------------------------------------

    def arrive(self, now_s: float, who: Resident) -> None:
        self.day.said[who.no] = self.tell(now_s, who)
        ticket = Waiting(ticket_id=f"{who.no:05d}", queue=who.item.queue, arrival_ms=int(now_s * 1000) + 1, waited_s=0)
        self.waiting[ticket.ticket_id] = (ticket, who)
        self.day.most_waiting = max(self.day.most_waiting, len(self.waiting))
        for window in sorted(self.idle, key=int):
            if self.works(window, now_s) and self.call(window, now_s):
                return

    def works(self, window: str, now_s: float) -> bool:
        return self.shifts[window].back_at(now_s) is None

    def call(self, window: str, now_s: float) -> bool:
        shift = self.shifts[window]
        pick = pick_next([t for t, _ in self.waiting.values()], Place(window=window, queues=shift.queues))
        if pick is None:
            self.idle.add(window)
            return False
        _, who = self.waiting.pop(pick.ticket_id)
        self.idle.discard(window)
        said = self.day.said[who.no]
        if said.waited_s < 0:
            said.waited_s = now_s - who.arrive_s
            if said.estimate is not None:
                self.record.came_true(said.estimate, said.waited_s)
        if window in self.first_free and who.arrive_s < self.first_free[window]:
            self.diary.between_s.append(now_s - self.first_free[window])
        self.busy[window] = (who.item.code, now_s)
        if self.missed[who.no] < who.stays_away:
            self.missed[who.no] += 1
            self.at(now_s + NO_SHOW_S + self.chance.uniform(-10, 20), "in vain", (window, who))
            return True
        self.at(now_s + who.walk_s + who.work_s * shift.speed, "done", (window, who))
        return True

    def done(self, now_s: float, window: str, who: Resident, *, came: bool) -> None:
        _, since_s = self.busy.pop(window)
        if came:
            self.diary.ended(Visit(item=who.item.code, taken_s=now_s - since_s))
            self.means[who.item.queue].append(now_s - since_s)
        else:
            self.diary.called_in_vain(now_s - since_s)
        self.first_free[window] = now_s
        self.at(now_s + self.chance.uniform(6, 25), "free", window)

    def free(self, now_s: float, window: str) -> None:
        back = self.shifts[window].back_at(now_s)
        if back is not None:
            self.first_free.pop(window, None)
            self.idle.discard(window)
            self.at(back, "free", window)
            return
        if not self.call(window, now_s):
            self.first_free.pop(window, None)

    # --- what is said -----------------------------------------------------------------------------------------------

    def tell(self, now_s: float, who: Resident) -> Said:
        began = time.perf_counter()
        if self.paces is None or now_s > self.learnt_s + 15:
            self.learnt_s = now_s
            self.paces = learn(self.diary, self.minutes, self.queue_of)
        desks = [
            Desk(
                window=s.window,
                queues=s.queues,
                busy_with=at[0] if at else None,
                busy_s=now_s - at[1] if at else 0.0,
                ended_s=now_s - self.first_free[s.window] if s.window in self.first_free else None,
            )
            for s in self.shifts.values()
            if self.works(s.window, now_s)
            for at in (self.busy.get(s.window),)
        ]
        line = [InLine(ticket=t, item=r.item.code) for t, r in self.waiting.values()]
        raw = foresee([*line, newcomer(who.item.queue)], desks, self.paces, who.item.queue).queues.get(who.item.queue)
        estimate = calibrated(raw, self.record) if raw else None
        self.day.took_ms.append((time.perf_counter() - began) * 1000)
        ahead = sum(t.queue == who.item.queue for t, _ in self.waiting.values())
        windows = sum(who.item.queue in d.queues for d in desks)
        mine = self.means[who.item.queue]
        mean_s = statistics.fmean(mine) if len(mine) >= 5 else self.day.plan.pace * 720
        return Said(
            queue=who.item.queue, estimate=estimate, raw=raw, ahead=ahead,
            naive_s=ahead * mean_s / windows if windows else 0.0,
        )  # fmt: skip


LAST_OF_QUEUE = 100


def play(plan: DayPlan) -> DayPlayed:
    """Play a day to its end."""
    people = cast(plan)
    hall = _Hall(plan, people)
    for resident in people.residents:
        hall.at(resident.arrive_s, "arrive", resident)
    for shift in people.shifts:
        for start_s, end_s in shift.away:
            hall.at(end_s + 0.001, "back", shift.window)
            del start_s
    while hall.events:
        now_s, _, what, about = heapq.heappop(hall.events)
        if what == "arrive" and isinstance(about, Resident):
            hall.arrive(now_s, about)
        elif what in ("free", "back") and isinstance(about, str):
            if what == "free" or (about in hall.idle):
                hall.free(now_s, about)
        elif isinstance(about, tuple):
            window, who = about
            hall.done(now_s, window, who, came=what == "done")
            if what == "in vain" and hall.missed[who.no] < 2:
                requeued = Waiting(
                    ticket_id=f"{who.no:05d}", queue=who.item.queue, arrival_ms=int(now_s * 1000), waited_s=0
                )
                hall.waiting[requeued.ticket_id] = (requeued, who)
    return hall.day


def report(day: DayPlayed) -> dict[str, float]:
    """Errors in minutes, coverage of the range, speed."""
    told = [s for s in day.said.values() if s.estimate is not None and s.waited_s >= 0]
    ours = statistics.fmean(abs(s.estimate.middle_s - s.waited_s) for s in told if s.estimate) / 60
    naive = statistics.fmean(abs(s.naive_s - s.waited_s) for s in told) / 60
    queued = [s for s in told if s.estimate and s.raw and s.raw.high_s > 0]
    inside = [s.estimate.low_s - 1 <= s.waited_s <= s.estimate.high_s + 1 for s in queued if s.estimate]
    raw = [s.raw.low_s - 1 <= s.waited_s <= s.raw.high_s + 1 for s in queued if s.raw]
    wide = [(s.estimate.high_s - s.estimate.low_s) / 60 for s in queued if s.estimate]
    read = [_reads_true(s) for s in queued]
    return {
        "residents": len(day.said), "told": len(told), "waited": len(queued),
        "most_waiting": day.most_waiting,
        "mean_wait": statistics.fmean(s.waited_s for s in told) / 60,
        "ours": ours, "naive": naive, "lower_by": 1 - ours / naive,
        "inside": statistics.fmean(inside), "raw_inside": statistics.fmean(raw), "width": statistics.fmean(wide),
        "shown_inside": statistics.fmean(read),
        "ms_median": statistics.median(day.took_ms), "ms_p95": sorted(day.took_ms)[int(len(day.took_ms) * 0.95)],
    }  # fmt: skip


def _reads_true(said: Said) -> bool:
    assert said.estimate is not None
    read = shown(said.estimate)
    return read.low_min * 60 <= said.waited_s <= max(read.high_min * 60, 180)


def waits() -> None:
    """The three days."""
    for plan in (QUIET, CROWDED, CLOSING):
        began = time.perf_counter()
        r = report(play(plan))
        print(
            f"{plan.name:16} {r['told']:5.0f} told, {r['most_waiting']:4.0f} waiting at most, mean wait "
            f"{r['mean_wait']:5.1f} min | mean error {r['ours']:5.2f} min, naive {r['naive']:5.2f}: "
            f"{r['lower_by']:4.0%} lower | p80 holds {r['inside']:5.1%} of {r['waited']:.0f} who waited "
            f"(uncorrected {r['raw_inside']:5.1%}, rounded for people {r['shown_inside']:5.1%}), {r['width']:.1f} min "
            f"wide "
            f"| {r['ms_median']:.1f} ms each, p95 {r['ms_p95']:.1f} | {time.perf_counter() - began:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    waits()
