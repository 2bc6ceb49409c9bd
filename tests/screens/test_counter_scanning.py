"""Scanning at the counter: pages, their marks, and filing them as materials."""

from __future__ import annotations

from typing import Any

import pytest

from hall_daemon.protocol import Text
from hall_daemon.protocol_clerks import DeviceLamp
from hall_daemon.words import TicketState
from tests.screens.counter_room import counter
from tests.screens.window_views import current, page, scanned, serving


def scan_order(source: str = "platen", **more: Any) -> tuple[str, dict[str, Any]]:
    plain = {"ticket": "H018", "source": source, "dpi": 200, "color": True, "duplex": False, "resume": False,
             "at": None}  # fmt: skip
    return "scans", {**plain, **more}


def file_order(code: str, name: str, *pages: int, replace: bool = False) -> tuple[str, dict[str, Any]]:
    return "file", {
        "material_code": code, "material_name": name, "pages": list(pages), "copy_kind": "original_seen",
        "local_case_no": "", "replace": replace,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("key", "order"),
    [
        ("enter", scan_order()),
        ("2", scan_order("feeder")),
        ("3", scan_order(dpi=300)),
        ("4", scan_order("feeder", duplex=True)),
    ],
)
async def test_scan_begins_from_the_chosen_source(key: str, order: tuple[str, Any]) -> None:
    async with counter(serving()) as room:
        await room.press("f7", key)
        await room.asks(order)


async def test_a_scanner_that_is_out_offers_the_one_beside() -> None:
    lamps = (DeviceLamp(kind="scanner", well=False),)
    async with counter(serving(devices=lamps)) as room:
        await room.press("f7")
        await room.sees("换旁边 13 号窗口，玻璃板", "换旁边 2 号窗口，进纸器", "进纸器，双面")
        await room.press("2")
        await room.asks(scan_order("feeder", at="2"))


async def test_pages_are_filed_as_the_material_of_the_digit_without_blank_backs() -> None:
    pages = page(1), page(2), page(3, blank=True), page(4, blank=True, back=True)
    async with counter(serving(scan=scanned(*pages)), size=(80, 24)) as room:
        await room.press("f7")
        await room.sees("H018 这些页归到哪一项材料？", "不归档", "背面空白", "营业执照", "其他材料")
        await room.press("2")
        await room.asks(file_order("m2", "营业执照", 1, 2, 3))
        assert room.hall.asked[-1].path == "/windows/3/scans/job-1/file"


async def test_pages_that_are_filed_already_are_not_filed_again() -> None:
    async with counter(serving(scan=scanned(page(1, saved=True), page(2)))) as room:
        await room.press("f7")
        await room.sees("H018 这些页归到哪一项材料？", "已归档")
        await room.press("1")
        await room.asks(file_order("m1", "单位社会保险登记表", 2))


async def test_end_of_a_scan_is_said_once() -> None:
    async with counter(serving(scan=scanned(state="scanning"))) as room:
        room.hall.show(serving(scan=scanned(page(1))))
        await room.sees("扫好 1 页，按 F7 归档")
        assert "扫好 1 页" in room.lines()[-3]


async def test_clerk_drops_and_keeps_pages() -> None:
    async with counter(serving(scan=scanned(page(1), page(2), page(3, blank=True, back=True)))) as room:
        await room.press("f7", "delete", "down", "down", "space", "0")
        await room.asks(file_order("other", "其他材料", 2, 3))


async def test_filing_nothing_is_said_and_not_sent() -> None:
    async with counter(serving(scan=scanned(page(1)))) as room:
        await room.press("f7", "delete", "1")
        await room.sees("没有选中的页")
        assert room.hall.verbs() == []


async def test_scan_key_in_the_filing_question_scans_again() -> None:
    async with counter(serving(scan=scanned(page(1)))) as room:
        await room.press("f7", "f7", "enter")
        await room.asks(scan_order())


async def test_pages_of_the_resident_before_are_not_offered_for_this_one() -> None:
    async with counter(serving(scan=scanned(page(1), ticket="H017"))) as room:
        await room.press("f7")
        await room.sees("H018 扫描", "玻璃板，一页")
        assert not room.shows("归到哪一项")


async def test_failed_scan_says_why_and_offers_what_was_saved() -> None:
    jam = Text(zh="扫描仪卡纸，请取出后从第 2 页继续。")
    async with counter(serving(scan=scanned(page(1), state="failed", problem=jam))) as room:
        await room.sees("扫描仪卡纸，请取出后从第 2 页继续。")
        await room.press("f7")
        await room.sees("H018 这些页归到哪一项材料？")


async def test_running_scan_is_counted_and_not_disturbed() -> None:
    async with counter(serving(scan=scanned(page(1), state="scanning"))) as room:
        await room.sees("正在扫描，已到 1 页")
        await room.press("f7")
        await room.sees("扫描还没有结束")


async def test_running_scan_can_be_stopped() -> None:
    async with counter(serving(scan=scanned(page(1), state="scanning"))) as room:
        await room.press("f7")
        await room.sees("停止扫描")
        await room.press("1")
        await room.asks(("stop", None))
        assert room.hall.asked[-1].path == "/windows/3/scans/job-1/stop"


async def test_feed_that_stopped_goes_on_with_its_pages() -> None:
    jam = Text(zh="扫描仪卡纸，请取出后从第 3 页继续。")
    async with counter(serving(scan=scanned(page(1), page(2), state="failed", problem=jam))) as room:
        await room.press("f7", "f7")
        await room.sees("接着扫，已有 2 页")
        await room.press("enter")
        await room.asks(scan_order(resume=True))


async def test_doubtful_end_asks_for_the_number_of_pages() -> None:
    count = Text(zh="共 2 页，对吗？请数一数原件；少了就按 F7 接着扫。")
    async with counter(serving(scan=scanned(state="scanning"))) as room:
        room.hall.show(serving(scan=scanned(page(1), page(2), problem=count)))
        await room.sees("共 2 页，对吗？")
        await room.press("f7")
        await room.sees("H018 这些页归到哪一项材料？", "共 2 页，对吗？")


async def test_page_that_is_not_sharp_is_marked() -> None:
    async with counter(serving(scan=scanned(page(1, blurred=True), page(2, edges_ok=False)))) as room:
        await room.press("f7")
        await room.sees("模糊", "缺角")


@pytest.mark.parametrize(("key", "replace"), [("enter", False), ("2", True)])
async def test_material_that_is_filed_already_is_added_to_or_replaced(key: str, replace: bool) -> None:
    async with counter(
        serving(scan=scanned(page(1)), current=current("H018", TicketState.SERVING, filed=("m1",)))
    ) as room:
        await room.press("f7", "1")
        await room.sees("单位社会保险登记表 已归档过", "替换：上次没扫好")
        await room.press(key)
        await room.asks(file_order("m1", "单位社会保险登记表", 1, replace=replace))
