"""Customer display of two rows of 20, CD5220 or ESC/POS (Epson DM-D): a twin at byte level.

Written from protocols/displays.md §3. It answers nothing; what a person sees are its cells.

What the document leaves open (G): power-on is overwrite mode, cursor at home, brightest; 1B 40 also clears; a code page
(1B 74 n, which printer libraries send) is taken and changes nothing. Coordinates out of range lock it up until it is
switched off and on. Behind a printer (`behind_printer`), which is chosen at power-on (G), bytes while the printer is
chosen are for that one: `passed_on`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sim.carriers import ByteTwin

_COLUMNS, _ROWS = 20, 2
_LONGEST_ROW = 40


class TwoRowTwin(ByteTwin):
    """One display; a test reads `text`, `brightness`, `complaints` and `passed_on`."""

    def __init__(self, device: str, options: Mapping[str, object]) -> None:
        super().__init__(device, options)
        self.cd5220 = options.get("dialect", "cd5220") == "cd5220"
        self.chinese = options.get("chinese") is True
        self.complaints: list[str] = []
        self.passed_on = b""
        """What went to the printer."""
        self.clears = 0
        """How often the cells were emptied: a person sees it flicker."""
        self._dead = False
        self._heard = b""
        self._power_on()
        self._known = self._commands()

    def _power_on(self) -> None:
        self.brightness = 4
        self.selected = 1 if self.options.get("behind_printer") is True else 2
        self.mode = 1
        self.cursor_shown = True
        self.locked = False
        self.string_mode = False
        self._cells = [bytearray(b" " * _COLUMNS) for _ in range(_ROWS)]
        self._x = self._y = 0

    @property
    def baud(self) -> int:
        """It listens at 9600 unless its table says otherwise."""
        value = self.options.get("baud", 9600)
        return value if isinstance(value, int) else 9600

    @property
    def text(self) -> str:
        """What a person sees: its rows without what is blank at their ends."""
        with self.lock:
            rows = [bytes(row).decode("gb2312" if self.chinese else "ascii", "replace") for row in self._cells]
            return "" if self._dead else "\n".join(row.rstrip() for row in rows).strip("\n")

    # Faults

    def die(self) -> None:
        """Stay dark, whatever comes."""
        with self.lock:
            self._dead = True

    def restart(self) -> None:
        """Power off and on: the rows are empty."""
        with self.lock:
            self._power_on()
            self._heard = b""

    def recover(self) -> None:
        """End all faults; a text that was lost stays lost."""
        with self.lock:
            self._dead = self.locked = False

    # Bytes

    def receive(self, data: bytes) -> None:
        """Take bytes in any pieces."""
        self._heard += data
        while self._heard not in (b"", b"\x1b\x3d") and not self.locked:
            used = self._choose_or_pass_on() or self._command()
            if not used:
                return
            self._heard = self._heard[used:]

    def _choose_or_pass_on(self) -> int:
        """Bytes used for choosing between display and printer, or meant for the printer."""
        if self._heard[:2] == b"\x1b\x3d" and len(self._heard) > 2:
            self.selected = self._heard[2]
            return 3
        if self.selected == 1 and not b"\x1b\x3d".startswith(self._heard[:2]):
            self.passed_on += self._heard[:1]
            return 1
        return 0

    def _command(self) -> int:
        """Do the first command; how many bytes it has, 0 while it is incomplete."""
        first = self._heard[0]
        if first >= 0x20:
            self._put(self._heard[:1])
            return 1
        if first in (0x1B, 0x1F):
            if len(self._heard) < 2:
                return 0
            if self.cd5220 and self._heard[:2] in (b"\x1b\x51", b"\x1b\x26"):
                return self._row() if self._heard[1] == 0x51 else self._glyphs()
            name = self._heard[:2]
        else:
            name = self._heard[:1]
        count, do = self._known.get(name, (0, None))
        if do is None:
            self.complaints.append(f"unknown command {name.hex(' ')}")
            return len(name)
        parameters = self._heard[len(name) : len(name) + count]
        if len(parameters) < count:
            return 0
        do(parameters)
        return len(name) + count

    def _commands(self) -> dict[bytes, tuple[int, Callable[[bytes], None]]]:
        """Command → number of its parameters, and what it does."""
        both = {
            b"\x1b\x40": (0, lambda _: self._initialise()),
            b"\x1b\x74": (1, lambda _: None),
            b"\x0c": (0, lambda _: self._clear()),
            b"\x18": (0, lambda _: self._clear_row()),
            b"\x0b": (0, lambda _: self._move(b"\x01\x01")),
        }
        if self.cd5220:
            return both | {
                b"\x1b\x6c": (2, self._move),
                b"\x1b\x11": (0, lambda _: self._set_mode(1)),
                b"\x1b\x12": (0, lambda _: self._set_mode(2)),
                b"\x1b\x13": (0, lambda _: self._set_mode(3)),
                b"\x1b\x5f": (1, self._show_cursor),
                b"\x1b\x2a": (1, self._set_brightness),
                b"\x1b\x25": (1, lambda _: None),
            }
        return both | {
            b"\x1f\x24": (2, self._move),
            b"\x0a": (0, lambda _: self._next_row()),
            b"\x1f\x43": (1, self._show_cursor),
            b"\x1f\x58": (1, self._set_brightness),
            b"\x1f\x01": (0, lambda _: self._set_mode(1)),
            b"\x1f\x02": (0, lambda _: self._set_mode(2)),
            b"\x1f\x03": (0, lambda _: self._set_mode(3)),
            b"\x1f\x45": (1, lambda _: None),
            b"\x1f\x40": (0, lambda _: None),
        }

    def _initialise(self) -> None:
        selected = self.selected
        self._power_on()
        self.selected = selected

    def _clear(self) -> None:
        self.clears += 1
        self.string_mode = False
        self._cells = [bytearray(b" " * _COLUMNS) for _ in range(_ROWS)]
        self._x = self._y = 0

    def _clear_row(self) -> None:
        self.string_mode = False
        self._cells[self._y] = bytearray(b" " * _COLUMNS)
        self._x = 0

    def _move(self, where: bytes) -> None:
        if self.string_mode:
            self.complaints.append("the cursor is moved in string mode")
        elif not (1 <= where[0] <= _COLUMNS and 1 <= where[1] <= _ROWS):
            self.complaints.append(f"locked up by coordinates {where[0]} {where[1]}")
            self.locked = True
        else:
            self._x, self._y = where[0] - 1, where[1] - 1

    def _next_row(self) -> None:
        self._y = (self._y + 1) % _ROWS

    def _set_mode(self, mode: int) -> None:
        self.mode = mode

    def _show_cursor(self, shown: bytes) -> None:
        self.cursor_shown = shown == b"\x01"

    def _set_brightness(self, level: bytes) -> None:
        if 1 <= level[0] <= 4:
            self.brightness = level[0]
        else:
            self.complaints.append(f"brightness {level[0]}")

    def _put(self, char: bytes) -> None:
        self._cells[self._y][self._x] = char[0]
        self._x += 1
        if self._x == _COLUMNS:
            self._x = 0
            self._next_row()

    def _row(self) -> int:
        """1B 51 A, B or D, a row, 0D."""
        end = self._heard.find(b"\x0d", 3)
        if end < 0:
            if len(self._heard) <= _LONGEST_ROW + 3:
                return 0
            self.complaints.append("a row without an end")
            return 2
        which, row = self._heard[2:3], self._heard[3:end]
        if which not in (b"A", b"B", b"D") or len(row) > (_LONGEST_ROW if which == b"D" else _COLUMNS):
            self.complaints.append(f"row {which!r} of {len(row)}")
            return end + 1
        self.string_mode = True
        cells = self._cells[1 if which == b"B" else 0]
        cells[: len(row[:_COLUMNS])] = row[:_COLUMNS]
        return end + 1

    def _glyphs(self) -> int:
        """1B 26 01 first last, and for each of them 05 and five bytes; they are taken and not drawn."""
        if len(self._heard) < 5:
            return 0
        size = 5 + 6 * max(0, self._heard[4] - self._heard[3] + 1)
        return size if len(self._heard) >= size else 0


TWIN = TwoRowTwin
