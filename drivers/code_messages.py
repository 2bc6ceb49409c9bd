"""What all barcode guns share, whatever carries their characters: where a code ends, what it says, what is said twice.

Source: protocols/barcodes.md §3 (A: suffixes, AIM prefixes, encodings; G: silence as an end, how long a double takes).
No driver. A gun sends the characters of a code and then a suffix, or nothing where it is set so:

    ] C 0 E E 1 2 3 4 5 6 7 8 5 C N CR        the AIM prefix (three characters) only where the gun is set to send it

With a suffix the code ends there and nowhere else: one that stays without it for UNFINISHED_S was cut off, or the gun
is set otherwise than its table says, and is not passed on, for half a number may be somebody else's. Without a suffix
silence_s of silence ends it. Two codes that wait in a buffer without a suffix between them cannot be told apart.
"""

from __future__ import annotations

import re
import time
from abc import abstractmethod
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from drivers.base import BadReply, CodeRead, CodeReader, Condition, LinkT, OptionsT

UNFINISHED_S = 0.3
"""G: no gun reads two codes faster than this."""
SAME_READING_S = 2.0
"""G: the same code again within this time is the same reading, as long as it lies before the gun."""
MOST_BYTES = 7200
"""The largest QR code holds 7089 digits."""

_AIM_PREFIX = re.compile(r"\]([A-Za-z][0-9A-Za-z])(.*)", re.DOTALL)

Encoding = Literal["auto", "utf-8", "gb18030"]


def split_symbology(text: str) -> tuple[str, str]:
    """The AIM identifier without its bracket, "" if there is none, and the rest."""
    match = _AIM_PREFIX.fullmatch(text)
    return (match[1], match[2]) if match else ("", text)


def decode_text(data: bytes, encoding: Encoding) -> str:
    """The text of a code. Raises ValueError.

    "auto" takes UTF-8 where it is valid and has a character from U+0800 on, as Chinese ones are; else GB 18030: two of
    its bytes are often valid UTF-8 too, for a Latin or Greek letter that nobody here writes.
    """
    if encoding != "auto":
        return data.decode(encoding)
    try:
        text = data.decode("utf-8")
    except ValueError:
        return data.decode("gb18030")
    if text.isascii() or max(text) >= "\u0800":
        return text
    try:
        return data.decode("gb18030")
    except ValueError:
        return text


@dataclass(frozen=True, kw_only=True)
class Cut:
    """What came between two ends; not `whole` where a part of it is missing or could not be understood."""

    data: bytes = field(repr=False)
    whole: bool = True


class CodeBuffer:
    """Cuts what a gun sends into codes. Times are monotonic seconds, given by the driver."""

    def __init__(self, suffix: bytes, silence_s: float) -> None:
        """`suffix` is empty where silence ends a code."""
        self._suffix = suffix
        self._limit_s = UNFINISHED_S if suffix else silence_s
        self._ended: deque[Cut] = deque()
        self._data = b""
        self._whole = True
        self._heard_at = 0.0

    def add(self, data: bytes, now: float) -> None:
        """Characters have come."""
        self._data += data
        self._heard_at = now
        while self._suffix and self._suffix in self._data:
            code, _, self._data = self._data.partition(self._suffix)
            self._end(code)
        if len(self._data) > MOST_BYTES:
            self._data, self._whole = self._data[-1:], False  # the last byte may begin a suffix

    def spoil(self, now: float) -> None:
        """Something came that is no character, or got lost: the code it belongs to is not whole."""
        self._whole, self._heard_at = False, now

    def due_in(self, now: float) -> float | None:
        """Seconds until silence ends what is here; None if nothing is."""
        return None if self._whole and not self._data else max(0.0, self._heard_at + self._limit_s - now)

    def take(self, now: float) -> Cut | None:
        """The next code, if it has ended."""
        if not self._ended and self.due_in(now) == 0.0:
            code, self._data = self._data, b""
            self._whole = self._whole and not self._suffix
            self._end(code)
        return self._ended.popleft() if self._ended else None

    def _end(self, code: bytes) -> None:
        if self._suffix == b"\r":
            code = code.lstrip(b"\n")  # of a CR LF whose CR was the end
        whole, self._whole = self._whole, True
        if code:
            self._ended.append(Cut(data=code, whole=whole))


class CodeReadings:
    """Tells a new reading from the same one again."""

    def __init__(self) -> None:
        self._last: CodeRead | None = None
        self._seen_at = 0.0

    def is_new(self, code: CodeRead, now: float) -> bool:
        """Whether this is no repetition; one that goes on stays one."""
        new = code != self._last or now - self._seen_at >= SAME_READING_S
        self._last, self._seen_at = code, now
        return new


class Gun(CodeReader[LinkT, OptionsT]):
    """A gun without its line; what comes from it may be personal, so no error quotes it."""

    encoding: Encoding = "auto"

    def __init__(self, device: str, link: LinkT, options: OptionsT, buffer: CodeBuffer) -> None:
        super().__init__(device, link, options)
        self._buffer = buffer
        self._readings = CodeReadings()

    @abstractmethod
    def _hear(self, limit_s: float) -> bool:
        """Put what comes first within limit_s into the buffer; False for silence. Raises LinkError."""

    def conditions(self) -> frozenset[Condition]:
        """Look whether the line is still there; a gun reports nothing. Raises LinkError."""
        self._hear(0.0)
        return frozenset()

    def poll_code(self, limit_s: float) -> CodeRead | None:
        """The next new code within limit_s. Raises BadReply for one that came without its end or its meaning."""
        now = time.monotonic()
        until = now + limit_s
        self._hear(0.0)
        while True:
            code = self._next(now)
            due_in = self._buffer.due_in(now)
            wait = until - now if due_in is None else min(until - now, due_in)
            if code is not None or until - now <= 0:
                return code
            # Silence has taken as long as it was told to, whatever the clock says.
            now = time.monotonic() if self._hear(wait) else max(time.monotonic(), now + wait)

    def _next(self, now: float) -> CodeRead | None:
        while (cut := self._buffer.take(now)) is not None:
            code = self._read(cut)
            if code is not None and self._readings.is_new(code, now):
                return code
        return None

    def _read(self, cut: Cut) -> CodeRead | None:
        data = cut.data
        if not cut.whole:
            raise BadReply(
                f"{self.device}: dropped a code of {len(data)} bytes on {self.link.port}: its suffix did not come, or "
                "something between was no character; is the gun set as its table says?"
            )
        try:
            text = decode_text(data, self.encoding)
        except ValueError as exc:
            raise BadReply(f"{self.device}: dropped a code of {len(data)} bytes on {self.link.port}: no text") from exc
        symbology, text = split_symbology(text)
        return CodeRead(text=text, symbology=symbology) if text else None


def check_silence(silence_s: float) -> None:
    """Raises ValueError."""
    if not 0.02 <= silence_s <= 1.0:
        raise ValueError(f"silence_s = {silence_s}, legal: 0.02 to 1.0 seconds")
