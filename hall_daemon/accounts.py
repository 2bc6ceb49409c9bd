"""Who works here: accounts with PINs, lock-out, and the sessions of screens and people.

An account lives in the database. One that the configuration names is made from it once, when it is first seen; what is
changed afterwards is changed here. Knows no HTTP; the rules are in access, what a window is doing is the hall's.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlmodel import Session, select

from hall_daemon import access
from hall_daemon.access import Role, Staff
from hall_daemon.events import Event, OperatorActed
from hall_daemon.hall import Hall
from hall_daemon.hall_sessions import leave_window
from hall_daemon.protocol_clerks import AccountView, NewAccount, PersonSession, SignedIn
from hall_daemon.store import Tx
from hall_daemon.tables import SessionRow
from hall_daemon.tables_clerks import AccountRow, SecretRow
from hall_daemon.tickets import HallError, NotFound

_log = logging.getLogger("hall.accounts")

IDLE_LOOK_S = 5.0
HASHES_AT_ONCE = len(os.sched_getaffinity(0))
"""A hash keeps a processor busy; more of them at once than processors only make everybody wait for the slowest."""
_AUDITED = 200
"""Characters of a reason in an audit line."""


class WrongPin(HallError):
    """No such staff number, or not its PIN."""

    code = "wrong_pin"


class AccountLocked(HallError):
    """For a while after wrong PINs, or by a person."""

    code = "account_locked"


class AccountShut(HallError):
    """Locked by a person until a person unlocks it."""

    code = "account_shut"


class NoPin(HallError):
    """The account has no PIN yet."""

    code = "no_pin"


class PinRefused(HallError):
    """This cannot be a PIN."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__()


class AccountExists(HallError):
    """The staff number is taken."""

    code = "account_exists"


class NotYourRole(HallError):
    """Somebody with another role may do that."""

    code = "not_your_role"


class SessionOver(HallError):
    """Whoever was signed in with this session is so no longer."""

    code = "session_over"


@dataclass(kw_only=True)
class _Person:
    number: str
    role: Role
    seen_s: float


class Accounts:
    """The accounts of this hall and who is signed in with them."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._idle_s = hall.config.desk.idle_minutes * 60.0
        self._secrets: dict[str, tuple[str, str]] = {}
        """Window → clerk and digest of the secret of their screen."""
        self._seen_s: dict[str, float] = {}
        """Window → when a key was last pressed there, monotonic."""
        self._people: dict[str, _Person] = {}
        """Digest of a session without a window → who."""
        self._hashing = asyncio.Semaphore(HASHES_AT_ONCE)
        hall.on_event(self._hear)

    async def take_up(self) -> None:
        """After a start: accounts that the configuration names and the database does not know yet; then all."""

        def verb(tx: Tx) -> None:
            for clerk in self._hall.config.clerks.values():
                if tx.session.get(AccountRow, clerk.code) is None:
                    row = AccountRow(
                        number=clerk.code, name=clerk.name, role=clerk.role, pin_hash=clerk.pin_hash,
                        made_ms=tx.now_ms, skills=list(clerk.skills),
                    )  # fmt: skip
                    tx.session.add(row)

        await self._hall.store.write(verb)
        await self._read_staff()
        now_s = self._hall.clock.monotonic_s()

        def question(session: Session) -> list[SecretRow]:
            return list(session.exec(select(SecretRow)))

        for row in await self._hall.store.read(question):
            self._secrets[row.window] = (row.clerk, row.digest)
            self._seen_s[row.window] = now_s

    async def _read_staff(self) -> None:
        def question(session: Session) -> dict[str, Staff]:
            rows = session.exec(select(AccountRow))
            return {
                r.number: Staff(
                    number=r.number, name=r.name, role=Role(r.role), locked=r.locked, skills=frozenset(r.skills)
                )
                for r in rows
            }

        staff = await self._hall.store.read(question)
        self._hall.staff.clear()
        self._hall.staff.update(staff)

    async def run(self) -> None:
        """End sessions that nobody uses, until cancelled."""
        while self._idle_s:
            await asyncio.sleep(min(IDLE_LOOK_S, self._idle_s / 4))
            await self.end_idle()

    async def end_idle(self) -> None:
        """End every session whose screen has been left alone too long; what stands at the window stays."""
        late_s = self._hall.clock.monotonic_s() - self._idle_s
        for window, (clerk, _) in list(self._secrets.items()):
            if self._seen_s.get(window, late_s + 1) <= late_s:
                await self._end(window, clerk, "nobody at the screen")
        self._people = {key: who for key, who in self._people.items() if who.seen_s > late_s}

    async def _end(self, window: str, clerk: str, why: str) -> None:
        def verb(tx: Tx) -> None:
            session = tx.session.get(SessionRow, window)
            if session is not None and session.clerk == clerk:
                leave_window(tx, window, why)

        await self._hall.store.write(verb)
        _log.info("session ended window=%s: %s", window, why)

    def _hear(self, event: Event) -> None:
        data = event.data
        if not isinstance(data, OperatorActed) or data.action not in ("sign_out", "sign_in"):
            return
        window = data.target.removeprefix("window/")
        if data.action == "sign_out" or self._secrets.get(window, ("", ""))[0] != data.actor_id:
            self._secrets.pop(window, None)  # somebody else is there now, or nobody
            self._seen_s.pop(window, None)

    # --- windows ------------------------------------------------------------------------------------------------------

    async def sign_in(self, window: str, number: str, pin: str, *, take_over: bool = False) -> SignedIn:
        """Take a window.

        Raises WrongPin, AccountLocked, AccountShut, NoPin, NotYourRole, NotFound, WindowTaken.
        """
        if window not in self._hall.profile.windows:
            raise NotFound(what=window)
        who = await self._prove(number, pin, f"window/{window}")
        if who.role not in access.AT_WINDOWS:
            raise NotYourRole()
        secret = access.new_secret()
        digest = access.digest(secret)
        event = await self._hall.sign_in(window, number, digest=digest, take_over=take_over)
        self._secrets[window] = (number, digest)
        self._seen_s[window] = self._hall.clock.monotonic_s()
        return SignedIn(event=event, session=secret)

    async def check(self, window: str, secret: str, verb: str) -> None:
        """Whether the screen with this secret may use a verb at a window. Raises SessionOver, NotYourRole.

        A window where nobody is signed in is left to the verb itself, which says so.
        """
        known, digest = self._secrets.get(window, ("", ""))
        if not known or not access.is_secret(secret, digest):
            if (await self._hall.snapshot()).sessions.get(window) is None:
                return
            raise SessionOver()
        self._seen_s[window] = self._hall.clock.monotonic_s()
        who = self._hall.staff.get(known)
        if who is None or not access.may_do(who.role, verb):
            raise NotYourRole()

    # --- people without a window --------------------------------------------------------------------------------------

    async def sign_in_person(self, number: str, pin: str) -> PersonSession:
        """A session for a page that belongs to no window. Raises as sign_in."""
        who = await self._prove(number, pin, "page")
        secret = access.new_secret()
        self._people[access.digest(secret)] = _Person(
            number=number, role=who.role, seen_s=self._hall.clock.monotonic_s()
        )
        return PersonSession(session=secret, number=number, name=who.name, role=who.role.value)

    def sign_out_person(self, secret: str) -> None:
        """End such a session."""
        self._people.pop(access.digest(secret), None)

    def person(self, secret: str) -> Staff | None:
        """Who a session without a window belongs to; None once it is over."""
        found = self._people.get(access.digest(secret))
        now_s = self._hall.clock.monotonic_s()
        if found is None or (self._idle_s and found.seen_s <= now_s - self._idle_s):
            return None
        found.seen_s = now_s
        return self._hall.staff.get(found.number)

    async def vouch(self, number: str, pin: str, role: Role) -> Staff:
        """Somebody's word for one deed; opens no session. Raises as sign_in."""
        who = await self._prove(number, pin, "word")
        if who.role is not role:
            raise NotYourRole()
        return who

    # --- proof --------------------------------------------------------------------------------------------------------

    async def _prove(self, number: str, pin: str, where: str) -> Staff:
        def question(session: Session) -> str:
            row = session.get(AccountRow, number)
            return row.pin_hash if row else ""

        pin_hash = await self._hall.store.read(question)
        async with self._hashing:
            right = await asyncio.to_thread(access.is_pin, pin, pin_hash)
        problem = await self._hall.store.write(lambda tx: _judged(tx, number, where, right=right))
        if problem is not None:
            raise problem
        return self._hall.staff[number]

    # --- looking after accounts ---------------------------------------------------------------------------------------

    async def views(self) -> tuple[AccountView, ...]:
        """All accounts, by number."""
        sessions = (await self._hall.snapshot()).sessions
        windows = {clerk: window for window, clerk in sessions.items()}
        now_ms = self._hall.clock.now_ms()

        def question(session: Session) -> tuple[AccountView, ...]:
            rows = session.exec(select(AccountRow).order_by(AccountRow.number))
            return tuple(
                AccountView(
                    number=r.number, name=r.name, role=r.role, has_pin=bool(r.pin_hash), locked=r.locked,
                    locked_s=_locked_ms(r, now_ms) // 1000, window=windows.get(r.number, ""), skills=tuple(r.skills),
                )
                for r in rows
            )  # fmt: skip

        return await self._hall.store.read(question)

    async def add(self, new: NewAccount, by: str) -> int:
        """Somebody new; without a PIN they cannot sign in yet.

        Raises AccountExists, PinRefused, NotFound (role, skill).
        """
        if new.role not in access.PEOPLE:
            raise NotFound(what=new.role)
        skills = self._known_skills(new.skills)
        pin_hash = await self._hashed(new.pin) if new.pin else ""

        def verb(tx: Tx) -> int:
            if tx.session.get(AccountRow, new.number) is not None:
                raise AccountExists(number=new.number)
            tx.session.add(
                AccountRow(
                    number=new.number, name=new.name, role=new.role, pin_hash=pin_hash, made_ms=tx.now_ms, skills=skills
                )
            )
            return tx.emit(_about(by, "account_add", new.number, new.role))

        return await self._changed(verb)

    async def set_pin(self, number: str, pin: str, by: str) -> int:
        """A new PIN; ends the lock-out and every session that the old one opened. Raises PinRefused, NotFound."""
        pin_hash = await self._hashed(pin)

        def verb(tx: Tx) -> int:
            row = _account(tx, number)
            row.pin_hash, row.failures, row.locked_until_ms = pin_hash, 0, 0
            tx.session.add(row)
            _leave(tx, number, "new PIN")
            return tx.emit(_about(by, "account_pin", number))

        return await self._changed(verb, number)

    async def set_skills(self, number: str, skills: Sequence[str], by: str) -> int:
        """What this clerk is given tickets of from now on; empty: all. Raises NotFound (account, queue or item)."""
        known = self._known_skills(skills)

        def verb(tx: Tx) -> int:
            row = _account(tx, number)
            row.skills = known
            tx.session.add(row)
            return tx.emit(_about(by, "account_skills", number, " ".join(known)[:_AUDITED] or "all"))

        return await self._changed(verb)

    def _known_skills(self, skills: Sequence[str]) -> list[str]:
        profile = self._hall.profile
        unknown = next((skill for skill in skills if skill not in profile.queues and skill not in profile.items), None)
        if unknown is not None:
            raise NotFound(what=unknown)
        return list(dict.fromkeys(skills))

    async def lock(self, number: str, by: str) -> int:
        """Nobody signs in with it any more, and whoever is signed in is so no longer. Raises NotFound."""

        def verb(tx: Tx) -> int:
            row = _account(tx, number)
            row.locked = True
            tx.session.add(row)
            _leave(tx, number, "account locked")
            return tx.emit(_about(by, "account_lock", number))

        return await self._changed(verb, number)

    async def unlock(self, number: str, by: str) -> int:
        """Ends a lock by a person and one after wrong PINs. Raises NotFound."""

        def verb(tx: Tx) -> int:
            row = _account(tx, number)
            row.locked, row.failures, row.locked_until_ms = False, 0, 0
            tx.session.add(row)
            return tx.emit(_about(by, "account_unlock", number))

        return await self._changed(verb)

    async def _hashed(self, pin: str) -> str:
        code = access.why_not_a_pin(pin)
        if code is not None:
            raise PinRefused(code)
        async with self._hashing:
            return await asyncio.to_thread(access.hash_pin, pin)

    async def _changed(self, verb: Callable[[Tx], int], ended: str = "") -> int:
        event = await self._hall.store.write(verb)
        self._people = {key: who for key, who in self._people.items() if who.number != ended}
        await self._read_staff()
        self._hall.changed.ring()
        return event


def _judged(tx: Tx, number: str, where: str, *, right: bool) -> HallError | None:
    """Count a try; what stands against it. Not raised: the count must be kept."""
    row = tx.session.get(AccountRow, number)
    if row is None:
        _log.warning("refused sign-in at %s: no such account", where)  # not the number: it may be a mistyped PIN
        return WrongPin(left=access.MOST_FAILURES)
    locked_ms = _locked_ms(row, tx.now_ms)
    if row.locked or locked_ms:
        tx.emit(_about(number, "sign_in_refused", number, where, result="locked"))
        return AccountShut() if row.locked else AccountLocked(minutes=-(-locked_ms // 60_000))
    if not row.pin_hash:
        return NoPin(number=number)
    if right:
        row.failures = 0
        tx.session.add(row)
        return None
    row.failures += 1
    row.locked_until_ms = access.locked_until_ms(row.failures, tx.now_ms) or 0
    tx.session.add(row)
    tx.emit(_about(number, "sign_in_refused", number, where, result="wrong_pin"))
    if row.locked_until_ms:
        _log.warning("locked account=%s after %d wrong PINs", number, row.failures)
        return AccountLocked(minutes=access.LOCKED_MS // 60_000)
    return WrongPin(left=access.MOST_FAILURES - row.failures)


def _locked_ms(row: AccountRow, now_ms: int) -> int:
    """How long yet; more than a lock-out can last means that the clock was set back since."""
    left_ms = row.locked_until_ms - now_ms
    return left_ms if 0 < left_ms <= access.LOCKED_MS else 0


def _account(tx: Tx, number: str) -> AccountRow:
    row = tx.session.get(AccountRow, number)
    if row is None:
        raise NotFound(what=number)
    return row


def _leave(tx: Tx, number: str, why: str) -> None:
    session = tx.session.exec(select(SessionRow).where(SessionRow.clerk == number)).first()
    if session is not None:
        leave_window(tx, session.window, why)


def _about(by: str, action: str, number: str, why: str = "", result: str = "done") -> OperatorActed:
    return OperatorActed(
        actor="clerk" if by == number else "admin",
        actor_id=by,
        action=action,
        target=f"account/{number}",
        result=result,
        reason_text=why or None,
    )
