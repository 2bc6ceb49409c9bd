"""Every paper that residents hold, as the printer twin prints it: at both widths, as text and as a picture.

The pictures in `slips/` have been looked at by a person; `SLIPS=rewrite` writes them anew, to be looked at again. Type
is drawn by this machine's FreeType, and another version may set a dot elsewhere: a two-hundredth of the ink may differ.
"""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
import zxingcpp
from PIL import Image, ImageChops

from drivers.base import Slip, SlipQr, SlipText
from drivers.drawn import DrawnNumber, DrawnQr, DrawnText
from drivers.escpos_picture import open_type, paint, unbroken
from drivers.escpos_profiles import PROFILES as DRIVER_PROFILES
from drivers.escpos_profiles import EscposOptions
from drivers.escpos_slip import encode_slip
from drivers.printer_escpos import EscposPrinter
from hall_daemon.slips import CaseFacts, GuideFacts, NoticeFacts, SlipFacts, compose
from tests.contract.slip_samples import REPRINT, SAMPLES, TICKET, URL, printed

FONT = Path("/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc")
HANAZONO = Path("/usr/share/fonts/truetype/hanazono")
GOLDENS = Path(__file__).parent / "slips"
DOTS_PER_MM = 8
NUMBER_MM = 12
DIFFERS = 1 / 200

pytestmark = pytest.mark.skipif(not FONT.is_file(), reason="Debian package fonts-noto-cjk is not installed")
WIDTHS = {32: 384, 48: 576}
RENDERINGS = ("text", "picture")


def seen(slip: Slip, columns: int, rendering: str = "picture") -> Image.Image:
    """What comes out, black on white."""
    return printed(slip, columns, drawn=rendering == "picture").image().convert("L")


def ink(picture: Image.Image) -> int:
    return picture.histogram()[0]


@pytest.mark.parametrize("rendering", RENDERINGS)
@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("kind", SAMPLES)
def test_a_paper_looks_as_it_was_looked_at(kind: str, columns: int, rendering: str) -> None:
    picture, golden = seen(SAMPLES[kind](columns), columns, rendering), GOLDENS / f"{kind}-{columns}-{rendering}.png"
    if os.environ.get("SLIPS") == "rewrite":
        picture.convert("1").save(golden, optimize=True)
    wanted = Image.open(golden).convert("L")
    assert picture.size == wanted.size
    differing = ink(ImageChops.invert(ImageChops.difference(picture, wanted)))
    assert differing <= ink(wanted) * DIFFERS, f"{differing} dots of {golden.name} differ"


@pytest.mark.parametrize("rendering", RENDERINGS)
@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("kind", SAMPLES)
def test_nothing_is_cut_off_and_every_code_can_be_read(kind: str, columns: int, rendering: str) -> None:
    slip = SAMPLES[kind](columns)
    picture = seen(slip, columns, rendering)
    assert picture.width == WIDTHS[columns]
    wanted = [part.data for part in slip.parts if isinstance(part, SlipQr)]
    assert [code.text for code in zxingcpp.read_barcodes(picture)] == wanted
    if rendering == "picture":
        # Type keeps its margin; only the band runs across, edge to edge.
        edges = [picture.crop((x, 0, x + 1, picture.height)) for x in (2, picture.width - 3)]
        assert len({ink(edge) for edge in edges}) == 1
        assert ink(edges[0]) <= 110


# --- the number -------------------------------------------------------------------------------------------------------


def height_mm(facts: SlipFacts, columns: int, rendering: str) -> float:
    """Height of the number's figures, measured in the picture: the rows that another number changes."""
    others = [replace(facts, number=letter * len(facts.number)) for letter in "XI"]
    pictures = [seen(compose(each, columns), columns, rendering) for each in (facts, *others)]
    boxes = [ImageChops.difference(pictures[0], picture).getbbox() for picture in pictures[1:]]
    found = [box for box in boxes if box is not None]
    return (max(box[3] for box in found) - min(box[1] for box in found)) / DOTS_PER_MM


@pytest.mark.parametrize("number", ["A001", "A1000", "VA012", "YA1007"])
@pytest.mark.parametrize("rendering", RENDERINGS)
@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("large", [False, True])
def test_the_number_is_at_least_twelve_millimetres_high(
    columns: int, rendering: str, number: str, *, large: bool
) -> None:
    facts = replace(TICKET, number=number, large=large)
    assert NUMBER_MM <= height_mm(facts, columns, rendering) <= 2.5 * NUMBER_MM


def test_large_type_is_larger_and_its_number_too() -> None:
    def tallest(large: bool) -> int:
        slip = compose(replace(TICKET, large=large), 48)
        [number] = [part for part in slip.drawn if isinstance(part, DrawnNumber)]
        return number.height

    assert tallest(True) > tallest(False)
    small, large = (
        min(part.dots for part in compose(replace(TICKET, large=large), 48).drawn if isinstance(part, DrawnText))
        for large in (False, True)
    )
    assert 24 <= small < large  # 3 mm is the least


@pytest.mark.parametrize("columns", WIDTHS)
def test_large_type_is_larger_where_only_text_goes_out_too(columns: int) -> None:
    def scales(large: bool) -> dict[str, int]:
        slip = compose(replace(TICKET, large=large), columns)
        return {part.text: part.scale for part in slip.parts if isinstance(part, SlipText)}

    for said in ("前面等待 6 人", "大约要等", "号窗口"):
        small, large = (max(s for text, s in scales(each).items() if said in text) for each in (False, True))
        assert (small, large) == (1, 2), said


@pytest.mark.parametrize(("columns", "large", "most_mm"), [(32, False, 112), (48, False, 110), (48, True, 156)])
def test_a_ticket_is_no_longer_than_it_must_be(columns: int, large: bool, most_mm: int) -> None:
    """From the first ink to the last; the way from the head to the cutter is the printer's own."""
    box = ImageChops.invert(seen(compose(replace(TICKET, large=large), columns), columns)).getbbox()
    assert box is not None
    assert box[3] - box[1] <= most_mm * DOTS_PER_MM


# --- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", WIDTHS)
def test_both_renderings_say_the_same(columns: int) -> None:
    for kind, make in SAMPLES.items():
        slip = make(columns)
        text = re.sub(r"\W", "", "".join(p.text for p in slip.parts if isinstance(p, SlipText)))
        for part in slip.drawn:
            if isinstance(part, DrawnText):
                for sentence in re.split(r"[;.] ", f"{part.text}; {part.beside}"):
                    assert re.sub(r"\W", "", sentence) in text, f"{kind}: {sentence}"
        assert [p.data for p in slip.parts if isinstance(p, SlipQr)] == _codes(slip)


def _codes(slip: Slip) -> list[str]:
    codes = [getattr(part, "qr", part) for part in slip.drawn]
    return [code.data for code in codes if isinstance(code, DrawnQr)]


def test_only_a_reprint_is_marked() -> None:
    assert "补打" not in "".join(printed(compose(TICKET, 32), 32, drawn=False).lines)
    assert "补打" in "".join(printed(compose(REPRINT, 32), 32, drawn=False).lines)
    assert ink(seen(compose(replace(TICKET, reprint=True), 32), 32)) > ink(seen(compose(TICKET, 32), 32))


def test_no_fact_of_a_paper_is_a_persons() -> None:
    """Papers are composed from these facts and nothing else: there is none for a name, an ID number or a phone."""
    named = {name for facts in (SlipFacts, GuideFacts, NoticeFacts, CaseFacts) for name in facts.__dataclass_fields__}
    assert not {name for name in named if re.search(r"resident|applicant|name|id_no|masked|person", name)}
    assert URL.isascii()


# --- rare characters --------------------------------------------------------------------------------------------------


def drawn_row(text: str) -> Image.Image:
    types = open_type("")
    assert types is not None
    return paint([DrawnText(text=text, dots=48)], 576, types).convert("L")


@pytest.mark.fault("A09")
@pytest.mark.skipif(not HANAZONO.is_dir(), reason="Debian package fonts-hanazono is not installed")
@pytest.mark.parametrize("rare", ["𠮷", "䶮", "𬺡"])
def test_a_rare_character_has_ink_of_its_own_in_a_picture(rare: str) -> None:
    drawn = drawn_row(rare)
    assert ink(drawn) > 100
    for other in ("〓", "吉", "龚", "□"):
        difference = ink(ImageChops.invert(ImageChops.difference(drawn, drawn_row(other))))
        assert difference > 20, other


@pytest.mark.fault("A09")
def test_a_private_character_is_the_mark_in_both_renderings_and_the_number_stands() -> None:
    slip = compose(replace(TICKET, item=replace_text("张\ue000路")), 48)
    assert printed(slip, 48, drawn=False).lines.count("A037") == 1
    assert any("张〓路" in line for line in printed(slip, 48, drawn=False).lines)
    marked = compose(replace(TICKET, item=replace_text("张〓路")), 48)
    assert ImageChops.difference(seen(slip, 48), seen(marked, 48)).getbbox() is None


def replace_text(zh: str):  # type: ignore[no-untyped-def]
    return TICKET.item.model_copy(update={"zh": zh})


# --- which rendering goes out -----------------------------------------------------------------------------------------


class _Line:
    """As much of a link as says how fast it is."""

    def __init__(self, port: str, *, has_speed: bool) -> None:
        self.port, self.has_speed = port, has_speed


@pytest.mark.parametrize(
    ("port", "has_speed", "rendering", "drawn"),
    [
        ("/dev/ttyS1", True, "", False),
        ("rfc2217://10.0.3.9:4001", True, "", False),
        ("socket://10.0.3.9:4001", False, "", False),
        ("socket://10.0.3.9:9100", False, "", True),
        ("usb:04b8:0202", False, "", True),
        ("/dev/ttyS1", True, "picture", True),
        ("usb:04b8:0202", False, "text", False),
    ],
)
def test_a_picture_goes_out_where_the_line_is_fast(port: str, has_speed: bool, rendering: str, drawn: bool) -> None:
    line = _Line(port, has_speed=has_speed)
    printer = EscposPrinter("PRN-01", line, EscposOptions(rendering=rendering))  # type: ignore[arg-type]
    assert printer._draws() is drawn


def test_a_slip_without_a_picture_goes_out_as_text() -> None:
    slip = Slip(parts=compose(TICKET, 48).parts)
    options = EscposOptions()
    assert encode_slip(slip, options, drawn=True) == encode_slip(slip, options)


def test_a_picture_is_larger_than_text_and_fits_what_a_fast_line_takes() -> None:
    for profile in DRIVER_PROFILES:
        options = EscposOptions(profile=profile)
        slip = compose(TICKET, options.columns)
        # A printer that composes no code gets that one as dots.
        assert len(encode_slip(slip, options).data) < (1500 if options.can.native_qr else 6000)
        assert len(encode_slip(slip, options, drawn=True).data) < 64 * 1024


def test_an_unknown_rendering_is_an_error() -> None:
    with pytest.raises(ValueError, match="rendering"):
        EscposOptions(rendering="drawing")


def test_no_stop_begins_a_line_and_no_bracket_ends_one() -> None:
    assert list(unbroken("（备案），《公司法》 A1 b")) == ["（备", "案），", "《公", "司", "法》 ", "A1 ", "b"]
