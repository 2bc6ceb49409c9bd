"""The slip printer on USB: usblp's file and libusb, as far as both can be shown without a USB device."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from socket import socketpair
from typing import Any

import pytest

from drivers import transport_usb
from drivers.base import LinkError, NoReply, Unconfirmed
from drivers.escpos_profiles import EscposOptions
from drivers.printer_escpos import DRIVER
from drivers.transport import Traffic, link_type, open_link
from drivers.transport_usb import LpStream, UsbStream
from sim.carriers import PtyLine
from sim.printer_escpos import TWIN
from sim.stopwatch import Stopwatch
from tests.contract.contract import Rig
from tests.contract.fake_usb import FakeBackend, UsbSocket
from tests.contract.printer_room import LINES, TICKET
from tests.contract.test_printer_escpos import TestEscposPrinter as PrinterContract
from tests.waiting import until


@dataclass
class UsbRig(Rig):
    """As Rig; opens the link that is tested here."""

    def open(self) -> Any:
        on_libusb = isinstance(self.line, UsbSocket)
        link = UsbStream(self.line.port, FakeBackend(self.line)) if on_libusb else LpStream(self.line.port)
        link.tap = self._note
        self.links.append(link)
        return self.driver_type(self.device, link, self.driver_type.Options(**self.options))


def rig_on(line: Any, **options: Any) -> UsbRig:
    twin = TWIN("TST-01", options)
    line.attach(twin)
    line.start()
    return UsbRig(driver_type=DRIVER, options=options, twin=twin, line=line)


class TestOnUsblp(PrinterContract):
    """A pseudo-terminal in raw mode stands for usblp's file: read, written and polled without a word about speed."""

    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        rig = rig_on(PtyLine(tmp_path / "lp0"))
        yield rig
        rig.close()


class TestOnLibusb(PrinterContract):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        rig = rig_on(UsbSocket())
        yield rig
        rig.close()


# --- the names of ports


@pytest.mark.parametrize(
    ("port", "kind"),
    [("/dev/usb/lp0", LpStream), ("usb:04b8:0e15", UsbStream), ("usb:0dd4:0205:A 1:2", UsbStream)],
)
def test_a_port_names_its_link(port: str, kind: type) -> None:
    assert link_type(port) is kind
    assert issubclass(kind, DRIVER.Transport)


def test_a_port_that_is_not_there_is_a_link_error() -> None:
    with pytest.raises(LinkError, match="cannot open /dev/usb/lp9"):
        open_link("/dev/usb/lp9")
    with pytest.raises(LinkError, match="a USB port is written usb:VVVV:PPPP"):
        open_link("usb:epson")
    with pytest.raises(LinkError, match="cannot open usb:04b8:0e15: no such device is plugged in"):
        UsbStream("usb:04b8:0e15", FakeBackend())


# --- usblp's file


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    path = tmp_path / "lp0"
    os.mkfifo(path)
    return path


def test_a_full_printer_is_a_link_error_in_time(fifo: Path) -> None:
    link = LpStream(str(fifo))
    watch = Stopwatch()
    with pytest.raises(LinkError, match=r"takes nothing for 0.2 s"):
        link.write(b"A" * 200_000, 0.2)
    assert watch.s < 2
    link.close()


def test_silence_takes_its_time_and_is_no_error(tmp_path: Path) -> None:
    line = PtyLine(tmp_path / "lp0")
    line.start()
    link = LpStream(line.port)
    watch = Stopwatch()
    assert link.read(64, 0.2) == b""
    assert watch.wall_s >= 0.19
    link.close()
    line.stop()


@pytest.mark.parametrize("pair", [os.pipe, lambda: [end.detach() for end in socketpair()]], ids=["pipe", "socket"])
def test_a_file_that_has_hung_up_is_a_link_error(fifo: Path, pair: Any) -> None:
    link = LpStream(str(fifo))
    os.close(link._fd)
    link._fd, other = pair()
    os.close(other)
    with pytest.raises(LinkError, match="the printer was unplugged"):
        link.read(64, 1.0)
    link.close()


def test_empty_reads_of_the_file_are_silence_and_no_busy_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    link = LpStream("/dev/null")
    reads, read = [], os.read
    monkeypatch.setattr(transport_usb.os, "read", lambda fd, most: reads.append(most) or read(fd, most))
    watch = Stopwatch()
    assert link.read(64, 0.5) == b""
    assert watch.wall_s >= 0.49
    assert 1 < len(reads) <= 0.5 / transport_usb.PAUSE_S + 1
    link.close()


def test_a_closed_file_is_a_link_error_and_closing_twice_is_none(fifo: Path) -> None:
    link = LpStream(str(fifo))
    link.close()
    link.close()
    with pytest.raises(LinkError, match="is closed"):
        link.write(b"A")


def test_everything_that_passes_is_seen(fifo: Path) -> None:
    link, seen = LpStream(str(fifo)), []
    link.tap = seen.append
    link.write(b"\x10\x04\x01")
    assert link.read(64, 1.0) == b"\x10\x04\x01"  # a FIFO gives back what it is given
    assert seen == [Traffic(direction=">", data=b"\x10\x04\x01"), Traffic(direction="<", data=b"\x10\x04\x01")]
    link.close()


# --- libusb


def test_the_kernels_driver_is_put_aside_and_given_back() -> None:
    socket = UsbSocket()
    socket.start()
    link = UsbStream(socket.port, FakeBackend(socket))
    assert not socket.kernel_driver
    assert socket.log == ["claimed"]
    link.close()
    link.close()
    assert socket.kernel_driver
    assert socket.log == ["claimed", "released"]


def test_of_two_printers_of_a_kind_the_serial_number_chooses() -> None:
    one, other = UsbSocket(serial="ONE"), UsbSocket(serial="OTHER")
    for socket in (one, other):
        socket.start()
    with pytest.raises(LinkError, match="2 such devices; add the serial number of one"):
        UsbStream("usb:04b8:0e15", FakeBackend(one, other))
    UsbStream("usb:04b8:0e15:OTHER", FakeBackend(one, other)).close()
    assert (one.log, other.log) == ([], ["claimed", "released"])
    with pytest.raises(LinkError, match="no such device"):
        UsbStream("usb:04b8:0e15:THIRD", FakeBackend(one, other))


def test_a_device_that_is_no_printer_is_left_alone() -> None:
    socket = UsbSocket(interface_class=3)
    socket.start()
    with pytest.raises(LinkError, match="it has no printer interface"):
        UsbStream("usb:04b8:0e15", FakeBackend(socket))
    assert socket.log == []


def test_a_device_that_somebody_else_holds_is_a_link_error() -> None:
    socket = UsbSocket()
    socket.start()
    backend = FakeBackend(socket)
    backend.is_kernel_driver_active = lambda *_: False  # not the kernel but another program
    with pytest.raises(LinkError, match="Resource busy"):
        UsbStream(socket.port, backend)


def test_a_printer_without_an_answering_endpoint_is_silent_and_prints() -> None:
    rig = rig_on(UsbSocket(can_answer=False))
    driver = rig.open()
    with pytest.raises(NoReply):
        driver.conditions()
    rig.options["confirm"] = "none"
    one_way = DRIVER("TST-01", driver.link, EscposOptions(confirm="none"))
    with pytest.raises(Unconfirmed, match="cannot answer"):
        one_way.print_slip(TICKET)
    until(lambda: [slip.lines for slip in rig.twin.printed] == [LINES])
    rig.close()


def test_empty_packets_are_silence_and_no_busy_loop() -> None:
    rig = rig_on(UsbSocket(empty_packets=True))
    driver = rig.open()
    driver.print_slip(TICKET)
    socket, packets = rig.line, []
    take = socket.take
    socket.take = lambda most, limit_s: packets.append(most) or take(most, limit_s)
    watch = Stopwatch()
    assert driver.link.read(64, 0.5) == b""
    assert watch.wall_s >= 0.49
    assert 1 < len(packets) <= 0.5 / transport_usb.PAUSE_S + 1
    rig.close()


def test_a_printer_that_takes_nothing_is_a_link_error() -> None:
    rig = rig_on(UsbSocket())
    driver = rig.open()
    rig.line.stuck = True
    with pytest.raises(LinkError, match="takes nothing"):
        driver.print_slip(TICKET)
    rig.close()


def test_what_does_not_fit_one_read_is_kept_for_the_next() -> None:
    socket = UsbSocket()
    socket.start()
    link = UsbStream(socket.port, FakeBackend(socket))
    socket.noise(bytes(range(100)))
    assert link.read(3, 1.0) == b"\x00\x01\x02"
    assert link.read_exactly(97, 1.0) == bytes(range(3, 100))
    link.close()


def test_a_printer_pulled_out_is_a_link_error_both_ways() -> None:
    socket = UsbSocket()
    socket.start()
    link = UsbStream(socket.port, FakeBackend(socket))
    socket.unplug()
    with pytest.raises(LinkError, match="is gone"):
        link.write(b"A")
    with pytest.raises(LinkError, match="is gone"):
        link.read(1, 1.0)
    link.close()
