"""Compares closed days with the province: what it has acknowledged must still be there (province.md §7.4, D10).

A day is claimed when it is closed and its last event acknowledged, once for each stream that holds a part of it. Where
the province has less, those events are sent again in place and missing files anew; a chain that differs is told to
people and repaired by nobody. Only a day that matched may ever be erased here.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy import or_
from sqlmodel import Session, col, func, select

from hall_daemon.events import DayClosed, DayOpened, Event, MaterialScanned, TicketIssued
from hall_daemon.hall import Bell, Hall
from hall_daemon.outbox_events import fitting
from hall_daemon.outbox_files import FileSender
from hall_daemon.outbox_line import Line
from hall_daemon.privacy import sm3_hex
from hall_daemon.province import Backoff
from hall_daemon.province_replies import ProvinceError, Rejected
from hall_daemon.province_shapes import DayClaim, DayVerdict, QueueSpan
from hall_daemon.store import Store, Tx
from hall_daemon.tables import BlobRow, DayRow, EventRow, MetaRow, StreamRow

_log = logging.getLogger("outbox.days")

ROUNDS = 3
"""Of sending again what differs, before a person must look."""
LOOK_AGAIN_S = 600.0
ACK_WAIT_S = 2.0
_KEPT = "reconciled:"


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one stream holds of a day: a range of acknowledged sequences."""

    bizdate: str
    streamid: str
    first: int
    last: int


@dataclass(kw_only=True)
class _Figures:
    """Collected while reading the events of a part."""

    first: int
    lines: list[str] = field(default_factory=list)
    """Of the digest, one an event; sequences have no gap."""
    serials: dict[str, list[int]] = field(default_factory=dict)
    blobs: set[str] = field(default_factory=set)
    chain: str = ""
    digest: str = ""

    def digest_of(self, first: int, last: int) -> str:
        """Digest over a range of sequences."""
        return sm3_hex("".join(self.lines[max(0, first - self.first) : last - self.first + 1]).encode())


class DayKeeper:
    """Reconciles closed days."""

    def __init__(self, store: Store, hall: Hall, line: Line, files: FileSender) -> None:
        self._store, self._line, self._files = store, line, files
        self._backoff = Backoff(line.pace)
        self._turned = Bell()
        self._differing: set[str] = set()
        hall.on_event(self._heard)

    def _heard(self, event: Event) -> None:
        if event.type in (DayClosed.wire_type, DayOpened.wire_type):
            self._turned.ring()

    async def run(self) -> None:
        """Reconcile for ever."""
        while True:
            await self._line.wait_online()
            heard = self._turned.rings
            due = await self._store.read(_due)
            try:
                for parts in due.ready:
                    await self._settle(parts)
            except ProvinceError as exc:
                _log.log(logging.DEBUG if self._backoff.failures else logging.INFO, "interrupted: %s", exc)
                self._line.doubt()
                await self._line.pace.pause(self._backoff.failed(exc))
                continue
            self._backoff.acknowledged()
            if due.waiting:
                await self._line.pace.pause(ACK_WAIT_S)
            elif not self._differing:
                await self._wait(heard)
            else:
                await self._line.pace.pause(LOOK_AGAIN_S)

    async def _wait(self, heard: int) -> None:
        try:
            async with asyncio.timeout(LOOK_AGAIN_S * self._line.pace.scale):
                await self._turned.wait(heard)
        except TimeoutError:
            return

    async def _settle(self, parts: Sequence[Part]) -> None:
        """Bring the parts of one day to a match."""
        bizdate = parts[0].bizdate
        for part in parts:
            if not await self._match(part):
                await self._store.write(partial(_note, bizdate, None))
                self._tell(self._differing | {bizdate})
                return
        await self._store.write(partial(_note, bizdate, _end_of(parts)))
        self._tell(self._differing - {bizdate})
        _log.info("match %s parts=%d through=%d", bizdate, len(parts), parts[-1].last)

    def _tell(self, differing: set[str]) -> None:
        self._differing = differing
        if differing:
            self._line.troubles.begin("province.day_differs", bizdate=", ".join(sorted(differing)))
        else:
            self._line.troubles.end("province.day_differs", "province.day_chain_broken")

    async def _match(self, part: Part) -> bool:
        for _ in range(ROUNDS):
            figures = await self._store.read(lambda session: _figures(session, part))
            try:
                verdict = await self._line.province.reconcile(_claim(part, figures))
            except Rejected as exc:
                if exc.code != "CHAIN_MISMATCH":
                    raise
                self._line.troubles.begin("province.day_chain_broken", bizdate=part.bizdate)
                return False
            if verdict.result == "match":
                return True
            await self._send_again(part, figures, verdict)
        return False

    async def _send_again(self, part: Part, figures: _Figures, verdict: DayVerdict) -> None:
        different = [b for b in verdict.buckets if figures.digest_of(b.first, b.last) != b.digest_sm3]
        _log.warning(
            "mismatch %s buckets=%d of %d missing_files=%d", part.bizdate, len(different), len(verdict.buckets),
            len(verdict.missing_blobs),
        )  # fmt: skip
        for bucket in different:
            await self.resend(part.streamid, max(bucket.first, part.first), min(bucket.last, part.last))
        if verdict.missing_blobs:
            await self._bring_files(verdict.missing_blobs)

    async def resend(self, streamid: str, first: int, last: int) -> int:
        """Send acknowledged events again in their places (§7.2, mode=resend); how many."""
        sent, limits = 0, self._line.limits
        while rows := await self._store.read(partial(_rows, streamid, first, last, limits.batch_events)):
            rows = rows[: fitting([body for _, body in rows], limits.batch_bytes)]
            async with self._line.one_batch:
                await self._line.province.send_events(streamid, [body for _, body in rows], resend=True)
            sent += len(rows)
            first = rows[-1][0] + 1
            await self._line.pace.pause(1 / limits.rate_per_s)
        return sent

    async def _bring_files(self, blobs: Sequence[str]) -> None:
        """Files that the province misses; those still on their way come by themselves."""
        await self._files.send_again(tuple(blobs))
        for _ in range(ROUNDS * 20):
            waiting = await self._store.read(lambda session: _pending(session, blobs))
            if not waiting:
                return
            await self._line.pace.pause(LOOK_AGAIN_S / 100)


@dataclass(kw_only=True)
class _Due:
    """Days to be claimed, oldest first, and whether others wait for their acknowledgement."""

    ready: list[list[Part]] = field(default_factory=list)
    waiting: bool = False


def _due(session: Session) -> _Due:
    """Closed days that are not known to match as they are now."""
    due = _Due()
    newest = session.exec(select(DayRow.bizdate).order_by(col(DayRow.bizdate).desc()).limit(2)).all()
    closed = select(DayRow).where(
        col(DayRow.closed_ms).is_not(None), or_(col(DayRow.reconciled).is_(False), col(DayRow.bizdate).in_(newest))
    )
    for day in session.exec(closed.order_by(col(DayRow.bizdate))):
        kept = session.get(MetaRow, _KEPT + day.bizdate) if day.reconciled else None
        if kept is not None and day.bizdate == newest[0]:
            continue  # what devices do in the night still counts to it; claimed again when the next day is open
        parts = _parts(session, day.bizdate)
        if parts is None:
            due.waiting = True
        elif parts and (kept is None or kept.value != _end_of(parts)):
            due.ready.append(parts)
    return due


def _note(bizdate: str, matched_through: str | None, tx: Tx) -> None:
    day = tx.session.get_one(DayRow, bizdate)
    day.reconciled = matched_through is not None
    tx.session.add(day)
    if matched_through is not None:
        tx.session.merge(MetaRow(key=_KEPT + bizdate, value=matched_through))


def _end_of(parts: Sequence[Part]) -> str:
    return f"{parts[-1].streamid} {parts[-1].last}"


def _parts(session: Session, bizdate: str) -> list[Part] | None:
    """None while an event of the day is unacknowledged."""
    parts: list[Part] = []
    spans = session.exec(
        select(EventRow.streamid, func.min(EventRow.sequence), func.max(EventRow.sequence))
        .where(EventRow.bizdate == bizdate)
        .group_by(EventRow.streamid)
        .order_by(func.min(EventRow.number))
    )
    for streamid, first, last in spans.all():
        stream = session.get_one(StreamRow, streamid)
        if stream.state == "open" and last > stream.acked_through:
            return None
        # Beyond its acknowledgement a closed stream was repeated in the next one.
        if first <= stream.acked_through:
            end = min(last, stream.acked_through)
            parts.append(Part(bizdate=bizdate, streamid=streamid, first=first, last=end))
    return parts


def _figures(session: Session, part: Part) -> _Figures:
    figures = _Figures(first=part.first)
    question = select(EventRow).where(
        EventRow.streamid == part.streamid, EventRow.sequence >= part.first, EventRow.sequence <= part.last
    )
    ordered = question.order_by(col(EventRow.sequence)).execution_options(yield_per=500)
    for row in session.exec(ordered):
        figures.lines.append(f"{row.sequence:016d} {row.id} {row.leaf}\n")
        figures.chain = row.chain
        if row.type == TicketIssued.wire_type:
            data = json.loads(row.body)["data"]
            figures.serials.setdefault(data["queue_code"], []).append(data["serial"])
        elif row.type == MaterialScanned.wire_type:
            figures.blobs.update(_blobs_of(json.loads(row.body)["data"]["pages"]))
        session.expunge(row)
    figures.digest = figures.digest_of(part.first, part.last)
    return figures


def _blobs_of(pages: Iterable[dict[str, dict[str, str]]]) -> set[str]:
    return {page["blob"]["blob"] for page in pages}


def _claim(part: Part, figures: _Figures) -> DayClaim:
    spans = {queue: QueueSpan(min=min(s), max=max(s), count=len(s)) for queue, s in figures.serials.items()}
    return DayClaim(
        bizdate=part.bizdate,
        streamid=part.streamid,
        first_sequence=f"{part.first:016d}",
        last_sequence=f"{part.last:016d}",
        event_count=len(figures.lines),
        digest_sm3=figures.digest,
        chain_sm3=figures.chain,
        tickets=sum(span.count for span in spans.values()),
        by_queue=spans,
        blobs=len(figures.blobs),
        blob_digest_sm3=sm3_hex("".join(f"{blob}\n" for blob in sorted(figures.blobs)).encode()),
    )


def _rows(streamid: str, first: int, last: int, most: int, session: Session) -> list[tuple[int, str]]:
    return list(
        session.exec(
            select(EventRow.sequence, EventRow.body)
            .where(EventRow.streamid == streamid, EventRow.sequence >= first, EventRow.sequence <= last)
            .order_by(col(EventRow.sequence))
            .limit(most)
        )
    )


def _pending(session: Session, blobs: Sequence[str]) -> int:
    question = select(func.count()).where(BlobRow.state == "pending", col(BlobRow.blob).in_(blobs))
    return session.exec(question).one()
