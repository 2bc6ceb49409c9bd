"""Requests of the counter screen by name, and what there is to choose from; nothing is sent until awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from pydantic import TypeAdapter, ValidationError

from hall_daemon.client import HallClient
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
from hall_daemon.words import CancelReason, ClerkId, Outcome, ParkReason, WindowCode
from kiosk_ui.counter_dialogs import Candidate
from kiosk_ui.counter_view import minutes, say
from kiosk_ui.theme import Pen


@dataclass(frozen=True, kw_only=True)
class Step:
    """One request: its name in the texts, the number that it is about, and how to send it."""

    verb: str
    number: str
    send: Callable[[], Awaitable[Done]]


@dataclass(frozen=True, kw_only=True)
class Steps:
    """The requests of one window; `number` is always what the clerk sees."""

    client: HallClient
    window: str

    def sign_in(self, clerk: str) -> Step:
        """Take the window."""
        return Step(verb="sign_in", number="", send=partial(self.client.sign_in, self.window, clerk))

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

    def no_show(self, number: str) -> Step:
        """Called and did not come."""
        return Step(verb="no_show", number=number, send=partial(self.client.no_show, self.window, number))

    def park(self, number: str, reason: str) -> Step:
        """Interrupt."""
        request = Park(seen=number, reason=ParkReason(reason))
        return Step(verb="park", number=number, send=partial(self.client.park, self.window, request))

    def finish(self, number: str, outcome: str) -> Step:
        """The resident leaves."""
        request = Finish(seen=number, outcome=Outcome(outcome))
        return Step(verb="finish", number=number, send=partial(self.client.finish, self.window, request))

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

    def scan(self, number: str, source: str) -> Step:
        """Begin a scan job; `source` is platen, feeder, duplex or fine, or resume: go on with the one that is there."""
        bed: Literal["platen", "feeder"] = "feeder" if source in {"feeder", "duplex"} else "platen"
        request = StartScan(
            ticket=number, source=bed, dpi=300 if source == "fine" else 200, duplex=source == "duplex",
            resume=source == "resume",
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


def clerks_of(hall: HallMap | None) -> list[Candidate]:
    """Who may sign in."""
    clerks = hall.clerks if hall else ()
    return [Candidate(value=c.clerk, code=c.clerk, label=f"{c.clerk}  {c.name}") for c in clerks]


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


def _fits(shape: TypeAdapter[str], words: str) -> bool:
    try:
        shape.validate_python(words)
    except ValidationError:
        return False
    return True
