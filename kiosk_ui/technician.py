"""Technician's program: every device of a hall on any terminal, also over SSH. Needs no driver library.

    hall-technician --hall http://10.0.3.2:8600 --token-env HALL_TOKEN_TECHNICIAN

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
from pathlib import Path
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType

from hall_daemon.client import BadAddress, HallClient
from hall_daemon.protocol import Text
from hall_daemon.texts import text
from kiosk_ui.technician_screen import TechnicianScreen
from kiosk_ui.technician_view import say
from kiosk_ui.theme import NIGHT, Pen, draws_marks_wide

BAD_COMMAND, TURNED_AWAY = 2, 3
_TOKEN = re.compile(r"[\x21-\x7e]{1,4096}")


class TechnicianApp(App[Text]):
    """The program around the screen; its result is why it was turned away."""

    ENABLE_COMMAND_PALETTE = False
    TITLE = "hall-technician"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+q", "quit", say("key.quit"), id="technician.quit", show=False)
    ]
    CSS = """
    Screen { background: $background; }
    #top { height: 1; background: $panel; }
    #trouble, #result, #keys { height: 1; }
    #main { height: 1fr; }
    #tree { width: 40; overflow-x: hidden; border: round $border-blurred; background: $surface; padding: 0 1;
            scrollbar-size-vertical: 1; }
    .-narrow #tree { width: 30; padding: 0; }
    #tree:focus, #right:focus-within { border: round $border; }
    #right { width: 1fr; border: round $border-blurred; background: $surface; padding: 0 1; }
    #head, #tabs { height: 1; }
    .-wide #tabs { margin: 1 0; }
    #pages, #words, #wire { height: 1fr; }
    #words { scrollbar-size-vertical: 1; background: $surface; }
    #page { height: auto; }
    OptionList { height: 1fr; background: $surface; border: none; padding: 0; scrollbar-size-vertical: 1; }
    OptionList:focus { border: none; }
    #decode { height: 10; border-top: solid $border-blurred; }
    .-narrow #decode { height: 6; }
    ModalScreen { align: center middle; background: $background 70%; }
    .dialog { width: 70; height: auto; max-height: 100%; border: round $primary; background: $surface; padding: 1 2; }
    .dialog-title { text-style: bold; color: $accent; margin-bottom: 1; width: 100%; }
    .-plain #tree, .-plain #right, .-plain .dialog, .-plain #tree:focus { border: ascii $border; }
    """

    def __init__(self, client: HallClient, *, plain: bool = False, folder: Path | None = None) -> None:
        super().__init__()
        self._client, self._plain, self._folder = client, plain, folder or Path.cwd()

    def on_mount(self) -> None:
        """Show the one screen."""
        self.register_theme(NIGHT)
        self.theme = NIGHT.name
        self.set_class(self._plain, "-plain")
        self.push_screen(TechnicianScreen(self._client, pen=Pen(plain=self._plain), folder=self._folder))


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="hall-technician",
        description="运维人员的设备诊断程序。All devices of a hall; needs a terminal of at least 80 x 24.",
        epilog="Ends with 2: command line wrong; 3: not allowed. F1 shows the keys, Ctrl+Q ends.",
    )
    made.add_argument(
        "--hall", required=True, metavar="URL", help="大厅主机地址 address of the hall, http://10.0.3.2:8600"
    )
    made.add_argument(
        "--token-env", default="", metavar="NAME", help="口令所在的环境变量 variable that holds the token"
    )
    made.add_argument("--to", type=Path, default=Path(), metavar="DIR", help="支持包存到哪里 folder for the archive")
    made.add_argument(
        "--ascii", action="store_true", help="只用 ASCII 线条和标记 no line drawing; for terminals that smear"
    )
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the screen. Ends the process with 0, 2 or 3."""
    options = parser().parse_args(arguments)
    code, sentence = asyncio.run(_run(options))
    if sentence is not None:
        sys.stderr.write(f"hall-technician: {sentence.zh}\n{sentence.en}\n")
    sys.exit(code)


async def _run(options: argparse.Namespace) -> tuple[int, Text | None]:
    token = os.environ.get(options.token_env, "") if options.token_env else ""
    if options.token_env and not _TOKEN.fullmatch(token):
        return BAD_COMMAND, text("counter.bad_token_env", name=options.token_env)
    try:
        client = HallClient(options.hall, token)
    except BadAddress as exc:
        return BAD_COMMAND, exc.text
    async with client:
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            return BAD_COMMAND, text("technician.no_terminal")
        # A size that a shell exported long ago would hide the size that the terminal has now.
        os.environ.pop("COLUMNS", None)
        os.environ.pop("LINES", None)
        app = TechnicianApp(client, plain=options.ascii or draws_marks_wide(), folder=options.to.resolve())
        turned_away = await app.run_async()
    return (0, None) if turned_away is None else (TURNED_AWAY, turned_away)


if __name__ == "__main__":
    main()
