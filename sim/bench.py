"""A whole simulated hall: reads devices.toml, hangs a twin on a carrier for every device, and starts the province.

The daemon gets a copy of the file in which only addresses differ (ports of devices, where it listens, where the
province is) and cannot tell the twins from hardware. It runs as a process of its own, so that it can be killed. Opening
hours are left out of the copy unless they are asked for: a hall that is tried out at night is open.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, ClassVar, Protocol
from urllib.parse import urlsplit

import httpx

from sim.announcer_sound import unavailable as sound_unavailable
from sim.carriers import ByteLine, ByteTwin, HttpPort, HttpTwin, PtyLine, TcpLine, Twin
from sim.input_line import InputLine
from sim.pcsc import available as pcsc_unavailable
from sim.ports import HeldPort
from sim.province import TEST_KEYS, ProvinceTwin
from sim.sane import unavailable as sane_unavailable

_WHY_NOT: dict[str, Callable[[], str | None]] = {
    "card": pcsc_unavailable, "sane": sane_unavailable, "sound": sound_unavailable,
}  # fmt: skip
"""Carriers that need something of this machine → what is missing."""
HALLS = Path(__file__).parent / "halls"
PROJECT = Path(__file__).resolve().parents[1]
_TABLE = re.compile(r"^\[([^\]]+)\]")
_VALUE = re.compile(r'^(port|listen|url)(\s*=\s*)"[^"]*"')


class Bench:
    """Twins on their carriers, the province, and the configuration for a daemon between them."""

    def __init__(
        self, hall: Path, run: Path, *, listen: int = 0, province: int | None = 0, hours: bool = False
    ) -> None:
        """`run` is the folder for everything that is made; `province=None` leaves the province out."""
        self.run = run.absolute()
        self.run.mkdir(parents=True, exist_ok=True)
        source = (hall / "devices.toml").read_text(encoding="utf-8")
        self.tables: dict[str, Any] = tomllib.loads(source)
        self._port = None if listen else HeldPort()
        self.listen = listen if self._port is None else self._port.number
        self.config = self.run / "devices.toml"
        self.notes: list[str] = []
        """What could not be simulated here, and why."""
        self.twins: dict[str, Any] = {}
        self.lines: dict[str, ByteLine | HttpPort] = {}
        """Carrier of each device that has one."""
        self._carriers: list[ByteLine | HttpPort] = []
        self._ports: dict[str, str] = {}
        self.environment: dict[str, str] = _keys()
        self.province: ProvinceTwin | None = None
        if province is not None:
            self.province = ProvinceTwin(self.run / "province", hall=self.tables["hall"]["code"], port=province)
        self._hang_up_twins()
        catalog = self.tables["hall"]["catalog"]
        shutil.copy(hall / catalog, self.run / catalog)
        self._source = source
        self._hours = hours

    @property
    def url(self) -> str:
        """Where the daemon answers."""
        return f"http://127.0.0.1:{self.listen}"

    @property
    def database(self) -> Path:
        """The hall's database."""
        return self.run / str(self.tables["hall"]["database"])

    @property
    def log(self) -> Path:
        """What the daemon logs, over all its lives."""
        return self.run / "daemon.log"

    def __getitem__(self, device: str) -> Any:
        """The twin of a device; Any: each has its own verbs."""
        return self.twins[device]

    def start(self) -> Bench:
        """Plug everything in."""
        for carrier in self._carriers:
            carrier.start()
        for device, twin in self.twins.items():
            if twin.carrier in _WHY_NOT:
                self._start_beside(device, twin)
        if self.province is not None:
            self.province.start()
        self._write_config()
        return self

    def stop(self) -> None:
        """Unplug everything."""
        for twin in self.twins.values():
            if twin.carrier in _WHY_NOT:
                twin.stop()
        for carrier in self._carriers:
            carrier.stop()
        if self.province is not None:
            self.province.close()
        if self._port is not None:
            self._port.close()

    def __enter__(self) -> Bench:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def by_kind(self, prefix: str) -> dict[str, Any]:
        """Twins whose driver's name begins like this."""
        return {d: t for d, t in self.twins.items() if self.tables["device"][d]["driver"].startswith(prefix)}

    # --- twins and carriers -------------------------------------------------------------------------------------------

    def _hang_up_twins(self) -> None:
        lines: dict[str, ByteLine] = {}
        for device, options in self.tables["device"].items():
            twin: Twin = importlib.import_module(f"sim.{options['driver']}").TWIN(device, options)
            self.twins[device] = twin
            port = options["port"]
            if isinstance(twin, ByteTwin):
                line = lines.get(port)
                if line is None:
                    line = lines[port] = self._line(twin, port)
                    self._carriers.append(line)
                line.attach(twin)
                self.lines[device] = line
            elif isinstance(twin, HttpTwin):
                http = HttpPort(twin, urlsplit(port).path.rstrip("/") if port.startswith("http") else twin.base)
                self._carriers.append(http)
                self.lines[device] = http

    def _line(self, twin: ByteTwin, port: str) -> ByteLine:
        if twin.carrier == "fifo":
            return InputLine(self._link(port))
        return TcpLine() if port.startswith("socket://") else PtyLine(self._link(port))

    def _link(self, port: str) -> Path:
        return self.run / "ports" / re.sub(r"[^A-Za-z0-9.-]+", "_", port.removeprefix("/dev/"))

    def _start_beside(self, device: str, twin: Any) -> None:
        """A twin that is reached through a service or program of the machine, named by the environment."""
        reason = _WHY_NOT[twin.carrier]()
        if reason is not None:
            self.notes.append(f"{device}: cannot be simulated here ({reason}); it stays offline")
            return
        twin.start()
        self.environment |= twin.environment()

    def _write_config(self) -> None:
        lines, table = [], ""
        for text in self._source.splitlines():
            head = _TABLE.match(text)
            table = head.group(1) if head else table
            if table == "hours" and not self._hours:
                continue
            new = self._address(table)
            lines.append(_VALUE.sub(lambda m, new=new: f'{m[1]}{m[2]}"{new}"' if new else m[0], text))  # type: ignore[misc]
        if self.province is None:
            self.notes.append("no province: events stay in the hall")
        if "hours" in self.tables and not self._hours:
            self.notes.append("opening hours are left out: the hall is open at any hour")
        self.config.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _address(self, table: str) -> str:
        """The address that takes the place of the one in this table; empty: leave it."""
        if table == "hall":
            return f"127.0.0.1:{self.listen}"
        if table == "province" and self.province is not None:
            return self.province.url
        if table.startswith("device."):
            device = table.removeprefix("device.")
            carrier = self.lines.get(device)
            if carrier is not None:
                return carrier.port
            return str(self.twins[device].port)
        return ""


def _keys() -> dict[str, str]:
    """Test keys for the daemon, those that the province publishes."""
    names = {"sign": "HALL_SIGN_KEY", "pii": "HALL_PII_KEY", "match": "HALL_MATCH_KEY"}
    return {
        names[key["use"]]: f"{key['kid']}:{key['key_b64']}" for key in TEST_KEYS if base64.b64decode(key["key_b64"])
    }


class Running(Protocol):
    """A process as `subprocess.Popen` has it."""

    pid: int

    def poll(self) -> int | None: ...
    def wait(self, timeout: float | None = None) -> int: ...
    def send_signal(self, sig: int) -> None: ...
    def kill(self) -> None: ...


class Launcher(Protocol):
    """Whoever makes the process of a daemon."""

    def launch(self, module: str, arguments: Sequence[str], environment: Mapping[str, str], log: BinaryIO) -> Running:
        """What `python -m module arguments` is, in the folder of the project, with its output in `log`."""


class Fresh:
    """A new interpreter, as in a hall."""

    def launch(self, module: str, arguments: Sequence[str], environment: Mapping[str, str], log: BinaryIO) -> Running:
        """Start it."""
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=PROJECT, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip


class DaemonProcess:
    """The daemon of a bench, as a process that can be started, ended and killed."""

    launcher: ClassVar[Launcher] = Fresh()
    """Of every daemon that is given none; the tests put one here that starts sooner."""

    def __init__(self, bench: Bench, module: str = "hall_daemon", launcher: Launcher | None = None) -> None:
        """`module` is what Python runs: the daemon, or a test's own way to start it."""
        self.bench = bench
        self.module = module
        self.starts = 0
        self.ready_after_s = 0.0
        self._launcher = launcher
        self._process: Running | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    def start(self, limit_s: float = 120.0, launcher: Launcher | None = None) -> DaemonProcess:
        """Start, this once by another launcher perhaps, and return when it is alive and its store is writable."""
        environment = {
            **{k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"},
            **self.bench.environment,
        }
        began = time.monotonic()
        with self.bench.log.open("ab") as log:
            by = launcher or self._launcher or self.launcher
            self._process = by.launch(self.module, ["run", "--config", str(self.bench.config)], environment, log)
        # A daemon that outlived a killed bench would follow the links of its ports, which stay behind, to the terminals
        # that other halls are given under the same numbers, and lock them.
        self._guard = subprocess.Popen(
            ["sh", "-c", 'read -r _; kill -9 "$1"', "sh", str(self._process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.starts += 1
        while not self.healthy():
            if self._process.poll() is not None or time.monotonic() - began > limit_s:
                tail, code = self.bench.log.read_text(errors="replace").splitlines()[-3:], self._process.poll()
                self.kill()
                raise RuntimeError(f"the daemon did not start (exit {code}): {' | '.join(tail)}")
            time.sleep(0.02)
        self.ready_after_s = time.monotonic() - began
        return self

    def healthy(self) -> bool:
        """Whether /healthz says well."""
        # Not by httpx: each of its clients reads all root certificates, which costs a daemon that starts half its time.
        connection = http.client.HTTPConnection(urlsplit(self.bench.url).netloc, timeout=5)
        try:
            connection.request("GET", "/healthz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def starved_s(self) -> float:
        """How long its first thread has been ready to run while others had the processors (schedstat), if known."""
        try:
            return int(Path(f"/proc/{self.pid}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
        except OSError:
            return 0.0  # a kernel that does not count it

    @property
    def pid(self) -> int:
        """Process id."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._bury()

    def _bury(self) -> int:
        """Wait for its end, and let nobody kill the next owner of its number."""
        assert self._process is not None
        assert self._guard is not None
        code = self._process.wait()
        self._process = None
        self._guard.kill()
        self._guard.communicate()
        return code

    def stop(self, limit_s: float = 20.0) -> int:
        """End it as a service manager does; its exit code."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        return self._bury()

    def __enter__(self) -> DaemonProcess:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class Watcher:
    """The newest line of a stream of views, followed on a thread; it comes back after the daemon does."""

    def __init__(self, url: str, headers: Mapping[str, str] | None = None) -> None:
        self.view: dict[str, Any] = {}
        self._url = url
        self._headers = dict(headers or {})
        self._stop = threading.Event()
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._follow, name=f"watch {url}", daemon=True)
        self._thread.start()

    def until(
        self, condition: Any, limit_s: float = 20.0, what: str = "", unless: Any = lambda _view: False
    ) -> dict[str, Any]:
        """Wait for a view that satisfies; `unless` gives up early. Any: functions of a view. Raises TimeoutError."""
        deadline = time.monotonic() + limit_s
        with self._news:
            while not (self.view and condition(self.view)):
                left = deadline - time.monotonic()
                if left <= 0 or (self.view and unless(self.view)):
                    raise TimeoutError(f"not within {limit_s} s: {what or condition}; last view {self._brief()}")
                self._news.wait(min(left, 0.5))
            return self.view

    def close(self) -> None:
        """Stop following."""
        self._stop.set()
        self._thread.join(10)

    def _brief(self) -> str:
        return str({k: v for k, v in self.view.items() if k in ("screen", "title", "current", "clerk")})[:300]

    def _follow(self) -> None:
        timeout = httpx.Timeout(5, read=2.0)
        lost = contextlib.suppress(httpx.HTTPError, json.JSONDecodeError)
        with httpx.Client(timeout=timeout, trust_env=False, headers=self._headers) as client:
            while not self._stop.is_set():
                with lost, client.stream("GET", self._url) as answer:
                    self._read(answer)
                self._stop.wait(0.05)

    def _read(self, answer: httpx.Response) -> None:
        half = ""
        for piece in answer.iter_text():
            *lines, half = (half + piece).split("\n")
            for line in lines:
                if line.strip():
                    with self._news:
                        self.view = json.loads(line)
                        self._news.notify_all()
            if self._stop.is_set():
                return
