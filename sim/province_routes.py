"""The addresses of province.md §7, except files: reads a request, asks the rooms behind, writes the answer."""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from sim import province_checks as checks
from sim.province_checks import either, integer, one_of, shape, text
from sim.province_days import Days
from sim.province_decisions import Decisions
from sim.province_gate import Gate, whole_body
from sim.province_judge import Arrived, arrived
from sim.province_ledger import Ledger
from sim.province_line import die
from sim.province_problems import Problem
from sim.province_seals import ZERO_CHAIN, BadJson, Json, JsonObject, KeyRing, parse_json, wire_time
from sim.province_tables import Tables
from sim.province_uploads import Uploads

BASE = "/hall-sync/v1"
HALL = BASE + "/halls/{hall}"
CONTRACT = "1.0"
BATCH_MEDIA = "application/cloudevents-batch+json"
LARGEST_JSON = 1024 * 1024

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What the province tells halls to keep to; `backoff_ms` goes into every batch answer."""

    batch_events: int = 500
    batch_bytes: int = 1048576
    rate_per_s: int = 50
    upload_parallel: int = 2
    upload_chunk: int = 1048576
    blob_bytes: int = 100 * 1024 * 1024
    backoff_ms: int = 0


@dataclass(kw_only=True)
class Province:
    """Everything the addresses need."""

    tables: Tables
    ledger: Ledger
    days: Days
    decisions: Decisions
    uploads: Uploads
    gate: Gate
    now: Callable[[], float]
    ring: Callable[[], KeyRing]
    publish_keys: Callable[[KeyRing], None]

    @property
    def limits(self) -> Limits:
        """The limits in force."""
        return Limits(**json.loads(self.tables.setting("limits", "{}")))


def answer(document: Json, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(json.dumps(document, ensure_ascii=False), status, headers, "application/json")


def refusal(problem: Problem) -> Response:
    """A problem as an answer."""
    headers = dict(problem.headers)
    wait_ms = problem.more.get("retry_after_ms")
    if isinstance(wait_ms, int):
        headers["Retry-After"] = str(max(1, wait_ms // 1000))
    body = json.dumps(problem.document(), ensure_ascii=False)
    return Response(body, problem.status, headers, "application/problem+json")


def guarded(endpoint: Endpoint, gate: Gate | None = None) -> Endpoint:
    """The endpoint behind the gate, with its refusals turned into answers."""

    async def guard(request: Request) -> Response:
        try:
            if gate is not None:
                gate.admit(request)
            return await endpoint(request)
        except Problem as problem:
            return refusal(problem)
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody hears it

    return guard


async def json_body(request: Request, limit: int = LARGEST_JSON, *, signed: bool = True) -> Json:
    """The request's JSON. Raises Problem."""
    raw = await whole_body(request, limit) if signed else await request.body()
    if signed and _media(request) != "application/json":
        raise Problem(415, "MEDIA", "not application/json")
    return _parsed(raw)


def _media(request: Request) -> str:
    return request.headers.get("Content-Type", "").partition(";")[0].strip().lower()


def _parsed(raw: bytes) -> Json:
    try:
        return parse_json(raw)
    except BadJson as exc:
        raise Problem(400, "BAD_JSON", str(exc)) from exc


def _checked(value: Json, check: checks.Check) -> JsonObject:
    if complaint := check(value):
        raise Problem(400, "BAD_ENVELOPE", complaint)
    assert isinstance(value, dict)
    return value


def whole_number(request: Request, name: str, default: int) -> int:
    """A number from the query. Raises Problem BAD_ENVELOPE."""
    raw = request.query_params.get(name, str(default))
    if not (raw.isascii() and raw.isdecimal() and len(raw) <= 15):
        raise Problem(400, "BAD_ENVELOPE", f"{name}: not a whole number")
    return int(raw)


HELLO = shape(
    daemon_version=text(64),
    contract=checks.pattern("[0-9]{1,3}\\.[0-9]{1,3}"),
    streamid=checks.uuid,
    next_sequence=checks.sequence,
    oldest_unacked_time=either(checks.moment, lambda value: None if value is None else "neither a time nor null"),
    backlog_events=integer(0),
    backlog_blobs=integer(0),
    backlog_bytes=integer(0),
    catver=integer(0),
    bizdate=checks.date,
    clkstate=one_of("sync", "hold", "bad"),
    boot_id=text(64),
)
HEARTBEAT = shape(
    time=checks.moment,
    boot_id=text(64),
    bizdate=checks.date,
    day_state=text(32),
    backlog_events=integer(0),
    backlog_blobs=integer(0),
    oldest_unacked_s=either(integer(0), lambda value: None if value is None else "neither a number nor null"),
    disk_free_bytes=integer(0),
    db_bytes=integer(0),
    clkstate=one_of("sync", "hold", "bad"),
    clkoffms=integer(None),
    waiting=checks.map_of(checks.queue_code, integer(0)),
    windows_open=integer(0),
    devices=checks.list_of(shape(id=checks.device_id, kind=text(32), state=text(32), since=checks.moment)),
    version=text(64),
)


class Desk:
    """One method per address."""

    def __init__(self, province: Province) -> None:
        self._p = province

    def routes(self) -> list[Route]:
        """Where each method is reached."""
        table: tuple[tuple[str, str, Endpoint], ...] = (
            ("POST", "/hello", self.hello),
            ("POST", "/streams/{streamid}/events", self.events),
            ("GET", "/streams/{streamid}/cursor", self.cursor),
            ("POST", "/reconciliations", self.reconcile),
            ("GET", "/catalog", self.catalog),
            ("GET", "/appointments", self.appointments),
            ("GET", "/commands", self.commands),
            ("GET", "/keys", self.keys),
            ("POST", "/heartbeat", self.heartbeat),
        )
        return [
            Route(HALL + path, guarded(endpoint, self._p.gate), methods=[method]) for method, path, endpoint in table
        ]

    async def hello(self, request: Request) -> Response:
        """§7.1."""
        said = _checked(await json_body(request), HELLO)
        if _version(str(said["contract"])) < _version(CONTRACT):
            raise Problem(426, "CONTRACT_TOO_OLD", "please upgrade", contract_min=CONTRACT)
        stream = self._p.ledger.stream(str(said["streamid"]))
        unknown: JsonObject = {"acked_through": "0" * 16, "next_expected": f"{1:016d}", "chain_sm3": ZERO_CHAIN}
        limits = dataclasses.asdict(self._p.limits)
        limits.pop("backoff_ms")
        return answer(
            {
                "server_time": wire_time(self._p.now()),
                "contract_min": CONTRACT,
                "contract_max": CONTRACT,
                "stream_state": "unknown" if stream is None else ("open" if stream.open else "closed"),
                **(unknown if stream is None else stream.position),
                "known_serials": self._p.days.known_serials(),
                "catalog_version": self._p.decisions.catalog_version(),
                "limits": limits,
                "quarantined": len(self._p.days.quarantine()),
                "commands_pending": self._p.decisions.pending_commands(),
                "notices": [],
            }
        )

    async def events(self, request: Request) -> Response:
        """§7.2, checks in exactly its order."""
        streamid, limits = request.path_params["streamid"], self._p.limits
        mode = request.query_params.get("mode")
        raw = await whole_body(request, limits.batch_bytes)
        values = _batch_of(_parsed(_unpacked(request, raw, limits.batch_bytes)), limits.batch_events)
        events = [
            arrived(value, hall=self._p.gate.hall, streamid=streamid, index=index) for index, value in enumerate(values)
        ]
        _check_order(events, mode)
        crash = request.scope.get("crash_in_transaction", False)
        half = (len(events) + 1) // 2
        outcome = self._p.ledger.take_batch(
            events,
            resend=mode == "resend",
            after_each=lambda taken: die() if crash and taken == half else None,
        )
        if outcome.conflict is not None:
            raise outcome.conflict
        stream = self._p.ledger.stream(streamid)
        assert stream is not None
        return answer(
            {
                "streamid": streamid,
                **stream.position,
                "duplicates": outcome.duplicates,
                "rejected": outcome.rejected,
                "held_subjects": [name for name in self._p.days.held_subjects() if name in outcome.subjects],
                "server_time": wire_time(self._p.now()),
                "backoff_ms": limits.backoff_ms,
            }
        )

    async def cursor(self, request: Request) -> Response:
        """§7.3."""
        await whole_body(request, LARGEST_JSON)
        stream = self._p.ledger.stream(request.path_params["streamid"])
        if stream is None:
            raise Problem(404, "STREAM_UNKNOWN", "no such stream here")
        return answer(
            {
                **stream.position,
                "state": "open" if stream.open else "closed",
                "quarantine": self._p.days.quarantine(stream.streamid),
            }
        )

    async def reconcile(self, request: Request) -> Response:
        """§7.4."""
        return answer(self._p.days.reconcile(await json_body(request)))

    async def catalog(self, request: Request) -> Response:
        """§7.6."""
        await whole_body(request, LARGEST_JSON)
        since = whole_number(request, "since", 0)
        latest = f'"{self._p.decisions.catalog_version()}"'
        tags = [tag.strip() for tag in request.headers.get("If-None-Match", "").split(",")]
        document = None if latest in tags else self._p.decisions.catalog_since(since)
        if document is None:
            return Response(status_code=304, headers={"ETag": latest})
        return answer(document, headers={"ETag": latest})

    async def appointments(self, request: Request) -> Response:
        """§7.7."""
        await whole_body(request, LARGEST_JSON)
        after = max(whole_number(request, "cursor", 0), whole_number(request, "changed_since", 0))
        first, last = (request.query_params.get(name, default) for name, default in (("from", "0"), ("to", "9")))
        return answer(self._p.decisions.appointments(first=first, last=last, after=after))

    async def commands(self, request: Request) -> Response:
        """§7.8."""
        await whole_body(request, LARGEST_JSON)
        after, wait_s = whole_number(request, "after", 0), whole_number(request, "wait", 0)
        return answer(await self._p.decisions.wait_for_commands(after, wait_s))

    async def keys(self, request: Request) -> Response:
        """§3.4."""
        await whole_body(request, LARGEST_JSON)
        return answer(self._p.ring().published)

    async def heartbeat(self, request: Request) -> Response:
        """§7.9; the latest one is kept."""
        said = _checked(await json_body(request), HEARTBEAT)
        with self._p.tables.transaction():
            self._p.tables.set("heartbeat", json.dumps(said, ensure_ascii=False))
            self._p.tables.count("heartbeats")
        pending = self._p.decisions.pending_commands()
        return answer({"server_time": wire_time(self._p.now()), "commands_pending": pending})


def _version(contract: str) -> tuple[int, ...]:
    return tuple(map(int, contract.split(".")))


def _unpacked(request: Request, raw: bytes, limit: int) -> bytes:
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if _media(request) != BATCH_MEDIA or encoding not in ("identity", "gzip"):
        raise Problem(415, "MEDIA", f"not {BATCH_MEDIA}, plain or gzip")
    if encoding == "identity":
        return raw
    unpacker = zlib.decompressobj(wbits=31)
    try:
        plain = unpacker.decompress(raw, limit + 1)
    except zlib.error as exc:
        raise Problem(400, "BAD_JSON", "not gzip") from exc
    if len(plain) > limit:
        raise Problem(413, "TOO_LARGE", f"more than {limit} bytes unpacked")
    if not unpacker.eof or unpacker.unused_data:
        raise Problem(400, "BAD_JSON", "gzip breaks off or is followed by something")
    return plain


def _batch_of(value: Json, longest: int) -> list[Json]:
    if not isinstance(value, list):
        raise Problem(400, "BAD_BATCH", "not a list of events")
    if not value:
        raise Problem(400, "BAD_BATCH", "no events")
    if len(value) > longest:
        raise Problem(413, "TOO_LARGE", f"more than {longest} events")
    return value


def _check_order(events: list[Arrived], mode: str | None) -> None:
    if mode not in (None, "resend"):
        raise Problem(400, "BAD_BATCH", "mode: only resend is known")
    for index in range(1, len(events)):
        step = events[index].sequence - events[index - 1].sequence
        if step < 1 or (step > 1 and mode is None):
            raise Problem(400, "BAD_BATCH", "sequences are not ascending without gap", index=index)
