"""Pure rules: numbers, who is next and why, which step is legal. No clock, no database.

Order is by *virtual arrival*: open time at which a ticket came into its line, less the bonus of its lane (lanes). What
may change that order at a window is limited, so nobody starves: see `overtaking_limit_ms` and `waiting_bound_s`.
Source: domain.md §8 (numbers, order), design.md §3 (life of a ticket).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from hall_daemon.lanes import LONGEST_BONUS_MS
from hall_daemon.words import Hold, Lane, TicketState

LAST_SERIAL = 9999
BEHIND_AFTER_NO_SHOW = 3
"""A ticket requeued for the first time stands behind so many waiting ones."""
HEAVIEST = 10
HEAD_START_MS = 5 * 60 * 1000
"""What each step of a queue's weight above 1 is worth at a window: as if its tickets had come so much earlier."""
SAME_MINUTE_MS = 60 * 1000
"""Where a window weighs its queues: of those who came in the same minute, the queue named first goes first."""
CALLS_BEFORE_NO_SHOW = 3
CALL_GAP_MS = 20 * 1000
"""A call counts for a no-show if it came so long after the last one that counted."""


class Verb(StrEnum):
    """The steps in the life of a ticket."""

    CALL = "call"
    RECALL = "recall"
    PUT_BACK = "put_back"
    SERVE = "serve"
    NO_SHOW = "no_show"
    REQUEUE = "requeue"
    PARK = "park"
    RESUME = "resume"
    TRANSFER = "transfer"
    FINISH = "finish"
    CANCEL = "cancel"
    EXPIRE = "expire"


_STEPS: dict[tuple[TicketState, Verb], TicketState] = {
    (TicketState.WAITING, Verb.CALL): TicketState.CALLED,
    (TicketState.CALLED, Verb.RECALL): TicketState.CALLED,
    (TicketState.CALLED, Verb.PUT_BACK): TicketState.WAITING,
    (TicketState.CALLED, Verb.SERVE): TicketState.SERVING,
    (TicketState.CALLED, Verb.NO_SHOW): TicketState.NO_SHOW,
    (TicketState.NO_SHOW, Verb.REQUEUE): TicketState.WAITING,
    (TicketState.SERVING, Verb.PARK): TicketState.PARKED,
    (TicketState.PARKED, Verb.RESUME): TicketState.SERVING,
    (TicketState.SERVING, Verb.TRANSFER): TicketState.WAITING,
    (TicketState.SERVING, Verb.FINISH): TicketState.FINISHED,
    (TicketState.PARKED, Verb.FINISH): TicketState.FINISHED,
    (TicketState.WAITING, Verb.CANCEL): TicketState.CANCELLED,
    (TicketState.WAITING, Verb.EXPIRE): TicketState.EXPIRED,
    (TicketState.NO_SHOW, Verb.EXPIRE): TicketState.EXPIRED,
}


def after(state: TicketState, verb: Verb) -> TicketState | None:
    """The state that a step leads to; None where it is not legal."""
    return _STEPS.get((state, verb))


def series(queue: str, lane: Lane) -> str:
    """Name of a number series: lane letter, then queue letter."""
    return lane.value + queue


def display_number(series_name: str, serial: int) -> str:
    """A001 … A999, A1000 … A9999. Raises ValueError outside 1 to 9999."""
    if not 1 <= serial <= LAST_SERIAL:
        raise ValueError(f"series {series_name} has no serial {serial}")
    return f"{series_name}{serial:03d}"


@dataclass(frozen=True, kw_only=True)
class Leg:
    """One thing that a ticket is for: a queue that may call it, and the item."""

    queue: str
    item: str = ""


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """A waiting ticket as the choice sees it. Times in open time; `waited_s` real."""

    ticket_id: str
    queue: str
    arrival_ms: int
    """Virtual arrival."""
    waited_s: int
    for_window: str | None = None
    deserted: bool = False
    """Nobody sits at the window that it was sent to: other windows of its queue may call it as well."""
    number: str = ""
    item: str = ""
    also: tuple[Leg, ...] = ()
    """Other queues that may call it as well: it is for several things, in any order."""
    lane: Lane = Lane.NORMAL
    arrived_ms: int | None = None
    """When it came into its line; None: as its virtual arrival says."""
    callable_ms: int | None = None
    slot_start_ms: int | None = None
    """Start of an appointment's slot, by the wall clock."""
    pinned_ms: int | None = None
    no_shows: int = 0

    @cached_property
    def legs(self) -> tuple[Leg, ...]:
        """What it may be called for."""
        return (Leg(queue=self.queue, item=self.item), *self.also)

    @cached_property
    def queues(self) -> tuple[str, ...]:
        """The queues of these."""
        return (self.queue, *(leg.queue for leg in self.also))

    @property
    def came_ms(self) -> int:
        """When it came into its line."""
        return self.arrival_ms if self.arrived_ms is None else self.arrived_ms


@dataclass(frozen=True, kw_only=True)
class Place:
    """A window with whoever sits there, as the choice sees it."""

    window: str
    queues: tuple[str, ...]
    """In the order of preference, which counts where they are weighed."""
    weights: Mapping[str, int] = field(default_factory=dict)
    """1 to HEAVIEST; 1 where nothing is said."""
    skills: frozenset[str] = frozenset()
    """Queues or items that the clerk knows; empty: all."""

    def head_start_ms(self, queue: str) -> int:
        """How much earlier this queue's tickets count as having come, at this window."""
        return (self.weights.get(queue, 1) - 1) * HEAD_START_MS

    def rank(self, queue: str) -> int:
        """Place of a queue in the order of preference."""
        return self.queues.index(queue) if queue in self.queues else len(self.queues)

    def takes(self, leg: Leg) -> bool:
        """Whether this clerk at this window does this."""
        return leg.queue in self.queues and (not self.skills or bool({leg.queue, leg.item} & self.skills))


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Now, by both clocks."""

    open_ms: int
    now_ms: int


ANY_TIME = Moment(open_ms=1 << 62, now_ms=1 << 62)
"""Every slot has begun."""
Key = tuple[int, int, int, int, int, str]


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A ticket that a window may call, for which of its legs, and where it stands."""

    ticket: Waiting
    leg: Leg
    key: Key


@dataclass(frozen=True, kw_only=True)
class Pick:
    """Who is next, and why."""

    ticket_id: str
    picked_by: str
    candidates: int
    oldest_wait_s: int
    leg: Leg
    line: tuple[Candidate, ...] = ()
    """All candidates in order, the one picked first."""


def may_call(ticket: Waiting, window: str, queues: Sequence[str]) -> bool:
    """Whether a window with these queues may call this ticket, whoever sits there and whatever the time."""
    if ticket.for_window is not None and (ticket.for_window == window or not ticket.deserted):
        return ticket.for_window == window
    return any(leg.queue in queues for leg in ticket.legs)


def has_begun(ticket: Waiting, moment: Moment) -> bool:
    """Whether an appointment's slot has begun; by either clock, so that a clock set back keeps nobody waiting."""
    if ticket.callable_ms is None or moment.open_ms >= ticket.callable_ms:
        return True
    return ticket.slot_start_ms is not None and moment.now_ms >= ticket.slot_start_ms


def leg_at(ticket: Waiting, place: Place) -> Leg | None:
    """What a window would call this ticket for; None if it may not.

    Who was sent to a window by a person is taken there, whatever its queues and its clerk's skills.
    """
    if ticket.for_window == place.window:
        return ticket.legs[0]
    if ticket.for_window is not None and not ticket.deserted:
        return None
    fit = [leg for leg in ticket.legs if place.takes(leg)]
    return min(fit, key=lambda leg: (-place.head_start_ms(leg.queue), place.rank(leg.queue))) if fit else None


def in_order(waiting: Iterable[Waiting], place: Place, moment: Moment = ANY_TIME) -> list[Candidate]:
    """Everybody whom a window may call now, first the next."""
    found = []
    for ticket in waiting:
        leg = leg_at(ticket, place)
        if leg is not None and has_begun(ticket, moment):
            found.append(Candidate(ticket=ticket, leg=leg, key=_key(ticket, leg, place)))
    return sorted(found, key=lambda c: c.key)


def _key(ticket: Waiting, leg: Leg, place: Place) -> Key:
    counts_ms = ticket.arrival_ms - place.head_start_ms(leg.queue)
    pinned = 0 if ticket.pinned_ms is not None else 1
    minute, rank = (counts_ms // SAME_MINUTE_MS, place.rank(leg.queue)) if place.weights else (0, 0)
    return pinned, ticket.pinned_ms or 0, minute, rank, counts_ms, ticket.ticket_id


def pick_next(waiting: Iterable[Waiting], place: Place, moment: Moment = ANY_TIME) -> Pick | None:
    """The first in order: pinned, then virtual arrival with the window's weights and order of queues."""
    line = in_order(waiting, place, moment)
    if not line:
        return None
    first = line[0]
    return Pick(
        ticket_id=first.ticket.ticket_id,
        picked_by=_picked_by(line, place),
        candidates=len(line),
        oldest_wait_s=max(c.ticket.waited_s for c in line),
        leg=first.leg,
        line=tuple(line),
    )


def _picked_by(line: Sequence[Candidate], place: Place) -> str:
    """The rule that brought the first one to the front."""
    first, others = line[0], line[1:]
    ticket = first.ticket
    if ticket.pinned_ms is not None:
        return "pinned"
    if ticket.for_window == place.window:
        return "sent_to_window"
    if all(ticket.came_ms <= other.ticket.came_ms for other in others):
        return "arrival"
    if ticket.arrival_ms < ticket.came_ms:
        return "appointment" if ticket.lane is Lane.APPOINTMENT else "priority"
    return _picked_by_window(first, others, place)


def _picked_by_window(first: Candidate, others: Sequence[Candidate], place: Place) -> str:
    """The rule of the window, for somebody who came later than another and has no bonus."""
    behind = [other for other in others if other.ticket.arrival_ms < first.ticket.arrival_ms]
    if not behind:
        return "arrival"  # the others were put back behind it
    head_start_ms = place.head_start_ms(first.leg.queue)
    return "weight" if any(place.head_start_ms(o.leg.queue) < head_start_ms for o in behind) else "order"


def overtaking_limit_ms(place: Place | None = None) -> int:
    """So long after a ticket's arrival nobody who comes is called before it by the rule (open time).

    A pin and a chosen call are deeds of a person with a reason, and stand outside. Without a place: at any window.
    """
    heaviest = max((place.weights.get(q, 1) for q in place.queues), default=1) if place else HEAVIEST
    same_minute_ms = SAME_MINUTE_MS if place is None or place.weights else 0
    return LONGEST_BONUS_MS + (heaviest - 1) * HEAD_START_MS + same_minute_ms


def waiting_bound_s(before: int, windows: int, longest_service_s: int) -> int:
    """Longest wait of somebody before whom `before` others may be called, while `windows` capable ones go on calling.

    Whoever they are busy with first counts as one more round. `before` cannot grow any more once the overtaking limit
    has passed, so the bound is a fixed time, for each item by its own longest service.
    """
    return (before // max(1, windows) + 1) * longest_service_s


def counts_as_call(last_counted_ms: int | None, open_ms: int) -> bool:
    """Whether a call made now counts for a no-show."""
    return last_counted_ms is None or open_ms - last_counted_ms >= CALL_GAP_MS


def no_show_wait_ms(counted_calls: int, last_counted_ms: int | None, open_ms: int, calls_needed: int) -> int | None:
    """How long until the next call counts, while calls are missing; None: enough calls, a no-show may be said."""
    if counted_calls >= calls_needed:
        return None
    return max(0, CALL_GAP_MS - (open_ms - (last_counted_ms or 0)))


def requeued_arrival(waiting_arrivals: Iterable[int], no_shows: int, own_arrival_ms: int = 0) -> int | None:
    """Virtual arrival just behind the third who waits, the first time; None: at the tail, where new ones arrive.

    `waiting_arrivals` are those of the same queue; `no_shows` counts the one just passed. Nobody gains by it: who had
    come later than the third keeps the own arrival.
    """
    arrivals = sorted(waiting_arrivals)
    if no_shows <= 1 and len(arrivals) > BEHIND_AFTER_NO_SHOW:
        return max(own_arrival_ms, arrivals[BEHIND_AFTER_NO_SHOW - 1] + 1)
    return None


def may_resume(hold: Hold, parked_at: str, queue: str, window: str, queues: Sequence[str]) -> bool:
    """Whether a window may take up a parked ticket; `stage` waits for another step and then counts as `open`."""
    return parked_at == window or (hold is not Hold.HERE and queue in queues)
