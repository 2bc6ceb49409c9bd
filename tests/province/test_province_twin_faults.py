"""Every fault verb on a real line, and what the ledger says afterwards (§13)."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sim.province import TEST_KEYS, Calls, ProvinceTwin
from tests.province.twin_client import Hall, canonical, hall_of, running_twin
from tests.waiting import until

RANDOM = random.Random(60)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProvinceTwin]:
    with running_twin(tmp_path_factory.mktemp("province")) as twin:
        yield twin


@pytest.fixture
def hall(twin: ProvinceTwin) -> Iterator[Hall]:
    twin.start()
    twin.reset()
    with hall_of(twin) as hall:
        hall.open_stream()
        yield hall


def lost(hall: Hall, events: list[dict[str, object]]) -> type[Exception]:
    """What the hall sees when this batch gets no proper answer."""
    with pytest.raises(httpx.TransportError) as caught:
        hall.send_batch(events)
    return caught.type


def test_an_answer_lost_after_commit_leaves_the_effect_and_resending_leaves_one(hall: Hall) -> None:
    events = hall.tickets(3)
    hall.twin.lose_answers_after_commit()
    assert lost(hall, events) is httpx.RemoteProtocolError
    assert hall.twin.ledger().acknowledged == 4
    said = hall.send_batch(events).json()
    assert (said["duplicates"], said["acked_through"]) == (3, f"{4:016d}")
    ledger = hall.twin.ledger()
    assert (ledger.acknowledged, ledger.duplicates, ledger.resent) == (4, 0, 3)


def test_a_dropped_request_leaves_nothing(hall: Hall) -> None:
    events = hall.tickets(3)
    hall.twin.drop_requests(2)
    lost(hall, events)
    lost(hall, events)
    assert hall.twin.ledger().acknowledged == 1
    assert hall.send_batch(events).json()["duplicates"] == 0


def test_an_ignored_request_gets_no_answer_at_all(hall: Hall) -> None:
    events = hall.tickets(1)
    hall.twin.ignore_requests()
    with hall_of(hall.twin, timeout_s=0.3) as impatient, pytest.raises(httpx.ReadTimeout):
        impatient.send_batch(events)
    assert hall.twin.ledger().acknowledged == 1
    assert hall.send_batch(events).status_code == 200


@pytest.mark.parametrize(
    ("status", "code", "retryable"),
    [
        (400, "BAD_ENVELOPE", False),
        (429, "SLOW_DOWN", True),
        (503, "MAINTENANCE", True),
        (507, "PROVINCE_FULL", True),
        (426, "CONTRACT_TOO_OLD", False),
        (500, "INTERNAL", True),
    ],
)
def test_a_status_is_answered_in_the_contracts_words(hall: Hall, status: int, code: str, retryable: bool) -> None:
    events = hall.tickets(1)
    hall.twin.answer_status(status, retry_after_s=7)
    answer = hall.send_batch(events)
    assert (answer.status_code, answer.json()["code"], answer.json()["retryable"]) == (status, code, retryable)
    assert (answer.headers["Retry-After"], answer.headers["content-type"]) == ("7", "application/problem+json")
    assert hall.twin.ledger().acknowledged == 1
    assert hall.send_batch(events).status_code == 200


def test_a_status_may_have_another_code_and_more_members(hall: Hall) -> None:
    hall.twin.answer_status(400, code="BAD_JSON", index=3)
    answer = hall.send_batch(hall.tickets(1))
    assert (answer.json()["code"], answer.json()["index"]) == ("BAD_JSON", 3)
    assert "Retry-After" not in answer.headers


def test_a_portal_answers_200_with_a_page(hall: Hall) -> None:
    events = hall.tickets(1)
    hall.twin.answer_like_a_portal()
    answer = hall.send_batch(events)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")
    with pytest.raises(json.JSONDecodeError):
        answer.json()
    assert hall.twin.ledger().acknowledged == 1


def test_a_truncated_answer_breaks_off(hall: Hall) -> None:
    events = hall.tickets(2)
    hall.twin.truncate_answers()
    assert lost(hall, events) is httpx.RemoteProtocolError
    assert hall.send_batch(events).json()["duplicates"] == 2


def test_a_corrupted_answer_is_no_json(hall: Hall) -> None:
    events = hall.tickets(2)
    hall.twin.corrupt_answers()
    answer = hall.send_batch(events)
    assert answer.status_code == 200
    with pytest.raises(UnicodeDecodeError):
        answer.content.decode()
    assert hall.send_batch(events).json()["duplicates"] == 2


def test_a_delayed_answer_comes_late_and_may_be_given_up(hall: Hall) -> None:
    events = hall.tickets(2)
    hall.twin.delay_answers(400)
    with hall_of(hall.twin, timeout_s=0.2) as impatient, pytest.raises(httpx.ReadTimeout):
        impatient.send_batch(events)
    assert hall.send_batch(events).json()["duplicates"] == 2
    hall.twin.delay_answers(200)
    before = time.monotonic()
    assert hall.send_batch(events).status_code == 200
    assert time.monotonic() - before >= 0.2


def test_a_slow_line_takes_its_time_in_both_directions(hall: Hall) -> None:
    events = hall.tickets(2)
    size = len(json.dumps(events))
    hall.twin.slow(10 * size, of=Calls.EVENTS)
    before = time.monotonic()
    answer = hall.send_batch(events)
    assert time.monotonic() - before >= 0.1 + len(answer.content) / (10 * size) * 0.9
    assert answer.json()["acked_through"] == f"{3:016d}"
    assert hall.send_batch(events).status_code == 200
    hall.twin.heal()
    assert hall.send_batch(events).json()["duplicates"] == 2


def test_a_reset_connection_is_an_error_at_once(hall: Hall) -> None:
    events = hall.tickets(1)
    hall.twin.reset_connections()
    assert issubclass(lost(hall, events), httpx.NetworkError | httpx.RemoteProtocolError)
    assert hall.twin.ledger().acknowledged == 1


def test_faults_take_turns_in_the_order_in_which_they_were_told(hall: Hall) -> None:
    events = hall.tickets(1)
    hall.twin.drop_requests(1)
    hall.twin.answer_status(503, 2)
    hall.twin.lose_answers_after_commit(1)
    lost(hall, events)
    assert [hall.send_batch(events).status_code for _ in range(2)] == [503, 503]
    lost(hall, events)
    assert hall.send_batch(events).json()["duplicates"] == 1


def test_a_fault_waits_for_its_request(hall: Hall) -> None:
    hall.twin.fault("status", 503, of=Calls.EVENTS, nth=3)
    events = hall.tickets(1)
    assert [hall.send_batch(events).status_code for _ in range(4)] == [200, 200, 503, 200]
    hall.twin.fault("status", 503, of=Calls.EVENTS, method="GET")
    assert hall.send_batch(events).status_code == 200
    assert hall.hello().status_code == 200


def test_a_fault_of_the_contracts_own_form_is_taken(hall: Hall) -> None:
    rule = {"match": {"method": "POST", "path_re": "/hello$", "nth": 1}, "do": "status", "value": 503}
    hall.twin.ask("POST", "/sim/faults", rule)
    assert [hall.hello().status_code for _ in range(2)] == [503, 200]
    [report] = hall.twin.health()["faults"]
    assert (report["seen"], report["done"]) == (2, 1)
    for wrong in ({}, {"do": "explode"}, {"do": "reset", "match": {"path_re": "("}}, {"do": "reset", "times": 0}):
        with pytest.raises(ValueError, match="BAD_ENVELOPE"):
            hall.twin.ask("POST", "/sim/faults", wrong)


def test_every_traffic_can_be_broken_and_healed(hall: Hall) -> None:
    hall.twin.drop_requests(None, of=Calls.EVERYTHING)
    for _ in range(3):
        with pytest.raises(httpx.TransportError):
            hall.hello()
    hall.twin.heal()
    assert hall.hello().status_code == 200


def test_an_unreachable_province_refuses_connections_and_comes_back_with_everything(hall: Hall) -> None:
    hall.send_batch(hall.tickets(2))
    before = hall.twin.ledger()
    hall.twin.be_unreachable()
    with pytest.raises(httpx.ConnectError):
        hall.hello()
    hall.twin.be_reachable()
    assert hall.twin.ledger() == before


def test_a_frozen_province_takes_connections_and_says_nothing(hall: Hall) -> None:
    hall.twin.freeze()
    with hall_of(hall.twin, timeout_s=0.2) as impatient, pytest.raises(httpx.ReadTimeout):
        impatient.hello()
    hall.twin.thaw()
    assert hall.hello().status_code == 200


def test_a_frozen_province_can_be_stopped(hall: Hall) -> None:
    hall.twin.freeze()
    hall.twin.stop()
    hall.twin.start()
    assert hall.hello().status_code == 200


def test_a_crash_inside_the_transaction_leaves_nothing_of_the_batch(hall: Hall) -> None:
    events = hall.tickets(20)
    hall.twin.crash_in_transaction()
    lost(hall, events)
    hall.twin.wait_until_dead()
    hall.twin.start()
    assert hall.twin.ledger().acknowledged == 1
    assert hall.send_batch(events).json()["duplicates"] == 0


def test_a_crash_after_commit_leaves_the_whole_batch(hall: Hall) -> None:
    events = hall.tickets(20)
    hall.twin.crash_after_commit()
    lost(hall, events)
    hall.twin.wait_until_dead()
    hall.twin.start()
    assert hall.twin.ledger().acknowledged == 21
    assert hall.send_batch(events).json()["duplicates"] == 20


def test_the_ledger_is_the_same_after_kill_9(hall: Hall) -> None:
    hall.send_batch([hall.issued(1), hall.issued(1), hall.issued(2, channel="pigeon"), *hall.tickets(5, 10)])
    hall.upload(b"page" * 1000)
    before, offset = hall.twin.ledger(), 40
    hall.twin.step_clock(offset)
    hall.twin.restart()
    assert hall.twin.ledger() == before
    assert hall.twin.health()["clock_offset_s"] == offset


def test_events_survive_kill_9_at_random_moments(hall: Hall) -> None:
    """Fifteen kills while a hall sends; every event is there once, in order, byte for byte."""
    events = hall.tickets(400)
    done = threading.Event()

    def send_all() -> None:
        place = 0
        while place < len(events):
            try:
                said = hall.send_batch(events[place : place + 20]).json()
            except httpx.TransportError:
                done.wait(0.01)
                continue
            place = int(said["acked_through"]) - 1
        done.set()

    sender = threading.Thread(target=send_all)
    sender.start()
    for _ in range(15):
        done.wait(RANDOM.uniform(0.005, 0.06))
        hall.twin.restart()
    sender.join(40)
    assert done.is_set()
    ledger = hall.twin.ledger()
    assert [row.event.encode() for row in ledger.events[1:]] == [canonical(event) for event in events]
    assert len(ledger.tickets) == 400
    assert (ledger.acknowledged, ledger.duplicates, ledger.quarantined) == (401, 0, ())


def test_acknowledged_was_durable_before_the_answer(hall: Hall) -> None:
    for serial in range(1, 8):
        acked = int(hall.send_batch([hall.issued(serial)]).json()["acked_through"])
        hall.twin.restart()
        assert hall.twin.ledger().acknowledged == acked


def test_effects_applied_twice_would_be_counted(hall: Hall) -> None:
    """The count is of rows, not a constant: a row too many shows."""
    hall.send_batch(hall.tickets(2))
    hall.twin.stop()
    database = sqlite3.connect(hall.twin.folder / "province.db")
    database.execute("INSERT INTO effects (event_id) SELECT id FROM events WHERE sequence = 2")
    database.commit()
    database.close()
    hall.twin.start()
    assert hall.twin.ledger().duplicates == 1


def test_a_reset_leaves_nothing_and_the_process_lives(hall: Hall) -> None:
    hall.send_batch(hall.tickets(2))
    hall.upload(b"x")
    hall.twin.answer_status(503, None, of=Calls.EVERYTHING)
    pid = hall.twin.pid
    hall.twin.reset()
    ledger = hall.twin.ledger()
    assert (ledger.acknowledged, ledger.streams, ledger.blobs, ledger.resent) == (0, (), (), 0)
    assert hall.hello().json()["stream_state"] == "unknown"
    assert hall.twin.pid == pid


def test_requests_are_counted_so_that_a_storm_can_be_seen(hall: Hall) -> None:
    before = hall.twin.health()["requests"]
    for _ in range(5):
        hall.hello()
    assert hall.twin.health()["requests"] == before + 5
    assert hall.twin.health()["busiest_second"] >= 2


def test_the_command_line_starts_says_ready_and_stops_on_sigterm(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps(list(TEST_KEYS)))
    order = [sys.executable, "-m", "sim.province", "--data", str(tmp_path / "data"), "--keys", str(keys)]
    process = subprocess.Popen(order, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("ready http://127.0.0.1:")
    assert httpx.get(line.split()[1] + "/sim/health", trust_env=False).json()["hall"] == "990000000000-01"
    process.terminate()
    rest, complaints = process.communicate(timeout=10)
    assert (process.returncode, rest, complaints) == (0, "", "")


@pytest.mark.parametrize("content", ["", "{}", '[{"kid":"s1"}]', '[{"kid":1}]', None])
def test_the_command_line_says_what_is_wrong_with_the_keys(tmp_path: Path, content: str | None) -> None:
    keys = tmp_path / "keys.json"
    if content is not None:
        keys.write_text(content)
    order = [sys.executable, "-m", "sim.province", "--data", str(tmp_path / "data"), "--keys", str(keys)]
    done = subprocess.run(order, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode in (1, 2)
    assert "keys.json" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_command_line_says_that_a_port_is_taken(twin: ProvinceTwin, tmp_path: Path) -> None:
    twin.start()
    order = [sys.executable, "-m", "sim.province", "--port", str(twin.port), "--data", str(tmp_path)]
    order += ["--keys", str(twin.folder / "keys.json")]
    done = subprocess.run(order, cwd=ROOT, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1
    assert "in use" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_twin_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom sim.province import ProvinceTwin\n"
        "twin = ProvinceTwin(Path(sys.argv[1])).start()\nprint(twin.port, flush=True)\ntime.sleep(60)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    port = int(parent.stdout.readline())
    assert httpx.get(f"http://127.0.0.1:{port}/sim/health", trust_env=False).status_code == 200
    parent.kill()
    parent.communicate(timeout=10)

    def refused() -> bool:
        try:
            httpx.get(f"http://127.0.0.1:{port}/sim/health", trust_env=False)
        except httpx.TransportError:
            return True
        return False

    assert until(refused)
