"""ESC/POS slip printer: the contract, for each profile and way to it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from drivers.base import Condition, Unconfirmed
from drivers.printer_escpos import DRIVER
from sim.carriers import TcpLine
from sim.printer_escpos import TWIN
from tests.contract.contract import DriverContract, Rig
from tests.contract.printer_room import HEALTHY, LINES, TICKET


class TestEscposPrinter(DriverContract):
    driver_module = "printer_escpos"
    twin_module = "printer_escpos"
    options: ClassVar = {"baud": 115200, "columns": 48}
    causes: ClassVar = {
        Condition.PAPER_LOW: lambda t: t.run_low(),
        Condition.PAPER_OUT: lambda t: t.run_out_of_paper(),
        Condition.COVER_OPEN: lambda t: t.open_cover(),
        Condition.CUTTER_ERROR: lambda t: t.jam_cutter(),
        Condition.PAPER_JAM: lambda t: t.jam(),
        Condition.HEAD_HOT: lambda t: t.overheat(),
        Condition.DEVICE_FAULT: lambda t: t.break_down(),
        Condition.SWITCHED_OFFLINE: lambda t: t.switch_offline(),
        Condition.BUSY: lambda t: t.hold_feed_button(),
    }

    def job(self, driver: Any, rig: Rig) -> None:
        before = len(rig.twin.printed)
        driver.print_slip(TICKET)
        assert [slip.lines for slip in rig.twin.printed[before:]] == [LINES]
        assert not rig.twin.printed[-1].partial

    def job_blind(self, driver: Any) -> None:
        driver.print_slip(TICKET)

    def sample_replies(self) -> list[bytes]:
        return [HEALTHY, b"\x1a\x32\x12\x7e", b"\x10\x00\x00\x0f", b"\x5fACME\x00", b"\x00", HEALTHY + b"\x00"]


class TestEscposPrinterOverTcp(TestEscposPrinter):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        twin, line = TWIN("TST-01", self.options), TcpLine()
        line.attach(twin)
        line.start()
        rig = Rig(driver_type=DRIVER, options=self.options, twin=twin, line=line)
        yield rig
        rig.close()


class TestClone80(TestEscposPrinter):
    """Answers status questions only, so no slip is ever said to be printed."""

    options: ClassVar = {"profile": "clone-80"}
    causes: ClassVar = {
        **{c: verb for c, verb in TestEscposPrinter.causes.items() if c is not Condition.PAPER_JAM},
        Condition.DEVICE_FAULT: lambda t: t.jam(),  # the bit that would name the jam is not trusted here
    }

    def job(self, driver: Any, rig: Rig) -> None:
        before = len(rig.twin.printed)
        with pytest.raises(Unconfirmed):
            driver.print_slip(TICKET)
        assert [slip.lines for slip in rig.twin.printed[before:]] == [LINES]
        assert not rig.twin.printed[-1].partial


class TestClone58(TestClone80):
    options: ClassVar = {"profile": "clone-58", "baud": 9600}


class TestKioskCustom(TestEscposPrinter):
    options: ClassVar = {"profile": "kiosk-custom"}
    # Nobody holds its feed button down: the driver locks the panel.
    causes: ClassVar = {c: verb for c, verb in TestEscposPrinter.causes.items() if c is not Condition.BUSY}

    def sample_replies(self) -> list[bytes]:
        return [*super().sample_replies(), b"\x10\x0f\x20\x00\x00\x00", b"\x10\x0f\x01\x02\x41\x01"]
