"""Made-up departments and items that fill the model province up to the size of the big hall.

Everything is settled by the seed: a thing's rank is a hash of the seed and its name, so the same seed gives the same
hall on every machine and Python version, and adding a row to a table moves only the things around it.
"""

from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256

from sim.catalog_tables import (
    DATA,
    Department,
    Item,
    Kind,
    Need,
    Row,
    TableError,
    Variant,
    item_from,
    read_needs,
    read_table,
    read_variants,
)

DEPARTMENTS = 53
ITEMS = 386
DIVISION = "990000"

# Credit codes do without I, O, S, V and Z, which are misread; the organisation code inside them does not.
ORG_CHARACTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CREDIT_CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
ORG_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
CREDIT_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)


def rank(seed: int, name: str) -> bytes:
    """Where a thing stands in the order that the seed draws."""
    return sha256(f"{seed}:{name}".encode()).digest()


def org_check(body: str) -> str:
    """Check character of an eight-character organisation code. Source: GB 11714."""
    total = sum(weight * ORG_CHARACTERS.index(char) for weight, char in zip(ORG_WEIGHTS, body, strict=True))
    return "0123456789X0"[11 - total % 11]


def credit_check(body: str) -> str:
    """Check character of the first seventeen of a credit code. Source: GB 32100."""
    total = sum(weight * CREDIT_CHARACTERS.index(char) for weight, char in zip(CREDIT_WEIGHTS, body, strict=True))
    return CREDIT_CHARACTERS[-total % 31]


def credit_code(body: str, number: str) -> str:
    """A valid credit code in the fictional division for department `number`."""
    organisation = f"99{int(number):06d}"
    first = f"{body}{DIVISION}{organisation}{org_check(organisation)}"
    return first + credit_check(first)


def more_departments(seed: int, known: dict[str, Department]) -> dict[str, Department]:
    """Departments for the numbers that the model province leaves free."""
    free = [f"{number:02d}" for number in range(DEPARTMENTS) if f"{number:02d}" not in known]
    rows = read_table(DATA / "more_departments.psv")
    chosen = sorted(rows, key=lambda row: rank(seed, row["name"]))[: len(free)]
    chosen.sort(key=rows.index)
    return {
        number: Department(
            number=number,
            zone=row["zone"],
            name=row["name"],
            short=row["short"],
            name_en=row["english"],
            code=credit_code(row["body"], number),
            generated=True,
        )
        for number, row in zip(free, chosen, strict=True)
    }


def own_items(departments: Iterable[Department], known: Iterable[Item]) -> list[Item]:
    """Items of made-up departments, numbered on after the known ones of their zone."""
    by_short = {dept.short: dept for dept in departments}
    last: dict[str, int] = {}
    for item in known:
        last[item.zone] = max(last.get(item.zone, 0), item.number)
    items = []
    for row in read_table(DATA / "more_items.psv"):
        dept = by_short.get(row["dept"])
        if dept is None:
            continue
        last[dept.zone] += 1
        items.append(_own_item(row, dept, last[dept.zone]))
    return items


def _own_item(row: Row, dept: Department, number: int) -> Item:
    key = f"{dept.zone}{number:02d}"
    return replace(item_from(row, key=key, number=number, zone=dept.zone, dept=dept), generated=True)


def variant_items(seed: int, items: Iterable[Item], count: int) -> list[Item]:
    """`count` sub-items of `items`. Raises TableError when the tables offer fewer."""
    variants = read_variants()
    pool = [
        make_variant(item, variants[key], part) for item in items for part, key in enumerate(item.variants, start=1)
    ]
    if len(pool) < count:
        raise TableError(f"item_texts.psv: {count} variants are needed and only {len(pool)} are offered")
    return sorted(pool, key=lambda item: rank(seed, item.key))[:count]


def make_variant(item: Item, variant: Variant, part: int) -> Item:
    """The sub-item number `part` of an item, such as 企业设立登记（外资）."""
    kind = variant.kind or item.kind
    return replace(
        item,
        key=f"{item.key}/{variant.key}",
        part=part,
        name=f"{item.name}（{variant.suffix}）",
        name_en=f"{item.name_en} ({variant.name_en})",
        short=f"{item.short}({variant.short})",
        short_en=f"{item.short_en}, {variant.short_en}",
        pinyin=item.pinyin + variant.pinyin,
        kind=kind,
        promise_days=0 if kind is Kind.IMMEDIATE else item.promise_days,
        needs=_changed_needs(item, variant.materials),
        minutes=max(4, round(item.minutes * variant.percent / 100)),
        weight=max(1, item.weight // 5),
        variants=(),
        generated=True,
    )


def _changed_needs(item: Item, change: str) -> tuple[Need, ...]:
    if not change:
        return item.needs
    identity = {"p": "01", "o": "04", "b": "01 04?"}[item.who]
    needs = read_needs(change[1:].replace("who", identity))
    if not change.startswith("+"):
        return needs
    added = {need.material for need in needs}
    return tuple(need for need in item.needs if need.material not in added) + needs
