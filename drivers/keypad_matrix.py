"""Raw matrix keypad on a serial line: one byte per key, nothing else.

Source: protocols/keypads.md §1.4 (G as a whole: such pads come with a slip of paper, if that). 9600 8N1. The pad only
sends; nothing can be asked of it.

    [prefix] byte [suffix]      on press      prefix and suffix: none, or some fixed bytes
             byte               on release, on some pads; it is in no table and therefore nothing

    table = "label"   the ASCII label: 30..39, 2A *, 23 #, 41..44 A to D; also 0D, 08 and 1B, as from a metal keypad
                      that another program has opened in plain-text mode (§1.3)
    table = "index"   00..0F, row by row from the upper left:  1 2 3 A   4 5 6 B   7 8 9 C   * 0 # D
    table = "none"    only what `keys` says: keys = {"e1" = "1", "e2" = "2"}

A to D are taken for OK, CORRECT, CANCEL and HELP. A wire trace shows how many bytes a pad sends per key.

Since a pad that is gone looks like a pad on which nobody types, this driver claims neither: hello and conditions say
only that the port is there, and that no key is stuck. Online means: the port is open.

What the line can do wrong: a frame that is damaged or incomplete after HALF_FRAME_S is dropped. A pad that sends the
same byte on release as on press cannot be used: twice is twice. Bounce and stuck keys: keypad_gate.py. What comes from
the pad may be somebody's phone number, so the trace sees only how much it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from drivers.base import Condition, Identity, Key, Keypad, SerialOptions
from drivers.keypad_bytes import ByteEar, byte_keys, digit_bytes
from drivers.keypad_gate import KeyGate, next_key, stuck_keys
from drivers.transport import ByteStream

HALF_FRAME_S = 0.2
"""Three bytes take 3 ms at 9600; the rest is for serial servers."""
LONGEST_MARK = 8

_LEGEND = ("1", "2", "3", "ok", "4", "5", "6", "correct", "7", "8", "9", "cancel", "*", "0", "#", "help")
_LABELS = {f"{0x30 + digit:02x}": str(digit) for digit in range(10)} | {
    "2a": "*", "23": "#",
    "41": "ok", "42": "correct", "43": "cancel", "44": "help",
    "0d": "ok", "08": "correct", "1b": "cancel",
}  # fmt: skip


class Table(StrEnum):
    """Which byte means which key, before `keys` changes it."""

    LABEL = "label"
    INDEX = "index"
    NONE = "none"


_TABLES: dict[Table, Mapping[str, str]] = {
    Table.LABEL: _LABELS,
    Table.INDEX: {f"{place:02x}": key for place, key in enumerate(_LEGEND)},
    Table.NONE: {},
}


@dataclass(frozen=True, kw_only=True)
class MatrixOptions(SerialOptions):
    """Keys of the pad's table; all of them guesses until somebody has looked at the pad."""

    table: Table
    keys: Mapping[str, str] = field(default_factory=dict)
    """Byte in hex → key, added to the table: "0".."9", "*", "#", "ok", "correct", "cancel", "help", "" for none."""
    prefix: str = ""
    """Bytes before each key, in hex."""
    suffix: str = ""
    """Bytes after each key, in hex."""

    def __post_init__(self) -> None:
        mark("prefix", self.prefix)
        mark("suffix", self.suffix)
        if not key_table(self.table, self.keys):
            raise ValueError('keys: a pad with table = "none" needs its keys, like { "e1" = "1" }')


def key_table(table: Table, changes: Mapping[str, str]) -> dict[int, Key]:
    """Byte → key: one of the usual tables with the changes of the pad's own. Raises ValueError."""
    return byte_keys(_TABLES[table], changes)


def mark(name: str, digits: str) -> bytes:
    """Bytes of a prefix or suffix. Raises ValueError."""
    try:
        value = bytes.fromhex(digits)
    except ValueError:
        value = bytes(LONGEST_MARK + 1)
    if len(value) > LONGEST_MARK:
        raise ValueError(f'{name} = "{digits}", legal: at most {LONGEST_MARK} bytes in hex, like "a5 5a"')
    return value


def explain(direction: str, data: bytes) -> str:
    """For a technician, `Chinese | English`: how much came and never what, for people type it; nothing is ever sent."""
    return (
        f"按键 {len(data)} 字节（内容不显示） | {len(data)} bytes of keys, not shown"
        if direction == "<" and data
        else ""
    )


class Unframer:
    """Takes the key bytes out of the pad's stream; what is no frame is skipped byte by byte."""

    def __init__(self, prefix: bytes, suffix: bytes) -> None:
        self._prefix, self._suffix = prefix, suffix
        self._half = b""
        self._since = 0.0

    def key_bytes(self, data: bytes, now: float) -> bytes:
        """One byte per frame that is complete by now."""
        if now - self._since > HALF_FRAME_S:
            self._half = b""
        self._half += data
        if data:
            self._since = now
        found = bytearray()
        while self._half:
            body = self._whole()
            if body is None:
                break
            found += body
        return bytes(found)

    def _whole(self) -> bytes | None:
        """The key byte of the frame at the start, b"" if there is none there, None if it is not whole yet."""
        size = len(self._prefix) + 1 + len(self._suffix)
        frame, tail = self._half[:size], self._half[len(self._prefix) + 1 : size]
        if not (self._prefix.startswith(frame[: len(self._prefix)]) and self._suffix.startswith(tail)):
            self._half = self._half[1:]
            return b""
        if len(frame) < size:
            return None
        self._half = self._half[size:]
        return frame[len(self._prefix) : len(self._prefix) + 1]


class MatrixKeypad(Keypad[ByteStream, MatrixOptions]):
    """The pad on its line."""

    Options = MatrixOptions
    Transport = ByteStream

    def __init__(self, device: str, link: ByteStream, options: MatrixOptions) -> None:
        super().__init__(device, link, options)
        self._table = key_table(options.table, options.keys)
        self._unframer = Unframer(mark("prefix", options.prefix), mark("suffix", options.suffix))
        self._gate = KeyGate()
        self._ear = ByteEar(link, self._take_in, digit_bytes(self._table))

    def hello(self) -> Identity:
        """Begin to listen; nobody can tell whether a pad is there.

        Presses from before are dropped: nobody was listening to the person who made them.
        """
        self._ear.forget()
        self._gate = KeyGate()
        return Identity()

    def conditions(self) -> frozenset[Condition]:
        """Whether a key is stuck; a port that is gone raises LinkError, a pad that is gone is not noticed."""
        self._ear.hear(0.0)
        return stuck_keys(self._gate, self._ear.hear)

    def poll_key(self, limit_s: float) -> Key | None:
        """The next key press within limit_s; None also while a key is stuck."""
        return next_key(self._gate, self._ear.hear, limit_s)

    def _take_in(self, data: bytes, earliest: float, now: float) -> None:
        for byte in self._unframer.key_bytes(data, now):
            if byte in self._table:
                self._gate.press(self._table[byte], earliest, now)
        self._gate.heard_until(now)


DRIVER = MatrixKeypad
