"""Barcode gun on a serial line: a twin at byte level.

Written from protocols/barcodes.md §3 and §5. How the gun is set comes from its table (`suffix`), and can be changed by
verbs as a clerk does by scanning the wrong page of the manual.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from sim.carriers import ByteTwin

_SUFFIXES = {"cr": b"\r", "crlf": b"\r\n", "tab": b"\t", "none": b""}


class SerialGunTwin(ByteTwin):
    """The gun; a test holds codes before it."""

    def __init__(self, device: str, options: Mapping[str, object]) -> None:
        super().__init__(device, options)
        self.received = b""
        """A gun is told nothing; what it is sent all the same."""
        self.recover()

    def recover(self) -> None:
        """Set it as its table says, and end all faults."""
        with self.lock:
            self._suffix = _SUFFIXES[str(self.options.get("suffix", "cr"))]
            self._encoding = "utf-8"
            self._aim = False
            self._mute = False
            self._pause: tuple[int, float] | None = None
            self._readings = 1

    @property
    def baud(self) -> int:
        """It speaks at 9600 unless its table says otherwise."""
        value = self.options.get("baud", 9600)
        return value if isinstance(value, int) else 9600

    def receive(self, data: bytes) -> None:
        """Nothing is listened to."""
        self.received += data

    # What a clerk does

    def scan(self, text: str, symbology: str = "C0") -> None:
        """Hold a code before the gun; `symbology` is its AIM identifier without the bracket."""
        with self.lock:
            if self._mute:
                return
            prefix = f"]{symbology}" if self._aim else ""
            message = (prefix + text).encode(self._encoding) + self._suffix
            pause, readings = self._pause, self._readings
        for _ in range(readings):
            if pause is None:
                self.say(message)
                continue
            after_bytes, gap_s = pause
            self.say(message[:after_bytes])
            self.say(message[after_bytes:], after_s=gap_s)

    def scan_all(self, *texts: str) -> None:
        """One code right after the other."""
        for text in texts:
            self.scan(text)

    # How guns differ

    def send_aim_prefix(self) -> None:
        """Send the symbology before each code."""
        with self.lock:
            self._aim = True

    def send_gbk(self) -> None:
        """Read symbols whose Chinese is GBK."""
        with self.lock:
            self._encoding = "gbk"

    def end_with(self, suffix: str) -> None:
        """Be set to another suffix: cr, crlf, tab, none."""
        with self.lock:
            self._suffix = _SUFFIXES[suffix]

    # Faults

    def lose_suffix(self) -> None:
        """Somebody scanned the page "no suffix"."""
        self.end_with("none")

    def read_double(self) -> None:
        """Every code is read and sent twice."""
        with self.lock:
            self._readings = 2

    def pause_inside(self, *, after_bytes: int = 4, gap_s: float = 0.05) -> None:
        """Every code comes in two pieces."""
        with self.lock:
            self._pause = (after_bytes, gap_s)

    def cut_off(self, text: str) -> None:
        """The cable is bad: the beginning of a code comes and nothing more."""
        self.say(text.encode(self._encoding)[: len(text) // 2])

    def go_mute(self) -> None:
        """Nothing comes any more."""
        with self.lock:
            self._mute = True

    def hold_under(self, text: str, *, for_s: float, every_s: float = 0.3) -> None:
        """A gun that reads by itself, with the code lying before it all the time."""
        until = time.monotonic() + for_s
        while time.monotonic() < until:
            self.scan(text)
            time.sleep(every_s)


TWIN = SerialGunTwin
