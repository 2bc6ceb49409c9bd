"""Twin of an ESC/POS slip printer, written from the protocol notes "Ticket printers (ESC/POS)".

Takes bytes as they come: real-time commands act on arrival and are eaten wherever they stand, even inside a raster;
everything else waits its turn in the buffer. A printer that cannot print keeps its buffer and goes on after the fault,
which is how half slips come back as ghosts. Only paper that moved is printed.

Profiles are those of notes §7: epson-80, clone-80 (no automatic status, no GS r), clone-58 (no cutter, composes no
codes), kiosk-custom (presenter, full status). A table of devices.toml may change `columns`, `charset`, `cutter` and
`confirm` (how far it answers). DLE DC4 8 is from the Epson ESC/POS command reference, as is that DLE ENQ 2 helps after
errors only (`clear_after_errors_only`), and that a printer that was deselected by ESC = still acts on real-time
commands. Which bit of the answer to `10 04 05` is the presenter's sensor is a guess (G): 04.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sim.carriers import ByteTwin
from sim.printer_buffer import ReceiveBuffer
from sim.printer_commands import Interpreter
from sim.printer_paper import Blank, Cut, PrintedSlip, Strip, TextLine
from sim.printer_presenter import Presenter

CLEAR_BUFFERS = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"
FULL_STATUS = b"\x10\x04\x14"
_REAL_TIME = (
    *(bytes([0x10, 0x04, n]) for n in range(1, 6)),
    *(bytes([0x10, 0x05, n]) for n in range(3)),
    FULL_STATUS,
)
_DOTS_OF_COLUMNS = {32: 384, 42: 512, 48: 576}

HEAD_TO_CUTTER_DOTS = 120
FULL_ROLL_MM = 80_000.0
NEAR_END_MM = 5_000.0


@dataclass(frozen=True, kw_only=True)
class Model:
    """What a profile of notes §7 stands for."""

    columns: int = 48
    cutter: bool = True
    confirm: str = "gs_r"
    automatic: bool = False
    composes_codes: bool = True
    presents: bool = False
    clears_buffers: bool = False
    """Whether it knows DLE DC4 8."""


MODELS = {
    "epson-80": Model(automatic=True, clears_buffers=True),
    "clone-80": Model(confirm="status"),
    "clone-58": Model(columns=32, cutter=False, confirm="status", composes_codes=False),
    "kiosk-custom": Model(presents=True),
}


class TicketPrinterTwin(ByteTwin):
    """A thermal slip printer with a roll of paper."""

    def __init__(self, device: str, options: Mapping[str, object]) -> None:
        super().__init__(device, options)
        self.model = MODELS[str(options.get("profile", "epson-80"))]
        columns = options.get("columns", self.model.columns)
        self.width = _DOTS_OF_COLUMNS[columns if isinstance(columns, int) else 48]
        self.dots_per_mm = 7.09 if columns == 42 else 8.0
        self.has_cutter = self.model.cutter and options.get("cutter", True) is True
        confirm = options.get("confirm", self.model.confirm)
        self.one_way = confirm == "none"
        self.answers_queued = confirm in {"gs_r", "esc_v"}
        self.jobs_are_marked = confirm == "gs_h"
        """Whether GS ( H is answered."""
        self.answers_names = self.answers_queued or self.jobs_are_marked
        self.names = {0x41: "1.00", 0x42: "ACME", 0x43: "TP-80", 0x44: "990000001"}
        self.has_automatic_status = self.model.automatic
        self.clears_on_command = True
        self.clears_after_errors_only = self.model.clears_buffers
        self.presenter = Presenter()
        self.small_buffer: ReceiveBuffer | None = None
        self.power_ups = 0
        self.printed: list[PrintedSlip] = []
        """Pieces of paper that came off and have something on them."""
        self.cuts = 0
        self.received = 0
        self.paper_mm = FULL_ROLL_MM
        self.printed_mm = 0.0
        self.powered = True
        self.power_ups += 1
        self._held = b""
        self._automatic = False
        self._announced = b""
        self.cutter_will_stick = False
        self._clear_faults()
        self.interpreter = Interpreter(
            self, width=self.width, charset=str(options.get("charset", "gb2312")), chinese_after_reset=False
        )
        self.interpreter.composes_codes = self.model.composes_codes
        self.paper = self._new_piece()
        self._power_up()

    # --- what a test or a person looks at

    @property
    def whole_slips(self) -> list[PrintedSlip]:
        """Pieces on which a job stands from its beginning to its cut."""
        return [slip for slip in self.printed if not slip.partial]

    @property
    def paper_is_out(self) -> bool:
        """Whether the sensor sees no paper."""
        return self.paper_mm <= 0

    @property
    def is_near_end(self) -> bool:
        """Whether the near-end sensor has dropped; one that is missing never does."""
        return self.paper_mm <= self.near_end_mm and self.near_end_mm > 0

    @property
    def has_error(self) -> bool:
        """Whether the printer reports an error, as opposed to paper, cover or switch."""
        return self.head_is_hot or self.cutter_is_stuck or self.paper_is_jammed or self.is_broken

    @property
    def is_offline(self) -> bool:
        """Whether it declines to print."""
        return self.cover_is_open or self.paper_is_out or self.has_error or self.is_switched_off or self.feeds_by_button

    @property
    def can_print(self) -> bool:
        """Whether the buffer is worked off."""
        return self.powered and not self.is_offline and not self.is_stalled

    # --- verbs

    def run_out_of_paper(self) -> None:
        """The end of the roll has passed the sensor."""
        self._turn(paper_mm=0.0)

    def run_low(self) -> None:
        """The near-end sensor drops; there is paper for a few more slips."""
        self._turn(paper_mm=NEAR_END_MM / 2)

    def paper_out_after(self, *, mm: float | None = None, lines: int | None = None) -> None:
        """The paper ends in the middle of something: after so many millimetres, or printed lines."""
        if mm is not None:
            self._turn(paper_mm=mm)
        if lines is not None:
            self.after_lines(lines, self.run_out_of_paper)

    def refill(self, mm: float = FULL_ROLL_MM) -> None:
        """A person puts in a roll; a half slip that hung out comes off. What was buffered is printed now."""

        with self.lock:
            if self.paper_is_out and not self.paper.blank:
                self.paper.partial = True
                self._take_off(Cut.TORN)
                self.paper.partial = bool(self.interpreter.buffer)
            self._turn(paper_mm=mm)

    def open_cover(self) -> None:
        """The cover is opened."""
        self._turn(cover_is_open=True)

    def close_cover(self) -> None:
        """The cover is closed again."""
        self._turn(cover_is_open=False)

    def jam(self) -> None:
        """Paper jams; the printer reports a mechanical error."""
        self._turn(paper_is_jammed=True)

    def jam_cutter(self) -> None:
        """The cutter is stuck."""
        self._turn(cutter_is_stuck=True)

    def jam_cutter_when_cutting(self) -> None:
        """The cutter gets stuck at the next cut."""
        self._turn(cutter_will_stick=True)

    def overheat(self) -> None:
        """The head is too hot; it cools down by itself, in its own time."""
        self._turn(head_is_hot=True)

    def cool_down(self) -> None:
        """The head is cool again."""
        self._turn(head_is_hot=False)

    def break_down(self) -> None:
        """An unrecoverable error."""
        self._turn(is_broken=True)

    def wait_for_recovery(self) -> None:
        """The cutter was stuck; the printer waits to be told by DLE ENQ that it may go on."""
        self._turn(cutter_is_stuck=True, waits_for_recovery=True)

    def raise_drawer(self) -> None:
        """Pin 3 of the drawer's socket goes high: for most drawers that is open."""
        self._turn(drawer_is_high=True)

    def switch_offline(self) -> None:
        """Somebody presses the online key, where there is one."""
        self._turn(is_switched_off=True)

    def hold_feed_button(self) -> None:
        """Somebody keeps the feed button pressed; nothing comes of it while the panel is locked."""
        self._turn(feeds_by_button=not self.interpreter.panel_is_locked)

    def stall(self) -> None:
        """The buffer is not worked off although nothing shows, as in a slow or a hung printer."""
        self._turn(is_stalled=True)

    def go_on(self) -> None:
        """It works again."""
        self._turn(is_stalled=False)

    def print_slowly(self, seconds: float) -> None:
        """Every piece of paper that moves takes so long."""
        self._turn(strip_s=seconds)

    def be_slow(self, *, buffer_bytes: int, reserve_bytes: int, bytes_per_s: int) -> None:
        """It takes so many bytes ahead of its mechanism: XOFF when only the reserve is left, then they are lost."""
        with self.lock:
            self.small_buffer = ReceiveBuffer(
                size=buffer_bytes,
                reserve=reserve_bytes,
                bytes_per_s=bytes_per_s,
                lock=self.lock,
                work=self.interpreter.take,
                may_work=lambda: self.can_print,
                say=self._answer,
            )

    def be_fast(self) -> None:
        """It takes everything at once again; what waited is worked off."""
        buffer = self.small_buffer
        if buffer is None:
            return
        buffer.stop()
        with self.lock:
            self.small_buffer = None
            self.interpreter.take(buffer.waiting)
            buffer.clear()

    def ignore_clearing(self) -> None:
        """It keeps its buffer whatever it is told, and prints ghosts after the refill."""
        self._turn(clears_on_command=False)

    def clear_after_errors_only(self) -> None:
        """DLE ENQ 2 does nothing while paper or cover are the trouble."""
        self._turn(clears_after_errors_only=True)

    def announce(self, frame: bytes) -> None:
        """Automatic status that says something else than is true, or nothing that is documented."""
        with self.lock:
            self._answer(frame)

    def lose_sensor(self) -> None:
        """The near-end sensor is missing or stuck."""
        self._turn(near_end_mm=0.0)

    def leave_slips(self) -> None:
        """Residents leave their slips hanging in the mouth from now on."""
        with self.lock:
            self.presenter.slips_are_taken_at_once = False

    def take_slip(self) -> None:
        """The resident takes the slip out of the mouth."""
        with self.lock:
            self.presenter.take()

    def time_out(self) -> None:
        """The time for taking the slip is over: it is retracted or thrown out."""
        with self.lock:
            self.presenter.time_out()

    def go_mute(self) -> None:
        """It prints and answers nothing from now on."""
        self._turn(is_mute=True)

    def go_mute_after(self, bytes_received: int) -> None:
        """It falls silent in the middle of what it receives."""
        self._after_bytes(bytes_received, self.go_mute)

    def spoil_fixed_bits(self) -> None:
        """Its answers have bits that no kind of answer has (0 and 7 set)."""
        self._turn(spoils_bits=True)

    def answer_late(self, seconds: float) -> None:
        """Every answer takes so long."""
        self._turn(delay_s=seconds)

    def lose_power(self) -> None:
        """Power goes: what was buffered is gone, the half slip stays in the printer."""
        with self.lock:
            self._power_down()

    def lose_power_after(self, bytes_received: int) -> None:
        """Power goes in the middle of what it receives."""
        self._after_bytes(bytes_received, self._power_down)

    def power_on(self) -> None:
        """Power is back."""
        with self.lock:
            self._power_up()

    def after_lines(self, lines: int, deed: Callable[[], None]) -> None:
        """Something happens when so many more lines of text are on paper."""
        with self.lock:
            self._line_triggers.append((self._lines_printed + lines, deed))

    def recover(self) -> None:
        """A technician puts everything right: power, paper, cover, cutter, voice."""
        if not self.powered:
            self.power_on()
        with self.lock:
            self._clear_faults()
        if self.paper_mm <= NEAR_END_MM:
            self.refill()
        self.presenter.take()
        self.be_fast()
        self._turn()

    # --- bytes

    def plugged(self) -> None:
        self._power_up()

    def unplugged(self) -> None:
        self.be_fast()

    def receive(self, data: bytes) -> None:
        while self._byte_triggers and data:
            at, deed = self._byte_triggers[0]
            if self.received + len(data) < at:
                break
            part, data = data[: at - self.received], data[at - self.received :]
            self._byte_triggers.pop(0)
            self._receive(part)
            deed()
        self._receive(data)

    def _receive(self, data: bytes) -> None:
        self.received += len(data)
        if not self.powered:
            return
        held = self._held + data
        known = (*_REAL_TIME, CLEAR_BUFFERS) if self.model.clears_buffers else _REAL_TIME
        while found := min(((at, c) for c in known if (at := held.find(c)) >= 0), default=None):
            at, command = found
            self._take(held[:at])
            held = held[at + len(command) :]
            self._real_time(command)
        keep = max(n for n in range(len(CLEAR_BUFFERS)) if any(held.endswith(c[:n]) for c in known if n < len(c)))
        self._held = held[len(held) - keep :]
        self._take(held[: len(held) - keep])

    def _take(self, data: bytes) -> None:
        """Bytes that wait their turn."""
        if self.small_buffer is None:
            self.interpreter.take(data)
        else:
            self.small_buffer.put(data)

    def _real_time(self, command: bytes) -> None:
        number = command[2]
        if command == FULL_STATUS:
            if self.model.presents:
                self._answer(self.full_status())
        elif command == CLEAR_BUFFERS:
            self._clear_buffer()
            if self.clears_on_command:
                self._answer(b"\x37\x25\x00")
        elif command[1] == 0x04 and 1 <= number <= 4:
            self._answer(bytes([self.real_time_status()[number - 1]]))
        elif command[1] == 0x04 and number == 5 and self.model.presents:
            self._answer(bytes([0x12 | (self.presenter.mouth is not None) << 2]))
        elif command[1] == 0x05 and number:
            if number == 2 and (self.has_error or not self.clears_after_errors_only):
                self._clear_buffer()
            if self.waits_for_recovery:
                self._turn(cutter_is_stuck=False, waits_for_recovery=False)

    def _clear_buffer(self) -> None:
        if self.clears_on_command:
            if self.small_buffer is not None:
                self.small_buffer.clear()
            self.interpreter.clear()
            self._break_off()

    def real_time_status(self) -> bytes:
        """What DLE EOT 1 to 4 are answered (notes §3.1)."""
        printer = 0x12 | self.drawer_is_high << 2 | self.is_offline << 3 | self.waits_for_recovery << 5
        printer |= self.feeds_by_button << 6
        cause = 0x12 | self.cover_is_open << 2 | self.feeds_by_button << 3
        cause |= self.paper_is_out << 5 | self.has_error << 6
        error = 0x12 | self.paper_is_jammed << 2 | self.cutter_is_stuck << 3 | self.is_broken << 5
        error |= self.head_is_hot << 6
        paper = 0x12 | (0x0C if self.is_near_end else 0) | (0x60 if self.paper_is_out else 0)
        return bytes([printer, cause, error, paper])

    def automatic_status(self) -> bytes:
        """The four bytes of Automatic Status Back (notes §3.2)."""
        first = 0x10 | self.drawer_is_high << 2 | self.is_offline << 3 | self.cover_is_open << 5
        first |= self.feeds_by_button << 6
        second = int(self.waits_for_recovery) | self.paper_is_jammed << 2 | self.cutter_is_stuck << 3
        second |= self.is_broken << 5 | self.head_is_hot << 6
        third = (0x03 if self.is_near_end else 0) | (0x0C if self.paper_is_out else 0)
        return bytes([first, second, third, 0x0F])

    def full_status(self) -> bytes:
        """The six bytes of Custom's full status (notes §4)."""
        paper = int(self.paper_is_out) | self.is_near_end << 2 | (self.presenter.mouth is not None) << 5
        user = self.cover_is_open << 1 | self.feeds_by_button << 5
        recoverable = int(self.head_is_hot) | self.paper_is_jammed << 6
        return bytes([0x10, 0x0F, paper, user, recoverable, int(self.cutter_is_stuck) | self.is_broken << 2])

    def queued_question(self, question: bytes) -> None:
        """Answer in turn: GS r, ESC v, GS I, GS a, GS ( H."""
        if question.startswith(b"\x1da"):
            self._automatic, self._announced = self.has_automatic_status and question[2] != 0, b""
            self._announce()
        elif question in (b"\x1dr\x01", b"\x1dr1", b"\x1bv") and self.answers_queued:
            self._answer(self.automatic_status()[2:3])
        elif question.startswith(b"\x1dr") and self.answers_queued:
            self._answer(b"\x00")
        elif question.startswith(b"\x1dI") and self.answers_names:
            name = self.names.get(question[2])
            self._answer(b"\x5f" + name.encode() + b"\x00" if name else b"\x02")
        elif question.startswith(b"\x1d(H") and self.jobs_are_marked:
            self._answer(b"\x37\x22" + question[7:11] + b"\x00")
        elif self.model.presents:
            self._answer(self._counter(question).encode())

    def _counter(self, question: bytes) -> str:
        """GS E1 to E5: paper left, cuts, paper printed, slips taken back, power-ups."""
        return {
            b"\x1d\xe1": f"{self.paper_mm / 10:.0f}cm",
            b"\x1d\xe2": str(self.cuts),
            b"\x1d\xe3": f"{self.printed_mm / 10:.0f}cm",
            b"\x1d\xe4": str(len(self.presenter.retracted)),
            b"\x1d\xe5": str(self.power_ups),
        }.get(question, "")

    def _answer(self, data: bytes) -> None:
        if self.powered and not self.is_mute and not self.one_way:
            self.say(bytes(byte | 0x81 for byte in data) if self.spoils_bits else data, after_s=self.delay_s)

    def _announce(self) -> None:
        if self._automatic and self.automatic_status() != self._announced:
            self._announced = self.automatic_status()
            self._answer(self._announced)

    # --- paper

    def advance(self, strip: Strip) -> bool:
        """Move the paper by one strip; False if it ends before."""
        need_mm = strip.dots / self.dots_per_mm
        if self.strip_s:
            time.sleep(self.strip_s)
        if need_mm > self.paper_mm:
            self.paper_mm = 0.0
            self._announce()
            return False
        self.paper.strips.append(strip)
        self.paper_mm -= need_mm
        self.printed_mm += need_mm
        if isinstance(strip, TextLine):
            self._lines_printed += 1
            for at, deed in [t for t in self._line_triggers if t[0] <= self._lines_printed]:
                self._line_triggers.remove((at, deed))
                deed()
        self._announce()
        return True

    def cut(self, kind: Cut, feed_dots: int | None) -> bool:
        """Cut at the cutter, which stands behind the head; with a feed the whole slip has passed it."""
        if not self.has_cutter:
            return True
        if self.cutter_will_stick:
            self.cutter_will_stick, self.cutter_is_stuck = False, True
            self._announce()
            return False
        if feed_dots is None:
            self._pull_back_blank()
        elif not self.advance(Blank(dots=feed_dots)) or not self._feed_to_cutter():
            return False
        self.cuts += 1
        self._take_off(kind)
        return True

    def present(self, command: bytes) -> bool:
        """Push the slip that was cut last out of the mouth; where one hangs already, both jam."""
        if not self.model.presents:
            return True
        if not self.presenter.present(self.printed[-1] if self.printed else None, command):
            self.paper_is_jammed = True
            self._announce()
            return False
        return True

    def tear_here(self) -> None:
        """Where there is no cutter, the resident takes the slip once it has passed the bar."""
        if not self.has_cutter and not self.paper.blank:
            self._take_off(Cut.TORN)

    def _feed_to_cutter(self) -> bool:
        # This paper is the empty top of the next piece, which `_new_piece` puts there.
        if self.paper_mm * self.dots_per_mm < HEAD_TO_CUTTER_DOTS:
            return self.advance(Blank(dots=HEAD_TO_CUTTER_DOTS))
        self.paper_mm -= HEAD_TO_CUTTER_DOTS / self.dots_per_mm
        return True

    def _pull_back_blank(self) -> None:
        """Without a feed the knife falls 15 mm before the last printed dot."""
        left = HEAD_TO_CUTTER_DOTS
        while left and self.paper.strips and isinstance(last := self.paper.strips[-1], Blank):
            self.paper.strips.pop()
            if last.dots > left:
                self.paper.strips.append(Blank(dots=last.dots - left))
            left = max(0, left - last.dots)
        if left:
            self.paper.partial = True

    def _take_off(self, kind: Cut) -> None:
        self.paper.cut = kind
        if not self.paper.blank:
            self.printed.append(self.paper)
        self.paper = self._new_piece()

    def _new_piece(self) -> PrintedSlip:
        return PrintedSlip(width=self.width, strips=[Blank(dots=HEAD_TO_CUTTER_DOTS)] if self.has_cutter else [])

    def _break_off(self) -> None:
        """What stands on the paper so far is not a whole slip."""
        self.paper.partial = self.paper.partial or not self.paper.blank

    # --- state

    def _clear_faults(self) -> None:
        self.cover_is_open = self.paper_is_jammed = self.cutter_is_stuck = False
        self.cutter_will_stick = self.waits_for_recovery = self.drawer_is_high = False
        self.head_is_hot = self.is_broken = self.is_switched_off = self.feeds_by_button = False
        self.is_stalled = self.is_mute = self.spoils_bits = False
        self.delay_s = self.strip_s = 0.0
        self.near_end_mm = NEAR_END_MM
        self.presenter.slips_are_taken_at_once = True
        self._byte_triggers: list[tuple[int, Callable[[], None]]] = []
        self._line_triggers: list[tuple[int, Callable[[], None]]] = []
        self._lines_printed = 0

    def _turn(self, **state: float) -> None:
        """Change the state, tell who listens, and work off what can now be worked off."""
        with self.lock:
            for name, value in state.items():
                setattr(self, name, value)
            self._announce()
            self.interpreter.work()

    def _after_bytes(self, count: int, deed: Callable[[], None]) -> None:
        with self.lock:
            self._byte_triggers.append((self.received + count, deed))

    def _power_up(self) -> None:
        self.powered = True
        self._held = b""
        self._automatic = False
        self._announced = b""
        self._break_off()
        self.interpreter.power_up()

    def _power_down(self) -> None:
        self.powered = False
        if self.small_buffer is not None:
            self.small_buffer.clear()
        self._break_off()
        self.interpreter.power_up()


TWIN = TicketPrinterTwin
