"""What USB keypads and barcode guns share: from input events to presses.

Source: protocols/keypads.md §2 (A: Linux input event codes). No driver. A press is an EV_KEY event with value 1; value
0 is its release and 2 a repeat made by the kernel, so a held key is one press. The shift keys are no presses of their
own: a press says whether one of them was held. After SYN_DROPPED the kernel has thrown events away, so nothing is known
any more of what is held, and a HOLE stands among the presses.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from drivers.transport_evdev import EV_KEY, EV_SYN, SYN_DROPPED, SYN_REPORT, InputEvent

KEY_LEFTCTRL, KEY_RIGHTCTRL = 29, 97
KEY_LEFTSHIFT, KEY_RIGHTSHIFT = 42, 54
KEY_LEFTALT, KEY_RIGHTALT = 56, 100
SHIFTS = frozenset({KEY_LEFTSHIFT, KEY_RIGHTSHIFT})
MODIFIERS = SHIFTS | {KEY_LEFTCTRL, KEY_RIGHTCTRL, KEY_LEFTALT, KEY_RIGHTALT}

_RELEASED, _PRESSED, _REPEATED = 0, 1, 2


class KeyPress(NamedTuple):
    """One key went down; `altered` says that control or alt was held."""

    code: int
    shifted: bool = False
    altered: bool = False
    at_s: float = 0.0


HOLE = KeyPress(-1)
"""Here the kernel has dropped events."""


class KeyTracker:
    """Follows what is held down."""

    def __init__(self) -> None:
        self._down: dict[int, float] = {}
        self._dropping = False

    def presses(self, events: Iterable[InputEvent], now: float) -> list[KeyPress]:
        """The presses among these events, heard at `now`."""
        found = []
        for event in events:
            if event.type == EV_SYN and event.code == SYN_DROPPED:
                self._dropping = True
                self._down.clear()
                found.append(HOLE)
            elif event.type == EV_SYN and event.code == SYN_REPORT:
                self._dropping = False
            elif event.type == EV_KEY and not self._dropping:
                found += self._key(event, now)
        return found

    def held_s(self, now: float) -> float:
        """For how many seconds the longest held key, other than a modifier, has been down."""
        return max((now - since for code, since in self._down.items() if code not in MODIFIERS), default=0.0)

    def _key(self, event: InputEvent, now: float) -> list[KeyPress]:
        if event.value == _RELEASED:
            self._down.pop(event.code, None)
            return []
        if event.value in (_PRESSED, _REPEATED):
            self._down.setdefault(event.code, now)
        if event.value != _PRESSED or event.code in MODIFIERS:
            return []
        shifted = not SHIFTS.isdisjoint(self._down)
        altered = not (MODIFIERS - SHIFTS).isdisjoint(self._down)
        return [KeyPress(event.code, shifted, altered, event.at_s)]
