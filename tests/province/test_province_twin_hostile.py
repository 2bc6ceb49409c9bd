"""Whatever is sent, the province answers in the contract's words, keeps what it has, and lives."""

from __future__ import annotations

import copy
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim.province import TEST_KEYS, ProvinceTwin
from sim.province_problems import USUAL_CODE
from sim.province_seals import BadJson, canonical, leaf_of, parse_json, without_personal_data
from tests.province.event_examples import EXAMPLES, subject_of
from tests.province.twin_client import STREAM, Hall, hall_of, running_twin

FEW = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
CODES = {*USUAL_CODE.values(), "BAD_JSON", "BAD_BATCH", "SEQ_CONFLICT", "ID_CONFLICT", "EVENT_UNKNOWN"}
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
EXACT = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProvinceTwin]:
    with running_twin(tmp_path_factory.mktemp("province")) as twin:
        yield twin
        assert "Traceback" not in (twin.folder / "province.log").read_text()


@pytest.fixture(scope="module")
def hall(twin: ProvinceTwin) -> Iterator[Hall]:
    with hall_of(twin) as hall:
        hall.open_stream()
        yield hall


def assert_civil(answer: Any) -> None:
    """An acknowledgement, or a problem the contract knows; never a stumble."""
    if answer.status_code != 200:
        assert 400 <= answer.status_code < 500, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] in CODES


@FEW
@given(body=st.binary(max_size=300))
def test_bytes_are_answered(hall: Hall, body: bytes) -> None:
    assert_civil(hall.send_batch(body))


@FEW
@given(document=JSON)
def test_any_json_is_answered_wherever_it_is_posted(hall: Hall, document: Any) -> None:
    body = json.dumps(document).encode("utf-8", "surrogatepass")
    assert_civil(hall.send_batch(body))
    for tail in ("/hello", "/heartbeat", "/reconciliations"):
        assert_civil(hall.send("POST", tail, body, {"Content-Type": "application/json"}))


@FEW
@given(document=JSON, name=st.sampled_from(sorted(EXAMPLES)), data=st.data())
def test_an_event_with_one_strange_value_is_acknowledged_or_refused(
    hall: Hall, document: Any, name: str, data: st.DataObject
) -> None:
    before, aggseqs = hall.sequence, dict(hall.aggseqs)
    event = hall.event(name, subject_of(name), copy.deepcopy(EXAMPLES[name]))
    target = event if data.draw(st.booleans()) else event["data"]
    target[data.draw(st.sampled_from(sorted(target)))] = document
    answer = hall.send_batch(json.dumps([event]).encode("utf-8", "surrogatepass"))
    assert_civil(answer)
    if answer.status_code != 200:
        hall.sequence, hall.aggseqs = before, aggseqs


@FEW
@given(
    document=JSON, path=st.sampled_from(["faults", "clock", "catalog", "appointments", "commands", "keys", "forget"])
)
def test_the_controls_refuse_nonsense_politely(hall: Hall, document: Any, path: str) -> None:
    body = json.dumps(document).encode("utf-8", "surrogatepass")
    answer = hall.http.post(f"http://127.0.0.1:{hall.twin.port}/sim/{path}", content=body)
    assert answer.status_code in (200, 400, 404)
    hall.twin.heal()
    hall.twin.publish_keys(TEST_KEYS)


@FEW
@given(tail=st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40))
def test_any_address_is_answered(hall: Hall, tail: str) -> None:
    path = hall.path("/" + tail.replace("?", "").replace("#", "").replace("%", ""))
    for method in ("GET", "HEAD", "DELETE"):
        assert hall.send(method, path, headers={"Tus-Resumable": "1.0.0"}).status_code in (200, 400, 401, 404, 405, 410)


@pytest.mark.parametrize("garbage", [b"\x00\x01\x02", b"GET\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n"])
def test_what_is_no_http_does_no_harm(hall: Hall, garbage: bytes) -> None:
    with socket.create_connection(("127.0.0.1", hall.twin.port), timeout=10) as connection:
        connection.sendall(garbage)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(1000):
            continue
    assert hall.hello().status_code == 200


def test_after_all_that_the_ledger_is_whole(twin: ProvinceTwin) -> None:
    twin.reset()
    with hall_of(twin) as hall:
        hall.open_stream()
        assert hall.send_batch(hall.tickets(3)).json()["rejected"] == []
        ledger = twin.ledger()
    assert (ledger.acknowledged, ledger.duplicates) == (4, 0)
    assert [stream.streamid for stream in ledger.streams] == [STREAM]


@settings(derandomize=True, deadline=None)
@given(value=EXACT)
def test_canonical_json_reads_back_as_the_same_value(value: Any) -> None:
    assert parse_json(canonical(value)) == value
    assert canonical(parse_json(canonical(value))) == canonical(value)


@settings(derandomize=True, deadline=None)
@given(value=st.dictionaries(st.sampled_from(["pii", "a", "b"]), EXACT))
def test_erasing_personal_data_twice_changes_nothing_more(value: dict[str, Any]) -> None:
    once = without_personal_data(value)
    assert without_personal_data(once) == once
    assert isinstance(once, dict)
    assert leaf_of(once) == leaf_of(value)


@settings(derandomize=True, deadline=None)
@given(raw=st.binary(max_size=200))
def test_parsing_fails_only_in_one_way(raw: bytes) -> None:
    try:
        parse_json(raw)
    except BadJson as exc:
        assert str(exc)
