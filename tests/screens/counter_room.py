"""A counter screen on a scripted hall, for tests: press keys, read the screen, see what the hall was asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from textual.pilot import Pilot

from hall_daemon.client import HallClient, Limits
from hall_daemon.protocol import Text, WindowView
from kiosk_ui.counter import CounterApp
from tests.screens.scripted_hall import ScriptedHall
from tests.screens.window_views import HALL
from tests.waiting import until_async

QUICK = Limits(connect_s=5.0, answer_s=5.0, heartbeat_s=20.0, first_retry_s=0.02, longest_retry_s=0.05)

IMPATIENT = replace(QUICK, answer_s=0.5)
SHORT_OF_HEARING = replace(QUICK, heartbeat_s=1.0)
# On a machine that does many things at once.
LIMIT_S = 25.0


@dataclass(kw_only=True)
class Seat:
    """Eyes and fingers at a counter screen."""

    app: CounterApp
    pilot: Pilot[Text]

    def lines(self) -> list[str]:
        """The screen as a person reads it."""
        return [strip.text for strip in self.app.screen._compositor.render_strips()]

    def shows(self, *words: str) -> bool:
        """Whether all of these stand on the screen."""
        seen = "\n".join(self.lines())
        return all(word in seen for word in words)

    async def sees(self, *words: str) -> None:
        """Wait until all of these stand on the screen."""
        try:
            await until_async(lambda: self.shows(*words), LIMIT_S, f"{words} on the screen")
        except AssertionError as exc:
            raise AssertionError(f"{exc}\n" + "\n".join(self.lines())) from None

    async def press(self, *keys: str) -> None:
        """Press keys one after the other, each handled before the next."""
        await self.pilot.press(*keys)
        await self.pilot.pause()


@dataclass(kw_only=True)
class Room(Seat):
    """A seat in a hall that is played by a script."""

    hall: ScriptedHall

    async def asks(self, *verbs: tuple[str, Any]) -> None:
        """Wait until the hall has been asked for exactly these, in this order."""
        await until_async(lambda: len(self.hall.verbs()) >= len(verbs), LIMIT_S, f"{verbs}, got {self.hall.verbs()}")
        await self.pilot.pause()
        assert self.hall.verbs() == list(verbs)


@asynccontextmanager
async def counter(
    view: WindowView | None,
    *,
    size: tuple[int, int] = (120, 40),
    clerk: str = "",
    plain: bool = False,
    limits: Limits = QUICK,
    signed_out: bool = False,
    day: bool = False,
) -> AsyncIterator[Room]:
    """A running counter screen that has drawn this view."""
    async with ScriptedHall(HALL, view) as hall, HallClient(hall.url, limits=limits) as client:
        client.session = "kept" if view and view.clerk and not signed_out else ""
        app = CounterApp(client, "3", clerk, plain=plain, day=day)
        async with app.run_test(size=size) as pilot:
            room = Room(hall=hall, app=app, pilot=pilot)
            await room.sees("在线" if view else "等主机回答")
            await until_async(lambda: any(a.path == "/hall" for a in hall.asked), LIMIT_S)
            if client.session:
                await until_async(lambda: any(a.path.endswith("/here") for a in hall.asked), LIMIT_S)
            await pilot.pause()
            yield room
