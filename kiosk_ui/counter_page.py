"""A scanned page enlarged on a terminal: black and white dots, as many as the terminal can draw."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Label, Static

from hall_daemon.client import HallUnreachable, RequestRefused
from hall_daemon.protocol_window import PageDots
from kiosk_ui.counter_view import say
from kiosk_ui.theme import BAD, FOREGROUND, OFF, Pen, piece

MOST_ZOOM = 6
STEP = 250
"""How far an arrow moves, in thousandths of what does not fit."""
_BRAILLE = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_PLAIN = " '.#"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A part of a page: one `zoom`-th of its sides from `x`, `y` in thousandths, in so many dots."""

    page: int
    zoom: int
    x: int
    y: int
    width: int
    height: int


@dataclass
class DotsArrived(Message):
    """A part of a page, or why there is none."""

    rows: tuple[str, ...] = ()
    trouble: str = ""


class PageDialog(ModalScreen[None]):
    """One page; + and - zoom, the arrows move, Page Up and Down turn, Esc goes back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", id="page.back", priority=True),
        Binding("plus,equals_sign,enter", "zoom(1)", id="page.larger", priority=True),
        Binding("minus", "zoom(-1)", id="page.smaller", priority=True),
        *(
            Binding(key, f"move({x}, {y})", id=f"page.{key}", priority=True)
            for key, x, y in (("left", -1, 0), ("right", 1, 0), ("up", 0, -1), ("down", 0, 1))
        ),
        Binding("pagedown", "turn(1)", id="page.next", priority=True),
        Binding("pageup", "turn(-1)", id="page.last", priority=True),
    ]

    def __init__(
        self, fetch: Callable[[Wanted], Awaitable[PageDots]], pages: Sequence[int], page: int, pen: Pen
    ) -> None:  # fmt: skip
        super().__init__()
        self._fetch, self._pages, self._page, self._pen = fetch, list(pages), page, pen
        self._zoom, self._x, self._y = 1, 0, 0

    def compose(self) -> ComposeResult:
        """Title, the page, keys."""
        with Vertical(id="page-paper"):
            yield Label(id="page-title", markup=False)
            yield Static(id="page-dots")
            yield Static(self._pen.text(say("page.keys"), OFF), id="page-keys")

    def on_mount(self) -> None:
        """Ask for the page."""
        self._ask()

    def on_resize(self) -> None:
        """Ask for as many dots as there are now."""
        self._ask()

    def _ask(self) -> None:
        title = say("page.shown", n=self._page, all=len(self._pages), zoom=self._zoom)
        self.query_one("#page-title", Label).update(title)
        across, down = (1, 2) if self._pen.plain else (2, 4)
        wanted = Wanted(
            page=self._page, zoom=self._zoom, x=self._x, y=self._y,
            width=max(8, min(800, (self.size.width - 2) * across)),
            height=max(8, min(800, (self.size.height - 3) * down)),
        )  # fmt: skip
        self.run_worker(self._get(wanted), group="dots", exclusive=True)

    async def _get(self, wanted: Wanted) -> None:
        try:
            self.post_message(DotsArrived(rows=(await self._fetch(wanted)).rows))
        except (RequestRefused, HallUnreachable) as exc:
            self.post_message(DotsArrived(trouble=exc.text.zh))

    @on(DotsArrived)
    def _arrived(self, message: DotsArrived) -> None:
        words = "\n".join(drawn(message.rows, plain=self._pen.plain))
        shown = self._pen.text(message.trouble, f"bold {BAD}") if message.trouble else piece(words, FOREGROUND)
        self.query_one("#page-dots", Static).update(shown)

    def action_zoom(self, step: int) -> None:
        """Nearer or farther."""
        self._zoom = max(1, min(MOST_ZOOM, self._zoom + step))
        self._ask()

    def action_move(self, x: int, y: int) -> None:
        """To another part of the page."""
        self._x, self._y = (max(0, min(1000, at + STEP * step)) for at, step in ((self._x, x), (self._y, y)))
        self._ask()

    def action_turn(self, step: int) -> None:
        """To another page, from its top."""
        place = max(0, min(len(self._pages) - 1, self._pages.index(self._page) + step))
        self._page, self._x, self._y = self._pages[place], 0, 0
        self._ask()

    def action_back(self) -> None:
        """To the list of pages."""
        self.dismiss(None)


def drawn(rows: Sequence[str], *, plain: bool) -> list[str]:
    """Lines of a terminal: eight dots to a Braille character, or two to an ASCII sign on a `plain` one."""
    width = len(rows[0]) * 4 if rows else 0
    bits = [int(row, 16) for row in rows]
    tall = 2 if plain else 4
    bits += [0] * (-len(bits) % tall)
    lines = []
    for top in range(0, len(bits), tall):
        block = bits[top : top + tall]
        lines.append(_signs(block, width) if plain else _braille(block, width))
    return lines


def _signs(block: Sequence[int], width: int) -> str:
    upper, lower = block
    return "".join(_PLAIN[(upper >> at & 1) + 2 * (lower >> at & 1)] for at in range(width - 1, -1, -1))


def _braille(block: Sequence[int], width: int) -> str:
    line = []
    for left in range(width - 1, 0, -2):
        dots = sum(
            mark
            for row, marks in zip(block, _BRAILLE, strict=True)
            for at, mark in zip((left, left - 1), marks, strict=True)
            if row >> at & 1
        )
        line.append(chr(0x2800 + dots))
    return "".join(line)
