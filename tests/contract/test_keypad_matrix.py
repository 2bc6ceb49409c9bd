"""Raw matrix keypad: tables and frames of protocols/keypads.md §1.4, and what its line and its keys can do wrong."""

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import Condition, Identity, Key, LinkError
from drivers.keypad_matrix import (
    DRIVER,
    HALF_FRAME_S,
    MatrixKeypad,
    MatrixOptions,
    Table,
    Unframer,
    key_table,
)
from sim.keypad_matrix import MatrixTwin
from sim.stopwatch import Stopwatch
from tests.contract.contract import DriverContract, Rig, ScriptedStream, until

PHONE = "13900000000"
LEGEND = "123A456B789C*0#D"
MEANING = dict(zip(LEGEND, ["1", "2", "3", "ok", "4", "5", "6", "correct", "7", "8", "9", "cancel", "*", "0", "#",
                            "help"], strict=True))  # fmt: skip


def poll(driver: MatrixKeypad, limit_s: float = 0.2) -> Key | None:
    return driver.poll_key(limit_s)


def keys_of(driver: MatrixKeypad, count: int, limit_s: float = 10.0) -> str:
    """The next `count` keys, as the worker would collect them."""
    keys: list[Key] = []

    def enough() -> bool:
        key = poll(driver)
        keys.extend([key] if key is not None else [])
        return len(keys) >= count

    until(enough, limit_s, f"{count} keys")
    return "".join(keys)


class MatrixContract(DriverContract):
    """What holds for every kind of matrix pad."""

    driver_module = twin_module = "keypad_matrix"
    causes = {Condition.KEYS_STUCK: lambda twin: twin.stick("5")}  # noqa: RUF012 - read only
    never_answers = "the pad only sends: one that is mute looks like one on which nobody types"

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

    def sample_replies(self) -> list[bytes]:
        return [said(dict(self.options), [key]) for key in ("1", "5", "ok")]

    def test_leftovers_of_an_earlier_answer_are_ignored(self, rig: Rig) -> None:
        """A whole key that is left over is a key, as nothing tells it from a fresh one; half of one is not."""
        driver = rig.open()
        driver.hello()
        for reply in self.sample_replies():
            rig.line.noise(reply[: len(reply) // 2])
            driver.conditions()
        rig.line.noise(b"\x00\xff\x55")
        self.job(driver, rig)

    def test_every_key_of_the_pad_arrives(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        for label in LEGEND:
            rig.twin.press(label)
            assert keys_of(driver, 1) == MEANING[label]

    def test_a_phone_number_typed_by_a_person_arrives_whole_and_leaves_no_trace(self, rig: Rig) -> None:
        driver = rig.open()
        assert driver.hello() == Identity()
        with ThreadPoolExecutor(1) as finger:
            done = finger.submit(rig.twin.type_like_a_person, PHONE[:6], seed=3)
            assert keys_of(driver, 6) == PHONE[:6]
            done.result()
            done = finger.submit(rig.twin.type, PHONE[6:])
            assert keys_of(driver, 5) == PHONE[6:]
            done.result()
        assert rig.traced
        assert b"".join(data for _, data in rig.traced) == b""

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
        rig.twin.recover()
        assert driver.conditions() == frozenset()
        rig.twin.press("1")
        assert keys_of(driver, 1) == "1"

    def test_a_power_cycle_and_garbage_are_no_keys(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.power_cycle()
        rig.twin.babble()
        rig.twin.press("3")
        assert keys_of(driver, 1) == "3"
        assert poll(driver, 0.0) is None

    def test_nothing_is_ever_written_to_it(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        driver.conditions()
        poll(driver)
        assert rig.line.sent_to_twins() == b""
        assert rig.twin.unknown == []

    def test_a_mute_pad_is_not_noticed_and_a_port_that_is_gone_is(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.go_mute()
        rig.twin.press("1")
        assert poll(driver) is None
        assert driver.conditions() == frozenset()
        rig.line.unplug()
        with pytest.raises(LinkError):
            driver.conditions()

    def test_keys_pressed_before_hello_belong_to_nobody(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.type("12", gap_s=0.0)
        driver.hello()
        assert poll(driver, 0.0) is None


class TestLabels(MatrixContract):
    options = {"table": Table.LABEL}  # noqa: RUF012 - read only

    def test_a_pad_that_marks_releases_by_bit_7(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.mark_releases()
        rig.twin.press("1")
        rig.twin.press("1")
        assert keys_of(driver, 2) == "11"
        assert poll(driver) is None

    @pytest.mark.parametrize("released", [b"\x00", b"\xff", b"\xf0\x00"])
    def test_a_pad_that_sends_something_on_release(self, rig: Rig, released: bytes) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.send_on_release(released)
        for key in ("1", "9", "ok"):
            rig.twin.press(key)
        assert keys_of(driver, 3) == "19ok"
        assert poll(driver) is None


class TestPlacesInFrames(MatrixContract):
    options = {"table": Table.INDEX, "prefix": "a5 5a", "suffix": "0d"}  # noqa: RUF012 - read only

    def test_a_frame_in_pieces_is_a_key(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.press_in_pieces("7", lambda: poll(driver, 0.02))
        assert keys_of(driver, 1) == "7"

    def test_merged_frames_are_keys(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.press_merged("1739")
        assert keys_of(driver, 4) == "1739"

    def test_a_cut_frame_is_no_key_and_harms_none(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.cut_frames()
        rig.twin.press("1")
        rig.twin.recover()
        rig.twin.press("2")
        assert keys_of(driver, 1) == "2"
        assert poll(driver) is None

    def test_a_release_frame_of_its_own_is_no_key(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.send_on_release(bytes.fromhex("a5 5b 00 0d"))
        rig.twin.press("4")
        assert keys_of(driver, 1) == "4"
        assert poll(driver) is None


class TestOwnTable(MatrixContract):
    options = {  # noqa: RUF012 - read only
        "table": Table.NONE,
        "keys": {f"{0xE0 + place:02X}": MEANING[label] for place, label in enumerate(LEGEND)},
    }

    def test_every_key_of_the_pad_arrives(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        for label in LEGEND:
            rig.twin.press(MEANING[label])
            assert keys_of(driver, 1) == MEANING[label]


class Ear:
    """A line that keeps what a twin says."""

    def __init__(self) -> None:
        self.said = b""

    def send(self, data: bytes) -> None:
        self.said += data


def said(options: dict[str, object], keys: list[str]) -> bytes:
    twin: Any = MatrixTwin("TST-01", options)
    twin.line = Ear()
    for key in keys:
        twin.press(key)
    return bytes(twin.line.said)


def test_golden_bytes_of_the_document_leave_the_twin() -> None:
    every = list(LEGEND)
    assert said({"table": "label"}, every) == b"123A456B789C*0#D"
    assert said({"table": "index"}, every) == bytes(range(16))
    assert said({"table": "index", "prefix": "a5", "suffix": "5a"}, ["1", "D"]) == bytes.fromhex("a5 00 5a a5 0f 5a")


def test_golden_bytes_of_the_document_are_keys() -> None:
    assert [key_table(Table.LABEL, {})[b] for b in LEGEND.encode()] == [Key(MEANING[label]) for label in LEGEND]
    assert [key_table(Table.INDEX, {})[b] for b in range(16)] == [Key(MEANING[label]) for label in LEGEND]
    metal = [key_table(Table.LABEL, {})[b] for b in (0x0D, 0x08, 0x1B)]
    assert metal == [Key.OK, Key.CORRECT, Key.CANCEL]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"table": Table.NONE}, 'keys: a pad with table = "none" needs its keys'),
        ({"table": Table.LABEL, "keys": {"100": "1"}}, 'keys: "100" is no key byte, legal: "00" to "ff" in two hex'),
        ({"table": Table.LABEL, "keys": {"41": "enter"}}, "keys: \"41\" = 'enter' is no key, legal: 0, 1"),
        ({"table": Table.LABEL, "prefix": "xy"}, 'prefix = "xy", legal: at most 8 bytes in hex'),
        ({"table": Table.LABEL, "suffix": "00" * 9}, 'suffix = "0{18}", legal: at most 8 bytes in hex'),
    ],
)  # fmt: skip
def test_option_errors_name_the_key_and_what_is_legal(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        MatrixOptions(**options)


def test_half_a_frame_is_forgotten() -> None:
    unframer = Unframer(b"\xa5", b"\x5a")
    assert unframer.key_bytes(b"\xa5\x31", 1.0) == b""
    assert unframer.key_bytes(b"\x5a", 1.0 + HALF_FRAME_S + 0.01) == b""
    assert unframer.key_bytes(b"\xa5\x32", 2.0) + unframer.key_bytes(b"\x5a", 2.1) == b"\x32"


marks = st.sampled_from([b"", b"\xa5", b"\xaa\x55", b"\xaa\xaa"])


@given(
    prefix=marks, suffix=marks, pressed=st.binary(max_size=20), noise=st.binary(max_size=6),
    cuts=st.lists(st.integers(1, 5), max_size=30),
)  # fmt: skip
def test_frames_are_found_in_any_pieces(
    prefix: bytes, suffix: bytes, pressed: bytes, noise: bytes, cuts: list[int]
) -> None:
    stream = b"".join(prefix + bytes([b]) + suffix for b in pressed)
    whole = Unframer(prefix, suffix).key_bytes(noise + stream, 1.0)
    unframer, found, at = Unframer(prefix, suffix), b"", 0
    for size in [*cuts, len(noise + stream)]:
        found += unframer.key_bytes((noise + stream)[at : at + size], 1.0)
        at += size
    assert found == whole
    if not noise:
        assert found == pressed


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_whatever_comes_is_a_key_or_nothing(pieces: list[bytes]) -> None:
    driver = DRIVER("TST-01", ScriptedStream([]), MatrixOptions(table=Table.INDEX, prefix="aa aa", suffix="55"))
    for piece in pieces:
        driver.link.waiting = piece  # type: ignore[attr-defined]
        assert driver.poll_key(0.0) in {None, *Key}
    assert driver.conditions() <= {Condition.KEYS_STUCK}


def test_a_pad_that_never_stops_talking_holds_nobody_up() -> None:
    class Flood(ScriptedStream):
        def _read_some(self, most: int, limit_s: float) -> bytes:
            time.sleep(min(limit_s, 0.005))
            return b"1"

    driver = DRIVER("TST-01", Flood([]), MatrixOptions(table=Table.LABEL))
    watch = Stopwatch()
    driver.poll_key(0.2)
    assert watch.s < 3.0  # proves that it ends: the line itself never does
    until(lambda: driver.conditions() == {Condition.KEYS_STUCK})
