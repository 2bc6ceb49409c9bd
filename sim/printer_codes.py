"""Barcodes of the slip printer twin: what GS k 73 puts on paper.

Written from the protocol notes "Ticket printers (ESC/POS)" §2.2 and ISO/IEC 15417 (sets A, B and C); bar patterns are
python-barcode's table. Sets are changed by {A, {B, {C in the data; `{{` is a brace.
"""

from __future__ import annotations

from dataclasses import dataclass

from barcode.charsets.code128 import CODES, STOP
from PIL import Image

_START = {"A": 103, "B": 104, "C": 105}
_CHANGE = {"A": 101, "B": 100, "C": 99}


@dataclass(frozen=True, kw_only=True)
class BarcodeBlock:
    """A Code 128 that the printer composed; `text` is what its characters mean."""

    text: str
    modules: str
    module_dots: int
    height: int
    shows_text: bool
    align: int

    @property
    def bars_width(self) -> int:
        """Width of the bars in dots."""
        return len(self.modules) * self.module_dots

    @property
    def dots(self) -> int:
        """How far the paper moved."""
        return self.height + (24 if self.shows_text else 0)

    def image(self) -> Image.Image:
        """The bars alone, black on white."""
        row = Image.new("1", (len(self.modules), 1), 1)
        for x, dark in enumerate(self.modules):
            if dark == "1":
                row.putpixel((x, 0), 0)
        return row.resize((self.bars_width, self.height), Image.Resampling.NEAREST)


def compose_code_128(data: bytes) -> tuple[str, str] | None:
    """Text and modules for the data of GS k 73; None if a printer would print nothing."""
    values: list[int] = []
    text, code_set, at = "", "", 0
    while at < len(data):
        name = chr(data[at + 1]) if data[at] == 0x7B and at + 1 < len(data) else ""
        if name in _START:
            values.append(_CHANGE[name] if values else _START[name])
            code_set, at = name, at + 2
            continue
        value, meaning = _character(data[at], code_set)
        if value is None:
            return None
        values.append(value)
        text += meaning
        at += 2 if name == "{" else 1
    if len(values) < 2:
        return None
    total = sum(value * max(1, place) for place, value in enumerate(values))
    return text, "".join(CODES[v] for v in [*values, total % 103]) + STOP + "11"


def _character(byte: int, code_set: str) -> tuple[int | None, str]:
    if code_set == "C":
        return (byte, f"{byte:02d}") if byte < 100 else (None, "")
    if code_set == "B" and 0x20 <= byte < 0x80:
        return byte - 0x20, chr(byte)
    if code_set == "A" and byte < 0x60:
        return byte + (0x40 if byte < 0x20 else -0x20), chr(byte)
    return None, ""
