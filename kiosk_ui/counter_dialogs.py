"""Questions of the counter screen: each asks one thing and returns the answer, or None for "go back"."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from hall_daemon.protocol import MaterialNeed, ScanJobView
from kiosk_ui.counter_view import Picture, say
from kiosk_ui.theme import ACCENT, FOREGROUND, OFF, Mark, Pen, piece

# What a key is called on its cap; the function keys stand for the pad where an input method is open.
_CAPS = {
    "enter": "Enter",
    "slash": "/",
    "f5": "/",
    "ideographic_comma": "/",
    "asterisk": "*",
    "f3": "*",
    "minus": "-",
    "f4": "-",
}
_MOVES = {"down": "cursor_down", "up": "cursor_up", "pagedown": "page_down", "pageup": "page_up"}
OTHER_MATERIAL = "other"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer on one key; `value` is what the question returns."""

    key: str
    label: str
    value: str
    hint: str = ""


class Choice(ModalScreen[str | None]):
    """One question, each answer on a key of its own; Enter is the first answer."""

    def __init__(self, title: str, answers: list[Answer], pen: Pen, note: str = "", *, wide: bool = False) -> None:
        super().__init__()
        self._wide = wide
        self._title = title
        self._answers = answers
        self._pen = pen
        self._note = note or say("dialog.back")

    def compose(self) -> ComposeResult:
        """Title, a line an answer, note."""
        with Vertical(classes="dialog wide" if self._wide else "dialog"):
            yield Label(self._title, classes="dialog-title", markup=False)
            widest = max(len(answer.key) for answer in self._answers)
            for answer in self._answers:
                line = self._pen.key(answer.key.ljust(widest), self._pen.fit(answer.label, 24))
                yield Static(line.append(answer.hint, style=OFF), classes="answer")
            yield Static(self._pen.text(self._note, OFF), classes="dialog-note")

    def on_key(self, event: events.Key) -> None:
        """Take the answer whose key was pressed."""
        event.stop()
        if event.key == "escape":
            self.dismiss(None)
            return
        cap = _CAPS.get(event.key, event.character or "")
        values = {"Enter": self._answers[0].value} | {answer.key: answer.value for answer in self._answers}
        if cap in values:
            self.dismiss(values[cap])


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """Something to pick from a long list; `code` is what one types to get it."""

    value: str
    code: str
    label: str

    def rank(self, typed: str) -> int | None:
        """0 for the best match, None for no match."""
        code, wanted = self.code.casefold(), typed.strip().casefold()
        for place, fits in enumerate((code == wanted, code.startswith(wanted), wanted in code)):
            if fits:
                return place
        return 3 if wanted in self.label.casefold() else None


class Pick(ModalScreen[str | None]):
    """One of many: typing narrows the list, arrows move in it, Enter takes the marked one.

    With `free`, what was typed is an answer where nothing in the list matches.
    """

    def __init__(
        self, title: str, candidates: list[Candidate], pen: Pen, note: str = "", *, typed: str = "", free: bool = False
    ) -> None:
        super().__init__()
        self._title = title
        self._candidates = candidates
        self._pen = pen
        self._note = note or say("pick.line")
        self._typed = typed
        self._free = free
        self._shown: list[Candidate] = []

    def compose(self) -> ComposeResult:
        """Title, what is typed, what matches, note."""
        with Vertical(classes="dialog"):
            yield Label(self._title, classes="dialog-title", markup=False)
            yield Input(self._typed, id="typed", compact=True, select_on_focus=False)
            yield OptionList(id="matches", markup=False, compact=True)
            note = self._pen.text(f"{self._note}   {say('dialog.back')}", OFF)
            yield Static(note, classes="dialog-note")

    def on_mount(self) -> None:
        """Show all."""
        self.query_one("#matches", OptionList).can_focus = False
        self._show_matching(self._typed)
        self.set_focus(self.query_one("#typed", Input))

    @on(Input.Changed)
    def narrow(self) -> None:
        """Show what matches."""
        self._keep_up()

    def _keep_up(self) -> str:
        """What is typed; the list shows it from now on."""
        typed = self.query_one("#typed", Input).value
        if typed != self._typed:
            self._show_matching(typed)
        return typed

    def _matching(self, typed: str) -> list[Candidate]:
        ranked = [(rank, place) for place, c in enumerate(self._candidates) if (rank := c.rank(typed)) is not None]
        return [self._candidates[place] for _, place in sorted(ranked)]

    def _show_matching(self, typed: str) -> None:
        self._typed, self._shown = typed, self._matching(typed)
        matches = self.query_one("#matches", OptionList)
        matches.clear_options()
        if self._shown:
            matches.add_options([Option(self._pen.text(c.label)) for c in self._shown])
            matches.highlighted = 0
        elif not self._free:
            matches.add_option(Option(say("pick.nothing"), disabled=True))

    def say_more(self, notes: Mapping[str, str]) -> None:
        """By value, what has become known of the candidates since; their order stays."""
        # Behind its name: the end of a long line may be cut off.
        self._candidates = [
            replace(c, label=f"  {notes[c.value]}  ".join(c.label.split("  ", 1))) if c.value in notes else c
            for c in self._candidates
        ]
        if not self.is_mounted:
            return
        mark = self.query_one("#matches", OptionList).highlighted
        self._show_matching(self._typed)
        if mark is not None and self._shown:
            self.query_one("#matches", OptionList).highlighted = mark

    def on_key(self, event: events.Key) -> None:
        """What the input line leaves: Enter, Esc, moving; and letters that were faster than its focus."""
        # A key may come before the news of the letter before it.
        typed = self._keep_up()
        if event.key in _MOVES:
            getattr(self.query_one("#matches", OptionList), f"action_{_MOVES[event.key]}")()
        elif event.key == "enter":
            self._take(typed)
        elif event.key == "escape":
            self.dismiss(None)
        elif event.is_printable and event.character:
            self.query_one("#typed", Input).insert_text_at_cursor(event.character)
        else:
            return
        event.stop()

    def _take(self, typed: str) -> None:
        mark = self.query_one("#matches", OptionList).highlighted
        if self._shown:
            self.dismiss(self._shown[mark or 0].value)
        elif self._free and typed.strip():
            self.dismiss(typed.strip())


@dataclass(frozen=True, kw_only=True)
class FileOrder:
    """File these pages as this material; without pages: scan again."""

    code: str = ""
    name: str = ""
    pages: tuple[int, ...] = ()


class FilePagesDialog(ModalScreen[FileOrder | None]):
    """Which pages to keep, and as which material; blank backs and filed ones are left out until a clerk keeps them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "back", say("key.back"), id="file.back", priority=True),
        Binding("down", "move(1)", id="file.down", priority=True),
        Binding("up", "move(-1)", id="file.up", priority=True),
        Binding("delete,space", "turn", id="file.turn", priority=True),
        Binding("f7", "again", say("key.scan"), id="file.again", priority=True),
        Binding("left", "move(-1)", id="file.left", priority=True),
        Binding("right", "move(1)", id="file.right", priority=True),
        Binding("enter", "enlarge", id="file.enlarge", priority=True),
    ]

    def __init__(
        self, number: str, scan: ScanJobView, materials: tuple[MaterialNeed, ...], picture: Picture,
        enlarge: Callable[[int], None],
    ) -> None:  # fmt: skip
        super().__init__()
        self._enlarge = enlarge
        self._number = number
        self._scan = scan
        self._materials = materials
        self._picture = picture
        self._dropped = {page.no for page in scan.pages if (page.blank and page.back) or page.saved}
        self._marked = 0
        self._hint = scan.problem.zh if scan.problem else ""

    def compose(self) -> ComposeResult:
        """Pages above, materials below."""
        with Vertical(classes="dialog wide"):
            yield Label(say("ask.file", number=self._number), classes="dialog-title", markup=False)
            yield Static(id="file-pages")
            yield Static(self._material_lines(), id="file-materials")
            yield Static(self._picture.pen.text(say("file.keys"), OFF), id="file-note", classes="dialog-note")

    def on_mount(self) -> None:
        """Draw the pages."""
        self._draw()

    def _draw(self) -> None:
        lines = []
        first = max(0, min(self._marked - 3, len(self._scan.pages) - 7))
        for place, page in list(enumerate(self._scan.pages))[first : first + 7]:
            dropped = page.no in self._dropped
            line = piece("> " if place == self._marked else "  ", f"bold {ACCENT}")
            word = self._picture.pen.fit(say("page.dropped" if dropped else "page.kept"), 8)
            line.append(word, style=OFF if dropped else f"bold {FOREGROUND}")
            lines.append(line.append_text(self._picture.page(page)))
        self.query_one("#file-pages", Static).update(Text("\n").join(lines))
        note = self._hint or say("file.keys")
        self.query_one("#file-note", Static).update(self._picture.pen.text(note, ACCENT if self._hint else OFF))

    def _material_lines(self) -> Text:
        view = self._picture.view
        filed = view.current.filed if view and view.current else ()
        lines = []
        for number, need in enumerate(self._materials[:9], 1):
            mark = self._picture.pen.mark(Mark.OK if need.code in filed else Mark.OFF)
            lines.append(self._picture.pen.key(str(number), "").append_text(mark).append(f" {need.name}"))
        lines.append(self._picture.pen.key("0", say("material.other")))
        return Text("\n").join(lines)

    def on_key(self, event: events.Key) -> None:
        """A digit files the kept pages as that material."""
        if event.character is None or event.character not in "0123456789":
            return
        event.stop()
        kept = tuple(page.no for page in self._scan.pages if page.no not in self._dropped)
        place = int(event.character) - 1
        if place >= len(self._materials):
            return
        if not kept:
            self._hint = say("file.none_kept")
            self._draw()
            return
        if place < 0:
            self.dismiss(FileOrder(code=OTHER_MATERIAL, name=say("material.other"), pages=kept))
            return
        need = self._materials[place]
        self.dismiss(FileOrder(code=need.code, name=need.name, pages=kept))

    def action_move(self, step: int) -> None:
        """Mark another page."""
        self._marked = max(0, min(len(self._scan.pages) - 1, self._marked + step))
        self._hint = ""
        self._draw()

    def action_turn(self) -> None:
        """Keep or drop the marked page."""
        if self._scan.pages:
            self._dropped ^= {self._scan.pages[self._marked].no}
        self._hint = ""
        self._draw()

    def action_enlarge(self) -> None:
        """Look at the marked page."""
        if self._scan.pages:
            self._enlarge(self._scan.pages[self._marked].no)

    def action_again(self) -> None:
        """Leave these pages and scan again."""
        self.dismiss(FileOrder())

    def action_back(self) -> None:
        """File nothing yet."""
        self.dismiss(None)


class Help(ModalScreen[None]):
    """All keys on one page; any key closes it."""

    PAD = (
        ("+", "next"),
        ("*", "recall"),
        ("-", "no_show"),
        ("/", "park"),
        (".", "resume"),
        ("Enter", "main"),
        ("1-9", "tick"),
        ("0", "tick_all"),
        ("Bksp", "undo"),
        ("Tab", "lists"),
        ("Del", "cancel"),
        ("Ins", "add_item"),
    )
    FUNCTIONS = (
        ("F2-F5", "same"),
        ("Shift+F4", "requeue"),
        ("Shift+F5", "resume"),
        ("F6", "transfer"),
        ("Shift+F6", "cancel"),
        ("Shift+F7", "colleague"),
        ("F7", "scan"),
        ("F8", "notice"),
        ("Shift+F8", "note"),
        ("F9", "rate"),
        ("Shift+F9", "call_for"),
        ("Shift+F2", "messages"),
        ("F12", "pause"),
        ("Ctrl+P", "commands"),
        ("Ctrl+Q", "quit"),
    )

    def __init__(self, pen: Pen) -> None:
        super().__init__()
        self._pen = pen

    def compose(self) -> ComposeResult:
        """Numeric pad on the left, function keys on the right."""
        with Vertical(classes="dialog wide"):
            yield Label(say("help.title"), classes="dialog-title")
            with Horizontal():
                for head, keys in (("pad", self.PAD), ("functions", self.FUNCTIONS)):
                    lines = [piece(say(f"help.{head}"), f"bold {ACCENT}")]
                    lines += [self._pen.key(self._pen.fit(key, 8), say(f"key.{name}")) for key, name in keys]
                    yield Static(Text("\n").join(lines), classes="half")
            yield Static(self._pen.text(say("help.note"), OFF), classes="dialog-note")

    def on_key(self, event: events.Key) -> None:
        """Close."""
        event.stop()
        self.dismiss(None)
