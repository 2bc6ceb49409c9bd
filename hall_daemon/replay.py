"""Rebuild the hall's tables from the event log, and say where the database differs from it.

Each event says what happened; where its shape has no room for what the hall decided, the decision kept beside it does,
and where a row holds more than any event says, the journal beside the log has the row itself. What is left out is
named, each with its reason, in NOT_REBUILT and NOT_COMPARED. Reads only; the fresh database is a temporary one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Table, select
from sqlmodel import Session, SQLModel

from hall_daemon import journal, queueing
from hall_daemon.tables import (
    CounterRow,
    DayRow,
    EvaluationRow,
    MaterialRow,
    SessionRow,
    TicketRow,
)  # fmt: skip
from hall_daemon.words import Hold, Lane, PrintResult, SlipState, TicketState

REBUILT: tuple[type[SQLModel], ...] = (DayRow, CounterRow, TicketRow, SessionRow, MaterialRow, EvaluationRow)
"""Told by events."""
NOT_REBUILT = {
    "event": "the log itself; its chain of hashes proves it",
    "decision": "the log itself: what was kept beside an event",
    "journal": "the log itself: rows that no event tells whole",
    "stream": "delivery: what the province has acknowledged; a new one repeats what is here",
    "refused": "delivery: what the province would not take",
    "meta": "facts about this database and cursors into what others say; no state of the hall",
    "blob": "files in the spool, each proved by its own digest; that they were filed is in material",
}
"""Tables that are left out, and why."""
NOT_COMPARED = {"day": {"reconciled": "delivery: whether the province has the day whole"}}
"""Columns that are left out, and why."""
_MOVES_THE_DAY = frozenset({"day.drain", "day.reopen", "day.emergency_close"})
_PLAN = ("planned_close_ms", "draining_ms", "halted_ms", "halted_until_ms")
_SLIP_AFTER = {
    PrintResult.OK.value: SlipState.PRINTED.value,
    PrintResult.FAILED.value: SlipState.FAILED.value,
    PrintResult.UNKNOWN.value: SlipState.UNKNOWN.value,
}
Values = dict[str, Any]
"""Members of an event, or columns of a row. Any: of every type."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """One event as it stands in the log; `kept` is None where nothing was kept beside it."""

    number: int
    verb: str
    data: Values
    at_ms: int
    recorded_ms: int
    bizdate: str
    kept: Values | None

    @property
    def open_ms(self) -> int | None:
        """Open time at which it happened, if that is known."""
        return None if self.kept is None else self.kept.get("open_ms")


@dataclass(kw_only=True)
class Rebuilt:
    """The tables as the log tells them."""

    days: dict[str, DayRow] = field(default_factory=dict)
    counters: dict[tuple[str, str], CounterRow] = field(default_factory=dict)
    tickets: dict[str, TicketRow] = field(default_factory=dict)
    sessions: dict[str, SessionRow] = field(default_factory=dict)
    materials: dict[str, MaterialRow] = field(default_factory=dict)
    evaluations: dict[str, EvaluationRow] = field(default_factory=dict)
    untold: set[str] = field(default_factory=set)
    """Tickets issued before decisions were kept: the log alone does not tell them whole."""

    def rows(self) -> Iterator[SQLModel]:
        """All of them."""
        for table in (self.days, self.counters, self.tickets, self.sessions, self.materials, self.evaluations):
            yield from table.values()

    def count(self, bizdate: str, series: str, last: int) -> None:
        """A series has come at least so far."""
        counter = self.counters.setdefault((bizdate, series), CounterRow(bizdate=bizdate, series=series, last=0))
        counter.last = max(counter.last, last)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Where the database is not what the log tells."""

    table: str
    key: str
    column: str
    told: object
    found: object

    def __str__(self) -> str:
        if not self.column:
            return f"{self.table} {self.key}: " + ("is in the log only" if self.found is None else "is in no event")
        return f"{self.table} {self.key}: {self.column} is {self.found!r}, the log says {self.told!r}"


def read_log(session: Session) -> Iterator[Said]:
    """Every event once, in order: what is said again in a later stream is the same event."""
    question = (
        "SELECT e.number, e.id, e.type, e.body, d.body FROM event e LEFT JOIN decision d ON d.number = e.number "
        "ORDER BY e.number"
    )
    seen: set[str] = set()
    for number, event_id, wire_type, body, kept in session.connection().exec_driver_sql(question):
        if event_id not in seen:
            seen.add(event_id)
            yield as_said(number, wire_type, body, kept)


def as_said(number: int, wire_type: str, body: str, kept: str | None) -> Said:
    """A row of the log with its decision."""
    envelope = json.loads(body)
    return Said(
        number=number, verb=wire_type.removeprefix("hall.").rsplit(".", 1)[0], data=envelope["data"],
        at_ms=milliseconds(envelope["time"]), recorded_ms=milliseconds(envelope["recordedtime"]),
        bizdate=envelope["bizdate"], kept=None if kept is None else json.loads(kept),
    )  # fmt: skip


def milliseconds(moment: str) -> int:
    """RFC 3339 with milliseconds, exactly."""
    whole, _, rest = moment.partition(".")
    zone = rest[3:]
    return int(datetime.fromisoformat(whole + zone).timestamp()) * 1000 + int(rest[:3])


def rebuild(log: Iterator[Said], built: Rebuilt | None = None) -> Rebuilt:
    """The tables that the log tells; further on from what an earlier part of it told."""
    built = Rebuilt() if built is None else built
    for said in log:
        tell = _TOLD.get(said.verb)
        if tell is not None:
            tell(built, said)
        elif said.verb in _STEPS:
            _step(built, said)
        _keep_time(built, said)
    return built


def differences(live: Session, fresh: Session, built: Rebuilt) -> list[Difference]:
    """Write what was rebuilt into the fresh database, then compare table by table, row by row, column by column.

    Rows of the journal are compared as they are kept.
    """
    fresh.add_all(built.rows())
    fresh.commit()
    found: list[Difference] = []
    for row_type in REBUILT:
        table = row_type.__table__  # type: ignore[attr-defined]  # SQLModel does not type its tables
        found += _compare(table, _contents(fresh, table), _contents(live, table), built.untold)
    told = journal.told(live)
    for table in journal.tables():
        found += _compare(table, told[table.name], journal.found(live, table), set())
    return found


def _contents(session: Session, table: Table) -> dict[tuple[Any, ...], Values]:
    keys = [column.name for column in table.primary_key]
    rows = session.connection().execute(select(table)).mappings()
    return {tuple(row[key] for key in keys): dict(row) for row in rows}


def _compare(
    table: Table, told: dict[tuple[Any, ...], Values], found: dict[tuple[Any, ...], Values], untold: set[str]
) -> Iterator[Difference]:
    left_out = NOT_COMPARED.get(table.name, {})
    for key in sorted(told.keys() | found.keys(), key=str):
        if untold & {str(part) for part in key}:
            continue
        name = " ".join(map(str, key))
        if key not in told or key not in found:
            missing = found.get(key)
            yield Difference(table=table.name, key=name, column="", told=told.get(key), found=missing)
            continue
        for column, value in found[key].items():
            if column not in left_out and told[key][column] != value:
                yield Difference(table=table.name, key=name, column=column, told=told[key][column], found=value)


# --- what each event does ---------------------------------------------------------------------------------------------


def _keep_time(built: Rebuilt, said: Said) -> None:
    day = built.days.get(said.bizdate)
    if day is not None and said.open_ms is not None and said.verb != "day.closed":
        day.open_ms = max(day.open_ms, said.open_ms)
    for bizdate, series, last in (said.kept or {}).get("counters", ()):
        built.count(bizdate, series, last)


def _day_opened(built: Rebuilt, said: Said) -> None:
    built.days[said.bizdate] = DayRow(bizdate=said.bizdate, opened_ms=said.at_ms)
    _day_planned(built, said)


def _day_planned(built: Rebuilt, said: Said) -> None:
    day, kept = built.days[said.bizdate], said.kept or {}
    for column in _PLAN:
        setattr(day, column, kept.get(column))


def _day_closed(built: Rebuilt, said: Said) -> None:
    built.days[said.bizdate].closed_ms = said.at_ms
    built.sessions.clear()


def _issued(built: Rebuilt, said: Said) -> None:
    data, kept = said.data, said.kept
    number, queue = data["display_no"], data["queue_code"]
    lane = Lane(number[: -len(f"{queue}{data['serial']:03d}")] if number else "")
    built.count(said.bizdate, queueing.series(queue, lane), data["serial"])
    if kept is None:
        built.untold.add(data["ticket_id"])
        return
    built.tickets[data["ticket_id"]] = TicketRow(
        id=data["ticket_id"], request_id=kept["request_id"], bizdate=said.bizdate, queue=queue,
        series=queueing.series(queue, lane), serial=data["serial"], number=number, item=kept["item"],
        zone=data["zone_code"], channel=data["channel"], priority=data["priority"], kiosk=kept["kiosk"],
        device=data["device_id"], identity_mode=data["identity_mode"], id_type=data.get("id_type"),
        card_expired=kept.get("card_expired", False), name_masked=data.get("name_masked"),
        id_masked=data.get("id_masked"), phone_masked=data.get("phone_masked"), id_hmac=data.get("id_hmac"),
        phone_hmac=kept.get("phone_hmac"), state=TicketState.WAITING.value, since_ms=said.recorded_ms,
        issued_ms=said.at_ms, lane=lane.value, arrived_ms=kept.get("arrived_ms") or kept["open_ms"],
        arrival_ms=kept["arrival_ms"], callable_ms=kept.get("callable_ms"),
        appointment_id=data.get("appointment_id"), slot_start_ms=kept.get("slot_start_ms"),
        slot_end_ms=kept.get("slot_end_ms"), for_window=kept.get("for_window"), legs=kept.get("legs", []),
        catver=kept.get("catver", 0),
        slip=(SlipState.PENDING if data["printed_required"] else SlipState.NONE).value,
    )  # fmt: skip


def _printed(built: Rebuilt, said: Said) -> None:
    row = built.tickets.get(said.data["ticket_id"])
    if row is not None:
        row.prints = said.data["print_no"]
        if row.slip != SlipState.PRINTED.value:
            row.slip = _SLIP_AFTER[said.data["result"]]


def _step(built: Rebuilt, said: Said) -> None:
    """One step in the life of a ticket."""
    row = built.tickets.get(said.data["ticket_id"])
    if row is None:
        return
    state, change = _STEPS[said.verb]
    if row.state != state.value:
        row.state, row.since_ms = state.value, said.recorded_ms
    change(row, said)


def _called(row: TicketRow, said: Said) -> None:
    data = said.data
    row.window, row.clerk, row.call_no, row.called_ms = (
        data["window_code"], data["clerk_id"], data["call_no"], said.at_ms,
    )  # fmt: skip
    if said.kept is None:  # on paper
        row.first_clerk = data["clerk_id"]
    elif data["call_mode"] != "recall":
        row.counted_calls, row.counted_ms, row.pinned_ms, row.pin_reason = 1, said.open_ms, None, None
        row.queue, row.item, row.zone = said.kept["queue"], said.kept["item"], said.kept["zone"]
    elif queueing.counts_as_call(row.counted_ms, said.kept["open_ms"]):
        row.counted_calls, row.counted_ms = row.counted_calls + 1, said.open_ms


def _served(row: TicketRow, said: Said) -> None:
    row.serving_ms, row.identity_rechecked = said.at_ms, said.data["identity_rechecked"]
    row.stint_ms = said.open_ms
    row.first_clerk = row.first_clerk or said.data["clerk_id"]


def _stop_clock(row: TicketRow, said: Said) -> None:
    if row.stint_ms is not None and said.open_ms is not None:
        row.worked_ms += max(0, said.open_ms - row.stint_ms)
        row.stint_ms = None


def _parked(row: TicketRow, said: Said) -> None:
    _stop_clock(row, said)
    row.hold, row.park_reason = said.data["hold"], said.data["reason_code"]
    row.stage = (said.kept or {}).get("stage")


def _resumed(row: TicketRow, said: Said) -> None:
    row.window, row.clerk, row.stint_ms = said.data["window_code"], said.data["clerk_id"], said.open_ms


def _stand(row: TicketRow, said: Said) -> None:
    """Where it stands in line now."""
    kept = said.kept or {}
    for column in ("queue", "zone", "item", "arrival_ms", "arrived_ms"):
        setattr(row, column, kept.get(column, getattr(row, column)))
    for column in ("for_window", "back_queue", "back_window", "pinned_ms"):
        setattr(row, column, kept.get(column))
    row.legs = kept.get("legs", [])
    row.window = None


def _transferred(row: TicketRow, said: Said) -> None:
    _stop_clock(row, said)
    _stand(row, said)
    row.pin_reason = (said.kept or {}).get("pin_reason", row.pin_reason)


def _no_show(row: TicketRow, _said: Said) -> None:
    row.no_shows += 1
    row.window = None


def _requeued(row: TicketRow, said: Said) -> None:
    _stand(row, said)
    row.call_no, row.counted_calls, row.counted_ms = 0, 0, None


def _finished(row: TicketRow, said: Said) -> None:
    _stop_clock(row, said)
    row.outcome = said.data["outcome"]


def _ended(_row: TicketRow, _said: Said) -> None:
    """Nothing but the state."""


def _scanned(built: Rebuilt, said: Said) -> None:
    data = said.data
    ticket = built.tickets.get(data.get("ticket_id", ""))
    if ticket is not None:
        built.materials[data["material_id"]] = MaterialRow(
            id=data["material_id"], ticket_id=ticket.id, code=data["material_code"], name=data["material_name"],
            copy_kind=data["copy_kind"], pages=[page["blob"]["blob"] for page in data["pages"]], filed_ms=said.at_ms,
            clerk=data["clerk_id"], window=(said.kept or {}).get("window", ticket.window or ""),
            local_case_no=(said.kept or {}).get("case"), poor=(said.kept or {}).get("poor", False),
        )  # fmt: skip


def _withdrawn(built: Rebuilt, said: Said) -> None:
    row = built.materials.get(said.data["material_id"])
    if row is not None:
        row.withdrawn_ms = said.at_ms


def _evaluated(built: Rebuilt, said: Said) -> None:
    if said.data["ticket_id"] in built.tickets:
        built.evaluations[said.data["ticket_id"]] = EvaluationRow(
            ticket_id=said.data["ticket_id"], id=said.data["evaluation_id"], level=said.data.get("level"),
            ended_ms=said.at_ms,
        )  # fmt: skip


def _acted(built: Rebuilt, said: Said) -> None:
    kind, _, name = said.data["target"].partition("/")
    action, kept = said.data["action"], said.kept or {}
    if kind == "hall" and action in _MOVES_THE_DAY:
        _day_planned(built, said)
    elif kind == "window" and action == "sign_in":
        clerk = said.data["actor_id"]
        built.sessions = {w: s for w, s in built.sessions.items() if s.clerk != clerk}
        built.sessions[name] = SessionRow(window=name, clerk=clerk, since_ms=said.at_ms)
    elif kind == "window" and action == "sign_out":
        built.sessions.pop(name, None)
    elif kind == "ticket" and name in built.tickets:
        _acted_on(built.tickets[name], action, said.data.get("reason_text"), kept)


def _acted_on(row: TicketRow, action: str, reason: str | None, kept: Values) -> None:
    if action == "pin":
        row.pinned_ms, row.pin_reason = kept["pinned_ms"], reason
    elif action == "unpin":
        row.pinned_ms, row.pin_reason = None, None
    elif action == "stage_back":
        row.stage, row.hold = None, Hold.OPEN.value
    elif action == "add_item":
        row.legs = kept["legs"]


def _corrected(built: Rebuilt, said: Said) -> None:
    row = built.tickets.get(said.data["fields"].get("ticket_id", ""))
    for column, value in (said.kept or {}).get("row", {}).items():
        setattr(row, column, value)


_TOLD: dict[str, Callable[[Rebuilt, Said], None]] = {
    "day.opened": _day_opened, "day.closed": _day_closed, "ticket.issued": _issued, "ticket.printed": _printed,
    "material.scanned": _scanned, "material.withdrawn": _withdrawn, "evaluation.submitted": _evaluated,
    "operator.acted": _acted, "event.corrected": _corrected,
}  # fmt: skip
_STEPS: dict[str, tuple[TicketState, Callable[[TicketRow, Said], None]]] = {
    "ticket.called": (TicketState.CALLED, _called),
    "ticket.serving_started": (TicketState.SERVING, _served),
    "ticket.parked": (TicketState.PARKED, _parked),
    "ticket.resumed": (TicketState.SERVING, _resumed),
    "ticket.transferred": (TicketState.WAITING, _transferred),
    "ticket.no_show": (TicketState.NO_SHOW, _no_show),
    "ticket.requeued": (TicketState.WAITING, _requeued),
    "ticket.cancelled": (TicketState.CANCELLED, _ended),
    "ticket.finished": (TicketState.FINISHED, _finished),
    "ticket.expired": (TicketState.EXPIRED, _ended),
}
