"""Devices behind a serial server: RFC 2217 and plain TCP through a real ser2net, and telnet's words by themselves."""

import asyncio
import importlib
import os
import select
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import Key, LinkError, NoReply
from drivers.keypad_serial import ANSWER
from drivers.transport import link_type, open_link
from drivers.transport_rfc2217 import ComPort, Option, SerialServer, TelnetSorter, encode_setting, escape
from hall_daemon.config import DeviceConfig
from tests.contract.contract import Rig
from tests.contract.test_keypad_serial import TestSerialKeypad as KeypadContract
from tests.contract.test_keypad_serial import keys_of
from tests.contract.test_printer_escpos import TestEscposPrinter as PrinterContract
from tests.rules.device_bench import Bench
from tests.ser2net import SER2NET, Ser2netLine
from tests.waiting import until, until_async

needs_ser2net = pytest.mark.skipif(SER2NET is None, reason="ser2net is not installed (package ser2net)")


def has_arrived(driver: Any, count: int) -> None:
    """Wait until so many bytes have come through the server and wait to be read."""
    tcp = driver.link._socket
    until(lambda: select.select([tcp], [], [], 0)[0] and len(tcp.recv(100, socket.MSG_PEEK)) >= count)


def through_ser2net(module: str, options: dict[str, Any], folder: Path, *, rfc2217: bool) -> Iterator[Rig]:
    twin = importlib.import_module(f"sim.{module}").TWIN("TST-01", options)
    line = Ser2netLine(folder, rfc2217=rfc2217, baud=options.get("baud", 9600))
    line.attach(twin)
    line.start()
    driver_type = importlib.import_module(f"drivers.{module}").DRIVER
    rig = Rig(driver_type=driver_type, options=options, twin=twin, line=line)
    yield rig
    rig.close()


@pytest.mark.system
@needs_ser2net
class TestKeypadBehindSer2net(KeypadContract):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        yield from through_ser2net("keypad_serial", self.options, tmp_path, rfc2217=True)

    # Two tests count on bytes being there at once; here they travel, so the same is asked after they have arrived.

    def test_bounce_is_one_press(self, rig: Rig) -> None:
        """What the network held up may count twice, for nobody knows how far apart it was; of ten one is in time."""
        driver = rig.open()
        driver.hello()

        def heard() -> str:
            with ThreadPoolExecutor(1) as finger:
                done = finger.submit(rig.twin.bounce, "6", after_s=0.005)
                keys = keys_of(driver, 1)
                while (key := driver.poll_key(0.2)) is not None:
                    keys += key
                done.result()
            assert keys in {"6", "66"}
            return keys

        assert any(heard() == "6" for _ in range(10))

    def test_keys_pressed_before_hello_belong_to_nobody(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.type("12", gap_s=0.0)
        has_arrived(driver, 2)
        driver.hello()
        assert driver.poll_key(0.0) is None

    def test_an_answer_that_comes_late_is_neither_a_key_nor_the_next_answer(self, rig: Rig) -> None:
        rig.options = {"answer_limit_s": 0.1}
        driver = rig.open()
        driver.hello()
        rig.twin.answer_late(0.3)
        with pytest.raises(NoReply):
            driver.conditions()
        rig.twin.recover()
        has_arrived(driver, len(ANSWER))
        rig.twin.ignore_probes()
        with pytest.raises(NoReply):
            driver.conditions()
        rig.twin.recover()
        assert driver.poll_key(0.0) is None
        self.job(driver, rig)


@pytest.mark.system
@needs_ser2net
class TestPrinterBehindSer2net(PrinterContract):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        yield from through_ser2net("printer_escpos", self.options, tmp_path, rfc2217=True)


@pytest.mark.system
@needs_ser2net
class TestPrinterBehindPlainSer2net(PrinterContract):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        yield from through_ser2net("printer_escpos", self.options, tmp_path, rfc2217=False)


# --- the speed of a far line ------------------------------------------------------------------------------------------


@pytest.fixture
def far_line(tmp_path: Path) -> Iterator[Ser2netLine]:
    if SER2NET is None:
        pytest.skip("ser2net is not installed (package ser2net)")
    line = Ser2netLine(tmp_path)
    line.start()
    yield line
    line.stop()


@pytest.mark.system
def test_the_speed_of_the_far_line_is_what_the_driver_set(far_line: Ser2netLine) -> None:
    link = open_link(far_line.port, 19200)
    assert isinstance(link, SerialServer)
    assert far_line.baud == 19200
    for baud in (115200, 9600, 57600):
        link.set_baud(baud)
        assert far_line.baud == baud
    link.close()


@pytest.mark.system
def test_the_far_line_heeds_its_wire_once_it_is_told_to(far_line: Ser2netLine) -> None:
    link: Any = open_link(far_line.port, 19200)
    link.heed_cts()
    link.close()


@pytest.mark.system
def test_every_byte_passes_in_both_directions(far_line: Ser2netLine) -> None:
    link: Any = open_link(far_line.port, 115200)
    everything = bytes(range(256)) * 4 + b"\xff\xff\xff\x00\r\n\r\x00\xff"
    link.write(everything)
    until(lambda: far_line.sent_to_twins() == everything)
    far_line.send(everything)

    assert link.read_exactly(len(everything), 5.0) == everything
    link.close()


@pytest.mark.system
@needs_ser2net
def test_the_speed_of_a_card_reader_is_found_through_the_server(tmp_path: Path) -> None:
    line = Ser2netLine(tmp_path)
    line.attach(importlib.import_module("sim.idcard_samv").TWIN("IDR-01", {"baud": 57600}))
    line.start()
    driver_type = importlib.import_module("drivers.idcard_samv").DRIVER
    link = open_link(line.port, 115200)
    driver = driver_type("IDR-01", link, driver_type.Options())

    try:
        assert "57600" in str(driver.hello())
        assert line.baud == 57600
    finally:
        link.close()
        line.stop()


def test_a_server_without_rfc2217_is_named_as_such() -> None:
    """A telnet server that refuses the option, as RFC 854 lets it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def refuse() -> None:
            client, _ = server.accept()
            with client:
                client.recv(100)
                client.sendall(b"\xff\xfe\x2c")
                client.recv(100)

        thread = threading.Thread(target=refuse)
        thread.start()
        with pytest.raises(LinkError, match="does not speak RFC 2217; write socket://"):
            open_link(f"rfc2217://127.0.0.1:{port}", 9600)
        thread.join(40)


# --- coming and going -------------------------------------------------------------------------------------------------


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    if SER2NET is None:
        pytest.skip("ser2net is not installed (package ser2net)")
    found = Bench(tmp_path)
    yield found
    await found.stop()


def add_remote(bench: Bench, device: str, driver: str, *, rfc2217: bool, **options: Any) -> Any:
    folder = bench.folder / device
    folder.mkdir()
    line = Ser2netLine(folder, rfc2217=rfc2217, baud=options.get("baud", 9600))
    twin = importlib.import_module(f"sim.{driver}").TWIN(device, options)
    line.attach(twin)
    line.start()
    bench.lines[device], bench.twins[device] = line, twin
    driver_type = importlib.import_module(f"drivers.{driver}").DRIVER
    bench.configs[device] = DeviceConfig(
        name=device, driver=driver, driver_type=driver_type, port=line.port, options=driver_type.Options(**options)
    )
    return twin


@pytest.mark.system
async def test_a_serial_server_that_is_killed_comes_back_with_its_devices(bench: Bench) -> None:
    printer = add_remote(bench, "PRN-01", "printer_escpos", rfc2217=True, baud=19200, columns=32, charset="gb18030")
    keypad = add_remote(bench, "KEY-01", "keypad_serial", rfc2217=False)
    await bench.start()
    await bench.print()
    for device in ("PRN-01", "KEY-01"):
        line: Any = bench.lines[device]
        await asyncio.to_thread(line.kill_server)
        await bench.becomes(device, "offline", 5.0)
        await asyncio.to_thread(line.start_server)
        await bench.becomes(device, "online")
    await bench.print()
    await asyncio.to_thread(keypad.press, "4")
    await until_async(lambda: bench.heard["KEY-01"] == [Key.DIGIT_4])

    assert len(printer.whole_slips) == 2


@pytest.mark.system
async def test_a_serial_server_that_comes_and_goes_leaks_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hall_daemon.devices_port.SHORTEST_WAIT_S", 0.01)
    monkeypatch.setattr("hall_daemon.devices_port.LONGEST_WAIT_S", 0.02)
    add_remote(bench, "KEY-01", "keypad_serial", rfc2217=True)
    line: Any = bench.lines["KEY-01"]
    await bench.start()
    seen = []
    for _ in range(10):
        await asyncio.to_thread(line.kill_server)
        await bench.becomes("KEY-01", "offline")
        await asyncio.to_thread(line.start_server)
        await bench.becomes("KEY-01", "online")
        threads = sum(not t.name.startswith("asyncio_") for t in threading.enumerate())
        seen.append((threads, len(os.listdir("/proc/self/fd"))))  # noqa: PTH208 - counted, not walked

    assert len(set(seen)) == 1, seen


# --- telnet by itself -------------------------------------------------------------------------------------------------


def test_settings_are_sent_as_the_rfc_writes_them() -> None:
    assert encode_setting(1, (9600).to_bytes(4, "big")).hex(" ") == "ff fa 2c 01 00 00 25 80 ff f0"
    assert encode_setting(1, b"\x00\x00\xff\x01").hex(" ") == "ff fa 2c 01 00 00 ff ff 01 ff f0"


@pytest.mark.parametrize("cut", range(1, 26))
def test_words_and_bytes_are_told_apart_wherever_the_stream_is_split(cut: int) -> None:
    stream = bytes.fromhex("41 ff fd 2c ff ff 42 ff fa 2c 65 00 00 ff ff 80 ff f0 ff f1 43 ff fb 01 44")
    sorter = TelnetSorter()
    parts = [sorter.sort(stream[:cut]), sorter.sort(stream[cut:])]

    assert b"".join(data for data, _ in parts) == b"A\xffBCD"
    assert [word for _, words in parts for word in words] == [
        Option(253, 44),
        ComPort(1, b"\x00\x00\xff\x80"),
        Option(251, 1),
    ]


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_no_stream_breaks_the_sorter(pieces: list[bytes]) -> None:
    sorter = TelnetSorter()
    for piece in pieces:
        data, words = sorter.sort(piece)
        assert len(data) + len(words) <= sum(len(p) for p in pieces)


@given(st.binary(max_size=200))
def test_what_is_escaped_arrives(data: bytes) -> None:
    assert TelnetSorter().sort(escape(data)) == (data, [])


def test_a_silent_server_is_a_link_error_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.transport_rfc2217.ANSWER_LIMIT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(LinkError, match="did not agree"):
        open_link(f"rfc2217://127.0.0.1:{server.getsockname()[1]}", 9600)


def test_a_port_of_a_serial_server_is_a_byte_stream() -> None:
    assert link_type("rfc2217://127.0.0.1:4001") is SerialServer
