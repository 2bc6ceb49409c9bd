"""Questions about cases: pure reads on a session, for the verbs, the screens, and the alarms."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlmodel import Session, col, or_, select

from hall_daemon import cases
from hall_daemon.cases import Asked, Brought, CaseState, Line, Pause, Waiver
from hall_daemon.profile import Item
from hall_daemon.tables import MaterialRow
from hall_daemon.tables_cases import CasePaperRow, CaseRow, NoticeRow
from hall_daemon.tables_clerks import TickRow
from hall_daemon.tickets import NotFound
from hall_daemon.words import CopyKind
from hall_daemon.workdays import Calendar, DayUnit

SUPPLEMENT = "supplement"


def asked_of(item: Item) -> tuple[Asked, ...]:
    """What an item of the catalogue asks for."""
    return tuple(
        Asked(
            code=m.code, name=m.name, need=m.need, copy=m.copy, waivable_by=frozenset(Waiver(w) for w in m.waivable_by)
        )
        for m in item.materials
    )


def kept(asked: Iterable[Asked]) -> list[dict[str, Any]]:
    """As the row of a case keeps it. Any: JSON."""
    return [
        {"code": a.code, "name": a.name, "need": a.need, "copy": a.copy, "waivable_by": sorted(a.waivable_by)}
        for a in asked
    ]


def asked_in(row: CaseRow) -> tuple[Asked, ...]:
    """What the item asked for when the case was received."""
    return tuple(Asked(**{**a, "waivable_by": frozenset(Waiver(w) for w in a["waivable_by"])}) for a in row.asked)


def scanned(session: Session, ticket_id: str, local_case_no: str = "") -> list[Brought]:
    """Papers scanned under a ticket, the newest of each kind last; not those that were filed for another case."""
    question = select(MaterialRow).where(
        MaterialRow.ticket_id == ticket_id, col(MaterialRow.withdrawn_ms).is_(None),
        or_(col(MaterialRow.local_case_no).is_(None), col(MaterialRow.local_case_no) == local_case_no),
    )  # fmt: skip
    rows = session.exec(question.order_by(col(MaterialRow.filed_ms)))
    return [Brought(code=r.code, kind=CopyKind(r.copy_kind), material_id=r.id) for r in rows]


def last_filed(session: Session, ticket_id: str, code: str) -> MaterialRow | None:
    """What was last filed under a ticket with this code and has not been withdrawn."""
    filed = select(MaterialRow).where(
        MaterialRow.ticket_id == ticket_id, MaterialRow.code == code, col(MaterialRow.withdrawn_ms).is_(None)
    )
    return session.exec(filed.order_by(col(MaterialRow.filed_ms).desc(), col(MaterialRow.id).desc())).first()


def paper_rows(session: Session, local_case_no: str) -> list[CasePaperRow]:
    """Papers of a case by code."""
    question = select(CasePaperRow).where(CasePaperRow.local_case_no == local_case_no)
    return list(session.exec(question.order_by(col(CasePaperRow.code))))


def papers(session: Session, local_case_no: str) -> list[Brought]:
    """Papers of a case as they were judged last; not those whose pages were withdrawn since."""
    rows = paper_rows(session, local_case_no)
    named = [r.material_id for r in rows if r.material_id]
    gone = select(MaterialRow.id).where(col(MaterialRow.id).in_(named), col(MaterialRow.withdrawn_ms).is_not(None))
    withdrawn = set(session.exec(gone)) if named else set()
    return [
        Brought(code=r.code, kind=CopyKind(r.copy_kind), fault=r.fault, material_id=r.material_id or "")
        for r in rows
        if r.material_id not in withdrawn
    ]


def brought(session: Session, ticket_id: str, local_case_no: str = "") -> dict[str, Brought]:
    """What is known of the papers by code: as judged last, then seen since, then scanned under this ticket."""
    judged_ms = {r.code: r.taken_ms for r in paper_rows(session, local_case_no)}
    found = {paper.code: paper for paper in papers(session, local_case_no)}
    for tick in session.exec(select(TickRow).where(TickRow.ticket_id == ticket_id).order_by(col(TickRow.code))):
        if tick.made_ms > judged_ms.get(tick.code, -1):
            before = found.get(tick.code)
            found[tick.code] = Brought(
                code=tick.code, kind=CopyKind.ORIGINAL_SEEN, material_id=before.material_id if before else ""
            )
    return found | {paper.code: paper for paper in scanned(session, ticket_id, local_case_no)}


def lines_of(session: Session, row: CaseRow, ticket_id: str = "") -> tuple[Line, ...]:
    """The checklist of a case; with what was seen and scanned under a ticket meanwhile."""
    known = brought(session, ticket_id, row.local_case_no)
    return cases.checklist(asked_in(row), known.values(), frozenset(row.applies))


def of_ticket(session: Session, ticket_id: str) -> list[CaseRow]:
    """Cases received under a ticket, and those whose resident came back with it."""
    came_back = select(NoticeRow.local_case_no).where(NoticeRow.back_ticket == ticket_id)
    question = select(CaseRow).where(or_(CaseRow.ticket_id == ticket_id, col(CaseRow.local_case_no).in_(came_back)))
    return list(session.exec(question.order_by(col(CaseRow.local_case_no))))


def case_for(session: Session, ticket_id: str, local_case_no: str) -> str | None:
    """The case that pages of a ticket belong to: the one that is named, else the only open one.

    Raises NotFound for a case that is not this ticket's.
    """
    ended = (CaseState.DECIDED.value, CaseState.RETURNED.value)
    found = [row.local_case_no for row in of_ticket(session, ticket_id) if row.state not in ended]
    if local_case_no and local_case_no not in found:
        raise NotFound(what=local_case_no)
    return local_case_no or (found[0] if len(found) == 1 else None)


def by_no(session: Session, local_case_no: str) -> CaseRow:
    """Raises NotFound."""
    row = session.get(CaseRow, local_case_no)
    if row is None:
        raise NotFound(what=local_case_no)
    return row


def notices_of(session: Session, local_case_no: str) -> list[NoticeRow]:
    """Oldest first."""
    return list(
        session.exec(
            select(NoticeRow).where(NoticeRow.local_case_no == local_case_no).order_by(col(NoticeRow.given_ms))
        )
    )


def notice(session: Session, number: str) -> NoticeRow:
    """The latest notice of this number, with or without its dashes. Raises NotFound."""
    row = session.exec(
        select(NoticeRow)
        .where(NoticeRow.typed == cases.typed_notice(number))
        .order_by(col(NoticeRow.bizdate).desc())
        .limit(1)
    ).first()
    if row is None:
        raise NotFound(what=number)
    return row


def open_notices_of(session: Session, id_hmac: str) -> list[NoticeRow]:
    """Notices that this person has not answered yet, oldest first."""
    mine = select(CaseRow.local_case_no).where(CaseRow.id_hmac == id_hmac, CaseRow.state == CaseState.SUPPLEMENT.value)
    question = select(NoticeRow).where(
        NoticeRow.kind == SUPPLEMENT, col(NoticeRow.answered_on).is_(None), col(NoticeRow.local_case_no).in_(mine)
    )
    return list(session.exec(question.order_by(col(NoticeRow.given_ms))))


def due_on(row: CaseRow, accepted_on: str, calendar: Calendar, stood: Iterable[Pause]) -> str | None:
    """The last day of a case's promise; None: there is none, or its clock stands."""
    unit: DayUnit = "day" if row.day_unit == "day" else "workday"
    due = cases.due_date(date.fromisoformat(accepted_on), row.days, unit, calendar, stood)
    return due.isoformat() if due else None


def asked_again(session: Session, ticket_id: str) -> tuple[frozenset[str], frozenset[str]]:
    """Codes of the papers that a standing notice of this ticket's cases names; and the numbers of all its cases."""
    rows = of_ticket(session, ticket_id)
    standing = [
        n
        for row in rows
        if row.state == CaseState.SUPPLEMENT.value
        for n in notices_of(session, row.local_case_no)
        if n.kind == SUPPLEMENT and n.answered_on is None
    ]
    codes = frozenset(str(wanted["code"]) for n in standing for wanted in n.wanted)
    return codes, frozenset(row.local_case_no for row in rows)


def received_before(session: Session, bizdate: str, most: int) -> list[CaseRow]:
    """Cases that were received up to a day and wait for 受理, the longest wait first."""
    question = select(CaseRow).where(CaseRow.state == CaseState.RECEIVED.value, CaseRow.bizdate <= bizdate)
    return list(session.exec(question.order_by(col(CaseRow.since_ms)).limit(most)))


def pauses(notices: Iterable[NoticeRow]) -> list[Pause]:
    """When the clock of a case stood."""
    return [
        Pause(since=date.fromisoformat(n.bizdate), until=date.fromisoformat(n.answered_on) if n.answered_on else None)
        for n in notices
        if n.kind == SUPPLEMENT
    ]


# --- alarms -----------------------------------------------------------------------------------------------------------


def repeated_notices(session: Session, bizdate: str) -> list[NoticeRow]:
    """Notices of a day for cases that had been given one before (电子监察), oldest first."""
    given = session.exec(
        select(NoticeRow).where(NoticeRow.bizdate == bizdate, NoticeRow.kind == SUPPLEMENT)
        .order_by(col(NoticeRow.given_ms))
    ).all()  # fmt: skip
    return [n for n in given if _earlier(session, n)]


def _earlier(session: Session, row: NoticeRow) -> bool:
    same = [n for n in notices_of(session, row.local_case_no) if n.kind == SUPPLEMENT]
    return same.index(row) > 0


def overdue(session: Session, today: date) -> list[CaseRow]:
    """Accepted cases whose promise is broken, the oldest due day first."""
    question = select(CaseRow).where(CaseRow.state == CaseState.ACCEPTED.value, col(CaseRow.due_on) < today.isoformat())
    return list(session.exec(question.order_by(col(CaseRow.due_on))))
