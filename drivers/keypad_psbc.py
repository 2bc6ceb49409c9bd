"""Postal-bank pad (邮储键盘): numeric input and evaluation on one serial device.

Source: protocols/keypads.md §1.2 (B: one public driver, which does one thing at a time and never mixes the two uses);
three keys as grades §5 (G). 9600 8N1, no frames, no checksum; a command begins with 1B, a reply just ends.

    to the pad     1B 47 49 v 00   input, each key sent as pressed          v: 00 with voice, 01 without
                   1B 47 49 v 01   input, all keys at once when done: not used, a resident would see no digit
                   1B 59           evaluate silently     1B 47 53 00 with voice     1B 47 53 01 with a beep
                   83              cancel what runs      1B 57  serial number
    from the pad   one byte per key (30..39; 0D 08 1B 2E as on the pad of §1.1: G)
                   01 satisfied, 02 neutral, 03 dissatisfied, 00 none: the answer to an evaluation, once
                   the serial number as it is (its length is nowhere given)

The pad does one of three things, and the driver keeps account of which, for it is what a byte means:

    at rest        whatever comes is nothing: late answers, doubles, answers that nobody asked for
    input runs     key bytes are keys, 00..03 are nothing
    it evaluates   00..03 is the answer, the first one counts and ends it; key bytes are nothing

Input runs whenever nothing else does, unless the table says `numeric_input = false` (a pad at a window that only
evaluates). An evaluation cancels input and gives it back afterwards. Presence is asked by the serial number, for want
of a probe; since nobody knows whether the pad answers that while input runs, input is cancelled and begun again around
it, and only if no key has proved the pad alive for probe_every_s. A key that is pressed in the few milliseconds between
is kept if it was sent before the number, else lost. That also begins input again after a power cut. While it evaluates,
the pad is not asked at all, for at most ASKING_LIMIT_S: the question on its display is worth more.

What the line can do wrong: no answer says to which question it belongs, so one that comes when the next question is
already asked counts for that. Cancelling before each question is all that can be done. A number that comes later than
twice answer_limit_s may be taken for keys. Bounce and stuck keys: keypad_gate.py. What comes from the pad may be
somebody's phone number, so the trace sees only how much it was. Keys and encryption (1B 64, 6B, 68) are never sent, nor
the PIN's length (1B 4E) or the application id (1B 73); a sibling family (H002) that only encrypts is not spoken.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum

from drivers.base import (
    BadReply,
    Condition,
    Evaluator,
    Grade,
    GradeGiven,
    Identity,
    Key,
    Keypad,
    NoReply,
    SerialOptions,
)
from drivers.evaluator_grades import byte_grades
from drivers.keypad_bytes import ByteEar, byte_keys, digit_bytes
from drivers.keypad_gate import KeyGate, next_key, stuck_keys
from drivers.transport import ByteStream

CANCEL = b"\x83"
ASK_SERIAL = b"\x1bW"
NO_ANSWER = 0x00
ANSWERS = (0x00, 0x01, 0x02, 0x03)
ASKING_LIMIT_S = 120.0
LONGEST_SERIAL = 64
REPLY_LIMIT_S = 1.0

_USUAL_KEYS = {f"{0x30 + digit:02x}": str(digit) for digit in range(10)} | {
    "0d": Key.OK.value,  # G, like all below
    "08": Key.CORRECT.value,
    "1b": Key.CANCEL.value,
    "2e": Key.STAR.value,
    "2a": Key.STAR.value,
    "23": Key.HASH.value,
}
_USUAL_GRADES = {"01": Grade.SATISFIED.value, "02": Grade.NEUTRAL.value, "03": Grade.DISSATISFIED.value}


class AskBy(StrEnum):
    """How the pad asks for an evaluation, besides by its display."""

    SILENCE = "silence"
    VOICE = "voice"
    BEEP = "beep"


_ASK = {AskBy.SILENCE: b"\x1bY", AskBy.VOICE: b"\x1bGS\x00", AskBy.BEEP: b"\x1bGS\x01"}


@dataclass(frozen=True, kw_only=True)
class PsbcOptions(SerialOptions):
    """Keys of the pad's table."""

    numeric_input: bool = True
    """False for a pad at a window that only evaluates: it shows its own welcome text in between."""
    ask_by: AskBy = AskBy.VOICE
    keys: Mapping[str, str] = field(default_factory=dict)
    """A guess but for the digits: byte in hex → key, added to the usual ones; "" takes one away."""
    grades: Mapping[str, int] = field(default_factory=dict)
    """A guess: answer → grade 1 (best) to 5, added to 01 = 2, 02 = 3, 03 = 4; 0 takes one away."""
    silence_s: float = 0.1
    """A guess: a reply has no frame and has ended after so long without a byte."""
    answer_limit_s: float = 0.5
    """A guess: for the first byte of the serial number."""
    probe_every_s: float = 8.0
    """A guess (5 to 10): input is interrupted for the question whether the pad is there no more often than this."""

    @property
    def kind(self) -> str:
        """A pad that only evaluates is no keypad to the hall."""
        return "keypad" if self.numeric_input else "evaluator"

    def __post_init__(self) -> None:
        for name, least, most in (("silence_s", 0.02, 0.5), ("answer_limit_s", 0.05, 1.0), ("probe_every_s", 0, 60)):
            value = getattr(self, name)
            if not least <= value <= most:
                raise ValueError(f"{name} = {value}, legal: {least} to {most} seconds")
        key_table(self.keys)
        grade_table(self.grades)


def key_table(changes: Mapping[str, str]) -> dict[int, Key]:
    """Byte → key: the usual pad with the changes of its table. Raises ValueError."""
    return byte_keys(_USUAL_KEYS, changes, reserved=ANSWERS)


def grade_table(changes: Mapping[str, int]) -> dict[int, Grade]:
    """Answer → grade: the usual three keys with the changes of the pad's table. Raises ValueError."""
    table = byte_grades(_USUAL_GRADES, changes)
    for code in table.keys() - set(ANSWERS[1:]):
        raise ValueError(f'grades: "{code:02x}" is no answer of this pad, legal: "01", "02", "03"')
    return table


def encode_input(*, voice: bool, packed: bool = False) -> bytes:
    """Command that begins numeric input."""
    return b"\x1bGI" + bytes([0x00 if voice else 0x01, 0x01 if packed else 0x00])


_WORDS = {
    CANCEL: ("取消", "cancel"),
    ASK_SERIAL: ("问序列号", "ask the serial number"),
    encode_input(voice=False): ("开始按键输入", "begin key input"),
    **dict.fromkeys(_ASK.values(), ("请评价", "ask for an evaluation")),
}


def explain(direction: str, data: bytes) -> str:
    """Meaning of what is sent, for a technician, `Chinese | English`; what comes is typed by people and never shown."""
    if direction == "<" or data == b"":
        return ""
    parts = [CANCEL] if data.startswith(CANCEL) else []
    rest = data.removeprefix(CANCEL)
    said = [_WORDS.get(part) for part in [*parts, *([rest] if rest else [])]]
    known = [words for words in said if words is not None]
    if len(known) < len(said):
        return ""
    return f"{'，'.join(zh for zh, _ in known)} | {', '.join(en for _, en in known)}"


def split_reply(data: bytes, serial: bytes) -> tuple[bytes, bytes] | None:
    """What came before and after the serial number; None if it is not there, or not yet."""
    before, found, after = data.partition(serial) if serial else (data, b"", b"")
    return (before, after) if found else None


def serial_text(reply: bytes) -> str:
    """A serial number for people: as text where it is text, else in hex."""
    text = reply.strip(b"\r\n\0 ")
    return text.decode("ascii") if text and all(0x21 <= b <= 0x7E for b in text) else reply.hex(" ")


class _Doing(Enum):
    """What the pad is doing, as far as the driver has told it."""

    REST = "rest"
    INPUT = "input"
    ASKING = "asking"


class PsbcPad(Keypad[ByteStream, PsbcOptions], Evaluator[ByteStream, PsbcOptions]):
    """The pad on its line, for keys and for grades."""

    Options = PsbcOptions
    Transport = ByteStream
    kind = Keypad.kind

    def __init__(self, device: str, link: ByteStream, options: PsbcOptions) -> None:
        super().__init__(device, link, options)
        self._keys = key_table(options.keys)
        self._grades = grade_table(options.grades)
        self._gate = KeyGate()
        self._ear = ByteEar(link, self._take_in, digit_bytes(self._keys))
        self._doing = _Doing.REST
        self._serial = b""
        self._reply: bytearray | None = None
        """A reply to a question is collected here; None while none is awaited."""
        self._owed = False
        """A question was not answered, or not yet: its answer may come at any time."""
        self._alive_at = float("-inf")
        self._asked_at = 0.0
        self._grade: Grade | None = None

    def hello(self) -> Identity:
        """Cancel what runs, ask for the serial number, begin input. Raises NoReply, BadReply.

        Presses from before are dropped: nobody was listening to the person who made them.
        """
        self._ear.forget()
        self._gate = KeyGate()
        self._grade = None
        self._greet()
        self._give_back_input()
        return Identity(serial=serial_text(self._serial))

    def conditions(self) -> frozenset[Condition]:
        """Whether it is there, as far as that can be asked now, and whether a key is stuck. Raises NoReply, BadReply.

        While a key is stuck, this listens up to 0.5 s longer to tell whether it still is.
        """
        self._ear.hear(0.0)
        now = time.monotonic()
        if self._doing is _Doing.ASKING:
            if now - self._asked_at < ASKING_LIMIT_S:
                return frozenset()
            self.stop_asking()
        if now - self._alive_at >= self.options.probe_every_s:
            self._probe()
        self._give_back_input()
        return stuck_keys(self._gate, self._ear.hear)

    def poll_key(self, limit_s: float) -> Key | None:
        """The next key press within limit_s; None also while a key is stuck or a grade is asked for."""
        key = next_key(self._gate, self._ear.hear, limit_s)
        self._give_back_input()
        return key

    def ask_grade(self) -> None:
        """Ask the resident, instead of reading keys; the answer to an earlier question is void."""
        self._ear.hear(0.0)
        self._grade = None
        self.link.write((b"" if self._doing is _Doing.REST else CANCEL) + _ASK[self.options.ask_by])
        self._doing, self._asked_at = _Doing.ASKING, time.monotonic()

    def poll_grade(self, limit_s: float) -> GradeGiven | None:
        """The answer, if it comes within limit_s; None at once when something else comes."""
        if self._grade is None:
            self._ear.hear(limit_s)
        grade, self._grade = self._grade, None
        self._give_back_input()
        return None if grade is None else GradeGiven(grade)

    def stop_asking(self) -> None:
        """Cancel the question; what is answered from now on is dropped, and input runs again."""
        self._grade = None
        if self._doing is _Doing.ASKING:
            self.link.write(CANCEL)
            self._doing = _Doing.REST
        self._ear.hear(0.0)
        self._give_back_input()

    def _give_back_input(self) -> None:
        # A serial number that comes too late would be read as keys: until it is found again, input stays off.
        if self._doing is _Doing.REST and self.options.numeric_input and not self._owed:
            self.link.write(encode_input(voice=False))
            self._doing = _Doing.INPUT

    # What comes

    def _take_in(self, data: bytes, earliest: float, now: float) -> None:
        if self._reply is not None:
            self._reply += data
        else:
            self._sort(data, earliest, now)
        self._gate.heard_until(now)

    def _sort(self, data: bytes, earliest: float, now: float) -> None:
        for byte in data:
            if self._doing is _Doing.INPUT and byte in self._keys:
                self._alive_at = now
                self._gate.press(self._keys[byte], earliest, now)
            elif self._doing is _Doing.ASKING and (byte in self._grades or byte == NO_ANSWER):
                self._alive_at = now
                self._grade = self._grades.get(byte)
                self._doing = _Doing.REST

    # Is it there?

    def _greet(self) -> None:
        """Learn the serial number of a pad of which nothing is known."""
        self.link.write(CANCEL)
        self._doing = _Doing.REST
        self._hush()
        self._serial = b""
        reply = self._ask("asked for its serial number")
        if len(reply) > LONGEST_SERIAL:
            raise BadReply(f"{self.device}: sent {len(reply)} bytes as its serial number on {self.link.port}")
        self._serial = reply
        self._answered()

    def _probe(self) -> None:
        """Ask for the known serial number; keys that were sent before it count. Raises NoReply, BadReply."""
        if not self._serial:
            self._greet()
            return
        if self._owed:
            self._hush()
        if self._doing is _Doing.INPUT:
            self.link.write(CANCEL)
        was, self._doing = self._doing, _Doing.REST
        reply = self._ask("probed by its serial number")
        parts = split_reply(reply, self._serial)
        if parts is None:
            raise BadReply(
                f"{self.device}: probed by its serial number, {len(reply)} bytes came that are not the one it had, "
                f"on {self.link.port}"
            )
        self._answered()
        self._doing = was
        now = time.monotonic()
        self._sort(parts[0], now - self.options.answer_limit_s, now)
        self._doing = _Doing.REST

    def _ask(self, deed: str) -> bytes:
        """Everything that comes after the question for the serial number. Raises NoReply."""
        self._owed = True
        self.link.write(ASK_SERIAL)
        reply = self._listen(self.options.answer_limit_s)
        if not reply:
            raise NoReply(f"{self.device}: {deed}, no byte within {self.options.answer_limit_s} s on {self.link.port}")
        return reply

    def _answered(self) -> None:
        self._owed = False
        self._alive_at = time.monotonic()

    def _hush(self) -> None:
        """Let pass what the pad still has to say: to a cancelled input, or to a question that it did not answer."""
        self._listen(self.options.answer_limit_s if self._owed else self.options.silence_s)

    def _listen(self, first_limit_s: float) -> bytes:
        """Bytes until silence, until the known serial number has come, or for REPLY_LIMIT_S after the first one."""
        reply = self._reply = bytearray()
        self._ear.stand_in.begin()
        try:
            if not self._ear.hear(first_limit_s):
                return b""
            until = time.monotonic() + REPLY_LIMIT_S
            while split_reply(bytes(reply), self._serial) is None and time.monotonic() < until:
                if not self._ear.hear(self.options.silence_s):
                    break
            return bytes(reply)
        finally:
            self._reply = None


DRIVER = PsbcPad
