"""A daemon for screens, played by a script: real HTTP, shows the views it is given, notes what it is asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from types import TracebackType
from typing import Any, Self

from hall_daemon.protocol import HallMap, Problem, WindowView
from hall_daemon.protocol_clerks import Messages
from hall_daemon.texts import text

CASE_NO = "L" + "9" * 12 + "20260302000001"
_DONE = {"event": 1, "local_case_no": CASE_NO, "due": "", "repeated": False}
_CASES: dict[str, dict[str, Any]] = {
    "places": {"windows": {"1": "closed", "2": "idle", "3": "serving", "13": "serving"}, "queues": {"A": 2, "H": 7}},
    "cases": {"cases": [], "outcome": "completed"},
    "notice": _DONE | {"state": "supplement", "notice_no": "3-0302-0001"},
    "accept": _DONE | {"state": "accepted", "notice_no": "3-0302-0002"},
    "return": _DONE | {"state": "returned", "notice_no": "3-0302-0003"},
    "receive": _DONE | {"state": "received", "notice_no": ""},
    "decide": _DONE | {"state": "decided", "notice_no": ""},
    "preview": {
        "columns": 48,
        "lines": [
            {"text": "               样例政务服务中心", "bold": True, "large": False},
            {"text": "                  一次性告知单", "bold": True, "large": True},
            {"text": "-" * 48, "bold": False, "large": False},
            *({"text": f"{n}. 第 {n} 行", "bold": False, "large": False} for n in range(1, 41)),
        ],
    },
    "print": {"result": "ok", "device": "PRN-01", "place": {"zh": "已在本窗口打印", "en": ""}, "reason": ""},
}
"""What is answered about cases unless a test says otherwise."""
REASONS = {200: "OK", 404: "Not Found", 409: "Conflict", 401: "Unauthorized", 500: "Internal Server Error"}
Answer = tuple[int, Any]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    body: Any
    token: str


def refusal(code: str, status: int = 409, **facts: object) -> Answer:
    """A refusal as the daemon words it."""
    problem = Problem(code=code, detail=code, text=text(f"hall.{code}", **facts))
    return status, problem.model_dump(mode="json")


class ScriptedHall:
    """Async context manager; `url` is where it listens, `asked` what it was asked, streams apart."""

    def __init__(self, hall: HallMap, view: WindowView | Messages | None = None) -> None:
        self.hall = hall
        self.view: WindowView | Messages | None = view
        self.asked: list[Asked] = []
        self.streams = 0
        self.port = 0
        self.heartbeat_s = 0.5
        self.answers: dict[str, Callable[[Any], Answer]] = {}
        self.mute = asyncio.Event()
        self.go = asyncio.Event()
        """Cleared: answers are held back until it is set."""
        self.go.set()
        self._event = 0
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        await self.come_back()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.go_away()

    async def come_back(self) -> None:
        """Listen, on the same port as before."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def go_away(self) -> None:
        """Cut every connection and refuse new ones, as a daemon that was killed."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()
            self._server = None

    def show(self, view: WindowView | Messages) -> None:
        """Send this view to every open screen."""
        self.view = view
        self._changed.set()
        self._changed = asyncio.Event()

    def verbs(self) -> list[tuple[str, Any]]:
        """What windows were asked to do, in order: last part of the path and body; being there and looking is none."""
        asked = [(a.path.rpartition("/")[2], a.body) for a in self.asked if a.method == "POST"]
        return [(verb, body) for verb, body in asked if verb not in ("here", "preview")]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._one(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the screen went, or this hall did
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split("\r\n")[0].split(" ")
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in head.split("\r\n")[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if path.endswith("/views"):
            await self._stream(writer)
            return False
        self.asked.append(
            Asked(
                method=method,
                path=path,
                body=json.loads(body) if body else None,
                token=headers.get("authorization", ""),
            )
        )
        if self.mute.is_set():
            await asyncio.Event().wait()
        await self.go.wait()
        status, answer = self._answer(path, self.asked[-1].body)
        content = json.dumps(answer).encode()
        writer.write(_head(status, f"Content-Length: {len(content)}") + content)
        await writer.drain()
        return True

    def _answer(self, path: str, body: Any) -> Answer:
        verb = path.partition("?")[0].rpartition("/")[2]
        if verb in self.answers:
            return self.answers[verb](body)
        if path == "/hall":
            return 200, self.hall.model_dump(mode="json")
        if verb in _CASES:
            return 200, _CASES[verb]
        self._event += 1
        return 200, {"event": self._event, "number": "", "job": "", "added_by_a_newer_daemon": True}

    async def _stream(self, writer: asyncio.StreamWriter) -> None:
        if "views" in self.answers:
            status, answer = self.answers["views"](None)
            content = json.dumps(answer).encode()
            writer.write(_head(status, f"Content-Length: {len(content)}", "Connection: close") + content)
            await writer.drain()
            return
        self.streams += 1
        writer.write(_head(200, "Content-Type: application/x-ndjson", "Transfer-Encoding: chunked"))
        try:
            while True:
                changed = self._changed
                if self.view is not None:
                    await _chunk(writer, self.view.model_dump_json().encode() + b"\n")
                while not changed.is_set():
                    await _chunk(writer, b"\n")
                    try:
                        async with asyncio.timeout(self.heartbeat_s):
                            await changed.wait()
                    except TimeoutError:
                        continue
        finally:
            self.streams -= 1


def _head(status: int, *lines: str) -> bytes:
    first = f"HTTP/1.1 {status} {REASONS.get(status, 'Other')}"
    return "\r\n".join([first, f"Date: {formatdate(usegmt=True)}", *lines, "", ""]).encode()


async def _chunk(writer: asyncio.StreamWriter, piece: bytes) -> None:
    # Two writes, so that a line arrives in pieces.
    writer.write(b"%x\r\n" % len(piece) + piece[:7])
    await writer.drain()
    writer.write(piece[7:] + b"\r\n")
    await writer.drain()
