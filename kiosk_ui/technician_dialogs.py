"""Questions and help of the technician's screen."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text as Line
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label, Static

from kiosk_ui.technician_view import say
from kiosk_ui.theme import ACCENT, Pen, piece

KEYS = (
    ("↑↓", "choose"), ("1-6", "page"), ("Tab", "side"), ("F2", "test"), ("F3", "hold"), ("F4", "mark"),
    ("F5", "filter"), ("Enter", "raw"), ("F6", "drill"), ("F7", "repair"), ("F8", "archive"), ("F9", "enable"),
    ("F12", "maintain"), ("7", "calls"), ("Ctrl+Q", "quit"),
)  # fmt: skip


class Ask(ModalScreen[bool]):
    """Yes or no; Enter is yes, Esc is no."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "answer(True)", id="ask.yes", priority=True),
        Binding("escape,n", "answer(False)", id="ask.no", priority=True),
    ]

    def __init__(self, question: str, pen: Pen) -> None:
        super().__init__()
        self._question, self._pen = question, pen

    def compose(self) -> ComposeResult:
        """The question and its two answers."""
        answers = self._pen.key("Enter", say("yes")).append("   ").append_text(self._pen.key("Esc", say("no")))
        with Vertical(classes="dialog"):
            yield Label(self._pen.words(self._question), classes="dialog-title", markup=False)
            yield Static(answers)

    def action_answer(self, yes: bool) -> None:
        """Close with the answer."""
        self.dismiss(yes)


class Help(ModalScreen[None]):
    """All keys; any key closes it."""

    def __init__(self, pen: Pen) -> None:
        super().__init__()
        self._pen = pen

    def compose(self) -> ComposeResult:
        """One line a key."""
        lines = [piece(say("title"), f"bold {ACCENT}")]
        lines += [self._pen.key(self._pen.fit(key, 7), say(f"key.{name}")) for key, name in KEYS]
        with Vertical(classes="dialog"):
            yield Static(Line("\n").join(lines))

    def on_key(self, event: events.Key) -> None:
        """Close."""
        event.stop()
        self.dismiss(None)
