"""A speech module: SYN6288 or XFS5152, written from what is published of their frames and answers.

    FD, length (2 bytes, high first), command, [text format, text], and on the SYN6288 a last byte: xor of all before.
    Answers of one byte: 4A ready after power-up, 41 frame good, 45 frame bad, 4E playing, 4F idle.

Look at `spoken` (whole texts), `cut` (texts that another one interrupted), `playing`.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from sim.carriers import ByteTwin

_FORMATS = {0: "gb2312", 1: "gbk", 2: "big5", 3: "utf-16-be"}


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """One text that was heard to its end."""

    text: str


class SpeechModule(ByteTwin):
    """The module and its loudspeaker."""

    def __init__(self, device: str, options: Mapping[str, object]) -> None:
        super().__init__(device, options)
        self.spoken: list[Spoken] = []
        self.cut: list[str] = []
        self.playing = ""
        self.second_per_character = 0.01
        """A real voice needs about 0.25."""
        self._checked = options.get("module", "syn6288") == "syn6288"
        self._half = bytearray()
        self._end: threading.Timer | None = None
        self.recover()

    @property
    def baud(self) -> int:
        """9600 unless the table says otherwise."""
        value = self.options.get("baud", 9600)
        return value if isinstance(value, int) else 9600

    # Faults

    def recover(self) -> None:
        """No fault any more."""
        self._mute = self._deaf = self._endless = self._silent_end = False
        self._mid_restart = False

    def go_mute(self) -> None:
        """It answers nothing."""
        self._mute = True

    def refuse_frames(self) -> None:
        """Every frame is answered with 45."""
        self._deaf = True

    def play_for_ever(self) -> None:
        """The text that comes next never ends."""
        self._endless = True

    def forget_to_tell_the_end(self) -> None:
        """It becomes idle and says so only when it is asked."""
        self._silent_end = True

    def restart_in_the_middle(self) -> None:
        """Its supply drops while it plays the next text."""
        self._mid_restart = True

    def power_cycle(self) -> None:
        """Off and on."""
        with self.lock:
            self._stop_timer()
            self.playing = ""
            self._half.clear()
            self._answer(0x4A)

    # The line

    def plugged(self) -> None:
        """Power-up."""
        self._half.clear()
        self.playing = ""

    def unplugged(self) -> None:
        """End the timer."""
        self._stop_timer()

    def receive(self, data: bytes) -> None:
        """Collect frames; what is between them is dropped."""
        self._half += data
        while (start := self._half.find(0xFD)) >= 0:
            del self._half[:start]
            if len(self._half) < 3:
                return
            size = 3 + int.from_bytes(self._half[1:3], "big")
            if size > 3 + 4200 or size == 3:
                del self._half[0]
                continue
            if len(self._half) < size:
                return
            frame = bytes(self._half[:size])
            del self._half[:size]
            self._obey(frame)
        self._half.clear()

    def _obey(self, frame: bytes) -> None:
        body = frame[3:]
        if self._checked:
            parity = 0
            for byte in frame[:-1]:
                parity ^= byte
            if parity != frame[-1]:
                self._answer(0x45)
                return
            body = body[:-1]
        if self._deaf or not body:
            self._answer(0x45)
        elif body[0] == 0x21:
            self._answer(0x4E if self.playing else 0x4F)
        elif body[0] == 0x02:
            self._answer(0x41)
            self._interrupt()
        elif body[0] == 0x01 and len(body) > 2 and (body[1] & 7) in _FORMATS:
            self._answer(0x41)
            self._play(body[2:].decode(_FORMATS[body[1] & 7], "replace"))
        else:
            self._answer(0x45)

    def _play(self, text: str) -> None:
        self._interrupt()
        self.playing = text
        if self._mid_restart:
            self._mid_restart = False
            self.power_cycle()
            return
        if self._endless:
            return
        self._end = threading.Timer(self.second_per_character * len(text), self._ended)
        self._end.daemon = True
        self._end.start()

    def _interrupt(self) -> None:
        if self.playing:
            self.cut.append(self.playing)
            self.playing = ""
        self._stop_timer()

    def _ended(self) -> None:
        with self.lock:
            if not self.playing:
                return
            self.spoken.append(Spoken(text=self.playing))
            self.playing = ""
            if not self._silent_end:
                self._answer(0x4F)

    def _stop_timer(self) -> None:
        if self._end is not None:
            self._end.cancel()
            self._end = None

    def _answer(self, byte: int) -> None:
        if not self._mute:
            self.say(bytes([byte]))


TWIN = SpeechModule
