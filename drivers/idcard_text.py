"""The 256-byte text block of a resident's card: four layouts, their checks and what is doubtful.

A plain module that card drivers import; it has no link and no DRIVER. Source: protocols/idcard.md §2 and §3.1.

Every field is UTF-16LE, padded with U+0020. The unit at offset 248 names the layout: space (resident ID card), J
(residence permit for Hong Kong, Macau and Taiwan residents), I and Y (foreign permanent residents, 2017 and 2023).

A block that cannot be a whole record (broken UTF-16, no number, no digits where digits must be) is refused and nothing
of it is kept. Fields that nobody needs to be served (issue count, version, renewal count, link to the old number) are
kept as they stand, whatever they hold. The layouts of ID cards, J and I are confirmed (A), that of Y is reported (B).
A whole record with a wrong check digit, birth or validity is handed over with its doubts. No error
sentence and no exception raised here carries anything of the card.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import date

from drivers.base import CardDoubt, CardKind, Condition, IdCard, Refused

TEXT_BYTES = 256

_FLAG = slice(248, 250)
_FOR_LIFE = "长期"
_NUMBER_18 = re.compile(r"[0-9]{17}[0-9X]")
_NUMBER_15 = re.compile(r"[A-Z]{3}[0-9]{12}")
_DATE = re.compile(r"[0-9]{8}")
_DATE_OR_FOR_LIFE = re.compile(rf"[0-9]{{8}}|{_FOR_LIFE}")

_MADE_UP_CITIZEN = (
    (0, "无此人"), (30, "1"), (32, "01"), (36, "19700101"), (52, "示例市虚构路1号"), (122, "990000197001010093"),
    (158, "示例市公安局"), (188, "20200101"), (204, "长期"),
)  # fmt: skip
_FICTITIOUS = {
    " ": _MADE_UP_CITIZEN,
    "J": (*_MADE_UP_CITIZEN, (204, "20991231"), (220, "H00000000"), (238, "01")),
    "I": (
        (0, "NOBODY, NONE"), (120, "1"), (122, "XXX990000000000"), (152, "XXX"), (158, "无此人"), (188, "20200101"),
        (204, "20991231"), (220, "19700101"), (236, "01"), (240, "1500"),
    ),
    "Y": (
        (0, "无此人"), (30, "1"), (32, "00"), (36, "19700101"), (52, "NOBODY, NONE"), (122, "990000197001010093"),
        (188, "20200101"), (204, "20991231"), (242, "XXX"),
    ),
}  # fmt: skip
"""Layout → fields (offset, text) of somebody who does not exist, for recordings."""

# GA/T 2000.156 has no code for residence permits: the code of the pass that the permit goes with stands for it.
_CITIZEN, _TAIWAN_PASS, _HK_MACAU_PASS, _FOREIGN_PERMANENT = "111", "511", "516", "553"


class _NoWholeRecordError(Exception):
    """The block is no whole record; `what` names the field, never its content."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


def check_digit(first_17: str) -> str:
    """Last character of an 18-digit number after GB 11643 (ISO 7064 MOD 11-2)."""
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    total = sum(int(digit) * weight for digit, weight in zip(first_17, weights, strict=True))
    return "10X98765432"[total % 11]


def decode_text(block: bytes, *, today: date, source: str) -> IdCard:
    """The card of a text block; `source` names the reader in error sentences.

    Raises Refused(CARD_UNKNOWN) for a layout that does not exist, Refused(CARD_UNREADABLE) for half a record.
    """
    try:
        if len(block) != TEXT_BYTES:
            raise _NoWholeRecordError("length")
        flag = _text(block, _FLAG.start, 2, "layout flag")
        layout = _LAYOUTS.get(flag)
        if layout is None:
            raise Refused(Condition.CARD_UNKNOWN, f"{source}: the card has layout {flag!a}, which is none of ours")
        return layout(block, today)
    except _NoWholeRecordError as exc:
        # `from None`: a decoding error carries the bytes that it could not decode.
        raise Refused(Condition.CARD_UNREADABLE, f"{source}: half a record, {exc.what} is broken; discarded") from None


def fictitious(block: bytes) -> bytes:
    """A text block of the same layout in which everything is made up; division code 990000 belongs to nobody."""
    flag = block[_FLAG].decode("utf-16-le", "replace")
    shown = bytearray("\u0020".encode("utf-16-le") * (TEXT_BYTES // 2))
    for at, text in _FICTITIOUS.get(flag, _FICTITIOUS[" "]):
        shown[at : at + 2 * len(text)] = text.encode("utf-16-le")
    shown[_FLAG] = block[_FLAG]
    return bytes(shown)


def _text(block: bytes, at: int, size: int, what: str) -> str:
    try:
        raw = block[at : at + size].decode("utf-16-le")
    except UnicodeDecodeError:
        raise _NoWholeRecordError(what) from None
    # A crafted card must not send control codes to a printer or a screen.
    return "".join(c for c in raw if unicodedata.category(c) != "Cc").rstrip(" ")


def _matching(pattern: re.Pattern[str], block: bytes, at: int, size: int, what: str) -> str:
    text = _text(block, at, size, what)
    if not pattern.fullmatch(text):
        raise _NoWholeRecordError(what)
    return text


def _calendar_day(digits: str) -> date | None:
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None


def _validity(block: bytes, today: date) -> tuple[date | None, date | None, frozenset[CardDoubt]]:
    """From, to and their doubts; both None if either is no calendar day, since None alone would mean "for life"."""
    first = _matching(_DATE, block, 188, 16, "start of validity")
    last = _matching(_DATE_OR_FOR_LIFE, block, 204, 16, "end of validity")
    valid_from = _calendar_day(first)
    if valid_from is not None and last == _FOR_LIFE:
        return valid_from, None, frozenset()
    valid_to = _calendar_day(last)
    if valid_from is None or valid_to is None:
        return None, None, frozenset({CardDoubt.VALIDITY_REVERSED})
    doubts = set()
    if valid_from > valid_to:
        doubts.add(CardDoubt.VALIDITY_REVERSED)
    if valid_to < today:
        doubts.add(CardDoubt.EXPIRED)
    return valid_from, valid_to, frozenset(doubts)


def _number_doubts(number: str, birth: str) -> frozenset[CardDoubt]:
    doubts = set()
    if check_digit(number[:17]) != number[17]:
        doubts.add(CardDoubt.CHECK_DIGIT)
    if number[6:14] != birth or _calendar_day(birth) is None:
        doubts.add(CardDoubt.BIRTH_MISMATCH)
    return frozenset(doubts)


def _rare(*texts: str) -> frozenset[CardDoubt]:
    """Older fonts put rare characters where Unicode leaves room for private use: other fonts show something else."""
    if any(unicodedata.category(c) == "Co" for text in texts for c in text):
        return frozenset({CardDoubt.PRIVATE_USE_CHARACTER})
    return frozenset()


def _decode_resident(block: bytes, today: date, kind: CardKind) -> IdCard:
    """The fields that ID cards and residence permits have in common."""
    number = _matching(_NUMBER_18, block, 122, 36, "number")
    birth = _matching(_DATE, block, 36, 16, "birth")
    valid_from, valid_to, doubts = _validity(block, today)
    name = _text(block, 0, 30, "name")
    address = _text(block, 52, 70, "address")
    authority = _text(block, 158, 30, "authority")
    citizen = kind is CardKind.CITIZEN
    pass_type = _TAIWAN_PASS if number.startswith("83") else _HK_MACAU_PASS
    return IdCard(
        kind=kind,
        id_type=_CITIZEN if citizen else pass_type,
        id_no=number,
        name=name,
        sex=_text(block, 30, 2, "sex"),
        nation=_text(block, 32, 4, "nation") if citizen else "",
        birth=_calendar_day(birth),
        address=address,
        authority=authority,
        valid_from=valid_from,
        valid_to=valid_to,
        pass_no="" if citizen else _text(block, 220, 18, "pass number"),
        issue_count="" if citizen else _text(block, 238, 4, "issue count"),
        doubts=doubts | _number_doubts(number, birth) | _rare(name, address, authority),
    )


def _decode_citizen(block: bytes, today: date) -> IdCard:
    return _decode_resident(block, today, CardKind.CITIZEN)


def _decode_permit(block: bytes, today: date) -> IdCard:
    return _decode_resident(block, today, CardKind.HK_MACAU_TAIWAN)


def _decode_foreign_2017(block: bytes, today: date) -> IdCard:
    number = _matching(_NUMBER_15, block, 122, 30, "number")
    birth = _calendar_day(_matching(_DATE, block, 220, 16, "birth"))
    valid_from, valid_to, doubts = _validity(block, today)
    name = _text(block, 158, 30, "Chinese name")
    if birth is None:
        doubts |= {CardDoubt.BIRTH_MISMATCH}
    return IdCard(
        kind=CardKind.FOREIGN_2017,
        id_type=_FOREIGN_PERMANENT,
        id_no=number,
        name=name,
        name_en=_text(block, 0, 120, "English name"),
        sex=_text(block, 120, 2, "sex"),
        birth=birth,
        authority=_text(block, 240, 8, "authority"),
        layout_version=_text(block, 236, 4, "version"),
        valid_from=valid_from,
        valid_to=valid_to,
        nationality=_text(block, 152, 6, "nationality"),
        doubts=doubts | _rare(name),
    )


def _decode_foreign_2023(block: bytes, today: date) -> IdCard:
    number = _matching(_NUMBER_18, block, 122, 36, "number")
    birth = _matching(_DATE, block, 36, 16, "birth")
    valid_from, valid_to, doubts = _validity(block, today)
    name = _text(block, 0, 30, "Chinese name")
    # The name goes on in a second field: a space at the end of the first may be a space of the name.
    name_en = _text(block[52:122] + block[220:242], 0, 92, "English name")
    return IdCard(
        kind=CardKind.FOREIGN_2023,
        id_type=_FOREIGN_PERMANENT,
        id_no=number,
        name=name,
        name_en=name_en,
        sex=_text(block, 30, 2, "sex"),
        birth=_calendar_day(birth),
        valid_from=valid_from,
        valid_to=valid_to,
        renewal_count=_text(block, 32, 4, "renewal count"),
        old_number_link=_text(block, 250, 6, "link to the old number"),
        nationality=_text(block, 242, 6, "nationality"),
        doubts=doubts | _number_doubts(number, birth) | _rare(name),
    )


_LAYOUTS: dict[str, Callable[[bytes, date], IdCard]] = {
    "": _decode_citizen,
    "J": _decode_permit,
    "I": _decode_foreign_2017,
    "Y": _decode_foreign_2023,
}
