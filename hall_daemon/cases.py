"""Pure rules of handing in: checklist of materials, one complete notice, due dates, which step is legal, numbers.

No clock, no database, no catalogue: what an item asks for and which days are worked come in as plain values.

Source: domain.md §5 (kinds of case), §6 (how materials are taken, waivers), §2 (everything missing at one time);
province.md §8 (`local_case_no`, `notice_no`, kinds of notice).

    accept ─────────────▶ ACCEPTED ──decide──▶ DECIDED
      │                    ▲   │  ▲
      │              notify│   │  │supplement, complete
      └─notify─▶ SUPPLEMENT◀───┘──┘          return, withdraw: from RECEIVED, SUPPLEMENT, ACCEPTED ──▶ RETURNED

补办 and 退回 are states of a case and not kinds: while it waits for papers its clock stands still.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Literal

from hall_daemon.words import CopyKind
from hall_daemon.workdays import Calendar, DayUnit

LAST_CASE, LAST_NOTICE = 999_999, 9_999


class CaseKind(StrEnum):
    """即办, 承诺, 联办, 上报 (domain.md §5)."""

    IMMEDIATE = "immediate"
    PROMISED = "promised"
    JOINT = "joint"
    REPORTED = "reported"


class CaseState(StrEnum):
    """Where a case stands. RECEIVED: taken in, maybe against a receipt; 受理, 告知 or 退回 must follow."""

    RECEIVED = "received"
    SUPPLEMENT = "supplement"
    ACCEPTED = "accepted"
    DECIDED = "decided"
    RETURNED = "returned"


class CaseVerb(StrEnum):
    """The steps of a case."""

    ACCEPT = "accept"
    NOTIFY = "notify"
    SUPPLEMENT = "supplement"
    DECIDE = "decide"
    RETURN = "return"


_STEPS: dict[tuple[CaseState, CaseVerb], CaseState] = {
    (CaseState.RECEIVED, CaseVerb.ACCEPT): CaseState.ACCEPTED,
    (CaseState.RECEIVED, CaseVerb.NOTIFY): CaseState.SUPPLEMENT,
    (CaseState.RECEIVED, CaseVerb.RETURN): CaseState.RETURNED,
    (CaseState.SUPPLEMENT, CaseVerb.NOTIFY): CaseState.SUPPLEMENT,
    (CaseState.SUPPLEMENT, CaseVerb.SUPPLEMENT): CaseState.SUPPLEMENT,
    (CaseState.SUPPLEMENT, CaseVerb.ACCEPT): CaseState.ACCEPTED,
    (CaseState.SUPPLEMENT, CaseVerb.RETURN): CaseState.RETURNED,
    (CaseState.ACCEPTED, CaseVerb.NOTIFY): CaseState.SUPPLEMENT,
    (CaseState.ACCEPTED, CaseVerb.DECIDE): CaseState.DECIDED,
    (CaseState.ACCEPTED, CaseVerb.RETURN): CaseState.RETURNED,
}


def after(state: CaseState, verb: CaseVerb) -> CaseState | None:
    """The state that a step leads to; None where it is not legal."""
    return _STEPS.get((state, verb))


# --- checklist --------------------------------------------------------------------------------------------------------


class Waiver(StrEnum):
    """What may stand in for the paper, where the item says so."""

    E_LICENSE = "e_license"
    COMMITMENT = "commitment"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A paper that the item asks for."""

    code: str
    name: str
    need: Literal["required", "conditional", "optional"] = "required"
    copy: Literal["original", "copy", "electronic"] = "original"
    waivable_by: frozenset[Waiver] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Brought:
    """A paper that the resident brought. `fault` says why it does not do, as it stands on the notice; empty: good."""

    code: str
    kind: CopyKind
    fault: str = ""
    material_id: str = ""
    """Of its filed pages, if it was scanned."""


class LineState(StrEnum):
    """What is known of one paper of the checklist."""

    TAKEN = "taken"
    WAIVED = "waived"
    """An electronic licence or a letter of commitment stands in for it."""
    POOR = "poor"
    """Brought, but it does not do."""
    WRONG_KIND = "wrong_kind"
    """Brought as a copy or a commitment that the item does not take for it."""
    MISSING = "missing"
    NOT_ASKED = "not_asked"
    """Optional, or asked only in circumstances that are not these."""


_DOES = frozenset({LineState.TAKEN, LineState.WAIVED, LineState.NOT_ASKED})


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the checklist."""

    asked: Asked
    state: LineState
    brought: Brought | None = None

    @property
    def does(self) -> bool:
        """Whether nothing is to be brought for it any more."""
        return self.state in _DOES


_ENOUGH = {
    "original": {CopyKind.ORIGINAL_SEEN},
    "copy": {CopyKind.ORIGINAL_SEEN, CopyKind.COPY},
    "electronic": {CopyKind.ORIGINAL_SEEN, CopyKind.COPY, CopyKind.ELECTRONIC},
}
_WAIVES = {CopyKind.ELECTRONIC: Waiver.E_LICENSE, CopyKind.COMMITMENT: Waiver.COMMITMENT}


def checklist(asked: Iterable[Asked], brought: Iterable[Brought], applies: frozenset[str]) -> tuple[Line, ...]:
    """Every paper that the item asks for, in its order, and what became of it.

    `applies` names the conditional papers that these circumstances ask for. Of a paper brought twice, the one that does
    counts; papers that the item does not ask for are in nobody's way.
    """
    given: dict[str, list[Brought]] = {}
    for paper in brought:
        given.setdefault(paper.code, []).append(paper)
    return tuple(_line(paper, given.get(paper.code, []), applies) for paper in asked)


def _line(asked: Asked, brought: Sequence[Brought], applies: frozenset[str]) -> Line:
    judged = [Line(asked=asked, state=_judge(asked, paper), brought=paper) for paper in brought]
    good = next((line for line in judged if line.does), None)
    if good is not None:
        return good
    if asked.need == "optional" or (asked.need == "conditional" and asked.code not in applies):
        return Line(asked=asked, state=LineState.NOT_ASKED)
    return judged[-1] if judged else Line(asked=asked, state=LineState.MISSING)


def _judge(asked: Asked, paper: Brought) -> LineState:
    if paper.fault:
        return LineState.POOR
    if paper.kind in _ENOUGH[asked.copy]:
        return LineState.TAKEN
    return LineState.WAIVED if _WAIVES.get(paper.kind) in asked.waivable_by else LineState.WRONG_KIND


def is_complete(lines: Iterable[Line]) -> bool:
    """Whether everything that these circumstances ask for is there."""
    return all(line.does for line in lines)


# --- one-time notice --------------------------------------------------------------------------------------------------

ACCEPT_WORKDAYS = 5
RETURN_WORKDAYS = 5
"""So long the way back by the notice is open (ux.md §9)."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One line of a notice: what is still needed, and why what was brought does not do."""

    code: str
    name: str
    state: LineState
    copy: Literal["original", "copy", "electronic"]
    fault: str = ""
    waivable_by: frozenset[Waiver] = frozenset()


def still_wanted(lines: Iterable[Line]) -> tuple[Wanted, ...]:
    """Everything that is still needed, at one time (行政许可法): nobody chooses among these lines."""
    return tuple(
        Wanted(
            code=line.asked.code, name=line.asked.name, state=line.state, copy=line.asked.copy,
            fault=line.brought.fault if line.brought else "", waivable_by=line.asked.waivable_by,
        )
        for line in lines
        if not line.does
    )  # fmt: skip


def is_repeated(earlier: int) -> bool:
    """Whether a notice breaks "once": the case had one already."""
    return earlier > 0


def notice_no(window: str, bizdate: str, serial: int) -> str:
    """`66-0302-0007`: window, month and day, serial of the hall's day; digits, since the kiosk's keypad has no letters.

    Raises ValueError outside 1 to 9999.
    """
    if not 1 <= serial <= LAST_NOTICE:
        raise ValueError(f"there is no notice {serial} of {bizdate}")
    place = "".join(char for char in window if char.isascii() and char.isdigit()) or "0"
    return f"{place}-{bizdate[5:7]}{bizdate[8:10]}-{serial:04d}"


def typed_notice(number: str) -> str:
    """The digits of a notice's number, as they are typed on a keypad."""
    return "".join(char for char in number if char.isascii() and char.isdigit())


def case_no(hall_code: str, bizdate: str, serial: int) -> str:
    """`L` + 12 digits of the division + the day + 6 digits. Raises ValueError outside 1 to 999999."""
    if not 1 <= serial <= LAST_CASE:
        raise ValueError(f"there is no case {serial} of {bizdate}")
    return f"L{hall_code[:12]}{bizdate.replace('-', '')}{serial:06d}"


# --- due dates --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Pause:
    """The clock stood from the day of the notice until the day on which the papers came; None: it still stands."""

    since: date
    until: date | None = None


def due_date(accepted: date, days: int, unit: DayUnit, calendar: Calendar, pauses: Iterable[Pause] = ()) -> date | None:
    """The last day of a promise; None for no days (decided in the same visit) and while the clock stands.

    Without a pause it is the calendar's `due`. The clock stands from the day after a notice until the day on which the
    papers come: who brings them the same day loses none.
    """
    stops = [(pause.since, pause.until) for pause in pauses]
    if days <= 0 or any(until is None for _, until in stops):
        return None
    day, left = accepted, days
    while left:
        day += timedelta(days=1)
        stands = any(since < day <= until for since, until in stops if until is not None)
        if not stands and (unit == "day" or calendar.works(day)):
            left -= 1
    return calendar.first_workday(day)


def last_return(given: date, calendar: Calendar) -> date:
    """Until when a notice leads straight back."""
    return calendar.due(given, RETURN_WORKDAYS)


def accept_by(received: date, calendar: Calendar) -> date:
    """Until when what was received must be accepted or told: five workdays (行政许可法 32); silence accepts it."""
    return calendar.due(received, ACCEPT_WORKDAYS)


def is_overdue(due: date | None, state: CaseState, today: date) -> bool:
    """Whether a promise is broken: accepted, not decided, and its last day is over."""
    return state is CaseState.ACCEPTED and due is not None and due < today
