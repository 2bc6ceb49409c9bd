"""Resident ID card reader with a SAM_V module on a serial line or a serial server.

Source: protocols/idcard.md §1 (A; habits of single modules B and C); frames, statuses and the reading sequence are in
idcard_sam, the text in idcard_text.

    find    AA AA AA 96 69 00 03 20 01 22      found AA AA AA 96 69 00 08 00 00 9F 00 00 00 00 97
                                               none  AA AA AA 96 69 00 04 00 00 80 84
    select  AA AA AA 96 69 00 03 20 02 21      done  AA AA AA 96 69 00 0C 00 00 90 (8 bytes) CHK
    read    AA AA AA 96 69 00 03 30 01 32      done  AA AA AA 96 69 05 08 00 00 90 01 00 04 00 (text) (photo) CHK

Strict request and reply; find at most every 300 ms. The line can lose, add and damage bytes: a frame ends where its LEN
says, a reply that stays in pieces or has a wrong CHK is dropped whole. A record that came broken is read once more in
the same call if the card still lies there; if it has left, the person is told so.

After a read many modules answer find with 80 until the card is lifted, others go on finding it, some of them without
letting it be selected (81); idcard_placing makes one visit of all. With the first kind CardGone comes `debounce_s`
after the read, wherever the card is. Some modules answer 80 also after a read that failed: then CARD_REMOVED_EARLY is
told where CARD_UNREADABLE would be right.

A module that is silent at `baud` is looked for at the other speeds (115200, 57600, 38400, 19200, 9600); where it
answers is remembered for this port while the program runs, and shown in the place of its firmware. Its speed is never
changed. A raw TCP port has no speed: there the serial server's settings count.

Limits: the USB, HID and vendor-wrapped forms (§1.9) are not spoken; a bridge to a serial line or TCP is.
"""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass

from drivers.base import (
    BadReply,
    CardGone,
    CardRead,
    CardReader,
    Condition,
    Identity,
    NoReply,
    SerialOptions,
)
from drivers.idcard_placing import PlacingWatch
from drivers.idcard_polling import FIND_INTERVAL_S, SamPolling
from drivers.idcard_sam import (
    AnswerSearch,
    Command,
    Reply,
    SamReading,
    encode_request,
    explain,  # noqa: F401 - the live trace asks the driver's module for it
    explain_bytes,  # noqa: F401 - and for this
    stand_in,
)
from drivers.transport import ByteStream

_BAUDS = (115200, 57600, 38400, 19200, 9600)
_ANSWERED_AT: dict[str, int] = {}
"""Port → speed at which a module was found there: a link that is opened anew begins with it."""
_SILENCE_IN_FRAME_S = 0.5
"""Once as much as a frame was heard and none was whole, a pause like this ends the wait."""
_EXCHANGES_LIMIT_S = 3.5
"""All requests of one call together; what the wait for a card adds keeps the call below 4 s."""
_REPLY_LIMIT_S = 1.0
_RECORD_LIMIT_S = 3.0
_WRITE_LIMIT_S = 0.3
_OTHER_SPEED_LIMIT_S = 0.25
"""At the slowest speed a question and its answer take 22 ms."""
_SHORTEST_EXCHANGE_S = 0.05
_MOST_HEARD = 16384
_PERSONAL = frozenset({Command.SELECT, Command.READ, Command.NEWEST_ADDRESS})
"""The reply of SELECT may hold the serial number of the chip."""


@dataclass(frozen=True, kw_only=True)
class SamVOptions(SerialOptions):
    """Keys of a SAM_V reader's table."""

    baud: int = 115200
    debounce_s: float = 2.0
    """The same card back within this time is the same placing; a card not seen for this time is gone."""
    newest_address: bool = False
    """Also read what was written onto the card after it was issued (追加地址); 0.1 s more for each card."""

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
        sam, watch = SamReading(self._ask, self._source), PlacingWatch(options.debounce_s)
        self._polling = SamPolling(sam, watch, self._source, newest_address=options.newest_address)
        self._deadline = 0.0
        self._next_find = 0.0
        self._card_data_on_line = False

    def hello(self) -> Identity:
        """Look for the module at its speeds, reset it if its self-test failed, and read its number."""
        self._begin()
        baud, status = self._find_speed()
        # A module says nothing of its firmware; what a technician has to put right stands there.
        found = "" if baud == self.options.baud else f"at {baud} baud, not {self.options.baud}"
        return Identity(model="SAM_V", firmware=found, serial=self._polling.number(status))

    def conditions(self) -> frozenset[Condition]:
        """Self-test of the module, and whether it could look for cards lately."""
        self._begin()
        return self._polling.conditions()

    def poll_card(self, limit_s: float) -> CardRead | CardGone | None:
        """Look for a card, and read one that is new."""
        if not self._find_is_due(limit_s):
            return None
        self._begin()
        try:
            return self._polling.poll()
        finally:
            self._next_find = time.monotonic() + FIND_INTERVAL_S

    def _find_is_due(self, limit_s: float) -> bool:
        """Wait for the next turn to ask; False if it does not come within limit_s."""
        wait_s = self._next_find - time.monotonic()
        if wait_s > 0:
            # Nothing is expected: reading is the way to wait, and what comes is late and nobody's.
            with self.link.private(stand_in):
                self.link.read(4096, min(wait_s, limit_s))
        return wait_s <= limit_s

    def _begin(self) -> None:
        self._deadline = time.monotonic() + _EXCHANGES_LIMIT_S

    def _find_speed(self) -> tuple[int, int]:
        """Speed at which the module answers, and its status. Raises NoReply or BadReply if it answers at none.

        The likely speed is tried first and last: a module that was just powered answers after about 1 s.
        """
        likely = _ANSWERED_AT.get(self.link.port, self.options.baud)
        others = [baud for baud in _BAUDS if baud != likely] if self.link.has_speed else [likely]
        for baud in (likely, *others):
            limit_s = _REPLY_LIMIT_S if baud == likely else _OTHER_SPEED_LIMIT_S
            with contextlib.suppress(NoReply, BadReply):
                return self._try_speed(baud, limit_s)
        return self._try_speed(likely, _REPLY_LIMIT_S)

    def _try_speed(self, baud: int, limit_s: float) -> tuple[int, int]:
        self.link.set_baud(baud)
        status = self._ask(Command.STATUS, limit_s).status
        _ANSWERED_AT[self.link.port] = baud
        return baud, status

    def _ask(self, command: Command, limit_s: float = _REPLY_LIMIT_S) -> Reply:
        """One exchange on the line; a record may take longer than limit_s."""
        left_s = self._deadline - time.monotonic()
        limit_s = min(left_s, _RECORD_LIMIT_S if command is Command.READ else limit_s)
        if left_s < _SHORTEST_EXCHANGE_S:
            raise NoReply(f"{self._source}: no time left to {command.deed} after {_EXCHANGES_LIMIT_S} s")
        deadline = time.monotonic() + limit_s
        with self.link.private(stand_in):
            self.link.drop_input()
        self.link.write(encode_request(command), limit_s=min(left_s, _WRITE_LIMIT_S))
        personal = command in _PERSONAL or self._card_data_on_line
        if command in {Command.READ, Command.NEWEST_ADDRESS}:
            self._card_data_on_line = True
        with self.link.private(stand_in) if personal else contextlib.nullcontext():
            reply, heard = self._receive(command, deadline)
        if reply is not None:
            self._card_data_on_line = False
            return reply
        if not heard:
            raise NoReply(f"{self._source}: asked to {command.deed}, no byte within {limit_s:.1f} s")
        shown = f"{len(heard)} bytes" if personal else heard[:64].hex(" ")
        raise BadReply(f"{self._source}: asked to {command.deed}, no whole frame in what came: {shown}")

    def _receive(self, command: Command, deadline: float) -> tuple[Reply | None, bytes]:
        """The answer to the command before the deadline, and everything heard."""
        search = AnswerSearch(command)
        while (left_s := deadline - time.monotonic()) > 0 and len(search.heard) < _MOST_HEARD:
            more = self.link.read(4096, min(left_s, _SILENCE_IN_FRAME_S) if search.begun else left_s)
            if not more:
                break
            if (reply := search.take(more)) is not None:
                return reply, search.heard
        return search.give_up(), search.heard


DRIVER = SamVReader
