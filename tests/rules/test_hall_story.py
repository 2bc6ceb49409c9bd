"""Days of a hall as Hypothesis invents them: whatever the people press, the database stays one consistent story.

After each step the oracle compares rows with events, sequences and numbers; a refused verb changes nothing; what the
screens are computed from is what the database says. `HALL_STORIES` sets how many stories are told (20).
"""

import asyncio
import os
import random
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)
from sqlmodel import Session

from hall_daemon import lookups, replay, service_day, store
from hall_daemon.queueing import may_call
from hall_daemon.tickets import HallError
from hall_daemon.words import CancelReason, Hold, Outcome, ParkReason, PrintResult, RequeuedBy, TicketState
from sim import oracle
from tests.rules.hall_room import PENSION, RETIRED, START_UP, HallRoom, StandingClock, card, write_hall

AT_WINDOW = (TicketState.CALLED.value, TicketState.SERVING.value)


def at_two_places(session: Session) -> list[str]:
    """Tickets that were summoned to a window while they were at one, as the log tells the story from its beginning."""
    built, found = replay.Rebuilt(), []
    for said in replay.read_log(session):
        row = built.tickets.get(said.data.get("ticket_id", ""))
        summoned = said.verb == "ticket.resumed" or (
            said.verb == "ticket.called" and said.data["call_mode"] != "recall"
        )
        if summoned and row is not None and row.state in AT_WINDOW:
            found.append(f"{row.number} is at {row.window} and summoned to {said.data['window_code']}")
        replay.rebuild(iter([said]), built)
        windows = Counter(t.window for t in built.tickets.values() if t.state in AT_WINDOW)
        found += [f"{count} tickets at window {window}" for window, count in windows.items() if count > 1]
    return found


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
        self.quiet_since = 0
        self.do(self.room.sign_in(w1="c001", w2="c002", w3="c003"))
        self.do(self.room.numbers(2, PENSION))

    def teardown(self) -> None:
        if not hasattr(self, "room"):
            return
        self.do(self.room.stop())
        self.runner.close()
        database = self.room.config.database
        evidence = oracle.Evidence(personal=["张测试", "13900000000", *filter(None, PEOPLE)])
        violations = oracle.check(database, database.with_name("blobs"), evidence, None, [], everything_sent=False)
        difference, twice = store.verify(database), store.ask(database, at_two_places)
        shutil.rmtree(self.folder)
        assert (violations, difference, twice) == ([], None, [])

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
        items=st.lists(st.sampled_from([START_UP, PENSION, RETIRED, "queue:D"]), min_size=1, max_size=3),
        person=st.sampled_from(PEOPLE),
        phone=st.sampled_from(["", "", "13900000000"]),
    )
    def take(self, items: list[str], person: str | None, phone: str) -> Any:
        who = card(number=person) if person else None
        issued = [self.attempt(self.room.issue(item, card=who, phone=phone)) for item in items]
        return multiple(*(one.number for one in issued if one is not None))

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

    @rule(window=WINDOWS, clerk=st.one_of(CLERKS, st.none()))
    def sign_in_or_out(self, window: str, clerk: str | None) -> None:
        hall = self.room.hall
        self.attempt(hall.sign_in(window, clerk) if clerk else hall.sign_out(window))

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
    def call_and_serve(self, window: str) -> None:
        if self.attempt(self.room.hall.call_next(window, self.shown(window))) is not None:
            self.attempt(self.about(window, "serve"))

    @rule(window=WINDOWS, verb=st.sampled_from(["recall", "serve", "no_show", "park", "finish"]))
    def go_on(self, window: str, verb: str) -> None:
        self.attempt(self.about(window, verb))

    def about(self, window: str, verb: str) -> Awaitable[object]:
        """A verb about the ticket on the clerk's screen, legal or not."""
        hall, number = self.room.hall, self.shown(window) or "A001"
        deeds: dict[str, Callable[[], Awaitable[object]]] = {
            "recall": lambda: hall.recall(window, number),
            "serve": lambda: hall.serve(window, number, identity_rechecked=True),
            "no_show": lambda: hall.no_show(window, number),
            "park": lambda: hall.park(window, number, ParkReason.COPY, Hold.OPEN if window == "1" else Hold.HERE),
            "finish": lambda: hall.finish(window, number, Outcome.RECEIVED),
        }
        return deeds[verb]()

    @rule(window=WINDOWS, to=TARGETS, keep=st.booleans())
    def transfer(self, window: str, to: dict[str, Any], keep: bool) -> None:
        self.attempt(self.room.transfer(window, self.shown(window) or "A001", keep_position=keep, **to))

    @rule(window=WINDOWS, number=st.one_of(tickets, st.none()))
    def resume(self, window: str, number: str | None) -> None:
        self.attempt(self.room.hall.resume(window, number or self.one_that_is(TicketState.PARKED)))

    @rule(number=st.one_of(tickets, st.none()))
    def requeue(self, number: str | None) -> None:
        self.attempt(self.room.hall.requeue(number or self.one_that_is(TicketState.NO_SHOW), RequeuedBy.CLERK))

    def one_that_is(self, state: TicketState) -> str:
        tickets = self.do(self.room.hall.snapshot()).tickets
        return next((t.number for t in tickets if t.state is state), "A001")

    @rule(number=consumes(tickets))
    def cancel(self, number: str) -> None:
        self.attempt(self.room.hall.cancel(number, CancelReason.RESIDENT_LEFT, "c001"))

    @rule(window=WINDOWS, number=tickets)
    def press_on_an_old_picture(self, window: str, number: str) -> None:
        if number != self.shown(window):
            assert self.attempt(self.room.hall.finish(window, number, Outcome.LEFT)) is None

    # --- technician ---------------------------------------------------------------------------------------------------

    def has_been_quiet(self) -> bool:
        """Whether the hall has lived for a while since the last great change, so that there is something to change."""
        return len(self.rows("SELECT 1 FROM event")) > self.quiet_since + 15

    @precondition(lambda self: self.has_been_quiet())
    @rule()
    def restart(self) -> None:
        self.do(self.room.stop())
        self.room = HallRoom(self.folder, self.clock)
        self.do(self.room.start())
        self.quiet_since = len(self.rows("SELECT 1 FROM event"))

    @precondition(lambda self: self.has_been_quiet())
    @rule()
    def close_and_open_the_next_day(self) -> None:
        self.attempt(service_day.close(self.room.hall))
        self.clock.pass_ms(EVENING_MS)
        self.attempt(service_day.open_day(self.room.hall))
        self.quiet_since = len(self.rows("SELECT 1 FROM event"))

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

LEGAL = {
    None: ["call_and_serve", "call_and_serve", "call", "resume"],
    TicketState.CALLED: ["serve", "serve", "recall", "no_show"],
    TicketState.SERVING: ["finish", "call_and_serve", "park", "transfer"],
}
"""What a clerk does, by the state of the ticket at the window; rarely something else."""


@pytest.mark.parametrize("seed", [1, 2])
def test_a_long_week_of_people_who_mostly_know_what_they_do(seed: int) -> None:
    chance, story, done = random.Random(seed), HallStory(), Counter[str]()
    story.begin()
    try:
        for step in range(200):
            one_deed(story, chance)
            if step % 50 == 49:
                chance.choice([story.restart, story.close_and_open_the_next_day])()
            for truth in (
                story.the_oracle_finds_nothing, story.nobody_is_at_two_windows_and_no_window_has_two,
                story.screens_see_what_the_database_says,
            ):  # fmt: skip
                truth()
        done.update(row[0].split(".")[-2] for row in story.rows("SELECT type FROM event"))
    finally:
        story.teardown()
    assert {"parked", "resumed", "transferred", "no_show", "requeued", "cancelled", "finished"} <= done.keys()
    assert done["called"] > 20


def one_deed(story: HallStory, chance: random.Random) -> None:
    """Somebody comes, or a clerk goes on."""
    story.wait(ms=chance.choice([1, 1000, 60_000]))
    whim, window = chance.random(), chance.choice(["1", "2", "3"])
    if whim < 0.35:
        items = chance.choices([START_UP, PENSION, RETIRED, "queue:D"], k=chance.randint(1, 2))
        story.take(items=items, person=chance.choice([None, None, *PEOPLE]), phone="")
    elif whim < 0.41:
        story.attempt(story.room.hall.cancel(story.one_that_is(TicketState.WAITING), CancelReason.OTHER, None))
    elif whim < 0.46:
        story.requeue(number=None)
    elif whim < 0.50:
        story.sign_in_or_out(window=window, clerk=chance.choice(["c001", "c002", "c003", None]))
    else:
        at_window(story, chance, window)


def at_window(story: HallStory, chance: random.Random, window: str) -> None:
    ticket = story.do(story.room.hall.snapshot()).at_window(window)
    verb = chance.choice(LEGAL[ticket.state if ticket else None])
    if verb == "call":
        story.call_next(window=window, presses=chance.randint(1, 2))
    elif verb == "call_and_serve":
        story.call_and_serve(window=window)
    elif verb == "resume":
        story.resume(window=window, number=None)
    elif verb == "transfer":
        to = chance.choice([{"to_queue": "H"}, {"to_window": "2"}, {"to_zone": "D"}])
        story.transfer(window=window, to=to, keep=chance.random() < 0.5)
    else:
        story.go_on(window=window, verb=verb)
