"""Counter program: a clerk's screen on any terminal of the hall's network. Needs no driver library.

    hall-counter --hall http://10.0.3.2:8600 --window 3
    hall-counter --hall http://10.0.3.2:8600                 guide desk, chief representatives, manager, technicians

Ends with 2 if the command line cannot be right, with 3 if the hall turns it away. A hall that does not answer is no
reason to end: the screen says so and keeps trying.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
from collections.abc import Sequence
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType

from hall_daemon.client import BadAddress, HallClient, HallUnreachable, RequestRefused
from hall_daemon.client_day import DayClient
from hall_daemon.protocol import HallMap, Text
from hall_daemon.texts import text
from kiosk_ui.counter_keys import CounterScreen
from kiosk_ui.counter_session import SessionFile
from kiosk_ui.counter_steps import is_clerk, is_window
from kiosk_ui.counter_view import say
from kiosk_ui.staff import StaffScreen
from kiosk_ui.theme import DAY, NIGHT, DayColours, Pen, draws_marks_wide

BAD_COMMAND, TURNED_AWAY = 2, 3
_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")


class CounterApp(App[Text]):
    """The program around the screen; its result is why it was turned away."""

    ENABLE_COMMAND_PALETTE = False
    TITLE = "hall-counter"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+q", "quit", say("key.quit"), id="counter.quit", show=False)]
    CSS = """
    Screen { background: $background; }
    #top, #status { height: 1; background: $panel; }
    #result, #keys { height: 1; }
    #main { height: 1fr; }
    #work { width: 1fr; }
    #lists { width: 48; }
    #current { height: 5; padding: 0 1; border: round $border; background: $surface; }
    #figures { width: auto; height: 3; margin-right: 2; }
    #who { width: 1fr; height: 3; }
    #alerts { height: auto; max-height: 6; }
    .-narrow #alerts { max-height: 4; }
    .panel { height: auto; border: round $border-blurred; padding: 0 1; background: $surface;
             border-title-color: $accent; border-title-style: bold; border-subtitle-color: $foreground 70%; }
    OptionList { scrollbar-size-vertical: 1; background: $surface; }
    OptionList.panel:focus { border: round $border; }
    .panel > .option-list--option-highlighted { background: $surface; color: $foreground; text-style: none; }
    .panel:focus > .option-list--option-highlighted { background: $block-cursor-background; }
    #waiting, #calls { height: 1fr; min-height: 3; }
    #calls > .option-list--option-highlighted { background: $block-cursor-background; }
    #said { height: 8; }
    #messages { max-height: 9; }
    #facts { height: auto; max-height: 12; }
    #missed, #parked { max-height: 9; }
    .-narrow #main { layout: vertical; }
    .-narrow #work { width: 100%; height: auto; }
    .-narrow #lists { width: 100%; height: 1fr; }
    ModalScreen { align: center middle; background: $background 70%; }
    .dialog { width: 64; height: auto; max-height: 100%; border: round $primary; background: $surface; padding: 0 2; }
    .dialog.wide { width: 78; }
    .dialog Horizontal { height: auto; }
    .dialog.beside { width: 116; height: 38; }
    #paper { width: 1fr; height: 1fr; scrollbar-size-vertical: 1; }
    .beside #paper { width: 52; height: 100%; }
    .beside .half { height: 100%; padding-right: 2; }
    .dialog-title { text-style: bold; color: $accent; margin-bottom: 1; width: 100%; }
    .answer { height: 1; }
    .dialog-note { margin-top: 1; }
    .dialog-line { height: auto; }
    .field { height: 1; margin-top: 1; }
    .field-name { width: 6; }
    .field-value { width: 1fr; background: $panel; }
    .half { width: 1fr; }
    #typed { background: $panel; margin-bottom: 1; }
    #matches { height: auto; max-height: 12; background: $surface; }
    #page-paper { width: 100%; height: 100%; background: $surface; padding: 0 1; }
    #page-title { width: 100%; text-style: bold; color: $accent; }
    #page-dots { height: 1fr; }
    #page-keys { height: 1; }
    #file-materials { margin-top: 1; }
    .-plain OptionList { scrollbar-size-vertical: 0; }
    .-plain #current, .-plain .panel, .-plain .dialog, .-plain OptionList.panel:focus { border: ascii $border; }
    """

    def __init__(
        self, client: HallClient, window: str, clerk: str = "", *, hall: HallMap | None = None, plain: bool = False,
        kept: SessionFile | None = None, day: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self._day = day
        self._kept = kept
        self._hall = hall
        self._client = client
        self._window = window
        self._clerk = clerk
        self._plain = plain

    def on_mount(self) -> None:
        """Show the one screen."""
        look = DAY if self._day else NIGHT
        self.register_theme(look)
        self.theme = look.name
        if self._day:
            self._filters.append(DayColours())
        self.set_class(self._plain, "-plain")
        if isinstance(self._client, DayClient):
            self.push_screen(StaffScreen(self._client, self._clerk, pen=Pen(plain=self._plain)))
            return
        self.push_screen(
            CounterScreen(
                self._client, self._window, self._clerk, pen=Pen(plain=self._plain), hall=self._hall, kept=self._kept
            )
        )


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="hall-counter",
        description="窗口人员的叫号程序。A clerk's screen at a window; needs a terminal of at least 80 x 24.",
        epilog="Ends with 2: command line wrong; 3: unknown window or not allowed. F1 shows the keys, Ctrl+Q ends.",
    )
    made.add_argument(
        "--hall", required=True, metavar="URL", help="大厅主机地址 address of the hall, http://10.0.3.2:8600"
    )
    made.add_argument(
        "--window", default="", metavar="CODE",
        help="窗口号；不写就是导办台、首席代表、值班长、技术员的呼叫台 window, for example 3; none: the call desk",
    )  # fmt: skip
    made.add_argument(
        "--clerk", default="", metavar="ID", help="工号，上岗时不用再输 staff number to sign in with, for example c017"
    )
    made.add_argument(
        "--token-env", default="", metavar="NAME", help="口令所在的环境变量 variable that holds the token"
    )
    made.add_argument(
        "--ascii", action="store_true", help="只用 ASCII 线条和标记 no line drawing; for terminals that smear"
    )
    made.add_argument("--day", action="store_true", help="白天配色 dark letters on white; for bright rooms")
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the counter screen. Ends the process with 0, 2 or 3."""
    options = parser().parse_args(arguments)
    code, sentence = asyncio.run(_run(options))
    if sentence is not None:
        sys.stderr.write(f"hall-counter: {sentence.zh}\n{sentence.en}\n")
    sys.exit(code)


async def _run(options: argparse.Namespace) -> tuple[int, Text | None]:
    wrong = _wrong(options)
    if wrong is not None:
        return BAD_COMMAND, wrong
    token = os.environ.get(options.token_env, "") if options.token_env else ""
    try:
        client = HallClient(options.hall, token) if options.window else DayClient(options.hall, token)
    except BadAddress as exc:
        return BAD_COMMAND, exc.text
    async with client:
        hall = await _knock(client, options.window) if options.window else None
        if isinstance(hall, Text):
            return TURNED_AWAY, hall
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            return BAD_COMMAND, text("counter.no_terminal")
        # A size that a shell exported long ago would hide the size that the terminal has now.
        os.environ.pop("COLUMNS", None)
        os.environ.pop("LINES", None)
        plain = options.ascii or draws_marks_wide()
        kept = SessionFile(client.url, options.window)
        client.session = kept.read() if options.window else ""
        app = CounterApp(client, options.window, options.clerk, hall=hall, plain=plain, kept=kept, day=options.day)
        turned_away = await app.run_async()
    return (0, None) if turned_away is None else (TURNED_AWAY, turned_away)


def _wrong(options: argparse.Namespace) -> Text | None:
    """What cannot be right whatever the hall says."""
    if options.window and not is_window(options.window):
        return text("counter.bad_window", window=options.window)
    if options.clerk and not is_clerk(options.clerk):
        return text("counter.bad_clerk", clerk=options.clerk)
    if options.token_env and not _TOKEN.fullmatch(os.environ.get(options.token_env, "")):
        return text("counter.bad_token_env", name=options.token_env)
    return None


async def _knock(client: HallClient, window: str) -> HallMap | Text | None:
    """The hall's map, or why it does not want this screen; None where it does not answer: the screen asks again."""
    try:
        hall = await client.hall()
    except RequestRefused as exc:
        return None if exc.status >= 500 else exc.text
    except HallUnreachable as exc:
        return exc.text if exc.code == "client.not_the_hall" else None
    known = [place.code for place in hall.windows]
    return hall if window in known else text("counter.unknown_window", window=window, known="、".join(known))


if __name__ == "__main__":
    main()
