"""Impossible states are forbidden by the database itself, whoever writes to it."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rules.hall_room import PENSION, hall_room


@pytest.fixture
async def database(tmp_path: Path) -> Path:
    """A hall's database with A001 and A002 waiting."""
    async with hall_room(tmp_path / "hall") as room:
        await room.numbers(2)
        return room.config.database


@pytest.fixture
def connection(database: Path) -> Iterator[sqlite3.Connection]:
    found = sqlite3.connect(database)
    found.execute("PRAGMA foreign_keys = ON")
    yield found
    found.close()


def at(window: str | None, number: str, state: str = "called") -> tuple[str, tuple[Any, ...]]:
    return "UPDATE ticket SET state = ?, window = ? WHERE number = ?", (state, window, number)


@pytest.mark.parametrize(
    ("steps", "constraint"),
    [
        ([at("1", "A001"), at("1", "A002")], "UNIQUE constraint failed: ticket.window"),
        ([at("1", "A001"), at("1", "A002", "serving")], "UNIQUE constraint failed: ticket.window"),
        ([at(None, "A001")], "CHECK constraint failed"),
        ([("UPDATE ticket SET number = 'A001'", ())], "UNIQUE constraint failed: ticket.bizdate, ticket.number"),
        ([("UPDATE ticket SET serial = 1", ())], "UNIQUE constraint failed: ticket.bizdate, ticket.series"),
        ([("UPDATE ticket SET serial = 0 WHERE number = 'A001'", ())], "CHECK constraint failed"),
        ([("UPDATE ticket SET serial = 10000 WHERE number = 'A001'", ())], "CHECK constraint failed"),
        ([("UPDATE ticket SET request_id = 'x'", ())], "UNIQUE constraint failed: ticket.request_id"),
        ([("UPDATE ticket SET bizdate = '2020-01-01' WHERE number = 'A001'", ())], "FOREIGN KEY constraint failed"),
        ([("UPDATE event SET sequence = 1", ())], "UNIQUE constraint failed: event.streamid, event.sequence"),
        ([("UPDATE event SET id = 'x'", ())], "UNIQUE constraint failed: event.streamid, event.id"),
        (
            [
                ("INSERT INTO session (window, clerk, since_ms) VALUES ('1', 'c001', 0)", ()),
                ("INSERT INTO session (window, clerk, since_ms) VALUES ('2', 'c001', 0)", ()),
            ],
            "UNIQUE constraint failed: session.clerk",
        ),
    ],
)  # fmt: skip
def test_the_database_refuses_what_cannot_be(
    connection: sqlite3.Connection, steps: list[tuple[str, tuple[Any, ...]]], constraint: str
) -> None:
    *before, (statement, values) = steps
    for earlier, given in before:
        connection.execute(earlier, given)

    with pytest.raises(sqlite3.IntegrityError, match=constraint):
        connection.execute(statement, values)


def test_a_window_may_have_many_parked_and_finished_tickets(connection: sqlite3.Connection) -> None:
    for state in ("parked", "finished"):
        for number in ("A001", "A002"):
            connection.execute(*at("1", number, state))

    assert connection.execute("SELECT count(*) FROM ticket WHERE window = '1'").fetchone() == (2,)


async def test_the_writer_is_durable_and_readers_cannot_write(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await room.issue(PENSION)
        synchronous, journal, keys = [
            await room.store.write(lambda tx, p=p: tx.session.connection().exec_driver_sql(f"PRAGMA {p}").scalar())  # type: ignore[misc]
            for p in ("synchronous", "journal_mode", "foreign_keys")
        ]
        with pytest.raises(Exception, match="readonly database"):
            await room.store.read(lambda session: session.connection().exec_driver_sql("DELETE FROM ticket"))

    assert (synchronous, journal, keys) == (2, "wal", 1)
