"""What a technician knows of the devices: health, incidents over time, counters, self-tests, repair, maintenance.

Watches the devices' changes; its memory is bounded. After a restart today's incidents are taken up again from the event
log, counters begin anew and say since when. Mends nothing by itself, and no test begins a visit or issues a number.
"""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from importlib import metadata
from typing import Literal

from sqlmodel import Session, col, select

from drivers.base import Condition
from hall_daemon import places, repair, self_tests
from hall_daemon.clock import CHINA, Clock, rfc3339
from hall_daemon.devices import Devices, Input
from hall_daemon.events import DeviceChanged
from hall_daemon.hall import Bell, Hall
from hall_daemon.incidents import (
    CONNECTING,
    DISABLED,
    OFFLINE,
    Incidents,
    Trouble,
    health,
    health_of,
    is_lost,
    name_of,
    troubles_in,
    worst_of,
)
from hall_daemon.kiosk import KioskFlow
from hall_daemon.outbox import Outbox, State
from hall_daemon.protocol import DeviceView, Text
from hall_daemon.protocol_technician import (
    Counters,
    DeviceDetail,
    DeviceGroup,
    DeviceState,
    HallState,
    Health,
    HourCount,
    Incident,
    SelfTest,
    Signal,
)
from hall_daemon.repair import Mending
from hall_daemon.scanning import is_tight
from hall_daemon.tables import EventRow, TicketRow
from hall_daemon.texts import say, text
from hall_daemon.tickets import HallError, NotFound
from hall_daemon.upkeep import Upkeep
from hall_daemon.words import Channel, DeviceCondition, SlipState, TicketState

_log = logging.getLogger("diagnostics")

TICK_S = 1.0
ANSWERS_EVERY_S, ANSWERS_KEPT = 10.0, 60
MOST_SHOWN = 200
FORGET_REPAIR_S = 600.0


def _version() -> str:
    try:
        return metadata.version("hall-daemon")
    except metadata.PackageNotFoundError:
        return "unpackaged"  # run from its source folder


VERSION = _version()


class AlreadyTesting(HallError):
    """A self-test of this device is under way."""

    code = "test_running"


class KioskInUse(HallError):
    """Its keypad or reader is somebody's at the moment."""

    code = "kiosk_in_use"


class NoRepair(HallError):
    """Nothing is to be mended there."""

    code = "no_repair"


@dataclass
class _Work:
    """What one device has done since the daemon started."""

    jobs: int = 0
    failures: int = 0
    inputs: int = 0
    lost: int = 0
    link: str = CONNECTING
    hours: dict[str, HourCount] = field(default_factory=dict)
    """Hours of the last day that is counted, by `YYYY-MM-DDTHH`."""
    answers_ms: deque[float] = field(default_factory=lambda: deque(maxlen=ANSWERS_KEPT))

    def count(self, hour: str, view: DeviceView) -> None:
        """Add what was done since the last look."""
        jobs, failures = view.jobs - self.jobs, view.failures - self.failures
        self.jobs, self.failures = view.jobs, view.failures
        if jobs > 0 or failures > 0:
            before = self.hours.get(hour, HourCount(hour=int(hour[-2:])))
            self.hours[hour] = HourCount(
                hour=before.hour, jobs=before.jobs + max(0, jobs), failures=before.failures + max(0, failures)
            )
        for old in [h for h in self.hours if h[:10] != hour[:10]]:
            del self.hours[old]


class Diagnostics:
    """Everything behind the technician's screen and tools."""

    def __init__(
        self,
        hall: Hall,
        devices: Devices,
        kiosks: dict[str, KioskFlow],
        upkeep: Upkeep,
        outbox: Outbox | None,
        clock: Clock,
        show_again: Callable[[str], None] = lambda _display: None,
        limits: self_tests.Limits = self_tests.USUAL,
    ) -> None:
        self._hall, self._devices, self._kiosks, self._upkeep = hall, devices, kiosks, upkeep
        self._outbox, self.clock, self._show_again, self._limits = outbox, clock, show_again, limits
        self.changed = Bell()
        """Rings with each change, and once a second for what is only counted."""
        self.incidents = Incidents()
        self._started_ms = clock.now_ms()
        self._groups = places.groups(hall.profile, devices.configs)
        self._work = {device: _Work() for device in devices.configs}
        self._mending: dict[str, Mending] = {}
        self._mended_at: dict[str, float] = {}
        self._tests: dict[str, SelfTest] = {}
        self._to_test: asyncio.Queue[str] = asyncio.Queue()
        devices.on_change(self._device_changed)
        upkeep.on_change(self.changed.ring)
        for device in devices.configs:
            devices.on_input(device, lambda _news, device=device: self._heard(device, _news))  # type: ignore[misc]

    # --- life ---------------------------------------------------------------------------------------------------------

    async def take_up(self) -> dict[str, DeviceCondition]:
        """Today's incidents from the event log; what the log said last of each device."""
        rows = await self._hall.store.read(self._logged)
        last: dict[str, DeviceCondition] = {}
        for at_ms, changed in rows:
            last[changed.device_id] = changed.state
            if changed.device_id in self._work:
                troubles = frozenset() if changed.state is DeviceCondition.OK else _reasons(changed)
                self.incidents.note(changed.device_id, troubles, at_ms, from_log=True)
        return last

    def _logged(self, session: Session) -> list[tuple[int, DeviceChanged]]:
        found = session.exec(
            select(EventRow)
            .where(EventRow.type == DeviceChanged.wire_type, EventRow.bizdate == self._hall.store.bizdate(session))
            .order_by(col(EventRow.number))
        )
        # An event that is said again in a later stream happened once.
        once = {row.id: row for row in found}
        return [(_ms(row.time), DeviceChanged.model_validate(json.loads(row.body)["data"])) for row in once.values()]

    async def run(self) -> None:
        """Count, and do the tests that are asked for, until cancelled."""
        self._tests = {d: t for d, t in self._tests.items() if t.state != "running"}
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tick(), name="diagnostics counts")
            while True:
                device = await self._to_test.get()
                group.create_task(self._test(device), name=f"self-test {device}")

    async def _tick(self) -> None:
        answers_due = 0.0
        while True:
            now_s = self.clock.monotonic_s()
            hour = rfc3339(self.clock.now_ms())[:13]
            for view in self._devices.views():
                work = self._work[view.device]
                work.count(hour, view)
                if now_s >= answers_due and view.answer_ms is not None:
                    work.answers_ms.append(view.answer_ms)
            answers_due = now_s + ANSWERS_EVERY_S if now_s >= answers_due else answers_due
            self._forget_repairs(now_s)
            self.changed.ring()
            await asyncio.sleep(TICK_S)

    def _heard(self, device: str, _news: Input) -> None:
        self._work[device].inputs += 1

    def _device_changed(self, view: DeviceView) -> None:
        work = self._work[view.device]
        if view.link == OFFLINE and work.link == "online" and not view.drill:
            work.lost += 1
        work.link = view.link
        if view.link != CONNECTING:
            troubles = troubles_in(view)
            if not view.drill:
                self.incidents.note(view.device, troubles, self.clock.now_ms())
            self._see_repair(view.device, view, troubles)
        self.changed.ring()

    # --- repair -------------------------------------------------------------------------------------------------------

    def _see_repair(self, device: str, view: DeviceView, troubles: frozenset[str]) -> None:
        """What the device tells confirms steps of the repair under way, or begins one."""
        first, mending = worst_of(troubles), self._mending.get(device)
        if mending is None or mending.over or _is_another(mending, first, troubles):
            if not first:
                return
            mending = self._mending[device] = Mending(what=first)
            self._mended_at.pop(device, None)
        opened = Condition.COVER_OPEN in troubles
        mending.opened |= opened
        mending.online = view.link == "online"
        mending.gone = mending.what not in troubles and not opened and view.link != OFFLINE
        if mending.gone:
            self._mended_at.setdefault(device, self.clock.monotonic_s())

    def _forget_repairs(self, now_s: float) -> None:
        for device, at_s in list(self._mended_at.items()):
            if now_s - at_s > FORGET_REPAIR_S:
                del self._mended_at[device]
                self._mending.pop(device, None)

    def confirm_by_hand(self, device: str, step: int) -> None:
        """A person says that a step, counted from 1, is done. Raises NotFound, NoRepair."""
        self._known(device)
        mending = self._mending.get(device)
        if mending is None or not 1 <= step <= len(repair.guide_for(mending.what).steps):
            raise NoRepair(device=device)
        mending.by_hand = max(mending.by_hand, step)
        _log.info("repair step confirmed by hand device=%s trouble=%s step=%d", device, mending.what, step)
        self.changed.ring()

    # --- orders -------------------------------------------------------------------------------------------------------

    async def enable(self, device: str, *, enabled: bool) -> None:
        """Take a device out of use, also over a restart, or back into it. Raises NotFound."""
        self._known(device)
        await self._upkeep.switch(self._hall.store, device, on=enabled)
        self._devices.enable(device, enabled=enabled)
        _log.info("%s device=%s by a technician", "enabled" if enabled else "disabled", device)

    async def maintain(self, kiosk: str, *, on: bool) -> None:
        """Take a kiosk out of service without losing anyone, or put it back. Raises NotFound."""
        if kiosk not in self._kiosks:
            raise NotFound(what=kiosk)
        await self._upkeep.maintain(self._hall.store, kiosk, on=on)
        _log.info("maintenance %s kiosk=%s", "begins" if on else "ends", kiosk)

    def start_test(self, device: str) -> None:
        """Begin a self-test; how it goes is in the detail. Raises NotFound, AlreadyTesting, KioskInUse."""
        self._known(device)
        running = self._tests.get(device)
        if running is not None and running.state == "running":
            raise AlreadyTesting(device=device)
        if self._devices.configs[device].kind in self_tests.BEGINS_WITH_PEOPLE:
            for group in self._groups:
                if group.kind == "kiosk" and device in group.devices and self._kiosks[group.code].in_use:
                    raise KioskInUse(kiosk=group.name.zh)
        self._tests[device] = SelfTest(device=device, state="running", began=self._now(), steps=())
        self._to_test.put_nowait(device)

    async def tested(self, device: str) -> SelfTest:
        """A self-test from beginning to end, for one that needs no person. Raises NotFound, AlreadyTesting."""
        self._known(device)
        running = self._tests.get(device)
        if running is not None and running.state == "running":
            raise AlreadyTesting(device=device)
        return await self._test(device)

    async def _test(self, device: str) -> SelfTest:
        def hear(test: SelfTest) -> None:
            self._tests[device] = test
            self.changed.ring()

        hands = self_tests.Hands(device=device, devices=self._devices, limits=self._limits)
        last = await self_tests.whole(hands, self._now(), hear)
        mending = self._mending.get(device)
        if mending is not None and last.state == "passed":
            mending.tested = True
        failed = next((step.name.en for step in last.steps if step.health is Health.BAD), "-")
        _log.info("self-test device=%s %s failed=%s", device, last.state, failed)
        self._show_again(device)
        self.changed.ring()
        return last

    # --- views --------------------------------------------------------------------------------------------------------

    async def hall_state(self) -> HallState:
        """All devices, complete."""
        states = tuple(self._state(view) for view in self._devices.views())
        folder = self._hall.store.database.parent
        free_mb = shutil.disk_usage(folder).free // (1024 * 1024)
        level = self._level(states, tight=is_tight(folder))
        now_ms = self.clock.now_ms()
        province = self._province()
        return HallState(
            hall=self._hall.profile.hall, started=rfc3339(self._started_ms), version=VERSION,
            level=level, level_text=text(f"level.{level.lower()}"), devices=states,
            groups=tuple(self._with_state(group) for group in self._groups),
            incidents=self._incidents(self.incidents.all(self._midnight_ms()), now_ms), province=province,
            to_province=self._outbox.status().backlog_events if self._outbox else 0, free_mb=free_mb,
        )  # fmt: skip

    async def detail(self, device: str) -> DeviceDetail:
        """All about one device. Raises NotFound."""
        self._known(device)
        view = self._devices.view(device)
        state = self._state(view)
        first = worst_of(troubles_in(view)) or (CONNECTING if view.link == CONNECTING else "")
        mending = self._mending.get(device)
        known = self.incidents.of(device, self._midnight_ms())
        unprinted = await self._unprinted(view)
        return DeviceDetail(
            device=state,
            place=places.place_of(device, self._groups),
            effect=self.effect(device, lost=view.link == DISABLED or is_lost(view), low=bool(first)),
            cause=repair.cause(first, view.port),
            advice=repair.advice(first, view.port),
            signals=_signals(view) + _missing_slips(unprinted),
            counters=self._counters(view, known, unprinted),
            incidents=self._incidents(known, self.clock.now_ms()),
            test=self._tests.get(device),
            repair=repair.repair_view(mending) if mending else None,
        )  # fmt: skip

    def effect(self, device: str, *, lost: bool, low: bool = False) -> Text:
        """What it means for residents and clerks when a device serves no more, or warns."""
        return places.effect(
            device, self._devices.configs[device].kind, self._hall.profile, self._groups,
            self._devices.can_serve, lambda kiosk: not self._upkeep.maintained(kiosk), lost=lost, low=low,
        )  # fmt: skip

    def _state(self, view: DeviceView) -> DeviceState:
        first = worst_of(troubles_in(view))
        name = name_of(CONNECTING) if view.link == CONNECTING else name_of(first) if first else text("trouble.none")
        if view.drill:
            name = say("trouble.drill", what=name)
        return DeviceState(view=view, health=health(view), state=name)

    def _with_state(self, group: DeviceGroup) -> DeviceGroup:
        if group.kind != "kiosk":
            return group
        use = {"maintenance": self._upkeep.maintained(group.code), "in_use": self._kiosks[group.code].in_use}
        return group.model_copy(update=use)

    def _level(self, states: tuple[DeviceState, ...], *, tight: bool) -> Literal["L0", "L1", "L2", "L3"]:
        if tight:
            return "L3"
        if any(is_lost(state.view) for state in states):
            return "L2"
        return "L1" if self._province_away() else "L0"

    def _province_away(self) -> bool:
        return self._outbox is not None and self._outbox.status().state in (State.WAITING, State.STOPPED)

    def _province(self) -> Text:
        if self._outbox is None:
            return text("link.province_none")
        trouble = self._outbox.status().last_error
        return trouble or text("link.province_away" if self._province_away() else "link.province_well")

    def _incidents(self, troubles: Iterable[Trouble], now_ms: int) -> tuple[Incident, ...]:
        return tuple(
            Incident(
                device=t.device, what=t.what, name=name_of(t.what), health=health_of(t.what), began=rfc3339(t.began_ms),
                ended=None if t.ended_ms is None else rfc3339(t.ended_ms), lasted_s=t.lasted_ms(now_ms) // 1000,
                from_log=t.from_log,
            )
            for t in list(troubles)[:MOST_SHOWN]
        )  # fmt: skip

    def _counters(self, view: DeviceView, troubles: list[Trouble], unprinted: list[_Unprinted]) -> Counters:
        work, now_ms, midnight = self._work[view.device], self.clock.now_ms(), self._midnight_ms()
        lasted = sum(
            max(0, (now_ms if t.ended_ms is None else t.ended_ms) - max(t.began_ms, midnight)) for t in troubles
        )
        return Counters(
            since=rfc3339(self._started_ms), jobs=view.jobs, failures=view.failures, inputs=work.inputs, lost=work.lost,
            troubles=len(troubles), trouble_s=lasted // 1000, hours=tuple(work.hours[h] for h in sorted(work.hours)),
            answers_ms=tuple(work.answers_ms), unprinted=len(unprinted),
            unprinted_waiting=tuple(slip.number for slip in unprinted if slip.waits),
        )  # fmt: skip

    async def _unprinted(self, view: DeviceView) -> list[_Unprinted]:
        """Each ticket of today, taken at a kiosk with this printer, that has no good slip."""
        kiosks = [k.code for k in self._hall.profile.kiosks.values() if k.printer == view.device]
        if not kiosks:
            return []

        def question(session: Session) -> list[_Unprinted]:
            rows = session.exec(
                select(TicketRow.number, TicketRow.state, TicketRow.slip).where(
                    TicketRow.bizdate == self._hall.store.bizdate(session), col(TicketRow.kiosk).in_(kiosks),
                    TicketRow.channel == Channel.KIOSK.value,
                    col(TicketRow.slip).in_([SlipState.FAILED.value, SlipState.UNKNOWN.value]),
                ).order_by(col(TicketRow.issued_ms))
            )  # fmt: skip
            return [
                _Unprinted(
                    number=number, waits=state == TicketState.WAITING.value, unknown=slip == SlipState.UNKNOWN.value
                )
                for number, state, slip in rows
            ]  # fmt: skip

        return await self._hall.store.read(question)

    def _known(self, device: str) -> None:
        if device not in self._devices.configs:
            raise NotFound(what=device)

    def _now(self) -> str:
        return rfc3339(self.clock.now_ms())

    def _midnight_ms(self) -> int:
        now = datetime.fromtimestamp(self.clock.now_ms() / 1000, CHINA)
        return round(now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1000)


@dataclass(frozen=True, kw_only=True)
class _Unprinted:
    """A ticket without a good slip; `unknown`: nobody knows whether it came out."""

    number: str
    waits: bool
    unknown: bool


def _missing_slips(unprinted: list[_Unprinted]) -> tuple[Signal, ...]:
    """Numbers that wait without a slip: of some nobody knows, of the others at most a half one came out."""
    waiting = [slip for slip in unprinted if slip.waits]
    unknown = " ".join(slip.number for slip in waiting if slip.unknown)
    failed = " ".join(slip.number for slip in waiting if not slip.unknown)
    found = []
    if failed:
        void = text("signal.slips_void", numbers=failed)
        found.append(Signal(name=text("signal.slips_failed"), health=Health.WARN, value=void))
    if unknown:
        value = Text(zh=unknown, en=unknown)
        found.append(Signal(name=text("signal.slips_unknown"), health=Health.WARN, value=value))
    return tuple(found)


def _is_another(mending: Mending, first: str, troubles: frozenset[str]) -> bool:
    """Whether what is wrong now is not what is being mended: an open cover belongs to most repairs."""
    if mending.what in troubles and first != OFFLINE:
        return False
    return bool(first) and first not in (mending.what, Condition.COVER_OPEN)


def _signals(view: DeviceView) -> tuple[Signal, ...]:
    online = text("signal.online") if view.answer_ms is None else text("signal.online_ms", ms=round(view.answer_ms))
    well = view.link == "online"
    signals = [Signal(name=text("signal.link"), health=health(view) if not well else Health.OK,
                      value=online if well else name_of(view.link))]  # fmt: skip
    signals += [
        Signal(name=text("signal.condition"), health=health_of(condition), value=name_of(condition))
        for condition in view.conditions
    ]
    proven = {"capture": "signal.proven_capture", "field": "signal.proven_field"}.get(view.proven, "signal.proven")
    signals.append(Signal(name=text("signal.driver"), health=Health.OK, value=text(proven, driver=view.driver)))
    for code, value in (("signal.identity", view.identity), ("signal.port", view.port)):
        if value:
            signals.append(Signal(name=text(code), health=Health.OK, value=Text(zh=value, en=value)))
    if view.last_error:
        said = Text(zh=view.last_error, en=view.last_error)
        signals.append(Signal(name=text("signal.last_error"), health=Health.WARN, value=said))
    return tuple(signals)


def _reasons(changed: DeviceChanged) -> frozenset[str]:
    return frozenset(changed.reason_code.split(",")) - {"", "online", "connecting"}


def _ms(time: str) -> int:
    return round(datetime.fromisoformat(time).timestamp() * 1000)
