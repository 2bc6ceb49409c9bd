"""Cases at the counter: one notice, receipt, acceptance, refusal, results that lead to them, ratings, moved pages."""

from __future__ import annotations

from typing import Any

import pytest

from hall_daemon.cases import CaseState
from hall_daemon.protocol import Text
from hall_daemon.protocol_cases import CaseLine, CaseView, NoticeView, ReceivedCase
from hall_daemon.protocol_window import PageDots
from kiosk_ui.counter_page import drawn
from tests.screens.counter_room import Room, counter
from tests.screens.scripted_hall import CASE_NO, refusal
from tests.screens.window_views import calling, page, scanned, serving, window_view
from tests.waiting import until_async

OTHER_NO = CASE_NO[:-1] + "2"


def line(code: str, name: str, *, here: bool = False, scanned_in: bool = False) -> CaseLine:
    return CaseLine.model_validate(
        {
            "code": code, "name": name, "need": "required", "copy_asked": "original", "waivable_by": (),
            "applies": True, "state": "taken" if here else "missing", "copy_kind": "original_seen" if here else None,
            "scanned": scanned_in, "wanted": {"zh": "" if here else f"{name}：缺；原件 1 份"},
        }
    )  # fmt: skip


def case(item: str, name: str, *lines: CaseLine, **facts: Any) -> CaseView:
    return CaseView.model_validate(
        {
            "number": "H018", "item": item, "item_name": Text(zh=name), "kind": "promised", "days": 5,
            "day_unit": "workday", "lines": lines, "complete": all(not x.wanted.zh for x in lines), **facts,
        }
    )  # fmt: skip


FORM, LICENCE = line("m1", "登记表", here=True), line("m2", "营业执照")
LACKING = case("i1", "社会保险登记", FORM, LICENCE)
READY = case("i1", "社会保险登记", FORM, line("m2", "营业执照", here=True))
SECOND = case("i2", "公积金开户", line("m2", "营业执照", here=True))
NOTICE = {"seen": "H018", "item": "i1", "applicant_kind": "person", "papers": [], "applies": []}


def have(room: Room, *cases: CaseView) -> None:
    """The hall has these cases of the ticket at the window."""
    said = {"cases": [c.model_dump(mode="json") for c in cases], "outcome": "consulted"}
    room.hall.answers["cases"] = lambda _body: (200, said)


def printed(notice: str) -> tuple[str, dict[str, Any]]:
    return "print", {"notice_no": notice, "local_case_no": None, "again": False}


# --- F8 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_f8_and_enter_give_one_notice_of_everything_and_print_it(size: tuple[int, int]) -> None:
    async with counter(serving(), size=size) as room:
        have(room, LACKING)
        await room.press("f8")
        await room.sees("社会保险登记  未收件", "1 营业执照：缺；原件 1 份", "一次性告知", "只收件")
        await room.press("enter")
        await room.asks(("notice", NOTICE), printed("3-0302-0001"))
        await room.sees("3-0302-0001 已在本窗口打印")


async def test_the_paper_can_be_read_before_it_is_printed() -> None:
    async with counter(serving(), size=(120, 40)) as room:
        have(room, LACKING)
        await room.press("f8")
        await room.sees("一次性告知单", "1. 第 1 行", "只收件")
        await room.press("end")
        await room.sees("40. 第 40 行")
        (asked,) = [a.body for a in room.hall.asked if a.path.endswith("/preview")]
        assert asked == NOTICE | {"paper": "notice"}
        await room.press("escape")
        await room.asks()
    async with counter(serving(), size=(80, 24)) as room:
        have(room, LACKING)
        await room.press("f8")
        await room.sees("F8 看单子")
        await room.press("f8")
        await room.sees("一次性告知单", "1. 第 1 行")
        await room.press("end")
        await room.sees("40. 第 40 行")
        await room.press("escape")
        await room.sees("只收件")
        await room.press("f8", "enter")
        await room.asks(("notice", NOTICE), printed("3-0302-0001"))


async def test_an_electronic_licence_or_a_commitment_stands_in_for_a_paper_where_the_item_says_so() -> None:
    waivable = LICENCE.model_copy(update={"waivable_by": ("commitment", "e_license")})
    async with counter(serving()) as room:
        have(room, case("i1", "社会保险登记", FORM, waivable))
        await room.press("f8")
        await room.sees("1 营业执照：缺", "电子证照、告知承诺")
        await room.press("4")
        await room.sees("营业执照 用什么代替？", "电子证照已核", "签告知承诺书")
        await room.press("1")
        await room.sees("材料齐全", "打印受理通知书")
        await room.press("enter")
        shown = {"code": "m2", "copy_kind": "electronic", "fault": ""}
        await room.asks(("accept", NOTICE | {"papers": [shown]}), printed("3-0302-0002"))


async def test_what_cannot_be_shown_before_is_asked_for_all_the_same() -> None:
    async with counter(serving()) as room:
        have(room, LACKING)
        room.hall.answers["preview"] = lambda _body: refusal("case_complete")
        await room.press("f8")
        await room.sees("一次性告知", "只收件")
        assert not room.shows("看单子")


async def test_with_nobody_here_f8_accepts_what_was_received_before() -> None:
    waits = ReceivedCase(
        local_case_no=CASE_NO, number="H004", item_name=Text(zh="灵活就业参保"), received="2026-02-24",
        accept_by="2026-03-03", wanted=0,
    )  # fmt: skip
    async with counter(window_view()) as room:
        room.hall.answers["received"] = lambda _body: (200, {"cases": [waits.model_dump(mode="json")]})
        await room.press("f8")
        await room.sees("H004  灵活就业参保", "03/03 前受理")
        await room.press("enter")
        await room.asks(("accept", None), printed("3-0302-0002"))
        assert [a.path for a in room.hall.asked if a.path.endswith("/accept")] == [f"/windows/3/cases/{CASE_NO}/accept"]
        room.hall.answers["received"] = lambda _body: (200, {"cases": []})
        await room.press("f8")
        await room.sees("没有待受理的办件")


async def test_a_paper_that_does_not_do_stands_on_the_notice_with_the_clerks_words() -> None:
    async with counter(serving()) as room:
        have(room, READY)
        await room.press("f8")
        await room.sees("材料齐全", "受理", "有材料不合格")
        await room.press("3", "enter")
        await room.sees("登记表 哪里不合格？")
        await room.press("2")
        await room.sees("1 登记表：没有签名")
        await room.press("enter")
        faulty = {"code": "m1", "copy_kind": "original_seen", "fault": "没有签名"}
        await room.asks(("notice", NOTICE | {"papers": [faulty]}), printed("3-0302-0001"))


async def test_what_is_complete_is_accepted_or_received_against_a_receipt() -> None:
    async with counter(serving()) as room:
        have(room, READY)
        await room.press("f8")
        await room.sees("材料齐全")
        await room.press("enter")
        await room.asks(("accept", NOTICE), printed("3-0302-0002"))
        await room.press("f8")
        await room.sees("只收件")
        await room.press("2")
        receipt = {"notice_no": "", "local_case_no": CASE_NO, "again": False}
        await until_async(lambda: room.hall.verbs()[2:] == [("receive", NOTICE), ("print", receipt)])
        await room.sees("收件凭证 已在本窗口打印")


async def test_a_paper_that_did_not_come_out_is_said_and_printed_again() -> None:
    given = NoticeView(notice_no="3-0302-0001", kind="supplement", given="2026-03-02", answered=False)
    async with counter(serving()) as room:
        have(room, LACKING)
        room.hall.answers["print"] = lambda _body: refusal("no_paper")
        await room.press("f8")
        await room.sees("一次性告知")
        await room.press("enter")
        await room.sees("3-0302-0001 现在没有可用的打印机")
        del room.hall.answers["print"]
        have(
            room,
            LACKING.model_copy(update={"local_case_no": CASE_NO, "state": CaseState.SUPPLEMENT, "notices": (given,)}),
        )
        await room.press("f8")
        await room.sees("待补正", "补打")
        await room.press("2")
        again = {"notice_no": "3-0302-0001", "local_case_no": None, "again": True}
        await until_async(lambda: room.hall.verbs()[-1] == ("print", again))


async def test_of_several_cases_one_is_chosen_and_a_refusal_has_a_written_reason() -> None:
    async with counter(serving(), size=(80, 24)) as room:
        have(room, LACKING, SECOND)
        await room.press("f8")
        await room.sees("H018 哪一个办件？", "社会保险登记", "公积金开户")
        await room.press("2")
        await room.sees("不予受理…")
        await room.press("4")
        await room.sees("为什么不予受理？")
        await room.press("1")
        refused = {
            "seen": "H018", "item": "i2", "applicant_kind": "person", "papers": [], "applies": [],
            "local_case_no": None, "reason": "not_in_scope", "reason_text": "不属于本中心受理范围",
        }  # fmt: skip
        await room.asks(("return", refused), printed("3-0302-0003"))


async def test_nothing_to_hand_in_and_a_lost_line_are_said() -> None:
    async with counter(serving()) as room:
        await room.press("f8")
        await room.sees("这个号没有要收件的事项")
        await room.hall.go_away()
        await room.sees("与主机断开")
        await room.press("f8")
        await room.sees("这一步没有执行")


# --- how a visit ends -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "cases", "deed", "outcome"),
    [
        ("2", (READY,), ("accept", "3-0302-0002"), "received"),
        ("3", (LACKING,), ("notice", "3-0302-0001"), "supplement"),
    ],
)
async def test_a_result_that_needs_a_case_has_it_and_its_paper_first(
    key: str, cases: tuple[CaseView, ...], deed: tuple[str, str], outcome: str
) -> None:
    async with counter(serving()) as room:
        have(room, *cases)
        await room.press("enter", key)
        end = ("finish", {"seen": "H018", "outcome": outcome, "cases": [CASE_NO]})
        await room.asks((deed[0], NOTICE), printed(deed[1]), end)
        await room.press("backspace")
        await room.sees("已撤销，请收回刚打印的单子")


async def test_a_visit_does_not_end_as_accepted_while_papers_are_missing() -> None:
    async with counter(serving()) as room:
        have(room, LACKING)
        room.hall.answers["accept"] = lambda _body: refusal("case_incomplete", missing=1)
        await room.press("enter", "2")
        await room.sees("还缺 1 项材料，不能受理；请一次性告知。")
        await room.asks(("accept", NOTICE))


async def test_all_cases_of_a_number_end_together_or_the_one_that_is_chosen() -> None:
    async with counter(serving()) as room:
        have(room, READY, SECOND)
        await room.press("enter", "2")
        await room.sees("H018 受理哪几件？", "全部 2 件")
        await room.press("enter")
        both = [("accept", NOTICE | {"item": item}) for item in ("i1", "i2")]
        end = ("finish", {"seen": "H018", "outcome": "received", "cases": [CASE_NO, CASE_NO]})
        await room.asks(both[0], printed("3-0302-0002"), both[1], printed("3-0302-0002"), end)


async def test_refused_cases_end_with_one_reason() -> None:
    async with counter(serving()) as room:
        have(room, LACKING)
        await room.press("enter", "4")
        await room.sees("为什么不予受理？")
        await room.press("4")
        await room.press(*"13800001111", "enter")
        await room.sees("不写姓名、证件号、电话")
        assert room.hall.verbs() == []
        await room.press("enter", "4")
        await room.sees("为什么不予受理？")
        await room.press("3")
        await until_async(lambda: [verb for verb, _ in room.hall.verbs()] == ["return", "print", "finish"])


# --- pages ------------------------------------------------------------------------------------------------------------


async def test_pages_are_filed_for_the_case_that_the_clerk_names() -> None:
    cases = [
        c.model_copy(update={"local_case_no": no, "state": CaseState.RECEIVED})
        for c, no in ((LACKING, CASE_NO), (SECOND, OTHER_NO))
    ]
    async with counter(serving(scan=scanned(page(1)))) as room:
        have(room, *cases)
        await room.press("f7")
        await room.sees("这些页归到哪一项材料？")
        await room.press("2")
        await room.sees("营业执照 归到哪一件？", "各件共用")
        await room.press("2")
        await until_async(lambda: [b["local_case_no"] for v, b in room.hall.verbs() if v == "file"] == [OTHER_NO])


@pytest.mark.fault("G06")
async def test_pages_that_were_filed_wrongly_are_moved_by_keys() -> None:
    mine = case("i1", "社会保险登记", line("m1", "登记表", here=True, scanned_in=True), LICENCE,
                local_case_no=CASE_NO, state="received")  # fmt: skip
    other = SECOND.model_copy(update={"local_case_no": OTHER_NO, "state": CaseState.RECEIVED})
    moved = {"seen": "H018", "material_code": "m1", "reason": "wrong_paper", "to_ticket": None, "to_case": None}
    async with counter(serving()) as room:
        have(room, mine, other)
        await room.press("f8", "1")
        await room.sees("归错了")
        await room.press("4")
        await room.sees("登记表 应该在哪里？", "另一办件", "另一个号", "取出")
        await room.press("2")
        await room.sees("公积金开户")
        await room.press("enter")
        await room.asks(("refile", moved | {"to_case": OTHER_NO, "to_code": ""}))
        await room.sees("已移动，原来的归档作废")


async def test_a_page_is_enlarged_and_the_clerk_looks_around_in_it() -> None:
    asked: list[str] = []
    dots = PageDots(rows=("ff00", "00ff", "ff00", "00ff")).model_dump(mode="json")
    async with counter(serving(scan=scanned(page(1), page(2))), size=(80, 24)) as room:
        room.hall.answers["dots"] = lambda _body: (200, dots)

        def paths() -> list[str]:
            asked[:] = [a.path for a in room.hall.asked if "/dots" in a.path]
            return asked

        await room.press("f7")
        await room.sees("Enter 放大")
        await room.press("down", "enter")
        await room.sees("第 2 页，共 2 页   放大 1 倍", "⠭⠭⠭⠭⣒⣒⣒⣒")
        await room.press("plus", "right", "down", "pageup")
        await room.sees("第 1 页，共 2 页   放大 2 倍")
        await until_async(lambda: len(paths()) >= 2 and "/pages/1/" in paths()[-1], what=lambda: str(paths()))
        assert "zoom=2" in asked[-1]
        await room.press("escape")
        await room.sees("这些页归到哪一项材料？")


def test_dots_are_drawn_as_braille_or_as_ascii() -> None:
    assert drawn(["80", "80", "80", "80"], plain=False) == ["⡇⠀⠀⠀"]
    assert drawn(["c1"], plain=True) == ["''     '"]
    assert drawn(["00", "01"], plain=True) == ["       ."]
    assert drawn([], plain=False) == []


# --- others -----------------------------------------------------------------------------------------------------------


async def test_f9_asks_for_a_rating_while_somebody_is_served() -> None:
    async with counter(calling()) as room:
        await room.press("f9")
        await room.sees("先按 Enter 开始办理")
        room.hall.show(serving())
        await room.sees("办理中")
        await room.press("f9")
        await room.asks(("ask-rating", {"seen": "H018"}))
        await room.sees("评价器已亮，请群众评价")


async def test_a_command_is_found_by_its_name() -> None:
    async with counter(serving()) as room:
        await room.press("ctrl+p")
        await room.sees("要做什么？", "Shift+F9", "叫人")
        await room.press("s", "h", "i", "f", "t", "+", "f", "8", "enter")
        await room.sees("H018 记一笔")
