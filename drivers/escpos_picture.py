"""A slip drawn as one picture: proportional type, a band, frames, boxes and a code beside the text. Pure functions.

Source: the hall's own design for 203 dpi paper (576 dots on 80 mm, 384 on 58 mm); how dots become bytes is in
`escpos_slip`. Type is Noto Sans CJK SC, regular and bold; a character that it lacks is drawn by the next font of the
usual chain, and one that none has is 〓. Grey edges are decided at 135 of 255, so that thin strokes stay whole.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

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
    qr_matrix,
)
from drivers.escpos_text import MISSING, USUAL_FONTS, Raster, open_font, printable

MARGIN = 8
LEAD = 1.2
GAP = 12
"""Dots between a sentence and the same in the other language."""
THRESHOLD = 135
BLOCK_ROWS = 128
"""Rows of one raster block: printers with small buffers print one while the next arrives (G)."""
LONGEST = 6000
WHITE, BLACK = 255, 0
_FAMILY = "Noto Sans CJK SC"
_NOT_AT_START = frozenset("，。；：、！？）》”’…,.;:!?)")
_NOT_AT_END = frozenset("（《“‘(")
_LEFT_OF = {Align.LEFT: 0.0, Align.CENTRE: 0.5, Align.RIGHT: 1.0}


class _Type:
    """One weight in any size, with the usual chain behind it for characters that it lacks."""

    def __init__(self, path: str) -> None:
        self._face = _face(path)
        self._sizes: dict[int, ImageFont.FreeTypeFont] = {}
        chain = open_font("")
        self._chain = chain
        behind = [file for group in USUAL_FONTS[1:] if (file := next((f for f in group if Path(f).is_file()), ""))]
        self._behind = [ImageFont.truetype(file, 24) for file in behind]
        self._has: dict[str, int] = {}
        self._advances: dict[tuple[str, int], float] = {}

    def at(self, dots: int, which: int = -1) -> ImageFont.FreeTypeFont:
        """The face itself (-1), or one behind it, in a size."""
        if which >= 0:
            return self._behind[which].font_variant(size=dots)
        if dots not in self._sizes:
            self._sizes[dots] = self._face.font_variant(size=dots)
        return self._sizes[dots]

    def runs(self, text: str) -> Iterator[tuple[str, int]]:
        """The text in runs of one face each; what no face has becomes 〓."""
        run, now = "", -1
        for char in printable(text):
            which = self._which(char)
            shown = MISSING if which is None else char
            face = -1 if which is None else which
            if run and face != now:
                yield run, now
                run = ""
            run, now = run + shown, face
        if run:
            yield run, now

    def width(self, text: str, dots: int) -> float:
        """Dots across, without kerning: each character is measured once, and a line is measured often."""
        return sum(self._advance(char, dots) for char in printable(text))

    def _advance(self, char: str, dots: int) -> float:
        if (char, dots) not in self._advances:
            self._advances[char, dots] = sum(self.at(dots, face).getlength(run) for run, face in self.runs(char))
        return self._advances[char, dots]

    def _which(self, char: str) -> int | None:
        if char.isascii():
            return -1
        if char not in self._has:
            self._has[char] = next((i for i, f in enumerate([self._face, *self._behind], -1) if _draws(f, char)), -2)
        found = self._has[char]
        return found if found > -2 and (self._chain is None or self._chain.has(char)) else None


def _draws(face: ImageFont.FreeTypeFont, char: str) -> bool:
    drawn, nothing = face.getmask(char), face.getmask("\U0010ffff")
    return (drawn.size, bytes(drawn)) != (nothing.size, bytes(nothing))


def _face(path: str) -> ImageFont.FreeTypeFont:
    first = ImageFont.truetype(path, 24)
    for index in range(16):
        try:
            face = ImageFont.truetype(path, 24, index=index)
        except OSError:
            break
        if face.getname()[0] == _FAMILY:
            return face
    return first


@functools.lru_cache(maxsize=4)
def open_type(path: str) -> tuple[_Type, _Type] | None:
    """Regular and bold from `path`, or the usual ones where it is empty; None if there is none on this machine."""
    regular = path or next((file for file in USUAL_FONTS[0] if Path(file).is_file()), "")
    if not regular or not Path(regular).is_file():
        return None
    bold = regular.replace("-Regular", "-Bold")
    return _Type(regular), _Type(bold if Path(bold).is_file() else regular)


class _Paper:
    """Paper that grows downwards; all sizes in dots."""

    def __init__(self, width: int, types: tuple[_Type, _Type]) -> None:
        self.width, self.y, self._types = width, 8, types
        self.picture = Image.new("L", (width, LONGEST), WHITE)
        self.pen = ImageDraw.Draw(self.picture)

    # --- lines --------------------------------------------------------------------------------------------------------

    def across(self, text: str, dots: int, *, bold: bool = False) -> float:
        return self._types[bold].width(text, dots)

    def write(self, x: float, y: float, text: str, dots: int, *, bold: bool = False, ink: int = BLACK) -> None:
        face = self._types[bold]
        for run, which in face.runs(text):
            # On the base line, so that faces of other heights stand level.
            self.pen.text((x, y + round(dots * 0.98)), run, font=face.at(dots, which), fill=ink, anchor="ls")
            x += face.at(dots, which).getlength(run)

    def broken(self, text: str, dots: int, width: float, *, bold: bool = False) -> list[str]:
        """Lines of at most `width` dots: Latin words stay whole, no Chinese stop begins a line."""
        lines = [""]
        for piece in self._pieces(text, dots, width, bold=bold):
            if lines[-1] and self.across(lines[-1] + piece.rstrip(), dots, bold=bold) > width:
                lines.append("")
            lines[-1] += piece if lines[-1] else piece.lstrip()
        return [line.rstrip() for line in lines if line.strip()]

    def _pieces(self, text: str, dots: int, width: float, *, bold: bool) -> Iterator[str]:
        for piece in unbroken(text):
            if self.across(piece.rstrip(), dots, bold=bold) <= width:
                yield piece
            else:
                yield from piece

    def text(self, part: DrawnText, left: float = MARGIN, right: float | None = None) -> None:
        left += part.indent
        room = (self.width - MARGIN if right is None else right) - left
        lines = self.broken(part.text, part.dots, room, bold=part.bold)
        if part.align is Align.CENTRE:
            lines = self._balanced(part, room, lines)
        more = GAP + self.across(part.beside, part.beside_dots) if part.beside else 0.0
        if len(lines) != 1 or self.across(lines[0], part.dots, bold=part.bold) + more > room:
            more = 0.0
        for line in lines:
            across = self.across(line, part.dots, bold=part.bold)
            x = left + (room - across - more) * _LEFT_OF[part.align]
            self.write(x, self.y, line, part.dots, bold=part.bold)
            if more:
                base = self.y + round((part.dots - part.beside_dots) * 0.98)
                self.write(x + across + GAP, base, part.beside, part.beside_dots)
            self.y += round(part.dots * LEAD)
        if part.beside and not more:
            self.text(DrawnText(text=part.beside, dots=part.beside_dots, align=part.align), left, right)
        self.y += part.after

    def _balanced(self, part: DrawnText, room: float, lines: list[str]) -> list[str]:
        """In no more lines, but of like length: a centred heading leaves no single character over."""
        for narrower in range(int(room) - part.dots // 2, part.dots * 2, -max(1, part.dots // 2)):
            tried = self.broken(part.text, part.dots, narrower, bold=part.bold)
            if len(tried) > len(lines):
                break
            lines = tried
        return lines

    # --- designed parts -----------------------------------------------------------------------------------------------

    def number(self, part: DrawnNumber) -> None:
        size = round(part.height / 0.733)
        while self._height(part.text, size) < part.height:
            size += 1
        face = self._types[True].at(size)
        box = face.getbbox(part.text)
        drawn = Image.new("L", (round(box[2] - box[0]), round(box[3] - box[1])), WHITE)
        ImageDraw.Draw(drawn).text((-box[0], -box[1]), part.text, font=face, fill=BLACK)
        room = self.width - 2 * MARGIN
        if drawn.width > room:
            drawn = drawn.resize((room, drawn.height), Image.Resampling.LANCZOS)
        self.y += 8
        self.picture.paste(drawn, ((self.width - drawn.width) // 2, self.y))
        self.y += part.height + 14

    def _height(self, text: str, size: int) -> float:
        box = self._types[True].at(size).getbbox(text)
        return box[3] - box[1]

    def band(self, part: DrawnBand) -> None:
        dots = part.dots
        while self.across(part.text, dots, bold=True) > self.width - 2 * MARGIN:
            dots -= 1
        height = round(part.dots * 1.4)
        self.y += 4
        self.pen.rectangle((0, self.y, self.width, self.y + height), fill=BLACK)
        x = (self.width - self.across(part.text, dots, bold=True)) / 2
        self.write(x, self.y + (height - dots * 1.22) / 2, part.text, dots, bold=True, ink=WHITE)
        self.y += height + 8

    def tag(self, part: DrawnTag) -> None:
        across, height = self.across(part.text, part.dots, bold=True) + 36, round(part.dots * 1.55)
        x = (self.width - across) / 2
        self.pen.rounded_rectangle((x, self.y, x + across, self.y + height), 10, outline=BLACK, width=4)
        self.write(x + 18, self.y + (height - part.dots * 1.22) / 2, part.text, part.dots, bold=True)
        self.y += height + 10

    def figures(self, part: DrawnFigures) -> None:
        room = self.width - 2 * MARGIN
        shares = [1.0] if len(part.cells) == 1 else [0.42] + [0.58 / (len(part.cells) - 1)] * (len(part.cells) - 1)
        labels = [c.label + f" {c.beside}" * bool(c.beside) for c in part.cells]
        if any(self.across(label, part.small) > room * share - 12 for label, share in zip(labels, shares, strict=True)):
            labels = [c.label + f"\n{c.beside}" * bool(c.beside) for c in part.cells]
        heads = round(part.small * LEAD) * max(1 + label.count("\n") for label in labels)
        height = round(heads + part.dots * 1.3 + 12)
        frame = (MARGIN, self.y, self.width - MARGIN, self.y + height)
        self.pen.rounded_rectangle(frame, 12, outline=BLACK, width=3)
        x = float(MARGIN)
        for place, (cell, share) in enumerate(zip(part.cells, shares, strict=True)):
            if place:
                self.pen.line((x, self.y, x, self.y + height), fill=BLACK, width=3)
            self._labelled(labels[place], x, room * share, part.small)
            dots = part.dots
            while self._of_cell(cell.value, cell.unit, dots, part.small) > room * share - 16:
                dots -= 1
            left = x + (room * share - self._of_cell(cell.value, cell.unit, dots, part.small)) / 2
            base = self.y + heads + 4 + part.dots * 0.98
            self.write(left, base - dots * 0.98, cell.value, dots, bold=True)
            after = left + self.across(cell.value, dots, bold=True) + 6
            self.write(after, base - part.small * 0.98, cell.unit, part.small)
            x += room * share
        self.y += height + 10

    def _labelled(self, label: str, left: float, width: float, dots: int) -> None:
        for place, line in enumerate(label.split("\n")):
            x = left + (width - self.across(line, dots)) / 2
            self.write(x, self.y + 5 + place * round(dots * LEAD), line, dots)

    def _of_cell(self, value: str, unit: str, dots: int, small: int) -> float:
        return self.across(value, dots, bold=True) + 6 + self.across(unit, small)

    def qr(self, part: DrawnQr) -> None:
        modules = qr_matrix(part.data)
        module = max(2, part.side // (len(modules) + 2))
        side = module * len(modules)
        captions = part.caption.split("\n") if part.caption else []
        words = max([side, *(round(self.across(line, part.dots)) for line in captions)])
        room = self.width - 2 * MARGIN
        x = MARGIN + round((room - words) * _LEFT_OF[part.align])
        self._code(modules, module, x + (words - side) // 2, self.y + 2 * module)
        self.y += side + 3 * module
        for line in captions:
            self.write(x + (words - self.across(line, part.dots)) / 2, self.y, line, part.dots)
            self.y += round(part.dots * LEAD)

    def _code(self, modules: Sequence[Sequence[bool]], module: int, left: int, top: int) -> None:
        for row, line in enumerate(modules):
            for column, dark in enumerate(line):
                if dark:
                    x, y = left + column * module, top + row * module
                    self.pen.rectangle((x, y, x + module - 1, y + module - 1), fill=BLACK)

    def checks(self, part: DrawnChecks, right: float | None = None) -> None:
        for words, done in part.lines:
            side, top = part.dots - 4, self.y + 6
            self.pen.rectangle((MARGIN, top, MARGIN + side, top + side), outline=BLACK, width=3)
            if done:
                self._tick(MARGIN, top, side)
            self.text(DrawnText(text=words, dots=part.dots, indent=part.dots + 8), right=right)

    def _tick(self, x: float, y: float, side: float) -> None:
        stroke = [(x + side * a, y + side * b) for a, b in ((0.2, 0.55), (0.42, 0.8), (0.85, 0.2))]
        self.pen.line(stroke, fill=BLACK, width=4)

    def beside(self, part: DrawnBeside) -> None:
        """Text on the left, the code at the right edge; whichever is longer decides where it goes on."""
        top, modules = self.y, qr_matrix(part.qr.data)
        module = max(2, part.qr.side // (len(modules) + 2))
        captions = [round(self.across(line, part.qr.dots)) for line in part.qr.caption.split("\n")]
        widest = max([module * len(modules), *captions])
        for left in part.left:
            room = self.width - MARGIN - widest - 20
            if isinstance(left, DrawnChecks):
                self.checks(left, room)
            else:
                self.text(left, right=room)
        end, self.y = self.y, top
        self.qr(DrawnQr(data=part.qr.data, side=part.qr.side, caption=part.qr.caption, dots=part.qr.dots,
                        align=Align.RIGHT))  # fmt: skip
        self.y = max(end, self.y)

    def point(self, part: DrawnPoint) -> None:
        side, head = round(part.dots * 1.5), round(part.dots * 1.25)
        self.pen.ellipse((MARGIN, self.y, MARGIN + side, self.y + side), fill=BLACK)
        no = str(part.no)
        x = MARGIN + (side - self.across(no, part.dots, bold=True)) / 2
        self.write(x, self.y + (side - part.dots * 1.22) / 2, no, part.dots, bold=True, ink=WHITE)
        top = self.y
        self.text(DrawnText(text=part.title, dots=head, bold=True, indent=side + 12))
        self.y = max(self.y, top + side + 4)
        for row in part.rows:
            self.text(DrawnText(text=row, dots=part.dots, indent=side + 12))
        self.y += 8

    def field(self, part: DrawnField) -> None:
        """The value beside its label; below it where it would be broken after a few characters."""
        label = round(self.across(part.label, part.small))
        self.write(MARGIN, self.y + (part.dots - part.small) * 0.98, part.label, part.small)
        column, value = max(round(part.small * 8.5), label + 14), self.across(part.value, part.dots, bold=True)
        room = self.width - 2 * MARGIN - column
        if room < part.dots * 11 and value > room:
            self.y += round(part.small * LEAD)
            column = part.small
        self.text(DrawnText(text=part.value, dots=part.dots, bold=True, indent=column))

    def rule(self, part: DrawnRule) -> None:
        self.y += 7
        if part.solid:
            self.pen.line((MARGIN, self.y, self.width - MARGIN, self.y), fill=BLACK, width=3)
        else:
            for x in range(MARGIN, self.width - MARGIN, 12):
                self.pen.line((x, self.y, min(x + 7, self.width - MARGIN), self.y), fill=BLACK, width=2)
        self.y += 7


_PAINT: dict[type, Callable[..., None]] = {
    DrawnText: _Paper.text, DrawnNumber: _Paper.number, DrawnBand: _Paper.band, DrawnTag: _Paper.tag,
    DrawnFigures: _Paper.figures, DrawnQr: _Paper.qr, DrawnChecks: _Paper.checks, DrawnBeside: _Paper.beside,
    DrawnPoint: _Paper.point, DrawnField: _Paper.field, DrawnRule: _Paper.rule,
}  # fmt: skip


def paint(parts: Sequence[DrawnPart], width: int, types: tuple[_Type, _Type]) -> Image.Image:
    """The whole slip, mode "1", white paper. Raises ValueError if it is longer than a slip may be."""
    paper = _Paper(width, types)
    for part in parts:
        _PAINT[type(part)](paper, part)
    if paper.y + 8 > LONGEST:
        raise ValueError(f"a slip of {paper.y} dots is too long; at most {LONGEST}")
    whole = paper.picture.crop((0, 0, width, paper.y + 8))
    return whole.point(lambda level: WHITE if level > THRESHOLD else BLACK, mode="1")


def strips(picture: Image.Image) -> Iterator[Raster | int]:
    """The picture from the top as raster blocks, and as feeds of so many dots where the paper stays white.

    White to the right of the last dot of a block is left out too: both make it a third shorter.
    """
    black = picture.point(lambda level: 0 if level else 255, mode="1")
    data, row_bytes = black.tobytes(), (black.width + 7) // 8
    rows = [data[at : at + row_bytes] for at in range(0, len(data), row_bytes)]
    for white, run in itertools.groupby(rows, key=lambda row: not any(row)):
        block = list(run)
        if white:
            yield len(block)
            continue
        for top in range(0, len(block), BLOCK_ROWS):
            part = block[top : top + BLOCK_ROWS]
            used = max(len(row.rstrip(b"\x00")) for row in part)
            yield Raster(row_bytes=used, rows=len(part), data=b"".join(row[:used] for row in part))


def unbroken(text: str) -> Iterator[str]:
    """What may not be broken: a Latin word with its space, a Chinese character with what opens or closes beside it."""
    piece = ""
    for char in text:
        in_word = bool(piece) and not piece.endswith(" ") and char.isascii() and piece[-1].isascii()
        if piece and not (char in _NOT_AT_START or char == " " or in_word or piece[-1] in _NOT_AT_END):
            yield piece
            piece = ""
        piece += char
    if piece:
        yield piece
