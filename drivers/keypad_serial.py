"""Number keypad with a two-line LCD on a serial line, as used at bank counters.

Source: protocols/keypads.md §1.1 (B: product manual and one driver), timings and bounce §6, stuck keys faults.md A16.
9600 8N1, no frames, no checksum. The pad sends each key as one byte at once; bit 7 is to be masked away.

    from the pad   30..39 digits   2E point   0D enter   08 delete (G)   1B cancel (G)   4F 4B 0D answer to 89
    to the pad     89 are you there?   8A keys on   8B keys off
                   80 WELCOME   81 TRY AGAIN   82 ENTER PASSWORD   83 back to WELCOME      shown and spoken by the pad
                   1B 43 30, 1B 43 31          clear LCD line 1, 2
                   1B 53 30 + 16 bytes         write LCD line 1
                   1B 53 31 + 16 bytes         write LCD line 2
                   1B 53 32 + 16 bytes + pos   write LCD line 2 with a flashing cursor at pos (0 to 15: G)

The sixteen keys: ten digits, OK (0D), CORRECT (08) and CANCEL (1B) are the pad's own. A bank pad has no * # ? keys: its
point means STAR (G), and HASH and HELP stay on the screen. A 4 × 4 pad is expected to send the ASCII labels 2A, 23 and
3F of those keys (G, after §1.4). A pad that differs is described in its table: `keys = {"2e" = "#", "41" = "help"}`;
"" takes a key away.

What the line can do wrong: the answer to the probe arrives among the keys, so each byte is sorted by what it is and
neither kind is lost to the other. An answer that comes too late is still an answer, and only an enter that is pressed
within ANSWER_TAIL_S after a cut-off answer is mistaken for its end. Bounce and stuck keys: keypad_gate.py. What comes
from the pad may be somebody's phone number, so the trace sees only how much it was and errors quote nothing. The pad
confirms no LCD text by itself. After a power cut the LCD is blank and the keys are on, whatever was said before.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

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
from drivers.keypad_bytes import ByteEar, byte_keys, digit_bytes
from drivers.keypad_gate import KeyGate, next_key, stuck_keys
from drivers.transport import ByteStream

PROBE = b"\x89"
KEYS_ON = b"\x8a"
KEYS_OFF = b"\x8b"
ANSWER = b"OK\r"
LCD_COLUMNS = 16

ANSWER_TAIL_S = 1.0

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
    return byte_keys(_DEFAULT_KEYS, changes, highest=0x7F, reserved=ANSWER[:2])


class Prompt(Enum):
    """What the pad says and shows by itself; the value is the command."""

    WELCOME = b"\x80"
    TRY_AGAIN = b"\x81"
    ENTER_PASSWORD = b"\x82"
    BACK_TO_WELCOME = b"\x83"


def encode_line(row: int, text: str, cursor: int | None = None) -> bytes:
    """Command that writes LCD line 0 or 1, or clears it where there is no text; a cursor only flashes on line 1.

    `text` is printable ASCII, at most LCD_COLUMNS; `cursor` counts from 0. Raises ValueError.
    """
    if len(text) > LCD_COLUMNS or not all(" " <= c <= "~" for c in text):
        raise ValueError(f"a line takes {LCD_COLUMNS} printable ASCII characters")
    if cursor is None:
        digit = bytes([0x30 + row])
        return b"\x1bS" + digit + text.ljust(LCD_COLUMNS).encode("ascii") if text else b"\x1bC" + digit
    if row != 1 or not 0 <= cursor < LCD_COLUMNS:
        raise ValueError(f"a cursor stands on the lower line at 0 to {LCD_COLUMNS - 1}")
    return b"\x1bS2" + text.ljust(LCD_COLUMNS).encode("ascii") + bytes([cursor])


def explain(direction: str, data: bytes) -> str:
    """Meaning of what is sent, for a technician, `Chinese | English`; what comes is typed by people and never shown."""
    if direction == "<":
        return ""
    if data.startswith((b"\x1bS", b"\x1bC")):
        return "写显示行 | write a display line"
    return _WORDS.get(data, "")


_WORDS = {
    PROBE: "在吗？ | are you there?",
    KEYS_ON: "打开按键 | keys on",
    KEYS_OFF: "关闭按键 | keys off",
    Prompt.WELCOME.value: "欢迎 | welcome",
    Prompt.TRY_AGAIN.value: "请重新输入 | try again",
    Prompt.ENTER_PASSWORD.value: "请输入 | enter",
    Prompt.BACK_TO_WELCOME.value: "取消输入 | cancel input",
}


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


class SerialKeypad(Keypad[ByteStream, SerialKeypadOptions]):
    """The pad on its line."""

    Options = SerialKeypadOptions
    Transport = ByteStream
    columns = LCD_COLUMNS

    def __init__(self, device: str, link: ByteStream, options: SerialKeypadOptions) -> None:
        super().__init__(device, link, options)
        self._table = key_table(options.keys)
        self._sorter = StreamSorter()
        self._gate = KeyGate()
        self._ear = ByteEar(link, self._take_in, digit_bytes(self._table))
        self._answers = 0

    def hello(self) -> Identity:
        """Ask whether the pad is there and switch its keys on; it says nothing about itself.

        Presses from before are dropped: nobody was listening to the person who made them. Raises NoReply.
        """
        self._ear.forget()
        self._gate = KeyGate()
        self._probe("asked whether it is there")
        self.link.write(KEYS_ON)
        return Identity()

    def conditions(self) -> frozenset[Condition]:
        """Probe; keys that come meanwhile are kept. Raises NoReply.

        While a key is stuck, this listens RELEASE_S longer to tell whether it still is.
        """
        self._probe("probed")
        return stuck_keys(self._gate, self._ear.hear)

    def poll_key(self, limit_s: float) -> Key | None:
        """The next key press within limit_s; None also while a key is stuck."""
        return next_key(self._gate, self._ear.hear, limit_s)

    def show_lines(self, upper: str, lower: str, cursor: int | None = None) -> None:
        """Write both LCD lines, 16 printable ASCII characters each; nothing personal, for the trace sees it.

        Raises Refused(TEXT_UNSUITABLE) before anything is sent, Unconfirmed if the pad is silent afterwards.
        """
        try:
            commands = encode_line(0, upper) + encode_line(1, lower, cursor)
        except ValueError as exc:
            raise Refused(Condition.TEXT_UNSUITABLE, f"{self.device}: cannot show this on the LCD: {exc}") from exc
        self._tell(commands, "LCD lines")

    def show_prompt(self, prompt: Prompt) -> None:
        """Let the pad say one of its own texts. Raises Unconfirmed."""
        self._tell(prompt.value, f"prompt {prompt.name}")

    def switch_keys(self, *, on: bool) -> None:
        """Take the keys out of use, or back into it; hello and a power cut switch them on. Raises Unconfirmed."""
        self._tell(KEYS_ON if on else KEYS_OFF, f"keys {'on' if on else 'off'}")

    def _tell(self, commands: bytes, what: str) -> None:
        self.link.write(commands)
        try:
            self._probe(f"{what} sent, then probed")
        except NoReply as exc:
            raise Unconfirmed(str(exc)) from exc

    def _probe(self, deed: str) -> None:
        self._ear.hear(0.0)  # a late answer to an earlier probe is not the answer to this one
        before = self._answers
        self.link.write(PROBE)
        until = time.monotonic() + self.options.answer_limit_s
        others = 0
        while (remaining := until - time.monotonic()) > 0:
            count = self._ear.hear(remaining)
            if self._answers > before:
                return
            if not count:
                break
            others += count
        raise NoReply(
            f"{self.device}: {deed}, no 4f 4b 0d within {self.options.answer_limit_s} s on {self.link.port} "
            f"({others} other bytes came)"
        )

    def _take_in(self, data: bytes, earliest: float, now: float) -> None:
        presses, answers = self._sorter.sort(data, now)
        self._answers += answers
        for byte in presses:
            if byte in self._table:
                self._gate.press(self._table[byte], earliest, now)
        self._gate.heard_until(now)


DRIVER = SerialKeypad
