"""The counter screen in each state at both sizes, as a person reads it; goldens in `goldens/`.

`HALL_GOLDENS=write pytest tests/screens/test_counter_goldens.py` rewrites them; the commit that does so says why.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.cells import cell_len

from hall_daemon import slips
from hall_daemon.case_drafts import as_lines
from hall_daemon.client import HallClient
from hall_daemon.clock import CHINA
from hall_daemon.protocol import MaterialNeed, Text, WindowView
from hall_daemon.protocol_cases import CaseLine, CaseView, ReceivedCase
from hall_daemon.protocol_clerks import DeviceLamp, MessageView, NoteView, PauseView
from hall_daemon.words import ParkReason, PauseReason, Priority, TicketState
from tests.screens.counter_room import LIMIT_S, Room, counter
from tests.screens.window_views import (
    MATERIALS,
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

GOLDENS = Path(__file__).parent / "goldens"
SIZES = [(120, 40), (80, 24)]
NOW = datetime(2026, 3, 2, 10, 24, 0, tzinfo=CHINA)

LINE = (
    waiting("H018", 24, priority=Priority.ELDER),
    waiting("H019", 22),
    waiting("H020", 21, priority=Priority.APPOINTMENT, slot="10:30", item="医师执业注册"),
    waiting("H021", 19, transferred=True),
    waiting("H022", 17, priority=Priority.GREEN, item="教师资格认定"),
    waiting("H023", 12, requeued=True),
    waiting("H024", 6, pinned=True),
    waiting("H025", 1),
)
MESSAGES = (
    MessageView(message="m2", at="10:21", sender="导办台", to="3", words="有位轮椅群众 H024，请留通道"),
    MessageView(message="m1", at="10:05", sender="3 号窗口", to="值班长", words="请值班长到窗口来", mine=True,
                acknowledged="值班长01"),
)  # fmt: skip
LAMPS = (
    DeviceLamp(kind="scanner", well=True),
    DeviceLamp(kind="printer", well=True, paper_low=True),
    DeviceLamp(kind="display", well=False),
    DeviceLamp(kind="evaluator", well=True),
)
FACTS = (
    (Text(zh="时限"), Text(zh="承诺 5 个工作日（法定 15）")),
    (Text(zh="收费"), Text(zh="不收费")),
    (Text(zh="依据"), Text(zh="《社会保险法》第五十七条")),
    (Text(zh="上次"), Text(zh="今天 09:12，H003，5 号窗口，材料不齐，已告知")),
)
MORE_MATERIALS = (
    *MATERIALS,
    MaterialNeed(code="m4", name="法定代表人身份证", required=True),
    MaterialNeed(code="m5", name="银行开户许可", required=True),
)
ALL = {"waiting": LINE, "waiting_total": len(LINE), "messages": MESSAGES, "devices": LAMPS, "served_today": 31,
       "missed": (waiting("H009", 40, state=TicketState.NO_SHOW),), "to_province": 36}  # fmt: skip


def since(seconds: int) -> str:
    return (NOW - timedelta(seconds=seconds)).isoformat()


def at_window(state: TicketState, seconds: int, **facts: Any) -> Any:
    more = {"materials": MORE_MATERIALS, "facts": FACTS, "usual_minutes": 14, "waited_s": 1560}
    return current("H018", state, since=since(seconds), **(more | facts))


def idle(**facts: Any) -> WindowView:
    stays = parked("H011", ParkReason.COPY).model_copy(update={"since": since(480)})
    return window_view(**(ALL | {"parked": (stays,), "next_materials": MORE_MATERIALS} | facts))


def called(**facts: Any) -> WindowView:
    shown = at_window(TicketState.CALLED, 38, call_no=2)
    return calling(**(ALL | {"current": shown, "waiting": LINE[1:], "waiting_total": 7} | facts))


def served(**facts: Any) -> WindowView:
    note = NoteView(clerk="样例员工乙", at="09:50", words="上次少盖单位公章")
    shown = at_window(
        TicketState.SERVING, 402, ticked=("m1", "m2"), filed=("m5",), poor=("m5",), asked=("m2", "m4"), notes=(note,)
    )  # fmt: skip
    return serving(**(ALL | {"current": shown, "waiting": LINE[1:], "waiting_total": 7} | facts))


@dataclass(frozen=True, kw_only=True)
class State:
    """What the daemon shows, which keys are pressed then, and what must stand on the screen."""

    view: WindowView
    sees: str
    keys: tuple[str, ...] = ()
    first: str = ""
    then: tuple[str, ...] = ()
    """Keys that are pressed when `first` stands there."""
    signed_out: bool = False
    plain: bool = False
    cases: tuple[CaseView, ...] = ()
    """What the daemon answers when it is asked for them."""
    received: tuple[ReceivedCase, ...] = ()


def paper(code: str, name: str, wanted: str = "") -> CaseLine:
    """A line of a checklist; `wanted` is what the notice says of it."""
    return CaseLine.model_validate(
        {
            "code": code, "name": name, "need": "required", "copy_asked": "original", "waivable_by": (),
            "applies": True, "state": "missing" if wanted else "taken", "scanned": not wanted,
            "copy_kind": None if wanted else "original_seen", "wanted": {"zh": wanted and f"{name}：{wanted}"},
        }
    )  # fmt: skip


def handed_in(item: str, name: str, *lines: CaseLine, **facts: Any) -> CaseView:
    """A case of H018."""
    return CaseView.model_validate(
        {
            "number": "H018", "item": item, "item_name": Text(zh=name), "kind": "promised", "days": 5,
            "day_unit": "workday", "lines": lines, "complete": all(not x.wanted.zh for x in lines), **facts,
        }
    )  # fmt: skip


LACKING = handed_in(
    "i1", "社会保险登记", paper("m1", "单位社会保险登记表"),
    paper("m4", "法定代表人身份证", "缺；出示电子证照，或带原件"),
    paper("m5", "银行开户许可", "复印不清楚；复印件 1 份；签告知承诺书也可以"),
)  # fmt: skip
READY = handed_in(
    "i2", "住房公积金单位登记", paper("m1", "单位社会保险登记表"), local_case_no="L" + "9" * 26, state="received"
)
RECEIVED = (
    ReceivedCase(local_case_no="L" + "8" * 26, number="H004", item_name=Text(zh="灵活就业参保"), received="2026-02-24",
                 accept_by="2026-03-03", wanted=0),
    ReceivedCase(local_case_no="L" + "7" * 26, number="H006", item_name=Text(zh="社会保险登记"), received="2026-03-02",
                 accept_by="2026-03-09", wanted=2),
)  # fmt: skip
PAPER = as_lines(
    slips.notice(
        slips.NoticeFacts(
            hall=Text(zh="样例市政务服务中心", en="Yangli Government Service Center"), notice_no="打印时给号",
            item=Text(zh="社会保险登记"), given="03-02 10:24", window="3", clerk="c017",
            received=("单位社会保险登记表", "营业执照"),
            wanted=(
                slips.WantedPaper(name="法定代表人身份证", why="缺", how="出示电子证照，或带原件"),
                slips.WantedPaper(name="银行开户许可", why="复印不清楚", how="复印件 1 份；签告知承诺书也可以"),
            ),
            promise=Text(zh="5 个工作日"), fee=Text(zh="不收费"), basis=("《社会保险法》第五十七条",),
            return_by="2026-03-09", code="", phone="025-1234567",
        ),
        48,
    ),
    48,
)  # fmt: skip
ACCEPTANCE = as_lines(
    slips.case_paper(
        slips.CaseFacts(
            kind="accept", hall=Text(zh="样例市政务服务中心", en="Yangli Government Service Center"),
            notice_no="打印时给号", local_case_no="L" + "9" * 26, item=Text(zh="住房公积金单位登记"),
            given="03-02 10:24", window="3", clerk="c017", received=("单位社会保险登记表",), due="2026-03-09",
            promise=Text(zh="5 个工作日"), code="L" + "9" * 26, phone="025-1234567",
        ),
        48,
    ),
    48,
)  # fmt: skip
DOTS = [f"{(0xF0F0F0F0 >> row // 4 % 4) & 0xFFFFFFFF:08x}" for row in range(64)]
PAGES = scanned(page(1), page(2, skew_mdeg=2300), page(3, blank=True))
PAUSED = PauseView(reason=PauseReason.MEAL, since=since(60), back="10:54")
STATES = {
    "signed-out": State(view=window_view(clerk=None, clerk_name="", waiting=LINE, waiting_total=8), sees="PIN"),
    "left-behind": State(view=served(), sees="还在岗", signed_out=True),
    "idle": State(view=idle(), sees="按 + 叫号"),
    "nobody": State(view=window_view(waiting=(), waiting_total=0, queues=()), sees="没有人在等"),
    "calling": State(view=called(), sees="叫了 2 次"),
    "serving": State(view=served(), sees="平均 14 分"),
    "serving-ascii": State(view=served(), sees="平均 14 分", plain=True),
    "scanned": State(view=served(scan=PAGES), sees=" 3 页"),
    "paused": State(view=idle(pause=PAUSED), sees="10:54 前恢复"),
    "finish": State(view=served(), keys=("enter",), sees="办理结果"),
    "park": State(view=served(), keys=("slash",), sees="为什么挂起"),
    "next-while-serving": State(view=served(), keys=("plus",), sees="还没有完成"),
    "notice": State(view=served(), keys=("f8",), sees="一次性告知", cases=(LACKING,)),
    "notice-paper": State(
        view=served(), keys=("f8",), sees="告知单编号", first="一次性告知", then=("f8", "end"), cases=(LACKING,)
    ),
    "received": State(view=idle(), keys=("f8",), sees="受理哪一件", received=RECEIVED),
    "cases": State(view=served(), keys=("f8",), sees="哪一个办件", cases=(LACKING, READY)),
    "case-received": State(view=served(), keys=("f8",), sees="归错了", cases=(READY,)),
    "finish-which": State(view=served(), keys=("enter", "2"), sees="受理哪几件", cases=(LACKING, READY)),
    "file": State(view=served(scan=PAGES), keys=("f7",), sees="归到哪一项材料"),
    "page": State(view=served(scan=PAGES), keys=("f7", "enter"), sees="放大 1 倍"),
    "colleague": State(view=served(), keys=("f19",), sees="空闲"),
    "transfer": State(view=served(), keys=("f6",), sees="空闲"),
    "pause": State(view=idle(), keys=("f12",), sees="为什么暂停"),
    "chosen": State(view=idle(), keys=("tab", "down", "enter"), sees="不按顺序"),
    "call-for": State(view=idle(), keys=("f21",), sees="叫谁过来"),
    "messages": State(view=idle(), keys=("f14",), sees="知道了"),
    "walk-in": State(view=idle(), keys=("0",), sees="没有号"),
    "help": State(view=idle(), keys=("f1",), sees="按键一览"),
}  # fmt: skip


def answer(room: Room, state: State) -> None:
    """The hall says what this state is about."""
    said = {"cases": [c.model_dump(mode="json") for c in state.cases], "outcome": "consulted"}
    room.hall.answers["cases"] = lambda _body: (200, said)
    received = {"cases": [c.model_dump(mode="json") for c in state.received]}
    room.hall.answers["received"] = lambda _body: (200, received)
    papers = {"notice": PAPER, "accept": ACCEPTANCE}
    room.hall.answers["preview"] = lambda body: (200, papers[body["paper"]].model_dump(mode="json"))
    room.hall.answers["dots"] = lambda _body: (200, {"rows": DOTS})


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("name", STATES)
async def test_the_screen_looks_as_it_was_approved(
    name: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = STATES[name]
    monkeypatch.setattr(HallClient, "hall_time_s", lambda _self: NOW.timestamp())
    async with counter(state.view, size=size, signed_out=state.signed_out, plain=state.plain) as room:
        answer(room, state)
        if state.keys:
            await room.press(*state.keys)
        if state.then:
            await room.sees(state.first)
            await room.press(*state.then)
        await room.sees(state.sees)
        await until_async(lambda: not room.shows("正在"), LIMIT_S)
        lines = [line.rstrip() for line in room.lines()]
        assert all(cell_len(line) <= size[0] for line in lines)
        assert len(lines) == size[1]
        shown = "\n".join(lines) + "\n"
    golden = GOLDENS / f"counter-{name}-{size[0]}x{size[1]}.txt"
    if os.environ.get("HALL_GOLDENS") == "write":
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(shown, encoding="utf-8")
    assert shown == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
def test_no_golden_is_left_without_its_state(size: tuple[int, int]) -> None:
    found = {re.sub(r"^counter-|-\d+x\d+$", "", f.stem) for f in GOLDENS.glob(f"counter-*-{size[0]}x{size[1]}.txt")}
    assert found == set(STATES)
