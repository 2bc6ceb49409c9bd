"""A keypad that sticks and a resident who walks away (faults.md A16, A17)."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.journeys.conftest import Hall
from tests.journeys.fault_hall import Operator, Resident, words
from tests.journeys.hurried_daemon import TIMES
from tests.waiting import until

pytestmark = pytest.mark.timeout(120)


@pytest.mark.fault("A16")
def test_a_key_that_sticks_counts_no_more_and_sends_people_to_the_other_kiosk(faulty: Hall) -> None:
    operator, resident = Operator(faulty), Resident(faulty)
    resident.lay("zhang")
    resident.shows("phone")
    resident.keypad.stick("9")
    resident.reads("键盘异常，请换用2号取号机")
    operator.sees("KEY-01", "warn", "按键卡住")
    operator.is_told("KEY-01", ("degraded", "keys_stuck"))
    typed = resident.view["field"]["typed"]
    assert typed <= 11
    assert resident.view["screen"] == "phone"

    resident.keypad.recover()
    resident.reads_no("键盘异常")
    operator.is_told("KEY-01", ("degraded", "keys_stuck"), ("ok", "online"))
    resident.keypad.press("correct")
    resident.screen.until(lambda v: v["field"]["typed"] == typed - 1, 40, "keys count again")


@pytest.mark.fault("A16")
def test_without_another_kiosk_the_sentence_names_none(faulty: Hall) -> None:
    resident = Resident(faulty)
    faulty.bench.lines["KEY-02"].unplug()
    until(lambda: not faulty.online("KEY-02"), 15, "the other pad is gone")
    resident.keypad.stick("5")
    resident.reads("键盘异常，请换一台取号机")
    resident.keypad.recover()
    faulty.bench.lines["KEY-02"].replug()
    until(lambda: faulty.online("KEY-02"), 15, "the other pad is back")


@pytest.mark.fault("A17")
def test_who_walks_away_is_asked_and_forgotten_and_the_next_person_sees_the_first_page(
    start_faulty: Callable[..., Hall],
) -> None:
    hall = start_faulty(hurried=True)
    resident = Resident(hall)
    resident.lay("zhang")
    assert "张*试" in words(resident.shows("phone"))
    resident.keypad.type("1390000")
    resident.screen.until(lambda v: (v["field"] or {}).get("typed") == 7, 40, "typed")
    resident.reader.lift()
    asked = resident.shows("timeout")
    assert asked["title"]["zh"] == "还需要时间吗？"
    assert asked["line"]["zh"] == "到时自动结束，并清除您的信息"
    assert asked["seconds_left"] <= TIMES["question_s"] + 1
    view = resident.shows("idle")
    assert view["title"]["zh"] == "请把身份证放在读卡区"
    assert not [word for word in ("张", "0053", "1390000", "139 0000") if word in json.dumps(view, ensure_ascii=False)]
    assert hall.tickets() == {}
    resident.lay("li")
    assert resident.shows("phone")["field"]["typed"] == 0
    assert "李*例" in words(resident.view)
    resident.reader.lift()
    operator = Operator(hall)
    assert {d["health"] for d in operator.state()["devices"]} == {"ok"}, "nobody is alarmed"
