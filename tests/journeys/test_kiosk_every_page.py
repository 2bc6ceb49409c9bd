"""Every page of a ticket machine, one after the other: each key it offers does something, help and the way out are
there, and silence is asked about before anything ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.base import Key
from hall_daemon.kiosk_scene import Booking, Notice
from hall_daemon.kiosk_visit import TakenTicket, Visit
from hall_daemon.protocol_kiosk import KioskScreen, KioskView
from hall_daemon.words import TicketState
from tests.journeys.kiosk_room import KioskRoom, kiosk_room
from tests.screens.kiosk_views import ZHANG

S = KioskScreen
WITHOUT_KEYS = {S.READING, S.PRINTING, S.CARDLEFT, S.MAINTENANCE}
"""They pass by themselves within seconds, or nobody can begin."""
NOBODY_THERE = {S.IDLE, S.READER, S.CLOSED}
ENDS_UNASKED = {S.DONE, S.UNPRINTED, S.TIMEOUT}
"""The number is on paper, or nobody has come yet; the question itself."""
METAL = set("0123456789*#") | {"ok", "correct", "cancel", "help"}


def come_to(room: KioskRoom, screen: KioskScreen) -> KioskView:
    """Somebody who has come as far as this page, with everything that could stand there."""
    core, item = room.flow.core, room.hall.profile.items_at("k1")[1]
    core.forget()
    core.stage.start(S.IDLE)
    state = TicketState.NO_SHOW if screen is S.MISSED else TicketState.WAITING
    core.ticket = TakenTicket(ticket_id="t1", number="A037", item=item, windows=("1",), waiting_ahead=6,
                              taken="2026-03-02 10:24", state=state)  # fmt: skip
    core.visit = Visit(
        card=ZHANG, with_card=True, phone="13800000000", typed_id=ZHANG.id_no, passport="E123456", behalf=ZHANG.id_no,
        number="A037", notice="0007", looked=item, searched="7", guide_only=screen is S.GUIDE,
        cart=() if screen is S.GUIDE else (item,),
    )  # fmt: skip
    if screen is S.CONFIRM:
        core.visit.behalf = ""
    core.bookings = (Booking(appointment_id="a1", item=item, start="10:30", end="11:00"),)
    core.came_back = Notice(number="0007", item=item, window="1", missing=("户口簿",))
    core.search()
    core.stage.start(S.SERVICE)
    if screen in (S.HELP, S.TIMEOUT):
        core.stage.cover(screen)
    else:
        core.stage.start(screen)
    assert room.view.screen is screen
    return room.view


def what_stands(view: KioskView) -> str:
    return view.model_copy(update={"revision": 0, "again": 0, "clock": "", "seconds_left": None}).model_dump_json()


async def test_every_key_that_a_page_offers_does_something_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.shows(S.IDLE)
        jobs: list[object] = []
        monkeypatch.setattr(room.flow.core, "do", jobs.append)
        dead: list[tuple[str, str]] = []
        for screen in KioskScreen:
            offered = [entry.key for entry in (*come_to(room, screen).choices, *room.view.keys, *room.view.bar)]
            assert bool(offered) is (screen not in WITHOUT_KEYS), screen
            for key in offered:
                before = what_stands(come_to(room, screen))
                jobs.clear()
                room.flow.touch(key, room.view.revision)
                if what_stands(room.view) == before and not jobs:
                    dead.append((screen.value, key))
        assert dead == []


async def test_every_page_has_help_a_way_out_and_a_question_before_it_ends(tmp_path: Path) -> None:
    async with kiosk_room(tmp_path) as room:
        await room.shows(S.IDLE)
        flow, core = room.flow, room.flow.core
        for screen in KioskScreen:
            come_to(room, screen)
            if screen in WITHOUT_KEYS:
                continue
            if screen not in (S.HELP, S.TIMEOUT):
                press(room, "help")
                assert room.view.screen is S.HELP, screen
                press(room, "ok")
                assert room.view.screen is (S.IDLE if screen in NOBODY_THERE else screen), "what was under way is kept"
            if screen in NOBODY_THERE:
                continue
            if screen not in ENDS_UNASKED:
                for key in sorted(METAL - {"cancel"}):
                    flow._on_silence()
                    assert room.view.screen is S.TIMEOUT, screen
                    press(room, key)
                    assert room.view.screen is screen, f"any key goes on, as often as it takes: {key}"
            before_s = ends_at_s(room)
            if screen is not S.TIMEOUT:
                room.flow.touch("large", room.view.revision)
                assert ends_at_s(room) > before_s, f"{screen}: a key gives time, large letters half as much again"
            core.lying.clear()
            press(room, "cancel")
            assert room.view.screen is S.IDLE, screen
            assert core.visit == Visit(), screen


def press(room: KioskRoom, key: str) -> None:
    """A key of the metal keypad, which knows no page."""
    room.flow.press(Key(key))


def ends_at_s(room: KioskRoom) -> float:
    timer = room.flow.core.stage._timer
    assert timer is not None, room.view.screen
    return timer.when()
