"""How many codes on hard pages each reader finds, and how often it is wrong.

    python -m bench.codes [pages] [askew pages] [seed]

Each page carries two QR codes (one Chinese) and two Code 128, drawn by sim.papers: skewed, blurred, noisy, pale, badly
compressed, at 150 to 300 dpi, with modules from 0.2 to 0.5 mm. On the askew pages they are stickers that lie 20 to 60
degrees off, at 200 or 300 dpi, with modules from 0.3 mm. All readers get the same straightened picture.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import zxingcpp
from pyzbar import pyzbar

from hall_daemon.imaging import Symbology, _decode
from hall_daemon.imaging_codes import read_codes
from hall_daemon.imaging_lie import find_lie, straightened
from hall_daemon.imaging_marks import Picture, gray_of
from sim.papers import Bed, Content, Paper, Printed, scan

Found = set[tuple[str, str]]


def hard_page(chance: np.random.Generator, number: int, *, askew: bool = False) -> tuple[Picture, int, Found]:
    """A page, its resolution, and what stands on it."""
    dpi = int(chance.choice([200, 300] if askew else [150, 200, 300]))
    texts = [
        ("qr", f"https://hall.example/q/{chance.integers(1 << 40):010x}"),
        ("qr", f"办件号{chance.integers(10**6)}第{chance.integers(1, 30)}页"),
        ("code128", f"EE{chance.integers(10**9):09d}CN"),
        ("code128", f"{chance.integers(10**13):013d}"),
    ]
    places = [(130, 8), (130, 210), (22, 8), (22, 200)] if askew else [(160, 8), (160, 255), (22, 8), (22, 270)]
    least_mm = 0.3 if askew else 0.2
    codes = tuple(
        Printed(
            symbology="qr" if kind == "qr" else "code128",
            text=text,
            x_mm=x,
            y_mm=y,
            module_mm=float(chance.uniform(least_mm + 0.05, 0.6) if kind == "qr" else chance.uniform(least_mm, 0.5)),
            height_mm=10,
            askew_deg=float(chance.uniform(20, 60) * chance.choice([-1, 1])) if askew else 0.0,
        )
        for (kind, text), (x, y) in zip(texts, places, strict=True)
    )
    paper = Paper(
        content=(Content.FORM, Content.LETTER)[number % 2],
        seed=number,
        codes=codes,
        bed=(Bed.BLACK, Bed.WHITE_LID)[number % 3 == 0],
        x_mm=8,
        y_mm=8,
        skew_deg=float(chance.uniform(-3, 3)),
        blur_mm=float(chance.uniform(0, 0.16)),
        contrast=float(chance.uniform(0.3, 1)),
        noise=float(chance.uniform(2, 14)),
        quality=int(chance.integers(30, 90)),
    )
    picture = _decode(scan(paper, dpi, width_mm=226, height_mm=313, color=False), "image/jpeg", dpi)
    return straightened(picture, find_lie(picture, dpi), dpi), dpi, set(texts)


def zxing_alone(gray: Picture, _dpi: int) -> Found:
    formats = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode, zxingcpp.BarcodeFormat.Code128])
    return {
        ("qr" if b.format == zxingcpp.BarcodeFormat.QRCode else "code128", b.text)
        for b in zxingcpp.read_barcodes(gray, formats=formats)
    }


def zbar_alone(gray: Picture, _dpi: int) -> Found:
    symbols = [pyzbar.ZBarSymbol.QRCODE, pyzbar.ZBarSymbol.CODE128]
    return {
        ("qr" if b.type == "QRCODE" else "code128", b.data.decode("utf-8", "replace"))
        for b in pyzbar.decode(gray, symbols=symbols)
    }


def ours(gray: Picture, dpi: int) -> Found:
    return {(str(r.code.symbology), r.code.text) for r in read_codes(gray, dpi)}


@dataclass
class Tally:
    hits: dict[str, int]
    wrong: int = 0
    seconds: float = 0.0


READERS: dict[str, Callable[[Picture, int], Found]] = {
    "zxing alone": zxing_alone,
    "zbar alone": zbar_alone,
    "both (imaging)": ours,
}


def codes(pages: int = 24, askew_pages: int = 12, seed: int = 1) -> None:
    """Print one line for each way of reading, of codes that lie straight and of stickers that lie askew."""
    chance = np.random.default_rng(seed)
    _tally(f"{pages} pages, seed {seed}", pages, (hard_page(chance, n) for n in range(pages)))
    _tally(f"{askew_pages} pages askew", askew_pages, (hard_page(chance, n, askew=True) for n in range(askew_pages)))


def _tally(title: str, count: int, pages: Iterator[tuple[Picture, int, Found]]) -> None:
    tallies = {name: Tally({"qr": 0, "code128": 0}) for name in READERS}
    for picture, dpi, truth in pages:
        gray = gray_of(picture)
        for name, read in READERS.items():
            began = time.perf_counter()
            found = read(gray, dpi)
            tally = tallies[name]
            tally.seconds += time.perf_counter() - began
            tally.wrong += len(found - truth)
            for kind, _ in found & truth:
                tally.hits[kind] += 1
    print(f"{title}, {2 * count} QR and {2 * count} Code 128")
    print(f"{'reader':<16}{'QR':>8}{'Code 128':>10}{'wrong':>8}{'ms/page':>9}")
    for name, tally in tallies.items():
        qr, linear = (tally.hits[kind] / (2 * count) for kind in (Symbology.QR, Symbology.CODE_128))
        print(f"{name:<16}{qr:>8.1%}{linear:>10.1%}{tally.wrong:>8}{tally.seconds / count * 1000:>9.0f}", flush=True)


if __name__ == "__main__":
    codes(*map(int, sys.argv[1:]))
