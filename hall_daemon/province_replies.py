"""What came back from the province: an answer, a problem, or something that the province never said.

    ProvinceError
      Unreachable     no answer, or one that the province did not give: try the same later
      Rejected        the province understood and declined: REMEDIES says what to do

Source: province.md §7.5, §10. Pure: judges what was received, sends nothing.
"""

from __future__ import annotations

import email.utils
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from hall_daemon.province_shapes import Answer, Problem

M = TypeVar("M", bound=Answer)
LONGEST_ASKED_WAIT_S = 3600.0


class Why(StrEnum):
    """Why there is no answer to go by; each has its sentence in texts."""

    NO_ANSWER = "unreachable"
    NOT_THE_PROVINCE = "not_the_province"
    BUSY = "busy"
    FAILED = "failed"
    FULL = "full"


class ProvinceError(Exception):
    """A request did not do what it was sent for. `wait_s` is what the province asked for, if it did."""

    wait_s: float | None = None


class Unreachable(ProvinceError):
    """No answer of the province; the same may be tried later."""

    def __init__(self, why: Why, detail: str, *, wait_s: float | None = None, timed_out: bool = False) -> None:
        self.why, self.wait_s, self.timed_out = why, wait_s, timed_out
        super().__init__(detail)


class Rejected(ProvinceError):
    """A problem document of the province (§10)."""

    def __init__(self, what: str, status: int, problem: Problem, wait_s: float | None = None) -> None:
        self.status, self.problem, self.code, self.wait_s = status, problem, problem.code, wait_s
        super().__init__(f"{what}: {status} {problem.code}")

    @property
    def remedy(self) -> Remedy:
        """What the hall does about it."""
        return REMEDIES.get(self.code, Remedy.ALARM)


class Remedy(StrEnum):
    """What a problem code asks of the hall."""

    WAIT = "wait"
    """The same again after a back-off."""
    NEW_KEY = "new_key"
    """Another signing key, then the same again."""
    STOP = "stop"
    """Send nothing but a hello now and then, until the province says otherwise."""
    SHRINK = "shrink"
    """Smaller; down to the one event that is refused alone."""
    REWIND = "rewind"
    """Go on from where the province stands."""
    NEW_STREAM = "new_stream"
    """Open a new stream and repeat there what is unacknowledged."""
    ASK_OFFSET = "ask_offset"
    CREATE_ANEW = "create_anew"
    WAIT_FOR_LOCK = "wait_for_lock"
    SEND_AGAIN = "send_again"
    CHECK_FILE = "check_file"
    ALARM = "alarm"
    """A person must look; tried again rarely."""


REMEDIES: Mapping[str, Remedy] = {
    # §10: 400, 413
    "BAD_JSON": Remedy.SHRINK, "BAD_ENVELOPE": Remedy.SHRINK, "BAD_BATCH": Remedy.SHRINK, "TOO_LARGE": Remedy.SHRINK,
    # §3, §10: 401, 403, 426
    "AUTH_CLOCK_SKEW": Remedy.WAIT, "AUTH_REPLAY": Remedy.WAIT,
    "AUTH_SIGNATURE": Remedy.NEW_KEY, "AUTH_KEY_UNKNOWN": Remedy.NEW_KEY,
    "AUTH_REVOKED": Remedy.STOP, "HALL_SUSPENDED": Remedy.STOP, "CONTRACT_TOO_OLD": Remedy.STOP,
    # §6, §7.2: 404, 409
    "STREAM_UNKNOWN": Remedy.REWIND, "SEQ_GAP": Remedy.REWIND,
    "SEQ_CONFLICT": Remedy.NEW_STREAM, "ID_CONFLICT": Remedy.NEW_STREAM, "STREAM_CLOSED": Remedy.NEW_STREAM,
    "CHAIN_MISMATCH": Remedy.ALARM, "MEDIA": Remedy.ALARM,
    # §7.5: files
    "UPLOAD_OFFSET": Remedy.ASK_OFFSET, "BLOB_UNKNOWN": Remedy.CREATE_ANEW, "UPLOAD_GONE": Remedy.CREATE_ANEW,
    "UPLOAD_LOCKED": Remedy.WAIT_FOR_LOCK, "CHECKSUM": Remedy.SEND_AGAIN, "DIGEST_MISMATCH": Remedy.CHECK_FILE,
    "IDEMPOTENCY_MISMATCH": Remedy.ALARM, "STILL_RUNNING": Remedy.WAIT,
}  # fmt: skip
# An answer to HEAD has no body, so its status must say it all.
_CODE_OF_HEAD = {
    401: "AUTH_SIGNATURE", 403: "HALL_SUSPENDED", 404: "BLOB_UNKNOWN", 409: "UPLOAD_OFFSET", 410: "UPLOAD_GONE",
    412: "TUS_VERSION", 423: "UPLOAD_LOCKED",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back: not yet an answer."""

    what: str
    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def media(self) -> str:
        """Media type without parameters."""
        return self.header("Content-Type").partition(";")[0].strip().lower()

    def header(self, name: str) -> str:
        """A header, or nothing."""
        return str(self.headers.get(name, ""))


def read(reply: Reply, shape: type[M]) -> M:
    """An answer is an answer only as 200, application/json and of the right shape. Raises ProvinceError."""
    if reply.status != 200:
        raise refusal(reply)
    if reply.media != "application/json":
        raise _strange(reply)
    try:
        return shape.model_validate_json(reply.body)
    except ValidationError as exc:
        raise _strange(reply) from exc


def read_all(reply: Reply, shape: TypeAdapter[tuple[M, ...]]) -> tuple[M, ...]:
    """The same for a list."""
    if reply.status != 200:
        raise refusal(reply)
    if reply.media != "application/json":
        raise _strange(reply)
    try:
        return shape.validate_json(reply.body)
    except ValidationError as exc:
        raise _strange(reply) from exc


def read_object(reply: Reply) -> dict[str, Any]:
    """The same for an object that somebody else checks. Any: of every JSON type."""
    if reply.status != 200:
        raise refusal(reply)
    try:
        found = json.loads(reply.body) if reply.media == "application/json" else None
    except (ValueError, RecursionError) as exc:
        raise _strange(reply) from exc
    if not isinstance(found, dict):
        raise _strange(reply)
    return found


def offset(reply: Reply, *good: int) -> int:
    """Offset of an upload, if the status is one of the good ones. Raises ProvinceError."""
    value = reply.header("Upload-Offset")
    if reply.status not in good:
        raise refusal(reply)
    if not (value.isascii() and value.isdecimal()):
        raise _strange(reply)
    return int(value)


def _strange(reply: Reply) -> Unreachable:
    return Unreachable(
        Why.NOT_THE_PROVINCE, f"{reply.what}: {reply.status} {reply.media[:40] or 'without type'} is no answer of ours"
    )


def refusal(reply: Reply) -> ProvinceError:
    """What stands in a reply that is not the wanted answer."""
    problem: Problem | None = None
    if reply.media == "application/problem+json" and reply.body:
        try:
            problem = Problem.model_validate_json(reply.body)
        except ValidationError:
            return _strange(reply)
    elif reply.what.startswith("HEAD ") and reply.status in _CODE_OF_HEAD:
        problem = Problem(code=_CODE_OF_HEAD[reply.status])
    wait_s = _asked_wait_s(reply, problem)
    if reply.status == 429 or reply.status >= 500:
        why = {429: Why.BUSY, 503: Why.BUSY, 507: Why.FULL}.get(reply.status, Why.FAILED)
        code = problem.code if problem else "without a problem document"
        return Unreachable(why, f"{reply.what}: {reply.status} {code}", wait_s=wait_s)
    return _strange(reply) if problem is None else Rejected(reply.what, reply.status, problem, wait_s)


def _asked_wait_s(reply: Reply, problem: Problem | None) -> float | None:
    """`Retry-After` as seconds or date, or `retry_after_ms`; the longer one."""
    asked = [problem.retry_after_ms / 1000] if problem is not None and problem.retry_after_ms is not None else []
    header = reply.header("Retry-After")
    if header.isascii() and header.isdecimal():
        asked.append(float(header))
    elif header:
        until, now = (_seconds(text) for text in (header, reply.header("Date")))
        asked += [max(0.0, until - now)] if until is not None and now is not None else []
    return min(LONGEST_ASKED_WAIT_S, max(asked)) if asked else None


def _seconds(http_date: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(http_date).timestamp()
    except ValueError:
        return None
