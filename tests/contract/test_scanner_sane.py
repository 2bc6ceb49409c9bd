"""The SANE scanner's driver against real SANE: its airscan backend with our twin behind it, and its `test` backend."""

import io
import os
import signal
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import drivers.scanner_sane as sane
from drivers import transport_sane
from drivers.base import (
    QUESTION_LIMIT_S,
    BadReply,
    ColorMode,
    Condition,
    DeviceError,
    Identity,
    LinkError,
    NoReply,
    Page,
    PageSource,
    Refused,
    ScanProfile,
)
from drivers.transport import open_link
from sim import papers
from sim.sane import SaneConfig, unavailable
from sim.scanner_sane import TWIN
from sim.stopwatch import Stopwatch
from tests.contract.contract import DriverContract, Rig, damaged, until

NEEDS_SANE = [pytest.mark.system, pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))]

GLASS = ScanProfile(dpi=75)
FEEDER = ScanProfile(source=PageSource.FEEDER, dpi=75, color=ColorMode.GRAY)
LETTER = papers.Paper(content=papers.Content.LETTER, noise=0)


def scan(driver: Any, profile: ScanProfile = FEEDER) -> tuple[list[Page], DeviceError | None]:
    """The pages that came, and what ended the feed if something did."""
    pages: list[Page] = []
    try:
        for page in driver.scan(profile):
            assert (page.number, page.media, page.dpi) == (len(pages) + 1, "image/png", profile.dpi)
            pages.append(page)
    except DeviceError as exc:
        assert str(exc).startswith("TST-01")
        return pages, exc
    return pages, None


def pixels(data: bytes) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.asarray(Image.open(io.BytesIO(data)), dtype=np.int64)


class SaneRig(Rig):
    """A rig whose twin can speak again before the line goes."""

    def close(self) -> None:
        self.twin.recover()
        super().close()


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    twin = TWIN("TST-01", {})
    twin.start()
    for name, value in twin.environment().items():
        monkeypatch.setenv(name, value)
    rig = SaneRig(driver_type=sane.DRIVER, options={"look_every_s": 0.0}, twin=twin, line=twin)
    yield rig
    rig.close()


@pytest.fixture
def driver(rig: Rig) -> Any:
    driver = rig.open()
    driver.hello()
    return driver


@pytest.fixture
def sane_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Drivers over SANE's own `test` backend, in which nothing is ours."""
    config, links = SaneConfig(), []
    for name, value in config.environment().items():
        monkeypatch.setenv(name, value)

    def open_test(port: str = "sane:test:0", **options: Any) -> Any:
        links.append(open_link(port))
        return sane.DRIVER("TST-01", links[-1], sane.SaneOptions(**options))

    yield open_test
    for link in links:
        link.close()
    config.remove()


LISTING = """
All options specific to device `fujitsu:fi-7160:1234':
  Standard:
    --source ADF Front|ADF Back|ADF Duplex [ADF Front]
        Selects the scan source (such as a document-feeder).
    --mode Lineart|Halftone|Gray|Color [Lineart]
        Selects the scan mode (e.g., lineart, monochrome, or color).
    --resolution 50..600dpi (in steps of 1) [600]
  Geometry:
    --page-width 0..221.121mm (in steps of 0.0211639) [215.872]
    -l 0..215.872mm (in steps of 0.0211639) [0]
    -x 0..215.872mm (in steps of 0.0211639) [215.872]
    -y 0..279.364mm (in steps of 0.0211639) [279.364]
  Enhancement:
    --threshold 0..255 (in steps of 1) [inactive]
    --depth 8|16 [8]
  Sensors:
    --page-loaded[=(yes|no)] [no] [hardware]
"""
"""Written after the list of a sheet-fed scanner in the form that `scanimage -A` prints."""


def _png() -> bytes:
    file = io.BytesIO()
    Image.new("L", (60, 80), 255).save(file, "PNG", dpi=(75, 75))
    return file.getvalue()


STAND_IN = {
    "listing": LISTING.encode(),
    "devices": b"test:0\tNoname\tfrontend-tester\n",
    "page": _png(),
    "printed": b"page1.png\n",
    "said": b"Progress: 50.0%\rscanimage: sane_read: Error during device I/O\n",
}
"""What the program that stands in for `scanimage` prints: its settings, devices, page, the page's name, its errors."""
_PROGRAM = """#!/bin/sh
here=${0%/*}
out=
for word; do
  case "$word" in
    --batch=*) out=${word#--batch=} ;;
    -A) cat "$here/listing"; cat "$here/said" >&2; exit $(cat "$here/asked") ;;
    -f) cat "$here/devices"; exit 0 ;;
  esac
done
read -r _
cp "$here/page" "${out%/*}/page1.png"
cat "$here/printed"
cat "$here/said" >&2
exit $(cat "$here/code")
"""
INHERITED = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors, HealthCheck.too_slow]


@contextmanager
def stand_in(texts: dict[str, bytes], *, ends_with: int = 0, asked_ends_with: int = 0) -> Iterator[Any]:
    """A driver over a program in place of `scanimage`, for answers that no backend here gives."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        for file, data in {**texts, "code": b"%d" % ends_with, "asked": b"%d" % asked_ends_with}.items():
            (Path(name) / file).write_bytes(data)
        program = Path(name) / "scanimage"
        program.write_text(_PROGRAM, encoding="ascii")
        program.chmod(0o755)
        patch.setenv("PATH", name, prepend=os.pathsep)
        link = open_link("sane:test:0")
        try:
            yield sane.DRIVER("TST-01", link, sane.SaneOptions(look_every_s=0.0))
        finally:
            link.close()


class TestSaneScanner(DriverContract):
    pytestmark = NEEDS_SANE
    driver_module = "scanner_sane"
    twin_module = "scanner_sane"
    no_conditions = "airscan opens a busy scanner too and has no page-loaded sensor; both are tested below"

    @pytest.fixture
    def rig(self, rig: Rig) -> Rig:
        return rig

    def job(self, driver: Any, rig: Rig) -> None:
        rig.twin.put_on_platen(LETTER)
        pages, error = scan(driver, GLASS)
        assert error is None
        assert len(pages) == 1
        sent, got = pixels(rig.twin.scanner.delivered[-1]), pixels(pages[0].data)
        assert got.shape == sent.shape
        assert np.abs(got - sent).mean() < 1, "two JPEG decoders differ by less"
        ticket = rig.twin.scanner.jobs[-1].ticket
        assert (ticket.source, ticket.color, ticket.dpi) == ("Platen", "RGB24", 75)

    def spoils(self, rig: Rig) -> Sequence[Callable[[], object]]:
        return (lambda: rig.twin.cut_page(after_bytes=100),)

    def job_blind(self, driver: Any) -> None:
        list(driver.scan(GLASS))

    def sample_replies(self) -> list[bytes]:
        """As FuzzSane takes them: what is asked for first, a name, a page, an end."""
        listing = b"\0" + EPSON.encode()
        return [listing, b"\0device `test:0' is a Noname frontend-tester virtual device\n", listing,
                sane.PNG_BEGIN + bytes(20) + sane.PNG_END, b"\x07", b"\x09"]  # fmt: skip

    def test_mute_device_gives_no_reply_in_time(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.hang()
        for question in (driver.hello, driver.conditions):
            watch = Stopwatch()
            with pytest.raises(NoReply):
                question()
            assert watch.s < QUESTION_LIMIT_S
            assert not Path(f"/proc/{driver.link.helper_pid}").exists(), "the helper that hung is still there"
        rig.twin.recover()
        self.job(driver, rig)

    def test_reply_in_single_bytes_is_the_same_reply(self, rig: Rig) -> None:
        rig.twin.slow_body(bytes_per_s=200_000)
        driver = rig.open()
        driver.hello()
        self.job(driver, rig)

    def test_leftovers_of_an_earlier_answer_are_ignored(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.cut_page(after_bytes=100)
        assert isinstance(scan(driver, GLASS)[1], LinkError)
        rig.twin.recover()
        self.job(driver, rig)

    @settings(max_examples=20, deadline=None, suppress_health_check=INHERITED)
    @given(data=st.data())
    def test_damaged_replies_raise_only_device_errors(self, data: st.DataObject) -> None:
        """What `scanimage` prints, says, writes as a page and ends with is damaged."""
        texts = {name: data.draw(st.one_of(st.just(good), damaged(good))) for name, good in STAND_IN.items()}
        code = data.draw(st.sampled_from([*range(12), 127]))
        with stand_in(texts, ends_with=code) as driver:
            for deed in (driver.hello, driver.conditions, lambda: self.job_blind(driver), lambda: scan(driver)):
                try:
                    deed()
                except DeviceError as exc:
                    assert str(exc)


# -- behind airscan ----------------------------------------------------------------------------------------------------


def still_works(driver: Any, rig: Rig) -> None:
    """After whatever happened: healthy again, two sheets in, two pages out, and no job left behind."""
    rig.twin.recover()
    rig.twin.load_feeder([LETTER] * 2)
    pages, error = scan(driver)
    assert (len(pages), error) == (2, None)
    assert not any(job.active for job in rig.twin.scanner.jobs)


class TestBehindAirscan:
    pytestmark = NEEDS_SANE

    def test_feeder_gives_every_sheet(self, driver: Any, rig: Rig) -> None:
        rig.twin.load_feeder([LETTER] * 3)
        pages, error = scan(driver)
        assert (len(pages), error) == (3, None)
        assert rig.twin.scanner.jobs[-1].ticket.color == "Grayscale8"

    def test_both_sides_come(self, driver: Any, rig: Rig) -> None:
        rig.twin.load_feeder([LETTER] * 2)
        pages, error = scan(driver, ScanProfile(source=PageSource.FEEDER, dpi=75, duplex=True))
        assert (len(pages), error) == (4, None)
        assert rig.twin.scanner.jobs[-1].ticket.duplex

    def test_empty_feeder_is_refused(self, driver: Any, rig: Rig) -> None:
        pages, error = scan(driver)
        assert isinstance(error, Refused)
        assert (pages, error.condition) == ([], Condition.FEEDER_EMPTY)
        still_works(driver, rig)

    def test_jam_keeps_the_pages_before_it(self, driver: Any, rig: Rig) -> None:
        rig.twin.load_feeder([LETTER] * 3)
        rig.twin.jam_after(1)
        pages, error = scan(driver)
        assert isinstance(error, Refused)
        assert (len(pages), error.condition) == (1, Condition.FEEDER_JAM)
        still_works(driver, rig)

    def test_open_cover_is_refused(self, driver: Any, rig: Rig) -> None:
        rig.twin.load_feeder([LETTER])
        rig.twin.open_cover()
        _, error = scan(driver)
        assert isinstance(error, Refused)
        assert error.condition is Condition.COVER_OPEN
        still_works(driver, rig)

    def test_error_at_the_end_of_the_feeder_is_an_end_that_somebody_has_to_count(self, driver: Any, rig: Rig) -> None:
        rig.twin.load_feeder([LETTER] * 3)
        rig.twin.fail_at_the_end()
        pages, error = scan(driver)
        assert isinstance(error, Refused)
        assert (len(pages), error.condition) == (2, Condition.FEEDER_EMPTY)
        assert "I/O" in str(error)
        still_works(driver, rig)

    def test_error_while_sheets_are_left_is_no_end(self, driver: Any, rig: Rig) -> None:
        rig.twin.load_feeder([LETTER] * 6)
        rig.twin.double_feed_after(1, shown=False)
        pages, error = scan(driver)
        assert len(pages) == 1
        assert isinstance(error, LinkError)
        still_works(driver, rig)

    def test_error_in_the_middle_names_both_sheets_that_have_to_go_in_again(self, driver: Any, rig: Rig) -> None:
        rig.twin.load_feeder([LETTER] * 5)
        rig.twin.fail_at_page(3)
        pages, error = scan(driver)
        assert isinstance(error, Refused)
        assert (len(pages), error.condition) == (2, Condition.DEVICE_FAULT)
        assert "sheets 3 and 4 again" in str(error)
        assert len(rig.twin.scanner.feeder) <= 1, "the sheet that was tried went through"
        still_works(driver, rig)

    def test_feed_that_is_given_up_lets_the_scanner_go(self, driver: Any, rig: Rig) -> None:
        rig.twin.load_feeder([LETTER] * 3)
        pages = driver.scan(FEEDER)
        next(pages)
        pages.close()
        assert not Path(f"/proc/{driver.link.helper_pid}").exists()
        until(lambda: not any(job.active for job in rig.twin.scanner.jobs), what="job deleted")
        still_works(driver, rig)

    def test_call_that_never_returns_ends_with_the_helper(
        self, driver: Any, rig: Rig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sane, "PAGE_SILENCE_S", 0.5)
        rig.twin.load_feeder([LETTER] * 3)
        pages = driver.scan(FEEDER)
        next(pages)
        os.kill(driver.link.helper_pid, signal.SIGSTOP)
        watch = Stopwatch()
        with pytest.raises(NoReply, match=r"TST-01: asked for page 2.*silent"):
            next(pages)
        assert watch.s < 3
        assert not Path(f"/proc/{driver.link.helper_pid}").exists()

    def test_helper_that_is_killed_by_somebody_is_a_bad_reply(self, driver: Any, rig: Rig) -> None:
        rig.twin.load_feeder([LETTER] * 3)
        pages = driver.scan(FEEDER)
        next(pages)
        os.kill(driver.link.helper_pid, signal.SIGKILL)
        with pytest.raises(BadReply):
            next(pages)

    def test_closing_the_link_ends_a_call_that_hangs(self, driver: Any, rig: Rig) -> None:
        rig.twin.hang()
        seen: list[DeviceError | None] = []
        thread = threading.Thread(target=lambda: seen.append(_error(driver.conditions)))
        before = driver.link.helper_pid
        thread.start()
        until(lambda: driver.link.helper_pid != before)
        watch = Stopwatch()
        driver.link.close()
        thread.join(40)
        assert watch.s < 2
        assert isinstance(seen[0], LinkError)

    def test_feed_that_never_ends_is_stopped(self, rig: Rig) -> None:
        rig.options = {"most_pages": 3}
        rig.twin.load_feeder([LETTER])
        rig.twin.feed_for_ever()
        pages, error = scan(rig.open())
        assert len(pages) == 4
        assert isinstance(error, BadReply)

    def test_idle_device_is_opened_only_now_and_then(self, rig: Rig) -> None:
        rig.options = {"look_every_s": 600.0}
        driver = rig.open()
        driver.hello()
        known = len(rig.traced)
        for _ in range(5):
            assert driver.conditions() == frozenset()
        assert len(rig.traced) == known


def _error(deed: Callable[[], object]) -> DeviceError | None:
    try:
        deed()
    except DeviceError as exc:
        return exc
    return None


# -- SANE's own test backend -------------------------------------------------------------------------------------------


class TestTestBackend:
    pytestmark = NEEDS_SANE

    def test_feeder_of_ten_sheets_gives_ten_pages_twice(self, sane_test: Callable[..., Any]) -> None:
        driver = sane_test()
        assert driver.hello() == Identity(vendor="Noname", model="frontend-tester")
        for _ in range(2):
            pages, error = scan(driver)
            assert (len(pages), error) == (10, None)

    def test_resolution_is_the_one_that_the_page_has(self, sane_test: Callable[..., Any]) -> None:
        driver = sane_test(settings=("resolution=123",))
        page = next(iter(driver.scan(GLASS)))
        assert page.dpi == 123
        assert pixels(page.data).shape[1] == pytest.approx(210 / 25.4 * 123, abs=2)

    def test_picture_is_the_one_that_was_asked_for(self, sane_test: Callable[..., Any]) -> None:
        driver = sane_test(settings=("test-picture=Grid",))
        driver.hello()
        assert {"l", "t", "x", "y"} <= driver._offered.keys()
        color = pixels(next(iter(driver.scan(ScanProfile(dpi=50)))).data)
        gray = pixels(next(iter(driver.scan(ScanProfile(dpi=50, color=ColorMode.GRAY)))).data)
        assert (color.ndim, gray.ndim) == (3, 2)
        assert 0.4 < (gray > 128).mean() < 0.6

    @pytest.mark.parametrize(
        ("status", "outcome"),
        [
            ("JAMMED", Condition.FEEDER_JAM),
            ("NO_DOCS", Condition.FEEDER_EMPTY),
            ("COVER_OPEN", Condition.COVER_OPEN),
            ("DEVICE_BUSY", Condition.BUSY),
            ("INVAL", Condition.PROFILE_UNSUITABLE),
            ("CANCELLED", Condition.DEVICE_FAULT),
            ("NO_MEM", Condition.DEVICE_FAULT),
            ("IO_ERROR", LinkError),
            ("ACCESS_DENIED", LinkError),
            ("EOF", BadReply),
            ("UNSUPPORTED", BadReply),
        ],
    )
    def test_every_status_is_understood_and_the_next_feed_is_good(
        self, status: str, outcome: Condition | type[DeviceError], sane_test: Callable[..., Any]
    ) -> None:
        fault = (f"read-return-value=SANE_STATUS_{status}",)
        for _ in range(3):
            # About one scanimage in a hundred hangs here on a busy machine, and is rightly killed: SANE's test backend
            # cancels its reading thread wherever it is; caught inside malloc it waits for its own lock for ever, and
            # the main thread for it (seen in /proc: both in a futex, one at the lock of a heap, one joining it).
            pages, error = scan(sane_test(settings=fault))
            if not isinstance(error, NoReply):
                break
        assert pages == []
        if isinstance(outcome, Condition):
            assert isinstance(error, Refused)
            assert error.condition is outcome
        else:
            assert type(error) is outcome
        assert len(scan(sane_test())[0]) == 10

    def test_slow_reads_are_waited_for(self, sane_test: Callable[..., Any]) -> None:
        driver = sane_test(settings=("read-delay=yes", "read-delay-duration=100000"))
        assert len(list(driver.scan(GLASS))) == 1

    def test_setting_that_the_device_does_not_know_says_so(self, sane_test: Callable[..., Any]) -> None:
        _, error = scan(sane_test(settings=("nosuch=1",)), GLASS)
        assert isinstance(error, BadReply)
        assert "nosuch" in str(error)

    def test_feeder_for_both_sides_that_is_not_there_is_refused(self, sane_test: Callable[..., Any]) -> None:
        _, error = scan(sane_test(), ScanProfile(source=PageSource.FEEDER, duplex=True))
        assert isinstance(error, Refused)
        assert error.condition is Condition.PROFILE_UNSUITABLE
        assert "Flatbed" in str(error)

    def test_device_that_is_not_there_is_a_link_error(self, sane_test: Callable[..., Any]) -> None:
        with pytest.raises(LinkError, match="Invalid argument"):
            sane_test("sane:test:7").hello()

    def test_pages_of_a_daemon_that_was_killed_are_removed(self, sane_test: Callable[..., Any]) -> None:
        base = Path(transport_sane._page_folder() or "/tmp")
        left = base / "hall-scan-999999999-x"
        left.mkdir()
        (left / "page1.png").write_bytes(b"personal")
        sane_test()
        assert not left.exists()

    def test_pages_on_their_way_can_be_read_by_nobody_else_and_are_gone_afterwards(
        self, sane_test: Callable[..., Any]
    ) -> None:
        base = Path(transport_sane._page_folder() or "/tmp")
        pages = sane_test().scan(FEEDER)
        next(pages)
        (folder,) = base.glob(f"hall-scan-{os.getpid()}-*")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        pages.close()
        assert not folder.exists()


def test_machine_without_scanimage_says_which_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(LinkError, match="sane-utils"):
        open_link("sane:test:0")


# -- bytes -------------------------------------------------------------------------------------------------------------


def test_stand_in_gives_a_page_that_is_understood() -> None:
    with stand_in({**STAND_IN, "said": b""}) as driver:
        assert driver.hello() == Identity(vendor="Noname", model="frontend-tester")
        assert driver.conditions() == {Condition.FEEDER_EMPTY}
        feeder = ScanProfile(source=PageSource.FEEDER, dpi=75)
        assert [(page.number, page.dpi) for page in driver.scan(feeder)] == [(1, 75)]


@pytest.mark.parametrize("named", [b"page\0.png\n", b"page2.png\n", b"\n"])
def test_a_page_that_is_not_there_by_its_name_is_a_bad_reply(named: bytes) -> None:
    with stand_in({**STAND_IN, "said": b"", "printed": named}) as driver:
        driver.hello()
        with pytest.raises(BadReply, match="cannot be read"):
            list(driver.scan(ScanProfile(source=PageSource.FEEDER, dpi=75)))


def test_scanner_that_somebody_else_uses_is_busy_and_no_error() -> None:
    busy = b"scanimage: open of device test:0 failed: Device busy\n"
    with stand_in({**STAND_IN, "listing": b"", "said": busy}, asked_ends_with=1) as driver:
        assert driver.conditions() == {Condition.BUSY}
        with pytest.raises(Refused) as refused:
            driver.hello()
        assert refused.value.condition is Condition.BUSY


EPSON = """All options specific to device `epsonds:x':
    --source Document Table|Automatic Document Feeder [Document Table]
    --adf-mode Simplex|Duplex [Simplex]
    --mode Monochrome|24bit Colour [Monochrome]
    --resolution 75|150|300|600dpi [75]
"""


def test_settings_of_a_sheet_fed_scanner() -> None:
    offered = sane.decode_options(LISTING)
    both = ScanProfile(source=PageSource.FEEDER, duplex=True, dpi=200)
    assert sane.encode_settings(both, offered, sane.SaneOptions(settings=("swdeskew=yes",))) == [
        "--source=ADF Duplex", "--mode=Color", "--resolution=200", "--depth=8", "-l", "0", "-x", "210", "-y", "279.364",
        "--swdeskew=yes",
    ]  # fmt: skip
    one = ScanProfile(source=PageSource.FEEDER, dpi=1200, color=ColorMode.GRAY, height_mm=148)
    assert sane.encode_settings(one, offered, sane.SaneOptions())[:3] == [
        "--source=ADF Front", "--mode=Gray", "--resolution=600",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="glass plate"):
        sane.encode_settings(ScanProfile(), offered, sane.SaneOptions())


def test_settings_of_a_scanner_that_switches_sides_apart_from_its_source() -> None:
    offered = sane.decode_options(EPSON)
    both = ScanProfile(source=PageSource.FEEDER, duplex=True, dpi=200)
    assert sane.encode_settings(both, offered, sane.SaneOptions()) == [
        "--source=Automatic Document Feeder", "--adf-mode=Duplex", "--mode=24bit Colour", "--resolution=300",
    ]  # fmt: skip
    glass = sane.encode_settings(ScanProfile(dpi=75), offered, sane.SaneOptions())
    assert glass == ["--source=Document Table", "--mode=24bit Colour", "--resolution=75"]


def test_technician_can_name_a_source() -> None:
    offered = sane.decode_options(LISTING)
    named = sane.SaneOptions(feeder="ADF Back")
    assert sane.encode_settings(FEEDER, offered, named)[0] == "--source=ADF Back"


def test_sensor_tells_an_empty_feeder() -> None:
    assert sane.decode_options(LISTING)["page-loaded"].now == "no"
    assert not sane.decode_options(LISTING)["page-loaded"].settable
    assert not sane.decode_options(LISTING)["threshold"].settable


@given(st.one_of(st.text(), st.builds(lambda at, by: LISTING[:at] + by + LISTING[at:], st.integers(0, 900), st.text())))
def test_any_listing_is_settings_or_a_bad_reply(listing: str) -> None:
    try:
        offered = sane.decode_options(listing)
        sane.encode_settings(FEEDER, offered, sane.SaneOptions())
    except (BadReply, ValueError) as exc:
        assert str(exc)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\x89PNG\r\n\x1a\n" + b"x" * 100])
def test_page_that_is_no_whole_png_is_a_bad_reply(data: bytes) -> None:
    with pytest.raises(BadReply):
        sane.check_page(data)


@pytest.mark.parametrize(
    "options", [{"most_pages": 0}, {"look_every_s": -1.0}, {"look_every_s": 601.0}, {"settings": ("mode",)}]
)
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        sane.SaneOptions(**options)


def test_a_range_that_is_no_range_of_numbers_raises_nothing() -> None:
    """Found by fuzzing: two ranges that ran into each other raised a ValueError."""
    listing = "All options specific to device `x':\n    -x 0..215.8715.872mm [215.872]\n    -y 0..297mm [297]\n"
    assert sane.decode_options(listing)["y"].range == (0.0, 297.0)
    assert sane.decode_options(listing)["x"].range == (0.0, 215.8715)
