"""Physical callers: frames of protocols/keypads.md §3.1, and what happens on a line that many of them share."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import (
    QUESTION_LIMIT_S,
    BadReply,
    CallerKey,
    CallerPress,
    Condition,
    Grade,
    GradeGiven,
    LinkError,
    Refused,
)
from drivers.caller_line import BOUNCE_S, HOST_GAP_S, CallerFrame, CallerInbox, encode_frame, split_frames
from drivers.caller_rs485 import (
    DRIVER,
    CallerRs485Options,
    Rs485Caller,
    decode_press,
    encode_number,
    encode_waiting,
    explain,
    key_table,
)
from drivers.evaluator_caller import CallerEvaluator, EvaluatorCallerOptions
from drivers.transport import open_link
from sim.caller_rs485 import CallerTwin
from sim.carriers import PtyLine
from sim.evaluator_caller import EvaluatorBehindCaller
from sim.stopwatch import Stopwatch
from tests.contract.contract import DriverContract, Rig, ScriptedStream, until

NEXT = CallerPress(key=CallerKey.NEXT)
RECALL = CallerPress(key=CallerKey.RECALL)


def pressed(driver: Rs485Caller) -> CallerPress:
    """The next press, as the worker would hear it."""
    return until(lambda: driver.poll_press(0.2), what="a key of the caller")


def heard_nothing(driver: Rs485Caller) -> bool:
    return driver.poll_press(0.1) is None and driver.poll_press(0.1) is None


def signed_in(rig: Rig) -> Rs485Caller:
    """A driver whose caller is logged in."""
    driver: Rs485Caller = rig.open()
    driver.hello()
    driver.answer_sign_in(accepted=True)
    until(lambda: rig.twin.logged_in)
    return driver


class TestRs485Caller(DriverContract):
    driver_module = twin_module = "caller_rs485"
    no_conditions = "a caller sends its keys, and nothing about itself"
    options = {"address": 3}  # noqa: RUF012 - read only
    never_answers = "this line has no question and no acknowledgement"

    def job(self, driver: Any, rig: Rig) -> None:
        driver.conditions()
        rig.twin.log_in(1803)
        assert pressed(driver) == CallerPress(key=CallerKey.SIGN_IN, staff="1803")
        driver.answer_sign_in(accepted=True)
        until(lambda: rig.twin.logged_in)
        rig.twin.press("next")
        assert pressed(driver) == NEXT
        driver.show_ticket("A1234")
        driver.show_waiting(7)
        until(lambda: (rig.twin.shown, rig.twin.waiting) == ("1234", 7))
        assert rig.twin.unknown == []
        assert heard_nothing(driver)

    def job_blind(self, driver: Any) -> None:
        driver.poll_press(0.2)
        driver.show_ticket("A017")

    def sample_replies(self) -> list[bytes]:
        return [bytes.fromhex(h) for h in ("01 03 00 73 73 FF", "01 03 02 00 00 FF", "01 03 06 12 03 FF")]

    def test_a_mute_caller_is_one_on_which_nobody_presses(self, rig: Rig) -> None:
        driver = signed_in(rig)
        rig.twin.go_mute()
        watch = Stopwatch()
        driver.hello()
        assert driver.conditions() == frozenset()
        driver.show_ticket("A017")
        assert driver.poll_press(0.1) is None
        assert watch.s < QUESTION_LIMIT_S
        rig.twin.recover()
        self.job(driver, rig)

    # Keys

    def test_every_key_of_the_caller_arrives(self, rig: Rig) -> None:
        driver = signed_in(rig)
        for key, press in (("next", NEXT), ("recall", RECALL), ("log_out", CallerPress(key=CallerKey.SIGN_OUT))):
            rig.twin.press(key)
            assert pressed(driver) == press

    def test_a_key_that_bounces_is_one_press_and_a_second_press_is_two(self, rig: Rig) -> None:
        driver = signed_in(rig)
        rig.twin.bounce("next")
        assert pressed(driver) == NEXT
        assert heard_nothing(driver)
        rig.twin.press("next")
        assert pressed(driver) == NEXT

    def test_presses_from_before_hello_belong_to_nobody(self, rig: Rig) -> None:
        driver = signed_in(rig)
        rig.twin.press("next")
        until(lambda: driver._inbox.hear(driver.link, 0.2, 0.03))
        driver.hello()
        assert heard_nothing(driver)

    def test_keys_that_the_document_does_not_know_are_named_in_the_table(self, rig: Rig) -> None:
        rig.options = {"address": 3, "keys": {"0A": "serve", "0b": "finish", "00": ""}}
        driver = signed_in(rig)
        assert driver.keys == {
            CallerKey.RECALL, CallerKey.SIGN_IN, CallerKey.SIGN_OUT, CallerKey.SERVE, CallerKey.FINISH,
        }  # fmt: skip
        for command, key in ((0x0A, CallerKey.SERVE), (0x0B, CallerKey.FINISH)):
            rig.twin.press_other(command)
            assert pressed(driver) == CallerPress(key=key)
        rig.twin.press("next")
        rig.twin.press_other(0x44)
        assert heard_nothing(driver)

    def test_digits_typed_before_a_key_of_the_table_come_with_it(self, rig: Rig) -> None:
        rig.options = {"address": 3, "keys": {"0b": "select", "0c": "transfer"}}
        driver = signed_in(rig)
        rig.twin.type_and_press(1017, 0x0B)
        assert pressed(driver) == CallerPress(key=CallerKey.SELECT, typed="1017")
        rig.twin.type_and_press(13, 0x0C)
        assert pressed(driver) == CallerPress(key=CallerKey.TRANSFER, typed="13")
        rig.twin.press_other(0x0C)  # nothing was typed
        assert heard_nothing(driver)

    # What the line does to frames

    @pytest.mark.parametrize(
        "damage",
        [
            lambda twin: twin.lose_ends(),
            lambda twin: twin.speak_for(9),
            lambda twin: twin.split_frames(after_bytes=3, gap_s=0.3),
            lambda twin: twin.split_frames(after_bytes=1, gap_s=0.3),
            lambda twin: twin.split_frames(after_bytes=5, gap_s=0.3),
            lambda twin: twin.collide_with(4),
        ],
        ids=["no FF", "wrong address", "split 3+3", "split 1+5", "split 5+1", "collision"],
    )
    def test_a_damaged_frame_is_dropped_and_the_next_good_one_heard(self, rig: Rig, damage: Any) -> None:
        driver = signed_in(rig)
        damage(rig.twin)
        with ThreadPoolExecutor(1) as finger:
            done = finger.submit(rig.twin.press, "next")
            assert heard_nothing(driver)
            done.result()
        assert heard_nothing(driver)
        rig.twin.recover()
        rig.twin.press("recall")
        assert pressed(driver) == RECALL
        assert heard_nothing(driver)

    def test_two_frames_merged_into_one_are_neither(self, rig: Rig) -> None:
        driver = signed_in(rig)
        rig.twin.merge_next_two()
        rig.twin.press("next")
        rig.twin.press("recall")
        assert heard_nothing(driver)
        rig.twin.press("next")
        assert pressed(driver) == NEXT

    def test_a_serial_server_may_be_given_longer_gaps(self, rig: Rig) -> None:
        rig.options = {"address": 3, "frame_gap_s": 0.2}
        driver = signed_in(rig)
        rig.twin.split_frames(gap_s=0.05)
        with ThreadPoolExecutor(1) as finger:
            done = finger.submit(rig.twin.press, "next")
            assert pressed(driver) == NEXT
            done.result()

    def test_a_caller_that_lost_its_power_says_so_by_logging_in_and_is_told_anew(self, rig: Rig) -> None:
        driver = signed_in(rig)
        driver.show_ticket("B042")
        until(lambda: rig.twin.shown == "0042")
        rig.twin.power_cycle()
        rig.twin.press("next")
        assert heard_nothing(driver)
        self.job(driver, rig)

    @pytest.mark.parametrize("pause_s", [0.02, 0.4])
    @pytest.mark.parametrize("byte", [b"\x01", b"\xff"])
    def test_a_line_that_is_never_silent_ends_everything_in_time(self, pause_s: float, byte: bytes) -> None:
        class Dribble(ScriptedStream):
            def _read_some(self, most: int, limit_s: float) -> bytes:
                time.sleep(min(limit_s, pause_s))
                return byte if limit_s >= pause_s else b""

        def show() -> None:
            if pause_s > HOST_GAP_S:
                driver.show_ticket("A017")
                return
            with pytest.raises(BadReply, match=r"TST-01: nothing was sent, scripted is never silent for 0\.1 s"):
                driver.show_ticket("A017")

        driver = DRIVER("TST-01", Dribble([]), CallerRs485Options(address=3))
        for deed in (driver.hello, driver.conditions, lambda: driver.poll_press(0.2), show):
            watch = Stopwatch()
            deed()
            assert watch.s < QUESTION_LIMIT_S

    def test_a_line_that_is_gone_takes_no_number(self, rig: Rig) -> None:
        driver = signed_in(rig)
        rig.line.unplug()
        with pytest.raises(LinkError):
            driver.show_ticket("A017")

    # What the clerk sees

    def test_frames_of_the_host_are_at_least_100_ms_apart(self, rig: Rig) -> None:
        driver = signed_in(rig)
        sent: list[float] = []
        driver.link.tap = lambda passed: sent.append(time.monotonic()) if passed.direction == ">" else None
        for number in ("A001", "A002", "A003"):
            driver.show_ticket(number)
        driver.show_waiting(2)
        until(lambda: rig.twin.waiting == 2)
        assert len(sent) == 4
        assert all(later - earlier > HOST_GAP_S - 0.001 for earlier, later in pairwise(sent))

    def test_the_host_waits_when_a_caller_is_speaking(self, rig: Rig) -> None:
        driver = signed_in(rig)
        driver.link.last_traffic -= 1.0
        rig.twin.press("next")
        port: Any = driver.link
        until(lambda: port._serial.in_waiting)
        watch = Stopwatch()
        driver.show_waiting(3)
        assert watch.wall_s >= HOST_GAP_S - 0.01
        assert pressed(driver) == NEXT

    def test_a_press_during_the_gap_is_kept(self, rig: Rig) -> None:
        driver = signed_in(rig)
        rig.twin.press("next")
        driver.show_waiting(3)
        assert pressed(driver) == NEXT

    def test_nothing_and_refusal_are_shown_too(self, rig: Rig) -> None:
        driver = signed_in(rig)
        driver.show_ticket("V017")
        until(lambda: rig.twin.shown == "0017")
        driver.show_ticket("")
        until(lambda: rig.twin.shown == "")
        driver.answer_sign_in(accepted=False)
        until(lambda: not rig.twin.logged_in)

    @pytest.mark.parametrize("number", ["A", "A12345", "A01B", "甲017", "A-1", "A１２"])
    def test_a_number_that_the_display_cannot_show_is_refused_before_sending(self, rig: Rig, number: str) -> None:
        driver = signed_in(rig)
        sent = rig.line.sent_to_twins()
        with pytest.raises(Refused) as caught:
            driver.show_ticket(number)
        assert caught.value.condition is Condition.TEXT_UNSUITABLE
        assert rig.line.sent_to_twins() == sent

    def test_a_caller_that_counts_in_one_byte(self, rig: Rig) -> None:
        rig.options = {"address": 3, "waiting_form": "one_byte"}
        rig.twin.options = rig.options
        driver = signed_in(rig)
        driver.show_waiting(100)
        until(lambda: rig.twin.waiting == 100)
        driver.show_waiting(1000)
        until(lambda: rig.twin.waiting == 0xFE)


# --- Many on one line -------------------------------------------------------------------------------------------------


class SharedLine:
    """Callers 3 and 4, and an evaluator behind 4, on one line and one link."""

    def __init__(self, folder: Path) -> None:
        self.line = PtyLine(folder / "port")
        self.three = CallerTwin("CAL-03", {"address": 3})
        self.four = CallerTwin("CAL-04", {"address": 4})
        self.grades = EvaluatorBehindCaller("EVA-04", {"caller_address": 4})
        for twin in (self.three, self.four, self.grades):
            self.line.attach(twin)
        self.line.start()
        self.link: Any = open_link(self.line.port)
        self.driver_3 = Rs485Caller("CAL-03", self.link, CallerRs485Options(address=3))
        self.driver_4 = Rs485Caller("CAL-04", self.link, CallerRs485Options(address=4))
        self.evaluator = CallerEvaluator("EVA-04", self.link, EvaluatorCallerOptions(caller_address=4))

    def close(self) -> None:
        self.link.close()
        self.line.stop()


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[SharedLine]:
    found = SharedLine(tmp_path)
    for driver in (found.driver_3, found.driver_4):
        driver.hello()
        driver.answer_sign_in(accepted=True)
    found.evaluator.hello()
    until(lambda: found.three.logged_in and found.four.logged_in)
    yield found
    found.close()


def test_no_driver_eats_what_belongs_to_another(shared: SharedLine) -> None:
    shared.evaluator.ask_grade()
    until(lambda: shared.grades.asking)
    shared.three.press("next")
    shared.four.press("recall")
    shared.grades.press(1)
    shared.four.press("next")
    assert [pressed(shared.driver_4), pressed(shared.driver_4)] == [RECALL, NEXT]
    assert shared.driver_3.poll_press(0.0) == NEXT
    assert shared.evaluator.poll_grade(0.0) == GradeGiven(Grade.VERY_SATISFIED)
    assert [shared.driver_3.poll_press(0.0), shared.driver_4.poll_press(0.0)] == [None, None]


def test_only_the_one_addressed_is_told(shared: SharedLine) -> None:
    shared.driver_3.show_ticket("A003")
    shared.driver_4.show_ticket("A004")
    shared.driver_4.show_waiting(4)
    until(lambda: shared.four.waiting == 4)
    assert (shared.three.shown, shared.three.waiting) == ("0003", None)
    assert shared.four.shown == "0004"


def test_hello_of_one_leaves_the_presses_of_the_others(shared: SharedLine) -> None:
    shared.three.press("recall")
    shared.four.press("next")
    shared.three.press("next")
    assert [pressed(shared.driver_3), pressed(shared.driver_3)] == [RECALL, NEXT]
    shared.three.press("recall")
    shared.driver_4.hello()
    assert shared.driver_4.poll_press(0.0) is None
    assert pressed(shared.driver_3) == RECALL


def test_frames_of_addresses_without_a_driver_do_not_pile_up() -> None:
    link = ScriptedStream([])
    inbox = link.shared(CallerInbox)
    for number in range(200):
        link.waiting = bytes([0x01, 0x09, number, 0, 0, 0xFF])
        inbox.hear(link, 0.0, 0.03)
    found = list(iter(lambda: inbox.take(9, range(256)), None))
    assert [f.command for f in found] == list(range(192, 200))


# --- Bytes alone ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "press"),
    [
        ("01 03 00 73 73 FF", NEXT),
        ("01 03 02 00 00 FF", RECALL),
        ("01 03 06 12 03 FF", CallerPress(key=CallerKey.SIGN_IN, staff="1803")),
        ("01 03 06 00 07 FF", CallerPress(key=CallerKey.SIGN_IN, staff="7")),
        ("01 03 06 64 00 FF", None),
        ("01 03 1A 73 73 FF", CallerPress(key=CallerKey.SIGN_OUT)),
    ],
)
def test_golden_frames_of_the_document_are_understood(frame: str, press: CallerPress | None) -> None:
    found, rest = split_frames(bytes.fromhex(frame))
    assert (len(found), rest, found[0].address) == (1, b"", 3)
    assert decode_press(found[0], key_table({})) == press


def test_golden_frames_of_the_document_are_written() -> None:
    assert encode_number(3, "A1234") == bytes.fromhex("03 01 01 0C 22 FF")
    assert encode_number(3, "") == bytes.fromhex("03 01 01 73 73 FF")
    assert encode_frame(3, 0x05, b"\x73\x73") == bytes.fromhex("03 01 05 73 73 FF")
    assert encode_waiting(3, 7, "two_bytes") == bytes.fromhex("03 01 1C 00 07 FF")
    assert encode_waiting(3, 100, "two_bytes") == bytes.fromhex("03 01 1C 01 00 FF")
    assert encode_waiting(3, 100, "one_byte") == bytes.fromhex("03 01 1C 00 64 FF")
    assert encode_waiting(3, 123456, "two_bytes") == bytes.fromhex("03 01 1C 63 63 FF")
    assert encode_waiting(3, 255, "one_byte") == bytes.fromhex("03 01 1C 00 FE FF")
    assert encode_waiting(3, -1, "two_bytes") == bytes.fromhex("03 01 1C 00 00 FF")


def test_frames_in_words_for_a_technician() -> None:
    told = explain("<", bytes.fromhex("01 03 00 73 73 FF 01 04 06 12 03 FF 01 04"))
    assert told == "3 号呼叫器 下一位; 4 号呼叫器 登录 18 3 | caller 3: next; caller 4: log in 18 3"
    assert explain(">", bytes.fromhex("03 01 1C 01 00 FF")) == "3 号呼叫器 等候人数 1 0 | caller 3: waiting count 1 0"
    assert explain("<", bytes.fromhex("01 03 0A 73 73 FF")) == "3 号呼叫器 命令 0a | caller 3: command 0a"
    assert explain("<", bytes.fromhex("03 01 1C 01 00 FF 01 03 00")) == ""


@given(st.sampled_from("<>"), st.binary(max_size=60))
def test_any_bytes_are_explained_or_passed_over(direction: str, data: bytes) -> None:
    told = explain(direction, data)
    assert told == "" or len(told.split(" | ")) == 2


class Ear:
    """A line that keeps what a twin says."""

    def __init__(self) -> None:
        self.said = b""

    def send(self, data: bytes) -> None:
        self.said += data


def test_golden_frames_of_the_document_reach_and_leave_the_twin() -> None:
    twin: Any = CallerTwin("TST-01", {"address": 3})
    twin.line = Ear()
    twin.receive(bytes.fromhex("04 01 05 73 73 FF 03 01"))
    assert not twin.logged_in
    twin.receive(bytes.fromhex("05 73 73 FF 03 01 01 0C 22 FF"))
    assert (twin.logged_in, twin.shown) == (True, "1234")
    twin.receive(bytes.fromhex("03 01 1C 00 07 FF"))
    assert twin.waiting == 7
    twin.receive(bytes.fromhex("03 01 1C 01 00 FF"))
    assert twin.waiting == 100
    for key in ("next", "recall", "log_out"):
        twin.press(key)
    twin.log_in(1803)
    assert twin.line.said == bytes.fromhex("01 03 00 73 73 FF 01 03 02 00 00 FF 01 03 1A 73 73 FF 01 03 06 12 03 FF")
    twin.receive(bytes.fromhex("03 01 07 73 73 FF 03 01 33 01 02 FF"))
    assert (twin.logged_in, twin.shown, twin.unknown) == (False, "", [(0x33, 1, 2)])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"address": 1}, "address = 1, legal: 2 to 254"),
        ({"address": 255}, "address = 255, legal: 2 to 254"),
        ({"address": 3, "frame_gap_s": 1.0}, r"frame_gap_s = 1\.0, legal: 0\.01 to 0\.3 seconds"),
        ({"address": 3, "keys": {"ff": "serve"}}, 'keys: "ff" is no command byte, legal: "00" to "fe"'),
        ({"address": 3, "keys": {"+a": "serve"}}, 'keys: "\\+a" is no command byte'),
        ({"address": 3, "keys": {"0a": "dance"}}, "keys: \"0a\" = 'dance' is no key, legal: next, recall, serve"),
    ],
)
def test_option_errors_name_the_key_and_what_is_legal(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        CallerRs485Options(**options)


def test_a_second_press_is_one_from_the_bounce_time_on() -> None:
    inbox, frame = CallerInbox(), bytes.fromhex("01 03 00 73 73 FF")
    for at in (1.0, 1.0 + BOUNCE_S - 0.01, 1.0 + 2 * BOUNCE_S):
        inbox._take_in(frame, at)
    assert len(list(iter(lambda: inbox.take(3, {0}), None))) == 2


class Paced(ScriptedStream):
    """Pieces that come after pauses; time passes only by waiting for them."""

    def __init__(self, *pieces: tuple[float, bytes]) -> None:
        super().__init__([])
        self.pieces = list(pieces)

    def _read_some(self, most: int, limit_s: float) -> bytes:
        if not self.pieces:
            return b""
        pause_s, data = self.pieces.pop(0)
        if limit_s < pause_s:
            self.pieces.insert(0, (pause_s - limit_s, data))
            return b""
        return data


@pytest.mark.parametrize(("pause_s", "heard"), [(0.02, 1), (0.05, 0)])
@pytest.mark.parametrize("at", range(1, 6))
def test_a_frame_with_a_gap_of_50_ms_inside_is_none(pause_s: float, heard: int, at: int) -> None:
    frame, good = bytes.fromhex("01 03 00 73 73 FF"), bytes.fromhex("01 03 02 00 00 FF")
    link = Paced((0.0, frame[:at]), (pause_s, frame[at:]), (0.5, good))
    inbox = CallerInbox()
    for _ in range(8):
        inbox.hear(link, 0.2, 0.03)
    assert [f.command for f in iter(lambda: inbox.take(3, {0, 2}), None)] == [0, 2][1 - heard :]


@given(
    frames=st.lists(st.builds(CallerFrame, st.integers(0, 254), st.integers(0, 254), st.just(b"\x00\x07")), max_size=9),
    cut=st.integers(0, 60),
)
def test_frames_are_the_same_wherever_they_are_cut(frames: list[CallerFrame], cut: int) -> None:
    stream = b"".join(bytes([1, f.address, f.command]) + f.data + b"\xff" for f in frames)
    first, rest = split_frames(stream[:cut])
    second, left = split_frames(rest + stream[cut:])
    assert (first + second, left) == (frames, b"")


@given(st.binary(max_size=200))
def test_any_bytes_are_frames_of_five_or_nothing(data: bytes) -> None:
    found, rest = split_frames(data)
    assert b"\xff" not in rest
    for frame in found:
        assert bytes([1, frame.address, frame.command]) + frame.data + b"\xff" in data
        assert len(frame.data) == 2
