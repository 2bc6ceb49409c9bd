"""Finding an item with nine keys, what is offered first, and the two lines of a kiosk without a screen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hall_daemon import kiosk_search
from hall_daemon.kiosk_common import in_order
from hall_daemon.kiosk_lines import COLUMNS, lines
from hall_daemon.kiosk_search import SearchIndex, initials, keys_of, number_of
from hall_daemon.kiosk_visit import Visit, masked_while_typed, next_letter
from hall_daemon.protocol import Text
from hall_daemon.protocol_kiosk import KioskScreen
from tests.screens.kiosk_views import LONG_ITEM, ZHANG, all_views, scene, view

VIEWS = all_views()


@pytest.mark.parametrize(
    ("words", "letters"),
    [
        ("企业设立登记", "QYSLDJ"), ("重新办理", "CXBL"), ("社会保险登记(单位)", "SHBXDJ DW "), ("医保A证12", "YBAZ12"),
    ],
)  # fmt: skip
def test_initials_are_made_offline_a_letter_a_character(words: str, letters: str) -> None:
    assert initials(words) == letters


def test_an_item_without_an_english_name_stands_in_pinyin() -> None:
    profile = scene().profile
    item = replace(profile.items[LONG_ITEM], name=Text(zh="重新办理A证"))
    kiosk_search.prepare(replace(profile, items={item.code: item}))
    shown = view(KioskScreen.CONFIRM, visit=Visit(cart=(item,), language="en")).facts[0][0]
    assert (shown.zh, shown.en) == ("重新办理A证", "Chong xin ban li A zheng")


def test_without_the_dictionary_items_are_found_by_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "最低生活保障申请" in found("32")
    monkeypatch.setattr(kiosk_search, "_KNOWN", {})
    monkeypatch.setattr(kiosk_search.sys, "executable", "/nonexistent/python")
    assert "最低生活保障申请" not in found("32")
    assert found("26003") == [scene().profile.items[LONG_ITEM].name.zh]


def found(typed: str) -> list[str]:
    return [hit.item.name.zh for hit in SearchIndex(scene().profile, "k1").find(typed)]


def test_a_name_is_found_by_its_first_letters_and_what_begins_with_them_comes_first() -> None:
    assert keys_of("企业设立登记") == "797535"
    assert found("7975") == ["企业设立登记"]
    assert found("79")[:3] == ["企业设立登记", "企业变更登记", "企业注销登记"]
    assert "户口迁移" in found("79"), "inside a name counts too, but later"
    assert found("79").index("户口迁移") > found("79").index("企业注销登记")


def test_what_people_call_a_thing_finds_it() -> None:
    assert "企业设立登记" in found(keys_of("营业执照"))
    assert "最低生活保障申请" in found(keys_of("低保"))


def test_a_number_finds_its_item_and_only_a_number_has_noughts() -> None:
    item = scene().profile.items[LONG_ITEM]
    assert number_of(item) == "26003"
    assert found("26003") == [item.name.zh]
    assert found("01999") == []


def test_the_matched_characters_are_those_that_were_typed() -> None:
    (hit,) = SearchIndex(scene().profile, "k1").find("3535")[:1] or [None]
    assert hit is None or hit.item.name.zh[hit.start : hit.start + hit.count]


def test_what_is_asked_for_most_comes_first_and_two_may_be_pinned() -> None:
    profile = scene().profile
    codes = [item.code for item in profile.items.values() if item.codes]
    asked = {codes[5]: 9, codes[7]: 20}
    assert in_order(profile, asked)[:2] == (codes[7], codes[5])
    pinned = in_order(profile, asked, pinned=codes[1:4])
    assert pinned[:3] == (codes[1], codes[2], codes[7])
    assert sorted(pinned) == sorted(codes)


def test_letters_are_typed_with_a_digit_key_and_the_star() -> None:
    assert [next_letter("3"), next_letter("D"), next_letter("F"), next_letter("12S")] == ["D", "E", "3", "127"]
    assert [next_letter(""), next_letter("1"), next_letter("0")] == ["", "1", "0"]


def test_the_middle_of_a_phone_is_hidden_as_it_is_typed() -> None:
    assert masked_while_typed("13800") == "138 *0"
    assert masked_while_typed("13812345678") == "138 **** 5678"


@pytest.mark.parametrize("name", list(VIEWS))
def test_two_lines_tell_every_page_in_ascii_and_nothing_personal(name: str) -> None:
    shown = lines(VIEWS[name])
    assert all(len(line) <= COLUMNS and line.isascii() and line.isprintable() for line in shown if line)
    assert shown[0]
    assert not any(part in "".join(shown) for part in ("138", "9900", "0053"))


def test_two_lines_lead_from_the_phone_to_the_ticket() -> None:
    item = scene().profile.items[LONG_ITEM]
    assert lines(view(KioskScreen.PHONE, visit=Visit(card=ZHANG, phone="138"))) == ("Phone   * skips", "***........")
    assert lines(VIEWS["pinyin-found"])[0] == "Item number"
    assert lines(VIEWS["pinyin-none"])[1].endswith("none")
    assert lines(VIEWS["pinyin-found"])[1] == "79       18...", "a choice among names that nobody sees is none"
    assert lines(VIEWS["id-wrong"])[0] == "Wrong number"
    assert lines(VIEWS["unsure"])[1] == "Out? 1 Yes  2 No"
    assert lines(VIEWS["giveup"])[1] == "1 keep 2 give up"
    assert lines(VIEWS["appointment"])[1] == "OK: check in"
    assert lines(VIEWS["appointment-empty"])[1] == "Place ID card"
    assert lines(VIEWS["missed"])[1] == "1: rejoin queue"
    assert [lines(VIEWS[f"help{more}"])[0] for more in ("", "-can-call", "-called")] == [
        "Help: ask staff", "1: call staff", "Staff are called",
    ]  # fmt: skip
    assert lines(VIEWS["missed-back"])[1] == "6 ahead"
    assert lines(view(KioskScreen.CONFIRM, visit=Visit(cart=(item,), ahead=6)))[1] == "6 ahead  OK=take"
    assert lines(VIEWS["done"]) == ("Ticket H037", "Window 1-2")


def test_a_cart_lists_each_paper_once_and_what_one_item_needs_is_needed() -> None:
    items = [item for item in scene().profile.items.values() if item.materials]
    both = replace(Visit(), cart=(items[0], items[1]))
    names = [text.zh for text in view(KioskScreen.CONFIRM, visit=both).materials]
    assert len(names) == len(set(names))
    assert {m.name for item in items[:2] for m in item.materials if m.need == "required"} <= set(names)


def test_the_guide_shows_the_nine_published_facts() -> None:
    guide = VIEWS["guide"]
    labels = {label.zh for label, _ in guide.facts}
    published = {"办理机关", "办理内容", "办理依据", "办理程序", "办理时限", "收费", "负责人", "投诉电话"}
    assert published <= labels, "the ninth are the materials"
    assert guide.materials
