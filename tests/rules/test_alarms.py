"""电子监察: each alarm is there as long as its facts are, says what to do, and names nobody."""

from __future__ import annotations

import pytest

from hall_daemon.alarms import (
    Alarm,
    CaseFacts,
    ClosureFacts,
    HoldFacts,
    Level,
    Limits,
    QueueFacts,
    ReorderFacts,
    age_text,
    holds_over_limit,
    reorderings,
    sorted_alarms,
    troubled_cases,
    waits_over_limit,
    windows_closed_early,
)
from hall_daemon.protocol import Text

NOW = 1_772_420_000_000
MINUTE = 60_000
LIMITS = Limits()


def queue(waited_min: int = 0, *, waiting: int = 1, **more: object) -> QueueFacts:
    facts: dict[str, object] = {
        "code": "F", "name": Text(zh="不动产登记", en="Real Estate"), "zone": "B", "waiting": waiting,
        "oldest_number": "F012", "oldest_since_ms": NOW - waited_min * MINUTE, "open_windows": ("31", "32"),
        "closed_windows": ("33",), "could_take": ("23",), **more,
    }  # fmt: skip
    return QueueFacts(**facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(("waited", "level"), [(29, None), (30, Level.WARN), (59, Level.WARN), (60, Level.URGENT)])
def test_a_wait_over_the_limit_is_an_alarm_and_twice_the_limit_is_urgent(waited: int, level: Level | None) -> None:
    found = waits_over_limit([queue(waited, waiting=27, eased_min=25)], NOW, LIMITS)
    assert [a.level for a in found] == ([] if level is None else [level])
    if found:
        assert found[0].what.zh == f"不动产登记 最久已等 {waited} 分钟（F012）"
        assert found[0].advice.zh == "27 人在等，2 个窗口开放。再开 2 个，新来的约等 25 分钟。"
        assert found[0].since_ms == NOW - (waited - 30) * MINUTE, "it is an alarm since the limit was reached"


def test_nobody_waiting_is_no_alarm_however_old_the_last_one_was() -> None:
    assert waits_over_limit([queue(90, waiting=0)], NOW, LIMITS) == []


def test_a_visit_must_exceed_both_the_limit_and_three_times_the_usual() -> None:
    def alarms_of(minutes: int, usual: float) -> list[Alarm]:
        hold = HoldFacts(number="A001", window="7", since_ms=NOW - minutes * MINUTE, usual_min=usual)
        return holds_over_limit([hold], NOW, LIMITS)

    assert alarms_of(29, 5) == []
    assert alarms_of(42, 20) == [], "registering a house takes its time"
    (alarm,) = alarms_of(42, 14)
    assert (alarm.code, alarm.about, alarm.what.zh) == ("hold", "7", "7 号窗口办理 A001 已 42 分钟")
    assert "14 分钟" in alarm.advice.zh


def test_a_parked_ticket_is_forgotten_after_an_hour() -> None:
    def parked(minutes: int) -> list[Alarm]:
        hold = HoldFacts(number="A001", window="7", since_ms=NOW - minutes * MINUTE, usual_min=5, parked=True)
        return holds_over_limit([hold], NOW, LIMITS)

    assert parked(59) == []
    assert [a.code for a in parked(60)] == ["parked"]


@pytest.mark.fault("E14")
def test_a_queue_whose_last_window_closes_is_urgent_at_once_with_windows_that_could_take_it() -> None:
    facts = queue(2, waiting=4, open_windows=(), closed_windows=("31", "32"))
    closed = [ClosureFacts(window="31", at_ms=NOW - MINUTE, queues=("F",))]
    (alarm,) = windows_closed_early([facts], closed, LIMITS, NOW)
    assert (alarm.code, alarm.level, alarm.since_ms) == ("no_window", Level.URGENT, NOW - MINUTE)
    assert alarm.what.zh == "不动产登记 没有窗口开放，4 人在等"
    assert alarm.advice.zh == "可开放 31、32 号窗口。本区 23 号窗口开着，人员会办的话可以接。"


@pytest.mark.fault("E14")
def test_where_no_window_could_take_it_the_desk_is_asked() -> None:
    facts = queue(2, open_windows=(), closed_windows=(), could_take=())
    (alarm,) = windows_closed_early([facts], [], LIMITS, NOW)
    assert "导办台" in alarm.advice.zh


def test_a_window_that_closes_while_its_queue_is_late_is_told_and_one_without_a_queue_is_not() -> None:
    closed = [ClosureFacts(window="33", at_ms=NOW - MINUTE, queues=("F", "B"))]
    assert [a.code for a in windows_closed_early([queue(25)], closed, LIMITS, NOW)] == ["closed_early"]
    assert windows_closed_early([queue(5)], closed, LIMITS, NOW) == []
    assert windows_closed_early([queue(25, waiting=0)], closed, LIMITS, NOW) == []
    assert windows_closed_early([queue(25)], [], LIMITS, NOW) == []


def test_a_window_that_calls_out_of_turn_three_times_within_an_hour_is_told() -> None:
    times = [ReorderFacts(window="5", at_ms=NOW - minutes * MINUTE) for minutes in (50, 20, 1)]
    (alarm,) = reorderings(times, NOW, LIMITS)
    assert (alarm.level, alarm.about, alarm.since_ms) == (Level.INFO, "5", NOW - MINUTE)
    assert reorderings(times[1:], NOW, LIMITS) == []
    assert reorderings([ReorderFacts(window="5", at_ms=NOW - 61 * MINUTE), *times[1:]], NOW, LIMITS) == []


def test_a_second_notice_and_a_broken_promise_are_told() -> None:
    cases = [
        CaseFacts(case="L1", notices=1, last_notice_ms=NOW),
        CaseFacts(case="L2", notices=2, last_notice_ms=NOW - MINUTE),
        CaseFacts(case="L3", overdue_days=3, due_ms=NOW - 3 * 1440 * MINUTE),
        CaseFacts(case="L4", unaccepted_days=1, due_ms=NOW - 1440 * MINUTE),
    ]
    assert [(a.code, a.about, a.level) for a in troubled_cases(cases)] == [
        ("notices", "L2", Level.WARN), ("overdue", "L3", Level.URGENT),
        ("unaccepted", "L4", Level.URGENT),
    ]  # fmt: skip


def test_the_worst_stands_first_and_of_equals_the_newest() -> None:
    def alarm(level: Level, minutes: int) -> Alarm:
        since_ms = NOW - minutes * MINUTE
        return Alarm(code="x", level=level, about=str(minutes), what=Text(zh=""), advice=Text(zh=""), since_ms=since_ms)

    found = sorted_alarms([alarm(Level.INFO, 1), alarm(Level.URGENT, 9)], [alarm(Level.WARN, 5), alarm(Level.WARN, 2)])
    assert [a.about for a in found] == ["9", "2", "5", "1"]


@pytest.mark.parametrize(
    ("minutes", "words"), [(0, "刚刚"), (3, "3 分钟前"), (125, "2 小时前"), (3 * 1440, "3 天前"), (-5, "刚刚")]
)
def test_an_age_is_told_as_people_tell_it(minutes: int, words: str) -> None:
    assert age_text(NOW - minutes * MINUTE, NOW).zh == words
