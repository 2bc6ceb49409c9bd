"""Nobody starves: the bound on waiting that the rules state, tried on lines that Hypothesis invents, and on halls that
live through whole mornings with restarts and clocks that are set."""

import asyncio
import heapq
import random
import sqlite3
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from hall_daemon import lanes, store
from hall_daemon.queueing import Leg, Moment, Place, Waiting, overtaking_limit_ms, pick_next, waiting_bound_s
from hall_daemon.tickets import HallError, Slot
from hall_daemon.words import Lane, Outcome, Priority
from sim import oracle
from tests.rules.hall_room import PENSION, PLACES, START_UP, HallRoom, StandingClock, hall_room, write_hall

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


# --- the same in a hall -----------------------------------------------------------------------------------------------

LONG_S = 40 * 60
"""Long against what anybody may gain, so that the bound is near to what happens."""
ITEM_OF = {"A": START_UP, "H": PENSION, "D": "queue:D"}


class Morning:
    """A hall whose windows call whoever is next as soon as they are free; more people come than they can serve."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.chance, self.folder, self.clock = chance, folder, StandingClock()
        weight, skills = chance.randint(1, 10), chance.choice(["[]", '["H"]', f'["A", "{PENSION}"]'])
        places = PLACES.replace("[window.1]", f"[window.1]\nweights = {{ H = {weight} }}")
        write_hall(folder, places.replace("[clerk.c002]", f"[clerk.c002]\nskills = {skills}"))
        self.room = HallRoom(folder, self.clock)
        self.staffed = {"1": "c001", "2": "c002", "3": "c003"}
        if chance.random() < 0.3:
            del self.staffed["2"]
        self.idle = set(self.staffed)
        self.favoured = chance.choice([0.2, 0.9])
        """Share of those whom the rules let go before others."""
        self.to_come: list[tuple[int, int, str, str]] = []
        """Milliseconds since the beginning, a number that makes them differ, what happens, to whom."""

    async def live(self, people: int) -> None:
        """Until everybody has come; who still waits then is judged by how long they have."""
        await self.room.start()
        for window, clerk in self.staffed.items():
            await self.room.hall.sign_in(window, clerk)
        at_ms = 0
        for _ in range(people):
            at_ms += self.chance.randint(0, 18 * MINUTE_MS)
            self.plan(at_ms, "comes", self.chance.choice("AAHHD"))
        now_ms = 0
        while self.to_come:
            at_ms, _, what, who = heapq.heappop(self.to_come)
            self.clock.pass_ms(at_ms - now_ms)
            now_ms = at_ms
            await self.happens(now_ms, what, who)

    def plan(self, at_ms: int, what: str, who: str) -> None:
        heapq.heappush(self.to_come, (at_ms, len(self.to_come) + self.chance.randrange(1 << 40), what, who))

    async def happens(self, now_ms: int, what: str, who: str) -> None:
        if what == "comes":
            await self.comes(now_ms, who)
        elif what == "finished":
            await self.room.hall.finish(who, (await self.shown(who)), Outcome.COMPLETED)
            self.idle.add(who)
        for window in sorted(self.idle):
            await self.call(now_ms, window)

    async def comes(self, now_ms: int, queue: str) -> None:
        slot, favoured = None, self.chance.random() < self.favoured
        if self.chance.random() < 0.25:
            start_ms = self.clock.now_ms() + self.chance.randint(-15, 30) * MINUTE_MS
            slot = Slot(appointment_id=self.clock.new_id(), start_ms=start_ms, end_ms=start_ms + 30 * MINUTE_MS)
            self.plan(max(now_ms, now_ms + start_ms - self.clock.now_ms()), "slot begins", "")
        await self.room.issue(ITEM_OF[queue], slot=slot, priority=Priority.DISABLED if favoured else Priority.NORMAL)
        if self.chance.random() < 0.05:  # what was counted up to here is on the disk
            await self.room.stop()
            self.room = HallRoom(self.folder, self.clock)
            await self.room.start()
        if self.chance.random() < 0.05:
            self.clock.step_ms(self.chance.choice([-7_200_000, 600_000]))

    async def call(self, now_ms: int, window: str) -> None:
        try:
            _, number = await self.room.hall.call_next(window, None)
        except HallError:
            return
        self.idle.discard(window)
        await self.room.serve(window, number)
        self.plan(now_ms + LONG_S * 1000, "finished", window)

    async def shown(self, window: str) -> str:
        current = (await self.room.hall.snapshot()).at_window(window)
        assert current is not None
        return current.number

    def capable(self, queue: str) -> list[Place]:
        """Places that call this queue all morning."""
        places = [self.room.hall.place(window, clerk) for window, clerk in self.staffed.items()]
        return [place for place in places if place.takes(Leg(queue=queue, item=ITEM_OF[queue]))]


def past_the_bound(morning: Morning, tickets: Sequence[sqlite3.Row], now_ms: int) -> list[str]:
    """Who waited longer than the rules promise, from the rows: open time from the line (or the slot) to the call."""
    found = []
    for ticket in tickets:
        places = morning.capable(ticket["queue"])
        if not places:
            continue
        limit_ms = max(map(overtaking_limit_ms, places))
        begins_ms = max(ticket["arrived_ms"], ticket["callable_ms"] or 0)
        rivals = [t for t in tickets if any(p.takes(Leg(queue=t["queue"], item=t["item"])) for p in places)]
        before = sum(t["arrived_ms"] <= begins_ms + limit_ms for t in rivals) - 1
        until_ms = now_ms if ticket["counted_ms"] is None else ticket["counted_ms"]
        waited_s = (until_ms - begins_ms) / 1000
        bound_s = waiting_bound_s(before, len(places), LONG_S)
        if waited_s > bound_s:
            found.append(f"{ticket['number']} waited {waited_s} s of {bound_s} s behind {before}")
    return found


@settings(max_examples=3, deadline=None, derandomize=True, phases=(Phase.generate,))
@given(st.integers(0, 2**32))
def test_in_a_hall_nobody_waits_past_the_bound_while_a_capable_window_calls(seed: int) -> None:
    with tempfile.TemporaryDirectory(prefix="morning-") as folder:
        morning = Morning(Path(folder), random.Random(seed))

        async def whole() -> int:
            try:
                await morning.live(40)
                return morning.room.hall.open_time_ms()
            finally:
                await morning.room.stop()

        now_ms = asyncio.run(whole())
        database = morning.room.config.database
        tickets = oracle.Hall.read(database).tickets

        assert past_the_bound(morning, tickets, now_ms) == []
        assert sum(ticket["counted_ms"] is not None for ticket in tickets) > 20, "people were called"
        assert store.replay_differences(database) == []


async def test_a_clock_set_back_during_a_visit_keeps_nobody_from_a_number(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await room.sign_in(w1="c001")
        await room.issue()
        number = await room.call_and_serve()
        room.clock.step_ms(-7_200_000)
        await room.hall.finish("1", number, Outcome.COMPLETED)
        clock = room.clock
    async with hall_room(tmp_path / "hall", clock) as room:
        assert (await room.issue()).number == "A002"


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
