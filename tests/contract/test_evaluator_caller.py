"""Evaluation device behind a caller: the proposed frames, and answers that nobody may count."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from drivers.base import QUESTION_LIMIT_S, Grade, GradeGiven
from drivers.caller_line import CallerFrame
from drivers.evaluator_caller import CallerEvaluator, EvaluatorCallerOptions, decode_grade
from sim.evaluator_caller import EvaluatorBehindCaller
from sim.stopwatch import Stopwatch
from tests.contract.contract import DriverContract, Rig, until


def grade_of(driver: CallerEvaluator) -> Grade:
    return until(lambda: driver.poll_grade(0.2), what="a grade").grade


def heard_nothing(driver: CallerEvaluator) -> bool:
    return driver.poll_grade(0.1) is None and driver.poll_grade(0.1) is None


def asked(rig: Rig) -> CallerEvaluator:
    """A driver that has asked."""
    driver: CallerEvaluator = rig.open()
    driver.hello()
    driver.ask_grade()
    until(lambda: rig.twin.asking)
    return driver


class TestCallerEvaluator(DriverContract):
    driver_module = twin_module = "evaluator_caller"
    no_conditions = "the device sends grades, and nothing about itself"
    options = {"caller_address": 3}  # noqa: RUF012 - read only
    never_answers = "this line has no question and no acknowledgement"

    def job(self, driver: Any, rig: Rig) -> None:
        driver.conditions()
        driver.ask_grade()
        until(lambda: rig.twin.asking)
        rig.twin.press(2)
        assert grade_of(driver) is Grade.SATISFIED
        assert heard_nothing(driver)
        assert rig.twin.unknown == []

    def job_blind(self, driver: Any) -> None:
        driver.ask_grade()
        driver.poll_grade(0.2)
        driver.stop_asking()

    def sample_replies(self) -> list[bytes]:
        return [bytes.fromhex("01 03 59 00 01 FF"), bytes.fromhex("01 03 59 00 00 FF")]

    def test_a_mute_device_is_a_resident_who_does_not_answer(self, rig: Rig) -> None:
        driver: CallerEvaluator = rig.open()
        rig.twin.go_mute()
        watch = Stopwatch()
        driver.hello()
        assert driver.conditions() == frozenset()
        driver.ask_grade()
        assert heard_nothing(driver)
        driver.stop_asking()
        assert watch.s < QUESTION_LIMIT_S
        rig.twin.recover()
        self.job(driver, rig)

    @pytest.mark.parametrize("grade", list(Grade))
    def test_each_grade_arrives(self, rig: Rig, grade: Grade) -> None:
        driver = asked(rig)
        rig.twin.press(int(grade))
        assert driver.poll_grade(2.0) == GradeGiven(grade)

    def test_a_device_with_three_keys(self, rig: Rig) -> None:
        rig.options = {"caller_address": 3, "grade_keys": 3}
        for key, grade in ((1, Grade.SATISFIED), (2, Grade.NEUTRAL), (3, Grade.DISSATISFIED)):
            driver = asked(rig)
            rig.twin.press(key)
            assert grade_of(driver) is grade
            driver.link.close()

    def test_a_grade_that_nobody_asked_for_is_dropped(self, rig: Rig) -> None:
        driver: CallerEvaluator = rig.open()
        driver.hello()
        rig.twin.answer_unasked(1)
        assert heard_nothing(driver)
        rig.twin.answer_unasked(5)
        port: Any = driver.link
        until(lambda: port._serial.in_waiting)
        driver.ask_grade()
        until(lambda: rig.twin.asking)
        assert heard_nothing(driver)
        rig.twin.press(4)
        assert grade_of(driver) is Grade.DISSATISFIED

    def test_the_first_of_two_answers_counts(self, rig: Rig) -> None:
        driver = asked(rig)
        rig.twin.answer_twice(2, 5)
        assert grade_of(driver) is Grade.SATISFIED
        assert heard_nothing(driver)

    def test_nobody_answering_is_no_grade(self, rig: Rig) -> None:
        driver = asked(rig)
        rig.twin.let_time_pass()
        assert heard_nothing(driver)
        rig.twin.answer_unasked(5)
        assert heard_nothing(driver)

    def test_what_comes_after_the_end_of_asking_is_dropped(self, rig: Rig) -> None:
        driver = asked(rig)
        driver.stop_asking()
        until(lambda: not rig.twin.asking)
        rig.twin.answer_unasked(1)
        assert heard_nothing(driver)

    def test_a_number_that_is_no_grade_leaves_the_question_open(self, rig: Rig) -> None:
        driver = asked(rig)
        rig.twin.answer_unasked(9)
        assert heard_nothing(driver)
        rig.twin.press(3)
        assert grade_of(driver) is Grade.NEUTRAL

    def test_a_split_answer_is_no_answer(self, rig: Rig) -> None:
        driver = asked(rig)
        rig.twin.split_frames(gap_s=0.3)
        with ThreadPoolExecutor(1) as finger:
            done = finger.submit(rig.twin.press, 1)
            assert heard_nothing(driver)
            done.result()
        assert heard_nothing(driver)

    def test_hello_ends_the_question_of_an_earlier_program(self, rig: Rig) -> None:
        asked(rig).link.close()
        driver = rig.open()
        driver.hello()
        until(lambda: not rig.twin.asking)

    def test_another_command_byte_may_be_guessed(self, rig: Rig) -> None:
        rig.options = {"caller_address": 3, "guessed_command": 0x4D}
        driver = rig.open()
        driver.hello()
        driver.ask_grade()
        until(lambda: rig.line.sent_to_twins() == bytes.fromhex("03 01 4D 00 00 FF 03 01 4D 00 01 FF"))


def test_the_proposed_bytes(tmp_path: Any) -> None:
    twin: Any = EvaluatorBehindCaller("TST-01", {"caller_address": 3})
    said = []
    twin.say = lambda data, **_: said.append(data)
    twin.receive(bytes.fromhex("03 01 59 00 01 FF"))
    assert twin.asking
    twin.press(5)
    assert said == [bytes.fromhex("01 03 59 00 05 FF")]
    twin.receive(bytes.fromhex("03 01 59 00 01 FF 03 01 59 00 00 FF 03 01 59 01 00 FF"))
    assert (twin.asking, twin.questions, twin.unknown) == (False, 2, [(0x59, 1, 0)])


@pytest.mark.parametrize("data", [b"\x00\x00", b"\x00\x06", b"\x01\x01", b"\x73\x73"])
def test_what_is_no_grade_is_none(data: bytes) -> None:
    assert decode_grade(CallerFrame(3, 0x59, data), 5) is None


def test_a_caller_and_what_hangs_behind_it_may_share_a_line() -> None:
    assert EvaluatorCallerOptions(caller_address=3).address != EvaluatorCallerOptions(caller_address=4).address


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"caller_address": 0}, "caller_address = 0, legal: 2 to 254"),
        ({"caller_address": 3, "guessed_command": 0x1C}, "guessed_command = 0x1c, legal: 0x00 to 0xfe but not 0x00"),
        ({"caller_address": 3, "guessed_command": 0xFF}, "guessed_command = 0xff, legal"),
        ({"caller_address": 3, "grade_keys": 4}, "grade_keys = 4, legal: 3 or 5"),
    ],
)
def test_option_errors_name_the_key_and_what_is_legal(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        EvaluatorCallerOptions(**options)
