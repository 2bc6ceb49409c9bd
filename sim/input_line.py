"""Where twins of USB keypads and guns plug in: a FIFO that carries what Linux gives of an input device.

Written from protocols/keypads.md §2 and linux/input.h. One record is struct input_event in the machine's own layout:
seconds and microseconds (long each), type, code (16 bits each), value (32 bits). A key is EV_KEY (1) with value 1 and
0, a held one repeats with value 2; each is followed by SYN_REPORT.

A FIFO shows what is typed and that the plug was pulled. It cannot show grabbing, a device's name, or another program
that has the device: those need a real device.
"""

from __future__ import annotations

import contextlib
import os
import select
import struct
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from sim.carriers import ByteLine, ByteTwin

_RECORD = struct.Struct("llHHi")
_EV_SYN, _EV_KEY = 0, 1
_SYN_REPORT, _SYN_DROPPED = 0, 3
_UP, _DOWN, _REPEAT = 0, 1, 2
LEFT_SHIFT = 42
FINGER_S = 0.08
"""The same key twice takes a finger so long."""


class InputLine(ByteLine):
    """A FIFO under a stable name; the port is `evdev:` and its path."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._fd = -1

    @property
    def port(self) -> str:
        return f"evdev:{self._path}"

    def start(self) -> None:
        if self._fd >= 0:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        os.mkfifo(self._path)
        # Open for both, so that it stays open while nobody reads.
        self._fd = os.open(self._path, os.O_RDWR | os.O_NONBLOCK)
        for twin in self.twins:
            with twin.lock:
                twin.plugged()

    def stop(self) -> None:
        if self._fd < 0:
            return
        self._tell_unplugged()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()
        descriptor, self._fd = self._fd, -1
        os.close(descriptor)

    def _write(self, data: bytes) -> None:
        deadline = time.monotonic() + 2
        rest = data
        while rest and self._fd >= 0 and time.monotonic() < deadline:
            try:
                rest = rest[os.write(self._fd, rest) :]
            except BlockingIOError:
                select.select([], [self._fd], [], 0.1)
            except OSError:
                return


class InputTwin(ByteTwin):
    """A device that types; nothing is ever sent to it."""

    carrier = "fifo"

    def __init__(self, device: str, options: Mapping[str, object]) -> None:
        super().__init__(device, options)
        self._sticking: tuple[threading.Thread, threading.Event] | None = None
        self._down: set[int] = set()
        self._silent = False

    @property
    def baud(self) -> None:
        """No speed here."""
        return

    def receive(self, data: bytes) -> None:
        """Nobody writes to an input device."""
        raise AssertionError(f"{self.device} was sent {len(data)} bytes")

    def unplugged(self) -> None:
        """Nobody holds a key of a device that is gone."""
        self.let_go()

    # Events

    def emit(self, *records: tuple[int, int, int]) -> None:
        """Records of type, code and value at this moment, with their SYN_REPORT."""
        with self.lock:
            if self._silent:
                return
            now = time.monotonic()
            at = (int(now), int(now % 1 * 1_000_000))
            self.say(b"".join(_RECORD.pack(*at, *record) for record in (*records, (_EV_SYN, _SYN_REPORT, 0))))

    def down(self, code: int) -> None:
        """A contact closes."""
        with self.lock:
            self._down.add(code)
            self.emit((_EV_KEY, code, _DOWN))

    def up(self, code: int) -> None:
        """A contact opens."""
        with self.lock:
            self._down.discard(code)
            self.emit((_EV_KEY, code, _UP))

    def tap(self, code: int, *, shifted: bool = False) -> None:
        """Press and release one key, with shift around it where the character needs it."""
        with self.lock:
            if shifted:
                self.down(LEFT_SHIFT)
            self.down(code)
            self.up(code)
            if shifted:
                self.up(LEFT_SHIFT)

    # Faults that every input device can have

    def hold_code(self, code: int, *, per_s: float = 30.0) -> None:
        """A key is held down: the kernel repeats it until `recover`."""
        self.let_go()
        self.down(code)
        self._run_until_let_go(lambda: self.emit((_EV_KEY, code, _REPEAT)), per_s)

    def chatter_code(self, code: int, *, per_s: float = 30.0) -> None:
        """A broken contact opens and closes until `recover`; returns when it has done so 25 times."""
        self.let_go()
        self._run_until_let_go(lambda: self.tap(code), per_s, wait_for=25)

    def lose_events(self, code: int) -> None:
        """The kernel's buffer runs over: a release is lost, SYN_DROPPED tells of it, and `code` comes in its middle."""
        self.emit((_EV_SYN, _SYN_DROPPED, 0), (_EV_KEY, code, _DOWN))

    def go_mute(self) -> None:
        """Nothing comes any more."""
        with self.lock:
            self._silent = True

    def let_go(self) -> None:
        """Whatever is held or broken comes free."""
        with self.lock:
            sticking, self._sticking = self._sticking, None
        if sticking is not None:
            thread, free = sticking
            free.set()
            thread.join(5)
        with self.lock:
            for code in list(self._down):
                self.up(code)

    def recover(self) -> None:
        """End all faults."""
        self.let_go()
        with self.lock:
            self._silent = False

    def _run_until_let_go(self, deed: Callable[[], None], per_s: float, wait_for: int = 1) -> None:
        free, enough = threading.Event(), threading.Event()

        def repeat() -> None:
            count = 0
            while not free.is_set():
                deed()
                count += 1
                if count == wait_for:
                    enough.set()
                free.wait(1 / per_s)

        thread = threading.Thread(target=repeat, name=f"stuck key of {self.device}", daemon=True)
        with self.lock:
            self._sticking = (thread, free)
        thread.start()
        enough.wait(wait_for / per_s + 5)
