"""What a driver is to know again after a restart: a few numbers by device, in a small file beside the database.

How much of a roll is used, for one: a hall that is switched off every night would else never hear of its near end. Used
by the threads of the ports, so it may block. Losing the last of it at a power cut costs nothing, so nothing is synced;
a file that cannot be read or written is said once, and the hall goes on without.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from pathlib import Path

_log = logging.getLogger("devices")

Memory = Mapping[str, float]


class Memories:
    """Of all devices; without a file they last as long as the daemon."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._known: dict[str, Memory] = {} if file is None else _read(file)
        self._told = False

    def of(self, device: str) -> Memory:
        """What was last known; empty for a device that has nothing to remember."""
        return self._known.get(device, {})

    def keep(self, device: str, memory: Memory) -> None:
        """Remember this of a device; writes only what is new."""
        with self._lock:
            if self._known.get(device, {}) == memory:
                return
            self._known = {**self._known, device: dict(memory)}
            if self._file is not None:
                self._write(self._file)

    def _write(self, file: Path) -> None:
        draft = file.with_name(f".{file.name}")
        try:
            draft.write_text(json.dumps(self._known), encoding="utf-8")
            draft.replace(file)
        except OSError as exc:
            if not self._told:
                _log.warning("not remembered: %s: %s", file, exc)
            self._told = True


def _read(file: Path) -> dict[str, Memory]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
        return {str(name): {str(k): float(v) for k, v in memory.items()} for name, memory in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError) as exc:
        _log.warning("forgotten: %s cannot be read: %s", file, exc)
        return {}
