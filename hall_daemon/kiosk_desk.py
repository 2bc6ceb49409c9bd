"""What a kiosk asks of the hall and of its devices: take a number, find one, print its slip, who else can help.

Keeps nothing and decides nothing about pages; says truthfully what the printer proved.
"""

from __future__ import annotations

import functools
import logging
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from sqlmodel import Session

from drivers.base import Condition, Refused, Slip
from drivers.drawn import qr_matrix
from hall_daemon import checking_in, estimates, lanes, lookups, privacy, slip_facts, slips
from hall_daemon.clock import Clock, china_date, day_ms, hour_minute, rfc3339
from hall_daemon.devices import Devices, DeviceUnavailable, OutcomeUnknown
from hall_daemon.following import slip_address
from hall_daemon.hall import Hall
from hall_daemon.kiosk_common import Found, Past, quieter
from hall_daemon.kiosk_pages_choose import place_of
from hall_daemon.kiosk_scene import NO_TEXT, Booking, Notice, Wait, about
from hall_daemon.kiosk_visit import KioskTimes, TakenTicket, Visit, born, print_reason
from hall_daemon.lanes import EARLY_MS, CheckIn
from hall_daemon.profile import Item, Kiosk
from hall_daemon.protocol import Text
from hall_daemon.protocol_cases import ComeBack
from hall_daemon.texts import say, text
from hall_daemon.tickets import HallError, IllegalStep, Issued, IssueOrder, NotFound, TicketInfo
from hall_daemon.upkeep import Upkeep
from hall_daemon.words import (
    OPEN_STATES,
    CancelReason,
    Channel,
    PrintReason,
    PrintResult,
    Priority,
    RequeuedBy,
    TicketState,
)

USUAL_COLUMNS = 48
SHOW_LIMIT_S = 2.0
HOUR_MS = 3_600_000
ROUND_MIN = 5
_MAY_PASS = frozenset({Condition.COVER_OPEN, Condition.HEAD_HOT})
"""What keeps a printer from printing and is often over in a moment."""


class Desk:
    """One kiosk's way to the hall, its printer and its readers."""

    def __init__(
        self, kiosk: Kiosk, hall: Hall, devices: Devices, clock: Clock, times: KioskTimes, upkeep: Upkeep | None = None,
        past: Past | None = None,
    ) -> None:  # fmt: skip
        self.kiosk = kiosk
        self.hall = hall
        self.devices = devices
        self.clock = clock
        self.times = times
        self._upkeep = upkeep or Upkeep()
        self._past = past or Past(hall)
        self._log = logging.getLogger(f"kiosk.{kiosk.code}")

    # --- numbers ------------------------------------------------------------------------------------------------------

    async def take(self, visit: Visit) -> TakenTicket:
        """Issue the number that the visit asked for. Raises HallError. The same request gives the same number."""
        assert visit.item is not None
        issued = await self._issue(
            visit,
            IssueOrder(
                item=visit.item.code,
                request_id=visit.request_id,
                channel=Channel.KIOSK,
                device_id=self.kiosk.device_id,
                kiosk=self.kiosk.code,
                card=visit.card,
                typed_id=visit.passport or visit.typed_id,
                typed_type=document_of(visit)[0] if visit.card is None else "111",
                behalf=visit.behalf,
                phone=visit.phone,
                printed_required=bool(self.kiosk.printer),
                priority=Priority.GREEN if visit.back else Priority.NORMAL,
                more_items=tuple(item.code for item in visit.cart[1:]),
                notice_no=visit.back,
            ),
        )
        return TakenTicket(
            ticket_id=issued.ticket_id,
            number=issued.number,
            item=issued.item,
            windows=issued.windows,
            waiting_ahead=issued.waiting_ahead,
            taken=_minute(self.clock.now_ms()),
            priority=issued.priority,
        )

    def wants_large(self, visit: Visit) -> bool:
        """Whether large text comes on by itself."""
        return lanes.reached(born(visit), self.clock.today(), self.hall.config.public.residents.large_text_from)

    async def find(self, number: str) -> TakenTicket:
        """A number of today. Raises NotFound."""
        return _taken(await self.hall.find_ticket(number))

    async def own_numbers(self, visit: Visit) -> list[TakenTicket]:
        """Open numbers of who stands there, a missed one first; none where nobody can be recognised."""
        key = self.hall.config.secrets.match
        id_type, id_no = document_of(visit)
        if key is None or not id_no:
            return []
        mine = privacy.id_hmac(key, id_type, id_no)

        def question(session: Session) -> list[TicketInfo]:
            rows = lookups.of_person(session, mine)
            return [lookups.info(self.hall.profile, row, lookups.ahead_of(session, row)) for row in rows]

        found = [_taken(info) for info in await self.hall.store.read(question)]
        return sorted(found, key=lambda ticket: ticket.state is not TicketState.NO_SHOW)

    async def bookings(self, visit: Visit) -> tuple[Booking, ...]:
        """What this person has booked for today."""
        found = await checking_in.by_person(self.hall, *document_of(visit))
        return tuple(_booking(self.hall.profile.items[booked.items[0]], booked) for booked in found if booked.items)

    async def _issue(self, visit: Visit, order: IssueOrder) -> Issued:
        if not visit.booked:
            return await self.hall.issue(order)
        found = await checking_in.by_person(self.hall, *document_of(visit))
        booked = next((each for each in found if each.appointment_id == visit.booked), None)
        if booked is None:
            raise NotFound(what=visit.booked)
        return await checking_in.take(self.hall, booked, order)

    async def came_back(self, visit: Visit) -> Notice | None:
        """A notice with which this person comes back, by the card; the oldest."""
        key = self.hall.config.secrets.match
        id_type, id_no = document_of(visit)
        if key is None or not id_no:
            return None
        found = await self.hall.notices_for(privacy.id_hmac(key, id_type, id_no))
        return next((notice for back in found if (notice := self._notice(back)) is not None), None)

    async def find_notice(self, typed: str) -> Notice | None:
        """The notice of this number, while it leads straight back."""
        try:
            return self._notice(await self.hall.come_back(typed))
        except NotFound:
            return None

    def _notice(self, back: ComeBack) -> Notice | None:
        item = self.hall.profile.items.get(back.item)
        if item is None or not back.open:
            return None
        missing = tuple(paper.zh for paper in back.bring)
        return Notice(number=back.notice_no, item=item, window=back.window, missing=missing)

    async def waits(self) -> dict[str, Wait]:
        """Queue → what somebody who comes now is told to expect."""
        outlook = await self.hall.waits.outlook()
        read = {queue: estimates.shown(estimate) for queue, estimate in outlook.queues.items()}
        return {
            queue: Wait(low_min=told.low_min, high_min=told.high_min, about_min=told.about_min)
            for queue, told in read.items()
        }

    async def rejoin(self, number: str) -> TakenTicket:
        """Put a missed number back into line. Raises HallError."""
        await self.hall.requeue(number, RequeuedBy.KIOSK)
        return await self.find(number)

    async def give_up(self, number: str) -> None:
        """A number that nobody wants any more. Raises HallError."""
        await self.hall.cancel(number, CancelReason.RESIDENT_LEFT, None)

    async def open_windows(self) -> dict[str, int]:
        """Queue → windows at which somebody is signed in."""
        sessions = (await self.hall.snapshot()).sessions
        windows = self.hall.profile.windows
        counted: Counter[str] = Counter()
        for window in sessions:
            counted.update(windows[window].queues if window in windows else ())
        return dict(counted)

    async def past(self) -> Found:
        """What is asked for most, and when people wait least; the same all day."""
        return await self._past.look()

    def quieter(self, queue: str, wait: Wait | None, past: Found) -> Text | None:
        """At which hour somebody would wait much less than now, if now is long."""
        now_ms, hours = self.clock.now_ms(), self.hall.day.hours
        plan = hours.plan_at(now_ms, self.hall.profile.calendar)
        begin_ms = day_ms(china_date(now_ms).isoformat())

        def open_at(hour: int) -> bool:
            return not hours.known or (plan is not None and plan.open_at(begin_ms + hour * HOUR_MS + HOUR_MS // 2))

        now_hour = (now_ms - begin_ms) // HOUR_MS
        calm = quieter(past.waited.get(queue, {}), now_hour, wait.about_min if wait else 0, open_at)
        if calm is None:
            return None
        about_min = -(-calm.wait_min // ROUND_MIN) * ROUND_MIN
        usual = about(Wait(low_min=0, high_min=int(about_min), about_min=int(about_min)))
        code = "kiosk.confirm.quieter.today" if calm.today else "kiosk.confirm.quieter"
        return say(code, start=f"{calm.hour}:00", end=f"{calm.hour + 1}:00", wait=usual)

    def hours_today(self) -> Text:
        """When numbers are given today; nothing where the hall has no hours, or is closed all day."""
        plan = self.hall.day.hours.plan(self.clock.today(), self.hall.profile.calendar)
        if plan is None:
            return NO_TEXT
        spans = ", ".join(f"{hour_minute(start)}–{hour_minute(end)}" for start, end in plan.spans)
        return text("kiosk.idle.hours", spans=spans)

    def next_opening(self) -> Text | None:
        """When the hall opens again, where that is known."""
        if not self.hall.day.hours.known:
            return None
        opens = self.hall.day.next_opening(self.clock.now_ms(), self.hall.profile.calendar)
        return say("day.opens_again", opens=opens)

    async def unprinted(self) -> list[TakenTicket]:
        """Numbers taken here lately of which no good slip is known."""
        return [_taken(info) for info in await self.hall.unprinted(self.kiosk.code)]

    # --- paper --------------------------------------------------------------------------------------------------------

    async def print_slip(
        self, ticket: TakenTicket, *, reprint: bool, large: bool = False
    ) -> tuple[PrintResult, PrintReason | None]:
        """Print, and say what the printer proved."""
        code = await slip_address(self.hall, ticket.ticket_id)
        facts = self._facts(ticket, code, reprint=reprint, large=large)
        return await self._print(partial(slips.compose, facts))

    async def print_for_staff(self, number: str, by: str) -> tuple[PrintResult, PrintReason | None]:
        """The slip of a number once more because the guide's desk wants it (fault A03), whoever stands here.

        Raises NotFound, and IllegalStep for a number that is over.
        """
        ticket = await self.find(number)
        if ticket.state not in OPEN_STATES:
            raise IllegalStep(number=number, state=ticket.state)
        result, reason = await self.print_slip(ticket, reprint=True)
        await self.record(ticket, result, reason, reprint=True, by=by)
        return result, reason

    async def code_on_screen(self, ticket: TakenTicket) -> tuple[str, ...]:
        """Rows of the QR code that would stand on the slip (fault A01); none where the hall has no page for phones."""
        if not self.hall.config.public.phone.url:
            return ()
        address = await slip_address(self.hall, ticket.ticket_id)
        return _qr_rows(address) if address else ()

    def guide_code(self, item: Item | None) -> tuple[str, ...]:
        """Rows of the QR code that takes an item's guide along."""
        address = self._guide_address(item)
        return _guide_rows(address) if address else ()

    def _guide_address(self, item: Item | None) -> str:
        url = self.hall.config.public.phone.url
        return f"{url}/guide/{item.code}" if url and item is not None and item.codes else ""

    async def print_guide(self, item: Item, *, large: bool) -> PrintResult:
        """办事指南 on paper."""
        address = self._guide_address(item)
        facts = slip_facts.guide_facts(self.hall.profile, item, self.clock.now_ms(), large=large, code=address)
        return (await self._print(partial(slips.guide, facts)))[0]

    async def _print(self, composing: Callable[[int], Slip]) -> tuple[PrintResult, PrintReason | None]:
        if not self.kiosk.printer:
            return PrintResult.FAILED, PrintReason.OFFLINE
        try:
            await self.devices.call(self.kiosk.printer, partial(_print, composing), self.times.print_limit_s)
        except Refused as exc:
            return PrintResult.FAILED, print_reason(exc.condition)
        except DeviceUnavailable as exc:
            return PrintResult.FAILED, print_reason(exc.condition)
        except OutcomeUnknown:
            return PrintResult.UNKNOWN, PrintReason.TIMEOUT
        return PrintResult.OK, None

    async def record(
        self, ticket: TakenTicket, result: PrintResult, reason: PrintReason | None, *, reprint: bool, by: str = ""
    ) -> None:
        """Write down what became of the slip, and `by` whom it was wanted again if not by the kiosk.

        A slip that cannot be recorded is offered again after a restart.
        """
        again = (by or f"kiosk/{self.kiosk.code}") if reprint else None
        try:
            await self.hall.record_print(ticket.ticket_id, self.kiosk.device_id, result, reason, again)
        except HallError as exc:
            self._log.warning("slip of %s not recorded: %s", ticket.number, exc.code)
            return
        self._log.info("slip %s %s reason=%s", ticket.number, result.value, reason.value if reason else "-")

    def _facts(self, ticket: TakenTicket, code: str, *, reprint: bool, large: bool) -> slips.SlipFacts:
        required = tuple(m.name for m in ticket.item.materials if m.need == "required")
        return slips.SlipFacts(
            hall=self.hall.profile.hall,
            number=ticket.number,
            item=ticket.item.name,
            zone=place_of(self.hall.profile, ticket.item),
            windows=slips.window_range(ticket.windows),
            waiting_ahead=ticket.waiting_ahead,
            taken=ticket.taken,
            kiosk=self.kiosk.name.zh,
            materials=required,
            code=code,
            reprint=reprint,
            wait=ticket.expected if ticket.expected.zh else None,
            appointment=ticket.appointment,
            priority=ticket.priority not in (Priority.NORMAL, Priority.APPOINTMENT, Priority.GREEN),
            back=ticket.priority is Priority.GREEN,
            large=large,
            jumped=self.hall.numbers_jumped,
        )

    async def show_lines(self, upper: str, lower: str) -> None:
        """Write the keypad's display. Raises Refused, DeviceUnavailable, OutcomeUnknown."""
        await self.devices.call(self.kiosk.keypad, lambda pad: pad.show_lines(upper, lower), SHOW_LIMIT_S)

    # --- what works ---------------------------------------------------------------------------------------------------

    def printer_serves(self) -> bool:
        """Whether a slip can be printed here now."""
        return bool(self.kiosk.printer) and self.devices.can_serve(self.kiosk.printer)

    def readers_serve(self) -> bool:
        """Whether a card can be read here, as far as is known; a reader that is still being opened may."""
        return any(self.devices.can_serve(name) or self._opening(name) for name in self.kiosk.card_readers)

    def printer_notices(self) -> tuple[Text, ...]:
        """What to say before a number is taken without paper."""
        if self.printer_serves() or (self.kiosk.printer and self._opening(self.kiosk.printer)):
            return ()
        conditions = self.devices.view(self.kiosk.printer).conditions if self.kiosk.printer else ()
        trouble = text("kiosk.notice.paper_out" if Condition.PAPER_OUT in conditions else "kiosk.notice.no_print")
        neighbour = self.paper_neighbour()
        return (trouble,) if neighbour is None else (trouble, say("kiosk.notice.paper_at", kiosk=neighbour))

    def passing_trouble(self) -> Condition | None:
        """What keeps the printer from printing now and is often over in a moment; None: nothing, or something worse."""
        if not self.kiosk.printer:
            return None
        blocking = {c for c in map(Condition, self.devices.view(self.kiosk.printer).conditions) if c.blocks}
        return min(blocking) if blocking and blocking <= _MAY_PASS else None

    def number_notices(self) -> tuple[Text, ...]:
        """What to say of today's numbers."""
        return (text("notice.jumped"),) if self.hall.numbers_jumped else ()

    def keypad_notices(self) -> tuple[Text, ...]:
        """What to say while no key of the keypad counts: it is gone, or one of its keys is stuck."""
        keypad = self.kiosk.keypad
        if not keypad or self.devices.can_serve(keypad) or self._opening(keypad):
            return ()
        neighbour = next((k.name for k in self._others() if k.keypad and self.devices.can_serve(k.keypad)), None)
        return (text("kiosk.notice.keypad") if neighbour is None else say("kiosk.notice.keypad_at", kiosk=neighbour),)

    def paper_neighbour(self) -> Text | None:
        """Another kiosk that can print now."""
        return next((k.name for k in self._others() if k.printer and self.devices.can_serve(k.printer)), None)

    def reader_neighbour(self) -> Text | None:
        """Another kiosk that can read cards now."""
        return next((k.name for k in self._others() if any(map(self.devices.can_serve, k.card_readers))), None)

    def _others(self) -> list[Kiosk]:
        """Other kiosks that are in service, those that offer the same queues first."""
        mine = set(self.kiosk.queues)
        kiosks = self.hall.profile.kiosks.values()
        others = [k for k in kiosks if k.code != self.kiosk.code and not self._upkeep.maintained(k.code)]
        return sorted(others, key=lambda kiosk: -len(mine & set(kiosk.queues)))

    def _opening(self, device: str) -> bool:
        return self.devices.view(device).link == "connecting"


def _qr_rows(address: str) -> tuple[str, ...]:
    return tuple("".join(".#"[dark] for dark in row) for row in qr_matrix(address))


# Drawn with every view, and the same for everybody; the code of a ticket is never kept.
_guide_rows = functools.lru_cache(maxsize=64)(_qr_rows)


def _print(composing: Callable[[int], Slip], printer: Any) -> None:
    """Runs on the port's thread. Any: whatever driver the configuration names; its options know the paper's width."""
    printer.print_slip(composing(getattr(printer.options, "columns", USUAL_COLUMNS)))


def _taken(info: TicketInfo) -> TakenTicket:
    return TakenTicket(
        ticket_id=info.ticket_id,
        number=info.number,
        item=info.item,
        windows=info.windows,
        waiting_ahead=info.waiting_ahead,
        taken=_minute(info.issued_ms),
        state=info.state,
        priority=info.priority,
        appointment=hour_minute(info.slot_start_ms) if info.slot_start_ms else "",
    )


def _minute(ms: int) -> str:
    return rfc3339(ms)[:16].replace("T", " ")


def document_of(visit: Visit) -> tuple[str, str]:
    """Kind (GA/T 2000.156) and number of the document of the person whose number it is to be."""
    if visit.behalf:
        return "111", visit.behalf
    if visit.card is not None:
        return visit.card.id_type, visit.card.id_no
    return ("414", visit.passport) if visit.passport else ("111", visit.typed_id)


def _booking(item: Item, booked: checking_in.Booked) -> Booking:
    may = {CheckIn.EARLY: "early", CheckIn.ON_TIME: "now", CheckIn.LATE: "late"}[booked.standing]
    return Booking(
        appointment_id=booked.appointment_id, item=item, start=hour_minute(booked.slot.start_ms),
        end=hour_minute(booked.slot.end_ms), may=may, opens=hour_minute(booked.slot.start_ms - EARLY_MS),
    )  # fmt: skip
