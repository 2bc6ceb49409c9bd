"""Document scanner on the network, eSCL (AirScan) over HTTP.

Source: protocols/scanners.md, section 1 (A: requests 1.2, XML 1.3) and section 4 (errors).

    GET    ScannerCapabilities       200 xml    who it is, what it can do
    GET    ScannerStatus             200 xml    State, AdfState
    POST   ScanJobs  ScanSettings    201        Location of the job: only its path counts, the host may be wrong
    GET    {job}/NextDocument        200 page   404 or 410 no more, 409 stopped, 503 not yet, 500 fault
    DELETE {job}                     200        always at the end; 404 is as good

One HTTP status means several things, so a second source decides: after 503, 404 or 409 the driver reads ScannerStatus,
and a clear AdfState (jam, door open) wins. "Empty" after 503 is not believed, "Processing" means busy. A first 404
after a page may be false (Brother) and is asked again after a pause. Elements are matched by their local names; a
document type is refused. Of bodies the trace learns the length only, so no page reaches it.

An error after at least one page, while the feeder is empty, is the end of the paper under another name: the feed ends
with Refused(FEEDER_EMPTY) and the pages have to be counted. A job whose DELETE got no answer is deleted before the next
question that this driver asks.

HTTPS: the certificate has to be one that this machine trusts, or the very one whose SHA-256 stands in the option
`certificate_sha256`; devices make their own and change it when they are reset. TLS 1.2 or newer.

Limits: JPEG pages only; one job at a time. Guesses (G): the AdfState values for misfeeds are not in the source (mispick
is taken for a jam); whether the picture of a double sheet still arrives is not either, so the sheet before the error is
suspect too; and a request refused with 400 or 403 is tried once with `Host: localhost`, which some HP devices want (the
source does not say which status they refuse with).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import ClassVar, TypeVar
from urllib.parse import urljoin, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from drivers.base import (
    BadReply,
    ColorMode,
    Condition,
    DeviceError,
    DeviceOptions,
    Identity,
    NoReply,
    Page,
    PageScanner,
    PageSource,
    Refused,
    ScanProfile,
)
from drivers.escl_words import explain  # noqa: F401 - the live trace asks the driver's module for it
from drivers.transport_web import WebDevice, WebReply

T = TypeVar("T")

PAGE_LIMIT_S = 26.0
"""For one page with everything before it; with the DELETE that may follow, still within 30 s."""
PAGE_SILENCE_S = 20.0
QUESTION_S = 3.5
DELETE_S = 3.5
NOT_YET_PAUSE_S = 1.0
NOT_YET_RETRIES = 30
BUSY_RETRIES = 10
SECOND_LOOK_PAUSE_S = 1.0

LARGEST_XML = 256 * 1024
JPEG_BEGIN, JPEG_END = b"\xff\xd8", b"\xff\xd9"
UNITS_PER_INCH = 300

_ADF_STATES = {
    "ScannerAdfEmpty": Condition.FEEDER_EMPTY,
    "ScannerAdfJam": Condition.FEEDER_JAM,
    "ScannerAdfMispick": Condition.FEEDER_JAM,
    "ScannerAdfMultipickDetected": Condition.DOUBLE_FEED,
    "ScannerAdfDoorOpen": Condition.COVER_OPEN,
    "ScannerAdfHatchOpen": Condition.COVER_OPEN,
    "ScannerAdfProcessing": Condition.BUSY,
}
_STATES = {
    "Processing": Condition.BUSY,
    "Testing": Condition.WARMING_UP,
    "Stopped": Condition.DEVICE_FAULT,
    "Down": Condition.DEVICE_FAULT,
}
_CLEAR = (Condition.DOUBLE_FEED, Condition.FEEDER_JAM, Condition.COVER_OPEN)
_SAYS = {
    Condition.FEEDER_EMPTY: "the feeder is empty",
    Condition.FEEDER_JAM: "paper is jammed in the feeder",
    Condition.DOUBLE_FEED: "two sheets went through as one",
    Condition.COVER_OPEN: "the cover is open",
    Condition.BUSY: "it is busy",
    Condition.DEVICE_FAULT: "it reports a fault",
    Condition.PROFILE_UNSUITABLE: "it does not accept these settings",
}


@dataclass(frozen=True, kw_only=True)
class EsclOptions(DeviceOptions):
    """Keys of an eSCL scanner's table."""

    most_pages: int = 200
    """End of a feed that does not end by itself."""
    certificate_sha256: str = ""
    """Fingerprint of the scanner's own certificate, 64 hex digits, colons allowed; empty: one this machine trusts."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"([0-9a-f]{64})?", self.fingerprint):
            raise ValueError("certificate_sha256: legal are 64 hex digits, with or without colons")
        if not 1 <= self.most_pages <= 1000:
            raise ValueError(f"most_pages = {self.most_pages}: legal is 1 to 1000")

    @property
    def fingerprint(self) -> str:
        """The fingerprint without colons, in small letters."""
        return self.certificate_sha256.replace(":", "").lower()


@dataclass(frozen=True, kw_only=True)
class InputCaps:
    """What one source can do; lengths in 1/300 inch, 0 where the scanner does not say."""

    max_width: int = 0
    max_height: int = 0
    colors: frozenset[str] = frozenset()
    resolutions: tuple[int, ...] = ()
    range_dpi: tuple[int, int] | None = None
    """Lowest and highest, where any resolution between will do."""
    format_ext: bool = False
    """Whether the profile lists DocumentFormatExt; only then is it sent."""


@dataclass(frozen=True, kw_only=True)
class Capabilities:
    """What a scanner says about itself; a source it lacks is None."""

    identity: Identity
    version: str
    platen: InputCaps | None
    feeder: InputCaps | None
    duplex: InputCaps | None
    sheets_per_job: int = 0


@dataclass(frozen=True, kw_only=True)
class Status:
    """A ScannerStatus, as far as it is understood."""

    conditions: frozenset[Condition]
    loaded: bool

    @property
    def clear(self) -> Condition | None:
        """What surely stops the feeder."""
        return next((c for c in _CLEAR if c in self.conditions), None)


def read_xml(body: bytes) -> ElementTree.Element:
    """The document's root. Raises BadReply for what is too large, not UTF-8, not XML, or has a document type."""
    if len(body) > LARGEST_XML:
        raise BadReply(f"XML of {len(body)} bytes, at most {LARGEST_XML} are read")
    try:
        text = body.decode("utf-8-sig")
        if "<!DOCTYPE" in text:
            raise BadReply("XML with a document type, which no scanner needs")
        return ElementTree.fromstring(text)  # noqa: S314 - entities need a document type
    except (UnicodeDecodeError, ElementTree.ParseError, ValueError) as exc:
        raise BadReply(f"not XML ({exc}): {body[:24].hex(' ')}") from exc


def decode_capabilities(body: bytes) -> Capabilities:
    """Raises BadReply."""
    root = _root(body, "ScannerCapabilities")
    make_and_model = _text(root, "MakeAndModel")
    caps = Capabilities(
        identity=Identity(model=make_and_model, serial=_text(root, "SerialNumber")),
        version=_text(root, "Version"),
        platen=_input_caps(root, "PlatenInputCaps"),
        feeder=_input_caps(root, "AdfSimplexInputCaps"),
        duplex=_input_caps(root, "AdfDuplexInputCaps"),
        sheets_per_job=_number(root, "FeederCapacity"),
    )
    if caps.platen is None and caps.feeder is None and caps.duplex is None:
        raise BadReply("ScannerCapabilities without platen and without feeder")
    return caps


def decode_status(body: bytes) -> Status:
    """Raises BadReply."""
    root = _root(body, "ScannerStatus")
    state, adf = _text(root, "State"), _text(root, "AdfState")
    found = {c for c in (_STATES.get(state), _ADF_STATES.get(adf)) if c is not None}
    if found & set(_CLEAR):
        found.discard(Condition.DEVICE_FAULT)  # "Stopped" only repeats that the feeder stands still
    return Status(conditions=frozenset(found), loaded=adf == "ScannerAdfLoaded")


def encode_settings(profile: ScanProfile, caps: InputCaps, dpi: int, version: str = "2.0") -> bytes:
    """The ScanSettings document that asks for pages as the profile says, as far as the source can."""
    feeder = profile.source is PageSource.FEEDER
    source = "Feeder" if feeder else "Platen"
    duplex = f"\n  <scan:Duplex>{'true' if profile.duplex else 'false'}</scan:Duplex>" if feeder else ""
    ext = "\n  <scan:DocumentFormatExt>image/jpeg</scan:DocumentFormatExt>" if caps.format_ext else ""
    text = f"""<?xml version="1.0" encoding="UTF-8"?>
<scan:ScanSettings xmlns:pwg="http://www.pwg.org/schemas/2010/12/sm"
                   xmlns:scan="http://schemas.hp.com/imaging/escl/2011/05/03">
  <pwg:Version>{escape(version)}</pwg:Version>
  <scan:Intent>Document</scan:Intent>
  <pwg:ScanRegions><pwg:ScanRegion>
    <pwg:ContentRegionUnits>escl:ThreeHundredthsOfInches</pwg:ContentRegionUnits>
    <pwg:XOffset>0</pwg:XOffset><pwg:YOffset>0</pwg:YOffset>
    <pwg:Width>{_units(profile.width_mm, caps.max_width)}</pwg:Width>\
<pwg:Height>{_units(profile.height_mm, caps.max_height)}</pwg:Height>
  </pwg:ScanRegion></pwg:ScanRegions>
  <pwg:InputSource>{source}</pwg:InputSource>{duplex}
  <scan:ColorMode>{_color(profile.color, caps.colors)}</scan:ColorMode>
  <pwg:DocumentFormat>image/jpeg</pwg:DocumentFormat>{ext}
  <scan:XResolution>{dpi}</scan:XResolution><scan:YResolution>{dpi}</scan:YResolution>
</scan:ScanSettings>
"""
    return text.encode()


def choose_dpi(wanted: int, caps: InputCaps) -> int:
    """The lowest resolution on offer that is not below the wanted one, else the highest; as wanted if none is."""
    if caps.resolutions:
        return min((r for r in caps.resolutions if r >= wanted), default=max(caps.resolutions))
    if caps.range_dpi is not None:
        return min(max(wanted, caps.range_dpi[0]), caps.range_dpi[1])
    return wanted


def job_path(request_url: str, location: str) -> str:
    """Path of a new job below the scanner's own address, whatever host Location names. Raises BadReply."""
    try:
        path = urlsplit(urljoin(request_url, location.strip())).path.rstrip("/")
    except ValueError:
        path = ""
    if not location.strip() or len(path) > 512 or not re.fullmatch(r"/[!-~]+", path):
        raise BadReply(f"201 with no usable Location: {location[:80]!r}")
    return path


def check_page(reply: WebReply) -> bytes:
    """The JPEG in a reply. Raises BadReply for another type, and for a picture that is cut short."""
    media = reply.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "image/jpeg":
        raise BadReply(f"a page of type '{media[:40]}' instead of image/jpeg")
    if not reply.body.startswith(JPEG_BEGIN):
        raise BadReply(f"a page that is no JPEG, it begins with: {reply.body[:8].hex(' ')}")
    # Inside a picture's data the end mark cannot occur; some devices pad behind it.
    if JPEG_END not in reply.body[-64:]:
        raise BadReply(f"a JPEG cut short after {len(reply.body)} bytes")
    return reply.body


class EsclScanner(PageScanner[WebDevice, EsclOptions]):
    """An eSCL scanner."""

    Options = EsclOptions
    Transport = WebDevice
    job_limit_s: ClassVar[float] = 600.0
    """A feeder full of paper takes minutes; each page still has its own limit."""

    def __init__(self, device: str, link: WebDevice, options: EsclOptions) -> None:
        super().__init__(device, link, options)
        self._capabilities: Capabilities | None = None
        self._host: dict[str, str] = {}
        self._undeleted: set[str] = set()
        if options.fingerprint:
            link.trust_only(options.fingerprint)

    def hello(self) -> Identity:
        """Ask for the capabilities. Raises Refused(BUSY), as some devices are while they scan for others."""
        reply = self.ask("GET", "ScannerCapabilities", limit_s=self._delete_leftovers())
        if reply.status == 503:
            raise self.refusal(Condition.BUSY, "asked for its capabilities")
        self._capabilities = self._decoded(reply, decode_capabilities, "capabilities")
        return self._capabilities.identity

    def conditions(self) -> frozenset[Condition]:
        """Ask for the status."""
        return self.status(self._delete_leftovers()).conditions

    def status(self, limit_s: float = QUESTION_S) -> Status:
        """Ask for the status; a scanner too busy to tell it is busy."""
        reply = self.ask("GET", "ScannerStatus", limit_s=limit_s)
        if reply.status == 503:
            return Status(conditions=frozenset({Condition.BUSY}), loaded=False)
        return self._decoded(reply, decode_status, "status")

    def scan(self, profile: ScanProfile) -> Iterator[Page]:
        """Yield pages as they come. Closing the iterator gives the job up and lets the scanner go."""
        self._delete_leftovers()
        caps = self._capabilities
        if caps is None:
            self.hello()
            caps = self._capabilities
        assert caps is not None
        source = self._source(profile, caps)
        dpi = choose_dpi(profile.dpi, source)
        settings = encode_settings(profile, source, dpi, caps.version)
        ends_at, number, more = time.monotonic() + self.job_limit_s, 0, True
        while more:
            sides = 2 if profile.duplex else 1
            feed = _Feed(self, settings, profile.source is PageSource.FEEDER, number, sides)
            with closing(feed.pages()) as pages:
                for data in pages:
                    number += 1
                    yield Page(data=data, media="image/jpeg", number=number, dpi=dpi)
                    if number > self.options.most_pages or time.monotonic() > ends_at:
                        raise BadReply(f"{self.device}: stopped a feed that does not end, after {number} pages")
            # A few devices end their job after each sheet and say so by a capacity of one.
            more = caps.sheets_per_job == 1 and feed.sheets_left

    def delete(self, job: str, limit_s: float) -> None:
        """Let a job go; one whose scanner does not answer is remembered."""
        try:
            self.ask("DELETE", urljoin(self.link.port, job), limit_s=limit_s)
            self._undeleted.discard(job)
        except DeviceError:
            # The pages are good, or a better error is on its way; a scanner that is gone shows at the next question.
            self._undeleted.add(job)

    def _delete_leftovers(self) -> float:
        """Delete a job that is left, if there is one; how many seconds that leaves for a question."""
        began = time.monotonic()
        if self._undeleted:
            self.delete(next(iter(self._undeleted)), QUESTION_S / 2)
        return QUESTION_S - (time.monotonic() - began)

    def _source(self, profile: ScanProfile, caps: Capabilities) -> InputCaps:
        if profile.source is PageSource.PLATEN:
            source, name = caps.platen, "glass plate"
        elif profile.duplex:
            source, name = caps.duplex, "feeder for both sides"
        else:
            source, name = caps.feeder, "feeder"
        if source is None:
            raise self.refusal(Condition.PROFILE_UNSUITABLE, f"asked to scan, but it has no {name}")
        return source

    def ask(
        self, method: str, url: str, *, body: bytes = b"", limit_s: float, silence_s: float | None = None
    ) -> WebReply:
        """One request; where it is refused, once more as `localhost`, and so from then on if that helped."""
        deadline = time.monotonic() + limit_s
        reply = self._send(method, url, body, self._host, limit_s, silence_s)
        left_s = deadline - time.monotonic()
        if reply.status in {400, 403} and not self._host and left_s > 0.1:
            local = {"host": "localhost"}
            second = self._send(method, url, body, local, left_s, silence_s)
            if second.status < 400:
                self._host, reply = local, second
        return reply

    def _send(
        self, method: str, url: str, body: bytes, host: dict[str, str], limit_s: float, silence_s: float | None
    ) -> WebReply:
        try:
            return self.link.request(
                method,
                url,
                body=body,
                headers=host | ({"content-type": "text/xml"} if body else {}),
                limit_s=limit_s,
                silence_s=silence_s,
                # Some HP devices hang up before the end of a 201, others leave out the last chunk of a page, which
                # is judged by its own end mark.
                body_matters=method == "GET" and not url.endswith("/NextDocument"),
            )
        except (BadReply, NoReply) as exc:
            raise type(exc)(f"{self.device}: {exc}") from exc

    def _decoded(self, reply: WebReply, decode: Callable[[bytes], T], what: str) -> T:
        if reply.status != 200:
            raise BadReply(f"{self.device}: asked for {what}, answer {reply.status} on {self.link.port}")
        try:
            return decode(reply.body)
        except BadReply as exc:
            raise BadReply(f"{self.device}: asked for {what}, got {exc}, on {self.link.port}") from exc

    def refusal(self, condition: Condition, deed: str, suspect: int = 0) -> Refused:
        """The error for a job that the scanner declines, or stopped."""
        sentence = f"{self.device}: {deed}: {_SAYS.get(condition, condition)} ({self.link.port})"
        return Refused(condition, sentence, suspect=suspect)


class _Feed:
    """One job on the scanner, from POST to DELETE."""

    def __init__(self, scanner: EsclScanner, settings: bytes, feeder: bool, pages_before: int, sides: int) -> None:
        self.scanner = scanner
        self.settings = settings
        self.feeder = feeder
        self.sides = sides
        self.count = pages_before
        self.sheets_left = False
        """After the last page: whether the feeder says that it still holds paper."""
        self._deadline = 0.0
        self._page_s = 0.0

    def pages(self) -> Generator[bytes]:
        """Yield pictures until there is no more paper."""
        self._deadline = time.monotonic() + PAGE_LIMIT_S
        job = self._start()
        if job is None:
            return
        try:
            while (data := self._next(job)) is not None:
                self.count += 1
                yield data
                if not self.feeder:
                    return
                self._deadline = time.monotonic() + PAGE_LIMIT_S
        finally:
            # Some devices keep a job, and with it themselves, until it is deleted.
            self.scanner.delete(job, DELETE_S)

    def _start(self) -> str | None:
        """Path of the new job; None where the sheet before was the last."""
        for _ in range(BUSY_RETRIES + 1):
            reply = self._ask("POST", "ScanJobs", body=self.settings)
            if reply.status == 201:
                try:
                    path = job_path(f"{self.scanner.link.port}/ScanJobs", reply.headers.get("location", ""))
                except BadReply as exc:
                    raise BadReply(f"{self.scanner.device}: asked for a scan, got {exc}") from exc
                return path
            if not self._ask_again(reply.status, "asked for a scan"):
                return None
        raise self.scanner.refusal(Condition.BUSY, f"asked for a scan {BUSY_RETRIES + 1} times")

    def _next(self, job: str) -> bytes | None:
        """The next picture, or None when there is no more paper."""
        deed = f"asked for page {self.count + 1}"
        doubted = False
        for _ in range(NOT_YET_RETRIES + 1):
            began = time.monotonic()
            reply = self._ask("GET", f"{job}/NextDocument")
            if reply.status == 200:
                self._page_s = time.monotonic() - began
                return self._checked(reply)
            if reply.status in {404, 410} and self._page_s and not doubted:
                doubted = True
                self.scanner.link.pause(min(SECOND_LOOK_PAUSE_S, self._page_s / 2))
                continue
            if not self._ask_again(reply.status, deed):
                return None
        raise self.scanner.refusal(Condition.BUSY, f"{deed} {NOT_YET_RETRIES + 1} times")

    def _ask_again(self, http: int, deed: str) -> bool:
        """Judge an answer that is no page: True after a pause that it asked for, False at the end of the paper.

        Raises Refused with what stopped the feed, or BadReply.
        """
        if http not in {404, 409, 410, 503}:
            if http == 500:
                raise self._fault(f"{deed}, answer 500")
            if http == 400:
                raise self.scanner.refusal(Condition.PROFILE_UNSUITABLE, f"{deed}, answer 400")
            raise BadReply(f"{self.scanner.device}: {deed}, answer {http} on {self.scanner.link.port}")
        status = self._second_opinion()
        if status.clear is not None and (self.feeder or http == 409):
            raise self.scanner.refusal(status.clear, deed, self._suspect(status.clear))
        if http == 503:
            self._wait(deed)
            return True
        self.sheets_left = status.loaded
        empty = Condition.FEEDER_EMPTY in status.conditions
        if self.count and (http != 409 or empty):
            return False
        if self.feeder and (empty or (http == 409 and not status.loaded)):
            raise self.scanner.refusal(Condition.FEEDER_EMPTY, deed)
        if http == 409:
            raise self.scanner.refusal(Condition.DEVICE_FAULT, f"{deed}, answer 409")
        raise BadReply(f"{self.scanner.device}: {deed}, answer {http}: no such job ({self.scanner.link.port})")

    def _fault(self, deed: str) -> Refused:
        """What a fault is: the end of the paper where pages came and none is left, else a fault."""
        ended = self.feeder and self.count and Condition.FEEDER_EMPTY in self._second_opinion().conditions
        return self.scanner.refusal(Condition.FEEDER_EMPTY if ended else Condition.DEVICE_FAULT, deed)

    def _suspect(self, condition: Condition) -> int:
        """First page of the sheet before, which may be the picture of two."""
        if condition is not Condition.DOUBLE_FEED or not self.count:
            return 0
        return self.count - (self.count - 1) % self.sides

    def _second_opinion(self) -> Status:
        """The scanner's status; where it cannot be had, the first answer decides alone."""
        try:
            return self.scanner.status(min(QUESTION_S, self._left_s()))
        except (BadReply, NoReply):
            return Status(conditions=frozenset(), loaded=False)

    def _wait(self, deed: str) -> None:
        if self._left_s() <= NOT_YET_PAUSE_S:
            raise self.scanner.refusal(Condition.BUSY, f"{deed} for {PAGE_LIMIT_S} s")
        self.scanner.link.pause(NOT_YET_PAUSE_S)

    def _ask(self, method: str, url: str, *, body: bytes = b"") -> WebReply:
        address = urljoin(self.scanner.link.port, url) if url.startswith("/") else url
        return self.scanner.ask(method, address, body=body, limit_s=self._left_s(), silence_s=PAGE_SILENCE_S)

    def _left_s(self) -> float:
        return max(0.1, self._deadline - time.monotonic())

    def _checked(self, reply: WebReply) -> bytes:
        try:
            return check_page(reply)
        except BadReply as exc:
            where = f"{self.scanner.device}: asked for page {self.count + 1} by NextDocument"
            raise BadReply(f"{where}, got {exc}, on {self.scanner.link.port}") from exc


def _root(body: bytes, name: str) -> ElementTree.Element:
    root = read_xml(body)
    if _local(root) != name:
        raise BadReply(f"a document '{_local(root)[:40]}' instead of {name}")
    return root


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _all(parent: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [e for e in parent.iter() if _local(e) == name]


def _text(parent: ElementTree.Element, name: str) -> str:
    """Text of the first element of that name, as one short line."""
    return next((" ".join((e.text or "").split())[:80] for e in _all(parent, name)), "")


def _number(parent: ElementTree.Element, name: str) -> int:
    text = _text(parent, name)
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) else 0


def _input_caps(root: ElementTree.Element, name: str) -> InputCaps | None:
    found = _all(root, name)
    if not found:
        return None
    caps = found[0]
    # Some devices list the setting profiles once for all sources and only refer to them here.
    profiles = caps if _all(caps, "ColorMode") else root
    pairs = ((_number(r, "XResolution"), _number(r, "YResolution")) for r in _all(profiles, "DiscreteResolution"))
    ranges = [(_number(r, "Min"), _number(r, "Max")) for r in _all(profiles, "ResolutionRange")]
    return InputCaps(
        max_width=_number(caps, "MaxWidth"),
        max_height=_number(caps, "MaxHeight"),
        colors=frozenset((e.text or "").strip() for e in _all(profiles, "ColorMode")),
        resolutions=tuple(sorted({x for x, y in pairs if x == y and x > 0})),
        range_dpi=next(((low, high) for low, high in ranges if 0 < low <= high), None),
        format_ext=bool(_all(profiles, "DocumentFormatExt")),
    )


def _units(length_mm: float, most: int) -> int:
    units = round(length_mm / 25.4 * UNITS_PER_INCH)
    return min(units, most) if most else units


def _color(wanted: ColorMode, offered: frozenset[str]) -> str:
    """The wanted mode, or the other one where the scanner has only that."""
    first, second = ("RGB24", "Grayscale8") if wanted is ColorMode.COLOR else ("Grayscale8", "RGB24")
    return second if first not in offered and second in offered else first


DRIVER = EsclScanner
