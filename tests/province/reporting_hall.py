"""A hall that reports to the province twin: real store, hall, outbox and inbox on the test's loop; waits shortened."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from sqlmodel import col, select

from drivers.base import CardKind, IdCard
from hall_daemon import service_day, store
from hall_daemon.cataloguing import Cataloguing
from hall_daemon.clock import Clock
from hall_daemon.config import HallConfig, Secrets
from hall_daemon.events import Blob, EventData, MaterialPage, MaterialScanned, OperatorActed, PageQuality
from hall_daemon.hall import Hall
from hall_daemon.inbox import Inbox
from hall_daemon.outbox import Outbox, State
from hall_daemon.privacy import Key, sm3_hex
from hall_daemon.profile import Clerk, DeskRules, HallProfile, Item, Kiosk, Queue, Window, Zone
from hall_daemon.protocol import Text
from hall_daemon.province import Pace
from hall_daemon.store import Store, Tx
from hall_daemon.tables import BlobRow, DayRow, EventRow, MaterialRow, RefusedRow, StreamRow
from hall_daemon.tickets import IssueOrder
from hall_daemon.words import Channel, CopyKind, CounterKind
from sim.province import TEST_KEYS, ProvinceTwin
from sim.province_views import LedgerView
from tests.background import end
from tests.waiting import until_async

SCALE = 0.002
ZHANG = IdCard(kind=CardKind.CITIZEN, id_type="111", id_no="990000199909090053", name="张测试")
ZONE = Zone(code="A", name=Text(zh="注册登记区"))
PROFILE = HallProfile(
    hall=Text(zh="示例镇便民服务中心"),
    zones={"A": ZONE},
    queues={"A": Queue(code="A", name=Text(zh="综合服务"), zone="A", items=())},
    windows={"1": Window(code="1", zone="A", counter_kind=CounterKind.GENERAL, queues=("A",))},
    kiosks={
        "k1": Kiosk(code="k1", name=Text(zh="一号机"), card_readers=(), keypad="", printer="PRN-01", queues=("A",))
    },
    items={
        "queue:A": Item(
            code="queue:A", name=Text(zh="综合服务"), short=Text(zh="综合"), zone="A", dept="", queue="A"
        )
    },
    departments={},
    catalog_version=1,
    catalog_sm3="0" * 64,
)  # fmt: skip


class Watched(Pace):
    """Draws in the middle, waits a five-hundredth, and remembers what it was asked to wait."""

    def __init__(self, *, scale: float = SCALE, idle_s: float = 5.0) -> None:
        super().__init__(rand=lambda low, high: (low + high) / 2, scale=scale, idle_s=idle_s, connect_s=2.0)
        object.__setattr__(self, "waits", [])

    async def pause(self, seconds: float) -> None:
        self.waits.append(seconds)  # type: ignore[attr-defined]  # the base is frozen; set above
        await super().pause(seconds)


def key(use: str) -> Key:
    entry = next(entry for entry in TEST_KEYS if entry["use"] == use)
    return Key(kid=entry["kid"], secret=base64.b64decode(entry["key_b64"]))


def config_for(folder: Path, twin: ProvinceTwin) -> HallConfig:
    return HallConfig(
        file=folder / "devices.toml", code=twin.hall, database=folder / "hall.db", host="127.0.0.1", port=0,
        province_url=twin.url, devices={}, clerks={"c1": Clerk(code="c1", name="李窗口")}, profile=PROFILE,
            desk=DeskRules(idle_minutes=0, outcome_required=False),
        secrets=Secrets(sign=key("sign"), pii=key("pii"), match=key("match"), tokens={}),
    )  # fmt: skip


class ReportingHall:
    """One hall; leave the context and it is stopped, enter again and it is restarted on the same database."""

    def __init__(
        self, folder: Path, twin: ProvinceTwin, *, pace: Pace | None = None, clock: Clock | None = None,
        with_inbox: bool = False,
    ) -> None:  # fmt: skip
        self.twin, self.folder = twin, folder
        self.config = config_for(folder, twin)
        self.pace = pace or Watched()
        self.clock = clock or Clock()
        self.with_inbox = with_inbox
        self._orders = 0
        self.config.blobs.mkdir(parents=True, exist_ok=True)

    # --- life -----------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> ReportingHall:
        self.store = Store(self.config.database, self.config.code, self.clock)
        self.store.open()
        self.store.start()
        self.hall = Hall(self.config, self.store, self.clock)
        self.cataloguing = Cataloguing(self.hall)
        await self.cataloguing.start()
        await service_day.start(self.hall)
        self.outbox = Outbox(self.config, self.store, self.hall, self.clock, self.config.blobs, pace=self.pace)
        self.inbox = Inbox(self.config, self.store, self.hall, self.outbox, self.cataloguing)
        self._tasks = [asyncio.create_task(self.outbox.run())]
        if self.with_inbox:
            self._tasks.append(asyncio.create_task(self.inbox.run()))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.stop_sending()
        self.store.close()

    async def stop_sending(self) -> None:
        """As by kill -9: whatever is under way is broken off."""
        tasks, self._tasks = self._tasks, []
        if self.config.secrets.sign is None:  # without a key there is nothing to do: they say so and end
            for task in [t for t in tasks if t.done()]:
                tasks.remove(task)
                task.result()
        await end(tasks)

    # --- work -----------------------------------------------------------------------------------------------------

    async def issue(self, count: int = 1, card: IdCard | None = None) -> list[str]:
        numbers = []
        for _ in range(count):
            self._orders += 1
            order = IssueOrder(
                item="queue:A", request_id=f"{self.clock.new_id()}", channel=Channel.KIOSK, device_id="PRN-01",
                kiosk="k1", card=card,
            )  # fmt: skip
            numbers.append((await self.hall.issue(order)).number)
        return numbers

    async def emit(self, data: EventData) -> str:
        """Any event; its id."""
        event_id = self.clock.new_id()
        await self.store.write(lambda tx: tx.emit(data, event_id=event_id))
        return event_id

    async def emit_many(self, count: int) -> None:
        """Events in one commit."""
        acted = OperatorActed(actor="clerk", actor_id="c1", action="look", target="x", result="done")

        def verb(tx: Tx) -> None:
            for _ in range(count):
                tx.emit(acted)

        await self.store.write(verb)

    async def file_page(self, content: bytes, number: str = "") -> str:
        """A page in the spool and filed as a material; its blob id."""
        name = hashlib.sha256(content).hexdigest()
        (self.config.blobs / name).write_bytes(content)
        blob, material_id = f"sha256:{name}", self.clock.new_id()
        number = number or (await self.issue())[0]
        ticket_id = (await self.hall.find_ticket(number)).ticket_id
        about = Blob(blob=blob, sm3=sm3_hex(content), bytes=len(content), media="image/jpeg")
        page = MaterialPage(no=1, blob=about, w=1654, h=2339, dpi=200, color=True, rotation=0, blank=False)

        def verb(tx: Tx) -> None:
            tx.session.add(BlobRow(blob=blob, sm3=about.sm3, bytes=about.bytes, media=about.media, kept_ms=tx.now_ms))
            tx.session.add(
                MaterialRow(
                    id=material_id, ticket_id=ticket_id, code="M01", name="身份证复印件", copy_kind="copy",
                    pages=[blob],
                    filed_ms=tx.now_ms, clerk="c1", window="1",
                )
            )  # fmt: skip
            tx.emit(
                MaterialScanned(
                    material_id=material_id, ticket_id=ticket_id, material_code="M01", material_name="身份证复印件",
                    copy_kind=CopyKind.COPY, pages=(page,), device_id="SCN-01", clerk_id="c1",
                    quality=PageQuality(blur=100, skew_mdeg=0, edges_ok=True),
                )
            )  # fmt: skip

        await self.store.write(verb)
        return blob

    async def close_day(self) -> None:
        await service_day.close(self.hall)

    # --- what is there --------------------------------------------------------------------------------------------

    @property
    def status(self):  # type: ignore[no-untyped-def]  # the type is the outbox's business
        return self.outbox.status()

    def troubles(self) -> set[str]:
        return {trouble.code for trouble in self.outbox.troubles.all()}

    async def rows(self) -> list[EventRow]:
        return await self.store.read(lambda s: list(s.exec(select(EventRow).order_by(col(EventRow.number)))))

    async def streams(self) -> list[StreamRow]:
        return await self.store.read(lambda s: list(s.exec(select(StreamRow))))

    async def refused(self) -> list[RefusedRow]:
        return await self.store.read(lambda s: list(s.exec(select(RefusedRow))))

    async def blob_row(self, blob: str) -> BlobRow:
        return await self.store.read(lambda s: s.get_one(BlobRow, blob))

    async def reconciled(self) -> bool:
        days = await self.store.read(lambda s: list(s.exec(select(DayRow))))
        return all(day.reconciled for day in days)

    # --- waiting --------------------------------------------------------------------------------------------------

    async def all_acknowledged(self, limit_s: float = 20.0) -> None:
        """The province has all of the newest stream, by the database: the status may still tell of a moment before."""

        async def told() -> bool:
            acked = {stream.streamid: stream.acked_through for stream in await self.streams()}
            whole = acked.get(self.store.streamid) == self.store.last_sequence
            return whole and self.status.streamid == self.store.streamid and not self.status.backlog_events

        await until_async(told, limit_s, what=f"{self.status}")

    async def trouble(self, code: str, limit_s: float = 10.0) -> None:
        await until_async(lambda: code in self.troubles(), limit_s, what=f"{code}, there is {self.troubles()}")

    async def online(self) -> None:
        await until_async(lambda: self.status.state is State.ONLINE)

    async def fault_seen(self, times: int = 1) -> None:
        """The faults that were ordered met so many requests."""
        await until_async(lambda: sum(rule["done"] for rule in self.twin.health()["faults"]) >= times, 15.0)


async def same_on_both_sides(hall: ReportingHall) -> LedgerView:
    """N4, N5, N7: what was committed is over there, once, in its order, with its bytes and hashes."""
    ledger, rows = hall.twin.ledger(), await hall.rows()
    assert ledger.duplicates == 0
    acked = {stream.streamid: stream.acked_through for stream in await hall.streams()}
    here = [row for row in rows if row.sequence <= acked[row.streamid]]
    there = {(row.streamid, row.sequence): row for row in ledger.rows}
    for row in here:
        other = there.pop((row.streamid, row.sequence))
        assert (other.id, other.leaf, other.chain) == (row.id, row.leaf, row.chain)
        assert other.status == "lost" or other.event == row.body
    assert not there
    committed = {row.id for row in rows}
    refused = {row.id for row in await hall.refused()}
    assert committed == {row.id for row in here} | refused | {r.id for r in rows if r.type == "hall.stream.opened.v1"}
    applied = sorted(ledger.events, key=lambda event: event.applied or 0)
    assert len({event.id for event in applied}) == len(applied)
    assert store.verify(hall.config.database) is None
    return ledger


def acted(reason: str | None = None) -> OperatorActed:
    return OperatorActed(actor="clerk", actor_id="c1", action="look", target="x", result="done", reason_text=reason)


def json_of(row: EventRow) -> dict[str, object]:
    return dict(json.loads(row.body))


Condition = Callable[[], bool]
