"""Resident ID card reader that plugs in as a PC/SC reader.

Source: protocols/idcard.md §5; `route` says how this reader hands out what is on the card.

    flat_file     FF B0 hi lo 00 at 0000, 0100 ... 0500      256 bytes and 90 00; the last one 4 bytes and 90 00
                  together  01 00 | 04 00 | text (256) | photo (1024)              seen with one real reader (B)
    wrapped       FF 00 00 00 Lc (SAM_V request)             (SAM_V reply) 90 00   how it is wrapped is a guess (G)
    escape        SCardControl(code, SAM_V request)          (SAM_V reply)         code and wrapping are guesses (G)
    serial_only   00 36 00 00 08                             chip serial (8) 90 00 readers without a module (A/B)

With `escape` the module is asked for cards every 300 ms like one on a serial line, card in the slot or not: many such
readers never show the card to PC/SC. On all other routes the card's presence comes from PC/SC.

A card of another kind answers with an error status or with a file that does not begin 01 00 04 00. The ATR decides
nothing: the one rule known for it (bytes 13 and 14 are 90 00) was seen with a single reader. An answer without a status
word, and the slot's "card removed", mean that the card was taken away. A mute card is let go after 3 s. An answer with
61 xx goes on with GET RESPONSE (ISO 7816-4), because a record is longer than a short answer may be. A card that another
program holds for itself is waited for, and its owner is told nothing.

Limits: the photo is read because the known flat-file reader is always read whole, and dropped unseen. The CCID driver
lets an escape through only if bit 0x01 of `ifdDriverOptions` in its Info.plist is set.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from drivers.base import (
    BadReply,
    CardGone,
    CardKind,
    CardRead,
    CardReader,
    Condition,
    DeviceOptions,
    IdCard,
    Identity,
    NoReply,
    Refused,
)
from drivers.idcard_placing import PlacingWatch
from drivers.idcard_polling import FIND_INTERVAL_S, SamPolling, with_newest_address
from drivers.idcard_sam import (
    PREAMBLE,
    RECORD_BYTES,
    Command,
    Reply,
    SamReading,
    decode_record,
    encode_request,
    take_frame,
)
from drivers.idcard_sam import explain as explain_frame
from drivers.idcard_text import decode_text
from drivers.transport_pcsc import CardSlot, HeldByAnother

_CARD_LIMIT_S = 3.0
"""Everything with one card together."""
_AFTERMATH_S = 0.3
_REMOVAL_SEEN_S = 0.5
"""PC/SC looks every 0.4 s whether the card still lies there."""
_DONE = b"\x90\x00"
_NOT_FOR_THIS_CARD = frozenset({0x67, 0x68, 0x69, 0x6A, 0x6B, 0x6C, 0x6D, 0x6E})
"""First byte of statuses that say "no such command or file here", not "it went wrong"."""
_MORE_TO_FETCH = 0x61
_MOST_PARTS = 32
_FETCH_REST = bytes.fromhex("00 C0 00 00")
_READ_SERIAL = bytes.fromhex("00 36 00 00 08")


class Route(StrEnum):
    """How a reader hands out what is on the card."""

    FLAT_FILE = "flat_file"
    WRAPPED = "wrapped"
    ESCAPE = "escape"
    SERIAL_ONLY = "serial_only"


@dataclass(frozen=True, kw_only=True)
class PcscOptions(DeviceOptions):
    """Keys of a PC/SC card reader's table."""

    route: str = Route.FLAT_FILE
    template: str = ""
    """A guess (wrapped, escape): hex bytes around {frame}; {length} is its length in one byte, {length2} in two.

    Empty: "FF 00 00 00 {length} {frame}" (wrapped) or "{frame}" (escape).
    """
    control_code: int = 0x42000001
    """A guess (escape): SCARD_CTL_CODE(n) is 0x42000000 + n; the CCID driver's own escape is 1."""
    newest_address: bool = False
    """Also read what was written onto the card after it was issued (wrapped, escape)."""
    debounce_s: float = 2.0
    """The same card back within this time is the same placing; a card not seen for this time is gone."""

    def __post_init__(self) -> None:
        if self.route not in set(Route):
            raise ValueError(f"route: '{self.route}' is not one of {', '.join(Route)}")
        if not _is_template(self.frame_template):
            raise ValueError(f"template: '{self.template}' is not hex bytes around one {{frame}}")
        if not 0 < self.control_code < 1 << 32:
            raise ValueError(f"control_code: {self.control_code} is not from 1 to 4294967295")
        if self.newest_address and self.route not in {Route.WRAPPED, Route.ESCAPE}:
            raise ValueError(f"newest_address: a reader with route '{self.route}' cannot be asked for it")
        if not 0.5 <= self.debounce_s <= 10:
            raise ValueError(f"debounce_s: {self.debounce_s} is not from 0.5 to 10 seconds")

    @property
    def frame_template(self) -> str:
        """The template, or that of the route."""
        return self.template or ("{frame}" if self.route == Route.ESCAPE else "FF 00 00 00 {length} {frame}")


_LENGTHS = {"{length}": 1, "{length2}": 2}


def _is_template(template: str) -> bool:
    parts = template.split()
    bare = [part for part in parts if part != "{frame}" and part not in _LENGTHS]
    return parts.count("{frame}") == 1 and all(re.fullmatch(r"[0-9A-Fa-f]{2}", part) for part in bare)


def encode_read_binary(offset: int) -> bytes:
    """Command that reads 256 bytes of the flat file."""
    return b"\xff\xb0" + offset.to_bytes(2, "big") + b"\x00"


def encode_wrapped(request: bytes, template: str) -> bytes:
    """A SAM_V request as this reader wants it."""
    wrapped = b""
    for part in template.split():
        if part == "{frame}":
            wrapped += request
        elif part in _LENGTHS:
            wrapped += len(request).to_bytes(_LENGTHS[part], "big")
        else:
            wrapped += bytes.fromhex(part)
    return wrapped


def decode_wrapped(answer: bytes) -> Reply | None:
    """The SAM_V reply inside an answer, whatever stands around it; None if there is none."""
    return take_frame(answer)[0]


def explain(direction: str, data: bytes) -> str:
    """Meaning of some bytes for a technician, `Chinese | English`; "" where there is none."""
    at = data.find(PREAMBLE)
    if at >= 0:
        return explain_frame(direction, data[at : at + 7 + int.from_bytes(data[at + 5 : at + 7], "big")])
    if direction == "<":
        return f"状态字 {data.hex(' ')} | status {data.hex(' ')}" if len(data) == 2 else ""
    if data == _READ_SERIAL:
        return "读芯片号 | read the number of the chip"
    if data[:4] == _FETCH_REST:
        return "取其余回答 | fetch the rest of the answer"
    if data[:2] == b"\xff\xb0" and len(data) == 5:
        offset = int.from_bytes(data[2:4], "big")
        return f"读卡文件，从第 {offset} 字节 | read the card's file from byte {offset}"
    return ""


class PcscReader(CardReader[CardSlot, PcscOptions]):
    """Waits for a card in the slot and reads it by the route of this reader."""

    Options = PcscOptions
    Transport = CardSlot

    def __init__(self, device: str, link: CardSlot, options: PcscOptions) -> None:
        super().__init__(device, link, options)
        self._source = f"{device} on {link.port}"
        self._sam = SamReading(self._ask_sam, self._source)
        self._escapes = options.route == Route.ESCAPE
        # The slot always knows whether a card lies there; a module may not.
        self._watch = PlacingWatch(options.debounce_s, keeps_finding=not self._escapes)
        self._polling = SamPolling(self._sam, self._watch, self._source, newest_address=options.newest_address)
        self._changes = -1
        self._deadline = self._next_find = 0.0

    def hello(self) -> Identity:
        """Look at the slot; PC/SC names the reader, and a module that can be reached says its number."""
        self.link.card_atr(0.0)
        if not self._escapes:
            return Identity(model=self.link.reader)
        with self._reader_open():
            number = self._polling.number(self._sam.ask(Command.STATUS).status)
        return Identity(model=self.link.reader, serial=number)

    def conditions(self) -> frozenset[Condition]:
        """Look at the slot, and ask a module that can be reached for its self-test."""
        self.link.card_atr(0.0)
        if not self._escapes:
            return frozenset()
        with self._reader_open():
            return self._polling.conditions()

    def poll_card(self, limit_s: float) -> CardRead | CardGone | None:
        """Wait for a card, and read one that is new."""
        return self._poll_module(limit_s) if self._escapes else self._poll_slot(limit_s)

    def _poll_module(self, limit_s: float) -> CardRead | CardGone | None:
        wait_s = self._next_find - time.monotonic()
        # Also the way to hear that the reader is gone.
        self.link.card_atr(max(0.0, min(wait_s, limit_s)))
        if time.monotonic() < self._next_find:
            return None
        try:
            with self._reader_open():
                return self._polling.poll()
        finally:
            self._next_find = time.monotonic() + FIND_INTERVAL_S

    @contextmanager
    def _reader_open(self) -> Iterator[None]:
        self._deadline = time.monotonic() + _CARD_LIMIT_S
        try:
            self.link.connect_reader(limit_s=1.0)
            yield
        finally:
            self.link.disconnect()

    def _poll_slot(self, limit_s: float) -> CardRead | CardGone | None:
        present = self.link.card_atr(limit_s) is not None
        if self.link.changes != self._changes:
            self._changes = self.link.changes
            self._watch.pause()
        if self._watch.nobody_left(time.monotonic()):
            self._sam.forget_card()
        if not present:
            return self._watch.not_found(time.monotonic())
        if self._watch.dealt_with(time.monotonic()):
            return None
        try:
            raw, card = self._read_card()
        except Refused:
            if self._watch.refused(time.monotonic()):
                raise
            return None
        return CardRead(card=card) if self._watch.read(time.monotonic(), raw) else None

    def _read_card(self) -> tuple[bytes, IdCard]:
        """What is on the card, raw and understood. Raises Refused, BadReply or LinkError."""
        self._deadline = time.monotonic() + _CARD_LIMIT_S
        with self._connected(), self.link.private():
            if self.options.route == Route.SERIAL_ONLY:
                serial = self._ask_card(_READ_SERIAL)
                return serial, IdCard(kind=CardKind.SERIAL_ONLY, serial=serial.hex())
            text = self._read_flat_file() if self.options.route == Route.FLAT_FILE else self._read_wrapped()
            card = decode_text(text, today=date.today(), source=self._source)
            return text, with_newest_address(card, self._sam) if self.options.newest_address else card

    @contextmanager
    def _connected(self) -> Iterator[None]:
        """Power the card and let it go; silence on the way is told as what the person can do about it."""
        try:
            self.link.connect(limit_s=self._left_s())
            yield
        except HeldByAnother:
            raise
        except NoReply as exc:
            raise self._unreadable(str(exc)) from exc
        finally:
            self.link.disconnect()

    def _unreadable(self, what: str) -> Refused:
        """The refusal of a card that gave no usable answer: has it left, or does it lie badly?"""
        wait_s = min(_REMOVAL_SEEN_S, max(0.0, self._deadline + _AFTERMATH_S - time.monotonic()))
        if self.link.card_atr(wait_s) is None or self.link.changes != self._changes:
            return Refused(Condition.CARD_REMOVED_EARLY, f"{self._source}: the card left before it was read whole")
        return Refused(Condition.CARD_UNREADABLE, f"{self._source}: the card could not be read: {what}")

    def _left_s(self) -> float:
        left_s = self._deadline - time.monotonic()
        if left_s <= 0:
            raise NoReply(f"{self._source}: no time left after {_CARD_LIMIT_S} s with this card")
        return left_s

    def _transmit(self, apdu: bytes) -> bytes:
        """A whole answer with its status word. Raises NoReply where there is none."""
        answer = self._transmit_once(apdu)
        data = answer[:-2]
        for _ in range(_MOST_PARTS):
            if answer[-2] != _MORE_TO_FETCH:
                break
            answer = self._transmit_once(_FETCH_REST + answer[-1:])
            data += answer[:-2]
        return data + answer[-2:]

    def _transmit_once(self, apdu: bytes) -> bytes:
        answer = self.link.transmit(apdu, limit_s=self._left_s())
        if len(answer) < 2:
            raise NoReply(f"{len(answer)} bytes after {apdu[:5].hex(' ')}, no status word")
        return answer

    def _ask_card(self, apdu: bytes) -> bytes:
        """Data of an answer that ends 90 00. Raises Refused by what other statuses mean."""
        answer = self._transmit(apdu)
        if answer[-2:] != _DONE:
            raise self._declined(apdu.hex(" "), answer[-2:])
        return answer[:-2]

    def _declined(self, deed: str, status: bytes) -> Refused:
        sentence = f"{deed} was answered with status {status.hex(' ')}"
        if status[0] in _NOT_FOR_THIS_CARD:
            return Refused(Condition.CARD_UNKNOWN, f"{self._source}: {sentence}")
        return self._unreadable(sentence)

    def _read_flat_file(self) -> bytes:
        """Text block from the file that the reader makes of the card."""
        record = b""
        for offset in range(0, RECORD_BYTES, 256):
            part = self._ask_card(encode_read_binary(offset))
            if offset == 0 and not part.startswith(b"\x01\x00\x04\x00"):
                raise Refused(Condition.CARD_UNKNOWN, f"{self._source}: the file does not begin like an ID card's")
            if len(part) != min(256, RECORD_BYTES - offset):
                sentence = f"{self._source}: half a record, {len(part)} bytes at {offset}; discarded"
                raise Refused(Condition.CARD_UNREADABLE, sentence)
            record += part
        return decode_record(record, self._source)

    def _read_wrapped(self) -> bytes:
        """Text block through the security module behind the reader."""
        if not self._sam.find():
            raise Refused(Condition.CARD_UNKNOWN, f"{self._source}: the slot has a card, the module finds no ID card")
        return self._sam.read_text()

    def _ask_sam(self, command: Command) -> Reply:
        request = encode_wrapped(encode_request(command), self.options.frame_template)
        answer = self._escape(command, request) if self._escapes else self._transmit(request)
        reply = decode_wrapped(answer)
        if reply is not None:
            return reply
        deed = command.name.lower()
        if PREAMBLE in answer:
            raise BadReply(f"{self._source}: {deed}: no whole SAM_V frame in an answer of {len(answer)} bytes")
        if self._escapes:
            raise BadReply(f"{self._source}: {deed}: no SAM_V frame in an answer of {len(answer)} bytes")
        raise self._declined(f"{deed} in a wrapped frame", answer[-2:])

    def _escape(self, command: Command, request: bytes) -> bytes:
        personal = command in {Command.SELECT, Command.READ, Command.NEWEST_ADDRESS}
        with self.link.private() if personal else nullcontext():
            return self.link.control(self.options.control_code, request, limit_s=self._left_s())


DRIVER = PcscReader
