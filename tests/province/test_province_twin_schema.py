"""Every event type of §8: a right example is applied, and each way of being wrong is quarantined."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from sim.province import TEST_KEYS
from sim.province_judge import fault_in
from sim.province_schema import EVENT_TYPES
from sim.province_seals import KeyRing
from tests.province.event_examples import EXAMPLES, OPTIONAL, PII, TICKET, subject_of
from tests.province.twin_client import hall_of, now, running_twin, sealed

RING = KeyRing([dict(key) for key in TEST_KEYS])
EVENT_ID = "01981380-0000-7000-8000-000000000001"


def event(kind: str, data: dict[str, Any], subject: str | None = None) -> dict[str, Any]:
    if "pii" in data and data["pii"] == PII:
        data = {**data, "pii": sealed(EVENT_ID, {"name": "张测试"})}
    return {
        "id": EVENT_ID,
        "type": f"hall.{kind}.v1",
        "subject": subject or subject_of(kind),
        "time": now(),
        "clkstate": "sync",
        "clkoffms": 0,
        "data": data,
    }


def code_of(kind: str, data: dict[str, Any], subject: str | None = None) -> str | None:
    fault = fault_in(event(kind, data, subject), now=time.time(), ring=RING)
    return fault.code if fault else None


def test_every_type_of_the_contract_is_known_and_has_an_example() -> None:
    assert set(EVENT_TYPES) == {f"hall.{kind}.v1" for kind in EXAMPLES}


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_right_example_has_no_fault(kind: str) -> None:
    assert fault_in(event(kind, EXAMPLES[kind]), now=time.time(), ring=RING) is None


@pytest.mark.parametrize("kind", EXAMPLES)
def test_optional_members_may_be_absent_and_only_those(kind: str) -> None:
    optional = OPTIONAL.get(kind, set())
    assert code_of(kind, {name: value for name, value in EXAMPLES[kind].items() if name not in optional}) is None
    for name in EXAMPLES[kind].keys() - optional:
        rest = {key: value for key, value in EXAMPLES[kind].items() if key != name}
        assert code_of(kind, rest) == "EVT_SCHEMA", name


@pytest.mark.parametrize("kind", EXAMPLES)
def test_no_member_may_be_null_or_of_another_kind(kind: str) -> None:
    for name, value in EXAMPLES[kind].items():
        wrong: list[Any] = [None, {"a": []}]
        if kind == "event.corrected" and name == "fields":
            wrong = [None, []]
        if not isinstance(value, str):
            wrong.append("some text")
        if not isinstance(value, list):
            wrong.append([1])
        for each in wrong:
            assert code_of(kind, {**EXAMPLES[kind], name: each}) == "EVT_SCHEMA", (name, each)


@pytest.mark.parametrize("kind", EXAMPLES)
def test_unknown_members_are_ignored(kind: str) -> None:
    assert code_of(kind, {**EXAMPLES[kind], "x_new": {"any": [1, "thing", None]}}) is None


@pytest.mark.parametrize("kind", [kind for kind in EXAMPLES if subject_of(kind) != "hall"])
def test_the_subject_repeats_what_the_data_is_about(kind: str) -> None:
    assert code_of(kind, EXAMPLES[kind], "hall") == "EVT_SCHEMA"
    wrong = subject_of(kind)[:-1] + ("9" if subject_of(kind)[-1] != "9" else "8")
    assert code_of(kind, EXAMPLES[kind], wrong) == "EVT_SCHEMA"


WRONG: list[tuple[str, str, object]] = [
    ("ticket.issued", "display_no", "a17"),
    ("ticket.issued", "display_no", "A17"),
    ("ticket.issued", "display_no", "ABC017"),
    ("ticket.issued", "queue_code", "ABC"),
    ("ticket.issued", "serial", 0),
    ("ticket.issued", "serial", 10000),
    ("ticket.issued", "serial", True),
    ("ticket.issued", "channel", "fax"),
    ("ticket.issued", "priority", "vip"),
    ("ticket.issued", "identity_mode", "face"),
    ("ticket.issued", "id_type", "999"),
    ("ticket.issued", "id_hmac", "ab"),
    ("ticket.issued", "item_codes", ["11990000990000017W499010100100"]),
    ("ticket.issued", "item_codes", ["11990000990000017W4990101001000"] * 11),
    ("ticket.issued", "device_id", "printer 1"),
    ("ticket.issued", "device_id", "PRN-1"),
    ("ticket.issued", "printed_required", 1),
    ("ticket.issued", "waiting_ahead", -1),
    ("ticket.issued", "pii", {"v": 2, "kid": "k1", "iv": "", "ct": "", "mac": ""}),
    ("ticket.issued", "ticket_id", TICKET.upper()),
    ("ticket.printed", "result", "perhaps"),
    ("ticket.printed", "reason_code", "bad mood"),
    ("ticket.printed", "print_no", 0),
    ("ticket.called", "call_mode", "shout"),
    ("ticket.called", "window_code", "window no 3"),
    ("ticket.called", "clerk_id", "c" * 33),
    ("ticket.called", "rule", {"picked_by": "arrival", "candidates": 4}),
    ("ticket.parked", "hold", "there"),
    ("ticket.parked", "reason_code", "lunch"),
    ("ticket.requeued", "position_rule", "middle"),
    ("ticket.finished", "outcome", "won"),
    ("ticket.finished", "started_at", "2026-11-21 09:00"),
    ("ticket.finished", "local_case_nos", ["L1"]),
    ("case.received", "case_kind", "slow"),
    ("case.received", "applicant_kind", "ghost"),
    ("case.returned", "reason_text", "长" * 201),
    ("case.notice", "issued_to", "pigeon"),
    ("material.scanned", "copy_kind", "drawing"),
    ("material.scanned", "pages", [{"no": 1}]),
    ("material.scanned", "quality", {"blur": 1, "skew_mdeg": 1, "edges_ok": "yes"}),
    ("material.damaged", "blob", "sha256:" + "ab" * 32),
    ("evaluation.submitted", "level", 6),
    ("evaluation.submitted", "level", 0),
    ("evaluation.submitted", "option_codes", ["510"] * 9),
    ("evaluation.submitted", "comment", "x" * 501),
    ("evaluation.submitted", "eval_channel", 8),
    ("evaluation.submitted", "round", 3),
    ("device.changed", "state", "sad"),
    ("device.changed", "counters", {"printed": "100"}),
    ("stream.opened", "reason", "boredom"),
    ("stream.opened", "serial_floor", {"a": 1}),
    ("command.result", "result", "maybe"),
    ("command.result", "command_id", "7"),
    ("pii.erased", "scope", "all"),
    ("operator.acted", "actor", "resident"),
    ("clock.changed", "kind", "broken"),
    ("catalog.activated", "mode", "half"),
]


@pytest.mark.parametrize(("kind", "name", "value"), WRONG)
def test_a_value_outside_the_dictionary_is_a_schema_fault_that_names_the_member(
    kind: str, name: str, value: object
) -> None:
    fault = fault_in(event(kind, {**EXAMPLES[kind], name: value}), now=time.time(), ring=RING)
    assert fault is not None
    assert fault.code == "EVT_SCHEMA"
    assert fault.detail.startswith(f"data.{name}")


def test_a_material_belongs_to_a_case_or_a_ticket() -> None:
    data = {name: value for name, value in EXAMPLES["material.scanned"].items() if name != "local_case_no"}
    assert code_of("material.scanned", data) == "EVT_SCHEMA"
    assert code_of("material.scanned", {**data, "ticket_id": TICKET}) is None


def test_nobody_has_to_invent_a_rating_when_time_ran_out() -> None:
    data = {name: value for name, value in EXAMPLES["evaluation.submitted"].items() if name != "level"}
    assert code_of("evaluation.submitted", data) == "EVT_SCHEMA"
    assert code_of("evaluation.submitted", {**data, "timeout": True}) is None


def test_age_is_judged_by_the_corrected_time_when_the_clock_is_not_in_step() -> None:
    old = {**event("clock.changed", EXAMPLES["clock.changed"]), "time": now(-400 * 86400 - 3600)}
    fault = fault_in(old, now=time.time(), ring=RING)
    assert fault is not None
    assert fault.code == "EVT_TOO_OLD"
    assert fault_in({**old, "clkstate": "hold", "clkoffms": 2 * 3600_000}, now=time.time(), ring=RING) is None


def test_a_whole_life_of_a_hall_is_applied(tmp_path: Path) -> None:
    """All types in one stream, over the wire; only the quarantine stays empty, order of states is not the point."""
    with running_twin(tmp_path) as twin, hall_of(twin) as hall:
        hall.open_stream()
        events = []
        for kind, data in EXAMPLES.items():
            if kind != "stream.opened":
                made = hall.event(kind, subject_of(kind), dict(data))
                if "pii" in data:
                    made["data"]["pii"] = sealed(made["id"], {"name": "张测试"})
                events.append(made)
        said = hall.send_batch(events).json()
        assert {entry["code"] for entry in said["rejected"]} <= {"TRANSITION"}
        ledger = twin.ledger()
        assert len(ledger.events) == len(EXAMPLES)
        assert (ledger.quarantined, ledger.held) == ((), ())
