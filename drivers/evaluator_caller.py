"""Evaluation device (评价器) that hangs behind a physical caller: everything goes through the caller.

Source: protocols/keypads.md §3.2 and §4. That there are such sets, that the evaluator hangs behind the caller and that
its result comes with state letter Y is B; **their bytes are not public**. What is sent here is a proposal of this
project over the six-byte frame of §3.1 (drivers/caller_line.py), marked G as a whole:

    host → caller   address  01  59  00  01  FF     ask the resident          59 is the letter Y (`guessed_command`)
                    address  01  59  00  00  FF     stop asking
    caller → host   01  address  59  00  R   FF     R = 1 to 5 as pressed, 0: nobody answered in time

Before it meets a real caller, that caller has to be recorded; until then it works with its twin and nothing else.
Three-key devices send 1 to 3, meaning satisfied, neutral, dissatisfied: grades 2, 3, 4 (§5, G): `grade_keys = 3`.

What the line can do wrong: everything that drivers/caller_line.py names. As with callers nothing is acknowledged, so
a device that is not there looks like a resident who does not answer. A grade that nobody asked for, a second one, and
one that comes after stop_asking are dropped.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from drivers.base import Condition, Evaluator, Grade, GradeGiven, Identity
from drivers.caller_line import (
    CallerFrame,
    CallerInbox,
    LineOptions,
    check_address,
    encode_frame,
    explain,  # noqa: F401 - the live trace asks the driver's module for it
)
from drivers.transport import ByteStream

ASK, STOP = b"\x00\x01", b"\x00\x00"
CALLERS_COMMANDS = frozenset({0x00, 0x01, 0x02, 0x05, 0x06, 0x07, 0x1A, 0x1C})
"""Taken by §3.1, in either direction."""
GRADES = {
    5: {int(grade): grade for grade in Grade},
    3: {1: Grade.SATISFIED, 2: Grade.NEUTRAL, 3: Grade.DISSATISFIED},
}
"""Keys on the device → its R → grade."""


@dataclass(frozen=True, kw_only=True)
class EvaluatorCallerOptions(LineOptions):
    """Keys of the evaluator's table."""

    caller_address: int
    """Of the caller that it hangs behind, 2 to 254."""
    guessed_command: int = 0x59
    """G: the command byte in both directions; nobody has published it."""
    grade_keys: int = 5
    """How many keys it has: 5, or 3 (G)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_address("caller_address", self.caller_address)
        if not 0 <= self.guessed_command <= 0xFE or self.guessed_command in CALLERS_COMMANDS:
            taken = ", ".join(f"{c:#04x}" for c in sorted(CALLERS_COMMANDS))
            raise ValueError(f"guessed_command = {self.guessed_command:#04x}, legal: 0x00 to 0xfe but not {taken}")
        if self.grade_keys not in GRADES:
            raise ValueError(f"grade_keys = {self.grade_keys}, legal: 3 or 5")

    @property
    def address(self) -> str:
        """Its place on the line, beside the caller's own address."""
        return f"{self.caller_address}, behind the caller"


def decode_grade(frame: CallerFrame, grade_keys: int) -> Grade | None:
    """The grade of a result frame; None for "nobody answered" and for what is none."""
    high, result = frame.data
    return None if high else GRADES[grade_keys].get(result)


class CallerEvaluator(Evaluator[ByteStream, EvaluatorCallerOptions]):
    """One evaluator of the line."""

    Options = EvaluatorCallerOptions
    Transport = ByteStream

    def __init__(self, device: str, link: ByteStream, options: EvaluatorCallerOptions) -> None:
        super().__init__(device, link, options)
        self._commands = frozenset({options.guessed_command})
        self._inbox = link.shared(CallerInbox)
        self._asking = False

    def hello(self) -> Identity:
        """Stop whatever an earlier program may have asked; nothing answers. Raises LinkError, BadReply."""
        self.stop_asking()
        return Identity()

    def conditions(self) -> frozenset[Condition]:
        """Look whether the line is still there; the device reports nothing. Raises LinkError."""
        self._hear(0.0)
        return frozenset()

    def ask_grade(self) -> None:
        """Send the question. What was pressed before it is no answer to it."""
        self._say(ASK)
        self._forget()
        self._asking = True

    def poll_grade(self, limit_s: float) -> GradeGiven | None:
        """The answer to the question, within limit_s."""
        until = time.monotonic() + limit_s
        while True:
            while (frame := self._inbox.take(self.options.caller_address, self._commands)) is not None:
                grade = self._answer(frame)
                if grade is not None:
                    return GradeGiven(grade)
            left = until - time.monotonic()
            if left <= 0 or not self._hear(left):
                return None

    def stop_asking(self) -> None:
        """Send that the time is over."""
        self._asking = False
        self._say(STOP)
        self._forget()

    def _answer(self, frame: CallerFrame) -> Grade | None:
        if not self._asking:
            return None
        grade = decode_grade(frame, self.options.grade_keys)
        if grade is not None or frame.data == STOP:
            self._asking = False
        return grade

    def _forget(self) -> None:
        self._hear(0.0)
        self._inbox.forget(self.options.caller_address, self._commands)

    def _hear(self, limit_s: float) -> bool:
        return self._inbox.hear(self.link, limit_s, self.options.frame_gap_s)

    def _say(self, data: bytes) -> None:
        frame = encode_frame(self.options.caller_address, self.options.guessed_command, data)
        self._inbox.say(self.device, self.link, frame, self.options.frame_gap_s)


DRIVER = CallerEvaluator
