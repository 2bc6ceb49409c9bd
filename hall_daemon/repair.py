"""Guided repair: what is the cause, what helps, which step comes now. Pure; knows sentences and sensors, no devices.

A step is confirmed by what the device itself reports after the trouble began, not by a tick. Where no sensor can see
it, or the sensor is what is broken, a person confirms by hand. A later step that is confirmed confirms those before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from drivers.base import Condition
from hall_daemon.incidents import DISABLED, DOUBLE, OFFLINE, name_of
from hall_daemon.protocol import Text
from hall_daemon.protocol_technician import Repair, RepairStep
from hall_daemon.texts import TEXTS, text


class Proof(Enum):
    """What confirms a step."""

    OPENED = "opened"
    GONE = "gone"
    ONLINE = "online"
    TESTED = "tested"
    HAND = "hand"


@dataclass(frozen=True, kw_only=True)
class Guide:
    """Steps against one trouble."""

    minutes: int
    tools: str
    steps: tuple[tuple[str, Proof], ...]


_TEST = ("test", Proof.TESTED)
_GONE = ("gone", Proof.GONE)
_ROLL = Guide(
    minutes=2, tools="paper", steps=(("open_cover", Proof.OPENED), ("new_roll", Proof.GONE), _TEST)
)  # fmt: skip
_LINK = Guide(
    minutes=5, tools="key",
    steps=(("power", Proof.HAND), ("cable", Proof.HAND), ("setting", Proof.HAND), ("online", Proof.ONLINE), _TEST),
)  # fmt: skip
_GUIDES: dict[str, Guide] = {
    Condition.PAPER_OUT: _ROLL,
    Condition.PAPER_LOW: _ROLL,
    Condition.COVER_OPEN: Guide(minutes=1, tools="key", steps=(("close_cover", Proof.GONE), _TEST)),
    Condition.PAPER_JAM: Guide(
        minutes=3, tools="scissors", steps=(("take_jam", Proof.OPENED), ("close_again", Proof.GONE), _TEST)
    ),
    Condition.CUTTER_ERROR: Guide(
        minutes=4, tools="key", steps=(("power_cycle", Proof.HAND), ("cutter", Proof.HAND), _GONE, _TEST)
    ),
    Condition.HEAD_HOT: Guide(minutes=5, tools="none", steps=(("cool", Proof.GONE), _TEST)),
    Condition.DEVICE_FAULT: Guide(minutes=3, tools="key", steps=(("power_cycle", Proof.HAND), _GONE, _TEST)),
    Condition.SWITCHED_OFFLINE: Guide(minutes=1, tools="none", steps=(("panel", Proof.GONE), _TEST)),
    Condition.FEEDER_JAM: Guide(minutes=2, tools="none", steps=(("feeder", Proof.HAND), _GONE, _TEST)),
    Condition.DOUBLE_FEED: Guide(minutes=2, tools="none", steps=(("feeder", Proof.HAND), _GONE, _TEST)),
    Condition.KEYS_STUCK: Guide(minutes=2, tools="cloth", steps=(("clean", Proof.HAND), _GONE, _TEST)),
    Condition.SILENCED: Guide(minutes=1, tools="none", steps=(("volume", Proof.GONE), _TEST)),
    Condition.LENS_DARK: Guide(minutes=1, tools="none", steps=(("lens", Proof.GONE), _TEST)),
    OFFLINE: _LINK,
    DOUBLE: Guide(minutes=10, tools="key", steps=(("same", Proof.HAND), ("online", Proof.ONLINE), _TEST)),
    DISABLED: Guide(minutes=1, tools="none", steps=(("enable", Proof.GONE), _TEST)),
}
_OTHERWISE = Guide(minutes=3, tools="none", steps=(_GONE, _TEST))


@dataclass(kw_only=True)
class Mending:
    """How far the repair of one device has come since its trouble began."""

    what: str
    opened: bool = False
    """The cover was seen open."""
    gone: bool = False
    """The trouble does not show any more, and nothing else blocks."""
    online: bool = False
    tested: bool = False
    by_hand: int = 0
    """So many steps were confirmed by a person."""

    def steps_done(self) -> int:
        """How many steps are confirmed: up to the last one that is."""
        proofs = {
            Proof.OPENED: self.opened,
            Proof.GONE: self.gone,
            Proof.ONLINE: self.online and self.gone,
            Proof.TESTED: self.tested and self.gone,
            Proof.HAND: False,
        }
        confirmed = [n for n, (_, proof) in enumerate(guide_for(self.what).steps, 1) if proofs[proof]]
        return max([self.by_hand, *confirmed])

    @property
    def over(self) -> bool:
        """Whether every step is confirmed."""
        return self.steps_done() >= len(guide_for(self.what).steps)


def guide_for(what: str) -> Guide:
    """The steps against a trouble."""
    return _GUIDES.get(what, _OTHERWISE)


def repair_view(mending: Mending) -> Repair:
    """The repair as a screen shows it."""
    guide, done = guide_for(mending.what), mending.steps_done()
    steps = []
    for number, (code, proof) in enumerate(guide.steps, 1):
        by_hand = number <= mending.by_hand
        steps.append(RepairStep(
            text=text(f"step.{code}"),
            state="done" if number <= done else "now" if number == done + 1 else "todo",
            proof=text("proof.by_hand" if by_hand else f"proof.{proof.value}"),
            by_hand=by_hand,
        ))  # fmt: skip
    return Repair(
        what=mending.what, title=name_of(mending.what), minutes=guide.minutes,
        tools=text(f"repair.tools.{guide.tools}"), steps=tuple(steps),
    )  # fmt: skip


_BY_PORT = (
    ("pcsc:", "pcsc"), ("http", "network"), ("socket://", "network"), ("rfc2217://", "network"),
    ("usb:", "usb"), ("/dev/usb/", "usb"), ("sane:", "sane"), ("sound:", "sound"),
    ("camera:", "camera"), ("/dev/v4l/", "camera"), ("evdev:", "input"), ("/dev/input/", "input"),
    ("/", "serial"),
)  # fmt: skip
"""How a port begins → where its device hangs; the first that fits counts."""


def _code(what: str, port: str) -> str:
    if what != OFFLINE:
        return what or "none"
    return f"offline_{next((kind for start, kind in _BY_PORT if port.startswith(start)), 'other')}"


def cause(what: str, port: str) -> Text:
    """Why, as far as it can be known; `what` is "" where nothing is wrong."""
    code = f"cause.{_code(what, port)}"
    return text(code if code in TEXTS else "cause.other")


def advice(what: str, port: str) -> Text:
    """What to do about it."""
    code = f"advice.{_code(what, port)}"
    return text(code if code in TEXTS else "advice.other")
