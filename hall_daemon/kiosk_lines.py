"""A ticket machine without a screen: two lines of sixteen characters on its keypad, from the same view.

The display shows printable ASCII only (keypad_serial.py), so the lines are English with digits; what is typed of a
person is a row of stars, for the line's trace sees all that is sent. It asks for the phone and the item
number, and shows the ticket.
"""

from __future__ import annotations

from hall_daemon.protocol_kiosk import KioskField, KioskView
from hall_daemon.protocol_kiosk import KioskScreen as S

COLUMNS = 16
_STANDING = {
    S.IDLE: ("Place ID card", "No card: press 1"),
    S.READING: ("Reading card", "Please wait"),
    S.READFAIL: ("Card not read", "Place it again"),
    S.NOCARD: ("1 ID  2 Passport", "3 Help desk"),
    S.READER: ("1 ID  2 Passport", "Reader is off"),
    S.GUIDE: ("Guide", "1 print 2 ticket"),
    S.RETURN: ("Notice found", "OK: take ticket"),
    S.SUSPENDED: ("Suspended", "1: another item"),
    S.LIMIT: ("No ticket now", "1: another item"),
    S.CARDLEFT: ("Take your ID card", ""),
    S.TIMEOUT: ("More time?", "Press any key"),
    S.CLOSED: ("Hall is closed", ""),
    S.MAINTENANCE: ("Out of service", "Use other kiosk"),
}
_TYPED = {S.ID: "ID number", S.PASSPORT: "Passport", S.BEHALF: "ID of other", S.PHONE: "Phone   * skips"}


def lines(view: KioskView) -> tuple[str, str]:
    """Upper and lower line."""
    upper, lower = _lines(view)
    return upper[:COLUMNS], lower[:COLUMNS]


def _lines(view: KioskView) -> tuple[str, str]:
    screen, ticket = view.screen, view.ticket
    if view.field is not None:
        return _typed(view, view.field)
    if screen is S.CONFIRM:
        return _ascii(view.facts[0][0].en) or "Check", f"{_digits(view.facts[1][1].zh)} ahead  OK=take"
    if screen is S.HELP:
        return _help(view)
    if ticket is not None:
        return f"Ticket {ticket.number}", _about_ticket(view, ticket.windows)
    return _booked(view) if screen is S.APPOINTMENT else _STANDING.get(screen, (_ascii(view.title.en), ""))


def _typed(view: KioskView, field: KioskField) -> tuple[str, str]:
    if view.screen in _TYPED:
        wrong = field.typed == field.length and not _has(view, "ok")
        return "Wrong number" if wrong else _TYPED[view.screen], _stars(field.typed, field.length)
    if view.screen is S.PINYIN:
        return "Item number", _searched(view)
    return ("Ticket number" if view.screen is S.NUMBER else "Notice number"), field.shown


def _help(view: KioskView) -> tuple[str, str]:
    offered = {entry.key for entry in view.choices}
    if "ok" in offered:
        return "Staff are called", "OK: go on"
    return ("1: call staff" if "1" in offered else "Help: ask staff"), "OK: go on"


def _booked(view: KioskView) -> tuple[str, str]:
    if not view.facts:
        return "Appointment", "Place ID card"
    return _ascii(view.facts[0][1].en), "OK: check in" if _has(view, "ok") else "2: other ticket"


def _stars(typed: int, length: int) -> str:
    """Stars for what has been typed, dots for what is to come, as many as fit."""
    return (
        ("*" * typed + "." * (length - typed))[-COLUMNS:] if length > COLUMNS else "*" * typed + "." * (length - typed)
    )


def _searched(view: KioskView) -> str:
    typed = "".join(c for c in view.field.shown.split(" ") for c in c[:1]) if view.field else ""
    found = view.line.en.split(" ")[0] if typed else ""
    # Names have no room here: only a number that is of one item alone leads on.
    told = {"": "", "0": "none", "1": "OK"}.get(found, f"{found}...")
    return f"{typed:<9}{told}"


def _has(view: KioskView, key: str) -> bool:
    """Whether a navigation key means something."""
    return any(entry.key == key for entry in view.keys)


def _about_ticket(view: KioskView, windows: str) -> str:
    short = {
        S.NOPAPER: "No paper: note it", S.MISSED: "1: rejoin queue", S.DUPLICATE: "1 print 2 other",
        S.UNSURE: "Out? 1 Yes  2 No", S.GIVEUP: "1 keep 2 give up", S.UNPRINTED: "OK: print it",
    }  # fmt: skip
    back_in_line = view.screen is S.MISSED and _has(view, "ok")
    found_by_number = view.screen is S.DUPLICATE and not view.choices
    if view.ticket is not None and (back_in_line or found_by_number):
        return f"{view.ticket.waiting_ahead} ahead"
    if view.screen in short:
        return short[view.screen]
    return f"Window {_ascii(windows)}"


def _ascii(words: str) -> str:
    return "".join(c for c in words.replace("–", "-") if " " <= c <= "~")


def _digits(words: str) -> str:
    return "".join(c for c in words if c.isdigit())
