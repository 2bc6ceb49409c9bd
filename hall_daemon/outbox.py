"""Sends the event log and the scanned files to the province until they are acknowledged.

One task talks about events: hello, then batches, one in flight. Files, closed days and the heartbeat are tasks beside
it that wait until the province answers. The hall never waits for any of this, and nothing is ever dropped
(province.md §9).
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from sqlmodel import Session

from hall_daemon import serials
from hall_daemon.clock import Clock, rfc3339
from hall_daemon.config import HallConfig
from hall_daemon.hall import Hall
from hall_daemon.outbox_days import DayKeeper
from hall_daemon.outbox_events import ChainDiffers, EventSender
from hall_daemon.outbox_files import FileSender
from hall_daemon.outbox_line import Line, Trouble, Troubles
from hall_daemon.privacy import Key
from hall_daemon.protocol import DeviceView, Text
from hall_daemon.province import LONGEST_BACKOFF_S, Backoff, Pace, Province, daemon_version
from hall_daemon.province_replies import ProvinceError, Rejected, Remedy, Unreachable
from hall_daemon.province_shapes import Heartbeat, HeartbeatDevice, Hello, HelloAnswer
from hall_daemon.store import Store, Tx

_log = logging.getLogger("outbox")

HELLO_S = 600.0
HEARTBEAT_S = 60.0
STALL_S = 600.0
_OF_THE_LINE = (
    "province.unreachable", "province.not_the_province", "province.busy", "province.failed", "province.full",
    "province.key_refused", "province.clock", "province.revoked", "province.too_old", "province.refused",
)  # fmt: skip
_TROUBLE_OF = {
    "AUTH_CLOCK_SKEW": "province.clock", "AUTH_REPLAY": "province.clock", "AUTH_SIGNATURE": "province.key_refused",
    "AUTH_KEY_UNKNOWN": "province.key_refused", "AUTH_REVOKED": "province.revoked",
    "HALL_SUSPENDED": "province.revoked", "CONTRACT_TOO_OLD": "province.too_old",
}  # fmt: skip


class State(StrEnum):
    """How it stands with the province."""

    OFF = "off"
    """No province or no key is configured."""
    CONNECTING = "connecting"
    ONLINE = "online"
    WAITING = "waiting"
    """Lost; tried again after a back-off."""
    STOPPED = "stopped"
    """The province wants nothing from this hall at present."""


@dataclass(frozen=True, kw_only=True)
class OutboxStatus:
    """For metrics and screens."""

    state: State
    streamid: str
    acknowledged: int
    """Sequence through which the stream is acknowledged."""
    backlog_events: int
    backlog_blobs: int
    backlog_bytes: int
    oldest_unacked_ms: int | None
    refused_events: int
    """Kept here because the province cannot read them."""
    quarantined: int
    """Kept over there because they cannot be applied."""
    stored_blobs: int
    troubles: tuple[Trouble, ...]

    @property
    def last_error(self) -> Text | None:
        """The newest trouble as a sentence."""
        return self.troubles[0].sentence if self.troubles else None


class Outbox:
    """Everything that goes up."""

    def __init__(
        self, config: HallConfig, store: Store, hall: Hall, clock: Clock, blobs: Path, *,
        devices: Callable[[], Sequence[DeviceView]] = tuple, pace: Pace | None = None,
    ) -> None:  # fmt: skip
        self._store, self._hall, self._clock, self._devices = store, hall, clock, devices
        self._pace = pace or Pace()
        url, key = config.province_url or "http://none.invalid", config.secrets.sign or Key(kid="-", secret=b"-")
        self._off = not config.province_url or config.secrets.sign is None
        self.troubles = Troubles(clock, hall.changed.ring)
        self.province = Province(url, config.code, key, clock, self._pace)
        self.line = Line(self.province, self._pace, self.troubles)
        self._backoff = Backoff(self._pace)
        self.events = EventSender(store, self.line, self._backoff)
        self.files = FileSender(store, hall, self.line, blobs)
        self.days = DayKeeper(store, hall, self.line, self.files)
        self.heard: HelloAnswer | None = None
        """The last hello's answer."""
        self._state = State.OFF if self._off else State.CONNECTING
        self._boot_id = clock.new_id()
        self._hello_at_s = 0.0
        self._stalls = 0
        self._well = True

    def status(self) -> OutboxStatus:
        """How things stand; cheap."""
        oldest = self.events.oldest_time
        return OutboxStatus(
            state=self._state, streamid=self.events.streamid, acknowledged=self.events.acked,
            backlog_events=self.events.backlog, backlog_blobs=self.files.pending,
            backlog_bytes=self.files.pending_bytes,
            oldest_unacked_ms=_ms(oldest) if oldest is not None and self.events.backlog else None,
            refused_events=self.events.refused, quarantined=self.heard.quarantined if self.heard else 0,
            stored_blobs=self.files.stored, troubles=self.troubles.all(),
        )  # fmt: skip

    async def run(self) -> None:
        """Send for ever; returns at once where no province or key is configured."""
        await self.events.take_up()
        if self._off:
            self.troubles.begin("province.no_key")
            return
        self.line.lost()
        async with self.province, asyncio.TaskGroup() as group:
            group.create_task(self._keep_talking(), name="outbox events")
            group.create_task(self.files.run(), name="outbox files")
            group.create_task(self.days.run(), name="outbox days")
            group.create_task(self._beat(), name="outbox heartbeat")

    # --- the session ----------------------------------------------------------------------------------------------

    async def _keep_talking(self) -> None:
        while True:
            try:
                await self._talk()
            except ProvinceError as exc:
                wait_s = self._lose(exc)
                await self._pace.pause(wait_s)

    async def _talk(self) -> None:
        """Hello, then batches, until something fails."""
        await self._say_hello()
        while True:
            heard = self._hall.changed.rings
            if self._hello_due() or self.line.doubted:
                await self._say_hello()
            before = self.events.acked
            if not await self.events.send_some():
                self._is_well()
                await self._wait(heard)
            elif self.events.acked > before:
                self._is_well()
                self._stalls = 0
                self._hall.changed.ring()

    def _hello_due(self) -> bool:
        return self._clock.monotonic_s() >= self._hello_at_s

    async def _wait(self, heard: int) -> None:
        left_s = max(0.0, self._hello_at_s - self._clock.monotonic_s())
        try:
            async with asyncio.timeout(left_s):
                await self._hall.changed.wait(heard)
        except TimeoutError:
            return

    async def _say_hello(self) -> None:
        await self.events.look()
        hello = await self._store.read(self._hello)
        answer = await self.province.hello(hello)
        self.heard = answer
        self._hello_at_s = self._clock.monotonic_s() + HELLO_S * self._pace.scale
        self.troubles.count("province.quarantined", answer.quarantined)
        await self._raise_serials(answer)
        await self.events.heard(answer)
        if not self.line.online:
            self.events.moved_s = self._clock.monotonic_s()  # while nobody answers nothing can move
        self._state = State.ONLINE
        self.line.found(answer.limits)
        await self._watch_progress()

    def _hello(self, session: Session) -> Hello:
        return Hello(
            daemon_version=daemon_version(),
            streamid=self.events.streamid,
            next_sequence=f"{self._store.last_sequence + 1:016d}",
            oldest_unacked_time=self.events.oldest_time,
            backlog_events=self.events.backlog,
            backlog_blobs=self.files.pending,
            backlog_bytes=self.files.pending_bytes,
            catver=self._store.catalog_version,
            bizdate=self._store.bizdate(session),
            clkstate=self._clock.state.value,
            boot_id=self._boot_id,
        )

    async def _raise_serials(self, answer: HelloAnswer) -> None:
        """Never issue a number again that the province has seen, whatever was restored here (§6)."""

        def behind(session: Session) -> dict[tuple[str, str], int]:
            return serials.behind(session, self._store.bizdate(session), answer.known_serials)

        lifts = await self._store.read(behind)
        if lifts:
            await self._store.write(lambda tx: _lift(tx, lifts))
            _log.warning("serials raised: %s", " ".join(f"{day}/{name}>{to}" for (day, name), to in lifts.items()))

    async def _watch_progress(self) -> None:
        """Hello succeeds and yet nothing moves (D22): new connections, then a person."""
        still_s = self._clock.monotonic_s() - self.events.moved_s
        if not self.events.backlog or still_s < STALL_S * self._pace.scale:
            return
        self._stalls += 1
        _log.warning("stalled: %d events, nothing acknowledged for %.0f s", self.events.backlog, still_s)
        if self._stalls > 1:
            self.troubles.begin("province.stalled", minutes=int(still_s / 60))
        await self.province.reconnect()

    def _is_well(self) -> None:
        """Something was acknowledged, or there is nothing to acknowledge."""
        self._backoff.acknowledged()
        self.troubles.end(*_OF_THE_LINE)
        if not self._well:
            self._well = True
            _log.info("online again: %d events, %d files to send", self.events.backlog, self.files.pending)

    def _lose(self, exc: ProvinceError) -> float:
        """Say what is wrong; seconds to wait before the next hello."""
        was_online = self.line.online
        self.line.lost()
        stop = isinstance(exc, Rejected) and exc.remedy is Remedy.STOP
        self._state = State.STOPPED if stop else State.WAITING
        self._tell(exc)
        if self._well:
            self._well = False
            _log.warning("lost: %s; %d events, %d files wait", exc, self.events.backlog, self.files.pending)
        seldom = stop or isinstance(exc, ChainDiffers) or (isinstance(exc, Rejected) and exc.remedy is Remedy.ALARM)
        wait_s = self._backoff.failed(exc, after_health=was_online)
        if seldom:
            # Hello says nothing of residents; it is how a hall notices that it may send again.
            wait_s = LONGEST_BACKOFF_S / 2 + self._pace.rand(0, LONGEST_BACKOFF_S / 2)
        if isinstance(exc, Rejected) and exc.remedy is Remedy.NEW_KEY:
            self.province.use_next_key()
        return wait_s

    def _tell(self, exc: ProvinceError) -> None:
        """One trouble of the line at a time: the latest."""
        facts: dict[str, object] = {}
        if isinstance(exc, Unreachable):
            code = f"province.{exc.why.value}"
        elif isinstance(exc, Rejected):
            code = _TROUBLE_OF.get(exc.code, "province.refused")
            facts = {"kid": self.province.key.kid} if code == "province.key_refused" else {}
            facts = {"code": exc.code} if code == "province.refused" else facts
        else:
            return  # told where it was found
        self.troubles.end(*(other for other in _OF_THE_LINE if other != code))
        self.troubles.begin(code, **facts)

    # --- the heartbeat --------------------------------------------------------------------------------------------

    async def _beat(self) -> None:
        """§7.9: lossy, never repeated."""
        while True:
            await self.line.wait_online()
            try:
                await self.province.heartbeat(await self._heartbeat())
            except ProvinceError as exc:
                _log.debug("heartbeat lost: %s", exc)
                self.line.doubt()
            await self._pace.pause(HEARTBEAT_S)

    async def _heartbeat(self) -> Heartbeat:
        snapshot = await self._hall.snapshot()
        now_ms, oldest_ms = self._clock.now_ms(), self.status().oldest_unacked_ms
        waiting = dict.fromkeys(self._hall.profile.queues, 0)
        for ticket in snapshot.waiting():
            waiting[ticket.queue] = waiting.get(ticket.queue, 0) + 1
        folder = self._store.database.parent
        free, size = await asyncio.to_thread(
            lambda: (shutil.disk_usage(folder).free, self._store.database.stat().st_size)
        )
        return Heartbeat(
            time=rfc3339(now_ms),
            boot_id=self._boot_id,
            bizdate=snapshot.bizdate or self._clock.today().isoformat(),
            day_state=self._hall.day.state.value,
            backlog_events=self.events.backlog,
            backlog_blobs=self.files.pending,
            oldest_unacked_s=max(0, now_ms - oldest_ms) // 1000 if oldest_ms is not None else 0,
            disk_free_bytes=free,
            db_bytes=size,
            clkstate=self._clock.state.value,
            clkoffms=self._clock.offset_ms,
            waiting=waiting,
            windows_open=len(snapshot.sessions),
            devices=tuple(
                HeartbeatDevice(id=view.device, kind=view.kind, state=view.link, since=view.since)
                for view in self._devices()
            ),
            version=daemon_version(),
        )


def _ms(time: str) -> int:
    """Milliseconds since 1970 of an event's time."""
    return int(datetime.fromisoformat(time).timestamp() * 1000)


def _lift(tx: Tx, lifts: Mapping[tuple[str, str], int]) -> None:
    serials.lift(tx.session, lifts)
    tx.keep_counters((day, name, last) for (day, name), last in lifts.items())
