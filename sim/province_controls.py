"""The addresses under /sim (province.md §13): what tests and people do to the province from outside. Unsigned."""

from __future__ import annotations

import dataclasses
import json
import time
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sim.province_checks import Check, either, integer, list_of, one_of, shape, uuid
from sim.province_days import ledger_document
from sim.province_faults import Faults
from sim.province_problems import Problem
from sim.province_routes import Endpoint, Limits, Province, answer, guarded, json_body, whole_number
from sim.province_seals import BadKeys, JsonObject, KeyRing

LIMIT_NAMES = tuple(each.name for each in dataclasses.fields(Limits))
FORGET = either(
    shape(streamid_opt=uuid, after=integer(0)), shape(streamid_opt=uuid, sequences=list_of(integer(1), 100_000))
)
QUARANTINE = shape(id=uuid, do=one_of("retry", "purge"))


@dataclass(kw_only=True)
class Traffic:
    """How much the halls ask; N10 of the failure catalogue wants to know the busiest second."""

    requests: int = 0
    busiest_second: int = 0
    _second: int = 0
    _in_second: int = 0

    def note(self) -> None:
        """Count one request."""
        self.requests += 1
        second = int(time.monotonic())
        self._in_second = self._in_second + 1 if second == self._second else 1
        self._second = second
        self.busiest_second = max(self.busiest_second, self._in_second)


class Controls:
    """One method per address."""

    def __init__(self, province: Province, faults: Faults, traffic: Traffic) -> None:
        self._p = province
        self._faults = faults
        self._traffic = traffic

    def routes(self) -> list[Route]:
        """Where each method is reached."""
        table: tuple[tuple[str, str, Endpoint], ...] = (
            ("POST", "/sim/faults", self.add_faults),
            ("GET", "/sim/faults", self.faults),
            ("DELETE", "/sim/faults", self.clear_faults),
            ("POST", "/sim/clock", self.clock),
            ("POST", "/sim/catalog", self.catalog),
            ("POST", "/sim/appointments", self.appointments),
            ("POST", "/sim/commands", self.commands),
            ("POST", "/sim/keys", self.keys),
            ("POST", "/sim/revoke", self.revoke),
            ("POST", "/sim/limits", self.limits),
            ("POST", "/sim/forget", self.forget),
            ("POST", "/sim/quarantine", self.quarantine),
            ("GET", "/sim/ledger", self.ledger),
            ("POST", "/sim/reset", self.reset),
            ("GET", "/sim/health", self.health),
        )
        return [Route(path, guarded(endpoint), methods=[method]) for method, path, endpoint in table]

    async def add_faults(self, request: Request) -> Response:
        """Make one rule or a list of rules."""
        self._faults.add(await json_body(request, signed=False))
        return answer({"faults": self._faults.report()})

    async def faults(self, _: Request) -> Response:
        """The rules and how often they applied."""
        return answer({"faults": self._faults.report()})

    async def clear_faults(self, _: Request) -> Response:
        """The line is sound again."""
        self._faults.clear()
        return answer({})

    async def clock(self, request: Request) -> Response:
        """Set the province's clock this many seconds off: {"offset_s"}."""
        said = await _object(request, shape(offset_s=integer(None)))
        self._set("clock_offset_s", str(said["offset_s"]))
        return answer(said)

    async def catalog(self, request: Request) -> Response:
        """Publish a version; ?delta=1 offers differences to halls that have an older one."""
        document = await json_body(request, signed=False)
        offer = whole_number(request, "delta", 0) == 1
        return answer({"version": self._p.decisions.publish_catalog(document, offer_delta=offer)})

    async def appointments(self, request: Request) -> Response:
        """Book or change: a list of items."""
        self._p.decisions.put_appointments(await json_body(request, signed=False))
        return answer({})

    async def commands(self, request: Request) -> Response:
        """Give a command: {"type", "args", "expires_at"}."""
        return answer({"id": self._p.decisions.give_command(await json_body(request, signed=False))})

    async def keys(self, request: Request) -> Response:
        """Publish other keys: the list of §3.4."""
        try:
            self._p.publish_keys(KeyRing(await json_body(request, signed=False)))
        except BadKeys as exc:
            raise Problem(400, "BAD_ENVELOPE", str(exc)) from exc
        return answer({})

    async def revoke(self, request: Request) -> Response:
        """How the hall stands: {"standing": "good" | "revoked" | "suspended"}, without it revoked."""
        said = await _object(request, shape(standing_opt=one_of("good", "revoked", "suspended")))
        self._set("standing", str(said.get("standing", "revoked")))
        return answer({})

    async def limits(self, request: Request) -> Response:
        """Other limits; those not named go back to normal."""
        said = await _object(request, shape(**{f"{name}_opt": integer(0) for name in LIMIT_NAMES}))
        self._set("limits", json.dumps({name: said[name] for name in LIMIT_NAMES if name in said}))
        return answer({**dataclasses.asdict(self._p.limits)})

    async def forget(self, request: Request) -> Response:
        """{"after": n}: be restored from an older backup. {"sequences": [...]}: lose these without noticing."""
        said = await _object(request, FORGET)
        latest = self._p.tables.row(
            "SELECT streamid FROM streams WHERE streamid = coalesce(?, streamid) ORDER BY n DESC",
            (str(said["streamid"]) if "streamid" in said else None,),
        )
        if latest is None:
            raise Problem(404, "STREAM_UNKNOWN", "no such stream here")
        sequences = said.get("sequences")
        if isinstance(sequences, list):
            self._p.ledger.lose(latest["streamid"], [each for each in sequences if isinstance(each, int)])
        else:
            self._p.ledger.forget_after(latest["streamid"], int(str(said["after"])))
        return answer({})

    async def quarantine(self, request: Request) -> Response:
        """The operator retries or gives up a quarantined event: {"id", "do"}."""
        said = await _object(request, QUARANTINE)
        event_id = str(said["id"])
        if said["do"] == "purge":
            self._p.ledger.purge(event_id)
            return answer({"applied": False})
        return answer({"applied": self._p.ledger.judge_again(event_id)})

    async def ledger(self, request: Request) -> Response:
        """Everything acknowledged; ?bizdate= for one service day."""
        bizdate = request.query_params.get("bizdate")
        return answer(ledger_document(self._p.days, self._p.uploads.blobs, bizdate))

    async def reset(self, _: Request) -> Response:
        """As on the first day; keys and hall stay."""
        self._faults.clear()
        self._p.tables.wipe()
        self._p.uploads.wipe()
        self._p.decisions.wake()
        return answer({})

    async def health(self, _: Request) -> Response:
        """Alive, and a few figures."""
        heartbeat = self._p.tables.setting("heartbeat", "")
        return answer(
            {
                "hall": self._p.gate.hall,
                "clock_offset_s": int(self._p.tables.setting("clock_offset_s", "0")),
                "standing": self._p.tables.setting("standing", "good"),
                "requests": self._traffic.requests,
                "busiest_second": self._traffic.busiest_second,
                "heartbeats": self._p.tables.counted("heartbeats"),
                "heartbeat": json.loads(heartbeat) if heartbeat else None,
                "faults": self._faults.report(),
            }
        )

    def _set(self, name: str, value: str) -> None:
        with self._p.tables.transaction():
            self._p.tables.set(name, value)


async def _object(request: Request, check: Check) -> JsonObject:
    """The request's object; no body is an empty object."""
    value = await json_body(request, signed=False) if await request.body() else {}
    if complaint := check(value):
        raise Problem(400, "BAD_ENVELOPE", complaint)
    assert isinstance(value, dict)
    return value
