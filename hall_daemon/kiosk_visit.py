"""What a kiosk remembers of the person before it, and how long it waits. Plain data and pure functions.

Nothing in here outlives a visit, and `repr` shows nothing personal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from drivers.base import CardKind, Condition, IdCard
from hall_daemon.profile import Item
from hall_daemon.words import PrintReason

PHONE_LENGTH = 11
ID_LENGTH = 18
ITEMS_PER_PAGE = 9


@dataclass(frozen=True, kw_only=True)
class KioskTimes:
    """How long a kiosk waits, in seconds."""

    silence_s: float = 60.0
    """Without a key, before it asks whether more time is needed."""
    question_s: float = 20.0
    done_s: float = 10.0
    card_left_s: float = 20.0
    unprinted_s: float = 60.0
    help_s: float = 180.0
    print_limit_s: float = 15.0
    """As long as a printer's driver may need to be sure; the number is on the screen meanwhile."""
    print_patience_s: float = 5.0
    """For an open cover or a hot head to pass before a slip is given up (faults.md A07)."""
    same_key_s: float = 0.3
    """A key of the keypad pressed again so soon is bounce or impatience, except when typing."""
    tick_s: float = 1.0


Language = Literal["zh", "en"]
_IN_ENGLISH = frozenset({CardKind.FOREIGN_2017, CardKind.FOREIGN_2023})


def language_of(card: IdCard) -> Language:
    """In which language the screen speaks to whoever lays down this card; a key changes it."""
    return "en" if card.kind in _IN_ENGLISH else "zh"


@dataclass(kw_only=True, repr=False)
class Visit:
    """One person's way to a number; replaced as a whole when it ends."""

    card: IdCard | None = None
    reader: str = ""
    """Where the card was read."""
    typed_id: str = ""
    phone: str = ""
    language: Language = "zh"
    zone: str = ""
    page: int = 1
    item: Item | None = None
    with_card: bool = False
    """A card was used, and must not be left behind; stays when the card's data is forgotten."""
    consult: bool = False
    """Came without any document, to ask."""
    ahead: int = 0
    request_id: str = ""

    def __repr__(self) -> str:
        return "Visit(masked)"


@dataclass(frozen=True, kw_only=True)
class TakenTicket:
    """A number that stands, whatever its paper does. Nothing personal."""

    ticket_id: str
    number: str
    item: Item
    windows: tuple[str, ...]
    waiting_ahead: int
    taken: str
    """When it was taken, as it is printed."""


_REASONS = {
    Condition.PAPER_OUT: PrintReason.PAPER_OUT,
    Condition.PAPER_JAM: PrintReason.JAM,
    Condition.COVER_OPEN: PrintReason.COVER,
    Condition.HEAD_HOT: PrintReason.HEAD_HOT,
    Condition.CUTTER_ERROR: PrintReason.CUTTER,
}


def print_reason(condition: str) -> PrintReason:
    """Why a slip was not printed, for the event; what the contract has no word for counts as offline."""
    return (
        _REASONS.get(Condition(condition), PrintReason.OFFLINE) if condition in set(Condition) else PrintReason.OFFLINE
    )


def grouped_phone(digits: str) -> str:
    """`138 0000 00`: as people say a mobile number."""
    return " ".join(part for part in (digits[:3], digits[3:7], digits[7:]) if part)


def grouped_id(number: str) -> str:
    """`990000 19990909 0053`; hidden but for the last four as soon as it is complete."""
    if len(number) == ID_LENGTH:
        number = "*" * 14 + number[-4:]
    return " ".join(part for part in (number[:6], number[6:14], number[14:]) if part)


def phone_problem(digits: str) -> Literal["", "missing", "bad"]:
    """What is wrong with a mobile number so far."""
    if digits and not digits.startswith("1"):
        return "bad"
    return "missing" if len(digits) < PHONE_LENGTH else ""
