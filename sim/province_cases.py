"""What events do to the province's picture of a case: received, told, supplemented, returned.

Source: province.md §8 (the rows `case.*`, kinds of notice) and domain.md §5 (补件 answers a notice; a returned case has
ended). The contract draws no states for cases; an order that these sentences forbid is kept with a TRANSITION warning,
as with tickets.
"""

from __future__ import annotations

import json

from sim.province_judge import Fault, text_of
from sim.province_seals import JsonObject
from sim.province_tables import Tables

KINDS = {"immediate": 1, "promised": 2, "joint": 9, "reported": 9}
"""办件类型 of GB/T 39046 A.6."""


def fold_case(tables: Tables, verb: str, data: JsonObject) -> Fault | None:
    """Bring the picture of a case forward; the answer is a warning."""
    number = text_of(data, "local_case_no")
    row = tables.row("SELECT * FROM cases WHERE local_case_no = ?", (number,))
    if verb == "received":
        return _receive(tables, number, data, known=row is not None)
    if row is None:
        return _odd(f"{verb} of a case that was never received here")
    if row["state"] == "returned":
        return _odd(f"{verb} of a case that was returned")
    told: list[str] = json.loads(row["notices"])
    if verb == "notice":
        return _tell(tables, number, data, told, str(row["state"]))
    tables.do("UPDATE cases SET state = ? WHERE local_case_no = ?", (verb, number))
    return _answered(data, told, str(row["state"])) if verb == "supplemented" else None


def _answered(data: JsonObject, told: list[str], state: str) -> Fault | None:
    if text_of(data, "notice_no") not in told:
        return _odd("supplemented in answer to a notice that was never given")
    return None if state in ("supplement", "supplemented") else _odd(f"supplemented from {state}")


def _receive(tables: Tables, number: str, data: JsonObject, *, known: bool) -> Fault | None:
    if known:
        return _odd("this case was received already")
    tables.do(
        "INSERT INTO cases VALUES (?, ?, ?, ?, 'received', '[]')",
        (number, text_of(data, "ticket_id"), text_of(data, "item_code"), KINDS[text_of(data, "case_kind")]),
    )
    issued = tables.row("SELECT 1 FROM tickets WHERE ticket_id = ?", (text_of(data, "ticket_id"),))
    return None if issued is not None else _odd("received under a ticket that was never issued here")


def _tell(tables: Tables, number: str, data: JsonObject, told: list[str], state: str) -> Fault | None:
    kind, missing = text_of(data, "notice_kind"), data["missing"]
    told.append(text_of(data, "notice_no"))
    tables.do(
        "UPDATE cases SET state = ?, notices = ? WHERE local_case_no = ?",
        ({"accept": "accepted"}.get(kind, kind), json.dumps(told), number),
    )
    if len(set(told)) != len(told):
        return _odd("this number was another notice of the case already")
    if (kind == "supplement") != bool(missing):
        return _odd("a notice of what is missing names something, and no other does")
    return _odd("accepted twice") if kind == "accept" and state == "accepted" else None


def _odd(detail: str) -> Fault:
    return Fault(code="TRANSITION", detail=detail)
