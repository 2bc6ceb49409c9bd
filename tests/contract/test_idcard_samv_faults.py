"""SAM_V reader: every status, and each fault of card, module and line."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.base import (
    QUESTION_LIMIT_S,
    BadReply,
    CardGone,
    CardRead,
    Condition,
    DeviceError,
    LinkError,
    NoReply,
    Refused,
)
from drivers.idcard_sam import Command
from drivers.idcard_samv import SamVOptions, SamVReader
from sim.carriers import TcpLine
from sim.idcard_module import Card, answer_frame
from sim.idcard_samv import TWIN
from sim.stopwatch import Stopwatch
from tests.contract.contract import MARKERS, Rig, ScriptedStream
from tests.contract.idcard_goldens import frame
from tests.contract.idcard_room import descriptors_and_threads, heard, poll_until_news, refusal, samv_rig
from tests.waiting import until

OPTIONS = {"baud": 115200, "debounce_s": 0.5}


@pytest.fixture(autouse=True)
def quick_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules are asked for cards ten times as often as real ones, so that tests take a tenth of the time."""
    monkeypatch.setattr("drivers.idcard_samv.FIND_INTERVAL_S", 0.03)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with samv_rig(tmp_path, OPTIONS) as rig:
        yield rig


@pytest.fixture
def driver(rig: Rig) -> Any:
    return rig.open()


# --- what goes wrong with the card ------------------------------------------------------------------------------------


STATUS, FIND, SELECT, READ = b"\x11\xff", b"\x20\x01", b"\x20\x02", b"\x30\x01"
UNREADABLE, UNKNOWN, INVALID, FAULT = (
    Condition.CARD_UNREADABLE, Condition.CARD_UNKNOWN, Condition.CARD_INVALID, Condition.DEVICE_FAULT,
)  # fmt: skip

# Every status of protocols/idcard.md §1.5 and its action there; `times` is how often in a row the module says it.
STATUS_ACTIONS: list[tuple[int, bytes, int, object]] = [
    (0x90, FIND, 1, BadReply),
    (0x9F, SELECT, 1, BadReply),
    (0x10, FIND, 2, CardRead), (0x10, SELECT, 2, CardRead), (0x10, READ, 2, CardRead),
    (0x10, FIND, 3, BadReply), (0x10, SELECT, 3, BadReply), (0x10, READ, 3, BadReply),
    (0x11, FIND, 1, CardRead), (0x11, SELECT, 1, CardRead), (0x11, READ, 1, CardRead),
    (0x11, FIND, 2, BadReply), (0x11, SELECT, 2, BadReply), (0x11, READ, 2, BadReply),
    (0x21, FIND, 1, FAULT), (0x21, SELECT, 1, FAULT), (0x21, READ, 1, FAULT),
    (0x23, FIND, 1, BadReply), (0x23, SELECT, 1, CardRead), (0x23, READ, 1, CardRead),
    (0x23, SELECT, 2, UNREADABLE), (0x23, READ, 2, UNREADABLE),
    (0x24, FIND, 1, BadReply), (0x24, SELECT, 1, CardRead), (0x24, READ, 1, CardRead),
    (0x24, SELECT, 2, UNREADABLE), (0x24, READ, 2, UNREADABLE),
    (0x31, SELECT, 1, UNREADABLE), (0x31, READ, 1, UNREADABLE),
    (0x32, SELECT, 1, UNREADABLE), (0x32, READ, 1, UNREADABLE),
    (0x33, SELECT, 1, INVALID), (0x33, READ, 1, INVALID),
    (0x40, FIND, 1, UNKNOWN), (0x40, SELECT, 1, UNKNOWN), (0x40, READ, 1, UNKNOWN),
    (0x41, SELECT, 1, UNREADABLE), (0x41, READ, 1, UNREADABLE),
    (0x47, SELECT, 1, UNREADABLE), (0x47, READ, 1, UNREADABLE),
    (0x60, FIND, 1, FAULT), (0x60, SELECT, 1, FAULT), (0x60, READ, 1, FAULT),
    (0x66, FIND, 1, FAULT), (0x66, SELECT, 1, FAULT), (0x66, READ, 1, FAULT),
    (0x80, FIND, 1, CardRead), (0x80, SELECT, 1, Condition.CARD_REMOVED_EARLY),
    (0x81, SELECT, 1, CardRead), (0x81, SELECT, 2, UNREADABLE), (0x81, READ, 1, CardRead),
    (0x91, SELECT, 1, UNREADABLE), (0x91, READ, 1, UNREADABLE),
    (0x77, FIND, 1, BadReply), (0x77, SELECT, 1, BadReply), (0x77, READ, 1, BadReply),
]  # fmt: skip


def what_comes(driver: Any) -> object:
    """How the driver reacts to a card: its reading, a condition, or the type of an error."""
    try:
        news = heard(driver, 0.5)
    except Refused as exc:
        return exc.condition
    except DeviceError as exc:
        return type(exc)
    return type(news[0]) if news else next(iter(driver.conditions()), None)


@pytest.mark.parametrize(("sw3", "command", "times", "action"), STATUS_ACTIONS)
def test_every_status_has_its_action(
    sw3: int, command: bytes, times: int, action: object, driver: Any, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.idcard_samv._SILENCE_IN_FRAME_S", 0.1)
    rig.twin.find_a_card_that_stays()
    # A module whose find fails says so as long as it fails.
    rig.twin.refuse(command, *[sw3] * (1000 if command == FIND and action is FAULT else times))
    rig.twin.put("zhang")
    assert what_comes(driver) == action
    rig.twin.recover()
    rig.twin.lift()
    heard(driver, 0.6)
    rig.twin.put("li")
    assert what_comes(driver) is CardRead


@pytest.mark.parametrize(
    ("sw3", "times", "expected"),
    [
        (0x90, 1, frozenset()),
        (0x10, 2, frozenset()),
        (0x11, 1, frozenset()),
        (0x21, 1, frozenset()),
        (0x60, 1, frozenset({FAULT})),
        (0x66, 1, frozenset({FAULT})),
        (0x24, 1, BadReply),
    ],
)
def test_every_status_of_the_self_test_has_its_action(
    sw3: int, times: int, expected: object, driver: Any, rig: Rig
) -> None:
    rig.twin.refuse(STATUS, *[sw3] * times)
    try:
        said: object = driver.conditions()
    except DeviceError as exc:
        said = type(exc)
    assert said == expected
    assert driver.conditions() == frozenset()


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


@pytest.fixture(params=[False, True], ids=["answers_81_or_41", "answers_23"])
def habit(request: pytest.FixtureRequest, rig: Rig) -> None:
    """What a module says to a command that comes in the wrong order: both kinds exist."""
    if request.param:
        rig.twin.answer_wrong_order_with_23()


@pytest.mark.usefixtures("habit")
def test_card_lifted_during_the_read_is_told_so(driver: Any, rig: Rig) -> None:
    rig.twin.put("zhang")
    rig.twin.lift_during_read()
    assert refusal(driver).condition is Condition.CARD_REMOVED_EARLY
    assert rig.twin.card is Card.ABSENT
    rig.twin.put("zhang")
    assert isinstance(poll_until_news(driver), CardRead)


@pytest.mark.usefixtures("habit")
def test_card_lifted_before_select_is_told_so(driver: Any, rig: Rig) -> None:
    rig.twin.put("zhang")
    rig.twin.lift_before_select()
    assert refusal(driver).condition is Condition.CARD_REMOVED_EARLY
    rig.twin.put("zhang")
    assert isinstance(poll_until_news(driver), CardRead)


@pytest.mark.parametrize(("habit", "status"), [(False, 0x81), (True, 0x23)], indirect=["habit"])
@pytest.mark.usefixtures("habit")
def test_module_says_wrong_order_in_its_own_way_and_the_next_find_is_good(status: int, driver: Any, rig: Rig) -> None:
    rig.twin.put("zhang")
    driver._begin()
    assert driver._ask(Command.SELECT).status == status
    assert isinstance(poll_until_news(driver), CardRead)


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


def test_card_that_is_put_back_and_fails_authentication_again_is_suspect(driver: Any, rig: Rig) -> None:
    rig.twin.fail_authentication(times=2)
    conditions = []
    for _ in range(2):
        rig.twin.put("zhang")
        conditions.append(refusal(driver).condition)
        rig.twin.lift()
        assert heard(driver, 0.1) == [], "back before it counts as gone"
    assert conditions == [Condition.CARD_UNREADABLE, Condition.CARD_INVALID]
    assert isinstance(poll_until_news(driver), CardGone)
    rig.twin.put("zhang")
    assert isinstance(poll_until_news(driver), CardRead)


@pytest.mark.parametrize("somebody_looked", [True, False])
def test_card_of_the_next_resident_is_not_suspect_for_the_one_before(
    somebody_looked: bool, driver: Any, rig: Rig
) -> None:
    rig.twin.fail_authentication(times=2)
    rig.twin.put("zhang")
    assert refusal(driver).condition is Condition.CARD_UNREADABLE
    rig.twin.lift()
    if somebody_looked:
        assert isinstance(poll_until_news(driver), CardGone)
    else:
        later = time.monotonic() + OPTIONS["debounce_s"]
        until(lambda: time.monotonic() > later, what="the card counts as gone")
    rig.twin.put("li")
    assert refusal(driver).condition is Condition.CARD_UNREADABLE


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


LOOKALIKES = {
    "preamble": frame(""),
    "preamble_and_length": frame("05 08"),
    "done": answer_frame(0x90),
    "read_failed": answer_frame(0x41),
    "no_card": answer_frame(0x80),
    "reader_fault": answer_frame(0x60),
    "selected": answer_frame(0x90, bytes(8)),
}


@pytest.mark.parametrize("looks_like", LOOKALIKES.values(), ids=LOOKALIKES)
@pytest.mark.parametrize("broken_by", ["nothing", "single_bytes", "damage_record", "lose_byte_of_record"])
def test_frame_inside_the_photo_does_no_harm_even_if_the_record_comes_broken(
    broken_by: str, looks_like: bytes, driver: Any, rig: Rig
) -> None:
    rig.twin.put_preamble_in_photo(looks_like)
    rig.twin.find_a_card_that_stays()
    if broken_by == "single_bytes":
        rig.line.one_byte_at_a_time = True
    elif broken_by != "nothing":
        getattr(rig.twin, broken_by)()
    rig.twin.put("zhang")
    news = poll_until_news(driver)
    assert isinstance(news, CardRead)
    assert news.card.name == "张测试"
    assert rig.twin.sam.records_read == (1 if broken_by in {"nothing", "single_bytes"} else 2)
    assert driver.conditions() == frozenset()


def test_answer_that_comes_late_glued_to_the_next_one_is_not_taken_for_it(driver: Any, rig: Rig) -> None:
    rig.twin.hold_next_answer()
    with pytest.raises(NoReply):
        driver.conditions()
    rig.twin.put("zhang")
    assert isinstance(poll_until_news(driver), CardRead)
    assert rig.twin.sam.commands == [STATUS, FIND, SELECT, READ]


def test_record_that_comes_late_glued_to_the_next_answer_is_dropped_and_traced_by_nobody(
    driver: Any, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.idcard_samv._RECORD_LIMIT_S", 0.5)
    rig.twin.put("zhang")
    driver._begin()
    assert driver._polling._sam.find()
    driver._ask(Command.SELECT)
    rig.twin.hold_next_answer()
    with pytest.raises(NoReply):
        driver._ask(Command.READ)
    assert driver.conditions() == frozenset()
    assert rig.hidden > 1295
    assert MARKERS[1].encode("utf-16-le") not in b"".join(data for _, data in rig.traced)


def test_reader_that_is_unplugged_in_a_read_is_a_lost_link(driver: Any, rig: Rig) -> None:
    rig.twin.put("zhang")
    rig.line.unplug()
    with pytest.raises(LinkError, match=r"TST-01|port"):
        heard(driver, 2.0)


def test_slow_module_is_waited_for_and_a_stalled_one_is_not(driver: Any, rig: Rig) -> None:
    rig.twin.put("zhang")
    rig.twin.answer_late(0.4)
    assert isinstance(poll_until_news(driver), CardRead)
    rig.twin.recover()
    rig.twin.put("li")
    rig.twin.answer_late(1.2)
    watch = Stopwatch()
    with pytest.raises(NoReply):
        heard(driver, 3.0)
    assert watch.s < QUESTION_LIMIT_S


def test_line_opened_fifty_times_leaks_nothing(rig: Rig) -> None:
    rig.twin.put("zhang")
    before = descriptors_and_threads()
    for _ in range(50):
        driver = rig.open()
        driver.hello()
        driver.link.close()
    assert descriptors_and_threads() == before


def test_mute_module_is_no_reply_and_works_again_when_it_speaks(driver: Any, rig: Rig) -> None:
    rig.twin.go_mute()
    with pytest.raises(NoReply, match=r"TST-01 on .*find, no byte within 1\.0 s"):
        poll_until_news(driver)
    rig.twin.recover()
    rig.twin.put("zhang")
    assert isinstance(poll_until_news(driver), CardRead)


def test_module_on_a_serial_server_is_read_too() -> None:
    line = TcpLine()
    twin = TWIN("TST-01", OPTIONS)
    line.attach(twin)
    line.start()
    rig = Rig(driver_type=SamVReader, options=OPTIONS, twin=twin, line=line)
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
    clock = Clock()
    monkeypatch.setattr("drivers.idcard_samv.time.monotonic", lambda: clock.now)
    driver = SamVReader("TST-01", DribblingStream(clock), SamVOptions())
    with pytest.raises(DeviceError):
        driver.poll_card(0.2) if deed == "poll_card" else getattr(driver, deed)()
    assert clock.now - 1000.0 < 4.0
