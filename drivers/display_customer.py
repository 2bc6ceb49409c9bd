"""Two rows of 20 characters before a resident: a customer display that speaks CD5220 or ESC/POS (Epson DM-D).

Source: protocols/displays.md §3.1 (A) and §3.2 (A/B); that a Chinese model takes GB2312 is a guess (G).

    both     1B 40  initialise    0C  clear    1B 3D 02 … 1B 3D 01  for the display, then for the printer again
    cd5220   1B 51 41 row 0D  upper row    1B 51 42 row 0D  lower row    1B 2A n  brightness
    dm_d     1F 24 x y  move to x, y, counted from 1, then the row       1F 58 n  brightness

Output only: nothing is ever answered. Whether the display is there, or lit, cannot be known; "online" says no more than
that the port takes bytes. A display that lost its power is empty, so conditions() writes both rows again, without
clearing: the text is back after a question or two, and one that was there does not flicker.

CD5220: once a row was written by 1B 51, the display is in string mode and ignores the cursor until 0C (B); so rows are
only ever written that way, padded to 20. DM-D: a display may lock up on coordinates out of range; only 1 1 and 1 2 are
used. With `behind_printer` each frame chooses the display and ends with the printer chosen again.

A text goes into two rows, broken at its line end or after 20 columns; a longer one is refused with TEXT_UNSUITABLE, and
without `chinese` so is any character outside ASCII: the hall then tries the English form. `attention` changes nothing,
as neither protocol has a flash that leaves the text readable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from drivers.base import CallDisplay, CallText, Condition, Identity, Refused, SerialOptions
from drivers.display_text import ascii_bytes, glyphs, wrap
from drivers.transport import ByteStream
from drivers.wire_words import Words, two_languages

COLUMNS, ROWS = 20, 2
INITIALISE, CLEAR = b"\x1b\x40", b"\x0c"
TO_DISPLAY, TO_PRINTER = b"\x1b\x3d\x02", b"\x1b\x3d\x01"


class Dialect(StrEnum):
    """Which commands the display understands."""

    CD5220 = "cd5220"
    DM_D = "dm_d"


@dataclass(frozen=True, kw_only=True)
class TwoRowOptions(SerialOptions):
    """Keys of the display's table."""

    dialect: Dialect
    """cd5220 or dm_d."""
    brightness: int = 4
    """1 dark to 4 bright."""
    chinese: bool = False
    """Whether it has a Chinese font (GB2312)."""
    behind_printer: bool = False
    """Whether it hangs on the printer's pass-through port and must be chosen before each frame."""

    def __post_init__(self) -> None:
        legal = {
            "baud": (self.baud in (2400, 4800, 9600, 19200), "2400, 4800, 9600 or 19200"),
            "brightness": (1 <= self.brightness <= 4, "1 to 4"),
        }
        for key, (good, range_) in legal.items():
            if not good:
                raise ValueError(f"{key} = {getattr(self, key)}, legal: {range_}")


Rows = tuple[bytes, bytes]


def two_rows(text: str, *, chinese: bool) -> Rows:
    """Upper and lower row of a text, not padded. Raises ValueError if it does not fit."""
    lines = [glyphs(line) if chinese else [ascii_bytes(c) for c in line] for line in text.split("\n")]
    rows = [row for line in lines for row in wrap(line, COLUMNS)]
    if len(rows) > ROWS:
        raise ValueError(f"{len(rows)} rows of {COLUMNS} columns, the display has {ROWS}")
    return rows[0], rows[1] if len(rows) > 1 else b""


def encode_light(dialect: Dialect, brightness: int) -> bytes:
    """Set the brightness, 1 to 4."""
    return (b"\x1b\x2a" if dialect is Dialect.CD5220 else b"\x1f\x58") + bytes([brightness])


def encode_rows(dialect: Dialect, rows: Rows) -> bytes:
    """Write both rows over what stands there, padded with spaces."""
    if dialect is Dialect.CD5220:
        upper, lower = (text.ljust(COLUMNS) + b"\x0d" for text in rows)
        return b"\x1b\x51\x41" + upper + b"\x1b\x51\x42" + lower
    return b"".join(b"\x1f\x24\x01" + bytes([y]) + text.ljust(COLUMNS) for y, text in enumerate(rows, 1))


def encode_screen(dialect: Dialect, rows: Rows, brightness: int) -> bytes:
    """Show two rows, whatever stood there before."""
    if dialect is Dialect.CD5220:
        return encode_rows(dialect, rows)
    written = b"".join(b"\x1f\x24\x01" + bytes([y]) + text for y, text in enumerate(rows, 1) if text)
    return INITIALISE + CLEAR + written + encode_light(dialect, brightness)


_COMMANDS: tuple[tuple[re.Pattern[bytes], str, str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), zh, en)
    for pattern, zh, en in (
        (re.escape(INITIALISE), "初始化", "initialise"),
        (re.escape(CLEAR), "清屏", "clear"),
        (re.escape(TO_DISPLAY), "选客显", "choose the display"),
        (re.escape(TO_PRINTER), "选打印机", "choose the printer"),
        (rb"\x1bQA[^\r]*\r|\x1f\$.\x01[^\x00-\x1f]*", "写上行", "write the upper row"),
        (rb"\x1bQB[^\r]*\r|\x1f\$.\x02[^\x00-\x1f]*", "写下行", "write the lower row"),
        (rb"\x1b\*.|\x1fX.", "亮度", "brightness"),
    )
)


def explain(direction: str, data: bytes) -> str:
    """Meaning of what is sent, for a technician, `Chinese | English`; nothing ever comes."""
    return two_languages(_sent(data)) if direction == ">" else ""


def _sent(data: bytes) -> Iterator[Words]:
    at = 0
    while at < len(data):
        matches = ((pattern.match(data, at), zh, en) for pattern, zh, en in _COMMANDS)
        found, zh, en = next((m for m in matches if m[0] is not None), (None, "", ""))
        at += len(found[0]) if found is not None else 1
        if found is not None:
            yield zh, en


class TwoRowDisplay(CallDisplay[ByteStream, TwoRowOptions]):
    """One customer display."""

    Options = TwoRowOptions
    Transport = ByteStream

    def __init__(self, device: str, link: ByteStream, options: TwoRowOptions) -> None:
        super().__init__(device, link, options)
        self._rows: Rows = (b"", b"")
        """What should be shown."""

    def hello(self) -> Identity:
        """Clear the display and set its brightness; it answers nothing. Raises LinkError."""
        self._rows = (b"", b"")
        self._write(INITIALISE + CLEAR + encode_light(self.options.dialect, self.options.brightness))
        return Identity(model=f"{self.options.dialect} display, answers nothing")

    def conditions(self) -> frozenset[Condition]:
        """Write again what should be shown; no condition can be known. Raises LinkError."""
        self._write(encode_rows(self.options.dialect, self._rows))
        return frozenset()

    def show(self, text: CallText) -> None:
        """Show a text; returns when it is sent. Raises Refused(TEXT_UNSUITABLE) or LinkError."""
        try:
            self._rows = two_rows(text.text, chinese=self.options.chinese)
        except ValueError as exc:
            raise Refused(Condition.TEXT_UNSUITABLE, f"{self.device}: cannot show a text: {exc}") from exc
        self._write(encode_screen(self.options.dialect, self._rows, self.options.brightness))

    def _write(self, frame: bytes) -> None:
        self.link.write(TO_DISPLAY + frame + TO_PRINTER if self.options.behind_printer else frame)


DRIVER = TwoRowDisplay
