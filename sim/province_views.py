"""The ledger as tests read it: what `GET /sim/ledger` says, in types."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class LedgerEvent:
    """One acknowledged place in a stream."""

    streamid: str
    sequence: int
    id: str
    type: str
    subject: str
    aggseq: int
    bizdate: str
    leaf: str
    chain: str
    event: str
    """Canonical form, byte for byte as the hall should have it."""
    status: str
    """applied, held, quarantined, purged, repeat or lost."""
    code: str | None
    detail: str | None
    applied: int | None
    """Place in the order of application."""
    envelope: dict[str, Any] | None
    """Names of what was sealed, and whether the keyed hash beside it belongs to it; None if it could not be opened."""


@dataclass(frozen=True, kw_only=True)
class LedgerTicket:
    """One ticket as its events left it."""

    ticket_id: str
    event_id: str | None
    display_no: str | None
    queue_code: str | None
    serial: int | None
    bizdate: str | None
    state: str


@dataclass(frozen=True, kw_only=True)
class LedgerCase:
    """One case as its events left it; `kind` is the code of GB/T 39046 (1 即办件, 2 承诺件, 9 其他)."""

    local_case_no: str
    ticket_id: str
    item_code: str
    kind: int
    state: str
    """received, supplement, supplemented, accepted, reject or returned."""
    notices: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class LedgerBlob:
    """One file: awaited (only named by an event), verifying or stored."""

    blob: str
    state: str
    bytes: int
    sm3: str
    media: str
    path: Path | None
    """Where the bytes are, once stored."""
    named: bool
    """Whether a scanned material names it."""


@dataclass(frozen=True, kw_only=True)
class LedgerStream:
    """One stream and where it stands."""

    streamid: str
    state: str
    acked_through: int
    chain_sm3: str
    reason: str
    previous_streamid: str | None


@dataclass(frozen=True, kw_only=True)
class LedgerWarning:
    """Something odd that was applied all the same."""

    event_id: str
    code: str
    detail: str


@dataclass(frozen=True, kw_only=True)
class LedgerDay:
    """One reconciliation that was answered."""

    n: int
    bizdate: str
    streamid: str
    first: int
    last: int
    result: str


@dataclass(frozen=True, kw_only=True)
class LedgerView:
    """Everything the province has acknowledged."""

    streams: tuple[LedgerStream, ...]
    events: tuple[LedgerEvent, ...]
    """Applied, each effect once, by stream and sequence."""
    held: tuple[LedgerEvent, ...]
    quarantined: tuple[LedgerEvent, ...]
    """In quarantine or purged from it by the operator."""
    repeats: tuple[LedgerEvent, ...]
    """Places whose event had come before in another place."""
    lost: tuple[LedgerEvent, ...]
    held_subjects: tuple[str, ...]
    warnings: tuple[LedgerWarning, ...]
    tickets: tuple[LedgerTicket, ...]
    cases: tuple[LedgerCase, ...]
    blobs: tuple[LedgerBlob, ...]
    reconciliations: tuple[LedgerDay, ...]
    acknowledged: int
    """Places in streams that were acknowledged."""
    duplicates: int
    """Effects applied more than once, counted; must be 0."""
    resent: int
    """Events that arrived again and were not applied again."""

    @property
    def rows(self) -> list[LedgerEvent]:
        """Every acknowledged place, whatever became of it, by order of streams and sequences."""
        order = {stream.streamid: index for index, stream in enumerate(self.streams)}
        everything = (*self.events, *self.held, *self.quarantined, *self.repeats, *self.lost)
        return sorted(everything, key=lambda row: (order[row.streamid], row.sequence))

    @property
    def stored(self) -> list[LedgerBlob]:
        """Files that are here whole."""
        return [blob for blob in self.blobs if blob.state == "stored"]


def ledger_view(text: str) -> LedgerView:
    """From the JSON of /sim/ledger, which is trusted to have the members above."""
    said = json.loads(text)

    def events(name: str) -> tuple[LedgerEvent, ...]:
        return tuple(LedgerEvent(**entry) for entry in said[name])

    return LedgerView(
        streams=tuple(LedgerStream(**entry) for entry in said["streams"]),
        events=events("events"),
        held=events("held"),
        quarantined=events("quarantined"),
        repeats=events("repeats"),
        lost=events("lost"),
        held_subjects=tuple(said["held_subjects"]),
        warnings=tuple(LedgerWarning(**entry) for entry in said["warnings"]),
        tickets=tuple(LedgerTicket(**entry) for entry in said["tickets"]),
        cases=tuple(LedgerCase(**{**entry, "notices": tuple(entry["notices"])}) for entry in said.get("cases", ())),
        blobs=tuple(
            LedgerBlob(**{**entry, "path": Path(entry["path"]) if entry["path"] else None}) for entry in said["blobs"]
        ),
        reconciliations=tuple(LedgerDay(**entry) for entry in said["reconciliations"]),
        acknowledged=said["acknowledged"],
        duplicates=said["duplicates"],
        resent=said["resent"],
    )
