"""Below the keys of the counter screen: draws WindowViews, listens to the daemon, sends what it is told.

A key never changes the picture; the view that follows does. Each request carries the number that the clerk saw, so that
the daemon can refuse what was meant for another picture. Nothing is kept while the line is down: a step that was not
sent is said to be not done.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import dataclass
from typing import TypeVar

from rich.text import Text as Line
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from hall_daemon.client import HallClient, HallUnreachable, Link, LinkNews, RequestRefused
from hall_daemon.protocol import Done, HallMap, ScanJobView, WindowView
from kiosk_ui.counter_session import SessionFile
from kiosk_ui.counter_steps import NotPrinted, Step, Steps, Told
from kiosk_ui.counter_view import Picture, Stage, filled, say, scan_of
from kiosk_ui.theme import ACCENT, BAD, OFF, Pen

T = TypeVar("T")
# How long a result stays on the screen, and how long a new notice colours the top line.
RESULT_S, FRESH_S = 10.0, 10.0


@dataclass
class ViewArrived(Message):
    """The daemon drew a new picture."""

    view: WindowView


@dataclass
class LinkChanged(Message):
    """The line came, went, or failed again."""

    news: LinkNews


@dataclass
class MapArrived(Message):
    """Windows, queues, zones and clerks of this hall."""

    hall: HallMap


@dataclass
class StepDone(Message):
    """The daemon did it; the picture follows by itself."""

    step: Step
    done: Done | Told


@dataclass
class StepFailed(Message):
    """The daemon refused, or was not reached."""

    sentence: str
    quiet: bool = False
    code: str = ""
    step: Step | None = None


class WindowScreen(Screen[None]):
    """Draws, listens and sends; what keys mean is in CounterScreen."""

    AUTO_FOCUS = ""
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012  # typed so by its base class

    def __init__(
        self, client: HallClient, window: str, clerk: str, *, pen: Pen, hall: HallMap | None = None,
        kept: SessionFile | None = None,
    ) -> None:  # fmt: skip
        super().__init__()
        self._kept = kept or SessionFile("", "", {})
        self._client = client
        self._steps = Steps(client=client, window=window)
        self._window = window
        self._clerk = clerk
        self._pen = pen
        self._view: WindowView | None = None
        self._map = hall
        self._link = LinkNews(link=Link.CONNECTING)
        self._arrived_s = self._online_s = self._fresh_until_s = self._result_until_s = 0.0
        self._result = Line()
        self._order = asyncio.Lock()
        self._greeted = False

    # ---- building and drawing

    def compose(self) -> ComposeResult:
        """One column, or work on the left and lists on the right."""
        yield Static(id="top")
        with Horizontal(id="main"):
            with Vertical(id="work"):
                with Horizontal(id="current"):
                    yield Static(id="figures")
                    yield Static(id="who")
                yield Static(id="alerts")
                yield Static(id="materials", classes="panel")
                yield Static(id="pages", classes="panel")
                yield Static(id="facts", classes="panel")
                yield Static(id="queues", classes="panel")
            with Vertical(id="lists"):
                for name in ("waiting", "missed", "parked"):
                    yield OptionList(id=name, classes="panel", markup=False, compact=True)
                yield Static(id="messages", classes="panel")
        yield Static(id="result")
        yield Static(id="status")
        yield Static(id="keys")

    def on_mount(self) -> None:
        """Begin to listen."""
        self.query_one("#queues").border_title = say("queues")
        self.set_interval(1.0, self._draw)
        self.call_after_refresh(self._draw)
        self.run_worker(self._listen(), name="views", exit_on_error=True)

    def on_resize(self) -> None:
        """Draw for the new width."""
        self.call_after_refresh(self._draw)

    def _picture(self) -> Picture:
        return Picture(
            window=self._window,
            view=self._view,
            link=self._link,
            pen=self._pen,
            width=self.size.width,
            hall_time_s=self._client.hall_time_s(),
            age_s=time.monotonic() - self._arrived_s if self._view else 0.0,
            lost_s=time.monotonic() - self._online_s,
            fresh_notice=time.monotonic() < self._fresh_until_s,
            mine=bool(self._client.session),
        )

    def _draw(self) -> None:
        picture = self._picture()
        if time.monotonic() >= self._result_until_s:
            self._result = Line()
        self._put("top", filled(picture.top(), picture.width))
        self._put("figures", picture.figures())
        self._put("who", picture.who())
        self._put("alerts", alerts := picture.alerts())
        self.query_one("#alerts").display = bool(alerts)
        self._draw_work(picture)
        self._draw_lists(picture)
        self._put("result", self._result)
        self._put("status", filled(picture.status(), picture.width))
        self._put("keys", picture.keys())

    def _draw_work(self, picture: Picture) -> None:
        view = picture.view
        materials = self.query_one("#materials", Static)
        here = bool(view and (view.current or (picture.wide and view.next_materials)))
        materials.display = here and picture.stage not in {Stage.SIGNED_OUT, Stage.PAUSED}
        materials.border_title = picture.materials_title()
        materials.border_subtitle = self._pen.text(picture.scan_line()).plain
        materials.update(picture.materials(10 if picture.wide else 5))
        pages = self.query_one("#pages", Static)
        scan = scan_of(view)
        pages.display = picture.wide and scan is not None
        if scan is not None:
            pages.border_title = say("pages", n=len(scan.pages))
            pages.border_subtitle = say("pages_keys") if scan.state == "done" else ""
            pages.update(picture.pages(scan, 10))
        facts, about = self.query_one("#facts", Static), picture.facts()
        facts.display = picture.wide and bool(about)
        facts.border_title = say("facts")
        facts.update(about)
        messages, said = self.query_one("#messages", Static), picture.messages(7)
        messages.display = picture.wide and bool(said)
        messages.border_title = say("messages", n=picture.unread)
        messages.border_subtitle = say("messages_keys") if picture.unread else ""
        messages.update(said)
        queues = self.query_one("#queues", Static)
        queues.display = picture.wide and bool(view and view.queues)
        queues.update(picture.queues())

    def _draw_lists(self, picture: Picture) -> None:
        view = picture.view
        waiting, missed, parked = (self.query_one(f"#{name}", OptionList) for name in ("waiting", "missed", "parked"))
        cells = max(24, waiting.size.width - 3)
        waiting.border_title = picture.waiting_title()
        missed.display = picture.wide and bool(view and view.missed)
        parked.display = picture.wide and bool(view and view.parked)
        if view is None:
            return
        missed.border_title = say("missed", n=len(view.missed))
        missed.border_subtitle = say("missed_keys")
        parked.border_title = say("parked", n=len(view.parked))
        parked.border_subtitle = say("parked_keys")
        _fill(waiting, {t.number: picture.waiting_row(t, cells) for t in view.waiting})
        _fill(missed, {t.number: picture.waiting_row(t, cells) for t in view.missed})
        _fill(parked, {t.number: picture.parked_row(t, cells) for t in view.parked})

    def _put(self, name: str, words: Line) -> None:
        self.query_one(f"#{name}", Static).update(words)

    def _say(self, sentence: str, style: str = f"bold {ACCENT}") -> None:
        self._result = Line(" ").append_text(self._pen.text(sentence, style))
        self._result_until_s = time.monotonic() + RESULT_S
        self._put("result", self._result)

    def _hint(self, code: str, **facts: object) -> None:
        self._say(say(code, **facts), OFF)

    # ---- what arrives

    async def _listen(self) -> None:
        def hear(news: LinkNews) -> None:
            self.post_message(LinkChanged(news))

        try:
            async with aclosing(self._client.window_views(self._window).lasting(hear)) as views:
                async for view in views:
                    self.post_message(ViewArrived(view))
        except RequestRefused as exc:
            self.app.exit(exc.text)

    async def _fetch_map(self) -> None:
        failures = 0
        while self._link.link is Link.ONLINE:
            try:
                self.post_message(MapArrived(await self._client.hall()))
                return
            except RequestRefused:
                return  # only lists to choose from are missing; the next connection asks again
            except HallUnreachable:
                await asyncio.sleep(self._client.retry_wait_s(failures))
                failures += 1

    @on(LinkChanged)
    def link_changed(self, message: LinkChanged) -> None:
        """Say so at once."""
        if Link.ONLINE in {self._link.link, message.news.link}:
            self._online_s = time.monotonic()
        self._link = message.news
        if message.news.link is Link.ONLINE:
            self.run_worker(self._fetch_map(), group="map", exclusive=True)
        self._draw()

    @on(MapArrived)
    def map_arrived(self, message: MapArrived) -> None:
        """Keep what there is to choose from."""
        self._map = message.hall
        self._greet_once()

    @on(ViewArrived)
    def view_arrived(self, message: ViewArrived) -> None:
        """Draw the new picture; a notice that was not there before beeps once."""
        known = set(self._view.notices) if self._view else set()
        before_view, before, now = self._view, scan_of(self._view), scan_of(message.view)
        self._view = message.view
        self._arrived_s = time.monotonic()
        seen = {m.message for m in before_view.messages} if before_view else set()
        told = any(m.message not in seen and not m.mine and not m.acknowledged for m in message.view.messages)
        if told or set(message.view.notices) - known:
            self._fresh_until_s = time.monotonic() + FRESH_S
            self.app.bell()
        if now is not None and before is not None and (now.job, before.state) == (before.job, "scanning"):
            self._say_scan(now)
        self._draw()
        self._greet_once()
        self.settled()

    def _say_scan(self, scan: ScanJobView) -> None:
        """The scanner has come to an end."""
        if scan.state == "done":
            self._say(self._picture().scan_line())
        elif scan.state == "failed":
            self._say(scan.problem.zh if scan.problem else say("scan_failed"), f"bold {BAD}")

    def _greet_once(self) -> None:
        if not self._greeted and self._view is not None and self._map is not None:
            self._greeted = True
            self.greet(self._view)

    def greet(self, view: WindowView) -> None:
        """Once, when the first picture and the map are there."""

    # ---- sending

    def _send(self, *steps: Step) -> None:
        if self._link.link is not Link.ONLINE:
            self._say(say("not_sent"), f"bold {BAD}")
            return
        self._hint(f"doing.{steps[-1].verb}", number=steps[-1].number)
        # Enter is the main action again.
        self.set_focus(None)
        self.run_worker(self._carry_out(steps), group="verbs", exit_on_error=True)

    def _send_quietly(self, step: Step) -> None:
        """Without a word on the screen, unless it is refused."""
        if self._link.link is Link.ONLINE:
            self.run_worker(self._carry_out((step,)), group="verbs", exit_on_error=True)

    async def _carry_out(self, steps: tuple[Step, ...]) -> None:
        # One after the other in the order of the keys; a step that fails ends its own row only.
        async with self._order:
            for step in steps:
                if self._link.link is not Link.ONLINE:
                    self.post_message(StepFailed(say("not_sent")))
                    return
                try:
                    self.post_message(StepDone(step, await step.send()))
                except RequestRefused as exc:
                    quiet = exc.code == "screen_out_of_date"
                    self.post_message(StepFailed(exc.text.zh, quiet=quiet, code=exc.code, step=step))
                    return
                except HallUnreachable as exc:
                    self.post_message(StepFailed(exc.text.zh))
                    return
                except NotPrinted as exc:
                    self.post_message(StepFailed(str(exc)))
                    return

    @on(StepDone)
    def step_done(self, message: StepDone) -> None:
        """Say what was done."""
        if message.step.verb in ("sign_in", "sign_out"):
            self._client.session = self._client.session if message.step.verb == "sign_in" else ""
            self._kept.write(self._client.session)
            self._draw()
        if message.step.verb == "here":
            return
        if isinstance(message.done, Told):
            self._say(message.done.sentence)
            self.settled()
            return
        number = message.done.number or message.step.number
        if message.step.verb == "next" and not number:
            self._say("")
            return
        self._say(say(f"done.{message.step.verb}", number=number))
        self.settled()

    @on(StepFailed)
    def step_failed(self, message: StepFailed) -> None:
        """Say why not; a key that came too late is no fault and is said quietly."""
        self._say(message.sentence, OFF if message.quiet else f"bold {BAD}")
        if message.code == "session_over":
            self._client.session = ""
            self._kept.write("")
            self._draw()
        self.refused(message)

    def settled(self) -> None:
        """A picture came or a step was done; what waited for it may go on."""

    def refused(self, message: StepFailed) -> None:
        """The daemon said no to this step."""


def marked(tickets: OptionList) -> str:
    """Number of the marked ticket of a list; empty where the list is."""
    return "" if tickets.highlighted is None else tickets.options[tickets.highlighted].id or ""


def _fill(tickets: OptionList, rows: dict[str, Line]) -> None:
    """Show these rows; the mark stays on its ticket, or on its place where the ticket is gone."""
    numbers = [option.id for option in tickets.options]
    if numbers == list(rows):
        for place, line in enumerate(rows.values()):
            if tickets.options[place].prompt != line:
                tickets.replace_option_prompt_at_index(place, line)
        return
    place, mark = tickets.highlighted or 0, marked(tickets)
    tickets.clear_options()
    tickets.add_options([Option(line, id=number) for number, line in rows.items()])
    if rows:
        tickets.highlighted = list(rows).index(mark) if mark in rows else min(place, len(rows) - 1)
