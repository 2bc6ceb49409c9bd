"""What the counter screens and the hall board show, computed from the hall's snapshot. No rule is decided here."""

from __future__ import annotations

from collections import Counter
from typing import Literal

from hall_daemon.announcing import Announcing
from hall_daemon.clock import hour_minute, rfc3339
from hall_daemon.desk import Desk
from hall_daemon.devices import Devices
from hall_daemon.evaluating import Evaluating
from hall_daemon.hall import Hall
from hall_daemon.lookups import LastVisit
from hall_daemon.outbox import Outbox
from hall_daemon.profile import HallProfile, Item, Window
from hall_daemon.protocol import (
    CurrentTicket,
    MaterialNeed,
    ParkedTicket,
    QueueLoad,
    Text,
    WaitingTicket,
    WindowView,
)  # fmt: skip
from hall_daemon.protocol_clerks import DeviceLamp
from hall_daemon.protocol_window import Places
from hall_daemon.queueing import may_resume
from hall_daemon.scanning import Scanning
from hall_daemon.signage import Signage
from hall_daemon.texts import TEXTS, say, text
from hall_daemon.tickets import NotFound, Snapshot, TicketInfo
from hall_daemon.words import Hold, ParkReason, SlipState, TicketState

LONGEST_LIST = 30
UNFINISHED_MIN = 30
"""From then on a clerk is asked whether the resident is still there; ending a visit is a person's deed."""


class Screens:
    """Builds views."""

    def __init__(
        self, *, hall: Hall, devices: Devices, signage: Signage, announcing: Announcing, evaluating: Evaluating,
        scanning: Scanning, outbox: Outbox | None, desk: Desk,
    ) -> None:  # fmt: skip
        self._hall, self._devices, self._signage, self._announcing = hall, devices, signage, announcing
        self._evaluating, self._scanning, self._outbox, self._clock = evaluating, scanning, outbox, hall.clock
        self._desk = desk

    async def window(self, code: str) -> WindowView:
        """A clerk's screen. Raises NotFound."""
        window = self._hall.profile.windows.get(code)
        if window is None:
            raise NotFound(what=code)
        snapshot = await self._hall.snapshot()
        clerk = snapshot.sessions.get(code)
        waiting = snapshot.line_at(self._hall.place(code, clerk), self._hall.moment())
        current = snapshot.at_window(code)
        return WindowView(
            window=code,
            name=Text(zh=f"{code}号窗口", en=f"Window {code}"),
            zone=self._hall.profile.zones[window.zone].name,
            clerk=clerk,
            clerk_name=self._clerk_name(clerk),
            current=await self._current(snapshot, current) if current else None,
            queues=tuple(self._queue_load(queue, waiting) for queue in window.queues),
            waiting=tuple(self._line(t, snapshot) for t in waiting[:LONGEST_LIST]),
            next_materials=_materials(waiting[0].item) if waiting and current is None else (),
            waiting_total=len(waiting),
            missed=tuple(
                self._line(t, snapshot)
                for t in snapshot.tickets
                if t.state is TicketState.NO_SHOW and t.queue in window.queues
            )[:LONGEST_LIST],
            parked=tuple(
                self._parked(t)
                for t in snapshot.tickets
                if t.state is TicketState.PARKED
                and may_resume(t.hold or Hold.HERE, t.window or "", t.queue, code, window.queues)
            ),
            notices=(*self._notices(window, current, snapshot), *about_numbers(self._hall.profile, window, snapshot)),
            evaluation=self._evaluating.notice(code),
            scan=self._scanning.view(code),
            pause=await self._desk.pause_of(code),
            messages=self._desk.messages_at(code, clerk or ""),
            devices=self._lamps(window),
            served_today=self._desk.served(snapshot.bizdate, clerk) if clerk else 0,
            outcome_required=self._hall.config.desk.outcome_required,
            to_province=self._outbox.status().backlog_events if self._outbox else 0,
            last_event=snapshot.event,
        )

    async def places(self, asking: str) -> Places:
        """Every window and queue at a glance, for the window that asks. Raises NotFound."""
        snapshot, profile = await self._hall.snapshot(), self._hall.profile
        if asking not in profile.windows:
            raise NotFound(what=asking)
        waiting = Counter(t.queue for t in snapshot.waiting())
        return Places(
            windows={code: _state(snapshot, code) for code in profile.windows},
            queues={code: waiting[code] for code in profile.queues},
        )

    async def _current(self, snapshot: Snapshot, ticket: TicketInfo) -> CurrentTicket:
        known = await self._desk.known(ticket.ticket_id)
        return CurrentTicket(
            ticket_id=ticket.ticket_id, number=ticket.number, queue=ticket.queue, item=ticket.item.name.zh,
            state=ticket.state, call_no=ticket.call_no, since=rfc3339(ticket.since_ms), name_masked=ticket.name_masked,
            id_masked=ticket.id_masked, document=_document(ticket.id_type), slip=ticket.slip,
            materials=_materials(ticket.item),
            filed=snapshot.filed.get(ticket.ticket_id, ()),
            poor=tuple(sorted(snapshot.poor.get(ticket.ticket_id, ()))),
            ticked=tuple(m.code for m in ticket.item.materials if m.code in self._desk.ticks(ticket.ticket_id)),
            asked=tuple(sorted(known.asked)), facts=(*_published(ticket.item), *_last_visit(known.last)),
            usual_minutes=ticket.item.minutes,
            waited_s=max(0, ((ticket.called_ms or self._clock.now_ms()) - ticket.issued_ms) // 1000),
            notes=self._desk.notes(ticket.ticket_id),
        )  # fmt: skip

    def _line(self, ticket: TicketInfo, snapshot: Snapshot) -> WaitingTicket:
        return WaitingTicket(
            number=ticket.number, queue=ticket.queue, item=ticket.item.short.zh, state=ticket.state,
            waited_s=max(0, (self._clock.now_ms() - ticket.issued_ms) // 1000), priority=ticket.priority,
            requeued=ticket.no_shows > 0, transferred=ticket.for_window is not None,
            slot=hour_minute(ticket.slot_start_ms) if ticket.slot_start_ms is not None else "",
            pinned=ticket.pinned_ms is not None, slot_cancelled=ticket.ticket_id in snapshot.cancelled_after,
        )  # fmt: skip

    def _lamps(self, window: Window) -> tuple[DeviceLamp, ...]:
        lamps = []
        for kind in ("scanner", "printer", "display", "caller", "evaluator"):
            if name := getattr(window, kind):
                view = self._devices.view(name)
                low = kind == "printer" and "paper_low" in view.conditions
                lamps.append(
                    DeviceLamp(kind=kind, well=view.link == "online", off=view.link == "disabled", paper_low=low)
                )
        return tuple(lamps)

    def _queue_load(self, queue: str, waiting: list[TicketInfo]) -> QueueLoad:
        mine = [t for t in waiting if t.queue == queue]
        oldest = min((t.issued_ms for t in mine), default=self._clock.now_ms())
        return QueueLoad(
            queue=queue, name=self._hall.profile.queues[queue].name, waiting=len(mine),
            oldest_wait_s=max(0, (self._clock.now_ms() - oldest) // 1000),
        )  # fmt: skip

    def _clerk_name(self, clerk: str | None) -> str:
        known = self._hall.staff.get(clerk or "")
        return known.name if known else ""

    @staticmethod
    def _parked(ticket: TicketInfo) -> ParkedTicket:
        return ParkedTicket(
            number=ticket.number, queue=ticket.queue, item=ticket.item.short.zh, since=rfc3339(ticket.since_ms),
            reason=ticket.park_reason or ParkReason.OTHER, window=ticket.window or "",
        )  # fmt: skip

    def _notices(self, window: Window, current: TicketInfo | None, snapshot: Snapshot) -> tuple[Text, ...]:
        notices = [*self._signage.notices(window.code), *self._announcing.notices(window.code)]
        if window.scanner and self._devices.view(window.scanner).link != "online":
            notices.append(text("notice.scanner_offline"))
        if current is not None:
            notices += about_ticket(current, self._clock.now_ms())
            if current.ticket_id in snapshot.cancelled_after:
                notices.append(text("notice.slot_cancelled"))
        notices += left_open(snapshot, window, self._clock.now_ms())
        return tuple(notices)


def left_open(snapshot: Snapshot, window: Window, now_ms: int) -> list[Text]:
    """Visits of this window's queues at windows where nobody is signed in any more: somebody must end them (E10)."""
    return [
        text("notice.left_open", window=t.window, number=t.number, minutes=UNFINISHED_MIN)
        for t in snapshot.tickets
        if t.state is TicketState.SERVING and t.window not in (window.code, *snapshot.sessions)
        and t.queue in window.queues and now_ms - t.since_ms >= UNFINISHED_MIN * 60_000
    ]  # fmt: skip


def _state(snapshot: Snapshot, window: str) -> Literal["closed", "idle", "calling", "serving", "paused"]:
    current = snapshot.at_window(window)
    if window not in snapshot.sessions:
        return "closed"
    if window in snapshot.pauses:
        return "paused"
    if current is None:
        return "idle"
    return "serving" if current.state is TicketState.SERVING else "calling"


def _materials(item: Item) -> tuple[MaterialNeed, ...]:
    return tuple(MaterialNeed(code=m.code, name=m.name, required=m.need == "required") for m in item.materials)


def _last_visit(last: LastVisit | None) -> tuple[tuple[Text, Text], ...]:
    """The same person's visit before this one, today."""
    if last is None:
        return ()
    words = say(
        "item.last_visit", at=hour_minute(last.ended_ms), window=last.window, number=last.number,
        outcome=text("item.left" if last.outcome in ("", "left") else f"counter.outcome.{last.outcome}"),
    )  # fmt: skip
    return ((text("item.last"), words),)


def _published(item: Item) -> tuple[tuple[Text, Text], ...]:
    """What a clerk looks up about an item."""
    facts = item.published
    days = text("item.days", n=item.promise_days, law=facts.legal_days) if item.promise_days else text("item.at_once")
    found = [
        (text("item.time"), days),
        (text("item.fee"), Text(zh=facts.fee, en=facts.fee) if facts.fee else text("item.free")),
    ]
    if facts.basis:
        found.append((text("item.basis"), Text(zh="；".join(facts.basis))))
    if facts.responsible:
        found.append((text("item.responsible"), Text(zh=" ".join(p for p in (facts.responsible, facts.phone) if p))))
    return tuple(found)


_OF_SLIP = {SlipState.FAILED: "notice.slip_not_printed", SlipState.UNKNOWN: "notice.slip_unknown"}


def about_ticket(ticket: TicketInfo, now_ms: int) -> list[Text]:
    """What the clerk must know about the ticket at the window."""
    slip, minutes = _OF_SLIP.get(ticket.slip), (now_ms - ticket.since_ms) // 60_000
    forgotten = ticket.state is TicketState.SERVING and minutes >= UNFINISHED_MIN
    return [
        *([text("notice.unfinished", number=ticket.number, minutes=UNFINISHED_MIN)] if forgotten else []),
        *([text("notice.card_expired")] if ticket.card_expired else []),
        *([text(slip)] if slip else []),
    ]


def about_numbers(profile: HallProfile, window: Window, snapshot: Snapshot) -> list[Text]:
    """What the clerk must know about today's numbers of the window's queues."""
    used_up = [profile.queues[queue].name for queue in window.queues if queue in snapshot.used_up]
    jumped = [text("notice.jumped")] if snapshot.jumped else []
    return [*(say("notice.used_up", queue=name) for name in used_up), *jumped]


def _document(id_type: str | None) -> Text | None:
    code = f"document.{id_type}"
    return text(code) if code in TEXTS else None
