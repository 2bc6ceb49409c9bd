"""Document scanner of any make that the machine's SANE drives (USB scanners, mostly).

Source: protocols/scanners.md, section 2 (option names, statuses, `test` backend) and section 4 (errors); the list of
settings as `scanimage` 1.1.1 prints it.

    scanimage -d NAME -A                        what can be set: `--resolution 75|100|150dpi [100]`, one an option
    scanimage -d NAME --source ... --batch ...  one page a line of input, see drivers/transport_sane.py

    exit code   3 busy   6 jammed   7 no documents   8 cover open   9 I/O error   2 cancelled   4 invalid setting

What a scanner calls its sources and modes differs from backend to backend. The driver looks for the words below (G); a
technician can name them by the options `platen`, `feeder`, `duplex`, and set anything else by `settings`. Numbers out
of range are clamped silently by SANE, so the resolution is read back from the page. An I/O error after at least one
page of a feeder is how some backends tell its end: the driver asks for one page more, and where that says "no
documents" the feed ends with Refused(FEEDER_EMPTY), so that somebody counts. Where a page comes, the sheet before it
was lost: the feed ends with Refused(DEVICE_FAULT), and both sheets have to go in again, in their order. A helper that
shows no sign of life for 20 s is killed.

Limits: a backend that needs more than 3.5 s to open its device is taken for mute. While idle the device is opened every
`look_every_s` seconds only, because opening wakes lamps and locks others out; so a pulled cable shows that late. A jam,
an open cover and an empty feeder are known when a page is asked for, not before, except an empty feeder where the
backend offers the sensor `page-loaded`. Double feeds: SANE has no status for them; backends report a jam.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from drivers.base import (
    BadReply,
    ColorMode,
    Condition,
    DeviceError,
    DeviceOptions,
    Identity,
    LinkError,
    NoReply,
    Page,
    PageScanner,
    PageSource,
    Refused,
    ScanProfile,
)
from drivers.transport_sane import SaneAnswer, SaneDevice, SaneFeed
from drivers.wire_words import Words, two_languages

QUESTION_S = 3.5
NAME_S = 1.5
"""For the list of all devices, which may look for scanners in the whole network; without it no maker is known."""
PAGE_LIMIT_S = 26.0
PAGE_SILENCE_S = 20.0

PNG_BEGIN, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND\xae\x42\x60\x82"

_WORDS: Mapping[str, tuple[str, ...]] = {
    "platen": ("flatbed", "platen", "normal", "document table"),
    "feeder": ("adf", "feeder", "automatic"),
    "color": ("color", "colour"),
    "gray": ("gray", "grey"),
}
"""Parts of the names by which backends call sources and modes (G)."""

_CONDITIONS = {
    2: Condition.DEVICE_FAULT,
    3: Condition.BUSY,
    4: Condition.PROFILE_UNSUITABLE,
    6: Condition.FEEDER_JAM,
    7: Condition.FEEDER_EMPTY,
    8: Condition.COVER_OPEN,
    10: Condition.DEVICE_FAULT,
}
IO_ERROR, NO_DOCUMENTS = 9, 7
_LINE_ENDS = (9, 11)
"""Codes after which the device has to be opened anew: I/O error, access denied."""
_OPTION = re.compile(r"^ {4}(?:--([a-z0-9-]+)|-([a-z]))(\[?=?\(?[^\[\n]*?\)?\]?) \[([^\]\n]*)\](.*)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class SaneOptions(DeviceOptions):
    """Keys of a SANE scanner's table."""

    most_pages: int = 200
    """End of a feed that does not end by itself."""
    look_every_s: float = 15.0
    """How often the idle device is opened to see whether it is there, seconds."""
    platen: str = ""
    """What the backend calls its glass plate; empty: found out."""
    feeder: str = ""
    """What it calls its feeder for one side."""
    duplex: str = ""
    """What it calls its feeder for both sides."""
    settings: tuple[str, ...] = ()
    """Anything else to set for each feed, as `name=value`."""

    def __post_init__(self) -> None:
        if not 1 <= self.most_pages <= 1000:
            raise ValueError(f"most_pages = {self.most_pages}: legal is 1 to 1000")
        if not 0 <= self.look_every_s <= 600:
            raise ValueError(f"look_every_s = {self.look_every_s}: legal is 0 to 600")
        for setting in self.settings:
            if not re.fullmatch(r"[a-z0-9][a-z0-9-]*=.+", setting):
                raise ValueError(f"settings: '{setting}' should look like name=value")


@dataclass(frozen=True, kw_only=True)
class SaneOption:
    """One setting that a device offers."""

    values: tuple[str, ...] = ()
    """Legal values where they are listed."""
    range: tuple[float, float] | None = None
    now: str = ""
    settable: bool = True


_RANGE = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?)\.\.(-?[0-9]+(?:\.[0-9]+)?)")


def decode_options(listing: str) -> dict[str, SaneOption]:
    """Settings by name from what `scanimage -A` prints. Raises BadReply where there is none."""
    found = {m[1] or m[2]: _option(m[3], m[4], m[5]) for m in _OPTION.finditer(listing)}
    if "All options specific to device" not in listing or not found:
        raise BadReply(f"no list of settings: {listing[:80]!r}")
    return found


def _option(values: str, now: str, marks: str) -> SaneOption:
    legal = values.strip().removeprefix("[=(").removesuffix(")]")
    settable = "inactive" not in now and "read-only" not in marks and "hardware" not in marks
    span = _RANGE.match(legal)
    if span:
        return SaneOption(range=(float(span[1]), float(span[2])), now=now, settable=settable)
    return SaneOption(values=tuple(v.strip() for v in legal.split("|")), now=now, settable=settable)


def encode_settings(profile: ScanProfile, offered: Mapping[str, SaneOption], options: SaneOptions) -> list[str]:
    """Arguments of `scanimage` that ask for pages as the profile says, as far as the device can.

    Raises ValueError with what is missing.
    """
    wanted = {"source": _source(profile, offered, options)} | _sides(profile, offered)
    if "mode" in offered:
        wanted["mode"] = _mode(profile.color, offered["mode"])
    if "resolution" in offered:
        wanted["resolution"] = f"{choose_dpi(profile.dpi, offered['resolution'])}"
    if "8" in offered.get("depth", SaneOption()).values and offered["depth"].settable:
        wanted["depth"] = "8"
    arguments = [f"--{name}={value}" for name, value in wanted.items() if value]
    for name, length in (("l", 0.0), ("t", 0.0), ("x", profile.width_mm), ("y", profile.height_mm)):
        span = offered[name].range if name in offered and offered[name].settable else None
        if span is not None:
            arguments += [f"-{name}", f"{min(max(length, span[0]), span[1]):g}"]
    return arguments + [f"--{setting}" for setting in options.settings]


def choose_dpi(wanted: int, offered: SaneOption) -> int:
    """The lowest resolution on offer that is not below the wanted one, else the highest."""
    if offered.range is not None:
        return round(min(max(wanted, offered.range[0]), offered.range[1]))
    listed = [int(n) for v in offered.values if (n := re.sub(r"(\.0+)?(dpi)?$", "", v)).isdigit()]
    return min((r for r in listed if r >= wanted), default=max(listed, default=wanted))


def _source(profile: ScanProfile, offered: Mapping[str, SaneOption], options: SaneOptions) -> str:
    """Name of the source, "" where the device has only one. Raises ValueError."""
    feeder = profile.source is PageSource.FEEDER
    names = offered["source"].values if "source" in offered else ()
    if not feeder:
        named, fitting = options.platen, [n for n in names if _has(n, "platen")]
    elif profile.duplex:
        named = options.duplex
        fitting = [n for n in names if "duplex" in n.lower()]
        fitting = fitting or ([n for n in names if _has(n, "feeder")] if _duplex_switch(offered) else [])
    else:
        named = options.feeder
        fitting = [n for n in names if _has(n, "feeder") and not re.search("duplex|back", n.lower())]
    if named or fitting:
        return named or fitting[0]
    if names or (profile.duplex and not _duplex_switch(offered)):
        kind = "feeder for both sides" if profile.duplex else "feeder" if feeder else "glass plate"
        raise ValueError(f"it has no {kind} among its sources: {', '.join(names) or 'it names none'}")
    return ""


def _duplex_switch(offered: Mapping[str, SaneOption]) -> str:
    """The setting with which some backends switch to both sides (G)."""
    adf_mode = offered.get("adf-mode", SaneOption())
    if any(v.lower() == "duplex" for v in adf_mode.values):
        return "adf-mode"
    return "duplex" if "duplex" in offered else ""


def _sides(profile: ScanProfile, offered: Mapping[str, SaneOption]) -> dict[str, str]:
    switch = _duplex_switch(offered)
    if not switch or profile.source is PageSource.PLATEN:
        return {}
    words = ("Simplex", "Duplex") if switch == "adf-mode" else ("no", "yes")
    return {switch: words[profile.duplex]}


def _mode(wanted: ColorMode, offered: SaneOption) -> str:
    """The wanted mode, else the other one; "" leaves what is set."""
    first, second = ("color", "gray") if wanted is ColorMode.COLOR else ("gray", "color")
    return next((v for kind in (first, second) for v in offered.values if _has(v, kind)), "")


def _has(name: str, kind: str) -> bool:
    return any(word in name.lower() for word in _WORDS[kind])


def check_page(data: bytes) -> int:
    """Resolution that a page says it has, dots per inch, 0 if none. Raises BadReply for what is no whole PNG."""
    if not data.startswith(PNG_BEGIN):
        raise BadReply(f"a page that is no PNG, it begins with: {data[:8].hex(' ')}")
    if not data.endswith(PNG_END):
        raise BadReply(f"a PNG cut short after {len(data)} bytes")
    at = data.find(b"pHYs", 0, 4096)
    if at < 0 or len(data) < at + 13 or data[at + 12] != 1:
        return 0
    return round(int.from_bytes(data[at + 4 : at + 8], "big") * 0.0254)


_CODE_WORDS = {
    0: ("正常结束", "ended well"),
    1: ("打不开", "would not open"),
    2: ("已取消", "cancelled"),
    3: ("被占用", "busy"),
    4: ("设置无效", "invalid setting"),
    6: ("卡纸", "jammed"),
    NO_DOCUMENTS: ("没有纸", "no documents"),
    8: ("上盖打开", "cover open"),
    IO_ERROR: ("读写错误", "I/O error"),
    10: ("内存不足", "no memory"),
    11: ("没有权限", "access denied"),
}
_HELPER_SAYS = re.compile(r"page (\d{1,6}): (\d{1,12}) bytes|exit (-?\d{1,4})")


def explain(direction: str, data: bytes) -> str:
    """Meaning for a technician, `Chinese | English`: what the helper is started for, its pages and how it ended."""
    told = data.decode("utf-8", "replace")
    if direction == "<":
        return two_languages(_said(number, size, code) for number, size, code in _HELPER_SAYS.findall(told))
    words = told.split()
    if not any(word.endswith("scanimage") for word in words):
        return ""
    if "--batch-prompt" in words:
        return "开始扫描 | scan"
    return "问能做什么 | ask what it can do" if "-A" in words else "列出扫描仪 | list the scanners"


def _said(number: str, size: str, code: str) -> Words:
    if number:
        return f"第 {number} 页 {size} 字节", f"page {number}, {size} bytes"
    if code.startswith("-"):
        return "扫描程序被结束", "the helper was killed"
    return _CODE_WORDS.get(int(code), (f"结束 {code}", f"ended with {code}"))


class SaneScanner(PageScanner[SaneDevice, SaneOptions]):
    """A scanner behind SANE."""

    Options = SaneOptions
    Transport = SaneDevice
    job_limit_s: ClassVar[float] = 600.0
    """A feeder full of paper takes minutes; each page still has its own limit."""

    def __init__(self, device: str, link: SaneDevice, options: SaneOptions) -> None:
        super().__init__(device, link, options)
        self._offered: dict[str, SaneOption] = {}
        self._looked_at = -1e9
        self._conditions: frozenset[Condition] = frozenset()

    def hello(self) -> Identity:
        """Open the device and ask what it can do. Raises Refused(BUSY) while somebody else has it."""
        began = time.monotonic()
        self._look(QUESTION_S)
        if Condition.BUSY in self._conditions:
            raise Refused(Condition.BUSY, f"{self.device}: somebody else uses it ({self.link.port})")
        return self._identity(min(NAME_S, QUESTION_S - (time.monotonic() - began)))

    def conditions(self) -> frozenset[Condition]:
        """What was found when the device was last opened, at most `look_every_s` seconds ago."""
        if time.monotonic() - self._looked_at >= self.options.look_every_s:
            self._look(QUESTION_S)
        return self._conditions

    def scan(self, profile: ScanProfile) -> Iterator[Page]:
        """Yield pages as they come. Closing the iterator ends the helper and so gives the scanner back."""
        if not self._offered:
            self._look(QUESTION_S)
        try:
            settings = encode_settings(profile, self._offered, self.options)
        except ValueError as exc:
            raise Refused(Condition.PROFILE_UNSUITABLE, f"{self.device}: {exc} ({self.link.port})") from exc
        ends_at, feeds = time.monotonic() + self.job_limit_s, profile.source is PageSource.FEEDER
        number = 0
        with self.link.feed(settings) as feed:
            while (data := self._next(feed, number + 1)) is not None:
                number += 1
                yield Page(data=data, media="image/png", number=number, dpi=self._checked(data, number))
                if not feeds:
                    return
                if number > self.options.most_pages or time.monotonic() > ends_at:
                    raise BadReply(f"{self.device}: stopped a feed that does not end, after {number} pages")
            assert feed.answer is not None
            answer = feed.answer
        self._judge_end(answer, number, feeds, settings)

    def _next(self, feed: SaneFeed, number: int) -> bytes | None:
        self._looked_at = time.monotonic()
        try:
            return feed.next_page(PAGE_LIMIT_S, PAGE_SILENCE_S)
        except (NoReply, BadReply) as exc:
            self._looked_at = -1e9  # whether it came back is to be seen at once
            raise type(exc)(f"{self.device}: asked for page {number}: {exc}") from exc

    def _checked(self, data: bytes, number: int) -> int:
        try:
            return check_page(data)
        except BadReply as exc:
            raise BadReply(f"{self.device}: asked for page {number}, got {exc}, on {self.link.port}") from exc

    def _judge_end(self, answer: SaneAnswer, pages: int, feeds: bool, settings: list[str]) -> None:
        """Return where the paper is at its end; else raise what stopped the feed."""
        if feeds and pages and answer.code in {0, NO_DOCUMENTS}:
            return
        deed = f"asked for page {pages + 1}"
        # Some backends tell "no documents" from the read of a page, which scanimage takes for the good end of a batch.
        code = NO_DOCUMENTS if feeds and answer.code == 0 else answer.code
        if feeds and pages and code == IO_ERROR and (left := self._paper_left(settings)) is not None:
            deed += ", which ended in an error"
            if not left:
                raise self._refusal(Condition.FEEDER_EMPTY, deed, answer)
            deed += f"; the sheet after it was fed to see whether any is left: sheets {pages + 1} and {pages + 2} again"
            raise self._refusal(Condition.DEVICE_FAULT, deed, answer)
        raise self._trouble(code, deed, answer)

    def _paper_left(self, settings: list[str]) -> bool | None:
        """Whether a sheet was left in the feeder: one page is asked for; None where nobody can tell.

        A page that comes is not kept: the sheet before it is missing, and nobody could see where it belongs.
        """
        try:
            with self.link.feed(settings) as feed:
                if feed.next_page(PAGE_LIMIT_S, PAGE_SILENCE_S) is not None:
                    return True
                return False if feed.answer is not None and feed.answer.code in {0, NO_DOCUMENTS} else None
        except (NoReply, BadReply):
            return None

    def _look(self, limit_s: float) -> None:
        """Open the device and read its settings."""
        self._looked_at = -1e9
        try:
            answer = self.link.ask(["-A"], limit_s)
            if answer.code == 0:
                self._offered = decode_options(answer.output)
        except (NoReply, BadReply) as exc:
            raise type(exc)(f"{self.device}: asked what it can do: {exc}") from exc
        if answer.code == 0:
            loaded = self._offered.get("page-loaded", SaneOption(now="yes")).now
            self._conditions = frozenset({Condition.FEEDER_EMPTY} if loaded == "no" else ())
        elif "Device busy" in answer.said:
            self._conditions = frozenset({Condition.BUSY})
        else:
            raise self._trouble(IO_ERROR, "asked what it can do", answer)
        self._looked_at = time.monotonic()

    def _identity(self, limit_s: float) -> Identity:
        """Maker and model from the list of devices; a device that is not listed is known by its name."""
        try:
            answer = self.link.ask(["-f", "%d\t%v\t%m%n"], limit_s, of_device=False)
        except NoReply:
            return Identity(model=self.link.name)
        for line in answer.output.splitlines():
            name, _, rest = line.partition("\t")
            vendor, _, model = rest.partition("\t")
            if name == self.link.name and model:
                return Identity(vendor=vendor, model=model)
        return Identity(model=self.link.name)

    def _trouble(self, code: int, deed: str, answer: SaneAnswer) -> DeviceError:
        """What an exit code means."""
        sentence = f"{self.device}: {deed}: {answer.said or f'exit code {code}'} ({self.link.port})"
        if code in _LINE_ENDS or "open of device" in answer.said:
            self._looked_at = -1e9
            return LinkError(sentence)
        if code in _CONDITIONS:
            return self._refusal(_CONDITIONS[code], deed, answer)
        return BadReply(sentence)

    def _refusal(self, condition: Condition, deed: str, answer: SaneAnswer) -> Refused:
        return Refused(condition, f"{self.device}: {deed}: {answer.said or condition} ({self.link.port})")


DRIVER = SaneScanner
