"""Which kiosks are out of service for maintenance, and which devices somebody has switched off.

Kept in the database with the event that reports it: a restart must not put a machine that stands open back to work.
Decides nothing about visits: a kiosk that is taken out ends the visit under way first (kiosk).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from sqlmodel import Session

from hall_daemon.events import OperatorActed
from hall_daemon.store import Store, Tx
from hall_daemon.tables import MetaRow

_KEY = "maintenance"
_OFF_KEY = "devices_off"
TECHNICIAN = "technician"
"""Who did it, for the event: the token says the role, not the person."""


class Upkeep:
    """Kiosks in maintenance and devices switched off, and who wants to know when a kiosk's state changes."""

    def __init__(self) -> None:
        self._kiosks: frozenset[str] = frozenset()
        self.off: frozenset[str] = frozenset()
        """Devices that a technician has taken out of use."""
        self._hearers: list[Callable[[], None]] = []

    def maintained(self, kiosk: str) -> bool:
        """Whether this kiosk is out of service."""
        return kiosk in self._kiosks

    def on_change(self, hear: Callable[[], None]) -> None:
        """Hear, on the event loop, when a kiosk is taken out or put back."""
        self._hearers.append(hear)

    async def take_up(self, store: Store) -> None:
        """After a restart: what was out stays out."""
        self._kiosks = frozenset(await store.read(partial(_kept, key=_KEY)))
        self.off = frozenset(await store.read(partial(_kept, key=_OFF_KEY)))

    async def maintain(self, store: Store, kiosk: str, *, on: bool) -> None:
        """Take a kiosk out, or put it back; the same again changes nothing."""
        if on is self.maintained(kiosk):
            return
        kiosks = self._kiosks | {kiosk} if on else self._kiosks - {kiosk}

        action = "maintenance_begin" if on else "maintenance_end"
        await store.write(partial(_keep, key=_KEY, names=kiosks, action=action, target=f"kiosk/{kiosk}"))
        self._kiosks = kiosks
        for hear in self._hearers:
            hear()

    async def switch(self, store: Store, device: str, *, on: bool) -> None:
        """Take a device out of use, or back into it; the same again changes nothing."""
        if on is (device not in self.off):
            return
        off = self.off - {device} if on else self.off | {device}
        action = "device_enable" if on else "device_disable"
        await store.write(partial(_keep, key=_OFF_KEY, names=off, action=action, target=f"device/{device}"))
        self.off = off


def _keep(tx: Tx, key: str, names: frozenset[str], action: str, target: str) -> None:
    tx.session.merge(MetaRow(key=key, value=json.dumps(sorted(names))))
    tx.emit(OperatorActed(actor="technician", actor_id=TECHNICIAN, action=action, target=target, result="done"))


def _kept(session: Session, key: str) -> list[str]:
    row = session.get(MetaRow, key)
    return [str(name) for name in json.loads(row.value)] if row else []
