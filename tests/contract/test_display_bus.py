"""Displays of four protocols on one RS-485 line: nobody speaks too soon or hears another's answer."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.base import CallText, NoReply
from drivers.transport import open_link
from sim.carriers import PtyLine
from sim.stopwatch import Stopwatch
from tests.waiting import until

TABLES: dict[str, dict[str, Any]] = {
    "display_onbon": {"address": 3, "width_px": 144, "height_px": 32, "reply_limit_s": 0.3},
    "display_strip": {"address": 3, "columns": 20, "confirms": True},
    "display_two_colour": {"address": 3, "columns": 20},
    "display_alpha": {"address": 3, "columns": 20},
}
"""All with the same number, so that only the protocol tells them apart."""


class Bus:
    """A twin and a driver of each protocol."""

    def __init__(self, line: PtyLine) -> None:
        self.line = line
        self.twins: dict[str, Any] = {}
        for name, table in TABLES.items():
            self.twins[name] = importlib.import_module(f"sim.{name}").TWIN(name, table)
            line.attach(self.twins[name])
        line.start()
        self.link = open_link(line.port)
        self.drivers: dict[str, Any] = {}
        for name, table in TABLES.items():
            kind = importlib.import_module(f"drivers.{name}").DRIVER
            self.drivers[name] = kind(name, self.link, kind.Options(**table))

    def text(self, name: str, round_: int) -> str:
        # A letter Z and the digit that look like 5A of another protocol, and odd numbers besides.
        return f"Z{round_:03} to window 3" if name == "display_alpha" else f"请Z{round_:03}号到3号窗口"

    def show_round(self, round_: int, *names: str) -> None:
        for name in names or TABLES:
            self.drivers[name].show(CallText(text=self.text(name, round_), attention=round_ % 2 == 1))

    def assert_shown(self, round_: int, *names: str) -> None:
        for name in names or TABLES:
            until(lambda name=name: self.twins[name].text == self.text(name, round_), what=f"{name} {round_}")

    def wrong(self) -> list[object]:
        return [wrong for twin in self.twins.values() for wrong in (*twin.collisions, *twin.complaints)]


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    bus = Bus(PtyLine(tmp_path / "bus"))
    yield bus
    for twin in bus.twins.values():
        twin.recover()
    bus.link.close()
    bus.line.stop()


def test_each_display_shows_its_own_text_without_a_collision(bus: Bus) -> None:
    for driver in bus.drivers.values():
        driver.hello()
    for round_ in (1, 2):
        bus.show_round(round_)
        bus.assert_shown(round_)
        for driver in bus.drivers.values():
            assert driver.conditions() == frozenset()
    bus.assert_shown(2)
    assert bus.wrong() == []


def test_noise_between_frames_of_different_protocols_spoils_none(bus: Bus) -> None:
    for round_ in (1, 2):
        for name in TABLES:
            bus.line.noise(b"\x00\xff")
            bus.show_round(round_, name)
    bus.assert_shown(2)
    assert [complaint for twin in bus.twins.values() for complaint in twin.complaints] == []


@pytest.mark.parametrize("dead", [name for name in TABLES if name != "display_alpha"])
def test_a_dead_display_costs_the_others_nothing_but_time(bus: Bus, dead: str) -> None:
    bus.twins[dead].go_mute()
    watch = Stopwatch()
    with pytest.raises(NoReply):
        bus.show_round(1, dead)
    # Proves that it ends within a job's time; how often it is said is proven by each display's own test.
    assert watch.s < bus.drivers[dead].job_limit_s
    others = [name for name in TABLES if name != dead]
    bus.show_round(1, *others)
    bus.assert_shown(1, *others)
    bus.twins[dead].recover()
    bus.show_round(2)
    bus.assert_shown(2)
    assert bus.wrong() == []


@pytest.mark.parametrize("late", [name for name in TABLES if name != "display_alpha"])
def test_a_late_answer_is_no_answer_of_another_display(bus: Bus, late: str) -> None:
    answering = [name for name in TABLES if name not in (late, "display_alpha")]
    bus.twins[late].answer_late(1.3)
    with pytest.raises(NoReply):
        bus.show_round(1, late)
    for name in answering:
        bus.twins[name].go_mute()
    for name in answering:  # while the late answers arrive
        with pytest.raises(NoReply):
            bus.show_round(1, name)
    assert sum(passed.direction == "<" for passed in bus.line.transcript) == 2
    for twin in bus.twins.values():
        twin.recover()
    bus.show_round(2)
    bus.assert_shown(2)
