"""Scanning at the counter: pages, their marks, and filing them as materials."""

from __future__ import annotations

import pytest

from hall_daemon.protocol import Text
from tests.screens.counter_room import counter
from tests.screens.window_views import page, scanned, serving


@pytest.mark.parametrize(
    ("key", "source", "dpi"), [("enter", "platen", 200), ("2", "feeder", 200), ("3", "platen", 300)]
)
async def test_scan_begins_from_the_chosen_source(key: str, source: str, dpi: int) -> None:
    async with counter(serving()) as room:
        await room.press("f7", key)
        await room.asks(("scans", {"ticket": "H018", "source": source, "dpi": dpi, "color": True}))


async def test_pages_are_filed_as_the_material_of_the_digit_without_blank_ones() -> None:
    async with counter(serving(scan=scanned(page(1), page(2), page(3, blank=True))), size=(80, 24)) as room:
        await room.press("f7")
        await room.sees("H018 这些页归到哪一项材料？", "不归档", "营业执照", "其他材料")
        await room.press("2")
        filed = {"material_code": "m2", "material_name": "营业执照", "pages": [1, 2], "copy_kind": "original_seen"}
        await room.asks(("file", filed))
        assert room.hall.asked[-1].path == "/windows/3/scans/job-1/file"


async def test_pages_that_are_filed_already_are_not_filed_again() -> None:
    async with counter(serving(scan=scanned(page(1, saved=True), page(2)))) as room:
        await room.press("f7")
        await room.sees("H018 这些页归到哪一项材料？", "已归档")
        await room.press("1")
        filed = {"material_code": "m1", "material_name": "单位社会保险登记表", "pages": [2]}
        await room.asks(("file", {**filed, "copy_kind": "original_seen"}))


async def test_end_of_a_scan_is_said_once() -> None:
    async with counter(serving(scan=scanned(state="scanning"))) as room:
        room.hall.show(serving(scan=scanned(page(1))))
        await room.sees("扫好 1 页，按 F7 归档")
        assert "扫好 1 页" in room.lines()[-3]


async def test_clerk_drops_and_keeps_pages() -> None:
    async with counter(serving(scan=scanned(page(1), page(2), page(3, blank=True)))) as room:
        await room.press("f7", "delete", "down", "down", "space", "0")
        filed = {"material_code": "other", "material_name": "其他材料", "pages": [2, 3], "copy_kind": "original_seen"}
        await room.asks(("file", filed))


async def test_filing_nothing_is_said_and_not_sent() -> None:
    async with counter(serving(scan=scanned(page(1)))) as room:
        await room.press("f7", "delete", "1")
        await room.sees("没有选中的页")
        assert room.hall.verbs() == []


async def test_scan_key_in_the_filing_question_scans_again() -> None:
    async with counter(serving(scan=scanned(page(1)))) as room:
        await room.press("f7", "f7", "enter")
        await room.asks(("scans", {"ticket": "H018", "source": "platen", "dpi": 200, "color": True}))


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
