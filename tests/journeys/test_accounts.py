"""Accounts over the running daemon: the gate before a window's verbs, revoking, and the command line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sim.bench import HALLS, Bench, DaemonProcess
from sim.visits import Clerk
from tests.journeys.conftest import Hall


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[Hall]:
    with Bench(HALLS / "small", tmp_path / "hall", province=None) as bench, DaemonProcess(bench) as daemon:
        yield Hall(bench, daemon, judged=False)


def account(hall: Hall, *words: str, said: str = "") -> subprocess.CompletedProcess[str]:
    """The command line, with a PIN through a pipe."""
    command = [sys.executable, "-m", "hall_daemon", "account", *words, "--config", str(hall.bench.config)]
    return subprocess.run(command, input=said, capture_output=True, text=True, timeout=90, check=False)


@pytest.mark.timeout(240)
def test_verbs_of_a_window_need_the_session_of_its_screen_and_end_with_the_account(quiet: Hall) -> None:
    hall = quiet
    hall.issue()
    clerk = Clerk(hall.bench, "1", "c001", 1)
    try:
        clerk.sign_in()
        session = clerk.http.headers.pop("X-Hall-Session")
        without = clerk.say("next", seen=None)
        assert (without.status_code, without.json()["code"]) == (401, "session_over")
        clerk.http.headers["X-Hall-Session"] = session
        assert clerk.say("next", seen=None).status_code == 200
        assert clerk.say("pin", ticket="A001", reason="x").json()["code"] == "not_your_role"
        assert account(hall, "lock", "c001").returncode == 0
        clerk.view.until(lambda v: v["clerk"] is None and v["current"], 40, "signed out, the ticket stays")
        assert clerk.say("recall", seen="A001").json()["code"] == "not_signed_in"
        assert clerk.say("sign-in", clerk="c001", pin="246810").json()["code"] == "account_shut"
    finally:
        clerk.close()

    assert account(hall, "add", "c077", "--name", "新员工", said="975310\n975310\n").returncode == 0
    differ = account(hall, "pin", "c077", said="975310\n975311\n")
    weak = account(hall, "pin", "c077", said="111111\n111111\n")
    assert (differ.returncode, weak.returncode) == (2, 1)
    assert hall.post("/windows/1/sign-in", clerk="c077", pin="975310").status_code == 200
    listed = account(hall, "list").stdout
    assert "c077" in listed
    assert "Window 1" in listed
    assert "975310" not in listed + differ.stderr + hall.bench.log.read_text(encoding="utf-8")
