"""A half-duplex line that displays share, of one protocol or of several: when to speak, and who answers.

Source: protocols/displays.md, head: the host speaks first, one outstanding question, at least 100 ms between frames.

The link remembers when bytes last passed, whoever of its drivers caused it. A port takes a frame in a moment, and needs
10 bits for each byte to put it on the wire: what was sent and is not answered counts until its last bit has left.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from drivers.base import BadReply
from drivers.transport import ByteStream

NO_SILENCE_S = 0.6
"""How long a line may go on talking before a frame is given up."""
MOST_UNREAD = 2048

AnswerT = TypeVar("AnswerT")


def wire_s(count: int, baud: int) -> float:
    """Seconds that so many bytes take on the wire: a start bit, eight bits, a stop bit each."""
    return count * 10 / baud


def await_silence(link: ByteStream, device: str, gap_s: float) -> None:
    """Let the line be silent for gap_s since bytes last passed, and drop what still comes: it is nobody's answer.

    Costs nothing on a line that has been idle that long. Raises BadReply if there is no such silence.
    """
    until = time.monotonic() + NO_SILENCE_S
    wait = max(0.0, gap_s - (time.monotonic() - link.last_traffic))
    while link.read(4096, wait):
        if time.monotonic() > until:
            raise BadReply(f"{device}: {link.port} is never silent for {gap_s} s")
        wait = gap_s


def send(link: ByteStream, frame: bytes, baud: int, limit_s: float = 2.0) -> None:
    """Send a frame; from now on the line counts as busy until the frame has left. Raises LinkError."""
    link.write(frame, limit_s)
    link.last_traffic = time.monotonic() + wire_s(len(frame), baud)


def hear(
    link: ByteStream, until: float, find: Callable[[bytes], tuple[AnswerT | None, bytes]]
) -> tuple[AnswerT | None, int]:
    """The first answer that `find` sees in what arrives before `until`, monotonic; and how many bytes came.

    `find` gives the answer, if there is one, and the rest that may be the beginning of one.
    """
    received, count = b"", 0
    while True:
        left = until - time.monotonic()
        more = link.read(4096, max(0.0, left))
        count += len(more)
        answer, received = find(received + more)
        if answer is not None or not more or left <= 0 or len(received) > MOST_UNREAD:
            return answer, count
