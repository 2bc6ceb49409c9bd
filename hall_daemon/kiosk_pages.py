"""Build the view of each kiosk page from what is known. Pure: no hall, no devices, no time.

A page says what happened in plain words, what it means, and what can be done now; every choice carries its key.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from drivers.base import Condition
from hall_daemon.kiosk_visit import (
    ID_LENGTH,
    ITEMS_PER_PAGE,
    PHONE_LENGTH,
    TakenTicket,
    Visit,
    grouped_id,
    grouped_phone,
    phone_problem,
)
from hall_daemon.privacy import mask_id, mask_name, mask_phone, valid_id_number
from hall_daemon.profile import HallProfile, Item, Kiosk
from hall_daemon.protocol import KioskChoice, KioskField, KioskScreen, KioskTicket, KioskView, Text, ZoneLoad
from hall_daemon.slips import window_range
from hall_daemon.texts import say, text
from hall_daemon.words import CounterKind, PrintReason, TicketState

NO_TEXT = Text(zh="")
READ_TROUBLES = frozenset(
    {
        Condition.CARD_UNREADABLE,
        Condition.CARD_REMOVED_EARLY,
        Condition.CARD_UNKNOWN,
        Condition.CARD_INVALID,
    }
)
"""Troubles with a card for which there is a page."""
_NO_KEY_NEEDED = frozenset({KioskScreen.DONE, KioskScreen.CLOSED})
"""Whoever reads these pages is through, or cannot begin."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """All that a page may depend on."""

    kiosk: Kiosk
    profile: HallProfile
    visit: Visit = field(default_factory=Visit)
    ticket: TakenTicket | None = None
    loads: tuple[ZoneLoad, ...] = ()
    trouble: Condition = Condition.CARD_UNREADABLE
    print_reason: PrintReason = PrintReason.PAPER_OUT
    printer_serves: bool = True
    paper_neighbour: Text | None = None
    """Another kiosk that can print now."""
    reader_neighbour: Text | None = None
    """Another kiosk that can read cards now."""
    staff_called: bool = False
    can_call_staff: bool = False
    notice: Text | None = None
    """What the last key or card led to."""
    printer_notices: tuple[Text, ...] = ()
    keypad_notices: tuple[Text, ...] = ()
    reprint: bool = False
    """The slip that is being printed was to come out before."""
    print_waits_for: Condition | None = None
    """What has to pass before the slip can be printed."""
    ticket_state: TicketState = TicketState.WAITING


@dataclass(frozen=True, kw_only=True)
class Page:
    """What differs from page to page."""

    step: int = 0
    title: Text
    line: Text = NO_TEXT
    notices: tuple[Text, ...] = ()
    choices: tuple[KioskChoice, ...] = ()
    page: int = 1
    pages: int = 1
    field: KioskField | None = None
    ticket: KioskTicket | None = None
    facts: tuple[tuple[Text, Text], ...] = ()
    materials: tuple[Text, ...] = ()
    zones: tuple[ZoneLoad, ...] = ()
    keys: tuple[KioskChoice, ...] = ()


def draw(scene: Scene, screen: KioskScreen, *, revision: int, clock: str, seconds_left: int | None) -> KioskView:
    """The complete view of a page."""
    page = PAGES[screen](scene)
    needs_keys = bool(page.keys) and screen not in _NO_KEY_NEEDED
    notices = (*(scene.keypad_notices if needs_keys else ()), *page.notices)
    if scene.notice is not None:
        notices = (scene.notice, *notices)
    return KioskView(
        kiosk=scene.kiosk.code,
        revision=revision,
        screen=screen,
        hall=scene.profile.hall,
        kiosk_name=scene.kiosk.name,
        clock=clock,
        step=page.step,
        title=page.title,
        line=page.line,
        notices=notices,
        choices=page.choices,
        page=page.page,
        pages=page.pages,
        field=page.field,
        ticket=page.ticket,
        facts=page.facts,
        materials=page.materials,
        zones=page.zones,
        keys=page.keys,
        seconds_left=seconds_left,
        language=scene.visit.language,
    )


def _choice(key: str, code: str, detail: str = "") -> KioskChoice:
    return KioskChoice(key=key, label=text(code), detail=text(detail) if detail else NO_TEXT)


def _keys(**codes: str) -> tuple[KioskChoice, ...]:
    """Navigation keys in the order in which they are drawn; help is always there."""
    return tuple(_choice(key, f"kiosk.key.{code}") for key, code in {**codes, "help": "help"}.items())


def idle(scene: Scene) -> Page:
    """Nobody there."""
    return Page(
        title=text("kiosk.idle.title"),
        line=text("kiosk.idle.line"),
        notices=(*scene.printer_notices, text("kiosk.idle.purpose")),
        choices=(_choice("1", "kiosk.idle.no_card", "kiosk.idle.no_card.detail"),),
        zones=scene.loads,
        keys=_keys(),
    )


def readfail(scene: Scene) -> Page:
    """A card could not be read."""
    special = f"kiosk.readfail.line.{scene.trouble}"
    plain = scene.trouble is Condition.CARD_UNREADABLE
    return Page(
        step=1,
        title=text(f"kiosk.readfail.{scene.trouble}"),
        line=text("kiosk.readfail.line" if plain else special),
        choices=(
            _choice("1", "kiosk.nocard.type", "kiosk.nocard.type.detail"),
            _choice("2", "kiosk.nocard.staff"),
        ),
        keys=_keys(cancel="cancel"),
    )


def without_card(scene: Scene) -> tuple[KioskChoice, ...]:
    """Ways to go on without a readable card."""
    consult = (_choice("2", "kiosk.nocard.consult", "kiosk.nocard.consult.detail"),)
    return (
        _choice("1", "kiosk.nocard.type", "kiosk.nocard.type.detail"),
        *(consult if consult_item(scene.profile, scene.kiosk) else ()),
        _choice("3", "kiosk.nocard.staff"),
    )


def nocard(scene: Scene) -> Page:
    """The resident has no card."""
    return Page(
        step=1,
        title=text("kiosk.nocard.title"),
        choices=without_card(scene),
        keys=_keys(cancel="cancel", correct="back"),
    )


def reader(scene: Scene) -> Page:
    """First page while no card reader works."""
    neighbour = scene.reader_neighbour
    hint = () if neighbour is None else (say("kiosk.reader.neighbour", kiosk=neighbour),)
    return Page(
        title=text("kiosk.reader.title"),
        line=text("kiosk.reader.line"),
        notices=(*hint, *scene.printer_notices),
        choices=without_card(scene),
        zones=scene.loads,
        keys=_keys(),
    )


def id_number(scene: Scene) -> Page:
    """Typing an ID number."""
    typed = scene.visit.typed_id
    missing = ID_LENGTH - len(typed)
    problem: tuple[Text, ...] = (text("kiosk.id.missing", n=missing),) if typed and missing else ()
    if not missing and not valid_id_number(typed):
        problem = (text("kiosk.id.bad", last=typed[-1]),)
    ready = {} if missing or problem else {"ok": "next"}
    return Page(
        step=1,
        title=text("kiosk.id.title"),
        line=text("kiosk.id.line"),
        notices=problem,
        field=KioskField(shown=grouped_id(typed), typed=len(typed), length=ID_LENGTH),
        keys=_keys(cancel="cancel", correct="correct" if typed else "back", **ready),
    )


def phone(scene: Scene) -> Page:
    """Typing a mobile number, which may be skipped."""
    typed = scene.visit.phone
    problem = phone_problem(typed)
    notices: tuple[Text, ...] = ()
    if typed and problem:
        notices = (text(f"kiosk.phone.{problem}", n=PHONE_LENGTH - len(typed)),)
    correct = {"correct": "correct"} if typed else {"correct": "back"} if scene.visit.card is None else {}
    ready = {} if problem else {"ok": "next"}
    return Page(
        step=2,
        title=text("kiosk.phone.title"),
        line=text("kiosk.phone.line"),
        notices=notices,
        choices=(_choice("*", "kiosk.phone.skip"),),
        field=KioskField(shown=grouped_phone(typed), typed=len(typed), length=PHONE_LENGTH),
        facts=_hello(scene.visit),
        keys=_keys(cancel="cancel", **correct, **ready),
    )


def _hello(visit: Visit) -> tuple[tuple[Text, Text], ...]:
    """Who the machine thinks is there: masked name, masked number."""
    name = visit.card.name if visit.card else ""
    number = visit.card.id_no if visit.card else visit.typed_id
    if not name and not number:
        return ()
    hello = text("kiosk.phone.hello", name=mask_name(name)) if name else text("kiosk.phone.hello_unnamed")
    return ((hello, Text(zh=mask_id(number))),)


def zones(scene: Scene) -> Page:
    """In which part of the hall?"""
    waiting = {load.zone: load.waiting for load in scene.loads}
    return Page(
        step=3,
        title=text("kiosk.zones.title"),
        choices=tuple(
            KioskChoice(
                key=str(place),
                label=zone.name,
                detail=text("kiosk.confirm.people", n=waiting[zone.code]) if zone.code in waiting else NO_TEXT,
                zone=zone.code,
            )
            for place, zone in enumerate(scene.profile.zones_at(scene.kiosk.code)[:9], start=1)
        ),
        keys=_keys(cancel="cancel", correct="back"),
    )


def offered(scene: Scene) -> list[Item]:
    """Items on the list: those of the chosen zone, or all."""
    items = scene.profile.items_at(scene.kiosk.code)
    return [item for item in items if not scene.visit.zone or item.zone == scene.visit.zone]


def shown(scene: Scene) -> Sequence[Item]:
    """Items on the page that is open."""
    first = (scene.visit.page - 1) * ITEMS_PER_PAGE
    return offered(scene)[first : first + ITEMS_PER_PAGE]


def pages(scene: Scene) -> int:
    """How many pages the list has."""
    return max(1, -(-len(offered(scene)) // ITEMS_PER_PAGE))


def items(scene: Scene) -> Page:
    """What for?"""
    zone = scene.profile.zones.get(scene.visit.zone)
    turn = {"*": "previous", "#": "more"} if pages(scene) > 1 else {}
    chosen = zone.name if zone else NO_TEXT
    return Page(
        step=3,
        title=text("kiosk.list.title"),
        line=chosen if offered(scene) else text("kiosk.list.empty"),
        choices=tuple(_item_choice(scene, place, item) for place, item in enumerate(shown(scene), start=1)),
        page=scene.visit.page,
        pages=pages(scene),
        keys=_keys(cancel="cancel", correct="back", **turn),
    )


def _item_choice(scene: Scene, place: int, item: Item) -> KioskChoice:
    detail = text("kiosk.list.suspended") if item.suspended else NO_TEXT
    if not item.suspended and item.dept:
        detail = scene.profile.dept_name(item.dept)
    return KioskChoice(key=str(place), label=item.name, detail=detail, zone=item.zone, suspended=item.suspended)


def confirm(scene: Scene) -> Page:
    """Check before a number is taken. The first fact is the item with its place."""
    item = scene.visit.item
    if item is None:
        return items(scene)
    facts = [
        (item.name, place_of(scene.profile, item)),
        (text("kiosk.confirm.ahead"), text("kiosk.confirm.people", n=scene.visit.ahead)),
        (text("kiosk.confirm.windows"), Text(zh=window_range(scene.profile.windows_for(item.queue)))),
    ]
    if item.codes:
        days = item.promise_days
        promise = text("kiosk.confirm.promise_days", n=days) if days else text("kiosk.confirm.promise_now")
        facts.append((text("kiosk.confirm.promise"), promise))
    if scene.visit.phone:
        facts.append((text("kiosk.confirm.phone"), Text(zh=mask_phone(scene.visit.phone))))
    return Page(
        step=4,
        title=text("kiosk.confirm.title"),
        notices=scene.printer_notices,
        facts=tuple(facts),
        materials=tuple(_material(material.name, material.need) for material in item.materials),
        zones=tuple(load for load in scene.loads if load.zone == item.zone),
        keys=_keys(cancel="cancel", correct="back", ok="take"),
    )


def _material(name: str, need: str) -> Text:
    if need == "required":
        return Text(zh=name)
    return text("kiosk.confirm.material_conditional", name=name)


def place_of(profile: HallProfile, item: Item) -> Text:
    """Name of the zone where an item is dealt with."""
    zone = profile.zones.get(item.zone)
    return zone.name if zone else Text(zh=item.zone)


def taken(scene: Scene) -> KioskTicket | None:
    """The number as pages show it."""
    if scene.ticket is None:
        return None
    return KioskTicket(
        number=scene.ticket.number,
        item=scene.ticket.item.name,
        zone=place_of(scene.profile, scene.ticket.item),
        windows=window_range(scene.ticket.windows),
        waiting_ahead=scene.ticket.waiting_ahead,
    )


def printing(scene: Scene) -> Page:
    """From Confirm on; the number appears as soon as it is committed, and it cannot be cancelled."""
    title = "title" if scene.ticket is None else "title_again" if scene.reprint else "title_paper"
    trouble = scene.print_waits_for
    line = NO_TEXT if trouble is None else text(f"kiosk.printing.{trouble}")
    return Page(step=5, title=text(f"kiosk.printing.{title}"), line=line, ticket=taken(scene))


def done(scene: Scene) -> Page:
    """The printer has confirmed the slip."""
    return Page(
        step=5,
        title=text("kiosk.done.title"),
        line=text("kiosk.done.line"),
        notices=(text("kiosk.done.card"),) if scene.visit.with_card else (),
        ticket=taken(scene),
        keys=_keys(ok="home"),
    )


def nopaper(scene: Scene) -> Page:
    """The number stands, the slip does not."""
    neighbour = scene.paper_neighbour
    hint = () if neighbour is None else (say("kiosk.nopaper.neighbour", kiosk=neighbour),)
    again = (_choice("2", "kiosk.nopaper.again"),) if scene.printer_serves else ()
    return Page(
        step=5,
        title=text(f"kiosk.nopaper.{scene.print_reason}"),
        line=text("kiosk.nopaper.line"),
        notices=hint,
        choices=(_choice("1", "kiosk.nopaper.noted"), *again),
        ticket=taken(scene),
        keys=_keys(),
    )


def unsure(scene: Scene) -> Page:
    """Only the resident can know whether paper came out."""
    return Page(
        step=5,
        title=text("kiosk.unsure.title"),
        line=text("kiosk.unsure.line"),
        choices=(_choice("1", "kiosk.unsure.yes"), _choice("2", "kiosk.unsure.no")),
        ticket=taken(scene),
        keys=_keys(),
    )


def unprinted(scene: Scene) -> Page:
    """After a restart: a number of this kiosk whose slip is not known to exist."""
    number = scene.ticket.number if scene.ticket else ""
    return Page(
        title=text("kiosk.unprinted.title", number=number),
        line=text("kiosk.unprinted.line"),
        ticket=taken(scene),
        keys=_keys(cancel="not_now", ok="print"),
    )


def cardleft(_scene: Scene) -> Page:
    """The card still lies there."""
    return Page(title=text("kiosk.cardleft.title"))


_STANDING = {TicketState.WAITING: "waiting", TicketState.NO_SHOW: "no_show", TicketState.PARKED: "parked"}


def duplicate(scene: Scene) -> Page:
    """This person already waits in this queue."""
    number, ahead = (scene.ticket.number, scene.ticket.waiting_ahead) if scene.ticket else ("", 0)
    return Page(
        step=4,
        title=text("kiosk.duplicate.title"),
        line=text(f"kiosk.duplicate.{_STANDING.get(scene.ticket_state, 'called')}", number=number, ahead=ahead),
        choices=(_choice("1", "kiosk.duplicate.print"), _choice("2", "kiosk.duplicate.other")),
        ticket=taken(scene),
        keys=_keys(cancel="cancel"),
    )


def timeout(_scene: Scene) -> Page:
    """Silence: is anybody there?"""
    return Page(
        title=text("kiosk.timeout.title"),
        line=text("kiosk.timeout.line"),
        choices=(_choice("ok", "kiosk.timeout.more", "kiosk.timeout.any"), _choice("cancel", "kiosk.timeout.end")),
    )


def helping(scene: Scene) -> Page:
    """Help; what was under way is kept."""
    if scene.staff_called:
        return Page(
            title=text("kiosk.help.called"),
            line=text("kiosk.help.called.line"),
            choices=(_choice("ok", "kiosk.help.carry_on"), _choice("cancel", "kiosk.help.end")),
        )
    call = (_choice("1", "kiosk.help.call"),) if scene.can_call_staff else ()
    return Page(
        title=text("kiosk.help.title"),
        line=NO_TEXT if scene.can_call_staff else text("kiosk.help.desk"),
        choices=(*call, _choice("6", "kiosk.help.language"), _choice("ok", "kiosk.help.carry_on")),
        keys=(_choice("cancel", "kiosk.help.end"), _choice("correct", "kiosk.key.back")),
    )


def closed(_scene: Scene) -> Page:
    """No numbers now."""
    return Page(title=text("kiosk.closed.title"), line=text("kiosk.closed.line"), keys=_keys())


def maintenance(scene: Scene) -> Page:
    """This kiosk cannot work."""
    neighbour = scene.reader_neighbour or scene.paper_neighbour
    line = text("kiosk.maintenance.line") if neighbour is None else say("kiosk.maintenance.at", kiosk=neighbour)
    return Page(title=text("kiosk.maintenance.title"), line=line)


def consult_item(profile: HallProfile, kiosk: Kiosk) -> Item | None:
    """What somebody without any document may take a number for: a queue that only answers questions."""
    for item in profile.items_at(kiosk.code):
        windows = [profile.windows[code] for code in profile.windows_for(item.queue)]
        if not item.codes and any(window.counter_kind is CounterKind.CONSULT for window in windows):
            return item
    return None


PAGES: dict[KioskScreen, Callable[[Scene], Page]] = {
    KioskScreen.IDLE: idle,
    KioskScreen.READFAIL: readfail,
    KioskScreen.NOCARD: nocard,
    KioskScreen.READER: reader,
    KioskScreen.ID: id_number,
    KioskScreen.PHONE: phone,
    KioskScreen.ZONES: zones,
    KioskScreen.LIST: items,
    KioskScreen.CONFIRM: confirm,
    KioskScreen.PRINTING: printing,
    KioskScreen.DONE: done,
    KioskScreen.NOPAPER: nopaper,
    KioskScreen.UNSURE: unsure,
    KioskScreen.UNPRINTED: unprinted,
    KioskScreen.CARDLEFT: cardleft,
    KioskScreen.DUPLICATE: duplicate,
    KioskScreen.TIMEOUT: timeout,
    KioskScreen.HELP: helping,
    KioskScreen.CLOSED: closed,
    KioskScreen.MAINTENANCE: maintenance,
}
