"""What passes on a line, told in two languages for the live trace. No driver, and nothing is decided by it.

Source: none of its own; the words stand in the drivers' modules, each beside the bytes that it knows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby

from drivers.transport_evdev import EV_KEY, split_records

MOST_WORDS = 6
DAMAGED = ("帧损坏", "damaged frame")

Words = tuple[str, str]
"""Chinese and English of one thing that passed."""


def two_languages(words: Iterable[Words]) -> str:
    """`Chinese | English` of what passed, equal neighbours counted; "" for nothing."""
    told = [(zh, en, len(list(same))) for (zh, en), same in groupby(words)]
    if not told:
        return ""
    rest = " …" if len(told) > MOST_WORDS else ""
    zh = "，".join(zh + (f" ×{n}" if n > 1 else "") for zh, _, n in told[:MOST_WORDS])
    en = ", ".join(en + (f" ×{n}" if n > 1 else "") for _, en, n in told[:MOST_WORDS])
    return f"{zh}{rest} | {en}{rest}"


def set_bits(byte: int, name: Words, bits: Mapping[int, Words]) -> str:
    """`Chinese | English` of a status byte: its name, and what the bits that are set say. Keys are masks."""
    told = [words for mask, words in bits.items() if byte & mask]
    zh, en = "、".join(zh for zh, _ in told) or "无", ", ".join(en for _, en in told) or "none"
    return f"{name[0]}：{zh} | {name[1]}: {en}"


def typed_presses(direction: str, data: bytes) -> str:
    """How many keys went down in records of an input device, and never which: they may be somebody's number."""
    if direction == ">":
        return ""
    presses = sum(1 for event in split_records(data)[0] if event.type == EV_KEY and event.value == 1)
    return f"按下 {presses} 次（内容不显示） | {presses} presses, not shown" if presses else ""
