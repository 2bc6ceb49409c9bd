"""Shapes of the people at the windows: signing in, accounts, pauses, notes and messages."""

from __future__ import annotations

from pydantic import Field

from hall_daemon.words import (
    ClerkId,
    Frozen,
    MessageTo,
    PauseReason,
    TicketNumber,
    WindowCode,
)

LONGEST_WORDS = 200
MOST_SKILLS = 500


class SignIn(Frozen):
    """A clerk takes a window; with `take_over` whoever is signed in there leaves."""

    clerk: ClerkId
    pin: str = Field(default="", max_length=12, repr=False)
    take_over: bool = False


class SignedIn(Frozen):
    """Answer to signing in. `session` goes along with every verb, in the header X-Hall-Session."""

    event: int
    session: str = Field(repr=False)


class PersonSignIn(Frozen):
    """Somebody without a window: guide desk, manager, technician."""

    number: ClerkId
    pin: str = Field(default="", max_length=12, repr=False)


class PersonSession(Frozen):
    """Answer: `session` serves as a Bearer token."""

    session: str = Field(repr=False)
    number: str
    name: str
    role: str


class AccountView(Frozen):
    """An account as those see it who look after accounts; nothing about the PIN but whether there is one."""

    number: str
    name: str
    role: str
    has_pin: bool
    locked: bool
    """By a person."""
    locked_s: int = 0
    """For so long yet, after wrong PINs."""
    window: str = ""
    """Where they are signed in."""
    skills: tuple[str, ...] = ()
    """Queues or items that they know; empty: all."""


class NewAccount(Frozen):
    """Somebody new."""

    number: ClerkId
    name: str = Field(min_length=1, max_length=40)
    role: str = "clerk"
    pin: str = Field(default="", max_length=12, repr=False)
    skills: tuple[str, ...] = Field(default=(), max_length=MOST_SKILLS)


class Skills(Frozen):
    """Queues or items that a clerk knows and is given tickets of; empty: all."""

    skills: tuple[str, ...] = Field(max_length=MOST_SKILLS)


class NewPin(Frozen):
    """A new PIN for an account."""

    pin: str = Field(max_length=12, repr=False)


class PauseWindow(Frozen):
    """Begin 暂停服务; `minutes` is what the window display promises, 0 for nothing."""

    reason: PauseReason
    minutes: int = Field(default=0, ge=0, le=480)


class PauseView(Frozen):
    """A window in 暂停服务."""

    reason: PauseReason
    since: str
    """RFC 3339."""
    back: str = ""
    """Hall time HH:MM when it is to go on; empty where nothing was said."""


class TakeNote(Frozen):
    """Words about the ticket at the window, for whoever serves it next."""

    seen: TicketNumber
    words: str = Field(min_length=1, max_length=LONGEST_WORDS)


class Tick(Frozen):
    """Papers of the ticket at the window that the clerk has seen, or has not after all."""

    seen: TicketNumber
    materials: tuple[str, ...] = Field(min_length=1, max_length=60)
    on: bool = True


class DeviceLamp(Frozen):
    """A device of a window as its clerk sees it."""

    kind: str
    """scanner, printer, display, caller, evaluator."""
    well: bool
    off: bool = False
    """Taken out of use on purpose."""
    paper_low: bool = False


class NoteView(Frozen):
    """A note."""

    clerk: str
    at: str
    """Hall time HH:MM."""
    words: str


class CallFor(Frozen):
    """A window calls somebody."""

    to: MessageTo
    words: str = Field(default="", max_length=LONGEST_WORDS)


class SendMessage(Frozen):
    """Words to a window, or to all (`window` empty)."""

    window: WindowCode | None = None
    words: str = Field(min_length=1, max_length=LONGEST_WORDS)


class MessageView(Frozen):
    """A message as its sender and whoever it is for see it."""

    message: str
    """Its id."""
    at: str
    """Hall time HH:MM."""
    sender: str
    """Name or window, as people say it."""
    to: str
    words: str
    mine: bool = False
    """This window sent it."""
    acknowledged: str = ""
    """By whom, empty until then."""


class Messages(Frozen):
    """What waits for the guide desk, the manager and the technicians; one line of the stream /messages/views."""

    messages: tuple[MessageView, ...]
