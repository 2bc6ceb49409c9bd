"""The bench itself: what becomes of a hall when the program that simulates it is killed."""

import errno
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from sim.bench import Bench
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


IP_LOCAL_PORT_RANGE = 51
"""Source: Linux 6.3, include/uapi/linux/in.h: which ports a socket may be given by the system, highest and lowest."""


def _given(number: int) -> int:
    """The port that the system gives a server where it has only this one to give. Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server.setsockopt(socket.IPPROTO_IP, IP_LOCAL_PORT_RANGE, struct.pack("=I", number << 16 | number))
        except OSError as exc:
            pytest.skip(f"this kernel does not let a socket choose its ports: {exc}")
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def test_the_port_of_a_bench_is_given_to_nobody_but_its_daemon(tmp_path: Path) -> None:
    """Or a test would talk to the hall of another, which was given the same number before its daemon began."""
    with Bench(write_hall(tmp_path / "hall"), tmp_path / "run", province=None) as bench:
        with pytest.raises(OSError) as taken:
            _given(bench.listen)
        assert taken.value.errno == errno.EADDRINUSE
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", bench.listen))
        with socket.create_server(("127.0.0.1", bench.listen)):
            pass
    assert _given(bench.listen) == bench.listen
