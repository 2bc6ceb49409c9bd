"""Figures of a day, counted from its tickets. Pure: no clock, no database.

No person is in it: tickets have numbers, windows have numbers, and clerks do not appear at all.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from hall_daemon.words import Outcome, TicketState

SATISFIED = 3
"""Levels from here on are good ones (5 非常满意 4 满意 3 基本满意)."""
MINUTE_MS = 60_000
FLOW_MS = 10 * MINUTE_MS
HISTOGRAM_MIN = (10, 20, 30, 40)
"""Where one bar of the waits ends and the next begins."""
_ENDED = (TicketState.FINISHED, TicketState.CANCELLED, TicketState.EXPIRED)


@dataclass(frozen=True, kw_only=True)
class TicketFacts:
    """A ticket of the day as far as it is counted. Times in milliseconds since 1970."""

    number: str
    queue: str
    zone: str
    dept: str
    item: str
    state: TicketState
    issued_ms: int
    since_ms: int
    """When the present state began."""
    called_ms: int | None = None
    """Its last call; of those who came when called, within a minute of the first."""
    serving_ms: int | None = None
    no_shows: int = 0
    outcome: Outcome | None = None
    level: int | None = None
    """Rating, 5 best."""
    window: str = ""

    @property
    def wait_ms(self) -> int | None:
        """From the number to the first call; None before it."""
        return None if self.called_ms is None else max(0, self.called_ms - self.issued_ms)

    def waits_at(self, moment_ms: int) -> bool:
        """Whether this one was waiting for its first call then."""
        if self.issued_ms > moment_ms:
            return False
        if self.called_ms is not None:
            return self.called_ms > moment_ms
        return self.state not in _ENDED or self.since_ms > moment_ms


@dataclass(frozen=True, kw_only=True)
class Group:
    """Counts of some of the day's tickets. Waits in minutes; None where there is none."""

    code: str
    issued: int
    finished: int
    waiting: int
    missed: int
    """Tickets that did not come when called, at least once."""
    left: int
    """Given up or expired."""
    mean_wait_min: float | None
    median_wait_min: float | None
    p90_wait_min: float | None
    longest_wait_min: float | None
    mean_serving_min: float | None
    on_the_spot: int
    taken_in: int
    """Decided on the spot, or accepted for a decision later."""
    supplement: int
    rated: int
    satisfied: int

    @property
    def on_the_spot_share(self) -> float | None:
        """Of what was decided or accepted."""
        whole = self.on_the_spot + self.taken_in
        return self.on_the_spot / whole if whole else None

    @property
    def missed_share(self) -> float | None:
        """Of all numbers."""
        return self.missed / self.issued if self.issued else None

    @property
    def satisfied_share(self) -> float | None:
        """Of those who answered; nobody else is counted as content."""
        return self.satisfied / self.rated if self.rated else None


def group(code: str, tickets: Sequence[TicketFacts]) -> Group:
    """Count."""
    waits = sorted(t.wait_ms / MINUTE_MS for t in tickets if t.wait_ms is not None)
    served = [
        (t.since_ms - t.serving_ms) / MINUTE_MS
        for t in tickets
        if t.state is TicketState.FINISHED and t.serving_ms is not None
    ]
    outcomes = Counter(t.outcome for t in tickets)
    levels = [t.level for t in tickets if t.level is not None]
    states = Counter(t.state for t in tickets)
    return Group(
        code=code, issued=len(tickets), finished=states[TicketState.FINISHED], waiting=states[TicketState.WAITING],
        missed=sum(t.no_shows > 0 for t in tickets),
        left=states[TicketState.CANCELLED] + states[TicketState.EXPIRED],
        mean_wait_min=fmean(waits) if waits else None, median_wait_min=median(waits) if waits else None,
        p90_wait_min=waits[min(len(waits) - 1, int(len(waits) * 0.9))] if waits else None,
        longest_wait_min=waits[-1] if waits else None, mean_serving_min=fmean(served) if served else None,
        on_the_spot=outcomes[Outcome.COMPLETED], taken_in=outcomes[Outcome.RECEIVED],
        supplement=outcomes[Outcome.SUPPLEMENT], rated=len(levels), satisfied=sum(v >= SATISFIED for v in levels),
    )  # fmt: skip


def groups(tickets: Iterable[TicketFacts], key: Callable[[TicketFacts], str]) -> dict[str, Group]:
    """The same by zone, queue, department or whatever the key says."""
    parts: dict[str, list[TicketFacts]] = defaultdict(list)
    for ticket in tickets:
        parts[key(ticket)].append(ticket)
    return {code: group(code, part) for code, part in parts.items()}


def called_lately(tickets: Iterable[TicketFacts], now_ms: int, within_ms: int = 60 * MINUTE_MS) -> list[TicketFacts]:
    """Those whose first call is not longer ago."""
    return [t for t in tickets if t.called_ms is not None and now_ms - t.called_ms <= within_ms]


def waiting_at(tickets: Iterable[TicketFacts], moment_ms: int) -> int:
    """How many waited then."""
    return sum(t.waits_at(moment_ms) for t in tickets)


def trend(tickets: Sequence[TicketFacts], now_ms: int, points: int = 9, step_ms: int = 15 * MINUTE_MS) -> list[int]:
    """How many waited over the last two hours, oldest first."""
    return [waiting_at(tickets, now_ms - step_ms * back) for back in reversed(range(points))]


@dataclass(frozen=True, kw_only=True)
class Flow:
    """Ten minutes: numbers taken and visits finished."""

    begins_ms: int
    issued: int
    finished: int


def flow(tickets: Sequence[TicketFacts], now_ms: int, most: int = 48) -> list[Flow]:
    """By ten minutes since the first number, the last ones only, without the ten minutes that are not over."""
    if not tickets:
        return []
    issued = Counter(t.issued_ms // FLOW_MS for t in tickets)
    finished = Counter(t.since_ms // FLOW_MS for t in tickets if t.state is TicketState.FINISHED)
    first, end = min(issued), now_ms // FLOW_MS
    return [
        Flow(begins_ms=slot * FLOW_MS, issued=issued[slot], finished=finished[slot])
        for slot in range(max(first, end - most), end)
    ]


def histogram(waited_min: Iterable[float]) -> list[int]:
    """How many have waited under 10, 20, 30, 40 minutes and longer."""
    counts = [0] * (len(HISTOGRAM_MIN) + 1)
    for minutes in waited_min:
        counts[sum(minutes >= edge for edge in HISTOGRAM_MIN)] += 1
    return counts
