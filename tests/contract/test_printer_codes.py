"""QR codes and Code 128 on a slip: composed by the printer or sent as dots, and read back by somebody else's reader."""

from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import Slip, SlipBarcode, SlipPart, SlipQr, SlipText
from drivers.escpos_profiles import EscposOptions
from drivers.escpos_slip import barcode_modules, encode_barcode, encode_slip, split_code_128
from hall_daemon.self_tests import slip_for_test
from sim.printer_codes import compose_code_128
from sim.printer_escpos import TWIN
from sim.printer_paper import FONT, PrintedSlip

pytestmark = pytest.mark.skipif(not Path(FONT).is_file(), reason="Debian package fonts-noto-cjk is not installed")

PROFILES = ["epson-80", "clone-80", "clone-58", "kiosk-custom"]
CODE = "https://hall.example/q/3fK9xPq2LmZ7"
PRINTABLE = st.characters(min_codepoint=0x20, max_codepoint=0x7E)


def printed(profile: str, *parts: SlipPart) -> PrintedSlip:
    """The paper that comes out of a printer of this family."""
    twin = TWIN("PRN-01", {"profile": profile})
    twin.receive(encode_slip(Slip(parts=parts), EscposOptions(profile=profile)).data)
    [slip] = twin.printed
    assert not twin.interpreter.buffer
    return slip


def read(slip: PrintedSlip) -> list[tuple[str, str]]:
    """Kind and content of every code on the paper, as zxing-cpp reads it."""
    return [(code.format.name, code.text) for code in zxingcpp.read_barcodes(slip.image().convert("L"))]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_qr_code_can_be_read_from_the_paper_of_every_family(profile: str) -> None:
    slip = printed(profile, SlipText(text="A037"), SlipQr(data=CODE, module_dots=4))
    assert read(slip) == [("QRCode", CODE)]
    assert bool(slip.qr) == (profile != "clone-58")


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("data", ["A001", "A0010037", "990000-37", "20260302A037", "a{b}c ~"])
def test_a_barcode_can_be_read_from_the_paper_of_every_family(profile: str, data: str) -> None:
    slip = printed(profile, SlipText(text="A037"), SlipBarcode(data=data), SlipText(text="请保管好"))
    assert read(slip) == [("Code128", data)]
    assert slip.barcodes == ([] if profile == "clone-58" else [data])
    assert slip.lines == (["A037", data, "请保管好"] if profile == "clone-58" else ["A037", "请保管好"])


@pytest.mark.parametrize("profile", PROFILES)
def test_the_test_slip_carries_both_kinds_of_code(profile: str) -> None:
    slip = printed(profile, *slip_for_test("PRN-01", EscposOptions(profile=profile).columns).parts)
    assert sorted(read(slip)) == [("Code128", "PRN-01"), ("QRCode", "hall-daemon self-test PRN-01")]


@settings(max_examples=40, deadline=None)
@given(st.text(PRINTABLE, min_size=1, max_size=12) | st.text("09", min_size=1, max_size=16), st.booleans())
def test_any_printable_content_is_read_back(data: str, native: bool) -> None:
    slip = printed("epson-80" if native else "clone-58", SlipBarcode(data=data))
    # A reader gives spaces at the ends back as they are.
    assert read(slip) == [("Code128", data)]


@given(st.text(PRINTABLE, min_size=1, max_size=24))
def test_what_the_printer_composes_is_as_wide_as_it_was_reckoned(data: str) -> None:
    sent = encode_barcode(SlipBarcode(data=data), 2)
    composed = compose_code_128(sent[sent.index(b"\x1dkI") + 4 :])
    assert composed is not None
    assert (composed[0], len(composed[1])) == (data, barcode_modules(data))


def test_a_barcode_is_sent_as_in_the_notes() -> None:
    golden = bytes.fromhex("1D6840 1D7703 1D6600 1D4802 1D6B49 06 7B42 41303031")
    assert encode_barcode(SlipBarcode(data="A001"), 3) == golden


def test_runs_of_digits_take_half_the_room() -> None:
    assert split_code_128("A0010037") == [("B", "A"), ("C", "001003"), ("B", "7")]
    assert split_code_128("990000") == [("C", "990000")]
    assert split_code_128("A12B") == [("B", "A12B")]
    data = encode_barcode(SlipBarcode(data="A990000{"), 2)
    assert data.endswith(b"{BA{C" + bytes([99, 0, 0]) + b"{B{{")


@pytest.mark.parametrize(
    ("part", "says"),
    [
        (SlipBarcode(data=""), "not empty"),
        (SlipBarcode(data="号"), "ASCII"),
        (SlipBarcode(data="A\x1b"), "ASCII"),
        (SlipBarcode(data="A" * 40), "too wide"),
    ],
)
def test_a_barcode_that_cannot_be_read_is_refused_before_anything_is_sent(part: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        encode_slip(Slip(parts=(part,)), EscposOptions())


def test_a_barcode_gets_wide_bars_while_there_is_room() -> None:
    wide, narrow = "A001", "A" * 20
    assert b"\x1dw\x03" in encode_slip(Slip(parts=(SlipBarcode(data=wide),)), EscposOptions()).data
    assert b"\x1dw\x02" in encode_slip(Slip(parts=(SlipBarcode(data=narrow),)), EscposOptions()).data


@pytest.mark.parametrize("profile", PROFILES)
def test_the_length_of_a_slip_is_reckoned_as_it_comes_out(profile: str) -> None:
    parts = (SlipText(text="A037", scale=3), SlipBarcode(data="A001"), SlipQr(data=CODE, module_dots=4))
    options = EscposOptions(profile=profile)
    reckoned = encode_slip(Slip(parts=parts), options).length_mm
    assert abs(printed(profile, *parts).dots / options.paper.dots_per_mm - reckoned) < 1.0 + 15 * (
        profile == "clone-58"
    )
