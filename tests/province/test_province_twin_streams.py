"""Streams, acknowledgement, duplicates, conflicts, quarantine and held subjects (§6, §7.1 to §7.3, §8 last)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from sim.province import ProvinceTwin
from tests.province.twin_client import BIZDATE, STREAM, Hall, canonical, hall_of, new_id, now, running_twin, sealed, sm3

NEWER = "0197f09f-0000-7000-8000-000000000001"


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProvinceTwin]:
    with running_twin(tmp_path_factory.mktemp("province")) as twin:
        yield twin


@pytest.fixture
def hall(twin: ProvinceTwin) -> Iterator[Hall]:
    twin.reset()
    with hall_of(twin) as hall:
        yield hall


def codes(answer: Any) -> list[str]:
    return [entry["code"] for entry in answer.json()["rejected"]]


def begin_newer_stream(hall: Hall, reason: str = "restore", **more: Any) -> dict[str, Any]:
    hall.streamid, hall.sequence = NEWER, 0
    return hall.opened(reason, previous_streamid=STREAM, **more)


def test_a_batch_is_acknowledged_through_its_last_event_and_kept_byte_for_byte(hall: Hall) -> None:
    events = [hall.opened(), *hall.tickets(3)]
    answer = hall.send_batch(events)
    said = answer.json()
    assert (said["acked_through"], said["next_expected"]) == (f"{4:016d}", f"{5:016d}")
    assert (said["duplicates"], said["rejected"], said["held_subjects"]) == (0, [], [])
    ledger = hall.twin.ledger()
    assert [row.event.encode() for row in ledger.events] == [canonical(event) for event in events]
    assert [row.sequence for row in ledger.events] == [1, 2, 3, 4]
    assert [row.applied for row in ledger.events] == sorted(row.applied or 0 for row in ledger.events)
    assert (ledger.acknowledged, ledger.duplicates, ledger.resent) == (4, 0, 0)
    assert [(ticket.display_no, ticket.state) for ticket in ledger.tickets] == [
        ("A001", "waiting"),
        ("A002", "waiting"),
        ("A003", "waiting"),
    ]


def test_chain_is_told_with_every_answer_and_can_be_recomputed(hall: Hall) -> None:
    events = [hall.opened(), *hall.tickets(3)]
    said = hall.send_batch(events).json()
    chain = "0" * 64
    for event in events:
        chain = sm3(f"{chain}\n{sm3(canonical(event))}\n".encode())
    assert said["chain_sm3"] == chain
    assert hall.hello().json()["chain_sm3"] == chain
    assert hall.send("GET", f"/streams/{STREAM}/cursor").json()["chain_sm3"] == chain
    assert hall.twin.ledger().events[-1].chain == chain


def test_the_same_batch_again_is_acknowledged_and_not_applied(hall: Hall) -> None:
    events = [hall.opened(), *hall.tickets(3)]
    hall.send_batch(events)
    said = hall.send_batch(events).json()
    assert (said["acked_through"], said["duplicates"]) == (f"{4:016d}", 4)
    ledger = hall.twin.ledger()
    assert (ledger.acknowledged, ledger.duplicates, ledger.resent) == (4, 0, 4)


def test_a_batch_that_overlaps_goes_on_where_the_province_stands(hall: Hall) -> None:
    events = [hall.opened(), *hall.tickets(4)]
    hall.send_batch(events[:3])
    said = hall.send_batch(events[1:]).json()
    assert (said["acked_through"], said["duplicates"]) == (f"{5:016d}", 2)


def test_a_gap_is_refused_with_the_place_to_go_on(hall: Hall) -> None:
    events = [hall.opened(), *hall.tickets(4)]
    hall.send_batch(events[:2])
    answer = hall.send_batch(events[3:])
    assert (answer.status_code, answer.json()["code"]) == (409, "SEQ_GAP")
    assert answer.json()["next_expected"] == f"{3:016d}"
    assert hall.twin.ledger().acknowledged == 2


def test_an_unknown_stream_begins_with_stream_opened(hall: Hall) -> None:
    opened, ticket = hall.opened(), hall.issued(1)
    answer = hall.send_batch([ticket])
    assert (answer.status_code, answer.json()["code"]) == (404, "STREAM_UNKNOWN")
    answer = hall.send_batch([{**ticket, "sequence": f"{1:016d}"}])
    assert answer.json()["code"] == "STREAM_UNKNOWN"
    assert hall.send("GET", f"/streams/{STREAM}/cursor").json()["code"] == "STREAM_UNKNOWN"
    assert hall.send_batch([opened, ticket]).status_code == 200


def test_another_event_at_an_acknowledged_sequence_is_seq_conflict(hall: Hall) -> None:
    events = [hall.opened(), *hall.tickets(2)]
    hall.send_batch(events)
    for other in ({"id": new_id()}, {"data": {**events[2]["data"], "waiting_ahead": 7}}):
        answer = hall.send_batch([{**events[2], **other}])
        assert (answer.status_code, answer.json()["code"]) == (409, "SEQ_CONFLICT")
    assert [row.event.encode() for row in hall.twin.ledger().events] == [canonical(event) for event in events]


def test_conflict_after_a_prefix_tells_how_far_the_prefix_went(hall: Hall) -> None:
    events = [hall.opened(), *hall.tickets(3)]
    taken = {**events[3], "id": events[1]["id"]}
    answer = hall.send_batch([*events[:3], taken])
    assert (answer.status_code, answer.json()["code"]) == (409, "ID_CONFLICT")
    assert answer.json()["acked_through"] == f"{3:016d}"
    assert hall.twin.ledger().acknowledged == 3


def test_a_new_stream_closes_the_former_one(hall: Hall) -> None:
    old = [hall.opened(), *hall.tickets(2)]
    hall.send_batch(old[:2])
    new = begin_newer_stream(hall)
    assert hall.send_batch([new]).status_code == 200
    answer = hall.send_batch(old, streamid=STREAM)
    assert (answer.status_code, answer.json()["code"]) == (409, "STREAM_CLOSED")
    assert answer.json()["acked_through"] == f"{2:016d}"
    assert hall.send_batch(old[:2], streamid=STREAM).json()["duplicates"] == 2
    assert hall.hello(streamid=STREAM).json()["stream_state"] == "closed"
    assert hall.hello().json()["stream_state"] == "open"


def test_events_re_emitted_in_a_new_stream_are_acknowledged_and_applied_once(hall: Hall) -> None:
    old = [hall.opened(), *hall.tickets(3)]
    hall.send_batch(old)
    begin = begin_newer_stream(hall, "repair")
    again = [
        {**event, "streamid": NEWER, "sequence": f"{place:016d}", "recordedtime": now()}
        for place, event in enumerate(old[1:], 2)
    ]
    hall.sequence = 4
    answer = hall.send_batch([begin, *again, hall.issued(4)])
    assert answer.json()["duplicates"] == 3
    ledger = hall.twin.ledger()
    assert len(ledger.tickets) == 4
    assert [row.status for row in ledger.repeats] == ["repeat"] * 3
    assert (ledger.acknowledged, ledger.duplicates, ledger.resent) == (9, 0, 3)
    assert [(row.streamid, row.sequence) for row in ledger.rows] == [
        *((STREAM, place) for place in range(1, 5)),
        *((NEWER, place) for place in range(1, 6)),
    ]


@pytest.mark.parametrize("changed", ["type", "subject", "aggseq", "data"])
def test_an_id_that_says_something_else_in_a_new_stream_is_id_conflict(hall: Hall, changed: str) -> None:
    old = [hall.opened(), hall.issued(1)]
    hall.send_batch(old)
    other = {
        "type": "hall.ticket.expired.v1",
        "subject": f"ticket/{new_id()}",
        "aggseq": 9,
        "data": {**old[1]["data"], "waiting_ahead": 3},
    }
    begin = begin_newer_stream(hall)
    again = {**old[1], "streamid": NEWER, "sequence": f"{2:016d}", changed: other[changed]}
    answer = hall.send_batch([begin, again])
    assert (answer.status_code, answer.json()["code"]) == (409, "ID_CONFLICT")


def test_a_new_stream_goes_on_from_the_chain_that_it_names(hall: Hall) -> None:
    hall.send_batch([hall.opened()])
    before = hall.twin.ledger().events[-1].chain
    begin = begin_newer_stream(hall, previous_last_sequence=f"{1:016d}", previous_chain_sm3=before)
    said = hall.send_batch([begin]).json()
    assert said["chain_sm3"] == sm3(f"{before}\n{sm3(canonical(begin))}\n".encode())
    assert hall.twin.ledger().warnings == ()


def test_a_new_stream_that_names_another_chain_is_noticed(hall: Hall) -> None:
    hall.send_batch([hall.opened()])
    begin = begin_newer_stream(hall, previous_last_sequence=1, previous_chain_sm3="1" * 64)
    assert hall.send_batch([begin]).status_code == 200
    [warning] = hall.twin.ledger().warnings
    assert (warning.event_id, warning.code) == (begin["id"], "CHAIN_MISMATCH")


def test_aggseq_may_start_lower_again_only_in_a_newer_stream(hall: Hall) -> None:
    hall.send_batch([hall.opened(), *(hall.event("clock.changed", "hall", clock_data()) for _ in range(3))])
    hall.aggseqs["hall"] = 1
    assert codes(hall.send_batch([begin_newer_stream(hall)])) == []
    hall.aggseqs["hall"] = 1
    assert codes(hall.send_batch([hall.event("clock.changed", "hall", clock_data())])) == ["AGGSEQ_GAP"]


def clock_data() -> dict[str, Any]:
    return {"kind": "step", "delta_ms": -5, "source": "ntp"}


def test_known_serials_are_the_highest_of_each_queue_also_from_quarantine(hall: Hall) -> None:
    events = [hall.opened(), *hall.tickets(3), hall.issued(7, queue_code="B", display_no="B007")]
    events.append(hall.issued(20, channel="pigeon"))
    hall.send_batch(events)
    assert hall.hello().json()["known_serials"] == {BIZDATE: {"A": 20, "B": 7}}


# -- quarantine ----------------------------------------------------------------------------------------------------


def broken(hall: Hall, code: str) -> dict[str, Any]:
    if code == "EVT_SCHEMA":
        return hall.issued(1, channel="pigeon")
    if code == "EVT_UNKNOWN_TYPE":
        return hall.event("ticket.applauded", f"ticket/{new_id()}", {})
    if code == "EVT_TOO_OLD":
        return {**hall.issued(1), "time": now(-401 * 86400)}
    if code == "EVT_PII_CLEAR":
        return hall.issued(1, id_masked="990000199909090053")
    if code == "EVT_PII_MAC":
        return hall.issued(1, pii=sealed(new_id(), {"name": "张测试"}))
    assert code == "AGGSEQ_GAP"
    return {**hall.issued(1), "aggseq": 2}


CODES = ["EVT_SCHEMA", "EVT_UNKNOWN_TYPE", "EVT_TOO_OLD", "EVT_PII_CLEAR", "EVT_PII_MAC", "AGGSEQ_GAP"]


@pytest.mark.parametrize("code", CODES)
def test_a_poisoned_event_is_acknowledged_and_kept_apart(hall: Hall, code: str) -> None:
    event = broken(hall, code)
    opened = {**hall.opened(), "sequence": f"{1:016d}"}
    event["sequence"] = f"{2:016d}"
    answer = hall.send_batch([opened, event, hall.issued(2)])
    assert answer.json()["acked_through"] == f"{3:016d}"
    [entry] = answer.json()["rejected"]
    assert (entry["sequence"], entry["id"], entry["code"]) == (f"{2:016d}", event["id"], code)
    assert "warning" not in entry
    ledger = hall.twin.ledger()
    assert [(row.id, row.code, row.event.encode()) for row in ledger.quarantined] == [
        (event["id"], code, canonical(event))
    ]
    assert [row.sequence for row in ledger.events] == [1, 3]
    assert [ticket.display_no for ticket in ledger.tickets] == ["A002"]
    [listed] = hall.send("GET", f"/streams/{STREAM}/cursor").json()["quarantine"]
    assert (listed["sequence"], listed["id"], listed["code"]) == (f"{2:016d}", event["id"], code)
    assert hall.hello().json()["quarantined"] == 1


def test_a_number_issued_twice_on_one_day_is_quarantined(hall: Hall) -> None:
    hall.open_stream()
    first, second = hall.issued(1), hall.issued(1)
    assert codes(hall.send_batch([first, second])) == ["EVT_DUP_DISPLAY_NO"]
    assert [ticket.ticket_id for ticket in hall.twin.ledger().tickets] == [first["data"]["ticket_id"]]
    tomorrow = {**hall.issued(1), "bizdate": "2026-11-22"}
    assert codes(hall.send_batch([tomorrow])) == []


@pytest.mark.parametrize(
    "place",
    [
        {"name_masked": "13800005678"},
        {"unheard_of": {"deep": ["电话13800005678"]}},
        {"unheard_of": "身份证99000019900909004X。"},
        {"phone": 13800005678},
        {"990000199909090053": 1},
    ],
)
def test_full_numbers_are_found_in_any_clear_field(hall: Hall, place: dict[str, Any]) -> None:
    hall.open_stream()
    answer = hall.send_batch([hall.issued(1, **place)])
    assert codes(answer) == ["EVT_PII_CLEAR"]
    assert "13800005678" not in answer.text
    assert "990000199909090053" not in answer.text


def test_identifiers_that_look_like_telephone_numbers_are_let_through(hall: Hall) -> None:
    hall.open_stream()
    ticket_id = "01981380-0005-7678-8000-138000056789"
    data = {"id_hmac": "13800005678" + "a" * 53, "id_masked": "990000********0053", "phone_masked": "138****5678"}
    assert codes(hall.send_batch([hall.issued(1, ticket_id, **data)])) == []


def test_later_events_of_a_quarantined_subject_are_held_and_others_go_on(hall: Hall) -> None:
    hall.open_stream()
    bad = hall.issued(1, channel="pigeon")
    ticket_id = bad["data"]["ticket_id"]
    later = hall.cancelled(ticket_id, 1)
    said = hall.send_batch([bad, later, hall.issued(2)]).json()
    assert said["held_subjects"] == [f"ticket/{ticket_id}"]
    assert [entry["id"] for entry in said["rejected"]] == [bad["id"]]
    ledger = hall.twin.ledger()
    assert [row.id for row in ledger.held] == [later["id"]]
    assert ledger.held_subjects == (f"ticket/{ticket_id}",)
    assert [ticket.display_no for ticket in ledger.tickets] == ["A002"]


def test_a_correction_applies_the_event_and_releases_what_was_held(hall: Hall) -> None:
    hall.open_stream()
    bad = hall.issued(1, channel="pigeon")
    ticket_id = bad["data"]["ticket_id"]
    later = hall.cancelled(ticket_id, 1)
    hall.send_batch([bad, later])
    data = {"corrects_id": bad["id"], "fields": {"channel": "kiosk"}, "reason_text": "wrong", "actor_id": "t001"}
    said = hall.send_batch([hall.event("event.corrected", f"ticket/{ticket_id}", data)]).json()
    assert (said["rejected"], said["held_subjects"]) == ([], [])
    ledger = hall.twin.ledger()
    assert (ledger.quarantined, ledger.held) == ((), ())
    assert [(ticket.display_no, ticket.state) for ticket in ledger.tickets] == [("A001", "cancelled")]
    assert ledger.events[1].event.encode() == canonical(bad), "what was acknowledged is not rewritten"
    assert ledger.duplicates == 0


def test_a_correction_that_corrects_nothing_leaves_it_in_quarantine(hall: Hall) -> None:
    hall.open_stream()
    bad = hall.issued(1, channel="pigeon")
    hall.send_batch([bad])
    data = {"corrects_id": bad["id"], "fields": {"channel": "dove"}, "reason_text": "wrong", "actor_id": "t001"}
    hall.send_batch([hall.event("event.corrected", bad["subject"], data)])
    assert [row.id for row in hall.twin.ledger().quarantined] == [bad["id"]]


def test_the_operator_can_retry_or_purge(hall: Hall) -> None:
    hall.open_stream()
    gap = {**hall.issued(1), "aggseq": 2}
    hall.send_batch([gap])
    assert hall.twin.retry_quarantined(gap["id"]) is True
    assert [ticket.display_no for ticket in hall.twin.ledger().tickets] == ["A001"]

    bad = hall.issued(2, channel="pigeon")
    later = hall.cancelled(bad["data"]["ticket_id"], 2)
    hall.send_batch([bad, later])
    assert hall.twin.retry_quarantined(bad["id"]) is False
    hall.twin.purge_quarantined(bad["id"])
    ledger = hall.twin.ledger()
    assert [row.status for row in ledger.quarantined] == ["purged"]
    assert later["id"] in [row.id for row in ledger.events]
    assert ledger.held_subjects == ()
    with pytest.raises(ValueError, match="EVENT_UNKNOWN"):
        hall.twin.purge_quarantined(bad["id"])


def test_releasing_stops_at_the_next_event_that_is_wrong_itself(hall: Hall) -> None:
    hall.open_stream()
    first = hall.issued(1, channel="pigeon")
    ticket_id = first["data"]["ticket_id"]
    printed = {"device_id": "PRN-01", "print_no": 1, "result": "ok"}
    second = hall.ticket_event("printed", ticket_id, **printed)
    third = hall.ticket_event("printed", ticket_id, **{**printed, "result": "perhaps"})
    fourth = hall.ticket_event("printed", ticket_id, **printed)
    hall.send_batch([first, second, third, fourth])
    hall.twin.purge_quarantined(first["id"])
    ledger = hall.twin.ledger()
    assert second["id"] in [row.id for row in ledger.events]
    assert [row.id for row in ledger.held] == [fourth["id"]]
    hall.twin.purge_quarantined(third["id"])
    assert fourth["id"] in [row.id for row in hall.twin.ledger().events]


# -- states of a ticket --------------------------------------------------------------------------------------------

AT_WINDOW = {"window_code": "3", "clerk_id": "c017"}
CALL = {
    **AT_WINDOW,
    "display_no": "A001",
    "call_no": 1,
    "call_mode": "next",
    "rule": {"picked_by": "arrival", "candidates": 1, "oldest_wait_s": 60},
}
STEPS: dict[str, dict[str, Any]] = {
    "called": CALL,
    "serving_started": {**AT_WINDOW, "identity_rechecked": True},
    "parked": {**AT_WINDOW, "reason_code": "material", "hold": "here"},
    "resumed": {**AT_WINDOW, "reason_code": "material", "hold": "here"},
    "transferred": {"from_window": "3", "to_queue": "B", "keep_position": True, "reason_code": "x", "clerk_id": "c"},
    "no_show": {"window_code": "3", "calls": 3, "by": "timer"},
    "requeued": {"position_rule": "after_n", "n": 3, "by": "kiosk"},
    "cancelled": {"display_no": "A001", "reason_code": "duplicate"},
    "finished": {**AT_WINDOW, "outcome": "completed", "local_case_nos": [], "started_at": now(), "ended_at": now()},
    "expired": {"display_no": "A001", "last_state": "waiting"},
}


@pytest.mark.parametrize(
    ("life", "ends_as"),
    [
        ("called serving_started parked resumed finished", "finished"),
        (
            "called called no_show requeued called serving_started transferred called serving_started finished",
            "finished",
        ),
        ("called serving_started parked finished", "finished"),
        ("called no_show expired", "expired"),
        ("expired", "expired"),
        ("cancelled", "cancelled"),
    ],
)
def test_legal_lives_of_a_ticket_raise_no_warning(hall: Hall, life: str, ends_as: str) -> None:
    hall.open_stream()
    issued = hall.issued(1)
    steps = [hall.ticket_event(verb, issued["data"]["ticket_id"], **STEPS[verb]) for verb in life.split()]
    assert hall.send_batch([issued, *steps]).json()["rejected"] == []
    assert [ticket.state for ticket in hall.twin.ledger().tickets] == [ends_as]


@pytest.mark.parametrize("life", ["finished", "called finished", "cancelled called", "called parked", "requeued"])
def test_an_illegal_step_is_flagged_and_stored(hall: Hall, life: str) -> None:
    hall.open_stream()
    issued = hall.issued(1)
    steps = [hall.ticket_event(verb, issued["data"]["ticket_id"], **STEPS[verb]) for verb in life.split()]
    [entry] = hall.send_batch([issued, *steps]).json()["rejected"]
    assert (entry["code"], entry["id"], entry["warning"]) == ("TRANSITION", steps[-1]["id"], True)
    ledger = hall.twin.ledger()
    assert [row.id for row in ledger.events][-1] == steps[-1]["id"]
    assert [warning.code for warning in ledger.warnings] == ["TRANSITION"]
    assert ledger.quarantined == ()


# -- an old backup, lost rows, resending ---------------------------------------------------------------------------


def test_a_province_restored_from_an_old_backup_asks_for_what_it_forgot(hall: Hall) -> None:
    events = [hall.opened(), *hall.tickets(9)]
    chain = hall.send_batch(events).json()["chain_sm3"]
    hall.twin.forget_after(4)
    assert hall.hello().json()["acked_through"] == f"{4:016d}"
    answer = hall.send_batch([hall.issued(99)])
    assert (answer.json()["code"], answer.json()["next_expected"]) == ("SEQ_GAP", f"{5:016d}")
    assert hall.send_batch(events[4:]).json()["chain_sm3"] == chain
    ledger = hall.twin.ledger()
    assert [row.event.encode() for row in ledger.events] == [canonical(event) for event in events]
    assert len(ledger.tickets) == 9
    assert ledger.duplicates == 0


def test_a_province_that_forgot_everything_still_knows_the_stream_or_not_after_a_reset(hall: Hall) -> None:
    events = [hall.opened(), *hall.tickets(2)]
    hall.send_batch(events)
    hall.twin.forget_after(0)
    assert hall.hello().json()["stream_state"] == "open"
    assert hall.send_batch(events).status_code == 200
    hall.twin.reset()
    assert hall.hello().json()["stream_state"] == "unknown"
    assert hall.send_batch(events[1:]).json()["code"] == "STREAM_UNKNOWN"
    assert hall.send_batch(events).status_code == 200


def test_lost_rows_come_back_by_resending_exactly_what_was_acknowledged(hall: Hall) -> None:
    events = [hall.opened(), *hall.tickets(5)]
    hall.send_batch(events)
    hall.twin.lose_rows([3, 5])
    ledger = hall.twin.ledger()
    assert [row.sequence for row in ledger.lost] == [3, 5]
    assert [row.sequence for row in ledger.events] == [1, 2, 4, 6]
    forged = {**events[2], "catver": 43}
    assert hall.send_batch([forged], query="mode=resend").json()["code"] == "SEQ_CONFLICT"
    said = hall.send_batch([events[2], events[3], events[4]], query="mode=resend").json()
    assert (said["duplicates"], said["acked_through"]) == (1, f"{6:016d}")
    ledger = hall.twin.ledger()
    assert [row.event.encode() for row in ledger.events] == [canonical(event) for event in events]
    assert (ledger.lost, ledger.duplicates) == ((), 0)


def test_resending_may_leave_gaps_but_not_go_beyond_what_was_acknowledged(hall: Hall) -> None:
    events = [hall.opened(), *hall.tickets(4)]
    hall.send_batch(events[:4])
    assert hall.send_batch([events[0], events[3]], query="mode=resend").json()["duplicates"] == 2
    assert hall.send_batch([events[3], events[4]], query="mode=resend").json()["code"] == "SEQ_GAP"
    assert hall.send_batch([events[3], events[0]], query="mode=resend").json()["code"] == "BAD_BATCH"
    assert hall.send_batch(events[:1], query="mode=again").json()["code"] == "BAD_BATCH"


def test_an_event_whose_personal_data_was_erased_since_is_the_same_event(hall: Hall) -> None:
    hall.open_stream()
    event = hall.issued(1)
    event["data"]["pii"] = sealed(event["id"], {"name": "张测试"})
    hall.send_batch([event])
    erased = json.loads(json.dumps(event))
    erased["data"]["pii"] = sm3(canonical(event["data"]["pii"]))
    assert hall.send_batch([erased]).json()["duplicates"] == 1
    hall.twin.forget_after(1)
    assert hall.send_batch([erased]).json()["rejected"] == []


def test_the_ledger_can_be_asked_for_one_day(hall: Hall) -> None:
    hall.open_stream()
    hall.send_batch([hall.issued(1), {**hall.issued(2), "bizdate": "2026-11-22"}])
    assert [ticket.display_no for ticket in hall.twin.ledger("2026-11-22").tickets] == ["A002"]
    assert hall.twin.ledger("2026-11-22").acknowledged == 1
    assert hall.twin.ledger().acknowledged == 3
