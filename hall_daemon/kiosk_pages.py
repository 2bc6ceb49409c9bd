"""Build the view of each kiosk page from what is known. Pure: no hall, no devices, no time.

A page says what happened in plain words, what it means, and what can be done now; every choice carries its key. Pages
of choosing are in kiosk_pages_choose, pages about a number in kiosk_pages_ticket.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from drivers.base import Condition
from hall_daemon import kiosk_pages_choose as choosing
from hall_daemon import kiosk_pages_ticket as tickets
from hall_daemon import kiosk_said
from hall_daemon.kiosk_pages_choose import consult_item
from hall_daemon.kiosk_scene import NO_TEXT, Page, Scene, choice, keys
from hall_daemon.kiosk_visit import (
    ID_LENGTH,
    NOTICE_LENGTH,
    PASSPORT_LENGTH,
    PHONE_LENGTH,
    SHORTEST_PASSPORT,
    TICKET_LENGTH,
    Visit,
    grouped_id,
    masked_while_typed,
    phone_problem,
)
from hall_daemon.privacy import mask_id, mask_name, valid_id_number
from hall_daemon.protocol import Text
from hall_daemon.protocol_kiosk import KioskChoice, KioskField, KioskMode, KioskScreen, KioskView
from hall_daemon.texts import TEXTS, say, text

READ_TROUBLES = frozenset(
    {
        Condition.CARD_UNREADABLE,
        Condition.CARD_REMOVED_EARLY,
        Condition.CARD_UNKNOWN,
        Condition.CARD_INVALID,
    }
)
"""Troubles with a card for which there is a page."""
SHORTEST_NUMBER = 4
"""Characters of a ticket number or of a notice."""
_NO_KEY_NEEDED = frozenset({KioskScreen.DONE, KioskScreen.CLOSED})
"""Whoever reads these pages is through, or cannot begin."""
_WITHOUT_BAR = frozenset({KioskScreen.MAINTENANCE, KioskScreen.PRINTING, KioskScreen.READING, KioskScreen.CARDLEFT})
WORDS = {
    name: Text(zh=TEXTS[f"kiosk.word.{name}"][0], en=TEXTS[f"kiosk.word.{name}"][1])
    for name in (
        "step1", "step2", "step3", "step4", "step5", "waiting_now", "bring", "your_number", "scan_it", "go_to",
        "window", "ahead", "people", "wait", "seconds", "next", "correct", "on", "off", "materials", "number", "lost",
        "lost_line",
    )
}  # fmt: skip
"""What stands in the frame of every page; it goes with the view, so that the page has no words of its own."""


def draw(scene: Scene, screen: KioskScreen, *, revision: int, clock: str, seconds_left: int | None) -> KioskView:
    """The complete view of a page."""
    page = PAGES[screen](scene)
    needs_keys = bool(page.keys) and screen not in _NO_KEY_NEEDED
    page = replace(page, notices=(*(scene.keypad_notices if needs_keys else ()), *page.notices))
    led_to = () if scene.notice is None else (scene.notice,)
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
        notices=(*led_to, *page.notices),
        choices=page.choices,
        page=page.page,
        pages=page.pages,
        field=page.field,
        ticket=page.ticket,
        facts=page.facts,
        materials=page.materials,
        zones=page.zones,
        foot=page.foot,
        code=page.code,
        keys=page.keys,
        bar=() if screen in _WITHOUT_BAR else _bar(scene.visit),
        letters=page.letters,
        seconds_left=seconds_left,
        language=scene.visit.language,
        modes=scene.visit.modes,
        said=kiosk_said.sentences(page, scene.notice) if scene.visit.modes.voice else (),
        said_about=0 if scene.notice is not None else kiosk_said.about(page),
        words=WORDS,
    )


def _bar(visit: Visit) -> tuple[KioskChoice, ...]:
    modes = [(KioskMode.LARGE, visit.modes.large), (KioskMode.CONTRAST, visit.modes.contrast),
             (KioskMode.VOICE, visit.modes.voice), (KioskMode.LOW, visit.modes.low)]  # fmt: skip
    return (
        *(choice(mode.value, f"kiosk.mode.{mode}").model_copy(update={"on": on}) for mode, on in modes),
        choice(KioskMode.LANGUAGE.value, "kiosk.help.language"),
    )


# --- nobody there -----------------------------------------------------------------------------------------------------


def idle(scene: Scene) -> Page:
    """Nobody there."""
    return Page(
        title=text("kiosk.idle.title"),
        line=text("kiosk.idle.line"),
        notices=scene.printer_notices,
        choices=(
            choice("1", "kiosk.idle.no_card", "kiosk.idle.no_card.detail"),
            choice("2", "kiosk.idle.appointment", "kiosk.idle.appointment.detail"),
            choice("3", "kiosk.idle.guide", "kiosk.idle.guide.detail"),
            choice("4", "kiosk.idle.return", "kiosk.idle.return.detail"),
            choice("5", "kiosk.idle.number", "kiosk.idle.number.detail"),
        ),
        zones=scene.loads,
        foot=_joined_foot(scene),
        keys=keys(),
        voice=text("kiosk.voice.idle"),
    )


def _joined_foot(scene: Scene) -> Text:
    purpose = text("kiosk.idle.purpose")
    if not scene.hours.zh:
        return purpose
    return say("kiosk.idle.foot", purpose=purpose, hours=scene.hours)


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
        keys=keys(),
    )


def closed(scene: Scene) -> Page:
    """No numbers now; what can still be done here."""
    opening = () if scene.next_opening is None else (scene.next_opening,)
    return Page(
        title=text("kiosk.closed.title"),
        line=text("kiosk.closed.line"),
        notices=opening,
        choices=(choice("3", "kiosk.idle.guide", "kiosk.idle.guide.detail"),),
        keys=keys(),
    )


def maintenance(scene: Scene) -> Page:
    """This kiosk cannot work."""
    neighbour = scene.reader_neighbour or scene.paper_neighbour
    line = text("kiosk.maintenance.line") if neighbour is None else say("kiosk.maintenance.at", kiosk=neighbour)
    return Page(title=text("kiosk.maintenance.title"), line=line)


# --- who --------------------------------------------------------------------------------------------------------------


def reading(_scene: Scene) -> Page:
    """The card has been read; the hall looks up what is known of today."""
    return Page(step=1, title=text("kiosk.reading.title"), line=text("kiosk.reading.line"))


def readfail(scene: Scene) -> Page:
    """A card could not be read."""
    special = f"kiosk.readfail.line.{scene.trouble}"
    plain = scene.trouble is Condition.CARD_UNREADABLE
    return Page(
        step=1,
        title=text(f"kiosk.readfail.{scene.trouble}"),
        line=text("kiosk.readfail.line" if plain else special),
        choices=(
            choice("1", "kiosk.nocard.type", "kiosk.nocard.type.detail"),
            choice("2", "kiosk.nocard.staff"),
        ),
        keys=keys(cancel="cancel"),
    )


def without_card(scene: Scene) -> tuple[KioskChoice, ...]:
    """Ways to go on without a readable card."""
    consult = (choice("3", "kiosk.nocard.consult", "kiosk.nocard.consult.detail"),)
    return (
        choice("1", "kiosk.nocard.type", "kiosk.nocard.type.detail"),
        choice("2", "kiosk.nocard.passport", "kiosk.nocard.passport.detail"),
        *(consult if consult_item(scene.profile, scene.kiosk) else ()),
        choice("4", "kiosk.nocard.staff"),
    )


def nocard(scene: Scene) -> Page:
    """The resident has no card."""
    return Page(
        step=1,
        title=text("kiosk.nocard.title"),
        choices=without_card(scene),
        keys=keys(cancel="cancel", correct="back"),
    )


def id_number(scene: Scene) -> Page:
    """Typing an ID number."""
    return _typed_id(scene.visit.typed_id, "id", 1)


def behalf(scene: Scene) -> Page:
    """Typing the ID number of the person for whom somebody has come."""
    return _typed_id(scene.visit.behalf, "behalf", 4)


def _typed_id(typed: str, words: str, step: int) -> Page:
    missing = ID_LENGTH - len(typed)
    problem: tuple[Text, ...] = (text("kiosk.id.missing", n=missing),) if typed and missing else ()
    if not missing and not valid_id_number(typed):
        problem = (text("kiosk.id.bad", last=typed[-1]),)
    ready = {} if missing or problem else {"ok": "next"}
    return Page(
        step=step,
        title=text(f"kiosk.{words}.title"),
        line=text("kiosk.id.line"),
        notices=problem,
        field=KioskField(shown=grouped_id(typed), typed=len(typed), length=ID_LENGTH),
        keys=keys(cancel="cancel", correct="correct" if typed else "back", **ready),
        voice=_heard(text(f"kiosk.{words}.title"), text("kiosk.id.line"), ready, () if missing else problem),
        alone=True,
    )


def _heard(title: Text, line: Text, ready: Mapping[str, str], wrong: Sequence[Text] = ()) -> Text:
    """To somebody who types: what is asked for; that it is complete; that it is wrong. Not each key: it clicks."""
    if wrong:
        return wrong[0]
    return text("kiosk.voice.complete") if ready else say("kiosk.voice.asked", title=title, line=line)


def passport(scene: Scene) -> Page:
    """Typing the number of a passport: letters by the digit key that carries them, then *."""
    typed = scene.visit.passport
    ready = {"ok": "next"} if len(typed) >= SHORTEST_PASSPORT else {}
    return Page(
        step=1,
        title=text("kiosk.passport.title"),
        line=text("kiosk.letters.line"),
        choices=(choice("*", "kiosk.letters.next"),) if typed else (),
        field=KioskField(shown=typed, typed=len(typed), length=PASSPORT_LENGTH),
        keys=keys(cancel="cancel", correct="correct" if typed else "back", **ready),
        letters=True,
        voice=_heard(text("kiosk.passport.title"), text("kiosk.letters.line"), ready),
        alone=True,
    )


def phone(scene: Scene) -> Page:
    """Typing a mobile number, which may be skipped."""
    visit = scene.visit
    typed = visit.phone
    problem = phone_problem(typed)
    notices: tuple[Text, ...] = (text("kiosk.phone.large"),) if visit.large_by_itself else ()
    if typed and problem:
        notices = (text(f"kiosk.phone.{problem}", n=PHONE_LENGTH - len(typed)),)
    correct = {"correct": "correct"} if typed else {"correct": "back"} if visit.card is None else {}
    ready = {} if problem else {"ok": "next"}
    wrong = notices if typed and problem == "bad" else ()
    return Page(
        step=2,
        title=text("kiosk.phone.title"),
        line=text("kiosk.phone.line"),
        notices=notices,
        choices=(choice("*", "kiosk.phone.skip"),),
        field=KioskField(shown=masked_while_typed(typed), typed=len(typed), length=PHONE_LENGTH),
        facts=_hello(visit),
        keys=keys(cancel="cancel", **correct, **ready),
        voice=_heard(text("kiosk.voice.phone"), NO_TEXT, ready, wrong),
        alone=True,
    )


def _hello(visit: Visit) -> tuple[tuple[Text, Text], ...]:
    """Who the machine thinks is there: masked name, masked number."""
    name = visit.card.name if visit.card else ""
    number = visit.card.id_no if visit.card else visit.typed_id or visit.passport
    if not name and not number:
        return ()
    hello = text("kiosk.phone.hello", name=mask_name(name)) if name else text("kiosk.phone.hello_unnamed")
    return ((hello, Text(zh=mask_id(number))),)


def ticket_number(scene: Scene) -> Page:
    """Typing a ticket number, to see where it stands or to come back into line."""
    return _lettered(scene.visit.number, "number", TICKET_LENGTH)


def notice_number(scene: Scene) -> Page:
    """Typing the number of a one-time notice; the ID card does as well."""
    page = _lettered(scene.visit.notice, "notice_no", NOTICE_LENGTH)
    return replace(page, choices=(), letters=False)


def _lettered(typed: str, words: str, length: int) -> Page:
    ready = {"ok": "next"} if len(typed) >= SHORTEST_NUMBER else {}
    return Page(
        title=text(f"kiosk.{words}.title"),
        line=text(f"kiosk.{words}.line"),
        choices=(choice("*", "kiosk.letters.next"),) if typed else (),
        field=KioskField(shown=typed, typed=len(typed), length=length),
        keys=keys(cancel="cancel", correct="correct" if typed else "back", **ready),
        letters=True,
        voice=_heard(text(f"kiosk.{words}.title"), text(f"kiosk.{words}.line"), ready),
        alone=True,
    )


# --- around the visit -------------------------------------------------------------------------------------------------


def cardleft(_scene: Scene) -> Page:
    """The card still lies there."""
    return Page(title=text("kiosk.cardleft.title"))


def timeout(_scene: Scene) -> Page:
    """Silence: is anybody there?"""
    return Page(
        title=text("kiosk.timeout.title"),
        line=text("kiosk.timeout.line"),
        choices=(choice("ok", "kiosk.timeout.more", "kiosk.timeout.any"), choice("cancel", "kiosk.timeout.end")),
        voice=text("kiosk.voice.timeout"),
        alone=True,
    )


def helping(scene: Scene) -> Page:
    """Help and reading settings; what was under way is kept."""
    if scene.staff_called:
        return Page(
            title=text("kiosk.help.called"),
            line=text("kiosk.help.called.line"),
            choices=(choice("ok", "kiosk.help.carry_on"), choice("cancel", "kiosk.help.end")),
        )
    call = (choice("1", "kiosk.help.call"),) if scene.can_call_staff else ()
    modes = scene.visit.modes
    switches = ((2, "large", modes.large), (3, "contrast", modes.contrast), (4, "voice", modes.voice),
                (5, "low", modes.low))  # fmt: skip
    return Page(
        title=text("kiosk.help.title"),
        line=NO_TEXT if scene.can_call_staff else text("kiosk.help.desk"),
        choices=(
            *call,
            *(
                choice(str(key), f"kiosk.help.{name}", "kiosk.help.voice.detail" if name == "voice" else "").model_copy(
                    update={"on": on}
                )
                for key, name, on in switches
            ),
            choice("6", "kiosk.help.language"),
        ),
        keys=(
            choice("cancel", "kiosk.help.end"), choice("correct", "kiosk.key.back"),
            choice("ok", "kiosk.help.carry_on"),
        ),
    )  # fmt: skip


PAGES: dict[KioskScreen, Callable[[Scene], Page]] = {
    KioskScreen.IDLE: idle,
    KioskScreen.READING: reading,
    KioskScreen.READFAIL: readfail,
    KioskScreen.NOCARD: nocard,
    KioskScreen.READER: reader,
    KioskScreen.ID: id_number,
    KioskScreen.PASSPORT: passport,
    KioskScreen.BEHALF: behalf,
    KioskScreen.PHONE: phone,
    KioskScreen.SERVICE: choosing.service,
    KioskScreen.ZONES: choosing.zones,
    KioskScreen.DEPARTMENTS: choosing.departments,
    KioskScreen.LIST: choosing.items,
    KioskScreen.PINYIN: choosing.pinyin,
    KioskScreen.GUIDE: choosing.guide,
    KioskScreen.CONFIRM: choosing.confirm,
    KioskScreen.SUSPENDED: choosing.suspended,
    KioskScreen.LIMIT: choosing.limit,
    KioskScreen.APPOINTMENT: tickets.appointment,
    KioskScreen.NOTICE: notice_number,
    KioskScreen.RETURN: tickets.came_back,
    KioskScreen.NUMBER: ticket_number,
    KioskScreen.MISSED: tickets.missed,
    KioskScreen.PRINTING: tickets.printing,
    KioskScreen.DONE: tickets.done,
    KioskScreen.NOPAPER: tickets.nopaper,
    KioskScreen.UNSURE: tickets.unsure,
    KioskScreen.UNPRINTED: tickets.unprinted,
    KioskScreen.CARDLEFT: cardleft,
    KioskScreen.DUPLICATE: tickets.duplicate,
    KioskScreen.GIVEUP: tickets.giveup,
    KioskScreen.TIMEOUT: timeout,
    KioskScreen.HELP: helping,
    KioskScreen.CLOSED: closed,
    KioskScreen.MAINTENANCE: maintenance,
}
