"""Checks for members of event data: the conventions of province.md §2 and the field dictionary of §8.

A check takes a value and says what is wrong with it, never quoting the value; None means it is right. Unknown members
are ignored. An optional member may be absent; null is no value.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from typing import TypeAlias

from sim.province_seals import Json

Check: TypeAlias = Callable[[Json], str | None]

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
HEX64 = r"[0-9a-f]{64}"
LOCAL_CASE_NO = r"L[0-9]{26}"
ITEM_CODE = r"[0-9A-Z]{31,33}"
BLOB = r"sha256:[0-9a-f]{64}"
TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}\+08:00"
MEDIA = ("image/jpeg", "image/tiff", "application/pdf", "application/ofd")


def text(longest: int, shortest: int = 1) -> Check:
    """Free text; length in characters."""

    def check(value: Json) -> str | None:
        if not isinstance(value, str):
            return "not text"
        return None if shortest <= len(value) <= longest else f"not {shortest} to {longest} characters"

    return check


def pattern(expression: str) -> Check:
    """Text of one fixed form."""
    compiled = re.compile(expression)

    def check(value: Json) -> str | None:
        return None if isinstance(value, str) and compiled.fullmatch(value) else f"not of the form {expression}"

    return check


def one_of(*allowed: str) -> Check:
    """One of the closed list."""

    def check(value: Json) -> str | None:
        return None if isinstance(value, str) and value in allowed else f"not one of {', '.join(allowed)}"

    return check


def integer(low: int | None = 0, high: int | None = None) -> Check:
    """An integer within bounds; a boolean is none."""

    def check(value: Json) -> str | None:
        if not isinstance(value, int) or isinstance(value, bool):
            return "not an integer"
        if (low is not None and value < low) or (high is not None and value > high):
            return f"not within {low} to {high}"
        return None

    return check


def boolean(value: Json) -> str | None:
    """True or false."""
    return None if isinstance(value, bool) else "not true or false"


def free_object(value: Json) -> str | None:
    """Any object."""
    return None if isinstance(value, dict) else "not an object"


def list_of(each: Check, longest: int = 10_000) -> Check:
    """A list; names the first bad place."""

    def check(value: Json) -> str | None:
        if not isinstance(value, list):
            return "not a list"
        if len(value) > longest:
            return f"more than {longest} entries"
        complaints = (f"[{index}]: {complaint}" for index, item in enumerate(value) if (complaint := each(item)))
        return next(complaints, None)

    return check


def map_of(name: Check, each: Check) -> Check:
    """An object used as a map."""

    def check(value: Json) -> str | None:
        if not isinstance(value, dict):
            return "not an object"
        if any(name(key) for key in value):
            return "a member name of the wrong form"
        return next((complaint for item in value.values() if (complaint := each(item))), None)

    return check


def either(*checks: Check) -> Check:
    """Right if any of them is content; otherwise the first complaint."""

    def check(value: Json) -> str | None:
        complaints = [each(value) for each in checks]
        return None if None in complaints else complaints[0]

    return check


def shape(**members: Check) -> Check:
    """An object with these members; a name ending in `_opt` is optional."""
    required = {name: check for name, check in members.items() if not name.endswith("_opt")}
    optional = {name.removesuffix("_opt"): check for name, check in members.items() if name.endswith("_opt")}

    def check(value: Json) -> str | None:
        if not isinstance(value, dict):
            return "not an object"
        missing = [name for name in required if name not in value]
        if missing:
            return f"{missing[0]}: missing"
        for name, member in {**required, **optional}.items():
            if name in value and (complaint := member(value[name])):
                return f"{name}: {complaint}"
        return None

    return check


def moment(value: Json) -> str | None:
    """RFC 3339 with milliseconds and +08:00, and a moment that exists."""
    if not isinstance(value, str) or not re.fullmatch(TIME, value):
        return "not a time with milliseconds and +08:00"
    try:
        datetime.datetime.fromisoformat(value)
    except ValueError:
        return "no such moment"
    return None


def date(value: Json) -> str | None:
    """YYYY-MM-DD, and a day that exists."""
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return "not YYYY-MM-DD"
    try:
        datetime.date.fromisoformat(value)
    except ValueError:
        return "no such day"
    return None


uuid = pattern(UUID)
hex64 = pattern(HEX64)
clerk = text(32)
window = text(8)
queue_code = pattern("[A-Z]{1,2}")
display_no = pattern("[A-Z]{1,2}[0-9]{3,4}")
local_case_no = pattern(LOCAL_CASE_NO)
item_code = pattern(ITEM_CODE)
device_id = pattern("[A-Z]{2,4}-[0-9]{2,3}")
# §5 writes sequences as 16 digits, §7.1 and §7.4 also as numbers.
sequence = either(pattern("[0-9]{16}"), integer(0))
device_kind = text(32)
blob = shape(blob=pattern(BLOB), sm3=hex64, bytes=integer(0), media=one_of(*MEDIA))
# An erased envelope travels as the SM3 that stands in its place (§7.4).
pii = either(shape(v=integer(1, 1), kid=text(64), iv=text(64), ct=text(65536), mac=text(64)), hex64)
by_queue = map_of(queue_code, either(shape(min=integer(0), max=integer(0), count=integer(0)), integer(0)))
material_line = shape(material_code=text(40), text=text(500))
page = shape(
    no=integer(1),
    blob=blob,
    w=integer(1),
    h=integer(1),
    dpi=integer(1),
    color=boolean,
    rotation=integer(-359, 359),
    blank=boolean,
)
