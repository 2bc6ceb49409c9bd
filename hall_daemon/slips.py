"""Compose the paper of a ticket: plain lines for a printer of 32 or 48 columns.

Chinese first, English beside or below. Carries the number, where to go and what to know, never a name, an ID number or
a phone. Knows no bytes: the printer's driver turns the lines into its own.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from drivers.base import Align, Slip, SlipFeed, SlipPart, SlipQr, SlipRule, SlipText
from hall_daemon.protocol import Text
from hall_daemon.texts import text

NUMBER_SCALE = {32: 6, 48: 8}
"""Number 18 mm high on 58 mm paper, 24 mm on 80 mm paper (8 dots a millimetre)."""


@dataclass(frozen=True, kw_only=True)
class SlipFacts:
    """What stands on a slip. `taken` and `kiosk` are spoken as they are; `code` is opaque."""

    hall: Text
    number: str
    item: Text
    zone: Text
    windows: str
    waiting_ahead: int
    taken: str
    kiosk: str
    materials: tuple[str, ...] = ()
    code: str = ""
    """What the QR code says; ASCII, nothing personal."""
    reprint: bool = False


def compose(facts: SlipFacts, columns: int) -> Slip:
    """The slip for paper of `columns` half-width characters."""
    return Slip(parts=(*_head(facts, columns), *_where(facts, columns), SlipRule(), *_tips(facts, columns)))


def _head(facts: SlipFacts, columns: int) -> Iterator[SlipPart]:
    yield from _lines(facts.hall.zh, columns, bold=True, align=Align.CENTRE)
    yield from _lines(facts.hall.en, columns, align=Align.CENTRE)
    if facts.reprint:
        mark = text("slip.reprint")
        yield SlipText(text=f"** {mark.zh} {mark.en} **", bold=True, align=Align.CENTRE)
    scale = min(NUMBER_SCALE.get(columns, columns // 6), columns // max(1, width(facts.number)))
    yield SlipText(text=facts.number, scale=max(1, scale), bold=True, align=Align.CENTRE)
    yield from _lines(facts.item.zh, columns, scale=2, bold=True, align=Align.CENTRE)
    yield from _lines(facts.item.en, columns, align=Align.CENTRE)


def _where(facts: SlipFacts, columns: int) -> Iterator[SlipPart]:
    yield SlipRule()
    yield from _lines(facts.zone.zh, columns, scale=2, align=Align.CENTRE)
    if facts.windows:
        yield from _both(text("slip.windows", windows=facts.windows), columns, bold=True, align=Align.CENTRE)
    yield from _both(text("slip.ahead", n=facts.waiting_ahead), columns, bold=True, align=Align.CENTRE)


def _tips(facts: SlipFacts, columns: int) -> Iterator[SlipPart]:
    if facts.materials:
        yield from _lines(text("slip.bring", materials="、".join(facts.materials)).zh, columns)
    for code in ("slip.look", "slip.missed"):
        yield from _both(text(code), columns)
    if facts.code:
        yield SlipQr(data=facts.code, module_dots=4 if columns < 48 else 6)
    yield from _lines(text("slip.taken", at=facts.taken, kiosk=facts.kiosk).zh, columns)
    valid = text("slip.valid")
    yield from _lines(f"{valid.zh} {valid.en}", columns)
    yield SlipFeed(mm=3)


def _both(sentence: Text, columns: int, *, bold: bool = False, align: Align = Align.LEFT) -> Iterator[SlipText]:
    yield from _lines(sentence.zh, columns, bold=bold, align=align)
    yield from _lines(sentence.en, columns, align=align)


def _lines(
    sentence: str, columns: int, *, scale: int = 1, bold: bool = False, align: Align = Align.LEFT
) -> Iterator[SlipText]:
    breaking = balanced if align is Align.CENTRE else wrap
    for line in breaking(sentence, columns // scale):
        yield SlipText(text=line, scale=scale, bold=bold, align=align)


def width(line: str) -> int:
    """Half-width cells that a text takes.

    Chinese characters take two, and so do the "ambiguous" ones: a Chinese printer draws all that GB 18030 writes in two
    bytes as full squares.
    """
    return sum(2 if _is_wide(c) else 0 if unicodedata.combining(c) else 1 for c in line)


def _is_wide(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WFA"


NOT_AT_START = frozenset("，。、；：！？）》”’…,.;:!?)")


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
        sticks = char in NOT_AT_START or char == " " or inside_word
        if piece and (not sticks or width(piece + char) > columns):
            yield piece
            piece = ""
        piece += char
    if piece:
        yield piece


def window_range(windows: Sequence[str]) -> str:
    """`1-3, 7`: neighbouring window numbers as a range. ASCII, because not every printer's font has more."""
    parts: list[list[str]] = []
    for window in windows:
        if parts and window.isdigit() and parts[-1][-1].isdigit() and int(window) == int(parts[-1][-1]) + 1:
            parts[-1].append(window)
        else:
            parts.append([window])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in parts)
