"""The test vectors of province.md §3, §4, §7.4 and §8, on the twin's own functions and over its wire."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sim.province import TEST_KEYS, ProvinceTwin
from sim.province_seals import (
    ZERO_CHAIN,
    BadJson,
    BrokenEnvelope,
    KeyRing,
    canonical,
    digest_of_rows,
    hmac_sm3,
    leaf_of,
    next_chain,
    open_envelope,
    parse_json,
    signature_of,
    sm3,
    without_personal_data,
)
from tests.province.twin_client import Hall, hall_of, new_id, running_twin, sealed

VECTOR_HALL = "320115000000-01"
VECTOR_TIME = 1767231000
NONCE = "5f0c2b9a6d3e4f10a1b2c3d4e5f60718"
SIGNED = [
    (
        "POST",
        f"/hall-sync/v1/halls/{VECTOR_HALL}/hello",
        "",
        b'{"a":1}',
        "d646a76e347ce7c1a4c11acff67604928ccfaf03fc2e4fb8faaf5b2b1227605a",
        "0b1c06645971b19617c1cce17679a76bc1cd7d02622b188010e6b446d715c89e",
    ),
    (
        "GET",
        f"/hall-sync/v1/halls/{VECTOR_HALL}/catalog",
        "since=41",
        b"",
        "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b",
        "76a0cdfbbf7f82c7cd6e95f6e68d01f36c583d07694bcc46a137ae979e0dfffb",
    ),
]
PERSON = {"id_no": "11010519491231002X", "id_type": "111", "name": "张三", "phone": "13800005678"}
EVENT_ID = "0197f0a0-0000-7000-8000-000000000001"
ENVELOPE: dict[str, Any] = {
    "v": 1,
    "kid": "k1",
    "iv": base64.b64encode(bytes(range(0xA0, 0xB0))).decode(),
    "ct": "De5fnFJ5Rl6ylIBUsubc38dAeg/qJ4JKOdbMX0tkRpOcG9m74fPgQAOPPrrNHZ2q19E36YOTtVpDmldbT5kJevfEgCXRe3MS81YJLFe0YF"
    "/QxsDl",
    "mac": "uogaflApSXHWsxfCZ+PRnB7Gj5+jpVhQn8qAsz3m9K4=",
}
ID_HMAC = "81f5d5ec8350ce88fea048eec7290657382274feb3e2f4e8d901f23177276c37"
EXAMPLE = (
    '{"aggseq":2,"bizdate":"2026-01-05","catver":42,"clkoffms":0,"clkstate":"sync","data":{"clerk_id":"c017",'
    '"display_no":"A001","reason_code":"resident_left","ticket_id":"0197f0a0-0000-7000-8000-0000000000aa"},'
    '"datacontenttype":"application/json","id":"0197f0a0-0000-7000-8000-000000000001",'
    '"recordedtime":"2026-01-05T09:00:00.000+08:00","sequence":"0000000000000001","source":"/halls/320115000000-01",'
    '"specversion":"1.0","streamid":"0197f09f-0000-7000-8000-000000000000",'
    '"subject":"ticket/0197f0a0-0000-7000-8000-0000000000aa","time":"2026-01-05T09:00:00.000+08:00",'
    '"type":"hall.ticket.cancelled.v1"}'
)
LEAF = "45f8fcd1844d1a6ac2d8dc24fa1dcda17fd85dc4a1d1f4dacce389b2389061fb"


def ring() -> KeyRing:
    return KeyRing([dict(key) for key in TEST_KEYS])


def examples() -> list[dict[str, Any]]:
    first = json.loads(EXAMPLE)
    second = {
        **first,
        "aggseq": 3,
        "id": "0197f0a0-0000-7000-8000-000000000002",
        "sequence": f"{2:016d}",
        "time": "2026-01-05T09:00:01.000+08:00",
        "recordedtime": "2026-01-05T09:00:01.000+08:00",
        "data": {**first["data"], "display_no": "A002"},
    }
    return [first, second]


@pytest.mark.parametrize(("method", "path", "query", "body", "digest", "signature"), SIGNED)
def test_signature_vectors_of_section_3(
    method: str, path: str, query: str, body: bytes, digest: str, signature: str
) -> None:
    assert sm3(body) == digest
    lines = (method, path, query, str(VECTOR_TIME), NONCE, digest, VECTOR_HALL)
    assert signature_of(bytes(range(32)), lines) == signature


def test_id_hmac_vector_of_section_4() -> None:
    assert hmac_sm3(bytes(range(32)), b"111|11010519491231002X").hex() == ID_HMAC


def test_envelope_vector_opens_to_the_four_members() -> None:
    opened = open_envelope(ENVELOPE, EVENT_ID, ring())
    assert opened.members == ("id_no", "id_type", "name", "phone")
    assert opened.id_hmacs == (ID_HMAC,)


@pytest.mark.parametrize("broken", ["event id", "ct", "mac", "iv", "kid", "v"])
def test_envelope_is_refused_when_any_part_is_not_what_was_sealed(broken: str) -> None:
    event_id = new_id() if broken == "event id" else EVENT_ID
    wrong = {"kid": "k2", "v": 2}.get(broken, base64.b64encode(b"0123456789abcdef").decode())
    envelope = ENVELOPE if broken == "event id" else {**ENVELOPE, broken: wrong}
    with pytest.raises(BrokenEnvelope):
        open_envelope(envelope, event_id, ring())


def test_what_the_test_client_seals_the_province_opens() -> None:
    assert open_envelope(sealed(EVENT_ID, PERSON), EVENT_ID, ring()).id_hmacs == (ID_HMAC,)


def test_example_event_is_its_own_canonical_form_and_has_the_leaf_of_section_8() -> None:
    event = parse_json(EXAMPLE.encode())
    assert isinstance(event, dict)
    assert canonical(event).decode() == EXAMPLE
    assert leaf_of(event) == LEAF


def test_digest_and_chain_vectors_of_section_7_4() -> None:
    events = examples()
    leaves = [leaf_of(event) for event in events]
    rows = [(number, event["id"], leaf) for number, (event, leaf) in enumerate(zip(events, leaves, strict=True), 1)]
    assert digest_of_rows(rows) == "abf4c2598a256306cb6138bcf920b7f0638c108f2cdc2b82a9518abf476d193d"
    first = next_chain(ZERO_CHAIN, leaves[0])
    assert first == "38e541b5aec5b88a6b4905040ee02680528f47244110ac007c32e3e97c73d2f5"
    assert next_chain(first, leaves[1]) == "e3b69fa6197f09659eddca0093e4654a3adb340d690e941a977f4852bf5aa488"


def test_leaf_is_the_same_before_and_after_the_personal_data_is_erased() -> None:
    event = parse_json(EXAMPLE.encode())
    assert isinstance(event, dict)
    event["data"] = {"pii": ENVELOPE, "cases": [{"pii": ENVELOPE}]}
    erased = without_personal_data(event)
    assert isinstance(erased, dict)
    assert sm3(canonical(ENVELOPE)) in canonical(erased).decode()
    assert ENVELOPE["ct"] not in canonical(erased).decode()
    assert leaf_of(erased) == leaf_of(event)


def test_canonical_form_keeps_rare_characters_and_sorts_names_by_utf16() -> None:
    assert canonical({"b": "𠮷\ue000", "a": "a\u0301\n\x01"}).decode() == '{"a":"a\u0301\\n\\u0001","b":"𠮷\ue000"}'
    assert canonical({"\uff5e": 1, "\U00020bb7": 2}).decode() == '{"\U00020bb7":2,"\uff5e":1}'


@pytest.mark.parametrize(
    "text",
    [
        "1.0",
        '{"a":1e3}',
        "NaN",
        "-Infinity",
        '{"a":9007199254740992}',
        '{"a":1,"a":2}',
        '"\\ud800"',
        '{"\\udfff":1}',
        "\ufeff{}",
        "[" * 100_000,
        "[" * 40 + "]" * 40,
        "1" * 5000,
        '{"a":',
        "",
    ],
)
def test_json_that_two_sides_could_read_differently_is_refused(text: str) -> None:
    with pytest.raises(BadJson):
        parse_json(text.encode())


def test_json_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(BadJson):
        parse_json(b'"\xd5\xc5"')


@pytest.fixture(scope="module")
def vector_twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProvinceTwin]:
    with running_twin(tmp_path_factory.mktemp("province"), hall=VECTOR_HALL) as twin:
        yield twin


@pytest.fixture
def vector_hall(vector_twin: ProvinceTwin) -> Iterator[Hall]:
    vector_twin.reset()
    offset_s = VECTOR_TIME - int(time.time())
    vector_twin.step_clock(offset_s)
    with hall_of(vector_twin, hall=VECTOR_HALL, offset_s=offset_s) as hall:
        yield hall


@pytest.mark.parametrize(("method", "path", "query", "body", "digest", "signature"), SIGNED)
def test_signature_vectors_pass_the_gate(
    vector_hall: Hall, method: str, path: str, query: str, body: bytes, digest: str, signature: str
) -> None:
    headers = {"Content-Type": "application/json"}
    wrong = {"timestamp": str(VECTOR_TIME), "nonce": NONCE, "signature": signature, "body_sm3": digest}
    answer = vector_hall.send(method, path, body, headers, query, **wrong)
    # Past the gate: {"a":1} is no hello, and version 41 was never published.
    assert answer.json()["code"] in ("BAD_ENVELOPE", "CATALOG_BASE_GONE")


def test_sealed_person_of_the_vector_is_applied_and_its_keyed_hash_recognised(vector_hall: Hall) -> None:
    vector_hall.open_stream()
    event = {**vector_hall.issued(1, id_type="111", id_hmac=ID_HMAC, pii=ENVELOPE), "id": EVENT_ID}
    answer = vector_hall.send_batch([event])
    assert answer.json()["rejected"] == []
    [_, applied] = vector_hall.twin.ledger().events
    assert applied.envelope == {"members": ["id_no", "id_type", "name", "phone"], "id_hmac_matches": True}
    assert applied.leaf == leaf_of(json.loads(applied.event))


def test_keyed_hash_of_somebody_else_is_noticed(vector_hall: Hall) -> None:
    vector_hall.open_stream()
    event = {**vector_hall.issued(1, id_type="111", id_hmac="0" * 64, pii=ENVELOPE), "id": EVENT_ID}
    vector_hall.send_batch([event])
    [_, applied] = vector_hall.twin.ledger().events
    assert applied.envelope is not None
    assert applied.envelope["id_hmac_matches"] is False


def test_example_event_is_acknowledged_with_the_leaf_of_the_contract(vector_hall: Hall) -> None:
    # The example stands at sequence 1, where a stream has to begin otherwise; so it is sent as the second.
    vector_hall.open_stream()
    second = examples()[1]
    answer = vector_hall.send_batch([second])
    assert answer.json()["acked_through"] == f"{2:016d}"
    [kept] = vector_hall.twin.ledger().quarantined
    assert kept.code == "AGGSEQ_GAP"
    assert kept.event == canonical(second).decode()
    assert kept.leaf == leaf_of(second)
