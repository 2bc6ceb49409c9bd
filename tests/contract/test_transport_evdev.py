"""Links to Linux input devices: records, refusals, the end of a device; a real one through uinput where that is."""

import contextlib
import fcntl
import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import LinkError
from drivers.transport import ByteStream, link_type, open_link
from drivers.transport_evdev import RECORD, InputDevice, InputEvent, split_records
from sim.input_line import InputLine, InputTwin
from tests.contract.contract import until
from tests.contract.input_rig import pieces_of, record

UINPUT = Path("/dev/uinput")


@pytest.fixture
def line(tmp_path: Path) -> Iterator[InputLine]:
    line = InputLine(tmp_path / "pad")
    line.attach(InputTwin("TST-01", {}))
    line.start()
    yield line
    line.stop()


@pytest.fixture
def twin(line: InputLine) -> InputTwin:
    twin = line.twins[0]
    assert isinstance(twin, InputTwin)
    return twin


def opened(port: str) -> InputDevice:
    link = open_link(port)
    assert isinstance(link, InputDevice)
    return link


def test_ports_that_name_an_input_device() -> None:
    for port in ("/dev/input/by-id/usb-ACME-event-kbd", "/dev/input/by-path/pci-0-event-kbd", "evdev:/run/pad"):
        assert link_type(port) is InputDevice
    for port in ("/dev/input/event3", "/dev/ttyS1"):
        assert link_type(port) is ByteStream


@pytest.mark.parametrize("port", ["/dev/input/event3", "evdev:/dev/input/event11"])
def test_a_number_that_changes_is_refused_with_what_to_write_instead(port: str) -> None:
    with pytest.raises(LinkError, match="changes with the order of plugging in; use /dev/input/by-id/"):
        InputDevice(port)


def test_what_is_not_there_and_what_is_no_input_device_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(LinkError, match=r"cannot open evdev:.*No such file"):
        open_link(f"evdev:{tmp_path}/nothing")
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(LinkError, match="cannot grab evdev:/dev/null: it is no input device"):
        open_link("evdev:/dev/null")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_events_arrive_with_their_time(line: InputLine, twin: InputTwin) -> None:
    link = opened(line.port)
    twin.tap(79)
    events = until(lambda: link.read_events(0.2))
    assert [tuple(e[:3]) for e in events] == [(1, 79, 1), (0, 0, 0), (1, 79, 0), (0, 0, 0)]
    assert abs(events[0].at_s - link.last_traffic) < 5.0
    assert link.read_events(0.0) == []
    link.close()


def test_a_device_that_is_pulled_out_is_a_link_error(line: InputLine, twin: InputTwin) -> None:
    link = opened(line.port)
    line.unplug()
    with pytest.raises(LinkError, match="is gone"):
        link.read_events(1.0)
    link.close()
    link.close()
    with pytest.raises(LinkError):
        link.read_events(0.0)
    line.replug()
    again = opened(line.port)
    twin.tap(2)
    assert until(lambda: again.read_events(0.2))
    again.close()


def test_a_link_that_is_cut_off_ends_what_is_done_with_it(line: InputLine) -> None:
    link = opened(line.port)
    assert link.watched() is not None
    link.cut()
    with pytest.raises(LinkError, match="cut off"):
        link.read_events(0.0)
    link.close()
    assert link.watched() is None


def test_a_record_is_laid_out_as_the_kernel_does() -> None:
    assert struct.calcsize("llHHi") == RECORD.size
    raw = struct.pack("l", 12) + struct.pack("l", 500_000) + struct.pack("HHi", 1, 79, -1)
    assert split_records(raw) == ([InputEvent(1, 79, -1, 12.5)], b"")


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 700), st.integers(0, 2))), st.integers(1, 60))
def test_records_are_the_same_wherever_they_are_cut(events: list[tuple[int, int, int]], size: int) -> None:
    half, found = b"", []
    for piece in pieces_of(*(record(*e) for e in events), size=size):
        more, half = split_records(half + piece)
        found += [tuple(e[:3]) for e in more]
    assert half == b""
    assert found == [e for event in events for e in (event, (0, 0, 0))]


# --- A real device ----------------------------------------------------------------------------------------------------

_SET_EVENT_BIT, _SET_KEY_BIT, _CREATE, _DESTROY, _SYSTEM_NAME = 0x40045564, 0x40045565, 0x5501, 0x5502, 0x8040552C


@contextlib.contextmanager
def virtual_pad(folder: Path) -> Iterator[tuple[int, str]]:
    """A keyboard with one key, made by the kernel; its descriptor and its port."""
    descriptor = os.open(UINPUT, os.O_WRONLY | os.O_NONBLOCK)
    try:
        fcntl.ioctl(descriptor, _SET_EVENT_BIT, 1)
        fcntl.ioctl(descriptor, _SET_KEY_BIT, 79)
        os.write(descriptor, struct.pack("80s4HI256i", b"virtual pad", 3, 0x1234, 1, 1, 0, *[0] * 256))
        fcntl.ioctl(descriptor, _CREATE)
        name = fcntl.ioctl(descriptor, _SYSTEM_NAME, bytes(64)).partition(b"\0")[0].decode()
        node = next(Path("/sys/devices/virtual/input", name).glob("event*")).name
        until((Path("/dev/input") / node).exists)
        lasting = folder / "pad"
        lasting.symlink_to(Path("/dev/input") / node)
        yield descriptor, f"evdev:{lasting}"
        fcntl.ioctl(descriptor, _DESTROY)
    finally:
        os.close(descriptor)


@pytest.mark.system
@pytest.mark.skipif(not os.access(UINPUT, os.W_OK), reason="no /dev/uinput that may be written: no real input device")
def test_a_real_input_device_is_grabbed_read_and_lost(tmp_path: Path) -> None:
    with virtual_pad(tmp_path) as (pad, port):
        link = opened(port)
        assert link.name == "virtual pad"
        with pytest.raises(LinkError, match="another program has it"):
            open_link(port)
        os.write(pad, record(1, 79, 1))
        assert (1, 79, 1) in [tuple(e[:3]) for e in until(lambda: link.read_events(0.2))]
    with pytest.raises(LinkError):
        link.read_events(1.0)
    link.close()
