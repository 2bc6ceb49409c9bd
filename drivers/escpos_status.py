"""What ESC/POS printers say: mixed replies told apart, and status bytes as conditions.

Source: protocol notes "Ticket printers (ESC/POS)" §3.1 to §3.6, and §4 for Custom's full status (B). Knows no commands
and no links.

    DLE EOT 1 to 4       0xx1xx10                          GS r, ESC v    0xx0xxxx
    automatic status     0xx1xx00 0xx0xxxx three times     GS I           5F text 00
    full status          10 0F paper user recov unrecov    blocks         37 kind text 00
"""

from __future__ import annotations

from dataclasses import dataclass, field

from drivers.base import BadReply, Condition

XON, XOFF = 0x11, 0x13
JOB_DONE = 0x22
CLEARED = 0x25


@dataclass
class Replies:
    """Sorts the bytes that a printer sends; may be fed in any pieces."""

    held: bool = False
    """Whether the last word on flow control was XOFF."""
    full_status: bool = False
    """Whether the printer is one of those whose six bytes begin with 10, and that send no automatic status."""
    statuses: bytearray = field(default_factory=bytearray)
    """Answers to DLE EOT 1 to 4, in order."""
    queued: bytearray = field(default_factory=bytearray)
    """Answers to GS r, GS I 1 to 3, ESC v."""
    texts: list[str] = field(default_factory=list)
    """Answers to GS I 41 and above."""
    automatic: list[bytes] = field(default_factory=list)
    """Automatic status, four bytes each."""
    full: list[bytes] = field(default_factory=list)
    """Answers to Custom's DLE EOT 14h, six bytes each."""
    blocks: list[tuple[int, str]] = field(default_factory=list)
    """Kind and text of blocks with the head 37: job done, buffers cleared."""
    strays: bytearray = field(default_factory=bytearray)
    """What fits nowhere: noise."""
    _frame: bytearray | None = None
    _skip: int = 0
    _block: bytearray | None = None

    def feed(self, data: bytes) -> None:
        for byte in data:
            if byte in (XON, XOFF) and not (self.full_status and self._frame):
                # It may stand anywhere, also inside a block or a frame; only a full status may hold such a byte itself.
                self.held = byte == XOFF
            elif not (self._in_block(byte) or self._in_frame(byte) or self._in_unknown(byte)):
                self._sort(byte)

    def begun_frame_only(self) -> Replies:
        """A fresh sorter that has forgotten everything but the automatic status that just began."""
        return Replies(held=self.held, full_status=self.full_status, _frame=None if self.full_status else self._frame)

    def _sort(self, byte: int) -> None:
        if byte & 0x93 == 0x12:
            self.statuses.append(byte)
        elif byte & 0x93 == 0x10:
            self._frame = bytearray([byte])
        elif byte in (0x5F, 0x3D, 0x37):
            self._block = bytearray([byte])
        elif byte == 0x39:
            # An extended automatic frame of unknown length: rather lose a fence answer in it than invent one.
            self._skip = 64
        elif byte & 0x90 == 0:
            self.queued.append(byte)
        else:
            self.strays.append(byte)

    def _in_frame(self, byte: int) -> bool:
        frame = self._frame
        if frame is None:
            return False
        if self.full_status:
            frame.append(byte)
            if len(frame) == 6:
                self._frame = None
                self.full.append(bytes(frame))
            return True
        if byte & 0x90 == 0:
            frame.append(byte)
            if len(frame) == 4:
                self._frame = None
                self.automatic.append(bytes(frame))
            return True
        # Urgent answers may stand inside a frame; its rest must not be read as a fence answer.
        if byte & 0x93 != 0x12:
            self._frame = None
        return False

    def _in_unknown(self, byte: int) -> bool:
        if self._skip and byte & 0x90 == 0:
            self._skip -= 1
            return True
        self._skip = 0
        return False

    def _in_block(self, byte: int) -> bool:
        if self._block is None:
            return False
        if 0x20 <= byte < 0x7F and len(self._block) < 80:
            self._block.append(byte)
            return True
        block, self._block = self._block, None
        if byte == 0 and block[0] == 0x5F:
            self.texts.append(block[1:].decode("ascii"))
        elif byte == 0 and block[0] == 0x37 and len(block) > 1:
            self.blocks.append((block[1], block[2:].decode("ascii")))
        return byte == 0


@dataclass(frozen=True, kw_only=True)
class Status:
    """Every bit of a status that notes §3.1 and §3.2 name, whichever way it was asked for."""

    drawer_high: bool
    offline: bool
    waits_for_recovery: bool
    feed_button: bool
    cover_open: bool
    feeding: bool
    stopped_by_paper_end: bool
    error: bool
    mechanical: bool
    cutter: bool
    unrecoverable: bool
    recovers_by_itself: bool
    near_end: bool
    paper_end: bool

    def conditions(self) -> frozenset[Condition]:
        """What a person has to know of it. PAPER_JAM for the "recoverable, mechanical" bit is a guess (G)."""
        paper_out = self.stopped_by_paper_end or self.paper_end
        named = self.mechanical or self.cutter or self.unrecoverable or self.recovers_by_itself
        found = {
            Condition.COVER_OPEN: self.cover_open,
            Condition.PAPER_OUT: paper_out,
            Condition.PAPER_LOW: self.near_end and not self.paper_end,
            Condition.PAPER_JAM: self.mechanical,
            Condition.CUTTER_ERROR: self.cutter,
            Condition.HEAD_HOT: self.recovers_by_itself,
            Condition.DEVICE_FAULT: self.unrecoverable or (self.error and not named),
            Condition.BUSY: self.feeding,
        }
        conditions = {condition for condition, holds in found.items() if holds}
        if self.offline and not any(c.blocks for c in conditions):
            conditions.add(Condition.SWITCHED_OFFLINE)
        return frozenset(conditions)


ALL_BITS = b"\x7f\x7f\x7f\x7f"


def decode_real_time(answers: bytes, trusted: bytes = ALL_BITS) -> Status:
    """The four answers to DLE EOT 1 to 4; bits that are not `trusted` count as unset. Raises BadReply."""
    if len(answers) != 4 or any(b & 0x93 != 0x12 for b in answers):
        raise BadReply(f"status must be four bytes 0xx1xx10, got: {answers.hex(' ') or 'nothing'}")
    printer, cause, error, paper = (a & t for a, t in zip(answers, trusted, strict=True))
    return Status(
        drawer_high=bool(printer & 0x04),
        offline=bool(printer & 0x08),
        waits_for_recovery=bool(printer & 0x20),
        feed_button=bool(printer & 0x40),
        cover_open=bool(cause & 0x04),
        feeding=bool(cause & 0x08),
        stopped_by_paper_end=bool(cause & 0x20),
        error=bool(cause & 0x40),
        mechanical=bool(error & 0x04),
        cutter=bool(error & 0x08),
        unrecoverable=bool(error & 0x20),
        recovers_by_itself=bool(error & 0x40),
        near_end=bool(paper & 0x0C),
        paper_end=bool(paper & 0x60),
    )


def decode_automatic(frame: bytes) -> Status:
    """The four bytes of an automatic status. Raises BadReply."""
    if len(frame) != 4 or frame[0] & 0x93 != 0x10 or any(b & 0x90 for b in frame[1:]):
        raise BadReply(
            f"automatic status must be 0xx1xx00 and three bytes 0xx0xxxx, got: {frame.hex(' ') or 'nothing'}"
        )
    printer, error, paper, _ = frame
    return Status(
        drawer_high=bool(printer & 0x04),
        offline=bool(printer & 0x08),
        waits_for_recovery=bool(error & 0x01),
        feed_button=bool(error & 0x02),
        cover_open=bool(printer & 0x20),
        feeding=bool(printer & 0x40),
        stopped_by_paper_end=False,
        error=bool(error & 0x6C),
        mechanical=bool(error & 0x04),
        cutter=bool(error & 0x08),
        unrecoverable=bool(error & 0x20),
        recovers_by_itself=bool(error & 0x40),
        near_end=bool(paper & 0x03),
        paper_end=bool(paper & 0x0C),
    )


def decode_status(answers: bytes, trusted: bytes = ALL_BITS) -> frozenset[Condition]:
    """Conditions in the four answers to DLE EOT 1 to 4. Raises BadReply."""
    return decode_real_time(answers, trusted).conditions()


@dataclass(frozen=True, kw_only=True)
class FullStatus:
    """What Custom's full status says (B)."""

    conditions: frozenset[Condition]
    slip_in_mouth: bool


def decode_full(answer: bytes) -> FullStatus:
    """The six bytes of a full status: 10 0F paper, user, recoverable, unrecoverable. Raises BadReply."""
    if len(answer) != 6 or answer[:2] != b"\x10\x0f":
        raise BadReply(f"full status must be 10 0f and four bytes, got: {answer.hex(' ') or 'nothing'}")
    paper, user, recoverable, unrecoverable = answer[2:]
    found = {
        Condition.PAPER_OUT: paper & 0x01,
        Condition.PAPER_LOW: paper & 0x44 and not paper & 0x01,  # near end, or the printer's own count (virtual end)
        Condition.COVER_OPEN: user & 0x03 or unrecoverable & 0x02,
        Condition.BUSY: user & 0x60,
        Condition.HEAD_HOT: recoverable & 0x01,
        Condition.PAPER_JAM: recoverable & 0x40,
        Condition.CUTTER_ERROR: unrecoverable & 0x01,
        Condition.DEVICE_FAULT: recoverable & 0x08 or unrecoverable & 0x0C,
    }
    return FullStatus(conditions=frozenset(c for c, bits in found.items() if bits), slip_in_mouth=bool(paper & 0x20))


# What a person has to see to first, and in which words.
BLOCKS = {
    Condition.COVER_OPEN: "the cover is open",
    Condition.PAPER_OUT: "the paper is out",
    Condition.PAPER_JAM: "the paper is jammed",
    Condition.CUTTER_ERROR: "the cutter is stuck",
    Condition.HEAD_HOT: "the print head is too hot",
    Condition.DEVICE_FAULT: "the printer reports a fault that only service can mend",
    Condition.BUSY: "somebody holds the feed button, or a slip still hangs in the mouth",
    Condition.SWITCHED_OFFLINE: "the printer is switched offline",
}


def first_block(conditions: frozenset[Condition]) -> Condition | None:
    """The condition to act on first, or None if nothing blocks."""
    return next((c for c in BLOCKS if c in conditions), None)
