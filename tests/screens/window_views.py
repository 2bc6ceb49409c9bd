"""Views of window 3 for the tests of the counter screen; everybody in them is fictitious."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hall_daemon.protocol import (
    ClerkName,
    CurrentTicket,
    HallMap,
    ItemName,
    MaterialNeed,
    ParkedTicket,
    QueueLoad,
    QueuePlace,
    ScanJobView,
    ScanPageView,
    Text,
    WaitingTicket,
    WindowPlace,
    WindowView,
    ZonePlace,
)
from hall_daemon.words import ParkReason, Priority, SlipState, TicketState

HALL = HallMap(
    hall=Text(zh="示例镇便民服务中心", en="Shili"),
    zones=(ZonePlace(code="A", name=Text(zh="综合服务区")), ZonePlace(code="D", name=Text(zh="社会民生区"))),
    queues=(
        QueuePlace(code="A", name=Text(zh="综合服务"), zone="A"),
        QueuePlace(code="H", name=Text(zh="社保医保"), zone="D"),
    ),
    windows=(
        WindowPlace(code="1", zone="A", queues=("A",)),
        WindowPlace(code="2", zone="D", queues=("H", "A"), scanner=True),
        WindowPlace(code="3", zone="D", queues=("H",)),
        WindowPlace(code="13", zone="D", queues=("H",), scanner=True),
    ),
    items=(
        ItemName(code="i1", name=Text(zh="社会保险登记", en="Insurance"), queue="H"),
        ItemName(code="i2", name=Text(zh="灵活就业参保", en="Freelance insurance"), queue="H"),
        ItemName(code="i3", name=Text(zh="个体工商户设立登记", en="Sole trader"), queue="A"),
    ),
    clerks=(ClerkName(clerk="c017", name="样例员工甲"), ClerkName(clerk="c018", name="样例员工乙")),
)

MATERIALS = (
    MaterialNeed(code="m1", name="单位社会保险登记表", required=True),
    MaterialNeed(code="m2", name="营业执照", required=True),
    MaterialNeed(code="m3", name="授权委托书", required=False),
)


def waiting(number: str, waited_min: int, **facts: Any) -> WaitingTicket:
    """A line of the waiting list."""
    plain: dict[str, Any] = {
        "number": number,
        "queue": number[0],
        "item": "社会保险登记",
        "waited_s": waited_min * 60 + 5,
        "state": TicketState.WAITING,
        "priority": Priority.NORMAL,
    }
    return WaitingTicket(**(plain | facts))


LINE = (
    waiting("H018", 24, priority=Priority.ELDER),
    waiting("H019", 12),
    waiting("H020", 9, requeued=True, item="教师资格认定"),
)


def current(number: str, state: TicketState, **facts: Any) -> CurrentTicket:
    """The ticket at the window since ten seconds."""
    plain: dict[str, Any] = {
        "ticket_id": f"t-{number}",
        "number": number,
        "queue": number[0],
        "item": "社会保险登记",
        "state": state,
        "call_no": 1,
        "since": (datetime.now(UTC) - timedelta(seconds=10)).isoformat(),
        "name_masked": "张*试",
        "id_masked": "9900**********0011",
        "slip": SlipState.PRINTED,
        "materials": MATERIALS,
    }
    return CurrentTicket(**(plain | facts))


def parked(number: str, reason: ParkReason) -> ParkedTicket:
    """A line of the parked list."""
    since = (datetime.now(UTC) - timedelta(minutes=8)).isoformat()
    return ParkedTicket(number=number, queue="H", item="社会保险登记", since=since, reason=reason, window="3")


def window_view(**facts: Any) -> WindowView:
    """Window 3, clerk c017 signed in, nobody at the window, three waiting."""
    plain: dict[str, Any] = {
        "window": "3",
        "name": Text(zh="3号窗口", en="Window 3"),
        "zone": Text(zh="社会民生区"),
        "clerk": "c017",
        "clerk_name": "样例员工甲",
        "current": None,
        "queues": (QueueLoad(queue="H", name=Text(zh="社保医保"), waiting=3, oldest_wait_s=24 * 60 + 5),),
        "waiting": LINE,
        "waiting_total": 3,
        "missed": (),
        "parked": (),
        "notices": (),
        "to_province": 0,
    }
    return WindowView(**(plain | facts))


def calling(number: str = "H018", **facts: Any) -> WindowView:
    """The first of the line has been called."""
    changes = {"current": current(number, TicketState.CALLED), "waiting": LINE[1:], "waiting_total": 2}
    return window_view(**(changes | facts))


def serving(number: str = "H018", **facts: Any) -> WindowView:
    """The resident is at the window."""
    return calling(number, **({"current": current(number, TicketState.SERVING)} | facts))


def page(no: int, **facts: Any) -> ScanPageView:
    """A good page."""
    plain: dict[str, Any] = {
        "no": no,
        "blank": False,
        "skew_mdeg": 120,
        "blur": 300,
        "edges_ok": True,
        "codes": (),
        "saved": False,
    }
    return ScanPageView(**(plain | facts))


def scanned(*pages: ScanPageView, state: Any = "done", **facts: Any) -> ScanJobView:
    """A scan job of H018."""
    return ScanJobView(job="job-1", state=state, pages=pages, **({"ticket": "H018"} | facts))
