"""A hall with two ticket machines for tests of the visit: real hall, store and devices, twins on real carriers.

The daemon's rooms run inside the test, so that a test can look at the view and at the database at once.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, select

from drivers.base import Key
from hall_daemon import service_day
from hall_daemon.clock import Clock
from hall_daemon.config import load
from hall_daemon.devices import Devices
from hall_daemon.hall import Hall
from hall_daemon.kiosk import KioskFlow
from hall_daemon.kiosk_core import CallStaff
from hall_daemon.kiosk_visit import KioskTimes
from hall_daemon.protocol_kiosk import KioskScreen, KioskView
from hall_daemon.store import Store
from hall_daemon.tables import EventRow, TicketRow
from hall_daemon.upkeep import Upkeep
from sim.bench import HALLS, Bench
from sim.hall_plan import DEMO_PIN_HASH
from tests.background import end
from tests.waiting import LIMIT_S, until_async

S = KioskScreen

PLACES = """
[hall]
code = "990000000000-01"
name = "示例镇便民服务中心"
name_en = "Shili Community Service Center"
timezone = "Asia/Shanghai"
database = "var/hall.db"
catalog = "catalog.json"
listen = "127.0.0.1:8620"

[zone.A]
name = "注册登记区"
name_en = "Registration"

[zone.D]
name = "社会民生区"
name_en = "Social & Livelihood"

[queue.A]
name = "综合服务"
name_en = "General Services"
zone = "A"
items = [{queue_a}]

[queue.H]
name = "社保医保"
name_en = "Social & Medical Insurance"
zone = "D"
items = [{queue_h}]

[queue.N]
name = "咨询·办不成事"
name_en = "Help Desk"
zone = "D"
items = []

[kiosk.k1]
name = "1号取号机"
name_en = "Kiosk 1"
card_readers = ["IDR-01", "IDR-02"]
keypad = "KEY-01"
printer = "PRN-01"
queues = ["A", "H", "N"]

[kiosk.k2]
name = "2号取号机"
name_en = "Kiosk 2"
card_readers = ["IDR-03"]
keypad = ""
printer = "PRN-02"
queues = ["A"]

[window.1]
zone = "A"
counter_kind = "general"
queues = ["A", "H"]

[window.2]
zone = "D"
counter_kind = "general"
queues = ["H"]

[window.3]
zone = "D"
counter_kind = "consult"
queues = ["N"]

[clerk.c01]
name = "样例一"
pin_hash = "{pin_hash}"
"""

DEVICE = """
[device.{name}]
driver = "{driver}"
port = "/dev/tty{name}"
baud = {baud}
{more}
"""

DEVICES = (
    ("IDR-01", "idcard_samv", 115200, ""),
    ("IDR-02", "idcard_samv", 115200, ""),
    ("IDR-03", "idcard_samv", 115200, ""),
    ("KEY-01", "keypad_serial", 9600, ""),
    ("PRN-01", "printer_escpos", 115200, 'columns = 32\ncharset = "gb18030"'),
    ("PRN-02", "printer_escpos", 115200, 'columns = 48\ncharset = "gb18030"'),
)

QUICK = KioskTimes(same_key_s=0.0, tick_s=0.1)
"""As in a hall, but nobody's finger bounces: a test presses faster than a person."""

KEY_ENVIRONMENT = {"HALL_MATCH_KEY": "m1:" + base64.b64encode(bytes(range(16))).decode()}


def write_hall(
    folder: Path, items_a: int = 12, items_h: int = 3, *, suspend_first: bool = False, more: str = ""
) -> Path:
    """A hall's files; how many items each queue takes; `more` tables."""
    folder.mkdir(parents=True, exist_ok=True)
    catalog = json.loads((HALLS / "small" / "catalog.json").read_text(encoding="utf-8"))
    codes = [item["code"] for item in catalog["items"]]
    if suspend_first:
        catalog["items"][0]["state"] = "2"
    (folder / "catalog.json").write_text(json.dumps(catalog), encoding="utf-8")
    listed = [", ".join(f'"{code}"' for code in part) for part in (codes[:items_a], codes[items_a:][:items_h])]
    text = PLACES.format(pin_hash=DEMO_PIN_HASH, queue_a=listed[0], queue_h=listed[1])
    text += "".join(DEVICE.format(name=n, driver=d, baud=b, more=m) for n, d, b, m in DEVICES)
    (folder / "devices.toml").write_text(text + more, encoding="utf-8")
    return folder


class KioskRoom:
    """One running hall; `flow` is kiosk k1."""

    def __init__(self, bench: Bench, times: KioskTimes, call_staff: CallStaff | None) -> None:
        self.bench = bench
        self.clock = Clock()
        self.config = load(bench.config, KEY_ENVIRONMENT)
        self.store = Store(self.config.database, self.config.code, self.clock)
        self.hall = Hall(self.config, self.store, self.clock)
        self.devices = Devices(dict(self.config.devices), self.clock)
        self.upkeep = Upkeep()
        kiosks = self.config.profile.kiosks
        self.flow = KioskFlow(kiosks["k1"], self.hall, self.devices, self.clock, times, call_staff, self.upkeep)
        self.other = KioskFlow(kiosks["k2"], self.hall, self.devices, self.clock, times, upkeep=self.upkeep)
        self.touches = 0
        """Keys that a person has touched on the page so far."""
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        await asyncio.to_thread(self.store.open)
        self.store.start()
        await service_day.start(self.hall)
        await self.upkeep.take_up(self.store)
        self.devices.start()
        self._tasks = [asyncio.create_task(flow.run()) for flow in (self.flow, self.other)]

    async def stop(self) -> None:
        try:
            await end(self._tasks)
        finally:
            await self.devices.stop()
            await asyncio.to_thread(self.store.close)

    async def failure(self) -> BaseException:
        """Wait until a room of the daemon has failed; its error. The daemon's supervisor would begin it anew."""
        done, _ = await asyncio.wait(self._tasks, timeout=15, return_when=asyncio.FIRST_COMPLETED)
        (task,) = done
        self._tasks.remove(task)
        error = task.exception()
        assert error is not None
        return error

    async def maintain(self, kiosk: str, *, on: bool) -> None:
        """Take a kiosk out of service, or put it back."""
        await self.upkeep.maintain(self.store, kiosk, on=on)

    # --- what a person does and sees ----------------------------------------------------------------------------------

    @property
    def view(self) -> KioskView:
        return self.flow.view

    async def shows(self, *screens: KioskScreen, limit_s: float = LIMIT_S) -> KioskView:
        """Wait for one of these pages."""
        await until_async(lambda: self.view.screen in screens, limit_s, f"one of {screens}")
        return self.view

    def lay(self, resident: str, reader: str = "IDR-01") -> None:
        """Lay a card on a reader."""
        self.bench[reader].put(resident)

    def lift(self, reader: str = "IDR-01") -> None:
        self.bench[reader].lift()

    def touch(self, *keys: str) -> None:
        """Touch keys on the page as it stands."""
        for key in keys:
            self.touches += 1
            self.flow.press(Key(key), self.view.revision)

    async def pad(self, *keys: str) -> None:
        """Press keys of the keypad's twin."""
        for key in keys:
            await asyncio.to_thread(self.bench["KEY-01"].press, key)

    async def identify(self, resident: str = "zhang") -> None:
        """From the first page to the zones, without a phone."""
        await self.shows(S.IDLE)
        self.lay(resident)
        await self.shows(S.PHONE)
        self.touch("*")
        await self.shows(S.SERVICE)
        self.touch("7")
        await self.shows(S.ZONES)

    async def choose(self, zone: str = "1", item: str = "1") -> None:
        """From the common items, or the zones, to the check page."""
        if self.view.screen is S.SERVICE:
            self.touch("7")
        self.touch(zone)
        self.touch(item)
        await self.shows(S.CONFIRM)

    async def visit(self, resident: str = "zhang", zone: str = "1", item: str = "1") -> str:
        """A whole visit; the number."""
        await self.identify(resident)
        await self.choose(zone, item)
        self.touch("ok")
        view = await self.shows(S.DONE)
        self.lift()
        self.touch("ok")
        await self.shows(S.IDLE)
        assert view.ticket is not None
        return view.ticket.number

    # --- what is true -------------------------------------------------------------------------------------------------

    async def tickets(self) -> list[TicketRow]:
        def question(session: Session) -> list[TicketRow]:
            rows = list(session.exec(select(TicketRow).order_by(col(TicketRow.arrival_ms))))
            session.expunge_all()
            return rows

        return await self.store.read(question)

    async def events(self, kind: str) -> list[dict[str, Any]]:
        """Data of the events of one kind, oldest first."""

        def question(session: Session) -> list[dict[str, Any]]:
            rows = session.exec(select(EventRow).where(EventRow.type == kind).order_by(col(EventRow.number)))
            return [json.loads(row.body)["data"] for row in rows]

        return await self.store.read(question)

    def slips(self, printer: str = "PRN-01") -> list[str]:
        """Text of every whole slip that came out."""
        return ["\n".join(line.text for line in slip.text_lines) for slip in self.bench[printer].whole_slips]


@asynccontextmanager
async def kiosk_room(
    folder: Path,
    times: KioskTimes = QUICK,
    call_staff: CallStaff | None = None,
    **items: Any,
) -> AsyncIterator[KioskRoom]:
    """A hall that runs until the block ends; `items` are those of write_hall, checked there."""
    bench = Bench(write_hall(folder / "hall", **items), folder / "run", province=None)
    with bench:
        async with running(bench, times, call_staff) as room:
            yield room


@asynccontextmanager
async def running(
    bench: Bench, times: KioskTimes = QUICK, call_staff: CallStaff | None = None
) -> AsyncIterator[KioskRoom]:
    """The daemon's rooms on a bench; twice in a row is a restart."""
    room = KioskRoom(bench, times, call_staff)
    await room.start()
    try:
        await until_async(lambda: all(view.link == "online" for view in room.devices.views()), what="devices online")
        yield room
    finally:
        await room.stop()
