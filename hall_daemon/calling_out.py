"""Who still waits when the hall is to be closed is called out by voice, zone by zone (fault E13).

Asking to close the day does it; the confirmation, which ends the numbers, comes from a person afterwards. One sentence
says what is the case, then the numbers are said, as many as people would listen to. No announcer: the clerk calls.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from typing import Any, Literal

from drivers.base import Announcement, Refused
from hall_daemon.devices import Devices, DeviceUnavailable, OutcomeUnknown
from hall_daemon.events import Event, OperatorActed
from hall_daemon.hall import Hall
from hall_daemon.service_day import CALL_OUT
from hall_daemon.texts import spoken_number, text

_log = logging.getLogger("hall.announcement")

SPEAK_LIMIT_S = 30.0
MOST_SAID, AT_ONCE = 20, 5
"""Numbers in a zone that are said one by one, and in one sentence."""


class CallingOut:
    """Says it once for each time that somebody asks to close."""

    def __init__(self, hall: Hall, devices: Devices) -> None:
        self._hall, self._devices = hall, devices
        self._asked = asyncio.Event()
        hall.on_event(self._heard)

    async def run(self) -> None:
        """Speak when asked, until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            async with asyncio.TaskGroup() as group:
                for device, numbers in (await self._waiting()).items():
                    group.create_task(self._call_out(device, numbers), name=f"call out {device}")

    def _heard(self, event: Event) -> None:
        if isinstance(event.data, OperatorActed) and event.data.action == CALL_OUT:
            self._asked.set()

    async def _waiting(self) -> dict[str, list[str]]:
        """Announcer → numbers that wait where it is heard."""
        zones = self._hall.profile.zones
        found: dict[str, list[str]] = defaultdict(list)
        for ticket in (await self._hall.snapshot()).waiting():
            zone = zones.get(ticket.zone.code)
            if zone is not None and zone.announcer:
                found[zone.announcer].append(ticket.number)
        return found

    async def _call_out(self, device: str, numbers: list[str]) -> None:
        for announcement in announcements(numbers, one=self._hall.config.public.voice.one):
            try:
                await self._devices.call(device, partial(_speak, announcement), SPEAK_LIMIT_S)
            except (DeviceUnavailable, OutcomeUnknown, Refused) as exc:
                _log.warning("not called out at closing announcer=%s: %s", device, exc)
                return


def announcements(numbers: list[str], one: Literal["yi", "yao"]) -> Iterator[Announcement]:
    """What is said about those who wait in a zone; `one` is how a 1 is read."""
    head = text("day.call_out", n=len(numbers))
    yield Announcement(text=head.zh, text_en=head.en)
    if len(numbers) > MOST_SAID:
        return
    for first in range(0, len(numbers), AT_ONCE):
        some = numbers[first : first + AT_ONCE]
        spoken = "，".join(spoken_number(number, one) for number in some)
        yield Announcement(text=text("day.call_out_numbers", numbers=spoken).zh)


def _speak(announcement: Announcement, announcer: Any) -> None:  # Any: an Announcer
    announcer.speak(announcement)
