"""Fuzz for a long time, guided by coverage: python -m tests.fuzz --inputs 10000000

Each target runs in a process of its own under atheris (libFuzzer), from the golden bytes of the tests and from what
earlier runs found worth keeping (artefacts/fuzz). The table at the end tells how many inputs were really run; a run
over all targets is kept in docs/fuzz.json, from which `make docs` tells it. An input that raises what it should not, or
runs on, is kept as a file, and the exit code is 1.

    python -m tests.fuzz --table FILE     keeps the run whose printed table stands in FILE
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tests.fuzz import report
from tests.fuzz.report import Outcome, Run

if TYPE_CHECKING:
    from tests.fuzz.targets import Target

WORK = Path("artefacts") / "fuzz"
LONGEST_INPUT = 4096
ONE_INPUT_LIMIT_S = 20
SHARES = {"decoders": 20, "driver": 1, "twin": 1}
"""A driver on its line is ten times as slow as a decoder, and so is a twin, which draws what it shows."""
NO_BYTES = tuple(f"sim.{name}" for name in ("bench", "province", "visits", "catalog", "oracle", "hall_plan", "prompt"))
_RUNS = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_COVERED = re.compile(r"cov: (\d+)")


def main() -> int:
    """Run; 1 if something was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000_000, help="over all targets together (10 million)")
    parser.add_argument("--only", default="", help="targets whose name contains this")
    parser.add_argument("--seconds", type=int, default=0, help="at most so long for each target; 0: no limit")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="targets at a time (one a processor)")
    parser.add_argument("--table", type=Path, help="run nothing: keep the run whose printed table this file holds")
    parser.add_argument("--target", help=argparse.SUPPRESS)
    options, rest = parser.parse_known_args()
    if options.target:
        return _fuzz_here(options.target, rest)
    if options.table:
        ended = datetime.fromtimestamp(options.table.stat().st_mtime, UTC)
        report.write(report.read_table(options.table.read_text(encoding="utf-8"), f"{ended:%Y-%m-%d}"))
        return 0
    from tests.fuzz.targets import targets  # noqa: PLC0415 - the child imports it under instrumentation

    chosen = [target for target in targets() if options.only in target.name]
    whole = sum(SHARES[target.what] for target in chosen)
    outcomes: list[Outcome] = []

    def run_one(target: Target) -> None:
        _lay_out(WORK / target.name / "corpus", target.seeds())
        outcomes.append(_run(target.name, options.inputs * SHARES[target.what] // whole, options.seconds))
        print(outcomes[-1].line(), flush=True)

    # The longest first, so that all processors end together.
    chosen.sort(key=lambda target: -SHARES[target.what])
    with ThreadPoolExecutor(options.jobs) as pool:
        running = [pool.submit(run_one, target) for target in chosen]
        try:
            for one in running:
                one.result()
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            print("stopped")  # what was run counts
    outcomes.sort(key=lambda outcome: outcome.name)
    done = len(outcomes) == len(chosen)
    run = Run(ended=f"{datetime.now(UTC):%Y-%m-%d}", targets=tuple(outcomes), whole=done)
    if done:
        print(run.last_line())
    if outcomes and not options.only:
        report.write(run)
    return 1 if run.findings else 0


def _lay_out(corpus: Path, seeds: list[bytes]) -> None:
    corpus.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        (corpus / hashlib.sha256(seed).hexdigest()[:20]).write_bytes(seed[:LONGEST_INPUT])


def _run(name: str, inputs: int, seconds: int) -> Outcome:
    folder, began = WORK / name, time.monotonic()
    limits = [f"-runs={inputs}", f"-max_total_time={seconds}", f"-timeout={ONE_INPUT_LIMIT_S}", "-rss_limit_mb=2048"]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--target", name, *limits, f"-max_len={LONGEST_INPUT}", "-len_control=20",
         "-print_final_stats=1", f"-artifact_prefix={folder}/", str(folder / "corpus")],
        capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    log = done.stdout + done.stderr
    (folder / "log.txt").write_text(log, encoding="utf-8")
    runs, covered = _RUNS.findall(log), _COVERED.findall(log)
    finding = "" if done.returncode == 0 else f"exit {done.returncode}, see {folder / 'log.txt'}"
    return Outcome(
        name=name, inputs=int(runs[-1]) if runs else 0, covered=int(covered[-1]) if covered else 0,
        seconds=time.monotonic() - began, finding=finding,
    )  # fmt: skip


def _fuzz_here(name: str, arguments: list[str]) -> int:
    import atheris  # noqa: PLC0415 - only this process needs it, and only `make fuzz` installs it

    with atheris.instrument_imports(include=["drivers", "sim"], exclude=list(NO_BYTES)):
        from tests.fuzz.targets import targets  # noqa: PLC0415 - under instrumentation

        target = next(target for target in targets() if target.name == name)
        target.seeds()
    from tests.fuzz.still_time import CLOCK, still_time  # noqa: PLC0415 - after what it works on

    def one(data: bytes) -> None:
        CLOCK.begin()
        target.run(data)

    with still_time():
        atheris.Setup([sys.argv[0], *arguments], one)
        atheris.Fuzz()
    return 0


if __name__ == "__main__":
    sys.exit(main())
