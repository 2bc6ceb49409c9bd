"""What evaluators share: a table from a pad's answers to the five grades. No driver.

Source: protocols/keypads.md §4 (five grades: A) and §5 (which of a three-key device's keys means which of them: G).
"""

from __future__ import annotations

from collections.abc import Mapping
from string import hexdigits

from drivers.base import Grade


def byte_grades(usual: Mapping[str, int], changes: Mapping[str, int]) -> dict[int, Grade]:
    """Answer byte → grade: the usual table with the changes of a pad's own, where 0 takes an answer away.

    Bytes are two hex digits. Raises ValueError.
    """
    table: dict[int, Grade] = {}
    for code, number in ({c.lower(): n for c, n in usual.items()} | {c.lower(): n for c, n in changes.items()}).items():
        if len(code) != 2 or not set(code) <= set(hexdigits):
            raise ValueError(f'grades: "{code}" is no answer byte, legal: "00" to "ff" in two hex digits')
        if number == 0:
            continue
        if number not in list(Grade):
            raise ValueError(
                f'grades: "{code}" = {number!r} is no grade, legal: 1 非常满意, 2 满意, 3 基本满意, 4 不满意, '
                "5 非常不满意, or 0 for none"
            )
        table[int(code, 16)] = Grade(number)
    return table
