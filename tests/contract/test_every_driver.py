"""Every driver has a twin of the same name, a contract test, and the parts by which the hall finds and trusts it.

A module in drivers/ that another one there imports, or that holds a link, is a shared part; every other one is a
driver. There is no list to extend: a new file is under these rules the moment it exists.
"""

import ast
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from dataclasses import is_dataclass
from pathlib import Path

import pytest

import drivers
import sim
from drivers.base import DeviceOptions, Driver, Proven
from drivers.transport import _LINKS, Link
from sim.carriers import Twin
from tests.contract.contract import DriverContract

ROOT = Path(__file__).parents[2]
CAPABILITIES = (
    "idcard",
    "keypad",
    "printer",
    "display",
    "board",
    "announcer",
    "caller",
    "evaluator",
    "scanner",
    "camera",
    "codereader",
)
KINDS = {
    "card_reader",
    "keypad",
    "printer",
    "display",
    "board",
    "announcer",
    "caller",
    "evaluator",
    "scanner",
    "camera",
    "code_reader",
}
FORBIDDEN_IN_DRIVERS = {
    "fastapi", "starlette", "uvicorn", "uvloop", "httptools", "websockets", "aiohttp",
    "sqlmodel", "sqlalchemy", "sqlite3", "textual", "rich", "cv2", "zxingcpp", "pyzbar",
    "hall_daemon", "kiosk_ui", "sim",
}  # fmt: skip
FORBIDDEN_IN_TWINS = {"drivers", "hall_daemon", "kiosk_ui", "serial", "cv2", "sqlmodel", "sqlalchemy", "textual"}


def imported_by(file: Path) -> set[str]:
    """Names of the modules of `drivers` that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name.split(".")[1] for name in found if name.startswith("drivers.")}


def find_drivers() -> list[str]:
    """Names of all drivers."""
    modules = {module.name for module in pkgutil.iter_modules(drivers.__path__)}
    shared = {name for file in (ROOT / "drivers").glob("*.py") for name in imported_by(file) - {file.stem}}
    links = {where.partition(".")[0] for where in _LINKS.values()}
    return sorted(modules - shared - links)


DRIVERS = find_drivers()


def first_line(module: object) -> str:
    return (inspect.getdoc(module) or "").partition("\n")[0]


def loaded_after_importing(module: str) -> set[str]:
    """Top-level packages that a fresh Python has loaded after this one import."""
    code = f"import {module}, sys, json; print(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


def test_there_are_drivers() -> None:
    assert {"keypad_serial", "display_onbon"} <= set(DRIVERS)


@pytest.mark.parametrize("name", DRIVERS)
def test_name_is_capability_and_protocol(name: str) -> None:
    pattern = rf"({'|'.join(CAPABILITIES)})(_[a-z0-9]+)+"
    assert re.fullmatch(pattern, name), (
        f"drivers/{name}.py is imported by no other module there, so it is a driver, and is called "
        f"<capability>_<protocol>.py with a capability of: {', '.join(CAPABILITIES)}"
    )


@pytest.mark.parametrize("name", DRIVERS)
def test_driver_says_its_source_and_names_itself(name: str) -> None:
    module = importlib.import_module(f"drivers.{name}")
    assert first_line(module), f"drivers/{name}.py opens with no docstring"
    assert "Source" in (module.__doc__ or ""), f"the docstring of drivers/{name}.py names no source"
    assert hasattr(module, "DRIVER"), f"drivers/{name}.py ends without `DRIVER = ...`"
    driver = module.DRIVER
    assert inspect.isclass(driver), f"DRIVER of drivers/{name}.py is no class"
    assert issubclass(driver, Driver), f"DRIVER of drivers/{name}.py is no Driver"
    assert not inspect.isabstract(driver), f"{driver.__name__} leaves out {sorted(driver.__abstractmethods__)}"
    assert is_dataclass(driver.Options), f"{driver.__name__}.Options is no dataclass"
    assert issubclass(driver.Options, DeviceOptions), f"{driver.__name__}.Options is no DeviceOptions"
    assert inspect.isclass(driver.Transport), f"{driver.__name__}.Transport is no class"
    assert issubclass(driver.Transport, Link), f"{driver.__name__}.Transport is no Link"
    assert driver.kind in KINDS
    assert isinstance(driver.proven, Proven)


@pytest.mark.parametrize("name", DRIVERS)
def test_driver_has_a_twin(name: str) -> None:
    assert (ROOT / "sim" / f"{name}.py").exists(), f"drivers/{name}.py has no twin sim/{name}.py"
    module = importlib.import_module(f"{sim.__name__}.{name}")
    assert first_line(module), f"sim/{name}.py opens with no docstring"
    assert hasattr(module, "TWIN"), f"sim/{name}.py ends without `TWIN = ...`"
    assert inspect.isclass(module.TWIN), f"TWIN of sim/{name}.py is no class"
    assert issubclass(module.TWIN, Twin), f"TWIN of sim/{name}.py is no Twin"
    assert callable(getattr(module.TWIN, "recover", None)), f"the twin in sim/{name}.py cannot recover()"


@pytest.mark.parametrize("name", DRIVERS)
def test_driver_has_a_contract_test(name: str) -> None:
    file = ROOT / "tests" / "contract" / f"test_{name}.py"
    assert file.exists(), f"drivers/{name}.py has no contract test tests/contract/test_{name}.py"
    module = importlib.import_module(f"tests.contract.test_{name}")
    assert first_line(module), f"{file.name} opens with no docstring"
    contracts = [
        found
        for found in vars(module).values()
        if inspect.isclass(found) and issubclass(found, DriverContract) and found is not DriverContract
    ]
    assert any(getattr(found, "driver_module", "") == name for found in contracts), (
        f"{file.name} has no subclass of DriverContract with driver_module = {name!r}"
    )


@pytest.mark.parametrize("name", DRIVERS)
def test_importing_a_driver_loads_no_web_database_or_screen_package(name: str) -> None:
    assert loaded_after_importing(f"drivers.{name}") & FORBIDDEN_IN_DRIVERS == set()


@pytest.mark.parametrize("name", DRIVERS)
def test_importing_a_twin_loads_no_driver(name: str) -> None:
    assert loaded_after_importing(f"sim.{name}") & FORBIDDEN_IN_TWINS == set()


def test_a_module_that_another_imports_is_a_shared_part(tmp_path: Path) -> None:
    file = tmp_path / "printer_acme.py"
    file.write_text("from drivers import base\nfrom drivers.acme_text import width\nimport drivers.transport\n")
    assert imported_by(file) == {"base", "acme_text", "transport"}
