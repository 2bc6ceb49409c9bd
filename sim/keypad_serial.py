"""Bank counter keypad with a two-line LCD: a twin at byte level.

Written from protocols/keypads.md §1.1 and §6. Keys go out as single bytes the moment they are pressed; commands from
the host arrive in any pieces. Tests look at `lines`, `message`, `keys_on` and `unknown`.

What the document leaves open: the LCD is blank at power-up, bytes outside 20..7E show as blanks, a command that is not
in its table is ignored and kept in `unknown`, keys on a 4 × 4 pad send the ASCII of their label.
"""

from __future__ import annotations

from collections.abc import Mapping

from sim.carriers import ByteTwin
from sim.fingers import Fingers

_KEYS = {label: ord(label) for label in "0123456789.*#"} | {
    "enter": 0x0D, "ok": 0x0D,
    "backspace": 0x08, "correct": 0x08,
    "cancel": 0x1B,
    "?": 0x3F, "help": 0x3F,
}  # fmt: skip

_MESSAGES = {0x80: "WELCOME", 0x81: "TRY AGAIN", 0x82: "ENTER PASSWORD", 0x83: "WELCOME"}
_BLANK = " " * 16
# ESC letter digit → bytes that follow.
_LCD_COMMANDS = {b"C0": 0, b"C1": 0, b"S0": 16, b"S1": 16, b"S2": 17}


class SerialKeypadTwin(Fingers, ByteTwin):
    """The pad; a test presses its keys."""

    def __init__(self, device: str, options: Mapping[str, object]) -> None:
        super().__init__(device, options)
        self.unknown: list[bytes] = []
        self._half = b""
        self._power_up()
        self._no_faults()

    def _power_up(self) -> None:
        self.lines = [_BLANK, _BLANK]
        self.cursor: int | None = None
        """Position of the flashing cursor on line 2."""
        self.message = "WELCOME"
        self.keys_on = True
        self._half = b""

    def _no_faults(self) -> None:
        self._mute = False
        self._deaf_to_probe = False
        self._answer_after_s = 0.0
        self._pressed_inside_answer = b""
        self._high_bit = 0

    @property
    def baud(self) -> int:
        """It listens at 9600 unless its table says otherwise."""
        value = self.options.get("baud", 9600)
        return value if isinstance(value, int) else 9600

    def plugged(self) -> None:
        """Power-up: a blank LCD, keys on."""
        self._power_up()

    def unplugged(self) -> None:
        """Nobody holds a key of a pad that is gone."""
        self.let_go()

    def close_contact(self, key: str) -> None:
        """Send the key: a label, or enter, backspace, cancel, help; ok and correct are the first two."""
        with self.lock:
            if self.keys_on and not self._mute:
                self.say(bytes([_KEYS[key] | self._high_bit]))

    # Faults

    def babble(self, data: bytes = b"\x00\x7f\xff\x41\x0a\xcf") -> None:
        """Send bytes that mean nothing."""
        with self.lock:
            self.say(data)

    def press_inside_next_answer(self, key: str) -> None:
        """The next answer to a probe has this key between its first and its second byte."""
        with self.lock:
            self._pressed_inside_answer = bytes([_KEYS[key]])

    def go_mute(self) -> None:
        """Neither keys nor answers come out."""
        with self.lock:
            self._mute = True

    def ignore_probes(self) -> None:
        """Keys work, `89` is not answered."""
        with self.lock:
            self._deaf_to_probe = True

    def answer_late(self, after_s: float) -> None:
        """Answer probes only after so long."""
        with self.lock:
            self._answer_after_s = after_s

    def set_high_bit(self) -> None:
        """Send every key with bit 7 set."""
        with self.lock:
            self._high_bit = 0x80

    def power_cycle(self) -> None:
        """Off and on: the LCD is blank, keys are on."""
        with self.lock:
            self._power_up()

    def recover(self) -> None:
        """End all faults; a stuck key comes free."""
        self.let_go()
        with self.lock:
            self._no_faults()

    # The line

    def receive(self, data: bytes) -> None:
        """Take command bytes; an escape sequence may come in pieces."""
        for byte in data:
            if self._half:
                self._half += bytes([byte])
                self._lcd()
            elif byte == 0x1B:
                self._half = b"\x1b"
            else:
                self._single(byte)

    def _single(self, byte: int) -> None:
        if byte in _MESSAGES:
            self.message = _MESSAGES[byte]
        elif byte == 0x89:
            self._answer()
        elif byte in (0x8A, 0x8B):
            self.keys_on = byte == 0x8A
        else:
            self.unknown.append(bytes([byte]))

    def _answer(self) -> None:
        if self._mute or self._deaf_to_probe:
            return
        inside, self._pressed_inside_answer = self._pressed_inside_answer, b""
        self.say(b"O" + inside + b"K\r", after_s=self._answer_after_s)

    def _lcd(self) -> None:
        if len(self._half) < 3:
            return
        command, rest = self._half[1:3], self._half[3:]
        if command not in _LCD_COMMANDS:
            self.unknown.append(self._half)
            self._half = b""
        elif len(rest) == _LCD_COMMANDS[command]:
            self._half = b""
            self._write_lcd(command, rest)

    def _write_lcd(self, command: bytes, rest: bytes) -> None:
        row = 0 if command[1:] == b"0" else 1
        self.lines[row] = "".join(chr(b) if 0x20 <= b <= 0x7E else " " for b in rest[:16]) or _BLANK
        if row == 1:
            self.cursor = rest[16] if command == b"S2" else None


TWIN = SerialKeypadTwin
