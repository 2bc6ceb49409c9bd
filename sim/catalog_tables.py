"""The tables under halls/data as plain objects.

Reads and checks; invents nothing. A table is a text file: lines beginning with # are remarks, the first other
line names the columns, columns are parted by |.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

HALLS = Path(__file__).parent / "halls"
DATA = HALLS / "data"

# 行使层级 in the item code: 2 province, 3 city, 4 county.
LEVEL = "4"
# The place where a real code has its province; 99 is none, so no code of ours can equal a real one.
NO_PROVINCE = "99"

Row = dict[str, str]


class TableError(Exception):
    """A data file does not hold what it should; the message names file and row."""


class HallName(StrEnum):
    """The halls that can be generated."""

    SMALL = "small"
    BIG = "big"


class Kind(StrEnum):
    """Kinds of case (六制); the value is the word on the wire."""

    IMMEDIATE = "immediate"
    PROMISED = "promised"
    JOINT = "joint"
    REPORTED = "reported"


KIND_OF_LETTER = {"I": Kind.IMMEDIATE, "P": Kind.PROMISED, "J": Kind.JOINT, "R": Kind.REPORTED}


@dataclass(frozen=True, kw_only=True)
class Department:
    """A department; `code` is its credit code, `number` its two digits inside item codes."""

    number: str
    zone: str
    name: str
    short: str
    name_en: str
    code: str
    generated: bool = False


@dataclass(frozen=True, kw_only=True)
class Material:
    """A kind of paper. `take`: O kept, S seen and given back, C copy kept, E electronic accepted."""

    code: str
    name: str
    name_en: str
    take: str
    dpi: int
    duplex: bool
    size: str
    personal: bool
    source: str
    e_licence: bool


@dataclass(frozen=True, kw_only=True)
class Need:
    """A material that an item asks for."""

    material: str
    required: bool


@dataclass(frozen=True, kw_only=True)
class Variant:
    """A sub-item (子项) that can be made of an item; `percent` is of the item's minutes."""

    key: str
    suffix: str
    short: str
    name_en: str
    short_en: str
    pinyin: str
    percent: int
    kind: Kind | None
    materials: str


@dataclass(frozen=True, kw_only=True)
class Item:
    """A service item. `number` counts in its zone, `part` is 0 or the number of the sub-item."""

    key: str
    number: int
    part: int = 0
    name: str
    name_en: str
    short: str
    short_en: str
    pinyin: str
    dept: Department
    zone: str
    type: str
    kind: Kind
    legal_days: int
    promise_days: int
    day_unit: str
    who: str
    needs: tuple[Need, ...]
    queue: str
    minutes: int
    weight: int
    joint: tuple[Department, ...] = ()
    bookable: bool = False
    self_service: bool = False
    needs_identity: bool = True
    variants: tuple[str, ...] = ()
    generated: bool = False

    @property
    def catalog_code(self) -> str:
        """基本编码, 12 digits: province 2, type 2, department 2, item 3, sub-item 3."""
        return f"{NO_PROVINCE}{self.type}{self.dept.number}{self.number:03d}{self.part:03d}"

    @property
    def code(self) -> str:
        """实施编码, 31 characters: credit code 18, level 1, basic code 12."""
        return f"{self.dept.code}{LEVEL}{self.catalog_code}"


def read_table(path: Path) -> list[Row]:
    """Rows of a table by column name. Raises TableError."""
    lines = [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    columns = lines[0].split("|")
    rows = []
    for line in lines[1:]:
        cells = line.split("|")
        if len(cells) != len(columns):
            raise TableError(f"{path.name}: {len(cells)} cells instead of {len(columns)} in: {line}")
        rows.append(dict(zip(columns, cells, strict=True)))
    return rows


def read_range(text: str) -> Iterator[int]:
    """Numbers of "1-3 7"."""
    for part in text.split():
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def read_needs(text: str) -> tuple[Need, ...]:
    """Materials of "01 05 03?"; a question mark means conditional."""
    return tuple(Need(material=f"M{word.rstrip('?')}", required=not word.endswith("?")) for word in text.split())


def read_days(legal: str, promise: str) -> tuple[int, int, str]:
    """Legal days, promised days and their common unit.

    An item has one unit for both. Where the law counts calendar days and the promise working days, the legal limit is
    given in working days, rounded down: a hall may be earlier than the law, never later.
    """
    if promise.endswith("d") or (legal.endswith("d") and promise == "0"):
        return int(legal.rstrip("d")), int(promise.rstrip("d")), "day"
    if legal.endswith("d"):
        return int(legal.rstrip("d")) * 5 // 7, int(promise), "workday"
    return int(legal), int(promise), "workday"


def read_departments() -> dict[str, Department]:
    """The 32 departments of the model province by number."""
    return {
        row["no"]: Department(
            number=row["no"],
            zone=row["zone"],
            name=row["name"],
            short=row["short"],
            name_en=row["english"],
            code=row["uscc"],
        )
        for row in read_table(DATA / "departments.psv")
    }


def read_materials() -> dict[str, Material]:
    """The materials dictionary by code."""
    return {
        row["code"]: Material(
            code=row["code"],
            name=row["name"],
            name_en=row["english"],
            take=row["take"],
            dpi=int(row["dpi"]),
            duplex=row["sides"] == "2",
            size=row["size"],
            personal=row["personal"] == "y",
            source=row["source"],
            e_licence=row["e_licence"] == "y",
        )
        for row in read_table(DATA / "materials.psv")
    }


def read_variants() -> dict[str, Variant]:
    """The variants by key."""
    return {
        row["key"]: Variant(
            key=row["key"],
            suffix=row["suffix"],
            short=row["short"],
            name_en=row["english"],
            short_en=row["short_en"],
            pinyin=row["pinyin"],
            percent=int(row["percent"]),
            kind=KIND_OF_LETTER[row["kind"]] if row["kind"] else None,
            materials=row["materials"],
        )
        for row in read_table(DATA / "variants.psv")
    }


def item_from(row: Row, *, key: str, number: int, zone: str, dept: Department) -> Item:
    """An item of the columns that items.psv with item_texts.psv and more_items.psv have in common."""
    legal_days, promise_days, day_unit = read_days(row["legal"], row["promise"])
    flags = row["flags"].split()
    return Item(
        key=key,
        number=number,
        name=row["name"],
        name_en=row["english"],
        short=row["short"],
        short_en=row["short_en"],
        pinyin=row["pinyin"],
        dept=dept,
        zone=zone,
        type=row["type"],
        kind=KIND_OF_LETTER[row["kind"]],
        legal_days=legal_days,
        promise_days=promise_days,
        day_unit=day_unit,
        who=row["who"],
        needs=read_needs(row["materials"]),
        queue=row["queue"],
        minutes=int(row["minutes"]),
        weight=int(row["weight"]),
        bookable="a" in flags,
        self_service="s" in flags,
        needs_identity="n" not in flags,
    )


def read_items(departments: dict[str, Department]) -> dict[str, Item]:
    """The 99 items of the model province by id."""
    texts = {row["id"]: row for row in read_table(DATA / "item_texts.psv")}
    items = {}
    for row in read_table(DATA / "items.psv"):
        key, text = row["id"], texts[row["id"]]
        item = item_from(row | text, key=key, number=int(key[1:]), zone=key[0], dept=departments[row["dept"]])
        items[key] = replace(
            item,
            joint=tuple(departments[number] for number in text["joint"].split()),
            variants=tuple(text["variants"].split()),
        )
    return items
