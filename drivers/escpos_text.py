"""Text for ticket printers: GB18030 bytes for what a printer's font carries, pictures for the rows it does not.

Source: protocol notes "Ticket printers (ESC/POS)" §2.1. A full-width character is 24 dots wide and two bytes long, a
half-width one 12 dots and one byte. Four-byte codes and private-use characters are never sent: printers show
digits and blanks for them. Such a row is drawn with fonts of this machine; what those lack too becomes 〓.
Knows no commands and no links.

Fonts: one face draws what it can, the next ones what it lacks. Of the Han characters that GB 18030-2022 asks for at its
level 3 (U+4E00-9FEF, 12 compatibility forms, extensions A to F, and 329 radicals: 88,216 code points), counted in the
character maps of Debian 12's packages with fontTools 4.68:

                                     all    A 6,582   B 42,711   C 4,149   D 222   E 5,762   F 7,473
    fonts-noto-cjk, SC faces      30,205      6,582      2,108        47      34       112         5
    fonts-babelstone-han          48,801      4,603     14,124     2,201     222     3,351     2,983
    fonts-cns11643-sung           76,093      6,582     42,711     4,099     195     1,256         0
    fonts-hanazono, both files    88,211      all but five of the first block (U+9FEB-9FEF)
    noto, then hanazono           88,216      all

So the chain is Noto Sans Mono CJK SC, HanaMinA, HanaMinB: Noto has the mainland's shapes and the better small sizes.
Hanazono draws some characters in Japanese or Taiwanese shapes; where a name is compared by eye, that may be seen.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFont

CELL_WIDTH = 12
CELL_HEIGHT = 24
CHARSETS = ("gb2312", "gbk", "gb18030")
MISSING = "〓"

USUAL_FONTS = (
    (
        "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",  # Debian, package fonts-noto-cjk
        "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
        "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
        "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    ),
    ("/usr/share/fonts/truetype/hanazono/HanaMinA.ttf",),  # Debian, package fonts-hanazono
    ("/usr/share/fonts/truetype/hanazono/HanaMinB.ttf",),
)
"""Of each group the first file that is there joins the chain."""
# Of the faces in a collection, this one has half-width letters of exactly half a cell.
_BEST_FACE = "Noto Sans Mono CJK SC"
_NO_GLYPH_EVER = "\U0010ffff"

# Controls, formatting marks, lone surrogates, line and paragraph separators: nothing a slip can show.
_NOT_PRINTABLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def printable(text: str) -> str:
    """The text without anything that could be read as a command or cannot stand on paper."""
    return "".join(c for c in unicodedata.normalize("NFC", text) if _is_printable(c))


def _is_printable(char: str) -> bool:
    picks_a_variant = "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"
    return unicodedata.category(char) not in _NOT_PRINTABLE and not picks_a_variant


def encode_char(char: str, charset: str) -> bytes | None:
    """One or two bytes of a printable character, or None if a printer with this character set has no glyph for it."""
    if char.isascii():
        return char.encode() if char.isprintable() else None
    try:
        code = char.encode("gb18030")
        if len(code) != 2 or unicodedata.category(char) == "Co":
            return None
        # The code decides, not the character: Python's stricter tables refuse "·" and "—", whose cells every font has.
        code.decode(charset)
    except UnicodeError:
        return None
    return code


def encode_text(text: str, charset: str) -> bytes | None:
    """Bytes of printable text, or None if one of its characters cannot be sent."""
    codes = [encode_char(c, charset) for c in text]
    if any(code is None for code in codes):
        return None
    return b"".join(code for code in codes if code is not None)


def cells(char: str) -> int:
    """Half-width cells that a character takes on paper."""
    return 1 if char.isascii() else 2


def wrap(text: str, row_cells: int) -> list[str]:
    """Rows of at most `row_cells` half-width cells; an empty text is one empty row."""
    rows, used = [""], 0
    for char in text:
        if used + cells(char) > row_cells:
            rows.append("")
            used = 0
        rows[-1] += char
        used += cells(char)
    return rows


def replace_unknown(text: str, charset: str, font: RowFont | None) -> str:
    """The text with 〓 for every character that neither the printer nor the font can show."""
    return "".join(
        c if encode_char(c, charset) is not None or (font is not None and font.has(c)) else MISSING for c in text
    )


@dataclass(frozen=True, kw_only=True)
class Raster:
    """Black and white rows; each row starts on a byte, the leftmost dot is bit 7, 1 is black."""

    row_bytes: int
    rows: int
    data: bytes


class _Face:
    """One face of one file."""

    def __init__(self, path: str) -> None:
        self._face = _best_face(path)
        self._sizes: dict[int, ImageFont.FreeTypeFont] = {}
        self._no_glyph = self._mask(_NO_GLYPH_EVER)

    def has(self, char: str) -> bool:
        return self._mask(char) != self._no_glyph

    def at(self, scale: int) -> ImageFont.FreeTypeFont:
        if scale not in self._sizes:
            self._sizes[scale] = self._face.font_variant(size=CELL_HEIGHT * scale)
        return self._sizes[scale]

    def _mask(self, char: str) -> tuple[tuple[int, int], bytes]:
        mask = self._face.getmask(char, mode="1")
        return mask.size, bytes(mask)


class RowFont:
    """Fonts of this machine that draw rows in the printer's grid of cells; the first that has a character draws it."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._faces = [_Face(path) for path in paths]

    def has(self, char: str) -> bool:
        """Whether one of the fonts can draw this character. Private-use ones mean something else in each font."""
        return unicodedata.category(char) != "Co" and any(face.has(char) for face in self._faces)

    def draw(self, text: str, *, scale: int, bold: bool) -> Image.Image:
        """A picture, mode "1", of one row with the printer's usual gap of 6 dots below."""
        width = sum(cells(c) for c in text) * CELL_WIDTH * scale
        picture = Image.new("1", (max(1, width), CELL_HEIGHT * scale + 6), 0)
        pen = ImageDraw.Draw(picture)
        pen.fontmode = "1"
        # 0.88 em is where the ideographic square has its base line; one dot lower, accents keep their tips.
        base, x = 1 + round(0.88 * CELL_HEIGHT * scale), 0
        for char in text:
            face = next((f for f in self._faces if f.has(char)), self._faces[0])
            pen.text((x, base), char, font=face.at(scale), fill=1, anchor="ls")
            x += cells(char) * CELL_WIDTH * scale
        if bold:
            struck_again = Image.new("1", picture.size, 0)
            struck_again.paste(picture, (scale, 0))
            picture = ImageChops.logical_or(picture, struck_again)
        return picture


def _best_face(path: str) -> ImageFont.FreeTypeFont:
    first = face = ImageFont.truetype(path, CELL_HEIGHT)
    for index in range(1, 16):
        if face.getname()[0] == _BEST_FACE:
            return face
        try:
            face = ImageFont.truetype(path, CELL_HEIGHT, index=index)
        except OSError:
            break  # no more faces in this file
    return first


@functools.lru_cache(maxsize=4)
def open_font(path: str) -> RowFont | None:
    """The font at `path`, or where `path` is empty the chain of the usual ones; None if none can be opened."""
    groups = ((path,),) if path else USUAL_FONTS
    found = [file for group in groups if (file := next(filter(_can_be_opened, group), None))]
    return RowFont(found) if found else None


def _can_be_opened(file: str) -> bool:
    if not Path(file).is_file():
        return False
    try:
        ImageFont.truetype(file, CELL_HEIGHT)
    except OSError:
        return False  # a damaged file is as good as none; the row then goes out with 〓
    return True


def paint_row(font: RowFont, text: str, *, scale: int, bold: bool, offset: float, width: int) -> Raster:
    """One row as dots: `offset` 0 puts it at the left edge, 0.5 in the middle, 1 at the right of `width` dots.

    White to the right of the last dot is left out: it would only cost time on a serial line.
    """
    row = font.draw(text, scale=scale, bold=bold)
    left = round(max(0, width - row.width) * offset)
    ink = row.getbbox()
    used = min(width, left + ink[2]) if ink else 1
    picture = Image.new("1", (used, row.height), 0)
    picture.paste(row, (left, 0))
    return Raster(row_bytes=(used + 7) // 8, rows=row.height, data=picture.tobytes())
