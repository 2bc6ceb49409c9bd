"""Texts as the fonts of window displays have them: GB2312 cells, or plain ASCII.

Source: protocols/displays.md, head and §6. The fonts in the cards are GB2312; a character outside it would show as a
blank, and nobody would see that something is missing. It becomes 〓 where it is wide and ? where it is narrow, so that
the number beside it stands at its place. Lengths are in columns: a narrow character takes one, a wide one two.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

# Python's table has the katakana dot and the horizontal bar at A1A4 and A1AA; people type these. A space in any form
# is a space, and a backslash would begin an escape on some cards.
_SAME_IN_GB2312 = str.maketrans({"·": "・", "—": "―", "\\": "＼", "\xa0": " ", "\t": " "})


def glyphs(text: str) -> list[bytes]:
    """Each character as the card's fonts have it: one byte for a narrow one, two for a wide one."""
    return [_glyph(char) for char in text.translate(_SAME_IN_GB2312)]


def _glyph(char: str) -> bytes:
    try:
        glyph = char.encode("gb2312")
    except UnicodeEncodeError:
        return "〓".encode("gb2312") if unicodedata.east_asian_width(char) in "WF" else b"?"
    return glyph if len(glyph) == 2 or 0x20 <= glyph[0] <= 0x7E else b"?"


def wrap(line: Sequence[bytes], columns: int) -> list[bytes]:
    """Rows of at most `columns` half-width cells, as a card wraps by itself."""
    rows = [b""]
    for glyph in line:
        if len(rows[-1]) + len(glyph) > columns:
            rows.append(b"")
        rows[-1] += glyph
    return rows


def one_row(text: str, columns: int) -> list[bytes]:
    """A text for a display of one row; a line end becomes a space. Raises ValueError if it is too long."""
    row = glyphs(text.replace("\n", " "))
    if (length := sum(map(len, row))) > columns:
        raise ValueError(f"{length} columns, the display has {columns}")
    return row or [b" "]


def ascii_bytes(text: str) -> bytes:
    """A text for a display without Chinese. Raises ValueError if a character of it is not printable ASCII."""
    if not text.isascii() or not text.isprintable():
        raise ValueError("characters outside ASCII, the display has no others")
    return text.encode("ascii")
