"""Signing in and out at the counter, and the line between screen and daemon."""

from __future__ import annotations

import pytest

from hall_daemon.protocol import Text
from tests.screens.counter_room import IMPATIENT, SHORT_OF_HEARING, counter
from tests.screens.scripted_hall import refusal
from tests.screens.window_views import calling, serving, window_view
from tests.waiting import until_async

SIZES = [(120, 40), (80, 24)]


def order(clerk: str, *, take_over: bool = False) -> dict[str, object]:
    """What the daemon is asked for when somebody signs in."""
    return {"clerk": clerk, "pin": "135792", "take_over": take_over}


# ---- signing in and out


async def test_nobody_signed_in_is_asked_who_it_is() -> None:
    async with counter(window_view(clerk=None, clerk_name=""), size=(80, 24)) as room:
        await room.sees("3 号窗口 上岗", "工号", "PIN", "未上岗")
        await room.press("1", "8")
        await room.sees("c018  样例员工乙")
        await room.press("enter", *"135792", "enter")
        await room.asks(("sign-in", order("c018")))
        assert not room.shows("135792")


async def test_clerk_not_on_the_list_may_type_a_number() -> None:
    async with counter(window_view(clerk=None, clerk_name="")) as room:
        await room.sees("3 号窗口 上岗")
        await room.press(*"c099", "enter", *"135792", "enter")
        await room.asks(("sign-in", order("c099")))


async def test_clerk_of_the_command_line_gives_the_pin_only() -> None:
    async with counter(window_view(clerk=None, clerk_name=""), clerk="c017") as room:
        await room.sees("c017  样例员工甲")
        await room.press(*"135792", "enter")
        await room.asks(("sign-in", order("c017")))


async def test_window_of_another_clerk_is_taken_over_only_on_purpose() -> None:
    async with counter(window_view(), clerk="c018", signed_out=True) as room:
        await room.sees("样例员工甲 还在岗，换人按 F5 接班", "未上岗")
        await room.press(*"135792", "f5")
        await room.asks(("sign-in", order("c018", take_over=True)))


async def test_session_that_ended_asks_for_the_pin_and_keeps_the_picture() -> None:
    async with counter(serving()) as room:
        room.hall.answers["park"] = lambda _body: (401, refusal("session_over")[1])
        await room.press("slash", "1")
        await room.sees("请重新上岗", "3 号窗口 上岗", "样例员工甲 还在岗")
        room.hall.answers["sign-in"] = lambda _body: (200, {"event": 7, "session": "new"})
        await room.press(*"135792", "enter")
        await room.sees("办理中", "社会保险登记")


async def test_refused_sign_in_says_why_and_enter_asks_again() -> None:
    async with counter(window_view(clerk=None, clerk_name="")) as room:
        room.hall.answers["sign-in"] = lambda _body: refusal("window_taken", window="3")
        await room.sees("3 号窗口 上岗")
        await room.press(*"17", "enter", *"135792", "enter")
        await room.sees("3 号窗口已有人上岗。", "c017  样例员工甲", "工号")


async def test_sign_out_asks_once_and_waits_for_the_ticket() -> None:
    async with counter(serving()) as room:
        await room.press("f12")
        await room.sees("H018 还在窗口，先完成或挂起")
        room.hall.show(window_view())
        await room.sees("空闲")
        await room.press("f12")
        await room.sees("为什么暂停？", "下岗")
        await room.press("6")
        await room.asks(("sign-out", None))
        room.hall.show(window_view(clerk=None, clerk_name=""))
        await room.sees("未上岗", "按 Enter 上岗")


async def test_call_pressed_while_the_pin_is_looked_at_is_made_after_it() -> None:
    async with counter(window_view(clerk=None, clerk_name=""), clerk="c017") as room:
        await room.sees("c017  样例员工甲")
        room.hall.answers["sign-in"] = lambda _body: (200, {"event": 7, "session": "new"})
        await room.press(*"135792", "enter", "plus")
        await room.asks(("sign-in", order("c017")))
        room.hall.show(window_view())
        await room.asks(("sign-in", order("c017")), ("next", {"seen": None}))


async def test_call_pressed_before_a_refused_pin_is_not_kept() -> None:
    async with counter(window_view(clerk=None, clerk_name=""), clerk="c017") as room:
        room.hall.answers["sign-in"] = lambda _body: refusal("window_taken", window="3")
        await room.sees("c017  样例员工甲")
        room.hall.go.clear()
        await room.press(*"135792", "enter", "plus")
        await room.asks(("sign-in", order("c017")))
        room.hall.go.set()
        await room.sees("3 号窗口已有人上岗。")
        room.hall.answers["sign-in"] = lambda _body: (200, {"event": 7, "session": "new"})
        await room.press(*"135792", "enter")
        await room.sees("已上岗")
        room.hall.show(window_view())
        await room.sees("空闲")
        # What was kept by mistake would be sent before this one.
        await room.press("plus")
        signed = [("sign-in", order("c017"))] * 2
        await room.asks(*signed, ("next", {"seen": None}))


async def test_signed_out_window_calls_nobody() -> None:
    async with counter(window_view(clerk=None, clerk_name="")) as room:
        await room.sees("3 号窗口 上岗")
        await room.press("escape", "plus")
        await room.sees("先上岗：按 Enter")
        assert room.hall.verbs() == []


# ---- the line to the daemon


@pytest.mark.parametrize("size", SIZES)
async def test_lost_line_is_shown_and_a_key_is_said_to_be_not_done(size: tuple[int, int]) -> None:
    async with counter(window_view(), size=size) as room:
        await room.hall.go_away()
        await room.sees("与主机断开", "连不上大厅主机", "H019")
        await room.press("plus")
        await room.sees("这一步没有执行")
        await room.hall.come_back()
        await room.sees("在线")
        await until_async(lambda: room.hall.streams == 1)
        assert room.hall.verbs() == []
        await room.press("plus")
        await room.asks(("next", {"seen": None}))


async def test_hall_away_at_the_start_is_waited_for() -> None:
    async with counter(window_view()) as room:
        await room.hall.go_away()
        await room.sees("与主机断开")
        room.hall.view = calling()
        await room.hall.come_back()
        await room.sees("在线", "叫号中")


async def test_silent_daemon_is_noticed() -> None:
    async with counter(window_view(), limits=SHORT_OF_HEARING) as room:
        room.hall.view = None
        room.hall.heartbeat_s = 60.0
        await room.sees("与主机断开", "大厅主机没有声音了")
        room.hall.heartbeat_s = 0.5
        room.hall.view = window_view()
        await room.sees("在线")


async def test_fast_fingers_pick_what_they_typed() -> None:
    async with counter(serving()) as room:
        await room.pilot.press("f6", "1", "3", "enter")
        await until_async(lambda: [body["to_window"] for _, body in room.hall.verbs()] == ["13"])


async def test_screen_works_on_while_a_verb_has_no_answer() -> None:
    async with counter(calling(), limits=IMPATIENT) as room:
        room.hall.mute.set()
        await room.press("asterisk")
        await room.press("f1")
        await room.sees("按键一览")
        await room.press("escape")
        await room.sees("大厅主机没有回答。请看屏幕上的号码")
        room.hall.show(serving())
        await room.sees("办理中")


async def test_window_unknown_to_the_hall_ends_the_screen_with_its_sentence() -> None:
    async with counter(window_view()) as room:
        room.hall.answers["views"] = lambda _body: refusal("not_found", 404, what="3")
        await room.hall.go_away()
        await room.hall.come_back()
        await until_async(lambda: room.app.return_value is not None)
        assert room.app.return_value == Text(zh="没有找到 3。", en="3 was not found.")


async def test_fault_of_the_daemon_is_waited_out() -> None:
    async with counter(window_view()) as room:
        room.hall.answers["views"] = lambda _body: refusal("storage_failed", 500)
        await room.hall.go_away()
        await room.hall.come_back()
        await room.sees("与主机断开", "存储故障")
        del room.hall.answers["views"]
        await room.sees("在线")
