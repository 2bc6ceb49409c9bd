"""Customer display in both its dialects: worked frames in both directions, and what a mute display can promise."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import QUESTION_LIMIT_S, CallText, Condition, LinkError, Refused
from drivers.display_customer import Dialect, TwoRowOptions, encode_light, encode_rows, encode_screen, two_rows
from sim.display_customer import TwoRowTwin
from sim.stopwatch import Stopwatch
from tests.contract.contract import DriverContract, Rig, until
from tests.contract.display_contract import Ear

CD5220 = bytes.fromhex(
    "1B 51 41 41 30 30 31" + "20" * 16 + "0D" + "1B 51 42 54 4F 20 57 49 4E 44 4F 57 20 33" + "20" * 9 + "0D"
)
DM_D = bytes.fromhex("1B 3D 02 1B 40 0C 1F 24 01 02 41 30 30 31 20 2D 3E 20 33 1F 58 04 1B 3D 01")


class TestCd5220Display(DriverContract):
    driver_module = twin_module = "display_customer"
    no_conditions = "such a display never answers"
    options = {"dialect": Dialect.CD5220}  # noqa: RUF012 - read only

    jobs = 0

    def job(self, driver: Any, rig: Rig) -> None:
        self.jobs += 1
        driver.show(CallText(text=f"A{self.jobs:03} to window 3"))
        until(lambda: rig.twin.text == f"A{self.jobs:03} to window 3")
        assert rig.twin.complaints == []

    def job_blind(self, driver: Any) -> None:
        driver.show(CallText(text="A001"))

    def test_mute_device_gives_no_reply_in_time(self, rig: Rig) -> None:
        """Overridden: such a display never answers, so a dead one cannot be told from a well one; each deed ends."""
        driver = rig.open()
        rig.twin.die()
        for deed in (driver.hello, driver.conditions, lambda: self.job_blind(driver)):
            watch = Stopwatch()
            deed()
            assert watch.s < QUESTION_LIMIT_S
        assert rig.twin.text == ""
        rig.twin.recover()
        self.job(driver, rig)

    def test_two_rows_and_a_shorter_text_over_a_longer_one(self, rig: Rig) -> None:
        driver = rig.open()
        for text in ("A001\nTO WINDOW 3", "0123456789abcdefghijklmnopqrstuvwxyzABCD", "A1", ""):
            driver.show(CallText(text=text))
            rows = text if "\n" in text or len(text) <= 20 else f"{text[:20]}\n{text[20:]}"
            until(lambda rows=rows: rig.twin.text == rows)  # type: ignore[misc]
        assert rig.twin.complaints == []

    def test_hello_clears_it_and_sets_the_brightness(self, rig: Rig) -> None:
        rig.options = {**self.options, "brightness": 2}
        driver = rig.open()
        driver.show(CallText(text="A001"))
        until(lambda: rig.twin.text == "A001")
        driver.hello()
        until(lambda: (rig.twin.text, rig.twin.brightness) == ("", 2))
        assert driver.conditions() == frozenset()
        self.job(driver, rig)

    def test_a_display_that_lost_its_power_has_its_text_again_after_the_next_question(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        self.job(driver, rig)
        clears = rig.twin.clears
        rig.twin.restart()
        assert rig.twin.text == ""
        driver.conditions()
        until(lambda: rig.twin.text == f"A{self.jobs:03} to window 3")
        assert rig.twin.clears == clears
        assert rig.twin.complaints == []

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("请A001到3号窗口", "characters outside ASCII, the display has no others"),
            ("A001\x1b", "characters outside ASCII, the display has no others"),
            ("A001\n\nwindow 3", "3 rows of 20 columns, the display has 2"),
            ("x" * 41, "3 rows of 20 columns, the display has 2"),
        ],
    )
    def test_what_it_cannot_show_is_refused_and_the_old_text_stays(self, rig: Rig, text: str, why: str) -> None:
        driver = rig.open()
        self.job(driver, rig)
        seen = rig.twin.text
        with pytest.raises(Refused) as caught:
            driver.show(CallText(text=text))
        assert caught.value.condition is Condition.TEXT_UNSUITABLE
        assert str(caught.value) == f"TST-01: cannot show a text: {why}"
        driver.conditions()
        assert rig.twin.text == seen

    def test_a_chinese_model_shows_chinese(self, rig: Rig) -> None:
        rig.options = {**self.options, "chinese": True}
        rig.twin.chinese = True
        driver = rig.open()
        driver.show(CallText(text="请A001号到3号窗口办理登记龑"))
        until(lambda: rig.twin.text == "请A001号到3号窗口办\n理登记〓")

    def test_behind_a_printer_the_printer_is_chosen_again(self, rig: Rig) -> None:
        rig.options = {**self.options, "behind_printer": True}
        rig.twin.selected = 1
        driver = rig.open()
        driver.hello()
        self.job(driver, rig)
        driver.conditions()
        driver.link.write(b"\x1b\x40slip")
        until(lambda: rig.twin.passed_on == b"\x1b\x40slip")
        assert rig.twin.text == f"A{self.jobs:03} to window 3"

    def test_a_port_that_is_gone_is_noticed_by_the_next_question(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.line.unplug()
        for deed in (driver.conditions, driver.hello):
            with pytest.raises(LinkError):
                deed()


class TestDmDDisplay(TestCd5220Display):
    options = {"dialect": Dialect.DM_D}  # noqa: RUF012 - read only


# Worked frames


def test_driver_encodes_the_worked_frames() -> None:
    rows = two_rows("A001\nTO WINDOW 3", chinese=False)
    assert encode_screen(Dialect.CD5220, rows, 4).hex(" ") == encode_rows(Dialect.CD5220, rows).hex(" ")
    assert encode_rows(Dialect.CD5220, rows).hex(" ") == CD5220.hex(" ")
    screen = encode_screen(Dialect.DM_D, two_rows("\nA001 -> 3", chinese=False), 4)
    assert (b"\x1b\x3d\x02" + screen + b"\x1b\x3d\x01").hex(" ") == DM_D.hex(" ")
    assert encode_light(Dialect.CD5220, 3) == b"\x1b\x2a\x03"


@pytest.mark.parametrize("cut", range(1, 24))
def test_twin_obeys_the_worked_frames_in_any_pieces(cut: int) -> None:
    for dialect, frame, seen in (("cd5220", CD5220, "A001\nTO WINDOW 3"), ("dm_d", DM_D, "A001 -> 3")):
        twin = TwoRowTwin("TST-01", {"dialect": dialect})
        ear = Ear(twin)
        assert ear.hear(frame[:cut]) + ear.hear(frame[cut:]) == b""
        assert (twin.text, twin.brightness, twin.complaints) == (seen, 4, [])


def test_twin_shows_what_an_independent_library_sends() -> None:
    from escpos.printer import Dummy  # noqa: PLC0415 - loading it costs each process a second

    library = Dummy()
    library.linedisplay("A001 -> 3")
    twin = TwoRowTwin("TST-01", {"dialect": "dm_d"})
    Ear(twin).hear(library.output)
    assert (twin.text, twin.selected, twin.complaints) == ("A001 -> 3", 1, [])


def test_twin_in_string_mode_ignores_the_cursor_until_it_is_cleared() -> None:
    twin = TwoRowTwin("TST-01", {"dialect": "cd5220"})
    ear = Ear(twin)
    ear.hear(CD5220)
    ear.hear(b"\x1b\x6c\x01\x02")
    assert (twin.text, twin.complaints) == ("A001\nTO WINDOW 3", ["the cursor is moved in string mode"])
    ear.hear(b"\x0c\x1b\x6c\x03\x02B002")
    assert twin.text == "  B002"


@pytest.mark.parametrize("dialect", ["cd5220", "dm_d"])
def test_twin_locks_up_on_coordinates_out_of_range(dialect: str) -> None:
    twin = TwoRowTwin("TST-01", {"dialect": dialect})
    ear = Ear(twin)
    ear.hear((b"\x1b\x6c" if dialect == "cd5220" else b"\x1f\x24") + b"\x15\x01A001")
    assert (twin.text, twin.locked) == ("", True)
    twin.restart()
    ear.hear(b"A002")
    assert twin.text == "A002"


def test_twin_obeys_the_rest_of_the_table() -> None:
    twin = TwoRowTwin("TST-01", {"dialect": "cd5220"})
    ear = Ear(twin)
    ear.hear(
        b"\x1b\x26\x01\x30\x31" + b"\x05abcde" * 2 + b"\x1b\x25\x01\x1b\x5f\x00\x1b\x12\x1b\x2a\x02one\x18two\x0bT"
    )
    assert (twin.text, twin.cursor_shown, twin.mode, twin.brightness, twin.complaints) == ("Two", False, 2, 2, [])
    twin = TwoRowTwin("TST-01", {"dialect": "dm_d"})
    Ear(twin).hear(b"\x1f\x03\x1f\x43\x00\x1f\x45\x05\x1f\x40one\x0atwo")
    assert (twin.text, twin.cursor_shown, twin.mode, twin.complaints) == ("one\n   two", False, 3, [])


@given(st.lists(st.one_of(st.binary(max_size=40), st.just(CD5220[:9]), st.just(DM_D)), max_size=6), st.booleans())
def test_twin_survives_any_bytes(pieces: list[bytes], dm_d: bool) -> None:
    twin = TwoRowTwin("TST-01", {"dialect": "dm_d" if dm_d else "cd5220"})
    for piece in pieces:
        Ear(twin).hear(piece)
    assert len(twin.text) <= 41


@given(st.text(max_size=44), st.booleans(), st.sampled_from(list(Dialect)))
def test_what_the_driver_accepts_the_twin_shows(text: str, chinese: bool, dialect: Dialect) -> None:
    try:
        rows = two_rows(text, chinese=chinese)
    except ValueError:
        return
    twin = TwoRowTwin("TST-01", {"dialect": dialect.value, "chinese": chinese})
    ear = Ear(twin)
    for frame in (encode_screen(dialect, rows, 3), encode_rows(dialect, rows)):
        ear.hear(frame)
        shown = [row.decode("gb2312").rstrip() for row in rows]
        assert twin.text == "\n".join(shown).strip("\n")
        assert twin.complaints == []


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"baud": 1200}, "baud = 1200, legal: 2400, 4800, 9600 or 19200"),
        ({"brightness": 0}, "brightness = 0, legal: 1 to 4"),
    ],
)
def test_option_errors_name_the_key_and_what_is_legal(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        TwoRowOptions(dialect=Dialect.CD5220, **options)
