"""A twin made of a recording: it answers as the recorded device did when it hears what the recorded driver sent.

python -m sim replay FILE        a pseudo-terminal on which the recorded device answers; its port is printed

A recording is a text file: head lines `# Key: value`, then `seconds direction hex` for each piece of traffic, `>`
towards the device and `<` from it. `[n personal bytes]` stands for what nobody wanted to record, and becomes zeros.
Time is taken lightly: what followed a question follows it again, long pauses become short ones. The next recorded
question is expected first; a driver that asks another recorded one gets that answer, and one that sends what was never
recorded gets none and stands in `deviations`. What a device said before anybody asked (keys, codes) comes from `speak`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sim.carriers import ByteTwin, PtyLine

LONGEST_PAUSE_S = 0.15
SHORTEST_PAUSE_S = 0.02
"""Pieces that came closer together are one answer that the line gave in pieces."""
_HEAD = re.compile(r"#\s*([A-Za-z ]+):\s?(.*)")
_LINE = re.compile(r"(\d+\.\d+) ([<>]) ((?:[0-9a-f]{2}(?: |$))+|\[(\d+) personal bytes\])(?:\s*#.*)?")


class BadRecording(Exception):
    """The file is no recording; the sentence names the line."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A question and what followed it; `asked` is empty for what came before the first question."""

    asked: bytes
    line: int
    """Where it stands in the file."""
    answers: list[tuple[float, bytes]] = field(default_factory=list)
    """Seconds since the piece before, and what came."""


@dataclass(frozen=True, kw_only=True)
class Recording:
    """A recording, read."""

    head: Mapping[str, str]
    steps: list[Step]

    @property
    def options(self) -> dict[str, object]:
        """Keys of the device's table while it was recorded. Raises BadRecording."""
        try:
            read: dict[str, object] = json.loads(self.head.get("options") or "{}")
        except ValueError as exc:
            raise BadRecording(f"its options are no JSON: {exc}") from exc
        return read


def read_recording(file: Path) -> Recording:
    """Read a recording. Raises BadRecording."""
    head: dict[str, str] = {}
    steps: list[Step] = []
    at_s = 0.0
    for number, text in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if found := _HEAD.fullmatch(text):
            head[found[1].strip().lower()] = found[2].strip()
            continue
        if not text.strip() or text.startswith("#"):
            continue
        traffic = _LINE.fullmatch(text.rstrip())
        if traffic is None:
            raise BadRecording(f"{file}: line {number} is neither `# Key: value` nor `seconds direction hex`")
        data = bytes(int(traffic[4])) if traffic[4] else bytes.fromhex(traffic[3])
        pause_s, at_s = float(traffic[1]) - at_s, float(traffic[1])
        if traffic[2] == ">" or not steps:
            steps.append(Step(asked=data if traffic[2] == ">" else b"", line=number))
        if traffic[2] == "<":
            steps[-1].answers.append((pause_s, data))
    return Recording(head=head, steps=steps)


class ReplayTwin(ByteTwin):
    """The recorded device."""

    def __init__(self, recording: Recording) -> None:
        super().__init__("replay", recording.options)
        self.recording = recording
        self.deviations: list[str] = []
        """What the driver sent and the recorded one did not, and what it left out."""
        self._steps = recording.steps
        self._at = 1 if self._steps and not self._steps[0].asked else 0
        self._heard = b""
        self._spoke = False

    @property
    def played(self) -> int:
        """How many of the recorded questions have come, in their order."""
        return self._at

    @property
    def questions_left(self) -> int:
        """How many recorded questions have not come yet."""
        return len(self._steps) - self._at

    def recover(self) -> None:
        """Begin again."""
        with self.lock:
            self._spoke = False
            self._at = 1 if self._steps and not self._steps[0].asked else 0
            self._heard = b""

    def plugged(self) -> None:
        self.recover()

    def speak(self) -> bool:
        """Say what the device said before the first question, once; False if there is nothing (more)."""
        if self._spoke or not self._steps or self._steps[0].asked:
            return False
        self._spoke = True
        self._answer(self._steps[0])
        return True

    def receive(self, data: bytes) -> None:
        self._heard += data
        while self._heard:
            found = self._whole()
            if found is None:
                if not self._begins_one():
                    self._deviate()
                return
            step, self._heard = self._steps[found], self._heard[len(self._steps[found].asked) :]
            self._go_to(found)
            self._answer(step)

    def _go_to(self, found: int) -> None:
        """Move on; a question that is polled may be asked more often or less often than it was."""
        if found == self._at - 1:
            return
        if found < self._at:
            self.deviations.append(f"asked again what stands in line {self._steps[found].line}")
            return
        between = self._steps[self._at : found]
        if any(not self._repeats(step) for step in between):
            line = self._steps[found].line
            self.deviations.append(f"asked what stands in line {line}, not yet line {between[0].line}")
            return
        self._at = found + 1

    def _repeats(self, step: Step) -> bool:
        """Whether a step is the last question and its answer once more."""
        if not self._at:
            return False
        last = self._steps[self._at - 1]
        return (step.asked, [d for _, d in step.answers]) == (last.asked, [d for _, d in last.answers])

    def _order(self) -> list[int]:
        """Steps in which a question is looked for: the next one, the last one again, what follows, what was."""
        before = range(self._at - 1, -1, -1)
        order = [*range(self._at, self._at + 1), *before[:1], *range(self._at + 1, len(self._steps)), *before[1:]]
        return [number for number in order if number < len(self._steps) and self._steps[number].asked]

    def _whole(self) -> int | None:
        for number in self._order():
            if self._heard.startswith(self._steps[number].asked):
                return number
            if number == self._at and self._steps[number].asked.startswith(self._heard):
                return None  # its rest is on the way
        return None

    def _begins_one(self) -> bool:
        return any(self._steps[number].asked.startswith(self._heard) for number in self._order())

    def _deviate(self) -> None:
        expected = next((self._steps[n] for n in self._order()), None)
        where = f"line {expected.line} has {expected.asked.hex(' ')}" if expected else "nothing was ever asked"
        self.deviations.append(f"sent {self._heard.hex(' ')}, {where}")
        self._heard = b""

    def _answer(self, step: Step) -> None:
        for pause_s, data in step.answers:
            self.say(data, after_s=min(pause_s, LONGEST_PAUSE_S) if pause_s >= SHORTEST_PAUSE_S else 0.0)


def main(arguments: list[str]) -> int:
    """Replay a file until Ctrl-C; Enter says what the device said unasked."""
    parser = argparse.ArgumentParser(
        prog="python -m sim replay", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("file", type=Path, help="a recording, as `hall-daemon trace` makes it")
    parser.add_argument("--port", type=Path, help="where its port shall be (a temporary path)")
    options = parser.parse_args(arguments)
    try:
        twin = ReplayTwin(read_recording(options.file))
    except (BadRecording, OSError, UnicodeDecodeError) as exc:
        print(f"cannot replay {options.file}: {exc}", file=sys.stderr)
        return 2
    line = PtyLine(options.port or Path(tempfile.mkdtemp(prefix="replay-")) / "port")
    line.attach(twin)
    line.start()
    print(f'port = "{line.port}"   driver {twin.recording.head.get("driver", "?")}, {len(twin.recording.steps)} steps')
    print("Enter: say what the device said unasked; Ctrl-C: end", flush=True)
    stop = threading.Event()
    watcher = threading.Thread(target=_tell_deviations, args=(twin, stop), daemon=True)
    watcher.start()
    try:
        for _ in sys.stdin:
            if not twin.speak():
                print("it said nothing unasked", flush=True)
        stop.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        stop.set()
        line.stop()
    return 0


def _tell_deviations(twin: ReplayTwin, stop: threading.Event) -> None:
    told = 0
    while not stop.wait(0.2):
        for deviation in twin.deviations[told:]:
            print(f"deviation: {deviation}", flush=True)
            told += 1
