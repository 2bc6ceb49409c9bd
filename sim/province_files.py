"""The addresses of province.md §7.5: tus requests turned into steps of an upload."""

from __future__ import annotations

import re
from email.utils import formatdate
from typing import BinaryIO

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from sim.province_gate import BodyDigest, whole_body
from sim.province_line import Line
from sim.province_problems import Problem
from sim.province_routes import HALL, LARGEST_JSON, Province, guarded
from sim.province_uploads import Checksum, Upload, metadata_of

TUS = "1.0.0"
CHUNK_MEDIA = "application/offset+octet-stream"


class Files:
    """One method per address."""

    def __init__(self, province: Province) -> None:
        self._p = province
        self._creating: set[str] = set()

    def routes(self) -> list[Route]:
        """Where each method is reached."""
        table = (
            ("HEAD", "/blobs/{blob}", self.blob),
            ("OPTIONS", "/uploads", self.options),
            ("POST", "/uploads", self.create),
            ("HEAD", "/uploads/{upload}", self.offset),
            ("PATCH", "/uploads/{upload}", self.append),
            ("DELETE", "/uploads/{upload}", self.end),
        )
        return [
            Route(HALL + path, guarded(endpoint, self._p.gate), methods=[method]) for method, path, endpoint in table
        ]

    async def blob(self, request: Request) -> Response:
        """Whether a file is here."""
        await whole_body(request, LARGEST_JSON)
        state = self._p.uploads.blob_state(request.path_params["blob"])
        if state is None:
            raise Problem(404, "BLOB_UNKNOWN", "not here, or not whole")
        return Response(headers={"X-Blob-State": state})

    async def options(self, request: Request) -> Response:
        """What this server can do."""
        await whole_body(request, LARGEST_JSON)
        offers = {
            "Tus-Version": TUS,
            "Tus-Extension": "creation,checksum,expiration,termination",
            "Tus-Checksum-Algorithm": "sha1,sha256,sm3",
            "Tus-Max-Size": str(self._p.limits.blob_bytes),
        }
        return Response(status_code=204, headers={"Tus-Resumable": TUS, **offers})

    async def create(self, request: Request) -> Response:
        """A place for a file."""
        _same_version(request)
        key = request.headers.get("Idempotency-Key", "")
        if key in self._creating:
            raise Problem(409, "STILL_RUNNING", "a request with this key is being worked on", retry_after_ms=1000)
        self._creating.add(key)
        try:
            await whole_body(request, LARGEST_JSON)
            upload = await self._create(request, key)
        finally:
            self._creating.discard(key)
        return Response(status_code=201, headers={"Location": self._location(upload), **_standing(upload)})

    async def _create(self, request: Request, key: str) -> Upload:
        metadata = metadata_of(request.headers.get("Upload-Metadata", ""))
        length = _count(request, "Upload-Length")
        if key != f'"{metadata["blob"]}"':
            raise Problem(400, "BAD_ENVELOPE", "Idempotency-Key: not the quoted blob id")
        if length > self._p.limits.blob_bytes:
            raise Problem(413, "TOO_LARGE", f"more than {self._p.limits.blob_bytes} bytes")
        upload = self._p.uploads.create(metadata, length)
        if upload.bytes == 0 and upload.state == "open":
            with self._p.uploads.part(upload) as file:
                upload = self._p.uploads.advance(upload, file, 0)
            await self._p.uploads.verify(upload)
        return upload

    def _location(self, upload: Upload) -> str:
        return f"{HALL.format(hall=self._p.gate.hall)}/uploads/{upload.id}"

    async def offset(self, request: Request) -> Response:
        """How much is here."""
        _same_version(request)
        await whole_body(request, LARGEST_JSON)
        async with self._p.uploads.locked(request.path_params["upload"]) as upload:
            return Response(headers={**_standing(upload), "Cache-Control": "no-store"})

    async def end(self, request: Request) -> Response:
        """Give it up."""
        _same_version(request)
        await whole_body(request, LARGEST_JSON)
        async with self._p.uploads.locked(request.path_params["upload"]) as upload:
            self._p.uploads.end(upload)
        return Response(status_code=204, headers={"Tus-Resumable": TUS})

    async def append(self, request: Request) -> Response:
        """More of the file."""
        _same_version(request)
        if request.headers.get("Content-Type", "").strip().lower() != CHUNK_MEDIA:
            raise Problem(415, "MEDIA", f"not {CHUNK_MEDIA}")
        checksum = Checksum(request.headers.get("Upload-Checksum"))
        async with self._p.uploads.locked(request.path_params["upload"]) as upload:
            if _count(request, "Upload-Offset") != upload.held:
                problem = Problem(409, "UPLOAD_OFFSET", "HEAD tells where to go on", retry_after_ms=0)
                raise problem.with_headers(**{"Upload-Offset": str(upload.held)})
            with self._p.uploads.part(upload) as file:
                grown = await self._receive(request, upload, file, checksum)
            if grown.state == "verifying":
                await self._p.uploads.verify(grown)
        return Response(status_code=204, headers=_standing(grown))

    async def _receive(self, request: Request, upload: Upload, file: BinaryIO, checksum: Checksum) -> Upload:
        """Take one chunk, or what arrives of it before the connection breaks."""
        digest, count = BodyDigest(request), 0
        room = min(upload.bytes - upload.held, self._p.limits.upload_chunk)
        try:
            async for piece in request.stream():
                count += len(piece)
                if count > room:
                    raise Problem(413, "TOO_LARGE", f"a chunk of more than {room} bytes")
                digest.update(piece)
                checksum.update(piece)
                file.write(piece)
        except ClientDisconnect:
            line: Line = request.scope["line"]
            unread = line.unread[: room - count]
            file.write(unread)
            return self._p.uploads.advance(upload, file, count + len(unread))
        digest.check()
        if not checksum.is_right():
            raise Problem(460, "CHECKSUM", "the chunk is damaged; send it again")
        return self._p.uploads.advance(upload, file, count)


def _same_version(request: Request) -> None:
    if request.headers.get("Tus-Resumable") != TUS:
        problem = Problem(412, "TUS_VERSION", f"Tus-Resumable is not {TUS}")
        raise problem.with_headers(**{"Tus-Version": TUS, "Tus-Resumable": TUS})


def _count(request: Request, name: str) -> int:
    value = request.headers.get(name, "")
    if not re.fullmatch("[0-9]{1,15}", value):
        raise Problem(400, "BAD_ENVELOPE", f"{name}: missing or not a number")
    return int(value)


def _standing(upload: Upload) -> dict[str, str]:
    return {
        "Tus-Resumable": TUS,
        "Upload-Offset": str(upload.held),
        "Upload-Length": str(upload.bytes),
        "Upload-Expires": formatdate(upload.expires, usegmt=True),
    }
