"""Cameras that OpenCV can open: a video device by its stable name, or an address or file that stands for one.

OpenCV runs in the helper of drivers/camera_helper.py, which loads it once, switches the camera on for each request
only, and is killed when it hangs.
"""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, cast

from drivers.base import BadReply, LinkError, NoReply
from drivers.camera_helper import CameraHelper
from drivers.transport import Link

LOAD_S = 1.0
"""What OpenCV may still take to load when the first question comes, beyond the limit of the picture."""

Seen = Literal["ok", "closed", "no_frame", "warming", "dark", "moving", "torn"]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How to take a picture; sizes in pixels, times in seconds."""

    width: int
    height: int
    drop: int
    """Frames to leave out at first."""
    tries: int
    """Frames to judge after those."""
    limit_s: float
    gray: bool = False
    dark_below: int = 24
    """Brightest spot, of 255, below which a frame is dark."""
    steady_within: int = 24
    """Difference at any spot, of 255, up to which two frames in a row show the same."""
    wanted: bool = True
    """False: look only, no picture is given back."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """What came of it; the size is that of the frame, whatever was asked for."""

    seen: Seen
    width: int
    height: int
    jpeg: bytes


class Camera(Link):
    """One camera. Opening it costs no traffic; one that is gone shows at the first question."""

    port_form = "/dev/v4l/by-id/..., /dev/v4l/by-path/... or camera:<address or file>"

    def __init__(self, port: str) -> None:
        super().__init__(port)
        self.is_device = port.startswith("/")
        self._target = port.removeprefix("camera:")
        self._closed = threading.Event()
        self.check_there()
        self._in_use = threading.Lock()
        self._helper = CameraHelper()

    @property
    def helper_pid(self) -> int:
        """Process in which OpenCV runs."""
        return self._helper.pid

    def check_there(self) -> None:
        """Raises LinkError where a video device is not there; of an address nothing is known without asking."""
        if self.is_device and not Path(self._target).exists():
            raise LinkError(f"{self.port}: no such camera is plugged in")

    def take(self, how: Wanted, silence_s: float) -> Picture:
        """Switch the camera on, judge its frames, take the first good one, switch it off.

        Raises NoReply after the limit and a second for loading, or after silence_s seconds without a frame: what hangs
        is killed, and a new helper takes its place. Raises LinkError.
        """
        if self._closed.is_set():
            raise LinkError(f"{self.port} is closed")
        self.check_there()
        # by-id and by-path are links; which /dev/videoN they mean changes with each plug.
        target = str(Path(self._target).resolve()) if self.is_device else self._target
        request = {"target": target, "device": self.is_device, **asdict(how)}
        self._trace(">", f"picture {how.width} x {how.height} of {target}".encode())
        with self._in_use:
            return self._take(request, how.limit_s + LOAD_S, silence_s + LOAD_S)

    def _take(self, request: dict[str, object], limit_s: float, silence_s: float) -> Picture:
        try:
            answer, jpeg = self._helper.ask(request, limit_s, silence_s)
        except TimeoutError as exc:
            self._begin_anew()
            self.check_there()
            raise NoReply(f"{self.port}: no frame for {silence_s:.1f} s; the helper was killed") from exc
        except ValueError as exc:
            self._begin_anew()
            raise BadReply(f"{self.port}: the camera helper said {exc}; it was killed") from None
        except EOFError as exc:
            why = "closed while waiting for the camera" if self._closed.is_set() else str(exc)
            raise LinkError(f"{self.port}: {why}") from exc
        picture = Picture(seen=cast(Seen, answer["state"]), width=answer["width"], height=answer["height"], jpeg=jpeg)
        self._trace("<", f"{picture.seen} {picture.width} x {picture.height}, {len(jpeg)} bytes".encode())
        return picture

    def _begin_anew(self) -> None:
        self._helper.end()
        self._helper.close()
        self._helper = CameraHelper()
        if self._closed.is_set():
            self._helper.end()

    def close(self) -> None:
        self._closed.set()
        self._helper.end()
        with self._in_use:  # whoever waited has met the helper's end
            self._helper.end()
            self._helper.close()
