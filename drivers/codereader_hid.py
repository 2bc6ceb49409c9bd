"""Barcode gun that types like a USB keyboard, read through Linux evdev and grabbed.

Source: protocols/barcodes.md §3 (A: types the data and a suffix, Enter as delivered, Tab possible; depends on the
layout), protocols/keypads.md §2 (A: event codes). Where a code ends and what is a double: drivers/code_messages.py.

    event   type EV_KEY (1), code, value 1; shift around the characters that need it; at the end 28 (enter) or 15 (tab)

The gun is set to the US layout and types printable ASCII; grabbing keeps the desktop's own layout and input method out
of it. A code that holds anything else (typed with control or alt, or by keys that are not in the table) is dropped as
a whole: half of it would be worse than none. Chinese text needs the gun as a serial port (codereader_serial).

A gun that is pulled out is a LinkError; one that is there and silent is one that nobody uses. What is read may be an ID
number, so the trace sees only how much it was and errors quote nothing. NumLock, which some guns send before digits,
does nothing; a gun that makes capitals by caps lock is set for another computer, and its codes are dropped.

Shown with its twin on a FIFO only: grabbing and reading a real device need hardware, or uinput.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Literal

from drivers.base import DeviceOptions, Identity
from drivers.code_messages import CodeBuffer, Gun, check_silence
from drivers.input_keys import KeyPress, KeyTracker
from drivers.transport_evdev import InputDevice
from drivers.wire_words import typed_presses as explain  # noqa: F401 - the live trace asks the driver's module for it

SUFFIXES = {"enter": b"\r", "tab": b"\t", "none": b""}
NUM_LOCK = 69

_ROWS = (
    (2, "1234567890-=", "!@#$%^&*()_+"),
    (16, "qwertyuiop[]", "QWERTYUIOP{}"),
    (30, "asdfghjkl;'`", 'ASDFGHJKL:"~'),
    (43, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
    (57, " ", " "),
)
_PAD = {
    71: "7", 72: "8", 73: "9", 74: "-", 75: "4", 76: "5", 77: "6", 78: "+", 79: "1", 80: "2", 81: "3", 82: "0", 83: ".",
    55: "*", 98: "/", 28: "\r", 96: "\r", 15: "\t",
}  # fmt: skip
_PLAIN = {first + i: c for first, plain, _ in _ROWS for i, c in enumerate(plain)} | _PAD
_SHIFTED = {first + i: c for first, _, shifted in _ROWS for i, c in enumerate(shifted)}


@dataclass(frozen=True, kw_only=True)
class HidGunOptions(DeviceOptions):
    """Keys of the gun's table: how the gun itself is set."""

    suffix: Literal["enter", "tab", "none"] = "enter"
    silence_s: float = 0.1
    """G: ends a code where there is no suffix."""

    def __post_init__(self) -> None:
        check_silence(self.silence_s)


def decode_press(press: KeyPress) -> str:
    """The character of a press on the US layout; "" for one that has none."""
    if press.altered:
        return ""
    return (_SHIFTED if press.shifted else _PLAIN).get(press.code, "")


class HidGun(Gun[InputDevice, HidGunOptions]):
    """The gun."""

    Options = HidGunOptions
    Transport = InputDevice

    def __init__(self, device: str, link: InputDevice, options: HidGunOptions) -> None:
        super().__init__(device, link, options, self._new_buffer(options))
        self._tracker = KeyTracker()

    def hello(self) -> Identity:
        """Say what the gun calls itself. Codes from before are dropped: nobody was there to want them.

        Raises LinkError.
        """
        with self.link.private():
            self.link.drop_events()
        self._buffer, self._tracker = self._new_buffer(self.options), KeyTracker()
        return Identity(model=self.link.name)

    @staticmethod
    def _new_buffer(options: HidGunOptions) -> CodeBuffer:
        return CodeBuffer(SUFFIXES[options.suffix], options.silence_s)

    def _hear(self, limit_s: float) -> bool:
        with self.link.private():
            events = self.link.read_events(max(0.0, limit_s))
        now = time.monotonic()
        for press in self._tracker.presses(events, now):
            character = decode_press(press)
            if character:
                self._buffer.add(character.encode("ascii"), now)
            elif press.code != NUM_LOCK:
                self._buffer.spoil(now)
        return bool(events)


DRIVER = HidGun
