"""What every display that answers on a shared line must do besides the contract of all drivers."""

import time
from typing import Any, ClassVar

import pytest

from drivers.base import QUESTION_LIMIT_S, BadReply, CallText, NoReply
from sim.carriers import ByteLine, Passed
from sim.stopwatch import Stopwatch
from tests.contract.contract import DriverContract, Rig, ScriptedStream, until

NOISE = b"\x00\xff\x5a\xa5\x13\xaa\xa0"
"""What other protocols of a line, or nobody, may have put before an answer."""


class AnsweringDisplayContract(DriverContract):
    """`answer` is a genuine reply to each of the deeds in a row: hello, conditions, a text."""

    other_address: ClassVar[int] = 77

    def driver_on(self, link: Any, rig: Rig) -> Any:
        return rig.driver_type("TST-01", link, rig.driver_type.Options(**rig.options))

    def all_answered(self, rig: Rig) -> bool:
        """Whether every frame has had its answer, however late."""
        directions = [passed.direction for passed in rig.line.transcript]
        return directions.count("<") == directions.count(">")

    def test_a_lost_answer_costs_one_repetition(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        self.job(driver, rig)

        def lose_one(_: bytes) -> bytes:
            rig.line.mangle = None
            return b""

        rig.line.mangle = lose_one
        before = len(rig.twin.shown)
        self.job(driver, rig)
        assert len(rig.twin.shown) == before + 2
        assert rig.twin.collisions == []

    def test_a_spoilt_answer_to_a_text_is_asked_for_again(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.corrupt_replies(times=1)
        self.job(driver, rig)
        rig.twin.corrupt_replies()
        with pytest.raises(BadReply, match="TST-01: sent a text twice, "):
            self.job_blind(driver)

    def test_an_answer_after_the_limit_is_not_taken_for_the_next_one(self, rig: Rig) -> None:
        rig.options = {**rig.options, "reply_limit_s": 0.15}
        driver = rig.open()
        driver.hello()
        rig.twin.answer_late(0.7)
        with pytest.raises(NoReply):
            driver.hello()
        until(lambda: self.all_answered(rig), what="the late answers")
        rig.twin.go_mute()
        with pytest.raises(NoReply):
            driver.hello()

    def test_an_answer_under_another_number_is_passed_over(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.answer_as(self.other_address)
        for deed in (driver.hello, driver.conditions, lambda: self.job_blind(driver)):
            with pytest.raises(NoReply, match="other bytes came"):
                deed()

    def test_noise_before_an_answer_does_no_harm(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.precede_replies_with(NOISE)
        driver.hello()
        assert driver.conditions() == frozenset()
        self.job(driver, rig)

    def test_noise_between_frames_does_no_harm(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        for _ in range(3):
            rig.line.noise(b"\x00\xff")
            self.job_blind(driver)
            rig.line.noise(b"\x00\xff")
            assert driver.conditions() == frozenset()
        assert rig.twin.complaints == []

    def test_an_adapter_that_echoes_does_no_harm(self, rig: Rig) -> None:
        driver = rig.open()
        rig.line.mangle = lambda data: rig.line.transcript[-1].data + data
        driver.hello()
        self.job(driver, rig)
        rig.line.mangle = lambda _: rig.line.transcript[-1].data
        with pytest.raises(NoReply):
            self.job_blind(driver)

    def test_a_line_that_is_never_silent_ends_each_deed_in_time(self, rig: Rig) -> None:
        class Babble(ScriptedStream):
            def _read_some(self, most: int, limit_s: float) -> bytes:
                time.sleep(min(limit_s, 0.03))
                return b"\xa0" if limit_s >= 0.03 else b""

        driver = self.driver_on(Babble([]), rig)
        for deed in (driver.hello, driver.conditions, lambda: self.job_blind(driver)):
            watch = Stopwatch()
            with pytest.raises(BadReply, match=r"TST-01: scripted is never silent for 0.1 s"):
                deed()
            assert watch.s < QUESTION_LIMIT_S

    def test_an_answer_that_dribbles_for_ever_ends_each_deed_in_time(self, rig: Rig) -> None:
        class Dribble(ScriptedStream):
            def _read_some(self, most: int, limit_s: float) -> bytes:
                time.sleep(min(limit_s, 0.4))
                return b"\x01" if limit_s >= 0.4 else b""

        driver = self.driver_on(Dribble([]), rig)
        for deed in (driver.hello, driver.conditions, lambda: self.job_blind(driver)):
            watch = Stopwatch()
            with pytest.raises(NoReply, match="other bytes came"):
                deed()
            assert watch.s < QUESTION_LIMIT_S

    def test_a_frame_too_soon_after_another_is_a_collision_to_the_twin(self, rig: Rig) -> None:
        rig.options = {**rig.options, "gap_s": 0.0}
        driver = rig.open()
        driver.hello()
        assert rig.twin.collisions == []
        for number in range(1, 100):  # on a busy machine some frames come late enough
            driver.show(CallText(text=f"A{number:03d}"))
            if rig.twin.collisions:
                break
        assert len(rig.twin.collisions) == 1


class Ear(ByteLine):
    """A line in memory that keeps what the twins say."""

    port = "ear"

    def __init__(self, *twins: Any) -> None:
        super().__init__()
        self.said = b""
        self.at = 0.0
        for twin in twins:
            self.attach(twin)

    def hear(self, data: bytes, *, after_s: float = 1.0) -> bytes:
        """What comes back for these bytes, so long after those before."""
        self.said = b""
        self.at += after_s
        self.transcript.append(Passed(at=self.at, direction=">", data=data))
        for twin in self.twins:
            twin.receive(data)
        return self.said

    def _write(self, data: bytes) -> None:
        self.said += data
        self.transcript[-1] = Passed(at=self.at, direction="<", data=data)

    def start(self) -> None:
        """Nothing to plug in."""

    stop = start
