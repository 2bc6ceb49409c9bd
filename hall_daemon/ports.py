"""Names of ports: which path one stands for, whether it is there, and whether it will still mean the same tomorrow.

Knows names only; it opens nothing and changes nothing.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

Presence = tuple[int, int, int] | frozenset[str]
"""What is at a path, or on a bus, at this moment; another one after a cable was pulled and plugged in again."""

BUSES = {"pcsc:": "/dev/bus/usb", "usb:": "/dev/bus/usb", "sane:": "/dev/bus/usb", "sound:": "/dev/snd"}
"""How a port without a path begins → the folder in which the kernel shows what is plugged in."""

PCSC_SOCKET = "/run/pcscd/pcscd.comm"
"""Where the PC/SC service of this machine listens; another socket is one that was started anew."""

_LASTING = {
    r"ttyUSB\d+|ttyACM\d+": "/dev/serial",
    r"video\d+": "/dev/v4l",
    r"input/event\d+": "/dev/input",
}
"""Names below /dev that the kernel gives in the order of plugging in → where their lasting names are."""
_PRINTER = r"usb/lp\d+"
"""The same, without lasting names of its own."""


def path_of(port: str) -> Path | None:
    """The path that a port names, also behind a word ("evdev:/dev/..."); None for an address on the network."""
    named = re.fullmatch(r"(?:[a-z0-9_]+:)?(/(?!/).*)", port)
    return Path(named[1]) if named else None


def can_be_seen(port: str) -> bool:
    """Whether it can be seen here that something is plugged in; not so behind a network."""
    return path_of(port) is not None or _bus_of(port) is not None


def _bus_of(port: str) -> str | None:
    return next((bus for begin, bus in BUSES.items() if port.startswith(begin)), None)


def _on_bus(folder: str) -> frozenset[str] | None:
    """Names of what is plugged in there; a device that comes again has another number."""
    found = frozenset(f"{where}/{name}" for where, _, names in os.walk(folder) for name in names)
    return found or None


def _service_of(port: str) -> frozenset[str]:
    """The socket of a PC/SC port's service, as it is now."""
    if not port.startswith("pcsc:"):
        return frozenset()
    own = port.partition("@/")[2]
    try:
        socket = Path(f"/{own}" if own else PCSC_SOCKET).stat()
    except OSError:
        return frozenset()
    return frozenset({f"service {socket.st_ino} {socket.st_ctime_ns}"})


def presence(port: str) -> Presence | None:
    """What stands at the port's path now; None if nothing does, or only a link that leads nowhere.

    Of a port without a path: what is on its bus, whoever it is, and the service through which it is reached.
    """
    path = path_of(port)
    if path is None:
        bus = _bus_of(port)
        return (((_on_bus(bus) or frozenset()) | _service_of(port)) or None) if bus else None
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
    changes = f"{path} names what was plugged in in that order and may be another device after the next start; "
    if re.fullmatch(_PRINTER, name):
        return changes + "write usb:VVVV:PPPP with the numbers that lsusb shows"
    for pattern, folder in _LASTING.items():
        if re.fullmatch(pattern, name):
            found = _lasting_name(path, dev / Path(folder).relative_to("/dev"))
            return changes + f"write {found or f'its name in {folder}/by-path or {folder}/by-id'}"
    return ""


def _lasting_name(path: Path, folder: Path) -> str:
    """By where it is plugged in before by what it says it is: cheap devices all say the same."""
    for links in (folder / "by-path", folder / "by-id"):
        for link in sorted(links.iterdir()) if links.is_dir() else ():
            if link.resolve() == path.resolve():
                return str(link)
    return ""
