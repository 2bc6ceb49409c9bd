"""Verbs of cases: receive, accept, give one complete notice, supplement, return, withdraw, decide.

Each is one transaction with its events (province.md §8). What those have no room for (how a paper was taken, when the
clock began, the due day after a pause) stands in the journal behind them, so that every row can be rebuilt.
A decision on a case is no type of the contract: it is reported as what the clerk did (`operator.acted`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from sqlmodel import Session

from hall_daemon import case_lookups, case_views, cases
from hall_daemon.access import Role
from hall_daemon.cases import Brought, CaseKind, CaseState, CaseVerb, Line, LineState, Wanted
from hall_daemon.events import EventData, OperatorActed
from hall_daemon.events_cases import (
    CaseNotice,
    CaseReceived,
    CaseReturned,
    CaseSupplemented,
    MissingMaterial,
    RequiredMaterial,
)
from hall_daemon.hall_undo import CaseDeed, CaseStand, UndoVerbs, case_values
from hall_daemon.profile import Item
from hall_daemon.protocol import Text
from hall_daemon.protocol_cases import (
    CaseDone,
    CasesView,
    ComeBack,
    DecideCase,
    HandIn,
    ReceivedCase,
    ReceivedCases,
    ReturnCase,
    Supplement,
    TakenPaper,
    WithdrawCase,
)
from hall_daemon.store import Tx
from hall_daemon.tables import TicketRow
from hall_daemon.tables_cases import CaseCounterRow, CasePaperRow, CaseRow, NoticeRow
from hall_daemon.texts import text
from hall_daemon.tickets import HallError, IllegalStep, NotFound
from hall_daemon.words import CounterKind, TicketState

NoticeKind = Literal["accept", "supplement", "reject"]
MOST_STEPS = 500
"""Steps that are kept to be undone; it can be done for seconds only."""
MOST_RECEIVED = 400
"""Cases that wait for 受理, of all windows, that are looked at for one."""


class CaseIncomplete(HallError):
    """Something is still wanted; all of it is to be told at one time."""

    code = "case_incomplete"


class CaseComplete(HallError):
    """Nothing is wanted: there is nothing to tell."""

    code = "case_complete"


class CaseNothing(HallError):
    """Nothing has been handed in that could be received."""

    code = "case_nothing"


class CaseNoItem(HallError):
    """The number is for a desk and not for a service item."""

    code = "case_no_item"


class NoMoreCases(HallError):
    """The numbers of a day are used up."""

    code = "no_more_cases"


class CaseNotYours(HallError):
    """The front clerk of a comprehensive window takes in and does not decide."""

    code = "case_not_yours"


class CaseStep(HallError):
    """The case is not in a state for this."""

    code = "case_step"

    @property
    def sentence(self) -> Text:
        state = text(f"case.state.{self.facts['state']}")
        return Text(zh=text("hall.case_step", state=state.zh).zh, en=text("hall.case_step", state=state.en).en)


def may_decide(kind: CounterKind, role: Role) -> bool:
    """Whether a decision can be made here: at a comprehensive window by a representative only (首席代表)."""
    return kind is not CounterKind.GENERAL or role in (Role.CHIEF, Role.MANAGER)


@dataclass
class _Hand:
    """One verb at work on one case."""

    tx: Tx
    window: str
    clerk: str
    ticket: TicketRow
    row: CaseRow
    is_new: bool = False
    brought: dict[str, Brought] = field(default_factory=dict)
    """By code, the last judgement."""
    event: int = 0
    """The last one that was emitted."""
    stand: CaseStand = field(init=False)
    """Before anything was done."""

    def __post_init__(self) -> None:
        told = [] if self.is_new else case_lookups.notices_of(self.tx.session, self.row.local_case_no)
        answered = {(n.bizdate, n.notice_no): n.answered_on for n in told}
        self.stand = CaseStand(row=case_values(self.row), answered=answered)

    @property
    def lines(self) -> tuple[Line, ...]:
        return cases.checklist(case_lookups.asked_in(self.row), self.brought.values(), frozenset(self.row.applies))

    def take(self, papers: Iterable[TakenPaper]) -> None:
        """What is known already, then what was seen and scanned under this ticket, then what the clerk says now."""
        self.brought |= case_lookups.brought(self.tx.session, self.ticket.id, self.row.local_case_no)
        for said in papers:
            pages = self.brought.get(said.code)
            self.brought[said.code] = Brought(
                code=said.code, kind=said.copy_kind, fault=said.fault, material_id=pages.material_id if pages else ""
            )


class CaseVerbs(UndoVerbs):
    """Receive, accept, notify, supplement, return, withdraw, decide; and what screens ask about cases."""

    async def receive_case(self, window: str, order: HandIn) -> CaseDone:
        """收件 alone: what was brought stays here against a receipt. Raises CaseNothing, CaseStep, as accept."""

        def verb(tx: Tx) -> CaseDone:
            hand = self._hand_in(tx, window, order)
            if not hand.is_new:
                raise CaseStep(state=hand.row.state)
            if not any(line.does and line.brought for line in hand.lines):
                raise CaseNothing()
            _say_received(hand)
            return _done(hand.row, hand.event)

        return await self.store.write(verb)

    async def accept_received(self, window: str, local_case_no: str) -> CaseDone:
        """受理 of what was received before, without the resident. Raises NotFound, CaseIncomplete, CaseStep."""

        def verb(tx: Tx) -> CaseDone:
            clerk, row = self._clerk_at(tx, window), case_lookups.by_no(tx.session, local_case_no)
            if row.state != CaseState.RECEIVED.value:
                raise CaseStep(state=row.state)
            hand = _Hand(tx, window, clerk, tx.session.get_one(TicketRow, row.ticket_id), row)
            hand.take(())
            wanted = cases.still_wanted(hand.lines)
            if wanted:
                raise CaseIncomplete(missing=len(wanted))
            self._accept(hand)
            return self._say_accepted(hand)

        return await self.store.write(verb)

    async def accept_case(self, window: str, order: HandIn) -> CaseDone:
        """受理: everything is there. Raises CaseIncomplete, CaseStep, CaseNoItem, ScreenOutOfDate, NotSignedIn."""

        def verb(tx: Tx) -> tuple[CaseDone, CaseDeed]:
            hand = self._hand_in(tx, window, order)
            wanted = cases.still_wanted(hand.lines)
            if wanted:
                raise CaseIncomplete(missing=len(wanted))
            notice = _unanswered(hand)
            self._accept(hand)
            _say_received(hand)
            if notice is not None:
                _say_supplemented(hand, notice)
            return self._say_accepted(hand), _step_of(hand)

        return await self._remembered(verb)

    async def notify_case(self, window: str, order: HandIn) -> CaseDone:
        """一次性告知: everything that is still wanted, in one notice with a number. Raises CaseComplete, as accept."""

        def verb(tx: Tx) -> tuple[CaseDone, CaseDeed]:
            hand = self._hand_in(tx, window, order)
            wanted = cases.still_wanted(hand.lines)
            if not wanted:
                raise CaseComplete()
            earlier = case_lookups.notices_of(tx.session, hand.row.local_case_no)
            _step(hand.row, CaseVerb.NOTIFY, tx)
            hand.row.due_on = None
            _say_received(hand)
            event, number = self._notice(hand, "supplement", wanted)
            told = sum(n.kind == "supplement" for n in earlier)
            return _done(hand.row, event, number, repeated=cases.is_repeated(told)), _step_of(hand)

        return await self._remembered(verb)

    async def supplement_case(self, window: str, order: Supplement) -> CaseDone:
        """补件: papers in answer to a notice; accepted if nothing is wanted any more, else the notice stands."""

        def verb(tx: Tx) -> CaseDone:
            clerk, ticket = self._clerk_at(tx, window), self._serving(tx, window, order.seen)
            notice = case_lookups.notice(tx.session, order.notice_no)
            row = case_lookups.by_no(tx.session, notice.local_case_no)
            _step(row, CaseVerb.SUPPLEMENT, tx)
            hand = _Hand(tx, window, clerk, ticket, row)
            hand.take(order.papers)
            notice.back_ticket = ticket.id
            tx.session.add(notice)
            complete = cases.is_complete(hand.lines)
            if complete:
                self._accept(hand)
            event = _say_supplemented(hand, notice)
            return self._say_accepted(hand) if complete else _done(row, event, notice.notice_no)

        return await self.store.write(verb)

    async def return_case(self, window: str, order: ReturnCase) -> CaseDone:
        """退回, 不予受理: with a written reason, and a notice that says so."""

        def verb(tx: Tx) -> tuple[CaseDone, CaseDeed]:
            if order.local_case_no is None:
                hand = self._hand_in(tx, window, order)
            else:
                clerk, ticket = self._clerk_at(tx, window), self._serving(tx, window, order.seen)
                row = case_lookups.by_no(tx.session, order.local_case_no)
                hand = _Hand(tx, window, clerk, ticket, row)
                hand.take(())
            _step(hand.row, CaseVerb.RETURN, tx)
            hand.row.due_on = None
            _say_received(hand)
            _, number = self._notice(hand, "reject", ())
            event = _emit(hand, _returned(hand.row, hand.clerk, order.reason, order.reason_text))
            return _done(hand.row, event, number), _step_of(hand)

        return await self._remembered(verb)

    async def withdraw_case(self, window: str, local_case_no: str, order: WithdrawCase) -> CaseDone:
        """The resident takes the case back."""

        def verb(tx: Tx) -> CaseDone:
            clerk, row = self._clerk_at(tx, window), case_lookups.by_no(tx.session, local_case_no)
            _step(row, CaseVerb.RETURN, tx)
            row.due_on = None
            tx.session.add(row)
            event = tx.emit(_returned(row, clerk, "withdrawn", order.reason_text))
            return _done(row, event)

        return await self.store.write(verb)

    async def decide_case(self, window: str, local_case_no: str, order: DecideCase) -> CaseDone:
        """The end of an accepted case: granted, or refused with the reason. Raises CaseNotYours, CaseStep, NotFound."""

        def verb(tx: Tx) -> CaseDone:
            clerk, row = self._clerk_at(tx, window), case_lookups.by_no(tx.session, local_case_no)
            who = self.staff.get(clerk)
            if who is None or not may_decide(self.profile.windows[window].counter_kind, who.role):
                raise CaseNotYours()
            _step(row, CaseVerb.DECIDE, tx)
            row.result = order.result
            tx.session.add(row)
            event = tx.emit(
                OperatorActed(
                    actor="clerk", actor_id=clerk, action="case_decided", target=f"case/{row.local_case_no}",
                    result=order.result, reason_text=order.reason_text or None,
                )
            )  # fmt: skip
            return _done(row, event)

        return await self.store.write(verb)

    async def number_case(self, local_case_no: str, case_no: str) -> None:
        """The province has numbered a case. Raises NotFound."""

        def verb(tx: Tx) -> None:
            row = case_lookups.by_no(tx.session, local_case_no)
            row.case_no = case_no
            tx.session.add(row)

        await self.store.write(verb)

    # --- questions ----------------------------------------------------------------------------------------------------

    async def cases_at(self, window: str) -> CasesView:
        """The cases of the ticket at a window, and those that its items would become. Raises NotFound."""
        ticket = (await self.snapshot()).at_window(window)
        if ticket is None:
            raise NotFound(what=window)

        def question(session: Session) -> CasesView:
            rows = case_lookups.of_ticket(session, ticket.ticket_id)
            begun = {row.item for row in rows}
            items = [self.profile.items[c] for c in ticket.item.codes if c not in begun and c in self.profile.items]
            return CasesView(
                cases=(
                    *(case_views.fresh(session, ticket, item) for item in items),
                    *(case_views.view(session, self.profile, ticket, row) for row in rows),
                ),
                outcome=case_views.ending(rows),
            )

        return await self.store.read(question)

    async def received_cases(self, window: str) -> ReceivedCases:
        """What was received for this window's queues and waits for 受理, the longest wait first. Raises NotFound."""
        if window not in self.profile.windows:
            raise NotFound(what=window)
        queues, today, calendar = self.profile.windows[window].queues, self.clock.today(), self.profile.calendar

        def question(session: Session) -> ReceivedCases:
            found = []
            for row in case_lookups.received_before(session, today.isoformat(), MOST_RECEIVED):
                item = self.profile.item_of(row.item, "", "")
                if item.queue in queues:
                    lines = case_lookups.lines_of(session, row)
                    found.append(
                        ReceivedCase(
                            local_case_no=row.local_case_no, item_name=item.name, received=row.bizdate,
                            number=session.get_one(TicketRow, row.ticket_id).number,
                            accept_by=cases.accept_by(date.fromisoformat(row.bizdate), calendar).isoformat(),
                            wanted=len(cases.still_wanted(lines)),
                        )
                    )  # fmt: skip
            return ReceivedCases(cases=tuple(found))

        return await self.store.read(question)

    async def come_back(self, number: str) -> ComeBack:
        """What the notice of this number leads back to (kiosk key 4). Raises NotFound."""
        today = self.clock.today()

        def question(session: Session) -> ComeBack:
            notice = case_lookups.notice(session, number)
            row = case_lookups.by_no(session, notice.local_case_no)
            return case_views.come_back(self.profile, notice, row, today)

        return await self.store.read(question)

    async def notices_for(self, id_hmac: str) -> tuple[ComeBack, ...]:
        """What this person still has to bring, by the card instead of the notice; oldest first."""
        today = self.clock.today()

        def question(session: Session) -> tuple[ComeBack, ...]:
            return tuple(
                case_views.come_back(self.profile, n, case_lookups.by_no(session, n.local_case_no), today)
                for n in case_lookups.open_notices_of(session, id_hmac)
            )

        return await self.store.read(question)

    async def _remembered(self, verb: Callable[[Tx], tuple[CaseDone, CaseDeed]]) -> CaseDone:
        """Do it; what it has done can be undone with the end of the visit that it was done for."""
        done, step = await self.store.write(verb)
        self._case_steps[done.local_case_no] = step
        while len(self._case_steps) > MOST_STEPS:
            del self._case_steps[next(iter(self._case_steps))]
        return done

    # --- parts of verbs -----------------------------------------------------------------------------------------------

    def _serving(self, tx: Tx, window: str, seen: str) -> TicketRow:
        ticket = self._seen(tx, window, seen)
        if ticket.state != TicketState.SERVING.value:
            raise IllegalStep(number=ticket.number, state=ticket.state)
        return ticket

    def _hand_in(self, tx: Tx, window: str, order: HandIn) -> _Hand:
        """The open case of this item under the ticket at the window, or a new one; with what was brought."""
        clerk, ticket = self._clerk_at(tx, window), self._serving(tx, window, order.seen)
        code = order.item or ticket.item
        item = self.profile.items.get(code)
        if item is None or not item.codes:
            raise CaseNoItem()
        ended = (CaseState.DECIDED.value, CaseState.RETURNED.value)
        open_cases = [c for c in case_lookups.of_ticket(tx.session, ticket.id) if c.item == code]
        row = next((c for c in open_cases if c.state not in ended), None)
        hand = _Hand(tx, window, clerk, ticket, row or self._new_case(tx, window, clerk, ticket, item), row is None)
        hand.row.applies = sorted({*hand.row.applies, *order.applies})
        if hand.is_new:
            hand.row.applicant_kind = order.applicant_kind
        hand.take(order.papers)
        return hand

    def _new_case(self, tx: Tx, window: str, clerk: str, ticket: TicketRow, item: Item) -> CaseRow:
        serial = _next_serial(tx, "case", cases.LAST_CASE)
        return CaseRow(
            local_case_no=cases.case_no(self.config.code, tx.bizdate, serial), ticket_id=ticket.id,
            bizdate=tx.bizdate, item=item.code, kind=CaseKind(item.kind).value, applicant_kind="person",
            state=CaseState.RECEIVED.value, since_ms=tx.now_ms, window=window, clerk=clerk, id_hmac=ticket.id_hmac,
            days=0 if item.kind == CaseKind.IMMEDIATE.value else item.promise_days, day_unit=item.day_unit,
            asked=case_lookups.kept(case_lookups.asked_of(item)), applies=[],
        )  # fmt: skip

    def _accept(self, hand: _Hand) -> None:
        """The clock begins, or goes on where it stood."""
        today = hand.tx.bizdate
        notices = case_lookups.notices_of(hand.tx.session, hand.row.local_case_no)
        for notice in notices:
            if notice.kind == "supplement" and notice.answered_on is None:
                notice.answered_on = today
                hand.tx.session.add(notice)
        hand.row.accepted_on = hand.row.accepted_on or today
        _step(hand.row, CaseVerb.ACCEPT, hand.tx)
        hand.row.due_on = case_lookups.due_on(
            hand.row, hand.row.accepted_on, self.profile.calendar, case_lookups.pauses(notices)
        )

    def _say_accepted(self, hand: _Hand) -> CaseDone:
        """受理通知书, once; a case decided on the spot has its result instead."""
        told = [n for n in case_lookups.notices_of(hand.tx.session, hand.row.local_case_no) if n.kind == "accept"]
        if hand.row.kind == CaseKind.IMMEDIATE.value or told:
            if not hand.event:  # received before, and nothing else to tell
                acted = OperatorActed(
                    actor="clerk", actor_id=hand.clerk, action="case_accepted",
                    target=f"case/{hand.row.local_case_no}", result="done",
                )  # fmt: skip
                _emit(hand, acted)
            return _done(hand.row, hand.event, told[0].notice_no if told else "")
        event, number = self._notice(hand, "accept", ())
        return _done(hand.row, event, number)

    def _notice(self, hand: _Hand, kind: NoticeKind, wanted: tuple[Wanted, ...]) -> tuple[int, str]:
        tx, row = hand.tx, hand.row
        number = cases.notice_no(hand.window, tx.bizdate, _next_serial(tx, "notice", cases.LAST_NOTICE))
        notice = NoticeRow(
            bizdate=tx.bizdate, notice_no=number, typed=cases.typed_notice(number), local_case_no=row.local_case_no,
            kind=kind, wanted=case_views.kept(wanted), given_ms=tx.now_ms, window=hand.window, clerk=hand.clerk,
        )  # fmt: skip
        if kind == "supplement":
            notice.return_by = cases.last_return(date.fromisoformat(tx.bizdate), self.profile.calendar).isoformat()
        tx.session.add(notice)
        event = _emit(
            hand,
            CaseNotice(
                local_case_no=row.local_case_no, notice_kind=kind, notice_no=number, clerk_id=hand.clerk,
                missing=tuple(
                    MissingMaterial(material_code=w.code, text=case_views.sentence(w).zh[:500]) for w in wanted
                ),
            ),
        )  # fmt: skip
        return event, number


def _step(row: CaseRow, verb: CaseVerb, tx: Tx) -> None:
    state = cases.after(CaseState(row.state), verb)
    if state is None:
        raise CaseStep(state=row.state)
    row.state, row.since_ms = state.value, tx.now_ms


def _step_of(hand: _Hand) -> CaseDeed:
    """What has been done with the case; that it was received stands whatever is undone."""
    told = [e for e in hand.tx.events if e.subject == f"case/{hand.row.local_case_no}"]
    made = [e for e in told if not isinstance(e.data, CaseReceived)] or told
    return CaseDeed(
        local_case_no=hand.row.local_case_no, event_ids=tuple(e.id for e in made), before=hand.stand,
        after=case_values(hand.row),
    )  # fmt: skip


def _unanswered(hand: _Hand) -> NoticeRow | None:
    """The notice that the case waits for an answer to."""
    given = case_lookups.notices_of(hand.tx.session, hand.row.local_case_no)
    return next((n for n in reversed(given) if n.kind == "supplement" and n.answered_on is None), None)


def _say_supplemented(hand: _Hand, notice: NoticeRow) -> int:
    named = {wanted["code"] for wanted in notice.wanted}
    came = tuple(b.material_id for b in hand.brought.values() if b.code in named and b.material_id)
    return _emit(
        hand,
        CaseSupplemented(
            local_case_no=hand.row.local_case_no, notice_no=notice.notice_no, material_ids=came, clerk_id=hand.clerk
        ),
    )  # fmt: skip


def _say_received(hand: _Hand) -> None:
    """收件 of a new case; of a known one what has changed is written down with the next event."""
    if not hand.is_new:
        return
    hand.is_new = False
    materials = tuple(_required(line) for line in hand.lines if line.state is not LineState.NOT_ASKED)
    _emit(
        hand,
        CaseReceived(
            local_case_no=hand.row.local_case_no, ticket_id=hand.ticket.id, item_code=hand.row.item,
            case_kind=CaseKind(hand.row.kind).value, applicant_kind=_side(hand.row), id_hmac=hand.row.id_hmac,
            promise_due=hand.row.due_on, materials_required=materials, clerk_id=hand.clerk, window_code=hand.window,
        ),
    )  # fmt: skip


def _side(row: CaseRow) -> Literal["person", "org"]:
    return "org" if row.applicant_kind == "org" else "person"


def _required(line: Line) -> RequiredMaterial:
    if not line.does or line.brought is None:
        fault = line.brought.fault if line.brought else ""
        return RequiredMaterial(material_code=line.asked.code, fault=fault or None)
    return RequiredMaterial(
        material_code=line.asked.code, copy_kind=line.brought.kind, material_id=line.brought.material_id or None
    )


def _returned(
    row: CaseRow, clerk: str, reason: Literal["not_in_scope", "invalid", "withdrawn", "duplicate"], words: str
) -> CaseReturned:
    return CaseReturned(local_case_no=row.local_case_no, reason_code=reason, reason_text=words, clerk_id=clerk)


def _keep(hand: _Hand) -> None:
    """Write the case and its papers; the case first, which they name."""
    session = hand.tx.session
    session.add(hand.row)
    session.flush()
    for paper in hand.brought.values():
        session.merge(
            CasePaperRow(
                local_case_no=hand.row.local_case_no, code=paper.code, copy_kind=paper.kind.value, fault=paper.fault,
                material_id=paper.material_id or None, taken_ms=hand.tx.now_ms,
            )
        )  # fmt: skip


def _emit(hand: _Hand, data: EventData) -> int:
    _keep(hand)
    hand.event = hand.tx.emit(data)
    return hand.event


def _next_serial(tx: Tx, series: str, last: int) -> int:
    row = tx.session.get(CaseCounterRow, (tx.bizdate, series))
    row = row or CaseCounterRow(bizdate=tx.bizdate, series=series, last=0)
    if row.last >= last:
        raise NoMoreCases()
    row.last += 1
    tx.session.add(row)
    return row.last


def _done(row: CaseRow, event: int, notice_no: str = "", *, repeated: bool = False) -> CaseDone:
    return CaseDone(
        event=event, local_case_no=row.local_case_no, state=CaseState(row.state), notice_no=notice_no,
        due=row.due_on or "", repeated=repeated,
    )  # fmt: skip
