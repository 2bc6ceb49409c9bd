"""What is known of a device outlives its connection and the daemon: paper on a roll that lasts for days."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from hall_daemon.devices_memory import Memories
from tests.rules.device_bench import Bench, add_printer
from tests.waiting import until_async


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    found = Bench(tmp_path)
    found.memory = tmp_path / "devices.json"
    yield found
    await found.stop()


async def test_the_paper_of_a_roll_is_counted_over_a_cut_line_and_a_restart(bench: Bench) -> None:
    printer = add_printer(bench, roll_m=6)
    assert (await bench.start()).view("PRN-01").roll_m == 6
    await bench.print()
    await until_async(lambda: bench.devices.view("PRN-01").roll_used_mm, what="counted")
    one = bench.devices.view("PRN-01").roll_used_mm or 0.0

    await asyncio.to_thread(bench.lines["PRN-01"].unplug)
    await bench.becomes("PRN-01", "offline")
    await asyncio.to_thread(bench.lines["PRN-01"].replug)
    await bench.becomes("PRN-01", "online", 20.0)
    await bench.print()
    await bench.devices.stop()
    known = json.loads((bench.folder / "devices.json").read_text(encoding="utf-8"))
    assert known["PRN-01"]["used_mm"] == pytest.approx(2 * one, abs=0.2)

    known["PRN-01"]["used_mm"] = 1000.0 - one / 2  # days later: the warning is half a slip away
    (bench.folder / "devices.json").write_text(json.dumps(known), encoding="utf-8")
    printer.lose_sensor()
    await bench.start()
    assert bench.devices.view("PRN-01").conditions == ()
    await bench.print()
    await bench.devices.call("PRN-01", lambda driver: driver.conditions(), 8.0)
    assert await bench.devices.call("PRN-01", lambda driver: driver.paper_low_source, 8.0) == "prediction"


def test_what_is_remembered_is_known_again(tmp_path: Path) -> None:
    file = tmp_path / "devices.json"
    first = Memories(file)
    assert first.of("PRN-01") == {}
    first.keep("PRN-01", {"used_mm": 12.5})
    first.keep("PRN-02", {})
    assert Memories(file).of("PRN-01") == {"used_mm": 12.5}
    file.unlink()
    first.keep("PRN-01", {"used_mm": 12.5})
    assert not file.exists(), "what is known already is not written again"


@pytest.mark.parametrize("text", ["", "[]", '{"PRN-01": 3}', '{"PRN-01": {"used_mm": "much"}}', "\x00"])
def test_a_file_that_is_none_is_forgotten_and_said_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    file = tmp_path / "devices.json"
    file.write_text(text, encoding="utf-8")
    assert Memories(file).of("PRN-01") == {}
    assert "forgotten" in caplog.text


def test_a_folder_that_takes_nothing_is_told_once_and_harms_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    memories = Memories(tmp_path / "missing" / "devices.json")
    for used_mm in (1.0, 2.0):
        memories.keep("PRN-01", {"used_mm": used_mm})
    assert memories.of("PRN-01") == {"used_mm": 2.0}
    assert caplog.text.count("not remembered") == 1
