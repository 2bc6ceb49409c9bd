"""Input devices of Linux (evdev): USB keypads and barcode guns that type like a keyboard.

Source: protocols/keypads.md §2 (A), linux/input.h. A device gives records in the machine's own byte order and sizes:

    struct input_event      seconds   microseconds   type   code   value
                            long      long           u16    u16    s32          24 bytes where a long has 8

`/dev/input/by-id/...` and `.../by-path/...` are lasting names; `eventN` is refused, because N changes with the order of
plugging in. The device is grabbed, so that its keys reach nobody else on this machine. `evdev:<path>` names the same
records anywhere else: a name of one's own for a device, or a FIFO into which something writes them.

What was held down when the port was opened is not asked for: of such a key only repeats and the release are seen.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import stat
import struct
from typing import NamedTuple

from drivers.base import LinkError
from drivers.transport import Link

RECORD = struct.Struct("@llHHi")
EV_SYN, EV_KEY = 0, 1
SYN_REPORT, SYN_DROPPED = 0, 3

_GRAB = 0x40044590  # EVIOCGRAB
_USE_CLOCK = 0x400445A0  # EVIOCSCLOCKID
_NAME = 0x81004506  # EVIOCGNAME, 256 bytes
_CLOCK_MONOTONIC = 1
_NAME_BYTES = 256
_MOST_RECORDS = 4096
_MOST_STALE_READS = 64


class InputEvent(NamedTuple):
    """One record; `at_s` is the machine's monotonic time, 0.0 where nobody noted it."""

    type: int
    code: int
    value: int
    at_s: float = 0.0


def split_records(received: bytes) -> tuple[list[InputEvent], bytes]:
    """Whole records, and the beginning of the next one."""
    whole = len(received) - len(received) % RECORD.size
    records = RECORD.iter_unpack(received[:whole])
    return [InputEvent(t, c, v, s + us / 1e6) for s, us, t, c, v in records], received[whole:]


class InputDevice(Link):
    """One input device, grabbed; or a FIFO that carries the same records."""

    port_form = (
        "/dev/input/by-id/... or /dev/input/by-path/... (never eventN, its number changes), "
        "or evdev:<path> for a name of one's own or a FIFO"
    )

    def __init__(self, port: str) -> None:
        super().__init__(port)
        path = port.removeprefix("evdev:")
        if re.fullmatch(r"/dev/input/event\d+", path):
            raise LinkError(f"{port}: this number changes with the order of plugging in; use {self.port_form}")
        self.name = ""
        """What the device calls itself."""
        self._half = b""
        self._cut = False
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as exc:
            raise LinkError(f"cannot open {port}: {exc}") from exc
        try:
            self._take_for_us()
        except OSError as exc:
            self.close()
            raise LinkError(f"cannot grab {port}: it is no input device, or another program has it: {exc}") from exc

    def _take_for_us(self) -> None:
        if stat.S_ISFIFO(os.fstat(self._fd).st_mode):
            return
        fcntl.ioctl(self._fd, _GRAB, 1)
        fcntl.ioctl(self._fd, _USE_CLOCK, struct.pack("i", _CLOCK_MONOTONIC))
        name = fcntl.ioctl(self._fd, _NAME, bytes(_NAME_BYTES))
        self.name = name.partition(b"\0")[0].decode("utf-8", "replace")

    def read_events(self, limit_s: float) -> list[InputEvent]:
        """Records as soon as some are there; none means that limit_s seconds passed. Raises LinkError."""
        try:
            if self._cut:
                raise LinkError(f"{self.port}: cut off")
            if not select.select([self._fd], [], [], limit_s)[0]:
                return []
            data = os.read(self._fd, _MOST_RECORDS * RECORD.size)
        except (OSError, ValueError) as exc:
            raise LinkError(f"{self.port} is gone: {exc}") from exc
        if not data:
            raise LinkError(f"{self.port} is gone: closed by the other side")
        self._trace("<", data)
        events, self._half = split_records(self._half + data)
        return events

    def drop_events(self) -> None:
        """Take what has arrived and was not read. Raises LinkError."""
        for _ in range(_MOST_STALE_READS):
            if not self.read_events(0.0):
                return

    def watched(self) -> int | None:
        return self._fd if self._fd >= 0 else None

    def cut(self) -> None:
        self._cut = True  # who reads has short limits, and looks before each read

    def close(self) -> None:
        descriptor, self._fd = self._fd, -1
        if descriptor >= 0:
            os.close(descriptor)
