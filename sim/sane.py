"""SANE as a carrier: the machine's own SANE with a configuration of its own, which reaches a twin over its network.

Real parts: libsane, its `airscan` backend (sane-airscan) and its `test` backend. A program meets them by the
environment that `environment()` names; nothing is installed or changed.
"""

from __future__ import annotations

import functools
import shutil
import tempfile
from pathlib import Path

_BACKENDS = Path("/usr/lib")


@functools.cache
def unavailable() -> str | None:
    """Why SANE cannot carry a twin here; None if it can."""
    if shutil.which("scanimage") is None:
        return "scanimage is missing (Debian package sane-utils)"
    if not [*_BACKENDS.glob("*/sane/libsane-airscan.so*"), *_BACKENDS.glob("sane/libsane-airscan.so*")]:
        return "the airscan backend is missing (Debian package sane-airscan)"
    return None


class SaneConfig:
    """A folder with a configuration that looks for nothing and knows two backends."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="twin-sane-")
        folder = Path(self._folder.name)
        (folder / "dll.conf").write_text("airscan\ntest\n", encoding="ascii")
        (folder / "airscan.conf").write_text("[options]\ndiscovery = disable\n", encoding="ascii")
        (folder / "test.conf").write_text("number_of_devices 1\ngeometry_max 300\n", encoding="ascii")

    def environment(self) -> dict[str, str]:
        """What a process needs in its environment before it uses SANE."""
        return {"SANE_CONFIG_DIR": self._folder.name}

    def remove(self) -> None:
        """Leave nothing behind."""
        self._folder.cleanup()
