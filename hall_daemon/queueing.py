"""Pure rules: numbers, lanes, who is next and why, which step is legal. No clock, no database.

Source: domain.md §8 (numbers, order), design.md §3 (life of a ticket).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hall_daemon.words import Hold, Lane, TicketState

LAST_SERIAL = 9999
BEHIND_AFTER_NO_SHOW = 3
"""A ticket requeued for the first time stands behind so many waiting ones."""


class Verb(StrEnum):
    """The steps in the life of a ticket."""

    CALL = "call"
    RECALL = "recall"
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
class Waiting:
    """A waiting ticket as the choice sees it; `arrival_ms` is virtual arrival in open time, `waited_s` real."""

    ticket_id: str
    queue: str
    arrival_ms: int
    waited_s: int
    for_window: str | None = None


@dataclass(frozen=True, kw_only=True)
class Pick:
    """Who is next, and why."""

    ticket_id: str
    picked_by: str
    candidates: int
    oldest_wait_s: int


def may_call(ticket: Waiting, window: str, queues: Sequence[str]) -> bool:
    """Whether a window may call this ticket."""
    return ticket.for_window == window or (ticket.for_window is None and ticket.queue in queues)


def pick_next(waiting: Iterable[Waiting], window: str, queues: Sequence[str]) -> Pick | None:
    """First come, first served by virtual arrival; a ticket sent to this very window comes by its own arrival too."""
    candidates = sorted((t for t in waiting if may_call(t, window, queues)), key=lambda t: (t.arrival_ms, t.ticket_id))
    if not candidates:
        return None
    first = candidates[0]
    return Pick(
        ticket_id=first.ticket_id,
        picked_by="sent_to_window" if first.for_window == window else "arrival",
        candidates=len(candidates),
        oldest_wait_s=max(t.waited_s for t in candidates),
    )


def requeued_arrival(waiting_arrivals: Iterable[int], no_shows: int) -> int | None:
    """Virtual arrival just behind the third who waits, the first time; None: at the tail, where new ones arrive.

    `waiting_arrivals` are those of the same queue; `no_shows` counts the one just passed.
    """
    arrivals = sorted(waiting_arrivals)
    if no_shows <= 1 and len(arrivals) > BEHIND_AFTER_NO_SHOW:
        return arrivals[BEHIND_AFTER_NO_SHOW - 1] + 1
    return None


def may_resume(hold: Hold, parked_at: str, queue: str, window: str, queues: Sequence[str]) -> bool:
    """Whether a window may take up a parked ticket; `stage` waits for another step and then counts as `open`."""
    return parked_at == window or (hold is not Hold.HERE and queue in queues)
