"""Contract of drivers on Linux input devices: their twins hang on a FIFO that carries the kernel's records."""

import importlib
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.base import DeviceError
from drivers.transport import Link
from drivers.transport_evdev import RECORD, InputDevice, InputEvent, split_records
from sim.input_line import InputLine
from tests.contract.contract import DriverContract, Rig

KERNEL_HEADER = Path("/usr/include/linux/input-event-codes.h")


def record(type_: int, code: int, value: int, at_s: float = 0.0) -> bytes:
    """One record, and its SYN_REPORT."""
    at = (int(at_s), int(at_s % 1 * 1e6))
    return RECORD.pack(*at, type_, code, value) + RECORD.pack(*at, 0, 0, 0)


class ScriptedEvents(InputDevice):
    """A device in memory: each read gives the next piece; afterwards silence, which costs no time."""

    def __init__(self, pieces: list[bytes]) -> None:
        Link.__init__(self, "scripted")
        self.name = ""
        self.pieces = pieces
        self._half = b""

    def read_events(self, limit_s: float) -> list[InputEvent]:
        piece = self.pieces.pop(0) if self.pieces else b""
        self._trace("<", piece)
        events, self._half = split_records(self._half + piece)
        return events

    def close(self) -> None:
        """Nothing to give back."""


_RECORDS = st.builds(
    record,
    st.sampled_from([0, 1, 1, 1, 4]),
    st.one_of(st.sampled_from([0, 3, 28, 42, 79, 82]), st.integers(0, 65535)),
    st.one_of(st.sampled_from([0, 1, 1, 2]), st.integers(-(2**31), 2**31 - 1)),
    st.floats(0, 1e6),
)
_INHERITED = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors, HealthCheck.too_slow]


class InputContract(DriverContract):
    """Inherited by the test of each driver on an input device."""

    never_answers = "an input device is asked nothing: a silent one is one that nobody touches"

    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        driver_type = importlib.import_module(f"drivers.{self.driver_module}").DRIVER
        twin = importlib.import_module(f"sim.{self.twin_module}").TWIN("TST-01", self.options)
        line = InputLine(tmp_path / "pad")
        line.attach(twin)
        line.start()
        rig = Rig(driver_type=driver_type, options=self.options, twin=twin, line=line)
        yield rig
        rig.close()

    def test_leftovers_of_an_earlier_answer_are_ignored(self, rig: Rig) -> None:
        """The kernel gives whole records only; left over can be a release without its press, or what is no key."""
        driver = rig.open()
        driver.hello()
        for type_, code, value in ((1, 79, 0), (1, 42, 0), (4, 4, 0x70059), (17, 0, 1), (1, 0x1FF, 1), (1, 79, 7)):
            rig.line.noise(record(type_, code, value))
        driver.conditions()
        self.job(driver, rig)

    @settings(max_examples=60, deadline=None, suppress_health_check=_INHERITED)
    @given(data=st.data())
    def test_damaged_replies_raise_only_device_errors(self, data: st.DataObject) -> None:
        driver_type = importlib.import_module(f"drivers.{self.driver_module}").DRIVER
        pieces = data.draw(st.lists(st.one_of(_RECORDS, st.binary(max_size=64)), max_size=40))
        driver: Any = driver_type("TST-01", ScriptedEvents(pieces), driver_type.Options(**self.options))
        for deed in (driver.hello, driver.conditions, lambda: self.job_blind(driver)):
            try:
                deed()
            except DeviceError as exc:
                assert str(exc)


def kernel_codes() -> dict[str, int]:
    """Event codes by name, from the kernel's own header; skips where it is not installed."""
    if not KERNEL_HEADER.exists():
        pytest.skip(f"{KERNEL_HEADER} is not installed (package linux-libc-dev)")
    return {
        name: int(code)
        for name, code in re.findall(r"^#define\s+(KEY_\w+)\s+(\d+)\b", KERNEL_HEADER.read_text(), re.MULTILINE)
    }


def pieces_of(*records: bytes, size: int) -> list[bytes]:
    """All of them, cut anew."""
    stream = iter(b"".join(records))
    return list(iter(lambda: bytes(itertools.islice(stream, size)), b""))
