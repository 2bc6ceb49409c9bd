"""When a card in the field is news: one placing is one visit, however often the reader sees the card.

A plain module that card drivers import; it has no link and no DRIVER. Source: protocols/idcard.md §1.8, §5.2.

There are two kinds of reader. One keeps finding a card that lies there, though it may refuse to select it until it was
lifted; the other, after a read, answers "no card" until it is lifted, so its driver cannot tell lifting from lying. And
some cards flicker. Therefore:

    found again without a pause     read once more and compared; if it is the same card, the reader is of the first
                                    kind, and from then on this is the same placing and nothing is read
    found, and cannot be selected   after a read the same placing: the reader wants the card lifted first
    found again after a pause       read and compared:
        same card, pause < debounce     the same placing (it flickered, or was moved)
        same card, longer pause         a new placing
        another card                    a new placing, at once
        after a refusal                 a new placing, at once: the person was asked to place it again
    not found for debounce          gone

With the second kind of reader a card that is left lying is therefore told gone after debounce, and is no second visit.
A refusal while a card that was just read is being lifted is not news: that visit has begun.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from drivers.base import CardGone


@dataclass(kw_only=True)
class _Placing:
    seen_at: float
    mark: bytes
    """Keyed digest of what was read; empty after a refusal. The card itself is not kept."""
    paused: bool = False


class PlacingWatch:
    """Memory of the card that lies in the field or has just left it; times are monotonic seconds."""

    def __init__(self, debounce_s: float, *, keeps_finding: bool = False) -> None:
        self._debounce_s = debounce_s
        self._keeps_finding = keeps_finding
        """Whether the reader is known to be of the first kind."""
        self._key = os.urandom(16)
        self._placing: _Placing | None = None

    def not_found(self, now: float) -> CardGone | None:
        """No card in the field: is that news?"""
        if self._placing is None:
            return None
        self._placing.paused = True
        if self._is_recent(self._placing, now):
            return None
        self._placing = None
        return CardGone()

    def nobody_left(self, now: float) -> bool:
        """Whether the last card is gone, or was not looked at for so long that another may lie there."""
        return self._placing is None or not self._is_recent(self._placing, now)

    def pause(self) -> None:
        """The card left and one came back between two looks."""
        if self._placing is not None:
            self._placing.paused = True

    def dealt_with(self, now: float) -> bool:
        """A card lies in the field: is it surely the one already read or refused?"""
        placing = self._placing
        # If nobody looked for a while, another card may lie there.
        if placing is None or placing.paused or not self._keeps_finding or not self._is_recent(placing, now):
            return False
        placing.seen_at = now
        return True

    def read(self, now: float, text: bytes) -> bool:
        """This was read: is it a new placing?"""
        before, mark = self._placing, hashlib.blake2b(text, key=self._key).digest()
        self._placing = _Placing(seen_at=now, mark=mark)
        if before is None or before.mark != mark:
            return True
        if not before.paused:
            self._keeps_finding = True
            return False
        return not self._is_recent(before, now)

    def refused(self, now: float, *, lies_there: bool = False) -> bool:
        """The card was refused: is that news? `lies_there`: it is found and only cannot be selected."""
        before = self._placing
        if before is not None and self._is_recent(before, now):
            if before.mark and (before.paused or not lies_there):
                before.paused = True
                return False
            if not before.paused:
                self._keeps_finding = True
                before.seen_at = now
                return False
        self._placing = _Placing(seen_at=now, mark=b"")
        return True

    def _is_recent(self, placing: _Placing, now: float) -> bool:
        return now - placing.seen_at < self._debounce_s
