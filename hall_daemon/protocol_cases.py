"""What crosses the wire about cases: requests of the counter, views for it and for the kiosk."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from hall_daemon.cases import CaseKind, CaseState, LineState
from hall_daemon.protocol import AboutCurrent, Text
from hall_daemon.words import CopyKind, Frozen, TicketNumber

CaseNo = Annotated[str, Field(pattern=r"^L[0-9]{26}$")]
_PERSONAL = re.compile(r"\d{11}")


def _nothing_personal(value: str) -> str:
    if _PERSONAL.search(value):
        raise ValueError("holds what looks like an ID number or a phone")
    return value


Reason = Annotated[str, AfterValidator(_nothing_personal)]


class TakenPaper(Frozen):
    """A paper as the clerk judged it; `fault` says why it does not do, empty if it does."""

    code: str = Field(min_length=1, max_length=40)
    copy_kind: CopyKind = CopyKind.ORIGINAL_SEEN
    fault: Reason = Field(default="", max_length=60)


class HandIn(AboutCurrent):
    """What the resident at the window hands in: accept it, or give one notice of everything that is missing.

    Papers that were scanned for this ticket count as brought without being named here.
    """

    item: str = Field(default="", max_length=64)
    """Item code; empty: the ticket's own."""
    applicant_kind: Literal["person", "org"] = "person"
    papers: tuple[TakenPaper, ...] = Field(default=(), max_length=200)
    applies: tuple[str, ...] = Field(default=(), max_length=200)
    """Conditional papers that these circumstances ask for."""


class PreviewPaper(HandIn):
    """The paper that a step would print; nothing is done."""

    paper: Literal["notice", "accept", "receive"]


class Supplement(AboutCurrent):
    """Papers that came in answer to a notice."""

    notice_no: str = Field(min_length=8, max_length=64)
    papers: tuple[TakenPaper, ...] = Field(default=(), max_length=200)


class ReturnCase(HandIn):
    """Not to be accepted, with the reason in words; `local_case_no` where it was accepted before."""

    local_case_no: CaseNo | None = None
    reason: Literal["not_in_scope", "invalid", "duplicate"]
    reason_text: Reason = Field(min_length=1, max_length=200)


class WithdrawCase(Frozen):
    """The resident takes it back."""

    reason_text: Reason = Field(min_length=1, max_length=200)


class DecideCase(Frozen):
    """What was decided; on the spot by whoever may (首席代表), or by the back office."""

    result: Literal["granted", "refused"]
    reason_text: Reason = Field(default="", max_length=200)


class PrintPaper(Frozen):
    """A paper of a case: the notice in two copies, the acceptance in one; by the case's number its receipt."""

    notice_no: str = Field(default="", max_length=64)
    local_case_no: CaseNo | None = None
    again: bool = False

    @model_validator(mode="after")
    def _one_paper(self) -> PrintPaper:
        if bool(self.notice_no) == (self.local_case_no is not None):
            raise ValueError("name a notice or a case")
        return self


class Refile(AboutCurrent):
    """Pages were filed in the wrong place: take them out and, with any of the `to_`, file them where they belong."""

    material_code: str = Field(min_length=1, max_length=40)
    """As which they were filed; the last ones of the ticket at the window."""
    reason: Literal["bad_scan", "wrong_paper", "resident_request"] = "wrong_paper"
    to_ticket: TicketNumber | None = None
    """Another ticket that was served at this window."""
    to_case: CaseNo | None = None
    to_code: str = Field(default="", max_length=40)
    """Another paper of the checklist."""


class CaseDone(Frozen):
    """Answer to a verb about a case."""

    event: int
    local_case_no: str
    state: CaseState
    notice_no: str = ""
    due: str = ""
    """Last day of the promise; empty: none, or its clock stands."""
    repeated: bool = False
    """The case had a notice before: once is the rule, and the overview will tell."""


class PaperLine(Frozen):
    """A line of a paper as a screen of single cells can show it: spaces stand for where it begins."""

    text: str
    bold: bool = False
    large: bool = False
    """Printed in larger type."""


class PaperPreview(Frozen):
    """A paper before it is printed; its number is given with the step."""

    columns: int
    lines: tuple[PaperLine, ...]


class PaperPrinted(Frozen):
    """What became of a paper, and where it lies."""

    result: Literal["ok", "failed", "unknown"]
    device: str = ""
    place: Text = Text(zh="")
    reason: str = ""


class CaseLine(Frozen):
    """One line of the checklist as the counter shows it."""

    code: str
    name: str
    need: Literal["required", "conditional", "optional"]
    copy_asked: Literal["original", "copy", "electronic"]
    waivable_by: tuple[str, ...]
    applies: bool
    state: LineState
    copy_kind: CopyKind | None = None
    fault: str = ""
    scanned: bool = False
    wanted: Text = Text(zh="")
    """What the notice will say of it; empty if nothing is wanted."""


class NoticeView(Frozen):
    """A notice that was given."""

    notice_no: str
    kind: Literal["accept", "supplement", "reject"]
    given: str
    answered: bool
    return_by: str = ""


class ReceivedCase(Frozen):
    """A case that was received and waits for 受理."""

    local_case_no: str
    number: str
    """Of the ticket that it came with."""
    item_name: Text
    received: str
    """Service day."""
    accept_by: str
    """Last day of the five workdays that the law gives."""
    wanted: int
    """How many papers are still wanted: it cannot be accepted before they come."""


class ReceivedCases(Frozen):
    """What waits for 受理 at a window, the longest wait first."""

    cases: tuple[ReceivedCase, ...]


class CaseView(Frozen):
    """A case, or what would become one: the papers of the ticket at the window."""

    number: TicketNumber
    local_case_no: str = ""
    item: str
    item_name: Text
    kind: CaseKind
    state: CaseState | None = None
    """None: nothing has been handed in yet."""
    days: int
    day_unit: Literal["workday", "day"]
    due: str = ""
    lines: tuple[CaseLine, ...]
    complete: bool
    notices: tuple[NoticeView, ...] = ()
    """Oldest first."""


class CasesView(Frozen):
    """All cases of the ticket at a window; first those that are not yet handed in."""

    cases: tuple[CaseView, ...]
    outcome: Literal["completed", "received", "supplement", "returned", "consulted"]
    """What the visit would end with."""


class ComeBack(Frozen):
    """What a notice leads back to; nothing personal."""

    notice_no: str
    item: str
    item_name: Text
    window: str
    return_by: str
    open: bool
    """False: too late, or answered already; an ordinary number then."""
    bring: tuple[Text, ...]
