"""Where a twin plugs in: pseudo-terminal, TCP port, virtual card slot, HTTP port.

A carrier moves bytes between a driver's port and the twins that hang on it, and fails on command: unplug, noise, one
byte at a time, a wrong speed. It knows no protocol. Faults are verbs. Every carrier writes a transcript of what passed.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import sys
import termios
import threading
import time
import tty
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar, Literal


@dataclass(frozen=True, kw_only=True)
class Passed:
    """Some bytes that passed: seconds since the epoch, '>' to the twin or '<' from it."""

    at: float
    direction: Literal[">", "<"]
    data: bytes


class Twin:
    """A simulated device: `options` are the raw keys of its table in devices.toml."""

    carrier: Literal["pty", "fifo", "card", "http", "sane", "sound"] = "pty"

    def __init__(self, device: str, options: Mapping[str, object]) -> None:
        self.device = device
        self.options = options
        self.lock = threading.RLock()
        """Held while the twin receives; verbs take it too."""


class ByteTwin(Twin):
    """A twin on a byte stream; it may get its bytes in any pieces."""

    line: ByteLine

    @property
    def baud(self) -> int | None:
        """Speed at which this device listens; None where any speed will do."""
        value = self.options.get("baud")
        return value if isinstance(value, int) else None

    @abstractmethod
    def receive(self, data: bytes) -> None:
        """Take bytes from the line; runs on the line's thread with the lock held."""

    def plugged(self) -> None:
        """The line was opened anew: power-up."""

    def unplugged(self) -> None:
        """The line is about to close: end what runs on its own (threads, timers)."""

    def say(self, data: bytes, *, after_s: float = 0.0) -> None:
        """Send bytes to the driver, from `receive` or from a verb."""
        if after_s:
            time.sleep(after_s)
        self.line.send(data)


class ByteLine(ABC):
    """A byte stream with twins on its far end; several twins make it a shared line."""

    def __init__(self) -> None:
        self.twins: list[ByteTwin] = []
        self.transcript: list[Passed] = []
        self.keep_transcript = True
        self.one_byte_at_a_time = False
        """Answers dribble: each byte is written alone."""
        self.mangle: Callable[[bytes], bytes] | None = None
        """Replaces what the twins say by what the line delivers."""

    @property
    @abstractmethod
    def port(self) -> str:
        """What goes into `port` of the device's table."""

    def attach(self, twin: ByteTwin) -> None:
        """Hang a twin on this line."""
        twin.line = self
        self.twins.append(twin)

    def deliver(self, data: bytes) -> None:
        """Hand bytes from the driver to every twin that listens at the line's speed."""
        self._note(">", data)
        for twin in self.twins:
            if twin.baud is None or self.baud is None or twin.baud == self.baud:
                with twin.lock:
                    twin.receive(data)

    @property
    def baud(self) -> int | None:
        """Speed that the driver has set; None where the carrier has none."""
        return None

    def send(self, data: bytes) -> None:
        """Write to the driver; what nobody can receive is lost, as on a real line."""
        if self.mangle is not None:
            data = self.mangle(data)
        self._note("<", data)
        pieces = [data[i : i + 1] for i in range(len(data))] if self.one_byte_at_a_time else [data]
        for piece in pieces:
            if piece:
                self._write(piece)

    def noise(self, data: bytes) -> None:
        """Bytes nobody sent appear on the line."""
        self._note("<", data)
        self._write(data)

    def sent_to_twins(self) -> bytes:
        """Everything the driver has written so far."""
        return b"".join(p.data for p in list(self.transcript) if p.direction == ">")

    def _tell_unplugged(self) -> None:
        # Without the lock: a twin may wait here for its own thread, which needs it.
        for twin in self.twins:
            twin.unplugged()

    def _note(self, direction: Literal[">", "<"], data: bytes) -> None:
        if self.keep_transcript:
            self.transcript.append(Passed(at=time.time(), direction=direction, data=data))

    @abstractmethod
    def _write(self, data: bytes) -> None: ...
    @abstractmethod
    def start(self) -> None:
        """Plug in."""

    @abstractmethod
    def stop(self) -> None:
        """Unplug for good."""

    def unplug(self) -> None:
        """Pull the cable: the driver's port hangs up and vanishes."""
        self.stop()

    def replug(self) -> None:
        """Put the cable back under the same name, perhaps as another device number."""
        self.start()


class PtyLine(ByteLine):
    """A serial line: a pseudo-terminal behind a stable link, like /dev/serial/by-path."""

    def __init__(self, link: Path) -> None:
        super().__init__()
        self.link = link
        self._master = -1
        self._slave = -1
        self._wake: tuple[int, int] | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> str:
        return str(self.link)

    @property
    def baud(self) -> int | None:
        """The speed that the driver has set on the terminal."""
        if self._slave < 0:
            return None
        speed = termios.tcgetattr(self._slave)[5]
        return _SPEEDS.get(speed)

    def start(self) -> None:
        if self._thread is not None:
            return
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._wake = os.pipe()
        self.link.parent.mkdir(parents=True, exist_ok=True)
        fresh = self.link.with_name(self.link.name + ".new")
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
        fresh.symlink_to(os.ttyname(self._slave))
        fresh.rename(self.link)
        for twin in self.twins:
            with twin.lock:
                twin.plugged()
        self._thread = threading.Thread(target=self._pump, name=f"twin {self.link.name}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._thread is None or self._wake is None:
            return
        self._tell_unplugged()
        with contextlib.suppress(FileNotFoundError):
            self.link.unlink()
        os.write(self._wake[1], b"x")
        self._thread.join(10)
        self._thread = None
        # The master may only be closed while nobody reads it, else the slave's user sees no hang-up.
        master, slave, self._master, self._slave = self._master, self._slave, -1, -1
        for fd in (master, slave, *self._wake):
            os.close(fd)
        self._wake = None

    def _pump(self) -> None:
        assert self._wake is not None
        master, wake = self._master, self._wake[0]
        while True:
            ready, _, _ = select.select([master, wake], [], [])
            if wake in ready:
                return
            try:
                data = os.read(master, 4096)
            except OSError:
                return
            self.deliver(data)

    def _write(self, data: bytes) -> None:
        # A driver that does not read must not stop the twin: what does not fit in 2 s is lost.
        rest, deadline = data, time.monotonic() + 2
        while rest and self._master >= 0 and time.monotonic() < deadline:
            try:
                rest = rest[os.write(self._master, rest) :]
            except BlockingIOError:
                select.select([], [self._master], [], 0.1)
            except OSError:
                return


_SPEEDS = {
    getattr(termios, f"B{n}"): n for n in (1200, 2400, 4800, 9600, 19200, 38400, 57600, 115200, 230400, 460800, 921600)
}


class TcpLine(ByteLine):
    """A raw TCP port on loopback; one client at a time, the next one waits, as printers do."""

    def __init__(self, tcp_port: int = 0) -> None:
        super().__init__()
        self._tcp_port = tcp_port
        self._server: socket.socket | None = None
        self._client: socket.socket | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    @property
    def port(self) -> str:
        return f"socket://127.0.0.1:{self._tcp_port}"

    def start(self) -> None:
        if self._thread is not None:
            return
        self._server = socket.create_server(("127.0.0.1", self._tcp_port))
        self._tcp_port = self._server.getsockname()[1]
        self._server.settimeout(0.1)
        self._stopping.clear()
        for twin in self.twins:
            with twin.lock:
                twin.plugged()
        self._thread = threading.Thread(target=self._pump, name=f"twin tcp {self._tcp_port}", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._thread is None or self._server is None:
            return
        self._tell_unplugged()
        self._stopping.set()
        self._thread.join(10)
        self._thread = None
        self._server.close()
        self._server = None

    def _pump(self) -> None:
        assert self._server is not None
        while not self._stopping.is_set():
            try:
                client, _ = self._server.accept()
            except TimeoutError:
                continue
            self._client = client
            with client:
                self._serve(client)
            self._client = None

    def _serve(self, client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.settimeout(0.1)
        while not self._stopping.is_set():
            try:
                data = client.recv(4096)
            except TimeoutError:
                continue
            except OSError:
                return
            if not data:
                return
            self.deliver(data)

    def _write(self, data: bytes) -> None:
        client = self._client
        if client is not None:
            with contextlib.suppress(OSError):
                client.sendall(data)


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    """What an HTTP twin is asked; header names in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class HttpAnswer:
    """What it answers; the carrier sends `body` as the fault verbs say."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""
    chunked: bool = False
    cut_after: int | None = None
    """Break the connection after so many bytes of the body."""
    stream: Iterator[bytes] | None = None
    """A body without end, in pieces; in place of `body`."""
    without_end: bool = False
    """Leave out the chunk that ends a chunked body, and hang up."""
    wrong_length: int | None = None
    """Announce this Content-Length whatever the body is."""
    bytes_per_s: int | None = None


class HttpTwin(Twin):
    """A twin that speaks HTTP."""

    carrier = "http"
    base: ClassVar[str] = ""
    """Path under which it is addressed where its port in the hall names none."""
    beginning: ClassVar[str] = ""
    """What stands before its address in a `port`."""

    @abstractmethod
    def handle(self, request: HttpRequest) -> HttpAnswer | None:
        """Answer one request, or None to close the connection without a word. Runs on the request's thread."""


class _HttpServer(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hangs up in the middle is an ordinary thing here."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # passed on as it came


class HttpPort:
    """An HTTP server on loopback for one twin; `base` is the path under which the device is addressed."""

    def __init__(self, twin: HttpTwin, base: str = "", tcp_port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        self.twin = twin
        self.base = base
        self._tcp_port = tcp_port
        self._tls = tls
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None
        self.connections: set[socket.socket] = set()
        self.transcript: list[str] = []

    @property
    def port(self) -> str:
        """What goes into `port` of the device's table."""
        return f"{self.twin.beginning}http{'s' if self._tls else ''}://127.0.0.1:{self._tcp_port}{self.base}"

    def start(self) -> None:
        """Plug in; after an unplug under the same address."""
        if self._server is not None:
            return
        handler = type("Handler", (_Handler,), {"port": self})
        server = _HttpServer(("127.0.0.1", self._tcp_port), handler)
        server.daemon_threads = True
        if self._tls is not None:
            server.socket = self._tls.wrap_socket(server.socket, server_side=True)
        self._server = server
        self._tcp_port = server.server_address[1]
        self._thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="twin http", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Unplug: connections are refused from now on."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._thread.join(10)
        self._server = self._thread = None

    unplug = stop
    replug = start


class _Handler(BaseHTTPRequestHandler):
    """Asks the twin of a port, whose every connection is known so that it can be cut."""

    protocol_version = "HTTP/1.1"
    connection: socket.socket
    port: ClassVar[HttpPort]

    def setup(self) -> None:
        super().setup()
        self.port.connections.add(self.connection)

    def finish(self) -> None:
        self.port.connections.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def _any(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        path, _, query = self.path.partition("?")
        request = HttpRequest(
            method=self.command,
            path=path,
            query=query,
            headers={k.lower(): v for k, v in self.headers.items()},
            body=self.rfile.read(length),
        )
        answer = self.port.twin.handle(request)
        self.port.transcript.append(f"{self.command} {self.path} -> {answer.status if answer else 'hang up'}")
        if answer is None:
            self.close_connection = True
            return
        with contextlib.suppress(OSError):
            if answer.stream is not None:
                _send_stream(self, answer, answer.stream)
            else:
                _send_answer(self, answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _any  # noqa: N815 - names given by http.server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - signature of http.server
        """Say nothing: the transcript has it."""


def _send_stream(handler: BaseHTTPRequestHandler, answer: HttpAnswer, stream: Iterator[bytes]) -> None:
    handler.send_response(answer.status)
    for name, value in answer.headers.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.close_connection = True
    for piece in stream:
        handler.wfile.write(piece)


def _send_answer(handler: BaseHTTPRequestHandler, answer: HttpAnswer) -> None:
    handler.send_response(answer.status)
    for name, value in answer.headers.items():
        handler.send_header(name, value)
    if answer.chunked:
        handler.send_header("Transfer-Encoding", "chunked")
    else:
        length = len(answer.body) if answer.wrong_length is None else answer.wrong_length
        handler.send_header("Content-Length", str(length))
    handler.end_headers()
    if handler.command == "HEAD":
        return
    step = max(1, (answer.bytes_per_s or 0) // 10) or 65536
    if answer.bytes_per_s is None:
        step = 65536
    sent = 0
    for start in range(0, len(answer.body), step):
        piece = answer.body[start : start + step]
        if answer.cut_after is not None and sent + len(piece) > answer.cut_after:
            handler.wfile.write(piece[: answer.cut_after - sent])
            handler.close_connection = True
            return
        handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if answer.chunked else piece)
        sent += len(piece)
        if answer.bytes_per_s is not None:
            time.sleep(0.1)
    if answer.chunked and not answer.without_end:
        handler.wfile.write(b"0\r\n\r\n")
    if answer.without_end or answer.wrong_length not in {None, len(answer.body)}:
        handler.close_connection = True
