"""Who stands before a ticket machine: a card, a typed number, nobody we know; and a phone to be told by."""

from __future__ import annotations

from drivers.base import CardGone, CardRead, Condition, IdCard
from hall_daemon.devices import CardTrouble, Input
from hall_daemon.kiosk_choosing import Choosing
from hall_daemon.kiosk_core import Core
from hall_daemon.kiosk_pages import READ_TROUBLES, consult_item
from hall_daemon.kiosk_stage import NO_VISITS
from hall_daemon.kiosk_visit import ID_LENGTH, PHONE_LENGTH, Visit, language_of, phone_problem
from hall_daemon.privacy import valid_id_number
from hall_daemon.protocol import KioskScreen, Text
from hall_daemon.texts import text

_ON_THE_WAY = frozenset(
    {KioskScreen.PHONE, KioskScreen.ZONES, KioskScreen.LIST, KioskScreen.CONFIRM, KioskScreen.DUPLICATE}
)
_MUST_BE_SEEN = frozenset({KioskScreen.PRINTING, KioskScreen.NOPAPER, KioskScreen.UNSURE})
"""Pages of a number that somebody has still to note: no other card takes them away."""


class Identifying:
    """Cards, typed numbers, phones."""

    def __init__(self, core: Core, choosing: Choosing) -> None:
        self._core = core
        self._choosing = choosing

    def type(self, character: str) -> None:
        """A character of an ID number or a phone number."""
        visit = self._core.visit
        if self._core.stage.screen is KioskScreen.PHONE:
            visit.phone = (visit.phone + character)[:PHONE_LENGTH]
        elif character != "X" or len(visit.typed_id) == ID_LENGTH - 1:
            visit.typed_id = (visit.typed_id + character)[:ID_LENGTH]
        self._core.stage.say(None)

    def correct_id(self) -> None:
        """Take the last character away; with none, go back."""
        if self._core.visit.typed_id:
            self._core.visit.typed_id = self._core.visit.typed_id[:-1]
            self._core.stage.refresh()
        else:
            self._core.go(KioskScreen.NOCARD)

    def accept_id(self) -> None:
        """Go on, if the number can be one."""
        if valid_id_number(self._core.visit.typed_id):
            self._core.go(KioskScreen.PHONE)

    def correct_phone(self) -> None:
        """Take the last digit away; with none, go back."""
        visit = self._core.visit
        if visit.phone:
            visit.phone = visit.phone[:-1]
            self._core.stage.refresh()
        elif visit.card is None:
            self._core.visit = Visit(language=visit.language)
            self._core.go(KioskScreen.NOCARD)

    def skip_phone(self) -> None:
        """No phone."""
        self._core.visit.phone = ""
        self._choosing.start()

    def accept_phone(self) -> None:
        """Go on, if the number can be one."""
        if not phone_problem(self._core.visit.phone):
            self._choosing.start()

    def consult(self) -> None:
        """Somebody without a document wants to ask."""
        if consult_item(self._core.hall.profile, self._core.kiosk) is not None:
            self._core.visit = Visit(consult=True, language=self._core.visit.language)
            self._core.go(KioskScreen.PHONE)

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
        under = self._core.stage.underneath
        if under in _ON_THE_WAY | _MUST_BE_SEEN | NO_VISITS:
            return
        self._core.forget()
        self._core.trouble = condition if condition in READ_TROUBLES else Condition.CARD_UNREADABLE
        self._core.stage.start(KioskScreen.READFAIL)

    def _card_read(self, reader: str, card: IdCard) -> None:
        under = self._core.stage.underneath
        if under in _MUST_BE_SEEN:
            self._core.stage.say(text("kiosk.notice.wait"))
        elif under in _ON_THE_WAY and self._core.visit.card is not None:
            self._another_card(reader, card)
        elif under not in NO_VISITS:
            self._begin(reader, card)

    def _begin(self, reader: str, card: IdCard, notice: Text | None = None) -> None:
        if self._core.stage.underneath is KioskScreen.UNPRINTED and self._core.ticket is not None:
            self._core.unprinted.insert(0, self._core.ticket)  # offered again after this visit
        self._core.forget()
        self._core.visit = Visit(card=card, reader=reader, with_card=True, language=language_of(card))
        self._core.stage.start(KioskScreen.PHONE, notice)

    def _another_card(self, reader: str, card: IdCard) -> None:
        """Two cards at once: the first stays. One taken away and another placed: a new visit."""
        visit = self._core.visit
        assert visit.card is not None
        if (card.id_no, card.serial) == (visit.card.id_no, visit.card.serial):
            visit.reader = reader
            if self._core.stage.screen is KioskScreen.TIMEOUT:
                self._core.uncover()
        elif visit.reader in self._core.lying - {reader}:
            self._core.stage.say(text("kiosk.notice.one_card"))
        else:
            self._begin(reader, card, text("kiosk.notice.changed"))
