"""Routes about the catalogue and the service day. Decides nothing."""

from __future__ import annotations

import asyncio

from fastapi import FastAPI

from hall_daemon import checking_in, service_day
from hall_daemon.board import Emergency
from hall_daemon.cataloguing import Cataloguing, Kept
from hall_daemon.clock import rfc3339
from hall_daemon.hall import Hall
from hall_daemon.protocol import Done, Text
from hall_daemon.protocol_day import (
    ByStaff,
    CatalogueEntry,
    CatalogueFinding,
    CatalogueView,
    CheckInByCode,
    CloseDay,
    DayView,
    DecideCatalogue,
    EmergencyClose,
    PowerNews,
    ResumeItem,
    SuspendedItem,
    SuspendItem,
)  # fmt: skip
from hall_daemon.service_day import Leftovers
from hall_daemon.texts import text
from hall_daemon.tickets import IssueOrder, NotFound
from hall_daemon.words import Channel

MOST_FINDINGS = 50


def add_routes(app: FastAPI, hall: Hall, cataloguing: Cataloguing, emergency: Emergency) -> None:
    """Everything below /catalogue and /day."""
    _steps(app, hall)
    _emergency(app, hall, emergency)
    _check_in(app, hall)

    @app.get("/catalogue")
    async def catalogue() -> CatalogueView:
        return await _view(hall, cataloguing)

    @app.post("/catalogue/{version}/approve")
    async def approve(version: int, order: DecideCatalogue) -> CatalogueEntry:
        return _entry(await cataloguing.approve(version, order.by))

    @app.post("/catalogue/{version}/reject")
    async def reject(version: int, order: DecideCatalogue) -> CatalogueEntry:
        return _entry(await cataloguing.reject(version, order.by))

    @app.post("/catalogue/items/{item}/suspend")
    async def suspend(item: str, order: SuspendItem) -> Done:
        return Done(event=await cataloguing.suspend(item, order.by, order.reason))

    @app.post("/catalogue/items/{item}/resume")
    async def resume(item: str, order: ResumeItem) -> Done:
        return Done(event=await cataloguing.resume(item, order.by))


def _steps(app: FastAPI, hall: Hall) -> None:
    @app.get("/day")
    async def day() -> DayView:
        return await _day(hall)

    @app.post("/day/open")
    async def open_day() -> Done:
        return Done(event=await service_day.open_day(hall))

    @app.post("/day/drain")
    async def drain(order: ByStaff) -> Done:
        return Done(event=await service_day.drain(hall, order.by))

    @app.post("/day/close")
    async def close_day(order: CloseDay) -> Done:
        seen = None
        if order.waiting is not None:
            seen = Leftovers(waiting=order.waiting, called=order.called, parked=order.parked)
        return Done(event=await service_day.close_confirmed(hall, order.by, seen))

    @app.post("/day/power")
    async def power(order: PowerNews) -> Done:
        return Done(event=await service_day.power(hall, order.by, failing=order.failing))


def _check_in(app: FastAPI, hall: Hall) -> None:
    @app.post("/tickets/check-in")
    async def check_in(order: CheckInByCode) -> Done:
        wanted = IssueOrder(
            item=order.item, request_id=order.request_id, channel=Channel.APPOINTMENT, device_id=COUNTER_DEVICE,
            printed_required=False, clerk=order.by,
        )  # fmt: skip
        again = await checking_in.number_of(hall, order.request_id)
        if again:
            return Done(event=0, number=again)
        booked = await checking_in.by_code(hall, order.code6)
        if booked:
            issued = await checking_in.take(hall, booked[0], wanted)
        elif order.item:
            issued = await checking_in.take_unlisted(hall, order.code6, wanted, order.by)
        else:
            raise NotFound(what=order.code6)
        return Done(event=issued.event, number=issued.number)


COUNTER_DEVICE = "CTR-01"
"""Device of a number that was issued at a counter, as the contract wants one."""


def _emergency(app: FastAPI, hall: Hall, emergency: Emergency) -> None:
    @app.post("/day/emergency")
    async def emergency_close(order: EmergencyClose) -> Done:
        event = await service_day.emergency(hall, order.by, order.reason, valid=order.tickets == "valid_2h")
        await asyncio.to_thread(emergency.keep, on=True, closed_day=hall.day.bizdate)
        emergency.changed()
        return Done(event=event)

    @app.post("/day/reopen")
    async def reopen(order: ByStaff) -> Done:
        event = await service_day.reopen(hall, order.by)
        await asyncio.to_thread(emergency.keep, on=False)
        emergency.changed()
        return Done(event=event)


async def _day(hall: Hall) -> DayView:
    life, left, now_ms = hall.day, await service_day.leftovers(hall), hall.clock.now_ms()
    return DayView(
        bizdate=(await hall.snapshot()).bizdate, state=life.state.value,
        state_text=text(f"day.state.{life.state.value}"),
        planned_close=rfc3339(life.planned_close_ms) if life.planned_close_ms is not None else "",
        next_opening=life.next_opening(now_ms, hall.profile.calendar),
        halted_until=rfc3339(life.halted_until_ms) if life.halted_until_ms is not None else "",
        waiting=left.waiting, called=left.called, parked=left.parked, no_show=left.no_show,
        question=life.question, checks=life.checks, notices=life.notices(now_ms),
    )  # fmt: skip


async def _view(hall: Hall, cataloguing: Cataloguing) -> CatalogueView:
    profile, reasons = hall.profile, await cataloguing.suspensions()
    stranded = await cataloguing.stranded()
    shut = [item.code for item in profile.items.values() if item.suspended]
    return CatalogueView(
        version=profile.catalog_version,
        items=sum(bool(item.codes) for item in profile.items.values()),
        entries=tuple(_entry(kept) for kept in await cataloguing.kept()),
        suspended=tuple(
            SuspendedItem(
                item=code, name=_name(hall, code, tuple(t.item.name for t in stranded.get(code, ()))),
                by_hall=code in reasons, reason=reasons.get(code, ""),
                waiting=tuple(ticket.number for ticket in stranded.get(code, ())),
            )
            for code in dict.fromkeys((*shut, *stranded))
        ),
        unplaced=tuple(item.code for item in profile.items.values() if not profile.windows_for(item.queue)),
    )  # fmt: skip


def _name(hall: Hall, code: str, of_tickets: tuple[Text, ...]) -> Text:
    """As it is now; of an item that is gone, as its tickets have it."""
    item = hall.profile.items.get(code)
    return item.name if item is not None else next(iter(of_tickets), Text(zh=code))


def _entry(kept: Kept) -> CatalogueEntry:
    return CatalogueEntry(
        version=kept.version, source="file" if kept.source == "file" else "province", state=kept.state.value,
        state_text=text(f"catalogue.state.{kept.state.value}"), urgent=kept.urgent, effective_at=kept.effective_at,
        content_sm3=kept.content_sm3, received=rfc3339(kept.received_ms),
        activated=rfc3339(kept.activated_ms) if kept.activated_ms is not None else "",
        decided_by=kept.decided_by or "",
        findings=tuple(
            CatalogueFinding(code=f.code, subject=f.subject, text=f.sentence) for f in kept.findings[:MOST_FINDINGS]
        ),
        more_findings=max(0, len(kept.findings) - MOST_FINDINGS),
    )  # fmt: skip
