"""Days of the big hall, made up by a seed: who comes when and for what, and what the clerks do.

Residents ask for items by the catalogue's weights. The catalogue's minutes are those of a whole case; at these minutes
7,000 residents would need some 220 windows, so a day has a `pace`: what share of them a visit at the window takes. As
the weights fill the zones unevenly, some windows take the queue of a neighbour too (comprehensive windows, 综合窗口).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from sim.catalog import offer
from sim.catalog_tables import DATA, HallName, read_range, read_table

HELPERS = {"13-20": "A", "59-66": "A", "67-78": "A", "49-58": "C", "81-84": "B", "85-90": "B"}
"""Windows → the queue that they take beside their own."""
QUESTIONS = {"N": (5.0, 0.012), "P": (3.0, 0.02)}
"""Queues without items → minutes of a visit, share of all residents."""
OPEN_S = 8 * 3600
SLOT_S = 1800.0
NEVER = float("inf")
PEAKS = ((4800.0, 3600.0, 0.24), (5.6 * 3600, 4200.0, 0.2))
"""Middle and width in seconds after opening, and share of the residents; the rest comes evenly over the day."""


@dataclass(frozen=True, kw_only=True)
class Offered:
    """An item as far as a day needs it."""

    code: str
    queue: str
    minutes: float
    weight: float


@dataclass(kw_only=True)
class Resident:
    """Somebody who comes. Times in seconds."""

    no: int
    arrive_s: float
    item: Offered
    work_s: float
    """At a clerk of usual speed."""
    walk_s: float
    stays_away: int
    """How often this one does not come when called."""
    elder: bool
    slot_s: float | None = None
    """An appointment: when its slot begins. Who has one comes by it, at `arrive_s`."""
    transfers: bool = False
    """Turns out to be a matter of another queue."""

    @property
    def may_book(self) -> bool:
        """Whether there are appointments for this item at this hour."""
        return not self.item.code.startswith("queue:") and SLOT_S < self.arrive_s < OPEN_S - 2 * SLOT_S


@dataclass(frozen=True, kw_only=True)
class Shift:
    """A clerk at a window: speed, and when the window does not work (from, to; seconds)."""

    window: str
    queues: tuple[str, ...]
    speed: float
    away: tuple[tuple[float, float], ...]

    def back_at(self, now_s: float) -> float | None:
        """When it works again; None: it works now."""
        return next((end for start, end in self.away if start <= now_s < end), None)


@dataclass(frozen=True, kw_only=True)
class Closure:
    """Windows that close suddenly."""

    windows: str
    start_s: float
    end_s: float


@dataclass(frozen=True, kw_only=True)
class DayPlan:
    """One day."""

    name: str
    residents: int
    pace: float = 0.27
    closures: tuple[Closure, ...] = ()
    seed: int = 1
    appointments: float = 0.0
    """Share of the residents who have booked."""


QUIET = DayPlan(name="quiet", residents=5600, pace=0.35, seed=11)
CROWDED = DayPlan(name="crowded", residents=7000, pace=0.31, seed=12)
CLOSING = DayPlan(
    name="windows closing",
    residents=6000,
    pace=0.33,
    seed=13,
    closures=(
        Closure(windows="31-36", start_s=1.2 * 3600, end_s=2.6 * 3600),
        Closure(windows="49-53", start_s=2.0 * 3600, end_s=4.0 * 3600),
        Closure(windows="1-5", start_s=5.0 * 3600, end_s=6.5 * 3600),
    ),
)


def catalogue() -> list[Offered]:
    """Items of the big hall, and its queues without items."""
    items = [
        Offered(code=i.code, queue=i.queue, minutes=float(i.minutes), weight=float(i.weight))
        for i in offer(HallName.BIG, 7).items
    ]
    whole = sum(i.weight for i in items)
    questions = [
        Offered(code=f"queue:{queue}", queue=queue, minutes=minutes, weight=share * whole)
        for queue, (minutes, share) in QUESTIONS.items()
    ]
    return [*items, *questions]


def window_queues() -> dict[str, tuple[str, ...]]:
    """Queues of each window of the big hall, with what the helpers take."""
    queues: dict[str, tuple[str, ...]] = {}
    for row in read_table(DATA / "big" / "windows.psv"):
        for number in read_range(row["windows"]):
            queues[str(number)] = tuple(row["queues"].split())
    for windows, queue in HELPERS.items():
        for number in read_range(windows):
            queues[str(number)] = (*queues[str(number)], queue)
    return queues


@dataclass(kw_only=True)
class Cast:
    """Everybody of a day."""

    residents: list[Resident] = field(default_factory=list)
    shifts: list[Shift] = field(default_factory=list)


def cast(plan: DayPlan) -> Cast:
    """Draw a day."""
    chance = random.Random(plan.seed)
    items = catalogue()
    # The catalogue is wrong about every item in a way of its own, and the hall learns it during the day.
    truth = {item.code: chance.lognormvariate(-0.03, 0.25) for item in items}
    residents = [
        _resident(plan, chance, no, chance.choices(items, [i.weight for i in items])[0], truth)
        for no in range(plan.residents)
    ]
    shifts = _shifts(plan, chance)
    for resident in residents:
        if chance.random() < plan.appointments and resident.may_book:
            _book(resident, chance)
    residents.sort(key=lambda r: r.arrive_s)
    return Cast(residents=residents, shifts=shifts)


def _book(resident: Resident, chance: random.Random) -> None:
    """Most come in the half hour before their slot, some far too early, some after the grace, some not at all."""
    resident.slot_s = slot_s = resident.arrive_s // SLOT_S * SLOT_S
    (how,) = chance.choices(("in time", "early", "late", "never"), (82, 6, 7, 5))
    resident.arrive_s = {
        "in time": slot_s + chance.uniform(-1500, 1200),
        "early": slot_s - chance.uniform(2100, 3000),
        "late": slot_s + SLOT_S + chance.uniform(1000, 2400),
        "never": NEVER,
    }[how]


def _resident(plan: DayPlan, chance: random.Random, no: int, item: Offered, truth: dict[str, float]) -> Resident:
    mean_s = item.minutes * 60 * plan.pace * truth[item.code]
    return Resident(
        no=no,
        arrive_s=_arrival(chance),
        item=item,
        work_s=20 + chance.gammavariate(3.2, mean_s / 3.2),
        walk_s=chance.uniform(12, 50),
        stays_away=int(chance.random() < 0.05) + int(chance.random() < 0.01),
        elder=chance.random() < 0.08,
        transfers=chance.random() < 0.02,
    )


def _arrival(chance: random.Random) -> float:
    draw = chance.random()
    for middle, width, share in PEAKS:
        if draw < share:
            return min(OPEN_S - 1800, max(0.0, chance.gauss(middle, width)))
        draw -= share
    return chance.uniform(0, OPEN_S - 1800)


def _shifts(plan: DayPlan, chance: random.Random) -> list[Shift]:
    shifts = []
    for window, queues in window_queues().items():
        rest = chance.uniform(2.5, 4.5) * 3600
        away = [(rest, rest + chance.uniform(20, 35) * 60)]
        pause = chance.uniform(0.7, 6.5) * 3600
        away.append((pause, pause + chance.uniform(4, 10) * 60))
        away += [(c.start_s, c.end_s) for c in plan.closures if int(window) in read_range(c.windows)]
        shifts.append(
            Shift(window=window, queues=queues, speed=chance.lognormvariate(0, 0.18), away=tuple(sorted(away)))
        )
    return shifts
