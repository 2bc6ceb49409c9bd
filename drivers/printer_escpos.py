"""Slip printer, ESC/POS with Chinese text, on a serial line or TCP port 9100.

Source: protocol notes "Ticket printers (ESC/POS)" §2 to §3 and §6; the order of questions is that of §3.7.

    ESC @   align  FS &  size   text, GB18030          feed dots   feed to the cutter, cut   fence
    1B 40   1B 61  1C 26 1D 21  D7 DB ... 0A           1B 4A n     1D 56 42 00               1D 72 01

Nothing is framed. Answers of several kinds mix on the line and are told apart byte by byte (`Replies`):

    DLE EOT n   10 04 n   one byte, answered on arrival even when out of paper: 0xx1xx10
    GS r 1      1D 72 01  one byte 0xx0xxxx, answered in its turn behind the slip: the fence
    GS I n      1D 49 n   5F text 00
    unasked               automatic status 0xx1xx00 and three bytes 0xx0xxxx; XON 11; XOFF 13

A slip counts as printed when the fence is answered and no fault shows afterwards; a fence proves that the slip was
worked off, not that paper moved. A printer that stops (paper end, cover) keeps the rest and prints it after the
refill. So a slip that stopped is void, and DLE ENQ 2 (clear the buffer) is sent while the fault still holds. The notes
warn against sending it on one's own accord: it is sent only then, and clears nothing but our own void slip. A printer
that ignores it prints the rest after the refill; its late answer to the old fence is never taken for a new one.

Limits: a slip must be sent and printed within 11 s, about 7 KB at 9600 baud. Rows whose characters the printer lacks
are sent as raster; there is no rendering of a whole slip as one picture. Not implemented: automatic status (skipped
when it comes), GS ( H, drawer, presenter. Condition PAPER_JAM for the "recoverable, mechanical" bit is a guess.
"""

from __future__ import annotations

import functools
import importlib
import re
import shutil
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from drivers.base import (
    Align,
    BadReply,
    Condition,
    Identity,
    LinkError,
    NoReply,
    Refused,
    SerialOptions,
    Slip,
    SlipPart,
    SlipPrinter,
    SlipQr,
    SlipRule,
    SlipText,
    Unconfirmed,
)
from drivers.escpos_status import BLOCKS, Replies, decode_status, first_block
from drivers.escpos_text import (
    CELL_HEIGHT,
    CHARSETS,
    RowFont,
    encode_text,
    open_font,
    paint_row,
    printable,
    replace_unknown,
    wrap,
)
from drivers.escpos_words import explain  # noqa: F401 - the live trace asks the driver's module for it
from drivers.transport import ByteStream

RESET = b"\x1b@"
CHINESE_ON = b"\x1c&"
CUT = b"\x1dVB\x00"
PAST_THE_TEAR_BAR = b"\x1bd\x04"
STATUS_QUESTION = b"\x10\x04\x01\x10\x04\x02\x10\x04\x03\x10\x04\x04"
CLEAR_BUFFER = b"\x10\x05\x02"
FENCES = {"gs_r": b"\x1dr\x01", "esc_v": b"\x1bv"}

STATUS_LIMIT_S = 1.0
GLANCE_S = 0.5
NAMES_LIMIT_S = 1.0
SETTLE_LIMIT_S = 1.0
AFTERMATH_S = 0.2
WORKING_TIME_S = 11.0
CHUNK_BYTES = 1024
ROW_DOTS = 30
FEED_TO_CUTTER_DOTS = 120
MOST_SILENT_ROUNDS = 40


@dataclass(frozen=True, kw_only=True)
class PaperWidth:
    """How many dots a line of so many half-width characters has, and how dense they are."""

    dots: int
    dots_per_mm: float


PAPERS = {
    32: PaperWidth(dots=384, dots_per_mm=8),  # 58 mm paper
    42: PaperWidth(dots=512, dots_per_mm=7.09),  # 80 mm paper, 180 dots per inch
    48: PaperWidth(dots=576, dots_per_mm=8),  # 80 mm paper
}
BAUDS = (9600, 19200, 38400, 57600, 115200)
CONFIRMS = (*FENCES, "status", "none")


@dataclass(frozen=True, kw_only=True)
class EscposOptions(SerialOptions):
    """Keys of a slip printer's table."""

    baud: int = 115200
    columns: int = 48
    """Half-width characters of a normal line: 32, 42 or 48."""
    charset: str = "gb2312"
    """What the printer's font carries: gb2312, gbk or gb18030. Too small costs time (rows go as raster), too large
    costs legibility."""
    confirm: str = "gs_r"
    """How far the printer answers: `gs_r` status and fence; `esc_v` the same with the older fence; `status` no fence
    (many cheap boards), `none` one way. With the last two every slip ends Unconfirmed, or Refused if a fault shows."""
    cutter: bool = True
    """False where the resident tears the slip off at a bar."""
    font: str = ""
    """Font file for characters that the printer lacks; empty: the first of the usual places that is there."""

    def __post_init__(self) -> None:
        _check("baud", self.baud, BAUDS)
        _check("columns", self.columns, tuple(PAPERS))
        _check("charset", self.charset, CHARSETS)
        _check("confirm", self.confirm, CONFIRMS)

    @property
    def paper(self) -> PaperWidth:
        """The paper that goes with `columns`."""
        return PAPERS[self.columns]


def _check(key: str, value: object, legal: tuple[object, ...]) -> None:
    if value not in legal:
        raise ValueError(f"{key} = {value!r}: must be one of {', '.join(map(str, legal))}")


@dataclass(frozen=True, kw_only=True)
class _Style:
    """What the printer has been told about the text that follows."""

    align: Align = Align.LEFT
    chinese: bool = False
    scale: int = 1
    bold: bool = False


_ALIGN = {Align.LEFT: 0, Align.CENTRE: 1, Align.RIGHT: 2}
_OFFSET = {Align.LEFT: 0.0, Align.CENTRE: 0.5, Align.RIGHT: 1.0}


@dataclass(frozen=True, kw_only=True)
class EncodedSlip:
    """A slip as bytes, and how much paper it takes."""

    data: bytes
    length_mm: float


class _Composer:
    """Puts the parts of one slip together; says only what changes."""

    def __init__(self, options: EscposOptions) -> None:
        self.options = options
        self.out = bytearray(RESET)
        self.style = _Style()
        self.dots = 0

    def add(self, part: SlipPart) -> None:
        if isinstance(part, SlipText):
            self._text(part)
        elif isinstance(part, SlipQr):
            self._qr(part)
        elif isinstance(part, SlipRule):
            self._text(SlipText(text="-" * self.options.columns))
        else:
            self._feed_mm(part.mm)

    def finish(self) -> EncodedSlip:
        self._plain()
        self.out += CUT if self.options.cutter else PAST_THE_TEAR_BAR
        dots = self.dots + FEED_TO_CUTTER_DOTS
        return EncodedSlip(data=bytes(self.out), length_mm=dots / self.options.paper.dots_per_mm)

    def _text(self, part: SlipText) -> None:
        if not 1 <= part.scale <= 8:
            raise ValueError(f"scale {part.scale} of a line is not 1 to 8")
        text, font = printable(part.text), None
        if encode_text(text, self.options.charset) is None:
            font = open_font(self.options.font)
            text = replace_unknown(text, self.options.charset, font)
        for row in wrap(text, self.options.columns // part.scale):
            self._row(row, part, font)
            self.dots += max(ROW_DOTS, CELL_HEIGHT * part.scale)

    def _row(self, row: str, part: SlipText, font: RowFont | None) -> None:
        code = encode_text(row, self.options.charset)
        if code is not None:
            self._switch(_Style(align=part.align, chinese=True, scale=part.scale, bold=part.bold))
            self.out += code + b"\n"
        elif font is not None:
            self._plain()
            self.out += encode_row_picture(row, part, font, self.options.paper.dots)

    def _qr(self, part: SlipQr) -> None:
        code = encode_qr(part, self.options.paper.dots)
        quiet_zone = 4 * part.module_dots
        self._feed(quiet_zone)
        self._switch(_Style(align=Align.CENTRE, chinese=self.style.chinese))
        self.out += code
        self.dots += qr_modules(part.data) * part.module_dots
        self._feed(quiet_zone)

    def _feed_mm(self, mm: int) -> None:
        if not 0 <= mm <= 500:
            raise ValueError(f"a feed of {mm} mm is not 0 to 500 mm")
        self._plain()
        self._feed(round(mm * self.options.paper.dots_per_mm))

    def _feed(self, dots: int) -> None:
        self.dots += dots
        while dots > 0:
            self.out += b"\x1bJ" + bytes([min(dots, 255)])
            dots -= 255

    def _plain(self) -> None:
        self._switch(_Style(chinese=self.style.chinese))

    def _switch(self, to: _Style) -> None:
        now, self.style = self.style, to
        if now.align is not to.align:
            self.out += b"\x1ba" + bytes([_ALIGN[to.align]])
        if to.chinese and not now.chinese:
            self.out += CHINESE_ON
        if now.scale != to.scale:
            self.out += b"\x1d!" + bytes([(to.scale - 1) * 0x11])
        if now.bold != to.bold:
            self.out += b"\x1bE" + bytes([to.bold])


def encode_slip(slip: Slip, options: EscposOptions) -> EncodedSlip:
    """Everything from reset to cut. Raises ValueError for a part that cannot be printed."""
    composer = _Composer(options)
    for part in slip.parts:
        composer.add(part)
    return composer.finish()


def encode_row_picture(row: str, part: SlipText, font: RowFont, width: int) -> bytes:
    """One row as a raster block (GS v 0)."""
    raster = paint_row(font, row, scale=part.scale, bold=part.bold, offset=_OFFSET[part.align], width=width)
    head = b"\x1dv0\x00" + struct.pack("<HH", raster.row_bytes, raster.rows)
    return head + without_commands(raster.data)


def without_commands(dots: bytes) -> bytes:
    """The same picture, one dot more where three bytes would act as a real-time command inside it."""
    return re.sub(rb"\x10(?=[\x04\x05\x14])", b"\x18", dots)


# Bytes that fit into a QR code of level M, by its version from 1 on (ISO/IEC 18004, table 7).
_QR_M_BYTES = (14, 26, 42, 62, 84, 106, 122, 152, 180, 213, 251, 287, 331, 362, 412)


def qr_modules(data: str) -> int:
    """Modules along one side of the level-M code for `data`. Raises ValueError if it is too long for a slip."""
    for version, most in enumerate(_QR_M_BYTES, start=1):
        if len(data) <= most:
            return 17 + 4 * version
    raise ValueError(f"QR code of {len(data)} characters; a slip takes at most {_QR_M_BYTES[-1]}")


def encode_qr(part: SlipQr, width: int) -> bytes:
    """A QR code of level M. Raises ValueError if printers would print rubbish or, as most do, silently nothing."""
    if not part.data or not part.data.isascii() or not part.data.isprintable():
        raise ValueError("QR code: the content must be printable ASCII and not empty")
    if not 1 <= part.module_dots <= 16:
        raise ValueError(f"QR code: modules of {part.module_dots} dots are not 1 to 16")
    side = qr_modules(part.data) * part.module_dots
    if side > width:
        raise ValueError(f"QR code: {side} dots wide, the paper has {width}; use smaller modules or less content")
    escpos = _load_composer()
    printer = escpos.printer.Dummy()
    printer.qr(part.data, ec=escpos.constants.QR_ECLEVEL_M, size=part.module_dots, native=True)
    return bytes(printer.output)


@functools.lru_cache(maxsize=1)
def _load_composer() -> ModuleType:
    """python-escpos, loaded late: a third of a second and 6 MB that a hall without a printer saves."""
    escpos = importlib.import_module("escpos")
    for part in ("capabilities", "constants", "printer"):
        importlib.import_module(f"escpos.{part}")
    # It leaves a fresh temporary directory behind at every start; what is in it has been read.
    shutil.rmtree(escpos.capabilities.pickle_dir, ignore_errors=True)
    return escpos


class EscposPrinter(SlipPrinter[ByteStream, EscposOptions]):
    """An ESC/POS slip printer."""

    Options = EscposOptions
    Transport = ByteStream

    def __init__(self, device: str, link: ByteStream, options: EscposOptions) -> None:
        super().__init__(device, link, options)
        self._fence = FENCES.get(options.confirm, b"")
        self._fences_owed = int(bool(self._fence))
        """Answers to earlier fences that may still come; 1 on a fresh link, as nobody knows what was before."""
        self._half_slip = False
        """Whether part of a void slip may hang in front of the next one."""

    def hello(self) -> Identity:
        """Ask for status, and for names where the printer is expected to answer; clones often lie in those."""
        if self.options.confirm == "none":
            _load_composer()
            return Identity()
        blocked = first_block(decode_status(self._ask_status()))
        identity = Identity()
        if self._fence and blocked is None:
            identity = self._ask_names()
            self._settle()
        _load_composer()
        return identity

    def conditions(self) -> frozenset[Condition]:
        if self.options.confirm == "none":
            return frozenset()
        return decode_status(self._ask_status())

    def print_slip(self, slip: Slip) -> None:
        encoded = encode_slip(slip, self.options)
        began = time.monotonic()
        if self.options.confirm != "none":
            blocked = first_block(decode_status(self._ask_status()))
            if blocked is not None:
                raise self._refused(blocked, "nothing was sent")
            if self._fences_owed:
                self._settle()
        data = self._separation() + encoded.data + self._fence
        self._half_slip = True
        try:
            self._send(data, began + WORKING_TIME_S)
            self._see_it_through(data, encoded.length_mm, began + WORKING_TIME_S)
        except (LinkError, NoReply, BadReply) as exc:
            raise Unconfirmed(f"{self.device}: a slip of {len(data)} bytes was being printed, then: {exc}") from exc
        self._half_slip = False

    def _separation(self) -> bytes:
        """What keeps the rest of a void slip, perhaps somebody else's, off the next one."""
        if not self._half_slip:
            return b""
        return RESET + (CUT if self.options.cutter else PAST_THE_TEAR_BAR)

    def _send(self, data: bytes, end: float) -> None:
        for start in range(0, len(data), CHUNK_BYTES):
            left = end - time.monotonic()
            if left <= 0:
                raise NoReply(f"only {start} bytes were taken within {WORKING_TIME_S:g} s on {self.link.port}")
            self.link.write(data[start : start + CHUNK_BYTES], min(left, 2.0 + CHUNK_BYTES * 10 / self.options.baud))

    def _see_it_through(self, data: bytes, length_mm: float, end: float) -> None:
        """Wait for the fence, and look whether a fault shows. Raises Refused, Unconfirmed, LinkError or NoReply."""
        if self.options.confirm == "none":
            self._half_slip = False
            raise Unconfirmed(f"{self.device}: sent {len(data)} bytes; this printer cannot answer")
        line_s = len(data) * 10 / self.options.baud
        limit_s = min((3.0 if self._fence else 1.0) + length_mm / 100 + line_s, max(0.0, end - time.monotonic()))
        passed = self._wait_for_fence(limit_s)
        blocked = first_block(decode_status(self._ask_status()))
        if blocked is not None:
            self._give_up(blocked)
        if not passed:
            self._half_slip = False
            reason = f"fence not answered within {limit_s:.1f} s" if self._fence else "this printer has no fence"
            raise Unconfirmed(f"{self.device}: sent {len(data)} bytes, no fault shows, {reason} on {self.link.port}")

    def _wait_for_fence(self, limit_s: float) -> bool:
        """Wait for the answer that belongs to this slip; leave early if the paper is out.

        Status is asked only now that all bytes are out: some models stumble over a question among data. Every other
        fault may pass by itself or by hand, so it gets the whole time; but after a paper end somebody puts in paper,
        and by then the rest of the slip must be gone.
        """
        end = time.monotonic() + limit_s
        replies, awaited = Replies(), self._fences_owed + 1
        for _ in range(MOST_SILENT_ROUNDS):
            left = end - time.monotonic()
            if left <= 0:
                break
            self._hear(replies, lambda r: bool(self._fence) and len(r.queued) >= awaited, min(GLANCE_S, left))
            if self._fence and len(replies.queued) >= awaited:
                self._fences_owed = 0
                return True
            replies.statuses.clear()
            self.link.write(STATUS_QUESTION)
            self._hear(replies, lambda r: len(r.statuses) >= 4, min(STATUS_LIMIT_S, left))
            answers = bytes(replies.statuses[:4])
            if len(answers) == 4 and Condition.PAPER_OUT in decode_status(answers):
                break
        self._fences_owed += bool(self._fence)
        return False

    def _give_up(self, blocked: Condition) -> None:
        """Void the slip: nothing of it may come out when the fault is over.

        Raises Refused, or as _ask_status: the answer to a question behind the command shows that it has arrived.
        """
        self.link.write(CLEAR_BUFFER)
        self._ask_status()
        # Whoever puts in paper pulls the half slip out.
        self._half_slip = blocked is not Condition.PAPER_OUT
        raise self._refused(blocked, "the slip is void and the printer was told to forget it")

    def _refused(self, blocked: Condition, outcome: str) -> Refused:
        return Refused(blocked, f"{self.device}: {BLOCKS[blocked]}; {outcome} ({self.link.port})")

    def _settle(self) -> None:
        """Find out whether answers to earlier fences are still to come, so that none is taken for a new one."""
        self.link.write(self._fence)
        self._fences_owed += 1
        replies = self._hear(Replies(), lambda r: bool(r.queued), SETTLE_LIMIT_S)
        if replies.queued:
            # The earlier fence stood directly before this one: its answer, if any, is here by now.
            self._hear(replies, lambda _: False, AFTERMATH_S)
            self._fences_owed = 0

    def _ask_names(self) -> Identity:
        names = {"vendor": b"\x42", "model": b"\x43", "firmware": b"\x41", "serial": b"\x44"}
        found: dict[str, str] = {}
        end = time.monotonic() + NAMES_LIMIT_S
        for key, number in names.items():
            self.link.write(b"\x1dI" + number)
            replies = self._hear(Replies(), lambda r: bool(r.texts), min(GLANCE_S, end - time.monotonic()))
            if not replies.texts:
                break
            found[key] = replies.texts[0]
        return Identity(**found)

    def _ask_status(self) -> bytes:
        self.link.drop_input()
        self.link.write(STATUS_QUESTION)
        replies = self._hear(Replies(), lambda r: len(r.statuses) >= 4, STATUS_LIMIT_S)
        if len(replies.statuses) >= 4:
            return bytes(replies.statuses[:4])
        got = f"{len(replies.statuses)} of 4 answers within {STATUS_LIMIT_S:g} s on {self.link.port}"
        if replies.strays:
            raise BadReply(f"{self.device}: asked for status, {got}, and noise: {replies.strays[:16].hex(' ')}")
        raise NoReply(f"{self.device}: asked for status, {got}")

    def _hear(self, replies: Replies, enough: Callable[[Replies], bool], limit_s: float) -> Replies:
        end = time.monotonic() + limit_s
        while not enough(replies) and (left := end - time.monotonic()) > 0:
            data = self.link.read(64, left)
            if not data:
                break
            replies.feed(data)
        return replies


DRIVER = EscposPrinter
