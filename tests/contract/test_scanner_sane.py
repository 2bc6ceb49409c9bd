"""The SANE scanner's driver against real SANE with our twin behind its airscan backend."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drivers.scanner_sane as sane
from drivers.base import (
    QUESTION_LIMIT_S,
    BadReply,
    Condition,
    DeviceError,
    LinkError,
    NoReply,
    PageSource,
    Refused,
    ScanProfile,
)
from sim.scanner_sane import TWIN
from sim.stopwatch import Stopwatch
from tests.contract.contract import DriverContract, Rig, damaged, until
from tests.contract.sane_room import (
    EPSON,
    FEEDER,
    GLASS,
    INHERITED,
    LETTER,
    NEEDS_SANE,
    STAND_IN,
    error_of,
    pixels,
    scan,
    stand_in,
)


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
            feed = partial(_fed, driver, whole_pages=texts["page"] == STAND_IN["page"])
            for deed in (driver.hello, driver.conditions, lambda: self.job_blind(driver), feed):
                try:
                    deed()
                except DeviceError as exc:
                    assert str(exc)


def _fed(driver: Any, *, whole_pages: bool) -> None:
    pages = list(driver.scan(FEEDER))
    assert [(page.number, page.media) for page in pages] == [(n, "image/png") for n in range(1, len(pages) + 1)]
    # A page whose resolution is damaged says another one, or none (0).
    assert not whole_pages or all(page.dpi == FEEDER.dpi for page in pages)


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
        thread = threading.Thread(target=lambda: seen.append(error_of(driver.conditions)))
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
