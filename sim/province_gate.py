"""Who may ask: the signature of every request (province.md §3.2, §3.3), and its body within limits."""

from __future__ import annotations

import re
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from starlette.requests import Request

from sim.province_problems import Problem
from sim.province_seals import KeyRing, KeyUse, same, signature_of
from sim.province_tables import Tables

WINDOW_S = 300
# A refused body is read to its end up to here, so that the caller hears the refusal and not a broken connection.
PATIENCE_BYTES = 16 * 1024 * 1024


class Gate:
    """Checks signatures for one hall."""

    def __init__(self, tables: Tables, hall: str, ring: Callable[[], KeyRing], now: Callable[[], float]) -> None:
        self.hall = hall
        self._tables = tables
        self._ring = ring
        self._now = now

    def admit(self, request: Request) -> None:
        """Check everything but the body. Raises Problem 401 or 403."""
        kid, timestamp, nonce, content, signature = (
            request.headers.get(f"X-{name}", "")
            for name in ("Hall-Key-Id", "Hall-Timestamp", "Hall-Nonce", "Content-SM3", "Hall-Signature")
        )
        formed = re.fullmatch("[0-9]{1,12}", timestamp) and re.fullmatch("[0-9a-f]{32}", nonce)
        if not formed or not re.fullmatch("[0-9a-f]{64}", content):
            raise Problem(401, "AUTH_SIGNATURE", "signing headers are missing or malformed")
        key = self._ring().find(KeyUse.SIGN, kid, self._now())
        if key is None or request.path_params["hall"] != self.hall:
            raise Problem(401, "AUTH_KEY_UNKNOWN", "no such signing key for this hall now")
        path, query = request.scope["raw_path"].decode("latin-1"), request.scope["query_string"].decode("latin-1")
        right = signature_of(key.secret, (request.method, path, query, timestamp, nonce, content, self.hall))
        if not same(right, signature):
            raise Problem(401, "AUTH_SIGNATURE", "the signature does not fit the request")
        if abs(int(timestamp) - self._now()) > WINDOW_S:
            raise Problem(401, "AUTH_CLOCK_SKEW", f"the timestamp is more than {WINDOW_S} s away")
        if not self._tables.nonce_is_new(kid, nonce, self._now()):
            raise Problem(401, "AUTH_REPLAY", "this nonce was used within ten minutes")
        standing = self._tables.setting("standing", "good")
        if standing != "good":
            raise Problem(403, "AUTH_REVOKED" if standing == "revoked" else "HALL_SUSPENDED", "this hall may not send")


class BodyDigest:
    """SM3 of a body that arrives in pieces, against the signed header."""

    def __init__(self, request: Request) -> None:
        self._announced = request.headers["X-Content-SM3"]
        self._digest = hashes.Hash(hashes.SM3())

    def update(self, piece: bytes) -> None:
        """Take more of the body."""
        self._digest.update(piece)

    def check(self) -> None:
        """Compare. Raises Problem AUTH_SIGNATURE."""
        if not same(self._digest.finalize().hex(), self._announced):
            raise Problem(401, "AUTH_SIGNATURE", "the body is not the one that was signed")


async def whole_body(request: Request, limit: int) -> bytes:
    """The body, as sent. Raises Problem TOO_LARGE or AUTH_SIGNATURE."""
    digest, body, size = BodyDigest(request), bytearray(), 0
    async for piece in request.stream():
        size += len(piece)
        digest.update(piece)
        if size <= limit:
            body += piece
        elif size > PATIENCE_BYTES:
            break
    if size > limit:
        raise Problem(413, "TOO_LARGE", f"more than {limit} bytes")
    digest.check()
    return bytes(body)
