"""What waits for the thread of a port: jobs, in the order in which they are to be done.

A call of a resident overtakes what only refreshes a screen, and the newest call goes first; but nothing waits longer
than PATIENCE_S behind something newer. A job that has become pointless, because a newer one on the same topic waits for
the same device, is dropped and its caller is told so.

    DeviceUnavailable    offline, disabled, silent, mailbox full: nothing was sent
      Superseded         a newer job took its place before it began: nothing was sent
    OutcomeUnknown       sent, then the limit passed or the line died: it may have happened
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

MAILBOX = 64
PATIENCE_S = 2.0


class DeviceUnavailable(Exception):
    """Nothing was sent, or nothing came of it.

    `condition` says why: offline, disabled, busy, no_reply, bad_reply, superseded.
    """

    def __init__(self, device: str, condition: str) -> None:
        super().__init__(f"{device}: {condition}")
        self.device, self.condition = device, condition


class Superseded(DeviceUnavailable):
    """A newer job on the same topic took the place of one that still waited."""

    def __init__(self, device: str) -> None:
        super().__init__(device, "superseded")


class OutcomeUnknown(Exception):
    """It was sent and never confirmed; never to be repeated silently."""

    def __init__(self, device: str, sentence: str) -> None:
        super().__init__(sentence)
        self.device = device


class Urgency(Enum):
    """How much hurry a job is in."""

    CALL = "call"
    """A resident is being called."""
    ORDINARY = "ordinary"


@dataclass
class Job:
    """Something to be done with a device, and where its answer goes."""

    device: str
    do: Callable[[Any], Any]
    limit_s: float = 0.0
    """How long its caller waits for it."""
    urgency: Urgency = Urgency.ORDINARY
    topic: str = ""
    """What it settles; "" for a job that no other makes pointless."""
    posted_at: float = field(default_factory=time.monotonic)
    answer: Future[Any] = field(default_factory=Future)

    def fail(self, exc: BaseException) -> None:
        """Give its caller an error, if anybody still waits."""
        try:
            self.answer.set_exception(exc)
        except InvalidStateError:
            return  # whoever asked has gone; the state of the device tells the rest

    def succeed(self, result: object) -> None:
        """Give its caller the result, if anybody still waits."""
        try:
            self.answer.set_result(result)
        except InvalidStateError:
            return


class Mailbox:
    """Jobs of one port. Posted to from the event loop, emptied by the port's thread."""

    def __init__(self) -> None:
        self.bell = -1
        """Descriptor that is readable when there is news; the thread waits for it together with its port."""
        self._jobs: list[Job] = []
        self._lock = threading.Lock()

    def __bool__(self) -> bool:
        return bool(self._jobs)

    def open(self) -> None:
        """Take jobs from now on."""
        self.bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def post(self, job: Job) -> bool:
        """Put a job in, in the place of a waiting one on the same topic; False if the mailbox is full or closed."""
        with self._lock:
            if self.bell < 0:
                return False
            old = [j for j in self._jobs if job.topic and (j.device, j.topic) == (job.device, job.topic)]
            kept = [j for j in self._jobs if j not in old and not j.answer.cancelled()]
            if len(kept) >= MAILBOX:
                return False
            self._jobs = [*kept, job]
            os.eventfd_write(self.bell, 1)
        for overtaken in old:
            overtaken.fail(Superseded(overtaken.device))
        return True

    def take(self) -> Job | None:
        """The next job to be done."""
        with self._lock:
            if not self._jobs:
                return None
            now = time.monotonic()
            job = min(self._jobs, key=lambda j: _rank(j, now))
            self._jobs.remove(job)
            return job

    def refuse_all(self, condition: str) -> None:
        """Nothing that waits will be done."""
        while (job := self.take()) is not None:
            job.fail(DeviceUnavailable(job.device, condition))

    def ring(self) -> None:
        """Wake the thread without a job."""
        with self._lock:
            if self.bell >= 0:
                os.eventfd_write(self.bell, 1)

    def quiet(self) -> None:
        """The thread has heard the bell."""
        try:
            os.eventfd_read(self.bell)
        except BlockingIOError:
            return  # nobody had rung

    def close(self) -> None:
        """Refuse what waits and what comes."""
        with self._lock:
            if self.bell >= 0:
                os.close(self.bell)
            self.bell = -1
        self.refuse_all("offline")


def _rank(job: Job, now: float) -> tuple[int, float]:
    if now - job.posted_at > PATIENCE_S:
        return 0, job.posted_at
    if job.urgency is Urgency.CALL:
        return 1, -job.posted_at
    return 2, job.posted_at
