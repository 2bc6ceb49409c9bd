"""SAM_V, the protocol of the security module in every resident ID card reader: frames, statuses, the reading sequence.

A plain module that card drivers import: the module hangs on a serial line, or behind a PC/SC reader that passes its
frames on. It has no link and no DRIVER. Source: protocols/idcard.md §1.

    request   AA AA AA 96 69 | LEN (2 b) | CMD  PARA  DATA      | CHK
    reply     AA AA AA 96 69 | LEN (2 b) | SW1  SW2  SW3  DATA  | CHK     LEN counts from CMD or SW1 to CHK, high first
                                                                          CHK = XOR from LEN to the end of DATA

Nothing is escaped: the preamble may occur inside a photo, so a frame ends where its LEN says. Only after a silence or a
wrong CHK one byte is dropped and the preamble searched again. What is found then may be an earlier answer that comes
late, or lie inside a photo that came broken: a frame counts as the answer if it has the shape that belongs to the
command, and behind a broken record only a whole record counts.

Of a card only `30 01` is asked, and `30 03` (newest address) where the hall wants it, never fingerprints; the photo
that comes along is dropped unseen.
"""

from __future__ import annotations

import functools
import operator
import struct
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from drivers.base import BadReply, Condition, DeviceError, Refused
from drivers.idcard_text import TEXT_BYTES, fictitious

PREAMBLE = bytes.fromhex("AA AA AA 96 69")
_SHORTEST_LEN, _LONGEST_LEN = 4, 0x090A
PHOTO_BYTES = 1024
RECORD_BYTES = 4 + TEXT_BYTES + PHOTO_BYTES
_ADDRESS_BYTES = 70
_SHORTEST_FRAME = 11
_NOISE_BYTES = 64
"""More than this before a frame is no noise on the line, but a longer frame that came broken."""

DONE, CARD_FOUND, CHECK_WRONG, LENGTH_WRONG, UNKNOWN_COMMAND, SELF_TEST_FAILED, NOT_AUTHORISED, NO_CARD = (
    0x90, 0x9F, 0x10, 0x11, 0x21, 0x60, 0x66, 0x80,
)  # fmt: skip
_CARD_NOT_AUTHENTIC = 0x32
_READ_FAILED, _NO_RANDOM, _NO_CONTENT = 0x41, 0x47, 0x91
_NOT_ALLOWED_NOW, _UNKNOWN_ERROR, _SELECT_FAILED = 0x23, 0x24, 0x81

_BACK_TO_FIND = frozenset({_NOT_ALLOWED_NOW, _UNKNOWN_ERROR, _SELECT_FAILED})
_PERHAPS_LIFTED = frozenset({_READ_FAILED, _NO_RANDOM, _NO_CONTENT})

_MEANING = {
    UNKNOWN_COMMAND: (Condition.DEVICE_FAULT, "does not know the command"),
    _NOT_ALLOWED_NOW: (Condition.CARD_UNREADABLE, "does not allow it in this state"),
    _UNKNOWN_ERROR: (Condition.CARD_UNREADABLE, "reports an unknown error"),
    0x31: (Condition.CARD_UNREADABLE, "reports that the card did not authenticate the module"),
    _CARD_NOT_AUTHENTIC: (Condition.CARD_UNREADABLE, "could not authenticate the card"),
    0x33: (Condition.CARD_INVALID, "finds the signature of the card's data wrong"),
    0x40: (Condition.CARD_UNKNOWN, "does not recognise the type of the card"),
    _READ_FAILED: (Condition.CARD_UNREADABLE, "could not read the card"),
    _NO_RANDOM: (Condition.CARD_UNREADABLE, "got no random number from the card"),
    SELF_TEST_FAILED: (Condition.DEVICE_FAULT, "failed its self-test"),
    NOT_AUTHORISED: (Condition.DEVICE_FAULT, "is not authorised"),
    NO_CARD: (Condition.CARD_REMOVED_EARLY, "has lost the card"),
    _SELECT_FAILED: (Condition.CARD_UNREADABLE, "could not select the card"),
    _NO_CONTENT: (Condition.CARD_UNREADABLE, "found the card empty"),
}


class Command(Enum):
    """What is asked of the module: CMD and PARA."""

    RESET = b"\x10\xff"
    STATUS = b"\x11\xff"
    SAM_ID = b"\x12\xff"
    FIND = b"\x20\x01"
    SELECT = b"\x20\x02"
    READ = b"\x30\x01"
    NEWEST_ADDRESS = b"\x30\x03"

    @property
    def deed(self) -> str:
        """As it is said in an error."""
        return self.name.lower().replace("_", " ")


_DATA_OF_SUCCESS = {
    Command.RESET: 0, Command.STATUS: 0, Command.SAM_ID: 16, Command.FIND: 4, Command.SELECT: 8,
    Command.READ: RECORD_BYTES, Command.NEWEST_ADDRESS: _ADDRESS_BYTES,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Reply:
    """SW3 of a reply, and its data."""

    status: int
    data: bytes = field(default=b"", repr=False)


def _check_byte(covered: bytes) -> int:
    return functools.reduce(operator.xor, covered, 0)


def encode_request(command: Command) -> bytes:
    """One request frame."""
    covered = struct.pack(">H", len(command.value) + 1) + command.value
    return PREAMBLE + covered + bytes([_check_byte(covered)])


def take_frame(received: bytes) -> tuple[Reply | None, bytes]:
    """The first whole frame, and the bytes after it; without one, the bytes that may become one."""
    while True:
        start = received.find(PREAMBLE)
        if start < 0:
            return None, _perhaps_preamble(received)
        received = received[start:]
        if len(received) < 7:
            return None, received
        (length,) = struct.unpack_from(">H", received, 5)
        if _SHORTEST_LEN <= length <= _LONGEST_LEN:
            if len(received) < 7 + length:
                return None, received
            frame, rest = received[: 7 + length], received[7 + length :]
            if _check_byte(frame[5:-1]) == frame[-1]:
                return Reply(status=frame[9], data=frame[10:-1]), rest
        received = received[1:]


def fits(command: Command, reply: Reply) -> bool:
    """Whether a reply has the shape of an answer to this command."""
    if reply.status in {CARD_FOUND, NO_CARD} and command is not Command.FIND:
        return False
    if reply.status == (CARD_FOUND if command is Command.FIND else DONE):
        return len(reply.data) == _DATA_OF_SUCCESS[command]
    return reply.status != DONE and not reply.data


class AnswerSearch:
    """Looks for the answer to one command in what arrives, in any pieces."""

    def __init__(self, command: Command) -> None:
        self.heard = b""
        """Everything that was given to `take`."""
        self._command = command
        self._waiting = b""
        self._misfit: Reply | None = None

    @property
    def begun(self) -> bool:
        """Whether as much as a frame was heard."""
        return len(self.heard) >= _SHORTEST_FRAME

    def take(self, more: bytes) -> Reply | None:
        """The answer, if it is complete with these bytes."""
        self.heard += more
        self._waiting += more
        while True:
            reply, self._waiting = take_frame(self._waiting)
            if reply is None or self._is_answer(reply):
                return reply

    def give_up(self) -> Reply | None:
        """After a silence: an answer behind the start of a longer frame that never came in full, or any whole frame.

        The latter keeps a module usable that fills its answers otherwise than the document says.
        """
        while self._waiting:
            self._waiting = self._waiting[1:]
            if (reply := self.take(b"")) is not None:
                return reply
        return self._misfit

    def _is_answer(self, reply: Reply) -> bool:
        before = len(self.heard) - len(self._waiting) - _SHORTEST_FRAME - len(reply.data)
        buried = before > _NOISE_BYTES
        if fits(self._command, reply):
            return self._command is not Command.READ or bool(reply.data) or not buried
        if not buried:
            self._misfit = self._misfit or reply
        return False


def _perhaps_preamble(received: bytes) -> bytes:
    for count in range(len(PREAMBLE) - 1, 0, -1):
        if received.endswith(PREAMBLE[:count]):
            return received[-count:]
    return b""


def decode_sam_id(data: bytes, source: str) -> str:
    """The number of the module as it is printed on papers; `source` names the reader in errors. Raises BadReply."""
    if len(data) != 16:
        raise BadReply(f"{source}: a module number has 16 bytes, not {len(data)}")
    return "{:02}.{:02}-{:08}-{:010}-{:010}".format(*struct.unpack("<HHIII", data))


def decode_record(data: bytes, source: str) -> bytes:
    """The text block of a record; the photo is dropped. `source` names the reader in errors. Raises BadReply."""
    if data[:4] != struct.pack(">HH", TEXT_BYTES, PHOTO_BYTES) or len(data) != RECORD_BYTES:
        raise BadReply(f"{source}: a record of {len(data)} bytes, not {RECORD_BYTES} made of text and photo")
    return data[4 : 4 + TEXT_BYTES]


def decode_newest_address(data: bytes, source: str) -> str:
    """The address of a `30 03` reply. `source` names the reader in errors. Raises BadReply."""
    try:
        text = data.decode("utf-16-le")
    except UnicodeDecodeError:
        # `from None`: a decoding error carries the bytes that it could not decode.
        raise BadReply(f"{source}: the newest address is no text") from None
    return "".join(c for c in text if unicodedata.category(c) != "Cc").rstrip(" ")


def stand_in(data: bytes) -> bytes:
    """The same frames about somebody who does not exist; what is no whole frame becomes zeros behind its head."""
    shown, rest = b"", data
    while (at := rest.find(PREAMBLE)) >= 0 and len(rest) - at >= _SHORTEST_FRAME:
        (length,) = struct.unpack_from(">H", rest, at + 5)
        frame = rest[at : at + 7 + length]
        if not _SHORTEST_LEN <= length <= _LONGEST_LEN or len(frame) < 7 + length:
            break
        whole = frame[:10] + _made_up(frame[10:-1])
        # A wrong CHK stays as wrong as it was.
        check = _check_byte(whole[5:]) ^ _check_byte(frame[5:])
        shown += bytes(at) + whole + bytes([check])
        rest = rest[at + len(frame) :]
    head = rest[:10] if rest.startswith(PREAMBLE) else b""
    return shown + head + bytes(len(rest) - len(head))


def _made_up(data: bytes) -> bytes:
    """Data of a reply in which nothing is personal; the photo and the number of the chip are zeros."""
    if len(data) == RECORD_BYTES:
        return data[:4] + fictitious(data[4 : 4 + TEXT_BYTES]) + bytes(PHOTO_BYTES)
    if len(data) == _ADDRESS_BYTES:
        return "示例市虚构路2号".ljust(_ADDRESS_BYTES // 2).encode("utf-16-le")
    return bytes(len(data))


_COMMAND_WORDS = {
    Command.RESET: ("复位", "reset"),
    Command.STATUS: ("问自检状态", "ask its self-test"),
    Command.SAM_ID: ("问模块号", "ask its number"),
    Command.FIND: ("找卡", "find a card"),
    Command.SELECT: ("选卡", "select the card"),
    Command.READ: ("读卡", "read the card"),
    Command.NEWEST_ADDRESS: ("读追加地址", "read the newest address"),
}
_STATUS_WORDS = {
    DONE: ("成功", "done"),
    CARD_FOUND: ("找到卡", "a card is there"),
    NO_CARD: ("没有卡", "no card"),
    CHECK_WRONG: ("校验错", "wrong checksum"),
    LENGTH_WRONG: ("长度错", "wrong length"),
    SELF_TEST_FAILED: ("自检失败", "self-test failed"),
    NOT_AUTHORISED: ("未授权", "not authorised"),
}


def explain(direction: str, data: bytes) -> str:
    """Meaning of some bytes for a technician, `Chinese | English`; "" where no whole frame is among them."""
    if direction == ">":
        asked = next((command for command in Command if data == encode_request(command)), None)
        return " | ".join(_COMMAND_WORDS[asked]) if asked else ""
    reply, _rest = take_frame(data)
    if reply is None:
        return ""
    return _status_words(reply.status)


def _status_words(status: int) -> str:
    zh, en = _STATUS_WORDS.get(status, ("", ""))
    if not en:
        en = _MEANING[status][1] if status in _MEANING else "unknown status"
    return f"SW3 {status:02X} {zh} | SW3 {status:02X} {en}"


def explain_bytes(direction: str, data: bytes) -> tuple[str, ...]:
    """What each byte of one whole frame is, `Chinese | English`; nothing where there is no such frame."""
    least = 10 if direction == ">" else 11
    if not data.startswith(PREAMBLE) or len(data) < least or len(data) != 7 + int.from_bytes(data[5:7], "big"):
        return ()
    right = _check_byte(data[5:-1]) == data[-1]
    check = "校验，对 | check, right" if right else "校验，错 | check, wrong"
    head = ["前导 | preamble"] * 5 + ["长度高位 | length, high", "长度低位 | length, low"]
    if direction == ">":
        inside = ["命令 | command", "参数 | parameter", *["数据 | data"] * (len(data) - 10)]
    else:
        inside = ["SW1 | SW1", "SW2 | SW2", _status_words(data[9]), *["数据 | data"] * (len(data) - 11)]
    return (*head, *inside, check)


Ask = Callable[[Command], Reply]
"""Sends one request and gives its reply; raises NoReply, BadReply or LinkError, and ends by itself."""


class _MovedError(Exception):
    """The card moved or the record came broken: one more attempt; `verdict` is what stands if that fails too."""

    def __init__(self, verdict: DeviceError) -> None:
        super().__init__(str(verdict))
        self.verdict = verdict


class NotSelected(Refused):
    """A card is found and cannot be selected: it moved, or this module wants it lifted first."""


class SamReading:
    """Find, select, read: the sequence, and what each status means for the person at the reader."""

    def __init__(self, ask: Ask, source: str) -> None:
        self._ask_once = ask
        self._source = source
        self._not_authentic = 0

    def forget_card(self) -> None:
        """Another card may come: what was held against the last one does not count against it."""
        self._not_authentic = 0

    def ask(self, command: Command) -> Reply:
        """Ask; say it again if the module did not understand: twice after a wrong CHK, once after a wrong LEN."""
        for unheard in (CHECK_WRONG, LENGTH_WRONG), (CHECK_WRONG,):
            reply = self._ask_once(command)
            if reply.status not in unheard:
                return reply
        return self._ask_once(command)

    def find(self) -> bool:
        """Whether a card lies in the field. Raises Refused(DEVICE_FAULT | CARD_UNKNOWN) or BadReply."""
        status = self.ask(Command.FIND).status
        if status in {CARD_FOUND, NO_CARD}:
            return status == CARD_FOUND
        verdict = self._verdict(Command.FIND, status)
        if isinstance(verdict, Refused) and verdict.condition in {Condition.DEVICE_FAULT, Condition.CARD_UNKNOWN}:
            raise verdict
        raise BadReply(f"{self._source}: find was answered with SW3 {status:02X}")

    def read_text(self) -> bytes:
        """Text block of the card just found; if it moved or came broken, it is looked for and read once more.

        Raises Refused, or BadReply if the record came broken twice.
        """
        try:
            return self._attempt()
        except _MovedError:
            if not self.find():
                raise self._left() from None
        try:
            return self._attempt()
        except _MovedError as exc:
            raise exc.verdict from None

    def read_newest_address(self) -> str:
        """Newest address on the card that was just read; "" if it has none.

        Source: §1.8, no new select is needed after a good read (confidence B). Raises Refused or BadReply.
        """
        reply = self.ask(Command.NEWEST_ADDRESS)
        if reply.status == _NO_CONTENT:
            return ""
        if reply.status == DONE:
            return decode_newest_address(reply.data, self._source)
        raise self._verdict(Command.NEWEST_ADDRESS, reply.status)

    def _attempt(self) -> bytes:
        try:
            command, reply = Command.SELECT, self.ask(Command.SELECT)
            if reply.status == DONE:
                command, reply = Command.READ, self.ask(Command.READ)
            if reply.status == DONE:
                text = decode_record(reply.data, self._source)
                self._not_authentic = 0
                return text
        except BadReply as exc:
            raise _MovedError(exc) from None
        if reply.status in _BACK_TO_FIND:
            raise _MovedError(self._verdict(command, reply.status))
        raise self._refusal(command, reply.status)

    def _refusal(self, command: Command, status: int) -> DeviceError:
        """What a status that ends the attempt tells the person; a failed read may be a card that was lifted."""
        if status in _PERHAPS_LIFTED and not self.find():
            return self._left()
        if status != _CARD_NOT_AUTHENTIC:
            return self._verdict(command, status)
        self._not_authentic += 1
        if self._not_authentic < 2:
            return self._verdict(command, status)
        return Refused(Condition.CARD_INVALID, f"{self._source}: the module could not authenticate the card, twice")

    def _verdict(self, command: Command, status: int) -> DeviceError:
        deed = command.deed
        if status not in _MEANING:
            return BadReply(f"{self._source}: {deed} was answered with SW3 {status:02X}")
        condition, meaning = _MEANING[status]
        kind = NotSelected if status == _SELECT_FAILED else Refused
        return kind(condition, f"{self._source}: {deed}: the module {meaning} (SW3 {status:02X})")

    def _left(self) -> Refused:
        return Refused(Condition.CARD_REMOVED_EARLY, f"{self._source}: the card left before it was read whole")
