"""How long will it take? Pure: no clock, no database, no randomness that differs from call to call.

    visits of today  ->  learn()  ->  Paces: how long an item keeps a window, robust and shrunk to the catalogue
    who waits, who sits where, Paces  ->  estimates_play.foresee()  ->  Outlook: an Estimate for each ticket, and for
                                                                        a new one

A range that came out too narrow or too wide today is corrected by `calibrated`, which learns from the day's own misses.

Source: domain.md §8 (live times of the last 20), ux.md D6 (ranges for people).
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median

from hall_daemon.queueing import Place, Waiting

LAST_VISITS = 20
"""Of an item, as the handling time of now."""
ITEM_WEIGHT, HALL_WEIGHT = 8.0, 20.0
"""The catalogue's minutes (as fast as the hall is today) count as so many visits; so does what holds for the hall."""
OUTLIER = 3.5
"""A visit that took so many times the usual, or this fraction of it, counts as just that."""
USUAL_MINUTES = 10.0
"""Of an item for which the catalogue names none."""
USUAL_SPREAD = 0.55
"""Standard deviation of the logarithm of handling times, before a hall has shown its own."""
USUAL_BETWEEN_S, USUAL_NO_SHOW_S, USUAL_NO_SHOW_SHARE = 20.0, 80.0, 0.05
SOFT_S = 20.0
"""Errors are measured on log(wait + this): forty seconds instead of ten are no error that doubles a range."""


# --- what the day has shown -------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A visit that has ended: from the call to the moment when the resident left, seconds."""

    item: str
    taken_s: float


@dataclass(frozen=True, kw_only=True)
class Paces:
    """How long things keep a window, seconds."""

    mean_s: Mapping[str, float]
    """Item → from the call to the end; items that are not in it take `usual_s`."""
    usual_s: float = USUAL_MINUTES * 60
    spread: float = USUAL_SPREAD
    between_s: float = USUAL_BETWEEN_S
    """From the end of a visit to the next call, while people wait."""
    no_show_share: float = USUAL_NO_SHOW_SHARE
    no_show_s: float = USUAL_NO_SHOW_S
    seen: Mapping[str, int] = field(default_factory=dict)
    """Item → visits of today behind the figure."""

    def of(self, item: str) -> float:
        """Seconds of a visit for this item."""
        return self.mean_s.get(item, self.usual_s)


@dataclass(kw_only=True)
class Diary:
    """What is remembered of the day for `learn`: the last visits by item, gaps between visits, calls in vain."""

    visits: dict[str, deque[Visit]] = field(default_factory=lambda: defaultdict(lambda: deque(maxlen=LAST_VISITS)))
    between_s: deque[float] = field(default_factory=lambda: deque(maxlen=200))
    in_vain_s: deque[float] = field(default_factory=lambda: deque(maxlen=50))
    came: int = 0
    in_vain: int = 0

    def ended(self, visit: Visit) -> None:
        """A resident has left a window."""
        self.visits[visit.item].append(visit)
        self.came += 1

    def called_in_vain(self, taken_s: float) -> None:
        """Nobody came."""
        self.in_vain_s.append(taken_s)
        self.in_vain += 1


def learn(diary: Diary, minutes: Mapping[str, float], queue_of: Mapping[str, str]) -> Paces:
    """Handling times of now. `minutes` are the catalogue's, by item; `queue_of` names the queue of each.

    Three steps of the same kind: the hall against the catalogue, a queue against the hall, an item against its queue;
    each is worth as much as it has visits.
    """
    visits = {item: [v.taken_s for v in seen] for item, seen in diary.visits.items()}
    ratios = _ratios(visits, minutes)
    hall = _shrunk(ratios, 1.0, HALL_WEIGHT)
    of_queue: dict[str, float] = {}
    for queue in set(queue_of.values()):
        mine = {item: r for item, r in ratios.items() if queue_of.get(item) == queue}
        of_queue[queue] = _shrunk(mine, hall, HALL_WEIGHT)
    means = {
        item: _item_mean(minutes.get(item, USUAL_MINUTES) * 60 * of_queue.get(queue, hall), visits.get(item, []))
        for item, queue in queue_of.items()
    }
    came, in_vain = diary.came, diary.in_vain
    return Paces(
        mean_s=means,
        usual_s=USUAL_MINUTES * 60 * hall,
        spread=_spread(visits, means),
        between_s=_middle(diary.between_s, USUAL_BETWEEN_S),
        no_show_share=(in_vain + USUAL_NO_SHOW_SHARE * 40) / (came + in_vain + 40),
        no_show_s=_middle(diary.in_vain_s, USUAL_NO_SHOW_S),
        seen={item: len(times) for item, times in visits.items()},
    )


def _ratios(visits: Mapping[str, list[float]], minutes: Mapping[str, float]) -> dict[str, list[float]]:
    """How much faster or slower than the catalogue each visit was."""
    return {item: [t / (minutes.get(item, USUAL_MINUTES) * 60) for t in times] for item, times in visits.items()}


def _shrunk(ratios: Mapping[str, list[float]], prior: float, weight: float) -> float:
    flat = [r for times in ratios.values() for r in times]
    if not flat:
        return prior
    return (sum(_without_outliers(flat)) + prior * weight) / (len(flat) + weight)


def _item_mean(prior_s: float, times: list[float]) -> float:
    return (sum(_without_outliers(times)) + prior_s * ITEM_WEIGHT) / (len(times) + ITEM_WEIGHT)


def _without_outliers(values: list[float]) -> list[float]:
    """A forgotten visit of two hours counts as long, not as two hours."""
    if not values:
        return []
    middle = median(values)
    return [min(max(v, middle / OUTLIER), middle * OUTLIER) for v in values]


def _spread(visits: Mapping[str, list[float]], means: Mapping[str, float]) -> float:
    """Spread of visits around the mean of their item, pooled over all items, from the middle half of them."""
    logs = sorted(math.log(max(t, 1.0) / means[item]) for item, times in visits.items() if item in means for t in times)
    if len(logs) < 8:
        return USUAL_SPREAD
    quarter = len(logs) // 4
    seen = (logs[-quarter - 1] - logs[quarter]) / 1.349
    return min(1.2, max(0.15, (seen * len(logs) + USUAL_SPREAD * HALL_WEIGHT) / (len(logs) + HALL_WEIGHT)))


def _middle(values: Iterable[float], usual: float) -> float:
    """Median with ten of the usual beside it."""
    return median([*values, *([usual] * 10)])


# --- the queue ahead --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Desk:
    """An open window. `busy_with` is the item at it, `busy_s` how long since it was called; `ended_s` how long since
    its last visit ended, where nobody is at it."""

    window: str
    queues: tuple[str, ...]
    busy_with: str | None = None
    busy_s: float = 0.0
    weights: Mapping[str, int] = field(default_factory=dict)
    skills: frozenset[str] = frozenset()
    ended_s: float | None = None

    @property
    def place(self) -> Place:
        """The same as the choice sees it."""
        return Place(window=self.window, queues=self.queues, weights=self.weights, skills=self.skills)

    def rests_s(self, between_s: float) -> float:
        """How long yet until somebody is called after a visit that has just ended."""
        return 0.0 if self.ended_s is None else max(0.0, between_s - self.ended_s)


@dataclass(frozen=True, kw_only=True)
class InLine:
    """Somebody who waits; `phantom`: who would come next in the queue, if somebody did, and keeps nobody waiting."""

    ticket: Waiting
    item: str
    phantom: bool = False


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Expected wait from now, seconds; in four of five cases it lies between `low_s` and `high_s`."""

    middle_s: float
    low_s: float
    high_s: float


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What the play said. Tickets and queues that no open window serves are not in it."""

    tickets: Mapping[str, Estimate]
    """Ticket id → from now."""
    queues: Mapping[str, Estimate]
    """Queue → for somebody who comes now."""


LAST_ARRIVAL = 1 << 60


def newcomer(queue: str, arrival_ms: int = LAST_ARRIVAL) -> InLine:
    """Who would come now to this queue; `arrival_ms` is where in its line, open time."""
    ticket = Waiting(ticket_id=f"~{queue}", queue=queue, arrival_ms=arrival_ms, waited_s=0)
    return InLine(ticket=ticket, item="", phantom=True)


# --- how good were we? ------------------------------------------------------------------------------------------------


STEP = 0.03
"""How much one miss moves a reach, on its logarithm."""
MISSES = 0.1
"""Share of waits that may lie beyond each end."""
LEAST_ARM = 0.03


@dataclass(kw_only=True)
class Record:
    """How far the ends of a range must reach so that the day's waits keep falling into it (1: as played).

    Each miss at an end moves that end out, each hit lets it in by a ninth of that; in the long run MISSES miss.
    Source: Gibbs and Candès, Adaptive Conformal Inference Under Distribution Shift (2021), the idea only.
    """

    low_reach: float = 1.0
    high_reach: float = 1.0

    def came_true(self, given: Estimate, waited_s: float) -> None:
        """Somebody to whom this range was given has been called. That nobody had to wait proves nothing."""
        if given.high_s > 0:
            self.low_reach = _moved(self.low_reach, missed=waited_s < given.low_s)
            self.high_reach = _moved(self.high_reach, missed=waited_s > given.high_s)


def _moved(reach: float, *, missed: bool) -> float:
    step = STEP * (1 - MISSES) if missed else -STEP * MISSES
    return min(8.0, max(0.2, reach * math.exp(step)))


def calibrated(played: Estimate, record: Record) -> Estimate:
    """The same middle with ends that would have held in four of five cases lately."""
    if played.high_s <= 0:
        return played
    middle = math.log(played.middle_s + SOFT_S)
    below = max(LEAST_ARM, middle - math.log(played.low_s + SOFT_S)) * record.low_reach
    above = max(LEAST_ARM, math.log(played.high_s + SOFT_S) - middle) * record.high_reach
    return Estimate(
        middle_s=played.middle_s,
        low_s=max(0.0, math.exp(middle - below) - SOFT_S),
        high_s=math.exp(middle + above) - SOFT_S,
    )


# --- for people -------------------------------------------------------------------------------------------------------

NO_WAIT_S = 180.0
"""Up to here nobody is told to wait."""
ROUND_MIN = 5


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What people read, in minutes: a range on slip and check page, one figure in lists; 0 is no wait."""

    low_min: int
    high_min: int
    about_min: int


def shown(estimate: Estimate) -> Shown:
    """Rounded outwards to five minutes; nobody is promised a minute."""
    if estimate.middle_s <= NO_WAIT_S and estimate.high_s <= 2 * NO_WAIT_S:
        return Shown(low_min=0, high_min=0, about_min=0)
    low = int(estimate.low_s // (60 * ROUND_MIN)) * ROUND_MIN
    high = max(ROUND_MIN, -(-int(estimate.high_s) // (60 * ROUND_MIN)) * ROUND_MIN)
    about = max(ROUND_MIN, round(estimate.middle_s / (60 * ROUND_MIN)) * ROUND_MIN)
    return Shown(low_min=low, high_min=max(high, low + ROUND_MIN), about_min=min(max(about, low), high))
