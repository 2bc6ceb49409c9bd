"""The slip as a person sees it: characters are the right ones, the code can be read, nothing is cut off.

The sample slips stay in artefacts/ for a person to look at.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image, ImageChops, ImageDraw, ImageFont

from drivers.base import Slip, SlipFeed, SlipPart, SlipQr, SlipRule, SlipText
from drivers.drawn import Align
from drivers.escpos_profiles import EscposOptions
from drivers.escpos_slip import encode_slip
from drivers.escpos_text import open_font
from sim.printer_escpos import TWIN
from sim.printer_paper import PrintedSlip

FONT = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
HANAZONO = Path("/usr/share/fonts/truetype/hanazono")
ARTEFACTS = Path(__file__).parents[2] / "artefacts"
CODE = "https://hall.example/q/3fK9xPq2LmZ7"

pytestmark = pytest.mark.skipif(not FONT.is_file(), reason="Debian package fonts-noto-cjk is not installed")
with_hanazono = pytest.mark.skipif(not HANAZONO.is_dir(), reason="Debian package fonts-hanazono is not installed")


def printed(*parts: SlipPart, columns: int = 48) -> PrintedSlip:
    """The paper that comes out of a printer for these parts."""
    twin = TWIN("PRN-01", {"columns": columns})
    twin.receive(encode_slip(Slip(parts=parts), EscposOptions(columns=columns)).data)
    [slip] = twin.printed
    return slip


def sample(columns: int) -> Iterator[SlipPart]:
    """A ticket with everything that a slip can hold, and two characters that no printer's font has."""
    wide = columns > 40
    yield SlipText(text="示例省政务服务中心", bold=True, align=Align.CENTRE)
    yield SlipText(text="注册登记区  一层东", scale=2 if wide else 1, bold=True, align=Align.CENTRE)
    yield SlipFeed(mm=3)
    yield SlipText(text="A037", scale=8 if wide else 6, bold=True, align=Align.CENTRE)
    yield SlipFeed(mm=2)
    yield SlipText(text="企业设立登记", scale=2, bold=True, align=Align.CENTRE)
    yield SlipText(text="前面 6 人　约等 15-25 分钟", bold=True, align=Align.CENTRE)
    yield SlipRule()
    yield SlipText(text="请先备好材料", bold=True)
    yield SlipText(text="□ 法定代表人身份证　原件")
    yield SlipText(text="□ 公司章程　原件")
    yield SlipText(text="办理人 张𠮷䶮 (gpqy)", bold=True)
    yield SlipFeed(mm=2)
    yield SlipQr(data=CODE, module_dots=6 if wide else 4)
    yield SlipFeed(mm=1)
    yield SlipText(text="扫码看进度", align=Align.CENTRE)
    yield SlipRule()
    yield SlipText(text="3月2日 10:24  01 号机")
    yield SlipText(text="138****0000", align=Align.RIGHT)
    yield SlipFeed(mm=3)


@pytest.mark.parametrize(("columns", "width"), [(32, 384), (42, 512), (48, 576)])
def test_sample_slip_is_drawn_to_the_edge_and_its_code_can_be_read(columns: int, width: int) -> None:
    slip = printed(*sample(columns), columns=columns)
    slip.save(ARTEFACTS / f"slip-{columns}.png")
    picture = Image.open(ARTEFACTS / f"slip-{columns}.png")

    assert picture.size == (width, slip.dots)
    assert [code.text for code in zxingcpp.read_barcodes(picture.convert("L"))] == [CODE]
    ink = ImageChops.invert(picture.convert("L")).getbbox()
    assert ink is not None
    assert ink[0] <= 4  # a left-aligned line starts at the left edge
    assert ink[2] >= width - 4  # and the right-aligned one ends at the right


def drawn_by_the_font(char: str, file: Path = FONT, face: int = 2) -> Image.Image:
    """The character in a 24-dot square, black is 1, drawn here and not by the driver; face 2 is Noto Sans CJK SC."""
    square = Image.new("L", (24, 24), 0)
    font = ImageFont.truetype(str(file), 24, index=face)
    ImageDraw.Draw(square).text((0, 21), char, font=font, fill=255, anchor="ls")
    return square.point(lambda level: 255 if level >= 128 else 0, mode="1")


def likeness(one: Image.Image, other: Image.Image) -> float:
    """Share of black dots that two pictures have in common, 0 to 1, at the best shift by up to two dots."""
    best = 0.0
    for dx in range(-2, 3):
        for dy in range(-2, 3):
            moved = Image.new("1", other.size, 0)
            moved.paste(other, (dx, dy))
            both = sum(ImageChops.logical_and(one, moved).convert("L").histogram()[1:])
            either = sum(ImageChops.logical_or(one, moved).convert("L").histogram()[1:])
            best = max(best, both / either)
    return best


@pytest.mark.parametrize("char", ["𠮷", "䶮", "㐀", "〇", "镕", "€"])
def test_a_rare_character_is_drawn_as_itself(char: str) -> None:
    [raster] = printed(SlipText(text=f"{char}先生")).rasters
    glyph = ImageChops.invert(raster.image()).crop((0, 0, 24, 26))
    square = Image.new("1", (24, 26), 0)
    square.paste(drawn_by_the_font(char), (0, 1))

    assert likeness(square, glyph) > 0.75
    other = Image.new("1", (24, 26), 0)
    other.paste(drawn_by_the_font("口"), (0, 1))
    assert likeness(other, glyph) < 0.6


RAREST = [
    ("𤱞", "HanaMinB.ttf"),  # U+24C5E, extension B
    ("𪛖", "HanaMinB.ttf"),  # U+2A6D6, its last
    ("𪜁", "HanaMinB.ttf"),  # U+2A701, extension C
    ("𫠝", "HanaMinA.ttf"),  # U+2B81D, the last of D
    ("𬺡", "HanaMinB.ttf"),  # U+2CEA1, the last of E
    ("𮯠", "HanaMinB.ttf"),  # U+2EBE0, the last of F and of GB 18030-2022's level 3
]


@with_hanazono
@pytest.mark.parametrize(("char", "file"), RAREST)
def test_a_character_that_the_first_font_lacks_is_drawn_by_the_next(char: str, file: str) -> None:
    [raster] = printed(SlipText(text=f"{char}先生")).rasters
    glyph = ImageChops.invert(raster.image()).crop((0, 0, 24, 26))
    square = Image.new("1", (24, 26), 0)
    square.paste(drawn_by_the_font(char, HANAZONO / file, 0), (0, 1))
    assert likeness(square, glyph) > 0.7


@with_hanazono
@pytest.mark.parametrize(
    ("first", "last"),
    [(0x3400, 0x4DB5), (0x4E00, 0x9FEF), (0x20000, 0x2A6D6), (0x2A700, 0x2B734), (0x2B740, 0x2B81D), (0x2B820, 0x2CEA1),
     (0x2CEB0, 0x2EBE0)],
)  # fmt: skip
def test_every_tenth_han_character_of_gb_18030_level_3_has_ink_of_its_own(first: int, last: int) -> None:
    font = open_font("")
    assert font is not None
    without = [f"U+{code:04X}" for code in range(first, last + 1, 10) if not font.has(chr(code))]
    assert without == []
    assert font.has(chr(last))


def test_private_use_is_never_taken_from_a_font_that_has_something_there() -> None:
    font = open_font("")
    assert font is not None
    assert not font.has("\ue000")
    assert not font.has("\U000f0000")


def test_a_rare_character_stands_where_its_cell_is() -> None:
    for align, left in ((Align.LEFT, 0), (Align.CENTRE, 264), (Align.RIGHT, 528)):
        picture = printed(SlipText(text="𠮷〇", align=align)).image()
        ink = ImageChops.invert(picture.convert("L")).getbbox()
        assert ink is not None
        assert left <= ink[0] < ink[2] <= left + 48


def test_private_use_character_is_the_mark_and_the_number_is_intact() -> None:
    slip = printed(SlipText(text="A037", scale=3), SlipText(text="张\ue000 A037"))
    assert slip.lines == ["A037", "张〓 A037"]
    assert not slip.rasters


def test_a_bold_row_is_darker_and_a_large_one_larger_also_as_raster() -> None:
    def black(text: str, *, scale: int = 1, bold: bool = False) -> int:
        return printed(SlipText(text=text, scale=scale, bold=bold)).image().convert("L").histogram()[0]

    for text in ("先生", "𠮷先"):
        assert black(text) < black(text, bold=True) < black(text, scale=2)


def test_device_text_is_magnified_dot_by_dot() -> None:
    small = printed(SlipText(text="号A")).image().crop((0, 120, 36, 144))
    large = printed(SlipText(text="号A", scale=4)).image().crop((0, 120, 144, 216))
    assert (
        ImageChops.difference(
            small.resize((144, 96), Image.Resampling.NEAREST).convert("L"), large.convert("L")
        ).getbbox()
        is None
    )
