"""What every barcode gun must do, whatever carries its characters; inherited beside the contract of its carrier."""

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from drivers.base import BadReply, CodeRead
from drivers.code_messages import SAME_READING_S
from sim.stopwatch import Stopwatch
from tests.contract.contract import MARKERS, Rig, until

WAYBILL = "EE123456785CN"
OTHER = "RR473124829CN"
QR = "https://hall.example/q/aB3_x-9?k=1&m=%7E"
ID_NUMBER = MARKERS[1]


def code_of(driver: Any) -> CodeRead:
    """The next code, as the worker would hear it."""
    found: CodeRead = until(lambda: driver.poll_code(0.2), what="a code")
    return found


def text_of(driver: Any) -> str:
    return code_of(driver).text


def heard_nothing(driver: Any, polls: int = 2) -> bool:
    return all(driver.poll_code(0.2) is None for _ in range(polls))


def dropped(driver: Any) -> str:
    """What the driver says of a code that it drops; nothing else comes first."""
    with pytest.raises(BadReply) as caught:
        until(lambda: driver.poll_code(0.2), limit_s=2.0, what="a dropped code")
    return str(caught.value)


class GunStories:
    """For subclasses of the contract."""

    options: dict[str, Any]
    no_conditions = "a gun sends codes, and nothing about itself"
    never_answers = "a gun is asked nothing: a silent one is one that nobody uses"

    jobs = 0

    def job(self, driver: Any, rig: Rig) -> None:
        driver.conditions()
        self.jobs += 1  # the same code again at once would be the same reading
        rig.twin.scan(f"{ID_NUMBER}/{self.jobs}", "Q1")
        assert code_of(driver) == CodeRead(text=f"{ID_NUMBER}/{self.jobs}")
        assert driver.poll_code(0.0) is None

    def personal_job(self, driver: Any, rig: Rig) -> None:
        self.jobs += 1
        rig.twin.scan(f"{ID_NUMBER}/{self.jobs}", "Q1")
        self.job_blind(driver)

    def job_blind(self, driver: Any) -> None:
        driver.poll_code(0.2)
        driver.poll_code(0.2)

    # Codes

    def test_codes_arrive_as_they_are(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        for text in (WAYBILL, QR, "A017", "with space, and ~!@#$%^&*()_+{}|:\"<>?`-=[]\\;',./"):
            rig.twin.scan(text)
            assert code_of(driver) == CodeRead(text=text)

    def test_codes_in_a_row_arrive_in_their_order(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.scan_all(WAYBILL, OTHER, WAYBILL)
        assert [text_of(driver) for _ in range(3)] == [WAYBILL, OTHER, WAYBILL]

    @pytest.mark.parametrize("symbology", ["C0", "C1", "A0", "E0", "Q1", "I0"])
    def test_an_aim_prefix_is_the_symbology(self, rig: Rig, symbology: str) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.send_aim_prefix()
        rig.twin.scan(WAYBILL, symbology)
        assert code_of(driver) == CodeRead(text=WAYBILL, symbology=symbology)

    def test_codes_from_before_hello_belong_to_nobody(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.scan(WAYBILL)
        rig.twin.cut_off(OTHER)
        until(lambda: driver._hear(0.2))
        while driver._hear(0.1):
            pass
        driver.hello()
        rig.twin.scan(OTHER)
        assert text_of(driver) == OTHER
        assert heard_nothing(driver)

    def test_what_is_read_leaves_no_byte_in_trace_or_error(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.scan(ID_NUMBER)
        code = code_of(driver)
        assert code.text == ID_NUMBER
        assert ID_NUMBER not in repr(code)
        assert ID_NUMBER not in str(code)
        rig.twin.lose_suffix()
        rig.twin.scan(ID_NUMBER + "1")
        assert not re.search(r"\d{10}", dropped(driver))
        assert rig.hidden > 2 * len(ID_NUMBER)
        assert b"".join(data for direction, data in rig.traced if direction == "<") == b""

    # Doubles

    def test_a_doubled_read_is_one(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.read_double()
        rig.twin.scan(WAYBILL)
        rig.twin.scan(OTHER)
        assert [text_of(driver), text_of(driver)] == [WAYBILL, OTHER]
        assert heard_nothing(driver)

    def test_the_same_code_later_is_another_reading(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.scan(WAYBILL)
        assert text_of(driver) == WAYBILL
        rig.twin.scan(WAYBILL)
        assert heard_nothing(driver)
        driver._readings._seen_at -= SAME_READING_S
        rig.twin.scan(WAYBILL)
        assert text_of(driver) == WAYBILL

    # Ends

    def test_a_code_without_its_suffix_is_dropped_and_spoils_no_other(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.lose_suffix()
        rig.twin.scan(WAYBILL)
        assert "TST-01: dropped a code of 13 bytes on " in dropped(driver)
        rig.twin.recover()
        rig.twin.scan(OTHER)
        assert text_of(driver) == OTHER
        assert heard_nothing(driver)

    def test_a_code_that_was_cut_off_is_dropped(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.cut_off(WAYBILL)
        assert "dropped a code of 6 bytes" in dropped(driver)
        rig.twin.scan(WAYBILL)
        assert text_of(driver) == WAYBILL

    def test_a_gun_without_a_suffix_ends_by_silence(self, rig: Rig) -> None:
        rig.options = {**rig.options, "suffix": "none"}
        rig.twin.options = rig.options
        rig.twin.recover()
        driver = rig.open()
        driver.hello()
        for text in (WAYBILL, OTHER):
            rig.twin.scan(text)
            assert text_of(driver) == text
        assert heard_nothing(driver)

    def test_a_gun_that_ends_with_tab(self, rig: Rig) -> None:
        rig.options = {**rig.options, "suffix": "tab"}
        rig.twin.options = rig.options
        rig.twin.recover()
        driver = rig.open()
        driver.hello()
        rig.twin.scan_all(WAYBILL, OTHER)
        assert [text_of(driver), text_of(driver)] == [WAYBILL, OTHER]

    def test_a_mute_gun_gives_silence_not_an_error(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.go_mute()
        rig.twin.scan(WAYBILL)
        assert heard_nothing(driver)
        assert driver.conditions() == frozenset()

    def test_a_poll_keeps_its_limit_also_in_the_middle_of_a_code(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        with ThreadPoolExecutor(1) as finger:
            done = finger.submit(rig.twin.scan, QR * 3)
            watch = Stopwatch()
            early = driver.poll_code(0.05)
            assert watch.s < 3.0  # proves that it ends, not how punctual a loaded machine is
            assert (early.text if early else text_of(driver)) == QR * 3
            done.result()
