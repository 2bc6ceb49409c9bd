"""Fingers on the keys of a simulated keypad: human timing, bouncing contacts, a key that hangs.

Written from protocols/keypads.md §6. What a closing and an opening contact puts on the line is the twin's business.
"""

from __future__ import annotations

import random
import threading
import time
from abc import abstractmethod
from collections.abc import Mapping

from sim.carriers import Twin

FINGER_S = 0.08
"""The fastest a hand presses the same key again; a slow one needs SLOW_FINGER_S."""
SLOW_FINGER_S = 0.4


class Fingers(Twin):
    """The keys of a twin; goes before its carrier's class among the bases."""

    def __init__(self, device: str, options: Mapping[str, object]) -> None:
        super().__init__(device, options)
        self._last_press = ("", 0.0)
        self._sticking: tuple[threading.Thread, threading.Event] | None = None

    @abstractmethod
    def close_contact(self, key: str) -> None:
        """A key goes down: what the pad sends then."""

    def open_contact(self, key: str) -> None:
        """A key comes up again; most pads send nothing."""

    # What a person does

    def press(self, key: str) -> None:
        """Press and release one key, by the label it has on the pad.

        The same key twice takes a finger 80 ms, so the second press waits for that.
        """
        pressed, at = self._last_press
        if key == pressed:
            time.sleep(max(0.0, at + FINGER_S - time.monotonic()))
        self._last_press = (key, time.monotonic())
        self.close_contact(key)
        self.open_contact(key)

    def type(self, text: str, *, gap_s: float = FINGER_S) -> None:
        """Press one key per character, as fast as a practised hand."""
        for i, key in enumerate(text):
            if i:
                time.sleep(gap_s)
            self.press(key)

    def type_like_a_person(self, text: str, *, seed: int = 0) -> None:
        """Press one key per character with 80 to 400 ms between them."""
        pace = random.Random(seed)
        for i, key in enumerate(text):
            if i:
                time.sleep(pace.uniform(FINGER_S, SLOW_FINGER_S))
            self.press(key)

    # Faults

    def stick(self, key: str, *, per_s: float = 30.0) -> None:
        """A key hangs and repeats until `recover`; returns when it has repeated 25 times."""
        self.let_go()
        free, enough = threading.Event(), threading.Event()

        def repeat() -> None:
            count = 0
            while not free.is_set():
                self.close_contact(key)
                count += 1
                if count == 25:
                    enough.set()
                free.wait(1 / per_s)

        thread = threading.Thread(target=repeat, name=f"stuck key of {self.device}", daemon=True)
        with self.lock:
            self._sticking = (thread, free)
        thread.start()
        enough.wait(25 / per_s + 5)

    def bounce(self, key: str, *, after_s: float = 0.01) -> None:
        """Press one key whose contacts close twice."""
        self.close_contact(key)
        time.sleep(after_s)
        self.close_contact(key)
        self.open_contact(key)

    def let_go(self) -> None:
        """A stuck key comes free."""
        with self.lock:
            sticking, self._sticking = self._sticking, None
        if sticking is not None:
            thread, free = sticking
            free.set()
            thread.join(5)
