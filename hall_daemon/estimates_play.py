"""The queue ahead, played through. Pure: no clock, no database, no randomness that differs from call to call.

Played with the hall's own rule (`queueing.pick_next`) at the windows that are open, once for the order in which people
are called and then RUNS times over that order with different handling times. The middle of the runs is the estimate,
the inner 80 % of them its range.

Handling times are lognormal: a visit never takes less than nothing and sometimes four times the usual.

Source: domain.md §8 (live times of the last 20), ux.md D6 (ranges for people).
"""

from __future__ import annotations

import heapq
import math
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from hall_daemon.estimates import Desk, Estimate, InLine, Outlook, Paces
from hall_daemon.queueing import Waiting, leg_at, may_call, pick_next

RUNS = 96
UNSURE_OF_PACE = 0.17
"""How far all handling times together may be wrong, as a standard deviation of their logarithm."""
_GRID = 4096
_NORMAL = np.array([NormalDist().inv_cdf((i + 0.5) / _GRID) for i in range(_GRID)])
Floats = NDArray[np.float64]


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
