"""Taking a number: one person, one valid number a queue; the serial, the row and the event in one transaction.

Of the person only masks and keyed hashes are kept in the clear; the facts themselves go into the sealed envelope.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert
from sqlalchemy import text as sql
from sqlmodel import col, select

from drivers.base import CardDoubt
from hall_daemon import lookups, privacy, queueing
from hall_daemon.clock import Clock
from hall_daemon.config import Secrets
from hall_daemon.events import Sealed, TicketIssued
from hall_daemon.profile import HallProfile, Item
from hall_daemon.store import Tx
from hall_daemon.tables import TicketRow
from hall_daemon.tickets import AlreadyWaiting, HallClosed, Issued, IssueOrder, NoMoreNumbers
from hall_daemon.words import OPEN_STATES, IdentityMode, Lane, SlipState, TicketState

# Run for every number that is taken; the ORM costs ten times the SQL.
_SAME = sql("SELECT id FROM ticket WHERE request_id = :request_id")
_ARRIVE = sql(
    "UPDATE day SET open_ms = max(open_ms + 1, :now) WHERE bizdate = :bizdate AND closed_ms IS NULL RETURNING open_ms"
)
_ONE_MORE = sql(
    "INSERT INTO counter (bizdate, series, last) VALUES (:bizdate, :series, 1) "
    "ON CONFLICT (bizdate, series) DO UPDATE SET last = last + 1 RETURNING last"
)
_NEW_TICKET = insert(TicketRow)


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
    tx: Tx, order: IssueOrder, *, profile: HallProfile, secrets: Secrets, clock: Clock, open_time_ms: int
) -> Issued:
    """Create a ticket, or find the one that this very order has created. Raises HallClosed, AlreadyWaiting,
    NoMoreNumbers."""
    same_id = tx.session.connection().execute(_SAME, {"request_id": order.request_id}).scalar()
    if same_id is not None:
        same = tx.session.get_one(TicketRow, same_id)
        return _issued(profile, same, event=0, ahead=lookups.ahead_of(tx.session, same), repeated=True)
    item = profile.items[order.item]
    person = _person(order, secrets.match)
    _refuse_second_number(tx, item.queue, person)
    ahead = lookups.count_waiting(tx.session, tx.bizdate, item.queue)
    row = _new_row(tx, order, item, person, ticket_id=clock.new_id(), arrival_ms=arrive(tx, open_time_ms))
    event_id = clock.new_id()
    pii = _seal(secrets.pii, event_id, person.facts)
    event = tx.emit(_event(row, order, item, pii, ahead), event_id=event_id)
    return _issued(profile, row, event=event, ahead=ahead, repeated=False)


def arrive(tx: Tx, open_time_ms: int) -> int:
    """Virtual arrival at the end of the line: open time so far, strictly later than the one before.

    Raises HallClosed.
    """
    question = {"bizdate": tx.bizdate, "now": open_time_ms}
    arrival_ms: int | None = tx.session.connection().execute(_ARRIVE, question).scalar()
    if arrival_ms is None:
        raise HallClosed()
    return arrival_ms


def _new_row(tx: Tx, order: IssueOrder, item: Item, person: Person, *, ticket_id: str, arrival_ms: int) -> TicketRow:
    name = queueing.series(item.queue, Lane.NORMAL)
    serial = _next_serial(tx, name)
    row = TicketRow(
        id=ticket_id, request_id=order.request_id, bizdate=tx.bizdate, queue=item.queue, series=name, serial=serial,
        number=queueing.display_number(name, serial), item=item.code, zone=item.zone, channel=order.channel.value,
        priority=order.priority.value, kiosk=order.kiosk, device=order.device_id, identity_mode=person.mode.value,
        id_type=person.id_type, card_expired=person.card_expired, name_masked=person.name_masked,
        id_masked=person.id_masked, phone_masked=person.phone_masked, id_hmac=person.id_hmac,
        phone_hmac=person.phone_hmac,
        state=TicketState.WAITING.value, since_ms=tx.now_ms, issued_ms=tx.now_ms, arrival_ms=arrival_ms,
        slip=(SlipState.PENDING if order.printed_required else SlipState.NONE).value,
    )  # fmt: skip
    tx.session.connection().execute(_NEW_TICKET, row.model_dump())
    return row


def _event(row: TicketRow, order: IssueOrder, item: Item, pii: Sealed | None, ahead: int) -> TicketIssued:
    return TicketIssued(
        ticket_id=row.id, display_no=row.number, queue_code=row.queue, serial=row.serial, channel=order.channel,
        priority=order.priority, identity_mode=IdentityMode(row.identity_mode), id_type=row.id_type,
        name_masked=row.name_masked, id_masked=row.id_masked, phone_masked=row.phone_masked, id_hmac=row.id_hmac,
        pii=pii, item_codes=item.codes, zone_code=row.zone, waiting_ahead=ahead, device_id=order.device_id,
        printed_required=order.printed_required,
    )  # fmt: skip


def _issued(profile: HallProfile, row: TicketRow, *, event: int, ahead: int, repeated: bool) -> Issued:
    return Issued(
        ticket_id=row.id,
        number=row.number,
        item=profile.item_of(row.item, row.zone, row.queue),
        zone=profile.zone_of(row.zone),
        windows=profile.windows_for(row.queue),
        waiting_ahead=ahead,
        event=event,
        repeated=repeated,
    )


def _person(order: IssueOrder, match: privacy.Key | None) -> Person:
    card = order.card
    id_type, id_no, name, mode = "", "", "", IdentityMode.NONE
    if card is not None:
        id_type, id_no, name = card.id_type, card.id_no, card.name or card.name_en
        mode = IdentityMode.ID_CARD
    elif order.typed_id:
        id_type, id_no, mode = "111", order.typed_id, IdentityMode.MANUAL
    facts = {"name": name, "id_type": id_type if id_no else "", "id_no": id_no, "phone": order.phone}
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


def _refuse_second_number(tx: Tx, queue: str, person: Person) -> None:
    """By keyed hash of the ID number, else of the phone."""
    column, value = (TicketRow.id_hmac, person.id_hmac) if person.id_hmac else (TicketRow.phone_hmac, person.phone_hmac)
    if value is None:
        return
    earlier = tx.session.exec(
        select(TicketRow).where(
            TicketRow.bizdate == tx.bizdate, TicketRow.queue == queue, column == value,
            col(TicketRow.state).in_([s.value for s in OPEN_STATES]),
        )
    ).first()  # fmt: skip
    if earlier is not None:
        raise AlreadyWaiting(number=earlier.number, ahead=lookups.ahead_of(tx.session, earlier))


def _next_serial(tx: Tx, name: str) -> int:
    series = {"bizdate": tx.bizdate, "series": name}
    serial: int = tx.session.connection().execute(_ONE_MORE, series).scalar_one()
    if serial > queueing.LAST_SERIAL:
        raise NoMoreNumbers()
    return serial
