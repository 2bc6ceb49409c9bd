"""Routes of cases: what a window does with what a resident hands in. Decides nothing."""

from __future__ import annotations

from fastapi import FastAPI

from hall_daemon.case_papers import CasePapers
from hall_daemon.hall import Hall
from hall_daemon.protocol import Done
from hall_daemon.protocol_cases import (
    CaseDone,
    CasesView,
    DecideCase,
    HandIn,
    PaperPreview,
    PaperPrinted,
    PreviewPaper,
    PrintPaper,
    ReceivedCases,
    Refile,
    ReturnCase,
    Supplement,
    WithdrawCase,
)


def add_routes(app: FastAPI, hall: Hall, papers: CasePapers) -> None:
    """All below /windows, which a counter's token opens."""

    @app.get("/windows/{window}/cases")
    async def cases(window: str) -> CasesView:
        return await hall.cases_at(window)

    @app.post("/windows/{window}/cases/receive")
    async def receive(window: str, order: HandIn) -> CaseDone:
        return await hall.receive_case(window, order)

    @app.post("/windows/{window}/cases/accept")
    async def accept(window: str, order: HandIn) -> CaseDone:
        return await hall.accept_case(window, order)

    @app.post("/windows/{window}/cases/notice")
    async def notice(window: str, order: HandIn) -> CaseDone:
        return await hall.notify_case(window, order)

    @app.post("/windows/{window}/cases/supplement")
    async def supplement(window: str, order: Supplement) -> CaseDone:
        return await hall.supplement_case(window, order)

    @app.post("/windows/{window}/cases/return")
    async def returned(window: str, order: ReturnCase) -> CaseDone:
        return await hall.return_case(window, order)

    _known(app, hall, papers)


def _known(app: FastAPI, hall: Hall, papers: CasePapers) -> None:
    """Of cases that were handed in before, and of pages that are filed."""

    @app.post("/windows/{window}/cases/preview")
    async def preview(window: str, order: PreviewPaper) -> PaperPreview:
        return await papers.preview(window, order)

    @app.get("/windows/{window}/cases/received")
    async def received(window: str) -> ReceivedCases:
        return await hall.received_cases(window)

    @app.post("/windows/{window}/cases/print")
    async def print_paper(window: str, order: PrintPaper) -> PaperPrinted:
        return await papers.print(window, order)

    @app.post("/windows/{window}/refile")
    async def refile(window: str, order: Refile) -> Done:
        return Done(event=await hall.refile(window, order))

    @app.post("/windows/{window}/cases/{local_case_no}/accept")
    async def accept_received(window: str, local_case_no: str) -> CaseDone:
        return await hall.accept_received(window, local_case_no)

    @app.post("/windows/{window}/cases/{local_case_no}/decide")
    async def decide(window: str, local_case_no: str, order: DecideCase) -> CaseDone:
        return await hall.decide_case(window, local_case_no, order)

    @app.post("/windows/{window}/cases/{local_case_no}/withdraw")
    async def withdraw(window: str, local_case_no: str, order: WithdrawCase) -> CaseDone:
        return await hall.withdraw_case(window, local_case_no, order)
