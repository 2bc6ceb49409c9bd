"""Sends the event log: batches in order, one in flight, repeated until the province has acknowledged them.

An acknowledgement is a cursor that moves forward; it moves back only where the province says that it has gone back.
Nothing is deleted, renumbered or dropped: an event that the province cannot even read is listed and left out of a new
stream. Source: province.md §6, §7.2, §9, §10; faults.md D04–D14, D20, D22.
"""

from __future__ import annotations

import json
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from sqlmodel import Session, col, func, select

from hall_daemon.outbox_line import Line
from hall_daemon.province import Backoff
from hall_daemon.province_replies import ProvinceError, Rejected, Remedy, Unreachable, Why
from hall_daemon.province_shapes import BatchAnswer, HelloAnswer, Rejection
from hall_daemon.store import Refused, Store, Tx
from hall_daemon.tables import EventRow, RefusedRow, StreamRow
from hall_daemon.words import StreamReason

_log = logging.getLogger("outbox")

FIRST_BATCH = 50
STRIKES = 3
"""So many answers in a row with a strange chain are no damage of the line any more."""
RESETS_AN_HOUR = 5
SELDOM_S = 900.0
OVER_WITH_AN_ACK = ("province.all_refused", "province.chain_broken", "province.stalled")
OVER_WITH_ALL_ACKED = ("province.rewound", "province.new_stream")


class ChainDiffers(ProvinceError):
    """The province's history of this stream is not ours; a person must look."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """An event on its way."""

    sequence: int
    id: str
    body: str
    chain: str


def fitting(bodies: Sequence[str], limit_bytes: int) -> int:
    """How many events fit into a batch; at least one, for the province to judge."""
    size = 1
    for count, body in enumerate(bodies):
        size += len(body.encode()) + 1
        if size > limit_bytes and count:
            return count
    return len(bodies)


class EventSender:
    """The cursor in the event log and what moves it."""

    def __init__(self, store: Store, line: Line, backoff: Backoff) -> None:
        self._store, self._line, self._backoff = store, line, backoff
        self.streamid = ""
        self.acked = 0
        self.oldest_time: str | None = None
        """When the oldest unacknowledged event happened."""
        self.refused = 0
        self.sent_batches = 0
        self.moved_s = store.clock.monotonic_s()
        """When the cursor moved last, or had nowhere to go."""
        self._size = FIRST_BATCH
        self._ceiling: int | None = None
        self._suspects: tuple[int, int] | None = None
        """The smallest known range of sequences that holds one the province cannot read."""
        self._refused_alone: dict[str, int] = {}
        self._conflicts: set[str] = set()
        self._resets: deque[float] = deque(maxlen=RESETS_AN_HOUR)
        self._strange_hellos = 0
        self._strange_answers = 0

    # --- where we stand -------------------------------------------------------------------------------------------

    async def take_up(self) -> None:
        """Find the newest stream and how far it is acknowledged."""

        def question(session: Session) -> tuple[str, int, int]:
            stream = session.exec(select(StreamRow).where(StreamRow.state == "open")).one()
            return stream.streamid, stream.acked_through, session.exec(select(func.count(col(RefusedRow.id)))).one()

        self.streamid, self.acked, self.refused = await self._store.read(question)
        self._line.troubles.count("province.event_refused", self.refused)
        self._suspects = None
        self._note_oldest(await self._read(1))

    @property
    def backlog(self) -> int:
        """Events that are not acknowledged."""
        return max(0, self._store.last_sequence - self.acked) if self._store.streamid == self.streamid else 0

    async def look(self) -> None:
        """See whether the stream is still the newest, and what the oldest unacknowledged event is."""
        if self._store.streamid != self.streamid:
            await self.take_up()
            return
        self._note_oldest(await self._read(1))

    def _note_oldest(self, rows: Sequence[Row]) -> None:
        self.oldest_time = json.loads(rows[0].body)["time"] if rows else None

    async def _read(self, most: int, after: int | None = None) -> list[Row]:
        first = self.acked if after is None else after

        def question(session: Session) -> list[Row]:
            found = session.exec(
                select(EventRow.sequence, EventRow.id, EventRow.body, EventRow.chain)
                .where(EventRow.streamid == self.streamid, EventRow.sequence > first)
                .order_by(col(EventRow.sequence))
                .limit(most)
            )
            return [Row(sequence=s, id=i, body=body, chain=chain) for s, i, body, chain in found]

        return await self._store.read(question)

    async def _chain_at(self, sequence: int) -> str | None:
        row = await self._read(1, after=sequence - 1)
        return row[0].chain if row and row[0].sequence == sequence else None

    # --- hello ----------------------------------------------------------------------------------------------------

    async def heard(self, hello: HelloAnswer) -> None:
        """Compare the province's position with ours (§6, D09, D20). Raises ProvinceError if both cannot be right."""
        self._ceiling = None
        if self._store.streamid != self.streamid:
            return  # it was about the stream before
        if hello.stream_state == "unknown":
            if self.acked:
                await self._go_back(0)
            return
        there = hello.acked_through
        if there and hello.chain_sm3 is not None and await self._chain_at(there) != hello.chain_sm3:
            await self._differs(there)
            return
        self._strange_hellos = 0
        if there > self.acked:
            await self._move(there)
        elif there < self.acked:
            await self._go_back(there)

    async def _differs(self, there: int) -> None:
        """Somebody else wrote this stream, or one of the two histories was changed."""
        self._strange_hellos += 1
        if self._strange_hellos < STRIKES:
            raise Unreachable(Why.NOT_THE_PROVINCE, f"hello: chain at {there} is strange")
        if there > self.acked:
            # Our unacknowledged numbers are taken by a copy of this hall, or by what was lost in a restore.
            await self._open_stream(StreamReason.RESTORE)
            return
        self._line.troubles.begin("province.chain_broken")
        raise ChainDiffers(f"chain at {there} differs")

    # --- a batch --------------------------------------------------------------------------------------------------

    async def send_some(self) -> bool:
        """Send the next batch and act on the answer; False if there was nothing to send.

        Raises ProvinceError if the line or the session is the trouble, and not the batch.
        """
        if self._store.streamid != self.streamid:
            await self.take_up()
        rows = await self._next_batch()
        self._note_oldest(rows)
        if not rows:
            self.moved_s = self._store.clock.monotonic_s()
            return False
        try:
            answer = await self._send(rows)
            moved = await self._take_answer(rows, answer)
        except Unreachable as exc:
            if exc.timed_out:
                self._size = max(1, len(rows) // 2)
            raise
        except Rejected as exc:
            await self._act_on(rows, exc)
            return True
        if not moved:
            # Taken and held back: no reason to hurry.
            await self._line.pace.pause(self._backoff.failed())
        wait_s = max(answer.backoff_ms / 1000, 1 / self._line.limits.rate_per_s)
        await self._line.pace.pause(wait_s)
        return True

    async def _next_batch(self) -> list[Row]:
        limits = self._line.limits
        most = min(self._size, limits.batch_events, self._ceiling or limits.batch_events)
        if self._suspects is not None:
            low, high = self._suspects
            next_one = self.acked + 1
            if next_one > high:
                self._suspects = None
            elif next_one < low:
                most = min(most, low - next_one)
            else:
                most = max(1, (high - next_one + 1) // 2)
        rows = await self._read(most)
        return rows[: fitting([row.body for row in rows], limits.batch_bytes)]

    async def _send(self, rows: Sequence[Row]) -> BatchAnswer:
        async with self._line.one_batch:
            self.sent_batches += 1
            return await self._line.province.send_events(self.streamid, [row.body for row in rows])

    async def _take_answer(self, rows: Sequence[Row], answer: BatchAnswer) -> bool:
        """Move the cursor; False if the province took nothing. Raises ProvinceError if this is no acknowledgement."""
        there = answer.acked_through
        # What has just been committed is read before the store has told of it.
        known = max(self._store.last_sequence, rows[-1].sequence)
        if not rows[0].sequence - 1 <= there <= known:
            raise Unreachable(Why.NOT_THE_PROVINCE, f"events: acknowledged through {there}, sent {rows[-1].sequence}")
        if there and await self._chain_at(there) != answer.chain_sm3:
            await self._differs_in_answer(there)
        self._strange_answers = 0
        self._tell_rejected(answer.rejected)
        if there == self.acked:
            return False
        await self._move(there)
        self._line.troubles.end(*OVER_WITH_AN_ACK)
        if not self.backlog:
            self._line.troubles.end(*OVER_WITH_ALL_ACKED)
        self._backoff.acknowledged()
        self._refused_alone.clear()
        if there >= rows[-1].sequence and self._suspects is None:
            self._size = min(self._line.limits.batch_events, max(self._size, len(rows)) * 2)
        _log.debug("acknowledged through %d of %d", there, self._store.last_sequence)
        return True

    async def _differs_in_answer(self, there: int) -> None:
        self._strange_answers += 1
        if self._strange_answers < STRIKES:
            raise Unreachable(Why.NOT_THE_PROVINCE, f"events: chain at {there} is strange")
        self._line.troubles.begin("province.chain_broken")
        raise ChainDiffers(f"chain at {there} differs")

    @staticmethod
    def _tell_rejected(rejected: Sequence[Rejection]) -> None:
        for each in rejected:
            _log.warning("rejected over there: sequence=%d id=%s %s", each.sequence, each.id, each.code)

    async def _move(self, to: int) -> None:
        await self._write(to, forward=True)
        self.moved_s = self._store.clock.monotonic_s()

    async def _go_back(self, to: int) -> None:
        """The province has lost what it had: send it again from there (D09)."""
        _log.warning("rewound: the province stands at %d, we at %d", to, self.acked)
        await self._write(to, forward=False)
        self._line.troubles.begin("province.rewound", sequence=to + 1)

    async def _write(self, to: int, *, forward: bool) -> None:
        streamid = self.streamid

        def verb(tx: Tx) -> int:
            row = tx.session.get_one(StreamRow, streamid)
            row.acked_through = max(row.acked_through, to) if forward else to
            tx.session.add(row)
            return row.acked_through

        self.acked = await self._store.write(verb)

    # --- a batch that was refused -----------------------------------------------------------------------------------

    async def _act_on(self, rows: Sequence[Row], exc: Rejected) -> None:
        """What §10 says about a refused batch. Raises the refusal again if it is about the session."""
        if exc.remedy is Remedy.SHRINK:
            await self._shrink(rows, exc)
        elif exc.remedy is Remedy.REWIND:
            await self._rewind(rows, exc)
        elif exc.remedy is Remedy.NEW_STREAM:
            await self._conflict(rows, exc)
        else:
            raise exc

    async def _shrink(self, rows: Sequence[Row], exc: Rejected) -> None:
        """Halve; the halving ends after a few steps, so it need not wait long (§9.3)."""
        index, first = exc.problem.index, rows[0].sequence
        _log.info("%s for a batch of %d from %d", exc.code, len(rows), first)
        if len(rows) == 1:
            await self._shrink_no_further(rows[0], exc)
            return
        if index is not None and index < len(rows):
            self._suspects = (first + index, first + index)
        elif exc.code == "TOO_LARGE":
            self._size = self._ceiling = len(rows) // 2
        else:
            self._suspects = (first, rows[-1].sequence)
        await self._line.pace.pause(self._line.pace.rand(0, 1))

    async def _shrink_no_further(self, row: Row, exc: Rejected) -> None:
        """One event is refused alone: twice, then once more after the province has read another one, and it is the
        event's own fault. (The province may have been healed between the refusals and the other event.)"""
        self._refused_alone[row.id] = self._refused_alone.get(row.id, 0) + 1
        if self._refused_alone[row.id] >= 2 and await self._reads_another() and not await self._reads([row]):
            _log.error("refused alone: sequence=%d id=%s %s; left out of a new stream", row.sequence, row.id, exc.code)
            await self._open_stream(
                StreamReason.RESET, without=Refused(event_id=row.id, sequence=row.sequence, code=exc.code)
            )
            return
        if self._refused_alone[row.id] >= 2:
            self._line.troubles.begin("province.all_refused")
        await self._line.pace.pause(self._backoff.failed(exc))

    async def _reads_another(self) -> bool:
        """Whether the province reads an event that it has read before."""
        good = await self._read(1, after=self.acked - 1)
        return bool(self.acked and good) and await self._reads(good)

    async def _reads(self, rows: Sequence[Row]) -> bool:
        """Whether the province takes these; what it acknowledges is found out by the next batch."""
        try:
            await self._send(rows)
        except Rejected as exc:
            if exc.remedy is Remedy.SHRINK:
                return False
            raise
        return True

    async def _rewind(self, rows: Sequence[Row], exc: Rejected) -> None:
        to = 0 if exc.code == "STREAM_UNKNOWN" else (exc.problem.next_expected or rows[0].sequence) - 1
        if not 0 <= to < self.acked:
            raise exc  # the province contradicts itself
        await self._go_back(to)
        await self._line.pace.pause(self._backoff.failed(exc))

    async def _conflict(self, rows: Sequence[Row], exc: Rejected) -> None:
        """This stream cannot go on (§6): a new one repeats what is unacknowledged."""
        guilty = self._guilty(rows, exc) if exc.code == "ID_CONFLICT" else None
        without = None
        if guilty is not None and guilty.id in self._conflicts:
            # Repeated under its id it would conflict for ever.
            without = Refused(event_id=guilty.id, sequence=guilty.sequence, code=exc.code)
        elif guilty is not None:
            self._conflicts.add(guilty.id)
        _log.error("%s in stream %s after %d; opening a new stream", exc.code, self.streamid, self.acked)
        await self._line.pace.pause(self._backoff.failed(exc))
        await self._open_stream(StreamReason.RESET, without=without)

    @staticmethod
    def _guilty(rows: Sequence[Row], exc: Rejected) -> Row | None:
        there = exc.problem.acked_through
        return next((row for row in rows if there is not None and row.sequence == there + 1), None)

    async def _open_stream(self, reason: StreamReason, without: Refused | None = None) -> None:
        now_s = self._store.clock.monotonic_s()
        if len(self._resets) == RESETS_AN_HOUR and now_s - self._resets[0] < 3600:
            # Two machines with one identity would close each other's streams for ever.
            self._line.troubles.begin("province.duplicate_identity")
            await self._line.pace.pause(SELDOM_S)
        self._resets.append(now_s)
        if without is None:
            self._line.troubles.begin("province.new_stream")
        await self._store.reset_stream(reason, without=without)
        self._strange_hellos = 0
        self._refused_alone.clear()
        await self.take_up()
