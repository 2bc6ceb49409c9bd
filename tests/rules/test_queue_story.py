"""Stories of halls that are all different: lanes, skills, weights, carts, pads, pins, undoing, restarts, clocks.

On top of what HallStory looks at: whoever is called is who the rules say; nobody is called before somebody who came
longer ago than the overtaking limit; and the tables rebuilt from the event log are the tables.
"""

import json
import os
import tempfile
from asyncio import Runner
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, multiple, rule

from hall_daemon import queueing, store
from hall_daemon.desk import Desk
from hall_daemon.tickets import IssueOrder, PadSlip, Slot
from hall_daemon.words import Channel, Hold, Outcome, ParkReason, PauseReason, Priority, TicketState
from tests.rules.hall_room import PENSION, PLACES, RETIRED, START_UP, HallRoom, StandingClock, card, write_hall
from tests.rules.test_hall_story import PEOPLE, WINDOWS, HallStory

ITEMS = st.sampled_from([START_UP, PENSION, RETIRED, "queue:D"])
REASONS = st.sampled_from(["", "有急事"])
MINUTE_MS = 60_000


class QueueStory(HallStory):
    """The same people in a hall with everything."""

    tickets = HallStory.tickets

    @initialize(
        weight=st.integers(1, 10), skills=st.sampled_from([[], ["A"], ["H", START_UP], [RETIRED]]),
        after=st.sampled_from(["", '\nafter = ["A"]']), calls=st.integers(1, 3),
    )  # fmt: skip
    def begin(self, weight: int, skills: list[str], after: str, calls: int) -> None:
        places = PLACES.replace("no_show_calls = 1", f"no_show_calls = {calls}")
        places = places.replace(
            "[window.1]", f"[window.1]\nweights = {{ H = {weight} }}" if weight > 1 else "[window.1]"
        )
        places = places.replace("[clerk.c001]", f"[clerk.c001]\nskills = {skills}")
        places = places.replace("[queue.H]", f"[queue.H]{after}")
        self.folder = Path(tempfile.mkdtemp(prefix="queue-story-"))
        write_hall(self.folder, places)
        self.runner = Runner()
        self.clock = StandingClock()
        self.room = HallRoom(self.folder, self.clock)
        self.do(self.room.start())
        self.quiet_since = 0
        self.do(self.room.sign_in(w1="c001", w2="c002", w3="c003"))
        self.do(self.room.numbers(2, PENSION))

    def teardown(self) -> None:
        if hasattr(self, "room"):
            assert [str(d) for d in store.replay_differences(self.room.config.database)] == []
        super().teardown()

    @invariant()
    def the_oracle_finds_nothing(self) -> None:
        """Now and then: HallStory looks after each step."""
        if hasattr(self, "room") and self.do(self.room.hall.snapshot()).event % 10 == 0:
            super().the_oracle_finds_nothing()

    # --- who is next, told anew from the rows -------------------------------------------------------------------------

    def first_in_line(self, window: str) -> str | None:
        line = self.line(window)
        if not line:
            return None
        first = line[0]
        limit_ms = queueing.overtaking_limit_ms()
        if first["pinned_ms"] is None:
            for other in line[1:]:
                stood_ms = max(other["arrived_ms"], other["arrival_ms"])
                assert other["pinned_ms"] is not None or first["arrived_ms"] <= stood_ms + limit_ms
        return str(first["number"])

    def line(self, window: str) -> list[dict[str, Any]]:
        """Who may be called there, first the next: from the rows, by the words of the rules."""
        known = self.room.hall.profile.windows[window]
        sessions = dict(self.rows("SELECT window, clerk FROM session"))
        paused = {found for (found,) in self.rows("SELECT window FROM pause")}
        clerk = self.room.config.clerks.get(sessions.get(window, ""))
        skills = set(clerk.skills) if clerk else set()
        columns = ("number", "queue", "item", "arrival_ms", "arrived_ms", "callable_ms", "slot_start_ms", "pinned_ms",
                   "for_window", "legs")  # fmt: skip
        found = []
        for values in self.rows(f"SELECT {', '.join(columns)} FROM ticket WHERE state = 'waiting'"):
            row = dict(zip(columns, values, strict=True))
            ranks = self.ranks(row, window, known.queues, skills, set(sessions) - paused)
            if ranks and self.slot_has_begun(row):
                queue = min(ranks, key=lambda q: (-known.weights.get(q, 1), ranks[q]))
                counts_ms = row["arrival_ms"] - (known.weights.get(queue, 1) - 1) * 5 * MINUTE_MS
                minute = counts_ms // MINUTE_MS if known.weights else 0
                rank = ranks[queue] if known.weights else 0
                pinned = (0, row["pinned_ms"]) if row["pinned_ms"] is not None else (1, 0)
                found.append(((*pinned, minute, rank, counts_ms), row))
        return [row for _, row in sorted(found, key=lambda pair: pair[0])]

    def ranks(
        self, row: dict[str, Any], window: str, queues: tuple[str, ...], skills: set[str], staffed: set[str]
    ) -> dict[str, int]:
        """Queues for which this window may call it, and their places in its order."""
        if row["for_window"] == window:
            return {row["queue"]: queues.index(row["queue"]) if row["queue"] in queues else len(queues)}
        if row["for_window"] is not None and row["for_window"] in staffed:
            return {}
        legs = [(row["queue"], row["item"])]
        legs += [(g["queue"], g["item"]) for g in json.loads(row["legs"]) if g["state"] == "ready"]
        fit = {q for q, i in legs if q in queues and (not skills or q in skills or i in skills)}
        return {queue: queues.index(queue) for queue in fit}

    def slot_has_begun(self, row: dict[str, Any]) -> bool:
        open_ms = self.room.hall.open_time_ms()
        return (
            row["callable_ms"] is None or open_ms >= row["callable_ms"] or self.clock.now_ms() >= row["slot_start_ms"]
        )

    # --- more people --------------------------------------------------------------------------------------------------

    @rule(
        target=tickets, items=st.lists(ITEMS, min_size=1, max_size=3), priority=st.sampled_from(list(Priority)[2:]),
        person=st.sampled_from(PEOPLE),
    )  # fmt: skip
    def take_a_cart(self, items: list[str], priority: Priority, person: str | None) -> Any:
        who = card(number=person) if person else None
        issued = self.attempt(self.room.issue(items[0], more_items=tuple(items[1:]), priority=priority, card=who))
        return multiple(*([issued.number] if issued else []))

    @rule(target=tickets, minutes=st.sampled_from([-200, -30, -10, 0, 10, 25, 40]), name=st.integers(0, 3))
    def check_in(self, minutes: int, name: int) -> Any:
        start_ms = self.clock.now_ms() + minutes * MINUTE_MS
        slot = Slot(appointment_id=f"apt-{name}", start_ms=start_ms, end_ms=start_ms + 30 * MINUTE_MS)
        issued = self.attempt(self.room.issue(START_UP, slot=slot))
        return multiple(*([issued.number] if issued else []))

    @rule(window=WINDOWS, serial=st.integers(1, 3), outcome=st.sampled_from([None, Outcome.COMPLETED]))
    def key_in_a_pad(self, window: str, serial: int, outcome: Outcome | None) -> None:
        slip = PadSlip(number=f"XA00{serial}", at_ms=self.clock.now_ms() - MINUTE_MS, item=START_UP, outcome=outcome)
        self.attempt(self.room.hall.key_in_pad(window, slip))

    @rule(window=WINDOWS, item=ITEMS)
    def walk_in(self, window: str, item: str) -> None:
        order = IssueOrder(
            item=item, request_id=f"walk-in-{self.clock.new_id()}", channel=Channel.COUNTER, device_id="CTR-01"
        )
        self.attempt(self.room.hall.serve_walk_in(window, order))

    @rule(ms=st.sampled_from([20_000, 600_000, 3_600_000]))
    def wait_longer(self, ms: int) -> None:
        self.clock.pass_ms(ms)

    # --- more keys ----------------------------------------------------------------------------------------------------

    @rule(window=WINDOWS)
    def undo(self, window: str) -> None:
        self.attempt(self.room.hall.undo(window))

    @rule(window=WINDOWS, reason=REASONS)
    def put_back(self, window: str, reason: str) -> None:
        self.attempt(self.room.hall.put_back(window, self.shown(window) or "A001", reason))

    @rule(window=WINDOWS, reason=REASONS)
    def no_show_early(self, window: str, reason: str) -> None:
        self.attempt(self.room.hall.no_show(window, self.shown(window) or "A001", reason))

    @rule(window=WINDOWS, reason=REASONS)
    def pin_the_last(self, window: str, reason: str) -> None:
        line = self.line(window)
        self.attempt(self.room.hall.pin(window, line[-1]["number"] if line else "A001", reason))

    @rule(window=WINDOWS, state=st.sampled_from([TicketState.WAITING, TicketState.NO_SHOW]), reason=REASONS)
    def select(self, window: str, state: TicketState, reason: str) -> None:
        self.attempt(self.room.hall.select(window, self.shown(window), self.one_that_is(state), reason))

    @rule(window=WINDOWS, to=WINDOWS)
    def to_colleague(self, window: str, to: str) -> None:
        self.attempt(self.room.hall.to_colleague(window, self.shown(window) or "A001", to))

    @rule(window=WINDOWS, to=st.sampled_from(["H", "D"]))
    def detour(self, window: str, to: str) -> None:
        self.attempt(self.room.transfer(window, self.shown(window) or "A001", to_queue=to, come_back=True))

    @rule(window=WINDOWS, on=st.booleans())
    def pause(self, window: str, on: bool) -> None:
        desk = Desk(self.room.hall)
        self.attempt(desk.pause(window, PauseReason.MEAL, 0) if on else desk.go_on(window))

    @rule(window=WINDOWS, item=ITEMS)
    def add_item(self, window: str, item: str) -> None:
        self.attempt(self.room.hall.add_item(window, self.shown(window) or "A001", item))

    @rule(window=WINDOWS)
    def park_for_a_stage(self, window: str) -> None:
        number = self.shown(window) or "A001"
        self.attempt(self.room.hall.park(window, number, ParkReason.APPROVAL, Hold.STAGE, "缴费"))

    @rule(window=WINDOWS)
    def stage_back(self, window: str) -> None:
        self.attempt(self.room.hall.stage_back(window, self.one_that_is(TicketState.PARKED)))


TestQueueStory = QueueStory.TestCase
TestQueueStory.settings = settings(
    max_examples=int(os.environ.get("QUEUE_STORIES", "6")), stateful_step_count=30, deadline=None,
    # In the check the same stories each time, told once: more of them are told by hand, with QUEUE_STORIES.
    derandomize=True, phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)  # fmt: skip
pytestmark = pytest.mark.timeout(0)  # the number of examples is the limit
