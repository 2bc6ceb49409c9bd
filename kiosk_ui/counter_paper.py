"""A paper before it is printed: its lines as the printer will break them, black on paper, beside the question or alone.

Letters are not drawn larger here; what is printed large is bold. A code is named and not drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Label, Static

from hall_daemon.protocol_cases import PaperLine, PaperPreview
from kiosk_ui.counter_dialogs import Answer, Choice
from kiosk_ui.counter_view import say
from kiosk_ui.theme import OFF, Pen

PAPER = "#1a1a1a on #f4f1e8"
BESIDE_FROM = 118
"""Columns of a terminal that have room for a paper beside its question."""
_MOVES = {"down": 1, "up": -1, "pagedown": 12, "pageup": -12, "end": 400, "home": -400}


def drawn(paper: PaperPreview, pen: Pen) -> Text:
    """The whole paper."""
    return Text("\n").join(_line(line, paper.columns, pen) for line in paper.lines)


def _line(line: PaperLine, columns: int, pen: Pen) -> Text:
    words = pen.fit(line.text, columns).rstrip()
    begins = len(words) - len(words.lstrip())
    strong = f"bold {PAPER}" if line.bold or line.large else PAPER
    # Blanks apart from words: a picture of the screen would squeeze both together.
    drawn_line = Text(" " * (begins + 1), PAPER).append(words[begins:], style=strong)
    return drawn_line.append(" " * (columns + 2 - drawn_line.cell_len), style=PAPER)


class PaperChoice(Choice):
    """What is to become of a case, with the paper of the first answer; on a small terminal F8 shows it."""

    def __init__(self, title: str, answers: list[Answer], pen: Pen, paper: PaperPreview | None) -> None:
        note = say("dialog.enter_is_first")
        super().__init__(title, answers, pen, f"{note}    {say('paper.look')}" if paper else note, wide=True)
        self._paper = paper

    @property
    def beside(self) -> bool:
        """Whether the paper stands beside the question."""
        return self._paper is not None and self.app.size.width >= BESIDE_FROM

    def compose(self) -> ComposeResult:
        """The question, and the paper where there is room for it."""
        if self._paper is None or not self.beside:
            yield from super().compose()
            return
        with Horizontal(classes="dialog beside"):
            with Vertical(classes="half"):
                yield from self._question(say("dialog.enter_is_first") + f"    {say('paper.scroll')}")
            with VerticalScroll(id="paper", can_focus=False):
                yield Static(drawn(self._paper, self._pen))

    def _question(self, note: str) -> Sequence[Label | Static]:
        widest = max(len(answer.key) for answer in self._answers)
        lines = [
            Static(
                self._pen.key(answer.key.ljust(widest), self._pen.fit(answer.label, 21)).append(answer.hint, OFF),
                classes="answer",
            )
            for answer in self._answers
        ]
        title = Label(self._title, classes="dialog-title", markup=False)
        return [title, *lines, Static(self._pen.text(note, OFF), classes="dialog-note")]

    def on_key(self, event: events.Key) -> None:
        """Look at the paper; every other key answers."""
        if self._paper is None:
            return
        if self.beside and event.key in _MOVES:
            _scroll(self.query_one("#paper", VerticalScroll), event.key)
        elif event.key == "f8" and not self.beside:
            self.app.push_screen(PaperSheet(self._title.split("\n")[0], self._paper, self._pen), self._looked)
        else:
            return
        event.stop()
        event.prevent_default()

    def _looked(self, wanted: bool | None) -> None:
        if wanted:
            self.dismiss(self._answers[0].value)


class PaperSheet(ModalScreen[bool]):
    """The paper alone: Enter prints it, Esc goes back."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "print", say("key.back"), id="paper.print", priority=True),
        Binding("escape,f8", "back", say("key.back"), id="paper.back", priority=True),
        *(Binding(key, f"move('{key}')", id=f"paper.{key}", priority=True) for key in _MOVES),
    ]

    def __init__(self, title: str, paper: PaperPreview, pen: Pen) -> None:
        super().__init__()
        self._title, self._paper, self._pen = title, paper, pen

    def compose(self) -> ComposeResult:
        """Title, the paper, keys."""
        with Vertical(id="page-paper"):
            yield Label(self._title, id="page-title", markup=False)
            with VerticalScroll(id="paper", can_focus=False):
                yield Static(drawn(self._paper, self._pen))
            yield Static(self._pen.text(say("paper.keys"), OFF), id="page-keys")

    def action_move(self, key: str) -> None:
        """Up or down the paper."""
        _scroll(self.query_one("#paper", VerticalScroll), key)

    def action_print(self) -> None:
        """This is it."""
        self.dismiss(True)

    def action_back(self) -> None:
        """Not yet."""
        self.dismiss(False)


def _scroll(paper: VerticalScroll, key: str) -> None:
    paper.scroll_to(y=max(0, min(paper.max_scroll_y, paper.scroll_y + _MOVES[key])), animate=False)
