"""The places and devices of the model halls: do they fit together, and does every item reach a window?"""

import json
import re
import tomllib
from typing import Any

import pytest

from sim.catalog_tables import HALLS, HallName

# Read from JSON and TOML, whose values have no one type.
Tree = dict[str, Any]


def devices(hall: HallName) -> Tree:
    return tomllib.loads((HALLS / hall / "devices.toml").read_text("utf-8"))


@pytest.fixture(params=list(HallName))
def hall(request: pytest.FixtureRequest) -> HallName:
    return HallName(request.param)


@pytest.fixture
def plan(hall: HallName) -> Tree:
    return devices(hall)


def test_big_hall_has_the_places_of_the_provincial_centre() -> None:
    plan = devices(HallName.BIG)

    assert (len(plan["zone"]), len(plan["window"]), len(plan["kiosk"])) == (5, 90, 6)


def test_small_hall_has_one_kiosk_three_windows_and_four_clerks() -> None:
    plan = devices(HallName.SMALL)

    assert (len(plan["kiosk"]), len(plan["window"]), len(plan["queue"])) == (1, 3, 3)
    assert list(plan["clerk"]) == ["c001", "c002", "c003", "c004", "r901", "g902", "m903", "t904"]


def test_every_item_reaches_a_window_through_one_queue(hall: HallName, plan: Tree) -> None:
    full = json.loads((HALLS / hall / "catalog.json").read_text("utf-8"))
    listed = [code for queue in plan["queue"].values() for code in queue["items"]]
    assert len(listed) == len(set(listed)), "an item stands in two queues"
    assert set(listed) == {item["code"] for item in full["items"]}

    served = {letter for window in plan["window"].values() for letter in window["queues"]}
    assert served == set(plan["queue"])


def test_queues_without_items_are_those_for_questions_and_results(plan: Tree) -> None:
    empty = {letter for letter, queue in plan["queue"].items() if not queue["items"]}

    assert empty == set(plan["queue"]) & {"N", "P"}


def test_queue_letters_are_free_for_numbers(plan: Tree) -> None:
    # I and O are misread; V, Y and X mark lanes, Q reads like O.
    assert not set(plan["queue"]) & set("IOQVXY")


def test_windows_of_the_big_hall_stand_where_the_table_says() -> None:
    windows = devices(HallName.BIG)["window"]
    table = {
        "A": range(1, 13), "T": range(13, 21), "B": range(23, 31), "F": range(31, 41), "C": range(41, 49),
        "G": range(49, 59), "D": range(59, 67), "H": range(67, 79), "E": range(81, 85), "J": range(85, 91),
        "N": [79], "P": [80],
    }  # fmt: skip
    for letter, numbers in table.items():
        assert all(windows[str(number)]["queues"] == [letter] for number in numbers), letter
    assert windows["21"]["queues"] == windows["22"]["queues"] == ["A", "T"]
    assert list(windows) == [str(number) for number in range(1, 91)]
    assert (windows["79"]["counter_kind"], windows["80"]["counter_kind"]) == ("consult", "issue")


def test_every_kiosk_gives_known_queues_and_every_queue_has_a_kiosk(hall: HallName, plan: Tree) -> None:
    at_kiosks = [letter for kiosk in plan["kiosk"].values() for letter in kiosk["queues"]]

    assert set(at_kiosks) == set(plan["queue"])
    if hall is HallName.BIG:
        assert all(at_kiosks.count(letter) >= 2 for letter in plan["queue"]), "one kiosk may be out of paper"


def test_every_device_that_is_named_exists_and_is_of_the_right_kind(plan: Tree) -> None:
    driver = {name: device["driver"].split("_")[0] for name, device in plan["device"].items()}
    for kiosk in plan["kiosk"].values():
        assert [driver[name] for name in kiosk["card_readers"]] == ["idcard"] * len(kiosk["card_readers"])
        assert (driver[kiosk["keypad"]], driver[kiosk["printer"]]) == ("keypad", "printer")
    for window in plan["window"].values():
        assert driver[window["display"]] == "display"
        assert "scanner" not in window or driver[window["scanner"]] == "scanner"
        assert "caller" not in window or driver[window["caller"]] == "caller"
        assert "evaluator" not in window or driver[window["evaluator"]] in {"evaluator", "keypad"}
        assert window["zone"] in plan["zone"]
    for queue in plan["queue"].values():
        assert queue["zone"] in plan["zone"]
    assert {driver[zone["announcer"]] for zone in plan["zone"].values()} == {"announcer"}


def test_no_device_is_left_over_and_none_belongs_to_two_kiosks(plan: Tree) -> None:
    at_kiosks = [
        name for kiosk in plan["kiosk"].values() for name in (*kiosk["card_readers"], kiosk["keypad"], kiosk["printer"])
    ]
    displays = [window["display"] for window in plan["window"].values()]
    scanners = {window["scanner"] for window in plan["window"].values() if "scanner" in window}

    assert len(set(at_kiosks)) == len(at_kiosks)
    assert len(set(displays)) == len(displays)
    desks = [w[purpose] for w in plan["window"].values() for purpose in ("caller", "evaluator") if purpose in w]
    announcers = {zone["announcer"] for zone in plan["zone"].values()}
    assert len(set(desks)) == len(desks)
    assert {*at_kiosks, *displays, *scanners, *desks, *announcers} == set(plan["device"])


def test_device_and_staff_numbers_have_the_form_of_the_contract(plan: Tree) -> None:
    assert all(re.fullmatch(r"[A-Z]{2,4}-[0-9]{2,3}", name) for name in plan["device"])
    assert all(re.fullmatch(r"[cgmrt][0-9]{3}", name) for name in plan["clerk"])
    assert re.fullmatch(r"[0-9]{12}-[0-9]{2}", plan["hall"]["code"])


def test_displays_share_lines_of_at_most_twenty_without_a_double_address(plan: Tree) -> None:
    lines: dict[str, list[int]] = {}
    for device in plan["device"].values():
        if device["driver"] == "display_onbon":
            lines.setdefault(device["port"], []).append(device["address"])

    for port, addresses in lines.items():
        assert len(addresses) <= 20, port
        assert len(set(addresses)) == len(addresses), port
    assert sum(map(len, lines.values())) == len(plan["window"])


def test_devices_share_a_port_only_on_a_line_with_addresses_and_at_one_speed(plan: Tree) -> None:
    ports: dict[str, list[Tree]] = {}
    for device in plan["device"].values():
        ports.setdefault(device["port"], []).append(device)

    for port, sharing in ports.items():
        with_addresses = ({"display_onbon"}, {"caller_rs485", "evaluator_caller"})
        assert len(sharing) == 1 or {device["driver"] for device in sharing} in with_addresses, port
        assert len({device.get("baud") for device in sharing}) == 1, port


def test_small_hall_has_its_displays_on_one_line_and_one_scanner_for_all() -> None:
    plan = devices(HallName.SMALL)

    assert {plan["device"][f"DSP-0{number}"]["port"] for number in (1, 2, 3)} == {"/dev/ttyS2"}
    assert {window["scanner"] for window in plan["window"].values()} == {"SCN-01"}
    assert plan["device"]["IDR-01"]["driver"] == "idcard_samv"
    assert plan["device"]["IDR-02"]["port"] == "pcsc:Hall Card 00 00"


def test_halls_have_different_codes() -> None:
    codes = [devices(hall)["hall"]["code"] for hall in HallName]

    assert len(set(codes)) == len(codes)
