"""Files on their way to the province: resumable, addressed by content, stored once their digests are right.

Source: province.md §7.5; tus 1.0.0 (core, creation, checksum, expiration, termination). How much of a file is here is
what the database says; bytes beyond that are leftovers of a broken moment and are cut off before the next chunk.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import contextlib
import hashlib
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cryptography.hazmat.primitives import hashes

from sim import province_checks as checks
from sim.province_checks import one_of, pattern, shape
from sim.province_problems import Problem
from sim.province_seals import JsonObject
from sim.province_tables import Row, Tables

LIFETIME_S = 30 * 86400.0
LOCK_WAIT_S = 1.0
METADATA = shape(blob=pattern(checks.BLOB), sm3=checks.hex64, media=one_of(*checks.MEDIA))


@dataclass(frozen=True, kw_only=True)
class Upload:
    """One file on its way."""

    id: str
    blob: str
    sm3: str
    media: str
    bytes: int
    held: int
    expires: float
    state: str
    """open, verifying, stored or gone."""


class Uploads:
    """Every upload of the hall, and the files that are stored."""

    def __init__(self, tables: Tables, now: Callable[[], float]) -> None:
        self.tables = tables
        self._now = now
        self._locks: dict[str, asyncio.Lock] = {}
        self.parts = tables.folder / "parts"
        self.blobs = tables.folder / "blobs"
        for folder in (self.parts, self.blobs):
            folder.mkdir(exist_ok=True)
            _sync_folder(folder)

    def blob_state(self, blob: str) -> str | None:
        """stored or verifying; None if it should be sent."""
        row = self.tables.row("SELECT state FROM blobs WHERE blob = ?", (blob,))
        return None if row is None else str(row["state"])

    def create(self, metadata: JsonObject, length: int) -> Upload:
        """A place for a file; the same one for the same file. Raises Problem IDEMPOTENCY_MISMATCH."""
        blob = str(metadata["blob"])
        for upload in map(_upload, self.tables.rows("SELECT * FROM uploads WHERE blob = ?", (blob,))):
            if self._alive(upload).state == "gone":
                continue
            if (upload.sm3, upload.media, upload.bytes) != (metadata["sm3"], metadata["media"], length):
                raise Problem(422, "IDEMPOTENCY_MISMATCH", "this key came with other metadata before")
            return upload
        upload_id = secrets.token_hex(16)
        (self.parts / upload_id).touch()
        _sync_folder(self.parts)
        with self.tables.transaction():
            self.tables.do(
                "INSERT INTO uploads VALUES (?, ?, ?, ?, ?, 0, ?, 'open')",
                (
                    *(upload_id, blob, str(metadata["sm3"]), str(metadata["media"]), length),
                    self._now() + LIFETIME_S,
                ),
            )
        return self.find(upload_id)

    def find(self, upload_id: str) -> Upload:
        """An upload that can go on. Raises Problem 404 or 410."""
        row = self.tables.row("SELECT * FROM uploads WHERE id = ?", (upload_id,))
        if row is None:
            raise Problem(404, "BLOB_UNKNOWN", "no such upload")
        upload = self._alive(_upload(row))
        if upload.state == "gone":
            raise Problem(410, "UPLOAD_GONE", "this upload has ended; create it anew")
        return upload

    def _alive(self, upload: Upload) -> Upload:
        if upload.state == "open" and upload.expires < self._now():
            self.end(upload)
            return _upload(self.tables.rows("SELECT * FROM uploads WHERE id = ?", (upload.id,))[0])
        return upload

    def end(self, upload: Upload) -> None:
        """Give an upload up; a file that is stored stays stored."""
        with self.tables.transaction():
            self.tables.do("UPDATE uploads SET state = 'gone' WHERE id = ?", (upload.id,))
            self.tables.do("DELETE FROM blobs WHERE blob = ? AND state <> 'stored'", (upload.blob,))
        (self.parts / upload.id).unlink(missing_ok=True)

    @contextlib.asynccontextmanager
    async def locked(self, upload_id: str) -> AsyncIterator[Upload]:
        """Nobody else may touch this upload meanwhile. Raises Problem UPLOAD_LOCKED, 404 or 410."""
        lock = self._locks.setdefault(upload_id, asyncio.Lock())
        try:
            # A session that has just died notices it within this time.
            await asyncio.wait_for(lock.acquire(), LOCK_WAIT_S)
        except TimeoutError:
            raise Problem(423, "UPLOAD_LOCKED", "another session holds it", retry_after_ms=5000) from None
        try:
            yield self.find(upload_id)
        finally:
            lock.release()

    @contextlib.contextmanager
    def part(self, upload: Upload) -> Iterator[BinaryIO]:
        """The file so far, positioned behind what counts."""
        with (self.parts / upload.id).open("r+b") as file:
            file.truncate(upload.held)
            file.seek(upload.held)
            yield file

    def advance(self, upload: Upload, file: BinaryIO, count: int) -> Upload:
        """Count this many more bytes as received; durable on return."""
        _sync(file)
        held = upload.held + count
        complete = held == upload.bytes
        with self.tables.transaction():
            self.tables.do(
                "UPDATE uploads SET held = ?, state = ? WHERE id = ?",
                (held, "verifying" if complete else "open", upload.id),
            )
            if complete:
                self.tables.do(
                    "INSERT INTO blobs VALUES (?, 'verifying', ?, ?, ?) ON CONFLICT (blob) DO NOTHING",
                    (upload.blob, upload.bytes, upload.sm3, upload.media),
                )
        return self.find(upload.id)

    async def verify(self, upload: Upload) -> None:
        """Hash the whole file and store it. Raises Problem DIGEST_MISMATCH."""
        part, place = self.parts / upload.id, self.blobs / upload.blob.removeprefix("sha256:")
        source = part if part.exists() else place
        found = await asyncio.to_thread(_digests, source)
        if found != (upload.blob.removeprefix("sha256:"), upload.sm3):
            self.end(upload)
            raise Problem(422, "DIGEST_MISMATCH", "the whole file has other digests than announced")
        if source is part:
            part.replace(place)
            _sync_folder(self.blobs)
        with self.tables.transaction():
            self.tables.do("UPDATE blobs SET state = 'stored' WHERE blob = ?", (upload.blob,))
            self.tables.do("UPDATE uploads SET state = 'stored' WHERE id = ?", (upload.id,))

    async def finish_interrupted(self) -> None:
        """Verify what was complete when the process died."""
        for row in self.tables.rows("SELECT * FROM uploads WHERE state = 'verifying'"):
            with contextlib.suppress(Problem):  # the upload is gone then, and the hall will find that out
                await self.verify(_upload(row))

    def wipe(self) -> None:
        """Remove every file."""
        for folder in (self.parts, self.blobs):
            for file in folder.iterdir():
                file.unlink()


def metadata_of(header: str) -> JsonObject:
    """The pairs of `Upload-Metadata`. Raises Problem BAD_ENVELOPE."""
    pairs: JsonObject = {}
    for pair in header.split(","):
        name, _, encoded = pair.strip().partition(" ")
        try:
            pairs[name] = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as exc:
            raise Problem(400, "BAD_ENVELOPE", "Upload-Metadata: not pairs of name and base64") from exc
    if complaint := METADATA(pairs):
        raise Problem(400, "BAD_ENVELOPE", f"Upload-Metadata: {complaint}")
    return pairs


class Checksum:
    """`Upload-Checksum` of one chunk; without the header anything is right, as in tus."""

    def __init__(self, header: str | None) -> None:
        self._expected: bytes | None = None
        self._hash: hashes.Hash | None = None
        if header is None:
            return
        algorithm, _, encoded = header.partition(" ")
        known: dict[str, hashes.HashAlgorithm] = {
            "sha1": hashes.SHA1(),  # noqa: S303 - tus demands that it is offered
            "sha256": hashes.SHA256(),
            "sm3": hashes.SM3(),
        }
        if algorithm not in known:
            raise Problem(400, "BAD_ENVELOPE", "Upload-Checksum: not sha1, sha256 or sm3")
        try:
            self._expected = base64.b64decode(encoded, validate=True)
        except binascii.Error as exc:
            raise Problem(400, "BAD_ENVELOPE", "Upload-Checksum: not base64") from exc
        self._hash = hashes.Hash(known[algorithm])

    def update(self, data: bytes) -> None:
        """Take more of the chunk."""
        if self._hash is not None:
            self._hash.update(data)

    def is_right(self) -> bool:
        """Whether the chunk was what the hall hashed; ends the hashing."""
        return self._hash is None or self._hash.finalize() == self._expected


def _upload(row: Row) -> Upload:
    return Upload(
        id=row["id"],
        blob=row["blob"],
        sm3=row["sm3"],
        media=row["media"],
        bytes=row["bytes"],
        held=row["held"],
        expires=row["expires"],
        state=row["state"],
    )


def _digests(path: Path) -> tuple[str, str]:
    sha256, sm3 = hashlib.sha256(), hashes.Hash(hashes.SM3())
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            sha256.update(piece)
            sm3.update(piece)
    return sha256.hexdigest(), sm3.finalize().hex()


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
