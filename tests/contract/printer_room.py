"""A printer of its own for each test: driver and twin on a loopback port with the same table, and a ticket to print."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from drivers.base import Condition, DeviceError, Slip, SlipFeed, SlipText
from drivers.drawn import Align
from drivers.printer_escpos import DRIVER
from sim.carriers import TcpLine
from sim.printer_escpos import TWIN
from tests.contract.contract import Rig

GOLDEN_TICKET = bytes.fromhex(
    "1B40 1B6101 1C26 1D2111 41303031 0A 1D2100D7DBBACFD2B5CEF1 0AC7B0C3E6B5C8B4FDA3BA35C8CB 0A1B6100 1B6404 1D564200"
)
TICKET = Slip(
    parts=(
        SlipText(text="A001", scale=2, align=Align.CENTRE),
        SlipText(text="综合业务", align=Align.CENTRE),
        SlipText(text="前面等待：5人", align=Align.CENTRE),
        SlipFeed(mm=15),
    )
)
LINES = ["A001", "综合业务", "前面等待：5人"]
HEALTHY = bytes([0x12] * 4)

STATES: list[tuple[str, str, str, set[Condition]]] = [
    ("recover", "12 12 12 12", "10 00 00 0f", set()),
    ("raise_drawer", "16 12 12 12", "14 00 00 0f", set()),
    ("run_low", "12 12 12 1e", "10 00 03 0f", {Condition.PAPER_LOW}),
    ("run_out_of_paper", "1a 32 12 7e", "18 00 0f 0f", {Condition.PAPER_OUT}),
    ("open_cover", "1a 16 12 12", "38 00 00 0f", {Condition.COVER_OPEN}),
    ("jam_cutter", "1a 52 1a 12", "18 08 00 0f", {Condition.CUTTER_ERROR}),
    ("wait_for_recovery", "3a 52 1a 12", "18 09 00 0f", {Condition.CUTTER_ERROR}),
    ("jam", "1a 52 16 12", "18 04 00 0f", {Condition.PAPER_JAM}),
    ("overheat", "1a 52 52 12", "18 40 00 0f", {Condition.HEAD_HOT}),
    ("break_down", "1a 52 32 12", "18 20 00 0f", {Condition.DEVICE_FAULT}),
    ("switch_offline", "1a 12 12 12", "18 00 00 0f", {Condition.SWITCHED_OFFLINE}),
    ("hold_feed_button", "5a 1a 12 12", "58 00 00 0f", {Condition.BUSY}),
]


@contextmanager
def a_printer(**options: Any) -> Iterator[Rig]:
    """A twin on a TCP port with the same table as its driver."""
    twin, line = TWIN("PRN-01", options), TcpLine()
    line.attach(twin)
    line.start()
    rig = Rig(driver_type=DRIVER, options=options, twin=twin, line=line, device="PRN-01")
    try:
        yield rig
    finally:
        rig.close()


@pytest.fixture
def rig() -> Iterator[Rig]:
    with a_printer() as rig:
        yield rig


def lines_of(rig: Rig) -> list[list[str]]:
    return [slip.lines for slip in rig.twin.printed]


def in_the_background(deed: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=deed)
    thread.start()
    return thread


def answers(driver: Any) -> bool:
    """Whether the printer answers a status question."""
    try:
        driver.conditions()
    except DeviceError:
        return False
    return True
