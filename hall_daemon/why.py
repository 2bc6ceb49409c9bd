"""Why others were called before a number: read from what was kept with each call, told in plain words.

Nothing is decided again here: the rule, the line as it stood and the reason are those of the moment of the call.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from hall_daemon.clock import hour_minute
from hall_daemon.protocol import Text
from hall_daemon.replay import Rebuilt, Said, read_log, rebuild
from hall_daemon.tables import TicketRow
from hall_daemon.texts import say, text
from hall_daemon.words import TicketState

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
    log = list(read_log(session))
    told = rebuild(iter(log))
    bizdate = max(told.days, default="")
    row = next((t for t in told.tickets.values() if t.bizdate == bizdate and t.number == number), None)
    if row is None:
        return []
    sentences = [_head(row)]
    before = [said for said in _before(log, row) if not other or said[0].data["display_no"] == other]
    sentences += [_because(said, stand, told) for said, stand in before]
    if not before:
        sentences.append(text("why.nobody", number=number))
    return sentences


def _head(row: TicketRow) -> Text:
    return say("why.head", number=row.number, at=hour_minute(row.issued_ms), state=text(f"state.{row.state}"))


def _before(log: list[Said], row: TicketRow) -> Iterator[tuple[Said, _Stand]]:
    """Calls of others that were made while the number waited, at windows that could have called it."""
    built = Rebuilt()
    for said in log:
        mine = built.tickets.get(row.id)
        if (
            mine is not None and mine.state == TicketState.WAITING.value and said.verb == "ticket.called"
            and said.data["ticket_id"] != row.id and said.data["call_mode"] != "recall" and said.kept is not None
            and _could_call(said, mine)
        ):  # fmt: skip
            yield said, _stand(mine)
        rebuild(iter([said]), built)


def _could_call(said: Said, mine: TicketRow) -> bool:
    if mine.for_window is not None:
        return mine.for_window == str(said.data["window_code"])
    place: dict[str, list[str]] = (said.kept or {}).get("place", {})
    stand, skills = _stand(mine), set(place.get("skills", ()))
    knows = not skills or not skills.isdisjoint(stand.queues | {stand.item})
    return knows and not stand.queues.isdisjoint(place.get("queues", ()))


def _stand(row: TicketRow) -> _Stand:
    ready = {leg["queue"] for leg in row.legs if leg["state"] == "ready"}
    return _Stand(
        arrival_ms=row.arrival_ms, came_ms=row.arrived_ms, issued_ms=row.issued_ms, no_shows=row.no_shows,
        callable_ms=row.callable_ms, queues=frozenset({row.queue} | ready), item=row.item, for_window=row.for_window,
    )  # fmt: skip


def _because(said: Said, mine: _Stand, told: Rebuilt) -> Text:
    """Why the one that was called went first."""
    kept: dict[str, Any] = said.kept or {}
    first: dict[str, Any] = next((c for c in kept.get("line", ()) if c["number"] == said.data["display_no"]), {})
    called = told.tickets[said.data["ticket_id"]]
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
        return rule, {"reason": (said.kept or {}).get("reason") or called.pin_reason or ""}
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
