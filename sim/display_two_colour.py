"""Two-colour strip on the A0 90 bus: a twin at byte level.

Written from protocols/displays.md §4.1 and §6. Several twins on one line make a bus (sim/bus.py).

    A0 90 | ADD | A5 | length 2, high byte first | {character, colour}… | XOR        answered by   A0 90 ADD A5 AA or 55

What the document leaves open (G): a frame with a wrong XOR, or whose characters and colours do not come out even, is
answered with 55; a text is lost with the power (`restart`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

from sim.bus import BusTwin, readable

_COLORS = ("red", "green", "yellow")
_LONGEST = 1024


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A text that the strip took, and the colour of each of its characters."""

    at: float
    text: str
    colors: tuple[str, ...]

    @property
    def attention(self) -> bool:
        """Whether it is red from end to end."""
        return set(self.colors) == {"red"}


class TwoColourTwin(BusTwin):
    """One strip."""

    def __init__(self, device: str, options: Mapping[str, object]) -> None:
        super().__init__(device, options)
        self.shown: list[Shown] = []
        self._lit: Shown | None = None

    @property
    def text(self) -> str:
        """What a person sees."""
        with self.lock:
            return self._lit.text if self._lit else ""

    # Faults

    def _no_faults(self) -> None:
        super()._no_faults()
        self._failures = 0

    def fail(self, *, times: int = 1_000_000) -> None:
        """Answer the next frames with 55 and show nothing of them."""
        with self.lock:
            self._failures = times

    def restart(self) -> None:
        """Power off and on: the text is gone."""
        with self.lock:
            self._lit = None

    def damaged(self, frame: bytes) -> bytes:
        """The last byte says neither done nor failed."""
        return frame[:-1] + b"\x2a"

    # Frames

    def measure(self, heard: bytes) -> int:
        if heard[0] != 0xA0 or heard[1:2] not in (b"", b"\x90") or heard[3:4] not in (b"", b"\xa5"):
            return -1
        if len(heard) < 6:
            return 0
        size = heard[4] * 256 + heard[5] + 7
        if size > _LONGEST:
            return -1
        return size if len(heard) >= size else 0

    def take(self, frame: bytes) -> bool:
        right = reduce(lambda left, right: left ^ right, frame[2:-1]) == frame[-1]
        if frame[2] == self.address and not self._mute:
            self._show(frame, right=right)
        return right

    def _show(self, frame: bytes, *, right: bool) -> None:
        if not right:
            self.complaints.append(f"XOR is {frame[-1]:02x} in {frame.hex(' ')}")
        shown = self._read(frame) if right else None
        if self._failures:
            self._failures -= 1
            shown = None
        if shown is not None:
            self.shown.append(shown)
            self._lit = shown
        address = self.address if self._answer_as is None else self._answer_as
        self.answer(bytes([0xA0, 0x90, address, 0xA5, 0x55 if shown is None else 0xAA]))

    def _read(self, frame: bytes) -> Shown | None:
        rest, text, colors = frame[6:-1], "", []
        while rest:
            size = 1 if rest[0] < 0x80 else 2
            if len(rest) < size + 1 or rest[size] >= len(_COLORS):
                self.complaints.append(f"no character with a colour: {rest.hex(' ')}")
                return None
            text += readable(rest[:size])
            colors.append(_COLORS[rest[size]])
            rest = rest[size + 1 :]
        return Shown(at=time.time(), text=text, colors=tuple(colors))


TWIN = TwoColourTwin
