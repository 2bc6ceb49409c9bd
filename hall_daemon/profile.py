"""What the hall consists of: zones, queues, windows, kiosks, and the items of the catalogue in force.

Plain data, checked as a whole before it is used. The catalogue is the province's JSON (province.md §7.6) or a file of
the same shape for a hall that has none yet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hall_daemon.protocol import Text
from hall_daemon.words import CounterKind


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


@dataclass(frozen=True, kw_only=True)
class Kiosk:
    """A ticket machine: a screen and its devices."""

    code: str
    name: Text
    card_readers: tuple[str, ...]
    keypad: str
    printer: str
    queues: tuple[str, ...]

    @property
    def device_id(self) -> str:
        """Stands for the machine in events, which know devices only: its printer, else its reader."""
        return self.printer or next(iter(self.card_readers), "") or self.keypad or "KSK-01"


@dataclass(frozen=True, kw_only=True)
class Clerk:
    """Who may sign in to a window."""

    code: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Material:
    """A paper that an item asks for."""

    code: str
    name: str
    need: Literal["required", "conditional", "optional"]
    dpi: int = 200
    color: bool = True


@dataclass(frozen=True, kw_only=True)
class Item:
    """What a resident comes for."""

    code: str
    name: Text
    short: Text
    zone: str
    dept: str
    queue: str
    minutes: int | None = None
    promise_days: int = 0
    kind: str = "immediate"
    materials: tuple[Material, ...] = ()
    suspended: bool = False
    pinyin: str = ""

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

    def items_at(self, kiosk: str) -> list[Item]:
        """Items of the kiosk's queues in catalogue order, queues without items last."""
        queues = set(self.kiosks[kiosk].queues)
        return [item for item in self.items.values() if item.queue in queues]

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

    def item_of(self, code: str, zone: str, queue: str) -> Item:
        """The item of a ticket; one that is offered no more stands under its code, and the ticket keeps its place."""
        name = Text(zh=code.removeprefix(QUEUE_ITEM))
        gone = Item(code=code, name=name, short=name, zone=zone, dept="", queue=queue, suspended=True)
        return self.items.get(code, gone)

    def zone_of(self, code: str) -> Zone:
        """The zone of a ticket, also of one that the hall has no more."""
        return self.zones.get(code, Zone(code=code, name=Text(zh=code)))

    def dept_name(self, code: str) -> Text:
        """Name of a department; its code where the catalogue does not say."""
        return self.departments.get(code, Text(zh=code))

    @cached_property
    def _by_queue(self) -> dict[str, tuple[str, ...]]:
        return {queue: tuple(w.code for w in self.windows.values() if queue in w.queues) for queue in self.queues}


class CatalogError(Exception):
    """The catalogue cannot be used; the sentence says where and why."""


class _Lenient(BaseModel):
    """The province may add members; those we do not know are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Scan(_Lenient):
    dpi: int = 200
    color: bool = True


class _Material(_Lenient):
    code: str
    name: str
    need: Literal["required", "conditional", "optional"] = "required"
    scan: _Scan = _Scan()


class _Department(_Lenient):
    code: str
    name: str
    name_en: str = ""


class _CatalogItem(_Lenient):
    code: str = Field(pattern=r"^[0-9A-Z]{31}$")
    name: str
    name_en: str = ""
    short: str = ""
    short_en: str = ""
    dept: str
    zone: str
    kind: str
    promise_days: int = 0
    pinyin: str = ""
    avg_minutes: int | None = None
    materials: tuple[_Material, ...] = ()
    state: str = "1"


class Catalog(_Lenient):
    """A full catalogue as the province sends it, as far as the hall uses it."""

    version: int
    departments: tuple[_Department, ...] = ()
    items: tuple[_CatalogItem, ...]
    content_sm3: str = ""


def read_catalog(path: Path) -> Catalog:
    """Read a catalogue file. Raises CatalogError."""
    try:
        return Catalog.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as exc:
        raise CatalogError(f"{path}: cannot be read: {exc.strerror}") from exc
    except ValidationError as exc:
        first = exc.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole file"
        raise CatalogError(f"{path}: is no catalogue: {where}: {first['msg']}") from exc
    except ValueError as exc:
        raise CatalogError(f"{path}: is no catalogue: {exc}") from exc


def offered_items(catalog: Catalog, queues: Mapping[str, Queue]) -> dict[str, Item]:
    """Items that some queue of this hall takes, in catalogue order; then the queues without items."""
    queue_of = {code: queue for queue in queues.values() for code in queue.items}
    items: dict[str, Item] = {}
    for entry in catalog.items:
        queue = queue_of.get(entry.code)
        if queue is not None and not entry.state.startswith("3"):
            items[entry.code] = _offer(entry, queue)
    for queue in queues.values():
        if not queue.items:
            code = QUEUE_ITEM + queue.code
            items[code] = Item(code=code, name=queue.name, short=queue.name, zone=queue.zone, dept="", queue=queue.code)
    return items


def _offer(entry: _CatalogItem, queue: Queue) -> Item:
    return Item(
        code=entry.code,
        name=Text(zh=entry.name, en=entry.name_en),
        short=Text(zh=entry.short or entry.name, en=entry.short_en or entry.name_en),
        zone=queue.zone,
        dept=entry.dept,
        queue=queue.code,
        minutes=entry.avg_minutes,
        promise_days=entry.promise_days,
        kind=entry.kind,
        materials=tuple(
            Material(code=m.code, name=m.name, need=m.need, dpi=m.scan.dpi, color=m.scan.color) for m in entry.materials
        ),
        suspended=entry.state.startswith("2"),
        pinyin=entry.pinyin,
    )
