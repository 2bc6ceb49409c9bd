"""The hall's words: enums and value types shared by events, tables, views and requests.

Values are those of the province's contract (province.md §8) where it names them. Nothing of ours is imported here.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints


class Frozen(BaseModel):
    """Base of all shapes: immutable; members that nobody knows are an error in requests and events of our own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class TicketState(StrEnum):
    """Life of a ticket."""

    WAITING = "waiting"
    CALLED = "called"
    SERVING = "serving"
    PARKED = "parked"
    NO_SHOW = "no_show"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


OPEN_STATES = frozenset(
    {TicketState.WAITING, TicketState.CALLED, TicketState.SERVING, TicketState.PARKED, TicketState.NO_SHOW}
)


class SlipState(StrEnum):
    """What is known of the paper; the ticket is valid whatever stands here."""

    NONE = "none"
    PENDING = "pending"
    PRINTED = "printed"
    FAILED = "failed"
    UNKNOWN = "unknown"


class Lane(StrEnum):
    """Number series of a queue: the letter that stands before the queue's own."""

    NORMAL = ""
    PRIORITY = "V"
    APPOINTMENT = "Y"
    EMERGENCY = "X"


class Channel(StrEnum):
    """Where a number was taken."""

    KIOSK = "kiosk"
    COUNTER = "counter"
    APPOINTMENT = "appointment"
    MOBILE = "mobile"
    PAPER_EMERGENCY = "paper_emergency"


class Priority(StrEnum):
    """Why a ticket may go before others."""

    NORMAL = "normal"
    APPOINTMENT = "appointment"
    ELDER = "elder"
    DISABLED = "disabled"
    PREGNANT = "pregnant"
    SERVICEMAN = "serviceman"
    GREEN = "green"


class IdentityMode(StrEnum):
    """How the resident proved who they are."""

    ID_CARD = "id_card"
    E_ID = "e_id"
    MANUAL = "manual"
    NONE = "none"


class CounterKind(StrEnum):
    """Kind of window."""

    GENERAL = "general"
    SPECIAL = "special"
    CONSULT = "consult"
    ISSUE = "issue"


class CallMode(StrEnum):
    """How a ticket came to be called."""

    NEXT = "next"
    SELECT = "select"
    RECALL = "recall"
    AUTO = "auto"


class Hold(StrEnum):
    """Who may take a parked ticket up again."""

    HERE = "here"
    OPEN = "open"
    STAGE = "stage"


class PauseReason(StrEnum):
    """Why a window is in 暂停服务."""

    PAPERS = "papers"
    DEVICE = "device"
    MEAL = "meal"
    AWAY = "away"
    TRAINING = "training"


class MessageTo(StrEnum):
    """Whom a window can call."""

    GUARD = "guard"
    MANAGER = "manager"
    ADVISER = "adviser"
    TECHNICIAN = "technician"


class ParkReason(StrEnum):
    """Why a ticket was parked."""

    MATERIAL = "material"
    APPROVAL = "approval"
    COPY = "copy"
    OTHER = "other"


class Outcome(StrEnum):
    """How a visit at a window ended."""

    COMPLETED = "completed"
    RECEIVED = "received"
    SUPPLEMENT = "supplement"
    RETURNED = "returned"
    CONSULTED = "consulted"
    LEFT = "left"


class CancelReason(StrEnum):
    """Why a number was given up."""

    RESIDENT_LEFT = "resident_left"
    DUPLICATE = "duplicate"
    MISISSUE = "misissue"
    ITEM_SUSPENDED = "item_suspended"
    OTHER = "other"


class PositionRule(StrEnum):
    """Where a requeued ticket stands."""

    AFTER_N = "after_n"
    TAIL = "tail"
    FRONT = "front"


class RequeuedBy(StrEnum):
    """Who put a ticket back in line."""

    CLERK = "clerk"
    KIOSK = "kiosk"
    GUIDE = "guide"


class PrintResult(StrEnum):
    """What the printer proved."""

    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"


class PrintReason(StrEnum):
    """Why a slip is not known to be on paper."""

    PAPER_OUT = "paper_out"
    JAM = "jam"
    COVER = "cover"
    OFFLINE = "offline"
    HEAD_HOT = "head_hot"
    CUTTER = "cutter"
    TIMEOUT = "timeout"


class CopyKind(StrEnum):
    """How a material was taken."""

    ORIGINAL_SEEN = "original_seen"
    COPY = "copy"
    ELECTRONIC = "electronic"
    COMMITMENT = "commitment"


class DeviceCondition(StrEnum):
    """A device as the province sees it."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILED = "failed"
    REMOVED = "removed"


class ClockState(StrEnum):
    """How far the hall's clock can be trusted."""

    SYNC = "sync"
    HOLD = "hold"
    BAD = "bad"


class StreamReason(StrEnum):
    """Why an event stream was begun."""

    INSTALL = "install"
    RESTORE = "restore"
    REPAIR = "repair"
    RESET = "reset"


TicketNumber = Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,2}[0-9]{3,4}$")]
QueueCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{1,2}$")]
WindowCode = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z-]{1,8}$")]
ClerkId = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z_-]{1,32}$")]
BlobId = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
