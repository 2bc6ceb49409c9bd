"""Physical caller (物理呼叫器) on a shared RS-485 line, six-byte frames.

Source: protocols/keypads.md §3.1 (B: comments in a working hall program); the frame, the line and its gaps are in
drivers/caller_line.py. d1 d2 is 73 73 where there is nothing to say.

    caller → host   00 next   02 recall   06 log in, staff number ÷ 100 and mod 100   1A log out (its data: G)
    host → caller   01 show number, ÷ 100 and mod 100   05 log-in accepted   07 log-in refused, or logged out
                    1C waiting count: hundreds and the rest; one program sends a single byte (C): `waiting_form`

Serve, finish and no-show have no bytes there. A caller that has such keys is described in its table, `keys = {"0a" =
"serve"}` (G: any byte is a guess until somebody has recorded that caller). So are a chosen call and a transfer, which
other callers are known to have (§5), `"0b" = "select"`, `"0c" = "transfer"`: digits typed before such a key are taken
to come as a staff number does, ÷ 100 and mod 100 (G). The polled sets of §3.2 are not spoken: their bytes are not
public.

What this line cannot say: nothing is acknowledged and there is no question that a caller answers. So a method returns
when its frame is sent, and nothing more is claimed; a caller that is switched off looks like one on which nobody
presses, and is never offline by itself. Only the line can be: a port that is gone is a LinkError. A caller that lost
its power has forgotten its log-in and its number; it says so by logging in again, and this driver keeps nothing that
it could tell it: whoever answers SIGN_IN shows number and count anew. The display knows digits only: A017 is 17.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from string import hexdigits
from typing import Literal

from drivers.base import TYPED, Caller, CallerKey, CallerPress, Condition, Identity, Refused
from drivers.caller_line import (
    EMPTY,
    CallerFrame,
    CallerInbox,
    LineOptions,
    check_address,
    encode_count,
    encode_frame,
    explain,  # noqa: F401 - the live trace asks the driver's module for it
)
from drivers.transport import ByteStream

SHOW_NUMBER, ACCEPTED, REFUSED, SHOW_WAITING = 0x01, 0x05, 0x07, 0x1C
MOST_SHOWN = 9999
MOST_IN_ONE_BYTE = 0xFE
"""FF ends the frame."""

WaitingForm = Literal["two_bytes", "one_byte"]

_USUAL_KEYS = {"00": CallerKey.NEXT, "02": CallerKey.RECALL, "06": CallerKey.SIGN_IN, "1a": CallerKey.SIGN_OUT}


@dataclass(frozen=True, kw_only=True)
class CallerRs485Options(LineOptions):
    """Keys of the caller's table."""

    address: int
    """2 to 254; the host is 1."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Command byte in hex → key, added to the usual ones (G): "serve", "finish", "no_show", ..., and with digits typed
    before them "select" and "transfer"; "" takes one away."""
    waiting_form: WaitingForm = "two_bytes"
    """"one_byte" (C): a count of 100 is 64, not 01 00."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_address("address", self.address)
        key_table(self.keys)


def key_table(changes: Mapping[str, str]) -> dict[int, CallerKey]:
    """Command byte → key: the usual ones with the changes of the caller's table. Raises ValueError."""
    table: dict[int, CallerKey] = {}
    for code, name in (_USUAL_KEYS | {code.lower(): name for code, name in changes.items()}).items():
        command = int(code, 16) if len(code) == 2 and set(code) <= set(hexdigits) else -1
        if not 0 <= command <= 0xFE:
            raise ValueError(f'keys: "{code}" is no command byte, legal: "00" to "fe" in two hex digits')
        if name == "":
            continue
        if name not in list(CallerKey):
            raise ValueError(f'keys: "{code}" = {name!r} is no key, legal: {", ".join(CallerKey)}, or "" for none')
        table[command] = CallerKey(name)
    return table


def decode_press(frame: CallerFrame, table: Mapping[int, CallerKey]) -> CallerPress | None:
    """The key of a frame; None for a number that is none."""
    key = table[frame.command]
    if key is not CallerKey.SIGN_IN and key not in TYPED:
        return CallerPress(key=key)
    if max(frame.data) > 99:
        return None
    hundreds, rest = frame.data
    typed = str(100 * hundreds + rest)
    return CallerPress(key=key, typed=typed) if key in TYPED else CallerPress(key=key, staff=typed)


def encode_number(address: int, number: str) -> bytes:
    """The frame that shows a number: its digits, without its letters; "" clears. Raises ValueError."""
    if not number:
        return encode_frame(address, SHOW_NUMBER, EMPTY)
    digits = number.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    if not (digits.isascii() and digits.isdecimal()):
        raise ValueError(f"'{number}' has no digits behind its letters")
    return encode_frame(address, SHOW_NUMBER, encode_count(int(digits)))


def encode_waiting(address: int, count: int, form: WaitingForm) -> bytes:
    """The frame that shows how many wait; more than it can hold is the most that it can hold."""
    count = max(0, count)
    data = encode_count(min(count, MOST_SHOWN)) if form == "two_bytes" else bytes([0, min(count, MOST_IN_ONE_BYTE)])
    return encode_frame(address, SHOW_WAITING, data)


class Rs485Caller(Caller[ByteStream, CallerRs485Options]):
    """One caller of the line."""

    Options = CallerRs485Options
    Transport = ByteStream

    def __init__(self, device: str, link: ByteStream, options: CallerRs485Options) -> None:
        super().__init__(device, link, options)
        self._table = key_table(options.keys)
        self.keys = frozenset(self._table.values())
        self._inbox = link.shared(CallerInbox)

    def hello(self) -> Identity:
        """Ask nothing, for nothing would be answered. Presses from before are dropped: nobody was there to hear them.

        Raises LinkError.
        """
        self._hear(0.0)
        self._inbox.forget(self.options.address, self._table)
        return Identity()

    def conditions(self) -> frozenset[Condition]:
        """Look whether the line is still there; a caller reports nothing. Raises LinkError."""
        self._hear(0.0)
        return frozenset()

    def poll_press(self, limit_s: float) -> CallerPress | None:
        """The next key press of this caller within limit_s."""
        frame = self._take()
        if frame is None:
            self._hear(limit_s)
            frame = self._take()
        return None if frame is None else decode_press(frame, self._table)

    def show_ticket(self, number: str) -> None:
        """Send the digits of a number; "" clears. Raises Refused(TEXT_UNSUITABLE) before anything is sent."""
        try:
            frame = encode_number(self.options.address, number)
        except ValueError as exc:
            raise Refused(Condition.TEXT_UNSUITABLE, f"{self.device}: cannot show this number: {exc}") from exc
        self._say(frame)

    def show_waiting(self, count: int) -> None:
        """Send how many wait."""
        self._say(encode_waiting(self.options.address, count, self.options.waiting_form))

    def answer_sign_in(self, *, accepted: bool) -> None:
        """Send that the log-in is accepted, or refused, or over."""
        self._say(encode_frame(self.options.address, ACCEPTED if accepted else REFUSED, EMPTY))

    def _take(self) -> CallerFrame | None:
        return self._inbox.take(self.options.address, self._table)

    def _hear(self, limit_s: float) -> None:
        self._inbox.hear(self.link, limit_s, self.options.frame_gap_s)

    def _say(self, frame: bytes) -> None:
        self._inbox.say(self.device, self.link, frame, self.options.frame_gap_s)


DRIVER = Rs485Caller
