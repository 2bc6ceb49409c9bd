"""Daemons for tests, forked from a process that has loaded their rooms: a start without the second of loading them.

The starter is a process beside each pytest process. It loads, and makes nothing: no thread, no event loop, no file, no
connection, and it refuses to begin if loading made some. What it forks is a whole process with a number of its own,
which becomes `python -m MODULE ARGUMENTS`: output, environment, signals, arguments and `__main__` are as Python sets
them, and it ends as Python does. The same as in the starter are only what was loaded and the seed of hashes.

    worker → starter    one packet: the order in JSON, with the channel and the log as descriptors
    starter → worker    on the channel: the number of the process; when it has ended, its exit code; closes when buried

A channel that its worker closes before is an order to kill.

    python -m tests.forking DESCRIPTOR      the starter, for the worker at the other end of the descriptor
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO

from hall_daemon import config, kiosk_search
from sim.bench import HALLS, PROJECT, Fresh, Running

LOADED = (
    "hall_daemon.app", "hall_daemon.client", "hall_daemon.commands_day", "hall_daemon.commands_pads",
    "encodings.idna", "httpx", "httpcore", "h11", "pydantic.v1", "PIL.ImageFont", "PIL.ImageDraw", "uvloop",
    "drivers.announcer_syn6288", "drivers.caller_rs485", "drivers.display_onbon", "drivers.evaluator_caller",
    "drivers.idcard_samv", "drivers.idcard_pcsc", "drivers.keypad_psbc", "drivers.printer_escpos",
    "drivers.scanner_escl", "drivers.transport_evdev", "drivers.transport_pcsc", "drivers.transport_web",
)  # fmt: skip
"""What the daemon of the small hall has loaded when it is ready; a daemon loads what is missing itself."""
_READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "MALLOC_", "OPENSSL_", "TZ")
"""Beginnings of variables that the interpreter and its libraries read once."""
_NUMBER = struct.Struct("<i")
_ORDER_BYTES = 1 << 18


class Starter:
    """The worker's side: makes daemons by fork; its process begins with the first."""

    def __init__(self) -> None:
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._began_with: dict[str, str] = {}

    def launch(self, module: str, arguments: Sequence[str], environment: Mapping[str, str], log: BinaryIO) -> Running:
        """A fork that becomes `python -m module arguments`."""
        if self._control is None:
            self._begin(environment)
        assert self._control is not None
        if _at_start(environment) != self._began_with:
            return Fresh().launch(module, arguments, environment, log)
        channel, theirs = socket.socketpair()
        order = json.dumps({"module": module, "arguments": list(arguments), "environment": dict(environment)})
        with theirs:
            socket.send_fds(self._control, [order.encode()], [theirs.fileno(), log.fileno()])
        return Forked(channel)

    def _begin(self, environment: Mapping[str, str]) -> None:
        self._began_with = _at_start(environment)
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forking", str(theirs.fileno())], pass_fds=[theirs.fileno()], cwd=PROJECT,
                # By itself the library begins a thread for each processor when it is loaded, and threads do not fork.
                env={**environment, "OPENBLAS_NUM_THREADS": "1"}, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            )  # fmt: skip

    def close(self) -> None:
        """End the starter; daemons have been ended before."""
        if self._control is not None and self._process is not None:
            self._control.close()
            self._process.wait(60)

    def __enter__(self) -> Starter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Forked:
    """A process that the starter has forked, for the worker; as `subprocess.Popen`."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self.returncode: int | None = None
        self.pid = self._hear()

    def poll(self) -> int | None:
        """Its exit code; None while it runs."""
        if self.returncode is None and self._said_something(0):
            self._bury()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, at its end. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            if not self._said_something(timeout):
                raise subprocess.TimeoutExpired("daemon", timeout or 0.0)
            self._bury()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, sig: int) -> None:
        """To the process, if it has not ended; until it is buried nobody else is given its number."""
        if self.poll() is None:
            os.kill(self.pid, sig)

    def kill(self) -> None:
        """kill -9."""
        self.send_signal(signal.SIGKILL)

    def _said_something(self, limit_s: float | None) -> bool:
        return bool(select.select([self._channel], [], [], limit_s)[0])

    def _bury(self) -> None:
        self.returncode = self._hear()
        self._channel.shutdown(socket.SHUT_WR)
        self._channel.recv(1)
        self._channel.close()

    def _hear(self) -> int:
        said = self._channel.recv(_NUMBER.size, socket.MSG_WAITALL)
        if len(said) < _NUMBER.size:
            self._channel.close()
            raise RuntimeError("the process that forks daemons has ended; standard error says why")
        number: int = _NUMBER.unpack(said)[0]
        return number


def _at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_READ_AT_START)}


# --- in the starter ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a fork is to become."""

    module: str
    arguments: list[str]
    environment: dict[str, str]


@dataclass(kw_only=True)
class _Child:
    pid: int
    channel: int
    life: int
    """Descriptor that becomes readable when the process has ended."""
    ended: bool = False


def load() -> None:
    """Load what daemons need. Raises RuntimeError if that made something which does not survive a fork."""
    before = _descriptors()
    gc.disable()  # as when a daemon loads it
    for module in LOADED:
        importlib.import_module(module)
    # A daemon has the names of its items read by a process that loads a dictionary; most daemons have these items.
    kiosk_search.prepare(config.load(HALLS / "small" / "devices.toml", {}).profile)
    gc.freeze()
    gc.enable()
    threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208 - counted, not walked
    refuse_what_does_not_fork(threads, _descriptors() - before)


def refuse_what_does_not_fork(threads: int, opened: set[str]) -> None:
    """Raises RuntimeError if there is more than this thread, or a file that was opened."""
    if threads > 1:
        raise RuntimeError(f"loading has begun {threads - 1} threads; they would be missing in a fork")
    if opened:
        raise RuntimeError(f"loading has opened files, which forks would share: {', '.join(opened)}")


def _descriptors() -> set[str]:
    found = set()
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - the folder that is read is one of them, and gone after
        with contextlib.suppress(FileNotFoundError):
            found.add(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")  # noqa: PTH115 - as above
    return found


class _Nursery:
    """Forks, tells of ends, and buries."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._poller = select.poll()
        self._children: dict[int, _Child] = {}
        """By channel and by life."""

    def serve(self) -> Order | None:
        """Comes back in each fork, with what it has become an order for; in the starter when the worker is gone."""
        self._poller.register(self._control, select.POLLIN)
        while True:
            fd, _ = self._poller.poll()[0]  # one at a time: what is done for one may close another's descriptor
            if fd == self._control.fileno():
                packet, fds, _, _ = socket.recv_fds(self._control, _ORDER_BYTES, 2)
                if not packet:
                    for child in {id(child): child for child in self._children.values()}.values():
                        self._bury(child)
                    return None
                if self._fork(*fds):
                    return Order(**json.loads(packet))
            elif fd == self._children[fd].life:
                self._tell_end(self._children[fd])
            else:
                self._bury(self._children[fd])

    def _fork(self, channel: int, log: int) -> bool:
        """Whether this is the fork."""
        pid = os.fork()
        if pid == 0:
            self._control.detach()
            for output in (1, 2):
                os.dup2(log, output)
            os.closerange(3, os.sysconf("SC_OPEN_MAX"))
            return True
        os.close(log)
        child = _Child(pid=pid, channel=channel, life=os.pidfd_open(pid))
        for fd in (child.channel, child.life):
            self._children[fd] = child
            self._poller.register(fd, select.POLLIN)
        _say(child, pid)
        return False

    def _tell_end(self, child: _Child) -> None:
        self._poller.unregister(child.life)
        child.ended = True
        end = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert end is not None
        _say(child, end.si_status if end.si_code == os.CLD_EXITED else -end.si_status)

    def _bury(self, child: _Child) -> None:
        if not child.ended:
            self._poller.unregister(child.life)
            os.kill(child.pid, signal.SIGKILL)
        os.waitpid(child.pid, 0)
        self._poller.unregister(child.channel)
        for fd in (child.channel, child.life):
            del self._children[fd]
            os.close(fd)


def _say(child: _Child, number: int) -> None:
    with contextlib.suppress(BrokenPipeError):  # its worker has gone, and the channel says so next
        os.write(child.channel, _NUMBER.pack(number))


def _become(order: Order) -> None:
    """In a fork: run the module as `python -m` does; what it leaves by ends the process."""
    os.environ.clear()
    os.environ.update(order.environment)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv[1:] = order.arguments
    runpy.run_module(order.module, run_name="__main__", alter_sys=True)


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the worker, whose end is this one's
    control = socket.socket(fileno=int(sys.argv[1]))
    load()
    order = _Nursery(control).serve()
    if order is not None:
        _become(order)


if __name__ == "__main__":
    _main()
