"""What the hall consists of: zones, queues, windows, kiosks, and the items of the catalogue in force.

Plain data. The places come from the configuration and stay; the items come from the catalogue and change with it, so
whoever needs an item asks the hall's profile each time and keeps none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from hall_daemon.protocol import Text
from hall_daemon.words import CounterKind
from hall_daemon.workdays import Calendar, DayUnit


@dataclass(frozen=True, kw_only=True)
class Zone:
    """A place in the hall."""

    code: str
    name: Text
    announcer: str = ""
    """Device that speaks its calls."""


@dataclass(frozen=True, kw_only=True)
class Queue:
    """Items sharing a letter and a number series."""

    code: str
    name: Text
    zone: str
    items: tuple[str, ...]
    after: tuple[str, ...] = ()
    """Queues that must be done with first, where one number is for several."""
    daily_cap: int = 0
    """Numbers in a day; 0: as many as come."""
    person_cap: int = 0
    """Numbers in a day for one person, served ones included; 0: as many as they like, one at a time."""
    item_caps: Mapping[str, int] = field(default_factory=dict)
    """Item → numbers in a day."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """A place where a clerk sits."""

    code: str
    zone: str
    counter_kind: CounterKind
    queues: tuple[str, ...]
    display: str = ""
    scanner: str = ""
    caller: str = ""
    evaluator: str = ""
    weights: Mapping[str, int] = field(default_factory=dict)
    """Queue → weight, 1 to 10: each step is worth five minutes of waiting at this window."""
    printer: str = ""
    """Of papers; a window without one uses a kiosk's."""


@dataclass(frozen=True, kw_only=True)
class Kiosk:
    """A ticket machine: a screen and its devices."""

    code: str
    name: Text
    card_readers: tuple[str, ...]
    keypad: str
    printer: str
    queues: tuple[str, ...]
    screen: bool = True
    """False: only the two lines of its keypad's display."""

    @property
    def device_id(self) -> str:
        """Stands for the machine in events, which know devices only: its printer, else its reader."""
        return self.printer or next(iter(self.card_readers), "") or self.keypad or "KSK-01"


@dataclass(frozen=True, kw_only=True)
class DeskRules:
    """How the hall wants its counters."""

    idle_minutes: int
    """A session ends when no key has been pressed for so long; 0 never."""
    outcome_required: bool
    """Whether a clerk says at the end how the visit ended; else Enter means 当场办结."""


@dataclass(frozen=True, kw_only=True)
class Clerk:
    """Somebody who works here from the start; the account of that number is made from it once (accounts)."""

    code: str
    name: str
    role: str = "clerk"
    pin_hash: str = ""
    skills: tuple[str, ...] = ()
    """Queues or items that this clerk serves; empty: all of the window's."""


@dataclass(frozen=True, kw_only=True)
class Material:
    """A paper that an item asks for."""

    code: str
    name: str
    need: Literal["required", "conditional", "optional"]
    dpi: int = 200
    color: bool = True
    duplex: bool = False
    copy: Literal["original", "copy", "electronic"] = "original"
    count: int = 1
    source: Literal["self", "gov", "other"] = "self"
    waivable_by: tuple[Literal["e_license", "commitment"], ...] = ()
    """What may stand in for it."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """What is shown of an item beside its name, materials and department (九公开); empty where nobody says."""

    basis: tuple[str, ...] = ()
    legal_days: int = 0
    fee: str = ""
    """Empty: free of charge."""
    responsible: str = ""
    phone: str = ""
    complaint_phone: str = ""


@dataclass(frozen=True, kw_only=True)
class Item:
    """What a resident comes for."""

    code: str
    name: Text
    short: Text
    zone: str
    dept: str
    queue: str
    """Empty: no queue of this hall takes it, and the guide desk must help."""
    minutes: int | None = None
    promise_days: int = 0
    day_unit: DayUnit = "workday"
    """What `promise_days` counts."""
    kind: str = "immediate"
    materials: tuple[Material, ...] = ()
    suspended: bool = False
    suspended_why: str = ""
    """Reason for today, as the hall wrote it for residents; empty where the catalogue suspends it."""
    pinyin: str = ""
    joint_depts: tuple[str, ...] = ()
    need_identity: bool = True
    appointable: bool = False
    published: Published = Published()

    @property
    def codes(self) -> tuple[str, ...]:
        """Item codes as events carry them; a queue without items (help desk, collection) has none."""
        return () if self.code.startswith(QUEUE_ITEM) else (self.code,)


QUEUE_ITEM = "queue:"
"""Prefix of the pseudo-item that stands for a queue without catalogue items."""


@dataclass(frozen=True, kw_only=True)
class HallProfile:
    """The whole hall; references between its parts are known to be good."""

    hall: Text
    zones: Mapping[str, Zone]
    queues: Mapping[str, Queue]
    windows: Mapping[str, Window]
    kiosks: Mapping[str, Kiosk]
    items: Mapping[str, Item]
    departments: Mapping[str, Text]
    catalog_version: int = 0
    catalog_sm3: str = ""
    calendar: Calendar = field(default_factory=Calendar)
    earlier: Mapping[int, Mapping[str, Item]] = field(default_factory=dict)
    """Items of catalogues that were in force earlier, under which there may be tickets."""

    def items_at(self, kiosk: str) -> list[Item]:
        """Items of the kiosk's queues in catalogue order, queues without items last.

        Items of the catalogue that no queue takes are told of where the kiosk serves their zone.
        """
        queues = set(self.kiosks[kiosk].queues)
        zones = {queue.zone for queue in self.queues.values() if queue.code in queues}
        return [item for item in self.items.values() if (item.queue in queues if item.queue else item.zone in zones)]

    def zones_at(self, kiosk: str) -> list[Zone]:
        """Zones in which this kiosk has something to offer."""
        codes = {item.zone for item in self.items_at(kiosk)}
        return [zone for zone in self.zones.values() if zone.code in codes]

    def windows_for(self, queue: str) -> tuple[str, ...]:
        """Windows that serve a queue, in the order of the configuration."""
        return self._by_queue.get(queue, ())

    def queue_of(self, item: str) -> Queue:
        """Raises KeyError for an item that this hall does not offer."""
        return self.queues[self.items[item].queue]

    def item_of(self, code: str, zone: str, queue: str, catver: int = 0) -> Item:
        """The item of a ticket as it was when the number was taken, under that version of the catalogue.

        One that is offered no more stands under its code, and the ticket keeps its place.
        """
        known = self.queues.get(code.removeprefix(QUEUE_ITEM)) if code.startswith(QUEUE_ITEM) else None
        name = known.name if known else Text(zh=code.removeprefix(QUEUE_ITEM))
        gone = Item(code=code, name=name, short=name, zone=zone, dept="", queue=queue, suspended=True)
        then = self.earlier.get(catver, {}) if catver != self.catalog_version else {}
        return then.get(code) or self.items.get(code, gone)

    def takes(self, code: str) -> bool:
        """Whether new numbers are given for an item now."""
        item = self.items.get(code)
        return item is not None and not item.suspended

    def zone_of(self, code: str) -> Zone:
        """The zone of a ticket, also of one that the hall has no more."""
        return self.zones.get(code, Zone(code=code, name=Text(zh=code)))

    def dept_name(self, code: str) -> Text:
        """Name of a department; its code where the catalogue does not say."""
        return self.departments.get(code, Text(zh=code))

    @cached_property
    def _by_queue(self) -> dict[str, tuple[str, ...]]:
        return {queue: tuple(w.code for w in self.windows.values() if queue in w.queues) for queue in self.queues}
