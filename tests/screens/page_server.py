"""A stand-in for the daemon's face towards a page: recorded views go out, pressed keys come in.

Serves the real files of kiosk_ui/web. Tests of drawing only; whole visits run against the daemon itself.
"""

from __future__ import annotations

import json
import queue
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel

from hall_daemon.protocol_board import FollowView

WEB = Path(__file__).parents[2] / "kiosk_ui" / "web"
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class PageServer:
    """On a free port of 127.0.0.1 until it is closed."""

    def __init__(self) -> None:
        self.keys: list[dict[str, object]] = []
        self.authorizations: set[str | None] = set()
        self.newest: bytes = b""
        self.silent = False
        """Keep streams open but say nothing, not even the pulse."""
        self.refusing = False
        self.pulse_s = 1.0
        self.sounds: list[str] = []
        """Paths of the sounds that were asked for, in order."""
        self.sound = b""
        self.may_sound = threading.Event()
        """Cleared: whoever asks for a sound waits for it."""
        self.may_sound.set()
        self.ticket: BaseModel | None = None
        """What the page of a ticket is told; None: the code is of no ticket."""
        self.busy_s = 0
        """Seconds that the page of a ticket is asked to wait; 0: it is answered."""
        self.pulses = 0
        """How often a page was told that the line is alive."""
        self.streams: list[queue.SimpleQueue[bytes | None]] = []
        self._lock = threading.Lock()
        server = self

        class Handler(_Handler):
            page_server = server

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = False
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    def show(self, view: BaseModel) -> None:
        """Send a view to every page."""
        self.newest = view.model_dump_json().encode() + b"\n"
        with self._lock:
            for stream in self.streams:
                stream.put(self.newest)

    def listen(self) -> queue.SimpleQueue[bytes | None]:
        stream: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        with self._lock:
            self.streams.append(stream)
            if self.newest:
                stream.put(self.newest)
        return stream

    def forget(self, stream: queue.SimpleQueue[bytes | None]) -> None:
        with self._lock:
            self.streams.remove(stream)

    def hang_up(self, *, refuse: bool = False) -> None:
        """End every stream; refuse new ones if asked to."""
        self.refusing = refuse
        with self._lock:
            for stream in self.streams:
                stream.put(None)

    def close(self) -> None:
        self.hang_up(refuse=True)
        self.may_sound.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join(40)


class _Handler(BaseHTTPRequestHandler):
    page_server: ClassVar[PageServer]
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Tests need no access log."""

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True  # the page has gone

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path.endswith("/views"):
            self._stream()
        elif path.startswith("/ui/"):
            self._file(WEB / path.removeprefix("/ui/"))
        elif path.startswith("/voice/"):
            self._sound()
        elif path.startswith("/kiosk/"):
            self._file(WEB / "kiosk" / "index.html")
        elif path in ("/board", "/overview"):
            self._file(WEB / path.removeprefix("/") / "index.html")
        elif path.startswith("/t/"):
            self._follow(path)
        else:
            self.send_error(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.page_server.keys.append(json.loads(body))
        ticket = self.page_server.ticket
        if self.path.endswith("/rating") and isinstance(ticket, FollowView) and ticket.rating == "given":
            self._answer(ticket.model_dump_json().encode(), "application/json")
            return
        self.send_response(HTTPStatus.ACCEPTED)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _sound(self) -> None:
        self.page_server.sounds.append(self.path)
        self.page_server.may_sound.wait()
        if not self.page_server.sound:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        self._answer(self.page_server.sound, "audio/wav")

    def _follow(self, path: str) -> None:
        server = self.page_server
        if path.startswith("/t/follow/"):
            self._file(WEB / path.removeprefix("/t/"))
        elif not path.endswith("/view"):
            self._file(WEB / "follow" / "index.html")
        elif server.busy_s:
            self.send_response(HTTPStatus.TOO_MANY_REQUESTS)
            self.send_header("Retry-After", str(server.busy_s))
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif server.refusing:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
        elif server.ticket is None:
            self.send_error(HTTPStatus.NOT_FOUND)
        else:
            self._answer(server.ticket.model_dump_json().encode(), "application/json")

    def _file(self, file: Path) -> None:
        self._answer(file.read_bytes(), TYPES[file.suffix])

    def _answer(self, data: bytes, kind: str) -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _stream(self) -> None:
        server = self.page_server
        if server.refusing:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
            return
        server.authorizations.add(self.headers.get("Authorization"))
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        stream = server.listen()
        try:
            while (line := self._next(stream)) is not None:
                self.wfile.write(line)
                self.wfile.flush()
        except OSError:
            return  # the page has gone
        finally:
            server.forget(stream)

    def _next(self, stream: queue.SimpleQueue[bytes | None]) -> bytes | None:
        while True:
            try:
                line = stream.get(timeout=self.page_server.pulse_s)
            except queue.Empty:
                line = b"\n"
                self.page_server.pulses += 1
            if line is None or not self.page_server.silent:
                return line
