"""Window display on a strip or integrated screen card of the A0…FF / AA…BB families; several share one RS-485 line.

Source: protocols/displays.md §2 (A/B), from the card maker's protocol V2.1 of 2012 and field code.

    family 1   A0 | LEN | CMD | ADD | DATA… | CHK | FF       LEN = bytes from CMD to the last of DATA
               CHK = sum of LEN…DATA, its low byte modulo 100 (the general clause says: the sum modulo 100; an option)
    family 2   AA | ADD | BB | 51 | KIND | SUM | mode | speed | stay | colour | life | text… | FF
               SUM = low byte of the sum of everything after it, the last FF included; KIND 54 one row, 50 whole screen

    28, 2A  call, strip / integrated   01, 00 | number ÷ 100 | number mod 100 | window | letter      pages of the card
    2B, 2D  call in ASCII              01 | up to 6 characters | window (this order: B)
    29      online check, answered with the receipt (G)       98 50   version → 98 50 type version
    14 50   receipt: the card has taken a text, a page or a check

A driver hears a text, and not which page is meant; so every text goes as free text. With `call_page` a text that asks
for attention and holds one ticket number and one window number is shown by the card's own page of a call, in the card's
words; `number` lets the card write the number (leading zeros are its affair), `ascii` sends it as it is printed.

Receipts exist from V2.1 on, 500 ms after a frame at the latest. A card that has answered a kind of frame once is held
to it: silence is then NoReply, after one repetition (a text that is sent again does no harm). A card that has never
answered is taken to be older: its texts count as shown when they are sent, and "online" says no more of it than that
its port takes bytes. `confirms = true` demands the receipt from the first frame on.

What the line can do wrong: as with every display of a bus, answers of other addresses and echoes are passed over, and
a late one is dropped before the next frame. A receipt does not say what it confirms. A restart of the card shows only
when it is noticed as silence; nothing tells that its text is lost.

A text that is longer than `columns` is refused; nothing scrolls away. Where the card's type is known, from its version
reply or its table, a text appears at once and one that asks for attention flashes; else mode 01 (from the left), as
field code sends it, on every card. That A2 has the modes of A3 is a guess. stay is the byte 99 of that field code (B:
the document counts it to 99 s), life 63 is for ever. Texts of the integrated card move in as its only modes do.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from drivers.base import BadReply, CallDisplay, CallText, Condition, Identity, NoReply, Refused, SerialOptions
from drivers.display_line import await_silence, hear, send, wire_s
from drivers.display_text import one_row
from drivers.transport import ByteStream
from drivers.wire_words import DAMAGED, Words, two_languages

TEXT, CHECK, VERSION, TAKEN = 0x51, 0x29, 0x98, 0x14
TAKEN_CODE = 0x50
CALL = 0x01
_TEXT_S = 3.4
_LEAST_S = 0.1
_NUMBER_AND_WINDOW = re.compile(r"\D*?([A-Z]?)(\d{1,4})\D+(\d{1,2})\D*")


class Card(StrEnum):
    """Type of the card, as its version reply says it."""

    STRIP_16 = "A1"
    STANDARD = "A2"
    INSTANT = "A3"
    INTEGRATED = "A4"


class CallPage(StrEnum):
    """Which of the card's own pages shows a call."""

    NONE = "none"
    NUMBER = "number"
    ASCII = "ascii"


MODELS = {
    Card.STRIP_16: "16-dot strip",
    Card.STANDARD: "24/32-dot standard",
    Card.INSTANT: "24/32-dot instant",
    Card.INTEGRATED: "integrated",
}
_STAND, _FLASH = 0, 1
MODES = {Card.STRIP_16: (8, 7), Card.STANDARD: (11, 10), Card.INSTANT: (11, 10)}
"""How a text stands and how it flashes; 1, from the left, on any other card."""


@dataclass(frozen=True, kw_only=True)
class StripOptions(SerialOptions):
    """Keys of the screen's table."""

    address: int
    """Number of the card, 0 to 254."""
    columns: int
    """Half-width characters of its row."""
    card: Card | None = None
    """A1 to A4, for a card that does not say it itself; A4 must be said here."""
    colors: int = 1
    """Colours of its dots: with 2 or 3, a text is green and one that asks for attention is red."""
    call_page: CallPage = CallPage.NONE
    """none: a call is a text like any other; number, ascii: the card's own page of a call."""
    confirms: bool = False
    """Whether the card must confirm from the first frame on (V2.1 and later)."""
    low_byte_first: bool = True
    """Whether CHK is the low byte of the sum modulo 100, as the receipt clause says (B), or the sum modulo 100."""
    reply_limit_s: float = 0.5
    gap_s: float = 0.1
    """Silence before a frame."""

    def __post_init__(self) -> None:
        legal = {
            "baud": (self.baud == 9600, "9600"),
            "address": (0 <= self.address <= 254, "0 to 254"),
            "columns": (4 <= self.columns <= 128, "4 to 128"),
            "colors": (self.colors in (1, 2, 3), "1, 2 or 3"),
            "reply_limit_s": (0.1 <= self.reply_limit_s <= 1.0, "0.1 to 1 seconds"),
            "gap_s": (0.0 <= self.gap_s <= 0.5, "0 to 0.5 seconds"),
        }
        for key, (good, range_) in legal.items():
            if not good:
                raise ValueError(f"{key} = {getattr(self, key)}, legal: {range_}")


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A family 1 frame from a card."""

    command: int
    address: int
    data: bytes


def check(content: bytes, *, low_byte_first: bool = True) -> int:
    """CHK of a family 1 frame over LEN and what it counts."""
    return (sum(content) & 0xFF if low_byte_first else sum(content)) % 100


def encode_command(command: int, address: int, data: bytes, *, low_byte_first: bool = True) -> bytes:
    """A family 1 frame."""
    content = bytes([len(data) + 2, command, address]) + data
    return b"\xa0" + content + bytes([check(content, low_byte_first=low_byte_first), 0xFF])


def encode_call(page: CallPage, number: tuple[str, str], window: int, *, integrated: bool) -> tuple[int, bytes]:
    """Command and data of the page of a call; the number as letter and digits, each as printed."""
    letter, digits = number
    if page is CallPage.ASCII:
        return (0x2D if integrated else 0x2B), bytes([CALL]) + (letter + digits).encode("ascii") + bytes([window])
    count = int(digits)
    data = bytes([0x00 if integrated else CALL, count // 100, count % 100, window]) + letter.encode("ascii")
    return (0x2A if integrated else 0x28), data


def encode_text(address: int, text: bytes, *, mode: int = 1, color: int = 0, whole_screen: bool = False) -> bytes:
    """A family 2 frame: a free text in GB2312."""
    content = bytes([mode, 0x00, 0x99, color, 0x63]) + text + b"\xff"
    kind = 0x50 if whole_screen else 0x54
    return bytes([0xAA, address, 0xBB, TEXT, kind, sum(content) & 0xFF]) + content


def find_reply(received: bytes, address: int) -> tuple[Reply | None, bytes]:
    """The first reply of this card, and what follows it or may begin one. Raises BadReply for a damaged one.

    CHK may be right by either rule: a card that is told by one may answer by the other.
    """
    while (at := received.find(b"\xa0")) >= 0:
        received = received[at:]
        size = received[1] + 4 if len(received) > 1 else 0
        if size > 14 or (size and size < 6):
            received = received[1:]
            continue
        if not size or len(received) < size:
            return None, received
        frame, rest = received[:size], received[size:]
        if frame[-1] != 0xFF or frame[3] != address:
            received = received[1:]
            continue
        if frame[-2] not in (want := check(frame[1:-2]), check(frame[1:-2], low_byte_first=False)):
            raise BadReply(f"check is {frame[-2]:02x}, should be {want:02x}, in: {frame.hex(' ')}")
        if (frame[2], frame[1]) in ((TAKEN, 3), (VERSION, 5)):
            return Reply(command=frame[2], address=address, data=frame[4:-2]), rest
        received = rest  # our own question, sent back by the adapter
    return None, b""


_SENT_WORDS = {
    0x28: ("叫号页", "page of a call"),
    0x2A: ("叫号页", "page of a call"),
    0x2B: ("叫号页", "page of a call"),
    0x2D: ("叫号页", "page of a call"),
    CHECK: ("查询是否在线", "are you there?"),
    VERSION: ("问版本", "ask its version"),
}
_HEARD_WORDS = {TAKEN: ("已收到", "taken"), VERSION: ("版本", "version")}


def explain(direction: str, data: bytes) -> str:
    """Meaning of some bytes for a technician, `Chinese | English`; "" where no whole frame is among them."""
    return two_languages(_told(direction, data))


def _told(direction: str, data: bytes) -> Iterator[Words]:
    while data:
        size = _size(data)
        if not size:
            data = data[1:]
            continue
        frame, data = data[:size], data[size:]
        address, zh, en = frame[1], "显示内容", "show a text"
        if frame[0] == 0xA0:
            address, command = frame[3], frame[2]
            words = _SENT_WORDS if direction == ">" else _HEARD_WORDS
            zh, en = words.get(command, (f"命令 {command:02x}", f"command {command:02x}"))
        yield (f"{address} 号屏 {zh}", f"screen {address}: {en}") if _is_sound(frame) else DAMAGED


def _size(data: bytes) -> int:
    """Length of the frame that begins these bytes; 0 if none does."""
    if data[0] == 0xA0 and len(data) > 1:
        size = data[1] + 4
        return size if 6 <= size <= len(data) and data[size - 1] == 0xFF else 0
    if data[0] == 0xAA and data[2:4] == bytes([0xBB, TEXT]):
        return data.find(b"\xff", 11) + 1  # the sum before may be FF too
    return 0


def _is_sound(frame: bytes) -> bool:
    if frame[0] == 0xAA:
        return frame[5] == sum(frame[6:]) & 0xFF
    return frame[-2] in {check(frame[1:-2]), check(frame[1:-2], low_byte_first=False)}


def number_and_window(text: str) -> tuple[tuple[str, str], int] | None:
    """Ticket number (letter, digits) and window of a text that holds these two numbers and no other."""
    found = _NUMBER_AND_WINDOW.fullmatch(text)
    return ((found[1], found[2]), int(found[3])) if found else None


class StripDisplay(CallDisplay[ByteStream, StripOptions]):
    """One screen on its line."""

    Options = StripOptions
    Transport = ByteStream

    def __init__(self, device: str, link: ByteStream, options: StripOptions) -> None:
        super().__init__(device, link, options)
        self._card = options.card
        self._answers: set[int] = set()
        """Commands that this card has answered: it is held to them."""

    def hello(self) -> Identity:
        """Ask for the version. Raises NoReply from a card that must answer, or BadReply."""
        frame = self._command(VERSION, bytes([TAKEN_CODE]))
        reply = self._exchange("asked for its version", VERSION, frame, time.monotonic() + _TEXT_S)
        firmware = ""
        if reply is not None:
            firmware = f"V{reply.data[2]}"
            self._card = self.options.card or self._known_card(reply.data[1])
        return Identity(vendor="A0/AA strip card", model=MODELS[self._card] if self._card else "", firmware=firmware)

    def conditions(self) -> frozenset[Condition]:
        """Check that the card is there. Raises NoReply from a card that must answer, or BadReply."""
        self._exchange("checked", CHECK, self._command(CHECK, b""), time.monotonic() + _TEXT_S)
        return frozenset()

    def show(self, text: CallText) -> None:
        """Show a text; returns when the card has confirmed it, or when it is sent to a card that never confirms.

        Raises Refused(TEXT_UNSUITABLE), NoReply or BadReply: it may or may not be shown then.
        """
        until = time.monotonic() + _TEXT_S
        deed, command, frame = self._encode(text)
        try:
            self._exchange(deed, command, frame, until)
        except (NoReply, BadReply):
            self._exchange(f"{deed} twice", command, frame, until)

    @property
    def _integrated(self) -> bool:
        return self._card is Card.INTEGRATED

    def _known_card(self, type_: int) -> Card | None:
        return next((card for card in Card if int(card, 16) == type_), None)

    def _command(self, command: int, data: bytes) -> bytes:
        return encode_command(command, self.options.address, data, low_byte_first=self.options.low_byte_first)

    def _encode(self, text: CallText) -> tuple[str, int, bytes]:
        """What is done, the command whose receipt is expected, and the frame."""
        found = number_and_window(text.text) if text.attention else None
        if found is not None and self.options.call_page is not CallPage.NONE:
            command, data = encode_call(self.options.call_page, *found, integrated=self._integrated)
            return "sent a call", command, self._command(command, data)
        try:
            row = one_row(text.text, self.options.columns)
        except ValueError as exc:
            raise Refused(Condition.TEXT_UNSUITABLE, f"{self.device}: a text does not fit: {exc}") from exc
        mode = MODES.get(self._card, (1, 1))[_FLASH if text.attention else _STAND] if self._card else 1
        color = int(not text.attention) if self.options.colors > 1 else 0
        frame = encode_text(self.options.address, b"".join(row), mode=mode, color=color, whole_screen=self._integrated)
        return "sent a text", TEXT, frame

    def _exchange(self, deed: str, command: int, frame: bytes, until: float) -> Reply | None:
        """Send a frame and hear this card's answer to it; None from a card that has never answered such a frame."""
        await_silence(self.link, self.device, self.options.gap_s)
        left = until - time.monotonic()
        if left < _LEAST_S:
            raise NoReply(f"{self.device}: {deed}, no time left for it on {self.link.port}")
        send(self.link, frame, self.options.baud, limit_s=left)
        limit_s = self.options.reply_limit_s + wire_s(len(frame), self.options.baud)
        try:
            reply, count = hear(self.link, min(until, time.monotonic() + limit_s), lambda got: self._find(got, command))
        except BadReply as exc:
            raise BadReply(f"{self.device}: {deed}, {exc} on {self.link.port}") from exc
        if reply is not None:
            self._answers.add(command)
        elif self.options.confirms or command in self._answers:
            raise NoReply(
                f"{self.device}: {deed}, no answer from card {self.options.address} within "
                f"{self.options.reply_limit_s} s on {self.link.port} ({count} other bytes came)"
            )
        return reply

    def _find(self, received: bytes, command: int) -> tuple[Reply | None, bytes]:
        """The reply to this command; one to another question came too late and is passed over."""
        while True:
            reply, received = find_reply(received, self.options.address)
            if reply is None or reply.command == (VERSION if command == VERSION else TAKEN):
                break
        if reply is not None and reply.data[0] != TAKEN_CODE:
            raise BadReply(f"answered {reply.data.hex(' ')}, {TAKEN_CODE:02x} expected first")
        return reply, received


DRIVER = StripDisplay
