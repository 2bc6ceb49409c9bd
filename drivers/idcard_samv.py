"""Resident ID card reader with a SAM_V module on a serial line or a serial server.

Source: protocols/idcard.md §1; frames, statuses and the reading sequence are in idcard_sam, the text in idcard_text.

    find    AA AA AA 96 69 00 03 20 01 22      found AA AA AA 96 69 00 08 00 00 9F 00 00 00 00 97
                                               none  AA AA AA 96 69 00 04 00 00 80 84
    select  AA AA AA 96 69 00 03 20 02 21      done  AA AA AA 96 69 00 0C 00 00 90 (8 bytes) CHK
    read    AA AA AA 96 69 00 03 30 01 32      done  AA AA AA 96 69 05 08 00 00 90 01 00 04 00 (text) (photo) CHK

Strict request and reply; find at most every 300 ms. The line can lose, add and damage bytes: a frame ends where its LEN
says, a reply that stays in pieces or has a wrong CHK is dropped whole. A record that came broken is read once more in
the same call if the card still lies there; if it has left, the person is told so.

After a read many modules answer find with 80 until the card is lifted, others go on finding it; idcard_placing makes
one visit of both. With the first kind CardGone comes `debounce_s` after the read, wherever the card is. Some modules
answer 80 also after a read that failed: then CARD_REMOVED_EARLY is told where CARD_UNREADABLE would be right.

Limits: the module must already run at `baud` (115200 from the factory); it is not searched and not changed.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from datetime import date

from drivers.base import BadReply, CardGone, CardRead, CardReader, Condition, Identity, NoReply, Refused, SerialOptions
from drivers.idcard_placing import PlacingWatch
from drivers.idcard_sam import (
    DONE,
    NOT_AUTHORISED,
    SELF_TEST_FAILED,
    Command,
    Reply,
    SamReading,
    decode_sam_id,
    encode_request,
    explain,  # noqa: F401 - the live trace asks the driver's module for it
    take_frame,
    take_frame_after_silence,
)
from drivers.idcard_text import decode_text
from drivers.transport import ByteStream

_BAUDS = (9600, 19200, 38400, 57600, 115200)
_FIND_INTERVAL_S = 0.3
_SILENCE_IN_FRAME_S = 0.5
_SHORTEST_FRAME = 11
"""Once as much as a frame was heard and none was whole, a pause like the one above ends the wait."""
_EXCHANGES_LIMIT_S = 3.5
"""All requests of one call together; what the wait for a card adds keeps the call below 4 s."""
_REPLY_LIMIT_S = 1.0
_RECORD_LIMIT_S = 3.0
_WRITE_LIMIT_S = 0.3
_SHORTEST_EXCHANGE_S = 0.05
_AWAKE_TRIES = 3
"""A module that was just powered answers after about 1 s."""
_MOST_HEARD = 16384
_PERSONAL = frozenset({Command.SELECT, Command.READ})
"""The reply of SELECT may hold the serial number of the chip."""


@dataclass(frozen=True, kw_only=True)
class SamVOptions(SerialOptions):
    """Keys of a SAM_V reader's table."""

    baud: int = 115200
    debounce_s: float = 2.0
    """The same card back within this time is the same placing; a card not seen for this time is gone."""

    def __post_init__(self) -> None:
        if self.baud not in _BAUDS:
            raise ValueError(f"baud: {self.baud} is not one of {', '.join(map(str, _BAUDS))}")
        if not 0.5 <= self.debounce_s <= 10:
            raise ValueError(f"debounce_s: {self.debounce_s} is not from 0.5 to 10 seconds")


class SamVReader(CardReader[ByteStream, SamVOptions]):
    """Finds, selects and reads through the security module."""

    Options = SamVOptions
    Transport = ByteStream

    def __init__(self, device: str, link: ByteStream, options: SamVOptions) -> None:
        super().__init__(device, link, options)
        self._source = f"{device} on {link.port}"
        self._sam = SamReading(self._ask, self._source)
        self._watch = PlacingWatch(options.debounce_s)
        self._deadline = 0.0
        self._next_find = 0.0
        self._card_data_on_line = False
        self._find_fails = False

    def hello(self) -> Identity:
        """Wait until the module answers, reset it if its self-test failed, and read its number."""
        self._begin()
        if self._status_when_awake() != DONE:
            self._sam.ask(Command.RESET)
        reply = self._sam.ask(Command.SAM_ID)
        serial = decode_sam_id(reply.data, self._source) if reply.status == DONE else ""
        return Identity(model="SAM_V", serial=serial)

    def conditions(self) -> frozenset[Condition]:
        """Self-test of the module, and whether it could look for cards lately."""
        self._begin()
        status = self._sam.ask(Command.STATUS).status
        if status in {SELF_TEST_FAILED, NOT_AUTHORISED} or self._find_fails:
            return frozenset({Condition.DEVICE_FAULT})
        if status == DONE:
            return frozenset()
        raise BadReply(f"{self._source}: status was answered with SW3 {status:02X}")

    def poll_card(self, limit_s: float) -> CardRead | CardGone | None:
        """Look for a card, and read one that is new."""
        if not self._find_is_due(limit_s):
            return None
        self._begin()
        self._next_find = time.monotonic() + _FIND_INTERVAL_S
        try:
            found = self._sam.find()
            self._find_fails = False
        except Refused:
            # A broken module is told once as a condition, not to every resident as a refusal.
            self._find_fails = True
            return None
        if not found:
            return self._watch.not_found(time.monotonic())
        return None if self._watch.dealt_with(time.monotonic()) else self._read_placed_card()

    def _read_placed_card(self) -> CardRead | None:
        try:
            text = self._sam.read_text()
            card = decode_text(text, today=date.today(), source=self._source)
        except Refused:
            if self._watch.refused(time.monotonic()):
                raise
            return None
        finally:
            self._next_find = time.monotonic() + _FIND_INTERVAL_S
        return CardRead(card=card) if self._watch.read(time.monotonic(), text) else None

    def _find_is_due(self, limit_s: float) -> bool:
        """Wait for the next turn to ask; False if it does not come within limit_s."""
        wait_s = self._next_find - time.monotonic()
        if wait_s > 0:
            # Nothing is expected: reading is the way to wait, and what comes is late and nobody's.
            with self.link.private():
                self.link.read(4096, min(wait_s, limit_s))
        return wait_s <= limit_s

    def _begin(self) -> None:
        self._deadline = time.monotonic() + _EXCHANGES_LIMIT_S

    def _status_when_awake(self) -> int:
        for _ in range(_AWAKE_TRIES - 1):
            with contextlib.suppress(NoReply, BadReply):
                return self._sam.ask(Command.STATUS).status
        return self._sam.ask(Command.STATUS).status

    def _ask(self, command: Command) -> Reply:
        """One exchange on the line."""
        deed = command.name.lower().replace("_", " ")
        left_s = self._deadline - time.monotonic()
        limit_s = min(left_s, _RECORD_LIMIT_S if command is Command.READ else _REPLY_LIMIT_S)
        if left_s < _SHORTEST_EXCHANGE_S:
            raise NoReply(f"{self._source}: no time left to {deed} after {_EXCHANGES_LIMIT_S} s")
        deadline = time.monotonic() + limit_s
        with self.link.private():
            self.link.drop_input()
        self.link.write(encode_request(command), limit_s=min(left_s, _WRITE_LIMIT_S))
        personal = command in _PERSONAL or self._card_data_on_line
        if command is Command.READ:
            self._card_data_on_line = True
        with self.link.private() if personal else contextlib.nullcontext():
            reply, heard = self._receive(deadline)
        if reply is not None:
            self._card_data_on_line = False
            return reply
        if not heard:
            raise NoReply(f"{self._source}: asked to {deed}, no byte within {limit_s:.1f} s")
        shown = f"{len(heard)} bytes" if personal else heard[:64].hex(" ")
        raise BadReply(f"{self._source}: asked to {deed}, no whole frame in what came: {shown}")

    def _receive(self, deadline: float) -> tuple[Reply | None, bytes]:
        """The first whole frame before the deadline, and everything heard."""
        heard = waiting = b""
        while (left_s := deadline - time.monotonic()) > 0 and len(heard) < _MOST_HEARD:
            begun = len(heard) >= _SHORTEST_FRAME
            more = self.link.read(4096, min(left_s, _SILENCE_IN_FRAME_S) if begun else left_s)
            if not more:
                break
            heard += more
            reply, waiting = take_frame(waiting + more)
            if reply is not None:
                return reply, heard
        return take_frame_after_silence(waiting), heard


DRIVER = SamVReader
