"""Verbs of who is at a window: sign in, sign out, and what ends a session from outside."""

from __future__ import annotations

from sqlmodel import select

from hall_daemon import lookups
from hall_daemon.hall_core import HallCore, acted, still_busy
from hall_daemon.store import Tx
from hall_daemon.tables import SessionRow
from hall_daemon.tables_clerks import PauseRow, SecretRow
from hall_daemon.tickets import NotFound, WindowTaken


class SessionVerbs(HallCore):
    """Sign in, sign out. That somebody is who they say they are is proved before (accounts)."""

    async def sign_in(self, window: str, clerk: str, *, digest: str = "", take_over: bool = False) -> int:
        """A clerk takes a window, leaving any other one; `digest` is of the secret of the screen that asks.

        With `take_over` whoever is signed in there leaves; what stands at the window stays.
        Raises NotFound, WindowTaken.
        """

        def verb(tx: Tx) -> int:
            known = self.staff.get(clerk)
            if window not in self.profile.windows or known is None or known.locked:
                raise NotFound(what=window if window not in self.profile.windows else clerk)
            there = tx.session.get(SessionRow, window)
            if there is not None and there.clerk != clerk:
                if not take_over:
                    raise WindowTaken(window=window)
                leave_window(tx, window, f"taken over by {clerk}")
                there = None
            if digest:
                tx.session.merge(SecretRow(window=window, clerk=clerk, digest=digest))
            if there is not None:
                return lookups.last_event(tx.session)
            other = tx.session.exec(select(SessionRow).where(SessionRow.clerk == clerk)).first()
            if other is not None:
                leave_window(tx, other.window, f"went to window {window}")
            tx.session.add(SessionRow(window=window, clerk=clerk, since_ms=tx.now_ms))
            return tx.emit(acted(clerk, "sign_in", window))

        return await self.store.write(verb)

    async def sign_out(self, window: str) -> int:
        """Leave the window; refused while a ticket is there."""

        def verb(tx: Tx) -> int:
            self._clerk_at(tx, window)
            current = lookups.at_window(tx.session, window)
            if current is not None:
                raise still_busy(current)
            return leave_window(tx, window)

        return await self.store.write(verb)


def leave_window(tx: Tx, window: str, why: str = "") -> int:
    """Whoever is signed in there is so no longer; what stands at the window stays. The number of the event."""
    session = tx.session.get_one(SessionRow, window)
    clerk = session.clerk
    for row in (tx.session.get(SecretRow, window), tx.session.get(PauseRow, window), session):
        if row is not None:
            tx.session.delete(row)
    tx.session.flush()
    return tx.emit(acted(clerk, "sign_out", window, why))
