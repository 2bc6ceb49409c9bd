"""What every driver must do, whatever its protocol. A driver's test inherits this and adds its own frames.

A subclass on a byte stream gives `driver_module`, `twin_module`, `options`, a `job`, and what its twin can cause; a
subclass on another carrier overrides `rig`.
"""

import importlib
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.base import QUESTION_LIMIT_S, Condition, DeviceError, Driver, Identity, LinkError, NoReply, Unconfirmed
from drivers.transport import ByteStream, Link, Traffic, open_link
from sim.carriers import ByteLine, PtyLine
from sim.stopwatch import Stopwatch
from tests.waiting import until

MARKERS = ("张测试", "990000199909090053", "13900000000")
"""Fictitious name, ID number and phone that must never show in a trace or an error."""


@dataclass
class Rig:
    """A twin on its carrier, and drivers opened on the other end."""

    driver_type: type[Driver[Any, Any]]
    options: dict[str, Any]
    twin: Any
    line: Any
    device: str = "TST-01"
    traced: list[tuple[str, bytes]] = field(default_factory=list)
    hidden: int = 0
    """How many bytes the trace left out as personal."""
    links: list[Link] = field(default_factory=list)

    def open(self) -> Any:
        """A driver over a fresh link; the trace goes to `traced`."""
        options = self.driver_type.Options(**self.options)
        link = open_link(self.line.port, baud=self.options.get("baud", 9600))
        link.tap = self._note
        self.links.append(link)
        return self.driver_type(self.device, link, options)

    def _note(self, passed: Traffic) -> None:
        self.traced.append((passed.direction, passed.data))
        self.hidden += passed.personal

    def close(self) -> None:
        """Give every port back and unplug."""
        for link in self.links:
            link.close()
        self.line.stop()


class ScriptedStream(ByteStream):
    """A line in memory on which each write is answered by the next scripted reply; silence costs no time."""

    def __init__(self, replies: list[bytes]) -> None:
        super().__init__("scripted")
        self.replies = replies
        self.waiting = b""

    def write(self, data: bytes, limit_s: float = 2.0) -> None:
        if self.replies:
            self.waiting += self.replies.pop(0)

    def _read_some(self, most: int, limit_s: float) -> bytes:
        data, self.waiting = self.waiting[:most], self.waiting[most:]
        return data

    def close(self) -> None:
        """Nothing to give back."""


# The property is inherited, so one process runs it on behalf of several classes; each draws its own examples.
_INHERITED = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors, HealthCheck.too_slow]


class DriverContract:
    """Inherited by the test of each driver on a byte stream."""

    driver_module: ClassVar[str]
    twin_module: ClassVar[str]
    options: ClassVar[dict[str, Any]] = {}
    causes: ClassVar[dict[Condition, Callable[[Any], object]]] = {}
    """Condition → the verb of the twin that brings it about; each must then be reported."""
    no_conditions: ClassVar[str] = ""
    """Why no twin can make this driver report a condition; one of `causes` and this says something."""
    never_answers: ClassVar[str] = ""
    """Why a mute device of this kind cannot be told from an idle one; its driver must then claim nothing about it."""

    def job(self, driver: Any, rig: Rig) -> None:
        """Do the capability's job once and assert that the twin saw exactly that."""
        raise AssertionError("the driver's test says what its job is")

    def sample_replies(self) -> list[bytes]:
        """Genuine replies, for Hypothesis to damage."""
        return []

    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        driver_type = importlib.import_module(f"drivers.{self.driver_module}").DRIVER
        twin = importlib.import_module(f"sim.{self.twin_module}").TWIN("TST-01", self.options)
        line: ByteLine = PtyLine(tmp_path / "port")
        line.attach(twin)
        line.start()
        rig = Rig(driver_type=driver_type, options=self.options, twin=twin, line=line)
        yield rig
        rig.close()

    def test_says_hello_and_reports_nothing_wrong(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        assert not any(c.blocks for c in driver.conditions())

    def test_does_its_job_and_can_do_it_again(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        self.job(driver, rig)
        self.job(driver, rig)

    def test_reports_each_condition_its_twin_can_cause(self, rig: Rig) -> None:
        assert bool(self.causes) != bool(self.no_conditions), "say what can be caused, or why nothing can"
        driver = rig.open()
        driver.hello()
        for condition, cause in self.causes.items():
            cause(rig.twin)
            assert condition in driver.conditions(), f"{condition} was caused and not reported"
            rig.twin.recover()
            assert condition not in driver.conditions(), f"{condition} is over and still reported"
        self.job(driver, rig)

    def test_survives_unplug_and_replug(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.line.unplug()
        with pytest.raises((LinkError, Unconfirmed)):
            self._ask_until_error(driver)
        driver.link.close()
        rig.line.replug()
        again = rig.open()
        again.hello()
        self.job(again, rig)

    def _ask_until_error(self, driver: Any) -> None:
        for _ in range(20):
            driver.conditions()

    def test_mute_device_gives_no_reply_in_time(self, rig: Rig) -> None:
        driver = rig.open()
        rig.line.mangle = lambda _: b""
        if self.never_answers:
            self._claims_nothing(driver)
            return
        for question in (driver.hello, driver.conditions):
            watch = Stopwatch()
            with pytest.raises(NoReply):
                question()
            assert watch.s < QUESTION_LIMIT_S
        watch = Stopwatch()
        with pytest.raises((NoReply, Unconfirmed)):
            self.job(driver, rig)
        assert watch.s < driver.job_limit_s
        rig.line.mangle = None
        driver.link.drop_input()
        self.job(driver, rig)

    def _claims_nothing(self, driver: Any) -> None:
        watch = Stopwatch()
        assert driver.hello() == Identity(), self.never_answers
        assert driver.conditions() == frozenset(), self.never_answers
        assert watch.s < QUESTION_LIMIT_S

    def test_reply_in_single_bytes_is_the_same_reply(self, rig: Rig) -> None:
        driver = rig.open()
        rig.line.one_byte_at_a_time = True
        driver.hello()
        self.job(driver, rig)

    def test_leftovers_of_an_earlier_answer_are_ignored(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        for reply in self.sample_replies():
            rig.line.noise(reply[: len(reply) // 2 + 1])
            driver.conditions()
        rig.line.noise(b"\x00\xff\x55")
        self.job(driver, rig)

    @settings(max_examples=60, deadline=None, suppress_health_check=_INHERITED)
    @given(data=st.data())
    def test_damaged_replies_raise_only_device_errors(self, data: st.DataObject) -> None:
        driver_type = importlib.import_module(f"drivers.{self.driver_module}").DRIVER
        samples = self.sample_replies() or [b"\x00"]
        one = st.one_of(st.binary(max_size=64), st.sampled_from(samples).flatmap(damaged))
        link = ScriptedStream(data.draw(st.lists(one, max_size=12)))
        driver = driver_type("TST-01", link, driver_type.Options(**self.options))
        for deed in (driver.hello, driver.conditions, lambda: self.job_blind(driver)):
            try:
                deed()
            except DeviceError as exc:
                assert str(exc)

    def job_blind(self, driver: Any) -> None:
        """The job without looking at the twin, for damaged lines."""
        raise AssertionError("the driver's test says what its job is")

    def test_nothing_personal_in_trace_or_error(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        self.job(driver, rig)
        errors = []
        for spoil in (lambda: None, *self.spoils(rig)):
            spoil()
            errors += [told_by(lambda: self.personal_job(driver, rig)), told_by(driver.conditions)]
        self.pull_out(rig)
        last = told_by(lambda: self._ask_until_error(driver))
        assert last, "a port that is gone tells no error"
        seen = b"".join(data for _, data in rig.traced)
        words = "\n".join([*errors, last])
        for marker in MARKERS:
            assert marker not in words
            for encoding in ("utf-8", "utf-16-le", "gb18030"):
                assert marker.encode(encoding) not in seen
                assert marker.encode(encoding).hex(" ") not in words

    def personal_job(self, driver: Any, rig: Rig) -> None:
        """The job with what people put into it, one of MARKERS, where they put anything; on a line that may be bad."""
        self.job_blind(driver)

    def spoils(self, rig: Rig) -> Sequence[Callable[[], object]]:
        """What makes the line bad, one after the other, so that errors come while a job is done."""
        return (
            lambda: setattr(rig.line, "mangle", lambda data: data[:-1] + bytes([data[-1] ^ 0x5A]) if data else data),
            lambda: setattr(rig.line, "mangle", lambda data: data[: len(data) // 2 + 1]),
        )

    def pull_out(self, rig: Rig) -> None:
        """Take the device away for good."""
        rig.line.unplug()


def told_by(deed: Callable[[], object]) -> str:
    """What a deed tells as a DeviceError, as a log would show it; "" if it does not fail."""
    try:
        deed()
    except DeviceError as exc:
        return "".join(traceback.format_exception(exc))
    return ""


def damaged(reply: bytes) -> st.SearchStrategy[bytes]:
    def damage(at: int, value: int, cut: int) -> bytes:
        broken = bytearray(reply)
        if broken:
            broken[at % len(broken)] = value
        return bytes(broken[: max(0, len(broken) - cut)])

    return st.builds(damage, st.integers(0, 4096), st.integers(0, 255), st.sampled_from([0, 0, 1, 3, 50]))


__all__ = ["MARKERS", "DriverContract", "Rig", "ScriptedStream", "damaged", "told_by", "until"]
