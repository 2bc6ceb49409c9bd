"""What a technician types, with the daemon running and without: devices, test, trace, diagnose."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import pytest

from sim.bench import HALLS, Bench
from sim.replay import read_recording
from tests.journeys.conftest import Hall
from tests.waiting import until


def type_in(bench: Bench, command: str, *more: str) -> subprocess.CompletedProcess[str]:
    """Run hall-daemon as a technician does."""
    return subprocess.run(
        [sys.executable, "-m", "hall_daemon", command, "--config", str(bench.config), "--log", "error", *more],
        env={**os.environ, **bench.environment}, capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip


@pytest.fixture
def bench(tmp_path: Path):  # type: ignore[no-untyped-def]
    """Twins without a daemon."""
    with Bench(HALLS / "small", tmp_path / "bench", province=None) as made:
        yield made


def unpacked(folder: Path) -> dict[str, str]:
    [archive] = folder.glob("*.tar.gz")
    assert archive.stat().st_mode & 0o077 == 0
    with tarfile.open(fileobj=io.BytesIO(archive.read_bytes())) as opened:
        return {m.name: part.read().decode() for m in opened if (part := opened.extractfile(m))}


def test_devices_are_listed_by_the_running_daemon(hall: Hall) -> None:
    hall["PRN-01"].run_out_of_paper()
    until(lambda: "paper_out" in type_in(hall.bench, "devices", "--json").stdout, 40, "paper out")
    listed = type_in(hall.bench, "devices", "--ascii")
    assert listed.returncode == 1, listed.stderr
    lines = {line.split()[1]: line for line in listed.stdout.splitlines()[1:]}
    assert lines["PRN-01"].startswith("X ")
    assert "缺纸" in lines["PRN-01"]
    assert lines["DSP-01"].startswith("+ ")


def test_devices_and_tests_open_the_ports_where_no_daemon_runs(bench: Bench) -> None:
    listed = type_in(bench, "devices")
    assert listed.returncode in (0, 1)
    assert "● PRN-01     online" in listed.stdout
    tested = type_in(bench, "test", "PRN-01")
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "PRN-01: 通过 passed" in tested.stdout
    assert len(bench["PRN-01"].whole_slips) == 1
    assert type_in(bench, "test", "PRN-99").returncode == 2


def test_pads_and_voices_are_tested_by_what_they_are_for(bench: Bench) -> None:
    pad = bench["EVA-01"]

    def rates() -> None:
        until(lambda: pad.doing == "evaluation", 30, "the pad asks")
        pad.rate("satisfied")

    resident = threading.Thread(target=rates)
    resident.start()
    tested = type_in(bench, "test", "EVA-01")
    resident.join(40)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "收到第 2 档" in tested.stdout
    assert type_in(bench, "test", "ANN-01").returncode == 0
    [spoken] = bench["ANN-01"].spoken
    assert spoken.text.startswith("这是语音测试")


def test_a_trace_of_the_running_daemon_begins_anew_and_holds_nobody(hall: Hall, tmp_path: Path) -> None:
    file = tmp_path / "reader.txt"
    recording = subprocess.Popen(
        [sys.executable, "-m", "hall_daemon", "trace", "IDR-01", "--config", str(hall.bench.config), "--anew",
         "--to", str(file)],
        env={**os.environ, **hall.bench.environment}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        until(lambda: file.exists() and " 12 ff ee" in file.read_text(encoding="utf-8"), 30, "the hello of the reader")
        hall["IDR-01"].put("zhang")
        name = "无此人".encode("utf-16-le").hex(" ")
        until(lambda: name in file.read_text(encoding="utf-8"), 45, "the text of a card")
    finally:
        recording.send_signal(signal.SIGINT)
        assert recording.wait(40) == 0
    read = read_recording(file)
    assert (read.head["driver"], read.options["baud"]) == ("idcard_samv", 115200)
    assert file.stat().st_mode & 0o077 == 0
    heard = b"".join(data for step in read.steps for _, data in step.answers)
    assert "无此人".encode("utf-16-le") in heard
    assert "张测试".encode("utf-16-le") not in heard
    assert "990000199909090053".encode("utf-16-le") not in heard


def test_a_trace_without_daemon_opens_the_port_and_writes_over_nothing(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "display.txt"
    done = type_in(bench, "trace", "DSP-01", "--to", str(file), "--seconds", "3")
    assert done.returncode == 0, done.stderr
    steps = read_recording(file).steps
    assert len(steps) >= 2
    assert all(step.answers for step in steps[:-1])
    before = file.read_bytes()
    assert type_in(bench, "trace", "DSP-01", "--to", str(file), "--seconds", "1").returncode == 2
    assert file.read_bytes() == before
    bench.lines["DSP-01"].unplug()
    assert type_in(bench, "trace", "DSP-01", "--to", str(tmp_path / "gone"), "--seconds", "1").returncode == 1
    assert not (tmp_path / "gone").exists()
    assert type_in(bench, "trace", "DSP-99", "--to", str(tmp_path / "x")).returncode == 2


def test_diagnosis_of_a_hall_without_daemon_says_how_to_start_it(bench: Bench, tmp_path: Path) -> None:
    log = tmp_path / "old.log"
    log.write_text("WARNING x  990000199001010037 must not get out\n", encoding="utf-8")
    told = type_in(bench, "diagnose", "--to", str(tmp_path), "--log-file", str(log))
    assert told.returncode == 2, told.stderr
    assert "→ 启动：hall-daemon run" in told.stdout
    assert "1 处个人信息" in told.stdout
    parts = unpacked(tmp_path)
    assert "[personal] must not get out" in parts["hall-diagnose/log.txt"]


def test_archive_of_a_hall_at_work_holds_nobody(hall: Hall, tmp_path: Path) -> None:
    kiosk = hall.kiosk()
    person = hall.somebody()
    kiosk.visit(person)
    told = type_in(hall.bench, "diagnose", "--to", str(tmp_path))
    assert told.returncode in (0, 1), told.stdout + told.stderr
    assert "checked: 0 leaks" in told.stderr
    parts = unpacked(tmp_path)
    assert {name.partition("/")[2] for name in parts} == {
        "devices.toml", "versions.txt", "log.txt", "hall.json", "devices.json", "incidents.jsonl", "store.json",
    }  # fmt: skip
    whole = "\n".join(parts.values())
    for fact in (person.card.name, person.card.number, person.phone):
        assert fact not in whole
    assert "issued" in parts["hall-diagnose/log.txt"]
    assert json.loads(parts["hall-diagnose/store.json"])["events"]["hall.ticket.issued.v1"] == 1
    assert "HALL_" not in parts["hall-diagnose/devices.toml"]


def test_wrong_configuration_could_not_be_diagnosed(tmp_path: Path) -> None:
    file = tmp_path / "devices.toml"
    file.write_text("[hall]\n", encoding="utf-8")
    run = [sys.executable, "-m", "hall_daemon"]
    assert subprocess.run([*run, "diagnose", "--config", str(file)], capture_output=True, check=False).returncode == 3
    assert subprocess.run([*run, "devices", "--config", str(file)], capture_output=True, check=False).returncode == 2
