"""Appointments that check in: found by card or by the code of the text message, one step to a number of lane Y.

Whether the hour is right is a rule (lanes); what is known of appointments is stored (appointments). One that this hall
has not heard of is taken on a clerk's word while the list is stale, with a note; the centre resolves it by its code
(fault E06). One that has been honoured is not found again, so nobody queues twice (E05).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlmodel import Session, select

from hall_daemon import appointments, privacy
from hall_daemon.events import OperatorActed
from hall_daemon.hall import Hall
from hall_daemon.lanes import CheckIn, check_in
from hall_daemon.tables import AppointmentRow, TicketRow
from hall_daemon.tickets import Issued, IssueOrder, NotFound, Slot
from hall_daemon.words import Channel


@dataclass(frozen=True, kw_only=True)
class Booked:
    """An appointment of today that may still be honoured."""

    appointment_id: str
    items: tuple[str, ...]
    """Those of them that this hall offers now."""
    slot: Slot
    standing: CheckIn
    name_masked: str


async def by_person(hall: Hall, id_type: str, id_no: str) -> tuple[Booked, ...]:
    """What the holder of a document booked for today, earliest first; nothing without the match key."""
    key = hall.config.secrets.match
    if key is None or not id_no:
        return ()
    hmac, bizdate = privacy.id_hmac(key, id_type, id_no), (await hall.snapshot()).bizdate
    return _booked(hall, await hall.store.read(lambda s: appointments.of_person(s, bizdate, hmac)))


async def by_code(hall: Hall, code6: str) -> tuple[Booked, ...]:
    """What the code of a text message stands for today."""
    bizdate = (await hall.snapshot()).bizdate
    return _booked(hall, await hall.store.read(lambda s: appointments.by_code(s, bizdate, code6)))


async def number_of(hall: Hall, request_id: str) -> str:
    """The number that this very order has been given already; "" if none. Whoever lost the answer asks again, and the
    appointment, which is honoured by then, is not found any more."""

    def question(session: Session) -> str:
        found = session.exec(select(TicketRow.number).where(TicketRow.request_id == request_id)).first()
        return found or ""

    return await hall.store.read(question)


def _booked(hall: Hall, rows: Sequence[AppointmentRow]) -> tuple[Booked, ...]:
    now_ms = hall.clock.now_ms()
    return tuple(
        Booked(
            appointment_id=row.id, items=tuple(code for code in row.item_codes if hall.profile.takes(code)),
            slot=Slot(appointment_id=row.id, start_ms=row.slot_start_ms, end_ms=row.slot_end_ms),
            standing=check_in(now_ms, row.slot_start_ms, row.slot_end_ms), name_masked=row.name_masked,
        )
        for row in rows
    )  # fmt: skip


async def take(hall: Hall, booked: Booked, order: IssueOrder) -> Issued:
    """The number of an appointment; `order` says who asks and where. Raises NotFound, and what issue raises."""
    if not booked.items:
        raise NotFound(what=booked.appointment_id)
    first, *more = booked.items
    return await hall.issue(
        replace(order, item=first, more_items=tuple(more), slot=booked.slot, channel=Channel.APPOINTMENT)
    )


async def take_unlisted(hall: Hall, code6: str, order: IssueOrder, clerk: str) -> Issued:
    """An appointment on a clerk's word: the resident shows its code, the list here does not have it (E06).

    Raises what issue raises.
    """
    now_ms = hall.clock.now_ms()
    slot = Slot(appointment_id=code6, start_ms=now_ms, end_ms=now_ms)
    issued = await hall.issue(replace(order, slot=slot, channel=Channel.APPOINTMENT))
    if not issued.repeated:
        noted = OperatorActed(
            actor="clerk", actor_id=clerk, action="appointment.unlisted", target=f"ticket/{issued.ticket_id}",
            result="done", reason_text=f"offline, code {code6}",
        )  # fmt: skip
        await hall.store.write(lambda tx: tx.emit(noted))
    return issued
