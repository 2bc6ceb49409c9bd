"""Papers of a case on paper: the notice in two copies; the receipt, the notice of acceptance or refusal in one.

At the window's own printer, else at a kiosk's that can print and offers the case's queue. The notice stands whatever
the printer does: what became of its paper is reported as what the clerk did, since the contract knows prints of tickets
only.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, Literal

from drivers.base import Refused, Slip
from hall_daemon import case_drafts, slip_facts, slips
from hall_daemon.case_drafts import Paper
from hall_daemon.devices import Devices, DeviceUnavailable, OutcomeUnknown
from hall_daemon.events import OperatorActed
from hall_daemon.hall import Hall
from hall_daemon.protocol import Text
from hall_daemon.protocol_cases import PaperPreview, PaperPrinted, PreviewPaper, PrintPaper
from hall_daemon.tables_cases import CaseRow
from hall_daemon.texts import say, text
from hall_daemon.tickets import HallError, IllegalStep, ScreenOutOfDate
from hall_daemon.words import TicketState

_log = logging.getLogger("hall.cases")

PRINT_LIMIT_S = 30.0
USUAL_COLUMNS = 48
COPIES: tuple[Literal[1, 2], ...] = (1, 2)


class NoPaper(HallError):
    """No printer can take it now; the notice stands."""

    code = "no_paper"


class CasePapers:
    """Prints what a case has to show on paper."""

    def __init__(self, hall: Hall, devices: Devices) -> None:
        self._hall, self._devices = hall, devices

    async def print(self, window: str, order: PrintPaper) -> PaperPrinted:
        """Print the paper of a notice, or a receipt. Raises NotFound, NotSignedIn, NoPaper: nothing was sent."""
        clerk = await self._hall.clerk_at(window)
        received_case = order.local_case_no
        paper = await self._hall.store.read(
            lambda session: (
                case_drafts.of_received(session, received_case)
                if received_case
                else case_drafts.given(session, order.notice_no)
            )
        )
        device, place = self._printer(window, paper.case)
        result, reason = await self._run(device, paper, again=order.again)
        acted = OperatorActed(
            actor="clerk", actor_id=clerk, action="case_paper_printed",
            target=f"case/{paper.case.local_case_no}/{paper.name}/{device}", result=result,
            reason_text=reason or None,
        )  # fmt: skip
        await self._hall.store.write(lambda tx: tx.emit(acted))
        _log.info("paper %s of %s %s at %s %s", paper.name, paper.case.local_case_no, result, device, reason)
        return PaperPrinted(result=result, device=device, place=place, reason=reason)

    async def preview(self, window: str, order: PreviewPaper) -> PaperPreview:
        """The first copy of the paper that a step would print. Raises as the step would."""
        hall = self._hall
        clerk, snapshot = await hall.clerk_at(window), await hall.snapshot()
        ticket = snapshot.at_window(window)
        if ticket is None or ticket.number != order.seen:
            raise ScreenOutOfDate()
        if ticket.state is not TicketState.SERVING:
            raise IllegalStep(number=ticket.number, state=ticket.state)
        draft = case_drafts.Draft(
            profile=hall.profile, window=window, clerk=clerk, ticket=ticket, bizdate=snapshot.bizdate,
            now_ms=hall.clock.now_ms(),
        )  # fmt: skip
        paper = await hall.store.read(lambda session: draft.paper(session, order))
        try:
            printer = hall.config.devices[self._printer(window, paper.case)[0]]
            columns = getattr(printer.options, "columns", USUAL_COLUMNS)
        except NoPaper:
            columns = USUAL_COLUMNS
        return case_drafts.as_lines(self._compose(paper, 1, columns, again=False), columns)

    async def _run(self, device: str, paper: Paper, *, again: bool) -> tuple[Literal["ok", "failed", "unknown"], str]:
        copies = COPIES if paper.notice is not None and paper.notice.kind == "supplement" else COPIES[:1]
        for copy in copies:
            composing = partial(self._compose, paper, copy, again=again)
            try:
                await self._devices.call(device, partial(_print, composing), PRINT_LIMIT_S)
            except Refused as exc:
                return "failed", exc.condition.value
            except DeviceUnavailable as exc:
                return "failed", str(exc.condition)
            except OutcomeUnknown:
                return "unknown", "timeout"
        return "ok", ""

    def _compose(self, paper: Paper, copy: Literal[1, 2], columns: int, *, again: bool) -> Slip:
        profile, case, notice = self._hall.profile, paper.case, paper.notice
        item = profile.item_of(case.item, "", "")
        if notice is None:
            came = slip_facts.received_facts(profile, item, case, paper.received_ms, paper.received, reprint=again)
            return slips.case_paper(came, columns)
        if notice.kind == "supplement":
            told = slip_facts.notice_facts(profile, item, case, notice, paper.received, copy, reprint=again)
            return slips.notice(told, columns)
        facts = slip_facts.case_facts(profile, item, case, notice, paper.received, paper.reason, reprint=again)
        return slips.case_paper(facts, columns)

    def _printer(self, window: str, case: CaseRow) -> tuple[str, Text]:
        """The window's own printer, else a kiosk's: those first that offer the item's queue."""
        own = self._hall.profile.windows[window].printer
        if own and self._devices.can_serve(own):
            return own, text("case.printed_here")
        queue = self._hall.profile.item_of(case.item, "", "").queue
        kiosks = [k for k in self._hall.profile.kiosks.values() if k.printer and self._devices.can_serve(k.printer)]
        if not kiosks:
            raise NoPaper()
        kiosk = min(kiosks, key=lambda k: queue not in k.queues)
        return kiosk.printer, say("case.printed_at", kiosk=kiosk.name)


def _print(composing: Any, printer: Any) -> None:
    """On the port's thread. Any: whatever driver is configured; its options know the paper's width."""
    printer.print_slip(composing(getattr(printer.options, "columns", USUAL_COLUMNS)))
