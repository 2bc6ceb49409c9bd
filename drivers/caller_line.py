"""What callers and whatever hangs behind them share: the six-byte frame, and one inbox for all devices of a line.

Source: protocols/keypads.md §3.1 (B: comments in a working hall program whose author notes incomplete debugging). No
driver. 9600 8N1, no checksum; every frame ends with FF, which stands nowhere else:

    caller → host   01  address  command  d1  d2  FF        unsolicited, whenever somebody presses a key
    host → caller   address  01  command  d1  d2  FF        100 ms and more apart; nothing is ever acknowledged

Many callers share one half-duplex line and speak when they like, so frames collide, lose their end or arrive in
halves. There is no checksum: a frame is taken only if it has its length, its end and the host's address, and came
without a pause of `frame_gap_s` inside while somebody listened. Whatever else came is dropped, a good frame that ran
into a damaged one included: a press that is lost is pressed again, a press that is invented calls somebody. A contact
that bounces sends its frame twice: the same frame from the same caller within BOUNCE_S is one press.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

from drivers.base import BadReply, SerialOptions
from drivers.transport import ByteStream

HOST = 0x01
END = b"\xff"
HOST_GAP_S = 0.1
BOUNCE_S = 0.08
"""Contacts bounce within 30 ms, the fastest finger needs 80 ms (§6)."""
EMPTY = b"\x73\x73"
"""Cannot be a number: a byte of one never exceeds 99."""

_BODY = 5
_NO_SILENCE_S = 1.0
_MOST_WAITING = 8
"""Frames of one address; whoever has a driver is asked several times a second."""


@dataclass(frozen=True, kw_only=True)
class LineOptions(SerialOptions):
    """Keys that every device of a callers' line has."""

    frame_gap_s: float = 0.03
    """G: a pause this long inside a frame spoils it. Behind a serial server on a busy network it is longer."""

    def __post_init__(self) -> None:
        if not 0.01 <= self.frame_gap_s <= 0.3:
            raise ValueError(f"frame_gap_s = {self.frame_gap_s}, legal: 0.01 to 0.3 seconds")


def check_address(key: str, address: int) -> None:
    """Raises ValueError for what cannot be a caller's address: 1 is the host's, 255 ends a frame."""
    if not 2 <= address <= 0xFE:
        raise ValueError(f"{key} = {address}, legal: 2 to 254")


@dataclass(frozen=True)
class CallerFrame:
    """What a caller sent."""

    address: int
    command: int
    data: bytes


def encode_frame(address: int, command: int, data: bytes) -> bytes:
    """A frame from the host."""
    return bytes([address, HOST, command]) + data + END


def encode_count(value: int) -> bytes:
    """Hundreds and the rest, as two bytes, of 0 to 9999. Raises ValueError."""
    if not 0 <= value <= 9999:
        raise ValueError(f"{value} does not fit into four digits")
    return bytes(divmod(value, 100))


def split_frames(received: bytes) -> tuple[list[CallerFrame], bytes]:
    """Frames for the host, and the beginning of one that has not ended yet."""
    *bodies, rest = received.split(END)
    found = [CallerFrame(b[1], b[2], b[3:]) for b in bodies if len(b) == _BODY and b[0] == HOST]
    return found, rest


_MEANINGS = {
    ("<", 0x00): ("下一位", "next"),
    ("<", 0x02): ("重呼", "recall"),
    ("<", 0x06): ("登录", "log in"),
    ("<", 0x1A): ("退出登录", "log out"),
    (">", 0x01): ("显示号码", "show a number"),
    (">", 0x05): ("登录成功", "log-in accepted"),
    (">", 0x07): ("登录被拒或已退出", "log-in refused or over"),
    (">", 0x1C): ("等候人数", "waiting count"),
}


_EVALUATION = 0x59
"""G: the usual command of evaluators behind a caller (evaluator_caller.py); another one stays a number here."""
_EVALUATION_WORDS = {
    (">", True): ("请评价", "ask for an evaluation"),
    (">", False): ("停止评价", "stop asking"),
    ("<", True): ("已评价（内容不显示）", "evaluated, not shown how"),
    ("<", False): ("无人评价", "nobody evaluated"),
}


def explain(direction: str, data: bytes) -> str:
    """Meaning of frames in what passed, `Chinese | English`; "" where there is no whole frame."""
    told = []
    for body in data.split(END)[:-1]:
        host, other = (0, 1) if direction == "<" else (1, 0)
        if len(body) == _BODY and body[host] == HOST:
            zh, en = _command_words(direction, body[2], body[3:])
            told.append((f"{body[other]} 号呼叫器 {zh}", f"caller {body[other]}: {en}"))
    return " | ".join("; ".join(parts) for parts in zip(*told, strict=True))


def _command_words(direction: str, command: int, data: bytes) -> tuple[str, str]:
    if command == _EVALUATION:
        return _EVALUATION_WORDS[direction, any(data)]
    zh, en = _MEANINGS.get((direction, command), (f"命令 {command:02x}", f"command {command:02x}"))
    number = "" if data == EMPTY else " " + " ".join(str(byte) for byte in data)
    return zh + number, en + number


class CallerInbox:
    """Hears the line for all of its devices and keeps each one's frames until its driver asks."""

    def __init__(self) -> None:
        self._half = b""
        self._waiting: dict[int, deque[CallerFrame]] = {}
        self._last: dict[int, tuple[CallerFrame, float]] = {}

    def take(self, address: int, commands: Collection[int]) -> CallerFrame | None:
        """The oldest frame of this address with one of these commands; None if there is none."""
        waiting = self._waiting.get(address, ())
        frame = next((f for f in waiting if f.command in commands), None)
        if frame is not None:
            self._waiting[address].remove(frame)
        return frame

    def forget(self, address: int, commands: Collection[int]) -> None:
        """Drop what came for somebody who was not there to hear it."""
        while self.take(address, commands):
            pass

    def hear(self, link: ByteStream, limit_s: float, frame_gap_s: float) -> bool:
        """Take in what comes first within limit_s, to the end of its frame; False for silence. Raises LinkError."""
        until = time.monotonic() + limit_s
        heard = False
        while True:
            left = until - time.monotonic()
            data = link.read(4096, frame_gap_s if self._half else max(0.0, left))
            if not data or left < -_NO_SILENCE_S:
                self._half = b""
            else:
                self._take_in(data, time.monotonic())
            heard = heard or bool(data)
            if not self._half:
                return heard

    def say(self, device: str, link: ByteStream, frame: bytes, frame_gap_s: float) -> None:
        """Send a frame once the line has been silent for HOST_GAP_S; what comes until then is kept.

        Raises BadReply if the line is never silent: nothing was sent. Raises LinkError.
        """
        until = time.monotonic() + _NO_SILENCE_S
        self.hear(link, 0.0, frame_gap_s)  # somebody may be speaking at this moment
        while (wait := link.last_traffic + HOST_GAP_S - time.monotonic()) > 0:
            if not self.hear(link, wait, frame_gap_s):
                break
            if time.monotonic() > until:
                raise BadReply(f"{device}: nothing was sent, {link.port} is never silent for {HOST_GAP_S} s")
        link.write(frame)

    def _take_in(self, data: bytes, now: float) -> None:
        frames, rest = split_frames(self._half + data)
        self._half = rest[-_BODY - 1 :]  # one byte too many is as wrong as a thousand
        for frame in frames:
            last, at = self._last.get(frame.address, (None, 0.0))
            self._last[frame.address] = (frame, now)
            if frame != last or now - at >= BOUNCE_S:
                self._waiting.setdefault(frame.address, deque(maxlen=_MOST_WAITING)).append(frame)
