"""What screens see of cases, computed from rows. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Literal

from sqlmodel import Session

from hall_daemon import case_lookups, cases
from hall_daemon.cases import Asked, CaseKind, CaseState, Line, LineState, Waiver, Wanted
from hall_daemon.profile import HallProfile, Item
from hall_daemon.protocol import Text
from hall_daemon.protocol_cases import CaseLine, CaseView, ComeBack, NoticeView
from hall_daemon.tables_cases import CaseRow, NoticeRow
from hall_daemon.texts import say, text
from hall_daemon.tickets import TicketInfo

Ending = Literal["completed", "received", "supplement", "returned", "consulted"]


def wanted_of(asked: Asked, state: LineState, fault: str) -> Wanted:
    """The line of a notice about this paper, whether or not it is wanted."""
    return Wanted(
        code=asked.code, name=asked.name, state=state, copy=asked.copy, fault=fault, waivable_by=asked.waivable_by
    )


def kept(wanted: Iterable[Wanted]) -> list[dict[str, object]]:
    """As the row of a notice keeps it."""
    return [
        {
            "code": w.code, "name": w.name, "state": w.state.value, "copy": w.copy, "fault": w.fault,
            "waivable_by": sorted(w.waivable_by),
        }
        for w in wanted
    ]  # fmt: skip


def wanted_in(row: NoticeRow) -> tuple[Wanted, ...]:
    """What a notice names."""
    return tuple(
        Wanted(**{**w, "state": LineState(w["state"]), "waivable_by": frozenset(map(Waiver, w["waivable_by"]))})
        for w in row.wanted
    )


def why(wanted: Wanted) -> Text:
    """原因."""
    if wanted.state is LineState.POOR:
        return text("case.why.poor", fault=wanted.fault)
    return text("case.why.wrong_kind" if wanted.state is LineState.WRONG_KIND else "case.why.missing")


def how(wanted: Wanted) -> Text:
    """要求: in which form it does, and what may stand in for it."""
    ways = [text(f"case.how.{wanted.copy}")]
    ways += [text(f"case.instead.{w}") for w in sorted(wanted.waivable_by) if not _said(w, wanted.copy)]
    return Text(zh="；".join(w.zh for w in ways), en="; ".join(w.en for w in ways))


def _said(waiver: Waiver, copy: str) -> bool:
    return waiver is Waiver.E_LICENSE and copy == "electronic"


def sentence(wanted: Wanted) -> Text:
    """The whole line."""
    return say("case.line", name=wanted.name, why=why(wanted), how=how(wanted))


def item_lines(lines: Iterable[Line], applies: frozenset[str]) -> tuple[CaseLine, ...]:
    """A checklist as the counter shows it."""
    return tuple(_line(line, applies) for line in lines)


def _line(line: Line, applies: frozenset[str]) -> CaseLine:
    asked, brought = line.asked, line.brought
    fault = brought.fault if brought else ""
    return CaseLine(
        code=asked.code, name=asked.name, need=asked.need, copy_asked=asked.copy,
        waivable_by=tuple(sorted(asked.waivable_by)), state=line.state, fault=fault,
        applies=asked.need == "required" or asked.code in applies,
        copy_kind=brought.kind if brought else None, scanned=bool(brought and brought.material_id),
        wanted=Text(zh="") if line.does else sentence(wanted_of(asked, line.state, fault)),
    )  # fmt: skip


def fresh(session: Session, ticket: TicketInfo, item: Item) -> CaseView:
    """What the item of a ticket would become: its checklist, with the papers that were seen and scanned already."""
    known = case_lookups.brought(session, ticket.ticket_id)
    lines = cases.checklist(case_lookups.asked_of(item), known.values(), frozenset())
    return CaseView(
        number=ticket.number, item=item.code, item_name=item.name, kind=CaseKind(item.kind), days=item.promise_days,
        day_unit=item.day_unit, lines=item_lines(lines, frozenset()), complete=cases.is_complete(lines),
    )  # fmt: skip


def view(session: Session, profile: HallProfile, ticket: TicketInfo, row: CaseRow) -> CaseView:
    """A case, as it stands for the ticket at the window."""
    open_case = row.state not in (CaseState.DECIDED.value, CaseState.RETURNED.value)
    lines = case_lookups.lines_of(session, row, ticket.ticket_id if open_case else "")
    applies = frozenset(row.applies)
    return CaseView(
        number=ticket.number, local_case_no=row.local_case_no, item=row.item,
        item_name=profile.item_of(row.item, "", "").name, kind=CaseKind(row.kind), state=CaseState(row.state),
        days=row.days, day_unit="day" if row.day_unit == "day" else "workday", due=row.due_on or "",
        lines=item_lines(lines, applies), complete=cases.is_complete(lines),
        notices=tuple(_notice(n) for n in case_lookups.notices_of(session, row.local_case_no)),
    )  # fmt: skip


def _notice(row: NoticeRow) -> NoticeView:
    kind: Literal["accept", "supplement", "reject"] = "supplement"
    if row.kind != "supplement":
        kind = "accept" if row.kind == "accept" else "reject"
    return NoticeView(
        notice_no=row.notice_no, kind=kind, given=row.bizdate, answered=row.answered_on is not None,
        return_by=row.return_by or "",
    )  # fmt: skip


def come_back(profile: HallProfile, notice: NoticeRow, row: CaseRow, today: date) -> ComeBack:
    """What a notice leads back to."""
    waits = row.state == CaseState.SUPPLEMENT.value and notice.answered_on is None
    in_time = notice.return_by is not None and today.isoformat() <= notice.return_by
    return ComeBack(
        notice_no=notice.notice_no, item=row.item, item_name=profile.item_of(row.item, "", "").name,
        window=notice.window, return_by=notice.return_by or "", open=waits and in_time,
        bring=tuple(Text(zh=w.name) for w in wanted_in(notice)),
    )  # fmt: skip


def ending(rows: Iterable[CaseRow]) -> Ending:
    """What a visit with these cases ends with: whoever must come again hears of that first."""
    states = {CaseState(row.state) for row in rows}
    if not states:
        return "consulted"
    if CaseState.SUPPLEMENT in states:
        return "supplement"
    if CaseState.ACCEPTED in states or CaseState.RECEIVED in states:
        return "received"
    return "completed" if CaseState.DECIDED in states else "returned"
