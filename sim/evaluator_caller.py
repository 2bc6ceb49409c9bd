"""Evaluation device behind a physical caller: a twin at byte level.

Written from protocols/keypads.md §3.2, §4 and §6. The document knows what such a device does and not with which bytes,
so this twin speaks the proposal that stands in the driver's docstring and proves nothing about any real device.
Command 59 (or `guessed_command`): from the host 00 01 ask, 00 00 stop; to the host 00 R, R = 1 to 5, 0 no answer.
"""

from __future__ import annotations

from collections.abc import Mapping

from sim.caller_rs485 import SixByteTwin


class EvaluatorBehindCaller(SixByteTwin):
    """The keys in front of the resident; a test presses them. Look at `asking` and `questions`."""

    def __init__(self, device: str, options: Mapping[str, object]) -> None:
        self.questions = 0
        """How often it was told to ask."""
        command = options.get("guessed_command", 0x59)
        self._command = command if isinstance(command, int) else 0x59
        super().__init__(device, options, "caller_address")

    def forget(self) -> None:
        """Shows its welcome text."""
        self.asking = False

    # What a resident does, or does not

    def press(self, grade: int | str) -> None:
        """Press one of the keys 1 to 5; without a question nothing happens."""
        if self.asking:
            self.asking = False
            self.send(self._command, 0, int(grade))

    def let_time_pass(self) -> None:
        """Nobody presses until the device gives up by itself."""
        self.press(0)

    # Faults

    def answer_unasked(self, grade: int) -> None:
        """Send a grade although nobody asked."""
        self.send(self._command, 0, grade)

    def answer_twice(self, first: int, second: int) -> None:
        """Two keys are pressed, and both are sent."""
        self.press(first)
        self.send(self._command, 0, second)

    def obey(self, command: int, first: int, second: int) -> None:
        """Ask, or stop asking; what else its caller is told is not for it."""
        if command != self._command:
            return
        if (first, second) in ((0, 0), (0, 1)):
            self.asking = second == 1
            self.questions += second
        else:
            self.unknown.append((command, first, second))


TWIN = EvaluatorBehindCaller
