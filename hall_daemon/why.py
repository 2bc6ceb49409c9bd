"""Why others were called before a number, and how long it can still wait: from what was kept, in plain words.

Nothing is decided again here: the rule, the line as it stood and the reason are those of the moment of the call. Of the
log only the steps of the number itself are read, and the calls that were made while it waited.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text as sql
from sqlmodel import Session, select

from hall_daemon.clock import hour_minute
from hall_daemon.lookups import as_waiting, latest_day, waiting
from hall_daemon.profile import HallProfile
from hall_daemon.protocol import Text
from hall_daemon.queueing import Place, leg_at, overtaking_limit_ms, waiting_bound_s
from hall_daemon.replay import Rebuilt, Said, as_said, rebuild
from hall_daemon.tables import SessionRow, TicketRow
from hall_daemon.tables_clerks import AccountRow, PauseRow
from hall_daemon.texts import say, text
from hall_daemon.words import TicketState

# Both by an index: the steps by their subject, the calls by the numbers between two steps.
_STEPS = sql(
    "SELECT min(e.number), e.type, e.body, d.body FROM event e LEFT JOIN decision d ON d.number = e.number "
    "WHERE e.subject = :subject GROUP BY e.id ORDER BY 1"
)
_CALLS = sql(
    "SELECT e.number, e.type, e.body, d.body FROM event e JOIN decision d ON d.number = e.number "
    "WHERE e.number > :after AND e.number < :until AND e.type = 'hall.ticket.called.v1' ORDER BY e.number"
)
_LONGEST = sql("SELECT max(:least, ifnull(max(worked_ms), 0)) FROM ticket WHERE bizdate = :bizdate")
_NEVER = 1 << 62
USUAL_MS = 15 * 60 * 1000
"""A visit may take so long, if none of today took longer."""
_CHOSEN = ("select", "walk_in")


@dataclass(frozen=True, kw_only=True)
class _Stand:
    """A ticket in line at the moment of a call."""

    arrival_ms: int
    came_ms: int
    issued_ms: int
    no_shows: int
    callable_ms: int | None
    queues: frozenset[str]
    item: str
    for_window: str | None


def answer(session: Session, number: str, other: str = "") -> list[Text]:
    """How the number stands, and one sentence for each call that went before it (only of `other`, if given).

    Empty if the latest day has no such number.
    """
    row = _of_latest_day(session, number)
    if row is None:
        return []
    before = [found for found in _before(session, row) if not other or found[0].data["display_no"] == other]
    told = [_because(session, said, stand) for said, stand in before]
    return [_head(row), *(told or [text("why.nobody", number=number)])]


def bound(session: Session, number: str, profile: HallProfile, now_ms: int) -> list[Text]:
    """How long a waiting number can still wait at most, while the windows that call it now go on; else empty."""
    row = _of_latest_day(session, number)
    if row is None or row.state != TicketState.WAITING.value:
        return []
    places = [place for place in _calling(session, profile) if leg_at(as_waiting(row), place) is not None]
    if not places:
        return [text("why.no_window", number=number)]
    limit_ms = max(map(overtaking_limit_ms, places))
    others = [t for t in waiting(session, row.bizdate, now_ms) if t.came_ms <= row.arrived_ms + limit_ms]
    before = sum(any(leg_at(t, place) is not None for place in places) for t in others if t.ticket_id != row.id)
    longest_ms = session.connection().execute(_LONGEST, {"bizdate": row.bizdate, "least": USUAL_MS}).scalar_one()
    facts = {
        "number": number, "until": hour_minute(row.issued_ms + limit_ms), "before": before, "windows": len(places),
        "longest": -(-longest_ms // 60_000),
        "minutes": -(-waiting_bound_s(before, len(places), longest_ms // 1000) // 60),
    }  # fmt: skip
    return [text("why.bound", **facts)]


def _calling(session: Session, profile: HallProfile) -> Iterator[Place]:
    """Windows where somebody sits and calls now."""
    paused = set(session.exec(select(PauseRow.window)))
    skills = {account.number: frozenset(account.skills) for account in session.exec(select(AccountRow))}
    for found in session.exec(select(SessionRow)):
        window = profile.windows.get(found.window)
        if window is not None and window.code not in paused:
            yield Place(
                window=window.code, queues=window.queues, weights=window.weights,
                skills=skills.get(found.clerk, frozenset()),
            )  # fmt: skip


def _of_latest_day(session: Session, number: str) -> TicketRow | None:
    day = latest_day(session)
    question = select(TicketRow).where(TicketRow.bizdate == (day.bizdate if day else ""), TicketRow.number == number)
    return session.exec(question).first()


def _head(row: TicketRow) -> Text:
    return say("why.head", number=row.number, at=hour_minute(row.issued_ms), state=text(f"state.{row.state}"))


def _before(session: Session, row: TicketRow) -> Iterator[tuple[Said, _Stand]]:
    """Calls of others that were made while the number waited, at windows that could have called it."""
    for first, until, mine in _waits(session, row.id):
        for called in session.connection().execute(_CALLS, {"after": first, "until": until}):
            said = as_said(*called)
            if said.data["call_mode"] != "recall" and _could_call(said, mine):
                yield said, mine


def _waits(session: Session, ticket_id: str) -> Iterator[tuple[int, int, _Stand]]:
    """Events between which a ticket waited, and how it stood meanwhile."""
    steps = [as_said(*step) for step in session.connection().execute(_STEPS, {"subject": f"ticket/{ticket_id}"})]
    built = Rebuilt()
    for said, until in zip(steps, [*(step.number for step in steps[1:]), _NEVER], strict=True):
        mine = rebuild(iter([said]), built).tickets.get(ticket_id)
        if mine is not None and mine.state == TicketState.WAITING.value:
            yield said.number, until, _stand(mine)


def _could_call(said: Said, mine: _Stand) -> bool:
    if mine.for_window is not None:
        return mine.for_window == str(said.data["window_code"])
    place: dict[str, list[str]] = (said.kept or {}).get("place", {})
    skills = set(place.get("skills", ()))
    knows = not skills or not skills.isdisjoint(mine.queues | {mine.item})
    return knows and not mine.queues.isdisjoint(place.get("queues", ()))


def _stand(row: TicketRow) -> _Stand:
    ready = {leg["queue"] for leg in row.legs if leg["state"] == "ready"}
    return _Stand(
        arrival_ms=row.arrival_ms, came_ms=row.arrived_ms, issued_ms=row.issued_ms, no_shows=row.no_shows,
        callable_ms=row.callable_ms, queues=frozenset({row.queue} | ready), item=row.item, for_window=row.for_window,
    )  # fmt: skip


def _because(session: Session, said: Said, mine: _Stand) -> Text:
    """Why the one that was called went first."""
    kept: dict[str, Any] = said.kept or {}
    first: dict[str, Any] = next((c for c in kept.get("line", ()) if c["number"] == said.data["display_no"]), {})
    called = session.get_one(TicketRow, said.data["ticket_id"])
    facts = {
        "first": said.data["display_no"], "window": said.data["window_code"], "at": hour_minute(said.at_ms),
        "came": hour_minute(called.issued_ms), "mine": hour_minute(mine.issued_ms), "reason": kept.get("reason", ""),
        "minutes": abs(first.get("came_ms", mine.came_ms) - mine.came_ms) // 60_000,
    }  # fmt: skip
    code, more = _reason(said, mine, first, called)
    return say(f"why.{code}", **(facts | more))


def _reason(said: Said, mine: _Stand, first: dict[str, Any], called: TicketRow) -> tuple[str, dict[str, Any]]:
    rule = said.data["rule"]["picked_by"]
    if rule in (*_CHOSEN, "pinned", "sent_to_window"):
        return rule, {"reason": (said.kept or {}).get("reason", "")}
    if mine.callable_ms is not None and (said.open_ms or 0) < mine.callable_ms:
        return "slot_not_begun", {}
    if first.get("came_ms", 0) <= mine.came_ms:
        return "arrival", {}
    if first.get("arrival_ms", 0) < first.get("came_ms", 0):
        bonus = (first["came_ms"] - first["arrival_ms"]) // 60_000
        return "bonus", {"bonus": bonus, "priority": text(f"priority.{called.priority}")}
    if mine.no_shows and mine.arrival_ms > first.get("arrival_ms", 0):
        return "put_back", {}
    return ("weight" if rule == "weight" else "order" if rule == "order" else "arrival"), {}
