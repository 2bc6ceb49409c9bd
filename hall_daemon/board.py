"""What the hall board shows: calls, who waits in which zone and how long, who missed a call, and what the hall says.

Decides nothing but what is old. In an emergency the board is red and the voice is silent; the hall sets and ends it,
and it outlives a restart.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from hall_daemon.clock import CHINA, Clock, hour_minute
from hall_daemon.hall import Hall
from hall_daemon.profile import Zone
from hall_daemon.protocol import Text
from hall_daemon.protocol_board import BoardState, BoardView, NextNumber, ZoneBoard
from hall_daemon.signage import Signage
from hall_daemon.texts import text
from hall_daemon.tickets import Snapshot, TicketInfo
from hall_daemon.words import TicketState

MISSED_MS = 30 * 60_000
NEXT, LINE = 2, 7
_NOTICES = ("board.notice.missed", "board.notice.look", "board.notice.help")

Wait = Callable[[Snapshot, str, int], int | None]
"""Minutes that somebody with so many ahead in a zone waits; None where nobody can say."""


def nobody_knows(_snapshot: Snapshot, _zone: str, _ahead: int) -> int | None:
    """No estimate."""
    return None


class Emergency:
    """Whether people must leave the hall; a file beside the database, so that a restart does not forget it."""

    def __init__(self, file: Path, changed: Callable[[], None]) -> None:
        self._file, self.changed = file, changed
        self.on = file.exists()

    def keep(self, *, on: bool) -> None:
        """The hall says that people must leave, or may come back. Touches the disk; tells nobody. Raises OSError."""
        self.on = on  # even if the disk is full, the boards must say it
        if on:
            self._file.touch()
        else:
            self._file.unlink(missing_ok=True)


class Board:
    """Builds the view of a board."""

    def __init__(
        self, hall: Hall, signage: Signage, emergency: Emergency, clock: Clock, wait: Wait = nobody_knows
    ) -> None:
        self._hall, self._signage, self._emergency, self._clock, self._wait = hall, signage, emergency, clock, wait

    async def view(self, zone: str = "") -> BoardView:
        """The whole hall, or one zone."""
        snapshot, now_ms = await self._hall.snapshot(), self._clock.now_ms()
        settings = self._hall.config.public.board
        waiting = [t for t in snapshot.waiting() if not zone or t.zone.code == zone]
        zones = [z for z in self._hall.profile.zones.values() if not zone or z.code == zone]
        return BoardView(
            hall=self._hall.profile.hall,
            date=_date(now_ms),
            clock=hour_minute(now_ms),
            day_open=snapshot.day_open,
            state=self._state(snapshot),
            calls=self._signage.board_calls(zone, now_ms),
            zones=tuple(self._zone(z, snapshot, waiting, show_next=settings.next_numbers) for z in zones),
            nexts=self._line(zone, snapshot, waiting) if zone and settings.next_numbers else (),
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

    def _state(self, snapshot: Snapshot) -> BoardState:
        if self._emergency.on:
            return BoardState.EMERGENCY
        return BoardState.OPEN if snapshot.day_open else BoardState.CLOSED

    def _zone(self, zone: Zone, snapshot: Snapshot, waiting: list[TicketInfo], *, show_next: bool) -> ZoneBoard:
        mine = [t.number for t in waiting if t.zone.code == zone.code]
        return ZoneBoard(
            zone=zone.code, name=zone.name, waiting=len(mine), wait_minutes=self._wait(snapshot, zone.code, len(mine)),
            next=tuple(mine[:NEXT]) if show_next else (),
        )  # fmt: skip

    def _line(self, zone: str, snapshot: Snapshot, waiting: list[TicketInfo]) -> tuple[NextNumber, ...]:
        return tuple(
            NextNumber(number=t.number, wait_minutes=self._wait(snapshot, zone, ahead))
            for ahead, t in enumerate(waiting[:LINE])
        )


_WEEKDAYS = "一二三四五六日"


def _date(now_ms: int) -> Text:
    today = datetime.fromtimestamp(now_ms / 1000, CHINA)
    return Text(
        zh=f"{today.month}月{today.day}日 星期{_WEEKDAYS[today.weekday()]}", en=f"{today:%A} {today.day} {today:%B}"
    )


def _notice(said: str) -> Text:
    zh, _, en = said.partition("|")
    return Text(zh=zh.strip(), en=en.strip())
