"""Incidents begin and end with what a device tells, are bounded, and the worst comes first."""

import pytest

from drivers.base import Condition
from hall_daemon.incidents import (
    Incidents,
    health,
    health_of,
    is_lost,
    name_of,
    troubles_in,
    troubles_of,
    worst_of,
)
from hall_daemon.protocol import DeviceView
from hall_daemon.protocol_technician import Health, worst


def view(link: str = "online", *conditions: str) -> DeviceView:
    return DeviceView.model_validate({
        "device": "PRN-01", "driver": "printer_escpos", "port": "/dev/ttyS1", "kind": "printer", "link": link,
        "conditions": conditions, "since": "", "identity": "", "proven": "simulator", "last_error": "", "jobs": 0,
        "failures": 0,
    })  # fmt: skip


def test_a_trouble_lasts_from_the_view_that_shows_it_to_the_view_that_does_not() -> None:
    incidents = Incidents()
    incidents.note("PRN-01", frozenset({"paper_low"}), 1_000)
    incidents.note("PRN-01", frozenset({"paper_low", "cover_open"}), 2_000)
    incidents.note("PRN-01", frozenset({"cover_open"}), 5_000)
    over, open_ = incidents.of("PRN-01")[1], incidents.of("PRN-01")[0]
    assert (over.what, over.began_ms, over.ended_ms, over.lasted_ms(9_000)) == ("paper_low", 1_000, 5_000, 4_000)
    assert (open_.what, open_.ended_ms, open_.lasted_ms(9_000)) == ("cover_open", None, 7_000)
    assert set(incidents.holding("PRN-01")) == {"cover_open"}


def test_devices_do_not_end_each_other_s_troubles() -> None:
    incidents = Incidents()
    incidents.note("PRN-01", frozenset({"offline"}), 1_000)
    incidents.note("PRN-02", frozenset(), 2_000)
    assert set(incidents.holding("PRN-01")) == {"offline"}


def test_what_is_remembered_is_bounded_and_what_holds_is_never_forgotten() -> None:
    incidents = Incidents(most=10)
    incidents.note("SCN-01", frozenset({"offline"}), 0)
    for n in range(100):
        incidents.note("PRN-01", frozenset({"paper_low"} if n % 2 else ()), n * 1000)
    assert len(incidents.all()) <= 12
    assert "offline" in incidents.holding("SCN-01")
    assert [t.began_ms for t in incidents.all()] == sorted((t.began_ms for t in incidents.all()), reverse=True)


def test_an_empty_feeder_and_a_port_being_opened_are_no_trouble() -> None:
    assert troubles_of("online", ["feeder_empty"]) == frozenset()
    assert troubles_of("connecting", []) == frozenset()
    assert troubles_of("offline", ["paper_low"]) == {"offline"}


@pytest.mark.parametrize(
    ("trouble", "colour"),
    [
        ("paper_out", Health.BAD), ("paper_jam", Health.BAD), ("cutter_error", Health.BAD), ("double", Health.BAD),
        ("offline", Health.WARN), ("head_hot", Health.WARN), ("cover_open", Health.WARN), ("keys_stuck", Health.WARN),
    ],
)  # fmt: skip
def test_each_colour_is_that_of_the_failure_catalogue(trouble: str, colour: Health) -> None:
    assert health_of(trouble) is colour


def test_amber_or_red_a_device_that_cannot_serve_is_lost() -> None:
    assert [is_lost(view(*state)) for state in (("offline",), ("online", "cover_open"), ("online", "paper_out"))] == [
        True, True, True,
    ]  # fmt: skip
    well = (("online",), ("online", "paper_low"), ("online", "feeder_empty"), ("disabled",), ("connecting",))
    assert not any(is_lost(view(*state)) for state in well)


def test_one_device_under_two_names_is_a_trouble_of_its_own() -> None:
    assert troubles_in(view("offline").model_copy(update={"double": True})) == {"double"}
    assert troubles_in(view("online").model_copy(update={"double": True})) == frozenset()


def test_health_follows_from_what_blocks() -> None:
    assert health(view()) is Health.OK
    assert health(view("connecting")) is Health.BUSY
    assert health(view("disabled")) is Health.OFF
    assert health(view("offline")) is Health.WARN
    assert health(view("online", "paper_low")) is Health.WARN
    assert health(view("online", "paper_low", "paper_out")) is Health.BAD
    assert health(view("online", "feeder_empty")) is Health.OK


def test_what_to_see_to_first() -> None:
    assert worst_of(["paper_low", "paper_out"]) == "paper_out"
    assert worst_of(["paper_out", "cover_open"]) == "cover_open"
    assert worst_of([]) == ""
    assert worst((Health.OK, Health.WARN, Health.OFF)) is Health.WARN
    assert worst((Health.OFF, Health.OFF)) is Health.OFF
    assert worst(()) is Health.OK


def test_every_condition_has_its_words() -> None:
    for condition in Condition:
        assert name_of(condition).zh != condition.value
        assert health_of(condition) in (Health.WARN, Health.BAD)
    assert name_of("something_new").zh == "something_new"
