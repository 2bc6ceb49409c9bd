"""Alpha message sign: its worked frame in both directions, and what a display that never answers can promise."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import QUESTION_LIMIT_S, CallText, Condition, LinkError, Refused
from drivers.display_alpha import AlphaDisplay, AlphaOptions, encode_text, with_even_parity
from drivers.display_line import await_silence, send
from sim.display_alpha import AlphaTwin
from sim.stopwatch import Stopwatch
from tests.contract.contract import DriverContract, Rig, ScriptedStream, until
from tests.contract.display_contract import Ear

SCREEN: dict[str, Any] = {"address": 3, "columns": 18}
GOLDEN = bytes.fromhex("00 00 00 00 00 01 5A 30 30 02 41 41 1B 20 62 41 30 30 31 03 30 31 46 36 04")


class TestAlphaDisplay(DriverContract):
    driver_module = twin_module = "display_alpha"
    no_conditions = "a sign never answers"
    options = SCREEN

    jobs = 0

    def job(self, driver: Any, rig: Rig) -> None:
        self.jobs += 1
        text = f"A{self.jobs:03} to window 3"
        driver.show(CallText(text=text))
        until(lambda: rig.twin.text == text)
        assert rig.twin.collisions == []
        assert rig.twin.complaints == []

    def job_blind(self, driver: Any) -> None:
        driver.show(CallText(text="A001"))

    def test_mute_device_gives_no_reply_in_time(self, rig: Rig) -> None:
        """Overridden: a sign never answers, so a mute one cannot be told from a well one; each deed ends in time."""
        driver = rig.open()
        rig.twin.go_mute()
        for deed in (driver.hello, driver.conditions, lambda: self.job_blind(driver)):
            began = time.monotonic()
            deed()
            assert time.monotonic() - began < QUESTION_LIMIT_S
        rig.twin.recover()
        self.job(driver, rig)

    def test_what_is_sent_is_the_worked_frame(self, rig: Rig) -> None:
        rig.options = {**SCREEN, "address": 0}
        driver = rig.open()
        driver.hello()
        driver.conditions()
        driver.show(CallText(text="A001"))
        assert [data for _, data in rig.traced] == [GOLDEN]

    def test_a_call_flashes_and_any_other_text_stands(self, rig: Rig) -> None:
        driver = rig.open()
        driver.show(CallText(text="A001 to window 3", attention=True))
        driver.show(CallText(text="A001 serving"))
        until(lambda: len(rig.twin.shown) == 2)
        assert [(s.mode, s.label, s.position) for s in rig.twin.shown] == [("flash", "A", 0x20), ("hold", "A", 0x20)]

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("请A001到3号窗口", "cannot show a text: characters outside ASCII, the display has no others"),
            ("A001\x07", "cannot show a text: characters outside ASCII, the display has no others"),
            ("A001 to window 103.", "a text does not fit: 19 columns, the display has 18"),
        ],
    )
    def test_what_it_cannot_show_is_refused_and_nothing_is_sent(self, rig: Rig, text: str, why: str) -> None:
        driver = rig.open()
        with pytest.raises(Refused) as caught:
            driver.show(CallText(text=text))
        assert caught.value.condition is Condition.TEXT_UNSUITABLE
        assert str(caught.value) == f"TST-01: {why}"
        assert rig.line.sent_to_twins() == b""

    def test_a_sign_that_lost_its_power_is_not_noticed(self, rig: Rig) -> None:
        driver = rig.open()
        self.job(driver, rig)
        rig.twin.restart()
        assert driver.conditions() == frozenset()
        assert rig.twin.text == ""

    def test_a_port_that_is_gone_is_noticed_by_the_next_question(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.line.unplug()
        for deed in (driver.conditions, driver.hello):
            with pytest.raises(LinkError):
                deed()

    def test_an_old_sign_with_parity(self, rig: Rig) -> None:
        rig.options = {**SCREEN, "even_parity": True}
        rig.twin.even_parity = True
        driver = rig.open()
        self.job(driver, rig)
        assert rig.traced[0][1] != bytes(byte & 0x7F for byte in rig.traced[0][1])

    def test_two_frames_in_a_row_keep_the_gap_after_the_first_has_left(self) -> None:
        waits: list[float] = []

        class Watched(ScriptedStream):
            def _read_some(self, most: int, limit_s: float) -> bytes:
                waits.append(limit_s)
                return b""

        link = Watched([])
        driver = AlphaDisplay("TST-01", link, AlphaOptions(**SCREEN))
        link.last_traffic -= 1.0
        watch = Stopwatch()
        driver.show(CallText(text="A001"))
        assert waits == [0.0]
        driver.show(CallText(text="A001"))
        gap_s = 0.1 + len(GOLDEN) * 10 / 9600
        assert gap_s - watch.wall_s <= waits[1] <= gap_s


def test_a_long_frame_at_a_low_speed_is_waited_for() -> None:
    link = ScriptedStream([])
    earliest = time.monotonic() + 0.25
    send(link, bytes(30), 1200)
    assert earliest <= link.last_traffic <= time.monotonic() + 0.25
    await_silence(link, "TST-01", 0.1)


# Worked frame


def test_driver_encodes_the_worked_frame() -> None:
    assert encode_text(0, b"A001").hex(" ") == GOLDEN.hex(" ")


def test_even_parity() -> None:
    assert with_even_parity(b"\x00\x01\x03\x41C") == b"\x00\x81\x03\x41\xc3"


@pytest.mark.parametrize("cut", [0, 2, 6, 10, 20])
def test_twin_obeys_the_worked_frame_in_any_pieces(cut: int) -> None:
    twin = AlphaTwin("TST-01", SCREEN)
    ear = Ear(twin)
    if cut:
        ear.hear(GOLDEN[:cut])
    assert ear.hear(GOLDEN[cut:], after_s=0.01 if cut else 1.0) == b""
    assert (twin.text, twin.shown[-1].mode, twin.complaints, twin.collisions) == ("A001", "hold", [], [])


def test_twin_takes_a_frame_without_a_checksum_and_drops_one_with_a_wrong_one() -> None:
    twin = AlphaTwin("TST-01", SCREEN)
    ear = Ear(twin)
    ear.hear(GOLDEN.replace(b"A001", b"A002"))
    assert (twin.text, twin.complaints) == ("", [f"checksum is 01F6 in {GOLDEN.replace(b'A001', b'A002').hex(' ')}"])
    ear.hear(GOLDEN[:-6] + b"\x04")
    assert twin.text == "A001"


@pytest.mark.parametrize(("address", "sign_type", "seen"), [(3, "Z", "A001"), (4, "Z", ""), (0, "Z", "A001")])
def test_twin_hears_its_own_address_and_the_one_of_all(address: int, sign_type: str, seen: str) -> None:
    twin = AlphaTwin("TST-01", SCREEN)
    Ear(twin).hear(encode_text(address, b"A001", sign_type=sign_type))
    assert twin.text == seen


def test_twin_of_one_type_does_not_hear_another() -> None:
    twin = AlphaTwin("TST-01", {**SCREEN, "sign_type": "1"})
    ear = Ear(twin)
    ear.hear(encode_text(3, b"A001", sign_type="2"))
    assert twin.text == ""
    ear.hear(encode_text(3, b"A002", sign_type="1"))
    assert twin.text == "A002"


def test_twin_drops_a_frame_of_wrong_parity() -> None:
    twin = AlphaTwin("TST-01", {**SCREEN, "even_parity": True})
    ear = Ear(twin)
    ear.hear(GOLDEN)
    assert (twin.text, len(twin.complaints)) == ("", 1)
    ear.hear(with_even_parity(GOLDEN))
    assert twin.text == "A001"


def test_twin_notes_a_collision_when_a_frame_follows_at_once() -> None:
    twin = AlphaTwin("TST-01", SCREEN)
    ear = Ear(twin)
    ear.hear(GOLDEN)
    ear.hear(GOLDEN, after_s=0.126)
    assert twin.collisions == []
    ear.hear(GOLDEN, after_s=0.05)
    assert len(twin.collisions) == 1


@given(st.lists(st.one_of(st.binary(max_size=40), st.just(GOLDEN[:9]), st.just(GOLDEN)), max_size=6), st.booleans())
def test_twin_survives_any_bytes(pieces: list[bytes], even_parity: bool) -> None:
    ear = Ear(AlphaTwin("TST-01", {**SCREEN, "even_parity": even_parity}))
    for piece in pieces:
        ear.hear(piece, after_s=0.01)


@given(st.text(max_size=24), st.booleans(), st.integers(0, 255))
def test_what_the_driver_accepts_the_twin_shows(text: str, attention: bool, address: int) -> None:
    table = {"address": address, "columns": 20, "gap_s": 0.0}
    link = ScriptedStream([])
    sent: list[bytes] = []
    link.write = lambda data, limit_s=2.0: sent.append(data)  # type: ignore[method-assign]
    try:
        AlphaDisplay("TST-01", link, AlphaOptions(**table)).show(CallText(text=text, attention=attention))
    except Refused:
        return
    twin = AlphaTwin("TST-01", table)
    Ear(twin).hear(sent[0])
    assert (twin.text, twin.complaints) == (text.replace("\n", " "), [])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"baud": 9601}, "baud = 9601, legal: 1200 to 38400"),
        ({"address": 256}, "address = 256, legal: 0 to 255"),
        ({"columns": 2}, "columns = 2, legal: 4 to 120"),
        ({"sign_type": "ZZ"}, "sign_type = ZZ, legal: one character"),
        ({"gap_s": 1.0}, "gap_s = 1.0, legal: 0 to 0.5 seconds"),
    ],
)
def test_option_errors_name_the_key_and_what_is_legal(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        AlphaOptions(**{**SCREEN, **options})
