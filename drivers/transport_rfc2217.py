"""Serial lines of a serial server that is told the line's speed: RFC 2217 over telnet.

Source: RFC 2217 (COM port control), RFC 854, 855 and 856 (telnet, options, binary), as published (S).

    IAC will/won't/do/don't option          FF FB..FE oo          an option is offered, refused, asked for, forbidden
    IAC SB 2C command value IAC SE          FF FA 2C cc .. FF F0  server's answers: command + 100
    FF in data or value                     FF FF

    01 speed, 4 bytes   02 data bits   03 parity (1 none)   04 stop bits   05 control (1 no flow control, 3 RTS/CTS)
    08 stop sending     09 go on                            (6, 7, 10, 11: states of the line, not asked for)

The server answers each setting with the value that it really set; another speed than was asked for is a LinkError, for
nothing would be understood. Modem lines and breaks are not used: no driver needs them. What stands behind a "?" in the
port (options that other programs need) is passed over.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from drivers.base import LinkError
from drivers.transport import TcpStream

IAC, DONT, DO, WONT, WILL, SB, SE = 255, 254, 253, 252, 251, 250, 240
BINARY, SUPPRESS_GO_AHEAD, COM_PORT = 0, 3, 44
SPEED, DATA_BITS, PARITY, STOP_BITS, CONTROL, SUSPEND, RESUME = 1, 2, 3, 4, 5, 8, 9
BY_WIRE = 3
FROM_SERVER = 100
ANSWER_LIMIT_S = 3.0
LONGEST_NEWS = 64
"""Bytes of a subnegotiation that are kept; the server's own texts may be longer and are of no use here."""

_OFFERED, _WANTED = frozenset({COM_PORT, BINARY, SUPPRESS_GO_AHEAD}), frozenset({BINARY, SUPPRESS_GO_AHEAD})


@dataclass(frozen=True)
class Option:
    """The server will, won't, or wants us to do or not to do something."""

    verb: int
    option: int


@dataclass(frozen=True)
class ComPort:
    """What the server says about the line; its own command number, without the 100."""

    command: int
    value: bytes


def encode_option(verb: int, option: int) -> bytes:
    """An option offered or answered."""
    return bytes([IAC, verb, option])


def encode_setting(command: int, value: bytes) -> bytes:
    """A setting of the line."""
    return bytes([IAC, SB, COM_PORT, command]) + escape(value) + bytes([IAC, SE])


def escape(data: bytes) -> bytes:
    """Data as it travels."""
    return data.replace(b"\xff", b"\xff\xff")


class TelnetSorter:
    """Tells the line's bytes from the server's own words, wherever the stream is split."""

    def __init__(self) -> None:
        self._step: Callable[[int], None] = self._plain
        self._data = bytearray()
        self._words: list[Option | ComPort] = []
        self._verb = 0
        self._news = bytearray()

    def sort(self, stream: bytes) -> tuple[bytes, list[Option | ComPort]]:
        """The line's bytes, and what the server said meanwhile."""
        for byte in stream:
            self._step(byte)
        data, words = bytes(self._data), self._words
        self._data.clear()
        self._words = []
        return data, words

    def _plain(self, byte: int) -> None:
        if byte == IAC:
            self._step = self._command
        else:
            self._data.append(byte)

    def _command(self, byte: int) -> None:
        self._step = self._plain
        if byte == IAC:
            self._data.append(IAC)
        elif byte == SB:
            self._news.clear()
            self._step = self._inside
        elif byte in (DO, DONT, WILL, WONT):
            self._verb = byte
            self._step = self._option

    def _option(self, byte: int) -> None:
        self._step = self._plain
        self._words.append(Option(self._verb, byte))

    def _inside(self, byte: int) -> None:
        if byte == IAC:
            self._step = self._inside_command
        elif len(self._news) < LONGEST_NEWS:
            self._news.append(byte)

    def _inside_command(self, byte: int) -> None:
        self._step = self._inside
        if byte == IAC:
            self._inside_literal()
        elif byte == SE:
            self._step = self._plain
            if len(self._news) >= 2 and self._news[0] == COM_PORT:
                self._words.append(ComPort(self._news[1] - FROM_SERVER, bytes(self._news[2:])))

    def _inside_literal(self) -> None:
        if len(self._news) < LONGEST_NEWS:
            self._news.append(IAC)


class SerialServer(TcpStream):
    """A serial line behind an RFC 2217 server."""

    has_speed = True

    def __init__(self, port: str, baud: int) -> None:
        super().__init__(port)
        self._sorter = TelnetSorter()
        self._waiting = bytearray()
        self._agreed: set[int] = set()
        self._refused = False
        self._set: dict[int, bytes] = {}
        self._suspended = False
        try:
            self._negotiate(baud)
        except LinkError:
            self.close()
            raise

    def _negotiate(self, baud: int) -> None:
        hello = b"".join(encode_option(WILL, option) for option in sorted(_OFFERED))
        hello += b"".join(encode_option(DO, option) for option in sorted(_WANTED))
        self._send(hello, ANSWER_LIMIT_S)
        self._hear_until(lambda: self._refused or COM_PORT in self._agreed, "agree to set the line")
        if self._refused:
            raise LinkError(f"{self.port}: the server does not speak RFC 2217; write socket:// if it has a fixed speed")
        for command, value in ((DATA_BITS, 8), (PARITY, 1), (STOP_BITS, 1), (CONTROL, 1)):
            self._send(encode_setting(command, bytes([value])), ANSWER_LIMIT_S)
        self.set_baud(baud)

    def set_baud(self, baud: int) -> None:
        """Change the line's speed and wait until the server says that it is. Raises LinkError."""
        self._set.pop(SPEED, None)
        self._send(encode_setting(SPEED, baud.to_bytes(4, "big")), ANSWER_LIMIT_S)
        self._hear_until(lambda: SPEED in self._set, f"set {baud} baud")
        if (got := int.from_bytes(self._set[SPEED], "big")) != baud:
            raise LinkError(f"{self.port}: asked for {baud} baud, the server set {got}")

    def heed_cts(self) -> None:
        """Have the server send only while the device allows it. Raises LinkError if it cannot."""
        self._set.pop(CONTROL, None)
        self._send(encode_setting(CONTROL, bytes([BY_WIRE])), ANSWER_LIMIT_S)
        self._hear_until(lambda: CONTROL in self._set, "set flow control")
        if self._set[CONTROL] != bytes([BY_WIRE]):
            raise LinkError(f"{self.port}: asked for flow control by RTS and CTS, the server declined")

    def write(self, data: bytes, limit_s: float = 2.0) -> None:
        self._trace(">", data)
        if self._suspended:
            self._hear_until(lambda: not self._suspended, "take more", limit_s)
        self._send(escape(data), limit_s)

    def _read_some(self, most: int, limit_s: float) -> bytes:
        until = time.monotonic() + limit_s
        while not self._waiting:
            left_s = max(0.0, until - time.monotonic())
            if not self._hear(left_s) and not left_s:
                return b""
        data = bytes(self._waiting[:most])
        del self._waiting[:most]
        return data

    def _hear_until(self, done: Callable[[], bool], deed: str, limit_s: float | None = None) -> None:
        limit_s = ANSWER_LIMIT_S if limit_s is None else limit_s
        until = time.monotonic() + limit_s
        while not done():
            left_s = until - time.monotonic()
            if left_s <= 0:
                raise LinkError(f"{self.port}: the server did not {deed} within {limit_s} s")
            self._hear(left_s)

    def _hear(self, limit_s: float) -> bool:
        """Take what comes next from the server; False if nothing did."""
        stream = super()._read_some(4096, limit_s)
        data, words = self._sorter.sort(stream)
        self._waiting += data
        for word in words:
            if isinstance(word, Option):
                self._answer(word)
            elif word.command in (SUSPEND, RESUME):
                self._suspended = word.command == SUSPEND
            else:
                self._set[word.command] = word.value
        return bool(stream)

    def _answer(self, said: Option) -> None:
        """Agree to what was offered or asked for by us, refuse the rest; said once, so that no loop begins."""
        if said.verb == DO and said.option in _OFFERED:
            self._agreed.add(said.option)
        elif said.verb == DO:
            self._send(encode_option(WONT, said.option), ANSWER_LIMIT_S)
        elif said.verb == WILL and said.option not in _WANTED:
            self._send(encode_option(DONT, said.option), ANSWER_LIMIT_S)
        elif said.verb == DONT and said.option == COM_PORT:
            self._refused = True
