"""Barcode gun that types: a twin at the level of Linux input events.

Written from protocols/barcodes.md §3 and §5 and the US keyboard layout. A character is its key, with shift around it
where it needs that; the suffix is Enter or Tab.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from sim.input_line import InputTwin

# Key of each character on a US keyboard: the code that Linux gives it, and whether shift is held.
_KEYS: dict[str, tuple[int, bool]] = {" ": (57, False)}
for _code, _pair in enumerate(["1!", "2@", "3#", "4$", "5%", "6^", "7&", "8*", "9(", "0)", "-_", "=+"], 2):
    _KEYS[_pair[0]], _KEYS[_pair[1]] = (_code, False), (_code, True)
for _first, _letters in ((16, "qwertyuiop"), (30, "asdfghjkl"), (44, "zxcvbnm")):
    for _code, _letter in enumerate(_letters, _first):
        _KEYS[_letter], _KEYS[_letter.upper()] = (_code, False), (_code, True)
for _code, _pair in (
    (26, "[{"),
    (27, "]}"),
    (39, ";:"),
    (40, "'\""),
    (41, "`~"),
    (43, "\\|"),
    (51, ",<"),
    (52, ".>"),
    (53, "/?"),
):
    _KEYS[_pair[0]], _KEYS[_pair[1]] = (_code, False), (_code, True)

_SUFFIXES = {"enter": 28, "tab": 15, "none": None}
_LEFT_ALT = 56


class HidGunTwin(InputTwin):
    """The gun; a test holds codes before it."""

    def __init__(self, device: str, options: Mapping[str, object]) -> None:
        super().__init__(device, options)
        self._set()

    def _set(self) -> None:
        self._suffix = _SUFFIXES[str(self.options.get("suffix", "enter"))]
        self._aim = False
        self._readings = 1
        self._gap_s = 0.0
        self._overrun_at: int | None = None

    def recover(self) -> None:
        """Set it as its table says, and end all faults."""
        super().recover()
        with self.lock:
            self._set()

    # What a clerk does

    def scan(self, text: str, symbology: str = "C0") -> None:
        """Hold a code of printable ASCII before the gun; `symbology` is its AIM identifier without the bracket."""
        for _ in range(self._readings):
            for i, character in enumerate((f"]{symbology}" if self._aim else "") + text):
                code, shifted = _KEYS[character]
                if i == self._overrun_at:
                    self.lose_events(code)
                    continue
                self.tap(code, shifted=shifted)
                if self._gap_s:
                    time.sleep(self._gap_s)
            if self._suffix is not None:
                self.tap(self._suffix)

    def scan_all(self, *texts: str) -> None:
        """One code right after the other."""
        for text in texts:
            self.scan(text)

    # How guns differ

    def send_aim_prefix(self) -> None:
        """Type the symbology before each code."""
        with self.lock:
            self._aim = True

    def end_with(self, suffix: str) -> None:
        """Be set to another suffix: enter, tab, none."""
        with self.lock:
            self._suffix = _SUFFIXES[suffix]

    def type_slowly(self, gap_s: float = 0.05) -> None:
        """Wait between characters, as some guns can be set to."""
        with self.lock:
            self._gap_s = gap_s

    # Faults

    def lose_suffix(self) -> None:
        """Somebody scanned the page "no suffix"."""
        self.end_with("none")

    def read_double(self) -> None:
        """Every code is read and typed twice."""
        with self.lock:
            self._readings = 2

    def cut_off(self, text: str) -> None:
        """The cable is bad: the beginning of a code comes and nothing more."""
        for character in text[: len(text) // 2]:
            code, shifted = _KEYS[character]
            self.tap(code, shifted=shifted)

    def overrun_inside(self, *, after_characters: int = 4) -> None:
        """The machine is too busy: a character in the middle of each code is thrown away by the kernel."""
        with self.lock:
            self._overrun_at = after_characters

    def scan_with_alt_code(self, before: str, digits: str, after: str) -> None:
        """A code with a character that the gun types as alt and its number, as some do for Chinese."""
        for character in before:
            self.tap(*_KEYS[character][:1], shifted=_KEYS[character][1])
        self.down(_LEFT_ALT)
        for digit in digits:
            self.tap(_KEYS[digit][0])
        self.up(_LEFT_ALT)
        self.scan(after)


TWIN = HidGunTwin
