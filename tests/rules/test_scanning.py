"""Scan jobs of a window over real twins: what stays, what goes, and what the clerk reads (faults A21 to A24)."""

from __future__ import annotations

import asyncio
import functools
import multiprocessing
import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import drivers.scanner_escl as escl
from drivers.base import Condition
from hall_daemon.devices import Devices
from hall_daemon.imaging_page import end_with_parent
from hall_daemon.protocol import FilePages, ScanJobView, StartScan
from hall_daemon.scanning import Scanning, ScanRefused, _problem
from hall_daemon.tickets import NotFound
from sim import papers
from sim.camera_uvc import CameraTwin
from sim.carriers import HttpPort
from sim.scanner_escl import EsclTwin, JobState
from tests.background import at_work
from tests.rules.hall_room import PENSION, PLACES, HallRoom, hall_room, write_hall
from tests.waiting import until, until_async


@functools.cache
def sheet(seed: int, content: papers.Content = papers.Content.LETTER) -> bytes:
    """A small picture, different for each seed."""
    return papers.scan(papers.Paper(seed=seed, content=content, noise=1), 60, color=False)


def sheets(count: int, first: int = 1) -> list[bytes]:
    return [sheet(n) for n in range(first, first + count)]


BLANK = sheet(99, papers.Content.BLANK)


class Counter:
    """Window 1 with a scanner, and A001 being served there."""

    def __init__(self, room: HallRoom, devices: Devices, scanning: Scanning, twin: Any) -> None:
        self.room, self.devices, self.scanning, self.twin = room, devices, scanning, twin
        self.number, self.seat = "", "1"

    async def scan(self, source: str = "feeder", **more: Any) -> ScanJobView:
        """Scan, and wait until it has come to an end."""
        order: dict[str, Any] = {"ticket": self.number, "source": source, "color": False, **more}
        await self.scanning.start(self.seat, StartScan(**order))
        return await self.over()

    async def over(self) -> ScanJobView:
        await until_async(lambda: self.job.state != "scanning", 40.0, "the feed has ended")
        return self.job

    async def online(self) -> None:
        await until_async(lambda: self.devices.view("SCN-01").link == "online", 15.0, "scanner online")

    @property
    def job(self) -> ScanJobView:
        view = self.scanning.view(self.seat)
        assert view is not None
        return view

    async def marked_poor(self) -> set[str]:
        """Codes that the clerk's screen marks as hard to read."""
        snapshot = await self.room.hall.snapshot()
        return set(snapshot.poor.get((await self.room.find(self.number)).ticket_id, ()))

    async def file(self, *pages: int, code: str = "M05", **more: Any) -> int:
        return await self.scanning.file("1", self.job.job, FilePages(material_code=code, pages=pages, **more))


@asynccontextmanager
async def counter(folder: Path, twin: Any, driver: str, options: str = "", owner: str = "1") -> AsyncIterator[Counter]:
    line = HttpPort(twin, twin.base)
    line.start()
    device = f'[device.SCN-01]\ndriver = "{driver}"\nport = "{line.port}"\n{options}\n'
    window = f'[window.{owner}]\nscanner = "SCN-01"'
    write_hall(folder, device + PLACES.replace(f"[window.{owner}]", window))
    async with hall_room(folder) as room:
        devices = Devices(room.config.devices, room.clock)
        devices.start()
        scanning = Scanning(room.hall, devices)
        desk = Counter(room, devices, scanning, twin)
        try:
            async with at_work(scanning.run()):
                await desk.online()
                await room.sign_in(w1="c001")
                await room.issue()
                desk.number = await room.call_and_serve()
                yield desk
        finally:
            twin.recover()
            await devices.stop()
            await asyncio.to_thread(line.stop)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Counter]:
    async with counter(tmp_path, EsclTwin("SCN-01", {}), "scanner_escl") as found:
        yield found


def numbers(job: ScanJobView) -> list[int]:
    return [page.no for page in job.pages]


def says(job: ScanJobView) -> str:
    return job.problem.zh if job.problem else ""


# -- A21: jam and double feed ----------------------------------------------------------------------------------------


async def test_after_a_jam_the_pages_stay_and_the_feed_goes_on_where_it_stopped(desk: Counter) -> None:
    desk.twin.load_feeder(sheets(5))
    desk.twin.jam_after(2)
    job = await desk.scan()
    assert (job.state, numbers(job)) == ("failed", [1, 2])
    assert says(job) == "扫描仪卡纸，请取出后从第 3 页继续。"

    desk.twin.recover()
    desk.twin.load_feeder(sheets(3, first=3))
    more = await desk.scan(resume=True)
    assert more.job == job.job
    assert (more.state, numbers(more), more.problem) == ("done", [1, 2, 3, 4, 5], None)
    await desk.file(1, 2, 3, 4, 5)
    blobs = [page["blob"]["blob"] for page in (await desk.room.last("material.scanned"))["pages"]]
    assert len(set(blobs)) == 5


async def test_page_of_two_sheets_is_thrown_away_and_named(desk: Counter) -> None:
    desk.twin.load_feeder(sheets(8))
    desk.twin.double_feed_after(4, shown=True)
    job = await desk.scan()
    assert (job.state, numbers(job)) == ("failed", [1, 2, 3, 4])
    assert says(job) == "第 5 页双张，请把第 5 页起的原件重放，按 F7 接着扫。"

    desk.twin.recover()
    desk.twin.load_feeder(sheets(4, first=5))
    more = await desk.scan(resume=True)
    assert (more.state, numbers(more)) == ("done", list(range(1, 9)))


async def test_second_double_feed_counts_from_the_pages_that_were_there(desk: Counter) -> None:
    desk.twin.load_feeder(sheets(3))
    desk.twin.jam_after(2)
    await desk.scan()
    desk.twin.recover()
    desk.twin.load_feeder(sheets(4, first=3))
    desk.twin.double_feed_after(1, shown=True)
    job = await desk.scan(resume=True)
    assert numbers(job) == [1, 2, 3]
    assert "第 4 页双张" in says(job)


async def test_new_job_instead_of_going_on_begins_with_page_1(desk: Counter) -> None:
    desk.twin.load_feeder(sheets(3))
    desk.twin.jam_after(2)
    job = await desk.scan()
    desk.twin.recover()
    again = await desk.scan("platen")
    assert (again.job != job.job, numbers(again), again.state) == (True, [1], "done")


# -- A22: a call that never returns, and a clerk who has had enough --------------------------------------------------


async def test_scanner_that_stops_answering_is_started_anew_and_goes_on(
    desk: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"PAGE_LIMIT_S": 3.0, "PAGE_SILENCE_S": 0.5, "QUESTION_S": 1.0, "DELETE_S": 0.5}.items():
        monkeypatch.setattr(escl, name, value)
    desk.twin.load_feeder(sheets(4))
    desk.twin.go_mute_after(pages=2)
    job = await desk.scan()
    assert (job.state, numbers(job)) == ("failed", [1, 2])
    assert says(job) == "扫描仪没有反应，已重启扫描，请从第 3 页接着扫。"

    desk.twin.recover()
    left = desk.twin.jobs[0]
    await until_async(lambda: left.state is JobState.CANCELED, 40.0, "the job is deleted")
    await desk.online()
    more = await desk.scan(resume=True)
    assert (more.state, numbers(more)) == ("done", [1, 2, 3, 4])


async def test_clerk_stops_a_feed_and_the_scanner_is_free(desk: Counter) -> None:
    desk.twin.load_feeder(sheets(30))
    desk.twin.slow_body(bytes_per_s=len(sheet(1)) * 4)
    await desk.scanning.start("1", StartScan(ticket=desk.number, source="feeder", color=False))
    await until_async(lambda: numbers(desk.job), 20.0, "the first page")
    desk.scanning.stop("1", desk.job.job)
    job = await desk.over()
    assert job.state == "failed"
    assert 1 <= len(job.pages) < 30
    assert says(job) == f"扫描已停止，可从第 {len(job.pages) + 1} 页接着扫。"
    assert desk.twin.jobs[0].state is JobState.CANCELED
    with pytest.raises(NotFound):
        desk.scanning.stop("1", "of-yesterday")


# -- A23: an end that looks like an error ----------------------------------------------------------------------------


async def test_error_after_the_last_sheet_asks_the_clerk_to_count(desk: Counter) -> None:
    desk.twin.load_feeder(sheets(6))
    desk.twin.fail_at_the_end()
    job = await desk.scan()
    assert (job.state, len(job.pages)) == ("done", 6)
    assert says(job) == "共 6 页，对吗？请数一数原件；少了就按 F7 接着扫。"
    await desk.file(*numbers(job))
    assert desk.job.state == "filed"


async def test_empty_feeder_without_a_page_is_no_end(desk: Counter) -> None:
    job = await desk.scan()
    assert (job.state, job.pages) == ("failed", ())
    assert says(job) == "进纸器里没有纸，请放好原件再扫。"


async def test_torn_page_is_named_as_damaged(desk: Counter) -> None:
    desk.twin.load_feeder(sheets(2))
    desk.twin.truncate_jpeg()
    job = await desk.scan()
    assert (job.state, job.pages) == ("failed", ())
    assert says(job) == "第 1 页图像损坏，请重扫。"


# -- A24: pages that are not good ------------------------------------------------------------------------------------


async def test_blank_backs_are_listed_and_nothing_is_thrown_away(desk: Counter) -> None:
    desk.twin.load_feeder([(sheet(1), BLANK), (BLANK, sheet(2))])
    job = await desk.scan(duplex=True)
    assert [(page.no, page.blank, page.back) for page in job.pages] == [
        (1, False, False), (2, True, True), (3, True, False), (4, False, True),
    ]  # fmt: skip


async def test_faults_of_a_page_are_marked_and_the_worst_numbers_are_filed(desk: Counter) -> None:
    good = papers.Paper(seed=5, content=papers.Content.LETTER, noise=1)
    blurred = papers.Paper(seed=5, content=papers.Content.LETTER, noise=1, blur_mm=0.4)
    cut = papers.Paper(seed=7, content=papers.Content.FORM, x_mm=-30, skew_deg=3, bed=papers.Bed.BLACK)
    desk.twin.load_feeder([good, blurred, cut])
    job = await desk.scan()
    assert [page.blurred for page in job.pages] == [False, True, False]
    assert [page.edges_ok for page in job.pages] == [True, True, False]
    await desk.file(1, 2, 3)
    quality = (await desk.room.last("material.scanned"))["quality"]
    assert quality["edges_ok"] is False
    assert quality["blur"] == max(page.blur for page in job.pages) == job.pages[1].blur
    poor = await desk.marked_poor()
    assert poor == {"M05"}


async def test_bad_scan_that_was_filed_is_replaced(desk: Counter) -> None:
    desk.twin.put_on_platen(BLANK)
    await desk.scan("platen")
    await desk.file(1)
    assert await desk.marked_poor() == {"M05"}
    first = (await desk.room.last("material.scanned"))["material_id"]
    desk.twin.put_on_platen(sheet(3))
    await desk.scan("platen")
    await desk.file(1, replace=True)
    second = (await desk.room.last("material.scanned"))["material_id"]
    assert await desk.room.last("material.replaced") == {
        "material_id": second, "replaces": first, "reason_code": "bad_scan", "clerk_id": "c001",
    }  # fmt: skip
    assert await desk.marked_poor() == set()


async def test_replacing_what_was_never_filed_is_plain_filing(desk: Counter) -> None:
    await desk.scan("platen")
    await desk.file(1, replace=True)
    assert await desk.room.log("material.replaced") == []


async def test_a_window_uses_the_scanner_of_a_neighbour_in_its_zone(tmp_path: Path) -> None:
    async with counter(tmp_path, EsclTwin("SCN-01", {}), "scanner_escl", owner="3") as desk:
        desk.twin.put_on_platen(sheet(1))
        with pytest.raises(NotFound):  # window 1 is in another zone
            await desk.scan("platen", at="3")
        await desk.room.sign_in(w2="c002")
        await desk.room.issue(PENSION)
        desk.number, desk.seat = await desk.room.call_and_serve("2"), "2"
        for away, reason in ((None, "scan_no_scanner"), ("2", "scan_no_scanner")):
            with pytest.raises(ScanRefused) as refused:
                await desk.scan("platen", at=away)
            assert refused.value.code == reason
        job = await desk.scan("platen", at="3")
        assert (job.state, numbers(job), job.ticket) == ("done", [1], desk.number)


# -- a document camera at the window ---------------------------------------------------------------------------------


async def test_camera_is_a_scanner_of_one_page_and_says_when_it_is_dark(tmp_path: Path) -> None:
    twin = CameraTwin("SCN-01", {"width": 1280, "height": 960, "view_width_mm": 320})
    twin.put_under(papers.Paper(width_mm=210, height_mm=148, x_mm=40, y_mm=40, bed=papers.Bed.GRAY))
    options = "width = 1280\nheight = 960\nview_width_mm = 320.0\nlook_every_s = 600.0"
    async with counter(tmp_path, twin, "camera_uvc", options) as desk:
        job = await desk.scan("platen")
        assert (job.state, numbers(job)) == ("done", [1])
        twin.cover_lens()
        dark = await desk.scan("platen")
        assert says(dark) == "高拍仪画面是黑的，请拿开遮挡、打开灯再拍。"
        assert says(await desk.scan("feeder")) == (
            "这台扫描仪不能这样扫（没有进纸器、玻璃台或这种清晰度），请换一种方式。"
        )


def test_feed_that_broke_off_names_the_page_from_which_the_papers_go_in_again() -> None:
    told = _problem(Condition.DEVICE_FAULT, 3)
    assert "第 3 页起" in told.zh
    assert "from page 3 on" in told.en


def test_an_imaging_process_whose_daemon_was_killed_while_it_loaded_ends() -> None:
    """Nobody would ever end it: it holds both ends of its own queue."""
    context = multiprocessing.get_context("spawn")
    pids = context.Queue()
    inner = context.Process(target=_leave_a_child_behind, args=(pids,))
    inner.start()
    pid = pids.get(timeout=40)
    inner.join(20)
    until(lambda: not _runs(pid), 20, "the orphan has ended")


def _leave_a_child_behind(pids: Any) -> None:
    """A daemon that dies as soon as its imaging process has been started."""
    child = multiprocessing.get_context("spawn").Process(target=_begin_late, args=(os.getpid(),))
    child.start()
    pids.put(child.pid)
    pids.close()
    pids.join_thread()
    os._exit(9)


def _begin_late(daemon: int) -> None:
    until(lambda: os.getppid() != daemon, 20, "the daemon is gone")
    end_with_parent()
    threading.Event().wait()


def _runs(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
