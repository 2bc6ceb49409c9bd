"""Twin of a network document scanner that speaks eSCL.

Source: protocols/scanners.md, section 1: requests 1.2, XML 1.3, state machine and knobs 1.4. Strict where real devices
are: one job at a time, a feeder that knows its sheets, 409 where paper stands still. Everything it got and gave is
kept: `jobs`, `delivered`. A side is a `sim.papers.Paper` or the bytes of a picture, a pair of them a printed sheet.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar
from xml.sax.saxutils import escape

from sim import papers
from sim.carriers import HttpAnswer, HttpRequest, HttpTwin
from sim.escl_documents import Ticket, document, input_caps, read_ticket

BASE = "/eSCL"

Side = papers.Paper | bytes
Sheet = Side | tuple[Side, Side]


class JobState(StrEnum):
    """pwg:JobState."""

    PENDING = "Pending"
    PROCESSING = "Processing"
    COMPLETED = "Completed"
    CANCELED = "Canceled"
    ABORTED = "Aborted"


_REASONS = {
    JobState.PENDING: "JobQueued",
    JobState.PROCESSING: "JobScanning",
    JobState.COMPLETED: "JobCompletedSuccessfully",
    JobState.CANCELED: "JobCanceledByUser",
    JobState.ABORTED: "ResourcesAreNotReady",
}


@dataclass(kw_only=True)
class Job:
    """One scan job."""

    name: str
    ticket: Ticket
    born: float
    touched: float
    state: JobState = JobState.PENDING
    done: int = 0
    backs: list[Side] = field(default_factory=list)

    @property
    def active(self) -> bool:
        """Whether the scanner is still at it."""
        return self.state in {JobState.PENDING, JobState.PROCESSING}


@dataclass(kw_only=True)
class _Faults:
    """What the verbs have set; a fresh one is a healthy scanner."""

    jam_after: int | None = None
    double_after: int | None = None
    double_shown: bool = False
    stop_after: int | None = None
    doubled: bool = False
    cover_open: bool = False
    jammed: bool = False
    busy: int = 0
    not_ready: int = 0
    bytes_per_s: int | None = None
    cut_after: int | None = None
    cut_last: bool = False
    cut_number: int | None = None
    cut_created: bool = False
    location: str = "{host}{path}"
    false_404: bool = False
    keep_job: bool = False
    forget_finished: bool = False
    say_gone: bool = False
    between: int = 0
    still_between: int = 0
    fail_at_end: bool = False
    mute_after: int | None = None
    no_last_chunk: bool = False
    truncated: bool = False
    content_type: str = "image/jpeg"
    localhost: bool = False
    late_empty: bool = False
    lying_empty: bool = False
    broken: bool = False
    one_sheet: bool = False
    endless: bool = False
    job_idle_s: float = 120.0
    status_body: bytes | None = None
    state: str = ""


class EsclTwin(HttpTwin):
    """A scanner with a glass plate and a feeder for both sides."""

    base: ClassVar[str] = BASE

    def __init__(self, device: str, options: Mapping[str, object]) -> None:
        super().__init__(device, options)
        self.platen: Side = papers.FORM
        self.feeder: list[Sheet] = []
        self.jobs: list[Job] = []
        self.delivered: list[bytes] = []
        """Every picture that was sent, complete or not."""
        self.has_platen = True
        self.has_feeder = True
        self.has_duplex = True
        self._faults = _Faults()
        self._voice = threading.Event()
        self._voice.set()
        self._count = 0

    # -- what people do ------------------------------------------------------------------------------------------------

    def put_on_platen(self, page: Side) -> None:
        """Lay a page on the glass; it stays there."""
        with self.lock:
            self.platen = page

    def load_feeder(self, sheets: Sequence[Sheet]) -> None:
        """Put sheets into the feeder, the first one on top."""
        with self.lock:
            self.feeder = list(sheets)

    def open_cover(self) -> None:
        """Open the feeder's door."""
        with self.lock:
            self._faults.cover_open = True

    def close_cover(self) -> None:
        """Close it again."""
        with self.lock:
            self._faults.cover_open = False

    def clear_jam(self) -> None:
        """Take the jammed sheet out."""
        with self.lock:
            faults = self._faults
            faults.jammed, faults.jam_after, faults.doubled, faults.double_after = False, None, False, None

    def recover(self) -> None:
        """Healthy again: no fault is left, the paper lies where it lay."""
        with self.lock:
            self._faults = _Faults()
            self.jobs = [job for job in self.jobs if job.name != "of-somebody-else"]
            self._voice.set()

    def be_flatbed_only(self) -> None:
        """A model without feeder."""
        self.has_feeder = self.has_duplex = False

    def be_feeder_only(self) -> None:
        """A model without glass, for one side."""
        self.has_platen = self.has_duplex = False

    # -- faults --------------------------------------------------------------------------------------------------------

    def _set(self, **what: object) -> None:
        with self.lock:
            for name, value in what.items():
                setattr(self._faults, name, value)

    def jam_after(self, pages: int) -> None:
        """The sheet after so many pages of a job gets stuck."""
        self._set(jam_after=pages)

    def double_feed_after(self, pages: int, *, shown: bool) -> None:
        """After so many pages of a job two sheets go in as one; `shown`: with a picture before the scanner stops."""
        self._set(double_after=pages, double_shown=shown)

    def fail_at_the_end(self) -> None:
        """The end of the feeder is told as a device fault."""
        self._set(fail_at_end=True)

    def say_gone(self) -> None:
        """410 where others say 404."""
        self._set(say_gone=True)

    def take_time_between_pages(self, requests: int) -> None:
        """After each page so many times 503, with AdfState Processing."""
        self._set(between=requests)

    def leave_out_last_chunk(self) -> None:
        """Pictures come whole, but the connection ends before the chunk that says so."""
        self._set(no_last_chunk=True)

    def scan_for_somebody_else(self) -> None:
        """Another client's job is running, until it is taken away by `recover`."""
        with self.lock:
            ticket = Ticket(source="Platen", duplex=False, color="RGB24", dpi=75, width=2480, height=3508)
            now = time.monotonic()
            self.jobs.append(Job(name="of-somebody-else", ticket=ticket, born=now, touched=now))

    def jam(self) -> None:
        """Paper is stuck now."""
        self._set(jammed=True)

    def go_mute(self) -> None:
        """Take connections and questions, answer nothing."""
        self._voice.clear()

    def go_mute_after(self, pages: int) -> None:
        """The same, after so many pages of a job."""
        self._set(mute_after=pages)

    def busy_for(self, requests: int) -> None:
        """503 to so many new jobs: somebody else scans."""
        self._set(busy=requests)

    def warm_up_for(self, requests: int) -> None:
        """503 to so many requests for a page."""
        self._set(not_ready=requests)

    def slow_body(self, bytes_per_s: int) -> None:
        """Pictures trickle."""
        self._set(bytes_per_s=bytes_per_s)

    def cut_page(self, after_bytes: int = 5000) -> None:
        """The connection breaks within a picture, before the last chunk."""
        self._set(cut_after=after_bytes)

    def cut_last_page(self) -> None:
        """The connection breaks within the picture of the feeder's last sheet, once."""
        self._set(cut_last=True)

    def cut_page_number(self, number: int) -> None:
        """The connection breaks within this picture of a job, once; the paper behind it stays in the feeder."""
        self._set(cut_number=number)

    def cut_created_answer(self) -> None:
        """The connection breaks within the body of 201."""
        self._set(cut_created=True)

    def wrong_host_location(self) -> None:
        """Location names a host that does not exist."""
        self._set(location="http://192.0.2.9:8289{path}")

    def relative_location(self) -> None:
        """Location is a path alone."""
        self._set(location="{path}")

    def no_location(self) -> None:
        """201 without Location."""
        self._set(location="")

    def false_404_once(self) -> None:
        """The first request after a page is answered 404 although there is more."""
        self._set(false_404=True)

    def never_release_job(self) -> None:
        """A finished job stays, and the feeder reads empty, until the job is deleted."""
        self._set(keep_job=True)

    def drop_finished_job(self) -> None:
        """A finished job is unknown at once, to DELETE too."""
        self._set(forget_finished=True)

    def drop_idle_jobs_after(self, seconds: float) -> None:
        """A job that nobody asks about ends by itself."""
        self._set(job_idle_s=seconds)

    def truncate_jpeg(self) -> None:
        """Pictures lack their second half, in a complete answer."""
        self._set(truncated=True)

    def wrong_content_type(self, media: str = "text/html") -> None:
        """Pictures arrive under another name."""
        self._set(content_type=media)

    def require_localhost(self) -> None:
        """Answer only those who call it localhost."""
        self._set(localhost=True)

    def accept_jobs_without_paper(self) -> None:
        """An empty feeder is told at the first page, not at the job."""
        self._set(late_empty=True)

    def claim_empty(self) -> None:
        """The status says empty while sheets wait."""
        self._set(lying_empty=True)

    def break_down(self) -> None:
        """500 to every request for a page."""
        self._set(broken=True)

    def one_sheet_per_job(self) -> None:
        """A job ends after each sheet."""
        self._set(one_sheet=True)

    def feed_for_ever(self) -> None:
        """The last sheet comes again and again."""
        self._set(endless=True)

    def garble_status(self, body: bytes) -> None:
        """The status is these bytes."""
        self._set(status_body=body)

    def fall_out(self, state: str = "Down") -> None:
        """It calls itself Down, or Stopped, and takes no job."""
        self._set(state=state)

    # -- requests ------------------------------------------------------------------------------------------------------

    def handle(self, request: HttpRequest) -> HttpAnswer | None:
        """Answer as a scanner does."""
        if not self._voice.is_set():
            self._voice.wait(60)
            return None
        with self.lock:
            answer = self._answer(request)
            if self._faults.mute_after is not None and self._faults.mute_after in {job.done for job in self.jobs}:
                self._voice.clear()
            return answer

    def _answer(self, request: HttpRequest) -> HttpAnswer:
        if self._faults.localhost and request.headers.get("host", "").partition(":")[0] != "localhost":
            return _plain(403)
        self._end_idle_jobs()
        place = request.path.removeprefix(BASE).strip("/").split("/") if request.path.startswith(BASE + "/") else []
        match request.method, place:
            case "GET", ["ScannerCapabilities"]:
                answer = _xml(self._capabilities())
            case "GET", ["ScannerStatus"]:
                answer = _xml(self._faults.status_body or self._status())
            case "POST", ["ScanJobs"]:
                answer = self._create(request)
            case "GET", ["ScanJobs", name, "NextDocument"]:
                answer = self._next(name)
            case "GET", ["ScanJobs", name, "ScanImageInfo"]:
                answer = self._image_info(name)
            case "DELETE", ["ScanJobs", name]:
                answer = self._delete(name)
            case _:
                answer = _plain(404)
        return answer

    def _create(self, request: HttpRequest) -> HttpAnswer:
        ticket = read_ticket(request.body)
        refused = self._refused(ticket)
        if ticket is None or refused:
            return _plain(refused)
        self._count += 1
        name = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.device}/{self._count}"))
        now = time.monotonic()
        self.jobs.append(Job(name=name, ticket=ticket, born=now, touched=now))
        path = f"{BASE}/ScanJobs/{name}"
        where = self._faults.location.format(host=f"http://{request.headers.get('host', '')}", path=path)
        return HttpAnswer(
            status=201,
            headers={"Location": where} if where else {},
            body=b"created",
            wrong_length=500 if self._faults.cut_created else None,
        )

    def _refused(self, ticket: Ticket | None) -> int:
        """HTTP status with which a new job is refused; 0 if it is not."""
        faults = self._faults
        if faults.state or faults.busy > 0 or any(job.active for job in self.jobs):
            faults.busy = max(0, faults.busy - 1)
            return 503
        if ticket is None or not self._can(ticket):
            return 400
        still = faults.jammed or faults.doubled or faults.cover_open or not (self.feeder or faults.late_empty)
        return 409 if ticket.source == "Feeder" and still else 0

    def _can(self, ticket: Ticket) -> bool:
        if ticket.source == "Platen":
            return self.has_platen and not ticket.duplex
        return self.has_duplex if ticket.duplex else self.has_feeder

    def _next(self, name: str) -> HttpAnswer:
        job = self._job(name)
        if job is None or not job.active:
            return _plain(404)
        job.touched = time.monotonic()
        if obstacle := self._obstacle(job):
            return _plain(obstacle)
        side = self._take(job)
        return self._finish(job) if side is None else self._deliver(job, side)

    def _obstacle(self, job: Job) -> int:
        """HTTP status that comes instead of a page; 0 if one may come."""
        faults, feeds = self._faults, job.ticket.source == "Feeder"
        if faults.broken:
            return 500
        if faults.not_ready > 0:
            faults.not_ready -= 1
            return 503
        if faults.still_between > 0:
            faults.still_between -= 1
            return 503
        if feeds and self._feeder_stands(job):
            job.state = JobState.ABORTED
            return 409
        if faults.false_404 and job.done:
            faults.false_404 = False
            return 404
        return 0

    def _feeder_stands(self, job: Job) -> bool:
        faults = self._faults
        if faults.jam_after == job.done:
            faults.jammed = True
        if faults.double_after == job.done:
            self._feed_two(job)
        if faults.stop_after == job.done:
            faults.doubled = True
        return faults.jammed or faults.doubled or faults.cover_open

    def _feed_two(self, job: Job) -> None:
        """Two sheets go through as one: the lower one is never seen."""
        faults = self._faults
        faults.double_after = None
        if faults.double_shown:
            del self.feeder[1:2]
            faults.stop_after = job.done + (2 if job.ticket.duplex else 1)
        else:
            del self.feeder[:2]
            faults.doubled = True

    def _take(self, job: Job) -> Side | None:
        """The next side that goes past the sensor."""
        if job.ticket.source == "Platen":
            return None if job.done else self.platen
        if job.backs:
            return job.backs.pop()
        if not self.feeder or (self._faults.one_sheet and job.done):
            return None
        sheet = self.feeder[0] if self._faults.endless and len(self.feeder) == 1 else self.feeder.pop(0)
        if not isinstance(sheet, tuple):
            sheet = (sheet, papers.Paper(content=papers.Content.BLANK))
        if job.ticket.duplex:
            job.backs.append(sheet[1])
        return sheet[0]

    def _finish(self, job: Job) -> HttpAnswer:
        if job.done == 0:
            job.state = JobState.ABORTED
            return _plain(409)
        if self._faults.fail_at_end:
            job.state = JobState.ABORTED
            return _plain(500)
        if not self._faults.keep_job:
            job.state = JobState.COMPLETED
        if self._faults.forget_finished:
            self.jobs.remove(job)
        return _plain(410 if self._faults.say_gone else 404)

    def _deliver(self, job: Job, side: Side) -> HttpAnswer:
        faults, ticket = self._faults, job.ticket
        job.state = JobState.PROCESSING
        job.done += 1
        faults.still_between = faults.between
        picture = side if isinstance(side, bytes) else self._picture(side, ticket)
        if faults.truncated:
            picture = picture[: len(picture) // 2]
        self.delivered.append(picture)
        cut_after = faults.cut_after
        if faults.cut_last and ticket.source == "Feeder" and not self.feeder:
            faults.cut_last, cut_after = False, len(picture) // 2
        if faults.cut_number == job.done:
            faults.cut_number, cut_after = None, len(picture) // 2
        return HttpAnswer(
            status=200,
            headers={"Content-Type": faults.content_type},
            body=picture,
            chunked=True,
            cut_after=cut_after,
            bytes_per_s=faults.bytes_per_s,
            without_end=faults.no_last_chunk,
        )

    def _picture(self, paper: papers.Paper, ticket: Ticket) -> bytes:
        mm = 25.4 / 300
        return papers.scan(
            paper, ticket.dpi, width_mm=ticket.width * mm, height_mm=ticket.height * mm, color=ticket.color == "RGB24"
        )

    def _image_info(self, name: str) -> HttpAnswer:
        if (job := self._job(name)) is None:
            return _plain(404)
        width, height = (round(v / 300 * job.ticket.dpi) for v in (job.ticket.width, job.ticket.height))
        inner = f"<scan:ActualWidth>{width}</scan:ActualWidth><scan:ActualHeight>{height}</scan:ActualHeight>"
        return _xml(document("ScanImageInfo", inner))

    def _delete(self, name: str) -> HttpAnswer:
        if (job := self._job(name)) is None:
            return _plain(404)
        if job.active:
            # A job that was only kept has been finished long ago; any other is given up.
            job.state = JobState.COMPLETED if self._over(job) else JobState.CANCELED
        return _plain(200)

    def _over(self, job: Job) -> bool:
        return job.done > 0 and not job.backs and (job.ticket.source == "Platen" or not self.feeder)

    def _job(self, name: str) -> Job | None:
        return next((job for job in self.jobs if job.name == name), None)

    def _end_idle_jobs(self) -> None:
        limit = time.monotonic() - self._faults.job_idle_s
        for job in self.jobs:
            if job.active and job.touched < limit:
                job.state = JobState.ABORTED

    # -- documents -----------------------------------------------------------------------------------------------------

    def _status(self) -> bytes:
        busy = any(job.active for job in self.jobs)
        jobs = "".join(_job_info(job) for job in self.jobs)
        adf = f"<scan:AdfState>{self._adf_state()}</scan:AdfState>" if self.has_feeder else ""
        state = self._faults.state or ("Processing" if busy else "Testing" if self._faults.not_ready else "Idle")
        return document(
            "ScannerStatus",
            f"<pwg:Version>2.63</pwg:Version><pwg:State>{state}</pwg:State>{adf}<scan:Jobs>{jobs}</scan:Jobs>",
        )

    def _adf_state(self) -> str:
        faults = self._faults
        if faults.cover_open:
            return "ScannerAdfDoorOpen"
        if faults.jammed:
            return "ScannerAdfJam"
        if faults.doubled:
            return "ScannerAdfMultipickDetected"
        if faults.still_between:
            return "ScannerAdfProcessing"
        held = faults.keep_job and any(job.active and self._over(job) for job in self.jobs)
        return "ScannerAdfLoaded" if self.feeder and not faults.lying_empty and not held else "ScannerAdfEmpty"

    def _capabilities(self) -> bytes:
        inner = (
            "<pwg:Version>2.63</pwg:Version><pwg:MakeAndModel>Hall Twin DS-40</pwg:MakeAndModel>"
            f"<pwg:SerialNumber>TWIN-{escape(self.device)}</pwg:SerialNumber>"
            f"<scan:UUID>{uuid.uuid5(uuid.NAMESPACE_URL, self.device)}</scan:UUID>"
        )
        if self.has_platen:
            inner += f"<scan:Platen>{input_caps('PlatenInputCaps')}</scan:Platen>"
        if self.has_feeder:
            capacity = 1 if self._faults.one_sheet else 50
            options = "<scan:AdfOption>DetectPaperLoaded</scan:AdfOption>"
            inner += f"<scan:Adf>{input_caps('AdfSimplexInputCaps')}"
            if self.has_duplex:
                inner += input_caps("AdfDuplexInputCaps")
                options += "<scan:AdfOption>Duplex</scan:AdfOption>"
            inner += f"<scan:FeederCapacity>{capacity}</scan:FeederCapacity>"
            inner += f"<scan:AdfOptions>{options}</scan:AdfOptions></scan:Adf>"
        return document("ScannerCapabilities", inner)


def _job_info(job: Job) -> str:
    return (
        f"<scan:JobInfo><pwg:JobUri>{BASE}/ScanJobs/{job.name}</pwg:JobUri><pwg:JobUuid>{job.name}</pwg:JobUuid>"
        f"<scan:Age>{int(time.monotonic() - job.born)}</scan:Age>"
        f"<pwg:ImagesCompleted>{job.done}</pwg:ImagesCompleted><pwg:JobState>{job.state}</pwg:JobState>"
        f"<pwg:JobStateReasons><pwg:JobStateReason>{_REASONS[job.state]}</pwg:JobStateReason></pwg:JobStateReasons>"
        "</scan:JobInfo>"
    )


def _xml(body: bytes) -> HttpAnswer:
    return HttpAnswer(status=200, headers={"Content-Type": "text/xml"}, body=body)


def _plain(status: int) -> HttpAnswer:
    return HttpAnswer(status=status, headers={})


TWIN = EsclTwin
