"""Time as people read it, and identifiers that rise whatever the clock does."""

import threading
import time
import uuid
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hall_daemon.clock import Clock, hour_minute, http_date_ms, rfc3339
from tests.rules.hall_room import MORNING_MS, StandingClock


def test_identifiers_rise_within_a_millisecond_and_beyond_its_counter() -> None:
    clock = StandingClock()
    ids = [clock.new_id() for _ in range(10_000)]

    assert ids == sorted(set(ids))
    assert all(uuid.UUID(one).version == 7 for one in ids)
    assert all(uuid.UUID(one).variant == uuid.RFC_4122 for one in ids)
    assert int(ids[0].replace("-", "")[:12], 16) == MORNING_MS


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=50))
def test_identifiers_rise_whatever_the_clock_is_set_to(steps: list[int]) -> None:
    clock = StandingClock()
    ids: list[str] = []
    for step in steps:
        clock.step_ms(step)
        ids += [clock.new_id(), clock.new_id()]

    assert ids == sorted(set(ids))


def test_identifiers_taken_at_once_are_all_different() -> None:
    clock = Clock()
    ids: list[str] = []
    threads = [threading.Thread(target=lambda: ids.extend(clock.new_id() for _ in range(500))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(ids)) == 2000


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "1970-01-01T08:00:00.000+08:00"),
        (MORNING_MS, "2026-01-05T09:00:00.000+08:00"),
        (MORNING_MS + 7, "2026-01-05T09:00:00.007+08:00"),
        (1709222399999, "2024-02-29T23:59:59.999+08:00"),
        (-1, "1970-01-01T07:59:59.999+08:00"),
    ],
)
def test_times_are_those_of_the_hall(ms: int, text: str) -> None:
    assert rfc3339(ms) == text
    assert hour_minute(ms) == text[11:16]


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Shanghai"])
def test_the_machines_time_zone_does_not_matter(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        assert rfc3339(MORNING_MS) == "2026-01-05T09:00:00.000+08:00"
        assert StandingClock(MORNING_MS + 14 * 3600_000 + 3_599_999).today() == date(2026, 1, 5)
        assert StandingClock(MORNING_MS + 15 * 3600_000).today() == date(2026, 1, 6)
        assert http_date_ms("Mon, 05 Jan 2026 01:00:00 GMT") == MORNING_MS
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("value", ["", "now", "Mon, 05 Jan 2026 01:00:00", "Mon, 35 Jan 2026 01:00:00 GMT"])
def test_what_is_no_date_is_none(value: str) -> None:
    assert http_date_ms(value) is None


def test_the_real_clock_runs() -> None:
    clock = Clock()
    first = clock.monotonic_s()

    assert clock.monotonic_s() >= first
    assert clock.now_ms() > MORNING_MS
