"""Pulls catalogues and appointments from the province: when they are new, after a loss of the line, and by command.

What becomes of a catalogue is cataloguing's business. One that cannot be used is asked for whole once (the difference
may be the fault) and then left until the next round. Source: province.md §7.6, §7.7.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

from hall_daemon import appointments
from hall_daemon.catalogue import CatalogError
from hall_daemon.cataloguing import Cataloguing, State
from hall_daemon.outbox import Outbox
from hall_daemon.province import Backoff
from hall_daemon.province_replies import ProvinceError, Rejected
from hall_daemon.store import Store

_log = logging.getLogger("inbox")

CATALOGUE_EVERY_S = 600.0
APPOINTMENTS_EVERY_S = 300.0
_MOST_PAGES = 200


class Pulls:
    """What the hall asks for by itself."""

    def __init__(self, store: Store, outbox: Outbox, cataloguing: Cataloguing) -> None:
        self._store, self._cataloguing = store, cataloguing
        self._line, self._province, self._pace = outbox.line, outbox.province, outbox.line.pace

    async def run(self) -> None:
        """Pull for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_catalogue(), name="inbox catalogue")
            group.create_task(self._keep_appointments(), name="inbox appointments")

    # --- the catalogue ----------------------------------------------------------------------------------------------

    async def _keep_catalogue(self) -> None:
        backoff = Backoff(self._pace)
        while True:
            await self._line.wait_online()
            try:
                await self.pull_catalogue()
            except ProvinceError as exc:
                _log.debug("catalogue: %s", exc)
                await self._pace.pause(backoff.failed(exc))
                continue
            except CatalogError as exc:
                _log.warning("catalogue not taken: %s", exc)
            backoff.acknowledged()
            await self._pace.pause(CATALOGUE_EVERY_S)

    async def pull_catalogue(self) -> State | None:
        """Ask for what is newer; what became of it, None if nothing is. Raises ProvinceError, CatalogError."""
        base, known = await self._cataloguing.held_version()
        try:
            answer = await self._province.catalog(base, known)
        except Rejected as exc:
            if exc.status != 410:
                raise
            base, answer = 0, await self._province.catalog(0, known)
        if answer is None:
            return None
        try:
            return (await self._cataloguing.offer(answer)).state
        except CatalogError:
            whole = None if base == 0 else await self._province.catalog(0, 0)
            if whole is None:
                raise
        return (await self._cataloguing.offer(whole)).state

    # --- appointments -----------------------------------------------------------------------------------------------

    async def _keep_appointments(self) -> None:
        backoff = Backoff(self._pace)
        while True:
            await self._line.wait_online()
            try:
                await self.pull_appointments()
            except ProvinceError as exc:
                _log.debug("appointments: %s", exc)
                await self._pace.pause(backoff.failed(exc))
                continue
            backoff.acknowledged()
            await self._pace.pause(APPOINTMENTS_EVERY_S)

    async def pull_appointments(self) -> int:
        """Everything that changed since the last time, page by page; how many. Raises ProvinceError."""
        today, changed = self._store.clock.today(), 0
        first, last = today.isoformat(), (today + timedelta(days=appointments.HORIZON_DAYS)).isoformat()
        for _ in range(_MOST_PAGES):
            cursor = await self._store.read(lambda session: appointments.cursor(session, first))
            page = await self._province.appointments(first, last, cursor)
            changed += await self._store.write(lambda tx, page=page: appointments.take_page(tx, page, first))  # type: ignore[misc]
            if not page.items or page.next_cursor in (None, cursor):
                break
        if changed:
            _log.info("%d appointments are new or changed", changed)
        return changed
