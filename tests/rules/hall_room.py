"""A hall without devices for tests of its verbs: real configuration, store and hall, and a clock that stands."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, select

from drivers.base import CardKind, IdCard
from hall_daemon import service_day
from hall_daemon.cataloguing import Cataloguing
from hall_daemon.clock import Clock
from hall_daemon.config import load
from hall_daemon.events import Event
from hall_daemon.hall import Hall
from hall_daemon.protocol import Transfer
from hall_daemon.store import Store
from hall_daemon.tables import EventRow, TicketRow
from hall_daemon.tickets import Issued, IssueOrder, TicketInfo
from hall_daemon.words import Channel

MORNING_MS = 1767574800000  # 2026-01-05 09:00 in the hall
HOUR_MS = 3600 * 1000

START_UP = "11990000990000017W4990101001000"
PENSION = "11990000990000260P4990526004000"
RETIRED = "11990000990000260P4992026022000"
PAUSED = "11990000990000340B4992034007000"
LONELY = "11990000990000148Q4991014001000"
"""Items: of queue A, two of queue H, a suspended one of A, and one whose queue no window serves."""

ENVIRONMENT = {
    "HALL_PII_KEY": "p1:" + base64.b64encode(bytes(range(48))).decode(),
    "HALL_MATCH_KEY": "m1:" + base64.b64encode(bytes(range(32))).decode(),
}

PLACES = f"""
[hall]
code = "990000000000-01"
name = "示例镇便民服务中心"
database = "var/hall.db"
catalog = "catalog.json"
no_show_calls = 1

[zone.A]
name = "注册登记区"

[zone.D]
name = "社会民生区"

[zone.E]
name = "金融服务区"

[queue.A]
name = "综合服务"
zone = "A"
items = ["{START_UP}", "{PAUSED}"]

[queue.H]
name = "社保医保"
zone = "D"
items = ["{PENSION}", "{RETIRED}"]

[queue.D]
name = "社会民生"
zone = "D"
items = []

[queue.B]
name = "投资建设"
zone = "E"
items = ["{LONELY}"]

[window.1]
zone = "A"
counter_kind = "general"
queues = ["A", "H"]

[window.2]
zone = "D"
counter_kind = "special"
queues = ["H", "D"]

[window.3]
zone = "D"
counter_kind = "consult"
queues = ["D"]

[clerk.c001]
name = "样例一"

[clerk.c002]
name = "样例二"

[clerk.c003]
name = "样例三"
"""


def catalog(**states: str) -> str:
    """A catalogue of the items above; `states` by item code: 1 in use, 2 suspended, 3 withdrawn."""
    items = [
        _item(START_UP, "企业设立登记", "A"),
        _item(PAUSED, "个人信用报告查询", "E", state="2"),
        _item(PENSION, "养老待遇申领", "D"),
        _item(RETIRED, "企业职工退休一件事", "D"),
        _item(LONELY, "企业投资项目备案", "B"),
    ]
    for item in items:
        item["state"] = states.get(str(item["code"]), item["state"])
    return json.dumps({"version": 7, "items": items, "content_sm3": "0" * 64}, ensure_ascii=False)


def _item(code: str, name: str, zone: str, state: str = "1") -> dict[str, Any]:
    return {"code": code, "name": name, "dept": code[:18], "zone": zone, "kind": "immediate", "state": state}


def card(name: str = "张测试", number: str = "990000199909090053") -> IdCard:
    """A fictitious resident's card."""
    return IdCard(kind=CardKind.CITIZEN, id_type="111", id_no=number, name=name, address="示例省示例市", sex="1")


class StandingClock(Clock):
    """Stands until a test lets time pass; `step_ms` moves the wall clock alone, as a time server does."""

    def __init__(self, now_ms: int = MORNING_MS) -> None:
        super().__init__()
        self.wall_ms = now_ms
        self.running_s = 1000.0

    def now_ms(self) -> int:
        return self.wall_ms

    def monotonic_s(self) -> float:
        return self.running_s

    def pass_ms(self, ms: int) -> None:
        """Time passes."""
        self.wall_ms += ms
        self.running_s += ms / 1000

    def step_ms(self, ms: int) -> None:
        """The wall clock is set."""
        self.wall_ms += ms


class RunningClock(StandingClock):
    """Goes on by a little whenever somebody looks at it, as a real one does."""

    def now_ms(self) -> int:
        self.wall_ms += 1
        return self.wall_ms

    def monotonic_s(self) -> float:
        self.running_s += 0.003
        return self.running_s


class HallRoom:
    """One life of the hall on the files of a folder."""

    def __init__(self, folder: Path, clock: StandingClock, environment: Mapping[str, str] = ENVIRONMENT) -> None:
        self.folder, self.clock = folder, clock
        self.config = load(folder / "devices.toml", environment)
        self.store = Store(self.config.database, self.config.code, clock)
        self.hall = Hall(self.config, self.store, clock)
        self.cataloguing = Cataloguing(self.hall)
        self.heard: list[Event] = []
        self.hall.on_event(self.heard.append)
        self._orders = 0

    async def start(self) -> HallRoom:
        await asyncio.to_thread(self.store.open)
        self.store.start()
        await self.cataloguing.start()
        await service_day.start(self.hall)
        return self

    async def stop(self) -> None:
        await asyncio.to_thread(self.store.close)

    # --- what people do -----------------------------------------------------------------------------------------------

    async def issue(self, item: str = START_UP, **more: Any) -> Issued:
        """A number from the kiosk."""
        self._orders += 1
        order = {
            "item": item, "request_id": f"order-{self.clock.new_id()}", "channel": Channel.KIOSK, "device_id": "PRN-01",
            "kiosk": "k1", **more,
        }  # fmt: skip
        return await self.hall.issue(IssueOrder(**order))

    async def numbers(self, count: int, item: str = START_UP) -> list[str]:
        """Several numbers, a second apart."""
        found = []
        for _ in range(count):
            found.append((await self.issue(item)).number)
            self.clock.pass_ms(1000)
        return found

    async def sign_in(self, **clerks: str) -> None:
        """`w1="c001"`: clerks take their windows."""
        for window, clerk in clerks.items():
            await self.hall.sign_in(window.removeprefix("w"), clerk)

    async def call(self, window: str = "1") -> str:
        """Call next at a window where nobody is."""
        return (await self.hall.call_next(window, None))[1]

    async def call_and_serve(self, window: str = "1") -> str:
        number = await self.call(window)
        await self.hall.serve(window, number, identity_rechecked=False)
        return number

    async def serve(self, window: str, number: str) -> None:
        await self.hall.serve(window, number, identity_rechecked=True)

    async def transfer(self, window: str, number: str, **to: Any) -> int:
        return await self.hall.transfer(window, Transfer(seen=number, **to))

    # --- what is true -------------------------------------------------------------------------------------------------

    async def row(self, number: str, bizdate: str | None = None) -> TicketRow:
        """The row of a number, of the latest day that has it."""

        def question(session: Session) -> TicketRow:
            found = select(TicketRow).where(TicketRow.number == number).order_by(col(TicketRow.bizdate).desc())
            if bizdate is not None:
                found = found.where(TicketRow.bizdate == bizdate)
            row = session.exec(found).first()
            assert row is not None, number
            session.expunge(row)
            return row

        return await self.store.read(question)

    async def find(self, number: str) -> TicketInfo:
        return await self.hall.find_ticket(number)

    async def log(self, kind: str = "") -> list[dict[str, Any]]:
        """Envelopes of events whose wire type contains `kind`, oldest first."""

        def question(session: Session) -> list[dict[str, Any]]:
            rows = session.exec(select(EventRow).order_by(col(EventRow.number)))
            return [json.loads(row.body) for row in rows if kind in row.type]

        return await self.store.read(question)

    async def last(self, kind: str = "") -> dict[str, Any]:
        """Data of the last event, or of the last of a kind."""
        data: dict[str, Any] = (await self.log(kind))[-1]["data"]
        return data

    async def waiting(self, queue: str = "") -> list[str]:
        """Numbers in the order of the line."""
        return [t.number for t in (await self.hall.snapshot()).waiting() if not queue or t.queue == queue]


def write_hall(folder: Path, places: str = PLACES, items: str = "") -> Path:
    """The files of the hall."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "devices.toml").write_text(places, encoding="utf-8")
    (folder / "catalog.json").write_text(items or catalog(), encoding="utf-8")
    return folder


@asynccontextmanager
async def hall_room(
    folder: Path, clock: StandingClock | None = None, environment: Mapping[str, str] = ENVIRONMENT
) -> AsyncIterator[HallRoom]:
    """A life of the hall; a second one on the same folder is a restart."""
    if not (folder / "devices.toml").exists():
        write_hall(folder)
    room = HallRoom(folder, clock or StandingClock(), environment)
    await room.start()
    try:
        yield room
    finally:
        await room.stop()
