"""A slow slip printer with a small buffer on a serial line: XON and XOFF heeded, and what happens where they are not.

The wire of RTS and CTS is not shown by this: a pseudo-terminal has none. Only that the terminal is told to heed it is.
"""

import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from drivers import printer_escpos
from drivers.base import Condition, NoReply, Refused, Slip, SlipQr, SlipText, Unconfirmed
from drivers.escpos_profiles import EscposOptions
from drivers.escpos_slip import encode_slip
from drivers.escpos_status import Replies
from drivers.printer_escpos import DRIVER
from sim.carriers import PtyLine
from sim.printer_escpos import TWIN
from sim.stopwatch import Stopwatch
from tests.contract.contract import Rig, ScriptedStream
from tests.contract.printer_room import LINES, TICKET, lines_of
from tests.waiting import until

TABLE: dict[str, Any] = {"profile": "clone-58", "confirm": "gs_r", "baud": 38400}
"""Composes no codes, so that they travel as raster."""
QR = SlipQr(data="https://hall.example/q/3fK9xPq2LmZ7", module_dots=4)
PICTURES = Slip(parts=(SlipText(text="A037"), QR, QR))
SLOW = {"buffer_bytes": 2048, "reserve_bytes": 1280, "bytes_per_s": 2600}
"""The reserve is a third of a second of the line: that long may a loaded machine keep the twin from reading."""


@contextmanager
def a_slow_printer(folder: Path, **options: Any) -> Iterator[Rig]:
    table = TABLE | options
    twin, line = TWIN("PRN-01", table), PtyLine(folder / "port")
    line.attach(twin)
    line.start()
    twin.be_slow(**SLOW)
    rig = Rig(driver_type=DRIVER, options=table, twin=twin, line=line, device="PRN-01")
    try:
        yield rig
    finally:
        rig.close()


def as_it_should_be() -> list[Any]:
    """The strips of paper that a printer with room for everything prints."""
    twin = TWIN("PRN-01", TABLE)
    twin.receive(encode_slip(PICTURES, EscposOptions(**TABLE)).data)
    return list(twin.printed[0].strips)


def test_a_slip_with_pictures_arrives_whole_in_a_small_buffer(tmp_path: Path) -> None:
    assert len(encode_slip(PICTURES, EscposOptions(**TABLE)).data) > 2 * SLOW["buffer_bytes"]
    with a_slow_printer(tmp_path) as rig:
        driver = rig.open()
        driver.hello()
        driver.print_slip(PICTURES)
        assert [list(slip.strips) for slip in rig.twin.printed] == [as_it_should_be()]
        assert rig.twin.small_buffer.stops > 0
        assert rig.twin.small_buffer.lost == 0


def test_without_flow_control_the_same_slip_is_damaged_and_not_confirmed(tmp_path: Path) -> None:
    with a_slow_printer(tmp_path, flow="none") as rig:
        driver = rig.open()
        driver.hello()
        with pytest.raises(Unconfirmed):
            driver.print_slip(PICTURES)
        assert rig.twin.small_buffer.lost > 0
        assert as_it_should_be() not in [list(slip.strips) for slip in rig.twin.printed]


def test_a_cover_opened_behind_an_xoff_voids_the_slip_and_nothing_of_it_comes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(printer_escpos, "WORKING_TIME_S", 2.5)
    with a_slow_printer(tmp_path) as rig:
        driver = rig.open()
        driver.hello()
        rig.twin.after_lines(1, rig.twin.open_cover)
        with pytest.raises(Refused) as refused:
            driver.print_slip(PICTURES)
        assert refused.value.condition is Condition.COVER_OPEN
        assert rig.twin.small_buffer.stops == 1
        rig.twin.recover()
        driver.print_slip(TICKET)
        assert [slip.lines for slip in rig.twin.whole_slips] == [LINES]


def test_a_printer_that_never_goes_on_is_unconfirmed_within_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(printer_escpos, "WORKING_TIME_S", 2.0)
    with a_slow_printer(tmp_path) as rig:
        driver = rig.open()
        driver.hello()
        rig.twin.stall()
        watch = Stopwatch()
        with pytest.raises(Unconfirmed, match=r"bytes were taken within 2 s on .*, then it said XOFF and no XON"):
            driver.print_slip(PICTURES)
        assert watch.s < driver.job_limit_s
        rig.twin.recover()
        driver.print_slip(TICKET)
        assert [slip.lines for slip in rig.twin.whole_slips] == [LINES]


def test_nothing_is_sent_to_a_printer_that_still_holds_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(printer_escpos, "XON_LIMIT_S", 0.2)
    with a_slow_printer(tmp_path) as rig:
        driver = rig.open()
        driver.hello()
        rig.line.noise(b"\x13")
        with pytest.raises(NoReply, match="it has said XOFF and no XON since; nothing was sent"):
            driver.print_slip(TICKET)
        assert rig.line.sent_to_twins().count(b"A001") == 0
        rig.line.noise(b"\x11")
        driver.print_slip(TICKET)
        until(lambda: lines_of(rig) == [LINES])


def test_flow_control_inside_an_answer_is_heard_and_harms_none() -> None:
    replies = Replies()
    replies.feed(b"\x5fAC\x13ME\x00\x10\x00\x13\x00\x0f\x12\x12")
    assert (replies.texts, replies.automatic, replies.held) == (["ACME"], [b"\x10\x00\x00\x0f"], True)
    replies.feed(b"\x11\x12")
    assert (bytes(replies.statuses), replies.held) == (b"\x12\x12\x12", False)
    # A full status is six bytes whatever they are.
    full = Replies(full_status=True)
    full.feed(b"\x10\x0f\x13\x00\x00\x00")
    assert (full.full, full.held) == ([b"\x10\x0f\x13\x00\x00\x00"], False)


def test_an_automatic_status_that_comes_while_the_slip_is_sent_is_no_answer_to_its_fence() -> None:
    class Talker(ScriptedStream):
        """Says the first byte of a status before the last piece, and the other three behind it."""

        has_speed = True

        def write(self, data: bytes, limit_s: float = 2.0) -> None:
            if data.startswith(b"\x10\x04"):
                self.waiting += b"\x12\x12\x12\x12"
            elif not self.waiting:
                self.waiting += b"\x10" if len(data) == 32 else b"\x00\x00\x0f"

    link = Talker([])
    driver = DRIVER("PRN-01", link, EscposOptions(confirm="gs_r"))
    driver._fences_owed = 0
    with pytest.raises(Unconfirmed, match="fence not answered"):
        driver.print_slip(TICKET)


@pytest.mark.parametrize(("flow", "wire"), [("rtscts", True), ("xonxoff", False), ("none", False)])
def test_the_terminal_heeds_the_wire_only_where_the_table_says_so(tmp_path: Path, flow: str, wire: bool) -> None:
    with a_slow_printer(tmp_path, flow=flow) as rig:
        rig.twin.recover()
        driver = rig.open()
        driver.hello()
        settings = termios.tcgetattr(driver.link.watched())
        assert bool(settings[2] & termios.CRTSCTS) == wire
        # Towards the printer 11 and 13 are dots like any others, and from it they are for the driver.
        assert not settings[0] & (termios.IXON | termios.IXOFF)
        driver.print_slip(TICKET)
        assert lines_of(rig) == [LINES]


def test_an_unknown_flow_control_says_what_is_legal() -> None:
    with pytest.raises(ValueError, match="flow = 'dtr': must be one of none, xonxoff, rtscts"):
        EscposOptions(flow="dtr")
