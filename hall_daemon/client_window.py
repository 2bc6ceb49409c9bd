"""The verbs of a window for the typed client: one method a route; state arrives with the next view."""

from __future__ import annotations

from abc import abstractmethod
from typing import TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from hall_daemon.protocol import (
    AboutCurrent,
    AboutTicket,
    CallNext,
    Cancel,
    Done,
    FilePages,
    Finish,
    Park,
    Serve,
    StartScan,
    Transfer,
)
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
)
from hall_daemon.protocol_clerks import CallFor, PauseWindow, SignedIn, SignIn, TakeNote, Tick
from hall_daemon.protocol_window import AddItem, NotThere, PageDots, Pin, Places, PutBack, Select, ToColleague, WalkIn

Shape = TypeVar("Shape", bound=BaseModel)


def part(name: str) -> str:
    """A name as one part of a path."""
    return quote(name, safe="")


class WindowVerbs:
    """What a clerk may ask for."""

    session: str

    @abstractmethod
    async def _ask(self, method: str, path: str, request: BaseModel | None = None) -> bytes: ...

    @abstractmethod
    def parse(self, shape: type[Shape], body: bytes, *, maybe_done: bool = False) -> Shape:
        """A shape of the protocol. Raises HallUnreachable."""

    # ---- windows: each verb raises RequestRefused or HallUnreachable; the answer to look at is the next view

    async def sign_in(self, window: str, clerk: str, pin: str = "", *, take_over: bool = False) -> Done:
        """A clerk takes the window; this client's verbs are theirs from now on."""
        path = f"/windows/{part(window)}/sign-in"
        body = await self._ask("POST", path, SignIn(clerk=clerk, pin=pin, take_over=take_over))
        signed = self.parse(SignedIn, body, maybe_done=True)
        self.session = signed.session
        return Done(event=signed.event)

    async def sign_out(self, window: str) -> Done:
        """The clerk leaves the window."""
        return await self._at(window, "sign-out", None)

    async def call_next(self, window: str, seen: str | None) -> Done:
        """Call whoever is next; `seen` is the number on the clerk's screen."""
        return await self._at(window, "next", CallNext(seen=seen))

    async def recall(self, window: str, seen: str) -> Done:
        """Call the same number again."""
        return await self._at(window, "recall", AboutCurrent(seen=seen))

    async def serve(self, window: str, request: Serve) -> Done:
        """The resident is at the window."""
        return await self._at(window, "serve", request)

    async def no_show(self, window: str, seen: str, early: str = "") -> Done:
        """Called and did not come; `early` says why before enough calls were made."""
        return await self._at(window, "no-show", NotThere(seen=seen, early=early))

    async def park(self, window: str, request: Park) -> Done:
        """Interrupt and keep."""
        return await self._at(window, "park", request)

    async def finish(self, window: str, request: Finish) -> Done:
        """The resident leaves."""
        return await self._at(window, "finish", request)

    async def transfer(self, window: str, request: Transfer) -> Done:
        """To another queue, zone or window, keeping the number."""
        return await self._at(window, "transfer", request)

    async def resume(self, window: str, ticket: str) -> Done:
        """Take a parked ticket up again."""
        return await self._at(window, "resume", AboutTicket(ticket=ticket))

    async def requeue(self, window: str, ticket: str) -> Done:
        """Put a missed ticket back in line."""
        return await self._at(window, "requeue", AboutTicket(ticket=ticket))

    async def cancel(self, window: str, request: Cancel) -> Done:
        """Give up a number."""
        return await self._at(window, "cancel", request)

    async def here(self, window: str) -> Done:
        """Somebody is at the screen."""
        return await self._at(window, "here", None)

    async def pause(self, window: str, request: PauseWindow) -> Done:
        """Begin 暂停服务."""
        return await self._at(window, "pause", request)

    async def go_on(self, window: str) -> Done:
        """End 暂停服务."""
        return await self._at(window, "go-on", None)

    async def note(self, window: str, request: TakeNote) -> Done:
        """Keep words about the ticket at the window."""
        return await self._at(window, "note", request)

    async def tick(self, window: str, request: Tick) -> Done:
        """Papers seen, or not after all."""
        return await self._at(window, "tick", request)

    async def call_for(self, window: str, request: CallFor) -> Done:
        """Call the guard, the manager, an adviser or a technician."""
        return await self._at(window, "call-for", request)

    async def read_message(self, window: str, message: str) -> Done:
        """The clerk has read a message."""
        return await self._at(window, f"messages/{part(message)}/ack", None)

    async def undo(self, window: str) -> Done:
        """Take back the last call, no-show or finish, up to 8 s after it."""
        return await self._at(window, "undo", None)

    async def select(self, window: str, request: Select) -> Done:
        """Call a chosen number."""
        return await self._at(window, "select", request)

    async def pin(self, window: str, request: Pin) -> Done:
        """Put a ticket before all others."""
        return await self._at(window, "pin", request)

    async def unpin(self, window: str, ticket: str) -> Done:
        """Not before all others any more."""
        return await self._at(window, "unpin", AboutTicket(ticket=ticket))

    async def stage_back(self, window: str, ticket: str) -> Done:
        """What a parked ticket waited for has come back."""
        return await self._at(window, "stage-back", AboutTicket(ticket=ticket))

    async def put_back(self, window: str, request: PutBack) -> Done:
        """The wrong number was called."""
        return await self._at(window, "put-back", request)

    async def to_colleague(self, window: str, request: ToColleague) -> Done:
        """Hand the visit to another window."""
        return await self._at(window, "to-colleague", request)

    async def add_item(self, window: str, request: AddItem) -> Done:
        """One more thing for the number at the window."""
        return await self._at(window, "add-item", request)

    async def walk_in(self, window: str, request: WalkIn) -> Done:
        """Serve somebody who has no ticket."""
        return await self._at(window, "walk-in", request)

    async def give_notice(self, window: str, request: HandIn) -> CaseDone:
        """One notice of everything that is missing (一次性告知)."""
        answer = await self._ask("POST", f"/windows/{part(window)}/cases/notice", request)
        return self.parse(CaseDone, answer, maybe_done=True)

    async def accept_case(self, window: str, request: HandIn) -> CaseDone:
        """Accept what was handed in."""
        answer = await self._ask("POST", f"/windows/{part(window)}/cases/accept", request)
        return self.parse(CaseDone, answer, maybe_done=True)

    async def cases(self, window: str) -> CasesView:
        """The cases of the ticket at the window, and those that its items would become."""
        return self.parse(CasesView, await self._ask("GET", f"/windows/{part(window)}/cases"))

    async def receive_case(self, window: str, request: HandIn) -> CaseDone:
        """Take in what was handed in; its receipt is printed by the case's number."""
        answer = await self._ask("POST", f"/windows/{part(window)}/cases/receive", request)
        return self.parse(CaseDone, answer, maybe_done=True)

    async def return_case(self, window: str, request: ReturnCase) -> CaseDone:
        """Do not accept it, with a written reason."""
        answer = await self._ask("POST", f"/windows/{part(window)}/cases/return", request)
        return self.parse(CaseDone, answer, maybe_done=True)

    async def decide_case(self, window: str, local_case_no: str, request: DecideCase) -> CaseDone:
        """The end of an accepted case."""
        answer = await self._ask("POST", f"/windows/{part(window)}/cases/{part(local_case_no)}/decide", request)
        return self.parse(CaseDone, answer, maybe_done=True)

    async def print_paper(self, window: str, request: PrintPaper) -> PaperPrinted:
        """A paper of a case, at this window's printer or the nearest."""
        answer = await self._ask("POST", f"/windows/{part(window)}/cases/print", request)
        return self.parse(PaperPrinted, answer, maybe_done=True)

    async def places(self, window: str) -> Places:
        """How it stands at other windows and in the queues."""
        return self.parse(Places, await self._ask("GET", f"/windows/{part(window)}/places"))

    async def preview_paper(self, window: str, request: PreviewPaper) -> PaperPreview:
        """The paper that a step would print."""
        return self.parse(PaperPreview, await self._ask("POST", f"/windows/{part(window)}/cases/preview", request))

    async def received_cases(self, window: str) -> ReceivedCases:
        """What was received for this window's queues and waits for 受理."""
        return self.parse(ReceivedCases, await self._ask("GET", f"/windows/{part(window)}/cases/received"))

    async def accept_received(self, window: str, local_case_no: str) -> CaseDone:
        """Accept what was received before."""
        answer = await self._ask("POST", f"/windows/{part(window)}/cases/{part(local_case_no)}/accept")
        return self.parse(CaseDone, answer, maybe_done=True)

    async def refile(self, window: str, request: Refile) -> Done:
        """Filed in the wrong place: take out, and file elsewhere."""
        return await self._at(window, "refile", request)

    async def ask_rating(self, window: str, seen: str) -> Done:
        """Ask whoever is being served for a rating."""
        return await self._at(window, "ask-rating", AboutCurrent(seen=seen))

    async def start_scan(self, window: str, request: StartScan) -> Done:
        """Begin a scan job; its pages arrive in the views."""
        return await self._at(window, "scans", request)

    async def stop_scan(self, window: str, job: str) -> Done:
        """End a running scan after the page that it is at."""
        return await self._at(window, f"scans/{part(job)}/stop", None)

    async def page_jpeg(self, window: str, job: str, page: int) -> bytes:
        """Picture of a page that is not yet filed."""
        return await self._ask("GET", f"/windows/{part(window)}/scans/{part(job)}/pages/{page}")

    async def page_dots(
        self, window: str, job: str, page: int, *, zoom: int, x: int, y: int, width: int, height: int
    ) -> PageDots:  # fmt: skip
        """A part of a page that is not yet filed, in black and white; `x`, `y` in thousandths."""
        query = f"zoom={zoom}&x={x}&y={y}&width={width}&height={height}"
        path = f"/windows/{part(window)}/scans/{part(job)}/pages/{page}/dots?{query}"
        return self.parse(PageDots, await self._ask("GET", path))

    async def file_pages(self, window: str, job: str, request: FilePages) -> Done:
        """File kept pages of a job as one material."""
        return await self._at(window, f"scans/{part(job)}/file", request)

    async def _at(self, window: str, verb: str, request: BaseModel | None) -> Done:
        answer = await self._ask("POST", f"/windows/{part(window)}/{verb}", request)
        return self.parse(Done, answer, maybe_done=True)
