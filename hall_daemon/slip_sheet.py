"""One layout of a paper, put down twice: as lines of text for slow printers, and as the hall's design for a picture.

Every word stands in both. Chinese first and larger, English below it and smaller. Sizes in dots, 8 a millimetre; none
is under 3 mm. Source of the sizes: the design's table of printed parts (58 mm, 80 mm, large type).
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from drivers.base import Slip, SlipFeed, SlipPart, SlipQr, SlipRule, SlipText
from drivers.drawn import (
    Align,
    DrawnBand,
    DrawnBeside,
    DrawnChecks,
    DrawnField,
    DrawnFigures,
    DrawnNumber,
    DrawnPart,
    DrawnPoint,
    DrawnQr,
    DrawnRule,
    DrawnTag,
    DrawnText,
    Figure,
)
from hall_daemon.protocol import Text


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Heights of type, and of the number's figures, in dots."""

    hall: int
    title: int
    band: int
    number: int
    tag: int
    item: int
    figure: int
    where: int
    body: int
    small: int
    qr: int


_WIDE = Sizes(
    hall=34, title=56, band=44, number=120, tag=30, item=42, figure=54, where=36, body=28, small=24, qr=178
)  # fmt: skip
_NARROW = Sizes(
    hall=30, title=44, band=34, number=104, tag=26, item=34, figure=44, where=30, body=24, small=24, qr=150
)  # fmt: skip
_WIDE_LARGE = Sizes(
    hall=42, title=60, band=55, number=158, tag=37, item=52, figure=69, where=45, body=36, small=30, qr=210
)  # fmt: skip
_NARROW_LARGE = Sizes(
    hall=36, title=50, band=42, number=118, tag=32, item=42, figure=52, where=36, body=30, small=27, qr=180
)  # fmt: skip

HALF_DOTS = 12
NARROW_COLUMNS = 40
"""Paper of fewer half-width characters is 58 mm wide."""


def sizes(columns: int, *, large: bool) -> Sizes:
    """For paper of so many half-width characters."""
    if columns < NARROW_COLUMNS:
        return _NARROW_LARGE if large else _NARROW
    return _WIDE_LARGE if large else _WIDE


class Sheet:
    """A paper that is being composed, from the top."""

    def __init__(self, columns: int, *, large: bool = False) -> None:
        self.columns, self.large, self.size = columns, large, sizes(columns, large=large)
        self.narrow = columns < NARROW_COLUMNS
        self._text: list[SlipPart] = []
        self._drawn: list[DrawnPart] = []

    def slip(self) -> Slip:
        """Both renderings."""
        return Slip(parts=(*self._text, SlipFeed(mm=3)), drawn=tuple(self._drawn))

    # --- heads --------------------------------------------------------------------------------------------------------

    def hall(self, name: Text) -> None:
        """Whose paper it is; an English name that would take two lines of narrow paper is left out."""
        if self.narrow and width(name.en) > self.columns:
            name = Text(zh=name.zh)
        self._both(name, bold=True, align=Align.CENTRE)
        self._draw(name, self.size.hall, bold=True, align=Align.CENTRE, after=2)

    def title(self, name: Text) -> None:
        """What paper it is."""
        self._lines(name.zh, scale=2, bold=True, align=Align.CENTRE)
        self._lines(name.en, align=Align.CENTRE)
        self._draw(name, self.size.title, bold=True, align=Align.CENTRE, after=4)

    def band(self, words: Text) -> None:
        """What must be seen first."""
        self._lines(words.zh, scale=2, bold=True, align=Align.CENTRE)
        self._lines(words.en, align=Align.CENTRE)
        self._drawn.append(DrawnBand(text=words.zh, dots=self.size.band))
        self._english(words.en, align=Align.CENTRE)

    def number(self, number: str) -> None:
        """The queue number, as large as the paper is wide; at least 12 mm high on any."""
        across = max(1, min(8 if not self.narrow else 6, self.columns // max(1, width(number))))
        tall = 7 if self.narrow else 8
        self._text.append(SlipText(text=number, scale=across, tall=tall, bold=True, align=Align.CENTRE))
        self._drawn.append(DrawnNumber(text=number, height=self.size.number))

    def tag(self, words: Text) -> None:
        """A mark: appointment, priority, reprint."""
        both = f"{words.zh} {words.en}".strip()
        self._lines(f"** {both} **", bold=True, align=Align.CENTRE)
        self._drawn.append(DrawnTag(text=both, dots=self.size.tag))

    def item(self, name: Text) -> None:
        """What it is for."""
        self._lines(name.zh, scale=2, bold=True, align=Align.CENTRE)
        self._lines(name.en, align=Align.CENTRE)
        self._draw(name, self.size.item, bold=True, align=Align.CENTRE, after=8)

    def where(self, words: Text) -> None:
        """Where to go."""
        self._prominent(words)
        self._draw(words, self.size.where, bold=True, align=Align.CENTRE)

    # --- bodies -------------------------------------------------------------------------------------------------------

    def figures(self, cells: Iterable[Figure], said: Iterable[Text]) -> None:
        """Values in a frame; `said` is each of them as a sentence."""
        cells, said = tuple(cells), tuple(said)
        for sentence in said:
            self._prominent(sentence)
        self._drawn.append(DrawnFigures(cells=cells, dots=self.size.figure, small=self.size.small))

    def note(self, words: Text, *, bold: bool = False, small: bool = False, align: Align = Align.LEFT) -> None:
        """A sentence."""
        self._both(words, bold=bold, align=align)
        self._draw(words, self.size.small if small else self.size.body, bold=bold, align=align)

    def field(self, label: Text, value: str) -> None:
        """A label and what it says."""
        self._lines(f"{label.zh} {label.en}：{value}" if label.en else f"{label.zh}：{value}")
        both = f"{label.zh} {label.en}".strip()
        self._drawn.append(DrawnField(label=both, value=value, dots=self.size.body, small=self.size.small))

    def checks(self, title: Text, lines: Iterable[tuple[str, bool]]) -> None:
        """Papers with a box before each."""
        lines = tuple(lines)
        self._checks_as_text(title, lines)
        self._draw(title, self.size.body + 4, bold=True)
        self._drawn.append(DrawnChecks(lines=lines, dots=self.size.body))

    def checks_beside(self, title: Text, lines: Iterable[tuple[str, bool]], code: str, caption: Text) -> None:
        """The same with a code at their right."""
        lines = tuple(lines)
        if lines:
            self._checks_as_text(title, lines)
        self._code_as_text(code, caption)
        if not lines:
            self._drawn.append(self._qr(code, caption))
            return
        left = (
            DrawnText(
                text=title.zh, dots=self.size.body + 2, bold=True, beside=title.en, beside_dots=self.size.small, after=2
            ),
            DrawnChecks(lines=lines, dots=self.size.body - 2 if not self.narrow else self.size.small),
        )
        self._drawn.append(DrawnBeside(left=left, qr=self._qr(code, caption)))

    def notes_beside(self, heading: Text, notes: Iterable[Text], code: str, caption: Text) -> None:
        """Sentences with a code at their right."""
        notes = tuple(notes)
        for place, words in enumerate((heading, *notes)):
            self._both(words, bold=place == 0)
        self._code_as_text(code, caption)
        left = [DrawnText(text=heading.zh, dots=self.size.body + 2, bold=True)]
        left += [DrawnText(text=words.zh, dots=self.size.body) for words in notes]
        self._drawn.append(DrawnBeside(left=tuple(left), qr=self._qr(code, caption)))
        self._english(". ".join(w.en for w in (heading, *notes) if w.en))

    def point(self, no: int, title: str, rows: Iterable[str]) -> None:
        """A numbered point."""
        rows = tuple(rows)
        self._lines(f"{no}. {title}", bold=True)
        for row in rows:
            self._lines(row, first="   ", rest="   ")
        self._drawn.append(DrawnPoint(no=no, title=title, rows=rows, dots=self.size.body))

    def code(self, code: str, caption: Text) -> None:
        """A code in the middle."""
        self._code_as_text(code, caption)
        self._drawn.append(self._qr(code, caption))

    def rule(self, *, solid: bool = False) -> None:
        """A line across."""
        self._text.append(SlipRule())
        self._drawn.append(DrawnRule(solid))

    def room(self) -> None:
        """Room to write a name into by hand."""
        self._text.append(SlipFeed(mm=6))
        self._drawn.append(DrawnText(text="", dots=self.size.small, after=44))

    # --- parts --------------------------------------------------------------------------------------------------------

    def _checks_as_text(self, title: Text, lines: Iterable[tuple[str, bool]]) -> None:
        self._both(title, bold=True)
        for words, done in lines:
            self._lines(words, first="√ " if done else "□ ", rest="   ")

    def _code_as_text(self, code: str, caption: Text) -> None:
        self._text.append(SlipQr(data=code, module_dots=4 if self.narrow else 6))
        self._lines(f"{caption.zh} {caption.en}".strip(), align=Align.CENTRE)

    def _qr(self, code: str, caption: Text) -> DrawnQr:
        together = f"{caption.zh} {caption.en}".strip()
        # A caption may stand out on both sides of its code by two characters; on narrow paper it would cost the names.
        fits = not self.narrow and width(together) * self.size.small // 2 <= self.size.qr + 4 * HALF_DOTS
        words = together if fits else "\n".join(filter(None, (caption.zh, caption.en)))
        return DrawnQr(data=code, side=self.size.qr, caption=words, dots=self.size.small)

    def _draw(self, words: Text, dots: int, *, bold: bool = False, align: Align = Align.LEFT, after: int = 0) -> None:
        self._drawn.append(
            DrawnText(
                text=words.zh, dots=dots, bold=bold, align=align, after=after, beside=words.en,
                beside_dots=self.size.small,
            )
        )  # fmt: skip

    def _english(self, words: str, *, align: Align = Align.LEFT, after: int = 0) -> None:
        if words:
            self._drawn.append(DrawnText(text=words, dots=self.size.small, align=align, after=after))

    def _both(self, words: Text, *, bold: bool = False, align: Align = Align.LEFT) -> None:
        """Both languages: on one line where they fit."""
        together = f"{words.zh}  {words.en}"
        if words.en and width(together) <= self.columns:
            self._lines(together, bold=bold, align=align)
            return
        self._lines(words.zh, bold=bold, align=align)
        self._lines(words.en, align=align)

    def _prominent(self, words: Text) -> None:
        """What people look for; as text, large letters are letters of twice the size."""
        if not self.large:
            self._both(words, bold=True, align=Align.CENTRE)
            return
        self._lines(words.zh, scale=2, bold=True, align=Align.CENTRE)
        self._lines(words.en, align=Align.CENTRE)

    def _lines(
        self, sentence: str, *, scale: int = 1, bold: bool = False, align: Align = Align.LEFT, first: str = "",
        rest: str = "",
    ) -> None:  # fmt: skip
        breaking = balanced if align is Align.CENTRE else wrap
        lines = breaking(sentence, self.columns // scale - max(width(first), width(rest)))
        for place, line in enumerate(lines):
            shown = (rest if place else first) + line
            self._text.append(SlipText(text=shown, scale=scale, bold=bold, align=align))


# --- breaking lines of text -------------------------------------------------------------------------------------------


def width(line: str) -> int:
    """Half-width cells that a text takes.

    Chinese characters take two, and so do the "ambiguous" ones: a Chinese printer draws all that GB 18030 writes in two
    bytes as full squares.
    """
    return sum(map(_cells, line))


@functools.lru_cache(maxsize=4096)
def _cells(char: str) -> int:
    return 2 if _is_wide(char) else 0 if unicodedata.combining(char) else 1


@functools.lru_cache(maxsize=4096)
def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WFA"


NOT_AT_START = frozenset("，。、；：！？）》”’…,.;:!?)")
NOT_AT_END = frozenset("（《“‘(")


def wrap(sentence: str, columns: int) -> list[str]:
    """Lines of at most `columns` cells: Latin words stay whole, no Chinese stop begins a line."""
    lines = [""]
    for piece in _pieces(sentence, columns):
        if lines[-1] and width(lines[-1]) + width(piece.rstrip()) > columns:
            lines.append("")
        lines[-1] += piece if lines[-1] else piece.lstrip()
    return [line.rstrip() for line in lines if line.strip()]


def balanced(sentence: str, columns: int) -> list[str]:
    """As `wrap`, in no more lines, but lines of like length: a centred heading leaves no single character over."""
    lines = wrap(sentence, columns)
    for narrower in range(columns - 1, 1, -1):
        tried = wrap(sentence, narrower)
        if len(tried) > len(lines):
            break
        lines = tried
    return lines


def _pieces(sentence: str, columns: int) -> Iterator[str]:
    """What may not be broken: a Latin word with its space, a Chinese character with the stop that follows it."""
    piece = ""
    for char in sentence:
        inside_word = piece and not piece.endswith(" ") and not _is_wide(char) and not _is_wide(piece[-1])
        sticks = char in NOT_AT_START or char == " " or inside_word or piece[-1:] in NOT_AT_END
        if piece and (not sticks or width(piece + char) > columns):
            yield piece
            piece = ""
        piece += char
    if piece:
        yield piece
