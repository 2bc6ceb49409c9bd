"""A slip as ESC/POS bytes: text, rows as raster, QR codes, Code 128, cut, presenter. Pure functions.

Source: protocol notes "Ticket printers (ESC/POS)" §2, §2.1, §2.2 (A), §4 for the presenter (B). How Code 128 changes
between its sets: ISO/IEC 15417. QR codes that the printer composes itself are python-escpos's bytes; where the printer
cannot, they go out as raster, with the modules of qrcode and the bar patterns of python-barcode.

    ESC @   align  FS &  size   text, GB18030          feed dots   feed to the cutter, cut   present
    1B 40   1B 61  1C 26 1D 21  D7 DB ... 0A           1B 4A n     1D 56 42 00               1C 50 steps led mode s
"""

from __future__ import annotations

import functools
import importlib
import re
import shutil
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

from drivers.base import Slip, SlipBarcode, SlipPart, SlipQr, SlipRule, SlipText
from drivers.drawn import Align, qr_matrix
from drivers.escpos_picture import open_type, paint, strips
from drivers.escpos_profiles import LEFT_SLIPS, EscposOptions
from drivers.escpos_text import (
    CELL_HEIGHT,
    Raster,
    RowFont,
    encode_text,
    open_font,
    paint_row,
    printable,
    replace_unknown,
    wrap,
)

RESET = b"\x1b@"
PANEL_OFF = b"\x1bc5\x01"
"""The feed button inside a kiosk is no business of residents; ESC @ turns it on again."""
CHINESE_ON = b"\x1c&"
CUT = b"\x1dVB\x00"
PAST_THE_TEAR_BAR = b"\x1bd\x04"

ROW_DOTS = 30
FEED_TO_CUTTER_DOTS = 120
PRESENT_STEPS = 12
"""Of 5 mm: how far a presented slip sticks out of the mouth (G)."""
BARCODE_HEIGHT_DOTS = 64
BARCODE_QUIET_MODULES = 10
BARCODE_MODULE_DOTS = (3, 2)
"""Widths of the narrowest bar that scanners read, the better one first."""


@dataclass(frozen=True, kw_only=True)
class _Style:
    """What the printer has been told about the text that follows."""

    align: Align = Align.LEFT
    chinese: bool = False
    scale: int = 1
    tall: int = 1
    bold: bool = False


_ALIGN = {Align.LEFT: 0, Align.CENTRE: 1, Align.RIGHT: 2}
_OFFSET = {Align.LEFT: 0.0, Align.CENTRE: 0.5, Align.RIGHT: 1.0}


@dataclass(frozen=True, kw_only=True)
class EncodedSlip:
    """A slip as bytes, and how much paper it takes."""

    data: bytes
    length_mm: float


def separate(options: EscposOptions) -> bytes:
    """What parts one slip from the next."""
    return CUT if options.cuts else PAST_THE_TEAR_BAR


class _Composer:
    """Puts the parts of one slip together; says only what changes."""

    def __init__(self, options: EscposOptions) -> None:
        self.options = options
        self.out = bytearray(RESET + (PANEL_OFF if options.can.presenter else b""))
        self.style = _Style()
        self.dots = 0

    def add(self, part: SlipPart) -> None:
        if isinstance(part, SlipText):
            self._text(part)
        elif isinstance(part, SlipQr):
            self._qr(part)
        elif isinstance(part, SlipBarcode):
            self._barcode(part)
        elif isinstance(part, SlipRule):
            self._text(SlipText(text="-" * self.options.columns))
        else:
            self._feed_mm(part.mm)

    def finish(self) -> EncodedSlip:
        self._plain()
        self.out += separate(self.options)
        if self.options.can.presenter:
            mode = LEFT_SLIPS[self.options.slip_left]
            self.out += bytes([0x1C, 0x50, PRESENT_STEPS, 1, mode, self.options.slip_wait_s])
        dots = self.dots + FEED_TO_CUTTER_DOTS
        return EncodedSlip(data=bytes(self.out), length_mm=dots / self.options.paper.dots_per_mm)

    def _text(self, part: SlipText) -> None:
        if not (1 <= part.scale <= 8 and 0 <= part.tall <= 8):
            raise ValueError(f"scale {part.scale} of a line is not 1 to 8, or its height {part.tall} is not")
        text, font = printable(part.text), None
        if encode_text(text, self.options.charset) is None:
            font = open_font(self.options.font)
            text = replace_unknown(text, self.options.charset, font)
        for row in wrap(text, self.options.columns // part.scale):
            self._row(row, part, font)
            self.dots += max(ROW_DOTS, CELL_HEIGHT * (part.tall or part.scale))

    def _row(self, row: str, part: SlipText, font: RowFont | None) -> None:
        code = encode_text(row, self.options.charset)
        if code is not None:
            tall = part.tall or part.scale
            self._switch(_Style(align=part.align, chinese=True, scale=part.scale, tall=tall, bold=part.bold))
            self.out += code + b"\n"
        elif font is not None:
            self._plain()
            self.out += encode_row_picture(row, part, font, self.options.paper.dots)

    def _qr(self, part: SlipQr) -> None:
        width, quiet_zone = self.options.paper.dots, 4 * part.module_dots
        side = check_qr(part, width) * part.module_dots
        self._feed(quiet_zone)
        if self.options.can.native_qr:
            self._switch(_Style(align=Align.CENTRE, chinese=self.style.chinese))
            self.out += encode_qr(part)
        else:
            self._plain()
            self.out += encode_raster(paint_qr(part, width))
        self.dots += side
        self._feed(quiet_zone)

    def _barcode(self, part: SlipBarcode) -> None:
        module_dots = check_barcode(part, self.options.paper.dots)
        quiet_zone = BARCODE_QUIET_MODULES * module_dots
        self._feed(quiet_zone)
        self.dots += BARCODE_HEIGHT_DOTS
        if self.options.can.native_barcode:
            self._switch(_Style(align=Align.CENTRE, chinese=self.style.chinese))
            self.out += encode_barcode(part, module_dots)
            self.dots += CELL_HEIGHT
        else:
            self._plain()
            self.out += encode_raster(paint_barcode(part, module_dots, self.options.paper.dots))
            self._text(SlipText(text=part.data, align=Align.CENTRE))
        self._feed(quiet_zone)

    def _feed_mm(self, mm: int) -> None:
        if not 0 <= mm <= 500:
            raise ValueError(f"a feed of {mm} mm is not 0 to 500 mm")
        self._plain()
        self._feed(round(mm * self.options.paper.dots_per_mm))

    def _feed(self, dots: int) -> None:
        self.dots += dots
        while dots > 0:
            self.out += b"\x1bJ" + bytes([min(dots, 255)])
            dots -= 255

    def _plain(self) -> None:
        self._switch(_Style(chinese=self.style.chinese))

    def _switch(self, to: _Style) -> None:
        now, self.style = self.style, to
        if now.align is not to.align:
            self.out += b"\x1ba" + bytes([_ALIGN[to.align]])
        if to.chinese and not now.chinese:
            self.out += CHINESE_ON
        if (now.scale, now.tall) != (to.scale, to.tall):
            self.out += b"\x1d!" + bytes([(to.scale - 1) << 4 | (to.tall - 1)])
        if now.bold != to.bold:
            self.out += b"\x1bE" + bytes([to.bold])

    def draw(self, slip: Slip) -> bool:
        """Add the slip as one picture; False if there is none, or no type to draw it with."""
        types = open_type(self.options.font) if slip.drawn else None
        if types is None:
            return False
        for strip in strips(paint(slip.drawn, self.options.paper.dots, types)):
            if isinstance(strip, int):
                self._feed(strip)
            else:
                self.out += encode_raster(strip)
                self.dots += strip.rows
        return True


def encode_slip(slip: Slip, options: EscposOptions, *, drawn: bool = False) -> EncodedSlip:
    """Everything from reset to cut, as text or, if it is to be `drawn` and can be, as one picture.

    Raises ValueError for a part that cannot be printed.
    """
    composer = _Composer(options)
    if not (drawn and composer.draw(slip)):
        for part in slip.parts:
            composer.add(part)
    return composer.finish()


# --- pictures


def encode_raster(raster: Raster) -> bytes:
    """A raster block (GS v 0)."""
    return b"\x1dv0\x00" + struct.pack("<HH", raster.row_bytes, raster.rows) + without_commands(raster.data)


def encode_row_picture(row: str, part: SlipText, font: RowFont, width: int) -> bytes:
    """One row as a raster block."""
    return encode_raster(
        paint_row(font, row, scale=part.scale, bold=part.bold, offset=_OFFSET[part.align], width=width)
    )


def without_commands(dots: bytes) -> bytes:
    """The same picture, one dot more where three bytes would act as a real-time command inside it."""
    return re.sub(rb"\x10(?=[\x04\x05\x14])", b"\x18", dots)


def paint_modules(rows: Sequence[Sequence[bool]], *, across: int, down: int, width: int) -> Raster:
    """Black and white modules of `across` by `down` dots, in the middle of `width` dots."""
    left = (width - len(rows[0]) * across) // 2
    row_bytes = (left + len(rows[0]) * across + 7) // 8
    data = bytearray()
    for row in rows:
        dots = "0" * left + "".join(("1" if dark else "0") * across for dark in row)
        data += int(dots.ljust(row_bytes * 8, "0"), 2).to_bytes(row_bytes, "big") * down
    return Raster(row_bytes=row_bytes, rows=len(rows) * down, data=bytes(data))


# --- QR codes

# Bytes that fit into a QR code of level M, by its version from 1 on (ISO/IEC 18004, table 7).
_QR_M_BYTES = (14, 26, 42, 62, 84, 106, 122, 152, 180, 213, 251, 287, 331, 362, 412)


def qr_modules(data: str) -> int:
    """Modules along one side of the level-M code for `data`. Raises ValueError if it is too long for a slip."""
    for version, most in enumerate(_QR_M_BYTES, start=1):
        if len(data) <= most:
            return 17 + 4 * version
    raise ValueError(f"QR code of {len(data)} characters; a slip takes at most {_QR_M_BYTES[-1]}")


def check_qr(part: SlipQr, width: int) -> int:
    """Modules along one side. Raises ValueError if printers would print rubbish or, as most do, silently nothing."""
    if not part.data or not part.data.isascii() or not part.data.isprintable():
        raise ValueError("QR code: the content must be printable ASCII and not empty")
    if not 1 <= part.module_dots <= 16:
        raise ValueError(f"QR code: modules of {part.module_dots} dots are not 1 to 16")
    modules = qr_modules(part.data)
    side = modules * part.module_dots
    if side > width:
        raise ValueError(f"QR code: {side} dots wide, the paper has {width}; use smaller modules or less content")
    return modules


def encode_qr(part: SlipQr) -> bytes:
    """A QR code of level M that the printer composes."""
    escpos = load_composer()
    printer = escpos.printer.Dummy()
    printer.qr(part.data, ec=escpos.constants.QR_ECLEVEL_M, size=part.module_dots, native=True)
    return bytes(printer.output)


def paint_qr(part: SlipQr, width: int) -> Raster:
    """The same code as dots, for a printer that cannot compose one."""
    return paint_modules(qr_matrix(part.data), across=part.module_dots, down=part.module_dots, width=width)


@functools.lru_cache(maxsize=1)
def load_composer() -> ModuleType:
    """python-escpos, loaded late: a third of a second and 6 MB that a hall without a printer saves."""
    escpos = importlib.import_module("escpos")
    for part in ("capabilities", "constants", "printer"):
        importlib.import_module(f"escpos.{part}")
    # It leaves a fresh temporary directory behind at every start; what is in it has been read.
    shutil.rmtree(escpos.capabilities.pickle_dir, ignore_errors=True)
    return escpos


# --- Code 128

# Set C takes two digits a character; changing into it and back costs one each way.
_WORTH_SET_C = re.compile(r"(?:\d\d){2,}")


def split_code_128(data: str) -> list[tuple[str, str]]:
    """The content in runs of set C (an even number of digits) and set B (everything else)."""
    runs, done = [], 0
    for match in _WORTH_SET_C.finditer(data):
        runs += [("B", data[done : match.start()]), ("C", match.group())]
        done = match.end()
    return [(name, run) for name, run in [*runs, ("B", data[done:])] if run]


def barcode_modules(data: str) -> int:
    """Width in modules: 11 for each character, start, change of set and sum; 13 for the stop."""
    runs = split_code_128(data)
    return 11 * (sum(1 + (len(run) // 2 if name == "C" else len(run)) for name, run in runs) + 1) + 13


def check_barcode(part: SlipBarcode, width: int) -> int:
    """Dots of the narrowest bar. Raises ValueError if the code cannot be printed so that it can be read."""
    if not part.data or not part.data.isascii() or not part.data.isprintable():
        raise ValueError("barcode: the content must be printable ASCII and not empty")
    modules = barcode_modules(part.data)
    for dots in BARCODE_MODULE_DOTS:
        if (modules + 2 * BARCODE_QUIET_MODULES) * dots <= width:
            return dots
    raise ValueError(
        f"barcode: {len(part.data)} characters are {modules * BARCODE_MODULE_DOTS[-1]} dots wide, too wide"
    )


def encode_barcode(part: SlipBarcode, module_dots: int) -> bytes:
    """Height, width, font and place of the text, and the code (GS k 73)."""
    content = b""
    for name, run in split_code_128(part.data):
        if name == "C":
            content += b"{C" + bytes(int(run[i : i + 2]) for i in range(0, len(run), 2))
        else:
            content += b"{B" + run.replace("{", "{{").encode()
    head = bytes([0x1D, 0x68, BARCODE_HEIGHT_DOTS, 0x1D, 0x77, module_dots, 0x1D, 0x66, 0, 0x1D, 0x48, 2])
    return head + bytes([0x1D, 0x6B, 73, len(content)]) + content


def paint_barcode(part: SlipBarcode, module_dots: int, width: int) -> Raster:
    """The bars as dots, for a printer that cannot compose them; its text is not part of it."""
    patterns = importlib.import_module("barcode.charsets.code128")
    bars = "".join(patterns.CODES[value] for value in code_128_values(part.data)) + patterns.STOP + "11"
    row = [dark == "1" for dark in bars]
    return paint_modules([row], across=module_dots, down=BARCODE_HEIGHT_DOTS, width=width)


def code_128_values(data: str) -> list[int]:
    """Start, characters, changes of set, and the sum."""
    # Not python-barcode's own: 0.16 loses a leading "99".
    values: list[int] = []
    for name, run in split_code_128(data):
        if values:
            values.append(99 if name == "C" else 100)
        else:
            values.append(105 if name == "C" else 104)
        if name == "C":
            values += [int(run[i : i + 2]) for i in range(0, len(run), 2)]
        else:
            values += [ord(char) - 32 for char in run]
    total = values[0] + sum(place * value for place, value in enumerate(values))
    return [*values, total % 103]
