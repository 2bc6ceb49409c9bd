"""What a hall may decide about voice, board, phone page and residents; each has a default that suits most halls."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal

from hall_daemon.config_table import ConfigError, Table


@dataclass(frozen=True, kw_only=True)
class VoiceSettings:
    """How calls are spoken."""

    zone_first: bool = True
    """Say the zone before the number: B, D and E sound alike."""
    one: Literal["yi", "yao"] = "yi"
    """How the digit 1 of a ticket number is read: 一 or 幺."""
    english: bool = True


@dataclass(frozen=True, kw_only=True)
class BoardSettings:
    """What stands on the hall board besides calls."""

    next_numbers: bool = True
    """Show the next two numbers of each zone; a clerk may still call another."""
    notices: tuple[str, ...] = ()
    """The hall's own notices, `Chinese | English`; they turn every 8 s."""
    exits: str = ""
    """Where the exits are as seen from the board, for an emergency: "← 东出口　西出口 →"."""


@dataclass(frozen=True, kw_only=True)
class PhoneSettings:
    """The page behind the QR code of a slip."""

    url: str = ""
    """Where a phone reaches it, like https://hall.example/t; empty: slips carry no such code."""


@dataclass(frozen=True, kw_only=True)
class ResidentSettings:
    """What the hall does for residents by itself."""

    large_text_from: int = 60
    """Years from which a ticket machine's page is large by itself; 0: only when asked to be."""
    priority_from: int = 70
    """Years from which a number is in the priority lane by itself; 0: age gives no priority."""
    pinned_items: tuple[str, ...] = ()
    """Codes of items that stand first among the common ones, at most MOST_PINNED."""


@dataclass(frozen=True, kw_only=True)
class PublicSettings:
    """The four tables [voice], [board], [phone], [residents]; each may be left out."""

    voice: VoiceSettings = field(default_factory=VoiceSettings)
    board: BoardSettings = field(default_factory=BoardSettings)
    phone: PhoneSettings = field(default_factory=PhoneSettings)
    residents: ResidentSettings = field(default_factory=ResidentSettings)


TABLES = ("voice", "board", "phone", "residents")
MOST_PINNED = 2
OLDEST = 120


def read_public(file: str, raw: dict[str, object], items: Collection[str] = ()) -> PublicSettings:
    """`items` are the codes that the hall's queues take. Raises ConfigError."""
    voice, board, phone, residents = (_table(file, name, raw) for name in TABLES)
    one = voice.text("one", "yi", r"yi|yao", "yi")
    found = PublicSettings(
        voice=VoiceSettings(
            zone_first=_flag(voice, "zone_first", True), one="yao" if one == "yao" else "yi",
            english=_flag(voice, "english", True),
        ),
        board=BoardSettings(next_numbers=_flag(board, "next_numbers", True), notices=board.texts("notices", []),
            exits=board.text("exits", ""),
        ),
        phone=PhoneSettings(
            # Printed as a QR code of ASCII; a port or a path may follow.
            url=phone.text("url", "", r"|https?://[!-~]{1,80}", "https://hall.example/t").rstrip("/")
        ),
        residents=_residents(residents, items),
    )  # fmt: skip
    for table in (voice, board, phone, residents):
        table.done()
    return found


def _residents(table: Table, items: Collection[str]) -> ResidentSettings:
    pinned = table.references("pinned_items", items, "item in any queue", [])
    if len(pinned) > MOST_PINNED:
        raise table.wrong("pinned_items", f"names {len(pinned)} items; at most {MOST_PINNED} can stand first")
    return ResidentSettings(
        large_text_from=table.number("large_text_from", 60, 0, OLDEST),
        priority_from=table.number("priority_from", 70, 0, OLDEST),
        pinned_items=pinned,
    )


def _table(file: str, name: str, raw: dict[str, object]) -> Table:
    values = raw.get(name, {})
    if not isinstance(values, dict):
        raise ConfigError(f"{file}: '{name}' should be a table [{name}]")
    return Table(file, name, values)


def _flag(table: Table, key: str, default: bool) -> bool:
    table.asked.add(key)
    value = table.values.get(key, default)
    if not isinstance(value, bool):
        raise table.wrong(key, f"is {value!r}, should be true or false")
    return value
