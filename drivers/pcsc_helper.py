"""PC/SC calls in a process of their own, because they have no limit: a silent card holds its caller for ever.

The upper half runs in the daemon, for drivers/transport.py; the lower half is the helper, which is this file started as
a program. One call is in flight at a time; a call that does not come back ends with the helper.

    to the helper     ["SCardTransmit", handle, protocol, [255, 176, 0, 0, 0]]    one JSON line
    from the helper   [0, [1, 0, 4, 0, ...]]                                      one JSON line
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from typing import Any, BinaryIO


class PcscHelper:
    """A running helper."""

    def __init__(self, service: str = "") -> None:
        """`service`: path of the socket of another PC/SC service than the machine's own."""
        # PC/SC takes the socket from the environment, once per process: here each slot has a process.
        environment = {**os.environ, "PCSCLITE_CSOCK_NAME": service} if service else None
        # The helper sees what cards say: it writes nothing but answers.
        self._process = subprocess.Popen(  # noqa: S603 - starts this very file
            [sys.executable, "-I", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )

    def call(self, name: str, *arguments: object, limit_s: float) -> list[Any]:  # Any: each call has its own results
        """Results of one function of smartcard.scard. Raises TimeoutError, or EOFError if the helper is gone."""
        requests, answers = self._process.stdin, self._process.stdout
        if requests is None or answers is None or requests.closed:
            raise EOFError("the PC/SC helper has ended")
        try:
            requests.write(json.dumps([name, *arguments]).encode() + b"\n")
            requests.flush()
        except OSError as exc:
            raise EOFError("the PC/SC helper is gone") from exc
        deadline = time.monotonic() + limit_s
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([answers], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise TimeoutError
            more = os.read(answers.fileno(), 65536)
            if not more:
                raise EOFError("the PC/SC helper is gone")
            line += more
        results: list[Any] = json.loads(line)
        return results

    def end(self, grace_s: float = 0.5) -> None:
        """End it, whatever it is doing, at the latest after grace_s seconds; never raises."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self._process.wait(grace_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _as_pyscard_wants(argument: object) -> object:
    """JSON has no tuples, and pyscard takes reader states as nothing else."""
    if isinstance(argument, list):
        return [tuple(item) if isinstance(item, list) else item for item in argument]
    return argument


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Do one call after the other until the daemon closes the pipe."""
    scard = importlib.import_module("smartcard.scard")
    for line in requests:
        name, *arguments = json.loads(line)
        results = getattr(scard, name)(*map(_as_pyscard_wants, arguments))
        answers.write(json.dumps(results if isinstance(results, list) else [results]).encode() + b"\n")
        answers.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal is the daemon's to handle
    serve(sys.stdin.buffer, sys.stdout.buffer)
