"""Keypads and evaluators under the worker: stuck keys (A16), grades that nobody gives (A25), one pad for both uses."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from drivers.base import Grade, GradeGiven, Key
from hall_daemon import devices_port as room
from tests.rules.device_bench import Bench
from tests.waiting import until_async

PADS = [
    ("keypad_serial", {}),
    ("keypad_matrix", {"table": "label"}),
    ("keypad_psbc", {"probe_every_s": 0}),
    ("keypad_evdev", {}),
]


@pytest.fixture
async def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(room, "ASK_CONDITIONS_S", 0.2)
    found = Bench(tmp_path)
    yield found
    await found.stop()


async def pressed(bench: Bench, key: str, expected: list[object]) -> None:
    """One press, heard on the event loop as the only news."""
    bench.heard["KEY-01"].clear()
    await asyncio.to_thread(bench.twins["KEY-01"].press, key)
    await until_async(lambda: bench.heard["KEY-01"] == expected, what=f"{expected} heard")


@pytest.mark.parametrize(("driver", "options"), PADS, ids=[driver for driver, _ in PADS])
async def test_a_stuck_key_takes_its_pad_out_of_service_until_it_is_released(
    bench: Bench, driver: str, options: dict[str, Any]
) -> None:
    pad = bench.add("KEY-01", driver, **options)
    devices = await bench.start()
    await pressed(bench, "7", [Key.DIGIT_7])
    await asyncio.to_thread(pad.stick, "5")
    await until_async(lambda: devices.view("KEY-01").conditions == ("keys_stuck",), what="the stuck key reported")
    few = len(bench.heard["KEY-01"])

    assert not devices.can_serve("KEY-01")
    assert devices.view("KEY-01").link == "online"
    assert few <= 1 + 8, "at most the keys of one second had passed"
    await asyncio.to_thread(pad.press, "1")
    await asyncio.to_thread(pad.recover)
    await until_async(lambda: devices.can_serve("KEY-01"), what="the pad back in service")
    assert len(bench.heard["KEY-01"]) == few, "what came while a key was stuck is ignored"
    await pressed(bench, "8", [Key.DIGIT_8])


async def test_one_pad_gives_keys_and_grades(bench: Bench) -> None:
    pad = bench.add("KEY-01", "keypad_psbc")
    devices = await bench.start()
    await until_async(lambda: pad.doing == "keys")
    await pressed(bench, "1", [Key.DIGIT_1])
    await devices.call("KEY-01", lambda evaluator: evaluator.ask_grade(), 4.0)
    await until_async(lambda: pad.doing == "evaluation")
    bench.heard["KEY-01"].clear()
    await asyncio.to_thread(pad.rate, "dissatisfied")
    await until_async(lambda: bench.heard["KEY-01"] == [GradeGiven(Grade.DISSATISFIED)])
    await until_async(lambda: pad.doing == "keys", what="input given back")
    await pressed(bench, "2", [Key.DIGIT_2])


@pytest.mark.parametrize("driver", ["keypad_psbc", "evaluator_bytes"])
async def test_silence_is_no_grade_and_what_comes_too_late_is_none(bench: Bench, driver: str) -> None:
    twin = bench.add("KEY-01", driver)
    devices = await bench.start()
    press, late = (twin.rate, "satisfied") if driver == "keypad_psbc" else (twin.press, "2")
    await devices.call("KEY-01", lambda evaluator: evaluator.ask_grade(), 4.0)
    await devices.call("KEY-01", lambda evaluator: evaluator.stop_asking(), 4.0)
    await asyncio.to_thread(press, late)
    await devices.call("KEY-01", lambda evaluator: evaluator.ask_grade(), 4.0)
    if driver == "keypad_psbc":
        await until_async(lambda: twin.doing == "evaluation")
    assert bench.heard["KEY-01"] == []
    await asyncio.to_thread(press, "neutral" if driver == "keypad_psbc" else "3")
    await until_async(lambda: bench.heard["KEY-01"] == [GradeGiven(Grade.NEUTRAL)])


async def test_a_pad_that_dies_while_it_asks_is_offline_when_the_time_is_over(bench: Bench) -> None:
    pad = bench.add("KEY-01", "keypad_psbc", probe_every_s=0)
    devices = await bench.start()
    await devices.call("KEY-01", lambda evaluator: evaluator.ask_grade(), 4.0)
    await until_async(lambda: pad.doing == "evaluation")
    pad.go_mute()
    await devices.call("KEY-01", lambda evaluator: evaluator.stop_asking(), 4.0)
    await bench.becomes("KEY-01", "offline")
    assert bench.heard["KEY-01"] == []
    pad.recover()
    await bench.becomes("KEY-01", "online")
    await until_async(lambda: pad.doing == "keys")
    await pressed(bench, "4", [Key.DIGIT_4])
