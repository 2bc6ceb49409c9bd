"""The real technician's program in a real terminal (tmux), as over SSH, at both sizes."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.cells import cell_len

from sim.bench import HALLS, Bench, DaemonProcess
from tests.screens.test_counter_tmux import Terminal

pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]


class TechnicianTerminal(Terminal):
    """Runs the technician's program instead of the counter's."""

    def start(self, size: tuple[int, int], *arguments: str) -> None:
        program = " ".join([sys.executable, "-m", "kiosk_ui.technician", *arguments])
        shell = f"{program}; echo ended with $?; read end"
        self._run("new-session", "-d", "-x", str(size[0]), "-y", str(size[1]), shell)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[TechnicianTerminal]:
    made = TechnicianTerminal(tmp_path)
    yield made
    made.close()


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[DaemonProcess]:
    with Bench(HALLS / "small", tmp_path / "bench", province=None) as bench, DaemonProcess(bench) as process:
        yield process


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_technician_finds_and_mends_a_cut_cable(
    terminal: TechnicianTerminal, daemon: DaemonProcess, size: tuple[int, int]
) -> None:
    daemon.bench.lines["PRN-01"].unplug()
    terminal.start(size, "--hall", daemon.bench.url)
    screen = await terminal.sees("设备诊断", "PRN-01", "断线", "在线", "看电源灯")
    assert all(cell_len(line) <= size[0] for line in screen.splitlines())
    terminal.press("F7")
    await terminal.sees("插紧两端插头", "人工确认")
    terminal.press("Enter")
    await terminal.sees("▶ 2 插紧两端插头")
    daemon.bench.lines["PRN-01"].replug()
    await terminal.sees("▶ 5 按 F2 做自检")
    terminal.press("F2")
    await terminal.sees("自检通过")
    terminal.press("2")
    await terminal.sees("状态：正常", "F3", "停住")
    terminal.resize(100, 30)
    await terminal.sees("状态：正常", "1号取号机 热敏打印机")
    terminal.press("C-q")
    await terminal.sees("ended with 0")


async def test_hall_that_never_answers_is_waited_for(terminal: TechnicianTerminal, daemon: DaemonProcess) -> None:
    daemon.stop()
    terminal.start((80, 24), "--hall", daemon.bench.url)
    await terminal.sees("与主机断开", "等主机回答")
    daemon.start()
    await terminal.sees("在线", "PRN-01")


async def test_wrong_command_line_ends_with_2(terminal: TechnicianTerminal) -> None:
    terminal.start((80, 24), "--hall", "nothing")
    await terminal.sees("ended with 2")
