"""Which kiosks are out of service for maintenance.

Kept in the database with the event that reports it: a restart must not put a machine that stands open back to work.
Decides nothing about visits: a kiosk that is taken out ends the visit under way first (kiosk).
"""

from __future__ import annotations

import json
from collections.abc import Callable

from sqlmodel import Session

from hall_daemon.events import OperatorActed
from hall_daemon.store import Store, Tx
from hall_daemon.tables import MetaRow

_KEY = "maintenance"
TECHNICIAN = "technician"
"""Who did it, for the event: the token says the role, not the person."""


class Upkeep:
    """Kiosks in maintenance, and who wants to know when that changes."""

    def __init__(self) -> None:
        self._kiosks: frozenset[str] = frozenset()
        self._hearers: list[Callable[[], None]] = []

    def maintained(self, kiosk: str) -> bool:
        """Whether this kiosk is out of service."""
        return kiosk in self._kiosks

    def on_change(self, hear: Callable[[], None]) -> None:
        """Hear, on the event loop, when a kiosk is taken out or put back."""
        self._hearers.append(hear)

    async def take_up(self, store: Store) -> None:
        """After a restart: what was out stays out."""
        self._kiosks = frozenset(await store.read(_kept))

    async def maintain(self, store: Store, kiosk: str, *, on: bool) -> None:
        """Take a kiosk out, or put it back; the same again changes nothing."""
        if on is self.maintained(kiosk):
            return
        kiosks = self._kiosks | {kiosk} if on else self._kiosks - {kiosk}

        def verb(tx: Tx) -> None:
            tx.session.merge(MetaRow(key=_KEY, value=json.dumps(sorted(kiosks))))
            action = "maintenance_begin" if on else "maintenance_end"
            tx.emit(OperatorActed(
                actor="technician", actor_id=TECHNICIAN, action=action, target=f"kiosk/{kiosk}", result="done",
            ))  # fmt: skip

        await store.write(verb)
        self._kiosks = kiosks
        for hear in self._hearers:
            hear()


def _kept(session: Session) -> list[str]:
    row = session.get(MetaRow, _KEY)
    return [str(kiosk) for kiosk in json.loads(row.value)] if row else []
