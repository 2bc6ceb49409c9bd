"""How long will it take? Pure: no clock, no database, no randomness that differs from call to call.

The queue ahead is played through with the hall's own rule (`queueing.pick_next`) at the windows that are open, once
for the order in which people are called and then RUNS times over that order with different handling times. The middle
of the runs is the estimate, the inner 80 % of them its range.

    visits of today  ->  learn()  ->  Paces: how long an item keeps a window, robust and shrunk to the catalogue
    who waits, who sits where, Paces  ->  foresee()  ->  Outlook: an Estimate for each ticket, and for a new one

Handling times are lognormal: a visit never takes less than nothing and sometimes four times the usual. A range that
came out too narrow or too wide today is corrected by `calibrated`, which learns from the day's own misses.

Source: domain.md §8 (live times of the last 20), ux.md D6 (ranges for people).
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from statistics import NormalDist, median

import numpy as np
from numpy.typing import NDArray

from hall_daemon.queueing import Place, Waiting, leg_at, may_call, pick_next

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
RUNS = 96
UNSURE_OF_PACE = 0.17
"""How far all handling times together may be wrong, as a standard deviation of their logarithm."""
SOFT_S = 20.0
"""Errors are measured on log(wait + this): forty seconds instead of ten are no error that doubles a range."""
_GRID = 4096
_NORMAL = np.array([NormalDist().inv_cdf((i + 0.5) / _GRID) for i in range(_GRID)])
Floats = NDArray[np.float64]


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


def foresee(line: Sequence[InLine], desks: Sequence[Desk], paces: Paces, about: str | None = None) -> Outlook:
    """An estimate for everybody in line whom some open window may call; `about` a queue: only those it depends on."""
    tickets: dict[str, Estimate] = {}
    queues: dict[str, Estimate] = {}
    for members, at in _parts(line, desks):
        if about is not None and all(person.ticket.queue != about for person in members):
            continue
        order = _order(members, at, paces)
        ends = np.quantile(_play(order, at, paces), (0.1, 0.5, 0.9), axis=1).T.tolist()
        for person, (low, middle, high) in zip(order, ends, strict=True):
            estimate = Estimate(middle_s=middle, low_s=low, high_s=high)
            if person.phantom:
                queues[person.ticket.queue] = estimate
            else:
                tickets[person.ticket.ticket_id] = estimate
    return Outlook(tickets=tickets, queues=queues)


def _parts(line: Sequence[InLine], desks: Sequence[Desk]) -> list[tuple[list[InLine], list[Desk]]]:
    """Queues that share no window wait for each other in nothing: each such part is played by itself."""
    served = frozenset((desk.window, queue) for desk in desks for queue in desk.queues)
    sent = frozenset((p.ticket.for_window, p.ticket.queue) for p in line if p.ticket.for_window is not None)
    root = _roots(served | sent)
    members: dict[str, list[InLine]] = defaultdict(list)
    for person in line:
        members[root.get("queue " + person.ticket.queue, person.ticket.queue)].append(person)
    at: dict[str, list[Desk]] = defaultdict(list)
    for desk in desks:
        at[root["window " + desk.window]].append(desk)
    return [(people, at[part]) for part, people in members.items() if at[part]]


@lru_cache(maxsize=64)
def _roots(pairs: frozenset[tuple[str, str]]) -> Mapping[str, str]:
    """Each window and queue → a name of the part that it belongs to, by who serves what."""
    part_of: dict[str, str] = {}

    def root(name: str) -> str:
        while (above := part_of.setdefault(name, name)) != name:
            name = above
        return name

    for window, queue in pairs:
        part_of[root("queue " + queue)] = root("window " + window)
    return {name: root(name) for name in list(part_of)}


def _order(line: Sequence[InLine], desks: Sequence[Desk], paces: Paces) -> list[InLine]:
    """In which order they will be called, by the hall's own rule and mean times; without those whom nobody calls."""
    crowd = _Crowd(line, skilled=any(desk.skills for desk in desks))
    free = [(_left_s(desk, paces), place) for place, desk in enumerate(desks)]
    heapq.heapify(free)
    order: list[InLine] = []
    while free and crowd:
        at_s, place = heapq.heappop(free)
        desk = desks[place]
        person = crowd.call(desk)
        if person is None:
            continue  # nobody for this window, now or later
        order.append(person)
        heapq.heappush(free, (at_s + _mean_s(person, paces), place))
    return order


def _left_s(desk: Desk, paces: Paces) -> float:
    if desk.busy_with is None:
        return desk.rests_s(paces.between_s)
    mean_s = paces.of(desk.busy_with)
    return max(mean_s - desk.busy_s, mean_s / 4) + paces.between_s


def _mean_s(person: InLine, paces: Paces) -> float:
    if person.phantom:
        return 0.0
    came_s = (1 - paces.no_show_share) * paces.of(person.item)
    return came_s + paces.no_show_share * paces.no_show_s + paces.between_s


class _Crowd:
    """Those who wait, in groups of people who differ in nothing but when they came.

    Of such a group the rule can only take the first, so that it is asked about the first of each and not about all.
    """

    def __init__(self, line: Iterable[InLine], *, skilled: bool) -> None:
        groups: dict[Waiting, list[InLine]] = defaultdict(list)
        for person in line:
            groups[_alike(person.ticket, skilled=skilled)].append(person)
        self._groups = [
            deque(sorted(group, key=lambda p: (p.ticket.arrival_ms, p.ticket.ticket_id))) for group in groups.values()
        ]
        self._left = sum(map(len, self._groups))

    def __bool__(self) -> bool:
        return self._left > 0

    def call(self, desk: Desk) -> InLine | None:
        """Whom this window calls now."""
        heads = {group[0].ticket.ticket_id: group for group in self._groups if group}
        pick = pick_next([group[0].ticket for group in heads.values()], desk.place)
        if pick is None:
            return None
        self._left -= 1
        return heads[pick.ticket_id].popleft()


def _alike(ticket: Waiting, *, skilled: bool) -> Waiting:
    """What two tickets have in common if the earlier one always goes first; the item counts where skills do."""
    return Waiting(
        ticket_id="", queue=ticket.queue, arrival_ms=0, waited_s=0, for_window=ticket.for_window,
        deserted=ticket.deserted, item=ticket.item if skilled else "", also=ticket.also, pinned_ms=ticket.pinned_ms,
    )  # fmt: skip


def _play(order: Sequence[InLine], desks: Sequence[Desk], paces: Paces) -> Floats:
    """Waits in seconds, one row a person in the given order, one column a run."""
    chance = np.random.default_rng(7)  # the same every time: an estimate changes only because the hall has changed
    pace = np.exp(UNSURE_OF_PACE * chance.standard_normal(RUNS))
    free = _free_s(desks, paces, chance)
    takes = _taken_s(order, paces, chance) * pace
    runs = np.arange(RUNS)
    waits = np.empty((len(order), RUNS))
    may: dict[Waiting, NDArray[np.intp]] = {}
    skilled = any(desk.skills for desk in desks)
    for row, person in enumerate(order):
        key = _alike(person.ticket, skilled=skilled)
        if key not in may:
            able = [i for i, d in enumerate(desks) if leg_at(person.ticket, d.place) is not None]
            # Where nobody there has the skill, somebody with it will have to come to one of the windows.
            may[key] = np.array(able or [i for i, d in enumerate(desks) if may_call(person.ticket, d.window, d.queues)])
        columns = may[key]
        first = columns[free[:, columns].argmin(axis=1)]
        waits[row] = free[runs, first]
        if not person.phantom:
            free[runs, first] += takes[row]
    return waits


def _free_s(desks: Sequence[Desk], paces: Paces, chance: np.random.Generator) -> Floats:
    """When each window will be free, a column a window: what is left of a visit that has lasted so long already."""
    mean_s = np.array([paces.of(desk.busy_with or "") for desk in desks])
    busy_s = np.array([desk.busy_s for desk in desks])
    idle = np.array([desk.busy_with is None for desk in desks])
    spread = paces.spread
    lasted = np.array([_share_ended(busy, mean, spread) for busy, mean in zip(busy_s, mean_s, strict=True)])
    place = lasted + (1 - lasted) * chance.random((RUNS, len(desks)))
    whole = _lognormal(_NORMAL[np.minimum((place * _GRID).astype(int), _GRID - 1)], mean_s, spread)
    # Beyond all experience something else keeps the window: half a usual visit longer.
    beyond = mean_s / 2 * chance.exponential(1.0, (RUNS, len(desks)))
    left = np.where(whole > busy_s, whole - busy_s, beyond) + paces.between_s
    rests_s = np.array([desk.rests_s(paces.between_s) for desk in desks])
    return np.where(idle, rests_s, left)


def _share_ended(busy_s: float, mean_s: float, spread: float) -> float:
    """How many of such visits have ended after so long."""
    return 0.5 * (1 + math.erf((math.log(max(busy_s, 1.0) / mean_s) + spread**2 / 2) / spread / math.sqrt(2)))


def _taken_s(order: Sequence[InLine], paces: Paces, chance: np.random.Generator) -> Floats:
    means = np.array([paces.of(person.item) for person in order]).reshape(-1, 1)
    shape = (len(order), RUNS)
    came = _lognormal(chance.standard_normal(shape), means, paces.spread)
    return np.where(chance.random(shape) < paces.no_show_share, paces.no_show_s, came) + paces.between_s


def _lognormal(normal: Floats, mean: Floats, spread: float) -> Floats:
    return mean * np.exp(spread * normal - spread**2 / 2)


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
