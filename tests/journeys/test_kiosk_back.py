"""Back with the papers of a notice, by its number or by the card; and the guide on paper."""

from __future__ import annotations

from pathlib import Path

from hall_daemon.protocol_cases import CaseDone, HandIn
from hall_daemon.protocol_kiosk import KioskScreen
from hall_daemon.words import Outcome
from tests.journeys.kiosk_room import KioskRoom, kiosk_room
from tests.waiting import until_async

S = KioskScreen


async def told(room: KioskRoom) -> CaseDone:
    """A resident with a card took a number, and heard at the window what is missing."""
    number = await room.visit(item="3")
    await room.hall.sign_in("1", "c01")
    assert (await room.hall.call_next("1", None))[1] == number
    await room.hall.serve("1", number, identity_rechecked=True)
    done = await room.hall.notify_case("1", HandIn(seen=number))
    await room.hall.finish("1", number, Outcome.SUPPLEMENT)
    return done


async def test_the_notices_number_leads_back_into_the_green_lane(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        notice = await told(room)
        room.touch("4")
        await room.shows(S.NOTICE)
        room.touch(*(char for char in notice.notice_no if char.isdigit()), "ok")
        view = await room.shows(S.RETURN)
        assert view.materials
        room.touch("ok")
        await room.shows(S.DONE)

        back = (await room.events("hall.ticket.issued.v1"))[-1]
        assert back["priority"] == "green"
        assert any("补正" in slip for slip in room.slips())
        assert (await room.hall.call_next("1", None))[1] == back["display_no"]
        assert [case.local_case_no for case in (await room.hall.cases_at("1")).cases] == [notice.local_case_no]


async def test_the_card_leads_back_too_and_a_wrong_number_to_a_sentence(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await told(room)
        room.touch("4")
        await room.shows(S.NOTICE)
        room.touch(*"1123456789", "ok")
        await until_async(lambda: any("没有查到告知单" in notice.zh for notice in room.view.notices))
        room.touch("cancel")
        await room.shows(S.IDLE)
        room.lay("zhang")
        await room.shows(S.RETURN)
        room.touch("ok")
        await room.shows(S.DONE)
        assert (await room.events("hall.ticket.issued.v1"))[-1]["priority"] == "green"


async def test_the_guide_is_printed_with_all_that_is_published(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path, more='\n[phone]\nurl = "https://hall.example/t"\n') as room:
        await room.identify()
        await room.choose(item="3")
        item = room.flow.core.visit.item
        assert item is not None
        room.touch("1")
        await room.shows(S.GUIDE)
        room.touch("1")
        await until_async(lambda: any("办事指南" in slip for slip in room.slips()), what="the guide on paper")
        [guide] = room.slips()
        for said in (item.name.zh, "承诺时限", "法定时限", "收费", "办理依据", "办理部门", "责任人员", "投诉电话"):
            assert said in guide
        for material in item.materials:
            assert material.name in guide
        assert "张测试" not in guide
        assert room.bench["PRN-01"].whole_slips[0].qr == [f"https://hall.example/t/guide/{item.code}"]
