"""The province: the backend that a hall reports to, with faults.

Source: province.md, from which alone it is written. Left out: TLS and certificates (§3.1, §3.5). What is
acknowledged was durable before the answer and survives `kill -9`; faults that were ordered end with the process.

    python -m sim.province --port 0 --data DIR --hall 990000000000-01 --keys keys.json

prints `ready http://127.0.0.1:PORT`; the contract's addresses are under /hall-sync/v1, the controls under /sim.
Rooms: seals (digests), checks, schema, judge (one event), ledger, effects, days (what was acknowledged), uploads,
decisions (what halls pull), gate, routes, files, controls (addresses), faults, line (broken connections), server.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import http.client
import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Any

from sim.ports import HeldPort
from sim.province_views import LedgerView, ledger_view

BASE = "/hall-sync/v1"
TEST_HALL = "990000000000-01"
START_LIMIT_S = 120.0
STOP_LIMIT_S = 10.0

Document = Mapping[str, Any]
"""A JSON object that goes to the province as it is; what is in it is the contract's business."""


def _test_key(kid: str, use: str, alg: str, length: int) -> dict[str, str]:
    secret = base64.b64encode(bytes(range(length))).decode()
    span = {"not_before": "2020-01-01T00:00:00.000+08:00", "not_after": "2099-01-01T00:00:00.000+08:00"}
    return {"kid": kid, "use": use, "alg": alg, "key_b64": secret, **span}


TEST_KEYS: tuple[dict[str, str], ...] = (
    _test_key("s1", "sign", "HMAC-SM3", 32),
    _test_key("k1", "pii", "SM4-CTR+HMAC-SM3", 48),
    _test_key("m1", "match", "HMAC-SM3", 32),
)
"""The key bytes of the contract's own vectors."""


class Calls(Enum):
    """Which requests a fault is for; the value is searched in the path."""

    EVERYTHING = ""
    HELLO = "/hello$"
    EVENTS = "/events$"
    CURSOR = "/cursor$"
    RECONCILIATIONS = "/reconciliations$"
    FILES = "/(uploads|blobs)"
    CHUNKS = "/uploads/"
    CATALOG = "/catalog$"
    APPOINTMENTS = "/appointments$"
    COMMANDS = "/commands$"
    KEYS = "/keys$"
    HEARTBEAT = "/heartbeat$"


class ProvinceTwin:
    """The province as a process of its own that tests can break, kill and ask.

    It keeps its port and its data over `stop`, `kill` and `restart`. Fault verbs act on the next `n` requests of a
    kind, one verb after the other; `n=None` means until `heal`.
    """

    def __init__(
        self, folder: Path, *, hall: str = TEST_HALL, keys: Sequence[Mapping[str, str]] = TEST_KEYS, port: int = 0
    ) -> None:
        self.folder = folder.absolute()
        self.hall = hall
        self.keys = keys
        self._process: subprocess.Popen[str] | None = None
        self._reservation = HeldPort(port)
        self.port = self._reservation.number
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "keys.json").write_text(json.dumps(list(keys)))

    @property
    def url(self) -> str:
        """Base URL of the contract's addresses."""
        return f"http://127.0.0.1:{self.port}{BASE}"

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return None if self._process is None else self._process.pid

    # -- life ------------------------------------------------------------------------------------------------------

    def start(self) -> ProvinceTwin:
        """Start, and return when requests are answered."""
        if self._process is not None:
            return self
        with (self.folder / "province.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "sim.province", "--port", str(self.port), "--data", str(self.folder)),
                    *("--hall", self.hall, "--keys", str(self.folder / "keys.json"), "--until-stdin-closes"),
                ],
                cwd=Path(__file__).resolve().parents[1],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self._process.stdout is not None
        heard, _, _ = select.select([self._process.stdout], [], [], START_LIMIT_S)
        line = self._process.stdout.readline() if heard else ""
        if not line.startswith("ready "):
            self.kill()
            raise RuntimeError(f"the province did not start; see {self.folder / 'province.log'}")
        return self

    def stop(self) -> None:
        """End it cleanly: requests that are being worked on are answered."""
        if self._process is not None:
            self._process.terminate()
            self._process.send_signal(signal.SIGCONT)
            self._bury()

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._bury()

    def restart(self) -> None:
        """Kill if it still runs, and start on the same data and port."""
        self.kill()
        self.start()

    def wait_until_dead(self) -> None:
        """Return when the process has ended by itself, after `crash_*`."""
        if self._process is not None:
            self._bury()

    def _bury(self) -> None:
        process, self._process = self._process, None
        assert process is not None
        try:
            process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def close(self) -> None:
        """Stop and give the port back."""
        self.stop()
        self._reservation.close()

    def __enter__(self) -> ProvinceTwin:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # -- the line --------------------------------------------------------------------------------------------------

    def be_unreachable(self) -> None:
        """Refuse connections until `be_reachable`; what is being worked on is finished."""
        self.stop()

    def be_reachable(self) -> None:
        """Answer again."""
        self.start()

    def freeze(self) -> None:
        """Take connections and answer nothing until `thaw`."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on where it stood."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "the province is not running"
        os.kill(self._process.pid, number)

    def lose_answers_after_commit(self, n: int | None = 1, *, of: Calls = Calls.EVENTS) -> None:
        """Do what is asked and close the connection instead of answering."""
        self.fault("drop_response_after_commit", n=n, of=of)

    def drop_requests(self, n: int | None = 1, *, of: Calls = Calls.EVENTS) -> None:
        """Take the request off the line and close the connection."""
        self.fault("drop_request", n=n, of=of)

    def ignore_requests(self, n: int | None = 1, *, of: Calls = Calls.EVENTS) -> None:
        """Take the request off the line and say nothing, however long the hall waits."""
        self.fault("drop_request", {"silent": True}, n=n, of=of)

    def answer_status(
        self,
        status: int,
        n: int | None = 1,
        *,
        retry_after_s: int | None = None,
        code: str | None = None,
        of: Calls = Calls.EVENTS,
        **more: str | int | bool,
    ) -> None:
        """Refuse with this status; without a code, the usual one of the contract."""
        value = {"status": status, "code": code, "retry_after_s": retry_after_s, **more}
        self.fault("status", value, n=n, of=of)

    def answer_like_a_portal(self, n: int | None = 1, *, of: Calls = Calls.EVENTS) -> None:
        """Answer 200 with a web page, as a captive portal does."""
        page = "<html><body>请登录网络 Please sign in</body></html>"
        self.fault("status", {"status": 200, "content_type": "text/html", "body": page}, n=n, of=of)

    def truncate_answers(self, n: int | None = 1, *, of: Calls = Calls.EVENTS) -> None:
        """Do what is asked and break off in the middle of the answer."""
        self.fault("truncate", n=n, of=of)

    def corrupt_answers(self, n: int | None = 1, *, of: Calls = Calls.EVENTS) -> None:
        """Do what is asked and answer with one wrong byte."""
        self.fault("corrupt_body", n=n, of=of)

    def corrupt_requests(self, n: int | None = 1, *, of: Calls = Calls.EVENTS) -> None:
        """Change one byte of the request on its way in."""
        self.fault("corrupt_body", {"side": "request"}, n=n, of=of)

    def delay_answers(self, ms: int, n: int | None = 1, *, of: Calls = Calls.EVENTS) -> None:
        """Do what is asked at once and answer this many milliseconds later."""
        self.fault("delay_ms", ms, n=n, of=of)

    def slow(self, bps: int, n: int | None = None, *, of: Calls = Calls.EVERYTHING) -> None:
        """Let requests and answers pass at so many bytes a second."""
        self.fault("slow_bps", bps, n=n, of=of)

    def reset_connections(self, n: int | None = 1, *, of: Calls = Calls.EVENTS) -> None:
        """Reset the connection before the request is read."""
        self.fault("reset", n=n, of=of)

    def cut_after(self, received_bytes: int, n: int | None = 1, *, of: Calls = Calls.CHUNKS) -> None:
        """Reset the connection after so many bytes of the request's body."""
        # Only requests that carry a body of the file can be cut in the middle of it.
        method = "PATCH" if of is Calls.CHUNKS else None
        self.fault("reset", {"after_bytes": received_bytes}, n=n, of=of, method=method)

    def crash_in_transaction(self) -> None:
        """Die as by kill -9 in the middle of the next batch, before it is committed."""
        self.fault("crash", "in_transaction", n=1, of=Calls.EVENTS)

    def crash_after_commit(self, *, of: Calls = Calls.EVENTS) -> None:
        """Die as by kill -9 when the next request is done and not answered."""
        self.fault("crash", "after_commit", n=1, of=of)

    def fault(
        self,
        do: str,
        value: object = None,
        *,
        n: int | None = 1,
        of: Calls = Calls.EVENTS,
        nth: int | None = None,
        method: str | None = None,
    ) -> None:
        """Order a fault: the `nth` matching request from now (the next one) and `n` in all."""
        match = {"path_re": of.value, "nth": nth, "method": method}
        rule = {"match": {name: part for name, part in match.items() if part is not None}, "do": do, "value": value}
        self.ask("POST", "/sim/faults", rule if n is None else {**rule, "times": n})

    def heal(self) -> None:
        """Forget every fault that was ordered."""
        self.ask("DELETE", "/sim/faults")

    # -- the province itself ---------------------------------------------------------------------------------------

    def step_clock(self, offset_s: int) -> None:
        """Set the province's clock this many seconds off the machine's."""
        self.ask("POST", "/sim/clock", {"offset_s": offset_s})

    def forget_after(self, sequence: int, *, streamid: str | None = None) -> None:
        """Be restored from an older backup: nothing after this sequence of the latest stream was ever here."""
        self.ask("POST", "/sim/forget", {"after": sequence, **({"streamid": streamid} if streamid else {})})

    def lose_rows(self, sequences: Sequence[int], *, streamid: str | None = None) -> None:
        """Lose acknowledged events without noticing; only a reconciliation finds them."""
        self.ask("POST", "/sim/forget", {"sequences": list(sequences), **({"streamid": streamid} if streamid else {})})

    def load_catalog(self, catalog: Document, *, offer_delta: bool = False) -> None:
        """Publish a version of the catalog."""
        self.ask("POST", f"/sim/catalog?delta={int(offer_delta)}", catalog)

    def put_appointments(self, appointments: Sequence[Document]) -> None:
        """Book or change appointments."""
        self.ask("POST", "/sim/appointments", list(appointments))

    def give_command(self, kind: str, args: Document | None = None, *, expires_at: str | None = None) -> int:
        """Give the hall a command; returns its id."""
        command = {"type": kind, "args": dict(args or {})}
        answer = self.ask("POST", "/sim/commands", {**command, **({"expires_at": expires_at} if expires_at else {})})
        return int(json.loads(answer)["id"])

    def publish_keys(self, keys: Sequence[Mapping[str, str]]) -> None:
        """Publish other keys; the former ones are gone unless they are in the list."""
        self.ask("POST", "/sim/keys", [dict(key) for key in keys])

    def revoke(self) -> None:
        """Refuse this hall with AUTH_REVOKED."""
        self.ask("POST", "/sim/revoke", {"standing": "revoked"})

    def suspend(self) -> None:
        """Refuse this hall with HALL_SUSPENDED."""
        self.ask("POST", "/sim/revoke", {"standing": "suspended"})

    def reinstate(self) -> None:
        """Let this hall send again."""
        self.ask("POST", "/sim/revoke", {"standing": "good"})

    def limit(self, **limits: int) -> None:
        """Other limits (names of hello's `limits`, blob_bytes, backoff_ms); those not named become normal."""
        self.ask("POST", "/sim/limits", limits)

    def retry_quarantined(self, event_id: str) -> bool:
        """Judge a quarantined event again; True if it is applied now."""
        return bool(json.loads(self.ask("POST", "/sim/quarantine", {"id": event_id, "do": "retry"}))["applied"])

    def purge_quarantined(self, event_id: str) -> None:
        """Give a quarantined event up; its subject goes on."""
        self.ask("POST", "/sim/quarantine", {"id": event_id, "do": "purge"})

    def ledger(self, bizdate: str | None = None) -> LedgerView:
        """Everything acknowledged, or that of one service day."""
        return ledger_view(self.ask("GET", "/sim/ledger" + (f"?bizdate={bizdate}" if bizdate else "")))

    def health(self) -> dict[str, Any]:
        """Figures of /sim/health."""
        figures: dict[str, Any] = json.loads(self.ask("GET", "/sim/health"))
        return figures

    def reset(self) -> None:
        """As on the first day: no event, file, fault or catalog; the keys it was started with."""
        self.ask("POST", "/sim/reset")

    def ask(self, method: str, path: str, body: object = None) -> str:
        """One request to the controls. Raises ValueError with the province's own words if it is refused."""
        with self._connection() as connection:
            sent = None if body is None else json.dumps(body, ensure_ascii=False).encode()
            connection.request(method, path, sent, {"Content-Type": "application/json"})
            response = connection.getresponse()
            said = response.read().decode()
        if response.status != 200:
            raise ValueError(f"{method} {path}: {response.status} {said}")
        return said

    @contextlib.contextmanager
    def _connection(self) -> Iterator[http.client.HTTPConnection]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            yield connection
        finally:
            connection.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the province in the foreground."""
    parser = argparse.ArgumentParser(prog="python -m sim.province", description="The province, simulated.")
    parser.add_argument("--port", type=int, default=0, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--data", type=Path, required=True, help="folder for its database and files")
    parser.add_argument("--hall", default=TEST_HALL, help="code of the one hall it serves")
    parser.add_argument("--keys", type=Path, required=True, help="JSON list of keys as in province.md §3.4")
    parser.add_argument("--until-stdin-closes", action="store_true", help="end when the parent process ends")
    chosen = parser.parse_args(arguments)
    # The rooms need a web server and cryptography; whoever only holds a ProvinceTwin does not.
    from sim.province_seals import BadJson, BadKeys, KeyRing, parse_json  # noqa: PLC0415
    from sim.province_server import serve  # noqa: PLC0415

    try:
        keys = KeyRing(parse_json(chosen.keys.read_bytes()))
        asyncio.run(
            serve(
                port=chosen.port,
                folder=chosen.data,
                hall=chosen.hall,
                keys=keys,
                until_stdin_closes=chosen.until_stdin_closes,
            )
        )
    except (BadJson, BadKeys) as exc:
        print(f"{chosen.keys}: {exc}", file=sys.stderr)
        return 2
    except OSError as exc:
        print(f"the province cannot start: {exc}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
