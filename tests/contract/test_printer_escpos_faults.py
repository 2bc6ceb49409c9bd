"""ESC/POS slip printer: whatever breaks, the driver tells the truth about the slip."""

import socket
import threading

import pytest

from drivers.base import (
    BadReply,
    Condition,
    LinkError,
    NoReply,
    Refused,
    Slip,
    SlipText,
    Unconfirmed,
)
from drivers.escpos_profiles import EscposOptions
from drivers.printer_escpos import DRIVER
from sim.printer_paper import Cut
from sim.stopwatch import Stopwatch
from tests.contract.contract import Rig, ScriptedStream
from tests.contract.printer_room import (
    GOLDEN_TICKET,
    HEALTHY,
    LINES,
    STATES,
    TICKET,
    answers,
    in_the_background,
    lines_of,
    rig,
)
from tests.waiting import until

__all__ = ["rig"]


@pytest.mark.parametrize("state", [s for s in STATES if any(c.blocks for c in s[3])], ids=lambda s: s[0])
def test_nothing_is_sent_to_a_printer_that_cannot_print(rig: Rig, state: tuple[str, str, str, set[Condition]]) -> None:
    driver = rig.open()
    getattr(rig.twin, state[0])()
    with pytest.raises(Refused, match=r"PRN-01: .*nothing was sent") as refused:
        driver.print_slip(TICKET)
    assert {refused.value.condition} == state[3]
    rig.twin.recover()
    assert lines_of(rig) == []
    driver.print_slip(TICKET)
    assert lines_of(rig) == [LINES]


def test_low_paper_still_prints(rig: Rig) -> None:
    rig.twin.run_low()
    rig.open().print_slip(TICKET)
    assert lines_of(rig) == [LINES]


def test_paper_end_in_the_middle_gives_exactly_one_whole_reprint_and_no_ghost(rig: Rig) -> None:
    driver = rig.open()
    rig.twin.paper_out_after(lines=2)
    with pytest.raises(Refused) as refused:
        driver.print_slip(TICKET)
    assert refused.value.condition is Condition.PAPER_OUT

    rig.twin.refill()
    assert lines_of(rig) == [LINES[:2]]
    driver.print_slip(TICKET)

    assert lines_of(rig) == [LINES[:2], LINES]
    assert rig.twin.whole_slips == rig.twin.printed[1:]
    assert rig.twin.printed[0].cut is Cut.TORN


def test_paper_end_by_length_leaves_what_moved_on_paper(rig: Rig) -> None:
    driver = rig.open()
    rig.twin.paper_out_after(mm=7)
    with pytest.raises(Refused):
        driver.print_slip(TICKET)
    rig.twin.refill()
    assert lines_of(rig) == [LINES[:1]]


def test_ghost_of_a_printer_that_ignores_the_clearing_does_not_confirm_the_reprint(rig: Rig) -> None:
    driver = rig.open()
    rig.twin.clears_on_command = False
    rig.twin.paper_out_after(lines=1)
    with pytest.raises(Refused):
        driver.print_slip(TICKET)
    rig.twin.refill()
    until(lambda: len(rig.twin.printed) == 2)
    assert [s.partial for s in rig.twin.printed] == [True, True]

    driver.print_slip(TICKET)
    assert [s.lines for s in rig.twin.whole_slips] == [LINES]


def test_an_answer_to_an_earlier_fence_is_not_taken_for_this_one() -> None:
    # Status, fence of the settling (silent), the slip, then one late answer: it may be anybody's.
    link = ScriptedStream([HEALTHY, b"", b"\x00", *[HEALTHY] * 50])
    with pytest.raises(Unconfirmed, match="fence not answered"):
        DRIVER("PRN-01", link, EscposOptions()).print_slip(TICKET)


def test_cover_opened_in_the_middle_and_closed_again_completes_the_slip(rig: Rig) -> None:
    driver = rig.open()
    rig.twin.after_lines(1, rig.twin.open_cover)

    def close() -> None:
        until(lambda: rig.twin.cover_is_open)
        rig.twin.close_cover()

    helper = in_the_background(close)
    driver.print_slip(TICKET)
    helper.join()
    assert lines_of(rig) == [LINES]


def test_hot_head_is_waited_for(rig: Rig) -> None:
    driver = rig.open()
    rig.twin.after_lines(1, rig.twin.overheat)

    def cool() -> None:
        until(lambda: rig.twin.head_is_hot)
        rig.twin.cool_down()

    helper = in_the_background(cool)
    driver.print_slip(TICKET)
    helper.join()
    assert lines_of(rig) == [LINES]


def test_stuck_cutter_voids_the_slip_and_the_next_one_is_cut_apart_from_it(rig: Rig) -> None:
    driver = rig.open()
    rig.twin.jam_cutter_when_cutting()
    with pytest.raises(Refused, match="the cutter is stuck") as refused:
        driver.print_slip(TICKET)
    assert refused.value.condition is Condition.CUTTER_ERROR

    rig.twin.recover()
    driver.print_slip(TICKET)
    assert lines_of(rig) == [LINES, LINES]
    assert [s.partial for s in rig.twin.printed] == [True, False]


def test_mute_before_means_nothing_was_sent(rig: Rig) -> None:
    driver = rig.open()
    rig.twin.go_mute()
    with pytest.raises(NoReply, match="PRN-01: asked for status, 0 of 4 answers within 1 s"):
        driver.print_slip(TICKET)
    assert rig.twin.received == 12
    assert rig.twin.paper.blank


def test_mute_in_the_middle_is_unconfirmed_and_the_next_slip_is_whole(rig: Rig) -> None:
    driver = rig.open()
    driver.hello()
    rig.twin.go_mute_after(bytes_received=40)
    with pytest.raises(Unconfirmed, match="PRN-01: a slip of"):
        driver.print_slip(TICKET)
    assert lines_of(rig) == [LINES]

    rig.twin.recover()
    driver.print_slip(TICKET)
    assert lines_of(rig) == [LINES, LINES]


def test_power_lost_in_the_middle_is_unconfirmed_and_the_half_slip_is_cut_off(rig: Rig) -> None:
    driver = rig.open()
    driver.hello()
    rig.twin.lose_power_after(bytes_received=40)
    with pytest.raises(Unconfirmed):
        driver.print_slip(TICKET)
    assert lines_of(rig) == []

    rig.twin.power_on()
    driver.print_slip(TICKET)
    assert [s.lines for s in rig.twin.whole_slips] == [LINES]
    assert [s.lines for s in rig.twin.printed if s.partial] == [LINES[:2]]


def test_power_lost_while_idle_is_silence_and_the_next_slip_asks_for_every_change_again(rig: Rig) -> None:
    driver = rig.open()
    driver.hello()
    rig.twin.lose_power()
    with pytest.raises(NoReply):
        driver.conditions()
    with pytest.raises(NoReply):
        driver.print_slip(TICKET)
    rig.twin.power_on()
    rig.twin.paper_out_after(lines=1)
    with pytest.raises(Refused):
        driver.print_slip(TICKET)
    rig.twin.refill()
    driver.print_slip(TICKET)
    assert [s.lines for s in rig.twin.whole_slips] == [LINES]


def test_a_cutter_that_waits_for_recovery_is_told_so_with_the_void_slip_and_never_on_its_own_accord(rig: Rig) -> None:
    driver = rig.open()
    driver.hello()
    rig.twin.wait_for_recovery()
    with pytest.raises(Refused, match="nothing was sent"):
        driver.print_slip(TICKET)
    assert rig.twin.waits_for_recovery
    rig.twin.recover()
    rig.twin.after_lines(1, rig.twin.wait_for_recovery)
    with pytest.raises(Refused, match="the slip is void"):
        driver.print_slip(TICKET)
    assert not rig.twin.waits_for_recovery
    driver.print_slip(TICKET)
    assert [s.lines for s in rig.twin.whole_slips] == [LINES]


def test_line_pulled_after_the_first_byte_is_unconfirmed(rig: Rig) -> None:
    driver = rig.open()
    driver.hello()
    received = rig.twin.received
    rig.twin.stall()

    def pull() -> None:
        until(lambda: rig.twin.received > received + len(GOLDEN_TICKET))
        rig.line.unplug()

    helper = in_the_background(pull)
    with pytest.raises(Unconfirmed, match="was being printed, then: socket://"):
        driver.print_slip(TICKET)
    helper.join()


def test_line_gone_before_is_a_link_error(rig: Rig) -> None:
    driver = rig.open()
    driver.hello()
    rig.line.unplug()
    with pytest.raises(LinkError):
        driver.print_slip(TICKET)


def test_printer_that_another_client_holds_prints_nothing_until_that_one_leaves(rig: Rig) -> None:
    with socket.create_connection(("127.0.0.1", int(rig.line.port.rpartition(":")[2]))) as somebody:
        somebody.sendall(b"\x10\x04\x01")
        assert somebody.recv(1)
        with pytest.raises(NoReply):
            rig.open().print_slip(TICKET)
        assert rig.twin.printed == []
    rig.links[-1].close()
    driver = rig.open()
    driver.hello()
    driver.print_slip(TICKET)
    assert lines_of(rig) == [LINES]


def test_stalled_printer_is_unconfirmed_and_prints_later_what_it_has(rig: Rig) -> None:
    driver = rig.open()
    driver.hello()
    rig.twin.stall()
    with pytest.raises(Unconfirmed, match="no fault shows, fence not answered within 3"):
        driver.print_slip(TICKET)
    assert lines_of(rig) == []
    rig.twin.go_on()
    driver.print_slip(Slip(parts=(SlipText(text="A002"),)))
    assert lines_of(rig) == [LINES, ["A002"]]


def test_status_later_than_a_second_is_no_reply(rig: Rig) -> None:
    driver = rig.open()
    rig.twin.answer_late(0.4)  # each of the four
    with pytest.raises(NoReply, match="of 4 answers"):
        driver.print_slip(TICKET)
    rig.twin.recover()
    until(lambda: answers(driver))
    driver.print_slip(TICKET)
    assert lines_of(rig) == [LINES]


def test_a_device_that_dribbles_for_ever_does_not_hold_the_job(rig: Rig) -> None:
    driver = rig.open()
    driver.hello()
    rig.twin.go_mute_after(bytes_received=40)
    over = threading.Event()

    def dribble() -> None:
        while not over.wait(0.4):
            rig.line.noise(b"\x10")

    helper = in_the_background(dribble)
    watch = Stopwatch()
    with pytest.raises(Unconfirmed):
        driver.print_slip(TICKET)
    with pytest.raises(NoReply):
        driver.conditions()
    over.set()
    helper.join()
    assert watch.s < driver.job_limit_s


def test_wrong_constant_bits_are_a_bad_reply_with_the_bytes(rig: Rig) -> None:
    driver = rig.open()
    rig.twin.spoil_fixed_bits()
    with pytest.raises(BadReply, match=r"PRN-01: asked for status, 0 of 4 answers .* noise: 93 93 93 93"):
        driver.print_slip(TICKET)
    assert rig.twin.received == 12
    rig.twin.recover()
    driver.print_slip(TICKET)


def test_automatic_status_and_flow_control_between_answers_change_nothing(rig: Rig) -> None:
    driver = rig.open()
    rig.line.mangle = lambda data: b"\x10\x00\x03\x0f\x13" + data + b"\x11\x18\x00\x0f\x0f"
    assert driver.hello().vendor == "ACME"
    driver.print_slip(TICKET)
    assert driver.conditions() == frozenset()


def test_automatic_status_switched_on_by_somebody_else_is_skipped(rig: Rig) -> None:
    driver = rig.open()
    driver.link.write(b"\x1da\xff")
    rig.twin.paper_out_after(lines=1)
    with pytest.raises(Refused):
        driver.print_slip(TICKET)
    rig.twin.refill()
    rig.twin.open_cover()
    assert driver.conditions() == {Condition.COVER_OPEN}
    rig.twin.recover()
    driver.print_slip(TICKET)
    assert [s.lines for s in rig.twin.whole_slips] == [LINES]
