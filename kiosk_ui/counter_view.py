"""What a clerk's screen shows of a WindowView: text in, nothing decided, nothing sent."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from functools import cached_property

from rich.text import Text

from hall_daemon.client import Link, LinkNews
from hall_daemon.protocol import (
    CurrentTicket,
    MaterialNeed,
    ParkedTicket,
    ScanJobView,
    ScanPageView,
    WaitingTicket,
    WindowView,
)
from hall_daemon.protocol_clerks import PauseView
from hall_daemon.texts import text
from hall_daemon.words import TicketState
from kiosk_ui.theme import ACCENT, BACKGROUND, BAD, FOREGROUND, OFF, OK, PANEL, PRIMARY, WARN, Mark, Pen, piece

# From here on a wait is drawn amber.
LONG_WAIT_S = 20 * 60
# From here on the screen points at the no-show key (ux.md: 60 s or three calls).
LONG_CALL_S, MANY_CALLS = 60, 3
# A page that lies more askew than this is marked; thousandths of a degree.
SKEW_MARK_MDEG = 1000
# Of the right column on a wide screen, in cells.
LISTS_WIDTH = 48
# The country has one time; a counter PC may be set to another.
_HALL_ZONE = timezone(timedelta(hours=8))


class Stage(StrEnum):
    """What a window is doing, which decides what its keys mean."""

    UNKNOWN = "unknown"
    SIGNED_OUT = "signed_out"
    IDLE = "idle"
    CALLING = "calling"
    SERVING = "serving"
    PAUSED = "paused"


_STAGE_MARKS = {
    Stage.UNKNOWN: Mark.OFF,
    Stage.SIGNED_OUT: Mark.OFF,
    Stage.IDLE: Mark.OK,
    Stage.CALLING: Mark.BUSY,
    Stage.SERVING: Mark.OK,
    Stage.PAUSED: Mark.WARN,
}
_LINK_MARKS = {Link.CONNECTING: Mark.WARN, Link.ONLINE: Mark.OK, Link.OFFLINE: Mark.BAD}

# Key, what it does, and where it means something; in the order of importance for a narrow screen.
_KEYS: tuple[tuple[str, str, frozenset[Stage]], ...] = (
    ("+", "next", frozenset({Stage.IDLE, Stage.CALLING, Stage.SERVING})),
    ("*", "recall", frozenset({Stage.CALLING})),
    ("-", "no_show", frozenset({Stage.CALLING})),
    ("/", "park", frozenset({Stage.CALLING, Stage.SERVING})),
    (".", "resume", frozenset({Stage.IDLE})),
    ("Enter", "main", frozenset({Stage.SIGNED_OUT, Stage.IDLE, Stage.CALLING, Stage.SERVING})),
    ("F6", "transfer", frozenset({Stage.CALLING, Stage.SERVING})),
    ("F7", "scan", frozenset({Stage.SERVING})),
    ("F8", "notice", frozenset({Stage.IDLE, Stage.SERVING})),
    ("0", "walk_in", frozenset({Stage.IDLE})),
    ("?", "help", frozenset(Stage)),
    ("F9", "rate", frozenset({Stage.SERVING})),
    ("F12", "pause", frozenset({Stage.IDLE})),
    ("Shift+F9", "call_for", frozenset({Stage.IDLE, Stage.CALLING, Stage.SERVING, Stage.PAUSED})),
)
_MAIN = {
    Stage.UNKNOWN: "main",
    Stage.SIGNED_OUT: "sign_in",
    Stage.IDLE: "call",
    Stage.CALLING: "serve",
    Stage.SERVING: "finish",
    Stage.PAUSED: "go_on",
}


def say(code: str, **facts: object) -> str:
    """The Chinese sentence of a code of this screen."""
    return text(f"counter.{code}", **facts).zh


def stage_of(view: WindowView | None, *, mine: bool = True) -> Stage:
    """What the window is doing for this screen; `mine`: somebody has signed in here."""
    if view is None:
        return Stage.UNKNOWN
    if not mine or not view.clerk:
        return Stage.SIGNED_OUT
    if view.pause is not None:
        return Stage.PAUSED
    if view.current is not None:
        return Stage.SERVING if view.current.state is TicketState.SERVING else Stage.CALLING
    return Stage.IDLE


def scan_of(view: WindowView | None) -> ScanJobView | None:
    """The scan job of the ticket at the window; one of an earlier ticket is nobody's business here."""
    if view is None or view.current is None or view.scan is None:
        return None
    return view.scan if view.scan.ticket in {"", view.current.number} else None


def minutes(seconds: float) -> str:
    """A wait in whole minutes."""
    return say("minutes", n=int(max(0.0, seconds)) // 60)


def lapse(seconds: float) -> str:
    """A short time as minutes and seconds."""
    whole = int(max(0.0, seconds))
    return f"{whole // 60:02}:{whole % 60:02}"


def page_marks(page: ScanPageView) -> tuple[Mark, str]:
    """How good a page is, in one mark and a few words."""
    words = []
    if page.blank:
        words.append((say("page.back") if page.back else "") + say("page.blank"))
    if page.blurred:
        words.append(say("page.blurred"))
    if abs(page.skew_mdeg) > SKEW_MARK_MDEG:
        words.append(say("page.skewed", degrees=f"{abs(page.skew_mdeg) / 1000:.1f}"))
    if not page.edges_ok:
        words.append(say("page.cut"))
    return (Mark.WARN, " ".join(words)) if words else (Mark.OK, say("page.clear"))


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Everything that a screen of some width shows at one moment."""

    window: str
    view: WindowView | None
    link: LinkNews
    pen: Pen
    width: int
    hall_time_s: float
    """Seconds since 1970 by the hall's clock."""
    age_s: float
    """Since the view arrived."""
    lost_s: float = 0.0
    """Since the link was lost."""
    fresh_notice: bool = False
    mine: bool = True
    """Somebody has signed in at this screen."""
    stage: Stage = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "stage", stage_of(self.view, mine=self.mine))

    @property
    def wide(self) -> bool:
        """Two columns, or one."""
        return self.width >= 100

    @cached_property
    def _oldest_s(self) -> float:
        if self.view is None:
            return 0.0
        shown = [ticket.waited_s for ticket in self.view.waiting] + [load.oldest_wait_s for load in self.view.queues]
        return max(shown, default=0) + self.age_s

    def top(self) -> Text:
        """Window, zone, state; clerk, time and link."""
        view = self.view
        label = ACCENT if self.fresh_notice else PRIMARY
        name = (view.name.zh if view else "") or say("window", window=self.window)
        left = piece(f" {name} ", f"bold {BACKGROUND} on {label}")
        left.append(f" {view.zone.zh}  " if view and view.zone.zh else " ", style=FOREGROUND)
        left.append_text(self._marked(_STAGE_MARKS[self.stage], say(f"state.{self.stage}")))
        right = Text()
        if view and view.clerk:
            right.append(f"{view.clerk_name or view.clerk}  ", style=OFF)
            right.append(f"{say('served_today', n=view.served_today)}  " if self.wide else "", style=OFF)
        clock = datetime.fromtimestamp(self.hall_time_s, _HALL_ZONE)
        right.append(f"{clock:%H:%M}  ", style=OFF)
        right.append_text(self._marked(_LINK_MARKS[self.link.link], say(f"link.{self.link.link}"))).append(" ")
        room = self.width - left.cell_len - right.cell_len
        if room < 1:
            left.truncate(max(0, self.width - right.cell_len - 1))
            room = self.width - left.cell_len - right.cell_len
        return left.append(" " * room).append_text(right)

    def figures(self) -> Text:
        """The number in large figures: blue who is next, amber who is here."""
        if self.view is None or self.stage in (Stage.SIGNED_OUT, Stage.PAUSED):
            return Text()
        if self.view.current is not None:
            return self.pen.big(self.view.current.number, ACCENT)
        return self.pen.big(self.view.waiting[0].number, PRIMARY) if self.view.waiting else Text()

    def who(self) -> Text:
        """Three lines beside the number."""
        view = self.view
        if view is None:
            return self.pen.text(f"{say('window', window=self.window)}\n", "bold").append(
                say("state.unknown"), style=OFF
            )
        if self.stage is Stage.SIGNED_OUT:
            here = say("stays_here", number=view.current.number) if view.current else ""
            head = piece(f"{say('state.signed_out')}  {here}\n", "bold")
            return head.append(f"{say('waiting', n=view.waiting_total)}\n", style=OFF).append(
                say("press_sign_in"), style=f"bold {FOREGROUND}"
            )
        if view.pause is not None:
            return self._about_pause(view.pause)
        if view.current is not None:
            return self._about_current(view.current)
        if not view.waiting:
            return piece(f"{say('nobody')}\n", "bold").append(say("new_arrivals_shown"), style=OFF)
        return self._about_next(view.waiting[0])

    def _about_pause(self, pause: PauseView) -> Text:
        words = piece(f"{say('paused_shown')}\n", "bold")
        back = say("paused_back", time=pause.back) if pause.back else say("paused_open")
        reason = say(f"pause.{pause.reason}")
        words.append(f"{say('paused_reason', reason=reason)}  {back}\n", style=OFF)
        return words.append_text(self.pen.key("Enter", say("key.go_on")))

    def _about_next(self, ticket: WaitingTicket) -> Text:
        words = piece(f"{say('next_is')}  ", PRIMARY)
        words.append_text(self.pen.text(ticket.item, "bold")).append(f"  {self.flag(ticket)}\n", style=ACCENT)
        words.append(f"{say('waited', minutes=minutes(ticket.waited_s + self.age_s))}\n", style=OFF)
        return words.append(say("press_next"), style=f"bold {FOREGROUND}")

    def _about_current(self, current: CurrentTicket) -> Text:
        words = self.pen.text(f"{current.item}\n", "bold")
        document = current.document.zh if current.document else ""
        waited = say("waited", minutes=minutes(current.waited_s)) if current.waited_s else ""
        person = "  ".join(p for p in (current.name_masked, current.id_masked, document) if p) or say("no_name")
        words.append_text(self.pen.text(f"{person}  {waited}\n", OFF))
        since_s = self._since_s(current.since)
        if self.stage is Stage.SERVING:
            return words.append(f"{lapse(since_s)}  ", style="bold").append_text(self._pace(since_s, current))
        words.append(f"{say('called_times', n=current.call_no)}  ", style=f"bold {ACCENT}")
        words.append(f"{lapse(since_s)}  ", style="bold")
        late = since_s >= LONG_CALL_S or current.call_no >= MANY_CALLS
        return words.append(say("hint_no_show" if late else "hint_calling"), style=WARN if late else OFF)

    def _pace(self, since_s: float, current: CurrentTicket) -> Text:
        """How long it has taken against how long it takes as a rule."""
        if not current.usual_minutes:
            return Text()
        share = since_s / (current.usual_minutes * 60)
        line = self.pen.bar(share, 14, OK if share < 1 else WARN)
        return line.append(f"  {say('usual', n=current.usual_minutes)}", style=OFF)

    def _since_s(self, moment: str) -> float:
        try:
            return self.hall_time_s - datetime.fromisoformat(moment).timestamp()
        except ValueError:
            return 0.0

    def alerts(self) -> Text:
        """What does not work and what to do, the link first; as many lines as there is room for."""
        lines: list[Text] = []
        if self.link.link is not Link.ONLINE and self.link.trouble is not None:
            stale = f"  {say('stale', minutes=minutes(self.lost_s))}" if self.view and self.lost_s >= 60 else ""
            lines.append(self._alert(Mark.BAD, self.link.trouble.zh + stale))
        notices = self.view.notices if self.view else ()
        lines += [self._alert(Mark.WARN, notice.zh) for notice in notices]
        return Text("\n").join(self._fitting(lines))

    def _fitting(self, lines: list[Text]) -> list[Text]:
        """As many of these as there is room for when long ones are wrapped, and how many there are in all."""
        width, room = (self.width - LISTS_WIDTH, 6) if self.wide else (self.width, 3)
        shown: list[Text] = []
        for line in lines:
            # One cell more: a Chinese character is not cut in two at the edge.
            room -= -(-(line.cell_len + 1) // width)
            if room < 1 and len(shown) + 1 < len(lines) and shown:
                return [*shown, piece(f"   {say('notices_more', n=len(lines))}", OFF)]
            shown.append(line)
        return shown

    def _alert(self, mark: Mark, words: str) -> Text:
        colour = BAD if mark is Mark.BAD else WARN
        return Text(" ").append_text(self.pen.mark(mark)).append_text(self.pen.text(f" {words}", colour))

    def materials_title(self) -> str:
        """Head of the list of materials."""
        current = self.view.current if self.view else None
        if current is None:
            return say("materials_next")
        if self.stage is Stage.CALLING:
            return say("materials_wanted")
        filed = sum(need.code in current.filed or need.code in current.ticked for need in current.materials)
        return say("materials", filed=filed, all=len(current.materials))

    def materials(self, room: int) -> Text:
        """The item's papers, at most `room` lines; a line each."""
        current = self.view.current if self.view else None
        if current is None:
            return self._materials_of_next(room)
        if not current.materials:
            return piece(say("materials_none"), OFF)
        shown = current.materials if len(current.materials) <= room else current.materials[: room - 1]
        lines = []
        for number, need in enumerate(shown, 1):
            lines.append(self._material(number, need, current))
        if len(shown) < len(current.materials):
            lines.append(piece(f"   {say('more', n=len(current.materials) - len(shown))}", OFF))
        return Text("\n").join(lines)

    def _materials_of_next(self, room: int) -> Text:
        """What whoever is called next should bring."""
        needs = self.view.next_materials if self.view else ()
        lines = [self._need(number, need) for number, need in enumerate(needs[:room], 1)]
        return Text("\n").join(lines)

    def _need(self, number: int, need: MaterialNeed) -> Text:
        line = piece(f"{number:>2}  ", OFF).append_text(self.pen.mark(Mark.OFF))
        line.append(f" {self.pen.fit(need.name, 30)} ", style=FOREGROUND)
        return line.append(self.pen.fit(say("material_needed" if need.required else "material_optional"), 6), style=OFF)

    def _material(self, number: int, need: MaterialNeed, current: CurrentTicket) -> Text:
        filed, ticked = need.code in current.filed, need.code in current.ticked
        live = self.stage is Stage.SERVING and number <= 9
        line = self.pen.key(str(number), "", live=True) if live else piece(f"{number:>2}  ", OFF)
        poor = need.code in current.poor
        asked = live and need.code in current.asked and not (filed or ticked)
        mark = Mark.WARN if poor else Mark.OK if filed or ticked else Mark.BAD if asked else Mark.OFF
        line.append_text(self.pen.mark(mark))
        line.append(f" {self.pen.fit(need.name, 30)} ", style=FOREGROUND)
        line.append(self.pen.fit(say("material_needed" if need.required else "material_optional"), 6), style=OFF)
        known = {"material_poor": poor, "material_filed": filed, "material_ticked": ticked, "material_asked": asked}
        state = next((name for name, holds in known.items() if holds), "")
        return line.append(say(state) if state else "", style=WARN if poor or asked else OK)

    def facts(self) -> Text:
        """What is published about the item, then what colleagues noted."""
        current = self.view.current if self.view else None
        lines = []
        for label, value in current.facts if current else ():
            lines.append(piece(f"{label.zh}  ", OFF).append_text(self.pen.text(value.zh, FOREGROUND)))
        for note in current.notes if current else ():
            line = piece(f"{say('note')}  ", ACCENT).append(f"{note.at} {note.clerk}：", style=OFF)
            lines.append(line.append_text(self.pen.text(note.words, FOREGROUND)))
        return Text("\n").join(lines)

    def messages(self, room: int) -> Text:
        """What was said to this window, and what became of its own calls; newest first."""
        lines = []
        for message in (self.view.messages if self.view else ())[:room]:
            line = piece(f"{message.at} ", OFF)
            if message.mine:
                line.append(f"{say('message.to', to=message.to)}  ", style=OFF)
                state = say("message.taken", by=message.acknowledged) if message.acknowledged else say("message.open")
                line.append_text(self.pen.text(message.words, FOREGROUND))
                lines.append(line.append(f"  {state}", style=OK if message.acknowledged else WARN))
                continue
            line.append(f"{message.sender}  ", style=f"bold {OFF if message.acknowledged else ACCENT}")
            lines.append(line.append_text(self.pen.text(message.words, OFF if message.acknowledged else FOREGROUND)))
        return Text("\n").join(lines)

    @property
    def unread(self) -> int:
        """Messages that nobody here has acknowledged."""
        return sum(not m.mine and not m.acknowledged for m in self.view.messages) if self.view else 0

    def scan_line(self) -> str:
        """The scan job in a few words."""
        scan = scan_of(self.view)
        if scan is None:
            return say("materials_keys") if self.stage is Stage.SERVING else ""
        if scan.state == "failed" or (scan.state == "done" and scan.problem):
            return scan.problem.zh if scan.problem else say("scan_failed")
        codes = {"scanning": "scanning", "done": "scan_done", "filed": "scan_filed"}
        pages = [page for page in scan.pages if not page.saved] if scan.state == "done" else scan.pages
        return say(codes[scan.state], n=len(pages))

    def pages(self, scan: ScanJobView, room: int) -> Text:
        """The scanned pages, at most `room` lines; the last ones if there are more."""
        lines = [] if scan.problem is None else [self.pen.text(scan.problem.zh, BAD)]
        lines += [self.page(page) for page in scan.pages[-(room - len(lines)) :]]
        return Text("\n").join(lines)

    def page(self, page: ScanPageView) -> Text:
        """One scanned page with its marks and what its codes say."""
        mark, words = page_marks(page)
        line = Text(self.pen.fit(say("page", n=page.no), 8)).append_text(self.pen.mark(mark))
        line.append_text(self.pen.text(f" {self.pen.fit(words, 18)}", FOREGROUND if mark is Mark.OK else WARN))
        line.append(self.pen.fit(say("page.filed") if page.saved else "", 8), style=OK)
        return line.append_text(self.pen.text("  ".join(page.codes), OFF))

    def queues(self) -> Text:
        """Loads of this window's queues, a line each."""
        lines = []
        for load in self.view.queues if self.view else ():
            line = piece(f"{load.queue:<3}", f"bold {FOREGROUND}").append(self.pen.fit(load.name.zh, 24), style=OFF)
            line.append(f"{say('people', n=load.waiting):>6}", style=FOREGROUND)
            if load.waiting:
                oldest_s = load.oldest_wait_s + self.age_s
                colour = WARN if oldest_s > LONG_WAIT_S else OFF
                line.append(f"   {say('oldest', minutes=minutes(oldest_s))}", style=colour)
            lines.append(line)
        return Text("\n").join(lines)

    def waiting_title(self) -> str:
        """Head of the waiting list."""
        if self.view is None or not self.view.waiting_total:
            return say("waiting", n=0)
        title = f"{say('waiting', n=self.view.waiting_total)}  {say('oldest', minutes=minutes(self._oldest_s))}"
        shown = len(self.view.waiting)
        return title if shown >= self.view.waiting_total else f"{title}  {say('shown_of', n=shown)}"

    def flag(self, ticket: WaitingTicket) -> str:
        """Why a ticket stands where it stands."""
        words = [
            say("pinned") if ticket.pinned else "",
            say("slot_cancelled") if ticket.slot_cancelled else "",
            f"{say(f'priority.{ticket.priority}')} {ticket.slot}".strip(),
            say("transferred") if ticket.transferred else "",
            say("requeued") if ticket.requeued else "",
        ]
        return " ".join(word for word in words if word)

    def waiting_row(self, ticket: WaitingTicket, cells: int) -> Text:
        """One line of the waiting or missed list."""
        waited_s = ticket.waited_s + self.age_s
        row = piece(self.pen.fit(ticket.number, 7), f"bold {FOREGROUND}")
        row.append(f"{self.pen.fit(ticket.item, max(8, cells - 26))} ", style=FOREGROUND)
        row.append_text(self.pen.text(self.pen.fit(self.flag(ticket), 10), ACCENT))
        return row.append(f"{minutes(waited_s):>6}", style=WARN if waited_s > LONG_WAIT_S else FOREGROUND)

    def parked_row(self, ticket: ParkedTicket, cells: int) -> Text:
        """One line of the parked list."""
        row = piece(self.pen.fit(ticket.number, 7), f"bold {FOREGROUND}")
        row.append(f"{self.pen.fit(ticket.item, max(8, cells - 26))} ", style=FOREGROUND)
        row.append(self.pen.fit(say(f"reason.{ticket.reason}"), 10), style=OFF)
        return row.append(f"{minutes(self._since_s(ticket.since)):>6}", style=OFF)

    def status(self) -> Text:
        """The last line but one: what is on its way to the province, what the lists hold, the last evaluation."""
        line = Text(" ")
        if self.view is None:
            return line
        to_send = self.view.to_province
        line.append_text(self._marked(Mark.WARN if to_send else Mark.OK, say("to_province", n=to_send), bold=False))
        for code, many in (("missed", len(self.view.missed)), ("parked", len(self.view.parked))):
            line.append(f"   {say(code, n=many)}", style=FOREGROUND if many else OFF)
        if self.view.evaluation is not None:
            line.append(f"   {self.view.evaluation.zh}", style=OFF)
        if not self.wide and self.view.messages:
            line.append(f"   {say('messages', n=self.unread)}", style=ACCENT if self.unread else OFF)
        for lamp in self.view.devices:
            low = Mark.WARN if lamp.paper_low else Mark.OK
            mark = Mark.OFF if lamp.off else low if lamp.well else Mark.BAD
            name = say(f"device.{lamp.kind}") + (f" {say('device.paper_low')}" if mark is Mark.WARN else "")
            words = name if self.wide or mark is not Mark.OK else ""
            if words:
                line.append("   ").append_text(self._marked(mark, words, bold=False))
        return line

    def keys(self) -> Text:
        """The keys that mean something now; on a wide screen the others too, in grey."""
        drawn = []
        for cap, name, stages in _KEYS:
            live = self.stage in stages
            label = _MAIN[self.stage] if name == "main" else name
            if (name, self.stage) == ("notice", Stage.IDLE):
                label, live = "received", self.wide  # calling for help goes first where there is little room
            drawn.append((live, self.pen.key(cap, say(f"key_short.{label}"), live=live).append(" ")))
        # What means nothing now makes room, from the right.
        while sum(words.cell_len for _, words in drawn) >= self.width or not self.wide:
            idle = [place for place, (live, _) in enumerate(drawn) if not live]
            if not idle:
                break
            del drawn[idle[-1]]
        line = Text(" ")
        for _, words in drawn:
            if line.cell_len + words.cell_len <= self.width + 1:
                line.append_text(words)
        return line

    def _marked(self, mark: Mark, words: str, *, bold: bool = True) -> Text:
        colour = {Mark.OK: OK, Mark.WARN: WARN, Mark.BAD: BAD, Mark.OFF: OFF, Mark.BUSY: ACCENT}[mark]
        return self.pen.mark(mark).append(f" {words}", style=f"bold {colour}" if bold else colour)


def filled(line: Text, width: int) -> Text:
    """A line on the colour of the bars."""
    return line.append(" " * max(0, width - line.cell_len), style=f"on {PANEL}")
