"""What happens at a window beside its tickets: 暂停服务, notes about a ticket, calls for help and messages.

Each is one transaction with its audit event. Messages and notes of the day stay in the database and are shown from
memory; nobody's work waits for an answer to them.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass

from sqlmodel import Session, col, select

from hall_daemon import case_lookups, lookups
from hall_daemon.access import Role
from hall_daemon.clock import hour_minute, rfc3339
from hall_daemon.events import Event, OperatorActed, TicketFinished
from hall_daemon.events_cases import CaseNotice, CaseReceived
from hall_daemon.hall import Hall
from hall_daemon.lookups import LastVisit
from hall_daemon.protocol_clerks import MessageView, NoteView, PauseView, Tick
from hall_daemon.store import Tx
from hall_daemon.tables import EventRow, TicketRow
from hall_daemon.tables_clerks import MessageRow, NoteRow, PauseRow, TickRow
from hall_daemon.texts import text
from hall_daemon.tickets import HallError, MustDecideCall, MustFinishFirst, NotFound, ScreenOutOfDate
from hall_daemon.words import OPEN_STATES, MessageTo, PauseReason, TicketState

KEPT_MS = 4 * 3600 * 1000
"""A message is shown for so long at most."""
DONE_MS = 10 * 60 * 1000
"""One of the window's own that was acknowledged is shown for so long yet."""
MOST_SHOWN = 20
_PERSONAL = re.compile(r"[0-9]{17}[0-9Xx]|1[3-9][0-9]{9}")
"""An ID number or a mobile number; the province refuses both in clear text."""


class WordsPersonal(HallError):
    """An ID or telephone number stands in what was to be kept in clear."""

    code = "words_personal"


class NotPaused(HallError):
    """The window is not in 暂停服务."""

    code = "not_paused"


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the clerk of a ticket is told of what was before."""

    asked: frozenset[str]
    """Codes of the papers that a standing notice of its cases asked for."""
    cases: frozenset[str]
    """Numbers of its cases."""
    last: LastVisit | None


def _known(session: Session, ticket_id: str) -> Known:
    asked, numbers = case_lookups.asked_again(session, ticket_id)
    return Known(asked=asked, cases=numbers, last=lookups.last_visit(session, ticket_id))


class Desk:
    """The desks of all windows."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._messages: list[MessageRow] = []
        self._notes: defaultdict[str, list[NoteRow]] = defaultdict(list)
        self._ticks: defaultdict[str, set[str]] = defaultdict(set)
        self._known: dict[str, Known] = {}
        """By ticket; read anew after its cases change."""
        self._cases_heard = 0
        """Events about cases: what was read before the last one is not kept."""
        self._served: Counter[tuple[str, str]] = Counter()
        """Service day and clerk → visits finished."""
        hall.on_event(self._hear)

    async def take_up(self) -> None:
        """After a start: what was said lately, and the notes of tickets that are still open."""
        since_ms = self._hall.clock.now_ms() - KEPT_MS

        def question(session: Session) -> tuple[list[MessageRow], list[NoteRow], list[TickRow], list[EventRow]]:
            messages = session.exec(
                select(MessageRow).where(MessageRow.made_ms > since_ms).order_by(col(MessageRow.made_ms))
            )
            open_tickets = select(TicketRow.id).where(col(TicketRow.state).in_([s.value for s in OPEN_STATES]))
            notes = session.exec(
                select(NoteRow).where(col(NoteRow.ticket_id).in_(open_tickets)).order_by(col(NoteRow.made_ms))
            )
            ticks = session.exec(select(TickRow).where(col(TickRow.ticket_id).in_(open_tickets)))
            day = lookups.latest_day(session)
            finished = session.exec(
                select(EventRow).where(
                    EventRow.bizdate == (day.bizdate if day else ""), EventRow.type == TicketFinished.wire_type
                )
            )
            found = list(messages), list(notes), list(ticks), list(finished)
            session.expunge_all()
            return found

        self._messages, notes, ticks, finished = await self._hall.store.read(question)
        for tick in ticks:
            self._ticks[tick.ticket_id].add(tick.code)
        self._served.update((row.bizdate, json.loads(row.body)["data"]["clerk_id"]) for row in finished)
        for note in notes:
            self._notes[note.ticket_id].append(note)

    def _hear(self, event: Event) -> None:
        if isinstance(event.data, TicketFinished):
            self._served[event.bizdate, event.data.clerk_id] += 1

            self._known.pop(event.subject.removeprefix("ticket/"), None)
        if event.subject.startswith("case/"):
            self._forget_known(event)

    def _forget_known(self, event: Event) -> None:
        self._cases_heard += 1
        if isinstance(event.data, CaseReceived):
            self._known.pop(event.data.ticket_id, None)
        elif isinstance(event.data, CaseNotice):
            number = event.data.local_case_no
            self._known = {ticket: known for ticket, known in self._known.items() if number not in known.cases}
        else:
            self._known.clear()

    async def known(self, ticket_id: str) -> Known:
        """What a standing notice asked for, and the last visit of the same person today."""
        known, heard = self._known.get(ticket_id), self._cases_heard
        if known is None:
            known = await self._hall.store.read(lambda session: _known(session, ticket_id))
            if heard == self._cases_heard:
                self._known[ticket_id] = known
        return known

    def served(self, bizdate: str, clerk: str) -> int:
        """How many visits a clerk has finished that day."""
        return self._served[bizdate, clerk]

    # --- papers seen --------------------------------------------------------------------------------------------------

    async def tick(self, window: str, order: Tick) -> int:
        """Papers seen, or not after all. Raises NotSignedIn, ScreenOutOfDate."""
        clerk = await self._hall.clerk_at(window)

        def verb(tx: Tx) -> tuple[int, str]:
            current = lookups.at_window(tx.session, window)
            if current is None or current.number != order.seen:
                raise ScreenOutOfDate()
            for code in order.materials:
                row = tx.session.get(TickRow, (current.id, code))
                if order.on and row is None:
                    tx.session.add(TickRow(ticket_id=current.id, code=code, clerk=clerk, made_ms=tx.now_ms))
                elif not order.on and row is not None:
                    tx.session.delete(row)
            action = "paper_seen" if order.on else "paper_not_seen"
            said = " ".join(order.materials)
            return tx.emit(_acted(clerk, action, f"ticket/{current.id}", said)), current.id

        event, ticket_id = await self._hall.store.write(verb)
        change = self._ticks[ticket_id].update if order.on else self._ticks[ticket_id].difference_update
        change(order.materials)
        self._hall.changed.ring()
        return event

    def ticks(self, ticket_id: str) -> frozenset[str]:
        """Codes of the papers seen for a ticket."""
        return frozenset(self._ticks.get(ticket_id, ()))

    # --- 暂停服务 ---------------------------------------------------------------------------------------------------

    async def pause(self, window: str, reason: PauseReason, minutes: int) -> int:
        """Nobody is called here until `go_on`. Raises NotSignedIn, MustFinishFirst, MustDecideCall."""
        clerk = await self._hall.clerk_at(window)

        def verb(tx: Tx) -> int:
            current = lookups.at_window(tx.session, window)
            if current is not None and current.state == TicketState.CALLED.value:
                raise MustDecideCall(number=current.number)
            if current is not None:
                raise MustFinishFirst(number=current.number)
            until_ms = tx.now_ms + minutes * 60_000 if minutes else 0
            tx.session.merge(PauseRow(window=window, reason=reason.value, since_ms=tx.now_ms, until_ms=until_ms))
            said = f"{reason.value}, {minutes} min" if minutes else reason.value
            return tx.emit(_acted(clerk, "pause", f"window/{window}", said))

        return await self._hall.store.write(verb)

    async def go_on(self, window: str) -> int:
        """End 暂停服务. Raises NotSignedIn, NotPaused."""
        clerk = await self._hall.clerk_at(window)

        def verb(tx: Tx) -> int:
            row = tx.session.get(PauseRow, window)
            if row is None:
                raise NotPaused()
            tx.session.delete(row)
            return tx.emit(_acted(clerk, "go_on", f"window/{window}"))

        return await self._hall.store.write(verb)

    async def pause_of(self, window: str) -> PauseView | None:
        """Whether a window is in 暂停服务."""
        pause = (await self._hall.snapshot()).pauses.get(window)
        if pause is None:
            return None
        back = hour_minute(pause.until_ms) if pause.until_ms else ""
        return PauseView(reason=pause.reason, since=rfc3339(pause.since_ms), back=back)

    # --- notes --------------------------------------------------------------------------------------------------------

    async def note(self, window: str, seen: str, words: str) -> int:
        """Keep words about the ticket at the window. Raises NotSignedIn, ScreenOutOfDate, WordsPersonal."""
        clerk = await self._hall.clerk_at(window)
        _refuse_personal(words)

        def verb(tx: Tx) -> tuple[int, NoteRow]:
            current = lookups.at_window(tx.session, window)
            if current is None or current.number != seen:
                raise ScreenOutOfDate()
            row = NoteRow(
                id=self._hall.clock.new_id(), ticket_id=current.id, clerk=clerk, words=words, made_ms=tx.now_ms
            )
            kept = row.model_copy()
            tx.session.add(row)
            return tx.emit(_acted(clerk, "note", f"ticket/{current.id}", words)), kept

        event, row = await self._hall.store.write(verb)
        self._notes[row.ticket_id].append(row)
        self._hall.changed.ring()
        return event

    def notes(self, ticket_id: str) -> tuple[NoteView, ...]:
        """What has been noted about a ticket, oldest first."""
        return tuple(
            NoteView(clerk=self._name(n.clerk), at=hour_minute(n.made_ms), words=n.words)
            for n in self._notes.get(ticket_id, ())
        )

    # --- messages -----------------------------------------------------------------------------------------------------

    async def call_for(self, window: str, to: MessageTo, words: str) -> int:
        """A window calls the guard, the manager, an adviser or a technician. Raises NotSignedIn, WordsPersonal."""
        clerk = await self._hall.clerk_at(window)
        said = words or text(f"message.{to.value}").zh
        return await self._say(clerk, window, to.value, said, f"call_{to.value}")

    async def send(self, sender: str, window: str | None, words: str) -> int:
        """Words to a window, or to all. Raises NotFound, WordsPersonal."""
        if window is not None and window not in self._hall.profile.windows:
            raise NotFound(what=window)
        return await self._say(sender, "", f"window/{window or '*'}", words, "message")

    async def _say(self, sender: str, window: str, to: str, words: str, action: str) -> int:
        _refuse_personal(words)

        def verb(tx: Tx) -> tuple[int, MessageRow]:
            row = MessageRow(
                id=self._hall.clock.new_id(), sender=sender, sender_window=window, to=to, words=words,
                made_ms=tx.now_ms,
            )  # fmt: skip
            kept = row.model_copy()
            tx.session.add(row)
            return tx.emit(_acted(sender, action, f"window/{window}" if window else to, words)), kept

        event, row = await self._hall.store.write(verb)
        self._messages.append(row)
        self._hall.changed.ring()
        return event

    async def acknowledge(self, message: str, by: str) -> int:
        """Somebody has taken a message; the first one counts. Raises NotFound."""

        def verb(tx: Tx) -> tuple[int, MessageRow]:
            row = tx.session.get(MessageRow, message)
            if row is None:
                raise NotFound(what=message)
            if row.acknowledged_ms:
                return lookups.last_event(tx.session), row.model_copy()
            row.acknowledged_ms, row.acknowledged_by = tx.now_ms, by
            tx.session.add(row)
            kept = row.model_copy()
            return tx.emit(_acted(by, "acknowledge", f"message/{message}")), kept

        event, row = await self._hall.store.write(verb)
        self._messages = [row if m.id == message else m for m in self._messages]
        self._hall.changed.ring()
        return event

    async def read_at(self, window: str, message: str) -> int:
        """The clerk of a window has read what was sent there; a manager takes a call. Raises NotSignedIn, NotFound."""
        clerk = await self._hall.clerk_at(window)
        if not any(m.id == message and m.to in self._read_by(window, clerk) for m in self._messages):
            raise NotFound(what=message)
        return await self.acknowledge(message, clerk)

    def _read_by(self, window: str, clerk: str) -> tuple[str, ...]:
        """Whom a message is for that this clerk reads at this window; a manager there hears the calls of all."""
        who = self._hall.staff.get(clerk)
        manages = who is not None and who.role is Role.MANAGER
        return (f"window/{window}", "window/*", *((MessageTo.MANAGER.value,) if manages else ()))

    def messages_at(self, window: str, clerk: str = "") -> tuple[MessageView, ...]:
        """What a window has been told, and what became of its own calls; newest first."""
        now_ms, read = self._hall.clock.now_ms(), self._read_by(window, clerk)
        mine = [
            m
            for m in self._messages
            if (m.to in read or m.sender_window == window)
            and now_ms - (m.acknowledged_ms or m.made_ms) < (DONE_MS if m.acknowledged_ms else KEPT_MS)
        ]
        return tuple(self._view(m, window) for m in reversed(mine))[:MOST_SHOWN]

    def calls(self) -> tuple[MessageView, ...]:
        """What windows have called for and nobody has acknowledged, oldest first."""
        now_ms = self._hall.clock.now_ms()
        waiting = [m for m in self._messages if m.sender_window and not m.acknowledged_ms]
        return tuple(self._view(m) for m in waiting if now_ms - m.made_ms < KEPT_MS)

    def _view(self, row: MessageRow, window: str = "") -> MessageView:
        sender = text("message.window", window=row.sender_window).zh if row.sender_window else self._name(row.sender)
        to = row.to.removeprefix("window/")
        return MessageView(
            message=row.id, at=hour_minute(row.made_ms), sender=sender,
            to=text(f"message.to.{to}").zh if to in set(MessageTo) else to, words=row.words,
            mine=bool(window) and row.sender_window == window,
            acknowledged=self._name(row.acknowledged_by) if row.acknowledged_ms else "",
        )  # fmt: skip

    def _name(self, number: str) -> str:
        known = self._hall.staff.get(number)
        return known.name if known else text(f"message.role.{number}").zh if number in _SCREENS else number


_SCREENS = frozenset({"technician", "manager", "guide", "counter"})
"""Who sent something from a screen that has a token and no person."""


def _refuse_personal(words: str) -> None:
    if _PERSONAL.search(re.sub(r"[\s-]", "", words)):
        raise WordsPersonal()


def _acted(clerk: str, action: str, target: str, words: str = "") -> OperatorActed:
    return OperatorActed(
        actor="technician" if clerk in _SCREENS else "clerk",
        actor_id=clerk,
        action=action,
        target=target,
        result="done",
        reason_text=words[:200] or None,
    )
