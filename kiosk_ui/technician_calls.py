"""What windows call for, on the technician's screen: a bell and a line when it comes, a digit to say that one goes."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.widgets import Label, Static

from hall_daemon.client import HallClient, HallUnreachable, RequestRefused
from hall_daemon.protocol import Text
from hall_daemon.protocol_clerks import MessageView
from kiosk_ui.technician_view import say
from kiosk_ui.theme import OFF, Pen

MOST_SHOWN = 9


@dataclass
class CallsArrived(Message):
    """Everything that nobody has taken yet."""

    calls: tuple[MessageView, ...]


@dataclass
class CallAnswered(Message):
    """What became of taking a call."""

    sentence: str


class CallsDialog(ModalScreen[str | None]):
    """The calls that wait, oldest first; the digit of one takes it, Enter the first."""

    def __init__(self, calls: tuple[MessageView, ...], pen: Pen) -> None:
        super().__init__()
        self._calls, self._pen = calls[:MOST_SHOWN], pen

    def compose(self) -> ComposeResult:
        """A line a call."""
        with Vertical(classes="dialog"):
            yield Label(say("calls.title"), classes="dialog-title", markup=False)
            for number, call in enumerate(self._calls, 1):
                words = f"{call.at} {call.sender} {say('calls.to', to=call.to)}：{call.words}"
                yield Static(self._pen.key(str(number), words))
            yield Static(self._pen.text(say("calls.keys"), OFF))

    def on_key(self, event: events.Key) -> None:
        """Take one, or leave."""
        event.stop()
        typed = event.character or ""
        place = 1 if event.key == "enter" else int(typed) if typed.isdecimal() else 0
        if event.key == "escape":
            self.dismiss(None)
        elif 0 < place <= len(self._calls):
            self.dismiss(self._calls[place - 1].message)


class WindowCalls(Screen[Text]):
    """The part of the technician's screen that hears the windows."""

    _client: HallClient
    _pen: Pen
    _calls: tuple[MessageView, ...] = ()

    def listen_to_calls(self) -> None:
        """Begin to listen."""
        self.run_worker(self._hear_calls(), name="calls", group="calls")

    async def _hear_calls(self) -> None:
        try:
            async with aclosing(self._client.messages().lasting(lambda _news: None)) as views:
                async for view in views:
                    self.post_message(CallsArrived(view.messages))
        except RequestRefused:
            return  # this token is for the devices only

    @on(CallsArrived)
    def _calls_arrived(self, news: CallsArrived) -> None:
        known = {call.message for call in self._calls}
        new = [call for call in news.calls if call.message not in known]
        self._calls = news.calls
        if new:
            self.app.bell()
            self.tell(say("calls.new", sender=new[-1].sender, words=new[-1].words))

    @on(CallAnswered)
    def _call_answered(self, news: CallAnswered) -> None:
        self.tell(news.sentence)

    def action_calls(self) -> None:
        """Look at the calls, and take one."""
        if not self._calls:
            self.tell(say("calls.none"))
            return

        def chosen(message: str | None) -> None:
            if message is not None:
                self.run_worker(self._take(message), name="call", group="orders")

        self.app.push_screen(CallsDialog(self._calls, self._pen), chosen)

    async def _take(self, message: str) -> None:
        try:
            await self._client.acknowledge(message)
        except (RequestRefused, HallUnreachable) as exc:
            self.post_message(CallAnswered(exc.text.zh))
        else:
            self.post_message(CallAnswered(say("calls.taken")))

    def tell(self, sentence: str) -> None:
        """Say it on the line of results."""
        raise NotImplementedError
