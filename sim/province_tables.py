"""The province's database: one SQLite file, one connection, one transaction per answer.

`synchronous=FULL`, so what was committed survives `kill -9` and power loss. Nonces live in a second file that only has
to survive `kill -9`: losing one can at worst let a batch through that the ledger knows already.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

Value: TypeAlias = str | int | float | None
Row: TypeAlias = sqlite3.Row

# events.status: applied, held, quarantined, purged; repeat = the same id came before in another place of this hall's
# streams; lost = acknowledged once, and the content is gone (a fault that tests ask for).
TABLES = """
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS streams (
    n INTEGER PRIMARY KEY AUTOINCREMENT, streamid TEXT NOT NULL UNIQUE, open INTEGER NOT NULL,
    acked INTEGER NOT NULL, chain TEXT NOT NULL, first_chain TEXT NOT NULL, reason TEXT NOT NULL, previous TEXT);
CREATE TABLE IF NOT EXISTS events (
    n INTEGER PRIMARY KEY AUTOINCREMENT, streamid TEXT NOT NULL, sequence INTEGER NOT NULL, id TEXT NOT NULL,
    type TEXT NOT NULL, subject TEXT NOT NULL, aggseq INTEGER NOT NULL, bizdate TEXT NOT NULL, leaf TEXT NOT NULL,
    chain TEXT NOT NULL, sameness TEXT NOT NULL, text TEXT NOT NULL, status TEXT NOT NULL, code TEXT, detail TEXT,
    corrected TEXT, opened TEXT, UNIQUE (streamid, sequence));
CREATE UNIQUE INDEX IF NOT EXISTS one_event_per_id ON events (id) WHERE status NOT IN ('repeat', 'lost');
CREATE INDEX IF NOT EXISTS events_of_subject ON events (subject, n);
CREATE INDEX IF NOT EXISTS events_of_day ON events (bizdate);
CREATE INDEX IF NOT EXISTS events_in_quarantine ON events (n) WHERE status = 'quarantined';
CREATE TABLE IF NOT EXISTS effects (n INTEGER PRIMARY KEY AUTOINCREMENT, event_id TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS effects_of_event ON effects (event_id);
CREATE TABLE IF NOT EXISTS warnings (event_id TEXT NOT NULL, code TEXT NOT NULL, detail TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS subjects (
    subject TEXT PRIMARY KEY, aggseq INTEGER NOT NULL, streamid TEXT NOT NULL, held_by TEXT);
CREATE INDEX IF NOT EXISTS held_subjects ON subjects (subject) WHERE held_by IS NOT NULL;
CREATE TABLE IF NOT EXISTS tickets (
    ticket_id TEXT PRIMARY KEY, event_id TEXT, display_no TEXT, queue_code TEXT, serial INTEGER, bizdate TEXT,
    state TEXT NOT NULL, UNIQUE (bizdate, display_no));
CREATE TABLE IF NOT EXISTS cases (
    local_case_no TEXT PRIMARY KEY, ticket_id TEXT NOT NULL, item_code TEXT NOT NULL, kind INTEGER NOT NULL,
    state TEXT NOT NULL, notices TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS serials (
    bizdate TEXT NOT NULL, queue_code TEXT NOT NULL, highest INTEGER NOT NULL, PRIMARY KEY (bizdate, queue_code));
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS uploads (
    id TEXT PRIMARY KEY, blob TEXT NOT NULL, sm3 TEXT NOT NULL, media TEXT NOT NULL, bytes INTEGER NOT NULL,
    held INTEGER NOT NULL, expires REAL NOT NULL, state TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS uploads_of_blob ON uploads (blob);
CREATE TABLE IF NOT EXISTS blobs (
    blob TEXT PRIMARY KEY, state TEXT NOT NULL, bytes INTEGER NOT NULL, sm3 TEXT NOT NULL, media TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS reconciliations (
    n INTEGER PRIMARY KEY AUTOINCREMENT, bizdate TEXT NOT NULL, streamid TEXT NOT NULL, first INTEGER NOT NULL,
    last INTEGER NOT NULL, result TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS catalogs (
    version INTEGER PRIMARY KEY, document TEXT NOT NULL, offer_delta INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS appointments (id TEXT PRIMARY KEY, change INTEGER NOT NULL UNIQUE, rev INTEGER NOT NULL,
    bizdate TEXT NOT NULL, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS commands (
    id INTEGER PRIMARY KEY AUTOINCREMENT, type TEXT NOT NULL, args TEXT NOT NULL, expires_at TEXT NOT NULL,
    answered INTEGER NOT NULL DEFAULT 0);
"""
NAMES = (
    *("settings", "streams", "events", "effects", "warnings", "subjects", "tickets", "serials", "counters", "uploads"),
    *("blobs", "reconciliations", "catalogs", "appointments", "commands", "cases"),
)
NONCES = "CREATE TABLE IF NOT EXISTS nonces (kid TEXT, nonce TEXT, seen REAL, PRIMARY KEY (kid, nonce))"
NONCE_MEMORY_S = 600.0


class Tables:
    """The open database."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._db = _open(folder / "province.db", "FULL")
        self._db.executescript(TABLES)
        self._nonces = _open(folder / "nonces.db", "OFF")
        self._nonces.execute(NONCES)

    def close(self) -> None:
        """Close both files."""
        self._db.close()
        self._nonces.close()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing; durable on leaving."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def rows(self, question: str, values: Sequence[Value] = ()) -> list[Row]:
        """Every row of an answer."""
        return self._db.execute(question, values).fetchall()

    def row(self, question: str, values: Sequence[Value] = ()) -> Row | None:
        """The first row, if there is one."""
        answer: Row | None = self._db.execute(question, values).fetchone()
        return answer

    def number(self, question: str, values: Sequence[Value] = ()) -> int:
        """A single number; 0 for nothing."""
        answer = self.row(question, values)
        return 0 if answer is None or answer[0] is None else int(answer[0])

    def do(self, order: str, values: Sequence[Value] = ()) -> int:
        """Change something; gives the id of an inserted row."""
        return self._db.execute(order, values).lastrowid or 0

    def setting(self, name: str, default: str) -> str:
        """A lasting setting."""
        row = self.row("SELECT value FROM settings WHERE name = ?", (name,))
        return default if row is None else str(row["value"])

    def set(self, name: str, value: str) -> None:
        """Keep a setting."""
        self.do(
            "INSERT INTO settings VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value", (name, value)
        )

    def count(self, name: str, by: int = 1) -> None:
        """Raise a counter."""
        self.do(
            "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + excluded.value",
            (name, by),
        )

    def counted(self, name: str) -> int:
        """Value of a counter."""
        return self.number("SELECT value FROM counters WHERE name = ?", (name,))

    def nonce_is_new(self, kid: str, nonce: str, now: float) -> bool:
        """Remember a nonce; False if it was seen within the last ten minutes."""
        self._nonces.execute("DELETE FROM nonces WHERE seen < ?", (now - NONCE_MEMORY_S,))
        done = self._nonces.execute("INSERT OR IGNORE INTO nonces VALUES (?, ?, ?)", (kid, nonce, now))
        return done.rowcount == 1

    def wipe(self) -> None:
        """Forget everything."""
        with self.transaction():
            for name in NAMES:
                self.do(f"DELETE FROM {name}")  # noqa: S608 - names are the constants above
        self._nonces.execute("DELETE FROM nonces")


def _open(path: Path, synchronous: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA journal_mode=WAL")
    db.execute(f"PRAGMA synchronous={synchronous}")
    return db
