"""Who stands before a ticket machine: a card, a typed number, nobody we know; and a phone to be told by.

As soon as a document is known, the hall looks up what it knows of today: a booking, a number that was missed or still
waits. That comes first, and asks for nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from drivers.base import CardGone, CardRead, Condition, IdCard
from hall_daemon.devices import CardTrouble, Input
from hall_daemon.kiosk_choosing import Choosing
from hall_daemon.kiosk_core import Core
from hall_daemon.kiosk_pages import READ_TROUBLES
from hall_daemon.kiosk_pages_choose import consult_item
from hall_daemon.kiosk_stage import FIRST, NO_VISITS
from hall_daemon.kiosk_visit import (
    ID_LENGTH,
    NOTICE_LENGTH,
    PASSPORT_LENGTH,
    PHONE_LENGTH,
    SHORTEST_PASSPORT,
    TICKET_LENGTH,
    Visit,
    language_of,
    next_letter,
    phone_problem,
)
from hall_daemon.privacy import valid_id_number
from hall_daemon.protocol import Text
from hall_daemon.protocol_kiosk import KioskScreen as S
from hall_daemon.texts import text
from hall_daemon.words import TicketState

_MUST_BE_SEEN = frozenset({S.PRINTING, S.NOPAPER, S.UNSURE})
"""Pages of a number that somebody has still to note: no other card takes them away."""
_BEFORE = FIRST | {S.NOCARD, S.READFAIL, S.ID, S.PASSPORT, S.NUMBER, S.NOTICE, S.UNPRINTED, S.CARDLEFT, S.DONE}
"""Pages on which a card begins a visit, or a new one."""
_LENGTHS = {
    S.PHONE: ("phone", PHONE_LENGTH),
    S.ID: ("typed_id", ID_LENGTH),
    S.BEHALF: ("behalf", ID_LENGTH),
    S.PASSPORT: ("passport", PASSPORT_LENGTH),
    S.NUMBER: ("number", TICKET_LENGTH),
    S.NOTICE: ("notice", NOTICE_LENGTH),
}
"""Page → the field of the visit that is typed there, and its greatest length."""
TYPING = frozenset(_LENGTHS)
LETTERED = frozenset({S.PASSPORT, S.NUMBER})


class Identifying:
    """Cards, typed numbers, phones."""

    def __init__(self, core: Core, choosing: Choosing) -> None:
        self._core = core
        self._choosing = choosing
        self._back: dict[S, Callable[[], None]] = {
            S.PHONE: self._back_from_phone,
            S.ID: self._back_to_nocard,
            S.PASSPORT: self._back_to_nocard,
            S.BEHALF: lambda: core.go(S.CONFIRM),
            S.NUMBER: core.home,
            S.NOTICE: core.home,
        }

    # --- typing -------------------------------------------------------------------------------------------------------

    def type(self, character: str) -> None:
        """A character of what is typed on this page."""
        name, length = _LENGTHS[self._core.stage.screen]
        self._set(name, (self._typed() + character)[:length])

    def star(self) -> None:
        """X at the end of an ID number; elsewhere the next letter of the last key."""
        screen, typed = self._core.stage.screen, self._typed()
        if screen in LETTERED:
            self._set(_LENGTHS[screen][0], next_letter(typed))
        elif len(typed) == ID_LENGTH - 1:
            self.type("X")

    def correct(self) -> None:
        """Take the last character away; with none, go back."""
        screen, typed = self._core.stage.screen, self._typed()
        if typed:
            self._set(_LENGTHS[screen][0], typed[:-1])
        else:
            self._back[screen]()

    def _typed(self) -> str:
        return str(getattr(self._core.visit, _LENGTHS[self._core.stage.screen][0]))

    def _set(self, name: str, value: str) -> None:
        setattr(self._core.visit, name, value)
        self._core.stage.say(None)

    def _back_from_phone(self) -> None:
        visit = self._core.visit
        if visit.card is None:
            self._core.visit = Visit(language=visit.language, modes=visit.modes, looked=visit.looked)
            self._core.go(S.NOCARD)

    def _back_to_nocard(self) -> None:
        self._core.go(S.NOCARD)

    # --- documents ----------------------------------------------------------------------------------------------------

    def accept_id(self) -> None:
        """Go on, if the number can be one."""
        if valid_id_number(self._core.visit.typed_id):
            self.identified()

    def accept_passport(self) -> None:
        """Go on, if the number can be one; passports have no check digit."""
        if len(self._core.visit.passport) >= SHORTEST_PASSPORT:
            self.identified()

    def accept_behalf(self) -> None:
        """The number is for this person."""
        if valid_id_number(self._core.visit.behalf):
            self._core.go(S.CONFIRM)

    def consult(self) -> None:
        """Somebody without a document wants to ask."""
        if consult_item(self._core.hall.profile, self._core.kiosk) is not None:
            before = self._core.visit
            self._core.visit = Visit(consult=True, language=before.language, modes=before.modes)
            self._ask_phone()

    def identified(self, notice: Text | None = None) -> None:
        """It is known who stands there: look up what is known of today."""
        core, visit = self._core, self._core.visit
        self._enlarge(visit)
        core.stage.start(S.READING)

        async def look_up() -> None:
            own = await core.desk.own_numbers(visit)
            bookings = await core.desk.bookings(visit)
            came_back = await core.desk.came_back(visit)
            if visit is core.visit:
                core.ticket = own[0] if own else None
                core.bookings, core.came_back = bookings, came_back
                self._go_on(notice)

        core.do(look_up)

    def _go_on(self, notice: Text | None) -> None:
        """A missed number first, then what is booked or brought back, then a number that still waits."""
        core = self._core
        missed = core.ticket is not None and core.ticket.state is TicketState.NO_SHOW
        if missed:
            core.stage.open(S.MISSED, notice)
        elif core.bookings:
            core.stage.open(S.APPOINTMENT, notice)
        elif core.came_back is not None:
            core.stage.open(S.RETURN, notice)
        elif core.ticket is not None:
            core.stage.open(S.DUPLICATE, notice)
        else:
            in_vain = {"appointment": "kiosk.appointment.none", "return": "kiosk.notice_no.none"}.get(core.visit.intent)
            self._ask_phone(text(in_vain) if in_vain else notice)

    def something_else(self) -> None:
        """Not about the number that there is already: a new one."""
        self._core.ticket, self._core.bookings, self._core.came_back = None, (), None
        if self._core.visit.phone_asked:
            self._choosing.start()
        else:
            self._ask_phone()

    def _enlarge(self, visit: Visit) -> None:
        if not visit.modes.large and not visit.large_by_itself and self._core.desk.wants_large(visit):
            visit.modes = visit.modes.model_copy(update={"large": True})
            visit.large_by_itself = True

    # --- phone --------------------------------------------------------------------------------------------------------

    def _ask_phone(self, notice: Text | None = None) -> None:
        self._core.visit.phone_asked = True
        self._core.stage.start(S.PHONE, notice)

    def skip_phone(self) -> None:
        """No phone."""
        self._core.visit.phone = ""
        self._choosing.start()

    def accept_phone(self) -> None:
        """Go on, if the number can be one."""
        if not phone_problem(self._core.visit.phone):
            self._choosing.start()

    # --- cards --------------------------------------------------------------------------------------------------------

    def hear_reader(self, reader: str, news: Input) -> None:
        """What a card reader says."""
        if isinstance(news, CardRead):
            self._core.lying.add(reader)
            self._card_read(reader, news.card)
        elif isinstance(news, CardTrouble):
            self._core.lying.add(reader)
            self._card_failed(news.condition)
        elif isinstance(news, CardGone):
            self._core.lying.discard(reader)
            self._core.look_again()

    def _card_failed(self, condition: Condition) -> None:
        if self._core.stage.underneath not in _BEFORE or self._core.stage.underneath in NO_VISITS:
            return
        kept = replace_visit(self._core.visit)
        self._core.forget()
        self._core.visit = kept
        self._core.trouble = condition if condition in READ_TROUBLES else Condition.CARD_UNREADABLE
        self._core.stage.start(S.READFAIL)

    def _card_read(self, reader: str, card: IdCard) -> None:
        under = self._core.stage.underneath
        if under in _MUST_BE_SEEN:
            self._core.stage.say(text("kiosk.notice.wait"))
        elif under not in _BEFORE and self._core.visit.card is not None:
            self._another_card(reader, card)
        elif under not in NO_VISITS:
            self._begin(reader, card)

    def _begin(self, reader: str, card: IdCard) -> None:
        core = self._core
        if core.stage.underneath is S.UNPRINTED and core.ticket is not None:
            core.unprinted.insert(0, core.ticket)  # offered again after this visit
        before = core.visit if core.stage.underneath in FIRST | {S.NOCARD, S.READFAIL, S.ID, S.PASSPORT} else Visit()
        kept = replace_visit(before)
        core.forget()
        kept.card, kept.reader, kept.with_card = card, reader, True
        kept.language = "en" if before.language == "en" else language_of(card)
        core.visit = kept
        self.identified()

    def _another_card(self, reader: str, card: IdCard) -> None:
        """Two cards at once: the first stays. One taken away and another placed: a new visit."""
        core, visit = self._core, self._core.visit
        assert visit.card is not None
        if (card.id_no, card.serial) == (visit.card.id_no, visit.card.serial):
            visit.reader = reader
            if core.stage.screen is S.TIMEOUT:
                core.uncover()
        elif visit.reader in core.lying - {reader}:
            core.stage.say(text("kiosk.notice.one_card"))
        else:
            core.forget()
            core.visit = Visit(card=card, reader=reader, with_card=True, language=language_of(card))
            self.identified(text("kiosk.notice.changed"))


def replace_visit(before: Visit) -> Visit:
    """A new visit that keeps how the screen is read and what was looked up in the guide, and nothing of a person."""
    wanted = before.looked if not before.guide_only else None
    return replace(Visit(), language=before.language, modes=before.modes, looked=wanted, intent=before.intent)
