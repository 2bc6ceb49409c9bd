"""Keys of the counter screen: each becomes one request or one question; the daemon decides."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.binding import Binding, BindingType
from textual.widgets import OptionList

from hall_daemon.client import Link
from hall_daemon.protocol import CurrentTicket, FilePages, ScanJobView, WindowView
from hall_daemon.protocol_window import PageDots
from hall_daemon.words import CancelReason, Hold, Outcome, ParkReason
from kiosk_ui import counter_steps
from kiosk_ui.counter_cases import CaseKeys, Cases
from kiosk_ui.counter_dialogs import OTHER_MATERIAL, Answer, Candidate, Choice, FileOrder, FilePagesDialog, Help, Pick
from kiosk_ui.counter_page import PageDialog, Wanted
from kiosk_ui.counter_screen import StepFailed, marked
from kiosk_ui.counter_sign_in import SignInDialog, SignInOrder
from kiosk_ui.counter_steps import Step
from kiosk_ui.counter_view import Stage, say, scan_of

T = TypeVar("T")
_OUTCOMES = (Outcome.COMPLETED, Outcome.RECEIVED, Outcome.SUPPLEMENT, Outcome.RETURNED, Outcome.CONSULTED)
_REASONS = (ParkReason.MATERIAL, ParkReason.COPY, ParkReason.APPROVAL, ParkReason.OTHER)


class CounterScreen(CaseKeys):
    """The clerk's one screen."""

    # Letters are never shortcuts: an input method takes them. It also turns some signs of the main keyboard into
    # Chinese ones, which are bound too. A terminal reports Shift+F4 as F16, Shift+F5 as F17, Shift+F6 as F18.
    # Priority: a key means what it means on the screen at its moment, however fast the next one follows.
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(n), f"digit({n})", say("key.tick"), id=f"counter.tick_{n}", priority=True) for n in range(1, 10)),
        *(
            Binding(keys, action, say(f"key.{name}"), id=f"counter.{name}", priority=True)
            for name, action, keys in (
                ("next", "call_next", "plus,fullwidth_plus_sign,f2"),
                ("recall", "recall", "asterisk,fullwidth_asterisk,f3"),
                ("no_show", "no_show", "minus,fullwidth_hyphen_minus,f4"),
                ("park", "park", "slash,fullwidth_solidus,ideographic_comma,f5"),
                ("resume", "resume", "full_stop,ideographic_full_stop,f17,shift+f5"),
                ("main", "main", "enter"),
                ("requeue", "requeue", "f16,shift+f4"),
                ("cancel", "cancel", "delete,f18,shift+f6"),
                ("add_item", "add_item", "insert"),
                ("transfer", "transfer", "f6"),
                ("colleague", "colleague", "f19,shift+f7"),
                ("scan", "scan", "f7"),
                ("pause", "pause", "f12"),
                ("notice", "notice", "f8"),
                ("note", "note", "f20,shift+f8"),
                ("rate", "rate", "f9"),
                ("call_for", "call_for", "f21,shift+f9"),
                ("commands", "commands", "ctrl+p"),
                ("messages", "messages", "f14,shift+f2"),
                ("undo", "undo", "backspace"),
                ("tick_all", "digit(0)", "0"),
                ("help", "help", "question_mark,fullwidth_question_mark,f1"),
                ("back", "leave_list", "escape"),
                ("lists", "next_list", "tab"),
                ("lists_back", "last_list", "shift+tab"),
                ("down", "move('cursor_down')", "down"),
                ("up", "move('cursor_up')", "up"),
                ("page_down", "move('page_down')", "pagedown"),
                ("page_up", "move('page_up')", "pageup"),
            )
        ),
    ]

    # The daemon takes a moment over a PIN; who presses + meanwhile need not press it again.
    _signing_in = _next_wanted = False

    def greet(self, view: WindowView) -> None:
        """A screen that was started again goes on with its session; else ask who it is."""
        if self._client.session and view.clerk:
            self._send(self._steps.here())
        else:
            self._client.session = ""
            self._ask_clerk()

    def refused(self, message: StepFailed) -> None:
        """Ask again who it is, with what was wrong; or why somebody is no longer waited for."""
        self._signing_in = self._next_wanted = False
        if message.code == "recall_first":
            self.ask_early(message)
        elif message.code == "still_away" and message.step:
            self.ask_back(message.step.number, message.sentence)
        elif message.code == "nothing_to_undo" and self._stage() is Stage.CALLING:
            self.ask_put_back()
        elif message.code == "session_over" or (message.step and message.step.verb == "sign_in"):
            self._ask_clerk(message.sentence)

    def settled(self) -> None:
        """Signed in and drawn: make the call that was asked for meanwhile, unless somebody is at the window."""
        if self._link.link is not Link.ONLINE:
            self._signing_in = self._next_wanted = False
        elif self._signing_in and (stage := self._stage()) is not Stage.SIGNED_OUT:
            wanted, self._signing_in, self._next_wanted = self._next_wanted, False, False
            if wanted and stage is Stage.IDLE:
                self.action_call_next()

    # ---- keys: the ticket at the window

    def action_call_next(self) -> None:
        """Call the next; while somebody is here, ask what becomes of them first."""
        stage = self._stage()
        if stage is Stage.SIGNED_OUT and self._signing_in:
            self._next_wanted = True
        elif stage is Stage.SIGNED_OUT:
            self._hint("none.clerk")
        elif self._view is None or self._view.current is None:
            self._papers_out = False
            self._send(self._steps.call_next(None))
        elif stage is Stage.PAUSED:
            self._hint("none.paused")
        elif stage is Stage.CALLING:
            self._ask_next_calling(self._view.current)
        else:
            self._ask_next_serving(self._view.current.number)

    def _ask_next_calling(self, current: CurrentTicket) -> None:
        number, steps = current.number, self._steps
        calls = say("called_times", n=current.call_no)
        answers = [
            Answer(key="Enter", label=say("choice.missed_next"), value="no_show", hint=say("choice.missed_next_hint")),
            Answer(key="*", label=say("choice.recall"), value="recall", hint=calls),
        ]
        rows = {"no_show": (steps.no_show(number), steps.call_next(None)), "recall": (steps.recall(number),)}
        self._ask(
            Choice(say("ask.next_calling", number=number), answers, self._pen), lambda key: self._send(*rows[key])
        )

    def _ask_next_serving(self, number: str) -> None:
        answers = [
            Answer(key="Enter", label=say("choice.finish_next"), value="finish", hint=say("choice.finish_next_hint")),
            Answer(key="/", label=say("choice.park_next"), value="park", hint=say("choice.park_next_hint")),
        ]
        rows = {
            # The daemon finishes who is being served in the same transaction as it calls.
            "finish": (self._steps.call_next(number),),
            "park": (self._steps.park(number, ParkReason.OTHER), self._steps.call_next(None)),
        }
        self._ask(
            Choice(say("ask.next_serving", number=number), answers, self._pen), lambda key: self._send(*rows[key])
        )

    def action_recall(self) -> None:
        """Call the same number again."""
        if current := self._current():
            self._send(self._steps.recall(current.number))

    def action_no_show(self) -> None:
        """Called and did not come."""
        if current := self._current():
            self._send(self._steps.no_show(current.number))

    def action_park(self) -> None:
        """Interrupt, with a reason."""
        if current := self._current():
            number = current.number
            here = [Answer(key=str(n), label=say(f"reason.{r}"), value=r) for n, r in enumerate(_REASONS, 1)]
            # Which hold: papers kept here, any window of the queue, or another step that must come back first.
            others = [
                Answer(key=str(len(here) + n), label=say(f"hold.{h}"), value=h)
                for n, h in enumerate((Hold.OPEN, Hold.STAGE), 1)
            ]
            self._ask(self._choice("ask.park", here + others, number=number), lambda how: self._park(number, how))

    def _park(self, number: str, how: str) -> None:
        if how == Hold.STAGE:
            dialog = Pick(say("ask.stage", number=number), [], self._pen, say("stage_line"), free=True)
            self._ask(
                dialog, lambda step: self._with_them(self._steps.park(number, ParkReason.OTHER, Hold.STAGE, step))
            )
        elif how == Hold.OPEN:
            self._with_them(self._steps.park(number, ParkReason.OTHER, Hold.OPEN))
        else:
            self._with_them(self._steps.park(number, how))

    def _with_them(self, step: Step) -> None:
        """A step with somebody who is at the window; whoever was only called has come when it is pressed."""
        here = (self._steps.serve(step.number),) if self._stage() is Stage.CALLING else ()
        self._send(*here, step)

    def action_main(self) -> None:
        """What comes next in this state: sign in, call, serve, finish; in a list, take the marked ticket."""
        stage = self._stage()
        if isinstance(self.focused, OptionList):
            self._take_marked(self.focused)
        elif stage is Stage.SIGNED_OUT:
            self._ask_clerk()
        elif stage is Stage.IDLE:
            self.action_call_next()
        elif stage is Stage.PAUSED:
            self.action_pause()
        elif current := self._current():
            if stage is Stage.CALLING:
                self._send(self._steps.serve(current.number))
            else:
                self._ask_outcome(current.number)

    def _ask_outcome(self, number: str) -> None:
        if self._view is not None and not self._view.outcome_required:
            self._send(self._steps.finish(number, Outcome.COMPLETED))
            return
        answers = [Answer(key=str(n), label=say(f"outcome.{o}"), value=o) for n, o in enumerate(_OUTCOMES, 1)]
        question = self._choice("ask.finish", answers, number=number)
        self._ask(question, lambda outcome: self._finish(number, outcome))

    def action_transfer(self) -> None:
        """To another window, queue or zone; the ones next to this queue first."""
        if (current := self._current()) is None:
            return
        if self._map is None:
            self._hint("none.map")
            return
        number = current.number
        targets = counter_steps.transfer_targets(self._map, self._window, current.queue)
        dialog = Pick(say("ask.transfer", number=number), targets, self._pen, say("transfer.line"))
        self._ask(dialog, lambda target: self._with_them(self._steps.transfer(number, target)))
        self.say_how_it_stands(dialog)

    def action_colleague(self) -> None:
        """A colleague goes on with the visit."""
        if (current := self._current()) is None:
            return
        if self._map is None:
            self._hint("none.map")
            return
        number = current.number
        targets = counter_steps.colleagues(self._map, self._window, current.queue)
        dialog = Pick(say("ask.colleague", number=number), targets, self._pen, say("transfer.line"))
        self._ask(dialog, lambda to: self._with_them(self._steps.to_colleague(number, to.removeprefix("window:"))))
        self.say_how_it_stands(dialog)

    # ---- keys: other tickets

    def _resume(self, number: str) -> None:
        self._send(self._steps.resume(number))

    def _requeue(self, number: str) -> None:
        self._send(self._steps.requeue(number))

    def action_resume(self) -> None:
        """Take a parked ticket up again; a list where there are several."""
        rows = counter_steps.parked(self._view.parked if self._view else (), self._pen)
        if not rows:
            self._hint("none.parked")
        elif len(rows) == 1:
            self._resume(rows[0].value)
        else:
            self._ask(Pick(say("ask.resume"), rows, self._pen), self._resume)

    def action_requeue(self) -> None:
        """Put a missed ticket back in line."""
        rows = counter_steps.in_line(self._view.missed if self._view else (), self._pen)
        if not rows:
            self._hint("none.missed")
        else:
            self._ask(Pick(say("ask.requeue"), rows, self._pen), self._requeue)

    def action_cancel(self) -> None:
        """Give up a number: the marked one of the waiting list, or one from a list."""
        rows = counter_steps.in_line(self._view.waiting if self._view else (), self._pen)
        waiting = self.query_one("#waiting", OptionList)
        if not rows:
            self._hint("none.waiting")
        elif self.focused is waiting and (number := marked(waiting)):
            self._ask_cancel(number)
        else:
            self._ask(Pick(say("ask.cancel"), rows, self._pen), self._ask_cancel)

    def _ask_cancel(self, number: str) -> None:
        answers = [Answer(key=str(n), label=say(f"cancel.{r}"), value=r) for n, r in enumerate(CancelReason, 1)]
        question = self._choice("ask.cancel_reason", answers, number=number)
        self._ask(question, lambda reason: self._send(self._steps.cancel(number, reason)))

    def _take_marked(self, tickets: OptionList) -> None:
        """Call out of turn, put back, or take up the marked ticket."""
        actions = {"waiting": self._ask_chosen, "missed": self._requeue, "parked": self._resume}
        if number := marked(tickets):
            actions[str(tickets.id)](number)

    def action_next_list(self) -> None:
        """To the next list that is shown."""
        self.focus_next(OptionList)

    def action_last_list(self) -> None:
        """To the list before."""
        self.focus_previous(OptionList)

    def action_move(self, step: str) -> None:
        """Move the mark in the list."""
        if isinstance(self.focused, OptionList):
            getattr(self.focused, f"action_{step}")()

    def action_leave_list(self) -> None:
        """Back from a list, so that Enter is the main action again."""
        self.set_focus(None)

    # ---- keys: scanning, signing in and out, help

    def action_scan(self) -> None:
        """Scan, or file what has been scanned."""
        if (current := self._current()) is None:
            return
        scan = scan_of(self._view)
        if self._stage() is not Stage.SERVING:
            self._hint("none.serving")
        elif scan is not None and scan.state == "scanning":
            stop = Answer(key="1", label=say("scan.stop"), value=scan.job, hint=say("scan.stop_hint"))
            question = Choice(say("still_scanning"), [stop], self._pen)
            self._ask(question, lambda job: self._send(self._steps.stop_scan(current.number, job)))
        elif scan is not None and scan.state != "filed" and scan.pages:
            dialog = FilePagesDialog(
                current.number, scan, current.materials, self._picture(), lambda no: self._enlarge(scan, no)
            )
            self._ask(dialog, lambda order: self._file(current.number, scan.job, order))
        else:
            self._ask_scan(current.number)

    def _ask_scan(self, number: str, note: str = "") -> None:
        scan = scan_of(self._view)
        begun = len(scan.pages) if scan is not None and scan.problem and scan.state != "scanning" else 0
        sources = (*(("resume",) if begun else ()), "platen", "feeder", "fine", "duplex")
        ways = [(say(f"scan.{s}", n=begun), s, "") for s in sources]
        if self._map is not None and not self._scanner_works():
            near = counter_steps.scanners_beside(self._map, self._window)[:2]
            ways = [(say(f"scan.beside_{s}", window=w), s, w) for w in near for s in ("platen", "feeder")] + ways
        answers = [Answer(key=str(n), label=label, value=str(n)) for n, (label, _, _) in enumerate(ways, 1)]
        title = say("ask.scan", number=number)
        question = Choice(title, answers, self._pen, f"{note}{say('dialog.enter_is_first')}")
        self._ask(question, lambda n: self._send(self._steps.scan(number, ways[int(n) - 1][1], ways[int(n) - 1][2])))

    def _scanner_works(self) -> bool:
        lamps = self._view.devices if self._view else ()
        return any(lamp.kind == "scanner" and lamp.well for lamp in lamps) or not lamps

    def _file(self, number: str, job: str, order: FileOrder) -> None:
        if not order.pages:
            self._ask_scan(number, f"{say('scan.again_hint')}    ")
            return
        self._with_cases(number, lambda cases: self._file_for(number, job, order, cases))

    def _file_for(self, number: str, job: str, order: FileOrder, cases: Cases) -> None:
        """Of several open cases that ask for this paper, the clerk says which one it is for."""
        open_cases = [c for c in cases if c.state in ("received", "supplement", "accepted")]
        asking = [c for c in open_cases if any(line.code == order.code for line in c.lines)]
        request = FilePages(material_code=order.code, material_name=order.name, pages=order.pages)
        if len(asking) < 2:
            self._file_as(number, job, request)
            return
        every = Answer(key="Enter", label=say("file.every_case"), value="")
        each = [Answer(key=str(n), label=c.item_name.zh, value=c.local_case_no) for n, c in enumerate(asking[:9], 1)]
        question = Choice(say("ask.file_case", name=order.name), [every, *each], self._pen)
        self._ask(question, lambda no: self._file_as(number, job, request.model_copy(update={"local_case_no": no})))

    def _file_as(self, number: str, job: str, request: FilePages) -> None:
        current = self._current()
        code = request.material_code
        if current is None or code not in current.filed or code == OTHER_MATERIAL:
            self._send(self._steps.file(number, job, request))
            return
        answers = [Answer(key=str(n), label=say(f"replace.{s}"), value=s) for n, s in enumerate(("add", "bad"), 1)]
        question = Choice(
            say("ask.replace", name=request.material_name), answers, self._pen, say("dialog.enter_is_first")
        )
        self._ask(
            question,
            lambda how: self._send(self._steps.file(number, job, request.model_copy(update={"replace": how == "bad"}))),
        )

    def _enlarge(self, scan: ScanJobView, no: int) -> None:
        async def fetch(wanted: Wanted) -> PageDots:
            return await self._client.page_dots(
                self._window, scan.job, wanted.page, zoom=wanted.zoom, x=wanted.x, y=wanted.y, width=wanted.width,
                height=wanted.height,
            )  # fmt: skip

        self.app.push_screen(PageDialog(fetch, [page.no for page in scan.pages], no, self._pen))

    def _ask_clerk(self, trouble: str = "") -> None:
        if any(isinstance(screen, SignInDialog) for screen in self.app.screen_stack):
            return
        view = self._view
        there = (view.clerk_name or view.clerk or "") if view else ""
        clerks = self._map.clerks if self._map else ()
        typed = self._clerk or (view.clerk or "" if view else "")
        dialog = SignInDialog(self._window, clerks, self._pen, typed=typed, there=there, note=trouble)
        self._ask(dialog, self._sign_in)

    def _sign_in(self, order: SignInOrder) -> None:
        if counter_steps.is_clerk(order.clerk):
            self._clerk = order.clerk
            self._signing_in = self._link.link is Link.ONLINE
            self._send(self._steps.sign_in(order.clerk, order.pin, take_over=order.take_over))
        else:
            self._ask_clerk(say("bad_clerk", clerk=order.clerk))

    def action_help(self) -> None:
        """All keys."""
        self.app.push_screen(Help(self._pen))

    def action_commands(self) -> None:
        """Find what to do by its name."""
        keys = {b.id.removeprefix("counter."): b for b in self.BINDINGS if isinstance(b, Binding) and b.id}
        rows = [
            Candidate(value=keys[name].action, code=key, label=f"{key:<10}{say(f'key.{name}')}")
            for key, name in (*Help.PAD, *Help.FUNCTIONS)
            if name in keys
        ]

        def chosen(action: str) -> None:
            self.call_later(self.run_action, action)

        self._ask(Pick(say("ask.command"), rows, self._pen), chosen)
