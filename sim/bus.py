"""A shared half-duplex line as a device on it hears it: frames of its protocol, and the silence between them.

Source: protocols/displays.md, head and §6. Every device hears every byte of the host, also of other protocols. A frame
of a device's own protocol that begins less than the gap after other traffic is a collision; a byte takes 10 bits of
time, so a frame that nobody answered has left the wire later than it came here. Between the documents (G): a pause as
long as the gap ends a frame that was begun.
"""

from __future__ import annotations

import threading
import time
from abc import abstractmethod
from collections.abc import Mapping

from sim.carriers import ByteTwin

PAUSE_S = 0.1
_HANDED_ON_LATE_S = 0.05
"""How much later than sent a simulated line may hand a frame on: where nobody answers, that is no fault of the host."""


class BusTwin(ByteTwin):
    """A display on a line; a test reads `text`, `collisions` and `complaints`."""

    def __init__(self, device: str, options: Mapping[str, object]) -> None:
        super().__init__(device, options)
        self.address = self._int("address", 1)
        self.collisions: list[float] = []
        """When a frame of this protocol began too soon after other traffic on the line."""
        self.complaints: list[str] = []
        """What was wrong with frames for this display."""
        self._heard = b""
        self._in_frame = self._too_soon = False
        self._timers: list[threading.Timer] = []
        self._no_faults()

    def _int(self, key: str, default: int) -> int:
        value = self.options.get(key, default)
        return value if isinstance(value, int) else default

    @property
    def baud(self) -> int:
        """It listens at 9600 unless its table says otherwise."""
        return self._int("baud", 9600)

    @property
    def gap_s(self) -> float:
        """Silence it needs before a frame."""
        value = self.options.get("gap_s", 0.1)
        return float(value) if isinstance(value, int | float) else 0.1

    # Faults

    def _no_faults(self) -> None:
        self._mute = False
        self._corrupt = 0
        self._late_s = 0.0
        self._answer_as: int | None = None
        self._noise_before = b""

    def go_mute(self) -> None:
        """Neither show nor answer anything."""
        with self.lock:
            self._mute = True

    def corrupt_replies(self, *, times: int = 1_000_000) -> None:
        """Damage the next replies; what was asked is done."""
        with self.lock:
            self._corrupt = times

    def answer_late(self, after_s: float) -> None:
        """Do at once what is asked, answer only after so long."""
        with self.lock:
            self._late_s = after_s

    def answer_as(self, address: int) -> None:
        """Answer under another display's number."""
        with self.lock:
            self._answer_as = address

    def precede_replies_with(self, noise: bytes) -> None:
        """Noise on the line before each reply."""
        with self.lock:
            self._noise_before = noise

    def recover(self) -> None:
        """End all faults; a text that was lost stays lost."""
        self._drop_timers()
        with self.lock:
            self._no_faults()

    def unplugged(self) -> None:
        """What was to be said later is not said any more."""
        self._drop_timers()

    def _drop_timers(self) -> None:
        with self.lock:
            timers, self._timers = self._timers, []
        for timer in timers:
            timer.cancel()
            timer.join(5)

    # The line

    @abstractmethod
    def measure(self, heard: bytes) -> int:
        """Length of the frame that stands at the beginning; 0 while it is incomplete, -1 where none begins."""

    @abstractmethod
    def take(self, frame: bytes) -> bool:
        """Act on a complete frame, for whichever display it is; False if it is none of this protocol, or damaged."""

    def receive(self, data: bytes) -> None:
        """Take bytes from the line, for whichever device they are."""
        quiet_since, now = self._traffic(data)
        if now - quiet_since >= PAUSE_S:
            self._heard, self._in_frame = b"", False
        self._heard += data
        while self._heard:
            size = self.measure(self._heard)
            if size < 0:
                self._heard, self._in_frame = self._heard[1:], False
                continue
            if not self._in_frame:
                self._too_soon = now - quiet_since < self.gap_s - 0.001
            self._in_frame = size == 0
            if not size:
                return
            frame, self._heard = self._heard[:size], self._heard[size:]
            if self.take(frame):
                self.collisions += [now] if self._too_soon else []
                quiet_since = now

    def _traffic(self, data: bytes) -> tuple[float, float]:
        """Since when the line was silent before these bytes, and when they came."""
        passed = self.line.transcript
        for i in range(len(passed) - 1, 0, -1):
            # Another display on this line may have spoken since.
            if passed[i].direction == ">" and passed[i].data == data:
                last = passed[i - 1]
                left_after_s = len(last.data) * 10 / self.baud - _HANDED_ON_LATE_S if last.direction == ">" else 0.0
                return last.at + left_after_s, passed[i].at
        return 0.0, time.time()

    def answer(self, frame: bytes) -> None:
        """Send a reply to the host, with whatever fault there is."""
        if self._corrupt:
            self._corrupt -= 1
            frame = self.damaged(frame)
        frame = self._noise_before + frame
        if not self._late_s:
            self.say(frame)
            return
        timer = threading.Timer(self._late_s, self.line.send, (frame,))
        timer.daemon = True
        self._timers.append(timer)
        timer.start()

    def damaged(self, frame: bytes) -> bytes:
        """A reply of which one bit arrives wrong: in its last byte but one, where a check stands."""
        return frame[:-2] + bytes([frame[-2] ^ 0x01]) + frame[-1:]


def readable(content: bytes) -> str:
    """A text as GB2312 fonts show it; what they lack is U+FFFD."""
    return content.decode("gb2312", "replace")
