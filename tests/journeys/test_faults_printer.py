"""Faults of the slip printer (faults.md A01 to A09): what the resident reads on the screen, and who else is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFont

from hall_daemon.kiosk_visit import KioskTimes
from tests.journeys.conftest import Hall
from tests.journeys.fault_hall import Operator, Resident, slips, words
from tests.waiting import until

pytestmark = pytest.mark.timeout(120)

RESET = b"\x1b@"
"""With this a slip begins."""


@pytest.mark.fault("A01")
def test_without_paper_a_number_is_given_on_the_screen_and_the_neighbour_named(faulty: Hall) -> None:
    operator, resident = Operator(faulty), Resident(faulty)
    faulty["PRN-01"].run_out_of_paper()
    operator.sees("PRN-01", "bad", "缺纸")
    operator.is_told("PRN-01", ("degraded", "paper_out"))
    resident.reads("本机打印纸用完了，请取号后记下屏幕上的号码")
    resident.reads("要纸质号票请用2号取号机")

    view = resident.take()
    number = view["ticket"]["number"]
    assert (view["screen"], view["title"]["zh"], view["line"]["zh"]) == (
        "nopaper", "号已取好，但打印纸用完了", "号码有效，请记下",
    )  # fmt: skip
    assert "可到2号取号机再刷一次证补打" in words(view)
    assert [c["key"] for c in view["choices"]] == ["1"], "nothing to print on"
    operator.is_told_of_slips(number, ("failed", "paper_out"))
    assert operator.unprinted("PRN-01") == [number]
    assert RESET not in faulty.bench.lines["PRN-01"].sent_to_twins()
    faulty.clerk("1", "c001").say("next", seen=None)
    operator.hears("1", "这张号没有打印出来，号码有效。")


@pytest.mark.fault("A02")
def test_paper_that_ends_in_a_slip_leaves_no_ghost_and_one_marked_reprint(faulty: Hall) -> None:
    operator, resident, printer = Operator(faulty), Resident(faulty), faulty["PRN-01"]
    printer.paper_out_after(lines=4)
    number = resident.take()["ticket"]["number"]
    resident.reads("号已取好，但打印纸用完了")
    operator.sees("PRN-01", "bad", "缺纸")
    operator.is_told_of_slips(number, ("failed", "paper_out"))
    assert operator.unprinted("PRN-01") == [number]
    assert ("warn", "未出票", f"{number}：号码有效，半张票已作废，可补打") in operator.signals("PRN-01")

    printer.print_slowly(0.05)
    printer.refill()
    operator.sees("PRN-01", "ok", "正常")
    resident.reads("再打印一次")
    assert slips(faulty, "PRN-01", number) == [], "neither a ghost nor a copy that nobody asked for"
    resident.keypad.press("2")
    view = resident.reads("请勿离开，正在补打")
    assert view["ticket"]["number"] == number
    resident.shows("done")
    assert slips(faulty, "PRN-01", number) == [True]
    operator.is_told_of_slips(number, ("failed", "paper_out"), ("ok", ""))
    assert operator.unprinted("PRN-01") == []
    assert "未出票" not in [name for _, name, _ in operator.signals("PRN-01")]


@pytest.mark.fault("A03")
@pytest.mark.parametrize(
    ("verb", "state", "sentence", "reason"),
    [("jam", "卡纸", "打印机卡纸了", "jam"), ("jam_cutter", "切刀卡住", "打印机切刀故障", "cutter")],
)
def test_after_a_jam_the_number_stands_and_any_printer_makes_its_slip(
    faulty: Hall, verb: str, state: str, sentence: str, reason: str
) -> None:
    operator, resident, printer = Operator(faulty), Resident(faulty), faulty["PRN-01"]
    printer.after_lines(3, getattr(printer, verb))
    view = resident.take()
    number = view["ticket"]["number"]
    assert (view["screen"], view["title"]["zh"]) == ("nopaper", f"号已取好，但{sentence}")
    assert KioskTimes().silence_s >= 30, "so long the number stays, then it asks"
    operator.sees("PRN-01", "bad", state)
    operator.is_told_of_slips(number, ("failed", reason))
    assert operator.unprinted("PRN-01") == [number]

    if verb == "jam":  # the guide's desk prints it at any printer
        asked = faulty.http.post(f"/tickets/{number}/slip", json={"kiosk": "k2"})
        assert (asked.status_code, asked.json()["result"]) == (200, "ok"), asked.text
        assert slips(faulty, "PRN-02", number) == [True]
        operator.is_told_of_slips(number, ("failed", reason), ("ok", ""))
        assert operator.unprinted("PRN-01") == []
        assert faulty.events("ticket.printed")[-1]["reprint_by"] == "technician"
        assert faulty.http.post(f"/tickets/{number}/slip", json={"kiosk": "k9"}).status_code == 404
        again = faulty.http.post(f"/tickets/{number}/slip", json={"kiosk": "k1"}).json()
        assert (again["result"], again["reason"]) == ("failed", "jam")
        return

    elsewhere = Resident(faulty, "k2")  # and so does the resident's card
    elsewhere.lay("zhang")
    assert elsewhere.shows("duplicate")["ticket"]["number"] == number
    elsewhere.press("1", "done")
    assert slips(faulty, "PRN-02", number) == [True]
    until(lambda: operator.unprinted("PRN-01") == [], what="off the list")
    assert slips(faulty, "PRN-01", number) == []


@pytest.mark.fault("A04")
def test_a_printer_that_falls_silent_is_a_question_and_never_a_second_slip(faulty: Hall) -> None:
    operator, resident, printer = Operator(faulty), Resident(faulty), faulty["PRN-01"]
    printer.go_mute_after(bytes_received=100)
    view = resident.take()
    number = view["ticket"]["number"]
    assert (view["screen"], view["title"]["zh"]) == ("unsure", "票出来了吗？")
    assert [(c["key"], c["label"]["zh"]) for c in view["choices"]] == [("1", "出来了"), ("2", "没有，请补打")]
    operator.is_told_of_slips(number, ("unknown", "timeout"))
    assert operator.unprinted("PRN-01") == [number]
    assert ("warn", "打印结果不明", number) in operator.signals("PRN-01")
    faulty.clerk("1", "c001").say("next", seen=None)
    operator.hears("1", "打印结果不明，号码有效，没拿到票可到取号机补打。")
    operator.sees("PRN-01", "warn", "断线")

    printer.recover()
    operator.sees("PRN-01", "ok", "正常", 40)
    before = slips(faulty, "PRN-01", number)
    assert True not in before, "nobody has asked for a second slip"
    resident.press("2", "done")
    assert slips(faulty, "PRN-01", number) == [*before, True]
    until(lambda: not operator.notices("1"), what="the clerk's notice is gone")


@pytest.mark.fault("A05")
def test_a_number_without_a_slip_is_offered_again_after_a_kill(faulty: Hall) -> None:
    operator, resident, printer = Operator(faulty), Resident(faulty), faulty["PRN-01"]
    resident.identify()
    resident.choose()
    printer.go_mute()  # the question before the slip gets no answer, so that no byte of the slip is sent
    resident.keypad.press("ok")
    number = resident.screen.until(lambda v: v["ticket"], 40, "a number")["ticket"]["number"]
    faulty.daemon.kill()
    printer.recover()
    resident.reader.lift()
    assert RESET not in faulty.bench.lines["PRN-01"].sent_to_twins()

    faulty.daemon.start()
    view = resident.shows("unprinted")
    assert view["title"]["zh"] == f"{number} 未出票，按确认补打"
    assert view["line"]["zh"] == "机器刚刚重新启动，您的号码仍然有效"
    assert operator.unprinted("PRN-01") == [number]
    operator.sees("PRN-01", "ok", "正常")
    resident.press("ok", "done")
    assert slips(faulty, "PRN-01", number) == [True]
    operator.is_told_of_slips(number, ("unknown", "offline"), ("ok", ""))
    assert operator.unprinted("PRN-01") == []


@pytest.mark.fault("A06")
def test_a_slip_under_way_when_the_daemon_dies_is_offered_then_left_to_the_staff(
    start_faulty: Callable[..., Hall],
) -> None:
    hall = start_faulty(hurried=True)
    operator, resident, printer = Operator(hall), Resident(hall), hall["PRN-01"]
    printer.stall()
    resident.identify()
    resident.choose()
    resident.keypad.press("ok")
    until(lambda: RESET in hall.bench.lines["PRN-01"].sent_to_twins(), what="the slip has begun")
    number = resident.screen.until(lambda v: v["ticket"], 40, "a number")["ticket"]["number"]
    hall.daemon.kill()
    printer.recover()
    resident.reader.lift()

    hall.daemon.start()
    assert resident.shows("unprinted")["title"]["zh"] == f"{number} 未出票，按确认补打"
    resident.shows("idle")
    assert operator.printed(number) == [("unknown", "offline")], "nobody claims to know"
    assert operator.unprinted("PRN-01") == [number], "the list stays when the offer is over"
    assert True not in slips(hall, "PRN-01", number)


@pytest.mark.fault("A07")
def test_a_hot_head_is_waited_for_and_the_resident_told_why(faulty: Hall) -> None:
    operator, resident, printer = Operator(faulty), Resident(faulty), faulty["PRN-01"]
    printer.overheat()
    operator.sees("PRN-01", "warn", "打印头过热")
    resident.identify()
    resident.choose()
    resident.keypad.press("ok")
    number = resident.reads("打印机正在冷却，请稍候")["ticket"]["number"]
    printer.cool_down()
    resident.shows("done")
    assert slips(faulty, "PRN-01", number) == [False]
    operator.is_told("PRN-01", ("degraded", "head_hot"), ("ok", "online"))


@pytest.mark.fault("A07")
def test_a_cover_that_stays_open_is_waited_for_and_then_a_failure(faulty: Hall) -> None:
    operator, resident, printer = Operator(faulty), Resident(faulty), faulty["PRN-01"]
    printer.open_cover()
    operator.sees("PRN-01", "warn", "上盖打开")
    resident.identify()
    resident.choose()
    resident.keypad.press("ok")
    number = resident.reads("打印机盖子没关好，请稍候")["ticket"]["number"]
    view = resident.shows("nopaper")
    assert view["title"]["zh"] == "号已取好，但打印机盖子没关好"
    operator.is_told_of_slips(number, ("failed", "cover"))
    printer.close_cover()
    operator.sees("PRN-01", "ok", "正常")
    resident.press("2", "done")
    assert slips(faulty, "PRN-01", number) == [True]


@pytest.mark.fault("A08")
def test_a_printer_that_comes_back_under_another_name_is_asked_before_it_prints(faulty: Hall) -> None:
    operator, resident, line = Operator(faulty), Resident(faulty), faulty.bench.lines["PRN-01"]
    name = str(Path(line.port).readlink())
    line.unplug()
    operator.sees("PRN-01", "warn", "断线")
    number = resident.take()["ticket"]["number"]
    resident.reads("号已取好，但打印机没有连上")
    operator.is_told_of_slips(number, ("failed", "offline"))

    holders: list[int] = []
    while len(holders) < 128 and name not in [os.ttyname(slave) for slave in holders[1::2]]:
        holders += os.openpty()  # until one has taken the old name, as another adapter would
    try:
        passed = len(line.transcript)
        line.replug()
        operator.sees("PRN-01", "ok", "正常")
        assert str(Path(line.port).readlink()) != name
        first = next(p.data for p in line.transcript[passed:] if p.direction == ">")
        assert first.startswith(b"\x10\x04"), "status before anything else"
        operator.is_told("PRN-01", ("failed", "offline"), ("ok", "online"))
        resident.press("2", "done")
        assert slips(faulty, "PRN-01", number) == [True]
    finally:
        for holder in holders:
            os.close(holder)


RARE = "\U00020bb7\ue000登记"
FONT = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"


@pytest.mark.fault("A09")
def test_a_character_that_no_printer_has_is_drawn_and_the_number_stays_readable(
    start_faulty: Callable[..., Hall],
) -> None:
    hall = start_faulty(item=RARE)
    resident = Resident(hall)
    view = resident.take()
    number = view["ticket"]["number"]
    assert view["ticket"]["item"]["zh"] == RARE
    [slip] = hall["PRN-01"].whole_slips
    assert number in slip.lines
    sent = hall.bench.lines["PRN-01"].sent_to_twins()
    assert not any(char.encode("gb18030") in sent for char in RARE[:2]), "no code that a printer prints as garbage"
    rows = [ImageChops.invert(raster.image()) for raster in slip.rasters]
    assert max(_shows(row, "\U00020bb7") for row in rows) > 0.7, "the character itself"
    assert max(_shows(row, "〓") for row in rows) > 0.7, "a private character as 〓"
    assert max(_shows(row, "口") for row in rows) < 0.6, "and not just any box"


def _shows(row: Image.Image, char: str) -> float:
    """How much a row of dots has of this character at its best place, 0 to 1; drawn here by the font, bold by a dot."""
    best = 0.0
    for scale in (1, 2):
        side = 24 * scale
        level = Image.new("L", (side, side), 0)
        font = ImageFont.truetype(FONT, side, index=2)
        ImageDraw.Draw(level).text((0, 21 * scale), char, font=font, fill=255, anchor="ls")
        thin = level.point(lambda v: 255 if v >= 128 else 0).convert("1")
        glyph = ImageChops.logical_or(thin, ImageChops.offset(thin, scale, 0))
        for x in range(row.width - side + 1):
            for y in range(row.height - side + 1):
                part = row.crop((x, y, x + side, y + side)).convert("1")
                best = max(best, _dots(ImageChops.logical_and, part, glyph) / _dots(ImageChops.logical_or, part, glyph))
    return best


def _dots(join: Callable[[Image.Image, Image.Image], Image.Image], one: Image.Image, other: Image.Image) -> int:
    return sum(join(one, other).convert("L").histogram()[1:])
