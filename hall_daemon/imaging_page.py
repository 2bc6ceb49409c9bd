"""One page in the imaging process, which the daemon spawns: made upright, its codes read, kept in the spool.

The process loads this file and what it imports, so it imports no room that knows the hall: the first page waits for it.
"""

from __future__ import annotations

import ctypes
import hashlib
import multiprocessing
import os
import signal
from dataclasses import dataclass
from pathlib import Path

from hall_daemon import privacy

USUAL_DPI = 200
"""Of a page whose device does not say it."""


@dataclass(frozen=True, kw_only=True)
class ReadPage:
    """What imaging made of a page, already in the spool."""

    blob: str
    sm3: str
    bytes: int
    width: int
    height: int
    dpi: int
    color: bool
    rotation: int
    skew_mdeg: int
    blur: int
    blurred: bool
    edges_ok: bool
    blank: bool
    codes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PagePart:
    """What is wanted of a page: one `zoom`-th of its sides, from `x` and `y` (thousandths), in so many dots."""

    zoom: int
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class SeenPage:
    """What a look at a picture tells; nothing of it is kept."""

    width: int
    height: int
    dpi: int
    blur: int
    """As PageResult.blur: hundredths of a millimetre, 0 where there is no ink."""
    blurred: bool


class PageUnreadable(Exception):
    """The page is no image that can be read; the sentence says why."""


def read_page(folder: Path, original: str, media: str, dpi: int, color: bool) -> ReadPage:
    """In the imaging process: crop, straighten, read codes, and spool the result. Raises PageUnreadable."""
    from hall_daemon import imaging  # noqa: PLC0415 - only this process pays for OpenCV

    try:
        result = imaging.process((folder / original).read_bytes(), media, dpi)
    except imaging.ImagingError as exc:
        raise PageUnreadable(str(exc)) from exc
    name = spool(folder, result.jpeg)
    return ReadPage(
        blob=f"sha256:{name}", sm3=privacy.sm3_hex(result.jpeg), bytes=len(result.jpeg), width=result.width,
        height=result.height, dpi=result.dpi, color=color, rotation=result.rotation, skew_mdeg=result.skew_left_mdeg,
        blur=result.blur, blurred=result.blur >= imaging.BLURRED, edges_ok=result.edges_ok, blank=result.blank,
        codes=tuple(code.text for code in result.codes),
    )  # fmt: skip


def look_at_page(data: bytes, media: str, dpi: int) -> SeenPage:
    """In a process of its own: size and sharpness of a picture as it came. Raises PageUnreadable."""
    from hall_daemon import imaging  # noqa: PLC0415 - only this process pays for OpenCV

    dpi = dpi or USUAL_DPI
    try:
        width, height, blur = imaging.sharpness(data, media, dpi)
    except imaging.ImagingError as exc:
        raise PageUnreadable(str(exc)) from exc
    return SeenPage(width=width, height=height, dpi=dpi, blur=blur, blurred=blur >= imaging.BLURRED)


def page_dots(file: Path, part: PagePart) -> tuple[str, ...]:
    """In the imaging process: a part of a page as rows of dots. Raises PageUnreadable."""
    from hall_daemon import imaging  # noqa: PLC0415 - only this process pays for OpenCV

    try:
        return imaging.dots(file.read_bytes(), zoom=part.zoom, x=part.x, y=part.y, width=part.width, height=part.height)
    except (OSError, imaging.ImagingError) as exc:
        raise PageUnreadable(str(exc)) from exc


def spool(folder: Path, data: bytes) -> str:
    """Keep bytes under their SHA-256; on the disk, name included, when this returns."""
    name = hashlib.sha256(data).hexdigest()
    target = folder / name
    if target.exists() and target.stat().st_size == len(data):
        return name
    temporary = folder / f".{name}.{os.getpid()}"
    with temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(target)
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    return name


def end_with_parent() -> None:
    """The imaging process must not outlive a daemon that was killed. Source: prctl(2), PR_SET_PDEATHSIG."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    daemon = multiprocessing.parent_process()
    if daemon is not None and os.getppid() != daemon.pid:
        os._exit(1)  # it was killed while this process was still loading: no signal will come any more
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # one page at a time; threads of the library gained nothing
    signal.signal(signal.SIGINT, signal.SIG_IGN)
