"""One session with a device: what is done with its driver, and what the driver then says.

`<name>.json` beside a recording `<name>.txt` holds the story: steps that do something with the driver, what that gave
(reviewed by a person), and what happened at the device meanwhile (`at_device`, a verb of the twin where it was one).
"""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable
from dataclasses import fields
from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any

from drivers.base import (
    Announcement,
    CallText,
    CardGone,
    CardRead,
    CodeRead,
    DeviceError,
    GradeGiven,
    Identity,
    Refused,
    Slip,
    SlipBarcode,
    SlipQr,
    SlipText,
)  # fmt: skip
from drivers.transport import Traffic, open_link
from hall_daemon.protocol import Text
from hall_daemon.protocol_technician import TraceLine
from sim.replay import ReplayTwin, read_recording
from tests.waiting import until

HERE = Path(__file__).parent
NEWS_LIMIT_S = 6.0
SLIP = Slip(
    parts=(SlipText(text="A017 参保登记", scale=2), SlipQr(data="HTTPS://EXAMPLE.TEST/A017"), SlipBarcode(data="A017"))
)
_MADE: dict[str, Callable[..., Any]] = {  # Any: arguments of several kinds of deeds
    "show": lambda **with_: [CallText(**with_)],
    "speak": lambda **with_: [Announcement(**with_)],
    "print_slip": lambda: [SLIP],
}
Step = dict[str, Any]
"""{"do": deed, "with": {...}, "gives": ...} or {"at_device": verb, "with": [...]}; Any: JSON."""


def recordings() -> list[Path]:
    """All of them."""
    return sorted(HERE.glob("*/*.txt"))


def story_of(recording: Path) -> list[Step]:
    """The steps beside a recording."""
    steps: list[Step] = json.loads(recording.with_suffix(".json").read_text(encoding="utf-8"))
    return steps


def do(driver: Any, step: Step) -> object:
    """Do what a step says; what it gives, as JSON. A poll goes on until there is news. Any: any driver."""
    name, with_ = step["do"], step.get("with", {})
    deed = getattr(driver, name)
    try:
        if name.startswith("poll_"):
            return plain(_news(deed))
        arguments = _MADE[name](**with_) if name in _MADE else []
        return plain(deed(*arguments, **({} if name in _MADE else with_)))
    except Refused as exc:
        return {"refused": exc.condition.value}
    except DeviceError as exc:
        return {"error": type(exc).__name__}


def _news(poll: Callable[[float], object]) -> object:
    until = time.monotonic() + NEWS_LIMIT_S
    while (news := poll(0.1)) is None and time.monotonic() < until:
        pass
    return news


def plain(value: object) -> object:
    """As it stands in JSON, without what is empty."""
    if isinstance(value, CardRead):
        return plain(value.card)
    if isinstance(value, CardGone):
        return "card gone"
    if isinstance(value, GradeGiven):
        return int(value.grade)
    if isinstance(value, frozenset):
        return sorted(plain(one) for one in value)  # type: ignore[type-var]  # enums of strings
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, CodeRead | Identity) or hasattr(value, "__dataclass_fields__"):
        known = {f.name: plain(getattr(value, f.name)) for f in fields(value)}  # type: ignore[arg-type]  # a dataclass
        return {name: one for name, one in known.items() if one not in ("", None, [])}
    return value


def trace_line(traffic: Traffic) -> TraceLine:
    """As the daemon's trace gives it."""
    return TraceLine(
        at="", monotonic_ms=round(time.monotonic() * 1000), direction=traffic.direction, hex=traffic.data.hex(" "),
        personal=traffic.personal, stand_in=traffic.stand_in.hex(" "), meaning=Text(zh="", en=""),
    )  # fmt: skip


def made(driver: str, options: dict[str, Any], port: str) -> Any:  # Any: any driver
    """A driver on a port."""
    driver_type = importlib.import_module(f"drivers.{driver}").DRIVER
    link = open_link(port, baud=options.get("baud", 9600))
    return driver_type("CAP-01", link, driver_type.Options(**options))


def replayed(recording: Path, port: str, twin: ReplayTwin) -> list[object]:
    """What each deed of the story gives when the device is the recording."""
    read = read_recording(recording)
    driver = made(read.head["driver"], dict(read.options), port)
    given = []
    try:
        for step in story_of(recording):
            if "do" in step:
                given.append(do(driver, step))
            else:
                twin.speak()
        # What was written last may still be on its way.
        until(lambda: not twin.questions_left or twin.deviations, what="the last recorded question")
    finally:
        driver.link.close()
    return given
