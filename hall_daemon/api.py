"""HTTP face: turns requests into verbs of the hall and its news into lines. Decides nothing.

Views and events are streams of one JSON object a line; a blank line every few seconds says that the line is alive.
Every refusal is a `Problem` with a code for programs and sentences for people.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sqlite3
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session, col, select
from starlette.exceptions import HTTPException

import kiosk_ui
from hall_daemon import (
    access,
    api_board,
    api_cases,
    api_clerks,
    api_day,
    api_manager,
    api_slips,
    api_technician,
    api_window,
)
from hall_daemon.accounts import Accounts
from hall_daemon.api_clerks import Gate
from hall_daemon.api_follow import add_routes as add_follow
from hall_daemon.api_streams import DaemonEnds, Wake, follow, follow_line, lines
from hall_daemon.board import Board, Emergency
from hall_daemon.case_papers import CasePapers
from hall_daemon.cataloguing import Cataloguing
from hall_daemon.database import refused_by
from hall_daemon.desk import Desk
from hall_daemon.devices import Devices
from hall_daemon.diagnostics import Diagnostics
from hall_daemon.drills import Drills
from hall_daemon.evaluating import Evaluating
from hall_daemon.following import Following
from hall_daemon.hall import Bell, Hall
from hall_daemon.hall_desk import COUNTER_DEVICE
from hall_daemon.imaging_page import PagePart
from hall_daemon.kiosk import KioskFlow
from hall_daemon.kiosk_voice import heard
from hall_daemon.metrics import Metrics
from hall_daemon.overview import Overview
from hall_daemon.protocol import (
    AboutCurrent,
    AboutTicket,
    CallNext,
    Cancel,
    ClerkName,
    Done,
    FeedLine,
    FilePages,
    Finish,
    HallMap,
    IssueAtCounter,
    ItemName,
    KioskPlace,
    Park,
    Problem,
    QueuePlace,
    Serve,
    StartScan,
    Text,
    TicketView,
    Transfer,
    WindowPlace,
    WindowView,
    ZonePlace,
)  # fmt: skip
from hall_daemon.protocol_board import BoardView, CalledNumber
from hall_daemon.protocol_kiosk import KeyPressed, KioskView
from hall_daemon.protocol_window import PageDots, Places
from hall_daemon.scanning import Scanning
from hall_daemon.screens import Screens
from hall_daemon.store import Store
from hall_daemon.support import Support
from hall_daemon.tables import EventRow
from hall_daemon.texts import text
from hall_daemon.tickets import HallError, IssueOrder, NotFound
from hall_daemon.voice import Voice
from hall_daemon.voice_clips import Language, NoSound
from hall_daemon.words import Channel, RequeuedBy

_log = logging.getLogger("api")

REPLAY_LINES = 500

_WEB = Path(next(iter(kiosk_ui.__path__))) / "web"


@dataclass(frozen=True, kw_only=True)
class Services:
    """What the API speaks for."""

    hall: Hall
    store: Store
    devices: Devices
    screens: Screens
    scanning: Scanning
    kiosks: dict[str, KioskFlow]
    metrics: Metrics
    overview: Overview
    diagnostics: Diagnostics
    drills: Drills
    support: Support
    cataloguing: Cataloguing
    voice: Voice
    board: Board
    emergency: Emergency
    following: Following
    calls: Callable[[], list[CalledNumber]]
    """Calls of the day that the board may still show."""
    accounts: Accounts
    desk: Desk
    evaluating: Evaluating
    stopping: Bell


class Health(BaseModel):
    """Alive, and able to write."""

    alive: bool
    store_writable: bool
    day_open: bool
    stream: str
    last_event: int


def build(services: Services, tokens: dict[str, str]) -> FastAPI:
    """The application."""
    app = FastAPI(title="hall-daemon", version="1", docs_url=None, redoc_url=None)
    _problems(app)
    app.add_middleware(Gate, accounts=services.accounts, tokens=tokens)
    api_clerks.add_routes(app, services.hall, services.accounts, services.desk, services.stopping)
    _kiosks(app, services)
    _windows(app, services)
    _scans(app, services)
    api_slips.add_routes(app, services.kiosks)
    api_cases.add_routes(app, services.hall, CasePapers(services.hall, services.devices))
    _tickets(app, services)
    _streams(app, services)
    _technician(app, services)
    app.mount("/ui", StaticFiles(directory=_WEB), name="ui")
    return app


# --- refusals ---------------------------------------------------------------------------------------------------------


def _problem(status: int, code: str, detail: str, sentence: Text) -> Response:
    problem = json.dumps(Problem(code=code, detail=detail, text=sentence).model_dump(), ensure_ascii=False)
    # A refusal repeats what was asked, which need not be text that can be written.
    return Response(problem.encode("utf-8", "replace"), status, media_type="application/problem+json")


def _malformed(status: int, where: str, why: str) -> Response:
    return _problem(status, "request.invalid", f"{where}: {why}", text("request.invalid", where=where, why=why))


def _problems(app: FastAPI) -> None:
    @app.exception_handler(HallError)
    async def refused(_request: Request, exc: HallError) -> Response:
        return _problem(404 if isinstance(exc, NotFound) else 409, exc.code, str(exc), exc.sentence)

    @app.exception_handler(RequestValidationError)
    async def malformed(_request: Request, exc: RequestValidationError) -> Response:
        first = exc.errors()[0]
        return _malformed(422, ".".join(str(part) for part in first["loc"]), str(first["msg"]))

    @app.exception_handler(HTTPException)
    async def other(_request: Request, exc: HTTPException) -> Response:
        if exc.status_code in (404, 405):
            answer = _problem(exc.status_code, "request.unknown_path", str(exc.detail), text("request.unknown_path"))
            answer.headers.update(exc.headers or {})  # Allow, which RFC 9110 wants beside a 405
            return answer
        return _malformed(exc.status_code, "body", str(exc.detail))

    @app.exception_handler(sqlite3.Error)
    @app.exception_handler(DBAPIError)
    async def storage(_request: Request, exc: Exception) -> Response:
        why = type(refused_by(exc)).__name__
        _log.error("storage refused a change: %s", why)
        return _problem(503, "storage_failed", why, text("hall.storage_failed"))

    @app.exception_handler(Exception)
    async def bug(_request: Request, exc: Exception) -> Response:
        """Answers; that it is logged with its traceback is the server's doing."""
        return _problem(500, "request.internal", type(exc).__name__, text("request.internal"))


# --- streams ----------------------------------------------------------------------------------------------------------


async def _events(services: Services, after: int, *, follow: bool) -> AsyncIterator[str]:
    wake = Wake(services.hall.changed, services.stopping)
    try:
        while True:
            found = await services.store.read(partial(_replay, after=after))
            for number, line in found:
                after = number
                yield line
            if len(found) == REPLAY_LINES:
                continue
            if not follow:
                return
            while not await wake.ring():
                yield "\n"
    except DaemonEnds:
        return


def _replay(session: Session, after: int) -> list[tuple[int, str]]:
    rows = session.exec(
        select(EventRow).where(col(EventRow.number) > after).order_by(col(EventRow.number)).limit(REPLAY_LINES)
    )
    lines = []
    for row in rows:
        data = json.loads(row.body)["data"]
        data.pop("pii", None)  # sealed for the province; no screen needs it
        line = FeedLine(number=row.number, type=row.type, time=row.time, subject=row.subject, data=data)
        lines.append((row.number or 0, line.model_dump_json() + "\n"))
    return lines


# --- routes -----------------------------------------------------------------------------------------------------------


def _kiosks(app: FastAPI, services: Services) -> None:
    def flow(kiosk: str) -> KioskFlow:
        if kiosk not in services.kiosks:
            raise NotFound(what=kiosk)
        return services.kiosks[kiosk]

    _kiosk_voice(app, services, flow)

    @app.get("/kiosk/{kiosk}", response_class=FileResponse)
    async def kiosk_page(kiosk: str) -> FileResponse:
        flow(kiosk)
        return FileResponse(_WEB / "kiosk" / "index.html")

    @app.get("/kiosks/{kiosk}/views", response_model=KioskView)
    async def kiosk_views(kiosk: str) -> StreamingResponse:
        found = flow(kiosk)

        async def view() -> KioskView:
            return found.view

        return lines(follow(view, found.changed, services.stopping))

    @app.post("/kiosks/{kiosk}/keys", status_code=202)
    async def key(kiosk: str, pressed: KeyPressed) -> None:
        flow(kiosk).touch(pressed.key, pressed.revision)


def _kiosk_voice(app: FastAPI, services: Services, flow: Callable[[str], KioskFlow]) -> None:
    @app.get("/kiosks/{kiosk}/voice/{revision}.wav", response_class=Response)
    async def spoken(kiosk: str, revision: int) -> Response:
        """What the page of this revision says; its words stand in no address."""
        view = flow(kiosk).view
        if view.revision == revision:
            language = Language.EN if view.language == "en" else Language.ZH
            for said in heard(view):
                try:
                    sound = await asyncio.to_thread(services.voice.sentences, said, language)
                except NoSound:
                    continue
                return Response(sound, media_type="audio/wav", headers={"Cache-Control": "no-store"})
        raise NotFound(what=f"voice of page {revision}")


def _windows(app: FastAPI, services: Services) -> None:
    hall = services.hall
    _about_current(app, hall)
    _about_others(app, hall)
    api_window.add_routes(app, hall)

    @app.get("/windows/{window}/places")
    async def places(window: str) -> Places:
        return await services.screens.places(window)

    @app.get("/windows/{window}/views", response_model=WindowView)
    async def window_views(window: str) -> StreamingResponse:
        await services.screens.window(window)
        return lines(follow(lambda: services.screens.window(window), hall.changed, services.stopping))


def _about_current(app: FastAPI, hall: Hall) -> None:
    @app.post("/windows/{window}/next")
    async def call_next(window: str, order: CallNext) -> Done:
        event, number = await hall.call_next(window, order.seen)
        return Done(event=event, number=number)

    @app.post("/windows/{window}/recall")
    async def recall(window: str, order: AboutCurrent) -> Done:
        return Done(event=await hall.recall(window, order.seen))

    @app.post("/windows/{window}/serve")
    async def serve(window: str, order: Serve) -> Done:
        return Done(event=await hall.serve(window, order.seen, identity_rechecked=order.identity_rechecked))

    @app.post("/windows/{window}/park")
    async def park(window: str, order: Park) -> Done:
        return Done(event=await hall.park(window, order.seen, order.reason, order.hold, order.stage))

    @app.post("/windows/{window}/finish")
    async def finish(window: str, order: Finish) -> Done:
        return Done(event=await hall.finish(window, order.seen, order.outcome, order.cases))

    @app.post("/windows/{window}/transfer")
    async def transfer(window: str, order: Transfer) -> Done:
        return Done(event=await hall.transfer(window, order))


def _about_others(app: FastAPI, hall: Hall) -> None:
    @app.post("/windows/{window}/resume")
    async def resume(window: str, order: AboutTicket) -> Done:
        return Done(event=await hall.resume(window, order.ticket))

    @app.post("/windows/{window}/requeue")
    async def requeue(window: str, order: AboutTicket) -> Done:
        await hall.clerk_at(window)
        return Done(event=await hall.requeue(order.ticket, RequeuedBy.CLERK))

    @app.post("/windows/{window}/cancel")
    async def cancel(window: str, order: Cancel) -> Done:
        clerk = await hall.clerk_at(window)
        return Done(event=await hall.cancel(order.ticket, order.reason, clerk))


def _scans(app: FastAPI, services: Services) -> None:
    scanning = services.scanning

    @app.post("/windows/{window}/scans")
    async def scan(window: str, order: StartScan) -> Done:
        return Done(event=0, job=await scanning.start(window, order))

    @app.get("/windows/{window}/scans/{job}/pages/{no}", response_class=FileResponse)
    async def page(window: str, job: str, no: int) -> FileResponse:
        return FileResponse(scanning.page_file(window, job, no), media_type="image/jpeg")

    @app.get("/windows/{window}/scans/{job}/pages/{no}/dots")
    async def page_dots(
        window: str, job: str, no: int,
        zoom: Annotated[int, Query(ge=1, le=8)] = 1, x: Annotated[int, Query(ge=0, le=1000)] = 0,
        y: Annotated[int, Query(ge=0, le=1000)] = 0, width: Annotated[int, Query(ge=8, le=800)] = 160,
        height: Annotated[int, Query(ge=8, le=800)] = 80,
    ) -> PageDots:  # fmt: skip
        part = PagePart(zoom=zoom, x=x, y=y, width=width, height=height)
        return PageDots(rows=await scanning.page_dots(window, job, no, part))

    @app.post("/windows/{window}/scans/{job}/stop")
    async def stop(window: str, job: str) -> Done:
        scanning.stop(window, job)
        return Done(event=0, job=job)

    @app.post("/windows/{window}/scans/{job}/file")
    async def file(window: str, job: str, order: FilePages) -> Done:
        return Done(event=await scanning.file(window, job, order), job=job)

    @app.post("/windows/{window}/ask-rating")
    async def ask_rating(window: str, order: AboutCurrent) -> Done:
        await services.evaluating.ask_now(window, order.seen)
        return Done(event=0, number=order.seen)


def _tickets(app: FastAPI, services: Services) -> None:
    @app.post("/tickets")
    async def issue(order: IssueAtCounter) -> Done:
        issued = await services.hall.issue(
            IssueOrder(
                item=order.item, request_id=order.request_id, channel=Channel.COUNTER, device_id=COUNTER_DEVICE,
                printed_required=False, priority=order.priority, more_items=order.more_items,
            )
        )  # fmt: skip
        return Done(event=issued.event, number=issued.number)

    @app.get("/tickets/{number}")
    async def ticket(number: str) -> TicketView:
        found = await services.hall.find_ticket(number)
        return TicketView(
            number=found.number, state=found.state, slip=found.slip, queue=found.queue, window=found.window,
            waiting_ahead=found.waiting_ahead,
        )  # fmt: skip


def _streams(app: FastAPI, services: Services) -> None:
    api_board.add_routes(app, services.voice, services.calls)
    api_board.add_emergency(app, services.emergency)
    add_follow(app, services.hall, services.following, _WEB)

    @app.get("/board", response_class=FileResponse)
    async def board_page() -> FileResponse:
        return FileResponse(_WEB / "board" / "index.html")

    @app.get("/board/views", response_model=BoardView)
    async def board_views(zone: str = "") -> StreamingResponse:
        if zone and zone not in services.hall.profile.zones:
            raise NotFound(what=zone)
        return lines(follow_line(lambda: services.board.line(zone), services.hall.changed, services.stopping))

    @app.get("/events", response_model=FeedLine)
    async def events(
        after: Annotated[int, Query(ge=0, lt=2**63, description="number of the last event that is known")] = 0,
        follow: Annotated[bool, Query(description="stay on the line for what comes")] = False,
    ) -> StreamingResponse:
        return lines(_events(services, after, follow=follow))


def _technician(app: FastAPI, services: Services) -> None:
    _map(app, services.hall)
    s = services
    api_technician.add_routes(app, s.devices, s.diagnostics, s.drills, s.support, s.stopping)
    api_day.add_routes(app, services.hall, services.cataloguing, services.emergency)
    api_manager.add_routes(app, services.hall, services.overview, _WEB, services.stopping)
    _monitoring(app, services)


def _map(app: FastAPI, hall: Hall) -> None:
    @app.get("/hall")
    async def hall_map() -> HallMap:
        known = hall.profile
        return HallMap(
            hall=known.hall,
            zones=tuple(ZonePlace(code=z.code, name=z.name) for z in known.zones.values()),
            queues=tuple(QueuePlace(code=q.code, name=q.name, zone=q.zone) for q in known.queues.values()),
            windows=tuple(
                WindowPlace(code=w.code, zone=w.zone, queues=w.queues, scanner=bool(w.scanner))
                for w in known.windows.values()
            ),
            clerks=tuple(ClerkName(clerk=c.number, name=c.name) for c in hall.staff.values() if access.may_take(c)),
            kiosks=tuple(KioskPlace(code=k.code, name=k.name) for k in known.kiosks.values()),
            items=tuple(ItemName(code=i.code, name=i.name, queue=i.queue) for i in known.items.values()),
        )


def _monitoring(app: FastAPI, services: Services) -> None:
    @app.get("/healthz")
    async def health(response: Response) -> Health:
        writable = await services.store.writable()
        if not writable:
            response.status_code = 503
        return Health(
            alive=True, store_writable=writable, day_open=services.hall.day_open, stream=services.store.streamid,
            last_event=services.store.last_sequence,
        )  # fmt: skip

    @app.get("/metrics", response_class=Response)
    async def metrics() -> Response:
        return Response(await services.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")
