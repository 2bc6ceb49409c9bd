"""Views of every kiosk page, made by the real builders from the small hall."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

from drivers.base import CardKind, Condition, IdCard
from hall_daemon import kiosk_pages
from hall_daemon.config import load
from hall_daemon.kiosk_pages import Scene
from hall_daemon.kiosk_visit import TakenTicket, Visit
from hall_daemon.protocol import KioskScreen, KioskView, Text, ZoneLoad
from hall_daemon.texts import text
from hall_daemon.words import PrintReason

SMALL_HALL = Path(__file__).parents[2] / "sim" / "halls" / "small"
ZHANG = IdCard(kind=CardKind.CITIZEN, id_type="111", id_no="990000199909090053", name="张测试")
LONG_ITEM = "11990000990000260P4992026003000"
"""社会保障卡申领补换: a long name in both languages."""


def scene(**changes: object) -> Scene:
    """Kiosk k1 of the small hall with people waiting."""
    profile = load(SMALL_HALL / "devices.toml", {}).profile
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


def view(screen: KioskScreen, seconds_left: int | None = None, **changes: object) -> KioskView:
    """A page as the daemon would send it; each has a later revision."""
    return kiosk_pages.draw(
        scene(**changes), screen, revision=next(_revisions), clock="10:24", seconds_left=seconds_left
    )


def all_views() -> dict[str, KioskView]:
    """One or more of every page."""
    s = KioskScreen
    profile = scene().profile
    item = profile.items[LONG_ITEM]
    checked = Visit(card=ZHANG, zone="D", item=item, ahead=6, phone="13800000000")
    first = next(iter(profile.items.values()))
    shut = replace(
        profile,
        items={**profile.items, first.code: replace(first, suspended=True)},
    )
    no_paper = (text("kiosk.notice.paper_out"), kiosk_pages.say("kiosk.notice.paper_at", kiosk=NEIGHBOUR))
    keypad = (kiosk_pages.say("kiosk.notice.keypad_at", kiosk=NEIGHBOUR),)
    return {
        "idle": view(s.IDLE),
        "idle-no-paper": view(s.IDLE, printer_notices=no_paper),
        "idle-keypad": view(s.IDLE, keypad_notices=keypad),
        "readfail": view(s.READFAIL),
        "readfail-early": view(s.READFAIL, trouble=Condition.CARD_REMOVED_EARLY),
        "nocard": view(s.NOCARD),
        "reader": view(s.READER, reader_neighbour=NEIGHBOUR),
        "id": view(s.ID, visit=Visit(typed_id="99000019990909")),
        "id-wrong": view(s.ID, visit=Visit(typed_id="990000199909090054")),
        "id-keypad": view(s.ID, visit=Visit(typed_id="990000199909090054"), keypad_notices=keypad),
        "id-full": view(s.ID, visit=Visit(typed_id="990000199909090053")),
        "phone": view(s.PHONE, visit=Visit(card=ZHANG, phone="1380000")),
        "phone-empty": view(s.PHONE, notice=text("kiosk.notice.one_card")),
        "phone-full": view(s.PHONE, visit=Visit(card=ZHANG, phone="13800000000")),
        "zones": view(s.ZONES),
        "list": view(s.LIST, profile=shut, visit=Visit(zone="A")),
        "list-last": view(s.LIST, visit=Visit(zone="D", page=2), notice=text("hall.item_suspended")),
        "list-keypad": view(s.LIST, visit=Visit(zone="A"), keypad_notices=keypad),
        "confirm": view(s.CONFIRM, visit=checked),
        "confirm-no-paper": view(s.CONFIRM, visit=checked, printer_notices=no_paper),
        "confirm-help-desk": view(s.CONFIRM, visit=Visit(consult=True, item=profile.items["queue:N"])),
        "printing-early": view(s.PRINTING, ticket=None),
        "printing": view(s.PRINTING),
        "printing-again": view(s.PRINTING, reprint=True, print_waits_for=Condition.COVER_OPEN),
        "done": view(s.DONE, 10),
        "nopaper": view(s.NOPAPER, paper_neighbour=NEIGHBOUR, print_reason=PrintReason.PAPER_OUT),
        "unsure": view(s.UNSURE),
        "unprinted": view(s.UNPRINTED, 60),
        "cardleft": view(s.CARDLEFT),
        "duplicate": view(s.DUPLICATE),
        "timeout": view(s.TIMEOUT, 20),
        "help": view(s.HELP),
        "help-can-call": view(s.HELP, can_call_staff=True),
        "help-called": view(s.HELP, can_call_staff=True, staff_called=True),
        "closed": view(s.CLOSED),
        "maintenance": view(s.MAINTENANCE),
        "idle-en": view(s.IDLE, visit=Visit(language="en")),
        "phone-en": view(s.PHONE, visit=Visit(card=ZHANG, phone="1380000", language="en")),
        "list-en": view(s.LIST, visit=Visit(zone="A", language="en")),
        "confirm-en": view(s.CONFIRM, visit=replace(checked, language="en")),
        "done-en": view(s.DONE, 10, visit=Visit(language="en", with_card=True)),
        "nopaper-en": view(s.NOPAPER, visit=Visit(language="en"), paper_neighbour=NEIGHBOUR),
    }


NEIGHBOUR = Text(zh="2号取号机", en="Kiosk 2")
