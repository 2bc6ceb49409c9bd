"""What every device driver promises, and the plain data that crosses its border.

A driver understands the bytes of one device protocol. It is given an open link and uses it from one thread; it never
opens a port, sleeps, retries a job, starts a thread, or logs a failure that it raises. It knows paper, keys, cards and
pages, but no tickets.

    DeviceError
      LinkError             the port is gone or will not open
      NoReply               this device is silent
      BadReply              the reply breaks the protocol
      Refused(condition)    understood and declined; the job did not happen, or happened in part and is void
      Unconfirmed           everything was sent, the device never confirmed: it may have happened
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import Enum, IntEnum, StrEnum
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from drivers.drawn import Align, DrawnPart

if TYPE_CHECKING:
    from drivers.transport import Link


class Condition(StrEnum):
    """A named circumstance that a device reports; `blocks` says whether it can still serve."""

    PAPER_OUT = "paper_out"
    PAPER_LOW = "paper_low"
    COVER_OPEN = "cover_open"
    PAPER_JAM = "paper_jam"
    CUTTER_ERROR = "cutter_error"
    HEAD_HOT = "head_hot"
    DEVICE_FAULT = "device_fault"
    SWITCHED_OFFLINE = "switched_offline"
    FEEDER_EMPTY = "feeder_empty"
    FEEDER_JAM = "feeder_jam"
    DOUBLE_FEED = "double_feed"
    """Two sheets went through the feeder as one."""
    BUSY = "busy"
    WARMING_UP = "warming_up"
    CARD_UNREADABLE = "card_unreadable"
    CARD_REMOVED_EARLY = "card_removed_early"
    CARD_UNKNOWN = "card_unknown"
    CARD_INVALID = "card_invalid"
    KEYS_STUCK = "keys_stuck"
    TEXT_UNSUITABLE = "text_unsuitable"
    TEXT_LOST = "text_lost"
    PROFILE_UNSUITABLE = "profile_unsuitable"
    SILENCED = "silenced"
    """A loudspeaker whose volume is zero or that is muted."""
    LENS_DARK = "lens_dark"
    """A camera that gives black pictures: covered, or its lamp is off."""

    @property
    def blocks(self) -> bool:
        """Whether the device cannot do its job while this holds."""
        return self not in _ONLY_WARNS


_ONLY_WARNS = frozenset({Condition.PAPER_LOW, Condition.FEEDER_EMPTY, Condition.WARMING_UP, Condition.TEXT_LOST})


class DeviceError(Exception):
    """Something a device or its line did; the sentence names device, deed, answer and port."""


class LinkError(DeviceError):
    """The port is gone or will not open."""


class NoReply(DeviceError):
    """The device is silent."""


class BadReply(DeviceError):
    """The reply breaks the protocol."""


class Refused(DeviceError):
    """The device understood and declined, or stopped: the job is void."""

    def __init__(self, condition: Condition, sentence: str, *, suspect: int = 0) -> None:
        super().__init__(sentence)
        self.condition = condition
        self.suspect = suspect
        """Number of the first page already yielded that must not be kept (DOUBLE_FEED); 0: all of them are good."""


class Unconfirmed(DeviceError):
    """Everything was sent and never confirmed: it may have happened, so nobody repeats it silently."""


class Proven(Enum):
    """How far a driver has been shown to work."""

    SIMULATOR = "simulator"
    CAPTURE = "capture"
    FIELD = "field"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a device says about itself; empty where it does not say."""

    vendor: str = ""
    model: str = ""
    firmware: str = ""
    serial: str = ""


@dataclass(frozen=True, kw_only=True)
class DeviceOptions:
    """Legal keys of a device's table besides `driver` and `port`; a subclass adds the driver's own."""


@dataclass(frozen=True, kw_only=True)
class SerialOptions(DeviceOptions):
    """Keys of a device on a serial line; ignored where the port is a TCP socket."""

    baud: int = 9600


LinkT = TypeVar("LinkT", bound="Link")
OptionsT = TypeVar("OptionsT", bound=DeviceOptions)


class Driver(ABC, Generic[LinkT, OptionsT]):
    """One device protocol. Methods block, run on the port's thread, and end by themselves.

    Every question ends within QUESTION_LIMIT_S, every job within `job_limit_s`, whatever the device does.
    """

    Options: ClassVar[type[DeviceOptions]]
    Transport: ClassVar[type[Link]]
    kind: ClassVar[str]
    """Family: card_reader, keypad, caller, evaluator, printer, display, announcer, scanner, camera, code_reader."""
    proven: ClassVar[Proven] = Proven.SIMULATOR
    job_limit_s: ClassVar[float] = 4.0
    serial_is_unique: ClassVar[bool] = False
    """Whether no two devices of this kind say the same `Identity.serial`; then who says it twice is refused."""

    def __init__(self, device: str, link: LinkT, options: OptionsT) -> None:
        self.device = device
        self.link = link
        self.options = options

    @abstractmethod
    def hello(self) -> Identity:
        """Ask who is there; the first traffic after the port opens."""

    @abstractmethod
    def conditions(self) -> frozenset[Condition]:
        """Ask the cheap question of an idle device."""

    def memory(self) -> dict[str, float]:
        """What a later life of this driver has to know; a few numbers, nothing personal."""
        return {}

    def recall(self, memory: Mapping[str, float]) -> None:
        """Take up what an earlier life knew; called once, before hello. Whatever is not understood is left out."""


QUESTION_LIMIT_S = 4.0
POLL_LIMIT_S = 0.2


class CardKind(StrEnum):
    """Layout of the card's text block."""

    CITIZEN = "citizen"
    HK_MACAU_TAIWAN = "hk_macau_taiwan"
    FOREIGN_2017 = "foreign_2017"
    FOREIGN_2023 = "foreign_2023"
    SERIAL_ONLY = "serial_only"


class CardDoubt(StrEnum):
    """A finding about card data that is worth telling but refuses nothing."""

    CHECK_DIGIT = "check_digit"
    BIRTH_MISMATCH = "birth_mismatch"
    VALIDITY_REVERSED = "validity_reversed"
    EXPIRED = "expired"
    PRIVATE_USE_CHARACTER = "private_use_character"
    NEWEST_ADDRESS_UNREAD = "newest_address_unread"


@dataclass(frozen=True, kw_only=True, repr=False)
class IdCard:
    """What a resident's card says. Lives in memory for one visit; `repr` shows nothing personal."""

    kind: CardKind
    id_type: str = ""
    """GA/T 2000.156: 111, 516, 511, 553; empty where the reader yields only the serial number."""
    id_no: str = ""
    name: str = ""
    name_en: str = ""
    sex: str = ""
    nation: str = ""
    birth: date | None = None
    address: str = ""
    newest_address: str = ""
    """What was written onto the card after it was issued (追加地址); empty where there is none or nobody asked."""
    authority: str = ""
    valid_from: date | None = None
    valid_to: date | None = None
    """None with valid_from set: for life (长期)."""
    pass_no: str = ""
    issue_count: str = ""
    """How often the residence permit was issued, two digits as the card has them; only on HK_MACAU_TAIWAN."""
    layout_version: str = ""
    """Version of its layout that a card of 2017 names; only on FOREIGN_2017."""
    renewal_count: str = ""
    """How often the card was renewed, two digits as the card has them; only on FOREIGN_2023."""
    old_number_link: str = ""
    """Three characters that link a card of 2023 to the number of the one before; empty without one."""
    nationality: str = ""
    serial: str = ""
    """Chip serial, hex; the only thing known of a SERIAL_ONLY card."""
    doubts: frozenset[CardDoubt] = frozenset()

    def __repr__(self) -> str:
        return f"IdCard({self.kind}, masked)"


@dataclass(frozen=True, kw_only=True)
class CardRead:
    """A card came into the field and was read."""

    card: IdCard


@dataclass(frozen=True)
class CardGone:
    """The card that was read, or could not be read, has left the field."""


class CardReader(Driver[LinkT, OptionsT]):
    """Reads a resident's card as soon as it lies in the field."""

    kind = "card_reader"
    serial_is_unique = True  # the number of its SAM, given by the ministry

    @abstractmethod
    def poll_card(self, limit_s: float) -> CardRead | CardGone | None:
        """Look for a card; one that lies there is read in the same call, once per placing.

        Returns None when there is no news. Waits at most limit_s for a card; reading adds up to 3 s.
        Raises Refused(CARD_UNREADABLE | CARD_REMOVED_EARLY | CARD_UNKNOWN | CARD_INVALID), once per placing.
        """


class Key(StrEnum):
    """The sixteen keys of a ticket machine's keypad."""

    DIGIT_0 = "0"
    DIGIT_1 = "1"
    DIGIT_2 = "2"
    DIGIT_3 = "3"
    DIGIT_4 = "4"
    DIGIT_5 = "5"
    DIGIT_6 = "6"
    DIGIT_7 = "7"
    DIGIT_8 = "8"
    DIGIT_9 = "9"
    STAR = "*"
    HASH = "#"
    OK = "ok"
    CORRECT = "correct"
    CANCEL = "cancel"
    HELP = "help"


class Keypad(Driver[LinkT, OptionsT]):
    """A keypad for residents."""

    kind = "keypad"
    columns: ClassVar[int] = 0
    """Half-width characters in each of the two lines of its display; 0 for a pad without one."""

    @abstractmethod
    def poll_key(self, limit_s: float) -> Key | None:
        """Wait at most limit_s for the next key press."""

    def show_lines(self, upper: str, lower: str) -> None:
        """Show two lines on the pad's display; nothing personal. Raises Refused(TEXT_UNSUITABLE), Unconfirmed."""
        raise Refused(
            Condition.TEXT_UNSUITABLE, f"{self.device}: has no display for {len(upper)} + {len(lower)} characters"
        )


class CallerKey(StrEnum):
    """What a physical caller asks for; the clerk's verbs."""

    NEXT = "next"
    RECALL = "recall"
    SERVE = "serve"
    FINISH = "finish"
    NO_SHOW = "no_show"
    PARK = "park"
    RESUME = "resume"
    PAUSE = "pause"
    """暂停服务, and on again."""
    RATE = "rate"
    UNDO = "undo"
    SELECT = "select"
    """Call the number that was typed."""
    TRANSFER = "transfer"
    """To the window that was typed."""
    SIGN_IN = "sign_in"
    SIGN_OUT = "sign_out"


TYPED = frozenset({CallerKey.SELECT, CallerKey.TRANSFER})
"""Keys that say something with digits typed before them."""


@dataclass(frozen=True, kw_only=True)
class CallerPress:
    """A key of a physical caller; `staff` is the staff number typed with SIGN_IN, `typed` what TYPED keys mean."""

    key: CallerKey
    staff: str = ""
    typed: str = ""


class Caller(Driver[LinkT, OptionsT]):
    """A physical caller (物理呼叫器) on a clerk's desk: keys, and a small display for the clerk."""

    kind = "caller"
    keys = frozenset({CallerKey.NEXT, CallerKey.RECALL, CallerKey.SIGN_IN, CallerKey.SIGN_OUT})
    """Keys that this caller has; a driver whose options add some says so on the instance."""

    @abstractmethod
    def poll_press(self, limit_s: float) -> CallerPress | None:
        """Wait at most limit_s for the next key press."""

    @abstractmethod
    def show_ticket(self, number: str) -> None:
        """Show a number ("A017"), as far as the caller's display can; "" clears it."""

    @abstractmethod
    def show_waiting(self, count: int) -> None:
        """Show how many wait."""

    @abstractmethod
    def answer_sign_in(self, *, accepted: bool) -> None:
        """Tell the caller what became of SIGN_IN, or that somebody was signed out."""


class Grade(IntEnum):
    """What a resident thinks of the service: the five grades of the national rules, in their order.

    The province counts the other way round (5 is 非常满意, province.md §8): turning it is the hall's business.
    """

    VERY_SATISFIED = 1
    SATISFIED = 2
    NEUTRAL = 3
    DISSATISFIED = 4
    VERY_DISSATISFIED = 5


@dataclass(frozen=True)
class GradeGiven:
    """A resident pressed a grade."""

    grade: Grade


class Evaluator(Driver[LinkT, OptionsT]):
    """An evaluation device (评价器) in front of a resident. No answer is no grade, never an invented one."""

    kind = "evaluator"

    @abstractmethod
    def ask_grade(self) -> None:
        """Ask the resident for a grade; returns at once."""

    @abstractmethod
    def poll_grade(self, limit_s: float) -> GradeGiven | None:
        """Wait at most limit_s for a grade that was asked for; one that nobody asked for is dropped."""

    @abstractmethod
    def stop_asking(self) -> None:
        """The time is over: back to the welcome text."""


@dataclass(frozen=True, kw_only=True)
class CodeRead:
    """A code that was held before a reader. May be personal (an ID number, an e-card): `repr` shows its length."""

    text: str = field(repr=False)
    symbology: str = ""
    """AIM identifier without its bracket, like "Q1"; empty where the gun does not say."""

    def __str__(self) -> str:
        return f"{len(self.text)} characters{' ' + self.symbology if self.symbology else ''}"


class CodeReader(Driver[LinkT, OptionsT]):
    """A barcode gun or built-in reader."""

    kind = "code_reader"

    @abstractmethod
    def poll_code(self, limit_s: float) -> CodeRead | None:
        """Wait at most limit_s for the next code; the same code again within 2 s is the same reading."""


@dataclass(frozen=True, kw_only=True)
class SlipText:
    """One line of text; `scale` 1 to 8 multiplies the normal cell (12 by 24 dots for a half-width character)."""

    text: str
    scale: int = 1
    tall: int = 0
    """Multiplies its height instead, where that is not `scale`."""
    bold: bool = False
    align: Align = Align.LEFT


@dataclass(frozen=True, kw_only=True)
class SlipQr:
    """A QR code; `data` is ASCII without anything personal."""

    data: str
    module_dots: int = 6


@dataclass(frozen=True, kw_only=True)
class SlipBarcode:
    """A Code 128 barcode with its text below; `data` is printable ASCII without anything personal."""

    data: str


@dataclass(frozen=True)
class SlipRule:
    """A line across the paper."""


@dataclass(frozen=True, kw_only=True)
class SlipFeed:
    """Blank paper."""

    mm: int


SlipPart = SlipText | SlipQr | SlipBarcode | SlipRule | SlipFeed


@dataclass(frozen=True, kw_only=True)
class Slip:
    """What is to stand on one piece of paper; it is cut off afterwards."""

    parts: tuple[SlipPart, ...]
    drawn: tuple[DrawnPart, ...] = ()
    """The same as one picture, for printers on fast lines; empty: there is no such picture of it."""


class SlipPrinter(Driver[LinkT, OptionsT]):
    """Prints slips and says truthfully what became of them."""

    kind = "printer"
    job_limit_s = 15.0

    @abstractmethod
    def print_slip(self, slip: Slip) -> None:
        """Print; returns when the device confirms that everything before the question is processed and no fault shows.

        Raises Refused(condition): nothing usable is on paper. NoReply or LinkError: nothing was sent.
        Raises Unconfirmed: it was sent, and may or may not be on paper.
        """


@dataclass(frozen=True, kw_only=True)
class CallText:
    """What a window display is to show; `attention` asks for the means the display has (flash, colour)."""

    text: str
    attention: bool = False


class CallDisplay(Driver[LinkT, OptionsT]):
    """Shows one text over a window until told otherwise."""

    kind = "display"

    @abstractmethod
    def show(self, text: CallText) -> None:
        """Show; returns when the display has acknowledged. Raises Refused(TEXT_UNSUITABLE) if it cannot fit."""


@dataclass(frozen=True, kw_only=True)
class Announcement:
    """What is to be said aloud in a zone; Chinese first, then English where there is any."""

    text: str
    text_en: str = ""
    sound: bytes = b""
    """The same as a WAV file, where the hall has clips of it; a device with a voice of its own says the text."""


class Announcer(Driver[LinkT, OptionsT]):
    """Says one announcement after the other."""

    kind = "announcer"
    job_limit_s = 30.0

    @abstractmethod
    def speak(self, announcement: Announcement) -> None:
        """Say it; returns when it is silent again. Raises Refused(TEXT_UNSUITABLE | SILENCED | DEVICE_FAULT)."""


class PageSource(StrEnum):
    """Where the paper lies."""

    PLATEN = "platen"
    FEEDER = "feeder"


class ColorMode(StrEnum):
    """Colours of a page."""

    COLOR = "color"
    GRAY = "gray"


@dataclass(frozen=True, kw_only=True)
class ScanProfile:
    """How a page is to be scanned; lengths in millimetres, resolution in dots per inch."""

    source: PageSource = PageSource.PLATEN
    color: ColorMode = ColorMode.COLOR
    dpi: int = 200
    duplex: bool = False
    width_mm: float = 210.0
    height_mm: float = 297.0


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page as the scanner gave it: an encoded image of type `media`."""

    data: bytes = field(repr=False)
    media: str
    number: int
    dpi: int = 0
    """Resolution that was really used; 0: the one of the profile."""


class PageScanner(Driver[LinkT, OptionsT]):
    """Turns paper into pages."""

    kind = "scanner"
    job_limit_s = 120.0

    @abstractmethod
    def scan(self, profile: ScanProfile) -> Iterator[Page]:
        """Yield pages as they come; the first failure ends the feed and pages already yielded stay good.

        Each page comes within 30 s or NoReply is raised.
        Raises Refused(FEEDER_EMPTY | FEEDER_JAM | DOUBLE_FEED | COVER_OPEN | BUSY | DEVICE_FAULT | LENS_DARK |
        PROFILE_UNSUITABLE). FEEDER_EMPTY after a page: the paper is at its end, but the scanner called that an error,
        so somebody has to count.
        """
