"""Taking a number: one person, one valid number a queue; the serial, the row and the event in one transaction.

Of the person only masks and keyed hashes are kept in the clear; the facts themselves go into the sealed envelope.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any

from sqlalchemy import insert
from sqlmodel import col, select

from drivers.base import CardDoubt
from hall_daemon import carts, case_lookups, lanes, limits, lookups, privacy, queueing
from hall_daemon.clock import Clock, hour_minute
from hall_daemon.config import Secrets
from hall_daemon.database import value
from hall_daemon.events import AppointmentCheckedIn, OperatorActed, Sealed, TicketIssued
from hall_daemon.profile import HallProfile, Item
from hall_daemon.store import Tx
from hall_daemon.tables import CarriedRow, SessionRow, TicketRow
from hall_daemon.tables_cases import NoticeRow
from hall_daemon.tables_clerks import PauseRow
from hall_daemon.tickets import AlreadyWaiting, HallClosed, Issued, IssueOrder, NoMoreNumbers, Slot, TooEarly
from hall_daemon.words import OPEN_STATES, Channel, IdentityMode, Priority, SlipState, TicketState

_SAME = "SELECT id FROM ticket WHERE request_id = :request_id"
_ARRIVE = (
    "UPDATE day SET open_ms = max(open_ms + 1, :now) WHERE bizdate = :bizdate AND closed_ms IS NULL RETURNING open_ms"
)
_PASSED = "UPDATE day SET open_ms = max(open_ms, :now) WHERE bizdate = :bizdate AND closed_ms IS NULL RETURNING open_ms"
_ONE_MORE = (
    "INSERT INTO counter (bizdate, series, last) VALUES (:bizdate, :series, 1) "
    "ON CONFLICT (bizdate, series) DO UPDATE SET last = last + 1 RETURNING last"
)


@dataclass(frozen=True, kw_only=True, repr=False)
class NewTicket:
    """What is known of a ticket when it is made; the same columns of a TicketRow, which costs as much as the commit."""

    id: str
    request_id: str
    bizdate: str
    queue: str
    series: str
    serial: int
    number: str
    item: str
    zone: str
    channel: str
    priority: str
    kiosk: str
    device: str
    identity_mode: str
    id_type: str | None
    card_expired: bool
    catver: int
    name_masked: str | None
    id_masked: str | None
    phone_masked: str | None
    id_hmac: str | None
    phone_hmac: str | None
    state: str
    since_ms: int
    issued_ms: int
    lane: str
    arrived_ms: int
    arrival_ms: int
    callable_ms: int | None
    appointment_id: str | None
    slot_start_ms: int | None
    slot_end_ms: int | None
    slip: str
    for_window: str | None
    legs: list[dict[str, str]]


_KNOWN = {field.name for field in fields(NewTicket)}
_UNTOUCHED = {name: field.default for name, field in TicketRow.model_fields.items() if name not in _KNOWN}
"""The other columns, as they are before anything is done with a ticket."""
_TAKE_IN = str(insert(TicketRow))


@dataclass(frozen=True, kw_only=True, repr=False)
class Person:
    """What is kept of a person: masks and hashes in the clear, facts only for the envelope."""

    mode: IdentityMode = IdentityMode.NONE
    id_type: str | None = None
    card_expired: bool = False
    name_masked: str | None = None
    id_masked: str | None = None
    phone_masked: str | None = None
    id_hmac: str | None = None
    phone_hmac: str | None = None
    facts: dict[str, str]


def issue(
    tx: Tx,
    order: IssueOrder,
    *,
    profile: HallProfile,
    secrets: Secrets,
    clock: Clock,
    open_time_ms: int,
    priority_from: int,
) -> Issued:
    """Create a ticket, or find the one that this very order has created. Raises HallClosed, AlreadyWaiting, TooEarly,
    NoMoreNumbers."""
    same_id = value(tx.session, _SAME, {"request_id": order.request_id})
    if same_id is not None:
        same = tx.session.get_one(TicketRow, same_id)
        return _issued(profile, same, event=0, ahead=lookups.ahead_of(tx.session, same), repeated=True)
    legs = carts.legs_of(profile, (order.item, *order.more_items))
    first = carts.first_ready(legs)
    item = profile.items[first["item"]]
    person = _person(order, secrets.match)
    if not order.again_reason:
        _refuse_second_number(tx, profile, [leg["queue"] for leg in legs], person)
    if order.channel is not Channel.COUNTER:
        limits.check(tx, profile, (order.item, *order.more_items), person.id_hmac or person.phone_hmac)
    carried, notice = _carried(tx, item.queue, person), _notice(tx, order)
    if notice is not None or (carried is not None and order.priority is Priority.NORMAL):
        order = replace(order, priority=Priority.GREEN)
    priority, slot = _priority(tx, order, priority_from)
    ahead = lookups.count_waiting(tx.session, tx.bizdate, item.queue)
    stand = _stand(tx, priority, slot, arrive(tx, open_time_ms))
    if notice is not None:
        stand = replace(stand, for_window=_window_of(tx, profile, notice.clerk, item.queue))
    several = len(legs) > 1 or "more" in first
    row = _new_ticket(tx, order, item, person, legs if several else [], stand, clock.new_id())
    value(tx.session, _TAKE_IN, _UNTOUCHED | vars(row) | {"legs": json.dumps(row.legs)})
    _honour(row, carried, notice)
    event = _tell(tx, row, order, _codes(profile, order), ahead, secrets, clock, person)
    if order.slot is not None:
        _tell_check_in(tx, row, order.slot)
    return _issued(profile, row, event=event, ahead=ahead, repeated=False, late=order.slot is not None and slot is None)


def _carried(tx: Tx, queue: str, person: Person) -> CarriedRow | None:
    """The number that an emergency ended for this person in this queue, not honoured yet (fault G08)."""
    known = [value for value in (person.id_hmac, person.phone_hmac) if value]
    if not known:
        return None
    return tx.session.exec(
        select(CarriedRow).where(
            CarriedRow.queue == queue, col(CarriedRow.used_by).is_(None),
            col(CarriedRow.id_hmac).in_(known) | col(CarriedRow.phone_hmac).in_(known),
        )
    ).first()  # fmt: skip


def _notice(tx: Tx, order: IssueOrder) -> NoticeRow | None:
    """The notice that the resident brings the papers for, while it waits for them. Raises NotFound."""
    if not order.notice_no:
        return None
    notice = case_lookups.notice(tx.session, order.notice_no)
    return notice if notice.kind == case_lookups.SUPPLEMENT and notice.answered_on is None else None


def _honour(row: NewTicket, carried: CarriedRow | None, notice: NoticeRow | None) -> None:
    """What this number was given for is used up by it."""
    if carried is not None:
        carried.used_by = row.id
    if notice is not None:
        notice.back_ticket = row.id


def _window_of(tx: Tx, profile: HallProfile, clerk: str, queue: str) -> str | None:
    """Where this clerk sits and calls this queue now; the resident is theirs (首问负责)."""
    session = tx.session.exec(select(SessionRow).where(SessionRow.clerk == clerk)).first()
    if session is None or tx.session.get(PauseRow, session.window) is not None:
        return None
    window = profile.windows.get(session.window)
    return session.window if window is not None and queue in window.queues else None


def _tell(
    tx: Tx, row: NewTicket, order: IssueOrder, codes: tuple[str, ...], ahead: int, secrets: Secrets, clock: Clock,
    person: Person,
) -> int:  # fmt: skip
    event_id = clock.new_id()
    pii = _seal(secrets.pii, event_id, person.facts)
    event = tx.emit(_event(row, order, codes, pii, ahead), event_id=event_id, aggseq=1, kept=kept_of(row))
    if order.again_reason:
        tx.emit(
            OperatorActed(
                actor="clerk", actor_id=order.clerk or "none", action="second_number", target=f"ticket/{row.id}",
                result="done", reason_text=order.again_reason,
            )
        )  # fmt: skip
    return event


def kept_of(row: TicketRow | NewTicket) -> dict[str, Any]:
    """What a replay needs to know of a new ticket and its event does not say."""
    kept: dict[str, Any] = {
        "request_id": row.request_id, "kiosk": row.kiosk, "item": row.item, "open_ms": row.arrived_ms,
        "arrival_ms": row.arrival_ms, "callable_ms": row.callable_ms, "phone_hmac": row.phone_hmac,
        "slot_start_ms": row.slot_start_ms, "slot_end_ms": row.slot_end_ms, "catver": row.catver,
    }  # fmt: skip
    if row.card_expired:
        kept["card_expired"] = True
    if row.legs:
        kept["legs"] = row.legs
    if row.for_window:
        kept["for_window"] = row.for_window
    return kept


def _codes(profile: HallProfile, order: IssueOrder) -> tuple[str, ...]:
    found = [code for item in (order.item, *order.more_items) for code in profile.items[item].codes]
    return tuple(dict.fromkeys(found))


def arrive(tx: Tx, open_time_ms: int) -> int:
    """Virtual arrival at the end of the line: open time so far, strictly later than the one before.

    Raises HallClosed.
    """
    question = {"bizdate": tx.bizdate, "now": open_time_ms}
    arrival_ms: int | None = value(tx.session, _ARRIVE, question)
    if arrival_ms is None:
        raise HallClosed()
    tx.open_ms = arrival_ms
    return arrival_ms


def passed(tx: Tx, open_time_ms: int) -> int:
    """Open time so far, kept with the day, so that it does not go back when the daemon starts anew.

    One moment for the whole transaction: what a row keeps of it and what is kept beside the event must be the same.
    """
    if tx.open_ms is None:
        asked = {"bizdate": tx.bizdate, "now": open_time_ms}
        kept: int | None = value(tx.session, _PASSED, asked)
        tx.open_ms = open_time_ms if kept is None else kept
    return tx.open_ms


@dataclass(frozen=True, kw_only=True)
class Stand:
    """Where a new ticket stands. Open time, but for the slot."""

    priority: Priority
    arrived_ms: int
    arrival_ms: int
    callable_ms: int | None = None
    slot: Slot | None = None
    for_window: str | None = None


def _priority(tx: Tx, order: IssueOrder, from_age: int) -> tuple[Priority, Slot | None]:
    if order.slot is not None:
        _refuse_second_check_in(tx, order.slot)
    return priority_at(order, date.fromisoformat(tx.bizdate), tx.now_ms, from_age)


def priority_at(order: IssueOrder, day: date, now_ms: int, from_age: int) -> tuple[Priority, Slot | None]:
    """The priority, and the slot if it is honoured; who comes after the grace is in the ordinary line.

    Raises TooEarly.
    """
    birth, slot = _birth(order), order.slot
    if slot is None:
        return lanes.priority_of(order.priority, birth, day, from_age), None
    standing = lanes.check_in(now_ms, slot.start_ms, slot.end_ms)
    if standing is lanes.CheckIn.EARLY:
        raise TooEarly(slot=hour_minute(slot.start_ms), from_time=hour_minute(slot.start_ms - lanes.EARLY_MS))
    if standing is lanes.CheckIn.LATE:
        return lanes.priority_of(Priority.NORMAL, birth, day, from_age), None
    return Priority.APPOINTMENT, slot


def _birth(order: IssueOrder) -> date | None:
    """Of the person whose number it is to be: whoever fetches it for them, old or young, changes nothing."""
    if order.behalf:
        return lanes.birth_of(order.behalf)
    card = order.card
    return card.birth or lanes.birth_of(card.id_no) if card is not None else lanes.birth_of(order.typed_id)


def _refuse_second_check_in(tx: Tx, slot: Slot) -> None:
    earlier = tx.session.exec(
        select(TicketRow).where(TicketRow.bizdate == tx.bizdate, TicketRow.appointment_id == slot.appointment_id)
    ).first()
    if earlier is not None:
        raise AlreadyWaiting(number=earlier.number, ahead=lookups.ahead_of(tx.session, earlier))


def _stand(tx: Tx, priority: Priority, slot: Slot | None, arrived_ms: int) -> Stand:
    if slot is None:
        return Stand(
            priority=priority, arrived_ms=arrived_ms, arrival_ms=lanes.virtual_arrival_ms(arrived_ms, priority)
        )
    begins_ms = lanes.slot_in_open_time_ms(arrived_ms, tx.now_ms, slot.start_ms)
    return Stand(
        priority=priority, arrived_ms=arrived_ms, arrival_ms=lanes.slot_arrival_ms(arrived_ms, begins_ms),
        callable_ms=begins_ms, slot=slot,
    )  # fmt: skip


def _new_ticket(
    tx: Tx, order: IssueOrder, item: Item, person: Person, legs: list[dict[str, str]], stand: Stand, ticket_id: str
) -> NewTicket:
    lane = lanes.lane_of(stand.priority)
    name = queueing.series(item.queue, lane)
    serial = _next_serial(tx, name)
    return NewTicket(
        id=ticket_id, request_id=order.request_id, bizdate=tx.bizdate, queue=item.queue, series=name, serial=serial,
        number=queueing.display_number(name, serial), item=item.code, zone=item.zone, channel=order.channel.value,
        priority=stand.priority.value, kiosk=order.kiosk, device=order.device_id, identity_mode=person.mode.value,
        id_type=person.id_type, card_expired=person.card_expired, catver=tx.catver, name_masked=person.name_masked,
        id_masked=person.id_masked, phone_masked=person.phone_masked, id_hmac=person.id_hmac,
        phone_hmac=person.phone_hmac,
        state=TicketState.WAITING.value, since_ms=tx.now_ms, issued_ms=tx.now_ms, lane=lane.value,
        arrived_ms=stand.arrived_ms, arrival_ms=stand.arrival_ms, callable_ms=stand.callable_ms,
        appointment_id=order.slot.appointment_id if order.slot else None,
        slot_start_ms=stand.slot.start_ms if stand.slot else None,
        slot_end_ms=stand.slot.end_ms if stand.slot else None,
        slip=(SlipState.PENDING if order.printed_required else SlipState.NONE).value,
        for_window=stand.for_window, legs=legs,
    )  # fmt: skip


def _tell_check_in(tx: Tx, row: NewTicket, slot: Slot) -> None:
    tx.emit(
        AppointmentCheckedIn(
            appointment_id=slot.appointment_id, ticket_id=row.id, device_id=row.device,
            slot_delta_s=(tx.now_ms - slot.start_ms) // 1000,
        )
    )  # fmt: skip


def _event(row: NewTicket, order: IssueOrder, codes: tuple[str, ...], pii: Sealed | None, ahead: int) -> TicketIssued:
    return TicketIssued(
        ticket_id=row.id, display_no=row.number, queue_code=row.queue, serial=row.serial, channel=order.channel,
        priority=Priority(row.priority), identity_mode=IdentityMode(row.identity_mode), id_type=row.id_type,
        name_masked=row.name_masked, id_masked=row.id_masked, phone_masked=row.phone_masked, id_hmac=row.id_hmac,
        pii=pii, item_codes=codes, zone_code=row.zone, waiting_ahead=ahead, device_id=order.device_id,
        appointment_id=row.appointment_id, printed_required=order.printed_required, est_wait_s=order.expected_s,
    )  # fmt: skip


def _issued(
    profile: HallProfile, row: TicketRow | NewTicket, *, event: int, ahead: int, repeated: bool, late: bool = False
) -> Issued:
    return Issued(
        ticket_id=row.id,
        number=row.number,
        item=profile.item_of(row.item, row.zone, row.queue, row.catver),
        zone=profile.zone_of(row.zone),
        windows=profile.windows_for(row.queue),
        waiting_ahead=ahead,
        event=event,
        repeated=repeated,
        late=late,
        priority=Priority(row.priority),
    )


def _person(order: IssueOrder, match: privacy.Key | None) -> Person:
    card = order.card
    id_type, id_no, name, mode = "", "", "", IdentityMode.NONE
    if card is not None:
        id_type, id_no, name = card.id_type, card.id_no, card.name or card.name_en
        mode = IdentityMode.ID_CARD
    elif order.typed_id:
        id_type, id_no, mode = order.typed_type, order.typed_id, IdentityMode.MANUAL
    facts = {"name": name, "id_type": id_type if id_no else "", "id_no": id_no, "phone": order.phone}
    if order.behalf:
        # Whom the number is for is known by a typed number only; the card's owner is the agent (province.md §4).
        agent = {"agent_name": name, "agent_id_type": id_type, "agent_id_no": id_no}
        id_type, id_no, name, mode = "111", order.behalf, "", IdentityMode.MANUAL
        facts = {**agent, "id_type": id_type, "id_no": id_no, "phone": order.phone}
    return Person(
        mode=mode,
        id_type=id_type or None,
        card_expired=card is not None and CardDoubt.EXPIRED in card.doubts,
        name_masked=privacy.mask_name(name) or None,
        id_masked=privacy.mask_id(id_no) or None,
        phone_masked=privacy.mask_phone(order.phone) or None,
        id_hmac=privacy.id_hmac(match, id_type, id_no) if match and id_no else None,
        phone_hmac=privacy.id_hmac(match, "phone", order.phone) if match and order.phone else None,
        facts={key: value for key, value in facts.items() if value},
    )


def _seal(key: privacy.Key | None, event_id: str, facts: dict[str, str]) -> Sealed | None:
    return privacy.seal(key, event_id, facts) if key and facts else None


def _refuse_second_number(tx: Tx, profile: HallProfile, queues: list[str], person: Person) -> None:
    """By keyed hash of the ID number, else of the phone; a number for several things counts in each of its queues."""
    column, value = (TicketRow.id_hmac, person.id_hmac) if person.id_hmac else (TicketRow.phone_hmac, person.phone_hmac)
    if value is None:
        return
    theirs = tx.session.exec(
        select(TicketRow).where(
            # The index of persons begins with day and queue.
            TicketRow.bizdate == tx.bizdate, col(TicketRow.queue).in_(profile.queues), column == value,
            col(TicketRow.state).in_([s.value for s in OPEN_STATES]),
        )
    )  # fmt: skip
    for earlier in theirs:
        if not carts.open_queues(earlier.queue, earlier.legs).isdisjoint(queues):
            raise AlreadyWaiting(number=earlier.number, ahead=lookups.ahead_of(tx.session, earlier))


def _next_serial(tx: Tx, name: str) -> int:
    series = {"bizdate": tx.bizdate, "series": name}
    serial: int = value(tx.session, _ONE_MORE, series)
    if serial > queueing.LAST_SERIAL:
        raise NoMoreNumbers()
    return serial
