"""Barcode gun or built-in reader on a serial line, or on USB as a serial port.

Source: protocols/barcodes.md §3 (A: 9600 8N1, data and suffix, AIM prefixes; Chinese arrives as the bytes that stand in
the symbol, UTF-8 or GBK; G: silence as an end). Where a code ends and what is a double: drivers/code_messages.py.

    data   0D              `suffix = "cr"`, the usual one; an 0A behind it does no harm
    data   0D 0A           `suffix = "crlf"`, for codes that have an 0D inside
    data   09              `suffix = "tab"`
    data   silence_s       `suffix = "none"` (G)

A gun is asked nothing and acknowledges nothing: one that is pulled out of a serial port looks like one that nobody
uses, and is never offline by itself. Only the port can be gone. What is read may be an ID number, so the trace sees
only how much it was and errors quote nothing.
"""

from __future__ import annotations

import re
import string
import time
from dataclasses import dataclass
from typing import Literal

from drivers.base import Identity, SerialOptions
from drivers.code_messages import CodeBuffer, Encoding, Gun, check_silence
from drivers.transport import ByteStream

_AIM_PREFIX = re.compile(rb"(?:^|[\r\n\t])(\][A-Za-z][0-9A-Za-z])")
SUFFIXES = {"cr": b"\r", "crlf": b"\r\n", "tab": b"\t", "none": b""}


@dataclass(frozen=True, kw_only=True)
class SerialGunOptions(SerialOptions):
    """Keys of the gun's table: how the gun itself is set."""

    suffix: Literal["cr", "crlf", "tab", "none"] = "cr"
    silence_s: float = 0.1
    """G: ends a code where there is no suffix."""
    encoding: Encoding = "auto"
    """Of Chinese text; "auto" tells UTF-8 and GBK apart as far as that is possible."""

    def __post_init__(self) -> None:
        check_silence(self.silence_s)


def stand_in(data: bytes) -> bytes:
    """Other letters and digits in place of a code's own; prefix, suffix and signs stay, Chinese becomes letters."""
    framed = {at for found in _AIM_PREFIX.finditer(data) for at in range(found.start(1), found.end(1))}
    return bytes(
        byte if at in framed else 0x30 + at % 10 if chr(byte) in string.digits
        else 0x41 + at % 26 if byte >= 0x80 or chr(byte) in string.ascii_letters else byte
        for at, byte in enumerate(data)
    )  # fmt: skip


def explain(direction: str, data: bytes) -> str:
    """For a technician, `Chinese | English`: how much of a code came and never what; nothing is ever sent."""
    return (
        f"条码 {len(data)} 字节（内容不显示） | {len(data)} bytes of a code, not shown"
        if direction == "<" and data
        else ""
    )


class SerialGun(Gun[ByteStream, SerialGunOptions]):
    """The gun on its line."""

    Options = SerialGunOptions
    Transport = ByteStream

    def __init__(self, device: str, link: ByteStream, options: SerialGunOptions) -> None:
        super().__init__(device, link, options, self._new_buffer(options))
        self.encoding = options.encoding

    def hello(self) -> Identity:
        """Ask nothing. Codes from before are dropped: nobody was there to want them. Raises LinkError, BadReply."""
        with self.link.private(stand_in):
            self.link.drop_input()
        self._buffer = self._new_buffer(self.options)
        return Identity()

    @staticmethod
    def _new_buffer(options: SerialGunOptions) -> CodeBuffer:
        return CodeBuffer(SUFFIXES[options.suffix], options.silence_s)

    def _hear(self, limit_s: float) -> bool:
        with self.link.private(stand_in):
            data = self.link.read(4096, max(0.0, limit_s))
        if data:
            self._buffer.add(data, time.monotonic())
        return bool(data)


DRIVER = SerialGun
