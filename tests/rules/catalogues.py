"""Catalogues as a province answers them, for the hall of hall_room; written from province.md §7.6."""

from __future__ import annotations

from typing import Any

from sim.province_decisions import content_digest, difference
from tests.rules.hall_room import LONELY, PAUSED, PENSION, RETIRED, START_UP

NAMES = {
    START_UP: ("企业设立登记", "A"),
    PAUSED: ("个人信用报告查询", "E"),
    PENSION: ("养老待遇申领", "D"),
    RETIRED: ("企业职工退休一件事", "D"),
    LONELY: ("企业投资项目备案", "B"),
}

# JSON, whose values have no one type.
Tree = dict[str, Any]


def item(code: str, **changes: Any) -> Tree:
    """An item with everything that must be published; a change to None leaves the member out."""
    name, zone = NAMES.get(code, ("新事项", "A"))
    whole: Tree = {
        "code": code, "name": name, "name_en": "", "dept": code[:18], "zone": zone, "kind": "promised",
        "legal_days": 3, "promise_days": 1, "day_unit": "workday", "basis": ["示例"], "fee": None,
        "responsible": "示例", "phone": "000", "complaint_phone": "12345", "avg_minutes": 10,
        "materials": [], "state": "1", **changes,
    }  # fmt: skip
    return {key: value for key, value in whole.items() if value is not None or key == "fee"}


def full(version: int, items: list[Tree] | None = None, *, urgent: bool = False, **more: Any) -> Tree:
    """A full answer with its right digest."""
    items = [item(code) for code in NAMES] if items is None else items
    answer: Tree = {
        "version": version, "base": 0, "mode": "full", "effective_at": "2026-01-05T00:00:00.000+08:00",
        "urgent": urgent, "zones": [], "departments": departments(items), "items": items, "materials": [],
        "evaluation_options": [], "calendar": [{"date": "2026-02-16", "work": False}], "notices": [],
        "removed": {"items": []}, **more,
    }  # fmt: skip
    return {**answer, "content_sm3": answer.get("content_sm3") or content_digest(answer)}


def departments(items: list[Tree]) -> list[Tree]:
    """Those of the items."""
    codes = sorted({str(entry["dept"]) for entry in items if "dept" in entry})
    return [{"code": code, "name": "示例局", "name_en": "", "short": "示例"} for code in codes]


def delta(base: Tree, whole: Tree) -> Tree:
    """The difference that a province sends to a hall with the base."""
    return difference(base, whole)
