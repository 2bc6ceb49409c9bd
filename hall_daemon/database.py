"""The database's file: opened, checked, brought to the present schema; and the epoch file that stands beside it.

`hall.db.epoch` is one line, the stream and its last committed sequence: "<streamid> <16 digits>".
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, inspect
from sqlalchemy import text as sql
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import StaticPool
from sqlmodel import Session, SQLModel

from hall_daemon import journal
from hall_daemon.tables import ADDED_COLUMNS, SCHEMA_VERSION

_RAW = "raw"
STORAGE_ERRORS = (DBAPIError, sqlite3.Error)
"""What a statement raises that the database refuses, by SQLAlchemy and by `value`."""


def refused_by(exc: BaseException) -> BaseException:
    """What SQLite itself said."""
    return (exc.orig or exc) if isinstance(exc, DBAPIError) else exc


class StoreError(Exception):
    """The database cannot be used; the sentence says which, why, and what to do."""


def engine(database: Path, *, read_only: bool) -> Engine:
    """Connections to it: one for the writer, in WAL with synchronous=FULL, or two that can only read."""
    address = f"sqlite:///file:{database}?mode={'ro' if read_only else 'rwc'}&uri=true"
    # What a statement carries (masks, keyed hashes) is nobody's business in a log or an error.
    if read_only:
        made = create_engine(address, pool_size=2, max_overflow=0, hide_parameters=True)
    else:
        made = create_engine(
            address, poolclass=StaticPool, connect_args={"check_same_thread": False}, hide_parameters=True
        )

    @event.listens_for(made, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions are begun below, not guessed by the driver
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute("PRAGMA busy_timeout = 5000")
        if not read_only:
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    @event.listens_for(made, "begin")
    def begin(connection: Connection) -> None:
        connection.execute(sql("BEGIN" if read_only else "BEGIN IMMEDIATE"))

    return made


def value(session: Session, statement: str, asked: Mapping[str, object]) -> Any:
    """The first value of the first row, by SQLite's own driver: SQLAlchemy makes it ten times as dear.

    Any: whatever stands there; None if there is no row. What the session has not flushed is not seen. Raises
    sqlite3.Error.
    """
    raw = session.info.get(_RAW)
    if raw is None:
        raw = session.connection().connection.dbapi_connection
        assert isinstance(raw, sqlite3.Connection)
        if isinstance(session.bind, Connection):  # the writer's, which is always the same
            session.info[_RAW] = raw
    row = raw.execute(statement, asked).fetchone()
    return None if row is None else row[0]


def check(connection: Connection, database: Path) -> None:
    """Let SQLite look it through. Raises StoreError."""
    verdict = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    connection.rollback()
    if verdict != "ok":
        found = " ".join(str(verdict).split())
        raise StoreError(f"{database} is damaged ({found}): move it away and restore the newest backup")


def migrate(connection: Connection, database: Path) -> None:
    """Give it the tables and columns of the present schema. Raises StoreError if it is newer than this program."""
    version = connection.exec_driver_sql("PRAGMA user_version").scalar() or 0
    connection.rollback()
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{database} has schema {version}, this program knows {SCHEMA_VERSION}: "
            "install the newer program, or restore the backup made before the upgrade"
        )
    if version < SCHEMA_VERSION:
        with connection.begin():
            # Tables that are there stay as they are.
            SQLModel.metadata.create_all(connection)
            for table, column, kind in ADDED_COLUMNS:
                known = [c["name"] for c in inspect(connection).get_columns(table)]
                if column not in known:
                    connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {column} {kind}")
            journal.begin(connection)
            connection.exec_driver_sql(f"PRAGMA user_version = {SCHEMA_VERSION}")


def epoch_path(database: Path) -> Path:
    """Where the epoch file of a database lies."""
    return database.with_name(database.name + ".epoch")


def read_epoch(database: Path) -> tuple[str, int] | None:
    """Stream and last committed sequence as the epoch file remembers them; None if it does not say."""
    try:
        streamid, _, sequence = epoch_path(database).read_text(encoding="ascii").strip().partition(" ")
        return streamid, int(sequence)
    except (FileNotFoundError, ValueError):
        return None
