"""A slip printer and the customer display on its pass-through port: two devices, one port, one line to both."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers import display_customer, printer_escpos
from drivers.base import CallText
from drivers.display_customer import Dialect, TwoRowOptions
from drivers.escpos_profiles import EscposOptions
from drivers.transport import open_link
from sim import display_customer as display_twins
from sim import printer_escpos as printer_twins
from sim.carriers import PtyLine
from tests.contract.printer_room import LINES, TICKET
from tests.waiting import until


class Port:
    """A twin and a driver of each, as one port's thread has them."""

    def __init__(self, line: PtyLine, dialect: Dialect) -> None:
        self.line = line
        printer: dict[str, Any] = {"baud": 9600, "display_behind": True}
        display: dict[str, Any] = {"baud": 9600, "behind_printer": True, "dialect": dialect}
        self.printer_twin = printer_twins.TWIN("PRN-01", printer)
        self.display_twin = display_twins.TWIN("DSP-01", display)
        line.attach(self.printer_twin)
        line.attach(self.display_twin)
        line.start()
        self.link: Any = open_link(line.port, 9600)
        self.printer = printer_escpos.DRIVER("PRN-01", self.link, EscposOptions(**printer))
        self.display = display_customer.DRIVER("DSP-01", self.link, TwoRowOptions(**display))

    @property
    def slips(self) -> list[list[str]]:
        return [slip.lines for slip in self.printer_twin.whole_slips]


@pytest.fixture(params=list(Dialect))
def port(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Port]:
    port = Port(PtyLine(tmp_path / "port"), request.param)
    yield port
    port.link.close()
    port.line.stop()


def test_slips_and_calls_take_turns_and_neither_gets_what_is_the_other_ones(port: Port) -> None:
    port.printer.hello()
    port.display.hello()
    for round_ in (1, 2):
        port.display.show(CallText(text=f"A00{round_} WINDOW 3"))
        port.printer.print_slip(TICKET)
        assert port.printer.conditions() == frozenset()
        assert port.display.conditions() == frozenset()
        until(lambda round_=round_: port.display_twin.text == f"A00{round_} WINDOW 3")  # type: ignore[misc]
        assert port.slips == [LINES] * round_
    assert port.printer_twin.interpreter.ignored == []
    assert port.display_twin.complaints == []


def test_a_call_that_broke_off_does_not_take_the_slip_that_follows(port: Port) -> None:
    port.printer.hello()
    port.link.write(b"\x1b=\x02\x1b")
    until(lambda: not port.printer_twin.interpreter.is_selected)
    port.printer.print_slip(TICKET)
    assert port.slips == [LINES]


def test_a_printer_that_was_left_deselected_says_its_name_to_the_next_hello(port: Port) -> None:
    port.link.write(b"\x1b=\x02")
    until(lambda: not port.printer_twin.interpreter.is_selected)
    assert port.printer.hello().model == "TP-80"


def test_a_printer_out_of_paper_holds_up_no_call(port: Port) -> None:
    port.display.hello()
    port.printer_twin.run_out_of_paper()
    port.display.show(CallText(text="A001 WINDOW 3"))
    until(lambda: port.display_twin.text == "A001 WINDOW 3")
    port.printer_twin.recover()
    port.printer.print_slip(TICKET)
    assert port.slips == [LINES]
