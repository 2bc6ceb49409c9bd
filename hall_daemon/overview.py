"""The manager's view of the hall: now and today, and what needs somebody. Reads only; rules are in figures and alarms.

No person and no clerk is in it. What is shown is at most REFRESH_S old, however many look at it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from statistics import fmean

from sqlalchemy import text as sql
from sqlmodel import Session, col, func, select

from hall_daemon import alarms, figures
from hall_daemon.alarms import Alarm, CaseFacts, ClosureFacts, HoldFacts, Limits, QueueFacts, ReorderFacts
from hall_daemon.cases import accept_by
from hall_daemon.clock import CHINA, Clock, hour_minute, rfc3339
from hall_daemon.devices import Devices
from hall_daemon.events import Event, OperatorActed, TicketCalled
from hall_daemon.figures import MINUTE_MS, Flow, Group, TicketFacts
from hall_daemon.hall import Hall
from hall_daemon.lookups import latest_day
from hall_daemon.outbox import Outbox
from hall_daemon.protocol import DeviceView, Text
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
from hall_daemon.tables import EvaluationRow, TicketRow
from hall_daemon.tables_cases import CaseRow, NoticeRow
from hall_daemon.texts import TEXTS, text
from hall_daemon.tickets import Snapshot, TicketInfo
from hall_daemon.waits import about_text
from hall_daemon.words import CallMode, Outcome, TicketState
from hall_daemon.workdays import Calendar

REFRESH_S = 2.0
USUAL_LIMITS = Limits()
BACKLOG_MIN = 2
"""Older events that the province has not taken are worth a word."""
_TRANSFERS = sql("SELECT count(*) FROM event WHERE bizdate = :day AND type = 'hall.ticket.transferred.v1'")
_OUT_OF_TURN = ("pin", "select")


@dataclass(frozen=True, kw_only=True)
class Today:
    """What the database says of the day."""

    bizdate: str = ""
    tickets: tuple[TicketFacts, ...] = ()
    transferred: int = 0
    cases: tuple[CaseFacts, ...] = ()
    whole: Group = field(default_factory=lambda: figures.group("", []))
    departments: dict[str, Group] = field(default_factory=dict)
    trends: dict[str, list[int]] = field(default_factory=dict)
    flow: tuple[Flow, ...] = ()
    hour_ago: int = 0


class Overview:
    """Builds the view, and the figures of the day for export."""

    def __init__(
        self, hall: Hall, devices: Devices, outbox: Outbox | None, clock: Clock, limits: Limits = USUAL_LIMITS
    ) -> None:
        self._hall, self._devices, self._outbox, self._clock, self._limits = hall, devices, outbox, clock, limits
        self._closures: deque[ClosureFacts] = deque(maxlen=400)
        self._reorders: deque[ReorderFacts] = deque(maxlen=400)
        self._kept: tuple[float, OverviewView] | None = None
        self._making = asyncio.Lock()
        hall.on_event(self._heard)

    async def view(self) -> OverviewView:
        """The whole page."""
        async with self._making:
            now_s = self._clock.monotonic_s()
            if self._kept is None or now_s - self._kept[0] >= REFRESH_S / 2:
                self._kept = (now_s, await self._make())
            return self._kept[1]

    async def alarms(self) -> tuple[AlarmView, ...]:
        """Only what needs somebody."""
        return (await self.view()).alarms

    async def today(self) -> Today:
        """The day's tickets and figures."""
        now_ms = self._clock.now_ms()
        return await self._hall.store.read(lambda session: self._read(session, now_ms))

    def _read(self, session: Session, now_ms: int) -> Today:
        day = latest_day(session)
        if day is None:
            return Today()
        depts = {item.code: item.dept for item in self._hall.profile.items.values()}
        tickets = tuple(_facts(session, day.bizdate, depts))
        zones = {t.zone for t in tickets}
        return Today(
            bizdate=day.bizdate, tickets=tickets,
            transferred=session.connection().execute(_TRANSFERS, {"day": day.bizdate}).scalar_one(),
            cases=tuple(_cases(session, date.fromisoformat(day.bizdate), self._hall.profile.calendar)),
            whole=figures.group("", tickets), departments=figures.groups(tickets, lambda t: t.dept),
            trends={zone: figures.trend([t for t in tickets if t.zone == zone], now_ms) for zone in zones},
            flow=tuple(figures.flow(tickets, now_ms)), hour_ago=figures.waiting_at(tickets, now_ms - 60 * MINUTE_MS),
        )  # fmt: skip

    # --- what happened at the windows ---------------------------------------------------------------------------------

    def _heard(self, event: Event) -> None:
        data, now_ms = event.data, self._clock.now_ms()
        if isinstance(data, OperatorActed) and data.target.startswith("window/"):
            window = data.target.removeprefix("window/")
            self._acted(data.action, window, now_ms)
        elif isinstance(data, TicketCalled) and (data.call_mode is CallMode.SELECT or data.rule.picked_by == "pinned"):
            self._reorders.append(ReorderFacts(window=data.window_code, at_ms=now_ms))

    def _acted(self, action: str, window: str, now_ms: int) -> None:
        known = self._hall.profile.windows.get(window)
        if action in ("sign_out", "pause") and known is not None:
            self._closures.append(ClosureFacts(window=window, at_ms=now_ms, queues=known.queues))
        elif action in ("sign_in", "resume", "unpause"):
            self._closures = deque((c for c in self._closures if c.window != window), maxlen=400)
        elif action in _OUT_OF_TURN:
            self._reorders.append(ReorderFacts(window=window, at_ms=now_ms))

    # --- the page -----------------------------------------------------------------------------------------------------

    async def _make(self) -> OverviewView:
        snapshot, today, now_ms = await self._hall.snapshot(), await self.today(), self._clock.now_ms()
        now = _Now(self._hall, snapshot, now_ms, self._devices, self._limits)
        facts = [await self._queue_facts(now, queue) for queue in self._hall.profile.queues]
        outlook = await self._hall.waits.outlook()
        waiting, whole = snapshot.waiting(), today.whole
        oldest = min(waiting, key=lambda t: t.issued_ms, default=None)
        hour = figures.called_lately(today.tickets, now_ms)
        window_map = tuple(now.windows())
        backlog, oldest_min = self._backlog(now_ms)
        return OverviewView(
            hall=self._hall.profile.hall, date=today.bizdate, clock=hour_minute(now_ms), day_open=snapshot.day_open,
            target_min=self._limits.target_min, waiting=len(waiting), waiting_an_hour_ago=today.hour_ago,
            mean_wait_min=_mean_wait(hour), longest_min=_minutes(now_ms - oldest.issued_ms) if oldest else 0,
            longest_number=oldest.number if oldest else "", longest_zone=oldest.zone.name if oldest else Text(zh=""),
            issued=whole.issued, finished=whole.finished, missed=whole.missed,
            missed_percent=_percent(whole.missed_share), transferred=today.transferred,
            windows_open=sum(w.state != "closed" for w in window_map), windows=len(window_map),
            windows_idle=sum(w.state == "idle" for w in window_map),
            windows_paused=sum(w.state == "paused" for w in window_map),
            rated=whole.rated, dissatisfied=whole.rated - whole.satisfied,
            satisfied_percent=_percent(whole.satisfied_share), on_the_spot_percent=_percent(whole.on_the_spot_share),
            to_province=backlog, oldest_to_province_min=oldest_min,
            zones=tuple(self._zone(now, zone, today, hour, window_map) for zone in self._hall.profile.zones),
            queues=tuple(
                QueueNow(
                    queue=f.code, name=f.name, zone=f.zone, waiting=f.waiting, windows_open=len(f.open_windows),
                    longest_min=_minutes(now_ms - f.oldest_since_ms) if f.waiting else 0,
                    expected=about_text(outlook.queues.get(f.code)),
                )
                for f in facts
            ),
            window_map=window_map, alarms=tuple(self._alarms(now, facts, today, backlog, oldest_min)),
            flow=tuple(
                FlowPoint(clock=hour_minute(f.begins_ms), issued=f.issued, finished=f.finished) for f in today.flow
            ),
            waited=tuple(figures.histogram((now_ms - t.issued_ms) / MINUTE_MS for t in waiting)),
            departments=tuple(self._departments(today)), devices=tuple(_devices(self._devices.views())),
        )  # fmt: skip

    def _zone(
        self, now: _Now, zone: str, today: Today, hour: list[TicketFacts], window_map: tuple[WindowNow, ...]
    ) -> ZoneNow:
        waiting = [t for t in now.snapshot.waiting() if t.zone.code == zone]
        mean_min = _mean_wait([t for t in hour if t.zone == zone])
        mine = [w for w in window_map if w.zone == zone]
        return ZoneNow(
            zone=zone, name=self._hall.profile.zones[zone].name, waiting=len(waiting), mean_min=mean_min,
            over_target=mean_min is not None and mean_min > self._limits.target_min,
            longest_min=max((_minutes(now.now_ms - t.issued_ms) for t in waiting), default=0),
            windows_open=sum(w.state != "closed" for w in mine), windows=len(mine),
            trend=tuple(today.trends.get(zone, [])),
        )  # fmt: skip

    async def _queue_facts(self, now: _Now, queue: str) -> QueueFacts:
        facts = now.queue(queue)
        over = facts.waiting and _minutes(now.now_ms - facts.oldest_since_ms) >= self._limits.wait_min
        if not over or not facts.closed_windows:
            return facts
        eased = await self._hall.waits.expect(queue, facts.closed_windows[:2])
        return QueueFacts(**{**vars(facts), "eased_min": _minutes(int(eased.middle_s * 1000)) if eased else None})

    def _alarms(
        self, now: _Now, facts: list[QueueFacts], today: Today, backlog: int, oldest_min: int
    ) -> list[AlarmView]:
        closures = tuple(self._closures)
        found = alarms.sorted_alarms(
            alarms.waits_over_limit(facts, now.now_ms, self._limits),
            alarms.holds_over_limit(now.holds(), now.now_ms, self._limits),
            alarms.windows_closed_early(facts, closures, self._limits, now.now_ms) if now.snapshot.day_open else (),
            alarms.reorderings(self._reorders, now.now_ms, self._limits),
            alarms.troubled_cases(today.cases),
            _day(self._hall, now.now_ms),
            _province(backlog, oldest_min, now.now_ms),
            _offline(self._devices.views(), now.now_ms),
        )  # fmt: skip
        return [
            AlarmView(
                code=a.code, level=a.level.value, level_name=text(alarms.LEVEL_NAMES[a.level]), about=a.about,
                what=a.what, advice=a.advice, age=alarms.age_text(a.since_ms, now.now_ms), since=rfc3339(a.since_ms),
            )
            for a in found
        ]  # fmt: skip

    def _departments(self, today: Today) -> list[PartToday]:
        known = sorted(today.departments.items(), key=lambda entry: -entry[1].issued)
        return [
            PartToday(
                name=self._hall.profile.dept_name(code), issued=g.issued, finished=g.finished,
                mean_wait_min=None if g.mean_wait_min is None else round(g.mean_wait_min),
                on_the_spot_percent=None if g.on_the_spot_share is None else round(g.on_the_spot_share * 100),
            )
            for code, g in known
            if code
        ]  # fmt: skip

    def _backlog(self, now_ms: int) -> tuple[int, int]:
        if self._outbox is None:
            return 0, 0
        status = self._outbox.status()
        oldest = status.oldest_unacked_ms
        return status.backlog_events, _minutes(now_ms - oldest) if oldest is not None else 0


class _Now:
    """The windows and queues of one moment."""

    def __init__(self, hall: Hall, snapshot: Snapshot, now_ms: int, devices: Devices, limits: Limits) -> None:
        self.hall, self.snapshot, self.now_ms, self.devices, self.limits = hall, snapshot, now_ms, devices, limits
        self.paces = hall.waits.paces(hall.clock.monotonic_s())
        self._by_queue: dict[str, list[TicketInfo]] = defaultdict(list)
        for ticket in snapshot.waiting():
            self._by_queue[ticket.queue].append(ticket)

    def is_open(self, window: str) -> bool:
        return window in self.snapshot.sessions and window not in self.snapshot.pauses

    def queue(self, code: str) -> QueueFacts:
        profile = self.hall.profile
        known, waiting = profile.queues[code], self._by_queue[code]
        oldest = min(waiting, key=lambda t: t.issued_ms, default=None)
        serving = profile.windows_for(code)
        others = [w.code for w in profile.windows.values() if w.zone == known.zone and w.code not in serving]
        return QueueFacts(
            code=code, name=known.name, zone=known.zone, waiting=len(waiting),
            oldest_number=oldest.number if oldest else "", oldest_since_ms=oldest.issued_ms if oldest else self.now_ms,
            open_windows=tuple(w for w in serving if self.is_open(w)),
            closed_windows=tuple(w for w in serving if not self.is_open(w)),
            could_take=tuple(w for w in others if self.is_open(w) and self._knows(w, code)),
        )  # fmt: skip

    def _knows(self, window: str, queue: str) -> bool:
        """Whether the clerk there has the skill, as far as skills are written down."""
        skills = self.hall.place(window, self.snapshot.sessions[window]).skills
        return not skills or queue in skills or not skills.isdisjoint(self.hall.profile.queues[queue].items)

    def windows(self) -> list[WindowNow]:
        return [self._window(code) for code in self.hall.profile.windows]

    def _window(self, code: str) -> WindowNow:
        window, ticket = self.hall.profile.windows[code], self.snapshot.at_window(code)
        minutes = _minutes(self.now_ms - ticket.since_ms) if ticket else 0
        usual = self._usual_min(ticket) if ticket else 0.0
        long = minutes >= max(self.limits.hold_min, self.limits.hold_factor * usual) if ticket else False
        return WindowNow(
            window=code, zone=window.zone, state=self._state(code, ticket), number=ticket.number if ticket else "",
            minutes=minutes, long=long,
        )  # fmt: skip

    def _state(self, code: str, ticket: TicketInfo | None) -> WindowState:
        if code not in self.snapshot.sessions:
            return "closed"
        if code in self.snapshot.pauses:
            return "paused"
        window = self.hall.profile.windows[code]
        if any(device and self.devices.view(device).link == "offline" for device in (window.display, window.caller)):
            return "fault"
        if ticket is None:
            return "idle"
        return "called" if ticket.state is TicketState.CALLED else "serving"

    def _usual_min(self, ticket: TicketInfo) -> float:
        return self.paces.of(ticket.item.code) / 60

    def holds(self) -> list[HoldFacts]:
        return [
            HoldFacts(
                number=t.number, window=t.window or "", since_ms=t.since_ms, usual_min=self._usual_min(t),
                parked=t.state is TicketState.PARKED,
            )
            for t in self.snapshot.tickets
            if t.state in (TicketState.SERVING, TicketState.PARKED)
        ]  # fmt: skip


def _facts(session: Session, bizdate: str, depts: dict[str, str]) -> list[TicketFacts]:
    table = TicketRow.__table__.c  # type: ignore[attr-defined]  # SQLModel does not type its tables
    rated = EvaluationRow.__table__.c  # type: ignore[attr-defined]  # as above
    rows = session.connection().execute(
        select(table.number, table.queue, table.zone, table.item)
        .add_columns(table.state, table.issued_ms, table.since_ms, table.called_ms)
        .add_columns(table.serving_ms, table.no_shows, table.outcome, table.window, rated.level)
        .outerjoin(EvaluationRow, table.id == rated.ticket_id)
        .where(table.bizdate == bizdate)
    )
    return [
        TicketFacts(
            number=row.number, queue=row.queue, zone=row.zone, dept=depts.get(row.item, ""), item=row.item,
            state=TicketState(row.state), issued_ms=row.issued_ms, since_ms=row.since_ms,
            called_ms=row.called_ms, serving_ms=row.serving_ms, no_shows=row.no_shows,
            outcome=Outcome(row.outcome) if row.outcome else None, level=row.level, window=row.window or "",
        )
        for row in rows
    ]  # fmt: skip


def _cases(session: Session, today: date, calendar: Calendar) -> list[CaseFacts]:
    told = session.exec(
        select(NoticeRow.local_case_no, func.count(), func.max(NoticeRow.given_ms))
        .where(NoticeRow.kind == "supplement")
        .group_by(col(NoticeRow.local_case_no))
        .having(func.count() > 1)
    )
    found = [CaseFacts(case=case, notices=times, last_notice_ms=last or 0) for case, times, last in told]
    late = session.exec(
        select(CaseRow.local_case_no, CaseRow.due_on).where(
            CaseRow.state == "accepted", col(CaseRow.due_on) < today.isoformat()
        )
    )
    for case, due_on in late:
        due = date.fromisoformat(due_on or "")
        found.append(CaseFacts(case=case, overdue_days=(today - due).days, due_ms=_day_ms(due)))
    waiting = session.exec(select(CaseRow.local_case_no, CaseRow.bizdate).where(CaseRow.state == "received"))
    for case, received in waiting:
        last = accept_by(date.fromisoformat(received), calendar)
        if last < today:
            found.append(CaseFacts(case=case, unaccepted_days=(today - last).days, due_ms=_day_ms(last)))
    return found


def _day_ms(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, 23, 59, tzinfo=CHINA).astimezone(UTC).timestamp() * 1000)


def _day(hall: Hall, now_ms: int) -> list[Alarm]:
    """What a person must decide or know about the service day (faults C04 to C06, G01, self-test at opening)."""
    life = hall.day
    asked = [(life.question, alarms.Level.URGENT)] if life.question is not None else []
    failing = alarms.Level.URGENT if life.power_failing else alarms.Level.WARN
    told = [*asked, *((n, failing) for n in life.notices(now_ms)), *((c, alarms.Level.INFO) for c in life.checks)]
    return [
        Alarm(
            code="day", level=level, about="hall", what=what, advice=text("alarm.day.advice"), since_ms=now_ms
        )
        for what, level in told
    ]  # fmt: skip


def _province(backlog: int, oldest_min: int, now_ms: int) -> list[Alarm]:
    if not backlog or oldest_min < BACKLOG_MIN:
        return []
    return [
        Alarm(
            code="backlog", level=alarms.Level.WARN, about="province", what=text("alarm.backlog"),
            advice=text("alarm.backlog.advice", n=backlog, minutes=oldest_min),
            since_ms=now_ms - oldest_min * MINUTE_MS,
        )
    ]  # fmt: skip


def _offline(views: tuple[DeviceView, ...], now_ms: int) -> list[Alarm]:
    by_kind: dict[str, list[DeviceView]] = defaultdict(list)
    for view in views:
        if view.link == "offline":
            by_kind[view.kind].append(view)
    return [
        Alarm(
            code="device", level=alarms.Level.WARN, about=kind,
            what=Text(
                zh=text("alarm.device", kind=_kind(kind).zh, down=len(down)).zh,
                en=text("alarm.device", kind=_kind(kind).en, down=len(down)).en,
            ),
            advice=text("alarm.device.advice"), since_ms=min(_since_ms(view, now_ms) for view in down),
        )
        for kind, down in by_kind.items()
    ]  # fmt: skip


def _since_ms(view: DeviceView, now_ms: int) -> int:
    try:
        return int(datetime.fromisoformat(view.since).timestamp() * 1000)
    except ValueError:
        return now_ms


def _devices(views: tuple[DeviceView, ...]) -> list[DevicesNow]:
    kinds: dict[str, list[DeviceView]] = defaultdict(list)
    for view in views:
        kinds[view.kind].append(view)
    return [
        DevicesNow(kind=kind, name=_kind(kind), well=sum(v.link == "online" for v in mine), all=len(mine))
        for kind, mine in kinds.items()
    ]


def _kind(kind: str) -> Text:
    code = f"kind.{kind}"
    return text(code) if code in TEXTS else Text(zh=kind, en=kind)


def _mean_wait(tickets: list[TicketFacts]) -> int | None:
    waits = [t.wait_ms for t in tickets if t.wait_ms is not None]
    return round(fmean(waits) / MINUTE_MS) if waits else None


def _minutes(ms: int) -> int:
    return max(0, ms) // MINUTE_MS


def _percent(share: float | None) -> float | None:
    return None if share is None else round(share * 100, 1)
