"""What a ticket machine says aloud: a recorded sentence where there is one for the page, else the page's own words.

Pure: from the view alone, so that nothing can be said that is not on the screen. No view holds anything personal that
would be said: names, ID numbers and phones stand in fields and facts, and those are never read out.
"""

from __future__ import annotations

from hall_daemon.protocol_kiosk import KioskScreen as S
from hall_daemon.protocol_kiosk import KioskView

RECORDED = {
    S.IDLE: "voice.idle", S.READFAIL: "voice.readfail", S.NOCARD: "voice.nocard", S.ID: "voice.id",
    S.PHONE: "voice.phone", S.PRINTING: "voice.printing", S.CARDLEFT: "voice.cardleft", S.TIMEOUT: "voice.timeout",
    S.READER: "voice.reader", S.CLOSED: "voice.closed", S.MAINTENANCE: "voice.maintenance",
}  # fmt: skip
"""Pages for which there are clips without facts."""
_OF_NUMBER = {
    S.DONE: "voice.done", S.NOPAPER: "voice.nopaper", S.UNSURE: "voice.unsure", S.DUPLICATE: "voice.duplicate",
}  # fmt: skip
WORDS = "voice.page"
"""The sentence that is nothing but the words of the page."""


def heard(view: KioskView) -> list[tuple[str, dict[str, str]]]:
    """Sentences to try in turn: code and facts; the last one needs no recording."""
    found: list[tuple[str, dict[str, str]]] = []
    # A notice says what the last key led to; only the page's own words tell it.
    if view.screen in RECORDED and not view.notices:
        found.append((RECORDED[view.screen], {}))
    if view.screen in _OF_NUMBER and view.ticket is not None:
        found.append((_OF_NUMBER[view.screen], {"number": view.ticket.number, "zone": view.ticket.zone_code}))
    said = view.voice.en if view.language == "en" and view.voice.en else view.voice.zh
    return [*found, (WORDS, {"said": said})] if said else found
