"""What crosses the wire between the daemon and a ticket machine's page: one complete view at a time, keys back.

A page draws a view and keeps nothing of the one before. Nothing in a view is personal beyond masks, and digits that the
resident is just typing.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from hall_daemon.protocol import Text, ZoneLoad
from hall_daemon.words import Frozen


class KioskScreen(StrEnum):
    """Which page the kiosk shows; the names of ux.md §3.2, and a few more of the same kind."""

    IDLE = "idle"
    READING = "reading"
    READFAIL = "readfail"
    NOCARD = "nocard"
    ID = "id"
    PASSPORT = "passport"
    BEHALF = "behalf"
    """The ID number of the person for whom somebody else has come."""
    PHONE = "phone"
    SERVICE = "service"
    ZONES = "zones"
    DEPARTMENTS = "departments"
    LIST = "list"
    PINYIN = "pinyin"
    GUIDE = "guide"
    CONFIRM = "confirm"
    SUSPENDED = "suspended"
    LIMIT = "limit"
    APPOINTMENT = "appointment"
    NOTICE = "notice"
    """Typing the number of a one-time notice."""
    RETURN = "return"
    """The notice was found: back with documents."""
    NUMBER = "number"
    """Typing a ticket number."""
    MISSED = "missed"
    PRINTING = "printing"
    DONE = "done"
    NOPAPER = "nopaper"
    UNSURE = "unsure"
    UNPRINTED = "unprinted"
    CARDLEFT = "cardleft"
    DUPLICATE = "duplicate"
    GIVEUP = "giveup"
    TIMEOUT = "timeout"
    HELP = "help"
    READER = "reader"
    CLOSED = "closed"
    MAINTENANCE = "maintenance"


class KioskMode(StrEnum):
    """How a page is read: the keys of the bar beside help."""

    LARGE = "large"
    CONTRAST = "contrast"
    LOW = "low"
    VOICE = "voice"
    LANGUAGE = "language"


class KioskChoice(Frozen):
    """Something to choose; `key` is the cap drawn beside it and what a touch sends."""

    key: str
    label: Text
    detail: Text = Text(zh="")
    wait: Text = Text(zh="")
    """How long one waits there now, where the detail says something else."""
    zone: str = ""
    suspended: bool = False
    on: bool | None = None
    """Of a mode: whether it is on."""
    matched: tuple[int, int] | None = None
    """First character of the label that what was typed stands for, and how many."""
    letters: str = ""
    """Initials of the label's Chinese, a letter a character, where they are searched."""


class KioskField(Frozen):
    """What has been typed, already masked as far as it must be."""

    shown: str
    typed: int
    length: int


class KioskTicket(Frozen):
    """The number that was taken, and where to go; no name, ID number or phone."""

    number: str
    item: Text
    zone: Text
    windows: str
    waiting_ahead: int
    zone_code: str = ""
    expected: Text = Text(zh="")
    """Range of the expected wait; empty where nobody can say."""
    code: tuple[str, ...] = ()
    """Rows of a QR code to follow it on a phone, # is dark; empty: it is on the slip, or the hall has no such page."""


class KioskModes(Frozen):
    """How this visit is shown; back to the usual after each."""

    large: bool = False
    contrast: bool = False
    low: bool = False
    voice: bool = False


class KioskView(Frozen):
    """One page of a kiosk, complete. The page draws it and sends keys back; touch and keypad are equal."""

    kiosk: str
    revision: int
    """Counts up with each view; a key that was pressed on an older page is ignored."""
    screen: KioskScreen
    hall: Text
    kiosk_name: Text
    clock: str
    """Hall time HH:MM when the view was made."""
    step: int
    """0 none, 1 card, 2 phone, 3 service, 4 check, 5 ticket."""
    title: Text
    line: Text = Text(zh="")
    notices: tuple[Text, ...] = ()
    """What does not work at the moment, and what to do."""
    choices: tuple[KioskChoice, ...] = ()
    page: int = 1
    pages: int = 1
    field: KioskField | None = None
    ticket: KioskTicket | None = None
    facts: tuple[tuple[Text, Text], ...] = ()
    """Label and value, on the check page and in the guide."""
    materials: tuple[Text, ...] = ()
    zones: tuple[ZoneLoad, ...] = ()
    foot: Text = Text(zh="")
    """One small line at the end: purpose of reading the card, hours."""
    code: tuple[str, ...] = ()
    """Rows of a QR code that takes the page along on a phone, # is dark; empty: there is none."""
    keys: tuple[KioskChoice, ...] = ()
    """The navigation keys that mean something now: ok, correct, cancel, help, *, #."""
    bar: tuple[KioskChoice, ...] = ()
    """The modes, each with whether it is on; `key` is a KioskMode."""
    letters: bool = False
    """Digit keys stand for letters: drawn on them."""
    seconds_left: int | None = None
    """Until the page changes by itself, where the resident should know."""
    language: Literal["zh", "en"] = "zh"
    """Which language stands large; back to Chinese after each visit."""
    modes: KioskModes = KioskModes()
    said: tuple[Text, ...] = ()
    """What is said aloud, in turn, in voice mode only: never anything personal, never what is not on the screen."""
    said_about: int = 0
    """How many of these first ones tell what the page is about, and may be a recording; 0 while others come first."""
    again: int = 0
    """Counts up when it is to be said: on a new page, when a key has led to other words, when somebody asked for it."""
    words: dict[str, Text] = Field(default_factory=dict)
    """The frame's own words, the same on every page."""


class KeyPressed(Frozen):
    """A touch or a key of the browser on a kiosk page."""

    key: str = Field(pattern=r"^([0-9*#]|ok|correct|cancel|help|large|contrast|low|voice|language|pick[1-9])$")
    revision: int | None = None
