"""Card records for twins: fictitious residents, and how their 256-byte text blocks are filled.

Source: protocols/idcard.md §2 and §3.1; numbers of the division 990000, which exists nowhere, from domain.md §3.
Everybody here is invented. `repr` shows no field, so a record can stand in a log or an assertion like any card.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace

BLOCK_BYTES = 256
PHOTO = bytes((7 * i + 3) % 256 for i in range(1024))
"""Stands for the photo: nobody can decode a real one without the maker's library."""


def last_character(seventeen: str) -> str:
    """Check character that belongs to the first seventeen digits of a number."""
    remainder = 0
    for digit in seventeen:
        remainder = (remainder + int(digit)) * 2 % 11
    return {10: "X"}.get((12 - remainder) % 11, str((12 - remainder) % 11))


def _fill(fields: Sequence[tuple[int, int, str]]) -> bytes:
    """A block of spaces with (offset, bytes, text) written over it."""
    block = bytearray(b"\x20\x00" * (BLOCK_BYTES // 2))
    for offset, size, text in fields:
        units = text.encode("utf-16-le")
        if len(units) > size:
            raise ValueError(f"field at {offset} takes {size} bytes, not {len(units)}")
        block[offset : offset + len(units)] = units
    return bytes(block)


@dataclass(frozen=True, kw_only=True, repr=False)
class IdCardRecord(ABC):
    """What is stored on a card."""

    extra_address: str = ""
    """The additional address that `30 03` reads; empty where the card has none."""
    fingerprints: int = 0
    chip_serial: bytes = bytes.fromhex("11 22 33 44 55 66 77 88")

    @abstractmethod
    def text_block(self) -> bytes:
        """The 256 bytes that the security module hands out."""

    @abstractmethod
    def with_wrong_check_digit(self) -> IdCardRecord:
        """The same card with a number that cannot be right."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(masked)"


def _spoilt(number: str) -> str:
    return number[:-1] + ("1" if number[-1] != "1" else "2")


@dataclass(frozen=True, kw_only=True, repr=False)
class CitizenCard(IdCardRecord):
    """Resident ID card."""

    name: str
    sex: str
    nation: str
    birth: str
    address: str
    number: str
    authority: str
    valid_from: str
    valid_to: str

    def text_block(self) -> bytes:
        return _fill(self._fields())

    def _fields(self) -> list[tuple[int, int, str]]:
        return [
            (0, 30, self.name),
            (30, 2, self.sex),
            (32, 4, self.nation),
            (36, 16, self.birth),
            (52, 70, self.address),
            (122, 36, self.number),
            (158, 30, self.authority),
            (188, 16, self.valid_from),
            (204, 16, self.valid_to),
        ]

    def with_wrong_check_digit(self) -> IdCardRecord:
        return replace(self, number=_spoilt(self.number))


@dataclass(frozen=True, kw_only=True, repr=False)
class PermitCard(CitizenCard):
    """Residence permit of a Hong Kong, Macau or Taiwan resident, flag J."""

    nation: str = ""
    travel_document: str
    issues: str

    def text_block(self) -> bytes:
        return _fill([*self._fields(), (220, 18, self.travel_document), (238, 4, self.issues), (248, 2, "J")])


@dataclass(frozen=True, kw_only=True, repr=False)
class Foreign2017Card(IdCardRecord):
    """Foreign permanent resident card of 2017, flag I."""

    name_en: str
    sex: str
    number: str
    nationality: str
    name: str
    valid_from: str
    valid_to: str
    birth: str
    version: str
    authority: str

    def text_block(self) -> bytes:
        return _fill([
            (0, 120, self.name_en), (120, 2, self.sex), (122, 30, self.number), (152, 6, self.nationality),
            (158, 30, self.name), (188, 16, self.valid_from), (204, 16, self.valid_to), (220, 16, self.birth),
            (236, 4, self.version), (240, 8, self.authority), (248, 2, "I"),
        ])  # fmt: skip

    def with_wrong_check_digit(self) -> IdCardRecord:
        """This number has none that is published: the card stays as it is."""
        return self


@dataclass(frozen=True, kw_only=True, repr=False)
class Foreign2023Card(IdCardRecord):
    """Foreign permanent resident card of 2023, flag Y."""

    name: str
    sex: str
    renewals: str
    birth: str
    name_en: str
    number: str
    valid_from: str
    valid_to: str
    nationality: str
    old_number: str = ""

    def text_block(self) -> bytes:
        return _fill([
            (0, 30, self.name), (30, 2, self.sex), (32, 4, self.renewals), (36, 16, self.birth),
            (52, 70, self.name_en[:35]), (122, 36, self.number), (188, 16, self.valid_from),
            (204, 16, self.valid_to), (220, 22, self.name_en[35:]), (242, 6, self.nationality), (248, 2, "Y"),
            (250, 6, self.old_number),
        ])  # fmt: skip

    def with_wrong_check_digit(self) -> IdCardRecord:
        return replace(self, number=_spoilt(self.number))


@dataclass(frozen=True, kw_only=True, repr=False)
class StrangeCard(IdCardRecord):
    """A card of a layout that does not exist: what a later edition of the standard may bring."""

    flag: str = "Z"

    def text_block(self) -> bytes:
        return _fill([(0, 120, "NEW LAYOUT, UNKNOWN"), (248, 2, self.flag)])

    def with_wrong_check_digit(self) -> IdCardRecord:
        """Nobody knows where its number stands: the card stays as it is."""
        return self


def _resident(name: str, number: str, *, valid_from: str = "20210301", valid_to: str = "20410301") -> CitizenCard:
    return CitizenCard(
        name=name,
        sex="1" if int(number[16]) % 2 else "2",
        nation="01",
        birth=number[6:14],
        address="示例省示例市示例区示例街道9号院1单元101室",
        number=number,
        authority="示例市公安局示例分局",
        valid_from=valid_from,
        valid_to=valid_to,
    )


RESIDENTS: dict[str, IdCardRecord] = {
    "zhang": _resident("张测试", "990000199909090053"),
    "li": _resident("李示例", "99000019900909004X"),
    "chen": _resident("陈试样", "990000195202290029", valid_from="20120229", valid_to="长期"),
    "liu": _resident("刘范例", "990000197507071176"),
    "minor": _resident("王小样", "99000020120615003X", valid_from="20230615", valid_to="20280615"),
    "expired": _resident("赵旧证", "990000198001010012", valid_from="20050101", valid_to="20150101"),
    "rare": _resident("杨\U00020bb7\ue863", "990000198808080038"),
    "hongkong": PermitCard(
        name="何示例",
        sex="2",
        birth="19950505",
        address="示例省示例市示例区示例路5号",
        number="810000199505050022",
        authority="示例市公安局",
        valid_from="20230101",
        valid_to="20280101",
        travel_document="H00000001",
        issues="01",
    ),
    "taiwan": PermitCard(
        name="林示例",
        sex="1",
        birth="19950505",
        address="示例省示例市示例区示例路6号",
        number="830000199505050018",
        authority="示例市公安局",
        valid_from="20230101",
        valid_to="20280101",
        travel_document="00000001",
        issues="01",
    ),
    "foreign2017": Foreign2017Card(
        name_en="SAMPLE, ALEX EXAMPLE",
        sex="1",
        number="UTO990085050501",
        nationality="UTO",
        name="桑普尔",
        valid_from="20210101",
        valid_to="20310101",
        birth="19850505",
        version="01",
        authority="9900",
    ),
    "foreign2023": Foreign2023Card(
        name="桑普尔",
        sex="1",
        renewals="01",
        birth="19850505",
        name_en="SAMPLE, ALEXANDRA BARTHOLOMEA EXAMPLE-UTOPIA",
        number="999999198505050017",
        valid_from="20240101",
        valid_to="20340101",
        nationality="999",
    ),
}
"""Fictitious residents by the name that `put` takes."""


def record_of(resident: str | IdCardRecord) -> IdCardRecord:
    """A record as it is, or that of a fictitious resident by name."""
    if isinstance(resident, IdCardRecord):
        return resident
    if resident not in RESIDENTS:
        raise KeyError(f"no resident '{resident}'; there are {', '.join(RESIDENTS)}")
    return RESIDENTS[resident]
