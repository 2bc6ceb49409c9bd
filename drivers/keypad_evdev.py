"""USB keypad that types like a keyboard, read through Linux evdev and grabbed.

Source: protocols/keypads.md §2 (A: event codes; B: what pads do with NumLock and "00"), §6 (bounce), faults.md A16.

    event   type EV_KEY (1), code, value 1 press / 0 release / 2 repeat, followed by SYN_REPORT

    main row   2 .. 10 = 1 .. 9   11 = 0   28 enter   14 backspace   1 esc   52 point   shift+4 = #   shift+9 = *
    keypad     79 80 81 = 1 2 3   75 76 77 = 4 5 6   71 72 73 = 7 8 9   82 = 0   96 enter   83 point   55 = *

Main row and keypad mean the same. Enter is OK, backspace CORRECT, esc CANCEL, a help key (138) HELP; the point means
STAR (G), as on other pads here. A pad that differs is described in its table by event codes: `keys = {"98" = "#"}`;
"" takes a key away. Only presses count: repeats are the kernel's, and NumLock, which some pads send before every digit,
is no key.

What can go wrong: contacts bounce and stick (drivers/keypad_gate.py), but a "00" key sends two zeros faster than any
finger, so a zero is never taken for a bounce. A key that is held for HELD_S, lying under a bag or broken, is KEYS_STUCK
until it is released, and nothing is passed on meanwhile. A pad that is pulled out is a LinkError; one that is there
and silent is one on which nobody types, for it is asked nothing. What is typed may be somebody's phone number, so the
trace sees only how much it was.

Shown with its twin on a FIFO only: grabbing and reading a real device need hardware, or uinput.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from drivers.base import Condition, DeviceOptions, Identity, Key, Keypad
from drivers.input_keys import HOLE, KeyPress, KeyTracker
from drivers.keypad_gate import BOUNCE_S, STUCK_WITHIN_S, KeyGate, next_key, stuck_keys
from drivers.transport_evdev import InputDevice
from drivers.wire_words import typed_presses as explain  # noqa: F401 - the live trace asks the driver's module for it

HELD_S = STUCK_WITHIN_S
MOST_EVENT_CODES = 0x2FF

_MAIN_ROW_DIGITS = range(2, 12)
_PAD_DIGITS = (79, 80, 81, 75, 76, 77, 71, 72, 73, 82)
_USUAL_KEYS = {
    **{str(code): Key(digit) for code, digit in zip(_MAIN_ROW_DIGITS, "1234567890", strict=True)},
    **{str(code): Key(digit) for code, digit in zip(_PAD_DIGITS, "1234567890", strict=True)},
    "28": Key.OK,
    "96": Key.OK,
    "14": Key.CORRECT,
    "1": Key.CANCEL,
    "138": Key.HELP,
    "55": Key.STAR,
    "52": Key.STAR,  # G
    "83": Key.STAR,  # G
}
_SHIFTED = {4: Key.HASH, 9: Key.STAR}
"""Shift and a digit of the main row is no digit."""


@dataclass(frozen=True, kw_only=True)
class EvdevKeypadOptions(DeviceOptions):
    """Keys of the pad's table."""

    keys: Mapping[str, str] = field(default_factory=dict)
    """Event code → key, added to the usual ones: "0".."9", "*", "#", "ok", "correct", "cancel", "help", ""."""

    def __post_init__(self) -> None:
        key_table(self.keys)


def key_table(changes: Mapping[str, str]) -> dict[int, Key]:
    """Event code → key: the usual ones with the changes of the pad's table. Raises ValueError."""
    table: dict[int, Key] = {}
    for code, name in (_USUAL_KEYS | dict(changes)).items():
        if not (code.isascii() and code.isdecimal() and 1 <= int(code) <= MOST_EVENT_CODES):
            raise ValueError(f'keys: "{code}" is no event code, legal: "1" to "{MOST_EVENT_CODES}"')
        if name == "":
            continue
        if name not in list(Key):
            raise ValueError(f'keys: "{code}" = {name!r} is no key, legal: {", ".join(Key)}, or "" for none')
        table[int(code)] = Key(name)
    return table


def decode_press(press: KeyPress, table: Mapping[int, Key]) -> Key | None:
    """The key of a press; None for one that means nothing here."""
    if press.altered:
        return None
    if press.shifted and press.code in _MAIN_ROW_DIGITS:
        return _SHIFTED.get(press.code)
    return table.get(press.code)


class EvdevKeypad(Keypad[InputDevice, EvdevKeypadOptions]):
    """The pad."""

    Options = EvdevKeypadOptions
    Transport = InputDevice

    def __init__(self, device: str, link: InputDevice, options: EvdevKeypadOptions) -> None:
        super().__init__(device, link, options)
        self._table = key_table(options.keys)
        self._gate = KeyGate()
        self._tracker = KeyTracker()
        self._heard_at = time.monotonic()

    def hello(self) -> Identity:
        """Say what the pad calls itself. Presses from before are dropped: nobody was listening to whoever made them.

        Raises LinkError.
        """
        with self.link.private():
            self.link.drop_events()
        self._gate, self._tracker, self._heard_at = KeyGate(), KeyTracker(), time.monotonic()
        return Identity(model=self.link.name)

    def conditions(self) -> frozenset[Condition]:
        """KEYS_STUCK, or nothing; while a key is stuck, this listens a little to tell whether it still is.

        Raises LinkError.
        """
        self._hear(0.0)
        if self._tracker.held_s(time.monotonic()) >= HELD_S:
            return frozenset({Condition.KEYS_STUCK})
        return stuck_keys(self._gate, self._hear)

    def poll_key(self, limit_s: float) -> Key | None:
        """The next key press within limit_s; None also while a key is stuck."""
        return next_key(self._gate, self._hear, limit_s)

    def _hear(self, limit_s: float) -> int:
        """Take what comes first within limit_s; how many events it was."""
        with self.link.private():
            events = self.link.read_events(limit_s)
        now = time.monotonic()
        earliest, self._heard_at = self._heard_at, now
        held = self._tracker.held_s(now) >= HELD_S
        for press in self._tracker.presses(events, now):
            key = None if press is HOLE or held else decode_press(press, self._table)
            if key is not None:
                self._pass(key, press.at_s, earliest, now)
        self._gate.heard_until(now)
        return len(events)

    def _pass(self, key: Key, at: float, earliest: float, now: float) -> None:
        """Tell the gate; the kernel's time is better than ours, unless it is none or comes from another clock."""
        if earliest <= at <= now:
            earliest = now = at
        if key is Key.DIGIT_0:
            earliest -= BOUNCE_S
        self._gate.press(key, earliest, now)


DRIVER = EvdevKeypad
