"""Plain evaluation device (评价器) on a serial line: one byte per key, nothing else.

Source: protocols/keypads.md §4, last paragraphs (G: no public specification of a stand-alone device was found; this is
the plain profile that the document proposes) and its five grades (A). 9600 8N1, no frames, no checksum.

    from the device   31 非常满意   32 满意   33 基本满意   34 不满意   35 非常不满意
    to the device     nothing; or what `ask` and `stop` say, for a device that lights up or speaks

The device sends whenever a key is pressed. Only the first byte after a question counts; one that nobody asked for, a
second one and one after stop_asking are dropped. Silence is no grade. A key that hangs (20 equal bytes in 3 s,
keypad_gate.py) is KEYS_STUCK and gives no grade until it is released: it would answer every question.

Since a device that is gone looks like a resident who does not answer, this driver claims neither: hello and conditions
say only that the port is there. Online means: the port is open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from drivers.base import Condition, Evaluator, Grade, GradeGiven, Identity, Key, SerialOptions
from drivers.evaluator_grades import byte_grades
from drivers.keypad_bytes import ByteEar
from drivers.keypad_gate import KeyGate, next_key, stuck_keys
from drivers.transport import ByteStream

LONGEST_COMMAND = 64
_USUAL_GRADES = {f"{0x30 + grade:02x}": grade.value for grade in Grade}
_KEY_OF = {grade: Key(str(grade.value)) for grade in Grade}
"""The gate knows keys: the first one is the best grade."""


@dataclass(frozen=True, kw_only=True)
class ByteEvaluatorOptions(SerialOptions):
    """Keys of the device's table."""

    grades: Mapping[str, int] = field(default_factory=dict)
    """A guess: byte → grade 1 (best) to 5, added to 31 = 1 to 35 = 5; 0 takes a byte away."""
    ask: str = ""
    """A guess: bytes in hex that make the device ask; empty for one that just stands there."""
    stop: str = ""
    """A guess: bytes in hex that end its asking."""

    def __post_init__(self) -> None:
        grade_table(self.grades)
        command("ask", self.ask)
        command("stop", self.stop)


def grade_table(changes: Mapping[str, int]) -> dict[int, Grade]:
    """Byte → grade: the usual five keys with the changes of the device's table. Raises ValueError."""
    return byte_grades(_USUAL_GRADES, changes)


def command(name: str, digits: str) -> bytes:
    """Bytes of a command. Raises ValueError."""
    try:
        value = bytes.fromhex(digits)
    except ValueError:
        value = bytes(LONGEST_COMMAND + 1)
    if len(value) > LONGEST_COMMAND:
        raise ValueError(f'{name} = "{digits}", legal: at most {LONGEST_COMMAND} bytes in hex, like "1b 59"')
    return value


def explain(direction: str, data: bytes) -> str:
    """For a technician, `Chinese | English`: that a key was pressed and never which; what is sent is the table's."""
    if not data:
        return ""
    if direction == "<":
        return f"评价按键 {len(data)} 字节（内容不显示） | {len(data)} bytes of evaluation keys, not shown"
    return "配置里的命令（请评价或停止） | a command of its table (ask or stop)"


class ByteEvaluator(Evaluator[ByteStream, ByteEvaluatorOptions]):
    """The device on its line."""

    Options = ByteEvaluatorOptions
    Transport = ByteStream

    def __init__(self, device: str, link: ByteStream, options: ByteEvaluatorOptions) -> None:
        super().__init__(device, link, options)
        self._grades = grade_table(options.grades)
        self._gate = KeyGate()
        self._ear = ByteEar(link, self._take_in)
        self._asking = False

    def hello(self) -> Identity:
        """Begin to listen; nobody can tell whether a device is there."""
        self._ear.forget()
        self._gate = KeyGate()
        self._asking = False
        return Identity()

    def conditions(self) -> frozenset[Condition]:
        """Whether a key is stuck; a port that is gone raises LinkError, a device that is gone is not noticed."""
        self._ear.hear(0.0)
        return stuck_keys(self._gate, self._ear.hear)

    def ask_grade(self) -> None:
        """Open the ear; what was pressed before is no answer."""
        self._ear.hear(0.0)
        self._tell(self.options.ask, "ask")
        self._gate.forget_waiting()
        self._asking = True

    def poll_grade(self, limit_s: float) -> GradeGiven | None:
        """The first answer to the question, if it comes within limit_s."""
        key = next_key(self._gate, self._ear.hear, limit_s)
        if key is None:
            return None
        self._close()
        return GradeGiven(Grade(int(key)))

    def stop_asking(self) -> None:
        """Close the ear: an answer that comes from now on is dropped."""
        self._close()
        self._tell(self.options.stop, "stop")

    def _close(self) -> None:
        self._asking = False
        self._gate.forget_waiting()

    def _tell(self, digits: str, name: str) -> None:
        if data := command(name, digits):
            self.link.write(data)

    def _take_in(self, data: bytes, earliest: float, now: float) -> None:
        for byte in data:
            if byte in self._grades:
                self._gate.press(_KEY_OF[self._grades[byte]], earliest, now)
        self._gate.heard_until(now)
        if not self._asking:
            self._gate.forget_waiting()


DRIVER = ByteEvaluator
