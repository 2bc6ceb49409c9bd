"""Speech modules on a serial line: SYN6288, and XFS5152 with the same commands and no checksum.

Source: two public micro-controller programs, a public Python test of the XFS5152CE, and a public summary of the
SYN6288's answers agree on frames and answers (B); the makers' data sheets were not at hand. 9600 8N1 (G for the XFS).

    SYN6288    FD  len (2, high first)  command  [parameter  text]  xor      len counts what follows it, xor included;
                                                                            xor of everything before it
    XFS5152    FD  len (2, high first)  command  [parameter  text]
    module     one byte: 4A started, 41 taken, 45 not understood, 4E speaking, 4F silent (also by itself at the end)

Commands: 01 speak, 02 stop, 21 state. Parameter: 00 GB2312, 01 GBK. A new text cuts the one that is being spoken, so
the driver waits for silence. The SYN6288 takes 200 bytes of text. These modules read Chinese, digits and letters, not
English sentences: the English half of an announcement is left to other announcers. Answers carry no number: a 4F from
before is told from this text's by the 41 between them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from operator import xor
from typing import Literal

from drivers.base import (
    Announcement,
    Announcer,
    BadReply,
    Condition,
    Identity,
    NoReply,
    Refused,
    SerialOptions,
    Unconfirmed,
)
from drivers.transport import ByteStream
from drivers.wire_words import DAMAGED, Words, two_languages

SPEAK, STOP, STATE = 0x01, 0x02, 0x21
STARTED, TAKEN, NOT_UNDERSTOOD, SPEAKING, SILENT = 0x4A, 0x41, 0x45, 0x4E, 0x4F
GBK = 0x01
ANSWER_S = 0.6
ASK_AGAIN_S = 2.0
"""A module that forgets to say that it is silent is asked."""

Module = Literal["syn6288", "xfs5152"]
_MOST_TEXT = {"syn6288": 200, "xfs5152": 4000}


@dataclass(frozen=True, kw_only=True)
class Syn6288Options(SerialOptions):
    """Keys of the module's table."""

    module: Module = "syn6288"
    marks: str = ""
    """Put before every text: speed and volume as the module's handbook writes them, like "[v10][t4]"."""

    def __post_init__(self) -> None:
        if not self.marks.isascii() or len(self.marks) > 40:
            raise ValueError(f"marks = '{self.marks}', legal: up to 40 ASCII characters like [v10][t4]")


def encode_command(module: Module, command: int, parameter: int | None = None, text: bytes = b"") -> bytes:
    """The frame of a command."""
    body = bytes([command]) + (b"" if parameter is None else bytes([parameter])) + text
    checked = module == "syn6288"
    frame = b"\xfd" + (len(body) + checked).to_bytes(2, "big") + body
    return frame + bytes([reduce(xor, frame)]) if checked else frame


_COMMAND_WORDS = {
    SPEAK: ("播报", "speak"),
    STOP: ("停止播报", "stop"),
    STATE: ("问状态", "ask its state"),
}
_ANSWER_WORDS = {
    STARTED: ("已启动", "started"),
    TAKEN: ("已收到", "taken"),
    NOT_UNDERSTOOD: ("没听懂", "not understood"),
    SPEAKING: ("正在播报", "speaking"),
    SILENT: ("已静", "silent"),
}


def explain(direction: str, data: bytes) -> str:
    """Meaning of some bytes for a technician, `Chinese | English`; "" where no whole frame is among them."""
    if direction == ">":
        return two_languages(_commands(data))
    return two_languages(_ANSWER_WORDS.get(byte, (f"杂乱 {byte:02x}", f"stray {byte:02x}")) for byte in data)


def _commands(data: bytes) -> Iterator[Words]:
    while data[:1] == b"\xfd" and len(data) > 3:
        size = 3 + int.from_bytes(data[1:3], "big")
        if len(data) < size or size < 4:
            yield DAMAGED
            return
        yield _COMMAND_WORDS.get(data[3], (f"命令 {data[3]:02x}", f"command {data[3]:02x}"))
        data = data[size:]


class Syn6288Announcer(Announcer[ByteStream, Syn6288Options]):
    """One module with its loudspeaker."""

    Options = Syn6288Options
    Transport = ByteStream

    def hello(self) -> Identity:
        """Ask for its state. Raises NoReply, BadReply, LinkError."""
        self._ask_state()
        return Identity(model=self.options.module.upper())

    def conditions(self) -> frozenset[Condition]:
        """Ask for its state; a module reports nothing else. Raises NoReply, BadReply, LinkError."""
        self._ask_state()
        return frozenset()

    def speak(self, announcement: Announcement) -> None:
        """Say the Chinese text; returns when the module is silent again.

        Raises Refused(TEXT_UNSUITABLE), Refused(DEVICE_FAULT) when it started anew meanwhile, NoReply or BadReply when
        it did not take the text, Unconfirmed when its end was never told, LinkError.
        """
        frame = encode_command(self.options.module, SPEAK, GBK, self._text(announcement))
        self.link.drop_input()
        self.link.write(frame)
        self._await_taken()
        # A slow voice needs a third of a second for a syllable.
        self._await_silence(time.monotonic() + min(self.job_limit_s - 4.0, 4.0 + 0.5 * len(announcement.text)))

    def _text(self, announcement: Announcement) -> bytes:
        try:
            text = (self.options.marks + announcement.text).encode("gbk")
        except UnicodeEncodeError as exc:
            raise Refused(
                Condition.TEXT_UNSUITABLE, f"{self.device}: cannot say U+{ord(announcement.text[exc.start]):04X}"
            ) from None
        most = _MOST_TEXT[self.options.module]
        if len(text) > most:
            raise Refused(Condition.TEXT_UNSUITABLE, f"{self.device}: {len(text)} bytes of text, takes {most}")
        return text

    def _await_taken(self) -> None:
        deadline = time.monotonic() + ANSWER_S
        while (left := deadline - time.monotonic()) > 0 and (answer := self.link.read(1, left)):
            if answer[0] == TAKEN:
                return
            if answer[0] == NOT_UNDERSTOOD:
                raise BadReply(f"{self.device}: sent a text, the module says it did not understand the frame (45)")
        raise NoReply(f"{self.device}: sent a text, not taken within {ANSWER_S} s on {self.link.port}")

    def _await_silence(self, deadline: float) -> None:
        unanswered = 0
        while time.monotonic() < deadline:
            answer = self.link.read(1, min(ASK_AGAIN_S, max(0.0, deadline - time.monotonic())))
            if answer == bytes([SILENT]):
                return
            if answer == bytes([STARTED]):
                raise Refused(Condition.DEVICE_FAULT, f"{self.device}: the module started anew while it spoke (4A)")
            if answer:
                unanswered = 0
                continue
            unanswered += 1
            if unanswered > 2:
                break
            self.link.write(encode_command(self.options.module, STATE))
        raise Unconfirmed(f"{self.device}: the text was taken, its end never told on {self.link.port}")

    def _ask_state(self) -> int:
        self.link.drop_input()
        self.link.write(encode_command(self.options.module, STATE))
        deadline = time.monotonic() + ANSWER_S
        seen = b""
        while (left := deadline - time.monotonic()) > 0 and (answer := self.link.read(1, left)):
            seen += answer
            if answer[0] in (SPEAKING, SILENT):
                return answer[0]
        if seen:
            raise BadReply(f"{self.device}: asked for its state, it said {seen[:16].hex(' ')}")
        raise NoReply(f"{self.device}: asked for its state, no byte within {ANSWER_S} s on {self.link.port}")


DRIVER = Syn6288Announcer
