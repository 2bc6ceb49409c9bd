"""Streams of the event log: where one ends, what the next one says again. Reads and marks rows, emits nothing."""

from __future__ import annotations

from sqlmodel import Session, col, func, select

from hall_daemon.events import StreamOpened
from hall_daemon.tables import EventRow, RefusedRow, StreamRow
from hall_daemon.words import StreamReason

_OF_STREAMS = StreamOpened(reason=StreamReason.INSTALL).subject


def last_event(session: Session, streamid: str) -> EventRow | None:
    """The last event of a stream."""
    question = select(EventRow).where(EventRow.streamid == streamid)
    return session.exec(question.order_by(col(EventRow.sequence).desc()).limit(1)).first()


def close(session: Session, stream: StreamRow) -> list[EventRow]:
    """Nothing is added to this stream any more; what must be said again in the next one, in order."""
    stream.state = "closed"
    session.add(stream)
    return list(
        session.exec(
            select(EventRow)
            .where(EventRow.streamid == stream.streamid, EventRow.sequence > stream.acked_through)
            .where(EventRow.type != StreamOpened.wire_type)
            .where(col(EventRow.id).not_in(select(RefusedRow.id)))
            .order_by(col(EventRow.sequence))
        )
    )


def opening_aggseq(session: Session, repeated: list[EventRow]) -> int:
    """Place of a stream's first event in its subject: what is repeated behind it keeps its places, and the province may
    never have seen the first event of the stream before."""
    behind = next((row.aggseq for row in repeated if row.subject == _OF_STREAMS), None)
    if behind is not None:
        return max(1, behind - 1)
    acked = session.exec(
        select(func.max(EventRow.aggseq))
        .join(StreamRow, col(StreamRow.streamid) == col(EventRow.streamid))
        .where(EventRow.subject == _OF_STREAMS, EventRow.sequence <= StreamRow.acked_through)
    ).one()
    return (acked or 0) + 1
