"""What stands over a window: the exact texts of ux.md §4.3, for displays of 8 and of 16 Chinese characters. Pure.

A state has one page or several that take turns; a page has several forms, the best first: the display shows the first
that fits it. Nothing scrolls. All Chinese is of GB 2312. The last form of each page is the least that helps, for signs
that cannot write Chinese or have room for a number only.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from drivers.base import CallText
from hall_daemon.texts import text

LONG_CELLS = 32
"""From this width on, in half-width cells, a display gets the texts for 16 characters."""
PAGE_S = 3.0

Page = tuple[CallText, ...]
"""Forms of one page, the best first."""


class WindowState(StrEnum):
    """What a resident must know of a window."""

    OFF = "off"
    IDLE = "idle"
    CALLING = "calling"
    SERVING = "serving"
    PAUSED = "paused"
    RATING = "rating"


@dataclass(frozen=True, kw_only=True)
class WindowFacts:
    """A window at this moment."""

    window: str
    state: WindowState
    number: str = ""
    until: str = ""
    """HH:MM when a paused window goes on; empty where nobody said."""
    other: str = ""
    """Window to go to instead while this one pauses."""


def pages(facts: WindowFacts, cells: int) -> tuple[Page, ...]:
    """The pages for a display of so many half-width cells; 0 where it does not say how wide it is."""
    said = {"window": facts.window, "number": facts.number, "until": facts.until, "other": facts.other}
    short = tuple(_page(codes, facts, said) for codes in _short(facts))
    if cells < LONG_CELLS:
        return short
    long = _long(facts)
    # Behind the long form the short one, in case the driver counts the room otherwise than we do.
    return tuple(
        (CallText(text=text(code, **said).zh, attention=_calls(facts)), *short[min(n, len(short) - 1)])
        for n, code in enumerate(long)
    )


def _calls(facts: WindowFacts) -> bool:
    return facts.state is WindowState.CALLING


def _page(codes: tuple[str, ...], facts: WindowFacts, said: dict[str, str]) -> Page:
    # The English sentence is the longest: only a display without Chinese gets that far.
    forms = [*(text(code, **said).zh for code in codes), text(codes[0], **said).en, _least(facts)]
    return tuple(CallText(text=form, attention=_calls(facts)) for form in dict.fromkeys(forms))


def _least(facts: WindowFacts) -> str:
    if facts.state in (WindowState.CALLING, WindowState.SERVING):
        return facts.number
    if facts.state in (WindowState.OFF, WindowState.PAUSED):
        return text("window.closed_least").en
    return facts.window


def _short(facts: WindowFacts) -> list[tuple[str, ...]]:
    """Codes of each page for 8 characters, each with what stands in where the first is too long."""
    if facts.state is WindowState.CALLING:
        # From window 100 on, "here" is clearer than a number without its courtesy.
        plain = ("call.display_plain",) if len(facts.window) < 3 else ()
        return [("call.display", *plain, "call.display_short")]
    if facts.state is WindowState.PAUSED:
        more = [("window.until",)] if facts.until else []
        return [("window.paused",), *more, *([("window.other",)] if facts.other else [])]
    return [_ONE_PAGE[facts.state]]


_ONE_PAGE: dict[WindowState, tuple[str, ...]] = {
    WindowState.OFF: ("window.closed",),
    WindowState.IDLE: ("window.idle",),
    WindowState.SERVING: ("window.serving",),
    WindowState.RATING: ("window.rating",),
}
_LONG = {
    WindowState.OFF: "window.closed_long",
    WindowState.IDLE: "window.idle_long",
    WindowState.CALLING: "call.display_long",
    WindowState.SERVING: "window.serving_long",
    WindowState.RATING: "window.rating_long",
}


def _long(facts: WindowFacts) -> list[str]:
    """Codes of each page for 16 characters."""
    if facts.state is not WindowState.PAUSED:
        return [_LONG[facts.state]]
    first = "window.paused_until_long" if facts.until else "window.paused_long"
    return [first, *(["window.other_long"] if facts.other else [])]


def cells_of(options: object) -> int:
    """How many half-width cells a display's table gives it in a row; 0 where it does not say."""
    columns = getattr(options, "columns", 0)
    width_px, font_px = getattr(options, "width_px", 0), getattr(options, "font_px", 16)
    return int(columns or width_px * 2 // font_px)
