"""What a long fuzz run did, in docs/fuzz.json: written by `python -m tests.fuzz` at its end, read by docs/devices.md.

{"ended": "2026-03-01", "whole": true, "inputs": 10000000, "targets": [{"name": "display_strip-twin", ...}]}
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = Path(__file__).parents[2] / "docs" / "fuzz.json"
_LINE = re.compile(
    r"(?P<name>\w+-(?:decoders|driver|twin)) +(?P<inputs>\d+) inputs +(?P<covered>\d+) edges +(?P<seconds>\d+) s"
    r" *(?P<finding>.*)"
)
_END = re.compile(r"(\d+) inputs, (\d+) findings")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one target: driver-decoders, driver-driver or driver-twin."""

    name: str
    inputs: int
    covered: int
    """Edges of the code that some input reached."""
    seconds: float
    finding: str = ""

    @property
    def driver(self) -> str:
        """Whose bytes they were."""
        return self.name.rpartition("-")[0]

    def line(self) -> str:
        """As the table shows it."""
        told = f"{self.name:32} {self.inputs:>9} inputs  {self.covered:>5} edges  {self.seconds:6.0f} s  {self.finding}"
        return told.rstrip()


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run over all targets, or as many of them as there was time for."""

    ended: str
    """Date."""
    targets: tuple[Outcome, ...]
    whole: bool = True
    """False: somebody stopped it before its end; targets that are not there were not reached."""

    @property
    def inputs(self) -> int:
        """Over all targets."""
        return sum(one.inputs for one in self.targets)

    @property
    def findings(self) -> int:
        """Targets with an input that did what it should not."""
        return sum(bool(one.finding) for one in self.targets)

    def last_line(self) -> str:
        """Below the table."""
        return f"{self.inputs} inputs, {self.findings} findings"

    def of(self, driver: str) -> tuple[int, int]:
        """Inputs run and findings of one driver, its decoders and its twin."""
        mine = [one for one in self.targets if one.driver == driver]
        return sum(one.inputs for one in mine), sum(bool(one.finding) for one in mine)


def read_table(text: str, ended: str) -> Run:
    """The run whose printed table this is; without its last line it was stopped.

    Raises ValueError if lines are lost.
    """
    targets = tuple(
        Outcome(
            name=found["name"], inputs=int(found["inputs"]), covered=int(found["covered"]),
            seconds=float(found["seconds"]), finding=found["finding"],
        )
        for line in text.splitlines()
        if (found := _LINE.fullmatch(line.rstrip()))
    )  # fmt: skip
    ends = [line.rstrip() for line in text.splitlines() if _END.fullmatch(line.rstrip())]
    run = Run(ended=ended, targets=targets, whole=bool(ends))
    if not targets or ends not in ([], [run.last_line()]):
        raise ValueError(f"the table ends with {ends}, its lines make {run.last_line()!r}")
    return run


def write(run: Run, file: Path = FILE) -> None:
    """Keep a run in place of the one before."""
    told = {
        "ended": run.ended,
        "whole": run.whole,
        "inputs": run.inputs,
        "targets": [asdict(one) for one in run.targets],
    }
    file.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def read(file: Path = FILE) -> Run | None:
    """The last run that was kept; None before the first."""
    if not file.exists():
        return None
    told = json.loads(file.read_text(encoding="utf-8"))
    targets = tuple(Outcome(**one) for one in told["targets"])
    return Run(ended=told["ended"], targets=targets, whole=told["whole"])
