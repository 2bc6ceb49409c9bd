"""One visit at a ticket machine, from the card to the slip, and all that can come in between."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from dataclasses import replace
from pathlib import Path

from drivers.base import Key
from hall_daemon import service_day
from hall_daemon.kiosk_desk import Desk
from hall_daemon.kiosk_pages_choose import common
from hall_daemon.kiosk_visit import KioskTimes, Visit
from hall_daemon.privacy import id_hmac
from hall_daemon.profile import Kiosk
from hall_daemon.protocol_kiosk import KioskScreen
from hall_daemon.tables import AppointmentRow
from sim.bench import Bench
from tests.journeys.kiosk_room import KioskRoom, kiosk_room, running, write_hall
from tests.waiting import until_async

S = KioskScreen
PERSONAL = ("张测试", "990000199909090053", "13900000000", "李示例", "99000019900909004X")


def labels(room: KioskRoom) -> list[str]:
    return [choice.label.zh for choice in room.view.choices]


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


async def test_lack_of_paper_is_said_first_and_the_number_is_given_all_the_same(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        room.bench["PRN-01"].run_out_of_paper()
        await room.shows(S.IDLE)
        await until_async(lambda: any("纸用完" in notice.zh for notice in room.view.notices))
        assert any("2号取号机" in notice.zh for notice in room.view.notices)
        await room.identify()
        await room.choose()
        room.touch("ok")
        view = await room.shows(S.NOPAPER)
        assert view.ticket is not None
        assert view.ticket.number == "A001"
        assert "纸用完" in view.title.zh
        assert any("2号取号机" in notice.zh for notice in view.notices)
        await until_async(lambda: room.events("hall.ticket.printed.v1"))
        (printed,) = await room.events("hall.ticket.printed.v1")
        assert (printed["result"], printed["reason_code"]) == ("failed", "paper_out")


async def test_after_a_refill_the_slip_is_printed_again_and_marked(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        room.bench["PRN-01"].paper_out_after(lines=5)
        await room.identify()
        await room.choose()
        room.touch("ok")
        await room.shows(S.NOPAPER)
        await until_async(lambda: len(room.view.choices) == 1, what="without paper there is nothing to try")
        room.touch("2")
        assert room.view.screen is S.NOPAPER
        room.bench["PRN-01"].refill()
        await until_async(lambda: len(room.view.choices) == 2)
        room.touch("2")
        view = await room.shows(S.DONE)
        assert view.ticket is not None
        assert view.ticket.number == "A001"
        marked = [slip for slip in room.slips() if "补打" in slip]
        assert len(marked) == 1
        assert "A001" in marked[0]
        await until_async(lambda: _length(room, "hall.ticket.printed.v1", 2))
        first, second = await room.events("hall.ticket.printed.v1")
        assert (first["result"], second["result"], second["reprint_by"]) == ("failed", "ok", "kiosk/k1")


async def _length(room: KioskRoom, kind: str, count: int) -> bool:
    return len(await room.events(kind)) == count


async def test_a_printer_that_falls_silent_is_asked_about_and_never_repeats_by_itself(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        room.bench["PRN-01"].go_mute_after(bytes_received=60)
        await room.identify()
        await room.choose()
        room.touch("ok")
        view = await room.shows(S.UNSURE)
        assert view.title.zh == "票出来了吗？"
        assert view.ticket is not None
        assert view.ticket.number == "A001"
        await until_async(lambda: room.events("hall.ticket.printed.v1"))
        (printed,) = await room.events("hall.ticket.printed.v1")
        assert (printed["result"], printed["reason_code"]) == ("unknown", "timeout")
        room.touch("1")
        await room.shows(S.DONE)
        assert len(await room.events("hall.ticket.printed.v1")) == 1


async def test_what_did_not_come_out_is_printed_again_and_marked(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        printer = room.bench["PRN-01"]
        printer.go_mute_after(bytes_received=60)
        await room.identify()
        await room.choose()
        room.touch("ok")
        await room.shows(S.UNSURE)
        printer.recover()
        await until_async(lambda: room.devices.can_serve("PRN-01"))
        room.touch("2")
        await room.shows(S.DONE)
        assert "补打" in room.slips()[-1]
        assert [ticket.number for ticket in await room.tickets()] == ["A001"]


async def test_silence_is_asked_about_and_any_key_goes_on(tmp_path: Path) -> None:
    times = KioskTimes(same_key_s=0.0, tick_s=0.05, silence_s=0.5, question_s=5.0)
    async with kiosk_room(tmp_path, times) as room:
        await room.identify()
        view = await room.shows(S.TIMEOUT)
        assert view.seconds_left is not None
        await room.pad("9")
        await room.shows(S.ZONES)
        await room.shows(S.TIMEOUT)
        room.touch("cancel")
        await room.shows(S.CARDLEFT)


async def test_who_does_not_answer_is_forgotten(tmp_path: Path) -> None:
    times = KioskTimes(same_key_s=0.0, tick_s=0.05, silence_s=0.3, question_s=0.3)
    async with kiosk_room(tmp_path, times) as room:
        await room.shows(S.IDLE)
        room.lay("zhang")
        await room.shows(S.PHONE)
        room.lift()
        await room.shows(S.TIMEOUT)
        await room.shows(S.IDLE)
        assert room.flow.core.visit.card is None
        assert await room.tickets() == []


async def test_a_card_that_stays_is_asked_for_until_it_is_taken(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.identify()
        room.touch("cancel")
        view = await room.shows(S.CARDLEFT)
        assert "身份证还在读卡区" in view.title.zh
        room.lift()
        await room.shows(S.IDLE)


async def test_a_second_card_beside_the_first_is_refused_with_a_sentence(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.identify("zhang")
        room.lay("li", reader="IDR-02")
        await until_async(lambda: any("一次只能用一张证" in notice.zh for notice in room.view.notices))
        assert room.view.screen is S.ZONES
        assert room.flow.core.visit.card is not None
        assert room.flow.core.visit.card.name == "张测试"


async def test_a_card_exchanged_for_another_begins_anew_and_forgets_the_first(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.shows(S.IDLE)
        room.lay("zhang")
        await room.shows(S.PHONE)
        room.touch(*"139000")
        room.lift()
        room.lay("li")
        await until_async(lambda: room.view.facts[:1] != () and "李*例" in room.view.facts[0][0].zh)
        assert room.view.screen is S.PHONE
        assert room.view.field is not None
        assert room.view.field.typed == 0


async def test_the_same_card_placed_again_goes_on(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.identify("zhang")
        room.lift()
        room.lay("zhang", reader="IDR-02")
        await until_async(lambda: room.flow.core.visit.reader == "IDR-02")
        assert room.view.screen is S.ZONES


async def test_a_card_that_cannot_be_read_says_why_and_may_be_placed_again(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.shows(S.IDLE)
        room.bench["IDR-01"].put_unknown_card()
        view = await room.shows(S.READFAIL)
        assert view.title.zh
        assert len(view.choices) == 2
        room.lift()
        room.lay("zhang", reader="IDR-02")
        await room.shows(S.PHONE)


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


async def test_when_no_reader_works_the_first_page_offers_other_ways(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.shows(S.IDLE)
        for reader in ("IDR-01", "IDR-02"):
            room.bench.lines[reader].unplug()
        view = await room.shows(S.READER)
        assert any("2号取号机" in notice.zh for notice in view.notices)
        room.touch("1")
        assert room.view.screen is S.ID
        room.touch("cancel")
        await room.shows(S.READER)
        room.bench.lines["IDR-02"].replug()
        await room.shows(S.IDLE)


async def test_a_closed_hall_gives_no_numbers(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.identify()
        await room.choose()
        await service_day.close(room.hall)
        room.touch("ok")
        await room.shows(S.CARDLEFT, S.CLOSED)
        room.lift()
        await room.shows(S.CLOSED)
        room.lay("li")
        room.touch("1")
        await until_async(lambda: room.flow.core.lying == {"IDR-01"})
        assert room.view.screen is S.CLOSED
        assert await room.tickets() == []


async def test_who_already_waits_is_shown_the_number_at_once_and_may_print_it_again(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.visit("zhang")
        room.lay("zhang")
        view = await room.shows(S.DUPLICATE)
        assert view.ticket is not None
        assert view.ticket.number == "A001"
        room.touch("1")
        await room.shows(S.DONE)
        assert ["补打" in slip for slip in room.slips()] == [False, True]
        assert len(await room.tickets()) == 1


async def test_who_already_waits_may_take_a_number_for_another_matter_but_not_for_the_same(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.visit("zhang")
        room.lay("zhang")
        await room.shows(S.DUPLICATE)
        room.touch("2")
        await room.shows(S.PHONE)
        room.touch("*")
        await room.choose()
        room.touch("ok")
        await room.shows(S.DUPLICATE)
        room.touch("2")
        await room.shows(S.SERVICE)
        await room.choose(zone="2")
        room.touch("ok")
        view = await room.shows(S.DONE)
        assert view.ticket is not None
        assert view.ticket.number == "H001"


async def test_a_number_is_given_up_only_when_asked_once_more(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.visit("zhang")
        room.lay("zhang")
        await room.shows(S.DUPLICATE)
        room.touch("3")
        await room.shows(S.GIVEUP)
        room.touch("1")
        await room.shows(S.DUPLICATE)
        room.touch("3", "2")
        view = await room.shows(S.PHONE)
        assert any("A001 已作废" in notice.zh for notice in view.notices)
        assert [t.state for t in await room.tickets()] == ["cancelled"]


async def test_a_slip_is_printed_again_at_another_kiosk_by_card(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        room.bench["PRN-01"].run_out_of_paper()
        await room.identify("zhang")
        await room.choose()
        room.touch("ok")
        await room.shows(S.NOPAPER)
        other = room.other
        room.lay("zhang", reader="IDR-03")
        await until_async(lambda: other.view.screen is S.DUPLICATE)
        other.press(Key.DIGIT_1)
        await until_async(lambda: other.view.screen is S.DONE)
        (slip,) = room.slips("PRN-02")
        assert "A001" in slip
        assert "补打" in slip


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


async def test_the_same_key_at_once_counts_once_when_choosing_and_twice_when_typing(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path, KioskTimes()) as room:
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


async def test_a_number_whose_slip_was_lost_in_a_restart_is_offered_again(tmp_path: Path) -> None:
    hall = write_hall(tmp_path / "hall")
    with Bench(hall, tmp_path / "run", province=None) as bench:
        async with running(bench) as room:
            bench["PRN-01"].stall()
            await room.identify()
            await room.choose()
            room.touch("ok")
            await until_async(lambda: room.view.ticket is not None)
            bench["IDR-01"].lift()
        bench["PRN-01"].recover()
        async with running(bench) as room:
            view = await room.shows(S.UNPRINTED)
            assert view.title.zh.startswith("A001 未出票")
            await until_async(lambda: room.devices.can_serve("PRN-01"))
            room.touch("ok")
            await room.shows(S.DONE)
            assert "补打" in room.slips()[-1]
            room.touch("ok")
            await room.shows(S.IDLE)
            assert len(await room.tickets()) == 1


async def test_help_keeps_the_visit_and_english_lasts_until_its_end(tmp_path: Path) -> None:
    called: list[str] = []

    async def call_staff(kiosk: Kiosk) -> None:
        called.append(kiosk.code)

    async with kiosk_room(tmp_path, call_staff=call_staff) as room:
        await room.hall.sign_in("1", "c01")
        await room.identify()
        room.touch("help", "1", "1")
        await until_async(lambda: called == ["k1"])
        assert "已叫" in room.view.title.zh
        room.touch("ok")
        assert room.view.screen is S.ZONES
        room.touch("help", "6")
        assert (room.view.screen, room.view.language) == (S.ZONES, "en")
        room.lift()
        await until_async(lambda: not room.flow.core.lying)
        room.touch("cancel")
        assert (room.view.screen, room.view.language) == (S.IDLE, "zh")


async def test_help_promises_nobody_where_nobody_is_told(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.shows(S.IDLE)
        room.touch("help")
        assert "导办台" in room.view.line.zh
        assert "1" not in [choice.key for choice in room.view.choices]
        room.touch("correct")
        assert room.view.screen is S.IDLE


async def test_counts_of_those_who_wait_follow_the_hall(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.visit("zhang")
        await until_async(lambda: [load.waiting for load in room.view.zones] == [1, 0])
        await room.identify("li")
        await room.choose()
        assert room.view.facts[1][1].zh == "1 人"


async def test_a_card_during_the_offer_of_a_lost_slip_goes_first_and_the_offer_comes_back(tmp_path: Path) -> None:
    with Bench(write_hall(tmp_path / "hall"), tmp_path / "run", province=None) as bench:
        async with running(bench) as room:
            bench["PRN-01"].run_out_of_paper()
            await until_async(lambda: not room.devices.can_serve("PRN-01"))
            await room.identify("zhang")
            await room.choose()
            room.touch("ok")
            await room.shows(S.NOPAPER)
            room.lift()
            room.touch("1")
            await room.shows(S.IDLE)
        async with running(bench) as room:
            await room.shows(S.UNPRINTED)
            room.lay("li")
            await room.shows(S.PHONE)
            room.lift()
            room.touch("cancel")
            await room.shows(S.UNPRINTED)
            room.touch("cancel")
            await room.shows(S.IDLE)


async def test_a_storage_fault_ends_in_a_page_that_says_where_to_go(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.identify()
        await room.choose()
        with contextlib.closing(sqlite3.connect(room.config.database)) as disk:
            disk.execute("CREATE TRIGGER full BEFORE INSERT ON ticket BEGIN SELECT RAISE(ABORT, 'disk'); END")
            disk.commit()
        room.touch("ok")
        await room.failure()
        assert room.view.screen is S.MAINTENANCE
        assert "导办台" in room.view.line.zh
        assert room.flow.core.visit.card is None
        room.touch("1", "cancel", "ok")
        room.lay("li", reader="IDR-02")
        await until_async(lambda: "IDR-02" in room.flow.core.lying)
        assert room.view.screen is S.MAINTENANCE


async def test_an_appointment_is_checked_in_by_the_card_in_one_step(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        hall, now_ms = room.hall, room.hall.clock.now_ms()
        item = next(offered for offered in hall.profile.items_at("k1") if offered.codes and not offered.suspended)
        key = hall.config.secrets.match
        assert key is not None, "the hall of this room has a match key"
        row = AppointmentRow(
            id="ap-1", code6="111111", item_codes=[item.code], bizdate=(await hall.snapshot()).bizdate,
            slot_start_ms=now_ms, slot_end_ms=now_ms + 1_800_000, id_type="111",
            id_hmac=id_hmac(key, "111", "990000199909090053"), name_masked="张**", phone_tail4="5678", state="booked",
            rev=1,
        )  # fmt: skip
        await hall.store.write(lambda tx: tx.session.add(row))
        room.lay("zhang")
        await room.shows(KioskScreen.APPOINTMENT)
        room.touch("1")
        await room.shows(KioskScreen.DONE)

        assert [ticket.number[0] for ticket in await room.tickets()] == ["Y"]
        assert (await room.events("hall.appointment.checked_in.v1"))[0]["appointment_id"] == "ap-1"


async def test_a_known_resident_needs_at_most_four_presses_for_each_of_the_ten_most_common_items(
    tmp_path: Path,
) -> None:
    async with kiosk_room(tmp_path, items_a=12, items_h=3) as room:
        presses: list[int] = []
        for wanted in range(10):
            await room.shows(S.IDLE)
            room.lay("zhang")
            await room.shows(S.PHONE)
            keys = ["*", *(["#"] if wanted >= 6 else []), str(wanted % 6 + 1)]
            for key in keys:
                room.touch(key)
            view = await room.shows(S.CONFIRM)
            assert view.facts[0][0].zh == list(common(room.flow.core.scene(None)))[wanted].name.zh
            presses.append(len(keys) + 1)  # and Confirm
            room.lift()
            await until_async(lambda: not room.flow.core.lying)
            room.touch("cancel")
        assert presses == [3] * 6 + [4] * 4


async def test_a_missed_number_comes_back_into_line_by_card_and_by_number(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        number = await room.visit("zhang")
        room.hall.config = replace(room.hall.config, no_show_calls=1)
        await room.hall.sign_in("1", "c01")
        await room.hall.call_next("1", None)
        await room.hall.no_show("1", number)
        room.lay("zhang")
        view = await room.shows(S.MISSED)
        assert number in view.title.zh
        room.touch("1")
        await until_async(lambda: "重新排队" in room.view.title.zh)
        assert [t.state for t in await room.tickets()] == ["waiting"]
        room.lift()
        room.touch("ok")
        await room.shows(S.IDLE)
        await room.hall.call_next("1", None)
        await room.hall.no_show("1", number)
        room.touch("5", "2", "*", *number[1:])
        assert room.view.field is not None
        assert room.view.field.shown == number
        room.touch("ok")
        await room.shows(S.MISSED)
        room.touch("1")
        await until_async(lambda: "重新排队" in room.view.title.zh)


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
