"""Physical callers (物理呼叫器): their keys do what the clerk's keys do, their display shows what the screen shows.

A caller knows less than a screen: no names, no lists, mostly two keys. `next` on a caller that has no key for "serve"
says that whoever was called did come and has left. The same number on caller and screen is what the clerk has seen.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from drivers.base import Caller, CallerKey, CallerPress, Refused
from hall_daemon import access
from hall_daemon.desk import Desk
from hall_daemon.devices import Devices, DeviceUnavailable, Input, OutcomeUnknown
from hall_daemon.evaluating import Evaluating
from hall_daemon.hall import Hall
from hall_daemon.protocol import DeviceView, Transfer
from hall_daemon.texts import text
from hall_daemon.tickets import HallError, NotFound, Snapshot
from hall_daemon.words import Hold, Outcome, ParkReason, PauseReason, TicketState

_log = logging.getLogger("hall.caller")

DEVICE_LIMIT_S = 4.0
TELL_AGAIN_S = 2.0
NEXT_AGAIN_S = 2.0
"""Nobody is served in less: a second `next` within this time is the first one's bounce."""


@dataclass(frozen=True, kw_only=True)
class _Shown:
    signed_in: bool
    number: str
    waiting: int


class Callers:
    """The callers of all windows."""

    def __init__(self, hall: Hall, devices: Devices, desk: Desk, evaluating: Evaluating) -> None:
        self._hall, self._devices, self._desk, self._evaluating = hall, devices, desk, evaluating
        self._at = {w.code: w.caller for w in hall.profile.windows.values() if w.caller}
        self._pressed: dict[str, asyncio.Queue[CallerPress]] = {window: asyncio.Queue() for window in self._at}
        self._shown: dict[str, _Shown | None] = dict.fromkeys(self._at)
        self._next_at: dict[str, float] = {}
        for window, device in self._at.items():
            devices.on_input(device, lambda found, window=window: self._hear(window, found))  # type: ignore[misc]
        devices.on_change(self._device_changed)

    async def run(self) -> None:
        """Follow keys and hall until cancelled."""
        async with asyncio.TaskGroup() as group:
            for window, device in self._at.items():
                group.create_task(self._obey(window), name=f"caller {device}")
                group.create_task(self._keep_shown(window, device), name=f"caller display {device}")

    # --- keys ---------------------------------------------------------------------------------------------------------

    def _hear(self, window: str, found: Input) -> None:
        if isinstance(found, CallerPress):
            self._pressed[window].put_nowait(found)

    async def _obey(self, window: str) -> None:
        while True:
            press = await self._pressed[window].get()
            try:
                await self._do(window, press)
            except HallError as exc:
                _log.info("refused key=%s window=%s: %s", press.key, window, exc.code)
                if press.key is CallerKey.SIGN_IN:
                    await self._tell(self._at[window], lambda caller: caller.answer_sign_in(accepted=False))
                self._show_anew(window)  # the caller may show what it had hoped for

    async def _do(self, window: str, press: CallerPress) -> None:
        if press.key is CallerKey.SIGN_IN:
            await self._hall.sign_in(window, self._clerk_of(press.staff))
            self._show_anew(window)  # a caller that lost its power knows nothing, though the clerk was signed in
        elif press.key is CallerKey.SIGN_OUT:
            await self._hall.sign_out(window)
        elif press.key is CallerKey.NEXT:
            await self._next(window)
        elif press.key is CallerKey.UNDO:
            await self._hall.undo(window)
        elif press.key is CallerKey.PAUSE:
            await self._pause(window)
        elif press.key is CallerKey.RESUME:
            await self._resume(window)
        elif press.key is CallerKey.SELECT:
            await self._select(window, press.typed)
        elif press.key is CallerKey.TRANSFER:
            await self._transfer(window, press.typed)
        else:
            await self._about_current(window, press.key)

    def _clerk_of(self, staff: str) -> str:
        """The clerk of a staff number as a caller sends it: digits, leading zeros lost. Raises NotFound."""
        wanted = [
            c
            for c, who in self._hall.staff.items()
            if access.may_take(who) and re.sub(r"^\D*0*", "", c) == staff.lstrip("0")
        ]
        if len(wanted) != 1:
            raise NotFound(what=staff)
        return wanted[0]

    async def _next(self, window: str) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._next_at.get(window, -NEXT_AGAIN_S) < NEXT_AGAIN_S:
            return
        current = (await self._hall.snapshot()).at_window(window)
        if current is not None and current.state is TicketState.CALLED and not await self._has_serve_key(window):
            await self._hall.serve(window, current.number, identity_rechecked=False)
        await self._hall.call_next(window, current.number if current else None)
        self._next_at[window] = asyncio.get_running_loop().time()

    async def _pause(self, window: str) -> None:
        """Away for a moment, or back: a key can say no reason."""
        if (await self._hall.snapshot()).pauses.get(window) is None:
            await self._desk.pause(window, PauseReason.AWAY, 0)
        else:
            await self._desk.go_on(window)

    async def _resume(self, window: str) -> None:
        """The ticket that was parked here last: a key can name none."""
        here = [
            t for t in (await self._hall.snapshot()).tickets if t.state is TicketState.PARKED and t.window == window
        ]
        if here:
            await self._hall.resume(window, max(here, key=lambda t: t.since_ms).number)

    async def _select(self, window: str, typed: str) -> None:
        """The number with these digits, if one only waits or was missed here. Raises NotFound.

        A caller has digits and no letters. That it was chosen there is the reason that is audited.
        """
        snapshot = await self._hall.snapshot()
        queues = self._hall.profile.windows[window].queues
        found = [
            t.number
            for t in snapshot.tickets
            if t.state in (TicketState.WAITING, TicketState.NO_SHOW)
            and {t.queue, *(leg.queue for leg in t.also)} & set(queues)
            and _digits(t.number) == _digits(typed)
        ]
        if len(found) != 1:
            raise NotFound(what=typed)
        current = snapshot.at_window(window)
        await self._hall.select(window, current.number if current else None, found[0], text("caller.chosen").zh)

    async def _transfer(self, window: str, typed: str) -> None:
        """Whoever is here goes to the window with this number. Raises NotFound."""
        current = (await self._hall.snapshot()).at_window(window)
        if current is None or typed == window:
            raise NotFound(what=typed)
        if current.state is TicketState.CALLED:  # who is sent on has come
            await self._hall.serve(window, current.number, identity_rechecked=False)
        await self._hall.transfer(window, Transfer(seen=current.number, to_window=typed))

    async def _has_serve_key(self, window: str) -> bool:
        found: list[bool] = []
        await self._tell(self._at[window], lambda caller: found.append(CallerKey.SERVE in caller.keys))
        return bool(found and found[0])

    async def _about_current(self, window: str, key: CallerKey) -> None:
        current = (await self._hall.snapshot()).at_window(window)
        if current is None:
            return
        hall = self._hall
        verbs: dict[CallerKey, Callable[[], Awaitable[object]]] = {
            CallerKey.RECALL: lambda: hall.recall(window, current.number),
            CallerKey.SERVE: lambda: hall.serve(window, current.number, identity_rechecked=False),
            CallerKey.FINISH: lambda: hall.finish(window, current.number, Outcome.COMPLETED),
            CallerKey.NO_SHOW: lambda: hall.no_show(window, current.number),
            CallerKey.PARK: lambda: hall.park(window, current.number, ParkReason.OTHER, Hold.HERE),
            CallerKey.RATE: lambda: self._evaluating.ask_now(window, current.number),
        }
        await verbs[key]()

    # --- display ------------------------------------------------------------------------------------------------------

    def _device_changed(self, view: DeviceView) -> None:
        for window, device in self._at.items():
            if device == view.device:
                self._show_anew(window)

    def _show_anew(self, window: str) -> None:
        self._shown[window] = None
        self._hall.changed.ring()

    async def _keep_shown(self, window: str, device: str) -> None:
        heard = 0
        while True:
            if self._devices.view(device).link == "online":
                await self._show(window, device, self._wanted(await self._hall.snapshot(), window))
            heard = await self._hall.changed.wait(heard)

    def _wanted(self, snapshot: Snapshot, window: str) -> _Shown:
        current = snapshot.at_window(window)
        queues = self._hall.profile.windows[window].queues
        return _Shown(
            signed_in=window in snapshot.sessions,
            number=current.number if current else "",
            waiting=snapshot.count_for(window, queues),
        )

    async def _show(self, window: str, device: str, wanted: _Shown) -> None:
        before = self._shown[window]
        if wanted == before:
            return
        self._shown[window] = wanted
        told = True
        if before is not None and before.signed_in != wanted.signed_in:
            before = None  # nobody tells a caller anything while nobody is signed in, and signing out empties it
        if before is None:
            told = await self._tell(device, lambda caller: caller.answer_sign_in(accepted=wanted.signed_in))
        if told and wanted.signed_in and (before is None or before.number != wanted.number):
            told = await self._tell(device, lambda caller: caller.show_ticket(wanted.number))
        if told and wanted.signed_in and (before is None or before.waiting != wanted.waiting):
            told = await self._tell(device, lambda caller: caller.show_waiting(wanted.waiting))
        if not told:
            self._shown[window] = None
            asyncio.get_running_loop().call_later(TELL_AGAIN_S, self._hall.changed.ring)

    async def _tell(self, device: str, deed: Callable[[Caller], None]) -> bool:  # type: ignore[type-arg]
        try:
            await self._devices.call(device, deed, DEVICE_LIMIT_S)
        except (DeviceUnavailable, OutcomeUnknown, Refused) as exc:
            _log.info("not told device=%s: %s", device, exc)  # it is told all when it is back
            return False
        return True


def _digits(number: str) -> int:
    return int(re.sub(r"\D", "", number) or 0)
