"""The call desk: who calls for help is seen and answered, words go to windows, emergency pads are keyed in."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from hall_daemon.client import HallClient
from hall_daemon.client_day import DayClient
from hall_daemon.clock import CHINA
from hall_daemon.protocol import ItemName, KioskPlace, Text
from hall_daemon.protocol_clerks import Messages, MessageView
from hall_daemon.words import Outcome
from kiosk_ui.counter import CounterApp
from kiosk_ui.staff_pads import BadLine, pad_line
from tests.screens.counter_room import QUICK, Room
from tests.screens.scripted_hall import Answer, ScriptedHall, refusal
from tests.screens.window_views import HALL

GOLDENS = Path(__file__).parent / "goldens"
SIZES = [(120, 40), (80, 24)]
NOW = datetime(2026, 3, 2, 10, 24, 0, tzinfo=CHINA)
GUARD = MessageView(message="m1", at="10:21", sender="3 号窗口", to="保安", words="请保安到窗口来")
MANAGER = MessageView(message="m2", at="10:23", sender="13 号窗口", to="值班长", words="请值班长到窗口来")
ITEMS = (
    ItemName(code="i1", name=Text(zh="灵活就业参保"), queue="H"),
    ItemName(code="i2", name=Text(zh="职工参保"), queue="H"),
)
KIOSKS = tuple(KioskPlace(code=f"k{n}", name=Text(zh=f"{n}号取号机")) for n in (1, 2))
PERSON = {"session": "secret", "number": "m001", "name": "样例值班长", "role": "manager"}


@asynccontextmanager
async def call_desk(size: tuple[int, int], **answers: Answer) -> AsyncIterator[Room]:
    """A running call desk in a hall where two windows call; nobody has signed in."""
    async with (
        ScriptedHall(HALL.model_copy(update={"items": ITEMS, "kiosks": KIOSKS})) as hall,
        DayClient(hall.url, limits=QUICK) as client,
    ):
        hall.view = Messages(messages=(GUARD, MANAGER))
        hall.answers["sign-in"] = lambda _body: answers.get("sign_in", (200, PERSON))
        hall.answers["pads"] = _keyed
        hall.answers["slip"] = _printed
        app = CounterApp(client, "", "m001")
        async with app.run_test(size=size) as pilot:
            room = Room(hall=hall, app=app, pilot=pilot)
            await room.sees("呼叫台 上岗")
            yield room


def _keyed(body: Any) -> Answer:
    number = body["pads"][0]["number"]
    why = None if number != "XA009" else {"zh": "没有这样的号", "en": ""}
    return 200, {"event": 7, "pads": [{"number": number, "state": "refused" if why else "keyed", "text": why}]}


def _printed(body: Any) -> Answer:
    out = {"result": "ok"} if body["kiosk"] == "k2" else {"result": "failed", "reason": "jam"}
    return 200, {"number": "A037", **out}


async def sign_in(room: Room) -> None:
    await room.press(*"246813", "enter")
    await room.sees("样例值班长  值班长", "窗口的呼叫 2")


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
async def test_calls_are_seen_and_answered_words_sent_and_pads_keyed_in(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HallClient, "hall_time_s", lambda _self: NOW.timestamp())
    monkeypatch.setattr("kiosk_ui.staff.RESULT_S", 600.0)
    async with call_desk(size) as room:
        await sign_in(room)
        await room.press("down", "enter")
        await room.sees("已应答 13 号窗口：请值班长到窗口来")
        assert room.hall.asked[-1].path == "/messages/m2/ack"
        assert room.hall.asked[-1].token == "Bearer secret"
        room.hall.show(Messages(messages=(GUARD,)))
        await room.sees("窗口的呼叫 1")
        _golden("staff", room, size)

        await room.press("f6", "1", "3", "enter")
        await room.sees("给 13 号窗口 说什么？")
        await room.press(*"ABC", "enter")
        await room.sees("已发给 13 号窗口：ABC")
        assert room.hall.verbs()[-1] == ("messages", {"window": "13", "words": "ABC"})

        for kiosk, said in (("1", "A037 没有打印出来，号码有效，请换一台"), ("2", "A037 已在 k2 补打")):
            await room.press("f7", *"a037", "enter", kiosk, "enter")
            await room.sees(said)
            assert room.hall.asked[-1].path == "/tickets/A037/slip"
        assert [body["kiosk"] for verb, body in room.hall.verbs() if verb == "slip"] == ["k1", "k2"]

        await room.press("f8")
        await room.sees("补录应急号")
        await room.press(*"xa001", "space", *"0910", "enter")
        await room.sees("已录入")
        await room.press(*"XA009", "space", *"0912", "space", *"1", "space", *"3", "enter")
        await room.sees("没录 没有这样的号")
        await room.press(*"XA002", "enter")
        await room.sees("时间不对")
        _golden("staff-pads", room, size)
        keyed = [body["pads"][0] for verb, body in room.hall.verbs() if verb == "pads"]
        assert [(p["number"], p["at"], p["outcome"], p["window"]) for p in keyed] == [
            ("XA001", "09:10", None, None), ("XA009", "09:12", "completed", "3"),
        ]  # fmt: skip
        await room.press("escape", "f12")
        await room.sees("未上岗", "没有窗口在叫人")


async def test_whose_session_is_over_is_asked_again_and_a_clerk_is_sent_to_a_window() -> None:
    async with call_desk((80, 24)) as room:
        await sign_in(room)
        room.hall.answers["ack"] = lambda _body: (401, refusal("session_over")[1])
        await room.press("enter")
        await room.sees("呼叫台 上岗", "请重新上岗")
    async with call_desk((80, 24), sign_in=(200, PERSON | {"role": "clerk"})) as room:
        await room.press(*"246813", "enter")
        await room.sees("请到窗口上岗")


def test_a_line_of_the_sheet_is_read_or_refused_with_its_reason() -> None:
    served = pad_line("XA002 9:12 灵活 2 3 c017", ITEMS)
    assert (served.at, served.item, served.outcome, served.window) == ("09:12", "i1", Outcome.RECEIVED, "3")
    assert served.clerk == "c017"
    assert pad_line("xa003 1405", ITEMS).outcome is None
    for words, why in (
        ("XA001", "时间"), ("XA001 2560", "时间"), ("一号 0910", "号码"), ("XA001 0910 参保", "事项"),
        ("XA001 0910 1", "结果"), ("XA001 0910 7 3", "结果"), ("XA001 0910 i1 3 c017 x y", "结果"),
    ):  # fmt: skip
        with pytest.raises(BadLine, match=why):
            pad_line(words, ITEMS)


def _golden(name: str, room: Room, size: tuple[int, int]) -> None:
    lines = [line.rstrip() for line in room.lines()]
    assert all(cell_len(line) <= size[0] for line in lines)
    assert len(lines) == size[1]
    shown = "\n".join(lines) + "\n"
    golden = GOLDENS / f"{name}-{size[0]}x{size[1]}.txt"
    if os.environ.get("HALL_GOLDENS") == "write":
        golden.write_text(shown, encoding="utf-8")
    assert shown == golden.read_text(encoding="utf-8")
