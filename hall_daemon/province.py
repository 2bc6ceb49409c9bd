"""The province's dialect: signing, addresses, what counts as an answer, and what each problem code asks of the hall.

Source: province.md; section numbers stand beside the tables. Sends one request at a time as it is told and judges the
answer; repeats nothing and remembers nothing but the offset of the province's clock and the key in use.
Errors and what to do about them: province_replies.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import logging
import random
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx
from pydantic import TypeAdapter

from hall_daemon import province_replies as replies
from hall_daemon.clock import Clock, http_date_ms
from hall_daemon.privacy import Key, signature, sm3_hex
from hall_daemon.province_replies import ProvinceError, Reply, Unreachable, Why, read, read_all, read_object, refusal
from hall_daemon.province_shapes import (
    AppointmentPage,
    BatchAnswer,
    Command,
    DayClaim,
    DayVerdict,
    Heartbeat,
    HeartbeatAnswer,
    Hello,
    HelloAnswer,
    PublishedKey,
)  # fmt: skip
from hall_daemon.words import Frozen

_log = logging.getLogger("province")

LARGEST_ANSWER = 8 * 1024 * 1024
SLOWEST_BYTES_PER_S = 100
"""A request may take as long as this line would need for it, above its idle limits."""
TUS = "1.0.0"


LONGEST_BACKOFF_S = 900.0
AFTER_HEALTH_S = 120.0
FULL_WAIT_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How waits are drawn and how long a silent line is listened to; tests draw and scale otherwise."""

    rand: Callable[[float, float], float] = random.SystemRandom().uniform
    scale: float = 1.0
    """All waits are multiplied by this; limits of a single request are not."""
    connect_s: float = 10.0
    idle_s: float = 30.0

    async def pause(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds * self.scale)


class Backoff:
    """Full jitter up to the cap (§9.4); forgotten only after an acknowledgement."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self.failures = 0

    def failed(self, error: ProvinceError | None = None, *, after_health: bool = False) -> float:
        """Seconds to wait now. `after_health`: a session that worked was lost; a fleet must not return as one."""
        self.failures += 1
        longest = min(LONGEST_BACKOFF_S, 2.0 ** min(self.failures, 16))
        asked = error.wait_s if error is not None else None
        # The province's wish wins: drawn above it, never below.
        wait_s = self._pace.rand(0, longest if asked is None else min(asked, longest)) + (asked or 0)
        if isinstance(error, Unreachable) and error.why is Why.FULL:
            wait_s = max(FULL_WAIT_S, wait_s)
        return wait_s + (self._pace.rand(0, AFTER_HEALTH_S) if after_health else 0)

    def acknowledged(self) -> None:
        """The province has taken something."""
        self.failures = 0


class Province:
    """The province as the hall may ask it."""

    def __init__(self, url: str, hall_code: str, key: Key, clock: Clock, pace: Pace) -> None:
        self.key = key
        self.spare_keys: tuple[Key, ...] = ()
        """Other signing keys that are valid now."""
        self.offset_s = 0.0
        """Province's clock minus ours; used for signing only."""
        self._base = httpx.URL(f"{url}/halls/{hall_code}")
        self._hall_code, self._clock, self._pace = hall_code, clock, pace
        self._client: httpx.AsyncClient | None = None
        self._commands = TypeAdapter(tuple[Command, ...])
        self._keys = TypeAdapter(tuple[PublishedKey, ...])

    # --- the line -------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Province:
        self._client = self._new_client()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def reconnect(self) -> None:
        """Give up every connection; only while no request is under way that should be answered."""
        client, self._client = self._client, self._new_client()
        if client is not None:
            await client.aclose()

    def _new_client(self) -> httpx.AsyncClient:
        idle = httpx.Timeout(self._pace.idle_s, connect=self._pace.connect_s)
        # Names are resolved at each connect; proxies of the environment are not the hall's.
        return httpx.AsyncClient(timeout=idle, trust_env=False, limits=httpx.Limits(max_connections=8))

    def use_next_key(self) -> None:
        """The key in use is refused: try the next one, if there is one."""
        if self.spare_keys:
            self.key, self.spare_keys = self.spare_keys[0], (*self.spare_keys[1:], self.key)
            _log.warning("signing with key %s from now on", self.key.kid)

    # --- events (§7.1 to §7.4, §7.9) ----------------------------------------------------------------------------------

    async def hello(self, hello: Hello) -> HelloAnswer:
        """§7.1. Raises ProvinceError, as everything below."""
        return read(await self._post("hello", hello), HelloAnswer)

    async def send_events(self, streamid: str, bodies: Sequence[str], *, resend: bool = False) -> BatchAnswer:
        """§7.2: canonical events in ascending order."""
        body = await asyncio.to_thread(_packed, bodies)
        headers = {"Content-Type": "application/cloudevents-batch+json", "Content-Encoding": "gzip"}
        path = f"streams/{streamid}/events" + ("?mode=resend" if resend else "")
        answer = read(await self._send("POST", self._at(path), body, headers), BatchAnswer)
        if answer.streamid != streamid:
            raise Unreachable(Why.NOT_THE_PROVINCE, f"events: the answer is about stream {answer.streamid[:36]!r}")
        return answer

    async def reconcile(self, claim: DayClaim) -> DayVerdict:
        """§7.4."""
        return read(await self._post("reconciliations", claim), DayVerdict)

    async def heartbeat(self, beat: Heartbeat) -> HeartbeatAnswer:
        """§7.9."""
        return read(await self._post("heartbeat", beat), HeartbeatAnswer)

    # --- decisions (§3.4, §7.8) ---------------------------------------------------------------------------------------

    async def keys(self, key: Key | None = None) -> tuple[PublishedKey, ...]:
        """§3.4; signed with another key to find out whether it is good."""
        reply = await self._send("GET", self._at("keys"), key=key)
        return read_all(reply, self._keys)

    async def catalog(self, since: int, known: int) -> dict[str, Any] | None:
        """§7.6: what is newer than `since`, whole or as a difference; None if `known` is the newest.

        Any: read by the catalogue's own rules, which keep members that nobody here knows. Raises ProvinceError.
        """
        headers = {"If-None-Match": f'"{known}"'} if known else {}
        reply = await self._send("GET", self._at(f"catalog?since={since}"), headers=headers)
        return None if reply.status == 304 else read_object(reply)

    async def appointments(self, first: str, last: str, cursor: str) -> AppointmentPage:
        """§7.7: appointments of these days that changed after the cursor, one page."""
        at = f"appointments?from={first}&to={last}" + (f"&changed_since={quote(cursor, safe='')}" if cursor else "")
        return read(await self._send("GET", self._at(at)), AppointmentPage)

    async def commands(self, after: int, wait_s: int) -> tuple[Command, ...]:
        """§7.8: commands after this id; the province holds the question for so many seconds."""
        reply = await self._send("GET", self._at(f"commands?after={after}&wait={wait_s}"), longer_s=wait_s)
        return read_all(reply, self._commands)

    # --- files (§7.5) -----------------------------------------------------------------------------------------------

    async def blob_state(self, blob: str) -> str | None:
        """`stored` or `verifying`; None if the province does not have it."""
        reply = await self._send("HEAD", self._at(f"blobs/{blob}"))
        state = reply.header("X-Blob-State")
        if reply.status == 200 and state in ("stored", "verifying"):
            return state
        if reply.status == 404:
            return None
        raise refusal(reply)

    async def create_upload(self, *, blob: str, sm3: str, media: str, length: int) -> str:
        """A place for a file: its address. The same file gets the same address."""
        pairs = {"blob": blob, "sm3": sm3, "media": media}
        headers = {
            "Upload-Length": str(length),
            "Upload-Metadata": ",".join(f"{name} {_b64(value.encode())}" for name, value in pairs.items()),
            "Idempotency-Key": f'"{blob}"',
        }
        reply = await self._send("POST", self._at("uploads"), headers={**headers, "Tus-Resumable": TUS})
        if reply.status != 201 or "Location" not in reply.headers:
            raise refusal(reply)
        return str(self._own(str(self._base.join(reply.headers["Location"]))))

    async def upload_offset(self, url: str) -> int:
        """How much of a file is there, bytes."""
        reply = await self._send("HEAD", self._own(url), headers={"Tus-Resumable": TUS})
        return replies.offset(reply, 200, 204)

    async def append(self, url: str, offset: int, chunk: bytes) -> int:
        """Send the next piece of a file; the new offset."""
        headers = {
            "Tus-Resumable": TUS,
            "Content-Type": "application/offset+octet-stream",
            "Upload-Offset": str(offset),
            "Upload-Checksum": f"sha256 {_b64(hashlib.sha256(chunk).digest())}",
        }
        reply = await self._send("PATCH", self._own(url), chunk, headers)
        return replies.offset(reply, 204)

    # --- one request ------------------------------------------------------------------------------------------------

    def _at(self, path: str) -> httpx.URL:
        return httpx.URL(f"{self._base}/{path}")

    def owns(self, url: str) -> bool:
        """Whether an address is the province's; files go nowhere else."""
        place = httpx.URL(url)
        return (place.scheme, place.host, place.port) == (self._base.scheme, self._base.host, self._base.port)

    def _own(self, url: str) -> httpx.URL:
        if not self.owns(url):
            raise Unreachable(Why.NOT_THE_PROVINCE, "uploads: the address for a file is not the province's")
        return httpx.URL(url)

    async def _post(self, path: str, document: Frozen) -> Reply:
        body = document.model_dump_json().encode()
        return await self._send("POST", self._at(path), body, {"Content-Type": "application/json"})

    async def _send(
        self, method: str, url: httpx.URL, body: bytes = b"", headers: Mapping[str, str] | None = None, *,
        key: Key | None = None, longer_s: float = 0,
    ) -> Reply:  # fmt: skip
        what = f"{method} {url.path.rpartition('/halls/')[2].partition('/')[2]}"
        assert self._client is not None, "used outside its context"
        timeout = httpx.Timeout(self._pace.idle_s + longer_s, connect=self._pace.connect_s)
        request = self._client.build_request(method, url, content=body, headers=headers, timeout=timeout)
        request.headers.update(self._signed(request, body, key or self.key))
        limit_s = 2 * self._pace.idle_s + longer_s + len(body) / SLOWEST_BYTES_PER_S
        try:
            async with asyncio.timeout(limit_s), _streamed(self._client, request) as response:
                self._learn_offset(response.headers.get("Date", ""))
                content = await _content(response, what)
        except (httpx.TimeoutException, TimeoutError) as exc:
            raise Unreachable(Why.NO_ANSWER, f"{what}: no answer in time", timed_out=True) from exc
        except httpx.RequestError as exc:
            raise Unreachable(Why.NO_ANSWER, f"{what}: {type(exc).__name__}") from exc
        return Reply(what=what, status=response.status_code, headers=response.headers, body=content)

    def _signed(self, request: httpx.Request, body: bytes, key: Key) -> dict[str, str]:
        """§3.2, §3.3: the hall's time corrected to the province's."""
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        stamp = str(int(self._clock.now_ms() / 1000 + self.offset_s))
        nonce, digest = secrets.token_hex(16), sm3_hex(body)
        lines = ("HALL-HMAC-SM3", request.method, path, query, stamp, nonce, digest, self._hall_code)
        return {
            "X-Hall-Key-Id": key.kid,
            "X-Hall-Timestamp": stamp,
            "X-Hall-Nonce": nonce,
            "X-Content-SM3": digest,
            "X-Hall-Signature": signature(key, lines),
            "User-Agent": f"hall-daemon/{daemon_version()}",
            "Accept-Encoding": "identity",
        }

    def _learn_offset(self, date: str) -> None:
        theirs = http_date_ms(date)
        if theirs is None:
            return
        before, self.offset_s = self.offset_s, (theirs + 500 - self._clock.now_ms()) / 1000
        if abs(before - self.offset_s) > 60:
            _log.warning("clock of the province differs by %.0f s; used for signing only", self.offset_s)


def _packed(bodies: Sequence[str]) -> bytes:
    return gzip.compress(("[" + ",".join(bodies) + "]").encode(), 6, mtime=0)


@asynccontextmanager
async def _streamed(client: httpx.AsyncClient, request: httpx.Request) -> AsyncIterator[httpx.Response]:
    response = await client.send(request, stream=True)
    try:
        yield response
    finally:
        await response.aclose()


async def _content(response: httpx.Response, what: str) -> bytes:
    """The body; somebody who answers without end is not the province."""
    content = bytearray()
    async for piece in response.aiter_bytes():
        content += piece
        if len(content) > LARGEST_ANSWER:
            raise Unreachable(Why.NOT_THE_PROVINCE, f"{what}: more than {LARGEST_ANSWER} bytes")
    return bytes(content)


@cache
def daemon_version() -> str:
    """Version of this program."""
    try:
        return str(metadata.version("hall-daemon"))
    except metadata.PackageNotFoundError:
        return "0"


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
