"""A daemon forked for a test is a process like that of a hall: the same beginning, its own life, the same end."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sim.bench import Fresh, Launcher, Running
from tests.forking import Starter, refuse_what_does_not_fork
from tests.waiting import until

ME = "tests.journeys.what_i_am"


@pytest.fixture(scope="module")
def starter() -> Iterator[Starter]:
    with Starter() as made:
        yield made


def launched(by: Launcher, log: Path, *words: str, **variables: str) -> Running:
    with log.open("ab") as opened:
        return by.launch(ME, words, {**os.environ, **variables}, opened)


def told(by: Launcher, log: Path, **variables: str) -> Any:
    log.unlink(missing_ok=True)
    assert launched(by, log, "tell", "--config", "a b", **variables).wait(60) == 0, log.read_text()
    return json.loads(log.read_text())


def test_a_fork_is_what_a_fresh_process_is(starter: Starter, tmp_path: Path) -> None:
    fresh = told(Fresh(), tmp_path / "log", HALL_SIGN_KEY="s1:x")
    forks = [told(starter, tmp_path / "log", HALL_SIGN_KEY="s1:x") for _ in range(2)]
    assert forks[0]["same"] == fresh["same"]
    assert forks[1]["same"] == fresh["same"]
    for own in ("pid", "chance"):
        assert len({one["own"][own] for one in (fresh, *forks)}) == 3


def test_a_fork_knows_nothing_of_an_earlier_ones_environment(starter: Starter, tmp_path: Path) -> None:
    told(starter, tmp_path / "log", HALL_ONCE="yes")
    assert "HALL_ONCE" not in told(starter, tmp_path / "log")["same"]["environment"]


@pytest.mark.parametrize(("words", "code"), [(("exit", "0"), 0), (("exit", "3"), 3), (("raise",), 1)])
def test_a_fork_ends_with_its_exit_code(starter: Starter, tmp_path: Path, words: tuple[str, ...], code: int) -> None:
    assert launched(starter, tmp_path / "log", *words).wait(60) == code
    assert ("ValueError: on purpose" in (tmp_path / "log").read_text()) == (words == ("raise",))


def test_a_fork_is_killed_and_buried(starter: Starter, tmp_path: Path) -> None:
    one, other = launched(starter, tmp_path / "one", "wait"), launched(starter, tmp_path / "other", "wait")
    until(lambda: "waits" in (tmp_path / "one").read_text() and "waits" in (tmp_path / "other").read_text())
    assert one.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        one.wait(0.01)
    one.kill()
    assert one.wait(60) == -signal.SIGKILL
    assert not Path(f"/proc/{one.pid}").exists()
    one.kill()  # its number may be somebody else's by now
    assert other.poll() is None
    other.send_signal(signal.SIGTERM)
    assert (other.wait(60), other.wait(), other.poll()) == (-signal.SIGTERM,) * 3


def test_forks_end_with_their_worker(tmp_path: Path) -> None:
    with Starter() as starter:
        left = launched(starter, tmp_path / "log", "wait")
        until(lambda: "waits" in (tmp_path / "log").read_text())
    until(lambda: not Path(f"/proc/{left.pid}").exists(), what="the fork to end")
    with pytest.raises(RuntimeError, match="has ended"):
        left.wait(60)


def test_what_an_interpreter_reads_at_its_start_wants_a_fresh_one(starter: Starter, tmp_path: Path) -> None:
    told(starter, tmp_path / "log")
    other = launched(starter, tmp_path / "other", "tell", PYTHONHASHSEED="7")
    assert isinstance(other, subprocess.Popen)
    assert other.wait(60) == 0


def test_nothing_that_made_a_thread_or_a_file_is_forked(tmp_path: Path) -> None:
    refuse_what_does_not_fork(threads=1, opened=set())
    with pytest.raises(RuntimeError, match="2 threads"):
        refuse_what_does_not_fork(threads=3, opened=set())
    with pytest.raises(RuntimeError, match=r"5 /x/hall\.db"):
        refuse_what_does_not_fork(threads=1, opened={"5 /x/hall.db"})
