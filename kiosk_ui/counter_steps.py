"""Requests of the counter screen by name, and what there is to choose from; nothing is sent until awaited."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from hall_daemon.client import HallClient, RequestRefused
from hall_daemon.protocol import (
    Cancel,
    Done,
    FilePages,
    Finish,
    HallMap,
    Park,
    ParkedTicket,
    Serve,
    StartScan,
    Transfer,
    WaitingTicket,
)
from hall_daemon.protocol_cases import (
    CaseDone,
    CaseView,
    DecideCase,
    HandIn,
    PreviewPaper,
    PrintPaper,
    Refile,
    ReturnCase,
    TakenPaper,
)  # fmt: skip
from hall_daemon.protocol_clerks import CallFor, PauseWindow, TakeNote, Tick
from hall_daemon.protocol_window import AddItem, Pin, Places, PutBack, Select, ToColleague, WalkIn
from hall_daemon.words import (
    CancelReason,
    ClerkId,
    Hold,
    MessageTo,
    Outcome,
    ParkReason,
    PauseReason,
    TicketNumber,
    WindowCode,
)
from kiosk_ui.counter_dialogs import Candidate
from kiosk_ui.counter_view import minutes, say
from kiosk_ui.theme import Pen


class NotPrinted(Exception):
    """A paper did not come out; the sentence says what stands and what to do."""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What is to be said of a step that was done, where its name does not say it."""

    sentence: str


@dataclass(frozen=True, kw_only=True)
class Step:
    """One request: its name in the texts, the number that it is about, and how to send it."""

    verb: str
    number: str
    send: Callable[[], Awaitable[Done | Told]]


@dataclass(frozen=True, kw_only=True)
class Steps:
    """The requests of one window; `number` is always what the clerk sees."""

    client: HallClient
    window: str

    def sign_in(self, clerk: str, pin: str, *, take_over: bool) -> Step:
        """Take the window."""
        send = partial(self.client.sign_in, self.window, clerk, pin, take_over=take_over)
        return Step(verb="sign_in", number="", send=send)

    def here(self) -> Step:
        """Somebody is at the screen."""
        return Step(verb="here", number="", send=partial(self.client.here, self.window))

    def sign_out(self) -> Step:
        """Leave the window."""
        return Step(verb="sign_out", number="", send=partial(self.client.sign_out, self.window))

    def call_next(self, seen: str | None) -> Step:
        """Call whoever is next; finishes who is being served."""
        return Step(verb="next", number="", send=partial(self.client.call_next, self.window, seen))

    def recall(self, number: str) -> Step:
        """Call again."""
        return Step(verb="recall", number=number, send=partial(self.client.recall, self.window, number))

    def serve(self, number: str) -> Step:
        """The resident is here."""
        return Step(verb="serve", number=number, send=partial(self.client.serve, self.window, Serve(seen=number)))

    def no_show(self, number: str, early: str = "") -> Step:
        """Called and did not come; `early` says why before enough calls were made."""
        return Step(verb="no_show", number=number, send=partial(self.client.no_show, self.window, number, early))

    def park(self, number: str, reason: str, hold: str = Hold.HERE, stage: str = "") -> Step:
        """Interrupt; `stage` is the step that must come back first."""
        request = Park(seen=number, reason=ParkReason(reason), hold=Hold(hold), stage=stage)
        return Step(verb="park", number=number, send=partial(self.client.park, self.window, request))

    def finish(self, number: str, outcome: str, made: Sequence[str] = ()) -> Step:
        """The resident leaves; `made` are the cases whose step goes before, filled while the steps are sent."""

        async def send() -> Done:
            request = Finish(seen=number, outcome=Outcome(outcome), cases=tuple(made))
            return await self.client.finish(self.window, request)

        return Step(verb="finish", number=number, send=send)

    def transfer(self, number: str, target: str) -> Step:
        """To a target of `transfer_targets`."""
        kind, _, code = target.partition(":")
        request = Transfer.model_validate({"seen": number, f"to_{kind}": code})
        return Step(verb="transfer", number=number, send=partial(self.client.transfer, self.window, request))

    def resume(self, number: str) -> Step:
        """Take up again what is parked."""
        return Step(verb="resume", number=number, send=partial(self.client.resume, self.window, number))

    def requeue(self, number: str) -> Step:
        """Back in line."""
        return Step(verb="requeue", number=number, send=partial(self.client.requeue, self.window, number))

    def cancel(self, number: str, reason: str) -> Step:
        """Give up a number."""
        request = Cancel(ticket=number, reason=CancelReason(reason))
        return Step(verb="cancel", number=number, send=partial(self.client.cancel, self.window, request))

    def undo(self, *, papers: bool = False) -> Step:
        """Take back the last call, no-show or finish; `papers`: what was printed for it is void."""
        verb = "undo_papers" if papers else "undo"
        return Step(verb=verb, number="", send=partial(self.client.undo, self.window))

    def select(self, number: str, seen: str | None, reason: str) -> Step:
        """Call a chosen number."""
        request = Select(ticket=number, seen=seen, reason=reason)
        return Step(verb="select", number=number, send=partial(self.client.select, self.window, request))

    def pin(self, number: str, reason: str) -> Step:
        """Put a ticket before all others."""
        request = Pin(ticket=number, reason=reason)
        return Step(verb="pin", number=number, send=partial(self.client.pin, self.window, request))

    def unpin(self, number: str) -> Step:
        """Back to its own place."""
        return Step(verb="unpin", number=number, send=partial(self.client.unpin, self.window, number))

    def put_back(self, number: str, reason: str) -> Step:
        """The wrong number was called."""
        request = PutBack(seen=number, reason=reason)
        return Step(verb="put_back", number=number, send=partial(self.client.put_back, self.window, request))

    def stage_back(self, number: str) -> Step:
        """The step that a parked ticket waited for has come back."""
        return Step(verb="stage_back", number=number, send=partial(self.client.stage_back, self.window, number))

    def add_item(self, number: str, item: str) -> Step:
        """One more thing for the number."""
        request = AddItem(seen=number, item=item)
        return Step(verb="add_item", number=number, send=partial(self.client.add_item, self.window, request))

    def to_colleague(self, number: str, window: str) -> Step:
        """Hand the visit to another window."""
        request = ToColleague(seen=number, to_window=window)
        return Step(verb="to_colleague", number=number, send=partial(self.client.to_colleague, self.window, request))

    def walk_in(self, item: str, request_id: str) -> Step:
        """Serve somebody who has no ticket."""
        request = WalkIn(item=item, request_id=request_id)
        return Step(verb="walk_in", number="", send=partial(self.client.walk_in, self.window, request))

    def pause(self, reason: str, minutes: int) -> Step:
        """Begin 暂停服务."""
        request = PauseWindow(reason=PauseReason(reason), minutes=minutes)
        return Step(verb="pause", number="", send=partial(self.client.pause, self.window, request))

    def go_on(self) -> Step:
        """End 暂停服务."""
        return Step(verb="go_on", number="", send=partial(self.client.go_on, self.window))

    def note(self, number: str, words: str) -> Step:
        """Words about the ticket."""
        request = TakeNote(seen=number, words=words)
        return Step(verb="note", number=number, send=partial(self.client.note, self.window, request))

    def tick(self, number: str, materials: tuple[str, ...], *, on: bool) -> Step:
        """Papers seen, or not after all."""
        request = Tick(seen=number, materials=materials, on=on)
        return Step(verb="tick", number=number, send=partial(self.client.tick, self.window, request))

    def call_for(self, whom: str) -> Step:
        """Call somebody to the window."""
        request = CallFor(to=MessageTo(whom))
        return Step(verb="call_for", number="", send=partial(self.client.call_for, self.window, request))

    def read_message(self, message: str) -> Step:
        """The clerk has read it."""
        return Step(verb="read_message", number="", send=partial(self.client.read_message, self.window, message))

    def ask_rating(self, number: str) -> Step:
        """Ask whoever is being served for a rating."""
        return Step(verb="ask_rating", number=number, send=partial(self.client.ask_rating, self.window, number))

    # ---- cases: the deed, then its paper; what was seen and scanned the daemon knows

    def notice(
        self, number: str, item: str, judged: Mapping[str, TakenPaper], made: list[str] | None = None
    ) -> tuple[Step, Step]:
        """One notice of everything that is missing or, as `judged`, does not do."""
        request = HandIn(seen=number, item=item, papers=tuple(judged.values()))
        return self._with_paper("notice", number, partial(self.client.give_notice, self.window, request), made)

    def preview(self, number: str, item: str, paper: str, judged: Mapping[str, TakenPaper]) -> PreviewPaper:
        """What to ask for before a paper is printed."""
        return PreviewPaper.model_validate(
            {"seen": number, "item": item, "papers": (*judged.values(),), "paper": paper}
        )

    def accept(
        self, number: str, item: str, judged: Mapping[str, TakenPaper], made: list[str] | None = None
    ) -> tuple[Step, Step]:
        """受理."""
        request = HandIn(seen=number, item=item, papers=tuple(judged.values()))
        return self._with_paper("accept", number, partial(self.client.accept_case, self.window, request), made)

    def accept_received(self, number: str, local_case_no: str) -> tuple[Step, Step]:
        """受理 of what was received before."""
        ask = partial(self.client.accept_received, self.window, local_case_no)
        return self._with_paper("accept", number, ask)

    def receive(self, number: str, item: str, judged: Mapping[str, TakenPaper]) -> tuple[Step, Step]:
        """收件, against a receipt."""
        request = HandIn(seen=number, item=item, papers=tuple(judged.values()))
        return self._with_paper("receive", number, partial(self.client.receive_case, self.window, request))

    def refuse(
        self, number: str, case: CaseView, reason: str, words: str, made: list[str] | None = None
    ) -> tuple[Step, Step]:
        """不予受理, with the reason in words."""
        request = ReturnCase.model_validate(
            {
                "seen": number, "item": case.item, "local_case_no": case.local_case_no or None, "reason": reason,
                "reason_text": words,
            }
        )  # fmt: skip
        return self._with_paper("refuse", number, partial(self.client.return_case, self.window, request), made)

    def decide(self, number: str, local_case_no: str) -> Step:
        """办结: granted."""
        request = DecideCase(result="granted")

        async def send() -> Done:
            done = await self.client.decide_case(self.window, local_case_no, request)
            return Done(event=done.event)

        return Step(verb="decide", number=number, send=send)

    def print_again(self, number: str, case: CaseView) -> Step:
        """The last paper of a case once more."""
        last = case.notices[-1].notice_no if case.notices else ""
        request = PrintPaper(notice_no=last, local_case_no=None if last else case.local_case_no, again=True)
        name = last or say("paper.receipt")
        return Step(verb="print_paper", number=number, send=partial(self._print, request, name))

    def refile(self, number: str, request: Refile) -> Step:
        """Pages were filed in the wrong place."""
        return Step(verb="refile", number=number, send=partial(self.client.refile, self.window, request))

    def _with_paper(
        self, verb: str, number: str, ask: Callable[[], Awaitable[CaseDone]], made: list[str] | None = None
    ) -> tuple[Step, Step]:
        """A deed and its paper; `made` learns the number of the case."""
        given: list[CaseDone] = []

        async def deed() -> Done:
            given.append(await ask())
            if made is not None:
                made.append(given[0].local_case_no)
            return Done(event=given[0].event, number=given[0].notice_no or number)

        async def paper() -> Done | Told:
            done = given[0]
            if done.notice_no:
                return await self._print(PrintPaper(notice_no=done.notice_no), done.notice_no)
            if done.state == "received":
                return await self._print(PrintPaper(local_case_no=done.local_case_no), say("paper.receipt"))
            return Told(sentence=say("paper.none", number=number))

        return (
            Step(verb=verb, number=number, send=deed),
            Step(verb="print_paper", number=number, send=paper),
        )

    async def _print(self, request: PrintPaper, name: str) -> Told:
        """Raises NotPrinted: the notice stands."""
        try:
            printed = await self.client.print_paper(self.window, request)
        except RequestRefused as exc:
            raise NotPrinted(f"{name} {exc.text.zh}") from exc
        if printed.result != "ok":
            raise NotPrinted(say(f"paper.{printed.result}", name=name))
        return Told(sentence=f"{name} {printed.place.zh}")

    def scan(self, number: str, source: str, at: str = "") -> Step:
        """Begin a scan job; `source` is platen, feeder, duplex or fine, or resume: go on with the one that is there.

        `at` is the window whose scanner is used instead.
        """
        bed: Literal["platen", "feeder"] = "feeder" if source in {"feeder", "duplex"} else "platen"
        request = StartScan(
            ticket=number, source=bed, dpi=300 if source == "fine" else 200, duplex=source == "duplex",
            resume=source == "resume", at=at or None,
        )  # fmt: skip
        return Step(verb="scan", number=number, send=partial(self.client.start_scan, self.window, request))

    def stop_scan(self, number: str, job: str) -> Step:
        """End a scan job that is running."""
        return Step(verb="stop_scan", number=number, send=partial(self.client.stop_scan, self.window, job))

    def file(self, number: str, job: str, request: FilePages) -> Step:
        """File pages as one material."""
        return Step(verb="file", number=number, send=partial(self.client.file_pages, self.window, job, request))


def transfer_targets(hall: HallMap, window: str, queue: str) -> list[Candidate]:
    """Other windows, those with the same queue first; then queues, then zones."""
    zones = {zone.code: zone.name.zh for zone in hall.zones}
    names = {place.code: place.name.zh for place in hall.queues}
    others = [place for place in hall.windows if place.code != window]
    targets = [
        Candidate(
            value=f"window:{place.code}",
            code=place.code,
            label=f"{say('window', window=place.code)}  {zones.get(place.zone, place.zone)}  "
            + " ".join(f"{code} {names.get(code, '')}".strip() for code in place.queues),
        )
        for place in sorted(others, key=lambda place: queue not in place.queues)
    ]
    targets += [
        Candidate(
            value=f"queue:{place.code}", code=place.code, label=f"{say('transfer.queue')} {place.code}  {place.name.zh}"
        )
        for place in hall.queues
        if place.code != queue
    ]
    return targets + [
        Candidate(
            value=f"zone:{zone.code}", code=zone.code, label=f"{say('transfer.zone')} {zone.code}  {zone.name.zh}"
        )
        for zone in hall.zones
    ]


def how_it_stands(places: Places) -> dict[str, str]:
    """What is said beside a target of `transfer_targets`."""
    windows = {f"window:{code}": say(f"place.{state}") for code, state in places.windows.items()}
    return windows | {f"queue:{code}": say("people", n=waiting) for code, waiting in places.queues.items()}


def colleagues(hall: HallMap, window: str, queue: str) -> list[Candidate]:
    """Other windows, those with the same queue first."""
    return [c for c in transfer_targets(hall, window, queue) if c.value.startswith("window:")]


def scanners_beside(hall: HallMap, window: str) -> list[str]:
    """Windows of the same zone that have a scanner, the nearest first."""
    zone = next((place.zone for place in hall.windows if place.code == window), "")
    order = [place.code for place in hall.windows]
    others = [p.code for p in hall.windows if p.code != window and p.zone == zone and p.scanner]
    return sorted(others, key=lambda code: abs(order.index(code) - order.index(window)))


def items_of(hall: HallMap, window: str) -> list[Candidate]:
    """What a window may serve somebody for who has no ticket."""
    queues = next((place.queues for place in hall.windows if place.code == window), ())
    return [
        Candidate(value=item.code, code=str(n), label=f"{item.queue}  {item.name.zh}")
        for n, item in enumerate((i for i in hall.items if i.queue in queues), 1)
    ]


def in_line(tickets: Iterable[WaitingTicket], pen: Pen) -> list[Candidate]:
    """Waiting or missed tickets to pick from."""
    return [
        Candidate(value=t.number, code=t.number, label=f"{t.number}  {pen.fit(t.item, 30)}  {minutes(t.waited_s):>6}")
        for t in tickets
    ]


def parked(tickets: Iterable[ParkedTicket], pen: Pen) -> list[Candidate]:
    """Parked tickets to pick from."""
    return [
        Candidate(
            value=t.number, code=t.number, label=f"{t.number}  {pen.fit(t.item, 30)}  {say(f'reason.{t.reason}')}"
        )
        for t in tickets
    ]


def is_clerk(words: str) -> bool:
    """Whether this can be a clerk's number."""
    return _fits(TypeAdapter(ClerkId), words)


def is_window(words: str) -> bool:
    """Whether this can be a window's number."""
    return _fits(TypeAdapter(WindowCode), words)


def is_ticket(words: str) -> bool:
    """Whether this can be a number."""
    return _fits(TypeAdapter(TicketNumber), words)


def is_personal(words: str) -> bool:
    """Whether there is what looks like an ID number or a phone in it, which the daemon refuses."""
    return re.search(r"\d{11}", words) is not None


def _fits(shape: TypeAdapter[str], words: str) -> bool:
    try:
        shape.validate_python(words)
    except ValidationError:
        return False
    return True
