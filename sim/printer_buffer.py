"""Receive buffer of a slow printer twin: it has an end, says XOFF before it and XON when there is room again.

Written from the protocol notes "Ticket printers (ESC/POS)" §1, §3.4 and §7. How much room is left at XOFF is not in
them and given by the test; XON comes when a quarter is filled (G). What finds no room is lost, as in a printer whose
XOFF nobody heeds.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

XON, XOFF = b"\x11", b"\x13"
_TICK_S = 0.005


class ReceiveBuffer:
    """Bytes that wait for a mechanism that works off so many a second; the caller holds `lock` when it puts some in."""

    def __init__(
        self, *, size: int, reserve: int, bytes_per_s: int, lock: threading.RLock,
        work: Callable[[bytes], None], may_work: Callable[[], bool], say: Callable[[bytes], None],
    ) -> None:  # fmt: skip
        self.size, self.reserve, self.bytes_per_s = size, reserve, bytes_per_s
        self.lock, self.work, self.may_work, self.say = lock, work, may_work, say
        self.waiting = b""
        self.lost = 0
        """Bytes that found no room."""
        self.stops = 0
        """How often XOFF was said."""
        self._is_full = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="printer buffer", daemon=True)
        self._thread.start()

    def put(self, data: bytes) -> None:
        """Take what there is room for."""
        room = self.size - len(self.waiting)
        self.waiting += data[:room]
        self.lost += max(0, len(data) - room)
        if not self._is_full and self.size - len(self.waiting) <= self.reserve:
            self._is_full = True
            self.stops += 1
            self.say(XOFF)

    def clear(self) -> None:
        """Forget what waits."""
        self.waiting = b""
        self._tell_room()

    def stop(self) -> None:
        """End the thread; not with `lock` held."""
        self._over.set()
        self._thread.join(10)

    def _run(self) -> None:
        owed, at = 0.0, time.monotonic()
        while not self._over.wait(_TICK_S):
            now = time.monotonic()
            owed, at = owed + (now - at) * self.bytes_per_s, now
            with self.lock:
                count = min(int(owed), len(self.waiting)) if self.may_work() else 0
                owed = owed - count if count else min(owed, 1.0)
                now_done, self.waiting = self.waiting[:count], self.waiting[count:]
                self.work(now_done)
                self._tell_room()

    def _tell_room(self) -> None:
        if self._is_full and len(self.waiting) <= self.size // 4:
            self._is_full = False
            self.say(XON)
