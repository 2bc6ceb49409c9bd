"""Window display on an Onbon BX-5K or BX-6K font-card controller; several screens share one RS-485 line.

Source: protocols/displays.md §1 (A: checksums recomputed), from the maker's "BX-5K/6K user protocol" 1.4; the status
layout is its §8.4.

    A5 x8 | destination 2 | source 2 | 0 0 0 | barcode 0 | check 0 | mode 0 | type | 02 | length 2 | data | CRC-16 | 5A
            \\______________________________ header, 14 bytes ____________________________/

    request data   group, command, 01 (answer, please), 2 bytes, parameters
    reply data     group, command, error, 0 0, data          ACK = A0 00 err 0 0      NACK = A0 01 err 0 0

Numbers are little-endian. CRC-16/ARC over header and data. After that, in header, data and CRC: A5 → A6 02, A6 → A6 01,
5A → 5B 02, 5B → 5B 01. The host is 8000. A frame begins after any number of A5, so one that was cut off is dropped.

What the line can do wrong: it is half duplex and shared, so nothing is sent before it has been silent for gap_s; the
link remembers when bytes last passed, and an idle line costs no wait. An answer of another screen, an echo of our own
frame, or the answer to another question is passed over. An ACK does not say what it acknowledges: one that comes so
late that the line had already been silent is dropped before the next frame, one that comes after it cannot be told.

The maker resends up to 3 times after 2 s each. On a shared line one dead screen would then hold up every call for 6 s,
and a question must end within 4 s; so a text is sent twice (sending it again does no harm), a question once (the port's
worker asks again), and reply_limit_s is 0.7 s. That is a guess: 78 bytes out and 30 back take 0.11 s at 9600, and
field logs show a frame per screen every 600 to 700 ms. A line that needs more gets it in its table.

NACK: 3 busy → the same frame again after 1 s; 5 checksum → again at once; 12 font missing → again without font escapes,
also from then on; 1, 2, 4 and the rest → Refused(DEVICE_FAULT) with the maker's words.

A text stands still. It is wrapped here by the font's cells, character by character as the card is taken to do it (G),
and refused with TEXT_UNSUITABLE if it does not fit; nothing ever scrolls away. `attention` moves it up into place once
(the card cannot blink) and, on a screen of several colours, makes it red instead of green. The fonts are GB2312:
another character becomes 〓 where it is wide and ? where it is narrow; a backslash would begin an escape and becomes
the full-width one. Texts are lost at power-off: the status then names no dynamic area, and conditions() reports
TEXT_LOST until a text is shown again; a card that declines the status question cannot tell. The broadcast address FFFE
(one screen alone on its line, number unknown) is pinged instead, because a broadcast status question is not answered.

At each hello the brightness and the clock are set where the table says so. The search for the speed is left to screens
that are alone on their line: it would disturb others. The maker waits 2 s after each ping; here it is reply_limit_s,
and the worker asks again. Not used: A2 01, which erases the card's files.
"""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from drivers.base import BadReply, CallDisplay, CallText, Condition, Identity, NoReply, Refused, SerialOptions
from drivers.display_line import NO_SILENCE_S, await_silence, send
from drivers.display_text import glyphs, wrap
from drivers.transport import ByteStream

HOST = 0x8000
ANY_SCREEN = 0xFFFE
BAUDS = (9600, 57600)
LARGEST_DATA = 512
"""Bytes of data in one frame: the receive buffer of a 5K card, the smaller one."""

CHINA = timezone(timedelta(hours=8))

PING = b"\xa2\x00\x01\x00\x00"
STATUS = b"\xa1\x02\x01\x00\x00"
ACK, NACK, STATUS_REPLY = (0xA0, 0x00), (0xA0, 0x01), (0xA1, 0x02)

NO_GROUP, NO_COMMAND, BUSY, CHECKSUM, NO_FONT = 1, 2, 3, 5, 12
ERRORS = (
    "no error", "command group error", "command not found", "controller is busy", "out of memory", "checksum error",
    "file does not exist", "flash access error", "file download error", "file name error", "file type error",
    "file checksum error", "font does not exist", "firmware type error", "time format error", "file exists",
    "file block number error",
)  # fmt: skip
MODELS = {
    0x51: "BX-5K1", 0x58: "BX-5K2", 0x53: "BX-5MK2", 0x54: "BX-5MK1",
    0x61: "BX-6K1", 0x62: "BX-6K2", 0x63: "BX-6K3", 0x64: "BX-6K1-YY", 0x65: "BX-6K2-YY", 0x66: "BX-6K3-YY",
    0xFE: "BX-5K/6K",
}  # fmt: skip
FONT_NUMBERS = {16: 0, 24: 1, 32: 2}

_TEXT_S = 3.4
"""For a whole text with its repetitions; below the 4 s of a job."""
_BUSY_WAIT_S = 1.0
_LEAST_S = 0.1


@dataclass(frozen=True, kw_only=True)
class OnbonOptions(SerialOptions):
    """Keys of the screen's table."""

    address: int = 1
    """Number of the screen, set on it once; 0xFFFE where it is alone on its line and its number is unknown."""
    width_px: int
    height_px: int
    font_px: int = 16
    """Height of a character: 16, 24 or 32 dots."""
    colors: int = 1
    """Colours of the screen's dots: with 2 or 3, a text is green and one that asks for attention is red."""
    device_type: int = 0xFE
    """Type in the header; 0xFE fits every card."""
    reply_limit_s: float = 0.7
    gap_s: float = 0.1
    """Silence before a frame on RS-485; 0 on RS-232 and TCP."""
    brightness: int | None = None
    """Brightness to set at each hello, 0 to 15; without it the card's own setting or schedule holds."""
    set_clock: bool = False
    """Whether to set the card's clock at each hello, for cards that dim by a schedule."""
    search_baud: bool = False
    """Whether to try the other of the two speeds when the screen is silent; only if it is alone on its line."""

    def __post_init__(self) -> None:
        legal = {
            "baud": (self.baud in BAUDS, "9600 or 57600"),
            "address": (0 <= self.address <= 0x7FFF or self.address == ANY_SCREEN, "0 to 32767, or 0xFFFE"),
            "font_px": (self.font_px in FONT_NUMBERS, "16, 24 or 32"),
            "width_px": (self.font_px <= self.width_px <= 4096, "from font_px to 4096"),
            "height_px": (self.font_px <= self.height_px <= 1024, "from font_px to 1024"),
            "colors": (self.colors in (1, 2, 3), "1, 2 or 3"),
            "device_type": (self.device_type in MODELS, ", ".join(f"{number:#x}" for number in MODELS)),
            "reply_limit_s": (0.1 <= self.reply_limit_s <= 1.5, "0.1 to 1.5 seconds"),
            "gap_s": (0.0 <= self.gap_s <= 0.5, "0 to 0.5 seconds"),
            "brightness": (self.brightness is None or 0 <= self.brightness <= 15, "0 to 15"),
        }
        for key, (good, range_) in legal.items():
            if not good:
                raise ValueError(f"{key} = {getattr(self, key)}, legal: {range_}")


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What one frame carries."""

    destination: int
    source: int
    device_type: int
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Reply:
    """Data of a reply: what it is, whether it went well, and the rest."""

    kind: tuple[int, int]
    error: int
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Status:
    """What a status reply says that matters here."""

    switched_on: bool
    areas: tuple[int, ...]


def crc16_arc(data: bytes) -> int:
    """CRC-16/ARC: reflected polynomial A001, start 0."""
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc


_ESCAPES = {0xA5: b"\xa6\x02", 0xA6: b"\xa6\x01", 0x5A: b"\x5b\x02", 0x5B: b"\x5b\x01"}
_UNESCAPED = {(code[0], code[1]): byte for byte, code in _ESCAPES.items()}


def encode_frame(destination: int, data: bytes, device_type: int = 0xFE) -> bytes:
    """A whole frame from the host, ready for the line."""
    header = struct.pack("<HH6xBBH", destination, HOST, device_type, 0x02, len(data))
    content = header + data
    content += struct.pack("<H", crc16_arc(content))
    return b"\xa5" * 8 + b"".join(_ESCAPES.get(byte, bytes([byte])) for byte in content) + b"\x5a"


def split_frames(received: bytes) -> tuple[list[bytes], bytes]:
    """Contents of the complete frames, still escaped, and the beginning of one that is not complete yet."""
    *complete, last = received.split(b"\x5a")
    contents = [piece.rpartition(b"\xa5")[2] for piece in complete if b"\xa5" in piece]
    rest = last[last.rfind(b"\xa5") :] if b"\xa5" in last else b""
    return contents, rest


def decode_frame(content: bytes) -> Frame:
    """What stands between A5 and 5A. Raises BadReply."""
    plain = _unescape(content)
    if len(plain) < 16:
        raise BadReply(f"frame of {len(plain)} bytes, at least 16 expected, in: {content.hex(' ')}")
    body, (crc,) = plain[:-2], struct.unpack("<H", plain[-2:])
    if crc != (want := crc16_arc(body)):
        raise BadReply(f"CRC is {crc:04x}, should be {want:04x}, in: {content.hex(' ')}")
    destination, source, device_type, _version, length = struct.unpack("<HH6xBBH", body[:14])
    if length != len(body) - 14:
        raise BadReply(f"{len(body) - 14} bytes of data, {length} announced, in: {content.hex(' ')}")
    return Frame(destination=destination, source=source, device_type=device_type, data=body[14:])


def _unescape(content: bytes) -> bytes:
    plain, at = bytearray(), 0
    while at < len(content):
        byte = content[at]
        if byte in (0xA6, 0x5B):
            code = content[at + 1] if at + 1 < len(content) else -1
            if (byte, code) not in _UNESCAPED:
                raise BadReply(f"illegal escape at byte {at} in: {content.hex(' ')}")
            byte = _UNESCAPED[byte, code]
            at += 1
        plain.append(byte)
        at += 1
    return bytes(plain)


def decode_reply(data: bytes) -> Reply:
    """Data of a frame from a screen. Raises BadReply."""
    if len(data) < 5:
        raise BadReply(f"reply of {len(data)} bytes, at least 5 expected: {data.hex(' ')}")
    return Reply(kind=(data[0], data[1]), error=data[2], data=data[5:])


def decode_status(data: bytes) -> Status:
    """Status after its five common bytes; a BX-5K1 leaves out the two about the special area. Raises BadReply."""
    # on/off 1, brightness 1, time 8, programmes 1, file 4, [special area 1, pages 1], count 1, ids, barcode 16, name 12
    for at in (17, 15):
        count = len(data) - at - 1 - 28
        if count >= 0 and data[at] == count and (at == 15 or data[15] <= 1):
            if data[0] not in (1, 2):
                raise BadReply(f"status says {data[0]:02x} for on or off, 01 or 02 expected: {data.hex(' ')}")
            return Status(switched_on=data[0] == 1, areas=tuple(data[at + 1 : at + 1 + count]))
    raise BadReply(f"status of {len(data)} bytes fits no known layout: {data.hex(' ')}")


def encode_brightness(level: int) -> bytes:
    """Data of the frame that sets a fixed brightness, 0 to 15."""
    return b"\xa3\x02\x01\x00\x00\x01" + bytes([level])


def encode_clock(now: datetime) -> bytes:
    """Data of the frame that sets the clock; the third byte of the parameters is as in the maker's example."""
    year = f"{now.year:04}"
    return b"\xa2\x03\x01\x08\x00" + bytes.fromhex(f"{year[2:]}{year[:2]}{now:%m%d%H%M%S}{now.isoweekday():02}")


def encode_text(text: CallText, options: OnbonOptions, *, fonts: bool = True) -> bytes:
    """Data of the frame that shows a text. Raises ValueError if it does not fit the screen."""
    lines = [glyphs(line) for line in text.text.split("\n")]
    font_px = options.font_px if fonts else 16
    columns, rows = options.width_px * 2 // font_px, options.height_px // font_px
    wrapped = [row for line in lines for row in wrap(line, columns)]
    if len(wrapped) > rows:
        raise ValueError(f"{len(wrapped)} rows of {columns} half-width cells, the screen has {rows}")
    content = _styles(text, options, fonts=fonts)
    # With line ends of its own a text is wrapped here in full; without, the card breaks it at the same places.
    content += (b"\\n" if len(lines) > 1 else b"").join(wrapped) or b" "
    area = struct.pack(
        "<BHHHHBBBHBB",
        0,  # type
        0x8000,  # x, in pixels
        0,  # y
        options.width_px | 0x8000,  # in pixels
        options.height_px,
        0,  # area number
        0,  # line spacing
        1 if text.attention else 0,  # run mode: 1 stops on the last page, 0 shows the one page for ever
        2,  # timeout, s: without effect in these run modes, as in the maker's example
        0,  # no sound
        0,  # no extension
    )
    area += bytes([
        0,  # left, top
        2,  # several lines
        1 if len(lines) > 1 else 2,  # line ends: 1 as sent, 2 by the card
        5 if text.attention else 1,  # effect: 5 moves up into place, 1 stands still
        0,  # exit
        0,  # speed: fastest
        10,  # stay: 5 s
    ])  # fmt: skip
    area += struct.pack("<I", len(content)) + content
    data = b"\xa3\x06\x01" + bytes([0, 0, 0, 1]) + struct.pack("<H", len(area)) + area
    if len(data) > LARGEST_DATA:
        raise ValueError(f"a frame of {len(data)} bytes of data, the card takes {LARGEST_DATA}")
    return data


def _styles(text: CallText, options: OnbonOptions, *, fonts: bool) -> bytes:
    styles = b""
    if fonts and options.font_px != 16:
        number = FONT_NUMBERS[options.font_px]
        styles += b"\\FO%03d\\FE%03d" % (number, number)
    if options.colors > 1:
        styles += b"\\C1" if text.attention else b"\\C2"
    return styles


_WORDS = {
    (0xA2, 0x00): ("查询是否在线", "are you there?"),
    (0xA1, 0x02): ("状态", "status"),
    (0xA2, 0x03): ("校时", "set its clock"),
    (0xA3, 0x00): ("开关屏", "switch on or off"),
    (0xA3, 0x02): ("亮度", "brightness"),
    (0xA3, 0x06): ("显示内容", "show a text"),
    (0xA3, 0x10): ("清屏", "clear"),
    (0xA0, 0x00): ("已收到", "acknowledged"),
    (0xA0, 0x01): ("拒绝", "refused"),
}


def explain(direction: str, data: bytes) -> str:
    """Meaning of some bytes for a technician, `Chinese | English`; "" where no whole frame is among them."""
    told = []
    for content in split_frames(data)[0]:
        try:
            frame = decode_frame(content)
        except BadReply:
            told.append(("帧损坏", "damaged frame"))
            continue
        screen = frame.destination if direction == ">" else frame.source
        kind = (frame.data[0], frame.data[1]) if len(frame.data) > 1 else (-1, -1)
        zh, en = _WORDS.get(kind, (f"命令 {kind[0]:02x} {kind[1]:02x}", f"command {kind[0]:02x} {kind[1]:02x}"))
        why = f"：{ERRORS[frame.data[2]]}" if kind == NACK and 0 < frame.data[2] < len(ERRORS) else ""
        told.append((f"{screen} 号屏 {zh}{why}", f"screen {screen}: {en}{why.replace('：', ', ')}"))
    return f"{'，'.join(zh for zh, _ in told)} | {', '.join(en for _, en in told)}" if told else ""


class OnbonDisplay(CallDisplay[ByteStream, OnbonOptions]):
    """One screen on its line."""

    Options = OnbonOptions
    Transport = ByteStream

    def __init__(self, device: str, link: ByteStream, options: OnbonOptions) -> None:
        super().__init__(device, link, options)
        self._fonts = True
        self._has_text = False
        self._known: frozenset[Condition] = frozenset()
        self._type = options.device_type
        self._baud = options.baud

    def hello(self) -> Identity:
        """Ping the screen, and set what the table says. Raises NoReply, BadReply, or Refused if it declines that."""
        until = time.monotonic() + _TEXT_S
        reply = self._ping(until)
        if reply.error not in (0, BUSY):
            raise self._refused("ping", reply.error)
        if self.options.brightness is not None:
            self._set("set its brightness", encode_brightness(self.options.brightness), until)
        if self.options.set_clock:
            self._set("set its clock", encode_clock(datetime.now(CHINA)), until)
        model = MODELS.get(self._type, f"type {self._type:02x}")
        return Identity(vendor="Onbon", model=model if self._baud == self.options.baud else f"{model} at {self._baud}")

    def _ping(self, until: float) -> Reply:
        """Ping at the line's speed and, where that is allowed, at the other one, which then holds."""
        try:
            return self._exchange("pinged", PING, ACK, until)
        except NoReply:
            if not self.options.search_baud:
                raise
        self._baud = sum(BAUDS) - self._baud
        self.link.set_baud(self._baud)
        return self._exchange(f"pinged at {BAUDS[0]} and {BAUDS[1]} baud", PING, ACK, until)

    def _set(self, deed: str, data: bytes, until: float) -> None:
        error = self._exchange(deed, data, ACK, until).error
        if error not in (0, BUSY):
            raise self._refused(deed, error)

    def conditions(self) -> frozenset[Condition]:
        """Ask for the status: is it switched on, does it still have its text? Raises NoReply or BadReply.

        A busy card is there, and its conditions are those of the last time.
        """
        until = time.monotonic() + self._question_s
        if self.options.address == ANY_SCREEN:
            self._exchange("pinged", PING, ACK, until)
            return frozenset()
        reply = self._exchange("asked for its status", STATUS, STATUS_REPLY, until)
        if not reply.error:
            status = self._status(reply)
            off = {Condition.SWITCHED_OFFLINE} if not status.switched_on else set()
            lost = {Condition.TEXT_LOST} if self._has_text and 0 not in status.areas else set()
            self._known = frozenset(off | lost)
        elif reply.error not in (NO_GROUP, NO_COMMAND, BUSY):
            self._known = frozenset({Condition.DEVICE_FAULT})
        return self._known

    def show(self, text: CallText) -> None:
        """Show a text; returns when the screen has acknowledged it.

        Raises Refused(TEXT_UNSUITABLE | BUSY | DEVICE_FAULT), NoReply or BadReply: it may or may not be shown then.
        """
        until = time.monotonic() + _TEXT_S
        self._encode(text)
        self._has_text = False
        error = self._send_text(text, until)
        if error == NO_FONT and self._fonts:
            self._fonts = False
            error = self._send_text(text, until)
        if error == BUSY:
            self._listen(_BUSY_WAIT_S)
            error = self._send_text(text, until)
        if error:
            raise self._refused("show a text", error)
        self._has_text = True
        self._known -= {Condition.TEXT_LOST}

    @property
    def _question_s(self) -> float:
        return NO_SILENCE_S + self.options.reply_limit_s

    def _encode(self, text: CallText) -> bytes:
        try:
            return encode_text(text, self.options, fonts=self._fonts)
        except ValueError as exc:
            raise Refused(Condition.TEXT_UNSUITABLE, f"{self.device}: a text does not fit: {exc}") from exc

    def _send_text(self, text: CallText, until: float) -> int:
        """Send it, and once more if the answer is missing or spoilt; the error number of the answer."""
        data = self._encode(text)
        try:
            return self._exchange("sent a text", data, ACK, until).error
        except (NoReply, BadReply):
            return self._exchange("sent a text twice", data, ACK, until).error

    def _exchange(self, deed: str, data: bytes, kind: tuple[int, int], until: float) -> Reply:
        """Send one request and hear this screen's answer to it, a NACK included."""
        await_silence(self.link, self.device, self.options.gap_s)
        left = until - time.monotonic()
        if left < _LEAST_S:
            raise NoReply(f"{self.device}: {deed}, no time left for it on {self.link.port}")
        frame = encode_frame(self.options.address, data, self.options.device_type)
        send(self.link, frame, self._baud, limit_s=left)
        return self._hear(deed, kind, min(until, time.monotonic() + self.options.reply_limit_s))

    def _hear(self, deed: str, kind: tuple[int, int], until: float) -> Reply:
        received, count = b"", 0
        while True:
            left = until - time.monotonic()
            more = self.link.read(4096, max(0.0, left))
            count += len(more)
            contents, received = split_frames(received + more)
            for content in contents:
                reply = self._mine(deed, content, kind)
                if reply is not None:
                    return reply
            if not more or left <= 0 or len(received) > 4 * LARGEST_DATA:
                raise NoReply(
                    f"{self.device}: {deed}, no answer from screen {self.options.address} within "
                    f"{self.options.reply_limit_s} s on {self.link.port} ({count} other bytes came)"
                )

    def _mine(self, deed: str, content: bytes, kind: tuple[int, int]) -> Reply | None:
        try:
            frame = decode_frame(content)
            if (frame.source, frame.destination) != (self.options.address, HOST):
                return None
            reply = decode_reply(frame.data)
        except BadReply as exc:
            raise BadReply(f"{self.device}: {deed}, {exc} on {self.link.port}") from exc
        if reply.kind not in (kind, NACK):
            return None
        if reply.kind == NACK and reply.error in (0, CHECKSUM):
            what = "it arrived damaged (NACK 5)" if reply.error else "a NACK without an error number came"
            raise BadReply(f"{self.device}: {deed}, {what} on {self.link.port}")
        self._type = frame.device_type
        return reply

    def _status(self, reply: Reply) -> Status:
        try:
            return decode_status(reply.data)
        except BadReply as exc:
            raise BadReply(f"{self.device}: {exc} on {self.link.port}") from exc

    def _listen(self, limit_s: float) -> None:
        until = time.monotonic() + limit_s
        while (left := until - time.monotonic()) > 0 and self.link.read(4096, left):
            pass  # nothing that comes while the card is busy is an answer

    def _refused(self, deed: str, error: int) -> Refused:
        condition = Condition.BUSY if error == BUSY else Condition.DEVICE_FAULT
        name = ERRORS[error] if error < len(ERRORS) else "unknown error"
        return Refused(condition, f"{self.device}: asked to {deed}, declined with error {error} ({name})")


DRIVER = OnbonDisplay
