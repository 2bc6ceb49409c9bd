"""Keying in what stands on emergency pads, a line a number; the daemon answers for each line at once.

A line may be typed again: what is known is not kept twice. Nothing is kept here.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ClassVar

from pydantic import ValidationError
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from hall_daemon.client import HallUnreachable, RequestRefused
from hall_daemon.protocol import ItemName
from hall_daemon.protocol_window import PadKeyed, PadLine
from hall_daemon.words import Outcome
from kiosk_ui.counter_view import say
from kiosk_ui.theme import BAD, FOREGROUND, OFF, OK, Pen, piece

OUTCOMES = (Outcome.COMPLETED, Outcome.RECEIVED, Outcome.SUPPLEMENT, Outcome.RETURNED, Outcome.CONSULTED)
MOST_SHOWN = 9
_TIME = re.compile(r"([01]?[0-9]|2[0-3])[:：]?([0-5][0-9])")


class BadLine(Exception):
    """A line that cannot be keyed in; its text says why."""


def pad_line(words: str, items: tuple[ItemName, ...]) -> PadLine:
    """`XA002 0912 参保 1 3 c017` as a line of the sheet. Raises BadLine."""
    number, *rest = words.split() or [""]
    time = _TIME.fullmatch(rest[0]) if rest else None
    if time is None:
        raise BadLine(say("pads.bad_time"))
    item = "" if len(rest) < 2 or _is_outcome(rest[1]) else _item(rest.pop(1), items)
    given = {"number": number.upper(), "at": f"{int(time[1]):02}:{time[2]}", "item": item} | _served(rest[1:])
    try:
        return PadLine.model_validate(given)
    except ValidationError as exc:
        where = str(exc.errors(include_input=False, include_url=False)[0]["loc"][0])
        raise BadLine(say("pads.bad_number" if where == "number" else "pads.bad_rest")) from exc


def _is_outcome(word: str) -> bool:
    return word.isdigit() and len(word) == 1


def _served(rest: list[str]) -> dict[str, str]:
    """Result, window and clerk; nothing is said of who still waits."""
    if not rest:
        return {}
    if not 2 <= len(rest) <= 3 or rest[0] not in "12345":
        raise BadLine(say("pads.bad_rest"))
    served = {"outcome": OUTCOMES[int(rest[0]) - 1].value, "window": rest[1]}
    return served | ({"clerk": rest[2]} if len(rest) == 3 else {})


def _item(words: str, items: tuple[ItemName, ...]) -> str:
    found = [i.code for i in items if i.code == words] or [i.code for i in items if words in i.name.zh]
    if len(found) != 1:
        raise BadLine(say("pads.bad_item", words=words))
    return found[0]


@dataclass
class LineKeyed(Message):
    """What became of a line."""

    words: str
    answer: PadKeyed | None = None
    trouble: str = ""


class PadsDialog(ModalScreen[None]):
    """Type a line, Enter keys it in; what became of it stands below."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "back", say("key.back"), id="pads.back", priority=True)]

    def __init__(
        self, key_in: Callable[[PadLine], Awaitable[PadKeyed]], items: tuple[ItemName, ...], pen: Pen
    ) -> None:  # fmt: skip
        super().__init__()
        self._key_in, self._items, self._pen = key_in, items, pen
        self._lines: list[Text] = []

    def compose(self) -> ComposeResult:
        """How a line is written, the line, what became of the last ones."""
        with Vertical(classes="dialog wide"):
            yield Label(say("pads.title"), classes="dialog-title", markup=False)
            for code in ("line", "outcomes"):
                yield Static(self._pen.text(say(f"pads.{code}"), OFF), classes="dialog-line")
            yield Input(id="typed", compact=True, select_on_focus=False)
            yield Static(id="pads-lines", classes="dialog-line")
            yield Static(self._pen.text(say("pads.keys"), OFF), classes="dialog-note")

    def on_mount(self) -> None:
        """Type at once."""
        self.set_focus(self.query_one("#typed", Input))

    @on(Input.Submitted)
    def take(self, event: Input.Submitted) -> None:
        """Key the line in; one that cannot be one stays to be mended."""
        event.stop()
        words = event.value.strip()
        if not words:
            return
        try:
            line = pad_line(words, self._items)
        except BadLine as exc:
            self._add(words, str(exc), BAD)
            return
        event.input.value = ""

        async def send() -> None:
            try:
                self.post_message(LineKeyed(words, answer=await self._key_in(line)))
            except (RequestRefused, HallUnreachable) as exc:
                self.post_message(LineKeyed(words, trouble=exc.text.zh))

        self.run_worker(send(), group="pads", exit_on_error=True)

    @on(LineKeyed)
    def keyed(self, message: LineKeyed) -> None:
        """Say what became of it."""
        if message.answer is None:
            self._add(message.words, message.trouble, BAD)
            return
        state = message.answer.state
        why = message.answer.text.zh if message.answer.text else ""
        self._add(message.words, f"{say(f'pads.{state}')} {why}".strip(), BAD if state == "refused" else OK)

    def _add(self, words: str, result: str, colour: str) -> None:
        line = piece(f"{self._pen.fit(words, 28)} ", FOREGROUND).append(self._pen.words(result), style=colour)
        self._lines = [line, *self._lines][:MOST_SHOWN]
        self.query_one("#pads-lines", Static).update(Text("\n").join(self._lines))

    def action_back(self) -> None:
        """Nothing waits here."""
        self.dismiss(None)
