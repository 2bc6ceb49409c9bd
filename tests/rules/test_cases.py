"""The rules of handing in: due dates, checklist, one complete notice, numbers."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hall_daemon.cases import (
    Asked,
    Brought,
    CaseState,
    CaseVerb,
    Line,
    LineState,
    Pause,
    Waiver,
    after,
    case_no,
    checklist,
    due_date,
    is_complete,
    is_overdue,
    last_return,
    notice_no,
    still_wanted,
    typed_notice,
)
from hall_daemon.words import CopyKind
from hall_daemon.workdays import Calendar

WEEK = Calendar()


def holidays(*names: str) -> dict[date, bool]:
    """`2026-10-01..2026-10-07` are off, `+2026-10-10` is worked."""
    days: dict[date, bool] = {}
    for name in names:
        first, _, last = name.lstrip("+").partition("..")
        day = date.fromisoformat(first)
        while day <= date.fromisoformat(last or first):
            days[day] = name.startswith("+")
            day += timedelta(days=1)
    return days


AUTUMN = Calendar(exceptions=holidays("2026-10-01..2026-10-07", "+2026-10-10", "+2026-09-20"))
NEW_YEAR = Calendar(exceptions=holidays("2027-01-01..2027-01-03"))


# --- due dates --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "days", "due"),
    [
        ("2026-03-02", 1, "2026-03-03"),  # Monday: day 1 is the next workday
        ("2026-03-06", 1, "2026-03-09"),  # Friday
        ("2026-03-07", 1, "2026-03-09"),  # accepted on a Saturday
        ("2026-03-02", 5, "2026-03-09"),
    ],
)
def test_day_one_of_a_promise_is_the_next_workday(accepted: str, days: int, due: str) -> None:
    assert due_date(date.fromisoformat(accepted), days, "workday", WEEK) == date.fromisoformat(due)


@pytest.mark.fault("C11")
@pytest.mark.parametrize(
    ("accepted", "days", "due"),
    [
        ("2026-09-30", 1, "2026-10-08"),  # over the whole holiday
        ("2026-09-30", 3, "2026-10-10"),  # the Saturday is worked for it
        ("2026-09-30", 4, "2026-10-12"),
        ("2026-09-18", 1, "2026-09-20"),  # a worked Sunday is day 1
        ("2026-10-10", 1, "2026-10-12"),  # accepted on the worked Saturday
    ],
)
def test_holidays_and_the_weekends_worked_for_them_count_as_the_calendar_says(
    accepted: str, days: int, due: str
) -> None:
    assert due_date(date.fromisoformat(accepted), days, "workday", AUTUMN) == date.fromisoformat(due)


@pytest.mark.fault("C11")
def test_a_promise_runs_over_the_end_of_the_year() -> None:
    assert due_date(date(2026, 12, 30), 2, "workday", NEW_YEAR) == date(2027, 1, 4)
    assert due_date(date(2026, 12, 29), 2, "day", NEW_YEAR) == date(2026, 12, 31)
    assert due_date(date(2026, 12, 30), 2, "day", NEW_YEAR) == date(2027, 1, 4)  # nobody works on the first


@pytest.mark.fault("C11")
def test_a_leap_day_is_a_day_like_others() -> None:
    assert due_date(date(2028, 2, 28), 1, "workday", WEEK) == date(2028, 2, 29)
    assert due_date(date(2028, 2, 28), 2, "workday", WEEK) == date(2028, 3, 1)
    assert due_date(date(2027, 2, 26), 1, "workday", WEEK) == date(2027, 3, 1)
    assert due_date(date(2028, 2, 28), 2, "day", WEEK) == date(2028, 3, 1)


def test_calendar_days_run_through_the_weekend() -> None:
    assert due_date(date(2026, 3, 6), 20, "day", WEEK) == date(2026, 3, 26)
    assert due_date(date(2026, 3, 6), 1, "day", WEEK) == date(2026, 3, 9)  # a Saturday: the next workday


def test_a_case_decided_in_the_same_visit_has_no_due_date() -> None:
    assert due_date(date(2026, 3, 2), 0, "workday", WEEK) is None


def test_the_clock_stands_while_papers_are_awaited() -> None:
    accepted = date(2026, 3, 2)
    assert due_date(accepted, 5, "workday", WEEK, [Pause(since=date(2026, 3, 4))]) is None
    back = Pause(since=date(2026, 3, 4), until=date(2026, 3, 9))
    # Tuesday and Wednesday are days 1 and 2; the clock goes on on the tenth.
    assert due_date(accepted, 5, "workday", WEEK, [back]) == date(2026, 3, 12)


def test_who_brings_the_papers_the_same_day_loses_none() -> None:
    same = Pause(since=date(2026, 3, 4), until=date(2026, 3, 4))
    assert due_date(date(2026, 3, 2), 5, "workday", WEEK, [same]) == date(2026, 3, 9)


DAYS = st.dates(date(2025, 1, 1), date(2030, 12, 31))


@given(accepted=DAYS, days=st.integers(1, 60), off=st.sets(st.integers(0, 200)))
def test_between_acceptance_and_due_lie_exactly_the_promised_workdays(accepted: date, days: int, off: set[int]) -> None:
    worked = Calendar(exceptions={accepted + timedelta(days=n): False for n in off})
    due = due_date(accepted, days, "workday", worked)
    assert due is not None
    assert worked.works(due)
    assert due == worked.due(accepted, days)
    between = [accepted + timedelta(days=n + 1) for n in range((due - accepted).days)]
    assert sum(map(worked.works, between)) == days


@given(accepted=DAYS, days=st.integers(1, 30), since=st.integers(0, 20), length=st.integers(0, 20))
def test_a_pause_never_brings_the_day_nearer(accepted: date, days: int, since: int, length: int) -> None:
    begun = accepted + timedelta(days=since)
    pause = Pause(since=begun, until=begun + timedelta(days=length))
    always = Calendar(exceptions={accepted + timedelta(days=n): True for n in range(90)})
    free, paused = (due_date(accepted, days, "day", always, pauses) for pauses in ((), [pause]))
    assert free is not None
    assert paused is not None
    assert paused == (free if begun >= free else free + timedelta(days=length))


def test_a_promise_is_overdue_only_when_its_last_day_is_over() -> None:
    due = date(2026, 3, 9)
    assert not is_overdue(due, CaseState.ACCEPTED, due)
    assert is_overdue(due, CaseState.ACCEPTED, date(2026, 3, 10))
    assert not is_overdue(due, CaseState.DECIDED, date(2026, 3, 10))
    assert not is_overdue(None, CaseState.SUPPLEMENT, date(2026, 3, 10))


def test_a_notice_leads_straight_back_for_five_workdays() -> None:
    assert last_return(date(2026, 9, 30), AUTUMN) == date(2026, 10, 13)


# --- checklist --------------------------------------------------------------------------------------------------------

CARD = Asked(code="M01", name="居民身份证", waivable_by=frozenset({Waiver.E_LICENSE}))
FORM = Asked(code="M05", name="申请表")
PREMISES = Asked(code="M07", name="住所使用证明", copy="copy", waivable_by=frozenset({Waiver.COMMITMENT}))
POWER = Asked(code="M03", name="授权委托书", need="conditional")
PHOTO = Asked(code="M25", name="证件照", need="optional", copy="electronic")
ASKED = (CARD, FORM, PREMISES, POWER, PHOTO)


def seen(code: str, kind: CopyKind = CopyKind.ORIGINAL_SEEN, fault: str = "") -> Brought:
    return Brought(code=code, kind=kind, fault=fault)


def states(*brought: Brought, applies: frozenset[str] = frozenset()) -> dict[str, LineState]:
    return {line.asked.code: line.state for line in checklist(ASKED, brought, applies)}


def test_nothing_brought_is_all_required_missing_and_nothing_else() -> None:
    assert states() == {
        "M01": LineState.MISSING, "M05": LineState.MISSING, "M07": LineState.MISSING, "M03": LineState.NOT_ASKED,
        "M25": LineState.NOT_ASKED,
    }  # fmt: skip


def test_a_conditional_paper_is_asked_only_where_it_applies() -> None:
    assert states(applies=frozenset({"M03"}))["M03"] is LineState.MISSING
    assert states(seen("M03"))["M03"] is LineState.TAKEN


def test_a_copy_does_where_a_copy_is_asked_and_an_original_always() -> None:
    assert states(seen("M07", CopyKind.COPY))["M07"] is LineState.TAKEN
    assert states(seen("M07"))["M07"] is LineState.TAKEN
    assert states(seen("M05", CopyKind.COPY))["M05"] is LineState.WRONG_KIND


def test_an_electronic_licence_or_a_commitment_stands_in_only_where_the_item_says_so() -> None:
    assert states(seen("M01", CopyKind.ELECTRONIC))["M01"] is LineState.WAIVED
    assert states(seen("M05", CopyKind.ELECTRONIC))["M05"] is LineState.WRONG_KIND
    assert states(seen("M07", CopyKind.COMMITMENT))["M07"] is LineState.WAIVED
    assert states(seen("M01", CopyKind.COMMITMENT))["M01"] is LineState.WRONG_KIND


def test_a_paper_brought_again_and_good_counts() -> None:
    blurred = seen("M01", fault="复印不清楚")
    assert states(blurred)["M01"] is LineState.POOR
    assert states(blurred, seen("M01"))["M01"] is LineState.TAKEN
    assert states(seen("M01"), blurred)["M01"] is LineState.TAKEN


def test_a_faulty_optional_paper_keeps_nobody() -> None:
    assert states(seen("M25", fault="复印不清楚"))["M25"] is LineState.NOT_ASKED


PAPERS = st.builds(
    Asked,
    code=st.sampled_from([f"M{n:02d}" for n in range(1, 13)]),
    name=st.sampled_from(["居民身份证", "申请表"]),
    need=st.sampled_from(["required", "conditional", "optional"]),
    copy=st.sampled_from(["original", "copy", "electronic"]),
    waivable_by=st.frozensets(st.sampled_from(Waiver)),
)
ASKS = st.lists(PAPERS, unique_by=lambda paper: paper.code, max_size=8)
BRINGS = st.lists(
    st.builds(
        Brought,
        code=st.sampled_from([f"M{n:02d}" for n in range(1, 15)]),
        kind=st.sampled_from(CopyKind),
        fault=st.sampled_from(["", "", "不清楚"]),
    ),
    max_size=10,
)
APPLIES = st.frozensets(st.sampled_from([f"M{n:02d}" for n in range(1, 13)]))


@given(asked=ASKS, brought=BRINGS, applies=APPLIES)
def test_a_notice_names_everything_that_keeps_the_case_and_nothing_else(
    asked: list[Asked], brought: list[Brought], applies: frozenset[str]
) -> None:
    lines = checklist(asked, brought, applies)
    wanted = still_wanted(lines)
    assert [line.asked for line in lines] == asked
    assert is_complete(lines) == (not wanted)
    must = {a.code for a in asked if a.need == "required" or (a.need == "conditional" and a.code in applies)}
    assert {w.code for w in wanted} <= must
    # Whoever brings exactly what the notice names, as originals, is asked for nothing more.
    answer = [*brought, *(seen(w.code) for w in wanted)]
    assert is_complete(checklist(asked, answer, applies))
    # And leaving out any one line would not do.
    for left_out in wanted:
        less = [*brought, *(seen(w.code) for w in wanted if w is not left_out)]
        assert [w.code for w in still_wanted(checklist(asked, less, applies))] == [left_out.code]


@given(asked=ASKS, brought=BRINGS, applies=APPLIES, more=BRINGS)
def test_bringing_more_never_makes_more_missing(
    asked: list[Asked], brought: list[Brought], applies: frozenset[str], more: list[Brought]
) -> None:
    def wanted(papers: list[Brought]) -> set[str]:
        return {w.code for w in still_wanted(checklist(asked, papers, applies))}

    assert wanted([*brought, *more]) <= wanted(brought)


@given(asked=ASKS, brought=BRINGS, applies=APPLIES)
def test_the_order_in_which_papers_come_does_not_matter(
    asked: list[Asked], brought: list[Brought], applies: frozenset[str]
) -> None:
    def does(papers: list[Brought]) -> list[bool]:
        found: tuple[Line, ...] = checklist(asked, papers, applies)
        return [line.does for line in found]

    assert does(brought) == does(brought[::-1])


# --- steps and numbers ------------------------------------------------------------------------------------------------


def test_a_case_that_waits_for_papers_is_not_decided_and_a_decided_one_takes_no_step() -> None:
    assert after(CaseState.SUPPLEMENT, CaseVerb.DECIDE) is None
    assert after(CaseState.SUPPLEMENT, CaseVerb.ACCEPT) is CaseState.ACCEPTED
    for verb in CaseVerb:
        assert after(CaseState.DECIDED, verb) is None
        assert after(CaseState.RETURNED, verb) is None


@pytest.mark.parametrize(
    ("window", "number", "typed"), [("66", "66-0302-0007", "6603020007"), ("A-1", "1-0302-0007", "103020007")]
)
def test_a_notice_has_a_number_that_a_keypad_can_type(window: str, number: str, typed: str) -> None:
    assert notice_no(window, "2026-03-02", 7) == number
    assert typed_notice(number) == typed


def test_numbers_end_rather_than_grow_longer() -> None:
    assert case_no("990000000000-01", "2026-11-21", 1) == "L99000000000020261121000001"
    assert case_no("990000000000-01", "2026-11-21", 999_999).endswith("999999")
    for serial in (0, 1_000_000):
        with pytest.raises(ValueError, match="no case"):
            case_no("990000000000-01", "2026-11-21", serial)
    with pytest.raises(ValueError, match="no notice"):
        notice_no("1", "2026-11-21", 10_000)


UNITS: tuple[Literal["workday", "day"], ...] = ("workday", "day")


@given(accepted=DAYS, days=st.integers(1, 60))
def test_calendar_days_are_never_later_than_workdays(accepted: date, days: int) -> None:
    workdays, calendar = (due_date(accepted, days, unit, WEEK) for unit in UNITS)
    assert workdays is not None
    assert calendar is not None
    assert calendar <= workdays
    assert [calendar, workdays] == [WEEK.due(accepted, days, "day"), WEEK.due(accepted, days)]
