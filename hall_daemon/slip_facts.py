"""What stands on a guide, a notice or the paper of a case, from the catalogue and from rows. Nothing of a person."""

from __future__ import annotations

from typing import Literal

from hall_daemon import case_views
from hall_daemon.clock import rfc3339
from hall_daemon.profile import HallProfile, Item
from hall_daemon.protocol import Text
from hall_daemon.slips import CaseFacts, GuideFacts, NoticeFacts, WantedPaper, window_range
from hall_daemon.tables_cases import CaseRow, NoticeRow
from hall_daemon.texts import text
from hall_daemon.workdays import DayUnit


def days_of(days: int, unit: DayUnit) -> Text:
    """A time limit in words."""
    if days <= 0:
        return text("slip.guide.same_visit")
    return text("slip.guide.days" if unit == "day" else "slip.guide.workdays", n=days)


def fee_of(item: Item) -> Text:
    """What it costs."""
    return Text(zh=item.published.fee) if item.published.fee else text("slip.guide.free")


def guide_facts(profile: HallProfile, item: Item, now_ms: int, *, large: bool = False, code: str = "") -> GuideFacts:
    """The nine published fields of an item."""
    published = item.published
    return GuideFacts(
        hall=profile.hall, item=item.name, dept=profile.dept_name(item.dept).zh,
        materials=tuple((m.name, text(f"slip.form.{m.copy}").zh) for m in item.materials),
        steps=text(f"slip.way.{item.kind}").zh, basis=published.basis,
        promise=days_of(0 if item.kind == "immediate" else item.promise_days, item.day_unit),
        law=days_of(published.legal_days, item.day_unit), fee=fee_of(item), responsible=published.responsible,
        phone=published.phone, complaint_phone=published.complaint_phone, printed=minute(now_ms),
        windows=window_range(profile.windows_for(item.queue)) if item.queue else "", large=large,
        code=code,
    )  # fmt: skip


def notice_facts(
    profile: HallProfile, item: Item, case: CaseRow, notice: NoticeRow, received: tuple[str, ...],
    copy: Literal[1, 2], *, reprint: bool,
) -> NoticeFacts:  # fmt: skip
    """One copy of a one-time notice."""
    return NoticeFacts(
        hall=profile.hall, notice_no=notice.notice_no, item=item.name, given=minute(notice.given_ms)[5:],
        window=notice.window, clerk=notice.clerk, received=received,
        wanted=tuple(
            WantedPaper(name=w.name, why=case_views.why(w).zh, how=case_views.how(w).zh)
            for w in case_views.wanted_in(notice)
        ),
        promise=days_of(case.days, _unit(case)), fee=fee_of(item), basis=item.published.basis,
        return_by=notice.return_by or notice.bizdate, code=notice.typed, phone=item.published.phone, copy=copy,
        reprint=reprint,
    )  # fmt: skip


def case_facts(
    profile: HallProfile, item: Item, case: CaseRow, notice: NoticeRow, received: tuple[str, ...], reason: str, *,
    reprint: bool,
) -> CaseFacts:  # fmt: skip
    """The notice of acceptance, or of refusal with its reason."""
    return CaseFacts(
        kind="reject" if notice.kind == "reject" else "accept", hall=profile.hall, notice_no=notice.notice_no,
        local_case_no=case.local_case_no, item=item.name, given=minute(notice.given_ms)[5:], window=notice.window,
        clerk=notice.clerk, received=() if notice.kind == "reject" else received, due=case.due_on or "",
        promise=days_of(case.days, _unit(case)) if case.days else None, reason=reason,
        complaint_phone=item.published.complaint_phone or "12345", code=case.local_case_no,
        phone=item.published.phone, reprint=reprint,
    )  # fmt: skip


def received_facts(
    profile: HallProfile, item: Item, case: CaseRow, received_ms: int, received: tuple[str, ...], *, reprint: bool
) -> CaseFacts:
    """The receipt of what was handed in; nothing is promised yet."""
    return CaseFacts(
        kind="received", hall=profile.hall, notice_no="", local_case_no=case.local_case_no, item=item.name,
        given=minute(received_ms)[5:], window=case.window, clerk=case.clerk, received=received,
        complaint_phone=item.published.complaint_phone or "12345", code=case.local_case_no,
        phone=item.published.phone, reprint=reprint,
    )  # fmt: skip


def _unit(case: CaseRow) -> DayUnit:
    return "day" if case.day_unit == "day" else "workday"


def minute(ms: int) -> str:
    """`2026-03-02 10:24`, hall time."""
    return rfc3339(ms)[:16].replace("T", " ")
