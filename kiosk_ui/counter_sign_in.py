"""Signing in at a window: staff number, then PIN. The PIN is never shown, kept or written down."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Label, Static

from hall_daemon.protocol import ClerkName
from kiosk_ui.counter_view import say
from kiosk_ui.theme import ACCENT, BAD, OFF, Pen, piece


@dataclass(frozen=True, kw_only=True)
class SignInOrder:
    """Who wants the window."""

    clerk: str
    pin: str = field(repr=False)
    take_over: bool = False


class SignInDialog(ModalScreen[SignInOrder | None]):
    """Number and PIN; Enter goes on, F5 takes over from whoever is still signed in."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5", "take_over", say("key.take_over"), id="sign_in.take_over", priority=True),
        Binding("escape", "back", say("key.back"), id="sign_in.back", priority=True),
    ]

    def __init__(
        self, window: str, clerks: Sequence[ClerkName], pen: Pen, *, typed: str = "", there: str = "", note: str = ""
    ) -> None:  # `window` empty: for somebody who belongs to none
        super().__init__()
        self._window = window
        self._clerks = clerks
        self._pen = pen
        self._typed = typed
        self._pin = ""
        self._at_pin = False
        self._there = there
        self._note = note

    def compose(self) -> ComposeResult:
        """Window, who is still there, two fields, keys."""
        with Vertical(classes="dialog"):
            title = say("ask.sign_in", window=self._window) if self._window else say("staff.sign_in")
            yield Label(title, classes="dialog-title", markup=False)
            if self._there:
                yield Static(self._pen.text(say("sign_in.there", clerk=self._there), ACCENT), classes="dialog-line")
            with Horizontal(classes="field"):
                yield Label(say("sign_in.number"), classes="field-name")
                yield Static(id="number", classes="field-value")
            yield Static(id="sign-in-name", classes="dialog-line")
            with Horizontal(classes="field"):
                yield Label("PIN", classes="field-name")
                yield Static(id="pin", classes="field-value")
            yield Static(self._pen.text(self._note, f"bold {BAD}"), id="sign-in-trouble", classes="dialog-line")
            keys = self._pen.key("Enter", say("key.sign_in")).append("   ")
            if self._there:
                keys.append_text(self._pen.key("F5", say("key.take_over"))).append("   ")
            yield Static(keys.append_text(self._pen.key("Esc", say("key.back"))), classes="dialog-note")

    def on_mount(self) -> None:
        """Begin where something is missing."""
        self._at_pin = bool(self.clerk())
        self._draw()

    def clerk(self) -> str:
        """The staff number that is meant: as it stands, or by its digits alone, leading zeros or not."""
        typed = self._typed.strip()
        known = [c.clerk for c in self._clerks]
        if typed in known or not typed.isdigit():
            return typed
        digits = typed.lstrip("0")
        meant = [c for c in known if re.sub(r"^\D*0*", "", c) == digits]
        return meant[0] if meant else typed

    def _draw(self) -> None:
        clerk = self.clerk()
        name = next((c.name for c in self._clerks if c.clerk == clerk), "")
        here = piece("_", ACCENT)
        number, dots = self._pen.text(self._typed), piece("*" * len(self._pin))
        self.query_one("#number", Static).update(number if self._at_pin else number.append_text(here))
        self.query_one("#pin", Static).update(dots.append_text(here) if self._at_pin else dots)
        self.query_one("#sign-in-name", Static).update(piece(f"{clerk}  {name}" if name else " ", OFF))

    def on_key(self, event: events.Key) -> None:
        """Every key comes here in its order, however fast: a PIN must not run into the number."""
        if event.key == "enter" and self._at_pin and self._pin:
            self._go(take_over=False)
        elif event.key in ("enter", "down", "tab"):
            self._at_pin = bool(self.clerk())
        elif event.key in ("up", "shift+tab"):
            self._at_pin = False
        elif event.key == "backspace":
            self._typed, self._pin = (self._typed, self._pin[:-1]) if self._at_pin else (self._typed[:-1], self._pin)
        elif event.is_printable and event.character and event.character.isascii():
            self._write(event.character)
        else:
            return
        event.stop()
        self._draw()

    def _write(self, character: str) -> None:
        if not self._at_pin:
            self._typed = (self._typed + character)[:32]
        elif character.isdigit():
            self._pin = (self._pin + character)[:12]

    def _go(self, *, take_over: bool) -> None:
        if self.clerk() and self._pin:
            self.dismiss(SignInOrder(clerk=self.clerk(), pin=self._pin, take_over=take_over))

    def action_take_over(self) -> None:
        """From whoever did not sign out."""
        if self._there:
            self._go(take_over=True)

    def action_back(self) -> None:
        """Leave the window as it is."""
        self.dismiss(None)
