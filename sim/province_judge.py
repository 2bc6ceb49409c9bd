"""Whether an event may be acknowledged, and whether its effect may be applied.

`arrived` refuses a whole batch (§7.2, BAD_ENVELOPE); `fault_in` finds what puts one event into quarantine (§10, last
paragraph). Both are pure. No sentence quotes a value, so nothing personal reaches an answer or a log.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sim import province_checks as checks
from sim.province_checks import integer, one_of, pattern, shape
from sim.province_problems import Problem
from sim.province_schema import EVENT_TYPES, EventType
from sim.province_seals import (
    BrokenEnvelope,
    Json,
    JsonObject,
    KeyRing,
    canonical,
    epoch_of,
    leaf_of,
    open_envelope,
    sm3,
    without_personal_data,
)

LARGEST_EVENT = 64 * 1024
OLDEST_S = 400 * 86400
CLOCK_CLAMP_MS = 2**31 - 1

SUBJECT = (
    f"ticket/{checks.UUID}|case/{checks.LOCAL_CASE_NO}|material/{checks.UUID}"
    r"|appointment/[^\s/]{1,64}|device/[^\s/]{1,64}|hall"
)
ENVELOPE = shape(
    specversion=one_of("1.0"),
    id=checks.uuid,
    source=pattern("/halls/[0-9]{12}-[0-9]{2}"),
    type=pattern(r"hall\.[a-z0-9_]+\.[a-z0-9_]+\.v[0-9]+"),
    subject=pattern(SUBJECT),
    time=checks.moment,
    recordedtime=checks.moment,
    datacontenttype=one_of("application/json"),
    streamid=checks.uuid,
    sequence=pattern("[0-9]{16}"),
    aggseq=integer(1),
    bizdate=checks.date,
    catver=integer(0),
    clkstate=one_of("sync", "hold", "bad"),
    clkoffms=integer(-CLOCK_CLAMP_MS, CLOCK_CLAMP_MS),
    traceparent_opt=pattern("[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"),
    data=checks.free_object,
)

# A citizen's number has a birth date in the middle; longer codes of the contract (items, cases) have no edge there.
ID_NUMBER = re.compile(
    r"(?<!\d)[1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?![0-9A-Za-z])"
)
MOBILE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")
# Identifiers are random or coded digits, so a run of eleven of them means nothing.
IDENTIFIER = re.compile(
    f"{checks.UUID}|{checks.HEX64}|{checks.BLOB}|{checks.LOCAL_CASE_NO}|{checks.ITEM_CODE}|{checks.TIME}|[0-9]{{16}}"
)
CODED_MEMBERS = frozenset({"dept"})


@dataclass(frozen=True, kw_only=True)
class Arrived:
    """One event of a batch whose envelope is in order."""

    event: JsonObject
    streamid: str
    sequence: int
    event_id: str
    type: str
    subject: str
    aggseq: int
    bizdate: str
    leaf: str
    sameness: str
    """Equal for two events that say the same about the same thing, whatever stream they come in (§7.2)."""
    text: str
    """Canonical form."""

    @property
    def data(self) -> JsonObject:
        """Its data."""
        value = self.event["data"]
        assert isinstance(value, dict)
        return value


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Why an event is kept but not applied."""

    code: str
    detail: str


def arrived(value: Json, *, hall: str, streamid: str, index: int) -> Arrived:
    """The event at this place of a batch. Raises Problem BAD_ENVELOPE or TOO_LARGE with the index."""
    complaint = ENVELOPE(value)
    if complaint or not isinstance(value, dict):
        raise Problem(400, "BAD_ENVELOPE", str(complaint), index=index)
    for name, right in (("source", f"/halls/{hall}"), ("streamid", streamid)):
        if value[name] != right:
            raise Problem(400, "BAD_ENVELOPE", f"{name}: not the one this address is for", index=index)
    if int(text_of(value, "sequence")) < 1:
        raise Problem(400, "BAD_ENVELOPE", "sequence: counts from 1", index=index)
    text = canonical(value)
    if len(text) > LARGEST_EVENT:
        raise Problem(413, "TOO_LARGE", f"an event of {len(text)} bytes, at most {LARGEST_EVENT}", index=index)
    about = [value["type"], value["subject"], value["aggseq"], without_personal_data(value["data"])]
    return Arrived(
        event=value,
        streamid=streamid,
        sequence=int(text_of(value, "sequence")),
        event_id=text_of(value, "id"),
        type=text_of(value, "type"),
        subject=text_of(value, "subject"),
        aggseq=number_of(value, "aggseq"),
        bizdate=text_of(value, "bizdate"),
        leaf=leaf_of(value),
        sameness=sm3(canonical(about)),
        text=text.decode(),
    )


def text_of(members: JsonObject, name: str) -> str:
    """A member that a check has found to be text."""
    value = members[name]
    assert isinstance(value, str)
    return value


def number_of(members: JsonObject, name: str) -> int:
    """A member that a check has found to be an integer."""
    value = members[name]
    assert isinstance(value, int)
    return value


def fault_in(event: JsonObject, *, now: float, ring: KeyRing) -> Fault | None:
    """What is wrong with the content of an event; order within its subject is not looked at."""
    if place := clear_personal_data(event):
        return Fault(code="EVT_PII_CLEAR", detail=f"{place}: a full identity or mobile number in a clear field")
    kind = EVENT_TYPES.get(text_of(event, "type"))
    if kind is None:
        return Fault(code="EVT_UNKNOWN_TYPE", detail=text_of(event, "type"))
    if now - _true_time(event) > OLDEST_S:
        return Fault(code="EVT_TOO_OLD", detail="more than 400 days old")
    if complaint := _schema_complaint(event, kind):
        return Fault(code="EVT_SCHEMA", detail=complaint)
    for envelope in envelopes_in(event):
        try:
            open_envelope(envelope, text_of(event, "id"), ring)
        except BrokenEnvelope as exc:
            return Fault(code="EVT_PII_MAC", detail=str(exc))
    return None


def _true_time(event: JsonObject) -> float:
    at = epoch_of(text_of(event, "time"))
    return at if event["clkstate"] == "sync" else at + number_of(event, "clkoffms") / 1000


def _schema_complaint(event: JsonObject, kind: EventType) -> str | None:
    data = event["data"]
    assert isinstance(data, dict)
    if complaint := kind.data(data) or kind.also(data):
        return f"data.{complaint}"
    aggregate, _, name = text_of(event, "subject").partition("/")
    if kind.subject is not None and aggregate != kind.subject:
        return f"subject: not of kind {kind.subject}"
    if kind.subject_member is not None and name != data[kind.subject_member]:
        return f"subject: does not repeat data.{kind.subject_member}"
    return None


def envelopes_in(value: Json) -> Iterator[JsonObject]:
    """Every `pii` object, however deep."""
    if isinstance(value, list):
        for item in value:
            yield from envelopes_in(item)
    elif isinstance(value, dict):
        for name, item in value.items():
            if name == "pii" and isinstance(item, dict):
                yield item
            else:
                yield from envelopes_in(item)


def clear_personal_data(event: JsonObject) -> str | None:
    """Where a full identity number or mobile number stands in a clear field; None if nowhere."""
    places = [*_texts(event["data"], "data"), ("subject", text_of(event, "subject").partition("/")[2])]
    for place, text in places:
        if not IDENTIFIER.fullmatch(text) and (ID_NUMBER.search(text) or MOBILE.search(text)):
            return place
    return None


def _texts(value: Json, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{place}[{index}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            # The name itself may be what leaked; then the place must not quote it.
            named = place if MOBILE.search(name) or ID_NUMBER.search(name) else f"{place}.{name}"
            yield place, name
            if name in CODED_MEMBERS or (name == "pii" and isinstance(item, dict)):
                continue
            if "phone" in name and isinstance(item, int):
                yield named, str(item)
            yield from _texts(item, named)
