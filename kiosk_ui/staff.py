"""Screen of those who belong to no window: guide desk, chief representatives, manager, technicians.

Shows who calls for help and takes it, sends words to windows, has slips printed again at any kiosk, keys in emergency
pads. Draws and asks; decides nothing.
Started as `hall-counter` without a window.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import ClassVar

from rich.text import Text as Line
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.screen import Screen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from hall_daemon.client import HallUnreachable, Link, LinkNews, RequestRefused
from hall_daemon.client_day import DayClient
from hall_daemon.protocol import HallMap
from hall_daemon.protocol_clerks import MessageView, PersonSession, SendMessage
from hall_daemon.protocol_window import KeyInPads, PadKeyed, PadLine
from hall_daemon.words import PrintResult
from kiosk_ui.counter_dialogs import Candidate, Pick
from kiosk_ui.counter_sign_in import SignInDialog, SignInOrder
from kiosk_ui.counter_view import filled, say
from kiosk_ui.staff_pads import PadsDialog
from kiosk_ui.theme import ACCENT, BACKGROUND, BAD, FOREGROUND, OFF, OK, PRIMARY, Mark, Pen, piece

RESULT_S, FRESH_S = 10.0, 10.0
MOST_SAID = 6
_HALL_ZONE = timezone(timedelta(hours=8))
_LINKS = {Link.CONNECTING: (Mark.WARN, ACCENT), Link.ONLINE: (Mark.OK, OK), Link.OFFLINE: (Mark.BAD, BAD)}
_KEYS = (("Enter", "answer"), ("F6", "send"), ("F7", "slip"), ("F8", "pads"), ("F12", "out"), ("Ctrl+Q", "quit"))
SEES_CALLS = frozenset({"guide", "chief", "manager", "technician"})
ALL = "*"


@dataclass
class SignedInAs(Message):
    """The daemon knows who it is."""

    person: PersonSession
    hall: HallMap


@dataclass
class CallsArrived(Message):
    """Who calls for help now."""

    calls: tuple[MessageView, ...]


@dataclass
class LinkHeard(Message):
    """The line came, went, or failed again."""

    news: LinkNews


@dataclass
class Said(Message):
    """Something was done, or was not."""

    sentence: str
    failed: bool = False
    over: bool = False
    """The session is over, or was never granted."""


@dataclass
class Left(Message):
    """Whoever was here has signed out."""


class StaffScreen(Screen[None]):
    """The one screen of the call desk."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "answer", say("staff.key_answer"), id="staff.answer", priority=True),
        Binding("f6", "send", say("staff.key_send"), id="staff.send", priority=True),
        Binding("f7", "slip", say("staff.key_slip"), id="staff.slip", priority=True),
        Binding("f8", "pads", say("staff.key_pads"), id="staff.pads", priority=True),
        Binding("f12", "out", say("staff.key_out"), id="staff.out", priority=True),
        Binding("down", "move('cursor_down')", id="staff.down", priority=True),
        Binding("up", "move('cursor_up')", id="staff.up", priority=True),
    ]

    def __init__(self, client: DayClient, number: str, *, pen: Pen) -> None:
        super().__init__()
        self._client, self._typed, self._pen = client, number, pen
        self._who: PersonSession | None = None
        self._map: HallMap | None = None
        self._calls: tuple[MessageView, ...] = ()
        self._link = LinkNews(link=Link.CONNECTING)
        self._said: list[Line] = []
        self._result = Line()
        self._result_until_s = self._fresh_until_s = 0.0

    # ---- drawing

    def compose(self) -> ComposeResult:
        """Who it is, the calls, what was done lately."""
        yield Static(id="top")
        yield OptionList(id="calls", classes="panel", markup=False, compact=True)
        yield Static(id="said", classes="panel")
        yield Static(id="result")
        yield Static(id="keys")

    def on_mount(self) -> None:
        """Ask who it is."""
        self.query_one("#said").border_title = say("staff.said")
        self.query_one("#calls", OptionList).can_focus = False
        self.set_interval(1.0, self._draw)
        self.call_after_refresh(self._draw)
        self._ask_who()

    def on_resize(self) -> None:
        """Draw for the new width."""
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        if time.monotonic() >= self._result_until_s:
            self._result = Line()
        self._put("top", filled(self._top(), self.size.width))
        self._put("result", self._result)
        self._put("said", Line("\n").join(self._said))
        keys = Line(" ")
        for cap, name in _KEYS:
            keys.append_text(self._pen.key(cap, say(f"staff.key_{name}"))).append(" ")
        self._put("keys", keys)

    def _put(self, name: str, words: Line) -> None:
        self.query_one(f"#{name}", Static).update(words)

    def _top(self) -> Line:
        label = ACCENT if time.monotonic() < self._fresh_until_s else PRIMARY
        left = piece(f" {say('staff.title')} ", f"bold {BACKGROUND} on {label}")
        if self._who is None:
            left.append(f" {say('state.signed_out')}", style=OFF)
        else:
            left.append(f" {self._who.name}  {say(f'staff.role.{self._who.role}')}", style=FOREGROUND)
        mark, colour = _LINKS[self._link.link]
        clock = datetime.fromtimestamp(self._client.hall_time_s(), _HALL_ZONE)
        right = piece(f"{clock:%H:%M}  ", OFF).append_text(self._pen.mark(mark))
        right.append(f" {say(f'link.{self._link.link}')} ", style=f"bold {colour}")
        return left.append(" " * max(1, self.size.width - left.cell_len - right.cell_len)).append_text(right)

    def _draw_calls(self) -> None:
        shown = self.query_one("#calls", OptionList)
        ids = [call.message for call in self._calls]
        marked = self._marked()
        shown.border_title = say("staff.calls", n=len(ids))
        shown.border_subtitle = say("staff.calls_keys") if ids else ""
        shown.clear_options()
        lines = [say("staff.line", at=c.at, sender=c.sender, to=c.to, words=c.words) for c in self._calls]
        shown.add_options(
            [Option(self._pen.text(line), id=call) for line, call in zip(lines, ids, strict=True)]
            or [Option(self._pen.text(say("staff.none"), OFF), disabled=True)]
        )
        if ids:
            shown.highlighted = ids.index(marked) if marked in ids else 0

    def _marked(self) -> str:
        """Id of the marked call; empty without any."""
        shown = self.query_one("#calls", OptionList)
        return "" if shown.highlighted is None else shown.options[shown.highlighted].id or ""

    def _say(self, sentence: str, *, failed: bool = False) -> None:
        self._result = Line(" ").append_text(self._pen.text(sentence, f"bold {BAD if failed else ACCENT}"))
        self._result_until_s = time.monotonic() + RESULT_S
        self._draw()

    # ---- who it is

    def _ask_who(self, trouble: str = "") -> None:
        if any(isinstance(screen, SignInDialog) for screen in self.app.screen_stack):
            return
        clerks = self._map.clerks if self._map else ()
        dialog = SignInDialog("", clerks, self._pen, typed=self._typed, note=trouble)
        self.app.push_screen(dialog, self._sign_in)

    def _sign_in(self, order: SignInOrder | None) -> None:
        if order is None:
            return
        self._typed = order.clerk
        self.run_worker(self._prove(order), group="who", exclusive=True, exit_on_error=True)

    async def _prove(self, order: SignInOrder) -> None:
        try:
            person = await self._client.sign_in_person(order.clerk, order.pin)
            if person.role not in SEES_CALLS:
                await self._client.sign_out_person()
                self.post_message(Said(say("staff.not_yours"), failed=True, over=True))
                return
            self.post_message(SignedInAs(person, await self._client.hall()))
        except (RequestRefused, HallUnreachable) as exc:
            self._client.forget_person()
            self.post_message(Said(exc.text.zh, failed=True, over=True))

    @on(SignedInAs)
    def signed_in(self, message: SignedInAs) -> None:
        """Listen for them."""
        self._who, self._map = message.person, message.hall
        self.run_worker(self._listen(), name="calls", group="calls", exclusive=True, exit_on_error=True)
        self._draw()

    async def _listen(self) -> None:
        def hear(news: LinkNews) -> None:
            self.post_message(LinkHeard(news))

        try:
            async with aclosing(self._client.messages().lasting(hear)) as views:
                async for view in views:
                    self.post_message(CallsArrived(view.messages))
        except RequestRefused:
            # A daemon that was started again knows no session of before.
            self.post_message(Said(say("staff.over"), failed=True, over=True))

    # ---- what arrives

    @on(LinkHeard)
    def link_heard(self, message: LinkHeard) -> None:
        """Say so at once."""
        self._link = message.news
        if message.news.trouble is not None:
            self._say(message.news.trouble.zh, failed=True)
        self._draw()

    @on(CallsArrived)
    def calls_arrived(self, message: CallsArrived) -> None:
        """A new call beeps once."""
        if {c.message for c in message.calls} - {c.message for c in self._calls}:
            self._fresh_until_s = time.monotonic() + FRESH_S
            self.app.bell()
        self._calls = message.calls
        self._draw_calls()
        self._draw()

    @on(Said)
    def said(self, message: Said) -> None:
        """Say what was done; whoever is not known any more is asked again."""
        self._say(message.sentence, failed=message.failed)
        if message.over:
            self._leave()
            self._ask_who(message.sentence)
        elif not message.failed:
            clock = datetime.fromtimestamp(self._client.hall_time_s(), _HALL_ZONE)
            line = piece(f"{clock:%H:%M}  ", OFF).append_text(self._pen.text(message.sentence))
            self._said = [line, *self._said][:MOST_SAID]
            self._draw()

    def _leave(self) -> None:
        self._who, self._calls = None, ()
        self._client.forget_person()
        self.workers.cancel_group(self, "calls")
        self._link = LinkNews(link=Link.CONNECTING)
        self._draw_calls()
        self._draw()

    # ---- keys

    def _do(self, deed: Callable[[], Awaitable[object]], sentence: str) -> None:
        async def go() -> None:
            try:
                await deed()
            except RequestRefused as exc:
                self.post_message(Said(exc.text.zh, failed=True, over=exc.status == 401))
            except HallUnreachable as exc:
                self.post_message(Said(exc.text.zh, failed=True))
            else:
                self.post_message(Said(sentence))

        if self._is_online():
            self.run_worker(go(), group="deeds", exit_on_error=True)

    def _is_online(self) -> bool:
        if self._link.link is Link.ONLINE:
            return True
        self._say(say("not_sent"), failed=True)
        return False

    def action_answer(self) -> None:
        """Take the marked call; its window sees by whom."""
        if self._who is None:
            self._ask_who()
            return
        call = next((c for c in self._calls if c.message == self._marked()), None)
        if call is None:
            self._say(say("staff.no_call"))
            return
        said = say("staff.answered", sender=call.sender, words=call.words)
        self._do(lambda: self._client.acknowledge(call.message), said)

    def action_send(self) -> None:
        """Words to a window, or to all."""
        if self._who is None or self._map is None:
            self._ask_who()
            return
        rows = [Candidate(value=ALL, code="0", label=say("staff.to_all"))]
        rows += [
            Candidate(value=p.code, code=p.code, label=say("window", window=p.code)) for p in self._map.windows
        ]  # fmt: skip

        def chosen(window: str | None) -> None:
            if window is not None:
                self._ask_words(window)

        self.app.push_screen(Pick(say("staff.ask_to"), rows, self._pen), chosen)

    def _ask_words(self, window: str) -> None:
        to = say("staff.to_all") if window == ALL else say("window", window=window)

        def typed(words: str | None) -> None:
            if words is not None:
                order = SendMessage(window=None if window == ALL else window, words=words[:200])
                self._do(lambda: self._client.send_message(order), say("staff.sent", to=to, words=words[:200]))

        title, note = say("staff.ask_words", to=to), say("staff.words_line")
        self.app.push_screen(Pick(title, [], self._pen, note, free=True), typed)

    def action_slip(self) -> None:
        """The slip of a number once more, at whichever kiosk somebody stands."""
        if self._who is None or self._map is None:
            self._ask_who()
            return
        rows = [Candidate(value=k.code, code=k.code.lstrip("k"), label=k.name.zh) for k in self._map.kiosks]

        def typed(number: str | None) -> None:
            if number:
                title = say("staff.ask_kiosk", number=number.upper())
                self.app.push_screen(Pick(title, rows, self._pen), lambda kiosk: chosen(number.upper(), kiosk))

        def chosen(number: str, kiosk: str | None) -> None:
            if kiosk is not None and self._is_online():
                self.run_worker(self._print_again(number, kiosk), group="deeds", exit_on_error=True)

        self.app.push_screen(Pick(say("staff.ask_number"), [], self._pen, say("staff.number_line"), free=True), typed)

    async def _print_again(self, number: str, kiosk: str) -> None:
        try:
            told = await self._client.print_again(number, kiosk)
        except RequestRefused as exc:
            self.post_message(Said(exc.text.zh, failed=True, over=exc.status == 401))
        except HallUnreachable as exc:
            self.post_message(Said(exc.text.zh, failed=True))
        else:
            sentence = say(f"staff.slip.{told.result.value}", number=number, kiosk=kiosk)
            self.post_message(Said(sentence, failed=told.result is not PrintResult.OK))

    def action_pads(self) -> None:
        """Key in what stands on paper."""
        if self._who is None or self._map is None:
            self._ask_who()
            return
        self.app.push_screen(PadsDialog(self._key_in, self._map.items, self._pen))

    async def _key_in(self, line: PadLine) -> PadKeyed:
        return (await self._client.key_in_pads(KeyInPads(pads=(line,)))).pads[0]

    def action_out(self) -> None:
        """Sign out; or in."""
        if self._who is None:
            self._ask_who()
            return
        self.run_worker(self._sign_out(), group="who", exclusive=True, exit_on_error=True)

    async def _sign_out(self) -> None:
        try:
            async with asyncio.timeout(self._client.limits.answer_s):
                await self._client.sign_out_person()
        except (RequestRefused, HallUnreachable, TimeoutError):
            pass  # the session ends by itself
        self.post_message(Left())

    @on(Left)
    def left(self) -> None:
        """Nobody is here."""
        self._leave()

    def action_move(self, step: str) -> None:
        """Mark another call."""
        getattr(self.query_one("#calls", OptionList), f"action_{step}")()
