"""SAM_V reader on a serial line: golden frames, each status, each fault of line, module and card."""

import hashlib
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest

from drivers.base import (
    QUESTION_LIMIT_S,
    CardDoubt,
    CardGone,
    CardKind,
    CardRead,
    Condition,
    DeviceError,
    Identity,
    NoReply,
)
from drivers.idcard_sam import Command
from drivers.idcard_samv import SamVOptions
from sim.idcard_module import answer_frame
from sim.idcard_records import RESIDENTS, CitizenCard
from sim.stopwatch import Stopwatch
from tests.contract.contract import MARKERS, DriverContract, Rig, until
from tests.contract.idcard_goldens import CITIZEN, NEWEST_ADDRESS, PERMIT, SAM_REQUESTS, frame
from tests.contract.idcard_room import heard, poll_until_news, refusal, samv_rig

OPTIONS = {"baud": 115200, "debounce_s": 0.5}


@pytest.fixture(autouse=True)
def quick_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules are asked for cards ten times as often as real ones, so that tests take a tenth of the time."""
    monkeypatch.setattr("drivers.idcard_samv.FIND_INTERVAL_S", 0.03)


@pytest.mark.parametrize(("key", "value"), [("baud", 4800), ("debounce_s", 0.1), ("debounce_s", 11.0)])
def test_options_outside_their_range_name_the_key_and_the_range(key: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"^{key}: .*(one of|from 0.5 to 10)"):
        SamVOptions(**{key: value})  # type: ignore[arg-type]  # wrong on purpose


# --- contract ---------------------------------------------------------------------------------------------------------


class TestContract(DriverContract):
    driver_module = "idcard_samv"
    twin_module = "idcard_samv"
    options: ClassVar[dict[str, Any]] = OPTIONS
    causes: ClassVar[dict[Condition, Callable[[Any], object]]] = {
        Condition.DEVICE_FAULT: lambda twin: twin.fail_self_test()
    }

    def job(self, driver: Any, rig: Rig) -> None:
        before = rig.twin.sam.records_read
        rig.twin.put("zhang")
        news = poll_until_news(driver)
        while isinstance(news, CardGone):  # of the placing before
            news = poll_until_news(driver)
        assert news.card.id_no == "990000199909090053"
        assert rig.twin.sam.records_read == before + 1
        rig.twin.lift()
        assert poll_until_news(driver) == CardGone()

    def spoils(self, rig: Rig) -> Sequence[Callable[[], object]]:
        """Only records come broken: with every answer broken none would ever be asked for."""
        rig.twin.find_a_card_that_stays()
        return (lambda: rig.twin.damage_record(times=20), lambda: rig.twin.cut_record_after(700, times=20))

    def personal_job(self, driver: Any, rig: Rig) -> None:
        rig.twin.lift()
        for _ in range(3):  # until it counts as gone: a card that lies there is not read again
            driver.poll_card(0.5)
        rig.twin.put("zhang")
        self.job_blind(driver)

    def job_blind(self, driver: Any) -> None:
        for _ in range(4):
            driver.poll_card(0.5)

    def sample_replies(self) -> list[bytes]:
        return [
            answer_frame(0x90),
            answer_frame(0x9F, bytes(4)),
            answer_frame(0x90, bytes(8)),
            answer_frame(0x90, b"\x01\x00\x04\x00" + CITIZEN.text_block() + bytes(1024)),
        ]


# --- a reader on its line ---------------------------------------------------------------------------------------------


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with samv_rig(tmp_path, OPTIONS) as rig:
        yield rig


@pytest.fixture
def driver(rig: Rig) -> Any:
    return rig.open()


def test_hello_tells_the_number_of_the_module(driver: Any, rig: Rig) -> None:
    assert driver.hello() == Identity(model="SAM_V", serial="05.03-20160101-0000012345-0123456789")
    assert rig.line.sent_to_twins() == frame(SAM_REQUESTS[Command.STATUS]) + frame(SAM_REQUESTS[Command.SAM_ID])


def test_hello_waits_for_a_module_that_was_just_powered(driver: Any, rig: Rig) -> None:
    rig.twin.sleep_through(requests=1)
    assert driver.hello().model == "SAM_V"


@pytest.mark.parametrize("speed", [57600, 38400, 19200, 9600])
def test_hello_finds_a_module_at_another_speed_and_reads_cards_there(speed: int, driver: Any, rig: Rig) -> None:
    rig.twin.run_at(speed)
    watch = Stopwatch()
    assert driver.hello() == Identity(
        model="SAM_V", firmware=f"at {speed} baud, not 115200", serial="05.03-20160101-0000012345-0123456789"
    )
    assert watch.s < QUESTION_LIMIT_S
    assert rig.line.baud == speed
    rig.twin.put("zhang")
    assert isinstance(poll_until_news(driver), CardRead)


def test_speed_at_which_a_module_was_found_is_tried_first_after_the_cable_was_back(driver: Any, rig: Rig) -> None:
    rig.twin.run_at(19200)
    driver.hello()
    rig.line.unplug()
    driver.link.close()
    rig.line.replug()
    again = rig.open()
    speeds: list[int] = []
    set_baud = again.link.set_baud
    again.link.set_baud = lambda baud: (speeds.append(baud), set_baud(baud))
    assert "19200" in again.hello().firmware
    assert speeds == [19200]


def test_module_that_was_set_to_another_speed_while_in_use_is_found_again(driver: Any, rig: Rig) -> None:
    driver.hello()
    rig.twin.run_at(9600)
    with pytest.raises(NoReply):
        driver.conditions()
    assert "9600" in driver.hello().firmware
    assert driver.conditions() == frozenset()


def test_speed_is_searched_from_the_fastest_to_the_slowest_and_ends_at_the_likely_one(rig: Rig) -> None:
    speeds: list[int] = []
    driver = rig.open()
    set_baud = driver.link.set_baud
    driver.link.set_baud = lambda baud: (speeds.append(baud), set_baud(baud))
    rig.twin.go_mute()
    with pytest.raises(NoReply):
        driver.hello()
    assert speeds == [115200, 57600, 38400, 19200, 9600, 115200]


def test_hello_resets_a_module_whose_self_test_failed(driver: Any, rig: Rig) -> None:
    rig.twin.fail_self_test()
    driver.hello()
    assert b"\x10\xff" in rig.twin.sam.commands
    assert driver.conditions() == {Condition.DEVICE_FAULT}


def test_module_that_cannot_look_for_cards_is_a_fault_and_no_news_for_residents(driver: Any, rig: Rig) -> None:
    rig.twin.refuse(b"\x20\x01", 0x66, 0x66)
    until(lambda: driver.poll_card(0.2) is None and rig.twin.sam.commands)
    assert driver.conditions() == {Condition.DEVICE_FAULT}
    until(lambda: driver.poll_card(0.2) is None and len(rig.twin.sam.commands) > 4)
    assert driver.conditions() == frozenset()


def test_module_without_authorisation_is_a_fault(driver: Any, rig: Rig) -> None:
    rig.twin.lose_authorisation()
    assert driver.conditions() == {Condition.DEVICE_FAULT}


@pytest.mark.parametrize("name", RESIDENTS)
def test_every_kind_of_card_is_read(name: str, driver: Any, rig: Rig) -> None:
    rig.twin.put(name)
    news = poll_until_news(driver)
    assert isinstance(news, CardRead)
    assert news.card.id_no == RESIDENTS[name].number  # type: ignore[attr-defined]  # every kind has one


def test_card_with_all_its_fields_comes_through(driver: Any, rig: Rig) -> None:
    rig.twin.put(PERMIT)
    news = poll_until_news(driver)
    assert isinstance(news, CardRead)
    assert (news.card.kind, news.card.name, news.card.pass_no) == (CardKind.HK_MACAU_TAIWAN, "陈示例", "H12345678")


def test_only_text_and_photo_are_asked_for_and_in_full_order(driver: Any, rig: Rig) -> None:
    rig.twin.put("zhang")
    poll_until_news(driver)
    assert rig.twin.sam.commands == [b"\x20\x01", b"\x20\x02", b"\x30\x01"]


def test_idle_reader_is_asked_at_most_every_300_ms(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    driver = rig.open()
    watch = Stopwatch()
    assert heard(driver, 1.0) == []
    assert 1 < len(rig.twin.sam.commands) <= watch.wall_s / 0.3 + 1


@pytest.mark.parametrize("finds_again", [False, True])
def test_card_that_is_left_lying_is_one_visit_on_both_kinds_of_module(finds_again: bool, driver: Any, rig: Rig) -> None:
    if finds_again:
        rig.twin.find_a_card_that_stays()
    rig.twin.put("zhang")
    assert isinstance(poll_until_news(driver), CardRead)
    later = heard(driver, 1.0)
    # The module that answers "no card" from now on cannot say that the card still lies there.
    assert later == ([] if finds_again else [CardGone()])
    rig.twin.lift()
    if finds_again:
        assert poll_until_news(driver) == CardGone()
    assert heard(driver, 0.6) == []
    rig.twin.put("zhang")
    assert isinstance(poll_until_news(driver), CardRead)
    # A card found again is read once more: that is how the driver learns the kind of the module.
    assert rig.twin.sam.records_read == (3 if finds_again else 2)


def test_next_resident_is_read_at_once_without_waiting_for_the_first_to_be_gone(driver: Any, rig: Rig) -> None:
    rig.twin.put("zhang")
    poll_until_news(driver)
    rig.twin.put("li")
    news = poll_until_news(driver)
    assert isinstance(news, CardRead)
    assert news.card.id_no == "99000019900909004X"


def test_same_card_back_within_the_debounce_is_the_same_visit(tmp_path: Path, rig: Rig) -> None:
    rig.options = {**OPTIONS, "debounce_s": 10.0}
    driver = rig.open()
    rig.twin.put("zhang")
    assert isinstance(poll_until_news(driver), CardRead)
    rig.twin.lift()
    heard(driver, 0.2)
    rig.twin.put("zhang")
    assert heard(driver, 0.6) == []
    assert rig.twin.sam.records_read == 2


def test_module_that_wants_the_card_lifted_first_makes_one_visit_of_it(driver: Any, rig: Rig) -> None:
    rig.twin.refuse_select_until_lifted()
    rig.twin.put("zhang")
    assert isinstance(poll_until_news(driver), CardRead)
    assert heard(driver, 1.5) == []
    assert rig.twin.sam.records_read == 1
    rig.twin.lift()
    assert poll_until_news(driver) == CardGone()
    rig.twin.put("zhang")
    assert isinstance(poll_until_news(driver), CardRead)


def test_module_that_wants_the_card_lifted_first_reads_the_next_one_at_once(driver: Any, rig: Rig) -> None:
    rig.twin.refuse_select_until_lifted()
    rig.twin.put("zhang")
    poll_until_news(driver)
    heard(driver, 0.2)
    rig.twin.lift()
    heard(driver, 0.1)
    rig.twin.put("li")
    news = poll_until_news(driver)
    assert isinstance(news, CardRead)
    assert news.card.id_no == "99000019900909004X"


def test_expired_card_is_read_with_a_doubt(driver: Any, rig: Rig) -> None:
    rig.twin.put("expired")
    news = poll_until_news(driver)
    assert isinstance(news, CardRead)
    assert (news.card.name, news.card.doubts) == ("赵旧证", frozenset({CardDoubt.EXPIRED}))


def test_card_of_a_layout_that_nobody_knows_is_refused_as_unknown_and_the_next_one_read(driver: Any, rig: Rig) -> None:
    rig.twin.put_strange_layout()
    assert refusal(driver).condition is Condition.CARD_UNKNOWN
    rig.twin.put("foreign2023")
    assert isinstance(poll_until_news(driver), CardRead)


# --- the newest address -----------------------------------------------------------------------------------------------

FIND, SELECT, READ = b"\x20\x01", b"\x20\x02", b"\x30\x01"
MOVED = CitizenCard(**{**vars(CITIZEN), "extra_address": NEWEST_ADDRESS})


@pytest.fixture
def asking(rig: Rig) -> Any:
    """A driver that also reads the newest address."""
    rig.options = {**OPTIONS, "newest_address": True}
    return rig.open()


@pytest.mark.parametrize(("record", "address"), [(MOVED, NEWEST_ADDRESS), (CITIZEN, "")])
def test_newest_address_is_read_after_the_card(record: CitizenCard, address: str, asking: Any, rig: Rig) -> None:
    rig.twin.put(record)
    news = poll_until_news(asking)
    assert isinstance(news, CardRead)
    assert (news.card.newest_address, news.card.doubts) == (address, frozenset())
    assert news.card.address == "北京市东城区示例街道1号院2单元301室"
    assert rig.twin.sam.commands == [FIND, SELECT, READ, b"\x30\x03"]


def test_newest_address_is_not_asked_for_where_the_hall_does_not_want_it(driver: Any, rig: Rig) -> None:
    rig.twin.put(MOVED)
    news = poll_until_news(driver)
    assert isinstance(news, CardRead)
    assert news.card.newest_address == ""
    assert b"\x30\x03" not in rig.twin.sam.commands


@pytest.mark.parametrize("sw3", [0x41, 0x21, 0x31, 0x23])
def test_card_whose_newest_address_cannot_be_read_is_read_with_a_doubt(sw3: int, asking: Any, rig: Rig) -> None:
    rig.twin.refuse(b"\x30\x03", sw3)
    rig.twin.put(MOVED)
    news = poll_until_news(asking)
    assert isinstance(news, CardRead)
    assert news.card.name == "张测试"
    assert (news.card.newest_address, news.card.doubts) == ("", frozenset({CardDoubt.NEWEST_ADDRESS_UNREAD}))


def test_newest_address_shows_in_no_trace(asking: Any, rig: Rig) -> None:
    rig.twin.put(MOVED)
    poll_until_news(asking)
    assert NEWEST_ADDRESS[:4].encode("utf-16-le") not in b"".join(data for _, data in rig.traced)


def test_wrong_check_digit_is_a_doubt_with_the_data(driver: Any, rig: Rig) -> None:
    rig.twin.put("zhang")
    rig.twin.spoil_check_digit()
    news = poll_until_news(driver)
    assert isinstance(news, CardRead)
    assert (news.card.name, news.card.doubts) == ("张测试", frozenset({CardDoubt.CHECK_DIGIT}))


# --- privacy ----------------------------------------------------------------------------------------------------------


def test_no_error_and_no_trace_says_anything_of_the_card(driver: Any, rig: Rig) -> None:
    """Every way in which a record can break, with the pieces arriving late."""
    rig.twin.find_a_card_that_stays()
    told = []
    faults: list[Callable[[], None]] = [
        lambda: rig.twin.damage_record(times=4),
        lambda: rig.twin.cut_record_after(600, times=4),
        lambda: rig.twin.shorten_record(times=4),
        lambda: rig.twin.refuse(b"\x30\x01", 0x33),
        rig.twin.lift_during_read,
    ]
    for fault in faults:
        fault()
        rig.twin.put("zhang")
        with pytest.raises(DeviceError) as caught:
            poll_until_news(driver)
        told.append("".join(traceback.format_exception(caught.value)))
        rig.twin.recover()
        rig.twin.lift()
        heard(driver, 0.6)
    record = answer_frame(0x90, b"\x01\x00\x04\x00" + RESIDENTS["zhang"].text_block() + bytes(1024))
    rig.twin.put("zhang")
    rig.twin.cut_record_after(0, times=2)
    with pytest.raises(DeviceError):
        poll_until_news(driver)
    rig.line.noise(record[:900])
    driver.conditions()
    seen = b"".join(data for _, data in rig.traced)
    for marker in MARKERS:
        assert marker not in "".join(told)
        for encoding in ("utf-8", "utf-16-le", "gb18030"):
            assert marker.encode(encoding) not in seen
            assert marker.encode(encoding).hex(" ") not in "".join(told)
    assert rig.hidden


def test_digest_of_a_card_differs_between_drivers(rig: Rig) -> None:
    """What is kept for comparison is useless elsewhere."""
    rig.twin.put("zhang")
    one = rig.open()
    poll_until_news(one)
    kept = repr(vars(one._polling._watch))
    assert hashlib.blake2b(RESIDENTS["zhang"].text_block()).hexdigest() not in kept
    assert "张测试" not in kept
