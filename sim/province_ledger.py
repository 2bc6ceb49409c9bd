"""What the province has acknowledged, and what it has applied.

Source: province.md §6 (streams), §7.2 (batch, quarantine, held subjects), §7.4 (leaf, chain), §8 (states of a ticket).
Each batch is one transaction: the longest valid prefix becomes durable before anybody is answered. An event is applied
at most once by its id; every application leaves a row in `effects`, which nothing but a requested fault removes.

Readings where the contract is open: the first event of a subject in a newer stream may repeat an `aggseq` (the hall has
forgotten what came after its backup); a higher one is AGGSEQ_GAP as always. A new stream closes every other one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sim.province_effects import Effects, Kept
from sim.province_judge import Arrived, Fault, envelopes_in, fault_in
from sim.province_problems import Problem
from sim.province_seals import (
    ZERO_CHAIN,
    BrokenEnvelope,
    Json,
    JsonObject,
    KeyRing,
    next_chain,
    open_envelope,
    parse_json,
)
from sim.province_tables import Row, Tables

OPENED = "hall.stream.opened.v1"
CORRECTED = "hall.event.corrected.v1"


@dataclass(frozen=True, kw_only=True)
class Stream:
    """Where one stream stands."""

    n: int
    streamid: str
    open: bool
    acked: int
    chain: str
    first_chain: str
    reason: str

    @property
    def position(self) -> JsonObject:
        """The members by which every answer tells it."""
        return {
            "acked_through": f"{self.acked:016d}",
            "next_expected": f"{self.acked + 1:016d}",
            "chain_sm3": self.chain,
        }


@dataclass(kw_only=True)
class Outcome:
    """What became of one batch."""

    duplicates: int = 0
    rejected: list[Json] = field(default_factory=list)
    subjects: set[str] = field(default_factory=set)
    conflict: Problem | None = None

    def reject(self, event: Arrived, fault: Fault, *, warning: bool) -> None:
        """List a quarantined event, or one that was applied with a warning."""
        entry: JsonObject = {
            "sequence": f"{event.sequence:016d}",
            "id": event.event_id,
            "code": fault.code,
            "detail": fault.detail,
        }
        if warning:
            entry["warning"] = True
        self.rejected.append(entry)


class Ledger:
    """Streams and events of one hall."""

    def __init__(self, tables: Tables, ring: Callable[[], KeyRing], now: Callable[[], float]) -> None:
        self.tables = tables
        self.effects = Effects(tables)
        self._ring = ring
        self._now = now

    def stream(self, streamid: str) -> Stream | None:
        """A stream the province knows."""
        row = self.tables.row("SELECT * FROM streams WHERE streamid = ?", (streamid,))
        return None if row is None else _stream(row)

    def take_batch(
        self, events: Sequence[Arrived], *, resend: bool = False, after_each: Callable[[int], None] = lambda _: None
    ) -> Outcome:
        """Store and apply the longest valid prefix; durable on return. Raises Problem if nothing could be taken.

        `after_each` hears how many events were taken, inside the transaction.
        """
        outcome = Outcome()
        with self.tables.transaction():
            stream = self._stream_for(events, resend=resend)
            for count, event in enumerate(events, 1):
                outcome.conflict = self._take(stream, event, outcome)
                if outcome.conflict is not None:
                    break
                stream = self.stream(stream.streamid) or stream
                after_each(count)
        return outcome

    def _stream_for(self, events: Sequence[Arrived], *, resend: bool) -> Stream:
        first, last = events[0], events[-1]
        stream = self.stream(first.streamid)
        if stream is None:
            if first.sequence != 1 or first.type != OPENED:
                raise Problem(
                    404, "STREAM_UNKNOWN", "an unknown stream begins with hall.stream.opened.v1 as sequence 1"
                )
            return self._open(first)
        if (resend and last.sequence > stream.acked) or (not resend and first.sequence > stream.acked + 1):
            raise Problem(409, "SEQ_GAP", "events before these are missing here", **stream.position)
        return stream

    def _open(self, event: Arrived) -> Stream:
        self.tables.do("UPDATE streams SET open = 0")
        chain, reason, previous = (
            event.data.get(name) for name in ("previous_chain_sm3", "reason", "previous_streamid")
        )
        start = chain if isinstance(chain, str) and len(chain) == 64 else ZERO_CHAIN
        self.tables.do(
            "INSERT INTO streams (streamid, open, acked, chain, first_chain, reason, previous) VALUES (?,1,0,?,?,?,?)",
            (event.streamid, start, start, str(reason), previous if isinstance(previous, str) else None),
        )
        self._compare_with_previous(event, start)
        stream = self.stream(event.streamid)
        assert stream is not None
        return stream

    def _compare_with_previous(self, event: Arrived, start: str) -> None:
        last = event.data.get("previous_last_sequence")
        before = self.tables.row(
            "SELECT chain FROM events WHERE streamid = ? AND sequence = ?",
            (str(event.data.get("previous_streamid")), int(str(last)) if str(last).isdecimal() else -1),
        )
        if before is not None and before["chain"] != start:
            detail = "previous_chain_sm3 is not the chain the province has at previous_last_sequence"
            self.effects.warn(event.event_id, Fault(code="CHAIN_MISMATCH", detail=detail))

    def _take(self, stream: Stream, event: Arrived, outcome: Outcome) -> Problem | None:
        """Take one event; a Problem if it may not be acknowledged."""
        outcome.subjects.add(event.subject)
        here = self.tables.row(
            "SELECT * FROM events WHERE streamid = ? AND sequence = ?", (event.streamid, event.sequence)
        )
        if here is not None:
            return self._take_again(stream, event, here, outcome)
        if not stream.open:
            return Problem(409, "STREAM_CLOSED", "a newer stream of this hall is open", **stream.position)
        known = self._by_id(event.event_id)
        if known is not None and known["sameness"] != event.sameness:
            return Problem(409, "ID_CONFLICT", "this id says something else already", **stream.position)
        chain = next_chain(stream.chain, event.leaf)
        if known is not None:
            self._keep(event, chain, "repeat")
            self._count_duplicate(outcome)
        else:
            self._take_new(event, chain, outcome)
        self.tables.do(
            "UPDATE streams SET acked = ?, chain = ? WHERE streamid = ?", (event.sequence, chain, event.streamid)
        )
        return None

    def _take_again(self, stream: Stream, event: Arrived, here: Row, outcome: Outcome) -> Problem | None:
        if here["leaf"] != event.leaf or here["id"] != event.event_id:
            return Problem(409, "SEQ_CONFLICT", "this sequence holds another event", **stream.position)
        if here["status"] == "lost":
            self._restore(event, outcome)
        else:
            self._count_duplicate(outcome)
        return None

    def _count_duplicate(self, outcome: Outcome) -> None:
        outcome.duplicates += 1
        self.tables.count("resent")

    def _by_id(self, event_id: str) -> Row | None:
        return self.tables.row("SELECT * FROM events WHERE id = ? AND status NOT IN ('repeat', 'lost')", (event_id,))

    def _take_new(self, event: Arrived, chain: str, outcome: Outcome) -> None:
        subject = self.effects.subject(event.subject)
        fault = self._content_fault(event) or _order_fault(event, subject)
        if fault is None and subject is not None and subject["held_by"] and event.type != CORRECTED:
            self._keep(event, chain, "held")
        else:
            fault = fault or self.effects.refusal(_kept(event))
            self._keep(event, chain, "quarantined" if fault else "applied", fault)
            self._settle(event, fault, outcome)
        self.effects.note_arrival(_kept(event), streamid=event.streamid, holds=fault is not None)

    def _settle(self, event: Arrived, fault: Fault | None, outcome: Outcome) -> None:
        if fault is not None:
            outcome.reject(event, fault, warning=False)
            return
        warning = self.effects.apply(_kept(event))
        if warning is not None:
            outcome.reject(event, warning, warning=True)
        if event.type == CORRECTED:
            self._correct(event)

    def _content_fault(self, event: Arrived) -> Fault | None:
        if event.type == OPENED and event.sequence != 1:
            return Fault(code="EVT_SCHEMA", detail="hall.stream.opened.v1 stands only at sequence 1")
        return fault_in(event.event, now=self._now(), ring=self._ring())

    def _keep(self, event: Arrived, chain: str, status: str, fault: Fault | None = None) -> None:
        self.tables.do(
            "INSERT INTO events (streamid, sequence, id, type, subject, aggseq, bizdate, leaf, chain, sameness, text,"
            " status, code, detail, opened) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                *(event.streamid, event.sequence, event.event_id, event.type, event.subject, event.aggseq),
                *(event.bizdate, event.leaf, chain, event.sameness, event.text, status),
                *(fault.code if fault else None, fault.detail if fault else None, self._opened(event)),
            ),
        )

    def _opened(self, event: Arrived) -> str | None:
        """What the envelope holds (names only) and whether the keyed hash beside it belongs to it."""
        for envelope in envelopes_in(event.event):
            try:
                opened = open_envelope(envelope, event.event_id, self._ring())
            except BrokenEnvelope:
                return None
            clear = event.data.get("id_hmac")
            matches = clear in opened.id_hmacs if opened.id_hmacs and clear is not None else None
            return json.dumps({"members": list(opened.members), "id_hmac_matches": matches})
        return None

    def _correct(self, event: Arrived) -> None:
        row = self._by_id(str(event.data["corrects_id"]))
        if row is not None and row["status"] == "quarantined":
            fields = event.data["fields"]
            assert isinstance(fields, dict)
            self._judge_again(row, fields)

    def judge_again(self, event_id: str) -> bool:
        """The operator retries a quarantined event; True if it is applied now."""
        with self.tables.transaction():
            row = self._quarantined(event_id)
            return self._judge_again(row, {})

    def purge(self, event_id: str) -> None:
        """The operator gives a quarantined event up; its subject goes on."""
        with self.tables.transaction():
            row = self._quarantined(event_id)
            self.tables.do("UPDATE events SET status = 'purged' WHERE n = ?", (row["n"],))
            self._release(row["subject"])

    def _quarantined(self, event_id: str) -> Row:
        row = self._by_id(event_id)
        if row is None or row["status"] != "quarantined":
            raise Problem(404, "EVENT_UNKNOWN", "no such event in quarantine")
        return row

    def _judge_again(self, row: Row, fields: JsonObject) -> bool:
        event = parse_json(row["text"].encode())
        assert isinstance(event, dict)
        data = event["data"]
        assert isinstance(data, dict)
        event["data"] = {**data, **fields}
        kept = Kept.of(event)
        fault = fault_in(event, now=self._now(), ring=self._ring()) or self.effects.refusal(kept)
        if fault is not None:
            self.tables.do("UPDATE events SET code=?, detail=? WHERE n=?", (fault.code, fault.detail, row["n"]))
            return False
        self.tables.do(
            "UPDATE events SET status = 'applied', corrected = ? WHERE n = ?",
            (json.dumps(event["data"], ensure_ascii=False) if fields else None, row["n"]),
        )
        self.effects.apply(kept)
        self._release(row["subject"])
        return True

    def _release(self, subject: str) -> None:
        """Apply what waited, up to the next event of the subject that is in quarantine itself."""
        waiting = self.tables.rows(
            "SELECT * FROM events WHERE subject = ? AND status IN ('held', 'quarantined') ORDER BY n", (subject,)
        )
        for row in waiting:
            kept = kept_row(row)
            fault = self.effects.refusal(kept) if row["status"] == "held" else None
            if fault is not None:
                order = "UPDATE events SET status = 'quarantined', code = ?, detail = ? WHERE n = ?"
                self.tables.do(order, (fault.code, fault.detail, row["n"]))
            if fault is not None or row["status"] == "quarantined":
                self.effects.hold(subject, row["id"])
                return
            self.tables.do("UPDATE events SET status = 'applied' WHERE n = ?", (row["n"],))
            self.effects.apply(kept)
        self.effects.hold(subject, None)

    def _restore(self, event: Arrived, outcome: Outcome) -> None:
        """Take back an event that was acknowledged once and lost since; it stands where it stood in its chain."""
        fault = fault_in(event.event, now=self._now(), ring=self._ring())
        status = "quarantined" if fault else "applied"
        if self._by_id(event.event_id) is not None:
            status, fault = "repeat", None
        self.tables.do(
            "UPDATE events SET status = ?, text = ?, code = ?, detail = ? WHERE streamid = ? AND sequence = ?",
            (
                *(status, event.text, fault.code if fault else None, fault.detail if fault else None),
                *(event.streamid, event.sequence),
            ),
        )
        if fault is not None:
            outcome.reject(event, fault, warning=False)
        if status == "applied":
            self.effects.record(event.event_id)

    def forget_after(self, streamid: str, sequence: int) -> None:
        """Be restored from an old backup: everything after this sequence was never here."""
        with self.tables.transaction():
            self._undo("streamid = ? AND sequence > ?", (streamid, sequence))
            self.tables.do("DELETE FROM events WHERE streamid = ? AND sequence > ?", (streamid, sequence))
            end = self.tables.row("SELECT chain FROM events WHERE streamid = ? AND sequence = ?", (streamid, sequence))
            self.tables.do(
                "UPDATE streams SET acked = ?, chain = coalesce(?, first_chain) WHERE streamid = ?",
                (sequence, end["chain"] if end else None, streamid),
            )
            self._rebuild()

    def lose(self, streamid: str, sequences: Sequence[int]) -> None:
        """Lose content and effect of applied events, and not notice: tickets and subjects stay as they are."""
        with self.tables.transaction():
            for sequence in sequences:
                self._undo("streamid = ? AND sequence = ?", (streamid, sequence))
                self.tables.do(
                    "UPDATE events SET status = 'lost', text = '', opened = NULL"
                    " WHERE streamid = ? AND sequence = ? AND status = 'applied'",
                    (streamid, sequence),
                )

    def _undo(self, which: str, values: tuple[str, int]) -> None:
        chosen = f"SELECT id FROM events WHERE {which} AND status = 'applied'"  # noqa: S608 - own text
        self.tables.do(f"DELETE FROM effects WHERE event_id IN ({chosen})", values)  # noqa: S608 - own text

    def _rebuild(self) -> None:
        """Derive tickets and subjects anew from the events that are left."""
        self.effects.clear_derived()
        rows = self.tables.rows(
            "SELECT events.* FROM events JOIN streams USING (streamid)"
            " WHERE status NOT IN ('repeat', 'lost') ORDER BY streams.n, sequence"
        )
        for row in rows:
            kept = kept_row(row)
            self.effects.note_arrival(kept, streamid=row["streamid"], holds=row["status"] == "quarantined")
            if row["status"] == "applied":
                self.effects.fold(kept)


def _stream(row: Row) -> Stream:
    return Stream(
        n=row["n"],
        streamid=row["streamid"],
        open=bool(row["open"]),
        acked=row["acked"],
        chain=row["chain"],
        first_chain=row["first_chain"],
        reason=row["reason"],
    )


def _order_fault(event: Arrived, subject: Row | None) -> Fault | None:
    expected = 1 if subject is None else subject["aggseq"] + 1
    may_repeat = subject is not None and subject["streamid"] != event.streamid
    if event.aggseq == expected or (may_repeat and event.aggseq < expected):
        return None
    return Fault(code="AGGSEQ_GAP", detail=f"aggseq {event.aggseq} of the subject, expected {expected}")


def _kept(event: Arrived) -> Kept:
    return Kept.of(event.event)


def kept_row(row: Row) -> Kept:
    """An event from its row, with corrected data where it was corrected."""
    event = parse_json(row["text"].encode())
    assert isinstance(event, dict)
    if row["corrected"] is not None:
        event["data"] = parse_json(row["corrected"].encode())
    return Kept.of(event)
