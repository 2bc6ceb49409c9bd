"""The manager's view over a real hall: every figure that it shows, and every alarm (电子监察) that follows."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hall_daemon import service_day
from hall_daemon.devices import Devices
from hall_daemon.overview import Overview
from hall_daemon.protocol_cases import HandIn
from hall_daemon.protocol_manager import AlarmView, OverviewView
from hall_daemon.tables import EvaluationRow
from hall_daemon.words import Hold, Outcome, ParkReason
from tests.rules.hall_room import PENSION, PLACES, HallRoom, catalog, hall_room, write_hall
from tests.rules.test_hall_cases import ALL, catalogue, taken

MINUTE_MS = 60_000


@dataclass
class Managed:
    """A hall and its manager's page."""

    room: HallRoom
    overview: Overview

    async def view(self) -> OverviewView:
        self.room.clock.running_s += 2  # the page looks again
        return await self.overview.view()

    async def alarms(self, code: str) -> list[AlarmView]:
        return [alarm for alarm in (await self.view()).alarms if alarm.code == code]

    async def finish(self, outcome: Outcome, minutes: int = 5) -> str:
        number = await self.room.call_and_serve()
        self.room.clock.pass_ms(minutes * MINUTE_MS)
        await self.room.hall.finish("1", number, outcome)
        return number


@pytest.fixture
async def hall(tmp_path: Path) -> AsyncIterator[Managed]:
    whole = json.loads(catalogue())
    for item in whole["items"]:
        item["dept"] = item["code"][:18]
    write_hall(tmp_path, items=json.dumps(whole, ensure_ascii=False))
    async with hall_room(tmp_path) as room:
        yield Managed(room, Overview(room.hall, Devices({}, room.clock), None, room.clock))


async def test_every_figure_of_the_page_is_counted(hall: Managed) -> None:
    room = hall.room
    await room.sign_in(w1="c001")
    await room.numbers(6)
    await room.numbers(2, PENSION)
    first = await hall.finish(Outcome.COMPLETED)
    await hall.finish(Outcome.RECEIVED)
    await hall.finish(Outcome.COMPLETED)
    await room.hall.no_show("1", await room.call())
    ticket = await room.row(first)
    rated = EvaluationRow(ticket_id=ticket.id, id=room.clock.new_id(), level=5, ended_ms=room.clock.now_ms())
    await room.store.write(lambda tx: tx.session.add(rated))
    await room.call_and_serve()
    room.clock.pass_ms(12 * MINUTE_MS)
    view = await hall.view()

    assert (view.issued, view.finished, view.waiting, view.missed, view.missed_percent) == (8, 3, 3, 1, 12.5)
    assert (view.on_the_spot_percent, view.rated, view.satisfied_percent, view.dissatisfied) == (66.7, 1, 100, 0)
    assert (view.windows, view.windows_open, view.windows_idle, view.windows_paused) == (3, 1, 0, 0)
    assert view.longest_number == "A006"
    assert view.longest_min == 27
    assert view.mean_wait_min is not None
    assert {queue.queue: queue.waiting for queue in view.queues} == {"A": 1, "H": 2, "D": 0, "B": 0}
    assert next((w.state, w.number, w.minutes) for w in view.window_map) == ("serving", "A005", 12)
    assert {zone.zone: zone.waiting for zone in view.zones} == {"A": 1, "D": 2, "E": 0}
    assert sum(point.issued for point in view.flow) == 8
    assert sum(point.finished for point in view.flow) == 3
    assert view.waited == (0, 0, 3, 0, 0)
    assert [(d.issued, d.finished) for d in view.departments] == [(6, 3), (2, 0)]
    assert (view.to_province, view.oldest_to_province_min) == (0, 0)


async def test_somebody_waits_and_a_visit_lasts_over_the_limit(hall: Managed) -> None:
    await hall.room.sign_in(w1="c001")
    await hall.room.numbers(3)
    await hall.room.call_and_serve()
    hall.room.clock.pass_ms(29 * MINUTE_MS)
    assert await hall.alarms("wait") == await hall.alarms("hold") == []
    hall.room.clock.pass_ms(3 * MINUTE_MS)
    (wait,) = await hall.alarms("wait")
    assert (wait.about, wait.level) == ("A", "warn")
    assert "A002" in wait.what.zh
    (hold,) = await hall.alarms("hold")
    assert hold.what.zh == "1 号窗口办理 A001 已 32 分钟"
    assert [w.long for w in (await hall.view()).window_map] == [True, False, False]
    await hall.room.hall.park("1", "A001", ParkReason.COPY, Hold.HERE)
    hall.room.clock.pass_ms(61 * MINUTE_MS)
    assert [alarm.what.zh for alarm in await hall.alarms("parked")] == ["A001 在 1 号窗口挂起已 61 分钟"]


@pytest.mark.fault("E14")
async def test_the_last_window_of_a_queue_closes_and_the_page_proposes_who_could_take_it(tmp_path: Path) -> None:
    places = PLACES.replace('[clerk.c003]\nname = "样例三"', '[clerk.c003]\nname = "样例三"\nskills = ["D"]')
    write_hall(tmp_path, places.replace('queues = ["A", "H"]', 'queues = ["A"]'), catalog())
    async with hall_room(tmp_path) as room:
        hall = Managed(room, Overview(room.hall, Devices({}, room.clock), None, room.clock))
        await room.sign_in(w2="c002", w3="c001")
        await room.numbers(2, PENSION)
        assert await hall.alarms("no_window") == []
        await room.hall.sign_out("2")
        (alarm,) = await hall.alarms("no_window")
        assert (alarm.level, alarm.about) == ("urgent", "H")
        assert alarm.what.zh == "社保医保 没有窗口开放，2 人在等"
        assert alarm.advice.zh == "可开放 2 号窗口。本区 3 号窗口开着，人员会办的话可以接。"
        assert [queue.expected.zh for queue in (await hall.view()).queues if queue.queue == "H"] == ["暂无估计"]
        await room.hall.sign_out("3")
        await room.sign_in(w3="c003")
        (alarm,) = await hall.alarms("no_window")
        assert "3 号窗口" not in alarm.advice.zh, "nobody is proposed who does not know it"


async def test_a_long_wait_is_told_with_what_two_more_windows_would_do(hall: Managed) -> None:
    await hall.room.sign_in(w1="c001")
    await hall.room.numbers(8, PENSION)
    hall.room.clock.pass_ms(31 * MINUTE_MS)
    (wait,) = await hall.alarms("wait")
    assert wait.advice.zh.startswith("8 人在等，1 个窗口开放。再开 2 个，新来的约等 ")


async def test_windows_closed_early_and_calls_out_of_turn_are_told(hall: Managed) -> None:
    room = hall.room
    await room.sign_in(w1="c001", w2="c002")
    await room.numbers(5, PENSION)
    room.clock.pass_ms(21 * MINUTE_MS)
    await room.hall.sign_out("2")
    (closed,) = await hall.alarms("closed_early")
    assert closed.what.zh == "2 号窗口停了，社保医保 还有 5 人在等"
    for number in ("H005", "H004", "H003"):
        assert await hall.alarms("reordered") == []
        await room.hall.select("1", None, number, "急事")
        await room.hall.no_show("1", number)
    (reordered,) = await hall.alarms("reordered")
    assert (reordered.about, reordered.what.zh) == ("1", "1 号窗口一小时内 3 次选呼或置顶")
    await room.sign_in(w2="c002")
    assert await hall.alarms("closed_early") == []


async def test_a_second_notice_and_an_overdue_case_are_told(hall: Managed) -> None:
    room = hall.room
    await room.sign_in(w1="c001")
    await room.issue()
    number = await room.call_and_serve()
    accepted = await room.hall.accept_case("1", HandIn(seen=number, papers=taken(*ALL)))
    await room.hall.finish("1", number, Outcome.RECEIVED)
    await room.issue(PENSION)
    number = await room.call_and_serve()
    told = await room.hall.notify_case("1", HandIn(seen=number, papers=taken("M01")))
    assert await hall.alarms("notices") == await hall.alarms("overdue") == []
    await room.hall.notify_case("1", HandIn(seen=number, papers=taken("M05")))
    (notices,) = await hall.alarms("notices")
    assert notices.what.zh == f"办件 {told.local_case_no} 已告知 2 次补正"
    await room.hall.finish("1", number, Outcome.SUPPLEMENT)
    for _ in range(4):
        await service_day.close(room.hall)
        room.clock.pass_ms(24 * 60 * MINUTE_MS)
        await service_day.open_day(room.hall)
    (overdue,) = await hall.alarms("overdue")
    assert (overdue.about, overdue.what.zh) == (
        accepted.local_case_no, f"办件 {accepted.local_case_no} 超过承诺时限 1 天"
    )  # fmt: skip
    await room.sign_in(w1="c001")
    await room.issue()
    number = await room.call_and_serve()
    got = await room.hall.receive_case("1", HandIn(seen=number, papers=taken(*ALL)))
    await room.hall.finish("1", number, Outcome.RECEIVED)
    for days in (7, 1):  # five workdays and a weekend; then it is too late
        assert await hall.alarms("unaccepted") == []
        await service_day.close(room.hall)
        room.clock.pass_ms(days * 24 * 60 * MINUTE_MS)
        await service_day.open_day(room.hall)
    (unaccepted,) = await hall.alarms("unaccepted")
    assert unaccepted.about == got.local_case_no
