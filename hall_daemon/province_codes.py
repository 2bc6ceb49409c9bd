"""Codes of lists that others number the other way round; only what leaves the hall passes here (domain.md §2).

Inside the hall a kind of case is a word and a satisfaction is 5 for the best, as the feeds of the 好差评 have it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

CaseWord = Literal["immediate", "promised", "joint", "reported"]


class Dialect(StrEnum):
    """Whose numbering of 办件类型 a receiver wants."""

    NATIONAL = "national"
    """GB/T 39046 A.6: 1 即办件, 2 承诺件, 9 其他."""
    TURNED = "turned"
    """As one provincial interface has it: 1 承诺件, 2 即办件, 9 其他."""


_KINDS = {
    Dialect.NATIONAL: {"immediate": 1, "promised": 2},
    Dialect.TURNED: {"promised": 1, "immediate": 2},
}
_OTHER = 9
BEST = 5


def case_kind_code(kind: CaseWord, dialect: Dialect = Dialect.NATIONAL) -> int:
    """办件类型."""
    return _KINDS[dialect].get(kind, _OTHER)


def satisfaction_code(level: int) -> int:
    """满意度 of GB/T 39046 A.8, where 1 is the best. Raises ValueError outside 1 to 5."""
    if not 1 <= level <= BEST:
        raise ValueError(f"there is no level {level}")
    return BEST + 1 - level
