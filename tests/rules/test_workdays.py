"""Workdays, holidays and the weekends worked for them (C11): when a promised time ends."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hall_daemon.catalogue import read_file, with_catalog
from hall_daemon.profile import HallProfile
from hall_daemon.protocol import Text
from hall_daemon.workdays import Calendar
from sim.catalog_tables import HALLS

SPRING = Calendar(
    exceptions={
        date(2026, 2, 14): True,
        **{date(2026, 2, day): False for day in range(15, 24)},
        date(2026, 2, 28): True,
    }
)


@pytest.mark.parametrize(
    ("accepted", "days", "due"),
    [
        (date(2026, 1, 5), 0, date(2026, 1, 5)),  # decided on the spot
        (date(2026, 1, 5), 1, date(2026, 1, 6)),  # day 1 is the next workday
        (date(2026, 1, 9), 1, date(2026, 1, 12)),  # over a weekend
        (date(2026, 2, 13), 1, date(2026, 2, 14)),  # a Saturday that is worked
        (date(2026, 2, 14), 1, date(2026, 2, 24)),  # the Spring Festival between
        (date(2026, 2, 24), 4, date(2026, 2, 28)),  # the Saturday worked for it counts
        (date(2024, 2, 28), 1, date(2024, 2, 29)),  # the leap day
        (date(2023, 2, 28), 1, date(2023, 3, 1)),
    ],
)  # fmt: skip
@pytest.mark.fault("C11")
def test_promise_ends_on_the_workday_that_the_calendar_says(accepted: date, days: int, due: date) -> None:
    assert SPRING.due(accepted, days) == due


@pytest.mark.fault("C11")
def test_calendar_days_that_end_on_a_holiday_end_on_the_next_workday() -> None:
    assert SPRING.due(date(2026, 1, 20), 30, "day") == date(2026, 2, 24)
    assert SPRING.due(date(2026, 1, 5), 30, "day") == date(2026, 2, 4)


@pytest.mark.fault("C11")
def test_catalogue_of_the_model_hall_carries_holidays_over_the_turn_of_the_year() -> None:
    catalog = read_file(HALLS / "small" / "catalog.json").read()
    places = HallProfile(hall=Text(zh=""), zones={}, queues={}, windows={}, kiosks={}, items={}, departments={})
    calendar = with_catalog(places, catalog).calendar

    assert calendar.due(date(2025, 12, 31), 1) == date(2026, 1, 4)  # a Sunday that is worked
    assert calendar.covers(date(2026, 10, 10))
    assert not calendar.covers(date(2031, 1, 1))


@given(st.dates(date(2024, 1, 1), date(2028, 12, 31)), st.integers(1, 60), st.sampled_from(["workday", "day"]))
def test_a_due_date_is_worked_and_never_earlier_than_one_with_fewer_days(day: date, days: int, unit: str) -> None:
    due = SPRING.due(day, days, unit)  # type: ignore[arg-type]  # drawn from the two units

    assert SPRING.works(due)
    assert SPRING.due(day, days - 1, unit) <= due  # type: ignore[arg-type]  # as above
    assert due > day


def test_a_calendar_without_any_workday_still_gives_a_date() -> None:
    never = Calendar(
        exceptions={date(2026, 1, 1) + (date(2026, 1, 2) - date(2026, 1, 1)) * n: False for n in range(800)}
    )

    assert never.due(date(2026, 1, 5), 3) > date(2026, 1, 5)
