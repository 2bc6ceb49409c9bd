"""Taking back what a clerk did a moment ago: a call, a no-show, a finish.

Nothing is erased: the event stands, and a correction behind it says what holds instead. What can be undone is known in
memory only, for seconds; a daemon that has started anew in between offers nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlmodel import select

from hall_daemon import lookups
from hall_daemon.clock import Clock
from hall_daemon.config import HallConfig
from hall_daemon.events import EventCorrected
from hall_daemon.hall_core import HallCore, still_busy
from hall_daemon.store import Store, Tx
from hall_daemon.tables import TicketRow
from hall_daemon.tables_cases import CaseRow, NoticeRow
from hall_daemon.tickets import NothingToUndo
from hall_daemon.words import TicketState

UNDO_MS = 8_000
ON_THE_WAY_MS = 2_000
"""The eight seconds are the clerk's; the press may take a while to arrive."""
CHANGING = (
    "state", "since_ms", "window", "for_window", "clerk", "call_no", "called_ms", "serving_ms", "no_shows", "hold",
    "park_reason", "outcome", "queue", "zone", "item", "arrival_ms", "arrived_ms", "pinned_ms", "pin_reason", "legs",
    "first_clerk", "back_queue", "back_window", "stage", "counted_ms", "counted_calls", "stint_ms", "worked_ms",
    "identity_rechecked",
)  # fmt: skip
"""Columns of a ticket that verbs change."""
Values = dict[str, Any]
"""Column → value. Any: of every type."""


CASE_CHANGING = ("state", "since_ms", "accepted_on", "due_on", "result")
"""Columns of a case that its steps change."""


@dataclass(frozen=True, kw_only=True)
class CaseStand:
    """A case before a step."""

    row: Values
    answered: dict[tuple[str, str], str | None]
    """Notice, by day and number → day on which it was answered."""


@dataclass(frozen=True, kw_only=True)
class CaseDeed:
    """What a verb has done with a case; its papers stay as they were judged."""

    local_case_no: str
    event_ids: tuple[str, ...]
    before: CaseStand
    after: Values


def case_values(row: CaseRow) -> Values:
    """What `CaseStand` and `CaseDeed` keep of a case."""
    return {column: getattr(row, column) for column in CASE_CHANGING}


@dataclass(frozen=True, kw_only=True)
class Undoable:
    """What was done, and the ticket before and after it."""

    event: int
    event_id: str
    ticket_id: str
    open_ms: int
    before: Values
    after: Values
    cases: tuple[CaseDeed, ...] = ()
    """Made for this end, and undone with it."""


class UndoVerbs(HallCore):
    """Undo."""

    def __init__(self, config: HallConfig, store: Store, clock: Clock) -> None:
        super().__init__(config, store, clock)
        self._done: defaultdict[str, list[Undoable]] = defaultdict(list)
        """Window → what may still be undone there, oldest first."""
        self._case_steps: dict[str, CaseDeed] = {}
        """Case → its last step today."""

    async def undo(self, window: str) -> int:
        """Take back the last call, no-show or finish at a window, up to 8 s after it; then the one before.

        With a finish go the steps of cases that were made for it: a case is received again, or as it was before, and
        a notice of it is void.

        Raises NotSignedIn, NothingToUndo, MustDecideCall, MustFinishFirst.
        """
        last = self._last_done(window)

        def verb(tx: Tx) -> int:
            clerk = self._clerk_at(tx, window)
            row = tx.session.get_one(TicketRow, last.ticket_id)
            if self._before(row) != last.after:
                raise NothingToUndo()
            current = lookups.at_window(tx.session, window)
            if last.before["window"] == window and current is not None and current.id != row.id:
                raise still_busy(current)
            for column, value in last.before.items():
                setattr(row, column, value)
            tx.session.add(row)
            for step in last.cases:
                _undo_case(tx, step, clerk)
            return tx.emit(
                EventCorrected(
                    corrects_id=last.event_id, fields={"ticket_id": row.id, "state": row.state}, reason_text="undo",
                    actor_id=clerk,
                ),
                kept={"open_ms": self._passed(tx), "row": last.before},
            )  # fmt: skip

        event = await self.store.write(verb)
        self._done[window].remove(last)
        return event

    def may_undo(self, window: str) -> TicketState | None:
        """State to which the last step at a window can be taken back now; None if nothing can."""
        try:
            return TicketState(self._last_done(window).before["state"])
        except NothingToUndo:
            return None

    def _last_done(self, window: str) -> Undoable:
        now_ms = self.open_time_ms()
        recent = [d for d in self._done[window] if now_ms - d.open_ms <= UNDO_MS + ON_THE_WAY_MS]
        self._done[window] = recent
        if not recent:
            raise NothingToUndo()
        return recent[-1]

    @staticmethod
    def _before(row: TicketRow) -> Values:
        return {column: getattr(row, column) for column in CHANGING}

    def _undoable(self, tx: Tx, row: TicketRow, before: Values) -> Undoable:
        """What has just been emitted, as something that may be undone."""
        event = tx.events[-1]
        return Undoable(
            event=event.number, event_id=event.id, ticket_id=row.id, open_ms=self.open_time_ms(), before=before,
            after=self._before(row),
        )  # fmt: skip

    def _steps_for(self, cases: Iterable[str]) -> tuple[CaseDeed, ...]:
        """The last steps of these cases."""
        return tuple(self._case_steps[number] for number in cases if number in self._case_steps)

    def _may_undo(self, window: str, *done: Undoable) -> None:
        """After the commit."""
        self._done[window] += done


def _undo_case(tx: Tx, step: CaseDeed, clerk: str) -> None:
    row = tx.session.get_one(CaseRow, step.local_case_no)
    if case_values(row) != step.after:
        raise NothingToUndo()
    for column, value in step.before.row.items():
        setattr(row, column, value)
    tx.session.add(row)
    for notice in tx.session.exec(select(NoticeRow).where(NoticeRow.local_case_no == row.local_case_no)).all():
        key = (notice.bizdate, notice.notice_no)
        if key not in step.before.answered:
            tx.session.delete(notice)  # its number is used up, and whoever asks for it hears that there is none
        elif notice.answered_on != step.before.answered[key]:
            notice.answered_on = step.before.answered[key]
            tx.session.add(notice)
    for event_id in step.event_ids:
        fields = {"local_case_no": row.local_case_no, "state": row.state}
        tx.emit(EventCorrected(corrects_id=event_id, fields=fields, reason_text="undo", actor_id=clerk))
