"""How long will it take now? Keeps what the day has shown of handling times, and plays the queue ahead when asked.

Hears the hall's events; decides nothing and keeps nobody waiting: whoever asks gets no estimate rather than an error.
After a restart handling times are read from the day's tickets; how far a range must reach is learnt anew.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, select

from hall_daemon.estimates import (
    LAST_ARRIVAL,
    Desk,
    Diary,
    Estimate,
    InLine,
    Outlook,
    Paces,
    Record,
    Shown,
    Visit,
    calibrated,
    learn,
    newcomer,
    shown,
)
from hall_daemon.events import (
    DayOpened,
    Event,
    NoShow,
    TicketCalled,
    TicketCancelled,
    TicketExpired,
    TicketFinished,
    TicketIssued,
    TicketParked,
    TicketTransferred,
)
from hall_daemon.hall_core import HallCore
from hall_daemon.lookups import latest_day
from hall_daemon.profile import QUEUE_ITEM, HallProfile
from hall_daemon.protocol import Text
from hall_daemon.tables import TicketRow
from hall_daemon.texts import text
from hall_daemon.tickets import Snapshot, TicketInfo
from hall_daemon.words import TicketState

_log = logging.getLogger("hall.waits")

LEARN_EVERY_S = 15.0
FRESH_S = 0.25
"""So long an outlook is as good as new, also when numbers are taken at many places at once."""
LONGEST_GAP_S = 90.0
"""Between two visits of a window: longer ones are no gap but a pause."""
REMEMBERED = 2000
"""Tickets whose estimate is kept until they are called."""


@dataclass(frozen=True, kw_only=True)
class Comer:
    """Who is about to take a number."""

    arrival_ms: int = LAST_ARRIVAL
    """Virtual arrival, in open time."""
    not_before_s: float = 0.0
    """An appointment is not called before its slot."""


AT_THE_END = Comer()


@dataclass(frozen=True, kw_only=True)
class _AtWindow:
    ticket_id: str
    item: str
    since_s: float


class Waits:
    """The estimates of one hall."""

    def __init__(self, hall: HallCore) -> None:
        self.diary, self.record = Diary(), Record()
        self._hall = hall
        self._items: dict[str, str] = {}
        """Ticket → item, of those that are not through."""
        self._waiting: dict[str, str] = {}
        """Ticket → queue, of those whom nobody has called."""
        self._at: dict[str, _AtWindow] = {}
        self._left: dict[str, tuple[float, bool]] = {}
        """Window → when its last visit ended, and whether anybody waited for it then."""
        self._said: OrderedDict[str, tuple[Estimate, float]] = OrderedDict()
        self._paces: Paces | None = None
        self._learnt_s = 0.0
        self._outlook: tuple[float, int, Outlook] | None = None
        hall.on_event(self._heard)

    async def take_up(self) -> None:
        """After a start: what the day has shown so far."""
        for row in await self._hall.store.read(_so_far):
            if row.state == TicketState.FINISHED.value:
                # Of a visit that was interrupted the row does not tell how long the window was taken.
                # By the wall clock, which may have been set back in between: that visit says nothing.
                if row.called_ms and row.hold is None and row.since_ms >= row.called_ms:
                    self.diary.ended(Visit(item=row.item, taken_s=(row.since_ms - row.called_ms) / 1000))
                continue
            self._items[row.id] = row.item
            if row.state == TicketState.WAITING.value:
                self._waiting[row.id] = row.queue

    # --- answers ------------------------------------------------------------------------------------------------------

    async def expect(self, queue: str, more: Sequence[str] = (), comer: Comer = AT_THE_END) -> Estimate | None:
        """The wait of somebody who comes to this queue now; None if nobody can say. `more`: if these windows opened."""
        now_s, usual = self._hall.clock.monotonic_s(), not more and comer == AT_THE_END
        if usual and self._outlook is not None and now_s - self._outlook[0] < FRESH_S:
            return self._outlook[2].queues.get(queue)  # in a rush nobody asks the database for what was just told
        snapshot = await self._hall.snapshot()
        if usual:
            return self.outlook_of(snapshot).queues.get(queue)
        line, desks = [*self._line(snapshot), newcomer(queue, comer.arrival_ms)], self._desks(snapshot, more)
        found = _foresee(line, desks, self.paces(now_s), queue).queues.get(queue)
        return calibrated(_from(found, comer.not_before_s), self.record) if found is not None else None

    async def outlook(self) -> Outlook:
        """Estimates for all who wait and for a new one in each queue."""
        return self.outlook_of(await self._hall.snapshot())

    def outlook_of(self, snapshot: Snapshot) -> Outlook:
        """The same for a snapshot that somebody has."""
        now_s = self._hall.clock.monotonic_s()
        if self._outlook is not None and self._still_good(self._outlook, snapshot, now_s):
            return self._outlook[2]
        new = [newcomer(queue) for queue in self._hall.profile.queues]
        found = _foresee([*self._line(snapshot), *new], self._desks(snapshot), self.paces(now_s))
        outlook = Outlook(
            tickets={ticket: calibrated(e, self.record) for ticket, e in found.tickets.items()},
            queues={queue: calibrated(e, self.record) for queue, e in found.queues.items()},
        )
        self._outlook = (now_s, snapshot.event, outlook)
        return outlook

    @staticmethod
    def _still_good(kept: tuple[float, int, Outlook], snapshot: Snapshot, now_s: float) -> bool:
        made_s, event, _ = kept
        return now_s - made_s < (FRESH_S if event != snapshot.event else 20 * FRESH_S)

    def paces(self, now_s: float) -> Paces:
        """Handling times of now."""
        if self._paces is None or now_s - self._learnt_s > LEARN_EVERY_S:
            minutes, queue_of = _of_catalogue(self._hall.profile)
            self._paces, self._learnt_s = learn(self.diary, minutes, queue_of), now_s
        return self._paces

    def said(self, ticket_id: str, estimate: Estimate | None) -> None:
        """What the resident of a new ticket was told."""
        if estimate is not None:
            self._said[ticket_id] = (estimate, self._hall.clock.monotonic_s())
            if len(self._said) > REMEMBERED:
                self._said.popitem(last=False)

    def _line(self, snapshot: Snapshot) -> list[InLine]:
        return [InLine(ticket=t, item=i.item.code) for t, i in zip(snapshot.line(), snapshot.waiting(), strict=True)]

    def _desks(self, snapshot: Snapshot, more: Sequence[str] = ()) -> list[Desk]:
        now_ms, now_s = self._hall.clock.now_ms(), self._hall.clock.monotonic_s()
        desks = []
        for window in self._hall.profile.windows.values():
            is_open = window.code in snapshot.sessions and window.code not in snapshot.pauses
            if is_open or window.code in more:
                current = snapshot.at_window(window.code)
                place = self._hall.place(window.code, snapshot.sessions.get(window.code))
                desks.append(
                    Desk(
                        window=window.code, queues=window.queues, weights=place.weights, skills=place.skills,
                        busy_with=current.item.code if current else None,
                        busy_s=_since_call_s(current, now_ms) if current else 0.0,
                        ended_s=now_s - self._left[window.code][0] if window.code in self._left else None,
                    )
                )  # fmt: skip
        return desks

    # --- what the day shows -------------------------------------------------------------------------------------------

    def _heard(self, event: Event) -> None:
        data, now_s = event.data, self._hall.clock.monotonic_s()
        if isinstance(data, TicketIssued):
            item = data.item_codes[0] if data.item_codes else QUEUE_ITEM + data.queue_code
            self._items[data.ticket_id] = item
            self._waiting[data.ticket_id] = data.queue_code
        elif isinstance(data, TicketCalled):
            self._called(data, now_s)
        elif isinstance(data, TicketFinished | NoShow):
            self._ended(data, now_s)
        elif isinstance(data, TicketParked | TicketTransferred):
            self._at.pop(data.window_code if isinstance(data, TicketParked) else data.from_window, None)
        elif isinstance(data, TicketCancelled | TicketExpired):
            self._waiting.pop(data.ticket_id, None)
        elif isinstance(data, DayOpened):
            self._forget()

    def _called(self, data: TicketCalled, now_s: float) -> None:
        self._waiting.pop(data.ticket_id, None)
        if data.call_no > 1:
            return
        left = self._left.pop(data.window_code, None)
        if left is not None and left[1] and now_s - left[0] <= LONGEST_GAP_S:
            self.diary.between_s.append(now_s - left[0])
        said = self._said.pop(data.ticket_id, None)
        if said is not None:
            self.record.came_true(said[0], now_s - said[1])
        item = self._items.get(data.ticket_id, "")
        self._at[data.window_code] = _AtWindow(ticket_id=data.ticket_id, item=item, since_s=now_s)

    def _ended(self, data: TicketFinished | NoShow, now_s: float) -> None:
        at = self._at.pop(data.window_code, None)
        if at is None or at.ticket_id != data.ticket_id:
            return  # taken up again after it was parked: how long it took in all says nothing about the next one
        if isinstance(data, NoShow):
            self.diary.called_in_vain(now_s - at.since_s)
        else:
            self.diary.ended(Visit(item=at.item, taken_s=now_s - at.since_s))
            self._items.pop(data.ticket_id, None)
        window = self._hall.profile.windows.get(data.window_code)
        waited_for = window is not None and not set(window.queues).isdisjoint(self._waiting.values())
        self._left[data.window_code] = (now_s, waited_for)

    def _forget(self) -> None:
        """A new day shows its own."""
        self.diary, self.record, self._paces, self._outlook = Diary(), Record(), None, None
        for kept in (self._items, self._waiting, self._at, self._left, self._said):
            kept.clear()


def prepare() -> None:
    """Load what plays the queue: NumPy takes a tenth of the daemon's start, in which nobody waits yet."""
    from hall_daemon import estimates_play  # noqa: F401, PLC0415 - see above


def _foresee(line: Sequence[InLine], desks: Sequence[Desk], paces: Paces, about: str | None = None) -> Outlook:
    if not desks:
        return Outlook(tickets={}, queues={})
    from hall_daemon.estimates_play import foresee  # noqa: PLC0415 - see prepare

    return foresee(line, desks, paces, about)


def _from(estimate: Estimate, not_before_s: float) -> Estimate:
    return Estimate(
        middle_s=max(estimate.middle_s, not_before_s), low_s=max(estimate.low_s, not_before_s),
        high_s=max(estimate.high_s, not_before_s),
    )  # fmt: skip


def _since_call_s(ticket: TicketInfo, now_ms: int) -> float:
    return max(0.0, (now_ms - (ticket.called_ms or ticket.since_ms)) / 1000)


def _of_catalogue(profile: HallProfile) -> tuple[dict[str, float], dict[str, str]]:
    minutes = {item.code: float(item.minutes) for item in profile.items.values() if item.minutes}
    return minutes, {item.code: item.queue for item in profile.items.values()}


def _so_far(session: Session) -> list[TicketRow]:
    """Tickets of the latest day in the order of their last change."""
    day = latest_day(session)
    if day is None:
        return []
    question = select(TicketRow).where(TicketRow.bizdate == day.bizdate).order_by(col(TicketRow.since_ms))
    rows = list(session.exec(question))
    session.expunge_all()
    return rows


# --- for people -------------------------------------------------------------------------------------------------------


def range_text(estimate: Estimate | None) -> Text:
    """On slip and check page: a range. Where nobody can say, that is said."""
    if estimate is None:
        return text("wait.unknown")
    read = shown(estimate)
    return text("wait.none") if read.high_min == 0 else text("wait.range", low=read.low_min, high=read.high_min)


def about_text(estimate: Estimate | None) -> Text:
    """In lists and on the board: one rounded figure."""
    if estimate is None:
        return text("wait.unknown")
    read: Shown = shown(estimate)
    return text("wait.none") if read.high_min == 0 else text("wait.about", n=read.about_min)
