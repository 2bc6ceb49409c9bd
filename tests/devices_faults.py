"""Which faults each twin can be told to have, and which tests inject them: read from the twins and from the tests.

A verb of a twin is a method that somebody calls to make something happen. PLAIN names those that are no fault: what
people do with a device that is well, and what its carrier calls.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

from tests.contract.test_every_driver import DRIVERS, ROOT
from tests.journeys.fault_hall import DEVICES, SOUND_CARD

_CARRIER = "environment start stop receive plugged unplugged handle control take measure answer damaged send obey emit"
_PEOPLE = """
recover press type type_like_a_person close_contact open_contact let_go press_after press_other log_in rate will_rate
tap down up hold_code chatter_code put lift put_on_platen load_feeder put_under scan scan_all refill close_cover
clear_jam take_slip power_on go_on cool_down be_fast replug replug_reader
"""
_BY_ITSELF = """
forget advance cut present tear_here after_lines queued_question real_time_status automatic_status full_status
end_with send_aim_prefix send_gbk find_a_card_that_stays be_flatbed_only be_feeder_only
"""
"""How a device is made or set, and what it does without being told."""
PLAIN = frozenset(f"{_CARRIER} {_PEOPLE} {_BY_ITSELF}".split())
"""Verbs that are no fault."""
JOURNEYS = "test_faults_*.py"
HANDS = {"keypad": "keypad_serial", "reader": "idcard_samv", "scanner": "scanner_escl"}
"""What a resident or a clerk of a journey holds in their hands → its driver."""


def verbs(driver: str) -> dict[str, str]:
    """Fault verbs of a driver's twin, in the order of its source, each with its sentence."""
    found: dict[str, str] = {}
    for kind in importlib.import_module(f"sim.{driver}").TWIN.__mro__[:-1]:
        if kind.__module__ == "sim.carriers":
            continue
        for name, deed in vars(kind).items():
            if inspect.isfunction(deed) and not name.startswith("_") and name not in PLAIN:
                found.setdefault(name, (deed.__doc__ or "").partition("\n")[0])
    return found


def sharing(driver: str, verb: str) -> list[str]:
    """Other drivers whose twins have the verb from the same class and whose tests use it."""
    return [
        other
        for other in DRIVERS
        if other != driver and _defined_by(other, verb) == _defined_by(driver, verb) and injected(other)[verb]
    ]


def _defined_by(driver: str, verb: str) -> str:
    kinds = importlib.import_module(f"sim.{driver}").TWIN.__mro__
    return next(
        (f"{kind.__module__}.{kind.__qualname__}" for kind in kinds if verb in vars(kind)), f"{driver} has none"
    )


@cache
def injected(driver: str) -> dict[str, list[str]]:
    """Fault verb → names of the tests that use it with this driver's twin, without doubles."""
    found: dict[str, list[str]] = {verb: [] for verb in verbs(driver)}
    for uses in (*map(_uses, _files_about(driver)), *(_journey(file).get(driver, {}) for file in _journeys())):
        for verb, tests in uses.items():
            if verb in found:
                found[verb] += [test for test in tests if test not in found[verb]]
    return found


@cache
def _files_about(driver: str) -> tuple[Path, ...]:
    """Tests that carry a driver's name, or name it where they carry nobody's; with the parts they are made of."""
    named = re.compile(rf"\b{driver}\b|\b{driver}(?=_\w+ import)")
    about: list[Path] = []
    for file in sorted((ROOT / "tests" / "contract").glob("test_*.py")):
        whole = (file, *_parts(file))
        carried = [other for other in DRIVERS if re.match(rf"test_{other}(_|\.)", file.name)]
        if driver in carried or (not carried and any(named.search(part.read_text("utf-8")) for part in whole)):
            about += whole
    return tuple(dict.fromkeys(about))


@cache
def _parts(file: Path) -> tuple[Path, ...]:
    """Modules of the same folder that a test imports and that hold no tests of their own file name."""
    names = re.findall(r"from tests\.contract\.(\w+) import", file.read_text(encoding="utf-8"))
    return tuple(file.with_name(f"{name}.py") for name in names)


@cache
def _uses(file: Path) -> dict[str, list[str]]:
    """Attribute or string that could be a verb → tests of a file in which it stands; its file where that is no test."""
    found: dict[str, list[str]] = defaultdict(list)

    def look(node: ast.AST, where: str) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            where = node.name
        word = node.attr if isinstance(node, ast.Attribute) else node.value if isinstance(node, ast.Constant) else None
        if isinstance(word, str) and word.isidentifier() and where not in found[word]:
            found[word].append(where)
        for below in ast.iter_child_nodes(node):
            look(below, where)

    look(ast.parse(file.read_text(encoding="utf-8")), file.name)
    return dict(found)


# --- journeys: one hall with a twin of each kind, so a verb belongs to whom it is said --------------------------------


@cache
def _journeys() -> tuple[Path, ...]:
    return tuple(sorted((ROOT / "tests" / "journeys").glob(JOURNEYS)))


@cache
def _journey(file: Path) -> dict[str, dict[str, list[str]]]:
    """Driver → verb → journeys of a file that say it to the driver's twin."""
    found: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for test in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(test, ast.FunctionDef) and test.name.startswith("test_"):
            for driver, verb in _said(test):
                found[driver][verb].append(test.name)
    return found


def _said(test: ast.FunctionDef) -> set[tuple[str, str]]:
    """What a journey says to which twin; a verb that is a parameter stands in a decorator."""
    names: dict[str, str] = {}
    for node in ast.walk(test):
        if isinstance(node, ast.Assign):
            for target, value in _pairs(node.targets[0], node.value):
                if isinstance(target, ast.Name) and (driver := _twin(value, names)):
                    names[target.id] = driver
    given = {n.value for d in test.decorator_list for n in ast.walk(d) if isinstance(n, ast.Constant)}
    said: set[tuple[str, str]] = set()
    for node in ast.walk(test):
        if isinstance(node, ast.Attribute):
            said.add((_twin(node.value, names), node.attr))
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
            said |= {(_twin(node.args[0], names), word) for word in given if isinstance(word, str)}
    return said


def _pairs(target: ast.expr, value: ast.expr) -> list[tuple[ast.expr, ast.expr]]:
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        return list(zip(target.elts, value.elts, strict=False))
    return [(target, value)]


def _twin(whom: ast.expr, names: dict[str, str]) -> str:
    """The driver of the twin that an expression is; "" where it is none."""
    if isinstance(whom, ast.Name):
        return names.get(whom.id, "")
    if isinstance(whom, ast.Attribute):
        return HANDS.get(whom.attr, "")
    on_line = isinstance(whom, ast.Subscript) and isinstance(whom.value, ast.Attribute) and whom.value.attr == "lines"
    if isinstance(whom, ast.Subscript) and isinstance(whom.slice, ast.Constant) and not on_line:
        return _DRIVERS_THERE.get(str(whom.slice.value), "")
    return ""


_DRIVERS_THERE = {name: driver for name, driver, _, _ in (*DEVICES, SOUND_CARD)}
