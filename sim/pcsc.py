"""The virtual PC/SC carrier: a private pcscd with virtual readers, and the slots into which twins put their cards.

Real parts: pcscd and the vpcd reader driver of the vsmartcard project. The service runs in network and mount namespaces
of its own, because vpcd listens on all addresses and because several services must be able to run side by side; a
program meets this one by the path in `port`. Root is needed for the namespaces: `available()` says why the carrier
cannot run.

    reader driver                            card
      00 01 | 00 power off, 01 on, 02 reset    (no answer)
      00 01 | 04 give ATR                      length (2 b) | ATR
      length (2 b) | command APDU              length (2 b) | answer with status word

An absent card is a closed connection. pcscd looks for a card every 400 ms.

vpcd's readers neither vanish nor carry escape commands: where a C compiler is at hand (`can_escape()`), the service
loads reader_driver.c around vpcd, and then they do both.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import math
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

_DAEMON = Path("/usr/sbin/pcscd")
_READER_DRIVER = Path("/usr/lib/pcsc/drivers/serial/libifdvpcd.so")
_HEADERS = Path("/usr/include/PCSC")
_CLONE_NEWNET = 0x40000000
_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 5.0
_REMOVAL_SEEN_S = 0.6
"""The service looks every 0.4 s. A card exchanged faster is sometimes not noticed at all, not even by its ATR."""

Answer = Callable[[bytes], bytes | None]
"""Answers a command APDU; nothing at all where it is empty, and None pulls the card in the middle of it."""


def _tcp_port(place: int) -> int:
    """The same for every service: each has a network of its own. A reader has two slots, of which one is used."""
    return 45963 + 2 * place


@functools.cache
def available() -> str | None:
    """Why the virtual reader cannot run here; None if it can."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return "the virtual PC/SC reader needs root for its namespaces"
    if not _DAEMON.exists():
        return f"{_DAEMON} is missing (Debian package pcscd)"
    if not _READER_DRIVER.exists():
        return f"{_READER_DRIVER} is missing (Debian package vsmartcard-vpcd)"
    for program, package in (("unshare", "util-linux"), ("ip", "iproute2"), ("mount", "mount")):
        if shutil.which(program) is None:
            return f"{program} is missing (Debian package {package})"
    tried = subprocess.run(["unshare", "-n", "-m", "true"], capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        return f"this machine forbids namespaces: {tried.stderr.strip()}"
    return None


@functools.cache
def can_escape() -> str | None:
    """Why readers here can neither vanish nor carry escape commands; None if they can."""
    if shutil.which("gcc") is None:
        return "gcc is missing (Debian package gcc)"
    if not (_HEADERS / "ifdhandler.h").exists():
        return f"{_HEADERS} is missing (Debian package libpcsclite-dev)"
    return None


class VirtualPcsc:
    """A private pcscd with the readers "NAME 00 00"; each has a slot for one card."""

    def __init__(self, *names: str, escape: bool = False) -> None:
        self._names = names or ("Hall Card",)
        self._escape = escape
        self._dir: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.pulled_at: dict[int, float] = {}
        """Place of a reader → monotonic time at which a card last left its slot."""

    def reader(self, place: int = 0) -> str:
        """Name under which PC/SC lists a reader."""
        return f"{self._names[place]} 00 00"

    @property
    def port(self) -> str:
        """What goes into `port` of the device's table, for the first reader."""
        return self.port_of(0)

    def port_of(self, place: int) -> str:
        """What goes into `port` of the device's table."""
        return f"pcsc:{self.reader(place)}@{self.socket_path}"

    def environment(self) -> dict[str, str]:
        """What a program that knows no port needs in its environment, opensc-tool for one."""
        return {"PCSCLITE_CSOCK_NAME": str(self.socket_path)}

    @property
    def running(self) -> bool:
        """Whether the service is up."""
        return self._process is not None and self._process.poll() is None

    @property
    def socket_path(self) -> Path:
        """Where clients reach the service."""
        return self._folder() / "run" / "pcscd.comm"

    def _folder(self) -> Path:
        # Not a test's folder: the path of a Unix socket may have 107 characters at most.
        if self._dir is None:
            self._dir = Path(tempfile.mkdtemp(prefix="pcsc-"))
            (self._dir / "run").mkdir()
            (self._dir / "conf").mkdir()
            for place, name in enumerate(self._names):
                self._add_reader(place, name)
        return self._dir

    def _add_reader(self, place: int, name: str) -> None:
        assert self._dir is not None
        # Each has a copy of its own: readers that share a driver's file share the card.
        (self._dir / "conf" / f"reader{place}").write_text(
            f'FRIENDLYNAME "{name}"\n'
            f"DEVICENAME /dev/null:{_tcp_port(place)}\n"
            f"LIBPATH {self._driver(place)}\n"
            "CHANNELID 1\n"
        )

    def _driver(self, place: int) -> Path:
        return self._folder() / f"reader{place}.so"

    def _beside(self, place: int, suffix: str) -> Path:
        return self._folder() / f"reader{place}.so.{suffix}"

    def _install_drivers(self) -> None:
        for place in range(len(self._names)):
            if self._driver(place).exists():
                continue
            if not self._escape:
                shutil.copy(_READER_DRIVER, self._driver(place))
                continue
            shutil.copy(_READER_DRIVER, self._beside(place, "real"))
            source = Path(__file__).with_name("reader_driver.c")
            options = ["-shared", "-fPIC", "-Wall", "-Werror", f"-I{_HEADERS}", "-o", str(self._driver(place))]
            subprocess.run(["gcc", *options, str(source)], check=True)

    def unplug_reader(self, place: int = 0) -> None:
        """Pull one reader's cable; the service and its other readers stay."""
        self._beside(place, "gone").touch()
        self._look_for_readers()

    def replug_reader(self, place: int = 0) -> None:
        """Put the cable back."""
        self._beside(place, "gone").unlink()
        self._look_for_readers()

    def _look_for_readers(self) -> None:
        """What udev does on a machine with USB."""
        if not self._escape:
            raise RuntimeError("readers of vpcd cannot vanish; make the service with escape=True")
        os.kill(self.pid, signal.SIGUSR1)

    @property
    def pid(self) -> int:
        """Process id of pcscd itself."""
        return int((self._folder() / "run" / "pcscd.pid").read_text().strip("\0\n"))

    def answer_escapes(self, answer: Callable[[int, bytes], bytes | None], place: int = 0) -> EscapeChannel:
        """Let this answer escape commands of a reader: control code and bytes; None refuses."""
        return EscapeChannel(self._beside(place, "escape"), answer)

    def start(self) -> None:
        """Start the service, also again after a stop or kill, under the same environment."""
        if self.running:
            return
        if (reason := available()) is not None:
            raise RuntimeError(reason)
        folder = self._folder()
        self._install_drivers()
        self.socket_path.unlink(missing_ok=True)
        self.pulled_at.clear()
        # The shell ends the service when its standard input closes: also when the program that started it is killed.
        inside = (
            'ip link set lo up && mkdir -p /run/pcscd && mount --bind "$1/run" /run/pcscd || exit 1;'
            f' {_DAEMON} --foreground --config "$1/conf" & cat; kill $!; wait $!'
        )
        with (folder / "pcscd.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["unshare", "-n", "-m", "sh", "-c", inside, "sh", str(folder)],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_LIMIT_S
        while not self.socket_path.exists():
            if self._process.poll() is not None or time.monotonic() > deadline:
                log_text = (folder / "pcscd.log").read_text(errors="replace")[-500:]
                self.kill()
                raise RuntimeError(f"pcscd did not start: {log_text}")
            time.sleep(0.005)

    def kill(self) -> None:
        """The service dies at once, as by a crash; `start` brings it back."""
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def stop(self) -> None:
        """End the service and leave nothing behind."""
        if self._process is not None:
            try:
                self._process.communicate(timeout=_STOP_LIMIT_S)
                self._process = None
            except subprocess.TimeoutExpired:
                self.kill()
        if self._dir is not None:
            shutil.rmtree(self._dir, ignore_errors=True)
            self._dir = None

    def connect(self, place: int = 0) -> socket.socket:
        """A connection to a virtual reader, made inside the service's own network."""
        if self._process is None:
            raise RuntimeError("the PC/SC service is not running")
        made: list[socket.socket] = []
        failed: list[OSError] = []

        def enter(pid: int) -> None:
            # A namespace is entered by one thread, which ends right after: the rest of the program stays outside.
            network = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
            try:
                if ctypes.CDLL(None, use_errno=True).setns(network, _CLONE_NEWNET):
                    failed.append(OSError(ctypes.get_errno(), "cannot enter the network of pcscd"))
                    return
                made.append(socket.create_connection(("127.0.0.1", _tcp_port(place)), 2))
            except OSError as exc:
                failed.append(exc)
            finally:
                os.close(network)

        thread = threading.Thread(target=enter, args=(self._process.pid,))
        thread.start()
        thread.join()
        if failed:
            raise failed[0]
        return made[0]


class InsertedCard:
    """A card lying in the virtual reader, until it is pulled.

    It goes in as soon as the service has had time to see the one before it leave: nobody exchanges cards faster.
    """

    def __init__(self, service: VirtualPcsc, atr: bytes, answer: Answer, place: int = 0) -> None:
        if not atr:
            raise ValueError("a card without an ATR hangs pcscd")
        self._service = service
        self._atr = atr
        self._answer = answer
        self._place = place
        time.sleep(max(0.0, service.pulled_at.get(place, -math.inf) + _REMOVAL_SEEN_S - time.monotonic()))
        self._socket = service.connect(place)
        self._socket.settimeout(None)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._thread = threading.Thread(target=self._serve, name=f"card in {service.reader(place)}", daemon=True)
        self._thread.start()

    @property
    def lies_there(self) -> bool:
        """Whether it has not been pulled yet."""
        return self._thread.is_alive()

    def pull(self) -> None:
        """Take the card out."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        if threading.current_thread() is not self._thread:
            self._thread.join(5)

    def _serve(self) -> None:
        with self._socket, contextlib.suppress(EOFError, OSError):
            while (answer := self._reply(self._message())) is not None:
                if answer:
                    self._socket.sendall(struct.pack(">H", len(answer)) + answer)
        self._service.pulled_at[self._place] = time.monotonic()

    def _reply(self, message: bytes) -> bytes | None:
        if len(message) != 1:
            return self._answer(message)
        return self._atr if message[0] == 4 else b""

    def _message(self) -> bytes:
        (length,) = struct.unpack(">H", self._receive(2))
        return self._receive(length)

    def _receive(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            # Without it the kernel delays its acknowledgement, and an APDU takes 44 ms.
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            more = self._socket.recv(count - len(data))
            if not more:
                raise EOFError
            data += more
        return data


class EscapeChannel:
    """Answers the escape commands of one reader, until it is closed."""

    def __init__(self, path: Path, answer: Callable[[int, bytes], bytes | None]) -> None:
        self._answer = answer
        self._path = path
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._thread = threading.Thread(target=self._serve, name=f"escape {path.name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Refuse from now on."""
        self._path.unlink(missing_ok=True)
        # Closing alone does not wake a thread that waits in accept.
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._server.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError, struct.error):
                code, length = struct.unpack(">II", client.recv(8, socket.MSG_WAITALL))
                answer = self._answer(code, client.recv(length, socket.MSG_WAITALL))
                client.sendall(b"\xff" * 4 if answer is None else struct.pack(">I", len(answer)) + answer)
