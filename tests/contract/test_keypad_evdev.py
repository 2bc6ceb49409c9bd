"""USB keypad on Linux input events: codes of protocols/keypads.md §2, and what its keys can do wrong."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from drivers.base import Condition, Identity, Key
from drivers.input_keys import KeyPress
from drivers.keypad_evdev import DRIVER, HELD_S, EvdevKeypad, EvdevKeypadOptions, decode_press, key_table
from sim.keypad_evdev import EvdevKeypadTwin
from tests.contract.contract import Rig, until
from tests.contract.input_rig import InputContract, ScriptedEvents, kernel_codes, record

PHONE = "13900000000"
DIGITS = "1234567890"


def keys_of(driver: EvdevKeypad, count: int, limit_s: float = 10.0) -> str:
    """The next `count` keys, as the worker would collect them."""
    keys: list[Key] = []

    def enough() -> bool:
        key = driver.poll_key(0.2)
        keys.extend([key] if key is not None else [])
        return len(keys) >= count

    until(enough, limit_s, f"{count} keys")
    return "".join(keys)


def keys_from(*records: bytes) -> str:
    """What a driver makes of records that are all there at once."""
    driver = DRIVER("TST-01", ScriptedEvents([b"", b"".join(records)]), EvdevKeypadOptions())
    driver.hello()
    driver._heard_at -= 1.0  # as if nobody had listened for a second: what came may have been apart
    return "".join(iter(lambda: driver.poll_key(1.0), None))


class TestEvdevKeypad(InputContract):
    driver_module = twin_module = "keypad_evdev"
    causes = {Condition.KEYS_STUCK: lambda twin: twin.stick("5")}  # noqa: RUF012 - read only

    jobs = 0

    def job(self, driver: Any, rig: Rig) -> None:
        driver.conditions()
        self.jobs += 1  # the same key again at once would be a bounce
        rig.twin.press(str(self.jobs % 10))
        assert keys_of(driver, 1) == str(self.jobs % 10)
        assert driver.poll_key(0.0) is None

    def personal_job(self, driver: Any, rig: Rig) -> None:
        rig.twin.type(PHONE)
        while driver.poll_key(0.2) is not None:
            pass

    def job_blind(self, driver: Any) -> None:
        driver.poll_key(0.2)

    # Keys

    @pytest.mark.parametrize("row", ["main", "pad"])
    def test_main_row_and_keypad_mean_the_same(self, rig: Rig, row: str) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.row = row
        for label, key in [("enter", "ok"), ("backspace", "correct"), ("cancel", "cancel"), (".", "*"), ("#", "#"),
                           ("*", "*"), ("help", "help"), *((d, d) for d in DIGITS)]:  # fmt: skip
            rig.twin.press(label)
            assert keys_of(driver, 1) == key

    @pytest.mark.parametrize("row", ["main", "pad"])
    def test_a_phone_number_typed_fast_arrives_whole(self, rig: Rig, row: str) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.row = row
        with ThreadPoolExecutor(1) as finger:
            done = finger.submit(rig.twin.type, PHONE)
            assert keys_of(driver, len(PHONE)) == PHONE
            done.result()
        assert driver.poll_key(0.0) is None

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

    def test_the_double_zero_key_is_two_zeros(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        for key in ("1", "00", "00"):
            rig.twin.press(key)
        assert keys_of(driver, 5) == "10000"
        assert driver.poll_key(0.2) is None

    def test_num_lock_before_every_digit_is_no_key(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.send_num_lock_first()
        rig.twin.type("1390")
        assert keys_of(driver, 4) == "1390"
        assert driver.poll_key(0.1) is None

    def test_keys_leave_no_byte_in_the_trace(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.type("12")
        driver.hello()
        rig.twin.type(PHONE)
        assert keys_of(driver, len(PHONE)) == PHONE
        assert rig.hidden > 0
        assert b"".join(data for _, data in rig.traced) == b""

    def test_keys_pressed_before_hello_belong_to_nobody(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.type("12")
        driver.hello()
        assert driver.poll_key(0.1) is None

    def test_a_table_may_rename_and_remove_keys(self, rig: Rig) -> None:
        rig.options = {"keys": {"83": "#", "55": ""}}
        driver = rig.open()
        driver.hello()
        rig.twin.press(".")
        rig.twin.press("*")
        assert keys_of(driver, 1) == "#"
        assert driver.poll_key(0.1) is None

    # Faults

    def test_bounce_is_one_press_even_if_nobody_listened(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.bounce("6", after_s=0.005)
        assert keys_of(driver, 1) == "6"
        assert driver.poll_key(0.2) is None

    def test_while_a_contact_is_broken_all_input_is_ignored_until_it_is_well(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.stick("5")
        assert driver.conditions() == {Condition.KEYS_STUCK}
        rig.twin.press("1")
        assert driver.poll_key(0.2) is None
        rig.twin.recover()
        assert driver.conditions() == frozenset()
        rig.twin.press("1")
        assert keys_of(driver, 1) == "1"

    def test_a_key_under_a_bag_is_one_press_and_then_stuck_until_it_is_released(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.hold("0")
        assert keys_of(driver, 1) == "0"
        assert driver.conditions() == frozenset()
        until(lambda: driver.conditions() == {Condition.KEYS_STUCK}, what="the held key")
        rig.twin.press("1")
        assert driver.poll_key(0.1) is None
        rig.twin.recover()
        assert driver.conditions() == frozenset()
        rig.twin.press("1")
        assert keys_of(driver, 1) == "1"

    def test_events_that_the_kernel_dropped_leave_no_key_held(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.down(42)  # shift, and its release is lost
        rig.twin.lose_events(2)
        rig.twin.row = "main"
        rig.twin.press("3")
        assert keys_of(driver, 1) == "3"
        assert driver.poll_key(0.1) is None

    def test_mute_pad_gives_silence_not_an_error(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.go_mute()
        rig.twin.press("1")
        assert driver.poll_key(0.1) is None
        assert driver.conditions() == frozenset()


# --- Recorded tuples --------------------------------------------------------------------------------------------------


def strike(code: int, at_s: float) -> bytes:
    return record(1, code, 1, at_s) + record(1, code, 0, at_s + 0.005)


def test_kernel_times_tell_a_bounce_from_a_second_press_after_a_long_wait() -> None:
    now = time.monotonic()
    bounced = (strike(79, now - 2), strike(79, now - 1.98))
    pressed_twice = (strike(79, now - 2), strike(79, now - 1.9))
    driver = DRIVER("TST-01", ScriptedEvents([]), EvdevKeypadOptions())
    for events, keys in ((bounced, "1"), (pressed_twice, "11")):
        driver.hello()
        driver._heard_at = now - 3
        driver.link.pieces = [b"".join(events)]  # type: ignore[attr-defined]  # scripted
        assert "".join(iter(lambda: driver.poll_key(1.0), None)) == keys


def test_times_of_another_clock_are_not_believed() -> None:
    assert keys_from(strike(79, 1.0), strike(79, 9e9)) == "11"


def test_shift_and_three_is_a_hash_and_other_shifted_digits_are_nothing() -> None:
    def shifted(shift: int, code: int) -> bytes:
        return record(1, shift, 1) + strike(code, 0.0) + record(1, shift, 0)

    assert keys_from(shifted(42, 4), shifted(54, 9), shifted(42, 5), strike(4, 0.0)) == "#*3"


def test_a_repeat_is_no_press() -> None:
    held = record(1, 79, 1) + record(1, 79, 2) * 200 + record(1, 79, 0)
    assert keys_from(held) == "1"


def test_a_key_that_was_held_when_the_port_was_opened_is_stuck_too() -> None:
    driver = DRIVER("TST-01", ScriptedEvents([b"", record(1, 79, 2)]), EvdevKeypadOptions())
    driver.hello()
    assert driver.conditions() == frozenset()
    driver._tracker._down = {code: since - HELD_S for code, since in driver._tracker._down.items()}
    assert driver.conditions() == {Condition.KEYS_STUCK}
    assert driver.poll_key(0.0) is None


def test_control_and_a_digit_is_no_key() -> None:
    assert decode_press(KeyPress(79, altered=True), key_table({})) is None


def test_sixteen_keys_are_reachable_with_the_usual_codes() -> None:
    reachable = set(key_table({}).values()) | {decode_press(KeyPress(4, shifted=True), key_table({}))}
    assert reachable == set(Key)


def test_codes_on_both_sides_are_those_of_the_kernel() -> None:
    codes, table = kernel_codes(), key_table({})
    wanted = {f"KEY_{d}": d for d in DIGITS} | {f"KEY_KP{d}": d for d in DIGITS} | {
        "KEY_ENTER": "ok", "KEY_KPENTER": "ok", "KEY_BACKSPACE": "correct", "KEY_ESC": "cancel", "KEY_HELP": "help",
        "KEY_DOT": "*", "KEY_KPDOT": "*", "KEY_KPASTERISK": "*",
    }  # fmt: skip
    assert {codes[name]: key for name, key in wanted.items()} == table
    twin = EvdevKeypadTwin("TST-01", {})
    for row, prefix in (("main", "KEY_"), ("pad", "KEY_KP")):
        twin.row = row  # type: ignore[assignment]  # one of the two
        assert [twin._code(d) for d in DIGITS] == [codes[prefix + d] for d in DIGITS]
        assert twin._code("enter") == codes[prefix + "ENTER"]
        assert twin._code(".") == codes[prefix + "DOT"]


def test_a_pad_says_its_name() -> None:
    link = ScriptedEvents([])
    link.name = "ACME Numeric Keypad"
    assert DRIVER("TST-01", link, EvdevKeypadOptions()).hello() == Identity(model="ACME Numeric Keypad")


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        ({"0": "1"}, 'keys: "0" is no event code, legal: "1" to "767"'),
        ({"768": "1"}, 'keys: "768" is no event code'),
        ({"0x1e": "1"}, 'keys: "0x1e" is no event code'),
        ({"98": "hash"}, "keys: \"98\" = 'hash' is no key, legal: 0, 1"),
    ],
)
def test_option_errors_name_the_key_and_what_is_legal(keys: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        EvdevKeypadOptions(keys=keys)
