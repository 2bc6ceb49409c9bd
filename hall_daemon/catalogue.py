"""The catalogue of items as one versioned whole: how an answer of the province becomes one, its digest.

Pure. A catalogue is kept as the province wrote it, with members that nobody here knows, because the digest covers them;
what the hall uses of it is read into `Catalog`. It is taken whole or not at all. Source: province.md §7.6.

`content_sm3` covers the seven content lists, arrays sorted by `code`, the calendar by `date`: what is the same whether
a version was fetched whole or as a difference. The contract does not say which members count; this is our reading (C).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hall_daemon.privacy import canonical, sm3_hex
from hall_daemon.profile import QUEUE_ITEM, HallProfile, Item, Material, Published, Queue
from hall_daemon.protocol import Text
from hall_daemon.workdays import Calendar, DayUnit

BY_CODE = ("zones", "departments", "items", "materials", "evaluation_options")
CONTENT = (*BY_CODE, "calendar", "notices")

Entry = dict[str, Any]
"""An entry as it came. Any: its members are of every JSON type, and unknown ones are kept."""
Content = Mapping[str, Sequence[Entry]]


class CatalogError(Exception):
    """The catalogue cannot be used; the sentence says where and why."""


class _Lenient(BaseModel):
    """The province may add members; those we do not know are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _Scan(_Lenient):
    dpi: int = 200
    color: bool = True
    duplex: bool = False


class _Material(_Lenient):
    code: str
    name: str
    need: Literal["required", "conditional", "optional"] = "required"
    copy_kind: Literal["original", "copy", "electronic"] = Field(default="original", alias="copy")
    count: int = 1
    source: Literal["self", "gov", "other"] = "self"
    waivable_by: tuple[Literal["e_license", "commitment"], ...] = ()
    scan: _Scan = _Scan()


class _Department(_Lenient):
    code: str
    name: str
    name_en: str = ""


class CatalogItem(_Lenient):
    """An item as the catalogue has it."""

    code: str = Field(pattern=r"^[0-9A-Z]{31}$")
    name: str
    name_en: str = ""
    short: str = ""
    short_en: str = ""
    dept: str
    zone: str
    kind: str
    legal_days: int = 0
    promise_days: int = 0
    day_unit: DayUnit = "workday"
    basis: tuple[str, ...] = ()
    fee: str | None = None
    responsible: str = ""
    phone: str = ""
    complaint_phone: str = ""
    pinyin: str = ""
    avg_minutes: int | None = None
    joint_depts: tuple[str, ...] = ()
    materials: tuple[_Material, ...] = ()
    need_identity: bool = True
    appointable: bool = False
    state: str = "1"

    @property
    def offered(self) -> bool:
        """Whether it is in use or suspended; not withdrawn."""
        return not self.state.startswith("3")


class _Day(_Lenient):
    day: date = Field(alias="date")
    work: bool


class Catalog(_Lenient):
    """A full catalogue as far as the hall uses it."""

    version: int
    departments: tuple[_Department, ...] = ()
    items: tuple[CatalogItem, ...]
    calendar: tuple[_Day, ...] = ()
    content_sm3: str = ""


@dataclass(frozen=True, kw_only=True)
class Whole:
    """A catalogue as it came, complete; `content_sm3` is recomputed, not copied."""

    version: int
    content: Content
    urgent: bool = False
    effective_at: str = ""
    mode: Literal["full", "delta"] = "full"
    content_sm3: str = ""
    said_sm3: str = ""
    """What a file itself says; the province's word has been checked."""

    def read(self) -> Catalog:
        """What the hall uses of it. Raises CatalogError."""
        return _read({"version": self.version, "content_sm3": self.content_sm3, **self.content}, "the catalogue")


def content_sm3(content: Content) -> str:
    """The digest over a whole catalogue's content."""
    return sm3_hex(canonical({name: _in_order(name, content.get(name, ())) for name in CONTENT}).encode())


def _in_order(name: str, entries: Iterable[Entry]) -> list[Entry]:
    key = "date" if name == "calendar" else "code"
    return sorted(entries, key=lambda entry: str(entry.get(key, "")))


def whole(answer: Mapping[str, Any], held: Whole | None) -> Whole:
    """An answer of the province made complete: a difference is laid over the version that it was made from.

    Any: it is read here. Raises CatalogError (not of the shape, base missing, digest differs).
    """
    head = _read_head(answer)
    content: Content = {name: _entries(answer, name) for name in CONTENT}
    if head.mode == "delta":
        if held is None or held.version != head.base:
            raise CatalogError(f"version {head.version} is a difference to version {head.base}, which is not here")
        content = _laid_over(held.content, content, head.removed)
    try:
        found = content_sm3(content)
    except UnicodeEncodeError as exc:
        raise CatalogError(f"version {head.version}: a text in it is no text: {exc.reason}") from exc
    if found != head.content_sm3:
        raise CatalogError(f"version {head.version}: the digest is {found[:8]}…, should be {head.content_sm3[:8]}…")
    return Whole(
        version=head.version, content=content, urgent=head.urgent, effective_at=head.effective_at, mode=head.mode,
        content_sm3=found,
    )  # fmt: skip


class _Head(_Lenient):
    version: int = Field(ge=1)
    base: int = 0
    mode: Literal["full", "delta"]
    effective_at: str = ""
    urgent: bool = False
    content_sm3: str = Field(pattern=r"^[0-9a-f]{64}$")
    removed: dict[str, list[str]] = Field(default_factory=dict)


def _read_head(answer: Mapping[str, Any]) -> _Head:
    try:
        return _Head.model_validate({name: value for name, value in answer.items() if name not in CONTENT})
    except ValidationError as exc:
        raise CatalogError(f"the catalogue cannot be read: {_first_of(exc)}") from exc


def _entries(answer: Mapping[str, Any], name: str) -> list[Entry]:
    entries = answer.get(name, [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise CatalogError(f"the catalogue cannot be read: {name} is no list of entries")
    return entries


def _laid_over(held: Content, changed: Content, removed: Mapping[str, Sequence[str]]) -> Content:
    """Calendar and notices come whole; of the others what changed and the codes of what is gone."""
    content: dict[str, Sequence[Entry]] = {"calendar": changed["calendar"], "notices": changed["notices"]}
    for name in BY_CODE:
        entries = {str(entry.get("code")): entry for entry in (*held.get(name, ()), *changed[name])}
        gone = set(removed.get(name, ()))
        content[name] = _in_order(name, (entry for code, entry in entries.items() if code not in gone))
    return content


# --- files ------------------------------------------------------------------------------------------------------------


def read_file(path: Path) -> Whole:
    """A catalogue file: the full answer of a province, or just version and items. Raises CatalogError."""
    try:
        answer = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise CatalogError(f"{path}: cannot be read: {exc.strerror}") from exc
    except ValueError as exc:
        raise CatalogError(f"{path}: is no catalogue: {exc}") from exc
    version = _read(answer, str(path)).version
    try:
        content = {name: _entries(answer, name) for name in CONTENT}
    except CatalogError as exc:
        raise CatalogError(f"{path}: {exc}") from exc
    said = answer.get("content_sm3", "")
    return Whole(version=version, content=content, content_sm3=content_sm3(content), said_sm3=str(said))


def _read(document: Mapping[str, Any], where: str) -> Catalog:
    try:
        return Catalog.model_validate(document)
    except ValidationError as exc:
        raise CatalogError(f"{where}: is no catalogue: {_first_of(exc)}") from exc


def _first_of(exc: ValidationError) -> str:
    first = exc.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in first['loc']) or 'the whole file'}: {first['msg']}"


# --- what the hall makes of it ----------------------------------------------------------------------------------------


NONE: Mapping[str, str] = MappingProxyType({})


def with_catalog(places: HallProfile, catalog: Catalog, suspended: Mapping[str, str] = NONE) -> HallProfile:
    """The hall with the items of a catalogue; `suspended`: codes that the hall itself has suspended, and why."""
    return replace(
        places,
        items=offered_items(catalog, places.queues, suspended),
        departments={d.code: Text(zh=d.name, en=d.name_en) for d in catalog.departments},
        calendar=Calendar(exceptions={entry.day: entry.work for entry in catalog.calendar}),
        catalog_version=catalog.version,
        catalog_sm3=catalog.content_sm3,
    )


def offered_items(
    catalog: Catalog, queues: Mapping[str, Queue], suspended: Mapping[str, str] = NONE
) -> dict[str, Item]:
    """Items that are not withdrawn, in catalogue order; then the queues without items."""
    queue_of = {code: queue for queue in queues.values() for code in queue.items}
    items: dict[str, Item] = {}
    for entry in catalog.items:
        if entry.offered:
            items[entry.code] = _offer(entry, queue_of.get(entry.code), suspended)
    for queue in queues.values():
        if not queue.items:
            code = QUEUE_ITEM + queue.code
            items[code] = Item(
                code=code, name=queue.name, short=queue.name, zone=queue.zone, dept="", queue=queue.code,
                suspended=code in suspended, suspended_why=suspended.get(code, ""),
            )  # fmt: skip
    return items


def _offer(entry: CatalogItem, queue: Queue | None, suspended: Mapping[str, str]) -> Item:
    return Item(
        code=entry.code,
        name=Text(zh=entry.name, en=entry.name_en),
        short=Text(zh=entry.short or entry.name, en=entry.short_en or entry.name_en),
        zone=queue.zone if queue is not None else entry.zone,
        dept=entry.dept,
        queue=queue.code if queue is not None else "",
        minutes=entry.avg_minutes,
        promise_days=entry.promise_days,
        day_unit=entry.day_unit,
        kind=entry.kind,
        materials=tuple(_material(material) for material in entry.materials),
        suspended=entry.state.startswith("2") or entry.code in suspended,
        suspended_why=suspended.get(entry.code, ""),
        pinyin=entry.pinyin,
        joint_depts=entry.joint_depts,
        need_identity=entry.need_identity,
        appointable=entry.appointable,
        published=Published(
            basis=entry.basis, legal_days=entry.legal_days, fee=entry.fee or "", responsible=entry.responsible,
            phone=entry.phone, complaint_phone=entry.complaint_phone,
        ),
    )  # fmt: skip


def _material(entry: _Material) -> Material:
    return Material(
        code=entry.code, name=entry.name, need=entry.need, dpi=entry.scan.dpi, color=entry.scan.color,
        duplex=entry.scan.duplex, copy=entry.copy_kind, count=entry.count, source=entry.source,
        waivable_by=entry.waivable_by,
    )  # fmt: skip
