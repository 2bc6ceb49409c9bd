"""Verbs of pages that have been filed: take them out, and file them where they belong (fault G06).

Nothing is erased: the old filing is withdrawn, a new one names the same files. What was decided about a case by then
stays decided; its checklist shows from now on what is really there.
"""

from __future__ import annotations

import json
from typing import Any

from sqlmodel import select

from hall_daemon import case_lookups, lookups
from hall_daemon.events import MaterialScanned, MaterialWithdrawn
from hall_daemon.hall_core import HallCore
from hall_daemon.protocol_cases import Refile
from hall_daemon.store import Tx
from hall_daemon.tables import EventRow, MaterialRow, TicketRow
from hall_daemon.tickets import IllegalStep, NotFound


class MaterialVerbs(HallCore):
    """Refile."""

    async def refile(self, window: str, order: Refile) -> int:
        """Withdraw what was last filed as a material; file it elsewhere if that is said. One commit.

        Raises NotSignedIn, ScreenOutOfDate, NotFound (no such pages, not a case of that ticket), IllegalStep (a ticket
        of another window).
        """

        def verb(tx: Tx) -> int:
            clerk, ticket = self._clerk_at(tx, window), self._seen(tx, window, order.seen)
            filed = case_lookups.last_filed(tx.session, ticket.id, order.material_code)
            if filed is None:
                raise NotFound(what=order.material_code)
            filed.withdrawn_ms = tx.now_ms
            tx.session.add(filed)
            event = tx.emit(MaterialWithdrawn(material_id=filed.id, reason_code=order.reason, clerk_id=clerk))
            if order.to_ticket is None and order.to_case is None and not order.to_code:
                return event
            return self._file_again(tx, window, clerk, filed, _target(tx, window, ticket, order), order)

        return await self.store.write(verb)

    def _file_again(self, tx: Tx, window: str, clerk: str, filed: MaterialRow, ticket: TicketRow, order: Refile) -> int:
        code = order.to_code or filed.code
        item = self.profile.item_of(ticket.item, ticket.zone, ticket.queue)
        name = filed.name if code == filed.code else next((m.name for m in item.materials if m.code == code), code)
        row = MaterialRow(
            id=self.clock.new_id(), ticket_id=ticket.id, code=code, name=name, copy_kind=filed.copy_kind,
            pages=filed.pages, filed_ms=tx.now_ms, clerk=clerk, window=window, local_case_no=order.to_case,
            poor=filed.poor,
        )  # fmt: skip
        case = case_lookups.case_for(tx.session, ticket.id, order.to_case or "")
        tx.session.add(row)
        said = _as_told(tx, filed.id) | {
            "material_id": row.id, "ticket_id": ticket.id, "local_case_no": case, "material_code": code,
            "material_name": name, "clerk_id": clerk,
        }  # fmt: skip
        return tx.emit(
            MaterialScanned.model_validate(said), kept={"case": order.to_case, "window": window, "poor": row.poor}
        )


def _target(tx: Tx, window: str, ticket: TicketRow, order: Refile) -> TicketRow:
    if order.to_ticket is None:
        return ticket
    row = lookups.by_number(tx.session, order.to_ticket)
    if row.window != window:
        raise IllegalStep(number=row.number, state=row.state)
    return row


def _as_told(tx: Tx, material: str) -> dict[str, Any]:
    """What the log says of these pages: their size, their files, their quality. Any: JSON values."""
    question = select(EventRow.body).where(
        EventRow.subject == f"material/{material}", EventRow.type == MaterialScanned.wire_type
    )
    found: dict[str, Any] = json.loads(tx.session.exec(question).one())["data"]
    return found
