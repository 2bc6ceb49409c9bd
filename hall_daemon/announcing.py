"""Make a call audible: one announcement after the other on each announcer, none dropped.

Several zones may share an announcer; two voices at once in one room are understood by nobody, so each announcer has one
line of calls. A call is said twice; once when many wait, and shorter when very many do. A number that is called again
goes first and takes the place of its waiting call; one that is finished, missed or elsewhere is not said any more. An
announcer that declines or
is away is tried again for a while; then the clerk is told, who calls aloud, because a call that comes minutes late
sends people to windows where somebody else sits. The display shows the call in any case.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from drivers.base import Announcement, Announcer, Condition, Refused
from hall_daemon.devices import Devices, DeviceUnavailable, OutcomeUnknown
from hall_daemon.events import Event, NoShow, TicketCalled, TicketCancelled, TicketFinished, TicketTransferred
from hall_daemon.hall import Hall
from hall_daemon.protocol import Text
from hall_daemon.texts import text
from hall_daemon.voice import Voice, call_text
from hall_daemon.voice_clips import NoSound

_log = logging.getLogger("hall.announcement")

SPEAK_LIMIT_S = 30.0
TRY_FOR_S, TRY_AGAIN_S = 25.0, 1.0
"""How long, from its turn on, a call is tried on an announcer that does not take it (ux.md §4.2: 25 s)."""
ONCE_FROM = 4
"""So many waiting calls are said once each (ux.md §4.2)."""
SHORT_FROM = 6
"""So many are shortened (faults.md A19)."""


_ENDS_CALL = (NoShow, TicketFinished, TicketTransferred, TicketCancelled)


@dataclass(frozen=True, kw_only=True)
class _Call:
    ticket_id: str
    number: str
    window: str
    zone: str


class Announcing:
    """The line of calls of each announcer."""

    def __init__(
        self, hall: Hall, devices: Devices, voice: Voice | None = None, silent: Callable[[], bool] = lambda: False
    ) -> None:
        """`silent` is asked before each call: in an emergency nobody is called to a window."""
        self._hall, self._devices, self._voice, self._silent = hall, devices, voice, silent
        self._of_zone = {z.code: z.announcer for z in hall.profile.zones.values() if z.announcer}
        self._lines: dict[str, deque[_Call]] = {device: deque() for device in self._of_zone.values()}
        self._news: dict[str, asyncio.Event] = {device: asyncio.Event() for device in self._lines}
        self._said_now: dict[str, _Call] = {}
        """Announcer → the call that is being said, while it still counts."""
        self._unsaid: set[str] = set()
        """Announcers that did not say their last call."""
        hall.on_event(self._heard)

    async def run(self) -> None:
        """Speak until cancelled."""
        async with asyncio.TaskGroup() as group:
            for device in self._lines:
                group.create_task(self._speak_all(device), name=f"announcer {device}")

    def notices(self, window: str) -> tuple[Text, ...]:
        """What a clerk must know about the voice that calls for this window."""
        device = self._of_zone.get(self._hall.profile.windows[window].zone)
        if device is None:
            return ()
        if not self._devices.can_serve(device) or device in self._unsaid:
            return (text("notice.announcer_silent"),)
        return ()

    def _heard(self, event: Event) -> None:
        if isinstance(event.data, _ENDS_CALL):
            self._end(event.data.ticket_id)
        if not isinstance(event.data, TicketCalled):
            return
        window = self._hall.profile.windows.get(event.data.window_code)
        device = self._of_zone.get(window.zone) if window else None
        if window is None or device is None:
            return
        ticket = event.data.ticket_id
        call = _Call(ticket_id=ticket, number=event.data.display_no, window=window.code, zone=window.zone)
        self._drop(ticket)  # called again before it was said: it is said once more, not twice
        if event.data.call_no > 1:
            self._lines[device].appendleft(call)  # the resident has missed it once already
        else:
            self._lines[device].append(call)
        self._news[device].set()

    def _drop(self, ticket_id: str) -> None:
        for line in self._lines.values():
            for call in [call for call in line if call.ticket_id == ticket_id]:
                line.remove(call)

    def _end(self, ticket_id: str) -> None:
        """Nobody is called to where nobody waits for them: what is being said is not repeated."""
        self._drop(ticket_id)
        for device, call in list(self._said_now.items()):
            if call.ticket_id == ticket_id:
                del self._said_now[device]

    async def _speak_all(self, device: str) -> None:
        line, news = self._lines[device], self._news[device]
        while True:
            while line:
                waiting, call = len(line), line.popleft()
                self._said_now[device] = call
                await self._speak(device, call, waiting)
                self._said_now.pop(device, None)
            news.clear()
            await news.wait()

    async def _speak(self, device: str, call: _Call, waiting: int) -> None:
        announcement = await self._announcement(call, short=waiting >= SHORT_FROM)
        give_up_at = self._loop_s() + TRY_FOR_S
        for _ in range(1 if waiting >= ONCE_FROM else 2):
            while self._counts(device, call) and not await self._say(device, announcement, call):
                if self._loop_s() >= give_up_at:
                    return
                await asyncio.sleep(TRY_AGAIN_S)

    def _counts(self, device: str, call: _Call) -> bool:
        return not self._silent() and self._said_now.get(device) is call

    async def _announcement(self, call: _Call, *, short: bool) -> Announcement:
        """Its words, and their sound where the hall has clips and a device that plays sounds."""
        settings = self._hall.config.public.voice
        spoken, english = call_text(call.number, call.window, call.zone, self._hall.profile, settings, short=short)
        sound = b""
        if self._voice is not None:
            try:
                sound = await asyncio.to_thread(self._voice.call, call.number, call.window, call.zone, short=short)
            except NoSound as exc:
                _log.debug("without clips number=%s: %s", call.number, exc)
        return Announcement(text=spoken, text_en=english, sound=sound)

    @staticmethod
    def _loop_s() -> float:
        return asyncio.get_running_loop().time()

    async def _say(self, device: str, announcement: Announcement, call: _Call) -> bool:
        """Whether this round is over: said, perhaps said, or impossible; False if it may be tried again."""
        try:
            await self._devices.call(device, lambda announcer: _speak(announcer, announcement), SPEAK_LIMIT_S)
        except (DeviceUnavailable, OutcomeUnknown, Refused) as exc:
            if device not in self._unsaid:
                _log.warning("not said number=%s window=%s announcer=%s: %s", call.number, call.window, device, exc)
            self._mark(device, unsaid=True)
            unsuitable = isinstance(exc, Refused) and exc.condition is Condition.TEXT_UNSUITABLE
            return unsuitable or isinstance(exc, OutcomeUnknown)
        self._mark(device, unsaid=False)
        return True

    def _mark(self, device: str, *, unsaid: bool) -> None:
        if (device in self._unsaid) is unsaid:
            return
        (self._unsaid.add if unsaid else self._unsaid.discard)(device)
        self._hall.changed.ring()


def _speak(announcer: Announcer, announcement: Announcement) -> None:  # type: ignore[type-arg]
    announcer.speak(announcement)
