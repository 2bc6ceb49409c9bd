"""Codes on page pictures: QR and Code 128.

zxing-cpp reads the page as it is and doubled, and bars that lie askew (a sticker) once more after they were turned;
pyzbar reads what looks like bars and was left. A check digit does not
save a linear code from being misread in noise, so each is read again from the average over the height of its bars and
counts only if that says the same. QR codes are never left to pyzbar, which garbles Chinese (protocols/barcodes.md,
section 4.1).
"""

from __future__ import annotations

import functools
import importlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import ModuleType

import cv2
import numpy as np
import numpy.typing as npt
import zxingcpp

from hall_daemon.imaging_marks import INCH_MM, Picture

Points = npt.NDArray[np.float64]
Box = tuple[float, float, float, float]


class Symbology(StrEnum):
    """Kinds of codes that are looked for; others would cost time and bring false readings on text."""

    QR = "qr"
    CODE_128 = "code128"


class Reader(StrEnum):
    """Who read a code."""

    ZXING = "zxing"
    ZBAR = "zbar"


@dataclass(frozen=True, kw_only=True)
class Code:
    """A code on a page; its text may be personal and stays out of `repr`."""

    symbology: Symbology
    text: str = field(repr=False)
    reader: Reader


_QR_AND_128 = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode, zxingcpp.BarcodeFormat.Code128])
_ONLY_128 = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.Code128])
ASKEW_FROM_DEG = 12.0
"""Bars that lie nearer to an axis are read as they are: zxing-cpp bears 15 degrees."""
MOST_ASKEW = 6
"""Places on a page that are turned; a page full of hatching must not cost seconds."""
_DOUBLED_UP_TO = 6_000_000
"""Pixels; above this, modules are large enough without doubling."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A code and where it is: the corners of its own top left, top right, bottom right, bottom left."""

    code: Code
    corners: Points
    turned_deg: int


def second_reader_problem() -> str:
    """Why pyzbar cannot be asked on this machine, as a sentence for the technician; empty if it can."""
    if _zbar() is not None:
        return ""
    return "libzbar is missing (package libzbar0): faint linear codes are read less often"


@functools.cache
def _zbar() -> ModuleType | None:
    try:
        return importlib.import_module("pyzbar.pyzbar")
    except ImportError:
        return None


def read_codes(gray: Picture, dpi: int) -> list[Reading]:
    """Every code on a straight page, each text once."""
    readings = _by_zxing(gray, 1.0)
    if gray.size <= _DOUBLED_UP_TO:
        readings += _by_zxing(_doubled(gray), 2.0)
    sure = [r for r in readings if r.code.symbology is Symbology.QR or _says_again(gray, r)]
    sure += [r for box, angle_deg in _bars_askew(gray, dpi) for r in _turned_upright(gray, box, angle_deg)]
    sure += [r for box in _bars_left(gray, dpi, sure) for r in _from_bars(gray, box)]
    found: dict[tuple[Symbology, str], Reading] = {}
    for reading in sure:
        if reading.code.text:
            found.setdefault((reading.code.symbology, reading.code.text), reading)
    return list(found.values())


def _doubled(gray: Picture) -> Picture:
    return np.asarray(cv2.resize(gray, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC), np.uint8)


def _by_zxing(gray: Picture, scale: float) -> list[Reading]:
    return [
        Reading(
            code=Code(
                symbology=Symbology.QR if b.format == zxingcpp.BarcodeFormat.QRCode else Symbology.CODE_128,
                text=_text(b),
                reader=Reader.ZXING,
            ),
            corners=_corners(b.position) / scale,
            turned_deg=round(b.orientation / 90) * 90 % 360,
        )
        for b in zxingcpp.read_barcodes(gray, formats=_QR_AND_128, text_mode=zxingcpp.TextMode.Plain)
    ]


def _corners(position: zxingcpp.Position) -> Points:
    corners = (position.top_left, position.top_right, position.bottom_right, position.bottom_left)
    return np.array([(p.x, p.y) for p in corners], np.float64)


def _text(barcode: zxingcpp.Barcode) -> str:
    """The text; without a mark of its encoding, bytes that are no UTF-8 but common Chinese characters are GB 18030.

    zxing-cpp takes those for Japanese or Latin. In Japanese text most first bytes lie below A1.
    """
    data = barcode.bytes
    if barcode.symbology_identifier not in {"]Q0", "]Q1"} or data.isascii():
        return str(barcode.text)
    try:
        data.decode("utf-8")
        return str(barcode.text)
    except UnicodeDecodeError:
        pass  # then it is an older encoding
    try:
        text = data.decode("gb18030")
    except UnicodeDecodeError:
        return str(barcode.text)
    foreign = [c for c in text if not c.isascii()]
    common = sum(_in_gb2312(c) for c in foreign)
    return text if common * 2 >= len(foreign) else str(barcode.text)


def _in_gb2312(character: str) -> bool:
    try:
        return bool(character.encode("gb2312"))
    except UnicodeEncodeError:
        return False


def _says_again(gray: Picture, reading: Reading) -> bool:
    """Whether the average over the height of the bars, in which noise is gone, is read as the same text."""
    top_left, top_right, bottom_right, bottom_left = reading.corners
    for inset in (0.0, 0.2):  # the outermost rows may hold more than bars
        left, right = (bottom_left - top_left) * inset, (bottom_right - top_right) * inset
        inner = np.stack([top_left + left, top_right + right, bottom_right - right, bottom_left - left])
        if reading.code.text in dict(_bar_texts(_averaged(gray, inner))):
            return True
    return False


def _averaged(gray: Picture, corners: Points) -> Picture:
    """The bars between the corners as one clean row, repeated."""
    length = max(8, round(math.dist(corners[0], corners[1])))
    height = max(4, round(math.dist(corners[0], corners[3])))
    quiet = length // 10 + 10
    target = np.array([[quiet, 0], [quiet + length, 0], [quiet + length, height], [quiet, height]], np.float32)
    onto = cv2.getPerspectiveTransform(corners.astype(np.float32), target)
    size = (length + 2 * quiet, height)
    flat = cv2.warpPerspective(gray, onto, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    row = flat.mean(axis=0, keepdims=True)
    row = (row - row.min()) * (255 / max(1.0, float(np.ptp(row))))
    return np.repeat(row.astype(np.uint8), 30, axis=0)


def _bar_texts(bars: Picture) -> Iterator[tuple[str, Reader]]:
    """What clean bars say to either reader."""
    for found in zxingcpp.read_barcodes(_doubled(bars), formats=_ONLY_128, text_mode=zxingcpp.TextMode.Plain):
        yield str(found.text), Reader.ZXING
    zbar = _zbar()
    if zbar is not None:
        # Sharpening, as the other way of doubling does, makes pyzbar blind.
        soft = cv2.resize(bars, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
        image = (soft.tobytes(), soft.shape[1], soft.shape[0])
        for found in zbar.decode(image, symbols=[zbar.ZBarSymbol.CODE128]):
            yield found.data.decode("utf-8", "replace"), Reader.ZBAR


def _from_bars(gray: Picture, box: Box) -> Iterator[Reading]:
    """Read one box of bars: its upper and its lower half, averaged, have to say the same, and so have both readers."""
    left, top, right, bottom = box
    lying = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float64)
    corners = lying if right - left >= bottom - top else np.roll(lying, 1, axis=0)
    middle_left, middle_right = (corners[0] + corners[3]) / 2, (corners[1] + corners[2]) / 2
    halves = [
        set(_bar_texts(_averaged(gray, np.stack([corners[0], corners[1], middle_right, middle_left])))),
        set(_bar_texts(_averaged(gray, np.stack([middle_left, middle_right, corners[2], corners[3]])))),
    ]
    for text in {text for text, _ in halves[0]} & {text for text, _ in halves[1]}:
        if {reader for found, reader in halves[0] | halves[1] if found == text} == set(Reader):
            code = Code(symbology=Symbology.CODE_128, text=text, reader=Reader.ZBAR)
            yield Reading(code=code, corners=corners, turned_deg=0)


def _bars_left(gray: Picture, dpi: int, known: list[Reading]) -> Iterator[Box]:
    """Boxes of at least 10 by 3 mm in which the brightness changes much and along one axis only, without a reading."""
    contrast = float(np.ptp(np.percentile(gray[::4, ::4], (1, 95))))
    size = round(gray.shape[1] * INCH_MM / dpi), round(gray.shape[0] * INCH_MM / dpi)  # one cell a square millimetre
    cell = np.array([gray.shape[1] / size[0], gray.shape[0] / size[1]] * 2)
    across, down = (
        cv2.resize(
            cv2.convertScaleAbs(cv2.Sobel(gray, cv2.CV_16S, *axes, scale=0.25)), size, interpolation=cv2.INTER_AREA
        ).astype(np.float32)
        for axes in ((1, 0), (0, 1))
    )
    for one, other, reach in ((across, down, (5, 3)), (down, across, (3, 5))):
        stripes = cv2.blur(one - 2 * other, reach)
        _, _, stats, _ = cv2.connectedComponentsWithStats((stripes > max(4.0, contrast * 0.1)).astype(np.uint8))
        for left, top, width, height in stats[1:, :4]:
            box = np.array([left, top, left + width, top + height]) * cell
            if max(width, height) >= 10 and min(width, height) >= 3 and not any(_within(r.corners, box) for r in known):
                yield float(box[0]), float(box[1]), float(box[2]), float(box[3])


def _bars_askew(gray: Picture, dpi: int) -> list[tuple[Box, float]]:
    """Boxes in which brightness changes along one direction that is far from both axes, and that direction in degrees.

    The second-moment matrix of the gradient tells the direction, and how much all changes agree on it.
    """
    size = round(gray.shape[1] * INCH_MM / dpi), round(gray.shape[0] * INCH_MM / dpi)  # one cell a square millimetre
    cell = np.array([gray.shape[1] / size[0], gray.shape[0] / size[1]] * 2)
    # Half the resolution is enough to see that there are bars, and costs a quarter.
    fine = cv2.resize(gray, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) if dpi >= 300 else gray
    across, down = (cv2.Sobel(fine, cv2.CV_32F, *axes, scale=0.125) for axes in ((1, 0), (0, 1)))
    xx, yy, xy = (
        cv2.blur(cv2.resize(product, size, interpolation=cv2.INTER_AREA), (3, 3))
        for product in (across * across, down * down, across * down)
    )
    agreed = np.hypot(xx - yy, 2 * xy)
    angle_deg = np.degrees(np.arctan2(2 * xy, xx - yy)) / 2
    from_axis_deg = 45 - np.abs(np.abs(angle_deg) - 45)
    contrast = float(np.ptp(np.percentile(gray[::4, ::4], (1, 95))))
    askew = (from_axis_deg > ASKEW_FROM_DEG) & (agreed > 0.7 * (xx + yy)) & (agreed > (max(20.0, contrast) * 0.1) ** 2)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(askew.astype(np.uint8))
    largest = sorted(range(1, len(stats)), key=lambda n: -stats[n][4])[:MOST_ASKEW]
    return [
        (_box_of(stats[n][:4] * cell), float(np.median(angle_deg[labels == n])))
        for n in largest
        if min(stats[n][2], stats[n][3]) >= 5 and stats[n][4] >= 40
    ]


def _box_of(place: Points) -> Box:
    left, top, width, height = map(float, place)
    return left, top, left + width, top + height


def _turned_upright(gray: Picture, box: Box, angle_deg: float) -> list[Reading]:
    """Linear codes in a box after it was turned back by an angle; their corners are those on the page."""
    left, top, right, bottom = box
    middle, reach = ((left + right) / 2, (top + bottom) / 2), math.hypot(right - left, bottom - top) * 0.7
    turn: Points = np.asarray(cv2.getRotationMatrix2D(middle, angle_deg, 1.0), np.float64)
    turn[:, 2] += reach - np.array(middle)
    side = round(2 * reach)
    upright = np.asarray(
        cv2.warpAffine(gray, turn, (side, side), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )
    back = cv2.invertAffineTransform(turn)
    found = _by_zxing(upright, 1.0) + _by_zxing(_doubled(upright), 2.0)
    return [
        replace(r, corners=r.corners @ back[:, :2].T + back[:, 2])
        for r in found
        if r.code.symbology is Symbology.CODE_128 and _says_again(upright, r)
    ]


def _within(corners: Points, box: Points) -> bool:
    x, y = corners.mean(axis=0)
    return bool(box[0] <= x <= box[2] and box[1] <= y <= box[3])


def upright_turn(readings: list[Reading]) -> int:
    """Clockwise degrees that set the page upright: QR codes are printed upright, so they know, if they agree.

    Linear codes do not: they are often printed along a margin.
    """
    turned = {r.turned_deg for r in readings if r.code.symbology is Symbology.QR}
    return -turned.pop() % 360 if len(turned) == 1 else 0


def in_order(readings: list[Reading], rotation: int) -> tuple[Code, ...]:
    """The codes from top to bottom of the page after it was turned clockwise by that many degrees."""
    axis, sign = {0: (1, 1), 90: (0, 1), 180: (1, -1), 270: (0, -1)}[rotation]
    ordered = sorted(readings, key=lambda r: (round(sign * float(r.corners[:, axis].mean())), r.code.text))
    return tuple(r.code for r in ordered)
