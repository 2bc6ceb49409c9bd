"""The bench itself: what becomes of a hall when the program that simulates it is killed."""

import subprocess
import sys
from pathlib import Path

from tests.journeys.kiosk_room import write_hall
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import sys
from pathlib import Path
from sim.bench import Bench, DaemonProcess

bench = Bench(Path(sys.argv[1]), Path(sys.argv[2]), province=None).start()
print(DaemonProcess(bench).start().pid, flush=True)
sys.stdin.read()
"""


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_daemon_ends_with_the_bench_and_locks_no_port_of_the_next_one(tmp_path: Path) -> None:
    """Its links still lead to numbers of pseudo-terminals, and the next bench is given the same numbers."""
    program = [sys.executable, "-c", PROGRAM, str(write_hall(tmp_path / "hall")), str(tmp_path / "run")]
    bench = subprocess.Popen(program, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert bench.stdout is not None
    daemon = int(bench.stdout.readline())
    assert _lives(daemon)
    bench.kill()
    bench.communicate(timeout=60)
    assert any((tmp_path / "run" / "ports").iterdir()), "nobody removed the links"
    until(lambda: not _lives(daemon), what="the daemon to end after its bench")
