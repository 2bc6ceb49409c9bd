"""docs/devices.md says what the drivers say."""

import pytest

from drivers.base import Condition
from tests.contract.test_every_driver import DRIVERS, ROOT
from tests.devices_page import MET, PAGE, conditions, marks, page, source


def test_the_page_is_as_the_drivers_are() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "docs/devices.md is out of date: run `make docs` and read it"


def test_programs_said_to_be_met_are_met() -> None:
    assert set(MET) <= set(DRIVERS)
    for programs in MET.values():
        for _, word, file in programs:
            assert word in (ROOT / file).read_text(encoding="utf-8"), f"{file} knows nothing of {word}"


@pytest.mark.parametrize("driver", DRIVERS)
def test_every_driver_names_its_source_and_only_real_conditions(driver: str) -> None:
    assert source(driver).startswith("Source")
    assert set(conditions(driver)) <= {c.value for c in Condition}


def test_marks_and_conditions_are_found_where_they_stand() -> None:
    assert "G" in marks("keypad_matrix")
    assert {"paper_out", "paper_low", "cover_open"} <= set(conditions("printer_escpos"))
    assert "card_removed_early" in conditions("idcard_samv")
