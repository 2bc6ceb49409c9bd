"""The counter screen on the real daemon, with twins for devices and province."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from hall_daemon.client import HallClient, RequestRefused
from hall_daemon.client_day import DayClient
from hall_daemon.protocol import IssueAtCounter, WindowView
from hall_daemon.words import TicketState
from kiosk_ui.counter import CounterApp
from sim.bench import HALLS, Bench, DaemonProcess
from sim.hall_plan import DEMO_PIN
from tests.screens.counter_room import LIMIT_S, QUICK, Seat
from tests.waiting import until, until_async


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[DaemonProcess]:
    """The small hall with all devices online."""
    with Bench(HALLS / "small", tmp_path) as bench, DaemonProcess(bench) as process:

        def scanner_online() -> bool:
            found = httpx.get(f"{bench.url}/devices", timeout=20, trust_env=False).json()
            return any(d["device"] == "SCN-01" and d["link"] == "online" for d in found)

        until(scanner_online, 30)
        yield process


@asynccontextmanager
async def seat(url: str, window: str = "2", clerk: str = "c002") -> AsyncIterator[Seat]:
    """A counter screen at a window of that hall."""
    async with HallClient(url, limits=QUICK) as client:
        app = CounterApp(client, window, clerk)
        async with app.run_test(size=(120, 40)) as pilot:
            made = Seat(app=app, pilot=pilot)
            await made.sees("在线", "PIN")
            await made.press(*DEMO_PIN, "enter")
            await made.sees("空闲")
            yield made


async def issue(url: str, queue: str, many: int) -> list[str]:
    """Numbers from the counter."""
    async with HallClient(url, limits=QUICK) as client:
        items = [item.code for item in (await client.hall()).items if item.queue == queue]
        orders = [IssueAtCounter(item=items[n], request_id=f"counter-test-{queue}-{n}") for n in range(many)]
        return [(await client.issue(order)).number for order in orders]


async def test_a_visit_with_a_scanned_page_from_call_to_finish(daemon: DaemonProcess) -> None:
    url = daemon.bench.url
    first, second = await issue(url, "H", 2)
    async with seat(url) as clerk, HallClient(url, limits=QUICK) as client:
        await clerk.sees("窗口人员02", "等候 2 人", first, second)
        await clerk.press("plus")
        await clerk.sees("叫号中", "叫了 1 次", "等候 1 人")
        await clerk.press("asterisk")
        await clerk.sees("叫了 2 次")
        await clerk.press("enter")
        await clerk.sees("办理中", "材料 0/")
        await clerk.press("f7", "enter")
        await clerk.sees("扫好 1 页，按 F7 归档")
        await clerk.press("f7")
        await clerk.sees(f"{first} 这些页归到哪一项材料？")
        await clerk.press("enter")
        await clerk.sees("第 1 页，共 1 页   放大 1 倍")
        await until_async(lambda: any("⠁" <= sign <= "⣿" for sign in "".join(clerk.lines())), LIMIT_S, "the page")
        await clerk.press("escape", "1")
        await clerk.sees("材料 1/", "已归档 1 页")
        await clerk.press("enter", "2")
        await clerk.sees("不能受理；请一次性告知")
        await clerk.press("0")
        await clerk.sees("已收")
        await clerk.press("enter", "2")
        await clerk.sees(f"{first} 已办结", "空闲")
        assert (await client.ticket(first)).state is TicketState.FINISHED
        types = [event.type async for event in client.events(0, follow=False)]
        for verb in ("ticket.called", "ticket.serving_started", "material.scanned", "case.received", "case.notice"):
            assert f"hall.{verb}.v1" in types
        assert types[-1] == "hall.ticket.finished.v1"


async def test_park_resume_transfer_no_show_requeue_and_cancel(daemon: DaemonProcess) -> None:
    url = daemon.bench.url
    numbers = await issue(url, "H", 4)
    async with seat(url) as clerk, HallClient(url, limits=QUICK) as colleague:
        await colleague.sign_in("1", "c001", DEMO_PIN)  # a number for a window where nobody is comes back
        await clerk.sees("等候 4 人")
        await clerk.press("plus")
        await clerk.sees("叫号中")
        await clerk.press("enter")
        await clerk.sees("办理中")
        await clerk.press("slash", "2")
        await clerk.sees("挂起 1", "复印", "空闲")
        await clerk.press("full_stop")
        await clerk.sees(f"{numbers[0]} 已取回", "办理中")
        await clerk.press("f6")
        await clerk.sees("转到哪里？", "1 号窗口", "空闲", "3 号窗口", "未开放")
        await clerk.press("1", "enter")
        await clerk.sees(f"{numbers[0]} 已转出", "空闲")
        await clerk.press("plus")
        await clerk.sees("叫号中")
        await clerk.press("minus")
        await clerk.sees("过号 1", "空闲")
        await clerk.press("f16")
        await clerk.sees("哪一位重新排队？")
        await clerk.press("enter")
        await clerk.sees(f"{numbers[1]} 已重新排队", "重排", "过号 0")
        await clerk.press("f18")
        await clerk.sees("哪个号弃号？")
        await clerk.press(*numbers[3], "enter")
        await clerk.sees("为什么弃号？")
        await clerk.press("2")
        await clerk.sees(f"{numbers[3]} 已弃号", "等候 2 人")
        await clerk.press("f21", "2")
        await clerk.sees("还没人应")
        await at_the_call_desk(url)
        await clerk.sees("已收到", "等候 3 人", "XH001")
        await clerk.press("f12")
        await clerk.sees("为什么暂停")
        leaves = next(line for line in clerk.lines() if "下岗" in line)
        await clerk.press(next(c for c in leaves if c.isdigit()))
        await clerk.sees("未上岗")


async def at_the_call_desk(url: str) -> None:
    """The manager, without a window, takes the call of one and keys in a number from an emergency pad."""
    async with DayClient(url, limits=QUICK) as client:
        app = CounterApp(client, "", "m903")
        async with app.run_test(size=(80, 24)) as pilot:
            desk = Seat(app=app, pilot=pilot)
            await desk.sees("PIN")
            await desk.press(*DEMO_PIN, "enter")
            await desk.sees("窗口的呼叫 1", "2 号窗口  致 值班长")
            await desk.press("enter")
            await desk.sees("已应答 2 号窗口", "没有窗口在叫人")
            await desk.press("f8")
            await desk.sees("补录应急号")
            await desk.press(*"XH001", "space", *"0001", "enter")
            await desk.sees("已录入")


async def test_window_has_one_screen_and_the_one_before_asks_who_it_is(daemon: DaemonProcess) -> None:
    url = daemon.bench.url
    await issue(url, "H", 3)
    async with seat(url) as one, seat(url) as other:
        await one.press("plus")
        await one.sees("请重新上岗", "窗口人员02 还在岗", "工号")
        await other.press("plus", "plus")
        await other.sees("叫号中", "等候 2 人")
        async with HallClient(url, limits=QUICK) as client:
            types = [event.type async for event in client.events(0, follow=False)]
        assert types.count("hall.ticket.called.v1") == 1


async def test_screen_survives_a_killed_daemon_and_shows_the_same_ticket_again(daemon: DaemonProcess) -> None:
    url = daemon.bench.url
    [number] = await issue(url, "H", 1)
    async with seat(url) as clerk:
        await clerk.press("plus")
        await clerk.sees("叫号中")
        await asyncio.to_thread(daemon.kill)
        await clerk.sees("与主机断开", "叫号中")
        await clerk.press("enter")
        await clerk.sees("这一步没有执行")
        await asyncio.to_thread(daemon.start)
        await clerk.sees("在线", "叫号中")
        await clerk.press("enter")
        await clerk.sees("办理中")
        async with HallClient(url, limits=QUICK) as client:
            await until_async(lambda: serving(client, number), LIMIT_S)
            await clerk.press("1")
            await clerk.sees("已收")
            await clerk.press("f20", *"kan", "enter")
            await clerk.sees("备注")
            await clerk.press("f21", "2")
            await clerk.sees("还没人应")
            before = picture(await anext(aiter(client.window_views("2"))))
            await asyncio.to_thread(daemon.kill)
            await asyncio.to_thread(daemon.start)
            await clerk.sees("在线", "备注", "已收", "还没人应")
            assert picture(await anext(aiter(client.window_views("2")))) == before


def picture(view: WindowView) -> WindowView:
    """What a clerk works with, exactly; the devices come back each in its own time."""
    assert view.current is not None
    return view.model_copy(update={"devices": (), "notices": (), "to_province": 0, "last_event": 0})


async def serving(client: HallClient, number: str) -> bool:
    """Whether the ticket is being served."""
    return (await client.ticket(number)).state is TicketState.SERVING


async def test_client_reaches_every_route_of_the_daemon(daemon: DaemonProcess) -> None:
    async with HallClient(daemon.bench.url, limits=QUICK) as client:
        hall = await client.hall()
        assert [window.code for window in hall.windows] == ["1", "2", "3"]
        assert hall.clerks[0].clerk == "c001"
        assert {device.device for device in await client.devices()} >= {"PRN-01", "SCN-01", "DSP-02"}
        assert "alive" in await client.health()
        assert "# HELP" in await client.metrics()
        assert "/windows/{window}/next" in await client.openapi()
        assert (await anext(aiter(client.kiosk_views("k1")))).kiosk == "k1"
        assert (await anext(aiter(client.board_views("D")))).zones[0].zone == "D"
        with pytest.raises(RequestRefused) as caught:
            await client.sign_in("9", "c001", DEMO_PIN)
        assert (caught.value.status, caught.value.code) == (404, "not_found")
        with pytest.raises(RequestRefused) as caught:
            await client.call_next("1", None)
        assert caught.value.code == "not_signed_in"
        await client.disable_device("DSP-02")
        await until_async(lambda: link_of(client, "DSP-02", "disabled"), LIMIT_S)
        await client.enable_device("DSP-02")
        await until_async(lambda: link_of(client, "DSP-02", "online"), LIMIT_S)


async def link_of(client: HallClient, device: str, link: str) -> bool:
    """Whether a device has this link."""
    return any(view.device == device and view.link == link for view in await client.devices())
