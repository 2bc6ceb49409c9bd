"""Numbers, legal steps, who is next and why: pure rules, tried on everything that can happen."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hall_daemon.queueing import (
    BEHIND_AFTER_NO_SHOW,
    LAST_SERIAL,
    Place,
    Verb,
    Waiting,
    after,
    display_number,
    may_call,
    may_resume,
    pick_next,
    requeued_arrival,
    series,
)  # fmt: skip
from hall_daemon.words import Hold, Lane, TicketState

S, V = TicketState, Verb

LEGAL = """
call      waiting  called      recall    called   called      put_back  called   waiting
serve     called   serving   no_show   called   no_show     requeue   no_show  waiting     park      serving  parked
resume    parked   serving     transfer  serving  waiting     finish    serving  finished
finish    parked   finished    cancel    waiting  cancelled   expire    waiting  expired
expire    no_show  expired
"""
"""Verb, state before, state after: the drawing of the architecture, and the close of day."""


def legal() -> dict[tuple[TicketState, Verb], TicketState]:
    words = LEGAL.split()
    triples = zip(words[::3], words[1::3], words[2::3], strict=True)
    return {(S(before), V(verb)): S(then) for verb, before, then in triples}


# --- steps ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", list(TicketState))
@pytest.mark.parametrize("verb", list(Verb))
def test_only_the_drawn_steps_are_legal(state: TicketState, verb: Verb) -> None:
    assert after(state, verb) is legal().get((state, verb))


def test_nothing_follows_an_end() -> None:
    for state in (S.FINISHED, S.CANCELLED, S.EXPIRED):
        assert not any(after(state, verb) for verb in Verb)


def test_every_state_can_be_reached_and_every_open_one_can_be_left() -> None:
    reached = {S.WAITING, *legal().values()}
    left = {state for state, _ in legal()}

    assert reached == set(TicketState)
    assert left == set(TicketState) - {S.FINISHED, S.CANCELLED, S.EXPIRED}


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("serial", "number"), [(1, "A001"), (17, "A017"), (999, "A999"), (1000, "A1000"), (LAST_SERIAL, "A9999")]
)
def test_numbers_have_three_digits_until_they_need_four(serial: int, number: str) -> None:
    assert display_number("A", serial) == number


@pytest.mark.parametrize("serial", [-1, 0, 10_000, 12_345])
def test_a_series_has_no_number_beyond_its_ends(serial: int) -> None:
    with pytest.raises(ValueError, match=f"series VA has no serial {serial}"):
        display_number("VA", serial)


@given(st.integers(1, LAST_SERIAL), st.integers(1, LAST_SERIAL))
def test_different_serials_are_different_numbers(one: int, other: int) -> None:
    assert (display_number("A", one) == display_number("A", other)) == (one == other)


def test_lanes_of_a_queue_are_series_of_their_own() -> None:
    assert [series("A", lane) for lane in Lane] == ["A", "VA", "YA", "XA"]


# --- who is next ------------------------------------------------------------------------------------------------------


MINUTE_MS = 60_000


def waiting(ticket_id: str, minute: int, queue: str = "A", *, to: str | None = None, **more: Any) -> Waiting:
    return Waiting(**{
        "ticket_id": ticket_id, "queue": queue, "arrival_ms": minute * MINUTE_MS, "waited_s": 0, "for_window": to,
        **more,
    })  # fmt: skip


def place(window: str, *queues: str, **more: Any) -> Place:
    return Place(window=window, queues=queues, **more)


def test_nobody_waiting_is_nobody_next() -> None:
    assert pick_next([], place("1", "A")) is None
    assert pick_next([waiting("t1", 1, "B"), waiting("t2", 2, to="2")], place("1", "A")) is None


def test_the_choice_tells_enough_to_be_replayed() -> None:
    line = [waiting("t3", 30, waited_s=90), waiting("t1", 10, "H", waited_s=5), waiting("t2", 20, "N", waited_s=700)]
    pick = pick_next(line, place("1", "A", "H"))

    assert pick is not None
    assert (pick.ticket_id, pick.picked_by, pick.candidates, pick.oldest_wait_s) == ("t1", "arrival", 2, 90)


def test_a_ticket_sent_to_the_window_comes_by_its_own_arrival() -> None:
    line = [waiting("t2", 20), waiting("t1", 10, "X", to="1")]
    first = pick_next(line, place("1", "A"))
    elsewhere = pick_next(line, place("2", "A", "X"))

    assert first is not None
    assert elsewhere is not None
    assert (first.ticket_id, first.picked_by) == ("t1", "sent_to_window")
    assert (elsewhere.ticket_id, elsewhere.candidates) == ("t2", 1)


@pytest.mark.parametrize(
    ("queue", "to", "window", "queues", "may"),
    [
        ("A", None, "1", ["A"], True),
        ("A", None, "1", ["H", "A"], True),
        ("A", None, "1", ["H"], False),
        ("A", None, "1", [], False),
        ("A", "1", "1", ["H"], True),
        ("A", "1", "1", [], True),
        ("A", "2", "1", ["A"], False),
        ("A", "2", "2", ["A"], True),
    ],
)
def test_a_window_calls_its_queues_and_what_was_sent_to_it(
    queue: str, to: str | None, window: str, queues: list[str], may: bool
) -> None:
    assert may_call(waiting("t1", 1, queue, to=to), window, queues) is may


tickets = st.builds(
    lambda number, queue, arrival, to: waiting(f"t{number:03d}", arrival, queue, to=to),
    st.integers(0, 999), st.sampled_from("AHN"), st.integers(0, 50), st.sampled_from([None, None, "1", "2"]),
)  # fmt: skip
lines = st.lists(tickets, max_size=30, unique_by=lambda t: t.ticket_id)


@given(lines, st.sampled_from(["1", "2", "3"]), st.sets(st.sampled_from("AHN")))
def test_next_is_who_arrived_first_of_those_that_may_be_called(line: list[Waiting], window: str, own: set[str]) -> None:
    pick = pick_next(line, place(window, *sorted(own)))
    callable_here = [t for t in line if may_call(t, window, sorted(own))]

    assert (pick is None) == (not callable_here)
    if pick is not None:
        chosen = next(t for t in line if t.ticket_id == pick.ticket_id)
        assert chosen in callable_here
        assert chosen.arrival_ms == min(t.arrival_ms for t in callable_here)
        assert pick.candidates == len(callable_here)


@given(lines, st.randoms(use_true_random=False))
def test_the_order_in_which_rows_come_does_not_matter(line: list[Waiting], chance: object) -> None:
    mixed = list(line)
    chance.shuffle(mixed)  # type: ignore[attr-defined]  # a random.Random of Hypothesis

    assert pick_next(mixed, place("1", "A", "H")) == pick_next(line, place("1", "A", "H"))


@given(st.lists(st.tuples(st.sampled_from("AH"), st.integers(1, 5)), min_size=1, max_size=40), st.integers(0, 39))
def test_nobody_starves_however_many_come_after(comers: list[tuple[str, int]], stand: int) -> None:
    """Whoever waits is called after at most those who stood before, while new ones keep coming."""
    line, arrival = [], 0
    for number, (queue, gap) in enumerate(comers):
        arrival += gap
        line.append(waiting(f"t{number:03d}", arrival, queue))
    patient = line[stand % len(line)]
    before = sum(t.arrival_ms < patient.arrival_ms for t in line)

    for calls in range(before + 1):
        pick = pick_next(line, place("1", "A", "H"))
        assert pick is not None
        line = [t for t in line if t.ticket_id != pick.ticket_id]
        if pick.ticket_id == patient.ticket_id:
            return
        line += [waiting(f"u{calls:03d}{n}", arrival + calls + 1, "A") for n in range(3)]
    pytest.fail(f"not called within {before + 1} calls")


# --- back in line -----------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 10_000), max_size=30, unique=True))
def test_the_first_time_behind_the_third_who_waits(arrivals: list[int]) -> None:
    arrival = requeued_arrival(arrivals, 1)

    if len(arrivals) <= BEHIND_AFTER_NO_SHOW:
        assert arrival is None
    else:
        assert arrival is not None
        assert sum(a < arrival for a in arrivals) == BEHIND_AFTER_NO_SHOW


@given(st.lists(st.integers(0, 10_000), max_size=30, unique=True), st.integers(2, 9))
def test_afterwards_at_the_tail(arrivals: list[int], no_shows: int) -> None:
    assert requeued_arrival(arrivals, no_shows) is None


# --- taken up again ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hold", "parked_at", "window", "queues", "may"),
    [
        (Hold.HERE, "1", "1", ["A"], True),
        (Hold.HERE, "1", "1", ["H"], True),
        (Hold.HERE, "1", "2", ["A"], False),
        (Hold.OPEN, "1", "1", ["H"], True),
        (Hold.OPEN, "1", "2", ["A"], True),
        (Hold.OPEN, "1", "2", ["H"], False),
        (Hold.STAGE, "1", "1", ["A"], True),
        (Hold.STAGE, "1", "2", ["H", "A"], True),
        (Hold.STAGE, "1", "2", ["H"], False),
    ],
)
def test_papers_that_stay_here_are_taken_up_here(
    hold: Hold, parked_at: str, window: str, queues: list[str], may: bool
) -> None:
    assert may_resume(hold, parked_at, "A", window, queues) is may
