"""What the senders of the outbox share: the province, whether it answers, its limits, and the troubles people see."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from hall_daemon.clock import Clock
from hall_daemon.protocol import Text
from hall_daemon.province import Pace, Province
from hall_daemon.province_shapes import Limits
from hall_daemon.texts import text

_log = logging.getLogger("outbox")


class Level(StrEnum):
    """How loud a trouble is on the technician's page."""

    GREY = "grey"
    AMBER = "amber"
    RED = "red"


LEVELS = {
    "province.unreachable": Level.GREY, "province.busy": Level.GREY, "province.failed": Level.GREY,
    "province.no_key": Level.RED, "province.key_refused": Level.RED, "province.revoked": Level.RED,
    "province.too_old": Level.RED, "province.refused": Level.RED, "province.new_stream": Level.RED,
    "province.duplicate_identity": Level.RED, "province.all_refused": Level.RED, "province.chain_broken": Level.RED,
    "province.day_chain_broken": Level.RED,
}  # fmt: skip
"""Every other trouble is amber."""


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Something that a technician should know, since when, and the sentence for it."""

    code: str
    since_ms: int
    facts: dict[str, object] = field(default_factory=dict)

    @property
    def level(self) -> Level:
        """How loud."""
        return LEVELS.get(self.code, Level.AMBER)

    @property
    def sentence(self) -> Text:
        """What a person reads."""
        return text(self.code, **self.facts)


class Troubles:
    """The troubles at hand; each is logged once when it comes and once when it is over."""

    def __init__(self, clock: Clock, changed: Callable[[], None]) -> None:
        self._clock, self.changed = clock, changed
        self._at_hand: dict[str, Trouble] = {}

    def begin(self, code: str, **facts: object) -> None:
        """It is so, or still so with other facts."""
        known = self._at_hand.get(code)
        since_ms = known.since_ms if known else self._clock.now_ms()
        trouble = Trouble(code=code, since_ms=since_ms, facts=facts)
        if trouble == known:
            return
        self._at_hand[code] = trouble
        _log.warning("trouble %s %s", code, " ".join(f"{k}={v}" for k, v in facts.items()))
        self.changed()

    def end(self, *codes: str) -> None:
        """It is over."""
        for code in codes:
            if self._at_hand.pop(code, None) is not None:
                _log.info("over %s", code)
                self.changed()

    def count(self, code: str, count: int) -> None:
        """A trouble that is so many things, or over at none."""
        if count:
            self.begin(code, count=count)
        else:
            self.end(code)

    def all(self) -> tuple[Trouble, ...]:
        """Newest first."""
        return tuple(sorted(self._at_hand.values(), key=lambda trouble: -trouble.since_ms))

    def __contains__(self, code: str) -> bool:
        return code in self._at_hand


class Line:
    """The line to the province."""

    def __init__(self, province: Province, pace: Pace, troubles: Troubles) -> None:
        self.province, self.pace, self.troubles = province, pace, troubles
        self.limits = Limits()
        self.one_batch = asyncio.Lock()
        """One batch is in flight at a time, whoever sends it (province.md §9.2)."""
        self.doubted = False
        """Somebody got no answer: a hello will tell."""
        self._online = asyncio.Event()

    @property
    def online(self) -> bool:
        """Whether the last hello was answered and nothing failed since."""
        return self._online.is_set()

    def found(self, limits: Limits) -> None:
        """The province answered."""
        self.limits, self.doubted = limits, False
        self._online.set()

    def doubt(self) -> None:
        """Ask for a hello soon."""
        self.doubted = True
        self.troubles.changed()

    def lost(self) -> None:
        """It does not any more."""
        self._online.clear()

    async def wait_online(self) -> None:
        """Return when the province answers."""
        await self._online.wait()
