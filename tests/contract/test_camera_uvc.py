"""The document camera's driver: OpenCV in its helper, on a stream that the twin makes in place of a video device."""

import io
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

import drivers.camera_uvc as uvc
from drivers.base import (
    QUESTION_LIMIT_S,
    BadReply,
    ColorMode,
    Condition,
    DeviceError,
    LinkError,
    NoReply,
    PageSource,
    Refused,
    ScanProfile,
)
from drivers.camera_helper import CameraHelper
from drivers.transport import link_type, open_link
from drivers.transport_camera import Camera
from hall_daemon.imaging import process
from sim import papers
from sim.camera_uvc import TWIN
from sim.carriers import HttpPort
from sim.stopwatch import Stopwatch
from tests.contract.contract import DriverContract, Rig, damaged, until

DESK = ScanProfile()
SMALL: dict[str, Any] = {"width": 800, "height": 600, "view_width_mm": 320.0, "look_every_s": 0.0}
PAGE = papers.Paper(
    width_mm=210, height_mm=148, x_mm=50, y_mm=40, skew_deg=3.0, bed=papers.Bed.GRAY, content=papers.Content.LETTER
)


class CameraRig(Rig):
    """A rig whose twin can give frames again before the line goes."""

    def close(self) -> None:
        self.twin.recover()
        super().close()


def plug_in(options: dict[str, Any]) -> Rig:
    twin = TWIN("TST-01", options)
    line = HttpPort(twin, twin.base)
    line.start()
    return CameraRig(driver_type=uvc.DRIVER, options=options, twin=twin, line=line)


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = plug_in(SMALL)
    yield rig
    rig.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer frames are judged: what is shown does not depend on how many."""
    monkeypatch.setattr(uvc, "TRIES", 6)


@pytest.fixture
def camera_at() -> Iterator[Callable[..., Any]]:
    """Drivers of cameras without a twin."""
    links: list[Camera] = []

    def open_camera(port: str, **options: Any) -> Any:
        links.append(Camera(port))
        return uvc.DRIVER("TST-01", links[-1], uvc.CameraOptions(**{**SMALL, **options}))

    yield open_camera
    for link in links:
        link.close()


def one_page(driver: Any, profile: ScanProfile = DESK) -> bytes:
    (page,) = list(driver.scan(profile))
    assert (page.number, page.media) == (1, "image/jpeg")
    assert page.dpi == driver.options.dpi
    return bytes(page.data)


def gray(jpeg: bytes) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.asarray(Image.open(io.BytesIO(jpeg)).convert("L"), dtype=np.float64)


INHERITED = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors, HealthCheck.too_slow]
HELPER_ANSWERS = [
    b'{"frame": 1}\n{"frame": 2}\n{"state": "ok", "width": 800, "height": 600, "bytes": 13}\n\xff\xd8 picture \xff\xd9',
    b'{"frame": 1}\n{"state": "dark", "width": 800, "height": 600, "bytes": 0}\n',
    b'{"state": "closed", "width": 0, "height": 0, "bytes": 0}\n',
]


class ScriptedHelper(CameraHelper):
    """A helper in memory: everything it will ever say lies in its pipe, and behind that it is gone."""

    def __init__(self, says: bytes) -> None:
        reading, writing = os.pipe()
        os.write(writing, says)
        os.close(writing)
        process = SimpleNamespace(
            pid=0, stdin=os.fdopen(os.open(os.devnull, os.O_WRONLY), "wb"), stdout=os.fdopen(reading, "rb", 0),
            kill=lambda: None, wait=lambda limit_s: 0,
        )  # fmt: skip
        self._process: Any = process
        self._left = b""


@pytest.fixture(autouse=True)
def _opencv_has_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long OpenCV takes to load says something about this machine only; a hall asks again later."""

    def loaded() -> CameraHelper:
        helper = CameraHelper()
        until(lambda: "cv2" in Path(f"/proc/{helper.pid}/maps").read_text(encoding="utf-8"), what="OpenCV is there")
        return helper

    monkeypatch.setattr("drivers.transport_camera.CameraHelper", loaded)


class TestUvcCamera(DriverContract):
    driver_module = "camera_uvc"
    twin_module = "camera_uvc"
    options: ClassVar[dict[str, Any]] = SMALL
    causes: ClassVar[dict[Condition, Callable[[Any], object]]] = {
        Condition.LENS_DARK: lambda twin: twin.cover_lens(),
    }

    @pytest.fixture
    def rig(self, rig: Rig) -> Rig:
        return rig

    def job(self, driver: Any, rig: Rig) -> None:
        rig.twin.put_under(PAGE)
        seen = gray(one_page(driver))
        truth = rig.twin._desk(800, 600).mean(axis=2)
        assert seen.shape == (600, 800)
        assert np.abs(seen - truth).mean() < 3, "two JPEG codings and some noise"

    def spoils(self, rig: Rig) -> Sequence[Callable[[], object]]:
        return (lambda: rig.twin.give_size(640, 480),)

    def job_blind(self, driver: Any) -> None:
        list(driver.scan(DESK))

    def sample_replies(self) -> list[bytes]:
        return [line + b"\n" for answer in HELPER_ANSWERS for line in answer.splitlines() if b"state" in line]

    def _ask_until_error(self, driver: Any) -> None:
        for _ in range(3):
            driver.conditions()

    def test_mute_device_gives_no_reply_in_time(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.freeze()
        for question in (driver.hello, driver.conditions):
            watch, pid = Stopwatch(), driver.link.helper_pid
            with pytest.raises(NoReply):
                question()
            assert watch.s < QUESTION_LIMIT_S
            assert not Path(f"/proc/{pid}").exists()
        rig.twin.recover()
        self.job(driver, rig)

    def test_reply_in_single_bytes_is_the_same_reply(self, rig: Rig) -> None:
        rig.twin.slow_down(frames_per_s=6)
        driver = rig.open()
        driver.hello()
        self.job(driver, rig)

    def test_leftovers_of_an_earlier_answer_are_ignored(self, rig: Rig) -> None:
        driver = rig.open()
        rig.twin.lose_cable_after(frames=3)
        with pytest.raises(LinkError):
            one_page(driver)
        rig.twin.recover()
        self.job(driver, rig)

    @settings(max_examples=60, deadline=None, suppress_health_check=INHERITED)
    @given(data=st.data())
    def test_damaged_replies_raise_only_device_errors(self, data: st.DataObject) -> None:
        """What the helper tells is damaged; what the camera sends is, in test_stream_of_anything."""
        answers = st.sampled_from(HELPER_ANSWERS).flatmap(damaged)
        said = data.draw(st.lists(st.one_of(answers, st.binary(max_size=64)), max_size=6))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("drivers.transport_camera.CameraHelper", lambda: ScriptedHelper(b"".join(said)))
            link = Camera("camera:scripted")
            driver = uvc.DRIVER("TST-01", link, uvc.CameraOptions(**SMALL))
            for deed in (driver.hello, driver.conditions, lambda: self.job_blind(driver)):
                try:
                    deed()
                except DeviceError as exc:
                    assert str(exc)
            link.close()

    def test_undamaged_answers_of_the_helper_are_understood(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("drivers.transport_camera.CameraHelper", lambda: ScriptedHelper(HELPER_ANSWERS[0] * 2))
        driver = uvc.DRIVER("TST-01", Camera("camera:scripted"), uvc.CameraOptions(**SMALL))
        driver.hello()
        assert one_page(driver) == b"\xff\xd8 picture \xff\xd9"
        driver.link.close()

    @pytest.mark.parametrize(
        "line",
        [
            b"[ WARN:0] global cap_v4l.cpp", b"3", b"null", b'{"state": "good"}', b'{"state": ["ok"]}', b"\xff",
            b'{"state": "ok", "width": "800", "height": 600, "bytes": 0}', b'{"state": "ok", "bytes": -1}',
            b'{"state": "ok", "width": 800, "height": 600, "bytes": 99999999999}',
        ],
    )  # fmt: skip
    def test_line_that_is_none_of_the_helpers_is_a_bad_reply(
        self, line: bytes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("drivers.transport_camera.CameraHelper", lambda: ScriptedHelper(line + b"\n"))
        driver = uvc.DRIVER("TST-01", Camera("camera:scripted"), uvc.CameraOptions(**SMALL))
        with pytest.raises(BadReply, match="camera helper"):
            driver.hello()
        driver.link.close()


# -- pictures ----------------------------------------------------------------------------------------------------------


def test_page_is_found_on_the_desk_and_set_straight() -> None:
    rig = plug_in({"width": 1600, "height": 1200})
    rig.twin.put_under(PAGE)
    result = process(one_page(rig.open()), "image/jpeg", 127)
    rig.close()
    assert abs(result.skew_mdeg - 3000) < 300
    assert abs(result.width - 210 / 25.4 * 127) < 12
    assert abs(result.height - 148 / 25.4 * 127) < 12


def test_first_frames_are_left_out_because_they_are_dark(rig: Rig) -> None:
    rig.options = {**SMALL, "drop_frames": 0}
    assert gray(one_page(rig.open())).max() > 200, "a frame from before the light had settled was taken"


def test_as_many_frames_are_left_out_as_was_said(rig: Rig) -> None:
    rig.options = {**SMALL, "drop_frames": 25}
    assert one_page(rig.open())
    assert rig.twin.frames > 25


def test_gray_is_gray(rig: Rig) -> None:
    jpeg = one_page(rig.open(), ScanProfile(color=ColorMode.GRAY))
    assert Image.open(io.BytesIO(jpeg)).mode == "L"


def test_resolution_follows_from_what_was_measured() -> None:
    assert uvc.CameraOptions(width=2592, height=1944, view_width_mm=320).dpi == 206
    assert uvc.CameraOptions(width=4208, height=3120, view_width_mm=356.5).dpi == 300


def test_images_in_files_stand_for_a_camera(tmp_path: Path, camera_at: Callable[..., Any]) -> None:
    noise = np.random.default_rng(1).integers(90, 160, (600, 800, 3), dtype=np.uint8)
    for number in range(4):
        Image.fromarray(noise).save(tmp_path / f"f_{number:03}.png")
    driver = camera_at(f"camera:{tmp_path}/f_%03d.png", drop_frames=1)
    assert gray(one_page(driver)).shape == (600, 800)


# -- faults ------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("verb", "error", "says"),
    [
        (lambda twin: twin.cover_lens(), Refused, "black"),
        (lambda twin: twin.wave_hand(), BadReply, "moves"),
        (lambda twin: twin.tear_frames(), BadReply, "torn"),
        (lambda twin: twin.give_size(640, 480), Refused, "640 x 480"),
        (lambda twin: twin.lose_cable_after(4), LinkError, "lost meanwhile"),
    ],
)
def test_fault_is_told_and_the_next_picture_is_good(
    verb: Callable[[Any], None], error: type[DeviceError], says: str, rig: Rig
) -> None:
    driver = rig.open()
    verb(rig.twin)
    with pytest.raises(error, match=says) as caught:
        one_page(driver)
    assert "TST-01" in str(caught.value)
    rig.twin.recover()
    assert one_page(driver)


@pytest.mark.usefixtures("quick")
def test_covered_lens_is_its_own_condition(rig: Rig) -> None:
    driver = rig.open()
    rig.twin.cover_lens()
    with pytest.raises(Refused) as caught:
        one_page(driver)
    assert caught.value.condition is Condition.LENS_DARK


def test_camera_that_freezes_within_a_picture_is_given_up_by_the_watchdog(rig: Rig) -> None:
    rig.options = {**SMALL, "frame_limit_s": 0.5}
    driver = rig.open()
    rig.twin.freeze(after_frames=4)
    watch, pid = Stopwatch(), driver.link.helper_pid
    with pytest.raises(NoReply, match="no frame"):
        one_page(driver)
    assert watch.s < 5
    assert not Path(f"/proc/{pid}").exists()


def test_helper_that_stops_is_killed(rig: Rig) -> None:
    rig.options = {**SMALL, "frame_limit_s": 0.5}
    driver = rig.open()
    seen: list[DeviceError] = []

    def take() -> None:
        try:
            one_page(driver)
        except DeviceError as exc:
            seen.append(exc)

    thread = threading.Thread(target=take)
    thread.start()
    until(lambda: rig.twin.frames > 1, what="the camera is on")
    pid = driver.link.helper_pid
    os.kill(pid, signal.SIGSTOP)
    thread.join(40)
    assert isinstance(seen[0], NoReply)
    assert not Path(f"/proc/{pid}").exists()


def test_closing_the_link_ends_a_picture_at_once(rig: Rig) -> None:
    driver = rig.open()
    rig.twin.freeze(after_frames=2)
    seen: list[DeviceError] = []

    def take() -> None:
        try:
            one_page(driver)
        except DeviceError as exc:
            seen.append(exc)

    thread = threading.Thread(target=take)
    thread.start()
    until(lambda: rig.twin.frames > 1, what="the camera is on")
    watch = Stopwatch()
    driver.link.close()
    thread.join(40)
    assert watch.s < 2
    assert isinstance(seen[0], LinkError)


@pytest.mark.parametrize("profile", [ScanProfile(source=PageSource.FEEDER), ScanProfile(duplex=True)])
def test_camera_has_no_feeder(profile: ScanProfile, rig: Rig) -> None:
    with pytest.raises(Refused) as caught:
        one_page(rig.open(), profile)
    assert caught.value.condition is Condition.PROFILE_UNSUITABLE


def test_idle_camera_is_switched_on_only_now_and_then(rig: Rig) -> None:
    rig.options = {**SMALL, "look_every_s": 600.0}
    driver = rig.open()
    driver.hello()
    frames = rig.twin.frames
    for _ in range(5):
        assert driver.conditions() == frozenset()
    assert rig.twin.frames <= frames + 1, "a frame that was on its way"


@pytest.mark.parametrize("body", [b"", b"--frame\r\n\r\n", b"<html>", b"\xff\xd8\xff\xd9" * 50])
def test_stream_of_anything_raises_only_device_errors(
    body: bytes, tmp_path: Path, camera_at: Callable[..., Any]
) -> None:
    (tmp_path / "x.mjpeg").write_bytes(body)
    with pytest.raises(DeviceError):
        one_page(camera_at(f"camera:{tmp_path}/x.mjpeg"))


# -- ports -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "port", ["/dev/v4l/by-id/usb-X_HD-video-index0", "/dev/v4l/by-path/pci-0-video-index0", "camera:http://x/video"]
)
def test_port_is_a_camera_by_its_stable_name(port: str) -> None:
    assert link_type(port) is Camera


def test_camera_that_is_not_plugged_in_is_a_link_error() -> None:
    with pytest.raises(LinkError, match="plugged in"):
        open_link("/dev/v4l/by-id/usb-nosuch-video-index0")


def test_camera_that_is_pulled_is_gone_at_the_next_question(tmp_path: Path, camera_at: Callable[..., Any]) -> None:
    name = tmp_path / "by-id"
    name.write_bytes(b"")
    driver = camera_at(str(name))
    name.unlink()
    with pytest.raises(LinkError, match="plugged in"):
        driver.conditions()


def test_file_that_is_no_video_device_will_not_open(tmp_path: Path, camera_at: Callable[..., Any]) -> None:
    name = tmp_path / "by-id"
    name.write_bytes(b"")
    with pytest.raises(LinkError, match="will not open"):
        camera_at(str(name)).hello()


@pytest.mark.parametrize(
    "options",
    [{"width": 100}, {"height": 9000}, {"view_width_mm": 0.0}, {"drop_frames": -1}, {"frame_limit_s": 9.0}],
)
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        uvc.CameraOptions(**options)
