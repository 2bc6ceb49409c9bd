"""Scanned files reach the province byte for byte, however often the line breaks; a damaged file is never sent."""

import asyncio
import random
import sqlite3
from pathlib import Path

import httpx
import pytest

from hall_daemon.outbox_upload import SMALLEST_CHUNK, keep_url
from sim.province import Calls, ProvinceTwin
from tests.province.reporting_hall import ReportingHall, Watched, json_of, same_on_both_sides
from tests.waiting import until_async

DICE = random.Random(75)


def page(size: int) -> bytes:
    return DICE.randbytes(size)


def bytes_over_there(twin: ProvinceTwin, blob: str) -> bytes:
    (stored,) = (each for each in twin.ledger().stored if each.blob == blob)
    assert stored.path is not None
    return stored.path.read_bytes()


async def stored(hall: ReportingHall, *blobs: str, limit_s: float = 30.0) -> None:
    async def all_are() -> bool:
        return all([(await hall.blob_row(blob)).state == "stored" for blob in blobs])

    await until_async(all_are, limit_s, what=f"stored; troubles {hall.troubles()}")


async def test_a_page_is_over_there_byte_for_byte(twin: ProvinceTwin, tmp_path: Path) -> None:
    content = page(300_000)
    async with ReportingHall(tmp_path, twin) as hall:
        blob = await hall.file_page(content)
        assert (await hall.blob_row(blob)).state == "pending" or bytes_over_there(twin, blob)
        await stored(hall, blob)
        await hall.all_acknowledged()
        await same_on_both_sides(hall)

        assert bytes_over_there(twin, blob) == content
        assert (await hall.blob_row(blob)).upload_url is None
        assert (hall.status.backlog_blobs, hall.status.backlog_bytes, hall.status.stored_blobs) == (0, 0, 1)


async def test_many_pages_of_many_sizes_arrive(twin: ProvinceTwin, tmp_path: Path) -> None:
    twin.limit(upload_chunk=65536)
    contents = [page(size) for size in (1, 65535, 65536, 65537, 200_000, 17)]
    async with ReportingHall(tmp_path, twin) as hall:
        blobs = [await hall.file_page(content) for content in contents]
        await stored(hall, *blobs)

        assert [bytes_over_there(twin, blob) for blob in blobs] == contents


async def test_files_wait_while_the_province_is_away_and_tickets_do_not(twin: ProvinceTwin, tmp_path: Path) -> None:
    twin.be_unreachable()
    async with ReportingHall(tmp_path, twin) as hall:
        blob = await hall.file_page(page(1000))
        await hall.trouble("province.unreachable")
        await hall.issue(5)
        assert (await hall.blob_row(blob)).state == "pending"
        twin.be_reachable()
        await stored(hall, blob)


@pytest.mark.parametrize("verb", ["drop_requests", "lose_answers_after_commit", "reset_connections"])
@pytest.mark.parametrize("of", [Calls.FILES, Calls.CHUNKS])
async def test_a_broken_exchange_is_gone_on_with(twin: ProvinceTwin, tmp_path: Path, verb: str, of: Calls) -> None:
    content = page(200_000)
    twin.limit(upload_chunk=65536)
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.online()
        getattr(twin, verb)(3, of=of)
        blob = await hall.file_page(content)
        await stored(hall, blob)

        assert bytes_over_there(twin, blob) == content


async def test_an_upload_cut_in_the_middle_goes_on_where_the_province_stands(
    twin: ProvinceTwin, tmp_path: Path
) -> None:
    content = page(400_000)
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.online()
        twin.cut_after(150_000)
        blob = await hall.file_page(content)
        await stored(hall, blob)
        uploads = uploads_of(twin)

    assert bytes_over_there(twin, blob) == content
    assert len(uploads) == 1


def uploads_of(twin: ProvinceTwin) -> list[tuple[str, int]]:
    """Id and bytes of every upload that was ever begun."""
    with sqlite3.connect(twin.folder / "province.db") as database:
        found = database.execute("SELECT id, held FROM uploads").fetchall()
    database.close()
    return found


async def test_an_upload_goes_on_after_the_hall_was_killed(twin: ProvinceTwin, tmp_path: Path) -> None:
    content = page(400_000)
    twin.limit(upload_chunk=65536)
    hall = ReportingHall(tmp_path, twin)
    async with hall:
        await hall.online()
        twin.fault("delay_ms", 60_000, n=None, of=Calls.CHUNKS, method="PATCH")
        blob = await hall.file_page(content)
        await until_async(lambda: [held for _, held in uploads_of(twin) if held])
        await hall.stop_sending()
        url = (await hall.blob_row(blob)).upload_url
        assert url is not None
    twin.heal()
    async with hall:
        await stored(hall, blob)

    assert bytes_over_there(twin, blob) == content
    assert len(uploads_of(twin)) == 1


async def test_an_upload_survives_the_death_of_the_province(twin: ProvinceTwin, tmp_path: Path) -> None:
    content = page(500_000)
    twin.limit(upload_chunk=65536)
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.online()
        twin.fault("crash", "after_commit", n=1, of=Calls.CHUNKS, method="PATCH")
        blob = await hall.file_page(content)
        await asyncio.to_thread(twin.wait_until_dead)
        twin.restart()
        await stored(hall, blob)

    assert bytes_over_there(twin, blob) == content


async def test_a_wrong_offset_is_a_question_and_no_failure(twin: ProvinceTwin, tmp_path: Path) -> None:
    content = page(100_000)
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.online()
        twin.fault("status", {"status": 409, "code": "UPLOAD_OFFSET"}, n=2, of=Calls.CHUNKS, method="PATCH")
        blob = await hall.file_page(content)
        await stored(hall, blob)

    assert bytes_over_there(twin, blob) == content
    assert len(uploads_of(twin)) == 1


async def test_chunks_damaged_on_the_way_are_sent_again_and_become_smaller(
    twin: ProvinceTwin, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    content = page(4 * SMALLEST_CHUNK)
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.online()
        twin.fault("status", {"status": 460}, n=4, of=Calls.CHUNKS, method="PATCH")
        blob = await hall.file_page(content)
        await stored(hall, blob)
        sizes = [rule["done"] for rule in twin.health()["faults"]]

    assert sizes == [4]
    assert bytes_over_there(twin, blob) == content


async def test_a_lock_is_waited_for(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.online()
        before = len(hall.pace.waits)
        twin.answer_status(423, 3, of=Calls.CHUNKS)
        blob = await hall.file_page(page(50_000))
        await stored(hall, blob)

        assert sum(5 <= wait <= 30 for wait in hall.pace.waits[before:]) >= 3
        assert len(uploads_of(twin)) == 1


async def test_a_lock_that_never_opens_is_left_for_a_new_upload(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with ReportingHall(tmp_path, twin, pace=Watched(scale=0.0005)) as hall:
        await hall.online()
        twin.answer_status(423, 40, of=Calls.CHUNKS)
        blob = await hall.file_page(page(50_000))
        await stored(hall, blob)


@pytest.mark.parametrize("status", [404, 410])
async def test_an_upload_that_is_gone_is_begun_anew(twin: ProvinceTwin, tmp_path: Path, status: int) -> None:
    content = page(100_000)
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.online()
        twin.answer_status(status, 2, of=Calls.CHUNKS, code="UPLOAD_GONE" if status == 410 else "BLOB_UNKNOWN")
        blob = await hall.file_page(content)
        await stored(hall, blob)

    assert bytes_over_there(twin, blob) == content


async def test_a_whole_that_arrived_wrong_is_sent_once_more(twin: ProvinceTwin, tmp_path: Path) -> None:
    content = page(100_000)
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.online()
        twin.fault("status", {"status": 422, "code": "DIGEST_MISMATCH"}, n=1, of=Calls.CHUNKS, method="PATCH")
        blob = await hall.file_page(content)
        await stored(hall, blob)

    assert bytes_over_there(twin, blob) == content


async def test_a_file_the_province_never_takes_makes_way_for_others(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.online()
        twin.limit(blob_bytes=1000)
        large = await hall.file_page(page(5000))
        small = await hall.file_page(page(500))
        await stored(hall, small)
        await hall.trouble("province.file_too_large")
        assert (await hall.blob_row(large)).state == "pending"
        assert "分卷" in hall.status.last_error.zh
        twin.limit()
        await stored(hall, large)
        await until_async(lambda: hall.troubles() == set())


async def test_other_metadata_under_the_same_name_is_told(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.online()
        twin.fault("status", {"status": 422, "code": "IDEMPOTENCY_MISMATCH"}, n=None, of=Calls.FILES, method="POST")
        blob = await hall.file_page(page(5000))
        await hall.trouble("province.file_refused")
        assert (await hall.blob_row(blob)).state == "pending"
        twin.heal()
        await stored(hall, blob)


@pytest.mark.parametrize("how", ["flipped", "cut", "gone"])
async def test_a_damaged_file_is_reported_and_never_sent(twin: ProvinceTwin, tmp_path: Path, how: str) -> None:
    twin.be_unreachable()
    async with ReportingHall(tmp_path, twin) as hall:
        blob = await hall.file_page(content := page(50_000))
        good = await hall.file_page(page(50_000))
        file = hall.config.blobs / blob.removeprefix("sha256:")
        damaged = bytes([content[0] ^ 1]) + content[1:]
        {"flipped": lambda: file.write_bytes(damaged), "cut": lambda: file.write_bytes(content[:40_000]),
         "gone": file.unlink}[how]()  # fmt: skip
        twin.be_reachable()
        await stored(hall, good)
        await hall.trouble("province.file_damaged")
        await hall.all_acknowledged()
        ledger = await same_on_both_sides(hall)

        assert (await hall.blob_row(blob)).state == "damaged"
        assert [each.blob for each in ledger.stored] == [good]
        assert len(uploads_of(twin)) == 1
        (event,) = (json_of(row) for row in await hall.rows() if row.type == "hall.material.damaged.v1")
        assert event["data"]["blob"]["blob"] == blob
        assert event["data"]["rescan_possible"] is True
        assert event["data"]["cause"] == ("unknown" if how == "gone" else "local_corrupt")
        assert ledger.quarantined == ()
        assert "请重扫" in hall.status.last_error.zh


async def test_a_file_that_cannot_be_read_is_told_and_makes_way_for_others(twin: ProvinceTwin, tmp_path: Path) -> None:
    twin.be_unreachable()
    async with ReportingHall(tmp_path, twin) as hall:
        blob = await hall.file_page(content := page(5000))
        good = await hall.file_page(page(5000))
        await until_async(lambda: hall.status.backlog_blobs == 2 and hall.status.backlog_bytes == 10_000)
        file = hall.config.blobs / blob.removeprefix("sha256:")
        file.unlink()
        file.mkdir()
        twin.be_reachable()
        await stored(hall, good)
        await hall.trouble("province.file_unreadable")
        assert (await hall.blob_row(blob)).state == "pending"
        file.rmdir()
        file.write_bytes(content)
        await stored(hall, blob)
        await until_async(lambda: hall.troubles() == set())


async def test_a_file_that_is_there_already_is_not_sent_again(twin: ProvinceTwin, tmp_path: Path) -> None:
    content = page(50_000)
    async with ReportingHall(tmp_path / "first", twin) as first:
        blob = await first.file_page(content)
        await stored(first, blob)
        await first.all_acknowledged()
        await first.outbox.files.send_again((blob,))
        await stored(first, blob)

    assert len(uploads_of(twin)) == 1


async def test_files_missing_over_there_are_sent_again_when_the_day_is_compared(
    twin: ProvinceTwin, tmp_path: Path
) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        blob = await hall.file_page(content := page(50_000))
        await stored(hall, blob)
        await hall.all_acknowledged()
        lose_file(twin, blob)
        await hall.close_day()
        await until_async(hall.reconciled, 20.0)

        assert bytes_over_there(twin, blob) == content
        assert [day.result for day in twin.ledger().reconciliations][-1] == "match"


def lose_file(twin: ProvinceTwin, blob: str) -> None:
    """The province loses a file and its record of it."""
    with sqlite3.connect(twin.folder / "province.db", timeout=10) as database:
        database.execute("DELETE FROM blobs WHERE blob = ?", (blob,))
        database.execute("DELETE FROM uploads WHERE blob = ?", (blob,))
    database.close()


async def test_a_login_page_is_never_taken_for_stored(twin: ProvinceTwin, tmp_path: Path) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        await hall.online()
        twin.answer_like_a_portal(None, of=Calls.FILES)
        blob = await hall.file_page(page(5000))
        await hall.fault_seen(3)
        assert (await hall.blob_row(blob)).state == "pending"
        twin.heal()
        await stored(hall, blob)


async def test_an_upload_begun_at_another_address_is_begun_anew(twin: ProvinceTwin, tmp_path: Path) -> None:
    twin.be_unreachable()
    async with ReportingHall(tmp_path, twin) as hall:
        blob = await hall.file_page(content := page(5000))
        await keep_url(hall.store, blob, "http://127.0.0.2:9/halls/uploads/1")
        twin.be_reachable()
        await stored(hall, blob)

    assert bytes_over_there(twin, blob) == content


@pytest.mark.parametrize("location", ["http://127.0.0.2:9/elsewhere", "//127.0.0.2:9/elsewhere", "https://x/y"])
async def test_a_file_is_sent_to_no_other_place_whatever_is_answered(
    twin: ProvinceTwin, tmp_path: Path, location: str
) -> None:
    async with ReportingHall(tmp_path, twin) as hall:
        base = httpx.URL(twin.url)

        assert not hall.outbox.province.owns(str(base.join(location)))
        assert hall.outbox.province.owns(str(base.join("/hall-sync/v1/halls/x/uploads/1")))
