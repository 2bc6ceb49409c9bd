"""docs/devices.md says what the drivers say."""

import pytest

from drivers.base import Condition
from tests.contract.test_every_driver import DRIVERS, ROOT
from tests.devices_faults import injected, sharing, verbs
from tests.devices_page import MET, PAGE, conditions, found_by_fuzzing, marks, page, source


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


@pytest.mark.parametrize("driver", DRIVERS)
def test_each_fault_of_a_twin_is_injected_by_a_test(driver: str) -> None:
    untested = [verb for verb, tests in injected(driver).items() if not tests and not sharing(driver, verb)]
    assert untested == []
    assert all(verbs(driver).values()), "every fault says what happens"


def test_a_fault_is_told_with_the_tests_that_use_it_and_people_do_no_faults() -> None:
    assert injected("printer_escpos")["lose_power_after"] != []
    assert "run_out_of_paper" in verbs("printer_escpos")
    assert not {"take_slip", "receive", "recover", "press"} & {verb for driver in DRIVERS for verb in verbs(driver)}
    assert sharing("idcard_pcsc", "answer_wrong_order_with_23") == ["idcard_samv"]
    assert sharing("keypad_serial", "go_mute") == []


def test_what_fuzzing_found_is_a_test_that_says_so() -> None:
    assert len(found_by_fuzzing("scanner_sane")) == len(found_by_fuzzing("scanner_escl")) == 1
