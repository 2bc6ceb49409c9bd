"""What stands on a kiosk's screen: which page, what lies under it, how long it may stand in silence.

Numbers the views, rings when there is a new one, knows stale keys. Decides nothing about the visit.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from hall_daemon.clock import Clock, hour_minute
from hall_daemon.hall import Bell
from hall_daemon.kiosk_pages import draw
from hall_daemon.kiosk_scene import Scene
from hall_daemon.kiosk_visit import SLOWER, KioskTimes
from hall_daemon.protocol import Text
from hall_daemon.protocol_kiosk import KioskModes, KioskScreen, KioskView

FIRST = frozenset({KioskScreen.IDLE, KioskScreen.READER, KioskScreen.CLOSED})
"""Nobody is there."""
NO_VISITS = frozenset({KioskScreen.CLOSED, KioskScreen.MAINTENANCE})
"""Nobody can begin."""
_STANDS_FOR_EVER = FIRST | {KioskScreen.PRINTING, KioskScreen.MAINTENANCE}
_COUNTS_DOWN = frozenset({KioskScreen.TIMEOUT, KioskScreen.DONE, KioskScreen.UNPRINTED})


class Stage:
    """The screen of one kiosk."""

    def __init__(
        self, clock: Clock, times: KioskTimes, scene: Callable[[Text | None], Scene], on_silence: Callable[[], None]
    ) -> None:
        self.screen = KioskScreen.MAINTENANCE
        self._clock = clock
        self._limits = {
            KioskScreen.TIMEOUT: times.question_s,
            KioskScreen.DONE: times.done_s,
            KioskScreen.CARDLEFT: times.card_left_s,
            KioskScreen.UNPRINTED: times.unprinted_s,
            KioskScreen.HELP: times.help_s,
            KioskScreen.READING: times.reading_s,
            KioskScreen.GUIDE: times.guide_s,
        }
        self._done_heard_s = times.done_heard_s
        self._silence_s = times.silence_s
        self._scene = scene
        self._on_silence = on_silence
        self._covered: list[KioskScreen] = []
        """Pages under a question or the help page, to come back to."""
        self._again = 0
        self._notice: Text | None = None
        """What the last key or card led to."""
        self._timer: asyncio.TimerHandle | None = None
        self.changed = Bell()
        """Rings with each view."""
        # Counting from the time, so that a page drawn by an earlier life of the daemon is older than all of this one.
        self._page_since = clock.now_ms()
        self.view = draw(scene(None), self.screen, revision=self._page_since, clock=self._now(), seconds_left=None)

    # --- pages --------------------------------------------------------------------------------------------------------

    def open(self, screen: KioskScreen, notice: Text | None = None) -> None:
        """Show a page; keys mean something else than before."""
        self.screen, self._notice = screen, notice
        self.touched()
        self._again += 1
        self._show(new_page=True)

    def start(self, screen: KioskScreen, notice: Text | None = None) -> None:
        """Show a page with nothing under it."""
        self._covered.clear()
        self.open(screen, notice)

    def cover(self, screen: KioskScreen) -> None:
        """Lay a question or the help page over this page."""
        self._covered.append(self.screen)
        self.open(screen)

    def uncover(self) -> None:
        """Back to the page under this one."""
        self.open(self._covered.pop())

    def refresh(self) -> None:
        """Show what has changed on the same page."""
        self._show(new_page=False)

    def repeat(self) -> None:
        """Say the page aloud once more."""
        self._again += 1
        self._show(new_page=False)

    def say(self, notice: Text | None) -> None:
        """Add a sentence to the page, or take it away; other words than before are said aloud."""
        before, self._notice = self.view.said, notice
        if self._draw().said != before:
            self._again += 1
        self._show(new_page=False)

    @property
    def underneath(self) -> KioskScreen:
        """The page that counts: the one under questions and help."""
        return self._covered[0] if self._covered else self.screen

    @property
    def is_covered(self) -> bool:
        """Whether a question or the help page is on top."""
        return bool(self._covered)

    # --- silence ------------------------------------------------------------------------------------------------------

    def touched(self) -> None:
        """Somebody is there: count the silence from now."""
        self.stop()
        visit = self._scene(None).visit
        fresh = visit.modes == KioskModes() and visit.language == "zh"
        # A first page that somebody has switched to English or large letters goes back when they have left.
        if self.screen not in _STANDS_FOR_EVER or (self.screen in FIRST and not fresh):
            self._timer = asyncio.get_running_loop().call_later(self._limit_s(visit.modes), self._silent)

    def _limit_s(self, modes: KioskModes) -> float:
        limit_s = self._limits.get(self.screen, self._silence_s)
        if self.screen is KioskScreen.DONE and modes.voice:
            return max(limit_s, self._done_heard_s)
        slow = modes.large or modes.low or modes.voice
        return limit_s * SLOWER if slow and self.screen not in (KioskScreen.READING, KioskScreen.CARDLEFT) else limit_s

    def stop(self) -> None:
        """Count no silence."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _silent(self) -> None:
        self._timer = None
        self._on_silence()

    def _seconds_left(self) -> int | None:
        if self.screen not in _COUNTS_DOWN or self._timer is None:
            return None
        return max(0, math.ceil(self._timer.when() - asyncio.get_running_loop().time()))

    # --- views --------------------------------------------------------------------------------------------------------

    def _show(self, *, new_page: bool) -> None:
        revision, view = self.view.revision, self._draw()
        if new_page:
            self._page_since = revision + 1
        elif view == self.view:
            return
        self.view = view.model_copy(update={"revision": revision + 1})
        self.changed.ring()

    def _draw(self) -> KioskView:
        return draw(
            self._scene(self._notice),
            self.screen,
            revision=self.view.revision,
            clock=self._now(),
            seconds_left=self._seconds_left(),
        ).model_copy(update={"again": self._again})

    def is_stale(self, revision: int | None) -> bool:
        """Whether a key was pressed on another page; typing goes on while only what was typed has changed."""
        return revision is not None and not self._page_since <= revision <= self.view.revision

    def _now(self) -> str:
        return hour_minute(self._clock.now_ms())
