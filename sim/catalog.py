"""The catalogue of service items (事项目录) that a province hands to a hall, made from the tables under halls/data.

    python -m sim.catalog --hall small --seed 7 --out DIR        writes DIR/catalog.json and DIR/devices.toml

Shape and digest: province.md section 7.6. Item codes: domain.md section 3. Items, days and materials are illustrative;
departments are fictional. What the seed made up carries "generated": true, a member that a receiver ignores, as it
ignores every member it does not know.
"""

import argparse
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from sim.catalog_fill import ITEMS, more_departments, own_items, variant_items
from sim.catalog_tables import (
    DATA,
    Department,
    HallName,
    Item,
    Material,
    Need,
    read_departments,
    read_items,
    read_materials,
    read_table,
)
from sim.hall_plan import devices_toml, small_hall_items

JsonObject = dict[str, object]

VERSION = 1
EFFECTIVE = date(2026, 1, 1)
# What the digest covers: everything but the wrapping that depends on how the catalogue was asked for.
CONTENT = ("zones", "departments", "items", "materials", "evaluation_options", "calendar", "notices")

COPY_OF_TAKE = {"O": "original", "S": "original", "C": "copy", "E": "electronic"}
# 服务对象: 1 person, 2 company, 3 public institution, 4 association, 5 organisation without legal person, 6 organ.
TARGETS_OF_WHO = {"p": ["1"], "o": ["2", "3", "4", "5"], "b": ["1", "2", "3", "4", "5"]}
STATE_IN_USE = "1"
LETTER_OF_COMMITMENT = "M43"
REPLACED_BY_COMMITMENT = ("M07", "M15", "M31")


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What a hall offers: its items, and the departments that take part in them."""

    departments: tuple[Department, ...]
    items: tuple[Item, ...]


def offer(hall: HallName, seed: int) -> Offer:
    """Departments and items of a hall; the seed matters to the big hall only."""
    departments = read_departments()
    items = read_items(departments)
    if hall is HallName.SMALL:
        return _small_offer(items)
    added = more_departments(seed, departments)
    own = own_items(added.values(), items.values())
    variants = variant_items(seed, items.values(), ITEMS - len(items) - len(own))
    return Offer(
        departments=(*departments.values(), *added.values()),
        items=(*items.values(), *own, *variants),
    )


def _small_offer(items: dict[str, Item]) -> Offer:
    chosen = tuple(items[key] for key in small_hall_items())
    involved = {dept.code: dept for item in chosen for dept in (item.dept, *item.joint)}
    return Offer(departments=tuple(involved.values()), items=chosen)


def arrival_weights(hall: HallName, seed: int) -> dict[str, int]:
    """How often each item is asked for, by code; only the proportion counts."""
    return {item.code: item.weight for item in offer(hall, seed).items}


def catalogue(hall: HallName, seed: int) -> JsonObject:
    """The full catalogue of a hall as the province answers it."""
    offered = offer(hall, seed)
    materials = read_materials()
    zones = {item.zone for item in offered.items}
    content: JsonObject = {
        "zones": by_code(zone_json(row) for row in read_table(DATA / "zones.psv") if row["code"] in zones),
        "departments": by_code(department_json(dept) for dept in offered.departments),
        "items": by_code(item_json(item, materials) for item in offered.items),
        "materials": by_code(material_json(material) for material in materials.values()),
        "evaluation_options": by_code(
            {"code": row["code"], "level": int(row["level"]), "name": row["name"]}
            for row in read_table(DATA / "evaluation_options.psv")
        ),
        "calendar": calendar_json(),
        "notices": [],
    }
    head: JsonObject = {
        "version": VERSION,
        "base": 0,
        "mode": "full",
        "effective_at": f"{EFFECTIVE}T00:00:00.000+08:00",
        "urgent": False,
        "content_sm3": content_sm3(content),
    }
    return {**head, **content, "removed": {"items": []}}


def content_sm3(full: JsonObject) -> str:
    """Digest of a full catalogue: SM3 over its canonical content (RFC 8785; arrays are sorted already)."""
    content = {name: full[name] for name in CONTENT}
    canonical = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.new("sm3", canonical.encode()).hexdigest()


def by_code(objects: Iterable[JsonObject]) -> list[JsonObject]:
    """Objects in the order that the digest wants."""
    return sorted(objects, key=lambda entry: str(entry["code"]))


def zone_json(row: dict[str, str]) -> JsonObject:
    """A zone as the catalogue shows it."""
    return {"code": row["code"], "name": row["name"], "name_en": row["english"]}


def department_json(dept: Department) -> JsonObject:
    """A department as the catalogue shows it."""
    shown: JsonObject = {
        "code": dept.code,
        "name": dept.name,
        "name_en": dept.name_en,
        "short": dept.short,
    }
    return shown | {"generated": True} if dept.generated else shown


def material_json(material: Material) -> JsonObject:
    """An entry of the materials dictionary; `returned`: the original is given back at the window."""
    return {
        "code": material.code,
        "name": material.name,
        "name_en": material.name_en,
        "copy": COPY_OF_TAKE[material.take],
        "returned": material.take == "S",
        "personal": material.personal,
        "source": material.source,
        "waivable_by": ["e_license"] if material.e_licence else [],
        "size": material.size,
        "scan": scan_json(material),
    }


def scan_json(material: Material) -> JsonObject:
    """How a material is scanned; always in colour, as electronic filing prefers."""
    return {"dpi": material.dpi, "color": True, "duplex": material.duplex}


def need_json(need: Need, material: Material, *, with_commitment: bool) -> JsonObject:
    """A material inside an item."""
    waivable_by = ["e_license"] if material.e_licence else []
    if with_commitment and material.code in REPLACED_BY_COMMITMENT:
        waivable_by.append("commitment")
    return {
        "code": material.code,
        "name": material.name,
        "need": "required" if need.required else "conditional",
        "copy": COPY_OF_TAKE[material.take],
        "count": 1,
        "source": material.source,
        "waivable_by": waivable_by,
        "scan": scan_json(material),
    }


def item_json(item: Item, materials: dict[str, Material]) -> JsonObject:
    """An item as the catalogue shows it. No fee, law, person or telephone in it is real."""
    with_commitment = any(need.material == LETTER_OF_COMMITMENT for need in item.needs)
    shown: JsonObject = {
        "code": item.code,
        "handle_item": f"{item.code}01",
        "catalog_code": item.catalog_code,
        "version": 1,
        "name": item.name,
        "name_en": item.name_en,
        "short": item.short,
        "short_en": item.short_en,
        "dept": item.dept.code,
        "zone": item.zone,
        "kind": item.kind.value,
        "type": item.type,
        "legal_days": item.legal_days,
        "promise_days": item.promise_days,
        "day_unit": item.day_unit,
        "basis": ["示例事项，不作法律依据"],
        "fee": None,
        "responsible": f"{item.dept.short}窗口负责人",
        "phone": f"000-889900{item.dept.number}",
        "complaint_phone": "12345",
        "pinyin": item.pinyin,
        "avg_minutes": item.minutes,
        "joint_depts": [dept.code for dept in item.joint],
        "targets": TARGETS_OF_WHO[item.who],
        "materials": [
            need_json(need, materials[need.material], with_commitment=with_commitment) for need in item.needs
        ],
        "need_identity": item.needs_identity,
        "appointable": item.bookable,
        "self_service": item.self_service,
        "state": STATE_IN_USE,
        "effective_from": EFFECTIVE.isoformat(),
        "effective_to": None,
    }
    return shown | {"generated": True} if item.generated else shown


def calendar_json() -> list[JsonObject]:
    """The days on which the week does not decide, in order."""
    days: list[JsonObject] = []
    for row in read_table(DATA / "calendar.psv"):
        first, _, last = row["days"].partition("..")
        day, end = date.fromisoformat(first), date.fromisoformat(last or first)
        while day <= end:
            days.append({"date": day.isoformat(), "work": row["work"] == "yes"})
            day += timedelta(days=1)
    return sorted(days, key=lambda entry: str(entry["date"]))


def render(full: JsonObject) -> str:
    """The catalogue as text, one entry of each array a line: small, and still readable as a difference."""
    parts = []
    for name, value in full.items():
        if name in CONTENT and isinstance(value, list) and value:
            lines = ",\n".join(_compact(entry) for entry in value)
            parts.append(f'"{name}":[\n{lines}\n]')
        else:
            parts.append(f'"{name}":{_compact(value)}')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def write_hall(hall: HallName, seed: int, folder: Path) -> None:
    """Write catalog.json and devices.toml of a hall into a folder, which is made if need be."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "catalog.json").write_text(render(catalogue(hall, seed)), "utf-8")
    (folder / "devices.toml").write_text(devices_toml(hall, seed, offer(hall, seed).items), "utf-8")


def main() -> None:
    """Write the files of one hall and say what is in them."""
    parser = argparse.ArgumentParser(prog="python -m sim.catalog", description="Generate a model hall.")
    parser.add_argument("--hall", choices=[hall.value for hall in HallName], required=True)
    parser.add_argument("--seed", type=int, default=7, help="settles what the big hall is filled up with")
    parser.add_argument("--out", type=Path, required=True, help="folder for catalog.json and devices.toml")
    chosen = parser.parse_args()
    hall = HallName(chosen.hall)
    write_hall(hall, chosen.seed, chosen.out)
    offered = offer(hall, chosen.seed)
    print(f"{chosen.out}: {len(offered.departments)} departments, {len(offered.items)} items")


if __name__ == "__main__":
    main()
