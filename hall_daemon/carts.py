"""One number for several things: its legs, one for each queue, and which of them may be called now. Pure.

Legs are visited in any order, unless the configuration says that a queue comes after another ([queue.T] after = ["A"]).
Items of one queue are one leg. As a leg is kept: queue, zone, item, state, and `more` items with spaces between.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hall_daemon.profile import HallProfile
from hall_daemon.queueing import Leg

READY, LATER, DONE = "ready", "later", "done"
Kept = dict[str, str]
"""A leg as it is kept in a row."""


def legs_of(profile: HallProfile, items: Sequence[str]) -> list[Kept]:
    """Legs of a new number, in the order asked for; items must be known."""
    by_queue: dict[str, Kept] = {}
    for code in dict.fromkeys(items):
        item = profile.items[code]
        if item.queue in by_queue:
            leg = by_queue[item.queue]
            leg["more"] = f"{leg.get('more', '')} {code}".strip()
        else:
            by_queue[item.queue] = {"queue": item.queue, "zone": item.zone, "item": code, "state": LATER}
    return readied(profile, list(by_queue.values()))


def readied(profile: HallProfile, legs: Sequence[Kept]) -> list[Kept]:
    """The same, with every leg ready that waits for no other leg that is to be done."""
    to_do = {leg["queue"] for leg in legs if leg["state"] != DONE}

    def state(leg: Kept) -> str:
        if leg["state"] == DONE:
            return DONE
        queue = profile.queues.get(leg["queue"])
        return LATER if queue is not None and to_do & set(queue.after) else READY

    return [{**leg, "state": state(leg)} for leg in legs]


def finished(profile: HallProfile, legs: Sequence[Kept], queue: str) -> list[Kept]:
    """The same, after the leg of this queue is done."""
    return readied(profile, [{**leg, "state": DONE} if leg["queue"] == queue else leg for leg in legs])


def moved(legs: Sequence[Kept], queue: str, to_queue: str, zone: str) -> list[Kept]:
    """The same, after the leg of a queue went to another one; if there is a leg in that already, they are one."""
    there = any(leg["queue"] == to_queue and leg["state"] != DONE for leg in legs)
    if there:
        return [{**leg, "state": DONE} if leg["queue"] == queue else leg for leg in legs]
    return [{**leg, "queue": to_queue, "zone": zone} if leg["queue"] == queue else leg for leg in legs]


def added(profile: HallProfile, legs: Sequence[Kept], queue: str, zone: str, item: str, more: str) -> list[Kept]:
    """The same, with one more item; `queue`, `zone` and `item` are what the number stands for now."""
    now: list[Kept] = [dict(leg) for leg in legs]
    if not now:
        now = [{"queue": queue, "zone": zone, "item": item, "state": READY}]
    new = profile.items[more]
    same = next((leg for leg in now if leg["queue"] == new.queue and leg["state"] != DONE), None)
    if same is not None:
        same["more"] = f"{same.get('more', '')} {more}".strip()
        return now
    now = [leg for leg in now if leg["queue"] != new.queue]
    return readied(profile, [*now, {"queue": new.queue, "zone": new.zone, "item": more, "state": LATER}])


def first_ready(legs: Iterable[Kept]) -> Kept:
    """Where to go first. There is one: no queue waits for itself, the configuration is checked for that."""
    return next(leg for leg in legs if leg["state"] == READY)


def others(queue: str, legs: Iterable[Kept]) -> tuple[Leg, ...]:
    """Ready legs beside the one that the ticket stands for."""
    return tuple(
        Leg(queue=leg["queue"], item=leg["item"]) for leg in legs if leg["state"] == READY and leg["queue"] != queue
    )


def to_do(legs: Iterable[Kept]) -> bool:
    """Whether any leg is left."""
    return any(leg["state"] != DONE for leg in legs)


def open_queues(queue: str, legs: Sequence[Kept]) -> set[str]:
    """Queues in which the ticket stands or will stand."""
    return {queue} | {leg["queue"] for leg in legs if leg["state"] != DONE}
