"""The security module of card reader twins: what SAM_V answers, and what goes wrong with module and card.

Source: protocols/idcard.md §1; what it says about real modules and marks as reported only is a verb here.

    card     ABSENT ──put──▶ PRESENT ──find──▶ FOUND ──select──▶ SELECTED ──read──▶ SPENT ──lift──▶ ABSENT
                                                                     └── read refused ──┘

A SPENT card is not found again until it is lifted; `find_a_card_that_stays` and `refuse_select_until_lifted` make it
one of the other kinds of module.
"""

from __future__ import annotations

import functools
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from sim.idcard_records import PHOTO, IdCardRecord, StrangeCard, record_of

START = b"\xaa\xaa\xaa\x96\x69"
_SPEED_OF = {0: 115200, 1: 57600, 2: 38400, 3: 19200, 4: 9600}
FIND, SELECT, READ = b"\x20\x01", b"\x20\x02", b"\x30\x01"
_NUMBER = (5, 3, 20160101, 12345, 123456789)
"""Number of the first module, from the example of the document; no two modules have the same one."""


class Card(Enum):
    """Where the card is in the reading sequence."""

    ABSENT = auto()
    PRESENT = auto()
    FOUND = auto()
    SELECTED = auto()
    SPENT = auto()


def _check(part: bytes) -> int:
    value = 0
    for byte in part:
        value ^= byte
    return value


def answer_frame(sw3: int, content: bytes = b"") -> bytes:
    """A reply as the module sends it."""
    body = (len(content) + 4).to_bytes(2, "big") + bytes([0, 0, sw3]) + content
    return START + body + bytes([_check(body)])


def request_frame(command: bytes) -> bytes:
    """A request as a program sends it, for twins of readers that ask their module by themselves."""
    body = (len(command) + 1).to_bytes(2, "big") + command
    return START + body + bytes([_check(body)])


@dataclass(kw_only=True)
class SamFaults:
    """What is wrong with the module or the card at present."""

    sw3: dict[bytes, list[int]] = field(default_factory=dict)
    """Command → statuses of its next answers."""
    self_test: int = 0x90
    lift_at_read: bool = False
    gone_before: bytes = b""
    """The card leaves just before this command is done."""
    strict_order: bool = False


class SamModule:
    """The module itself: one request frame in, one reply frame out."""

    def __init__(self) -> None:
        self.record: IdCardRecord | None = None
        self.number = _NUMBER
        self.card = Card.ABSENT
        self.faults = SamFaults()
        self.photo = PHOTO
        self.finds_again = False
        self.selects_once = False
        self.commands: list[bytes] = []
        """Every request that was understood: CMD and PARA."""
        self.records_read = 0
        self.new_speed: int | None = None
        """Set by the command that changes it, for whoever owns the line."""

    def put(self, record: IdCardRecord) -> None:
        """A card is laid on; one that lay there is taken away."""
        self.record, self.card = record, Card.PRESENT

    def lift(self) -> None:
        """The card is taken away."""
        self.record, self.card = None, Card.ABSENT

    def answer(self, frame: bytes) -> bytes:
        """Reply to a whole frame, whose LEN has been believed."""
        covered, check = frame[5:-1], frame[-1]
        if _check(covered) != check:
            return answer_frame(0x10)
        command, rest = covered[2:4], covered[4:]
        if len(command) < 2 or rest:
            return answer_frame(0x11)
        self.commands.append(command)
        if self.faults.gone_before == command:
            self.faults.gone_before = b""
            self.lift()
        forced = self.faults.sw3.get(command)
        if forced:
            return self._fail(forced.pop(0))
        deed = self._deeds().get(command)
        return deed() if deed is not None else answer_frame(0x21)

    def _deeds(self) -> dict[bytes, Callable[[], bytes]]:
        deeds: dict[bytes, Callable[[], bytes]] = {
            b"\x10\xff": lambda: answer_frame(0x90),
            b"\x11\xff": lambda: answer_frame(self.faults.self_test),
            b"\x12\xff": lambda: answer_frame(0x90, struct.pack("<HHIII", *self.number)),
            FIND: self._find,
            SELECT: self._select,
            READ: lambda: self._read(fingers=False),
            b"\x30\x10": lambda: self._read(fingers=True),
            b"\x30\x03": self._read_extra_address,
        }
        for code, speed in _SPEED_OF.items():
            deeds[bytes([0x60, code])] = functools.partial(self._set_speed, speed)
        return deeds

    def _fail(self, sw3: int) -> bytes:
        """An answer that was ordered; after a failed read the card must be lifted."""
        if sw3 in {0x31, 0x32, 0x33, 0x40, 0x41, 0x47} and self.card is Card.SELECTED:
            self._spend()
        return answer_frame(sw3)

    def _spend(self) -> None:
        self.card = Card.PRESENT if self.finds_again else Card.SPENT

    def _find(self) -> bytes:
        if self.card is Card.SPENT and self.selects_once:
            return answer_frame(0x9F, bytes(4))
        if self.card in {Card.ABSENT, Card.SPENT}:
            return answer_frame(0x80)
        self.card = Card.FOUND
        return answer_frame(0x9F, bytes(4))

    def _select(self) -> bytes:
        if self.card is not Card.FOUND:
            return answer_frame(0x23 if self.faults.strict_order else 0x81)
        self.card = Card.SELECTED
        return answer_frame(0x90, bytes(8))

    def _read(self, *, fingers: bool) -> bytes:
        if self.faults.lift_at_read:
            self.faults.lift_at_read = False
            self.lift()
        if self.card is not Card.SELECTED or self.record is None:
            return answer_frame(0x23 if self.faults.strict_order else 0x41)
        text = self.record.text_block()
        lengths, prints = struct.pack(">HH", len(text), len(self.photo)), b""
        if fingers:
            prints = bytes(512) * self.record.fingerprints
            lengths += struct.pack(">H", len(prints))
        self._spend()
        self.records_read += 1
        return answer_frame(0x90, lengths + text + self.photo + prints)

    def _read_extra_address(self) -> bytes:
        if self.record is None:
            return answer_frame(0x41)
        if not self.record.extra_address:
            return answer_frame(0x91)
        return answer_frame(0x90, self.record.extra_address.ljust(35).encode("utf-16-le"))

    def _set_speed(self, speed: int) -> bytes:
        self.new_speed = speed
        return answer_frame(0x90)


def number_of(device: str) -> tuple[int, int, int, int, int]:
    """Number of the module in this device: the first one's, counted on by the number in its name."""
    count = int("".join(filter(str.isdigit, device)) or 1)
    return (*_NUMBER[:4], _NUMBER[4] + count - 1)


class SamVerbs:
    """What people do at a reader, and what goes wrong in it; for any twin with a module."""

    sam: SamModule
    lock: threading.RLock

    def put(self, resident: str | IdCardRecord) -> None:
        """Lay a card on the reader: a fictitious resident by name, or any record."""
        with self.lock:
            self.sam.put(record_of(resident))

    def lift(self) -> None:
        """Take the card away."""
        with self.lock:
            self.sam.lift()

    @property
    def card(self) -> Card:
        """Where the card is in the reading sequence."""
        return self.sam.card

    def lift_during_read(self) -> None:
        """The card will be taken away while it is next being read."""
        with self.lock:
            self.sam.faults.lift_at_read = True

    def lift_before_select(self) -> None:
        """The card will be taken away between find and select."""
        with self.lock:
            self.sam.faults.gone_before = SELECT

    def fail_authentication(self, sw3: int = 0x32, times: int = 1) -> None:
        """The next reads end without authentication: 32 the module doubts the card, 31 the card doubts the module."""
        self.refuse(READ, *[sw3] * times)

    def refuse(self, command: bytes, *sw3: int) -> None:
        """The next requests of this command get these statuses, one each."""
        with self.lock:
            self.sam.faults.sw3[command] = list(sw3)

    def spoil_check_digit(self) -> None:
        """The card that lies there has a number that cannot be right."""
        with self.lock:
            if self.sam.record is not None:
                self.sam.record = self.sam.record.with_wrong_check_digit()

    def fail_self_test(self) -> None:
        """The module reports itself broken."""
        with self.lock:
            self.sam.faults.self_test = 0x60

    def lose_authorisation(self) -> None:
        """The module reports that it is not authorised."""
        with self.lock:
            self.sam.faults.self_test = 0x66

    def answer_wrong_order_with_23(self) -> None:
        """Be one of the modules that answer 23 where others answer 81 or 41."""
        with self.lock:
            self.sam.faults.strict_order = True

    def find_a_card_that_stays(self) -> None:
        """Be one of the modules that find a card again and again while it lies there; `recover` does not change it."""
        with self.lock:
            self.sam.finds_again = True

    def refuse_select_until_lifted(self) -> None:
        """Be one of the modules that find a card that was read and do not select it; `recover` does not change it."""
        with self.lock:
            self.sam.selects_once = True

    def put_preamble_in_photo(self, looks_like: bytes = answer_frame(0x90)) -> None:
        """Photos contain what looks like a whole frame, or like the beginning of one."""
        with self.lock:
            self.sam.photo = (PHOTO[:100] + looks_like + PHOTO)[:1024]

    def put_strange_layout(self) -> None:
        """Lay on an ID card with a layout that nobody has published yet."""
        self.put(StrangeCard())
