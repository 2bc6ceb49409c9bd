"""What is on a page picture: ink, dust, blur. The ground on which the other rooms of page pictures stand.

Pictures are arrays as OpenCV has them, gray or blue-green-red. Judgements are made at a working resolution of 100 dpi,
so that they do not depend on the scanner's.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

# One page is one process's work; threads within it gained nothing.
cv2.setNumThreads(1)

Picture = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

WORK_DPI = 100
INCH_MM = 25.4


def gray_of(picture: Picture) -> Picture:
    return picture if picture.ndim == 2 else np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)


def shrunk(picture: Picture, dpi: int) -> tuple[Picture, float]:
    """The picture at the working resolution, and how many pixels of the picture one of its pixels is."""
    factor = max(1.0, dpi / WORK_DPI)
    size = round(picture.shape[1] / factor), round(picture.shape[0] / factor)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8), picture.shape[1] / size[0]


def area(mm2: float) -> float:
    """Pixels at the working resolution."""
    return mm2 * (WORK_DPI / INCH_MM) ** 2


def ink_of(small: Picture) -> Mask:
    """Marks on a page at the working resolution: what is dark by itself or in its surroundings, in any colour.

    Specks of dust do not count, nor does what shines through from the other side.
    """
    darkest = np.ascontiguousarray(small if small.ndim == 2 else small.min(axis=2))
    smooth = np.asarray(cv2.medianBlur(darkest, 3), np.uint8)
    noise = 1.48 * float(np.median(cv2.absdiff(darkest, smooth)))
    paper = float(np.percentile(smooth, 80))
    near = np.asarray(cv2.morphologyEx(smooth, cv2.MORPH_CLOSE, np.ones((25, 25), np.uint8)), np.uint8)
    marks = (cv2.subtract(near, darkest) > 26 + 3 * noise) | (smooth < paper - 60)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(marks.astype(np.uint8), connectivity=8)
    longest = np.maximum(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    counts = (longest >= 1.2 / INCH_MM * WORK_DPI) & (stats[:, cv2.CC_STAT_AREA] >= area(0.3))
    counts[0] = False
    return np.asarray(counts[labels])


def is_blank(ink: Mask) -> bool:
    """Nothing but dust; the outermost 2 mm are left out, where paper edges throw shadows."""
    rim = round(2.0 / INCH_MM * WORK_DPI)
    return float(ink[rim:-rim, rim:-rim].sum()) < area(0.7)


def runs_off(ink: Mask) -> bool:
    """Whether writing is cut by the picture's border; what is longer than writing is the shadow of an edge."""
    cut = 0.0
    for strip in (ink[:2].any(axis=0), ink[-2:].any(axis=0), ink[:, :2].any(axis=1), ink[:, -2:].any(axis=1)):
        changes = np.flatnonzero(np.diff(strip.astype(np.int8), prepend=0, append=0))
        lengths = changes[1::2] - changes[::2]
        cut += float(lengths[lengths < 20 / INCH_MM * WORK_DPI].sum())
    return cut > 1.5 / INCH_MM * WORK_DPI


def blur_of(gray: Picture, dpi: int) -> int:
    """Contrast by steepness at the strongest edges: the width of the step from paper to ink."""
    rim = round(2.0 / INCH_MM * dpi)
    gray = gray[rim:-rim, rim:-rim]
    reach = max(3, round(0.8 / INCH_MM * dpi) | 1)
    near = np.ones((reach, reach), np.uint8)
    contrast = cv2.subtract(cv2.dilate(gray, near), cv2.erode(gray, near)).astype(np.float32)
    strong = max(30.0, 0.6 * float(np.percentile(contrast[::3, ::3], 99.5)))
    steep = cv2.magnitude(
        cv2.Sobel(gray, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(gray, cv2.CV_32F, 0, 1, scale=1 / 8)
    )
    at_edge = (contrast > strong) & (steep >= 0.95 * cv2.dilate(steep, near)) & (steep > 1)
    if at_edge.sum() < 50:
        return 0
    return round(float(np.median(contrast[at_edge] / steep[at_edge])) * INCH_MM / dpi * 100)
