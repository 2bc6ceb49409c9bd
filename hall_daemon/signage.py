"""Make a call visible and audible.

Hears what happened at the windows and tells the window displays and the hall board, each within its own limit. Decides
nothing: who is called is settled before this module hears of it, and no failure here takes a call back. A display that
comes back gets its full state, not what it missed.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from sqlmodel import Session, col, select

from drivers.base import CallDisplay, Condition, Refused
from hall_daemon.clock import hour_minute, ms_of
from hall_daemon.devices import Devices, DeviceUnavailable, OutcomeUnknown, Superseded, Urgency
from hall_daemon.events import (
    DayClosed,
    DayOpened,
    Event,
    EventCorrected,
    NoShow,
    OperatorActed,
    ServingStarted,
    TicketCalled,
    TicketCancelled,
    TicketFinished,
    TicketParked,
    TicketRequeued,
    TicketResumed,
    TicketTransferred,
)  # fmt: skip
from hall_daemon.hall import Hall
from hall_daemon.protocol import DeviceView, Text
from hall_daemon.protocol_board import CalledNumber
from hall_daemon.tables import EventRow
from hall_daemon.texts import text
from hall_daemon.tickets import Snapshot
from hall_daemon.window_texts import PAGE_S, Page, WindowFacts, WindowState, cells_of, pages
from hall_daemon.words import TicketState

_log = logging.getLogger("hall.signage")

SHOW_LIMIT_S = 8.0
SHOW_AGAIN_S = 2.0
"""After a display did not answer; one that goes offline meanwhile gets its text when it is back."""
BOARD_CALLS = 12
"""So many of the newest calls a board shows at least; those of the last minute it gets all, however many they are."""
KEPT_CALLS = 120
NEWS_MS = 60_000
_AT_WINDOWS = (
    TicketCalled, ServingStarted, TicketParked, TicketResumed, TicketTransferred, NoShow, TicketFinished, OperatorActed,
    DayClosed, TicketRequeued, EventCorrected,
)  # fmt: skip
"""Events after which a display may have to show something else."""
_ENDS_CALL = (NoShow, TicketFinished, TicketTransferred, TicketCancelled)
"""After these a call that still waits for its voice is not spoken (ux.md §4.2)."""


class Signage:
    """What the displays should show, what they do show, and the calls of the board."""

    def __init__(self, hall: Hall, devices: Devices, rating: Callable[[str], bool] = lambda _window: False) -> None:
        """`rating` tells whether a resident at a window has the evaluation question before them."""
        self.calls: deque[CalledNumber] = deque(maxlen=KEPT_CALLS)
        """Newest first."""
        self._hall = hall
        self._devices = devices
        self._displays = {w.display: w.code for w in hall.profile.windows.values() if w.display}
        self._ticket_of: dict[int, str] = {}
        """Call → ticket, for the calls above: a board need not know."""
        self._rating = rating
        self._cells = {d: cells_of(hall.config.devices[d].options) for d in self._displays}
        self._pages: dict[str, tuple[Page, ...]] = {}
        self._page: dict[str, int] = dict.fromkeys(self._displays, 0)
        self._turning: dict[str, asyncio.TimerHandle] = {}
        self._asked: dict[str, Page | None] = dict.fromkeys(self._displays)
        """What each display was last asked to show; None: it may show anything."""
        self._failed: set[str] = set()
        self._due: dict[str, asyncio.Event] = {display: asyncio.Event() for display in self._displays}
        hall.on_event(self._heard)
        devices.on_change(self._device_changed)

    async def run(self) -> None:
        """Follow the hall until cancelled."""
        await self._recall_board()
        async with asyncio.TaskGroup() as group:
            for display, window in self._displays.items():
                self._due[display].set()
                group.create_task(self._keep_shown(display, window), name=f"display {display}")

    def notices(self, window: str) -> tuple[Text, ...]:
        """What a clerk must know about the display over the window."""
        display = self._hall.profile.windows[window].display
        if not display:
            return ()
        if self._devices.view(display).link != "online":
            return (text("notice.display_offline"),)
        return (text("notice.display_fault"),) if display in self._failed else ()

    def show_again(self, display: str) -> None:
        """Something else was shown there (a test pattern): show what belongs there."""
        if display in self._due:
            self._asked[display] = None
            self._due[display].set()

    def window_changed(self, window: str) -> None:
        """Something about a window changed that is no event: the evaluation question came or went."""
        for display, at in self._displays.items():
            if at == window:
                self._due[display].set()

    def board_calls(self, zone: str, now_ms: int) -> tuple[CalledNumber, ...]:
        """Newest first: what a board shows, and all that one which was away for a moment has missed."""
        mine = [call for call in self.calls if not zone or call.zone == zone]
        return tuple(c for n, c in enumerate(mine) if n < BOARD_CALLS or now_ms - ms_of(c.at) < NEWS_MS)

    def _heard(self, event: Event) -> None:
        data = event.data
        if isinstance(data, TicketCalled):
            self.calls.appendleft(self._called(data, event.number, event.time))
            self._ticket_of[event.number] = data.ticket_id
            self._ticket_of.pop(next(iter(self._ticket_of)) if len(self._ticket_of) > KEPT_CALLS else -1, None)
        elif isinstance(data, _ENDS_CALL):
            self._call_is_over(data.ticket_id)
        if isinstance(data, DayOpened):
            self.calls.clear()
            self._hall.changed.ring()
        # A step at one window may concern another (transfer, resume): each display compares for itself.
        if isinstance(data, _AT_WINDOWS):
            for due in self._due.values():
                due.set()

    def _device_changed(self, view: DeviceView) -> None:
        if view.device in self._due:
            self._asked[view.device] = None  # whatever it showed may be lost
            self._due[view.device].set()

    async def _keep_shown(self, display: str, window: str) -> None:
        due = self._due[display]
        async with asyncio.TaskGroup() as showing:
            while True:
                await due.wait()
                due.clear()
                if self._devices.view(display).link != "online":
                    continue
                forms = self._page_of(display, await self._hall.snapshot(), window)
                if forms != self._asked[display]:
                    self._asked[display] = forms
                    # Not awaited: what comes next takes the place of a text that still waits for the line.
                    showing.create_task(self._show(display, window, forms), name=f"show on {display}")

    def _page_of(self, display: str, snapshot: Snapshot, window: str) -> Page:
        """The page whose turn it is; several pages change every three seconds."""
        wanted = pages(self._facts(snapshot, window), self._cells[display])
        if wanted != self._pages.get(display):
            self._pages[display], self._page[display] = wanted, 0
        timer = self._turning.pop(display, None)
        if timer is not None:
            timer.cancel()
        if len(wanted) > 1:
            self._turning[display] = asyncio.get_running_loop().call_later(PAGE_S, self._turn, display)
        return wanted[self._page[display] % len(wanted)]

    def _turn(self, display: str) -> None:
        self._page[display] += 1
        self._due[display].set()

    async def _show(self, display: str, window: str, forms: Page) -> None:
        urgency = Urgency.CALL if forms[0].attention else Urgency.ORDINARY
        try:
            await self._devices.call(display, _shower(forms), SHOW_LIMIT_S, urgency=urgency, topic="screen")
        except Superseded:
            return  # the newer text tells how it goes
        except (DeviceUnavailable, OutcomeUnknown, Refused) as exc:
            self._failed.add(display)
            if self._asked[display] is forms:
                self._asked[display] = None
                if not (isinstance(exc, Refused) and exc.condition is Condition.TEXT_UNSUITABLE):
                    asyncio.get_running_loop().call_later(SHOW_AGAIN_S, self._due[display].set)
            _log.warning("not shown window=%s display=%s: %s", window, display, exc)
            self._hall.changed.ring()
            return
        if display in self._failed:
            self._failed.discard(display)
            self._hall.changed.ring()

    def _facts(self, snapshot: Snapshot, window: str) -> WindowFacts:
        ticket = snapshot.at_window(window)
        if window not in snapshot.sessions:
            return WindowFacts(window=window, state=WindowState.OFF)
        if ticket is not None:
            called = ticket.state is TicketState.CALLED
            state = WindowState.CALLING if called else WindowState.SERVING
            return WindowFacts(window=window, state=state, number=ticket.number)
        if self._rating(window):
            return WindowFacts(window=window, state=WindowState.RATING)
        pause = snapshot.pauses.get(window)
        if pause is not None:
            until = hour_minute(pause.until_ms) if pause.until_ms else ""
            return WindowFacts(
                window=window, state=WindowState.PAUSED, until=until, other=self._instead_of(snapshot, window)
            )
        return WindowFacts(window=window, state=WindowState.IDLE)

    def _instead_of(self, snapshot: Snapshot, window: str) -> str:
        """An open window that serves what this one serves, of the same zone if there is one."""
        paused = self._hall.profile.windows[window]
        open_ones = [
            w
            for w in self._hall.profile.windows.values()
            if w.code in snapshot.sessions
            and w.code not in snapshot.pauses
            and not set(w.queues).isdisjoint(paused.queues)
        ]
        open_ones.sort(key=lambda w: (w.zone != paused.zone, not set(w.queues) >= set(paused.queues)))
        return open_ones[0].code if open_ones else ""

    def _called(self, data: TicketCalled, number: int, time: str) -> CalledNumber:
        window = self._hall.profile.windows.get(data.window_code)
        return CalledNumber(
            number=data.display_no,
            window=data.window_code,
            zone=window.zone if window else "",
            call_no=data.call_no,
            at=time,
            announcement=text("call.spoken", number=data.display_no, window=data.window_code),
            event=number,
        )

    def _call_is_over(self, ticket_id: str) -> None:
        """Nobody need hear it any more: whoever was called is gone, elsewhere, or done."""
        for n, call in enumerate(self.calls):
            if self._ticket_of.get(call.event) == ticket_id and not call.over:
                self.calls[n] = call.model_copy(update={"over": True})

    async def _recall_board(self) -> None:
        """After a restart the board shows the calls of the service day again."""

        def question(session: Session) -> list[CalledNumber]:
            rows = session.exec(
                select(EventRow)
                .where(EventRow.type == TicketCalled.wire_type, EventRow.bizdate == self._hall.store.bizdate(session))
                .order_by(col(EventRow.number).desc())
                .limit(KEPT_CALLS)
            )
            # An event that is said again in a later stream is the same call.
            first = {row.id: row for row in rows}
            return [
                self._called(TicketCalled.model_validate(json.loads(row.body)["data"]), row.number or 0, row.time)
                for row in first.values()
            ]

        known = {call.event for call in self.calls}
        self.calls.extend(call for call in await self._hall.store.read(question) if call.event not in known)


def _shower(forms: Page) -> Callable[[CallDisplay[Any, Any]], None]:
    """Shows the first form that fits; a display refuses one that does not before it sends anything."""

    def show(display: CallDisplay[Any, Any]) -> None:
        for form in forms:
            try:
                display.show(form)
            except Refused as exc:
                if exc.condition is not Condition.TEXT_UNSUITABLE or form is forms[-1]:
                    raise
            else:
                return

    return show
