"""USB keypad: a twin at the level of Linux input events.

Written from protocols/keypads.md §2 and §6. A test presses its keys by their labels; `row` says whether the pad sends
the codes of the main row or those of the keypad.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from typing import Literal

from sim.input_line import FINGER_S, InputTwin

_MAIN = {
    "1": 2, "2": 3, "3": 4, "4": 5, "5": 6, "6": 7, "7": 8, "8": 9, "9": 10, "0": 11,
    ".": 52, "enter": 28, "backspace": 14, "cancel": 1, "help": 138, "*": 55,
}  # fmt: skip
_PAD = {
    **_MAIN,
    "1": 79, "2": 80, "3": 81, "4": 75, "5": 76, "6": 77, "7": 71, "8": 72, "9": 73, "0": 82, ".": 83, "enter": 96,
}  # fmt: skip
_ALSO = {"ok": "enter", "correct": "backspace"}
_SHIFTED = {"#": 4}
_NUM_LOCK = 69


class EvdevKeypadTwin(InputTwin):
    """The pad."""

    def __init__(self, device: str, options: Mapping[str, object]) -> None:
        super().__init__(device, options)
        self.row: Literal["main", "pad"] = "pad"
        self._num_lock_first = False
        self._last_press = ("", 0.0)

    # What a person does

    def press(self, key: str) -> None:
        """Press and release one key: its label, "00", enter, backspace, cancel, help; ok and correct are two of them.

        The same key twice takes a finger 80 ms, so the second press waits for that.
        """
        pressed, at = self._last_press
        if key == pressed:
            time.sleep(max(0.0, at + FINGER_S - time.monotonic()))
        self._last_press = (key, time.monotonic())
        for label in ("0", "0") if key == "00" else (key,):
            self._strike(label)

    def type(self, text: str, *, gap_s: float = FINGER_S) -> None:
        """Press one key per character, as fast as a practised hand."""
        for i, key in enumerate(text):
            if i:
                time.sleep(gap_s)
            self.press(key)

    def type_like_a_person(self, text: str, *, seed: int = 0) -> None:
        """Press one key per character with 80 to 400 ms between them."""
        pace = random.Random(seed)
        for i, key in enumerate(text):
            if i:
                time.sleep(pace.uniform(FINGER_S, 0.4))
            self.press(key)

    # How pads differ

    def send_num_lock_first(self) -> None:
        """Send NumLock before every digit, as some pads do."""
        with self.lock:
            self._num_lock_first = True

    # Faults

    def stick(self, key: str, *, per_s: float = 30.0) -> None:
        """A broken contact presses its key again and again until `recover`; returns after 25 times."""
        self.chatter_code(self._code(key), per_s=per_s)

    def hold(self, key: str) -> None:
        """Something lies on a key until `recover`."""
        self.hold_code(self._code(key))

    def bounce(self, key: str, *, after_s: float = 0.01) -> None:
        """Press one key whose contacts close twice."""
        self._strike(key)
        time.sleep(after_s)
        self._strike(key)

    def recover(self) -> None:
        """End all faults and oddities."""
        super().recover()
        with self.lock:
            self._num_lock_first = False

    def _code(self, key: str) -> int:
        return (_MAIN if self.row == "main" else _PAD)[_ALSO.get(key, key)]

    def _strike(self, key: str) -> None:
        if key in _SHIFTED:
            self.tap(_SHIFTED[key], shifted=True)
            return
        if self._num_lock_first and key.isdecimal():
            self.tap(_NUM_LOCK)
        self.tap(self._code(key))


TWIN = EvdevKeypadTwin
