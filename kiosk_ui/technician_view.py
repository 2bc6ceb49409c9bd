"""What a technician sees, as text: pure functions of the views that the daemon sent. Decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from rich.cells import cell_len
from rich.text import Text as Line

from hall_daemon.client import Link, LinkNews
from hall_daemon.protocol import DeviceView, Text
from hall_daemon.protocol_technician import (
    Counters,
    DeviceDetail,
    DeviceState,
    HallState,
    Health,
    Incident,
    SelfTest,
    TraceLine,
)
from hall_daemon.texts import TEXTS, text
from kiosk_ui.theme import ACCENT, BACKGROUND, BAD, COLOURS, FOREGROUND, OFF, OK, PANEL, PRIMARY, WARN, Mark, Pen, piece

MARKS = {
    Health.OK: Mark.OK, Health.OFF: Mark.OFF, Health.BUSY: Mark.BUSY, Health.WARN: Mark.WARN, Health.BAD: Mark.BAD,
}  # fmt: skip
TABS = ("overview", "wire", "test", "counters", "incidents", "repair")
_BARS = "▁▂▃▄▅▆▇█"
_PLAIN_BARS = ".:-=+*#%"


def say(code: str, /, **facts: object) -> str:
    """The Chinese sentence of this screen."""
    return text(f"technician.{code}", **facts).zh


def lasted(seconds: float) -> str:
    """A duration as people say it."""
    whole = max(0, round(seconds))
    if whole < 60:
        return say("seconds", n=whole)
    if whole < 3600:
        return say("minutes", n=whole // 60)
    if whole < 86400:
        return say("hours", h=whole // 3600, m=whole % 3600 // 60)
    return say("days", n=whole // 86400)


def kind_name(kind: str) -> str:
    """What a kind of device is called."""
    return text(f"kind.{kind}").zh if f"kind.{kind}" in TEXTS else kind


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """One moment of the screen: what is known, and the pen to draw it."""

    pen: Pen
    width: int
    wide: bool
    hall: HallState | None = None
    detail: DeviceDetail | None = None
    link: LinkNews
    now_s: float
    """Hall time, seconds since 1970."""
    lost_s: float = 0.0
    """For how long the daemon has not answered."""

    # ---- the lines around the pages

    def top(self) -> Line:
        """How many are well, and how the hall is; or that the daemon is away."""
        line = piece(f" {say('title')}  ", f"bold {FOREGROUND}")
        if self.hall is not None:
            counts = {h: sum(d.health is h for d in self.hall.devices) for h in Health}
            for health in (Health.BAD, Health.WARN, Health.OK, Health.OFF, Health.BUSY):
                if counts[health] or health is Health.OK:
                    line.append_text(self.pen.mark(MARKS[health]))
                    line.append(f" {counts[health]} {say(f'health.{health.value}')}  ", COLOURS[MARKS[health]])
            level = self.hall.level
            line.append(f" {level} ", f"bold {BACKGROUND} on {OK if level == 'L0' else WARN if level != 'L3' else BAD}")
        online = self.link.link is Link.ONLINE
        right = Line(f"{say(f'link.{self.link.link.value}')} ", style=OFF if online else f"bold {BAD}")
        gap = self.width - line.cell_len - right.cell_len
        return line.append(" " * max(1, gap)).append_text(right)

    def trouble(self) -> Line:
        """What stands under the top line while the daemon is away."""
        if self.link.link is Link.ONLINE or self.lost_s < 3:
            return Line()
        words = say("stale", ago=lasted(self.lost_s)) if self.hall else say("waiting")
        return self.pen.text(f" {words}", f"bold {BAD}")

    def head(self) -> Line:
        """Which device, and how it is."""
        if self.detail is None:
            return self.pen.text(say("choose") if self.hall else say("waiting"), OFF)
        state = self.detail.device
        line = piece(f"{state.view.device} ", f"bold {FOREGROUND}")
        line.append(f"{self.detail.place.zh} {kind_name(state.view.kind)}  " if self.wide else "", FOREGROUND)
        line.append_text(self.pen.mark(MARKS[state.health]))
        line.append(f" {state.state.zh} {self._for(state)}", f"bold {COLOURS[MARKS[state.health]]}")
        return line.append(self.pen.words(f"   {state.view.port}") if self.wide else "", OFF)

    def _for(self, state: DeviceState) -> str:
        if state.health is Health.OK or self.detail is None:
            return ""
        holding = [i for i in self.detail.incidents if i.ended is None]
        return lasted(max(i.lasted_s for i in holding)) if holding else ""

    def tabs(self, chosen: int) -> Line:
        """The six pages."""
        line = Line()
        for number, name in enumerate(TABS, 1):
            label = f" {number} {say(f'tab.{name}')} " if self.wide else f"{number}{say(f'tab.{name}')}"
            style = f"bold {BACKGROUND} on {PRIMARY}" if number == chosen else f"{FOREGROUND} on {PANEL}"
            line.append(label, style).append(" ")
        return line

    def keys(self, page: int) -> Line:
        """What can be pressed now."""
        always = [("↑↓", "choose"), ("1-6", "page"), ("F2", "test"), ("F7", "repair"), ("F8", "archive"),
                  ("F9", "enable"), ("F12", "maintain"), ("Tab", "side"), ("F1", "help"), ("^Q", "quit")]  # fmt: skip
        special = {
            2: [("F3", "hold"), ("F4", "mark"), ("F5", "filter"), ("Enter", "raw")],
            6: [("Enter", "confirm")],
        }.get(page, [])
        line = Line(" ")
        for key, name in (*special, *always):
            cap = self.pen.key(self.pen.words(key), say(f"key.{name}"))
            if line.cell_len + cap.cell_len + 1 > self.width:
                break
            line.append_text(cap).append(" ")
        return line

    # ---- page 1

    def overview(self) -> Line:
        """Effect, cause and advice first; then what the device tells."""
        detail = self.detail
        if detail is None:
            return self.summary()
        state = detail.device
        page = Line()
        worst = state.health in (Health.BAD, Health.WARN, Health.OFF)
        for name, sentence in (("effect", detail.effect), ("cause", detail.cause), ("advice", detail.advice)):
            page.append(f"{say(name)}  ", OFF)
            page.append(self.folded(sentence.zh, 6), f"bold {FOREGROUND}" if name == "effect" else FOREGROUND)
            if name == "advice" and worst and detail.repair is not None:
                page.append("  ").append_text(self.pen.key("F7", say("follow")))
            page.append("\n")
        self._section(page, "signals")
        for signal in detail.signals:
            mark = MARKS[signal.health]
            page.append(" ").append_text(self.pen.mark(mark)).append(f" {self.pen.fit(signal.name.zh, 11)}", OFF)
            page.append(self.pen.words(signal.value.zh) + "\n", FOREGROUND if mark is Mark.OK else COLOURS[mark])
        if detail.counters.answers_ms:
            self._section(page, "answers")
            last = detail.counters.answers_ms[-1]
            page.append(" ").append(self.bars(detail.counters.answers_ms), OK).append(f"  {last:.0f}\n", "bold")
        self._section(page, "today")
        counters = detail.counters
        page.append(" " + say("today.line", jobs=counters.jobs, failures=counters.failures, inputs=counters.inputs,
                              lost=counters.lost) + "\n", FOREGROUND)  # fmt: skip
        self._section(page, "recent")
        return page.append_text(self._recent(detail))

    def folded(self, words: str, indent: int) -> str:
        """Words in lines that fit the page behind an indent; Chinese has no spaces to break at."""
        room = self.width - (44 if self.wide else 34) - indent - 2
        lines = [""]
        for character in self.pen.words(words):
            if cell_len(lines[-1]) + cell_len(character) > room:
                lines.append("")
            lines[-1] += character
        return ("\n" + " " * indent).join(lines)

    def _recent(self, detail: DeviceDetail) -> Line:
        if not detail.incidents:
            return Line(f" {say('none')}", style=OFF)
        line = Line(" ")
        for incident in detail.incidents[:4]:
            line.append(f"{incident.began[11:16]} {incident.name.zh}   ", COLOURS[MARKS[incident.health]])
        return line

    def _section(self, page: Line, name: str) -> None:
        page.append("\n").append(say(name) + "\n", f"bold {ACCENT}")

    def bars(self, values: tuple[float, ...]) -> str:
        """Values as a row of bars; the highest is full."""
        marks = _PLAIN_BARS if self.pen.plain else _BARS
        top = max([*values, 1e-9])
        return "".join(marks[min(7, round(value / top * 7))] for value in values)

    def summary(self) -> Line:
        """The hall as a whole, where no device is chosen."""
        hall = self.hall
        if hall is None:
            return self.pen.text(self.link.trouble.zh if self.link.trouble else say("waiting"), OFF)
        page = piece(f"{hall.hall.zh}\n\n", f"bold {FOREGROUND}")
        for name, value in (
            ("level", f"{hall.level} {hall.level_text.zh}"),
            ("province", f"{say('province.left', n=hall.to_province)}  {hall.province.zh}"),
            ("disk", f"{hall.free_mb} MB"),
            ("started", f"{hall.started[:16].replace('T', ' ')}  {hall.version}"),
        ):
            page.append(f"{self.pen.fit(say(name), 9)}", OFF).append(value + "\n", FOREGROUND)
        page.append("\n").append(say("recent") + "\n", f"bold {ACCENT}")
        for incident in [i for i in hall.incidents if i.ended is None][:12]:
            page.append(" ").append_text(self.incident(incident, 60)).append("\n")
        return page

    # ---- page 2

    def trace_row(self, line: TraceLine, *, marked: bool, cells: int) -> Line:
        """One line of the wire: time, direction, hex, meaning."""
        star = "*" if marked else " "
        row = piece(star, f"bold {ACCENT}")
        row.append(f"{line.at[11:23] if self.wide else line.at[14:19]} ", OFF)
        arrow = "→" if line.direction == ">" else "←"
        arrow = line.direction if self.pen.plain else arrow
        row.append(f"{arrow} ", PRIMARY if line.direction == ">" else ACCENT)
        room = 24 if self.wide else 12
        shown = line.hex.upper()
        row.append(self.pen.fit(shown, room) + " ", FOREGROUND)
        return row.append(self.pen.fit(line.meaning.zh, max(4, cells - row.cell_len)), self._tone(line))

    @staticmethod
    def _tone(line: TraceLine) -> str:
        if line.personal:
            return OFF
        return BAD if any(word in line.meaning.en for word in ("paper_out", "damaged", "refused", "fault")) else OK

    def decoded(self, line: TraceLine | None, rows: int, *, raw: bool) -> Line:
        """The marked line: each byte in bits, or the raw bytes with their characters."""
        if line is None:
            return self.pen.text(say("wire.empty"), OFF)
        data = bytes.fromhex(line.hex)
        count = len(data) or line.personal
        arrow = self.pen.words("→" if line.direction == ">" else "←") if not self.pen.plain else line.direction
        page = piece(f"{line.at[11:23]}  {arrow} {say('wire.bytes', n=count)}  ", f"bold {ACCENT}")
        page.append(self.pen.words(line.meaning.zh), FOREGROUND).append("\n")
        if line.personal:
            return page.append(say("wire.masked"), OFF)
        if raw or len(data) > rows - 1:
            per_row = 16 if self.wide else 8
            for start in range(0, min(len(data), per_row * (rows - 1)), per_row):
                part = data[start : start + per_row]
                shown = "".join(chr(b) if 32 <= b < 127 else "." for b in part)
                page.append(f" {start:04X}  ", OFF).append(f"{part.hex(' ').upper():{per_row * 3}}", FOREGROUND)
                page.append(f" {shown}\n", OK)
            return page
        for byte, words in zip_longest(data, line.words):
            character = chr(byte) if 32 <= byte < 127 else "."
            page.append(f" {byte:02X} ", f"bold {FOREGROUND}").append(f" {byte >> 4:04b} {byte & 15:04b} ", OFF)
            page.append(f" {byte:3}  {character}  ", OK).append(self.pen.words(words.zh) if words else "", FOREGROUND)
            page.append("\n")
        return page

    # ---- page 3

    def test(self) -> Line:
        """Steps of the self-test."""
        run = self.detail.test if self.detail else None
        if run is None:
            page = self.pen.text(say("test.never"), FOREGROUND)
            return page.append("\n\n").append(say("test.note"), OFF)
        page = self._test_head(run)
        for step in run.steps:
            mark = MARKS[step.health]
            page.append(" ").append_text(self.pen.mark(mark)).append(f" {self.pen.fit(step.name.zh, 20)}", FOREGROUND)
            page.append(self.pen.words(step.note.zh) + "\n", COLOURS[mark] if mark is not Mark.OK else OFF)
        if run.prompt.zh:
            page.append("\n").append(f" {run.prompt.zh}\n", f"bold {ACCENT}").append(f" {run.prompt.en}\n", OFF)
        return page.append("\n").append(say("test.note"), OFF)

    def _test_head(self, run: SelfTest) -> Line:
        colour = {"passed": OK, "failed": BAD}.get(run.state, ACCENT)
        return piece(f"{say(f'test.{run.state}')}   ", f"bold {colour}").append(f"{run.began[11:19]}\n\n", OFF)

    # ---- page 4

    def counters(self) -> Line:
        """What the device has done."""
        if self.detail is None:
            return self.pen.text(say("choose"), OFF)
        counted, view = self.detail.counters, self.detail.device.view
        page = Line()
        rows = (
            ("since", counted.since[:16].replace("T", " ")), ("jobs", say("times", n=counted.jobs)),
            ("failures", say("times", n=counted.failures)), ("inputs", say("times", n=counted.inputs)),
            ("lost", say("times", n=counted.lost)), ("reconnects", say("times", n=view.reconnects)),
            ("restarts", say("times", n=view.restarts)), ("troubles", say("times", n=counted.troubles)),
            ("trouble_time", lasted(counted.trouble_s)), *self._roll(view),
        )  # fmt: skip
        for name, value in rows:
            page.append(f" {self.pen.fit(say(f'count.{name}'), 22)}", OFF).append(value + "\n", f"bold {FOREGROUND}")
        if view.kind == "printer":
            page.append(f" {self.pen.fit(say('count.unprinted'), 22)}", OFF)
            page.append(f"{say('times', n=counted.unprinted)}\n", f"bold {BAD if counted.unprinted else FOREGROUND}")
        return page.append_text(self._hours(counted))

    @staticmethod
    def _roll(view: DeviceView) -> tuple[tuple[str, str], ...]:
        if view.roll_used_mm is None:
            return ()
        used = f"{view.roll_used_mm / 1000:.1f}"
        return (("roll", say("count.roll_of", used=used, whole=view.roll_m) if view.roll_m else f"{used} m"),)

    def _hours(self, counted: Counters) -> Line:
        page = Line("\n").append(say("count.hours") + "\n", f"bold {ACCENT}")
        if not counted.hours:
            return page.append(f" {say('none')}", OFF)
        top = max(hour.jobs for hour in counted.hours) or 1
        for hour in counted.hours:
            bar = ("=" if self.pen.plain else "━") * max(1, round(hour.jobs / top * 24))
            page.append(f" {hour.hour:02} ", OFF).append(bar, OK).append(f" {hour.jobs}", FOREGROUND)
            page.append(f"  {say('count.failures')} {hour.failures}\n" if hour.failures else "\n", BAD)
        return page

    # ---- page 5

    def incident(self, incident: Incident, cells: int) -> Line:
        """One line of the list."""
        row = piece(f"{incident.began[5:10] + ' ' if self.wide else ''}{incident.began[11:16]} ", OFF)
        row.append_text(self.pen.mark(MARKS[incident.health]))
        row.append(f" {self.pen.fit(incident.device, 9)}", FOREGROUND)
        row.append(self.pen.fit(incident.name.zh, 14), COLOURS[MARKS[incident.health]])
        how_long = lasted(incident.lasted_s)
        row.append(f" {how_long}", FOREGROUND)
        if incident.ended is None:
            row.append(f" {say('still')}", f"bold {WARN}")
        if incident.from_log:
            row.append(f" {say('since_log')}", OFF)
        row.truncate(cells)
        return row

    # ---- page 6

    def repair(self) -> Line:
        """Guided repair."""
        guide = self.detail.repair if self.detail else None
        if guide is None or self.detail is None:
            return self.pen.text(say("repair.none"), FOREGROUND)
        page = piece(
            say("repair.head", what=guide.title.zh, n=guide.minutes, tools=guide.tools.zh), f"bold {FOREGROUND}"
        )
        page.append(f"\n{guide.title.en}, {guide.tools.en}\n\n", OFF)
        for name, sentence in (("cause", self.detail.cause), ("advice", self.detail.advice)):
            page.append(f"{say(name)}  ", OFF).append(sentence.zh + "\n", FOREGROUND)
            page.append(f"{' ' * (cell_len(say(name)) + 2)}{sentence.en}\n", OFF)
        page.append("\n")
        shapes = {"done": ("+" if self.pen.plain else "✓", OK), "now": (">" if self.pen.plain else "▶", ACCENT),
                  "todo": ("o" if self.pen.plain else "○", OFF)}  # fmt: skip
        for number, step in enumerate(guide.steps, 1):
            shape, colour = shapes[step.state]
            page.append(f" {shape} {number} ", f"bold {colour}")
            page.append(step.text.zh, f"bold {FOREGROUND}" if step.state == "now" else colour)
            page.append(f"   {step.proof.zh}\n", colour if step.state != "todo" else OFF)
            if step.state == "now" and self.wide:
                page.append(f"     {step.text.en}\n", OFF)
        done = all(step.state == "done" for step in guide.steps)
        page.append("\n").append(say("repair.done") if done else say("repair.note"), f"bold {OK}" if done else OFF)
        return page

    # ---- the tree

    def label(self, name: str, health: Health, note: str = "", *, strong: bool = False) -> Line:
        """A line of the tree."""
        mark = MARKS[health]
        line = self.pen.mark(mark).append(f" {name}", f"bold {FOREGROUND}" if strong else FOREGROUND)
        return line.append(f" {note}", COLOURS[mark] if health in (Health.BAD, Health.WARN) else OFF) if note else line


def both(sentence: Text) -> str:
    """Chinese, then English."""
    return f"{sentence.zh}  {sentence.en}".strip()
