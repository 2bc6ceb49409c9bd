"""What a manager has to look at (电子监察). Pure: facts in, alarms out; nothing is decided and nobody is named.

An alarm says what is the case, what it does to people, what can be done, how bad it is and since when. It is there as
long as the facts are, and gone with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from hall_daemon.protocol import Text
from hall_daemon.texts import say, text

MINUTE_S = 60


class Level(StrEnum):
    """How bad."""

    URGENT = "urgent"
    WARN = "warn"
    INFO = "info"


_RANK = {Level.URGENT: 0, Level.WARN: 1, Level.INFO: 2}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """From when on something is an alarm. Minutes of waiting and holding [D]: a hall's own targets go here."""

    target_min: int = 20
    wait_min: int = 30
    hold_min: int = 30
    hold_factor: float = 3.0
    """Of the usual time of the item; both must be exceeded."""
    parked_min: int = 60
    reordered_an_hour: int = 3
    """Manual re-orderings of one window; each single one is audited anyway."""


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """Something to look at. `about` is the queue, window, number or case it is about."""

    code: str
    level: Level
    about: str
    what: Text
    advice: Text
    since_ms: int


@dataclass(frozen=True, kw_only=True)
class QueueFacts:
    """A queue now. Minutes; `eased_min` is the wait of a newcomer if two more windows opened."""

    code: str
    name: Text
    zone: str
    waiting: int
    oldest_number: str
    oldest_since_ms: int
    open_windows: tuple[str, ...]
    closed_windows: tuple[str, ...]
    """That serve this queue and are not open."""
    could_take: tuple[str, ...]
    """Open windows of the same zone that do not serve it: a person must decide whether their clerks can."""
    eased_min: int | None = None


@dataclass(frozen=True, kw_only=True)
class HoldFacts:
    """A ticket at a window, or parked there."""

    number: str
    window: str
    since_ms: int
    usual_min: float
    parked: bool = False


@dataclass(frozen=True, kw_only=True)
class ClosureFacts:
    """A window that closed or paused while the day is open."""

    window: str
    at_ms: int
    queues: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ReorderFacts:
    """A ticket was called out of turn or pinned."""

    window: str
    at_ms: int


@dataclass(frozen=True, kw_only=True)
class CaseFacts:
    """A case that needs a look: told more than once what is missing, not accepted or not decided in time."""

    case: str
    notices: int = 0
    last_notice_ms: int = 0
    overdue_days: int = 0
    due_ms: int = 0
    unaccepted_days: int = 0
    """Since the last day on which it could be accepted or told what is missing."""


def waits_over_limit(queues: Iterable[QueueFacts], now_ms: int, limits: Limits) -> list[Alarm]:
    """Somebody waits longer than the limit."""
    found = []
    for queue in queues:
        waited_min = (now_ms - queue.oldest_since_ms) // (MINUTE_S * 1000)
        if not queue.waiting or waited_min < limits.wait_min or not queue.open_windows:
            continue
        advice = text("alarm.wait.advice", waiting=queue.waiting, open=len(queue.open_windows))
        if queue.eased_min is not None and queue.closed_windows:
            advice = _join(advice, text("alarm.wait.eased", minutes=queue.eased_min))
        found.append(
            Alarm(
                code="wait", level=Level.URGENT if waited_min >= 2 * limits.wait_min else Level.WARN, about=queue.code,
                what=say("alarm.wait", queue=queue.name, number=queue.oldest_number, minutes=waited_min),
                advice=advice, since_ms=queue.oldest_since_ms + limits.wait_min * MINUTE_S * 1000,
            )
        )  # fmt: skip
    return found


def holds_over_limit(holds: Iterable[HoldFacts], now_ms: int, limits: Limits) -> list[Alarm]:
    """A visit lasts far longer than such visits do, or a parked ticket is forgotten."""
    found = []
    for hold in holds:
        minutes = (now_ms - hold.since_ms) / (MINUTE_S * 1000)
        limit = limits.parked_min if hold.parked else max(limits.hold_min, limits.hold_factor * hold.usual_min)
        if minutes < limit:
            continue
        kind = "parked" if hold.parked else "hold"
        found.append(
            Alarm(
                code=kind, level=Level.WARN, about=hold.window,
                what=text(f"alarm.{kind}", window=hold.window, number=hold.number, minutes=int(minutes)),
                advice=text(f"alarm.{kind}.advice", usual=max(1, round(hold.usual_min))),
                since_ms=hold.since_ms + int(limit * MINUTE_S * 1000),
            )
        )  # fmt: skip
    return found


def windows_closed_early(
    queues: Iterable[QueueFacts], closures: Sequence[ClosureFacts], limits: Limits, now_ms: int
) -> list[Alarm]:
    """People wait and nobody is left to call them, or a window closed while its queue is over its target.

    Proposes which windows can take the queue; moves nobody.
    """
    found = []
    for queue in queues:
        mine = [c for c in closures if queue.code in c.queues]
        if not queue.waiting:
            continue
        last = max((c.at_ms for c in mine), default=queue.oldest_since_ms)
        if not queue.open_windows:
            found.append(_nobody_calls(queue, last))
        elif mine and now_ms - queue.oldest_since_ms >= limits.target_min * MINUTE_S * 1000:
            windows = "、".join(sorted({c.window for c in mine}, key=lambda code: (len(code), code)))
            found.append(
                Alarm(
                    code="closed_early", level=Level.WARN, about=queue.code,
                    what=say("alarm.closed_early", windows=windows, queue=queue.name, waiting=queue.waiting),
                    advice=_who_could(queue), since_ms=last,
                )
            )  # fmt: skip
    return found


def _nobody_calls(queue: QueueFacts, since_ms: int) -> Alarm:
    return Alarm(
        code="no_window", level=Level.URGENT, about=queue.code,
        what=say("alarm.no_window", queue=queue.name, waiting=queue.waiting), advice=_who_could(queue),
        since_ms=since_ms,
    )  # fmt: skip


def _who_could(queue: QueueFacts) -> Text:
    parts = []
    if queue.closed_windows:
        parts.append(text("alarm.open_these", windows="、".join(queue.closed_windows[:6])))
    if queue.could_take:
        parts.append(text("alarm.could_take", windows="、".join(queue.could_take[:6])))
    return _join(*parts) if parts else text("alarm.ask_desk")


def reorderings(events: Iterable[ReorderFacts], now_ms: int, limits: Limits) -> list[Alarm]:
    """A window called out of turn, or pinned, unusually often within the hour."""
    by_window: dict[str, list[int]] = {}
    for event in events:
        if now_ms - event.at_ms <= 3_600_000:
            by_window.setdefault(event.window, []).append(event.at_ms)
    return [
        Alarm(
            code="reordered", level=Level.INFO, about=window, since_ms=max(times),
            what=text("alarm.reordered", window=window, times=len(times)), advice=text("alarm.reordered.advice"),
        )
        for window, times in by_window.items()
        if len(times) >= limits.reordered_an_hour
    ]  # fmt: skip


def troubled_cases(cases: Iterable[CaseFacts]) -> list[Alarm]:
    """One notice tells everything that is missing: a second one breaks the rule. A promise that is over is broken.

    So is the law's: what was received and neither accepted nor told within five workdays counts as accepted.
    """
    found = []
    for case in cases:
        if case.notices > 1:
            found.append(
                Alarm(
                    code="notices", level=Level.WARN, about=case.case, since_ms=case.last_notice_ms,
                    what=text("alarm.notices", case=case.case, times=case.notices), advice=text("alarm.notices.advice"),
                )
            )  # fmt: skip
        if case.unaccepted_days > 0:
            found.append(
                Alarm(
                    code="unaccepted", level=Level.URGENT, about=case.case, since_ms=case.due_ms,
                    what=text("alarm.unaccepted", case=case.case), advice=text("alarm.unaccepted.advice"),
                )
            )  # fmt: skip
        if case.overdue_days > 0:
            found.append(
                Alarm(
                    code="overdue", level=Level.URGENT, about=case.case, since_ms=case.due_ms,
                    what=text("alarm.overdue", case=case.case, days=case.overdue_days),
                    advice=text("alarm.overdue.advice"),
                )
            )  # fmt: skip
    return found


def sorted_alarms(*kinds: Iterable[Alarm]) -> list[Alarm]:
    """Worst first, then newest first."""
    return sorted((alarm for kind in kinds for alarm in kind), key=lambda a: (_RANK[a.level], -a.since_ms, a.about))


def age_text(since_ms: int, now_ms: int) -> Text:
    """刚刚, 3 分钟前, 2 小时前, 4 天前."""
    minutes = max(0, now_ms - since_ms) // 60_000
    if minutes < 1:
        return text("age.now")
    if minutes < 60:
        return text("age.minutes", n=minutes)
    if minutes < 24 * 60:
        return text("age.hours", n=minutes // 60)
    return text("age.days", n=minutes // 1440)


def _join(*sentences: Text) -> Text:
    return Text(zh="".join(s.zh for s in sentences), en=" ".join(s.en for s in sentences))


LEVEL_NAMES: Mapping[Level, str] = {level: f"alarm.level.{level.value}" for level in Level}
