"""What protocols/idcard.md §1.3 and §2.6 give to compare with: requests, fictitious persons, hashes; for tests only."""

import hashlib

from drivers.idcard_sam import Command
from sim.idcard_records import CitizenCard, Foreign2017Card, Foreign2023Card, IdCardRecord, PermitCard

CITIZEN = CitizenCard(
    name="张测试", sex="1", nation="01", birth="19900307",
    address="北京市东城区示例街道1号院2单元301室", number="110101199003070011", authority="北京市公安局东城分局",
    valid_from="20200101", valid_to="20400101",
)  # fmt: skip
FOR_LIFE = CitizenCard(
    name="李长期", sex="2", nation="03", birth="19500101", address="上海市黄浦区示例路1号", number="310101195001010022",
    authority="上海市公安局黄浦分局", valid_from="20100101", valid_to="长期",
)  # fmt: skip
PERMIT = PermitCard(
    name="陈示例", sex="2", birth="19951111", address="广东省深圳市福田区示例路8号", number="810000199511110028",
    authority="深圳市公安局", valid_from="20210101", valid_to="20260101", travel_document="H12345678", issues="01",
)  # fmt: skip
FOREIGN_2017 = Foreign2017Card(
    name_en="SMITH, JOHN EXAMPLE", sex="1", number="USA110080010101", nationality="USA", name="史密斯",
    valid_from="20180101", valid_to="20280101", birth="19800101", version="01", authority="1500",
)  # fmt: skip
FOREIGN_2023 = Foreign2023Card(
    name="史密斯", sex="1", renewals="01", birth="19800101", name_en="SMITH, JOHN EXAMPLE",
    number="911840198001010013", valid_from="20240101", valid_to="20340101", nationality="840",
)  # fmt: skip

BLOCK_HASHES: list[tuple[str, IdCardRecord, str]] = [
    ("citizen", CITIZEN, "b7052b2d26a6db500756c87c45c9a5be7aeb4c8ce75a50c57a1dcdae42f20e34"),
    ("for_life", FOR_LIFE, "ac6823178d28b1611569c09513504a91a23dc08a44bd61796d1572c7ab823b09"),
    ("permit", PERMIT, "8ecfe9b4369ba2d236223a96395e5e90d428e281f8a1ca07f26117d3e90e3219"),
    ("foreign_2017", FOREIGN_2017, "180df4c044f2538d8a189ac4e5d9789ce9cf1fe735e818fce29b40d7afebb940"),
    ("foreign_2023", FOREIGN_2023, "3d36303bd659f0f6ed78735270df539589657836f09309d8e2ff5039ef9ab110"),
]

# The block as the document prints it.
CITIZEN_BLOCK = bytes.fromhex(
    "205F4B6DD58B2000200020002000200020002000200020002000200020003100"
    "30003100310039003900300030003300300037001753AC4E025E1C4ECE573A53"
    "3A798B4F578853903100F7536296320055534351330030003100A45B20002000"
    "2000200020002000200020002000200020002000200020002000310031003000"
    "3100300031003100390039003000300033003000370030003000310031001753"
    "AC4E025E6C51895B405C1C4ECE570652405C2000200020002000200032003000"
    "3200300030003100300031003200300034003000300031003000310020002000"
    "2000200020002000200020002000200020002000200020002000200020002000"
)

SAM_REQUESTS = {
    Command.RESET: "00 03 10 FF EC",
    Command.STATUS: "00 03 11 FF ED",
    Command.SAM_ID: "00 03 12 FF EE",
    Command.FIND: "00 03 20 01 22",
    Command.SELECT: "00 03 20 02 21",
    Command.READ: "00 03 30 01 32",
    Command.NEWEST_ADDRESS: "00 03 30 03 30",
}


NEWEST_ADDRESS = "北京市西城区示例路8号"
NEWEST_ADDRESS_REPLY = (
    "00 4A 00 00 90 17 53 AC 4E 02 5E 7F 89 CE 57 3A 53 3A 79 8B 4F EF 8D 38 00 F7 53" + " 20 00" * 24 + " 5F"
)


def frame(text: str) -> bytes:
    """A SAM_V frame from the hex digits behind the preamble."""
    return bytes.fromhex("AA AA AA 96 69" + text)


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
