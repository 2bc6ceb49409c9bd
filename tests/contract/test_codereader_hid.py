"""Barcode guns that type: event codes of protocols/keypads.md §2, guns of protocols/barcodes.md §3 and §5."""

import string
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from drivers.base import CodeRead
from drivers.codereader_hid import DRIVER, HidGunOptions, decode_press
from drivers.input_keys import KeyPress
from sim.codereader_hid import _KEYS
from tests.contract.contract import Rig
from tests.contract.gun_stories import OTHER, WAYBILL, GunStories, dropped, heard_nothing, text_of
from tests.contract.input_rig import InputContract, ScriptedEvents, kernel_codes, record

PRINTABLE = "".join(chr(c) for c in range(0x20, 0x7F))


class TestHidGun(GunStories, InputContract):
    driver_module = twin_module = "codereader_hid"

    def test_leftovers_of_an_earlier_answer_are_ignored(self, rig: Rig) -> None:
        """A gun answers nothing; what is left over of a code is dropped by silence, a release without its press too."""
        driver = rig.open()
        driver.hello()
        for type_, code, value in ((1, 79, 0), (1, 42, 0), (4, 4, 0x70059), (17, 0, 1), (1, 0x1FF, 1), (1, 79, 7)):
            rig.line.noise(record(type_, code, value))
        assert heard_nothing(driver)
        self.job(driver, rig)

    def test_a_code_that_is_not_all_characters_is_dropped_as_a_whole(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.scan_all(WAYBILL)
        rig.twin.scan_with_alt_code("A", "52946", "017")
        rig.twin.scan(OTHER)
        assert text_of(driver) == WAYBILL
        assert "dropped a code of 4 bytes" in dropped(driver)
        assert text_of(driver) == OTHER

    def test_a_code_in_which_the_kernel_dropped_events_is_dropped(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.overrun_inside(after_characters=4)
        rig.twin.scan(WAYBILL)
        assert "dropped a code of 12 bytes" in dropped(driver)
        rig.twin.recover()
        rig.twin.scan(WAYBILL)
        assert text_of(driver) == WAYBILL

    def test_a_key_whose_release_the_kernel_lost_spoils_the_code_it_may_belong_to_and_no_later_one(
        self, rig: Rig
    ) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.down(42)  # shift, and its release is lost
        rig.twin.lose_events(2)
        rig.twin.scan(WAYBILL)
        assert "dropped a code" in dropped(driver)
        rig.twin.scan(OTHER)
        assert text_of(driver) == OTHER

    def test_a_gun_that_types_slowly_is_waited_for(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.type_slowly(0.05)
        with ThreadPoolExecutor(1) as gun:
            done = gun.submit(rig.twin.scan, WAYBILL)
            assert text_of(driver) == WAYBILL
            done.result()

    def test_num_lock_before_digits_does_nothing(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.tap(69)
        rig.twin.scan("A017")
        assert text_of(driver) == "A017"

    def test_a_gun_that_makes_capitals_by_caps_lock_is_not_believed(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.tap(58)
        rig.twin.scan(WAYBILL.lower())
        assert "dropped a code of 13 bytes" in dropped(driver)

    def test_a_stray_key_alone_is_nothing(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.tap(59)
        assert heard_nothing(driver, polls=3)


def test_recorded_tuples_become_a_code() -> None:
    typed = [(42, 1), (18, 1), (18, 0), (18, 1), (18, 2), (18, 0), (42, 0), (79, 1), (79, 0), (3, 1), (3, 0), (28, 1)]
    events = b"".join(record(1, code, value) for code, value in typed)
    driver = DRIVER("TST-01", ScriptedEvents([b"", events]), HidGunOptions())
    driver.hello()
    assert driver.poll_code(0.2) == CodeRead(text="EE12")


def test_every_printable_character_has_one_key_on_both_sides() -> None:
    assert {c: decode_press(KeyPress(*_KEYS[c])) for c in PRINTABLE} == {c: c for c in PRINTABLE}
    assert set(_KEYS) == set(PRINTABLE)


def test_codes_are_those_of_the_kernel() -> None:
    codes = kernel_codes()
    named = {
        "MINUS": "-_", "EQUAL": "=+", "LEFTBRACE": "[{", "RIGHTBRACE": "]}", "SEMICOLON": ";:", "APOSTROPHE": "'\"",
        "GRAVE": "`~", "BACKSLASH": "\\|", "COMMA": ",<", "DOT": ".>", "SLASH": "/?", "SPACE": "  ",
    }  # fmt: skip
    named |= {letter: letter.lower() + letter for letter in string.ascii_uppercase}
    named |= {digit: digit + shifted for digit, shifted in zip("1234567890", "!@#$%^&*()", strict=True)}
    for name, (plain, shifted) in named.items():
        assert decode_press(KeyPress(codes[f"KEY_{name}"])) == plain
        assert decode_press(KeyPress(codes[f"KEY_{name}"], shifted=True)) == shifted
    pad = dict(zip("0123456789", "0123456789", strict=True)) | {
        "DOT": ".", "MINUS": "-", "PLUS": "+", "SLASH": "/", "ASTERISK": "*", "ENTER": "\r",
    }  # fmt: skip
    for name, character in pad.items():
        assert decode_press(KeyPress(codes[f"KEY_KP{name}"])) == character
    assert (decode_press(KeyPress(codes["KEY_ENTER"])), decode_press(KeyPress(codes["KEY_TAB"]))) == ("\r", "\t")


@pytest.mark.parametrize("press", [KeyPress(30, altered=True), KeyPress(59), KeyPress(-1), KeyPress(71, shifted=True)])
def test_what_has_no_character(press: KeyPress) -> None:
    assert decode_press(press) == ""


@pytest.mark.parametrize("silence_s", [0.0, 1.5])
def test_option_errors_name_the_key_and_what_is_legal(silence_s: float) -> None:
    with pytest.raises(ValueError, match=rf"silence_s = {silence_s}, legal: 0\.02 to 1\.0 seconds"):
        HidGunOptions(silence_s=silence_s)


def test_a_trace_of_a_gun_holds_nothing(tmp_path: Any) -> None:
    seen = []
    link = ScriptedEvents([record(1, 30, 1)])
    link.tap = seen.append
    DRIVER("TST-01", link, HidGunOptions()).conditions()
    assert [(t.data, t.personal) for t in seen] == [(b"", 48)]
