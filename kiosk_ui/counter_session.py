"""The session of a counter screen, kept so that a screen that was started again goes on where it was.

In the folder of the system for what ends with the log-in (XDG_RUNTIME_DIR, in memory, of this user alone); where there
is none nothing is kept, and the clerk gives the PIN again.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path


class SessionFile:
    """Where the session of one window of one hall is kept."""

    def __init__(self, url: str, window: str, environment: Mapping[str, str] = os.environ) -> None:
        folder = environment.get("XDG_RUNTIME_DIR", "")
        name = hashlib.sha256(f"{url}\n{window}".encode()).hexdigest()[:24]
        self._file = Path(folder) / "hall-counter" / name if folder else None

    def read(self) -> str:
        """The session; empty if there is none."""
        if self._file is None:
            return ""
        try:
            return self._file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            return ""

    def write(self, session: str) -> None:
        """Keep it, or forget it where it is empty. A file that cannot be written is no reason to stop a clerk."""
        if self._file is None:
            return
        with contextlib.suppress(OSError):
            if not session:
                self._file.unlink(missing_ok=True)
                return
            self._file.parent.mkdir(mode=0o700, exist_ok=True)
            self._file.touch(mode=0o600)
            self._file.write_text(session, encoding="ascii")
