"""Window display on a two-colour strip of the A0 90 bus; several share one RS-485 line.

Source: protocols/displays.md §4.1 (A), from a maker's document whose example is verified.

    A0 90 | ADD | A5 | length, high byte first | {character, colour}… | XOR      XOR from ADD to the last colour
    reply    A0 90 | ADD | A5 | AA shown, 55 failed                             no check byte

A character is one byte ASCII or two bytes GB2312, each followed by its colour: 0 red, 1 green, 2 yellow. The length
counts these. A strip shows a text at once and knows nothing else: no question, no flashing, no brightness. So hello()
shows a blank, which the hall fills at once, and conditions() sends the text again that should be shown (the blank
before the first one): its answer proves that the strip is there, and a strip that lost its power has its text again.

What the line can do wrong: as with every display of a bus, answers of other addresses and echoes of our own frames are
passed over, and a late one is dropped before the next frame; one that comes even later cannot be told from its
successor. 55, silence or a damaged answer → the same frame once more (it does no harm), then Refused(DEVICE_FAULT),
NoReply or BadReply.

A text that is longer than `columns` is refused; nothing scrolls away. A call is red, any other text green.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import xor

from drivers.base import BadReply, CallDisplay, CallText, Condition, Identity, NoReply, Refused, SerialOptions
from drivers.display_line import await_silence, hear, send, wire_s
from drivers.display_text import one_row
from drivers.transport import ByteStream
from drivers.wire_words import DAMAGED, Words, two_languages

RED, GREEN = 0, 1
SHOWN, FAILED = 0xAA, 0x55
LONGEST_TEXT = 384
"""Bytes between length and XOR that a frame of ours can have: 128 columns of ASCII take 256, of Chinese 192."""
_TEXT_S = 3.4
_LEAST_S = 0.1


@dataclass(frozen=True, kw_only=True)
class TwoColourOptions(SerialOptions):
    """Keys of the strip's table."""

    address: int
    """Number of the strip, 0 to 255."""
    columns: int
    """Half-width characters of its row."""
    reply_limit_s: float = 0.5
    """A guess: the document names no time."""
    gap_s: float = 0.1
    """Silence before a frame."""

    def __post_init__(self) -> None:
        legal = {
            "baud": (self.baud == 9600, "9600"),
            "address": (0 <= self.address <= 255, "0 to 255"),
            "columns": (4 <= self.columns <= 128, "4 to 128"),
            "reply_limit_s": (0.1 <= self.reply_limit_s <= 1.0, "0.1 to 1 seconds"),
            "gap_s": (0.0 <= self.gap_s <= 0.5, "0 to 0.5 seconds"),
        }
        for key, (good, range_) in legal.items():
            if not good:
                raise ValueError(f"{key} = {getattr(self, key)}, legal: {range_}")


def encode_text(address: int, characters: list[tuple[bytes, int]]) -> bytes:
    """A frame that shows these characters, each in its colour."""
    block = b"".join(character + bytes([color]) for character, color in characters)
    content = bytes([address, 0xA5]) + len(block).to_bytes(2, "big") + block
    return b"\xa0\x90" + content + bytes([reduce(xor, content)])


def find_reply(received: bytes, address: int) -> tuple[int | None, bytes]:
    """AA or 55 from this strip, and what follows it or may begin an answer. Raises BadReply for any other byte."""
    head = bytes([0xA0, 0x90, address, 0xA5])
    while (at := received.find(head)) >= 0:
        received = received[at:]
        if len(received) <= len(head):
            return None, received
        said, received = received[len(head)], received[len(head) + 1 :]
        if said in (SHOWN, FAILED):
            return said, received
        # An adapter that echoes sends our own frame back: the high byte of its length stands here.
        if said > LONGEST_TEXT >> 8:
            raise BadReply(f"answered {said:02x}, aa or 55 expected")
    return None, received[-len(head) :]


def explain(direction: str, data: bytes) -> str:
    """Meaning of some bytes for a technician, `Chinese | English`; "" where no whole frame is among them."""
    return two_languages(_sent(data) if direction == ">" else _heard(data))


def _sent(data: bytes) -> Iterator[Words]:
    while (at := data.find(b"\xa0\x90")) >= 0 and len(data) >= at + 6:
        size = 7 + int.from_bytes(data[at + 4 : at + 6], "big")
        frame, data = data[at : at + size], data[at + size :]
        if len(frame) == size:
            sound = frame[3] == 0xA5 and reduce(xor, frame[2:]) == 0
            yield (f"{frame[2]} 号屏 显示内容", f"screen {frame[2]}: show a text") if sound else DAMAGED


def _heard(data: bytes) -> Iterator[Words]:
    verdicts = {SHOWN: ("已显示", "shown"), FAILED: ("显示失败", "failed")}
    while (at := data.find(b"\xa0\x90")) >= 0 and len(data) >= at + 5:
        address, said, data = data[at + 2], data[at + 4], data[at + 5 :]
        zh, en = verdicts.get(said, (f"回答 {said:02x}", f"answered {said:02x}"))
        yield f"{address} 号屏 {zh}", f"screen {address}: {en}"


class TwoColourDisplay(CallDisplay[ByteStream, TwoColourOptions]):
    """One strip on its line."""

    Options = TwoColourOptions
    Transport = ByteStream

    def __init__(self, device: str, link: ByteStream, options: TwoColourOptions) -> None:
        super().__init__(device, link, options)
        self._frame = self._encode(CallText(text=""))
        """What should be shown."""

    def hello(self) -> Identity:
        """Show a blank: there is no question. Raises NoReply, BadReply or Refused(DEVICE_FAULT)."""
        self._frame = self._encode(CallText(text=""))
        self._show("blanked it")
        return Identity(vendor="A0 90 bus", model="two-colour strip")

    def conditions(self) -> frozenset[Condition]:
        """Send again what should be shown. Raises NoReply or BadReply."""
        try:
            self._show("sent its text again")
        except Refused as exc:
            return frozenset({exc.condition})
        return frozenset()

    def show(self, text: CallText) -> None:
        """Show a text; returns when the strip has confirmed it.

        Raises Refused(TEXT_UNSUITABLE | DEVICE_FAULT), NoReply or BadReply: it may or may not be shown then.
        """
        self._frame = self._encode(text)
        self._show("sent a text")

    def _encode(self, text: CallText) -> bytes:
        try:
            row = one_row(text.text, self.options.columns)
        except ValueError as exc:
            raise Refused(Condition.TEXT_UNSUITABLE, f"{self.device}: a text does not fit: {exc}") from exc
        color = RED if text.attention else GREEN
        return encode_text(self.options.address, [(character, color) for character in row])

    def _show(self, deed: str) -> None:
        until = time.monotonic() + _TEXT_S
        try:
            if self._exchange(deed, until) == SHOWN:
                return
        except (NoReply, BadReply):
            pass  # the frame or its answer was lost; the second time the error is the caller's
        if self._exchange(f"{deed} twice", until) == FAILED:
            raise Refused(Condition.DEVICE_FAULT, f"{self.device}: {deed} twice, it answered that it failed (55)")

    def _exchange(self, deed: str, until: float) -> int:
        await_silence(self.link, self.device, self.options.gap_s)
        left = until - time.monotonic()
        if left < _LEAST_S:
            raise NoReply(f"{self.device}: {deed}, no time left for it on {self.link.port}")
        send(self.link, self._frame, self.options.baud, limit_s=left)
        limit_s = self.options.reply_limit_s + wire_s(len(self._frame), self.options.baud)
        try:
            said, count = hear(
                self.link,
                min(until, time.monotonic() + limit_s),
                lambda received: find_reply(received, self.options.address),
            )
        except BadReply as exc:
            raise BadReply(f"{self.device}: {deed}, {exc} on {self.link.port}") from exc
        if said is None:
            raise NoReply(
                f"{self.device}: {deed}, no answer from strip {self.options.address} within "
                f"{self.options.reply_limit_s} s on {self.link.port} ({count} other bytes came)"
            )
        return said


DRIVER = TwoColourDisplay
