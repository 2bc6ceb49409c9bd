"""Every table that holds what the hall is can be rebuilt from the log, and whoever changes a row behind its back is
found: in each table, in each column."""

import asyncio
import shutil
import sqlite3
from pathlib import Path

import pytest
from sqlmodel import SQLModel

from hall_daemon import appointments, following, journal, replay, service_day, store
from hall_daemon.accounts import Accounts
from hall_daemon.desk import Desk
from hall_daemon.events import Blob, EvaluationSubmitted, MaterialPage, MaterialScanned, PageQuality
from hall_daemon.protocol_cases import HandIn, Supplement
from hall_daemon.protocol_clerks import NewAccount, Tick
from hall_daemon.store import Tx
from hall_daemon.tables import SCHEMA_VERSION, EvaluationRow, MaterialRow
from hall_daemon.tables_clerks import PauseRow
from hall_daemon.words import CopyKind, MessageTo, PauseReason
from tests.rules.hall_room import LONELY, PENSION, PLACES, HallRoom, RunningClock, card, hall_room, write_hall
from tests.rules.test_checking_in import book
from tests.rules.test_hall_cases import ALL, DAY_MS, catalogue, taken
from tests.rules.test_replay import a_day

WITH_PHONE = PLACES + '\n[phone]\nurl = "https://hall.example/t"\n'
COMPARED = sorted({row.__tablename__ for row in replay.REBUILT} | {table.name for table in journal.tables()})
PIN = "135790"


async def everything(room: HallRoom) -> None:
    """Two days on which every table gets rows."""
    hall = room.hall
    await room.sign_in(w1="c001", w2="c002")
    await room.issue(card=card())
    await service_day.close(hall, force=True, carry=True)
    room.clock.pass_ms(DAY_MS)
    await service_day.open_day(hall)
    await room.sign_in(w1="c001", w2="c002")
    carried = await room.issue(card=card())
    await following.slip_address(hall, carried.ticket_id)
    await book(room, "111111", "10:00")
    await room.cataloguing.suspend(LONELY, "m001", "停电")
    await people(room)
    await a_day(room)
    await papers(room)
    await service_day.drain(hall, "m001")
    await service_day.reopen(hall, "m001")
    await service_day.emergency(hall, "m001", "演练", valid=True)


async def people(room: HallRoom) -> None:
    """Accounts, a screen that is paused, words to the guard."""
    accounts, desk = Accounts(room.hall), Desk(room.hall)
    await accounts.take_up()
    await accounts.add(NewAccount(number="c009", name="样例九", pin=PIN), "m001")
    await accounts.sign_in("3", "c009", PIN)
    await desk.pause("3", PauseReason.MEAL, 30)
    await desk.call_for("1", MessageTo.GUARD, "")


async def papers(room: HallRoom) -> None:
    """A visit with its notes, pages, cases, notices and evaluation."""
    desk, issued = Desk(room.hall), await room.issue()
    await room.hall.select("1", None, issued.number, "材料齐了")
    await room.serve("1", issued.number)
    await desk.tick("1", Tick(seen=issued.number, materials=("M01", "M05")))
    await desk.note("1", issued.number, "要发票")
    await room.store.write(lambda tx: scanned_and_rated(tx, room, issued.ticket_id))
    order = HandIn(seen=issued.number, papers=taken("M01", fault="未签名"))
    told = await room.hall.notify_case("1", order)
    await room.hall.accept_case("1", HandIn(seen=issued.number, item=PENSION, papers=taken(*ALL)))
    await room.hall.supplement_case("1", Supplement(seen=issued.number, notice_no=told.notice_no, papers=taken(*ALL)))
    await room.hall.number_case(told.local_case_no, "990000202601050000000001")


def scanned_and_rated(tx: Tx, room: HallRoom, ticket_id: str) -> None:
    """As scanning and evaluating do it, without their devices."""
    blob = Blob(blob="sha256:" + "0" * 64, sm3="0" * 64, bytes=1, media="image/jpeg")
    page = MaterialPage(no=1, blob=blob, w=1, h=1, dpi=200, color=True, rotation=0, blank=False)
    material, evaluation = room.clock.new_id(), room.clock.new_id()
    row = MaterialRow(
        id=material, ticket_id=ticket_id, code="M01", name="身份证", copy_kind="original_seen", pages=[blob.blob],
        filed_ms=tx.now_ms, clerk="c001", window="1",
    )  # fmt: skip
    tx.session.add(row)
    tx.emit(
        MaterialScanned(
            material_id=material, ticket_id=ticket_id, material_code="M01", material_name="身份证",
            copy_kind=CopyKind.ORIGINAL_SEEN, pages=(page,), device_id="SCN-01", clerk_id="c001",
            quality=PageQuality(blur=0, skew_mdeg=0, edges_ok=True),
        )
    )  # fmt: skip
    tx.session.add(EvaluationRow(ticket_id=ticket_id, id=evaluation, level=5, ended_ms=tx.now_ms))
    rated = EvaluationSubmitted(
        ticket_id=ticket_id, evaluation_id=evaluation, window_code="1", clerk_id="c001", level=5, timeout=False
    )
    tx.emit(rated)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a hall where everything has happened; nobody has it open."""
    folder = write_hall(tmp_path_factory.mktemp("told") / "hall", WITH_PHONE, catalogue())

    async def whole() -> Path:
        async with hall_room(folder, RunningClock()) as room:
            await everything(room)
            return room.config.database

    return asyncio.run(whole())


@pytest.fixture
def database(told: Path, tmp_path: Path) -> Path:
    """A copy of it to tamper with."""
    return Path(shutil.copy(told, tmp_path / "hall.db"))


def test_the_log_tells_every_table(told: Path) -> None:
    with sqlite3.connect(told) as connection:
        empty = [name for name in COMPARED if not connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]]
    connection.close()

    assert empty == []
    assert [str(difference) for difference in store.replay_differences(told)] == []


def test_a_table_is_rebuilt_or_left_out_for_a_reason() -> None:
    """Whoever adds a table decides here what becomes of it."""
    assert set(SQLModel.metadata.tables) == {*COMPARED, *replay.NOT_REBUILT}
    assert all(len(reason) > 20 for reason in replay.NOT_REBUILT.values())
    columns = {name: set(table.columns.keys()) for name, table in SQLModel.metadata.tables.items()}
    for left_out in (replay.NOT_COMPARED, journal.DIGESTS):
        assert all(reasons.keys() <= columns[name] and all(reasons.values()) for name, reasons in left_out.items())


def test_whatever_is_changed_behind_the_log_is_found_and_named(database: Path) -> None:
    """In one row of each table every column but its key."""
    changed = {table: tamper(database, table) for table in COMPARED}
    found = store.replay_differences(database)

    assert {table: {d.column for d in found if d.table == table} for table in COMPARED} == changed
    assert len({(difference.table, difference.key) for difference in found}) == len(COMPARED)


def test_a_row_that_is_gone_is_found_and_named(database: Path) -> None:
    for table in COMPARED:
        change(database, f"DELETE FROM {table} WHERE rowid = (SELECT min(rowid) FROM {table})")
    found = [str(difference) for difference in store.replay_differences(database)]

    assert sorted(said.partition(" ")[0] for said in found) == COMPARED
    assert all(said.endswith(": is in the log only") for said in found)


def test_a_row_that_nobody_wrote_is_found_and_named(database: Path) -> None:
    change(database, "INSERT INTO pause VALUES ('9', 'meal', 0, 0)")

    assert [str(found) for found in store.replay_differences(database)] == ["pause 9: is in no event"]


def tamper(database: Path, table: str) -> set[str]:
    """Change every column of one row but its key and what is not compared; their names."""
    with sqlite3.connect(database) as connection:
        connection.row_factory = sqlite3.Row
        kinds = {row["name"]: row for row in connection.execute(f"PRAGMA table_info({table})")}
        row = connection.execute(f"SELECT rowid AS place, * FROM {table} ORDER BY rowid LIMIT 1").fetchone()
        left_out = replay.NOT_COMPARED.get(table, {})
        changed = {
            name: another(row[name], kind["type"]) for name, kind in kinds.items()
            if not kind["pk"] and name not in left_out
        }  # fmt: skip
        connection.execute("PRAGMA ignore_check_constraints = ON")
        setting = ", ".join(f'"{name}" = :{name}' for name in changed)
        connection.execute(f"UPDATE {table} SET {setting} WHERE rowid = :place", {**changed, "place": row["place"]})
    connection.close()
    return set(changed)


def another(value: object, kind: str) -> object:
    """A different value of the same kind."""
    if value is None:
        return 1 if kind in ("INTEGER", "BOOLEAN") else '["?"]'
    if isinstance(value, int):
        return value ^ 1
    return '["?"]' if kind == "JSON" else f"{value}?"


def change(database: Path, statement: str) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute(statement)
    connection.close()


async def test_a_database_older_than_the_journal_begins_it_with_what_is_there(tmp_path: Path, told: Path) -> None:
    folder = write_hall(tmp_path / "hall", WITH_PHONE, catalogue())
    database = folder / "var" / "hall.db"
    shutil.copytree(told.parent, database.parent)
    change(database, "DROP TABLE journal")
    change(database, f"PRAGMA user_version = {SCHEMA_VERSION - 1}")
    async with hall_room(folder):
        assert [str(difference) for difference in store.replay_differences(database)] == []


async def test_what_may_be_kept_no_longer_is_in_the_journal_no_longer(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        await book(room, "111111", "10:00")
        assert kept(room, "appointment") == 1
        room.clock.pass_ms((appointments.KEPT_DAYS + 1) * DAY_MS)
        await service_day.open_day(room.hall)
        await room.store.write(appointments.forget_old)

        assert kept(room, "appointment") == 0
        assert [str(difference) for difference in store.replay_differences(room.config.database)] == []


async def test_a_verb_that_is_refused_leaves_no_trace_in_the_journal(tmp_path: Path) -> None:
    async with hall_room(tmp_path / "hall") as room:
        before = kept(room)

        def refused(tx: Tx) -> None:
            tx.session.add(PauseRow(window="1", reason="meal", since_ms=0))
            tx.session.flush()
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await room.store.write(refused)
        assert kept(room) == before


def kept(room: HallRoom, name: str = "%") -> int:
    with sqlite3.connect(room.config.database) as connection:
        count: int = connection.execute("SELECT count(*) FROM journal WHERE name LIKE ?", (name,)).fetchone()[0]
    connection.close()
    return count
