"""Sends scanned files: each is hashed again, sent in pieces that can be resumed, and done when it is stored over there.

Files lie in the spool under the hex digits of their SHA-256. A file that is not any more what was filed is never sent
under the good name: it is marked damaged, and the event asks for a rescan. Files do not wait for events, nor events for
files. Source: province.md §7.5, §9.5; faults.md B13, D14–D18.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from pathlib import Path

from sqlalchemy import String, cast
from sqlmodel import Session, col, func, select

from hall_daemon.events import Blob, Event, MaterialDamaged, MaterialScanned
from hall_daemon.hall import Bell, Hall
from hall_daemon.outbox_line import Line
from hall_daemon.outbox_upload import MOST_ATTEMPTS, Anew, PendingFile, Upload, keep_url
from hall_daemon.privacy import Sm3
from hall_daemon.province import Backoff
from hall_daemon.province_replies import ProvinceError, Rejected, Remedy
from hall_daemon.store import Store, Tx
from hall_daemon.tables import BlobRow, MaterialRow, TicketRow
from hall_daemon.words import OPEN_STATES

_log = logging.getLogger("outbox.files")

PARALLEL = 2
VERIFYING_WAIT_S = 2.0
ASIDE_S = 900.0
"""A file that a person must look at is tried again after this."""


class Damaged(Exception):
    """The file in the spool is not what was filed. `gone` where there is none at all."""

    def __init__(self, blob: str, *, gone: bool) -> None:
        self.gone = gone
        super().__init__(f"{blob}: {'gone' if gone else 'changed'}")


class SetAside(Exception):
    """The province does not take this file; `trouble` says why, and the others go on."""

    def __init__(self, blob: str, trouble: str, code: str) -> None:
        self.trouble = trouble
        super().__init__(f"{blob}: {code}")


class FileSender:
    """Brings every pending file to the province, at most two at a time, oldest first."""

    def __init__(self, store: Store, hall: Hall, line: Line, spool: Path) -> None:
        self._store, self._line, self._spool = store, line, spool
        self.pending = 0
        self.pending_bytes = 0
        self.stored = 0
        """Files stored since the start."""
        self._backoff = Backoff(line.pace)
        self._more = Bell()
        self._picking = asyncio.Lock()
        self._under_way: set[str] = set()
        self._aside: dict[str, tuple[str, float]] = {}
        """Blob → trouble, and monotonic time of the next attempt."""
        self._verify_failed: set[str] = set()
        hall.on_event(self._heard)

    def _heard(self, event: Event) -> None:
        if event.type == MaterialScanned.wire_type:
            self._more.ring()

    async def run(self) -> None:
        """Send files for ever."""
        self._under_way.clear()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_count(), name="file count")
            for number in range(PARALLEL):
                group.create_task(self._work(number), name=f"file sender {number}")

    async def send_again(self, blobs: tuple[str, ...]) -> None:
        """The province misses these although they were stored once (§7.4)."""

        def verb(tx: Tx) -> None:
            for blob in blobs:
                row = tx.session.get(BlobRow, blob)
                if row is not None and row.state == "stored":
                    row.state, row.upload_url = "pending", None
                    tx.session.add(row)

        await self._store.write(verb)
        await self._count()
        self._more.ring()

    # --- one after the other ------------------------------------------------------------------------------------------

    async def _work(self, number: int) -> None:
        while True:
            await self._line.wait_online()
            heard = self._more.rings
            async with self._picking:
                file = await self._pick(number)
            if file is None:
                await self._wait_for_more(heard)
                continue
            try:
                await self._bring(file)
            finally:
                self._under_way.discard(file.blob)

    async def _wait_for_more(self, heard: int) -> None:
        """Until a file is filed, or one that was set aside may be tried again."""
        try:
            async with asyncio.timeout(ASIDE_S / 15 * self._line.pace.scale):
                await self._more.wait(heard)
        except TimeoutError:
            return

    async def _pick(self, number: int) -> PendingFile | None:
        if number >= self._line.limits.upload_parallel:
            return None
        now_s = self._store.clock.monotonic_s()
        not_now = {*self._under_way, *(blob for blob, (_, until_s) in self._aside.items() if until_s > now_s)}

        def question(session: Session) -> PendingFile | None:
            row = session.exec(
                select(BlobRow)
                .where(BlobRow.state == "pending", col(BlobRow.blob).not_in(not_now))
                .order_by(col(BlobRow.kept_ms), col(BlobRow.blob))
                .limit(1)
            ).first()
            if row is None:
                return None
            return PendingFile(blob=row.blob, sm3=row.sm3, bytes=row.bytes, media=row.media, upload_url=row.upload_url)

        file = await self._store.read(question)
        if file is not None:
            self._under_way.add(file.blob)
        return file

    async def _bring(self, file: PendingFile) -> None:
        """Send one file, and deal with whatever keeps it from being stored."""
        try:
            await self._send(file)
        except Damaged as exc:
            await self._mark_damaged(file, gone=exc.gone)
        except SetAside as exc:
            self._set_aside(file, exc)
        except OSError as exc:
            self._set_aside(file, SetAside(file.blob, "province.file_unreadable", type(exc).__name__))
        except ProvinceError as exc:
            _log.log(logging.DEBUG if self._backoff.failures else logging.INFO, "interrupted %s: %s", file.blob, exc)
            self._line.doubt()
            await self._line.pace.pause(self._backoff.failed(exc))
        else:
            await self._mark_stored(file)

    def _set_aside(self, file: PendingFile, why: SetAside) -> None:
        _log.error("set aside %s", why)
        until_s = self._store.clock.monotonic_s() + ASIDE_S * self._line.pace.scale
        self._aside[file.blob] = (why.trouble, until_s)
        self._tell_aside()

    async def _send(self, file: PendingFile) -> None:
        """Return when the province has it stored. Raises Damaged, SetAside, ProvinceError."""
        for attempt in range(MOST_ATTEMPTS):
            if attempt:
                await self._line.pace.pause(self._backoff.failed())
            if await self._is_stored(file):
                return
            await self._check(file)
            try:
                await Upload(self._store, self._line, self._spool / _name(file.blob), file).finish()
                continue
            except Rejected as exc:
                await self._judge(file, exc)
            except Anew:
                _log.info("upload gone, begun anew: %s", file.blob)
            file = await self._forget_upload(file)
        raise SetAside(file.blob, "province.file_refused", "sent whole, but not stored")

    async def _is_stored(self, file: PendingFile) -> bool:
        for _ in range(MOST_ATTEMPTS):
            state = await self._line.province.blob_state(file.blob)
            if state != "verifying":
                return state == "stored"
            await self._line.pace.pause(VERIFYING_WAIT_S)
        raise SetAside(file.blob, "province.file_refused", "still being verified")

    async def _judge(self, file: PendingFile, exc: Rejected) -> None:
        """Return if the whole file may be sent again. Raises Damaged, SetAside, or the refusal itself."""
        if exc.remedy is Remedy.CHECK_FILE:
            await self._check(file)
            if file.blob in self._verify_failed:
                raise SetAside(file.blob, "province.file_refused", exc.code) from exc
            self._verify_failed.add(file.blob)
            return
        if exc.code == "TOO_LARGE":
            raise SetAside(file.blob, "province.file_too_large", exc.code) from exc
        if exc.remedy in (Remedy.ALARM, Remedy.SHRINK):
            raise SetAside(file.blob, "province.file_refused", exc.code) from exc
        raise exc

    async def _check(self, file: PendingFile) -> None:
        """Hash our own file before it goes out under its name. Raises Damaged."""
        found = await asyncio.to_thread(_digests, self._spool / _name(file.blob))
        if found != (_name(file.blob), file.sm3, file.bytes):
            raise Damaged(file.blob, gone=found is None)

    async def _forget_upload(self, file: PendingFile) -> PendingFile:
        await keep_url(self._store, file.blob, None)
        return PendingFile(blob=file.blob, sm3=file.sm3, bytes=file.bytes, media=file.media, upload_url=None)

    # --- what became of it --------------------------------------------------------------------------------------------

    async def _mark_stored(self, file: PendingFile) -> None:
        def verb(tx: Tx) -> None:
            row = tx.session.get_one(BlobRow, file.blob)
            row.state, row.upload_url = "stored", None
            tx.session.add(row)

        await self._store.write(verb)
        self._backoff.acknowledged()
        self.stored += 1
        self._verify_failed.discard(file.blob)
        self._aside.pop(file.blob, None)
        self._tell_aside()
        await self._count()
        _log.info("stored %s bytes=%d", file.blob, file.bytes)

    async def _mark_damaged(self, file: PendingFile, *, gone: bool) -> None:
        """Say so in the log of events; the clerk is asked to scan again while the resident is here (B13)."""

        def verb(tx: Tx) -> None:
            row = tx.session.get_one(BlobRow, file.blob)
            row.state = "damaged"
            tx.session.add(row)
            holds_it = cast(MaterialRow.pages, String).contains(file.blob)
            for material in tx.session.exec(select(MaterialRow).where(holds_it)).all():
                ticket = tx.session.get(TicketRow, material.ticket_id)
                tx.emit(
                    MaterialDamaged(
                        material_id=material.id,
                        blob=Blob.model_validate(
                            {"blob": row.blob, "sm3": row.sm3, "bytes": row.bytes, "media": row.media}
                        ),
                        cause="unknown" if gone else "local_corrupt",
                        rescan_possible=ticket is not None and ticket.state in OPEN_STATES,
                    )
                )

        await self._store.write(verb)
        _log.error("damaged %s: %s", file.blob, "the file is gone" if gone else "its bytes have changed")
        await self._count()

    def _tell_aside(self) -> None:
        troubles = [trouble for trouble, _ in self._aside.values()]
        for code in ("province.file_refused", "province.file_too_large", "province.file_unreadable"):
            self._line.troubles.count(code, troubles.count(code))

    async def _keep_count(self) -> None:
        """What waits is known also while nothing can be sent."""
        heard = 0
        while True:
            await self._count()
            heard = await self._more.wait(heard)

    async def _count(self) -> None:
        def question(session: Session) -> tuple[int, int, int]:
            waiting = select(func.count(), func.coalesce(func.sum(BlobRow.bytes), 0)).where(BlobRow.state == "pending")
            damaged = select(func.count()).where(BlobRow.state == "damaged")
            return *session.exec(waiting).one(), session.exec(damaged).one()

        self.pending, self.pending_bytes, damaged = await self._store.read(question)
        self._line.troubles.count("province.file_damaged", damaged)


def _name(blob: str) -> str:
    return blob.removeprefix("sha256:")


def _digests(path: Path) -> tuple[str, str, int] | None:
    """SHA-256, SM3, length; None if there is no such file."""
    sha256, sm3, length = hashlib.sha256(), Sm3(), 0
    try:
        with path.open("rb") as file:
            while piece := file.read(1 << 20):
                sha256.update(piece)
                sm3.update(piece)
                length += len(piece)
    except FileNotFoundError:
        return None
    return sha256.hexdigest(), sm3.hexdigest(), length
