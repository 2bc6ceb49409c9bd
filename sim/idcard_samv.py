"""Twin of a SAM_V card reader on a serial line.

Source: protocols/idcard.md §1 and §6. The module itself is in idcard_module; here is the line: requests in any pieces,
the speed, and answers that arrive late, damaged, cut or not at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sim.carriers import ByteTwin
from sim.idcard_module import START, Card, SamFaults, SamModule, SamVerbs, answer_frame, number_of
from sim.idcard_records import PHOTO, record_of

_RECORD_BYTES = 1000
"""Longer answers are records."""
_LONGEST_REQUEST = 16
"""A LEN beyond this is an error that the module need not wait for."""
_FOR_EVER = 1_000_000_000


@dataclass(kw_only=True)
class _Damage:
    """What the line does to the next answers."""

    change: Callable[[bytes], bytes]
    times: int
    records_only: bool = False


class SamVReader(SamVerbs, ByteTwin):
    """The module on its line."""

    def __init__(self, device: str, options: Mapping[str, object]) -> None:
        super().__init__(device, options)
        self.sam = SamModule()
        self.sam.number = number_of(device)
        self._set_to = self._speed = super().baud or 115200
        self._held = b""
        self._holds = False
        self._heard = b""
        self._damage: list[_Damage] = []
        self._mute = False
        self._asleep_for = 0
        self._delay_s = 0.0

    @property
    def baud(self) -> int | None:
        return self._speed

    def say_the_number_of(self, other: SamVReader) -> None:
        """Be the same physical module as another one, as far as anybody can tell."""
        with self.lock:
            self.sam.number = other.sam.number

    def put_unknown_card(self) -> None:
        """Lay on a card of another kind: it is found, and its type is not recognised."""
        with self.lock:
            self.sam.put(record_of("zhang"))
            self.refuse(b"\x20\x02", 0x40)

    def go_mute(self) -> None:
        """Say nothing any more."""
        with self.lock:
            self._mute = True

    def sleep_through(self, requests: int) -> None:
        """Just powered: the next requests are not heard."""
        with self.lock:
            self._asleep_for = requests

    def run_at(self, speed: int) -> None:
        """Somebody set the module to this speed, and it keeps it."""
        with self.lock:
            self._set_to = self._speed = speed

    def hold_next_answer(self) -> None:
        """The next answer stays in the reader and comes out glued to the one after it."""
        with self.lock:
            self._holds = True

    def answer_late(self, delay_s: float) -> None:
        """Take this long before each answer."""
        with self.lock:
            self._delay_s = delay_s

    def damage_check_byte(self, times: int = 1) -> None:
        """The next answers arrive with a wrong CHK."""
        self._next_answers(_Damage(change=lambda frame: frame[:-1] + bytes([frame[-1] ^ 0x5A]), times=times))

    def cut_answer_after(self, count: int, times: int = 1) -> None:
        """The next answers end after so many bytes."""
        self._next_answers(_Damage(change=lambda frame: frame[:count], times=times))

    def cut_record_after(self, count: int, times: int = 1) -> None:
        """The next records end after so many bytes; shorter answers are whole."""
        self._next_answers(_Damage(change=lambda frame: frame[:count], times=times, records_only=True))

    def damage_record(self, times: int = 1) -> None:
        """One bit of the next records is wrong on arrival."""

        def flip(frame: bytes) -> bytes:
            return frame[:200] + bytes([frame[200] ^ 0x04]) + frame[201:]

        self._next_answers(_Damage(change=flip, times=times, records_only=True))

    def lose_byte_of_record(self, times: int = 1) -> None:
        """A byte of the next records is lost on the line."""
        self._next_answers(_Damage(change=lambda frame: frame[:300] + frame[301:], times=times, records_only=True))

    def shorten_record(self, times: int = 1) -> None:
        """The next records announce text and photo, and hold less, in a frame that is whole otherwise."""
        short = answer_frame(0x90, b"\x01\x00\x04\x00" + bytes(600))
        self._next_answers(_Damage(change=lambda _: short, times=times, records_only=True))

    def precede_answers_with(self, garbage: bytes) -> None:
        """Something stands on the line before each answer."""
        self._next_answers(_Damage(change=lambda frame: garbage + frame, times=_FOR_EVER))

    def _next_answers(self, damage: _Damage) -> None:
        with self.lock:
            self._damage.append(damage)

    def recover(self) -> None:
        """Everything works again; the card stays where it is."""
        with self.lock:
            self.sam.faults = SamFaults()
            self.sam.photo = PHOTO
            self._damage.clear()
            self._mute, self._asleep_for, self._delay_s = False, 0, 0.0
            self._holds, self._held = False, b""

    def plugged(self) -> None:
        self._heard = b""
        self._held = b""
        self._speed = self._set_to
        if self.sam.record is not None:
            self.sam.card = Card.PRESENT

    def receive(self, data: bytes) -> None:
        self._heard += data
        while (frame := self._next_request()) is not None:
            self._reply_to(frame)

    def _next_request(self) -> bytes | None:
        """A whole request by its LEN; what stands before it is noise."""
        at = self._heard.find(START)
        if at < 0:
            self._heard = self._heard[-4:]
            return None
        self._heard = self._heard[at:]
        if len(self._heard) < 7:
            return None
        end = 7 + min(int.from_bytes(self._heard[5:7], "big"), _LONGEST_REQUEST)
        if len(self._heard) < end:
            return None
        frame, self._heard = self._heard[:end], self._heard[end:]
        return frame

    def _reply_to(self, frame: bytes) -> None:
        if self._asleep_for > 0:
            self._asleep_for -= 1
            return
        answer = self.sam.answer(frame)
        for damage in self._damage:
            if damage.times > 0 and (len(answer) >= _RECORD_BYTES or not damage.records_only):
                damage.times -= 1
                answer = damage.change(answer)
        if self._holds:
            self._holds, self._held = False, answer
        elif not self._mute:
            answer, self._held = self._held + answer, b""
            self.say(answer, after_s=self._delay_s)
        if self.sam.new_speed is not None:
            self._speed, self.sam.new_speed = self.sam.new_speed, None


TWIN = SamVReader
