"""Routes for technicians: devices, their detail, live trace, tests, repair, maintenance. Decides nothing.

All below /devices, which only a technician's token opens.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from functools import partial
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import StreamingResponse

from hall_daemon import wire
from hall_daemon.api_streams import HEARTBEAT_S, follow, lines
from hall_daemon.devices import Devices
from hall_daemon.diagnostics import Diagnostics
from hall_daemon.drills import Drills
from hall_daemon.hall import Bell
from hall_daemon.protocol import DeviceView
from hall_daemon.protocol_technician import (
    BeginDrill,
    ByHand,
    DeviceDetail,
    DrillOffer,
    HallState,
    Maintenance,
    TraceLine,
)
from hall_daemon.support import Support
from hall_daemon.tickets import NotFound

SLICE_S = 0.5
"""How soon a trace without traffic hears that the daemon stops."""


def add_routes(
    app: FastAPI, devices: Devices, diagnostics: Diagnostics, drills: Drills, support: Support, stopping: Bell
) -> None:
    """Everything below /devices."""
    _views(app, devices, diagnostics, stopping)
    _trace(app, devices, diagnostics, stopping)
    _orders(app, diagnostics)
    _drills(app, drills)

    @app.get("/devices/archive", response_class=Response)
    async def archive() -> Response:
        return Response(await support.archive(), media_type="application/gzip", headers={"Cache-Control": "no-store"})


def _views(app: FastAPI, devices: Devices, diagnostics: Diagnostics, stopping: Bell) -> None:
    @app.get("/devices")
    async def all_devices() -> tuple[DeviceView, ...]:
        return devices.views()

    @app.get("/devices/views", response_model=HallState)
    async def hall_states() -> StreamingResponse:
        return lines(follow(diagnostics.hall_state, diagnostics.changed, stopping))

    @app.get("/devices/{device}/views", response_model=DeviceDetail)
    async def details(device: str) -> StreamingResponse:
        await diagnostics.detail(device)
        return lines(follow(partial(diagnostics.detail, device), diagnostics.changed, stopping))


def _trace(app: FastAPI, devices: Devices, diagnostics: Diagnostics, stopping: Bell) -> None:
    @app.get("/devices/{device}/trace", response_model=TraceLine)
    async def trace(
        device: str,
        joined: Annotated[bool, Query(description="for people: join the pieces of what was sent at once")] = False,
    ) -> StreamingResponse:
        if device not in devices.configs:
            raise NotFound(what=device)
        return lines(_traffic(devices, device, diagnostics, stopping, joined=joined))


async def _traffic(
    devices: Devices, device: str, diagnostics: Diagnostics, stopping: Bell, *, joined: bool
) -> AsyncIterator[str]:
    silences = 0
    yield "\n"  # the answer begins at once, so that whoever waits knows that it is being followed
    following = wire.follow(devices, device, diagnostics.clock, joined=joined, silence_s=SLICE_S)
    async with aclosing(following) as passing:
        async for line in passing:
            if stopping.rings:
                return
            if line is not None:
                yield line.model_dump_json() + "\n"
                continue
            silences += 1
            if silences * SLICE_S >= HEARTBEAT_S:
                silences = 0
                yield "\n"


def _orders(app: FastAPI, diagnostics: Diagnostics) -> None:
    @app.post("/devices/{device}/enable", status_code=202)
    async def enable(device: str) -> None:
        await diagnostics.enable(device, enabled=True)

    @app.post("/devices/{device}/disable", status_code=202)
    async def disable(device: str) -> None:
        await diagnostics.enable(device, enabled=False)

    @app.post("/devices/{device}/test", status_code=202)
    async def test(device: str) -> None:
        diagnostics.start_test(device)

    @app.post("/devices/{device}/repair", status_code=202)
    async def by_hand(device: str, order: ByHand) -> None:
        diagnostics.confirm_by_hand(device, order.step)

    @app.post("/devices/kiosks/{kiosk}/maintenance", status_code=202)
    async def maintain(kiosk: str, order: Maintenance) -> None:
        await diagnostics.maintain(kiosk, on=order.on)


def _drills(app: FastAPI, drills: Drills) -> None:
    @app.get("/devices/{device}/drill")
    async def offer(device: str) -> DrillOffer:
        return drills.offer(device)

    @app.post("/devices/{device}/drill", status_code=202)
    async def begin(device: str, order: BeginDrill, request: Request) -> None:
        await drills.begin(device, order, request.state.actor)

    @app.delete("/devices/{device}/drill", status_code=202)
    async def end(device: str) -> None:
        drills.end(device)
