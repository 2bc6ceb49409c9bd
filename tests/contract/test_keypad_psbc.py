"""Postal-bank pad: frames of protocols/keypads.md §1.2, its two uses, and what line, keys and people can do wrong."""

import time
from typing import Any

import pytest

from drivers.base import (
    QUESTION_LIMIT_S,
    BadReply,
    Condition,
    Evaluator,
    Grade,
    GradeGiven,
    Identity,
    Key,
    Keypad,
    NoReply,
    Refused,
)
from drivers.keypad_psbc import (
    ASKING_LIMIT_S,
    DRIVER,
    AskBy,
    PsbcOptions,
    PsbcPad,
)
from sim.stopwatch import Stopwatch
from tests.contract.contract import DriverContract, Rig, ScriptedStream, until

PHONE = "13900000000"
INPUT = bytes.fromhex("1B 47 49 01 00")
SERIAL = bytes.fromhex("1B 57")
CANCEL = b"\x83"


def poll(driver: PsbcPad, limit_s: float = 0.2) -> Key | None:
    return driver.poll_key(limit_s)


def keys_of(driver: PsbcPad, count: int, limit_s: float = 10.0) -> str:
    """The next `count` keys, while grades are polled too, as the worker does."""
    keys: list[Key] = []

    def enough() -> bool:
        key = driver.poll_key(0.1)
        keys.extend([key] if key is not None else [])
        assert driver.poll_grade(0.05) is None
        return len(keys) >= count

    until(enough, limit_s, f"{count} keys")
    return "".join(keys)


def grade_of(driver: PsbcPad, limit_s: float = 5.0) -> Grade:
    """The next grade, while keys are polled too, as the worker does."""

    def given_one() -> GradeGiven | None:
        assert driver.poll_key(0.05) is None
        return driver.poll_grade(0.1)

    return until(given_one, limit_s, "a grade").grade


def asked(driver: PsbcPad, rig: Rig) -> None:
    """A question that has reached the pad."""
    driver.ask_grade()
    until(lambda: rig.twin.doing == "evaluation", what="the question on the pad")


class TestPsbcPad(DriverContract):
    driver_module = twin_module = "keypad_psbc"
    options = {"probe_every_s": 0}  # noqa: RUF012 - read only; every conditions() asks the pad
    causes = {Condition.KEYS_STUCK: lambda twin: twin.stick("5")}  # noqa: RUF012 - read only

    jobs = 0

    def job(self, driver: Any, rig: Rig) -> None:
        driver.conditions()
        self.jobs += 1
        until(lambda: rig.twin.doing == "keys", what="input runs")
        rig.twin.press(str(self.jobs % 10))
        assert keys_of(driver, 1) == str(self.jobs % 10)
        asked(driver, rig)
        rig.twin.rate("neutral")
        assert grade_of(driver) is Grade.NEUTRAL
        assert poll(driver, 0.0) is None
        assert rig.twin.unknown == []

    def personal_job(self, driver: Any, rig: Rig) -> None:
        rig.twin.type(PHONE)
        while driver.poll_key(0.2) is not None:
            pass

    def job_blind(self, driver: Any) -> None:
        driver.poll_key(0.2)
        driver.ask_grade()
        driver.poll_grade(0.2)
        driver.stop_asking()

    def sample_replies(self) -> list[bytes]:
        return [b"\x01", b"\x02\x00"]  # a leftover key is a key: nothing on this line tells it from a fresh one

    def test_offers_both_uses(self) -> None:
        assert issubclass(DRIVER, Keypad)
        assert issubclass(DRIVER, Evaluator)
        assert DRIVER.kind == "keypad"

    # Hello and presence

    def test_the_serial_number_is_its_identity(self, rig: Rig) -> None:
        driver = rig.open()
        assert driver.hello() == Identity(serial="PSBC-00990001")
        until(lambda: rig.twin.doing == "keys")
        assert rig.line.sent_to_twins() == CANCEL + SERIAL + INPUT

    def test_an_input_that_another_program_left_running_does_not_hide_the_serial_number(self, rig: Rig) -> None:
        driver = rig.open()
        driver.link.write(bytes.fromhex("1B 47 49 00 01"))
        until(lambda: rig.twin.doing == "packed keys")
        assert driver.hello().serial == "PSBC-00990001"

    def test_a_key_sent_before_the_serial_number_is_kept(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.press_before_next_serial("7")
        assert driver.conditions() == frozenset()
        assert keys_of(driver, 1) == "7"
        assert poll(driver, 0.0) is None

    def test_a_serial_number_of_digits_is_never_typed(self, rig: Rig) -> None:
        rig.twin.serial = b"20141125"
        driver = rig.open()
        driver.hello()
        for _ in range(3):
            assert driver.conditions() == frozenset()
        assert poll(driver) is None

    def test_a_serial_number_that_comes_late_is_never_typed(self, rig: Rig) -> None:
        rig.twin.serial = b"20141125"
        rig.options = {"probe_every_s": 0, "answer_limit_s": 0.3}
        driver = rig.open()
        driver.hello()
        rig.twin.answer_late(0.6)
        with pytest.raises(NoReply):
            driver.conditions()
        assert driver.poll_key(0.0) is None
        assert driver.poll_key(0.6) is None
        rig.twin.recover()
        assert driver.conditions() == frozenset()
        assert poll(driver) is None
        rig.twin.press("3")
        assert keys_of(driver, 1) == "3"

    def test_a_serial_number_that_is_always_late_is_never_taken_for_the_next_one(self, rig: Rig) -> None:
        rig.twin.serial = b"20141125"
        driver = rig.open()
        driver.hello()
        rig.twin.answer_late(0.75)
        for _ in range(3):
            with pytest.raises(NoReply):
                driver.conditions()
        assert poll(driver, 1.0) is None
        rig.twin.recover()
        assert driver.conditions() == frozenset()
        until(lambda: rig.twin.doing == "keys")

    def test_keys_prove_the_pad_alive_and_spare_the_question(self, rig: Rig) -> None:
        rig.options = {}
        driver = rig.open()
        driver.hello()
        until(lambda: rig.twin.doing == "keys")
        rig.twin.ignore_serial()
        sent = rig.line.sent_to_twins()
        rig.twin.press("1")
        assert driver.conditions() == frozenset()
        assert keys_of(driver, 1) == "1"
        assert rig.line.sent_to_twins() == sent

    def test_a_pad_that_does_not_tell_its_number_gives_no_reply(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.ignore_serial()
        with pytest.raises(NoReply, match=r"TST-01: probed by its serial number, no byte within 0.5 s on "):
            driver.conditions()
        rig.twin.recover()
        assert driver.conditions() == frozenset()
        until(lambda: rig.twin.doing == "keys")

    def test_another_pad_on_the_same_port_is_noticed(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.serial = b"PSBC-00990002"
        with pytest.raises(BadReply, match="13 bytes came that are not the one it had"):
            driver.conditions()
        assert driver.hello().serial == "PSBC-00990002"

    def test_after_a_power_cut_input_runs_again(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        until(lambda: rig.twin.doing == "keys")
        rig.twin.power_cycle()
        assert rig.twin.doing == "welcome"
        driver.conditions()
        until(lambda: rig.twin.doing == "keys")
        rig.twin.press("4")
        assert keys_of(driver, 1) == "4"

    def test_a_wrong_speed_is_silence(self, rig: Rig) -> None:
        rig.options = {"baud": 19200}
        with pytest.raises(NoReply):
            rig.open().hello()

    def test_a_line_that_dribbles_for_ever_ends_each_question_in_time(self) -> None:
        class Dribble(ScriptedStream):
            def _read_some(self, most: int, limit_s: float) -> bytes:
                time.sleep(min(limit_s, 0.01))
                return b"3" if limit_s > 0.01 else b""

        driver = DRIVER("TST-01", Dribble([]), PsbcOptions())
        for question in (driver.hello, driver.conditions):
            watch = Stopwatch()
            with pytest.raises(BadReply, match="bytes as its serial number"):
                question()
            assert watch.s < QUESTION_LIMIT_S

    # Keys

    def test_every_key_of_the_pad_arrives(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        until(lambda: rig.twin.doing == "keys")
        for label, key in [("enter", "ok"), ("backspace", "correct"), ("cancel", "cancel"), (".", "*"), ("#", "#"),
                           *((d, d) for d in "0123456789")]:  # fmt: skip
            rig.twin.press(label)
            assert keys_of(driver, 1) == key

    def test_a_phone_number_typed_by_a_person_arrives_whole_and_leaves_no_trace(self, rig: Rig) -> None:
        rig.options = {}
        driver = rig.open()
        driver.hello()
        until(lambda: rig.twin.doing == "keys")
        rig.twin.type_like_a_person(PHONE[:6], seed=3)
        rig.twin.type(PHONE[6:])
        assert keys_of(driver, len(PHONE)) == PHONE
        assert b"".join(data for direction, data in rig.traced if direction == "<") == b""
        assert rig.hidden >= len(PHONE)

    def test_bounce_is_one_press(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        until(lambda: rig.twin.doing == "keys")
        driver.poll_key(0.0)
        rig.twin.bounce("6", after_s=0.005)
        assert keys_of(driver, 1) == "6"
        assert poll(driver) is None

    def test_garbage_is_neither_key_nor_grade(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        until(lambda: rig.twin.doing == "keys")
        rig.twin.babble()
        rig.twin.press("3")
        assert keys_of(driver, 1) == "3"
        asked(driver, rig)
        rig.twin.babble()
        assert driver.poll_grade(0.2) is None
        rig.twin.rate("satisfied")
        assert grade_of(driver) is Grade.SATISFIED

    def test_keys_pressed_before_hello_belong_to_nobody(self, rig: Rig) -> None:
        driver = rig.open()
        driver.link.write(INPUT)
        until(lambda: rig.twin.doing == "keys")
        rig.twin.type("12")
        driver.hello()
        assert poll(driver) is None

    def test_a_table_may_rename_and_remove_keys(self, rig: Rig) -> None:
        rig.options = {"keys": {"2E": "help", "23": ""}}
        driver = rig.open()
        driver.hello()
        until(lambda: rig.twin.doing == "keys")
        rig.twin.press("#")
        rig.twin.press(".")
        assert keys_of(driver, 1) == "help"

    def test_it_has_no_display_of_ours(self, rig: Rig) -> None:
        driver = rig.open()
        assert driver.columns == 0
        with pytest.raises(Refused) as caught:
            driver.show_lines("A", "B")
        assert caught.value.condition is Condition.TEXT_UNSUITABLE

    # Grades

    @pytest.mark.parametrize(
        ("rating", "grade"),
        [("satisfied", Grade.SATISFIED), ("neutral", Grade.NEUTRAL), ("dissatisfied", Grade.DISSATISFIED)],
    )
    def test_three_keys_are_three_grades(self, rig: Rig, rating: str, grade: Grade) -> None:
        driver = rig.open()
        driver.hello()
        asked(driver, rig)
        rig.twin.rate(rating)
        assert grade_of(driver) is grade

    def test_a_grade_that_takes_its_time_arrives(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.will_rate("dissatisfied", after_s=0.6)
        driver.ask_grade()
        assert driver.poll_grade(0.1) is None
        assert grade_of(driver) is Grade.DISSATISFIED

    def test_silence_is_no_grade(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        asked(driver, rig)
        watch = Stopwatch()
        assert driver.poll_grade(0.3) is None
        assert watch.wall_s > 0.25
        assert watch.s < 3.0  # it waits as long as it was told, and ends
        driver.stop_asking()
        assert driver.poll_grade(0.0) is None

    def test_the_answer_none_is_no_grade_and_ends_the_question(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        asked(driver, rig)
        rig.twin.rate("none")
        assert driver.poll_grade(0.5) is None
        until(lambda: rig.twin.doing == "keys", what="input given back")
        rig.twin.rate_unasked("satisfied")
        assert driver.poll_grade(0.3) is None

    def test_of_two_answers_the_first_counts(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        asked(driver, rig)
        rig.twin.answer_twice()
        rig.twin.rate("dissatisfied")
        rig.twin.rate_unasked("satisfied")
        assert grade_of(driver) is Grade.DISSATISFIED
        assert driver.poll_grade(0.3) is None

    def test_a_grade_that_nobody_asked_for_is_dropped(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.rate_unasked("satisfied")
        assert driver.poll_grade(0.2) is None
        rig.twin.rate_unasked("satisfied")
        asked(driver, rig)
        assert driver.poll_grade(0.3) is None
        rig.twin.rate("dissatisfied")
        assert grade_of(driver) is Grade.DISSATISFIED

    def test_a_grade_that_comes_after_the_time_is_over_is_dropped(self, rig: Rig) -> None:
        rig.options = {"numeric_input": False, "probe_every_s": 0}
        driver = rig.open()
        driver.hello()
        asked(driver, rig)
        rig.twin.ignore_cancel()
        driver.stop_asking()
        rig.twin.rate("satisfied")
        assert driver.poll_grade(0.3) is None

    def test_a_grade_that_was_not_fetched_before_the_time_is_over_is_dropped(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        asked(driver, rig)
        rig.twin.rate("satisfied")
        assert driver.poll_key(0.3) is None
        driver.stop_asking()
        assert driver.poll_grade(0.2) is None

    def test_stop_asking_takes_the_question_away_and_gives_input_back(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        asked(driver, rig)
        driver.stop_asking()
        until(lambda: rig.twin.doing == "keys")
        rig.twin.press("8")
        assert keys_of(driver, 1) == "8"
        sent = rig.line.sent_to_twins()
        driver.stop_asking()
        assert rig.line.sent_to_twins() == sent

    def test_stop_asking_brings_back_the_welcome_text(self, rig: Rig) -> None:
        rig.options = {"numeric_input": False}
        driver = rig.open()
        driver.hello()
        asked(driver, rig)
        driver.stop_asking()
        until(lambda: rig.twin.doing == "welcome")

    def test_a_question_cancels_input_and_digits_are_no_grade(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        until(lambda: rig.twin.doing == "keys")
        rig.line.noise(b"1")
        assert keys_of(driver, 1) == "1"
        asked(driver, rig)
        assert rig.line.sent_to_twins().endswith(INPUT + CANCEL + bytes.fromhex("1B 47 53 00"))
        rig.line.noise(b"123\r")
        assert driver.poll_grade(0.3) is None
        assert poll(driver) is None
        assert rig.twin.doing == "evaluation"

    def test_a_question_is_not_disturbed_by_the_question_whether_it_is_there(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        asked(driver, rig)
        sent = rig.line.sent_to_twins()
        assert driver.conditions() == frozenset()
        assert rig.line.sent_to_twins() == sent
        rig.twin.rate("satisfied")
        assert grade_of(driver) is Grade.SATISFIED

    def test_a_question_that_is_forgotten_does_not_hide_a_dead_pad_for_ever(
        self, rig: Rig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        driver = rig.open()
        driver.hello()
        asked(driver, rig)
        rig.twin.go_mute()
        assert driver.conditions() == frozenset()
        now = time.monotonic
        monkeypatch.setattr(time, "monotonic", lambda: now() + ASKING_LIMIT_S + 1)
        with pytest.raises(NoReply):
            driver.conditions()

    @pytest.mark.parametrize(
        ("ask_by", "frame", "said"),
        [
            ("silence", "1B 59", []),
            ("voice", "1B 47 53 00", ["please rate our service"]),
            ("beep", "1B 47 53 01", ["beep"]),
        ],
    )
    def test_it_asks_as_its_table_says(self, rig: Rig, ask_by: str, frame: str, said: list[str]) -> None:
        rig.options = {"ask_by": AskBy(ask_by)}
        driver = rig.open()
        driver.hello()
        asked(driver, rig)
        assert rig.line.sent_to_twins().endswith(bytes.fromhex(frame))
        assert rig.twin.said == said

    def test_a_pad_that_only_evaluates_keeps_its_welcome_text(self, rig: Rig) -> None:
        rig.options = {"numeric_input": False, "probe_every_s": 0}
        driver = rig.open()
        driver.hello()
        driver.conditions()
        asked(driver, rig)
        rig.twin.rate("neutral")
        assert grade_of(driver) is Grade.NEUTRAL
        assert rig.twin.doing == "welcome"
        assert INPUT not in rig.line.sent_to_twins()

    def test_a_table_may_give_grades_another_meaning(self, rig: Rig) -> None:
        rig.options = {"grades": {"01": 1, "03": 0}}
        driver = rig.open()
        driver.hello()
        asked(driver, rig)
        rig.twin.rate("satisfied")
        assert grade_of(driver) is Grade.VERY_SATISFIED
