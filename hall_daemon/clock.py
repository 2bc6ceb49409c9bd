"""The time, how far it can be trusted, and identifiers that rise with it. Replaced in tests.

Wall time is for people and for the province; order and waits never depend on it. Everything shown and stored as text is
+08:00, whatever the machine's zone (the whole country has one civil time).
"""

from __future__ import annotations

import secrets
import threading
import time
import uuid
from datetime import UTC, date, datetime, timedelta, timezone

from hall_daemon.words import ClockState

CHINA = timezone(timedelta(hours=8))


class Clock:
    """Wall clock and monotonic clock of this machine."""

    state = ClockState.SYNC
    offset_ms = 0
    """Best estimate of true time minus hall clock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last_id_ms = 0
        self._id_counter = 0

    def now_ms(self) -> int:
        """Milliseconds since 1970, by the wall clock."""
        return time.time_ns() // 1_000_000

    def monotonic_s(self) -> float:
        """Seconds that only ever rise."""
        return time.monotonic()

    def today(self) -> date:
        """Calendar day in the hall."""
        return datetime.fromtimestamp(self.now_ms() / 1000, CHINA).date()

    def new_id(self) -> str:
        """A version 7 UUID. Rises strictly within this process even when the wall clock steps back.

        Source: RFC 9562 §5.7 and §6.2 method 1 (counter in rand_a).
        """
        with self._lock:
            now = self.now_ms()
            if now > self._last_id_ms:
                self._last_id_ms, self._id_counter = now, secrets.randbelow(1 << 10)
            else:
                self._id_counter += 1
                if self._id_counter >= 1 << 12:
                    self._last_id_ms, self._id_counter = self._last_id_ms + 1, 0
            high = (self._last_id_ms << 16) | 0x7000 | self._id_counter
        return str(uuid.UUID(int=(high << 64) | (0b10 << 62) | secrets.randbits(62)))


def rfc3339(ms: int) -> str:
    """`2026-01-05T09:00:00.000+08:00`."""
    moment = datetime.fromtimestamp(ms // 1000, CHINA)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ms % 1000:03d}+08:00"


def ms_of(moment: str) -> int:
    """Milliseconds since 1970 of a time as `rfc3339` writes it."""
    return round(datetime.fromisoformat(moment).timestamp() * 1000)


def moment_ms(time: str) -> int | None:
    """Milliseconds of an RFC 3339 time with its offset; None if it is none."""
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return None
    return int(moment.timestamp() * 1000) if moment.tzinfo is not None else None


def china_date(ms: int) -> date:
    """Calendar day in the hall."""
    return datetime.fromtimestamp(ms / 1000, CHINA).date()


def day_ms(bizdate: str) -> int:
    """Milliseconds at which a day begins in the hall."""
    return int(datetime.fromisoformat(bizdate).replace(tzinfo=CHINA).timestamp() * 1000)


def hour_minute(ms: int) -> str:
    """`09:00`, hall time."""
    return f"{datetime.fromtimestamp(ms / 1000, CHINA):%H:%M}"


def http_date_ms(value: str) -> int | None:
    """Milliseconds of an HTTP `Date` header; None if it is none."""
    try:
        return int(datetime.strptime(value, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC).timestamp() * 1000)
    except ValueError:
        return None
