"""What a kiosk asks of the hall and of its devices: take a number, find one, print its slip, who else can help.

Keeps nothing and decides nothing about pages; says truthfully what the printer proved.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from drivers.base import Condition, Refused
from hall_daemon import slips
from hall_daemon.clock import Clock, rfc3339
from hall_daemon.devices import Devices, DeviceUnavailable, OutcomeUnknown
from hall_daemon.hall import Hall
from hall_daemon.kiosk_pages import place_of
from hall_daemon.kiosk_visit import KioskTimes, TakenTicket, Visit, print_reason
from hall_daemon.profile import Kiosk
from hall_daemon.protocol import Text
from hall_daemon.texts import say, text
from hall_daemon.tickets import HallError, IssueOrder, TicketInfo
from hall_daemon.upkeep import Upkeep
from hall_daemon.words import Channel, PrintReason, PrintResult

USUAL_COLUMNS = 48
_MAY_PASS = frozenset({Condition.COVER_OPEN, Condition.HEAD_HOT})
"""What keeps a printer from printing and is often over in a moment."""


class Desk:
    """One kiosk's way to the hall, its printer and its readers."""

    def __init__(
        self, kiosk: Kiosk, hall: Hall, devices: Devices, clock: Clock, times: KioskTimes, upkeep: Upkeep | None = None
    ) -> None:
        self.kiosk = kiosk
        self.hall = hall
        self.devices = devices
        self.clock = clock
        self.times = times
        self._upkeep = upkeep or Upkeep()
        self._log = logging.getLogger(f"kiosk.{kiosk.code}")

    # --- numbers ------------------------------------------------------------------------------------------------------

    async def take(self, visit: Visit) -> TakenTicket:
        """Issue the number that the visit asked for. Raises HallError. The same request gives the same number."""
        assert visit.item is not None
        issued = await self.hall.issue(
            IssueOrder(
                item=visit.item.code,
                request_id=visit.request_id,
                channel=Channel.KIOSK,
                device_id=self.kiosk.device_id,
                kiosk=self.kiosk.code,
                card=visit.card,
                typed_id=visit.typed_id,
                phone=visit.phone,
                printed_required=bool(self.kiosk.printer),
            )
        )
        return TakenTicket(
            ticket_id=issued.ticket_id,
            number=issued.number,
            item=issued.item,
            windows=issued.windows,
            waiting_ahead=issued.waiting_ahead,
            taken=_minute(self.clock.now_ms()),
        )

    async def find(self, number: str) -> tuple[TakenTicket, TicketInfo]:
        """A number of today. Raises NotFound."""
        info = await self.hall.find_ticket(number)
        return _taken(info), info

    async def unprinted(self) -> list[TakenTicket]:
        """Numbers taken here lately of which no good slip is known."""
        return [_taken(info) for info in await self.hall.unprinted(self.kiosk.code)]

    # --- paper --------------------------------------------------------------------------------------------------------

    async def print_slip(self, ticket: TakenTicket, *, reprint: bool) -> tuple[PrintResult, PrintReason | None]:
        """Print, and say what the printer proved."""
        if not self.kiosk.printer:
            return PrintResult.FAILED, PrintReason.OFFLINE
        facts = self._facts(ticket, reprint=reprint)
        try:
            await self.devices.call(self.kiosk.printer, partial(_print, facts), self.times.print_limit_s)
        except Refused as exc:
            return PrintResult.FAILED, print_reason(exc.condition)
        except DeviceUnavailable as exc:
            return PrintResult.FAILED, print_reason(exc.condition)
        except OutcomeUnknown:
            return PrintResult.UNKNOWN, PrintReason.TIMEOUT
        return PrintResult.OK, None

    async def record(
        self, ticket: TakenTicket, result: PrintResult, reason: PrintReason | None, *, reprint: bool
    ) -> None:
        """Write down what became of the slip. A slip that cannot be recorded is offered again after a restart."""
        by = f"kiosk/{self.kiosk.code}" if reprint else None
        try:
            await self.hall.record_print(ticket.ticket_id, self.kiosk.device_id, result, reason, by)
        except HallError as exc:
            self._log.warning("slip of %s not recorded: %s", ticket.number, exc.code)
            return
        self._log.info("slip %s %s reason=%s", ticket.number, result.value, reason.value if reason else "-")

    def _facts(self, ticket: TakenTicket, *, reprint: bool) -> slips.SlipFacts:
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
            code=ticket.ticket_id,
            reprint=reprint,
        )

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


def _print(facts: slips.SlipFacts, printer: Any) -> None:
    """Runs on the port's thread. Any: whatever driver the configuration names; its options know the paper's width."""
    printer.print_slip(slips.compose(facts, getattr(printer.options, "columns", USUAL_COLUMNS)))


def _taken(info: TicketInfo) -> TakenTicket:
    return TakenTicket(
        ticket_id=info.ticket_id,
        number=info.number,
        item=info.item,
        windows=info.windows,
        waiting_ahead=info.waiting_ahead,
        taken=_minute(info.issued_ms),
    )


def _minute(ms: int) -> str:
    return rfc3339(ms)[:16].replace("T", " ")
