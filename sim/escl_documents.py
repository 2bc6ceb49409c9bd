"""Documents of the eSCL twin: what it is asked for, what its sources can do, and the frame around each document.

Source: protocols/scanners.md, section 1.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from xml.etree import ElementTree

RESOLUTIONS = (75, 100, 150, 200, 300, 600)
COLOR_MODES = ("Grayscale8", "RGB24")
MOST_WIDTH, MOST_HEIGHT = 2550, 4200  # 1/300 inch: 215.9 by 355.6 mm


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """A ScanSettings document as the twin understood it; lengths in 1/300 inch."""

    source: str
    duplex: bool
    color: str
    dpi: int
    width: int
    height: int


def read_ticket(body: bytes) -> Ticket | None:
    """A ScanSettings document; None where it is none, or asks for what no twin can do."""
    try:
        root = ElementTree.fromstring(body)  # noqa: S314 - from the test's own client
    except ElementTree.ParseError:
        return None
    said = {e.tag.rpartition("}")[2]: (e.text or "").strip() for e in root.iter()}
    if not root.tag.endswith("}ScanSettings") or said.get("ContentRegionUnits") != "escl:ThreeHundredthsOfInches":
        return None
    numbers = [said.get(n, "") for n in ("Width", "Height", "XResolution", "YResolution")]
    if not all(n.isdigit() for n in numbers):
        return None
    width, height, x_dpi, y_dpi = map(int, numbers)
    ticket = Ticket(
        source=said.get("InputSource", ""),
        duplex=said.get("Duplex") == "true",
        color=said.get("ColorMode", ""),
        dpi=x_dpi,
        width=width,
        height=height,
    )
    wrong = (
        ticket.source not in {"Platen", "Feeder"}
        or ticket.color not in COLOR_MODES
        or x_dpi not in RESOLUTIONS
        or x_dpi != y_dpi
        or not (16 <= width <= MOST_WIDTH and 16 <= height <= MOST_HEIGHT)
        or said.get("DocumentFormatExt", said.get("DocumentFormat")) != "image/jpeg"
    )
    return None if wrong else ticket


_NAMESPACES = (
    'xmlns:pwg="http://www.pwg.org/schemas/2010/12/sm" xmlns:scan="http://schemas.hp.com/imaging/escl/2011/05/03"'
)


def document(name: str, inner: str) -> bytes:
    """A document with its root element."""
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<scan:{name} {_NAMESPACES}>{inner}</scan:{name}>\n'.encode()


def input_caps(name: str) -> str:
    """What one source can do; all sources of this twin can do the same."""
    colors = "".join(f"<scan:ColorMode>{mode}</scan:ColorMode>" for mode in COLOR_MODES)
    resolutions = "".join(
        "<scan:DiscreteResolution>"
        f"<scan:XResolution>{dpi}</scan:XResolution><scan:YResolution>{dpi}</scan:YResolution>"
        "</scan:DiscreteResolution>"
        for dpi in RESOLUTIONS
    )
    return (
        f"<scan:{name}><scan:MinWidth>16</scan:MinWidth><scan:MaxWidth>{MOST_WIDTH}</scan:MaxWidth>"
        f"<scan:MinHeight>16</scan:MinHeight><scan:MaxHeight>{MOST_HEIGHT}</scan:MaxHeight>"
        "<scan:MaxScanRegions>1</scan:MaxScanRegions>"
        f"<scan:SettingProfiles><scan:SettingProfile><scan:ColorModes>{colors}</scan:ColorModes>"
        "<scan:DocumentFormats><pwg:DocumentFormat>image/jpeg</pwg:DocumentFormat>"
        "<scan:DocumentFormatExt>image/jpeg</scan:DocumentFormatExt></scan:DocumentFormats>"
        f"<scan:SupportedResolutions><scan:DiscreteResolutions>{resolutions}</scan:DiscreteResolutions>"
        "</scan:SupportedResolutions></scan:SettingProfile></scan:SettingProfiles>"
        "<scan:SupportedIntents><scan:Intent>Document</scan:Intent></scan:SupportedIntents>"
        f"</scan:{name}>"
    )
