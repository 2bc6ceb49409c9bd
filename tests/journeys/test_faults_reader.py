"""Faults of the card reader and of cards (faults.md A10 to A15): other ways for the resident, news for the staff."""

from __future__ import annotations

import pytest

from sim.stopwatch import Stopwatch
from tests.journeys.conftest import Hall
from tests.journeys.fault_hall import Operator, Resident, first_line, slips, words
from tests.waiting import until

pytestmark = pytest.mark.timeout(120)


def current(hall: Hall, window: str) -> dict[str, str]:
    """The ticket on a clerk's screen."""
    found: dict[str, str] = first_line(hall, f"/windows/{window}/views")["current"]
    return found


@pytest.mark.fault("A10")
def test_without_a_reader_the_first_page_offers_other_ways_within_three_seconds(faulty: Hall) -> None:
    operator, resident, line = Operator(faulty), Resident(faulty), faulty.bench.lines["IDR-01"]
    watch = Stopwatch()
    line.unplug()
    view = resident.shows("reader")
    assert watch.s < 3
    assert (view["title"]["zh"], view["line"]["zh"]) == ("读卡器暂时不能用", "您还可以这样取号")
    assert "2号取号机可以刷证" in words(view)
    assert [c["label"]["zh"] for c in view["choices"]] == ["手工输入身份证号", "护照或其他证件", "请工作人员帮忙"]
    operator.sees("IDR-01", "warn", "断线")
    assert operator.state()["level"] == "L2", "amber, and a device is lost all the same"
    operator.is_told("IDR-01", ("failed", "offline"))

    resident.press("1", "id")
    resident.keypad.type("99000019900909004")
    resident.screen.until(lambda v: v["field"]["typed"] == 17, 40, "17 digits typed")
    resident.keypad.press("*")
    resident.reads("下一步")
    resident.press("ok", "phone")
    resident.press("*", "service")
    resident.choose()
    number = resident.press("ok", "done")["ticket"]["number"]
    [issued] = faulty.events("ticket.issued")
    assert (issued["display_no"], issued["identity_mode"]) == (number, "manual")

    resident.press("ok", "reader")
    line.replug()
    resident.shows("idle")
    operator.is_told("IDR-01", ("failed", "offline"), ("ok", "online"))


@pytest.mark.fault("A11")
def test_a_card_on_which_the_reader_hangs_is_asked_for_again_while_the_keys_work(faulty: Hall) -> None:
    operator, resident, reader = Operator(faulty), Resident(faulty), faulty["IDR-01"]
    reader.cut_record_after(300, times=20)  # the rest of the record never comes
    resident.lay("zhang")
    resident.press("help", "help")
    watch = Stopwatch()
    resident.press("ok", "readfail", "idle")
    assert resident.shows("readfail")["title"]["zh"] == "读得太短，请重新放一次"
    assert watch.s < 4
    resident.reader.lift()
    reader.recover()
    resident.lay("zhang")
    resident.shows("phone")

    resident.reader.lift()
    resident.press("cancel", "idle")
    reader.go_mute()
    resident.shows("reader")
    resident.press("1", "id")
    operator.sees("IDR-01", "warn", "断线")
    reader.recover()
    operator.sees("IDR-01", "ok", "正常", 40)
    view = operator.detail("IDR-01")["device"]["view"]
    assert (view["reconnects"], view["silences"] >= 3) == (1, True)


@pytest.mark.fault("A12")
@pytest.mark.parametrize("verb", ["lift_during_read", "damage_record", "shorten_record"])
def test_half_a_record_is_thrown_away_and_the_card_asked_for_again(faulty: Hall, verb: str) -> None:
    resident, reader = Resident(faulty), faulty["IDR-01"]
    getattr(reader, verb)(**({} if verb.startswith("lift") else {"times": 20}))
    resident.lay("zhang")
    view = resident.shows("readfail")
    assert (view["title"]["zh"], view["line"]["zh"]) == ("读得太短，请重新放一次", "放好后请不要移开，大约 1 秒")
    assert view["facts"] == []
    assert faulty.tickets() == {}
    reader.recover()
    resident.reader.lift()
    resident.lay("zhang")
    assert "张*试，您好" in words(resident.shows("phone"))
    assert Operator(faulty).device("IDR-01") == ("ok", "正常")


@pytest.mark.fault("A13")
def test_a_card_that_is_read_again_or_left_there_begins_no_second_visit(faulty: Hall) -> None:
    resident = Resident(faulty)
    faulty["IDR-01"].find_a_card_that_stays()  # the other kind of reader cannot tell a card that lies from none
    resident.identify("zhang")
    read = faulty["IDR-01"].sam.records_read
    resident.reader.lift()
    resident.lay("zhang")
    until(lambda: faulty["IDR-01"].sam.records_read > read, what="read again")
    assert resident.view["screen"] == "service", "the visit goes on"
    resident.choose()
    number = resident.press("ok", "done")["ticket"]["number"]
    view = resident.press("ok", "cardleft")
    assert view["title"]["zh"] == "身份证还在读卡区，请收好"
    resident.reader.lift()
    resident.shows("idle")
    assert list(faulty.tickets()) == [number]
    assert slips(faulty, "PRN-01", number) == [False]
    assert Operator(faulty).told("IDR-01") == []


@pytest.mark.fault("A14")
def test_an_expired_card_gets_a_number_and_the_clerk_a_note(faulty: Hall) -> None:
    operator, resident = Operator(faulty), Resident(faulty)
    view = resident.take("expired")
    assert view["screen"] == "done"
    assert "过期" not in words(view)
    clerk = faulty.clerk("1", "c001")
    assert clerk.say("next", seen=None).json()["number"] == view["ticket"]["number"]
    operator.hears("1", "证件已过期，请核对。")
    faulty.daemon.kill()
    faulty.daemon.start()
    operator.hears("1", "证件已过期，请核对。")
    assert clerk.say("serve", seen=view["ticket"]["number"]).status_code == 200, "the clerk decides"


@pytest.mark.fault("A15")
def test_cards_of_foreigners_and_of_hong_kong_macau_and_taiwan_are_read_by_their_kind(faulty: Hall) -> None:
    resident, clerk = Resident(faulty), faulty.clerk("1", "c001")
    kinds = {
        "hongkong": ("zh", "516", "港澳居民居住证"),
        "taiwan": ("zh", "511", "台湾居民居住证"),
        "foreign2017": ("en", "553", "外国人永久居留身份证"),
        "foreign2023": ("en", "553", "外国人永久居留身份证"),
    }
    for card, (language, id_type, document) in kinds.items():
        view = resident.take(card)
        assert (view["screen"], view["language"]) == ("done", language), card
        number = view["ticket"]["number"]
        resident.reader.lift()
        assert resident.press("ok", "idle")["language"] == "zh"
        [issued] = [e for e in faulty.events("ticket.issued") if e["display_no"] == number]
        assert (issued["identity_mode"], issued["id_type"]) == ("id_card", id_type)
        assert clerk.say("next", seen=None).json()["number"] == number
        until(lambda n=number: (current(faulty, "1") or {}).get("number") == n, what=f"{number} at the window")
        shown = current(faulty, "1")
        assert shown["document"]["zh"] == document  # type: ignore[index]
        assert "*" in shown["name_masked"]
        clerk.say("serve", seen=number)
        clerk.say("finish", seen=number)


@pytest.mark.fault("A15")
def test_a_card_of_a_kind_that_nobody_knows_leads_to_other_ways(faulty: Hall) -> None:
    resident = Resident(faulty)
    faulty["IDR-01"].put_strange_layout()
    view = resident.shows("readfail")
    assert view["title"]["zh"] == "这不是能读的身份证件"
    assert [c["label"]["zh"] for c in view["choices"]] == ["手工输入身份证号", "请工作人员帮忙"]
    resident.press("1", "id")
    assert Operator(faulty).device("IDR-01") == ("ok", "正常")
