"""Scan jobs: pages from the scanner, made straight and readable, filed as materials.

A page is written to the spool under its SHA-256 as it comes, before anything else is done with it. It counts as saved
only after the clerk has filed it: file and folder fsynced, then the rows and the event in one commit. Image work runs
in a process of its own; the daemon never loads OpenCV.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import shutil
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from sqlmodel import Session, select

from drivers.base import ColorMode, Condition, Page, PageSource, Refused, ScanProfile
from hall_daemon import case_lookups
from hall_daemon.devices import Devices, DeviceUnavailable, OutcomeUnknown
from hall_daemon.events import Blob, MaterialPage, MaterialReplaced, MaterialScanned, PageQuality
from hall_daemon.hall import Hall
from hall_daemon.imaging_page import PagePart, PageUnreadable, ReadPage, end_with_parent, page_dots, read_page, spool
from hall_daemon.profile import Item, Window
from hall_daemon.protocol import FilePages, ScanJobView, ScanPageView, StartScan, Text
from hall_daemon.store import Tx
from hall_daemon.tables import BlobRow, MaterialRow, SessionRow, TicketRow
from hall_daemon.texts import text
from hall_daemon.tickets import HallError, NotFound, NotSignedIn, ScreenOutOfDate

_log = logging.getLogger("hall.scanning")

POOR_SKEW_MDEG = 1000
"""A page that lies more askew than one degree is marked (domain.md §12)."""
LARGEST_JOB_BYTES = 200 * 1024 * 1024
"""Disk that must be free beyond the reserve before paper is fed."""
RESERVE = 0.10
"""Share of the disk that is kept for tickets."""
ORPHAN_AGE_S = 24 * 3600


class ScanRefused(HallError):
    """The scan cannot begin, or this page cannot be had; `code` names the sentence."""

    def __init__(self, sentence: Text, code: str) -> None:
        self.code = code
        self._sentence = sentence
        Exception.__init__(self, sentence.en)

    @property
    def sentence(self) -> Text:
        return self._sentence


@dataclass
class _Job:
    job: str
    window: str
    ticket_id: str
    number: str
    device: str
    profile: ScanProfile
    state: Literal["scanning", "done", "failed", "filed"] = "scanning"
    problem: Text | None = None
    pages: dict[int, ReadPage] = field(default_factory=dict)
    backs: set[int] = field(default_factory=set)
    saved: set[int] = field(default_factory=set)
    stop: threading.Event = field(default_factory=threading.Event)
    """Set when the clerk has had enough; the feed ends after the page that it is at."""


class Scanning:
    """Scan jobs of all windows; each window has one."""

    def __init__(self, hall: Hall, devices: Devices) -> None:
        self._hall = hall
        self._devices = devices
        self._spool = hall.config.blobs
        self._jobs: dict[str, _Job] = {}
        self._pool: ProcessPoolExecutor | None = None
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Own the running jobs until cancelled."""
        self._spool.mkdir(parents=True, exist_ok=True)
        for job in self._jobs.values():  # left over when this room failed and was begun anew
            if job.state == "scanning":
                job.state, job.problem = "failed", text("scan.no_answer", page=len(job.pages) + 1)
        await asyncio.to_thread(_sweep, self._spool, await self._hall.store.read(_known_blobs))
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                await asyncio.Event().wait()
        finally:
            self._group = None
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)
                self._pool = None

    def view(self, window: str) -> ScanJobView | None:
        """The window's job as its screen shows it."""
        job = self._jobs.get(window)
        if job is None:
            return None
        pages = tuple(
            ScanPageView(
                no=no, blank=p.blank, skew_mdeg=p.skew_mdeg, blur=p.blur, blurred=p.blurred, edges_ok=p.edges_ok,
                codes=p.codes, saved=no in job.saved, back=no in job.backs,
            )
            for no, p in sorted(job.pages.items())
        )  # fmt: skip
        return ScanJobView(job=job.job, state=job.state, ticket=job.number, problem=job.problem, pages=pages)

    async def start(self, window: str, order: StartScan) -> str:
        """Begin to scan for the ticket at the window; the job's id. Pages arrive in the window's view.

        Raises ScanRefused before any paper is fed, ScreenOutOfDate.
        """
        configured = self._hall.profile.windows.get(window)
        if configured is None:
            raise NotFound(what=window)
        snapshot = await self._hall.snapshot()
        ticket = snapshot.at_window(window)
        if ticket is None or ticket.number != order.ticket:
            raise ScreenOutOfDate()
        if self._hall.day.power_failing:
            raise ScanRefused(text("scan.power_failing"), "scan_power_failing")
        device = self._scanner(configured, order.at)
        running = self._jobs.get(window)
        group = self._group
        if group is None or (running is not None and running.state == "scanning"):
            raise ScanRefused(text("scan.busy"), "scan_busy")
        self._refuse_without_space()
        if order.resume and running is not None and running.ticket_id == ticket.ticket_id:
            job = running
            job.state, job.problem = "scanning", None
            job.stop.clear()
        else:
            job = _Job(
                job=self._hall.clock.new_id(), window=window, ticket_id=ticket.ticket_id, number=ticket.number,
                device=device, profile=_profile(order),
            )  # fmt: skip
        self._jobs[window] = job
        group.create_task(self._scan(job), name=f"scan {window}")
        self._hall.changed.ring()
        return job.job

    def _scanner(self, window: Window, at: str | None) -> str:
        """The window's own scanner, or that of a neighbour. Raises NotFound, ScanRefused."""
        owner = self._hall.profile.windows.get(at or window.code)
        if owner is None or owner.zone != window.zone:
            raise NotFound(what=at)
        if not owner.scanner:
            raise ScanRefused(text("scan.no_scanner"), "scan_no_scanner")
        if any(j.device == owner.scanner and j.state == "scanning" for w, j in self._jobs.items() if w != window.code):
            raise ScanRefused(text("scan.busy"), "scan_busy")
        return owner.scanner

    def stop(self, window: str, job_id: str) -> None:
        """End a running feed after the page that it is at; its pages stay. Raises NotFound."""
        job = self._jobs.get(window)
        if job is None or job.job != job_id:
            raise NotFound(what=job_id)
        job.stop.set()

    def page_file(self, window: str, job: str, no: int) -> Path:
        """The image of a page. Raises NotFound."""
        found = self._jobs.get(window)
        if found is None or found.job != job or no not in found.pages:
            raise NotFound(what=f"{job}/{no}")
        return self._spool / found.pages[no].blob.removeprefix("sha256:")

    async def page_dots(self, window: str, job: str, no: int, part: PagePart) -> tuple[str, ...]:
        """A part of a page for a screen without pictures. Raises NotFound, ScanRefused if it cannot be read."""
        file = self.page_file(window, job, no)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._imaging(), page_dots, file, part)
        except (PageUnreadable, BrokenProcessPool) as exc:
            _log.warning("page %d cannot be shown: %s", no, exc)
            raise ScanRefused(text("scan.bad_page", page=no), "scan_bad_page") from exc

    async def file(self, window: str, job_id: str, order: FilePages) -> int:
        """File pages as one material of the ticket: rows and event in one commit. Raises NotFound, ScreenOutOfDate."""
        job = self._jobs.get(window)
        if job is None or job.job != job_id or not set(order.pages) <= set(job.pages):
            raise NotFound(what=job_id)
        event = await self._hall.store.write(lambda tx: self._file(tx, job, order))
        job.saved |= set(order.pages)
        if set(job.saved) == set(job.pages) and job.state == "done":
            job.state = "filed"
        self._hall.changed.ring()
        _log.info("filed %d pages under %s material=%s", len(order.pages), job.number, order.material_code)
        return event

    def _file(self, tx: Tx, job: _Job, order: FilePages) -> int:
        ticket = tx.session.get_one(TicketRow, job.ticket_id)
        session = tx.session.get(SessionRow, job.window)
        if session is None:
            raise NotSignedIn(window=job.window)
        if ticket.window != job.window or ticket.state not in ("called", "serving"):
            raise ScreenOutOfDate()
        pages = [job.pages[no] for no in order.pages]
        for page in pages:
            _keep_blob(tx, page)
        item: Item = self._hall.profile.item_of(ticket.item, ticket.zone, ticket.queue)
        name = order.material_name or next(
            (m.name for m in item.materials if m.code == order.material_code), order.material_code
        )
        row = MaterialRow(
            id=self._hall.clock.new_id(), ticket_id=ticket.id, code=order.material_code, name=name,
            copy_kind=order.copy_kind.value, pages=[p.blob for p in pages], filed_ms=tx.now_ms, clerk=session.clerk,
            window=job.window, local_case_no=order.local_case_no or None, poor=any(map(is_poor, pages)),
        )  # fmt: skip
        case = case_lookups.case_for(tx.session, ticket.id, order.local_case_no)
        replaced = case_lookups.last_filed(tx.session, ticket.id, row.code) if order.replace else None
        tx.session.add(row)
        event = tx.emit(
            MaterialScanned(
                material_id=row.id, ticket_id=ticket.id, local_case_no=case, material_code=row.code, material_name=name,
                copy_kind=order.copy_kind, device_id=job.device, clerk_id=session.clerk,
                pages=tuple(_page_of_event(no, page) for no, page in enumerate(pages, start=1)),
                quality=PageQuality(
                    blur=max(p.blur for p in pages),
                    skew_mdeg=max((p.skew_mdeg for p in pages), key=abs),
                    edges_ok=all(p.edges_ok for p in pages),
                ),
            ),
            kept={"case": row.local_case_no, "poor": row.poor},
        )  # fmt: skip
        if replaced is None:
            return event
        return tx.emit(
            MaterialReplaced(material_id=row.id, replaces=replaced.id, reason_code="bad_scan", clerk_id=session.clerk)
        )

    # --- scanning -----------------------------------------------------------------------------------------------------

    async def _scan(self, job: _Job) -> None:
        loop, before = asyncio.get_running_loop(), max(job.pages, default=0)
        reading: list[asyncio.Task[None]] = []
        assert self._group is not None
        group = self._group

        def keep(page: Page) -> None:
            """On the scanner's thread: the page is safe before the next one is asked for."""
            original = spool(self._spool, page.data)
            no, dpi = before + page.number, page.dpi or job.profile.dpi
            if job.profile.duplex and page.number % 2 == 0:
                job.backs.add(no)
            loop.call_soon_threadsafe(
                lambda: reading.append(group.create_task(self._read(job, no, original, page.media, dpi)))
            )

        trouble: Refused | DeviceUnavailable | OutcomeUnknown | None = None
        try:
            feed = _feeder(job.profile, keep, job.stop)
            await self._devices.call(job.device, feed, self._limit_s(job.device))
        except Refused as exc:
            trouble = exc
        except (DeviceUnavailable, OutcomeUnknown) as exc:
            _log.warning("scan failed window=%s: %s", job.window, exc)
            trouble = exc
        await asyncio.gather(*reading)
        _settle(job, trouble, before, len(reading))
        self._hall.changed.ring()

    async def _read(self, job: _Job, no: int, original: str, media: str, dpi: int) -> None:
        color = job.profile.color is ColorMode.COLOR
        began = time.monotonic()
        reading = asyncio.get_running_loop().run_in_executor(
            self._imaging(), read_page, self._spool, original, media, dpi, color
        )
        await asyncio.wait([reading])
        trouble = reading.exception()
        if trouble is None:
            job.pages[no] = reading.result()
        else:
            # One page that cannot be read, for whatever reason, takes no other page and no other window with it.
            known = isinstance(trouble, PageUnreadable | BrokenProcessPool)
            _log.warning(
                "page %d of %s cannot be read: %s", no, job.number, trouble, exc_info=None if known else trouble
            )
            job.problem = text("scan.bad_page", page=no)
            if isinstance(trouble, BrokenProcessPool):
                self._pool = None  # the imaging process died; the next page gets a new one
        _log.debug("page %d read in %.0f ms", no, (time.monotonic() - began) * 1000)
        self._hall.changed.ring()

    def _imaging(self) -> ProcessPoolExecutor:
        """One process, started by spawn (a fork after OpenCV is loaded can hang), when the first page comes."""
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(1, mp_context=context, initializer=end_with_parent)
        return self._pool

    def _limit_s(self, device: str) -> float:
        """A full feeder takes as long as its driver says."""
        return self._hall.config.devices[device].driver_type.job_limit_s

    def _refuse_without_space(self) -> None:
        if is_tight(self._spool):
            raise ScanRefused(text("scan.no_space"), "scan_no_space")


def is_poor(page: ReadPage) -> bool:
    """Whether a person should look at a page again before it counts as received."""
    return page.blurred or page.blank or not page.edges_ok or abs(page.skew_mdeg) > POOR_SKEW_MDEG


def is_tight(folder: Path) -> bool:
    """Whether this disk is too full for another scan job; the rest is kept for tickets."""
    usage = shutil.disk_usage(folder)
    return usage.free < usage.total * RESERVE + LARGEST_JOB_BYTES


def _keep_blob(tx: Tx, page: ReadPage) -> None:
    """Note a page's file, once however often the same page is filed."""
    kept = tx.session.get(BlobRow, page.blob)
    if kept is None:
        tx.session.add(BlobRow(blob=page.blob, sm3=page.sm3, bytes=page.bytes, media="image/jpeg", kept_ms=tx.now_ms))
        tx.session.flush()
    elif kept.state == "damaged":
        kept.state = "pending"  # the same page was scanned again: its bytes are good now
        tx.session.add(kept)


def _page_of_event(no: int, page: ReadPage) -> MaterialPage:
    return MaterialPage(
        no=no, blob=Blob(blob=page.blob, sm3=page.sm3, bytes=page.bytes, media="image/jpeg"), w=page.width,
        h=page.height, dpi=page.dpi, color=page.color, rotation=page.rotation, blank=page.blank,
    )  # fmt: skip


def _profile(order: StartScan) -> ScanProfile:
    color = ColorMode.COLOR if order.color else ColorMode.GRAY
    return ScanProfile(source=PageSource(order.source), dpi=order.dpi, color=color, duplex=order.duplex)


def _feeder(profile: ScanProfile, keep: Callable[[Page], None], stop: threading.Event) -> Callable[[object], None]:
    def feed(scanner: object) -> None:
        pages = scanner.scan(profile)  # type: ignore[attr-defined]  # configuration has proved that it is a PageScanner
        with contextlib.closing(pages):
            for page in pages:
                keep(page)
                if stop.is_set():
                    return

    return feed


def _settle(job: _Job, trouble: Refused | DeviceUnavailable | OutcomeUnknown | None, before: int, came: int) -> None:
    """What became of a feed of `came` pages after `before` others; the pages that are good stay, whatever it was."""
    suspect = trouble.suspect if isinstance(trouble, Refused) else 0
    if suspect:
        for no in [no for no in job.pages if no >= before + suspect]:
            del job.pages[no]
    next_page = before + (suspect or came + 1)
    if isinstance(trouble, Refused) and trouble.condition is Condition.FEEDER_EMPTY and came:
        job.problem = job.problem or text("scan.count_pages", pages=len(job.pages))
        job.state = "done"
        return
    if isinstance(trouble, Refused):
        job.problem = _problem(trouble.condition, next_page)
    elif trouble is not None:
        silences = {"no_reply": "scan.restarted", "bad_reply": "scan.bad_page"}
        code = silences.get(trouble.condition, "") if isinstance(trouble, DeviceUnavailable) else ""
        job.problem = text(code or "scan.no_answer", page=next_page)
    elif job.stop.is_set():
        job.problem = job.problem or text("scan.stopped", page=next_page)
    job.state = "done" if job.problem is None else "failed"


_PROBLEMS = {
    Condition.FEEDER_EMPTY: "scan.feeder_empty",
    Condition.FEEDER_JAM: "scan.feeder_jam",
    Condition.DOUBLE_FEED: "scan.double_feed",
    Condition.COVER_OPEN: "scan.cover_open",
    Condition.DEVICE_FAULT: "scan.broke_off",
    Condition.LENS_DARK: "scan.lens_dark",
    Condition.BUSY: "scan.busy",
    Condition.PROFILE_UNSUITABLE: "scan.profile_unsuitable",
}


def _problem(condition: Condition, page: int) -> Text:
    return text(_PROBLEMS.get(condition, "scan.no_answer"), page=page)


def _known_blobs(session: Session) -> set[str]:
    return {blob.removeprefix("sha256:") for blob in session.exec(select(BlobRow.blob))}


def _sweep(folder: Path, known: set[str]) -> None:
    """Remove files that no row names and that are a day old: pages that were scanned and never filed."""
    horizon = time.time() - ORPHAN_AGE_S
    for file in folder.iterdir():
        if file.is_file() and file.name not in known and file.stat().st_mtime < horizon:
            file.unlink()
