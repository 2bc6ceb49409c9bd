"""Names of ports: which path one stands for, whether it is there, and whether it will still mean the same tomorrow.

Knows names only; it opens nothing and changes nothing.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

Presence = tuple[int, int, int]
"""What is at a path at this moment; another one after a cable was pulled and plugged in again."""

_UNSTABLE = {
    r"ttyUSB\d+|ttyACM\d+": "/dev/serial/by-path",
    r"video\d+": "/dev/v4l/by-path",
    r"input/event\d+": "/dev/input/by-path",
}
"""Names below /dev that the kernel gives in the order of plugging in → where its lasting names are."""


def path_of(port: str) -> Path | None:
    """The path that a port names, also behind a word ("evdev:/dev/..."); None for an address on the network."""
    named = re.fullmatch(r"(?:[a-z0-9_]+:)?(/(?!/).*)", port)
    return Path(named[1]) if named else None


def presence(port: str) -> Presence | None:
    """What stands at the port's path now; None if nothing does, or only a link that leads nowhere."""
    path = path_of(port)
    if path is None:
        return None
    try:
        link, there = path.lstat(), path.stat()
    except OSError:
        return None
    return link.st_ctime_ns, there.st_ino, there.st_rdev


def same_port(port: str) -> str:
    """A text that is equal for two names of one port, as far as names can tell."""
    path = path_of(port)
    return os.path.realpath(path) if path is not None else port.lower()


def advice(port: str, dev: Path = Path("/dev")) -> str:
    """What to write instead of a name that changes with the order of plugging in; empty if it is lasting."""
    path = path_of(port)
    if path is None or not path.is_relative_to(dev):
        return ""
    name = str(path.relative_to(dev))
    for pattern, folder in _UNSTABLE.items():
        if re.fullmatch(pattern, name):
            lasting = _lasting_name(path, dev / Path(folder).relative_to("/dev"))
            instead = f"write {lasting}" if lasting else f"use its name in {folder} or {folder[:-4]}id"
            return f"{path} is whatever was plugged in in that order and may be another device tomorrow; {instead}"
    return ""


def _lasting_name(path: Path, by_path: Path) -> str:
    for folder in (by_path, by_path.with_name("by-id")):
        if folder.is_dir():
            for link in sorted(folder.iterdir()):
                if link.resolve() == path.resolve():
                    return str(link)
    return ""
