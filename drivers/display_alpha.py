"""Window display on an Alpha (EZ95) message sign; ASCII only.

Source: protocols/displays.md §4.6 (A); flashing as mode c from two open programs for these signs (B).

    00 x5 | 01 | type | address 2 | 02 | A | label | 1B | position | mode | text… | 03 | checksum 4 | 04

Address and checksum are ASCII hex digits. The checksum is the sum of the bytes from 02 to 03, both included, modulo
65536. Type Z is every sign, address 00 every address. Mode b holds a text still, c flashes it: that is a call.

A sign answers nothing to a written text, so nothing tells whether it is there, showed it, or lost it with its power.
"Online" says no more than that the port takes bytes; hello() and conditions() only look whether it is still there.

Older signs speak 7E1. That is on the wire what 8N1 is with the parity as eighth bit, so `even_parity` makes it here and
the port stays at 8N1. A text that is longer than `columns`, or that holds a character outside ASCII, is refused with
TEXT_UNSUITABLE; the hall then tries a shorter one, or one in English. A line end becomes a space.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass

from drivers.base import CallDisplay, CallText, Condition, Identity, Refused, SerialOptions
from drivers.display_line import await_silence, send
from drivers.display_text import ascii_bytes
from drivers.transport import ByteStream
from drivers.wire_words import DAMAGED, Words, two_languages

HOLD, FLASH = b"b", b"c"
MIDDLE_LINE = b"\x20"


@dataclass(frozen=True, kw_only=True)
class AlphaOptions(SerialOptions):
    """Keys of the sign's table."""

    address: int
    """Address of the sign, 1 to 255; 0 speaks to every sign of the line."""
    columns: int
    """Characters of its row."""
    sign_type: str = "Z"
    """Type code of the sign, one character; Z fits every sign."""
    even_parity: bool = False
    """Whether the sign is an old one that speaks 7E1."""
    gap_s: float = 0.1
    """Silence before a frame on a shared line."""

    def __post_init__(self) -> None:
        legal = {
            "baud": (self.baud in (1200, 2400, 4800, 9600, 19200, 38400), "1200 to 38400"),
            "address": (0 <= self.address <= 255, "0 to 255"),
            "columns": (4 <= self.columns <= 120, "4 to 120"),
            "sign_type": (len(self.sign_type) == 1 and self.sign_type in string.printable[:94], "one character"),
            "gap_s": (0.0 <= self.gap_s <= 0.5, "0 to 0.5 seconds"),
        }
        for key, (good, range_) in legal.items():
            if not good:
                raise ValueError(f"{key} = {getattr(self, key)}, legal: {range_}")


def encode_text(address: int, text: bytes, *, sign_type: str = "Z", mode: bytes = HOLD) -> bytes:
    """A frame that writes text file A."""
    command = b"\x02" + b"AA" + b"\x1b" + MIDDLE_LINE + mode + text + b"\x03"
    check = b"%04X" % (sum(command) & 0xFFFF)
    return b"\x00" * 5 + b"\x01" + sign_type.encode("ascii") + b"%02X" % address + command + check + b"\x04"


def with_even_parity(frame: bytes) -> bytes:
    """Seven-bit bytes with their parity as eighth bit."""
    return bytes(byte | (byte.bit_count() & 1) << 7 for byte in frame)


_FRAME = re.compile(rb"\x01.([0-9A-F]{2})(\x02A.\x1b.(.)[^\x03]*\x03)([0-9A-F]{4})\x04", re.DOTALL)


def explain(direction: str, data: bytes) -> str:
    """Meaning of what is sent, for a technician, `Chinese | English`; nothing ever comes."""
    return two_languages(_sent(bytes(byte & 0x7F for byte in data))) if direction == ">" else ""


def _sent(data: bytes) -> Iterator[Words]:
    for address, command, mode, check in _FRAME.findall(data):
        screen = int(address, 16)
        zh, en = (f"{screen} 号屏", f"screen {screen}") if screen else ("所有屏", "every screen")
        flash = ("，闪烁", ", flashing") if mode == FLASH else ("", "")
        sound = int(check, 16) == sum(command) & 0xFFFF
        yield (f"{zh} 显示内容{flash[0]}", f"{en}: show a text{flash[1]}") if sound else DAMAGED


class AlphaDisplay(CallDisplay[ByteStream, AlphaOptions]):
    """One sign on its line."""

    Options = AlphaOptions
    Transport = ByteStream

    def hello(self) -> Identity:
        """Look whether the port is there; the sign itself says nothing. Raises LinkError."""
        self.link.drop_input()
        return Identity(vendor="Alpha", model="EZ95 sign, answers nothing")

    def conditions(self) -> frozenset[Condition]:
        """The same: no condition can be known. Raises LinkError."""
        self.link.drop_input()
        return frozenset()

    def show(self, text: CallText) -> None:
        """Show a text; returns when it is sent. Raises Refused(TEXT_UNSUITABLE) or LinkError."""
        frame = self._encode(text)
        await_silence(self.link, self.device, self.options.gap_s)
        send(self.link, frame, self.options.baud)

    def _encode(self, text: CallText) -> bytes:
        row = text.text.replace("\n", " ")
        try:
            content = ascii_bytes(row)
        except ValueError as exc:
            raise Refused(Condition.TEXT_UNSUITABLE, f"{self.device}: cannot show a text: {exc}") from exc
        if len(content) > self.options.columns:
            columns = f"{len(content)} columns, the display has {self.options.columns}"
            raise Refused(Condition.TEXT_UNSUITABLE, f"{self.device}: a text does not fit: {columns}")
        mode = FLASH if text.attention else HOLD
        frame = encode_text(self.options.address, content, sign_type=self.options.sign_type, mode=mode)
        return with_even_parity(frame) if self.options.even_parity else frame


DRIVER = AlphaDisplay
