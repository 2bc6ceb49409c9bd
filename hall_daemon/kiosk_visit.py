"""What a kiosk remembers of the person before it, and how long it waits. Plain data and pure functions.

Nothing in here outlives a visit, and `repr` shows nothing personal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from drivers.base import CardKind, Condition, IdCard
from hall_daemon.profile import Item
from hall_daemon.protocol import Text
from hall_daemon.protocol_kiosk import KioskModes, KioskScreen
from hall_daemon.words import PrintReason, Priority, TicketState

PHONE_LENGTH = 11
ID_LENGTH = 18
PASSPORT_LENGTH = 12
SHORTEST_PASSPORT = 5
TICKET_LENGTH = 6
NOTICE_LENGTH = 12
SEARCH_LENGTH = 8
ITEMS_PER_PAGE = 8
COMMON_PER_PAGE = 6
HITS_PER_PAGE = 4
MOST_IN_CART = 4
SLOWER = 1.5
"""Whoever reads large letters, low keys or by ear gets so much more time."""
LETTERS = {"2": "ABC", "3": "DEF", "4": "GHI", "5": "JKL", "6": "MNO", "7": "PQRS", "8": "TUV", "9": "WXYZ"}
"""Letters on the digit keys (ITU-T E.161)."""


@dataclass(frozen=True, kw_only=True)
class KioskTimes:
    """How long a kiosk waits, in seconds."""

    silence_s: float = 60.0
    """Without a key, before it asks whether more time is needed."""
    question_s: float = 20.0
    done_s: float = 10.0
    done_heard_s: float = 30.0
    """The same in voice mode."""
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
    reading_s: float = 8.0
    guide_s: float = 90.0


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
    passport: str = ""
    behalf: str = ""
    """ID number of the person for whom the one with the card has come."""
    phone: str = ""
    phone_asked: bool = False
    language: Language = "zh"
    modes: KioskModes = field(default_factory=KioskModes)
    large_by_itself: bool = False
    """Large text is on because of the age on the card."""
    zone: str = ""
    dept: str = ""
    page: int = 1
    searched: str = ""
    """Digit keys of the pinyin or number search."""
    picking: bool = False
    """What was searched is being picked from."""
    road: KioskScreen = KioskScreen.SERVICE
    """Where the list was opened, to go back to."""
    looked: Item | None = None
    """Shown in the guide, or as suspended."""
    guide_only: bool = False
    """Came to read what to bring."""
    cart: tuple[Item, ...] = ()
    """What the number is to be for."""
    intent: Literal["", "appointment", "return"] = ""
    """Which key of the first page was pressed."""
    number: str = ""
    """A ticket number being typed."""
    notice: str = ""
    """Number of a one-time notice being typed."""
    back: str = ""
    """Number of the notice that is answered with the number to be taken: into the green lane."""
    booked: str = ""
    """Appointment that is checked in with the number to be taken."""
    with_card: bool = False
    """A card was used, and must not be left behind; stays when the card's data is forgotten."""
    consult: bool = False
    """Came without any document, to ask."""
    ahead: int = 0
    request_id: str = ""

    @property
    def item(self) -> Item | None:
        """What the number is for in the first place."""
        return self.cart[0] if self.cart else None

    @property
    def identified(self) -> bool:
        """Whether it is known who stands there."""
        return self.card is not None or bool(self.typed_id or self.passport)

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
    state: TicketState = TicketState.WAITING
    expected: Text = field(default_factory=lambda: Text(zh=""))
    priority: Priority = Priority.NORMAL
    appointment: str = ""
    """Begin of the slot, `10:30`."""
    code: tuple[str, ...] = ()
    """Rows of the QR code that leads a phone to it, # is dark; only where the slip did not come out."""


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


def masked_while_typed(digits: str) -> str:
    """`138 **** 0000`: the middle of a mobile number is hidden, but for the digit that was typed last."""
    last = len(digits) - 1
    hidden = "".join(c if not 3 <= place < 7 or place == last else "*" for place, c in enumerate(digits))
    return grouped_phone(hidden)


def next_letter(typed: str) -> str:
    """The last character turned into the next one of its key: 3 → D → E → F → 3."""
    if not typed:
        return typed
    last = typed[-1]
    for digit, letters in LETTERS.items():
        ring = digit + letters
        if last in ring:
            return typed[:-1] + ring[(ring.index(last) + 1) % len(ring)]
    return typed


def passport_masked(number: str) -> str:
    """Stars and the last three."""
    return "*" * max(0, len(number) - 3) + number[-3:]


def born(visit: Visit) -> date | None:
    """Date of birth of who stands there: from the card, else from the typed number."""
    if visit.card is not None and visit.card.birth is not None:
        return visit.card.birth
    number = visit.card.id_no if visit.card is not None else visit.typed_id
    try:
        return date(int(number[6:10]), int(number[10:12]), int(number[12:14])) if len(number) == ID_LENGTH else None
    except ValueError:
        return None
