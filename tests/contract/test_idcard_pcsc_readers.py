"""PC/SC readers beyond one card in one slot: escape, cables, several at once, far away, other programs, leaks."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from drivers.base import QUESTION_LIMIT_S, CardGone, CardRead, Condition, Identity, LinkError, NoReply
from drivers.idcard_pcsc import PcscOptions, PcscReader
from drivers.transport_pcsc import CardSlot
from sim.idcard_pcsc import TWIN
from sim.idcard_records import PHOTO, RESIDENTS
from sim.pcsc import InsertedCard, VirtualPcsc, available, can_escape
from sim.ports import HeldPort
from sim.stopwatch import Stopwatch
from tests.contract.contract import MARKERS, Rig, until
from tests.contract.idcard_room import (
    card_of,
    descriptors_and_threads,
    heard,
    helpers_of,
    pcsc_rig,
    poll_until_news,
    refusal,
)
from tests.contract.test_idcard_pcsc import SlotContract, system

missing = available() or can_escape()
escaping = [pytest.mark.system, pytest.mark.skipif(missing is not None, reason=f"no reader that escapes: {missing}")]
FLAT_FILE = {"debounce_s": 0.5}
ESCAPE: dict[str, Any] = {"debounce_s": 0.5, "route": "escape"}


@pytest.fixture
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    with pcsc_rig(getattr(request, "param", FLAT_FILE)) as rig:
        yield rig


@pytest.fixture(autouse=True)
def quick_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules are asked for cards ten times as often as real ones."""
    monkeypatch.setattr("drivers.idcard_pcsc.FIND_INTERVAL_S", 0.03)


# --- the escape channel, through the real service and a reader driver that has one ------------------------------------


class TestEscapeContract(SlotContract):
    pytestmark = escaping
    options: ClassVar[dict[str, Any]] = ESCAPE
    no_conditions = ""
    causes: ClassVar[dict[Condition, Callable[[Any], object]]] = {
        Condition.DEVICE_FAULT: lambda twin: twin.fail_self_test()
    }

    def test_mute_device_gives_no_reply_in_time(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.go_mute()
        for question in (driver.hello, driver.conditions, lambda: driver.poll_card(0.2)):
            watch = Stopwatch()
            with pytest.raises((NoReply, LinkError)):
                question()
            assert watch.s < QUESTION_LIMIT_S
        rig.twin.recover()
        driver.link.close()
        self.job(rig.open(), rig)


class TestEscape:
    pytestmark = escaping
    by_escape = pytest.mark.parametrize("rig", [ESCAPE], indirect=True, ids=["escape"])

    @by_escape
    def test_hello_tells_reader_and_number_of_the_module(self, rig: Rig) -> None:
        driver = rig.open()
        assert driver.hello() == Identity(model="Hall Card 00 00", serial="05.03-20160101-0000012345-0123456789")
        assert rig.twin.sam.commands == [b"\x11\xff", b"\x12\xff"]

    @by_escape
    def test_card_that_no_slot_knows_of_is_found_by_the_module_and_read_in_full_order(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.put("zhang")
        assert card_of(driver).name == "张测试"
        assert driver.link.card_atr(0.0) is None
        assert rig.twin.sam.commands == [b"\x20\x01", b"\x20\x02", b"\x30\x01"]
        rig.twin.lift()
        assert poll_until_news(driver) == CardGone()

    @pytest.mark.parametrize(
        "rig",
        [
            {**ESCAPE, "control_code": 0x42000DAC},
            {**ESCAPE, "template": "D0 {length2} {frame} 0D"},
            {**ESCAPE, "template": "FF 00 {length} {frame}", "control_code": 0x003136B0},
        ],
        indirect=True,
    )
    def test_code_and_wrapping_are_what_the_options_say(self, rig: Rig) -> None:
        driver = rig.open()
        assert driver.conditions() == frozenset()
        rig.twin.put("li")
        assert card_of(driver).id_no == "99000019900909004X"

    @pytest.mark.parametrize(
        "wrong", [{"control_code": 0x42000002}, {"template": "00 {frame}"}], ids=["code", "template"]
    )
    @by_escape
    def test_wrong_option_is_an_error_that_names_what_was_tried(self, wrong: dict[str, Any], rig: Rig) -> None:
        driver = PcscReader("TST-01", CardSlot(rig.line.port), PcscOptions(**{**ESCAPE, **wrong}))
        try:
            with pytest.raises(
                Exception, match=r"control code 0x42000002|no SAM_V frame in an answer of 0 bytes"
            ) as caught:
                driver.hello()
            assert type(caught.value).__name__ in {"NoReply", "BadReply"}
        finally:
            driver.link.close()

    @by_escape
    def test_driver_that_lets_no_escape_through_is_told_with_what_to_look_at(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.refuse_escapes()
        with pytest.raises(NoReply, match=r"control code 0x42000001 \(does the reader's driver let it through\?\)"):
            driver.hello()
        rig.twin.recover()
        assert driver.hello().serial

    @by_escape
    def test_broken_module_is_a_condition_and_no_news_for_residents(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.fail_self_test()
        assert driver.conditions() == {Condition.DEVICE_FAULT}
        rig.twin.recover()
        rig.twin.lose_authorisation()
        assert driver.conditions() == {Condition.DEVICE_FAULT}
        rig.twin.recover()
        rig.twin.refuse(b"\x20\x01", *[0x66] * 1000)
        assert heard(driver, 0.3) == []
        assert driver.conditions() == {Condition.DEVICE_FAULT}

    @by_escape
    def test_card_that_is_taken_away_early_or_unknown_is_told_so_once(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.lift_during_read()
        rig.twin.put("zhang")
        assert refusal(driver).condition is Condition.CARD_REMOVED_EARLY
        rig.twin.put_strange_layout()
        assert refusal(driver).condition is Condition.CARD_UNKNOWN
        assert heard(driver, 0.4) == []
        rig.twin.put("taiwan")
        assert card_of(driver).id_no == "830000199505050018"

    @by_escape
    def test_nothing_of_the_card_is_traced(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.put("zhang")
        card_of(driver)
        seen = b"".join(data for _, data in rig.traced)
        assert rig.hidden > 1295
        for marker in MARKERS:
            assert marker.encode("utf-16-le") not in seen


def test_virtual_reader_of_vpcd_itself_refuses_escapes(rig: Rig) -> None:
    driver = PcscReader("TST-01", CardSlot(rig.line.port), PcscOptions(**ESCAPE))
    with pytest.raises(NoReply, match="control code 0x42000001"):
        driver.hello()
    driver.link.close()


test_virtual_reader_of_vpcd_itself_refuses_escapes.pytestmark = system  # type: ignore[attr-defined]  # pytest reads it


# --- cables -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def two_readers() -> Iterator[tuple[Any, Any]]:
    """Two readers of one service."""
    service = VirtualPcsc("Hall Card", "Second", escape=True)
    twins = TWIN("IDR-01", FLAT_FILE, service, 0), TWIN("IDR-02", FLAT_FILE, service, 1)
    for twin in twins:
        twin.start()
    try:
        yield twins
    finally:
        for twin in twins:
            twin.stop()


def open_driver(twin: Any) -> Any:
    return PcscReader(twin.device, CardSlot(twin.port), PcscOptions(**FLAT_FILE))


class TestCables:
    pytestmark = escaping

    def test_several_readers_of_one_service_are_read_side_by_side(self, two_readers: tuple[Any, Any]) -> None:
        drivers = [open_driver(twin) for twin in two_readers]
        try:
            assert [driver.hello().model for driver in drivers] == ["Hall Card 00 00", "Second 00 00"]
            for twin, name in zip(two_readers, ("zhang", "li"), strict=True):
                twin.put(name)
            assert [card_of(driver).name for driver in drivers] == ["张测试", "李示例"]
            two_readers[0].lift()
            assert poll_until_news(drivers[0]) == CardGone()
            assert heard(drivers[1], 0.4) == []
        finally:
            for driver in drivers:
                driver.link.close()

    def test_reader_that_is_pulled_is_a_lost_link_and_the_other_one_goes_on(self, two_readers: tuple[Any, Any]) -> None:
        first, second = (open_driver(twin) for twin in two_readers)
        try:
            two_readers[0].unplug_reader()
            watch = Stopwatch()
            with pytest.raises(LinkError, match="Hall Card 00 00"):
                heard(first, 5.0)
            assert watch.s < 3.0
            two_readers[1].put("li")
            assert card_of(second).name == "李示例"
            first.link.close()
            with pytest.raises(LinkError, match=r"'Hall Card 00 00' is not there|Unknown reader"):
                open_driver(two_readers[0])
            two_readers[0].replug_reader()
            first = until(lambda: opened(two_readers[0]), what="the reader is back")
            two_readers[0].put("zhang")
            assert card_of(first).name == "张测试"
        finally:
            first.link.close()
            second.link.close()

    def test_reader_that_is_pulled_with_a_card_in_it_is_a_lost_link_too(self, two_readers: tuple[Any, Any]) -> None:
        driver = open_driver(two_readers[0])
        try:
            two_readers[0].put("zhang")
            assert card_of(driver).name == "张测试"
            two_readers[0].unplug_reader()
            with pytest.raises(LinkError):
                heard(driver, 5.0)
        finally:
            driver.link.close()


def opened(twin: Any) -> Any:
    """A driver, if the reader is there."""
    with contextlib.suppress(LinkError):
        return open_driver(twin)
    return None


# --- a reader of another machine --------------------------------------------------------------------------------------


@pytest.fixture
def relayed(rig: Rig, tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """The service's socket brought over TCP by socat, which nobody here wrote: what ssh -L does, without ssh."""
    if shutil.which("socat") is None:
        pytest.skip("socat is missing (Debian package socat)")
    held, here = HeldPort(), tmp_path / "kiosk2.comm"
    far = f"UNIX-CONNECT:{rig.twin.service.socket_path}"
    listen = f"TCP-LISTEN:{held.number},bind=127.0.0.1,fork,reuseaddr"
    processes = [
        subprocess.Popen(["socat", listen, far], start_new_session=True),
        subprocess.Popen(["socat", f"UNIX-LISTEN:{here},fork", f"TCP:127.0.0.1:{held.number}"], start_new_session=True),
    ]
    until(here.exists, what="the relay's socket")
    yield f"pcsc:{rig.twin.service.reader()}@{here}", processes
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    held.close()


class TestRelay:
    pytestmark = system

    def test_reader_of_another_machine_is_used_through_its_services_socket(
        self, rig: Rig, relayed: tuple[str, list[subprocess.Popen[bytes]]]
    ) -> None:
        own = VirtualPcsc("Own")
        own.start()
        link, own_link = CardSlot(relayed[0]), CardSlot(own.port)
        driver = PcscReader("IDR-09", link, PcscOptions(**FLAT_FILE))
        try:
            assert driver.hello().model == "Hall Card 00 00"
            rig.twin.put("zhang")
            assert card_of(driver).name == "张测试"
            assert own_link.card_atr(0.0) is None
            rig.twin.lift()
            assert poll_until_news(driver) == CardGone()
        finally:
            link.close()
            own_link.close()
            own.stop()

    def test_card_relayed_into_a_virtual_slot_is_read_like_one_in_a_reader(self, rig: Rig) -> None:
        """The other way: a program there puts its reader's card into a vpcd slot here. The program is this test."""
        here = VirtualPcsc("Relayed")
        here.start()
        far = CardSlot(rig.line.port)
        rig.twin.put("zhang")
        atr = until(lambda: far.card_atr(0.2), what="the card over there")
        far.connect()
        relayed = InsertedCard(here, atr, far.transmit)
        driver = PcscReader("IDR-09", CardSlot(here.port), PcscOptions(**FLAT_FILE))
        try:
            assert card_of(driver).name == "张测试"
            relayed.pull()
            assert poll_until_news(driver) == CardGone()
        finally:
            driver.link.close()
            relayed.pull()
            far.close()
            here.stop()

    def test_relay_that_dies_is_a_lost_link(self, rig: Rig, relayed: tuple[str, list[subprocess.Popen[bytes]]]) -> None:
        port, processes = relayed
        driver = PcscReader("IDR-09", CardSlot(port), PcscOptions(**FLAT_FILE))
        try:
            for process in processes:
                os.killpg(process.pid, signal.SIGKILL)
            with pytest.raises(LinkError):
                heard(driver, 3.0)
        finally:
            driver.link.close()


# --- other people's programs ------------------------------------------------------------------------------------------


def opensc(rig: Rig, *arguments: str) -> str:
    """What opensc-tool, which nobody here wrote, prints about the twin's card."""
    if shutil.which("opensc-tool") is None:
        pytest.skip("opensc-tool is missing (Debian package opensc)")
    environment = {**os.environ, **rig.twin.environment()}
    ran = subprocess.run(["opensc-tool", *arguments], capture_output=True, text=True, check=False, env=environment)
    return ran.stdout


class TestOtherPrograms:
    pytestmark = system

    def test_other_program_lists_the_reader_and_sees_the_card_come(self, rig: Rig) -> None:
        line = next(line for line in opensc(rig, "-l").splitlines() if "Hall Card 00 00" in line)
        assert line.split()[:2] == ["0", "No"]
        rig.twin.put("zhang")
        until(lambda: any(line.split()[:2] == ["0", "Yes"] for line in opensc(rig, "-l").splitlines()), what="the card")

    def test_other_program_reads_the_atr_and_the_whole_file(self, rig: Rig) -> None:
        rig.twin.put("zhang")
        until(lambda: "3b:8b:80:01" in opensc(rig, "-r", "0", "-a"), what="the ATR")
        commands = [part for block in range(6) for part in ("-s", f"FF:B0:{block:02x}:00:00")]
        said = opensc(rig, "-r", "0", *commands)
        assert said.count("SW1=0x90, SW2=0x00") == 6
        # Rows of at most sixteen bytes, and the same as text behind them.
        rows = re.findall("^((?:[0-9A-F]{2} ){1,16})", said, re.MULTILINE)
        assert bytes.fromhex("".join(rows)) == b"\x01\x00\x04\x00" + RESIDENTS["zhang"].text_block() + PHOTO

    @pytest.mark.parametrize("rig", [{**FLAT_FILE, "route": "serial_only"}], indirect=True)
    def test_other_program_gets_the_atr_and_chip_serial_of_a_type_b_card(self, rig: Rig) -> None:
        rig.twin.put("zhang")
        atr = "3b:88:80:01:d1:03:86:0c:00:80:80:00:51"
        until(lambda: atr in opensc(rig, "-r", "0", "-a"), what="the ATR")
        assert "11 22 33 44 55 66 77 88" in opensc(rig, "-r", "0", "-s", "00:36:00:00:08")

    def test_other_program_at_the_same_card_disturbs_no_reading(self, rig: Rig) -> None:
        driver = PcscReader("TST-01", CardSlot(rig.line.port), PcscOptions(**FLAT_FILE))
        try:
            rig.twin.put("zhang")
            until(lambda: "3b:8b:80:01" in opensc(rig, "-r", "0", "-a"), what="the ATR")
            assert isinstance(poll_until_news(driver), CardRead)
            opensc(rig, "-r", "0", "-s", "FF:B0:00:00:04")
            assert heard(driver, 0.6) == []
        finally:
            driver.link.close()


class TestNothingIsLeft:
    pytestmark = system

    def test_slot_opened_fifty_times_leaks_nothing_here_or_in_the_service(self, rig: Rig) -> None:
        rig.twin.put("zhang")
        driver = rig.open()
        card_of(driver)
        driver.link.close()
        service = Path(f"/proc/{rig.twin.service.pid}/fd")

        def held() -> object:
            return descriptors_and_threads(), len(helpers_of(os.getpid())), len(list(service.iterdir()))

        before = until(lambda: held() if held() == held() else None)
        for _ in range(50):
            link = CardSlot(rig.line.port)
            link.card_atr(0.0)
            link.close()
        until(lambda: held() == before, 5.0, f"what was held before, {before}, and not {held()}")


class TestCarrier:
    pytestmark = system

    def test_several_services_run_side_by_side(self, rig: Rig) -> None:
        other = VirtualPcsc()
        other.start()
        try:
            assert other.environment() != rig.twin.environment()
            rig.twin.put("zhang")
            slot = CardSlot(other.port)
            assert slot.card_atr(0.6) is None
            slot.close()
        finally:
            other.stop()

    def test_stopped_service_leaves_nothing_behind(self) -> None:
        service = VirtualPcsc()
        service.start()
        folder = Path(service.environment()["PCSCLITE_CSOCK_NAME"]).parent.parent
        service.stop()
        assert not folder.exists()
        assert not service.running

    def test_service_ends_with_the_program_that_started_it(self) -> None:
        program = (
            "import os, signal; from sim.pcsc import VirtualPcsc; service = VirtualPcsc(); service.start();"
            "print(service.environment()['PCSCLITE_CSOCK_NAME'], flush=True); os.kill(os.getpid(), signal.SIGKILL)"
        )
        ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        folder = Path(ran.stdout.strip()).parent.parent
        until(lambda: not any(str(folder) in command for command in commands()), what="the service is gone")
        shutil.rmtree(folder)


def commands() -> list[str]:
    """Command lines of all processes."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended meanwhile
            found.append((process / "cmdline").read_bytes().decode(errors="replace"))
    return found


def test_machine_without_the_parts_gets_a_reason_that_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sim.pcsc.os.geteuid", lambda: 1000)
    assert available.__wrapped__() == "the virtual PC/SC reader needs root for its namespaces"
    monkeypatch.setattr("sim.pcsc.os.geteuid", lambda: 0)
    monkeypatch.setattr("sim.pcsc._DAEMON", Path("/nowhere/pcscd"))
    assert available.__wrapped__() == "/nowhere/pcscd is missing (Debian package pcscd)"
