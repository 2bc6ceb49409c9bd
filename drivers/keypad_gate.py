"""The gate of every keypad: lets presses through as a hand makes them.

Source: protocols/keypads.md §6 (bounce, human timing), faults.md A16 (stuck keys). No driver: the part that all keypads
share, whatever their bytes or events are. A driver tells the gate each press with its time and gives out what passes:

    contacts bounce     the same key within 30 ms                   one press
    keys stick          20 equal keys in 3 s                        KEYS_STUCK; nothing passes until that key has been
                                                                    silent for RELEASE_S
    hands are slow      more than 8 keys a second                   wait their turn, at most MOST_WAITING of them

Times are monotonic seconds and given by the driver; the gate never looks at a clock.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from drivers.base import Condition, Key

BOUNCE_S = 0.05
"""Contacts bounce within 30 ms, the fastest finger needs 80 ms; the rest is for a driver that hears in slices."""
MOST_KEYS_PER_S = 8
STUCK_COUNT = 20
STUCK_WITHIN_S = 3.0
RELEASE_S = 0.5
"""A stuck key comes at least every 0.15 s (20 in 3 s); three times that without it and the key is free."""
MOST_WAITING = 32

Hear = Callable[[float], int]
"""Takes in what comes first within so many seconds and tells the gate; how much it was, 0 for silence."""


class KeyGate:
    """Lets presses through as a hand makes them: no bounce, at most 8 a second, nothing while a key is stuck."""

    def __init__(self, bounce_s: float = BOUNCE_S) -> None:
        """`bounce_s` is 0 for a pad whose electronics debounce and whose "00" key sends two quick zeros."""
        self.stuck: Key | None = None
        self._bounce_s = bounce_s
        self._last: Key | None = None
        self._last_earliest = -BOUNCE_S
        self._presses: dict[Key, deque[float]] = {key: deque(maxlen=STUCK_COUNT) for key in Key}
        self._waiting: deque[Key] = deque(maxlen=MOST_WAITING)
        self._passed: deque[float] = deque(maxlen=MOST_KEYS_PER_S)
        self._silent_since = 0.0

    def press(self, key: Key, earliest: float, now: float) -> None:
        """A key arrived between `earliest` and `now`; both are the same where the press carries its own time.

        Only what surely came too soon is a bounce: of two equal keys that waited in a buffer nobody knows how far
        apart they were, and a digit too many is seen and corrected more easily than one that is missing.
        """
        presses = self._presses[key]
        presses.append(now)
        bounce = key is self._last and now - self._last_earliest < self._bounce_s
        self._last, self._last_earliest = key, earliest
        if len(presses) == STUCK_COUNT and now - presses[0] <= STUCK_WITHIN_S:
            self.stuck = key
            self._waiting.clear()
        if key is self.stuck:
            self._silent_since = now
        elif self.stuck is None and not bounce and len(self._waiting) < MOST_WAITING:
            self._waiting.append(key)

    def heard_until(self, now: float) -> None:
        """Everything up to `now` has been heard: a stuck key that was silent long enough is free again."""
        if self.stuck is not None and now - self._silent_since >= RELEASE_S:
            self.release()

    def release(self) -> None:
        """The stuck key is known to be up again, as from a pad that tells releases."""
        if self.stuck is not None:
            self._presses[self.stuck].clear()
            self.stuck = None

    def forget_waiting(self) -> None:
        """Nobody waits for what was pressed so far; a stuck key stays known."""
        self._waiting.clear()

    def due_in(self, now: float) -> float | None:
        """Seconds until the next key may pass; None if there is none."""
        if not self._waiting:
            return None
        if len(self._passed) < MOST_KEYS_PER_S:
            return 0.0
        return max(0.0, self._passed[0] + 1.0 - now)

    def take(self, now: float) -> Key | None:
        """The next key, if its time has come."""
        if self.due_in(now) != 0.0:
            return None
        self._passed.append(now)
        return self._waiting.popleft()


def next_key(gate: KeyGate, hear: Hear, limit_s: float) -> Key | None:
    """The next key press within limit_s; None also while a key is stuck. What a driver's poll_key does."""
    until = time.monotonic() + limit_s
    hear(0.0)
    while (key := gate.take(time.monotonic())) is None:
        now = time.monotonic()
        due_in = gate.due_in(now)
        wait = until - now if due_in is None else min(due_in, until - now)
        if wait <= 0 or not hear(wait):
            return gate.take(time.monotonic())
    return key


def stuck_keys(gate: KeyGate, hear: Hear) -> frozenset[Condition]:
    """KEYS_STUCK or nothing. While a key is stuck, this listens RELEASE_S longer to tell whether it still is."""
    until = time.monotonic() + RELEASE_S + 0.05
    while gate.stuck is not None and (remaining := until - time.monotonic()) > 0:
        if not hear(remaining):
            break
    return frozenset() if gate.stuck is None else frozenset({Condition.KEYS_STUCK})
