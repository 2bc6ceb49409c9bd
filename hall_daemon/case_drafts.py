"""What a paper of a case says: of one that was given, and of one that a step would give.

Reads rows and composes; gives no numbers, prints nothing, changes nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

from sqlmodel import Session, col, select

from drivers.base import Slip, SlipFeed, SlipQr, SlipRule, SlipText
from drivers.drawn import Align
from hall_daemon import case_lookups, case_views, cases
from hall_daemon.cases import Brought, CaseKind, CaseState, Line, LineState
from hall_daemon.clock import moment_ms
from hall_daemon.events_cases import CaseReceived
from hall_daemon.hall_cases import CaseComplete, CaseIncomplete, CaseNoItem, CaseNothing
from hall_daemon.profile import HallProfile
from hall_daemon.protocol_cases import PaperLine, PaperPreview, PreviewPaper
from hall_daemon.slip_sheet import width
from hall_daemon.tables import EventRow
from hall_daemon.tables_cases import CaseRow, NoticeRow
from hall_daemon.texts import text
from hall_daemon.tickets import TicketInfo

ROOM_MM = 5.0
"""Empty paper of so much is shown as an empty line."""


@dataclass(frozen=True, kw_only=True)
class Paper:
    """What is to be printed."""

    case: CaseRow
    notice: NoticeRow | None
    """None: the receipt."""
    received: tuple[str, ...]
    reason: str = ""
    received_ms: int = 0

    @property
    def name(self) -> str:
        """As the log names it."""
        return self.notice.notice_no if self.notice else "receipt"


# --- given ------------------------------------------------------------------------------------------------------------


def given(session: Session, notice_no: str) -> Paper:
    """The paper of a notice. Raises NotFound."""
    notice = case_lookups.notice(session, notice_no)
    case = case_lookups.by_no(session, notice.local_case_no)
    received = _names(case_lookups.lines_of(session, case))
    reason = _reason(session, case) if notice.kind == "reject" else ""
    session.expunge(notice)
    session.expunge(case)
    return Paper(case=case, notice=notice, received=received, reason=reason)


def of_received(session: Session, local_case_no: str) -> Paper:
    """收件凭证: what had come when the case was received. Raises NotFound."""
    case = case_lookups.by_no(session, local_case_no)
    question = select(EventRow).where(
        EventRow.subject == f"case/{local_case_no}", EventRow.type == CaseReceived.wire_type
    )
    told = session.exec(question).one()
    came = {m["material_code"] for m in json.loads(told.body)["data"]["materials_required"] if m.get("copy_kind")}
    lines = case_lookups.lines_of(session, case)
    received = tuple(_taken_as(line) for line in lines if line.asked.code in came)
    session.expunge(case)
    return Paper(case=case, notice=None, received=received, received_ms=moment_ms(told.time) or case.since_ms)


def _names(lines: tuple[Line, ...]) -> tuple[str, ...]:
    return tuple(_taken_as(line) for line in lines if line.does and line.brought)


def _taken_as(line: Line) -> str:
    if line.state is LineState.WAIVED and line.brought is not None:
        return text(f"slip.taken_as.{line.brought.kind}", name=line.asked.name).zh
    return line.asked.name


def _reason(session: Session, case: CaseRow) -> str:
    """Why it was returned, as the log says."""
    question = select(EventRow.body).where(
        EventRow.subject == f"case/{case.local_case_no}", EventRow.type == "hall.case.returned.v1"
    )
    body = session.exec(question.order_by(col(EventRow.number).desc())).first()  # one may have been undone before
    return str(json.loads(body)["data"]["reason_text"]) if body else ""


# --- to be given ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Draft:
    """Who would give a paper, where and when."""

    profile: HallProfile
    window: str
    clerk: str
    ticket: TicketInfo
    bizdate: str
    now_ms: int

    def paper(self, session: Session, order: PreviewPaper) -> Paper:
        """What the step would print. Raises CaseNoItem, CaseComplete, CaseIncomplete, CaseNothing."""
        row, is_new = self._row(session, order)
        row.applies = sorted({*row.applies, *order.applies})
        known = case_lookups.brought(session, self.ticket.ticket_id, "" if is_new else row.local_case_no)
        for said in order.papers:
            pages = known.get(said.code)
            known[said.code] = Brought(
                code=said.code, kind=said.copy_kind, fault=said.fault, material_id=pages.material_id if pages else ""
            )
        lines = cases.checklist(case_lookups.asked_in(row), known.values(), frozenset(row.applies))
        if order.paper == "receive":
            if not _names(lines):
                raise CaseNothing()
            return Paper(case=row, notice=None, received=_names(lines), received_ms=self.now_ms)
        wanted = cases.still_wanted(lines)
        if order.paper == "notice" and not wanted:
            raise CaseComplete()
        if order.paper == "accept" and wanted:
            raise CaseIncomplete(missing=len(wanted))
        if order.paper == "accept":
            row.due_on = self._due(session, row)
        notice = self._notice("accept" if order.paper == "accept" else "supplement", row)
        notice.wanted = case_views.kept(wanted)
        return Paper(case=row, notice=notice, received=_names(lines))

    def _row(self, session: Session, order: PreviewPaper) -> tuple[CaseRow, bool]:
        """The open case of this item, cut off from its session, or what would become one."""
        code = order.item or self.ticket.item_code or self.ticket.item.code
        item = self.profile.items.get(code)
        if item is None or not item.codes:
            raise CaseNoItem()
        ended = (CaseState.DECIDED.value, CaseState.RETURNED.value)
        found = [c for c in case_lookups.of_ticket(session, self.ticket.ticket_id) if c.item == code]
        row = next((c for c in found if c.state not in ended), None)
        if row is not None:
            session.expunge(row)
            return row, False
        return CaseRow(
            local_case_no="", ticket_id=self.ticket.ticket_id, bizdate=self.bizdate, item=item.code,
            kind=CaseKind(item.kind).value, applicant_kind=order.applicant_kind, state=CaseState.RECEIVED.value,
            since_ms=self.now_ms, window=self.window, clerk=self.clerk, day_unit=item.day_unit,
            days=0 if item.kind == CaseKind.IMMEDIATE.value else item.promise_days,
            asked=case_lookups.kept(case_lookups.asked_of(item)), applies=[],
        ), True  # fmt: skip

    def _due(self, session: Session, row: CaseRow) -> str | None:
        """The last day of the promise, if the papers of an open notice have come today."""
        today = date.fromisoformat(self.bizdate)
        notices = case_lookups.notices_of(session, row.local_case_no) if row.local_case_no else []
        stood = [replace(pause, until=pause.until or today) for pause in case_lookups.pauses(notices)]
        return case_lookups.due_on(row, row.accepted_on or self.bizdate, self.profile.calendar, stood)

    def _notice(self, kind: Literal["accept", "supplement"], row: CaseRow) -> NoticeRow:
        last = cases.last_return(date.fromisoformat(self.bizdate), self.profile.calendar)
        return NoticeRow(
            bizdate=self.bizdate, notice_no=text("slip.number_at_print").zh, typed="", local_case_no=row.local_case_no,
            kind=kind, wanted=[], given_ms=self.now_ms, window=self.window, clerk=self.clerk,
            return_by=last.isoformat(),
        )  # fmt: skip


# --- on a screen ------------------------------------------------------------------------------------------------------


def as_lines(slip: Slip, columns: int) -> PaperPreview:
    """The lines of a paper as it is printed in text; a code is named, large type is marked."""
    lines: list[PaperLine] = []
    for part in slip.parts:
        if isinstance(part, SlipText):
            lines.append(PaperLine(text=_placed(part, columns), bold=part.bold, large=part.scale > 1))
        elif isinstance(part, SlipRule):
            lines.append(PaperLine(text="-" * columns))
        elif isinstance(part, SlipQr):
            lines.append(PaperLine(text=_placed(SlipText(text=text("slip.code_here").zh, align=Align.CENTRE), columns)))
        elif isinstance(part, SlipFeed) and part.mm > ROOM_MM:
            lines.append(PaperLine(text=""))
    return PaperPreview(columns=columns, lines=tuple(lines))


def _placed(part: SlipText, columns: int) -> str:
    left = max(0, columns - width(part.text))
    before = {Align.LEFT: 0, Align.CENTRE: left // 2, Align.RIGHT: left}[part.align]
    return f"{' ' * before}{part.text}"
