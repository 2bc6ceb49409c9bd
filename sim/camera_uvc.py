"""Twin of a document camera: it shows what lies under it as MJPEG over HTTP, which OpenCV opens like a camera.

Source: protocols/scanners.md, section 3 (what such cameras do: dark frames at first, MJPG, sizes). UVC itself is not
simulated, as no video device can be made on an ordinary machine: OpenCV's V4L2 side is not shown by this twin, all
behind it is. Each connection is a camera switched on anew.
"""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from sim import papers
from sim.carriers import HttpAnswer, HttpRequest, HttpTwin

Pixels = npt.NDArray[np.float32]
BOUNDARY = "frame"
DARK_FRAMES = 5
"""How many frames the exposure takes to settle."""


@dataclass(kw_only=True)
class _Faults:
    """What the verbs have set; a fresh one is a healthy camera."""

    black: bool = False
    torn: bool = False
    moving: bool = False
    frames_per_s: float = 25.0
    size: tuple[int, int] | None = None
    frozen_after: int | None = None
    gone_after: int | None = None


class CameraTwin(HttpTwin):
    """A camera over a desk."""

    base: ClassVar[str] = "/video"
    beginning: ClassVar[str] = "camera:"

    def __init__(self, device: str, options: Mapping[str, object]) -> None:
        super().__init__(device, options)
        self.width, self.height = (_number(options, "width", 2592), _number(options, "height", 1944))
        self.view_width_mm = float(_number(options, "view_width_mm", 320))
        self.page = papers.FORM
        self.frames = 0
        """How many frames were sent, over all connections."""
        self._faults = _Faults()
        self._awake = threading.Event()
        self._awake.set()
        self._drawn: dict[tuple[papers.Paper, int, int], Pixels] = {}

    # -- what people do ------------------------------------------------------------------------------------------------

    def put_under(self, page: papers.Paper) -> None:
        """Lay a page under the camera."""
        with self.lock:
            self.page = page

    def recover(self) -> None:
        """Healthy again; the page lies where it lay."""
        with self.lock:
            self._faults = _Faults()
            self._awake.set()

    # -- faults --------------------------------------------------------------------------------------------------------

    def cover_lens(self) -> None:
        """Every frame is black."""
        self._set(black=True)

    def freeze(self, after_frames: int = 0) -> None:
        """No frame comes any more, but the camera stays there."""
        self._awake.clear()
        self._set(frozen_after=after_frames)

    def lose_cable_after(self, frames: int) -> None:
        """The stream ends in the middle."""
        self._set(gone_after=frames)

    def slow_down(self, frames_per_s: float) -> None:
        """Frames come slowly."""
        self._set(frames_per_s=frames_per_s)

    def give_size(self, width: int, height: int) -> None:
        """Frames of another size than the one asked for."""
        self._set(size=(width, height))

    def tear_frames(self) -> None:
        """The lower half of each frame is missing."""
        self._set(torn=True)

    def wave_hand(self) -> None:
        """Something moves in the picture."""
        self._set(moving=True)

    def _set(self, **what: object) -> None:
        with self.lock:
            for name, value in what.items():
                setattr(self._faults, name, value)

    # -- pictures ------------------------------------------------------------------------------------------------------

    def handle(self, request: HttpRequest) -> HttpAnswer | None:
        """The stream."""
        if request.path != self.base:
            return HttpAnswer(status=404, headers={})
        media = {"Content-Type": f"multipart/x-mixed-replace; boundary={BOUNDARY}"}
        return HttpAnswer(status=200, headers=media, stream=self._stream())

    def _stream(self) -> Iterator[bytes]:
        number = 0
        while True:
            with self.lock:
                faults = self._faults
                if faults.gone_after is not None and number >= faults.gone_after:
                    return
            if faults.frozen_after is not None and number >= faults.frozen_after and not self._awake.wait(60):
                return
            jpeg = self._frame(number, faults)
            yield (
                f"--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode()
                + jpeg
                + b"\r\n"
            )
            number += 1
            self.frames += 1
            time.sleep(1 / faults.frames_per_s)

    def _frame(self, number: int, faults: _Faults) -> bytes:
        width, height = faults.size or (self.width, self.height)
        picture = self._desk(width, height)
        light = 0.0 if faults.black else min(1.0, number / DARK_FRAMES)
        noise = np.random.default_rng(number).normal(0, 1.5, (height, width, 1)).astype(np.float32)
        picture = picture * light + noise
        if faults.moving:
            left = number * width // 7 % (width - width // 4)
            picture[height // 4 : height // 2, left : left + width // 4] = 120
        out = io.BytesIO()
        Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(out, "JPEG", quality=90)
        jpeg = out.getvalue()
        return jpeg[: len(jpeg) // 2] + b"\xff\xd9" if faults.torn else jpeg

    def _desk(self, width: int, height: int) -> Pixels:
        with self.lock:
            key = (self.page, width, height)
            if key not in self._drawn:
                dpi = round(width * papers.INCH_MM / self.view_width_mm)
                view = papers.lay(self.page, dpi, width / dpi * papers.INCH_MM, height / dpi * papers.INCH_MM)
                self._drawn = {key: np.asarray(view.resize((width, height)), dtype=np.float32)}
            return self._drawn[key]


def _number(options: Mapping[str, object], name: str, otherwise: int) -> int:
    value = options.get(name, otherwise)
    return round(value) if isinstance(value, int | float) else otherwise


TWIN = CameraTwin
