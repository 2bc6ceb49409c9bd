"""Keys of the counter screen beside the way of a visit: pauses, papers, choices, undoing, notes, messages."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from textual import events, on
from textual.message import Message
from textual.screen import ModalScreen

from hall_daemon.client import HallUnreachable, Link, RequestRefused
from hall_daemon.protocol import CurrentTicket
from hall_daemon.protocol_window import Places
from hall_daemon.words import MessageTo, PauseReason
from kiosk_ui import counter_steps
from kiosk_ui.counter_dialogs import Answer, Candidate, Choice, Pick
from kiosk_ui.counter_screen import StepFailed, WindowScreen
from kiosk_ui.counter_view import Stage, say, stage_of

T = TypeVar("T")
# Minutes that each reason usually takes; what the window display promises unless the clerk says otherwise.
_PAUSES = {
    PauseReason.PAPERS: 10, PauseReason.DEVICE: 15, PauseReason.MEAL: 30, PauseReason.AWAY: 10,
    PauseReason.TRAINING: 60,
}  # fmt: skip
_LENGTHS = (5, 10, 15, 30, 60)
_CHOSEN = ("chosen.frail", "chosen.stamp", "chosen.waited", "chosen.manager")
_PUT_BACK = ("put_back.wrong", "put_back.elsewhere")
_EARLY = ("early.left", "early.gave_up", "early.wrong")
# The daemon is told that somebody is there at most so often.
HERE_S = 60.0


@dataclass
class PlacesArrived(Message):
    """How it stands elsewhere, for a list that is open."""

    dialog: Pick
    places: Places


class MoreKeys(WindowScreen):
    """What a clerk does now and then."""

    _told_here_s = 0.0
    # Whether the last end gave papers away, which an undo makes void.
    _papers_out = False

    def _stage(self) -> Stage:
        return stage_of(self._view, mine=bool(self._client.session))

    def _current(self) -> CurrentTicket | None:
        """The ticket that the clerk sees; says so where there is none."""
        if self._stage() is Stage.SIGNED_OUT:
            self._hint("none.clerk")
            return None
        current = self._view.current if self._view else None
        if current is None:
            self._hint("none.here")
        return current

    def on_key(self, _event: events.Key) -> None:
        """Any key says that somebody is there."""
        self.notice_presence()

    def notice_presence(self) -> None:
        """Tell the daemon that somebody is at the screen, now and then."""
        now_s = time.monotonic()
        if self._client.session and now_s - self._told_here_s > HERE_S:
            self._told_here_s = now_s
            self._send_quietly(self._steps.here())

    # ---- 暂停服务

    def action_pause(self) -> None:
        """Pause with a reason and a length, or sign off; while paused go on."""
        stage = self._stage()
        if stage is Stage.PAUSED:
            self._send(self._steps.go_on())
        elif stage in {Stage.SIGNED_OUT, Stage.UNKNOWN}:
            self._hint("none.clerk")
        elif self._view and self._view.current:
            self._hint("still_here", number=self._view.current.number)
        else:
            answers = [
                Answer(key=str(n), label=say(f"pause.{r}"), value=r, hint=say("minutes_long", n=_PAUSES[r]))
                for n, r in enumerate(PauseReason, 1)
            ]
            out = Answer(
                key=str(len(answers) + 1), label=say("choice.sign_out"), value="out", hint=say("choice.sign_out_hint")
            )
            self._ask(Choice(say("ask.pause"), [*answers, out], self._pen), self._pause_for)

    def _pause_for(self, reason: str) -> None:
        if reason == "out":
            self._send(self._steps.sign_out())
            return
        usual = _PAUSES[PauseReason(reason)]
        first = Answer(key="Enter", label=say("minutes_long", n=usual), value=str(usual))
        others = [
            Answer(key=str(n), label=say("minutes_long", n=length), value=str(length))
            for n, length in enumerate(_LENGTHS, 1)
        ]
        open_end = Answer(key="0", label=say("pause_open_end"), value="0")
        question = Choice(say("ask.pause_length", reason=say(f"pause.{reason}")), [first, *others, open_end], self._pen)
        self._ask(question, lambda minutes: self._send(self._steps.pause(reason, int(minutes))))

    # ---- papers

    def action_digit(self, digit: int) -> None:
        """Tick a paper while serving; 0 ticks all. With nobody here 0 serves somebody without a ticket."""
        stage = self._stage()
        if stage is Stage.SERVING and (current := self._current()) is not None:
            codes = tuple(need.code for need in current.materials)
            if digit == 0 and codes:
                self._send(self._steps.tick(current.number, codes, on=not set(codes) <= set(current.ticked)))
            elif 0 < digit <= len(codes):
                code = codes[digit - 1]
                self._send(self._steps.tick(current.number, (code,), on=code not in current.ticked))
        elif stage is Stage.IDLE and digit == 0:
            self._ask_walk_in()

    def action_note(self) -> None:
        """Words about the ticket for whoever serves it next."""
        if (current := self._current()) is not None:
            number = current.number
            dialog = Pick(say("ask.note", number=number), [], self._pen, say("note_line"), free=True)
            self._ask(dialog, lambda words: self._send(self._steps.note(number, words)))

    # ---- others

    def _ask_walk_in(self) -> None:
        if self._map is None:
            self._hint("none.map")
            return
        request_id = str(uuid.uuid4())  # a second press sends the same, and serves one resident
        items = counter_steps.items_of(self._map, self._window)
        dialog = Pick(say("ask.walk_in"), items, self._pen, say("walk_in_line"))
        self._ask(dialog, lambda item: self._send(self._steps.walk_in(item, request_id)))

    def _ask_chosen(self, number: str) -> None:
        """Out of turn: what is to become of a waiting ticket."""
        pinned = {t.number for t in self._view.waiting if t.pinned} if self._view else set()
        pin = "unpin" if number in pinned else "pin"
        answers = [
            Answer(key="1", label=say("choice.select"), value="select", hint=say("choice.reason_hint")),
            Answer(key="2", label=say(f"choice.{pin}"), value=pin, hint=say("choice.pin_hint")),
            Answer(key="3", label=say("key.cancel"), value="cancel"),
        ]
        self._ask(self._choice("ask.chosen", answers, number=number), lambda deed: self._chosen(deed, number))

    def _chosen(self, deed: str, number: str) -> None:
        if deed == "cancel":
            self._ask_cancel(number)
            return
        if deed == "unpin":
            self._send(self._steps.unpin(number))
            return
        seen = self._view.current.number if self._view and self._view.current else None

        def go(reason: str) -> None:
            self._send(self._steps.pin(number, reason) if deed == "pin" else self._steps.select(number, seen, reason))

        self._ask_reason("ask.why_first", _CHOSEN, go, number=number)

    def _ask_reason(self, code: str, reasons: tuple[str, ...], then: Callable[[str], None], **facts: str) -> None:
        """One of the usual reasons on a digit, or words of one's own."""
        answers = [Answer(key=str(n), label=(words := say(r)), value=words) for n, r in enumerate(reasons, 1)]
        other = Answer(key=str(len(answers) + 1), label=say("reason_other"), value="")

        def heard(reason: str) -> None:
            if reason:
                then(reason)
            else:
                self._ask(Pick(say(code, **facts), [], self._pen, say("reason_line"), free=True), then)

        self._ask(self._choice(code, [*answers, other], **facts), heard)

    def ask_early(self, message: StepFailed) -> None:
        """The daemon wants more calls before a no-show, or a reason."""
        number = message.step.number if message.step else ""
        answers = _EARLY
        self._ask_reason(
            "ask.early", answers, lambda reason: self._send(self._steps.no_show(number, reason)), number=number
        )

    def ask_put_back(self) -> None:
        """Too late to undo a wrong call: back to the front of the line, with a reason."""
        if self._view and self._view.current:
            number = self._view.current.number
            self._ask_reason(
                "ask.put_back", _PUT_BACK, lambda why: self._send(self._steps.put_back(number, why)), number=number
            )

    def ask_back(self, number: str, sentence: str) -> None:
        """A parked ticket waits for another step: has it come back?"""
        back = Answer(key="Enter", label=say("choice.stage_back"), value="back", hint=say("choice.stage_back_hint"))
        steps = (self._steps.stage_back(number), self._steps.resume(number))
        self._ask(Choice(sentence, [back], self._pen), lambda _: self._send(*steps))

    def action_add_item(self) -> None:
        """One more thing for the number at the window."""
        if (current := self._current()) is None:
            return
        if self._map is None:
            self._hint("none.map")
            return
        number = current.number
        items = [Candidate(value=i.code, code=i.queue, label=f"{i.queue}  {i.name.zh}") for i in self._map.items]
        dialog = Pick(say("ask.add_item", number=number), items, self._pen, say("walk_in_line"))
        self._ask(dialog, lambda item: self._send(self._steps.add_item(number, item)))

    def action_call_for(self) -> None:
        """The guard, the manager, an adviser, a technician."""
        if self._stage() in {Stage.SIGNED_OUT, Stage.UNKNOWN}:
            self._hint("none.clerk")
            return
        answers = [Answer(key=str(n), label=say(f"call.{w}"), value=w) for n, w in enumerate(MessageTo, 1)]
        question = Choice(say("ask.call_for"), answers, self._pen)
        self._ask(question, lambda whom: self._send(self._steps.call_for(whom)))

    def action_messages(self) -> None:
        """The messages to this window; Enter says that they have been read."""
        unread = [m for m in self._view.messages if not m.mine and not m.acknowledged] if self._view else []
        if not unread:
            self._hint("none.messages")
            return
        words = "\n".join(f"{m.at} {m.sender}：{m.words}" for m in unread[:5])
        answers = [Answer(key="Enter", label=say("choice.read"), value="read")]
        self._ask(
            Choice(words, answers, self._pen),
            lambda _: self._send(*(self._steps.read_message(m.message) for m in unread[:5])),
        )

    def action_undo(self) -> None:
        """Take back the last call, no-show or finish."""
        if self._stage() in {Stage.SIGNED_OUT, Stage.UNKNOWN}:
            self._hint("none.clerk")
        else:
            self._send(self._steps.undo(papers=self._papers_out))
            self._papers_out = False

    def say_how_it_stands(self, dialog: Pick) -> None:
        """Beside windows and queues to choose from: free, busy, how many wait; the list does not wait for it."""

        async def ask() -> None:
            with contextlib.suppress(RequestRefused, HallUnreachable):  # the list does without
                self.post_message(PlacesArrived(dialog, await self._client.places(self._window)))

        if self._link.link is Link.ONLINE:
            self.run_worker(ask(), group="places", exclusive=True, exit_on_error=True)

    @on(PlacesArrived)
    def places_arrived(self, message: PlacesArrived) -> None:
        """If the list is still open."""
        if message.dialog in self.app.screen_stack:
            message.dialog.say_more(counter_steps.how_it_stands(message.places))

    # ---- parts

    def _ask_cancel(self, number: str) -> None:
        raise NotImplementedError

    def _choice(self, code: str, answers: list[Answer], **facts: str) -> Choice:
        return Choice(say(code, **facts), answers, self._pen, say("dialog.enter_is_first"))

    def _ask(self, dialog: ModalScreen[T | None], then: Callable[[T], None]) -> None:
        def heard(answer: T | None) -> None:
            self.notice_presence()
            if answer is not None:
                then(answer)

        self.app.push_screen(dialog, heard)
