"""What halls pull (§7.6 to §7.9) and how a day is reconciled (§7.4)."""

from __future__ import annotations

import concurrent.futures
import json
from collections.abc import Iterator
from typing import Any

import pytest

from sim.province import ProvinceTwin
from sim.stopwatch import Stopwatch
from tests.province.event_examples import EXAMPLES, HEX, subject_of
from tests.province.twin_client import (
    BIZDATE,
    STREAM,
    Hall,
    blob_of,
    canonical,
    hall_of,
    new_id,
    now,
    running_twin,
    sm3,
)


@pytest.fixture(scope="module")
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProvinceTwin]:
    with running_twin(tmp_path_factory.mktemp("province")) as twin:
        yield twin


@pytest.fixture
def hall(twin: ProvinceTwin) -> Iterator[Hall]:
    twin.reset()
    with hall_of(twin) as hall:
        yield hall


def catalog(version: int, *items: str) -> dict[str, Any]:
    return {
        "version": version,
        "zones": [{"code": "D", "name": "社会民生区"}],
        "items": [{"code": code, "name": f"事项{code}"} for code in items],
        "calendar": [{"date": "2027-01-01", "work": False}, {"date": "2026-12-31", "work": True}],
    }


def get_catalog(hall: Hall, since: int, tag: str = "") -> Any:
    return hall.send("GET", "/catalog", headers={"If-None-Match": tag} if tag else {}, query=f"since={since}")


# -- catalog -------------------------------------------------------------------------------------------------------


def test_a_published_catalog_is_served_whole_and_then_not_again(hall: Hall) -> None:
    assert get_catalog(hall, 0).status_code == 304
    hall.twin.load_catalog(catalog(41, "B", "A"))
    answer = get_catalog(hall, 0)
    said = answer.json()
    assert (said["version"], said["mode"], said["base"], said["urgent"]) == (41, "full", 0, False)
    assert [item["code"] for item in said["items"]] == ["B", "A"]
    assert said["departments"] == []
    assert answer.headers["ETag"] == '"41"'
    assert get_catalog(hall, 0, '"41"').status_code == 304
    assert get_catalog(hall, 41).status_code == 304
    assert hall.hello().json()["catalog_version"] == 41


def test_content_digest_covers_the_sorted_content_whatever_way_it_was_fetched(hall: Hall) -> None:
    hall.twin.load_catalog(catalog(1, "B", "A"))
    said = get_catalog(hall, 0).json()
    lists = ("zones", "departments", "items", "materials", "evaluation_options", "notices")
    content = {name: sorted(said[name], key=lambda entry: entry["code"]) for name in lists}
    content["calendar"] = sorted(said["calendar"], key=lambda entry: entry["date"])
    assert said["content_sm3"] == sm3(canonical(content))


def test_a_difference_is_offered_only_on_request_and_leads_to_the_same_content(hall: Hall) -> None:
    hall.twin.load_catalog(catalog(1, "A", "B"))
    hall.twin.load_catalog(catalog(2, "B", "C"), offer_delta=True)
    whole, part = get_catalog(hall, 0).json(), get_catalog(hall, 1).json()
    assert (part["mode"], part["base"], part["content_sm3"]) == ("delta", 1, whole["content_sm3"])
    assert [item["code"] for item in part["items"]] == ["C"]
    assert part["removed"]["items"] == ["A"]
    assert part["zones"] == []
    hall.twin.load_catalog(catalog(3, "B"))
    assert get_catalog(hall, 2).json()["mode"] == "full"


def test_a_base_that_is_unknown_is_gone(hall: Hall) -> None:
    hall.twin.load_catalog(catalog(5, "A"))
    answer = get_catalog(hall, 4)
    assert (answer.status_code, answer.json()["code"]) == (410, "CATALOG_BASE_GONE")


def test_versions_rise_and_catalogs_survive_a_crash(hall: Hall) -> None:
    hall.twin.load_catalog(catalog(5, "A"))
    with pytest.raises(ValueError, match="CATALOG_VERSION"):
        hall.twin.load_catalog(catalog(5, "B"))
    with pytest.raises(ValueError, match="BAD_ENVELOPE"):
        hall.twin.load_catalog({"version": "six"})
    hall.twin.restart()
    assert get_catalog(hall, 0).json()["version"] == 5


def test_a_catalog_may_lie_about_its_digest_when_a_test_wants_it(hall: Hall) -> None:
    hall.twin.load_catalog({**catalog(6, "A"), "content_sm3": HEX, "urgent": True, "effective_at": now()})
    said = get_catalog(hall, 0).json()
    assert (said["content_sm3"], said["urgent"]) == (HEX, True)


# -- appointments --------------------------------------------------------------------------------------------------


def appointment(number: int, rev: int = 1, state: str = "booked", bizdate: str = BIZDATE) -> dict[str, Any]:
    return {
        "id": f"AP-{number}",
        "code6": f"{number:06d}",
        "item_codes": ["11990000990000017W4990101001000"],
        "bizdate": bizdate,
        "slot_start": f"{bizdate}T09:00:00.000+08:00",
        "slot_end": f"{bizdate}T09:30:00.000+08:00",
        "id_type": "111",
        "id_hmac": HEX,
        "name_masked": "张**",
        "phone_tail4": "5678",
        "state": state,
        "rev": rev,
    }


def test_appointments_are_listed_by_day_and_then_only_what_changed(hall: Hall) -> None:
    hall.twin.put_appointments([appointment(1), appointment(2), appointment(3, bizdate="2026-12-30")])
    said = hall.send("GET", "/appointments", query=f"from={BIZDATE}&to=2026-11-28").json()
    assert [item["id"] for item in said["items"]] == ["AP-1", "AP-2"]
    cursor = said["next_cursor"]
    hall.twin.put_appointments([appointment(2, rev=1, state="cancelled")])
    assert hall.send("GET", "/appointments", query="changed_since=3").json()["items"] == []
    hall.twin.put_appointments([appointment(1, rev=2, state="cancelled")])
    said = hall.send("GET", "/appointments", query=f"changed_since={cursor}&from={BIZDATE}&to={BIZDATE}").json()
    assert [(item["id"], item["state"], item["rev"]) for item in said["items"]] == [("AP-1", "cancelled", 2)]


def test_many_appointments_come_in_pages(hall: Hall) -> None:
    hall.twin.put_appointments([appointment(number) for number in range(450)])
    seen: list[str] = []
    said: dict[str, Any] = {"next_cursor": "0", "more": True}
    while said["more"]:
        said = hall.send("GET", "/appointments", query=f"cursor={said['next_cursor']}").json()
        seen += [item["id"] for item in said["items"]]
    assert seen == [f"AP-{number}" for number in range(450)]


def test_a_check_in_reaches_the_appointment(hall: Hall) -> None:
    hall.twin.put_appointments([appointment(1)])
    hall.open_stream()
    data = EXAMPLES["appointment.checked_in"]
    hall.send_batch([hall.event("appointment.checked_in", subject_of("appointment.checked_in"), data)])
    [item] = hall.send("GET", "/appointments", query="changed_since=1").json()["items"]
    assert (item["state"], item["rev"]) == ("checked_in", 2)


def test_an_appointment_that_is_none_is_refused(hall: Hall) -> None:
    with pytest.raises(ValueError, match="state"):
        hall.twin.put_appointments([appointment(1, state="perhaps")])


# -- commands ------------------------------------------------------------------------------------------------------


def test_commands_are_fetched_once_by_number_and_answered_by_an_event(hall: Hall) -> None:
    first = hall.twin.give_command("notice.show", {"text": "今天停电", "level": "info"})
    second = hall.twin.give_command("catalog.refresh", expires_at=now(3600))
    said = hall.send("GET", "/commands", query="after=0").json()
    assert [(command["id"], command["type"]) for command in said] == [
        (first, "notice.show"),
        (second, "catalog.refresh"),
    ]
    assert said[0]["args"]["text"] == "今天停电"
    assert [command["id"] for command in hall.send("GET", "/commands", query=f"after={first}").json()] == [second]
    assert hall.hello().json()["commands_pending"] == 2
    hall.open_stream()
    hall.send_batch([hall.event("command.result", "hall", {"command_id": first, "result": "done"})])
    assert hall.hello().json()["commands_pending"] == 1


def test_a_hall_that_waits_for_commands_hears_at_once(hall: Hall) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool, hall_of(hall.twin) as waiting:
        answer = pool.submit(waiting.send, "GET", "/commands", query="after=0&wait=25")
        with pytest.raises(concurrent.futures.TimeoutError):
            answer.result(timeout=0.2)
        watch = Stopwatch()
        number = hall.twin.give_command("keys.refresh")
        assert [command["id"] for command in answer.result(timeout=5).json()] == [number]
        assert watch.s < 2


def test_waiting_ends_with_an_empty_list(hall: Hall) -> None:
    watch = Stopwatch()
    assert hall.send("GET", "/commands", query="after=0&wait=1").json() == []
    assert watch.wall_s >= 1


def test_a_province_that_stops_lets_waiting_halls_go(hall: Hall) -> None:
    with concurrent.futures.ThreadPoolExecutor(1) as pool, hall_of(hall.twin) as waiting:
        answer = pool.submit(waiting.send, "GET", "/commands", query="after=0&wait=25")
        with pytest.raises(concurrent.futures.TimeoutError):
            answer.result(timeout=0.2)
        watch = Stopwatch()
        hall.twin.stop()
        assert answer.result(timeout=5).json() == []
        assert watch.s < 3
    hall.twin.start()


def test_heartbeats_are_answered_and_the_last_is_kept(hall: Hall) -> None:
    beat = {
        "time": now(),
        "boot_id": new_id(),
        "bizdate": BIZDATE,
        "day_state": "open",
        "backlog_events": 3,
        "backlog_blobs": 0,
        "oldest_unacked_s": 12,
        "disk_free_bytes": 138000056789,
        "db_bytes": 1,
        "clkstate": "sync",
        "clkoffms": -5,
        "waiting": {"A": 3},
        "windows_open": 2,
        "devices": [{"id": "PRN-01", "kind": "printer", "state": "ok", "since": now()}],
        "version": "0.1.0",
    }
    assert hall.post("/heartbeat", beat).json()["commands_pending"] == 0
    health = hall.twin.health()
    assert (health["heartbeats"], health["heartbeat"]["backlog_events"]) == (1, 3)
    assert hall.post("/heartbeat", {**beat, "waiting": 3}).json()["code"] == "BAD_ENVELOPE"


# -- reconciliation ------------------------------------------------------------------------------------------------


def claim(events: list[dict[str, Any]], chain: str, **other: Any) -> dict[str, Any]:
    """What a hall says about a day: its own count over its own rows."""
    lines = "".join(f"{event['sequence']} {event['id']} {sm3(canonical(event))}\n" for event in events)
    issued = [event["data"] for event in events if event["type"] == "hall.ticket.issued.v1"]
    scanned = [event["data"] for event in events if event["type"] == "hall.material.scanned.v1"]
    blobs = sorted({page["blob"]["blob"] for data in scanned for page in data["pages"]})
    by_queue: dict[str, Any] = {}
    for data in issued:
        serials = [each["serial"] for each in issued if each["queue_code"] == data["queue_code"]]
        by_queue[data["queue_code"]] = {"min": min(serials), "max": max(serials), "count": len(serials)}
    return {
        "bizdate": BIZDATE,
        "streamid": STREAM,
        "first_sequence": events[0]["sequence"],
        "last_sequence": events[-1]["sequence"],
        "event_count": len(events),
        "digest_sm3": sm3(lines.encode()),
        "tickets": len(issued),
        "by_queue": by_queue,
        "blobs": len(blobs),
        "blob_digest_sm3": sm3("".join(f"{blob}\n" for blob in blobs).encode()),
        "chain_sm3": chain,
        **other,
    }


def scanned(hall: Hall, content: bytes) -> dict[str, Any]:
    material_id = new_id()
    data = json.loads(json.dumps(EXAMPLES["material.scanned"]))
    del data["bundle"]
    blob = {"blob": blob_of(content), "sm3": sm3(content), "bytes": len(content), "media": "image/jpeg"}
    data["pages"][0]["blob"] = blob
    return hall.event("material.scanned", f"material/{material_id}", {**data, "material_id": material_id})


def test_a_day_that_agrees_is_a_match(hall: Hall) -> None:
    events = [hall.opened(), *hall.tickets(300), hall.issued(1, queue_code="B", display_no="B001")]
    chain = hall.send_batch(events).json()["chain_sm3"]
    assert hall.post("/reconciliations", claim(events, chain)).json() == {"result": "match"}
    [day] = hall.twin.ledger().reconciliations
    assert (day.bizdate, day.first, day.last, day.result) == (BIZDATE, 1, 302, "match")


def test_poisoned_and_held_events_belong_to_the_day_as_well(hall: Hall) -> None:
    bad = hall.opened(), hall.issued(1, channel="pigeon")
    events = [*bad, hall.cancelled(bad[1]["data"]["ticket_id"], 1)]
    chain = hall.send_batch(events).json()["chain_sm3"]
    assert hall.post("/reconciliations", claim(events, chain)).json() == {"result": "match"}


def test_lost_events_show_in_their_bucket_and_come_back_by_resending(hall: Hall) -> None:
    events = [hall.opened(), *hall.tickets(299)]
    chain = hall.send_batch(events).json()["chain_sm3"]
    hall.twin.lose_rows([2, 299])
    said = hall.post("/reconciliations", claim(events, chain)).json()
    assert said["result"] == "mismatch"
    assert [(bucket["from"], bucket["to"], bucket["count"]) for bucket in said["buckets"]] == [
        (f"{1:016d}", f"{256:016d}", 255),
        (f"{257:016d}", f"{300:016d}", 43),
    ]
    hall.send_batch([events[1], events[298]], query="mode=resend")
    assert hall.post("/reconciliations", claim(events, chain)).json() == {"result": "match"}
    assert hall.twin.ledger().duplicates == 0


def test_files_that_are_missing_are_named_until_they_are_stored(hall: Hall) -> None:
    page = b"page one"
    events = [hall.opened(), scanned(hall, page)]
    chain = hall.send_batch(events).json()["chain_sm3"]
    said = hall.post("/reconciliations", claim(events, chain)).json()
    assert (said["result"], said["missing_blobs"]) == ("mismatch", [blob_of(page)])
    hall.upload(page)
    assert hall.post("/reconciliations", claim(events, chain)).json() == {"result": "match"}


def test_another_chain_over_the_same_events_is_chain_mismatch(hall: Hall) -> None:
    events = [hall.opened(), *hall.tickets(3)]
    chain = hall.send_batch(events).json()["chain_sm3"]
    answer = hall.post("/reconciliations", claim(events, "1" * 64))
    assert (answer.status_code, answer.json()["code"]) == (409, "CHAIN_MISMATCH")
    assert answer.json()["bucket"]["from"] == f"{1:016d}"
    assert hall.post("/reconciliations", claim(events, chain)).json() == {"result": "match"}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"event_count": 9}, "events"),
        ({"digest_sm3": HEX}, "events"),
        ({"tickets": 9}, "tickets"),
        ({"by_queue": {"A": {"min": 1, "max": 9, "count": 3}}}, "tickets"),
        ({"blobs": 1}, "blobs"),
        ({"blob_digest_sm3": HEX}, "blobs"),
    ],
)
def test_each_figure_of_a_day_is_compared(hall: Hall, wrong: dict[str, Any], named: str) -> None:
    events = [hall.opened(), *hall.tickets(3)]
    chain = hall.send_batch(events).json()["chain_sm3"]
    said = hall.post("/reconciliations", claim(events, chain, **wrong)).json()
    assert (said["result"], said["differences"]) == ("mismatch", [named])


def test_a_day_is_reconciled_only_when_all_of_it_is_here(hall: Hall) -> None:
    events = [hall.opened(), *hall.tickets(3)]
    chain = hall.send_batch(events[:3]).json()["chain_sm3"]
    answer = hall.post("/reconciliations", claim(events, chain))
    assert (answer.status_code, answer.json()["code"]) == (409, "SEQ_GAP")
    assert answer.json()["next_expected"] == f"{4:016d}"
    unknown = claim(events, chain, streamid=new_id())
    assert hall.post("/reconciliations", unknown).json()["code"] == "STREAM_UNKNOWN"
