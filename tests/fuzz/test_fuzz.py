"""Every decoder, every driver and every twin takes mutated bytes in any pieces; the long form is `make fuzz`."""

import importlib
import random
from pathlib import Path

import pytest

from tests.contract.test_every_driver import DRIVERS
from tests.fuzz import report
from tests.fuzz import targets as fuzz_targets
from tests.fuzz.still_time import CLOCK, still_time
from tests.fuzz.targets import DECODERS, LINKS, Target, mutated, targets

INPUTS = 20_000


@pytest.mark.parametrize("target", targets(), ids=lambda target: target.name)
def test_any_bytes_are_taken(target: Target) -> None:
    seeds, random_ = target.seeds() or [b"\0"], random.Random(target.name)
    inputs = [*seeds, *(mutated(seeds, random_) for _ in range(INPUTS // len(targets())))]
    with still_time():
        for data in inputs:
            CLOCK.begin()
            try:
                target.run(data)
            except BaseException as exc:
                exc.add_note(f"{target.name} with {data.hex(' ')}")
                raise


@pytest.mark.parametrize("target", [t for t in targets() if t.what == "decoders"], ids=lambda target: target.name)
def test_golden_bytes_may_be_cut_anywhere(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz_targets, "CUTS", 400)
    for seed in target.seeds():
        target.run(seed)


def test_every_driver_is_fuzzed() -> None:
    fuzzed = {(target.driver, target.what) for target in targets()}
    for driver in DRIVERS:
        transport = importlib.import_module(f"drivers.{driver}").DRIVER.Transport
        assert (driver, "driver") in fuzzed or transport not in LINKS
        assert (driver, "driver") in fuzzed or driver in DECODERS


TABLE = """\
pip says something of its own
display_strip-decoders              337837 inputs     20 edges      18 s
display_strip-driver                 67567 inputs     58 edges      28 s  exit 77, see artefacts/fuzz/x/log.txt
keypad_psbc-twin                    135135 inputs     85 edges     389 s
540539 inputs, 1 findings
"""


def test_a_printed_table_is_the_run_that_is_kept(tmp_path: Path) -> None:
    run = report.read_table(TABLE, "2026-03-01")
    assert (run.of("display_strip"), run.of("keypad_psbc"), run.of("caller_rs485")) == (
        (405404, 1),
        (135135, 0),
        (0, 0),
    )
    assert [*(one.line() for one in run.targets), run.last_line()] == TABLE.splitlines()[1:]
    report.write(run, tmp_path / "fuzz.json")
    assert report.read(tmp_path / "fuzz.json") == run
    assert report.read(tmp_path / "none.json") is None


def test_a_run_that_was_stopped_says_so_and_lost_lines_are_no_run(tmp_path: Path) -> None:
    lines = TABLE.splitlines()
    stopped = report.read_table("\n".join([*lines[:-1], "stopped"]), "2026-03-01")
    assert (stopped.whole, stopped.inputs) == (False, 540539)
    report.write(stopped, tmp_path / "fuzz.json")
    assert report.read(tmp_path / "fuzz.json") == stopped
    for lost in (lines[:1] + lines[2:], lines[-1:], lines[:1]):
        with pytest.raises(ValueError, match="its lines make"):
            report.read_table("\n".join(lost), "2026-03-01")
