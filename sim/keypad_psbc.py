"""Postal-bank pad (邮储键盘): a twin at byte level, for numeric input and evaluation.

Written from protocols/keypads.md §1.2 and §6. It does one thing at a time: shows its welcome text, reads keys, collects
keys, evaluates, or asks for OK. Tests look at `doing`, `said`, `unknown` and `pin_length`.

What the document leaves open: a command that starts something ends what runs; 83 is answered by nothing; `1B 57` is
answered only while nothing runs; a key that is pressed when nobody reads keys sends nothing; enter, delete and cancel
send 0D, 08 and 1B; packed input ends with 0D; an evaluation that was answered, or cancelled, leaves the welcome text. A
command that is not in its table is ignored and kept in `unknown`; so are all that have to do with keys and encryption.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Literal

from sim.carriers import ByteTwin
from sim.fingers import Fingers

_KEYS = {label: ord(label) for label in "0123456789.*#"} | {
    "enter": 0x0D, "ok": 0x0D, "backspace": 0x08, "correct": 0x08, "cancel": 0x1B,
}  # fmt: skip
_RATINGS = {"none": 0x00, "satisfied": 0x01, "neutral": 0x02, "dissatisfied": 0x03}
# What follows 1B → bytes of the whole command.
_LENGTHS = {b"Y": 2, b"GS": 4, b"GI": 5, b"GC": 4, b"N": 4, b"W": 2, b"sr": 3}

Doing = Literal["welcome", "keys", "packed keys", "evaluation", "confirmation"]


class PsbcTwin(Fingers, ByteTwin):
    """The pad; a test presses its keys and rates on it."""

    def __init__(self, device: str, options: Mapping[str, object]) -> None:
        super().__init__(device, options)
        self.serial = b"PSBC-00990001"
        self.application = b"00000000"
        self.unknown: list[bytes] = []
        self.said: list[str] = []
        """What it said aloud or beeped."""
        self._timers: list[threading.Timer] = []
        self._power_up()
        self._no_faults()

    def _power_up(self) -> None:
        self.doing: Doing = "welcome"
        self.pin_length = 6
        self._collected = b""
        self._half = b""

    def _no_faults(self) -> None:
        self._mute = False
        self._deaf_to_serial = False
        self._serial_after_s = 0.0
        self._pressed_before_serial = ""
        self._deaf_to_cancel = False
        self._planned: tuple[str, float] | None = None
        self._twice = False

    @property
    def baud(self) -> int:
        """It listens at 9600 unless its table says otherwise."""
        value = self.options.get("baud", 9600)
        return value if isinstance(value, int) else 9600

    def plugged(self) -> None:
        """Power-up."""
        self._power_up()

    def unplugged(self) -> None:
        """Nobody holds a key of a pad that is gone, nor rates on it."""
        self.let_go()
        for timer in self._timers:
            timer.cancel()
            timer.join(5)
        self._timers.clear()

    # What a person does

    def close_contact(self, key: str) -> None:
        """A digit, or enter, backspace, cancel; ok and correct are the first two."""
        code = _KEYS[key]
        with self.lock:
            if self._mute:
                return
            if self.doing == "keys":
                self.say(bytes([code]))
            elif self.doing == "packed keys":
                self._collect(code)
            elif self.doing == "confirmation" and key in ("enter", "ok", "cancel"):
                self.doing = "welcome"
                self.say(b"\x01" if key == "cancel" else b"\x00")

    def _collect(self, code: int) -> None:
        if code == 0x08:
            self._collected = self._collected[:-1]
        elif code == 0x1B:
            self.doing = "welcome"
        elif code == 0x0D:
            self.doing = "welcome"
            self.say(self._collected + b"\r")
        else:
            self._collected += bytes([code])

    def rate(self, rating: str) -> None:
        """Press satisfied, neutral or dissatisfied, or let its own time pass with none; nothing if nobody asked."""
        with self.lock:
            if self.doing == "evaluation" and not self._mute:
                self.doing = "welcome"
                self.say(bytes([_RATINGS[rating]]) * (2 if self._twice else 1))

    def will_rate(self, rating: str, *, after_s: float) -> None:
        """Rate so long after the next question."""
        with self.lock:
            self._planned = (rating, after_s)

    # Faults

    def rate_unasked(self, rating: str) -> None:
        """An answer comes out though nobody asked."""
        with self.lock:
            self.say(bytes([_RATINGS[rating]]))

    def answer_twice(self) -> None:
        """Each rating is sent twice."""
        with self.lock:
            self._twice = True

    def ignore_cancel(self) -> None:
        """An evaluation goes on though it was cancelled."""
        with self.lock:
            self._deaf_to_cancel = True

    def babble(self, data: bytes = b"\x7f\xff\x41\x0a\xcf\x04\xaa") -> None:
        """Send bytes that mean nothing."""
        with self.lock:
            self.say(data)

    def go_mute(self) -> None:
        """Nothing comes out any more."""
        with self.lock:
            self._mute = True

    def ignore_serial(self) -> None:
        """Keys and ratings work, `1B 57` is not answered."""
        with self.lock:
            self._deaf_to_serial = True

    def answer_late(self, after_s: float) -> None:
        """Tell the serial number only after so long."""
        with self.lock:
            self._serial_after_s = after_s

    def press_before_next_serial(self, key: str) -> None:
        """A key that is pressed just before the next cancel arrives is sent ahead of the serial number."""
        with self.lock:
            self._pressed_before_serial = key

    def power_cycle(self) -> None:
        """Off and on: the welcome text, nothing runs."""
        with self.lock:
            self._power_up()

    def recover(self) -> None:
        """End all faults; a stuck key comes free."""
        self.let_go()
        with self.lock:
            self._no_faults()

    # The line

    def receive(self, data: bytes) -> None:
        """Take command bytes; a command may come in pieces."""
        for byte in data:
            if self._half:
                self._half += bytes([byte])
                self._escape()
            elif byte == 0x1B:
                self._half = b"\x1b"
            elif byte == 0x83:
                self._cancel()
            else:
                self.unknown.append(bytes([byte]))

    def _cancel(self) -> None:
        if self._pressed_before_serial:
            self.close_contact(self._pressed_before_serial)
            self._pressed_before_serial = ""
        if not (self._deaf_to_cancel and self.doing == "evaluation"):
            self.doing = "welcome"

    def _escape(self) -> None:
        body = self._half[1:]
        name = next((n for n in _LENGTHS if n.startswith(body) or body.startswith(n)), None)
        if name is None:
            self.unknown.append(self._half)
            self._half = b""
        elif len(self._half) == _LENGTHS[name]:
            self._half = b""
            self._obey(name, body[len(name) :])

    def _obey(self, name: bytes, rest: bytes) -> None:
        if name == b"Y":
            self._evaluate("")
        elif name == b"GS":
            self._evaluate("beep" if rest[0] else "please rate our service")
        elif name == b"GI":
            self.doing, self._collected = ("packed keys" if rest[1] else "keys"), b""
            self._speak("" if rest[0] else "please enter")
        elif name == b"GC":
            self.doing = "welcome" if rest[0] else "confirmation"
        else:
            self._inform(name, rest)

    def _inform(self, name: bytes, rest: bytes) -> None:
        if name == b"N":
            self.pin_length = (rest[0] & 0x0F) << 4 | rest[1] & 0x0F
            self._answer(b"\xaa")
        elif name == b"sr":
            self._answer(self.application)
        elif self.doing == "welcome" and not self._deaf_to_serial:
            self._answer(self.serial, after_s=self._serial_after_s)

    def _evaluate(self, words: str) -> None:
        self.doing = "evaluation"
        self._speak(words)
        if self._planned is not None:
            rating, after_s = self._planned
            self._planned = None
            timer = threading.Timer(after_s, self.rate, [rating])
            timer.daemon = True
            self._timers.append(timer)
            timer.start()

    def _speak(self, words: str) -> None:
        if words:
            self.said.append(words)

    def _answer(self, data: bytes, *, after_s: float = 0.0) -> None:
        if not self._mute:
            self.say(data, after_s=after_s)


TWIN = PsbcTwin
