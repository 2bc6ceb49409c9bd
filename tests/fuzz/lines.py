"""Links and lines in memory, made of one input: replies in pieces, at whatever place they are cut."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from drivers.base import BadReply, LinkError, NoReply
from drivers.camera_helper import decode_line
from drivers.transport import ByteStream, Link
from drivers.transport_camera import Camera, Picture, Wanted
from drivers.transport_evdev import InputDevice, InputEvent, split_records
from drivers.transport_sane import SaneAnswer, SaneDevice
from drivers.transport_sound import SoundCard
from drivers.transport_web import WebReply
from sim.carriers import ByteLine
from tests.fuzz.still_time import CLOCK, Hang

MOST_READS = 20_000
MOST_SMALL_READS = 200
"""What is longer comes in one piece after that: where its end is cut tells nothing new, and takes most of the time."""
_LONG = 0xF0


def pack(*chunks: bytes) -> bytes:
    """Chunks as one input; `Input.chunks` takes them apart again."""
    packed = b""
    for whole in chunks:
        chunk = whole[:4095]
        size = len(chunk)
        packed += (bytes([size]) if size < _LONG else bytes([_LONG + size // 256, size % 256])) + chunk
    return packed


class Input:
    """Bytes of the fuzzer; whoever needs something takes it from the front."""

    def __init__(self, data: bytes) -> None:
        self.rest = data

    def byte(self) -> int:
        """One byte; 0 when there is nothing left."""
        first, self.rest = self.rest[:1], self.rest[1:]
        return first[0] if first else 0

    def chunk(self) -> bytes:
        """The next chunk; b"" when there is nothing left."""
        size = self.byte()
        if size >= _LONG:
            size = (size - _LONG) * 256 + self.byte()
        found, self.rest = self.rest[:size], self.rest[size:]
        return found


def pieces(data: bytes, step: int) -> Iterator[bytes]:
    """The same in pieces of `step` bytes; 0: in one."""
    if not step:
        yield data
        return
    for at in range(0, len(data), step):
        yield data[at : at + step]


class FuzzStream(ByteStream):
    """A byte line: each write, and each wait in silence, is answered by the next chunk; time passes as on a line."""

    def __init__(self, source: Input) -> None:
        super().__init__("/dev/fuzz")
        self._source = source
        self._step = source.byte() % 8
        self._waiting = b""
        self._reads = 0

    def write(self, data: bytes, limit_s: float = 2.0) -> None:
        self._trace(">", data)
        CLOCK.wait(len(data) / 1000)
        self._waiting += self._source.chunk()

    def _read_some(self, most: int, limit_s: float) -> bytes:
        self._reads += 1
        if self._reads > MOST_READS:
            raise Hang(f"read {MOST_READS} times")
        if not self._waiting and limit_s > 0:
            self._waiting = self._source.chunk()
        if not self._waiting:
            CLOCK.wait(max(limit_s, 1e-4))
            return b""
        if self._reads <= MOST_SMALL_READS:
            most = min(most, self._step or most)
        data, self._waiting = self._waiting[:most], self._waiting[most:]
        CLOCK.wait(len(data) / 10_000)
        return data

    def close(self) -> None:
        """Nothing to give back."""


class FuzzSlot:
    """A PC/SC slot: everything is answered by the next chunk; whether a card lies there too."""

    port = "pcsc:fuzz"
    reader = "fuzz"

    def __init__(self, source: Input) -> None:
        self._source = source
        self.changes = 1

    def card_atr(self, limit_s: float) -> bytes | None:
        CLOCK.wait(limit_s)
        how = self._source.byte()
        self.changes += how >> 7
        return None if how & 1 else b"\x3b"

    def connect(self, limit_s: float = 3.0) -> None:
        CLOCK.wait(0.01)

    connect_reader = connect

    def disconnect(self) -> None:
        """The card is let go."""

    @contextlib.contextmanager
    def private(self, *_substitute: object) -> Iterator[None]:
        yield

    def transmit(self, apdu: bytes, limit_s: float = 3.0) -> bytes:
        CLOCK.wait(0.02)
        return self._source.chunk()

    def control(self, code: int, data: bytes, limit_s: float = 3.0) -> bytes:
        return self.transmit(data, limit_s)


class FuzzEvents(InputDevice):
    """An input device: each look gives the next chunk."""

    def __init__(self, source: Input) -> None:
        Link.__init__(self, "evdev:fuzz")
        self.name = "fuzz"
        self._source = source
        self._half = b""

    def read_events(self, limit_s: float) -> list[InputEvent]:
        piece = self._source.chunk()
        if not piece:
            CLOCK.wait(max(limit_s, 1e-4))
        self._trace("<", piece)
        events, self._half = split_records(self._half + piece)
        return events

    def close(self) -> None:
        """Nothing to give back."""


_STATUSES = (200, 200, 200, 201, 204, 404, 409, 410, 500, 503)
_TYPES = ("text/xml", "image/jpeg", "application/pdf", "")


class FuzzWeb:
    """An HTTP device: status, type and Location from one byte, the body is the next chunk."""

    port = "http://192.0.2.1/eSCL"

    def __init__(self, source: Input) -> None:
        self._source = source
        self._asked = 0
        self._shared: dict[type, Any] = {}  # Any: as in Link

    def trust_only(self, fingerprint: str) -> None:
        """There is no certificate here."""

    def shared(self, kind: type[Any]) -> Any:  # Any: as in Link
        return self._shared.setdefault(kind, kind())

    def request(self, method: str, url: str, *, limit_s: float, **_more: object) -> WebReply:
        self._asked += 1
        if self._asked > MOST_READS:
            raise Hang(f"asked {MOST_READS} times")
        if not self._source.rest:
            CLOCK.wait(limit_s)
            raise NoReply("nothing more comes")
        CLOCK.wait(0.05)
        how = self._source.byte()
        headers: Mapping[str, str] = {"content-type": _TYPES[how >> 6]}
        if how & 0x20:
            headers = {**headers, "location": self._source.chunk().decode("latin-1")}
        return WebReply(status=_STATUSES[how & 0x1F if how & 0x1F < len(_STATUSES) else 0], headers=headers,
                        body=self._source.chunk())  # fmt: skip

    def pause(self, limit_s: float) -> None:
        CLOCK.wait(limit_s)


class FuzzCamera(Camera):
    """A camera: each picture is a line of its helper and the bytes behind it, or silence."""

    def __init__(self, source: Input) -> None:
        Link.__init__(self, "camera:fuzz")
        self.is_device = bool(source.byte() & 1)
        self._source = source

    def check_there(self) -> None:
        if self._source.rest[:1] == b"\xff":
            raise LinkError("no such camera")

    def take(self, how: Wanted, silence_s: float) -> Picture:
        line, jpeg = self._source.chunk(), self._source.chunk()
        if not line:
            CLOCK.wait(silence_s)
            raise NoReply("no frame")
        try:
            said = decode_line(line)
        except ValueError as exc:
            raise BadReply(f"the helper said {exc}") from None
        CLOCK.wait(0.1)
        if "state" not in said:
            raise LinkError("the helper is gone")
        return Picture(seen=said["state"], width=said["width"], height=said["height"], jpeg=jpeg)

    def close(self) -> None:
        """Nothing to give back."""


class FuzzSound(SoundCard):
    """A sound card: the next byte says how a sound ends; the mixer tells the next chunk."""

    def __init__(self, source: Input) -> None:
        Link.__init__(self, "sound:fuzz")
        self.name = "fuzz"
        self._source = source

    def play(self, wav: bytes, limit_s: float) -> None:
        how = self._source.byte() % 4
        CLOCK.wait(limit_s if how == 3 else 0.1)
        if how == 2:
            raise LinkError("the card is gone")
        if how == 3:
            raise NoReply("it did not end")

    def mixer(self, card: str, control: str, limit_s: float = 2.0) -> str:
        return self._source.chunk().decode("utf-8", "replace")

    def close(self) -> None:
        """Nothing to give back."""


class FuzzSane(SaneDevice):
    """A scanner behind SANE: each question and each page is a chunk; its first byte says how the helper ended."""

    def __init__(self, source: Input) -> None:
        Link.__init__(self, "sane:fuzz")
        self.name = "fuzz"
        self._source = source
        self.answer: SaneAnswer | None = None

    def ask(self, arguments: Any, limit_s: float, *, of_device: bool = True) -> SaneAnswer:  # Any: as in SaneDevice
        CLOCK.wait(0.1)
        return self._ended(self._source.chunk(), limit_s)

    def _ended(self, said: bytes, limit_s: float) -> SaneAnswer:
        how = said[0] if said else 0xFF
        if how == 0xFF:
            CLOCK.wait(limit_s)
            raise NoReply("it did not come back")
        text = said[1:].decode("utf-8", "replace")
        return SaneAnswer(code=how % 13 if how < 0x80 else -9, output=text, said=text[:300])

    @contextlib.contextmanager
    def feed(self, arguments: Any) -> Iterator[FuzzSane]:  # type: ignore[override]  # it is its own feed
        self.answer = None
        yield self

    def next_page(self, limit_s: float, silence_s: float) -> bytes | None:
        CLOCK.wait(0.1)
        chunk = self._source.chunk()
        if chunk.startswith(b"\x89"):
            return chunk
        self.answer = self._ended(chunk, silence_s)
        return None

    def close(self) -> None:
        """Nothing to give back."""


class FuzzLine(ByteLine):
    """The line of a twin whose answers nobody hears."""

    def __init__(self) -> None:
        super().__init__()
        self.said = 0

    @property
    def port(self) -> str:
        return "/dev/fuzz"

    def _note(self, direction: Any, data: bytes) -> None:  # Any: as in ByteLine
        if len(self.transcript) > 200:
            del self.transcript[:100]
        super()._note(direction, data)

    def _write(self, data: bytes) -> None:
        self.said += len(data)

    def start(self) -> None:
        """Always plugged in."""

    def stop(self) -> None:
        """Always plugged in."""
