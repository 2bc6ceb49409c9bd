"""The database: one writer, each verb whole or not at all, and the event log that is the outbox.

A verb runs on the writer's thread inside `BEGIN IMMEDIATE`; what it changes and the events it emits are committed
together with synchronous=FULL, and only then does anybody hear of them. Verbs that wait together share that commit,
each in a savepoint of its own (docs/decisions/0019). Readers are read-only. A storage fault at a
commit ends the process: a later commit on the same handle could pass although it is not on the disk.

Beside the database stands its epoch file: the stream and the last committed sequence, written after each commit. It can
lag behind the database (after a power cut) but never be ahead of it, so a database that is behind its epoch file is an
old copy: a new stream is opened and serials are raised before anything is issued (province.md §6). A database without a
readable epoch file may be an old copy too, so it is treated as one.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import os
import queue
import sqlite3
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, create_engine
from sqlmodel import Session, SQLModel, select

from hall_daemon import journal, proof, replay, serials, streams
from hall_daemon.clock import Clock, rfc3339
from hall_daemon.database import (
    STORAGE_ERRORS,
    StoreError,
    check,
    engine,
    epoch_path,
    migrate,
    read_epoch,
    refused_by,
    value,
)
from hall_daemon.events import Event, EventData, StreamOpened
from hall_daemon.privacy import CHAIN_START, canonical, chain, leaf
from hall_daemon.tables import DecisionRow, EventRow, MetaRow, RefusedRow, StreamRow
from hall_daemon.words import StreamReason

_log = logging.getLogger("store")
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Refused:
    """An event that the province refuses by itself, with the problem code of the refusal."""

    event_id: str
    sequence: int
    code: str


TOGETHER = 32
"""So many verbs at most share a commit: the first of them waits for the last."""
_APPEND = (
    "INSERT INTO event (streamid, sequence, id, type, subject, aggseq, time, bizdate, body, leaf, chain) VALUES "
    "(:streamid, :sequence, :id, :type, :subject, :aggseq, :time, :bizdate, :body, :leaf, :chain) RETURNING number"
)
_DECIDE = "INSERT INTO decision (number, ticket_id, body) VALUES (:number, :ticket_id, :body)"
_LAST_OF_SUBJECT = "SELECT max(aggseq) FROM event WHERE subject = :subject"
_LAST_NUMBER = "SELECT max(number) FROM event"
_LATEST_DAY = "SELECT max(bizdate) FROM day"


@dataclass
class _Head:
    """Where the stream stands; replaced only after a commit."""

    streamid: str
    sequence: int
    chain: str


@dataclass(kw_only=True)
class Tx:
    """One transaction: what a verb reads, changes and reports."""

    session: Session
    now_ms: int
    bizdate: str
    """The open service day, or the last one."""
    _store: Store
    _head: _Head
    events: list[Event] = field(default_factory=list)
    catver: int = 0
    """Version of the catalogue that its events are told under."""
    open_ms: int | None = None
    """Open time of the day at which all of this happens, once somebody has asked."""
    after: list[Callable[[], None]] = field(default_factory=list)
    """Done on the writer's thread once this is committed, before the next verb begins."""

    @property
    def streamid(self) -> str:
        """The stream that this transaction writes to."""
        return self._head.streamid

    @property
    def next_sequence(self) -> int:
        """Sequence that the next event will get."""
        return self._head.sequence + 1

    def emit(
        self, data: EventData, event_id: str | None = None, bizdate: str | None = None, aggseq: int | None = None,
        time: str | None = None, kept: Mapping[str, Any] | None = None,
    ) -> int:  # fmt: skip
        """Append an event of this change; its number.

        `kept` is what the event's shape has no room for and a replay needs (Any: JSON values); None members are left
        out. `time` is when it happened, where that was not now.
        """
        number = self._append(data.wire_type, data.subject, data.model_dump(mode="json", exclude_none=True), data,
                              event_id=event_id, bizdate=bizdate, aggseq=aggseq, time=time)  # fmt: skip
        if kept is not None:
            body = canonical({key: value for key, value in kept.items() if value is not None})
            ticket_id = data.subject.removeprefix("ticket/") if data.subject.startswith("ticket/") else None
            row = {"number": number, "ticket_id": ticket_id, "body": body}
            value(self.session, _DECIDE, row)
        return number

    def keep_counters(self, counters: Iterable[tuple[str, str, int]]) -> None:
        """Keep how far number series were lifted (day, series, last) beside the last event: no event tells of it."""
        number = value(self.session, _LAST_NUMBER, {})
        if number is None:
            return
        row = self.session.get(DecisionRow, number)
        body = json.loads(row.body) if row is not None else {}
        body["counters"] = [*body.get("counters", []), *(list(counter) for counter in counters)]
        self.session.merge(DecisionRow(number=number, ticket_id=row.ticket_id if row else None, body=canonical(body)))

    def forget(self, row_type: type[SQLModel], which: ColumnElement[bool]) -> int:
        """Delete rows that may be kept no longer, and what the journal kept of them; how many."""
        return journal.forget(self.session, row_type, which)

    def again(self, row: EventRow) -> int:
        """Append an event of an earlier stream under its old id, time, place in its subject and data."""
        envelope = json.loads(row.body)
        return self._append(
            row.type, row.subject, envelope["data"], None,
            event_id=row.id, bizdate=row.bizdate, aggseq=row.aggseq, time=row.time,
        )  # fmt: skip

    def _append(
        self, wire_type: str, subject: str, data: dict[str, Any], model: EventData | None, *,
        event_id: str | None = None, bizdate: str | None = None, aggseq: int | None = None, time: str | None = None,
    ) -> int:  # fmt: skip
        head = self._head
        if aggseq is None:
            found = value(self.session, _LAST_OF_SUBJECT, {"subject": subject})
            aggseq = (found or 0) + 1
        envelope = self._envelope(event_id, wire_type, subject, time) | {
            "aggseq": aggseq, "bizdate": bizdate or self.bizdate, "data": data,
        }  # fmt: skip
        this_leaf = leaf(envelope)
        head.sequence += 1
        head.chain = chain(head.chain, this_leaf)
        row = {
            "streamid": head.streamid, "sequence": head.sequence, "id": envelope["id"], "type": wire_type,
            "subject": subject, "aggseq": aggseq, "time": envelope["time"], "bizdate": envelope["bizdate"],
            "body": canonical(envelope), "leaf": this_leaf, "chain": head.chain,
        }  # fmt: skip
        number: int = value(self.session, _APPEND, row)
        if model is not None:
            self.events.append(
                Event(
                    number=number, streamid=head.streamid, sequence=head.sequence, id=envelope["id"], type=wire_type,
                    subject=subject, time=envelope["time"], bizdate=envelope["bizdate"], data=model,
                )
            )  # fmt: skip
        return number

    def _envelope(self, event_id: str | None, wire_type: str, subject: str, time: str | None) -> dict[str, Any]:
        """What says where and when, of the next event. Any: its members are of every JSON type."""
        store, recorded = self._store, rfc3339(self.now_ms)
        return {
            "specversion": "1.0",
            "id": event_id or store.clock.new_id(),
            "source": f"/halls/{store.hall_code}",
            "type": wire_type,
            "subject": subject,
            "time": time or recorded,
            "recordedtime": recorded,
            "datacontenttype": "application/json",
            "streamid": self._head.streamid,
            "sequence": f"{self.next_sequence:016d}",
            "catver": self.catver,
            "clkstate": store.clock.state.value,
            "clkoffms": store.clock.offset_ms,
        }


@dataclass
class _Job:
    verb: Callable[[Tx], Any]
    answer: Future[Any]


_Answer = tuple[Any, tuple[Event, ...]] | BaseException
"""What became of a verb: its result with its events, or why it was refused. Any: a result of any verb."""


class Store:
    """The hall's database."""

    def __init__(self, database: Path, hall_code: str, clock: Clock) -> None:
        self.database = database
        self.hall_code = hall_code
        self.clock = clock
        self.catalog_version = 0
        self.restored = False
        """Set by open() when the database turned out to be an old copy."""
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._hear: list[Callable[[tuple[Event, ...]], None]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._readers = ThreadPoolExecutor(2, thread_name_prefix="store-read")
        self._given_back = contextlib.ExitStack()
        self._epoch_fd = -1
        self._epoch_path = epoch_path(database)
        self._head = _Head("", 0, CHAIN_START)
        self._day = ""
        """The latest service day, while the writer knows it."""

    # --- life ---------------------------------------------------------------------------------------------------

    def open(self) -> None:
        """Open, check and migrate; begin a new stream if this is a new or an old copy. Raises StoreError."""
        try:
            self._open()
        except OSError as exc:
            raise StoreError(
                f"{exc.filename or self.database} cannot be opened: {exc.strerror}; correct [hall] database"
            ) from exc

    def _open(self) -> None:
        self.database.parent.mkdir(parents=True, exist_ok=True)
        epoch = read_epoch(self.database)
        installed = self._epoch_path.exists() and self._epoch_path.stat().st_size > 0
        if installed and (not self.database.exists() or self.database.stat().st_size == 0):
            raise StoreError(
                f"{self.database} is missing or empty, but {self._epoch_path} says that this hall is installed: "
                "restore a backup, or remove that file to begin a new database"
            )
        try:
            self._epoch_fd = os.open(self._epoch_path, os.O_RDWR | os.O_CREAT, 0o600)
            self._given_back.callback(self._close_epoch)
            self._lock()
            self._writer = engine(self.database, read_only=False)
            self._given_back.callback(self._writer.dispose)
            self._connection = self._writer.connect()
            self._given_back.callback(self._connection.close)
            check(self._connection, self.database)
            migrate(self._connection, self.database)
            self._reader = engine(self.database, read_only=True)
            self._given_back.callback(self._reader.dispose)
            self._take_up_stream(epoch)
        except STORAGE_ERRORS as exc:
            self._given_back.close()
            raise StoreError(f"{self.database} cannot be opened: {refused_by(exc)}; restore a backup") from exc
        except BaseException:
            self._given_back.close()
            raise

    def start(self) -> None:
        """Start the writer; from now on `write` and `read` may be awaited on this event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._work, name="store-write", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Finish what is queued, checkpoint, give the file back."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join(10)
            self._thread = None
        self._readers.shutdown()
        self._given_back.close()

    def _close_epoch(self) -> None:
        os.close(self._epoch_fd)
        self._epoch_fd = -1

    def on_commit(self, hear: Callable[[tuple[Event, ...]], None]) -> None:
        """Hear the events of each commit, in order, on the event loop."""
        self._hear.append(hear)

    # --- use ----------------------------------------------------------------------------------------------------

    async def write(self, verb: Callable[[Tx], T]) -> T:
        """Run a verb in a transaction of its own; an exception of the verb rolls everything back."""
        answer: Future[T] = Future()
        self._jobs.put(_Job(verb, answer))
        return await asyncio.wrap_future(answer)

    async def read(self, question: Callable[[Session], T]) -> T:
        """Ask without changing anything."""
        assert self._loop is not None
        return await self._loop.run_in_executor(self._readers, self._read, question)

    async def writable(self) -> bool:
        """Whether a transaction can be begun and ended, proved by one on the writer's thread."""
        try:
            async with asyncio.timeout(10):
                await self.write(lambda tx: tx.session.connection().exec_driver_sql("PRAGMA user_version").scalar())
        except (TimeoutError, *STORAGE_ERRORS):
            return False
        return True

    @property
    def streamid(self) -> str:
        """The stream that is written to."""
        return self._head.streamid

    @property
    def last_sequence(self) -> int:
        """Last committed sequence of that stream."""
        return self._head.sequence

    def _read(self, question: Callable[[Session], T]) -> T:
        with Session(self._reader) as session:
            return question(session)

    def _work(self) -> None:
        jobs, ending = deque[_Job](), False
        while not ending:
            ending = self._gather(jobs)
            while jobs:
                self._commit_some(jobs)

    def _gather(self, jobs: deque[_Job]) -> bool:
        """Wait for a verb, and take those that wait already behind it; whether there will be no more."""
        job = self._jobs.get()
        with contextlib.suppress(queue.Empty):
            while job is not None:
                if job.answer.set_running_or_notify_cancel():
                    jobs.append(job)
                if len(jobs) == TOGETHER:
                    return False
                job = self._jobs.get_nowait()
        return job is None

    def _commit_some(self, jobs: deque[_Job]) -> None:
        """Verbs that wait together are on the disk with one commit; nobody is answered before it."""
        begun = [jobs.popleft()]
        try:
            if not jobs:
                answers: list[_Answer] = [self.transact(begun[0].verb)]
            else:
                answers = self._transact_together(begun, jobs)
        except BaseException as exc:  # noqa: BLE001 - handed to whoever awaits the verbs
            self._end_if_storage_failed(exc)
            self._take_back()
            for job in begun:
                job.answer.set_exception(exc)
            return
        for job, answer in zip(begun, answers, strict=True):
            if isinstance(answer, BaseException):
                job.answer.set_exception(answer)
                continue
            result, events = answer
            self._publish(events)
            job.answer.set_result(result)

    def transact(self, verb: Callable[[Tx], T]) -> tuple[T, tuple[Event, ...]]:
        """One transaction on the calling thread, which must be the only writer."""
        head = replace(self._head)
        with journal.WriterSession(self._connection) as session, session.begin():
            result, tx = self._carry_out(session, verb, head)
        self._committed(head, tx)
        return result, tuple(tx.events)

    def _transact_together(self, begun: list[_Job], jobs: deque[_Job]) -> list[_Answer]:
        """One transaction for several verbs, each in a savepoint of its own: one that fails takes back only itself.

        Each verb that is begun moves from `jobs` to `begun`; one with something to do after its commit is the last.
        """
        head, answers, tx = self._head, list[_Answer](), None
        with self._connection.begin():
            while True:
                after = replace(head)
                try:
                    with self._savepoint() as session, session.begin():
                        result, tx = self._carry_out(session, begun[-1].verb, after)
                except Exception as exc:
                    self._end_if_storage_failed(exc)
                    if not self._raw.in_transaction:
                        raise  # a full disk, for one, takes back the others as well
                    answers.append(exc)
                else:
                    head = after
                    answers.append((result, tuple(tx.events)))
                if not jobs or (tx is not None and tx.after):
                    break
                begun.append(jobs.popleft())
        self._committed(head, tx)
        return answers

    def _savepoint(self) -> journal.WriterSession:
        return journal.WriterSession(self._connection, join_transaction_mode="create_savepoint")

    def _take_back(self) -> None:
        """A commit that the database refuses leaves the transaction open, and nothing can be begun behind it."""
        if self._raw.in_transaction:
            self._raw.rollback()

    @property
    def _raw(self) -> sqlite3.Connection:
        raw = self._connection.connection.dbapi_connection
        assert isinstance(raw, sqlite3.Connection)
        return raw

    def _carry_out(self, session: journal.WriterSession, verb: Callable[[Tx], T], head: _Head) -> tuple[T, Tx]:
        tx = Tx(
            session=session, now_ms=self.clock.now_ms(), bizdate=self._day_of(session), catver=self.catalog_version,
            _store=self, _head=head,
        )  # fmt: skip
        try:
            result = verb(tx)
            journal.write_down(session)
        finally:
            if any(event.type.startswith("hall.day.") for event in tx.events):
                self._day = ""
        return result, tx

    def _committed(self, head: _Head, last: Tx | None) -> None:
        self._head = head
        self._note_epoch()
        for follow in last.after if last is not None else ():
            follow()

    def _publish(self, events: tuple[Event, ...]) -> None:
        if not events or self._loop is None:
            return

        def tell() -> None:
            for hear in self._hear:
                hear(events)

        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left to hear
            self._loop.call_soon_threadsafe(tell)

    def _day_of(self, session: Session) -> str:
        """The same for the writer, which need not ask again while it has moved no day itself."""
        if not self._day:
            self._day = value(session, _LATEST_DAY, {}) or ""
        return self._day or self.clock.today().isoformat()

    def bizdate(self, session: Session) -> str:
        """The open service day, or the last one; the calendar's before the first."""
        latest: str | None = value(session, _LATEST_DAY, {})
        return latest or self.clock.today().isoformat()

    @staticmethod
    def _end_if_storage_failed(exc: BaseException) -> None:
        """SQLITE_IOERR (10) and SQLITE_CORRUPT (11): stop at once, the supervisor starts anew with a check."""
        original = refused_by(exc)
        code = getattr(original, "sqlite_errorcode", 0) & 0xFF
        if isinstance(original, sqlite3.Error) and code in (10, 11):
            _log.critical("storage failed: %s; stopping", type(original).__name__)
            logging.shutdown()
            os._exit(70)

    # --- opening ------------------------------------------------------------------------------------------------

    def _take_up_stream(self, epoch: tuple[str, int] | None) -> None:
        with Session(self._connection) as session:
            known = session.get(MetaRow, "hall_code")
            if known is not None and known.value != self.hall_code:
                raise StoreError(
                    f"{self.database} belongs to hall {known.value}, the configuration says {self.hall_code}"
                )
            # Not by time: the clock may have gone back between two streams.
            latest = session.exec(select(StreamRow).where(StreamRow.state == "open")).first()
            if latest is not None:
                last = streams.last_event(session, latest.streamid)
                self._head = _Head(latest.streamid, last.sequence if last else 0, last.chain if last else CHAIN_START)
            remembered = streams.last_event(session, epoch[0]) if epoch is not None else None
        if latest is None:
            self.open_stream(StreamReason.INSTALL)
        elif epoch is None or remembered is None or remembered.sequence < epoch[1]:
            _log.warning(
                "restored: database is at %s/%d, epoch file at %s; opening a new stream",
                latest.streamid, self._head.sequence, f"{epoch[0]}/{epoch[1]}" if epoch else "nothing",
            )  # fmt: skip
            self.restored = True
            self.open_stream(StreamReason.RESTORE)
        self._note_epoch()
        os.fsync(self._epoch_fd)

    def open_stream(self, reason: StreamReason) -> None:
        """Begin a new stream before the writer runs; `reset_stream` does it afterwards."""
        _, events = self.transact(lambda tx: self._begin_stream(tx, reason))
        self._publish(events)

    async def reset_stream(self, reason: StreamReason, *, without: Refused | None = None) -> None:
        """Begin a new stream while the hall works: on the writer's thread, in one transaction.

        `without` is an event that the province refuses by itself: listed, not repeated; its row stays.
        """
        await self.write(lambda tx: self._begin_stream(tx, reason, without))

    def _begin_stream(self, tx: Tx, reason: StreamReason, without: Refused | None = None) -> None:
        """Close the old stream, raise the serials after a restore, and repeat what the province has not acknowledged
        under its old ids (province.md §6)."""
        old = _Head(tx.streamid, tx.next_sequence - 1, tx._head.chain)
        previous = tx.session.get(StreamRow, old.streamid)
        if previous is None:
            tx.session.add(MetaRow(key="hall_code", value=self.hall_code))
        if without is not None:
            _list_refused(tx, without)
        unacked = streams.close(tx.session, previous) if previous else []
        tx._head.streamid, tx._head.sequence = self.clock.new_id(), 0
        row = StreamRow(streamid=tx.streamid, opened_ms=tx.now_ms, reason=reason.value)
        floors, lifted = {}, list[tuple[str, str, int]]()
        if reason is StreamReason.RESTORE:
            days = {tx.bizdate, max(tx.bizdate, self.clock.today().isoformat())}
            floors = serials.lift_unseen(tx.session, days)
            lifted = serials.counted(tx.session, days)
        opened = StreamOpened(reason=reason, serial_floor=floors)
        if previous is not None:
            row.previous = previous.streamid
            opened = StreamOpened(
                reason=reason, previous_streamid=old.streamid, previous_last_sequence=old.sequence,
                previous_acked_through=previous.acked_through, previous_chain_sm3=old.chain, serial_floor=floors,
            )  # fmt: skip
        tx.session.add(row)
        tx.session.flush()
        tx.emit(opened, aggseq=streams.opening_aggseq(tx.session, unacked))
        if lifted:
            tx.keep_counters(lifted)
        for event_row in unacked:
            tx.again(event_row)

    def _lock(self) -> None:
        try:
            fcntl.flock(self._epoch_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise StoreError(f"{self.database} is in use by another hall daemon; stop that one first") from exc

    # --- epoch file -----------------------------------------------------------------------------------------------

    def _note_epoch(self) -> None:
        """Not fsynced: it may lag after a power cut, it must only never be ahead."""
        if self._epoch_fd >= 0:
            os.pwrite(self._epoch_fd, f"{self._head.streamid} {self._head.sequence:016d}\n".encode(), 0)


def _list_refused(tx: Tx, event: Refused) -> None:
    row = RefusedRow(
        id=event.event_id, streamid=tx.streamid, sequence=event.sequence, code=event.code, refused_ms=tx.now_ms
    )
    tx.session.add(row)
    tx.session.flush()


def ask(database: Path, question: Callable[[Session], T]) -> T:
    """Ask a database that a daemon may be writing to. Raises StoreError."""
    reader = engine(database, read_only=True)
    try:
        with Session(reader) as session:
            return question(session)
    except STORAGE_ERRORS as exc:
        raise StoreError(f"{database} cannot be read: {refused_by(exc)}") from exc
    finally:
        reader.dispose()


def verify(database: Path) -> str | None:
    """Recompute leaves and chain of every stream; the first difference as a sentence, or None. Reads only."""
    return ask(database, lambda session: proof.first_difference(session, read_epoch(database)))


def replay_differences(database: Path) -> list[replay.Difference]:
    """Rebuild the tables from the event log in a fresh database, and compare: where they differ. Reads only."""

    def question(live: Session) -> list[replay.Difference]:
        with tempfile.TemporaryDirectory(prefix="hall-replay-") as folder:
            copy = create_engine(f"sqlite:///{folder}/fresh.db")
            SQLModel.metadata.create_all(copy)
            try:
                with Session(copy) as fresh:
                    return replay.differences(live, fresh, replay.rebuild(replay.read_log(live)))
            finally:
                copy.dispose()

    return ask(database, question)
