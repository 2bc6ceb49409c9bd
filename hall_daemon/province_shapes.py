"""Shapes of the province's questions and answers (province.md §7). An answer that does not fit is no answer.

Answers are read strictly (no float, no text for a number); members that nobody knows are ignored, as §2 wants it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from hall_daemon.words import BlobId, Frozen


def _number(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() else value


Sequence = Annotated[int, BeforeValidator(_number), Field(ge=0)]
"""16 digits on the wire, sometimes a number."""
Sm3Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Answer(BaseModel):
    """Base of what the province says."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


class Limits(Answer):
    """What the province wants halls to keep to (§7.1); bytes, requests a second."""

    batch_events: int = Field(default=500, ge=1)
    batch_bytes: int = Field(default=1048576, ge=1024)
    rate_per_s: int = Field(default=50, ge=1)
    upload_parallel: int = Field(default=2, ge=1)
    upload_chunk: int = Field(default=1048576, ge=1)


class Hello(Frozen):
    """§7.1, what the hall says."""

    daemon_version: str
    contract: str = "1.0"
    streamid: str
    next_sequence: str
    oldest_unacked_time: str | None
    backlog_events: int
    backlog_blobs: int
    backlog_bytes: int
    catver: int
    bizdate: str
    clkstate: str
    boot_id: str


class HelloAnswer(Answer):
    """§7.1, what the province says."""

    server_time: str
    acked_through: Sequence
    stream_state: Literal["open", "closed", "unknown"]
    chain_sm3: Sm3Hex | None = None
    known_serials: dict[str, dict[str, int]] = Field(default_factory=dict)
    catalog_version: int = 0
    limits: Limits = Limits()
    quarantined: int = 0
    commands_pending: int = 0
    notices: tuple[dict[str, Any], ...] = ()
    """Any: §7.1 leaves their members open."""


class Rejection(Answer):
    """An event that is kept over there but not applied, or applied with a warning (§7.2)."""

    sequence: Sequence
    id: str
    code: str


class BatchAnswer(Answer):
    """§7.2: how far the stream is durable over there."""

    streamid: str
    acked_through: Sequence
    next_expected: Sequence
    chain_sm3: Sm3Hex
    duplicates: int = 0
    rejected: tuple[Rejection, ...] = ()
    held_subjects: tuple[str, ...] = ()
    backoff_ms: int = Field(default=0, ge=0)


class QueueSpan(Frozen):
    """Numbers of a queue on a day."""

    min: int
    max: int
    count: int


class DayClaim(Frozen):
    """§7.4: a closed day as this hall has it, or the part of it that one stream holds."""

    bizdate: str
    streamid: str
    first_sequence: str
    last_sequence: str
    event_count: int
    digest_sm3: str
    chain_sm3: str
    tickets: int
    by_queue: dict[str, QueueSpan]
    blobs: int
    blob_digest_sm3: str


class Bucket(Answer):
    """256 sequences as the province has them."""

    model_config = ConfigDict(populate_by_name=True)
    first: Sequence = Field(alias="from")
    last: Sequence = Field(alias="to")
    count: int
    digest_sm3: Sm3Hex


class DayVerdict(Answer):
    """§7.4, the answer."""

    result: Literal["match", "mismatch"]
    buckets: tuple[Bucket, ...] = ()
    missing_blobs: tuple[BlobId, ...] = ()


class Appointment(Answer):
    """§7.7: a slot that somebody booked."""

    id: str = Field(min_length=1, max_length=64)
    code6: str = Field(max_length=16)
    item_codes: list[str]
    bizdate: str = Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")
    slot_start: str
    slot_end: str
    id_type: str
    id_hmac: Sm3Hex
    name_masked: str
    phone_tail4: str
    state: Literal["booked", "cancelled", "checked_in", "no_show"]
    rev: int = Field(ge=1)


class AppointmentPage(Answer):
    """§7.7: changes after a cursor."""

    items: list[Appointment]
    next_cursor: str | None = None
    as_of: str


class Command(Answer):
    """§7.8. Any: arguments differ by type."""

    id: int = Field(ge=1)
    type: str
    args: dict[str, Any] = Field(default_factory=dict)
    expires_at: str


class PublishedKey(Answer):
    """§3.4; `repr` shows no key material."""

    kid: str
    use: str
    key_b64: str = Field(repr=False)
    not_before: str
    not_after: str


class HeartbeatDevice(Frozen):
    """A device in the heartbeat."""

    id: str
    kind: str
    state: str
    since: str


class Heartbeat(Frozen):
    """§7.9, lossy."""

    time: str
    boot_id: str
    bizdate: str
    day_state: str
    backlog_events: int
    backlog_blobs: int
    oldest_unacked_s: int
    disk_free_bytes: int
    db_bytes: int
    clkstate: str
    clkoffms: int
    waiting: dict[str, int]
    windows_open: int
    devices: tuple[HeartbeatDevice, ...]
    version: str


class HeartbeatAnswer(Answer):
    """§7.9, the answer."""

    commands_pending: int = 0


class Problem(Answer):
    """§10, `application/problem+json`."""

    code: str
    retry_after_ms: int | None = Field(default=None, ge=0)
    next_expected: Sequence | None = None
    acked_through: Sequence | None = None
    index: int | None = Field(default=None, ge=0)
