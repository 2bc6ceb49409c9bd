"""Sheets of paper as a scanner sees them: drawn from a seed, always the same, with nothing true on them.

`Paper` says what is printed and how the sheet lies; `scan` gives the encoded picture, and `corners` where the sheet is
on it, so that a test knows the truth before anybody looks. Lengths are millimetres, angles degrees; a positive angle is
clockwise as one looks at the picture.
"""

from __future__ import annotations

import functools
import io
import math
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Literal

import numpy as np
import qrcode
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from qrcode.constants import ERROR_CORRECT_M

INCH_MM = 25.4

Point = tuple[float, float]


class Content(Enum):
    """What is printed on the sheet."""

    FORM = "form"
    LETTER = "letter"
    CARD = "card"
    PENCIL = "pencil"
    PAGE_NUMBER = "page_number"
    DUST = "dust"
    SHOW_THROUGH = "show_through"
    BLANK = "blank"


class Bed(Enum):
    """What the scanner sees beside the sheet; the value is its brightness."""

    WHITE_LID = 252
    GRAY = 128
    BLACK = 24


@dataclass(frozen=True, kw_only=True)
class Printed:
    """A code on the sheet; x and y are its top left corner, `turned` its clockwise quarter turns.

    With `askew_deg` it is a sticker that somebody put there by hand, turned clockwise within a box at x and y.
    """

    symbology: Literal["qr", "code128"]
    text: str
    x_mm: float
    y_mm: float
    module_mm: float = 0.5
    height_mm: float = 12.0
    turned: int = 0
    askew_deg: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Paper:
    """One side of one sheet and how it lies; x and y are the top left corner before it is turned about its centre."""

    content: Content = Content.FORM
    seed: int = 1
    width_mm: float = 210.0
    height_mm: float = 297.0
    x_mm: float = 0.0
    y_mm: float = 0.0
    skew_deg: float = 0.0
    turned: int = 0
    """Clockwise quarter turns; width and height are those before the turn."""
    bed: Bed = Bed.WHITE_LID
    codes: tuple[Printed, ...] = ()
    brightness: int = 248
    noise: float = 2.0
    """Standard deviation of the sensor's noise, of 255."""
    blur_mm: float = 0.0
    contrast: float = 1.0
    """Of everything on the picture; 1 is full."""
    quality: int = 90
    """Of the scanner's JPEG."""


FORM = Paper(codes=(Printed(symbology="qr", text="https://hall.example/m/M05?v=3", x_mm=170, y_mm=12, module_mm=0.6),))
"""The page that lies on the glass when nobody put another one there."""


def scan(
    paper: Paper, dpi: int, *, width_mm: float = 210.0, height_mm: float = 297.0, color: bool = True, kind: str = "JPEG"
) -> bytes:
    """The picture of a bed of that size with the sheet on it, encoded."""
    picture = lay(paper, dpi, width_mm, height_mm)
    if not color:
        picture = picture.convert("L")
    out = io.BytesIO()
    picture.save(out, kind, quality=paper.quality, dpi=(dpi, dpi))
    return out.getvalue()


def corners(paper: Paper, dpi: int) -> tuple[Point, Point, Point, Point]:
    """Where the sheet's corners are in pixels: top left, top right, bottom right, bottom left as it lies."""
    width, height = _lying(paper)
    a, b, c, d, e, f = _onto_bed(paper, dpi)
    scale = dpi / INCH_MM
    outline = ((0.0, 0.0), (width * scale, 0.0), (width * scale, height * scale), (0.0, height * scale))
    found = tuple((a * x + b * y + c, d * x + e * y + f) for x, y in outline)
    return found[0], found[1], found[2], found[3]


def lay(paper: Paper, dpi: int, width_mm: float, height_mm: float) -> Image.Image:
    """What the scanner's eye sees: the sheet on the bed, blurred and noisy, in colour."""
    scale = dpi / INCH_MM
    size = (round(width_mm * scale), round(height_mm * scale))
    sheet = draw(paper, dpi)
    if paper.turned % 4:
        sheet = sheet.rotate(-90 * paper.turned, expand=True)
    inverse = _inverted(_onto_bed(paper, dpi))
    bed = Image.new("RGB", size, (paper.bed.value,) * 3)
    mask = Image.new("L", sheet.size, 255).transform(size, Image.Transform.AFFINE, inverse, Image.Resampling.BICUBIC)
    laid = sheet.transform(size, Image.Transform.AFFINE, inverse, Image.Resampling.BICUBIC)
    bed.paste(laid, mask=mask)
    if paper.blur_mm:
        bed = bed.filter(ImageFilter.GaussianBlur(paper.blur_mm * scale))
    return _seen(bed, paper)


def _seen(picture: Image.Image, paper: Paper) -> Image.Image:
    values = np.asarray(picture).astype(np.float32)
    if paper.contrast != 1.0:
        values = 255 - (255 - values) * paper.contrast
    if paper.noise:
        chance = np.random.default_rng(paper.seed)
        values += chance.normal(0, paper.noise, values.shape[:2]).astype(np.float32)[:, :, None]
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))


def _lying(paper: Paper) -> tuple[float, float]:
    turned = paper.turned % 2
    return (paper.height_mm, paper.width_mm) if turned else (paper.width_mm, paper.height_mm)


def _onto_bed(paper: Paper, dpi: int) -> tuple[float, float, float, float, float, float]:
    """The affine map from the lying sheet's pixels to the bed's."""
    width, height = _lying(paper)
    scale = dpi / INCH_MM
    x, y = (paper.x_mm + width / 2) * scale, (paper.y_mm + height / 2) * scale
    cos, sin = math.cos(math.radians(paper.skew_deg)), math.sin(math.radians(paper.skew_deg))
    cx, cy = width / 2 * scale, height / 2 * scale
    return cos, -sin, x - cos * cx + sin * cy, sin, cos, y - sin * cx - cos * cy


def _inverted(
    m: tuple[float, float, float, float, float, float],
) -> tuple[float, float, float, float, float, float]:
    a, b, c, d, e, f = m
    return a, d, -(a * c + d * f), b, e, -(b * c + e * f)  # a rotation: its inverse is its transpose


# -- what is printed ---------------------------------------------------------------------------------------------------


@functools.lru_cache(maxsize=8)
def draw(paper: Paper, dpi: int) -> Image.Image:
    """The sheet itself, upright and straight."""
    scale = dpi / INCH_MM
    size = (round(paper.width_mm * scale), round(paper.height_mm * scale))
    picture = Image.new("RGB", size, (paper.brightness,) * 3)
    pen = _Pen(picture, scale, paper)
    _CONTENTS[paper.content](pen)
    for code in paper.codes:
        _print_code(picture, code, scale)
    return picture


class _Pen:
    """Draws in millimetres."""

    def __init__(self, picture: Image.Image, scale: float, paper: Paper) -> None:
        self.picture = picture
        self.draw = ImageDraw.Draw(picture)
        self.scale = scale
        self.width_mm = paper.width_mm
        self.height_mm = paper.height_mm
        self.chance = np.random.default_rng(paper.seed)
        self.brightness = paper.brightness

    def text(self, x: float, y: float, text: str, size_mm: float, ink: int | tuple[int, int, int] = 30) -> None:
        color = (ink,) * 3 if isinstance(ink, int) else ink
        self.draw.text(
            (x * self.scale, y * self.scale), text, fill=color, font=_font(max(6, round(size_mm * self.scale)))
        )

    def line(self, x1: float, y1: float, x2: float, y2: float, ink: int = 60, width_mm: float = 0.25) -> None:
        points = [v * self.scale for v in (x1, y1, x2, y2)]
        self.draw.line(points, fill=(ink,) * 3, width=max(1, round(width_mm * self.scale)))

    def dot(self, x: float, y: float, size_mm: float, ink: int) -> None:
        box = [v * self.scale for v in (x, y, x + size_mm, y + size_mm)]
        self.draw.ellipse(box, fill=(ink,) * 3)

    def seal(self, x: float, y: float, size_mm: float) -> None:
        box = [v * self.scale for v in (x, y, x + size_mm, y + size_mm)]
        red = (205, 40, 45)
        self.draw.ellipse(box, outline=red, width=max(1, round(0.9 * self.scale)))
        self.text(x + size_mm * 0.2, y + size_mm * 0.38, "测试专用章", size_mm * 0.12, red)

    def words(self, count: int) -> str:
        return "".join(_WORDS[i] for i in self.chance.integers(0, len(_WORDS), count))


_WORDS = (
    "申请人材料大厅窗口办理受理事项登记证明街道社区服务中心日期联系电话地址意见审核备注附件说明填写规定办法有关单位"
)


def _form(pen: _Pen) -> None:
    pen.text(pen.width_mm / 2 - 40, 22, "政务服务事项申请表（样张）", 6.5)
    left, right, top = 20.0, pen.width_mm - 20, 45.0
    rows = ("申请人", "证件号码", "联系电话", "联系地址", "事项名称", "办理方式", "受理窗口", "申请日期")
    answers = (
        "张测试",
        "990000199909090053",
        "13900000000",
        "测试省样本市示例街道1号",
        "示例事项",
        "现场",
        "3号窗口",
        "",
    )
    for i, (row, answer) in enumerate(zip(rows, answers, strict=True)):
        y = top + i * 12
        pen.line(left, y, right, y)
        pen.text(left + 3, y + 3.5, row, 4.2)
        pen.text(left + 45, y + 3.5, answer, 4.2)
    bottom = top + len(rows) * 12
    pen.line(left, bottom, right, bottom)
    for x in (left, left + 40, right):
        pen.line(x, top, x, bottom)
    _lines(pen, bottom + 12, min(bottom + 90, pen.height_mm - 55))
    pen.seal(right - 45, pen.height_mm - 60, 36)
    pen.text(left, pen.height_mm - 22, "本表仅供测试，所填内容均为虚构。", 3.2, 90)


def _lines(pen: _Pen, top: float, bottom: float, ink: int = 40, size_mm: float = 3.8) -> None:
    fits = int((pen.width_mm - 50) / size_mm)
    y = top
    while y < bottom:
        pen.text(25, y, pen.words(int(fits * pen.chance.uniform(0.55, 1.0))), size_mm, ink)
        y += size_mm * 1.9


def _letter(pen: _Pen) -> None:
    pen.text(pen.width_mm / 2 - 22, 25, "情况说明（样张）", 6)
    _lines(pen, 45, pen.height_mm - 50)
    pen.text(pen.width_mm - 70, pen.height_mm - 35, "李样本  2026年1月5日", 4)


def _card(pen: _Pen) -> None:
    """The size of a card, about 86 by 54."""
    pen.draw.rectangle((0, 0, *pen.picture.size), fill=(214, 228, 236))
    pen.text(6, 6, "样 卡", 5, 40)
    for i, words in enumerate(("姓名  张测试", "号码  990000199909090053", "签发  示例机关")):
        pen.text(6, 18 + i * 9, words, 4, 50)
    pen.draw.rectangle([v * pen.scale for v in (62, 12, 80, 36)], fill=(150, 160, 170))


def _pencil(pen: _Pen) -> None:
    _lines(pen, 40, 120, ink=165)


def _page_number(pen: _Pen) -> None:
    pen.text(pen.width_mm / 2, pen.height_mm - 18, "2", 3.5, 40)


def _dust(pen: _Pen) -> None:
    for _ in range(60):
        x, y = pen.chance.uniform(4, pen.width_mm - 4), pen.chance.uniform(4, pen.height_mm - 4)
        pen.dot(x, y, pen.chance.uniform(0.1, 0.4), int(pen.chance.integers(60, 170)))


def _show_through(pen: _Pen) -> None:
    """The back of a printed sheet: the front shines through, mirrored and faint."""
    faint = pen.brightness - 22
    _lines(pen, 45, pen.height_mm - 50, ink=faint)
    pen.picture.paste(pen.picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT))


def _nothing(pen: _Pen) -> None:
    """A blank side."""


_CONTENTS = {
    Content.FORM: _form,
    Content.LETTER: _letter,
    Content.CARD: _card,
    Content.PENCIL: _pencil,
    Content.PAGE_NUMBER: _page_number,
    Content.DUST: _dust,
    Content.SHOW_THROUGH: _show_through,
    Content.BLANK: _nothing,
}

_FONTS = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
)


@functools.lru_cache(maxsize=64)
def _font(pixels: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    for path in _FONTS:
        if Path(path).exists():
            return ImageFont.truetype(path, pixels, index=2 if path.endswith(".ttc") else 0)  # 2: Simplified Chinese
    return ImageFont.load_default(pixels)  # boxes instead of characters, but ink all the same


# -- codes -------------------------------------------------------------------------------------------------------------


def _print_code(picture: Image.Image, code: Printed, scale: float) -> None:
    rows = _qr_rows(code.text) if code.symbology == "qr" else [_code128_row(code.text)]
    cells = np.array(rows, dtype=np.uint8)
    width = round(cells.shape[1] * code.module_mm * scale)
    height = round((cells.shape[0] * code.module_mm if code.symbology == "qr" else code.height_mm) * scale)
    quiet = round((4 if code.symbology == "qr" else 10) * code.module_mm * scale)
    fine = Image.fromarray((1 - cells) * 235 + 15).resize((cells.shape[1] * 8, max(8, cells.shape[0] * 8)), 0)
    symbol = Image.new("L", (width + 2 * quiet, height + 2 * quiet), 250)
    symbol.paste(fine.resize((width, height), Image.Resampling.BOX), (quiet, quiet))
    symbol = symbol.rotate(-90 * code.turned, expand=True)
    sticker = Image.new("L", symbol.size, 255)
    if code.askew_deg:
        symbol, sticker = (
            image.rotate(-code.askew_deg, Image.Resampling.BICUBIC, expand=True) for image in (symbol, sticker)
        )
    place = round(code.x_mm * scale) - quiet, round(code.y_mm * scale) - quiet
    picture.paste(symbol.convert("RGB"), place, sticker)


def _qr_rows(text: str) -> list[list[bool]]:
    qr = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=0)
    qr.add_data(text)
    qr.make(fit=True)
    return [[bool(cell) for cell in row] for row in qr.get_matrix()]


# ISO/IEC 15417: widths of bars and spaces, six digits for each value from 0 to 105; and the stop.
_CODE128 = (
    "212222222122222221121223121322131222122213122312132212221213221312231212112232122132122231113222"
    "123122123221223211221132221231213212223112312131311222321122321221312212322112322211212123212321"
    "232121111323131123131321112313132113132311211313231113231311112133112331132131113123113321133121"
    "313121211331231131213113213311213131311123311321331121312113312311332111314111221411431111111224"
    "111422121124121421141122141221112214112412122114122411142112142211241211221114413111241112134111"
    "111242121142121241114212124112124211411212421112421211212141214121412121111143111341131141114113"
    "114311411113411311113141114131311141411131211412211214211232"
)
_STOP = "2331112"


def _code128_row(text: str) -> list[bool]:
    """Modules of a Code 128 symbol in subset B, without quiet zones."""
    values = [104, *(ord(c) - 32 for c in text)]
    if any(not 0 <= v <= 95 for v in values[1:]):
        raise ValueError(f"Code 128 subset B has no sign for: {text!r}")
    check = (values[0] + sum(i * v for i, v in enumerate(values))) % 103
    widths = "".join(_CODE128[v * 6 : v * 6 + 6] for v in [*values, check]) + _STOP
    return [i % 2 == 0 for i, width in enumerate(widths) for _ in range(int(width))]
