"""How bytes travel: what every link promises, serial lines and TCP sockets; other links are in transport_*.py.

The only home of pyserial. A link moves bytes and ends every call within the limit it was given; it knows no protocol.
Everything that can go wrong with a port arrives as LinkError, so drivers and the worker never meet an exception of a
library. A tap set on the link sees all traffic; what a driver reads inside `link.private()` reaches the tap as its
length only, with fictitious bytes for recordings where the driver gives a stand-in.
"""

from __future__ import annotations

import importlib
import math
import os
import select
import socket
import termios
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeVar, cast
from urllib.parse import urlsplit

import serial

from drivers.base import BadReply, LinkError, NoReply

Direction = Literal[">", "<"]


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Some bytes that passed: '>' towards the device, '<' from it. Of personal bytes only their number is told."""

    direction: Direction
    data: bytes
    personal: int = 0
    """How many bytes were left out because they are personal; `data` is empty then."""
    stand_in: bytes = b""
    """As many fictitious bytes, for recordings; empty where the driver gives none."""

    def __str__(self) -> str:
        return f"{self.direction} " + (f"[{self.personal} personal bytes]" if self.personal else self.data.hex(" "))


Tap = Callable[[Traffic], None]
"""Sees all traffic of a link, on the thread that causes it."""

StandIn = Callable[[bytes], bytes]
"""Makes fictitious bytes of personal ones, as many, so that a recording of them still means the same kind of thing."""

# What pyserial and termios raise once the other end of a port is gone; TypeError is its close() during a read.
_PORT_GONE = (serial.SerialException, OSError, termios.error, TypeError)


PartT = TypeVar("PartT")


class Link(ABC):
    """An open way to one port."""

    port_form: ClassVar[str]
    """How a `port` of this kind is written, for a technician."""

    def __init__(self, port: str) -> None:
        self.port = port
        self.tap: Tap | None = None
        self.last_traffic = time.monotonic()
        """Monotonic time at which bytes last passed in either direction; drivers of a shared line keep gaps by it.

        Opening counts as traffic: nobody knows what passed before.
        """
        self._private = False
        self._held: list[bytes] | None = None
        """Personal pieces that wait for the end of their block, because a stand-in needs to see them together."""
        self._shared: dict[type, object] = {}

    def shared(self, kind: type[PartT]) -> PartT:
        """The one object of this kind that all drivers on this link share, made at the first call.

        On a line with several devices it sorts what arrives by address, so that no driver reads another one's frames.
        """
        return cast(PartT, self._shared.setdefault(kind, kind()))  # the key is the type of its value

    @contextmanager
    def private(self, stand_in: StandIn | None = None) -> Iterator[None]:
        """While inside, what comes from the device is personal: the tap learns only its length.

        `stand_in` is asked for fictitious bytes in place of all that came in the block; the tap hears of it at its end.
        Nothing may be sent inside a block with a stand-in.
        """
        self._private = True
        self._held = [] if stand_in is not None and self.tap is not None else None
        try:
            yield
        finally:
            self._tell_held(stand_in)
            self._private, self._held = False, None

    def _tell_held(self, stand_in: StandIn | None) -> None:
        """Tell the tap what was held back, with its stand-in; one of another length is no stand-in."""
        if not self._held or self.tap is None or stand_in is None:
            return
        held, self._held = self._held, []
        shown = stand_in(b"".join(held))
        if len(shown) != sum(map(len, held)):
            shown = b""
        for piece in held:
            part, shown = shown[: len(piece)], shown[len(piece) :]
            self.tap(Traffic(direction="<", data=b"", personal=len(piece), stand_in=part))

    def _trace(self, direction: Direction, data: bytes) -> None:
        if not data:
            return
        self.last_traffic = time.monotonic()
        if self.tap is None:
            return
        if not self._private or direction == ">":
            self.tap(Traffic(direction=direction, data=data))
        elif self._held is not None:
            self._held.append(data)
        else:
            self.tap(Traffic(direction=direction, data=b"", personal=len(data)))

    def watched(self) -> int | None:
        """Descriptor on which a hang-up shows while nobody reads; None where a link has none."""
        return None

    def cut(self) -> None:
        """Called by another thread than the one that uses the link: what that one is doing ends with a LinkError.

        The user of the link closes it afterwards. Never raises.
        """
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Give the port back; never raises."""


class ByteStream(Link):
    """Bytes in both directions, without frames."""

    port_form = "/dev/..., socket://host:port, rfc2217://host:port or usb:vendor:product"
    has_speed: ClassVar[bool] = False
    """Whether `set_baud` does anything here."""

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

    def heed_cts(self) -> None:
        """Send only while the other end allows it by the wire on CTS, where the line has one. Raises LinkError."""


class SerialStream(ByteStream):
    """A serial line of this machine."""

    has_speed = True

    def __init__(self, port: str, baud: int) -> None:
        super().__init__(port)
        try:
            self._serial = serial.Serial(port, baudrate=baud, timeout=0, write_timeout=2, exclusive=True)
        except (*_PORT_GONE, ValueError) as exc:
            raise LinkError(f"cannot open {port}: {exc}") from exc
        self._cut = False
        self._closing = threading.Lock()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._news = select.poll()
        for descriptor in (self._serial.fileno(), self._bell):
            self._news.register(descriptor, select.POLLIN)

    def write(self, data: bytes, limit_s: float = 2.0) -> None:
        self._trace(">", data)
        self._check_open()
        try:
            if self._serial.write_timeout != limit_s:
                self._serial.write_timeout = limit_s  # sets up the whole port anew
            self._serial.write(data)
        except _PORT_GONE as exc:
            raise LinkError(f"{self.port} is gone, or takes nothing: {exc}") from exc

    def _read_some(self, most: int, limit_s: float) -> bytes:
        self._check_open()
        # Waited for here: a new time limit of the port itself would set up the whole port anew.
        found = self._news.poll(math.ceil(limit_s * 1000))
        self._check_open()
        if not found:
            return b""
        try:
            return bytes(self._serial.read(most))
        except _PORT_GONE as exc:
            raise LinkError(f"{self.port} is gone: {exc}") from exc

    def set_baud(self, baud: int) -> None:
        self._check_open()
        try:
            self._serial.baudrate = baud
        except _PORT_GONE as exc:
            raise LinkError(f"{self.port} is gone: {exc}") from exc

    def heed_cts(self) -> None:
        self._check_open()
        try:
            self._serial.rtscts = True
        except _PORT_GONE as exc:
            raise LinkError(f"{self.port} is gone: {exc}") from exc

    def _check_open(self) -> None:
        if self._cut or not self._serial.is_open:
            raise LinkError(f"{self.port}: closed on this side")

    def watched(self) -> int | None:
        return self._serial.fileno() if self._serial.is_open else None

    def cut(self) -> None:
        # Not closed here: its descriptor's number may belong to another port before the reader looks again.
        self._cut = True
        try:
            with self._closing:
                os.eventfd_write(self._bell, 1)
            self._serial.cancel_write()
        except _PORT_GONE:
            return  # already gone is what was wanted

    def close(self) -> None:
        with self._closing:
            if self._bell >= 0:
                os.close(self._bell)
            self._bell = -1
        try:
            if self._serial.rtscts:
                # Closing would wait half a minute for a device that takes nothing.
                self._serial.reset_output_buffer()
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
        self._send(data, limit_s)

    def _send(self, data: bytes, limit_s: float) -> None:
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

    def watched(self) -> int | None:
        return self._socket.fileno()

    def cut(self) -> None:
        # Not closed here: its descriptor's number may belong to another port before the reader looks again.
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # already gone is what was wanted

    def close(self) -> None:
        self._socket.close()


_LINKS = {
    "pcsc:": "transport_pcsc.CardSlot",
    "sane:": "transport_sane.SaneDevice",
    "camera:": "transport_camera.Camera",
    "/dev/v4l/": "transport_camera.Camera",
    "sound:": "transport_sound.SoundCard",
    "http://": "transport_web.WebDevice",
    "https://": "transport_web.WebDevice",
    "evdev:": "transport_evdev.InputDevice",
    "/dev/input/by-id/": "transport_evdev.InputDevice",
    "/dev/input/by-path/": "transport_evdev.InputDevice",
    "/": "transport.ByteStream",
    "/dev/usb/lp": "transport_usb.LpStream",
    "usb:": "transport_usb.UsbStream",
    "socket://": "transport.ByteStream",
    "rfc2217://": "transport_rfc2217.SerialServer",
}
"""How a port begins → where its link is; the longest beginning counts. Loaded when a port needs it."""


def link_type(port: str) -> type[Link] | None:
    """Which kind of link a `port` value names; None if it is no port at all."""
    beginnings = [b for b in _LINKS if port.startswith(b) and len(port) > len(b)]
    if not beginnings:
        return None
    module, name = _LINKS[max(beginnings, key=len)].split(".")
    kind: type[Link] = getattr(importlib.import_module(f"drivers.{module}"), name)
    return kind


def open_link(port: str, baud: int = 9600) -> Link:
    """Open what `port` names. Raises LinkError."""
    kind: Any = link_type(port)  # Any: each kind of link is made from its port alone
    if kind is None:
        raise LinkError(f"'{port}' is no port; see docs/devices.md for how a port is written")
    if kind is not ByteStream:
        return cast(Link, kind(port, baud) if issubclass(kind, ByteStream) and kind.has_speed else kind(port))
    return TcpStream(port) if port.startswith("socket://") else SerialStream(port, baud)
