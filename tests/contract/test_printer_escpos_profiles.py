"""ESC/POS slip printer: what each family is trusted with."""

import re
from typing import Any

import pytest

from drivers import printer_escpos
from drivers.base import BadReply, Condition, Identity, NoReply, Refused, Slip, SlipText, Unconfirmed
from drivers.escpos_paper import PaperLowSource
from drivers.escpos_profiles import EscposOptions
from drivers.escpos_slip import encode_slip
from drivers.escpos_status import first_block
from drivers.printer_escpos import CLEAR_BUFFERS, DRIVER, RECOVER_AND_CLEAR, STATUS_QUESTION, encode_mark
from sim.printer_paper import Cut
from sim.stopwatch import Stopwatch
from tests.contract.contract import Rig, ScriptedStream
from tests.contract.printer_room import (
    HEALTHY,
    LINES,
    TICKET,
    a_printer,
    in_the_background,
    lines_of,
    rig,
)
from tests.waiting import until

__all__ = ["rig"]


def test_hello_takes_the_names_a_printer_gives(rig: Rig) -> None:
    assert rig.open().hello() == Identity(vendor="ACME", model="TP-80", firmware="1.00", serial="990000001")


def test_hello_is_content_with_a_printer_that_gives_no_names(rig: Rig) -> None:
    rig.twin.answers_names = False
    assert rig.open().hello() == Identity()


def test_printer_with_the_older_fence_is_confirmed() -> None:
    with a_printer(confirm="esc_v") as rig:
        rig.open().print_slip(TICKET)
        assert lines_of(rig) == [LINES]


def test_printer_without_a_fence_is_never_said_to_have_printed() -> None:
    with a_printer(confirm="status") as rig:
        driver = rig.open()
        driver.hello()
        with pytest.raises(Unconfirmed, match="no fault shows, this printer has no fence"):
            driver.print_slip(TICKET)
        rig.twin.paper_out_after(lines=1)
        with pytest.raises(Refused):
            driver.print_slip(TICKET)
        assert [s.lines for s in rig.twin.whole_slips] == [LINES]


def test_one_way_printer_is_never_asked_and_never_confirmed() -> None:
    with a_printer(confirm="none") as rig:
        driver = rig.open()
        assert driver.hello() == Identity()
        assert driver.conditions() == frozenset()
        assert rig.twin.received == 0
        with pytest.raises(Unconfirmed, match="this printer cannot answer"):
            driver.print_slip(TICKET)
        until(lambda: lines_of(rig) == [LINES])


def test_printer_without_cutter_moves_the_slip_past_the_bar() -> None:
    with a_printer(columns=32, cutter=False) as rig:
        driver = rig.open()
        driver.print_slip(TICKET)
        driver.print_slip(TICKET)
        assert lines_of(rig) == [LINES, LINES]
        assert rig.twin.printed[0].cut is Cut.TORN
        assert b"\x1dV" not in rig.line.sent_to_twins()


def test_long_slip_goes_out_in_pieces_and_comes_out_whole() -> None:
    texts = [f"第{n}行：法定代表人身份证　原件" for n in range(150)]
    with a_printer() as rig:
        rig.open().print_slip(Slip(parts=tuple(SlipText(text=t) for t in texts)))
        assert lines_of(rig) == [texts]


@pytest.mark.parametrize(
    ("profile", "columns", "width"), [("epson-80", 48, 576), ("clone-80", 48, 576), ("clone-58", 32, 384)]
)
def test_a_profile_brings_its_paper_and_its_smallest_font(profile: str, columns: int, width: int) -> None:
    options = EscposOptions(profile=profile)
    assert (options.columns, options.paper.dots, options.charset) == (columns, width, "gb2312")


def test_what_is_not_the_profiles_own_may_be_said() -> None:
    options = EscposOptions(profile="clone-80", columns=32, charset="gb18030")
    assert (options.columns, options.paper.dots, options.charset) == (32, 384, "gb18030")


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"profile": "epson"}, "profile = 'epson': must be one of epson-80, clone-80, clone-58, kiosk-custom"),
        ({"profile": "clone-58", "confirm": "gs_h"}, "no printer of profile clone-58 is known to have it"),
        ({"roll_m": -1}, "0 to 1000 metres"),
        ({"slip_wait_s": 0}, "1 to 255"),
        ({"slip_left": "burn"}, "eject, retract"),
    ],
)
def test_an_illegal_choice_says_what_is_legal(keys: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        EscposOptions(**keys)


# --- fences


def test_a_clone_that_answers_the_fence_is_found_out_and_confirmed() -> None:
    with a_printer(profile="clone-80") as rig:
        rig.twin.answers_queued = True
        rig.open().print_slip(TICKET)
        assert lines_of(rig) == [LINES]


def test_a_clone_that_does_not_is_not_waited_for_again() -> None:
    with a_printer(profile="clone-80") as rig:
        driver = rig.open()
        driver.hello()
        for _ in range(2):
            with pytest.raises(Unconfirmed, match="no fault shows, this printer has no fence"):
                driver.print_slip(TICKET)
        assert lines_of(rig) == [LINES, LINES]
        assert rig.line.sent_to_twins().count(b"\x1dr\x01") == 1


def test_a_mark_confirms_exactly_its_slip() -> None:
    with a_printer(confirm="gs_h") as rig:
        driver = rig.open()
        driver.hello()
        driver.print_slip(TICKET)
        driver.print_slip(TICKET)
        assert lines_of(rig) == [LINES, LINES]
        marks = re.findall(rb"\x1d\(H\x06\x0000(\d{4})", rig.line.sent_to_twins())
        assert len(set(marks)) == 2


def test_a_late_answer_with_another_mark_confirms_nothing() -> None:
    for late in (b"\x37\x22XXXX\x00", b"\x00\x00\x00\x00"):
        link = ScriptedStream([HEALTHY, late, *[HEALTHY] * 50])
        with pytest.raises(Unconfirmed, match="fence not answered"):
            DRIVER("PRN-01", link, EscposOptions(confirm="gs_h")).print_slip(TICKET)


def test_a_mark_is_written_as_in_the_notes() -> None:
    assert encode_mark("J001") == bytes.fromhex("1D2848060030304A303031")


# --- automatic status


def test_automatic_status_is_asked_for_again_with_every_slip() -> None:
    with a_printer() as rig:
        driver = rig.open()
        driver.hello()
        driver.print_slip(TICKET)
        # ESC @ makes many printers forget it, so the request stands behind it and before the fence.
        assert rig.line.sent_to_twins().endswith(b"\x1dVB\x00\x1da\x4e\x1dr\x01" + STATUS_QUESTION)


@pytest.mark.parametrize("profile", ["clone-80", "clone-58", "kiosk-custom"])
def test_automatic_status_is_not_asked_of_a_family_without_it(profile: str) -> None:
    with a_printer(profile=profile, confirm="gs_r") as rig:
        driver = rig.open()
        driver.hello()
        driver.print_slip(TICKET)
        assert b"\x1da" not in rig.line.sent_to_twins()


def test_a_paper_end_that_announces_itself_ends_the_wait_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printer_escpos, "GLANCE_S", 10.0)  # without the announcement the wait for the fence is 3 s
    with a_printer() as rig:
        driver = rig.open()
        driver.hello()
        rig.twin.paper_out_after(lines=1)
        watch = Stopwatch()
        with pytest.raises(Refused):
            driver.print_slip(TICKET)
        assert watch.s < 2.5


# --- the roll


def low_after(driver: Any, rig: Rig, *, most: int = 40) -> int:
    """Slips until the near end is told."""
    for count in range(1, most):
        driver.print_slip(TICKET)
        if Condition.PAPER_LOW in driver.conditions():
            return count
    raise AssertionError("the near end was never told")


def test_the_near_end_is_told_from_what_was_printed_where_the_sensor_is_missing() -> None:
    length_mm = encode_slip(TICKET, EscposOptions()).length_mm
    with a_printer(roll_m=6) as rig:
        rig.twin.lose_sensor()
        driver = rig.open()
        driver.hello()
        driver.paper.used_mm = 1000 - 2.5 * length_mm
        assert driver.paper_low_source is None
        assert low_after(driver, rig) == 3
        assert driver.paper_low_source is PaperLowSource.PREDICTION


def test_a_sensor_that_tells_the_near_end_comes_first(rig: Rig) -> None:
    driver = rig.open()
    rig.twin.run_low()
    assert driver.conditions() == {Condition.PAPER_LOW}
    assert driver.paper_low_source is PaperLowSource.SENSOR


@pytest.mark.parametrize("touch", ["run_out_of_paper", "open_cover"])
def test_counting_begins_anew_with_a_new_roll(touch: str) -> None:
    with a_printer(roll_m=6) as rig:
        driver = rig.open()
        driver.paper.printed(5_900)
        assert driver.conditions() == {Condition.PAPER_LOW}
        assert not driver.paper.saw_new_roll
        getattr(rig.twin, touch)()
        assert first_block(driver.conditions()) is not None
        rig.twin.recover()
        assert driver.conditions() == frozenset()
        assert driver.paper.saw_new_roll
        assert driver.paper.used_mm == 0


def test_a_later_life_of_the_driver_counts_on_and_still_notices_the_new_roll() -> None:
    with a_printer(roll_m=6) as rig:
        first = rig.open()
        first.paper.printed(5_900)
        rig.twin.run_out_of_paper()
        first.conditions()
        known = first.memory()
        rig.twin.recover()
        first.link.close()
        later = rig.open()
        later.recall(known)
        assert later.paper.used_mm == 5_900
        assert later.conditions() == frozenset(), "the paper was out before, so this roll is a new one"
        assert (later.paper.used_mm, later.paper.saw_new_roll) == (0.0, True)
        later.recall({})
        later.recall({"something else": 1.0, "used_mm": -3.0})
        assert later.paper.used_mm == 0.0


def test_a_roll_changed_between_two_looks_is_seen_by_automatic_status() -> None:
    with a_printer(roll_m=6) as rig:
        driver = rig.open()
        driver.hello()
        driver.paper.printed(5_900)
        rig.twin.open_cover()
        rig.twin.close_cover()
        assert driver.conditions() == frozenset()


def test_automatic_status_that_lies_or_is_not_documented_changes_no_answer(rig: Rig) -> None:
    driver = rig.open()
    driver.hello()
    rig.twin.announce(bytes.fromhex("18 00 0f 0f"))  # says paper out, and is wrong
    assert driver.conditions() == frozenset()
    rig.twin.announce(bytes.fromhex("39 00 40 00"))
    assert driver.conditions() == frozenset()
    rig.twin.announce(bytes.fromhex("10 00"))  # breaks off
    driver.print_slip(TICKET)
    assert lines_of(rig) == [LINES]


# --- presenter


def test_a_presenter_holds_the_slip_as_the_table_says() -> None:
    with a_printer(profile="kiosk-custom", slip_wait_s=30, slip_left="eject") as rig:
        rig.twin.leave_slips()
        rig.open().print_slip(TICKET)
        assert rig.twin.presenter.mouth is rig.twin.printed[0]
        assert rig.twin.presenter.commands == [bytes.fromhex("1C50 0C 01 45 1E")]
        rig.twin.time_out()
        assert rig.twin.presenter.thrown_out == rig.twin.printed


def test_no_slip_is_pushed_into_one_that_still_hangs_in_the_mouth() -> None:
    with a_printer(profile="kiosk-custom") as rig:
        driver = rig.open()
        rig.twin.leave_slips()
        driver.print_slip(TICKET)
        with pytest.raises(Refused, match="a slip still hangs in the mouth; nothing was sent") as refused:
            driver.print_slip(TICKET)
        assert refused.value.condition is Condition.BUSY
        assert len(rig.twin.printed) == 1
        rig.twin.take_slip()
        driver.print_slip(TICKET)
        assert lines_of(rig) == [LINES, LINES]


def test_a_slip_that_is_taken_in_time_frees_the_mouth_for_the_next() -> None:
    with a_printer(profile="kiosk-custom") as rig:
        driver = rig.open()
        rig.twin.leave_slips()
        driver.print_slip(TICKET)
        received = rig.twin.received

        def take() -> None:
            until(lambda: rig.twin.received > received)
            rig.twin.take_slip()

        helper = in_the_background(take)
        driver.print_slip(TICKET)
        helper.join()
        assert lines_of(rig) == [LINES, LINES]


def test_a_slip_in_the_mouth_is_no_trouble_of_the_printer() -> None:
    with a_printer(profile="kiosk-custom") as rig:
        driver = rig.open()
        rig.twin.leave_slips()
        driver.print_slip(TICKET)
        assert driver.conditions() == frozenset()


def test_retracted_slips_are_counted_by_the_printer() -> None:
    with a_printer(profile="kiosk-custom") as rig:
        driver = rig.open()
        rig.twin.leave_slips()
        assert driver.retracted_count() == 0
        driver.print_slip(TICKET)
        rig.twin.time_out()
        assert driver.retracted_count() == 1
        assert rig.twin.presenter.retracted == rig.twin.printed
        rig.line.mangle = lambda _: b"\xff\xfe"
        with pytest.raises(BadReply, match="ff fe"):
            driver.retracted_count()
        rig.twin.go_mute()
        rig.line.mangle = None
        with pytest.raises(NoReply):
            driver.retracted_count()


def test_the_panel_button_of_a_kiosk_does_nothing_from_hello_on_and_after_each_slip() -> None:
    with a_printer(profile="kiosk-custom", confirm="gs_r") as rig:
        driver = rig.open()
        driver.hello()
        for _ in range(2):
            rig.twin.hold_feed_button()
            assert driver.conditions() == frozenset()
            driver.print_slip(TICKET)
        assert rig.line.sent_to_twins().count(bytes.fromhex("1B 40 1B 63 35 01")) == 2
    with a_printer() as rig:
        rig.open().print_slip(TICKET)
        assert b"\x1bc5" not in rig.line.sent_to_twins()


def test_a_full_presenter_jams_the_slip_and_says_so() -> None:
    with a_printer(profile="kiosk-custom") as rig:
        driver = rig.open()
        rig.twin.leave_slips()
        # Somebody pushes the slip of before back in while the next one is printed.
        rig.twin.after_lines(1, lambda: setattr(rig.twin.presenter, "mouth", rig.twin.paper))
        with pytest.raises(Refused) as refused:
            driver.print_slip(TICKET)
        assert refused.value.condition is Condition.PAPER_JAM


def test_a_printer_that_is_no_custom_one_is_not_taken_for_it() -> None:
    with a_printer(profile="epson-80") as rig:
        link = rig.open().link
        with pytest.raises(NoReply, match="0 full status and 4 of 4 answers"):
            DRIVER("PRN-01", link, EscposOptions(profile="kiosk-custom")).conditions()


# --- void slips


def test_a_void_slip_is_cleared_where_the_usual_command_does_nothing_at_paper_end() -> None:
    with a_printer() as rig:
        driver = rig.open()
        assert rig.twin.clears_after_errors_only
        rig.twin.paper_out_after(lines=2)
        with pytest.raises(Refused):
            driver.print_slip(TICKET)
        rig.twin.refill()
        driver.print_slip(TICKET)
        assert lines_of(rig) == [LINES[:2], LINES]
        assert bytes.fromhex("10 14 08 01 03 14 01 06 02 08") in rig.line.sent_to_twins()


def test_a_clone_that_knows_one_command_only_is_told_in_both_ways_and_prints_nothing_of_the_other() -> None:
    with a_printer(profile="clone-80", confirm="gs_r") as rig:
        driver = rig.open()
        rig.twin.paper_out_after(lines=2)
        with pytest.raises(Refused):
            driver.print_slip(TICKET)
        rig.twin.refill()
        assert lines_of(rig) == [LINES[:2]]
        assert rig.line.sent_to_twins().endswith(CLEAR_BUFFERS + RECOVER_AND_CLEAR + STATUS_QUESTION)
        driver.print_slip(TICKET)
        assert lines_of(rig) == [LINES[:2], LINES]


def test_where_neither_command_helps_the_ghost_is_at_least_not_taken_for_the_reprint() -> None:
    with a_printer(profile="clone-80", confirm="gs_r") as rig:
        driver = rig.open()
        rig.twin.clear_after_errors_only()
        rig.twin.paper_out_after(lines=1)
        with pytest.raises(Refused):
            driver.print_slip(TICKET)
        rig.twin.refill()
        until(lambda: len(rig.twin.printed) == 2)
        driver.print_slip(TICKET)
        assert [slip.lines for slip in rig.twin.whole_slips] == [LINES]


def test_nothing_is_cleared_in_a_printer_without_a_void_slip_of_ours() -> None:
    with a_printer() as rig:
        driver = rig.open()
        driver.hello()
        rig.twin.run_out_of_paper()
        with pytest.raises(Refused):
            driver.print_slip(TICKET)
        rig.twin.refill()
        driver.print_slip(TICKET)
        assert b"\x10\x05" not in rig.line.sent_to_twins()
        assert b"\x10\x14" not in rig.line.sent_to_twins()
