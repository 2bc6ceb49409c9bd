"""A hall as small as the contract allows: signs, sends, and composes events. Written from province.md alone."""

from __future__ import annotations

import base64
import contextlib
import datetime
import gzip
import hashlib
import hmac
import json
import secrets
import socket
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from sim.province import TEST_HALL, ProvinceTwin

KEY = bytes(range(32))
PII_KEY = bytes(range(48))
STREAM = "0197f09f-0000-7000-8000-000000000000"
BIZDATE = "2026-11-21"
CHINA = datetime.timezone(datetime.timedelta(hours=8))
NO_RETRIES = httpx.Limits(max_keepalive_connections=0)


def sm3(data: bytes) -> str:
    return hashlib.new("sm3", data).hexdigest()


def hmac_sm3(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, "sm3").digest()


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def new_id() -> str:
    """UUID version 7."""
    number = (int(time.time() * 1000) << 80) | (7 << 76) | (secrets.randbits(12) << 64) | (2 << 62)
    return str(uuid.UUID(int=number | secrets.randbits(62)))


def now(offset_s: float = 0) -> str:
    moment = datetime.datetime.fromtimestamp(time.time() + offset_s, CHINA)
    return moment.isoformat(timespec="milliseconds")


@dataclass
class Hall:
    """One hall with its keys and counters; every request is signed anew."""

    twin: ProvinceTwin
    hall: str = TEST_HALL
    kid: str = "s1"
    key: bytes = KEY
    offset_s: int = 0
    streamid: str = STREAM
    sequence: int = 0
    aggseqs: dict[str, int] = field(default_factory=dict)
    timeout_s: float = 10.0

    def __post_init__(self) -> None:
        # A pooled connection would hide what happens to the next one.
        self.http = httpx.Client(limits=NO_RETRIES, timeout=self.timeout_s, trust_env=False, verify=False)

    def close(self) -> None:
        self.http.close()

    # -- requests --------------------------------------------------------------------------------------------------

    def signing_headers(self, method: str, path: str, query: str, body_sm3: str, **wrong: str) -> dict[str, str]:
        stamp = wrong.get("timestamp", str(int(time.time()) + self.offset_s))
        nonce = wrong.get("nonce", secrets.token_hex(16))
        lines = ("HALL-HMAC-SM3", method, path, query, stamp, nonce, body_sm3, self.hall)
        signature = hmac_sm3(self.key, "".join(f"{line}\n" for line in lines).encode()).hex()
        return {
            "X-Hall-Key-Id": self.kid,
            "X-Hall-Timestamp": stamp,
            "X-Hall-Nonce": nonce,
            "X-Content-SM3": body_sm3,
            "X-Hall-Signature": wrong.get("signature", signature),
        }

    def path(self, tail: str) -> str:
        return f"/hall-sync/v1/halls/{self.hall}{tail}"

    def send(
        self,
        method: str,
        tail: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        query: str = "",
        **wrong: str,
    ) -> httpx.Response:
        path = tail if tail.startswith("/hall-sync") else self.path(tail)
        signed = self.signing_headers(method, path, query, wrong.pop("body_sm3", sm3(body)), **wrong)
        url = f"http://127.0.0.1:{self.twin.port}{path}" + (f"?{query}" if query else "")
        return self.http.request(method, url, content=body, headers={**signed, **(headers or {})})

    def post(self, tail: str, document: object, **more: Any) -> httpx.Response:
        body = json.dumps(document, ensure_ascii=False).encode()
        return self.send("POST", tail, body, {"Content-Type": "application/json"}, **more)

    def send_batch(
        self, events: Any, *, query: str = "", packed: bool = False, streamid: str | None = None
    ) -> httpx.Response:
        body = events if isinstance(events, bytes) else json.dumps(events, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/cloudevents-batch+json"}
        if packed:
            body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
        return self.send("POST", f"/streams/{streamid or self.streamid}/events", body, headers, query)

    def hello(self, **other: Any) -> httpx.Response:
        said = {
            "daemon_version": "0.1.0",
            "contract": "1.0",
            "streamid": self.streamid,
            "next_sequence": f"{self.sequence + 1:016d}",
            "oldest_unacked_time": None,
            "backlog_events": 0,
            "backlog_blobs": 0,
            "backlog_bytes": 0,
            "catver": 0,
            "bizdate": BIZDATE,
            "clkstate": "sync",
            "boot_id": new_id(),
        }
        return self.post("/hello", {**said, **other})

    # -- events ----------------------------------------------------------------------------------------------------

    def event(self, kind: str, subject: str, data: dict[str, Any], **other: Any) -> dict[str, Any]:
        """The next event of the stream."""
        self.sequence += 1
        self.aggseqs[subject] = self.aggseqs.get(subject, 0) + 1
        return {
            "specversion": "1.0",
            "id": new_id(),
            "source": f"/halls/{self.hall}",
            "type": f"hall.{kind}.v1",
            "subject": subject,
            "time": now(self.offset_s),
            "recordedtime": now(self.offset_s),
            "datacontenttype": "application/json",
            "streamid": self.streamid,
            "sequence": f"{self.sequence:016d}",
            "aggseq": self.aggseqs[subject],
            "bizdate": BIZDATE,
            "catver": 42,
            "clkstate": "sync",
            "clkoffms": 0,
            "data": data,
            **other,
        }

    def opened(self, reason: str = "install", **more: Any) -> dict[str, Any]:
        return self.event("stream.opened", "hall", {"reason": reason, "serial_floor": {}, **more})

    def open_stream(self) -> None:
        answer = self.send_batch([self.opened()])
        assert answer.status_code == 200, answer.text

    def issued(self, serial: int, ticket_id: str | None = None, **other: Any) -> dict[str, Any]:
        ticket_id = ticket_id or new_id()
        return self.event("ticket.issued", f"ticket/{ticket_id}", {**issued_data(ticket_id, serial), **other})

    def ticket_event(self, kind: str, ticket_id: str, **data: Any) -> dict[str, Any]:
        return self.event(f"ticket.{kind}", f"ticket/{ticket_id}", {"ticket_id": ticket_id, **data})

    def cancelled(self, ticket_id: str, serial: int) -> dict[str, Any]:
        return self.ticket_event("cancelled", ticket_id, display_no=f"A{serial:03d}", reason_code="resident_left")

    def tickets(self, count: int, first: int = 1) -> list[dict[str, Any]]:
        return [self.issued(serial) for serial in range(first, first + count)]

    # -- files -----------------------------------------------------------------------------------------------------

    def create_upload(self, content: bytes, **other: str) -> httpx.Response:
        blob = blob_of(content)
        pairs = {"blob": blob, "sm3": sm3(content), "media": "image/jpeg", **other}
        headers = {
            "Tus-Resumable": "1.0.0",
            "Upload-Length": str(len(content)),
            "Upload-Metadata": ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in pairs.items()),
            "Idempotency-Key": f'"{blob}"',
        }
        return self.send("POST", "/uploads", headers=headers)

    def chunk_headers(self, offset: int, piece: bytes) -> dict[str, str]:
        return {
            "Tus-Resumable": "1.0.0",
            "Content-Type": "application/offset+octet-stream",
            "Upload-Offset": str(offset),
            "Upload-Checksum": "sha256 " + base64.b64encode(hashlib.sha256(piece).digest()).decode(),
        }

    def patch(self, location: str, offset: int, piece: bytes, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.send("PATCH", location, piece, {**self.chunk_headers(offset, piece), **named})

    def offset_of(self, location: str) -> int:
        answer = self.send("HEAD", location, headers={"Tus-Resumable": "1.0.0"})
        assert answer.status_code == 200, answer.status_code
        return int(answer.headers["Upload-Offset"])

    def blob_state(self, content: bytes) -> str | None:
        answer = self.send("HEAD", f"/blobs/{blob_of(content)}")
        return answer.headers.get("X-Blob-State") if answer.status_code == 200 else None

    def upload(self, content: bytes, chunk: int = 64 * 1024) -> str:
        """As a hall does it: create or find, go on from the province's offset until it is stored."""
        location: str = self.create_upload(content).headers["Location"]
        offset = self.offset_of(location)
        while offset < len(content):
            answer = self.patch(location, offset, content[offset : offset + chunk])
            assert answer.status_code == 204, answer.text
            offset = int(answer.headers["Upload-Offset"])
        return location

    def begin_chunk(self, location: str, offset: int, piece: bytes, sent: int) -> socket.socket:
        """Send a chunk only in part, on a connection of its own."""
        headers = {
            **self.signing_headers("PATCH", location, "", sm3(piece)),
            **self.chunk_headers(offset, piece),
            "Host": "127.0.0.1",
            "Content-Length": str(len(piece)),
        }
        head = f"PATCH {location} HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n"
        connection = socket.create_connection(("127.0.0.1", self.twin.port), timeout=self.timeout_s)
        connection.sendall(head.encode() + piece[:sent])
        return connection


def issued_data(ticket_id: str, serial: int) -> dict[str, Any]:
    return {
        "ticket_id": ticket_id,
        "display_no": f"A{serial:03d}",
        "queue_code": "A",
        "serial": serial,
        "channel": "kiosk",
        "priority": "normal",
        "identity_mode": "none",
        "item_codes": ["11990000990000017W4990101001000"],
        "waiting_ahead": 0,
        "device_id": "PRN-01",
        "printed_required": True,
    }


def blob_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def sealed(event_id: str, person: dict[str, str]) -> dict[str, Any]:
    """The envelope of §4."""
    iv = secrets.token_bytes(16)
    cipher = Cipher(algorithms.SM4(PII_KEY[:16]), modes.CTR(iv)).encryptor()
    ct = cipher.update(canonical(person)) + cipher.finalize()
    mac = hmac_sm3(PII_KEY[16:], b"v1|k1|" + event_id.encode() + b"|" + iv + ct)
    in_base64 = {name: base64.b64encode(part).decode() for name, part in (("iv", iv), ("ct", ct), ("mac", mac))}
    return {"v": 1, "kid": "k1", **in_base64}


@contextlib.contextmanager
def hall_of(twin: ProvinceTwin, **other: Any) -> Iterator[Hall]:
    hall = Hall(twin, **other)
    try:
        yield hall
    finally:
        hall.close()


@contextlib.contextmanager
def running_twin(folder: Path, **other: Any) -> Iterator[ProvinceTwin]:
    twin = ProvinceTwin(folder, **other)
    try:
        yield twin.start()
    finally:
        twin.close()
