"""Number keypad with a two-line LCD on a serial line, as used at bank counters.

Source: protocols/keypads.md §1.1 (B: product manual and one driver), timings and bounce §6, stuck keys faults.md A16.
9600 8N1, no frames, no checksum. The pad sends each key as one byte at once; bit 7 is to be masked away.

    from the pad   30..39 digits   2E point   0D enter   08 delete (G)   1B cancel (G)   4F 4B 0D answer to 89
    to the pad     89 are you there?   8A keys on   1B 53 30 + 16 bytes: LCD line 1   1B 53 31 + 16 bytes: LCD line 2

The sixteen keys: ten digits, OK (0D), CORRECT (08) and CANCEL (1B) are the pad's own. A bank pad has no * # ? keys: its
point means STAR (G), and HASH and HELP stay on the screen. A 4 × 4 pad is expected to send the ASCII labels 2A, 23 and
3F of those keys (G, after §1.4). A pad that differs is described in its table: `keys = {"2e" = "#", "41" = "help"}`;
"" takes a key away.

What the line can do wrong: the answer to the probe arrives among the keys, so each byte is sorted by what it is and
neither kind is lost to the other. An answer that comes too late is still an answer, and only an enter that is pressed
within ANSWER_TAIL_S after a cut-off answer is mistaken for its end. Contacts bounce (the same key within 30 ms) and
stick: 20 equal keys in 3 s are KEYS_STUCK, and nothing is passed on until that key has been silent for RELEASE_S. At
most 8 keys a second are passed on; faster ones wait their turn. What comes from the pad may be somebody's phone
number, so the trace sees only how much it was and errors quote nothing. The pad confirms no LCD text by itself.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from string import hexdigits

from drivers.base import (
    Condition,
    Identity,
    Key,
    Keypad,
    NoReply,
    Refused,
    SerialOptions,
    Unconfirmed,
)
from drivers.transport import ByteStream

PROBE = b"\x89"
KEYS_ON = b"\x8a"
ANSWER = b"OK\r"
LCD_COLUMNS = 16

BOUNCE_S = 0.05
"""Contacts bounce within 30 ms, the fastest finger needs 80 ms; the rest is LISTEN_SLICE_S."""
LISTEN_SLICE_S = 0.02
"""A read that returns late says nothing about when its byte came, except: not before the read ahead of it."""
MOST_KEYS_PER_S = 8
STUCK_COUNT = 20
STUCK_WITHIN_S = 3.0
RELEASE_S = 0.5
"""A stuck key comes at least every 0.15 s (20 in 3 s); three times that without it and the key is free."""
ANSWER_TAIL_S = 1.0
MOST_WAITING = 32

_DEFAULT_KEYS = {f"{0x30 + digit:02x}": str(digit) for digit in range(10)} | {
    "0d": Key.OK.value,
    "08": Key.CORRECT.value,  # G
    "1b": Key.CANCEL.value,  # G
    "2e": Key.STAR.value,  # G: the point of a bank pad
    "2a": Key.STAR.value,  # G: the label of a 4 x 4 pad, like the next two
    "23": Key.HASH.value,
    "3f": Key.HELP.value,
}


@dataclass(frozen=True, kw_only=True)
class SerialKeypadOptions(SerialOptions):
    """Keys of the pad's table."""

    keys: Mapping[str, str] = field(default_factory=dict)
    """Byte in hex → key, added to the pad's usual ones: "0".."9", "*", "#", "ok", "correct", "cancel", "help", ""."""
    answer_limit_s: float = 0.5
    """For the answer to a probe. The document guesses 0.2 s; the rest is for serial servers on a busy network."""

    def __post_init__(self) -> None:
        if not 0.05 <= self.answer_limit_s <= 2.0:
            raise ValueError(f"answer_limit_s = {self.answer_limit_s}, legal: 0.05 to 2.0 seconds")
        key_table(self.keys)


def key_table(changes: Mapping[str, str]) -> dict[int, Key]:
    """Byte → key: the usual pad with the changes of its table. Raises ValueError."""
    table: dict[int, Key] = {}
    for code, name in (_DEFAULT_KEYS | {code.lower(): name for code, name in changes.items()}).items():
        value = _key_byte(code)
        if name == "":
            continue
        if name not in list(Key):
            raise ValueError(f'keys: "{code}" = {name!r} is no key, legal: {", ".join(Key)}, or "" for none')
        table[value] = Key(name)
    return table


def _key_byte(code: str) -> int:
    value = int(code, 16) if len(code) == 2 and set(code) <= set(hexdigits) else -1
    if not 0 <= value <= 0x7F or value in ANSWER[:2]:
        raise ValueError(f'keys: "{code}" is no key byte, legal: "00" to "7f" in two hex digits, but not 4f and 4b')
    return value


def encode_line(row: int, text: str) -> bytes:
    """Command that writes LCD line 0 or 1; `text` is printable ASCII, at most LCD_COLUMNS. Raises ValueError."""
    if len(text) > LCD_COLUMNS or not all(" " <= c <= "~" for c in text):
        raise ValueError(f"a line takes {LCD_COLUMNS} printable ASCII characters")
    return b"\x1bS" + bytes([0x30 + row]) + text.ljust(LCD_COLUMNS).encode("ascii")


class StreamSorter:
    """Tells answers from keys in the pad's one stream, byte by byte."""

    def __init__(self) -> None:
        self._matched = 0
        self._since = 0.0

    def sort(self, data: bytes, now: float) -> tuple[bytes, int]:
        """Bytes that are not part of an answer, and how many answers were completed."""
        rest, answers = bytearray(), 0
        if now - self._since > ANSWER_TAIL_S:
            self._matched = 0
        for byte in (b & 0x7F for b in data):
            if byte == ANSWER[self._matched]:
                self._matched, self._since = self._matched + 1, now
                if self._matched == len(ANSWER):
                    self._matched, answers = 0, answers + 1
            elif byte == ANSWER[0]:
                self._matched, self._since = 1, now
            else:
                rest.append(byte)
        return bytes(rest), answers


class KeyGate:
    """Lets presses through as a hand makes them: no bounce, at most 8 a second, nothing while a key is stuck."""

    def __init__(self) -> None:
        self.stuck: Key | None = None
        self._last: Key | None = None
        self._last_earliest = -BOUNCE_S
        self._presses: dict[Key, deque[float]] = {key: deque(maxlen=STUCK_COUNT) for key in Key}
        self._waiting: deque[Key] = deque(maxlen=MOST_WAITING)
        self._passed: deque[float] = deque(maxlen=MOST_KEYS_PER_S)
        self._silent_since = 0.0

    def press(self, key: Key, earliest: float, now: float) -> None:
        """A key arrived between `earliest` and `now`.

        Only what surely came too soon is a bounce: of two equal keys that waited in a buffer nobody knows how far
        apart they were, and a digit too many is seen and corrected more easily than one that is missing.
        """
        presses = self._presses[key]
        presses.append(now)
        bounce = key is self._last and now - self._last_earliest < BOUNCE_S
        self._last, self._last_earliest = key, earliest
        if len(presses) == STUCK_COUNT and now - presses[0] <= STUCK_WITHIN_S:
            self.stuck = key
            self._waiting.clear()
        if key is self.stuck:
            self._silent_since = now
        elif self.stuck is None and not bounce and len(self._waiting) < MOST_WAITING:
            self._waiting.append(key)

    def heard_until(self, now: float) -> None:
        """Everything up to `now` has been heard: a stuck key that was silent long enough is free again."""
        if self.stuck is not None and now - self._silent_since >= RELEASE_S:
            self._presses[self.stuck].clear()
            self.stuck = None

    def due_in(self, now: float) -> float | None:
        """Seconds until the next key may pass; None if there is none."""
        if not self._waiting:
            return None
        if len(self._passed) < MOST_KEYS_PER_S:
            return 0.0
        return max(0.0, self._passed[0] + 1.0 - now)

    def take(self, now: float) -> Key | None:
        """The next key, if its time has come."""
        if self.due_in(now) != 0.0:
            return None
        self._passed.append(now)
        return self._waiting.popleft()


class SerialKeypad(Keypad[ByteStream, SerialKeypadOptions]):
    """The pad on its line."""

    Options = SerialKeypadOptions
    Transport = ByteStream

    def __init__(self, device: str, link: ByteStream, options: SerialKeypadOptions) -> None:
        super().__init__(device, link, options)
        self._table = key_table(options.keys)
        self._sorter = StreamSorter()
        self._gate = KeyGate()
        self._answers = 0
        self._heard_at = time.monotonic()

    def hello(self) -> Identity:
        """Ask whether the pad is there and switch its keys on; it says nothing about itself.

        Presses from before are dropped: nobody was listening to the person who made them. Raises NoReply.
        """
        with self.link.private():
            self.link.drop_input()
        self._gate = KeyGate()
        self._heard_at = time.monotonic()
        self._probe("asked whether it is there")
        self.link.write(KEYS_ON)
        return Identity()

    def conditions(self) -> frozenset[Condition]:
        """Probe; keys that come meanwhile are kept. Raises NoReply.

        While a key is stuck, this listens RELEASE_S longer to tell whether it still is.
        """
        was_stuck = self._gate.stuck is not None
        self._probe("probed")
        until = time.monotonic() + RELEASE_S + 0.05
        while was_stuck and self._gate.stuck is not None and (remaining := until - time.monotonic()) > 0:
            if not self._hear(remaining):
                break
        return frozenset() if self._gate.stuck is None else frozenset({Condition.KEYS_STUCK})

    def poll_key(self, limit_s: float) -> Key | None:
        """The next key press within limit_s; None also while a key is stuck."""
        until = time.monotonic() + limit_s
        self._hear(0.0)
        while (key := self._gate.take(time.monotonic())) is None:
            now = time.monotonic()
            due_in = self._gate.due_in(now)
            wait = until - now if due_in is None else min(due_in, until - now)
            if wait <= 0 or not self._hear(wait):
                return self._gate.take(time.monotonic())
        return key

    def show_lines(self, top: str, bottom: str) -> None:
        """Write both LCD lines, 16 printable ASCII characters each; nothing personal, for the trace sees it.

        Raises Refused(TEXT_UNSUITABLE) before anything is sent, Unconfirmed if the pad is silent afterwards.
        """
        try:
            commands = encode_line(0, top) + encode_line(1, bottom)
        except ValueError as exc:
            raise Refused(Condition.TEXT_UNSUITABLE, f"{self.device}: cannot show this on the LCD: {exc}") from exc
        self.link.write(commands)
        try:
            self._probe("LCD lines sent, then probed")
        except NoReply as exc:
            raise Unconfirmed(str(exc)) from exc

    def _probe(self, deed: str) -> None:
        self._hear(0.0)  # a late answer to an earlier probe is not the answer to this one
        before = self._answers
        self.link.write(PROBE)
        until = time.monotonic() + self.options.answer_limit_s
        others = 0
        while (remaining := until - time.monotonic()) > 0:
            count = self._hear(remaining)
            if self._answers > before:
                return
            if not count:
                break
            others += count
        raise NoReply(
            f"{self.device}: {deed}, no 4f 4b 0d within {self.options.answer_limit_s} s on {self.link.port} "
            f"({others} other bytes came)"
        )

    def _hear(self, limit_s: float) -> int:
        """Take what comes first within limit_s; how many bytes it was."""
        slices = max(1, math.ceil(limit_s / LISTEN_SLICE_S))
        for _ in range(slices):
            with self.link.private():
                data = self.link.read(4096, limit_s / slices)
            now = time.monotonic()
            earliest, self._heard_at = self._heard_at, now
            self._take_in(data, earliest, now)
            if data:
                return len(data)
        return 0

    def _take_in(self, data: bytes, earliest: float, now: float) -> None:
        presses, answers = self._sorter.sort(data, now)
        self._answers += answers
        for byte in presses:
            if byte in self._table:
                self._gate.press(self._table[byte], earliest, now)
        self._gate.heard_until(now)


DRIVER = SerialKeypad
