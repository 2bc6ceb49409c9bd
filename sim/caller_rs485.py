"""Physical caller on an RS-485 line: a twin at byte level.

Written from protocols/keypads.md §3.1 and §6. A frame goes out the moment somebody presses a key; frames from the host
come in any pieces, and those of other addresses pass by. Tests look at `shown`, `waiting`, `logged_in` and `unknown`.

What the document leaves open: a caller that is not logged in sends log-in only; its display is empty at power-up and
after a log-out; a command that is not in its table is ignored and kept in `unknown`. The polled personality of §3.2 is
left out: its bytes are not public.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping

from sim.carriers import ByteTwin

_END = 0xFF
_NOTHING = (0x73, 0x73)
_KEYS = {"next": 0x00, "recall": 0x02, "log_out": 0x1A}


class SixByteTwin(ByteTwin):
    """Whatever speaks six-byte frames at one address, with what can go wrong on its way to the host."""

    def __init__(self, device: str, options: Mapping[str, object], address_key: str = "address") -> None:
        super().__init__(device, options)
        value = options.get(address_key)
        self.address = value if isinstance(value, int) else 3
        self.unknown: list[tuple[int, int, int]] = []
        """Command and data of frames that it does not know."""
        self._received = b""
        self._no_faults()
        self.forget()

    def _no_faults(self) -> None:
        self._dead = False
        self._endless = False
        self._wrong_address: int | None = None
        self._gap_at: int | None = None
        self._gap_s = 0.0
        self._held_back: bytes | None = None
        self._spoken_over: bytes | None = None

    @property
    def baud(self) -> int:
        """It listens at 9600 unless its table says otherwise."""
        value = self.options.get("baud", 9600)
        return value if isinstance(value, int) else 9600

    def plugged(self) -> None:
        """Power-up."""
        self.power_cycle()

    def power_cycle(self) -> None:
        """Off and on: what it knew is forgotten."""
        with self.lock:
            self._received = b""
            self.forget()

    @abstractmethod
    def forget(self) -> None:
        """As it is at power-up."""

    @abstractmethod
    def obey(self, command: int, first: int, second: int) -> None:
        """Do what a frame of the host to this address says."""

    # Faults

    def go_mute(self) -> None:
        """No power: it sends nothing and hears nothing."""
        with self.lock:
            self._dead = True

    def lose_ends(self) -> None:
        """Every frame comes without its FF."""
        with self.lock:
            self._endless = True

    def speak_for(self, address: int) -> None:
        """Frames carry a wrong address."""
        with self.lock:
            self._wrong_address = address

    def split_frames(self, *, after_bytes: int = 3, gap_s: float = 0.05) -> None:
        """Every frame comes in two pieces."""
        with self.lock:
            self._gap_at, self._gap_s = after_bytes, gap_s

    def merge_next_two(self) -> None:
        """The next frame loses its FF and waits for the one after it: both go out in one."""
        with self.lock:
            self._held_back = b""

    def collide_with(self, address: int) -> None:
        """Another caller speaks at the same moment: bytes of both arrive alternately."""
        with self.lock:
            self._spoken_over = bytes([0x01, address, 0x00, *_NOTHING, _END])

    def recover(self) -> None:
        """End all faults."""
        with self.lock:
            self._no_faults()

    # The line

    def send(self, command: int, first: int, second: int) -> None:
        """One frame to the host, as well as the faults allow."""
        with self.lock:
            if self._dead:
                return
            address = self.address if self._wrong_address is None else self._wrong_address
            frame = bytes([0x01, address, command, first, second, _END])
            if self._endless:
                frame = frame[:-1]
            if self._spoken_over is not None:
                frame = bytes(b for pair in zip(frame, self._spoken_over, strict=False) for b in pair)
            if self._held_back == b"":
                self._held_back = frame[:-1]
                return
            if self._held_back is not None:
                frame, self._held_back = self._held_back + frame, None
        if self._gap_at is None:
            self.say(frame)
            return
        self.say(frame[: self._gap_at])
        self.say(frame[self._gap_at :], after_s=self._gap_s)

    def receive(self, data: bytes) -> None:
        """Take bytes of the host's frames; they may come in pieces."""
        if self._dead:
            return
        self._received += data
        while _END in self._received:
            frame, _, self._received = self._received.partition(bytes([_END]))
            if len(frame) == 5 and frame[:2] == bytes([self.address, 0x01]):
                self.obey(frame[2], frame[3], frame[4])


class CallerTwin(SixByteTwin):
    """The caller; a test presses its keys and reads its display."""

    def forget(self) -> None:
        """An empty display, nobody logged in."""
        self.shown = ""
        """Four digits, or nothing."""
        self.waiting: int | None = None
        self.logged_in = False

    # What a clerk does

    def press(self, key: str) -> None:
        """Press a key: next, recall, log_out; nothing happens unless somebody is logged in."""
        if self.logged_in:
            self.send(_KEYS[key], *((0x00, 0x00) if key == "recall" else _NOTHING))

    def log_in(self, staff: int | str) -> None:
        """Type a staff number and press log-in."""
        self.send(0x06, *divmod(int(staff), 100))

    def press_other(self, command: int) -> None:
        """Press a key of a caller that has more of them than the document."""
        if self.logged_in:
            self.send(command, *_NOTHING)

    def type_and_press(self, number: int, command: int) -> None:
        """Type a number and press a key of a caller that has more of them than the document."""
        if self.logged_in:
            self.send(command, *divmod(number, 100))

    def bounce(self, key: str, *, after_s: float = 0.02) -> None:
        """Press a key whose contacts close twice."""
        self.press(key)
        time.sleep(after_s)
        self.press(key)

    def obey(self, command: int, first: int, second: int) -> None:
        """Show, count, let in and out."""
        if command == 0x01:
            self.shown = "" if (first, second) == _NOTHING else f"{first:02}{second:02}"
        elif command == 0x1C:
            one_byte = self.options.get("waiting_form") == "one_byte"
            self.waiting = second if one_byte else 100 * first + second
        elif command == 0x05:
            self.logged_in = True
        elif command == 0x07:
            self.forget()
        else:
            self.unknown.append((command, first, second))


TWIN = CallerTwin
