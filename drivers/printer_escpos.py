"""Slip printer, ESC/POS with Chinese text, on a serial line, TCP port 9100 or USB.

Source: protocol notes "Ticket printers (ESC/POS)" §2 to §4 and §6; the order of questions is that of §3.7. DLE DC4 8,
and when DLE ENQ 2 works: Epson ESC/POS command reference, TM-T90 and TM-T81 specifications, Citizen CT-S300, HPRT TP80K
and Custom SMICE-PS manuals (A). What each family of printers can do is in `escpos_profiles`, the bytes of a slip in
`escpos_slip`, the bytes that come back in `escpos_status`.

    ESC @   align  FS &  size   text, GB18030          feed dots   feed to the cutter, cut   fence
    1B 40   1B 61  1C 26 1D 21  D7 DB ... 0A           1B 4A n     1D 56 42 00               1D 72 01

Nothing is framed. Answers of several kinds mix on the line and are told apart byte by byte (`Replies`):

    DLE EOT n   10 04 n   one byte, answered on arrival even when out of paper: 0xx1xx10
    DLE EOT 20  10 04 14  six bytes 10 0F ..., Custom's full status (B)
    GS r 1      1D 72 01  one byte 0xx0xxxx, answered in its turn behind the slip: the fence
    GS ( H      1D 28 48 06 00 30 30 d1 d2 d3 d4   37 22 d1 d2 d3 d4 00 once all before it is printed (B)
    GS a 4E     1D 61 4E  automatic status: 0xx1xx00 and three bytes 0xx0xxxx, now and at every change; the bits leave
                          out the drawer; many printers forget it at ESC @, so each slip asks again
    GS I n      1D 49 n   5F text 00
    unasked     XON 11; XOFF 13

A printer on a serial line whose buffer is full says XOFF, and XON later (`flow`). This is heeded here and not by the
terminal, which would hold back the status questions too, and would take XON and XOFF out of a full status. So no more
is given to the line than it can carry until the next look: a queue in this machine would run on behind an XOFF. With
`rtscts` the terminal heeds the wire; a printer that drops it when its cover opens cannot be asked why.

A kiosk's printer is told to ignore its panel button (`1B 63 35 01`), again with each slip because ESC @ forgets it. Its
`10 04 05` (C) is not asked: the full status (B) says the same. With a display on its pass-through port, the printer is
chosen (`1B 3D 01`) before anything that waits its turn; real-time questions are answered either way.

A slip counts as printed when the fence is answered and no fault shows afterwards; a fence proves that the slip was
worked off, not that paper moved. With `confirm = "gs_h"` the answer names the slip, so that no late answer can be taken
for it. A printer that stops (paper end, cover) keeps the rest and prints it after the refill. So a slip that stopped is
void, and the buffer is cleared while the fault still holds. DLE ENQ 2 does that after errors only (cutter, mechanics);
after a paper end it takes DLE DC4 8, which only some makers have. Both are sent: to a printer without it, the latter is
ten control characters that print nothing (G), behind a slip that is void anyway.
The notes warn against sending that on one's own accord: it is sent only then, and clears nothing but our own void slip.
A printer that ignores it prints the rest after the refill; its late answer to the old fence is never taken for a new
one.

A presenter (profile kiosk-custom) holds the slip in its mouth; the next one is not begun before the mouth is free.
Near end: from the sensor, or predicted from millimetres printed (`escpos_paper`, option `roll_m`).

A slip has two renderings: text, in which only the rows go as raster whose characters the printer lacks, and one picture
(`escpos_picture`) where the line is fast; option `rendering`.

Limits: a slip must be sent and printed within 11 s, about 7 KB at 9600 baud. Not implemented: the drawer.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Mapping
from random import Random
from typing import NoReturn

from drivers.base import (
    BadReply,
    Condition,
    Identity,
    LinkError,
    NoReply,
    Refused,
    Slip,
    SlipPrinter,
    Unconfirmed,
)
from drivers.escpos_paper import PaperLowSource, PaperMeter
from drivers.escpos_picture import open_type
from drivers.escpos_profiles import FENCES, EscposOptions
from drivers.escpos_slip import PANEL_OFF, RESET, encode_slip, load_composer, separate
from drivers.escpos_status import (
    BLOCKS,
    CLEARED,
    JOB_DONE,
    Replies,
    decode_automatic,
    decode_full,
    decode_status,
    first_block,
)
from drivers.escpos_words import explain, explain_bytes  # noqa: F401 - the live trace asks the driver's module for them
from drivers.transport import ByteStream

STATUS_QUESTION = b"\x10\x04\x01\x10\x04\x02\x10\x04\x03\x10\x04\x04"
FULL_STATUS_QUESTION = b"\x10\x04\x14"
CLEAR_BUFFERS = b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08"
RECOVER_AND_CLEAR = b"\x10\x05\x02"
TELL_EVERY_CHANGE = b"\x1da\x4e"
CHOOSE_PRINTER = b"\x1b=\x01"
RETRACTED_QUESTION = b"\x1d\xe4"

STATUS_LIMIT_S = 1.0
GLANCE_S = 0.5
NAMES_LIMIT_S = 1.0
SETTLE_LIMIT_S = 1.0
AFTERMATH_S = 0.2
MOUTH_LIMIT_S = 3.0
XON_LIMIT_S = 3.0
WORKING_TIME_S = 11.0
CHUNK_BYTES = 1024
PACED_BYTES = 32
"""On a line with a speed: printers still take some dozen bytes after their XOFF (G)."""
MOST_SILENT_ROUNDS = 40


class EscposPrinter(SlipPrinter[ByteStream, EscposOptions]):
    """An ESC/POS slip printer."""

    Options = EscposOptions
    Transport = ByteStream

    def __init__(self, device: str, link: ByteStream, options: EscposOptions) -> None:
        super().__init__(device, link, options)
        self.paper = PaperMeter(options.roll_m)
        self._reported: frozenset[Condition] = frozenset()
        self._slip_in_mouth = False
        self._marks = itertools.count(Random().randrange(10**4))  # noqa: S311 - tells slips apart, guards nothing
        self._fence, self._fence_is_sure = b"", True
        if options.confirm in ("", *FENCES):
            self._fence = FENCES[options.confirm or "gs_r"]
            self._fence_is_sure = bool(options.confirm) or not options.can.asks_for_fence
        self._held = False
        """Whether the printer has said XOFF and not yet XON."""
        self._fences_owed = int(bool(self._fence))
        """Answers to earlier fences that may still come; 1 on a fresh link, as nobody knows what was before."""
        self._half_slip = False
        """Whether part of a void slip may hang in front of the next one."""

    def hello(self) -> Identity:
        """Ask for status, and for names where the printer is expected to answer; clones often lie in those."""
        load_composer()
        if self._draws():
            open_type(self.options.font)  # half a second that the first slip need not wait
        if self.options.flow == "rtscts":
            self.link.heed_cts()
        if self.options.confirm == "none":
            return Identity()
        blocked = first_block(self._look())
        if blocked is not None:
            return Identity()
        self._choose()
        if self.options.can.presenter:
            self.link.write(PANEL_OFF)
        if self._fence:
            self._settle()
        if not self._fence and self.options.confirm != "gs_h":
            return Identity()
        if self.options.can.automatic_status:
            self.link.write(TELL_EVERY_CHANGE)
        return self._ask_names()

    def conditions(self) -> frozenset[Condition]:
        if self.options.confirm == "none":
            # Nothing is known but what was sent.
            return frozenset({Condition.PAPER_LOW} if self.paper.is_low else ())
        found = self._look()
        return found | {Condition.PAPER_LOW} if self.paper.low_source(found) else found

    def memory(self) -> dict[str, float]:
        return self.paper.memory()

    def recall(self, memory: Mapping[str, float]) -> None:
        self.paper.recall(memory)

    @property
    def paper_low_source(self) -> PaperLowSource | None:
        """What said at the last look that the paper ends soon; None: nothing did."""
        return self.paper.low_source(self._reported)

    def retracted_count(self) -> int:
        """How many slips the retractor has taken back so far (Custom, GS E4, B). Raises NoReply, BadReply, LinkError.

        How its answer ends is not documented: digits up to the first silence are taken.
        """
        replies = self._replies()
        replies.feed(self.link.drop_input())
        self._note(replies)
        self.link.write(RETRACTED_QUESTION)
        answer, end = b"", time.monotonic() + STATUS_LIMIT_S
        while (left := min(GLANCE_S, end - time.monotonic())) > 0 and (more := self.link.read(64, left)):
            answer += more
        if not answer:
            raise NoReply(f"{self.device}: asked how many slips were retracted, no answer on {self.link.port}")
        digits = re.fullmatch(rb"\D{0,4}(\d{1,9})\D{0,4}", answer)
        if digits is None:
            raise BadReply(f"{self.device}: asked how many slips were retracted, got: {answer[:16].hex(' ')}")
        return int(digits[1])

    def print_slip(self, slip: Slip) -> None:
        encoded = encode_slip(slip, self.options, drawn=self._draws())
        began = time.monotonic()
        if self.options.confirm != "none":
            self._make_ready()
        else:
            self._choose()
        data = self._separation() + encoded.data
        if self.options.can.automatic_status:
            data += TELL_EVERY_CHANGE
        mark = self._next_mark()
        data += encode_mark(mark) if mark else self._fence
        self._half_slip = True
        self.paper.printed(encoded.length_mm)
        try:
            replies = self._send(data, began + WORKING_TIME_S)
            self._see_it_through(replies, data, mark, encoded.length_mm, began + WORKING_TIME_S)
        except (LinkError, NoReply, BadReply) as exc:
            raise Unconfirmed(f"{self.device}: a slip of {len(data)} bytes was being printed, then: {exc}") from exc
        self._half_slip = False

    def _draws(self) -> bool:
        """Whether slips go out as pictures here: as told, else where they take no time."""
        if self.options.rendering:
            return self.options.rendering == "picture"
        # A serial server on TCP looks like a fast line and is none; a printer's own raw port is known by its number.
        serial = self.link.has_speed or (self.link.port.startswith("socket:") and not self.link.port.endswith(":9100"))
        return self.options.can.pictures and not serial

    def _make_ready(self) -> None:
        """See that a slip can be printed. Raises Refused: nothing was sent."""
        blocked = first_block(self._look())
        if blocked is not None:
            raise self._refused(blocked, "nothing was sent")
        if self._slip_in_mouth and not self._mouth_gets_free():
            raise self._refused(Condition.BUSY, "nothing was sent")
        if self._held and not self._may_send(self._replies(), time.monotonic() + XON_LIMIT_S):
            raise NoReply(f"{self.device}: it has said XOFF and no XON since; nothing was sent ({self.link.port})")
        self._choose()
        if self._fences_owed:
            self._settle()

    def _choose(self) -> None:
        """Take the line back from the display behind, whose last frame may have broken off."""
        if self.options.display_behind:
            self.link.write(CHOOSE_PRINTER)

    def _mouth_gets_free(self) -> bool:
        end = time.monotonic() + MOUTH_LIMIT_S
        for _ in range(MOST_SILENT_ROUNDS):
            # Hearing nothing for a while is how this waits: nothing else is asked.
            self._hear(self._replies(), lambda _: False, min(GLANCE_S, max(0.0, end - time.monotonic())))
            self._look()
            if not self._slip_in_mouth or time.monotonic() >= end:
                break
        return not self._slip_in_mouth

    def _next_mark(self) -> str:
        """Four characters that name this slip, where GS ( H is used; else nothing."""
        return f"{next(self._marks) % 10**4:04d}" if self.options.confirm == "gs_h" else ""

    def _separation(self) -> bytes:
        """What keeps the rest of a void slip, perhaps somebody else's, off the next one."""
        return RESET + separate(self.options) if self._half_slip else b""

    def _send(self, data: bytes, end: float) -> Replies:
        """Send all as the printer allows; returns what was heard meanwhile. Raises as _not_taken, or LinkError."""
        heeds, is_paced = self.options.flow == "xonxoff", self.options.flow == "xonxoff" and self.link.has_speed
        size = PACED_BYTES if is_paced else CHUNK_BYTES
        replies, carried = self._replies(), time.monotonic()
        for start in range(0, len(data), size):
            if heeds:
                # Hearing is how this waits until the line has carried what was sent before.
                self._hear(replies, lambda _: False, max(0.001, carried - time.monotonic()))
            if time.monotonic() >= end or (heeds and not self._may_send(replies, end)):
                self._not_taken(start)
            left = end - time.monotonic()
            patience = left if self.options.flow == "rtscts" else 2.0 + CHUNK_BYTES * 10 / self.options.baud
            self.link.write(data[start : start + size], max(0.0, min(left, patience)))
            if is_paced:
                carried = max(carried, time.monotonic()) + size * 10 / self.options.baud
        return replies

    def _may_send(self, replies: Replies, end: float) -> bool:
        """Wait for XON where XOFF was said; False if none came, or the paper ended meanwhile."""
        if replies.held:
            self._hear(
                replies,
                lambda r: not r.held or any(_paper_is_out(frame) for frame in r.automatic),
                end - time.monotonic(),
            )
        return not replies.held

    def _not_taken(self, sent: int) -> NoReturn:
        """Void a slip that the printer does not take to its end. Raises Refused, NoReply, or as _ask_status."""
        why = ", then it said XOFF and no XON" if self._held else ""
        if self.options.confirm != "none":
            blocked = first_block(self._look())
            if blocked is not None:
                self._give_up(blocked)
            self._forget()
        raise NoReply(f"only {sent} bytes were taken within {WORKING_TIME_S:g} s on {self.link.port}{why}")

    def _see_it_through(self, replies: Replies, data: bytes, mark: str, length_mm: float, end: float) -> None:
        """Wait for the fence, and look whether a fault shows. Raises Refused, Unconfirmed, LinkError or NoReply."""
        if self.options.confirm == "none":
            self._half_slip = False
            raise Unconfirmed(f"{self.device}: sent {len(data)} bytes; this printer cannot answer")
        asked = bool(mark or self._fence)
        line_s = len(data) * 10 / self.options.baud
        limit_s = min((3.0 if asked else 1.0) + length_mm / 100 + line_s, max(0.0, end - time.monotonic()))
        passed = self._wait_until_done(replies, mark, limit_s)
        blocked = first_block(self._look())
        if blocked is not None:
            self._give_up(blocked)
        if not passed:
            self._half_slip = False
            reason = f"fence not answered within {limit_s:.1f} s" if asked else "this printer has no fence"
            raise Unconfirmed(f"{self.device}: sent {len(data)} bytes, no fault shows, {reason} on {self.link.port}")

    def _wait_until_done(self, replies: Replies, mark: str, limit_s: float) -> bool:
        """Wait for the answer that belongs to this slip; leave early if the paper is out.

        Status is asked only now that all bytes are out: some models stumble over a question among data. Every other
        fault may pass by itself or by hand, so it gets the whole time; but after a paper end somebody puts in paper,
        and by then the rest of the slip must be gone.
        """
        end, awaited = time.monotonic() + limit_s, self._fences_owed + 1

        def is_done(heard: Replies) -> bool:
            return (JOB_DONE, mark) in heard.blocks if mark else bool(self._fence) and len(heard.queued) >= awaited

        def says_enough(heard: Replies) -> bool:
            return is_done(heard) or any(_paper_is_out(frame) for frame in heard.automatic)

        for _ in range(MOST_SILENT_ROUNDS):
            left = end - time.monotonic()
            if left <= 0:
                break
            self._hear(replies, says_enough, min(GLANCE_S, left))
            if is_done(replies):
                self._fences_owed = 0
                return True
            replies.statuses.clear()
            replies.automatic.clear()
            self.link.write(STATUS_QUESTION)
            self._hear(replies, lambda r: len(r.statuses) >= 4, min(STATUS_LIMIT_S, left))
            answers = bytes(replies.statuses[:4])
            if len(answers) == 4 and Condition.PAPER_OUT in decode_status(answers, self.options.can.trusted):
                break
        self._fences_owed += bool(self._fence)
        return False

    def _give_up(self, blocked: Condition) -> NoReturn:
        """Void the slip: nothing of it may come out when the fault is over. Raises Refused, or as _ask_status."""
        self._forget()
        # Whoever puts in paper pulls the half slip out.
        self._half_slip = blocked is not Condition.PAPER_OUT
        raise self._refused(blocked, "the slip is void and the printer was told to forget it")

    def _forget(self) -> None:
        """Have the printer clear its buffer.

        Raises as _ask_status: the answer to a question behind the command shows that it has arrived.
        """
        self.link.write(CLEAR_BUFFERS)
        # Nothing may follow before the answer; a printer without this command stays silent.
        self._hear(self._replies(), lambda r: (CLEARED, "") in r.blocks, GLANCE_S)
        self.link.write(RECOVER_AND_CLEAR)
        self._ask_status()

    def _refused(self, blocked: Condition, outcome: str) -> Refused:
        return Refused(blocked, f"{self.device}: {BLOCKS[blocked]}; {outcome} ({self.link.port})")

    def _settle(self) -> None:
        """Find out whether answers to earlier fences are still to come, so that none is taken for a new one.

        Also finds out whether there is a fence at all, where the profile leaves that open.
        """
        self.link.write(self._fence)
        self._fences_owed += 1
        replies = self._hear(self._replies(), lambda r: bool(r.queued), SETTLE_LIMIT_S)
        if replies.queued:
            # The earlier fence stood directly before this one: its answer, if any, is here by now.
            self._hear(replies, lambda _: False, AFTERMATH_S)
            self._fences_owed = 0
        elif not self._fence_is_sure:
            self._fence, self._fences_owed = b"", 0
        self._fence_is_sure = True

    def _ask_names(self) -> Identity:
        names = {"vendor": b"\x42", "model": b"\x43", "firmware": b"\x41", "serial": b"\x44"}
        found: dict[str, str] = {}
        end = time.monotonic() + NAMES_LIMIT_S
        for key, number in names.items():
            self.link.write(b"\x1dI" + number)
            replies = self._hear(self._replies(), lambda r: bool(r.texts), min(GLANCE_S, end - time.monotonic()))
            if not replies.texts:
                break
            found[key] = replies.texts[0]
        return Identity(**found)

    def _look(self) -> frozenset[Condition]:
        """What the printer itself reports now."""
        replies = self._ask_status()
        found = decode_status(bytes(replies.statuses[:4]), self.options.can.trusted)
        if replies.full:
            full = decode_full(replies.full[0])
            # Its own words are finer than "offline".
            found = full.conditions | (found - {Condition.SWITCHED_OFFLINE} if full.conditions else found)
            self._slip_in_mouth = full.slip_in_mouth
        self._reported = found
        self.paper.saw(found)
        return found

    def _ask_status(self) -> Replies:
        full = self.options.can.full_status
        replies = self._replies()
        replies.feed(self.link.drop_input())
        self._note(replies)
        replies = replies.begun_frame_only()
        self.link.write(STATUS_QUESTION + (FULL_STATUS_QUESTION if full else b""))
        self._hear(replies, lambda r: len(r.statuses) >= 4 and (not full or bool(r.full)), STATUS_LIMIT_S)
        if len(replies.statuses) >= 4 and (not full or replies.full):
            return replies
        got = f"{len(replies.statuses)} of 4 answers within {STATUS_LIMIT_S:g} s on {self.link.port}"
        if full:
            got = f"{len(replies.full)} full status and {got}"
        if replies.strays:
            raise BadReply(f"{self.device}: asked for status, {got}, and noise: {replies.strays[:16].hex(' ')}")
        raise NoReply(f"{self.device}: asked for status, {got}")

    def _replies(self) -> Replies:
        return Replies(held=self._held, full_status=self.options.can.full_status)

    def _hear(self, replies: Replies, enough: Callable[[Replies], bool], limit_s: float) -> Replies:
        end = time.monotonic() + limit_s
        while not enough(replies) and (left := end - time.monotonic()) > 0:
            data = self.link.read(64, left)
            if not data:
                break
            replies.feed(data)
        self._note(replies)
        return replies

    def _note(self, replies: Replies) -> None:
        """Learn what no question would have met: XOFF, and by automatic status a roll changed between two looks."""
        self._held = replies.held
        for frame in replies.automatic:
            self.paper.saw(decode_automatic(frame).conditions())


def _paper_is_out(frame: bytes) -> bool:
    return Condition.PAPER_OUT in decode_automatic(frame).conditions()


def encode_mark(mark: str) -> bytes:
    """A question that is answered with these four characters once everything before it is printed (GS ( H, fn 48)."""
    return b"\x1d(H\x06\x0000" + mark.encode("ascii")


DRIVER = EscposPrinter
