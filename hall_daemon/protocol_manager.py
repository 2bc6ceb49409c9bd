"""What crosses the wire to the manager's page: one view of the whole hall. No person, no clerk."""

from __future__ import annotations

from typing import Literal

from hall_daemon.protocol import Text
from hall_daemon.words import Frozen

WindowState = Literal["serving", "called", "idle", "paused", "fault", "closed"]


class AlarmView(Frozen):
    """Something to look at: what, effect and advice, level, age."""

    code: str
    level: Literal["urgent", "warn", "info"]
    level_name: Text
    about: str
    what: Text
    advice: Text
    age: Text
    since: str


class ZoneNow(Frozen):
    """A zone now. Waits in minutes; `mean_min` of those called within the hour."""

    zone: str
    name: Text
    waiting: int
    mean_min: int | None
    over_target: bool
    longest_min: int
    windows_open: int
    windows: int
    trend: tuple[int, ...]


class QueueNow(Frozen):
    """A queue now; `expected` is what a newcomer reads."""

    queue: str
    name: Text
    zone: str
    waiting: int
    longest_min: int
    windows_open: int
    expected: Text


class WindowNow(Frozen):
    """A window on the map; `long` where a visit lasts far longer than such visits do."""

    window: str
    zone: str
    state: WindowState
    number: str = ""
    minutes: int = 0
    long: bool = False


class FlowPoint(Frozen):
    """Ten minutes."""

    clock: str
    issued: int
    finished: int


class PartToday(Frozen):
    """A department today. Shares in percent, None where nothing is to be divided."""

    name: Text
    issued: int
    finished: int
    mean_wait_min: int | None
    on_the_spot_percent: int | None


class DevicesNow(Frozen):
    """Devices of a kind: how many are well."""

    kind: str
    name: Text
    well: int
    all: int


class OverviewView(Frozen):
    """The manager's page, complete."""

    hall: Text
    date: str
    clock: str
    day_open: bool
    target_min: int
    waiting: int
    waiting_an_hour_ago: int
    mean_wait_min: int | None
    """Of those called within the hour."""
    longest_min: int
    longest_number: str
    longest_zone: Text
    issued: int
    finished: int
    missed: int
    missed_percent: float | None
    transferred: int
    windows_open: int
    windows: int
    windows_idle: int
    windows_paused: int
    rated: int
    dissatisfied: int
    satisfied_percent: float | None
    on_the_spot_percent: float | None
    to_province: int
    oldest_to_province_min: int
    zones: tuple[ZoneNow, ...]
    queues: tuple[QueueNow, ...]
    window_map: tuple[WindowNow, ...]
    alarms: tuple[AlarmView, ...]
    flow: tuple[FlowPoint, ...]
    waited: tuple[int, ...]
    """How many of those who wait have waited under 10, 20, 30, 40 minutes and longer."""
    departments: tuple[PartToday, ...]
    devices: tuple[DevicesNow, ...]
