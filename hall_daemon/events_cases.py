"""What happened to a case: the types `hall.case.*` of province.md §8."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hall_daemon.events import EventData, Sealed
from hall_daemon.words import ClerkId, CopyKind, Frozen, WindowCode


class _CaseEvent(EventData):
    local_case_no: str = Field(pattern=r"^L[0-9]{26}$")

    @property
    def subject(self) -> str:
        return f"case/{self.local_case_no}"


class RequiredMaterial(Frozen):
    """A paper that this case asks for, and how it was taken; the contract leaves the shape of these open."""

    material_code: str
    copy_kind: CopyKind | None = None
    """None: it was not, or it does not do."""
    fault: str | None = None
    material_id: str | None = None


class CaseReceived(_CaseEvent):
    """收件."""

    wire_type = "hall.case.received.v1"
    ticket_id: str
    item_code: str
    case_kind: Literal["immediate", "promised", "joint", "reported"]
    applicant_kind: Literal["person", "org"]
    pii: Sealed | None = None
    id_hmac: str | None = None
    promise_due: str | None = None
    materials_required: tuple[RequiredMaterial, ...]
    clerk_id: ClerkId
    window_code: WindowCode


class MissingMaterial(Frozen):
    """One line of a notice."""

    material_code: str
    text: str


class CaseNotice(_CaseEvent):
    """告知: 受理, 补正 or 不予受理, on paper."""

    wire_type = "hall.case.notice.v1"
    notice_kind: Literal["accept", "supplement", "reject"]
    notice_no: str
    missing: tuple[MissingMaterial, ...] = ()
    issued_to: Literal["paper", "sms", "both"] = "paper"
    clerk_id: ClerkId


class CaseReturned(_CaseEvent):
    """退回, with the reason in words."""

    wire_type = "hall.case.returned.v1"
    reason_code: Literal["not_in_scope", "invalid", "withdrawn", "duplicate"]
    reason_text: str = Field(min_length=1, max_length=200)
    clerk_id: ClerkId


class CaseSupplemented(_CaseEvent):
    """补件: papers came in answer to a notice."""

    wire_type = "hall.case.supplemented.v1"
    notice_no: str
    material_ids: tuple[str, ...] = ()
    clerk_id: ClerkId


CASE_EVENT_TYPES: dict[str, type[EventData]] = {
    cls.wire_type: cls for cls in (CaseReceived, CaseNotice, CaseReturned, CaseSupplemented)
}
