"""Proof that the event log is as it was written: leaves, chain, sequences recomputed (province.md §7.4). Reads only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlmodel import Session, col, select

from hall_daemon.privacy import CHAIN_START, chain, leaf
from hall_daemon.tables import EventRow, StreamRow


@dataclass(kw_only=True)
class _End:
    """Where a stream that was looked through ends."""

    streamid: str
    sequence: int
    chain: str


def first_difference(session: Session, written: tuple[str, int] | None) -> str | None:
    """The first difference as a sentence, or None. `written`: stream and sequence that the epoch file remembers."""
    ends: dict[str, _End] = {}
    # In the order in which they were opened, whatever the clock said then.
    for stream in session.exec(select(StreamRow).order_by(text("rowid"))):
        end = _End(streamid=stream.streamid, sequence=0, chain=CHAIN_START)
        ends[stream.streamid] = end
        for row in _rows(session, stream.streamid):
            if difference := _difference(row, end, ends.get(stream.previous or "")):
                return f"stream {stream.streamid}, sequence {row.sequence}, {row.type}: {difference}"
            end.sequence, end.chain = row.sequence, row.chain
    if written is None:
        return None
    here = ends[written[0]].sequence if written[0] in ends else 0
    if here < written[1]:
        return f"stream {written[0]}: sequences {here + 1} to {written[1]} are missing at its end"
    return None


def _rows(session: Session, streamid: str) -> Iterator[EventRow]:
    question = select(EventRow).where(EventRow.streamid == streamid).order_by(col(EventRow.sequence))
    for row in session.exec(question.execution_options(yield_per=500)):
        yield row
        session.expunge(row)


def _difference(row: EventRow, before: _End, previous: _End | None) -> str | None:
    if row.sequence != before.sequence + 1:
        return f"sequence {before.sequence + 1} is missing before it"
    try:
        envelope = json.loads(row.body)
        this_leaf = leaf(envelope)
    except (ValueError, KeyError, TypeError):
        return "the event was changed after it was written (it is no event any more)"
    if this_leaf != row.leaf:
        return "the event was changed after it was written (its leaf differs)"
    if _columns(row) != _members(envelope):
        return "its columns say something else than the event itself"
    start = before.chain
    if row.sequence == 1:
        start = envelope["data"].get("previous_chain_sm3", CHAIN_START)
        if previous is not None and _named(envelope) != (previous.streamid, previous.sequence, previous.chain):
            return f"stream {previous.streamid} before it does not end where it ended when this one was opened"
    return None if chain(start, row.leaf) == row.chain else "the chain of hashes breaks here"


def _columns(row: EventRow) -> tuple[object, ...]:
    return (row.streamid, f"{row.sequence:016d}", row.id, row.type, row.subject, row.aggseq, row.time, row.bizdate)


def _members(envelope: dict[str, Any]) -> tuple[object, ...]:
    """Any: an event's members are of every JSON type."""
    names = ("streamid", "sequence", "id", "type", "subject", "aggseq", "time", "bizdate")
    return tuple(envelope.get(name) for name in names)


def _named(envelope: dict[str, Any]) -> tuple[object, ...]:
    data = envelope["data"]
    return tuple(data.get(name) for name in ("previous_streamid", "previous_last_sequence", "previous_chain_sm3"))
