"""Make a call audible: one announcement after the other on each announcer, none dropped.

Several zones may share an announcer; two voices at once in one room are understood by nobody, so each announcer has one
line of calls. A call is said twice; once when many wait, and shorter when very many do. An announcer that declines or
is away is tried again for a while; then the clerk is told, who calls aloud, because a call that comes minutes late
sends people to windows where somebody else sits. The display shows the call in any case.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass

from drivers.base import Announcement, Announcer, Condition, Refused
from hall_daemon.devices import Devices, DeviceUnavailable, OutcomeUnknown
from hall_daemon.events import Event, TicketCalled
from hall_daemon.hall import Hall
from hall_daemon.protocol import Text
from hall_daemon.texts import spoken_number, text

_log = logging.getLogger("hall.announcement")

SPEAK_LIMIT_S = 30.0
TRY_FOR_S, TRY_AGAIN_S = 25.0, 1.0
"""How long, from its turn on, a call is tried on an announcer that does not take it (ux.md §4.2: 25 s)."""
ONCE_FROM = 4
"""So many waiting calls are said once each (ux.md §4.2)."""
SHORT_FROM = 6
"""So many are shortened (faults.md A19)."""


@dataclass(frozen=True, kw_only=True)
class _Call:
    number: str
    window: str
    zone: str


class Announcing:
    """The line of calls of each announcer."""

    def __init__(self, hall: Hall, devices: Devices) -> None:
        self._hall, self._devices = hall, devices
        self._of_zone = {z.code: z.announcer for z in hall.profile.zones.values() if z.announcer}
        self._lines: dict[str, deque[_Call]] = {device: deque() for device in self._of_zone.values()}
        self._news: dict[str, asyncio.Event] = {device: asyncio.Event() for device in self._lines}
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
        if self._devices.view(device).link != "online" or device in self._unsaid:
            return (text("notice.announcer_silent"),)
        return ()

    def _heard(self, event: Event) -> None:
        if not isinstance(event.data, TicketCalled):
            return
        window = self._hall.profile.windows.get(event.data.window_code)
        device = self._of_zone.get(window.zone) if window else None
        if window is None or device is None:
            return
        call = _Call(number=event.data.display_no, window=window.code, zone=window.zone)
        line = self._lines[device]
        if call in line:
            line.remove(call)  # called again before it was said: it is said once more, not twice
        if event.data.call_no > 1:
            line.appendleft(call)  # the resident has missed it once already
        else:
            line.append(call)
        self._news[device].set()

    async def _speak_all(self, device: str) -> None:
        line, news = self._lines[device], self._news[device]
        while True:
            while line:
                waiting = len(line)
                await self._speak(device, line.popleft(), waiting)
            news.clear()
            await news.wait()

    async def _speak(self, device: str, call: _Call, waiting: int) -> None:
        code = "call.announced_short" if waiting >= SHORT_FROM else "call.announced"
        zone = self._hall.profile.zones[call.zone].name
        where = {"zone": zone.zh, "window": call.window}
        announcement = Announcement(
            text=text(code, number=spoken_number(call.number), **where).zh,
            text_en=text(code, number=" ".join(call.number), **where).en,
        )
        give_up_at = self._loop_s() + TRY_FOR_S
        for _ in range(1 if waiting >= ONCE_FROM else 2):
            while not await self._say(device, announcement, call):
                if self._loop_s() >= give_up_at:
                    return
                await asyncio.sleep(TRY_AGAIN_S)

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
