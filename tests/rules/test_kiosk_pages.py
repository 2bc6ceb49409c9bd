"""Every page of a ticket machine says something in both languages, and what it says is masked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from drivers.base import Condition, Key
from hall_daemon.kiosk_pages import PAGES, READ_TROUBLES
from hall_daemon.kiosk_visit import Visit, grouped_id, grouped_phone, phone_problem, print_reason
from hall_daemon.protocol_kiosk import KioskScreen
from hall_daemon.texts import text
from hall_daemon.words import PrintReason, TicketState
from tests.screens.kiosk_views import ZHANG, all_views, scene, view

VIEWS = all_views()
NO_HELP = {KioskScreen.TIMEOUT, KioskScreen.HELP}
"""The question goes on with any key, the other is help."""


@pytest.mark.parametrize("screen", list(KioskScreen))
def test_every_page_can_be_built_and_has_a_title_in_both_languages(screen: KioskScreen) -> None:
    assert screen in PAGES
    shown = view(screen)
    assert shown.title.zh
    assert shown.title.en


@pytest.mark.parametrize("name", list(VIEWS))
def test_each_key_and_choice_stands_once_and_has_words(name: str) -> None:
    shown = VIEWS[name]
    keys = [entry.key for entry in (*shown.choices, *shown.keys)]
    assert len(keys) == len(set(keys))
    assert all(entry.label.zh for entry in (*shown.choices, *shown.keys))


def test_every_choice_of_every_page_is_on_the_keypad_and_in_english() -> None:
    metal = {key.value for key in Key}
    for name, shown in VIEWS.items():
        keys = {entry.key for entry in (*shown.choices, *shown.keys)}
        beyond = {key for key in keys - metal if not (key.startswith("pick") and "ok" in keys)}
        assert not beyond, f"{name}: only a finger on the screen reaches {beyond}"
        assert not shown.bar or "help" in keys or shown.screen in NO_HELP, f"{name}: the bar stands behind no key"
        words = [shown.title, *shown.notices, *(entry.label for entry in (*shown.choices, *shown.keys, *shown.bar))]
        assert all(said.en for said in words), name


@pytest.mark.parametrize("name", list(VIEWS))
def test_a_page_never_shows_a_name_or_a_whole_number(name: str) -> None:
    shown = VIEWS[name].model_dump_json()
    assert ZHANG.name not in shown
    assert ZHANG.id_no not in shown
    assert "13800000000" not in shown


@pytest.mark.parametrize("trouble", sorted(READ_TROUBLES))
def test_each_trouble_with_a_card_has_its_sentence(trouble: Condition) -> None:
    assert view(KioskScreen.READFAIL, trouble=trouble).line.zh


@pytest.mark.parametrize("reason", [reason for reason in PrintReason if reason is not PrintReason.TIMEOUT])
def test_each_reason_for_no_paper_has_its_sentence(reason: PrintReason) -> None:
    assert "号已取好" in view(KioskScreen.NOPAPER, print_reason=reason).title.zh


@pytest.mark.parametrize("trouble", [Condition.COVER_OPEN, Condition.HEAD_HOT])
def test_what_a_slip_waits_for_has_its_sentence(trouble: Condition) -> None:
    assert "请稍候" in view(KioskScreen.PRINTING, print_waits_for=trouble).line.zh


def test_a_keypad_that_counts_no_more_is_told_where_keys_are_needed() -> None:
    told = (text("kiosk.notice.keypad"),)
    silent = {screen for screen in KioskScreen if told[0] not in view(screen, keypad_notices=told).notices}
    assert silent == {
        KioskScreen.PRINTING, KioskScreen.DONE, KioskScreen.CARDLEFT, KioskScreen.TIMEOUT, KioskScreen.CLOSED,
        KioskScreen.MAINTENANCE, KioskScreen.READING,
    }  # fmt: skip


@pytest.mark.parametrize("state", list(TicketState))
def test_an_earlier_number_is_told_truly_in_each_state(state: TicketState) -> None:
    ticket = scene().ticket
    assert ticket is not None
    assert view(KioskScreen.DUPLICATE, ticket=replace(ticket, state=state)).line.zh.startswith("H037")


def test_the_next_step_is_offered_only_when_the_number_is_good() -> None:
    def offers_ok(visit: Visit, screen: KioskScreen) -> bool:
        return any(key.key == "ok" for key in view(screen, visit=visit).keys)

    assert not offers_ok(Visit(phone="1390000000"), KioskScreen.PHONE)
    assert not offers_ok(Visit(phone="23900000000"), KioskScreen.PHONE)
    assert offers_ok(Visit(phone="13900000000"), KioskScreen.PHONE)
    assert not offers_ok(Visit(typed_id="990000199909090054"), KioskScreen.ID)
    assert offers_ok(Visit(typed_id="990000199909090053"), KioskScreen.ID)


def test_a_kiosk_without_a_help_desk_offers_no_number_for_one() -> None:
    basis = scene()
    kiosk = replace(basis.kiosk, queues=("A",))
    profile = replace(basis.profile, kiosks={kiosk.code: kiosk})
    page = view(KioskScreen.NOCARD, kiosk=kiosk, profile=profile)
    assert [choice.key for choice in page.choices] == ["1", "2", "4"]


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        (Condition.PAPER_OUT, PrintReason.PAPER_OUT), (Condition.PAPER_JAM, PrintReason.JAM),
        (Condition.COVER_OPEN, PrintReason.COVER), (Condition.CUTTER_ERROR, PrintReason.CUTTER),
        (Condition.DEVICE_FAULT, PrintReason.OFFLINE), ("offline", PrintReason.OFFLINE), ("busy", PrintReason.OFFLINE),
    ],
)  # fmt: skip
def test_what_the_printer_says_becomes_a_reason_of_the_contract(condition: str, reason: PrintReason) -> None:
    assert print_reason(condition) is reason


def test_numbers_are_grouped_as_people_say_them() -> None:
    assert [grouped_phone(n) for n in ("", "138", "1380000", "13800000000")] == ["", "138", "138 0000", "138 0000 0000"]
    assert grouped_id("99000019990909") == "990000 19990909"
    assert grouped_id("990000199909090053") == "****** ******** 0053"
    assert [phone_problem(n) for n in ("", "1", "2", "13900000000")] == ["missing", "missing", "bad", ""]


def test_a_suspended_item_says_why_and_when_it_is_back_where_the_hall_knows() -> None:
    assert all_views()["suspended-today"].notices[0].zh == "原因：系统升级。恢复：下次开门"
    assert "12345" in all_views()["suspended"].notices[0].zh
