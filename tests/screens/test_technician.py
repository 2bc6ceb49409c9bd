"""The technician's screen on the real daemon with twins: pages, orders, broken devices, a daemon that goes away."""

from __future__ import annotations

import asyncio
import tarfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from hall_daemon.client import HallClient
from hall_daemon.protocol import Text
from hall_daemon.protocol_clerks import CallFor
from hall_daemon.words import MessageTo
from kiosk_ui.technician import TechnicianApp
from sim.bench import HALLS, Bench, DaemonProcess
from sim.hall_plan import DEMO_PIN
from tests.screens.counter_room import LIMIT_S, QUICK
from tests.waiting import until, until_async


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[DaemonProcess]:
    """The small hall, its printer out of paper."""
    with Bench(HALLS / "small", tmp_path / "bench", province=None) as bench, DaemonProcess(bench) as process:
        bench["PRN-01"].run_out_of_paper()
        until(lambda: "paper_out" in httpx.get(f"{bench.url}/devices", timeout=20, trust_env=False).text, 30)
        yield process


@dataclass
class Chair:
    """Eyes and fingers at the technician's screen."""

    app: TechnicianApp
    pilot: Pilot[Text]

    def lines(self) -> list[str]:
        return [strip.text for strip in self.app.screen._compositor.render_strips()]

    async def sees(self, *words: str) -> None:
        """Wait until all of these stand on the screen."""
        try:
            await until_async(lambda: all(word in "\n".join(self.lines()) for word in words), LIMIT_S, str(words))
        except AssertionError as exc:
            raise AssertionError(f"{exc}\n" + "\n".join(self.lines())) from None

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()


@asynccontextmanager
async def chair(
    url: str, size: tuple[int, int] = (120, 40), folder: Path | None = None, *, plain: bool = False
) -> AsyncIterator[Chair]:
    """A technician's screen on that hall."""
    async with HallClient(url, limits=QUICK) as client:
        app = TechnicianApp(client, plain=plain, folder=folder)
        async with app.run_test(size=size) as pilot:
            yield Chair(app, pilot)


@pytest.mark.parametrize("size", [(80, 24), (120, 40)])
async def test_worst_device_is_chosen_and_its_trouble_is_carried_upwards(
    daemon: DaemonProcess, size: tuple[int, int]
) -> None:
    async with chair(daemon.bench.url, size) as technician:
        await technician.sees(
            "设备诊断", "✖ 1 故障", "✖ 取号机", "✖ 1号取号机", "✖ PRN-01", "末端传感器无纸", "取号不中断"
        )
        assert all(cell_len(line) <= size[0] for line in technician.lines())
        for key, words in (("3", "还没有做过"), ("4", "今天没出票的号"), ("5", "还在"), ("6", "放入新纸")):
            await technician.press(key)
            await technician.sees(words)
            assert all(cell_len(line) <= size[0] for line in technician.lines())


async def test_live_wire_is_read_held_marked_and_filtered(daemon: DaemonProcess) -> None:
    async with chair(daemon.bench.url) as technician:
        await technician.sees("末端传感器无纸")
        await technician.press("2")
        await technician.sees(
            "问打印机状态", "状态：缺纸", "0001 1010", "2 停机原因：缺纸停机", "4 纸：近端纸少、末端无纸"
        )
        await technician.press("f3")
        await technician.sees("已停住，之后来了 0 条")
        await technician.sees("已停住，之后来了 2 条")
        await technician.press("f4", "f5")
        await technician.sees("只看 发出 →")
        assert not any(
            " ← " in line and "状态：缺纸" in line[45:] and "字节" not in line for line in technician.lines()
        )
        await technician.press("enter")
        await technician.sees("0000  10 04 01")


async def test_repair_follows_the_printer_and_ends_with_its_test(daemon: DaemonProcess) -> None:
    async with chair(daemon.bench.url) as technician:
        await technician.sees("末端传感器无纸")
        await technician.press("f7")
        await technician.sees("▶ 1 打开机柜和上盖", "○ 2 放入新纸")
        await technician.press("enter")
        await technician.sees("✓ 1 打开机柜和上盖", "人工确认", "▶ 2 放入新纸")
        daemon.bench["PRN-01"].refill()
        await technician.sees("✓ 2 放入新纸", "▶ 3 按 F2 做自检")
        await technician.press("f2")
        await technician.sees("自检通过", "已打印：标尺、生僻字、二维码")
        await technician.press("6")
        await technician.sees("修好了")
        await technician.press("4")
        await technician.sees("本卷已用", " 0.1 m")
        assert len(daemon.bench["PRN-01"].whole_slips) == 1


async def test_kiosk_goes_into_maintenance_and_back(daemon: DaemonProcess) -> None:
    async with chair(daemon.bench.url) as technician:
        await technician.sees("末端传感器无纸")
        await technician.press("f12")
        await technician.sees("1号取号机 转入维护？")
        await technician.press("escape", "f12", "enter")
        await technician.sees("○ 1号取号机 维护中")
        await technician.press("f12")
        await until_async(lambda: not any("维护中" in line for line in technician.lines()), LIMIT_S)


async def test_a_window_that_calls_is_heard_and_told_that_one_comes(daemon: DaemonProcess) -> None:
    async with chair(daemon.bench.url, (80, 24)) as technician, HallClient(daemon.bench.url, limits=QUICK) as clerk:
        await clerk.sign_in("1", "c001", DEMO_PIN)
        await technician.sees("末端传感器无纸")
        await technician.press("7")
        await technician.sees("没有窗口在叫人")
        await clerk.call_for("1", CallFor(to=MessageTo.TECHNICIAN))
        await technician.sees("设备有问题，请技术员来   按 7 应答")
        await technician.press("7")
        await technician.sees("窗口在叫人", "1 号窗口 叫 技术员")
        await technician.press("enter")
        await technician.sees("窗口知道您马上过去")
        view = await anext(aiter(clerk.window_views("1")))
        assert [m.acknowledged for m in view.messages] == ["技术员"]


async def test_a_fault_is_rehearsed_with_a_managers_word(daemon: DaemonProcess) -> None:
    async with chair(daemon.bench.url) as technician:
        await technician.sees("末端传感器无纸")
        await technician.press("f6")
        await technician.sees("请选择要模拟的故障", "1  缺纸", "大厅开放中，群众会看到：取号不中断")
        await technician.press("1", *"m903", "enter", *DEMO_PIN)
        await technician.sees("需要值班主任同意", "m903", "******")
        assert DEMO_PIN not in "\n".join(technician.lines())
        await technician.press("enter")
        await technician.sees("PRN-01 本来就有故障，不用模拟")
        daemon.bench["PRN-01"].refill()
        await technician.sees("● PRN-01")
        await technician.press("f6")
        await technician.sees("2  卡纸")
        await technician.press("2", *"m903", "enter", *DEMO_PIN, "enter")
        await technician.sees("卡纸（模拟）")
        await technician.press("f6")
        await technician.sees("● PRN-01")


async def test_device_is_disabled_after_a_question_and_enabled_without(daemon: DaemonProcess) -> None:
    async with chair(daemon.bench.url) as technician:
        await technician.sees("末端传感器无纸")
        await technician.press("f9")
        await technician.sees("停用 PRN-01？")
        await technician.press("enter")
        await technician.sees("○ PRN-01", "运维人员停用了这台设备")
        await technician.press("f9")
        await technician.sees("✖ PRN-01", "末端传感器无纸")


async def test_support_archive_is_saved_here(daemon: DaemonProcess, tmp_path: Path) -> None:
    async with chair(daemon.bench.url, folder=tmp_path) as technician:
        await technician.sees("末端传感器无纸")
        await technician.press("f8")
        await technician.sees("导出支持包到")
        await technician.press("enter")
        await technician.sees("支持包已保存", "复查 0 处泄露")
    [archive] = await asyncio.to_thread(lambda: list(tmp_path.glob("hall-diagnose-*.tar.gz")))
    with tarfile.open(archive) as opened:
        assert "hall-diagnose/log.txt" in opened.getnames()


async def test_daemon_that_is_away_is_said_so_and_orders_are_not_done(daemon: DaemonProcess) -> None:
    async with chair(daemon.bench.url, (80, 24)) as technician:
        await technician.sees("PRN-01", "末端传感器无纸")
        await asyncio.to_thread(daemon.kill)
        await technician.sees("与主机断开", "L4 主机没有应答，画面停在", "末端传感器无纸")
        await technician.press("f2")
        await technician.sees("与主机断开，没有执行")
        await asyncio.to_thread(daemon.start)
        await technician.sees("在线")
        await until_async(lambda: not any("L4" in line for line in technician.lines()), LIMIT_S)


async def test_terminal_that_draws_marks_wide_gets_plain_ones(daemon: DaemonProcess) -> None:
    async with chair(daemon.bench.url, plain=True) as technician:
        await technician.sees("X PRN-01", "X 1号取号机")
        assert not set("●▲✖○◆│─╭…→←") & set("".join(technician.lines()))
