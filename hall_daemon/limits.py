"""How many numbers may be given in a day: for an item, for a queue, to one person in a queue. Reads only.

Cancelled numbers do not count, those already served do. A person is known by the keyed hash of the ID number, else of
the phone; who gives neither is not counted. Staff at a counter are not bound: they see who stands there.
Source: domain.md §8 (limits).
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import text as sql

from hall_daemon.profile import HallProfile
from hall_daemon.store import Tx
from hall_daemon.tickets import CapReached, PersonCapReached
from hall_daemon.words import TicketState

# Asked for every number that is taken where a limit is set; the ORM costs ten times the SQL.
_IN_QUEUE = sql("SELECT count(*) FROM ticket WHERE bizdate = :bizdate AND queue = :what AND state != :cancelled")
_OF_ITEM = sql("SELECT count(*) FROM ticket WHERE bizdate = :bizdate AND item = :what AND state != :cancelled")
_OF_PERSON = sql(
    "SELECT count(*) FROM ticket WHERE bizdate = :bizdate AND queue = :what AND state != :cancelled "
    "AND (id_hmac = :person OR phone_hmac = :person)"
)


def check(tx: Tx, profile: HallProfile, items: Iterable[str], person: str | None) -> None:
    """Raises CapReached, PersonCapReached. `person`: keyed hash of who takes the number, if known."""
    for code in items:
        item = profile.items[code]
        queue = profile.queues[item.queue]
        cap = queue.item_caps.get(code, 0)
        if cap and _count(tx, _OF_ITEM, code) >= cap:
            raise CapReached(what=item.name)
        if queue.daily_cap and _count(tx, _IN_QUEUE, queue.code) >= queue.daily_cap:
            raise CapReached(what=queue.name)
        if queue.person_cap and person and _count(tx, _OF_PERSON, queue.code, person) >= queue.person_cap:
            raise PersonCapReached(n=queue.person_cap)


def _count(tx: Tx, question: object, what: str, person: str | None = None) -> int:
    asked = {"bizdate": tx.bizdate, "what": what, "cancelled": TicketState.CANCELLED.value, "person": person}
    return int(tx.session.connection().execute(question, asked).scalar_one())  # type: ignore[call-overload]  # a text
