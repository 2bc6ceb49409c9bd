"""Scanners that the machine's own SANE drives: one helper process for each device.

The helper is `scanimage` of the Debian package sane-utils, because a backend's call may never return and only a process
can be killed. It is started anew for each question and each feed, so what hangs is never met again: a feed after a kill
opens the device from the beginning. In a feed it waits for a line on its input before each page, so it never runs ahead
of what is kept, and an end of that input (also that of the daemon) ends it after the page it is at.

    to the helper     b"\\n"                                  scan a page
    from the helper   b"/dev/shm/.../page1.png\\n"            the page lies there, complete (output)
                      b"Progress: 12.5%\\r"                   a sign of life (error output)
    exit code         SANE_Status: 0 good, 1 unsupported or would not open, 2 cancelled, 3 busy, 4 invalid,
                      5 end of file, 6 jammed, 7 no documents, 8 cover open, 9 I/O error, 10 no memory, 11 access denied

Confirmed with scanimage 1.1.1 (`sane.h` numbers the statuses so). Pages lie in memory (/dev/shm) until they are read.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from drivers.base import BadReply, LinkError, NoReply
from drivers.transport import Link

LARGEST_PAGE = 256 * 1024 * 1024
GRACE_S = 2.0
"""How long the helper may take to end by itself before it is killed."""
_FOLDER = "hall-scan-"
_MEMORY = "/dev/shm"  # noqa: S108 - a fresh folder is made in it that nobody else can read


@dataclass(frozen=True, kw_only=True)
class SaneAnswer:
    """How a helper ended: `code` is a SANE_Status, or the negative number of the signal that ended it."""

    code: int
    output: str
    said: str
    """Its error output without progress."""


class SaneDevice(Link):
    """One SANE device. Opening it costs no traffic; a device that is gone shows at the first question."""

    port_form = "sane:<device name, as `scanimage -L` tells it>"

    def __init__(self, port: str) -> None:
        super().__init__(port)
        self.name = port.removeprefix("sane:")
        found = shutil.which("scanimage")
        if found is None:
            raise LinkError(f"cannot open {port}: scanimage is not installed (package sane-utils)")
        # A scanner must not stay occupied by the helper of a daemon that was killed.
        end_with_us = shutil.which("setpriv")
        self._program = ([end_with_us, "--pdeathsig", "KILL"] if end_with_us else []) + [found]
        self._closed = threading.Event()
        self._running: subprocess.Popen[bytes] | None = None
        _sweep()

    def ask(self, arguments: Sequence[str], limit_s: float, *, of_device: bool = True) -> SaneAnswer:
        """Let the helper do one thing without a page. Raises NoReply when it has to be killed, or LinkError."""
        helper = self._start(arguments, of_device=of_device)
        try:
            output, said = helper.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired as exc:
            _kill(helper)
            raise NoReply(f"{self.port}: scanimage did not come back within {limit_s:.1f} s and was killed") from exc
        finally:
            _close_pipes(helper)
        if self._closed.is_set():
            raise self.gone()
        return self.ended(helper.returncode, output, said)

    def feed(self, arguments: Sequence[str]) -> SaneFeed:
        """Open the device for pages; to be used in a `with` statement, which gives it back. Raises LinkError."""
        folder = tempfile.TemporaryDirectory(prefix=f"{_FOLDER}{os.getpid()}-", dir=_page_folder())
        batch = ["--format=png", "--progress", f"--batch={folder.name}/page%d.png", "--batch-print", "--batch-prompt"]
        try:
            return SaneFeed(self, self._start([*arguments, *batch]), folder)
        except LinkError:
            folder.cleanup()
            raise

    @property
    def closed(self) -> bool:
        """Whether the port was given back."""
        return self._closed.is_set()

    @property
    def helper_pid(self) -> int:
        """Process that is, or was last, at work for this device; 0 before the first."""
        return self._running.pid if self._running is not None else 0

    def gone(self) -> LinkError:
        """The error of whoever still uses a closed link."""
        return LinkError(f"{self.port} is closed")

    def close(self) -> None:
        self._closed.set()
        running = self._running
        if running is not None:
            _kill(running)

    def page_came(self, number: int, size: int) -> None:
        """Tell the trace; of a page only its length."""
        self._trace("<", f"page {number}: {size} bytes".encode())

    def ended(self, code: int, output: bytes, said: bytes) -> SaneAnswer:
        """What a helper that has ended leaves behind."""
        lines = [line for line in re.split(r"[\r\n]+", said.decode("utf-8", "replace")) if _tells(line)]
        self._trace("<", f"exit {code} {' | '.join(lines)}"[:500].encode())
        return SaneAnswer(code=code, output=output.decode("utf-8", "replace"), said=" | ".join(lines)[:300])

    def _start(self, arguments: Sequence[str], *, of_device: bool = True) -> subprocess.Popen[bytes]:
        if self._closed.is_set():
            raise self.gone()
        command = [*self._program, *(["-d", self.name] if of_device else []), *arguments]
        self._trace(">", " ".join(command).encode())
        try:
            helper = subprocess.Popen(  # noqa: S603 - the program was found on the path, the name is in the configuration
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                env={**os.environ, "LC_ALL": "C"}, start_new_session=True, bufsize=0,
            )  # fmt: skip
        except OSError as exc:
            raise LinkError(f"cannot open {self.port}: {exc}") from exc
        self._running = helper
        if self._closed.is_set():
            _kill(helper)
        return helper


class SaneFeed:
    """A device that is open for pages."""

    def __init__(
        self, link: SaneDevice, helper: subprocess.Popen[bytes], folder: tempfile.TemporaryDirectory[str]
    ) -> None:
        self._link = link
        self._helper = helper
        self._folder = folder
        self._pages = 0
        self._output = b""
        self._said = b""
        self.answer: SaneAnswer | None = None
        """How the helper ended; None while it runs."""

    def __enter__(self) -> SaneFeed:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the device back: the helper ends after the page it is at, or is killed."""
        if self._helper.stdin is not None:
            with contextlib.suppress(OSError):
                self._helper.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._helper.wait(GRACE_S)
        _kill(self._helper)
        _close_pipes(self._helper)
        self._folder.cleanup()

    def next_page(self, limit_s: float, silence_s: float) -> bytes | None:
        """The next page as a PNG file; None when the helper has ended, `answer` says how.

        Raises NoReply after limit_s seconds, or after silence_s seconds without any sign of life: the helper is killed.
        """
        self._ask_for_page()
        deadline = time.monotonic() + limit_s
        alive = time.monotonic()
        pipes = [p for p in (self._helper.stdout, self._helper.stderr) if p is not None]
        while pipes:
            left_s = min(deadline, alive + silence_s) - time.monotonic()
            ready = select.select(pipes, [], [], max(0.0, left_s))[0]
            if not ready:
                _kill(self._helper)
                quiet_s = time.monotonic() - alive
                raise NoReply(f"{self._link.port}: scanimage was silent for {quiet_s:.1f} s at a page and was killed")
            alive = time.monotonic()
            for pipe in ready:
                data = os.read(pipe.fileno(), 65536)
                if not data:
                    pipes.remove(pipe)
                elif pipe is self._helper.stdout:
                    self._output += data
                else:
                    self._said = (self._said + data)[-65536:]
            if b"\n" in self._output:
                return self._read_page()
            if time.monotonic() > deadline:
                _kill(self._helper)
                raise NoReply(f"{self._link.port}: no complete page within {limit_s:.1f} s; scanimage was killed")
        self._end()
        return None

    def _ask_for_page(self) -> None:
        assert self._helper.stdin is not None
        with contextlib.suppress(OSError):  # a helper that has ended tells so by its output
            self._helper.stdin.write(b"\n")

    def _read_page(self) -> bytes:
        name, _, self._output = self._output.partition(b"\n")
        file = Path(self._folder.name) / Path(name.decode("ascii", "replace")).name
        self._pages += 1
        try:
            size = file.stat().st_size
            if size > LARGEST_PAGE:
                raise BadReply(f"{self._link.port}: a page of {size} bytes; at most {LARGEST_PAGE} are read")
            data = file.read_bytes()
            file.unlink()
        except (OSError, ValueError) as exc:  # ValueError: a name with a zero byte in it
            raise BadReply(f"{self._link.port}: scanimage named a page that cannot be read: {exc}") from exc
        self._link.page_came(self._pages, len(data))
        return data

    def _end(self) -> None:
        try:
            self._helper.wait(GRACE_S)
        except subprocess.TimeoutExpired as exc:
            _kill(self._helper)
            raise NoReply(f"{self._link.port}: scanimage fell silent and did not end; it was killed") from exc
        if self._link.closed:
            raise self._link.gone()
        self.answer = self._link.ended(self._helper.returncode, self._output, self._said)


def _tells(line: str) -> bool:
    """Whether a line of the error output says more than that work goes on."""
    usual = ("Progress:", "Place document", "Press ", "Scanning ", "Output format", "Batch terminated")
    return bool(line.strip()) and not line.startswith(usual) and not line.endswith("(scanner status = 5)")


def _kill(helper: subprocess.Popen[bytes]) -> None:
    """End the helper with all it has started, whatever it is doing. One that the kernel holds is left to it."""
    if helper.poll() is None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(helper.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            helper.wait(GRACE_S)


def _close_pipes(helper: subprocess.Popen[bytes]) -> None:
    for pipe in (helper.stdin, helper.stdout, helper.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):
                pipe.close()


def _page_folder() -> str | None:
    """Where pages lie on their way: in memory if there is such a folder."""
    return _MEMORY if os.access(_MEMORY, os.W_OK) else None


def _sweep() -> None:
    """Remove what a daemon that was killed has left on its way: pages are personal."""
    for folder in Path(_page_folder() or tempfile.gettempdir()).glob(f"{_FOLDER}*"):
        pid = folder.name.removeprefix(_FOLDER).partition("-")[0]
        if not Path(f"/proc/{pid}").exists():
            shutil.rmtree(folder, ignore_errors=True)
