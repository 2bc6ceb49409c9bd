"""Find an item with nine digit keys: by the initials of its pinyin, or by its number.

The initials are made here, offline; the phrase dictionary of pypinyin knows that 重 in 重新 is read chong. It takes
half a second to load and 45 MB, so a process of its own reads all names of a catalogue in one go and ends; `prepare`
has that done when the hall is up and nobody waits. Looked at are names, short names, departments, and what people call
a thing every day. A hit at the start of a name goes before one inside it, and what is asked for often goes first.

An item's number is digits 24 to 28 of its code: department and item (domain.md §3).
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hall_daemon.kiosk_visit import LETTERS
from hall_daemon.profile import HallProfile, Item
from hall_daemon.protocol import Text

_log = logging.getLogger("kiosk.search")

KEY_OF = {letter: digit for digit, letters in LETTERS.items() for letter in letters}
EVERYDAY = {
    "营业执照": ("设立登记", "开办", "执照"),
    "开公司": ("企业设立", "企业开办"),
    "开店": ("个体工商户设立", "食品经营"),
    "办身份证": ("居民身份证",),
    "上户口": ("出生登记", "户口迁移"),
    "迁户口": ("户口迁移",),
    "护照": ("普通护照",),
    "港澳通行证": ("往来港澳",),
    "办社保卡": ("社会保障卡",),
    "交社保": ("灵活就业参保", "社会保险登记"),
    "退休": ("企业职工退休", "养老待遇"),
    "养老金": ("养老待遇",),
    "失业金": ("失业保险金",),
    "看病报销": ("医疗费用", "异地就医"),
    "医保转移": ("医保关系",),
    "低保": ("最低生活保障",),
    "过户": ("不动产转移", "转移登记"),
    "房产证": ("不动产",),
    "查房产": ("不动产登记资料",),
    "提公积金": ("住房公积金提取",),
    "开发票": ("发票",),
    "完税证明": ("完税证明",),
    "工伤": ("工伤认定",),
    "转学": ("转学",),
    "暂住证": ("居住证",),
    "征信": ("信用报告",),
    "卖烟": ("烟草",),
    "招牌": ("户外招牌",),
    "生孩子": ("生育登记", "新生儿"),
    "刻章": ("公章",),
}
"""What people say → parts of the names of the items that they mean."""


# What is no Chinese would come back in runs; "|" keeps its characters apart.
_READ = """
import json, sys
from pypinyin import Style, lazy_pinyin
read = lambda words: lazy_pinyin(words, style=Style.NORMAL, errors=lambda run: "|".join(run) + "|")
json.dump([read(words) for words in json.load(sys.stdin)], sys.stdout)
"""


@dataclass(frozen=True, kw_only=True)
class Hit:
    """An item that fits what was typed; `start` and `count` say which characters of its name, if its name it was."""

    item: Item
    start: int = 0
    count: int = 0


@dataclass(frozen=True, kw_only=True)
class _Entry:
    item: Item
    name: str
    """Digits of the name, a digit a character; where a character has none, a blank."""
    others: tuple[str, ...]
    number: str


READING_LIMIT_S = 60
_KNOWN: dict[str, str] = {}
"""Words → their initials."""
_SPELLED: dict[str, str] = {}
"""Words → their pinyin."""


def initials(words: str) -> str:
    """A capital letter for each character; a blank for what is not said."""
    _learn((words,))
    return _KNOWN[words]


def prepare(profile: HallProfile) -> None:
    """Learn how all names of a catalogue begin; blocks for half a second if there are new ones."""
    _learn(word for item in profile.items.values() for word in (item.name.zh, *_other_names(profile, item)))


def _learn(words: Iterable[str]) -> None:
    new = sorted({word for word in words if word not in _KNOWN})
    if new:
        for word, read in zip(new, _readings(new), strict=True):
            _KNOWN[word], _SPELLED[word] = _padded(word, read), _joined(read)


def _readings(words: Sequence[str]) -> Sequence[Sequence[str]]:
    """For each of the words its readings, of one character each; by a process that loads the dictionary and ends."""
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", _READ], input=json.dumps(words), capture_output=True, text=True, check=True,
            timeout=READING_LIMIT_S,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as exc:
        _log.error("no pinyin (%s): items are found by number, and by the catalogue's pinyin", type(exc).__name__)
        return [()] * len(words)
    readings: list[list[str]] = json.loads(done.stdout)
    return readings


def _padded(words: str, readings: Sequence[str]) -> str:
    found = "".join(_initial(letter) for part in readings for letter in _letters(part))
    return found[: len(words)].ljust(len(words))


def _joined(readings: Sequence[str]) -> str:
    said = " ".join(part.replace("|", "") for part in readings)
    return said[:1].upper() + said[1:]


def named(item: Item) -> Text:
    """An item's name; where the catalogue has no English one, pinyin can be read out at least (ux.md §3.3)."""
    return item.name if item.name.en else Text(zh=item.name.zh, en=_SPELLED.get(item.name.zh, ""))


def _letters(part: str) -> list[str]:
    return part.rstrip("|").split("|") if "|" in part else [part]


def _initial(letter: str) -> str:
    first = letter[:1].upper()
    return first if first in KEY_OF or first.isdigit() else " "


def keys_of(words: str) -> str:
    """The digit keys of the initials."""
    return "".join(KEY_OF.get(letter, letter) for letter in initials(words))


def number_of(item: Item) -> str:
    """The number by which an item is called; a queue without items has none."""
    return item.code[23:28] if item.codes else ""


class SearchIndex:
    """All that one kiosk offers."""

    def __init__(self, profile: HallProfile, kiosk: str, common: Sequence[str] = ()) -> None:
        prepare(profile)
        rank = {code: place for place, code in enumerate(common)}
        offered = sorted(profile.items_at(kiosk), key=lambda item: rank.get(item.code, len(rank)))
        self._entries = [_entry(profile, item) for item in offered]

    def find(self, typed: str) -> list[Hit]:
        """Items that fit, best first; none for nothing."""
        if not typed:
            return []
        hits = ((_quality(entry, typed), place, entry) for place, entry in enumerate(self._entries))
        good = sorted((quality, place, entry.item) for quality, place, entry in hits if quality is not None)
        return [
            Hit(item=item, start=max(0, start), count=len(typed) if start >= 0 else 0) for (_, start), _, item in good
        ]


def _other_names(profile: HallProfile, item: Item) -> list[str]:
    everyday = [said for said, parts in EVERYDAY.items() if any(part in item.name.zh for part in parts)]
    return [item.short.zh, *everyday, *([profile.dept_name(item.dept).zh] if item.dept else [])]


def _entry(profile: HallProfile, item: Item) -> _Entry:
    named = keys_of(item.name.zh)
    said = "".join(KEY_OF.get(letter, letter) for letter in item.pinyin.upper())
    others = (said, *(keys_of(name) for name in _other_names(profile, item)))
    return _Entry(item=item, name=named, others=others, number=number_of(item))


def _quality(entry: _Entry, typed: str) -> tuple[int, int] | None:
    """Kind of hit, lower is better, and where in the name; -1 where it is not in the name."""
    at = entry.name.find(typed)
    if at == 0:
        return 0, 0
    if any(other.startswith(typed) for other in entry.others):
        return 1, -1
    if entry.number.startswith(typed):
        return 2, -1
    if at > 0:
        return 3, at
    if any(typed in other for other in entry.others):
        return 4, -1
    return None
