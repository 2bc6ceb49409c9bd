"""Keep the catalogue: take what came if it is sound, hold what a person must see, swap between two steps.

A catalogue becomes active in the transaction that opens a service day, or, when it is urgent, in one of its own between
two issues; the hall's profile changes with that commit, on the writer's thread, so no number is given under two
catalogues. Tickets keep the version under which they were taken. Decides nothing about what is wrong with a catalogue
(catalogue_checks). Source: province.md §7.6, faults E01 to E04.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from sqlmodel import Session, col, select

from hall_daemon import appointments
from hall_daemon.catalogue import CatalogError, Content, Whole, whole, with_catalog
from hall_daemon.catalogue_checks import Finding, Weight, check, fewer_items, new_ones, worst
from hall_daemon.clock import moment_ms
from hall_daemon.events import CatalogActivated, OperatorActed
from hall_daemon.hall import Hall
from hall_daemon.privacy import canonical
from hall_daemon.profile import HallProfile, Item
from hall_daemon.store import Tx
from hall_daemon.tables import CatalogueRow, MetaRow, SuspensionRow, TicketRow
from hall_daemon.tickets import NotFound, NotHeld, TicketInfo
from hall_daemon.words import OPEN_STATES

_log = logging.getLogger("hall.catalogue")

KEPT_BODIES = 30
"""So many former catalogues are kept whole."""
_ACTIVATED = "catalog"


class State(StrEnum):
    """What became of a catalogue that came."""

    ACTIVE = "active"
    STAGED = "staged"
    HELD = "held"
    REFUSED = "refused"
    REJECTED = "rejected"
    PAST = "past"


PROVINCE, FILE = "province", "file"


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A catalogue that came, and what became of it."""

    version: int
    source: str
    state: State
    urgent: bool
    effective_at: str
    content_sm3: str
    findings: tuple[Finding, ...]
    received_ms: int
    activated_ms: int | None
    decided_by: str | None


class Cataloguing:
    """The catalogues of one hall."""

    def __init__(self, hall: Hall) -> None:
        self._hall, self._store = hall, hall.store
        self._places = hall.config.profile
        hall.at_opening.append(self._at_opening)
        hall.at_closing += [_end_suspensions, appointments.forget_old]

    async def start(self) -> None:
        """Take up the catalogue in force, or the file that the configuration names; before the day is put in order."""
        await self._store.write(self._take_up)

    # --- what comes -------------------------------------------------------------------------------------------------

    async def held_version(self) -> tuple[int, int]:
        """Version to ask differences to (0: ask for all), and the newest version that needs no sending again."""

        def question(session: Session) -> tuple[int, int]:
            active, waiting = _active(session), _waiting(session)
            base = active.version if active is not None and active.source == PROVINCE else 0
            return base, max(base, waiting.version if waiting is not None else 0)

        return await self._store.read(question)

    async def offer(self, answer: Mapping[str, Any]) -> Kept:
        """An answer of the province; what becomes of it. Any: it is read here. Raises CatalogError, remembered."""
        held = await self._store.read(_active_whole)
        try:
            complete = whole(answer, held)
            catalog = complete.read()
        except CatalogError as exc:
            await self._store.write(lambda tx, why=str(exc): _refuse(tx, answer, why))  # type: ignore[misc]
            raise
        del catalog  # read once before the transaction, so that the writer's thread meets sound ones only
        kept = await self._store.write(lambda tx: self._judge(tx, complete, PROVINCE))
        _log.info("version %d is %s", kept.version, kept.state.value)
        for finding in kept.findings[:20] if kept.state in (State.HELD, State.REFUSED) else ():
            _log.warning("version %d: %s", kept.version, finding.sentence.en)
        await self.swap_urgent()
        return kept

    def _judge(self, tx: Tx, complete: Whole, source: str) -> Kept:
        active, catalog = _active(tx.session), complete.read()
        known = _known(tx.session, complete)
        if known is not None:
            return _kept(known)
        findings = check(complete, catalog, self._places)
        if active is not None:
            before = _whole(active)
            findings = (
                *new_ones(findings, check(before, before.read(), self._places)),
                *fewer_items(catalog, before.read()),
                *_not_higher(complete, active),
            )
        state = {Weight.REFUSE: State.REFUSED, Weight.HOLD: State.HELD, None: State.STAGED}[worst(findings)]
        if state is not State.REFUSED:
            _supersede(tx, _waiting(tx.session))
        return _kept(_keep(tx, complete, source, state, findings))

    # --- what a person decides --------------------------------------------------------------------------------------

    async def approve(self, version: int, by: str) -> Kept:
        """Take a catalogue that is held, with what was found. Raises NotHeld."""
        kept = await self._store.write(lambda tx: _decide(tx, version, State.STAGED, by))
        await self.swap_urgent()
        return kept

    async def reject(self, version: int, by: str) -> Kept:
        """Keep the one in force; the province may send a better one. Raises NotHeld."""
        return await self._store.write(lambda tx: _decide(tx, version, State.REJECTED, by))

    async def suspend(self, item: str, by: str, reason: str) -> int:
        """Take no new numbers for an item until the day ends or it is resumed. Raises NotFound."""

        def verb(tx: Tx) -> int:
            if item not in self._hall.profile.items:
                raise NotFound(what=item)
            tx.session.merge(SuspensionRow(item=item, since_ms=tx.now_ms, by=by, reason=reason))
            return self._changed(tx, by, "item.suspend", item, reason)

        return await self._store.write(verb)

    async def resume(self, item: str, by: str) -> int:
        """Give numbers for it again; what the catalogue itself suspends stays so. Raises NotFound."""

        def verb(tx: Tx) -> int:
            row = tx.session.get(SuspensionRow, item)
            if row is None:
                raise NotFound(what=item)
            tx.session.delete(row)
            return self._changed(tx, by, "item.resume", item, None)

        return await self._store.write(verb)

    def _changed(self, tx: Tx, by: str, action: str, item: str, reason: str | None) -> int:
        tx.session.flush()
        profile = self._profile(tx, tx.bizdate)
        tx.after.append(lambda: self._hall.use_profile(profile))
        return tx.emit(_acted(by, action, f"item/{item}", reason))

    # --- the swap ---------------------------------------------------------------------------------------------------

    async def swap_urgent(self) -> bool:
        """Put an urgent catalogue into force now, if its time has come; between two issues."""

        def verb(tx: Tx) -> bool:
            staged = _waiting(tx.session)
            due = staged is not None and staged.state == State.STAGED.value and staged.urgent
            if staged is None or not due or tx.now_ms < (moment_ms(staged.effective_at) or 0):
                return False
            self._activate(tx, staged, tx.bizdate)
            return True

        return await self._store.write(verb)

    def _at_opening(self, tx: Tx, bizdate: str) -> None:
        """A new service day: what is staged for it comes into force before its first number."""
        staged = _waiting(tx.session)
        if staged is not None and staged.state == State.STAGED.value and staged.effective_at[:10] <= bizdate:
            self._activate(tx, staged, bizdate)
        elif _active(tx.session) is not None:
            profile = self._profile(tx, bizdate)  # without yesterday's suspensions and earlier catalogues
            tx.after.append(lambda: self._hall.use_profile(profile))

    def _activate(self, tx: Tx, row: CatalogueRow, bizdate: str) -> None:
        before = _active(tx.session)
        if before is not None:
            before.state = State.PAST.value
            tx.session.add(before)
            tx.session.flush()
        row.state, row.activated_ms = State.ACTIVE.value, tx.now_ms
        tx.session.add(row)
        tx.session.flush()
        _forget_old_bodies(tx)
        profile = self._profile(tx, bizdate)
        tx.catver = row.version
        tx.session.merge(MetaRow(key=_ACTIVATED, value=f"{profile.catalog_version} {profile.catalog_sm3}"))
        tx.emit(
            CatalogActivated(
                version=row.version, mode="delta" if row.mode == "delta" else "full", content_sm3=row.content_sm3,
                items=sum(bool(item.codes) for item in profile.items.values()), urgent=row.urgent,
            ),
            bizdate=bizdate,
        )  # fmt: skip
        tx.after.append(lambda: self._hall.use_profile(profile))
        _log.info("catalogue %d is in force", row.version)

    def _profile(self, tx: Tx, bizdate: str) -> HallProfile:
        """The hall's places with the catalogue in force, the suspensions, and what open tickets were taken under."""
        active = _active(tx.session)
        if active is None:
            return self._hall.profile
        suspended = {row.item: row.reason for row in tx.session.exec(select(SuspensionRow))}
        profile = with_catalog(self._places, _whole(active).read(), suspended)
        return replace(profile, earlier=self._earlier(tx.session, bizdate, active.version))

    def _earlier(self, session: Session, bizdate: str, version: int) -> dict[int, Mapping[str, Item]]:
        question = select(TicketRow.catver).where(
            TicketRow.bizdate == bizdate, col(TicketRow.state).in_([s.value for s in OPEN_STATES])
        )
        found: dict[int, Mapping[str, Item]] = {}
        for catver in set(session.exec(question)) - {version, 0}:
            row = session.exec(
                select(CatalogueRow)
                .where(CatalogueRow.version == catver, col(CatalogueRow.activated_ms).is_not(None))
                .order_by(col(CatalogueRow.id).desc())
            ).first()
            if row is not None and row.body:
                found[catver] = with_catalog(self._places, _whole(row).read()).items
        return found

    # --- at start ---------------------------------------------------------------------------------------------------

    def _take_up(self, tx: Tx) -> None:
        active, file = _active(tx.session), self._hall.config.catalog
        if file is not None and (active is None or active.source == FILE):
            self._take_file(tx, file, active)
        if _active(tx.session) is not None:
            profile = self._profile(tx, tx.bizdate)
            tx.after.append(lambda: self._hall.use_profile(profile))

    def _take_file(self, tx: Tx, file: Whole, active: CatalogueRow | None) -> None:
        """What the technician put there; held like any other if it is worse than what it replaces."""
        if active is not None and (active.version, active.content_sm3) == (file.version, file.content_sm3):
            return
        findings, catalog = check(file, file.read(), self._places), file.read()
        if active is not None:
            if _known(tx.session, file) is not None:
                return
            before = _whole(active)
            known = check(before, before.read(), self._places)
            findings = (*new_ones(findings, known), *fewer_items(catalog, before.read()))
            if worst(findings) is not None:
                _supersede(tx, _waiting(tx.session))
                state = State.REFUSED if worst(findings) is Weight.REFUSE else State.HELD
                _keep(tx, file, FILE, state, findings)
                _log.warning("the catalogue file is %s, the former one stays in force", state.value)
                return
            active.state = State.PAST.value
            tx.session.add(active)
            tx.session.flush()
        row = _keep(tx, file, FILE, State.ACTIVE, findings)
        row.activated_ms = tx.now_ms
        if findings:
            _log.warning("%d findings in the catalogue file: see hall-daemon catalogue status", len(findings))

    # --- questions --------------------------------------------------------------------------------------------------

    async def kept(self, most: int = 10) -> tuple[Kept, ...]:
        """The newest catalogues that came, newest first, the active one always among them."""

        def question(session: Session) -> tuple[Kept, ...]:
            rows = list(session.exec(select(CatalogueRow).order_by(col(CatalogueRow.id).desc()).limit(most)))
            active = _active(session)
            if active is not None and all(row.id != active.id for row in rows):
                rows.append(active)
            return tuple(_kept(row) for row in rows)

        return await self._store.read(question)

    async def suspensions(self) -> dict[str, str]:
        """Items that the hall itself has suspended, and why."""
        return await self._store.read(lambda s: {row.item: row.reason for row in s.exec(select(SuspensionRow))})

    async def stranded(self) -> dict[str, tuple[TicketInfo, ...]]:
        """Item → tickets that wait for it although it takes no new ones: served, transferred or cancelled by people."""
        found: dict[str, tuple[TicketInfo, ...]] = {}
        for ticket in (await self._hall.snapshot()).waiting():
            if not self._hall.profile.takes(ticket.item.code):
                found[ticket.item.code] = (*found.get(ticket.item.code, ()), ticket)
        return found


# --- rows -------------------------------------------------------------------------------------------------------------


def _active(session: Session) -> CatalogueRow | None:
    return session.exec(select(CatalogueRow).where(CatalogueRow.state == State.ACTIVE.value)).first()


def _waiting(session: Session) -> CatalogueRow | None:
    """The one that waits, for its day or for a person; there is one at most."""
    waiting = (State.STAGED.value, State.HELD.value)
    question = select(CatalogueRow).where(col(CatalogueRow.state).in_(waiting))
    return session.exec(question.order_by(col(CatalogueRow.id).desc())).first()


def _known(session: Session, complete: Whole) -> CatalogueRow | None:
    """The very same catalogue, if it came before and was decided about."""
    known = [State.STAGED, State.HELD, State.REJECTED, State.REFUSED, State.ACTIVE]
    return session.exec(
        select(CatalogueRow)
        .where(
            CatalogueRow.version == complete.version, CatalogueRow.content_sm3 == complete.content_sm3,
            col(CatalogueRow.state).in_([state.value for state in known]),
        )
        .order_by(col(CatalogueRow.id).desc())
    ).first()  # fmt: skip


def _active_whole(session: Session) -> Whole | None:
    row = _active(session)
    return _whole(row) if row is not None and row.source == PROVINCE else None


def _whole(row: CatalogueRow) -> Whole:
    content: Content = json.loads(row.body)
    return Whole(
        version=row.version, content=content, urgent=row.urgent, effective_at=row.effective_at,
        content_sm3=row.content_sm3,
    )  # fmt: skip


def _keep(tx: Tx, complete: Whole, source: str, state: State, findings: Iterable[Finding]) -> CatalogueRow:
    row = CatalogueRow(
        version=complete.version, content_sm3=complete.content_sm3, source=source, mode=complete.mode,
        urgent=complete.urgent, effective_at=complete.effective_at, state=state.value,
        findings=[{"code": f.code, "subject": f.subject, "detail": f.detail} for f in findings],
        body="" if state is State.REFUSED else canonical(complete.content), received_ms=tx.now_ms,
    )  # fmt: skip
    tx.session.add(row)
    tx.session.flush()
    return row


def _kept(row: CatalogueRow) -> Kept:
    return Kept(
        version=row.version, source=row.source, state=State(row.state), urgent=row.urgent,
        effective_at=row.effective_at, content_sm3=row.content_sm3,
        findings=tuple(Finding(**found) for found in row.findings), received_ms=row.received_ms,
        activated_ms=row.activated_ms, decided_by=row.decided_by,
    )  # fmt: skip


def _not_higher(complete: Whole, active: CatalogueRow) -> tuple[Finding, ...]:
    if active.source != PROVINCE or complete.version > active.version:
        return ()
    return (Finding(code="version_not_higher", subject=str(complete.version), detail=str(active.version)),)


def _supersede(tx: Tx, row: CatalogueRow | None) -> None:
    if row is not None:
        row.state = State.PAST.value
        tx.session.add(row)
        tx.session.flush()


def _refuse(tx: Tx, answer: Mapping[str, Any], why: str) -> None:
    """Remember one that could not even be read; the same one only once. Any: as it came."""
    version = answer.get("version")
    refused = Whole(version=version if isinstance(version, int) else 0, content={}, content_sm3="")
    last = tx.session.exec(select(CatalogueRow).order_by(col(CatalogueRow.id).desc())).first()
    if last is None or (last.version, last.state, last.body) != (refused.version, State.REFUSED.value, ""):
        _keep(tx, refused, PROVINCE, State.REFUSED, (Finding(code="unreadable", subject=why[:300]),))


def _decide(tx: Tx, version: int, state: State, by: str) -> Kept:
    row = _waiting(tx.session)
    if row is None or row.version != version or row.state != State.HELD.value:
        raise NotHeld(version=version)
    row.state, row.decided_by = state.value, by
    tx.session.add(row)
    action = "catalogue.approve" if state is State.STAGED else "catalogue.reject"
    found = ",".join(sorted({finding["code"] for finding in row.findings}))
    tx.emit(_acted(by, action, f"catalogue/{version}", found))
    return _kept(row)


def _acted(by: str, action: str, target: str, reason: str | None) -> OperatorActed:
    return OperatorActed(
        actor="technician", actor_id=by, action=action, target=target, result="done", reason_text=reason or None
    )


def _end_suspensions(tx: Tx) -> None:
    for row in tx.session.exec(select(SuspensionRow)):
        tx.session.delete(row)


def _forget_old_bodies(tx: Tx) -> None:
    past = select(CatalogueRow).where(CatalogueRow.state == State.PAST.value, col(CatalogueRow.body) != "")
    for row in tx.session.exec(past.order_by(col(CatalogueRow.id).desc()).offset(KEPT_BODIES)):
        row.body = ""
        tx.session.add(row)
