"""The province as a process: builds its rooms, listens, and ends cleanly on SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from sim.province_controls import Controls, Traffic
from sim.province_days import Days
from sim.province_decisions import Decisions
from sim.province_faults import Faults
from sim.province_files import Files
from sim.province_gate import Gate
from sim.province_ledger import Ledger
from sim.province_line import FaultyLine, Line, Receive, Scope, Send
from sim.province_routes import Desk, Province
from sim.province_seals import KeyRing, canonical, parse_json
from sim.province_tables import Tables
from sim.province_uploads import Uploads


class Keys:
    """The published keys; other ones replace them in the database, so they survive a restart."""

    def __init__(self, tables: Tables, initial: KeyRing) -> None:
        self._tables = tables
        self._initial = initial
        self._text = ""
        self._ring = initial

    def ring(self) -> KeyRing:
        """The keys in force."""
        text = self._tables.setting("keys", "")
        if text != self._text:
            self._text = text
            self._ring = KeyRing(parse_json(text.encode())) if text else self._initial
        return self._ring

    def publish(self, ring: KeyRing) -> None:
        """Other keys from now on."""
        with self._tables.transaction():
            self._tables.set("keys", canonical(ring.published).decode())


def build(tables: Tables, hall: str, initial_keys: KeyRing) -> Province:
    """All rooms of the province."""

    def now() -> float:
        return time.time() + int(tables.setting("clock_offset_s", "0"))

    keys = Keys(tables, initial_keys)
    ledger = Ledger(tables, keys.ring, now)
    return Province(
        tables=tables,
        ledger=ledger,
        days=Days(ledger),
        decisions=Decisions(tables, now),
        uploads=Uploads(tables, now),
        gate=Gate(tables, hall, keys.ring, now),
        now=now,
        ring=keys.ring,
        publish_keys=keys.publish,
    )


class Server(uvicorn.Server):
    """Says when it is ready, and leaves signals to us."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Announce the address once requests are answered."""
        await super().startup(sockets)
        port = sockets[0].getsockname()[1] if sockets else 0
        print(f"ready http://127.0.0.1:{port}", flush=True)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are taken by `serve` below; the base would end the process by the signal again."""
        yield


def listen(port: int) -> socket.socket:
    """A listening socket on the loopback address; the address may be reserved by a parent with SO_REUSEADDR."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    return listener


async def serve(*, port: int, folder: Path, hall: str, keys: KeyRing, until_stdin_closes: bool) -> None:
    """Run until SIGTERM or SIGINT, or until the parent is gone."""
    tables = Tables(folder)
    province = build(tables, hall, keys)
    faults, traffic, stopping = Faults(), Traffic(), asyncio.Event()
    routes = [
        *Desk(province).routes(),
        *Files(province).routes(),
        *Controls(province, faults, traffic).routes(),
    ]
    faulty = FaultyLine(Starlette(routes=routes), faults, province.now, stopping)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if not str(scope["path"]).startswith("/sim/"):
            traffic.note()
        await faulty(scope, receive, send)

    server = Server(
        uvicorn.Config(
            application,
            http=Line,
            ws="none",
            loop="asyncio",
            lifespan="off",
            interface="asgi3",
            date_header=False,
            server_header=False,
            access_log=False,
            log_config=None,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=5,
        )
    )

    def stop() -> None:
        server.should_exit = True
        stopping.set()
        province.decisions.wake()

    _stop_on_signals(stop)
    if until_stdin_closes:
        asyncio.get_running_loop().add_reader(sys.stdin.fileno(), stop)
    await province.uploads.finish_interrupted()
    try:
        await server.serve(sockets=[listen(port)])
    finally:
        tables.close()


def _stop_on_signals(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
