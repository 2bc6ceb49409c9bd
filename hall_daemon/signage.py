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

from drivers.base import CallDisplay, CallText, Condition, Refused
from hall_daemon.devices import Devices, DeviceUnavailable, OutcomeUnknown, Superseded, Urgency
from hall_daemon.events import (
    DayClosed,
    DayOpened,
    Event,
    NoShow,
    OperatorActed,
    ServingStarted,
    TicketCalled,
    TicketFinished,
    TicketParked,
    TicketResumed,
    TicketTransferred,
)  # fmt: skip
from hall_daemon.hall import Hall
from hall_daemon.protocol import CalledNumber, DeviceView, Text
from hall_daemon.tables import EventRow
from hall_daemon.texts import text
from hall_daemon.tickets import Snapshot
from hall_daemon.words import TicketState

_log = logging.getLogger("hall.signage")

SHOW_LIMIT_S = 8.0
SHOW_AGAIN_S = 2.0
"""After a display did not answer; one that goes offline meanwhile gets its text when it is back."""
BOARD_CALLS = 12
_AT_WINDOWS = (
    TicketCalled, ServingStarted, TicketParked, TicketResumed, TicketTransferred, NoShow, TicketFinished, OperatorActed,
    DayClosed,
)  # fmt: skip
"""Events after which a display may have to show something else."""


class Signage:
    """What the displays should show, what they do show, and the calls of the board."""

    def __init__(self, hall: Hall, devices: Devices) -> None:
        self.calls: deque[CalledNumber] = deque(maxlen=BOARD_CALLS)
        """Newest first."""
        self._hall = hall
        self._devices = devices
        self._displays = {w.display: w.code for w in hall.profile.windows.values() if w.display}
        self._asked: dict[str, tuple[CallText, ...] | None] = dict.fromkeys(self._displays)
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

    def _heard(self, event: Event) -> None:
        data = event.data
        if isinstance(data, TicketCalled):
            self.calls.appendleft(self._called(data, event.number, event.time))
        elif isinstance(data, DayOpened):
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
                forms = self._wanted(await self._hall.snapshot(), window)
                if forms != self._asked[display]:
                    self._asked[display] = forms
                    # Not awaited: what comes next takes the place of a text that still waits for the line.
                    showing.create_task(self._show(display, window, forms), name=f"show on {display}")

    async def _show(self, display: str, window: str, forms: tuple[CallText, ...]) -> None:
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

    def _wanted(self, snapshot: Snapshot, window: str) -> tuple[CallText, ...]:
        """What belongs on the display, then what will do where that is too long or cannot be written."""
        ticket = snapshot.at_window(window) if window in snapshot.sessions else None
        called = ticket is not None and ticket.state is TicketState.CALLED
        facts = {"window": window, "number": ticket.number if ticket else ""}
        codes: tuple[str, ...] = ("window.idle",)
        least = window
        if window not in snapshot.sessions:
            codes, least = ("window.closed",), text("window.closed_least").en
        elif ticket is not None:
            codes = ("call.display", "call.display_short") if called else ("window.serving",)
            least = ticket.number
        # The English sentence is the longest: only a display without Chinese gets that far.
        forms = (*(text(code, **facts).zh for code in codes), text(codes[0], **facts).en, least)
        return tuple(CallText(text=form, attention=called) for form in forms)

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

    async def _recall_board(self) -> None:
        """After a restart the board shows the calls of the service day again."""

        def question(session: Session) -> list[CalledNumber]:
            rows = session.exec(
                select(EventRow)
                .where(EventRow.type == TicketCalled.wire_type, EventRow.bizdate == self._hall.store.bizdate(session))
                .order_by(col(EventRow.number).desc())
                .limit(BOARD_CALLS)
            )
            # An event that is said again in a later stream is the same call.
            first = {row.id: row for row in rows}
            return [
                self._called(TicketCalled.model_validate(json.loads(row.body)["data"]), row.number or 0, row.time)
                for row in first.values()
            ]

        known = {call.event for call in self.calls}
        self.calls.extend(call for call in await self._hall.store.read(question) if call.event not in known)


def _shower(forms: tuple[CallText, ...]) -> Callable[[CallDisplay[Any, Any]], None]:
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
