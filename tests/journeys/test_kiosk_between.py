"""What comes in between: silence, cards that stay or change, readers that go, numbers that there are already."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import replace
from pathlib import Path

from hall_daemon import service_day
from hall_daemon.kiosk_visit import KioskTimes, Visit
from hall_daemon.privacy import id_hmac
from hall_daemon.profile import Kiosk
from hall_daemon.protocol_kiosk import KioskScreen
from hall_daemon.tables import AppointmentRow
from tests.journeys.kiosk_room import QUICK, kiosk_room
from tests.waiting import until_async

S = KioskScreen


async def test_silence_is_asked_about_and_any_key_goes_on(tmp_path: Path) -> None:
    times = KioskTimes(same_key_s=0.0, tick_s=0.05, silence_s=0.5, question_s=20.0)
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


async def test_staff_are_told_of_a_card_that_nobody_takes(tmp_path: Path) -> None:
    called: list[tuple[str, str]] = []

    async def call_staff(kiosk: Kiosk, code: str) -> None:
        called.append((kiosk.code, code))

    async with kiosk_room(tmp_path, replace(QUICK, card_left_s=0.2), call_staff) as room:
        await room.hall.sign_in("1", "c01")
        await room.identify()
        await until_async(lambda: room.flow.core.can_call_staff, what="the kiosk knows of the clerk")
        room.touch("cancel")
        await until_async(lambda: called == [("k1", "kiosk.cardleft.staff")])
        await room.shows(S.IDLE)
        room.touch("1")
        assert room.view.screen is S.NOCARD, "who comes next is not kept waiting"
        assert len(called) == 1


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


async def test_help_keeps_the_visit_and_english_lasts_until_its_end(tmp_path: Path) -> None:
    called: list[tuple[str, str]] = []

    async def call_staff(kiosk: Kiosk, code: str) -> None:
        called.append((kiosk.code, code))

    async with kiosk_room(tmp_path, call_staff=call_staff) as room:
        await room.hall.sign_in("1", "c01")
        await room.identify()
        await until_async(lambda: room.flow.core.can_call_staff, what="the kiosk knows of the clerk")
        room.touch("help", "1", "1")
        await until_async(lambda: called == [("k1", "kiosk.help.wanted")])
        assert "已叫" in room.view.title.zh
        room.touch("ok")
        assert room.view.screen is S.ZONES
        room.touch("help", "6")
        assert (room.view.screen, room.view.language) == (S.ZONES, "en")
        room.lift()
        await until_async(lambda: not room.flow.core.lying)
        room.touch("cancel")
        assert (room.view.screen, room.view.language) == (S.IDLE, "zh")


async def test_who_listens_hears_a_page_once_and_again_with_confirm(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.identify()
        said = room.view.again
        room.touch("ok")
        assert (room.view.screen, room.view.again) == (S.ZONES, said), "without the voice it means nothing there"
        room.touch("help", "4")
        assert (room.view.screen, room.view.modes.voice) == (S.ZONES, True)
        said = room.view.again
        await room.flow.core.desk.take(Visit(cart=(room.hall.profile.items_at("k1")[0],)))
        await until_async(lambda: any("1 人" in sentence.zh for sentence in room.view.said))
        assert room.view.again == said, "who comes meanwhile interrupts nobody"
        before = room.view.revision
        room.touch("ok")
        assert (room.view.screen, room.view.again, room.view.revision) == (S.ZONES, said + 1, before + 1)


async def test_who_types_unseen_hears_when_it_is_complete_or_wrong(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.shows(S.IDLE)
        room.touch("help", "4", "1", "1")
        said = room.view.again
        room.touch(*"99000019900909004")
        assert (room.view.screen, room.view.again) == (S.ID, said)
        for key, heard, changes in (("1", "号码不对", 1), ("correct", "请输入身份证号", 2), ("*", "输完了", 3)):
            room.touch(key)
            assert room.view.said[0].zh.startswith(heard)
            assert room.view.again == said + changes


async def test_help_promises_nobody_where_nobody_is_told(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.shows(S.IDLE)
        room.touch("help")
        assert "导办台" in room.view.line.zh
        assert "1" not in [choice.key for choice in room.view.choices]
        room.touch("correct")
        assert room.view.screen is S.IDLE


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
