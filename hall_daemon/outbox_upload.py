"""One file on its way to the province: tus 1.0.0 with checksums (province.md §7.5).

Goes on from wherever the province stands: 409 is no failure but a question for the offset (D14), a lock is waited for
(D15), an upload that is gone is begun anew (D16).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from hall_daemon.outbox_line import Line
from hall_daemon.province_replies import ProvinceError, Rejected, Remedy, Unreachable, Why
from hall_daemon.store import Store, Tx
from hall_daemon.tables import BlobRow

SMALLEST_CHUNK = 16 * 1024
CHECKSUMS_BEFORE_HALVING = 3
LOCK_WAIT_S = (5.0, 30.0)
LONGEST_LOCK_S = 600.0
MOST_ATTEMPTS = 10
"""Of anything that brings the file no further, before it makes way for others."""


class Anew(Exception):
    """The upload is gone or stuck: begin a new one."""


@dataclass(frozen=True, kw_only=True)
class PendingFile:
    """A file that waits, as it is in the database."""

    blob: str
    sm3: str
    bytes: int
    media: str
    upload_url: str | None


class Upload:
    """One file on its way: from wherever the province stands to the end of the file."""

    def __init__(self, store: Store, line: Line, path: Path, file: PendingFile) -> None:
        self._store, self._line, self._path, self._file = store, line, path, file
        self._url = file.upload_url
        self._chunk = line.limits.upload_chunk
        self._bad_checksums = 0
        self._fruitless = 0
        self._locked_s = 0.0

    async def finish(self) -> None:
        """Raises Anew, Rejected, Unreachable."""
        offset = await self._begin()
        while offset < self._file.bytes:
            offset = await self._step(offset)

    async def _begin(self) -> int:
        """Find out where to go on; a new upload if there is none."""
        province, file = self._line.province, self._file
        # The province may have moved since the upload was begun.
        if self._url is None or not province.owns(self._url):
            self._url = await province.create_upload(
                blob=file.blob, sm3=file.sm3, media=file.media, length=file.bytes
            )  # fmt: skip
            await keep_url(self._store, file.blob, self._url)
        return await self._ask_offset()

    async def _ask_offset(self) -> int:
        assert self._url is not None
        while True:
            try:
                return await self._line.province.upload_offset(self._url)
            except Rejected as exc:
                if exc.remedy is not Remedy.WAIT_FOR_LOCK:
                    await self._act_on(exc)
                    raise
                await self._wait_for_lock(exc)

    async def _step(self, offset: int) -> int:
        """Send the next piece; the offset from which to go on."""
        assert self._url is not None
        chunk = await asyncio.to_thread(_piece, self._path, offset, self._chunk)
        if not chunk:
            raise Anew  # the file is shorter than it was; the next check will find out
        try:
            now = await self._line.province.append(self._url, offset, chunk)
            self._bad_checksums, self._fruitless, self._locked_s = 0, 0, 0.0
            return now
        except Unreachable as exc:
            trouble: ProvinceError = exc
            if exc.why is not Why.NO_ANSWER:
                raise
            if exc.timed_out:
                self._chunk = max(SMALLEST_CHUNK, self._chunk // 2)
        except Rejected as exc:
            trouble = exc
            await self._act_on(exc)
        # What arrived before the line broke stays there: ask, and do not begin again.
        now = await self._ask_offset()
        if now == offset:
            self._fruitless += 1
            if isinstance(trouble, Unreachable) or self._fruitless >= MOST_ATTEMPTS:
                raise trouble
            await self._line.pace.pause(self._line.pace.rand(0, 1))
        return now

    async def _act_on(self, exc: Rejected) -> None:
        """Return if the upload can go on after asking for the offset. Raises Anew, or the refusal again."""
        if exc.remedy is Remedy.CREATE_ANEW:
            raise Anew from exc
        if exc.remedy is Remedy.WAIT_FOR_LOCK:
            await self._wait_for_lock(exc)
        elif exc.remedy is Remedy.SEND_AGAIN:
            self._bad_checksums += 1
            if self._bad_checksums % CHECKSUMS_BEFORE_HALVING == 0:
                self._chunk = max(SMALLEST_CHUNK, self._chunk // 2)
        elif exc.code == "TOO_LARGE" and self._chunk > SMALLEST_CHUNK:
            self._chunk = max(SMALLEST_CHUNK, self._chunk // 2)
        elif exc.remedy is not Remedy.ASK_OFFSET:
            raise exc

    async def _wait_for_lock(self, exc: Rejected) -> None:
        """A session that died still holds it: wait, but not for ever (D15)."""
        if self._locked_s > LONGEST_LOCK_S:
            raise Anew from exc
        wait_s = max(exc.wait_s or 0, self._line.pace.rand(*LOCK_WAIT_S))
        self._locked_s += wait_s
        await self._line.pace.pause(wait_s)


async def keep_url(store: Store, blob: str, url: str | None) -> None:
    """Remember where a file's upload lives, so that it goes on after a restart."""

    def verb(tx: Tx) -> None:
        row = tx.session.get_one(BlobRow, blob)
        row.upload_url = url
        tx.session.add(row)

    await store.write(verb)


def _piece(path: Path, offset: int, most: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(most)
