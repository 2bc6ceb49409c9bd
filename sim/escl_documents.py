"""Documents of the eSCL twin: capabilities of its sources, and the frame around each document.

Source: protocols/scanners.md, section 1.3.
"""

from __future__ import annotations

RESOLUTIONS = (75, 100, 150, 200, 300, 600)
COLOR_MODES = ("Grayscale8", "RGB24")
MOST_WIDTH, MOST_HEIGHT = 2550, 4200  # 1/300 inch: 215.9 by 355.6 mm

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
