"""Document camera (高拍仪) that is a plain USB video device (UVC), by OpenCV.

Source: protocols/scanners.md, section 3 and its confidence marks.

    open by stable name -> MJPG first, then the size (A) -> drop frames, dark or unfocused at first (B)
      -> two frames in a row agree, neither dark nor torn -> the second one, checked for its real size (A), as JPEG

The picture is the whole desk: imaging finds the paper on it. Its resolution follows from `view_width_mm`, which
somebody has measured with a ruler. A camera that gives no frame for 5 s is given up (the helper that holds it is
killed); one that opens and is black is Refused(LENS_DARK). That a document must lie still, what counts as dark and
how a torn frame looks are guesses (G) with numbers below.

Limits: no video device was met. Everything was shown with an MJPEG stream that OpenCV opens in place of one; what its
V4L2 side does with MJPG, sizes and a pulled cable was not. The frame is decoded and encoded again (quality 95). LED,
keys and built-in readers of such cameras are other USB devices. While idle the camera is switched on every
`look_every_s` seconds only; a pulled USB cable shows at once, because its name vanishes.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
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
from drivers.transport_camera import Camera, Picture, Wanted

LOOK_S = 2.4
"""For a look while idle; with the second for loading still a question."""
PAGE_S = 12.0
TRIES = 60
LOOKS = 3


@dataclass(frozen=True, kw_only=True)
class CameraOptions(DeviceOptions):
    """Keys of a document camera's table."""

    width: int = 2592
    height: int = 1944
    """Full size of the camera in pixels; exists in MJPG only."""
    view_width_mm: float = 320.0
    """How much of the desk the longer side of the picture shows, millimetres."""
    drop_frames: int = 10
    """Frames to leave out after switching on, until light and focus have settled."""
    frame_limit_s: float = 5.0
    """Silence after which the camera is given up."""
    look_every_s: float = 60.0
    """How often the idle camera is switched on to see whether it sees, seconds."""

    def __post_init__(self) -> None:
        for name, low, high in (
            ("width", 320, 8192), ("height", 240, 8192), ("view_width_mm", 50, 1000), ("drop_frames", 0, 100),
            ("frame_limit_s", 0.2, 8), ("look_every_s", 0, 3600),
        ):  # fmt: skip
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} = {getattr(self, name)}: legal is {low} to {high}")

    @property
    def dpi(self) -> int:
        """Resolution on the desk."""
        return round(max(self.width, self.height) / self.view_width_mm * 25.4)


_SEEN_WORDS = {
    "ok": ("图像", "picture"),
    "closed": ("打不开或断开", "will not open, or is lost"),
    "no_frame": ("没有画面", "no frame"),
    "warming": ("画面未稳定", "still warming up"),
    "dark": ("画面全黑", "black picture"),
    "moving": ("画面在动", "something moves"),
    "torn": ("画面撕裂", "torn frame"),
}


def explain(direction: str, data: bytes) -> str:
    """Meaning for a technician, `Chinese | English`: what is asked of the helper, and what it says of its picture."""
    told = data.decode("utf-8", "replace")
    if direction == ">":
        asked = re.match(r"picture (\d+) x (\d+) of ", told)
        return f"拍照 {asked[1]}×{asked[2]} | take a picture of {asked[1]} x {asked[2]}" if asked else ""
    answer = re.match(r"([a-z_]+) (\d+) x (\d+), (\d+) bytes", told)
    words = _SEEN_WORDS.get(answer[1]) if answer else None
    if answer is None or words is None:
        return ""
    size = f" {answer[2]}×{answer[3]}" if answer[1] == "ok" else ""
    return f"{words[0]}{size} | {words[1]}{size}"


class UvcCamera(PageScanner[Camera, CameraOptions]):
    """A document camera."""

    Options = CameraOptions
    Transport = Camera
    kind = "camera"
    job_limit_s: ClassVar[float] = 30.0

    def __init__(self, device: str, link: Camera, options: CameraOptions) -> None:
        super().__init__(device, link, options)
        self._looked_at = -1e9
        self._dark = False

    def hello(self) -> Identity:
        """Switch it on and take a look. UVC names its maker by the port alone."""
        self._look()
        return Identity(model=self.link.port.rpartition("/")[2] if self.link.is_device else "")

    def conditions(self) -> frozenset[Condition]:
        """LENS_DARK if it saw nothing when it was last on. Raises LinkError when it is gone."""
        self.link.check_there()
        if time.monotonic() - self._looked_at >= self.options.look_every_s:
            self._look()
        return frozenset({Condition.LENS_DARK} if self._dark else ())

    def scan(self, profile: ScanProfile) -> Iterator[Page]:
        """Yield the one page that lies under the camera."""
        if profile.source is not PageSource.PLATEN or profile.duplex:
            raise Refused(Condition.PROFILE_UNSUITABLE, f"{self.device}: a camera has no feeder ({self.link.port})")
        picture = self._take("asked for a picture", TRIES, PAGE_S, gray=profile.color is ColorMode.GRAY)
        self._judge(picture)
        size, wanted = (picture.width, picture.height), (self.options.width, self.options.height)
        if size != wanted:
            raise Refused(
                Condition.PROFILE_UNSUITABLE,
                f"{self.device}: asked for {wanted[0]} x {wanted[1]} pixels, it gives {size[0]} x {size[1]} "
                f"({self.link.port})",
            )
        yield Page(data=picture.jpeg, media="image/jpeg", number=1, dpi=self.options.dpi)

    def _look(self) -> None:
        picture = self._take("asked whether it sees", LOOKS, LOOK_S, wanted=False)
        if picture.seen in {"closed", "no_frame"}:
            self._judge(picture)
        self._looked_at = time.monotonic()

    def _take(self, deed: str, tries: int, limit_s: float, *, gray: bool = False, wanted: bool = True) -> Picture:
        how = Wanted(
            width=self.options.width, height=self.options.height, drop=self.options.drop_frames, tries=tries,
            limit_s=limit_s, gray=gray, wanted=wanted,
        )  # fmt: skip
        self._looked_at = -1e9
        try:
            picture = self.link.take(how, min(self.options.frame_limit_s, limit_s))
        except NoReply as exc:
            raise NoReply(f"{self.device}: {deed}: {exc}") from exc
        if picture.seen != "warming":
            self._dark = picture.seen == "dark"
        return picture

    def _judge(self, picture: Picture) -> None:
        """Raise what is wrong with a picture."""
        if picture.seen == "ok":
            return
        errors: dict[str, DeviceError] = {
            "closed": LinkError(self._says("it will not open, or was lost meanwhile")),
            "no_frame": NoReply(self._says("it opens and gives no frame; another program or USB hub may hold it")),
            "warming": NoReply(self._says(f"not {self.options.drop_frames} frames within {PAGE_S} s")),
            "dark": Refused(Condition.LENS_DARK, self._says("the picture is black: lens covered, or lamp off")),
            "moving": BadReply(self._says("no two frames agree: something moves in the picture")),
            "torn": BadReply(self._says("its frames are torn")),
        }
        raise errors[picture.seen]

    def _says(self, what: str) -> str:
        return f"{self.device}: {what} ({self.link.port})"


DRIVER = UvcCamera
