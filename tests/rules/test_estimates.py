"""The wait is played through with the hall's own rule, learnt from the day, and rounded for people."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hall_daemon.estimates import (
    Desk,
    Diary,
    Estimate,
    InLine,
    Paces,
    Record,
    Visit,
    calibrated,
    learn,
    newcomer,
    shown,
)
from hall_daemon.estimates_play import foresee
from hall_daemon.queueing import Waiting

TEN_MINUTES = Paces(mean_s={"slow": 600.0, "quick": 120.0}, spread=0.4, between_s=0.0, no_show_share=0.0)


def person(no: int, queue: str = "A", item: str = "slow", for_window: str | None = None) -> InLine:
    ticket = Waiting(ticket_id=f"{no:04d}", queue=queue, arrival_ms=no * 1000, waited_s=0, for_window=for_window)
    return InLine(ticket=ticket, item=item)


def expected_min(line: list[InLine], desks: list[Desk], paces: Paces = TEN_MINUTES, queue: str = "A") -> float:
    return foresee([*line, newcomer(queue)], desks, paces).queues[queue].middle_s / 60


def test_nobody_is_promised_anything_where_no_window_is_open() -> None:
    outlook = foresee([person(1), newcomer("A")], [Desk(window="1", queues=("B",))], TEN_MINUTES)
    assert outlook.queues == {}
    assert outlook.tickets == {}


def test_an_idle_window_means_no_wait() -> None:
    assert expected_min([], [Desk(window="1", queues=("A",))]) == 0


def test_each_person_ahead_costs_a_visit_divided_by_the_windows() -> None:
    crowd = [person(no) for no in range(40)]
    one = expected_min(crowd, [Desk(window="1", queues=("A",))])
    four = expected_min(crowd, [Desk(window=str(w), queues=("A",)) for w in range(4)])
    assert one == pytest.approx(400, rel=0.1)
    assert four == pytest.approx(100, rel=0.1)


def test_quick_items_ahead_are_a_shorter_wait_than_slow_ones() -> None:
    desk = [Desk(window="1", queues=("A",))]
    quick = expected_min([person(no, item="quick") for no in range(20)], desk)
    assert quick < expected_min([person(no) for no in range(20)], desk) / 3


def test_a_visit_that_began_long_ago_ends_sooner() -> None:
    def left(busy_s: float) -> float:
        return expected_min([], [Desk(window="1", queues=("A",), busy_with="slow", busy_s=busy_s)])

    assert left(30) == pytest.approx(9.0, abs=1.5)
    assert left(480) < left(30) / 2
    assert left(7200) > 0, "a visit of two hours is not over because visits usually are"


def test_a_window_for_several_queues_is_not_counted_for_each_of_them() -> None:
    both = [Desk(window="1", queues=("A", "B"))]
    line = [*(person(no) for no in range(10)), *(person(no + 10, queue="B") for no in range(10))]
    assert expected_min(line, both) == pytest.approx(200, rel=0.12)


def test_a_ticket_that_was_sent_to_a_window_waits_for_that_window() -> None:
    desks = [
        Desk(window="1", queues=("A",), busy_with="slow", busy_s=10.0),
        Desk(window="2", queues=("A",)),
    ]
    outlook = foresee([person(1, for_window="1"), person(2)], desks, TEN_MINUTES)
    assert outlook.tickets["0002"].middle_s == 0
    assert outlook.tickets["0001"].middle_s > 300


def test_those_who_do_not_come_keep_a_window_for_a_moment_only() -> None:
    crowd = [person(no) for no in range(30)]
    gone = Paces(mean_s=TEN_MINUTES.mean_s, spread=0.4, between_s=0.0, no_show_share=0.5, no_show_s=60.0)
    desk = [Desk(window="1", queues=("A",))]
    assert expected_min(crowd, desk, gone) == pytest.approx(165, rel=0.2)


def test_the_same_hall_gives_the_same_estimate() -> None:
    crowd, desks = [person(no) for no in range(25)], [Desk(window="1", queues=("A",))]
    assert foresee(crowd, desks, TEN_MINUTES) == foresee(crowd, desks, TEN_MINUTES)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from(["slow", "quick"])), max_size=30),
    st.lists(st.sampled_from([("A",), ("B",), ("A", "B")]), min_size=1, max_size=6),
)
def test_whoever_some_window_may_call_has_an_estimate_and_later_means_longer(
    people: list[tuple[str, str]], windows: list[tuple[str, ...]]
) -> None:
    line = [person(no, queue, item) for no, (queue, item) in enumerate(people)]
    outlook = foresee(line, [Desk(window=str(n), queues=q) for n, q in enumerate(windows)], TEN_MINUTES)
    served = {queue for queues in windows for queue in queues}
    assert set(outlook.tickets) == {p.ticket.ticket_id for p in line if p.ticket.queue in served}
    for queue in served:
        mine = [outlook.tickets[p.ticket.ticket_id] for p in line if p.ticket.queue == queue]
        assert [e.middle_s for e in mine] == sorted(e.middle_s for e in mine)
        assert all(e.low_s <= e.middle_s <= e.high_s for e in mine)


# --- what the day shows -----------------------------------------------------------------------------------------------


def diary(**taken_min: list[float]) -> Diary:
    found = Diary()
    for item, times in taken_min.items():
        for minutes in times:
            found.ended(Visit(item=item, taken_s=minutes * 60))
    return found


MINUTES, QUEUE_OF = {"new": 10.0, "old": 10.0}, {"new": "A", "old": "A"}


def test_before_any_visit_the_catalogue_is_believed() -> None:
    assert learn(Diary(), MINUTES, QUEUE_OF).of("new") == pytest.approx(600)


def test_visits_of_today_outweigh_the_catalogue_and_other_items_learn_from_them() -> None:
    paces = learn(diary(old=[5.0] * 20), MINUTES, QUEUE_OF)
    assert paces.of("old") == pytest.approx(330, abs=30)
    assert 330 < paces.of("new") < 570, "the hall is faster than the catalogue, so this item may be too"
    assert paces.seen == {"old": 20}


def test_only_the_last_twenty_visits_count() -> None:
    paces = learn(diary(old=[30.0] * 50 + [5.0] * 20), MINUTES, QUEUE_OF)
    assert paces.of("old") == pytest.approx(learn(diary(old=[5.0] * 20), MINUTES, QUEUE_OF).of("old"))


def test_one_forgotten_visit_of_three_hours_does_not_spoil_the_day() -> None:
    usual = learn(diary(old=[8.0] * 10), MINUTES, QUEUE_OF).of("old")
    assert learn(diary(old=[8.0] * 9 + [180.0]), MINUTES, QUEUE_OF).of("old") < usual * 1.35


# --- the range --------------------------------------------------------------------------------------------------------


def test_a_range_that_keeps_missing_reaches_further_and_one_that_never_misses_shrinks() -> None:
    played = Estimate(middle_s=600, low_s=480, high_s=720)
    late, right = Record(), Record()
    for _ in range(60):
        late.came_true(calibrated(played, late), 900)
        right.came_true(calibrated(played, right), 600)
    assert calibrated(played, late).high_s > 850
    assert calibrated(played, late).low_s > 480, "nobody came early, so the lower end may come closer"
    assert calibrated(played, right).high_s < 720


def test_in_the_long_run_one_in_ten_lies_beyond_each_end() -> None:
    played = Estimate(middle_s=600, low_s=480, high_s=740)
    record, inside = Record(), []
    for turn in range(3000):
        given = calibrated(played, record)
        waited = 300 + (turn * 7919 % 1000) * 0.6
        inside.append(given.low_s <= waited <= given.high_s)
        record.came_true(given, waited)
    assert statistics.fmean(inside[500:]) == pytest.approx(0.8, abs=0.03)


@pytest.mark.parametrize(
    ("low", "middle", "high", "read"),
    [
        (0, 0, 0, (0, 0, 0)),
        (60, 120, 240, (0, 0, 0)),
        (60, 240, 420, (0, 10, 5)),
        (900, 1190, 1500, (15, 25, 20)),
        (840, 1190, 1501, (10, 30, 20)),
        (3000, 3600, 4500, (50, 75, 60)),
    ],
)
def test_people_read_a_range_in_steps_of_five_minutes(
    low: float, middle: float, high: float, read: tuple[int, int, int]
) -> None:
    seen = shown(Estimate(middle_s=middle, low_s=low, high_s=high))
    assert (seen.low_min, seen.high_min, seen.about_min) == read
