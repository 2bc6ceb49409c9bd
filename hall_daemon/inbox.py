"""Pulls what the province decides: commands, notices, signing keys. The province never opens a connection to a hall.

A command is executed once and answered by an event in the same commit that remembers its id; one that was interrupted
is asked for again, so what a command does must be harmless twice. No command can issue, delete or renumber a ticket,
and a type that is not in the table is answered as unsupported. Source: province.md §3.4, §7.1, §7.8.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Literal

from pydantic import Field, ValidationError
from sqlmodel import Session

from hall_daemon.catalogue import CatalogError
from hall_daemon.cataloguing import Cataloguing
from hall_daemon.config import HallConfig
from hall_daemon.events import CommandResult
from hall_daemon.hall import Hall
from hall_daemon.inbox_pulls import Pulls
from hall_daemon.outbox import Outbox, State
from hall_daemon.privacy import Key
from hall_daemon.province import Backoff
from hall_daemon.province_replies import ProvinceError, Rejected, Remedy
from hall_daemon.province_shapes import Answer, Command, PublishedKey, Sequence
from hall_daemon.store import Store, Tx
from hall_daemon.tables import MetaRow
from hall_daemon.tickets import NotFound

_log = logging.getLogger("inbox")

LONG_POLL_S = 25
KEYS_EVERY_S = 86400.0
SUCCESSOR_DUE = timedelta(days=30)
MOST_NOTICES = 20
_AFTER, _NOTICES = "command_after", "notices"

Outcome = tuple[Literal["done", "failed", "unsupported", "expired"], str | None]


class Notice(Answer):
    """Something that the province wants shown."""

    text: str = Field(min_length=1, max_length=500)
    text_en: str = Field(default="", max_length=500)
    level: str = Field(default="info", max_length=16)
    until: str = ""

    def holds(self, now: datetime) -> bool:
        """Whether it is still to be shown."""
        until = _moment(self.until)
        return until is None or now < until


class _Resend(Answer):
    first: Sequence = Field(alias="from", ge=1)
    last: Sequence = Field(alias="to", ge=1)


class _Numbered(Answer):
    local_case_no: str = Field(pattern=r"^L[0-9]{26}$")
    case_no: str = Field(min_length=1, max_length=50)


class Inbox:
    """Everything that comes down."""

    def __init__(
        self, config: HallConfig, store: Store, hall: Hall, outbox: Outbox, cataloguing: Cataloguing | None = None
    ) -> None:
        self._config, self._store, self._hall, self._outbox = config, store, hall, outbox
        self._line, self._province = outbox.line, outbox.province
        self._pace = outbox.line.pace
        self.pulls = Pulls(store, outbox, cataloguing or Cataloguing(hall))
        self._told: tuple[Notice, ...] = ()
        self._do: dict[str, Callable[[Command], Awaitable[Outcome]]] = {
            "catalog.refresh": self._refresh_catalogue,
            "keys.refresh": self._refresh_keys,
            "resend": self._resend,
            "notice.show": self._show_notice,
            "case.numbered": self._number_case,
        }

    async def run(self) -> None:
        """Pull for ever; returns at once where the outbox is off."""
        if self._outbox.status().state is State.OFF:
            return
        self._told = await self._store.read(_kept_notices)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._obey(), name="inbox commands")
            group.create_task(self._keep_keys(), name="inbox keys")
            group.create_task(self.pulls.run(), name="inbox pulls")

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What is to be shown now: of the last hello, and of commands."""
        said: list[Notice] = []
        for each in self._outbox.heard.notices if self._outbox.heard else ():
            try:
                said.append(Notice.model_validate(each))
            except ValidationError:
                _log.debug("a notice of hello is not understood")
        now = self._now()
        return tuple(notice for notice in (*said, *self._told) if notice.holds(now))[:MOST_NOTICES]

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._store.clock.now_ms() / 1000).astimezone()

    # --- commands -------------------------------------------------------------------------------------------------

    async def _obey(self) -> None:
        backoff = Backoff(self._pace)
        while True:
            await self._line.wait_online()
            try:
                after = await self._store.read(_after)
                commands = await self._province.commands(after, LONG_POLL_S)
                for command in sorted(commands, key=lambda command: command.id):
                    if command.id > after:
                        await self._execute(command)
            except ProvinceError as exc:
                _log.debug("interrupted: %s", exc)
                self._line.doubt()
                await self._pace.pause(backoff.failed(exc))
                continue
            backoff.acknowledged()
            # A province that answers at once although there is nothing must not be asked at full speed.
            await self._pace.pause(1)

    async def _execute(self, command: Command) -> None:
        """Do it and answer. Raises ProvinceError if it must be tried again later."""
        expires = _moment(command.expires_at)
        do = self._do.get(command.type)
        outcome: Outcome
        if expires is not None and self._now() >= expires:
            outcome = ("expired", None)
        elif do is None:
            outcome = ("unsupported", None)
        else:
            outcome = await self._done(do, command)
        await self._store.write(lambda tx: self._answer(tx, command, outcome))
        self._told = await self._store.read(_kept_notices)
        _log.info("command %d %s %s", command.id, command.type[:40], outcome[0])

    @staticmethod
    async def _done(do: Callable[[Command], Awaitable[Outcome]], command: Command) -> Outcome:
        try:
            return await do(command)
        except ValidationError as exc:
            return "failed", f"arguments: {exc.error_count()} wrong"
        except Rejected as exc:
            if exc.remedy in (Remedy.WAIT, Remedy.NEW_KEY, Remedy.STOP):
                raise
            return "failed", exc.code

    @staticmethod
    def _answer(tx: Tx, command: Command, outcome: Outcome) -> None:
        result, detail = outcome
        if command.type == "notice.show" and result == "done":
            kept = [*_stored(tx.session), dict(command.args)][-MOST_NOTICES:]
            tx.session.merge(MetaRow(key=_NOTICES, value=json.dumps(kept, ensure_ascii=False)))
        tx.session.merge(MetaRow(key=_AFTER, value=str(command.id)))
        tx.emit(CommandResult(command_id=command.id, result=result, detail=detail))

    async def _show_notice(self, command: Command) -> Outcome:
        Notice.model_validate(command.args)
        return "done", None  # it is kept in the transaction of the answer

    async def _resend(self, command: Command) -> Outcome:
        """Acknowledged events once more, in their places."""
        span = _Resend.model_validate(command.args)
        last = min(span.last, self._outbox.events.acked)
        sent = await self._outbox.days.resend(self._outbox.events.streamid, span.first, last)
        return "done", f"{sent} events"

    async def _number_case(self, command: Command) -> Outcome:
        """The province's number of a case."""
        told = _Numbered.model_validate(command.args)
        try:
            await self._hall.number_case(told.local_case_no, told.case_no)
        except NotFound:
            return "failed", "no such case"
        return "done", None

    async def _refresh_keys(self, _: Command) -> Outcome:
        await self._look_at_keys()
        return "done", f"signing with {self._province.key.kid}"

    async def _refresh_catalogue(self, _: Command) -> Outcome:
        try:
            state = await self.pulls.pull_catalogue()
        except CatalogError as exc:
            return "failed", str(exc)[:200]
        return "done", "nothing newer" if state is None else state.value

    # --- keys (§3.4) ------------------------------------------------------------------------------------------------

    async def _keep_keys(self) -> None:
        backoff = Backoff(self._pace)
        while True:
            await self._line.wait_online()
            try:
                await self._look_at_keys()
            except ProvinceError as exc:
                _log.debug("keys: %s", exc)
                await self._pace.pause(backoff.failed(exc))
                continue
            backoff.acknowledged()
            await self._pace.pause(KEYS_EVERY_S)

    async def _look_at_keys(self) -> None:
        """Switch to the newest signing key that is valid, once a request signed with it has succeeded."""
        published = await self._province.keys()
        now = self._now() + timedelta(seconds=self._province.offset_s)
        signing = sorted(
            (key for key in published if key.use == "sign" and _valid(key, now)), key=_begins, reverse=True
        )
        keys = [key for entry in signing if (key := _key(entry)) is not None]
        if keys and keys[0].kid != self._province.key.kid:
            await self._try(keys[0])
        self._province.spare_keys = tuple(key for key in keys if key.kid != self._province.key.kid)
        self._warn(published, now)

    async def _try(self, key: Key) -> None:
        try:
            await self._province.keys(key)
        except Rejected as exc:
            _log.warning("signing key %s is published but refused: %s", key.kid, exc.code)
            return
        _log.info("signing with key %s instead of %s", key.kid, self._province.key.kid)
        self._province.key = key

    def _warn(self, published: tuple[PublishedKey, ...], now: datetime) -> None:
        """Keys come from the environment; what a technician must put there is said in time."""
        secrets = self._config.secrets
        for use, mine in (("sign", secrets.sign), ("pii", secrets.pii), ("match", secrets.match)):
            good = [key for key in published if key.use == use and _valid(key, now)]
            kept = [key for key in good if mine is not None and key.kid == mine.kid]
            if good and (not kept or _ends_soon(kept[0], now)):
                newest = max(good, key=_begins)
                _log.warning("key for %s: put %s into HALL_%s_KEY in time", use, newest.kid, use.upper())


def _after(session: Session) -> int:
    row = session.get(MetaRow, _AFTER)
    return int(row.value) if row is not None else 0


def _stored(session: Session) -> list[dict[str, object]]:
    row = session.get(MetaRow, _NOTICES)
    kept: list[dict[str, object]] = json.loads(row.value) if row is not None else []
    return kept


def _kept_notices(session: Session) -> tuple[Notice, ...]:
    return tuple(Notice.model_validate(each) for each in _stored(session))


def _moment(time: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _valid(key: PublishedKey, now: datetime) -> bool:
    begins, ends = _moment(key.not_before), _moment(key.not_after)
    return begins is not None and ends is not None and begins <= now < ends


def _begins(key: PublishedKey) -> float:
    moment = _moment(key.not_before)
    return moment.timestamp() if moment is not None else 0


def _ends_soon(key: PublishedKey, now: datetime) -> bool:
    ends = _moment(key.not_after)
    return ends is not None and ends - now < SUCCESSOR_DUE


def _key(published: PublishedKey) -> Key | None:
    try:
        secret = base64.b64decode(published.key_b64, validate=True)
    except ValueError:
        return None
    return Key(kid=published.kid, secret=secret)
