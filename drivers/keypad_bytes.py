"""What keypads on a byte line share: a table from bytes to keys, and an ear that knows when a byte came.

Source: protocols/keypads.md §1. No driver.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping
from string import hexdigits

from drivers.base import Key
from drivers.transport import ByteStream

LISTEN_SLICE_S = 0.02
"""A read that returns late says nothing about when its byte came, except: not before the read ahead of it."""


def byte_keys(
    usual: Mapping[str, str], changes: Mapping[str, str], *, highest: int = 0xFF, reserved: Collection[int] = ()
) -> dict[int, Key]:
    """Byte → key: the usual table with the changes of a pad's own, where "" takes a key away.

    Bytes are two hex digits up to `highest` and not among the `reserved`. Raises ValueError.
    """
    table: dict[int, Key] = {}
    for code, name in ({code.lower(): key for code, key in usual.items()} | _lowered(changes)).items():
        value = _key_byte(code, highest, reserved)
        if name == "":
            continue
        if name not in list(Key):
            raise ValueError(f'keys: "{code}" = {name!r} is no key, legal: {", ".join(Key)}, or "" for none')
        table[value] = Key(name)
    return table


def _lowered(changes: Mapping[str, str]) -> dict[str, str]:
    small = {code.lower(): name for code, name in changes.items()}
    if len(small) < len(changes):
        raise ValueError("keys: the same byte stands there twice, in small and in capital letters")
    return small


def _key_byte(code: str, highest: int, reserved: Collection[int]) -> int:
    value = int(code, 16) if len(code) == 2 and set(code) <= set(hexdigits) else -1
    if not 0 <= value <= highest or value in reserved:
        but = f", but not {', '.join(f'{b:02x}' for b in sorted(reserved))}" if reserved else ""
        raise ValueError(f'keys: "{code}" is no key byte, legal: "00" to "{highest:02x}" in two hex digits{but}')
    return value


class DigitStandIn:
    """Other digits in place of what somebody types: the first ones of the table, one after the other."""

    def __init__(self, digits: Collection[int]) -> None:
        """`digits` are the bytes that mean digits on this line."""
        self._digits = sorted(digits)
        self._next = 0

    def begin(self) -> None:
        """Begin with the first digit again, so that the same answer of a device is the same each time."""
        self._next = 0

    def __call__(self, data: bytes) -> bytes:
        shown = bytearray(data)
        for at, byte in enumerate(data):
            if byte in self._digits:
                self._next += 1
                shown[at] = self._digits[self._next % len(self._digits)]
        return bytes(shown)


def digit_bytes(table: Mapping[int, Key]) -> list[int]:
    """The bytes of a table that mean digits."""
    return [byte for byte, key in table.items() if key.value.isdigit()]


class ByteEar:
    """Listens to a line in short slices, so that it is known within what time a byte came.

    What comes may be somebody's phone number: the trace sees only how much it was, a recording other digits.
    """

    def __init__(
        self, link: ByteStream, take_in: Callable[[bytes, float, float], None], digits: Collection[int] = b"0123456789"
    ) -> None:
        """`take_in` is told the bytes, possibly none, and between which two times they came."""
        self.stand_in = DigitStandIn(digits)
        self._link = link
        self._take_in = take_in
        self._heard_at = time.monotonic()

    def forget(self) -> None:
        """Drop what has come so far: nobody was listening to the person who pressed it."""
        with self._link.private(self.stand_in):
            self._link.drop_input()
        self._heard_at = time.monotonic()

    def hear(self, limit_s: float) -> int:
        """Take what comes first within limit_s; how many bytes it was."""
        slices = max(1, math.ceil(limit_s / LISTEN_SLICE_S))
        for _ in range(slices):
            with self._link.private(self.stand_in):
                data = self._link.read(4096, limit_s / slices)
            now = time.monotonic()
            earliest, self._heard_at = self._heard_at, now
            self._take_in(data, earliest, now)
            if data:
                return len(data)
        return 0
