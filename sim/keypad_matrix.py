"""Raw matrix keypad: a twin at byte level that only sends.

Written from protocols/keypads.md §1.4 and §6. Its table in devices.toml says whether it sends labels or places
(`table`), and what stands before and after each byte (`prefix`, `suffix`); `keys` is read backwards for a pad of its
own kind. What the host writes is noticed in `unknown` and changes nothing.

What the document leaves open: the legend is that of common 4 × 4 pads, with A to D for ok, correct, cancel and help.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sim.carriers import ByteTwin
from sim.fingers import Fingers

_LEGEND = "123A456B789C*0#D"
_WORDS = {"ok": "A", "enter": "A", "correct": "B", "backspace": "B", "cancel": "C", "help": "D"}


class MatrixTwin(Fingers, ByteTwin):
    """The pad; a test presses its keys, by legend or by word."""

    def __init__(self, device: str, options: Mapping[str, object]) -> None:
        super().__init__(device, options)
        self.unknown: list[bytes] = []
        self._prefix = bytes.fromhex(str(options.get("prefix", "")))
        self._suffix = bytes.fromhex(str(options.get("suffix", "")))
        own = options.get("keys", {})
        self._own = {str(key): int(code, 16) for code, key in own.items()} if isinstance(own, Mapping) else {}
        self._no_faults()

    def _no_faults(self) -> None:
        self._mute = False
        self._released: bytes | None = None
        self._marks_release = False
        self._cut = 0

    @property
    def baud(self) -> int:
        """It sends at 9600 unless its table says otherwise."""
        value = self.options.get("baud", 9600)
        return value if isinstance(value, int) else 9600

    def unplugged(self) -> None:
        """Nobody holds a key of a pad that is gone."""
        self.let_go()

    def _code(self, key: str) -> int:
        if key in self._own:
            return self._own[key]
        label = _WORDS.get(key, key)
        return _LEGEND.index(label) if self.options.get("table") == "index" else ord(label)

    def close_contact(self, key: str) -> None:
        """Send the key's frame."""
        with self.lock:
            frame = self._prefix + bytes([self._code(key)]) + self._suffix
            if not self._mute:
                self.say(frame[: len(frame) - self._cut])

    def open_contact(self, key: str) -> None:
        """Send what this pad sends on release, if anything."""
        with self.lock:
            if self._mute:
                return
            if self._marks_release:
                self.say(bytes([self._code(key) | 0x80]))
            elif self._released is not None:
                self.say(self._released)

    # Kinds of pads, and faults

    def send_on_release(self, data: bytes) -> None:
        """A kind of pad that sends this when a key comes up."""
        with self.lock:
            self._released = data

    def mark_releases(self) -> None:
        """A kind of pad that repeats the key's byte with bit 7 set when it comes up."""
        with self.lock:
            self._marks_release = True

    def cut_frames(self, missing: int = 1) -> None:
        """The last bytes of each frame are lost."""
        with self.lock:
            self._cut = missing

    def press_in_pieces(self, key: str, pause: Callable[[], object]) -> None:
        """One frame byte by byte, with `pause()` called in between."""
        frame = self._prefix + bytes([self._code(key)]) + self._suffix
        for at in range(len(frame)):
            if at:
                pause()
            self.say(frame[at : at + 1])

    def press_merged(self, keys: str) -> None:
        """The frames of several keys in one piece."""
        with self.lock:
            self.say(b"".join(self._prefix + bytes([self._code(key)]) + self._suffix for key in keys))

    def babble(self, data: bytes = b"\x7f\xff\x55\xc1\x9a") -> None:
        """Send bytes that mean nothing."""
        with self.lock:
            self.say(data)

    def go_mute(self) -> None:
        """Nothing comes out any more."""
        with self.lock:
            self._mute = True

    def power_cycle(self) -> None:
        """Off and on: a glitch on the line, and all is as before."""
        with self.lock:
            self.say(b"\xff")

    def recover(self) -> None:
        """End all faults; a stuck key comes free."""
        self.let_go()
        with self.lock:
            self._no_faults()

    def receive(self, data: bytes) -> None:
        """It has no ears."""
        self.unknown.append(data)


TWIN = MatrixTwin
