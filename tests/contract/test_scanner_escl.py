"""The eSCL scanner's driver against its twin on a real HTTP port."""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import drivers.scanner_escl as escl
from drivers.base import (
    QUESTION_LIMIT_S,
    BadReply,
    Condition,
    DeviceError,
    LinkError,
    NoReply,
    Page,
    Refused,
    ScanProfile,
)
from drivers.transport_web import WebDevice, WebReply
from sim import papers
from sim.carriers import HttpPort
from sim.scanner_escl import TWIN, JobState
from sim.stopwatch import Stopwatch
from tests.contract.contract import DriverContract, Rig, until
from tests.contract.escl_room import (
    BOTH_SIDES,
    FEEDER,
    GLASS,
    HttpRig,
    picture,
    plug_in,
    scan,
    sheets,
    short_waits,
    still_works,
)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    short_waits(monkeypatch)


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = plug_in()
    yield rig
    rig.close()


@pytest.fixture
def driver(rig: Rig) -> Any:
    driver = rig.open()
    driver.hello()
    return driver


class ScriptedDevice(WebDevice):
    """An HTTP device in memory: each request is answered by the next scripted reply; pauses cost no time."""

    def __init__(self, replies: list[WebReply]) -> None:
        super().__init__("http://192.0.2.1/eSCL")
        self.replies = replies
        self.asked: list[str] = []

    def request(self, method: str, url: str, **more: Any) -> WebReply:
        self.asked.append(f"{method} {url}")
        if not self.replies:
            raise NoReply("nothing is scripted")
        return self.replies.pop(0)

    def pause(self, limit_s: float) -> None:
        """No time passes."""


class TestEsclScanner(DriverContract):
    driver_module = "scanner_escl"
    twin_module = "scanner_escl"
    causes: ClassVar[dict[Condition, Callable[[Any], object]]] = {
        Condition.FEEDER_JAM: lambda twin: twin.jam(),
        Condition.COVER_OPEN: lambda twin: twin.open_cover(),
        Condition.WARMING_UP: lambda twin: twin.warm_up_for(3),
    }

    @pytest.fixture
    def rig(self, tmp_path: Path) -> Iterator[Rig]:
        twin = TWIN("TST-01", self.options)
        line = HttpPort(twin, twin.base)
        line.start()
        rig = HttpRig(driver_type=escl.DRIVER, options=self.options, twin=twin, line=line)
        yield rig
        rig.close()

    def job(self, driver: Any, rig: Rig) -> None:
        rig.twin.put_on_platen(picture(7))
        pages, error = scan(driver, GLASS)
        assert error is None
        assert pages == [picture(7)] == rig.twin.delivered[-1:]
        last = rig.twin.jobs[-1]
        assert (last.ticket.source, last.ticket.color, last.ticket.dpi) == ("Platen", "RGB24", 75)
        assert (last.ticket.width, last.ticket.height) == (2480, 3508)
        assert not last.active

    def spoils(self, rig: Rig) -> Sequence[Callable[[], object]]:
        return (lambda: rig.twin.cut_page(after_bytes=100), rig.twin.jam)

    def job_blind(self, driver: Any) -> None:
        list(driver.scan(GLASS))

    def test_mute_device_gives_no_reply_in_time(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.go_mute()
        for question in (driver.hello, driver.conditions):
            watch = Stopwatch()
            with pytest.raises(NoReply):
                question()
            assert watch.s < QUESTION_LIMIT_S
        rig.twin.recover()
        self.job(driver, rig)

    @pytest.mark.usefixtures("quick")
    def test_scanner_that_falls_mute_within_a_feed_gives_no_reply_in_time(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.load_feeder(sheets(3))
        pages = driver.scan(FEEDER)
        assert next(pages).data == picture(1)
        rig.twin.go_mute()
        watch = Stopwatch()
        with pytest.raises(NoReply):
            next(pages)
        assert watch.s < escl.PAGE_LIMIT_S
        rig.twin.recover()
        driver.link.request("DELETE", f"ScanJobs/{rig.twin.jobs[-1].name}", limit_s=2)
        self.job(driver, rig)

    def test_reply_in_single_bytes_is_the_same_reply(self, rig: Rig) -> None:
        rig.twin.slow_body(bytes_per_s=len(picture(7)) * 2)
        driver = rig.open()
        driver.hello()
        self.job(driver, rig)

    def test_leftovers_of_an_earlier_answer_are_ignored(self, rig: Rig) -> None:
        driver = rig.open()
        driver.hello()
        rig.twin.put_on_platen(picture(1))
        rig.twin.cut_page(after_bytes=100)
        pages, error = scan(driver, GLASS)
        assert not pages
        assert isinstance(error, BadReply)
        rig.twin.recover()
        self.job(driver, rig)

    @settings(max_examples=150, deadline=None)
    @given(data=st.data())
    def test_damaged_replies_raise_only_device_errors(self, data: st.DataObject) -> None:
        driver = escl.DRIVER("TST-01", ScriptedDevice(data.draw(st.lists(replies(), max_size=12))), escl.EsclOptions())
        for deed in (driver.hello, driver.conditions, lambda: self.job_blind(driver)):
            try:
                deed()
            except DeviceError as exc:
                assert str(exc)
        driver.link.close()


def documents() -> list[bytes]:
    """Genuine documents of the twin, and nothing."""
    twin = TWIN("TST-01", {})
    return [twin._capabilities(), twin._status(), picture(1), b""]


def replies() -> st.SearchStrategy[WebReply]:
    genuine = st.sampled_from(documents())
    cut = st.builds(lambda body, at: body[:at], genuine, st.integers(0, 6000))
    struck = st.builds(lambda body, at, by: body[:at] + by + body[at:], genuine, st.integers(0, 6000), st.binary())
    location = st.one_of(st.text(max_size=40), st.sampled_from(["/eSCL/ScanJobs/1", "http://[", "//", "ScanJobs/ü"]))
    return st.builds(
        lambda status, body, media, where: WebReply(
            status=status, headers={"content-type": media, "location": where}, body=body
        ),
        st.sampled_from([200, 200, 200, 201, 201, 204, 302, 400, 403, 404, 409, 410, 500, 503, 999]),
        st.one_of(genuine, cut, struck, st.binary(max_size=60)),
        st.sampled_from(["image/jpeg", "text/xml", "", "IMAGE/JPEG; x=y"]),
        location,
    )


# -- feeds ------------------------------------------------------------------------------------------------------------


def test_hello_tells_model_and_serial(rig: Rig) -> None:
    identity = rig.open().hello()
    assert (identity.model, identity.serial) == ("Hall Twin DS-40", "TWIN-TST-01")


def test_feeder_gives_every_sheet_in_order_and_the_job_is_over(driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(4))
    assert scan(driver) == (sheets(4), None)
    assert rig.twin.jobs[-1].state is JobState.COMPLETED
    assert rig.twin.jobs[-1].ticket.color == "Grayscale8"
    assert driver.conditions() == {Condition.FEEDER_EMPTY}


def test_both_sides_come_front_first(driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder([(picture(1), picture(2)), (picture(3), picture(4))])
    assert scan(driver, BOTH_SIDES) == (sheets(4), None)


def test_real_paper_comes_at_the_resolution_asked_for(driver: Any, rig: Rig) -> None:
    rig.twin.put_on_platen(papers.FORM)
    page: Page = next(iter(driver.scan(ScanProfile(dpi=100))))
    assert page.data == papers.scan(papers.FORM, 100, width_mm=2480 / 300 * 25.4, height_mm=3508 / 300 * 25.4)


def test_empty_feeder_is_refused(driver: Any, rig: Rig) -> None:
    pages, error = scan(driver)
    assert not pages
    assert isinstance(error, Refused)
    assert error.condition is Condition.FEEDER_EMPTY
    assert "TST-01" in str(error)
    still_works(driver, rig)


def test_feeder_that_tells_late_that_it_is_empty_is_refused(driver: Any, rig: Rig) -> None:
    rig.twin.accept_jobs_without_paper()
    pages, error = scan(driver)
    assert not pages
    assert isinstance(error, Refused)
    assert error.condition is Condition.FEEDER_EMPTY
    still_works(driver, rig)


def test_jam_keeps_the_pages_before_it(driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(5))
    rig.twin.jam_after(pages=2)
    pages, error = scan(driver)
    assert pages == sheets(2)
    assert isinstance(error, Refused)
    assert error.condition is Condition.FEEDER_JAM
    assert "page 3" in str(error)
    assert Condition.FEEDER_JAM in driver.conditions()
    still_works(driver, rig)


def test_cover_opened_within_a_feed_keeps_the_pages_before_it(driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(3))
    pages = driver.scan(FEEDER)
    assert next(pages).data == picture(1)
    rig.twin.open_cover()
    with pytest.raises(Refused) as caught:
        next(pages)
    assert caught.value.condition is Condition.COVER_OPEN
    still_works(driver, rig)


def test_open_cover_refuses_a_new_feed(driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(1))
    rig.twin.open_cover()
    _, error = scan(driver)
    assert isinstance(error, Refused)
    assert error.condition is Condition.COVER_OPEN
    still_works(driver, rig)


def test_feed_given_up_early_lets_the_scanner_go(driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(3))
    pages = driver.scan(FEEDER)
    next(pages)
    pages.close()
    assert rig.twin.jobs[-1].state is JobState.CANCELED
    still_works(driver, rig)


def test_scan_without_hello_says_hello_itself(rig: Rig) -> None:
    rig.twin.put_on_platen(picture(1))
    assert scan(rig.open(), GLASS) == ([picture(1)], None)


def test_scanner_without_the_wanted_source_refuses_and_says_what_is_missing(rig: Rig) -> None:
    rig.twin.be_flatbed_only()
    driver = rig.open()
    driver.hello()
    _, error = scan(driver, FEEDER)
    assert isinstance(error, Refused)
    assert error.condition is Condition.PROFILE_UNSUITABLE
    assert "feeder" in str(error)
    assert driver.conditions() == frozenset()


# -- devices as they are ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "verb", ["wrong_host_location", "relative_location", "cut_created_answer", "require_localhost"]
)
def test_job_is_found_in_spite_of(verb: str, driver: Any, rig: Rig) -> None:
    getattr(rig.twin, verb)()
    rig.twin.load_feeder(sheets(2))
    assert scan(driver) == (sheets(2), None)


def test_hello_finds_out_that_the_scanner_wants_to_be_called_localhost(rig: Rig) -> None:
    rig.twin.require_localhost()
    assert rig.open().hello().model


def test_job_without_location_is_a_bad_reply(driver: Any, rig: Rig) -> None:
    rig.twin.no_location()
    rig.twin.load_feeder(sheets(1))
    _, error = scan(driver)
    assert isinstance(error, BadReply)


def test_one_false_404_loses_no_page(driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(3))
    rig.twin.false_404_once()
    assert scan(driver) == (sheets(3), None)


def test_job_that_the_device_never_releases_is_deleted(driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(2))
    rig.twin.never_release_job()
    assert scan(driver) == (sheets(2), None)
    rig.twin.load_feeder(sheets(2))
    assert scan(driver) == (sheets(2), None)


def test_job_that_is_forgotten_before_delete_does_no_harm(driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(2))
    rig.twin.drop_finished_job()
    assert scan(driver) == (sheets(2), None)


def test_device_that_ends_its_job_after_each_sheet_is_fed_to_the_end(rig: Rig) -> None:
    rig.twin.one_sheet_per_job()
    rig.twin.load_feeder(sheets(3))
    driver = rig.open()
    driver.hello()
    assert scan(driver) == (sheets(3), None)
    assert len(rig.twin.jobs) == 3


@pytest.mark.usefixtures("quick")
def test_pages_that_are_not_ready_are_waited_for(driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(2))
    rig.twin.warm_up_for(requests=4)
    assert scan(driver) == (sheets(2), None)


@pytest.mark.usefixtures("quick")
def test_empty_is_not_believed_after_503(driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(2))
    rig.twin.claim_empty()
    rig.twin.warm_up_for(requests=2)
    assert scan(driver) == (sheets(2), None)


@pytest.mark.usefixtures("quick")
def test_scanner_in_use_is_waited_for(driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(1))
    rig.twin.busy_for(requests=3)
    assert scan(driver) == (sheets(1), None)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("verb", ["busy_for", "warm_up_for"])
def test_scanner_that_stays_busy_is_refused(verb: str, driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(1))
    getattr(rig.twin, verb)(requests=1000)
    pages, error = scan(driver)
    assert not pages
    assert isinstance(error, Refused)
    assert error.condition is Condition.BUSY
    still_works(driver, rig)


def test_waits_for_a_busy_scanner_stay_within_the_page_limit(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(escl, "PAGE_LIMIT_S", 1.5)
    driver = rig.open()
    driver.hello()
    rig.twin.busy_for(requests=1000)
    watch = Stopwatch()
    _, error = scan(driver, GLASS)
    assert isinstance(error, Refused)
    assert watch.s < 2


def test_closing_the_link_ends_a_wait_at_once(rig: Rig) -> None:
    driver = rig.open()
    driver.hello()
    rig.twin.busy_for(requests=1000)
    seen: list[DeviceError | None] = []
    thread = threading.Thread(target=lambda: seen.append(scan(driver, GLASS)[1]))
    thread.start()
    until(lambda: any("POST" in line for line in rig.line.transcript))
    driver.link.close()
    thread.join(40)
    assert not thread.is_alive()
    assert isinstance(seen[0], LinkError)


# -- broken answers ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda twin: twin.truncate_jpeg(), "cut short"),
        (lambda twin: twin.wrong_content_type("text/html"), "text/html"),
        (lambda twin: twin.cut_page(after_bytes=200), "NextDocument"),
    ],
)
def test_broken_picture_is_a_bad_reply(break_it: Callable[[Any], None], says: str, driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(2))
    break_it(rig.twin)
    pages, error = scan(driver)
    assert not pages
    assert isinstance(error, BadReply)
    assert says in str(error)
    assert "TST-01" in str(error)
    still_works(driver, rig)


def test_picture_that_is_none_is_a_bad_reply(driver: Any, rig: Rig) -> None:
    rig.twin.put_on_platen(b"<html>paper jam</html>")
    _, error = scan(driver, GLASS)
    assert isinstance(error, BadReply)
    assert "no JPEG" in str(error)


def test_padding_behind_a_picture_does_no_harm(driver: Any, rig: Rig) -> None:
    rig.twin.put_on_platen(picture(1) + b"\x00" * 20)
    assert scan(driver, GLASS)[1] is None


def test_picture_larger_than_the_limit_is_a_bad_reply(driver: Any, rig: Rig) -> None:
    driver.link.largest_body = 10_000
    rig.twin.put_on_platen(picture(1) + b"\x00" * 20_000)
    _, error = scan(driver, GLASS)
    assert isinstance(error, BadReply)
    assert "10000" in str(error)


@pytest.mark.usefixtures("quick")
def test_picture_that_trickles_gives_no_reply_in_time(driver: Any, rig: Rig) -> None:
    rig.twin.put_on_platen(picture(1))
    rig.twin.slow_body(bytes_per_s=20)
    watch = Stopwatch()
    _, error = scan(driver, GLASS)
    assert isinstance(error, NoReply)
    assert watch.s < escl.PAGE_LIMIT_S + 1


def test_fault_within_a_feed_is_refused_with_the_status(driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(2))
    rig.twin.break_down()
    _, error = scan(driver)
    assert isinstance(error, Refused)
    assert error.condition is Condition.DEVICE_FAULT
    still_works(driver, rig)


def test_job_that_the_scanner_dropped_meanwhile_ends_the_feed(driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(3))
    rig.twin.drop_idle_jobs_after(0.0)
    pages, error = scan(driver)
    assert not pages
    assert isinstance(error, BadReply)
    assert "no such job" in str(error)


def test_feed_that_never_ends_is_stopped(rig: Rig) -> None:
    rig.options = {"most_pages": 5}
    driver = rig.open()
    driver.hello()
    rig.twin.load_feeder(sheets(1))
    rig.twin.feed_for_ever()
    pages, error = scan(driver)
    assert len(pages) == 6
    assert isinstance(error, BadReply)
    assert "does not end" in str(error)
    assert not rig.twin.jobs[-1].active


def test_unreadable_status_leaves_the_first_answer_to_decide(driver: Any, rig: Rig) -> None:
    rig.twin.load_feeder(sheets(2))
    rig.twin.garble_status(b"<!DOCTYPE a [<!ENTITY b 'c'>]><ScannerStatus/>")
    assert scan(driver) == (sheets(2), None)
    with pytest.raises(BadReply, match="document type"):
        driver.conditions()


def test_wrong_address_is_a_bad_reply_that_names_it(rig: Rig) -> None:
    rig.line.base = "/wrong"
    with pytest.raises(BadReply, match=r"404 on http://.*/wrong"):
        rig.open().hello()


def test_device_that_is_gone_is_a_link_error(rig: Rig) -> None:
    driver = rig.open()
    driver.hello()
    rig.line.unplug()
    with pytest.raises(LinkError):
        driver.hello()
    rig.line.replug()
    assert driver.hello()
