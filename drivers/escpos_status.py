"""What ESC/POS printers say: mixed replies told apart, and status bytes as conditions.

Source: protocol notes "Ticket printers (ESC/POS)" §3.1 to §3.5. Knows no commands and no links.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from drivers.base import BadReply, Condition


@dataclass
class Replies:
    """Sorts the bytes that a printer sends; may be fed in any pieces."""

    statuses: bytearray = field(default_factory=bytearray)
    """Answers to DLE EOT, in order."""
    queued: bytearray = field(default_factory=bytearray)
    """Answers to GS r, GS I 1 to 3, ESC v."""
    texts: list[str] = field(default_factory=list)
    """Answers to GS I 41 and above."""
    strays: bytearray = field(default_factory=bytearray)
    """What fits nowhere: noise."""
    _skip: int = 0
    _block: bytearray | None = None

    def feed(self, data: bytes) -> None:
        for byte in data:
            if not (self._in_block(byte) or self._in_frame(byte)):
                self._sort(byte)

    def _sort(self, byte: int) -> None:
        if byte & 0x93 == 0x12:
            self.statuses.append(byte)
        elif byte & 0x93 == 0x10:
            self._skip = 3
        elif byte in (0x11, 0x13):
            return
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
        return byte == 0


def decode_status(answers: bytes) -> frozenset[Condition]:
    """Conditions in the four answers to DLE EOT 1 to 4. Raises BadReply."""
    if len(answers) != 4 or any(b & 0x93 != 0x12 for b in answers):
        raise BadReply(f"status must be four bytes 0xx1xx10, got: {answers.hex(' ') or 'nothing'}")
    printer, offline, error, paper = answers
    found = {
        Condition.COVER_OPEN: offline & 0x04,
        Condition.PAPER_OUT: offline & 0x20 or paper & 0x60,
        Condition.PAPER_LOW: paper & 0x0C and not paper & 0x60,
        Condition.PAPER_JAM: error & 0x04,
        Condition.CUTTER_ERROR: error & 0x08,
        Condition.HEAD_HOT: error & 0x40,
        Condition.DEVICE_FAULT: error & 0x20 or (offline & 0x40 and not error & 0x6C),
        Condition.BUSY: offline & 0x08,
    }
    conditions = {condition for condition, bits in found.items() if bits}
    if printer & 0x08 and not any(c.blocks for c in conditions):
        conditions.add(Condition.SWITCHED_OFFLINE)
    return frozenset(conditions)


# What a person has to see to first, and in which words.
BLOCKS = {
    Condition.COVER_OPEN: "the cover is open",
    Condition.PAPER_OUT: "the paper is out",
    Condition.PAPER_JAM: "the paper is jammed",
    Condition.CUTTER_ERROR: "the cutter is stuck",
    Condition.HEAD_HOT: "the print head is too hot",
    Condition.DEVICE_FAULT: "the printer reports a fault that only service can mend",
    Condition.BUSY: "somebody holds the feed button",
    Condition.SWITCHED_OFFLINE: "the printer is switched offline",
}


def first_block(conditions: frozenset[Condition]) -> Condition | None:
    """The condition to act on first, or None if nothing blocks."""
    return next((c for c in BLOCKS if c in conditions), None)
