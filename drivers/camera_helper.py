"""OpenCV in a process of its own: a camera that hangs holds its caller for ever, and only a process can be killed.

The upper half runs in the daemon, for drivers/transport_camera.py, and loads no OpenCV; the lower half is the helper,
which is this file started as a program. One request is in flight at a time.

    to the helper     {"target": "/dev/video0", "width": 2592, "height": 1944, "drop": 8, ...}     one JSON line
    from the helper   {"frame": 3}                                                                 one for each frame
                      {"state": "ok", "width": ..., "height": ..., "bytes": 123456}                the last line
                      123456 bytes of JPEG

States: ok; closed (will not open, or is lost); no_frame; warming (time was up before the frames that are dropped were
over); dark; moving (no two frames in a row agree); torn (one colour below).
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, BinaryIO

PR_SET_PDEATHSIG = 1
STATES = ("ok", "closed", "no_frame", "warming", "dark", "moving", "torn")
LARGEST = 64 * 1024 * 1024
"""Bytes of a picture, or pixels of a side, above which a number cannot be meant."""
_ENVIRONMENT = {
    "OPENCV_LOG_LEVEL": "OFF",
    "OPENBLAS_NUM_THREADS": "1",
    # A stream is known by its first frame; looking at 5 MB of it first would take seconds.
    "OPENCV_FFMPEG_CAPTURE_OPTIONS": "probesize;65536|analyzeduration;100000",
}


def decode_line(line: bytes) -> dict[str, Any]:
    """One line of the helper; with a state it is complete, its numbers possible. Any: JSON. Raises ValueError."""
    try:
        answer = json.loads(line)
    except RecursionError as exc:
        raise ValueError("a line that is nested too deeply") from exc
    if not isinstance(answer, dict):
        raise ValueError("a line that is no object")  # noqa: TRY004 - what arrived is wrong, not how it was passed
    if "state" not in answer:
        return answer
    numbers = [answer.get("width", 0), answer.get("height", 0), answer.get("bytes", 0)]
    if answer["state"] not in STATES or not all(type(n) is int and 0 <= n <= LARGEST for n in numbers):
        raise ValueError("a state or a size that does not exist")
    return {"state": answer["state"], "width": numbers[0], "height": numbers[1], "bytes": numbers[2]}


class CameraHelper:
    """A running helper."""

    def __init__(self) -> None:
        # What OpenCV and FFmpeg write about frames is of no use to anybody.
        self._process = subprocess.Popen(  # noqa: S603 - starts this very file
            [sys.executable, "-I", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, **_ENVIRONMENT}, bufsize=0,
        )  # fmt: skip
        self._left = b""

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def ask(self, request: dict[str, Any], limit_s: float, silence_s: float) -> tuple[dict[str, Any], bytes]:
        """The last line of the answer and the picture. Any: JSON.

        Raises TimeoutError after limit_s seconds, or silence_s seconds without a frame; EOFError if the helper is gone;
        ValueError for what is no line of ours, as a library of OpenCV's may print.
        """
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
        except (OSError, ValueError) as exc:
            raise EOFError("the camera helper is gone") from exc
        deadline = time.monotonic() + limit_s
        while True:
            answer = decode_line(self._line(min(deadline, time.monotonic() + silence_s)))
            if "state" in answer:
                return answer, self._bytes(answer["bytes"], deadline)

    def _line(self, deadline: float) -> bytes:
        while b"\n" not in self._left:
            self._read(deadline)
        line, _, self._left = self._left.partition(b"\n")
        return line

    def _bytes(self, count: int, deadline: float) -> bytes:
        while len(self._left) < count:
            self._read(deadline)
        data, self._left = self._left[:count], self._left[count:]
        return data

    def _read(self, deadline: float) -> None:
        assert self._process.stdout is not None
        try:
            if not select.select([self._process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError
            more = os.read(self._process.stdout.fileno(), 1 << 20)
        except (OSError, ValueError) as exc:
            if isinstance(exc, TimeoutError):
                raise
            raise EOFError("the camera helper is gone") from exc
        if not more:
            raise EOFError("the camera helper is gone")
        self._left += more

    def end(self) -> None:
        """End it, whatever it is doing; never raises. Whoever waits for it meets its end, so its pipes stay open."""
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2.0)

    def close(self) -> None:
        """Give its pipes back, after it has ended and nobody waits for it."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


# -- the helper: from here on nothing runs in the daemon ------------------------------------------------------------


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Take one picture after the other until the daemon closes the pipe."""
    cv2 = importlib.import_module("cv2")

    def tell(line: dict[str, Any]) -> None:
        answers.write(json.dumps(line).encode() + b"\n")
        answers.flush()

    for line in requests:
        request = json.loads(line)
        state, picture = "closed", None
        try:
            for seen in _look(cv2, request):
                state, picture = seen
                tell({"frame": state})
        except cv2.error:
            state, picture = "no_frame", None
        height, width = picture.shape[:2] if picture is not None else (0, 0)
        jpeg = b""
        if picture is not None and request["wanted"]:
            if request["gray"]:
                picture = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
            jpeg = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, 95))[1].tobytes()
        tell({"state": state, "width": width, "height": height, "bytes": len(jpeg)})
        answers.write(jpeg)
        answers.flush()


def _look(cv2: Any, request: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Open the camera and judge frame after frame; the last judgement counts. Any: cv2 is loaded late."""
    camera = _open(cv2, request)
    try:
        if not camera.isOpened():
            yield "closed", None
            return
        before, ends_at = None, time.monotonic() + request["limit_s"]
        for number in range(request["drop"] + request["tries"]):
            if number and time.monotonic() > ends_at:
                return
            whole, frame = camera.read()
            if not whole or frame is None:
                yield "closed" if number else "no_frame", None
                return
            if number < request["drop"]:
                yield "warming", frame
                continue
            small = cv2.resize(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), (64, 48), interpolation=cv2.INTER_AREA)
            state = _judge(cv2, frame, small, before, request)
            before = small
            yield state, frame
            if state == "ok":
                return
    finally:
        camera.release()


def _open(cv2: Any, request: dict[str, Any]) -> Any:
    """MJPG before the size: many cameras have their full size in no other format."""
    if not request["device"]:
        return cv2.VideoCapture(request["target"])
    camera = cv2.VideoCapture(request["target"], cv2.CAP_V4L2)
    mjpg = cv2.VideoWriter_fourcc(*"MJPG")
    camera.set(cv2.CAP_PROP_FOURCC, mjpg)
    camera.set(cv2.CAP_PROP_FRAME_WIDTH, request["width"])
    camera.set(cv2.CAP_PROP_FRAME_HEIGHT, request["height"])
    camera.set(cv2.CAP_PROP_FOURCC, mjpg)  # some versions forget it with the size
    camera.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return camera


def _judge(cv2: Any, frame: Any, small: Any, before: Any, request: dict[str, Any]) -> str:
    """What is wrong with a frame, or ok; `small` is its picture in small, `before` that of the frame before."""
    if int(small.max()) < request["dark_below"]:
        return "dark"
    below = frame[-max(8, frame.shape[0] // 16) :]
    lowest, highest = below.min(axis=(0, 1)), below.max(axis=(0, 1))
    # A decoder fills what a torn frame lacks with one colour; noise never gives that, except in pure black and white.
    if (lowest == highest).all() and int(highest.max()) > 0 and int(lowest.min()) < 255:
        return "torn"
    if before is None or int(cv2.absdiff(small, before).max()) > request["steady_within"]:
        return "moving"
    return "ok"


def _end_with_parent() -> None:
    """Source: prctl(2)."""
    importlib.import_module("ctypes").CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    _end_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the daemon's to handle
    serve(sys.stdin.buffer, sys.stdout.buffer)
