"""Views of every kiosk page, made by the real builders from the small hall."""

from __future__ import annotations

import itertools
from dataclasses import replace
from functools import cache
from pathlib import Path

from drivers.base import CardKind, Condition, IdCard
from drivers.drawn import qr_matrix
from hall_daemon import kiosk_pages
from hall_daemon.config import load
from hall_daemon.kiosk_scene import Booking, Notice, Scene, Wait
from hall_daemon.kiosk_search import SearchIndex
from hall_daemon.kiosk_visit import TakenTicket, Visit
from hall_daemon.profile import HallProfile
from hall_daemon.protocol import Text, ZoneLoad
from hall_daemon.protocol_kiosk import KioskModes, KioskScreen, KioskView
from hall_daemon.texts import say, text
from hall_daemon.words import PrintReason, TicketState

S = KioskScreen
SMALL_HALL = Path(__file__).parents[2] / "sim" / "halls" / "small"
ZHANG = IdCard(kind=CardKind.CITIZEN, id_type="111", id_no="990000199909090053", name="张测试")
LONG_ITEM = "11990000990000260P4992026003000"
"""社会保障卡申领补换: a long name in both languages."""


@cache
def small_hall() -> HallProfile:
    """Read once: every page is made from it, and reading it takes longer than drawing a page."""
    return load(SMALL_HALL / "devices.toml", {}).profile


def scene(**changes: object) -> Scene:
    """Kiosk k1 of the small hall with people waiting."""
    profile = small_hall()
    item = profile.items[LONG_ITEM]
    basis = Scene(
        kiosk=profile.kiosks["k1"],
        profile=profile,
        visit=Visit(card=ZHANG, with_card=True),
        loads=tuple(ZoneLoad(zone=z.code, name=z.name, waiting=WAITING[z.code]) for z in profile.zones.values()),
        ticket=TakenTicket(
            ticket_id="0197f0a0-0000-7000-8000-0000000000aa",
            number="H037",
            item=item,
            windows=profile.windows_for(item.queue),
            waiting_ahead=6,
            taken="2026-03-02 10:24",
        ),
    )
    return replace(basis, **changes)  # type: ignore[arg-type]  # a test names the fields it changes


WAITING = {"A": 14, "D": 27}
_revisions = itertools.count(1)
_modes: list[KioskModes] = []
"""In which modes pages are built, where a test says."""


def view(screen: KioskScreen, seconds_left: int | None = None, **changes: object) -> KioskView:
    """A page as the daemon would send it; each has a later revision."""
    found = scene(**changes)
    if _modes:
        found = replace(found, visit=replace(found.visit, modes=_modes[-1]))
    return kiosk_pages.draw(found, screen, revision=next(_revisions), clock="10:24", seconds_left=seconds_left)


def all_views(modes: KioskModes | None = None) -> dict[str, KioskView]:
    """One or more of every page, as it is read in these modes."""
    if modes is not None:
        _modes.append(modes)
        try:
            return all_views()
        finally:
            _modes.clear()
    return {**_first_pages(), **_who(), **_what(), **_numbers(), **_around(), **_in_english()}


def _first_pages() -> dict[str, KioskView]:
    no_paper = (text("kiosk.notice.paper_out"), say("kiosk.notice.paper_at", kiosk=NEIGHBOUR))
    keypad = (say("kiosk.notice.keypad_at", kiosk=NEIGHBOUR),)
    return {
        "idle": view(S.IDLE, hours=HOURS),
        "idle-no-paper": view(S.IDLE, printer_notices=no_paper),
        "idle-keypad": view(S.IDLE, keypad_notices=keypad),
        "reader": view(S.READER, reader_neighbour=NEIGHBOUR),
        "closed": view(
            S.CLOSED, next_opening=Text(zh="下次开门：明天（周二）9:00", en="Opens again: tomorrow (Tue) 9:00")
        ),
        "maintenance": view(S.MAINTENANCE),
    }


def _who() -> dict[str, KioskView]:
    keypad = (say("kiosk.notice.keypad_at", kiosk=NEIGHBOUR),)
    old = Visit(card=ZHANG, modes=KioskModes(large=True), large_by_itself=True)
    return {
        "reading": view(S.READING),
        "readfail": view(S.READFAIL),
        "readfail-early": view(S.READFAIL, trouble=Condition.CARD_REMOVED_EARLY),
        "nocard": view(S.NOCARD),
        "id": view(S.ID, visit=Visit(typed_id="99000019990909")),
        "id-wrong": view(S.ID, visit=Visit(typed_id="990000199909090054")),
        "id-keypad": view(S.ID, visit=Visit(typed_id="990000199909090054"), keypad_notices=keypad),
        "id-full": view(S.ID, visit=Visit(typed_id="990000199909090053")),
        "passport": view(S.PASSPORT, visit=Visit(passport="E123456")),
        "behalf": view(S.BEHALF, visit=Visit(card=ZHANG, behalf="9900001952")),
        "phone": view(S.PHONE, visit=Visit(card=ZHANG, phone="1380000")),
        "phone-empty": view(S.PHONE, notice=text("kiosk.notice.one_card")),
        "phone-full": view(S.PHONE, visit=Visit(card=ZHANG, phone="13800000000")),
        "phone-large": view(S.PHONE, visit=old),
    }


def _what() -> dict[str, KioskView]:
    profile = scene().profile
    item = profile.items[LONG_ITEM]
    first = next(iter(profile.items.values()))
    shut = replace(profile, items={**profile.items, first.code: replace(first, suspended=True)})
    checked = Visit(card=ZHANG, with_card=True, zone="D", cart=(item,), ahead=6, phone="13800000000")
    second = next(i for i in profile.items.values() if i.queue == item.queue and i is not item)
    hits = tuple(SearchIndex(profile, "k1").find("79"))
    no_paper = (text("kiosk.notice.paper_out"), say("kiosk.notice.paper_at", kiosk=NEIGHBOUR))
    return {
        "service": view(S.SERVICE, waits=WAITS),
        "service-cart": view(S.SERVICE, visit=replace(checked, page=2)),
        "zones": view(S.ZONES, waits=WAITS),
        "departments": view(S.DEPARTMENTS),
        "list": view(S.LIST, profile=shut, visit=Visit(zone="A"), waits=WAITS),
        "list-last": view(S.LIST, visit=Visit(zone="D", page=2), notice=text("kiosk.cart.other_queue")),
        "list-department": view(S.LIST, visit=Visit(dept=item.dept), waits=WAITS),
        "pinyin": view(S.PINYIN),
        "pinyin-found": view(S.PINYIN, visit=Visit(card=ZHANG, searched="79"), found=hits, waits=WAITS),
        "pinyin-picking": view(S.PINYIN, visit=Visit(card=ZHANG, searched="79", picking=True), found=hits),
        "pinyin-long": view(S.PINYIN, visit=Visit(card=ZHANG, searched="79797979")),
        "pinyin-none": view(S.PINYIN, visit=Visit(card=ZHANG, searched="7777")),
        "guide": view(S.GUIDE, visit=Visit(looked=item, guide_only=True), guide_code=GUIDE_CODE),
        "guide-no-code": view(S.GUIDE, visit=Visit(looked=item, guide_only=True)),
        "confirm": view(S.CONFIRM, visit=checked, waits=SIX_AHEAD, open_windows={"H": 2}),
        "confirm-quieter": view(S.CONFIRM, visit=checked, waits=FORTY_MIN, open_windows={"H": 1}, quieter=QUIETER),
        "confirm-cart": view(S.CONFIRM, visit=replace(checked, cart=(item, second), behalf="990000195202290029")),
        "confirm-no-paper": view(S.CONFIRM, visit=checked, printer_notices=no_paper),
        "confirm-help-desk": view(S.CONFIRM, visit=Visit(consult=True, cart=(profile.items["queue:N"],))),
        "suspended": view(S.SUSPENDED, visit=Visit(card=ZHANG, looked=item)),
        "suspended-today": view(S.SUSPENDED, visit=Visit(card=ZHANG, looked=replace(item, suspended_why="系统升级"))),
        "limit": view(S.LIMIT),
    }


def _numbers() -> dict[str, KioskView]:
    basis = scene()
    assert basis.ticket is not None
    missed = replace(basis.ticket, state=TicketState.NO_SHOW)
    told = replace(basis.ticket, expected=text("kiosk.wait.range", low=15, high=25))
    booking = Booking(appointment_id="a1", item=basis.ticket.item, start="10:30", end="11:00")
    late = replace(booking, appointment_id="a2", start="15:00", end="15:30", may="early", opens="14:30")
    notice = Notice(number="0007", item=basis.ticket.item, window="2", missing=("户口簿", "证件照"))
    return {
        "appointment-empty": view(S.APPOINTMENT, visit=Visit()),
        "appointment": view(S.APPOINTMENT, bookings=(booking, late)),
        "notice": view(S.NOTICE, visit=Visit(notice="0007")),
        "return": view(S.RETURN, came_back=notice),
        "number": view(S.NUMBER, visit=Visit(number="H03")),
        "number-found": view(S.DUPLICATE, visit=Visit(), by_number=True),
        "missed": view(S.MISSED, ticket=missed),
        "missed-back": view(S.MISSED),
        "printing-early": view(S.PRINTING, ticket=None),
        "printing": view(S.PRINTING),
        "printing-again": view(S.PRINTING, reprint=True, print_waits_for=Condition.COVER_OPEN),
        "done": view(S.DONE, 10, ticket=told),
        "nopaper": view(S.NOPAPER, paper_neighbour=NEIGHBOUR, print_reason=PrintReason.PAPER_OUT),
        "nopaper-jam": view(S.NOPAPER, paper_neighbour=NEIGHBOUR, print_reason=PrintReason.JAM),
        "nopaper-code": view(
            S.NOPAPER, ticket=replace(basis.ticket, code=CODE), paper_neighbour=NEIGHBOUR, printer_serves=True
        ),
        "unsure": view(S.UNSURE),
        "unprinted": view(S.UNPRINTED, 60),
        "duplicate": view(S.DUPLICATE),
        "giveup": view(S.GIVEUP),
    }


def _around() -> dict[str, KioskView]:
    return {
        "cardleft": view(S.CARDLEFT),
        "timeout": view(S.TIMEOUT, 20),
        "help": view(S.HELP),
        "help-can-call": view(S.HELP, can_call_staff=True),
        "help-called": view(S.HELP, can_call_staff=True, staff_called=True),
    }


def _in_english() -> dict[str, KioskView]:
    item = scene().profile.items[LONG_ITEM]
    checked = Visit(card=ZHANG, cart=(item,), ahead=6, phone="13800000000", language="en")
    return {
        "idle-en": view(S.IDLE, visit=Visit(language="en")),
        "phone-en": view(S.PHONE, visit=Visit(card=ZHANG, phone="1380000", language="en")),
        "service-en": view(S.SERVICE, visit=Visit(card=ZHANG, language="en"), waits=WAITS),
        "list-en": view(S.LIST, visit=Visit(zone="A", language="en")),
        "pinyin-en": view(S.PINYIN, visit=Visit(card=ZHANG, language="en")),
        "guide-en": view(S.GUIDE, visit=Visit(looked=item, guide_only=True, language="en")),
        "confirm-en": view(S.CONFIRM, visit=checked, waits=SIX_AHEAD),
        "done-en": view(S.DONE, 10, visit=Visit(language="en", with_card=True)),
        "nopaper-en": view(S.NOPAPER, visit=Visit(language="en"), paper_neighbour=NEIGHBOUR),
    }


WAITS = {
    "A": Wait(low_min=15, high_min=25, about_min=20), "H": Wait(low_min=0, high_min=0, about_min=0),
    "N": Wait(low_min=5, high_min=10, about_min=5),
}  # fmt: skip
GUIDE_CODE = tuple(
    "".join(".#"[dark] for dark in row) for row in qr_matrix(f"https://hall.example/t/guide/{LONG_ITEM}")
)
CODE = tuple("".join(".#"[dark] for dark in row) for row in qr_matrix("https://hall.example/t/k3Jx0aQ9mZt7LwPq"))
SIX_AHEAD = WAITS | {"H": Wait(low_min=15, high_min=25, about_min=20)}
FORTY_MIN = WAITS | {"H": Wait(low_min=35, high_min=55, about_min=45)}
QUIETER = say("kiosk.confirm.quieter.today", start="15:00", end="16:00", wait=text("kiosk.wait.about", n=10))
HOURS = text("kiosk.idle.hours", spans="08:30–12:00, 13:30–17:00")
NEIGHBOUR = Text(zh="2号取号机", en="Kiosk 2")
