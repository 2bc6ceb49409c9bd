"""Appointments as the province has them, kept here so that a check-in needs no line. Reads and writes rows, no screen.

The higher revision wins. A check-in of this hall beats a cancellation that comes later: the resident is here and keeps
the number, the clerk sees a flag, the centre resolves it (province.md §7.7; faults E05, E06). The contract gives no
time of a cancellation, so one that was known before the check-in is the only one that precedes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlmodel import Session, col, select

from hall_daemon.clock import day_ms, moment_ms
from hall_daemon.province_shapes import Appointment, AppointmentPage
from hall_daemon.store import Tx
from hall_daemon.tables import AppointmentRow, MetaRow, TicketRow

HORIZON_DAYS = 7
KEPT_DAYS = 180
"""Keyed hashes are kept no longer (province.md §12)."""
CANCELLED_AFTER = "cancelled_after"
_CURSOR = "appointments_after"
_DAY_MS = 86_400_000


def cursor(session: Session, today: str) -> str:
    """Where the last page of this day ended; "" before the first.

    Each day begins anew: what was booked beyond the horizon may have come within it since, without a change.
    """
    row = session.get(MetaRow, _CURSOR)
    day, _, found = row.value.partition(" ") if row is not None else ("", "", "")
    return found if day == today else ""


def take_page(tx: Tx, page: AppointmentPage, today: str) -> int:
    """Keep a page and how far it goes, in one commit; how many appointments were new or changed."""
    changed = sum(_take(tx, appointment) for appointment in page.items)
    if page.next_cursor is not None:
        tx.session.merge(MetaRow(key=_CURSOR, value=f"{today} {page.next_cursor}"))
    return changed


def _take(tx: Tx, said: Appointment) -> bool:
    row = tx.session.get(AppointmentRow, said.id)
    if row is not None and said.rev <= row.rev:
        return False
    start_ms, end_ms = _slot_ms(said.bizdate, said.slot_start), _slot_ms(said.bizdate, said.slot_end)
    if start_ms is None or end_ms is None or end_ms < start_ms:
        return False  # nobody could come in a slot without a time
    flag = CANCELLED_AFTER if said.state == "cancelled" and honoured(tx.session, said.id) is not None else None
    tx.session.merge(
        AppointmentRow(
            id=said.id, code6=said.code6, item_codes=list(said.item_codes), bizdate=said.bizdate,
            slot_start_ms=start_ms, slot_end_ms=end_ms, id_type=said.id_type, id_hmac=said.id_hmac,
            name_masked=said.name_masked, phone_tail4=said.phone_tail4, state=said.state, rev=said.rev, flag=flag,
        )
    )  # fmt: skip
    return True


def _slot_ms(bizdate: str, time: str) -> int | None:
    """RFC 3339, as all times of the contract; or only the hour of that day (a guess: the contract gives no example)."""
    return moment_ms(time) or moment_ms(f"{bizdate}T{time}+08:00")


def honoured(session: Session, appointment_id: str) -> TicketRow | None:
    """The ticket that an appointment was checked in with."""
    return session.exec(select(TicketRow).where(TicketRow.appointment_id == appointment_id)).first()


def of_person(session: Session, bizdate: str, id_hmac: str) -> list[AppointmentRow]:
    """What somebody booked for this day and may still come for, earliest slot first."""
    question = select(AppointmentRow).where(
        AppointmentRow.bizdate == bizdate, AppointmentRow.id_hmac == id_hmac, AppointmentRow.state == "booked"
    )
    return _open(session, session.exec(question.order_by(col(AppointmentRow.slot_start_ms))).all())


def by_code(session: Session, bizdate: str, code6: str) -> list[AppointmentRow]:
    """The same by the code of the text message."""
    question = select(AppointmentRow).where(
        AppointmentRow.bizdate == bizdate, AppointmentRow.code6 == code6, AppointmentRow.state == "booked"
    )
    return _open(session, session.exec(question.order_by(col(AppointmentRow.slot_start_ms))).all())


def _open(session: Session, found: Sequence[AppointmentRow]) -> list[AppointmentRow]:
    return [row for row in found if honoured(session, row.id) is None]


def flags(session: Session, appointment_ids: Iterable[str]) -> dict[str, str]:
    """Appointment → what a clerk should know of it."""
    question = select(AppointmentRow.id, AppointmentRow.flag).where(col(AppointmentRow.id).in_(list(appointment_ids)))
    return {found: flag for found, flag in session.exec(question) if flag is not None}


def cancelled_after(session: Session, bizdate: str) -> frozenset[str]:
    """Ids of the tickets of a day whose appointment was cancelled after it had been honoured here."""
    flagged = select(AppointmentRow.id).where(AppointmentRow.bizdate == bizdate, AppointmentRow.flag == CANCELLED_AFTER)
    appointments = list(session.exec(flagged))
    if not appointments:
        return frozenset()
    return frozenset(session.exec(select(TicketRow.id).where(col(TicketRow.appointment_id).in_(appointments))))


def forget_old(tx: Tx) -> None:
    """Delete what is older than masks and keyed hashes may be kept; at the end of each day."""
    last = day_ms(tx.bizdate) - KEPT_DAYS * _DAY_MS
    tx.forget(AppointmentRow, col(AppointmentRow.slot_end_ms) < last)
