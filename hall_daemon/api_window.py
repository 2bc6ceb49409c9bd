"""Routes of a window beyond the everyday ones, and of emergency pads. Decides nothing."""

from __future__ import annotations

from fastapi import FastAPI, Request

from hall_daemon.clock import day_ms
from hall_daemon.hall import Hall
from hall_daemon.hall_desk import COUNTER_DEVICE
from hall_daemon.protocol import AboutTicket, Done
from hall_daemon.protocol_window import (
    AddItem,
    KeyInPad,
    KeyInPads,
    NotThere,
    PadKeyed,
    PadLine,
    PadsKeyed,
    Pin,
    PutBack,
    Select,
    ToColleague,
    WalkIn,
)
from hall_daemon.tickets import IssueOrder, PadSlip
from hall_daemon.words import Channel


def add_routes(app: FastAPI, hall: Hall) -> None:
    """All of them, under /windows/{window}/; the stack of pads belongs to no window."""
    _calling(app, hall)
    _pads(app, hall)
    _line(app, hall)
    _desk(app, hall)


def _calling(app: FastAPI, hall: Hall) -> None:
    @app.post("/windows/{window}/no-show")
    async def no_show(window: str, order: NotThere) -> Done:
        return Done(event=await hall.no_show(window, order.seen, order.early))

    @app.post("/windows/{window}/select")
    async def select(window: str, order: Select) -> Done:
        event = await hall.select(window, order.seen, order.ticket, order.reason)
        return Done(event=event, number=order.ticket)

    @app.post("/windows/{window}/put-back")
    async def put_back(window: str, order: PutBack) -> Done:
        return Done(event=await hall.put_back(window, order.seen, order.reason))

    @app.post("/windows/{window}/undo")
    async def undo(window: str) -> Done:
        return Done(event=await hall.undo(window))


def _pads(app: FastAPI, hall: Hall) -> None:
    @app.post("/pads")
    async def key_in_pads(request: Request, order: KeyInPads) -> PadsKeyed:
        begins_ms = day_ms((await hall.snapshot()).bizdate)
        slips = [_slip(line, begins_ms) for line in order.pads]
        event, answers = await hall.key_in_pads(slips, request.state.actor)
        keyed = tuple(PadKeyed(number=a.number, state=a.state.value, text=a.why) for a in answers)
        return PadsKeyed(event=event, pads=keyed)


def _slip(line: PadLine, day_begins_ms: int) -> PadSlip:
    hours, minutes = map(int, line.at.split(":"))
    return PadSlip(
        number=line.number, at_ms=day_begins_ms + (hours * 60 + minutes) * 60_000, item=line.item,
        outcome=line.outcome, window=line.window or "", clerk=line.clerk or "",
    )  # fmt: skip


def _line(app: FastAPI, hall: Hall) -> None:
    @app.post("/windows/{window}/pin")
    async def pin(window: str, order: Pin) -> Done:
        return Done(event=await hall.pin(window, order.ticket, order.reason))

    @app.post("/windows/{window}/unpin")
    async def unpin(window: str, order: AboutTicket) -> Done:
        return Done(event=await hall.unpin(window, order.ticket))

    @app.post("/windows/{window}/stage-back")
    async def stage_back(window: str, order: AboutTicket) -> Done:
        return Done(event=await hall.stage_back(window, order.ticket))


def _desk(app: FastAPI, hall: Hall) -> None:
    @app.post("/windows/{window}/to-colleague")
    async def to_colleague(window: str, order: ToColleague) -> Done:
        return Done(event=await hall.to_colleague(window, order.seen, order.to_window, order.reason))

    @app.post("/windows/{window}/add-item")
    async def add_item(window: str, order: AddItem) -> Done:
        return Done(event=await hall.add_item(window, order.seen, order.item))

    @app.post("/windows/{window}/walk-in")
    async def walk_in(window: str, order: WalkIn) -> Done:
        issued = await hall.serve_walk_in(
            window,
            IssueOrder(
                item=order.item, request_id=order.request_id, channel=Channel.COUNTER, device_id=COUNTER_DEVICE,
                priority=order.priority,
            ),
        )  # fmt: skip
        return Done(event=issued.event, number=issued.number)

    @app.post("/windows/{window}/pads")
    async def key_in_pad(window: str, order: KeyInPad) -> Done:
        slip = PadSlip(number=order.number, at_ms=order.at_ms, item=order.item, outcome=order.outcome)
        return Done(event=await hall.key_in_pad(window, slip), number=order.number)
