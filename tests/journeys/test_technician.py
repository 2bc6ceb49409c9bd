"""What a technician asks of the running daemon: health, incidents, tests, repair, traces; over HTTP, on twins."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from hall_daemon.self_tests import PATTERNS
from sim.hall_plan import DEMO_PIN
from sim.idcard_records import RESIDENTS
from tests.journeys.conftest import Hall
from tests.waiting import until


def first_line(hall: Hall, path: str) -> dict[str, Any]:
    """The first line of a stream."""
    with httpx.stream("GET", f"{hall.bench.url}{path}", timeout=20, trust_env=False) as answer:
        line: dict[str, Any] = json.loads(next(text for text in answer.iter_lines() if text.strip()))
        return line


def detail(hall: Hall, device: str) -> dict[str, Any]:
    return first_line(hall, f"/devices/{device}/views")


def state(hall: Hall) -> dict[str, Any]:
    return first_line(hall, "/devices/views")


def device(view: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(d for d in view["devices"] if d["view"]["device"] == name)
    return found


def self_test(hall: Hall, name: str, act: Callable[[], object] = lambda: None) -> dict[str, Any]:
    """Run a self-test to its end; `act` is what a person does at the prompt."""
    assert hall.post(f"/devices/{name}/test").status_code == 202
    acted = False

    def over() -> bool:
        nonlocal acted
        test = detail(hall, name)["test"]
        if test["prompt"]["zh"] and not acted:
            acted = True
            act()
        return bool(test["state"] != "running")

    until(over, 40, f"self-test of {name}")
    found: dict[str, Any] = detail(hall, name)["test"]
    return found


@contextmanager
def following(hall: Hall, path: str) -> Iterator[list[dict[str, Any]]]:
    """Lines of a stream, collected on a thread while inside."""
    found: list[dict[str, Any]] = []
    ended, begun = threading.Event(), threading.Event()

    def read() -> None:
        with httpx.stream("GET", f"{hall.bench.url}{path}", timeout=30, trust_env=False) as answer:
            for line in answer.iter_lines():
                begun.set()
                if ended.is_set():
                    return
                if line.strip():
                    found.append(json.loads(line))

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    begun.wait(20)
    try:
        yield found
    finally:
        ended.set()
        thread.join(20)


def test_paper_runs_out_is_refilled_and_every_page_of_the_technician_follows(hall: Hall) -> None:
    before = detail(hall, "PRN-01")
    assert (before["cause"]["zh"], before["effect"]["zh"], before["repair"]) == ("没有问题", "没有影响", None)
    assert before["place"]["zh"] == "1号取号机"

    hall["PRN-01"].run_out_of_paper()
    until(lambda: device(state(hall), "PRN-01")["health"] == "bad", 20, "paper out is seen")
    out = detail(hall, "PRN-01")
    assert out["device"]["state"] == {"zh": "缺纸", "en": "out of paper"}
    assert "取号不中断" in out["effect"]["zh"]
    assert out["cause"]["zh"] == "末端传感器无纸"
    assert "换纸" in out["advice"]["zh"]
    assert [i["what"] for i in out["incidents"]] == ["paper_out"]
    assert out["incidents"][0]["ended"] is None
    assert [s["state"] for s in out["repair"]["steps"]] == ["now", "todo", "todo"]
    assert state(hall)["level"] == "L2"

    hall["PRN-01"].refill()
    until(lambda: device(state(hall), "PRN-01")["health"] == "ok", 20, "paper is back")
    assert [s["state"] for s in detail(hall, "PRN-01")["repair"]["steps"]] == ["done", "done", "now"]
    test = self_test(hall, "PRN-01")
    assert test["state"] == "passed", test
    after = detail(hall, "PRN-01")
    assert [s["state"] for s in after["repair"]["steps"]] == ["done", "done", "done"]
    assert after["incidents"][0]["ended"] is not None
    assert after["counters"]["troubles"] == 1
    slip = "\n".join(line.text for line in hall["PRN-01"].whole_slips[-1].text_lines)
    assert "打印测试 PRN-01" in slip
    assert "0----1----2----3" in slip
    assert hall.tickets() == {}, "a test issues no number"


def test_card_test_shows_a_masked_card_and_begins_no_visit(hall: Hall) -> None:
    person = RESIDENTS["zhang"]
    test = self_test(hall, "IDR-01", lambda: hall["IDR-01"].put("zhang"))
    hall["IDR-01"].lift()
    assert test["state"] == "passed", test
    told = json.dumps(test, ensure_ascii=False)
    assert person.number[-4:] in told
    assert person.number not in told
    assert person.name not in told
    assert test["steps"][-1]["note"]["zh"].endswith(" 居民身份证")
    assert first_line(hall, "/kiosks/k1/views")["screen"] == "idle"


def test_keys_are_echoed_and_nothing_but_silence_ends_the_test(hall: Hall) -> None:
    test = self_test(hall, "KEY-01", lambda: [hall["KEY-01"].press(key) for key in ("1", "2", "ok")])
    assert test["state"] == "passed", test
    assert test["steps"][-1]["note"]["zh"] == "收到 3 个键：1 2 ok"


def test_no_test_takes_the_keypad_of_somebody_who_is_typing(hall: Hall) -> None:
    hall["IDR-01"].put("zhang")
    until(lambda: first_line(hall, "/kiosks/k1/views")["screen"] == "phone", 20, "a visit")
    refused = hall.post("/devices/KEY-01/test")
    assert (refused.status_code, refused.json()["code"]) == (409, "kiosk_in_use")
    assert "维护" in refused.json()["text"]["zh"]
    hall["IDR-01"].lift()
    hall["KEY-01"].press("cancel")


def test_display_shows_every_pattern_and_then_its_own_text_again(hall: Hall) -> None:
    until(lambda: "未开放" in hall["DSP-01"].text, 20, "closed window")
    test = self_test(hall, "DSP-01")
    assert test["state"] == "passed", test
    assert [s["name"]["zh"] for s in test["steps"][3:]] == [
        f"显示图案 {n}：{words}" for n, words in enumerate(PATTERNS, 1)
    ]
    until(lambda: "未开放" in hall["DSP-01"].text, 20, "its own text again")


def test_scanner_test_counts_a_page_and_files_nothing(hall: Hall) -> None:
    test = self_test(hall, "SCN-01")
    assert test["state"] == "passed", test
    assert "1 页" in test["steps"][-1]["note"]["zh"]
    assert not any(hall.bench.database.with_name("blobs").rglob("*.jp*g"))


def test_test_of_a_device_that_is_away_fails_at_its_link(hall: Hall) -> None:
    hall.bench.lines["PRN-01"].unplug()
    until(lambda: not hall.online("PRN-01"), 20, "printer offline")
    test = self_test(hall, "PRN-01")
    assert test["state"] == "failed"
    assert [s["health"] for s in test["steps"]] == ["bad", "off", "off", "off"]
    hall.bench.lines["PRN-01"].replug()
    until(lambda: hall.online("PRN-01"), 30, "printer back")


def test_trace_tells_bytes_and_meaning_and_of_keys_their_number_only(hall: Hall) -> None:
    with following(hall, "/devices/PRN-01/trace?joined=true") as lines:
        until(lambda: any("状态：正常" in line["meaning"]["zh"] for line in lines), 20, "an answer in words")
    asked = next(line for line in lines if line["direction"] == ">")
    assert asked["hex"].startswith("10 04 01")
    assert "问纸传感器" in asked["meaning"]["zh"]
    with following(hall, "/devices/KEY-01/trace") as lines:
        hall["KEY-01"].press("7")
        until(lambda: any(line["personal"] for line in lines), 20, "a key")
    typed = next(line for line in lines if line["personal"])
    assert (typed["hex"], typed["direction"]) == ("", "<")
    assert "已遮盖" in typed["meaning"]["zh"]


def test_incidents_of_today_are_known_again_after_a_kill(hall: Hall) -> None:
    hall["PRN-01"].run_out_of_paper()

    def told() -> list[str]:
        return [e["state"] for e in hall.events("device.changed") if e["device_id"] == "PRN-01"]

    until(told, 40, "the event")
    hall.daemon.kill()
    hall["PRN-01"].refill()
    hall.daemon.start()
    until(lambda: device(state(hall), "PRN-01")["health"] == "ok", 40, "printer well again")
    incidents = detail(hall, "PRN-01")["incidents"]
    assert [(i["what"], i["from_log"], i["ended"] is not None) for i in incidents] == [("paper_out", True, True)]
    until(lambda: told() == ["degraded", "ok"], 40, "news that it is well")


def test_disabled_device_is_off_on_purpose_also_over_a_restart_and_comes_back(hall: Hall) -> None:
    for _ in range(2):
        assert hall.post("/devices/DSP-02/disable").status_code == 202
    until(lambda: device(state(hall), "DSP-02")["health"] == "off", 20, "disabled")
    assert self_test(hall, "PRN-01")["state"] == "passed"
    until(lambda: device(state(hall), "PRN-01")["view"]["roll_used_mm"], 20, "the test slip is counted")
    used_mm = device(state(hall), "PRN-01")["view"]["roll_used_mm"]
    hall.daemon.kill()
    hall.daemon.start()
    assert device(state(hall), "PRN-01")["view"]["roll_used_mm"] == used_mm, "the roll is the same as before"
    until(lambda: device(state(hall), "DSP-01")["health"] == "ok", 40, "the other display")
    assert device(state(hall), "DSP-02")["health"] == "off", "who took it out puts it back, and no restart"
    assert detail(hall, "DSP-02")["repair"]["steps"][0]["text"]["zh"] == "按 F9 启用"
    assert hall.post("/devices/DSP-02/enable").status_code == 202
    until(lambda: device(state(hall), "DSP-02")["health"] == "ok", 20, "enabled")
    acted = [(e["actor"], e["action"], e["target"]) for e in hall.events("operator.acted")]
    assert acted[-2:] == [
        ("technician", "device_disable", "device/DSP-02"), ("technician", "device_enable", "device/DSP-02"),
    ]  # fmt: skip


def test_what_is_not_there_is_not_found(hall: Hall) -> None:
    for path in ("/devices/NO-01/test", "/devices/NO-01/enable"):
        assert hall.post(path).status_code == 404
    assert hall.post("/devices/NO-01/repair", step=1).status_code == 404
    assert hall.post("/devices/PRN-01/repair", step=1).json()["code"] == "no_repair"
    assert hall.post("/devices/kiosks/k9/maintenance", on=True).status_code == 404
    assert hall.get("/devices/NO-01/views")["code"] == "not_found"


def test_kiosk_is_taken_out_and_put_back_over_http(hall: Hall) -> None:
    assert hall.post("/devices/kiosks/k1/maintenance", on=True).status_code == 202
    until(lambda: first_line(hall, "/kiosks/k1/views")["screen"] == "maintenance", 20, "maintenance")
    kiosk = next(g for g in state(hall)["groups"] if g["kind"] == "kiosk")
    assert kiosk["maintenance"] is True
    assert hall.post("/devices/kiosks/k1/maintenance", on=False).status_code == 202
    until(lambda: first_line(hall, "/kiosks/k1/views")["screen"] == "idle", 20, "idle")


def test_a_fault_is_rehearsed_with_a_managers_word_and_ends_by_itself(hall: Hall) -> None:
    offer = hall.get("/devices/PRN-01/drill")
    assert [choice["what"] for choice in offer["choices"]] == ["paper_out", "paper_jam", "cover_open", "offline"]
    assert (offer["needs_manager"], offer["until"]) == (True, "")
    assert "取号不中断" in offer["choices"][0]["effect"]["zh"]
    path, drill = "/devices/PRN-01/drill", {"what": "paper_out", "seconds": 10}
    refused = [
        hall.post(path, **drill | more).json()["code"]
        for more in ({}, {"manager": "c001", "pin": DEMO_PIN}, {"what": "keys_stuck"})
    ]
    assert refused == ["wrong_pin", "not_your_role", "not_found"]

    assert hall.post(path, **drill, manager="m903", pin=DEMO_PIN).status_code == 202
    assert device(state(hall), "PRN-01")["state"]["zh"] == "缺纸（模拟）"
    assert first_line(hall, "/kiosks/k1/views")["notices"], "residents are told"
    second = hall.post("/devices/DSP-01/drill", what="offline", manager="m903", pin=DEMO_PIN)
    assert second.json()["code"] == "drill_running"
    until(lambda: device(state(hall), "PRN-01")["health"] == "ok", 45, "well again by itself")

    assert hall.post("/devices/DSP-01/drill", what="offline", manager="m903", pin=DEMO_PIN).status_code == 202
    assert hall.http.delete("/devices/DSP-01/drill").status_code == 202
    assert device(state(hall), "DSP-01")["health"] == "ok"
    assert state(hall)["incidents"] == []
    assert hall.events("device.changed") == []
    begun = [e for e in hall.events("operator.acted") if e["action"] == "device.drill"]
    assert [(e["target"], e["reason_text"]) for e in begun] == [
        ("device/PRN-01", "paper_out 10 s, m903"), ("device/DSP-01", "offline 120 s, m903"),
    ]  # fmt: skip
