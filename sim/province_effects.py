"""What events do to the province's picture of the hall: tickets, subjects, highest numbers, appointments, commands.

Applying an event leaves exactly one row in `effects`, without a constraint against a second one, so that an effect
applied twice would be seen by counting.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from sim.province_cases import fold_case
from sim.province_judge import Fault, number_of, text_of
from sim.province_schema import TICKETS
from sim.province_seals import JsonObject
from sim.province_tables import Row, Tables

# Verb of a ticket event: from which states it is legal, and the state it leads to (§8, last paragraph).
STEPS: dict[str, tuple[frozenset[str], str]] = {
    "called": (frozenset({"waiting", "called"}), "called"),
    "serving_started": (frozenset({"called"}), "serving"),
    "parked": (frozenset({"serving"}), "parked"),
    "resumed": (frozenset({"parked"}), "serving"),
    "transferred": (frozenset({"serving"}), "waiting"),
    "no_show": (frozenset({"called"}), "no_show"),
    "requeued": (frozenset({"no_show"}), "waiting"),
    "cancelled": (frozenset({"waiting"}), "cancelled"),
    "finished": (frozenset({"serving", "parked"}), "finished"),
    "expired": (frozenset({"waiting", "no_show"}), "expired"),
}
ISSUED = "hall.ticket.issued.v1"


@dataclass(frozen=True, kw_only=True)
class Kept:
    """An event whose effect is at stake."""

    event_id: str
    type: str
    subject: str
    aggseq: int
    bizdate: str
    data: JsonObject

    @classmethod
    def of(cls, event: JsonObject) -> Kept:
        """From an event whose envelope is in order."""
        data = event["data"]
        assert isinstance(data, dict)
        return cls(
            event_id=text_of(event, "id"),
            type=text_of(event, "type"),
            subject=text_of(event, "subject"),
            aggseq=number_of(event, "aggseq"),
            bizdate=text_of(event, "bizdate"),
            data=data,
        )


class Effects:
    """The picture, and the row of every application."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables

    def subject(self, subject: str) -> Row | None:
        """How far a subject has come and what holds it."""
        return self.tables.row("SELECT * FROM subjects WHERE subject = ?", (subject,))

    def note_arrival(self, event: Kept, *, streamid: str, holds: bool) -> None:
        """Remember how far its subject and its number series have come, whether it is applied or not."""
        self.tables.do(
            "INSERT INTO subjects VALUES (?, ?, ?, ?) ON CONFLICT (subject) DO UPDATE SET aggseq = excluded.aggseq,"
            " streamid = excluded.streamid, held_by = coalesce(held_by, excluded.held_by)",
            (event.subject, event.aggseq, streamid, event.event_id if holds else None),
        )
        serial, queue = event.data.get("serial"), event.data.get("queue_code")
        # A number in quarantine is on paper all the same, and the hall must stay above it.
        if event.type == ISSUED and isinstance(serial, int) and isinstance(queue, str):
            self.tables.do(
                "INSERT INTO serials VALUES (?, ?, ?) ON CONFLICT (bizdate, queue_code)"
                " DO UPDATE SET highest = max(highest, excluded.highest)",
                (event.bizdate, queue, serial),
            )

    def hold(self, subject: str, event_id: str | None) -> None:
        """Hold a subject for an event, or let it go on."""
        self.tables.do("UPDATE subjects SET held_by = ? WHERE subject = ?", (event_id, subject))

    def refusal(self, event: Kept) -> Fault | None:
        """What forbids applying it now, though its content is right."""
        if event.type != ISSUED:
            return None
        number = text_of(event.data, "display_no")
        other = self.tables.row(
            "SELECT ticket_id FROM tickets WHERE bizdate = ? AND display_no = ?", (event.bizdate, number)
        )
        if other is None:
            return None
        return Fault(code="EVT_DUP_DISPLAY_NO", detail=f"{number} was issued already on {event.bizdate}")

    def apply(self, event: Kept) -> Fault | None:
        """Apply once; the answer is a warning, not a refusal."""
        self.record(event.event_id)
        if event.type == "hall.appointment.checked_in.v1":
            self._check_in(text_of(event.data, "appointment_id"))
        if event.type == "hall.command.result.v1":
            self.tables.do("UPDATE commands SET answered = 1 WHERE id = ?", (number_of(event.data, "command_id"),))
        return self.fold(event)

    def record(self, event_id: str) -> None:
        """Write down that an effect was applied."""
        self.tables.do("INSERT INTO effects (event_id) VALUES (?)", (event_id,))

    def warn(self, event_id: str, warning: Fault) -> None:
        """Keep a warning for the ledger."""
        self.tables.do("INSERT INTO warnings VALUES (?, ?, ?)", (event_id, warning.code, warning.detail))

    def clear_derived(self) -> None:
        """Forget everything that `fold` and `note_arrival` can derive anew."""
        for order in ("DELETE FROM tickets", "DELETE FROM cases", "DELETE FROM subjects", "DELETE FROM serials"):
            self.tables.do(order)
        self.tables.do("DELETE FROM warnings WHERE code = 'TRANSITION'")

    def fold(self, event: Kept) -> Fault | None:
        """Bring the picture of the ticket or the case forward."""
        _, noun, verb, *_ = event.type.split(".")
        if noun == "case":
            warning = fold_case(self.tables, verb, event.data)
        elif noun == "ticket":
            warning = self._issue(event) if verb == "issued" else self._step(event, verb)
        else:
            return None
        if warning is not None:
            self.warn(event.event_id, warning)
        return warning

    def _issue(self, event: Kept) -> Fault | None:
        data = event.data
        try:
            self.tables.do(
                "INSERT INTO tickets VALUES (?, ?, ?, ?, ?, ?, 'waiting')",
                (
                    *(text_of(data, "ticket_id"), event.event_id, text_of(data, "display_no")),
                    *(text_of(data, "queue_code"), number_of(data, "serial"), event.bizdate),
                ),
            )
        except sqlite3.IntegrityError:
            return Fault(code="TRANSITION", detail="this ticket was issued already")
        return None

    def _step(self, event: Kept, verb: str) -> Fault | None:
        ticket_id = text_of(event.data, "ticket_id")
        row = self.tables.row("SELECT state FROM tickets WHERE ticket_id = ?", (ticket_id,))
        if row is None:
            return Fault(code="TRANSITION", detail=f"{verb} of a ticket that was never issued here")
        if verb not in STEPS:
            return None
        legal_from, leads_to = STEPS[verb]
        self.tables.do("UPDATE tickets SET state = ? WHERE ticket_id = ?", (leads_to, ticket_id))
        state = str(row["state"])
        return None if state in legal_from else Fault(code="TRANSITION", detail=f"{verb} from {state}")

    def _check_in(self, appointment_id: str) -> None:
        self.tables.do(
            "UPDATE appointments SET rev = rev + 1, change = (SELECT max(change) + 1 FROM appointments),"
            " document = json_set(document, '$.state', 'checked_in', '$.rev', rev + 1) WHERE id = ?",
            (appointment_id,),
        )


assert STEPS.keys() <= TICKETS.keys()
