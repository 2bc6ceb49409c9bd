"""The catalogue's printer faults A01 to A09, for every family of printers, as far as a driver decides them.

What the hall makes of a refused or unconfirmed slip (screen, staff list, reprint) is shown by the journeys.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from drivers.base import Condition, LinkError, NoReply, Refused, Slip, SlipText, Unconfirmed
from drivers.printer_escpos import DRIVER, STATUS_QUESTION
from sim.carriers import PtyLine
from sim.printer_escpos import TWIN
from tests.contract.contract import Rig
from tests.contract.printer_room import LINES, TICKET, a_printer, answers, in_the_background, lines_of
from tests.waiting import until

FAMILIES: list[dict[str, Any]] = [
    {"profile": "epson-80"},
    {"profile": "epson-80", "confirm": "gs_h"},
    {"profile": "clone-80", "confirm": "gs_r"},
    {"profile": "clone-58", "confirm": "esc_v"},
    {"profile": "kiosk-custom"},
]
every_family = pytest.mark.parametrize("table", FAMILIES, ids=lambda t: "-".join(t.values()))


def whole(rig: Rig) -> list[list[str]]:
    return [slip.lines for slip in rig.twin.whole_slips]


@every_family
def test_a01_paper_out_before_the_slip_sends_nothing(table: dict[str, Any]) -> None:
    with a_printer(**table) as rig:
        driver = rig.open()
        rig.twin.run_out_of_paper()
        with pytest.raises(Refused, match="nothing was sent") as refused:
            driver.print_slip(TICKET)
        assert refused.value.condition is Condition.PAPER_OUT
        assert b"\x1b@" not in rig.line.sent_to_twins()
        rig.twin.refill()
        assert lines_of(rig) == []
        driver.print_slip(TICKET)
        assert lines_of(rig) == [LINES]


@every_family
def test_a02_paper_end_in_the_middle_leaves_no_ghost_and_one_whole_reprint(table: dict[str, Any]) -> None:
    with a_printer(**table) as rig:
        driver = rig.open()
        rig.twin.paper_out_after(lines=2)
        with pytest.raises(Refused, match="told to forget it") as refused:
            driver.print_slip(TICKET)
        assert refused.value.condition is Condition.PAPER_OUT
        rig.twin.refill()
        driver.print_slip(TICKET)
        assert lines_of(rig) == [LINES[:2], LINES]
        assert whole(rig) == [LINES]


@every_family
def test_a02_the_ghost_of_a_printer_that_forgets_nothing_confirms_no_other_slip(table: dict[str, Any]) -> None:
    with a_printer(**table) as rig:
        driver = rig.open()
        rig.twin.ignore_clearing()
        rig.twin.paper_out_after(lines=1)
        with pytest.raises(Refused):
            driver.print_slip(TICKET)
        rig.twin.refill()
        driver.print_slip(Slip(parts=(SlipText(text="A002"),)))
        assert whole(rig)[-1] == ["A002"]
        # And a second paper end is still seen as one.
        rig.twin.paper_out_after(lines=1)
        with pytest.raises(Refused):
            driver.print_slip(TICKET)


@every_family
@pytest.mark.parametrize("verb", ["jam", "break_down"])
def test_a03_a_jam_in_the_middle_voids_the_slip(table: dict[str, Any], verb: str) -> None:
    with a_printer(**table) as rig:
        driver = rig.open()
        rig.twin.after_lines(2, getattr(rig.twin, verb))
        with pytest.raises(Refused) as refused:
            driver.print_slip(TICKET)
        assert refused.value.condition in {Condition.PAPER_JAM, Condition.DEVICE_FAULT}
        rig.twin.recover()
        driver.print_slip(TICKET)
        assert whole(rig) == [LINES]


@every_family
def test_a03_a_stuck_cutter_voids_the_slip(table: dict[str, Any]) -> None:
    with a_printer(**table) as rig:
        if not rig.twin.has_cutter:
            return
        driver = rig.open()
        rig.twin.jam_cutter_when_cutting()
        with pytest.raises(Refused) as refused:
            driver.print_slip(TICKET)
        assert refused.value.condition is Condition.CUTTER_ERROR
        rig.twin.recover()
        driver.print_slip(TICKET)
        assert whole(rig) == [LINES]


@every_family
def test_a04_silence_before_is_no_reply_and_silence_in_the_middle_is_unconfirmed(table: dict[str, Any]) -> None:
    with a_printer(**table) as rig:
        driver = rig.open()
        driver.hello()
        rig.twin.go_mute()
        with pytest.raises(NoReply):
            driver.print_slip(TICKET)
        assert rig.twin.paper.blank
        rig.twin.recover()
        rig.twin.go_mute_after(bytes_received=40)
        with pytest.raises(Unconfirmed):
            driver.print_slip(TICKET)
        rig.twin.recover()
        driver.print_slip(TICKET)
        assert lines_of(rig) == [LINES, LINES]


@pytest.mark.parametrize("confirm", ["gs_r", "gs_h"])
def test_a05_what_an_earlier_life_of_the_daemon_left_confirms_nothing(confirm: str) -> None:
    with a_printer(confirm=confirm) as rig:
        before = rig.open()
        before.hello()
        rig.twin.stall()
        with pytest.raises(Unconfirmed):
            before.print_slip(TICKET)
        before.link.close()

        after = rig.open()
        with pytest.raises(Unconfirmed, match="no fault shows, fence not answered"):
            after.print_slip(Slip(parts=(SlipText(text="A002"),)))
        rig.twin.go_on()
        after.print_slip(Slip(parts=(SlipText(text="A003"),)))
        assert lines_of(rig) == [LINES, ["A002"], ["A003"]]


@every_family
def test_a06_power_lost_in_the_middle_is_unconfirmed_and_cut_off_the_next(table: dict[str, Any]) -> None:
    with a_printer(**table) as rig:
        driver = rig.open()
        driver.hello()
        rig.twin.lose_power_after(bytes_received=45)
        with pytest.raises(Unconfirmed):
            driver.print_slip(TICKET)
        assert whole(rig) == []
        rig.twin.power_on()
        driver.print_slip(TICKET)
        assert whole(rig) == [LINES]
        assert all(slip.partial for slip in rig.twin.printed[:-1])


PASSING = [("open_cover", "close_cover"), ("overheat", "cool_down")]


@every_family
@pytest.mark.parametrize(("trouble", "end"), PASSING)
def test_a07_what_passes_in_time_is_waited_for(table: dict[str, Any], trouble: str, end: str) -> None:
    with a_printer(**table) as rig:
        driver = rig.open()
        rig.twin.after_lines(1, getattr(rig.twin, trouble))

        def mend() -> None:
            until(lambda: rig.twin.is_offline)
            getattr(rig.twin, end)()

        helper = in_the_background(mend)
        driver.print_slip(TICKET)
        helper.join()
        assert whole(rig) == [LINES]


@pytest.mark.parametrize(
    ("trouble", "end", "condition"),
    [(*PASSING[0], Condition.COVER_OPEN), (*PASSING[1], Condition.HEAD_HOT)],
)
def test_a07_what_does_not_pass_voids_the_slip(trouble: str, end: str, condition: Condition) -> None:
    with a_printer() as rig:
        driver = rig.open()
        rig.twin.after_lines(1, getattr(rig.twin, trouble))
        with pytest.raises(Refused) as refused:
            driver.print_slip(TICKET)
        assert refused.value.condition is condition
        getattr(rig.twin, end)()
        driver.print_slip(TICKET)
        assert whole(rig) == [LINES]


def test_a08_a_printer_that_comes_back_is_asked_before_it_is_sent_anything(tmp_path: Path) -> None:
    twin, line = TWIN("PRN-01", {}), PtyLine(tmp_path / "port")
    line.attach(twin)
    line.start()
    rig = Rig(driver_type=DRIVER, options={}, twin=twin, line=line, device="PRN-01")
    driver = rig.open()
    driver.hello()
    first = line.link.readlink()
    line.unplug()
    with pytest.raises(LinkError):
        until(lambda: driver.conditions() is None)
    driver.link.close()
    taken = [os.openpty()]  # somebody else gets the number that became free
    while all(os.ttyname(slave) != str(first) for _, slave in taken) and len(taken) < 50:
        taken.append(os.openpty())
    line.replug()
    assert line.link.readlink() != first
    line.transcript.clear()
    rig.open().print_slip(TICKET)
    assert line.sent_to_twins().startswith(STATUS_QUESTION)
    assert lines_of(rig) == [LINES]
    rig.close()
    for fd in (fd for pair in taken for fd in pair):
        os.close(fd)


@every_family
@pytest.mark.parametrize("charset", ["gb2312", "gbk", "gb18030"])
def test_a09_a_rare_character_is_drawn_and_never_sent_as_four_bytes(table: dict[str, Any], charset: str) -> None:
    with a_printer(**table, charset=charset) as rig:
        rig.open().print_slip(
            Slip(
                parts=(
                    SlipText(text="A037", scale=2),
                    SlipText(text="张\U00020bb7\u4dae"),
                    SlipText(text="\ue000 A037"),
                )
            )
        )
        [slip] = rig.twin.printed
        assert slip.lines == ["A037", "〓 A037"]
        assert len(slip.rasters) == 1
        sent = rig.line.sent_to_twins()
        for char in ("\U00020bb7", "\ue000"):
            assert char.encode("gb18030") not in sent


@every_family
def test_a_slow_printer_is_waited_for(table: dict[str, Any]) -> None:
    with a_printer(**table) as rig:
        driver = rig.open()
        driver.hello()
        rig.twin.print_slowly(0.4)
        driver.print_slip(TICKET)
        assert whole(rig) == [LINES]
        rig.twin.recover()
        assert answers(driver)
