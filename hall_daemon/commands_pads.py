"""What the guide types after an emergency: the numbers from the paper pads, from a file or line by line.

    number,time,item,outcome,window,clerk
    XA001,09:10
    XA002,09:12,,completed,3,c017

Only number and time must be there; a first line with these names is passed over. The running daemon decides about each
line; a file may be sent again as it is.
"""

from __future__ import annotations

import asyncio
import csv
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from hall_daemon.commands_day import client
from hall_daemon.config import ConfigError, HallConfig
from hall_daemon.protocol_window import MOST_PADS, KeyInPads, PadKeyed, PadLine

COLUMNS = ("number", "at", "item", "outcome", "window", "clerk")
_MARKS = {"keyed": "+", "known": "=", "refused": "!"}


def pads_arguments(parser: ArgumentParser) -> None:
    """What may stand behind `hall-daemon pads`."""
    parser.add_argument(
        "file", help="the sheet, CSV in UTF-8: number,time[,item,outcome,window,clerk]; - for the terminal"
    )


def pads(config: HallConfig, options: Namespace) -> int:
    """Key them in; 1 if a line was refused. Raises ConfigError where the sheet cannot be read."""
    try:
        text = sys.stdin.read() if options.file == "-" else Path(options.file).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{options.file}: cannot be read as UTF-8: {exc}") from exc
    lines = lines_of(options.file, text.splitlines())
    answers = asyncio.run(_key_in(config, lines))
    for answer in answers:
        print(f"{_MARKS[answer.state]} {answer.number}  {answer.text.zh if answer.text else ''}".rstrip())  # noqa: T201
    return 1 if any(answer.state == "refused" for answer in answers) else 0


def lines_of(file: str, sheet: Iterable[str]) -> list[PadLine]:
    """The lines of a sheet. Raises ConfigError, with the number of the line."""
    found = []
    for number, cells in enumerate(csv.reader(sheet), start=1):
        given = {name: cell.strip() for name, cell in zip(COLUMNS, cells, strict=False) if cell.strip()}
        if not given or (number == 1 and given["number"] == "number"):
            continue
        try:
            found.append(PadLine.model_validate(given))
        except ValidationError as exc:
            first = exc.errors(include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise ConfigError(f"{file}: line {number}: {where}: {first['msg']}; nothing was keyed in") from exc
    if not found:
        raise ConfigError(f"{file}: no line with a number and a time, like XA001,09:10")
    return found


async def _key_in(config: HallConfig, lines: list[PadLine]) -> list[PadKeyed]:
    answers: list[PadKeyed] = []
    async with client(config) as hall:
        for first in range(0, len(lines), MOST_PADS):
            some = KeyInPads(pads=tuple(lines[first : first + MOST_PADS]))
            answers += (await hall.key_in_pads(some)).pads
    return answers
