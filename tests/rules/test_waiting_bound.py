"""Nobody starves: the bound on waiting that the rules state, tried on lines that Hypothesis invents."""

from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hall_daemon import lanes
from hall_daemon.queueing import Moment, Place, Waiting, overtaking_limit_ms, pick_next, waiting_bound_s
from hall_daemon.words import Lane, Priority

MINUTE_MS = 60_000
SERVICE_S = 600

comers = st.lists(
    st.tuples(
        st.integers(0, 20 * MINUTE_MS), st.sampled_from("AH"),
        st.sampled_from([Priority.NORMAL, Priority.ELDER, Priority.APPOINTMENT]), st.integers(-15, 30),
    ),
    min_size=1, max_size=40,
)  # fmt: skip
"""Gap to the one before, queue, priority, minutes to the slot."""
places = st.builds(
    lambda window, queues, a, h: Place(window=window, queues=queues, weights={"A": a, "H": h} if a + h > 2 else {}),
    st.sampled_from(["1", "2"]), st.sampled_from([("A", "H"), ("H", "A")]), st.integers(1, 10), st.integers(1, 10),
)  # fmt: skip


def line_of(people: list[tuple[int, str, Priority, int]]) -> list[Waiting]:
    found, now_ms = [], 0
    for number, (gap_ms, queue, priority, minutes) in enumerate(people):
        now_ms += gap_ms + 1
        slot_ms = now_ms + minutes * MINUTE_MS
        booked = priority is Priority.APPOINTMENT
        arrival_ms = lanes.slot_arrival_ms(now_ms, slot_ms) if booked else lanes.virtual_arrival_ms(now_ms, priority)
        found.append(
            Waiting(
                ticket_id=f"t{number:03}", queue=queue, arrival_ms=arrival_ms, arrived_ms=now_ms, waited_s=0,
                lane=lanes.lane_of(priority), callable_ms=slot_ms if booked else None,
            )
        )  # fmt: skip
    return found


@given(comers, places)
def test_nobody_is_called_before_somebody_who_came_longer_ago_than_the_limit(
    people: list[tuple[int, str, Priority, int]], place: Place
) -> None:
    line = line_of(people)
    while (pick := pick_next(line, place)) is not None:
        chosen = next(t for t in line if t.ticket_id == pick.ticket_id)
        assert all(chosen.came_ms - other.came_ms <= overtaking_limit_ms(place) for other in line)
        assert overtaking_limit_ms(place) <= overtaking_limit_ms()
        line.remove(chosen)


@settings(max_examples=50)
@given(comers, st.lists(places, min_size=1, max_size=3))
def test_the_wait_is_within_the_bound_while_windows_go_on_calling(
    people: list[tuple[int, str, Priority, int]], windows: list[Place]
) -> None:
    """Windows serve whoever is next, ten minutes each, while more people keep coming."""
    line = line_of(people)
    patient = next((t for t in line if t.lane is Lane.NORMAL), None)
    if patient is None:
        return
    limit_ms = max(map(overtaking_limit_ms, windows))
    before = sum(t.came_ms <= patient.came_ms + limit_ms for t in line) - 1
    bound_ms = waiting_bound_s(before, len(windows), SERVICE_S) * 1000
    now_ms, waiting = patient.came_ms, list(line)
    while now_ms - patient.came_ms <= bound_ms:
        for place in windows:
            here = [t for t in waiting if t.came_ms <= now_ms]
            pick = pick_next(here, place, Moment(open_ms=now_ms, now_ms=now_ms))
            if pick is not None and pick.ticket_id == patient.ticket_id:
                return
            waiting = [t for t in waiting if pick is None or t.ticket_id != pick.ticket_id]
        now_ms += SERVICE_S * 1000
    pytest.fail(f"not called within {bound_ms / 1000} s behind {before}")


@pytest.mark.parametrize(
    ("birth", "day", "years"),
    [
        (date(1956, 1, 5), date(2026, 1, 5), 70), (date(1956, 1, 6), date(2026, 1, 5), 69),
        (date(1952, 2, 29), date(2026, 2, 28), 73), (date(1952, 2, 29), date(2026, 3, 1), 74),
    ],
)  # fmt: skip
def test_age_counts_full_years(birth: date, day: date, years: int) -> None:
    assert lanes.age_on(birth, day) == years
    priority = lanes.priority_of(Priority.NORMAL, birth, day, 70)
    assert priority is (Priority.ELDER if years >= 70 else Priority.NORMAL)
    assert lanes.priority_of(Priority.PREGNANT, birth, day, 70) is Priority.PREGNANT
    assert lanes.priority_of(Priority.NORMAL, birth, day, 0) is Priority.NORMAL, "a hall without such a rule"


def test_a_number_without_a_date_of_birth_makes_nobody_old() -> None:
    assert lanes.birth_of("990000195202290029") == date(1952, 2, 29)
    assert [lanes.birth_of(n) for n in ("", "990000195213010029", "830000199201010022X")] == [None] * 3
