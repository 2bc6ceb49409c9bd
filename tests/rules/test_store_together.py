"""Verbs that wait together share a commit: each still stands or falls alone, and nobody is answered before the disk."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlmodel import select

from hall_daemon import store
from hall_daemon.events import DeviceChanged, Event
from hall_daemon.store import Store, Tx
from hall_daemon.tables import EventRow, MetaRow, RefusedRow
from hall_daemon.words import DeviceCondition
from tests.rules.test_store import HALL, StoppedClock, device_says


class Watched:
    """A store with what its writer said to the database, and whom it told."""

    def __init__(self, database: Path) -> None:
        self.store = Store(database, HALL, StoppedClock())
        self.store.open()
        self.said: list[str] = []
        self.heard: list[Event] = []
        self.store._raw.set_trace_callback(self.said.append)
        self.store.on_commit(self.heard.extend)

    def together(self, *verbs: Callable[[Tx], object]) -> list[object]:
        """What becomes of verbs that are all there when the writer looks: results, or exceptions."""

        async def whole() -> list[object]:
            self.store.start()
            held, free = threading.Event(), threading.Event()
            first = asyncio.create_task(self.store.write(lambda _tx: (held.set(), free.wait(20))))
            assert await asyncio.to_thread(held.wait, 20)
            others: list[Awaitable[object]] = [asyncio.create_task(self.store.write(verb)) for verb in verbs]
            await asyncio.sleep(0)  # each of them has put its verb into the line
            self.said.clear()
            free.set()
            assert await first
            return await asyncio.gather(*others, return_exceptions=True)

        answers = asyncio.run(whole())
        assert self.store._thread is not None
        self.store._jobs.put(None)  # as close() ends it, so that it may be started anew
        self.store._thread.join(20)
        return answers

    def commits(self) -> int:
        """Without that of the verb that held the others up."""
        return self.said.count("COMMIT") - 1

    def devices(self) -> list[str]:
        """Whom the events in the database are about."""
        subjects = self.store._read(lambda session: list(session.exec(select(EventRow.subject).order_by("number"))))
        return [subject.removeprefix("device/") for subject in subjects if subject.startswith("device/")]


@pytest.fixture
def hall(tmp_path: Path) -> Iterator[Watched]:
    watched = Watched(tmp_path / "hall.db")
    yield watched
    watched.store.close()


def refuses(tx: Tx) -> None:
    """Writes, and then will not have it."""
    tx.emit(DeviceChanged(device_id="PRN-66", kind="printer", state=DeviceCondition.FAILED))
    tx.session.add(MetaRow(key="never", value="seen"))
    tx.session.flush()
    raise ValueError("refused")


def belongs_to_no_stream(tx: Tx) -> None:
    """The database finds out at the commit, not before."""
    tx.session.connection().exec_driver_sql("PRAGMA defer_foreign_keys = ON")
    tx.session.add(RefusedRow(id="1", streamid="none", sequence=1, code="x", refused_ms=0))


def test_they_share_one_commit_and_are_told_in_their_order(hall: Watched) -> None:
    names = [f"PRN-{number:02d}" for number in range(1, 9)]
    numbers = hall.together(*map(device_says, names))
    assert hall.commits() == 1
    assert numbers == sorted(numbers, key=str)
    assert hall.devices() == names
    assert [event.subject for event in hall.heard] == [f"device/{name}" for name in names]
    assert hall.store.last_sequence == 9


def test_no_more_than_a_bound_share_one(hall: Watched) -> None:
    hall.together(*[device_says("PRN-01")] * (store.TOGETHER + 3))
    assert hall.commits() == 2


def test_one_that_is_refused_takes_back_only_itself(hall: Watched) -> None:
    first, bad, third = hall.together(device_says("PRN-01"), refuses, device_says("PRN-03"))
    assert isinstance(bad, ValueError)
    assert hall.commits() == 1
    assert hall.devices() == ["PRN-01", "PRN-03"]
    assert (first, third) == (2, 3)
    assert hall.store._read(lambda session: session.get(MetaRow, "never")) is None
    assert [event.sequence for event in hall.heard] == [2, 3]


def test_one_that_the_database_refuses_takes_back_only_itself(hall: Watched) -> None:
    def doubles(tx: Tx) -> None:
        tx.session.add(MetaRow(key="hall_code", value="another"))

    first, bad, third = hall.together(device_says("PRN-01"), doubles, device_says("PRN-03"))
    assert isinstance(bad, IntegrityError)
    assert (first, third) == (2, 3)
    assert hall.devices() == ["PRN-01", "PRN-03"]


def test_the_chain_goes_through_refused_ones(hall: Watched) -> None:
    hall.together(device_says("PRN-01"), refuses, refuses, device_says("PRN-02"), refuses)
    hall.together(device_says("PRN-03"))
    hall.store.close()
    assert store.verify(hall.store.database) is None


def test_what_follows_a_commit_is_done_before_the_next_verb(hall: Watched) -> None:
    done: list[str] = []

    def with_more(tx: Tx) -> None:
        tx.after.append(lambda: done.append("followed"))
        done.append("verb")

    hall.together(device_says("PRN-01"), with_more, lambda _tx: done.append("next"))
    assert done == ["verb", "followed", "next"]
    assert hall.commits() == 2


def test_on_a_full_disk_nobody_is_told_that_it_is_done(hall: Watched) -> None:
    pages = hall.store._raw.execute("PRAGMA page_count").fetchone()[0]
    hall.store._raw.execute(f"PRAGMA max_page_count = {pages + 2}")

    def big(tx: Tx) -> None:
        tx.session.add(MetaRow(key="big", value="x" * 200_000))

    answers = hall.together(device_says("PRN-01"), big, device_says("PRN-03"))
    assert [type(answer) for answer in answers] == [OperationalError] * 2 + [int]  # the first went with it, unanswered
    assert hall.devices() == ["PRN-03"]
    hall.store._raw.execute("PRAGMA max_page_count = 100000")
    (after,) = hall.together(device_says("PRN-04"))
    assert isinstance(after, int)
    hall.store.close()
    assert store.verify(hall.store.database) is None


def test_a_commit_that_fails_is_told_to_all(hall: Watched) -> None:
    answers = hall.together(device_says("PRN-01"), belongs_to_no_stream, device_says("PRN-03"))
    assert [type(answer) for answer in answers] == [IntegrityError] * 3
    assert (hall.devices(), hall.heard, hall.store.last_sequence) == ([], [], 1)
    assert hall.together(device_says("PRN-04")) == [2]


def test_a_lone_commit_that_fails_holds_up_nobody(hall: Watched) -> None:
    (answer,) = hall.together(belongs_to_no_stream)
    assert isinstance(answer, IntegrityError)
    assert hall.together(device_says("PRN-01")) == [2]
