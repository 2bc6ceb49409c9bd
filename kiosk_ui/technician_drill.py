"""Rehearsing a fault on the technician's screen: which one, what the public will see, and a manager's word for it."""

from __future__ import annotations

from rich.text import Text as Line
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label, Static

from hall_daemon.protocol_technician import BeginDrill, DrillOffer
from kiosk_ui.technician_view import say
from kiosk_ui.theme import ACCENT, BAD, OFF, Pen, piece


class DrillDialog(ModalScreen[BeginDrill | None]):
    """A digit chooses the fault; then, while the hall is open, a manager types number and PIN. Esc leaves."""

    def __init__(self, offer: DrillOffer, pen: Pen) -> None:
        super().__init__()
        self._offer, self._pen = offer, pen
        self._chosen = ""
        self._manager, self._pin, self._at_pin = "", "", False

    def compose(self) -> ComposeResult:
        """One text that follows the keys."""
        with Vertical(classes="dialog"):
            title = say("drill.title", device=self._offer.device)
            yield Label(self._pen.words(title), classes="dialog-title", markup=False)
            yield Static(id="drill")

    def on_mount(self) -> None:
        """Show the choices."""
        self._draw()

    def _draw(self) -> None:
        self.query_one("#drill", Static).update(Line("\n").join(self._word() if self._chosen else self._choices()))

    def _choices(self) -> list[Line]:
        lines: list[Line] = []
        for number, choice in enumerate(self._offer.choices, 1):
            lines.append(self._pen.key(str(number), choice.name.zh))
            lines.append(self._pen.text(f"   {self._effect(choice.effect.zh)}", OFF))
        return [*lines, Line(), self._pen.text(say("drill.ends"), OFF), self._pen.key("Esc", say("no"))]

    def _effect(self, effect: str) -> str:
        return say("drill.public" if self._offer.needs_manager else "drill.nobody", effect=effect)

    def _word(self) -> list[Line]:
        choice = next(c for c in self._offer.choices if c.what == self._chosen)
        number, dots, here = self._pen.text(self._manager), piece("*" * len(self._pin)), piece("_", ACCENT)
        (dots if self._at_pin else number).append_text(here)
        return [
            self._pen.text(f"{choice.name.zh}  {self._effect(choice.effect.zh)}", f"bold {BAD}"),
            Line(),
            self._pen.text(say("drill.word"), ACCENT),
            self._pen.text(f"{say('drill.manager')}  ").append_text(number),
            self._pen.text("PIN   ").append_text(dots),
            Line(),
            self._pen.key("Enter", say("yes")).append("   ").append_text(self._pen.key("Esc", say("no"))),
        ]

    def on_key(self, event: events.Key) -> None:
        """Every key comes here in its order: a PIN must not run into the number."""
        event.stop()
        if event.key == "escape":
            self.dismiss(None)
            return
        if self._chosen:
            self._type(event)
        elif event.character and event.character.isdigit() and 0 < int(event.character) <= len(self._offer.choices):
            self._choose(self._offer.choices[int(event.character) - 1].what)
        self._draw()

    def _choose(self, what: str) -> None:
        self._chosen = what
        if not self._offer.needs_manager:
            self.dismiss(BeginDrill(what=what))

    def _type(self, event: events.Key) -> None:
        if event.key == "enter" and self._at_pin and self._pin:
            self.dismiss(BeginDrill(what=self._chosen, manager=self._manager, pin=self._pin))
        elif event.key in ("enter", "down", "tab"):
            self._at_pin = bool(self._manager)
        elif event.key in ("up", "shift+tab"):
            self._at_pin = False
        elif event.key == "backspace":
            self._manager, self._pin = (
                (self._manager, self._pin[:-1]) if self._at_pin else (self._manager[:-1], self._pin)
            )
        elif event.is_printable and event.character and event.character.isascii():
            self._write(event.character)

    def _write(self, character: str) -> None:
        if not self._at_pin:
            self._manager = (self._manager + character)[:32]
        elif character.isdigit():
            self._pin = (self._pin + character)[:12]
