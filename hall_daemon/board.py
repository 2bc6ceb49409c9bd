"""What the hall board shows: calls, who waits in which zone and how long, who missed a call, and what the hall says.

Decides nothing but what is old, and by the opening hours whether it is lunch. In an emergency the board is red and the
voice is silent; the hall sets and ends it, and it outlives a restart. The one that closes the hall ends with the next
opening.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from hall_daemon.clock import CHINA, Clock, hour_minute
from hall_daemon.estimates import Estimate, Outlook, shown
from hall_daemon.hall import Hall
from hall_daemon.opening import DayState
from hall_daemon.profile import Zone
from hall_daemon.protocol import Text
from hall_daemon.protocol_board import BoardState, BoardView, NextNumber, ZoneBoard
from hall_daemon.signage import Signage
from hall_daemon.texts import say, text
from hall_daemon.tickets import Snapshot, TicketInfo
from hall_daemon.words import TicketState

MISSED_MS = 30 * 60_000
NEXT, LINE = 2, 7
LOOK_S = 10.0
"""So often it is seen whether time alone has changed what the boards show."""
_NOTICES = ("board.notice.missed", "board.notice.look", "board.notice.help")


class Emergency:
    """Whether people must leave the hall; a file beside the database, so that a restart does not forget it."""

    def __init__(self, file: Path, changed: Callable[[], None], bizdate: Callable[[], str] = lambda: "") -> None:
        """`bizdate` is the service day that was opened last."""
        self._file, self.changed, self._bizdate = file, changed, bizdate
        self._on = file.exists()
        self._closed_day = file.read_text("ascii") if self._on else ""
        """Service day that an emergency has closed: whoever opens the next one has let people in again."""

    @property
    def on(self) -> bool:
        """Whether boards say so now."""
        return self._on and not (self._closed_day and self._bizdate() > self._closed_day)

    def keep(self, *, on: bool, closed_day: str = "") -> None:
        """The hall says that people must leave, or may come back. Touches the disk; tells nobody. Raises OSError."""
        self._on, self._closed_day = on, closed_day  # even if the disk is full, the boards must say it
        if on:
            self._file.write_text(closed_day, "ascii")
        else:
            self._file.unlink(missing_ok=True)


class Board:
    """Builds the view of a board."""

    def __init__(self, hall: Hall, signage: Signage, emergency: Emergency, clock: Clock) -> None:
        self._hall, self._signage, self._emergency, self._clock = hall, signage, emergency, clock
        self._lines: dict[str, tuple[int, str]] = {}
        self._making = asyncio.Lock()

    async def run(self) -> None:
        """Tell the boards of what no event tells: lunch, the hour of opening, who has been missed for long enough."""
        shown: BoardView | None = None
        while True:
            view = (await self.view()).model_copy(update={"clock": ""})
            if shown is not None and view != shown:
                self._hall.changed.ring()
            shown = view
            await asyncio.sleep(LOOK_S)

    async def line(self, zone: str = "") -> str:
        """The view as JSON; made once for each change, however many boards ask."""
        async with self._making:
            rings = self._hall.changed.rings
            known = self._lines.get(zone)
            if known is None or known[0] != rings:
                known = self._lines[zone] = rings, (await self.view(zone)).model_dump_json()
            return known[1]

    async def view(self, zone: str = "") -> BoardView:
        """The whole hall, or one zone."""
        snapshot, now_ms = await self._hall.snapshot(), self._clock.now_ms()
        outlook = await self._hall.waits.outlook()
        settings = self._hall.config.public.board
        waiting = [t for t in snapshot.waiting() if not zone or t.zone.code == zone]
        zones = [z for z in self._hall.profile.zones.values() if not zone or z.code == zone]
        state, reopens = self._phase(snapshot, now_ms)
        return BoardView(
            hall=self._hall.profile.hall,
            date=_date(now_ms),
            clock=hour_minute(now_ms),
            day_open=snapshot.day_open,
            state=state,
            reopens=reopens,
            open_windows=self._open_windows(snapshot, zone) if state is BoardState.LUNCH else (),
            calls=self._signage.board_calls(zone, now_ms),
            zones=tuple(self._zone(z, outlook, waiting, show_next=settings.next_numbers) for z in zones),
            nexts=_in_line(waiting, outlook) if zone and settings.next_numbers else (),
            missed=tuple(
                t.number
                for t in snapshot.tickets
                if t.state is TicketState.NO_SHOW
                and now_ms - t.since_ms < MISSED_MS
                and (not zone or t.zone.code == zone)
            ),
            notices=(*(_notice(said) for said in settings.notices), *(text(code) for code in _NOTICES)),
            exits=settings.exits,
            last_event=snapshot.event,
        )

    def _phase(self, snapshot: Snapshot, now_ms: int) -> tuple[BoardState, Text]:
        """Which page the board shows, and when it goes on."""
        day, calendar = self._hall.day, self._hall.profile.calendar
        if self._emergency.on:
            return BoardState.EMERGENCY, _NOTHING
        if not snapshot.day_open:
            if day.hours.next_opening_ms(now_ms, calendar) is None:
                return BoardState.CLOSED, _NOTHING
            return BoardState.CLOSED, say("day.opens_again", opens=day.next_opening(now_ms, calendar))
        if day.halted_until_ms is not None:
            return BoardState.CLOSED, text("board.valid_until", time=hour_minute(day.halted_until_ms))
        # Who drains the hall serves those who are there, whatever the hours say.
        plan = day.hours.plan_at(now_ms, calendar) if day.state is DayState.OPEN else None
        goes_on_ms = plan.break_ends_ms(now_ms) if plan is not None else None
        if goes_on_ms is None:
            return BoardState.OPEN, _NOTHING
        return BoardState.LUNCH, text("board.goes_on", time=hour_minute(goes_on_ms))

    def _open_windows(self, snapshot: Snapshot, zone: str) -> tuple[str, ...]:
        """Where somebody works now."""
        return tuple(
            w.code
            for w in self._hall.profile.windows.values()
            if w.code in snapshot.sessions and w.code not in snapshot.pauses and (not zone or w.zone == zone)
        )

    def _zone(self, zone: Zone, outlook: Outlook, waiting: list[TicketInfo], *, show_next: bool) -> ZoneBoard:
        mine = [t.number for t in waiting if t.zone.code == zone.code]
        queues = [q.code for q in self._hall.profile.queues.values() if q.zone == zone.code]
        # The longest of its queues: nobody is to wait longer than the board says.
        waits = [_minutes(outlook.queues[queue]) for queue in queues if queue in outlook.queues]
        return ZoneBoard(
            zone=zone.code, name=zone.name, waiting=len(mine), wait_minutes=max(waits, default=None),
            next=tuple(mine[:NEXT]) if show_next else (),
        )  # fmt: skip


def _in_line(waiting: list[TicketInfo], outlook: Outlook) -> tuple[NextNumber, ...]:
    return tuple(
        NextNumber(
            number=t.number,
            wait_minutes=_minutes(outlook.tickets[t.ticket_id]) if t.ticket_id in outlook.tickets else None,
        )
        for t in waiting[:LINE]
    )


def _minutes(estimate: Estimate) -> int:
    return shown(estimate).about_min


_NOTHING = Text(zh="")
_WEEKDAYS = "一二三四五六日"


def _date(now_ms: int) -> Text:
    today = datetime.fromtimestamp(now_ms / 1000, CHINA)
    return Text(
        zh=f"{today.month}月{today.day}日 星期{_WEEKDAYS[today.weekday()]}", en=f"{today:%A} {today.day} {today:%B}"
    )


def _notice(said: str) -> Text:
    zh, _, en = said.partition("|")
    return Text(zh=zh.strip(), en=en.strip())
