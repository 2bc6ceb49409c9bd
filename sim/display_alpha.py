"""Alpha (EZ95) message sign: a twin at byte level.

Written from protocols/displays.md §4.6 and §6. It answers nothing. Several twins on one line make a bus (sim/bus.py).

A frame without a checksum is taken, one with a wrong checksum is dropped and noted in `complaints`. What the document
leaves open (G): with parity, a byte whose parity is wrong spoils its frame; a text is lost with the power (`restart`).
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from sim.bus import BusTwin

_LONGEST = 512
_FRAME = re.compile(
    rb"\x00{5,}\x01(?P<type>.)(?P<address>[0-9A-F?]{2})\x02(?P<command>.)(?P<data>[^\x03\x04]*)"
    rb"(?P<end>\x03(?P<check>[0-9A-Fa-f]{4}))?\x04",
    re.DOTALL,
)
_MODES = {b"a": "rotate", b"b": "hold", b"c": "flash"}


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A text that the sign took."""

    at: float
    text: str
    mode: str
    label: str
    position: int

    @property
    def attention(self) -> bool:
        """Whether it flashes."""
        return self.mode == "flash"


class AlphaTwin(BusTwin):
    """One sign."""

    def __init__(self, device: str, options: Mapping[str, object]) -> None:
        super().__init__(device, options)
        self.even_parity = options.get("even_parity") is True
        self.sign_type = str(options.get("sign_type", "Z")).encode("ascii")
        self.shown: list[Shown] = []
        self._lit: Shown | None = None

    @property
    def text(self) -> str:
        """What a person sees."""
        with self.lock:
            return self._lit.text if self._lit else ""

    def restart(self) -> None:
        """Power off and on: the text is gone."""
        with self.lock:
            self._lit = None

    def measure(self, heard: bytes) -> int:
        heard = self._without_parity(heard)
        zeros = len(heard) - len(heard.lstrip(b"\x00"))
        begins = zeros == len(heard) or (zeros >= 5 and heard[zeros] == 0x01)
        if not zeros or not begins or len(heard) > _LONGEST:
            return -1
        return heard.find(b"\x04") + 1

    def _without_parity(self, data: bytes) -> bytes:
        return bytes(byte & 0x7F for byte in data) if self.even_parity else data

    def take(self, frame: bytes) -> bool:
        spoilt = self.even_parity and any(bin(byte).count("1") % 2 for byte in frame)
        plain = self._without_parity(frame)
        found = _FRAME.fullmatch(plain)
        if found is None or spoilt:
            self.complaints.append(f"no frame: {frame.hex(' ')}")
            return False
        mine = (b"Z", self.sign_type) if self.sign_type != b"Z" else (found["type"],)
        if found["end"] and int(found["check"], 16) != sum(plain[plain.index(b"\x02") : found.start("check")]) % 65536:
            self.complaints.append(f"checksum is {found['check'].decode()} in {plain.hex(' ')}")
            return False
        if found["type"] in mine and found["address"] in (b"00", b"%02X" % self.address) and not self._mute:
            self._command(found["command"], found["data"])
        return True

    def _command(self, command: bytes, data: bytes) -> None:
        written = re.fullmatch(rb"(.)\x1b(.)(.)([\x20-\x7e]*)", data, re.DOTALL)
        if command != b"A" or written is None or written[3] not in _MODES:
            self.complaints.append(f"not understood: {command!r} {data.hex(' ')}")
            return
        label, position, mode, text = written.groups()
        self._lit = Shown(
            at=time.time(), text=text.decode("ascii"), mode=_MODES[mode], label=label.decode("latin-1"),
            position=position[0],
        )  # fmt: skip
        self.shown.append(self._lit)


TWIN = AlphaTwin
