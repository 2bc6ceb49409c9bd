"""At closing those who still wait are called out by voice, in the zone where they wait, before a person confirms."""

import asyncio
from pathlib import Path

import pytest

from hall_daemon import service_day
from hall_daemon.calling_out import CallingOut, announcements
from hall_daemon.service_day import Leftovers
from hall_daemon.settings import VoiceSettings
from hall_daemon.tickets import ConfirmClose
from tests.background import at_work
from tests.rules.hall_room import PENSION
from tests.rules.test_announcing import loud
from tests.waiting import until_async

ONE = VoiceSettings().one


def test_a_few_are_called_by_number_and_a_crowd_as_such() -> None:
    few = [a.text for a in announcements([f"A{n:03d}" for n in range(1, 8)], ONE)]
    assert few[0].startswith("今日办理即将结束。还在等候的7位")
    assert few[1:] == [
        "请A零零一，A零零二，A零零三，A零零四，A零零五号到导办台。", "请A零零六，A零零七号到导办台。",
    ]  # fmt: skip
    assert len(list(announcements([f"A{n:03d}" for n in range(1, 22)], ONE))) == 1


@pytest.mark.fault("E13")
async def test_who_asks_to_close_has_the_waiting_called_out_and_confirms_afterwards(tmp_path: Path) -> None:
    async with loud(tmp_path) as hall:
        calling_out = CallingOut(hall.room.hall, hall.devices)
        async with at_work(calling_out.run()):
            await hall.room.numbers(2)
            await hall.room.issue(PENSION)
            with pytest.raises(ConfirmClose):
                await service_day.close_confirmed(hall.room.hall, "m001", None)
            await until_async(lambda: len(hall.said()) == 2, 20, "called out")
            assert "还在等候的3位" in hall.said()[0]
            assert hall.said()[1] == "请A零零一，A零零二，H零零一号到导办台。"

            await service_day.close_confirmed(hall.room.hall, "m001", Leftovers(waiting=3))
            await asyncio.sleep(0)
            assert len(hall.said()) == 2, "the confirmation says nothing more"
