"""The table [hours] of devices.toml: when the hall is open."""

from __future__ import annotations

from hall_daemon.config_table import Table
from hall_daemon.opening import WEEKDAYS, Hours, Span

_EXAMPLE = "08:30-12:00"
_DAY_MIN = 24 * 60


def read_hours(table: Table) -> Hours:
    """Raises ConfigError."""
    hours = Hours(
        workday=_spans(table, "workday"),
        own={number: _spans(table, name) for number, name in enumerate(WEEKDAYS) if name in table.values},
        holiday=_spans(table, "holiday"),
        early_min=table.number("early_min", 30, 0, 240),
    )
    table.done(WEEKDAYS)
    if not hours.known:
        raise table.wrong("workday", f'is missing: write workday = ["{_EXAMPLE}", "14:00-17:30"], or leave [hours] out')
    return hours


def _spans(table: Table, key: str) -> tuple[Span, ...]:
    found: list[Span] = []
    for said in table.texts(key, []):
        span = _span(said)
        if span is None:
            raise table.wrong(key, f"'{said}' should look like '{_EXAMPLE}'")
        if found and span.start < found[-1].end:
            raise table.wrong(key, f"'{said}' begins before the one in front of it ends")
        found.append(span)
    if found and found[-1].end - found[0].start > _DAY_MIN:
        raise table.wrong(key, "a service day is longer than a day")
    return tuple(found)


def _span(said: str) -> Span | None:
    start, _, end = (part.strip() for part in said.partition("-"))
    begins, ends = _minutes(start), _minutes(end)
    if begins is None or ends is None or begins == ends:
        return None
    return Span(start=begins, end=ends if ends > begins else ends + _DAY_MIN)


def _minutes(clock: str) -> int | None:
    hour, colon, minute = clock.partition(":")
    if not (colon and hour.isascii() and hour.isdigit() and minute.isascii() and minute.isdigit()):
        return None
    found = int(hour) * 60 + int(minute)
    return found if int(minute) < 60 and found <= _DAY_MIN else None
