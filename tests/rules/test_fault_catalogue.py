"""Every device fault of the failure catalogue has a test that carries its number, and the table tells which."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs" / "faults-devices.md"
FAULTS = {f"A{n:02}" for n in range(1, 27)}


def marked(folder: str = "journeys") -> dict[str, set[str]]:
    """Number of the fault → names of the journeys (or of the tests below another folder) that are marked with it."""
    found: dict[str, set[str]] = defaultdict(set)
    for file in (ROOT / "tests" / folder).rglob("test_*.py"):
        for deed in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(deed, ast.FunctionDef | ast.AsyncFunctionDef) and deed.name.startswith("test_"):
                for mark in deed.decorator_list:
                    if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.fault":
                        for number in mark.args:
                            found[str(ast.literal_eval(number))].add(deed.name)
    return found


def told() -> dict[str, list[str]]:
    """Number of the fault → the cells of its row."""
    rows = re.findall(r"^\| (A\d\d) \| (.*) \|$", TABLE.read_text(encoding="utf-8"), re.MULTILINE)
    return {number: cells.split(" | ") for number, cells in rows}


def test_every_fault_of_a_device_has_a_journey() -> None:
    assert set(marked()) == FAULTS


def test_every_fault_of_catalogue_appointments_and_queues_has_a_test() -> None:
    assert {f"E{n:02}" for n in range(1, 17)} <= marked(".").keys()


def test_the_table_names_these_journeys_and_both_columns() -> None:
    named = {number: set(re.findall(r"`(test_\w+)`", cells[0])) for number, cells in told().items()}
    assert named == marked()
    assert [number for number, cells in told().items() if len(cells) != 3 or not all(cells)] == []
