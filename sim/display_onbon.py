"""Onbon BX-5K / BX-6K font-card controller with its LED screen: a twin at byte level.

Written from protocols/displays.md §1 and §6 and, for the status reply, the maker's protocol 1.4 §8.4. Several twins on
one line make a bus (sim/bus.py); each acts on frames for its own number and on broadcasts.

What the documents leave open: a text that is longer than a row breaks at the last cell that still fits; a request whose
lengths do not add up is answered with error 4 and noted in `complaints`; the screen keeps its text when only the data
line is pulled, and loses it with its power (`restart`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from sim.bus import BusTwin

_NO_REPLY_TO, _REPLY_AS = 0xFFFF, 0xFFFE
_COLORS = {"1": "red", "2": "green", "3": "yellow", "4": "blue", "5": "cyan", "6": "magenta", "7": "white"}
_FONT_DOTS = {"000": 16, "001": 24, "002": 32}
_OK, _GROUP, _COMMAND, _MEMORY, _CHECKSUM, _FONT = 0, 1, 2, 4, 5, 12


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A text that the screen took; `raw` is its content with escapes, `fits` whether one page holds it."""

    at: float
    text: str
    attention: bool
    x: int
    y: int
    w: int
    h: int
    raw: bytes
    area: int = 0
    effect: int = 1
    run_mode: int = 0
    stay_s: float = 0.0
    color: str = ""
    font: int = 16
    fits: bool = True


class _Malformed(Exception):
    """A request whose parts do not add up."""


class _Parts:
    """Takes a request apart from the front."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        part = self._data[self._at : self._at + count]
        if len(part) < count:
            raise _Malformed(f"{count} bytes wanted at {self._at} of {len(self._data)}")
        self._at += count
        return part

    def number(self, count: int = 1) -> int:
        return int.from_bytes(self.take(count), "little")

    @property
    def left(self) -> int:
        return len(self._data) - self._at


def _table_entry(value: int) -> int:
    for _ in range(8):
        value = (value >> 1) ^ (0xA001 if value & 1 else 0)
    return value


_CRC_TABLE = [_table_entry(value) for value in range(256)]


def checksum(data: bytes) -> bytes:
    """The two check bytes of a packet, low byte first."""
    value = 0
    for byte in data:
        value = value >> 8 ^ _CRC_TABLE[(value ^ byte) & 0xFF]
    return bytes([value & 0xFF, value >> 8])


def escape(packet: bytes) -> bytes:
    """A packet as it travels between A5 and 5A."""
    out = packet.replace(b"\xa6", b"\xa6\x01").replace(b"\xa5", b"\xa6\x02")
    return out.replace(b"\x5b", b"\x5b\x01").replace(b"\x5a", b"\x5b\x02")


def unescape(travelled: bytes) -> bytes | None:
    """The packet again, or None if an escape is illegal."""
    out, waiting = bytearray(), 0
    for byte in travelled:
        if waiting:
            if byte not in (1, 2):
                return None
            out.append(waiting if byte == 1 else waiting - 1)
            waiting = 0
        elif byte in (0xA6, 0x5B):
            waiting = byte
        else:
            out.append(byte)
    return None if waiting else bytes(out)


class OnbonTwin(BusTwin):
    """One screen; a test reads `text`, `shown` and `collisions`."""

    def __init__(self, device: str, options: Mapping[str, object]) -> None:
        super().__init__(device, options)
        self.device_type = self._int("device_type", 0xFE)
        self.shown: list[Shown] = []
        """Every text taken, oldest first."""
        self.commands: list[tuple[int, int]] = []
        """Group and command of every request for this screen that arrived undamaged."""
        self.clock: bytes = b""
        self.erased = 0
        """How often the host erased the card's files; a hall never does."""
        self._areas: dict[int, Shown] = {}
        self.on = True
        self.brightness = 15

    @property
    def text(self) -> str:
        """What a person sees now; areas one below the other, nothing while the screen is off."""
        with self.lock:
            return "\n".join(self._areas[n].text for n in sorted(self._areas)) if self.on else ""

    # Faults

    def _no_faults(self) -> None:
        super()._no_faults()
        self._refusals: list[int] = []
        self._refuse_always = 0
        self._declined: frozenset[tuple[int, int]] = frozenset()
        self._start_run = 8
        self._fonts_lost = False

    def refuse_with(self, error: int, *, times: int | None = None) -> None:
        """Decline the next requests with this error number; for ever if `times` is None."""
        with self.lock:
            if times is None:
                self._refuse_always = error
            else:
                self._refusals = [error] * times

    def decline(self, group: int, command: int) -> None:
        """Be a card without this command."""
        with self.lock:
            self._declined |= {(group, command)}

    def begin_replies_with(self, count: int) -> None:
        """Begin each reply with so many A5."""
        with self.lock:
            self._start_run = count

    def lose_fonts(self) -> None:
        """Only the built-in font is left: a text that chooses one is declined with error 12."""
        with self.lock:
            self._fonts_lost = True

    def restart(self) -> None:
        """Power off and on: dynamic texts are gone."""
        with self.lock:
            self._areas.clear()
            self.on = True

    def switch_off(self) -> None:
        """Somebody switched the screen off; the card still answers."""
        with self.lock:
            self.on = False

    def recover(self) -> None:
        """End all faults; a screen that was switched off is on again, a text that was lost stays lost."""
        super().recover()
        with self.lock:
            self.on = True

    # The line

    def measure(self, heard: bytes) -> int:
        return heard.find(b"\x5a") + 1 if heard[0] == 0xA5 else -1

    def take(self, frame: bytes) -> bool:
        # Only what follows the last A5 counts: a frame that was cut off is dropped.
        packet = unescape(frame[:-1].rpartition(b"\xa5")[2])
        if packet is None or len(packet) < 16:
            return False
        self._packet(packet)
        return self._check_is_right(packet)

    def _packet(self, packet: bytes) -> None:
        destination = int.from_bytes(packet[0:2], "little")
        if destination not in (self.address, _NO_REPLY_TO, _REPLY_AS) or self._mute:
            return
        header, data = packet[:14], packet[14:-2]
        host = int.from_bytes(header[2:4], "little")
        if not self._check_is_right(packet) or int.from_bytes(header[12:14], "little") != len(data):
            self.complaints.append(f"damaged: {packet.hex(' ')}")
            self._reply(destination, host, bytes([0xA0, 0x01, _CHECKSUM, 0, 0]))
            return
        if len(data) < 5:
            self.complaints.append(f"too short: {packet.hex(' ')}")
            return
        reply = self._answer(data)
        if data[2] == 0x01:
            self._reply(destination, host, reply)

    def _check_is_right(self, packet: bytes) -> bool:
        if packet[8] == 2:
            return True
        if packet[8] == 1:
            return (sum(packet[:-2]) & 0xFFFF).to_bytes(2, "little") == packet[-2:]
        return checksum(packet[:-2]) == packet[-2:]

    def _reply(self, destination: int, host: int, data: bytes) -> None:
        if destination == _NO_REPLY_TO:
            return
        source = self.address if destination == self.address else _REPLY_AS
        if self._answer_as is not None:
            source = self._answer_as
        header = host.to_bytes(2, "little") + source.to_bytes(2, "little") + bytes(6)
        packet = header + bytes([self.device_type, 0x02]) + len(data).to_bytes(2, "little") + data
        self.answer(b"\xa5" * self._start_run + escape(packet + checksum(packet)) + b"\x5a")

    # What is asked

    def _answer(self, data: bytes) -> bytes:
        """Data of the reply to an undamaged request."""
        asked = (data[0], data[1])
        self.commands.append(asked)
        refusal = self._refusals.pop(0) if self._refusals else self._refuse_always
        if refusal:
            return bytes([0xA0, 0x01, refusal, 0, 0])
        commands = self._commands()
        if asked not in commands or asked in self._declined:
            error = _COMMAND if data[0] in {group for group, _ in commands} else _GROUP
            return bytes([0xA0, 0x01, error, 0, 0])
        try:
            result = commands[asked](data)
        except _Malformed as exc:
            self.complaints.append(f"{data[:2].hex(' ')}: {exc}")
            result = _MEMORY
        if isinstance(result, bytes):
            return bytes([*asked, 0, 0, 0]) + result
        return bytes([0xA0, 0x01 if result else 0x00, result, 0, 0])

    def _commands(self) -> dict[tuple[int, int], Callable[[bytes], int | bytes]]:
        return {
            (0xA2, 0x00): lambda _: _OK,
            (0xA2, 0x01): self._erase,
            (0xA2, 0x03): self._set_clock,
            (0xA2, 0x06): self._set_address,
            (0xA2, 0x07): lambda _: self.address.to_bytes(2, "little"),
            (0xA1, 0x02): lambda _: self._status(),
            (0xA3, 0x00): self._switch,
            (0xA3, 0x02): self._set_brightness,
            (0xA3, 0x04): lambda data: _OK if len(data) == 11 else _MEMORY,
            (0xA3, 0x06): self._dynamic_text,
            (0xA3, 0x10): self._clear,
        }

    def _erase(self, _data: bytes) -> int:
        self.erased += 1
        self._areas.clear()
        return _OK

    def _clear(self, _data: bytes) -> int:
        self._areas.clear()
        return _OK

    def _set_clock(self, data: bytes) -> int:
        self.clock = _Parts(data[5:]).take(8)
        return _OK

    def _set_address(self, data: bytes) -> int:
        self.address = _Parts(data[5:]).number(2)
        return _OK

    def _switch(self, data: bytes) -> int:
        self.on = _Parts(data[5:]).number() == 1
        return _OK

    def _set_brightness(self, data: bytes) -> int:
        parts = _Parts(data[5:])
        if parts.number() == 1:
            self.brightness = parts.number()
        return _OK

    def _status(self) -> bytes:
        now = time.strftime("%Y%m%d0%u%H%M%S")
        special = b"" if self.device_type == 0x51 else b"\x00\x00"
        areas = bytes([len(self._areas), *sorted(self._areas)])
        switch = bytes([1 if self.on else 2, self.brightness])
        return switch + bytes.fromhex(now) + b"\x01P000" + special + areas + b"BX6K000000000001" + bytes(12)

    def _dynamic_text(self, data: bytes) -> int:
        parts = _Parts(data[3:])
        if parts.number() == 1:
            self._areas.clear()
        parts.take(1)
        count = parts.number()
        if count == 0xFF:
            self._areas.clear()
        else:
            for number in parts.take(count):
                self._areas.pop(number, None)
        new = [self._area(_Parts(parts.take(parts.number(2)))) for _ in range(parts.number())]
        if parts.left:
            raise _Malformed(f"{parts.left} bytes too many")
        fifth = self.device_type in (0x51, 0x53, 0x54, 0x58)
        if len(data) > (512 if fifth else 1024):
            return _MEMORY
        if self._fonts_lost and any(b"\\F" in shown.raw for shown in new):
            return _FONT
        if len({*self._areas, *(shown.area for shown in new)}) > (8 if fifth else 5):
            return _MEMORY
        for shown in new:
            self._areas[shown.area] = shown
            self.shown.append(shown)
        return _OK

    def _area(self, parts: _Parts) -> Shown:
        parts.take(1)
        x, y, w, h = (parts.number(2) for _ in range(4))
        number, _spacing, run_mode = parts.number(), parts.number(), parts.number()
        parts.take(2)
        sound = parts.number()
        if sound:
            parts.take(3)
        if sound == 2:
            parts.take(parts.number(4))
        parts.take(parts.number())
        _alignment, lines, line_ends, effect, _exit, _speed, stay = parts.take(7)
        raw = parts.take(parts.number(4))
        if parts.left:
            raise _Malformed(f"{parts.left} bytes too many in an area")
        width = _pixels(w)
        content = read_content(raw)
        # A Latin character without a Latin font of that height still takes half a Chinese cell.
        rows = list(_rows(content.text, width * 2 // content.font, by_itself=line_ends == 2 and lines == 2))
        fits = len(rows) * content.font <= h and all(_cells(row) <= width * 2 // content.font for row in rows)
        return Shown(
            at=time.time(), text=content.text, attention=effect > 2 or content.color == "red", raw=raw,
            x=_pixels(x), y=y, w=width, h=h, area=number, effect=effect, run_mode=run_mode, stay_s=stay / 2,
            color=content.color, font=content.font, fits=fits,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Content:
    """A text without its escapes, and what they last chose."""

    text: str
    color: str = ""
    font: int = 16


def read_content(raw: bytes) -> Content:
    """Take the escapes out of a text; a character that the fonts lack becomes U+FFFD."""
    source, out = raw.decode("gb2312", "replace"), ""
    color, font = "", 16
    at = 0
    while at < len(source):
        if source[at] != "\\":
            out += source[at]
            at += 1
            continue
        letter, after = source[at + 1 : at + 2], source[at + 2 :]
        if letter == "n":
            out, at = out + "\n", at + 2
        elif letter == "C":
            color, at = _COLORS.get(after[:1], "?"), at + 3
        elif letter == "F":
            font, at = _FONT_DOTS.get(after[1:4], font), at + 6
        elif letter == "D":
            out, at = out + f"<{after[:1]}>", at + 3
        else:
            out, at = out + "\ufffd", at + 2
    return Content(text=out, color=color, font=font)


def _pixels(field: int) -> int:
    return field & 0x7FFF if field & 0x8000 else field * 8


def _cells(text: str) -> int:
    return sum(1 if char < "\x80" else 2 for char in text)


def _rows(text: str, columns: int, *, by_itself: bool) -> Iterator[str]:
    for line in text.split("\n"):
        row = ""
        for char in line:
            if by_itself and row and _cells(row + char) > columns:
                yield row
                row = ""
            row += char
        yield row


TWIN = OnbonTwin
