"""Plain evaluation device (评价器): a twin at byte level that sends one byte per key.

Written from protocols/keypads.md §4 (plain profile) and §6. What the host writes is kept in `heard` and changes
nothing: the document gives a plain device no commands.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping

from sim.carriers import ByteTwin
from sim.fingers import Fingers

_KEYS = {str(key): 0x30 + key for key in range(1, 6)}


class ByteEvaluatorTwin(Fingers, ByteTwin):
    """The device; its keys are "1" (非常满意) to "5" (非常不满意)."""

    def __init__(self, device: str, options: Mapping[str, object]) -> None:
        super().__init__(device, options)
        self.heard = b""
        self._timers: list[threading.Timer] = []
        self._no_faults()

    def _no_faults(self) -> None:
        self._mute = False
        self._times = 1

    @property
    def baud(self) -> int:
        """It sends at 9600 unless its table says otherwise."""
        value = self.options.get("baud", 9600)
        return value if isinstance(value, int) else 9600

    def unplugged(self) -> None:
        """Nobody presses a key of a device that is gone."""
        self.let_go()
        for timer in self._timers:
            timer.cancel()
            timer.join(5)
        self._timers.clear()

    def close_contact(self, key: str) -> None:
        """Send the key's byte."""
        with self.lock:
            if not self._mute:
                self.say(bytes([_KEYS[key]]) * self._times)

    def press_after(self, key: str, after_s: float) -> None:
        """A resident who takes some time."""
        timer = threading.Timer(after_s, self.press, [key])
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    # Faults

    def answer_twice(self) -> None:
        """Each key is sent twice."""
        with self.lock:
            self._times = 2

    def go_mute(self) -> None:
        """Nothing comes out any more."""
        with self.lock:
            self._mute = True

    def babble(self, data: bytes = b"\x00\x30\x36\xff\x55\xb1") -> None:
        """Send bytes that mean nothing."""
        with self.lock:
            self.say(data)

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
        """Note what was written."""
        self.heard += data


TWIN = ByteEvaluatorTwin
