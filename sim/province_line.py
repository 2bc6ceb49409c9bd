"""The line into the province: applies faults to real connections, and puts the province's own time on every answer.

Faults need the connection itself, which an application server hides; so the HTTP protocol here notes its transport, and
what it had received when the connection broke.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any, TypeAlias

from uvicorn.protocols.http.h11_impl import H11Protocol

from sim.province_faults import Deed, Faults, Rule
from sim.province_problems import USUAL_CODE, Problem
from sim.province_seals import Json

# The shapes of the server gateway interface itself: mappings with values of every type.
Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

LINES: dict[tuple[str, int] | None, Line] = {}
"""Connections by the address of the caller."""


class Line(H11Protocol):
    """One connection."""

    unread: bytes = b""
    """What had arrived but not been taken when the caller broke the connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its base does
        """Note the transport."""
        super().connection_made(transport)
        LINES[self.client] = self

    def connection_lost(self, exc: Exception | None) -> None:
        """Keep what nobody has read yet."""
        LINES.pop(self.client, None)
        if self.cycle is not None:
            self.unread = bytes(self.cycle.body)
        super().connection_lost(exc)

    def cut(self) -> None:
        """Close without a word."""
        self.transport.close()

    def reset(self) -> None:
        """Break the connection so that the caller sees a reset."""
        connection: socket.socket = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()


@dataclass(kw_only=True)
class Answer:
    """An answer that has been produced and not sent."""

    start: Message = field(default_factory=dict)
    body: bytes = b""

    async def take(self, message: Message) -> None:
        """Stand in for the sending side."""
        if message["type"] == "http.response.start":
            self.start = message
        else:
            self.body += message.get("body", b"")

    async def give(self, send: Send) -> None:
        """Send it as it is."""
        await send(self.start)
        await send({"type": "http.response.body", "body": self.body})


class FaultyLine:
    """Application between server and province that lets requests suffer."""

    def __init__(self, inside: Application, faults: Faults, now: Callable[[], float], stopping: asyncio.Event) -> None:
        self._inside = inside
        self._faults = faults
        self._now = now
        self._stopping = stopping
        self._deeds = {
            Deed.DROP_REQUEST: self._drop,
            Deed.DROP_RESPONSE: self._lose_answer,
            Deed.DELAY: self._delay,
            Deed.STATUS: self._status,
            Deed.TRUNCATE: self._truncate,
            Deed.CORRUPT: self._corrupt,
            Deed.SLOW: self._slow,
            Deed.RESET: self._reset,
            Deed.CRASH: self._crash,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or fail to."""
        line = scope["line"] = LINES[scope["client"]]

        async def send_dated(message: Message) -> None:
            if message["type"] == "http.response.start":
                date = formatdate(self._now(), usegmt=True).encode()
                message["headers"] = [*message.get("headers", []), (b"date", date)]
            await send(message)

        path = scope["raw_path"].decode("ascii", "replace")
        rule = None if path.startswith("/sim/") else self._faults.take(scope["method"], path)
        if rule is None:
            await self._inside(scope, receive, send_dated)
        else:
            await self._deeds[rule.deed](rule, line, scope, receive, send_dated)

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        answer = Answer()
        await self._inside(scope, receive, answer.take)
        return answer

    async def _drop(self, rule: Rule, line: Line, _: Scope, receive: Receive, __: Send) -> None:
        await _read_all(receive)
        gone = asyncio.ensure_future(_until_gone(receive))
        if rule.option("silent") is True:
            stop = asyncio.ensure_future(self._stopping.wait())
            await asyncio.wait({gone, stop}, return_when=asyncio.FIRST_COMPLETED)
            stop.cancel()
        line.cut()
        await gone

    async def _lose_answer(self, _: Rule, line: Line, scope: Scope, receive: Receive, __: Send) -> None:
        await self._answer(scope, receive)
        line.cut()
        await _until_gone(receive)

    async def _delay(self, rule: Rule, _: Line, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answer(scope, receive)
        await self._pause(rule.number("ms", 1000) / 1000)
        await answer.give(send)

    async def _status(self, rule: Rule, _: Line, __: Scope, receive: Receive, send: Send) -> None:
        await _read_all(receive)
        status = rule.number("status", 503)
        more: dict[str, Json] = dict(rule.value) if isinstance(rule.value, dict) else {}
        headers, body = _refusal(status, more)
        await Answer(start={"type": "http.response.start", "status": status, "headers": headers}, body=body).give(send)

    async def _truncate(self, _: Rule, line: Line, scope: Scope, receive: Receive, send: Send) -> None:
        answer = await self._answer(scope, receive)
        if answer.body and scope["method"] != "HEAD":
            await send(answer.start)
            await send({"type": "http.response.body", "body": answer.body[: len(answer.body) // 2], "more_body": True})
        line.cut()
        await _until_gone(receive)

    async def _corrupt(self, rule: Rule, _: Line, scope: Scope, receive: Receive, send: Send) -> None:
        if rule.option("side") == "request":
            await self._inside(scope, _corrupting(receive), send)
            return
        answer = await self._answer(scope, receive)
        answer.body = _with_one_wrong_byte(answer.body)
        await answer.give(send)

    async def _slow(self, rule: Rule, _: Line, scope: Scope, receive: Receive, send: Send) -> None:
        bytes_per_s = max(1, rule.number("bps", 1000))

        async def receive_slowly() -> Message:
            message = await receive()
            await self._pause(len(message.get("body", b"")) / bytes_per_s)
            return message

        answer = await self._answer(scope, receive_slowly)
        await send(answer.start)
        piece = max(1, bytes_per_s // 20)
        for at in range(0, len(answer.body), piece):
            await self._pause(piece / bytes_per_s)
            await send({"type": "http.response.body", "body": answer.body[at : at + piece], "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _reset(self, rule: Rule, line: Line, scope: Scope, receive: Receive, _: Send) -> None:
        if rule.option("after_bytes") is None:
            line.reset()
            await _until_gone(receive)
            return
        left = rule.number("after_bytes", 0)

        async def receive_until_reset() -> Message:
            nonlocal left
            if left <= 0:
                return {"type": "http.disconnect"}
            message = await receive()
            if message["type"] == "http.disconnect":
                return message
            body = bytes(message["body"][:left])
            left -= len(body)
            if left <= 0:
                line.reset()
            return {"type": "http.request", "body": body, "more_body": left <= 0 or message["more_body"]}

        await self._answer(scope, receive_until_reset)
        line.reset()
        await _until_gone(receive)

    async def _crash(self, rule: Rule, _: Line, scope: Scope, receive: Receive, __: Send) -> None:
        scope["crash_in_transaction"] = rule.value != "after_commit"
        await self._answer(scope, receive)
        die()

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return


def die() -> None:
    """End as by kill -9."""
    os.kill(os.getpid(), signal.SIGKILL)


async def _until_gone(receive: Receive) -> None:
    """Wait for the end of the connection; the server would answer for an application that returns earlier."""
    while (await receive())["type"] != "http.disconnect":
        continue


async def _read_all(receive: Receive) -> None:
    while (await receive()).get("more_body", False):
        continue


def _refusal(status: int, more: dict[str, Json]) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and body of an answer that no part of the province gave."""
    retry_after = more.pop("retry_after_s", None)
    media, said = more.pop("content_type", None), more.pop("body", None)
    more.pop("status", None)
    if said is None:
        code = str(more.pop("code", None) or USUAL_CODE.get(status, "INTERNAL"))
        detail = str(more.pop("detail", "the line was told to refuse this"))
        said = json.dumps(Problem(status, code, detail, **more).document(), ensure_ascii=False)
    content: bytes = str(said).encode()
    headers = [
        (b"content-type", str(media or "application/problem+json").encode()),
        (b"content-length", str(len(content)).encode()),
    ]
    if retry_after is not None:
        headers.append((b"retry-after", str(retry_after).encode()))
    return headers, content


def _with_one_wrong_byte(body: bytes) -> bytes:
    """The body with one byte in the middle that breaks its UTF-8, so that the damage can be noticed."""
    if not body:
        return body
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 0x80]) + body[middle + 1 :]


def _corrupting(receive: Receive) -> Receive:
    async def receive_corrupted() -> Message:
        message = await receive()
        message["body"] = _with_one_wrong_byte(message.get("body", b""))
        return message

    return receive_corrupted
