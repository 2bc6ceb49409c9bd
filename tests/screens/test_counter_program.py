"""The command line of the counter program, and what it asks of a terminal."""

from __future__ import annotations

import asyncio
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import TextIO

import pytest

from kiosk_ui.theme import draws_marks_wide
from tests.screens.scripted_hall import ScriptedHall
from tests.screens.window_views import HALL

PROGRAM = [sys.executable, "-m", "kiosk_ui.counter"]


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The program without a terminal."""
    return subprocess.run(
        [*PROGRAM, *arguments],
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_help_names_every_option() -> None:
    ran = run("--help")
    assert ran.returncode == 0
    for option in ("--hall", "--window", "--clerk", "--token-env", "--ascii"):
        assert option in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--hall", "hall", "--window", "3"), "地址 hall 不对，应像 http://10.0.3.2:8600 这样。"),
        (("--hall", "http://127.0.0.1:9", "--window", "三"), "窗口号 三 不对"),
        (("--hall", "http://127.0.0.1:9", "--window", "3", "--clerk", "c 1"), "工号 c 1 不对"),
        (("--hall", "http://127.0.0.1:9", "--window", "3", "--token-env", "NO_SUCH"), "环境变量 NO_SUCH 没有设置"),
        (("--hall", "http://127.0.0.1:9", "--window", "3"), "窗口程序要在终端里运行。"),
        (("--window", "3"), "--hall"),
    ],
)
def test_wrong_command_line_is_one_sentence_and_code_2(arguments: tuple[str, ...], sentence: str) -> None:
    ran = run(*arguments)
    assert ran.returncode == 2
    assert sentence in ran.stderr
    assert "Traceback" not in ran.stderr


def test_token_that_no_header_can_carry_is_refused_without_showing_it() -> None:
    ran = run("--hall", "http://127.0.0.1:9", "--window", "3", "--token-env", "HALL_TOKEN", HALL_TOKEN="geheim\n1")
    assert ran.returncode == 2
    assert "HALL_TOKEN" in ran.stderr
    assert "geheim" not in ran.stderr


async def test_unknown_window_is_told_with_the_known_ones_and_code_3() -> None:
    async with ScriptedHall(HALL) as hall:
        ran = await asyncio.to_thread(run, "--hall", hall.url, "--window", "7")
    assert ran.returncode == 3
    assert "大厅里没有 7 号窗口。有：1、2、3、13。" in ran.stderr


async def test_token_goes_along_and_a_refused_one_ends_with_code_3() -> None:
    async with ScriptedHall(HALL) as hall:
        no = {"code": "request.not_allowed", "detail": "", "text": {"zh": "没有权限。", "en": "Not allowed."}}
        hall.answers["hall"] = lambda _body: (401, no)
        arguments = ("--hall", hall.url, "--window", "3", "--token-env", "HALL_TOKEN")
        ran = await asyncio.to_thread(lambda: run(*arguments, HALL_TOKEN="s3cret"))
        assert hall.asked[0].token == "Bearer s3cret"
    assert ran.returncode == 3
    assert "没有权限。" in ran.stderr


def on_terminal(monkeypatch: pytest.MonkeyPatch, answer: bytes, ask: Callable[[], bool]) -> bool:
    """Let `ask` run on a terminal that answers the question for the cursor like this."""
    master, slave = pty.openpty()

    def terminal() -> None:
        said = b""
        while not said.endswith(b"\x1b[6n"):
            said += os.read(master, 100)
        os.write(master, answer)

    thread = threading.Thread(target=terminal)
    thread.start()
    streams: list[TextIO] = [os.fdopen(os.dup(slave), mode) for mode in ("r", "w")]
    try:
        monkeypatch.setattr(sys, "stdin", streams[0])
        monkeypatch.setattr(sys, "stdout", streams[1])
        return ask()
    finally:
        monkeypatch.undo()
        for stream in streams:
            stream.close()
        thread.join(40)
        os.close(slave)
        os.close(master)


@pytest.mark.parametrize(
    ("answer", "wide"), [(b"\x1b[1;2R", False), (b"\x1b[1;3R", True), (b"", False), (b"\x1b[?R", False)]
)
def test_width_of_marks_is_asked_of_the_terminal(monkeypatch: pytest.MonkeyPatch, answer: bytes, wide: bool) -> None:
    assert on_terminal(monkeypatch, answer, lambda: draws_marks_wide(limit_s=0.2)) is wide
