"""How a page lies on its picture, and setting it straight.

Where the scanner's dark bed is seen beside one sheet, the sheet's edges tell; elsewhere the lines of print do. Nothing
but bed is ever cut away: in doubt (two cards, a printed band, a torn sheet) the picture keeps its size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from hall_daemon.imaging_marks import INCH_MM, WORK_DPI, Mask, Picture, area, gray_of, ink_of, runs_off, shrunk

Points = npt.NDArray[np.float64]

LARGEST_SKEW_DEG = 15.0
SMALLEST_SKEW_DEG = 0.1
"""Straighter pages are left alone: turning costs sharpness and gains nothing."""
SMALLEST_CROP_MM = 0.5
RIM_MM = 0.2
"""Cut off along a visible edge: the pixels there are half bed."""
CUT_MM = 2.0
"""A corner of the paper that is farther than this outside the picture makes it a cut page."""


Box = tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class Lie:
    """How the paper lies on its picture."""

    angle_deg: float
    """Turned clockwise by this."""
    box: Box
    """Left, top, right and bottom in pixels, after turning the picture back about its centre, which is the origin."""
    cut: bool
    """A corner of the paper is missing, or writing runs off the picture."""


@dataclass(frozen=True, kw_only=True)
class _Edge:
    """A straight edge of the paper."""

    side: str
    angle_deg: float
    points: Points


@dataclass(frozen=True, kw_only=True)
class _Sheet:
    """The one sheet on the bed: its pixels, those of the bed, and the brightness half-way between the two."""

    gray: Picture
    mask: Mask
    bed: Mask
    level: float


def find_lie(picture: Picture, dpi: int) -> Lie:
    """Look where the paper lies; without any sign of it, the picture is the paper."""
    small, factor = shrunk(picture, dpi)
    sheet = _sheet_on_bed(small)
    found = _by_edges(sheet) if sheet is not None else None
    if sheet is not None and found is not None:
        angle, box = found
        ink = ink_of(np.where(_like(sheet.bed, small), np.uint8(np.percentile(small[sheet.mask], 80)), small))
        cut = _corner_missing(angle, box, ink) or runs_off(ink)
    else:
        ink = ink_of(small)
        angle, box = _by_text(ink)
        cut = runs_off(ink)
    left, top, right, bottom = (v * factor for v in box)
    return Lie(angle_deg=angle, box=(left, top, right, bottom), cut=cut)


def _like(mask: Mask, small: Picture) -> Mask:
    return mask if small.ndim == 2 else mask[:, :, None]


def _sheet_on_bed(small: Picture) -> _Sheet | None:
    """The sheet; None unless exactly one sheet on a dark, plain, colourless bed is seen.

    A dark band printed along an edge must not be taken for the bed: it is coloured, or there is something in it.
    """
    gray = np.asarray(cv2.medianBlur(gray_of(small), 3), np.uint8)
    rim = max(2, round(1.5 / INCH_MM * WORK_DPI))
    ring = np.concatenate([gray[:rim].ravel(), gray[-rim:].ravel(), gray[:, :rim].ravel(), gray[:, -rim:].ravel()])
    white = float(np.percentile(gray, 99))
    dark = ring[ring < white * 0.8]
    if dark.size < ring.size * 0.01:
        return None
    bed_level = float(np.median(dark))
    paper_level = float(np.median(gray[gray > (bed_level + white) / 2]))
    if paper_level - bed_level < 30:
        return None
    level = (bed_level + paper_level) / 2
    _, labels, stats, _ = cv2.connectedComponentsWithStats((gray < level).astype(np.uint8), connectivity=4)
    touching = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    # What is smaller than that and touches the border is writing that runs off the picture.
    large = stats[touching, cv2.CC_STAT_WIDTH : cv2.CC_STAT_HEIGHT + 1].max(axis=1) > 20 / INCH_MM * WORK_DPI
    bed = np.isin(labels, touching[large & (touching > 0)])
    if not bed.any() or float(gray[bed].std()) > 25 or _chroma(small, bed) > 30:
        return None
    _, labels, stats, _ = cv2.connectedComponentsWithStats((~bed).astype(np.uint8), connectivity=4)
    areas = stats[1:, cv2.CC_STAT_AREA]
    if areas.size == 0:
        return None
    others = np.delete(areas, areas.argmax())
    if others[others > area(1.0)].sum() > area(6.0):
        return None  # a second card, or writing in a printed band: nothing may be cut away
    return _Sheet(gray=gray, mask=np.asarray(labels == 1 + areas.argmax()), bed=bed, level=level)


def _chroma(small: Picture, where: Mask) -> float:
    if small.ndim == 2:
        return 0.0
    pixels = small[where].astype(np.int16)
    return float((pixels.max(axis=1) - pixels.min(axis=1)).mean())


def _by_edges(sheet: _Sheet) -> tuple[float, Box] | None:
    """Angle and box from the straight edges of the sheet; None if what they enclose is not filled by it."""
    edges = [edge for edge in (_edge(side, sheet) for side in ("top", "bottom", "left", "right")) if edge]
    if not edges:
        return None
    longest = max(edges, key=lambda e: len(e.points))
    edges = [e for e in edges if abs(e.angle_deg - longest.angle_deg) < 0.7]
    weights = [float(len(e.points)) ** 2 for e in edges]
    angle = sum(e.angle_deg * w for e, w in zip(edges, weights, strict=True)) / sum(weights)
    outline, _ = cv2.findContours(sheet.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    hull = _turned_back(np.concatenate(outline).reshape(-1, 2) + 0.5, angle, sheet.mask)
    reach = {"left": hull[:, 0].min(), "top": hull[:, 1].min(), "right": hull[:, 0].max(), "bottom": hull[:, 1].max()}
    for edge in edges:
        inwards = (1 if edge.side in {"left", "top"} else -1) * RIM_MM / INCH_MM * WORK_DPI
        reach[edge.side] = np.median(_turned_back(edge.points, angle, sheet.mask)[:, _axis(edge.side)]) + inwards
    box = (float(reach["left"]), float(reach["top"]), float(reach["right"]), float(reach["bottom"]))
    height, width = sheet.mask.shape
    frame = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    inside, _ = cv2.intersectConvexConvex(_corners(angle, box, sheet.mask).astype(np.float32), frame)
    return (angle, box) if inside > area(400) and sheet.mask.sum() > inside * 0.9 else None


def _corners(angle_deg: float, box: Box, small: Picture | Mask) -> Points:
    left, top, right, bottom = box
    return _turned(np.array([[left, top], [right, top], [right, bottom], [left, bottom]]), angle_deg, small)


def _corner_missing(angle_deg: float, box: Box, small: Mask) -> bool:
    corners = _corners(angle_deg, box, small)
    beyond = np.maximum(-corners, corners - np.array([small.shape[1], small.shape[0]])).max()
    return bool(beyond > CUT_MM / INCH_MM * WORK_DPI)


def _axis(side: str) -> int:
    return 0 if side in {"left", "right"} else 1


def _turned_back(points: npt.NDArray[Any], angle_deg: float, picture: Picture | Mask) -> Points:
    """Points of the picture, after turning it back about its centre."""
    cos, sin = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    centred = points - np.array([picture.shape[1] / 2, picture.shape[0] / 2])
    return np.asarray(centred @ np.array([[cos, -sin], [sin, cos]]), np.float64)


def _turned(points: npt.NDArray[Any], angle_deg: float, picture: Picture | Mask) -> Points:
    """The way back: points of the straight paper, on the picture."""
    cos, sin = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    back = points @ np.array([[cos, sin], [-sin, cos]]) + np.array([picture.shape[1] / 2, picture.shape[0] / 2])
    return np.asarray(back, np.float64)


def _edge(side: str, sheet: _Sheet) -> _Edge | None:
    """The straight line on which the paper begins, as seen from one side; None if it begins at the picture's border."""
    flipped = side in {"bottom", "right"}
    gray, paper = sheet.gray, sheet.mask
    if _axis(side) == 0:
        gray, paper = gray.T, paper.T
    if flipped:
        gray, paper = gray[::-1], paper[::-1]
    first = paper.argmax(axis=0)
    along = np.flatnonzero(paper.any(axis=0) & (first >= 2))
    if along.size < 40:
        return None
    at = gray[first[along], along].astype(np.float64)
    before = gray[first[along] - 1, along].astype(np.float64)
    # The sheet begins where the brightness crosses the level, between the centres of two pixels.
    part = (sheet.level - before) / np.maximum(at - before, 1.0)
    across = first[along] - 0.5 + part
    found = _straight_line(along.astype(np.float64) + 0.5, across)
    if found is None:
        return None
    slope, good = found
    depth = gray.shape[0] - across[good] if flipped else across[good]
    angle = math.degrees(math.atan(-slope if flipped else slope))
    if _axis(side) == 0:
        return _Edge(side=side, angle_deg=-angle, points=np.stack([depth, along[good] + 0.5], axis=1))
    return _Edge(side=side, angle_deg=angle, points=np.stack([along[good] + 0.5, depth], axis=1))


def _straight_line(x: Points, y: Points) -> tuple[float, Mask] | None:
    """Slope of the line on which most points lie, and which do; None if too few do, or it is too steep."""
    chance = np.random.default_rng(len(x))
    i, j = chance.integers(0, len(x), (2, 200))
    apart = np.abs(x[i] - x[j]) > len(x) / 4
    i, j = i[apart], j[apart]
    if not i.size:
        return None
    slopes = (y[j] - y[i]) / (x[j] - x[i])
    off = np.abs((y[None, :] - y[i, None]) - slopes[:, None] * (x[None, :] - x[i, None]))
    good = off[(off < 1.0).sum(axis=1).argmax()] < 1.0
    for within in (0.8, 0.6):
        slope, start = np.polyfit(x[good], y[good], 1)
        good = np.abs(y - start - slope * x) < within
        if good.sum() < max(40, len(x) * 0.35):
            return None
    if abs(math.degrees(math.atan(slope))) > LARGEST_SKEW_DEG + 0.5:
        return None
    return float(slope), good


def _by_text(ink: Mask) -> tuple[float, Box]:
    """Without a visible edge: the angle at which the lines of print are sharpest, and all of the picture."""
    half = np.array([ink.shape[1] / 2, ink.shape[0] / 2])
    angle = _angle_of_print(ink)
    if angle:
        written = np.abs(_turned_back(np.argwhere(ink)[:, ::-1], angle, ink)).max(axis=0)
        if (written > half).any():
            # Something is written so far outside that a page of the old size would lose it.
            corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * half * 2
            half = np.abs(_turned_back(corners, angle, ink)).max(axis=0)
    x, y = float(half[0]), float(half[1])
    return angle, (-x, -y, x, y)


def _angle_of_print(ink: Mask) -> float:
    """0 where there is too little to tell."""
    marks = ink.astype(np.int8)
    # Lower and right-hand rims of the ink say more about direction than its whole area.
    low = _thinned(np.argwhere(np.diff(marks, axis=0) < 0))
    right = _thinned(np.argwhere(np.diff(marks, axis=1) < 0))
    if len(low) + len(right) < 400:
        return 0.0
    angle = 0.0
    for reach, step, cell in ((LARGEST_SKEW_DEG, 0.5, 4.0), (0.6, 0.1, 2.0), (0.12, 0.02, 1.0)):
        angles = angle + np.arange(-reach, reach + step / 2, step)
        scores = np.array([_sharpness(low, right, a, cell) for a in angles])
        best = int(scores.argmax())
        if reach == LARGEST_SKEW_DEG and not (
            1 < best < len(scores) - 2 and scores[best] > 1.25 * float(np.median(scores))
        ):
            return 0.0
        angle = float(angles[best])
    return angle


def _thinned(points: npt.NDArray[np.intp]) -> npt.NDArray[np.intp]:
    return points[:: max(1, len(points) // 15_000)]


def _sharpness(low: npt.NDArray[np.intp], right: npt.NDArray[np.intp], angle_deg: float, cell: float) -> float:
    """How unevenly the rims fall on lines at that angle: rows for the lower, columns for the right-hand ones."""
    cos, sin = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    rows = low[:, 0] * cos - low[:, 1] * sin
    columns = right[:, 1] * cos + right[:, 0] * sin
    total = 0.0
    for places in (rows, columns):
        if places.size:
            counts = np.bincount(((places - places.min()) / cell).astype(np.intp))
            total += float((counts.astype(np.float64) ** 2).sum())
    return total


def straightened(picture: Picture, lie: Lie, dpi: int) -> Picture:
    """The paper alone, straight; the picture itself where that would change nothing worth it."""
    height, width = picture.shape[:2]
    left, top, right, bottom = lie.box
    trimmed = max(left + width / 2, top + height / 2, width / 2 - right, height / 2 - bottom) * INCH_MM / dpi
    angle = lie.angle_deg
    if abs(angle) < SMALLEST_SKEW_DEG:
        if trimmed < SMALLEST_CROP_MM:
            return picture
        x0, y0 = max(0, math.ceil(left + width / 2)), max(0, math.ceil(top + height / 2))
        return np.ascontiguousarray(picture[y0 : math.floor(bottom + height / 2), x0 : math.floor(right + width / 2)])
    size = max(1, round(right - left)), max(1, round(bottom - top))
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    # Pixel centres lie half a pixel inside, on both sides of the map.
    x, y = width / 2 - 0.5, height / 2 - 0.5
    turn = np.array(
        [[cos, sin, -cos * x - sin * y - left - 0.5], [-sin, cos, sin * x - cos * y - top - 0.5]], np.float64
    )
    beside = tuple(float(v) for v in np.atleast_1d(np.percentile(picture[::8, ::8], 90, axis=(0, 1))))
    turned = cv2.warpAffine(
        picture, turn, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_CONSTANT, borderValue=beside
    )
    return np.asarray(turned, np.uint8)
