"""The counter screen against a scripted hall: what a clerk sees, and what each key asks the daemon for."""

from __future__ import annotations

import unicodedata

import pytest

from hall_daemon.client import Link, LinkNews
from hall_daemon.protocol import Text
from hall_daemon.texts import text
from hall_daemon.words import ParkReason, TicketState
from kiosk_ui.counter_keys import CounterScreen
from kiosk_ui.counter_view import Picture, stage_of
from kiosk_ui.theme import Pen
from tests.screens.counter_room import Room, counter
from tests.screens.scripted_hall import refusal
from tests.screens.window_views import (
    LINE,
    calling,
    current,
    page,
    parked,
    scanned,
    serving,
    waiting,
    window_view,
)
from tests.waiting import until_async

SIZES = [(120, 40), (80, 24)]
DISPLAY_OFFLINE = Text(zh="窗口屏离线，请口头叫号。")


# ---- what a clerk sees


@pytest.mark.parametrize("size", SIZES)
async def test_idle_window_shows_who_is_next_who_waits_and_the_link(size: tuple[int, int]) -> None:
    async with counter(window_view(to_province=36), size=size) as room:
        await room.sees("3号窗口", "空闲", "在线", "待传 36")
        await room.sees("下一位", "优先 老人", "等了 24 分", "按 + 叫号", "█▄▄▄█  █ █ █    █    ▄▀▀▀▄")
        await room.sees("等候 3 人", "最久 24 分", "H019", "12 分", "H020", "教师资格认定", "重排", "9 分")


@pytest.mark.parametrize("size", SIZES)
async def test_called_resident_is_shown_masked_with_count_and_time(size: tuple[int, int]) -> None:
    async with counter(calling(notices=(DISPLAY_OFFLINE,)), size=size) as room:
        await room.sees("叫号中", "张*试", "9900**********0011", "叫了 1 次", "00:1", "到了按 Enter，没来按 -")
        await room.sees("要收的材料", "单位社会保险登记表", "必交", "可选")
        await room.sees("窗口屏离线，请口头叫号。")


async def test_after_three_calls_the_screen_points_at_the_no_show_key() -> None:
    async with counter(calling(current=current("H018", TicketState.CALLED, call_no=3))) as room:
        await room.sees("叫了 3 次", "可按 - 过号")


@pytest.mark.parametrize("size", SIZES)
async def test_serving_shows_time_and_filed_materials(size: tuple[int, int]) -> None:
    async with counter(serving(current=current("H018", TicketState.SERVING, filed=("m2",))), size=size) as room:
        await room.sees("办理中", "材料 1/3", "已归档", "F7 扫描", "完成")


async def test_scanned_pages_are_listed_with_their_marks() -> None:
    pages = scanned(
        page(1),
        page(2, skew_mdeg=-2300, codes=("H018",)),
        page(3, blank=True),
        page(4, edges_ok=False),
        page(5, saved=True),
    )
    async with counter(serving(scan=pages)) as room:
        await room.sees("扫描 5 页", "● 清楚", "▲ 歪斜 2.3°", "H018", "▲ 空白", "▲ 缺角", "已归档", "归档前勿退原件")
        await room.sees("扫好 4 页，按 F7 归档")


async def test_wide_screen_lists_missed_and_parked() -> None:
    view = window_view(
        missed=(waiting("H009", 40, state=TicketState.NO_SHOW),), parked=(parked("H011", ParkReason.COPY),)
    )
    async with counter(view) as room:
        await room.sees("过号 1", "H009", "挂起 1", "H011", "复印", "8 分")


async def test_a_new_notice_beeps_once() -> None:
    async with counter(window_view()) as room:
        beeps: list[str] = []
        room.app.bell = lambda: beeps.append("beep")  # type: ignore[method-assign]  # a terminal's beep leaves no trace
        room.hall.show(window_view(notices=(DISPLAY_OFFLINE,)))
        await room.sees("窗口屏离线，请口头叫号。")
        room.hall.show(window_view(notices=(DISPLAY_OFFLINE,), to_province=4))
        await room.sees("待传 4")
        assert beeps == ["beep"]


@pytest.mark.parametrize("size", SIZES)
async def test_the_clerk_sees_whether_the_last_resident_evaluated(size: tuple[int, int]) -> None:
    async with counter(window_view(), size=size) as room:
        await room.sees("待传 0")
        assert "评价" not in room.lines()[-2]
        for code in ("asked", "none", "given"):
            room.hall.show(window_view(evaluation=text(f"evaluation.{code}")))
            await room.sees(text(f"evaluation.{code}").zh)
            assert text(f"evaluation.{code}").zh in room.lines()[-2]


@pytest.mark.parametrize("size", SIZES)
async def test_many_notices_and_materials_never_push_the_keys_off_the_screen(size: tuple[int, int]) -> None:
    notices = tuple(
        Text(zh=f"第 {n} 条通知，很长很长很长很长很长很长很长很长很长很长很长很长很长很长") for n in range(9)
    )
    view = serving(notices=notices, waiting=tuple(waiting(f"H{n:03}", 3) for n in range(19, 49)), waiting_total=80)
    async with counter(view, size=size) as room:
        await room.sees("共 9 条通知", "等候 80 人", "只列前 30 位")
        lines = room.lines()
        assert len(lines) == size[1]
        assert "完成" in lines[-1]
        assert "待传" in lines[-2]


@pytest.mark.parametrize("size", [*SIZES, (60, 20), (200, 60)])
async def test_resizing_keeps_number_link_and_keys(size: tuple[int, int]) -> None:
    async with counter(calling()) as room:
        await room.pilot.resize_terminal(*size)
        await room.sees("在线", "社会保险登记", "下一位")


async def test_plain_terminal_gets_no_character_of_ambiguous_width() -> None:
    pages = scanned(page(1), page(2, skew_mdeg=2300))
    view = serving(scan=pages, notices=(DISPLAY_OFFLINE,), to_province=3, parked=(parked("H011", ParkReason.COPY),))
    async with counter(view, plain=True) as room:
        await room.sees("H  0  1  8")
        for keys in ((), ("f1",), ("escape", "f7"), ("escape", "f6"), ("escape", "enter")):
            await room.press(*keys)
            doubtful = {c for line in room.lines() for c in line if unicodedata.east_asian_width(c) == "A"}
            assert not doubtful, keys


# ---- keys at the ticket


STAYING = {"keep_position": True, "come_back": False, "reason": "other"}


async def test_next_sends_what_the_clerk_saw_and_the_picture_waits_for_the_view() -> None:
    async with counter(window_view()) as room:
        await room.press("plus")
        await room.asks(("next", {"seen": None}))
        await room.sees("空闲")
        room.hall.show(calling())
        await room.sees("叫号中", "叫了 1 次")


async def test_double_press_of_next_sends_the_same_and_calls_one_resident() -> None:
    async with counter(window_view()) as room:
        called: list[str] = []

        def answer(_body: object) -> tuple[int, object]:
            if called:
                return refusal("screen_out_of_date")
            called.append("H018")
            return 200, {"event": 1, "number": "H018"}

        room.hall.answers["next"] = answer
        await room.press("plus", "plus")
        await room.asks(("next", {"seen": None}), ("next", {"seen": None}))
        assert called == ["H018"]
        await room.sees("屏幕已更新，请看清号码再按一次。")
        room.hall.show(calling())
        await room.sees("叫号中")


async def test_enter_starts_and_a_digit_says_how_it_ended() -> None:
    async with counter(calling()) as room:
        await room.press("enter")
        await room.asks(("serve", {"seen": "H018", "identity_rechecked": False}))
        room.hall.show(serving())
        await room.sees("办理中")
        await room.press("enter")
        await room.sees("H018 办理结果", "当场办结", "受理，承诺件", "材料不齐，已告知", "不予受理", "只是咨询")
        await room.press("3")
        await until_async(
            lambda: room.hall.verbs()[1:] == [("finish", {"seen": "H018", "outcome": "supplement", "cases": []})]
        )
        assert [a.path for a in room.hall.asked if a.method == "GET"][-1] == "/windows/3/cases"


async def test_enter_twice_finishes_as_completed() -> None:
    async with counter(serving()) as room:
        await room.press("enter", "enter")
        await room.asks(("finish", {"seen": "H018", "outcome": "completed", "cases": []}))
        await room.sees("H018 已办结")


async def test_where_the_hall_asks_for_no_result_one_enter_finishes() -> None:
    async with counter(serving(outcome_required=False)) as room:
        await room.press("enter")
        await room.asks(("finish", {"seen": "H018", "outcome": "completed", "cases": []}))


async def test_escape_in_a_question_sends_nothing() -> None:
    async with counter(serving()) as room:
        await room.press("enter", "escape", "plus", "escape", "slash", "escape", "f6", "escape", "f7", "escape")
        await room.sees("办理中")
        assert room.hall.verbs() == []


async def test_next_while_calling_asks_whether_they_came() -> None:
    async with counter(calling()) as room:
        await room.press("plus")
        await room.sees("H018 没来吗？", "过号，再叫下一位", "再叫一次", "叫了 1 次")
        await room.press("enter")
        await room.asks(("no-show", {"seen": "H018", "early": ""}), ("next", {"seen": None}))


async def test_next_while_calling_can_recall_instead() -> None:
    async with counter(calling()) as room:
        await room.press("plus", "asterisk")
        await room.asks(("recall", {"seen": "H018"}))


async def test_nobody_is_called_if_the_no_show_was_refused() -> None:
    async with counter(calling()) as room:
        room.hall.answers["no-show"] = lambda _body: refusal("illegal_step", number="H018", state="serving")
        await room.press("plus", "enter")
        await room.sees("H018 现在不能这样操作")
        assert room.hall.verbs() == [("no-show", {"seen": "H018", "early": ""})]


async def test_next_while_serving_finishes_first() -> None:
    async with counter(serving()) as room:
        await room.press("plus")
        await room.sees("H018 还没有完成")
        await room.press("enter")
        await room.asks(("next", {"seen": "H018"}))


async def test_next_while_serving_can_park_first() -> None:
    async with counter(serving()) as room:
        await room.press("plus", "slash")
        await room.asks(
            ("park", {"seen": "H018", "reason": "other", "hold": "here", "stage": ""}), ("next", {"seen": None})
        )


async def test_third_plus_in_the_question_is_not_an_answer() -> None:
    async with counter(calling()) as room:
        await room.press("plus", "plus", "plus")
        await room.sees("H018 没来吗？")
        assert room.hall.verbs() == []


@pytest.mark.parametrize(
    ("keys", "verb"),
    [
        (("asterisk",), ("recall", {"seen": "H018"})),
        (("f3",), ("recall", {"seen": "H018"})),
        (("fullwidth_asterisk",), ("recall", {"seen": "H018"})),
        (("minus",), ("no-show", {"seen": "H018", "early": ""})),
        (("f4",), ("no-show", {"seen": "H018", "early": ""})),
    ],
)
async def test_pad_function_keys_and_input_method_signs_do_the_same(
    keys: tuple[str, ...], verb: tuple[str, object]
) -> None:
    async with counter(calling()) as room:
        await room.press(*keys)
        await room.asks(verb)


@pytest.mark.parametrize(
    ("keys", "verb"),
    [
        (("slash", "2"), ("park", {"seen": "H018", "reason": "copy", "hold": "here", "stage": ""})),
        (("f5", "enter"), ("park", {"seen": "H018", "reason": "material", "hold": "here", "stage": ""})),
        (("ideographic_comma", "4"), ("park", {"seen": "H018", "reason": "other", "hold": "here", "stage": ""})),
    ],
)
async def test_somebody_who_was_called_has_come_when_they_are_parked(
    keys: tuple[str, ...], verb: tuple[str, object]
) -> None:
    async with counter(calling()) as room:
        await room.press(*keys)
        await room.asks(("serve", {"seen": "H018", "identity_rechecked": False}), verb)


async def test_a_call_that_cannot_be_undone_any_more_is_put_back_with_a_reason() -> None:
    async with counter(calling()) as room:
        room.hall.answers["undo"] = lambda _body: refusal("nothing_to_undo")
        await room.press("backspace")
        await room.sees("H018 叫错了？放回队首")
        await room.press("1")
        await room.asks(("undo", None), ("put-back", {"seen": "H018", "reason": "叫错号"}))


async def test_a_ticket_that_waits_for_another_step_is_taken_up_when_it_is_back() -> None:
    async with counter(window_view(parked=(parked("H011", ParkReason.OTHER),))) as room:
        room.hall.answers["resume"] = lambda _body: refusal("still_away", number="H011", stage="税务")
        await room.press("full_stop")
        await room.sees("H011 还在等待：税务", "回来了，取回")
        del room.hall.answers["resume"]
        await room.press("enter")
        await room.asks(
            ("resume", {"ticket": "H011"}), ("stage-back", {"ticket": "H011"}), ("resume", {"ticket": "H011"})
        )


async def test_one_more_item_goes_on_the_number_and_a_pinned_one_can_be_unpinned() -> None:
    async with counter(serving()) as room:
        await room.press("insert")
        await room.sees("H018 还要办什么？")
        await room.press("enter")
        await room.asks(("add-item", {"seen": "H018", "item": "i1"}))
    async with counter(window_view(waiting=(waiting("H024", 6, pinned=True),), waiting_total=1)) as room:
        await room.press("tab", "down", "enter")
        await room.sees("取消置顶")
        await room.press("2")
        await room.asks(("unpin", {"ticket": "H024"}))


@pytest.mark.parametrize("key", ["plus", "f2", "fullwidth_plus_sign", "enter"])
async def test_every_key_of_next_calls_next(key: str) -> None:
    async with counter(window_view()) as room:
        await room.press(key)
        await room.asks(("next", {"seen": None}))


async def test_letters_do_nothing() -> None:
    async with counter(calling()) as room:
        await room.press(*"abcdefghijklmnopqrstuvwxyz")
        assert room.hall.verbs() == []


def test_every_binding_has_an_id_of_its_own() -> None:
    ids = [binding.id for binding in CounterScreen.BINDINGS]  # type: ignore[union-attr]  # all are Binding here
    assert all(ids)
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("typed", "target"),
    [
        (("2",), {"to_window": "2"}),
        (("1",), {"to_window": "1"}),
        (("1", "3"), {"to_window": "13"}),
        (("A",), {"to_queue": "A"}),
        (("区", "域", "down"), {"to_zone": "D"}),
        ((), {"to_window": "2"}),
    ],
)
async def test_transfer_takes_what_was_typed(typed: tuple[str, ...], target: dict[str, str]) -> None:
    async with counter(serving()) as room:
        await room.press("f6")
        await room.sees("H018 转到哪里？", "2 号窗口", "13 号窗口", "队列 A", "区域 D")
        assert not room.shows(" 3 号窗口  社会民生区")  # itself
        await room.press(*typed, "enter")
        nowhere = {"to_queue": None, "to_window": None, "to_zone": None}
        await room.asks(("transfer", {"seen": "H018", **nowhere, **target, **STAYING}))


# ---- keys at other tickets


async def test_one_parked_ticket_is_resumed_at_once() -> None:
    async with counter(window_view(parked=(parked("H011", ParkReason.COPY),))) as room:
        await room.press("full_stop")
        await room.asks(("resume", {"ticket": "H011"}))


@pytest.mark.parametrize("key", ["full_stop", "f17", "ideographic_full_stop"])
async def test_of_several_parked_tickets_one_is_picked(key: str) -> None:
    several = (parked("H011", ParkReason.COPY), parked("H015", ParkReason.MATERIAL))
    async with counter(window_view(parked=several), size=(80, 24)) as room:
        await room.press(key)
        await room.sees("取回哪一位？", "H011", "H015", "取材料")
        await room.press("1", "5", "enter")
        await room.asks(("resume", {"ticket": "H015"}))


async def test_missed_ticket_is_requeued_from_the_list_or_by_key() -> None:
    missed = (waiting("H009", 40, state=TicketState.NO_SHOW), waiting("H010", 30, state=TicketState.NO_SHOW))
    async with counter(window_view(missed=missed)) as room:
        await room.press("f16")
        await room.sees("哪一位重新排队？")
        await room.press("down", "enter")
        await room.press("tab", "tab", "enter")
        await room.asks(("requeue", {"ticket": "H010"}), ("requeue", {"ticket": "H009"}))


async def test_marked_waiting_ticket_is_cancelled_with_a_reason() -> None:
    async with counter(window_view()) as room:
        await room.press("tab", "down", "delete")
        await room.sees("H019 为什么弃号？")
        await room.press("3")
        await room.asks(("cancel", {"ticket": "H019", "reason": "misissue"}))


async def test_cancel_without_a_mark_asks_which() -> None:
    async with counter(window_view(), size=(80, 24)) as room:
        await room.press("f18")
        await room.sees("哪个号弃号？")
        await room.press("2", "0", "enter")
        await room.sees("H020 为什么弃号？")
        await room.press("enter")
        await room.asks(("cancel", {"ticket": "H020", "reason": "resident_left"}))


async def test_mark_stays_on_its_ticket_while_the_line_moves() -> None:
    async with counter(window_view()) as room:
        await room.press("tab", "down", "down")
        room.hall.show(window_view(waiting=LINE[1:], waiting_total=2))
        await room.sees("等候 2 人")
        await room.press("delete")
        await room.sees("H020 为什么弃号？")


async def test_after_a_list_enter_is_the_main_action_again() -> None:
    async with counter(window_view()) as room:
        await room.press("tab", "down", "escape", "enter")
        await room.asks(("next", {"seen": None}))


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("minus", "窗口没有号票，先按 + 叫号"),
        ("full_stop", "没有挂起的号"),
        ("f16", "没有过号的人"),
        ("f7", "窗口没有号票，先按 + 叫号"),
    ],
)
async def test_key_without_an_object_says_what_is_missing(key: str, words: str) -> None:
    async with counter(window_view()) as room:
        await room.press(key)
        await room.sees(words)
        assert room.hall.verbs() == []


async def test_help_shows_all_keys_and_any_key_closes_it() -> None:
    async with counter(serving(), size=(80, 24)) as room:
        await room.press("question_mark")
        await room.sees("按键一览", "Shift+F4", "过号重排", "弃号", "字母键不做快捷键")
        await room.press("x")
        await room.sees("完成")
        assert not room.shows("按键一览")


def test_picture_says_how_long_it_has_been_standing_still() -> None:
    trouble = text("client.unreachable", url="http://hall")
    picture = Picture(
        window="3", view=window_view(), link=LinkNews(link=Link.OFFLINE, trouble=trouble), pen=Pen(), width=120,
        hall_time_s=0.0, age_s=4000.0, lost_s=130.0,
    )  # fmt: skip
    assert picture.alerts().plain.strip() == f"✖ {trouble.zh}  画面停在 2 分前"


def test_stage_follows_ticket_and_clerk() -> None:
    assert [stage_of(v) for v in (None, window_view(clerk=None), window_view(), calling(), serving())] == [
        "unknown",
        "signed_out",
        "idle",
        "calling",
        "serving",
    ]


async def test_room_reads_the_screen() -> None:
    async with counter(window_view()) as room:
        assert isinstance(room, Room)
        assert len(room.lines()) == 40
