"""Ask the resident who leaves a window for an evaluation (评价), where the window has a device for it.

One question per visit, at its end or before it when the clerk asks for it. It ends with a grade, after 60 s, or when
the next resident sits down: nobody rates somebody else's visit. No answer, and a device that cannot ask, are recorded
as no answer; nothing is ever invented. The clerk learns that somebody answered, not what.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from sqlmodel import Session

from drivers.base import Evaluator, Grade, GradeGiven, Refused
from hall_daemon.devices import Devices, DeviceUnavailable, Input, OutcomeUnknown
from hall_daemon.events import EvaluationSubmitted, Event, ServingStarted, TicketFinished
from hall_daemon.hall import Hall
from hall_daemon.protocol import Text
from hall_daemon.store import Tx
from hall_daemon.tables import EvaluationRow
from hall_daemon.texts import text
from hall_daemon.tickets import HallError, IllegalStep, ScreenOutOfDate
from hall_daemon.words import Outcome, TicketState

_log = logging.getLogger("hall.evaluation")

ANSWER_LIMIT_S = 60.0
"""domain.md §11: no answer after 60 s is none."""
DEVICE_LIMIT_S = 4.0


@dataclass(frozen=True, kw_only=True)
class _Visit:
    ticket_id: str
    clerk: str
    early: bool = False
    """The clerk asked while it still went on; no answer then is none to be recorded, the end asks again."""


class NoEvaluator(HallError):
    """The window has no device to ask with."""

    code = "no_evaluator"


class Evaluating:
    """The questions of all windows that have an evaluation device."""

    def __init__(self, hall: Hall, devices: Devices, answer_limit_s: float = ANSWER_LIMIT_S) -> None:
        self._hall, self._devices = hall, devices
        self._answer_limit_s = answer_limit_s
        self._at = {w.code: w.evaluator for w in hall.profile.windows.values() if w.evaluator}
        self._ended: dict[str, asyncio.Queue[_Visit]] = {window: asyncio.Queue() for window in self._at}
        self._answers: dict[str, asyncio.Queue[Grade | None]] = {window: asyncio.Queue() for window in self._at}
        """A grade, or None when the time for one is over early."""
        self._standing: dict[str, str] = {}
        """Window → the ticket that its question is about."""
        self._state: dict[str, str] = {}
        self._listeners: list[Callable[[str], None]] = []
        hall.on_event(self._heard)
        for window, device in self._at.items():
            devices.on_input(device, lambda found, window=window: self._pressed(window, found))  # type: ignore[misc]

    async def run(self) -> None:
        """Ask after each visit until cancelled."""
        async with asyncio.TaskGroup() as group:
            for window in self._at:
                group.create_task(self._ask_everybody(window), name=f"evaluation {window}")

    async def ask_now(self, window: str, seen: str) -> None:
        """Ask the resident who is being served. Raises NotSignedIn, NoEvaluator, ScreenOutOfDate, IllegalStep."""
        clerk = await self._hall.clerk_at(window)
        if window not in self._ended:
            raise NoEvaluator()
        current = (await self._hall.snapshot()).at_window(window)
        if current is None or current.number != seen:
            raise ScreenOutOfDate()
        if current.state is not TicketState.SERVING:
            raise IllegalStep(number=seen, state=current.state)
        self._ended[window].put_nowait(_Visit(ticket_id=current.ticket_id, clerk=clerk, early=True))

    def notice(self, window: str) -> Text | None:
        """What the clerk may know of the last question: that it is asked, answered or not; never the grade."""
        state = self._state.get(window)
        return text(f"evaluation.{state}") if state else None

    def asks(self, window: str) -> bool:
        """Whether somebody stands there with the question before them."""
        return self._state.get(window) == "asked"

    def on_change(self, hear: Callable[[str], None]) -> None:
        """`hear` is told the window whose question begins or ends."""
        self._listeners.append(hear)

    def _heard(self, event: Event) -> None:
        data = event.data
        if isinstance(data, TicketFinished) and data.window_code in self._ended and data.outcome is not Outcome.LEFT:
            # A new visit has ended: whoever still has the question of another one before them answers no more.
            if self._standing.get(data.window_code) != data.ticket_id:
                self._answers[data.window_code].put_nowait(None)
            self._ended[data.window_code].put_nowait(_Visit(ticket_id=data.ticket_id, clerk=data.clerk_id))
        elif isinstance(data, ServingStarted) and data.window_code in self._answers:
            self._answers[data.window_code].put_nowait(None)

    def _pressed(self, window: str, found: Input) -> None:
        if isinstance(found, GradeGiven):
            self._answers[window].put_nowait(found.grade)

    async def _ask_everybody(self, window: str) -> None:
        while True:
            visit = await self._ended[window].get()
            if await self._hall.store.read(partial(_is_rated, ticket_id=visit.ticket_id)):
                self._show(window, "given")
                continue  # one evaluation a visit: the clerk asked for it before its end
            self._standing[window] = visit.ticket_id
            self._show(window, "asked")
            grade = await self._ask(window)
            self._standing.pop(window)
            if grade is None and visit.early:
                self._show(window, "none")
                continue
            await self._hall.store.write(partial(_record, hall=self._hall, visit=visit, window=window, grade=grade))
            self._show(window, "none" if grade is None else "given")

    async def _ask(self, window: str) -> Grade | None:
        answers = self._answers[window]
        while not answers.empty():
            answers.get_nowait()  # what was pressed before the question is no answer to it
        if not self._ended[window].empty():
            return None  # another visit has ended since
        try:
            await self._devices.call(self._at[window], _ask_grade, DEVICE_LIMIT_S)
        except (DeviceUnavailable, OutcomeUnknown, Refused) as exc:
            _log.warning("not asked window=%s: %s", window, exc)
            return None
        try:
            async with asyncio.timeout(self._answer_limit_s):
                grade = await answers.get()
        except TimeoutError:
            grade = None
        if grade is None:
            await self._stop_asking(window)
        return grade

    async def _stop_asking(self, window: str) -> None:
        try:
            await self._devices.call(self._at[window], _stop_asking, DEVICE_LIMIT_S)
        except (DeviceUnavailable, OutcomeUnknown, Refused) as exc:
            _log.info("still asking window=%s: %s", window, exc)  # an answer that comes now is dropped here

    def _show(self, window: str, state: str) -> None:
        self._state[window] = state
        for hear in self._listeners:
            hear(window)
        self._hall.changed.ring()


def _ask_grade(device: Evaluator) -> None:  # type: ignore[type-arg]  # of whatever link and options
    device.ask_grade()


def _stop_asking(device: Evaluator) -> None:  # type: ignore[type-arg]
    device.stop_asking()


def _is_rated(session: Session, ticket_id: str) -> bool:
    row = session.get(EvaluationRow, ticket_id)
    return row is not None and row.level is not None


def _record(tx: Tx, hall: Hall, visit: _Visit, window: str, grade: Grade | None) -> None:
    if tx.session.get(EvaluationRow, visit.ticket_id) is not None:
        return  # served again after a transfer back: one evaluation a visit
    # The province counts from 5 (very satisfied) down, devices and the national order from 1 up.
    level = None if grade is None else 6 - grade
    row = EvaluationRow(ticket_id=visit.ticket_id, id=hall.clock.new_id(), level=level, ended_ms=tx.now_ms)
    tx.session.add(row)
    tx.emit(
        EvaluationSubmitted(
            ticket_id=visit.ticket_id, evaluation_id=row.id, window_code=window, clerk_id=visit.clerk, level=level,
            timeout=grade is None,
        )
    )  # fmt: skip
