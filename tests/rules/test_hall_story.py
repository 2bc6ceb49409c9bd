"""Days of a hall as Hypothesis invents them: whatever the people press, the database stays one consistent story.

After each step the oracle compares rows with events, sequences and numbers; a refused verb changes nothing; what the
screens are computed from is what the database says. `HALL_STORIES` sets how many stories are told (20).
"""

import asyncio
import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule

from hall_daemon import lookups, service_day, store
from hall_daemon.queueing import may_call
from hall_daemon.tickets import HallError
from hall_daemon.words import CancelReason, Hold, Outcome, ParkReason, PrintResult, RequeuedBy
from sim import oracle
from tests.rules.hall_room import PENSION, RETIRED, START_UP, HallRoom, StandingClock, card, write_hall

WINDOWS = st.sampled_from(["1", "2", "3"])
CLERKS = st.sampled_from(["c001", "c002", "c003"])
PEOPLE = (None, "990000199909090053", "99000019900909004X", "990000195202290029")
TARGETS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [{"to_queue": "H"}, {"to_queue": "D"}, {"to_queue": "B"}, {"to_window": "2"}, {"to_window": "3"}, {"to_zone": "D"}]
)
EVERYTHING = (
    "SELECT 0, count(*), max(number), '' FROM event UNION ALL "
    "SELECT 1, since_ms, arrival_ms, id || state || slip || prints || call_no || ifnull(window, '-') FROM ticket"
)
"""Enough to see that something has changed."""
EVENING_MS = 24 * 3600 * 1000


class HallStory(RuleBasedStateMachine):
    """Three windows, three clerks, residents, and a technician who restarts the daemon."""

    tickets = Bundle("tickets")
    orders = Bundle("orders")

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="hall-story-"))
        write_hall(self.folder)
        self.runner = asyncio.Runner()
        self.clock = StandingClock()
        self.room = HallRoom(self.folder, self.clock)
        self.do(self.room.start())
        self.do(self.room.sign_in(w1="c001", w2="c002"))

    def teardown(self) -> None:
        if not hasattr(self, "room"):
            return
        self.do(self.room.stop())
        self.runner.close()
        database = self.room.config.database
        evidence = oracle.Evidence(personal=["张测试", "13900000000", *filter(None, PEOPLE)])
        violations = oracle.check(database, database.with_name("blobs"), evidence, None, [], everything_sent=False)
        difference = store.verify(database)
        shutil.rmtree(self.folder)
        assert (violations, difference) == ([], None)

    def do(self, deed: Awaitable[Any]) -> Any:
        """Do it on the hall's event loop."""

        async def whole() -> Any:
            return await deed

        return self.runner.run(whole())

    def attempt(self, deed: Awaitable[Any]) -> Any:
        """Do it, or be refused and see that nothing has changed."""
        before = self.rows(EVERYTHING)
        try:
            return self.do(deed)
        except HallError as exc:
            assert exc.sentence.zh
            assert exc.sentence.en
            assert self.rows(EVERYTHING) == before
            return None

    def rows(self, question: str) -> list[tuple[Any, ...]]:
        with sqlite3.connect(self.room.config.database) as connection:
            found = connection.execute(question).fetchall()
        connection.close()
        return found

    def shown(self, window: str) -> str | None:
        """Number on the clerk's screen."""
        ticket = self.do(self.room.hall.snapshot()).at_window(window)
        return ticket.number if ticket else None

    # --- residents ----------------------------------------------------------------------------------------------------

    @rule(
        target=tickets,
        item=st.sampled_from([START_UP, PENSION, RETIRED, "queue:D"]),
        person=st.sampled_from(PEOPLE),
        phone=st.sampled_from(["", "", "13900000000"]),
    )
    def take(self, item: str, person: str | None, phone: str) -> Any:
        who = card(number=person) if person else None
        issued = self.attempt(self.room.issue(item, card=who, phone=phone))
        return multiple() if issued is None else issued.number

    @rule(target=orders, number=st.integers(0, 10**6))
    def prepare(self, number: int) -> str:
        return f"order-again-{number}"

    @rule(order=orders, times=st.integers(2, 3))
    def send_an_order_again_and_again(self, order: str, times: int) -> None:
        found = [self.attempt(self.room.issue(PENSION, request_id=order)) for _ in range(times)]

        assert len({one.number for one in found if one is not None}) <= 1

    @rule(number=tickets, result=st.sampled_from(list(PrintResult)))
    def tell_the_slip(self, number: str, result: PrintResult) -> None:
        ticket = self.do(self.room.row(number)).id
        self.attempt(self.room.hall.record_print(ticket, "PRN-01", result))

    @rule(ms=st.sampled_from([1, 1000, 60_000]))
    def wait(self, ms: int) -> None:
        self.clock.pass_ms(ms)

    @rule(ms=st.sampled_from([-7_200_000, -1000, 60_000]))
    def set_the_clock(self, ms: int) -> None:
        self.clock.step_ms(ms)

    # --- clerks -------------------------------------------------------------------------------------------------------

    @rule(window=WINDOWS, clerk=CLERKS)
    def sign_in(self, window: str, clerk: str) -> None:
        self.attempt(self.room.hall.sign_in(window, clerk))

    @rule(window=WINDOWS)
    def sign_out(self, window: str) -> None:
        self.attempt(self.room.hall.sign_out(window))

    @rule(window=WINDOWS, presses=st.integers(1, 2))
    def call_next(self, window: str, presses: int) -> None:
        """A second press of the same finger sees the same picture."""
        seen, expected = self.shown(window), self.first_in_line(window)
        for _ in range(presses):
            called = self.attempt(self.room.hall.call_next(window, seen))
            if called is not None:
                assert called[1] == expected
                expected = None

    def first_in_line(self, window: str) -> str | None:
        served = self.room.hall.profile.windows[window].queues

        def question(session: Any) -> str | None:
            line = lookups.waiting(session, self.room.store.bizdate(session), self.clock.now_ms())
            mine = [t for t in line if may_call(t, window, served)]
            return min(mine, key=lambda t: (t.arrival_ms, t.ticket_id)).ticket_id if mine else None

        first = self.do(self.room.store.read(question))
        return next((row[0] for row in self.rows(f"SELECT number FROM ticket WHERE id = '{first}'")), None)

    @rule(window=WINDOWS)
    def serve(self, window: str) -> None:
        self.attempt(self.room.hall.serve(window, self.shown(window) or "A001", identity_rechecked=True))

    @rule(window=WINDOWS)
    def call_and_serve(self, window: str) -> None:
        if self.attempt(self.room.hall.call_next(window, self.shown(window))) is not None:
            self.serve(window)

    @rule(window=WINDOWS)
    def recall(self, window: str) -> None:
        self.attempt(self.room.hall.recall(window, self.shown(window) or "A001"))

    @rule(window=WINDOWS)
    def no_show(self, window: str) -> None:
        self.attempt(self.room.hall.no_show(window, self.shown(window) or "A001"))

    @rule(window=WINDOWS, hold=st.sampled_from(list(Hold)))
    def park(self, window: str, hold: Hold) -> None:
        self.attempt(self.room.hall.park(window, self.shown(window) or "A001", ParkReason.COPY, hold))

    @rule(window=WINDOWS, outcome=st.sampled_from(list(Outcome)))
    def finish(self, window: str, outcome: Outcome) -> None:
        self.attempt(self.room.hall.finish(window, self.shown(window) or "A001", outcome))

    @rule(window=WINDOWS, to=TARGETS, keep=st.booleans())
    def transfer(self, window: str, to: dict[str, Any], keep: bool) -> None:
        self.attempt(self.room.transfer(window, self.shown(window) or "A001", keep_position=keep, **to))

    @rule(window=WINDOWS, number=tickets)
    def resume(self, window: str, number: str) -> None:
        self.attempt(self.room.hall.resume(window, number))

    @rule(number=tickets)
    def requeue(self, number: str) -> None:
        self.attempt(self.room.hall.requeue(number, RequeuedBy.CLERK))

    @rule(number=consumes(tickets))
    def cancel(self, number: str) -> None:
        self.attempt(self.room.hall.cancel(number, CancelReason.RESIDENT_LEFT, "c001"))

    @rule(window=WINDOWS, number=tickets)
    def press_on_an_old_picture(self, window: str, number: str) -> None:
        if number != self.shown(window):
            assert self.attempt(self.room.hall.finish(window, number, Outcome.LEFT)) is None

    # --- technician ---------------------------------------------------------------------------------------------------

    @rule()
    def restart(self) -> None:
        self.do(self.room.stop())
        self.room = HallRoom(self.folder, self.clock)
        self.do(self.room.start())

    @rule()
    def close_and_open_the_next_day(self) -> None:
        self.attempt(service_day.close(self.room.hall))
        self.clock.pass_ms(EVENING_MS)
        self.attempt(service_day.open_day(self.room.hall))

    # --- what is always true ------------------------------------------------------------------------------------------

    @invariant()
    def the_oracle_finds_nothing(self) -> None:
        if not hasattr(self, "room"):
            return
        assert oracle.story(oracle.Hall.read(self.room.config.database), oracle.Evidence()) == []

    @invariant()
    def nobody_is_at_two_windows_and_no_window_has_two(self) -> None:
        if not hasattr(self, "room"):
            return
        held = self.rows("SELECT number, window FROM ticket WHERE state IN ('called', 'serving')")

        assert max(Counter(window for _, window in held).values(), default=0) <= 1
        assert len({number for number, _ in held}) == len(held)
        assert all(window for _, window in held)

    @invariant()
    def screens_see_what_the_database_says(self) -> None:
        if not hasattr(self, "room"):
            return
        kept = self.do(self.room.hall.snapshot())
        fresh = self.do(self.room.store.read(lambda s: lookups.snapshot(s, self.room.hall.profile)))

        assert {t.ticket_id: t for t in kept.tickets} == {t.ticket_id: t for t in fresh.tickets}
        assert kept.waiting() == fresh.waiting()
        assert (kept.event, kept.bizdate, kept.day_open) == (fresh.event, fresh.bizdate, fresh.day_open)
        assert (kept.sessions, kept.filed) == (fresh.sessions, fresh.filed)
        assert self.room.hall.day_open == fresh.day_open


TestHallStory = HallStory.TestCase
TestHallStory.settings = settings(
    max_examples=int(os.environ.get("HALL_STORIES", "20")), stateful_step_count=40, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)  # fmt: skip
pytestmark = pytest.mark.timeout(0)  # the number of examples is the limit
