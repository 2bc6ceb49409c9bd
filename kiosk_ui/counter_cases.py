"""Keys of the counter screen about cases: what was handed in, its papers, how a visit ends with it.

What is missing and which step is legal is the daemon's business: the screen shows what it says and asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from textual import on
from textual.message import Message

from hall_daemon.client import HallUnreachable, Link, RequestRefused
from hall_daemon.protocol_cases import CaseLine, CaseView, PaperPreview, ReceivedCase, Refile, TakenPaper
from hall_daemon.words import CopyKind, Outcome
from kiosk_ui.counter_dialogs import Answer, Candidate, Choice, Pick
from kiosk_ui.counter_more import MoreKeys
from kiosk_ui.counter_paper import PaperChoice
from kiosk_ui.counter_screen import StepFailed
from kiosk_ui.counter_steps import Step, is_personal, is_ticket
from kiosk_ui.counter_view import Stage, say

Cases = tuple[CaseView, ...]
Judged = Mapping[str, TakenPaper]
"""By code: papers that the clerk has just found bad, or taken in another form."""
_WAYS = {"e_license": CopyKind.ELECTRONIC, "commitment": CopyKind.COMMITMENT}
_PRINTING = ("notice", "accept", "receive")
_ENDED = ("decided", "returned")
_FAULTS = ("fault.unclear", "fault.unsigned", "fault.unsealed", "fault.expired")
_REFUSALS = ("not_in_scope", "invalid", "duplicate")
LONGEST_FAULT = 60
MOST_LINES = 8
"""Papers listed in a question: so many leave room for its answers on a small terminal."""


@dataclass
class CasesArrived(Message):
    """The cases of a number, for whoever asked."""

    number: str
    cases: Cases
    then: Callable[[Cases], None]


@dataclass
class ReceivedArrived(Message):
    """What waits for 受理 at this window."""

    cases: tuple[ReceivedCase, ...]


@dataclass
class PaperArrived(Message):
    """What a step would print, or None where that cannot be shown now."""

    number: str
    paper: PaperPreview | None
    then: Callable[[PaperPreview | None], None]


class CaseKeys(MoreKeys):
    """F8, and the results of a visit that belong to a case."""

    def action_notice(self) -> None:
        """The case at the window: notice, receipt, acceptance, refusal, and their papers; else what waits for 受理."""
        if self._stage() is Stage.IDLE:
            self._with_received()
        elif (current := self._current()) is None:
            return
        elif self._stage() is not Stage.SERVING:
            self._hint("none.serving")
        else:
            self._with_cases(current.number, partial(self._pick_case, current.number))

    def action_rate(self) -> None:
        """Ask whoever is being served for a rating now; at the end it is asked anyway."""
        if (current := self._current()) is None:
            return
        if self._stage() is not Stage.SERVING:
            self._hint("none.serving")
        else:
            self._send(self._steps.ask_rating(current.number))

    # ---- asking the daemon

    def _with_cases(self, number: str, then: Callable[[Cases], None]) -> None:
        if self._link.link is not Link.ONLINE:
            self.post_message(StepFailed(say("not_sent")))
            return

        async def ask() -> None:
            try:
                found = (await self._client.cases(self._window)).cases
            except (RequestRefused, HallUnreachable) as exc:
                self.post_message(StepFailed(exc.text.zh))
            else:
                self.post_message(CasesArrived(number, found, then))

        self.run_worker(ask(), group="cases", exclusive=True, exit_on_error=True)

    @on(CasesArrived)
    def cases_arrived(self, message: CasesArrived) -> None:
        """Go on with them, unless another resident has come meanwhile."""
        current = self._view.current if self._view else None
        if current is not None and current.number == message.number:
            message.then(message.cases)

    def _with_received(self) -> None:
        """What was received before and waits for 受理."""
        if self._link.link is not Link.ONLINE:
            self.post_message(StepFailed(say("not_sent")))
            return

        async def ask() -> None:
            try:
                found = (await self._client.received_cases(self._window)).cases
            except (RequestRefused, HallUnreachable) as exc:
                self.post_message(StepFailed(exc.text.zh))
            else:
                self.post_message(ReceivedArrived(found))

        self.run_worker(ask(), group="cases", exclusive=True, exit_on_error=True)

    @on(ReceivedArrived)
    def received_arrived(self, message: ReceivedArrived) -> None:
        """Which of them; somebody who was called meanwhile goes first."""
        if self._stage() is not Stage.IDLE:
            return
        if not message.cases:
            self._hint("none.received")
            return
        rows = [
            Candidate(
                value=case.local_case_no, code=case.number,
                label=f"{case.number:<6}{self._pen.fit(case.item_name.zh, 20)} {_until(case)}",
            )
            for case in message.cases
        ]  # fmt: skip
        numbers = {case.local_case_no: case.number for case in message.cases}
        dialog = Pick(say("ask.received", n=len(rows)), rows, self._pen, say("received.line"))
        self._ask(dialog, lambda case_no: self._send(*self._steps.accept_received(numbers[case_no], case_no)))

    # ---- one case

    def _pick_case(self, number: str, cases: Cases) -> None:
        if not cases:
            self._hint("none.cases")
        elif len(cases) == 1:
            self._ask_case(number, cases[0], {}, cases)
        else:
            answers = [
                Answer(key=str(n), label=case.item_name.zh, value=str(n), hint=_standing(case))
                for n, case in enumerate(cases[:9], 1)
            ]
            question = self._choice("ask.case", answers, number=number)
            self._ask(question, lambda n: self._ask_case(number, cases[int(n) - 1], {}, cases))

    def _ask_case(self, number: str, case: CaseView, judged: Judged, cases: Cases) -> None:
        """What is to become of a case; `judged` are papers that the clerk has just found bad."""
        deeds = _deeds(case, judged)
        if not deeds:
            self._hint("case_ended", state=_standing(case))
            return
        self._with_paper(number, case, judged, deeds[0], partial(self._ask_deed, number, case, judged, cases, deeds))

    def _with_paper(
        self, number: str, case: CaseView, judged: Judged, deed: str,
        then: Callable[[PaperPreview | None], None],
    ) -> None:  # fmt: skip
        """What the likeliest step would print."""
        if deed not in _PRINTING or (deed == "accept" and case.kind == "immediate"):
            then(None)
            return
        request = self._steps.preview(number, case.item, deed, judged)

        async def ask() -> None:
            try:
                paper = await self._client.preview_paper(self._window, request)
            except (RequestRefused, HallUnreachable):
                self.post_message(PaperArrived(number, None, then))  # the step itself will say why
            else:
                self.post_message(PaperArrived(number, paper, then))

        self.run_worker(ask(), group="cases", exclusive=True, exit_on_error=True)

    @on(PaperArrived)
    def paper_arrived(self, message: PaperArrived) -> None:
        """Go on with it, unless another resident has come meanwhile."""
        current = self._view.current if self._view else None
        if current is not None and current.number == message.number:
            message.then(message.paper)

    def _ask_deed(
        self, number: str, case: CaseView, judged: Judged, cases: Cases, deeds: Sequence[str],
        paper: PaperPreview | None,
    ) -> None:  # fmt: skip
        answers = [
            Answer(key=str(n), label=say(f"case.{d}"), value=d, hint=say(f"case.{d}_hint"))
            for n, d in enumerate(deeds, 1)
        ]
        title = f"{number} {case.item_name.zh}  {_standing(case)}"
        lines = _wanted(case, judged) or [say("case.complete")]
        shown = [*lines[:MOST_LINES], say("more", n=len(lines) - MOST_LINES)] if len(lines) > MOST_LINES else lines
        question = PaperChoice("\n".join([title, *shown]), answers, self._pen, paper)
        self._ask(question, lambda deed: self._do_with_case(deed, number, case, judged, cases))

    def _do_with_case(
        self, deed: str, number: str, case: CaseView, judged: Judged, cases: Cases
    ) -> None:  # fmt: skip
        steps = self._steps
        asks: dict[str, Callable[[], None]] = {
            "notice": lambda: self._send(*steps.notice(number, case.item, judged)),
            "accept": lambda: self._send(*steps.accept(number, case.item, judged)),
            "receive": lambda: self._send(*steps.receive(number, case.item, judged)),
            "print": lambda: self._send(steps.print_again(number, case)),
            "decide": lambda: self._send(steps.decide(number, case.local_case_no)),
            "fault": lambda: self._ask_fault(number, case, judged, cases),
            "waive": lambda: self._ask_waiver(number, case, judged, cases),
            "refuse": lambda: self._ask_refusal(number, (case,), ()),
            "refile": lambda: self._ask_refile(number, case, cases),
        }
        asks[deed]()

    def _ask_fault(self, number: str, case: CaseView, judged: Judged, cases: Cases) -> None:
        """A paper that was brought does not do: which, and why."""

        def named(code: str) -> None:
            def why(words: str) -> None:
                if self._may_stand(words):
                    bad = TakenPaper(code=code, fault=words[:LONGEST_FAULT])
                    self._ask_case(number, case, {**judged, code: bad}, cases)

            self._ask_reason("ask.fault", _FAULTS, why, name=_name(case, code))

        self._ask_line("ask.which_paper", [line for line in case.lines if line.state != "not_asked"], named)

    def _ask_waiver(self, number: str, case: CaseView, judged: Judged, cases: Cases) -> None:
        """An electronic licence or a letter of commitment stands in for a paper, where the item takes one."""

        def named(code: str) -> None:
            line = next(x for x in case.lines if x.code == code)
            ways = [way for way in _WAYS if way in line.waivable_by]
            answers = [Answer(key=str(n), label=say(f"waive.{way}"), value=way) for n, way in enumerate(ways, 1)]

            def way_chosen(way: str) -> None:
                instead = TakenPaper(code=code, copy_kind=_WAYS[way])
                self._ask_case(number, case, {**judged, code: instead}, cases)

            self._ask(self._choice("ask.waive", answers, name=line.name), way_chosen)

        self._ask_line("ask.which_waived", _waivable(case, judged), named)

    def _ask_line(self, code: str, lines: Sequence[CaseLine], then: Callable[[str], None]) -> None:
        if len(lines) == 1:
            then(lines[0].code)
            return
        papers = [Candidate(value=line.code, code=str(n), label=f"{n}  {line.name}") for n, line in enumerate(lines, 1)]
        self._ask(Pick(say(code), papers, self._pen), then)

    def _may_stand(self, words: str) -> bool:
        """Whether words may stand on a paper and in the log; says so where they may not."""
        if not is_personal(words):
            return True
        self._hint("words_personal")
        return False

    # ---- not accepted

    def _ask_refusal(
        self, number: str, cases: Sequence[CaseView], after: tuple[Step, ...], made: list[str] | None = None
    ) -> None:
        """不予受理: the reason in words, which stands on the paper."""
        answers = [Answer(key=str(n), label=say(f"refusal.{r}"), value=r) for n, r in enumerate(_REFUSALS, 1)]
        other = Answer(key=str(len(answers) + 1), label=say("reason_other"), value="")

        def refuse(reason: str, words: str) -> None:
            if not self._may_stand(words):
                return
            rows = [step for case in cases for step in self._steps.refuse(number, case, reason, words, made)]
            self._send(*rows, *after)

        def heard(reason: str) -> None:
            if reason:
                refuse(reason, say(f"refusal.{reason}"))
                return
            dialog = Pick(say("ask.refusal", number=number), [], self._pen, say("reason_line"), free=True)
            self._ask(dialog, lambda words: refuse("invalid", words))

        self._ask(self._choice("ask.refusal", [*answers, other], number=number), heard)

    # ---- pages that lie wrong

    def _ask_refile(self, number: str, case: CaseView, cases: Cases) -> None:
        """Pages were filed in the wrong place: which, and where they belong."""
        lines = [line for line in case.lines if line.scanned]
        self._ask_line("ask.which_pages", lines, lambda code: self._ask_where(number, code, case, cases))

    def _ask_where(self, number: str, code: str, case: CaseView, cases: Cases) -> None:
        others = [c for c in cases if c.local_case_no and c is not case and c.state not in _ENDED]
        ways = ["material", *(["case"] if others else []), "ticket", "out"]
        answers = [Answer(key=str(n), label=say(f"refile.{way}"), value=way) for n, way in enumerate(ways, 1)]

        def go(**target: str) -> None:
            order = Refile.model_validate({"seen": number, "material_code": code, **target})
            self._send(self._steps.refile(number, order))

        def heard(way: str) -> None:
            if way == "out":
                go(reason="resident_request")
            elif way == "ticket":
                dialog = Pick(say("refile.ticket"), [], self._pen, say("refile.ticket_line"), free=True)
                self._ask(dialog, lambda other: go(to_ticket=other.upper()) if is_ticket(other.upper()) else None)
            elif way == "case":
                rows = [Candidate(value=c.local_case_no, code=c.item, label=c.item_name.zh) for c in others]
                self._ask(Pick(say("refile.case"), rows, self._pen), lambda no: go(to_case=no))
            else:
                self._ask_line("refile.material", [x for x in case.lines if x.code != code], lambda to: go(to_code=to))

        self._ask(self._choice("ask.refile", answers, name=_name(case, code)), heard)

    # ---- how a visit ends

    def _finish(self, number: str, outcome: str) -> None:
        """Results that belong to a case lead to it first; the visit ends when its paper is there."""
        if outcome in (Outcome.COMPLETED, Outcome.CONSULTED):
            self._send(self._steps.finish(number, outcome))
        else:
            self._with_cases(number, lambda cases: self._finish_with(number, outcome, cases))

    def _finish_with(self, number: str, outcome: str, cases: Cases) -> None:
        due = [case for case in cases if _is_due(case, outcome)]
        if len(due) < 2:
            self._end_with(number, outcome, due)
            return
        every = Answer(key="Enter", label=say("case.all", n=len(due)), value="0")
        each = [
            Answer(key=str(n), label=case.item_name.zh, value=str(n), hint=_standing(case))
            for n, case in enumerate(due[:9], 1)
        ]
        question = Choice(say(f"ask.{outcome}_which", number=number), [every, *each], self._pen)
        self._ask(question, lambda n: self._end_with(number, outcome, due if n == "0" else [due[int(n) - 1]]))

    def _end_with(self, number: str, outcome: str, due: Sequence[CaseView]) -> None:
        made: list[str] = []
        end = self._steps.finish(number, outcome, made)
        self._papers_out = bool(due)
        if outcome == Outcome.RETURNED and due:
            self._ask_refusal(number, due, (end,), made)
            return
        rows: list[Step] = []
        for case in due:
            deed = self._steps.accept if outcome == Outcome.RECEIVED else self._steps.notice
            rows += deed(number, case.item, {}, made)
        self._send(*rows, end)


def _is_due(case: CaseView, outcome: str) -> bool:
    """Whether a result of the visit asks for a step of this case first."""
    if outcome == Outcome.RECEIVED:
        return case.state in (None, "received", "supplement")
    if outcome == Outcome.SUPPLEMENT:
        return case.state in (None, "received") and not case.complete
    return case.state not in _ENDED


def _deeds(case: CaseView, judged: Judged) -> list[str]:
    """What can be done with a case, the likeliest first; the daemon may still refuse."""
    fresh = case.state in (None, "received", "supplement")
    complete = not _lacking(case, judged)
    wanted = {
        "notice": case.state not in _ENDED and not complete,
        "accept": fresh and complete,
        "decide": case.state == "accepted",
        "receive": case.state is None and (any(line.copy_kind for line in case.lines) or bool(judged)),
        "print": bool(case.notices) or case.state == "received",
        "fault": fresh,
        "waive": fresh and bool(_waivable(case, judged)),
        "refile": case.state not in _ENDED and any(line.scanned for line in case.lines),
        "refuse": case.state not in _ENDED,
    }
    return [deed for deed, can in wanted.items() if can]


def _lacking(case: CaseView, judged: Judged) -> list[CaseLine]:
    """Papers that are still wanted, as the clerk has judged meanwhile; what counts is what the daemon says."""
    return [
        line for line in case.lines if (judged[line.code].fault if line.code in judged else line.wanted.zh)
    ]  # fmt: skip


def _waivable(case: CaseView, judged: Judged) -> list[CaseLine]:
    return [line for line in _lacking(case, judged) if set(line.waivable_by) & set(_WAYS)]


def _wanted(case: CaseView, judged: Judged) -> list[str]:
    """What the notice will say, a line a paper."""
    said = [
        f"{line.name}：{judged[line.code].fault}" if line.code in judged else line.wanted.zh
        for line in _lacking(case, judged)
    ]
    return [f"  {n} {words}" for n, words in enumerate(said, 1)]


def _until(case: ReceivedCase) -> str:
    """Until when it must be accepted, and what it still lacks."""
    day = case.accept_by[5:].replace("-", "/")
    lacks = f"  {say('received.lacks', n=case.wanted)}" if case.wanted else ""
    return say("received.until", day=day) + lacks


def _standing(case: CaseView) -> str:
    return say(f"case.state.{case.state or 'none'}")


def _name(case: CaseView, code: str) -> str:
    return next((line.name for line in case.lines if line.code == code), code)
