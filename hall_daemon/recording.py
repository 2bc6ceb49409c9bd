"""A session of one device as a text file that can be read, reviewed and replayed (`python -m sim replay FILE`).

    # Device: DSP-03
    # Driver: display_strip
    ...
    0.000 > a0 02 29 03 2e ff
    0.012 < a0 03 14 03 50 06 ff

Seconds since the first line, `>` towards the device. Nothing personal: the driver's fictitious bytes stand in its place
(marked), or `[n personal bytes]`. What only a person knows is left open in the head; a recording counts as proof of a
driver once somebody has filled in who recorded which device, where and when (tests/captures).
"""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from datetime import datetime
from enum import Enum
from typing import TextIO

from drivers.base import DeviceOptions
from hall_daemon.config import DeviceConfig
from hall_daemon.protocol_technician import TraceLine

OPEN = "(fill in)"
PROVENANCE_OPEN = "(fill in: device or simulator)"


def options_of(options: DeviceOptions) -> str:
    """Keys of a device's table that are not as they are by default, as JSON."""
    given = asdict(options)
    default = {f.name: f.default for f in fields(options)}
    kept = {k: v.value if isinstance(v, Enum) else v for k, v in given.items() if k == "baud" or v != default[k]}
    return json.dumps({k: v for k, v in kept.items() if v != {}}, ensure_ascii=False, default=str)


def head(config: DeviceConfig, identity: str, now: datetime) -> str:
    """The head of a recording."""
    return "".join(
        f"# {key}: {value}\n"
        for key, value in (
            ("Device", config.name),
            ("Model", identity or OPEN),
            ("Driver", config.driver),
            ("Options", options_of(config.options)),
            ("Firmware", OPEN),
            ("Recorded", f"{now:%Y-%m-%d %H:%M %z}"),
            ("Who", OPEN),
            ("Where", OPEN),
            ("Shows", OPEN),
            ("Provenance", PROVENANCE_OPEN),
        )
    )


class Recorder:
    """Writes what passes, line by line, so that an interrupted session is kept."""

    def __init__(self, file: TextIO, config: DeviceConfig) -> None:
        self._file = file
        self._config = config
        self._began_ms: int | None = None
        self.lines = 0
        self.lost = 0

    def begin(self, identity: str, now: datetime) -> None:
        """Write the head; `identity` is what the device has said about itself, "" where nobody knows yet."""
        self._file.write(head(self._config, identity, now))
        self._file.flush()

    def take(self, line: TraceLine) -> None:
        """Write one line of a trace."""
        if self._began_ms is None:
            self._began_ms = line.monotonic_ms
        self.lost += line.lost
        if line.lost:
            self._file.write(f"# {line.lost} lines were lost here\n")
        shown = line.hex
        if line.personal:
            shown = f"{line.stand_in}   # fictitious" if line.stand_in else f"[{line.personal} personal bytes]"
        self._file.write(f"{(line.monotonic_ms - self._began_ms) / 1000:.3f} {line.direction} {shown}\n")
        self._file.flush()
        self.lines += 1
