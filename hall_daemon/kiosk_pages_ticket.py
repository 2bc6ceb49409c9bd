"""Pages about a number: being printed, on paper or not, taken before, missed, booked, brought back."""

from __future__ import annotations

from hall_daemon.kiosk_pages_choose import place_of
from hall_daemon.kiosk_scene import NO_TEXT, Booking, Page, Scene, choice, keys
from hall_daemon.kiosk_search import named
from hall_daemon.protocol import Text
from hall_daemon.protocol_kiosk import KioskChoice, KioskTicket
from hall_daemon.slips import window_range
from hall_daemon.texts import say, spoken_number, text
from hall_daemon.words import TicketState


def taken(scene: Scene) -> KioskTicket | None:
    """The number as pages show it."""
    if scene.ticket is None:
        return None
    return KioskTicket(
        number=scene.ticket.number,
        item=named(scene.ticket.item),
        zone=place_of(scene.profile, scene.ticket.item),
        windows=window_range(scene.ticket.windows),
        waiting_ahead=scene.ticket.waiting_ahead,
        zone_code=scene.ticket.item.zone,
        expected=scene.ticket.expected,
        code=scene.ticket.code,
    )


def _spoken(scene: Scene, code: str) -> Text:
    ticket = scene.ticket
    if ticket is None:
        return NO_TEXT
    number = Text(zh=spoken_number(ticket.number), en=" ".join(ticket.number))
    return say(code, number=number, zone=place_of(scene.profile, ticket.item))


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
        keys=keys(ok="home"),
        voice=_spoken(scene, "kiosk.voice.done"),
    )


def nopaper(scene: Scene) -> Page:
    """The number stands, the slip does not."""
    neighbour = scene.paper_neighbour
    hint = () if neighbour is None else (say("kiosk.nopaper.neighbour", kiosk=neighbour),)
    again = (choice("2", "kiosk.nopaper.again"),) if scene.printer_serves else ()
    return Page(
        step=5,
        title=text(f"kiosk.nopaper.{scene.print_reason}"),
        line=text("kiosk.nopaper.line"),
        notices=hint,
        choices=(choice("1", "kiosk.nopaper.noted"), *again),
        ticket=taken(scene),
        keys=keys(),
        voice=_spoken(scene, "kiosk.voice.nopaper"),
    )


def unsure(scene: Scene) -> Page:
    """Only the resident can know whether paper came out."""
    return Page(
        step=5,
        title=text("kiosk.unsure.title"),
        line=text("kiosk.unsure.line"),
        choices=(choice("1", "kiosk.unsure.yes"), choice("2", "kiosk.unsure.no")),
        ticket=taken(scene),
        keys=keys(),
    )


def unprinted(scene: Scene) -> Page:
    """After a restart: a number of this kiosk whose slip is not known to exist."""
    number = scene.ticket.number if scene.ticket else ""
    return Page(
        title=text("kiosk.unprinted.title", number=number),
        line=text("kiosk.unprinted.line"),
        ticket=taken(scene),
        keys=keys(cancel="not_now", ok="print"),
    )


_STANDING = {TicketState.WAITING: "waiting", TicketState.NO_SHOW: "no_show", TicketState.PARKED: "parked"}


def duplicate(scene: Scene) -> Page:
    """There is a number already: this person's, or the one whose number was typed."""
    ticket = scene.ticket
    number, ahead = (ticket.number, ticket.waiting_ahead) if ticket else ("", 0)
    found = scene.by_number
    return Page(
        step=0 if found else 4,
        title=text("kiosk.number.found" if found else "kiosk.duplicate.title"),
        line=text(f"kiosk.duplicate.{_STANDING.get(scene.ticket_state, 'called')}", number=number, ahead=ahead),
        choices=() if found else _about_own(scene),
        ticket=taken(scene),
        keys=keys(cancel="cancel", **({"ok": "home"} if found else {})),
    )


def _about_own(scene: Scene) -> tuple[KioskChoice, ...]:
    drop = (choice("3", "kiosk.duplicate.give_up"),) if scene.ticket_state is TicketState.WAITING else ()
    return (choice("1", "kiosk.duplicate.print"), choice("2", "kiosk.duplicate.other"), *drop)


def giveup(scene: Scene) -> Page:
    """Asked once: a number that is given up is gone."""
    number = scene.ticket.number if scene.ticket else ""
    return Page(
        title=text("kiosk.giveup.title", number=number),
        line=text("kiosk.giveup.line"),
        choices=(choice("1", "kiosk.giveup.keep"), choice("2", "kiosk.giveup.yes")),
        ticket=taken(scene),
        keys=keys(cancel="cancel", correct="back"),
    )


def missed(scene: Scene) -> Page:
    """Called in vain; the number can come back into line, here and at once."""
    number, ahead = (scene.ticket.number, scene.ticket.waiting_ahead) if scene.ticket else ("", 0)
    if scene.ticket_state is TicketState.WAITING:
        return Page(
            title=text("kiosk.missed.back", number=number),
            line=text("kiosk.missed.back.line", n=ahead),
            choices=() if scene.by_number else (choice("1", "kiosk.duplicate.print"),),
            ticket=taken(scene),
            keys=keys(ok="home"),
        )
    return Page(
        title=text("kiosk.missed.title", number=number),
        line=text("kiosk.missed.line"),
        choices=(
            choice("1", "kiosk.missed.rejoin", "kiosk.missed.rejoin.detail"),
            *(() if scene.by_number else (choice("2", "kiosk.duplicate.other"),)),
        ),
        ticket=taken(scene),
        keys=keys(cancel="cancel"),
    )


# --- booked, or back with papers -------------------------------------------------------------------------------------


def appointment(scene: Scene) -> Page:
    """What is booked for today; checked in by one key."""
    if not scene.bookings:
        return Page(
            title=text("kiosk.appointment.title"),
            line=text("kiosk.appointment.card"),
            choices=(choice("1", "kiosk.nocard.type", "kiosk.nocard.type.detail"),),
            keys=keys(cancel="cancel", correct="back"),
        )
    ready = any(booking.may == "now" for booking in scene.bookings)
    return Page(
        step=4,
        title=text("kiosk.appointment.today"),
        notices=scene.printer_notices,
        choices=(
            *((choice("1", "kiosk.appointment.check_in"),) if ready else ()),
            choice("2", "kiosk.appointment.other"),
        ),
        facts=(booked := tuple(_booked(booking) for booking in scene.bookings)),
        read=tuple(each for pair in booked for each in pair),
        keys=keys(cancel="cancel", **({"ok": "check_in"} if ready else {})),
    )


def _booked(booking: Booking) -> tuple[Text, Text]:
    told = say(
        f"kiosk.appointment.{booking.may}", start=booking.start, end=booking.end, opens=booking.opens,
    )  # fmt: skip
    return named(booking.item), told


def came_back(scene: Scene) -> Page:
    """Back with documents: straight to the green lane."""
    back = scene.came_back
    if back is None:
        return Page(title=text("kiosk.notice_no.title"), keys=keys(cancel="cancel", correct="back"))
    missing = tuple(Text(zh=name) for name in back.missing)
    return Page(
        step=4,
        title=text("kiosk.return.title"),
        line=say("kiosk.return.window", window=back.window) if back.window else named(back.item),
        notices=scene.printer_notices,
        choices=(choice("2", "kiosk.duplicate.other"),),
        facts=((named(back.item), place_of(scene.profile, back.item)),),
        materials=missing,
        read=(named(back.item), place_of(scene.profile, back.item), *missing),
        keys=keys(cancel="cancel", ok="take_return"),
    )
