"""ESC/POS slip printers by what they can do: four profiles, and the options of one printer.

Source: protocol notes "Ticket printers (ESC/POS)" §3.1 (bits that cheap models never use), §3.6, §4, §5 and §7 (what
the four profiles have), with its confidence marks. Whether a code is composed by the printer itself, and its cutter:
profiles of escpos-printer-db, as shipped with python-escpos 3.1 (B).

A profile says what a family can be trusted with. Where members of a family differ in something that can be asked
without harm, the driver asks (`asks_for_fence`); where asking may print rubbish (GS ( H), `confirm` turns it on.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.base import SerialOptions
from drivers.escpos_text import CHARSETS

BAUDS = (9600, 19200, 38400, 57600, 115200)
FENCES = {"gs_r": b"\x1dr\x01", "esc_v": b"\x1bv"}
CONFIRMS = ("", *FENCES, "gs_h", "status", "none")
FLOWS = ("none", "xonxoff", "rtscts")
RENDERINGS = ("", "text", "picture")
LEFT_SLIPS = {"eject": 0x45, "retract": 0x52}


@dataclass(frozen=True, kw_only=True)
class PaperWidth:
    """How many dots a line of so many half-width characters has, and how dense they are."""

    dots: int
    dots_per_mm: float


PAPERS = {
    32: PaperWidth(dots=384, dots_per_mm=8),  # 58 mm paper
    42: PaperWidth(dots=512, dots_per_mm=7.09),  # 80 mm paper, 180 dots per inch
    48: PaperWidth(dots=576, dots_per_mm=8),  # 80 mm paper
}


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What a family of printers can do."""

    columns: int
    charset: str = "gb2312"
    """The smallest font that a Chinese model of the family carries (B)."""
    asks_for_fence: bool = True
    """False: GS r is known to be answered. True: whether it is answered is found out on an idle printer."""
    may_mark_jobs: bool = False
    """Whether members with GS ( H are known; `confirm = "gs_h"` is legal then."""
    automatic_status: bool = False
    full_status: bool = False
    """Custom's six bytes (DLE EOT 14h); its answers begin like an automatic status, so both never go together."""
    native_qr: bool = True
    native_barcode: bool = True
    cutter: bool = True
    presenter: bool = False
    pictures: bool = True
    """Whether members may be trusted with a whole slip as raster (GS v 0), where the line is fast enough for one."""
    trusted: bytes = b"\x7f\x7f\x7f\x7f"
    """Bits of the answers to DLE EOT 1 to 4 that mean something."""


# Bits 5 and 6 of the first answer and bit 2 of the third are never used by some cheap models (A).
_CHEAP_BITS = b"\x1f\x7f\x7b\x7f"

PROFILES = {
    "epson-80": Profile(
        columns=48,
        asks_for_fence=False,
        may_mark_jobs=True,
        automatic_status=True,
    ),
    "clone-80": Profile(columns=48, may_mark_jobs=True, trusted=_CHEAP_BITS),
    "clone-58": Profile(columns=32, native_qr=False, native_barcode=False, cutter=False, trusted=_CHEAP_BITS),
    "kiosk-custom": Profile(columns=48, full_status=True, presenter=True),
}


@dataclass(frozen=True, kw_only=True)
class EscposOptions(SerialOptions):
    """Keys of a slip printer's table."""

    profile: str = "epson-80"
    """Family: epson-80, clone-80, clone-58 or kiosk-custom (presenter and retractor)."""
    baud: int = 115200
    columns: int = 0
    """Half-width characters of a normal line: 32, 42 or 48; only where the paper is not the profile's."""
    charset: str = ""
    """What the printer's font carries, where it is more than the profile counts on: gb2312, gbk or gb18030. Too small
    costs time (rows go as raster), too large costs legibility."""
    confirm: str = ""
    """How far this printer answers, where it is not as its profile says: `gs_r` status and fence; `esc_v` the same with
    the older fence; `gs_h` status and a mark that names the slip; `status` no fence; `none` one way. With the last
    two every slip ends Unconfirmed, or Refused if a fault shows."""
    cutter: bool = True
    """False where the resident tears the slip off at a bar although the profile has a cutter."""
    font: str = ""
    """Font file for characters that the printer lacks; empty: those of the usual places that are there."""
    roll_m: int = 0
    """Metres on a new roll, for telling its near end without a sensor; 0: no prediction."""
    flow: str = "xonxoff"
    """How a printer on a serial line says that its buffer is full: `xonxoff`, `rtscts` (its DTR or RTS on our CTS) or
    `none`. The notes name both ways (A), not which one a printer is set to: the default is a guess (G) that only paces
    what is sent, since a printer set otherwise never says XOFF."""
    rendering: str = ""
    """How a slip that can be drawn goes out: `text`, `picture`, or empty: as a picture where the line is fast (USB, TCP
    port 9100), else as text. A picture is about 46 KB: 4 s at 115200 baud."""
    display_behind: bool = False
    """Whether a customer display hangs on the printer's pass-through port; that one has `behind_printer`."""
    slip_wait_s: int = 20
    """Seconds that a presented slip waits in the mouth (presenter only)."""
    slip_left: str = "retract"
    """What becomes of a slip that nobody took: retract or eject (presenter only)."""

    def __post_init__(self) -> None:
        _check("profile", self.profile, tuple(PROFILES))
        # A frozen object may complete itself while it is made: the rest of the hall asks for `columns`.
        object.__setattr__(self, "columns", self.columns or self.can.columns)
        object.__setattr__(self, "charset", self.charset or self.can.charset)
        _check("baud", self.baud, BAUDS)
        _check("columns", self.columns, tuple(PAPERS))
        _check("charset", self.charset, CHARSETS)
        _check("confirm", self.confirm, CONFIRMS)
        _check("flow", self.flow, FLOWS)
        _check("rendering", self.rendering, RENDERINGS)
        _check("slip_left", self.slip_left, tuple(LEFT_SLIPS))
        if self.confirm == "gs_h" and not self.can.may_mark_jobs:
            raise ValueError(f"confirm = 'gs_h': no printer of profile {self.profile} is known to have it")
        if not 1 <= self.slip_wait_s <= 255:
            raise ValueError(f"slip_wait_s = {self.slip_wait_s}: must be 1 to 255")
        if not 0 <= self.roll_m <= 1000:
            raise ValueError(f"roll_m = {self.roll_m}: must be 0 to 1000 metres")

    @property
    def can(self) -> Profile:
        """What the printer's family can do."""
        return PROFILES[self.profile]

    @property
    def paper(self) -> PaperWidth:
        """The paper that goes with `columns`."""
        return PAPERS[self.columns]

    @property
    def cuts(self) -> bool:
        """Whether a knife separates the slips."""
        return self.cutter and self.can.cutter


def _check(key: str, value: object, legal: tuple[object, ...]) -> None:
    if value not in legal:
        raise ValueError(
            f"{key} = {value!r}: must be one of {', '.join(repr(v) if v == '' else str(v) for v in legal)}"
        )
