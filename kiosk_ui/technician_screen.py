"""The technician's screen: draws what the daemon tells, follows one device, sends what it is told.

It holds no rule. Three streams feed it: the hall, the chosen device and, on the wire page, that device's traffic. While
the daemon is away the last picture stays and says how old it is; an order that was not sent is said to be not done.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from rich.text import Text as Line
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import ContentSwitcher, OptionList, Static, Tree
from textual.widgets.option_list import Option
from textual.widgets.tree import TreeNode

from hall_daemon.client import HallClient, HallUnreachable, Link, LinkNews, RequestRefused
from hall_daemon.protocol_technician import BeginDrill, DeviceDetail, DrillOffer, HallState, Health, TraceLine, worst
from kiosk_ui.technician_calls import WindowCalls
from kiosk_ui.technician_dialogs import Ask, Help
from kiosk_ui.technician_drill import DrillDialog
from kiosk_ui.technician_view import Sheet, kind_name, say
from kiosk_ui.theme import ACCENT, BAD, Pen

MOST_LINES = 500
RESULT_S = 10.0
FILTERS = ("", "out", "in", "known", "marked")
Order = Callable[[], Awaitable["Told | None"]]
"""Sends something to the daemon; what to say of it, or None for the usual words."""
Chosen = tuple[str, str]
"""What a line of the tree stands for: ("device", name), ("kiosk", code), ("", "")."""
NOTHING: Chosen = ("", "")


@dataclass
class HallArrived(Message):
    """All devices anew."""

    state: HallState


@dataclass
class DetailArrived(Message):
    """The chosen device anew."""

    detail: DeviceDetail


@dataclass
class TraceArrived(Message):
    """Something passed on the wire of the chosen device."""

    device: str
    line: TraceLine


@dataclass
class LinkChanged(Message):
    """The line to the daemon came, went, or failed again."""

    news: LinkNews


@dataclass
class Told(Message):
    """What became of an order."""

    sentence: str
    bad: bool = False


class TechnicianScreen(WindowCalls):
    """Device tree on the left, six pages on the right."""

    AUTO_FOCUS = "#tree"
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide")]  # noqa: RUF012  # typed so by its base class
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(n), f"page({n})", id=f"technician.page{n}") for n in range(1, 7)),
        Binding("f1,question_mark", "help", id="technician.help"),
        Binding("f2", "test", id="technician.test"),
        Binding("f3", "hold", id="technician.hold"),
        Binding("f4", "mark", id="technician.mark"),
        Binding("f5", "filter", id="technician.filter"),
        Binding("f6", "drill", id="technician.drill"),
        Binding("f7", "page(6)", id="technician.repair"),
        Binding("f8", "archive", id="technician.archive"),
        Binding("f9", "enable", id="technician.enable"),
        Binding("f12", "maintain", id="technician.maintain"),
        Binding("7", "calls", id="technician.calls"),
        Binding("tab", "side", id="technician.side", priority=True),
        Binding("enter", "enter", id="technician.enter", priority=True),
    ]

    def __init__(self, client: HallClient, *, pen: Pen, folder: Path) -> None:
        super().__init__()
        self._client, self._pen, self._folder = client, pen, folder
        self._hall: HallState | None = None
        self._detail: DeviceDetail | None = None
        self._device = ""
        self._page = 1
        self._link = LinkNews(link=Link.CONNECTING)
        self._online_s = time.monotonic()
        self._result, self._result_until_s = Line(), 0.0
        self._lines: deque[TraceLine] = deque(maxlen=MOST_LINES)
        self._marked: set[int] = set()
        self._held: int | None = None
        """While held: how many lines have come since; they are kept and shown when it is let go."""
        self._shown: list[TraceLine] = []
        self._filter = ""
        self._raw = False
        self._grown: dict[Chosen, TreeNode[Chosen]] = {}
        self._trace_due = False
        self._placed = False
        """Whether the cursor was put on the worst device once; from then on it is the technician's."""

    # ---- building

    def compose(self) -> ComposeResult:
        """Tree and pages."""
        yield Static(id="top")
        yield Static(id="trouble")
        with Horizontal(id="main"):
            yield Tree[Chosen]("", id="tree")
            with Vertical(id="right"):
                yield Static(id="head")
                yield Static(id="tabs")
                with ContentSwitcher(id="pages", initial="words"):
                    with VerticalScroll(id="words"):
                        yield Static(id="page")
                    with Vertical(id="wire"):
                        yield OptionList(id="trace", markup=False, compact=True)
                        yield Static(id="decode")
                    yield OptionList(id="incidents", markup=False, compact=True)
        yield Static(id="result")
        yield Static(id="keys")

    def on_mount(self) -> None:
        """Begin to listen."""
        tree = self.query_one("#tree", Tree)
        tree.show_root, tree.guide_depth = False, 2
        self.set_interval(1.0, self._draw)
        self.set_interval(0.2, self._draw_trace_if_due)
        self.call_after_refresh(self._draw)
        self.run_worker(self._listen(), name="hall", group="hall")
        self.listen_to_calls()

    def on_resize(self) -> None:
        """Draw for the new size."""
        self.call_after_refresh(self._draw)
        self._trace_due = True

    # ---- listening

    async def _listen(self) -> None:
        try:
            async with aclosing(self._client.hall_states().lasting(self._hear)) as states:
                async for state in states:
                    self.post_message(HallArrived(state))
        except RequestRefused as exc:
            self.app.exit(exc.text)

    def _hear(self, news: LinkNews) -> None:
        self.post_message(LinkChanged(news))

    async def _follow(self, device: str) -> None:
        try:
            async with aclosing(self._client.device_details(device).lasting(lambda _news: None)) as details:
                async for detail in details:
                    self.post_message(DetailArrived(detail))
        except RequestRefused as exc:
            self.post_message(Told(exc.text.zh, bad=True))

    async def _follow_wire(self, device: str) -> None:
        try:
            async with aclosing(self._client.trace(device, joined=True).lasting(lambda _news: None)) as lines:
                async for line in lines:
                    self.post_message(TraceArrived(device, line))
        except RequestRefused as exc:
            self.post_message(Told(exc.text.zh, bad=True))

    @on(HallArrived)
    def _hall_arrived(self, news: HallArrived) -> None:
        self._hall = news.state
        self._grow()
        if not self._placed:
            self.call_after_refresh(self._choose_first)
        self._draw()

    @on(DetailArrived)
    def _detail_arrived(self, news: DetailArrived) -> None:
        if news.detail.device.view.device == self._device:
            self._detail = news.detail
            self._draw()

    @on(TraceArrived)
    def _trace_arrived(self, news: TraceArrived) -> None:
        if news.device != self._device:
            return
        self._lines.append(news.line)
        if self._held is not None:
            self._held += 1
        else:
            self._trace_due = True

    @on(LinkChanged)
    def _link_changed(self, news: LinkChanged) -> None:
        if self._link.link is Link.ONLINE:
            self._online_s = time.monotonic()
        self._link = news.news
        self._draw()

    @on(Told)
    def _told(self, news: Told) -> None:
        self._say(news.sentence, f"bold {BAD if news.bad else ACCENT}")

    # ---- the tree

    def _grow(self) -> None:
        """New labels on the lines of the tree; new lines only where the hall has changed."""
        assert self._hall is not None
        wanted: dict[Chosen, tuple[Chosen, Line]] = {}
        states = {state.view.device: state for state in self._hall.devices}
        sheet = self._sheet()
        kinds: dict[str, list[Health]] = {}
        for group in self._hall.groups:
            health = worst(tuple(states[device].health for device in group.devices))
            kinds.setdefault(group.kind, []).append(Health.OFF if group.maintenance else health)
        for kind, healths in kinds.items():
            label = sheet.label(say(f"group.{kind}"), worst(tuple(healths)), str(len(healths)), strong=True)
            wanted["kind", kind] = (NOTHING, label)
        for group in self._hall.groups:
            health = worst(tuple(states[device].health for device in group.devices))
            note = say("in_use") if group.in_use else ""
            if group.maintenance:
                health, note = Health.OFF, say("maintenance.waits" if group.in_use else "maintenance")
            where = (group.kind, group.code)
            wanted[where] = (("kind", group.kind), sheet.label(group.name.zh, health, note))
            for device in group.devices:
                state = states[device]
                note = "" if state.health is Health.OK else state.state.zh
                label = sheet.label(f"{device} {kind_name(state.view.kind)}", state.health, note)
                wanted[f"device {group.kind} {group.code}", device] = (where, label)
        self._plant(wanted)

    def _plant(self, wanted: dict[Chosen, tuple[Chosen, Line]]) -> None:
        tree = self.query_one("#tree", Tree)
        if list(wanted) != list(self._grown):
            tree.clear()
            self._grown = {}
            for what, (above, label) in wanted.items():
                parent = self._grown[above] if above != NOTHING else tree.root
                device = what[0].startswith("device ")
                opened = what[0] in ("kind", "kiosk")
                self._grown[what] = parent.add(label, data=what, expand=opened, allow_expand=not device)
            return
        for what, (_, label) in wanted.items():
            node = self._grown[what]
            if str(node.label) != label.plain or not isinstance(node.label, Line) or node.label.spans != label.spans:
                node.set_label(label)

    def _choose_first(self) -> None:
        """The device that is worst off; the first one where all are well."""
        if self._hall is None or self._placed:
            return
        states = {state.view.device: state.health for state in self._hall.devices}
        order = [Health.BAD, Health.WARN, Health.BUSY, Health.OK, Health.OFF]
        devices = [(order.index(states[what[1]]), n, node) for n, (what, node) in enumerate(self._grown.items())
                   if what[0].startswith("device ")]  # fmt: skip
        if devices:
            _, _, node = min(devices, key=lambda entry: entry[:2])
            if node.parent is not None:
                node.parent.expand()
            tree = self.query_one("#tree", Tree)
            tree.move_cursor(node)
            self._placed = tree.cursor_node is node  # not yet laid out: with the next picture

    @on(Tree.NodeHighlighted, "#tree")
    def _highlighted(self, news: Tree.NodeHighlighted[Chosen]) -> None:
        what = news.node.data or NOTHING
        device = what[1] if what[0].startswith("device ") else ""
        if device == self._device:
            return
        self._device, self._detail = device, None
        self._lines.clear()
        self._marked.clear()
        self._held, self._shown = None, []
        self._trace_due = True
        if device:
            self.run_worker(self._follow(device), name="device", group="device", exclusive=True)
        else:
            self.workers.cancel_group(self, "device")
        self._listen_to_wire()
        self._draw()

    def _listen_to_wire(self) -> None:
        """Traffic is asked for only while somebody looks at it."""
        if self._device and self._page == 2:
            self.run_worker(self._follow_wire(self._device), name="wire", group="wire", exclusive=True)
        else:
            self.workers.cancel_group(self, "wire")

    # ---- drawing

    def _sheet(self) -> Sheet:
        online = self._link.link is Link.ONLINE
        return Sheet(
            pen=self._pen,
            width=self.size.width,
            wide=self.size.width >= 100,
            hall=self._hall,
            detail=self._detail,
            link=self._link,
            now_s=self._client.hall_time_s(),
            lost_s=0.0 if online else time.monotonic() - self._online_s,
        )

    def _draw(self) -> None:
        sheet = self._sheet()
        if time.monotonic() >= self._result_until_s:
            self._result = Line()
        trouble = sheet.trouble()
        self.query_one("#trouble").display = bool(trouble)
        pages = {1: sheet.overview, 3: sheet.test, 4: sheet.counters, 6: sheet.repair}
        for name, words in (
            ("top", sheet.top()), ("trouble", trouble), ("head", sheet.head()), ("tabs", sheet.tabs(self._page)),
            ("result", self._result), ("keys", sheet.keys(self._page)),
        ):  # fmt: skip
            self.query_one(f"#{name}", Static).update(words)
        if self._page in pages:
            self.query_one("#page", Static).update(pages[self._page]())
        elif self._page == 5:
            self._draw_incidents(sheet)
        self._draw_decoded(sheet)

    def _draw_incidents(self, sheet: Sheet) -> None:
        incidents = self.query_one("#incidents", OptionList)
        source = self._detail.incidents if self._detail else self._hall.incidents if self._hall else ()
        rows = [sheet.incident(incident, incidents.size.width) for incident in source] or [Line(say("none"))]
        mark = incidents.highlighted or 0
        incidents.clear_options()
        incidents.add_options([Option(row) for row in rows])
        incidents.highlighted = min(mark, len(rows) - 1)

    def _draw_trace_if_due(self) -> None:
        if self._trace_due and self._page == 2:
            self._trace_due = False
            self._draw_trace()

    def _draw_trace(self) -> None:
        sheet, trace = self._sheet(), self.query_one("#trace", OptionList)
        at_end = trace.highlighted is None or trace.highlighted >= trace.option_count - 1
        seen = self._shown[trace.highlighted].monotonic_ms if not at_end and trace.highlighted is not None else 0
        self._shown = [line for line in self._lines if self._passes(line)]
        cells = max(30, trace.size.width - 2)
        trace.clear_options()
        trace.add_options(
            [
                Option(sheet.trace_row(line, marked=line.monotonic_ms in self._marked, cells=cells))
                for line in self._shown
            ]
        )
        if self._shown:
            places = [n for n, line in enumerate(self._shown) if line.monotonic_ms == seen]
            trace.highlighted = len(self._shown) - 1 if at_end or not places else places[0]
            trace.scroll_to_highlight()
        self._draw_decoded(sheet)

    def _passes(self, line: TraceLine) -> bool:
        return {
            "out": line.direction == ">",
            "in": line.direction == "<",
            "known": bool(line.meaning.zh),
            "marked": line.monotonic_ms in self._marked,
        }.get(self._filter, True)

    def _chosen_line(self) -> TraceLine | None:
        place = self.query_one("#trace", OptionList).highlighted
        return self._shown[place] if place is not None and place < len(self._shown) else None

    def _draw_decoded(self, sheet: Sheet) -> None:
        if self._page != 2:
            return
        decode = self.query_one("#decode", Static)
        words = sheet.decoded(self._chosen_line(), max(3, decode.size.height - 1), raw=self._raw)
        if self._filter:
            words = Line(f"[{say('wire.filter', what=say(f'wire.{self._filter}'))}]  ", style=ACCENT).append_text(words)
        if self._held is not None:
            words = Line(f"[{say('wire.held', n=self._held)}]  ", style=f"bold {ACCENT}").append_text(words)
        words.no_wrap, words.overflow = True, "ellipsis"  # a byte is a row, or the rows below it would be lost
        decode.update(words)

    @on(OptionList.OptionHighlighted, "#trace")
    def _line_chosen(self) -> None:
        self._draw_decoded(self._sheet())

    def _say(self, sentence: str, style: str = f"bold {ACCENT}") -> None:
        self._result, self._result_until_s = self._pen.text(f" {sentence}", style), time.monotonic() + RESULT_S
        self._result.no_wrap, self._result.overflow = True, "ellipsis"
        self._draw()

    def tell(self, sentence: str) -> None:
        """Say it on the line of results."""
        self._say(sentence)

    # ---- keys

    def action_page(self, number: int) -> None:
        """Turn to a page."""
        self._page = number
        self.query_one("#pages", ContentSwitcher).current = {2: "wire", 5: "incidents"}.get(number, "words")
        self._listen_to_wire()
        self._trace_due = True
        self._draw()

    def action_side(self) -> None:
        """From the tree to the page and back."""
        tree = self.query_one("#tree", Tree)
        right = {2: "#trace", 5: "#incidents"}.get(self._page, "#words")
        (self.query_one(right) if tree.has_focus else tree).focus()

    def action_enter(self) -> None:
        """On the wire page raw bytes, on the repair page a confirmation by hand, in the tree open and close."""
        if self._page == 2:
            self._raw = not self._raw
            self._draw_decoded(self._sheet())
        elif self._page == 6 and self._detail is not None and self._detail.repair is not None:
            now = next((n for n, s in enumerate(self._detail.repair.steps, 1) if s.state == "now"), 0)
            if now:
                device = self._device
                self._send(lambda: self._client.confirm_repair(device, now))
        elif (node := self.query_one("#tree", Tree).cursor_node) is not None:
            node.toggle()

    def action_hold(self) -> None:
        """Hold the wire, or let it go on."""
        self._held = 0 if self._held is None else None
        self._trace_due = True
        self._draw()

    def action_mark(self) -> None:
        """Mark a line, or take the mark away."""
        line = self._chosen_line()
        if self._page == 2 and line is not None:
            self._marked ^= {line.monotonic_ms}
            self._draw_trace()

    def action_filter(self) -> None:
        """The next filter."""
        if self._page == 2:
            self._filter = FILTERS[(FILTERS.index(self._filter) + 1) % len(FILTERS)]
            self._draw_trace()

    def action_help(self) -> None:
        """All keys."""
        self.app.push_screen(Help(self._pen))

    # ---- orders

    def action_test(self) -> None:
        """Begin the self-test of the chosen device."""
        if self._device:
            device = self._device
            self.action_page(3)
            self._send(lambda: self._client.test_device(device))

    def action_enable(self) -> None:
        """Out of use, or back into it."""
        device = self._device
        known = self._hall.devices if self._hall else ()
        link = next((state.view.link for state in known if state.view.device == device), None)
        if link is None:
            return
        if link == "disabled":
            self._send(lambda: self._client.enable_device(device))
            return
        self._ask(say("ask.disable", device=device), lambda: self._client.disable_device(device))

    def action_drill(self) -> None:
        """Rehearse a fault of the chosen device, or end that."""
        device = self._device
        known = self._hall.devices if self._hall else ()
        drilled = next((state.view.drill for state in known if state.view.device == device), None)
        if drilled is None:
            return
        if drilled:
            self._send(lambda: self._client.end_drill(device))
            return

        async def ask() -> Told:
            self._offer_drill(await self._client.drill_offer(device))
            return Told(say("drill.choose"))

        self._send(ask)

    def _offer_drill(self, offer: DrillOffer) -> None:
        def answered(order: BeginDrill | None) -> None:
            if order is not None:
                self._send(lambda: self._client.begin_drill(offer.device, order))

        self.app.push_screen(DrillDialog(offer, self._pen), answered)

    def action_maintain(self) -> None:
        """Take the chosen kiosk out of service, or put it back."""
        group = self._kiosk()
        if group is None:
            return
        code, on_now = group
        if on_now:
            self._send(lambda: self._client.maintain_kiosk(code, on=False))
            return
        assert self._hall is not None
        name = next(g.name.zh for g in self._hall.groups if g.kind == "kiosk" and g.code == code)
        self._ask(say("ask.maintain", kiosk=name), lambda: self._client.maintain_kiosk(code, on=True))

    def _kiosk(self) -> tuple[str, bool] | None:
        """The kiosk that the tree's cursor stands in, and whether it is out."""
        node = self.query_one("#tree", Tree).cursor_node
        while node is not None and self._hall is not None:
            what = node.data or NOTHING
            for group in self._hall.groups:
                if what == ("kiosk", group.code) and group.kind == "kiosk":
                    return group.code, group.maintenance
            node = node.parent
        return None

    def action_archive(self) -> None:
        """Save the support archive on this machine."""
        self._ask(say("ask.archive", folder=self._folder), self._save_archive)

    async def _save_archive(self) -> Told:
        data = await self._client.support_archive()
        now = datetime.fromtimestamp(self._client.hall_time_s())
        file = self._folder / f"hall-diagnose-{now:%m%d-%H%M%S}.tar.gz"
        try:
            file.write_bytes(data)
            file.chmod(0o600)
        except OSError as exc:
            return Told(say("not_saved", file=file, why=exc.strerror), bad=True)
        return Told(say("saved", file=file, kib=-(-len(data) // 1024)))

    def _ask(self, question: str, order: Order) -> None:
        def answered(yes: bool | None) -> None:
            if yes:
                self._send(order)

        self.app.push_screen(Ask(question, self._pen), answered)

    def _send(self, order: Order) -> None:
        """Send an order; what it led to is in the next picture."""

        async def send() -> None:
            if self._link.link is not Link.ONLINE:
                self.post_message(Told(say("not_sent"), bad=True))
                return
            try:
                told = await order()
            except RequestRefused as exc:
                self.post_message(Told(exc.text.zh, bad=True))
            except HallUnreachable as exc:
                self.post_message(Told(say("unanswered" if exc.maybe_done else "not_sent"), bad=True))
            else:
                self.post_message(told or Told(say("done")))

        self.run_worker(send(), name="order", group="orders")
