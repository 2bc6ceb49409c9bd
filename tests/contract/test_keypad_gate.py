"""The gate that all keypads share: bounce (protocols/keypads.md §6) and stuck keys (faults.md A16), on times alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import Condition, Key
from drivers.keypad_bytes import byte_keys
from drivers.keypad_gate import MOST_KEYS_PER_S, MOST_WAITING, RELEASE_S, KeyGate, next_key, stuck_keys


def pressed_at(gate: KeyGate, key: Key, *times: float) -> None:
    for at in times:
        gate.press(key, at, at)


def taken(gate: KeyGate, now: float) -> list[Key]:
    keys = []
    while (key := gate.take(now)) is not None:
        keys.append(key)
    return keys


def test_equal_keys_surely_within_the_bounce_time_are_one() -> None:
    gate = KeyGate()
    pressed_at(gate, Key.DIGIT_5, 1.0, 1.03, 1.06, 1.2)
    assert taken(gate, 2.0) == [Key.DIGIT_5] * 2


def test_equal_keys_that_may_have_been_apart_are_kept() -> None:
    gate = KeyGate()
    for _ in range(3):
        gate.press(Key.DIGIT_0, 1.0, 1.3)
    assert taken(gate, 2.0) == [Key.DIGIT_0] * 3


def test_different_keys_are_never_a_bounce() -> None:
    gate = KeyGate()
    pressed_at(gate, Key.DIGIT_1, 1.0)
    pressed_at(gate, Key.DIGIT_2, 1.001)
    pressed_at(gate, Key.DIGIT_1, 1.002)
    assert taken(gate, 2.0) == [Key.DIGIT_1, Key.DIGIT_2, Key.DIGIT_1]


def test_nineteen_equal_keys_in_three_seconds_are_not_stuck_and_twenty_are() -> None:
    gate = KeyGate()
    pressed_at(gate, Key.DIGIT_5, *(1.0 + i * 0.15 for i in range(19)))
    assert gate.stuck is None
    pressed_at(gate, Key.DIGIT_5, 3.9)
    assert gate.stuck is Key.DIGIT_5
    assert taken(gate, 4.0) == []


def test_twenty_equal_keys_in_more_than_three_seconds_are_not_stuck() -> None:
    gate = KeyGate()
    pressed_at(gate, Key.DIGIT_5, *(1.0 + i * 0.16 for i in range(40)))
    assert gate.stuck is None


def test_a_key_is_found_stuck_also_while_others_are_pressed() -> None:
    gate = KeyGate()
    for i in range(20):
        pressed_at(gate, Key.DIGIT_5, 1.0 + i * 0.1)
        pressed_at(gate, Key.DIGIT_1, 1.05 + i * 0.1) if i % 4 == 0 else None
    assert gate.stuck is Key.DIGIT_5


def test_a_stuck_key_is_free_after_half_a_second_of_silence() -> None:
    gate = KeyGate()
    pressed_at(gate, Key.DIGIT_5, *(1.0 + i * 0.1 for i in range(20)))
    gate.heard_until(3.39)
    assert gate.stuck is Key.DIGIT_5
    gate.heard_until(3.41)
    assert gate.stuck is None
    pressed_at(gate, Key.DIGIT_5, 3.5)
    assert taken(gate, 3.5) == [Key.DIGIT_5]


@given(st.lists(st.tuples(st.sampled_from(list(Key)), st.floats(0, 0.4)), max_size=80))
def test_never_more_than_eight_keys_in_any_second(presses: list[tuple[Key, float]]) -> None:
    gate, now, passed = KeyGate(), 1.0, []
    for key, pause in [*presses, *[(Key.OK, 0.3)] * 8]:
        now += pause
        gate.press(key, now, now)
        passed += [now] * len(taken(gate, now))
    for i in range(len(passed) - MOST_KEYS_PER_S):
        assert passed[i + MOST_KEYS_PER_S] - passed[i] >= 0.999


def test_keys_wait_their_turn_up_to_a_bound() -> None:
    gate = KeyGate()
    for i in range(60):
        pressed_at(gate, list(Key)[i % 16], 1.0 + i * 0.01)
    got, now = [], 1.6
    while gate.due_in(now) is not None:
        now += gate.due_in(now) or 0.0
        got += taken(gate, now)
    assert len(got) == MOST_WAITING
    assert now - 1.6 == pytest.approx(MOST_WAITING / MOST_KEYS_PER_S - 1, abs=0.01)


def stuck_gate() -> KeyGate:
    gate = KeyGate()
    pressed_at(gate, Key.DIGIT_5, *(1.0 + i * 0.1 for i in range(20)))
    return gate


def test_a_pad_that_tells_releases_frees_a_stuck_key_at_once() -> None:
    gate = stuck_gate()
    gate.release()
    pressed_at(gate, Key.DIGIT_5, 3.0)
    assert taken(gate, 3.0) == [Key.DIGIT_5]


def test_a_pad_with_a_double_zero_key_may_do_without_the_bounce_rule() -> None:
    gate = KeyGate(bounce_s=0.0)
    pressed_at(gate, Key.DIGIT_0, 1.0, 1.008)
    assert taken(gate, 1.1) == [Key.DIGIT_0] * 2


def test_a_bounce_is_measured_from_the_contact_before_it() -> None:
    gate = KeyGate()
    pressed_at(gate, Key.DIGIT_5, 1.0, 1.012, 1.024, 1.104)
    assert taken(gate, 2.0) == [Key.DIGIT_5] * 2


def test_a_stuck_key_is_reported_while_it_is_heard_and_not_any_more_when_it_is_silent() -> None:
    gate = stuck_gate()

    def still_repeating(limit_s: float) -> int:
        now = 2.9 + limit_s
        gate.press(Key.DIGIT_5, now, now)
        gate.heard_until(now)
        return 1

    assert stuck_keys(gate, still_repeating) == {Condition.KEYS_STUCK}

    def silence(limit_s: float) -> int:
        gate.heard_until(3.5 + limit_s + RELEASE_S)
        return 0

    assert stuck_keys(gate, silence) == frozenset()


def test_the_next_key_is_given_out_as_soon_as_it_is_heard() -> None:
    gate = KeyGate()
    presses = [Key.DIGIT_1, Key.DIGIT_2]

    def hear(limit_s: float) -> int:
        if limit_s == 0.0 or not presses:
            return 0
        gate.press(presses.pop(0), 1.0, 1.0)
        return 1

    assert [next_key(gate, hear, 0.2) for _ in range(3)] == [Key.DIGIT_1, Key.DIGIT_2, None]


def test_a_byte_written_in_two_ways_is_an_error() -> None:
    with pytest.raises(ValueError, match="same byte stands there twice"):
        byte_keys({}, {"0a": "1", "0A": "2"})
