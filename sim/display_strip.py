"""Strip or integrated screen card of the A0…FF / AA…BB families (平安力合 V2.1): a twin at byte level.

Written from protocols/displays.md §2 and §6. Several twins on one line make a bus (sim/bus.py).

What the document leaves open, and what is done here: the words of the card's own pages; the online check is answered
with the receipt; a frame whose check is wrong is dropped without a word and noted in `complaints`; texts are lost with
the power (`restart`). A card from before V2.1 (`predate_receipts`) does what it is told and never says so.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from sim.bus import BusTwin, readable

_LONGEST = 256
_COLORS = ("red", "green", "yellow")
_MODES_16 = ["left", "up", "down", "cover_down", "cover_up", "inverse", "flash", "at_once"]
_MODES_24 = [
    "left", "right", "up", "down", "cover_down", "cover_up", "cover_right", "cover_left", "inverse", "flash", "at_once",
]  # fmt: skip
_RECEIPT, _CHECK, _VERSION, _CHANNEL = 0x14, 0x29, 0x98, 0x99


@dataclass(frozen=True, kw_only=True)
class Shown:
    """Something that the card took: a text of family 2, or one of its own pages."""

    at: float
    text: str
    page: str = ""
    """welcome, call, pause or serving; empty for a free text."""
    mode: str = ""
    speed: int = 0
    stay: int = 0
    color: str = ""
    life: int = 0
    whole_screen: bool = False

    @property
    def attention(self) -> bool:
        """Whether it draws the eye: it flashes or is red among other colours, or is the page of a call."""
        return self.mode == "flash" or self.page == "call"


class StripTwin(BusTwin):
    """One screen."""

    def __init__(self, device: str, options: Mapping[str, object]) -> None:
        super().__init__(device, options)
        self.card = str(options.get("card", "A1"))
        self.shown: list[Shown] = []
        self.commands: list[int] = []
        """Command of every family 1 frame for this card, 51 for a free text, oldest first."""
        self.channel = ""
        self._lit: Shown | None = None

    @property
    def text(self) -> str:
        """What a person sees."""
        with self.lock:
            return self._lit.text if self._lit else ""

    # Faults

    def _no_faults(self) -> None:
        super()._no_faults()
        self._silent_about: frozenset[int] = frozenset()
        self._receipt_code = 0x50

    def predate_receipts(self) -> None:
        """Be a card from before V2.1."""
        with self.lock:
            self._silent_about = frozenset({0x28, 0x2A, 0x2B, 0x2D, 0x51, _CHECK, _VERSION, _CHANNEL})

    def answer_only_checks(self) -> None:
        """Answer checks and version questions, but confirm no text."""
        with self.lock:
            self._silent_about = frozenset({0x28, 0x2A, 0x2B, 0x2D, 0x51})

    def confirm_with(self, code: int) -> None:
        """Put another byte than 50 into the receipts."""
        with self.lock:
            self._receipt_code = code

    def restart(self) -> None:
        """Power off and on: the text is gone."""
        with self.lock:
            self._lit = None

    # Frames

    def measure(self, heard: bytes) -> int:
        if heard[0] == 0xA0:
            if len(heard) < 2:
                return 0
            size = heard[1] + 4
            if not 2 <= heard[1] <= 10:
                return -1
            if len(heard) < size:
                return 0
            return size if heard[size - 1] == 0xFF else -1
        if heard[0] != 0xAA or heard[2:3] not in (b"", b"\xbb") or heard[3:4] not in (b"", b"\x51"):
            return -1
        # The sum may be FF; only after the ten bytes of the head can it be the end.
        end = heard.find(b"\xff", 11) + 1
        return -1 if end == 0 and len(heard) > _LONGEST else end

    def take(self, frame: bytes) -> bool:
        text = frame[0] == 0xAA
        address, check = (frame[1], frame[5]) if text else (frame[3], frame[-2])
        mine = address == self.address and not self._mute
        if check != (sum(frame[6:]) & 0xFF if text else self._check(frame[1:-2])):
            if mine:
                self.complaints.append(f"check is {check:02x} in {frame.hex(' ')}")
            return False
        if mine and text:
            self._free_text(frame[4], frame[6:])
        elif mine:
            self._family_1(frame[2], frame[4:-2])
        return True

    def _family_1(self, command: int, data: bytes) -> None:
        self.commands.append(command)
        if command == _VERSION:
            self._reply(command, bytes([_VERSION, self.address, 0x50, int(self.card, 16), 3]))
            return
        if command == _CHANNEL and len(data) == 2:
            self.channel = chr(data[1])
        elif command in (0x28, 0x2A, 0x2B, 0x2D):
            if (command in (0x2A, 0x2D)) != (self.card == "A4"):
                self.complaints.append(f"{command:02x} is for another kind of card")
                return
            try:
                self._page(command, data)
            except (IndexError, UnicodeDecodeError):
                self.complaints.append(f"{command:02x} with {data.hex(' ')}")
                return
        elif command != _CHECK:
            self.complaints.append(f"unknown command {command:02x}")
            return
        self._reply(command, bytes([_RECEIPT, self.address, self._receipt_code]))

    def _page(self, command: int, data: bytes) -> None:
        sub, rest = data[0], data[1:]
        if command in (0x2B, 0x2D):
            self._show(Shown(at=time.time(), page="call", text=f"请{rest[:-1].decode('ascii')}号到{rest[-1]}号窗口"))
            return
        kind = "call" if command == 0x2A else ("welcome", "call", "pause", "", "serving")[sub]
        if kind in ("welcome", "pause"):
            self._show(Shown(at=time.time(), page=kind, text="欢迎光临" if kind == "welcome" else "暂停服务"))
            return
        number = f"{rest[3:].decode('ascii')}{rest[0] * 100 + rest[1]}"
        text = f"请{number}号到{rest[2]}号窗口" if kind == "call" else f"{rest[2]}号窗口正在办理{number}"
        self._show(Shown(at=time.time(), page=kind, text=text))

    def _free_text(self, kind: int, content: bytes) -> None:
        if kind != (0x50 if self.card == "A4" else 0x54):
            self.complaints.append(f"kind {kind:02x} is for another kind of card")
            return
        self.commands.append(0x51)
        mode, speed, stay, color, life = content[:5]
        self._show(
            Shown(
                at=time.time(), text=readable(content[5:-1]), mode=self._mode(mode), speed=speed, stay=stay,
                color=_COLORS[color] if color < 3 else "?", life=life, whole_screen=kind == 0x50,
            )
        )  # fmt: skip
        self._reply(0x51, bytes([_RECEIPT, self.address, self._receipt_code]))

    def _mode(self, number: int) -> str:
        if self.card == "A4":
            return {0x01: "up_then_left", 0x81: "down_then_left"}.get(number, "?")
        modes = _MODES_16 if self.card == "A1" else _MODES_24
        return modes[number - 1] if 1 <= number <= len(modes) else "?"

    def _show(self, shown: Shown) -> None:
        self.shown.append(shown)
        self._lit = shown

    def _reply(self, command: int, content: bytes) -> None:
        if command in self._silent_about:
            return
        if self._answer_as is not None:
            content = bytes([content[0], self._answer_as]) + content[2:]
        content = bytes([len(content)]) + content
        self.answer(b"\xa0" + content + bytes([self._check(content), 0xFF]))

    def _check(self, content: bytes) -> int:
        """By the receipt clause, or by the general one where its table says so."""
        total = sum(content)
        return total % 100 if self.options.get("low_byte_first") is False else total % 256 % 100


TWIN = StripTwin
