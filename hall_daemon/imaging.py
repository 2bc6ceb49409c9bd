"""Page pictures: crop to the paper, set it straight, judge it, read its codes.

Pure functions on bytes; `process` runs in a pool of spawned processes, so it, its arguments and its result can be
pickled. What is not understood is left alone: a picture that needs no change keeps its very bytes, nothing but what
lies beside the paper is cut away, and a page is never dropped here, only marked. This room and its parts (marks, lie,
codes) are the only home of OpenCV, zxing-cpp and pyzbar.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from hall_daemon.imaging_codes import Code, Reader, Symbology, in_order, read_codes, second_reader_problem, upright_turn
from hall_daemon.imaging_lie import SMALLEST_SKEW_DEG, find_lie, straightened
from hall_daemon.imaging_marks import INCH_MM, Picture, blur_of, gray_of, ink_of, is_blank, shrunk

MOST_PIXELS = 72_000_000
"""A3 at 600 dpi; a small file can unpack to much more."""
LONGEST_SIDE = 30_000
"""Pixels; OpenCV turns nothing longer."""
LEAST_SIDE_MM = 15
JPEG_QUALITY = 90
BLURRED = 48
"""From this value of `blur` on, small print is hard to read; a sharp page at 200 dpi has less than 32."""

PAPER_BLOCK = 31
"""Dots around a dot, odd, whose mean brightness is taken for its paper."""
DARKER = 12
"""A dot so much darker than its paper, of 255, is ink."""


class ImagingError(Exception):
    """The bytes are no picture of a page that can be worked on."""


@dataclass(frozen=True, kw_only=True)
class PageResult:
    """A page as it is to be filed, and what is to be said about it."""

    jpeg: bytes = field(repr=False)
    """The very bytes that came in where nothing had to be changed."""
    width: int
    height: int
    dpi: int
    color: bool
    rotation: int
    """Clockwise quarter turns in degrees that were applied: 0, 90, 180, 270."""
    skew_mdeg: int
    """How far the paper lay turned clockwise, in thousandths of a degree; from 100 on it has been set straight."""
    blur: int
    """Width of the sharpest transitions from paper to ink in hundredths of a millimetre; 0 if there is no ink."""
    edges_ok: bool
    """False if a corner of the paper is missing or ink runs off the picture."""
    blank: bool
    codes: tuple[Code, ...] = field(repr=False)
    """From top to bottom, each once."""

    @property
    def skew_left_mdeg(self) -> int:
        """What is left of the skew in `jpeg`."""
        return self.skew_mdeg if abs(self.skew_mdeg) < SMALLEST_SKEW_DEG * 1000 else 0


def process(data: bytes, media: str, dpi: int) -> PageResult:
    """Crop, straighten, turn and judge one page. Raises ImagingError."""
    if not 50 <= dpi <= 1200:
        raise ImagingError(f"{dpi} dpi: pages have 50 to 1200")
    picture = _decode(data, media, dpi)
    lie = find_lie(picture, dpi)
    straight = straightened(picture, lie, dpi)
    readings = read_codes(gray_of(straight), dpi)
    rotation = upright_turn(readings)
    page = np.ascontiguousarray(np.rot90(straight, -rotation // 90)) if rotation else straight
    kept = page is picture and media == "image/jpeg"
    return PageResult(
        jpeg=data if kept else _encode(page, dpi),
        width=page.shape[1],
        height=page.shape[0],
        dpi=dpi,
        color=page.ndim == 3,
        rotation=rotation,
        skew_mdeg=round(lie.angle_deg * 1000),
        blur=blur_of(gray_of(straight), dpi),
        edges_ok=not lie.cut,
        blank=is_blank(ink_of(shrunk(straight, dpi)[0])),
        codes=in_order(readings, rotation),
    )


def sharpness(data: bytes, media: str, dpi: int) -> tuple[int, int, int]:
    """Width and height in pixels, and `blur` as in PageResult, of a picture as it is. Raises ImagingError."""
    if not 50 <= dpi <= 1200:
        raise ImagingError(f"{dpi} dpi: pages have 50 to 1200")
    picture = _decode(data, media, dpi)
    return picture.shape[1], picture.shape[0], blur_of(gray_of(picture), dpi)


def _decode(data: bytes, media: str, dpi: int) -> Picture:
    if media == "image/jpeg":
        width, height = _jpeg_size(data)
    elif media == "image/png":
        width, height = _png_size(data)
    else:
        raise ImagingError(f"a page of type '{media[:40]}'; JPEG and PNG are understood")
    if width * height > MOST_PIXELS or max(width, height) > LONGEST_SIDE:
        raise ImagingError(
            f"{width} x {height} pixels; at most {MOST_PIXELS}, and {LONGEST_SIDE} a side, are worked on"
        )
    if min(width, height) * INCH_MM / dpi < LEAST_SIDE_MM:
        raise ImagingError(f"{width} x {height} pixels at {dpi} dpi are too small for a page")
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYCOLOR)
    except cv2.error as exc:
        raise ImagingError(f"damaged picture: {exc.err or exc.code}") from exc
    if picture is None:
        raise ImagingError(f"damaged picture of {len(data)} bytes")
    if picture.shape[0] * picture.shape[1] != width * height:
        raise ImagingError("damaged picture: its size is not the one it announces")
    return np.asarray(picture, np.uint8)


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Width and height from the frame header, without unpacking anything."""
    if data[:2] != b"\xff\xd8":
        raise ImagingError(f"no JPEG: it begins with {data[:8].hex(' ')}")
    if b"\xff\xd9" not in data[-64:]:
        raise ImagingError(f"a JPEG that is cut short after {len(data)} bytes")
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        alone = marker in {0x01, 0xFF} or 0xD0 <= marker <= 0xD7
        at += (1 if marker == 0xFF else 2) if alone else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    raise ImagingError("a JPEG without a frame header")


def _png_size(data: bytes) -> tuple[int, int]:
    if data[:8] != b"\x89PNG\r\n\x1a\n" or data[12:16] != b"IHDR":
        raise ImagingError(f"no PNG: it begins with {data[:8].hex(' ')}")
    if b"IEND" not in data[-64:]:
        raise ImagingError(f"a PNG that is cut short after {len(data)} bytes")
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def _encode(page: Picture, dpi: int) -> bytes:
    """As JPEG that carries its resolution."""
    done, coded = cv2.imencode(".jpg", page, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    if not done:
        raise ImagingError(f"cannot write {page.shape[1]} x {page.shape[0]} pixels as JPEG")
    jpeg = bytearray(coded.tobytes())
    if jpeg[6:11] == b"JFIF\0":
        jpeg[13:18] = b"\x01" + dpi.to_bytes(2, "big") * 2
    return bytes(jpeg)


def dots(jpeg: bytes, *, zoom: int, x: int, y: int, width: int, height: int) -> tuple[str, ...]:
    """A part of a page in black and white, for a screen that can draw no picture: one `zoom`-th of its sides, from `x`
    and `y` in thousandths of what is left, in at most so many dots.

    Rows from the top, each its dots as a hexadecimal number, the leftmost the highest bit; a row has a multiple of
    eight. Raises ImagingError.
    """
    page = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    if page is None:
        raise ImagingError(f"damaged picture of {len(jpeg)} bytes")
    tall, wide = max(1, page.shape[0] // zoom), max(1, page.shape[1] // zoom)
    top, left = (page.shape[0] - tall) * y // 1000, (page.shape[1] - wide) * x // 1000
    scale = min(width / wide, height / tall)
    size = max(8, int(wide * scale) // 8 * 8), max(1, int(tall * scale))
    small = cv2.resize(page[top : top + tall, left : left + wide], size, interpolation=cv2.INTER_AREA)
    ink = cv2.adaptiveThreshold(small, 1, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, PAPER_BLOCK, DARKER)
    return tuple(row.tobytes().hex() for row in np.packbits(ink.astype(np.uint8), axis=1))


__all__ = [
    "BLURRED", "Code", "ImagingError", "PageResult", "Reader", "Symbology", "dots", "process", "second_reader_problem",
]  # fmt: skip
