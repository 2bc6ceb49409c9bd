"""Command interpreter of the slip printer twin: how long each ESC/POS command is, and what it puts on paper.

Written from the protocol notes "Ticket printers (ESC/POS)" §2 and §7, with the lengths of the public command reference
for what the notes leave out. A command that stands in no table is taken to have one parameter byte.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

from sim.printer_codes import BarcodeBlock, compose_code_128
from sim.printer_paper import Blank, Cut, QrBlock, RasterBlock, Run, Strip, TextLine

# Second bytes of commands, by how many parameter bytes follow.
_ESC = {0: b"@2<FLSimv\x0c", 1: b" !%-39=?EGJKMRTUVadertu{", 2: b"$\\Bcf", 3: b"p", 8: b"W"}
_FS = {0: b"&.\x0e\x14", 1: b"!-CWg", 2: b"S?p", 4: b"P", 74: b"2"}
_GS = {0: b":\xe1\xe2\xe3\xe4\xe5", 1: b"!/BEHITabfhrw\xe0\xe6", 2: b"$\\LPW", 3: b"^"}

_FIXED = {
    bytes([family, second]): 2 + parameters
    for family, table in ((0x1B, _ESC), (0x1C, _FS), (0x1D, _GS))
    for parameters, seconds in table.items()
    for second in seconds
}


def _number(data: bytes, at: int, size: int = 2) -> int:
    return int.from_bytes(data[at : at + size], "little")


def _cut(data: bytes) -> int:
    return 4 if data[2] in b"AB" else 3


def _raster(data: bytes) -> int:
    return 8 + _number(data, 4) * _number(data, 6)


def _block(data: bytes) -> int:
    return 5 + _number(data, 3)


def _long_block(data: bytes) -> int:
    return 7 + _number(data, 3, 4)


def _column_image(data: bytes) -> int:
    return 5 + _number(data, 3) * (3 if data[2] >= 32 else 1)


def _stored_image(data: bytes) -> int:
    return 4 + data[2] * data[3] * 8


_VARIABLE: dict[bytes, tuple[int, Callable[[bytes], int]]] = {
    b"\x1dV": (3, _cut),
    b"\x1dv": (8, _raster),
    b"\x1d(": (5, _block),
    b"\x1b(": (5, _block),
    b"\x1c(": (5, _block),
    b"\x1d8": (7, _long_block),
    b"\x1b*": (5, _column_image),
    b"\x1d*": (4, _stored_image),
}
"""Head that must be there to know the length, and the length of the whole."""


def command_length(data: bytes) -> int | None:
    """Bytes of the command at the start of `data`, which begins with ESC, FS or GS; None if it is not all there yet."""
    name = data[:2]
    if len(name) < 2:
        return None
    if name == b"\x1dk":
        length = _barcode(data)
    elif name == b"\x1bD":
        length = _up_to_nul(data, 2)
    elif name in _VARIABLE:
        head, whole = _VARIABLE[name]
        length = whole(data) if len(data) >= head else None
    else:
        length = _FIXED.get(name, 3)
    return length if length is not None and len(data) >= length else None


def _barcode(data: bytes) -> int | None:
    if len(data) < 4:
        return None
    return 4 + data[3] if data[2] >= 65 else _up_to_nul(data, 3)


def _up_to_nul(data: bytes, start: int) -> int | None:
    end = data.find(b"\x00", start)
    return None if end < 0 else end + 1


_LEVELS = {0x30: "L", 0x31: "M", 0x32: "Q", 0x33: "H"}
_NO_GLYPH = "\ufffd"


@dataclass(frozen=True, kw_only=True)
class Style:
    """How text that follows looks; sizes are width and height, apart for half-width and Chinese characters."""

    align: int = 0
    ank: tuple[int, int] = (1, 1)
    chinese: tuple[int, int] = (1, 1)
    bold: bool = False
    underline: bool = False
    inverse: bool = False
    spacing: int = 30
    chinese_mode: bool = False


class Mechanism(Protocol):
    """What moves paper and talks; False from a movement means that it could not happen and is to be tried again."""

    @property
    def can_print(self) -> bool: ...
    def advance(self, strip: Strip) -> bool: ...
    def cut(self, kind: Cut, feed_dots: int | None) -> bool: ...
    def tear_here(self) -> None: ...
    def queued_question(self, question: bytes) -> None: ...
    def present(self, command: bytes) -> bool: ...


class Interpreter:
    """Works off the buffer: bytes to strips of paper, in order, as far as the mechanism can print."""

    def __init__(self, mechanism: Mechanism, *, width: int, charset: str, chinese_after_reset: bool) -> None:
        self.mechanism = mechanism
        self.width = width
        self.charset = charset
        self.chinese_after_reset = chinese_after_reset
        self.ignored: list[bytes] = []
        """Commands that were consumed without acting on them."""
        self.composes_codes = True
        """Whether it draws QR codes and barcodes itself."""
        self.buffer = b""
        self.is_selected = True
        """Whether what comes is for the printer (ESC =); else it waits to be selected and forgets everything else."""
        self.panel_is_locked = False
        """Whether the panel's button does nothing (ESC c 5)."""
        self._working = False
        self.power_up()

    def power_up(self) -> None:
        """Forget everything."""
        self.clear()
        self.is_selected, self.panel_is_locked = True, False
        self.qr = (3, "L", "")
        self.barcode = {"h": 162, "w": 3, "f": 0, "H": 0}
        """Height, width of the narrowest bar, font and place of the text."""
        self.graphics = RasterBlock(row_bytes=0, rows=0, data=b"", align=0)
        self.style = Style(chinese_mode=self.chinese_after_reset)

    def clear(self) -> None:
        """Throw away what was received and is not on paper."""
        self.buffer = b""
        self.line: list[Run] = []

    def take(self, data: bytes) -> None:
        """Put bytes into the buffer, and work."""
        self.buffer += data
        self.work()

    def work(self) -> None:
        """Work off complete commands until there are none, or the mechanism stops."""
        if self._working:
            return  # a fault that sets in while a line is printed; the loop below sees it
        self._working, done = True, 0
        while done < len(self.buffer) and self.mechanism.can_print:
            done += self._not_for_us(done)
            length = self._length(self.buffer[done : done + 16], done)
            if length is None or not self._execute(self.buffer[done : done + length]):
                break
            done += length
        self.buffer = self.buffer[done:]
        self._working = False

    def _not_for_us(self, start: int) -> int:
        """How many bytes from `start` on are for the display behind: up to the next ESC =."""
        if self.is_selected:
            return 0
        at = self.buffer.find(b"\x1b=", start)
        if at < 0:
            return len(self.buffer) - start - self.buffer.endswith(b"\x1b")
        return at - start

    def _length(self, head: bytes, at: int) -> int | None:
        if not head:
            return None
        if head[0] in (0x1B, 0x1C, 0x1D):
            return command_length(self.buffer[at:])
        if not (self.style.chinese_mode and 0x81 <= head[0] <= 0xFE):
            return 1
        if len(head) < 2:
            return None
        if self.charset == "gb18030" and 0x30 <= head[1] <= 0x39:
            return 4 if len(head) >= 4 else None
        return 2

    def _execute(self, token: bytes) -> bool:
        first = token[0]
        if first in (0x1B, 0x1C, 0x1D):
            return self._command(token)
        if first == 0x0A:
            return self._print_line()
        if first < 0x20 or first == 0x7F:
            return True
        return all(self._put(char, chinese=len(token) > 1) for char in self._decode(token))

    def _decode(self, token: bytes) -> str:
        if len(token) == 1:
            return token.decode("ascii" if token < b"\x80" else "cp437")
        if len(token) == 2 and token[1] < 0x40:
            # Half of a four-byte code, or a stray lead byte: the second byte is swallowed, or shows as itself.
            return _NO_GLYPH + (chr(token[1]) if token[1] >= 0x20 else "")
        try:
            token.decode(self.charset)
            return token.decode("gb18030")
        except UnicodeDecodeError:
            return _NO_GLYPH

    def _put(self, char: str, *, chinese: bool) -> bool:
        style = self.style
        width, height = style.chinese if chinese else style.ank
        run = Run(
            text=char,
            width=width,
            height=height,
            bold=style.bold,
            underline=style.underline,
            inverse=style.inverse,
            single_byte=not chinese and not char.isascii(),
        )
        if self.line and sum(r.dots for r in self.line) + run.dots > self.width and not self._print_line():
            return False
        if self.line and replace(self.line[-1], text="") == replace(run, text=""):
            self.line[-1] = replace(self.line[-1], text=self.line[-1].text + char)
        else:
            self.line.append(run)
        return True

    def _print_line(self) -> bool:
        dots = max([self.style.spacing, *(24 * run.height for run in self.line)])
        line = TextLine(runs=tuple(self.line), align=self.style.align, dots=dots)
        if not self.mechanism.advance(line if self.line else Blank(dots=dots)):
            return False
        self.line = []
        return True

    def _command(self, token: bytes) -> bool:
        name = token[:2]
        movement = self._MOVEMENTS.get(name)
        if movement is not None:
            return (not self.line or self._print_line()) and movement(self, token)
        change = _CHANGES.get(name)
        if change is not None:
            self.style = change(self.style, token[2] if len(token) > 2 else 0)
        elif name == b"\x1b@":
            self.line = []
            self.style = Style(chinese_mode=self.chinese_after_reset)
            self.panel_is_locked = False
        elif name == b"\x1b=":
            self.is_selected = bool(token[2] & 1)
        elif token.startswith(b"\x1bc5"):
            self.panel_is_locked = bool(token[3] & 1)
        elif token.startswith((*_QUESTIONS, b"\x1d(H")):
            self.mechanism.queued_question(token)
        elif name in (b"\x1b$", b"\x1b\\"):
            self._move_to(int.from_bytes(token[2:4], "little"), relative=name == b"\x1b\\")
        elif self.composes_codes and name in _BARCODE_SETTINGS:
            self.barcode[chr(name[1])] = token[2]
        else:
            return self._drawing(token)
        return True

    def _drawing(self, token: bytes) -> bool:
        if self.composes_codes and token.startswith(b"\x1d(k") and len(token) >= 8:
            return self._two_dimensional_code(token[6], token[7:])
        if self.composes_codes and token.startswith(b"\x1dkI"):
            return (not self.line or self._print_line()) and self._print_barcode(token[4:])
        if token.startswith((b"\x1d(L", b"\x1d8L")):
            return self._graphics(token[5:] if token[1] == 0x28 else token[7:])
        self.ignored.append(token)
        return True

    def _move_to(self, dots: int, *, relative: bool) -> None:
        """A gap before what follows; going back is not drawn."""
        here = sum(run.dots for run in self.line)
        gap = dots if relative else dots - here
        if 0 < gap < self.width - here:
            self.line.append(Run(text="", gap_dots=gap))

    def _print_barcode(self, data: bytes) -> bool:
        composed = compose_code_128(data)
        if composed is None:
            return True
        text, modules = composed
        code = BarcodeBlock(
            text=text,
            modules=modules,
            module_dots=self.barcode["w"],
            height=self.barcode["h"],
            shows_text=self.barcode["H"] & 3 == 2,
            align=self.style.align,
        )
        # A code that is too wide is silently not printed.
        return code.bars_width > self.width or self.mechanism.advance(code)

    def _graphics(self, parameters: bytes) -> bool:
        """Store (m fn a bx by c xL xH yL yH data) and print graphics; other functions do nothing here."""
        function = parameters[1] if len(parameters) > 1 else 0
        if function == 112 and len(parameters) >= 10:
            width, rows = _number(parameters, 6), _number(parameters, 8)
            self.graphics = RasterBlock(row_bytes=(width + 7) // 8, rows=rows, data=parameters[10:], align=0)
        elif function in (2, 50) and self.graphics.rows:
            block = replace(self.graphics, align=self.style.align)
            return (not self.line or self._print_line()) and self.mechanism.advance(block)
        return True

    def _two_dimensional_code(self, function: int, parameters: bytes) -> bool:
        module_dots, level, data = self.qr
        if function == 0x51:
            return (not self.line or self._print_line()) and self._print_qr()
        if function == 0x43:
            self.qr = (parameters[0], level, data)
        elif function == 0x45:
            self.qr = (module_dots, _LEVELS.get(parameters[0], "L"), data)
        elif function == 0x50:
            self.qr = (module_dots, level, parameters[1:].decode("latin-1"))
        return True

    def _print_qr(self) -> bool:
        module_dots, level, data = self.qr
        code = QrBlock(data=data, module_dots=module_dots, level=level, align=self.style.align)
        # A code that is too wide is silently not printed.
        return not data or code.dots > self.width or self.mechanism.advance(code)

    def _print_raster(self, token: bytes) -> bool:
        row_bytes, rows = int.from_bytes(token[4:6], "little"), int.from_bytes(token[6:8], "little")
        return self.mechanism.advance(
            RasterBlock(row_bytes=row_bytes, rows=rows, data=token[8:], align=self.style.align)
        )

    def _feed_dots(self, token: bytes) -> bool:
        return self.mechanism.advance(Blank(dots=token[2]))

    def _feed_lines(self, token: bytes) -> bool:
        if not self.mechanism.advance(Blank(dots=token[2] * self.style.spacing)):
            return False
        if token[2] >= 4:
            self.mechanism.tear_here()
        return True

    def _cut(self, token: bytes) -> bool:
        kind = Cut.FULL if token in (b"\x1bi", b"\x1dV\x00", b"\x1dV0") or token[2:3] == b"A" else Cut.PARTIAL
        return self.mechanism.cut(kind, token[3] if len(token) == 4 else None)

    def _present(self, token: bytes) -> bool:
        return self.mechanism.present(token)

    _MOVEMENTS: ClassVar[dict[bytes, Callable[[Interpreter, bytes], bool]]] = {
        b"\x1bJ": _feed_dots,
        b"\x1bd": _feed_lines,
        b"\x1dv": _print_raster,
        b"\x1dV": _cut,
        b"\x1bi": _cut,
        b"\x1bm": _cut,
        b"\x1cP": _present,
    }


_QUESTIONS = (b"\x1dr", b"\x1dI", b"\x1bv", b"\x1da", b"\x1d\xe1", b"\x1d\xe2", b"\x1d\xe3", b"\x1d\xe4", b"\x1d\xe5")
_BARCODE_SETTINGS = (b"\x1dh", b"\x1dw", b"\x1df", b"\x1dH")


def _ank_mode(style: Style, n: int) -> Style:
    return replace(style, ank=(1 + (n >> 5 & 1), 1 + (n >> 4 & 1)), bold=bool(n & 8), underline=bool(n & 0x80))


def _both_sizes(style: Style, n: int) -> Style:
    size = (1 + (n >> 4 & 7), 1 + (n & 7))
    return replace(style, ank=size, chinese=size)


_CHANGES: dict[bytes, Callable[[Style, int], Style]] = {
    b"\x1ba": lambda s, n: replace(s, align={0: 0, 1: 1, 2: 2}.get(n & 0x0F, s.align)),
    b"\x1b!": _ank_mode,
    b"\x1d!": _both_sizes,
    b"\x1c!": lambda s, n: replace(s, chinese=(1 + (n >> 2 & 1), 1 + (n >> 3 & 1)), underline=bool(n & 0x80)),
    b"\x1cW": lambda s, n: replace(s, chinese=(2, 2) if n & 1 else (1, 1)),
    b"\x1bE": lambda s, n: replace(s, bold=bool(n & 1)),
    b"\x1b-": lambda s, n: replace(s, underline=bool(n & 3)),
    b"\x1dB": lambda s, n: replace(s, inverse=bool(n & 1)),
    b"\x1c&": lambda s, _: replace(s, chinese_mode=True),
    b"\x1c.": lambda s, _: replace(s, chinese_mode=False),
    b"\x1b2": lambda s, _: replace(s, spacing=30),
    b"\x1b3": lambda s, n: replace(s, spacing=n),
}
