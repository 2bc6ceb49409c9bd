"""How bytes travel: serial lines, TCP sockets, PC/SC card slots, HTTP devices.

The only home of pyserial, pyscard and the HTTP client of devices. A link moves bytes and ends every call within the
limit it was given; it knows no protocol. Everything that can go wrong with a port arrives as LinkError, so drivers and
the worker never meet an exception of a library. A tap set on the link sees all traffic; what a driver reads inside
`link.private()` reaches the tap as its length only.
"""

from __future__ import annotations

import importlib
import math
import select
import socket
import termios
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import serial

from drivers.base import BadReply, LinkError, NoReply
from drivers.pcsc_helper import PcscHelper

if TYPE_CHECKING:
    from ssl import SSLContext

    import httpx
    from httpcore import NetworkBackend, NetworkStream

Direction = Literal[">", "<"]
Tap = Callable[[Direction, bytes], None]
"""Sees traffic: '>' towards the device, '<' from it."""

# What pyserial and termios raise once the other end of a port is gone; TypeError is its close() during a read.
_PORT_GONE = (serial.SerialException, OSError, termios.error, TypeError)


class Link(ABC):
    """An open way to one port."""

    def __init__(self, port: str) -> None:
        self.port = port
        self.tap: Tap | None = None
        self.last_traffic = time.monotonic()
        """Monotonic time at which bytes last passed in either direction; drivers of a shared line keep gaps by it.

        Opening counts as traffic: nobody knows what passed before.
        """
        self._private = False

    @contextmanager
    def private(self) -> Iterator[None]:
        """While inside, what comes from the device is personal: the tap learns only its length."""
        self._private = True
        try:
            yield
        finally:
            self._private = False

    def _trace(self, direction: Direction, data: bytes) -> None:
        if not data:
            return
        self.last_traffic = time.monotonic()
        if self.tap is None:
            return
        if self._private and direction == "<":
            data = f"[{len(data)} personal bytes]".encode()
        self.tap(direction, data)

    @abstractmethod
    def close(self) -> None:
        """Give the port back; never raises."""


class ByteStream(Link):
    """Bytes in both directions, without frames."""

    @abstractmethod
    def write(self, data: bytes, limit_s: float = 2.0) -> None:
        """Send everything. Raises LinkError when the port is gone or takes nothing for limit_s seconds."""

    @abstractmethod
    def _read_some(self, most: int, limit_s: float) -> bytes:
        """1 to `most` bytes, or b"" after limit_s seconds of silence. Raises LinkError."""

    def read(self, most: int, limit_s: float) -> bytes:
        """1 to `most` bytes as soon as some are there; b"" means that limit_s seconds passed. Raises LinkError."""
        data = self._read_some(most, limit_s)
        self._trace("<", data)
        return data

    def read_exactly(self, count: int, limit_s: float) -> bytes:
        """`count` bytes within limit_s seconds in all. Raises NoReply with what came instead, or LinkError."""
        deadline = time.monotonic() + limit_s
        data = b""
        while len(data) < count:
            more = self.read(count - len(data), max(0.0, deadline - time.monotonic()))
            if not more:
                raise NoReply(f"{len(data)} of {count} bytes within {limit_s} s on {self.port}")
            data += more
        return data

    def drop_input(self) -> bytes:
        """Take what has arrived and was not read, so that it is not read as the next answer."""
        dropped = b""
        while more := self.read(4096, 0.0):
            dropped += more
            if len(dropped) > 65536:
                raise BadReply(f"{self.port}: the device does not stop talking")
        return dropped

    def set_baud(self, baud: int) -> None:
        """Change the line's speed, where it has one."""


class SerialStream(ByteStream):
    """A serial line of this machine, or of a serial server by RFC 2217."""

    def __init__(self, port: str, baud: int) -> None:
        super().__init__(port)
        try:
            self._serial = serial.serial_for_url(port, baudrate=baud, timeout=0, write_timeout=2, exclusive=True)
        except (*_PORT_GONE, ValueError) as exc:
            raise LinkError(f"cannot open {port}: {exc}") from exc

    def write(self, data: bytes, limit_s: float = 2.0) -> None:
        self._trace(">", data)
        try:
            self._serial.write_timeout = limit_s
            self._serial.write(data)
        except _PORT_GONE as exc:
            raise LinkError(f"{self.port} is gone, or takes nothing: {exc}") from exc

    def _read_some(self, most: int, limit_s: float) -> bytes:
        try:
            self._serial.timeout = limit_s
            first = self._serial.read(1)
            if not first:
                return b""
            more = min(most - 1, self._serial.in_waiting)
            return bytes(first + self._serial.read(more)) if more > 0 else bytes(first)
        except _PORT_GONE as exc:
            raise LinkError(f"{self.port} is gone: {exc}") from exc

    def set_baud(self, baud: int) -> None:
        try:
            self._serial.baudrate = baud
        except _PORT_GONE as exc:
            raise LinkError(f"{self.port} is gone: {exc}") from exc

    def close(self) -> None:
        try:
            self._serial.close()
        except _PORT_GONE:
            return  # already gone is what was wanted


class TcpStream(ByteStream):
    """A raw TCP stream: printers on port 9100, serial servers."""

    def __init__(self, port: str, connect_limit_s: float = 3.0) -> None:
        super().__init__(port)
        address = urlsplit(port)
        try:
            self._socket = socket.create_connection((address.hostname or "", address.port or 0), connect_limit_s)
        except (OSError, ValueError) as exc:
            raise LinkError(f"cannot open {port}: {exc}") from exc
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._socket.setblocking(False)

    def write(self, data: bytes, limit_s: float = 2.0) -> None:
        self._trace(">", data)
        rest = memoryview(data)
        while rest:
            try:
                if not select.select([], [self._socket], [], limit_s)[1]:
                    raise LinkError(f"{self.port} takes nothing for {limit_s} s")
                rest = rest[self._socket.send(rest) :]
            except (OSError, ValueError) as exc:
                raise LinkError(f"{self.port} is gone: {exc}") from exc

    def _read_some(self, most: int, limit_s: float) -> bytes:
        try:
            if not select.select([self._socket], [], [], limit_s)[0]:
                return b""
            data = self._socket.recv(most)
        except (OSError, ValueError) as exc:
            raise LinkError(f"{self.port} is gone: {exc}") from exc
        if not data:
            raise LinkError(f"{self.port}: closed by the other side")
        return data

    def close(self) -> None:
        self._socket.close()


class CardSlot(Link):
    """One PC/SC reader. A restarted PC/SC service or a pulled reader is a LinkError: open a new slot.

    A mute card holds a PC/SC call for ever: calls run in a helper process that is killed when one does not come back.
    """

    def __init__(self, port: str) -> None:
        super().__init__(port)
        self.reader = port.removeprefix("pcsc:")
        self._scard = _load_pcsc()
        self._card: int | None = None
        self._protocol = 0
        self._state = 0
        self._atr: bytes | None = None
        self._helper: PcscHelper | None = None
        self._start_helper(limit_s=3.0)

    @property
    def changes(self) -> int:
        """Counts insertions and removals: two equal answers of card_atr may be two cards."""
        return self._state >> 16

    def card_atr(self, limit_s: float) -> bytes | None:
        """Answer-to-reset of the card in the slot, waiting up to limit_s for a change; None if there is none."""
        self._look(limit_s)
        return self._atr

    def connect(self, limit_s: float = 3.0) -> None:
        """Power the card. Raises NoReply if it is gone or mute, LinkError if the slot is."""
        scard = self._scard
        how = (self._context, self.reader, scard.SCARD_SHARE_SHARED, scard.SCARD_PROTOCOL_T0 | scard.SCARD_PROTOCOL_T1)
        code, card, protocol = self._ask("power the card", limit_s, "SCardConnect", *how, of_card=True)
        self._check(code, "power the card")
        self._card, self._protocol = card, protocol

    def transmit(self, apdu: bytes, limit_s: float = 3.0) -> bytes:
        """Send one command APDU; the answer includes its status word, and may be empty if the card left.

        Raises NoReply if the card left or is mute, or LinkError.
        """
        what = (self._card or 0, self._protocol, list(apdu))
        return self._exchange(f"send {len(apdu)} bytes to the card", apdu, limit_s, "SCardTransmit", *what)

    def control(self, code: int, data: bytes, limit_s: float = 3.0) -> bytes:
        """Send an escape command to the reader itself. Raises NoReply if the reader refuses, or LinkError."""
        what = (self._card or 0, code, list(data))
        return self._exchange(f"send control code {code:#x}", data, limit_s, "SCardControl", *what)

    def _exchange(self, deed: str, data: bytes, limit_s: float, name: str, *arguments: object) -> bytes:
        self._trace(">", data)
        code, answer = self._ask(deed, limit_s, name, *arguments, of_card=True)
        self._check(code, deed)
        reply = bytes(b & 0xFF for b in answer)
        self._trace("<", reply)
        return reply

    def disconnect(self) -> None:
        """Let the card go; never raises, a slot that is gone shows itself at the next call."""
        if self._card is not None:
            card, self._card = self._card, None
            with suppress(NoReply, LinkError):
                self._ask("let the card go", 1.0, "SCardDisconnect", card, self._scard.SCARD_LEAVE_CARD, of_card=True)

    def close(self) -> None:
        self.disconnect()
        if self._helper is not None:
            self._helper.end()
            self._helper = None

    def _start_helper(self, limit_s: float) -> None:
        """A new helper with a new context, in which no card is connected. Raises LinkError."""
        self._card, self._state, self._atr = None, self._scard.SCARD_STATE_UNAWARE, None
        self._helper = PcscHelper()
        try:
            deed = "reach the PC/SC service"
            code, self._context = self._ask(deed, limit_s, "SCardEstablishContext", self._scard.SCARD_SCOPE_USER)
            self._check(code, deed)
            self._look(0.0)
        except LinkError:
            self.close()
            raise

    def _ask(
        self, deed: str, limit_s: float, name: str, *arguments: object, of_card: bool = False
    ) -> list[Any]:  # Any: each call of PC/SC has its own results
        """One PC/SC call. Raises LinkError; if a card has to answer and does not, NoReply, and the slot starts anew."""
        if self._helper is None:
            raise LinkError(f"{self.port} is closed")
        try:
            return self._helper.call(name, *arguments, limit_s=limit_s)
        except TimeoutError as exc:
            self._helper.end(grace_s=0.0)
            sentence = f"{self.port}: could not {deed} within {limit_s:.1f} s"
            if not of_card:
                raise LinkError(sentence) from exc
            self._start_helper(limit_s=0.7)  # little, because the silence has used up the time of the call
            raise NoReply(sentence) from exc
        except EOFError as exc:
            raise LinkError(f"{self.port}: could not {deed}: {exc}") from exc

    def _look(self, limit_s: float) -> None:
        scard = self._scard
        what = (self._context, int(limit_s * 1000), [(self.reader, self._state)])
        code, states = self._ask("watch the slot", limit_s + 1.0, "SCardGetStatusChange", *what)
        if code == scard.SCARD_E_TIMEOUT:
            return
        self._check(code, "watch the slot")
        _, state, atr = states[0]
        if state & (scard.SCARD_STATE_UNKNOWN | scard.SCARD_STATE_UNAVAILABLE):
            raise LinkError(f"the PC/SC reader '{self.reader}' is not there")
        self._state = state & ~scard.SCARD_STATE_CHANGED
        present = bool(state & scard.SCARD_STATE_PRESENT) and not state & scard.SCARD_STATE_MUTE
        self._atr = bytes(b & 0xFF for b in atr) if present else None

    def _check(self, code: int, deed: str) -> None:
        scard = self._scard
        if code == scard.SCARD_S_SUCCESS:
            return
        sentence = f"{self.port}: could not {deed}: {scard.SCardGetErrorMessage(code)}"
        if code in {
            scard.SCARD_W_REMOVED_CARD, scard.SCARD_E_NO_SMARTCARD, scard.SCARD_W_RESET_CARD,
            scard.SCARD_W_UNPOWERED_CARD, scard.SCARD_W_UNRESPONSIVE_CARD, scard.SCARD_E_NOT_TRANSACTED,
            scard.SCARD_E_UNSUPPORTED_FEATURE, scard.SCARD_E_SHARING_VIOLATION, scard.SCARD_E_PROTO_MISMATCH,
        }:  # fmt: skip
            raise NoReply(sentence)
        raise LinkError(sentence)


def _load_pcsc() -> ModuleType:
    """pyscard's low-level module; loaded late because a hall without such a reader may lack the PC/SC library."""
    try:
        return importlib.import_module("smartcard.scard")
    except ImportError as exc:
        raise LinkError(f"PC/SC is not installed on this machine (package libpcsclite1): {exc}") from exc


@dataclass(frozen=True, kw_only=True)
class WebReply:
    """Answer of an HTTP device; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Within:
    """A network stream of the HTTP client that obeys one deadline over everything.

    The client's own time-outs start anew with each read, so a device that dribbles its headers would never meet them.
    """

    def __init__(self, stream: NetworkStream, left_s: Callable[[], float]) -> None:
        self._stream = stream
        self._left_s = left_s
        self.close = stream.close
        self.get_extra_info = stream.get_extra_info

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, min(self._left_s(), timeout or math.inf))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, min(self._left_s(), timeout or math.inf))

    def start_tls(
        self, ssl_context: SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> _Within:
        limit_s = min(self._left_s(), timeout or math.inf)
        return _Within(self._stream.start_tls(ssl_context, server_hostname, limit_s), self._left_s)


class _WithinBackend:
    """Opens the HTTP client's connections as streams that obey the deadline."""

    def __init__(self, backend: NetworkBackend, left_s: Callable[[], float]) -> None:
        self._backend = backend
        self._left_s = left_s

    def connect_tcp(self, host: str, port: int, timeout: float | None = None, **more: Any) -> _Within:  # Any: passed on
        limit_s = min(self._left_s(), timeout or math.inf)
        return _Within(self._backend.connect_tcp(host, port, limit_s, **more), self._left_s)


class WebDevice(Link):
    """A device that speaks HTTP, at a base URL. Opening it costs no traffic."""

    largest_body = 64 * 1024 * 1024

    def __init__(self, port: str) -> None:
        super().__init__(port.rstrip("/"))
        self._closed = threading.Event()
        self._deadline = 0.0
        self._httpx = importlib.import_module("httpx")  # 40 ms and 8 MB that a hall without such a device saves
        carrier = self._httpx.HTTPTransport(trust_env=False)
        # httpx has no public way to set a deadline over a whole exchange; its pool's network backend does.
        pool = carrier._pool
        pool._network_backend = _WithinBackend(pool._network_backend, self._left_s)
        self._client: httpx.Client = self._httpx.Client(transport=carrier, trust_env=False, follow_redirects=False)
        del self._client.headers["accept-encoding"]  # bodies are read as they come, so they must come unpacked

    def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        limit_s: float,
        silence_s: float | None = None,
        body_matters: bool = True,
    ) -> WebReply:
        """One request; `url` is a path below the base, or absolute. The whole answer comes within limit_s.

        With silence_s, no longer than that without a byte. Without body_matters, a body that is cut short does no harm.
        Raises LinkError (nobody there), NoReply (too slow), BadReply (cut short, or not HTTP).
        """
        httpx = self._httpx
        target = url if url.startswith(("http://", "https://")) else f"{self.port}/{url.lstrip('/')}"
        self._trace(">", f"{method} {target} {len(body)} bytes".encode())
        self._deadline = time.monotonic() + limit_s
        silence_s = min(limit_s, silence_s or limit_s)
        try:
            with self._client.stream(
                method,
                target,
                content=body,
                headers=headers,
                timeout=httpx.Timeout(silence_s, connect=min(3.0, limit_s)),
            ) as answer:
                content = self._read_body(answer, target, cut_counts=not body_matters)
                reply = WebReply(status=answer.status_code, headers=dict(answer.headers), body=content)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL) as exc:
            raise LinkError(f"cannot reach {target}: {exc or type(exc).__name__}") from exc
        except httpx.TimeoutException as exc:
            raise NoReply(f"{method} {target}: no complete answer within {limit_s:.1f} s") from exc
        except (httpx.HTTPError, OSError, RuntimeError) as exc:
            # RuntimeError is httpx's word for a client that was closed; so is an error of a socket that we closed.
            if self._closed.is_set():
                raise LinkError(f"{self.port}: closed while waiting for the device") from exc
            if isinstance(exc, RuntimeError):
                raise
            raise BadReply(f"{method} {target}: {type(exc).__name__}: {exc}") from exc
        self._trace("<", f"{reply.status} {reply.headers.get('content-type', '')} {len(content)} bytes".encode())
        return reply

    def pause(self, limit_s: float) -> None:
        """Let limit_s seconds pass because the device asked for time; waits belong to the link, not to drivers.

        Raises LinkError at once when the link is closed meanwhile, so a stopping daemon waits for no scanner.
        """
        if self._closed.wait(limit_s):
            raise LinkError(f"{self.port}: closed while waiting for the device")

    def _left_s(self) -> float:
        return max(0.001, self._deadline - time.monotonic())  # 0 would mean "do not block" to a socket

    def _read_body(self, answer: httpx.Response, target: str, *, cut_counts: bool) -> bytes:
        content = bytearray()
        try:
            for chunk in answer.iter_raw():
                content += chunk
                if time.monotonic() > self._deadline:
                    raise NoReply(f"{target}: the answer trickles, {len(content)} bytes at the limit")
                if len(content) > self.largest_body:
                    raise BadReply(f"{target}: more than {self.largest_body} bytes")
        except (self._httpx.RemoteProtocolError, self._httpx.ReadError):
            if not cut_counts:
                raise
        return bytes(content)

    def close(self) -> None:
        self._closed.set()
        self._client.close()


def link_type(port: str) -> type[Link] | None:
    """Which kind of link a `port` value names; None if it is no port at all."""
    if port.startswith("pcsc:") and len(port) > len("pcsc:"):
        return CardSlot
    if port.startswith(("http://", "https://")):
        return WebDevice
    if port.startswith(("/", "socket://", "rfc2217://")):
        return ByteStream
    return None


def open_link(port: str, baud: int = 9600) -> Link:
    """Open what `port` names. Raises LinkError."""
    kind = link_type(port)
    if kind is CardSlot:
        return CardSlot(port)
    if kind is WebDevice:
        return WebDevice(port)
    if port.startswith("socket://"):
        return TcpStream(port)
    if kind is ByteStream:
        return SerialStream(port, baud)
    raise LinkError(f"'{port}' is no port: use /dev/..., socket://host:port, pcsc:<reader name> or http://host/path")
