"""What other rooms see of tickets: orders, infos, the snapshot that screens are computed from, and refusals.

HallError(code)    IllegalStep, MustFinishFirst, MustDecideCall, NothingWaiting, ScreenOutOfDate, NotFound,
                   AlreadyWaiting, NoWindow, HallClosed, DayIsOpen, DayIsOver, ItemSuspended, NoMoreNumbers,
                   NotSignedIn, WindowTaken
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

from drivers.base import IdCard
from hall_daemon.profile import Item, Zone
from hall_daemon.protocol import Text
from hall_daemon.queueing import Waiting, may_call
from hall_daemon.texts import text
from hall_daemon.words import Channel, Hold, ParkReason, Priority, SlipState, TicketState


class HallError(Exception):
    """A verb was refused; nothing changed. `code` names the sentence that a person reads."""

    code = "illegal_step"

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(f"{self.code} {facts}")

    @property
    def sentence(self) -> Text:
        """What a person reads."""
        return text(f"hall.{self.code}", **self.facts)


class IllegalStep(HallError):
    """The ticket is not in a state for this."""

    @property
    def sentence(self) -> Text:
        state = text(f"state.{self.facts['state']}")
        zh = text("hall.illegal_step", number=self.facts["number"], state=state.zh).zh
        return Text(zh=zh, en=text("hall.illegal_step", number=self.facts["number"], state=state.en).en)


class MustFinishFirst(HallError):
    """Another ticket is still being served at the window."""

    code = "must_finish_first"


class MustDecideCall(HallError):
    """The ticket that was called is neither served nor marked no-show."""

    code = "must_decide_call"


class NothingWaiting(HallError):
    """Nobody to call."""

    code = "nothing_waiting"


class ScreenOutOfDate(HallError):
    """The clerk pressed a key on an older picture."""

    code = "screen_out_of_date"


class NotFound(HallError):
    """No such ticket, window, item."""

    code = "not_found"


class AlreadyWaiting(HallError):
    """This person already has a valid number in this queue."""

    code = "already_waiting"


class NoWindow(HallError):
    """No window serves this item."""

    code = "no_window"


class HallClosed(HallError):
    """No service day is open."""

    code = "closed"


class DayIsOpen(HallError):
    """The day that is to be opened is open."""

    code = "day_is_open"


class DayIsOver(HallError):
    """That day, or a later one, has been closed; none goes back."""

    code = "day_is_over"


class ItemSuspended(HallError):
    """The item takes no new tickets."""

    code = "item_suspended"


class NoMoreNumbers(HallError):
    """The series has reached 9999."""

    code = "no_more_numbers"


class NotSignedIn(HallError):
    """Nobody is signed in at the window."""

    code = "not_signed_in"


class WindowTaken(HallError):
    """Somebody else is signed in at the window."""

    code = "window_taken"


@dataclass(frozen=True, kw_only=True)
class IssueOrder:
    """What is wanted when a number is taken; `request_id` makes a repeated order one ticket."""

    item: str
    request_id: str
    channel: Channel
    device_id: str
    kiosk: str = ""
    card: IdCard | None = None
    typed_id: str = ""
    phone: str = ""
    printed_required: bool = True
    priority: Priority = Priority.NORMAL


@dataclass(frozen=True, kw_only=True)
class Issued:
    """A number that stands."""

    ticket_id: str
    number: str
    item: Item
    zone: Zone
    windows: tuple[str, ...]
    waiting_ahead: int
    event: int
    repeated: bool


@dataclass(frozen=True, kw_only=True)
class TicketInfo:
    """A ticket of the current day as screens need it."""

    ticket_id: str
    number: str
    queue: str
    item: Item
    zone: Zone
    windows: tuple[str, ...]
    state: TicketState
    slip: SlipState
    priority: Priority
    kiosk: str
    window: str | None
    for_window: str | None
    clerk: str | None
    call_no: int
    issued_ms: int
    since_ms: int
    arrival_ms: int
    called_ms: int | None
    no_shows: int
    hold: Hold | None
    park_reason: ParkReason | None
    name_masked: str
    id_masked: str
    id_type: str | None = None
    card_expired: bool = False
    waiting_ahead: int = 0


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The open tickets of the day at one event; screens are computed from it."""

    event: int
    bizdate: str
    day_open: bool
    tickets: tuple[TicketInfo, ...]
    sessions: dict[str, str]
    """Window → clerk."""
    filed: dict[str, tuple[str, ...]]
    """Ticket id → material codes."""

    def at_window(self, window: str) -> TicketInfo | None:
        """The ticket that is called or being served there."""
        return self._at_windows.get(window)

    def waiting(self) -> list[TicketInfo]:
        """In order of virtual arrival."""
        return self._waiting

    def waiting_for(self, window: str, queues: tuple[str, ...]) -> list[TicketInfo]:
        """Those whom a window with these queues may call, in order of virtual arrival."""
        return [t for t in self._waiting if may_call(_as_waiting(t), window, queues)]

    def waiting_in_zone(self, zone: str) -> int:
        """How many wait in a zone."""
        return self._by_zone[zone]

    @cached_property
    def _at_windows(self) -> dict[str, TicketInfo]:
        states = (TicketState.CALLED, TicketState.SERVING)
        return {t.window: t for t in self.tickets if t.window is not None and t.state in states}

    @cached_property
    def _waiting(self) -> list[TicketInfo]:
        found = [t for t in self.tickets if t.state is TicketState.WAITING]
        return sorted(found, key=lambda t: (t.arrival_ms, t.ticket_id))

    @cached_property
    def _by_zone(self) -> Counter[str]:
        return Counter(t.zone.code for t in self._waiting)


def _as_waiting(ticket: TicketInfo) -> Waiting:
    return Waiting(
        ticket_id=ticket.ticket_id, queue=ticket.queue, arrival_ms=ticket.arrival_ms, waited_s=0,
        for_window=ticket.for_window,
    )  # fmt: skip
