"""Follow a ticket on the phone: the random code on its slip, and what the page behind it may say.

A code is 128 random bits as 22 ASCII characters; only its SHA-256 is kept, so that the database opens no page. It is
valid on the service day of its ticket, until the next one begins. Who tries codes is slowed down; nothing here tells a
person's name, document, phone or errand.

A visit that is over and was not rated at the window can be rated by its code, once (评价, faults.md A25).
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
from collections import OrderedDict
from typing import Literal

from sqlmodel import Session, col

from hall_daemon.clock import Clock, hour_minute
from hall_daemon.database import STORAGE_ERRORS, refused_by
from hall_daemon.estimates import shown
from hall_daemon.events import EvaluationSubmitted
from hall_daemon.hall import Hall
from hall_daemon.lookups import ahead_of, latest_day
from hall_daemon.protocol_board import FollowState, FollowView
from hall_daemon.store import Tx
from hall_daemon.tables import EvaluationRow, TicketRow
from hall_daemon.tables_board import FollowRow
from hall_daemon.tickets import HallError, NotFound
from hall_daemon.words import Outcome, TicketState

_log = logging.getLogger("hall.following")

CODE_BYTES = 16
_CODE = re.compile(r"[A-Za-z0-9_-]{22}")
WRONG_A_MINUTE, ASKED_A_MINUTE = 30, 40
"""Unknown codes from one address, and questions about one ticket: a page asks every 10 s, several phones may."""
_MOST_ADDRESSES = 4096


BY_QR_CODE = 3
"""province.md §8, eval_channel: 二维码."""


class NotToRate(HallError):
    """The visit goes on, nobody came, or it was rated."""

    code = "not_to_rate"


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
    except STORAGE_ERRORS as exc:
        # The slip is worth more than its code.
        _log.warning("a slip goes without its code: %s", type(refused_by(exc)).__name__)
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
        found = await self._hall.store.read(lambda session: _find(session, kept)) if kept else None
        if found is None:
            self._wrong.count(address, now_s)
            raise NotFound(what="such a ticket")
        self._asked.count(kept, now_s)
        return await self._view(*found)

    async def rate(self, code: str, address: str, level: int) -> FollowView:
        """Rate the visit of a code, 5 the best; the ticket afterwards. Raises as `view` does, and NotToRate."""
        before = await self.view(code, address)
        if before.rating != "open":
            raise NotToRate(number=before.number)
        kept = digest(code)
        await self._hall.store.write(lambda tx: _rate(tx, kept, level, self._clock.new_id()))
        _log.info("rated from a phone number=%s", before.number)
        return await self.view(code, address)

    async def _view(self, row: TicketRow, ahead: int, rating: Literal["", "open", "given"]) -> FollowView:
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
            rating=rating,
        )


_STATES = {
    TicketState.WAITING: FollowState.WAITING,
    TicketState.CALLED: FollowState.CALLED,
    TicketState.SERVING: FollowState.SERVING,
    TicketState.PARKED: FollowState.SERVING,
    TicketState.NO_SHOW: FollowState.MISSED,
}


def _ticket_of(session: Session, kept: str) -> TicketRow | None:
    found = session.get(FollowRow, kept)
    day = latest_day(session)
    if found is None or day is None or found.bizdate != day.bizdate:
        return None
    return session.get(TicketRow, found.ticket_id)


def _find(session: Session, kept: str) -> tuple[TicketRow, int, Literal["", "open", "given"]] | None:
    row = _ticket_of(session, kept)
    if row is None:
        return None
    ahead, rating = ahead_of(session, row), _rating(row, session.get(EvaluationRow, row.id))
    session.expunge(row)
    return row, ahead, rating


def _rating(row: TicketRow, given: EvaluationRow | None) -> Literal["", "open", "given"]:
    """Somebody was there, has left, and nobody has rated the visit yet; no answer at the window is none."""
    if given is not None and given.level is not None:
        return "given"
    served = row.state == TicketState.FINISHED.value and row.outcome != Outcome.LEFT.value
    return "open" if served and row.window and row.clerk else ""


def _rate(tx: Tx, kept: str, level: int, new_id: str) -> None:
    row = _ticket_of(tx.session, kept)
    given = None if row is None else tx.session.get(EvaluationRow, row.id)
    if row is None or not (row.window and row.clerk) or _rating(row, given) != "open":
        raise NotToRate(number="" if row is None else row.number)
    if given is None:
        given = EvaluationRow(ticket_id=row.id, id=new_id, ended_ms=tx.now_ms)
    given.level, given.ended_ms = level, tx.now_ms
    tx.session.add(given)
    tx.emit(
        EvaluationSubmitted(
            ticket_id=row.id, evaluation_id=given.id, window_code=row.window, clerk_id=row.clerk, level=level,
            eval_channel=BY_QR_CODE, timeout=False,
        ),
        bizdate=row.bizdate,
    )  # fmt: skip
