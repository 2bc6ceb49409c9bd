"""Paper of the slip printer twin: what stands on each piece, as facts for a test and as a picture for a person.

Written from the protocol notes "Ticket printers (ESC/POS)" §2 and §7; shares nothing with the driver. A picture has one
pixel per dot of the print head. Device text is drawn in the printer's cells, 24 dots high, and magnified dot by dot, as
print heads do; rasters are exact.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

import qrcode
from PIL import Image, ImageChops, ImageDraw, ImageFont

from sim.printer_codes import BarcodeBlock

HALF_CELL = 12
CELL = 24
FONT = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"
"""Stands in for the font inside the printer (Debian package fonts-noto-cjk)."""
_MONO_SC_FACE = 7


class Cut(Enum):
    """How a piece of paper came off."""

    FULL = "full"
    PARTIAL = "partial"
    TORN = "torn"


@dataclass(frozen=True, kw_only=True)
class Run:
    """Characters of one line that look alike."""

    text: str
    """Empty for a gap."""
    width: int = 1
    height: int = 1
    gap_dots: int = 0
    single_byte: bool = False
    """Whether its characters are of a code page: those are half-width whatever they show."""
    bold: bool = False
    underline: bool = False
    inverse: bool = False

    @property
    def dots(self) -> int:
        """How wide it stands on paper."""
        return self.gap_dots + sum(self.cell(c) for c in self.text) * self.width

    def cell(self, char: str) -> int:
        """Width of one of its characters before magnification."""
        return HALF_CELL if self.single_byte or is_half(char) else CELL


@dataclass(frozen=True, kw_only=True)
class TextLine:
    """One printed line; `dots` is how far the paper moved."""

    runs: tuple[Run, ...]
    align: int
    dots: int

    @property
    def text(self) -> str:
        """The characters of the line."""
        return "".join(run.text for run in self.runs)

    @property
    def size(self) -> tuple[int, int]:
        """Largest magnification in the line: width, height."""
        return max((r.width for r in self.runs), default=1), max((r.height for r in self.runs), default=1)

    @property
    def bold(self) -> bool:
        """Whether all of it is bold."""
        return bool(self.runs) and all(r.bold for r in self.runs)


@dataclass(frozen=True, kw_only=True)
class RasterBlock:
    """Dots as they were sent; each row starts on a byte, bit 7 is left, 1 is black."""

    row_bytes: int
    rows: int
    data: bytes
    align: int

    @property
    def dots(self) -> int:
        """How far the paper moved."""
        return self.rows

    def image(self) -> Image.Image:
        """The block alone, black on white."""
        black = Image.frombytes("1", (self.row_bytes * 8, self.rows), self.data)
        return ImageChops.invert(black)


@dataclass(frozen=True, kw_only=True)
class QrBlock:
    """A code that the printer composed itself; level is L, M, Q or H."""

    data: str
    module_dots: int
    level: str
    align: int

    @property
    def dots(self) -> int:
        """How far the paper moved."""
        return self.image().height

    def image(self) -> Image.Image:
        """The code without a margin, black on white."""
        return _draw_qr(self.data, self.module_dots, self.level)


@dataclass(frozen=True, kw_only=True)
class Blank:
    """Paper that moved without being printed on."""

    dots: int


Strip = TextLine | RasterBlock | QrBlock | BarcodeBlock | Blank


@dataclass(kw_only=True)
class PrintedSlip:
    """One piece of paper. `partial`: its job was broken off on it, or went on from an earlier piece."""

    width: int
    strips: list[Strip] = field(default_factory=list)
    cut: Cut | None = None
    partial: bool = False

    @property
    def blank(self) -> bool:
        """Whether nothing stands on it."""
        return all(isinstance(s, Blank) for s in self.strips)

    @property
    def text_lines(self) -> list[TextLine]:
        """Lines of device text, from the top."""
        return [s for s in self.strips if isinstance(s, TextLine)]

    @property
    def lines(self) -> list[str]:
        """Texts of those lines."""
        return [line.text for line in self.text_lines]

    @property
    def qr(self) -> list[str]:
        """Contents of the QR codes."""
        return [s.data for s in self.strips if isinstance(s, QrBlock)]

    @property
    def barcodes(self) -> list[str]:
        """Contents of the barcodes that the printer composed."""
        return [s.text for s in self.strips if isinstance(s, BarcodeBlock)]

    @property
    def rasters(self) -> list[RasterBlock]:
        """Raster blocks, from the top."""
        return [s for s in self.strips if isinstance(s, RasterBlock)]

    @property
    def dots(self) -> int:
        """Length of the piece."""
        return sum(s.dots for s in self.strips)

    def image(self) -> Image.Image:
        """The piece, one pixel per dot, mode "1"."""
        page = Image.new("1", (self.width, max(1, self.dots)), 1)
        y = 0
        for strip in self.strips:
            if isinstance(strip, TextLine):
                _paste(page, _draw_line(strip), strip.align, y)
            elif not isinstance(strip, Blank):
                _paste(page, strip.image(), strip.align, y)
            if isinstance(strip, BarcodeBlock) and strip.shows_text:
                _paste(page, _draw_line(_below(strip)), strip.align, y + strip.height)
            y += strip.dots
        return page

    def save(self, path: Path) -> None:
        """Write the picture; the ending of the name says in which format."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.image().save(path)


def _below(code: BarcodeBlock) -> TextLine:
    return TextLine(runs=(Run(text=code.text),), align=code.align, dots=CELL)


def is_half(char: str) -> bool:
    """Whether the printer's font has this character in a half-width cell."""
    return char < "\u0080"


def _paste(page: Image.Image, part: Image.Image, align: int, y: int) -> None:
    x = (0, (page.width - part.width) // 2, page.width - part.width)[align]
    page.paste(part, (max(0, x), y))


def _draw_line(line: TextLine) -> Image.Image:
    picture = Image.new("1", (max(1, sum(r.dots for r in line.runs)), max(1, line.dots)), 1)
    bottom = max((r.height for r in line.runs), default=1) * CELL
    x = 0
    for run in line.runs:
        x += run.gap_dots
        for char in run.text:
            glyph = _cell(char, run.cell(char), run.bold, run.underline, run.inverse)
            big = glyph.resize((glyph.width * run.width, glyph.height * run.height), Image.Resampling.NEAREST)
            picture.paste(big, (x, bottom - big.height))
            x += big.width
    return picture


@functools.lru_cache(maxsize=2000)
def _cell(char: str, width: int, bold: bool, underline: bool, inverse: bool) -> Image.Image:
    cell = Image.new("1", (width, CELL), 1)
    pen = ImageDraw.Draw(cell)
    pen.fontmode = "1"
    if char == "\ufffd":
        pen.rectangle((3, 3, cell.width - 4, CELL - 4), outline=0)
    else:
        # Two dots smaller than the cell, so that neighbours stay apart and tails stay inside.
        pen.text((cell.width // 2, 19), char, font=_font(), fill=0, anchor="ms")
    if bold:
        shifted = Image.new("1", cell.size, 1)
        shifted.paste(cell, (1, 0))
        cell = ImageChops.logical_and(cell, shifted)
    if underline:
        ImageDraw.Draw(cell).line((0, CELL - 1, cell.width, CELL - 1), fill=0)
    return ImageChops.logical_xor(cell, Image.new("1", cell.size, 1)) if inverse else cell


@functools.lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONT, CELL - 2, index=_MONO_SC_FACE)


@functools.lru_cache(maxsize=64)
def _draw_qr(data: str, module_dots: int, level: str) -> Image.Image:
    levels = {"L": 1, "M": 0, "Q": 3, "H": 2}
    code = qrcode.QRCode(error_correction=levels[level], box_size=1, border=0)
    code.add_data(data, optimize=0)
    code.make(fit=True)
    matrix = code.get_matrix()
    small = Image.new("1", (len(matrix), len(matrix)), 1)
    for y, row in enumerate(matrix):
        for x, dark in enumerate(row):
            if dark:
                small.putpixel((x, y), 0)
    side = len(matrix) * module_dots
    return small.resize((side, side), Image.Resampling.NEAREST)
