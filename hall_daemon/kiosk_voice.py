"""What a ticket machine says aloud: a recorded sentence where there is one for the page, then the page's own words.

Pure: from the view alone, so that nothing can be said that is not on the screen. No view holds anything personal that
would be said: names, ID numbers and phones stand in fields and facts, and those are never read out.
"""

from __future__ import annotations

from collections.abc import Sequence

from hall_daemon.protocol import Text
from hall_daemon.protocol_kiosk import KioskScreen as S
from hall_daemon.protocol_kiosk import KioskView
from hall_daemon.texts import text

RECORDED = {
    S.IDLE: "voice.idle", S.READFAIL: "voice.readfail", S.NOCARD: "voice.nocard", S.ID: "voice.id",
    S.PHONE: "voice.phone", S.PRINTING: "voice.printing", S.CARDLEFT: "voice.cardleft", S.TIMEOUT: "voice.timeout",
    S.READER: "voice.reader", S.CLOSED: "voice.closed", S.MAINTENANCE: "voice.maintenance",
}  # fmt: skip
"""Pages for which there are clips without facts."""
_OF_NUMBER = {
    S.DONE: "voice.done", S.NOPAPER: "voice.nopaper", S.UNSURE: "voice.unsure", S.DUPLICATE: "voice.duplicate",
}  # fmt: skip
_OF_ONE_TROUBLE = {S.READFAIL: "kiosk.readfail.card_unreadable", S.NOPAPER: "kiosk.nopaper.paper_out"}
"""Pages whose clip tells of one trouble only, by the title of that one."""
_FOR_TITLE = frozenset({S.NOCARD, S.CLOSED, S.DUPLICATE, S.PRINTING, S.MAINTENANCE})
"""Pages whose clip stands for the title alone: the line below it is still to be said."""
_BESIDE = frozenset({S.UNSURE})
"""Pages whose clip only goes before all the words."""
WORDS = "voice.page"
"""The sentence that is nothing but the words of the page."""

Sentences = list[tuple[str, dict[str, str]]]
"""Code and facts of each sentence, in turn."""


def heard(view: KioskView) -> list[Sentences]:
    """What is said, in ways to try in turn: from clips as far as there are any, then from words alone."""
    if not view.said:
        return []
    found: list[Sentences] = []
    clip = _clip(view) if view.said_about else None
    if clip is not None:
        replaced = 0 if view.screen in _BESIDE else 1 if view.screen in _FOR_TITLE else view.said_about
        found.append([clip, *_words(view.said[replaced:], view.language)])
    return [*found, _words(view.said, view.language)]


def _clip(view: KioskView) -> tuple[str, dict[str, str]] | None:
    if view.screen in _OF_ONE_TROUBLE and view.title != text(_OF_ONE_TROUBLE[view.screen]):
        return None
    if view.screen in RECORDED:
        return RECORDED[view.screen], {}
    if view.screen in _OF_NUMBER and view.ticket is not None:
        return _OF_NUMBER[view.screen], {"number": view.ticket.number, "zone": view.ticket.zone_code}
    return None


def _words(said: Sequence[Text], language: str) -> Sentences:
    if not said:
        return []
    ended = [(one.en or one.zh).rstrip(".") + "." if language == "en" else one.zh.rstrip("。") + "。" for one in said]
    words = (" " if language == "en" else "").join(ended)
    return [(WORDS, {"said": words.replace("?.", "?").replace("？。", "？")})]
