"""What crosses the wire to public screens: the hall board and the page that follows a ticket. Never a person."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from hall_daemon.protocol import Text
from hall_daemon.words import Frozen


class BoardState(StrEnum):
    """Which page the board shows."""

    OPEN = "open"
    LUNCH = "lunch"
    CLOSED = "closed"
    EMERGENCY = "emergency"


class CalledNumber(Frozen):
    """A call as the board shows and speaks it; its sound is `/voice/calls/<event>.wav`."""

    number: str
    window: str
    zone: str
    call_no: int
    at: str
    announcement: Text
    event: int
    """Number of the event, so that a board can tell new calls from known ones."""
    over: bool = False
    """Finished, missed or elsewhere by now: it is shown, and not spoken any more."""


class ZoneBoard(Frozen):
    """A zone on the board."""

    zone: str
    name: Text
    waiting: int
    wait_minutes: int | None = None
    """For who takes a number now, rounded to 5; 0: no wait; None: nobody can say."""
    next: tuple[str, ...] = ()
    """The next two, as far as anybody knows."""


class NextNumber(Frozen):
    """A number in line, on the board of its zone."""

    number: str
    wait_minutes: int | None = None


class BoardView(Frozen):
    """The hall board, complete."""

    hall: Text
    date: Text = Text(zh="")
    clock: str
    day_open: bool
    state: BoardState = BoardState.OPEN
    reopens: Text = Text(zh="")
    """When it goes on, during lunch or when closed; empty where nobody knows."""
    open_windows: tuple[str, ...] = ()
    """Windows that work over lunch."""
    calls: tuple[CalledNumber, ...]
    """Newest first."""
    zones: tuple[ZoneBoard, ...]
    nexts: tuple[NextNumber, ...] = ()
    """The line of a zone, on the board of that zone."""
    missed: tuple[str, ...]
    """A number leaves them after half an hour, or when it is served."""
    notices: tuple[Text, ...] = ()
    exits: str = ""
    """Where the exits are, for an emergency; as the hall wrote it."""
    last_event: int


class SetEmergency(Frozen):
    """People must leave the hall, or may come back."""

    on: bool


class FollowState(StrEnum):
    """What the phone says about a ticket."""

    WAITING = "waiting"
    CALLED = "called"
    SERVING = "serving"
    MISSED = "missed"
    OVER = "over"


class FollowView(Frozen):
    """Answer to GET /t/{code}/view: the ticket's place and call, never who it is or what for."""

    hall: Text
    clock: str
    number: str
    state: FollowState
    ahead: int = 0
    low_minutes: int | None = None
    high_minutes: int | None = None
    """Expected wait, rounded outwards; None: nobody can say."""
    zone: Text
    windows: tuple[str, ...] = ()
    window: str = ""
    """Where it is called to."""
    rating: Literal["", "open", "given"] = ""
    """Once it is over: whether the visit can be rated (评价), or was; never how."""


class RateVisit(Frozen):
    """What a resident thought of the visit, from the phone: 5 非常满意 to 1 非常不满意."""

    level: Annotated[int, Field(strict=True, ge=1, le=5)]
