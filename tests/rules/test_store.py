"""The event log keeps its order and its hashes: one transaction a verb, restores are noticed, damage is named."""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlmodel import col, select

from hall_daemon import database, privacy, serials, store
from hall_daemon.clock import Clock
from hall_daemon.database import StoreError
from hall_daemon.events import DeviceChanged, Event, ProfileChanged, ProfileQueue, TicketCancelled
from hall_daemon.privacy import CHAIN_START
from hall_daemon.store import Refused, Store, Tx
from hall_daemon.tables import (
    SCHEMA_VERSION,
    CounterRow,
    DayRow,
    EvaluationRow,
    EventRow,
    MetaRow,
    RefusedRow,
    StreamRow,
    TicketRow,
)
from hall_daemon.words import CancelReason, DeviceCondition, StreamReason
from tests.rules.test_privacy import FIRST, second_event
from tests.waiting import until_async

HALL = "990000000000-01"
MORNING_MS = 1767574800000  # 2026-01-05 09:00 in the hall
Opening = Callable[..., Store]


class StoppedClock(Clock):
    """Stands at one moment until told otherwise."""

    def __init__(self, now_ms: int = MORNING_MS) -> None:
        super().__init__()
        self.ms = now_ms

    def now_ms(self) -> int:
        return self.ms


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opening]:
    """Opens stores that are closed at the end, whatever the test did."""
    stores: list[Store] = []

    def open_store(name: str = "hall.db", hall: str = HALL, clock: Clock | None = None) -> Store:
        new = Store(tmp_path / name, hall, clock or StoppedClock())
        stores.append(new)
        new.open()
        return new

    yield open_store
    for each in stores:
        each.close()


def device_says(device: str, state: DeviceCondition = DeviceCondition.OK) -> Callable[[Tx], int]:
    return lambda tx: tx.emit(DeviceChanged(device_id=device, kind="printer", state=state))


def fill(hall: Store, events: int = 5) -> None:
    for number in range(events):
        hall.transact(device_says(f"PRN-{number % 2:02d}"))


def rows(hall: Store) -> list[EventRow]:
    return hall._read(lambda session: list(session.exec(select(EventRow).order_by(col(EventRow.number)))))


def streams(hall: Store) -> list[StreamRow]:
    return hall._read(lambda session: list(session.exec(select(StreamRow).order_by(text("rowid")))))


def counters(hall: Store) -> dict[tuple[str, str], int]:
    return hall._read(lambda s: {(c.bizdate, c.series): c.last for c in s.exec(select(CounterRow))})


def count_to(hall: Store, bizdate: str, **series: int) -> None:
    def verb(tx: Tx) -> None:
        if tx.session.get(DayRow, bizdate) is None:
            tx.session.add(DayRow(bizdate=bizdate, opened_ms=tx.now_ms))
        for name, last in series.items():
            tx.session.merge(CounterRow(bizdate=bizdate, series=name, last=last))

    hall.transact(verb)


def acknowledge(hall: Store, through: int) -> None:
    def verb(tx: Tx) -> None:
        tx.session.get_one(StreamRow, tx.streamid).acked_through = through

    hall.transact(verb)


def change(database: Path, statement: str, *values: object) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute(statement, values)
    connection.close()


# --- the log ----------------------------------------------------------------------------------------------------------


def test_sequences_are_contiguous_in_the_stream_and_aggseq_in_the_subject(opened: Opening) -> None:
    hall = opened()
    fill(hall, 7)

    assert [row.sequence for row in rows(hall)] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [row.aggseq for row in rows(hall) if row.subject == "device/PRN-00"] == [1, 2, 3, 4]
    assert [row.aggseq for row in rows(hall) if row.subject == "device/PRN-01"] == [1, 2, 3]
    assert hall.last_sequence == 8


def test_a_new_database_begins_with_an_install_stream(opened: Opening) -> None:
    first = json.loads(rows(opened())[0].body)

    assert first["type"] == "hall.stream.opened.v1"
    assert first["data"] == {"reason": "install", "serial_floor": {}}
    assert first["sequence"] == "0000000000000001"
    assert first["source"] == f"/halls/{HALL}"


def test_leaves_and_chain_are_those_of_the_contract(opened: Opening) -> None:
    clock = StoppedClock(MORNING_MS)
    hall = opened(hall="320115000000-01", clock=clock)
    hall.catalog_version = 42
    streamid = "0197f09f-0000-7000-8000-000000000000"

    def say_again(event: dict[str, object]) -> Callable[[Tx], int]:
        row = EventRow(
            streamid="before", sequence=1, id=str(event["id"]), type=str(event["type"]), subject=str(event["subject"]),
            aggseq=int(str(event["aggseq"])), time=str(event["time"]), bizdate="2026-01-05", body=json.dumps(event),
            leaf="", chain="",
        )  # fmt: skip
        return lambda tx: tx.again(row)

    hall.transact(lambda tx: tx.session.add(StreamRow(streamid=streamid, opened_ms=0, reason="install")))
    hall._head = store._Head(streamid, 0, CHAIN_START)
    hall.transact(say_again(json.loads(FIRST)))
    clock.ms += 1000
    hall.transact(say_again(second_event()))

    first, second = (row for row in rows(hall) if row.streamid == streamid)
    assert first.body == FIRST
    assert first.leaf == "45f8fcd1844d1a6ac2d8dc24fa1dcda17fd85dc4a1d1f4dacce389b2389061fb"
    assert first.chain == "38e541b5aec5b88a6b4905040ee02680528f47244110ac007c32e3e97c73d2f5"
    assert second.chain == "e3b69fa6197f09659eddca0093e4654a3adb340d690e941a977f4852bf5aa488"


def test_a_verb_that_fails_leaves_nothing(opened: Opening) -> None:
    hall = opened()
    before = rows(hall)

    def fails(tx: Tx) -> None:
        tx.session.add(MetaRow(key="half", value="done"))
        device_says("PRN-01")(tx)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        hall.transact(fails)
    fill(hall, 1)

    assert hall._read(lambda session: session.get(MetaRow, "half")) is None
    assert [row.sequence for row in rows(hall)] == [1, 2]
    assert rows(hall)[0] == before[0]
    assert store.verify(hall.database) is None


async def test_nobody_hears_of_a_verb_that_failed(opened: Opening) -> None:
    hall = opened()
    heard: list[Event] = []
    hall.on_commit(heard.extend)
    hall.start()

    def fails(tx: Tx) -> None:
        device_says("PRN-01")(tx)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await hall.write(fails)
    await hall.write(device_says("PRN-02"))
    await until_async(lambda: heard)

    assert [event.data.device_id for event in heard] == ["PRN-02"]
    assert heard[0].sequence == 2


async def test_commits_of_many_tasks_stay_in_one_order(opened: Opening) -> None:
    hall = opened()
    heard: list[Event] = []
    hall.on_commit(heard.extend)
    hall.start()
    await asyncio.gather(*(hall.write(device_says(f"PRN-{n % 5:02d}")) for n in range(60)))
    await until_async(lambda: len(heard) == 60)

    assert [event.sequence for event in heard] == list(range(2, 62))
    assert store.verify(hall.database) is None


def test_what_is_written_twice_is_refused_by_the_database(opened: Opening) -> None:
    hall = opened()
    ticket = TicketCancelled(ticket_id=hall.clock.new_id(), display_no="A001", reason_code=CancelReason.OTHER)
    event_id = hall.clock.new_id()
    hall.transact(lambda tx: tx.emit(ticket, event_id=event_id))

    with pytest.raises(Exception, match="UNIQUE"):
        hall.transact(lambda tx: tx.emit(ticket, event_id=event_id))
    assert hall.last_sequence == 2


# --- life of a database -----------------------------------------------------------------------------------------------


def test_a_restart_goes_on_in_the_same_stream(opened: Opening) -> None:
    hall = opened()
    fill(hall, 3)
    hall.close()
    again = opened()
    fill(again, 1)

    assert not again.restored
    assert again.streamid == hall.streamid
    assert [row.sequence for row in rows(again)] == [1, 2, 3, 4, 5]
    assert store.verify(again.database) is None


class Backup:
    """An old copy of a closed hall's database, put back as a technician does it: the epoch file is no part of it."""

    def __init__(self, hall: Store, folder: Path) -> None:
        self.database, self.copy = hall.database, folder / "backup.db"
        with sqlite3.connect(hall.database) as source, sqlite3.connect(self.copy) as target:
            source.backup(target)
        source.close()
        target.close()

    def put_back(self) -> None:
        for ending in ("-wal", "-shm"):
            self.database.with_name(self.database.name + ending).unlink(missing_ok=True)
        shutil.copy(self.copy, self.database)


def test_an_old_copy_begins_a_new_stream_and_repeats_what_is_unacknowledged(opened: Opening, tmp_path: Path) -> None:
    hall = opened()
    fill(hall, 4)
    acknowledge(hall, 2)
    count_to(hall, "2026-01-05", A=37)
    unacked = rows(hall)[2:]
    backup = Backup(hall, tmp_path)
    fill(hall, 3)
    count_to(hall, "2026-01-05", A=55)
    hall.close()
    backup.put_back()

    restored = opened(clock=StoppedClock(MORNING_MS + 5_000))
    again = [row for row in rows(restored) if row.streamid == restored.streamid]
    opening = json.loads(again[0].body)["data"]

    assert restored.restored
    assert restored.streamid != hall.streamid
    assert opening["reason"] == "restore"
    assert (opening["previous_streamid"], opening["previous_acked_through"]) == (hall.streamid, 2)
    assert [(row.id, row.time, row.aggseq) for row in again[1:]] == [(r.id, r.time, r.aggseq) for r in unacked]
    assert [json.loads(row.body)["data"] for row in again[1:]] == [json.loads(r.body)["data"] for r in unacked]
    assert [row.sequence for row in again] == [1, 2, 3, 4]
    assert counters(restored)["2026-01-05", "A"] == 300
    assert opening["serial_floor"]["A"] == 300
    assert [stream.state for stream in streams(restored)] == ["closed", "open"]
    assert store.verify(restored.database) is None


def test_a_restored_hall_is_restored_only_once(opened: Opening, tmp_path: Path) -> None:
    hall = opened()
    backup = Backup(hall, tmp_path)
    fill(hall)
    hall.close()
    backup.put_back()
    opened().close()
    again = opened()

    assert not again.restored
    assert len(streams(again)) == 2


def test_serials_of_a_later_day_and_of_unused_queues_are_raised_too(opened: Opening, tmp_path: Path) -> None:
    hall = opened()
    count_to(hall, "2026-01-05", A=37)
    announce_queues(hall, "A", "F")
    backup = Backup(hall, tmp_path)
    fill(hall)
    hall.close()
    backup.put_back()
    restored = opened(clock=StoppedClock(MORNING_MS + 86_400_000))

    assert counters(restored)["2026-01-05", "A"] == 300
    for series in ("A", "F", "VA", "YF", "XF"):
        assert counters(restored)["2026-01-06", series] == 200


def announce_queues(hall: Store, *codes: str) -> None:
    queues = tuple(ProfileQueue(queue_code=code, name=code, name_en="", item_codes=()) for code in codes)
    hall.transact(lambda tx: tx.emit(ProfileChanged(windows=(), queues=queues, devices=())))


def test_an_old_copy_without_epoch_file_counts_as_restored(opened: Opening, tmp_path: Path) -> None:
    hall = opened()
    fill(hall)
    hall.close()
    database.epoch_path(hall.database).unlink()

    assert opened().restored


def test_an_unreadable_epoch_file_counts_as_restored(opened: Opening) -> None:
    hall = opened()
    hall.close()
    database.epoch_path(hall.database).write_bytes(b"\x00" * 54)

    assert opened().restored


@pytest.mark.parametrize("behind", [1, 3])
def test_an_epoch_file_that_lags_after_a_power_cut_is_no_restore(opened: Opening, behind: int) -> None:
    hall = opened()
    fill(hall)
    epoch = database.epoch_path(hall.database)
    hall.close()
    epoch.write_text(f"{hall.streamid} {hall.last_sequence - behind:016d}\n")

    assert not opened().restored


def test_a_power_cut_between_a_new_stream_and_its_epoch_is_no_restore(opened: Opening) -> None:
    hall = opened()
    fill(hall)
    epoch = database.epoch_path(hall.database)
    before = epoch.read_text()
    hall.open_stream(StreamReason.RESET)
    hall.close()
    epoch.write_text(before)
    again = opened()

    assert not again.restored
    assert len(streams(again)) == 2


def test_the_newest_stream_is_known_although_the_clock_went_back(opened: Opening) -> None:
    clock = StoppedClock()
    hall = opened(clock=clock)
    fill(hall)
    clock.ms -= 7_200_000
    hall.open_stream(StreamReason.RESET)
    newest = hall.streamid
    hall.close()
    again = opened(clock=clock)

    assert again.streamid == newest
    assert not again.restored
    assert store.verify(again.database) is None


async def test_a_reset_while_the_hall_works_repeats_all_but_the_refused_event(opened: Opening) -> None:
    hall = opened()
    heard: list[Event] = []
    hall.on_commit(heard.extend)
    hall.start()
    for _ in range(4):
        await hall.write(device_says("PRN-01"))
    old, bad = hall.streamid, rows(hall)[2]
    await hall.reset_stream(
        StreamReason.RESET, without=Refused(event_id=bad.id, sequence=bad.sequence, code="BAD_ENVELOPE")
    )
    await until_async(lambda: heard[-1].type == "hall.stream.opened.v1")
    second = [row.id for row in rows(hall) if row.streamid == hall.streamid]
    await hall.reset_stream(StreamReason.RESET)
    third = [row.id for row in rows(hall) if row.streamid == hall.streamid]
    first = [row.id for row in rows(hall) if row.streamid == old]
    refused = hall._read(lambda session: list(session.exec(select(RefusedRow))))

    assert bad.id in first
    assert second[1:] == [event_id for event_id in first[1:] if event_id != bad.id]
    assert third[1:] == second[1:]
    assert [(row.id, row.sequence, row.code) for row in refused] == [(bad.id, 3, "BAD_ENVELOPE")]
    assert counters(hall) == {}
    assert store.verify(hall.database) is None


# --- serials that the province knows ----------------------------------------------------------------------------------


def test_serials_behind_the_province_are_lifted_by_ten(opened: Opening) -> None:
    hall = opened()
    count_to(hall, "2026-01-05", A=37, B=12, VA=4)
    known = {"2026-01-04": {"A": 900}, "2026-01-05": {"A": 40, "B": 12, "F": 3}, "2026-01-06": {"A": 1}}

    def verb(tx: Tx) -> None:
        serials.lift(tx.session, serials.behind(tx.session, tx.bizdate, known))

    hall.transact(verb)

    assert counters(hall) == {
        ("2026-01-05", "A"): 50, ("2026-01-05", "VA"): 50, ("2026-01-05", "B"): 12, ("2026-01-05", "F"): 13,
        ("2026-01-06", "A"): 11,
    }  # fmt: skip
    assert hall._read(lambda session: serials.behind(session, "2026-01-05", known)) == {}


# --- what is refused --------------------------------------------------------------------------------------------------


def test_a_newer_schema_is_refused(opened: Opening) -> None:
    hall = opened()
    hall.close()
    change(hall.database, "PRAGMA user_version = 99")

    with pytest.raises(StoreError, match=r"hall\.db has schema 99, this program knows \d+: install the newer program"):
        opened()


def test_an_older_schema_gets_the_tables_and_columns_it_lacks_and_keeps_what_it_has(opened: Opening) -> None:
    hall = opened()
    events = len(hall._read(lambda session: session.exec(select(EventRow)).all()))
    hall.close()
    change(hall.database, "DROP TABLE evaluation")
    for column in ("card_expired", "lane", "legs", "worked_ms"):
        change(hall.database, f"ALTER TABLE ticket DROP COLUMN {column}")
    change(hall.database, "DROP TABLE decision")
    change(hall.database, "PRAGMA user_version = 1")

    again = opened()
    assert again._read(lambda session: session.exec(select(EvaluationRow)).all()) == []
    assert again._read(lambda session: session.exec(select(TicketRow)).all()) == []
    assert len(again._read(lambda session: session.exec(select(EventRow)).all())) == events
    assert again._connection.exec_driver_sql("PRAGMA user_version").scalar() == SCHEMA_VERSION


def test_the_database_of_another_hall_is_refused(opened: Opening) -> None:
    opened().close()

    with pytest.raises(StoreError, match=r"belongs to hall 990000000000-01, the configuration says 990000000000-02"):
        opened(hall="990000000000-02")


def test_a_second_daemon_is_refused_and_the_first_goes_on(opened: Opening) -> None:
    hall = opened()

    with pytest.raises(StoreError, match="in use by another hall daemon; stop that one first"):
        opened()
    fill(hall, 2)

    assert hall.last_sequence == 3


@pytest.mark.parametrize("emptied", [True, False])
def test_a_missing_database_of_an_installed_hall_is_refused(opened: Opening, emptied: bool) -> None:
    hall = opened()
    hall.close()
    hall.database.unlink()
    if emptied:
        hall.database.touch()

    with pytest.raises(StoreError, match=r"missing or empty, but .*hall\.db\.epoch says .*restore a backup, or remove"):
        opened()
    assert not hall.database.exists() or hall.database.stat().st_size == 0


def test_a_file_that_is_no_database_is_refused_and_left_alone(opened: Opening, tmp_path: Path) -> None:
    rubbish = b"this is no database at all, but it is somebody's file" * 200
    (tmp_path / "hall.db").write_bytes(rubbish)

    with pytest.raises(StoreError, match=r"hall\.db cannot be opened: file is not a database; restore a backup"):
        opened()
    assert (tmp_path / "hall.db").read_bytes() == rubbish


def test_a_database_with_a_damaged_page_is_refused(opened: Opening) -> None:
    hall = opened()
    fill(hall, 200)
    hall.close()
    data = bytearray(hall.database.read_bytes())
    data[4096 * 5 : 4096 * 6] = b"\xff" * 4096
    hall.database.write_bytes(data)

    with pytest.raises(StoreError, match=r"hall\.db (is damaged|cannot be opened).*restore"):
        opened()


def test_a_refused_database_can_be_opened_once_its_fault_is_gone(opened: Opening) -> None:
    opened().close()
    with pytest.raises(StoreError):
        opened(hall="990000000000-02")

    assert opened().last_sequence == 1


# --- verify -----------------------------------------------------------------------------------------------------------


def written(opened: Opening, events: int = 6) -> tuple[Path, str]:
    hall = opened()
    fill(hall, events)
    hall.close()
    return hall.database, hall.streamid


def test_verify_is_content_with_what_was_written(opened: Opening) -> None:
    database, _ = written(opened)

    assert store.verify(database) is None


@pytest.mark.parametrize(
    ("statement", "sequence", "sentence"),
    [
        ("UPDATE event SET body = replace(body, 'PRN-00', 'PRN-09') WHERE sequence = 4", 4, "its leaf differs"),
        ("UPDATE event SET body = substr(body, 2) WHERE sequence = 4", 4, "no event any more"),
        ("UPDATE event SET body = '[]' WHERE sequence = 4", 4, "no event any more"),
        ("UPDATE event SET leaf = replace(leaf, substr(leaf, 1, 4), 'beef') WHERE sequence = 3", 3, "leaf differs"),
        ("UPDATE event SET chain = replace(chain, substr(chain, 9, 4), 'beef') WHERE sequence = 5", 5, "chain of hash"),
        ("UPDATE event SET bizdate = '2026-01-04' WHERE sequence = 2", 2, "columns say something else"),
        ("UPDATE event SET id = 'another' WHERE sequence = 2", 2, "columns say something else"),
        ("DELETE FROM event WHERE sequence = 3", 4, "sequence 3 is missing"),
        ("DELETE FROM event WHERE sequence = 1", 2, "sequence 1 is missing"),
    ],
)
def test_verify_names_the_first_difference(opened: Opening, statement: str, sequence: int, sentence: str) -> None:
    database, streamid = written(opened)
    change(database, statement)
    change(database, "UPDATE event SET leaf = 'also wrong' WHERE sequence = 7")
    difference = store.verify(database) or ""

    assert difference.startswith(f"stream {streamid}, sequence {sequence}, hall.")
    assert sentence in difference


def test_verify_misses_the_end_of_the_log(opened: Opening) -> None:
    database, streamid = written(opened)
    change(database, "DELETE FROM event WHERE sequence > 5")

    assert store.verify(database) == f"stream {streamid}: sequences 6 to 7 are missing at its end"


def test_verify_misses_the_end_of_an_earlier_stream(opened: Opening) -> None:
    hall = opened()
    fill(hall)
    old = hall.streamid
    acknowledge(hall, hall.last_sequence)
    hall.open_stream(StreamReason.RESET)
    hall.close()
    change(hall.database, "DELETE FROM event WHERE streamid = ? AND sequence > 4", old)

    assert f"stream {old} before it does not end where it ended" in (store.verify(hall.database) or "")


def test_verify_finds_a_chain_that_was_computed_anew(opened: Opening) -> None:
    """Who rewrites an event, its leaf and every chain value after it is found by the next stream's beginning."""
    hall = opened()
    fill(hall)
    old = hall.streamid
    hall.open_stream(StreamReason.RESET)
    hall.close()
    recompute(hall.database, old)

    assert f"stream {old} before it does not end where it ended" in (store.verify(hall.database) or "")


def recompute(database: Path, streamid: str) -> None:
    change(database, "UPDATE event SET body = replace(body, 'PRN-00', 'PRN-09') WHERE sequence = 4")
    change(database, "UPDATE event SET subject = replace(subject, 'PRN-00', 'PRN-09'), aggseq = 9 WHERE sequence = 4")
    with sqlite3.connect(database) as connection:
        chain = CHAIN_START
        question = "SELECT number, body FROM event WHERE streamid = ? ORDER BY sequence"
        for number, body in connection.execute(question, (streamid,)).fetchall():
            event = json.loads(body)
            if event["sequence"].endswith("4"):
                event["aggseq"] = 9
            leaf = privacy.leaf(event)
            chain = privacy.chain(chain, leaf)
            values = (privacy.canonical(event), leaf, chain, number)
            connection.execute("UPDATE event SET body = ?, leaf = ?, chain = ? WHERE number = ?", values)
    connection.close()


def test_verify_says_what_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "hall.db").write_bytes(b"no database" * 100)

    with pytest.raises(StoreError, match=r"hall\.db cannot be read: file is not a database"):
        store.verify(tmp_path / "hall.db")
