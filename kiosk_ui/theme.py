"""Look of the terminal screens: colours, status marks, large figures, and what the terminal can draw.

Blue, amber and vermilion, each with its own shape and word: readable without colour vision and in a photograph.
"""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty
from dataclasses import dataclass
from enum import StrEnum

from rich.cells import cell_len, set_cell_size
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from rich.text import Text
from textual.filter import LineFilter
from textual.theme import Theme

FOREGROUND = "#eaf2fa"
BACKGROUND = "#0a1420"
PANEL = "#1b2d42"
PRIMARY = "#5ab0ff"
ACCENT = "#ffc247"
OK = "#6db9ff"
WARN = "#ffb02e"
BAD = "#ff8a70"
OFF = "#9ab0c4"

NIGHT = Theme(
    name="hall-night",
    dark=True,
    primary=PRIMARY,
    secondary="#9cc9f5",
    accent=ACCENT,
    foreground=FOREGROUND,
    background=BACKGROUND,
    surface="#101d2c",
    panel=PANEL,
    success=OK,
    warning=WARN,
    error=BAD,
    variables={
        "block-cursor-background": "#2c5680",
        "block-cursor-foreground": "#ffffff",
        "border": PRIMARY,
        "border-blurred": "#2d4763",
    },
)


DAY = Theme(
    name="hall-day",
    dark=False,
    primary="#0a3f7d",
    secondary="#33475b",
    accent="#7a4b00",
    foreground="#0b1f33",
    background="#edf2f7",
    surface="#ffffff",
    panel="#d3deea",
    success="#0a3f7d",
    warning="#7a4b00",
    error="#9c1a1a",
    variables={
        "block-cursor-background": "#b9cfe6",
        "block-cursor-foreground": "#0b1f33",
        "border": "#0a3f7d",
        "border-blurred": "#9db2c6",
    },
)
_BY_DAY = {
    FOREGROUND: "#0b1f33", BACKGROUND: "#ffffff", PANEL: "#d3deea", PRIMARY: "#0a3f7d", ACCENT: "#7a4b00",
    OK: "#0a3f7d", WARN: "#7a4b00", BAD: "#9c1a1a", OFF: "#33475b",
}  # fmt: skip


class DayColours(LineFilter):
    """Draws by day what was coloured for the night, so that a picture need not know what time it is."""

    def __init__(self) -> None:
        super().__init__()
        self._colours = {Color.parse(night): Color.parse(day) for night, day in _BY_DAY.items()}

    def apply(self, segments: list[Segment], background: object) -> list[Segment]:  # noqa: ARG002 - its base wants it
        """The same characters in the colours of the day."""
        return [Segment(words, self._by_day(style), control) for words, style, control in segments]

    def _by_day(self, style: Style | None) -> Style | None:
        if style is None:
            return None
        ink, paper = (self._colours.get(c, c) if c else None for c in (style.color, style.bgcolor))
        return style + Style(color=ink, bgcolor=paper)


class Mark(StrEnum):
    """State of one thing."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    OFF = "off"
    BUSY = "busy"


COLOURS = {Mark.OK: OK, Mark.WARN: WARN, Mark.BAD: BAD, Mark.OFF: OFF, Mark.BUSY: ACCENT}
_SHAPES = {Mark.OK: "●", Mark.WARN: "▲", Mark.BAD: "✖", Mark.OFF: "○", Mark.BUSY: "◆"}
_PLAIN_SHAPES = {Mark.OK: "+", Mark.WARN: "!", Mark.BAD: "X", Mark.OFF: "o", Mark.BUSY: "*"}
# Characters that some terminals draw two cells wide, and what stands for them there.
_PLAIN = str.maketrans({"…": "~", "·": "-", "—": "-", "°": "'", "↑": "^", "↓": "v", "↵": "<"})


def piece(words: str, style: str = "") -> Text:
    """A piece of text whose style ends with it, whatever is appended."""
    return Text().append(words, style=style)


@dataclass(frozen=True, kw_only=True)
class Pen:
    """Draws for one terminal; `plain` uses no character whose width is ambiguous."""

    plain: bool = False

    def words(self, words: str) -> str:
        """Text as this terminal can show it."""
        return words.translate(_PLAIN) if self.plain else words

    def text(self, words: str, style: str = "") -> Text:
        """The same in a style."""
        return piece(self.words(words), style)

    def mark(self, mark: Mark) -> Text:
        """A status mark in its shape and colour."""
        return piece((_PLAIN_SHAPES if self.plain else _SHAPES)[mark], f"bold {COLOURS[mark]}")

    def fit(self, words: str, cells: int) -> str:
        """Cut or fill to exactly so many terminal cells; a Chinese character takes two."""
        words = self.words(words)
        if cell_len(words) <= cells:
            return set_cell_size(words, cells)
        return set_cell_size(words, cells - 1) + self.words("…")

    def key(self, key: str, label: str, *, live: bool = True) -> Text:
        """A key cap and what it does."""
        cap = piece(f" {key} ", f"bold {BACKGROUND} on {PRIMARY}" if live else f"{OFF} on {PANEL}")
        return cap.append(f" {self.words(label)}", style=FOREGROUND if live else OFF)

    def bar(self, share: float, cells: int, colour: str) -> Text:
        """How much of something is over; full at 1 and beyond."""
        full = max(0, min(cells, round(share * cells)))
        drawn, rest = ("#", ".") if self.plain else ("━", "─")
        return piece(drawn * full, colour).append(rest * (cells - full), style=OFF)

    def big(self, number: str, colour: str) -> Text:
        """A ticket number three rows high."""
        if self.plain:
            cap = " " * (3 * len(number) + 1)
            middle = "".join(f"  {letter}" for letter in number) + " "
            return Text(f"{cap}\n{middle}\n{cap}", style=f"bold {BACKGROUND} on {colour}")
        gap = "  " if len(number) <= 5 else " "
        rows = [gap.join(_half_blocks(letter, row) for letter in number) for row in range(3)]
        return Text("\n".join(rows), style=colour)


def _half_blocks(letter: str, row: int) -> str:
    pixels = _FIGURES.get(letter, _FIGURES["?"])
    pairs = zip(pixels[2 * row], pixels[2 * row + 1], strict=True)
    return "".join({"##": "█", "#.": "▀", ".#": "▄", "..": " "}[upper + lower] for upper, lower in pairs)


def _figures() -> dict[str, tuple[str, ...]]:
    """5 x 6 pixel figures; two pixel rows become one row of half blocks."""
    names = [name for line in _DRAWN.split("\n\n") for name in line.split("\n", 1)[0].split()]
    shapes: list[tuple[str, ...]] = []
    for line in _DRAWN.split("\n\n"):
        rows = [row.split() for row in line.split("\n")[1:]]
        shapes += list(zip(*rows, strict=True))
    return dict(zip(names, shapes, strict=True))


_DRAWN = """\
0 1 2 3 4 5 6 7 8 9
.###. ..#.. ####. ####. #..#. ##### .###. ##### .###. .###.
#..## .##.. ....# ....# #..#. #.... #.... ....# #...# #...#
#.#.# ..#.. ..##. .###. #..#. ####. ####. ...#. .###. #...#
#.#.# ..#.. .#... ....# ##### ....# #...# ..#.. #...# .####
##..# ..#.. #.... ....# ...#. ....# #...# .#... #...# ....#
.###. .###. ##### ####. ...#. ####. .###. .#... .###. .###.

A B C D E F G H I J
.###. ####. .#### ####. ##### ##### .#### #...# .###. ..###
#...# #...# #.... #...# #.... #.... #.... #...# ..#.. ...#.
#...# ####. #.... #...# ####. ####. #.### #...# ..#.. ...#.
##### #...# #.... #...# #.... #.... #...# ##### ..#.. ...#.
#...# #...# #.... #...# #.... #.... #...# #...# ..#.. #..#.
#...# ####. .#### ####. ##### #.... .#### #...# .###. .##..

K L M N O P Q R S T
#...# #.... #...# #...# .###. ####. .###. ####. .#### #####
#..#. #.... ##.## ##..# #...# #...# #...# #...# #.... ..#..
###.. #.... #.#.# #.#.# #...# #...# #...# #...# .###. ..#..
#..#. #.... #...# #.#.# #...# ####. #.#.# ####. ....# ..#..
#...# #.... #...# #..## #...# #.... #..#. #..#. ....# ..#..
#...# ##### #...# #...# .###. #.... .##.# #...# ####. ..#..

U V W X Y Z ?
#...# #...# #...# #...# #...# ##### .###.
#...# #...# #...# .#.#. #...# ....# #...#
#...# #...# #...# ..#.. .#.#. ...#. ...#.
#...# #...# #.#.# ..#.. ..#.. ..#.. ..#..
#...# .#.#. ##.## .#.#. ..#.. .#... .....
.###. ..#.. #...# #...# ..#.. ##### ..#.."""
_FIGURES = _figures()


def draws_marks_wide(limit_s: float = 1.0) -> bool:
    """Whether this terminal gives two cells to a status mark, asked by drawing one and reading the cursor's place.

    A terminal that does not answer within limit_s counts as drawing one cell.
    """
    keyboard, screen = sys.stdin.fileno(), sys.stdout.fileno()
    try:
        before = termios.tcgetattr(keyboard)
    except termios.error:
        return False
    try:
        tty.setcbreak(keyboard, termios.TCSANOW)
        os.write(screen, "\r●\x1b[6n".encode())
        answer = _cursor_answer(keyboard, limit_s)
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
        os.write(screen, b"\r\x1b[K")
    column = answer.rpartition(b";")[2].rstrip(b"R")
    return column.isdigit() and int(column) > 2


def _cursor_answer(keyboard: int, limit_s: float) -> bytes:
    answer = b""
    end_s = time.monotonic() + limit_s
    while not answer.endswith(b"R"):
        ready, _, _ = select.select([keyboard], [], [], max(0.0, end_s - time.monotonic()))
        if not ready:
            break
        answer += os.read(keyboard, 32)
    return answer
