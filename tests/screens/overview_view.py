"""A busy moment of the big hall as the daemon tells it to the manager's page; for its tests and its picture."""

from __future__ import annotations

from hall_daemon.alarms import Level
from hall_daemon.protocol import Text
from hall_daemon.protocol_manager import (
    AlarmView,
    DevicesNow,
    FlowPoint,
    OverviewView,
    PartToday,
    QueueNow,
    WindowNow,
    WindowState,
    ZoneNow,
)
from hall_daemon.texts import say, text
from sim.catalog_tables import DATA, read_range, read_table

ZONES = {
    # waiting, mean, longest, trend
    "A": (62, 24, 38, (20, 26, 31, 38, 45, 52, 57, 60, 62)),
    "B": (3, 2, 6, (6, 5, 8, 4, 5, 3, 2, 4, 3)),
    "C": (31, 14, 29, (8, 12, 15, 19, 22, 27, 30, 33, 31)),
    "D": (48, 17, 27, (30, 33, 36, 41, 44, 47, 49, 50, 48)),
    "E": (4, 3, 7, (2, 3, 5, 4, 6, 5, 3, 4, 4)),
}
QUEUES = {
    "A": (40, 38, 30), "T": (22, 25, 25), "B": (2, 6, 0), "F": (1, 3, 0), "C": (9, 15, 15), "G": (22, 29, 20),
    "D": (17, 24, 20), "H": (31, 27, 20), "E": (2, 5, 0), "J": (2, 7, 0), "N": (0, 0, 0), "P": (0, 0, 0),
}  # fmt: skip
"""Queue → waiting, longest wait, what a newcomer is told; minutes."""
CLOSED = ("31", "32", "33", "34", "35", "36", "12", "58", "90")
PAUSED, LONG = ("7", "66"), "23"
SINCE = "2026-03-02T11:09:00.000+08:00"


def overview() -> OverviewView:
    """18 minutes past eleven."""
    places = _windows()
    windows = tuple(
        _window(n, window, zone) for n, (window, zone) in enumerate(sorted(places, key=lambda p: int(p[0])))
    )
    return OverviewView(
        hall=Text(zh="示例县政务服务中心"), date="2026-03-02", clock="11:18", day_open=True, target_min=20,
        waiting=sum(zone[0] for zone in ZONES.values()), waiting_an_hour_ago=103, mean_wait_min=16, longest_min=38,
        longest_number="A412", longest_zone=Text(zh="注册登记区"), issued=2341, finished=2116, missed=138,
        missed_percent=5.9, transferred=44, windows_open=sum(w.state != "closed" for w in windows),
        windows=len(windows), windows_idle=sum(w.state == "idle" for w in windows), windows_paused=len(PAUSED),
        rated=803, dissatisfied=9, satisfied_percent=98.9, on_the_spot_percent=72.6, to_province=214,
        oldest_to_province_min=3,
        zones=tuple(_zone(row["code"], row["name"], windows) for row in read_table(DATA / "zones.psv")),
        queues=tuple(_queue(row, windows) for row in read_table(DATA / "big" / "queues.psv")),
        window_map=windows, alarms=_alarms(), flow=tuple(_flow()), waited=(61, 47, 29, 11, 0),
        departments=_departments(),
        devices=tuple(
            DevicesNow(kind=kind, name=text(f"kind.{kind}"), well=well, all=every)
            for kind, well, every in (("printer", 11, 12), ("card_reader", 12, 12), ("display", 90, 90))
        ),
    )  # fmt: skip


def _windows() -> list[tuple[str, str]]:
    rows = read_table(DATA / "big" / "windows.psv")
    return [(str(number), row["zone"]) for row in rows for number in read_range(row["windows"])]


def _window(n: int, window: str, zone: str) -> WindowNow:
    state: WindowState = "called" if n % 11 == 4 else "idle" if n % 13 == 9 else "serving"
    state = (
        "serving"
        if window == LONG
        else "closed"
        if window in CLOSED
        else "paused"
        if window in PAUSED
        else "fault"
        if window == "44"
        else state
    )
    busy = state in ("serving", "called")
    number = f"{zone}{n + 200}" if busy else ""
    return WindowNow(
        window=window, zone=zone, state=state, number=number, minutes=42 if window == LONG else n % 9 if busy else 0,
        long=window == LONG,
    )  # fmt: skip


def _zone(code: str, name: str, windows: tuple[WindowNow, ...]) -> ZoneNow:
    waiting, mean, longest, trend = ZONES[code]
    mine = [w for w in windows if w.zone == code]
    return ZoneNow(
        zone=code, name=Text(zh=name), waiting=waiting, mean_min=mean, over_target=mean > 20, longest_min=longest,
        windows_open=sum(w.state != "closed" for w in mine), windows=len(mine), trend=trend,
    )  # fmt: skip


def _queue(row: dict[str, str], windows: tuple[WindowNow, ...]) -> QueueNow:
    waiting, longest, told = QUEUES[row["code"]]
    return QueueNow(
        queue=row["code"], name=Text(zh=row["name"]), zone=row["zone"], waiting=waiting, longest_min=longest,
        windows_open=sum(w.zone == row["zone"] and w.state != "closed" for w in windows) // 2,
        expected=text("wait.about", n=told) if told else text("wait.none"),
    )  # fmt: skip


def _alarms() -> tuple[AlarmView, ...]:
    ages = [text("age.minutes", n=2), text("age.days", n=2), *(text("age.minutes", n=n) for n in (8, 9, 14, 3))]
    queue, police = Text(zh="企业开办与注册综合"), Text(zh="公安户政出入境")
    told = (
        (Level.URGENT, "no_window", say("alarm.no_window", queue=Text(zh="不动产登记"), waiting=1),
         text("alarm.open_these", windows="31、32、33、34、35、36")),
        (Level.WARN, "wait", say("alarm.wait", queue=queue, number="A412", minutes=38),
         text("alarm.wait.advice", waiting=40, open=11)),
        (Level.WARN, "closed_early", say("alarm.closed_early", windows="58", queue=police, waiting=22),
         text("alarm.could_take", windows="41、42、43")),
        (Level.WARN, "hold", text("alarm.hold", window="23", number="B222", minutes=42),
         text("alarm.hold.advice", usual=12)),
        (Level.WARN, "backlog", text("alarm.backlog"), text("alarm.backlog.advice", n=214, minutes=3)),
        (Level.URGENT, "overdue", text("alarm.overdue", case="L99000000000020260224000017", days=2),
         text("alarm.overdue.advice")),
    )  # fmt: skip
    return tuple(
        AlarmView(
            code=code, level=level.value, level_name=text(f"alarm.level.{level}"), about="", what=what, advice=advice,
            age=age, since=SINCE,
        )
        for (level, code, what, advice), age in zip(
            sorted(told, key=lambda one: one[0] is not Level.URGENT), ages, strict=True
        )
    )  # fmt: skip


def _flow() -> list[FlowPoint]:
    issued = (96, 110, 131, 150, 162, 171, 178, 186, 190, 184, 181, 176, 170)
    finished = (61, 92, 108, 122, 139, 150, 158, 166, 170, 172, 171, 175, 173)
    return [
        FlowPoint(clock=f"{9 + n // 6:02d}:{n % 6 * 10:02d}", issued=i, finished=f)
        for n, (i, f) in enumerate(zip(issued, finished, strict=True))
    ]


def _departments() -> tuple[PartToday, ...]:
    rows = (
        ("市场监督管理局", 623, 571, 21, 64), ("税务局", 402, 371, 19, 96), ("人力资源和社会保障局", 351, 318, 16, 71),
        ("公安局", 288, 251, 18, 58), ("医疗保障局", 171, 160, 15, 69), ("自然资源和规划局", 140, 139, 3, None),
        ("住房公积金管理中心", 121, 120, 2, 40), ("卫生健康委员会", 88, 81, 14, 77), ("民政局", 61, 55, 15, 52),
    )  # fmt: skip
    return tuple(
        PartToday(name=Text(zh=name), issued=issued, finished=finished, mean_wait_min=mean, on_the_spot_percent=spot)
        for name, issued, finished, mean, spot in rows
    )
