"""Follow a ticket on the phone: the random code on its slip, and what the page behind it may say.

A code is 128 random bits as 22 ASCII characters; only its SHA-256 is kept, so that the database opens no page. It is
valid on the service day of its ticket. Who tries codes is slowed down; nothing here tells a person's name, document,
phone or errand.
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
from collections import OrderedDict

from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col

from hall_daemon.clock import Clock, hour_minute
from hall_daemon.estimates import shown
from hall_daemon.hall import Hall
from hall_daemon.lookups import ahead_of, latest_day
from hall_daemon.protocol_board import FollowState, FollowView
from hall_daemon.store import Tx
from hall_daemon.tables import TicketRow
from hall_daemon.tables_board import FollowRow
from hall_daemon.tickets import NotFound
from hall_daemon.words import TicketState

_log = logging.getLogger("hall.following")

CODE_BYTES = 16
_CODE = re.compile(r"[A-Za-z0-9_-]{22}")
WRONG_A_MINUTE, ASKED_A_MINUTE = 30, 40
"""Unknown codes from one address, and questions about one ticket: a page asks every 10 s, several phones may."""
_MOST_ADDRESSES = 4096


class TooMany(Exception):
    """Asked too often; `wait_s` seconds later it may be tried again."""

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"asked too often; wait {wait_s} s")
        self.wait_s = wait_s


class _Rate:
    """So many a minute for each key; remembers only the latest keys."""

    def __init__(self, a_minute: int) -> None:
        self._a_minute = a_minute
        self._counted: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def full(self, key: str, now_s: float) -> int:
        """Seconds until this key may go on; 0: at once."""
        minute, count = self._counted.get(key, (0, 0))
        return 60 - int(now_s) % 60 if minute == int(now_s) // 60 and count >= self._a_minute else 0

    def count(self, key: str, now_s: float) -> None:
        """One more."""
        now = int(now_s) // 60
        minute, count = self._counted.pop(key, (0, 0))
        self._counted[key] = (now, count + 1 if minute == now else 1)
        while len(self._counted) > _MOST_ADDRESSES:
            self._counted.popitem(last=False)


def digest(code: str) -> str:
    """What is kept of a code."""
    return hashlib.sha256(code.encode("ascii")).hexdigest()


async def slip_address(hall: Hall, ticket_id: str) -> str:
    """What the QR code of a slip says: the page of its ticket; an opaque id where the hall has no such page."""
    url = hall.config.public.phone.url
    if not url:
        return ticket_id
    code = secrets.token_urlsafe(CODE_BYTES)
    try:
        await hall.store.write(lambda tx: _keep(tx, code, ticket_id))
    except DBAPIError as exc:
        # The slip is worth more than its code.
        _log.warning("a slip goes without its code: %s", type(exc.orig).__name__)
        return ""
    return f"{url}/{code}"


def _keep(tx: Tx, code: str, ticket_id: str) -> None:
    row = tx.session.get(TicketRow, ticket_id)
    if row is None:
        return
    tx.forget(FollowRow, col(FollowRow.bizdate) != row.bizdate)
    tx.session.add(FollowRow(digest=digest(code), ticket_id=ticket_id, bizdate=row.bizdate))


class Following:
    """Answers the phones."""

    def __init__(self, hall: Hall, clock: Clock) -> None:
        self._hall, self._clock = hall, clock
        self._wrong, self._asked = _Rate(WRONG_A_MINUTE), _Rate(ASKED_A_MINUTE)

    async def view(self, code: str, address: str) -> FollowView:
        """The ticket of a code. Raises NotFound for one that is none, or was of another day; TooMany."""
        now_s = self._clock.monotonic_s()
        kept = digest(code) if _CODE.fullmatch(code) else ""
        if wait_s := self._wrong.full(address, now_s) or self._asked.full(kept, now_s):
            raise TooMany(wait_s)
        row, ahead = await self._hall.store.read(lambda session: _find(session, kept)) if kept else (None, 0)
        if row is None:
            self._wrong.count(address, now_s)
            raise NotFound(what="such a ticket")
        self._asked.count(kept, now_s)
        return await self._view(row, ahead)

    async def _view(self, row: TicketRow, ahead: int) -> FollowView:
        state = _STATES.get(TicketState(row.state), FollowState.OVER)
        low = high = None
        if state is FollowState.WAITING:
            estimate = (await self._hall.waits.outlook()).tickets.get(row.id)
            if estimate is not None:
                told = shown(estimate)
                low, high = told.low_min, told.high_min
        profile = self._hall.profile
        return FollowView(
            hall=profile.hall,
            clock=hour_minute(self._clock.now_ms()),
            number=row.number,
            state=state,
            ahead=ahead,
            low_minutes=low,
            high_minutes=high,
            zone=profile.zone_of(row.zone).name,
            windows=profile.windows_for(row.queue),
            window=row.window or "" if state in (FollowState.CALLED, FollowState.SERVING) else "",
        )


_STATES = {
    TicketState.WAITING: FollowState.WAITING,
    TicketState.CALLED: FollowState.CALLED,
    TicketState.SERVING: FollowState.SERVING,
    TicketState.PARKED: FollowState.SERVING,
    TicketState.NO_SHOW: FollowState.MISSED,
}


def _find(session: Session, kept: str) -> tuple[TicketRow | None, int]:
    found = session.get(FollowRow, kept)
    day = latest_day(session)
    if found is None or day is None or found.bizdate != day.bizdate:
        return None, 0
    row = session.get(TicketRow, found.ticket_id)
    if row is None:
        return None, 0
    ahead = ahead_of(session, row)
    session.expunge(row)
    return row, ahead
