"""Names of ports: which last, which mean the same, and what stands there now."""

from pathlib import Path

import pytest

from hall_daemon import __main__ as command
from hall_daemon import ports
from hall_daemon.ports import advice, can_be_seen, path_of, presence, same_port
from tests.rules.hall_room import PLACES, write_hall

PRINTER = """
[device.PRN-01]
driver = "printer_escpos"
port = "{port}"
columns = 32
"""


@pytest.mark.parametrize(
    ("port", "says"),
    [
        ("/dev/ttyUSB3", "write its name in /dev/serial/by-path or /dev/serial/by-id"),
        ("/dev/ttyACM0", "/dev/serial/by-path"),
        ("/dev/video12", "/dev/v4l/by-path"),
        ("/dev/input/event4", "/dev/input/by-path"),
        ("evdev:/dev/input/event4", "/dev/input/by-path"),
        ("/dev/usb/lp0", "write usb:VVVV:PPPP"),
    ],
)
def test_a_name_that_changes_with_the_order_of_plugging_in_is_advised_against(port: str, says: str) -> None:
    assert says in advice(port)
    assert str(path_of(port)) in advice(port)


@pytest.mark.parametrize(
    "port",
    [
        "/dev/ttyS1",
        "/dev/serial/by-path/pci-0000:00:14.0-usb-0:2:1.0-port0",
        "/dev/input/by-id/usb-pad-event-kbd",
        "/dev/kiosk/keypad",
        "socket://10.0.3.9:4001",
        "rfc2217://10.0.3.9:4001",
        "http://10.0.3.20/eSCL",
        "pcsc:ACS ACR122U 00 00",
        "usb:04b8:0e15",
        "/srv/dev/ttyUSB0",
    ],
)
def test_a_lasting_name_needs_no_advice(port: str) -> None:
    assert advice(port) == ""


def test_the_lasting_name_that_is_there_is_the_advice(tmp_path: Path) -> None:
    for folder, name in (("by-id", "usb-maker"), ("by-path", "pci-2"), ("by-path", "pci-1")):
        (tmp_path / "serial" / folder).mkdir(parents=True, exist_ok=True)
        target = tmp_path / ("ttyUSB1" if name == "pci-1" else "ttyUSB0")
        target.touch()
        (tmp_path / "serial" / folder / name).symlink_to(target)

    assert advice(str(tmp_path / "ttyUSB0"), tmp_path).endswith(f"write {tmp_path}/serial/by-path/pci-2")


def test_check_gives_the_advice_as_a_note_and_not_as_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_hall(tmp_path, PLACES + PRINTER.format(port="/dev/ttyUSB0"))

    assert command.main(["check", "--config", str(tmp_path / "devices.toml")]) == 0
    assert "note: PRN-01: /dev/ttyUSB0 names what was plugged in in that order" in capsys.readouterr().out


def test_presence_changes_when_what_is_there_does(tmp_path: Path) -> None:
    link, one, two = tmp_path / "by-path", tmp_path / "tty1", tmp_path / "tty2"
    assert presence(str(link)) is None
    link.symlink_to(one)
    assert presence(str(link)) is None, "it leads nowhere"
    one.touch()
    first = presence(str(link))
    assert first is not None
    assert presence(str(link)) == first
    two.touch()
    fresh = tmp_path / "fresh"
    fresh.symlink_to(two)
    fresh.rename(link)

    assert presence(str(link)) not in (None, first)
    assert presence("socket://127.0.0.1:9") is None


@pytest.mark.parametrize("port", ["pcsc:Reader 00 00", "usb:0dd4:0205", "sane:fujitsu:fi-7160:1", "sound:default"])
def test_of_a_port_without_a_path_its_bus_is_looked_at(
    port: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for begin in ports.BUSES:
        monkeypatch.setitem(ports.BUSES, begin, str(tmp_path / "bus"))
    monkeypatch.setattr(ports, "PCSC_SOCKET", str(tmp_path / "pcscd.comm"))
    assert can_be_seen(port)
    assert presence(port) is None, "a machine without such a bus"
    (tmp_path / "bus" / "001").mkdir(parents=True)
    (tmp_path / "bus" / "001" / "004").touch()
    before = presence(port)
    assert before is not None
    assert presence(port) == before
    (tmp_path / "bus" / "001" / "004").rename(tmp_path / "bus" / "001" / "005")
    assert presence(port) not in (None, before)
    assert not can_be_seen("socket://127.0.0.1:9")


@pytest.mark.parametrize("own", [False, True], ids=["this machine", "another one"])
def test_a_card_service_that_was_started_anew_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: bool
) -> None:
    monkeypatch.setitem(ports.BUSES, "pcsc:", str(tmp_path / "bus"))
    socket = tmp_path / "pcscd.comm"
    monkeypatch.setattr(ports, "PCSC_SOCKET", str(tmp_path / "none" if own else socket))
    port = f"pcsc:Reader 00 00@{socket}" if own else "pcsc:Reader 00 00"
    assert presence(port) is None
    socket.touch()
    before = presence(port)
    assert before is not None
    assert presence(port) == before
    fresh = tmp_path / "fresh"
    fresh.touch()
    fresh.rename(socket)
    assert presence(port) not in (None, before)


def test_two_names_of_one_port_are_the_same_port(tmp_path: Path) -> None:
    (tmp_path / "by-id").symlink_to(tmp_path / "tty1")

    assert same_port(str(tmp_path / "by-id")) == same_port(str(tmp_path / "tty1"))
    assert same_port(str(tmp_path / "tty2")) != same_port(str(tmp_path / "tty1"))
    assert same_port("socket://Printer.local:9100") == same_port("socket://printer.local:9100")
