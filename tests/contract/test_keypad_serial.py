"""Bank counter keypad: frames of protocols/keypads.md §1.1, and what its line and its keys can do wrong."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import QUESTION_LIMIT_S, Condition, DeviceError, Key, NoReply, Refused, Unconfirmed
from drivers.keypad_serial import (
    ANSWER,
    DRIVER,
    Prompt,
    SerialKeypad,
    SerialKeypadOptions,
    StreamSorter,
    encode_line,
    key_table,
)
from sim.keypad_serial import SerialKeypadTwin
from sim.stopwatch import Stopwatch
from tests.contract.contract import DriverContract, Rig, ScriptedStream, until

PHONE = "13900000000"


def poll(driver: SerialKeypad, limit_s: float = 0.2) -> Key | None:
    return driver.poll_key(limit_s)


def keys_of(driver: SerialKeypad, count: int, limit_s: float = 10.0) -> str:
    """The next `count` keys, as the worker would collect them."""
    keys: list[Key] = []

    def enough() -> bool:
        key = poll(driver)
        keys.extend([key] if key is not None else [])
        return len(keys) >= count

    until(enough, limit_s, f"{count} keys")
    return "".join(keys)


class TestSerialKeypad(DriverContract):
    driver_module = twin_module = "keypad_serial"
    causes = {Condition.KEYS_STUCK: lambda twin: twin.stick("5")}  # noqa: RUF012 - read only

    jobs = 0

    def job(self, driver: Any, rig: Rig) -> None:
        driver.conditions()
        self.jobs += 1  # the same key again at once would be a bounce
        rig.twin.press(str(self.jobs % 10))
        assert keys_of(driver, 1) == str(self.jobs % 10)
        assert poll(driver, 0.0) is None

    def personal_job(self, driver: Any, rig: Rig) -> None:
        rig.twin.type(PHONE)
        while driver.poll_key(0.2) is not None:
            pass

    def job_blind(self, driver: Any) -> None:
        driver.poll_key(0.2)
        driver.show_lines("A", "B")

    def sample_replies(self) -> list[bytes]:
        return [ANSWER]  # a leftover key is a key: nothing on this line tells it from a fresh one

    # Keys

    def test_every_key_of_the_pad_arrives(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        for label, key in [("enter", "ok"), ("backspace", "correct"), ("cancel", "cancel"), (".", "*"), ("#", "#"),
                           ("*", "*"), ("help", "help"), *((d, d) for d in "0123456789")]:  # fmt: skip
            rig.twin.press(label)
            assert keys_of(driver, 1) == key

    def test_a_phone_number_typed_fast_arrives_whole(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        with ThreadPoolExecutor(1) as finger:
            done = finger.submit(rig.twin.type, PHONE)
            assert keys_of(driver, len(PHONE)) == PHONE
            done.result()
        assert poll(driver, 0.0) is None

    def test_a_phone_number_that_waited_in_the_buffer_arrives_whole(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.type(PHONE)
        assert keys_of(driver, len(PHONE)) == PHONE

    def test_a_hand_at_its_own_pace_is_followed(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        with ThreadPoolExecutor(1) as finger:
            done = finger.submit(rig.twin.type_like_a_person, "13900", seed=3)
            assert keys_of(driver, 5) == "13900"
            done.result()

    def test_keys_leave_no_byte_in_the_trace(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.type(PHONE)
        driver.conditions()
        assert keys_of(driver, len(PHONE)) == PHONE
        came = [data for direction, data in rig.traced if direction == "<"]
        assert came
        assert b"".join(came) == b""
        assert rig.hidden >= len(PHONE)

    def test_bit_7_is_masked_away(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.set_high_bit()
        rig.twin.type("15")
        assert keys_of(driver, 2) == "15"

    def test_bytes_that_are_no_keys_are_not_keys(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.line.noise(b"\x00\x7f\xff\x41\x0a\xcf")
        rig.twin.press("3")
        assert keys_of(driver, 1) == "3"
        assert poll(driver, 0.0) is None

    def test_keys_pressed_before_hello_belong_to_nobody(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.type("12", gap_s=0.0)
        driver.hello()
        assert poll(driver, 0.0) is None

    def test_a_table_may_rename_and_remove_keys(self, rig: Rig) -> None:
        rig.options = {"keys": {"2E": "#", "23": ""}}
        driver = rig.open()
        driver.hello()
        rig.twin.press("#")
        rig.twin.press(".")
        assert keys_of(driver, 1) == "#"
        assert poll(driver, 0.0) is None

    # Answers among keys

    def test_keys_pressed_during_a_probe_are_kept(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.press("4")
        rig.twin.press_inside_next_answer("8")
        assert driver.conditions() == frozenset()
        assert keys_of(driver, 2) == "48"
        assert poll(driver, 0.0) is None

    def test_enter_pressed_during_a_probe_is_one_enter(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.press_inside_next_answer("enter")
        driver.conditions()
        assert keys_of(driver, 1) == "ok"
        assert poll(driver, 0.0) is None

    def test_an_answer_that_comes_late_is_neither_a_key_nor_the_next_answer(self, rig: Rig) -> None:
        rig.options = {"answer_limit_s": 0.1}
        driver = rig.open()
        driver.hello()
        rig.twin.answer_late(0.3)
        with pytest.raises(NoReply):
            driver.conditions()
        rig.twin.recover()
        until(lambda: len([p for p in rig.line.transcript if p.direction == "<"]) >= 2, what="the late answer")
        rig.twin.ignore_probes()
        with pytest.raises(NoReply):
            driver.conditions()
        assert poll(driver, 0.0) is None

    def test_a_pad_with_working_keys_that_ignores_probes_gives_no_reply(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.ignore_probes()
        rig.twin.press("1")
        rig.twin.press("2")
        with pytest.raises(NoReply) as caught:
            driver.conditions()
        assert "TST-01: probed, no 4f 4b 0d within 0.5 s on " in str(caught.value)
        assert keys_of(driver, 2) == "12"

    @pytest.mark.parametrize("pause_s", [0.4, 0.01])
    def test_a_line_that_dribbles_for_ever_ends_each_question_in_time(self, pause_s: float) -> None:
        class Dribble(ScriptedStream):
            def _read_some(self, most: int, limit_s: float) -> bytes:
                if limit_s < pause_s:
                    time.sleep(limit_s)
                    return b""
                time.sleep(pause_s)
                return b"3"

        driver = DRIVER("TST-01", Dribble([]), SerialKeypadOptions())
        watch = Stopwatch()
        with pytest.raises(NoReply):
            driver.conditions()
        assert watch.s < QUESTION_LIMIT_S
        watch = Stopwatch()
        driver.poll_key(0.2)
        assert watch.s < 3.0  # proves that it ends: the line itself never does

    def test_mute_pad_gives_silence_not_an_error_to_a_poll(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.go_mute()
        rig.twin.press("1")
        assert poll(driver) is None
        with pytest.raises(NoReply):
            driver.conditions()

    # Stuck and bouncing keys

    def test_bounce_is_one_press(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        with ThreadPoolExecutor(1) as finger:
            done = finger.submit(rig.twin.bounce, "6", after_s=0.005)
            assert keys_of(driver, 1) == "6"
            assert poll(driver) is None
            done.result()

    def test_while_a_key_is_stuck_all_input_is_ignored_until_it_is_released(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.stick("5")
        assert driver.conditions() == {Condition.KEYS_STUCK}
        rig.twin.press("1")
        assert poll(driver) is None
        assert driver.conditions() == {Condition.KEYS_STUCK}
        rig.twin.recover()
        assert driver.conditions() == frozenset()
        rig.twin.press("1")
        assert keys_of(driver, 1) == "1"

    def test_a_released_key_is_noticed_by_polling_alone(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.stick("5")
        assert poll(driver) is None
        rig.twin.recover()
        rig.twin.press("1")
        assert poll(driver) is None

        def key() -> Key | None:
            rig.twin.press("2")
            return poll(driver)

        assert until(key) is Key.DIGIT_2

    # Prompts and LCD

    def test_the_pad_says_its_own_texts(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        for prompt, message in (
            (Prompt.ENTER_PASSWORD, "ENTER PASSWORD"),
            (Prompt.TRY_AGAIN, "TRY AGAIN"),
            (Prompt.BACK_TO_WELCOME, "WELCOME"),
        ):
            driver.show_prompt(prompt)
            assert rig.twin.message == message
        assert rig.twin.unknown == []
        rig.twin.ignore_probes()
        with pytest.raises(Unconfirmed, match="prompt TRY_AGAIN sent, then probed, no 4f 4b 0d"):
            driver.show_prompt(Prompt.TRY_AGAIN)

    def test_keys_can_be_switched_off_and_on(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        driver.switch_keys(on=False)
        rig.twin.press("1")
        assert poll(driver) is None
        driver.switch_keys(on=True)
        rig.twin.press("2")
        assert keys_of(driver, 1) == "2"

    def test_after_a_power_cut_keys_are_on(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        driver.switch_keys(on=False)
        rig.twin.power_cycle()
        rig.twin.press("3")
        assert keys_of(driver, 1) == "3"

    def test_a_cursor_flashes_where_the_next_digit_goes(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        driver.show_lines("PHONE", "139", cursor=3)
        assert (rig.twin.lines, rig.twin.cursor) == (["PHONE".ljust(16), "139".ljust(16)], 3)
        driver.show_lines("", "")
        assert (rig.twin.lines, rig.twin.cursor) == ([" " * 16] * 2, None)
        with pytest.raises(Refused, match="cursor stands on the lower line at 0 to 15"):
            driver.show_lines("", "", cursor=16)

    def test_garbage_is_neither_key_nor_answer(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.babble()
        assert driver.conditions() == frozenset()
        rig.twin.press("3")
        assert keys_of(driver, 1) == "3"
        assert poll(driver, 0.0) is None

    def test_lcd_lines_show_what_was_written(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        driver.show_lines("A017", "WINDOW 3")
        assert rig.twin.lines == ["A017".ljust(16), "WINDOW 3".ljust(16)]
        rig.twin.power_cycle()
        assert rig.twin.lines == [" " * 16] * 2
        assert rig.twin.unknown == []

    @pytest.mark.parametrize("text", ["请输入", "x" * 17, "tab\t", "é"])
    def test_lcd_refuses_what_it_cannot_show_before_sending(self, rig: Rig, text: str) -> None:
        driver = rig.open()
        driver.hello()
        sent = rig.line.sent_to_twins()
        with pytest.raises(Refused) as caught:
            driver.show_lines("ok", text)
        assert caught.value.condition is Condition.TEXT_UNSUITABLE
        assert rig.line.sent_to_twins() == sent

    def test_lcd_text_without_an_answer_is_unconfirmed(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.go_mute()
        with pytest.raises(Unconfirmed):
            driver.show_lines("A017", "")

    def test_hello_switches_keys_on_that_another_program_switched_off(self, rig: Rig) -> None:
        driver = rig.open()
        driver.link.write(b"\x8b")
        driver.hello()
        until(lambda: rig.twin.keys_on)
        rig.twin.press("1")
        assert keys_of(driver, 1) == "1"

    def test_a_wrong_speed_is_silence(self, rig: Rig) -> None:
        rig.options = {"baud": 19200}
        with pytest.raises(NoReply):
            rig.open().hello()


class Ear:
    """A line that keeps what a twin says."""

    def __init__(self) -> None:
        self.said = b""

    def send(self, data: bytes) -> None:
        self.said += data


@pytest.fixture
def twin() -> Any:
    twin: Any = SerialKeypadTwin("TST-01", {})
    twin.line = Ear()
    return twin


def test_golden_bytes_of_the_document_reach_and_leave_the_twin(twin: Any) -> None:
    for code, message in ((0x82, "ENTER PASSWORD"), (0x81, "TRY AGAIN"), (0x80, "WELCOME"), (0x83, "WELCOME")):
        twin.receive(bytes([code]))
        assert twin.message == message
    twin.receive(bytes.fromhex("1B 53 30") + b"0123456789ABCDEF" + bytes.fromhex("1B 53 31") + b"second line     ")
    assert twin.lines == ["0123456789ABCDEF", "second line     "]
    twin.receive(bytes.fromhex("1B 53 32") + b"PHONE           " + b"\x05")
    assert (twin.lines[1], twin.cursor) == ("PHONE           ", 5)
    twin.receive(bytes.fromhex("1B 43 30 1B 43 31"))
    assert (twin.lines, twin.cursor) == ([" " * 16] * 2, None)
    twin.receive(bytes.fromhex("8B"))
    twin.press("1")
    twin.receive(bytes.fromhex("8A 89"))
    twin.type("0.", gap_s=0.0)
    for key in ("enter", "backspace", "cancel"):
        twin.press(key)
    assert twin.line.said == bytes.fromhex("4F 4B 0D 30 2E 0D 08 1B")
    twin.receive(b"\x10\x1bZ9")
    assert twin.unknown == [b"\x10", b"\x1bZ9"]


def test_driver_writes_the_golden_bytes() -> None:
    assert encode_line(0, "A017") == bytes.fromhex("1B 53 30 41 30 31 37") + b" " * 12
    assert encode_line(1, "0123456789ABCDEF") == bytes.fromhex("1B 53 31") + b"0123456789ABCDEF"
    assert encode_line(1, "PHONE", cursor=5) == bytes.fromhex("1B 53 32") + b"PHONE           \x05"
    assert encode_line(0, "") + encode_line(1, "") == bytes.fromhex("1B 43 30 1B 43 31")
    assert [p.value for p in Prompt] == [b"\x80", b"\x81", b"\x82", b"\x83"]


def test_sixteen_keys_are_reachable_with_the_usual_table() -> None:
    assert set(key_table({}).values()) == set(Key)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"keys": {"4f": "1"}}, 'keys: "4f" is no key byte'),
        ({"keys": {"80": "1"}}, 'keys: "80" is no key byte, legal: "00" to "7f"'),
        ({"keys": {"+5": "1"}}, 'keys: "\\+5" is no key byte'),
        ({"keys": {"2e": "star"}}, "keys: \"2e\" = 'star' is no key, legal: 0, 1"),
        ({"keys": {"2e": 5}}, 'keys: "2e" = 5 is no key'),
        ({"answer_limit_s": 3.0}, "answer_limit_s = 3.0, legal: 0.05 to 2.0 seconds"),
    ],
)
def test_option_errors_name_the_key_and_what_is_legal(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        SerialKeypadOptions(**options)


def test_a_cut_off_answer_does_not_swallow_an_enter_pressed_later() -> None:
    sorter = StreamSorter()
    assert sorter.sort(b"OK", 10.0) == (b"", 0)
    assert sorter.sort(b"\r", 11.5) == (b"\r", 0)


def test_an_answer_in_single_bytes_is_an_answer() -> None:
    sorter = StreamSorter()
    assert [sorter.sort(bytes([b]), 10.0 + i * 0.4) for i, b in enumerate(ANSWER)] == [(b"", 0), (b"", 0), (b"", 1)]


@given(
    pressed=st.lists(st.sampled_from(b"0123456789.*#?\r\x08\x1b"), max_size=20),
    answers=st.integers(0, 4),
    order=st.randoms(),
    cuts=st.lists(st.integers(1, 5), max_size=30),
)
def test_sorting_loses_no_key_and_no_answer(pressed: list[int], answers: int, order: Any, cuts: list[int]) -> None:
    stream, rest = bytearray(), list(ANSWER * answers)
    left = list(pressed)
    while left or rest:
        source = rest if not left or (rest and order.random() < 0.5) else left
        stream.append(source.pop(0))
    sorter, keys, complete, at = StreamSorter(), b"", 0, 0
    for size in [*cuts, len(stream)]:
        more, done = sorter.sort(bytes(stream[at : at + size]), 1.0)
        keys, complete, at = keys + more, complete + done, at + size
    assert complete == answers
    assert sorted(keys) == sorted(pressed)
    assert [k for k in keys if k != 0x0D] == [k for k in pressed if k != 0x0D]


@given(st.binary(max_size=200))
def test_any_bytes_are_sorted_without_an_error(data: bytes) -> None:
    rest, answers = StreamSorter().sort(data, 1.0)
    assert len(rest) + 3 * answers <= len(data)


def test_every_driver_error_is_a_device_error_when_the_pad_talks_nonsense() -> None:
    driver = DRIVER("TST-01", ScriptedStream([b"\x15" * 5000]), SerialKeypadOptions())
    with pytest.raises(DeviceError, match="5000 other bytes came"):
        driver.hello()
