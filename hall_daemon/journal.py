"""The journal: rows that no event tells whole, as they are after each change, written in the transaction that changes.

Tickets, sessions and days are told by events and rebuilt from them (replay). Of a case, a pause or an account the
province's shapes say less than the row holds, so the row itself is written down, behind the last event of that commit.
No verb has to think of it: the writer's session notices which rows were touched. Rows that may be kept for a time only
are forgotten here as well (`forget`).

    number  event  name     key          body
    7       41     pause    ["3"]        {"reason":"meal","since_ms":...,"until_ms":0,"window":"3"}
    8       44     pause    ["3"]        none: it was deleted
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Table, delete, event, insert, inspect, select
from sqlalchemy import text as sql
from sqlalchemy.engine import Connection, RowMapping
from sqlalchemy.orm import UOWTransaction
from sqlmodel import Session, SQLModel

from hall_daemon.privacy import canonical, sm3_hex
from hall_daemon.tables import AppointmentRow, CarriedRow, CatalogueRow, JournalRow, SuspensionRow
from hall_daemon.tables_board import FollowRow
from hall_daemon.tables_cases import CaseCounterRow, CasePaperRow, CaseRow, NoticeRow
from hall_daemon.tables_clerks import AccountRow, MessageRow, NoteRow, PauseRow, SecretRow, TickRow

KEPT: tuple[type[SQLModel], ...] = (
    CatalogueRow, SuspensionRow, AppointmentRow, CarriedRow, FollowRow, CaseRow, CasePaperRow, NoticeRow,
    CaseCounterRow, AccountRow, SecretRow, PauseRow, TickRow, NoteRow, MessageRow,
)  # fmt: skip
"""Whose rows are kept here."""
DIGESTS = {
    "account": {"pin_hash": "a PIN's hash stands in one place only"},
    "window_secret": {"digest": "likewise what proves a screen's session"},
    "catalogue": {"body": "hundreds of kilobytes, and proved by the digest that its event carries"},
}
"""Columns that are kept as their SM3, and why: a changed one is found, but cannot be made again from here."""
Image = dict[str, Any]
"""A row as it is kept. Any: JSON values."""
Key = tuple[Any, ...]
"""A primary key. Any: JSON values."""

_TOUCHED = "touched"
_AT_ONCE = 500
"""Keys in one statement."""
_OF_ROW = {row_type: row_type.__table__ for row_type in KEPT}  # type: ignore[attr-defined]  # SQLModel does not type them
_KEEP = insert(JournalRow)
_IN_ORDER = sql("SELECT name, key, body FROM journal ORDER BY number")
_LAST_NUMBER = sql("SELECT max(number) FROM event")


def tables() -> tuple[Table, ...]:
    """The tables whose rows are kept."""
    return tuple(_OF_ROW.values())


class WriterSession(Session):
    """A session that notices which kept rows are touched in it; `write_down` keeps them before the commit."""


@event.listens_for(WriterSession, "after_flush")
def _notice(session: WriterSession, _context: UOWTransaction) -> None:
    touched: dict[tuple[Table, Key], None] = session.info.setdefault(_TOUCHED, {})
    changed = (row for row in session.dirty if session.is_modified(row))
    for row in (*session.new, *changed, *session.deleted):
        table = _OF_ROW.get(type(row))
        if table is not None:
            touched[table, tuple(inspect(row).mapper.primary_key_from_instance(row))] = None


def write_down(session: Session) -> None:
    """Keep every row that was touched since, as it is now; at the end of a transaction."""
    session.flush()
    touched: dict[tuple[Table, Key], None] = session.info.pop(_TOUCHED, {})
    if not touched:
        return
    connection = session.connection()
    last = connection.execute(_LAST_NUMBER).scalar() or 0
    for table, key in touched:
        where = [column == part for column, part in zip(table.primary_key, key, strict=True)]
        row = connection.execute(select(table).where(*where)).mappings().first()
        _keep(connection, last, table, key, row)


def _keep(connection: Connection, last: int, table: Table, key: Key, row: RowMapping | None) -> None:
    body = None if row is None else canonical(image(table, row))
    connection.execute(_KEEP, {"event": last, "name": table.name, "key": canonical(list(key)), "body": body})


def image(table: Table, row: RowMapping) -> Image:
    """A row as it is kept."""
    digests = DIGESTS.get(table.name, {})
    return {name: sm3_hex(value.encode()) if name in digests else value for name, value in row.items()}


def begin(connection: Connection) -> None:
    """Keep what stands in the tables already: of a database that is older than the journal."""
    for table in tables():
        for key, row in _contents(connection, table):
            _keep(connection, 0, table, key, row)


def _contents(connection: Connection, table: Table) -> Iterator[tuple[Key, RowMapping]]:
    names = [column.name for column in table.primary_key]
    for row in connection.execute(select(table)).mappings().all():
        yield tuple(row[name] for name in names), row


def found(session: Session, table: Table) -> dict[Key, Image]:
    """The rows of a table as they are in the database."""
    return {key: image(table, row) for key, row in _contents(session.connection(), table)}


def told(session: Session) -> dict[str, dict[Key, Image]]:
    """Table → key → the row as it was kept last; what was deleted is left out."""
    rows: dict[str, dict[Key, Image]] = {table.name: {} for table in tables()}
    for name, key, body in session.connection().execute(_IN_ORDER):
        if body is None:
            rows[name].pop(tuple(json.loads(key)), None)
        else:
            rows[name][tuple(json.loads(key))] = json.loads(body)
    return rows


def forget(session: Session, row_type: type[SQLModel], which: ColumnElement[bool]) -> int:
    """Delete rows that may be kept no longer, and whatever the journal kept of them; how many rows."""
    table, connection = _OF_ROW[row_type], session.connection()
    session.flush()
    keys = connection.execute(delete(table).where(which).returning(*table.primary_key)).all()
    journal = JournalRow.__table__  # type: ignore[attr-defined]  # as above
    names = [canonical(list(key)) for key in keys]
    for first in range(0, len(names), _AT_ONCE):
        some = names[first : first + _AT_ONCE]
        connection.execute(delete(journal).where(journal.c.name == table.name, journal.c.key.in_(some)))
    return len(keys)
