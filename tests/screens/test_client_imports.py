"""A counter PC needs no driver, database or web library: shown at run time, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest

HALL_ONLY = ("serial", "smartcard", "escpos", "cv2", "zxingcpp", "pyzbar", "numpy", "sqlalchemy", "sqlmodel", "fastapi")
HALL_ONLY += ("uvicorn", "cryptography", "PIL", "drivers", "sim")


@pytest.mark.parametrize("module", ["hall_daemon.client", "kiosk_ui.counter"])
def test_importing_loads_nothing_that_only_the_halls_machine_has(module: str) -> None:
    script = f"import sys, {module}; print(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert not set(HALL_ONLY) & set(ran.stdout.split())


def test_screen_uses_only_the_rooms_that_are_meant_for_screens() -> None:
    script = "import sys, kiosk_ui.counter; print(*(n for n in sys.modules if n.startswith('hall_daemon.')))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    rooms = {name.removeprefix("hall_daemon.").partition("_")[0] for name in ran.stdout.split()}
    # cases and workdays: pure rules, of which the shapes of a checklist take their enums.
    assert rooms == {"client", "protocol", "texts", "words", "cases", "workdays"}
