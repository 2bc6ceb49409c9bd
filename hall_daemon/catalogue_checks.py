"""What is wrong with a catalogue, looked at as a whole before it is taken. Pure.

A finding that breaks the catalogue has it refused; one that a person may know better about has it held until somebody
approves. What the catalogue in force has too is no reason to hold its successor. Source: province.md §7.6, domain.md §1
(九公开), faults E03 and E04.

The nine things to be published are organ, content, basis, materials, procedure, time limit, fee, responsible person and
complaint phone. The contract has no field for the procedure; `kind` names it, as each of the six kinds has its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from hall_daemon.catalogue import Catalog, CatalogItem, Entry, Whole
from hall_daemon.profile import HallProfile, Window
from hall_daemon.protocol import Text
from hall_daemon.texts import say, text
from hall_daemon.words import CounterKind

MOST_FEWER = 0.2
"""A larger share of items gone at once is held."""


class Weight(StrEnum):
    """What a finding does to a catalogue."""

    REFUSE = "refuse"
    HOLD = "hold"


_WEIGHTS = {
    "unreadable": Weight.REFUSE,
    "version_not_higher": Weight.REFUSE,
    "empty": Weight.REFUSE,
    "item_twice": Weight.REFUSE,
    "day_twice": Weight.REFUSE,
    "fewer_items": Weight.HOLD,
    "not_public": Weight.HOLD,
    "no_window": Weight.HOLD,
    "window_without_rights": Weight.HOLD,
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong, and with what."""

    code: str
    subject: str = ""
    """An item, a window, a day; or why it cannot be read."""
    detail: str = ""

    @property
    def weight(self) -> Weight:
        """What it does to the catalogue."""
        return _WEIGHTS[self.code]

    @property
    def sentence(self) -> Text:
        """What a technician reads."""
        if self.code == "not_public":
            fields = [text(f"catalogue.public.{name}") for name in self.detail.split(",")]
            detail = Text(zh="、".join(f.zh for f in fields), en=", ".join(f.en for f in fields))
            return say("catalogue.not_public", subject=self.subject, detail=detail)
        return text(f"catalogue.{self.code}", subject=self.subject, detail=self.detail)


def check(whole: Whole, catalog: Catalog, places: HallProfile) -> tuple[Finding, ...]:
    """Everything that is wrong with a catalogue by itself and in this hall."""
    in_use = [item for item in catalog.items if item.offered]
    return (
        *((Finding(code="empty"),) if not in_use else ()),
        *(Finding(code="item_twice", subject=code) for code in _twice(item.code for item in catalog.items)),
        *(Finding(code="day_twice", subject=day) for day in _twice(str(entry.day) for entry in catalog.calendar)),
        *_unpublished(whole, in_use, {department.code for department in catalog.departments}),
        *_without_window(in_use, places),
        *_without_rights(in_use, places),
    )


def fewer_items(catalog: Catalog, before: Catalog) -> tuple[Finding, ...]:
    """Whether more items are gone than happens in a day."""
    had, has = (sum(item.offered for item in each.items) for each in (before, catalog))
    return (Finding(code="fewer_items", subject=str(had), detail=str(has)),) if has < had * (1 - MOST_FEWER) else ()


def new_ones(findings: Iterable[Finding], accepted: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings that the catalogue in force does not have."""
    known = {_as_known(finding) for finding in accepted}
    return tuple(finding for finding in findings if _as_known(finding) not in known)


def _as_known(finding: Finding) -> tuple[str, str, str]:
    """An item under another name is the same item."""
    return finding.code, finding.subject, finding.detail if finding.code == "not_public" else ""


def worst(findings: Iterable[Finding]) -> Weight | None:
    """What all of them together do to the catalogue; None: nothing."""
    weights = {finding.weight for finding in findings}
    return next((weight for weight in (Weight.REFUSE, Weight.HOLD) if weight in weights), None)


def _twice(values: Iterable[str]) -> list[str]:
    return sorted(value for value, times in Counter(values).items() if times > 1)


def _unpublished(whole: Whole, in_use: Iterable[CatalogItem], departments: set[str]) -> Iterable[Finding]:
    entries: Mapping[str, Entry] = {str(entry.get("code")): entry for entry in whole.content.get("items", ())}
    for item in in_use:
        missing = [name for name, said in _public(item, entries[item.code], departments).items() if not said]
        if missing:
            yield Finding(code="not_public", subject=item.code, detail=",".join(missing))


def _public(item: CatalogItem, entry: Entry, departments: set[str]) -> dict[str, bool]:
    return {
        "organ": item.dept in departments,
        "content": bool(item.name.strip()),
        "basis": any(basis.strip() for basis in item.basis),
        "materials": "materials" in entry,  # an item may ask for nothing, but must say so
        "procedure": bool(item.kind),
        "time_limit": "promise_days" in entry and "legal_days" in entry,
        "fee": "fee" in entry,  # none is free of charge
        "responsible": bool(item.responsible.strip()),
        "complaint_phone": bool(item.complaint_phone.strip()),
    }


def _without_window(in_use: Iterable[CatalogItem], places: HallProfile) -> Iterable[Finding]:
    queue_of = {code: queue.code for queue in places.queues.values() for code in queue.items}
    for item in in_use:
        if not places.windows_for(queue_of.get(item.code, "")):
            yield Finding(code="no_window", subject=item.code, detail=item.name)


def _without_rights(in_use: Iterable[CatalogItem], places: HallProfile) -> Iterable[Finding]:
    """A comprehensive window may take what stands in its queues; nothing there: it may take nothing."""
    offered = {item.code for item in in_use}
    for window in places.windows.values():
        if window.counter_kind is CounterKind.GENERAL and not _rights(window, places) & offered:
            yield Finding(code="window_without_rights", subject=window.code)


def _rights(window: Window, places: HallProfile) -> set[str]:
    return {code for queue in window.queues for code in places.queues[queue].items}
