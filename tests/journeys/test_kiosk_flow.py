"""One visit at a ticket machine, from the card to the number."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from drivers.base import Key
from hall_daemon.kiosk_desk import Desk
from hall_daemon.kiosk_pages_choose import common
from hall_daemon.kiosk_visit import KioskTimes, Visit
from hall_daemon.protocol_kiosk import KioskScreen, KioskView
from hall_daemon.words import CancelReason
from sim.bench import Bench
from tests.journeys.kiosk_room import KioskRoom, kiosk_room, running, write_hall
from tests.waiting import until_async

S = KioskScreen
PERSONAL = ("张测试", "990000199909090053", "13900000000", "李示例", "99000019900909004X")


def labels(room: KioskRoom) -> list[str]:
    return [choice.label.zh for choice in room.view.choices]


def label_key(view: KioskView, label: str) -> str:
    """The key of what stands on the page."""
    return next(choice.key for choice in (*view.choices, *view.keys) if choice.label.zh == label)


async def test_a_card_becomes_a_number_on_paper(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.identify()
        await room.choose()
        assert room.view.facts[0][0].zh in [item.name.zh for item in room.hall.profile.items.values()]
        room.touch("ok")
        view = await room.shows(S.DONE)

        assert view.ticket is not None
        assert view.ticket.number == "A001"
        assert view.ticket.windows == "1"
        (slip,) = room.slips()
        assert "A001" in slip
        assert "补打" not in slip
        (issued,) = await room.events("hall.ticket.issued.v1")
        assert (issued["identity_mode"], issued["name_masked"], issued["channel"]) == ("id_card", "张*试", "kiosk")
        await until_async(lambda: room.events("hall.ticket.printed.v1"))
        (printed,) = await room.events("hall.ticket.printed.v1")
        assert (printed["result"], printed["print_no"]) == ("ok", 1)


async def test_a_kiosk_without_a_printer_has_a_device_name_that_the_province_takes(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        bare = replace(room.config.profile.kiosks["k1"], printer="")
        desk = Desk(bare, room.hall, room.devices, room.clock, KioskTimes())
        item = next(i for i in room.hall.profile.items.values() if not i.suspended)
        ticket = await desk.take(Visit(cart=(item,)))
        result, reason = await desk.print_slip(ticket, reprint=False)
        await desk.record(ticket, result, reason, reprint=False)

        told = [*await room.events("hall.ticket.issued.v1"), *await room.events("hall.ticket.printed.v1")]
        assert [bool(re.fullmatch(r"[A-Z]{2,4}-[0-9]{2,3}", event["device_id"])) for event in told] == [True, True]


async def test_every_step_works_with_the_keypad_alone(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.shows(S.IDLE)
        room.lay("li")
        await room.shows(S.PHONE)
        await room.pad(*"13900000000")
        await until_async(lambda: room.view.field is not None and room.view.field.typed == 11)
        assert room.view.field is not None
        assert room.view.field.shown == "139 **** 0000", "masked while it is typed"
        await room.pad("ok")
        await room.shows(S.SERVICE)
        await room.pad("7")
        await room.shows(S.ZONES)
        await room.pad("2")
        await room.shows(S.LIST)
        await room.pad("1")
        await room.shows(S.CONFIRM)
        assert ("手机", "139****0000") in [(label.zh, value.zh) for label, value in room.view.facts]
        await room.pad("ok")
        view = await room.shows(S.DONE)
        assert view.ticket is not None
        assert view.ticket.number == "H001"
        (ticket,) = await room.tickets()
        assert ticket.phone_masked == "139****0000"


async def test_a_hundred_presses_of_confirm_issue_one_ticket(tmp_path: Path) -> None:
    times = KioskTimes(tick_s=0.1)
    async with kiosk_room(tmp_path, times) as room:
        await room.identify()
        await room.choose()
        revision = room.view.revision
        for _ in range(50):
            room.flow.press(Key.OK, revision)
            room.flow.press(Key.OK)
        await room.shows(S.DONE)
        for _ in range(50):
            room.flow.press(Key.OK)
        assert room.view.screen is S.DONE, "impatient fingers must not take the number away"
        assert [ticket.number for ticket in await room.tickets()] == ["A001"]
        assert len(room.slips()) == 1


async def test_the_number_stands_on_the_screen_while_the_printer_is_still_at_it(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        room.bench["PRN-01"].stall()
        await room.identify()
        await room.choose()
        room.touch("ok")
        await until_async(lambda: room.view.screen is S.PRINTING and room.view.ticket is not None)
        assert room.view.ticket is not None
        assert room.view.ticket.number == "A001"
        assert room.view.keys == ()
        room.bench["PRN-01"].go_on()
        await room.shows(S.DONE)


async def test_nothing_personal_is_left_once_the_number_is_committed(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.shows(S.IDLE)
        room.lay("zhang")
        await room.shows(S.PHONE)
        room.touch(*"13900000000")
        room.touch("ok")
        await room.shows(S.SERVICE)
        await room.choose()
        room.bench["PRN-01"].stall()
        room.touch("ok")
        await until_async(lambda: room.view.ticket is not None)
        assert not any(word in repr(vars(room.flow.core)) + room.view.model_dump_json() for word in PERSONAL)
        assert room.flow.core.visit.card is None
        assert room.flow.core.visit.phone == ""
        room.bench["PRN-01"].go_on()
        await room.shows(S.DONE)
        (slip,) = room.slips()
        assert not any(word in slip for word in PERSONAL)


async def test_an_id_number_is_typed_checked_and_marked_as_typed(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.shows(S.IDLE)
        room.touch("1")
        room.touch("1")
        assert room.view.screen is S.ID
        await room.pad(*"990000199009090041")
        await until_async(lambda: room.view.field is not None and room.view.field.typed == 18)
        assert any("最后一位" in notice.zh for notice in room.view.notices)
        room.touch("ok")
        assert room.view.screen is S.ID, "a wrong check digit is not accepted"
        room.touch("correct", "*")
        assert room.view.field is not None
        assert room.view.field.shown == "****** ******** 004X"
        room.touch("ok")
        await room.shows(S.PHONE)
        room.touch("*")
        await room.choose()
        room.touch("ok")
        await room.shows(S.DONE)
        (issued,) = await room.events("hall.ticket.issued.v1")
        assert (issued["identity_mode"], issued["id_masked"]) == ("manual", "**************004X")


async def test_without_any_document_there_is_a_number_for_the_help_desk(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.shows(S.IDLE)
        room.touch("1", "3", "*")
        await room.shows(S.CONFIRM)
        room.touch("ok")
        view = await room.shows(S.DONE)
        assert view.ticket is not None
        assert (view.ticket.number, view.ticket.windows) == ("N001", "3")
        (issued,) = await room.events("hall.ticket.issued.v1")
        assert (issued["identity_mode"], issued["item_codes"]) == ("none", [])


async def test_a_suspended_item_is_shown_and_cannot_be_taken(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path, suspend_first=True) as room:
        await room.identify()
        room.touch("1")
        await room.shows(S.LIST)
        assert room.view.choices[0].suspended
        room.touch("1")
        assert room.view.screen is S.SUSPENDED
        assert room.view.line.zh
        room.touch("1")
        assert room.view.screen is S.SERVICE
        assert not any(choice.suspended for choice in room.view.choices)


async def test_the_list_turns_round_and_round(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path, items_a=12) as room:
        await room.identify()
        room.touch("1")
        assert (room.view.page, room.view.pages, len(room.view.choices)) == (1, 2, 8)
        first = labels(room)
        room.touch("*")
        assert (room.view.page, len(room.view.choices)) == (2, 4)
        assert not set(labels(room)) & set(first)
        room.touch("#")
        assert labels(room) == first
        room.touch("correct")
        assert room.view.screen is S.ZONES


async def test_a_key_pressed_on_an_earlier_page_does_nothing(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.identify()
        revision = room.view.revision
        room.flow.press(Key.DIGIT_2, revision)
        assert room.view.screen is S.LIST
        room.flow.press(Key.DIGIT_2, revision)
        assert room.view.screen is S.LIST, "the second tap was meant for the zones"


async def test_a_key_meant_for_an_earlier_life_of_the_daemon_does_nothing(tmp_path: Path) -> None:
    with Bench(write_hall(tmp_path / "hall"), tmp_path / "run", province=None) as bench:
        async with running(bench) as room:
            await room.shows(S.IDLE)
            before = room.view.revision
        async with running(bench) as room:
            await room.shows(S.IDLE)
            room.flow.press(Key.DIGIT_1, before)
            room.flow.press(Key.DIGIT_1, room.view.revision + 1)
            assert room.view.screen is S.IDLE


async def test_the_same_key_at_once_counts_once_when_choosing_and_twice_when_typing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with kiosk_room(tmp_path, KioskTimes()) as room:
        clock_s, go = [1000.0], room.flow.core.go

        def go_slowly(screen: KioskScreen) -> None:
            clock_s[0] += 5
            go(screen)

        monkeypatch.setattr(room.clock, "monotonic_s", lambda: clock_s[0])
        monkeypatch.setattr(room.flow.core, "go", go_slowly)
        await room.shows(S.IDLE)
        room.lay("zhang")
        await room.shows(S.PHONE)
        for _ in range(2):
            room.flow.press(Key.DIGIT_1)
        assert room.view.field is not None
        assert room.view.field.shown == "11"
        room.flow.press(Key.STAR)
        for _ in range(2):
            room.flow.press(Key.DIGIT_9)
        assert room.view.field is not None
        assert (room.view.screen, room.view.field.typed) == (S.PINYIN, 0)


async def test_counts_of_those_who_wait_follow_the_hall(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.visit("zhang")
        await until_async(lambda: [load.waiting for load in room.view.zones] == [1, 0])
        await room.identify("li")
        await room.choose()
        assert room.view.facts[1][1].zh == "1 人"


async def test_a_known_resident_needs_at_most_four_presses_for_each_of_the_ten_most_common_items(
    tmp_path: Path,
) -> None:
    """From the card to the number, by what the pages themselves say; every touch is counted."""
    async with kiosk_room(tmp_path, items_a=12, items_h=3) as room:
        most_common = [item.name.zh for item in common(room.flow.core.scene(None))[:10]]
        needed: dict[str, int] = {}
        for wanted in most_common:
            await room.shows(S.IDLE)
            before = room.touches
            room.lay("zhang")
            room.touch(label_key(await room.shows(S.PHONE), "没有手机，跳过"))
            while wanted not in labels(room):
                room.touch("#")
                await room.shows(S.SERVICE)
            room.touch(label_key(room.view, wanted))
            assert (await room.shows(S.CONFIRM)).facts[0][0].zh == wanted
            room.touch("ok")
            view = await room.shows(S.DONE)
            needed[wanted] = room.touches - before

            assert view.ticket is not None
            assert view.ticket.item.zh == wanted
            await room.hall.cancel(view.ticket.number, CancelReason.RESIDENT_LEFT, None)
            room.lift()
            room.touch("ok")
        assert len(needed) == 10
        assert max(needed.values()) <= 4, needed


async def test_several_items_stand_on_one_number_and_the_guide_leads_to_one(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.shows(S.IDLE)
        room.touch("3", "2")
        await room.shows(S.GUIDE)
        assert room.view.facts
        room.touch("2")
        await room.shows(S.NOCARD)
        room.lay("zhang")
        await room.shows(S.PHONE)
        room.touch("*")
        await room.shows(S.CONFIRM)
        room.touch("2", "3")
        await until_async(lambda: room.view.screen is S.CONFIRM and "＋" in room.view.facts[0][0].zh)
        room.touch("ok")
        await room.shows(S.DONE)
        (issued,) = await room.events("hall.ticket.issued.v1")
        assert len(issued["item_codes"]) == 2


async def test_somebody_who_comes_for_another_person_is_the_agent_of_that_number(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.identify("zhang")
        await room.choose()
        room.touch("3", *"99000019900909004", "*", "ok")
        await room.shows(S.CONFIRM)
        room.touch("ok")
        await room.shows(S.DONE)
        (issued,) = await room.events("hall.ticket.issued.v1")
        assert (issued["identity_mode"], issued["id_masked"]) == ("manual", "**************004X")
        assert issued.get("name_masked") is None
