"""The SANE scanner for tests: profiles, a feed, and a program that stands in for `scanimage`."""

import io
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck
from PIL import Image

import drivers.scanner_sane as sane
from drivers.base import (
    ColorMode,
    DeviceError,
    Page,
    PageSource,
    ScanProfile,
)
from drivers.transport import open_link
from sim import papers
from sim.sane import unavailable

NEEDS_SANE = [pytest.mark.system, pytest.mark.skipif(unavailable() is not None, reason=str(unavailable()))]

GLASS = ScanProfile(dpi=75)
FEEDER = ScanProfile(source=PageSource.FEEDER, dpi=75, color=ColorMode.GRAY)
LETTER = papers.Paper(content=papers.Content.LETTER, noise=0)


def scan(driver: Any, profile: ScanProfile = FEEDER) -> tuple[list[Page], DeviceError | None]:
    """The pages that came, and what ended the feed if something did."""
    pages: list[Page] = []
    try:
        for page in driver.scan(profile):
            assert (page.number, page.media, page.dpi) == (len(pages) + 1, "image/png", profile.dpi)
            pages.append(page)
    except DeviceError as exc:
        assert str(exc).startswith("TST-01")
        return pages, exc
    return pages, None


def pixels(data: bytes) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.asarray(Image.open(io.BytesIO(data)), dtype=np.int64)


LISTING = """
All options specific to device `fujitsu:fi-7160:1234':
  Standard:
    --source ADF Front|ADF Back|ADF Duplex [ADF Front]
        Selects the scan source (such as a document-feeder).
    --mode Lineart|Halftone|Gray|Color [Lineart]
        Selects the scan mode (e.g., lineart, monochrome, or color).
    --resolution 50..600dpi (in steps of 1) [600]
  Geometry:
    --page-width 0..221.121mm (in steps of 0.0211639) [215.872]
    -l 0..215.872mm (in steps of 0.0211639) [0]
    -x 0..215.872mm (in steps of 0.0211639) [215.872]
    -y 0..279.364mm (in steps of 0.0211639) [279.364]
  Enhancement:
    --threshold 0..255 (in steps of 1) [inactive]
    --depth 8|16 [8]
  Sensors:
    --page-loaded[=(yes|no)] [no] [hardware]
"""
"""Written after the list of a sheet-fed scanner in the form that `scanimage -A` prints."""

EPSON = """All options specific to device `epsonds:x':
    --source Document Table|Automatic Document Feeder [Document Table]
    --adf-mode Simplex|Duplex [Simplex]
    --mode Monochrome|24bit Colour [Monochrome]
    --resolution 75|150|300|600dpi [75]
"""


def _png() -> bytes:
    file = io.BytesIO()
    Image.new("L", (60, 80), 255).save(file, "PNG", dpi=(75, 75))
    return file.getvalue()


STAND_IN = {
    "listing": LISTING.encode(),
    "devices": b"test:0\tNoname\tfrontend-tester\n",
    "page": _png(),
    "printed": b"page1.png\n",
    "said": b"Progress: 50.0%\rscanimage: sane_read: Error during device I/O\n",
}
"""What the program that stands in for `scanimage` prints: its settings, devices, page, the page's name, its errors."""
_PROGRAM = """#!/bin/sh
here=${0%/*}
out=
for word; do
  case "$word" in
    --batch=*) out=${word#--batch=} ;;
    -A) cat "$here/listing"; cat "$here/said" >&2; exit $(cat "$here/asked") ;;
    -f) cat "$here/devices"; exit 0 ;;
  esac
done
read -r _
cp "$here/page" "${out%/*}/page1.png"
cat "$here/printed"
cat "$here/said" >&2
exit $(cat "$here/code")
"""
INHERITED = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors, HealthCheck.too_slow]


@contextmanager
def stand_in(texts: dict[str, bytes], *, ends_with: int = 0, asked_ends_with: int = 0) -> Iterator[Any]:
    """A driver over a program in place of `scanimage`, for answers that no backend here gives."""
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        for file, data in {**texts, "code": b"%d" % ends_with, "asked": b"%d" % asked_ends_with}.items():
            (Path(name) / file).write_bytes(data)
        program = Path(name) / "scanimage"
        program.write_text(_PROGRAM, encoding="ascii")
        program.chmod(0o755)
        patch.setenv("PATH", name, prepend=os.pathsep)
        link = open_link("sane:test:0")
        try:
            yield sane.DRIVER("TST-01", link, sane.SaneOptions(look_every_s=0.0))
        finally:
            link.close()


def error_of(deed: Callable[[], object]) -> DeviceError | None:
    """What a deed ended with, if a device is to blame."""
    try:
        deed()
    except DeviceError as exc:
        return exc
    return None
