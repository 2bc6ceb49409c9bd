"""Who may ask, in which form, and every refusal before an event is looked at."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

import pytest

from sim.province import TEST_KEYS, ProvinceTwin
from tests.province.twin_client import STREAM, Hall, hall_of, running_twin, sm3


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProvinceTwin]:
    with running_twin(tmp_path_factory.mktemp("province")) as twin:
        yield twin


@pytest.fixture
def hall(twin: ProvinceTwin) -> Iterator[Hall]:
    twin.reset()
    with hall_of(twin) as hall:
        yield hall


def test_a_signed_hello_is_answered(hall: Hall) -> None:
    answer = hall.hello()
    assert answer.status_code == 200
    said = answer.json()
    assert said["stream_state"] == "unknown"
    assert said["acked_through"] == "0" * 16
    assert said["chain_sm3"] == "0" * 64
    assert said["limits"]["batch_events"] == 500
    assert said["contract_min"] == said["contract_max"] == "1.0"


@pytest.mark.parametrize(
    "wrong",
    [
        {"signature": "0" * 64},
        {"signature": ""},
        {"nonce": "zz"},
        {"timestamp": "yesterday"},
        {"body_sm3": "0" * 64},
        {"body_sm3": "short"},
    ],
)
def test_wrong_or_missing_signature_parts_are_auth_signature(hall: Hall, wrong: dict[str, str]) -> None:
    answer = hall.send("GET", "/keys", b"", {}, "", **wrong)
    assert (answer.status_code, answer.json()["code"]) == (401, "AUTH_SIGNATURE")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["retryable"] is True


def test_unsigned_requests_are_refused_but_tell_the_time(hall: Hall) -> None:
    answer = hall.http.get(f"http://127.0.0.1:{hall.twin.port}{hall.path('/keys')}")
    assert (answer.status_code, answer.json()["code"]) == (401, "AUTH_SIGNATURE")
    assert abs(parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time()) < 5


def test_body_changed_on_the_way_is_auth_signature(hall: Hall) -> None:
    hall.twin.corrupt_requests(1)
    answer = hall.send_batch([hall.opened()])
    assert (answer.status_code, answer.json()["code"]) == (401, "AUTH_SIGNATURE")
    assert hall.twin.ledger().acknowledged == 0


def test_query_is_part_of_what_is_signed(hall: Hall) -> None:
    headers = hall.signing_headers("GET", hall.path("/commands"), "after=0", sm3(b""))
    url = f"http://127.0.0.1:{hall.twin.port}{hall.path('/commands')}"
    assert hall.http.get(url + "?after=0", headers=headers).status_code == 200
    headers = hall.signing_headers("GET", hall.path("/commands"), "after=0", sm3(b""))
    assert hall.http.get(url + "?after=1", headers=headers).json()["code"] == "AUTH_SIGNATURE"


@pytest.mark.parametrize("offset_s", [-301, 301])
def test_timestamp_outside_five_minutes_is_clock_skew_and_the_date_header_heals_it(hall: Hall, offset_s: int) -> None:
    hall.twin.step_clock(offset_s)
    answer = hall.hello()
    assert (answer.status_code, answer.json()["code"]) == (401, "AUTH_CLOCK_SKEW")
    hall.offset_s = round(parsedate_to_datetime(answer.headers["date"]).timestamp() - time.time())
    assert hall.hello().status_code == 200


def test_a_nonce_is_good_once(hall: Hall) -> None:
    nonce = "0123456789abcdef" * 2
    assert hall.send("GET", "/keys", nonce=nonce).status_code == 200
    answer = hall.send("GET", "/keys", nonce=nonce)
    assert (answer.status_code, answer.json()["code"]) == (401, "AUTH_REPLAY")


def test_nonces_are_remembered_over_a_crash_and_forgotten_after_ten_minutes(hall: Hall) -> None:
    nonce = "fedcba9876543210" * 2
    assert hall.send("GET", "/keys", nonce=nonce).status_code == 200
    hall.twin.restart()
    assert hall.send("GET", "/keys", nonce=nonce).json()["code"] == "AUTH_REPLAY"
    hall.twin.step_clock(601)
    hall.offset_s = 601
    assert hall.send("GET", "/keys", nonce=nonce).status_code == 200


@pytest.mark.parametrize("other", [{"kid": "s9"}, {"kid": "k1"}, {"hall": "990000000000-02"}])
def test_unknown_keys_and_halls_are_auth_key_unknown(twin: ProvinceTwin, other: dict[str, str]) -> None:
    twin.reset()
    with hall_of(twin, **other) as stranger:
        answer = stranger.hello()
    assert (answer.status_code, answer.json()["code"]) == (401, "AUTH_KEY_UNKNOWN")


def test_keys_are_listed_and_rotate_with_an_overlap(hall: Hall) -> None:
    assert hall.send("GET", "/keys").json() == list(TEST_KEYS)
    later = {**TEST_KEYS[0], "kid": "s2", "key_b64": "AAAA", "not_before": "2098-01-01T00:00:00.000+08:00"}
    hall.twin.publish_keys([*TEST_KEYS, later])
    assert [key["kid"] for key in hall.send("GET", "/keys").json()] == ["s1", "k1", "m1", "s2"]
    hall.kid, hall.key = "s2", b"\0\0\0"
    assert hall.send("GET", "/keys").json()["code"] == "AUTH_KEY_UNKNOWN"
    hall.twin.publish_keys([*TEST_KEYS, {**later, "not_before": "2026-01-01T00:00:00.000+08:00"}])
    hall.twin.restart()
    assert hall.send("GET", "/keys").status_code == 200


def test_revoked_and_suspended_halls_are_refused_until_reinstated(hall: Hall) -> None:
    hall.twin.revoke()
    answer = hall.hello()
    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (403, "AUTH_REVOKED", False)
    hall.twin.suspend()
    assert hall.hello().json()["code"] == "HALL_SUSPENDED"
    hall.twin.reinstate()
    assert hall.hello().status_code == 200


def test_an_old_contract_is_told_to_upgrade(hall: Hall) -> None:
    answer = hall.hello(contract="0.9")
    assert (answer.status_code, answer.json()["code"]) == (426, "CONTRACT_TOO_OLD")
    assert answer.json()["contract_min"] == "1.0"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b"[1.5]", b'[{"a":1,"a":2}]', b"[NaN]", b"\xef\xbb\xbf[]", b'["\\ud800"]', b"[" * 5000],
)
def test_what_is_not_json_is_bad_json(hall: Hall, body: bytes) -> None:
    answer = hall.send_batch(body)
    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (400, "BAD_JSON", False)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"1", b'"a"', b"null"])
def test_what_is_no_list_of_events_is_bad_batch(hall: Hall, body: bytes) -> None:
    answer = hall.send_batch(body)
    assert (answer.status_code, answer.json()["code"]) == (400, "BAD_BATCH")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("specversion", "0.3"),
        ("id", "0197f0a0-0000-4000-8000-000000000001"),
        ("id", "0197F0A0-0000-7000-8000-000000000001"),
        ("source", "/halls/990000000000-02"),
        ("type", "ticket issued"),
        ("subject", "somebody/1"),
        ("time", "2026-01-05T09:00:00+08:00"),
        ("time", "2026-13-05T09:00:00.000+08:00"),
        ("recordedtime", "2026-01-05T01:00:00.000Z"),
        ("datacontenttype", "text/plain"),
        ("streamid", "0197f09f-0000-7000-8000-00000000000f"),
        ("sequence", 1),
        ("sequence", "1"),
        ("sequence", "0000000000000000"),
        ("aggseq", 0),
        ("aggseq", "1"),
        ("aggseq", True),
        ("bizdate", "2026-02-30"),
        ("catver", None),
        ("clkstate", "good"),
        ("clkoffms", 2**31),
        ("traceparent", "none"),
        ("data", []),
    ],
)
def test_a_broken_envelope_names_its_place(hall: Hall, name: str, value: object) -> None:
    good, bad = hall.opened(), hall.tickets(1)[0]
    answer = hall.send_batch([good, {**bad, name: value}])
    assert (answer.status_code, answer.json()["code"], answer.json()["index"]) == (400, "BAD_ENVELOPE", 1)
    assert name in answer.json()["detail"]
    assert hall.twin.ledger().acknowledged == 0


def test_each_member_of_the_envelope_is_required(hall: Hall) -> None:
    event = hall.opened()
    for name in event:
        answer = hall.send_batch([{key: value for key, value in event.items() if key != name}])
        assert answer.json()["code"] == "BAD_ENVELOPE", name
    assert hall.send_batch([event]).status_code == 200


def test_unknown_members_are_ignored_and_kept(hall: Hall) -> None:
    event = {**hall.opened(), "comment": "新字段", "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    assert hall.send_batch([event]).json()["rejected"] == []
    assert "新字段" in hall.twin.ledger().events[0].event


@pytest.mark.parametrize("order", [[0, 2], [1, 0], [0, 0]])
def test_sequences_with_gaps_or_out_of_order_are_bad_batch(hall: Hall, order: list[int]) -> None:
    events = [hall.opened(), *hall.tickets(2)]
    answer = hall.send_batch([events[index] for index in order])
    assert (answer.status_code, answer.json()["code"]) == (400, "BAD_BATCH")


def test_checks_come_in_the_order_of_the_contract(hall: Hall) -> None:
    """Auth, size, media, JSON, envelopes, contiguity, place in the stream."""
    path, media = f"/streams/{STREAM}/events", {"Content-Type": "application/cloudevents-batch+json"}
    hall.twin.limit(batch_bytes=2000)
    huge = b"{" * 3000
    assert hall.send("POST", path, huge, signature="0" * 64).json()["code"] == "AUTH_SIGNATURE"
    assert hall.send("POST", path, huge, {"Content-Type": "text/plain"}).json()["code"] == "TOO_LARGE"
    assert hall.send("POST", path, b"{", {"Content-Type": "text/plain"}).json()["code"] == "MEDIA"
    assert hall.send("POST", path, b"{", media).json()["code"] == "BAD_JSON"
    hall.twin.limit()
    events = [hall.opened(), *hall.tickets(3)]
    assert hall.send_batch([events[1], {**events[3], "clkstate": "?"}]).json()["code"] == "BAD_ENVELOPE"
    assert hall.send_batch([events[1], events[3]]).json()["code"] == "BAD_BATCH"
    assert hall.send_batch([events[1], events[2]]).json()["code"] == "STREAM_UNKNOWN"
    assert hall.send_batch(events[:1]).status_code == 200
    assert hall.send_batch(events[2:]).json()["code"] == "SEQ_GAP"


def test_too_many_events_too_many_bytes_and_too_large_an_event_are_413(hall: Hall) -> None:
    hall.open_stream()
    events = hall.tickets(3)
    hall.twin.limit(batch_events=2)
    assert (hall.send_batch(events).status_code, hall.send_batch(events).json()["code"]) == (413, "TOO_LARGE")
    assert hall.send_batch(events[:2]).status_code == 200
    hall.twin.limit(batch_bytes=100)
    assert hall.send_batch(events).json()["code"] == "TOO_LARGE"
    hall.twin.limit()
    swollen = {**events[2], "comment": "x" * 65536}
    answer = hall.send_batch([swollen])
    assert (answer.status_code, answer.json()["code"], answer.json()["index"]) == (413, "TOO_LARGE", 0)


def test_other_limits_are_told_and_the_hall_can_be_asked_to_slow_down(hall: Hall) -> None:
    hall.twin.limit(batch_events=50, backoff_ms=1500)
    limits = hall.hello().json()["limits"]
    assert (limits["batch_events"], limits["batch_bytes"]) == (50, 1048576)
    assert "backoff_ms" not in limits
    assert hall.send_batch([hall.opened()]).json()["backoff_ms"] == 1500


def test_gzip_is_unpacked_and_bad_gzip_is_told(hall: Hall) -> None:
    assert hall.send_batch([hall.opened()], packed=True).status_code == 200
    path = f"/streams/{STREAM}/events"
    headers = {"Content-Type": "application/cloudevents-batch+json", "Content-Encoding": "gzip"}
    assert hall.send("POST", path, b"[]", headers).json()["code"] == "BAD_JSON"
    assert hall.send("POST", path, gzip.compress(b"[1,2,3]")[:-9], headers).json()["code"] == "BAD_JSON"
    bomb = gzip.compress(b" " * 50_000_000)
    assert hall.send("POST", path, bomb, headers).json()["code"] == "TOO_LARGE"
    assert hall.send("POST", path, b"x", {**headers, "Content-Encoding": "br"}).json()["code"] == "MEDIA"


def test_other_documents_are_checked_as_well(hall: Hall) -> None:
    assert hall.send("POST", "/hello", b"{}", {"Content-Type": "text/plain"}).status_code == 415
    assert hall.send("POST", "/hello", b"{", {"Content-Type": "application/json"}).json()["code"] == "BAD_JSON"
    assert hall.hello(clkstate="fine").json()["code"] == "BAD_ENVELOPE"
    assert hall.send("GET", "/commands", query="after=-1").json()["code"] == "BAD_ENVELOPE"
    assert hall.post("/reconciliations", {}).json()["code"] == "BAD_ENVELOPE"


def test_refusals_quote_nothing_that_was_sent(hall: Hall) -> None:
    hall.open_stream()
    event = hall.issued(1, id_masked="990000199909090053", item_codes=["张测试"])
    said = json.dumps(hall.send_batch([event, {**event, "clkstate": "张测试"}]).json(), ensure_ascii=False)
    said += json.dumps(hall.send_batch([event]).json(), ensure_ascii=False)
    assert "990000199909090053" not in said
    assert "张测试" not in said
