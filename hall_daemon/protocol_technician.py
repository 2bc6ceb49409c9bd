"""What crosses the wire to a technician's screen and tools: health, incidents, counters, tests, repair, traffic.

Everything a person reads is a sentence in both languages, made by the daemon; screens hold no rule.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from hall_daemon.protocol import DeviceView, Text
from hall_daemon.words import Frozen, PrintReason, PrintResult


class Health(StrEnum):
    """State of one thing, from well to worst; `off` is on purpose, `busy` is not known yet."""

    OK = "ok"
    OFF = "off"
    BUSY = "busy"
    WARN = "warn"
    BAD = "bad"


WORST_LAST = (Health.OK, Health.OFF, Health.BUSY, Health.WARN, Health.BAD)


def worst(healths: tuple[Health, ...]) -> Health:
    """What a group of things is: its worst. Something switched off on purpose does not colour the group."""
    counted = tuple(h for h in healths if h is not Health.OFF) or healths or (Health.OK,)
    return max(counted, key=WORST_LAST.index)


class Incident(Frozen):
    """Something that was wrong with a device for a while."""

    device: str
    what: str
    """"offline", "disabled", or the condition."""
    name: Text
    health: Health
    began: str
    ended: str | None = None
    """None: it still holds."""
    lasted_s: int
    """Until its end, or until now."""
    from_log: bool = False
    """Began before this start of the daemon; taken from the event log."""


class DeviceState(Frozen):
    """A device in the list."""

    view: DeviceView
    health: Health
    state: Text
    """Its worst trouble in a word or two."""


class DeviceGroup(Frozen):
    """Where devices belong: a kiosk, a window, a zone; "" holds those that nothing uses."""

    kind: Literal["kiosk", "window", "zone", "unused"]
    code: str
    name: Text
    devices: tuple[str, ...]
    maintenance: bool = False
    in_use: bool = False
    """A visit is under way."""


class HallState(Frozen):
    """All devices of the hall, complete; a line of GET /devices/views."""

    hall: Text
    started: str
    version: str
    level: Literal["L0", "L1", "L2", "L3"]
    """How far the hall has come down; L4 and L5 are told by whoever misses the daemon."""
    level_text: Text
    devices: tuple[DeviceState, ...]
    groups: tuple[DeviceGroup, ...]
    incidents: tuple[Incident, ...]
    """Newest first: those of today, and those that still hold."""
    province: Text
    to_province: int
    free_mb: int
    """On the disk of the database."""


class Signal(Frozen):
    """One thing that a device tells about itself."""

    name: Text
    health: Health
    value: Text


class HourCount(Frozen):
    """Work of one hour of today."""

    hour: int
    jobs: int = 0
    failures: int = 0


class Counters(Frozen):
    """What a device has done since the daemon started."""

    since: str
    jobs: int
    failures: int
    inputs: int
    """Cards, keys, codes, presses, grades."""
    lost: int
    """How often it went offline."""
    troubles: int
    """Incidents of today."""
    trouble_s: int
    """Seconds of today in which something was wrong."""
    hours: tuple[HourCount, ...]
    """Hours of today in which there was work."""
    answers_ms: tuple[float, ...] = ()
    """Answer times of the last ten minutes, oldest first, where the device tells them."""
    unprinted: int = 0
    """Numbers of today taken here without a good slip."""
    unprinted_waiting: tuple[str, ...] = ()
    """Those of them that still wait: their card at any kiosk prints them again."""


class SelfTestStep(Frozen):
    """One step of a self-test; `busy` while it is under way."""

    name: Text
    health: Health
    note: Text = Text(zh="")


class SelfTest(Frozen):
    """A self-test of a device, under way or over."""

    device: str
    state: Literal["running", "passed", "failed"]
    began: str
    steps: tuple[SelfTestStep, ...]
    prompt: Text = Text(zh="")
    """What a person is asked to do now."""


class RepairStep(Frozen):
    """One step of a guided repair; `proof` says what confirms it."""

    text: Text
    state: Literal["done", "now", "todo"]
    proof: Text
    by_hand: bool = False
    """Confirmed by a person, not by a sensor."""


class Repair(Frozen):
    """How to mend what is wrong now."""

    what: str
    title: Text
    minutes: int
    tools: Text
    steps: tuple[RepairStep, ...]


class DeviceDetail(Frozen):
    """All that is known about one device; a line of GET /devices/{device}/views."""

    device: DeviceState
    place: Text
    effect: Text
    cause: Text
    advice: Text
    signals: tuple[Signal, ...]
    counters: Counters
    incidents: tuple[Incident, ...]
    """Newest first."""
    test: SelfTest | None = None
    repair: Repair | None = None


class DrillChoice(Frozen):
    """A fault that can be rehearsed with a device."""

    what: str
    name: Text
    effect: Text
    """What it means for residents and clerks while it lasts."""


class DrillOffer(Frozen):
    """What can be rehearsed with a device now."""

    device: str
    choices: tuple[DrillChoice, ...]
    needs_manager: bool
    """The hall is open: the public will see it."""
    until: str = ""
    """RFC 3339: when what is rehearsed with this device now ends by itself; empty: nothing is."""


class BeginDrill(Frozen):
    """Rehearse a fault; a manager's number and PIN while the hall is open."""

    what: str = Field(min_length=1, max_length=32)
    seconds: int = Field(default=120, ge=10, le=600)
    manager: str = Field(default="", max_length=32)
    pin: str = Field(default="", max_length=12, repr=False)


class TraceLine(Frozen):
    """Some bytes that passed between the daemon and a device; a line of GET /devices/{device}/trace."""

    at: str
    """RFC 3339."""
    monotonic_ms: int
    direction: Literal[">", "<"]
    """">" towards the device."""
    hex: str
    personal: int = 0
    """How many bytes were left out because they are personal."""
    stand_in: str = ""
    """As many fictitious bytes in hex, for recordings; empty where the driver gives none."""
    meaning: Text
    words: tuple[Text, ...] = ()
    """What each byte says; empty where the driver cannot tell."""
    lost: int = 0
    """Lines that were dropped before this one, because whoever follows was too slow."""


class Maintenance(Frozen):
    """Take a kiosk out of service, or put it back."""

    on: bool


class ByHand(Frozen):
    """A person confirms a step of a repair that no sensor can see; it is logged."""

    step: int


class PrintAgain(Frozen):
    """Print the slip of a number once more, marked as printed again: POST /tickets/{number}/slip."""

    kiosk: str = Field(min_length=1, max_length=16)
    """Whose printer makes it."""


class SlipAgain(Frozen):
    """What became of it; the number stands, whatever that is."""

    number: str
    result: PrintResult
    reason: PrintReason | None = None
