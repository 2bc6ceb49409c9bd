"""Plain evaluation device: bytes of protocols/keypads.md §4, and what its line, its keys and people can do wrong."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import Condition, Grade, GradeGiven, Identity, LinkError
from drivers.evaluator_bytes import DRIVER, ByteEvaluator, ByteEvaluatorOptions, command, grade_table
from sim.evaluator_bytes import ByteEvaluatorTwin
from sim.stopwatch import Stopwatch
from tests.contract.contract import DriverContract, Rig, ScriptedStream, until


def grade_of(driver: ByteEvaluator) -> Grade:
    """The next grade, as the worker would collect it."""
    return until(lambda: driver.poll_grade(0.2), what="a grade").grade


class TestByteEvaluator(DriverContract):
    driver_module = twin_module = "evaluator_bytes"
    causes = {Condition.KEYS_STUCK: lambda twin: twin.stick("1")}  # noqa: RUF012 - read only
    never_answers = "the device only sends: one that is mute looks like a resident who does not answer"

    jobs = 0

    def job(self, driver: Any, rig: Rig) -> None:
        driver.conditions()
        self.jobs += 1  # the same key again at once would be a bounce
        driver.ask_grade()
        rig.twin.press(str(1 + self.jobs % 5))
        assert grade_of(driver) is Grade(1 + self.jobs % 5)
        assert driver.poll_grade(0.0) is None

    def job_blind(self, driver: Any) -> None:
        driver.ask_grade()
        driver.poll_grade(0.2)
        driver.stop_asking()

    def sample_replies(self) -> list[bytes]:
        return [b"1", b"51"]

    @pytest.mark.parametrize("grade", list(Grade))
    def test_five_keys_are_five_grades(self, rig: Rig, grade: Grade) -> None:
        driver = rig.open()
        assert driver.hello() == Identity()
        driver.ask_grade()
        rig.twin.press(str(grade.value))
        assert grade_of(driver) is grade

    def test_a_grade_that_takes_its_time_arrives(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        driver.ask_grade()
        rig.twin.press_after("4", 0.5)
        assert driver.poll_grade(0.1) is None
        assert driver.conditions() == frozenset()
        assert grade_of(driver) is Grade.DISSATISFIED

    def test_a_grade_pressed_while_conditions_are_asked_is_kept(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        driver.ask_grade()
        rig.twin.press("2")
        driver.conditions()
        assert grade_of(driver) is Grade.SATISFIED

    def test_silence_is_no_grade(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        driver.ask_grade()
        rig.twin.go_mute()
        rig.twin.press("1")
        assert driver.poll_grade(0.3) is None
        driver.stop_asking()
        assert driver.poll_grade(0.0) is None

    def test_of_two_answers_the_first_counts(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        driver.ask_grade()
        rig.twin.answer_twice()
        rig.twin.press("5")
        rig.twin.press("1")
        assert grade_of(driver) is Grade.VERY_DISSATISFIED
        assert driver.poll_grade(0.3) is None

    def test_a_grade_that_nobody_asked_for_is_dropped(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.press("1")
        assert driver.poll_grade(0.2) is None
        rig.twin.press("2")
        driver.ask_grade()
        assert driver.poll_grade(0.2) is None
        rig.twin.press("4")
        assert grade_of(driver) is Grade.DISSATISFIED

    def test_a_grade_that_comes_after_the_time_is_over_is_dropped(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        driver.ask_grade()
        driver.stop_asking()
        rig.twin.press("1")
        assert driver.poll_grade(0.2) is None

    def test_a_grade_that_was_not_fetched_before_the_time_is_over_is_dropped(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        driver.ask_grade()
        rig.twin.press("1")
        driver.conditions()
        driver.stop_asking()
        driver.ask_grade()
        assert driver.poll_grade(0.2) is None

    def test_a_key_that_hangs_answers_no_question(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.stick("1")
        assert driver.conditions() == {Condition.KEYS_STUCK}
        driver.ask_grade()
        assert driver.poll_grade(0.3) is None
        rig.twin.recover()
        assert driver.conditions() == frozenset()
        rig.twin.press("4")
        assert grade_of(driver) is Grade.DISSATISFIED

    def test_a_key_that_bounces_is_one_grade(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        driver.ask_grade()
        rig.twin.bounce("2")
        assert grade_of(driver) is Grade.SATISFIED
        assert driver.poll_grade(0.2) is None
        driver.stop_asking()
        driver.ask_grade()
        assert driver.poll_grade(0.2) is None, "the second contact answers no other question"

    def test_garbage_and_a_power_cycle_are_no_grade(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        driver.ask_grade()
        rig.twin.babble()
        rig.twin.power_cycle()
        assert driver.poll_grade(0.2) is None
        rig.twin.press("3")
        assert grade_of(driver) is Grade.NEUTRAL

    def test_a_plain_device_is_told_nothing(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        driver.ask_grade()
        driver.stop_asking()
        driver.conditions()
        assert rig.line.sent_to_twins() == b""

    def test_a_device_that_wants_to_be_told_is_told(self, rig: Rig) -> None:
        rig.options = {"ask": "1b 41", "stop": "1b42"}
        driver = rig.open()
        driver.hello()
        driver.ask_grade()
        until(lambda: rig.twin.heard == b"\x1bA")
        driver.stop_asking()
        until(lambda: rig.twin.heard == b"\x1bA\x1bB")

    def test_a_table_may_give_bytes_another_meaning(self, rig: Rig) -> None:
        rig.options = {"grades": {"31": 2, "32": 3, "33": 4, "34": 0, "35": 0}}
        driver = rig.open()
        driver.hello()
        driver.ask_grade()
        rig.twin.press("5")
        assert driver.poll_grade(0.2) is None
        rig.twin.press("3")
        assert grade_of(driver) is Grade.DISSATISFIED

    def test_a_mute_device_is_not_noticed_and_a_port_that_is_gone_is(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.go_mute()
        assert driver.conditions() == frozenset()
        rig.line.unplug()
        with pytest.raises(LinkError):
            driver.conditions()


class Ear:
    """A line that keeps what a twin says."""

    def __init__(self) -> None:
        self.said = b""

    def send(self, data: bytes) -> None:
        self.said += data


def test_golden_bytes_of_the_document() -> None:
    twin: Any = ByteEvaluatorTwin("TST-01", {})
    twin.line = Ear()
    for key in "12345":
        twin.press(key)
    assert twin.line.said == bytes.fromhex("31 32 33 34 35")
    assert grade_table({}) == {
        0x31: Grade.VERY_SATISFIED, 0x32: Grade.SATISFIED, 0x33: Grade.NEUTRAL, 0x34: Grade.DISSATISFIED,
        0x35: Grade.VERY_DISSATISFIED,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"grades": {"0x31": 1}}, 'grades: "0x31" is no answer byte, legal: "00" to "ff" in two hex digits'),
        ({"grades": {"31": 6}}, 'grades: "31" = 6 is no grade, legal: 1 非常满意'),
        ({"ask": "1"}, 'ask = "1", legal: at most 64 bytes in hex'),
        ({"stop": "00" * 65}, 'stop = "0+", legal: at most 64 bytes in hex'),
    ],
)
def test_option_errors_name_the_key_and_what_is_legal(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        ByteEvaluatorOptions(**options)


def test_a_command_is_hex() -> None:
    assert command("ask", "") == b""
    assert command("ask", "1B 59") == b"\x1bY"


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_whatever_comes_is_one_grade_a_question_or_nothing(pieces: list[bytes]) -> None:
    driver = DRIVER("TST-01", ScriptedStream([]), ByteEvaluatorOptions())
    driver.ask_grade()
    given_grades = []
    for piece in pieces:
        driver.link.waiting = piece  # type: ignore[attr-defined]
        given_grades += [g for g in [driver.poll_grade(0.0)] if g is not None]
    assert len(given_grades) <= 1
    first = next((b for b in b"".join(pieces) if b in b"12345"), None)
    if given_grades:
        assert given_grades == [GradeGiven(Grade(int(chr(first or 0))))]


def test_a_device_that_never_stops_talking_holds_nobody_up() -> None:
    class Flood(ScriptedStream):
        def _read_some(self, most: int, limit_s: float) -> bytes:
            time.sleep(min(limit_s, 0.005))
            return b"1"

    driver = DRIVER("TST-01", Flood([]), ByteEvaluatorOptions())
    watch = Stopwatch()
    driver.poll_grade(0.2)
    assert watch.s < 3.0  # proves that it ends: the line itself never does
    until(lambda: driver.conditions() == {Condition.KEYS_STUCK})
