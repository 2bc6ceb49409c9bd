"""Looking for cards through a security module, wherever it hangs: on a serial line or behind a PC/SC reader.

A plain module that card drivers import; it has no link and no DRIVER. Frames and the reading sequence are in
idcard_sam, the text in idcard_text, what counts as a new placing in idcard_placing. Source: protocols/idcard.md §1.5,
§1.8.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date

from drivers.base import BadReply, CardDoubt, CardGone, CardRead, Condition, DeviceError, IdCard, Refused
from drivers.idcard_placing import PlacingWatch
from drivers.idcard_sam import (
    DONE,
    NOT_AUTHORISED,
    SELF_TEST_FAILED,
    UNKNOWN_COMMAND,
    Command,
    NotSelected,
    SamReading,
    decode_sam_id,
)
from drivers.idcard_text import decode_text

FIND_INTERVAL_S = 0.3


class SamPolling:
    """One module that is asked again and again whether a card is there."""

    def __init__(self, sam: SamReading, watch: PlacingWatch, source: str, *, newest_address: bool) -> None:
        self._sam = sam
        self._watch = watch
        self._source = source
        self._newest_address = newest_address
        self._find_fails = False

    def number(self, status: int) -> str:
        """Number of the module that has just said this status; one whose self-test failed is reset before."""
        if status != DONE:
            self._sam.ask(Command.RESET)
        reply = self._sam.ask(Command.SAM_ID)
        return decode_sam_id(reply.data, self._source) if reply.status == DONE else ""

    def conditions(self) -> frozenset[Condition]:
        """Self-test of the module, and whether it could look for cards lately."""
        status = self._sam.ask(Command.STATUS).status
        if status in {SELF_TEST_FAILED, NOT_AUTHORISED} or self._find_fails:
            return frozenset({Condition.DEVICE_FAULT})
        if status in {DONE, UNKNOWN_COMMAND}:
            return frozenset()
        raise BadReply(f"{self._source}: status was answered with SW3 {status:02X}")

    def poll(self) -> CardRead | CardGone | None:
        """Ask once, and read a card that is new. Raises Refused once per placing, or another DeviceError."""
        try:
            found = self._sam.find()
            self._find_fails = False
        except Refused as exc:
            # A broken module is told once as a condition, not to every resident as a refusal.
            self._find_fails = exc.condition is Condition.DEVICE_FAULT
            if not self._find_fails:
                self._tell_once(exc)
            return None
        if self._watch.nobody_left(time.monotonic()):
            self._sam.forget_card()
        if not found:
            return self._watch.not_found(time.monotonic())
        return None if self._watch.dealt_with(time.monotonic()) else self._read_placed_card()

    def _read_placed_card(self) -> CardRead | None:
        try:
            text = self._sam.read_text()
            card = decode_text(text, today=date.today(), source=self._source)
        except Refused as exc:
            self._tell_once(exc)
            return None
        if not self._watch.read(time.monotonic(), text):
            return None
        return CardRead(card=with_newest_address(card, self._sam) if self._newest_address else card)

    def _tell_once(self, refusal: Refused) -> None:
        """Raise what a person at the reader has to know, once per placing."""
        is_news = self._watch.refused(time.monotonic(), lies_there=isinstance(refusal, NotSelected))
        if refusal.condition is Condition.CARD_REMOVED_EARLY:
            self._watch.pause()
        if is_news:
            raise refusal


def with_newest_address(card: IdCard, sam: SamReading) -> IdCard:
    """The card that was just read, with its newest address; where that fails, with a doubt."""
    try:
        return replace(card, newest_address=sam.read_newest_address())
    except DeviceError:
        # The card is read and its owner may go on; a line that died shows itself at the next question.
        return replace(card, doubts=card.doubts | {CardDoubt.NEWEST_ADDRESS_UNREAD})
