"""SAM_V reader on a serial line: golden frames, each status, each fault of line, module and card."""

import hashlib
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest

from drivers.base import (
    BadReply,
    CardDoubt,
    CardGone,
    CardKind,
    CardRead,
    Condition,
    DeviceError,
    Identity,
    NoReply,
    Refused,
)
from drivers.idcard_sam import Command
from drivers.idcard_samv import SamVOptions
from sim.carriers import TcpLine
from sim.idcard_module import Card, answer_frame
from sim.idcard_records import RESIDENTS
from tests.contract.contract import MARKERS, DriverContract, Rig, ScriptedStream, until
from tests.contract.idcard_goldens import CITIZEN, PERMIT, SAM_REQUESTS, frame

OPTIONS = {"baud": 115200, "debounce_s": 0.5}


@pytest.fixture(autouse=True)
def quick_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules are asked for cards ten times as often as real ones, so that tests take a tenth of the time."""
    monkeypatch.setattr("drivers.idcard_samv._FIND_INTERVAL_S", 0.03)


def poll_until_news(driver: Any, limit_s: float = 10.0) -> CardRead | CardGone:
    news: CardRead | CardGone = until(lambda: driver.poll_card(0.2), limit_s, "news from the reader")
    return news


def refusal(driver: Any) -> Refused:
    """The refusal that a poll soon gives."""
    with pytest.raises(Refused) as caught:
        poll_until_news(driver)
    return caught.value


def heard(driver: Any, for_s: float) -> list[object]:
    """All news of so many seconds."""
    end, news = time.monotonic() + for_s, []
    while time.monotonic() < end:
        news.append(driver.poll_card(0.2))
    return [one for one in news if one is not None]


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
def rig(tmp_path: Path) -> Any:
    yield from TestContract.rig.__wrapped__(TestContract(), tmp_path)  # type: ignore[attr-defined]  # pytest's fixture


@pytest.fixture
def driver(rig: Rig) -> Any:
    return rig.open()


def test_hello_tells_the_number_of_the_module(driver: Any, rig: Rig) -> None:
    assert driver.hello() == Identity(model="SAM_V", serial="05.03-20160101-0000012345-0123456789")
    assert rig.line.sent_to_twins() == frame(SAM_REQUESTS[Command.STATUS]) + frame(SAM_REQUESTS[Command.SAM_ID])


def test_hello_waits_for_a_module_that_was_just_powered(driver: Any, rig: Rig) -> None:
    rig.twin.sleep_through(requests=2)
    assert driver.hello().model == "SAM_V"


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
    began = time.monotonic()
    assert heard(driver, 1.0) == []
    assert 1 < len(rig.twin.sam.commands) <= (time.monotonic() - began) / 0.3 + 1


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


def test_wrong_check_digit_is_a_doubt_with_the_data(driver: Any, rig: Rig) -> None:
    rig.twin.put("zhang")
    rig.twin.spoil_check_digit()
    news = poll_until_news(driver)
    assert isinstance(news, CardRead)
    assert (news.card.name, news.card.doubts) == ("张测试", frozenset({CardDoubt.CHECK_DIGIT}))


# --- what goes wrong with the card ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sw3", "condition"),
    [
        (0x31, Condition.CARD_UNREADABLE),
        (0x32, Condition.CARD_UNREADABLE),
        (0x33, Condition.CARD_INVALID),
        (0x40, Condition.CARD_UNKNOWN),
        (0x60, Condition.DEVICE_FAULT),
        (0x66, Condition.DEVICE_FAULT),
        (0x21, Condition.DEVICE_FAULT),
    ],
)
def test_refused_read_says_what_to_do_once_per_placing(sw3: int, condition: Condition, driver: Any, rig: Rig) -> None:
    rig.twin.find_a_card_that_stays()
    rig.twin.put("zhang")
    rig.twin.refuse(b"\x30\x01", sw3, sw3)
    refused = refusal(driver)
    assert refused.condition is condition
    assert f"SW3 {sw3:02X}" in str(refused)
    assert heard(driver, 0.6) == []
    rig.twin.lift()
    heard(driver, 0.2)
    rig.twin.put("zhang")
    news = poll_until_news(driver)
    while isinstance(news, CardGone):
        news = poll_until_news(driver)
    assert news.card.name == "张测试"


@pytest.mark.parametrize("sw3", [0x41, 0x47, 0x91])
def test_failed_read_of_a_card_that_still_lies_there_is_unreadable(sw3: int, driver: Any, rig: Rig) -> None:
    rig.twin.find_a_card_that_stays()
    rig.twin.put("zhang")
    rig.twin.refuse(b"\x30\x01", sw3)
    assert refusal(driver).condition is Condition.CARD_UNREADABLE


def test_card_lifted_during_the_read_is_told_so(driver: Any, rig: Rig) -> None:
    rig.twin.put("zhang")
    rig.twin.lift_during_read()
    assert refusal(driver).condition is Condition.CARD_REMOVED_EARLY
    assert rig.twin.card is Card.ABSENT
    rig.twin.put("zhang")
    assert isinstance(poll_until_news(driver), CardRead)


def test_card_lifted_before_select_is_told_so(driver: Any, rig: Rig) -> None:
    rig.twin.put("zhang")
    rig.twin.lift_before_select()
    assert refusal(driver).condition is Condition.CARD_REMOVED_EARLY


def test_card_that_moved_is_found_again_in_the_same_poll(driver: Any, rig: Rig) -> None:
    rig.twin.put("zhang")
    rig.twin.refuse(b"\x20\x02", 0x81)
    assert isinstance(poll_until_news(driver), CardRead)
    assert rig.twin.sam.commands == [b"\x20\x01", b"\x20\x02", b"\x20\x01", b"\x20\x02", b"\x30\x01"]


@pytest.mark.parametrize("sw3", [0x81, 0x23, 0x24])
def test_card_that_cannot_be_selected_twice_is_unreadable(sw3: int, driver: Any, rig: Rig) -> None:
    rig.twin.put("zhang")
    rig.twin.refuse(b"\x20\x02", sw3, sw3)
    assert refusal(driver).condition is Condition.CARD_UNREADABLE


def test_card_of_another_kind_is_unknown(driver: Any, rig: Rig) -> None:
    rig.twin.put_unknown_card()
    assert refusal(driver).condition is Condition.CARD_UNKNOWN


def test_card_that_fails_authentication_twice_is_suspect(driver: Any, rig: Rig) -> None:
    rig.twin.fail_authentication(times=2)
    conditions = []
    for _ in range(2):
        rig.twin.put("zhang")
        conditions.append(refusal(driver).condition)
        rig.twin.lift()
        poll_until_news(driver)
    assert conditions == [Condition.CARD_UNREADABLE, Condition.CARD_INVALID]
    rig.twin.put("zhang")
    assert isinstance(poll_until_news(driver), CardRead)


def test_module_that_did_not_understand_is_asked_again(driver: Any, rig: Rig) -> None:
    rig.twin.put("zhang")
    rig.twin.refuse(b"\x20\x01", 0x10, 0x10)
    rig.twin.refuse(b"\x20\x02", 0x11)
    assert isinstance(poll_until_news(driver), CardRead)


def test_module_that_never_understands_is_a_bad_line(driver: Any, rig: Rig) -> None:
    rig.twin.refuse(b"\x20\x01", *[0x10] * 3)
    with pytest.raises(BadReply, match="find was answered with SW3 10"):
        poll_until_news(driver)
    assert len(rig.twin.sam.commands) == 3


# --- what goes wrong on the line --------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["damage_record", "shorten_record"])
def test_broken_record_is_discarded_and_read_again_while_the_card_lies_there(verb: str, driver: Any, rig: Rig) -> None:
    rig.twin.find_a_card_that_stays()
    getattr(rig.twin, verb)()
    rig.twin.put("zhang")
    news = poll_until_news(driver)
    assert isinstance(news, CardRead)
    assert (news.card.name, news.card.doubts) == ("张测试", frozenset())
    assert rig.twin.sam.records_read == 2


def test_half_a_record_of_a_card_that_left_is_discarded(driver: Any, rig: Rig) -> None:
    rig.twin.cut_record_after(700)
    rig.twin.put("zhang")
    assert refusal(driver).condition is Condition.CARD_REMOVED_EARLY


def test_record_that_stays_broken_is_a_bad_line(driver: Any, rig: Rig) -> None:
    rig.twin.find_a_card_that_stays()
    rig.twin.damage_record(times=2)
    rig.twin.put("zhang")
    with pytest.raises(BadReply):
        poll_until_news(driver)
    assert isinstance(poll_until_news(driver), CardRead)


def test_answer_with_a_wrong_check_byte_is_a_bad_reply_with_its_bytes(driver: Any, rig: Rig) -> None:
    rig.twin.damage_check_byte()
    with pytest.raises(BadReply, match=r"TST-01 on .*status.*aa aa aa 96 69 00 04 00 00 90 ce"):
        driver.conditions()
    assert driver.conditions() == frozenset()


def test_answer_that_breaks_off_is_a_bad_reply(driver: Any, rig: Rig) -> None:
    rig.twin.cut_answer_after(8)
    with pytest.raises(BadReply):
        driver.conditions()
    assert driver.conditions() == frozenset()


@pytest.mark.parametrize(
    "garbage", [b"\xaa\xaa\xaa\x96\x69", b"\x00\xff\x55", b"\xaa\xaa\xaa\x96\x69\x05\x08\x00\x00\x90"]
)
def test_garbage_before_each_answer_does_no_harm(garbage: bytes, driver: Any, rig: Rig) -> None:
    rig.twin.precede_answers_with(garbage)
    rig.twin.find_a_card_that_stays()
    rig.twin.put("zhang")
    assert isinstance(poll_until_news(driver), CardRead)


def test_preamble_inside_the_photo_does_no_harm(driver: Any, rig: Rig) -> None:
    rig.twin.put_preamble_in_photo()
    rig.line.one_byte_at_a_time = True
    rig.twin.put("zhang")
    assert isinstance(poll_until_news(driver), CardRead)


def test_mute_module_is_no_reply_and_works_again_when_it_speaks(driver: Any, rig: Rig) -> None:
    rig.twin.go_mute()
    with pytest.raises(NoReply, match=r"TST-01 on .*find, no byte within 1\.0 s"):
        poll_until_news(driver)
    rig.twin.recover()
    rig.twin.put("zhang")
    assert isinstance(poll_until_news(driver), CardRead)


def test_module_at_another_speed_is_mute(rig: Rig) -> None:
    rig.options = {**OPTIONS, "baud": 9600}
    with pytest.raises(NoReply):
        rig.open().conditions()


def test_module_on_a_serial_server_is_read_too() -> None:
    twin_type = __import__("sim.idcard_samv", fromlist=["TWIN"]).TWIN
    driver_type = __import__("drivers.idcard_samv", fromlist=["DRIVER"]).DRIVER
    line = TcpLine()
    twin = twin_type("TST-01", OPTIONS)
    line.attach(twin)
    line.start()
    rig = Rig(driver_type=driver_type, options=OPTIONS, twin=twin, line=line)
    try:
        twin.put("zhang")
        assert isinstance(poll_until_news(rig.open()), CardRead)
    finally:
        rig.close()


class DribblingStream(ScriptedStream):
    """One byte per 0.4 s for ever, on a clock of its own."""

    def __init__(self, clock: "Clock") -> None:
        super().__init__([])
        self.clock = clock

    def _read_some(self, most: int, limit_s: float) -> bytes:
        if limit_s <= 0:
            return b""
        if limit_s < 0.4:
            self.clock.now += limit_s
            return b""
        self.clock.now += 0.4
        return b"\xaa"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0


@pytest.mark.parametrize("deed", ["hello", "conditions", "poll_card"])
def test_module_that_dribbles_for_ever_ends_within_the_limit(deed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    driver_type = __import__("drivers.idcard_samv", fromlist=["DRIVER"]).DRIVER
    clock = Clock()
    monkeypatch.setattr("drivers.idcard_samv.time.monotonic", lambda: clock.now)
    driver = driver_type("TST-01", DribblingStream(clock), driver_type.Options())
    with pytest.raises(DeviceError):
        driver.poll_card(0.2) if deed == "poll_card" else getattr(driver, deed)()
    assert clock.now - 1000.0 < 4.0


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
    kept = repr(vars(one._watch))
    assert hashlib.blake2b(RESIDENTS["zhang"].text_block()).hexdigest() not in kept
    assert "张测试" not in kept
