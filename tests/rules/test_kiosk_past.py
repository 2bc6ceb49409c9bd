"""What a ticket machine knows of the last 30 days: the order of what is asked for, and when people wait less."""

from pathlib import Path

import pytest

from hall_daemon import service_day
from hall_daemon.devices import Devices
from hall_daemon.kiosk_common import ENOUGH, Past, Quiet, quieter
from hall_daemon.kiosk_desk import Desk
from hall_daemon.kiosk_scene import Wait
from hall_daemon.kiosk_visit import KioskTimes
from hall_daemon.profile import Kiosk
from hall_daemon.protocol import Text
from hall_daemon.tables import TicketRow
from tests.rules.hall_room import HOUR_MS, PENSION, PLACES, HallRoom, hall_room, write_hall

HOURS = '\n[hours]\nworkday = ["08:30-12:00", "13:30-17:00"]\n'
USUAL = {9: 40.0, 10: 50.0, 11: 12.0, 15: 8.0, 16: 20.0}
DAY_MS = 24 * HOUR_MS
FORTY = Wait(low_min=30, high_min=50, about_min=40)


@pytest.mark.parametrize(
    ("now_hour", "wait_min", "closes", "expected"),
    [
        (9, 40, 17, Quiet(hour=15, today=True, wait_min=8.0)),
        (9, 40, 12, Quiet(hour=11, today=True, wait_min=12.0)),
        (16, 40, 17, Quiet(hour=15, today=False, wait_min=8.0)),
        (9, 30, 17, None),
        (15, 31, 15, Quiet(hour=11, today=False, wait_min=12.0)),
    ],
    ids=["later today", "before it closes", "on other days", "not long now", "never the present hour"],
)
def test_who_would_wait_long_hears_of_the_calmest_hour(
    now_hour: int, wait_min: int, closes: int, expected: Quiet | None
) -> None:
    assert quieter(USUAL, now_hour, wait_min, lambda hour: hour < closes) == expected


def test_where_no_hour_is_much_calmer_nothing_is_said() -> None:
    assert quieter({9: 40.0, 10: 30.0}, 9, 40, lambda _hour: True) is None
    assert quieter({}, 9, 40, lambda _hour: True) is None


def machine(room: HallRoom) -> Desk:
    kiosk = Kiosk(code="k1", name=Text(zh="1"), card_readers=(), keypad="", printer="", queues=("A", "H"))
    return Desk(kiosk, room.hall, Devices({}, room.clock), room.clock, KioskTimes(), past=Past(room.hall))


async def called_after(room: HallRoom, hour: int, minutes: int, count: int) -> None:
    """Numbers of this day that were taken in this hour and called so much later."""
    numbers = [(await room.issue(PENSION)).ticket_id for _ in range(count)]
    begin_ms = room.clock.now_ms() // DAY_MS * DAY_MS

    def move(tx: object) -> None:
        for number in numbers:
            row = tx.session.get_one(TicketRow, number)  # type: ignore[attr-defined]  # a test reaches into the rows
            row.issued_ms = begin_ms + (hour - 8) * HOUR_MS
            row.called_ms = row.issued_ms + minutes * 60_000

    await room.store.write(move)


async def test_the_days_before_say_when_it_is_quieter_and_today_does_not(tmp_path: Path) -> None:
    async with hall_room(write_hall(tmp_path, PLACES + HOURS)) as room:
        await service_day.open_day(room.hall)
        desk = machine(room)
        await called_after(room, 15, 8, ENOUGH)
        await called_after(room, 14, 2, ENOUGH - 1)
        assert desk.quieter("H", FORTY, await desk.past()) is None, "today is not yet the past"
        assert desk.hours_today().zh == "办公时间 08:30–12:00, 13:30–17:00"
        room.clock.pass_ms(DAY_MS)
        told = desk.quieter("H", FORTY, await desk.past())
        assert told is not None
        assert told.zh == "人少的时段：今天 15:00–16:00，平时约 10 分钟"
        assert desk.quieter("A", FORTY, await desk.past()) is None
        assert desk.quieter("H", Wait(low_min=20, high_min=35, about_min=30), await desk.past()) is None
        room.clock.pass_ms(7 * HOUR_MS)
        told = desk.quieter("H", FORTY, await desk.past())
        assert told is not None
        assert told.en == "Usually quieter 15:00–16:00: ~10 min"
        room.clock.pass_ms(31 * DAY_MS)
        assert desk.quieter("H", FORTY, await desk.past()) is None, "a month is enough"
