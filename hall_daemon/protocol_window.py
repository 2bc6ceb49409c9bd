"""Requests of a window beyond the everyday ones: chosen calls, pins, walk-ins, paper pads, colleagues, undoing."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hall_daemon.protocol import AboutCurrent, AboutTicket, Text
from hall_daemon.words import ClerkId, Frozen, Outcome, Priority, TicketNumber, WindowCode

_REASON_CHARS = 200
MOST_PADS = 500


class NotThere(AboutCurrent):
    """Called and did not come; `early` says why before enough calls were made."""

    early: str = Field(default="", max_length=_REASON_CHARS)


class Select(AboutTicket):
    """Call a chosen number; `seen` as with the next one."""

    seen: TicketNumber | None = None
    reason: str = Field(min_length=1, max_length=_REASON_CHARS)


class Pin(AboutTicket):
    """Put a ticket before all others."""

    reason: str = Field(min_length=1, max_length=_REASON_CHARS)


class PutBack(AboutCurrent):
    """The wrong number was called."""

    reason: str = Field(min_length=1, max_length=_REASON_CHARS)


class ToColleague(AboutCurrent):
    """Hand the visit to another window."""

    to_window: WindowCode
    reason: str = Field(default="to_colleague", min_length=1, max_length=40)


class AddItem(AboutCurrent):
    """One more thing for the number."""

    item: str = Field(min_length=1, max_length=64)


class Places(Frozen):
    """How it stands elsewhere, for whoever sends somebody on."""

    windows: dict[str, Literal["closed", "idle", "calling", "serving", "paused"]]
    queues: dict[str, int]
    """How many wait."""


class WalkIn(Frozen):
    """Serve somebody who has no ticket."""

    item: str = Field(min_length=1, max_length=64)
    request_id: str = Field(min_length=8, max_length=64)
    priority: Priority = Priority.NORMAL


class PadLine(Frozen):
    """A line of the sheet: one number of a pad. `at` is the time on it, of this service day."""

    number: TicketNumber
    at: str = Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")
    item: str = Field(default="", max_length=64)
    """Empty: nobody wrote down what for."""
    outcome: Outcome | None = None
    """None: still waiting."""
    window: WindowCode | None = None
    clerk: ClerkId | None = None
    """Where and by whom it was served; without a clerk, whoever keys it in."""


class KeyInPads(Frozen):
    """The whole stack of torn-off numbers after an emergency; may be sent again as it is."""

    pads: tuple[PadLine, ...] = Field(min_length=1, max_length=MOST_PADS)


class PadKeyed(Frozen):
    """What became of a line; `text` says why it was refused."""

    number: str
    state: Literal["keyed", "known", "refused"]
    text: Text | None = None


class PadsKeyed(Frozen):
    """Answer to a stack, line by line."""

    event: int
    pads: tuple[PadKeyed, ...]


class PageDots(Frozen):
    """A part of a scanned page in black and white, for a screen that can draw no picture."""

    rows: tuple[str, ...]
    """From the top; each row's dots as a hexadecimal number, the leftmost the highest bit."""


class KeyInPad(Frozen):
    """A number from an emergency pad; `at_ms` the time on it, milliseconds since 1970; no outcome: still waiting."""

    number: TicketNumber
    at_ms: int = Field(ge=0, lt=1 << 53)
    item: str = Field(min_length=1, max_length=64)
    outcome: Outcome | None = None
