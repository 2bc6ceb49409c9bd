"""What other rooms see of tickets: orders, infos, the snapshot that screens are computed from, and refusals.

HallError(code)    IllegalStep, MustFinishFirst, MustDecideCall, NothingWaiting, ScreenOutOfDate, NotFound,
                   AlreadyWaiting, NoWindow, HallClosed, DayIsOpen, DayIsOver, ItemSuspended, NoMoreNumbers,
                   NotSignedIn, WindowTaken, RecallFirst, TooEarly, NumberExists, NotAPadNumber, PadNeedsWindow,
                   NothingToUndo, NeedsReason, StillAway
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from drivers.base import IdCard
from hall_daemon.estimates import Estimate
from hall_daemon.profile import Item, Zone
from hall_daemon.protocol import Text
from hall_daemon.queueing import Leg, Moment, Place, Waiting, in_order
from hall_daemon.texts import say, text
from hall_daemon.words import Channel, Hold, Lane, Outcome, ParkReason, PauseReason, Priority, SlipState, TicketState


class HallError(Exception):
    """A verb was refused; nothing changed. `code` names the sentence that a person reads."""

    code = "illegal_step"

    def __init__(self, **facts: object) -> None:
        self.facts = facts
        super().__init__(f"{self.code} {facts}")

    @property
    def sentence(self) -> Text:
        """What a person reads."""
        return say(f"hall.{self.code}", **self.facts)


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


class NotHeld(HallError):
    """That catalogue waits for nobody's approval."""

    code = "not_held"


class NotNow(HallClosed):
    """The day is open, but no numbers are given at this hour."""

    code = "not_now"


class Draining(HallClosed):
    """No more numbers today: those who wait are still served."""

    code = "draining"


class Halted(HallClosed):
    """An emergency: nobody is called and no numbers are given; the numbers that are out stay valid for a while."""

    code = "halted"


class PowerFailing(HallError):
    """The hall runs on its UPS: nobody is called any more, everybody keeps their place."""

    code = "power_failing"


class TooLate(HallError):
    """Who came now would not be served before the hall closes."""

    code = "too_late"


class CapReached(HallError):
    """Today's numbers for an item or a queue are all given."""

    code = "cap_reached"


class PersonCapReached(HallError):
    """This person has had as many numbers of the queue as one may have in a day."""

    code = "person_cap_reached"


class ConfirmClose(HallError):
    """People are still there: closing needs a person who has seen how many."""

    code = "confirm_close"


class NoMoreNumbers(HallError):
    """The series has reached 9999."""

    code = "no_more_numbers"


class NotSignedIn(HallError):
    """Nobody is signed in at the window."""

    code = "not_signed_in"


class WindowTaken(HallError):
    """Somebody else is signed in at the window."""

    code = "window_taken"


class WindowPaused(HallError):
    """The window is in 暂停服务; nobody is called to it."""

    code = "window_paused"


@dataclass(frozen=True, kw_only=True)
class Pause:
    """A window in 暂停服务 since then; `until_ms` is 0 where nothing was said."""

    reason: PauseReason
    since_ms: int
    until_ms: int


class RecallFirst(HallError):
    """Too few calls for a no-show: `calls` made, `needed`, and seconds until the next one counts."""

    code = "recall_first"

    @property
    def sentence(self) -> Text:
        return text("hall.recall_now" if not self.facts["left_s"] else "hall.recall_first", **self.facts)


class TooEarly(HallError):
    """An appointment may not check in yet."""

    code = "too_early"


class NumberExists(HallError):
    """A pad number that was keyed in already."""

    code = "number_exists"


class PadNeedsWindow(HallError):
    """A number that was served on paper was served somewhere."""

    code = "pad_needs_window"


class NotAPadNumber(HallError):
    """No number of an emergency pad of this hall."""

    code = "not_a_pad_number"


class NothingToUndo(HallError):
    """Nothing was done at the window a moment ago that can be taken back."""

    code = "nothing_to_undo"


class NeedsReason(HallError):
    """This is done with a reason only."""

    code = "needs_reason"


class StillAway(HallError):
    """A parked ticket waits for another step that has not come back."""

    code = "still_away"


@dataclass(frozen=True, kw_only=True)
class Slot:
    """An appointment that checks in; times in milliseconds since 1970."""

    appointment_id: str
    start_ms: int
    end_ms: int


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
    typed_type: str = "111"
    """Kind of the document whose number was typed (GA/T 2000.156)."""
    behalf: str = ""
    """ID number of the person for whom the one with the card has come; the number is theirs."""
    phone: str = ""
    printed_required: bool = True
    priority: Priority = Priority.NORMAL
    expected_s: int | None = None
    """What the resident was told to expect; the hall fills it in."""
    more_items: tuple[str, ...] = ()
    """Other things that the same number is for."""
    slot: Slot | None = None
    """The appointment that this number checks in."""
    clerk: str = ""
    """Who takes the number for somebody, if staff does."""
    again_reason: str = ""
    """Why staff gives a second number in the same queue to a person who has one."""
    notice_no: str = ""
    """The notice whose papers are brought now: green lane, and to whoever gave it while they sit at their window."""


@dataclass(frozen=True, kw_only=True)
class PadSlip:
    """A number from an emergency paper pad, keyed in later; `outcome` None: still waiting."""

    number: str
    at_ms: int
    item: str = ""
    """Empty: nobody wrote down what for; it stands for the queue of the pad."""
    outcome: Outcome | None = None
    window: str = ""
    clerk: str = ""
    """Where and by whom it was served on paper."""


class PadState(StrEnum):
    """What became of a slip that was keyed in."""

    KEYED = "keyed"
    KNOWN = "known"
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class PadAnswer:
    """A slip that was keyed in, one that was there already, or why not."""

    number: str
    state: PadState
    why: Text | None = None


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
    wait: Estimate | None = None
    """Expected wait; None where nobody can say."""
    late: bool = False
    """An appointment came after its grace: the number is an ordinary one."""
    priority: Priority = Priority.NORMAL
    """As the hall has decided it, by what was asked for, age and appointment."""


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
    lane: Lane = Lane.NORMAL
    arrived_ms: int = 0
    callable_ms: int | None = None
    slot_start_ms: int | None = None
    pinned_ms: int | None = None
    also: tuple[Leg, ...] = ()
    """Other queues that may call it as well."""
    item_code: str = ""
    first_clerk: str | None = None
    stage: str | None = None
    counted_calls: int = 0
    counted_ms: int | None = None
    stint_ms: int | None = None
    worked_ms: int = 0

    @cached_property
    def in_line(self) -> Waiting:
        """The same as the choice sees it, while somebody sits at its window; made once, for snapshots hand it on."""
        return Waiting(
            ticket_id=self.ticket_id, queue=self.queue, arrival_ms=self.arrival_ms, waited_s=0,
            for_window=self.for_window, number=self.number, item=self.item_code, also=self.also, lane=self.lane,
            arrived_ms=self.arrived_ms, callable_ms=self.callable_ms, slot_start_ms=self.slot_start_ms,
            pinned_ms=self.pinned_ms, no_shows=self.no_shows,
        )  # fmt: skip


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
    poor: dict[str, frozenset[str]] = field(default_factory=dict)
    """Ticket id → codes of those whose last pages are hard to read."""
    pauses: dict[str, Pause] = field(default_factory=dict)
    """Windows in 暂停服务."""
    used_up: frozenset[str] = frozenset()
    """Number series of the day that have come to their last number."""
    jumped: bool = False
    """Whether numbers were skipped today, after an old copy of the database was restored."""
    cancelled_after: frozenset[str] = frozenset()
    """Ids of tickets whose appointment was cancelled at the centre after its check-in here."""

    def at_window(self, window: str) -> TicketInfo | None:
        """The ticket that is called or being served there."""
        return self._at_windows.get(window)

    def waiting(self) -> list[TicketInfo]:
        """In order of virtual arrival."""
        return self._waiting

    def line(self) -> list[Waiting]:
        """The same as the choice sees them."""
        return self._line

    def count_for(self, window: str, queues: tuple[str, ...]) -> int:
        """How many a window with these queues may call."""
        return sum(
            count
            for (place, legs), count in self._alike.items()
            if (place == window if place else any(queue in queues for queue in legs))
        )

    def line_at(self, place: Place, moment: Moment) -> list[TicketInfo]:
        """Those whom a window may call now, first the one that `next` would call."""
        return [self._by_id[c.ticket.ticket_id] for c in in_order(self._line, place, moment)]

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
    def _line(self) -> list[Waiting]:
        return [self._in_line(t) for t in self._waiting]

    @cached_property
    def _by_id(self) -> dict[str, TicketInfo]:
        return {t.ticket_id: t for t in self._waiting}

    @cached_property
    def _alike(self) -> Counter[tuple[str, tuple[str, ...]]]:
        """Who waits for one window, "" for any, and for which queues → how many; ninety windows ask at each change."""
        return Counter(("" if t.for_window is None or t.deserted else t.for_window, t.queues) for t in self._line)

    @cached_property
    def _by_zone(self) -> Counter[str]:
        return Counter(t.zone.code for t in self._waiting)

    def _in_line(self, ticket: TicketInfo) -> Waiting:
        seen = ticket.in_line
        if seen.for_window is None or (seen.for_window in self.sessions and seen.for_window not in self.pauses):
            return seen
        return replace(seen, deserted=True)
