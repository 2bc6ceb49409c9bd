"""Files: resumable upload, checksums, conflicts, and what survives a broken connection or a crash (§7.5)."""

from __future__ import annotations

import base64
import hashlib
import random
import socket
import sqlite3
import threading
from collections.abc import Iterator

import httpx
import pytest

from sim.province import Calls, ProvinceTwin
from tests.province.twin_client import Hall, blob_of, hall_of, new_id, running_twin, sm3
from tests.waiting import until

RANDOM = random.Random(20261121)
PAGE = RANDOM.randbytes(300_000)
TUS = {"Tus-Resumable": "1.0.0"}


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProvinceTwin]:
    with running_twin(tmp_path_factory.mktemp("province")) as twin:
        yield twin


@pytest.fixture
def hall(twin: ProvinceTwin) -> Iterator[Hall]:
    twin.reset()
    with hall_of(twin) as hall:
        yield hall


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def location_of(answer: httpx.Response) -> str:
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"]


def assert_stored(hall: Hall, content: bytes) -> None:
    assert hall.blob_state(content) == "stored"
    [blob] = hall.twin.ledger().stored
    assert (blob.blob, blob.bytes, blob.sm3, blob.media) == (blob_of(content), len(content), sm3(content), "image/jpeg")
    assert blob.path is not None
    assert blob.path.read_bytes() == content


def test_a_file_in_chunks_is_stored_byte_for_byte(hall: Hall) -> None:
    assert hall.blob_state(PAGE) is None
    location = hall.upload(PAGE)
    assert_stored(hall, PAGE)
    assert hall.offset_of(location) == len(PAGE)


def test_what_the_server_offers_is_told(hall: Hall) -> None:
    answer = hall.send("OPTIONS", "/uploads")
    assert answer.status_code == 204
    assert answer.headers["Tus-Checksum-Algorithm"] == "sha1,sha256,sm3"
    assert set(answer.headers["Tus-Extension"].split(",")) == {"creation", "checksum", "expiration", "termination"}
    answer = hall.create_upload(PAGE)
    assert "GMT" in answer.headers["Upload-Expires"]
    answer = hall.send("HEAD", answer.headers["Location"], headers=TUS)
    assert (answer.headers["Upload-Offset"], answer.headers["Upload-Length"]) == ("0", str(len(PAGE)))
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_empty_file_is_stored_at_once(hall: Hall) -> None:
    hall.create_upload(b"")
    assert_stored(hall, b"")


def test_the_same_file_gets_the_same_place(hall: Hall) -> None:
    location = location_of(hall.create_upload(PAGE))
    assert location_of(hall.create_upload(PAGE)) == location
    hall.upload(PAGE)
    assert location_of(hall.create_upload(PAGE)) == location


@pytest.mark.parametrize("other", [{"media": "application/pdf"}, {"sm3": "0" * 64}])
def test_the_same_key_with_other_metadata_is_idempotency_mismatch(hall: Hall, other: dict[str, str]) -> None:
    hall.create_upload(PAGE)
    assert code(hall.create_upload(PAGE, **other)) == (422, "IDEMPOTENCY_MISMATCH")


def test_a_key_that_is_being_worked_on_is_409(hall: Hall) -> None:
    path, key = hall.path("/uploads"), f'"{blob_of(PAGE)}"'
    headers = {**hall.signing_headers("POST", path, "", sm3(b"xx")), "Content-Length": "2", "Host": "127.0.0.1"}
    headers |= {**TUS, "Idempotency-Key": key}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection(("127.0.0.1", hall.twin.port), timeout=10) as stalled:
        stalled.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\nx".encode())
        assert until(lambda: hall.create_upload(PAGE).status_code == 409)
    assert until(lambda: hall.create_upload(PAGE).status_code == 201)


@pytest.mark.parametrize(
    "other", [{"blob": "sha256:00"}, {"sm3": "x"}, {"media": "text/html"}, {"blob": "sha256:" + "0" * 64}]
)
def test_metadata_that_cannot_be_right_is_refused(hall: Hall, other: dict[str, str]) -> None:
    assert code(hall.create_upload(PAGE, **other)) == (400, "BAD_ENVELOPE")


@pytest.mark.parametrize("header", ["blob", "blob ###,sm3 ###", "", "blob /w=="])
def test_metadata_that_is_no_metadata_is_refused(hall: Hall, header: str) -> None:
    answer = hall.send("POST", "/uploads", headers={**TUS, "Upload-Length": "1", "Upload-Metadata": header})
    assert code(answer) == (400, "BAD_ENVELOPE")


def test_a_file_beyond_the_limit_is_refused(hall: Hall) -> None:
    hall.twin.limit(blob_bytes=1000)
    assert code(hall.create_upload(PAGE)) == (413, "TOO_LARGE")


def test_another_tus_version_is_412(hall: Hall) -> None:
    location = location_of(hall.create_upload(PAGE))
    assert hall.send("HEAD", location).status_code == 412
    answer = hall.patch(location, 0, b"x", Tus_Resumable="0.2.2")
    assert (answer.status_code, answer.headers["Tus-Version"]) == (412, "1.0.0")


def test_a_wrong_offset_is_409_and_head_tells_where_to_go_on(hall: Hall) -> None:
    location = location_of(hall.create_upload(PAGE))
    assert hall.patch(location, 0, PAGE[:1000]).headers["Upload-Offset"] == "1000"
    assert code(hall.patch(location, 0, PAGE[:1000])) == (409, "UPLOAD_OFFSET")
    assert code(hall.patch(location, 2000, PAGE[2000:3000])) == (409, "UPLOAD_OFFSET")
    assert hall.offset_of(location) == 1000
    hall.upload(PAGE)
    assert_stored(hall, PAGE)


def test_a_damaged_chunk_is_460_and_nothing_of_it_counts(hall: Hall) -> None:
    location = location_of(hall.create_upload(PAGE))
    hall.patch(location, 0, PAGE[:1000])
    answer = hall.patch(location, 1000, PAGE[1000:2000], Upload_Checksum="sha256 " + "A" * 43 + "=")
    assert code(answer) == (460, "CHECKSUM")
    assert hall.offset_of(location) == 1000
    hall.upload(PAGE)
    assert_stored(hall, PAGE)


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sm3"])
def test_each_offered_checksum_works(hall: Hall, algorithm: str) -> None:
    location = location_of(hall.create_upload(PAGE))
    right = base64.b64encode(hashlib.new(algorithm, PAGE[:500]).digest()).decode()
    assert hall.patch(location, 0, PAGE[:500], Upload_Checksum=f"{algorithm} {right}").status_code == 204
    wrong = base64.b64encode(hashlib.new(algorithm, b"other").digest()).decode()
    answer = hall.patch(location, 500, PAGE[500:900], Upload_Checksum=f"{algorithm} {wrong}")
    assert code(answer) == (460, "CHECKSUM")
    assert code(hall.patch(location, 500, b"x", Upload_Checksum="md5 AAAA")) == (400, "BAD_ENVELOPE")


def test_a_chunk_of_other_bytes_than_were_signed_does_not_count(hall: Hall) -> None:
    location = location_of(hall.create_upload(PAGE))
    headers = hall.chunk_headers(0, PAGE[:100])
    answer = hall.send("PATCH", location, PAGE[:100], headers, body_sm3=sm3(b"other"))
    assert code(answer) == (401, "AUTH_SIGNATURE")
    assert hall.offset_of(location) == 0


def test_a_chunk_beyond_the_limit_or_the_file_is_413(hall: Hall) -> None:
    location = location_of(hall.create_upload(PAGE))
    hall.twin.limit(upload_chunk=1000)
    assert code(hall.patch(location, 0, PAGE[:1001])) == (413, "TOO_LARGE")
    hall.twin.limit()
    assert code(hall.patch(location, 0, PAGE + b"x")) == (413, "TOO_LARGE")
    assert hall.offset_of(location) == 0


def test_a_chunk_of_another_media_type_is_415(hall: Hall) -> None:
    location = location_of(hall.create_upload(PAGE))
    assert code(hall.patch(location, 0, b"x", Content_Type="image/jpeg")) == (415, "MEDIA")


def test_unknown_ended_and_expired_uploads_are_404_and_410(hall: Hall) -> None:
    assert code(hall.patch(hall.path("/uploads/0123"), 0, b"x")) == (404, "BLOB_UNKNOWN")
    location = location_of(hall.create_upload(PAGE))
    assert hall.send("DELETE", location, headers=TUS).status_code == 204
    assert code(hall.patch(location, 0, b"x")) == (410, "UPLOAD_GONE")
    location = location_of(hall.create_upload(PAGE))
    hall.patch(location, 0, PAGE[:1000])
    hall.twin.step_clock(31 * 86400)
    hall.offset_s = 31 * 86400
    assert code(hall.patch(location, 1000, b"x")) == (410, "UPLOAD_GONE")
    assert location_of(hall.create_upload(PAGE)) != location
    hall.upload(PAGE)
    assert_stored(hall, PAGE)


def test_a_stored_file_stays_stored_when_its_upload_is_ended(hall: Hall) -> None:
    location = hall.upload(PAGE)
    assert hall.send("DELETE", location, headers=TUS).status_code == 204
    assert_stored(hall, PAGE)


@pytest.mark.parametrize("wrong", ["sha256", "sm3"])
def test_wrong_digests_of_the_whole_file_are_told_and_the_upload_ends(hall: Hall, wrong: str) -> None:
    content = PAGE[:5000]
    if wrong == "sm3":
        answer = hall.create_upload(content, sm3="0" * 64)
        sent = content
    else:
        answer = hall.create_upload(content)
        sent = content[:-1] + bytes([content[-1] ^ 1])
    location = location_of(answer)
    assert code(hall.patch(location, 0, sent)) == (422, "DIGEST_MISMATCH")
    assert hall.blob_state(content) is None
    assert hall.send("HEAD", location, headers=TUS).status_code == 410
    hall.upload(content)
    assert_stored(hall, content)


def test_the_prefix_of_a_cut_chunk_is_kept_and_the_rest_follows(hall: Hall) -> None:
    location = location_of(hall.create_upload(PAGE))
    connection = hall.begin_chunk(location, 0, PAGE, 123_456)
    connection.close()
    assert until(lambda: hall.offset_of(location)) == 123_456
    hall.upload(PAGE)
    assert_stored(hall, PAGE)


def test_bytes_of_a_sender_that_left_before_it_was_its_turn_count_too(hall: Hall) -> None:
    location = location_of(hall.create_upload(PAGE))
    first = hall.begin_chunk(location, 0, PAGE, 1000)
    second = hall.begin_chunk(location, 1000, PAGE[1000:], 5000)
    second.close()
    hall.hello()  # when this is answered, the province has noticed that the second sender is gone
    first.close()
    assert until(lambda: hall.offset_of(location) == 6000)
    hall.upload(PAGE)
    assert_stored(hall, PAGE)


def test_a_connection_that_the_province_cuts_leaves_the_prefix(hall: Hall) -> None:
    location = location_of(hall.create_upload(PAGE))
    hall.twin.cut_after(100_000)
    with pytest.raises(httpx.TransportError):
        hall.patch(location, 0, PAGE)
    assert until(lambda: hall.offset_of(location)) == 100_000
    hall.upload(PAGE)
    assert_stored(hall, PAGE)


def test_a_last_chunk_whose_sender_goes_away_is_stored_all_the_same(hall: Hall) -> None:
    location = location_of(hall.create_upload(PAGE))
    hall.begin_chunk(location, 0, PAGE, len(PAGE)).close()
    assert until(lambda: hall.blob_state(PAGE) == "stored")
    assert_stored(hall, PAGE)


def test_a_second_session_is_locked_out_until_the_first_is_gone(hall: Hall) -> None:
    location = location_of(hall.create_upload(PAGE))
    connection = hall.begin_chunk(location, 0, PAGE, 1000)
    answer = hall.patch(location, 0, PAGE[:10])
    assert code(answer) == (423, "UPLOAD_LOCKED")
    assert int(answer.headers["Retry-After"]) == 5
    assert hall.send("HEAD", location, headers=TUS).status_code == 423
    connection.close()
    assert until(lambda: hall.offset_of(location)) == 1000


def test_an_answer_that_is_lost_is_found_out_by_head(hall: Hall) -> None:
    location = location_of(hall.create_upload(PAGE))
    hall.twin.lose_answers_after_commit(of=Calls.CHUNKS)
    with pytest.raises(httpx.TransportError):
        hall.patch(location, 0, PAGE)
    assert hall.offset_of(location) == len(PAGE)
    assert_stored(hall, PAGE)


def test_bytes_received_before_a_crash_are_continued_after_it(hall: Hall) -> None:
    location = location_of(hall.create_upload(PAGE))
    hall.patch(location, 0, PAGE[:50_000])
    connection = hall.begin_chunk(location, 50_000, PAGE[50_000:], 100_000)
    hall.twin.restart()
    connection.close()
    assert hall.offset_of(location) in (50_000, 150_000)
    hall.upload(PAGE)
    assert_stored(hall, PAGE)


def test_a_crash_after_the_last_chunk_leaves_a_stored_file(hall: Hall) -> None:
    location = location_of(hall.create_upload(PAGE))
    hall.twin.crash_after_commit(of=Calls.CHUNKS)
    with pytest.raises(httpx.TransportError):
        hall.patch(location, 0, PAGE)
    hall.twin.wait_until_dead()
    hall.twin.start()
    assert_stored(hall, PAGE)


@pytest.mark.parametrize("moment", ["before the rename", "after the rename", "with wrong bytes"])
def test_a_crash_while_verifying_is_made_good_at_the_next_start(hall: Hall, moment: str) -> None:
    location = hall.upload(PAGE)
    hall.twin.stop()
    part = hall.twin.folder / "parts" / location.rpartition("/")[2]
    place = hall.twin.folder / "blobs" / blob_of(PAGE).removeprefix("sha256:")
    assert not part.exists()
    if moment != "after the rename":
        place.rename(part)
    if moment == "with wrong bytes":
        part.write_bytes(PAGE[:-1] + b"?")
    database = sqlite3.connect(hall.twin.folder / "province.db")
    database.execute("UPDATE uploads SET state = 'verifying'")
    database.execute("UPDATE blobs SET state = 'verifying'")
    database.commit()
    database.close()
    hall.twin.start()
    if moment == "with wrong bytes":
        assert hall.blob_state(PAGE) is None
        hall.upload(PAGE)
    assert_stored(hall, PAGE)


def test_uploads_survive_kill_9_at_random_moments(hall: Hall) -> None:
    """Ten kills while a hall sends file after file; at the end every file is there, byte for byte."""
    files = [RANDOM.randbytes(RANDOM.randint(1, 400_000)) for _ in range(6)]
    done = threading.Event()

    def send_all() -> None:
        for content in files:
            while hall_state(hall, content) != "stored":
                try:
                    hall.upload(content, chunk=20_000)
                except (httpx.TransportError, AssertionError, KeyError):
                    done.wait(0.01)
        done.set()

    sender = threading.Thread(target=send_all)
    sender.start()
    for _ in range(10):
        done.wait(RANDOM.uniform(0.01, 0.15))
        hall.twin.restart()
    sender.join(40)
    assert done.is_set()
    stored = {blob.blob: blob for blob in hall.twin.ledger().stored}
    assert set(stored) == {blob_of(content) for content in files}
    for content in files:
        path = stored[blob_of(content)].path
        assert path is not None
        assert path.read_bytes() == content


def hall_state(hall: Hall, content: bytes) -> str | None:
    try:
        return hall.blob_state(content)
    except httpx.TransportError:
        return None


def test_files_named_by_events_are_awaited_until_they_come(hall: Hall) -> None:
    hall.open_stream()
    material_id = new_id()
    blob = {"blob": blob_of(PAGE), "sm3": sm3(PAGE), "bytes": len(PAGE), "media": "image/jpeg"}
    page = {"no": 1, "blob": blob, "w": 1, "h": 1, "dpi": 200, "color": True, "rotation": 0, "blank": False}
    data = {
        "material_id": material_id,
        "ticket_id": new_id(),
        "material_code": "M01",
        "material_name": "居民身份证",
        "copy_kind": "copy",
        "pages": [page],
        "device_id": "SCN-03",
        "clerk_id": "c017",
        "quality": {"blur": 1, "skew_mdeg": -20, "edges_ok": True},
    }
    said = hall.send_batch([hall.event("material.scanned", f"material/{material_id}", data)]).json()
    assert said["rejected"] == []
    [awaited] = hall.twin.ledger().blobs
    assert (awaited.state, awaited.bytes, awaited.named, awaited.path) == ("awaited", len(PAGE), True, None)
    hall.upload(PAGE)
    [stored] = hall.twin.ledger().blobs
    assert (stored.state, stored.named) == ("stored", True)
