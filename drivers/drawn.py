"""What a slip looks like where it is drawn as one picture: plain documents beside `Slip.parts`, which say the same.

All sizes are dots of the print head, 8 a millimetre. Whoever composes a slip chooses them for the paper that it is for;
how a line is broken and where it stands is the painter's business. Nothing personal stands here.
"""

from __future__ import annotations

import functools
import importlib
from dataclasses import dataclass
from enum import StrEnum


class Align(StrEnum):
    """Where a line stands on the slip."""

    LEFT = "left"
    CENTRE = "centre"
    RIGHT = "right"


@dataclass(frozen=True, kw_only=True)
class DrawnText:
    """A sentence; broken into lines as the paper needs. `indent` from the left edge."""

    text: str
    dots: int
    bold: bool = False
    align: Align = Align.LEFT
    indent: int = 0
    after: int = 0
    """Blank dots below it."""
    beside: str = ""
    """The same in the other language: behind it on its line where both fit, else on lines of its own below."""
    beside_dots: int = 24


@dataclass(frozen=True, kw_only=True)
class DrawnNumber:
    """The queue number: its figures are exactly this high, and narrower where they would not fit."""

    text: str
    height: int


@dataclass(frozen=True, kw_only=True)
class DrawnBand:
    """White on black across the paper; one to a slip, for the head's heat."""

    text: str
    dots: int


@dataclass(frozen=True, kw_only=True)
class DrawnTag:
    """A framed word or two, in the middle."""

    text: str
    dots: int


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A value with its label above and its unit beside."""

    label: str
    value: str
    unit: str = ""
    beside: str = ""
    """The label in the other language: behind it, or below it in every cell where one of them has no room."""


@dataclass(frozen=True, kw_only=True)
class DrawnFigures:
    """Values side by side in a frame; the last cell is the widest."""

    cells: tuple[Figure, ...]
    dots: int
    small: int


@dataclass(frozen=True, kw_only=True)
class DrawnQr:
    """A QR code of at most `side` dots, with words below; `data` is ASCII without anything personal."""

    data: str
    side: int
    caption: str = ""
    dots: int = 24
    align: Align = Align.CENTRE


@dataclass(frozen=True, kw_only=True)
class DrawnChecks:
    """Lines with a box before each, ticked or not."""

    lines: tuple[tuple[str, bool], ...]
    dots: int


@dataclass(frozen=True, kw_only=True)
class DrawnBeside:
    """Parts on the left, and a code at the right edge beside them."""

    left: tuple[DrawnText | DrawnChecks, ...]
    qr: DrawnQr


@dataclass(frozen=True, kw_only=True)
class DrawnPoint:
    """A numbered point: a heading, and sentences under it."""

    no: int
    title: str
    rows: tuple[str, ...]
    dots: int


@dataclass(frozen=True, kw_only=True)
class DrawnField:
    """A label, and what it says beside it."""

    label: str
    value: str
    dots: int
    small: int
    """Size of the label."""


@dataclass(frozen=True)
class DrawnRule:
    """A line across the paper; dashed, unless it is solid."""

    solid: bool = False


DrawnPart = (
    DrawnText | DrawnNumber | DrawnBand | DrawnTag | DrawnFigures | DrawnQr | DrawnChecks | DrawnBeside | DrawnPoint
    | DrawnField | DrawnRule
)  # fmt: skip


@functools.lru_cache(maxsize=16)
def qr_matrix(data: str) -> tuple[tuple[bool, ...], ...]:
    """The level-M code without a margin, dark is True. Raises ValueError for what is no printable ASCII."""
    if not data or not data.isascii() or not data.isprintable():
        raise ValueError("QR code: the content must be printable ASCII and not empty")
    qrcode = importlib.import_module("qrcode")
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, box_size=1, border=0)
    code.add_data(data, optimize=0)
    code.make(fit=True)
    return tuple(tuple(bool(dark) for dark in row) for row in code.get_matrix())
