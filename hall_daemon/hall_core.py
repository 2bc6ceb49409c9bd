"""What every verb of the hall stands on: the store, the clock, the news of what was done, the snapshot of the day.

The verbs themselves are in hall_calling (who is called to a window), hall_visits (what happens there) and hall_line
(tickets that are not at a window); hall puts them together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from sqlmodel import Session

from hall_daemon import carts, case_lookups, issuing, lookups, queueing
from hall_daemon.access import Role, Staff
from hall_daemon.clock import Clock, rfc3339
from hall_daemon.config import HallConfig
from hall_daemon.day_life import DayLife
from hall_daemon.events import Event, EventData, MaterialScanned, OperatorActed, TicketFinished, TicketTransferred
from hall_daemon.profile import HallProfile
from hall_daemon.queueing import Moment, Place, Verb
from hall_daemon.store import Store, Tx
from hall_daemon.tables import SessionRow, TicketRow
from hall_daemon.tickets import (
    HallError,
    IllegalStep,
    MustDecideCall,
    MustFinishFirst,
    NeedsReason,
    NotFound,
    NotSignedIn,
    ScreenOutOfDate,
    Snapshot,
)  # fmt: skip
from hall_daemon.words import Outcome, TicketState

BETWEEN_SNAPSHOTS_S = 0.03
SNAPSHOT_SHARE = 0.1
"""Of the time at most so much is spent on reading snapshots, in a rush of verbs, but for:"""
OLDEST_SNAPSHOT_S = 0.25
MANY_CHANGES = 500
"""So many changed tickets are read faster by reading all."""


class Bell:
    """Tells any number of waiting tasks that something changed; nobody can miss a ring, nobody can lag behind."""

    def __init__(self) -> None:
        self.rings = 0
        self._next = asyncio.Event()

    def ring(self) -> None:
        """Wake everybody; on the event loop."""
        self.rings += 1
        self._next.set()
        self._next = asyncio.Event()

    async def wait(self, heard: int) -> int:
        """Return the count of rings as soon as it exceeds `heard`."""
        while self.rings <= heard:
            await self._next.wait()
        return self.rings


class HallCore:
    """Store, clock, news and snapshot, and the parts that verbs share."""

    def __init__(self, config: HallConfig, store: Store, clock: Clock) -> None:
        self.config = config
        self.profile = config.profile
        self.store = store
        self.clock = clock
        self.staff = {
            c.code: Staff(number=c.code, name=c.name, role=Role(c.role), skills=frozenset(c.skills))
            for c in config.clerks.values()
        }
        """Who works here, by staff number; kept up to date by accounts."""
        self.day = DayLife(hours=config.hours)
        self.changed = Bell()
        """Rings after each commit that changed something."""
        self._hear: list[Callable[[Event], None]] = []
        self.at_opening: list[Callable[[Tx, str], None]] = []
        """Done in the transaction that opens a service day, before anything of that day."""
        self.at_closing: list[Callable[[Tx], None]] = []
        """Done in the transaction that closes it, after everything of that day."""
        self._snapshot: Snapshot | None = None
        self._snapshot_of = self.profile
        self._since_snapshot: set[str] = set()
        """What has changed since: ids of tickets, and "" for anything else."""
        self._taking = asyncio.Lock()
        self._next_s = 0.0
        """Not before this the next snapshot is taken."""
        self._open_base_ms = 0
        self._open_base_s = 0.0
        store.catalog_version = self.profile.catalog_version
        store.on_commit(self._tell)

    def on_event(self, hear: Callable[[Event], None]) -> None:
        """Hear every committed event, in order, on the event loop."""
        self._hear.append(hear)

    def _tell(self, events: tuple[Event, ...]) -> None:
        for event in events:
            self._since_snapshot.add(_ticket_of(event))
            for hear in self._hear:
                hear(event)
        self.changed.ring()

    def count_open_time_from(self, open_ms: int) -> None:
        """Go on counting the day's open time at `open_ms`."""
        self._open_base_ms, self._open_base_s = open_ms, self.clock.monotonic_s()

    def open_time_ms(self) -> int:
        """How long the day has been open; order in the queues is measured by it, never by the wall clock."""
        return self._open_base_ms + int((self.clock.monotonic_s() - self._open_base_s) * 1000)

    @property
    def day_open(self) -> bool:
        """Whether a service day is open, though perhaps no number is given now."""
        return self.day.open

    def day_refusal(self) -> HallError | None:
        """Why no number is given now; None: one is."""
        return self.day.refusal(self.clock.now_ms(), self.profile.calendar)

    def use_profile(self, profile: HallProfile) -> None:
        """Another catalogue, or other suspensions, from now on: between two verbs, on the writer's thread."""
        self.profile = profile
        self.store.catalog_version = profile.catalog_version

    async def clerk_at(self, window: str) -> str:
        """Who is signed in there. Raises NotSignedIn, NotFound."""
        if window not in self.profile.windows:
            raise NotFound(what=window)
        clerk = (await self.snapshot()).sessions.get(window)
        if clerk is None:
            raise NotSignedIn(window=window)
        return clerk

    async def snapshot(self) -> Snapshot:
        """The open tickets of the day. What has changed is read once, whoever asks, and nothing else is."""
        async with self._taking:
            profile = self.profile
            if self._snapshot is None or self._since_snapshot or self._snapshot_of is not profile:
                # In a rush of verbs the pictures of them are taken together: a picture costs as much as a verb.
                began_s = self.clock.monotonic_s()
                if 0 < self._next_s - began_s <= OLDEST_SNAPSHOT_S:
                    await asyncio.sleep(self._next_s - began_s)
                    began_s = self.clock.monotonic_s()
                changed, self._since_snapshot = frozenset(self._since_snapshot), set()
                earlier = self._snapshot if self._snapshot_of is profile else None
                try:
                    self._snapshot = await self.store.read(self._take(profile, earlier, changed))
                    self._snapshot_of = profile
                except BaseException:
                    self._since_snapshot |= changed
                    raise
                finally:
                    rest_s = (self.clock.monotonic_s() - began_s) * (1 / SNAPSHOT_SHARE - 1)
                    self._next_s = began_s + min(max(rest_s, BETWEEN_SNAPSHOTS_S), OLDEST_SNAPSHOT_S)
            return self._snapshot

    @property
    def numbers_jumped(self) -> bool:
        """Whether numbers were skipped today, as far as the last snapshot tells."""
        return self._snapshot is not None and self._snapshot.jumped

    @staticmethod
    def _take(profile: HallProfile, earlier: Snapshot | None, changed: frozenset[str]) -> Callable[[Session], Snapshot]:
        if earlier is None or len(changed) > MANY_CHANGES:
            return lambda session: lookups.snapshot(session, profile)
        return lambda session: lookups.refreshed(session, profile, earlier, changed)

    # --- parts of verbs -----------------------------------------------------------------------------------------------

    async def _about_current(self, window: str, seen: str, verb: Callable[[Tx, TicketRow, str], EventData]) -> int:
        return await self._keeping(window, seen, lambda tx, row, clerk: (verb(tx, row, clerk), {}))

    async def _keeping(
        self, window: str, seen: str, verb: Callable[[Tx, TicketRow, str], tuple[EventData, dict[str, Any]]]
    ) -> int:
        """A verb about the ticket at a window, with what its event has no room for (Any: JSON values)."""

        def whole(tx: Tx) -> int:
            clerk = self._clerk_at(tx, window)
            data, kept = verb(tx, self._seen(tx, window, seen), clerk)
            return tx.emit(data, kept={"open_ms": self._passed(tx), **kept})

        return await self.store.write(whole)

    def _passed(self, tx: Tx) -> int:
        """Open time so far, kept with the day."""
        return issuing.passed(tx, self.open_time_ms())

    def place(self, window: str, clerk: str | None) -> Place:
        """A window with whoever sits there, as the choice sees it."""
        known, person = self.profile.windows[window], self.staff.get(clerk or "")
        return Place(
            window=window, queues=known.queues, weights=known.weights, skills=person.skills if person else frozenset()
        )

    def moment(self) -> Moment:
        """Now, by both clocks."""
        return Moment(open_ms=self.open_time_ms(), now_ms=self.clock.now_ms())

    def _clerk_at(self, tx: Tx, window: str) -> str:
        if window not in self.profile.windows:
            raise NotFound(what=window)
        session = tx.session.get(SessionRow, window)
        if session is None:
            raise NotSignedIn(window=window)
        return session.clerk

    def _seen(self, tx: Tx, window: str, seen: str) -> TicketRow:
        current = lookups.at_window(tx.session, window)
        if current is None or current.number != seen:
            raise ScreenOutOfDate()
        return current

    @staticmethod
    def _step(tx: Tx, row: TicketRow, verb: Verb) -> None:
        state = queueing.after(TicketState(row.state), verb)
        if state is None:
            raise IllegalStep(number=row.number, state=row.state)
        if state.value != row.state:
            row.state, row.since_ms = state.value, tx.now_ms
        tx.session.add(row)

    def _finish(self, tx: Tx, row: TicketRow, clerk: str, outcome: Outcome) -> int:
        """End the work at a window: of the visit, or of this leg of it, or of a detour."""
        open_ms = self._passed(tx)
        if outcome is not Outcome.LEFT and row.state == TicketState.SERVING.value:
            legs = carts.finished(self.profile, row.legs, row.queue) if row.legs else []
            if row.back_queue is not None or carts.to_do(legs):
                return self._go_on(tx, row, clerk, outcome, legs, open_ms)
        window = row.window or ""
        self._step(tx, row, Verb.FINISH)
        stop_clock(row, open_ms)
        row.outcome = outcome.value
        return tx.emit(
            TicketFinished(
                ticket_id=row.id, window_code=window, clerk_id=clerk, outcome=outcome,
                local_case_nos=tuple(c.local_case_no for c in case_lookups.of_ticket(tx.session, row.id)),
                started_at=rfc3339(row.serving_ms or tx.now_ms), ended_at=rfc3339(tx.now_ms),
            ),
            kept={"open_ms": open_ms},
        )  # fmt: skip

    def _go_on(
        self, tx: Tx, row: TicketRow, clerk: str, outcome: Outcome, legs: list[dict[str, str]], open_ms: int
    ) -> int:
        """Back from a detour, else on to what is left; at the place that the number has had from the beginning."""
        window, back = row.window or "", row.back_queue is not None
        self._step(tx, row, Verb.TRANSFER)
        stop_clock(row, open_ms)
        if back:
            row.queue, row.for_window = row.back_queue or row.queue, row.back_window
            row.back_queue, row.back_window = None, None
        else:
            row.legs, row.for_window = legs, None
            leg = carts.first_ready(legs)
            row.queue, row.item = leg["queue"], leg["item"]
        if row.queue in self.profile.queues:
            row.zone = self.profile.queues[row.queue].zone
        row.window = None
        return tx.emit(
            TicketTransferred(
                ticket_id=row.id, from_window=window, to_window=row.for_window, to_queue=row.queue, keep_position=True,
                reason_code="return" if back else "next_item", clerk_id=clerk,
            ),
            kept={"open_ms": open_ms, "outcome": outcome.value, **stand_of(row)},
        )  # fmt: skip


def stop_clock(row: TicketRow, open_ms: int) -> None:
    """The present stretch of work ends; time that the daemon did not see does not count backwards."""
    if row.stint_ms is not None:
        row.worked_ms += max(0, open_ms - row.stint_ms)
        row.stint_ms = None


def stand_of(row: TicketRow) -> dict[str, Any]:
    """Where a ticket stands, for a replay (Any: JSON values); what is None is left out."""
    kept = {
        "queue": row.queue, "zone": row.zone, "item": row.item, "arrival_ms": row.arrival_ms,
        "arrived_ms": row.arrived_ms, "for_window": row.for_window, "back_queue": row.back_queue,
        "back_window": row.back_window, "pinned_ms": row.pinned_ms, "legs": row.legs or None,
    }  # fmt: skip
    return {key: value for key, value in kept.items() if value is not None}


def acted(clerk: str, action: str, window: str, why: str = "") -> OperatorActed:
    """The audit line of what a clerk did at a window."""
    return OperatorActed(
        actor="clerk", actor_id=clerk, action=action, target=f"window/{window}", result="done", reason_text=why or None
    )


def acted_on(clerk: str, action: str, row: TicketRow, reason: str) -> OperatorActed:
    """The audit line of what a clerk did with a ticket, and why. Raises NeedsReason."""
    if not reason.strip():
        raise NeedsReason()
    return OperatorActed(
        actor="clerk", actor_id=clerk, action=action, target=f"ticket/{row.id}", result="done",
        reason_text=reason.strip(),
    )  # fmt: skip


def still_busy(current: TicketRow) -> HallError:
    """Why a window cannot take another ticket."""
    if current.state == TicketState.CALLED.value:
        return MustDecideCall(number=current.number)
    return MustFinishFirst(number=current.number)


def _ticket_of(event: Event) -> str:
    """Id of the ticket that an event is about; "" if it is about none."""
    if isinstance(event.data, MaterialScanned):
        return event.data.ticket_id or ""
    if isinstance(event.data, OperatorActed):
        return event.data.target.removeprefix("ticket/") if event.data.target.startswith("ticket/") else ""
    return event.subject.removeprefix("ticket/") if event.subject.startswith("ticket/") else ""
