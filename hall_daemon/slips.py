"""Compose the papers that residents hold: ticket, guide, one-time notice, notice of acceptance or refusal.

Chinese first, English beside or below. They carry numbers, where to go and what to know, never a name of a resident, an
ID number or a phone, masked or not. Knows no bytes: the printer's driver turns either rendering into its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from drivers.base import Slip
from drivers.drawn import Align, Figure
from hall_daemon.protocol import Text
from hall_daemon.slip_sheet import Sheet, balanced, width, wrap
from hall_daemon.texts import say, text

__all__ = ["balanced", "width", "wrap"]

MOST_MATERIALS = 6
"""On a ticket; the kiosk's guide prints all."""


@dataclass(frozen=True, kw_only=True)
class SlipFacts:
    """What stands on a ticket. `taken` and `kiosk` are spoken as they are; `code` is opaque."""

    hall: Text
    number: str
    item: Text
    zone: Text
    windows: str
    waiting_ahead: int
    taken: str
    kiosk: str
    materials: tuple[str, ...] = ()
    code: str = ""
    """What the QR code says; ASCII, nothing personal."""
    reprint: bool = False
    wait: Text | None = None
    """Expected wait as people say it, `15–25 分钟`; None: no estimate."""
    appointment: str = ""
    """Begin of the slot, `10:30`; empty: no appointment."""
    priority: bool = False
    back: bool = False
    """Whether papers are brought that a notice named."""
    large: bool = False
    """Large type; the list of papers gives way to it."""
    jumped: bool = False
    """Whether numbers were skipped today."""


def compose(facts: SlipFacts, columns: int) -> Slip:
    """A ticket, appointment ticket or reprint for paper of `columns` half-width characters."""
    sheet = Sheet(columns, large=facts.large)
    sheet.hall(facts.hall)
    if facts.reprint:
        sheet.tag(text("slip.reprint"))
    # Where there are windows, the line about them says the zone in English.
    sheet.band(Text(zh=facts.zone.zh) if facts.windows else facts.zone)
    sheet.number(facts.number)
    for mark in _marks(facts):
        sheet.tag(mark)
    sheet.item(facts.item)
    _wait(sheet, facts)
    if facts.windows:
        where = text("slip.windows", windows=facts.windows)
        sheet.where(Text(zh=where.zh, en=", ".join(filter(None, (facts.zone.en, where.en)))))
    sheet.rule()
    bring = () if facts.large else tuple((name, False) for name in facts.materials[:MOST_MATERIALS])
    if facts.code:
        sheet.checks_beside(text("slip.bring"), bring, facts.code, text("slip.follow"))
    elif bring:
        sheet.checks(text("slip.bring"), bring)
    if facts.code or bring:
        sheet.rule()
    short = sheet.narrow or facts.large
    sheet.note(text("slip.missed.short" if short else "slip.missed"), small=True)
    sheet.note(text("slip.valid.short" if short else "slip.valid"), small=True)
    if facts.jumped:
        sheet.note(text("slip.jumped"), small=True)
    sheet.note(Text(zh=text("slip.taken", at=facts.taken, kiosk=facts.kiosk).zh), small=True)
    return sheet.slip()


def _marks(facts: SlipFacts) -> list[Text]:
    marks = [text("slip.appointment", at=facts.appointment)] if facts.appointment else []
    marks += [text("slip.priority")] if facts.priority else []
    return marks + ([text("slip.back")] if facts.back else [])


def _wait(sheet: Sheet, facts: SlipFacts) -> None:
    label = text("slip.ahead_label")
    cells = [
        Figure(label=label.zh, beside=label.en, value=str(facts.waiting_ahead), unit=text("slip.people").zh)
    ]  # fmt: skip
    said = [text("slip.ahead", n=facts.waiting_ahead)]
    if facts.wait is not None:
        # The small fonts of printers have no dash between figures.
        wait = Text(zh=facts.wait.zh.replace("–", "-"), en=facts.wait.en.replace("–", "-"))
        (value, _, unit), (same, _, unit_en) = wait.zh.partition(" "), wait.en.partition(" ")
        label, units = text("wait.label"), f"{unit} {unit_en}" if same == value else unit
        cells.append(Figure(label=label.zh, beside=label.en, value=value, unit=units))
        said.append(say("slip.wait", wait=wait))
    sheet.figures(cells, said)


# --- guide ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class GuideFacts:
    """The nine published fields of an item (九公开), as sentences; an empty one is said to be unknown."""

    hall: Text
    item: Text
    dept: str
    materials: tuple[tuple[str, str], ...]
    """Name, and in which form it is asked for."""
    steps: str
    basis: tuple[str, ...]
    promise: Text
    law: Text
    fee: Text
    responsible: str
    phone: str
    complaint_phone: str
    printed: str
    windows: str = ""
    large: bool = False
    code: str = ""
    """Address of the same guide for a phone; nothing personal, empty where the hall has no such page."""


def guide(facts: GuideFacts, columns: int) -> Slip:
    """办事指南."""
    sheet = Sheet(columns, large=facts.large)
    sheet.hall(facts.hall)
    sheet.title(text("slip.guide"))
    sheet.item(facts.item)
    sheet.rule(solid=True)
    sheet.checks(
        text("slip.guide.materials"), [(f"{name}　{form}" if form else name, False) for name, form in facts.materials]
    )
    sheet.rule()
    unknown = text("slip.guide.unknown").zh
    rows = [
        ("promise", facts.promise.zh), ("law", facts.law.zh), ("fee", facts.fee.zh), ("steps", facts.steps),
        ("basis", "；".join(facts.basis)), ("dept", facts.dept), ("responsible", facts.responsible),
        ("phone", facts.phone), ("complaints", facts.complaint_phone),
    ]  # fmt: skip
    for label, value in rows:
        sheet.field(text(f"slip.guide.{label}"), value or unknown)
    sheet.rule()
    if facts.windows:
        sheet.where(text("slip.guide.windows", windows=facts.windows))
    if facts.code:
        newest = [text("slip.guide.desk"), text("slip.guide.printed", at=facts.printed)]
        sheet.notes_beside(text("slip.guide.newest"), newest, facts.code, text("slip.guide.scan"))
    else:
        sheet.note(text("slip.guide.printed", at=facts.printed), small=True)
    return sheet.slip()


# --- papers of a case -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class WantedPaper:
    """What is still needed: the paper, why, and how."""

    name: str
    why: str
    how: str


@dataclass(frozen=True, kw_only=True)
class NoticeFacts:
    """What stands on a one-time notice (一次性告知单)."""

    hall: Text
    notice_no: str
    item: Text
    given: str
    window: str
    clerk: str
    received: tuple[str, ...]
    wanted: tuple[WantedPaper, ...]
    promise: Text
    fee: Text
    basis: tuple[str, ...]
    return_by: str
    """Day, `2026-03-09`."""
    code: str
    phone: str = ""
    copy: Literal[1, 2] = 1
    """1 for the resident, 2 for the file."""
    reprint: bool = False


def notice(facts: NoticeFacts, columns: int) -> Slip:
    """One copy of a one-time notice."""
    sheet = Sheet(columns)
    _case_head(sheet, facts.hall, text("slip.notice"), facts.notice_no, reprint=facts.reprint)
    sheet.field(text("slip.notice.item"), facts.item.zh)
    sheet.field(text("slip.notice.given"), text("slip.notice.at", at=facts.given, window=facts.window).zh)
    sheet.rule()
    if facts.received:
        received = text("slip.notice.received", n=len(facts.received))
        sheet.checks(received, [(name, True) for name in facts.received])
        sheet.rule()
    sheet.band(text("slip.notice.wanted", n=len(facts.wanted)))
    for no, paper in enumerate(facts.wanted, start=1):
        why, how = text("slip.notice.why", why=paper.why).zh, text("slip.notice.how", how=paper.how).zh
        sheet.point(no, paper.name, (why, how))
    sheet.rule()
    sheet.field(text("slip.notice.promise"), facts.promise.zh)
    sheet.field(text("slip.notice.fee"), facts.fee.zh)
    if facts.basis:
        sheet.field(text("slip.notice.basis"), "；".join(facts.basis))
    sheet.note(text("slip.notice.all", n=len(facts.wanted)), bold=True)
    sheet.rule(solid=True)
    back = [say("slip.notice.back", day=day_of(facts.return_by), window=facts.window), text("slip.notice.kiosk")]
    sheet.notes_beside(text("slip.notice.after"), back, facts.code, text("slip.notice.code"))
    sheet.rule()
    sheet.field(text("slip.notice.clerk"), facts.clerk)
    sheet.room()
    sheet.field(text("slip.notice.signed"), "__________")
    _phones(sheet, facts.phone)
    copies = {1: "slip.notice.first_copy", 2: "slip.notice.second_copy"}
    sheet.note(text(copies[facts.copy]), small=True, align=Align.RIGHT)
    return sheet.slip()


@dataclass(frozen=True, kw_only=True)
class CaseFacts:
    """What stands on the notice that a case was accepted, received, or not accepted."""

    kind: Literal["accept", "received", "reject"]
    hall: Text
    notice_no: str
    local_case_no: str
    item: Text
    given: str
    window: str
    clerk: str
    received: tuple[str, ...] = ()
    due: str = ""
    """Day, `2026-03-09`; empty: none is promised."""
    promise: Text | None = None
    reason: str = ""
    complaint_phone: str = "12345"
    code: str = ""
    phone: str = ""
    reprint: bool = False


def case_paper(facts: CaseFacts, columns: int) -> Slip:
    """受理通知书, 收件凭证 or 不予受理通知书."""
    sheet = Sheet(columns)
    _case_head(sheet, facts.hall, text(f"slip.case.{facts.kind}"), facts.notice_no, reprint=facts.reprint)
    sheet.field(text("slip.case.number"), spoken_case(facts.local_case_no))
    sheet.field(text("slip.notice.item"), facts.item.zh)
    sheet.field(text("slip.notice.given"), text("slip.notice.at", at=facts.given, window=facts.window).zh)
    if facts.promise is not None:
        sheet.field(text("slip.notice.promise"), facts.promise.zh)
    if facts.due:
        sheet.band(say("slip.case.due", day=day_of(facts.due)))
    if facts.received:
        sheet.rule()
        received = text("slip.notice.received", n=len(facts.received))
        sheet.checks(received, [(name, True) for name in facts.received])
    if facts.kind == "reject":
        sheet.rule()
        sheet.note(text("slip.case.reason", reason=facts.reason), bold=True)
        sheet.note(text("slip.case.complain", phone=facts.complaint_phone))
    sheet.rule(solid=True)
    if facts.code and facts.kind != "reject":
        told = [text("slip.case.ask", phone=facts.complaint_phone)]
        sheet.notes_beside(text("slip.case.keep"), told, facts.code, text("slip.case.code"))
        sheet.rule()
    sheet.field(text("slip.notice.clerk"), facts.clerk)
    _phones(sheet, facts.phone)
    return sheet.slip()


def _case_head(sheet: Sheet, hall: Text, title: Text, notice_no: str, *, reprint: bool) -> None:
    sheet.hall(hall)
    if reprint:
        sheet.tag(text("slip.reprint"))
    sheet.title(title)
    if notice_no:
        sheet.note(Text(zh=f"No. {notice_no}"), align=Align.CENTRE)
    sheet.rule(solid=True)


def _phones(sheet: Sheet, phone: str) -> None:
    sheet.note(text("slip.notice.phones" if phone else "slip.ask", phone=phone), small=True)


def day_of(day: str) -> Text:
    """`2026-03-09` as people say it."""
    when = date.fromisoformat(day)
    return Text(zh=f"{when.month}月{when.day}日", en=f"{when.day} {_MONTHS[when.month - 1]}")


_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def spoken_case(number: str) -> str:
    """The number of a case in groups that can be read out: division, day, serial."""
    return f"{number[:13]} {number[13:21]} {number[21:]}".strip()


def window_range(windows: Sequence[str]) -> str:
    """`1-3, 7`: neighbouring window numbers as a range. ASCII, because not every printer's font has more."""
    parts: list[list[str]] = []
    for window in windows:
        if parts and window.isdigit() and parts[-1][-1].isdigit() and int(window) == int(parts[-1][-1]) + 1:
            parts[-1].append(window)
        else:
            parts.append([window])
    return ", ".join(run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in parts)
